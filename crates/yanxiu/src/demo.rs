//! `demo`: a hub and three schools on this computer, each a node of its own, with a term of sessions.
//!
//! Everything goes the ordinary ways: the roster through the import, enrolment by file, records through the
//! office, sync over QUIC on loopback. A second start finds what the first one made.

use std::path::Path;
use std::time::{Duration, Instant};

use node::office::{self, By, SessionInput};
use node::{Filter, Network, NetworkConfig, Node, Role, Standing, accounts, enrol, now};
use records::sample::County;
use tokio::sync::watch;
use web::{Serving, WebConfig};

use crate::Failure;
use crate::args::Demo;
use crate::serve::{runtime, stop_signal, until};
use crate::tables::{by_command, plan};

/// The account of the demo's pages.
const NAME: &str = "演示";
const PIN: &str = "135790";
const YEAR: i32 = 2025;
const SCHOOLS: usize = 3;

pub fn demo(dir: &Path, demo: &Demo) -> Result<(), Failure> {
    println!("研修演示 demo · 数据 data: {}", dir.display());
    play(dir, demo, County::generate(demo.seed))
}

/// The same county to learn in: another root, and a name by which every node of it knows what it is.
pub fn practice(dir: &Path, demo: &Demo) -> Result<(), Failure> {
    println!("研修练习县 practice · 数据 data: {}", dir.display());
    let mut county = County::generate(demo.seed);
    county.name = format!("练习县（{}）", county.name);
    play(dir, demo, county)
}

fn play(dir: &Path, demo: &Demo, county: County) -> Result<(), Failure> {
    std::fs::create_dir_all(dir)?;
    let runtime = runtime()?;
    // Ctrl-C ends it cleanly also while it is still at work.
    runtime.block_on(async {
        let (stop, stopped) = watch::channel(false);
        let work = run(dir, demo, county, stopped);
        tokio::pin!(work);
        tokio::select! {
            result = &mut work => result,
            () = stop_signal() => {
                println!("\n正在结束 / stopping");
                stop.send_replace(true);
                work.await
            }
        }
    })
}

/// The demo types as the account that its pages are shown to.
fn by_demo() -> By {
    By { account: NAME.into() }
}

/// One node of the demo while it runs.
struct Running {
    node: Node,
    network: Network,
    pages: Serving,
}

async fn run(
    dir: &Path,
    demo: &Demo,
    county: County,
    mut stopped: watch::Receiver<bool>,
) -> Result<(), Failure> {
    let picked = pick(&county);
    let (dir_of, county_of, picked_of) = (dir.to_path_buf(), county.clone(), picked.clone());
    let nodes = tokio::task::spawn_blocking(move || prepare(&dir_of, &county_of, &picked_of)).await??;
    let mut running = Vec::new();
    for (i, node) in nodes.into_iter().enumerate() {
        running.push(start(node, i as u16, stopped.clone()).await?);
    }
    let hub = format!("127.0.0.1:{}", running[0].network.local_addr().port());
    for school in &running[1..] {
        for old in school.node.addresses()? {
            school.node.remove_address(&old)?;
        }
        school.node.add_address(&hub)?;
    }
    addresses(&running);
    for (at, school) in picked.iter().zip(&running[1..]) {
        let (node, county, at, stopped) = (school.node.clone(), county.clone(), *at, stopped.clone());
        tokio::task::spawn_blocking(move || record_term(&node, &county, at, &stopped)).await??;
    }
    if !*stopped.borrow() {
        wait_in_sync(&running, &stopped).await?;
        let hub = running[0].node.clone();
        tokio::task::spawn_blocking(move || decide_some(&hub)).await??;
        wait_in_sync(&running, &stopped).await?;
        totals(&running)?;
        addresses(&running);
    }
    if !demo.once && !*stopped.borrow() {
        println!("按 Ctrl-C 结束 / Ctrl-C ends it");
        let _ = stopped.wait_for(|s| *s).await;
    }
    for r in running {
        r.network.stop().await;
        // Without Ctrl-C nobody tells the pages to stop: the process ends with them.
        if *stopped.borrow() {
            r.pages.wait().await?;
        }
    }
    println!("已结束 / done");
    Ok(())
}

/// One school of each size: a central school, a village school, a nine-year school where there are.
fn pick(county: &County) -> Vec<usize> {
    let mut picked: Vec<usize> = Vec::new();
    for kind in ["central_school", "complete_primary", "nine_year_school"] {
        let found = county
            .schools
            .iter()
            .position(|s| s.kind.org_kind() == kind && !s.in_county_town());
        picked.extend(found);
    }
    let others: Vec<usize> = (0..county.schools.len())
        .filter(|i| !picked.contains(i))
        .collect();
    picked.extend(others.into_iter().take(SCHOOLS - picked.len()));
    picked
}

/// Directories, keys, the roster file and its import, enrolment. What is there already stays.
fn prepare(dir: &Path, county: &County, picked: &[usize]) -> Result<Vec<Node>, Failure> {
    let file = dir.join(format!("{}教师花名册.xlsx", county.name));
    let bytes = web::sheet::write::county_roster(county)?;
    std::fs::write(&file, &bytes)?;
    println!(
        "[1/5] 县花名册 roster: {}（{} 所学校，{} 名教师）",
        file.display(),
        county.schools.len(),
        county.teachers.len()
    );
    let hub = open_or(&dir.join("hub"), |d| Node::init_county(d, &county.name))?;
    import(&hub, &bytes)?;
    println!(
        "[2/5] 县中心 hub：导入 {} 所学校",
        hub.count(&Filter::kind("organisation"))?
    );
    let mut nodes = vec![hub];
    for (i, at) in picked.iter().enumerate() {
        let name = &county.schools[*at].name;
        let node = open_or(&dir.join(format!("school-{}", i + 1)), |d| {
            Node::init_member(d, &format!("{name} 办公室电脑"))
        })?;
        if node.standing() == Standing::NotEnrolled {
            let (device, label) = enrol::read_request(&enrol::request_file(&node))?;
            let grants = [(Role::School, office::find_school(&nodes[0], name)?)];
            let answer = enrol::approve(&nodes[0], &device, &label.unwrap_or_default(), &grants)?;
            let offer = enrol::accept(&node, &answer.text)?;
            if offer.digits != answer.digits {
                return Err(Failure::new("核对码不同 / the digits differ"));
            }
            enrol::confirm(&node)?;
            println!("[3/5] {name} 已入网，核对码 {}", offer.digits);
        }
        nodes.push(node);
    }
    for node in &nodes {
        if !accounts::any(node)? {
            let new = accounts::NewAccount {
                name: NAME.into(),
                role: if node.is_county() {
                    accounts::Role::Auditor
                } else {
                    accounts::Role::Clerk
                },
                secret: PIN.into(),
                person: None,
            };
            accounts::create(node, new, now())?;
        }
    }
    Ok(nodes)
}

fn open_or(dir: &Path, init: impl FnOnce(&Path) -> Result<Node, node::Error>) -> Result<Node, Failure> {
    Ok(if dir.join("device.key").exists() {
        Node::open(dir)?
    } else {
        init(dir)?
    })
}

fn import(node: &Node, bytes: &[u8]) -> Result<usize, Failure> {
    let plan = plan(node, bytes, "花名册.xlsx", Some(YEAR))?;
    Ok(web::import::apply(node, &by_command(), &plan, None)?)
}

async fn start(node: Node, i: u16, stopped: watch::Receiver<bool>) -> Result<Running, Failure> {
    // The usual ports where they are free, so that a second start has the same page addresses.
    let mut network = None;
    for port in [14433 + i, 0] {
        let config = NetworkConfig {
            listen: ([127, 0, 0, 1], port).into(),
            mdns: false,
            retry_min: Duration::from_millis(300),
            retry_max: Duration::from_secs(5),
            ..NetworkConfig::default()
        };
        network = Network::start(node.clone(), config).await.ok();
        if network.is_some() {
            break;
        }
    }
    let network = network.ok_or_else(|| Failure::new("本机回环地址不可用 / loopback cannot be used"))?;
    let page = |port: u16| WebConfig {
        listen: ([127, 0, 0, 1], port).into(),
        ..WebConfig::default()
    };
    let pages = match web::serve(node.clone(), page(8780 + i), until(stopped.clone())).await {
        Ok(pages) => pages,
        Err(_) => web::serve(node.clone(), page(0), until(stopped)).await?,
    };
    Ok(Running { node, network, pages })
}

fn addresses(running: &[Running]) {
    println!("网页 pages（账号 name: {NAME}，密码 PIN: {PIN}）");
    for r in running {
        println!("  {}  {}", r.pages.url(), r.node.label());
    }
}

/// A term of sessions, typed as a clerk would: session, attendance, end, 登分.
fn record_term(
    node: &Node,
    county: &County,
    at: usize,
    stopped: &watch::Receiver<bool>,
) -> Result<(), Failure> {
    let school = node.home_school().ok_or(node::Error::NotEnrolled)?;
    let label = &county.schools[at].name;
    wait_for_registry(node, stopped)?;
    if *stopped.borrow() {
        return Ok(());
    }
    let roster_file = web::sheet::write::county_roster(county)?;
    let imported = import(node, &roster_file)?;
    let roster = office::roster(node, &school)?;
    println!("[3/5] {label}：花名册 {} 人（新导入 {imported}）", roster.len());
    let known: Vec<String> = office::sessions(node, Some(&school), 1_000)?
        .into_iter()
        .map(|s| s.title + &s.date)
        .collect();
    let term = county.term(at, YEAR, 1);
    let begun = Instant::now();
    for (done, sample) in term.iter().enumerate() {
        let date = sample.date.to_string();
        if *stopped.borrow() || known.contains(&format!("{}{date}", sample.title)) {
            continue;
        }
        let input = SessionInput::from(sample);
        let by = by_demo();
        let session = office::save_session(node, &by, &school, None, input)?;
        let mut marks = Vec::new();
        for mark in &sample.marks {
            let code = &county.teachers[mark.teacher].teacher_code;
            if let Some(t) = roster.iter().find(|t| t.teacher_code == *code) {
                marks.push((t.id.clone(), mark.status.to_string()));
            }
        }
        office::mark_attendance(node, &by, &session, &marks)?;
        office::end_session(node, &by, &session)?;
        let claims = office::register_claims(node, &by, &session, &date)?;
        println!(
            "[4/5] {label} {}/{} {date} {}：出勤 {}，登分 {claims}",
            done + 1,
            term.len(),
            sample.title,
            marks.len()
        );
    }
    println!(
        "[4/5] {label}：一学期 {} 次活动，用时 {:.1} 秒",
        term.len(),
        begun.elapsed().as_secs_f32()
    );
    Ok(())
}

/// The school knows its own name from the county's registry, which comes with the first contact.
fn wait_for_registry(node: &Node, stopped: &watch::Receiver<bool>) -> Result<(), Failure> {
    let end = Instant::now() + Duration::from_secs(60);
    while node.count(&Filter::kind("organisation"))? == 0 {
        if *stopped.borrow() {
            return Ok(());
        }
        if Instant::now() > end {
            return Err(Failure::new("没有连上县中心 / the hub was not reached"));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// Until no school has anything left for the county and the county nothing for any school.
async fn wait_in_sync(running: &[Running], stopped: &watch::Receiver<bool>) -> Result<(), Failure> {
    let end = Instant::now() + Duration::from_secs(120);
    let mut shown = u64::MAX;
    loop {
        let mut left = 0;
        for r in running {
            left += r
                .node
                .peers()?
                .iter()
                .map(|p| u64::from(p.waiting.0))
                .sum::<u64>();
        }
        for r in running {
            left += r.node.views_behind()? as u64;
        }
        for r in &running[1..] {
            left += r.node.not_at_county()?;
        }
        if left != shown {
            println!("[5/5] 同步 sync：还有 {left} 条在路上");
            shown = left;
        }
        if left == 0 || *stopped.borrow() {
            return Ok(());
        }
        if Instant::now() > end {
            return Err(Failure::new(
                "两分钟内没有同步完；请看 yanxiu status / not in sync within two minutes",
            ));
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

/// The county's auditor works off the older half of the queue.
fn decide_some(hub: &Node) -> Result<(), Failure> {
    let queue = office::audit_queue(hub, 10_000)?;
    let decided = hub.count(&Filter::kind("decision"))?;
    if decided > 0 || queue.is_empty() {
        println!("[5/5] 县审核 audit：已有 {decided} 条决定，待审 {}", queue.len());
        return Ok(());
    }
    let half = &queue[..queue.len() / 2];
    for claim in half {
        office::decide(
            hub,
            &by_command(),
            &claim.id,
            "recognised",
            None,
            "",
            "",
            "2026-01-20",
        )?;
    }
    println!(
        "[5/5] 县审核 audit：认定 {} 条，待审 {}",
        half.len(),
        queue.len() - half.len()
    );
    Ok(())
}

fn totals(running: &[Running]) -> Result<(), Failure> {
    println!("                         活动 出勤 登分 审核");
    for r in running {
        let count = |kind: &str| r.node.count(&Filter::kind(kind));
        println!(
            "  {:<12} {:>6} {:>6} {:>6} {:>6}",
            r.node.label(),
            count("session")?,
            count("attendance")?,
            count("claim")?,
            count("decision")?
        );
    }
    Ok(())
}
