//! What became of every entry, what figures rest on, and what a person should look at.

use std::collections::{BTreeMap, BTreeSet};

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::card::*;
use super::cycle::When;
use super::demand::Gate;
use super::entry::{Entry, Excluded, Line, Reason};
use super::evaluate::Work;
use super::explain;

impl Work<'_> {
    /// What became of every entry, by id.
    pub(super) fn accounts(&self, card: &CreditCard, entries: &[Entry]) -> Vec<Account> {
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

/// What figures rest on.
pub(super) fn cut_off(when: &When, lines: &[Line<'_>]) -> CutOff {
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

/// What a person should look at.
pub(super) fn warnings(
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
