//! 一个学时只计一次: of several claims of one person for one time that were recognised before anybody saw it, one
//! stands and the others wait until somebody settles it.
//!
//! Inside a school the clerk sees both sessions. Two schools do not read one another, so what a person of two names
//! did at both is found where both are read, at the county. A pure function of the views: nodes that read the same
//! say the same.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::claims::{ClaimRow, ClaimState, Weighed, weigh_alone};
use super::conflicts::{Found, Rivals, across};
use super::lookup::{Key, json_list, key, rows_of};
use super::people::People;
use super::per_school::PerSchool;
use crate::{Error, Node};

/// Why a recognised claim counts nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Waits {
    /// It does not wait.
    #[default]
    No,
    /// The same session is counted already: two computers registered it.
    Twin,
    /// Another session of the same time is counted already.
    SameTime,
    /// Several claims of one session are recognised and say different things.
    Differ,
}

/// The claims that wait, by school and id.
type Waiting = BTreeMap<Key, Waits>;

/// What was found of a person who has names at several schools.
#[derive(Default)]
struct Joined {
    /// Sessions at one time.
    found: Vec<Found>,
    waiting: Waiting,
}

static JOINED: PerSchool<Arc<Joined>> = PerSchool::new(usize::MAX);

/// Marks the claims that wait as 待核.
pub(super) fn hold_back(node: &Node, weighed: &mut [Weighed]) -> Result<(), Error> {
    hold_back_at_school(node, weighed)?;
    for (at, waits) in of_joined(node, weighed.iter().map(|w| &w.row))? {
        if let Some(w) = weighed.get_mut(at) {
            mark(&mut w.row, waits);
        }
    }
    Ok(())
}

/// The same by what stands at each school alone, as if nobody had a second name: what may be kept until something
/// changes there. [`of_joined`] says the rest.
pub(super) fn hold_back_at_school(node: &Node, weighed: &mut [Weighed]) -> Result<(), Error> {
    let mut given: BTreeMap<String, Vec<&Weighed>> = BTreeMap::new();
    for w in weighed.iter().filter(|w| w.given().is_some()) {
        given.entry(w.row.school.clone()).or_default().push(w);
    }
    let mut waiting = Waiting::new();
    for (school, given) in given {
        waiting.extend(at_school(node, &school, &given)?);
    }
    for w in weighed.iter_mut().filter(|w| w.given().is_some()) {
        let waits = waiting.get(&key(&w.row.school, &w.row.id)).copied();
        // A later claim has taken its place, so nothing of it is added up anywhere.
        let replaced = if w.superseded { Waits::Twin } else { Waits::No };
        mark(&mut w.row, waits.unwrap_or(replaced));
    }
    Ok(())
}

/// Of these claims, by place, those of persons with names at several schools: how they wait.
pub(super) fn of_joined<'a>(
    node: &Node,
    claims: impl Iterator<Item = &'a ClaimRow> + Clone,
) -> Result<Vec<(usize, Waits)>, Error> {
    let people = People::load(node)?;
    // Each has many claims.
    let persons: HashSet<(&str, &str)> = claims.clone().map(|row| (&*row.school, &*row.person)).collect();
    let groups = people.of_several_schools(persons.into_iter().map(|(school, person)| key(school, person)));
    let joined = joined(node, &people, &groups)?;
    let group_of: HashMap<(&str, &str), &Joined> = groups
        .iter()
        .zip(&joined)
        .flat_map(|(names, one)| {
            names
                .iter()
                .map(move |(school, person)| ((&**school, &**person), &**one))
        })
        .collect();
    if group_of.is_empty() {
        return Ok(Vec::new());
    }
    let waits = |(at, row): (usize, &ClaimRow)| {
        let one = group_of.get(&(&*row.school, &*row.person))?;
        // Twins are of one school, and found there.
        let alone = if row.waits == Waits::Twin {
            Waits::Twin
        } else {
            Waits::No
        };
        let waits = one.waiting.get(&key(&row.school, &row.id)).copied();
        Some((at, waits.unwrap_or(alone)))
    };
    Ok(claims.enumerate().filter_map(waits).collect())
}

/// Only what counted otherwise is ever among those that wait.
pub(super) fn mark(row: &mut ClaimRow, waits: Waits) {
    if row.waits != waits {
        row.waits = waits;
        row.disputed = waits != Waits::No;
    }
}

/// Sessions of two schools at one time that one person cannot have been in both of, as far as both are read here.
pub(super) fn at_two_schools(node: &Node) -> Result<Vec<Found>, Error> {
    let people = People::load(node)?;
    let groups = people.of_several_schools(people.joined());
    let joined = joined(node, &people, &groups)?;
    Ok(joined.iter().flat_map(|one| one.found.iter().cloned()).collect())
}

/// A recognised claim of the same person for the time of this one.
pub(super) fn rival(node: &Node, weighed: &Weighed) -> Result<Option<Weighed>, Error> {
    let row = &weighed.row;
    let person = key(&row.school, &row.person);
    let own = BTreeSet::from([row.session.as_str()]);
    let mut rivals = Rivals::of_sessions(node, &row.school, &own)?;
    if let Some(names) = People::load(node)?.of_several_schools([person.clone()]).pop() {
        rivals.add(across(node, &names)?);
    }
    for (session, person) in rivals.of(&weighed.row.session, &person) {
        let of = BTreeSet::from([person.1.as_str()]);
        let claims = claims_about(node, &BTreeSet::from([session]), &of, |name| *name == person)?;
        if let Some(given) = claims.into_iter().find(counts) {
            return Ok(Some(given));
        }
    }
    Ok(None)
}

fn counts(weighed: &Weighed) -> bool {
    !weighed.superseded && weighed.given().is_some()
}

fn joined(node: &Node, people: &People, groups: &[BTreeSet<Key>]) -> Result<Vec<Arc<Joined>>, Error> {
    JOINED.groups(node, groups, |names| {
        let found = across(node, names)?;
        let mut rivals = Rivals::default();
        let mut sessions = BTreeSet::new();
        for (school, person) in names {
            let claimed = claimed(node, school, person)?;
            let own = claimed.iter().map(String::as_str).collect();
            rivals.join(Rivals::of_sessions(node, school, &own)?);
            sessions.extend(registered_twice(
                node,
                school,
                &BTreeSet::from([person.as_str()]),
            )?);
        }
        rivals.add(found.clone());
        sessions.extend(rivals.sessions());
        let persons = names.iter().map(|(_, person)| person.as_str()).collect();
        let claims = claims_about(node, &sessions, &persons, |name| names.contains(name))?;
        // Where the person is now stands before what was brought along: the school there reads its own alone, and
        // both must come to the same sum.
        let present = names.first().map(|name| people.present(name));
        let waiting = waiting(claims.iter(), &rivals, |name| Some(name) == present.as_ref());
        Ok(Arc::new(Joined { found, waiting }))
    })
}

/// Of these recognised claims of a school, those that wait.
fn at_school(node: &Node, school: &str, given: &[&Weighed]) -> Result<Waiting, Error> {
    let claimed: BTreeSet<&str> = given.iter().map(|w| w.row.session.as_str()).collect();
    let rivals = Rivals::of_sessions(node, school, &claimed)?;
    let persons: BTreeSet<&str> = given.iter().map(|w| w.row.person.as_str()).collect();
    let mut sessions = rivals.sessions();
    sessions.extend(registered_twice(node, school, &persons)?);
    let claims = claims_about(node, &sessions, &persons, |_| true)?;
    let mut of_person: BTreeMap<&str, Vec<&Weighed>> = BTreeMap::new();
    for claim in &claims {
        of_person.entry(&claim.row.person).or_default().push(claim);
    }
    let each = of_person
        .into_values()
        .flat_map(|claims| waiting(claims.into_iter(), &rivals, |_| true));
    Ok(each.collect())
}

/// Sessions of a school for which one of these persons has several claims.
fn registered_twice(node: &Node, school: &str, persons: &BTreeSet<&str>) -> Result<Vec<Key>, Error> {
    let persons: Vec<&str> = persons.iter().copied().collect();
    let sql = "SELECT about FROM record
         WHERE kind = 'claim' AND school = ?1 AND person IN (SELECT value FROM json_each(?2)) AND about IS NOT NULL
         GROUP BY person, about HAVING COUNT(*) > 1";
    let found = sessions_of(node, sql, school, &json_list(&persons))?;
    Ok(found.into_iter().map(|id| key(school, &id)).collect())
}

/// The sessions for which a person has a claim.
fn claimed(node: &Node, school: &str, person: &str) -> Result<BTreeSet<String>, Error> {
    let sql =
        "SELECT about FROM record WHERE kind = 'claim' AND school = ?1 AND person = ?2 AND about IS NOT NULL";
    sessions_of(node, sql, school, person)
}

fn sessions_of(node: &Node, sql: &str, school: &str, of: &str) -> Result<BTreeSet<String>, Error> {
    node.read(|conn| {
        let mut query = conn.prepare_cached(sql)?;
        let found = query.query_map((school, of), |row| row.get(0))?;
        Ok(found.collect::<Result<_, _>>()?)
    })
}

/// The claims of these persons about these sessions.
fn claims_about(
    node: &Node,
    sessions: &BTreeSet<Key>,
    persons: &BTreeSet<&str>,
    whose: impl Fn(&Key) -> bool,
) -> Result<Vec<Weighed>, Error> {
    if sessions.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<&str> = sessions.iter().map(|(_, id)| id.as_str()).collect();
    let persons: Vec<&str> = persons.iter().copied().collect();
    let mut claims = rows_of(node, "claim", &ids, &persons)?;
    claims.retain(|claim| {
        sessions.contains(&key(&claim.school, &claim.about)) && whose(&key(&claim.school, &claim.person))
    });
    weigh_alone(node, claims)
}

/// Which of one person's recognised claims wait: they are taken one after the other, what `first` names before the
/// rest, then by the day of the decision, and one that stands against another that was taken is not. Several of one
/// session are one if they say the same, and none if not.
fn waiting<'w>(
    claims: impl Iterator<Item = &'w Weighed>,
    rivals: &Rivals,
    first: impl Fn(&Key) -> bool,
) -> Waiting {
    let mut given: Vec<(bool, &str, &Weighed)> = Vec::new();
    let mut said: BTreeMap<Key, BTreeSet<_>> = BTreeMap::new();
    for claim in claims.filter(|claim| counts(claim)) {
        if let ClaimState::Decided { on, .. } = &claim.row.state {
            let row = &claim.row;
            let later = !first(&key(&row.school, &row.person));
            given.push((later, on, claim));
            let content = (
                (&row.category, &row.sub, &row.channel),
                claim.claim.text("rule_ref"),
                claim.given(),
            );
            said.entry(key(&row.school, &row.session))
                .or_default()
                .insert(content);
        }
    }
    given.sort_by_key(|(later, on, claim)| (*later, *on, &claim.row.id, &claim.row.school));
    let (mut stand, mut wait) = (BTreeSet::new(), Waiting::new());
    for (_, _, claim) in given {
        let row = &claim.row;
        let (person, session) = (key(&row.school, &row.person), key(&row.school, &row.session));
        let mut against = rivals.of(&row.session, &person);
        let why = if said.get(&session).is_some_and(|said| said.len() > 1) {
            Waits::Differ
        } else if stand.contains(&session) {
            Waits::Twin
        } else if against.any(|(session, _)| stand.contains(&session)) {
            Waits::SameTime
        } else {
            stand.insert(session);
            continue;
        };
        wait.insert(key(&row.school, &row.id), why);
    }
    wait
}
