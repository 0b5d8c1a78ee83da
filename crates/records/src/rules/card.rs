//! The credit card: what one person has earned under one rule set, and what is missing.

use std::fmt;

use jiff::civil::Date;
use serde::Serialize;

use super::cycle::{Per, Period, Span};
use super::demand::Gate;
use super::entry::{Excluded, Reason};
use super::formula::Verdict;
use super::schema::Unit;
use super::scheme::SchemeOutcome;
use crate::lang::Lang;

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
    /// What its amounts are in.
    pub unit: Unit,
    /// Earned.
    pub earned_c: i64,
    /// Least wanted, after proration and exemptions; for a quota alone, over the spans in service.
    pub min_c: i64,
    /// Greatest, when there is a maximum.
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
    /// How often a figure is asked besides or instead.
    pub per: Option<Per>,
    /// The years, semesters or weeks in service, where a figure is asked in each.
    pub spans: Vec<SpanOutcome>,
    /// Ids of the entries behind the figure, sorted.
    pub lines: Vec<String>,
    /// Entries that would count here if something that this requirement asks for were there.
    pub held_back: Vec<HeldBack>,
    /// One sentence in Chinese.
    pub text_zh: String,
    /// One sentence in English.
    pub text_en: String,
}

/// An entry that does not count in one requirement for want of something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HeldBack {
    /// Id of the entry.
    pub id: String,
    /// Codes of evidence and marks that it lacks.
    pub missing: Vec<String>,
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

/// One year, semester or week of a requirement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SpanOutcome {
    /// Its days and name.
    pub span: Span,
    /// Earned in it.
    pub earned_c: i64,
    /// Wanted in it.
    pub min_c: i64,
    /// Greatest.
    pub max_c: Option<i64>,
    /// Missing.
    pub gap_c: i64,
    /// Above the greatest.
    pub over_c: i64,
    /// Whether it is met.
    pub met: bool,
    /// Whether it had ended by the cut-off; without a cut-off, yes.
    pub ended: bool,
    /// Whether it had not begun by the cut-off.
    pub to_come: bool,
    /// Ids of the entries, sorted.
    pub lines: Vec<String>,
}

/// How one course stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CourseOutcome {
    /// Id in the rule set.
    pub id: String,
    /// Chinese label.
    pub zh: String,
    /// English label.
    pub en: String,
    /// Whether it must be taken.
    pub required: bool,
    /// Whether it does not hold for this person.
    pub waived: bool,
    /// Whether it was taken and shown, as often as it is asked.
    pub met: bool,
    /// Class-hours of its entries.
    pub hours_c: i64,
    /// Years, semesters or weeks in which nothing shows it.
    pub missing_in: Vec<Span>,
    /// Kinds of evidence that are missing.
    pub missing_evidence: Vec<String>,
    /// Ids of the entries, sorted.
    pub lines: Vec<String>,
    /// One sentence in Chinese.
    pub text_zh: String,
    /// One sentence in English.
    pub text_en: String,
}

/// How one condition on the numbers of the subject stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckOutcome {
    /// Id in the rule set.
    pub id: String,
    /// Chinese label.
    pub zh: String,
    /// English label.
    pub en: String,
    /// Whether it holds.
    pub verdict: Verdict,
    /// Whether the card is incomplete without it.
    pub hard: bool,
    /// One sentence in Chinese.
    pub text_zh: String,
    /// One sentence in English.
    pub text_en: String,
}

/// What became of one entry: how much it is, where it counts and on what it rests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Account {
    /// Id of the entry.
    pub id: String,
    /// Day on which it happened.
    pub date: Date,
    /// Id of its session; empty when it has none.
    pub session: String,
    /// Id of the decision on it; empty when it has none.
    pub decision: String,
    /// What it had to pass (备案, 核准).
    pub gate: Gate,
    /// What it adds to the total; zero when it counts zero.
    pub amount_c: i64,
    /// Ids of the requirements, cells, courses and items in which it counts.
    pub counts_in: Vec<String>,
    /// Why it counts zero, if it does.
    pub reason: Option<Reason>,
    /// One sentence in Chinese.
    pub text_zh: String,
    /// One sentence in English.
    pub text_en: String,
}

/// What figures rest on, so that two cards can be compared: `2026-01-10 #1a2b3c4d`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CutOff {
    /// Day up to which was counted, when one was named.
    pub as_of: Option<Date>,
    /// Day of the latest decision that counts.
    pub latest: Option<Date>,
    /// Digest over everything that counts.
    pub digest: String,
}

impl fmt::Display for CutOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_of.or(self.latest) {
            Some(day) => write!(f, "{day} #{}", self.digest),
            None => write!(f, "— #{}", self.digest),
        }
    }
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
    /// What is measured; minutes when not given.
    pub unit: Option<Unit>,
    /// The part: minutes, or hundredths of the unit.
    pub part: i64,
    /// The whole.
    pub whole: i64,
    /// The part's share, rounded down.
    pub share_bp: i64,
    /// Greatest share.
    pub max_share_bp: Option<i64>,
    /// Least share.
    pub min_share_bp: Option<i64>,
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
    /// Stable code: `no_period`, `over_max`, `limit`, `excluded`.
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
    /// The cycle; nothing when the day that would tell it was not given, and then nothing counts.
    pub period: Option<Period>,
    /// What the figures rest on.
    pub cut_off: CutOff,
    /// What totals are in.
    pub unit: Unit,
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
    /// What counts in the total.
    pub total_c: i64,
    /// Class-hours behind them.
    pub total_hours_c: i64,
    /// What stands in no cell of the table (placed so by the rule set), whether in the total or not.
    pub unplaced_c: i64,
    /// Class-hours that a longer cycle counts for this one.
    pub counts_as_hours_c: i64,
    /// Requirements in the order of the rule set, those of the person's populations only.
    pub requirements: Vec<Outcome>,
    /// Requirements of single cells.
    pub cells: Vec<Outcome>,
    /// Courses.
    pub courses: Vec<CourseOutcome>,
    /// Composition limits.
    pub limits: Vec<LimitOutcome>,
    /// Conditions on the numbers of the subject.
    pub checks: Vec<CheckOutcome>,
    /// Points.
    pub scheme: Option<SchemeOutcome>,
    /// What became of every entry, by id.
    pub accounts: Vec<Account>,
    /// What to look at.
    pub warnings: Vec<Warning>,
    /// Entries that count zero, by id.
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

    /// What became of an entry.
    pub fn account(&self, id: &str) -> Option<&Account> {
        self.accounts.iter().find(|account| account.id == id)
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
