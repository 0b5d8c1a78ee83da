//! Point schemes: items that earn up to a cap (积满为止), start from a figure and lose by deduction, or
//! are given by an assessor; groups with caps of their own; grades.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::card::Labelled;
use super::check::MAX_AMOUNT;
use super::entry::{Line, fits};
use super::filter::Where;
use super::schema::Unit;
use crate::fixed::Amount;
use crate::lang::Lang;

/// A point scheme.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scheme {
    /// The full mark; then the caps of groups and items must add up to it.
    pub full: Option<Amount>,
    /// The mark that must be reached.
    pub pass: Option<Amount>,
    /// Groups.
    #[serde(rename = "group", default)]
    pub groups: Vec<Group>,
    /// Items.
    #[serde(rename = "item")]
    pub items: Vec<Item>,
    /// Grades, the highest first.
    #[serde(rename = "grade", default)]
    pub grades: Vec<Grade>,
}

/// A group of items or of other groups.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Id.
    pub id: String,
    /// Chinese label.
    pub zh: String,
    /// English label.
    pub en: String,
    /// The group it belongs to.
    pub group: Option<String>,
    /// Most that it gives.
    pub max: Amount,
}

/// One item.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// Id.
    pub id: String,
    /// Chinese label.
    pub zh: String,
    /// English label.
    pub en: String,
    /// The group it belongs to.
    pub group: Option<String>,
    /// Most that it gives.
    pub max: Amount,
    /// What it gives before anything happened.
    #[serde(default)]
    pub base: Amount,
    /// What earns.
    #[serde(rename = "award", default)]
    pub awards: Vec<Award>,
    /// What takes away. The item never falls below zero.
    #[serde(rename = "deduct", default)]
    pub deductions: Vec<Deduct>,
}

/// What earns.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Award {
    /// Entries that earn; the first award or deduction of the scheme that fits takes the entry.
    #[serde(rename = "where")]
    pub filter: Where,
    /// How.
    pub by: Basis,
    /// Points each time, or for each full measure.
    #[serde(default)]
    pub points: Amount,
    /// Minutes or hours of a full measure.
    pub per: Option<Amount>,
    /// Whether measures are filled by each entry or by all together.
    #[serde(default = "together")]
    pub measured: Measured,
}

/// How an award earns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// So much each time.
    Each,
    /// So much for each full measure of minutes.
    Minutes,
    /// So much for each full measure of class-hours.
    Hours,
    /// The points that the assessor gave, once: two different marks are for a person to settle.
    Graded,
    /// The points on each entry.
    Points,
}

/// Whether measures are filled by each entry or by all together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measured {
    /// Each entry for itself.
    Each,
    /// All together.
    Together,
}

fn together() -> Measured {
    Measured::Together
}

/// What takes away.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deduct {
    /// Entries that take away.
    #[serde(rename = "where")]
    pub filter: Where,
    /// Points each time.
    pub points: Amount,
}

/// A grade.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grade {
    /// Chinese label.
    pub zh: String,
    /// English label.
    pub en: String,
    /// From this mark.
    pub min: Amount,
}

/// How a scheme stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SchemeOutcome {
    /// The mark.
    pub total_c: i64,
    /// The full mark.
    pub full_c: Option<i64>,
    /// The mark that must be reached.
    pub pass_c: Option<i64>,
    /// The grade that it comes to.
    pub grade: Option<Labelled>,
    /// Groups in the order of the file.
    pub groups: Vec<GroupOutcome>,
    /// Items in the order of the file.
    pub items: Vec<ItemOutcome>,
    /// Ids of entries that no item takes, sorted.
    pub unused: Vec<String>,
}

/// How a group stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GroupOutcome {
    /// Id.
    pub id: String,
    /// Chinese label.
    pub zh: String,
    /// English label.
    pub en: String,
    /// Points that count.
    pub counted_c: i64,
    /// Most.
    pub max_c: i64,
}

/// How an item stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ItemOutcome {
    /// Id.
    pub id: String,
    /// Chinese label.
    pub zh: String,
    /// English label.
    pub en: String,
    /// What was there before and earned, before deductions and cap.
    pub earned_c: i64,
    /// What was taken away.
    pub deducted_c: i64,
    /// What counts.
    pub counted_c: i64,
    /// Most.
    pub max_c: i64,
    /// Whether different marks were given, so that nothing of them counts until a person chooses.
    pub disputed: bool,
    /// Ids of the entries that earn, sorted.
    pub lines: Vec<String>,
    /// Ids of the entries that take away, sorted.
    pub deductions: Vec<String>,
    /// One sentence in Chinese.
    pub text_zh: String,
    /// One sentence in English.
    pub text_en: String,
}

impl ItemOutcome {
    /// Label in a language.
    pub fn label(&self, lang: Lang) -> &str {
        lang.pick(&self.zh, &self.en)
    }
}

impl SchemeOutcome {
    /// An item by its id.
    pub fn item(&self, id: &str) -> Option<&ItemOutcome> {
        self.items.iter().find(|item| item.id == id)
    }

    /// A group by its id.
    pub fn group(&self, id: &str) -> Option<&GroupOutcome> {
        self.groups.iter().find(|group| group.id == id)
    }

    /// Whether the mark that must be reached is reached.
    pub fn passed(&self) -> bool {
        self.pass_c.is_none_or(|pass| self.total_c >= pass)
    }
}

impl Scheme {
    /// Why it contradicts itself, if it does.
    pub(super) fn fault(&self) -> Option<(&str, &'static str)> {
        let mut ids = BTreeSet::new();
        let names = self.groups.iter().map(|each| &each.id);
        for id in names.chain(self.items.iter().map(|each| &each.id)) {
            if id.is_empty() || !ids.insert(id) {
                return Some((id, "is empty or there twice"));
            }
        }
        // A group stands after the group it belongs to, so there are no rings.
        for (at, group) in self.groups.iter().enumerate() {
            let before = self.groups.get(..at).unwrap_or_default();
            let parent = group.group.as_ref();
            if parent.is_some_and(|parent| !before.iter().any(|each| each.id == *parent)) {
                return Some((&group.id, "belongs to a group that does not stand before it"));
            }
        }
        let mut figures = self.items.iter().flat_map(|item| {
            let awards = item.awards.iter().map(|award| award.points);
            let deductions = item.deductions.iter().map(|deduct| deduct.points);
            awards.chain(deductions).chain([item.max, item.base])
        });
        let bounds = self.groups.iter().map(|group| group.max);
        if figures.any(|figure| figure.0 > MAX_AMOUNT) || bounds.into_iter().any(|max| max.0 > MAX_AMOUNT) {
            return Some(("scheme", "has a figure that is absurdly large"));
        }
        for item in &self.items {
            let parent = item.group.as_ref();
            if parent.is_some_and(|parent| !self.groups.iter().any(|each| each.id == *parent)) {
                return Some((&item.id, "belongs to an unknown group"));
            }
            if item.base > item.max {
                return Some((&item.id, "begins above its own cap"));
            }
            let measured =
                |award: &Award| matches!(award.by, Basis::Minutes | Basis::Hours) == award.per.is_some();
            let per_sound = |award: &Award| award.per.is_none_or(|per| per >= Amount(100));
            if !item
                .awards
                .iter()
                .all(|award| measured(award) && per_sound(award))
            {
                return Some((
                    &item.id,
                    "needs a measure of at least 1 for minutes and hours alone",
                ));
            }
        }
        let falls = |pair: &[Grade]| matches!(pair, [higher, lower] if higher.min <= lower.min);
        if self.grades.windows(2).any(falls) {
            return Some(("grade", "the highest grade must stand first"));
        }
        let full = self.full?;
        let below = |parent: Option<&String>| -> i64 {
            let groups = self.groups.iter().filter(|each| each.group.as_ref() == parent);
            let items = self.items.iter().filter(|each| each.group.as_ref() == parent);
            groups
                .map(|each| each.max.0)
                .chain(items.map(|each| each.max.0))
                .sum()
        };
        if below(None) != full.0 {
            return Some(("scheme", "its parts do not add up to the full mark"));
        }
        let uneven = self
            .groups
            .iter()
            .find(|each| below(Some(&each.id)) != each.max.0);
        uneven.map(|group| (group.id.as_str(), "its parts do not add up to its mark"))
    }

    /// Works out the mark.
    pub(super) fn outcome(&self, lines: &[Line<'_>]) -> SchemeOutcome {
        let mut taken: BTreeMap<(usize, Rule), Vec<&Line<'_>>> = BTreeMap::new();
        let mut unused = Vec::new();
        for line in lines {
            match self.taker(line) {
                Some(rule) => taken.entry(rule).or_default().push(line),
                None => unused.push(line.of.id.clone()),
            }
        }
        let nothing = Vec::new();
        let items: Vec<ItemOutcome> = self
            .items
            .iter()
            .enumerate()
            .map(|(at, item)| item.outcome(|rule| taken.get(&(at, rule)).unwrap_or(&nothing).as_slice()))
            .collect();
        // From the last group to the first, so that what a group holds is known before it is capped.
        let mut inside: BTreeMap<&str, i64> = BTreeMap::new();
        let mut total_c = 0;
        let mut groups = Vec::new();
        for (item, outcome) in self.items.iter().zip(&items) {
            match &item.group {
                Some(group) => *inside.entry(group).or_default() += outcome.counted_c,
                None => total_c += outcome.counted_c,
            }
        }
        for group in self.groups.iter().rev() {
            let counted_c = inside
                .get(group.id.as_str())
                .copied()
                .unwrap_or(0)
                .min(group.max.0);
            match &group.group {
                Some(parent) => *inside.entry(parent).or_default() += counted_c,
                None => total_c += counted_c,
            }
            groups.push(GroupOutcome {
                id: group.id.clone(),
                zh: group.zh.clone(),
                en: group.en.clone(),
                counted_c,
                max_c: group.max.0,
            });
        }
        groups.reverse();
        let total_c = self.full.map_or(total_c, |full| total_c.min(full.0));
        let grade = self.grades.iter().find(|grade| total_c >= grade.min.0);
        SchemeOutcome {
            total_c,
            full_c: self.full.map(|full| full.0),
            pass_c: self.pass.map(|pass| pass.0),
            grade: grade.map(|grade| Labelled {
                id: grade.min.to_string(),
                zh: grade.zh.clone(),
                en: grade.en.clone(),
                note_zh: String::new(),
                note_en: String::new(),
            }),
            groups,
            items,
            unused,
        }
    }

    /// The first award or deduction that fits an entry.
    fn taker(&self, line: &Line<'_>) -> Option<(usize, Rule)> {
        self.items.iter().enumerate().find_map(|(at, item)| {
            let award = item.awards.iter().position(|award| fits(&award.filter, line));
            let deduct = || {
                item.deductions
                    .iter()
                    .position(|deduct| fits(&deduct.filter, line))
            };
            let rule = award.map(Rule::Award).or_else(|| deduct().map(Rule::Deduct))?;
            Some((at, rule))
        })
    }
}

/// A rule of an item, by its place in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rule {
    Award(usize),
    Deduct(usize),
}

impl Item {
    fn outcome<'l>(&self, taken: impl Fn(Rule) -> &'l [&'l Line<'l>]) -> ItemOutcome {
        let (mut earned_c, mut deducted_c, mut disputed) = (self.base.0, 0, false);
        let (mut lines, mut deductions) = (Vec::new(), Vec::new());
        let ids = |lines: &[&Line<'_>]| {
            lines
                .iter()
                .map(|line| line.of.id.clone())
                .collect::<Vec<String>>()
        };
        for (at, award) in self.awards.iter().enumerate() {
            let own = taken(Rule::Award(at));
            lines.extend(ids(own));
            match award.earns(own) {
                Some(points_c) => earned_c += points_c,
                None => disputed = true,
            }
        }
        for (at, deduct) in self.deductions.iter().enumerate() {
            let own = taken(Rule::Deduct(at));
            deductions.extend(ids(own));
            deducted_c += deduct.points.0 * own.len() as i64;
        }
        lines.sort();
        deductions.sort();
        let counted_c = (earned_c - deducted_c).clamp(0, self.max.0);
        let show = |amount_c| Unit::Point.show(amount_c);
        let mut zh = format!(
            "得 {} 分，上限 {}，计 {}",
            show(earned_c),
            show(self.max.0),
            show(counted_c)
        );
        let mut en = format!(
            "{} points, at most {}, {} count",
            show(earned_c),
            show(self.max.0),
            show(counted_c)
        );
        if deducted_c > 0 {
            zh += &format!("（扣 {} 分，{} 次）", show(deducted_c), deductions.len());
            en += &format!(" ({} taken away, {} times)", show(deducted_c), deductions.len());
        }
        if disputed {
            zh += "；评分不一致，待核";
            en += "; the marks differ, pending check";
        }
        ItemOutcome {
            id: self.id.clone(),
            zh: self.zh.clone(),
            en: self.en.clone(),
            earned_c,
            deducted_c,
            counted_c,
            max_c: self.max.0,
            disputed,
            lines,
            deductions,
            text_zh: zh,
            text_en: en,
        }
    }
}

impl Award {
    /// Points of its entries; nothing when marks differ that only one may stand.
    fn earns(&self, lines: &[&Line<'_>]) -> Option<i64> {
        let measures = |of: fn(&Line<'_>) -> i64| {
            let per = self.per.map_or(1, |per| per.0.max(1));
            let amounts = lines.iter().map(|line| of(line));
            let full: i64 = match self.measured {
                Measured::Together => amounts.sum::<i64>() / per,
                Measured::Each => amounts.map(|amount| amount / per).sum(),
            };
            full * self.points.0
        };
        match self.by {
            Basis::Each => Some(lines.iter().map(|line| line.of.count.max(1)).sum::<i64>() * self.points.0),
            Basis::Minutes => Some(measures(|line| line.of.minutes * 100)),
            Basis::Hours => Some(measures(|line| line.of.hours_c)),
            Basis::Points => Some(lines.iter().map(|line| line.of.points_c).sum()),
            Basis::Graded => {
                let marks: BTreeSet<i64> = lines.iter().map(|line| line.of.points_c).collect();
                match marks.len() {
                    0 | 1 => Some(marks.first().copied().unwrap_or(0)),
                    _ => None,
                }
            }
        }
    }
}
