//! Acceptance 5: `kill -9` of school and hub at random moments while people enter records and the two sync.
//!
//! A killed process loses what it had not given to the operating system; a power cut, which also loses what
//! the disk had not taken, is not what this shows. `YANXIU_KILL_ROUNDS` says how many rounds (12 if it is not
//! set), `YANXIU_KILL_SEED` repeats the random choices of a run (not its timing).
//!
//! After each kill the database is copied as the process left it and asked two things: is every record there
//! that its pages or commands acknowledged, and is every change there for which the other side holds a
//! receipt? Only then does the process start again, on the same data and without any help.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

#[path = "kill/entry.rs"]
mod entry;
#[path = "kill/side.rs"]
mod side;
mod support;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use side::{Random, Side};
use support::database::Database;
use support::{Browser, Place, digits, free_address};

const SCHOOL: &str = "石门村小学";
const ROUNDS_PER_CHECK: u64 = 20;
/// A link whose other end vanished without a word may hang until its idle timeout (100 s).
const SYNC_PATIENCE: Duration = Duration::from_secs(150);

/// The county's hub and one school, with the people who enter.
pub struct Bench {
    pub(crate) school: Side,
    pub(crate) hub: Side,
    /// Everything that a page or a command has acknowledged, as `side::facts` words it.
    acknowledged: Mutex<BTreeSet<String>>,
    /// Answers that were neither an acknowledgement nor a broken link, each with an example.
    pub(crate) odd: Mutex<Vec<String>>,
    pub(crate) unanswered: AtomicUsize,
    /// Held for reading while something is entered, for writing while all rest.
    pub(crate) quiet: RwLock<()>,
    pub(crate) over: AtomicBool,
}

impl Bench {
    pub(crate) fn acknowledge(&self, facts: impl IntoIterator<Item = String>) {
        self.acknowledged
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(facts);
    }

    fn acknowledged(&self) -> BTreeSet<String> {
        self.acknowledged
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The side whose database must hold a fact as soon as it is acknowledged.
    fn written_at_hub(fact: &str) -> bool {
        fact.starts_with("decision ") || fact.starts_with("organisation ")
    }
}

/// Ends the entering threads also when a check fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is no number: {text}"))
    })
}

#[test]
fn nothing_that_was_acknowledged_is_lost_by_kill_9() {
    let rounds = number("YANXIU_KILL_ROUNDS").unwrap_or(12);
    let by_clock = || {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .subsec_nanos()
            .into()
    };
    let seed = number("YANXIU_KILL_SEED").unwrap_or_else(by_clock);
    println!("kill -9: {rounds} rounds, YANXIU_KILL_SEED={seed}");
    let begun = Instant::now();
    let dir = tempfile::tempdir().unwrap();
    let (bench, clerk, auditor) = set_up(dir.path());
    let mut random = Random::new(seed, 0);
    let (mut school_kills, mut hub_kills, mut longest) = (0, 0, Duration::ZERO);
    std::thread::scope(|scope| {
        let _over = Over(&bench.over);
        scope.spawn(|| entry::clerk(&bench, &clerk, Random::new(seed, 1)));
        scope.spawn(|| entry::auditor(&bench, &auditor));
        scope.spawn(|| entry::commands(&bench, dir.path(), Random::new(seed, 2)));
        for round in 1..=rounds {
            std::thread::sleep(Duration::from_millis(random.below(600)));
            // Half-started processes are killed too: while they open the database and bring it up.
            let early = |random: &mut Random| {
                (random.below(6) == 0).then(|| Duration::from_millis(random.below(120)))
            };
            let victim = random.below(9);
            if victim <= 4 {
                school_kills += kill(&bench, &bench.school, &bench.hub, dir.path(), early(&mut random));
            }
            if victim >= 4 {
                hub_kills += kill(&bench, &bench.hub, &bench.school, dir.path(), early(&mut random));
            }
            if round % ROUNDS_PER_CHECK == 0 {
                let took = check(&bench);
                longest = longest.max(took);
                println!(
                    "round {round}: killed school {school_kills}, hub {hub_kills}; acknowledged {}; equal after {:.1} s",
                    bench.acknowledged().len(),
                    took.as_secs_f32()
                );
            }
        }
    });
    longest = longest.max(check(&bench));
    let acknowledged = bench.acknowledged();
    let at_hub = acknowledged.iter().filter(|f| Bench::written_at_hub(f)).count();
    println!(
        "kill -9: {rounds} rounds in {:.0} s, school killed {school_kills} times, hub {hub_kills} times; \
         {} records acknowledged ({} at the school, {at_hub} at the hub), all of them at both ends; \
         {} entries without an answer; equal after at most {:.1} s",
        begun.elapsed().as_secs_f32(),
        acknowledged.len(),
        acknowledged.len() - at_hub,
        bench.unanswered.load(Ordering::Relaxed),
        longest.as_secs_f32(),
    );
    bench.school.report();
    bench.hub.report();
    let odd = bench.odd.lock().unwrap();
    assert!(
        odd.is_empty(),
        "{} answers that nobody should see:\n{}",
        odd.len(),
        odd.join("\n")
    );
    assert!(
        acknowledged.len() as u64 > rounds,
        "too little was entered to show anything"
    );
    assert!(school_kills + hub_kills >= rounds);
}

/// A county with one school of three teachers, enrolled by file; the clerk and the auditor are signed in.
fn set_up(root: &Path) -> (Bench, Browser, Browser) {
    let hub = Place::init(root, "hub", &["--county", "云岭县"]);
    let file = root.join("学校.csv");
    let list = format!("学校名称,学校标识码,学校类别,城乡类型\n{SCHOOL},2168000001,完全小学,村庄\n");
    std::fs::write(&file, list).unwrap();
    hub.ok(&["import", file.to_str().unwrap(), "--yes"]);
    let address = free_address();
    let hub = Side::start(hub, &["--listen", &address, "--publish", &address]);

    let school = Place::init(root, "school", &["--name", &format!("{SCHOOL} 电脑")]);
    let (request, answer) = (root.join("申请.txt"), root.join("批复.txt"));
    let (request, answer) = (request.to_str().unwrap(), answer.to_str().unwrap());
    school.ok(&["enrol", "request", "--out", request]);
    let approve = ["enrol", "approve", request, "--school", SCHOOL, "--out", answer];
    let shown = digits(&hub.place.refused(&approve, "数字不同"));
    hub.place.ok(&[&approve[..], &["--digits", &shown]].concat());
    school.ok(&["enrol", "accept", answer, "--digits", &shown]);
    let file = root.join("教师.csv");
    std::fs::write(
        &file,
        "姓名,教师编号,性别\n王𬭊,T1,女\n欧阳㙇,T2,男\n李秀英,T3,女\n",
    )
    .unwrap();
    school.ok(&["import", file.to_str().unwrap(), "--yes"]);
    let school = Side::start(school, &["--listen", "127.0.0.1:0"]);

    // A request that nobody answers is given up soon: its server may be dead.
    let browser = || Browser::with_timeout(Duration::from_secs(20));
    let (clerk, auditor) = (browser(), browser());
    clerk.first_account(&school.setup_link(), "李专管员", "clerk", "２０２６０３");
    auditor.first_account(&hub.setup_link(), "王审核员", "auditor", "２０２６０３");
    let bench = Bench {
        school,
        hub,
        acknowledged: Mutex::default(),
        odd: Mutex::default(),
        unanswered: AtomicUsize::new(0),
        quiet: RwLock::new(()),
        over: AtomicBool::new(false),
    };
    (bench, clerk, auditor)
}

/// Kills one side, looks at what it left, and starts it again; how often it was killed.
fn kill(bench: &Bench, side: &Side, other: &Side, scratch: &Path, early: Option<Duration>) -> u64 {
    side.kill();
    let mut kills = 1;
    if let Some(after) = early {
        side.kill_while_starting(after);
        kills += 1;
    }
    // First what must be there, then what is there: meanwhile the command line may add to both.
    let receipts = Database::open(&other.place.database()).receipts();
    let at_hub = side.place.name() == "hub";
    let mut promised = bench.acknowledged();
    promised.retain(|fact| Bench::written_at_hub(fact) == at_hub);
    let left = side.copied(&scratch.join("left.db"));
    let stored = left.stored();
    for receipt in receipts {
        assert!(
            stored.contains(&receipt),
            "{} has a receipt of {} for a change that is not there: {} number {}",
            other.place.name(),
            side.place.name(),
            receipt.0,
            receipt.2
        );
    }
    let there = side::facts(&left);
    let lost: Vec<&String> = promised.difference(&there).collect();
    assert!(
        lost.is_empty(),
        "{} was killed and has lost {lost:?}",
        side.place.name()
    );
    assert_eq!(left.integrity(), "ok", "{}", side.place.name());
    drop(left);
    side.restart();
    kills
}

/// With all at rest: waits until both sides are equal and the school has receipts for all that is not the
/// hub's own, then counts. How long
/// that took.
fn check(bench: &Bench) -> Duration {
    let _quiet = bench.quiet.write().unwrap_or_else(PoisonError::into_inner);
    let begun = Instant::now();
    let acknowledged = bench.acknowledged();
    let (school, hub) = (&bench.school.place, &bench.hub.place);
    loop {
        let (at_school, at_hub) = (
            Database::open(&school.database()),
            Database::open(&hub.database()),
        );
        let missing = |facts: BTreeSet<String>| acknowledged.difference(&facts).cloned().collect::<Vec<_>>();
        let lacks = [missing(side::facts(&at_school)), missing(side::facts(&at_hub))];
        let receipts: BTreeSet<_> = at_school.receipts().into_iter().collect();
        let equal = at_school.changes() == at_hub.changes();
        let of_hub = at_hub.own_actors();
        let open: Vec<_> = at_school
            .tips()
            .into_iter()
            .filter(|tip| !receipts.contains(tip) && !of_hub.contains(&tip.1))
            .collect();
        if equal && open.is_empty() && lacks.iter().all(Vec::is_empty) {
            break;
        }
        assert!(
            begun.elapsed() < SYNC_PATIENCE,
            "not in sync: {} changes at the school, {} at the hub, without receipt {open:?}, \
             acknowledged but missing at the school {:?}, at the hub {:?}",
            at_school.changes().len(),
            at_hub.changes().len(),
            lacks[0],
            lacks[1],
        );
        std::thread::sleep(Duration::from_millis(100));
    }
    let took = begun.elapsed();
    for (place, other) in [(school, hub), (hub, school)] {
        let (here, there) = (
            Database::open(&place.database()),
            Database::open(&other.database()),
        );
        assert_eq!(here.integrity(), "ok", "{}", place.name());
        // A kill is no restore: the other store is the same as ever, or its receipts would be void.
        let stores = here.number("SELECT COUNT(DISTINCT store) FROM receipt");
        assert_eq!(stores, 1, "{}: stores of the other side", place.name());
        let stored = there.stored();
        let without: Vec<_> = here
            .receipts()
            .into_iter()
            .filter(|r| !stored.contains(r))
            .collect();
        assert!(
            without.is_empty(),
            "{}: receipts without their changes: {without:?}",
            place.name()
        );
        for table in ["held", "quarantine"] {
            let rows = here.number(&format!("SELECT COUNT(*) FROM {table}"));
            assert_eq!(rows, 0, "{}: {table}", place.name());
        }
    }
    assert_eq!(school.count("not at county"), 0);
    took
}
