//! Sealed bundles on their way: that they end whoever carries them and whatever clocks say, and that they go to those who
//! have a reason to carry them.
// Helpers outside #[test] functions unwrap as well: a failure is a failed test.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use node::mail::{self, Along, COPIES, Delivered, age};
use node::office::{self, OrganisationInput};
use node::stick::{self, Wishes};
use node::{NodeId, Role, bundle};
use sync::wire::errand::{Errand, Item, Letter};
use yanxiu_tests::photos::noise;
use yanxiu_tests::villain::{Lively, SOON, Villain, heard};
use yanxiu_tests::*;

/// 2027-01-01, unix milliseconds.
const BEGIN: i64 = 1_798_761_600_000;
const DAY: i64 = 86_400;

type Clock = Arc<AtomicI64>;

fn clock() -> Clock {
    Arc::new(AtomicI64::new(BEGIN))
}

fn pass(clock: &Clock, seconds: i64) {
    clock.fetch_add(seconds * 1000, Ordering::Relaxed);
}

/// A school whose computer has a clock of its own.
fn school_with_clock(county: &Place, name: &str, clock: &Clock) -> Place {
    let id = add_school(county, name);
    let place = Place::device_with_clock(name, clock.clone());
    place.enrol(county, &[(Role::School, id)]);
    place
}

fn plug(place: &Place, stick: &Path) {
    let report = stick::exchange(&place.node, stick, &Wishes::default()).unwrap();
    assert!(
        report.failed.is_empty() && report.unwritten.is_none(),
        "{report:?}"
    );
}

/// The letters of a device that lie at a place.
fn of(place: &Place, from: &NodeId) -> Vec<mail::Item> {
    let mut all = mail::list(&place.node).unwrap();
    all.retain(|item| item.from == *from);
    all
}

fn age_at(place: &Place, from: &NodeId) -> i64 {
    mail::age_of(&place.node, &of(place, from)[0]).unwrap()
}

/// Two schools that have never met the county hand over what they carry every five days, each time on another stick; the
/// maker is gone. Nobody has it after sixty days; an arrival does not make it young again.
#[test]
fn two_carriers_do_not_hand_a_letter_on_for_ever() {
    let county = Place::county();
    let time = clock();
    let [b, c] = ["白沙小学", "黑井小学"].map(|name| school_with_clock(&county, name, &time));
    let a = school_with_clock(&county, "云雾小学", &time);
    county_tells_all(&county, &b, &a);
    county_tells_all(&county, &c, &a);
    add_session(&a, "雪天里的第㙇次研课", "2026-12-30");
    let from = a.node.id();
    let first = tempfile::tempdir().unwrap();
    plug(&a, first.path());
    plug(&b, first.path());
    drop(a);
    let carried = |place: &Place| of(place, &from).len();
    assert_eq!((carried(&b), carried(&c)), (1, 0));
    let mut handed = 0;
    for day in (5..=200).step_by(5) {
        pass(&time, 5 * DAY);
        let stick = tempfile::tempdir().unwrap();
        let (giver, taker) = if day % 10 == 5 { (&b, &c) } else { (&c, &b) };
        let before = carried(taker);
        for place in [giver, taker, giver] {
            plug(place, stick.path());
        }
        handed += usize::from(carried(taker) > before);
        let on_stick = contains(stick.path(), &from.0);
        match day {
            ..60 => assert!(carried(giver) == 1 && carried(taker) == 1, "day {day}"),
            _ => assert!(
                carried(&b) == 0 && carried(&c) == 0 && !on_stick,
                "day {day}: it would go on for ever"
            ),
        }
    }
    assert_eq!(handed, 1);
}

/// The stick that it came on is a carrier too: old as it is, it is not taken from it again, and stays on it for whom it is for.
#[test]
fn an_old_letter_on_a_stick_is_not_taken_again() {
    let county = Place::county();
    let time = clock();
    let [a, b] = ["云雾小学", "白沙小学"].map(|name| school_with_clock(&county, name, &time));
    county_tells_all(&county, &b, &a);
    add_session(&a, "雪天里的第㙇次研课", "2026-12-30");
    let stick = tempfile::tempdir().unwrap();
    plug(&a, stick.path());
    // In a drawer: one step is believed up to thirty days, so that a wrong clock ends nothing at once.
    for days in [400, 25] {
        pass(&time, days * DAY);
        plug(&b, stick.path());
        assert_eq!(of(&b, &a.node.id()).len(), 1, "{days}");
    }
    assert!(contains(stick.path(), &a.node.id().0));
    pass(&time, 6 * DAY);
    plug(&b, stick.path());
    assert!(of(&b, &a.node.id()).is_empty());
    assert!(contains(stick.path(), &a.node.id().0));
    // Its maker has it still, and gives it again; an unreadable list of ages does no harm.
    std::fs::write(stick.path().join("研修U盘/在路上多久.txt"), [0xff; 900]).unwrap();
    plug(&a, stick.path());
    plug(&b, stick.path());
    assert_eq!(of(&b, &a.node.id()).len(), 1);
}

/// Written by a computer that believes in 2000, and taken along by one whose clock is right; and the other way round.
#[test]
fn a_stick_from_a_computer_of_2000_is_a_night_old() {
    let county = Place::county();
    let (wrong, right) = (Arc::new(AtomicI64::new(946_684_800_000)), clock());
    let a = school_with_clock(&county, "云雾小学", &wrong);
    let b = school_with_clock(&county, "白沙小学", &right);
    for (from, to) in [(&a, &b), (&b, &a)] {
        county_tells_all(&county, to, from);
        add_session(from, "雪天里的第㙇次研课", "2026-12-30");
        let stick = tempfile::tempdir().unwrap();
        plug(from, stick.path());
        for clock in [&wrong, &right] {
            pass(clock, 600);
        }
        plug(to, stick.path());
        let age = age_at(to, &from.node.id());
        let night = age::NIGHT + age::HOP;
        assert!((night..night + 60).contains(&age), "{age}");
    }
}

fn contains(dir: &Path, wanted: &[u8]) -> bool {
    std::fs::read_dir(dir).unwrap().flatten().any(|entry| {
        let path = entry.path();
        match path.is_dir() {
            true => contains(&path, wanted),
            false => {
                let bytes = std::fs::read(&path).unwrap();
                bytes.windows(wanted.len()).any(|part| part == wanted)
            }
        }
    })
}

/// A carrier whose clock is set back to 1970, goes on there, and is set right; and then a dead battery: 1970 each morning,
/// right from the first hour on.
#[test]
fn a_clock_that_jumps_prolongs_and_ends_nothing_beyond_a_bound() {
    let county = Place::county();
    let time = clock();
    let [a, b] = ["云雾小学", "白沙小学"].map(|name| school_with_clock(&county, name, &time));
    county_tells_all(&county, &b, &a);
    add_session(&a, "雪天里的第㙇次研课", "2026-12-30");
    let from = a.node.id();
    let stick = tempfile::tempdir().unwrap();
    plug(&a, stick.path());
    plug(&b, stick.path());
    let begun = age_at(&b, &from);
    assert!((age::HOP..age::HOP + 60).contains(&begun), "{begun}");
    let counts = |what: &str, age: i64, expected: i64| {
        assert!(
            (expected..expected + 60).contains(&(age - begun)),
            "{what}: {age}"
        );
    };
    pass(&time, 10 * DAY);
    counts("by a right clock", age_at(&b, &from), 10 * DAY);
    mail::prepare_all(&b.node, bundle::MAX).unwrap();
    time.store(0, Ordering::Relaxed);
    counts("set back", age_at(&b, &from), 10 * DAY);
    mail::prepare_all(&b.node, bundle::MAX).unwrap();
    pass(&time, 5 * DAY);
    counts("what 1970 says is not believed", age_at(&b, &from), 10 * DAY);
    mail::prepare_all(&b.node, bundle::MAX).unwrap();

    let (dir, up) = (b.node.dir().to_path_buf(), Arc::new(AtomicU64::new(0)));
    let start = || {
        let (time, up) = (time.clone(), up.clone());
        let around = node::Surroundings {
            clock: Arc::new(move || time.load(Ordering::Relaxed)),
            uptime: Arc::new(move || up.load(Ordering::Relaxed)),
            ..Default::default()
        };
        let again = node::Node::open_with(&dir, around).unwrap();
        let age = mail::age_of(&again, &mail::list(&again).unwrap()[0]).unwrap();
        (again, age)
    };
    let age_in = |node: &node::Node| mail::age_of(node, &mail::list(node).unwrap()[0]).unwrap();
    // Switched off and on again, in 1970; and at once ten times more, as commands are.
    time.store(0, Ordering::Relaxed);
    for _ in 0..11 {
        counts("one night", start().1, 10 * DAY + age::NIGHT);
    }
    // Set right: fifty years are not believed.
    let (again, _) = start();
    time.store(BEGIN + 16 * DAY * 1000, Ordering::Relaxed);
    counts("set right", age_in(&again), 10 * DAY + age::NIGHT);
    mail::prepare_all(&again, bundle::MAX).unwrap();
    drop(again);
    for day in 17..=36 {
        time.store(0, Ordering::Relaxed);
        let (again, _) = start();
        time.store(BEGIN + day * DAY * 1000, Ordering::Relaxed);
        for _ in 0..7 {
            pass(&time, 3_600);
            up.fetch_add(3_600_000, Ordering::Relaxed);
            mail::prepare_all(&again, bundle::MAX).unwrap();
        }
    }
    // Twelve hours of each night and seven of each day.
    let (again, age) = start();
    assert!((24 * DAY..31 * DAY).contains(&age), "{} days of 37", age / DAY);
    assert_eq!(mail::list(&again).unwrap().len(), 1, "it goes on");
}

/// Over a link the age travels as well, and half of the copies; nothing that is old is offered.
#[tokio::test(flavor = "multi_thread")]
async fn on_a_link_a_letter_says_its_age() {
    let county = Place::county();
    let time = clock();
    let [mut b, mut c] = ["白沙小学", "黑井小学"].map(|name| school_with_clock(&county, name, &time));
    let [a, old] = ["云雾小学", "石桥小学"].map(|name| school_with_clock(&county, name, &time));
    for sender in [&a, &old] {
        add_session(sender, "雪天里的第㙇次研课", "2026-12-30");
        for carrier in [&b, &c] {
            county_tells_all(&county, carrier, sender);
        }
        let sealed = bundle::make(&sender.node, &county.node.id(), bundle::MAX).unwrap();
        let days = if sender.node.id() == a.node.id() { 30 } else { 59 };
        let along = Along {
            age: days * DAY,
            copies: COPIES,
        };
        assert_eq!(
            mail::deliver_along(&b.node, &sealed[0].bytes, along).unwrap(),
            Delivered::Kept
        );
    }
    pass(&time, DAY);
    b.up().await;
    c.knows(&b);
    c.up().await;
    until("C carries it", 40, || of(&c, &a.node.id()).len() == 1).await;
    let age = age_at(&c, &a.node.id());
    let expected = 31 * DAY + 2 * age::HOP;
    assert!((expected..expected + 60).contains(&age), "{age}");
    let copies = |place: &Place| of(place, &a.node.id())[0].copies;
    assert_eq!((copies(&b), copies(&c)), (COPIES / 2, COPIES / 2));
    assert!(of(&c, &old.node.id()).is_empty(), "sixty days old");
    b.down().await;
    c.down().await;
}

/// Names of Chinese letters without sense, which nothing makes smaller.
fn letters(seed: u32, len: usize) -> String {
    noise(seed, len * 2)
        .chunks(2)
        .map(|two| char::from_u32(0x4e00 + u32::from(u16::from_le_bytes([two[0], two[1]])) % 20_000).unwrap())
        .collect()
}

/// The office has made what a new computer begins with, half a megabyte. The school of its area takes it along, and one that
/// has met its school, and the mentor who is sent there; another school does not, though it asked first.
#[tokio::test(flavor = "multi_thread")]
async fn what_fills_a_new_computer_goes_to_those_who_will_be_there() {
    let mut county = Place::county();
    let place_of = |name: &str, kind: &str, parent: &str| {
        let input = OrganisationInput {
            name: name.into(),
            org_kind: kind.into(),
            parent: parent.into(),
            ..OrganisationInput::default()
        };
        office::save_organisations(&county.node, &clerk(), vec![(None, input)]).unwrap();
        let all = office::organisations(&county.node).unwrap();
        all.into_iter().find(|o| o.name == name).unwrap().id
    };
    let area = place_of("青石片区", "area", "");
    let centre = place_of("县教师发展中心", "hub", "");
    let [far, sister, other] = [("青石小学", &area), ("石桥小学", &area), ("白沙小学", &centre)]
        .map(|(name, parent)| place_of(name, "primary_school", parent));
    let met_school = place_of("黑井小学", "primary_school", &centre);
    let many: Vec<_> = (0..2_000)
        .map(|n| {
            let input = OrganisationInput {
                name: letters(n * 2 + 1, 60),
                short_name: letters(n * 2 + 2, 30),
                org_kind: "agency".into(),
                ..OrganisationInput::default()
            };
            (None, input)
        })
        .collect();
    office::save_organisations(&county.node, &clerk(), many).unwrap();

    let mut old = Place::school(&county, &far, "青石小学 旧电脑");
    let new = Place::school(&county, &far, "青石小学 新电脑");
    let mut near = Place::school(&county, &sister, "石桥小学 电脑");
    let mut stranger = Place::school(&county, &other, "白沙小学 电脑");
    let mut met = Place::school(&county, &met_school, "黑井小学 电脑");
    let mut mentor = Place::device("陈老师 笔记本");
    mentor.enrol(
        &county,
        &[
            (Role::Mentor, format!("m1/{far}")),
            (Role::MentorReader, far.clone()),
        ],
    );
    // The school of 黑井 has met the computer that the new one comes after.
    old.up().await;
    met.knows(&old);
    met.up().await;
    until("they have met", 40, || {
        let peers = met.node.peers().unwrap();
        peers
            .iter()
            .any(|p| p.node == old.node.id() && p.in_sync_at.is_some())
    })
    .await;
    met.down().await;
    old.down().await;

    let kit = mail::prepare(&county.node, &new.node.id(), bundle::MAX).unwrap();
    let bytes: u64 = kit.iter().map(|item| item.bytes).sum();
    println!("a kit of {bytes} bytes");
    assert!(bytes > 256 * 1024, "{bytes}");
    let carries = |place: &Place| {
        let items = mail::list(&place.node).unwrap();
        items.iter().any(|item| item.to == new.node.id())
    };
    county.up().await;
    for place in [&mut stranger, &mut near, &mut met, &mut mentor] {
        place.knows(&county);
        place.up().await;
        until("it has met the county", 60, || {
            let peers = place.node.peers().unwrap();
            peers.iter().any(|p| p.in_sync_at.is_some())
        })
        .await;
    }
    for place in [&near, &met, &mentor] {
        until("who will be there has it", 60, || carries(place)).await;
    }
    assert!(!carries(&stranger), "it went to a school that has no reason");
    for mut place in [stranger, near, met, mentor] {
        place.down().await;
    }
    county.down().await;
}

/// A small letter for a county that nobody near has ever met: 4, 2 and 1 copies go to the first three, the fourth gets none,
/// and who has met the county gets it besides.
#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_has_a_reason_a_few_copies_go_out() {
    let mut county = Place::county();
    let time = clock();
    let mut a = school_with_clock(&county, "云雾小学", &time);
    let neighbours: Vec<Place> = ["白沙小学", "黑井小学", "石桥小学", "双河小学", "青石小学"]
        .iter()
        .map(|name| Place::school(&county, &add_school(&county, name), name))
        .collect();
    let [b, c, d, e, mut f] = <[Place; 5]>::try_from(neighbours).ok().unwrap();
    county.up().await;
    // A as well, so that it knows the whole roll: it was long ago.
    for place in [&mut a, &mut f] {
        place.knows(&county);
        place.up().await;
        until("it has met the county", 30, || {
            let peers = place.node.peers().unwrap();
            peers.iter().any(|p| p.in_sync_at.is_some())
        })
        .await;
        place.down().await;
    }
    county.down().await;
    pass(&time, 90 * DAY);

    add_session(&a, "雪天里的第㙇次研课", "2026-12-30");
    a.up().await;
    let from = a.node.id();
    let copies = |place: &Place| {
        of(place, &from)
            .iter()
            .map(|item| item.copies)
            .collect::<Vec<_>>()
    };
    let mut given = Vec::new();
    let mut last = None;
    for mut place in [b, c, d] {
        place.knows(&a);
        place.up().await;
        until("it carries the letter", 40, || !of(&place, &from).is_empty()).await;
        given.extend(copies(&place));
        place.down().await;
        last = Some(place);
    }
    assert_eq!(given, [4, 2, 1]);
    until("one copy stays", 10, || copies(&a) == [1]).await;
    let (mut e, mut d) = (e, last.unwrap());
    // E meets A, and D who has one copy: both wait for somebody with a reason.
    d.up().await;
    for giver in [&a, &d] {
        e.knows(giver);
    }
    e.up().await;
    until("E has met both", 40, || {
        let peers = e.node.peers().unwrap();
        let met: BTreeSet<_> = peers
            .iter()
            .filter(|p| p.in_sync_at.is_some())
            .map(|p| p.node)
            .collect();
        met.is_superset(&BTreeSet::from([a.node.id(), d.node.id()]))
    })
    .await;
    f.knows(&d);
    f.up().await;
    until("F takes it from D", 40, || of(&f, &from).len() == 1).await;
    assert!(of(&e, &from).is_empty(), "a copy more than there are");
    for mut place in [a, d, e, f] {
        place.down().await;
    }
}

/// A peer that asks as a program does, on one stream.
struct Asks {
    line: Lively,
    out: net::FrameWriter,
    inn: net::FrameReader,
}

impl Asks {
    async fn of(place: &Place, at: &Place) -> Asks {
        let line = Villain::of(place).live(at).await;
        let (out, inn) = line.link.open().await.unwrap();
        Asks { line, out, inn }
    }

    async fn ask(&mut self, errand: &Errand) -> Errand {
        self.out.write(&errand.encode()).await.unwrap();
        self.hears().await
    }

    async fn hears(&mut self) -> Errand {
        heard(&mut self.inn, SOON).await.unwrap()
    }

    async fn offered(&mut self, known: &[[u8; 8]]) -> Vec<Letter> {
        let list = Errand::MailList {
            known: known.to_vec(),
            meets: Vec::new(),
        };
        match self.ask(&list).await {
            Errand::Mail(letters) => letters,
            other => panic!("{other:?}"),
        }
    }

    fn fetch(letter: &Letter) -> Errand {
        Errand::Fetch(vec![Item {
            name: letter.blob,
            from: 0,
        }])
    }

    /// Fetches one to its end.
    async fn takes(&mut self, letter: &Letter) {
        let Errand::Blob { size, .. } = self.ask(&Asks::fetch(letter)).await else {
            panic!("not here")
        };
        for _ in 0..sync::blob::groups_of(size) {
            assert!(matches!(self.hears().await, Errand::Group(_)));
        }
    }
}

/// Copies are counted once for each who was handed them: not for a file that was not there, nor twice for one who lost it on
/// the way and asks again.
#[tokio::test(flavor = "multi_thread")]
async fn what_did_not_arrive_is_given_again_for_the_same_copies() {
    let county = Place::county();
    let time = clock();
    let [mut b, c, d] = ["白沙小学", "黑井小学", "石桥小学"].map(|n| school_with_clock(&county, n, &time));
    let a = school_with_clock(&county, "云雾小学", &time);
    for other in [&a, &c, &d] {
        county_tells_all(&county, &b, other);
    }
    add_session(&a, "雪天里的第㙇次研课", "2026-12-30");
    let sealed = bundle::make(&a.node, &county.node.id(), bundle::MAX).unwrap();
    let along = Along {
        age: 0,
        copies: COPIES,
    };
    mail::deliver_along(&b.node, &sealed[0].bytes, along).unwrap();
    b.up().await;
    let copies = |place: &Place| of(place, &a.node.id())[0].copies;

    let mut asks = Asks::of(&c, &b).await;
    let letters = asks.offered(&[]).await;
    let letter = letters[0];
    let said = |letters: &[Letter]| {
        letters
            .iter()
            .map(|l| l.along.unwrap().copies)
            .collect::<Vec<_>>()
    };
    assert_eq!(said(&letters), [4]);
    let file = b.node.dir().join("mail").join(format!("{}.yx", sealed[0].name));
    std::fs::rename(&file, file.with_extension("away")).unwrap();
    assert!(matches!(asks.ask(&Asks::fetch(&letter)).await, Errand::Absent(_)));
    std::fs::rename(file.with_extension("away"), &file).unwrap();
    // One errand of a stream is done after the other.
    assert_eq!(said(&asks.offered(&[]).await), [4]);
    assert_eq!(copies(&b), 8, "nothing went");

    for _ in 0..2 {
        asks.takes(&letter).await;
        assert_eq!(said(&asks.offered(&[]).await), [4]);
        assert_eq!(copies(&b), 4, "counted once");
        // Nothing was kept; on the next link it asks again.
        asks.line.link.close(0, "");
        asks = Asks::of(&c, &b).await;
        assert_eq!(said(&asks.offered(&[]).await), [4]);
    }
    let mut other = Asks::of(&d, &b).await;
    assert_eq!(said(&other.offered(&[]).await), [2], "of the four that are left");
    other.takes(&letter).await;
    assert_eq!(said(&other.offered(&[]).await), [2]);
    assert_eq!(copies(&b), 2);

    // It has said that it has it, and has let go of it since: it is not given what it does not want.
    let first = letter.name[..8].try_into().unwrap();
    assert!(asks.offered(&[first]).await.is_empty());
    assert!(asks.offered(&[]).await.is_empty());
    assert_eq!(copies(&b), 2);
    b.down().await;
}

/// Two schools are connected, and one of them then meets the school that a letter is for: the other hears of it on the same
/// link, and hands it over.
#[tokio::test(flavor = "multi_thread")]
async fn who_meets_somebody_new_says_so_on_a_link_that_stays() {
    let county = Place::county();
    let time = clock();
    let [mut far, mut b, mut c] =
        ["黑井小学", "白沙小学", "石桥小学"].map(|n| school_with_clock(&county, n, &time));
    for (who, of) in [(&b, &c), (&c, &far), (&far, &c), (&b, &far)] {
        county_tells_all(&county, who, of);
    }
    // The office's, one copy of it: B waits for somebody with a reason.
    let sealed = bundle::make(&county.node, &far.node.id(), bundle::MAX).unwrap();
    mail::deliver_along(&b.node, &sealed[0].bytes, Along::default()).unwrap();
    let in_sync = |place: &Place, with: &Place| {
        let peers = place.node.peers().unwrap();
        peers
            .iter()
            .any(|p| p.node == with.node.id() && p.in_sync_at.is_some())
    };
    b.up().await;
    c.knows(&b);
    c.up().await;
    until("B and C are connected", 40, || in_sync(&c, &b)).await;
    // Every answer to its first question has come by now.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(of(&c, &county.node.id()).is_empty(), "C has no reason yet");
    far.up().await;
    c.knows(&far);
    until("C carries it", 40, || of(&c, &county.node.id()).len() == 1).await;
    assert!(in_sync(&c, &far));
    for mut place in [far, b, c] {
        place.down().await;
    }
}
