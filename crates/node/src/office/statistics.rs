//! What a school held between two days, counted by form, method, group and course (A02, A04, A17, B11, B12, D10).

use std::collections::BTreeMap;

use records::Lang;
use records::kinds::Kind;

use super::attendance::tallies;
use super::lookup::{courses, key};
use super::series::HELD;
use crate::{Error, Filter, Node, Record};

/// One line of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// What is counted, in Chinese and English.
    pub label: [String; 2],
    /// Sessions held.
    pub sessions: i64,
    /// Who took part, once for each session (人次).
    pub attended: i64,
    /// Class-hours of the sessions, in hundredths.
    pub hours_c: i64,
    /// Class-hours of all who took part, in hundredths.
    pub person_hours_c: i64,
}

impl Counted {
    fn add(&mut self, attended: i64, hours_c: i64) {
        self.sessions += 1;
        self.attended += attended;
        self.hours_c += hours_c;
        self.person_hours_c += attended * hours_c;
    }
}

/// Lessons of one topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LessonSet {
    /// The title that they share.
    pub title: String,
    /// Names of the teachers with the topics of their lessons, by date.
    pub lessons: Vec<String>,
    /// How often they were heard.
    pub heard: usize,
}

/// What a school held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// All of the school together.
    pub all: Counted,
    /// Trainings outside the school (校外培训), which stand in no table here.
    pub outside: Counted,
    /// By form of learning.
    pub by_form: Vec<Counted>,
    /// By method; a session of two methods stands in both.
    pub by_method: Vec<Counted>,
    /// By group; what no group held is left out.
    pub by_group: Vec<Counted>,
    /// By family of the county's courses.
    pub by_family: Vec<Counted>,
    /// By block of the county's courses.
    pub by_block: Vec<Counted>,
    /// Minutes of the parts of sessions, by kind of part (半小时理论).
    pub parts: Vec<([String; 2], i64)>,
    /// Class-hours of each person by form of learning: name, and hundredths in the order of `by_form`.
    pub by_person: Vec<(String, Vec<i64>)>,
    /// Lessons by way of listening (分散、集中).
    pub modes: Vec<([String; 2], i64)>,
    /// Lessons of one topic by several teachers (同课异构).
    pub sets: Vec<LessonSet>,
    /// Sessions that count nowhere because two devices say different things.
    pub disputed: usize,
}

/// The sessions of a school that were held on days from `first` to `last` (`YYYY-MM-DD`, both included).
pub fn statistics(node: &Node, school: &str, first: &str, last: &str) -> Result<Statistics, Error> {
    let mut of = Statistics::default();
    let within = |record: &Record| (first..=last).contains(&record.text("date"));
    let mut held = node.records(&Filter::kind("session").school(school))?;
    held.retain(|session| within(session) && HELD.contains(&session.text("state")));
    of.disputed = held.iter().filter(|session| session.disputed).count();
    held.retain(|session| !session.disputed);
    let ids: Vec<&str> = held.iter().map(|session| session.id.as_str()).collect();
    let marks = tallies(node, &ids)?;
    let kinds = node.kinds();
    let label = |kind: &str, field: &str, code: &str| {
        [Lang::Zh, Lang::En].map(|lang| kinds.code_label(kind, field, code, lang).to_owned())
    };
    let groups: BTreeMap<String, String> = node
        .records(&Filter::kind("group").school(school))?
        .into_iter()
        .map(|group| (group.id.clone(), group.text("name").to_owned()))
        .collect();
    let courses = courses(node)?;

    let (mut forms, mut methods, mut by_group) = (Table::default(), Table::default(), Table::default());
    let (mut families, mut blocks) = (Table::default(), Table::default());
    let mut persons: BTreeMap<String, BTreeMap<String, i64>> = BTreeMap::new();
    for session in &held {
        let present: Vec<&String> = marks
            .get(&key(school, &session.id))
            .into_iter()
            .flatten()
            .filter(|(_, mark)| mark.present())
            .map(|(person, _)| person)
            .collect();
        let attended = i64::try_from(present.len()).unwrap_or(i64::MAX);
        let hours_c = session.int("hours_c");
        if !session.text("organiser").is_empty() {
            of.outside.add(attended, hours_c);
            continue;
        }
        of.all.add(attended, hours_c);
        let form = session.text("form");
        forms.add(form, attended, hours_c);
        for person in present {
            let own = persons.entry(person.clone()).or_default();
            *own.entry(form.to_owned()).or_default() += hours_c;
        }
        let several = session
            .text("methods")
            .split(' ')
            .filter(|method| !method.is_empty());
        several.for_each(|method| methods.add(method, attended, hours_c));
        if groups.contains_key(session.text("group")) {
            by_group.add(session.text("group"), attended, hours_c);
        }
        if let Some(course) = courses.get(session.text("course")) {
            for (table, field) in [(&mut families, "family"), (&mut blocks, "block")] {
                if !course.text(field).is_empty() {
                    table.add(course.text(field), attended, hours_c);
                }
            }
        }
    }
    let mut parts: BTreeMap<String, i64> = BTreeMap::new();
    for part in node.records(&Filter::kind("session_part").school(school))? {
        if ids.contains(&part.text("session")) && !part.disputed {
            *parts.entry(part.text("part").to_owned()).or_default() += part.int("minutes");
        }
    }
    let codes = |kind: &str, field: &str| -> Vec<String> {
        let kind = kinds.latest(kind).and_then(|kind: &Kind| kind.field(field));
        let codes = kind.map(|field| field.codes.iter().map(|code| code.id.clone()));
        codes.into_iter().flatten().collect()
    };
    let in_order = forms.order(&codes("session", "form"));
    let names: BTreeMap<String, String> = node
        .records(&Filter::kind("person").school(school))?
        .into_iter()
        .map(|person| (person.id.clone(), person.text("name").to_owned()))
        .collect();
    let mut by_person: Vec<(String, Vec<i64>)> = persons
        .into_iter()
        .map(|(person, hours)| {
            let name = names.get(&person).cloned().unwrap_or(person);
            let row = in_order.iter().map(|form| hours.get(form).copied().unwrap_or(0));
            (name, row.collect())
        })
        .collect();
    by_person.sort();
    of.by_person = by_person;
    of.by_form = forms.rows(&in_order, |code| label("session", "form", code));
    of.by_method = methods.rows(&methods.order(&codes("session", "methods")), |code| {
        label("session", "methods", code)
    });
    of.by_group = by_group.rows(&by_group.order(&[]), |id| {
        let name = groups.get(id).cloned().unwrap_or_default();
        [name.clone(), name]
    });
    of.by_family = families.rows(&families.order(&codes("course", "family")), |code| {
        label("course", "family", code)
    });
    of.by_block = blocks.rows(&blocks.order(&codes("course", "block")), |code| {
        label("course", "block", code)
    });
    let mut lessons = node.records(&Filter::kind("lesson").school(school))?;
    lessons.retain(|lesson| within(lesson) && !lesson.disputed && lesson.text("state") == "taught");
    lessons.sort_by(|a, b| (a.text("date"), &a.id).cmp(&(b.text("date"), &b.id)));
    let mut heard: BTreeMap<String, usize> = BTreeMap::new();
    for sheet in node.records(&Filter::kind("observation").school(school))? {
        if sheet.text("state") != "void" {
            *heard.entry(sheet.text("lesson").to_owned()).or_default() += 1;
        }
    }
    let (mut modes, mut sets) = (BTreeMap::<&str, i64>::new(), BTreeMap::<&str, LessonSet>::new());
    for lesson in &lessons {
        if !lesson.text("mode").is_empty() {
            *modes.entry(lesson.text("mode")).or_default() += 1;
        }
        if !lesson.text("lesson_set").is_empty() {
            let set = sets.entry(lesson.text("lesson_set")).or_default();
            let teacher = names.get(lesson.text("teacher")).map_or("", String::as_str);
            set.title = lesson.text("lesson_set").to_owned();
            set.lessons.push(format!("{teacher}《{}》", lesson.text("topic")));
            set.heard += heard.get(&lesson.id).copied().unwrap_or(0);
        }
    }
    of.sets = sets.into_values().collect();
    of.modes = modes
        .into_iter()
        .map(|(code, n)| (label("lesson", "mode", code), n))
        .collect();
    of.parts = parts
        .into_iter()
        .map(|(code, minutes)| (label("session_part", "part", &code), minutes))
        .collect();
    Ok(of)
}

/// Lines by code.
#[derive(Default)]
struct Table(BTreeMap<String, Counted>);

impl Table {
    fn add(&mut self, code: &str, attended: i64, hours_c: i64) {
        self.0.entry(code.to_owned()).or_default().add(attended, hours_c);
    }

    /// The codes that are there, in the order of the form, then what the form does not have.
    fn order(&self, codes: &[String]) -> Vec<String> {
        let known = codes.iter().filter(|code| self.0.contains_key(*code));
        let others = self.0.keys().filter(|code| !codes.contains(code));
        known.chain(others).cloned().collect()
    }

    fn rows(&self, order: &[String], label: impl Fn(&str) -> [String; 2]) -> Vec<Counted> {
        let row = |code: &String| {
            let counted = self.0.get(code)?.clone();
            Some(Counted {
                label: label(code),
                ..counted
            })
        };
        order.iter().filter_map(row).collect()
    }
}
