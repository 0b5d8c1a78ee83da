//! What a rule set asks: requirements, cells, courses, exemptions, limits, gates and proration.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, de};

use super::cycle::Per;
use super::filter::{OneOrMany, Where};
use super::schema::{Unit, yes};
use crate::fixed::{Amount, parse_hundredths};

/// One requirement over the cycle, or over each of its years, semesters or weeks.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Require {
    /// Id.
    pub id: String,
    /// Chinese label.
    pub zh: String,
    /// English label.
    pub en: String,
    /// Populations that it holds for.
    #[serde(rename = "for")]
    pub population: OneOrMany,
    /// Requirement that it takes the place of.
    pub replaces: Option<String>,
    /// Entries that count.
    #[serde(rename = "where")]
    pub filter: Where,
    /// What it is counted in, where that is not the unit of the rule set.
    pub unit: Option<Unit>,
    /// How often the figure is asked; once over the cycle when not given.
    pub per: Option<Per>,
    /// At least.
    pub min: Option<Amount>,
    /// At most.
    pub max: Option<Amount>,
    /// A figure that [`super::Reading`] makes a minimum or exact.
    pub target: Option<Amount>,
    /// A fixed award for a completed programme: at least this.
    pub fixed: Option<Amount>,
    /// The same minimum in class-hours, as the text prints it; checked against the conversion.
    pub min_hours: Option<Amount>,
    /// The same minimum in credits, as the text prints it; checked against the conversion.
    pub min_credits: Option<Amount>,
    /// At least, in every year in service, besides the figure of the cycle.
    pub per_year: Option<Amount>,
    /// Least and greatest share of the total.
    pub share: Option<[Share; 2]>,
    /// Evidence that every entry must have to count here.
    #[serde(default)]
    pub evidence: OneOrMany,
    /// What must be confirmed of every entry to count here (`debriefed`, `signed` …).
    #[serde(default)]
    pub marks: OneOrMany,
    /// Whether it must be met. A text that does not say otherwise is binding.
    #[serde(default = "yes")]
    pub hard: bool,
    /// Where it takes place, in Chinese.
    #[serde(default)]
    pub place_zh: String,
    /// What follows, in Chinese.
    #[serde(default)]
    pub then_zh: String,
}

/// One cell of the channel × category table.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cell {
    /// Channel code.
    pub channel: String,
    /// Category code.
    pub category: String,
    /// Sub-category code.
    pub sub: Option<String>,
    /// At least.
    pub min: Option<Amount>,
    /// At most.
    pub max: Option<Amount>,
    /// A figure that [`super::Reading`] makes a minimum or exact.
    pub target: Option<Amount>,
}

/// A course, and how it is shown that it was taken.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Course {
    /// Code.
    pub id: String,
    /// Chinese label.
    pub zh: String,
    /// English label.
    pub en: String,
    /// Population that it is for.
    #[serde(rename = "for")]
    pub population: OneOrMany,
    /// Entries that belong to it.
    #[serde(rename = "where")]
    pub filter: Where,
    /// Whether it must be taken.
    #[serde(default)]
    pub required: bool,
    /// How often; once in the period when not given.
    pub per: Option<Per>,
    /// Kinds of evidence, all of which its entries must show.
    #[serde(default)]
    pub evidence: OneOrMany,
    /// Whether the evidence is asked in each semester or once in the period.
    #[serde(default = "once")]
    pub evidence_per: EvidencePer,
    /// Whether who left early or came late gets nothing (全程参加).
    #[serde(default)]
    pub whole_attendance: bool,
    /// Least class-hours, where the text gives them.
    pub min_hours: Option<Amount>,
    /// What it is about, in Chinese.
    #[serde(default)]
    pub content_zh: OneOrMany,
    /// Who organises it.
    #[serde(default)]
    pub organiser: String,
    /// More about its evidence, in Chinese.
    #[serde(default)]
    pub evidence_zh: OneOrMany,
}

/// How often the evidence of a course is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EvidencePer {
    /// Once in the period.
    Period,
    /// As often as the course.
    Course,
}

fn once() -> EvidencePer {
    EvidencePer::Period
}

/// Who is let off what.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adjust {
    /// Population.
    #[serde(rename = "for")]
    pub population: String,
    /// Only at the person's own wish of this name (see [`super::PersonFacts::options`]).
    pub option: Option<String>,
    /// Whether everything falls away.
    #[serde(default)]
    pub waive_all: bool,
    /// Requirements that fall away.
    #[serde(default)]
    pub waive: Vec<String>,
    /// Channels whose cells fall away.
    #[serde(default)]
    pub waive_channels: Vec<String>,
    /// Figures that take the place of a requirement's minimum or target.
    #[serde(default)]
    pub set: BTreeMap<String, Amount>,
    /// What a longer cycle counts for a total that was waived (C2).
    #[serde(default)]
    pub counts_as: CountsAs,
    /// Said on the card, in Chinese.
    pub zh: String,
    /// Said on the card, in English.
    pub en: String,
}

impl Adjust {
    /// Whether a requirement or course falls away.
    pub(super) fn waives(&self, id: &str) -> bool {
        self.waive_all || self.waive.iter().any(|one| one == id)
    }
}

/// What a longer cycle counts for a total that was waived.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CountsAs {
    /// What was earned, and nothing more.
    #[default]
    Earned,
    /// At least the figure that was waived.
    Full,
}

/// A fraction: `"0.10"` or `"1/3"`. Never rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// Numerator.
    pub num: i64,
    /// Denominator, above zero.
    pub den: i64,
}

impl Share {
    /// This share of an amount, rounded up.
    pub(super) fn up(self, amount: i64) -> i64 {
        (amount * self.num + self.den - 1) / self.den
    }

    /// This share of an amount, rounded down.
    pub(super) fn down(self, amount: i64) -> i64 {
        amount * self.num / self.den
    }

    /// In hundredths of a percent, rounded down.
    pub(super) fn basis_points(self) -> i64 {
        10_000 * self.num / self.den
    }

    pub(super) fn at_most(self, other: Share) -> bool {
        self.num * other.den <= other.num * self.den
    }

    pub(super) const WHOLE: Share = Share { num: 1, den: 1 };
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let share = match text.split_once('/') {
            Some((num, den)) => num.parse().ok().zip(den.parse().ok()),
            None => parse_hundredths(&text).ok().map(|num| (num, 100)),
        };
        match share {
            Some((num @ 0..=10_000, den @ 1..=10_000)) => Ok(Share { num, den }),
            _ => Err(de::Error::custom(format!(
                "“{text}” is no share; write \"0.10\" or \"1/3\""
            ))),
        }
    }
}

/// A greatest or least share of one form among some entries.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// Id.
    pub id: String,
    /// Chinese label.
    pub zh: String,
    /// English label.
    pub en: String,
    /// Populations that it holds for; all when not given.
    #[serde(rename = "for", default)]
    pub population: OneOrMany,
    /// What is measured; minutes when not given.
    pub unit: Option<Unit>,
    /// The entries that are the whole.
    #[serde(rename = "where")]
    pub filter: Where,
    /// The entries that are the part; of minutes, a session's lecture minutes are part of it too.
    pub of: Where,
    /// Greatest share.
    pub max_share: Option<Share>,
    /// Least share.
    pub min_share: Option<Share>,
    /// Whether it must be met.
    #[serde(default = "yes")]
    pub hard: bool,
}

/// Who signs what before credit exists.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Workflow {
    /// Entries it holds for; the first workflow that fits holds.
    #[serde(rename = "where")]
    pub filter: Where,
    /// Steps in Chinese.
    pub steps: Vec<String>,
    /// Filing (备案) or approval (核准).
    pub gate: Gate,
    /// What must be filed.
    #[serde(default)]
    pub filings: Vec<Filing>,
}

/// Filing or approval: two different acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Gate {
    /// Neither.
    None,
    /// 备案.
    File,
    /// 核准.
    Approve,
}

/// What is filed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Filing {
    /// 方案.
    Plan,
    /// 结果.
    Result,
}

/// How figures shrink for those who joined late (A4) or were away.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Prorate {
    /// Formula.
    pub method: ProrateMethod,
    /// Whether the school year of joining is a year in service.
    pub joining_year_counts: bool,
    /// Which months count.
    pub months: Months,
    /// Statuses of leave in which figures do not run.
    pub suspends: OneOrMany,
    /// Least days of such a leave.
    pub leave_days: i32,
    /// Direction of rounding.
    pub rounding: Rounding,
    /// Unit of rounding.
    pub round_to: Amount,
    /// Cells are waived below this many years in service.
    pub cells_waived_below_years: usize,
    /// What a transfer does, in words.
    pub on_transfer: String,
}

impl Default for Prorate {
    fn default() -> Prorate {
        Prorate {
            method: ProrateMethod::None,
            joining_year_counts: true,
            months: Months::Whole,
            suspends: OneOrMany::default(),
            leave_days: 0,
            rounding: Rounding::Up,
            round_to: Amount(1),
            cells_waived_below_years: 0,
            on_transfer: String::new(),
        }
    }
}

/// Formula of proration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProrateMethod {
    /// Figure × years in service / years of the cycle.
    YearsInService,
    /// Figure × months present / months of the cycle.
    MonthsPresent,
    /// Figures stay whole.
    None,
}

/// Which months of the cycle a person is present in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Months {
    /// Those without a day of absence.
    Whole,
    /// Those with a day of presence.
    Begun,
}

/// Direction of rounding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rounding {
    /// Up.
    Up,
    /// Down.
    Down,
    /// To the nearest, halves up.
    Nearest,
}
