//! Attendance (签到): one mark per person and session, whoever took it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use records::Kinds;

use super::claims::ClaimRow;
use super::draft::Draft;
use super::entries::state_of;
use super::lookup::{Key, json_list, record_of};
use super::roster::Edits;
use super::{By, invalid, no_such, own_school, turn};
use crate::{Edit, Error, Filter, Node, Record};

/// One person's line in a session.
#[derive(Clone, Debug)]
pub struct Mark {
    /// Record id of the person.
    pub person: String,
    /// 姓名.
    pub name: String,
    /// Record id of the mark, if there is one.
    pub attendance: Option<String>,
    /// Code of the status; of a disputed mark the one that is shown first.
    pub status: Option<String>,
    /// 待核: two recorders differ; counts as not present until a person chooses.
    pub disputed: bool,
    /// The person's claim for this session.
    pub claim: Option<ClaimRow>,
}

/// What a list says of one person. Blank text means that it says nothing of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MarkInput {
    /// Where the row stands in the file.
    pub key: String,
    /// Record id of the person.
    pub person: String,
    /// Code of the status.
    pub status: String,
    /// 到达, as typed: 08:05.
    pub arrived: String,
    /// 离开.
    pub left: String,
    /// 事由.
    pub reason: String,
}

/// The status of a mark that was taken back: it says nothing, as if nobody had marked the person.
pub(super) const VOID: &str = "void";

/// Statuses that earn a claim.
pub(super) const PRESENT: [&str; 3] = ["present", "late", "left_early"];

/// What all records of one (person, session) say together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tally {
    /// Record id of the first.
    pub(super) id: String,
    /// Its status.
    pub(super) status: String,
    pub(super) disputed: bool,
}

impl Tally {
    /// Whether the person counts as having taken part.
    pub(super) fn present(&self) -> bool {
        !self.disputed && PRESENT.contains(&self.status.as_str())
    }
}

/// Equal marks of a person in a session count once; different ones are in dispute.
fn add_mark(tallies: &mut BTreeMap<String, Tally>, id: &str, person: &str, status: &str, disputed: bool) {
    if status == VOID && !disputed {
        return;
    }
    match tallies.get_mut(person) {
        Some(tally) => tally.disputed |= disputed || tally.status != status,
        None => {
            let tally = Tally {
                id: id.to_owned(),
                status: status.to_owned(),
                disputed,
            };
            tallies.insert(person.to_owned(), tally);
        }
    }
}

/// What was marked in sessions: by school and session, then person.
pub(super) type Tallies = HashMap<Key, BTreeMap<String, Tally>>;

/// All marks of several sessions.
pub(super) fn tallies(node: &Node, sessions: &[&str]) -> Result<Tallies, Error> {
    read_tallies(node, sessions, None)
}

/// The marks of these persons in several sessions.
pub(super) fn tallies_of(node: &Node, sessions: &[&str], persons: &[&str]) -> Result<Tallies, Error> {
    read_tallies(node, sessions, Some(persons))
}

/// Without reading whole records: a page about a year asks for tens of thousands of marks.
fn read_tallies(node: &Node, sessions: &[&str], persons: Option<&[&str]>) -> Result<Tallies, Error> {
    // The shorter list picks the rows (a card asks for one person's marks in hundreds of sessions); the plus sign
    // keeps SQLite from the other index.
    let condition = match persons {
        None => "about IN (SELECT value FROM json_each(?1)) AND ?2 IS NULL",
        Some(persons) if persons.len() < sessions.len() => {
            "+about IN (SELECT value FROM json_each(?1)) AND person IN (SELECT value FROM json_each(?2))"
        }
        Some(_) => {
            "about IN (SELECT value FROM json_each(?1)) AND +person IN (SELECT value FROM json_each(?2))"
        }
    };
    let sql = format!(
        "SELECT COALESCE(school, ''), about, COALESCE(person, ''), id, disputed,
            CAST(COALESCE(json_extract(fields, '$.status'), '') AS TEXT)
         FROM record WHERE kind = 'attendance' AND {condition} ORDER BY id"
    );
    let which = (json_list(sessions), persons.map(json_list));
    node.read(|conn| {
        let mut tallies = Tallies::new();
        let mut query = conn.prepare_cached(&sql)?;
        let mut found = query.query(which)?;
        while let Some(row) = found.next()? {
            let text = |at: usize| row.get::<_, String>(at);
            let session = tallies.entry((text(0)?, text(1)?)).or_default();
            add_mark(session, &text(3)?, &text(2)?, &text(5)?, row.get(4)?);
        }
        Ok(tallies)
    })
}

/// Marks persons of a session of the node's own school; how many marks were new or changed. A mark
/// that exists is edited, and of twins made on two devices all are, so that they agree again. The
/// first marks of a draft begin the session (进行中).
pub fn mark_attendance(
    node: &Node,
    by: &By,
    session: &str,
    marks: &[(String, String)],
) -> Result<usize, Error> {
    let _turn = turn();
    let marks = marks.iter().map(|(person, status)| MarkInput {
        person: person.clone(),
        status: status.clone(),
        ..MarkInput::default()
    });
    let (changed, rows) = mark_edits(node, by, session, marks.collect(), "roll_call")?;
    let mut edits = Edits::default();
    for (_, doc, edit) in rows {
        edits.push(&doc, edit);
    }
    edits.commit(node)?;
    Ok(changed)
}

/// An edit with its document and the row of a file that it comes from.
pub(super) type Keyed = (String, String, Edit);

/// What marking these persons writes, and how many of them it is new or changed for.
pub(super) fn mark_edits(
    node: &Node,
    by: &By,
    session: &str,
    marks: Vec<MarkInput>,
    source: &str,
) -> Result<(usize, Vec<Keyed>), Error> {
    let record = own_session(node, session)?;
    let state = state_of(node, &record)?;
    if state == VOID {
        return Err(invalid("state", "活动已作废", "The session is void"));
    }
    let school = record.school.as_deref().unwrap_or_default();
    let known = node.records(&Filter::kind("attendance").about(session).school(school))?;
    let persons: BTreeSet<String> = node
        .records(&Filter::kind("person").school(school))?
        .into_iter()
        .map(|person| person.id)
        .collect();
    // The last mark of a person in one form is the one meant.
    let wanted: BTreeMap<String, MarkInput> = marks
        .into_iter()
        .map(|mark| (mark.person.clone(), mark))
        .collect();
    let mut edits = Vec::new();
    let mut changed = 0;
    let mut first = None;
    for (person, input) in wanted {
        let before = edits.len();
        let mut any = false;
        for mark in known.iter().filter(|mark| mark.text("person") == person) {
            any = true;
            if let Some(edit) = said(&input, mark).change(node, mark, by)? {
                edits.push((input.key.clone(), mark.doc.clone(), edit));
            }
        }
        if !any {
            if !persons.contains(&person) {
                return Err(no_such("person", "教师", "teacher of this school"));
            }
            let draft = Draft::new("attendance")
                .text("session", session)
                .text("person", &person)
                .text("status", &input.status)
                .text("arrived", &input.arrived)
                .text("left", &input.left)
                .text("reason", &input.reason)
                .text("source", source);
            let edit = draft.create(node, node.new_id(), by)?;
            edits.push((input.key.clone(), record.doc.clone(), edit));
        }
        if edits.len() > before {
            changed += 1;
            first.get_or_insert(input.key);
        }
    }
    if let Some(key) = first
        && may_move(&state, "held")
    {
        let begun = Draft::new("session")
            .text("state", "held")
            .change(node, &record, by)?;
        edits.extend(begun.map(|edit| (key, record.doc.clone(), edit)));
    }
    Ok((changed, edits))
}

/// What a list changes in a mark that is there: it empties nothing that it does not speak of.
fn said(input: &MarkInput, mark: &Record) -> Draft {
    let mut draft = Draft::new("attendance").text("status", &input.status);
    for (field, text) in [("arrived", &input.arrived), ("left", &input.left)] {
        // The first version of the form has no place for it.
        if !text.is_empty() && mark.version > 1 {
            draft = draft.text(field, text);
        }
    }
    // A mark that was taken back carries why; that is past when it is made again.
    if !input.reason.is_empty() || mark.text("status") == VOID {
        draft = draft.text("reason", &input.reason);
    }
    draft
}

/// Brings marks of one person and session to this status, twins made on two devices too.
pub(super) fn remark(
    node: &Node,
    by: &By,
    marks: &[&Record],
    status: &str,
    edits: &mut Edits,
) -> Result<(), Error> {
    let input = MarkInput {
        status: status.to_owned(),
        ..MarkInput::default()
    };
    for mark in marks {
        if let Some(edit) = said(&input, mark).change(node, mark, by)? {
            edits.push(&mark.doc, edit);
        }
    }
    Ok(())
}

/// Ends a session (进行中 → 已结束), after which its claims may be registered. Ending it again
/// changes nothing.
pub fn end_session(node: &Node, by: &By, session: &str) -> Result<(), Error> {
    let _turn = turn();
    let record = own_session(node, session)?;
    match state_of(node, &record)?.as_str() {
        "ended" if !record.others.contains_key("state") => return Ok(()),
        "ended" => {}
        state if may_move(state, "ended") => {}
        "void" => return Err(invalid("state", "活动已作废", "The session is void")),
        "draft" => {
            return Err(invalid(
                "state",
                "活动还没有签到，先登记出勤再结束",
                "Mark attendance before ending the session",
            ));
        }
        _ => {
            return Err(invalid(
                "state",
                "活动现在不能结束",
                "The session cannot end in this state",
            ));
        }
    }
    match Draft::new("session")
        .text("state", "ended")
        .change(node, &record, by)?
    {
        Some(edit) => node.commit(&record.doc, vec![edit]),
        None => Ok(()),
    }
}

pub(super) fn may_move(from: &str, to: &str) -> bool {
    Kinds::builtin()
        .latest("session")
        .is_some_and(|kind| kind.may_move(Some(from), to))
}

/// The session, if it is one of the node's own school.
pub(super) fn own_session(node: &Node, id: &str) -> Result<Record, Error> {
    let record = record_of(node, "session", id)?.ok_or_else(|| no_such("session", "活动", "session"))?;
    own_school(node, record.school.as_deref().unwrap_or_default())?;
    Ok(record)
}
