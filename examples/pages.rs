//! What a full node costs the people at it: adding a record, and every page, with 24,000 records in one node.
//!
//! `cargo run --release -p yanxiu-examples --example pages [DIRECTORY]` (loopback only). Without a directory a
//! temporary one; a directory is kept, and when it is named again its two nodes are measured as they are.
//!
//! A school of 40 teachers enters ten school years of 30 sessions with all their marks and claims, 2,400 records a
//! year, every tenth session on the day of another; a hub takes them in and decides on those of nine years. Three of
//! the teachers have a name at a second school, too. Then single
//! records are added while the disk's own sync is timed beside them, and all pages of both that a signed-in person
//! finds by following links are fetched over HTTP, half of the times right after a record was written, which is when
//! nothing that was kept is of use. A page's time is from the request to its last byte. Fails if the median of a sort
//! of pages is beyond 100 ms.

mod signed_in;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::error::Error;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use node::accounts;
use node::office::{self, By, OrganisationInput, SessionInput, TeacherInput};
use node::{Filter, Network, NetworkConfig, Node, Role, enrol};
use signed_in::SignedIn;
use yanxiu_examples::{at, ms, teacher};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const TEACHERS: usize = 40;
const YEARS: usize = 10;
/// Sessions of a school year.
const A_YEAR: usize = 30;
const SESSIONS: usize = YEARS * A_YEAR;
/// Records added one by one at the end.
const ADDED: usize = 300;
/// Times that each page is fetched; every other one right after a record was written.
const FETCHES: usize = 12;
/// Pages of one sort (with another id) that are fetched.
const OF_A_SORT: usize = 3;

fn main() -> Result<()> {
    let temporary = tempfile::tempdir()?;
    let named = std::env::args_os().nth(1).map(PathBuf::from);
    let dir = named.as_deref().unwrap_or(temporary.path());
    let rt = tokio::runtime::Runtime::new()?;
    let [hub, school] = match dir.join("school").exists() {
        true => [Node::open(&dir.join("hub"))?, Node::open(&dir.join("school"))?],
        false => full(&rt, dir)?,
    };
    let by = By {
        account: "示例".into(),
    };
    let home = school.home_school().ok_or("no school")?;
    adding(dir, &school, &by, &home)?;
    let last = office::sessions(&school, Some(&home), 1)?
        .pop()
        .ok_or("no session")?
        .id;
    let edit = |n: usize| {
        let input = SessionInput {
            place: format!("多媒体教室{n}"),
            ..session(SESSIONS - 1)
        };
        office::save_session(&school, &by, &home, Some(&last), input).map(|_| ())
    };
    let claims = office::claims(&hub, Some(&home), 300)?;
    let claim = claims
        .into_iter()
        .find(|claim| !claim.disputed)
        .ok_or("no claim")?
        .id;
    let decide = |n: usize| {
        let (verdict, reason) = if n % 4 == 1 {
            ("rejected", "other")
        } else {
            ("recognised", "")
        };
        office::decide(&hub, &by, &claim, verdict, None, reason, "", "2026-09-01")
    };
    let over = pages(&rt, "学校，专管员", &school, accounts::Role::Clerk, &edit)?
        + pages(&rt, "县，审核员", &hub, accounts::Role::Auditor, &decide)?;
    match over {
        0 => Ok(()),
        _ => Err(format!("{over} sorts of pages take longer than 100 ms").into()),
    }
}

/// The hub and the school with all their records.
fn full(rt: &tokio::runtime::Runtime, dir: &Path) -> Result<[Node; 2]> {
    let by = By {
        account: "示例".into(),
    };
    let (hub, school, home) = county(dir, &by)?;
    let begun = Instant::now();
    fill(&school, &by, &home)?;
    let records = school.records(&Filter::default())?.len();
    println!("学校有 {records} 条记录，{:.0} 秒", begun.elapsed().as_secs_f64());

    let begun = Instant::now();
    rt.block_on(meet(&hub, &school))?;
    println!("全部到县，{:.0} 秒", begun.elapsed().as_secs_f64());
    let begun = Instant::now();
    let decided = recognise(&hub, &by, &home)?;
    println!("县里审了 {decided} 条，{:.0} 秒", begun.elapsed().as_secs_f64());
    second_school(rt, dir, &hub, &school, &by)?;
    rt.block_on(meet(&hub, &school))?;
    let here = hub.records(&Filter::default())?.len();
    println!("县里有 {here} 条记录");
    Ok([hub, school])
}

fn county(dir: &Path, by: &By) -> Result<(Node, Node, String)> {
    let hub = Node::init_county(&dir.join("hub"), "云岭县")?;
    let organisation = OrganisationInput {
        name: "青石小学".into(),
        org_kind: "primary_school".into(),
        rural: "township".into(),
        ..OrganisationInput::default()
    };
    office::save_organisations(&hub, by, vec![(None, organisation)])?;
    let home = office::organisations(&hub)?.remove(0).id;
    let school = enrolled(&dir.join("school"), "青石小学 电脑", &hub, &home)?;
    Ok((hub, school, home))
}

fn enrolled(dir: &Path, label: &str, hub: &Node, home: &str) -> Result<Node> {
    let school = Node::init_member(dir, label)?;
    let (device, label) = enrol::read_request(&enrol::request_file(&school))?;
    let grants = [(Role::School, home.to_owned())];
    let answer = enrol::approve(hub, &device, &label.unwrap_or_default(), &grants)?;
    enrol::accept(&school, &answer.text)?;
    enrol::confirm(&school)?;
    Ok(school)
}

fn session(i: usize) -> SessionInput {
    SessionInput {
        title: format!("校本研修第{}次：读懂学生的错误", i + 1),
        theme: "分数的意义".into(),
        date: format!(
            "{}-{:02}-{:02}",
            2016 + i / A_YEAR % YEARS,
            9 + i % 4,
            // Every tenth on the day of the one four before it, at another time.
            1 + (i - if i % 10 == 9 { 4 } else { 0 }) / 4 % 28
        ),
        begins: if i % 10 == 9 { "14:00" } else { "08:30" }.into(),
        ends: if i % 10 == 9 { "15:30" } else { "10:00" }.into(),
        place: "多媒体教室".into(),
        form: "school_based".into(),
        category: "practice".into(),
        channel: "school".into(),
        hours_c: 200,
        lecturers: "教研组".into(),
        ..SessionInput::default()
    }
}

/// One of those that are added one by one, in the last school year.
fn in_spring(i: usize) -> SessionInput {
    SessionInput {
        date: format!("{}-{:02}-{:02}", 2016 + YEARS, 3 + i % 4, 1 + i / 4 % 28),
        ..session(i)
    }
}

fn fill(school: &Node, by: &By, home: &str) -> Result<()> {
    let mut marks = Vec::new();
    for i in 0..TEACHERS {
        marks.push((
            office::save_teacher(school, by, home, None, teacher(i))?,
            "present".into(),
        ));
    }
    for i in 0..SESSIONS {
        let id = office::save_session(school, by, home, None, session(i))?;
        office::mark_attendance(school, by, &id, &marks)?;
        office::end_session(school, by, &id)?;
        office::register_claims(school, by, &id, &format!("{}-12-31", 2016 + i / A_YEAR))?;
    }
    Ok(())
}

/// The county recognises what was claimed, but for the last year.
fn recognise(hub: &Node, by: &By, home: &str) -> Result<usize> {
    let last = format!("{}-09-01", 2016 + YEARS - 1);
    let mut decided = 0;
    for claim in office::audit_queue_of(hub, Some(home), u32::MAX)? {
        if claim.date < last {
            office::decide(hub, by, &claim.id, "recognised", None, "", "", "2026-08-31")?;
            decided += 1;
        }
    }
    Ok(decided)
}

/// Three teachers stand on the roster of another school, too, which has held sessions for them.
fn second_school(rt: &tokio::runtime::Runtime, dir: &Path, hub: &Node, school: &Node, by: &By) -> Result<()> {
    let organisation = OrganisationInput {
        name: "石门村小".into(),
        org_kind: "primary_school".into(),
        rural: "village".into(),
        ..OrganisationInput::default()
    };
    office::save_organisations(hub, by, vec![(None, organisation)])?;
    let all = office::organisations(hub)?;
    let id = all
        .into_iter()
        .find(|o| o.name == "石门村小")
        .ok_or("no school")?
        .id;
    let other = enrolled(&dir.join("other"), "石门村小 电脑", hub, &id)?;
    let home = school.home_school().ok_or("no school")?;
    let mut people = Vec::new();
    for (i, kept) in office::roster(school, &home)?.into_iter().take(3).enumerate() {
        let teacher = TeacherInput {
            teacher_code: format!("M{i}"),
            name: kept.name.clone(),
            status: "serving".into(),
            post: "teacher".into(),
            from: "2016-09-01".into(),
            ..TeacherInput::default()
        };
        people.push((office::save_teacher(&other, by, &id, None, teacher)?, kept.id));
    }
    let marks: Vec<(String, String)> = people
        .iter()
        .map(|(there, _)| (there.clone(), "present".into()))
        .collect();
    for i in 0..A_YEAR {
        let input = SessionInput {
            title: format!("联片教研第{}次", i + 1),
            // Three at the time of one at the first school.
            begins: if i % 10 == 0 { "08:30" } else { "16:00" }.into(),
            ends: if i % 10 == 0 { "10:00" } else { "17:30" }.into(),
            ..session(SESSIONS - A_YEAR + i)
        };
        let held = office::save_session(&other, by, &id, None, input)?;
        office::mark_attendance(&other, by, &held, &marks)?;
        office::end_session(&other, by, &held)?;
        office::register_claims(&other, by, &held, "2025-12-31")?;
    }
    rt.block_on(meet(hub, &other))?;
    for (there, here) in &people {
        office::declare_same(hub, by, (&id, there), (&home, here), "2026-08-31", "同一人")?;
    }
    Ok(())
}

async fn meet(hub: &Node, school: &Node) -> Result<()> {
    let loopback = || NetworkConfig {
        listen: ([127, 0, 0, 1], 0).into(),
        mdns: false,
        retry_min: Duration::from_millis(200),
        ..NetworkConfig::default()
    };
    let there = Network::start(hub.clone(), loopback()).await?;
    let here = Network::start(school.clone(), loopback()).await?;
    school.add_address(&there.local_addr().to_string())?;
    let begun = Instant::now();
    while school.not_at_county()? > 0 || hub.views_behind()? > 0 {
        if begun.elapsed() > Duration::from_secs(600) {
            return Err("not at the county within ten minutes".into());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    here.stop().await;
    there.stop().await;
    Ok(())
}

/// One record at a time, and beside each the same disk's sync of 4 KB.
fn adding(dir: &Path, school: &Node, by: &By, home: &str) -> Result<()> {
    let mut file = File::create(dir.join("sync"))?;
    let (mut adding, mut syncing, mut beyond) = (Vec::new(), Vec::new(), Vec::new());
    for i in 0..ADDED {
        let begun = Instant::now();
        file.write_all(&[i as u8; 4096])?;
        file.sync_data()?;
        let sync = begun.elapsed();
        let begun = Instant::now();
        office::save_session(school, by, home, None, in_spring(i))?;
        let add = begun.elapsed();
        adding.push(add);
        syncing.push(sync);
        beyond.push(add.saturating_sub(sync));
    }
    println!("\n一条一条添加 {ADDED} 条                  p50       p99");
    for (what, mut times) in [
        ("添加一条", adding),
        ("磁盘同步 4 KB", syncing),
        ("添加减去同步", beyond),
    ] {
        times.sort();
        println!(
            "{what:　<12} {:>10} {:>10}",
            ms(at(&times, 50)),
            ms(at(&times, 99))
        );
    }
    Ok(())
}

/// All pages that links lead to, each several times, `write` before every other one. How many sorts of them take
/// longer than 100 ms at the median of either.
fn pages(
    rt: &tokio::runtime::Runtime,
    what: &str,
    node: &Node,
    role: accounts::Role,
    write: &dyn Fn(usize) -> std::result::Result<(), node::Error>,
) -> Result<usize> {
    let site = SignedIn::at(rt, node, role)?;
    let mut next = VecDeque::from(["/".to_string()]);
    let mut seen = BTreeSet::from(["/".to_string()]);
    // How many of a sort, their times as they are and after a write, and the largest.
    let mut sorts: BTreeMap<String, (usize, [Vec<Duration>; 2], usize)> = BTreeMap::new();
    while let Some(path) = next.pop_front() {
        let sort = sort_of(&path);
        let entry = sorts.entry(sort).or_default();
        if entry.0 >= OF_A_SORT {
            continue;
        }
        entry.0 += 1;
        let mut body = String::new();
        for n in 0..FETCHES {
            let written = n % 2;
            if written == 1 {
                write(n)?;
            }
            let page = site.get(&path)?;
            entry.1[written].push(page.took);
            entry.2 = entry.2.max(page.bytes);
            body = page.html;
        }
        for link in body
            .split("href=\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
        {
            let link = link.split('#').next().unwrap_or_default().replace("&amp;", "&");
            let page = link.starts_with('/') && !link.starts_with("/static") && !link.contains("logout");
            if page && !link.contains("lang=") && seen.insert(link.clone()) {
                next.push_back(link);
            }
        }
    }
    let mut rows: Vec<_> = sorts.into_iter().collect();
    for (_, (_, times, _)) in &mut rows {
        times.iter_mut().for_each(|times| times.sort());
    }
    let slowest = |times: &[Vec<Duration>; 2]| times.iter().map(|times| at(times, 50)).max();
    rows.sort_by_key(|(_, (_, times, _))| std::cmp::Reverse(slowest(times)));
    println!(
        "\n{what}：{} 种页面，慢的在前            p50        p99   写后 p50   写后 p99      KB",
        rows.len()
    );
    for (sort, (_, [times, after], bytes)) in &rows {
        println!(
            "{sort:<44} {:>10} {:>10} {:>10} {:>10} {:>7}",
            ms(at(times, 50)),
            ms(at(times, 99)),
            ms(at(after, 50)),
            ms(at(after, 99)),
            bytes / 1024
        );
    }
    let over = rows
        .iter()
        .filter(|(_, (_, times, _))| slowest(times) > Some(Duration::from_millis(100)))
        .count();
    println!("超过 100 ms 的（p50）：{over}");
    site.end(rt)?;
    Ok(over)
}

/// A path with its ids and numbers replaced, so that pages of one sort are one row.
fn sort_of(path: &str) -> String {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let part = |p: &str| match p.len() >= 32 || (p.len() == 4 && p.bytes().all(|b| b.is_ascii_digit())) {
        true => "…".to_string(),
        false => p.to_string(),
    };
    let path: Vec<String> = path.split('/').map(part).collect();
    let keys: Vec<&str> = query
        .split('&')
        .filter_map(|p| p.split('=').next())
        .filter(|k| !k.is_empty())
        .collect();
    match keys.is_empty() {
        true => path.join("/"),
        false => format!("{}?{}", path.join("/"), keys.join("&")),
    }
}
