//! A teacher's credit card: what the county has recognised, laid out under the rule set.

use records::date::parse_stored_date;
use records::rules::{Entry, PersonFacts, Reason, RuleSet, When, evaluate, r2, r3, r6};
use records::{CreditCard, Date, SchoolYear};

use super::behind::behind_with;
use super::carry::{carried, claims_of};
use super::claims::{ClaimRow, ClaimState, Weighed, in_force, rules_in_use};
use super::entries::{Stand, stands};
use super::listening::lessons_of;
use super::lookup::{key, record_of};
use super::opening::{self, OpeningRow};
use super::organisations::organisation_names;
use super::people::People;
use super::profile::{ProfileRow, in_use, profile};
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
    /// 期初学分: what was earned in earlier years, from paper; also what does not count yet.
    pub opening: Vec<OpeningRow>,
    /// The versions of the rules that the claims were registered under, and the one in use; the newest last.
    pub versions: Vec<UnderVersion>,
    /// What comes out differently under the first and the last of them.
    pub differences: Vec<Difference>,
    /// Chinese title of the rule set; the card has both languages.
    pub ruleset_title: String,
    /// All names of this person where there are several, with the school of each: by transfer, or as 同一人.
    pub elsewhere: Vec<(String, String)>,
    /// The dated facts of work, each by its author; more than one school's after a transfer.
    pub profile: Vec<ProfileRow>,
    /// What the figures rest on, so that two printed cards can be compared: the date of the latest
    /// decision that counts and a digest over all that count, as `2026-01-10 #1a2b3c4d`.
    pub cutoff: String,
}

/// The credit card of a person, `None` if this node has no such person.
pub fn credit_card(node: &Node, person: &str) -> Result<Option<CardView>, Error> {
    ground(node, person)?
        .map(|ground| card_of(node, ground))
        .transpose()
}

/// The credit card of a person, and the same claims under the other rule sets for teachers, R2 and R3, and for who
/// has a part in it also R6, in the cycles that hold the day `on`: for comparison, through class-hours. `None` if
/// this node has no such person.
pub fn credit_cards(
    node: &Node,
    person: &str,
    on: Date,
) -> Result<Option<(CardView, Vec<CreditCard>)>, Error> {
    let Some(ground) = ground(node, person)? else {
        return Ok(None);
    };
    let others = others_of(node, &ground, on)?;
    Ok(Some((card_of(node, ground)?, others)))
}

/// The figures of a person's card and nothing else of it: where the person stands now.
pub(super) fn figures(node: &Node, person: &str) -> Result<Option<(Teacher, CreditCard)>, Error> {
    let Some(Ground { teacher, entries, .. }) = ground(node, person)? else {
        return Ok(None);
    };
    let rules = &*rules_in_use(node);
    let facts = facts(node, &teacher, rules, &When::default())?;
    let card = evaluate(rules, &facts, &When::default(), &entries);
    Ok(Some((teacher, card)))
}

fn card_of(node: &Node, ground: Ground) -> Result<CardView, Error> {
    let rules = &*rules_in_use(node);
    let Ground {
        teacher,
        mut weighed,
        opening,
        entries,
        brought,
        elsewhere,
    } = ground;
    let facts = facts(node, &teacher, rules, &When::default())?;
    let card = evaluate(rules, &facts, &When::default(), &entries);
    // Two claims of one session that say different things: the rules count neither, and the page shows it.
    for w in &mut weighed {
        let account = card.account(&w.row.id);
        w.row.disputed |= account.is_some_and(|account| account.reason == Some(Reason::Disputed));
    }
    let all = node.rules().versions(&rules.head.id);
    let (versions, differences) = under_versions(&all, rules, &facts, &entries);
    let cutoff = card.cut_off.to_string();
    let mut lines: Vec<ClaimRow> = weighed.into_iter().map(|w| w.row).chain(brought).collect();
    lines.sort_by(|a, b| (&b.date, &b.id).cmp(&(&a.date, &a.id)));
    Ok(CardView {
        profile: profile(node, &teacher)?,
        elsewhere,
        teacher,
        card,
        lines,
        opening,
        versions,
        differences,
        ruleset_title: rules.head.title_zh.clone(),
        cutoff,
    })
}

fn others_of(node: &Node, ground: &Ground, on: Date) -> Result<Vec<CreditCard>, Error> {
    let Ground { teacher, entries, .. } = ground;
    let when = When {
        on: Some(on),
        ..When::default()
    };
    // In the version that the county has put into force.
    let newest = [r2(), r3()].map(|rules| node.rules().newest(&rules.head.id));
    let card = |rules: &RuleSet| {
        Ok::<_, Error>(evaluate(
            rules,
            &facts(node, teacher, rules, &when)?,
            &when,
            entries,
        ))
    };
    let mut cards: Vec<CreditCard> = newest
        .iter()
        .flatten()
        .map(|rules| card(rules))
        .collect::<Result<_, _>>()?;
    // R6 asks for something only of who has a part in it: 骨干, 新任校长, 后备干部.
    let quotas = &*in_force(node, r6());
    let facts = facts(node, teacher, quotas, &when)?;
    if !facts.roles.is_empty() {
        let mut all = entries.clone();
        for name in People::load(node)?.names(&key(&teacher.school, &teacher.id)) {
            all.extend(lessons_of(node, &name)?);
        }
        cards.push(evaluate(quotas, &facts, &when, &all));
    }
    Ok(cards)
}

/// A person, all claims of that person, and what they put before the rules.
struct Ground {
    teacher: Teacher,
    weighed: Vec<Weighed>,
    /// 期初学分 of earlier years, under every name.
    opening: Vec<OpeningRow>,
    entries: Vec<Entry>,
    /// What the county has brought over from schools that are not read here.
    brought: Vec<ClaimRow>,
    elsewhere: Vec<(String, String)>,
}

fn ground(node: &Node, person: &str) -> Result<Option<Ground>, Error> {
    let Some(asked) = teacher(node, person)? else {
        return Ok(None);
    };
    // Whoever has several names has one card: that of the present place, if it is read here.
    let people = People::load(node)?;
    let of = key(&asked.school, &asked.id);
    let names = people.names(&of);
    let present = people.present(&of);
    let teacher = match present == of {
        true => asked,
        false => teacher(node, &present.1)?
            .filter(|t| t.school == present.0)
            .unwrap_or(asked),
    };
    let weighed = claims_of(node, &names)?;
    let (brought, carried): (Vec<_>, Vec<_>) = carried(node, &names, &weighed)?.into_iter().unzip();
    let mut opening = Vec::new();
    for (school, person) in &names {
        opening.extend(opening::of_person(node, person, school)?);
    }
    let of_earlier = opening.iter().filter_map(|row| row.entry.clone());
    let sessions = weighed.iter().filter_map(|w| {
        let session = w.session.clone()?;
        Some((key(&session.school, &session.id), session))
    });
    let sessions = sessions.collect();
    let behind = behind_with(node, weighed.iter().map(|w| &w.row), &sessions)?;
    let own = weighed.iter().zip(behind).filter_map(|(w, behind)| {
        Some(Entry {
            evidence: behind.proofs(),
            course: behind.course,
            plan_filed: behind.plan_filed,
            ..entry(w)?
        })
    });
    let entries = own.chain(carried).chain(of_earlier).collect();
    let mut elsewhere = Vec::new();
    if names.len() > 1 {
        let schools = organisation_names(node)?;
        let others = names.into_iter().filter(|name| name.1 != teacher.id);
        elsewhere.extend(others.map(|(school, id)| (schools.get(&school).cloned().unwrap_or_default(), id)));
    }
    Ok(Some(Ground {
        teacher,
        weighed,
        opening,
        entries,
        brought,
        elsewhere,
    }))
}

/// What a claim puts before the rules, if the county has given something for it.
pub(super) fn entry(weighed: &Weighed) -> Option<Entry> {
    let (hours_c, credits_c) = weighed.given().filter(|_| !weighed.superseded)?;
    let session = weighed.session.as_ref()?;
    let row = &weighed.row;
    let ClaimState::Decided { on, .. } = &row.state else {
        return None;
    };
    // Of several decisions that say the same, the first by id.
    let decision = weighed.decisions.iter().map(|decision| &decision.id).min()?;
    Some(Entry {
        id: row.id.clone(),
        category: row.category.clone(),
        sub: (!row.sub.is_empty()).then(|| row.sub.clone()),
        channel: row.channel.clone(),
        form: session.text("form").to_owned(),
        topic: session.text("theme").to_owned(),
        program: session.text("project").to_owned(),
        rule_ref: weighed.claim.text("rule_ref").to_owned(),
        hours_c,
        credits_c,
        date: parse_stored_date(&row.date).ok()?,
        minutes: session.int("minutes"),
        lecture_minutes: session.int("lecture_minutes"),
        partial: weighed.partial,
        session: row.session.clone(),
        decision: decision.clone(),
        decided_on: parse_stored_date(on).ok(),
        // The claim is the result, and the decision is the county's word on it.
        result_filed: decision.clone(),
        ..Entry::default()
    })
}

/// What the rules ask about the person in the cycle that `when` names.
pub(super) fn facts(
    node: &Node,
    teacher: &Teacher,
    rules: &RuleSet,
    when: &When,
) -> Result<PersonFacts, Error> {
    let rows = in_use(node, teacher)?;
    let in_cycle = in_cycle(rows.clone(), rules, when);
    let waiver = waiver(node, teacher)?;
    let parts = in_cycle.iter().flat_map(|row| row.text("parts").split(' '));
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
        homeroom: in_cycle.iter().any(|row| row.flag("homeroom")),
        roles: parts.filter(|part| !part.is_empty()).map(str::to_owned).collect(),
        retires: waiver,
        options: waiver.map(|_| "waive_elective".to_owned()).into_iter().collect(),
        teaching_from: teacher.teaching_from.and_then(year),
        ..PersonFacts::default()
    })
}

/// 免修: the last day of the year of retirement in a waiver of the electives of city and district that is agreed
/// and signed as it stands.
fn waiver(node: &Node, teacher: &Teacher) -> Result<Option<Date>, Error> {
    let mut found = Vec::new();
    for (school, person) in People::load(node)?.names(&key(&teacher.school, &teacher.id)) {
        found.extend(node.records(&Filter::kind("waiver").person(&person).school(&school))?);
    }
    let stands = stands(node, &found)?;
    let holds = |(record, stand): (&Record, Option<Stand>)| {
        let agreed = stand.is_some_and(|s| s.code == "agreed" && !s.unsigned && !s.differ && !s.stale);
        let both = record.text("channels").split(' ').count() == 2;
        (agreed && both && !record.disputed).then(|| record.int("retire_year"))
    };
    let year = found.iter().zip(stands).filter_map(holds).max();
    Ok(year.and_then(|year| Date::new(i16::try_from(year).ok()?, 12, 31).ok()))
}

/// The dated rows that hold for a day of the cycle. A row holds until its `to`, or until the next row begins.
fn in_cycle(mut rows: Vec<Record>, rules: &RuleSet, when: &When) -> Vec<Record> {
    let Some(period) = rules.period(&PersonFacts::default(), when) else {
        return Vec::new();
    };
    let (first, last) = (period.first.to_string(), period.last.to_string());
    rows.sort_by(|a, b| (a.text("from"), &a.id).cmp(&(b.text("from"), &b.id)));
    let holds = |at: usize, row: &Record| {
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
        row.text("from") <= last.as_str()
            && !ends_before(row.text("to"), true)
            && !ends_before(next.unwrap_or_default(), false)
    };
    let held = rows.iter().enumerate().filter(|(at, row)| holds(*at, row));
    held.map(|(_, row)| row.clone()).collect()
}
