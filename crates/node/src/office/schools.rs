//! The county's list of schools with what has come from each: counts that SQLite keeps with the rows, since a county has
//! well over a hundred thousand records.

use std::collections::HashMap;

use super::lookup::by_id;
use super::organisations::{Organisation, organisations};
use super::people::People;
use super::roster::GONE;
use crate::{Error, Node, Role};

/// One school as the county sees it.
#[derive(Clone, Debug)]
pub struct SchoolRow {
    /// Record id of the organisation.
    pub id: String,
    /// Name.
    pub name: String,
    /// Code: county_town, township, street or village.
    pub rural: String,
    /// Code of the kind, such as `primary_school`.
    pub org_kind: String,
    /// Devices of the school in the roll that are not revoked.
    pub enrolled_devices: usize,
    /// Unix seconds of the last contact with any of them, by this node's clock.
    pub last_contact: Option<i64>,
    /// Persons in service.
    pub teachers: u64,
    /// Sessions.
    pub sessions: u64,
    /// Attendance records (人次).
    pub attendances: u64,
    /// Claims on which nobody has decided.
    pub open_claims: u64,
    /// Claims with a decision.
    pub decided_claims: u64,
}

/// Kinds of organisation that hold no records of teachers of their own.
pub(super) const NO_SCHOOL: [&str; 8] = [
    "authority",
    "hub",
    "research_office",
    "media_station",
    "area",
    "host_university",
    "agency",
    "feature_base",
];

impl Organisation {
    /// Whether it is a school in use, whose teachers' records are kept here.
    pub fn is_school(&self) -> bool {
        self.active && !NO_SCHOOL.contains(&self.org_kind.as_str())
    }
}

/// All schools in use, and every other organisation from which there are devices or records; teachers where they
/// are after every transfer that the county has put into effect.
pub fn schools(node: &Node) -> Result<Vec<SchoolRow>, Error> {
    schools_on(node, "9999-12-31")
}

/// [`schools`] with the teachers where they are on a day, `YYYY-MM-DD`: the effective date of a transfer decides.
pub fn schools_on(node: &Node, day: &str) -> Result<Vec<SchoolRow>, Error> {
    let mut counts = counts(node)?;
    place_teachers(node, day, &mut counts)?;
    let mut contact = HashMap::new();
    for peer in node.read(store::peers::list)? {
        contact.insert(peer.node, peer.seen_at);
    }
    // How many devices a school has, and when one of them was heard last.
    let mut devices: HashMap<String, (usize, Option<i64>)> = HashMap::new();
    let enrolled = node.devices().into_iter();
    for device in enrolled.filter(|device| device.role == Role::School && !device.revoked) {
        let heard = contact.get(&device.node).copied().flatten();
        let (count, last) = devices.entry(device.scope).or_default();
        *count += 1;
        *last = (*last).max(heard);
    }
    let mut rows = Vec::new();
    for organisation in organisations(node)? {
        let school = organisation.is_school();
        let Organisation {
            id,
            name,
            rural,
            org_kind,
            ..
        } = organisation;
        let (enrolled_devices, last_contact) = devices.remove(&id).unwrap_or_default();
        let counted = counts.remove(&id);
        if !school && counted.is_none() && enrolled_devices == 0 {
            continue;
        }
        let Counts {
            teachers,
            sessions,
            attendances,
            claims,
            decided,
        } = counted.unwrap_or_default();
        rows.push(SchoolRow {
            id,
            name,
            rural,
            org_kind,
            enrolled_devices,
            last_contact,
            teachers,
            sessions,
            attendances,
            open_claims: claims.saturating_sub(decided),
            decided_claims: decided,
        });
    }
    Ok(rows)
}

#[derive(Default)]
struct Counts {
    teachers: u64,
    sessions: u64,
    attendances: u64,
    claims: u64,
    decided: u64,
}

/// Of a person with several names the one counts that stands on the day.
fn place_teachers(node: &Node, day: &str, counts: &mut HashMap<String, Counts>) -> Result<(), Error> {
    let people = People::load(node)?;
    let joined = people.joined();
    let ids: Vec<&str> = joined.iter().map(|name| name.1.as_str()).collect();
    let persons = by_id(node, "person", &ids)?;
    for name in joined {
        let Some(person) = persons.get(&name) else {
            continue;
        };
        let status = person.text("status");
        let counted = !GONE.contains(&status);
        let here = people.on(&name, day) == name && (counted || status == "transferred");
        let entry = counts.entry(name.0).or_default();
        match (counted, here) {
            (true, false) => entry.teachers = entry.teachers.saturating_sub(1),
            (false, true) => entry.teachers += 1,
            _ => {}
        }
    }
    Ok(())
}

/// The count of persons in service by school, from the index that `store/migrations/018_status.sql` makes for it.
pub(super) fn in_service() -> String {
    let gone = GONE.map(|status| format!("'{status}'")).join(", ");
    format!(
        "SELECT school, COUNT(*) FROM (
           SELECT DISTINCT school, id FROM record INDEXED BY record_status
           WHERE kind = 'person' AND school IS NOT NULL
             AND COALESCE(json_extract(fields, '$.status'), '') NOT IN ({gone}))
         GROUP BY school"
    )
}

fn counts(node: &Node) -> Result<HashMap<String, Counts>, Error> {
    let teachers_sql = in_service();
    node.read(|conn| {
        let mut counts: HashMap<String, Counts> = HashMap::new();
        let mut query = conn.prepare_cached(&teachers_sql)?;
        let mut found = query.query(())?;
        while let Some(row) = found.next()? {
            counts.entry(row.get(0)?).or_default().teachers = row.get::<_, i64>(1)?.unsigned_abs();
        }
        let mut query = conn.prepare_cached("SELECT school, kind, n FROM tally WHERE n > 0")?;
        let mut found = query.query(())?;
        while let Some(row) = found.next()? {
            let entry = counts.entry(row.get(0)?).or_default();
            let count = row.get::<_, i64>(2)?.unsigned_abs();
            match row.get::<_, String>(1)?.as_str() {
                "session" => entry.sessions = count,
                "attendance" => entry.attendances = count,
                "claim" => entry.claims = count,
                _ => entry.decided = count,
            }
        }
        Ok(counts)
    })
}
