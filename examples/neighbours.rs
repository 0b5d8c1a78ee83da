//! How neighbours find each other, in network namespaces on one bridge: how soon a node appears, also after an
//! address change, a second interface and a restart; whether it flaps; and what 50 nodes say in a minute.
//! Needs root, Linux and iproute2. The namespaces go when it ends.
//!
//! `cargo run -p yanxiu-examples --example neighbours [-- NODES]`
//! `cargo build --release -p yanxiu && cargo run --release -p yanxiu-examples --example neighbours -- serve [NODES]`
//!
//! Each node is a process of this program in a namespace of its own, with the `Discovery` that `yanxiu serve` has; with
//! `serve` it is `yanxiu serve` itself, and the nodes are schools of one county, which talk to one another as well.
//! Bytes are whole Ethernet frames that the nodes sent to the bridge. It fails (issue 5, line 3) if a node was not found
//! within `SOON` seconds, if one of those that stayed was lost or said anew, if a killed one was not missed, or if
//! discovery said more in any minute than [`net::CHATTER`] allows, or more than `START` in the first; with `serve`, if
//! somebody was in sync with nobody.

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use net::Discovery;
use node::office::{self, By, OrganisationInput};
use node::{Node, Role, enrol};
use sync::DeviceKey;
use yanxiu_examples::Asked;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const BRIDGE: &str = "yxn-br";
const SECOND: &str = "yxn-br2";
/// What each may say in the first minute when all are switched on together: everybody asks, and lists whom it knows.
const START: u64 = 12_000;
/// A neighbour is there after so many seconds at most: new, at another address, on another interface, started again.
const SOON: f64 = 3.0;
/// So long is listened after that.
const MINUTES: u32 = 9;

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.first().map(String::as_str) {
        Some("node") => node(args.get(1).ok_or("a number")?.parse()?),
        Some("serve") => serve(args.get(1).map_or(Ok(10), |n| n.parse())?),
        Some(nodes) => all(nodes.parse()?),
        None => all(50),
    }
}

fn key(number: u8) -> DeviceKey {
    DeviceKey::from_seed([number; 32])
}

/// One node: prints what it finds.
fn node(number: u8) -> Result<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        let county = key(250).id();
        let (_discovery, mut news) =
            Discovery::start(&key(number).id(), Some(&county), ([0, 0, 0, 0], 4433).into())?;
        while let Some(found) = news.recv().await {
            let who = (1..=250).find(|n| key(*n).id() == found.node).unwrap_or(0);
            let addrs: Vec<String> = found.addrs.iter().map(ToString::to_string).collect();
            println!(
                "{who} {} {}",
                if found.gone { "gone" } else { "here" },
                addrs.join(" ")
            );
        }
        Ok(())
    })
}

fn sh(line: &str) -> Result<()> {
    let words: Vec<&str> = line.split(' ').collect();
    let (program, args) = words.split_first().ok_or("nothing to run")?;
    match Command::new(program)
        .args(args)
        .stderr(Stdio::null())
        .status()?
        .success()
    {
        true => Ok(()),
        false => Err(format!("failed: {line}").into()),
    }
}

/// Namespaces and bridges, taken down at the end.
struct World {
    nodes: u8,
}

impl World {
    fn up(nodes: u8) -> Result<World> {
        let world = World { nodes };
        world.down();
        for bridge in [BRIDGE, SECOND] {
            // Without snooping, as the plain switch or access point of a school: everybody hears everything.
            sh(&format!("ip link add {bridge} type bridge mcast_snooping 0"))?;
            sh(&format!("ip link set {bridge} up"))?;
        }
        for n in 1..=nodes {
            sh(&format!("ip netns add yxn{n}"))?;
            sh(&format!("ip -n yxn{n} link set lo up"))?;
            world.plug(n, "eth0", BRIDGE, &format!("10.88.0.{n}"))?;
        }
        Ok(world)
    }

    fn plug(&self, n: u8, device: &str, bridge: &str, address: &str) -> Result<()> {
        let port = format!("yxn{n}{device}");
        sh(&format!(
            "ip link add {port} type veth peer name {device} netns yxn{n}"
        ))?;
        sh(&format!("ip link set {port} master {bridge} up"))?;
        sh(&format!("ip -n yxn{n} addr add {address}/24 dev {device}"))?;
        sh(&format!("ip -n yxn{n} link set {device} up"))
    }

    /// Bytes that all nodes have sent.
    fn sent(&self) -> u64 {
        self.count("rx_bytes")
    }

    /// Packets to everybody that they have sent.
    fn multicast(&self) -> u64 {
        let file = format!("/sys/class/net/{BRIDGE}/statistics/multicast");
        let text = std::fs::read_to_string(file).unwrap_or_default();
        text.trim().parse().unwrap_or(0)
    }

    fn count(&self, what: &str) -> u64 {
        let of = |n: u8| {
            let file = format!("/sys/class/net/yxn{n}eth0/statistics/{what}");
            std::fs::read_to_string(file).ok()?.trim().parse::<u64>().ok()
        };
        (1..=self.nodes).filter_map(of).sum()
    }

    fn down(&self) {
        for n in 1..=self.nodes.max(60) {
            let _ = sh(&format!("ip netns del yxn{n}"));
        }
        for bridge in [BRIDGE, SECOND] {
            let _ = sh(&format!("ip link del {bridge}"));
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.down();
    }
}

/// What a node said, and when.
struct Said {
    at: Instant,
    who: u8,
    gone: bool,
    addrs: String,
}

struct Running {
    child: Child,
    lines: Receiver<Said>,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    fn start(n: u8) -> Result<Running> {
        let own = std::env::current_exe()?;
        let mut child = Command::new("ip")
            .args(["netns", "exec", &format!("yxn{n}")])
            .arg(own)
            .args(["node", &n.to_string()])
            .stdout(Stdio::piped())
            .spawn()?;
        let out = child.stdout.take().ok_or("no output")?;
        let (say, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(std::io::Result::ok) {
                let mut words = line.splitn(3, ' ');
                let who = words.next().and_then(|w| w.parse().ok()).unwrap_or(0);
                let gone = words.next() == Some("gone");
                let addrs = words.next().unwrap_or_default().to_string();
                let at = Instant::now();
                if say.send(Said { at, who, gone, addrs }).is_err() {
                    return;
                }
            }
        });
        Ok(Running { child, lines })
    }

    /// Seconds from `begun` until this is said.
    fn hears(&self, begun: Instant, seconds: u64, test: impl Fn(&Said) -> bool) -> Option<f64> {
        let until = Instant::now() + Duration::from_secs(seconds);
        loop {
            let said = self
                .lines
                .recv_timeout(until.saturating_duration_since(Instant::now()))
                .ok()?;
            if test(&said) {
                return Some(said.at.saturating_duration_since(begun).as_secs_f64());
            }
        }
    }

    /// All that it has said and nobody has read.
    fn rest(&self) -> Vec<Said> {
        self.lines.try_iter().collect()
    }
}

fn print(what: &str, seconds: Option<f64>) {
    match seconds {
        Some(s) => println!("{what:<56} {s:>6.2} s"),
        None => println!("{what:<56}  never"),
    }
}

/// Prints when something was seen, and asks that it was soon.
fn soon(asked: &mut Asked, what: &str, seconds: Option<f64>) {
    print(what, seconds);
    asked.that(
        seconds.is_some_and(|s| s <= SOON),
        format!("{what} within {SOON} s"),
    );
}

fn all(nodes: u8) -> Result<()> {
    let world = World::up(nodes.max(3))?;
    let mut asked = Asked::default();
    let first = Running::start(1)?;
    std::thread::sleep(Duration::from_secs(3));

    let begun = Instant::now();
    let second = Running::start(2)?;
    soon(
        &mut asked,
        "a new node is found",
        first.hears(begun, 10, |s| s.who == 2 && !s.gone),
    );
    soon(
        &mut asked,
        "the new node finds the old one",
        second.hears(begun, 10, |s| s.who == 1 && !s.gone),
    );

    let begun = Instant::now();
    // In this order: with the first address of a network Linux takes its other ones away.
    sh("ip -n yxn2 addr del 10.88.0.2/24 dev eth0")?;
    sh("ip -n yxn2 addr add 10.88.0.102/24 dev eth0")?;
    soon(
        &mut asked,
        "a changed address is found",
        first.hears(begun, 20, |s| s.who == 2 && s.addrs.contains("10.88.0.102")),
    );

    let begun = Instant::now();
    world.plug(2, "eth1", SECOND, "10.89.0.2")?;
    world.plug(3, "eth1", SECOND, "10.89.0.3")?;
    sh("ip -n yxn3 link set eth0 down")?;
    let third = Running::start(3)?;
    soon(
        &mut asked,
        "over a second interface",
        third.hears(begun, 20, |s| s.who == 2 && s.addrs.contains("10.89.0.2")),
    );
    drop(third);
    sh("ip -n yxn3 link set eth0 up")?;

    // A restart, without a word and at once.
    drop(second);
    std::thread::sleep(Duration::from_secs(1));
    let second = Running::start(2)?;
    let begun = Instant::now();
    soon(
        &mut asked,
        "a node that was killed and started finds the old one",
        second.hears(begun, 10, |s| s.who == 1 && !s.gone),
    );
    std::thread::sleep(Duration::from_secs(3));
    first.rest();

    // Everybody.
    let (begun, before) = (Instant::now(), world.sent());
    let mut others = Vec::new();
    for n in 3..=nodes {
        others.push(Running::start(n)?);
    }
    let mut seen = std::collections::BTreeSet::from([2_u8]);
    let mut last = None;
    while seen.len() + 1 < usize::from(nodes) && begun.elapsed() < Duration::from_secs(60) {
        for said in first.rest() {
            if !said.gone && seen.insert(said.who) {
                last = Some(said.at.saturating_duration_since(begun).as_secs_f64());
            }
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    print(
        &format!(
            "{} of {nodes} nodes that start together are found",
            seen.len() + 1
        ),
        last,
    );
    asked.that(seen.len() + 1 >= usize::from(nodes), "all that start are found");
    std::thread::sleep(Duration::from_secs(60).saturating_sub(begun.elapsed()));
    let at_start = START * u64::from(nodes);
    let bytes = world.sent() - before;
    println!(
        "{:<56} {bytes:>6} of {at_start} allowed",
        "bytes in the minute in which all start"
    );
    asked.that(
        bytes <= at_start,
        format!("at most {at_start} bytes in the first minute"),
    );
    first.rest();
    let limit = net::CHATTER * u64::from(nodes);
    let (mut gone, mut news) = (0, 0);
    for minute in 1..=MINUTES {
        let before = world.sent();
        std::thread::sleep(Duration::from_secs(60));
        let said = first.rest();
        gone += said.iter().filter(|s| s.gone).count();
        news += said.len();
        let bytes = world.sent() - before;
        asked.that(
            bytes <= limit,
            format!("at most {limit} bytes in minute {minute}"),
        );
        println!(
            "{:<56} {bytes:>6} of {limit} allowed",
            format!("bytes of {nodes} nodes in minute {minute}"),
        );
    }
    println!(
        "{:<56} {gone:>6} ({news} news)",
        format!("nodes that were lost in {MINUTES} minutes")
    );
    asked.that(gone == 0 && news == 0, "nobody who stayed was lost, or said anew");
    let begun = Instant::now();
    drop(others.pop());
    let missed = first.hears(begun, 150, |s| s.gone);
    print("a node that was killed is missed", missed);
    asked.that(missed.is_some(), "a killed node is missed within 150 s");
    asked.end()
}

/// Real nodes of one county, which nobody else can be reached by: no hub, no uplink.
fn serve(nodes: u8) -> Result<()> {
    let world = World::up(nodes)?;
    let dir = tempfile::tempdir()?;
    let yanxiu = std::env::current_exe()?
        .parent()
        .and_then(Path::parent)
        .ok_or("no target dir")?
        .join("yanxiu");
    let by = By {
        account: "测量".into(),
    };
    let hub = Node::init_county(&dir.path().join("hub"), "云岭县")?;
    let school = |n: u8| OrganisationInput {
        name: format!("第{n}小学"),
        org_kind: "primary_school".into(),
        rural: "township".into(),
        ..OrganisationInput::default()
    };
    office::save_organisations(&hub, &by, (1..=nodes).map(|n| (None, school(n))).collect())?;
    let mut running = Vec::new();
    for (n, organisation) in (1..=nodes).zip(office::organisations(&hub)?) {
        let data = dir.path().join(n.to_string());
        let node = Node::init_member(&data, &organisation.name)?;
        let (device, _) = enrol::read_request(&enrol::request_file(&node))?;
        let grants = [(Role::School, organisation.id)];
        let answer = enrol::approve(&hub, &device, &organisation.name, &grants)?;
        enrol::accept(&node, &answer.text)?;
        enrol::confirm(&node)?;
        drop(node);
        let child = Command::new("ip")
            .args(["netns", "exec", &format!("yxn{n}")])
            .arg(&yanxiu)
            .arg("--data")
            .arg(&data)
            .args(["serve", "--web", "127.0.0.1:8780"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        running.push((Node::open(&data)?, Process(child)));
    }
    let met = |node: &Node| -> Result<usize> {
        Ok(node.peers()?.iter().filter(|p| p.in_sync_at.is_some()).count())
    };
    let mut asked = Asked::default();
    for minute in 1..=MINUTES {
        let (all, multicast) = (world.sent(), world.multicast());
        std::thread::sleep(Duration::from_secs(60));
        let mut least = usize::MAX;
        for (node, _) in &running {
            least = least.min(met(node)?);
        }
        println!(
            "minute {minute}: {:>7} bytes of {nodes} nodes; multicast packets {:>5}; each has been in sync with {least} others at least",
            world.sent() - all,
            world.multicast() - multicast,
        );
        if minute == MINUTES {
            asked.that(least > 0, "each has been in sync with another");
        }
    }
    asked.end()
}

/// A process of the product, killed at the end.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
