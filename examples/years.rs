//! What one more record costs the county, and its dashboard, when there is much already.
//!
//! `cargo run --release -p yanxiu-examples --example years [small]` (loopback only, some minutes; `small`: a county of
//! six schools in place of the 45, for a look at the program). The generated county of 45
//! schools and 1,640 teachers writes a full school year, which goes to the hub over QUIC. Then
//!
//! 1. the county's first page and the dashboard in every variant of its filters are fetched over HTTP, each time right
//!    after a decision: the time from the request to the last byte;
//! 2. one more record is written at a school, arrives at the hub and is in its views, a claim of that school is decided,
//!    and the dashboard's figures are asked for: in turn for the last day of the full year and the first of the next;
//! 3. the same in two smaller counties of one size, the one in its first year, the other in its fifth.
//!
//! Prints the figures as ratios of one run and fails where a page takes 150 ms or one more record more than twice as
//! much.

mod signed_in;

use std::collections::BTreeMap;
use std::error::Error;
use std::time::{Duration, Instant};

use node::office::{self, SessionInput};
use node::{Node, accounts};
use records::sample::CountySize;
use signed_in::SignedIn;
use tokio::runtime::Runtime;
use yanxiu_examples::visitor::after;
use yanxiu_examples::{Asked, at, ms};
use yanxiu_tests::generated::{Generated, YEAR, small};
use yanxiu_tests::{auditor, clerk, session_input, until};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// What a page may take.
const PAGE: Duration = Duration::from_millis(150);
/// What one more record may cost, as a multiple.
const TIMES: f64 = 2.0;
/// Fetches of each variant.
const FETCHES: usize = 9;
/// Options of each filter that are tried.
const OPTIONS: usize = 4;
/// Sessions of each school that open the next school year.
const FIRST: usize = 2;
/// Records of each side; all schools take turns, so that no document is simply the last one used.
const ROUNDS: usize = 90;
/// Claims of each of the smaller counties' schools that are decided before, the oldest first.
const DECIDED: u32 = 400;
/// Pieces that arrive within this time are shown together (`node/src/network.rs`): waiting, not work.
const WAITS: Duration = Duration::from_millis(40);

fn main() -> Result<()> {
    let rt = Runtime::new()?;
    let mut asked = Asked::default();
    full_county(&rt, &mut asked)?;
    five_years(&rt, &mut asked)?;
    asked.end()
}

fn full_county(rt: &Runtime, asked: &mut Asked) -> Result<()> {
    let begun = Instant::now();
    let past = |what: &str| println!("{:>6.1} s  {what}", begun.elapsed().as_secs_f64());
    let size = match std::env::args().nth(1).as_deref() {
        Some("small") => small(),
        _ => CountySize::published(),
    };
    let mut county = rt.block_on(Generated::found(size, 1));
    county.school_year(&[1, 2]);
    past("a full school year is written");
    // The first day of the next: a session at the schools that take turns.
    for at in 0..county.schools.len() {
        county.hold(at, YEAR + 1, 1, FIRST);
    }
    rt.block_on(county.meet(15));
    past("and at the hub");
    county.projects();
    let decided = county.decide(60);
    let computing = Instant::now();
    let people = office::all_standings(&county.hub.node)?.len();
    past(&format!(
        "{decided} claims decided; where {people} people stand computed in {:.1} s",
        computing.elapsed().as_secs_f64()
    ));
    dashboard(rt, &county.hub.node, asked)?;

    let days = [format!("{}-06-29", YEAR + 1), format!("{}-09-01", YEAR + 1)];
    let [last, first] = days.map(|day| Side::of(&county, &day));
    println!("\n同一学年末日与新学年首日，各校轮流，各 {ROUNDS} 条");
    let sides = [first?, last?];
    let costs = rt.block_on(measured(&mut [&mut county], sides))?;
    compare(
        ["首日", "末日"],
        &costs,
        "on the last day of a school year as on its first",
        asked,
    );
    Ok(())
}

fn five_years(rt: &Runtime, asked: &mut Asked) -> Result<()> {
    let grown = |years: i32| -> Result<Generated> {
        let mut county = rt.block_on(Generated::found(small(), 1));
        county.rosters();
        for year in YEAR..YEAR + years {
            (0..county.schools.len())
                .for_each(|at| (1..=2).for_each(|term| county.hold(at, year, term, usize::MAX)));
        }
        rt.block_on(county.meet(6));
        county.decide(DECIDED);
        office::all_standings(&county.hub.node)?;
        Ok(county)
    };
    let begun = Instant::now();
    let (mut young, mut old) = (grown(1)?, grown(5)?);
    println!(
        "\n第 1 年 {} 条记录，第 5 年 {} 条，{:.0} 秒",
        young.hub.node.count(&node::Filter::default())?,
        old.hub.node.count(&node::Filter::default())?,
        begun.elapsed().as_secs_f64()
    );
    let sides = [
        Side::of(&young, &format!("{}-06-29", YEAR + 1))?,
        Side::of(&old, &format!("{}-06-29", YEAR + 5))?,
    ];
    let costs = rt.block_on(measured(&mut [&mut young, &mut old], sides))?;
    compare(["第1年", "第5年"], &costs, "in year 5 as in year 1", asked);
    Ok(())
}

/// The county's pages in all variants, each right after a decision.
fn dashboard(rt: &Runtime, hub: &Node, asked: &mut Asked) -> Result<()> {
    let site = SignedIn::at(rt, hub, accounts::Role::Auditor)?;
    let mut claims = office::audit_queue(hub, 5_000)?.into_iter();
    let mut decide = || -> Result<()> {
        let claim = claims.next().ok_or("no claim left")?;
        Ok(office::decide(
            hub,
            &auditor(),
            &claim.id,
            "recognised",
            None,
            "",
            "",
            "2027-08-01",
        )?)
    };
    let html = site.get("/schools")?.html;
    let mut paths = vec!["/".to_owned(), "/schools".to_owned()];
    let mut one_of_each = Vec::new();
    for select in html.split("<select ").skip(1) {
        let name = after(select, "name=\"").ok_or("a select without a name")?;
        let options = select.split("</select>").next().unwrap_or_default();
        let values = options
            .split("<option value=\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next());
        let values: Vec<String> = values.filter(|value| !value.is_empty()).map(encoded).collect();
        one_of_each.extend(
            values
                .first()
                .filter(|_| name != "contact")
                .map(|value| format!("{name}={value}")),
        );
        paths.extend(
            values
                .iter()
                .take(OPTIONS)
                .map(|value| format!("/schools?{name}={value}")),
        );
    }
    paths.push(format!("/schools?{}", one_of_each.join("&")));
    let mut all = Vec::new();
    println!("\n写后第一次打开                                     p50        最长       KB");
    for path in &paths {
        let (mut times, mut bytes) = (Vec::new(), 0);
        for _ in 0..FETCHES {
            decide()?;
            let page = site.get(path)?;
            times.push(page.took);
            bytes = page.bytes;
        }
        times.sort();
        let shown: String = path.chars().take(44).collect();
        println!(
            "{shown:<44} {:>10} {:>10} {:>8}",
            ms(at(&times, 50)),
            ms(at(&times, 100)),
            bytes / 1024
        );
        asked.that(
            at(&times, 50) < PAGE,
            format!("{path} under {} at the median", ms(PAGE)),
        );
        all.extend(times);
    }
    all.sort();
    println!(
        "{} 种：p50 {}，p99 {}",
        paths.len(),
        ms(at(&all, 50)),
        ms(at(&all, 99))
    );
    asked.that(
        at(&all, 99) < PAGE,
        format!("99 of 100 dashboards under {}", ms(PAGE)),
    );
    site.end(rt)
}

/// Percent-encoding of a value in a query.
fn encoded(value: &str) -> String {
    let unreserved = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    value
        .bytes()
        .map(|b| {
            if unreserved(&b) {
                char::from(b).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect()
}

/// Where records are added: on a day, at the schools that have claims of that school year to decide on.
struct Side {
    day: String,
    /// By place of the school: claims that wait.
    claims: BTreeMap<usize, Vec<String>>,
}

impl Side {
    fn of(county: &Generated, day: &str) -> Result<Side> {
        let of_year = |day: &str| records::parse_stored_date(day).map(records::SchoolYear::of);
        let year = of_year(day)?;
        let mut claims = BTreeMap::new();
        for (at, id) in county.ids.iter().enumerate() {
            let queue = office::audit_queue_of(&county.hub.node, Some(id), u32::MAX)?;
            let own = queue
                .into_iter()
                .filter(|claim| of_year(&claim.date).is_ok_and(|of| of == year));
            claims.insert(at, own.map(|claim| claim.id).collect::<Vec<_>>());
        }
        claims.retain(|_, waiting| !waiting.is_empty());
        Ok(Side {
            day: day.to_owned(),
            claims,
        })
    }
}

/// The parts of what one record costs.
const PARTS: [&str; 4] = ["学校写入", "到县并显示", "县里审核", "看板数字"];

/// Times of each part, by side.
type Costs = [[Vec<Duration>; 4]; 2];

/// Adds records on both sides in turn; of one county, or of one each.
async fn measured(counties: &mut [&mut Generated], mut sides: [Side; 2]) -> Result<Costs> {
    for county in counties.iter_mut() {
        county.hub.up().await;
        let hub = &county.hub;
        for place in &mut county.schools {
            place.up().await;
            place.knows(hub);
        }
        let hub = &county.hub.node;
        let linked = || {
            hub.peers()
                .is_ok_and(|all| all.iter().filter(|p| p.connected).count() >= county.schools.len())
        };
        until("all are connected", 60, linked).await;
    }
    let (mut costs, mut unready): (Costs, Costs) = Default::default();
    // The first record of each school since the hub began needs its document from the disk: told apart.
    let schools = sides.iter().map(|side| side.claims.len()).max().unwrap_or(0);
    for round in 0..schools + ROUNDS {
        let costs = if round < schools { &mut unready } else { &mut costs };
        for (at, side) in sides.iter_mut().enumerate() {
            let county = &counties[at.min(counties.len() - 1)];
            let schools: Vec<usize> = side.claims.keys().copied().collect();
            let school = *schools
                .get(round % schools.len().max(1))
                .ok_or("no school with claims")?;
            let (place, id, hub) = (&county.schools[school], &county.ids[school], &county.hub.node);
            let mut past = Vec::new();
            let begun = Instant::now();
            let input = SessionInput {
                ..session_input(&format!("听评课{round}"), &side.day)
            };
            let session = office::save_session(&place.node, &clerk(), id, None, input)?;
            past.push(begun.elapsed());

            let begun = Instant::now();
            while hub.record(&session)?.is_none() {
                if begun.elapsed() > Duration::from_secs(30) {
                    return Err("not at the hub within 30 seconds".into());
                }
                tokio::time::sleep(Duration::from_micros(500)).await;
            }
            past.push(begun.elapsed().saturating_sub(WAITS));

            let claim = side
                .claims
                .get_mut(&school)
                .and_then(Vec::pop)
                .ok_or("no claim left")?;
            let begun = Instant::now();
            office::decide(hub, &auditor(), &claim, "recognised", None, "", "", "2031-08-31")?;
            past.push(begun.elapsed());

            let begun = Instant::now();
            office::schools(hub)?;
            office::standings(hub)?;
            past.push(begun.elapsed());
            for (part, time) in costs[at].iter_mut().zip(past) {
                part.push(time);
            }
            // Whatever the hub does of itself is done before the next.
            tokio::time::sleep(Duration::from_millis(120)).await;
        }
    }
    for county in counties.iter_mut() {
        for place in &mut county.schools {
            place.down().await;
        }
        county.hub.down().await;
    }
    let shown = unready.map(|side| ms(at(&sorted(side[1].clone()), 50)));
    println!("县里启动后各校第一条，到县并显示：{}，{}", shown[0], shown[1]);
    Ok(costs)
}

fn sorted(mut times: Vec<Duration>) -> Vec<Duration> {
    times.sort();
    times
}

fn compare(names: [&str; 2], costs: &Costs, what: &str, asked: &mut Asked) {
    println!(
        "一条新记录（p50）      {:>10} {:>10}     倍数",
        names[0], names[1]
    );
    let mut line = |part: &str, [one, two]: [Vec<Duration>; 2]| {
        let [one, two] = [one, two].map(|times| at(&sorted(times), 50));
        let ratio = two.as_secs_f64() / one.as_secs_f64().max(1e-6);
        println!("{part:　<10} {:>12} {:>12} {ratio:>8.2}", ms(one), ms(two));
        asked.that(
            ratio <= TIMES,
            format!("{part}: at most {TIMES} times as much {what} ({ratio:.2})"),
        );
    };
    for (n, part) in PARTS.iter().enumerate() {
        line(part, [costs[0][n].clone(), costs[1][n].clone()]);
    }
    let sum = |side: &[Vec<Duration>; 4]| {
        (0..side[0].len())
            .map(|n| side.iter().map(|part| part[n]).sum())
            .collect()
    };
    line("合计", [sum(&costs[0]), sum(&costs[1])]);
}
