//! 听评课 (domain.md §6, F7): a lesson, and what each observer writes about it. An observer writes with the own
//! account, or the officer for one; the debrief (评课人、时间、地点) makes the sheet ready to be signed
//! (`signatures`).

use std::collections::{BTreeMap, HashMap};

use records::kinds::Actor;
use records::{FieldError, Fields, Kinds, Lang, Value};

use super::draft::Draft;
use super::entries::{Entry, rows, state_of};
use super::entry_save::{EntryInput, save_entry, take_step};
use super::lookup::{By as Column, Row, by_id, newest, record_of, rows as rows_of};
use super::titles::Titles;
use super::{By, fault, invalid, no_such};
use crate::{Error, Filter, Node, Record};

/// One sheet in a list.
#[derive(Clone, Debug)]
pub struct ObservationRow {
    /// What every record has in a list; its person is the observer, its title the lesson's topic.
    pub entry: Entry,
    /// Record id of the observer.
    pub observer: String,
    /// Record id of the taught teacher.
    pub teacher: String,
    /// Name of the taught teacher.
    pub teacher_name: String,
}

/// One sheet with its lesson.
#[derive(Clone, Debug)]
pub struct Observation {
    /// The line of the list.
    pub row: ObservationRow,
    /// The observer's record.
    pub record: Record,
    /// The lesson's fields; empty while it has not arrived (待同步).
    pub lesson: Fields,
}

impl Observation {
    /// Whether this person heard the lesson or gave it.
    pub fn concerns(&self, person: &str) -> bool {
        !person.is_empty() && (self.row.observer == person || self.row.teacher == person)
    }

    /// A field of the sheet, or else of its lesson, for readers; empty = nothing.
    pub fn shown(&self, kinds: &Kinds, field: &str, lang: Lang) -> String {
        let of = |kind: &str, fields: &Fields| {
            let value = fields.get(field)?;
            let field = kinds.latest(kind)?.field(field)?;
            Some(field.show(value, lang))
        };
        of("observation", &self.record.fields)
            .or_else(|| of("lesson", &self.lesson))
            .unwrap_or_default()
    }
}

/// What a form says: values by field, of the lesson and of the sheet.
#[derive(Clone, Debug, Default)]
pub struct ObservationInput {
    /// The sheet, or `None` for a new one.
    pub id: Option<String>,
    /// A lesson that is here already; `None` for one that the form describes.
    pub lesson: Option<String>,
    /// Fields of the lesson.
    pub lesson_values: Vec<(String, Option<Value>)>,
    /// Fields of the sheet.
    pub values: Vec<(String, Option<Value>)>,
}

/// The three that 003 asks for before a sheet is signed.
const DEBRIEF: [&str; 3] = ["debrief_by", "debrief_on", "debrief_place"];

/// Sheets, newest first: of a school, or those that concern one person.
pub fn observations(
    node: &Node,
    school: Option<&str>,
    person: Option<&str>,
    limit: u32,
) -> Result<Vec<ObservationRow>, Error> {
    let records = match person {
        None => node.records(&newest("observation", school, limit))?,
        Some(person) => of_person(node, person)?,
    };
    lines(node, &records)
}

/// The sheets of a person as observer, and those about the person's lessons.
fn of_person(node: &Node, person: &str) -> Result<Vec<Record>, Error> {
    let mut all = node.records(&Filter::kind("observation").person(person))?;
    for lesson in node.records(&Filter::kind("lesson").person(person))? {
        let mut about = node.records(&Filter::kind("observation").about(&lesson.id))?;
        about.retain(|sheet| sheet.school == lesson.school && sheet.text("observer") != person);
        all.append(&mut about);
    }
    all.sort_by(|a, b| (b.text("date"), &b.id).cmp(&(a.text("date"), &a.id)));
    Ok(all)
}

fn lines(node: &Node, records: &[Record]) -> Result<Vec<ObservationRow>, Error> {
    let kinds = node.kinds();
    let mut titles = Titles::new(node, &kinds);
    let lessons: Vec<&str> = records.iter().map(|r| r.text("lesson")).collect();
    let lessons = by_id(node, "lesson", &lessons)?;
    let entries = rows(node, records)?;
    entries
        .into_iter()
        .zip(records)
        .map(|(entry, record)| {
            let lesson = lessons.get(&(entry.school.clone(), record.text("lesson").to_owned()));
            let teacher = lesson.map_or("", |lesson| lesson.text("teacher")).to_owned();
            let [teacher_name, _] = titles.named("person", &teacher)?;
            Ok(ObservationRow {
                observer: record.text("observer").to_owned(),
                teacher,
                teacher_name,
                entry,
            })
        })
        .collect()
}

/// One sheet, `None` if it is not here.
pub fn observation(node: &Node, id: &str) -> Result<Option<Observation>, Error> {
    let Some(record) = record_of(node, "observation", id)? else {
        return Ok(None);
    };
    let Some(row) = lines(node, std::slice::from_ref(&record))?.pop() else {
        return Ok(None);
    };
    let found = rows_of(node, "lesson", Column::Id, &[record.text("lesson")])?;
    let own = |lesson: &Row| Some(lesson.school.as_str()) == record.school.as_deref();
    let lesson = found
        .into_iter()
        .find(own)
        .map(|lesson| lesson.fields)
        .unwrap_or_default();
    Ok(Some(Observation { row, record, lesson }))
}

/// Saves a sheet, with its lesson when that is new; returns its id. Who is no officer (`own`) writes as the own
/// person alone. With 评课人、时间、地点 the sheet is debriefed; once it is, they stay.
pub fn save_observation(
    node: &Node,
    by: &By,
    actor: Actor,
    own: Option<&str>,
    mut input: ObservationInput,
) -> Result<String, Error> {
    if let Some(own) = own {
        let old = match &input.id {
            Some(id) => Some(record_of(node, "observation", id)?.ok_or_else(none)?),
            None => None,
        };
        if old.is_some_and(|old| old.text("observer") != own) {
            return Err(invalid(
                "observer",
                "只有听课人本人和专管员能改这张表",
                "Only the observer and the training officer change this sheet",
            ));
        }
        input.values.retain(|(name, _)| name != "observer");
        input.values.push(("observer".into(), Some(Value::from(own))));
    }
    let filled = |name: &str| {
        input
            .values
            .iter()
            .any(|(field, value)| field == name && value.is_some())
    };
    let debriefed = DEBRIEF.iter().all(|name| filled(name));
    let state = match &input.id {
        Some(id) => state_of(node, &record_of(node, "observation", id)?.ok_or_else(none)?)?,
        None => "draft".to_owned(),
    };
    if state != "draft" && !debriefed {
        let missing = DEBRIEF.iter().filter(|name| !filled(name));
        let say = |name: &&str| fault(name, "已评课的表不能空着", "A debriefed sheet has this");
        return Err(Error::Invalid(missing.map(say).collect()));
    }
    let id = match &input.id {
        Some(id) => {
            input.values.retain(|(name, _)| name != "lesson");
            save_entry(node, by, actor, sheet(Some(id.clone()), input.values))?
        }
        None => {
            let lesson = match input.lesson {
                Some(lesson) => record_of(node, "lesson", &lesson)?.ok_or_else(none)?.id,
                None => {
                    // What is wrong with either is said at once, and a lesson is not left behind alone.
                    let mut faults = faults("lesson", &input.lesson_values);
                    faults.extend(faults_of_sheet(&input.values));
                    if !faults.is_empty() {
                        return Err(Error::Invalid(faults));
                    }
                    let lesson = EntryInput {
                        kind: "lesson".into(),
                        id: None,
                        values: input.lesson_values,
                    };
                    save_entry(node, by, actor, lesson)?
                }
            };
            input
                .values
                .push(("lesson".into(), Some(Value::from(lesson.as_str()))));
            save_entry(node, by, actor, sheet(None, input.values))?
        }
    };
    if state == "draft" && debriefed {
        take_step(node, by, actor, "observation", &id, "debriefed", "")?;
    }
    Ok(id)
}

/// 授课教师意见: the taught teacher's answer. It is not part of what is signed.
pub fn answer_observation(node: &Node, by: &By, person: &str, id: &str, text: &str) -> Result<(), Error> {
    let found = observation(node, id)?.ok_or_else(none)?;
    if person.is_empty() || found.row.teacher != person {
        return Err(invalid(
            "response",
            "由授课教师本人填写",
            "The taught teacher writes this",
        ));
    }
    let text = text.trim();
    let value = (!text.is_empty()).then(|| Value::from(text));
    let input = sheet(Some(id.to_owned()), vec![("response".into(), value)]);
    save_entry(node, by, Actor::Teacher, input).map(|_| ())
}

/// How often a person heard, debriefed and taught lessons (F1): Chinese label and count, those that are not zero.
pub fn lesson_counts(node: &Node, person: &str) -> Result<Vec<(String, usize)>, Error> {
    let kinds = node.kinds();
    let heard = node.records(&Filter::kind("observation").person(person))?;
    let mut counted = [0; 2];
    for sheet in heard.iter().filter(|sheet| !sheet.disputed) {
        match state_of(node, sheet)?.as_str() {
            "void" => {}
            "draft" => counted[0] += 1,
            _ => counted = counted.map(|n| n + 1),
        }
    }
    let mut all: Vec<(String, usize)> = ["听课", "评课"]
        .map(str::to_owned)
        .into_iter()
        .zip(counted)
        .collect();
    let mut taught: BTreeMap<String, usize> = BTreeMap::new();
    for lesson in node.records(&Filter::kind("lesson").person(person))? {
        if !lesson.disputed && lesson.text("state") == "taught" {
            *taught.entry(lesson.text("lesson_kind").to_owned()).or_default() += 1;
        }
    }
    let label = |code: &str| {
        kinds
            .code_label("lesson", "lesson_kind", code, Lang::Zh)
            .to_owned()
    };
    all.extend(taught.iter().map(|(code, n)| (label(code), *n)));
    all.retain(|(_, n)| *n > 0);
    Ok(all)
}

fn sheet(id: Option<String>, values: Vec<(String, Option<Value>)>) -> EntryInput {
    EntryInput {
        kind: "observation".into(),
        id,
        values,
    }
}

/// A record that stands for the lesson or the state while a form is only checked.
fn faults_of_sheet(values: &[(String, Option<Value>)]) -> Vec<FieldError> {
    let mut whole = values.to_vec();
    whole.push((
        "lesson".into(),
        Some(Value::from("00000000-0000-7000-8000-000000000000")),
    ));
    faults("observation", &whole)
}

fn faults(kind: &str, values: &[(String, Option<Value>)]) -> Vec<FieldError> {
    let state = if kind == "lesson" { "taught" } else { "draft" };
    let given: HashMap<&str, &Option<Value>> = values.iter().map(|(n, v)| (n.as_str(), v)).collect();
    let draft = given.into_iter().fold(Draft::new(kind), |draft, (name, value)| {
        draft.value(name, value.clone())
    });
    draft.text("state", state).faults()
}

fn none() -> Error {
    no_such("id", "听评课", "observation")
}
