//! People who took part and are not on the roster yet (待登记): kept by the name that was typed, earning nothing,
//! until a clerk says who they are.

use records::kinds::find_personal;
use records::text::person_name;

use super::attendance::{may_move, own_session};
use super::draft::Draft;
use super::entries::state_of;
use super::lookup::{By as Pick, record_of, rows};
use super::roster::{Edits, Teacher, roster};
use super::{By, invalid, no_such, own_school, turn};
use crate::{Error, Filter, Node, Record};

const KIND: &str = "unlisted";

/// Somebody who is not on the roster.
#[derive(Clone, Debug)]
pub struct Unlisted {
    /// Record id.
    pub id: String,
    /// As it was typed.
    pub name: String,
    /// Where the person comes from, and the like.
    pub note: String,
    /// Code of the attendance.
    pub status: String,
    /// Record id of the session.
    pub session: String,
    /// 活动名称.
    pub session_title: String,
    /// Date of the session.
    pub date: String,
    /// Record id of whom the clerk has said it is; empty while nobody has.
    pub person: String,
    /// Two devices say different things, such as different people: settled by linking again.
    pub disputed: bool,
    /// Who typed it.
    pub by: String,
    /// Ids of teachers on the roster of exactly this name, to be looked at first. Never a match by itself.
    pub same_name: Vec<String>,
}

/// Those of a school who wait, or are in dispute; of one session if it is named.
pub fn unlisted(node: &Node, school: &str, session: Option<&str>) -> Result<Vec<Unlisted>, Error> {
    let filter = Filter::kind(KIND).school(school);
    let filter = match session {
        Some(session) => filter.about(session),
        None => filter,
    };
    let records = node.records(&filter)?;
    let open = |r: &&Record| r.text("state") == "waiting" || (r.disputed && r.text("state") != "void");
    let records: Vec<&Record> = records.iter().filter(open).collect();
    if records.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<&str> = records.iter().map(|record| record.text("session")).collect();
    let sessions = rows(node, "session", Pick::Id, &ids)?;
    let teachers = roster(node, school)?;
    let mut found: Vec<Unlisted> = records
        .into_iter()
        .map(|record| {
            let name = record.text("name").to_owned();
            let same = |t: &&Teacher| t.in_service() && t.name == name;
            let session = sessions.iter().find(|row| row.id == record.text("session"));
            Unlisted {
                id: record.id.clone(),
                same_name: teachers.iter().filter(same).map(|t| t.id.clone()).collect(),
                name,
                note: record.text("note").to_owned(),
                status: record.text("status").to_owned(),
                session: record.text("session").to_owned(),
                session_title: session.map_or("", |row| row.text("title")).to_owned(),
                date: record.text("date").to_owned(),
                person: record.text("person").to_owned(),
                disputed: record.disputed,
                by: record.text("_by").to_owned(),
            }
        })
        .collect();
    found.sort_by(|a, b| (&b.date, &a.name, &a.id).cmp(&(&a.date, &b.name, &b.id)));
    Ok(found)
}

/// Keeps somebody who took part in a session of the own school and is not on the roster. Two people of one name
/// need something that tells them apart.
pub fn add_unlisted(
    node: &Node,
    by: &By,
    session: &str,
    name: &str,
    note: &str,
    status: &str,
) -> Result<(), Error> {
    let _turn = turn();
    let record = own_session(node, session)?;
    let state = state_of(node, &record)?;
    if state == "void" {
        return Err(invalid("state", "活动已作废", "The session is void"));
    }
    let name = person_name(name);
    if let Some(found) = find_personal(note) {
        return Err(invalid("note", found.zh(), found.en()));
    }
    let school = record.school.clone().unwrap_or_default();
    let known = node.records(&Filter::kind(KIND).about(session).school(&school))?;
    if known
        .iter()
        .any(|old| old.text("name") == name && old.text("state") != "void")
    {
        return Err(invalid(
            "name",
            "这场活动已记了一位同名的；如果是另一个人，请在姓名后加区别，如“王伟（二中）”",
            "This session has somebody of that name already; if it is another person, add something that tells them apart",
        ));
    }
    let draft = Draft::new(KIND)
        .text("session", session)
        .text("name", &name)
        .text("note", note)
        .text("status", status)
        .text("date", record.text("date"))
        .text("state", "waiting");
    let mut edits = Edits::default();
    edits.push(
        &record.doc.replacen("log/", "base/", 1),
        draft.create(node, node.new_id(), by)?,
    );
    // As with the first mark of a session.
    if may_move(&state, "held") {
        let begun = Draft::new("session")
            .text("state", "held")
            .change(node, &record, by)?;
        begun.into_iter().for_each(|edit| edits.push(&record.doc, edit));
    }
    edits.commit(node)
}

/// A clerk says who it is: the attendance is written for that teacher, and counts like any other. Linking again
/// after two devices have named different people settles it; what was written for the other stays to be corrected
/// on the session's page.
pub fn link_unlisted(node: &Node, by: &By, id: &str, person: &str) -> Result<(), Error> {
    let _turn = turn();
    let record = record_of(node, KIND, id)?.ok_or_else(|| no_such("id", "待登记", "attendee"))?;
    let school = record.school.clone().unwrap_or_default();
    own_school(node, &school)?;
    if record.text("state") != "waiting" && !record.disputed {
        return Err(invalid(
            "person",
            "已经对上或作废，请刷新",
            "linked or void already; reload",
        ));
    }
    if person.is_empty() {
        return Err(invalid(
            "person",
            "请选择是花名册上的哪一位",
            "Choose the teacher on the roster",
        ));
    }
    let session = own_session(node, record.text("session"))?;
    let of_school = |found: &Record| found.kind == "person" && found.school.as_deref() == Some(&school);
    if !node.record(person)?.is_some_and(|found| of_school(&found)) {
        return Err(no_such("person", "教师", "teacher of this school"));
    }
    let (status, mut edits) = (record.text("status").to_owned(), Edits::default());
    let mut marks = node.records(&Filter::kind("attendance").about(&session.id).school(&school))?;
    marks.retain(|mark| mark.text("person") == person);
    if marks
        .iter()
        .any(|mark| mark.text("status") != status || mark.disputed)
    {
        return Err(invalid(
            "person",
            "这位教师在这场活动已有不同的考勤，请先到活动页核对",
            "This teacher has another mark in this session; settle that on the session's page first",
        ));
    }
    if marks.is_empty() {
        let mark = Draft::new("attendance")
            .text("session", &session.id)
            .text("person", person)
            .text("status", &status)
            .text("source", "host_entry");
        edits.push(&session.doc, mark.create(node, node.new_id(), by)?);
    }
    // The attendance first: if the program ends between the two, linking again finishes it.
    edits.commit(node)?;
    let linked = Draft::new(KIND).text("person", person).text("state", "linked");
    match linked.change(node, &record, by)? {
        Some(edit) => node.commit(&record.doc, vec![edit]),
        None => Ok(()),
    }
}
