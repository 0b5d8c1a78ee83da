//! Starts the real hub, lets the schools come, and reads what the system says of the hub's process.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use node::{Edit, Network, NetworkConfig, Node, Value};
use yanxiu_examples::process::{Hub, Memory};

use crate::county::{HUB, Made};
use crate::{Result, Shape};

/// Sessions of which the mean is taken.
const SINGLE: usize = 20;

/// One row of the table.
pub struct Figures {
    shape: Shape,
    made: Made,
    idle: u64,
    first: Rush,
    again: Rush,
    after: Memory,
    quiet: Cost,
    twenty: Cost,
}

struct Rush {
    peak: u64,
    peak_pss: u64,
    seconds: f64,
    changes: usize,
}

#[derive(Clone, Copy, Default)]
struct Cost {
    cpu_ms: f64,
    wall_ms: f64,
    read_kb: f64,
}

/// Everything that is measured of one county.
pub fn run(dir: &Path, shape: Shape, made: Made) -> Result<Figures> {
    println!(
        "{} schools x {} years: {} documents, {} changes, {:.2} GB, made in {:.0} s",
        shape.schools,
        shape.years,
        made.documents,
        made.changes,
        made.bytes as f64 / 1e9,
        made.seconds
    );
    let hub = Hub::start(&dir.join("hub"), HUB, "127.0.0.1:0")?;
    println!("  the hub listens after {:.1} s", hub.started.as_secs_f64());
    std::thread::sleep(Duration::from_secs(3));
    let idle = hub.memory();
    println!("  idle: {} KB resident, {} KB Pss", idle.rss, idle.pss);
    let runtime = tokio::runtime::Runtime::new()?;
    let mut schools = Vec::new();
    for i in 0..shape.syncing {
        schools.push(Node::open(&dir.join(format!("school-{i}")))?);
    }
    // The first time no side knows what the other holds: the whole ladder of the check is climbed.
    let mut changes = 0;
    for (i, school) in schools.iter().enumerate() {
        let count = 20 + i * 40 / schools.len().max(1);
        write(school, "a", count)?;
        changes += count;
    }
    let (seconds, peak, peak_pss) = hub.watch(|| runtime.block_on(rush(&schools)));
    let seconds = seconds?;
    let first = Rush {
        peak,
        peak_pss,
        seconds,
        changes,
    };
    println!("  first: {seconds:.1} s, peak {peak} KB");
    for school in &schools {
        write(school, "b", 20)?;
    }
    let (seconds, peak, peak_pss) = hub.watch(|| runtime.block_on(rush(&schools)));
    let seconds = seconds?;
    let again = Rush {
        peak,
        peak_pss,
        seconds,
        changes: 20 * schools.len(),
    };
    println!("  again: {seconds:.1} s, peak {peak} KB");
    std::thread::sleep(Duration::from_secs(3));
    let after = hub.memory();
    let quiet = runtime.block_on(singly(&hub, &schools, 0))?;
    let twenty = runtime.block_on(singly(&hub, &schools, 20))?;
    Ok(Figures {
        shape,
        made,
        idle: idle.rss,
        first,
        again,
        after,
        quiet,
        twenty,
    })
}

async fn start(school: &Node, number: usize) -> Result<Network> {
    let listen: SocketAddr = format!("127.0.{}.{}:0", 1 + number / 200, 1 + number % 200).parse()?;
    let config = NetworkConfig {
        listen,
        mdns: false,
        retry_min: Duration::from_millis(500),
        retry_max: Duration::from_secs(4),
        ..NetworkConfig::default()
    };
    Ok(Network::start(school.clone(), config).await?)
}

/// Whether the hub's receipts for everything are here and both sides were found equal after `since`.
async fn done(school: &Node, since: i64) -> Result<bool> {
    let school = school.clone();
    let asked = tokio::task::spawn_blocking(move || {
        let equal = school
            .peers()?
            .iter()
            .any(|p| p.in_sync_at.is_some_and(|at| at > since));
        Ok::<_, node::Error>(equal && school.not_at_county()? == 0)
    });
    Ok(asked.await??)
}

/// A second later than anything that happened before, because times of contact are whole seconds.
async fn new_second() -> i64 {
    let since = node::now();
    while node::now() <= since {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    since
}

/// All schools at once, until each has its receipts.
async fn rush(schools: &[Node]) -> Result<f64> {
    let since = new_second().await;
    let begun = Instant::now();
    let mut networks = Vec::new();
    for (i, school) in schools.iter().enumerate() {
        networks.push(start(school, i).await?);
    }
    let mut left: Vec<&Node> = schools.iter().collect();
    while !left.is_empty() {
        let mut still = Vec::new();
        for school in left {
            if !done(school, since).await? {
                still.push(school);
            }
        }
        left = still;
        if begun.elapsed() > Duration::from_secs(600) {
            return Err(format!("{} schools have no receipts after 600 s", left.len()).into());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let seconds = begun.elapsed().as_secs_f64();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let ending = networks
        .into_iter()
        .map(|n| tokio::spawn(n.stop()))
        .collect::<Vec<_>>();
    for end in ending {
        end.await?;
    }
    Ok(seconds)
}

/// One school after the other, each with `count` new records: the hub's cost of a session.
async fn singly(hub: &Hub, schools: &[Node], count: usize) -> Result<Cost> {
    let mut cost = Cost::default();
    let schools: Vec<&Node> = schools.iter().take(SINGLE).collect();
    for (i, school) in schools.iter().enumerate() {
        if count > 0 {
            write(school, "c", count)?;
        }
        let since = new_second().await;
        let (cpu, read) = hub.spent();
        let network = start(school, i).await?;
        let mut begun = None;
        loop {
            let connected = school.peers()?.iter().any(|p| p.connected);
            if connected && begun.is_none() {
                begun = Some(Instant::now());
            }
            if done(school, since).await? {
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        cost.wall_ms += begun.map_or(0.0, |b| b.elapsed().as_secs_f64() * 1000.0);
        // What the hub does afterwards (its views) belongs to the session too.
        tokio::time::sleep(Duration::from_millis(500)).await;
        network.stop().await;
        let (cpu_now, read_now) = hub.spent();
        cost.cpu_ms += cpu_now - cpu;
        cost.read_kb += (read_now - read) / 1000.0;
    }
    let n = schools.len() as f64;
    Ok(Cost {
        cpu_ms: cost.cpu_ms / n,
        wall_ms: cost.wall_ms / n,
        read_kb: cost.read_kb / n,
    })
}

/// New records in the school's log of the last year, one change each.
fn write(school: &Node, tag: &str, count: usize) -> Result<()> {
    let id = school.home_school().ok_or("no school")?;
    for i in 0..count {
        let text = |v: String| Some(Value::Text(v));
        let fields = vec![
            ("_kind".into(), text("session/1".into())),
            ("_by".into(), text("李专管员".into())),
            (
                "title".into(),
                text(format!("{tag}{i} 听评课：分数的意义，先学后教")),
            ),
            ("date".into(), text("2026-03-01".into())),
            ("state".into(), text("ended".into())),
        ];
        school.commit(
            &format!("log/{id}/2025"),
            vec![Edit {
                id: school.new_id(),
                fields,
            }],
        )?;
    }
    Ok(())
}

/// The table.
pub fn print(all: &[Figures]) {
    let mb = |kb: u64| format!("{:.0} MB", kb as f64 / 1024.0);
    let row = |name: &str, value: &dyn Fn(&Figures) -> String| {
        let cells: Vec<String> = all.iter().map(|f| format!("{:>14}", value(f))).collect();
        println!("{name:<46}{}", cells.join(""));
    };
    row("schools x years", &|f| {
        format!("{} x {}", f.shape.schools, f.shape.years)
    });
    row("documents", &|f| f.made.documents.to_string());
    row("changes", &|f| f.made.changes.to_string());
    row("database", &|f| format!("{:.2} GB", f.made.bytes as f64 / 1e9));
    row("schools that sync at once", &|f| f.shape.syncing.to_string());
    row("hub resident, idle", &|f| mb(f.idle));
    row("  peak, first meeting of all at once", &|f| mb(f.first.peak));
    row("  Pss", &|f| mb(f.first.peak_pss));
    row("  new changes", &|f| f.first.changes.to_string());
    row("  seconds until all have receipts", &|f| {
        format!("{:.1}", f.first.seconds)
    });
    row("  peak, 20 new records from each", &|f| mb(f.again.peak));
    row("  Pss", &|f| mb(f.again.peak_pss));
    row("  seconds until all have receipts", &|f| {
        format!("{:.1}", f.again.seconds)
    });
    row("  sessions a second", &|f| {
        format!("{:.1}", f.shape.syncing as f64 / f.again.seconds)
    });
    row("hub resident afterwards", &|f| mb(f.after.rss));
    for (name, of) in [
        (
            "one session, nothing new",
            (|f: &Figures| f.quiet) as fn(&Figures) -> Cost,
        ),
        ("one session, 20 new records", |f| f.twenty),
    ] {
        row(&format!("{name}: hub processor"), &|f| {
            format!("{:.1} ms", of(f).cpu_ms)
        });
        row("  hello to receipts", &|f| format!("{:.0} ms", of(f).wall_ms));
        row("  read from the database file", &|f| {
            format!("{:.0} KB", of(f).read_kb)
        });
    }
}
