//! A network that swallows UDP (issue 5, line 6): how soon a school is in sync all the same, over TCP, and how soon it
//! is back on QUIC when the network lets it through again. Real `yanxiu serve` processes in network namespaces, with the
//! times that the program ships (ten seconds of doubt, UDP tried again after ten minutes). Needs root, Linux,
//! iproute2 and the `linkemu` tool.
//!
//! `cargo build --release -p yanxiu && cargo run --release -p yanxiu-examples --example blocked -- LINKEMU [LINK]`
//!
//! Nothing answers for what is swallowed: both hosts drop UDP as it comes in, by a routing rule, without an ICMP word.

use std::time::{Duration, Instant};

use node::Node;
use node::office::{self, By, SessionInput};

#[path = "links/world.rs"]
mod world;

use world::{HasLog, Result, Run, Running, World, ip, wait_long};

/// Sessions that are to be sent at each meeting.
const SESSIONS: usize = 5;
/// UDP is tried again between half of ten minutes and one and a half times that; a try may take a while.
const BACK_BY: Duration = Duration::from_secs(960);

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let linkemu = args.next().ok_or("give the path of linkemu")?;
    let link = args.next().unwrap_or("4g".into());
    let dir = tempfile::Builder::new()
        .prefix("blocked")
        .disable_cleanup(std::env::var("KEEP").is_ok())
        .tempdir()?;
    let world = World::new(linkemu, dir.path())?;
    let (hub, school) = world.county("blocked")?;
    println!(
        "{SESSIONS} sessions each time; link {link}; whole IP packets of the school's link, both directions"
    );
    let run = Run::up(&world, &hub, &link)?;
    let udp = Udp::new(&run)?;

    udp.block(true)?;
    work(&school, 0)?;
    let pc = meet(&run, &school, "first start, UDP blocked", "QUIC to TCP")?;
    pc.end()?;

    // The address is remembered as one where UDP gets no answer.
    work(&school, 1)?;
    let pc = meet(&run, &school, "restart, UDP blocked", "TCP first")?;

    // UDP is tried once at the start, beside TCP; that has failed before the block is lifted.
    std::thread::sleep(Duration::from_secs(15));
    udp.block(false)?;
    back(&run, &school, "by itself", || Ok(()))?;

    // Blocked under an open session: nothing comes any more, until the link is given up.
    udp.block(true)?;
    run.stats(true)?;
    let begun = Instant::now();
    work(&school, 2)?;
    wait_long("the other road is not found", BACK_BY, || {
        Ok(school.not_at_county()? == 0)
    })?;
    figures(&run, "blocked while connected", begun)?;

    udp.block(false)?;
    back(&run, &school, "when the interfaces change", || {
        let space = udp.space("school");
        let cable = ["type", "veth", "peer", "name", "phone"];
        ip(&[&["-n", &space, "link", "add", "hotspot"][..], &cable].concat())?;
        ip(&["-n", &space, "addr", "add", "10.99.0.2/24", "dev", "hotspot"])?;
        // An interface with nobody at its other end is not up.
        ip(&["-n", &space, "link", "set", "phone", "up"])?;
        ip(&["-n", &space, "link", "set", "hotspot", "up"])
    })?;
    run.stats(true)?;
    let begun = Instant::now();
    work(&school, 3)?;
    run.all_there(&school)?;
    figures(&run, "the next sessions, over QUIC", begun)?;
    pc.end()
}

/// Entered at the school.
fn work(school: &Node, lot: usize) -> Result<()> {
    let by = By {
        account: "李专管员".into(),
    };
    let home = school.home_school().ok_or("no school")?;
    for n in 0..SESSIONS {
        let input = SessionInput {
            title: format!("第{lot}周第{n}次研课磨课"),
            date: format!("2026-0{}-{:02}", 1 + lot, 1 + n),
            form: "school_based".into(),
            category: "practice".into(),
            channel: "school".into(),
            hours_c: 200,
            ..SessionInput::default()
        };
        office::save_session(school, &by, &home, None, input)?;
    }
    Ok(())
}

/// A fresh process, until the school holds all receipts. It must not have come about over UDP.
fn meet(run: &Run<'_>, school: &Node, what: &str, how: &str) -> Result<Running> {
    run.stats(true)?;
    let begun = Instant::now();
    let pc = run.world.serve_as_shipped(&run.net, "school", school)?;
    run.all_there(school)?;
    figures(run, &format!("{what} ({how})"), begun)?;
    match school.udp_blocked().is_empty() {
        true => Err("it was met over UDP, which should be blocked".into()),
        false => Ok(pc),
    }
}

fn figures(run: &Run<'_>, what: &str, begun: Instant) -> Result<()> {
    let seconds = begun.elapsed().as_secs_f64();
    std::thread::sleep(Duration::from_secs(2));
    let bytes = run.stats(false)?;
    println!(
        "{what:<44} in sync after {seconds:>6.1} s, {:>6} bytes",
        bytes.sum()
    );
    Ok(())
}

/// From now until the session is on QUIC again.
fn back(run: &Run<'_>, school: &Node, what: &str, cause: impl Fn() -> Result<()>) -> Result<()> {
    let worked = |log: &str| log.matches("udp-works").count();
    let before = worked(&std::fs::read_to_string(school.log())?);
    run.stats(true)?;
    let begun = Instant::now();
    cause()?;
    wait_long("not back on QUIC", BACK_BY, || {
        Ok(worked(&std::fs::read_to_string(school.log())?) > before && school.udp_blocked().is_empty())
    })?;
    println!(
        "{:<44} on QUIC after {:>6.1} s, {:>6} bytes",
        format!("UDP let through again, {what}"),
        begun.elapsed().as_secs_f64(),
        run.stats(false)?.sum(),
    );
    Ok(())
}

/// The network's mind about UDP.
struct Udp {
    net: String,
}

impl Udp {
    /// The table of local addresses is asked after our rule.
    fn new(run: &Run<'_>) -> Result<Udp> {
        let udp = Udp { net: run.net.clone() };
        for host in ["hub", "school"] {
            let space = udp.space(host);
            ip(&["-n", &space, "rule", "add", "pref", "10", "lookup", "local"])?;
            ip(&["-n", &space, "rule", "del", "pref", "0"])?;
        }
        Ok(udp)
    }

    fn space(&self, host: &str) -> String {
        format!("{}-{host}", self.net)
    }

    fn block(&self, blocked: bool) -> Result<()> {
        for host in ["hub", "school"] {
            let space = self.space(host);
            let rule = ["rule", if blocked { "add" } else { "del" }, "pref", "5"];
            let udp = ["ipproto", "udp", "iif", "net0", "blackhole"];
            ip(&[&["-n", &space], &rule[..], &udp[..]].concat())?;
        }
        Ok(())
    }
}
