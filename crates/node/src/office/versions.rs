//! One card under several versions of its rules: what was registered under which, and what is different.

use std::sync::Arc;

use records::CreditCard;
use records::rules::{Entry, PersonFacts, RuleSet, credit_card};

/// The same decisions under one version of the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnderVersion {
    /// Rule set and version.
    pub reference: String,
    /// Chinese title.
    pub title: String,
    /// Claims that count and were registered under it.
    pub registered: usize,
    /// Credits in the total.
    pub total_c: i64,
    /// Credits wanted in the total.
    pub wanted_c: i64,
    /// Whether everything that must be met is.
    pub complete: bool,
}

/// A requirement that comes out differently under the oldest and the newest of several versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Chinese label.
    pub zh: String,
    /// English label.
    pub en: String,
    /// Credits earned; `None`: not asked.
    pub earned_c: [Option<i64>; 2],
    /// Credits wanted; `None`: not asked.
    pub wanted_c: [Option<i64>; 2],
    /// Whether it is met; `None`: not asked.
    pub met: [Option<bool>; 2],
}

/// Cards under every version that claims were registered under, and the one in use; the newest last. And what
/// is different between the first and the last of them.
pub(super) fn under_versions(
    versions: &[Arc<RuleSet>],
    in_use: &RuleSet,
    person: &PersonFacts,
    entries: &[Entry],
) -> (Vec<UnderVersion>, Vec<Difference>) {
    let registered = |rules: &RuleSet| {
        let reference = rules.reference();
        entries.iter().filter(|entry| entry.rule_ref == reference).count()
    };
    let wanted = versions
        .iter()
        .filter(|rules| registered(rules) > 0 || rules.reference() == in_use.reference());
    let cards: Vec<(UnderVersion, CreditCard)> = wanted
        .map(|rules| {
            let card = credit_card(rules, person, entries);
            let under = UnderVersion {
                reference: rules.reference(),
                title: rules.head.title_zh.clone(),
                registered: registered(rules),
                total_c: card.total_c,
                wanted_c: card.total().map_or(0, |total| total.min_c),
                complete: card.complete,
            };
            (under, card)
        })
        .collect();
    let differences = match (cards.first(), cards.last()) {
        (Some((old, before)), Some((new, after))) if old.reference != new.reference => {
            differences(before, after)
        }
        _ => Vec::new(),
    };
    (cards.into_iter().map(|(under, _)| under).collect(), differences)
}

fn differences(before: &CreditCard, after: &CreditCard) -> Vec<Difference> {
    let mut ids: Vec<&str> = Vec::new();
    for outcome in before.requirements.iter().chain(&after.requirements) {
        if !ids.contains(&outcome.id.as_str()) {
            ids.push(&outcome.id);
        }
    }
    ids.into_iter()
        .filter_map(|id| {
            let both = [before.requirement(id), after.requirement(id)];
            let named = both[1].or(both[0])?;
            let difference = Difference {
                zh: named.zh.clone(),
                en: named.en.clone(),
                earned_c: both.map(|outcome| Some(outcome?.earned_c)),
                wanted_c: both.map(|outcome| Some(outcome?.min_c)),
                met: both.map(|outcome| Some(outcome?.met)),
            };
            let same = difference.earned_c[0] == difference.earned_c[1]
                && difference.wanted_c[0] == difference.wanted_c[1]
                && difference.met[0] == difference.met[1];
            (!same).then_some(difference)
        })
        .collect()
}
