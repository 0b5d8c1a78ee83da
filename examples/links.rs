//! What sync costs on a poor link: whole IP packets in both directions and seconds, between real `yanxiu serve`
//! processes in network namespaces. Needs root, Linux and the `linkemu` tool.
//!
//! `cargo build --release -p yanxiu && cargo run --release -p yanxiu-examples --example links -- LINKEMU`
//!
//! The school's log holds 2,400 records of 12 fields with about 60 Chinese characters, one change a record,
//! out of words that no dictionary was trained on. *with ticket*: both processes have met before in their
//! present lives, so that data travels as 0-RTT; without, the school's process has just been started.
//! Times are the processes' own: from dialling to the last record durable at the hub (*stored*), and to both
//! sides knowing that they are equal (*equal*, at the school).

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use node::{Edit, Node, Value};
use yanxiu_examples::{Random, UNSEEN, note};

#[path = "links/world.rs"]
mod world;

use world::{Bytes, Result, Run, Times, World, wait};

const RECORDS: usize = 2_400;
const SLOW: &str = "rate=128,delay=300";
const SLOWEST: &str = "rate=64,delay=300";

fn main() -> Result<()> {
    let linkemu = std::env::args().nth(1).ok_or("give the path of linkemu")?;
    let only = std::env::args().nth(2).unwrap_or_default();
    let dir = tempfile::Builder::new()
        .prefix("links")
        .disable_cleanup(std::env::var("KEEP").is_ok())
        .tempdir()?;
    let world = World::new(linkemu, dir.path())?;
    let json = json(RECORDS);
    let mut gz = GzEncoder::new(Vec::new(), Compression::best());
    gz.write_all(&json)?;
    println!(
        "{RECORDS} records as JSON: {} KB, gzip -9: {} KB\n",
        json.len() / 1000,
        gz.finish()?.len() / 1000
    );
    println!(
        "{:<52} {:>7} {:>7} {:>7} {:>7} {:>7}  wanted",
        "bytes of IP packets; seconds", "up", "down", "sum", "stored", "equal"
    );
    if "known".contains(&only) || only == "known" {
        known(&world)?;
    }
    if "bulk".contains(&only) || only == "bulk" {
        bulk(&world)?;
    }
    Ok(())
}

/// S2, S3, S4: a school and a hub that have met before.
fn known(world: &World) -> Result<()> {
    let (hub, school) = world.county("known")?;
    let log = log_of(&school)?;
    write(&school, &log, 0, RECORDS)?;
    let run = Run::up(world, &hub, "wire")?;
    let mut at = RECORDS;
    // The first meeting, on a good wire.
    drop(run.meet(&school, false)?);

    for (documents, what) in [
        (0, "S3 nothing new, few documents"),
        (300, "S3 nothing new, 300 documents more"),
    ] {
        if documents > 0 {
            for i in 0..documents {
                write(
                    &school,
                    &log.replace("log/", "portfolio/")
                        .replace("2025", &format!("p{i}")),
                    at + i,
                    1,
                )?;
            }
            run.link("wire")?;
            drop(run.meet(&school, false)?);
        }
        run.link(SLOWEST)?;
        run.cold(&school, what, "4000 B")?;
        run.warm(&school, &hub, what, "4000 B, 1 RTT = 0.6 s", |_| Ok(()))?;
    }
    write(&school, &log, at, 20)?;
    run.cold(&school, "S2 20 new records", "7000 B, stored 1.9 s")?;
    at += 20;
    run.warm(
        &school,
        &hub,
        "S2 20 new records",
        "7000 B, stored 0.95 s",
        |_| write(&school, &log, at, 20),
    )?;
    at += 20;
    run.warm(&school, &hub, "S4 20 new on both sides", "11000 B, 1 RTT", |_| {
        write(&school, &log, at, 20)?;
        write(&hub, "plan/2025", at + 20, 20)
    })
}

/// S1: everything to an empty hub.
fn bulk(world: &World) -> Result<()> {
    let mut whole = 0;
    for (link, cut) in [
        ("wire", Cut::No),
        (SLOW, Cut::No),
        (SLOW, Cut::Process),
        (SLOW, Cut::Link),
    ] {
        let (hub, school) = world.county(&format!("bulk-{link}-{cut:?}"))?;
        write(&school, &log_of(&school)?, 0, RECORDS)?;
        let run = Run::up(world, &hub, link)?;
        let before = run.stats(true)?;
        let mut pc = world.serve(&run.net, "school", &school, true)?;
        if cut != Cut::No {
            while run.stats(false)?.up < whole / 2 {
                std::thread::sleep(Duration::from_millis(100));
            }
            match cut {
                Cut::Link => {
                    run.link("off")?;
                    std::thread::sleep(Duration::from_secs(150));
                    run.link(link)?;
                }
                _ => {
                    drop(pc);
                    pc = world.serve(&run.net, "school", &school, true)?;
                }
            }
        }
        run.all_there(&school)?;
        std::thread::sleep(Duration::from_secs(2));
        let bytes = run.stats(false)?.minus(before);
        let times = world.times(&school, &hub, 0)?;
        let (what, wanted) = match cut {
            Cut::No => {
                whole = if link == SLOW { bytes.sum() } else { whole };
                let rate = bytes.up as f64 / 16_000.0;
                let slow = format!("270000 B, stored {:.1} s", 1.15 * rate + 1.2);
                (
                    "S1 everything",
                    if link == SLOW { slow } else { "270000 B".into() },
                )
            }
            Cut::Process => ("S1, process killed at half", format!("{} B", whole + 16_000)),
            Cut::Link => ("S1, link cut at half for 150 s", format!("{} B", whole + 16_000)),
        };
        print(&format!("{what} ({link})"), bytes, times, &wanted);
        drop(pc);
    }
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Cut {
    No,
    Process,
    Link,
}

fn print(what: &str, bytes: Bytes, times: Times, wanted: &str) {
    let seconds = |t: Option<f64>| t.map_or("-".to_string(), |t| format!("{t:.2}"));
    println!(
        "{what:<52} {:>7} {:>7} {:>7} {:>7} {:>7}  {wanted}",
        bytes.up,
        bytes.down,
        bytes.sum(),
        seconds(times.stored),
        seconds(times.equal)
    );
}

impl Run<'_> {
    /// A contact of a school's process that was just started, so that it holds no ticket.
    fn cold(&self, school: &Node, what: &str, wanted: &str) -> Result<()> {
        self.stats(true)?;
        let mark = self.world.mark(school)?;
        let pc = self.meet(school, true)?;
        std::thread::sleep(Duration::from_secs(3));
        let (bytes, times) = (
            self.stats(false)?,
            self.world.times(school, &self.hub_dir(), mark)?,
        );
        print(&format!("{what}, without ticket"), bytes, times, wanted);
        pc.end()
    }

    /// The second contact of the same two processes, which hang up when they are equal.
    fn warm(
        &self,
        school: &Node,
        hub: &Node,
        what: &str,
        wanted: &str,
        write: impl FnOnce(&Node) -> Result<()>,
    ) -> Result<()> {
        let pc = self.meet(school, false)?;
        std::thread::sleep(Duration::from_secs(3));
        // Neither dials nor answers while the records are written one by one.
        pc.signal("-STOP")?;
        self.hub.signal("-STOP")?;
        write(hub)?;
        self.hub.signal("-CONT")?;
        std::thread::sleep(Duration::from_millis(700));
        self.stats(true)?;
        let (mark, equal) = (self.world.mark(school)?, self.world.equals(school)?);
        pc.signal("-CONT")?;
        wait("no second contact", || Ok(self.world.equals(school)? > equal))?;
        self.all_there(school)?;
        std::thread::sleep(Duration::from_millis(2_500));
        let (bytes, times) = (
            self.stats(false)?,
            self.world.times(school, &self.hub_dir(), mark)?,
        );
        print(&format!("{what}, with ticket"), bytes, times, wanted);
        pc.end()
    }

    fn hub_dir(&self) -> PathBuf {
        self.world.dir.join("known/hub")
    }
}

fn log_of(school: &Node) -> Result<String> {
    Ok(format!("log/{}/2025", school.home_school().ok_or("no school")?))
}

/// The twelve fields of record `i`.
fn fields(i: usize) -> Vec<(String, Value)> {
    let mut random = Random(i as u64 + 1);
    let text = |s: String| Value::Text(s);
    let field = |name: &str, value: Value| (name.to_string(), value);
    vec![
        field("_kind", text("session/1".into())),
        field("_by", text("李专管员".into())),
        field("title", text(format!("第{i}次听评课"))),
        field("theme", text(note(&mut random, UNSEEN, 60))),
        field("date", text(format!("2025-{:02}-{:02}", 9 + i % 4, 1 + i % 28))),
        field("place", text(format!("{}年级{}班", 1 + i % 6, 1 + i % 3))),
        field("form", text("school_based".into())),
        field("category", text("practice".into())),
        field("channel", text("school".into())),
        field("hours_c", Value::Int(100 + (i as i64 % 4) * 50)),
        field("lecturers", text(format!("教师{}", random.below(40)))),
        field("state", text("ended".into())),
    ]
}

/// The same as JSON lines, to compare with what others have measured.
fn json(count: usize) -> Vec<u8> {
    let mut out = Vec::new();
    for i in 0..count {
        let map: serde_json::Map<String, serde_json::Value> = fields(i)
            .into_iter()
            .map(|(name, value)| {
                let value = match value {
                    Value::Text(t) => serde_json::Value::from(t),
                    Value::Int(n) => n.into(),
                    Value::Bool(b) => b.into(),
                };
                (name, value)
            })
            .collect();
        let mut random = Random(i as u64);
        let id = format!("0190{:012x}{:016x}", random.next() >> 16, random.next());
        out.extend(serde_json::json!({ "id": id, "fields": map }).to_string().bytes());
        out.push(b'\n');
    }
    out
}

/// Records of a document, one change each.
fn write(node: &Node, document: &str, from: usize, count: usize) -> Result<()> {
    for i in from..from + count {
        let fields = fields(i).into_iter().map(|(name, value)| (name, Some(value)));
        let edit = Edit {
            id: node.new_id(),
            fields: match document.starts_with("log/") {
                true => fields.collect(),
                // The kind belongs into a log; elsewhere the same fields travel without one.
                false => fields.filter(|(name, _)| name != "_kind").collect(),
            },
        };
        node.commit(document, vec![edit])?;
    }
    Ok(())
}
