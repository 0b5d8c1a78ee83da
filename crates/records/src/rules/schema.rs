//! A rule set as its TOML file says it. Every figure of the county stands there; the program has none.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::cycle::{Cycle, Terms};
use super::demand::*;
use super::filter::{OneOrMany, Placement};
use super::formula::Check;
use super::person::Match;
use super::scheme::Scheme;
use crate::fixed::{Amount, show_hundredths};
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
    /// What totals are in.
    pub amount_unit: Unit,
    /// Whether years are blanked out in the source.
    #[serde(default)]
    pub years_redacted: bool,
}

/// What an amount is in. Amounts are hundredths of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// 学分.
    Credit,
    /// 学时.
    Hour,
    /// 节: lessons heard, given or debriefed.
    Lesson,
    /// 天.
    Day,
    /// 分: points of a scheme.
    Point,
    /// 次.
    Time,
    /// 人.
    Head,
    /// Each requirement names its own; there is no total.
    Mixed,
}

impl Unit {
    /// Chinese name.
    pub fn zh(self) -> &'static str {
        match self {
            Unit::Credit => "学分",
            Unit::Hour => "学时",
            Unit::Lesson => "节",
            Unit::Day => "天",
            Unit::Point => "分",
            Unit::Time => "次",
            Unit::Head => "人",
            Unit::Mixed => "",
        }
    }

    /// English name, in the plural.
    pub fn en(self) -> &'static str {
        match self {
            Unit::Credit => "credits",
            Unit::Hour => "class-hours",
            Unit::Lesson => "lessons",
            Unit::Day => "days",
            Unit::Point => "points",
            Unit::Time => "times",
            Unit::Head => "people",
            Unit::Mixed => "",
        }
    }

    /// An amount as people write it in this unit: "36.0", but "5" for what is counted.
    pub fn show(self, amount_c: i64) -> String {
        let text = show_hundredths(amount_c);
        match self {
            Unit::Credit | Unit::Hour => text,
            _ => text.strip_suffix(".0").map_or(text.clone(), str::to_owned),
        }
    }
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

/// On which day full years of teaching are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum YearsAt {
    /// First day of the period.
    PeriodStart,
    /// Last day of the period.
    PeriodEnd,
}

/// How the open points of the text are read: the county's answers, with the defaults of the file.
/// What a file does not name has no meaning for it, and stands as in [`Reading::default`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Reading {
    /// Targets of a whole category (A1).
    pub category_figures: Figures,
    /// All other targets.
    pub other_targets: Figures,
    /// Channels (A6).
    pub channel_figures: ChannelFigures,
    /// Larger totals (A5).
    pub senior_table: LargerTable,
    /// Above a maximum (F2).
    pub over_max: OverMax,
    /// A school year below its figure.
    pub per_year: Weight,
    /// The table of cells.
    pub cells: Weight,
    /// Required courses that nothing shows.
    pub courses: Weight,
    /// Entries that belong to no named course (C1).
    pub outside_courses: Counting,
    /// Day on which years of teaching are counted.
    pub teaching_years_at: YearsAt,
    /// What an entry needs for which no workflow is named.
    pub ungated: Gate,
    /// Whether an approval (核准) stands for the filing (备案) that a workflow asks for.
    pub approval_covers_filing: bool,
    /// Said on every card, in Chinese (A7).
    pub notice_zh: String,
    /// Said on every card, in English.
    pub notice_en: String,
    /// Entries that do not count where they were recorded (A2, A3); the first that fits holds.
    #[serde(rename = "placement")]
    pub placements: Vec<Placement>,
}

impl Default for Reading {
    fn default() -> Reading {
        Reading {
            category_figures: Figures::Minimum,
            other_targets: Figures::Minimum,
            channel_figures: ChannelFigures::Printed,
            senior_table: LargerTable::SamePlusFree,
            over_max: OverMax::Warn,
            per_year: Weight::Required,
            cells: Weight::Required,
            courses: Weight::Required,
            outside_courses: Counting::Counts,
            teaching_years_at: YearsAt::PeriodStart,
            ungated: Gate::Approve,
            approval_covers_filing: true,
            notice_zh: String::new(),
            notice_en: String::new(),
            placements: Vec::new(),
        }
    }
}

/// Whether something counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Counting {
    /// It counts.
    Counts,
    /// It counts zero.
    Zero,
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
    /// What happens to an amount that is not exact in hundredths when it is registered.
    #[serde(default = "RecordRounding::none")]
    pub record_rounding: RecordRounding,
    /// Credits of an entry that was recognised under another version of this rule set.
    #[serde(default = "OtherVersion::hours")]
    pub other_version: OtherVersion,
    /// Minutes of a class-hour where a session gives no minutes.
    #[serde(default = "forty_five")]
    pub minutes_per_hour: i64,
    /// Class-hours of a day where an entry gives days and no hours; zero means that it must give hours (B2).
    #[serde(default)]
    pub hours_per_day: Amount,
}

impl Default for Convert {
    fn default() -> Convert {
        Convert {
            hours_per_credit: Amount(100),
            exceptions_allowed: false,
            record_rounding: RecordRounding::None,
            other_version: OtherVersion::Hours,
            minutes_per_hour: forty_five(),
            hours_per_day: Amount(0),
        }
    }
}

/// What happens to an amount that is not exact in hundredths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordRounding {
    /// It is refused: nothing is rounded.
    None,
}

impl RecordRounding {
    fn none() -> RecordRounding {
        RecordRounding::None
    }
}

/// Credits of an entry that was recognised under another version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OtherVersion {
    /// Anew from its class-hours, as across rule sets. What is below a hundredth falls away.
    Hours,
    /// As the county recognised them then.
    Recognised,
}

impl OtherVersion {
    fn hours() -> OtherVersion {
        OtherVersion::Hours
    }
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
    /// Codes of other rule sets or versions that mean this one.
    #[serde(default)]
    pub also: Vec<String>,
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
    /// Days that one event of it lasts, as the text prints them.
    pub days: Option<Amount>,
    /// Codes of other rule sets or versions that mean this one.
    #[serde(default)]
    pub also: Vec<String>,
}

/// A code with its names: an activity that is counted and is no credit (lessons heard, bulletins), or
/// something that is confirmed of an entry.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Named {
    /// Code.
    pub id: String,
    /// Chinese label.
    pub zh: String,
    /// English label.
    pub en: String,
}

/// A group of people (or of schools, stations …) with rules of its own.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Population {
    /// Id.
    pub id: String,
    /// Chinese label.
    pub zh: String,
    /// English label.
    pub en: String,
    /// What it is a group of.
    #[serde(default = "person")]
    pub subject: String,
    /// Whether every such subject belongs to it.
    #[serde(default)]
    pub default: bool,
    /// Who belongs to it.
    #[serde(rename = "match")]
    pub condition: Option<Match>,
    /// Whether figures shrink with the time in service.
    #[serde(default)]
    pub prorate: bool,
    /// Said on the card, in Chinese.
    #[serde(default)]
    pub note_zh: String,
    /// Said on the card, in English.
    #[serde(default)]
    pub note_en: String,
}

/// What must be behind every entry, whatever its workflow (绝不送1分).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Invariant {
    /// An entry names a held session or accepted evidence.
    pub no_gift_credit: bool,
    /// Nobody decides about the own school.
    pub no_self_award: bool,
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
    #[serde(default)]
    pub reading: Reading,
    /// From class-hours to credits.
    #[serde(default)]
    pub convert: Convert,
    /// The period.
    pub cycle: Cycle,
    /// The usual semesters and weeks.
    pub calendar: Option<Terms>,
    /// Numbers that formulas name.
    #[serde(default)]
    pub constants: BTreeMap<String, i64>,
    /// Activities; an entry of another one counts zero.
    #[serde(rename = "activity", default)]
    pub activities: Vec<Named>,
    /// What may be confirmed of an entry (`debriefed`, `signed` …).
    #[serde(rename = "mark", default)]
    pub marks: Vec<Named>,
    /// Categories in the order of the table. Without any, the category of an entry does not matter.
    #[serde(rename = "category", default)]
    pub categories: Vec<Category>,
    /// Channels in the order of the table. Without any, the channel of an entry does not matter.
    #[serde(rename = "channel", default)]
    pub channels: Vec<Channel>,
    /// Populations.
    #[serde(rename = "population")]
    pub populations: Vec<Population>,
    /// Requirements.
    #[serde(rename = "require", default)]
    pub requirements: Vec<Require>,
    /// Cells of the table.
    #[serde(rename = "cell", default)]
    pub cells: Vec<Cell>,
    /// Courses.
    #[serde(rename = "course", default)]
    pub courses: Vec<Course>,
    /// Exemptions.
    #[serde(rename = "adjust", default)]
    pub adjustments: Vec<Adjust>,
    /// Composition limits.
    #[serde(rename = "limit", default)]
    pub limits: Vec<Limit>,
    /// Conditions on the numbers of a subject.
    #[serde(rename = "check", default)]
    pub checks: Vec<Check>,
    /// Points.
    pub scheme: Option<Scheme>,
    /// Workflows.
    #[serde(rename = "workflow", default)]
    pub workflows: Vec<Workflow>,
    /// What must be behind every entry.
    #[serde(default)]
    pub invariant: Invariant,
    /// Proration.
    #[serde(default)]
    pub prorate: Prorate,
    /// What the text says besides, in words; nothing is worked out from it.
    #[serde(default)]
    pub words: BTreeMap<String, OneOrMany>,
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

    /// What a requirement is counted in.
    pub(super) fn unit_of(&self, require: &Require) -> Unit {
        require.unit.unwrap_or(self.head.amount_unit)
    }
}

pub(super) fn yes() -> bool {
    true
}

fn forty_five() -> i64 {
    45
}

pub(super) fn person() -> String {
    "person".to_owned()
}
