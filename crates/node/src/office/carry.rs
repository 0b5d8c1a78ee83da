//! Credits that follow a person: what the county has recognised at another school, said to the present one.
//!
//! A school may not read another's log. So the county's node, which reads both, writes one line for each
//! recognised claim into the ledger of the school where the person is now (转入学分), and keeps these lines
//! as its decisions are. The school of the record stays its author, and nothing of its own is touched.

use std::collections::{BTreeMap, BTreeSet};

use records::date::parse_stored_date;
use records::rules::Entry;

use super::card::entry;
use super::claims::{ClaimRow, ClaimState, Weighed, weigh};
use super::draft::{Draft, year_of};
use super::lookup::{Key, Row, is_of_school, key};
use super::once::Waits;
use super::organisations::organisation_names;
use super::people::People;
use super::per_school::PerSchool;
use super::roster::Edits;
use super::{By, turn};
use crate::{Error, Filter, Node, Record};

const KIND: &str = "carried_credit";

/// The claims of a person under all names, those of each school under the name there.
pub(super) fn claims_of(node: &Node, names: &BTreeSet<Key>) -> Result<Vec<Weighed>, Error> {
    let mut claims = Vec::new();
    for (school, person) in names {
        claims.extend(node.records(&Filter::kind("claim").person(person).school(school))?);
    }
    weigh(node, claims.into_iter().map(Row::from).collect())
}

/// What came over for a person, without what stands here as a claim: at the county both are there.
pub(super) fn carried(
    node: &Node,
    names: &BTreeSet<Key>,
    here: &[Weighed],
) -> Result<Vec<(ClaimRow, Entry)>, Error> {
    let here: BTreeSet<Key> = here.iter().map(|w| key(&w.row.school, &w.row.id)).collect();
    let schools = organisation_names(node)?;
    let roll = node.roll();
    let mut lines: BTreeMap<Key, (ClaimRow, Entry)> = BTreeMap::new();
    for (school, person) in names {
        for record in node.records(&Filter::kind(KIND).person(person).school(school))? {
            let from = key(record.text("from_school"), record.text("claim"));
            let own = is_of_school(&roll, &record.author, school);
            if record.text("state") != "in_force" || record.disputed || own || here.contains(&from) {
                continue;
            }
            if let Some(line) = line(&record, schools.get(&from.0)) {
                lines.insert(from, line);
            }
        }
    }
    Ok(lines.into_values().collect())
}

fn line(record: &Record, school_name: Option<&String>) -> Option<(ClaimRow, Entry)> {
    let text = |field: &str| record.text(field).to_owned();
    let (hours_c, credits_c) = (record.int("hours_c"), record.int("credits_c"));
    let entry = Entry {
        id: text("claim"),
        category: text("category"),
        sub: Some(text("sub")).filter(|sub| !sub.is_empty()),
        channel: text("channel"),
        form: text("form"),
        topic: text("theme"),
        program: text("project"),
        rule_ref: text("rule_ref"),
        hours_c,
        credits_c,
        date: parse_stored_date(record.text("date")).ok()?,
        minutes: record.int("minutes"),
        lecture_minutes: record.int("lecture_minutes"),
        session: text("session"),
        decision: text("decision"),
        decided_on: parse_stored_date(record.text("decided_on")).ok(),
        ..Entry::default()
    };
    let row = ClaimRow {
        id: text("claim"),
        school: text("from_school"),
        school_name: school_name.cloned().unwrap_or_default(),
        person: text("person"),
        person_name: String::new(),
        session: text("session"),
        session_title: text("title"),
        date: text("date"),
        category: text("category"),
        sub: text("sub"),
        channel: text("channel"),
        hours_c,
        credits_c,
        claimed_on: String::new(),
        claimed_by: String::new(),
        state: ClaimState::Decided {
            verdict: "recognised".into(),
            credits_c,
            hours_c,
            reason: String::new(),
            note: String::new(),
            by: text("_by"),
            on: text("decided_on"),
        },
        disputed: false,
        waits: Waits::No,
        late: false,
        closed: false,
    };
    Some((row, entry))
}

/// What has been followed as it stands.
static FOLLOWED: PerSchool<()> = PerSchool::new(usize::MAX);

/// The hub's part after something has arrived: a session that the old school voids, a mark that it takes back or a
/// decision of another auditor changes what follows a person without any act here.
pub fn follow_arrivals(node: &Node) -> Result<(), Error> {
    if !node.is_county() || !node.is_auditor() {
        return Ok(());
    }
    let _turn = turn();
    let by = By {
        account: AUTOMATIC.into(),
    };
    let people = People::load(node)?;
    let groups = people.of_several_schools(people.joined());
    FOLLOWED.groups(node, &groups, |names| match names.first() {
        Some(name) => follow(node, &by, name).map(|_| ()),
        None => Ok(()),
    })?;
    // Whom an act joined that holds no more, such as one that another officer has withdrawn.
    let joined: BTreeSet<&Key> = groups.iter().flatten().collect();
    for of in with_lines(node)?.iter().filter(|of| !joined.contains(of)) {
        follow(node, &by, of)?;
    }
    Ok(())
}

/// The persons for whom a line is in force. Asked with every arrival, so no line is read whole.
fn with_lines(node: &Node) -> Result<BTreeSet<Key>, Error> {
    node.read(|conn| {
        let mut query = conn.prepare_cached(
            "SELECT DISTINCT school, person FROM record
             WHERE kind = ?1 AND json_extract(fields, '$.state') = 'in_force'",
        )?;
        let found = query.query_map([KIND], |row| {
            let text = |at: usize| row.get::<_, Option<String>>(at);
            Ok((text(0)?.unwrap_or_default(), text(1)?.unwrap_or_default()))
        })?;
        Ok(found.collect::<Result<_, _>>()?)
    })
}

/// Who is named where no person acted.
const AUTOMATIC: &str = "本机自动";

/// Brings the lines at the present school of a person to what the county has recognised elsewhere; on a
/// device that may not write ledgers nothing happens. How many lines changed.
pub(super) fn follow(node: &Node, by: &By, of: &Key) -> Result<usize, Error> {
    if !node.is_auditor() {
        return Ok(0);
    }
    let people = People::load(node)?;
    let present = people.present(of);
    let filter = Filter::kind(KIND).person(&present.1).school(&present.0);
    let known = node.records(&filter)?;
    let mut names = people.names(of);
    names.remove(&present);
    if present.1.is_empty() || (names.is_empty() && known.is_empty()) {
        return Ok(0);
    }
    let mut wanted = BTreeMap::new();
    for weighed in claims_of(node, &names)? {
        let decision = weighed.decisions.iter().map(|decision| &decision.id).min();
        if let (Some(entry), Some(_)) = (entry(&weighed), decision) {
            wanted.insert(key(&weighed.row.school, &weighed.row.id), (weighed.row, entry));
        }
    }
    let mut edits = Edits::default();
    let mut changed = 0;
    for record in &known {
        let from = key(record.text("from_school"), record.text("claim"));
        let draft = match wanted.get(&from) {
            Some((row, entry)) => content(row, entry, &present.1),
            None => Draft::new(KIND).text("state", "withdrawn"),
        };
        if let Some(edit) = draft.change(node, record, by)? {
            edits.push(&record.doc, edit);
            changed += 1;
        }
    }
    let said: BTreeSet<Key> = known
        .iter()
        .map(|record| key(record.text("from_school"), record.text("claim")))
        .collect();
    for (_, (row, entry)) in wanted.iter().filter(|(from, _)| !said.contains(from)) {
        let doc = format!("ledger/{}/{}", present.0, year_of("date", &row.date)?);
        let draft = content(row, entry, &present.1);
        edits.push(&doc, draft.create(node, node.new_id(), by)?);
        changed += 1;
    }
    edits.commit(node)?;
    Ok(changed)
}

fn content(row: &ClaimRow, entry: &Entry, person: &str) -> Draft {
    Draft::new(KIND)
        .text("person", person)
        .text("claim", &row.id)
        .text("decision", &entry.decision)
        .text("session", &row.session)
        .text("from_school", &row.school)
        .text("title", &row.session_title)
        .text("date", &row.date)
        .text("category", &entry.category)
        .text("sub", entry.sub.as_deref().unwrap_or_default())
        .text("channel", &entry.channel)
        .text("form", &entry.form)
        .text("theme", &entry.topic)
        .text("project", &entry.program)
        .text("rule_ref", &entry.rule_ref)
        .int("hours_c", Some(entry.hours_c))
        .int("credits_c", Some(entry.credits_c))
        .int("minutes", Some(entry.minutes))
        .int("lecture_minutes", Some(entry.lecture_minutes))
        .text(
            "decided_on",
            &entry.decided_on.map(|day| day.to_string()).unwrap_or_default(),
        )
        .text("state", "in_force")
}
