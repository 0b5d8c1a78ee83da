//! Class-hours earned outside the school that another system of the county has told (转来的校外学时). The county writes
//! them into the ledger of the school; the school registers them as any training outside it, and the county decides.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use super::draft::{Draft, year_of};
use super::imports::{ImportFile, OutsideInput, OutsideRow, import_outside, outside_claims};
use super::lookup::{by_id, is_of_school, key};
use super::roster::Edits;
use super::{By, fault, own_school, turn};
use crate::{Error, Filter, Node, Record};

const KIND: &str = "outside_hours";

/// One person's part in a training, as a system tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToldHours {
    /// Record id of the school.
    pub school: String,
    /// Record id of the person there.
    pub person: String,
    /// What it was.
    pub training: OutsideInput,
}

/// A line that was told, for the school that may register it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToldRow {
    /// Record id.
    pub id: String,
    /// Record id of the person.
    pub person: String,
    /// 姓名.
    pub person_name: String,
    /// What it was.
    pub training: OutsideInput,
    /// Which system told it.
    pub source: String,
}

/// Writes what a system has told into the ledgers of the schools; how many lines are new. What stands there already, or
/// is registered already, is left as it is.
pub fn tell_outside(node: &Node, by: &By, source: &str, rows: &[ToldHours]) -> Result<usize, Error> {
    if !node.is_auditor() {
        return Err(Error::NotTheCounty);
    }
    let _turn = turn();
    let mut known: BTreeMap<&str, BTreeSet<(String, OutsideInput)>> = BTreeMap::new();
    let mut edits = Edits::default();
    let mut made = 0;
    for row in rows {
        let person = by_id(node, "person", &[&row.person])?;
        if !person.contains_key(&key(&row.school, &row.person)) {
            return Err(super::no_such("person", "人员", "person"));
        }
        if !known.contains_key(row.school.as_str()) {
            let mut all = outside_claims(node, &row.school)?;
            all.extend(
                told(node, &row.school)?
                    .into_iter()
                    .map(|row| (row.person, row.training)),
            );
            known.insert(&row.school, all);
        }
        let here = known.entry(&row.school).or_default();
        if !here.insert((row.person.clone(), row.training.clone())) {
            continue;
        }
        let t = &row.training;
        let draft = Draft::new(KIND)
            .text("person", &row.person)
            .text("project", &t.project)
            .text("organiser", &t.organiser)
            .text("from", &t.from)
            .text("until", &t.until)
            .text("form", &t.form)
            .text("category", &t.category)
            .text("sub", &t.sub)
            .text("channel", &t.channel)
            .int("hours_c", Some(t.hours_c))
            .text("source", source)
            .text("state", "told");
        let doc = format!("ledger/{}/{}", row.school, year_of("from", &t.from)?);
        edits.push(&doc, draft.create(node, node.new_id(), by)?);
        made += 1;
    }
    edits.commit(node)?;
    Ok(made)
}

/// What was told of a school's people and is not withdrawn; nothing that the school's own PC has written there.
fn told(node: &Node, school: &str) -> Result<Vec<ToldRow>, Error> {
    let roll = node.roll();
    let mut records = node.records(&Filter::kind(KIND).school(school))?;
    records.retain(|record| {
        record.text("state") == "told"
            && !record.disputed
            && record.doc.starts_with("ledger/")
            && !is_of_school(&roll, &record.author, school)
    });
    let persons: BTreeSet<&str> = records.iter().map(|record| record.text("person")).collect();
    let persons = by_id(node, "person", &persons.into_iter().collect::<Vec<_>>())?;
    let row = |record: &Record| {
        let text = |field: &str| record.text(field).to_owned();
        let person = persons.get(&key(school, record.text("person")))?;
        Some(ToldRow {
            id: record.id.clone(),
            person: text("person"),
            person_name: person.text("name").to_owned(),
            source: text("source"),
            training: OutsideInput {
                project: text("project"),
                organiser: text("organiser"),
                from: text("from"),
                until: text("until"),
                form: text("form"),
                category: text("category"),
                sub: text("sub"),
                channel: text("channel"),
                hours_c: record.int("hours_c"),
            },
        })
    };
    Ok(records.iter().filter_map(row).collect())
}

/// What was told of the own school's people and nobody has registered yet, by day and name.
pub fn told_outside(node: &Node) -> Result<Vec<ToldRow>, Error> {
    let Some(school) = node.home_school() else {
        return Ok(Vec::new());
    };
    let mut rows = told(node, &school)?;
    if rows.is_empty() {
        return Ok(rows);
    }
    let here = outside_claims(node, &school)?;
    rows.retain(|row| !here.contains(&(row.person.clone(), row.training.clone())));
    rows.sort_by(|a, b| {
        (&a.training.from, &a.person_name, &a.id).cmp(&(&b.training.from, &b.person_name, &b.id))
    });
    Ok(rows)
}

/// Registers (登分) lines that were told: as an import that can be taken back. How many claims are new.
pub fn register_told(node: &Node, by: &By, ids: &[String], claimed_on: &str) -> Result<usize, Error> {
    own_school(node, &node.home_school().unwrap_or_default())?;
    let mut rows = told_outside(node)?;
    rows.retain(|row| ids.contains(&row.id));
    if rows.is_empty() {
        return Err(Error::Invalid(vec![fault(
            "told",
            "请至少选一条还没有登分的",
            "Choose one at least that is not registered yet",
        )]));
    }
    let mut hash = Sha256::new();
    rows.iter().for_each(|row| hash.update(row.id.as_bytes()));
    let file = ImportFile {
        id: node.new_id(),
        what: "outside".into(),
        about: String::new(),
        name: format!("县里转来（{}）", rows[0].source),
        hash: data_encoding::HEXLOWER.encode(&hash.finalize()),
    };
    let rows = rows.into_iter().map(|row| OutsideRow {
        key: row.id,
        person: row.person,
        training: row.training,
    });
    import_outside(node, by, &file, rows.collect(), claimed_on)
}
