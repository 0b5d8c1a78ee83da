//! Claims (登分): what a school registers for each person who took part, and what became of it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use records::rules::{RuleSet, r1};
use records::{Fields, Kinds, Value, claim_digest_with, show_hundredths};

use super::attendance::{Tally, own_session, tallies, tallies_of};
use super::closing::Closed;
use super::draft::{Draft, kind_of};
use super::lookup::{Key, Row, by_about, by_id, key, newest, superseding};
use super::once::{Waits, hold_back, hold_back_at_school, mark, of_joined};
use super::organisations::organisation_names;
use super::per_school::{PerYear, Years};
use super::roster::Edits;
use super::{By, invalid, turn};
use crate::{Error, Filter, Node, Record, Way};

/// How far a claim has come. Shown from receipts and decisions alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimState {
    /// 已保存在本校.
    SavedAtSchool,
    /// 已由他人带走: another node holds it, the county does not yet say so.
    Carried,
    /// 已到县.
    AtCounty,
    /// The county has spoken, on this very content.
    Decided {
        /// Code: recognised, reduced, rejected or returned.
        verdict: String,
        /// Credits given, in hundredths.
        credits_c: i64,
        /// Class-hours given, in hundredths.
        hours_c: i64,
        /// Code of the reason.
        reason: String,
        /// 审核意见.
        note: String,
        /// Label of the account that decided.
        by: String,
        /// `YYYY-MM-DD`.
        on: String,
    },
    /// 审后改动: claim or session changed after the decision, which must be renewed.
    ChangedAfterDecision,
}

/// A claim in a list.
#[derive(Clone, Debug)]
pub struct ClaimRow {
    /// Record id.
    pub id: String,
    /// Record id of the school.
    pub school: String,
    /// Name of the school.
    pub school_name: String,
    /// Record id of the person.
    pub person: String,
    /// 姓名; empty where this node may not read it.
    pub person_name: String,
    /// Record id of the session.
    pub session: String,
    /// 活动名称; empty while the session has not arrived (待同步).
    pub session_title: String,
    /// Date of the session, `YYYY-MM-DD`.
    pub date: String,
    /// Code of the course category.
    pub category: String,
    /// Code of the sub-category.
    pub sub: String,
    /// Code of the channel.
    pub channel: String,
    /// Class-hours claimed, in hundredths.
    pub hours_c: i64,
    /// Credits claimed, in hundredths.
    pub credits_c: i64,
    /// Date that the clerk gave, `YYYY-MM-DD`.
    pub claimed_on: String,
    /// Label of the account that registered it, 专管员.
    pub claimed_by: String,
    /// How far it has come.
    pub state: ClaimState,
    /// 待核: it rests on something that is in dispute, void, missing or no longer so. Counts zero.
    pub disputed: bool,
    /// Whether it is recognised and 待核 all the same, because an hour counts once.
    pub waits: Waits,
    /// 迟报: it, or a change of it, came after its school year was closed.
    pub late: bool,
    /// Its school year is closed: only a correction decides on it.
    pub closed: bool,
}

/// A claim with everything that decides what it is worth.
pub(super) struct Weighed {
    pub(super) row: ClaimRow,
    /// The claim's own record.
    pub(super) claim: Row,
    /// The session's record, if it is here.
    pub(super) session: Option<Arc<Row>>,
    /// A later claim takes its place.
    pub(super) superseded: bool,
    /// What it rests on is here, undisputed, and as its kinds allow.
    pub(super) sound: bool,
    /// Several decisions differ, or one is itself in dispute, not as its kind allows, or gives more than was claimed.
    pub(super) decisions_differ: bool,
    /// Who came late or left early.
    pub(super) partial: bool,
    /// The county's decisions on it.
    pub(super) decisions: Vec<Row>,
}

impl Weighed {
    /// Class-hours and credits (hundredths) that the county has given for it, if they count now.
    pub(super) fn given(&self) -> Option<(i64, i64)> {
        match &self.row.state {
            ClaimState::Decided {
                verdict,
                hours_c,
                credits_c,
                ..
            } if !self.row.disputed && GIVING.contains(&verdict.as_str()) => Some((*hours_c, *credits_c)),
            _ => None,
        }
    }
}

/// Verdicts that give credits.
pub(super) const GIVING: [&str; 2] = ["recognised", "reduced"];

/// Claims, newest first; of all schools that this node reads if `school` is `None`.
pub fn claims(node: &Node, school: Option<&str>, limit: u32) -> Result<Vec<ClaimRow>, Error> {
    let records = node.records(&newest("claim", school, limit))?;
    let weighed = weigh(node, records.into_iter().map(Row::from).collect())?;
    Ok(weighed.into_iter().map(|weighed| weighed.row).collect())
}

static OF_YEAR: PerYear<ClaimRow> = PerYear::new(24);

/// All claims of a school.
pub fn all_claims(node: &Node, school: &str) -> Result<Years<ClaimRow>, Error> {
    let mut years = OF_YEAR.years(node, school, |year| {
        let records = node.records(&newest("claim", Some(school), u32::MAX).year(year))?;
        let mut weighed = weigh_alone(node, records.into_iter().map(Row::from).collect())?;
        hold_back_at_school(node, &mut weighed)?;
        Ok(weighed.into_iter().map(|weighed| weighed.row).collect())
    })?;
    let joined = of_joined(node, years.iter())?;
    years.change(&joined, |row| row.waits, mark);
    Ok(years)
}

/// The claim of each person for one session; of several the one that stands.
pub(super) fn of_session(
    node: &Node,
    school: &str,
    session: &str,
) -> Result<HashMap<String, ClaimRow>, Error> {
    let records = node.records(&Filter::kind("claim").about(session).school(school))?;
    let mut standing: HashMap<String, ClaimRow> = HashMap::new();
    for weighed in weigh(node, records.into_iter().map(Row::from).collect())? {
        if weighed.superseded {
            continue;
        }
        let gives = weighed.given().is_some();
        match standing.get(&weighed.row.person) {
            Some(_) if !gives => {}
            _ => {
                standing.insert(weighed.row.person.clone(), weighed.row);
            }
        }
    }
    Ok(standing)
}

/// Registers a claim (登分) for everyone who counts as present in an ended session of the node's
/// own school; how many claims were made or brought up to date. Doing it again changes nothing,
/// unless the session has changed since, or the county has returned a claim (退回补正): then a new
/// claim names the old.
pub fn register_claims(node: &Node, by: &By, session: &str, claimed_on: &str) -> Result<usize, Error> {
    let _turn = turn();
    let record = own_session(node, session)?;
    if !is_over(record.text("state")) {
        return Err(invalid(
            "state",
            "活动结束后才能登分",
            "Credit is registered after the session has ended",
        ));
    }
    if record.disputed {
        return Err(invalid(
            "session",
            "活动内容有两种说法（待核），先选定再登分",
            "Two devices say different things about this session; choose first",
        ));
    }
    if let Some(filed) = beyond_filing(&record.fields) {
        return Err(invalid(
            "hours_c",
            &format!(
                "学时超过备案的 {}；请改正学时，或重新备案",
                show_hundredths(filed)
            ),
            &format!(
                "More class-hours than the {} filed; correct them, or file anew",
                show_hundredths(filed)
            ),
        ));
    }
    let school = record.school.clone().unwrap_or_default();
    let marks = tallies(node, &[session])?
        .remove(&key(&school, session))
        .unwrap_or_default();
    let own = node.records(&Filter::kind("claim").about(session).school(&school))?;
    let by_claim: HashMap<String, Record> = own.iter().map(|r| (r.id.clone(), r.clone())).collect();
    let weighed = weigh(node, own.into_iter().map(Row::from).collect())?;

    let rules = rules_in_use(node);
    let mut edits = Edits::default();
    let mut changed = 0;
    for (person, mark) in &marks {
        if !mark.present() {
            continue;
        }
        let standing: Vec<&Weighed> = weighed
            .iter()
            .filter(|w| w.row.person == *person && !w.superseded)
            .collect();
        let (returned, live): (Vec<_>, Vec<_>) = standing.into_iter().partition(|w| is_returned(w));
        if live.is_empty() {
            let mut draft = content(session, &record.fields, person, &rules)?.text("claimed_on", claimed_on);
            if let Some(old) = returned.last() {
                draft = draft.text("supersedes", &old.row.id);
            }
            edits.push(&record.doc, draft.create(node, node.new_id(), by)?);
            changed += 1;
            continue;
        }
        let mut touched = false;
        for old in live.iter().filter_map(|w| by_claim.get(&w.row.id)) {
            // What was registered under a version of the rules stays under it.
            let own = node.rules().get(old.text("rule_ref"));
            let draft = content(session, &record.fields, person, own.as_ref().unwrap_or(&rules))?;
            if let Some(edit) = draft.change(node, old, by)? {
                edits.push(&old.doc, edit);
                touched = true;
            }
        }
        changed += usize::from(touched);
    }
    edits.commit(node)?;
    Ok(changed)
}

fn is_returned(weighed: &Weighed) -> bool {
    matches!(&weighed.row.state, ClaimState::Decided { verdict, .. } if verdict == "returned")
        && !weighed.decisions_differ
}

/// The rules that claims are registered under now.
pub(super) fn rules_in_use(node: &Node) -> Arc<RuleSet> {
    in_force(node, r1())
}

/// The newest version of a shipped rule set that the county has put into force, or the one that was shipped.
pub(super) fn in_force(node: &Node, shipped: &RuleSet) -> Arc<RuleSet> {
    let newest = node.rules().newest(&shipped.head.id);
    newest.unwrap_or_else(|| Arc::new(shipped.clone()))
}

/// What a claim of this person says, from the session as it is now.
pub(super) fn content(id: &str, session: &Fields, person: &str, rules: &RuleSet) -> Result<Draft, Error> {
    let text = |field: &str| session.get(field).and_then(Value::as_text).unwrap_or_default();
    let hours_c = session.get("hours_c").and_then(Value::as_int).unwrap_or_default();
    let credits_c = rules
        .credits_of(hours_c)
        .map_err(|error| invalid("hours_c", &error.zh(), &error.to_string()))?;
    Ok(Draft::new("claim")
        .text("person", person)
        .text("session", id)
        .text("rule_ref", &rules.reference())
        .text("category", text("category"))
        .text("sub", text("sub"))
        .text("channel", text("channel"))
        .int("hours_c", Some(hours_c))
        .int("credits_c", Some(credits_c)))
}

/// Brings claims together with their sessions, marks, decisions and names. Keeps their order. Of several for one time
/// one counts.
pub(super) fn weigh(node: &Node, claims: Vec<Row>) -> Result<Vec<Weighed>, Error> {
    let mut weighed = weigh_alone(node, claims)?;
    hold_back(node, &mut weighed)?;
    Ok(weighed)
}

/// [`weigh`], each as if the person had no other.
pub(super) fn weigh_alone(node: &Node, claims: Vec<Row>) -> Result<Vec<Weighed>, Error> {
    let distinct = |of: fn(&Row) -> &str| -> Vec<&str> {
        claims
            .iter()
            .map(of)
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect()
    };
    let ids = distinct(|claim| &claim.id);
    let session_ids = distinct(|claim| &claim.about);
    let sessions = by_id(node, "session", &session_ids)?.into_iter();
    // Some forty claims rest on one session.
    let sessions: HashMap<Key, Arc<Row>> = sessions.map(|(name, row)| (name, Arc::new(row))).collect();
    let person_ids = distinct(|claim| &claim.person);
    let marks = tallies_of(node, &session_ids, &person_ids)?;
    let mut decisions = by_about(node, "decision", &ids)?;
    let persons = by_id(node, "person", &person_ids)?;
    let superseded = superseded(node, &session_ids, &person_ids)?;
    let schools = organisation_names(node)?;
    let county = node.is_county() || node.is_auditor();
    let home = node.home_school();
    let kinds = node.kinds();
    let closed = Closed::load(node)?;
    let late = closed.late(node, &ids)?;
    let over: HashMap<&Key, bool> = sessions
        .iter()
        .map(|(name, session)| (name, founds(&kinds, session)))
        .collect();

    Ok(claims
        .into_iter()
        .map(|claim| {
            let about = key(&claim.school, &claim.about);
            let session = sessions.get(&about);
            let decisions = decisions
                .remove(&key(&claim.school, &claim.id))
                .unwrap_or_default();
            let mark = marks.get(&about).and_then(|marks| marks.get(&claim.person));
            let way = match claim.way {
                _ if county => ClaimState::AtCounty,
                Some(Way::AtCounty) => ClaimState::AtCounty,
                Some(Way::Carried) => ClaimState::Carried,
                Some(Way::Saved) => ClaimState::SavedAtSchool,
                // Another device wrote it: at its own school it is saved, anywhere else it travels.
                Some(Way::Received) | None if home.as_deref() == Some(&claim.school) => {
                    ClaimState::SavedAtSchool
                }
                Some(Way::Received) | None => ClaimState::Carried,
            };
            let state = decided(&kinds, &claim, session.map(|row| &**row), &decisions).unwrap_or(way);
            let decisions_differ = differ(&kinds, &decisions) || beyond(&claim, &state);
            let sound = over.get(&about).is_some_and(|over| *over)
                && mark.is_some_and(Tally::present)
                && as_kind(&kinds, "claim", &claim);
            let text = |field: &str| claim.text(field).to_owned();
            let row = ClaimRow {
                id: claim.id.clone(),
                school_name: schools.get(&claim.school).cloned().unwrap_or_default(),
                school: claim.school.clone(),
                person: claim.person.clone(),
                person_name: persons
                    .get(&key(&claim.school, &claim.person))
                    .or_else(|| persons.iter().find(|(k, _)| k.1 == claim.person).map(|(_, p)| p))
                    .map_or("", |p| p.text("name"))
                    .to_owned(),
                session: claim.about.clone(),
                session_title: session.map_or("", |s| s.text("title")).to_owned(),
                date: session.map_or("", |s| s.text("date")).to_owned(),
                category: text("category"),
                sub: text("sub"),
                channel: text("channel"),
                hours_c: claim.int("hours_c"),
                credits_c: claim.int("credits_c"),
                claimed_on: text("claimed_on"),
                claimed_by: text("_by"),
                state,
                disputed: decisions_differ || !sound,
                waits: Waits::No,
                late: late.contains(&key(&claim.doc, &claim.id)),
                closed: closed.is_closed(&claim.doc),
            };
            Weighed {
                row,
                sound,
                superseded: superseded.contains(&key(&claim.school, &claim.id)),
                session: session.cloned(),
                claim,
                decisions_differ,
                partial: mark.is_some_and(|mark| matches!(mark.status.as_str(), "late" | "left_early")),
                decisions,
            }
        })
        .collect())
}

/// Whether claims can rest on this session: it is undisputed, as its kind allows, and over.
fn founds(kinds: &Kinds, session: &Row) -> bool {
    as_kind(kinds, "session", session)
        && is_over(session.text("state"))
        && beyond_filing(&session.fields).is_none()
}

/// Whether a session in this state has taken place: before its end and when it is void it founds no credit.
pub(super) fn is_over(state: &str) -> bool {
    matches!(state, "ended" | "credited" | "audited" | "archived")
}

/// The class-hours that were filed (备案) for a session, if it claims more.
fn beyond_filing(session: &Fields) -> Option<i64> {
    let number = |field: &str| session.get(field).and_then(Value::as_int);
    number("hours_filed_c").filter(|filed| number("hours_c").is_some_and(|hours| hours > *filed))
}

/// Whether a row is undisputed and as its kind allows; anything else is shown and counts zero.
fn as_kind(kinds: &Kinds, kind: &str, row: &Row) -> bool {
    let known = kind_of(kinds, kind, &row.fields);
    !row.disputed && known.is_some_and(|kind| kind.check(&row.fields).is_ok())
}

/// Whether several decisions on one claim say different things. Which auditor is right is for
/// people to settle; until then the claim counts zero.
fn differ(kinds: &Kinds, decisions: &[Row]) -> bool {
    let said = |row: &Row| {
        (
            row.text("verdict").to_owned(),
            row.int("credits_c"),
            row.int("hours_c"),
        )
    };
    let first = decisions.first().map(said);
    decisions
        .iter()
        .any(|row| !as_kind(kinds, "decision", row) || Some(said(row)) != first)
}

/// Whether more is given than was claimed, which no page offers.
fn beyond(claim: &Row, state: &ClaimState) -> bool {
    let fits = |field: &str, given: &i64| (0..=claim.int(field)).contains(given);
    match state {
        ClaimState::Decided {
            verdict,
            hours_c,
            credits_c,
            ..
        } if GIVING.contains(&verdict.as_str()) => !fits("hours_c", hours_c) || !fits("credits_c", credits_c),
        _ => false,
    }
}

/// What the county has said about a claim; `None` while it has said nothing.
fn decided(kinds: &Kinds, claim: &Row, session: Option<&Row>, decisions: &[Row]) -> Option<ClaimState> {
    // Of several the latest is shown; if they differ, the row is marked as disputed besides.
    let newest = |a: &&Row, b: &&Row| (a.text("decided_on"), &a.id).cmp(&(b.text("decided_on"), &b.id));
    let latest = decisions.iter().max_by(newest)?;
    let digest = session.map(|session| claim_digest_with(kinds, &claim.fields, &session.fields));
    let bound = decisions
        .iter()
        .filter(|row| Some(row.text("binds")) == digest.as_deref());
    let shown = match bound.max_by(newest) {
        _ if differ(kinds, decisions) => latest,
        Some(bound) => bound,
        // The change is what was asked for; the claim waits for the school, not for the county.
        None if latest.text("verdict") == "returned" => latest,
        None => return Some(ClaimState::ChangedAfterDecision),
    };
    let text = |field: &str| shown.text(field).to_owned();
    Some(ClaimState::Decided {
        verdict: text("verdict"),
        credits_c: shown.int("credits_c"),
        hours_c: shown.int("hours_c"),
        reason: text("reason"),
        note: text("note"),
        by: text("_by"),
        on: text("decided_on"),
    })
}

/// Ids of claims of these sessions in whose place a later claim stands.
fn superseded(node: &Node, sessions: &[&str], persons: &[&str]) -> Result<BTreeSet<Key>, Error> {
    // Only the same person's can take a claim's place.
    let later = superseding(node, sessions, persons)?;
    let old: Vec<&str> = later.iter().map(|claim| claim.text("supersedes")).collect();
    let old = by_id(node, "claim", &old)?;
    Ok(later
        .iter()
        .filter_map(|claim| {
            // Only a claim of the same person and session can take another's place.
            let old = old.get(&key(&claim.school, claim.text("supersedes")))?;
            (old.person == claim.person && old.about == claim.about && old.id != claim.id)
                .then(|| key(&old.school, &old.id))
        })
        .collect())
}
