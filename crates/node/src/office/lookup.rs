//! Reading the views in batches: a page must not ask one question per row.

use std::collections::HashMap;

use records::Fields;
use store::views::{Parts, is_kind, read_parts};
use sync::{NodeId, Roll};

use crate::{Error, Filter, Node, Record, Role, Way};

/// One row of the view table, without what only a single record's page needs.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) id: String,
    pub(super) doc: String,
    pub(super) school: String,
    pub(super) person: String,
    pub(super) about: String,
    pub(super) fields: Fields,
    pub(super) disputed: bool,
    /// In a ledger: the devices whose values stand in it.
    pub(super) writers: Vec<NodeId>,
    /// Known only for rows that came through [`Node::records`].
    pub(super) way: Option<Way>,
}

impl Row {
    pub(super) fn text(&self, field: &str) -> &str {
        self.fields
            .get(field)
            .and_then(|value| value.as_text())
            .unwrap_or_default()
    }

    pub(super) fn int(&self, field: &str) -> i64 {
        self.fields
            .get(field)
            .and_then(|value| value.as_int())
            .unwrap_or_default()
    }
}

impl From<Record> for Row {
    fn from(record: Record) -> Row {
        let about = match record.kind.as_str() {
            "decision" => "claim",
            "evidence" => "about",
            "staff_fact" => "person",
            _ => "session",
        };
        Row {
            about: record.text(about).to_owned(),
            person: record.text("person").to_owned(),
            school: record.school.unwrap_or_default(),
            id: record.id,
            doc: record.doc,
            fields: record.fields,
            disputed: record.disputed,
            writers: Vec::new(),
            way: Some(record.way),
        }
    }
}

/// Rows of one kind, picked by a column.
#[derive(Clone, Copy)]
pub(super) enum By {
    Id,
    About,
}

/// The rows of `kind` whose id (or `about`) is one of `keys`, in the order of their ids.
pub(super) fn rows(node: &Node, kind: &str, by: By, keys: &[&str]) -> Result<Vec<Row>, Error> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    // The plus sign keeps SQLite from taking an index by kind where the one by id is exact.
    let (plus, column) = match by {
        By::Id => ("+", "id"),
        By::About => ("", "about"),
    };
    let condition = format!(
        "{plus}{} AND {column} IN (SELECT value FROM json_each(?1))",
        is_kind(kind)
    );
    read_rows(node, &condition, [json_list(keys)])
}

/// The rows of `kind` about one of these and of one of these persons, in the order of their ids.
pub(super) fn rows_of(node: &Node, kind: &str, about: &[&str], persons: &[&str]) -> Result<Vec<Row>, Error> {
    let condition = format!("{} AND {}", is_kind(kind), shorter(about, persons));
    read_rows(node, &condition, (json_list(about), json_list(persons)))
}

/// About one of the first list and of one of the persons: the shorter list picks the rows; the plus sign keeps SQLite
/// from the other index.
fn shorter(about: &[&str], persons: &[&str]) -> &'static str {
    match persons.len() < about.len() {
        true => "+about IN (SELECT value FROM json_each(?1)) AND person IN (SELECT value FROM json_each(?2))",
        false => {
            "about IN (SELECT value FROM json_each(?1)) AND +person IN (SELECT value FROM json_each(?2))"
        }
    }
}

/// The claims of these persons about these sessions that name another claim, whose place they take.
pub(super) fn superseding(node: &Node, sessions: &[&str], persons: &[&str]) -> Result<Vec<Row>, Error> {
    let condition = format!(
        "{} AND {} AND COALESCE(json_extract(fields, '$.supersedes'), '') <> ''",
        is_kind("claim"),
        shorter(sessions, persons)
    );
    read_rows(node, &condition, (json_list(sessions), json_list(persons)))
}

/// Whether a PC of this school had a part in what stands in its ledger: a device may be a school's and an auditor's,
/// and nobody decides for the own school. Whatever such a device has written there is no word of the county.
pub(super) fn of_own_school(roll: &Roll, parts: &[u8], school: &str) -> bool {
    read_parts(parts).map_or(true, |parts| any_of_school(roll, &devices(&parts), school))
}

/// Whether one of these devices is a PC of the school.
pub(super) fn any_of_school(roll: &Roll, devices: &[NodeId], school: &str) -> bool {
    devices.iter().any(|device| is_of_school(roll, device, school))
}

fn devices(parts: &Parts) -> Vec<NodeId> {
    parts.iter().map(|(actor, _)| actor.device).collect()
}

/// All records of a kind that are the county's word: nothing that a school's own PC has written into its ledger.
pub(super) fn words(node: &Node, kind: &str) -> Result<Vec<Row>, Error> {
    read_rows(node, &is_kind(kind), ())
}

/// Whether this device is a PC of the school.
pub(super) fn is_of_school(roll: &Roll, device: &NodeId, school: &str) -> bool {
    let mut grants = roll.grants(device);
    grants.any(|grant| grant.role == Role::School.code() && grant.scope == school)
}

fn grouped(rows: Vec<Row>) -> HashMap<Key, Vec<Row>> {
    let mut grouped: HashMap<Key, Vec<Row>> = HashMap::new();
    for row in rows {
        grouped.entry(key(&row.school, &row.about)).or_default().push(row);
    }
    grouped
}

fn read_rows(node: &Node, condition: &str, which: impl store::rusqlite::Params) -> Result<Vec<Row>, Error> {
    let sql = format!(
        "SELECT id, doc_key, school, person, about, fields, disputed, iif(doc_key LIKE 'ledger/%', parts, NULL)
         FROM record WHERE {condition} ORDER BY id"
    );
    let roll = node.roll();
    node.read(|conn| {
        let mut query = conn.prepare_cached(&sql)?;
        let found = query.query_map(which, |row| {
            let json: String = row.get(5)?;
            // The view is ours and rebuildable; a row that cannot be read is shown and counts zero.
            let fields = serde_json::from_str::<Fields>(&json);
            let parts = row.get::<_, Option<Vec<u8>>>(7)?;
            let parts = parts.map_or(Ok(Parts::new()), |parts| read_parts(&parts));
            Ok(Row {
                id: row.get(0)?,
                doc: row.get(1)?,
                school: row.get::<_, Option<String>>(2)?.unwrap_or_default(),
                person: row.get::<_, Option<String>>(3)?.unwrap_or_default(),
                about: row.get::<_, Option<String>>(4)?.unwrap_or_default(),
                disputed: row.get::<_, bool>(6)? || fields.is_err() || parts.is_err(),
                fields: fields.unwrap_or_default(),
                writers: parts.map_or(Vec::new(), |parts| devices(&parts)),
                way: None,
            })
        })?;
        let mut rows = Vec::new();
        for row in found {
            let row = row?;
            if !any_of_school(&roll, &row.writers, &row.school) {
                rows.push(row);
            }
        }
        Ok(rows)
    })
}

/// A record's name inside a school. Ids are unique among honest devices; a reference never leaves its
/// school, so that no school can say anything about another's records (design.md §3).
pub(super) type Key = (String, String);

/// The name of `id` inside `school`.
pub(super) fn key(school: &str, id: &str) -> Key {
    (school.to_owned(), id.to_owned())
}

/// The rows of [`rows`] by school and id.
pub(super) fn by_id(node: &Node, kind: &str, ids: &[&str]) -> Result<HashMap<Key, Row>, Error> {
    Ok(rows(node, kind, By::Id, ids)?
        .into_iter()
        .map(|row| (key(&row.school, &row.id), row))
        .collect())
}

/// The rows of [`rows`] grouped by their school and what they are about.
pub(super) fn by_about(node: &Node, kind: &str, about: &[&str]) -> Result<HashMap<Key, Vec<Row>>, Error> {
    Ok(grouped(rows(node, kind, By::About, about)?))
}

/// The county's courses by id, without drafts, which say nothing yet, and without what two officers say differently.
pub(super) fn courses(node: &Node) -> Result<HashMap<String, Record>, Error> {
    let mut all = node.records(&Filter::kind("course"))?;
    all.retain(|course| !course.disputed && course.text("state") != "draft");
    Ok(all
        .into_iter()
        .map(|course| (course.id.clone(), course))
        .collect())
}

/// A list for SQLite's `json_each`.
pub(super) fn json_list(items: &[&str]) -> String {
    serde_json::Value::from(items).to_string()
}

/// The newest records of a kind, of one school or of all.
pub(super) fn newest(kind: &str, school: Option<&str>, limit: u32) -> Filter {
    let filter = Filter::kind(kind).newest_first().limit(limit);
    match school {
        Some(school) => filter.school(school),
        None => filter,
    }
}

/// The record with this id, if it is of this kind.
pub(super) fn record_of(node: &Node, kind: &str, id: &str) -> Result<Option<Record>, Error> {
    Ok(node.record(id)?.filter(|record| record.kind == kind))
}

/// How far a page may say that *all* of several records have come.
pub(super) fn least(ways: impl IntoIterator<Item = Way>) -> Way {
    let rank = |way: &Way| match way {
        Way::Saved => 0,
        Way::Carried => 1,
        Way::Received => 2,
        Way::AtCounty => 3,
    };
    ways.into_iter().min_by_key(rank).unwrap_or(Way::Received)
}
