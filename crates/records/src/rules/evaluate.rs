//! From entries to the card.

use std::collections::BTreeSet;

use super::account::{cut_off, warnings};
use super::card::*;
use super::check::cell_id;
use super::cycle::{Period, When};
use super::demand::*;
use super::entry::{Entry, Line, fits, settle};
use super::explain::{self, Because};
use super::figures::{Asked, Figure, asked};
use super::filter::Where;
use super::formula::Verdict;
use super::person::PersonFacts;
use super::schema::*;

/// A person's card over the one cycle of a rule set that has only one; see [`evaluate`].
pub fn credit_card(rules: &RuleSet, person: &PersonFacts, entries: &[Entry]) -> CreditCard {
    evaluate(rules, person, &When::default(), entries)
}

/// Works out a card under a rule set: of a person, or of a school, station, workshop … The order of
/// `entries` and repeated equal ones change nothing; the same id with *different* content counts zero
/// until a person has chosen (see [`Reason::Disputed`]), like any dispute.
pub fn evaluate(rules: &RuleSet, person: &PersonFacts, when: &When, entries: &[Entry]) -> CreditCard {
    let period = rules.period(person, when);
    let asked = asked(rules, person, period.as_ref());
    let (lines, excluded) = settle(rules, period.as_ref(), when, entries);
    let work = Work {
        rules,
        person,
        when,
        period: period.as_ref(),
        asked: &asked,
        lines: &lines,
    };

    let requirements: Vec<Outcome> = asked
        .requirements
        .iter()
        .map(|(require, figure)| work.requirement(require, *figure))
        .collect();
    let cells: Vec<Outcome> = asked
        .cells
        .iter()
        .map(|(cell, figure)| work.cell(cell, *figure))
        .collect();
    let holds = |population: &super::filter::OneOrMany| population.0.is_empty() || asked.among(population);
    let limits: Vec<LimitOutcome> = rules
        .limits
        .iter()
        .filter(|limit| holds(&limit.population))
        .map(|limit| work.limit(limit))
        .collect();
    let courses: Vec<CourseOutcome> = rules
        .courses
        .iter()
        .filter(|course| asked.among(&course.population))
        .map(|course| work.course(course))
        .collect();
    let checks: Vec<CheckOutcome> = rules
        .checks
        .iter()
        .filter(|check| asked.among(&check.population))
        .map(|check| work.check(check))
        .collect();
    let scheme = rules.scheme.as_ref().map(|scheme| scheme.outcome(&lines));

    let in_total: Vec<&Line<'_>> = lines.iter().filter(|line| line.in_total).collect();
    let unit = rules.head.amount_unit;
    let sum = |unit| in_total.iter().map(|line| line.amount(rules, unit)).sum::<i64>();
    let total_requirement = asked
        .requirements
        .iter()
        .find(|(require, _)| require.filter.is_all())
        .map(|(require, _)| require.id.clone());
    let total_hours_c = sum(Unit::Hour);
    let complete = period.is_some()
        && requirements
            .iter()
            .chain(&cells)
            .all(|outcome| outcome.met || !outcome.hard)
        && limits.iter().all(|limit| limit.met || !limit.hard)
        && (rules.reading.courses == Weight::Advice
            || courses.iter().all(|course| course.met || !course.required))
        && checks
            .iter()
            .all(|check| check.verdict == Verdict::Holds || !check.hard)
        && scheme.as_ref().is_none_or(|scheme| scheme.passed());
    let mut card = CreditCard {
        rule_ref: rules.reference(),
        title_zh: rules.head.title_zh.clone(),
        title_en: rules.head.title_en.clone(),
        notice_zh: rules.reading.notice_zh.clone(),
        notice_en: rules.reading.notice_en.clone(),
        cut_off: cut_off(when, &lines),
        unit,
        populations: asked
            .populations
            .iter()
            .map(|each| labelled(&each.id, &each.zh, &each.en, &each.note_zh, &each.note_en))
            .collect(),
        adjustments: asked
            .adjustments
            .iter()
            .map(|each| labelled(&each.population, &each.zh, &each.en, "", ""))
            .collect(),
        categories: rules
            .categories
            .iter()
            .map(|each| labelled(&each.id, &each.zh, &each.en, &each.def_zh, ""))
            .collect(),
        channels: rules
            .channels
            .iter()
            .map(|each| labelled(&each.id, &each.zh, &each.en, &each.selection_zh, ""))
            .collect(),
        matrix: work.matrix(),
        total_requirement,
        total_c: scheme.as_ref().map_or_else(|| sum(unit), |scheme| scheme.total_c),
        counts_as_hours_c: work.counts_as(total_hours_c),
        total_hours_c,
        unplaced_c: lines
            .iter()
            .filter(|line| line.category.is_none() || line.channel.is_none())
            .map(|line| line.amount(rules, unit))
            .sum(),
        warnings: warnings(period.is_some(), &requirements, &cells, &limits, &excluded),
        period: None,
        requirements,
        cells,
        courses,
        limits,
        checks,
        scheme,
        accounts: Vec::new(),
        excluded,
        complete,
    };
    card.accounts = work.accounts(&card, entries);
    card.period = period;
    card
}

/// What the parts of a card are worked out from.
pub(super) struct Work<'a> {
    pub(super) rules: &'a RuleSet,
    pub(super) person: &'a PersonFacts,
    pub(super) when: &'a When,
    pub(super) period: Option<&'a Period>,
    pub(super) asked: &'a Asked<'a>,
    pub(super) lines: &'a [Line<'a>],
}

impl Work<'_> {
    /// The lines that a requirement counts. What a placement keeps out of the total counts only where it is named.
    pub(super) fn select(&self, filter: &Where) -> Vec<&Line<'_>> {
        self.lines
            .iter()
            .filter(|line| fits(filter, line) && (line.in_total || !filter.is_all()))
            .collect()
    }

    pub(super) fn sum(&self, lines: &[&Line<'_>], unit: Unit) -> i64 {
        lines.iter().map(|line| line.amount(self.rules, unit)).sum()
    }

    /// The years, semesters or weeks in which the person is in service.
    pub(super) fn spans(&self, per: super::cycle::Per) -> Vec<super::cycle::Span> {
        let all = self
            .period
            .map_or_else(Vec::new, |period| self.rules.spans(period, per, self.when));
        all.into_iter()
            .filter(|span| self.rules.serves(self.person, span))
            .collect()
    }

    fn requirement(&self, require: &Require, figure: Figure) -> Outcome {
        let (mut counted, mut held_back) = (Vec::new(), Vec::new());
        for line in self.select(&require.filter) {
            let lacks = |wanted: &[String], has: &BTreeSet<String>| -> Vec<String> {
                wanted.iter().filter(|one| !has.contains(*one)).cloned().collect()
            };
            let mut missing = lacks(&require.evidence.0, &line.of.evidence);
            missing.extend(lacks(&require.marks.0, &line.of.marks));
            if missing.is_empty() {
                counted.push(line);
            } else {
                held_back.push(HeldBack {
                    id: line.of.id.clone(),
                    missing,
                });
            }
        }
        let spans = match figure.each {
            Some(each) => self
                .spans(each.per)
                .into_iter()
                .map(|span| self.span(span, each, figure.unit, &counted))
                .collect(),
            None => Vec::new(),
        };
        let adjust = self.asked.adjustments.iter();
        let mut adjust = adjust.filter(|each| each.waives(&require.id) || each.set.contains_key(&require.id));
        let because = adjust
            .next()
            .map_or(Because::Nothing, |adjust| Because::Adjusted(adjust));
        let names = (require.id.clone(), require.zh.clone(), require.en.clone());
        self.judge(names, require.hard, figure, &counted, spans, held_back, &because)
    }

    fn span(
        &self,
        span: super::cycle::Span,
        each: super::figures::Each,
        unit: Unit,
        lines: &[&Line<'_>],
    ) -> SpanOutcome {
        let inside = lines.iter().filter(|line| span.has(line.of.date));
        let inside: Vec<&Line<'_>> = inside.copied().collect();
        let earned_c = self.sum(&inside, unit);
        let as_of = self.when.as_of;
        SpanOutcome {
            earned_c,
            min_c: each.min_c,
            max_c: each.max_c,
            gap_c: (each.min_c - earned_c).max(0),
            over_c: each.max_c.map_or(0, |max| (earned_c - max).max(0)),
            met: earned_c >= each.min_c,
            ended: as_of.is_none_or(|day| span.last <= day),
            to_come: as_of.is_some_and(|day| span.first > day),
            lines: ids(&inside),
            span,
        }
    }

    fn cell(&self, cell: &Cell, figure: Figure) -> Outcome {
        let counted: Vec<&Line<'_>> = self
            .lines
            .iter()
            .filter(|line| {
                line.category == Some(cell.category.as_str()) && line.channel == Some(cell.channel.as_str())
            })
            .filter(|line| cell.sub.is_none() || line.of.sub == cell.sub)
            .collect();
        let adjust = self
            .asked
            .adjustments
            .iter()
            .find(|each| each.waive_all || each.waive_channels.contains(&cell.channel));
        let because = match adjust {
            Some(adjust) => Because::Adjusted(adjust),
            None if figure.waived => Because::ShortService,
            None => Because::Nothing,
        };
        let (zh, en) = cell_names(self.rules, cell);
        let hard = self.rules.reading.cells == Weight::Required;
        let names = (cell_id(cell), zh, en);
        self.judge(names, hard, figure, &counted, Vec::new(), Vec::new(), &because)
    }

    #[allow(clippy::too_many_arguments)]
    fn judge(
        &self,
        (id, zh, en): (String, String, String),
        hard: bool,
        figure: Figure,
        lines: &[&Line<'_>],
        spans: Vec<SpanOutcome>,
        held_back: Vec<HeldBack>,
        because: &Because<'_>,
    ) -> Outcome {
        let quota = figure.each.is_some_and(|each| each.alone);
        let earned_c = self.sum(lines, figure.unit);
        let (min_c, gap_c, over_c) = if quota {
            let begun = spans.iter().filter(|span| !span.to_come);
            (
                spans.iter().map(|span| span.min_c).sum(),
                begun.map(|span| span.gap_c).sum(),
                spans.iter().map(|span| span.over_c).sum(),
            )
        } else {
            let over_c = figure.max_c.map_or(0, |max| (earned_c - max).max(0));
            (figure.min_c, (figure.min_c - earned_c).max(0), over_c)
        };
        // A figure by year may be advice beside the figure of the cycle; a quota alone is the requirement.
        let spans_count = quota || self.rules.reading.per_year == Weight::Required;
        let spans_fail = spans_count && spans.iter().any(|span| !span.met);
        let (text_zh, text_en) = explain::outcome(self.rules, figure, earned_c, &spans, &held_back, because);
        Outcome {
            id,
            zh,
            en,
            unit: figure.unit,
            earned_c,
            min_c,
            max_c: figure.max_c,
            gap_c: if figure.waived { 0 } else { gap_c },
            over_c: if figure.waived { 0 } else { over_c },
            met: figure.waived
                || ((quota || gap_c == 0) && !(over_c > 0 && figure.over_fails) && !spans_fail),
            hard,
            waived: figure.waived,
            per: figure.each.map(|each| each.per),
            spans,
            lines: ids(lines),
            held_back,
            text_zh,
            text_en,
        }
    }
}

pub(super) fn ids(lines: &[&Line<'_>]) -> Vec<String> {
    lines.iter().map(|line| line.of.id.clone()).collect()
}

fn cell_names(rules: &RuleSet, cell: &Cell) -> (String, String) {
    let category = rules.category(&cell.category);
    let sub = cell
        .sub
        .as_ref()
        .and_then(|sub| category?.subs.iter().find(|known| known.id == *sub));
    let channel = rules.channel(&cell.channel);
    let name = |channel: Option<&str>, category: Option<&str>, sub: Option<&str>| {
        [channel, category, sub]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" · ")
    };
    (
        name(
            channel.map(|each| each.zh.as_str()),
            category.map(|each| each.zh.as_str()),
            sub.map(|each| each.zh.as_str()),
        ),
        name(
            channel.map(|each| each.en.as_str()),
            category.map(|each| each.en.as_str()),
            sub.map(|each| each.en.as_str()),
        ),
    )
}

fn labelled(id: &str, zh: &str, en: &str, note_zh: &str, note_en: &str) -> Labelled {
    Labelled {
        id: id.to_owned(),
        zh: zh.to_owned(),
        en: en.to_owned(),
        note_zh: note_zh.to_owned(),
        note_en: note_en.to_owned(),
    }
}
