//! Acceptance 2 of issue 4: order of arrival, merge order and duplication never change a total.
//!
//! `YANXIU_TOTALS_SEED=N` runs one seed, `YANXIU_TOTALS_SEEDS=N` the first N, `YANXIU_TOTALS_FROM=N` begins elsewhere.

// Helpers outside #[test] functions unwrap as well: a failure is a failed test.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use yanxiu_tests::totals::{self, acts::Counts};

/// What some of twenty seeds must come to.
const MET: [&str; 14] = [
    "open mark",
    "open value",
    "open duplicate",
    "open overlap",
    "open decision",
    "claims in dispute",
    "claims changed after the decision",
    "late claims",
    "closings that stand",
    "openings that count",
    "same persons",
    "cards with credits",
    "cards of several names",
    "cards under two versions",
];

fn again(seed: u64) {
    println!("again: YANXIU_TOTALS_SEED={seed} cargo test -p yanxiu-tests --test totals -- --nocapture");
}

/// Names the seed also when something in it panics.
struct Named(u64);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            again(self.0);
        }
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn whatever_arrives_when_and_how_often_everybody_comes_to_the_same_totals() {
    let one = number("YANXIU_TOTALS_SEED");
    let from = one.or(number("YANXIU_TOTALS_FROM")).unwrap_or(1);
    let seeds = one.map_or_else(|| number("YANXIU_TOTALS_SEEDS").unwrap_or(20), |_| 1);
    let begun = Instant::now();
    let (counts, failed) = (Mutex::new(Counts::new()), Mutex::new(BTreeSet::new()));
    let next = AtomicU64::new(from);
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= from + seeds {
                return;
            }
            let _named = Named(seed);
            let outcome = totals::run(seed);
            for (name, n) in outcome.counts {
                *counts.lock().unwrap().entry(name).or_default() += n;
            }
            if !outcome.differing.is_empty() {
                println!("seed {seed}: {} things differ", outcome.differing.len());
                for text in outcome.differing.iter().take(6) {
                    println!("{text}\n");
                }
                again(seed);
                failed.lock().unwrap().insert(seed);
            }
        }
    };
    // The disks of a simulated county belong to its thread.
    std::thread::scope(|scope| (0..2).for_each(|_| drop(scope.spawn(work))));
    let (counts, failed) = (counts.into_inner().unwrap(), failed.into_inner().unwrap());
    println!("{seeds} seeds in {} ms", begun.elapsed().as_millis());
    for (name, n) in &counts {
        println!("{n:>8}  {name}");
    }
    assert_eq!(failed, BTreeSet::new(), "seeds in which two devices disagree");
    // Where nothing is in question nobody can disagree.
    for name in MET.iter().filter(|_| seeds >= 20) {
        assert!(
            counts.get(&format!("met: {name}")).is_some_and(|n| *n > 0),
            "never met: {name}"
        );
    }
}
