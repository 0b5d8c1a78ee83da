//! 一个学时只计一次: of several claims of one person for one time that were recognised before anybody saw it, one
//! stands and the others wait until somebody settles it.
//!
//! Inside a school the clerk sees both sessions. Two schools do not read one another, so what a person of two names
//! did at both is found where both are read, at the county. A pure function of the views: nodes that read the same
//! say the same.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::claims::{ClaimRow, ClaimState, Weighed, weigh_alone};
use super::conflicts::{Found, Rivals, across};
use super::lookup::{Key, by_about, key};
use super::people::People;
use super::per_school::PerSchool;
use crate::{Error, Node};

/// What was found of a person who has names at several schools.
#[derive(Default)]
struct Joined {
    /// Sessions of two schools at one time.
    found: Vec<Found>,
    /// The claims that wait, by school and id.
    waiting: BTreeSet<Key>,
}

/// Claims that wait at a school, whoever's they are.
static AT_SCHOOL: PerSchool<Arc<BTreeSet<Key>>> = PerSchool::new(usize::MAX);

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
    let given = weighed.iter().filter(|w| counts(w));
    let schools: BTreeSet<String> = given.map(|w| w.row.school.clone()).collect();
    if schools.is_empty() {
        return Ok(());
    }
    let wanted = |school: &str| schools.contains(school);
    let waiting = AT_SCHOOL.all(node, wanted, |school| at_school(node, school))?;
    for w in weighed.iter_mut() {
        let claim = key(&w.row.school, &w.row.id);
        mark(&mut w.row, waiting.iter().any(|waiting| waiting.contains(&claim)));
    }
    Ok(())
}

/// Of these claims, by place, those of persons with names at several schools: whether they wait.
pub(super) fn of_joined<'a>(
    node: &Node,
    claims: impl Iterator<Item = &'a ClaimRow> + Clone,
) -> Result<Vec<(usize, bool)>, Error> {
    let people = People::load(node)?;
    let groups = people.of_several_schools(claims.clone().map(|row| key(&row.school, &row.person)));
    let joined = joined(node, &people, &groups)?;
    let group_of: HashMap<&Key, &Joined> = groups
        .iter()
        .zip(&joined)
        .flat_map(|(names, one)| names.iter().map(move |name| (name, &**one)))
        .collect();
    if group_of.is_empty() {
        return Ok(Vec::new());
    }
    let waits = |(at, row): (usize, &ClaimRow)| {
        let one = group_of.get(&key(&row.school, &row.person))?;
        Some((at, one.waiting.contains(&key(&row.school, &row.id))))
    };
    Ok(claims.enumerate().filter_map(waits).collect())
}

/// Only what counted otherwise is ever among those that wait.
pub(super) fn mark(row: &mut ClaimRow, waits: bool) {
    if row.same_time != waits {
        row.same_time = waits;
        row.disputed = waits;
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
    let mut rivals = Rivals::of_day(node, &row.school, &row.date)?;
    if let Some(names) = People::load(node)?.of_several_schools([person.clone()]).pop() {
        rivals.add(across(node, &names)?);
    }
    for (session, person) in rivals.of(&weighed.row.session, &person) {
        let claims = claims_about(node, &BTreeSet::from([session]), |name| *name == person)?;
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
        for school in names.iter().map(|(school, _)| school).collect::<BTreeSet<_>>() {
            rivals.join(Rivals::of_school(node, school)?);
        }
        rivals.add(found.clone());
        let claims = claims_about(node, &rivals.sessions(), |name| names.contains(name))?;
        // Where the person is now stands before what was brought along: the school there reads its own alone, and
        // both must come to the same sum.
        let present = names.first().map(|name| people.present(name));
        let waiting = waiting(claims.iter().collect(), &rivals, |name| {
            Some(name) == present.as_ref()
        });
        Ok(Arc::new(Joined { found, waiting }))
    })
}

fn at_school(node: &Node, school: &str) -> Result<Arc<BTreeSet<Key>>, Error> {
    let rivals = Rivals::of_school(node, school)?;
    let claims = claims_about(node, &rivals.sessions(), |_| true)?;
    let mut persons: BTreeMap<&str, Vec<&Weighed>> = BTreeMap::new();
    for claim in &claims {
        persons.entry(&claim.row.person).or_default().push(claim);
    }
    let waiting = persons
        .into_values()
        .flat_map(|claims| waiting(claims, &rivals, |_| true));
    Ok(Arc::new(waiting.collect()))
}

/// The claims of some persons about these sessions.
fn claims_about(
    node: &Node,
    sessions: &BTreeSet<Key>,
    whose: impl Fn(&Key) -> bool,
) -> Result<Vec<Weighed>, Error> {
    let ids: Vec<&str> = sessions.iter().map(|(_, id)| id.as_str()).collect();
    let claims = by_about(node, "claim", &ids)?.into_values().flatten();
    let claims = claims.filter(|claim| {
        sessions.contains(&key(&claim.school, &claim.about)) && whose(&key(&claim.school, &claim.person))
    });
    weigh_alone(node, claims.collect())
}

/// Which of one person's recognised claims wait: they are taken one after the other, what `first` names before the
/// rest, then by the day of the decision, and one that stands against another that was taken is not.
fn waiting(claims: Vec<&Weighed>, rivals: &Rivals, first: impl Fn(&Key) -> bool) -> BTreeSet<Key> {
    let mut given: Vec<(bool, &str, &Weighed)> = Vec::new();
    for claim in claims.into_iter().filter(|claim| counts(claim)) {
        if let ClaimState::Decided { on, .. } = &claim.row.state {
            let later = !first(&key(&claim.row.school, &claim.row.person));
            given.push((later, on, claim));
        }
    }
    given.sort_by_key(|(later, on, claim)| (*later, *on, &claim.row.id, &claim.row.school));
    let (mut stand, mut wait) = (BTreeSet::new(), BTreeSet::new());
    for (_, _, claim) in given {
        let row = &claim.row;
        let person = key(&row.school, &row.person);
        let mut against = rivals.of(&row.session, &person);
        if against.any(|(session, _)| stand.contains(&session)) {
            wait.insert(key(&row.school, &row.id));
        } else {
            stand.insert(key(&row.school, &row.session));
        }
    }
    wait
}
