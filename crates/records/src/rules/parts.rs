//! The parts of a card beside its requirements: limits, courses, checks and the table.

use std::collections::BTreeSet;

use super::card::*;
use super::demand::*;
use super::entry::{Line, fits};
use super::evaluate::{Work, ids};
use super::explain;
use super::formula::Check;
use super::schema::*;

impl Work<'_> {
    pub(super) fn limit(&self, limit: &Limit) -> LimitOutcome {
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

    pub(super) fn course(&self, course: &Course) -> CourseOutcome {
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

    pub(super) fn check(&self, check: &Check) -> CheckOutcome {
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
    pub(super) fn counts_as(&self, total_hours_c: i64) -> i64 {
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

    pub(super) fn matrix(&self) -> Vec<MatrixCell> {
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
}
