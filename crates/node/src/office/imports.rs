//! Tables that people import: what the rows write, noted so that it can be taken back (`undo`).
//!
//! A file is known by the SHA-256 of its bytes and a row by its place in it: the same file twice writes nothing
//! new, also where somebody has corrected a record since. What two computers of a school imported apart meets
//! in the natural keys: one mark per person and session, one training by what it says.

use std::collections::{BTreeMap, BTreeSet};

use records::{FieldError, Fields, Value};
use store::imports::{self, Import, Written};

use super::attendance::{Keyed, MarkInput, Tally, VOID, mark_edits, own_session, tallies};
use super::claims::{content, rules_in_use};
use super::draft::{Draft, year_of};
use super::entries::state_of;
use super::lookup::key;
use super::roster::{Edits, RosterRow, teacher_edits};
use super::{By, invalid, own_school, turn};
use crate::{Edit, Error, Filter, Node, Record};

/// The file that an import takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportFile {
    /// Id of the import.
    pub id: String,
    /// `roster`, `attendance`, `outside` or `passes`.
    pub what: String,
    /// The session that the list is of, or empty.
    pub about: String,
    /// Its name.
    pub name: String,
    /// SHA-256 of its bytes, hexadecimal.
    pub hash: String,
}

/// A training outside the school (校外培训), as a row of a list tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct OutsideInput {
    /// 培训项目名称.
    pub project: String,
    /// 培训机构名称.
    pub organiser: String,
    /// First day, `YYYY-MM-DD`.
    pub from: String,
    /// Last day, or empty.
    pub until: String,
    /// Code of the form of learning.
    pub form: String,
    /// Code of the course category.
    pub category: String,
    /// Code of the sub-category, or empty.
    pub sub: String,
    /// Code of the channel.
    pub channel: String,
    /// Class-hours in hundredths.
    pub hours_c: i64,
}

impl OutsideInput {
    fn draft(&self, school: &str) -> Draft {
        Draft::new("session")
            .text("title", &self.project)
            .text("project", &self.project)
            .text("date", &self.from)
            .text("until", &self.until)
            .text("host", school)
            .text("organiser", &self.organiser)
            .text("form", &self.form)
            .text("category", &self.category)
            .text("sub", &self.sub)
            .text("channel", &self.channel)
            .int("hours_c", Some(self.hours_c))
    }

    /// The training that a session is of; `None` for the school's own sessions.
    fn of(session: &Record) -> Option<OutsideInput> {
        let text = |field: &str| session.text(field).to_owned();
        let outside = !session.text("organiser").is_empty() && session.text("state") != VOID;
        outside.then(|| OutsideInput {
            project: text("title"),
            organiser: text("organiser"),
            from: text("date"),
            until: text("until"),
            form: text("form"),
            category: text("category"),
            sub: text("sub"),
            channel: text("channel"),
            hours_c: session.int("hours_c"),
        })
    }

    /// The session of this training that is here, if it is not void.
    fn find<'a>(&self, sessions: &'a [Record]) -> Option<&'a Record> {
        sessions
            .iter()
            .find(|session| Self::of(session).as_ref() == Some(self))
    }
}

/// Persons of a school with the trainings outside it for which they have a claim.
pub fn outside_claims(node: &Node, school: &str) -> Result<BTreeSet<(String, OutsideInput)>, Error> {
    let sessions = node.records(&Filter::kind("session").school(school))?;
    let trainings: BTreeMap<&str, OutsideInput> = sessions
        .iter()
        .filter_map(|session| Some((session.id.as_str(), OutsideInput::of(session)?)))
        .collect();
    let ids: Vec<&str> = trainings.keys().copied().collect();
    let marks = tallies(node, &ids)?;
    let claims = node.records(&Filter::kind("claim").school(school))?;
    let stands = |claim: &&Record| {
        let mark = marks
            .get(&key(school, claim.text("session")))
            .and_then(|marks| marks.get(claim.text("person")));
        mark.is_some_and(Tally::present)
    };
    Ok(claims
        .iter()
        .filter(stands)
        .filter_map(|claim| {
            let training = trainings.get(claim.text("session"))?;
            Some((claim.text("person").to_owned(), training.clone()))
        })
        .collect())
}

/// What the kind says about a training, field by field; empty = good. For previews.
pub fn check_outside(input: &OutsideInput) -> Vec<FieldError> {
    let mut faults = input
        .draft("00000000-0000-7000-8000-000000000000")
        .text("state", "ended")
        .faults();
    if input.organiser.trim().is_empty() {
        faults.push(super::fault(
            "organiser",
            "请写明培训机构（主办单位）",
            "Name who held the training",
        ));
    }
    faults
}

/// One person's part in a training outside the school.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutsideRow {
    /// Where the row stands in the file.
    pub key: String,
    /// Record id of the person.
    pub person: String,
    /// What it was.
    pub training: OutsideInput,
}

/// One line of a pass list (考核合格名单).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PassRow {
    /// Where the row stands in the file.
    pub key: String,
    /// Record id of the person.
    pub person: String,
    /// Code of the result.
    pub result: String,
    /// 成绩, in hundredths.
    pub points_c: Option<i64>,
    /// 证书编号.
    pub number: String,
}

/// Rows of a file (`ImportFile::hash`) that were imported as this before and not taken back.
pub fn taken_rows(node: &Node, file: &ImportFile) -> Result<BTreeSet<String>, Error> {
    let rows = node.read(|conn| imports::taken(conn, &file.hash, &file.what, &file.about))?;
    Ok(rows.into_iter().collect())
}

/// Saves the teachers of a roster file; how many were new or changed.
pub fn import_teachers(
    node: &Node,
    by: &By,
    file: &ImportFile,
    school: &str,
    teachers: Vec<RosterRow>,
) -> Result<usize, Error> {
    own_school(node, school)?;
    let _turn = turn();
    let (changed, rows) = teacher_edits(node, by, school, teachers)?;
    take(node, by, file, rows)?;
    Ok(changed)
}

/// Marks the persons of an attendance list; how many marks were new or changed.
pub fn import_attendance(
    node: &Node,
    by: &By,
    file: &ImportFile,
    marks: Vec<MarkInput>,
) -> Result<usize, Error> {
    let _turn = turn();
    let (changed, rows) = mark_edits(node, by, &file.about, marks, "list_import")?;
    take(node, by, file, rows)?;
    Ok(changed)
}

/// Enters class-hours earned outside the school: for each training a session that has ended, for each person a
/// mark and a claim; how many claims are new. What is here already is left as it is.
pub fn import_outside(
    node: &Node,
    by: &By,
    file: &ImportFile,
    rows: Vec<OutsideRow>,
    claimed_on: &str,
) -> Result<usize, Error> {
    let school = node.home_school().unwrap_or_default();
    own_school(node, &school)?;
    let _turn = turn();
    let known = node.records(&Filter::kind("session").school(&school))?;
    let rules = rules_in_use(node);
    let mut trainings: BTreeMap<OutsideInput, Vec<(String, String)>> = BTreeMap::new();
    for row in rows {
        let people = trainings.entry(row.training).or_default();
        if !people.iter().any(|(_, person)| *person == row.person) {
            people.push((row.key, row.person));
        }
    }
    let (mut all, mut made): (Vec<Keyed>, usize) = (Vec::new(), 0);
    for (training, people) in trainings {
        let here = training.find(&known);
        let (id, doc, fields, marks, claims) = match here {
            Some(session) => {
                let about = |kind: &str| node.records(&Filter::kind(kind).about(&session.id).school(&school));
                let (doc, fields) = (session.doc.clone(), session.fields.clone());
                (
                    session.id.clone(),
                    doc,
                    fields,
                    about("attendance")?,
                    about("claim")?,
                )
            }
            None => {
                let year = year_of("from", &training.from)?;
                let (id, doc) = (node.new_id(), format!("log/{school}/{year}"));
                let draft = training.draft(&school).text("state", "ended");
                let fields = draft.over(Fields::new());
                let key = people.first().map(|(key, _)| key.clone()).unwrap_or_default();
                all.push((key, doc.clone(), draft.create(node, id.clone(), by)?));
                (id, doc, fields, Vec::new(), Vec::new())
            }
        };
        for (key, person) in people {
            let of = |record: &&Record| record.text("person") == person;
            let mut push = |doc: &str, edit: Edit| all.push((key.clone(), doc.to_owned(), edit));
            let present = || Draft::new("attendance").text("status", "present");
            let mark = marks.iter().find(of);
            match mark {
                Some(mark) => {
                    let change = present().text("reason", "").change(node, mark, by)?;
                    change.into_iter().for_each(|edit| push(&mark.doc, edit));
                }
                None => {
                    let draft = present()
                        .text("session", &id)
                        .text("person", &person)
                        .text("source", "list_import");
                    push(&doc, draft.create(node, node.new_id(), by)?);
                }
            }
            if claims.iter().find(of).is_none() {
                let draft = content(&id, &fields, &person, &rules)?.text("claimed_on", claimed_on);
                push(&doc, draft.create(node, node.new_id(), by)?);
                made += 1;
            }
        }
    }
    take(node, by, file, all)?;
    Ok(made)
}

/// Enters who passed an assessment after a session; how many results are new or changed.
pub fn import_passes(
    node: &Node,
    by: &By,
    file: &ImportFile,
    rows: Vec<PassRow>,
    date: &str,
) -> Result<usize, Error> {
    let _turn = turn();
    let session = own_session(node, &file.about)?;
    if state_of(node, &session)? == VOID {
        return Err(invalid("state", "活动已作废", "The session is void"));
    }
    let school = session.school.clone().unwrap_or_default();
    let known = node.records(&Filter::kind("assessment").about(&session.id).school(&school))?;
    let mut edits: Vec<Keyed> = Vec::new();
    for row in rows {
        let draft = Draft::new("assessment")
            .text("result", &row.result)
            .int("points", row.points_c)
            .text("number", &row.number);
        let old = known
            .iter()
            .find(|old| old.text("person") == row.person && old.text("state") != VOID);
        let edit = match old {
            Some(old) => draft.change(node, old, by)?,
            None => {
                let draft = draft
                    .text("session", &session.id)
                    .text("person", &row.person)
                    .text("date", date)
                    .text("state", "valid");
                Some(draft.create(node, node.new_id(), by)?)
            }
        };
        let doc = old.map_or(&session.doc, |old| &old.doc);
        edits.extend(edit.map(|edit| (row.key, doc.clone(), edit)));
    }
    let changed = edits.len();
    take(node, by, file, edits)?;
    Ok(changed)
}

/// Notes what an import writes, then writes it: a computer that stops in between has noted too much, which an
/// undo finds not to be there.
fn take(node: &Node, by: &By, file: &ImportFile, rows: Vec<Keyed>) -> Result<(), Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut written = Vec::new();
    for (place, (key, _, edit)) in (0i64..).zip(&rows) {
        written.push(note(node, place, key, edit)?);
    }
    let import = Import {
        id: file.id.clone(),
        what: file.what.clone(),
        about: file.about.clone(),
        file: file.name.clone(),
        hash: file.hash.clone(),
        account: by.account.clone(),
        at: node.clock(),
        undone: None,
    };
    node.local(|conn| imports::add(conn, &import, &written))?;
    let mut edits = Edits::default();
    for (_, doc, edit) in rows {
        edits.push(&doc, edit);
    }
    edits.commit(node)
}

/// Values by field; `None` = nothing stood there.
pub(super) type Values = BTreeMap<String, Option<Value>>;

fn note(node: &Node, place: i64, key: &str, edit: &Edit) -> Result<Written, Error> {
    let old = node.record(&edit.id)?;
    let after: Values = edit.fields.iter().cloned().collect();
    let before: Values = after
        .keys()
        .map(|field| {
            let value = old.as_ref().and_then(|old| old.fields.get(field).cloned());
            (field.clone(), value)
        })
        .collect();
    let kind = match &old {
        Some(old) => old.kind.clone(),
        None => {
            let reference = after.get("_kind").cloned().flatten();
            let reference = reference.as_ref().and_then(Value::as_text).unwrap_or_default();
            reference.split('/').next().unwrap_or_default().to_owned()
        }
    };
    let json = |values: &Values| serde_json::to_string(values).unwrap_or_default();
    Ok(Written {
        place,
        row_key: key.to_owned(),
        record: edit.id.clone(),
        kind,
        made: old.is_none(),
        before: json(&before),
        after: json(&after),
        undone: false,
    })
}

/// One import of this computer.
pub fn import(node: &Node, id: &str) -> Result<Option<Import>, Error> {
    node.read(|conn| imports::get(conn, id))
}

/// Imports of this computer, the newest first, each with how many records it wrote and how many were taken back.
pub fn import_list(node: &Node, limit: u32) -> Result<Vec<(Import, u64, u64)>, Error> {
    node.read(|conn| imports::list(conn, limit))
}
