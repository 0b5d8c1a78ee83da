//! Which conflicts are open, by the views of a school. Equal values are none.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use records::kinds::{Kind, Scene};
use records::{Kinds, Occasion, Value, minute_of_day, titles_alike};

use super::{Found, Matter};
use crate::office::attendance::{Tally, tallies, tallies_of};
use crate::office::audit::reopened;
use crate::office::claims::{ClaimState, Weighed, weigh_alone};
use crate::office::entries::related;
use crate::office::lookup::{By, Key, Row, by_about, key, rows, rows_of};
use crate::office::once::at_two_schools;
use crate::office::per_school::PerSchool;
use crate::office::standing::page_waits;
use crate::{Error, Node};

static FOUND: PerSchool<Vec<Found>> = PerSchool::new(usize::MAX);

static PAIRS: PerSchool<Arc<Vec<Found>>> = PerSchool::new(usize::MAX);

/// Decisions that a page lists at most.
const DECISIONS: u32 = 200;

/// Everything that is open at this node: at a school its own, at the county that of all schools.
pub fn open_conflicts(node: &Node) -> Result<Vec<Found>, Error> {
    Ok(conflicts_within(node, Duration::MAX)?.0)
}

/// How many are open, for a page: where the running hub looks through what has changed, for how many schools it has
/// still to be done.
pub fn count_conflicts(node: &Node) -> Result<(usize, usize), Error> {
    let (all, left) = conflicts_within(node, page_waits(node))?;
    if left > 0 {
        node.0.conflicts_wanted.notify_one();
    }
    Ok((all.len(), left))
}

fn conflicts_within(node: &Node, within: Duration) -> Result<(Vec<Found>, usize), Error> {
    let home = node.home_school();
    let county = node.is_county() || node.is_auditor();
    let wanted = |school: &str| county || home.as_deref() == Some(school);
    let (found, left) = FOUND.all_within(node, wanted, |school| of_school(node, school), within)?;
    let mut all: Vec<Found> = found.into_iter().flatten().collect();
    if county {
        all.extend(at_two_schools(node)?);
    }
    let ids = reopened(node, wanted, DECISIONS)?;
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let claims = rows(node, "claim", By::Id, &ids)?.into_iter();
    // Another school may have used the same id.
    all.extend(claims.filter(|claim| wanted(&claim.school)).map(|claim| Found {
        person: claim.person,
        ..found_of(&claim.school, Matter::Decision, &claim.id)
    }));
    all.sort();
    all.dedup();
    Ok((all, left))
}

/// Two sessions of which a person can have one alone: at one time, or perhaps the same. An hour counts once, so of
/// their claims one alone is recognised until somebody settles it.
#[derive(Debug, Default)]
pub(in crate::office) struct Rivals(Vec<Found>);

impl Found {
    /// Whether it is about two sessions of which a person can have one.
    fn of_time(&self) -> bool {
        matches!(self.matter, Matter::Duplicate | Matter::Overlap)
    }
}

impl Rivals {
    /// Those of a school that are about one of these sessions of it.
    pub(in crate::office) fn of_sessions(
        node: &Node,
        school: &str,
        sessions: &BTreeSet<&str>,
    ) -> Result<Rivals, Error> {
        let named = |one: &&Found| {
            let sides = [&one.about, &one.other];
            one.of_time() && sides.iter().any(|id| sessions.contains(id.as_str()))
        };
        let found = pairs_of(node, school)?;
        let all = found.iter().flat_map(|found| found.iter());
        Ok(Rivals(all.filter(named).cloned().collect()))
    }

    /// These, too.
    pub(in crate::office) fn add(&mut self, found: Vec<Found>) {
        self.0.extend(found);
    }

    /// Those, too.
    pub(in crate::office) fn join(&mut self, others: Rivals) {
        self.0.extend(others.0);
    }

    /// All sessions that stand against another, by school and id.
    pub(in crate::office) fn sessions(&self) -> BTreeSet<Key> {
        let sides = self.0.iter().filter(|one| one.of_time());
        sides
            .flat_map(|one| [&one.about, &one.other].map(|id| key(&one.side(id).school, id)))
            .collect()
    }

    /// The sessions that stand against this one for a person, with the person's name there.
    pub(in crate::office) fn of(&self, session: &str, person: &Key) -> impl Iterator<Item = (Key, Key)> {
        self.0.iter().filter(|one| one.of_time()).filter_map(move |one| {
            let other = match (one.about == session, one.other == session) {
                (true, _) => &one.other,
                (_, true) => &one.about,
                _ => return None,
            };
            let (here, mut there) = (one.side(session), one.side(other));
            if one.matter == Matter::Duplicate {
                there.person.clone_from(&person.1);
            } else if here.person != person.1 {
                return None;
            }
            (here.school == person.0).then(|| (key(&there.school, other), key(&there.school, &there.person)))
        })
    }
}

fn found_of(school: &str, matter: Matter, about: &str) -> Found {
    Found {
        school: school.to_owned(),
        matter,
        about: about.to_owned(),
        other: String::new(),
        person: String::new(),
        field: String::new(),
        there: None,
    }
}

/// Sessions that one person, who has these names, cannot have been in both of, under two of them. Which of them it was is
/// for the county to ask; a claim that it has refused is out of the question.
pub(in crate::office) fn across(node: &Node, names: &BTreeSet<Key>) -> Result<Vec<Found>, Error> {
    let together = TOGETHER.groups(node, std::slice::from_ref(names), |names| together(node, names))?;
    let found: Vec<Found> = together.iter().flat_map(|found| found.iter().cloned()).collect();
    not_refused(node, found)
}

static TOGETHER: PerSchool<Arc<Vec<Found>>> = PerSchool::entered(usize::MAX);

/// The same by what the schools have entered alone.
fn together(node: &Node, names: &BTreeSet<Key>) -> Result<Arc<Vec<Found>>, Error> {
    let persons: Vec<&str> = names.iter().map(|(_, person)| person.as_str()).collect();
    let ids = on_shared_days(node, names)?;
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    if ids.is_empty() {
        return Ok(Arc::default());
    }
    let mut days: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    for row in rows(node, "session", By::Id, &ids)? {
        let school = names.iter().any(|(school, _)| *school == row.school);
        if school && (row.disputed || row.text("state") != "void") {
            days.entry(row.text("date").to_owned()).or_default().push(row);
        }
    }
    let tallies = tallies_of(node, &ids, &persons)?;
    let mut all = Vec::new();
    for rows in days.values() {
        // Each side: the session, and the name under which the person was there.
        let mut sides: Vec<(&Row, Occasion, &Key)> = Vec::new();
        for row in rows {
            let marks = tallies.get(&key(&row.school, &row.id));
            let here = names.iter().filter(|(school, _)| *school == row.school);
            let present = here.filter(|(_, person)| {
                marks
                    .and_then(|marks| marks.get(person))
                    .is_some_and(Tally::present)
            });
            sides.extend(present.map(|name| (row, occasion(row, BTreeSet::new()), name)));
        }
        sides.sort_by(|a, b| (&a.0.id, a.2).cmp(&(&b.0.id, b.2)));
        for (at, (one, when, here)) in sides.iter().enumerate() {
            for (two, other, there) in sides.iter().skip(at + 1) {
                if here != there && one.id != two.id && when.overlaps(other) {
                    all.push(Found {
                        other: two.id.clone(),
                        person: here.1.clone(),
                        there: Some((*there).clone()),
                        ..found_of(&one.school, Matter::Overlap, &one.id)
                    });
                }
            }
        }
    }
    Ok(Arc::new(all))
}

/// Sessions of days on which somebody was marked under several of these names.
fn on_shared_days(node: &Node, names: &BTreeSet<Key>) -> Result<BTreeSet<String>, Error> {
    let mut days: BTreeMap<String, (BTreeSet<Key>, BTreeSet<String>)> = BTreeMap::new();
    let list = serde_json::to_string(names).unwrap_or_default();
    node.read(|conn| {
        // CROSS JOIN keeps the order: first the few names.
        let mut query = conn.prepare_cached(
            "SELECT s.date, a.school, a.person, s.id FROM json_each(?1) n
             CROSS JOIN record a ON a.kind = 'attendance' AND a.school = n.value ->> 0 AND a.person = n.value ->> 1
             CROSS JOIN record s ON s.id = a.about AND +s.kind = 'session' AND s.school IS a.school
             WHERE s.date IS NOT NULL",
        )?;
        let mut found = query.query([list])?;
        while let Some(row) = found.next()? {
            let day = days.entry(row.get(0)?).or_default();
            day.0.insert((row.get(1)?, row.get(2)?));
            day.1.insert(row.get(3)?);
        }
        Ok(())
    })?;
    let shared = days.into_values().filter(|(names, _)| names.len() > 1);
    Ok(shared.flat_map(|(_, sessions)| sessions).collect())
}

fn of_school(node: &Node, school: &str) -> Result<Vec<Found>, Error> {
    let kinds = node.kinds();
    let settled = Settled::of(node, school)?;
    let mut all = marks(node, school)?;
    values(node, &kinds, school, &mut all)?;
    for found in pairs_of(node, school)? {
        all.extend(found.iter().cloned());
    }
    visited(node, school, &settled, &mut all)?;
    claims(node, school, &mut all)?;
    signatures(node, &kinds, school, &mut all)?;
    groups(node, school, &settled, &mut all)?;
    all.sort();
    all.dedup();
    Ok(all)
}

/// Two columns of a query about one school.
fn two_columns(node: &Node, sql: &str, school: &str) -> Result<Vec<(String, String)>, Error> {
    node.read(|conn| {
        let mut query = conn.prepare_cached(sql)?;
        let rows = query.query_map([school], |row| {
            let text = |at: usize| row.get::<_, Option<String>>(at);
            Ok((text(0)?.unwrap_or_default(), text(1)?.unwrap_or_default()))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    })
}

/// Sessions of a school that are void.
fn void(node: &Node, school: &str) -> Result<BTreeSet<String>, Error> {
    let sql = "SELECT id, NULL FROM record WHERE kind = 'session' AND school = ?1
         AND disputed = 0 AND json_extract(fields, '$.state') = 'void'";
    Ok(two_columns(node, sql, school)?
        .into_iter()
        .map(|(id, _)| id)
        .collect())
}

fn marks(node: &Node, school: &str) -> Result<Vec<Found>, Error> {
    let twice = twice(node, "attendance", school)?;
    let sessions: Vec<&str> = twice.iter().map(|(session, _)| session.as_str()).collect();
    let mut said: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for row in by_about(node, "attendance", &sessions)?.into_values().flatten() {
        let of = (row.about.clone(), row.person.clone());
        if row.school == school && twice.contains(&of) {
            said.entry(of).or_default().insert(row.text("status").to_owned());
        }
    }
    let differing = said
        .into_iter()
        .filter(|(_, said)| said.len() > 1)
        .map(|(of, _)| of);
    // One mark that two devices have changed.
    let sql = "SELECT about, person FROM record WHERE school = ?1 AND disputed = 1 AND +kind = 'attendance'
         AND json_extract(others, '$.status') IS NOT NULL";
    let changed = two_columns(node, sql, school)?;
    let of: BTreeSet<(String, String)> = differing.chain(changed).collect();
    if of.is_empty() {
        return Ok(Vec::new());
    }
    let void = void(node, school)?;
    let found = of.into_iter().filter(|(session, _)| !void.contains(session));
    Ok(found
        .map(|(session, person)| Found {
            person,
            ..found_of(school, Matter::Mark, &session)
        })
        .collect())
}

/// What there are several claims or marks of: what they are about, and the person.
fn twice(node: &Node, kind: &'static str, school: &str) -> Result<BTreeSet<(String, String)>, Error> {
    // The kind stands in the text: an index of each of the two answers it.
    let sql = format!(
        "SELECT about, person FROM record WHERE kind = '{kind}' AND school = ?1
         GROUP BY person, about HAVING COUNT(*) > 1"
    );
    Ok(two_columns(node, &sql, school)?.into_iter().collect())
}

fn values(node: &Node, kinds: &Kinds, school: &str, all: &mut Vec<Found>) -> Result<(), Error> {
    // The county's word is its own affair, and what contradicts a settlement shows as what it settles.
    let sql = "SELECT id || ' ' || kind || '/' || version, others FROM record
         WHERE school = ?1 AND disputed = 1 AND kind NOT IN ('settlement', 'decision')";
    for (record, others) in two_columns(node, sql, school)? {
        let Some((id, reference)) = record.split_once(' ') else {
            continue;
        };
        let others: BTreeMap<String, Vec<Value>> = serde_json::from_str(&others).unwrap_or_default();
        let form = kinds.get(reference);
        for field in others.into_keys() {
            let mark = reference.starts_with("attendance/") && field == "status";
            if !mark && form.and_then(|form| form.field(&field)).is_some_and(|f| f.counts) {
                all.push(Found {
                    field,
                    ..found_of(school, Matter::Value, id)
                });
            }
        }
    }
    Ok(())
}

/// What settlements say of two records, by matter, both ids and person.
struct Settled(HashMap<[String; 4], BTreeSet<String>>);

impl Settled {
    fn of(node: &Node, school: &str) -> Result<Settled, Error> {
        let sql = "SELECT id, NULL FROM record WHERE kind = 'settlement' AND school = ?1";
        let ids = two_columns(node, sql, school)?;
        let ids: Vec<&str> = ids.iter().map(|(id, _)| id.as_str()).collect();
        let mut said: HashMap<[String; 4], BTreeSet<String>> = HashMap::new();
        for row in rows(node, "settlement", By::Id, &ids)? {
            let texts = ["matter", "about", "other", "person"].map(|field| row.text(field).to_owned());
            let chosen = said.entry(texts).or_default();
            chosen.insert(row.text("chosen").to_owned());
            if row.disputed {
                // Two choices of one settlement: as good as two settlements.
                chosen.insert(String::new());
            }
        }
        Ok(Settled(said))
    }

    fn chosen(&self, found: &Found) -> Option<&BTreeSet<String>> {
        let Found {
            about, other, person, ..
        } = found;
        let key = [found.matter.code(), about, other, person].map(str::to_owned);
        self.0.get(&key)
    }

    /// Whether everybody who settled it said that both stand.
    fn both_stand(&self, found: &Found) -> bool {
        self.chosen(found)
            .is_some_and(|chosen| chosen.len() == 1 && chosen.contains(super::settle::BOTH))
    }

    /// Whether everybody who settled it said the same.
    fn agreed(&self, found: &Found) -> bool {
        self.chosen(found).is_some_and(|chosen| chosen.len() == 1)
    }

    /// Whether it was settled in different ways.
    fn differ(&self, found: &Found) -> bool {
        self.chosen(found).is_some_and(|chosen| chosen.len() > 1)
    }
}

/// Two sessions of one day as the school has entered them.
struct Near {
    /// Record ids, ascending.
    ids: [String; 2],
    /// They look like one.
    alike: bool,
    /// One of them is void.
    void: bool,
    /// Who was in both of them, though one person cannot have been.
    both: Vec<String>,
}

static NEAR: PerSchool<Arc<Vec<Near>>> = PerSchool::entered(usize::MAX);

/// The pairs of a school of all days, kept until something changes there.
fn pairs_of(node: &Node, school: &str) -> Result<Vec<Arc<Vec<Found>>>, Error> {
    PAIRS.all(
        node,
        |one| one == school,
        |school| Ok(Arc::new(pairs(node, school)?)),
    )
}

/// Two sessions of one day that look like one, or that one person cannot have been in both of.
fn pairs(node: &Node, school: &str) -> Result<Vec<Found>, Error> {
    let all_near = NEAR.all(node, |one| one == school, |school| near(node, school))?;
    let mut all_near = all_near.iter().flat_map(|near| near.iter()).peekable();
    let mut all = Vec::new();
    if all_near.peek().is_none() {
        return Ok(all);
    }
    let settled = Settled::of(node, school)?;
    let mut overlaps = Vec::new();
    for near in all_near {
        let duplicate = Found {
            other: near.ids[1].clone(),
            ..found_of(school, Matter::Duplicate, &near.ids[0])
        };
        // Somebody voided one of them as the same, and somebody else said that they are two.
        if settled.differ(&duplicate) {
            all.push(duplicate);
        } else if near.void {
        } else if near.alike && !settled.both_stand(&duplicate) {
            all.push(duplicate);
        } else {
            overlaps.extend(near.both.iter().map(|person| Found {
                matter: Matter::Overlap,
                person: person.clone(),
                ..duplicate.clone()
            }));
        }
    }
    let (differ, mut open): (Vec<_>, Vec<_>) = overlaps.into_iter().partition(|one| settled.differ(one));
    open.retain(|one| !settled.both_stand(one));
    all.extend(differ);
    all.extend(not_refused(node, open)?);
    Ok(all)
}

fn near(node: &Node, school: &str) -> Result<Arc<Vec<Near>>, Error> {
    let mut all = Vec::new();
    let sql = "SELECT id, date FROM record WHERE kind = 'session' AND school = ?1 AND date IN
         (SELECT date FROM record WHERE kind = 'session' AND school = ?1 GROUP BY date HAVING COUNT(*) > 1)";
    let crowded = two_columns(node, sql, school)?;
    let ids: Vec<&str> = crowded.iter().map(|(id, _)| id.as_str()).collect();
    let mut tallies = tallies(node, &ids)?;
    let mut days: BTreeMap<String, Vec<(Row, Occasion)>> = BTreeMap::new();
    for row in rows(node, "session", By::Id, &ids)? {
        if row.school != school {
            continue;
        }
        let people = tallies.remove(&key(school, &row.id)).unwrap_or_default();
        let people = people.into_iter().filter(|(_, mark)| mark.present());
        let occasion = occasion(&row, people.map(|(person, _)| person).collect());
        days.entry(occasion.date.clone())
            .or_default()
            .push((row, occasion));
    }
    let void = |row: &Row| row.text("state") == "void" && !row.disputed;
    for day in days.values() {
        for (at, (one, a)) in day.iter().enumerate() {
            for (two, b) in day.iter().skip(at + 1) {
                let mut ids = [one, two].map(|row| row.id.clone());
                ids.sort_unstable();
                let both = a.people.intersection(&b.people).filter(|_| a.overlaps(b));
                all.push(Near {
                    ids,
                    alike: a.resembles(b),
                    void: void(one) || void(two),
                    both: both.cloned().collect(),
                });
            }
        }
    }
    Ok(Arc::new(all))
}

/// Of these overlaps those of which the county has not refused one side.
fn not_refused(node: &Node, mut found: Vec<Found>) -> Result<Vec<Found>, Error> {
    let distinct = |of: fn(&Found) -> [String; 2]| found.iter().flat_map(of).collect::<BTreeSet<_>>();
    let sessions = distinct(|one| [one.about.clone(), one.other.clone()]);
    let persons = distinct(|one| [&one.about, &one.other].map(|id| one.side(id).person));
    fn list(of: &BTreeSet<String>) -> Vec<&str> {
        of.iter().map(String::as_str).collect()
    }
    if found.is_empty() {
        return Ok(found);
    }
    let claims = rows_of(node, "claim", &list(&sessions), &list(&persons))?;
    let claims = weigh_alone(node, claims)?;
    let mut of_side: HashMap<[&str; 3], Vec<&Weighed>> = HashMap::new();
    for claim in &claims {
        let row = &claim.row;
        of_side
            .entry([&row.school, &row.person, &row.session])
            .or_default()
            .push(claim);
    }
    let refused = |side: Found| {
        let own = of_side.get(&[side.school.as_str(), &side.person, &side.about]);
        all_refused(own.into_iter().flatten().copied())
    };
    found.retain(|one| {
        ![&one.about, &one.other]
            .into_iter()
            .any(|id| refused(one.side(id)))
    });
    Ok(found)
}

/// A mentor's sheet and a session of the school that may be the same work: within the days of the visit, with a
/// title or theme that is alike. The sheet gives no credit, so nothing counts twice; who reads both must know.
fn visited(node: &Node, school: &str, settled: &Settled, all: &mut Vec<Found>) -> Result<(), Error> {
    let sql = "SELECT s.id, v.id FROM record v
         JOIN record s ON s.kind = 'session' AND s.school = ?1
            AND s.date BETWEEN v.date AND json_extract(v.fields, '$.to')
         WHERE v.kind = 'visit' AND v.school = ?1 AND v.disputed = 0 AND s.disputed = 0
            AND json_extract(v.fields, '$.state') <> 'void' AND json_extract(s.fields, '$.state') <> 'void'";
    let near = two_columns(node, sql, school)?;
    let columns = |at: fn(&(String, String)) -> &str| near.iter().map(at).collect::<Vec<_>>();
    let of_school = |kind: &str, ids: &[&str]| -> Result<HashMap<String, Row>, Error> {
        let mut found = rows(node, kind, By::Id, ids)?;
        found.retain(|row| row.school == school);
        Ok(found.into_iter().map(|row| (row.id.clone(), row)).collect())
    };
    let sessions = of_school("session", &columns(|(session, _)| session))?;
    let visits = of_school("visit", &columns(|(_, visit)| visit))?;
    for (session, visit) in &near {
        let (Some(held), Some(sheet)) = (sessions.get(session), visits.get(visit)) else {
            continue;
        };
        let alike = |field: &str| titles_alike(held.text(field), sheet.text("theme"));
        let found = Found {
            other: visit.clone(),
            ..found_of(school, Matter::Duplicate, session)
        };
        if (alike("title") || alike("theme")) && !settled.agreed(&found) {
            all.push(found);
        }
    }
    Ok(())
}

/// Whether the county has said of all that a person claims for a session that it gives nothing. A twin that is refused
/// as a duplicate leaves the other one standing.
fn all_refused<'w>(claims: impl Iterator<Item = &'w Weighed>) -> bool {
    let mut live = claims.filter(|claim| !claim.superseded).peekable();
    live.peek().is_some() && live.all(is_refused)
}

/// The county has said of what stands there now that it gives nothing.
fn is_refused(claim: &Weighed) -> bool {
    matches!(&claim.row.state, ClaimState::Decided { verdict, .. } if verdict == "rejected")
        && !claim.decisions_differ
}

fn occasion(row: &Row, people: BTreeSet<String>) -> Occasion {
    let begins = minute_of_day(row.text("begins"));
    let length = u16::try_from(row.int("minutes"))
        .ok()
        .filter(|minutes| *minutes > 0);
    Occasion {
        host: row.text("host").to_owned(),
        date: row.text("date").to_owned(),
        title: row.text("title").to_owned(),
        ends: minute_of_day(row.text("ends")).or_else(|| begins?.checked_add(length?)),
        begins,
        hours_c: row.int("hours_c"),
        people,
    }
}

/// Claims of one person for one session that say different things.
fn claims(node: &Node, school: &str, all: &mut Vec<Found>) -> Result<(), Error> {
    let mut several = twice(node, "claim", school)?;
    if several.is_empty() {
        return Ok(());
    }
    let void = void(node, school)?;
    several.retain(|(session, _)| !void.contains(session));
    let sessions: Vec<&str> = several.iter().map(|(session, _)| session.as_str()).collect();
    let rows = by_about(node, "claim", &sessions)?.into_values().flatten();
    let rows =
        rows.filter(|row| row.school == school && several.contains(&(row.about.clone(), row.person.clone())));
    let mut contents: BTreeMap<(String, String), BTreeSet<[String; 6]>> = BTreeMap::new();
    for claim in weigh_alone(node, rows.collect())? {
        if !claim.superseded && !is_refused(&claim) {
            let name = (claim.row.session.clone(), claim.row.person.clone());
            contents.entry(name).or_default().insert(content(&claim));
        }
    }
    let differing = contents.into_iter().filter(|(_, contents)| contents.len() > 1);
    all.extend(differing.map(|((session, person), _)| Found {
        person,
        ..found_of(school, Matter::Claims, &session)
    }));
    Ok(())
}

/// What of a claim must be the same on every device.
pub(super) fn content(claim: &Weighed) -> [String; 6] {
    let row = &claim.row;
    [
        row.channel.clone(),
        row.category.clone(),
        row.sub.clone(),
        row.hours_c.to_string(),
        row.credits_c.to_string(),
        // Credits of two versions of the rules are not the same credits.
        claim.claim.text("rule_ref").to_owned(),
    ]
}

/// The kinds that come into a state by signatures.
fn signed_kinds(kinds: &Kinds) -> impl Iterator<Item = &Kind> {
    kinds.newest().filter(|kind| {
        let needs = kind.states.iter().flat_map(|states| &states.moves);
        needs.flat_map(|each| &each.needs).any(|need| need.binds)
    })
}

/// Records whose signatures are on other content than stands there now.
fn signatures(node: &Node, kinds: &Kinds, school: &str, all: &mut Vec<Found>) -> Result<(), Error> {
    let sql = "SELECT DISTINCT about, NULL FROM record WHERE kind = 'signature' AND school = ?1";
    let signed = two_columns(node, sql, school)?;
    let ids: Vec<&str> = signed.iter().map(|(id, _)| id.as_str()).collect();
    let words = by_about(node, "signature", &ids)?;
    for kind in signed_kinds(kinds) {
        for row in rows(node, &kind.id, By::Id, &ids)? {
            let form = kinds.get(row.text("_kind"));
            let about = words.get(&key(school, &row.id)).map(Vec::as_slice);
            let related: Vec<_> = about.unwrap_or_default().iter().map(related).collect();
            let standing = form.and_then(|form| {
                let scene = Scene {
                    kinds,
                    kind: form,
                    fields: &row.fields,
                    disputed: row.disputed,
                    related: &related,
                };
                Some(scene.standing()?.unsigned)
            });
            if row.school == school && standing == Some(true) {
                all.push(found_of(school, Matter::Signature, &row.id));
            }
        }
    }
    Ok(())
}

/// Kinds of groups that train somebody for years: one at a time, as far as the county's rules say nothing else
/// (R4, D4). Data may say two; a person says that it is meant.
const TEAMS: [&str; 2] = ["studio", "team"];

fn groups(node: &Node, school: &str, settled: &Settled, all: &mut Vec<Found>) -> Result<(), Error> {
    let sql = "SELECT about, person FROM record WHERE kind = 'group_member' AND school = ?1
         AND person IN (SELECT person FROM record WHERE kind = 'group_member' AND school = ?1
            GROUP BY person HAVING COUNT(DISTINCT about) > 1)";
    let several = two_columns(node, sql, school)?;
    let groups: Vec<&str> = several.iter().map(|(group, _)| group.as_str()).collect();
    let teams: BTreeSet<String> = rows(node, "group", By::Id, &groups)?
        .into_iter()
        .filter(|group| group.school == school && TEAMS.contains(&group.text("group_kind")))
        .map(|group| group.id)
        .collect();
    let teams: Vec<&str> = teams.iter().map(String::as_str).collect();
    let mut members: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    for row in by_about(node, "group_member", &teams)?.into_values().flatten() {
        if row.school == school {
            members.entry(row.person.clone()).or_default().push(row);
        }
    }
    let ends = |row: &Row| match row.text("to") {
        "" => "9999".to_owned(),
        to => to.to_owned(),
    };
    for rows in members.values_mut() {
        rows.sort_by(|a, b| a.id.cmp(&b.id));
        for (at, one) in rows.iter().enumerate() {
            for two in rows.iter().skip(at + 1) {
                let found = Found {
                    other: two.id.clone(),
                    person: one.person.clone(),
                    ..found_of(school, Matter::Groups, &one.id)
                };
                let together = one.about != two.about
                    && *one.text("from") <= *ends(two)
                    && *two.text("from") <= *ends(one);
                if together && !settled.both_stand(&found) {
                    all.push(found);
                }
            }
        }
    }
    Ok(())
}
