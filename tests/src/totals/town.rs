//! A small county on simulated disks: devices that are apart, their meetings without a network, and a courier who
//! brings changes in any order.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::atomic::Ordering;

use node::{Manner, Node, NodeId, Role, Surroundings, Talk};
use store::outgoing::everything;
use sync::admission::Offered;
use sync::authority::may_read;
use sync::session::Event;
use sync::wire::{Frame, Piece};
use sync::{Change, DeviceKey};

use crate::Place;
use crate::sim::county::{Inside, MONDAY};
use crate::sim::disk::{Disk, Image};
use crate::sim::rng::Rng;
use crate::sim::vfs;
use crate::villain::Villain;

/// A device with a clock and randomness of its own.
pub struct Device {
    /// Its node.
    pub place: Place,
    /// Its name.
    pub name: String,
    around: Surroundings,
    inside: Inside,
    wrong: i64,
}

impl Device {
    /// A device that is not enrolled; `county` founds one.
    pub fn new(name: &str, county: bool, rng: &mut Rng) -> Device {
        let mut seed = [0; 32];
        rng.fill(&mut seed);
        vfs::mount(name, Disk::of(&Image::new()));
        let inside = Inside::new(rng.fork());
        let around = inside.surroundings(&seed, name);
        let made = match county {
            true => Node::init_county_with(Path::new(name), "云岭县", around.clone()),
            false => Node::init_member_with(Path::new(name), name, around.clone()),
        };
        Device {
            place: Place::simulated(made.expect("a device")),
            name: name.to_owned(),
            around,
            inside,
            // Clocks decide nothing; with wrong ones the ids of records follow no order of acts.
            wrong: rng.range(0, 20 * 86_400_000) as i64 - 10 * 86_400_000,
        }
    }

    /// The same, enrolled by file.
    pub fn enrolled(name: &str, county: &Device, grants: &[(Role, String)], rng: &mut Rng) -> Device {
        let device = Device::new(name, false, rng);
        device.place.enrol(&county.place, grants);
        device
    }

    /// The node.
    pub fn node(&self) -> &Node {
        &self.place.node
    }

    /// Sets the clock to so many minutes after the beginning, by its own reckoning.
    pub fn tick(&self, minutes: u64) {
        let shown = MONDAY + self.wrong + minutes as i64 * 60_000;
        self.inside.clock.store(shown, Ordering::Relaxed);
        self.inside.uptime.store(minutes * 60_000, Ordering::Relaxed);
    }

    /// Switched off and on: everything in memory is gone.
    pub fn restart(self) -> Device {
        let Device {
            place,
            name,
            around,
            inside,
            wrong,
        } = self;
        drop(place);
        let node = Node::open_with(Path::new(&name), around.clone()).expect("it opens");
        Device {
            place: Place::simulated(node),
            name,
            around,
            inside,
            wrong,
        }
    }
}

fn manner(dialled: bool) -> Manner {
    Manner {
        dialled: dialled.then(|| "127.0.0.1:4433".to_owned()),
        keep_open: false,
    }
}

/// Two devices meet: the sessions of running nodes, frame by frame, without a network.
pub fn meet(a: &Device, b: &Device) {
    let talk = |here: &Device, there: &Device, dialled| {
        let talk = Talk::new(here.node().clone(), there.node().id(), manner(dialled));
        talk.expect("a conversation")
    };
    let mut sides = [talk(a, b, true), talk(b, a, false)];
    let mut here = [true; 2];
    let mut equal = false;
    let mut queue = VecDeque::from([(0, Event::Started), (1, Event::Started)]);
    while let Some((at, event)) = queue.pop_front() {
        if !here[at] {
            continue;
        }
        let step = sides[at].step(event).expect("a step");
        assert!(!step.refused && !step.broke, "{} and {}", a.name, b.name);
        equal |= step.in_sync;
        queue.extend(step.frames.into_iter().map(|frame| (1 - at, Event::Frame(frame))));
        here[at] = !step.close && !step.leave;
    }
    assert!(equal, "{} and {} part without being equal", a.name, b.name);
    for side in [a, b] {
        side.node().refresh_views().expect("views");
    }
}

/// Every change that any of these devices holds, with its author's signature.
pub fn all_changes(devices: &[&Device]) -> Vec<Offered> {
    let mut all: BTreeMap<(String, [u8; 32]), Offered> = BTreeMap::new();
    for device in devices {
        for offered in device.node().read(everything).expect("changes") {
            let hash = Change::from_body(offered.body.clone())
                .expect("a change")
                .header
                .hash;
            let known = all.entry((offered.document.to_string(), hash));
            let known = known.or_insert_with(|| offered.clone());
            known.tip = known.tip.or(offered.tip);
        }
    }
    let all: Vec<Offered> = all.into_values().collect();
    assert!(
        all.iter().all(|offered| offered.tip.is_some()),
        "its author signed each"
    );
    all
}

/// A device of the county that carries changes about and writes none.
pub struct Courier(DeviceKey);

impl Courier {
    /// Enrolled by file.
    pub fn new(county: &Device, rng: &mut Rng) -> Courier {
        let mut seed = [0; 32];
        rng.fill(&mut seed);
        let key = DeviceKey::from_seed(seed);
        let grants = [(Role::County, String::new())];
        node::enrol::approve(county.node(), &key.id(), "县里 信使", &grants).expect("approved");
        Courier(key)
    }

    fn id(&self) -> NodeId {
        self.0.id()
    }

    /// Brings a device the changes that it may read: some of them twice or more, in an order and in pieces of the
    /// rng's choosing, over several visits, between which the device shows what it has, or is switched off.
    pub fn bring(&self, county: &Device, mut to: Device, all: &[Offered], rng: &mut Rng) -> Device {
        let roll = county.node().roll();
        let policy = node::document_policy();
        let reader = to.node().id();
        let mut changes: Vec<&Offered> = all
            .iter()
            .filter(|offered| may_read(&policy, &roll, &reader, &offered.document))
            .collect();
        let again: Vec<&Offered> = changes.iter().copied().filter(|_| rng.permille(250)).collect();
        changes.extend(again);
        order(&mut changes, rng);
        let carrier = Villain::holding(self.0.clone(), &county.place);
        let mut rest = &changes[..];
        while !rest.is_empty() {
            let mut talk = Talk::new(to.node().clone(), self.id(), manner(false)).expect("a conversation");
            let mut tell = |event: Event| {
                let step = talk.step(event).expect("a step");
                assert!(!step.refused && !step.broke && !step.close, "{}", to.name);
            };
            tell(Event::Started);
            for frame in carrier.greeting() {
                tell(Event::Frame(frame.encode()));
            }
            for _ in 0..rng.range(1, 12) {
                let most = if rng.permille(700) { 8 } else { 80 };
                let (piece, later) = rest.split_at(rng.range(1, most).min(rest.len() as u64) as usize);
                rest = later;
                let changes = piece.iter().map(|offered| (*offered).clone()).collect();
                tell(Event::Frame(Frame::Piece(Piece { upto: None, changes }).encode()));
                if rng.permille(200) {
                    to.node().refresh_views().expect("views");
                }
            }
            drop(talk);
            if rng.permille(100) {
                to = to.restart();
            }
        }
        to.node().refresh_views().expect("views");
        to
    }
}

/// An order in which changes may arrive.
fn order(changes: &mut [&Offered], rng: &mut Rng) {
    match rng.below(4) {
        // The last first.
        0 => changes.reverse(),
        // Document by document, the documents in any order, as a stick that was filled several times.
        1 => {
            rng.shuffle(changes);
            let mut documents: Vec<&str> = changes.iter().map(|offered| offered.document.as_str()).collect();
            documents.sort_unstable();
            documents.dedup();
            rng.shuffle(&mut documents);
            changes.sort_by_key(|offered| documents.iter().position(|d| *d == offered.document.as_str()));
        }
        _ => rng.shuffle(changes),
    }
}
