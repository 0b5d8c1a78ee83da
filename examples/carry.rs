//! Every path that a record can take (issue 5, line 1): from a school without any uplink over a mentor's laptop, over a
//! neighbour that cannot read it, and over a USB stick, and the receipt back. Real binaries in network namespaces,
//! which find one another by mDNS. Needs root, Linux and the `linkemu` tool.
//!
//! `cargo build --release -p yanxiu && cargo run --release -p yanxiu-examples --example carry -- LINKEMU`
//!
//! The neighbour's data directory and the memory of its process are searched for a text of the school. It fails (issue 5,
//! line 1) if the text is there, if the search does not find it at the school itself, or if something has not arrived.

use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use node::office::{self, By, OrganisationInput, SessionInput};
use node::{Filter, Node, Role, enrol};

use yanxiu_examples::Asked;

#[path = "links/world.rs"]
mod world;

use world::{Result, Running, World, ip, wait};

const SESSIONS: usize = 20;
/// Stands in every session of the school, and nowhere else.
const TEXT: &str = "青石小学雪天研课第㙇场";
const HUB: &str = "10.77.0.1:4433";

fn main() -> Result<()> {
    let linkemu = std::env::args().nth(1).ok_or("give the path of linkemu")?;
    let dir = tempfile::Builder::new()
        .prefix("carry")
        .disable_cleanup(std::env::var("KEEP").is_ok())
        .tempdir()?;
    let world = World::new(linkemu, dir.path())?;
    println!(
        "{SESSIONS} sessions at a school without an uplink; whole IP packets of the carrier, both directions"
    );
    let mut asked = Asked::default();
    over_a_person(&world, Carrier::Mentor, &mut asked)?;
    over_a_person(&world, Carrier::Neighbour, &mut asked)?;
    over_a_stick(&world, &mut asked)?;
    asked.end()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Carrier {
    Mentor,
    Neighbour,
}

/// A county, and devices that were enrolled by file; none has met another.
struct County {
    hub: Node,
    a: Node,
    carrier: Node,
}

fn county(dir: &Path, carrier: Carrier) -> Result<County> {
    let by = By {
        account: "测量".into(),
    };
    let hub = Node::init_county(&dir.join("hub"), "云岭县")?;
    let school = |name: &str| OrganisationInput {
        name: name.into(),
        org_kind: "primary_school".into(),
        rural: "township".into(),
        ..OrganisationInput::default()
    };
    let both = ["云雾小学", "白沙小学"].map(|name| (None, school(name)));
    office::save_organisations(&hub, &by, both.into())?;
    let id = |name: &str| -> Result<String> {
        let all = office::organisations(&hub)?;
        Ok(all.into_iter().find(|o| o.name == name).ok_or("a school")?.id)
    };
    enrol::publish_address(&hub, HUB)?;
    let far = id("云雾小学")?;
    let grants = match carrier {
        Carrier::Mentor => vec![
            (Role::Mentor, format!("m1/{far}")),
            (Role::MentorReader, far.clone()),
        ],
        Carrier::Neighbour => vec![(Role::School, id("白沙小学")?)],
    };
    let device = |name: &str, label: &str, grants: &[(Role, String)]| -> Result<Node> {
        let node = Node::init_member(&dir.join(name), label)?;
        let (device, _) = enrol::read_request(&enrol::request_file(&node))?;
        let answer = enrol::approve(&hub, &device, label, grants)?;
        enrol::accept(&node, &answer.text)?;
        enrol::confirm(&node)?;
        Ok(node)
    };
    let a = device("a", "云雾小学 电脑", &[(Role::School, far)])?;
    let carrier = device("carrier", "同行的设备", &grants)?;
    let home = a.home_school().ok_or("no school")?;
    for n in 0..SESSIONS {
        let input = SessionInput {
            title: format!("{TEXT}{n}"),
            date: format!("2026-01-{:02}", 1 + n),
            form: "school_based".into(),
            category: "practice".into(),
            channel: "school".into(),
            hours_c: 200,
            ..SessionInput::default()
        };
        office::save_session(&a, &by, &home, None, input)?;
    }
    Ok(County { hub, a, carrier })
}

/// The network, taken down at the end.
struct Net<'w>(&'w World);

impl Drop for Net<'_> {
    fn drop(&mut self) {
        let _ = self.0.emu(&["down", &self.0.net]);
    }
}

impl Net<'_> {
    /// A cable between school and carrier. The emulator's own `lan` is made of point-to-point devices, on which
    /// nobody looks for neighbours.
    fn lan(&self) -> Result<()> {
        let spaces = ["a", "c"].map(|host| format!("{}-{host}", self.0.net));
        let [a, c] = &spaces;
        let cable = ["type", "veth", "peer", "name", "lan0", "netns", c];
        ip(&[&["-n", a, "link", "add", "lan0"][..], &cable].concat())?;
        for (space, address) in spaces.iter().zip(["10.78.0.1/24", "10.78.0.2/24"]) {
            ip(&["-n", space, "addr", "add", address, "dev", "lan0"])?;
            ip(&["-n", space, "link", "set", "lan0", "up"])?;
        }
        Ok(())
    }

    fn set(&self, host: &str, link: &str) -> Result<()> {
        self.0
            .emu(&["set", &self.0.net, &format!("{host}={link}")])
            .map(drop)
    }

    fn serve(&self, host: &str, node: &Node) -> Result<Running> {
        self.0.serve_and_find(&self.0.net, host, node)
    }

    /// Bytes of a host's uplink since the last time.
    fn bytes(&self, host: &str) -> Result<u64> {
        let stats: serde_json::Value =
            serde_json::from_str(&self.0.emu(&["stats", &self.0.net, "--reset"])?)?;
        let of = |d: &str| stats[host][format!("{d}_bytes")].as_u64().unwrap_or(0);
        Ok(of("up") + of("down"))
    }
}

fn sessions(node: &Node) -> Result<usize> {
    Ok(node.count(&Filter::kind("session"))? as usize)
}

fn over_a_person(world: &World, carrier: Carrier, asked: &mut Asked) -> Result<()> {
    let (dir, what) = match carrier {
        Carrier::Mentor => ("mentor", "school → mentor on the same LAN → hub"),
        Carrier::Neighbour => ("neighbour", "school → neighbour, sealed → hub"),
    };
    println!("\n{what}");
    let county = county(&world.dir.join(dir), carrier)?;
    world.emu(&["up", &world.net, "hub=wire", "a=off", "c=off"])?;
    let net = Net(world);
    net.lan()?;

    let a = net.serve("a", &county.a)?;
    let c = net.serve("c", &county.carrier)?;
    let begun = Instant::now();
    wait("the carrier has nothing", || {
        Ok(match carrier {
            Carrier::Mentor => sessions(&county.carrier)? == SESSIONS,
            Carrier::Neighbour => !node::mail::list(&county.carrier)?.is_empty(),
        })
    })?;
    println!(
        "  with the carrier after       {:>6.1} s",
        begun.elapsed().as_secs_f64()
    );
    if carrier == Carrier::Neighbour {
        std::thread::sleep(std::time::Duration::from_secs(2));
        let there = (on_disk(county.carrier.dir())?, in_memory(&c)?);
        let control = (on_disk(county.a.dir())?, in_memory(&a)?);
        println!(
            "  readable at the neighbour:   disk {}, memory {} (at the school itself: disk {}, memory {})",
            there.0, there.1, control.0, control.1,
        );
        asked.that(
            there == (false, false),
            "nothing of the school is readable at its neighbour",
        );
        asked.that(control == (true, true), "the search finds the text at the school");
        let read = sessions(&county.carrier)?;
        asked.that(read == 0, "the neighbour shows no session of the school");
    }
    a.end()?;

    let hub = net.serve("hub", &county.hub)?;
    net.bytes("c")?;
    let begun = Instant::now();
    net.set("c", "3g")?;
    wait("the hub has not got them", || {
        Ok(sessions(&county.hub)? == SESSIONS)
    })?;
    println!(
        "  at the hub (3g) after        {:>6.1} s",
        begun.elapsed().as_secs_f64()
    );
    wait("the carrier has no receipt", || {
        Ok(match carrier {
            Carrier::Mentor => world.equals(&county.carrier)? > 0,
            Carrier::Neighbour => node::mail::list(&county.carrier)?
                .iter()
                .any(|item| item.to == county.a.id()),
        })
    })?;
    std::thread::sleep(std::time::Duration::from_secs(3));
    println!("  bytes between them           {:>6}", net.bytes("c")?);
    net.set("c", "off")?;
    hub.end()?;

    let a = net.serve("a", &county.a)?;
    let begun = Instant::now();
    wait("the school has no receipt", || Ok(county.a.not_at_county()? == 0))?;
    println!(
        "  receipt at the school after  {:>6.1} s",
        begun.elapsed().as_secs_f64()
    );
    a.end()?;
    c.end()
}

fn over_a_stick(world: &World, asked: &mut Asked) -> Result<()> {
    println!("\nschool → USB stick → hub → stick → school");
    let county = county(&world.dir.join("stick"), Carrier::Neighbour)?;
    let stick = world.dir.join("U盘");
    fs::create_dir_all(&stick)?;
    let mut last = (0, usize::MAX);
    for (what, node) in [
        ("school", &county.a),
        ("hub", &county.hub),
        ("school again", &county.a),
    ] {
        let begun = Instant::now();
        let out = Command::new(&world.yanxiu)
            .arg("--data")
            .arg(node.dir())
            .arg("stick")
            .arg(&stick)
            .output()?;
        if !out.status.success() {
            return Err(String::from_utf8_lossy(&out.stderr).into_owned().into());
        }
        let took = begun.elapsed().as_secs_f64();
        last = (
            sessions(&Node::open(county.hub.dir())?)?,
            Node::open(county.a.dir())?.not_at_county()? as usize,
        );
        println!(
            "  at the {what:<14} {took:>6.2} s, {:>6} bytes on the stick; sessions at the hub {}, waiting at the school {}",
            bytes_under(&stick)?,
            last.0,
            last.1,
        );
    }
    asked.that(
        last == (SESSIONS, 0),
        format!("{SESSIONS} sessions at the hub and nothing waiting at the school"),
    );
    Ok(())
}

fn bytes_under(dir: &Path) -> Result<u64> {
    let mut all = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        all += match entry.path().is_dir() {
            true => bytes_under(&entry.path())?,
            false => entry.metadata()?.len(),
        };
    }
    Ok(all)
}

fn holds(bytes: &[u8]) -> bool {
    bytes.windows(TEXT.len()).any(|part| part == TEXT.as_bytes())
}

/// By another process: to close a database file that is open here as well would take away SQLite's locks on it, and
/// the next process would rebuild what this one goes on reading.
fn on_disk(dir: &Path) -> Result<bool> {
    let status = Command::new("grep").args(["-rqaF", TEXT]).arg(dir).status()?;
    match status.code() {
        Some(0) => Ok(true),
        Some(1) => Ok(false),
        _ => Err("grep could not read all files".into()),
    }
}

/// Searches all readable memory of a process and of those that it has started.
fn in_memory(process: &Running) -> Result<bool> {
    let mut ids = vec![process.0.id()];
    let mut at = 0;
    while at < ids.len() {
        let children = format!("/proc/{0}/task/{0}/children", ids[at]);
        let children = fs::read_to_string(children).unwrap_or_default();
        ids.extend(
            children
                .split_whitespace()
                .filter_map(|id| id.parse::<u32>().ok()),
        );
        at += 1;
    }
    for id in ids {
        let maps = fs::read_to_string(format!("/proc/{id}/maps"))?;
        let mut memory = fs::File::open(format!("/proc/{id}/mem"))?;
        for line in maps.lines().filter(|line| line.contains(" r")) {
            let range = line.split_whitespace().next().unwrap_or_default();
            let Some((from, to)) = range.split_once('-') else {
                continue;
            };
            let (from, to) = (u64::from_str_radix(from, 16)?, u64::from_str_radix(to, 16)?);
            if to - from > 1 << 31 || memory.seek(SeekFrom::Start(from)).is_err() {
                continue;
            }
            let mut bytes = Vec::new();
            // Some regions (vvar) can be seen and not read.
            let _ = memory.by_ref().take(to - from).read_to_end(&mut bytes);
            if holds(&bytes) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}
