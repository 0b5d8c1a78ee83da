//! A rule set as its TOML file says it. Every figure of the county stands there; the program has none.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

use super::person::Match;
use crate::fixed::Amount;
use crate::lang::Lang;

/// Name, version and source of a rule set.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// Id, for example "seed003.five-year-36-54".
    pub id: String,
    /// Version, from 1; immutable once it is out.
    pub version: u32,
    /// Chinese title.
    pub title_zh: String,
    /// English title.
    pub title_en: String,
    /// Where the text comes from.
    #[serde(default)]
    pub source: Vec<String>,
    /// Who issues it, in Chinese.
    #[serde(default)]
    pub issuer_zh: String,
    /// What amounts are in.
    pub amount_unit: AmountUnit,
    /// Whether years are blanked out in the source.
    #[serde(default)]
    pub years_redacted: bool,
}

/// What amounts are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AmountUnit {
    /// 学分.
    Credit,
}

/// How a figure without minimum and maximum is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Figures {
    /// At least so much.
    Minimum,
    /// Exactly so much.
    Exact,
}

/// Which figures hold for the channels (A6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChannelFigures {
    /// The printed credits.
    Printed,
    /// The printed share of the person's total.
    Share,
}

/// Which table holds for a larger total (A5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LargerTable {
    /// The ordinary table; what the total has above it is free.
    SamePlusFree,
    /// Every figure of the ordinary table, scaled by the two totals.
    Scaled,
}

/// What an amount above a maximum does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OverMax {
    /// It counts, and the card says so.
    Warn,
    /// The requirement is not met.
    Fail,
}

/// Whether a part of the rules must be met or is only shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// Must be met.
    Required,
    /// Is shown.
    Advice,
}

/// How the open points of the text are read: the county's answers, with the defaults of the file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reading {
    /// Targets of a whole category (A1).
    pub category_figures: Figures,
    /// All other targets.
    pub other_targets: Figures,
    /// Channels (A6).
    pub channel_figures: ChannelFigures,
    /// Larger totals (A5).
    pub senior_table: LargerTable,
    /// Above a maximum.
    pub over_max: OverMax,
    /// A school year below its figure.
    pub per_year: Weight,
    /// The table of cells.
    pub cells: Weight,
    /// Said on every card, in Chinese (A7).
    pub notice_zh: String,
    /// Said on every card, in English.
    pub notice_en: String,
    /// Lines that do not count where they were recorded (A2, A3); the first that fits holds.
    #[serde(rename = "placement", default)]
    pub placements: Vec<Placement>,
}

/// Where lines of one programme or topic count.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Placement {
    /// Id.
    pub id: String,
    /// Chinese label.
    pub zh: String,
    /// English label.
    pub en: String,
    /// Which lines.
    #[serde(rename = "where")]
    pub filter: Where,
    /// Whether they count in requirements for the total.
    pub in_total: bool,
    /// Category in which they count.
    pub category: Place,
    /// Channel in which they count.
    pub channel: Place,
}

/// A category or channel for a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// As the school recorded it.
    AsRecorded,
    /// In none.
    None,
    /// In this one.
    In(String),
}

impl<'de> Deserialize<'de> for Place {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match String::deserialize(deserializer)?.as_str() {
            "as_recorded" => Place::AsRecorded,
            "none" => Place::None,
            code => Place::In(code.to_owned()),
        })
    }
}

/// One text or a list of texts in the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OneOrMany(pub Vec<String>);

impl OneOrMany {
    /// Whether a value is among them; an empty list lets everything pass.
    pub fn admits(&self, value: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|one| one == value)
    }
}

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            One(String),
            Many(Vec<String>),
        }
        Ok(OneOrMany(match Either::deserialize(deserializer)? {
            Either::One(one) => vec![one],
            Either::Many(many) => many,
        }))
    }
}

/// Which credited lines are meant. What is not named does not matter; an empty filter means all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Where {
    /// Category codes.
    pub category: OneOrMany,
    /// Sub-category codes.
    pub sub: OneOrMany,
    /// Channel codes.
    pub channel: OneOrMany,
    /// Form codes.
    pub form: OneOrMany,
    /// Topics (the session's theme).
    pub topic: OneOrMany,
    /// Programmes (the session's project).
    pub program: OneOrMany,
    /// Teams; for workflows only.
    pub team: OneOrMany,
}

impl Where {
    /// Whether it means all lines.
    pub fn is_all(&self) -> bool {
        *self == Where::default()
    }

    /// Whether it names whole categories and nothing else.
    pub fn is_category_alone(&self) -> bool {
        !self.category.0.is_empty()
            && *self
                == Where {
                    category: self.category.clone(),
                    ..Where::default()
                }
    }
}

/// From class-hours to credits.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Convert {
    /// Class-hours of one credit.
    pub hours_per_credit: Amount,
    /// Whether the text allows exceptions (“一般”).
    #[serde(default)]
    pub exceptions_allowed: bool,
    /// What happens to an amount that is not exact in hundredths.
    pub record_rounding: RecordRounding,
    /// Minutes of a class-hour where a session gives no minutes.
    pub minutes_per_hour: i64,
}

/// What happens to an amount that is not exact in hundredths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordRounding {
    /// It is refused: nothing is rounded.
    None,
}

/// The period over which requirements hold.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cycle {
    /// Kind of period.
    pub kind: CycleKind,
    /// Number of years.
    pub years: i32,
    /// Kind of year.
    pub year_kind: YearKind,
    /// First school year.
    pub first_year: i32,
}

/// Kind of period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CycleKind {
    /// The same years for everyone.
    FixedWindow,
}

/// Kind of year.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum YearKind {
    /// 学年, 1 September to 31 August.
    SchoolYear,
}

/// A category with its sub-categories.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Category {
    /// Code.
    pub id: String,
    /// Chinese label.
    pub zh: String,
    /// English label.
    pub en: String,
    /// Definition in Chinese.
    #[serde(default)]
    pub def_zh: String,
    /// Sub-categories.
    #[serde(rename = "sub", default)]
    pub subs: Vec<Sub>,
}

/// A sub-category.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sub {
    /// Code.
    pub id: String,
    /// Chinese label.
    pub zh: String,
    /// English label.
    pub en: String,
}

/// A channel.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Channel {
    /// Code.
    pub id: String,
    /// Chinese label.
    pub zh: String,
    /// English label.
    pub en: String,
    /// Where its courses are chosen, in Chinese.
    #[serde(default)]
    pub selection_zh: String,
}

/// A group of people with rules of its own.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Population {
    /// Id.
    pub id: String,
    /// Chinese label.
    pub zh: String,
    /// English label.
    pub en: String,
    /// Whether everyone belongs to it.
    #[serde(default)]
    pub default: bool,
    /// Who belongs to it.
    #[serde(rename = "match")]
    pub condition: Option<Match>,
    /// Whether figures shrink with the years in service.
    #[serde(default)]
    pub prorate: bool,
    /// Said on the card, in Chinese.
    #[serde(default)]
    pub note_zh: String,
    /// Said on the card, in English.
    #[serde(default)]
    pub note_en: String,
}

/// One requirement over the cycle.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Require {
    /// Id.
    pub id: String,
    /// Chinese label.
    pub zh: String,
    /// English label.
    pub en: String,
    /// Population that it holds for.
    #[serde(rename = "for")]
    pub population: String,
    /// Requirement that it takes the place of.
    pub replaces: Option<String>,
    /// Lines that count.
    #[serde(rename = "where")]
    pub filter: Where,
    /// At least.
    pub min: Option<Amount>,
    /// At most.
    pub max: Option<Amount>,
    /// A figure that [`Reading`] makes a minimum or exact.
    pub target: Option<Amount>,
    /// A fixed award for a completed programme: at least this.
    pub fixed: Option<Amount>,
    /// The same minimum in class-hours, as the text prints it; checked against the conversion.
    pub min_hours: Option<Amount>,
    /// At least, in every school year in service.
    pub per_year: Option<Amount>,
    /// Least and greatest share of the total.
    pub share: Option<[Amount; 2]>,
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
    /// A figure that [`Reading`] makes a minimum or exact.
    pub target: Option<Amount>,
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
    /// Requirements that fall away.
    #[serde(default)]
    pub waive: Vec<String>,
    /// Channels whose cells fall away.
    #[serde(default)]
    pub waive_channels: Vec<String>,
    /// Figures that take the place of a requirement's minimum or target.
    #[serde(default)]
    pub set: BTreeMap<String, Amount>,
    /// Said on the card, in Chinese.
    pub zh: String,
    /// Said on the card, in English.
    pub en: String,
}

/// A greatest share of one form among some lines.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// Id.
    pub id: String,
    /// Chinese label.
    pub zh: String,
    /// English label.
    pub en: String,
    /// The lines that are the whole. Measured in minutes.
    #[serde(rename = "where")]
    pub filter: Where,
    /// The lines that are the part; a session's lecture minutes are part of it too.
    pub of: Where,
    /// Greatest share.
    pub max_share: Amount,
    /// Whether it must be met.
    #[serde(default = "yes")]
    pub hard: bool,
}

/// Who signs what before credit exists.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Workflow {
    /// Lines it holds for.
    #[serde(rename = "where")]
    pub filter: Where,
    /// Steps in Chinese.
    pub steps: Vec<String>,
    /// Filing (备案) or approval (核准).
    pub gate: Gate,
}

/// Filing or approval: two different acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gate {
    /// 备案.
    File,
    /// 核准.
    Approve,
}

/// How figures shrink for those who joined late (A4).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prorate {
    /// Formula.
    pub method: ProrateMethod,
    /// Whether the school year of joining is a year in service.
    pub joining_year_counts: bool,
    /// Direction of rounding.
    pub rounding: Rounding,
    /// Unit of rounding.
    pub round_to: Amount,
    /// Cells are waived below this many years in service.
    pub cells_waived_below_years: usize,
    /// What a transfer does, in words.
    #[serde(default)]
    pub on_transfer: String,
}

/// Formula of proration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProrateMethod {
    /// Figure × school years in service / years of the cycle.
    YearsInService,
    /// Figures stay whole.
    None,
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

/// An open point of the text and the parameters that answer it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ambiguity {
    /// Id (A1 …).
    pub id: String,
    /// The question.
    pub text: String,
    /// Keys of this file that answer it.
    pub parameters: Vec<String>,
}

/// One rule set in one version.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleSet {
    /// Name, version, source.
    #[serde(rename = "ruleset")]
    pub head: Head,
    /// How open points are read.
    pub reading: Reading,
    /// From class-hours to credits.
    pub convert: Convert,
    /// The period.
    pub cycle: Cycle,
    /// Categories in the order of the table.
    #[serde(rename = "category")]
    pub categories: Vec<Category>,
    /// Channels in the order of the table.
    #[serde(rename = "channel")]
    pub channels: Vec<Channel>,
    /// Populations.
    #[serde(rename = "population")]
    pub populations: Vec<Population>,
    /// Requirements.
    #[serde(rename = "require")]
    pub requirements: Vec<Require>,
    /// Cells of the table.
    #[serde(rename = "cell", default)]
    pub cells: Vec<Cell>,
    /// Exemptions.
    #[serde(rename = "adjust", default)]
    pub adjustments: Vec<Adjust>,
    /// Composition limits.
    #[serde(rename = "limit", default)]
    pub limits: Vec<Limit>,
    /// Workflows.
    #[serde(rename = "workflow", default)]
    pub workflows: Vec<Workflow>,
    /// Proration.
    pub prorate: Prorate,
    /// Open points.
    #[serde(rename = "ambiguity", default)]
    pub ambiguities: Vec<Ambiguity>,
}

impl RuleSet {
    /// "seed003.five-year-36-54/1", as claims name it in `rule_ref`.
    pub fn reference(&self) -> String {
        format!("{}/{}", self.head.id, self.head.version)
    }

    /// Title in a language.
    pub fn title(&self, lang: Lang) -> &str {
        lang.pick(&self.head.title_zh, &self.head.title_en)
    }

    /// A category by its code.
    pub fn category(&self, id: &str) -> Option<&Category> {
        self.categories.iter().find(|category| category.id == id)
    }

    /// A channel by its code.
    pub fn channel(&self, id: &str) -> Option<&Channel> {
        self.channels.iter().find(|channel| channel.id == id)
    }

    /// A requirement by its id.
    pub fn requirement(&self, id: &str) -> Option<&Require> {
        self.requirements.iter().find(|require| require.id == id)
    }
}

fn yes() -> bool {
    true
}
