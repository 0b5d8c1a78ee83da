//! The roster (花名册): persons of a school and the facts of their work in force.
//!
//! A person is one record; facts are dated rows in the base document of the school year of their
//! `from`, so that history is kept. The roster shows the newest row.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use records::FieldError;
use sha2::{Digest, Sha256};

use super::attendance::{Keyed, VOID};
use super::draft::{Draft, year_of};
use super::lookup::{Key, key, least, record_of};
use super::organisations::{Names, organisation_names};
use super::people::People;
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
    /// 另任: codes of further parts, with spaces between.
    pub parts: String,
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
    /// Where else the county says that this person was, is or is kept.
    pub whereabouts: Whereabouts,
}

/// What the county's acts say about a person on a roster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Whereabouts {
    /// Days on this school's strength: the first, and the day after the last; empty text is open. None at all:
    /// the person is kept under another school's entry.
    pub stays: Vec<(String, String)>,
    /// The transfer that led here last: day, and name of the old school.
    pub came: Option<(String, String)>,
    /// The transfer that led away last: day, and name of the new school.
    pub went: Option<(String, String)>,
    /// The school whose entry of this person is kept (同一人).
    pub kept_at: Option<String>,
}

impl Teacher {
    /// Whether this person is on the school's strength on a day, `YYYY-MM-DD`. The effective date of a transfer
    /// decides, so that what was held before it still has its people.
    pub fn on_strength(&self, day: &str) -> bool {
        let transferred = self.status == "transferred" && self.whereabouts.went.is_some();
        let stays = &self.whereabouts.stays;
        (self.in_service() || transferred)
            && stays
                .iter()
                .any(|(from, to)| from.as_str() <= day && (to.is_empty() || day < to.as_str()))
    }

    /// Whether this person is on the school's strength: not retired, transferred or gone.
    pub fn in_service(&self) -> bool {
        !GONE.contains(&self.status.as_str())
    }
}

/// Codes of persons who no longer belong to the school's strength.
pub(super) const GONE: [&str; 4] = ["retired", "transferred", "left", VOID];

/// What a form or a roster file says about one teacher. Blank text means not known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
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
    /// 另任: codes of further parts, with spaces between; `None`: as before.
    pub parts: Option<String>,
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
        let facts = Draft::new("staff_fact")
            .text("post", &self.post)
            .text("title", &self.title)
            .text("subject", &self.subject)
            .text("stage", &self.stage)
            .flag("homeroom", self.homeroom)
            .int("teaching_from", self.teaching_from);
        match &self.parts {
            Some(parts) => facts.text("parts", parts),
            None => facts,
        }
    }
}

/// Facts that this form does not have; a new dated row takes them over from the row before.
pub(super) const OTHER_FACTS: [&str; 5] = [
    "title_label",
    "novice_year",
    "weekly_lessons",
    "full_time",
    "parts",
];

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
    let joined = Joined::load(node)?;
    let mut teachers: Vec<Teacher> = persons(node, school)?
        .into_values()
        .map(|person| {
            let own = facts.remove(&person.id).unwrap_or_default();
            shown(person, &own, &joined)
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
    Ok(Some(shown(person, &facts, &Joined::load(node)?)))
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
/// Nothing is written if one of them is invalid (see [`check_teacher`]). One row that two computers of a school
/// import while they are apart is one person: the id of a new one is the key of the row.
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
    let mut keys = RowKeys::default();
    for (at, (key, id, input)) in teachers.into_iter().enumerate() {
        let id = id.map_or_else(|| known.target(keys.of(school, &input)), Target::Known);
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

/// Ids of persons and facts by what the row of a file says of them, and how often it says so. Not by the file's
/// bytes: a sheet that was opened and saved again is still the same roster.
#[derive(Default)]
pub(super) struct RowKeys(HashMap<TeacherInput, u32>);

impl RowKeys {
    pub(super) fn of(&mut self, school: &str, row: &TeacherInput) -> String {
        let times = self.0.entry(row.clone()).or_default();
        *times += 1;
        let number = |number: Option<i64>| number.map(|n| n.to_string()).unwrap_or_default();
        let (born, since, times) = (
            number(row.birth_year),
            number(row.teaching_from),
            times.to_string(),
        );
        key_of(&[
            "person",
            school,
            &row.teacher_code,
            &row.name,
            &row.sex,
            &born,
            &row.status,
            &row.post,
            &row.title,
            &row.subject,
            &row.stage,
            if row.homeroom { "1" } else { "0" },
            &since,
            &row.from,
            &times,
        ])
    }
}

/// An id made of a key (a UUID of version 8: of no clock).
fn key_of(parts: &[&str]) -> String {
    let mut hash = Sha256::new_with_prefix("yanxiu.row-key.1\0");
    for part in parts {
        let part = part.trim();
        hash.update(part.len().to_be_bytes());
        hash.update(part);
    }
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.finalize()[..16]);
    uuid::Builder::from_custom_bytes(bytes)
        .into_uuid()
        .hyphenated()
        .to_string()
}

enum Target {
    /// A row of a file that no person is known by.
    Row(String),
    New(String),
    Known(String),
}

impl Target {
    fn id(&self) -> &str {
        match self {
            Target::Row(id) | Target::New(id) | Target::Known(id) => id,
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

    /// The person with the id of a row, who may be here already.
    fn target(&self, id: String) -> Target {
        match self.persons.contains_key(&id) {
            true => Target::Known(id),
            false => Target::Row(id),
        }
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
            Target::Row(id) | Target::New(id) => {
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
                let others = OTHER_FACTS
                    .into_iter()
                    .filter(|f| *f != "parts" || input.parts.is_none());
                facts = facts.keep(&row.fields, &others.collect::<Vec<_>>());
            }
            let id = match target {
                Target::Row(person) => key_of(&["facts", person, from]),
                Target::New(_) | Target::Known(_) => node.new_id(),
            };
            edits.push(&year_doc, facts.create(node, id, by)?);
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

/// The county's acts on persons, with the names of the schools in them.
struct Joined {
    people: std::sync::Arc<People>,
    names: BTreeSet<Key>,
    schools: Names,
}

impl Joined {
    fn load(node: &Node) -> Result<Joined, Error> {
        let people = People::load(node)?;
        let names = people.joined();
        let schools = match names.is_empty() {
            true => Names::default(),
            false => organisation_names(node)?,
        };
        Ok(Joined {
            people,
            names,
            schools,
        })
    }

    fn whereabouts(&self, of: &Key) -> Whereabouts {
        let stays = self.people.stays(of);
        if !self.names.contains(of) {
            return Whereabouts {
                stays,
                ..Whereabouts::default()
            };
        }
        let school = |name: &Key| self.schools.get(&name.0).cloned().unwrap_or_default();
        let kept = self.people.kept(of);
        let places = self.people.places(&kept);
        let steps = || {
            places
                .windows(2)
                .filter_map(|step| Some((step.first()?, step.get(1)?)))
        };
        Whereabouts {
            stays,
            came: steps()
                .filter(|(_, (_, to))| to == of)
                .map(|((_, from), (on, _))| (on.clone(), school(from)))
                .next_back(),
            went: steps()
                .filter(|((_, from), _)| from == of)
                .map(|(_, (on, to))| (on.clone(), school(to)))
                .next_back(),
            kept_at: (kept != *of).then(|| school(&kept)),
        }
    }
}

fn shown(person: Record, facts: &[Record], joined: &Joined) -> Teacher {
    let fact = newest(facts.iter());
    let text = |field: &str| fact.map_or_else(String::new, |f| f.text(field).to_owned());
    // Two rows of one day that say different things are a dispute like two values of one field.
    let twins_differ = fact.is_some_and(|fact| {
        facts.iter().any(|other| {
            other.text("from") == fact.text("from")
                && ["post", "title", "stage", "homeroom", "parts", "teaching_from"]
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
        parts: text("parts"),
        teaching_from: fact.and_then(|f| f.fields.get("teaching_from")?.as_int()),
        from: text("from"),
        way: least([person.way].into_iter().chain(fact.map(|f| f.way))),
        disputed: person.disputed || fact.is_some_and(|f| f.disputed) || twins_differ,
        whereabouts: joined.whereabouts(&key(person.school.as_deref().unwrap_or_default(), &person.id)),
        school: person.school.unwrap_or_default(),
        id: person.id,
    }
}
