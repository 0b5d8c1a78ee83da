//! A simulated county week per seed (design.md §6, issue 3): every fault, and the same bytes for the same seed.
//!
//! `YANXIU_SIM_SEED=N` runs one seed, `YANXIU_SIM_SEEDS=N` the first N, `YANXIU_SIM_FROM=N` begins elsewhere;
//! `YANXIU_SIM_TRACE=1` prints every event.

// Helpers outside #[test] functions unwrap as well: a failure is a failed test.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use store::rusqlite::{Connection, OpenFlags};
use yanxiu_tests::sim::disk::{Disk, Image, Losses};
use yanxiu_tests::sim::rng::Rng;
use yanxiu_tests::sim::world::Counts;
use yanxiu_tests::sim::{self, vfs};

/// SQLite's random numbers belong to the process: one simulation at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn a_county_week_of_every_seed_ends_well() {
    let _alone = alone();
    let seeds = match number("YANXIU_SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => {
            let from = number("YANXIU_SIM_FROM").unwrap_or(1);
            from..from + number("YANXIU_SIM_SEEDS").unwrap_or(20)
        }
    };
    let begun = Instant::now();
    let mut total = Counts::new();
    let mut failed = Vec::new();
    let mut done = 0;
    for seed in seeds {
        let outcome = sim::run(seed);
        done += 1;
        for (name, n) in outcome.counts {
            *total.entry(name).or_default() += n;
        }
        if let Some(broken) = outcome.broken {
            println!("seed {seed}: {broken}\nseed {seed}: {}", outcome.config);
            println!(
                "again: YANXIU_SIM_SEED={seed} cargo test -p yanxiu-tests --test simulation -- --nocapture"
            );
            failed.push(seed);
            if failed.len() >= 10 {
                break;
            }
        }
        if done % 500 == 0 {
            println!(
                "{done} seeds, {} failed, {} s",
                failed.len(),
                begun.elapsed().as_secs()
            );
        }
    }
    println!(
        "{done} seeds in {} ms, {} failed",
        begun.elapsed().as_millis(),
        failed.len()
    );
    for (name, n) in &total {
        println!("{n:>12}  {name}");
    }
    assert_eq!(failed, Vec::<u64>::new());
}

/// The disk under the county, by itself: what SQLite says is committed survives every power cut with
/// `synchronous=FULL`; with less the same cuts lose commits, so they do bite.
#[test]
fn committed_rows_survive_power_cuts_and_only_with_full_sync() {
    let _alone = alone();
    let mut lost_with = BTreeMap::new();
    for level in ["FULL", "NORMAL", "OFF"] {
        let mut rng = Rng::new(7);
        let (mut losses, mut lost) = (Losses::default(), 0);
        for round in 0..60 {
            vfs::begin(round);
            let disk = Disk::of(&Image::new());
            vfs::mount("m", disk.clone());
            let open = || -> store::rusqlite::Result<Connection> {
                let c = Connection::open_with_flags_and_vfs("m/db", OpenFlags::default(), vfs::NAME)?;
                c.pragma_update(None, "journal_mode", "WAL")?;
                c.pragma_update(None, "synchronous", level)?;
                c.pragma_update(None, "wal_autocheckpoint", 8)?;
                Ok(c)
            };
            let mut c = open().unwrap();
            c.execute("CREATE TABLE t (n INTEGER PRIMARY KEY, b BLOB)", [])
                .unwrap();
            disk.borrow_mut().sync_names();
            let mut said: i64 = 0;
            for _ in 0..3 {
                disk.borrow_mut().fuse = Some(rng.below(120));
                while c
                    .execute(
                        "INSERT INTO t VALUES (?, randomblob(?))",
                        (said + 1, rng.below(9000) as i64),
                    )
                    .is_ok()
                {
                    said += 1;
                }
                disk.borrow_mut().dead = true;
                drop(c);
                disk.borrow_mut().power_cut(&mut rng, &mut losses);
                // A row whose commit was interrupted may be there.
                let sound = |c: &Connection| -> store::rusqlite::Result<i64> {
                    let sound: String = c.query_row("PRAGMA integrity_check", [], |r| r.get(0))?;
                    let found = c.query_row("SELECT COUNT(*) FROM t", [], |r| r.get(0))?;
                    Ok(if sound == "ok" { found } else { -1 })
                };
                let found = open().and_then(|new| Ok((sound(&new)?, new)));
                let Some((found, new)) = found.ok().filter(|(n, _)| *n == said || *n == said + 1) else {
                    lost += 1;
                    break;
                };
                c = new;
                said = found;
            }
        }
        println!("synchronous={level}: {lost} of 60 disks lost something; {losses:?}");
        assert!(
            losses.dropped > 50 && losses.kept > 50 && losses.torn > 50,
            "{losses:?}"
        );
        lost_with.insert(level, lost);
    }
    assert_eq!(lost_with["FULL"], 0);
    assert!(lost_with["NORMAL"] > 0 && lost_with["OFF"] > 0, "{lost_with:?}");
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let _alone = alone();
    for seed in [3, 4, 5] {
        let (a, b) = (sim::run(seed), sim::run(seed));
        assert!(a.events > 100, "seed {seed}: {} events", a.events);
        assert_eq!((a.digest, a.events), (b.digest, b.events), "seed {seed}");
    }
    assert_ne!(sim::run(3).digest, sim::run(4).digest);
}
