//! What the texts themselves say about their figures, asked of the engine; worked examples, calculated by
//! hand; and the laws that hold for every rule set.

mod laws;
mod r1;
mod r2_r3;
mod r4_r5;
mod r6;
mod schemes;
mod versions;

use std::collections::BTreeSet;

use jiff::civil::Date;

use crate::date::parse_stored_date;
use crate::rules::Entry;

/// A day that is known to be one.
fn day(text: &str) -> Option<Date> {
    Some(parse_stored_date(text).unwrap())
}

/// An entry with a held session behind it that the county has decided on.
fn entry(id: &str, date: &str) -> Entry {
    Entry {
        id: id.to_owned(),
        date: parse_stored_date(date).unwrap(),
        session: format!("活动{id}"),
        decision: format!("审{id}"),
        decided_on: day(date),
        ..Entry::default()
    }
}

fn codes(codes: &[&str]) -> BTreeSet<String> {
    codes.iter().map(|code| (*code).to_owned()).collect()
}
