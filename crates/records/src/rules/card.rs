//! The credit card: what one person has earned under one rule set, and what is missing.

use serde::Serialize;

use crate::date::SchoolYear;
use crate::lang::Lang;

/// One recognised line: a claim that the county's decision stands behind. Amounts are what was
/// recognised, in hundredths.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Credited {
    /// Id of the claim; the same id twice counts once.
    pub id: String,
    /// Category code.
    pub category: String,
    /// Sub-category code.
    pub sub: Option<String>,
    /// Channel code.
    pub channel: String,
    /// Form code of the session.
    pub form: String,
    /// Theme of the session.
    pub topic: String,
    /// Project of the session.
    pub program: String,
    /// Class-hours recognised.
    pub hours_c: i64,
    /// Credits recognised.
    pub credits_c: i64,
    /// School year of the session's date.
    pub school_year: SchoolYear,
    /// Minutes of the session; 0 when not given.
    pub minutes: i64,
    /// Of these, minutes of lecture.
    pub lecture_minutes: i64,
}

/// A code with its labels, for headings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Labelled {
    /// Code.
    pub id: String,
    /// Chinese label.
    pub zh: String,
    /// English label.
    pub en: String,
    /// Chinese note; empty when there is none.
    pub note_zh: String,
    /// English note; empty when there is none.
    pub note_en: String,
}

impl Labelled {
    /// Label in a language.
    pub fn label(&self, lang: Lang) -> &str {
        lang.pick(&self.zh, &self.en)
    }
}

/// One cell of the channel × category table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MatrixCell {
    /// Category code.
    pub category: String,
    /// Channel code.
    pub channel: String,
    /// Credits earned.
    pub earned_c: i64,
    /// Of these, by sub-category, in the order of the rule set.
    pub subs: Vec<SubAmount>,
    /// Ids of the lines behind it, sorted.
    pub lines: Vec<String>,
}

/// Credits in one sub-category of a cell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SubAmount {
    /// Sub-category code.
    pub sub: String,
    /// Credits earned.
    pub earned_c: i64,
}

/// How one requirement stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// Id in the rule set; for a cell "channel/category" or "channel/category/sub".
    pub id: String,
    /// Chinese label.
    pub zh: String,
    /// English label.
    pub en: String,
    /// Credits earned.
    pub earned_c: i64,
    /// Least credits wanted, after proration and exemptions.
    pub min_c: i64,
    /// Greatest credits, when there is a maximum.
    pub max_c: Option<i64>,
    /// Missing to the least.
    pub gap_c: i64,
    /// Above the greatest.
    pub over_c: i64,
    /// Whether it is met now.
    pub met: bool,
    /// Whether the card is incomplete without it.
    pub hard: bool,
    /// Whether it does not hold for this person.
    pub waived: bool,
    /// School years, for a requirement by year.
    pub years: Vec<YearOutcome>,
    /// Ids of the lines behind the figure, sorted.
    pub lines: Vec<String>,
    /// One sentence in Chinese.
    pub text_zh: String,
    /// One sentence in English.
    pub text_en: String,
}

impl Outcome {
    /// Label in a language.
    pub fn label(&self, lang: Lang) -> &str {
        lang.pick(&self.zh, &self.en)
    }

    /// Sentence in a language.
    pub fn text(&self, lang: Lang) -> &str {
        lang.pick(&self.text_zh, &self.text_en)
    }
}

/// One school year of a requirement by year.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct YearOutcome {
    /// School year.
    pub year: SchoolYear,
    /// Credits earned in it.
    pub earned_c: i64,
    /// Credits wanted in it.
    pub min_c: i64,
    /// Missing.
    pub gap_c: i64,
    /// Whether it is met.
    pub met: bool,
    /// Ids of the lines, sorted.
    pub lines: Vec<String>,
}

/// How one composition limit stands. Shares are hundredths of a percent: 1250 = 12.5 %.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LimitOutcome {
    /// Id in the rule set.
    pub id: String,
    /// Chinese label.
    pub zh: String,
    /// English label.
    pub en: String,
    /// Minutes of the part.
    pub part_minutes: i64,
    /// Minutes of the whole.
    pub whole_minutes: i64,
    /// The part's share, rounded down.
    pub share_bp: i64,
    /// Greatest share.
    pub max_share_bp: i64,
    /// Whether it is kept.
    pub met: bool,
    /// Whether the card is incomplete when it is not kept.
    pub hard: bool,
    /// Ids of the lines that hold some of the part, sorted.
    pub lines: Vec<String>,
    /// One sentence in Chinese.
    pub text_zh: String,
    /// One sentence in English.
    pub text_en: String,
}

/// Something a person should look at; it changes no figure by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// Stable code: `over_max`, `limit`, `excluded`.
    pub code: &'static str,
    /// What it is about: id of the requirement, limit or reason.
    pub about: String,
    /// Sentence in Chinese.
    pub zh: String,
    /// Sentence in English.
    pub en: String,
    /// Ids of the lines, sorted.
    pub lines: Vec<String>,
}

/// Why a line counts zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The same id came with different content: no silent choice, a person decides.
    Disputed,
    /// Before or after the cycle.
    OutsideCycle,
    /// Category, sub-category or channel that the rule set does not have.
    UnknownCode,
    /// Negative or absurdly large.
    OutOfRange,
}

impl Reason {
    /// In Chinese.
    pub fn zh(self) -> &'static str {
        match self {
            Reason::Disputed => "同一登记有不同内容，待核",
            Reason::OutsideCycle => "不在本周期内",
            Reason::UnknownCode => "类别或渠道不在规则中",
            Reason::OutOfRange => "学分数值不合理",
        }
    }

    /// In English.
    pub fn en(self) -> &'static str {
        match self {
            Reason::Disputed => "one claim with different content, pending check",
            Reason::OutsideCycle => "outside the cycle",
            Reason::UnknownCode => "category or channel unknown to the rule set",
            Reason::OutOfRange => "amount out of range",
        }
    }
}

/// A line that counts zero.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Excluded {
    /// Id of the line.
    pub id: String,
    /// Why.
    pub reason: Reason,
}

/// One person's card under one rule set. It depends on the set of lines alone: not on their order,
/// and not on how often one came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CreditCard {
    /// Rule set and version.
    pub rule_ref: String,
    /// Chinese title of the rule set.
    pub title_zh: String,
    /// English title of the rule set.
    pub title_en: String,
    /// What to know about the rule set, in Chinese.
    pub notice_zh: String,
    /// What to know about the rule set, in English.
    pub notice_en: String,
    /// First school year of the cycle.
    pub first_year: SchoolYear,
    /// Last school year of the cycle.
    pub last_year: SchoolYear,
    /// Populations the person belongs to.
    pub populations: Vec<Labelled>,
    /// Exemptions that hold (id = population).
    pub adjustments: Vec<Labelled>,
    /// Categories: rows of the table.
    pub categories: Vec<Labelled>,
    /// Channels: columns of the table.
    pub channels: Vec<Labelled>,
    /// The table, category by category and channel by channel.
    pub matrix: Vec<MatrixCell>,
    /// Id of the requirement for the total, when the person has one.
    pub total_requirement: Option<String>,
    /// Credits that count in the total.
    pub total_c: i64,
    /// Class-hours behind them.
    pub total_hours_c: i64,
    /// Credits that stand in no cell of the table (placed so by the rule set), whether in the total or not.
    pub unplaced_c: i64,
    /// Requirements in the order of the rule set, those of the person's populations only.
    pub requirements: Vec<Outcome>,
    /// Requirements of single cells.
    pub cells: Vec<Outcome>,
    /// Composition limits.
    pub limits: Vec<LimitOutcome>,
    /// What to look at.
    pub warnings: Vec<Warning>,
    /// Lines that count zero, by id.
    pub excluded: Vec<Excluded>,
    /// Whether everything hard is met.
    pub complete: bool,
}

impl CreditCard {
    /// A cell of the table.
    pub fn cell(&self, category: &str, channel: &str) -> Option<&MatrixCell> {
        self.matrix
            .iter()
            .find(|cell| cell.category == category && cell.channel == channel)
    }

    /// A requirement by its id.
    pub fn requirement(&self, id: &str) -> Option<&Outcome> {
        self.requirements.iter().find(|outcome| outcome.id == id)
    }

    /// The requirement for the total.
    pub fn total(&self) -> Option<&Outcome> {
        self.total_requirement
            .as_deref()
            .and_then(|id| self.requirement(id))
    }

    /// Credits of a category over all channels of the table.
    pub fn category_c(&self, category: &str) -> i64 {
        self.matrix
            .iter()
            .filter(|cell| cell.category == category)
            .map(|cell| cell.earned_c)
            .sum()
    }

    /// Credits of a channel over all categories of the table.
    pub fn channel_c(&self, channel: &str) -> i64 {
        self.matrix
            .iter()
            .filter(|cell| cell.channel == channel)
            .map(|cell| cell.earned_c)
            .sum()
    }
}
