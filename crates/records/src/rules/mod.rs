//! Rule sets, and the cards that come out of them.
//!
//! A rule set is one TOML file; the engine holds none of its figures. [`RuleSet::parse`] reads and checks
//! it, [`RuleSet::credits_of`] turns class-hours into credits, [`evaluate`] turns what was recorded of one
//! person (or of a school, station, workshop …) into a card:
//!
//! 1. [`RuleSet::period`] finds the cycle, by a day that the caller names; no clock is asked.
//! 2. What the entries are worth is settled: doubles, disputes, unknown codes, ground, filing, approval.
//! 3. The populations of the person decide what is asked, after exemptions and proration.
//! 4. Requirements, cells, courses, limits, checks and points are worked out, each with the entries behind
//!    it; every entry gets an [`Account`] that says where it counts, on what it rests, or why it does not.
//!
//! [`compare`] does that under two versions and says what is different. [`shipped`] are the rule sets that
//! the program brings along; a county may bring its own, which is why everything takes a [`RuleSet`].

mod account;
mod card;
mod check;
mod compare;
mod cycle;
mod demand;
mod entry;
mod evaluate;
mod explain;
mod figures;
mod filter;
mod formula;
#[cfg(test)]
mod oracles;
mod parts;
mod person;
mod schema;
mod scheme;

use std::sync::OnceLock;

pub use card::{
    Account, CheckOutcome, CourseOutcome, CreditCard, CutOff, HeldBack, Labelled, LimitOutcome, MatrixCell,
    Outcome, SpanOutcome, SubAmount, Warning,
};
pub use check::{ConvertError, RulesError};
pub use compare::{Comparison, EntryChange, RequirementChange, Standing, compare};
pub use cycle::{
    Calendar, CarryOver, Cycle, CycleKind, MonthDay, Per, Period, Span, Term, Terms, Weeks, When, YearKind,
    Years,
};
pub use demand::*;
pub use entry::{Entry, Excluded, Reason};
pub use evaluate::{credit_card, evaluate};
pub use filter::{OneOrMany, Place, Placement, Where};
pub use formula::{Check, Formula, Verdict};
pub use person::{Leave, Match, PersonFacts};
pub use schema::*;
pub use scheme::{
    Award, Basis, Deduct, Grade, Group, GroupOutcome, Item, ItemOutcome, Measured, Scheme, SchemeOutcome,
};

/// The files of the rule sets that the program brings along.
const SHIPPED: [&str; 8] = [
    include_str!("../../rules/r1_five_year_36_54.toml"),
    include_str!("../../rules/r2_five_year_360.toml"),
    include_str!("../../rules/r3_annual_72.toml"),
    include_str!("../../rules/r4_cultivation_station.toml"),
    include_str!("../../rules/r5_guopei_county.toml"),
    include_str!("../../rules/r6_cadre_listening.toml"),
    include_str!("../../rules/sample_kindergarten_workshop.toml"),
    include_str!("../../rules/sample_studio.toml"),
];

/// The rule sets that the program brings along: R1 to R6, then two public 100-point schemes.
pub fn shipped() -> &'static [RuleSet] {
    static RULES: OnceLock<Vec<RuleSet>> = OnceLock::new();
    RULES.get_or_init(|| {
        let read = |text: &&str| {
            RuleSet::parse(text).expect("embedded at build time and read by every test of this module")
        };
        SHIPPED.iter().map(read).collect()
    })
}

/// R1 五年36/54学分.
pub fn r1() -> &'static RuleSet {
    &shipped()[0]
}

/// R2 五年360学分（审核登记制）.
pub fn r2() -> &'static RuleSet {
    &shipped()[1]
}

/// R3 全员培训年度72学时, from March to February.
pub fn r3() -> &'static RuleSet {
    &shipped()[2]
}

/// R4 乡村骨干教师培育站.
pub fn r4() -> &'static RuleSet {
    &shipped()[3]
}

/// R5 国培计划项目县.
pub fn r5() -> &'static RuleSet {
    &shipped()[4]
}

/// R6 干部60学时与听评课定额.
pub fn r6() -> &'static RuleSet {
    &shipped()[5]
}

/// The 100 points of a public kindergarten workshop (永吉县 2015).
pub fn kindergarten_workshop() -> &'static RuleSet {
    &shipped()[6]
}

/// The 100 points of a public master-teacher studio (名师工作室).
pub fn studio() -> &'static RuleSet {
    &shipped()[7]
}
