//! Rule sets, and the credit card that comes out of them.
//!
//! A rule set is one TOML file; the engine holds none of its figures. [`RuleSet::parse`] reads and
//! checks it, [`RuleSet::credits_of`] turns class-hours into credits, [`credit_card`] turns what was
//! recognised for one person into the card: the channel × category table, every requirement with
//! what is earned and what is missing, and the lines behind each figure.

mod card;
mod check;
mod evaluate;
mod explain;
mod figures;
#[cfg(test)]
mod oracles;
mod person;
mod schema;

use std::sync::OnceLock;

pub use card::{
    CreditCard, Credited, Excluded, Labelled, LimitOutcome, MatrixCell, Outcome, Reason, SubAmount, Warning,
    YearOutcome,
};
pub use check::{ConvertError, RulesError};
pub use evaluate::credit_card;
pub use person::{Match, PersonFacts};
pub use schema::*;

const R1: &str = include_str!("../../rules/r1_five_year_36_54.toml");

/// R1 五年36/54学分, the rule set that the program brings along.
pub fn r1() -> &'static RuleSet {
    static RULES: OnceLock<RuleSet> = OnceLock::new();
    RULES.get_or_init(|| {
        RuleSet::parse(R1).expect("embedded at build time and read by every test of this module")
    })
}
