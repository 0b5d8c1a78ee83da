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

use std::error::Error;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use node::office::{self, By, OrganisationInput};
use node::{Edit, Node, Role, Value, enrol};
use yanxiu_examples::{Random, UNSEEN, note};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const HUB: &str = "10.77.0.1:4433";
const RECORDS: usize = 2_400;
const SLOW: &str = "rate=128,delay=300";
const SLOWEST: &str = "rate=64,delay=300";

fn main() -> Result<()> {
    let linkemu = std::env::args().nth(1).ok_or("give the path of linkemu")?;
    let only = std::env::args().nth(2).unwrap_or_default();
    let yanxiu = std::env::current_exe()?
        .parent()
        .and_then(Path::parent)
        .ok_or("no target dir")?
        .join("yanxiu");
    let dir = tempfile::Builder::new()
        .prefix("links")
        .disable_cleanup(std::env::var("KEEP").is_ok())
        .tempdir()?;
    let world = World {
        linkemu,
        yanxiu,
        dir: dir.path().to_path_buf(),
        net: format!("yx{}", std::process::id() % 10_000),
    };
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

struct World {
    linkemu: String,
    yanxiu: PathBuf,
    dir: PathBuf,
    net: String,
}

#[derive(Clone, Copy, Default)]
struct Bytes {
    up: u64,
    down: u64,
}

impl Bytes {
    fn minus(self, before: Bytes) -> Bytes {
        Bytes {
            up: self.up - before.up,
            down: self.down - before.down,
        }
    }

    fn sum(self) -> u64 {
        self.up + self.down
    }
}

/// Seconds since the last dialling.
#[derive(Clone, Copy)]
struct Times {
    stored: Option<f64>,
    equal: Option<f64>,
}

/// A process, killed at the end.
struct Running(Child);

impl Running {
    fn signal(&self, what: &str) -> Result<()> {
        let status = Command::new("kill")
            .args([what, &self.0.id().to_string()])
            .status()?;
        status.success().then_some(()).ok_or_else(|| "kill".into())
    }

    /// Lets it say goodbye, or its peer would go on asking for it in the next measurement.
    fn end(mut self) -> Result<()> {
        self.signal("-INT")?;
        self.0.wait()?;
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A network with the hub's process.
struct Run<'w> {
    world: &'w World,
    net: String,
    hub: Running,
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        let _ = self.world.emu(&["down", &self.net]);
    }
}

impl<'w> Run<'w> {
    fn up(world: &'w World, hub: &Node, link: &str) -> Result<Run<'w>> {
        let net = world.net.clone();
        world.emu(&["up", &net, "hub=wire", &format!("school={link}")])?;
        let hub = world.serve(&net, "hub", hub, true)?;
        std::thread::sleep(Duration::from_millis(700));
        Ok(Run { world, net, hub })
    }

    fn link(&self, link: &str) -> Result<()> {
        self.world
            .emu(&["set", &self.net, &format!("school={link}")])
            .map(drop)
    }

    fn stats(&self, reset: bool) -> Result<Bytes> {
        let mut args = vec!["stats", self.net.as_str()];
        args.extend(reset.then_some("--reset"));
        let stats: serde_json::Value = serde_json::from_str(&self.world.emu(&args)?)?;
        let bytes = |d: &str| stats["school"][format!("{d}_bytes")].as_u64().unwrap_or(0);
        Ok(match reset {
            true => Bytes::default(),
            false => Bytes {
                up: bytes("up"),
                down: bytes("down"),
            },
        })
    }

    /// A fresh school process, until both are equal and the school holds all receipts.
    fn meet(&self, school: &Node, stay: bool) -> Result<Running> {
        let equal = self.world.equals(school)?;
        let pc = self.world.serve(&self.net, "school", school, stay)?;
        wait("the two are not equal", || Ok(self.world.equals(school)? > equal))?;
        self.all_there(school)?;
        Ok(pc)
    }

    fn all_there(&self, school: &Node) -> Result<()> {
        wait("receipts are missing", || {
            Ok(school.not_at_county()? == 0 && self.world.equals(school)? > 0)
        })
    }

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

fn wait(what: &str, done: impl Fn() -> Result<bool>) -> Result<()> {
    let begun = Instant::now();
    while !done()? {
        if begun.elapsed() > Duration::from_secs(400) {
            return Err(format!("{what} after 400 s").into());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

impl World {
    /// A hub and an enrolled school, which know one another's roll.
    fn county(&self, name: &str) -> Result<(Node, Node)> {
        let by = By {
            account: "测量".into(),
        };
        let hub = Node::init_county(&self.dir.join(name).join("hub"), "云岭县")?;
        let input = OrganisationInput {
            name: "青石小学".into(),
            org_kind: "primary_school".into(),
            rural: "township".into(),
            ..OrganisationInput::default()
        };
        office::save_organisations(&hub, &by, vec![(None, input)])?;
        let id = office::organisations(&hub)?.remove(0).id;
        enrol::publish_address(&hub, HUB)?;
        let school = Node::init_member(&self.dir.join(name).join("school"), "青石小学 电脑")?;
        let (device, _) = enrol::read_request(&enrol::request_file(&school))?;
        let answer = enrol::approve(&hub, &device, "青石小学 电脑", &[(Role::School, id)])?;
        enrol::accept(&school, &answer.text)?;
        enrol::confirm(&school)?;
        Ok((hub, school))
    }

    fn serve(&self, net: &str, host: &str, node: &Node, stay: bool) -> Result<Running> {
        let config = format!("[sync]\nstay_connected = {stay}\nretry_seconds = [0.3, 8]\n");
        fs::write(node.dir().join("yanxiu.toml"), config)?;
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(log_file(node.dir()))?;
        let child = Command::new(&self.linkemu)
            .args(["exec", net, host, "--"])
            .arg(&self.yanxiu)
            .arg("--data")
            .arg(node.dir())
            .args(["serve", "--no-mdns", "--web", "127.0.0.1:8780"])
            .env(
                "YANXIU_LOG",
                std::env::var("YANXIU_LOG").unwrap_or("warn,node=debug".into()),
            )
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?;
        let mut running = Running(child);
        std::thread::sleep(Duration::from_millis(150));
        match running.0.try_wait()? {
            Some(status) => {
                let log = fs::read_to_string(log_file(node.dir()))?;
                Err(format!("yanxiu serve ended at once ({status}): {log}").into())
            }
            None => Ok(running),
        }
    }

    fn emu(&self, args: &[&str]) -> Result<String> {
        let out = Command::new(&self.linkemu).args(args).output()?;
        if !out.status.success() {
            return Err(String::from_utf8_lossy(&out.stderr).into_owned().into());
        }
        Ok(String::from_utf8(out.stdout)?)
    }

    /// How often the node's processes have said that both sides are equal.
    fn equals(&self, node: &Node) -> Result<usize> {
        let text = fs::read_to_string(log_file(node.dir())).unwrap_or_default();
        Ok(text.matches("both sides are equal").count())
    }

    /// How long the node's log is.
    fn mark(&self, node: &Node) -> Result<usize> {
        Ok(fs::read_to_string(log_file(node.dir())).unwrap_or_default().len())
    }

    /// From the first dialling behind `mark`.
    fn times(&self, school: &Node, hub: &impl HasLog, mark: usize) -> Result<Times> {
        let text = fs::read_to_string(log_file(school.dir()))?;
        let lines: Vec<&str> = text.get(mark..).unwrap_or_default().lines().collect();
        let at = |what: &str| lines.iter().find(|l| l.contains(what)).and_then(|l| seconds(l));
        let Some(dialled) = at("dialling") else {
            return Ok(Times {
                stored: None,
                equal: None,
            });
        };
        let hub = fs::read_to_string(hub.log())?;
        let stored = hub
            .lines()
            .filter(|l| l.contains("stored"))
            .filter_map(seconds)
            .rfind(|t| *t > dialled);
        Ok(Times {
            stored: stored.map(|t| t - dialled),
            equal: at("both sides are equal").map(|t| t - dialled),
        })
    }
}

trait HasLog {
    fn log(&self) -> PathBuf;
}

impl HasLog for Node {
    fn log(&self) -> PathBuf {
        log_file(self.dir())
    }
}

impl HasLog for PathBuf {
    fn log(&self) -> PathBuf {
        log_file(self)
    }
}

fn log_file(dir: &Path) -> PathBuf {
    dir.join("measured.log")
}

/// Seconds of the day of a log line such as `2026-11-22T11:24:05.123456Z DEBUG …`, whatever colours it has.
fn seconds(line: &str) -> Option<f64> {
    let (_, time) = line.split_once('T')?;
    let (time, _) = time.split_once('Z')?;
    let mut parts = time.split(':').map(|p| p.parse::<f64>().ok());
    Some(parts.next()?? * 3600.0 + parts.next()?? * 60.0 + parts.next()??)
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
