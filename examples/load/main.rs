//! What the hub stands: all schools of a county at once after a storm, then a thousand schools one after the other.
//!
//! `cargo build --release -p yanxiu && cargo run --release -p yanxiu-examples --example load [45x60] [1000x20]`
//!
//! The hub is the real `yanxiu serve`, a process of its own on loopback: its processor time and memory are its own
//! (`/proc`, Linux). The schools are nodes of this process with directories and keys of their own, on the same two
//! cores and the same disk as the hub. Two counties:
//!
//! * *storm*: 45 schools of 36 teachers and 36 claims that wait for a decision. Each was offline for 60 sessions, each
//!   with 30 marks of attendance and its end: 1,860 records in 180 changes. All come back in the same moment.
//! * *many*: 1,000 schools that have met the hub once. Each has 20 new records in 16 changes (4 teachers with their
//!   posts, 12 sessions); 50 are on line at a time, each until it has its receipts.
//!
//! A sync is from the dial until the school has the county's receipt for everything that it wrote. Meanwhile somebody
//! at the county reads the main pages one after the other; a page's time is from the request to its last byte. Fails
//! where a record or a change is missing at the hub, where a receipt has no change there, or where the p99 of a page
//! is over 300 ms. (A first meeting is printed, not judged: for once each school takes the whole roll.)

mod check;
mod county;
mod meet;
mod reader;

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::sync::Barrier;
use yanxiu_examples::process::{Hub, free_address};
use yanxiu_examples::{Asked, at, ms};

use crate::county::County;
use crate::reader::Reader;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// What a page may take at p99 while schools come.
const PAGE: Duration = Duration::from_millis(300);

/// Schools on line at a time where not all come at once.
const ON_LINE: usize = 50;

/// One of the two counties.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Schools.
    pub schools: usize,
    /// What each writes offline: sessions of the storm, records of the many.
    pub each: usize,
    /// All in the same moment, with rosters, sessions with marks, and claims.
    pub storm: bool,
}

fn main() -> Result<()> {
    let sizes: Vec<String> = std::env::args().skip(1).collect();
    let size = |n: usize, default: (usize, usize)| -> Result<(usize, usize)> {
        let Some(text) = sizes.get(n) else {
            return Ok(default);
        };
        let (schools, each) = text.split_once('x').ok_or("sizes look like 45x60 1000x20")?;
        Ok((schools.parse()?, each.parse()?))
    };
    let mut asked = Asked::default();
    for (storm, (schools, each)) in [(true, size(0, (45, 60))?), (false, size(1, (1000, 20))?)] {
        if schools > 0 {
            let shape = Shape { schools, each, storm };
            measure(shape, &mut asked)?;
        }
    }
    asked.end()
}

fn measure(shape: Shape, asked: &mut Asked) -> Result<()> {
    let what = if shape.storm { "sessions" } else { "records" };
    println!("{} schools, {} {what} each", shape.schools, shape.each);
    let dir = tempfile::tempdir()?;
    let (listen, web) = (free_address()?.to_string(), free_address()?.to_string());
    let begun = Instant::now();
    let county = county::make(dir.path(), shape, &listen)?;
    println!("  made in {:.0} s", begun.elapsed().as_secs_f64());
    let hub = Hub::start(&county.hub, &listen, &web)?;
    let rt = Runtime::new()?;
    let idle = hub.memory().rss;
    let base = format!("http://{web}");

    println!("the first meeting of all, {ON_LINE} on line at a time");
    come(&rt, &hub, &county, &base, None)?;
    let before = check::compare(&county)?.records;
    let begun = Instant::now();
    let records = county::offline(&county, shape)?;
    println!(
        "offline, {records} records written in {:.0} s",
        begun.elapsed().as_secs_f64()
    );
    let together = shape.storm.then(|| Arc::new(Barrier::new(shape.schools)));
    match together {
        Some(_) => println!("they come back, all in one moment"),
        None => println!("they come, {ON_LINE} on line at a time"),
    }
    let pages = come(&rt, &hub, &county, &base, together)?;
    println!("  hub resident before the first school: {} MB", idle / 1024);
    for (path, times) in &pages {
        let p99 = at(times, 99);
        asked.that(
            p99 <= PAGE,
            format!("{path} takes {} at p99, at most {}", ms(p99), ms(PAGE)),
        );
    }

    let found = check::compare(&county)?;
    println!(
        "  compared with the {} databases: {} changes, {} records, {} receipts",
        county.schools.len(),
        found.changes,
        found.records,
        found.receipts
    );
    let new = found.records - before;
    asked.that(
        new == i64::try_from(records)?,
        format!("{records} records were written offline, {new} of the compared are new"),
    );
    asked.that(
        found.lost_changes == 0,
        format!("{} changes are not at the hub", found.lost_changes),
    );
    asked.that(
        found.lost_records == 0,
        format!("{} records are not at the hub", found.lost_records),
    );
    asked.that(
        found.empty_receipts == 0,
        format!("{} receipts have no change at the hub", found.empty_receipts),
    );
    println!();
    Ok(())
}

type Pages = Vec<(&'static str, Vec<Duration>)>;

/// All schools come; prints what it cost the hub, and gives the times of the pages meanwhile, ascending.
fn come(
    rt: &Runtime,
    hub: &Hub,
    county: &County,
    base: &str,
    together: Option<Arc<Barrier>>,
) -> Result<Pages> {
    let reader = Reader::start(base)?;
    let (cpu, _) = hub.spent();
    let ((syncs, shown), rss, pss) = {
        let (came, rss, pss) = hub.watch(|| -> Result<_> {
            let begun = Instant::now();
            let online = if together.is_some() {
                county.schools.len()
            } else {
                ON_LINE
            };
            let syncs = rt.block_on(meet::all(&county.schools, online, together))?;
            let took = begun.elapsed();
            until_shown(&county.hub)?;
            Ok(((syncs, took), begun.elapsed()))
        });
        (came?, rss, pss)
    };
    let (mut syncs, took) = syncs;
    let spent = hub.spent().0 - cpu;
    let mut pages = reader.stop()?;
    syncs.sort();
    println!(
        "  {} syncs in {:.1} s: {:.1} a second; p50 {}, p99 {}, the longest {}",
        syncs.len(),
        took.as_secs_f64(),
        syncs.len() as f64 / took.as_secs_f64(),
        ms(at(&syncs, 50)),
        ms(at(&syncs, 99)),
        ms(at(&syncs, 100)),
    );
    println!(
        "  all of it in the hub's views after {:.1} s",
        shown.as_secs_f64()
    );
    println!(
        "  hub: {:.1} ms of processor a sync (pages included), {:.0} % of one core; resident at most {} MB (Pss {} MB)",
        spent / syncs.len() as f64,
        spent / shown.as_secs_f64() / 10.0,
        rss / 1024,
        pss / 1024
    );
    for (path, times) in &mut pages {
        times.sort();
        println!(
            "  page {path:<10} {:>5} times   p50 {:>9}   p99 {:>9}   longest {:>9}",
            times.len(),
            ms(at(times, 50)),
            ms(at(times, 99)),
            ms(at(times, 100))
        );
    }
    Ok(pages)
}

/// Waits until the hub's pages show all that it has stored.
fn until_shown(hub: &Path) -> Result<()> {
    let begun = Instant::now();
    while check::behind(hub)? > 0 {
        if begun.elapsed() > Duration::from_secs(600) {
            return Err("the hub's views stay behind".into());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}
