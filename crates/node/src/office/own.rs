//! A person's own records: what there is, its history, a dispute of it, and the own signature under a lesson that
//! was observed.

use std::collections::{BTreeSet, HashMap};

use records::Value;
use records::kinds::Actor;

use super::entries::{Entry, EntryDetail, Next, entry, rows};
use super::entry_save::{EntryInput, save_entry, take_step};
use super::lookup::record_of;
use super::signatures::{Hand, sign};
use super::{By, invalid, no_such};
use crate::{Error, Filter, Node, Record};

/// Kinds that are a person's own by a column and would only repeat what another page of that person says.
const ELSEWHERE: [&str; 2] = ["opening_balance", "staff_fact"];

/// Everything that is recorded about a person at a school, the newest first. What hangs on a session carries its
/// title.
pub fn own_entries(node: &Node, school: &str, person: &str) -> Result<Vec<Entry>, Error> {
    let mut records = node.records(&Filter::all_of(person).school(school))?;
    records.retain(|record| !ELSEWHERE.contains(&record.kind.as_str()) && record.id != person);
    // Of a lesson that the person gave, what others wrote about it.
    let lessons: Vec<String> = of_kind(&records, "lesson")
        .map(|lesson| lesson.id.clone())
        .collect();
    let mut known: BTreeSet<String> = records.iter().map(|record| record.id.clone()).collect();
    for lesson in lessons {
        let about = node.records(&Filter::kind("observation").about(&lesson).school(school))?;
        records.extend(about.into_iter().filter(|record| known.insert(record.id.clone())));
    }
    let sessions: HashMap<String, Record> = node
        .records(&Filter::kind("session").school(school))?
        .into_iter()
        .map(|session| (session.id.clone(), session))
        .collect();
    let mut entries = rows(node, &records)?;
    for (entry, record) in entries.iter_mut().zip(&records) {
        let Some(session) = sessions
            .get(record.text("session"))
            .filter(|_| record.kind != "lesson")
        else {
            continue;
        };
        entry.title = format!("{} · {}", session.text("title"), entry.title);
        if entry.date.is_empty() {
            entry.date = session.text("date").to_owned();
        }
    }
    entries.sort_by(|a, b| (&b.date, &b.id).cmp(&(&a.date, &a.id)));
    Ok(entries)
}

fn of_kind<'a>(records: &'a [Record], kind: &'a str) -> impl Iterator<Item = &'a Record> {
    records.iter().filter(move |record| record.kind == kind)
}

/// As whom a person stands in a record: `teacher` of an observed lesson, `observer` of it, else `participant`;
/// `None`: it is not the person's.
fn part(node: &Node, record: &Record, person: &str) -> Result<Option<&'static str>, Error> {
    if record.kind == "observation" {
        if record.text("observer") == person {
            return Ok(Some("observer"));
        }
        let lesson = record_of(node, "lesson", record.text("lesson"))?;
        let own = lesson.is_some_and(|l| l.text("teacher") == person && l.school == record.school);
        return Ok(own.then_some("teacher"));
    }
    let kinds = node.kinds();
    let view = kinds
        .latest(&record.kind)
        .and_then(|kind| kind.view.person.as_deref());
    Ok(view
        .filter(|field| !person.is_empty() && record.text(field) == person)
        .map(|_| "participant"))
}

/// One of a person's own records with its history; `None` if it is not here or somebody else's.
pub fn own_entry(
    node: &Node,
    actor: Actor,
    person: &str,
    kind: &str,
    id: &str,
) -> Result<Option<(EntryDetail, &'static str)>, Error> {
    let Some(record) = record_of(node, kind, id)? else {
        return Ok(None);
    };
    let Some(part) = part(node, &record, person)? else {
        return Ok(None);
    };
    Ok(entry(node, actor, kind, id)?.map(|detail| (detail, part)))
}

fn own_record(node: &Node, person: &str, kind: &str, id: &str) -> Result<(Record, &'static str), Error> {
    let none = || no_such("id", "本人", "record of yours");
    let record = record_of(node, kind, id)?.ok_or_else(none)?;
    let part = part(node, &record, person)?.ok_or_else(none)?;
    Ok((record, part))
}

fn text(field: &str, text: &str) -> (String, Option<Value>) {
    let text = text.trim();
    (field.to_owned(), (!text.is_empty()).then(|| Value::from(text)))
}

/// Raises an objection to an own record, as 异议 whose answer is the leader's.
#[allow(clippy::too_many_arguments)]
pub fn dispute(
    node: &Node,
    by: &By,
    actor: Actor,
    person: &str,
    kind: &str,
    id: &str,
    words: &str,
    date: &str,
) -> Result<String, Error> {
    let (record, _) = own_record(node, person, kind, id)?;
    let raised = node.records(&Filter::kind("objection").about(id))?;
    if raised
        .iter()
        .any(|one| one.text("person") == person && one.text("state") == "raised")
    {
        return Err(invalid(
            "text",
            "你对这条已提出异议，正在等校长答复",
            "You have objected to this already; it waits for the head of the school",
        ));
    }
    let values = vec![
        text("about", &record.id),
        text("person", person),
        text("date", date),
        text("text", words),
    ];
    let input = EntryInput {
        kind: "objection".into(),
        id: None,
        values,
    };
    save_entry(node, by, actor, input)
}

/// Takes an own objection back; the reason stays.
pub fn withdraw_objection(node: &Node, by: &By, person: &str, id: &str, reason: &str) -> Result<(), Error> {
    own_record(node, person, "objection", id)?;
    take_step(node, by, Actor::Teacher, "objection", id, "withdrawn", reason)
}

/// Signs an observation under the own account, as the taught teacher or the observer; the teacher may write an
/// answer. When both have signed what it says now, it stands as signed.
#[allow(clippy::too_many_arguments)]
pub fn sign_own(
    node: &Node,
    by: &By,
    actor: Actor,
    person: &str,
    id: &str,
    response: &str,
    date: &str,
) -> Result<(), Error> {
    const KIND: &str = "observation";
    let (record, part) = own_record(node, person, KIND, id)?;
    let missing = ["debrief_by", "debrief_on", "debrief_place"];
    if part == "teacher" && missing.iter().any(|field| record.text(field).is_empty()) {
        return Err(invalid(
            "response",
            "还没有填评课人、评课时间、评课地点，不能签字：请听课人先填",
            "Who debriefed, when and where is still missing; the observer fills it in first",
        ));
    }
    if part == "teacher" && !response.trim().is_empty() && record.text("response") != response.trim() {
        let input = EntryInput {
            kind: KIND.into(),
            id: Some(id.into()),
            values: vec![text("response", response)],
        };
        save_entry(node, by, actor, input)?;
    }
    // The step that nothing stands against any more; that of the last signature is taken with it.
    let detail = entry(node, actor, KIND, id)?;
    let debriefed = |step: &Next| step.to == "debriefed" && step.refused.is_empty() && !step.reason;
    if detail.is_some_and(|detail| detail.steps.iter().any(debriefed)) {
        take_step(node, by, actor, KIND, id, "debriefed", "")?;
    }
    sign(node, by, actor, id, part, date, Hand::SignedIn)?;
    Ok(())
}

/// The leader answers an objection: `upheld` or `rejected`.
pub fn answer_objection(node: &Node, by: &By, id: &str, answer: &str, to: &str) -> Result<(), Error> {
    if answer.trim().is_empty() {
        return Err(invalid("answer", "请写处理结果", "Write the answer"));
    }
    if !matches!(to, "upheld" | "rejected") {
        return Err(invalid("to", "请选择成立或不成立", "Choose one"));
    }
    let input = EntryInput {
        kind: "objection".into(),
        id: Some(id.into()),
        values: vec![text("answer", answer)],
    };
    save_entry(node, by, Actor::Leader, input)?;
    take_step(node, by, Actor::Leader, "objection", id, to, "")
}
