//! From entries to the card.

use std::collections::{BTreeMap, BTreeSet};

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::card::*;
use super::check::cell_id;
use super::cycle::{Period, When};
use super::demand::*;
use super::entry::{Entry, Excluded, Line, Reason, fits, settle};
use super::explain::{self, Because};
use super::figures::{Asked, Figure, asked};
use super::filter::Where;
use super::formula::{Check, Verdict};
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

struct Work<'a> {
    rules: &'a RuleSet,
    person: &'a PersonFacts,
    when: &'a When,
    period: Option<&'a Period>,
    asked: &'a Asked<'a>,
    lines: &'a [Line<'a>],
}

impl Work<'_> {
    /// The lines that a requirement counts. What a placement keeps out of the total counts only where it is named.
    fn select(&self, filter: &Where) -> Vec<&Line<'_>> {
        self.lines
            .iter()
            .filter(|line| fits(filter, line) && (line.in_total || !filter.is_all()))
            .collect()
    }

    fn sum(&self, lines: &[&Line<'_>], unit: Unit) -> i64 {
        lines.iter().map(|line| line.amount(self.rules, unit)).sum()
    }

    /// The years, semesters or weeks in which the person is in service.
    fn spans(&self, per: super::cycle::Per) -> Vec<super::cycle::Span> {
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

    fn limit(&self, limit: &Limit) -> LimitOutcome {
        let (mut part, mut whole, mut part_lines) = (0, 0, Vec::new());
        for line in self.select(&limit.filter) {
            let (own, lecture) = match limit.unit {
                Some(unit) => (line.amount(self.rules, unit), 0),
                None => {
                    let minutes = match line.of.minutes {
                        0 => line.of.hours_c * self.rules.convert.minutes_per_hour / 100,
                        minutes => minutes,
                    };
                    (minutes, line.of.lecture_minutes.min(minutes))
                }
            };
            let own_part = if fits(&limit.of, line) { own } else { lecture };
            whole += own;
            part += own_part;
            if own_part > 0 {
                part_lines.push(line.of.id.clone());
            }
        }
        // Compared as products: the share itself would be rounded.
        let kept = |share: Share| (part * share.den).cmp(&(share.num * whole));
        let mut outcome = LimitOutcome {
            id: limit.id.clone(),
            zh: limit.zh.clone(),
            en: limit.en.clone(),
            unit: limit.unit,
            part,
            whole,
            share_bp: (part * 10_000).checked_div(whole).unwrap_or(0),
            max_share_bp: limit.max_share.map(Share::basis_points),
            min_share_bp: limit.min_share.map(Share::basis_points),
            met: limit.max_share.is_none_or(|share| kept(share).is_le())
                && limit.min_share.is_none_or(|share| kept(share).is_ge()),
            hard: limit.hard,
            lines: part_lines,
            text_zh: String::new(),
            text_en: String::new(),
        };
        (outcome.text_zh, outcome.text_en) = explain::limit(&outcome);
        outcome
    }

    fn course(&self, course: &Course) -> CourseOutcome {
        // A line belongs to the first course that means it.
        let first = |line: &Line<'_>| self.rules.courses.iter().find(|each| fits(&each.filter, line));
        let lines: Vec<&Line<'_>> = self
            .lines
            .iter()
            .filter(|line| first(line).is_some_and(|each| each.id == course.id))
            .collect();
        let shows =
            |lines: &[&Line<'_>], kind: &String| lines.iter().any(|line| line.of.evidence.contains(kind));
        let (mut missing_in, mut missing): (Vec<_>, BTreeSet<&String>) = (Vec::new(), BTreeSet::new());
        for span in course.per.map_or_else(Vec::new, |per| self.spans(per)) {
            let inside: Vec<&Line<'_>> = lines
                .iter()
                .filter(|line| span.has(line.of.date))
                .copied()
                .collect();
            if course.evidence_per == EvidencePer::Course {
                missing.extend(course.evidence.0.iter().filter(|kind| !shows(&inside, kind)));
            }
            if inside.is_empty() {
                missing_in.push(span);
            }
        }
        if course.per.is_none() || course.evidence_per == EvidencePer::Period {
            missing.extend(course.evidence.0.iter().filter(|kind| !shows(&lines, kind)));
        }
        let hours_c = self.sum(&lines, Unit::Hour);
        let enough = course.min_hours.is_none_or(|least| hours_c >= least.0);
        let waived = self.asked.waives(&course.id);
        let mut outcome = CourseOutcome {
            id: course.id.clone(),
            zh: course.zh.clone(),
            en: course.en.clone(),
            required: course.required,
            waived,
            met: waived || (!lines.is_empty() && enough && missing_in.is_empty() && missing.is_empty()),
            hours_c,
            missing_in,
            missing_evidence: missing.into_iter().cloned().collect(),
            lines: ids(&lines),
            text_zh: String::new(),
            text_en: String::new(),
        };
        (outcome.text_zh, outcome.text_en) = explain::course(self.rules, &outcome, course.min_hours);
        outcome
    }

    fn check(&self, check: &Check) -> CheckOutcome {
        let known = |name: &str| {
            let constant = self.rules.constants.get(name);
            constant.or_else(|| self.person.numbers.get(name)).copied()
        };
        let verdict = check.expr.holds(&known);
        let numbers: Vec<String> = check
            .expr
            .names()
            .into_iter()
            .map(|name| match known(name) {
                Some(number) => format!("{name}={number}"),
                None => format!("{name}=?"),
            })
            .collect();
        let (text_zh, text_en) = explain::check(&check.expr.text, &numbers.join(", "), &verdict);
        CheckOutcome {
            id: check.id.clone(),
            zh: check.zh.clone(),
            en: check.en.clone(),
            verdict,
            hard: check.hard,
            text_zh,
            text_en,
        }
    }

    /// Class-hours that a longer cycle counts for this one (C2).
    fn counts_as(&self, total_hours_c: i64) -> i64 {
        let full = |adjust: &&Adjust| adjust.counts_as == CountsAs::Full;
        let waived = self
            .asked
            .requirements
            .iter()
            .find(|(require, figure)| require.filter.is_all() && figure.waived);
        let least_c = match waived.filter(|_| self.asked.adjustments.iter().any(full)) {
            Some((_, figure)) if figure.unit == Unit::Credit => {
                figure.min_c * self.rules.convert.hours_per_credit.0 / 100
            }
            Some((_, figure)) if figure.unit == Unit::Hour => figure.min_c,
            _ => 0,
        };
        total_hours_c.max(least_c)
    }

    fn matrix(&self) -> Vec<MatrixCell> {
        let unit = self.rules.head.amount_unit;
        let mut cells = Vec::new();
        for category in &self.rules.categories {
            for channel in &self.rules.channels {
                let here: Vec<&Line<'_>> = self
                    .lines
                    .iter()
                    .filter(|line| {
                        line.category == Some(category.id.as_str())
                            && line.channel == Some(channel.id.as_str())
                    })
                    .collect();
                let subs = category.subs.iter().map(|sub| SubAmount {
                    sub: sub.id.clone(),
                    earned_c: here
                        .iter()
                        .filter(|line| line.of.sub.as_ref() == Some(&sub.id))
                        .map(|line| line.amount(self.rules, unit))
                        .sum(),
                });
                cells.push(MatrixCell {
                    category: category.id.clone(),
                    channel: channel.id.clone(),
                    earned_c: self.sum(&here, unit),
                    subs: subs.collect(),
                    lines: ids(&here),
                });
            }
        }
        cells
    }

    /// What became of every entry, by id.
    fn accounts(&self, card: &CreditCard, entries: &[Entry]) -> Vec<Account> {
        let mut counts_in: BTreeMap<&str, Vec<(&str, &str, &str)>> = BTreeMap::new();
        let outcomes = card.requirements.iter().chain(&card.cells);
        let outcomes = outcomes.map(|each| (&each.id, &each.zh, &each.en, &each.lines));
        let courses = card
            .courses
            .iter()
            .map(|each| (&each.id, &each.zh, &each.en, &each.lines));
        let items = card.scheme.iter().flat_map(|scheme| &scheme.items);
        let items = items.flat_map(|each| {
            [&each.lines, &each.deductions].map(|lines| (&each.id, &each.zh, &each.en, lines))
        });
        for (id, zh, en, lines) in outcomes.chain(courses).chain(items) {
            for line in lines {
                counts_in.entry(line).or_default().push((id, zh, en));
            }
        }
        let excluded: BTreeMap<&str, &Excluded> = card
            .excluded
            .iter()
            .map(|each| (each.id.as_str(), each))
            .collect();
        let lines: BTreeMap<&str, &Line<'_>> = self
            .lines
            .iter()
            .map(|line| (line.of.id.as_str(), line))
            .collect();
        // Of a disputed id the least content is named, so that the order of arrival changes nothing.
        let key = |entry: &Entry| (entry.date, entry.session.clone(), entry.decision.clone());
        let mut by_id: BTreeMap<&str, &Entry> = BTreeMap::new();
        for entry in entries {
            by_id
                .entry(&entry.id)
                .and_modify(|known| {
                    if key(entry) < key(known) {
                        *known = entry;
                    }
                })
                .or_insert(entry);
        }
        by_id
            .into_iter()
            .map(|(id, entry)| {
                let line = lines.get(id);
                let amount_c = line
                    .filter(|line| line.in_total)
                    .map_or(0, |line| line.amount(self.rules, card.unit));
                let places = counts_in.remove(id).unwrap_or_default();
                let excluded = excluded.get(id).copied();
                let (text_zh, text_en) = explain::account(entry, card.unit, amount_c, &places, excluded);
                Account {
                    id: id.to_owned(),
                    date: entry.date,
                    session: entry.session.clone(),
                    decision: entry.decision.clone(),
                    gate: line.map_or(Gate::None, |line| line.gate),
                    amount_c,
                    counts_in: places.into_iter().map(|(id, _, _)| id.to_owned()).collect(),
                    reason: excluded.map(|each| each.reason),
                    text_zh,
                    text_en,
                }
            })
            .collect()
    }
}

fn ids(lines: &[&Line<'_>]) -> Vec<String> {
    lines.iter().map(|line| line.of.id.clone()).collect()
}

fn cut_off(when: &When, lines: &[Line<'_>]) -> CutOff {
    let mut hash = Sha256::new();
    for line in lines {
        let entry = line.of;
        let decided = entry.decided_on.map_or_else(String::new, |day| day.to_string());
        hash.update(format!(
            "{} {} {} {} {} {} {decided}\n",
            entry.id, entry.hours_c, entry.credits_c, entry.days_c, entry.points_c, entry.count
        ));
    }
    let digest = HEXLOWER.encode(&hash.finalize());
    CutOff {
        as_of: when.as_of,
        latest: lines.iter().filter_map(|line| line.of.decided_on).max(),
        digest: digest.get(..8).unwrap_or_default().to_owned(),
    }
}

fn warnings(
    has_period: bool,
    requirements: &[Outcome],
    cells: &[Outcome],
    limits: &[LimitOutcome],
    excluded: &[Excluded],
) -> Vec<Warning> {
    let mut warnings = Vec::new();
    if !has_period {
        warnings.push(Warning {
            code: "no_period",
            about: "cycle".to_owned(),
            zh: "没有指明周期（年度、期次或项目的起始日期），一律不计".to_owned(),
            en: "no cycle was named (a day in the year, or the first day of cohort or project): nothing counts"
                .to_owned(),
            lines: Vec::new(),
        });
    }
    let over = requirements
        .iter()
        .chain(cells)
        .filter(|outcome| outcome.over_c > 0);
    warnings.extend(over.map(|outcome| Warning {
        code: "over_max",
        about: outcome.id.clone(),
        zh: format!("{}：{}", outcome.zh, outcome.text_zh),
        en: format!("{}: {}", outcome.en, outcome.text_en),
        lines: outcome.lines.clone(),
    }));
    warnings.extend(limits.iter().filter(|limit| !limit.met).map(|limit| Warning {
        code: "limit",
        about: limit.id.clone(),
        zh: limit.text_zh.clone(),
        en: limit.text_en.clone(),
        lines: limit.lines.clone(),
    }));
    let reasons: BTreeSet<Reason> = excluded.iter().map(|each| each.reason).collect();
    for reason in reasons {
        let because: Vec<&Excluded> = excluded.iter().filter(|each| each.reason == reason).collect();
        let raw: BTreeSet<&str> = because
            .iter()
            .map(|each| each.raw.as_str())
            .filter(|raw| !raw.is_empty())
            .collect();
        let raw = raw.into_iter().collect::<Vec<_>>().join("；");
        let (raw_zh, raw_en) = match raw.as_str() {
            "" => (String::new(), String::new()),
            raw => (format!("（{raw}）"), format!(" ({raw})")),
        };
        warnings.push(Warning {
            code: "excluded",
            about: format!("{reason:?}"),
            zh: format!("{} 条不计学分：{}{raw_zh}", because.len(), reason.zh()),
            en: format!("{} lines count zero: {}{raw_en}", because.len(), reason.en()),
            lines: because.iter().map(|each| each.id.clone()).collect(),
        });
    }
    warnings
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
