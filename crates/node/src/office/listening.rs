//! Lessons heard, debriefed and given under R6: the quotas of leaders by week (听课定额), of a school by year, of
//! backbone teachers by semester.

use std::collections::{BTreeMap, HashMap};

use records::Date;
use records::date::parse_stored_date;
use records::rules::{Entry, Outcome, Per, PersonFacts, SpanOutcome, When, evaluate, r6};

use super::card::facts;
use super::claims::in_force;
use super::entries::stands;
use super::lookup::Key;
use super::roster::{Teacher, roster};
use crate::{Error, Filter, Node, Record};

/// One leader's quota.
#[derive(Clone, Debug)]
pub struct Listener {
    /// Who.
    pub teacher: Teacher,
    /// Label of the requirement, in Chinese and English.
    pub label: [String; 2],
    /// How every teaching week stands; those to come are marked so.
    pub weeks: Vec<SpanOutcome>,
    /// Lessons that do not count for want of something: the week's first day, record id, Chinese and English names
    /// of what is missing.
    pub held_back: Vec<HeldBack>,
}

/// A lesson that was heard and does not count yet.
#[derive(Clone, Debug)]
pub struct HeldBack {
    /// Record id of the observation.
    pub id: String,
    /// Its day.
    pub date: Date,
    /// What is missing, in Chinese and English.
    pub missing: Vec<[String; 2]>,
}

/// What the page of a school shows.
#[derive(Clone, Debug)]
pub struct Listening {
    /// The leaders, in the order of the roster.
    pub leaders: Vec<Listener>,
    /// What the school itself gives and hears in the year (优质、公开、示范、观摩课; 听评课).
    pub school: Vec<Outcome>,
    /// Rule set and version.
    pub rule_ref: String,
    /// Its Chinese title.
    pub title: String,
    /// What the rules leave open, as the file says it.
    pub notice: [String; 2],
    /// Observations that count for nobody until a person chooses (待核).
    pub disputed: usize,
}

/// The quotas in the year that holds the day `on`, as they stand on the day `today`.
pub fn listening(node: &Node, school: &str, on: Date, today: Date) -> Result<Listening, Error> {
    let rules = &*in_force(node, r6());
    let (entries, disputed) = heard(node, school)?;
    let when = When {
        on: Some(on),
        as_of: Some(today),
        ..When::default()
    };
    let mut leaders = Vec::new();
    for teacher in roster(node, school)?.into_iter().filter(Teacher::in_service) {
        let own = entries.get(&teacher.id).map_or(&[][..], Vec::as_slice);
        let mut card = evaluate(rules, &facts(node, &teacher, rules, &when)?, &when, own);
        let weekly = card
            .requirements
            .iter()
            .position(|each| each.per == Some(Per::Week));
        let Some(quota) = weekly.map(|at| card.requirements.swap_remove(at)) else {
            continue;
        };
        let day = |id: &str| own.iter().find(|entry| entry.id == id).map(|entry| entry.date);
        let held_back = quota.held_back.iter().filter_map(|held| {
            let named = |code: &String| {
                let mark = rules.marks.iter().find(|mark| mark.id == *code);
                mark.map_or_else(
                    || [code.clone(), code.clone()],
                    |mark| [mark.zh.clone(), mark.en.clone()],
                )
            };
            Some(HeldBack {
                id: held.id.clone(),
                date: day(&held.id)?,
                missing: held.missing.iter().map(named).collect(),
            })
        });
        leaders.push(Listener {
            held_back: held_back.collect(),
            label: [quota.zh, quota.en],
            weeks: quota.spans,
            teacher,
        });
    }
    let mut of_all: Vec<Entry> = entries.into_values().flatten().collect();
    once(&mut of_all);
    of_all.extend(given(node, school)?.into_values().flatten());
    let itself = PersonFacts {
        subject: "school".into(),
        ..PersonFacts::default()
    };
    Ok(Listening {
        leaders,
        school: evaluate(rules, &itself, &when, &of_all).requirements,
        rule_ref: rules.reference(),
        title: rules.head.title_zh.clone(),
        notice: [rules.reading.notice_zh.clone(), rules.reading.notice_en.clone()],
        disputed,
    })
}

/// Entries by record id of the person.
type ByPerson = HashMap<String, Vec<Entry>>;

/// Everything that R6 counts of one person: lessons heard, debriefed and given.
pub(super) fn lessons_of(node: &Node, (school, person): &Key) -> Result<Vec<Entry>, Error> {
    let heard = heard(node, school)?.0.remove(person).unwrap_or_default();
    let debriefed = heard.iter().filter(|entry| entry.marks.contains("debriefed"));
    let debriefs: Vec<Entry> = debriefed
        .map(|entry| Entry {
            id: format!("{}/debrief", entry.id),
            activity: "debrief".into(),
            ..entry.clone()
        })
        .collect();
    let given = given(node, school)?.remove(person).unwrap_or_default();
    Ok(heard.into_iter().chain(debriefs).chain(given).collect())
}

/// Lessons of the kinds that R6 asks for, as entries of their teachers.
fn given(node: &Node, school: &str) -> Result<ByPerson, Error> {
    let mut of = ByPerson::new();
    for lesson in node.records(&Filter::kind("lesson").school(school))? {
        let kind = lesson.text("lesson_kind");
        let asked = ["quality", "open", "model", "watch"].contains(&kind);
        let Ok(date) = parse_stored_date(lesson.text("date")) else {
            continue;
        };
        if asked && !lesson.disputed && lesson.text("state") == "taught" {
            let entry = Entry {
                id: lesson.id.clone(),
                activity: kind.to_owned(),
                level: lesson.text("level").to_owned(),
                date,
                ..Entry::default()
            };
            of.entry(lesson.text("teacher").to_owned())
                .or_default()
                .push(entry);
        }
    }
    Ok(of)
}

/// The observations of a school as entries of their observers, and how many are in dispute. A lesson is one lesson,
/// however often one observer's sheet of it was entered.
fn heard(node: &Node, school: &str) -> Result<(ByPerson, usize), Error> {
    let records = node.records(&Filter::kind("observation").school(school))?;
    let stands = stands(node, &records)?;
    let mut of = ByPerson::new();
    let mut disputed = 0;
    for (record, stand) in records.iter().zip(stands) {
        let Some(stand) = stand.filter(|stand| stand.code != "void") else {
            continue;
        };
        if record.disputed || stand.differ {
            disputed += 1;
            continue;
        }
        let Ok(date) = parse_stored_date(record.text("date")) else {
            continue;
        };
        let entry = Entry {
            id: record.id.clone(),
            activity: "listen".into(),
            date,
            session: record.text("lesson").to_owned(),
            marks: marks(record, &stand.code, stand.unsigned).into_iter().collect(),
            ..Entry::default()
        };
        of.entry(record.text("observer").to_owned())
            .or_default()
            .push(entry);
    }
    for own in of.values_mut() {
        once(own);
    }
    Ok((of, disputed))
}

/// How much of a lesson is confirmed; without a debrief nothing counts.
fn confirmed(entry: &Entry) -> (bool, usize) {
    (entry.marks.contains("debriefed"), entry.marks.len())
}

/// Of several sheets of one lesson that of which the most is confirmed, then the first by id.
fn once(entries: &mut Vec<Entry>) {
    let mut best: BTreeMap<String, Entry> = BTreeMap::new();
    entries.sort_by(|a, b| a.id.cmp(&b.id));
    for entry in entries.drain(..) {
        match best.get(&entry.session) {
            Some(known) if confirmed(known) >= confirmed(&entry) => {}
            _ => {
                best.insert(entry.session.clone(), entry);
            }
        }
    }
    entries.extend(best.into_values());
}

/// What of 听课之后必评课、授课教师签字、双方评课记录 is there.
fn marks(record: &Record, state: &str, unsigned: bool) -> Vec<String> {
    let has = |field: &str| !record.text(field).trim().is_empty();
    let debriefed = has("debrief_by") && has("debrief_on") && has("debrief_place") && state != "draft";
    let observer = has("strengths") || has("weaknesses") || has("advice");
    let all = [
        ("debriefed", debriefed),
        ("signed", state == "signed" && !unsigned),
        ("both_records", observer && has("response")),
    ];
    let there = all.into_iter().filter(|(_, there)| *there);
    there.map(|(mark, _)| mark.to_owned()).collect()
}
