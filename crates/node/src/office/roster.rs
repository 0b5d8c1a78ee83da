//! The roster (花名册): persons of a school and the facts of their work in force.
//!
//! A person is one record; facts are dated rows in the base document of the school year of their
//! `from`, so that history is kept. The roster shows the newest row.

use std::collections::{BTreeMap, HashMap};

use records::FieldError;

use super::attendance::{Keyed, VOID};
use super::draft::{Draft, year_of};
use super::lookup::{least, record_of};
use super::{By, fault, invalid, no_such, own_school, turn};
use crate::{Edit, Error, Filter, Node, Record, Way};

/// A teacher as the roster shows one.
#[derive(Clone, Debug)]
pub struct Teacher {
    /// Record id of the person.
    pub id: String,
    /// 教师编号.
    pub teacher_code: String,
    /// 姓名.
    pub name: String,
    /// Code of GB/T 2261.1: 0, 1, 2 or 9.
    pub sex: String,
    /// Year of birth.
    pub birth_year: Option<i64>,
    /// Code of the person's status, such as `serving`.
    pub status: String,
    /// Code of the post.
    pub post: String,
    /// Code of the professional title.
    pub title: String,
    /// Subject taught.
    pub subject: String,
    /// Code of the stage.
    pub stage: String,
    /// Whether a homeroom teacher (班主任).
    pub homeroom: bool,
    /// First year of teaching.
    pub teaching_from: Option<i64>,
    /// Since when the facts hold, `YYYY-MM-DD`; empty when there are none yet.
    pub from: String,
    /// Record id of the school.
    pub school: String,
    /// How far the person's rows have come.
    pub way: Way,
    /// Two devices say different things.
    pub disputed: bool,
}

impl Teacher {
    /// Whether this person is on the school's strength: not retired, transferred or gone.
    pub fn in_service(&self) -> bool {
        !GONE.contains(&self.status.as_str())
    }
}

/// Codes of persons who no longer belong to the school's strength.
pub(super) const GONE: [&str; 4] = ["retired", "transferred", "left", VOID];

/// What a form or a roster file says about one teacher. Blank text means not known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TeacherInput {
    /// 教师编号.
    pub teacher_code: String,
    /// 姓名.
    pub name: String,
    /// Code of GB/T 2261.1: 0, 1, 2 or 9.
    pub sex: String,
    /// Year of birth.
    pub birth_year: Option<i64>,
    /// Code of the person's status.
    pub status: String,
    /// Code of the post.
    pub post: String,
    /// Code of the professional title.
    pub title: String,
    /// Subject taught.
    pub subject: String,
    /// Code of the stage.
    pub stage: String,
    /// Whether a homeroom teacher (班主任).
    pub homeroom: bool,
    /// First year of teaching.
    pub teaching_from: Option<i64>,
    /// Since when these facts hold, `YYYY-MM-DD`.
    pub from: String,
}

impl TeacherInput {
    fn person(&self) -> Draft {
        Draft::new("person")
            .text("teacher_code", &self.teacher_code)
            .text("name", &self.name)
            .text("sex", &self.sex)
            .int("birth_year", self.birth_year)
            .text("status", &self.status)
    }

    /// The dated facts, without whom and since when.
    fn facts(&self) -> Draft {
        Draft::new("staff_fact")
            .text("post", &self.post)
            .text("title", &self.title)
            .text("subject", &self.subject)
            .text("stage", &self.stage)
            .flag("homeroom", self.homeroom)
            .int("teaching_from", self.teaching_from)
    }
}

/// Facts that this form does not have; a new dated row takes them over from the row before.
pub(super) const OTHER_FACTS: [&str; 4] = ["title_label", "novice_year", "weekly_lessons", "full_time"];

/// What the kinds say about a form, field by field; empty = good. For previews.
pub fn check_teacher(input: &TeacherInput) -> Vec<FieldError> {
    let mut faults = input.person().faults();
    faults.extend(
        input
            .facts()
            .text("person", SOMEBODY)
            .text("from", &input.from)
            .faults(),
    );
    faults
}

/// Stands for the person in a check before the person has an id.
const SOMEBODY: &str = "00000000-0000-7000-8000-000000000000";

/// The teachers of a school, by teacher code, then name.
pub fn roster(node: &Node, school: &str) -> Result<Vec<Teacher>, Error> {
    let mut facts = facts_of(node.records(&Filter::kind("staff_fact").school(school))?);
    let mut teachers: Vec<Teacher> = persons(node, school)?
        .into_values()
        .map(|person| {
            let own = facts.remove(&person.id).unwrap_or_default();
            shown(person, &own)
        })
        .collect();
    teachers.sort_by(|a, b| {
        let key = |t: &Teacher| (t.teacher_code.is_empty(), t.teacher_code.clone());
        key(a)
            .cmp(&key(b))
            .then_with(|| a.name.cmp(&b.name))
            .then_with(|| a.id.cmp(&b.id))
    });
    Ok(teachers)
}

/// One teacher.
pub fn teacher(node: &Node, id: &str) -> Result<Option<Teacher>, Error> {
    let Some(person) = record_of(node, "person", id)? else {
        return Ok(None);
    };
    let school = person.school.clone().unwrap_or_default();
    let facts = node.records(&Filter::kind("staff_fact").person(id).school(&school))?;
    Ok(Some(shown(person, &facts)))
}

/// Saves one teacher of the node's own school; returns the record id. A new teacher must not have
/// the code of another.
pub fn save_teacher(
    node: &Node,
    by: &By,
    school: &str,
    id: Option<&str>,
    input: TeacherInput,
) -> Result<String, Error> {
    own_school(node, school)?;
    let _turn = turn();
    let code = input.teacher_code.trim();
    let known = Known::load(node, school)?;
    let twin = known
        .persons
        .values()
        .any(|p| !code.is_empty() && p.text("teacher_code") == code && Some(p.id.as_str()) != id);
    if twin {
        return Err(invalid(
            "teacher_code",
            "花名册上已有这个教师编号",
            "Another teacher on the roster has this code",
        ));
    }
    let id = id.map_or_else(|| Target::New(node.new_id()), |id| Target::Known(id.to_owned()));
    let mut edits = Edits::default();
    known.save(node, by, school, &id, &input, &mut edits)?;
    edits.commit(node)?;
    Ok(id.id().to_owned())
}

/// Saves many teachers, as from a roster file, in few large changes; how many were new or changed.
/// Nothing is written if one of them is invalid (see [`check_teacher`]).
pub fn save_teachers(
    node: &Node,
    by: &By,
    school: &str,
    teachers: Vec<(Option<String>, TeacherInput)>,
) -> Result<usize, Error> {
    own_school(node, school)?;
    let _turn = turn();
    let teachers = teachers.into_iter().map(|(id, input)| (String::new(), id, input));
    let (changed, rows) = teacher_edits(node, by, school, teachers.collect())?;
    let mut edits = Edits::default();
    for (_, doc, edit) in rows {
        edits.push(&doc, edit);
    }
    edits.commit(node)?;
    Ok(changed)
}

/// A row of a roster file: where it stands in the file, the person if known, what it says.
pub type RosterRow = (String, Option<String>, TeacherInput);

/// What saving these teachers writes, and how many of them it is new or changed for.
pub(super) fn teacher_edits(
    node: &Node,
    by: &By,
    school: &str,
    teachers: Vec<RosterRow>,
) -> Result<(usize, Vec<Keyed>), Error> {
    let known = Known::load(node, school)?;
    let mut rows = Vec::new();
    let mut changed = 0;
    for (at, (key, id, input)) in teachers.into_iter().enumerate() {
        let id = id.map_or_else(|| Target::New(node.new_id()), Target::Known);
        let mut edits = Edits::default();
        let saved = known.save(node, by, school, &id, &input, &mut edits);
        changed += usize::from(saved.map_err(|error| numbered(error, at + 1))?);
        let own = edits.0.into_iter();
        rows.extend(own.flat_map(|(doc, edits)| {
            let key = key.clone();
            edits
                .into_iter()
                .map(move |edit| (key.clone(), doc.clone(), edit))
        }));
    }
    Ok((changed, rows))
}

/// Says in each message which entry of a batch it is about, counted from 1.
pub(super) fn numbered(error: Error, number: usize) -> Error {
    match error {
        Error::Invalid(faults) => Error::Invalid(
            faults
                .into_iter()
                .map(|f| {
                    let (zh, en) = (
                        format!("第{number}条：{}", f.zh),
                        format!("Entry {number}: {}", f.en),
                    );
                    fault(&f.field, &zh, &en)
                })
                .collect(),
        ),
        other => other,
    }
}

/// Edits by document, in order; each document's in one transaction.
#[derive(Default)]
pub(super) struct Edits(BTreeMap<String, Vec<Edit>>);

impl Edits {
    pub(super) fn push(&mut self, doc: &str, edit: Edit) {
        self.0.entry(doc.to_owned()).or_default().push(edit);
    }

    pub(super) fn commit(self, node: &Node) -> Result<(), Error> {
        self.0
            .into_iter()
            .try_for_each(|(doc, edits)| node.commit(&doc, edits))
    }
}

enum Target {
    New(String),
    Known(String),
}

impl Target {
    fn id(&self) -> &str {
        match self {
            Target::New(id) | Target::Known(id) => id,
        }
    }
}

/// What a school's base documents say before a save.
struct Known {
    persons: HashMap<String, Record>,
    facts: HashMap<String, Vec<Record>>,
}

impl Known {
    fn load(node: &Node, school: &str) -> Result<Known, Error> {
        let facts = facts_of(node.records(&Filter::kind("staff_fact").school(school))?);
        Ok(Known {
            persons: persons(node, school)?,
            facts,
        })
    }

    /// Adds the edits for one teacher; whether there are any.
    fn save(
        &self,
        node: &Node,
        by: &By,
        school: &str,
        target: &Target,
        input: &TeacherInput,
        edits: &mut Edits,
    ) -> Result<bool, Error> {
        let faults = check_teacher(input);
        if !faults.is_empty() {
            return Err(Error::Invalid(faults));
        }
        let year_doc = format!("base/{school}/{}", year_of("from", &input.from)?);
        let mut changed = false;
        match target {
            Target::New(id) => {
                edits.push(&year_doc, input.person().create(node, id.clone(), by)?);
                changed = true;
            }
            Target::Known(id) => {
                let person = self
                    .persons
                    .get(id)
                    .ok_or_else(|| no_such("id", "教师", "teacher of this school"))?;
                if let Some(edit) = input.person().change(node, person, by)? {
                    edits.push(&person.doc, edit);
                    changed = true;
                }
            }
        }
        let from = input.from.trim();
        let rows = self.facts.get(target.id()).map(Vec::as_slice).unwrap_or_default();
        let same_day: Vec<&Record> = rows.iter().filter(|row| row.text("from") == from).collect();
        // Every row of that day is brought to what the form says, so that twins made by two devices
        // agree again.
        for row in &same_day {
            if let Some(edit) = input.facts().change(node, row, by)? {
                edits.push(&row.doc, edit);
                changed = true;
            }
        }
        let in_force = newest(rows.iter().filter(|row| row.text("from") <= from));
        let told = in_force.is_some_and(|row| input.facts().says_as(row) && !row.disputed);
        if same_day.is_empty() && !told {
            let mut facts = input.facts().text("person", target.id()).text("from", from);
            if let Some(row) = in_force {
                facts = facts.keep(&row.fields, &OTHER_FACTS);
            }
            edits.push(&year_doc, facts.create(node, node.new_id(), by)?);
            changed = true;
        }
        Ok(changed)
    }
}

/// Persons of a school by id; the row of the newest year if a person stands in several.
fn persons(node: &Node, school: &str) -> Result<HashMap<String, Record>, Error> {
    let mut persons: HashMap<String, Record> = HashMap::new();
    for record in node.records(&Filter::kind("person").school(school))? {
        let older = persons
            .get(&record.id)
            .is_some_and(|known| known.year >= record.year);
        if !older {
            persons.insert(record.id.clone(), record);
        }
    }
    Ok(persons)
}

fn facts_of(records: Vec<Record>) -> HashMap<String, Vec<Record>> {
    let mut facts: HashMap<String, Vec<Record>> = HashMap::new();
    for record in records {
        facts
            .entry(record.text("person").to_owned())
            .or_default()
            .push(record);
    }
    facts
}

/// The row with the latest `from`; of twins the one with the larger id, so that nodes agree.
pub(super) fn newest<'a>(facts: impl Iterator<Item = &'a Record>) -> Option<&'a Record> {
    facts.max_by(|a, b| (a.text("from"), &a.id).cmp(&(b.text("from"), &b.id)))
}

fn shown(person: Record, facts: &[Record]) -> Teacher {
    let fact = newest(facts.iter());
    let text = |field: &str| fact.map_or_else(String::new, |f| f.text(field).to_owned());
    // Two rows of one day that say different things are a dispute like two values of one field.
    let twins_differ = fact.is_some_and(|fact| {
        facts.iter().any(|other| {
            other.text("from") == fact.text("from")
                && ["post", "title", "stage", "homeroom", "teaching_from"]
                    .iter()
                    .any(|field| other.fields.get(*field) != fact.fields.get(*field))
        })
    });
    Teacher {
        teacher_code: person.text("teacher_code").to_owned(),
        name: person.text("name").to_owned(),
        sex: person.text("sex").to_owned(),
        birth_year: person.fields.get("birth_year").and_then(|year| year.as_int()),
        status: person.text("status").to_owned(),
        post: text("post"),
        title: text("title"),
        subject: text("subject"),
        stage: text("stage"),
        homeroom: fact.is_some_and(|f| f.flag("homeroom")),
        teaching_from: fact.and_then(|f| f.fields.get("teaching_from")?.as_int()),
        from: text("from"),
        way: least([person.way].into_iter().chain(fact.map(|f| f.way))),
        disputed: person.disputed || fact.is_some_and(|f| f.disputed) || twins_differ,
        school: person.school.unwrap_or_default(),
        id: person.id,
    }
}
