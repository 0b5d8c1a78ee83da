//! A teacher's credit card: what the county has recognised, laid out under the rule set.

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use records::date::parse_stored_date;
use records::rules::{Credited, PersonFacts, RuleSet, credit_card as evaluate};
use records::{CreditCard, SchoolYear};
use sha2::{Digest, Sha256};

use super::claims::{ClaimRow, ClaimState, Weighed, rules_in_use, weigh};
use super::lookup::{Row, record_of};
use super::roster::{Teacher, newest, teacher};
use super::versions::{Difference, UnderVersion, under_versions};
use crate::{Error, Filter, Node, Record};

/// A teacher's credit card with the claims behind it.
#[derive(Clone, Debug)]
pub struct CardView {
    /// Whose card it is.
    pub teacher: Teacher,
    /// The figures.
    pub card: CreditCard,
    /// All claims of the person, newest session first, also those that do not count.
    pub lines: Vec<ClaimRow>,
    /// The versions of the rules that the claims were registered under, and the one in use; the newest last.
    pub versions: Vec<UnderVersion>,
    /// What comes out differently under the first and the last of them.
    pub differences: Vec<Difference>,
    /// Chinese title of the rule set; the card has both languages.
    pub ruleset_title: String,
    /// What the figures rest on, so that two printed cards can be compared: the date of the latest
    /// decision that counts and a digest over all that count, as `2026-01-10 #1a2b3c4d`.
    pub cutoff: String,
}

/// The credit card of a person, `None` if this node has no such person.
pub fn credit_card(node: &Node, person: &str) -> Result<Option<CardView>, Error> {
    let Some(teacher) = teacher(node, person)? else {
        return Ok(None);
    };
    let rules = &*rules_in_use(node);
    let claims = node.records(&Filter::kind("claim").person(person))?;
    let mut weighed = weigh(node, claims.into_iter().map(Row::from).collect())?;
    settle_twins(&mut weighed);
    let credited: Vec<Credited> = weighed.iter().filter_map(credited).collect();
    let facts = facts(node, &teacher, rules)?;
    let card = evaluate(rules, &facts, &credited);
    let registered: Vec<(String, Credited)> = weighed
        .iter()
        .filter_map(|w| Some((w.claim.text("rule_ref").to_owned(), self::credited(w)?)))
        .collect();
    let all = node.rules().versions(&rules.head.id);
    let (versions, differences) = under_versions(&all, rules, &facts, &registered);
    let cutoff = cutoff(&weighed);
    let mut lines: Vec<ClaimRow> = weighed.into_iter().map(|w| w.row).collect();
    lines.sort_by(|a, b| (&b.date, &b.id).cmp(&(&a.date, &a.id)));
    Ok(Some(CardView {
        teacher,
        card,
        lines,
        versions,
        differences,
        ruleset_title: rules.head.title_zh.clone(),
        cutoff,
    }))
}

/// One session counts once for one person, also when two devices that were apart each registered
/// it and both claims were recognised: equal ones as one line, different ones not at all.
fn settle_twins(weighed: &mut [Weighed]) {
    let mut given: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (at, w) in weighed.iter().enumerate() {
        if !w.superseded && w.given().is_some() {
            given.entry(w.row.session.clone()).or_default().push(at);
        }
    }
    for twins in given.into_values().filter(|twins| twins.len() > 1) {
        let said = |at: &usize| {
            weighed.get(*at).map(|w| {
                let row = &w.row;
                (
                    w.given(),
                    row.category.clone(),
                    row.sub.clone(),
                    row.channel.clone(),
                )
            })
        };
        let first = twins.first().and_then(said);
        let equal = twins.iter().all(|at| said(at) == first);
        for (position, at) in twins.into_iter().enumerate() {
            if let Some(w) = weighed.get_mut(at) {
                w.row.disputed |= !equal;
                w.superseded |= equal && position > 0;
            }
        }
    }
}

/// The line that a claim adds to the card, if it counts.
fn credited(weighed: &Weighed) -> Option<Credited> {
    let (hours_c, credits_c) = weighed.given().filter(|_| !weighed.superseded)?;
    let session = weighed.session.as_ref()?;
    let row = &weighed.row;
    Some(Credited {
        id: row.id.clone(),
        category: row.category.clone(),
        sub: (!row.sub.is_empty()).then(|| row.sub.clone()),
        channel: row.channel.clone(),
        form: session.text("form").to_owned(),
        topic: session.text("theme").to_owned(),
        program: session.text("project").to_owned(),
        hours_c,
        credits_c,
        school_year: SchoolYear::of(parse_stored_date(&row.date).ok()?),
        minutes: session.int("minutes"),
        lecture_minutes: session.int("lecture_minutes"),
    })
}

/// What the rules ask about the person.
fn facts(node: &Node, teacher: &Teacher, rules: &RuleSet) -> Result<PersonFacts, Error> {
    let rows = node.records(
        &Filter::kind("staff_fact")
            .person(&teacher.id)
            .school(&teacher.school),
    )?;
    let school = record_of(node, "organisation", &teacher.school)?;
    let year = |year: i64| i32::try_from(year).ok().map(SchoolYear);
    Ok(PersonFacts {
        title: teacher.title.clone(),
        title_label: newest(rows.iter())
            .map_or("", |row| row.text("title_label"))
            .to_owned(),
        stage: teacher.stage.clone(),
        org_kind: school.map_or_else(String::new, |school| school.text("org_kind").to_owned()),
        post: teacher.post.clone(),
        status: teacher.status.clone(),
        homeroom: homeroom_in_cycle(rows, rules),
        teaching_from: teacher.teaching_from.and_then(year),
        ..PersonFacts::default()
    })
}

/// Whether any dated row says homeroom teacher for a day of the cycle. A row holds until its `to`,
/// or until the next row begins.
fn homeroom_in_cycle(mut rows: Vec<Record>, rules: &RuleSet) -> bool {
    let years = rules.cycle_years();
    let first = years
        .first()
        .and_then(|year| year.start())
        .map(|day| day.to_string());
    let last = years
        .last()
        .and_then(|year| year.end())
        .map(|day| day.to_string());
    let (Some(first), Some(last)) = (first, last) else {
        return false;
    };
    rows.sort_by(|a, b| (a.text("from"), &a.id).cmp(&(b.text("from"), &b.id)));
    rows.iter().enumerate().any(|(at, row)| {
        let next = rows.get(at + 1..).unwrap_or_default();
        let next = next
            .iter()
            .map(|row| row.text("from"))
            .find(|from| *from > row.text("from"));
        // Stored dates are `YYYY-MM-DD`, so text order is the order of days.
        let ends_before = |end: &str, inclusive: bool| {
            !end.is_empty()
                && if inclusive {
                    end < first.as_str()
                } else {
                    end <= first.as_str()
                }
        };
        row.flag("homeroom")
            && row.text("from") <= last.as_str()
            && !ends_before(row.text("to"), true)
            && !ends_before(next.unwrap_or_default(), false)
    })
}

fn cutoff(weighed: &[Weighed]) -> String {
    let counting = weighed
        .iter()
        .filter(|w| !w.superseded)
        .filter_map(|w| match &w.row.state {
            ClaimState::Decided { on, .. } => w.given().map(|given| (w.row.id.as_str(), given, on.as_str())),
            _ => None,
        });
    let mut counting: Vec<_> = counting.collect();
    counting.sort_unstable();
    let latest = counting.iter().map(|(_, _, on)| *on).max().unwrap_or("—");
    let mut hash = Sha256::new();
    for (id, (hours_c, credits_c), on) in &counting {
        hash.update(format!("{id} {hours_c} {credits_c} {on}\n"));
    }
    let digest = HEXLOWER.encode(&hash.finalize());
    format!("{latest} #{}", digest.get(..8).unwrap_or_default())
}
