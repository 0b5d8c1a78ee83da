//! What a rule set asks of one person: exemptions, larger totals and proration worked into figures.

use std::collections::{BTreeMap, BTreeSet};

use super::person::PersonFacts;
use super::schema::*;
use crate::date::SchoolYear;
use crate::fixed::Amount;

/// What is asked in one requirement or cell, for one person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Figure {
    /// Least.
    pub(super) min_c: i64,
    /// Greatest.
    pub(super) max_c: Option<i64>,
    /// Whether more than the greatest fails.
    pub(super) over_fails: bool,
    /// Least in every school year in service.
    pub(super) per_year_c: Option<i64>,
    /// Whether nothing is asked.
    pub(super) waived: bool,
}

/// Everything that is asked of one person.
pub(super) struct Asked<'a> {
    pub(super) populations: Vec<&'a Population>,
    pub(super) adjustments: Vec<&'a Adjust>,
    pub(super) years: Vec<SchoolYear>,
    pub(super) requirements: Vec<(&'a Require, Figure)>,
    pub(super) cells: Vec<(&'a Cell, Figure)>,
}

/// Works out what a rule set asks of a person.
pub(super) fn asked<'a>(rules: &'a RuleSet, person: &PersonFacts) -> Asked<'a> {
    let ids: BTreeSet<&str> = rules.populations_of(person).into_iter().collect();
    let populations: Vec<&Population> = rules
        .populations
        .iter()
        .filter(|each| ids.contains(each.id.as_str()))
        .collect();
    let adjustments: Vec<&Adjust> = rules
        .adjustments
        .iter()
        .filter(|each| ids.contains(each.population.as_str()))
        .filter(|each| {
            each.option
                .as_ref()
                .is_none_or(|option| person.options.contains(option))
        })
        .collect();
    let years = rules.service_years(person);
    let prorated =
        rules.prorate.method == ProrateMethod::YearsInService && populations.iter().any(|each| each.prorate);
    let service = if prorated {
        Ratio::of(years.len() as i64, i64::from(rules.cycle.years))
    } else {
        Ratio::ONE
    };

    let mine: Vec<&Require> = rules
        .requirements
        .iter()
        .filter(|each| ids.contains(each.population.as_str()))
        .collect();
    let replaced: BTreeSet<&str> = mine.iter().filter_map(|each| each.replaces.as_deref()).collect();
    let table = match rules.reading.senior_table {
        LargerTable::SamePlusFree => Ratio::ONE,
        LargerTable::Scaled => table_ratio(rules, &mine),
    };
    let work = Work {
        rules,
        adjustments: &adjustments,
        service,
        table,
    };

    let standing: Vec<&Require> = mine
        .into_iter()
        .filter(|each| !replaced.contains(each.id.as_str()))
        .collect();
    let total_c = standing
        .iter()
        .find(|each| each.filter.is_all())
        .map_or(0, |each| work.require(each, 0).min_c);
    let requirements = standing
        .into_iter()
        .map(|each| (each, work.require(each, total_c)))
        .collect();
    let too_short = prorated && years.len() < rules.prorate.cells_waived_below_years;
    let cells = rules
        .cells
        .iter()
        .map(|each| (each, work.cell(each, too_short)))
        .collect();
    Asked {
        populations,
        adjustments,
        years,
        requirements,
        cells,
    }
}

/// The larger total by the one it replaces.
fn table_ratio(rules: &RuleSet, mine: &[&Require]) -> Ratio {
    mine.iter()
        .find_map(|each| {
            let replaced = rules.requirement(each.replaces.as_deref()?)?;
            Some(Ratio::of(each.min?.0, replaced.min?.0))
        })
        .unwrap_or(Ratio::ONE)
}

struct Work<'a> {
    rules: &'a RuleSet,
    adjustments: &'a [&'a Adjust],
    service: Ratio,
    table: Ratio,
}

impl Work<'_> {
    fn require(&self, require: &Require, total_c: i64) -> Figure {
        let reading = &self.rules.reading;
        let waived = self
            .adjustments
            .iter()
            .any(|each| each.waive.contains(&require.id));
        // The table that scales is the one of the default population; what a group has of its own stays.
        let of_table = self
            .rules
            .populations
            .iter()
            .any(|each| each.default && each.id == require.population);
        let ratio = if of_table && !require.filter.is_all() {
            self.service.times(self.table)
        } else {
            self.service
        };
        // A figure by year holds for each year in service, so years that are not served only drop out.
        let per_year_c = require
            .per_year
            .map(|amount| self.round(amount.0, if of_table { self.table } else { Ratio::ONE }));
        let figures = if require.filter.is_category_alone() {
            reading.category_figures
        } else {
            reading.other_targets
        };

        if let (Some([least, greatest]), ChannelFigures::Share) = (require.share, reading.channel_figures) {
            // Inward: the least rounds up, the greatest down.
            let (min_c, max_c) = ((total_c * least.0 + 99) / 100, total_c * greatest.0 / 100);
            let figure = if least == greatest {
                self.target(min_c, figures)
            } else {
                self.range(min_c, Some(max_c))
            };
            return Figure {
                per_year_c,
                waived,
                ..figure
            };
        }
        let set = self
            .adjustments
            .iter()
            .filter_map(|each| each.set.get(&require.id))
            .min()
            .copied();
        let lower = |own: Option<Amount>| own.map(|own| self.round(set.unwrap_or(own).0, ratio));
        let max_c = require.max.map(|max| self.round(max.0, ratio));
        let figure = match (lower(require.target), lower(require.min.or(require.fixed))) {
            (Some(target), _) => self.target(target, figures),
            (None, Some(min)) => self.range(min, max_c),
            (None, None) => self.range(0, max_c),
        };
        Figure {
            per_year_c,
            waived,
            ..figure
        }
    }

    fn cell(&self, cell: &Cell, too_short: bool) -> Figure {
        let waived = too_short
            || self
                .adjustments
                .iter()
                .any(|each| each.waive_channels.contains(&cell.channel));
        let ratio = self.service.times(self.table);
        let round = |amount: Amount| self.round(amount.0, ratio);
        let figure = match cell.target {
            Some(target) => self.target(round(target), self.rules.reading.other_targets),
            None => self.range(cell.min.map_or(0, round), cell.max.map(round)),
        };
        Figure { waived, ..figure }
    }

    fn target(&self, target_c: i64, figures: Figures) -> Figure {
        let exact = figures == Figures::Exact;
        Figure {
            min_c: target_c,
            max_c: exact.then_some(target_c),
            over_fails: exact,
            per_year_c: None,
            waived: false,
        }
    }

    fn range(&self, min_c: i64, max_c: Option<i64>) -> Figure {
        let over_fails = self.rules.reading.over_max == OverMax::Fail;
        Figure {
            min_c,
            max_c,
            over_fails,
            per_year_c: None,
            waived: false,
        }
    }

    /// Amount × ratio, rounded as the rule set says. A whole ratio changes nothing.
    fn round(&self, amount_c: i64, ratio: Ratio) -> i64 {
        if ratio.num == ratio.den {
            return amount_c;
        }
        let unit = i128::from(self.rules.prorate.round_to.0.max(1));
        let (num, den) = (
            i128::from(amount_c) * i128::from(ratio.num),
            i128::from(ratio.den) * unit,
        );
        let units = match self.rules.prorate.rounding {
            Rounding::Down => num / den,
            Rounding::Up => (num + den - 1) / den,
            Rounding::Nearest => (2 * num + den) / (2 * den),
        };
        i64::try_from(units * unit).unwrap_or(i64::MAX)
    }
}

/// A fraction, not negative; amounts and years are small, so products stay far from overflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ratio {
    num: i64,
    den: i64,
}

impl Ratio {
    const ONE: Ratio = Ratio { num: 1, den: 1 };

    fn of(num: i64, den: i64) -> Ratio {
        Ratio {
            num: num.max(0),
            den: den.max(1),
        }
    }

    fn times(self, other: Ratio) -> Ratio {
        Ratio {
            num: self.num * other.num,
            den: self.den * other.den,
        }
    }
}

/// What exemptions of a person say about a requirement (`waive`, `set`), by requirement.
pub(super) fn reasons<'a>(adjustments: &[&'a Adjust]) -> BTreeMap<&'a str, &'a Adjust> {
    let mut reasons = BTreeMap::new();
    for adjust in adjustments {
        for id in adjust.waive.iter().chain(adjust.set.keys()) {
            reasons.entry(id.as_str()).or_insert(*adjust);
        }
    }
    reasons
}
