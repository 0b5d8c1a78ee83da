//! Two versions of a rule set over the same entries: both totals, the difference, and where it comes from.

use std::collections::BTreeMap;

use serde::Serialize;

use super::card::{Account, CreditCard, Outcome};
use super::cycle::When;
use super::entry::{Entry, Reason};
use super::evaluate::evaluate;
use super::person::PersonFacts;
use super::schema::{RuleSet, Unit};
use crate::fixed::show_hundredths;

/// Both cards, and what is different between them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// Under the one rule set.
    pub old: CreditCard,
    /// Under the other.
    pub new: CreditCard,
    /// The other total less the one; nothing when they are in different units.
    pub difference_c: Option<i64>,
    /// The same in class-hours, which always compare.
    pub difference_hours_c: i64,
    /// Requirements that are asked, met or filled differently.
    pub requirements: Vec<RequirementChange>,
    /// Entries that count differently.
    pub entries: Vec<EntryChange>,
    /// The whole in Chinese, line by line.
    pub text_zh: Vec<String>,
    /// The whole in English.
    pub text_en: Vec<String>,
}

/// A requirement that is different. One that only one version has stands there alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RequirementChange {
    /// Id.
    pub id: String,
    /// Under the one rule set.
    pub old: Option<Standing>,
    /// Under the other.
    pub new: Option<Standing>,
    /// One sentence in Chinese.
    pub text_zh: String,
    /// One sentence in English.
    pub text_en: String,
}

/// How a requirement stands under one version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// What it is in.
    pub unit: Unit,
    /// Earned.
    pub earned_c: i64,
    /// Least.
    pub min_c: i64,
    /// Greatest.
    pub max_c: Option<i64>,
    /// Whether it is met.
    pub met: bool,
    /// Whether it holds for the person.
    pub waived: bool,
}

/// An entry that counts differently.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EntryChange {
    /// Id of the entry.
    pub id: String,
    /// What it adds under the one rule set.
    pub old_c: i64,
    /// What it adds under the other.
    pub new_c: i64,
    /// Why it counts zero under the one, if it does.
    pub old_reason: Option<Reason>,
    /// Why it counts zero under the other.
    pub new_reason: Option<Reason>,
    /// One sentence in Chinese.
    pub text_zh: String,
    /// One sentence in English.
    pub text_en: String,
}

/// Evaluates the same entries under two rule sets, or two versions of one.
pub fn compare(
    old: &RuleSet,
    new: &RuleSet,
    person: &PersonFacts,
    when: &When,
    entries: &[Entry],
) -> Comparison {
    let (old, new) = (
        evaluate(old, person, when, entries),
        evaluate(new, person, when, entries),
    );
    let requirements = requirement_changes(&old, &new);
    let entries = entry_changes(&old, &new);
    let difference_c = (old.unit == new.unit && old.unit != Unit::Mixed).then(|| new.total_c - old.total_c);
    let difference_hours_c = new.total_hours_c - old.total_hours_c;

    let total = |card: &CreditCard| (card.unit.show(card.total_c), show_hundredths(card.total_hours_c));
    let ((old_total, old_hours), (new_total, new_hours)) = (total(&old), total(&new));
    let (by_zh, by_en) = match difference_c {
        Some(by_c) => (
            format!("相差 {} {}", signed(old.unit, by_c), old.unit.zh()),
            format!("difference {} {}", signed(old.unit, by_c), old.unit.en()),
        ),
        None => (
            format!("单位不同，按学时相差 {}", signed(Unit::Hour, difference_hours_c)),
            format!(
                "different units; {} class-hours apart",
                signed(Unit::Hour, difference_hours_c)
            ),
        ),
    };
    let mut text_zh = vec![format!(
        "{}：{old_total} {}（{old_hours} 学时）；{}：{new_total} {}（{new_hours} 学时）；{by_zh}",
        old.rule_ref,
        old.unit.zh(),
        new.rule_ref,
        new.unit.zh()
    )];
    let mut text_en = vec![format!(
        "{}: {old_total} {} ({old_hours} class-hours); {}: {new_total} {} ({new_hours} class-hours); {by_en}",
        old.rule_ref,
        old.unit.en(),
        new.rule_ref,
        new.unit.en()
    )];
    text_zh.extend(requirements.iter().map(|each| each.text_zh.clone()));
    text_zh.extend(entries.iter().map(|each| each.text_zh.clone()));
    text_en.extend(requirements.iter().map(|each| each.text_en.clone()));
    text_en.extend(entries.iter().map(|each| each.text_en.clone()));
    Comparison {
        old,
        new,
        difference_c,
        difference_hours_c,
        requirements,
        entries,
        text_zh,
        text_en,
    }
}

fn signed(unit: Unit, amount_c: i64) -> String {
    let sign = if amount_c > 0 { "+" } else { "" };
    format!("{sign}{}", unit.show(amount_c))
}

fn standing(outcome: &Outcome) -> Standing {
    Standing {
        unit: outcome.unit,
        earned_c: outcome.earned_c,
        min_c: outcome.min_c,
        max_c: outcome.max_c,
        met: outcome.met,
        waived: outcome.waived,
    }
}

fn requirement_changes(old: &CreditCard, new: &CreditCard) -> Vec<RequirementChange> {
    let all = |card: &'_ CreditCard| -> Vec<Outcome> {
        card.requirements.iter().chain(&card.cells).cloned().collect()
    };
    let (old, new) = (all(old), all(new));
    let find = |outcomes: &[Outcome], id: &str| outcomes.iter().find(|each| each.id == id).cloned();
    // In the order of the old file; what is new stands after it.
    let added = new.iter().filter(|each| find(&old, &each.id).is_none());
    let ids: Vec<&Outcome> = old.iter().chain(added).collect();
    let mut changes = Vec::new();
    for outcome in ids {
        let (before, after) = (find(&old, &outcome.id), find(&new, &outcome.id));
        let (was, is) = (before.as_ref().map(standing), after.as_ref().map(standing));
        if was == is {
            continue;
        }
        let (text_zh, text_en) = match (&before, &after) {
            (Some(before), Some(after)) => (
                format!("{}：原{}；现{}", after.zh, before.text_zh, after.text_zh),
                format!("{}: was {}; is {}", after.en, before.text_en, after.text_en),
            ),
            (Some(before), None) => (
                format!("{}：不再要求（原{}）", before.zh, before.text_zh),
                format!("{}: no longer asked (was {})", before.en, before.text_en),
            ),
            (_, after) => {
                let after = after.as_ref().unwrap_or(outcome);
                (
                    format!("{}：新增，{}", after.zh, after.text_zh),
                    format!("{}: new, {}", after.en, after.text_en),
                )
            }
        };
        changes.push(RequirementChange {
            id: outcome.id.clone(),
            old: was,
            new: is,
            text_zh,
            text_en,
        });
    }
    changes
}

fn entry_changes(old: &CreditCard, new: &CreditCard) -> Vec<EntryChange> {
    let now: BTreeMap<&str, &Account> = new.accounts.iter().map(|each| (each.id.as_str(), each)).collect();
    let mut changes = Vec::new();
    for before in &old.accounts {
        let Some(after) = now.get(before.id.as_str()) else {
            continue;
        };
        let same_amount = old.unit != new.unit || before.amount_c == after.amount_c;
        if same_amount && before.reason == after.reason {
            continue;
        }
        let was = |account: &Account, unit: Unit| match account.reason {
            Some(reason) => (
                format!("不计（{}）", reason.zh()),
                format!("zero ({})", reason.en()),
            ),
            None => (
                format!("{} {}", unit.show(account.amount_c), unit.zh()),
                format!("{} {}", unit.show(account.amount_c), unit.en()),
            ),
        };
        let ((was_zh, was_en), (is_zh, is_en)) = (was(before, old.unit), was(after, new.unit));
        changes.push(EntryChange {
            id: before.id.clone(),
            old_c: before.amount_c,
            new_c: after.amount_c,
            old_reason: before.reason,
            new_reason: after.reason,
            text_zh: format!("{}：原 {was_zh}，现 {is_zh}", before.id),
            text_en: format!("{}: was {was_en}, is {is_en}", before.id),
        });
    }
    changes
}
