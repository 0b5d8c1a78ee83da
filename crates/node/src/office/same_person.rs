//! 同一人认定: two schools have entered one teacher, and the county says whom it keeps (domain.md §3.5, no. 15).

use std::collections::BTreeMap;

use super::carry::follow;
use super::draft::Draft;
use super::lookup::{Key, key, record_of};
use super::organisations::organisation_names;
use super::people::People;
use super::{By, invalid, no_such, turn};
use crate::{Error, Filter, Node, Record};

/// A teacher as one school has entered one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnteredPerson {
    /// Record id of the school.
    pub school: String,
    /// Name of the school.
    pub school_name: String,
    /// Record id of the person.
    pub person: String,
    /// 姓名.
    pub name: String,
    /// 教师编号.
    pub teacher_code: String,
    /// Year of birth, if it is known.
    pub birth_year: Option<i64>,
}

/// One of the county's acts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SamePerson {
    /// Record id.
    pub id: String,
    /// The entry that is not kept.
    pub alias: EnteredPerson,
    /// The entry that is kept.
    pub canonical: EnteredPerson,
    /// 认定日期.
    pub decided_on: String,
    /// 依据.
    pub note: String,
    /// The account that decided.
    pub by: String,
    /// Whether it was withdrawn.
    pub withdrawn: bool,
    /// Two devices say different things about it; it joins nobody until one is chosen.
    pub disputed: bool,
}

/// Pairs of entries at different schools that may be one person: the same teacher code, or the same name and year of
/// birth. A hint for the county and nothing else: names alone never make anybody one.
pub fn maybe_same(node: &Node) -> Result<Vec<[EnteredPerson; 2]>, Error> {
    let people = People::load(node)?;
    let mut alike: BTreeMap<String, Vec<EnteredPerson>> = BTreeMap::new();
    let mut entered = persons(node)?;
    entered
        .sort_by(|a, b| (&a.school_name, &a.school, &a.person).cmp(&(&b.school_name, &b.school, &b.person)));
    for person in entered {
        if !person.teacher_code.is_empty() {
            let sign = format!("code {}", person.teacher_code);
            alike.entry(sign).or_default().push(person.clone());
        }
        if let Some(year) = person.birth_year {
            let sign = format!("name {} {year}", person.name);
            alike.entry(sign).or_default().push(person);
        }
    }
    let mut pairs: Vec<[EnteredPerson; 2]> = Vec::new();
    for group in alike.into_values() {
        for (at, one) in group.iter().enumerate() {
            for other in group
                .iter()
                .skip(at + 1)
                .filter(|other| other.school != one.school)
            {
                let joined = people.names(&name(one)).contains(&name(other));
                let pair = [one.clone(), other.clone()];
                if !joined && !pairs.contains(&pair) {
                    pairs.push(pair);
                }
            }
        }
    }
    Ok(pairs)
}

fn name(person: &EnteredPerson) -> Key {
    key(&person.school, &person.person)
}

fn persons(node: &Node) -> Result<Vec<EnteredPerson>, Error> {
    let schools = organisation_names(node)?;
    let persons = node.records(&Filter::kind("person"))?;
    let of = |record: &Record| entered(record, schools.get(record.school.as_deref().unwrap_or_default()));
    Ok(persons.iter().map(of).collect())
}

fn entered(record: &Record, school_name: Option<&String>) -> EnteredPerson {
    EnteredPerson {
        school: record.school.clone().unwrap_or_default(),
        school_name: school_name.cloned().unwrap_or_default(),
        person: record.id.clone(),
        name: record.text("name").to_owned(),
        teacher_code: record.text("teacher_code").to_owned(),
        birth_year: record.fields.get("birth_year").and_then(|year| year.as_int()),
    }
}

/// The acts of the county, the newest first.
pub fn same_persons(node: &Node) -> Result<Vec<SamePerson>, Error> {
    let schools = organisation_names(node)?;
    let mut acts = Vec::new();
    for act in node.records(&Filter::kind("same_person"))? {
        let side = |person: &str, school: &str| -> Result<EnteredPerson, Error> {
            let (person, school) = (act.text(person), act.text(school));
            let found = record_of(node, "person", person)?.filter(|r| r.school.as_deref() == Some(school));
            Ok(match found {
                Some(record) => entered(&record, schools.get(school)),
                // Another school's roster is not read here.
                None => EnteredPerson {
                    school: school.to_owned(),
                    school_name: schools.get(school).cloned().unwrap_or_default(),
                    person: person.to_owned(),
                    name: String::new(),
                    teacher_code: String::new(),
                    birth_year: None,
                },
            })
        };
        acts.push(SamePerson {
            alias: side("alias", "alias_school")?,
            canonical: side("canonical", "canonical_school")?,
            id: act.id.clone(),
            decided_on: act.text("decided_on").to_owned(),
            note: act.text("note").to_owned(),
            by: act.text("_by").to_owned(),
            withdrawn: act.text("state") == "withdrawn",
            disputed: act.disputed,
        });
    }
    acts.sort_by(|a, b| (&b.decided_on, &b.id).cmp(&(&a.decided_on, &a.id)));
    Ok(acts)
}

/// Says that the person `alias` of one school is the person `canonical` of another: (school, person) each. Both
/// histories stay where they are and count for the one who is kept. Returns the record id.
pub fn declare_same(
    node: &Node,
    by: &By,
    alias: (&str, &str),
    canonical: (&str, &str),
    decided_on: &str,
    note: &str,
) -> Result<String, Error> {
    county(node)?;
    let _turn = turn();
    for (field, (school, person)) in [("alias", alias), ("canonical", canonical)] {
        let found = record_of(node, "person", person)?;
        if found.is_none_or(|record| record.school.as_deref() != Some(school)) {
            return Err(no_such(field, "人员", "person of that school"));
        }
    }
    let (alias, canonical) = (key(alias.0, alias.1), key(canonical.0, canonical.1));
    if alias.0 == canonical.0 {
        return Err(invalid(
            "canonical",
            "两条记录在同一所学校，请由学校在花名册里处理",
            "Both entries stand at one school; the school settles it on its roster",
        ));
    }
    if People::load(node)?.names(&alias).contains(&canonical) {
        return Err(invalid(
            "canonical",
            "已经认定为同一人（或因调动已相连）",
            "They are joined already, by such an act or by a transfer",
        ));
    }
    let id = node.new_id();
    let draft = Draft::new("same_person")
        .text("alias", &alias.1)
        .text("alias_school", &alias.0)
        .text("canonical", &canonical.1)
        .text("canonical_school", &canonical.0)
        .text("decided_on", decided_on)
        .text("note", note)
        .text("state", "in_force");
    node.commit("registry", vec![draft.create(node, id.clone(), by)?])?;
    follow(node, by, &canonical)?;
    Ok(id)
}

/// Brings over, or takes back, what follows the persons of an act that was withdrawn.
pub(super) fn follow_act(node: &Node, by: &By, act: &Record) -> Result<(), Error> {
    for (school, person) in [("canonical_school", "canonical"), ("alias_school", "alias")] {
        follow(node, by, &key(act.text(school), act.text(person)))?;
    }
    Ok(())
}

fn county(node: &Node) -> Result<(), Error> {
    if node.is_county() {
        return Ok(());
    }
    Err(invalid(
        "",
        "同一人由县里认定",
        "The county decides who is the same person",
    ))
}
