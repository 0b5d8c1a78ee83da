//! What a rule set asks of one person: exemptions, larger totals and proration worked into figures.

use std::collections::BTreeSet;

use super::cycle::{Per, Period};
use super::demand::*;
use super::person::PersonFacts;
use super::schema::*;
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
    /// What is asked in every year, semester or week in service.
    pub(super) each: Option<Each>,
    /// Whether nothing is asked.
    pub(super) waived: bool,
    /// What it is in.
    pub(super) unit: Unit,
}

/// What is asked in every year, semester or week.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Each {
    pub(super) per: Per,
    pub(super) min_c: i64,
    pub(super) max_c: Option<i64>,
    /// Whether nothing is asked over the cycle besides.
    pub(super) alone: bool,
}

/// Everything that is asked of one person.
pub(super) struct Asked<'a> {
    pub(super) populations: Vec<&'a Population>,
    pub(super) adjustments: Vec<&'a Adjust>,
    pub(super) requirements: Vec<(&'a Require, Figure)>,
    pub(super) cells: Vec<(&'a Cell, Figure)>,
}

impl Asked<'_> {
    /// Whether the person is in one of these populations.
    pub(super) fn among(&self, populations: &super::filter::OneOrMany) -> bool {
        populations
            .0
            .iter()
            .any(|id| self.populations.iter().any(|each| each.id == *id))
    }

    /// Whether a requirement or course falls away.
    pub(super) fn waives(&self, id: &str) -> bool {
        self.adjustments.iter().any(|each| each.waives(id))
    }
}

/// Works out what a rule set asks of a person.
pub(super) fn asked<'a>(rules: &'a RuleSet, person: &PersonFacts, period: Option<&Period>) -> Asked<'a> {
    let populations = rules.populations_of(person, period);
    let ids: BTreeSet<&str> = populations.iter().map(|each| each.id.as_str()).collect();
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
    let prorated = populations.iter().any(|each| each.prorate);
    let served = |period: &Period| {
        let years = period.years.iter();
        years.filter(|year| rules.serves(person, year)).count()
    };
    let service = match (rules.prorate.method, period.filter(|_| prorated)) {
        (ProrateMethod::YearsInService, Some(period)) => {
            Ratio::of(served(period) as i64, period.years.len() as i64)
        }
        (ProrateMethod::MonthsPresent, Some(period)) => {
            let (all, present) = rules.months(person, period);
            Ratio::of(present, all)
        }
        _ => Ratio::ONE,
    };

    let mine: Vec<&Require> = rules
        .requirements
        .iter()
        .filter(|each| each.population.0.iter().any(|id| ids.contains(id.as_str())))
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
    let short = |period| served(period) < rules.prorate.cells_waived_below_years;
    let too_short =
        prorated && rules.prorate.method == ProrateMethod::YearsInService && period.is_some_and(short);
    let cells = rules
        .cells
        .iter()
        .filter(|_| !populations.is_empty())
        .map(|each| (each, work.cell(each, too_short)))
        .collect();
    Asked {
        populations,
        adjustments,
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
        let waived = self.adjustments.iter().any(|each| each.waives(&require.id));
        // The table that scales is the one of the default population; what a group has of its own stays.
        let of_table = self
            .rules
            .populations
            .iter()
            .any(|each| each.default && require.population.0.contains(&each.id));
        let table = if of_table && !require.filter.is_all() {
            self.table
        } else {
            Ratio::ONE
        };
        // What is asked in each year, semester or week holds for each in service: those that are not
        // served only drop out.
        let ratio = match require.per {
            Some(_) => table,
            None => self.service.times(table),
        };
        let per_year = require.per_year.map(|amount| Each {
            per: Per::Year,
            min_c: self.round(amount.0, if of_table { self.table } else { Ratio::ONE }),
            max_c: None,
            alone: false,
        });
        let figures = if require.filter.is_category_alone() {
            reading.category_figures
        } else {
            reading.other_targets
        };
        let figure = match (require.share, reading.channel_figures) {
            // Inward: the least rounds up, the greatest down.
            (Some([least, greatest]), ChannelFigures::Share) if least == greatest => {
                self.target(least.up(total_c), figures)
            }
            (Some([least, greatest]), ChannelFigures::Share) => {
                self.range(least.up(total_c), Some(greatest.down(total_c)))
            }
            _ => self.printed(require, ratio, figures),
        };
        let figure = Figure {
            unit: self.rules.unit_of(require),
            each: per_year,
            waived,
            ..figure
        };
        match require.per {
            Some(per) => Figure {
                min_c: 0,
                max_c: None,
                each: Some(Each {
                    per,
                    min_c: figure.min_c,
                    max_c: figure.max_c,
                    alone: true,
                }),
                ..figure
            },
            None => figure,
        }
    }

    fn printed(&self, require: &Require, ratio: Ratio, figures: Figures) -> Figure {
        let set = self
            .adjustments
            .iter()
            .filter_map(|each| each.set.get(&require.id))
            .min()
            .copied();
        let lower = |own: Option<Amount>| own.map(|own| self.round(set.unwrap_or(own).0, ratio));
        let max_c = require.max.map(|max| self.round(max.0, ratio));
        match (lower(require.target), lower(require.min.or(require.fixed))) {
            (Some(target), _) => self.target(target, figures),
            (None, Some(min)) => self.range(min, max_c),
            (None, None) => self.range(0, max_c),
        }
    }

    fn cell(&self, cell: &Cell, too_short: bool) -> Figure {
        let waived = too_short
            || self
                .adjustments
                .iter()
                .any(|each| each.waive_all || each.waive_channels.contains(&cell.channel));
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
            over_fails: exact,
            ..self.range(target_c, exact.then_some(target_c))
        }
    }

    fn range(&self, min_c: i64, max_c: Option<i64>) -> Figure {
        Figure {
            min_c,
            max_c,
            over_fails: self.rules.reading.over_max == OverMax::Fail,
            each: None,
            waived: false,
            unit: self.rules.head.amount_unit,
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
