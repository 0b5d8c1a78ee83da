//! The world: machines, the connections between them, and a queue of what happens when.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::rc::Rc;
use std::sync::atomic::Ordering;

use node::{Error, LINGER, Manner, Node, NodeId, Talk};
use sha2::{Digest, Sha256};
use sync::session::Event;
use tokio::sync::watch;

use super::config::Config;
use super::county::{County, Device, Inside, MONDAY, Post, county};
use super::disk::{Disk, Image, Losses, Shared};
use super::rng::Rng;
use super::trouble::Trouble;
use super::vfs;

/// A change that a person was told is saved: document and hash.
pub type Saved = (String, [u8; 32]);

/// A computer.
pub struct Machine {
    /// Its name, which is its directory.
    pub name: String,
    /// What it is for.
    pub post: Post,
    /// Its key's seed.
    pub seed: [u8; 32],
    /// Its key.
    pub id: NodeId,
    /// What tells its disk from a copy.
    pub identity: String,
    /// Its disk.
    pub disk: Shared,
    /// Its clock and randomness.
    pub inside: Inside,
    /// How wrong its clock is, milliseconds.
    pub wrong: i64,
    /// The running node.
    pub node: Option<Node>,
    /// Its conversations: connection and side, by peer.
    pub talks: BTreeMap<NodeId, (u64, usize)>,
    /// What people here were told is saved, in order.
    pub saved: Vec<Saved>,
    /// Copies of the disk.
    pub backups: Vec<Image>,
    /// A device that is not enrolled yet will be of this school.
    pub newcomer: Option<usize>,
    pub(super) looked_at: u64,
    arrivals: Option<watch::Receiver<u64>>,
    views_due: bool,
    pub(super) failed_reads: u64,
}

impl Machine {
    /// Whether this is a PC of the school.
    pub fn is_of(&self, school: usize) -> bool {
        self.post == Post::School(school)
    }
}

struct Side {
    machine: usize,
    begun: bool,
    talk: Option<Talk>,
    changed: Option<watch::Receiver<u64>>,
    roll: Option<watch::Receiver<u64>>,
    news_due: bool,
    /// Its line is busy until.
    busy: u64,
    /// The last frame to the other side arrives.
    last: u64,
}

struct Conn {
    sides: [Side; 2],
    stay: bool,
    delay: u64,
    rate: u64,
    cut: Option<u64>,
    /// The first flight, kept for a repetition.
    flight: Vec<Vec<u8>>,
    repeated: bool,
}

/// What happens.
pub enum What {
    /// A person does something at a machine.
    Use(usize),
    /// One machine dials another.
    Dial(usize, usize),
    /// A frame reaches a side of a connection.
    Frame(u64, usize, Vec<u8>),
    /// A side learns that its connection is gone.
    Lost(u64, usize),
    /// A side has waited long enough for the other one to hang up.
    Leave(u64, usize),
    /// A side has something of its own to say.
    News(u64, usize),
    /// Views are brought up to date.
    Views(usize),
    /// A machine starts again.
    Start(usize),
    /// The first flight of a connection comes once more.
    Repeat(usize, usize, Vec<Vec<u8>>),
    /// A fault.
    Trouble(Trouble),
    /// The laws are checked.
    Laws,
}

/// How often what was met.
pub type Counts = BTreeMap<&'static str, u64>;

/// The world.
pub struct World {
    /// What it was drawn from.
    pub seed: u64,
    /// What was drawn.
    pub config: Config,
    /// Milliseconds since Monday.
    pub now: u64,
    /// Its random numbers.
    pub rng: Rng,
    /// All machines there ever were.
    pub machines: Vec<Machine>,
    /// The county on Monday.
    pub county: Rc<County>,
    /// What was met, by name.
    pub counts: Counts,
    /// What power cuts did to unsynced writes.
    pub losses: Losses,
    /// All changes that anybody was ever told are saved, with the machine.
    pub ever_saved: BTreeMap<Saved, usize>,
    /// Which machine made a record, and with which change.
    pub made_by: BTreeMap<String, (usize, Saved)>,
    /// Saved changes that were lost with the only disk that held them.
    pub lost: BTreeSet<Saved>,
    /// Devices that contradict themselves, through no fault of the program.
    pub twins: BTreeSet<NodeId>,
    /// Devices that were set back and could not tell by themselves.
    pub set_back: BTreeSet<NodeId>,
    /// Devices that the county has put out.
    pub put_out: BTreeSet<NodeId>,
    /// Faults are over.
    pub calm: bool,
    /// The first law that was broken.
    pub broken: Option<String>,
    pub(super) disks: usize,
    queue: BTreeMap<(u64, u64), What>,
    number: u64,
    conns: BTreeMap<u64, Conn>,
    trace: Sha256,
    /// Events in the trace.
    pub events: u64,
}

/// After so many milliseconds of silence a dead connection is noticed.
const SILENCE: u64 = 120_000;

/// A peer that never says a word is given up.
const MUTE: u64 = 60_000;

impl World {
    /// The county of a seed on Monday morning.
    pub fn new(seed: u64, config: Config, mut rng: Rng) -> World {
        let county = county();
        vfs::begin(seed);
        let mut world = World {
            seed,
            now: 0,
            machines: Vec::new(),
            counts: Counts::new(),
            losses: Losses::default(),
            ever_saved: BTreeMap::new(),
            made_by: BTreeMap::new(),
            lost: BTreeSet::new(),
            twins: BTreeSet::new(),
            set_back: BTreeSet::new(),
            put_out: BTreeSet::new(),
            calm: false,
            broken: None,
            disks: 0,
            queue: BTreeMap::new(),
            number: 0,
            conns: BTreeMap::new(),
            trace: Sha256::new(),
            events: 0,
            rng: rng.fork(),
            county: county.clone(),
            config,
        };
        let second = 1 + super::config::SCHOOLS;
        let unused = second + world.config.second_pcs..second + super::config::SECOND_PCS;
        for (i, device) in county.devices.iter().enumerate() {
            if !unused.contains(&i) {
                world.add(device.clone(), None);
            }
        }
        world
    }

    /// Sets up a machine and starts it.
    pub fn add(&mut self, device: Device, wrong: Option<i64>) -> usize {
        let m = self.machines.len();
        let name = format!("m{m}");
        let disk = Disk::of(&device.image);
        vfs::mount(&name, disk.clone());
        let key = sync::DeviceKey::from_seed(device.seed);
        let inside = Inside::new(self.rng.fork());
        let wrong = wrong.unwrap_or_else(|| match self.rng.permille(self.config.wrong_clocks) {
            true => super::trouble::wrong_clock(&mut self.rng, self.now),
            false => 0,
        });
        self.machines.push(Machine {
            name,
            post: device.post,
            seed: device.seed,
            id: key.id(),
            identity: device.identity,
            disk,
            inside,
            wrong,
            node: None,
            talks: BTreeMap::new(),
            saved: Vec::new(),
            backups: vec![device.image],
            newcomer: None,
            looked_at: 0,
            arrivals: None,
            views_due: false,
            failed_reads: 0,
        });
        self.start(m);
        m
    }

    /// Puts something into the queue.
    pub fn at(&mut self, time: u64, what: What) {
        self.number += 1;
        self.queue.insert((time, self.number), what);
    }

    /// After so many milliseconds.
    pub fn after(&mut self, wait: u64, what: What) {
        self.at(self.now + wait, what);
    }

    /// Counts something.
    pub fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    /// Breaks a law.
    pub fn break_law(&mut self, what: String) {
        if self.broken.is_none() {
            self.broken = Some(format!("at {} ms: {what}", self.now));
        }
    }

    /// Writes an event into the trace.
    pub fn note(&mut self, tag: u8, from: usize, to: usize, bytes: &[u8]) {
        self.events += 1;
        self.trace.update(self.now.to_le_bytes());
        self.trace.update([tag, from as u8, to as u8]);
        self.trace.update((bytes.len() as u64).to_le_bytes());
        self.trace.update(bytes);
        if std::env::var_os("YANXIU_SIM_TRACE").is_some() {
            let hash = Sha256::digest(bytes);
            println!(
                "{:>12} {} {from:>2} {to:>2} {:>6} {:02x?}",
                self.now,
                tag as char,
                bytes.len(),
                &hash[..4]
            );
        }
    }

    /// The digest of the trace so far.
    pub fn digest(&self) -> [u8; 32] {
        self.trace.clone().finalize().into()
    }

    /// Runs until the queue is empty, time is up or a law is broken.
    pub fn run(&mut self, until: u64) {
        while self.broken.is_none() {
            let Some(entry) = self.queue.first_entry() else {
                break;
            };
            if entry.key().0 > until {
                break;
            }
            let ((time, _), what) = entry.remove_entry();
            self.now = time;
            self.happen(what);
        }
    }

    /// Forgets what people, faults and chance would still do; what is under way goes on.
    pub fn forget_plans(&mut self) {
        self.queue.retain(|_, what| {
            matches!(
                what,
                What::Frame(..) | What::Lost(..) | What::Leave(..) | What::News(..) | What::Views(_)
            )
        });
    }

    /// Sets a machine's clock; call it before its node does anything.
    pub fn tick(&self, m: usize) {
        let machine = &self.machines[m];
        let shown = MONDAY + self.now as i64 + machine.wrong;
        machine.inside.clock.store(shown, Ordering::Relaxed);
        machine.inside.uptime.store(self.now, Ordering::Relaxed);
    }

    fn happen(&mut self, what: What) {
        match what {
            What::Use(m) => self.use_machine(m),
            What::Dial(a, b) => self.dial(a, b),
            What::Frame(conn, side, frame) => self.arrive(conn, side, frame),
            What::Lost(conn, side) => self.end(conn, side),
            What::Leave(conn, side) => {
                let talk = self.conns.get(&conn).and_then(|c| c.sides[side].talk.as_ref());
                if talk.is_some_and(Talk::may_leave) {
                    self.hang_up(conn, side);
                }
            }
            What::News(conn, side) => self.news(conn, side),
            What::Views(m) => self.views(m),
            What::Start(m) => self.start(m),
            What::Repeat(a, b, flight) => self.repeat(a, b, flight),
            What::Trouble(trouble) => self.trouble(trouble),
            What::Laws => self.laws(),
        }
    }

    /// Starts a machine that stands still.
    pub fn start(&mut self, m: usize) {
        if self.machines[m].node.is_some() {
            return;
        }
        self.tick(m);
        let machine = &self.machines[m];
        let around = machine.inside.surroundings(&machine.seed, &machine.identity);
        match Node::open_with(Path::new(&machine.name), around) {
            Ok(node) => {
                let machine = &mut self.machines[m];
                machine.arrivals = Some(node.watch_arrivals());
                machine.views_due = false;
                machine.node = Some(node);
                self.look(m);
                self.law_of_saved(m);
            }
            Err(error) => {
                self.excuse(m, "start", &error);
                if self.machines[m].disk.borrow().dead {
                    self.power_cut(m);
                }
                self.after(60_000, What::Start(m));
            }
        }
    }

    /// Stops a node; its disk keeps what it is told to keep before.
    pub fn stop(&mut self, m: usize) {
        let talks: Vec<(u64, usize)> = std::mem::take(&mut self.machines[m].talks)
            .into_values()
            .collect();
        for (conn, side) in talks {
            self.end(conn, side);
            let wait = self.rng.range(1, SILENCE);
            self.after(wait, What::Lost(conn, 1 - side));
        }
        // Overlapping conversations are not in the list.
        for conn in self.conns.values_mut() {
            for side in conn.sides.iter_mut().filter(|s| s.machine == m) {
                side.talk = None;
            }
        }
        self.machines[m].node = None;
        self.machines[m].arrivals = None;
    }

    /// The power fails: the node is gone, of unsynced writes something is left.
    pub fn power_cut(&mut self, m: usize) {
        self.machines[m].disk.borrow_mut().dead = true;
        self.stop(m);
        let disk = self.machines[m].disk.clone();
        disk.borrow_mut().power_cut(&mut self.rng, &mut self.losses);
    }

    /// After a node did something: did its machine die, has it news for its peers, do its views lag?
    pub fn after_work(&mut self, m: usize) {
        if self.machines[m].disk.borrow().dead {
            self.note(b'!', m, m, &[]);
            self.power_cut(m);
            let wait = self.rng.range(1_000, 3_600_000);
            return self.after(wait, What::Start(m));
        }
        let talks: Vec<(u64, usize)> = self.machines[m].talks.values().copied().collect();
        for (conn, at) in talks {
            let Some(side) = self.conns.get_mut(&conn).map(|c| &mut c.sides[at]) else {
                continue;
            };
            let moved = |w: &Option<watch::Receiver<u64>>| {
                w.as_ref().is_some_and(|w| w.has_changed().unwrap_or(false))
            };
            if !side.news_due && (moved(&side.changed) || moved(&side.roll)) {
                side.news_due = true;
                let wait = self.rng.below(20);
                self.after(wait, What::News(conn, at));
            }
        }
        let machine = &mut self.machines[m];
        let arrived = machine
            .arrivals
            .as_ref()
            .is_some_and(|a| a.has_changed().unwrap_or(false));
        if arrived && !machine.views_due {
            machine.views_due = true;
            let wait = match self.config.faults.slow_views && !self.calm {
                true => self.rng.range(40, 7_200_000),
                false => 40,
            };
            self.after(wait, What::Views(m));
        }
    }

    /// Whether a machine's disk gives its node a reason to fail.
    pub fn may_fail(&self, m: usize) -> bool {
        let disk = self.machines[m].disk.borrow();
        disk.dead || disk.room.is_some() || disk.failed_reads > self.machines[m].failed_reads
    }

    /// An error is a fault of the product unless the disk has just been made to fail.
    pub fn excuse(&mut self, m: usize, doing: &str, error: &Error) {
        let excused = self.may_fail(m);
        let failed = self.machines[m].disk.borrow().failed_reads;
        self.machines[m].failed_reads = failed;
        self.count("errors after disk faults");
        if !excused {
            self.break_law(format!("machine {m}, {doing}: {error} ({error:?})"));
        }
    }

    fn views(&mut self, m: usize) {
        self.machines[m].views_due = false;
        self.tick(m);
        if let Some(arrivals) = &mut self.machines[m].arrivals {
            arrivals.mark_unchanged();
        }
        let Some(node) = self.machines[m].node.clone() else {
            return;
        };
        if let Err(error) = node.refresh_views() {
            self.excuse(m, "views", &error);
            // The next arrival brings them up to date, or the next start.
            self.machines[m].views_due = true;
            self.after(60_000, What::Views(m));
        }
        drop(node);
        self.after_work(m);
    }

    fn dial(&mut self, a: usize, b: usize) {
        let (from, to) = (&self.machines[a], &self.machines[b]);
        let (Some(node), peer) = (&from.node, to.id) else {
            return;
        };
        if to.node.is_none() || peer == from.id || from.talks.contains_key(&peer) {
            return;
        }
        let node = node.clone();
        let links = self.config.links.clone();
        let near = matches!((from.post, to.post), (Post::School(x), Post::School(y)) if x == y);
        self.count("contacts");
        let stay = !self.calm && self.rng.permille(self.config.stay);
        let cut = (!self.calm && self.rng.permille(links.cuts)).then(|| {
            let most = links.delay * 8 + 4_000_000 / links.rate;
            self.now + self.rng.below(most)
        });
        let (delay, rate) = match near || self.calm {
            true => (5, 1_000_000),
            false => (links.delay, links.rate),
        };
        if cut.is_some() {
            self.count("links cut");
        }
        let side = |machine| Side {
            machine,
            begun: false,
            talk: None,
            changed: None,
            roll: None,
            news_due: false,
            busy: 0,
            last: 0,
        };
        self.number += 1;
        let conn = self.number;
        self.conns.insert(
            conn,
            Conn {
                sides: [side(a), side(b)],
                stay,
                delay,
                rate,
                cut,
                flight: Vec::new(),
                repeated: false,
            },
        );
        if let Some(cut) = cut {
            for side in 0..2 {
                let wait = self.rng.below(SILENCE);
                self.at(cut + wait, What::Lost(conn, side));
            }
        } else if stay {
            let until = self.now + self.rng.wait(4 * 3_600_000) + 1_000;
            for side in 0..2 {
                let wait = self.rng.below(SILENCE);
                self.at(until + wait, What::Lost(conn, side));
            }
        }
        self.begin(conn, 0, node);
    }

    /// A side enters the conversation; one that another connection of the same two holds gives way.
    fn begin(&mut self, conn: u64, at: usize, node: Node) {
        let Some(c) = self.conns.get_mut(&conn) else {
            return;
        };
        let (m, other) = (c.sides[at].machine, c.sides[1 - at].machine);
        c.sides[at].begun = true;
        let peer = self.machines[other].id;
        let manner = Manner {
            dialled: (at == 0).then(|| format!("m{other}:4433")),
            keep_open: c.stay,
        };
        self.tick(m);
        if let Some((old, side)) = self.machines[m].talks.insert(peer, (conn, at)) {
            self.count("connections replaced");
            match self.rng.permille(self.config.links.overlaps) && !self.calm {
                true => {
                    let wait = self.rng.below(5_000);
                    self.after(wait, What::Lost(old, side));
                }
                false => self.end(old, side),
            }
            let wait = self.rng.range(1, 5_000);
            self.after(wait, What::Lost(old, 1 - side));
        }
        let (changed, roll) = (node.watch(), node.watch_roll());
        match Talk::new(node, peer, manner) {
            Ok(talk) => {
                let Some(c) = self.conns.get_mut(&conn) else {
                    return;
                };
                c.sides[at].talk = Some(talk);
                c.sides[at].changed = Some(changed);
                c.sides[at].roll = Some(roll);
                self.feed(conn, at, Event::Started);
            }
            Err(error) => {
                self.excuse(m, "begin", &error);
                self.hang_up(conn, at);
                self.after_work(m);
            }
        }
    }

    fn arrive(&mut self, conn: u64, at: usize, frame: Vec<u8>) {
        let Some(c) = self.conns.get(&conn) else {
            return self.count("frames too late");
        };
        let (m, from) = (c.sides[at].machine, c.sides[1 - at].machine);
        if !c.sides[at].begun {
            let Some(node) = self.machines[m].node.clone() else {
                // The machine went down since it was dialled; the caller hears nothing more.
                self.end(conn, at);
                let wait = self.rng.range(1, SILENCE);
                return self.after(wait, What::Lost(conn, 1 - at));
            };
            self.begin(conn, at, node);
        }
        if self.conns.get(&conn).is_none_or(|c| c.sides[at].talk.is_none()) {
            return self.count("frames too late");
        }
        self.note(b'f', from, m, &frame);
        self.count("frames");
        *self.counts.entry("bytes").or_default() += frame.len() as u64;
        self.feed(conn, at, Event::Frame(frame));
    }

    fn news(&mut self, conn: u64, at: usize) {
        let Some(side) = self.conns.get_mut(&conn).map(|c| &mut c.sides[at]) else {
            return;
        };
        side.news_due = false;
        let Some(talk) = &mut side.talk else { return };
        // The order in which a running node looks.
        let take = |w: &mut Option<watch::Receiver<u64>>| {
            w.as_mut().is_some_and(|w| {
                let moved = w.has_changed().unwrap_or(false);
                w.mark_unchanged();
                moved
            })
        };
        let event = if take(&mut side.roll) {
            talk.roll_event()
        } else if take(&mut side.changed) {
            Event::Committed
        } else {
            return;
        };
        self.feed(conn, at, event);
    }

    fn feed(&mut self, conn: u64, at: usize, event: Event) {
        let Some(side) = self.conns.get_mut(&conn).map(|c| &mut c.sides[at]) else {
            return;
        };
        let m = side.machine;
        let Some(mut talk) = side.talk.take() else { return };
        self.tick(m);
        match talk.step(event) {
            Ok(step) => {
                if step.in_sync {
                    self.count("times in sync");
                }
                if step.refused {
                    self.count("refusals");
                }
                for frame in step.frames {
                    self.send(conn, at, frame);
                }
                if step.close || step.leave {
                    drop(talk);
                    self.hang_up(conn, at);
                } else if let Some(c) = self.conns.get_mut(&conn) {
                    let may_leave = talk.may_leave();
                    c.sides[at].talk = Some(talk);
                    if may_leave {
                        self.after(LINGER.as_millis() as u64, What::Leave(conn, at));
                    }
                }
            }
            Err(error) => {
                drop(talk);
                self.excuse(m, "conversation", &error);
                self.hang_up(conn, at);
            }
        }
        self.after_work(m);
    }

    /// Puts a frame on the line: in order, at the line's rate, waiting while a loss is repaired; never if the
    /// link is cut before it has arrived.
    fn send(&mut self, conn: u64, at: usize, frame: Vec<u8>) {
        let links = &self.config.links;
        let mut wait = match self.calm {
            true => 0,
            false => self.rng.below(links.jitter + 1),
        };
        if !self.calm && self.rng.permille(links.bursts) {
            wait += links.burst;
            self.count("losses repaired");
        }
        let (now, repeats) = (self.now, self.config.links.repeats);
        let Some(c) = self.conns.get_mut(&conn) else {
            return;
        };
        let (a, b) = (c.sides[0].machine, c.sides[1].machine);
        if at == 0 && !c.sides[1].begun && c.flight.len() < 8 {
            c.flight.push(frame.clone());
        }
        let repeat = at == 0 && !self.calm && !c.repeated && !c.flight.is_empty() && {
            c.repeated = true;
            self.rng.permille(repeats)
        };
        let flight = if repeat { c.flight.clone() } else { Vec::new() };
        let side = &mut c.sides[at];
        side.busy = side.busy.max(now) + (frame.len() as u64 + 60) * 1_000 / c.rate;
        side.last = side.last.max(side.busy + c.delay + wait);
        let arrives = side.last;
        let cut = c.cut.is_some_and(|cut| arrives > cut);
        if repeat {
            let wait = self.rng.wait(1_800_000);
            self.at(arrives + wait, What::Repeat(a, b, flight));
        }
        match cut {
            true => self.count("frames cut off"),
            false => self.at(arrives, What::Frame(conn, 1 - at, frame)),
        }
    }

    /// Somebody sends a first flight again: the other side answers into the void.
    fn repeat(&mut self, a: usize, b: usize, flight: Vec<Vec<u8>>) {
        if self.machines[b].node.is_none() {
            return;
        }
        self.count("first flights repeated");
        let side = |machine, begun| Side {
            machine,
            begun,
            talk: None,
            changed: None,
            roll: None,
            news_due: false,
            busy: 0,
            last: 0,
        };
        self.number += 1;
        let conn = self.number;
        self.conns.insert(
            conn,
            Conn {
                sides: [side(a, true), side(b, false)],
                stay: true,
                delay: 100,
                rate: 50_000,
                cut: None,
                flight: Vec::new(),
                repeated: true,
            },
        );
        for frame in flight {
            self.after(100, What::Frame(conn, 1, frame));
        }
        self.after(MUTE, What::Lost(conn, 1));
        self.after(MUTE + 1, What::Lost(conn, 0));
    }

    /// Two machines that still talk though neither wishes to stay.
    pub(super) fn lingering(&self) -> Option<(usize, usize)> {
        let talks = |c: &Conn| c.sides.iter().any(|s| s.talk.is_some());
        let c = self.conns.values().find(|c| !c.stay && talks(c))?;
        Some((c.sides[0].machine, c.sides[1].machine))
    }

    /// Ends a side; the other learns it behind the last frame.
    fn hang_up(&mut self, conn: u64, at: usize) {
        let Some(c) = self.conns.get(&conn) else { return };
        let learns = c.sides[at].last.max(self.now + c.delay) + 1;
        let learns = match c.cut.is_some_and(|cut| learns > cut) {
            true => learns + SILENCE,
            false => learns,
        };
        self.at(learns, What::Lost(conn, 1 - at));
        self.end(conn, at);
    }

    /// A side is over.
    pub fn end(&mut self, conn: u64, at: usize) {
        let Some(c) = self.conns.get_mut(&conn) else {
            return;
        };
        c.sides[at].talk = None;
        c.sides[at].begun = true;
        let (m, other) = (c.sides[at].machine, c.sides[1 - at].machine);
        if c.sides.iter().all(|s| s.begun && s.talk.is_none()) {
            self.conns.remove(&conn);
        }
        let peer = self.machines[other].id;
        if self.machines[m].talks.get(&peer) == Some(&(conn, at)) {
            self.machines[m].talks.remove(&peer);
        }
    }
}
