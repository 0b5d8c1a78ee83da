//! The hub is killed with `kill -9` every few seconds while many schools enter and send: whenever it dies, every change
//! for which any school holds a receipt is in what it left, and in the end everything is there. (`kill.rs` asks the same
//! of one school and one hub, at any moment, of what people were told on pages.)
//!
//! `YANXIU_KILL_ROUNDS` says how often (4 if it is not set), `YANXIU_KILL_SEED` repeats the random choices of a run.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use node::Node;
use support::database::{Database, Held};
use support::schools::{self, runtime};
use support::{Place, free_address};

const SCHOOLS: usize = 8;
/// A link whose other end vanished without a word may hang until its idle timeout (100 s).
const SYNC_PATIENCE: Duration = Duration::from_secs(180);

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

fn receipts(schools: &[Node]) -> BTreeSet<Held> {
    let all = schools
        .iter()
        .map(|s| Database::open(&s.dir().join("yanxiu.db")).receipts());
    all.flatten().collect()
}

/// Ends the entering threads also when a check fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_hub_that_is_killed_under_load_keeps_every_record_that_it_has_acknowledged() {
    let rounds = number("YANXIU_KILL_ROUNDS").unwrap_or(4);
    let mut random = number("YANXIU_KILL_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    println!("storm: {rounds} rounds, YANXIU_KILL_SEED={random}");
    let root = tempfile::tempdir().unwrap();
    let hub = Place::new(root.path(), "hub");
    let names: Vec<String> = (1..=SCHOOLS).map(|n| format!("第{n}小学")).collect();
    let address = free_address();
    let county = schools::county(&hub.data, &names);
    let schools: Vec<Node> = (names.iter().enumerate())
        .map(|(n, name)| schools::school(&county, name, &root.path().join(format!("s{n}")), &address))
        .collect();
    drop(county);
    let flags = ["--listen", &address];
    let mut server = Some(hub.serve(&flags));
    let runtime = runtime();
    let networks: Vec<_> = schools
        .iter()
        .map(|s| runtime.block_on(schools::online(s)))
        .collect();
    let (over, entered) = (AtomicBool::new(false), AtomicU64::new(0));
    let mut acknowledged = BTreeSet::new();
    std::thread::scope(|scope| {
        let _over = Over(&over);
        for school in &schools {
            let (over, entered) = (&over, &entered);
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    let n = entered.fetch_add(1, Ordering::Relaxed);
                    schools::enter(school, &format!("校本研修 {n}"), 60);
                    // People type; the hub is what is to be busy.
                    std::thread::sleep(Duration::from_millis(30));
                }
            });
        }
        for round in 1..=rounds {
            // It has acknowledged something in this life, and dies at any moment after.
            let (before, begun) = (receipts(&schools), Instant::now());
            while receipts(&schools) == before {
                assert!(begun.elapsed() < SYNC_PATIENCE, "the hub acknowledges nothing");
                std::thread::sleep(Duration::from_millis(20));
            }
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            std::thread::sleep(Duration::from_millis(1500 + (random >> 33) % 2000));
            server.take().unwrap().kill();
            // What the schools hear from now on, it had said before.
            acknowledged.extend(receipts(&schools));
            let left = Database::copied(&hub.database(), &root.path().join("left.db"));
            assert_eq!(left.integrity(), "ok");
            let stored = left.stored();
            let lost: Vec<_> = acknowledged.difference(&stored).collect();
            assert!(lost.is_empty(), "round {round}: acknowledged and lost: {lost:?}");
            println!(
                "round {round}: {} entered, {} changes at the hub, {} receipts seen so far, none without its change",
                entered.load(Ordering::Relaxed),
                stored.len(),
                acknowledged.len()
            );
            server = Some(hub.serve(&flags));
        }
    });
    let begun = Instant::now();
    while schools.iter().any(|s| s.not_at_county().unwrap() > 0) {
        assert!(begun.elapsed() < SYNC_PATIENCE, "not all of it is at the hub");
        std::thread::sleep(Duration::from_millis(100));
    }
    for network in networks {
        runtime.block_on(network.stop());
    }
    server.unwrap().stop();
    let at_hub = Database::open(&hub.database());
    let stored = at_hub.changes();
    for school in &schools {
        let there = Database::open(&school.dir().join("yanxiu.db"));
        let own: BTreeSet<_> = (there.changes().into_iter())
            .filter(|(key, _)| key.starts_with("log/"))
            .collect();
        assert!(!own.is_empty() && own.is_subset(&stored));
        // A kill is no restore: the hub is the same store as ever.
        assert_eq!(there.number("SELECT COUNT(DISTINCT store) FROM receipt"), 1);
    }
    assert!(
        acknowledged.len() >= SCHOOLS,
        "too little was acknowledged to show anything"
    );
    let sessions = at_hub.number("SELECT COUNT(*) FROM record WHERE kind = 'session'");
    assert_eq!(sessions as u64, entered.load(Ordering::Relaxed));
    for table in ["held", "quarantine"] {
        assert_eq!(
            at_hub.number(&format!("SELECT COUNT(*) FROM {table}")),
            0,
            "{table}"
        );
    }
    assert!(hub.ok(&["verify"]).contains("核验通过"));
    println!("storm: {sessions} sessions of {SCHOOLS} schools, all at the hub and verified");
}
