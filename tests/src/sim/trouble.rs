//! Faults: power, disks, clocks, backups, clones, revocations, and new devices.

use node::{Node, Role, enrol};
use sha2::{Digest, Sha256};

use super::config::{DAY, SCHOOLS};
use super::county::{Device, MONDAY, Post, mentor_grants};
use super::disk::Image;
use super::rng::Rng;
use super::world::{What, World};

/// A fault, or something that is none and happens as rarely.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trouble {
    /// Power cut.
    PowerCut,
    /// Power cut in the middle of a write to come.
    PowerCutInWrite,
    /// The process ends without a word.
    Kill,
    /// A disk fills up.
    FullDisk,
    /// A disk has room again.
    Room(usize),
    /// A read to come fails.
    BadRead,
    /// A clock jumps.
    Clock,
    /// A copy of a disk is put aside.
    Backup,
    /// A backup is put back.
    Restore,
    /// A directory is copied to another PC.
    Clone,
    /// A machine is set back as a whole and cannot tell.
    SetBack,
    /// A machine's earlier state goes on beside it, and neither can tell.
    Twin,
    /// A device is put out.
    Revoke,
    /// A new device wants in.
    Enrol,
    /// It goes on with that.
    Enrolling(usize),
    /// A mentor gets another school.
    Move,
    /// A school takes in a table of many records: no fault, but much to send.
    Import,
}

/// How wrong a clock is that lost its battery or was set by hand.
pub fn wrong_clock(rng: &mut Rng, now: u64) -> i64 {
    let right = MONDAY + now as i64;
    match rng.below(5) {
        // Back in 1970, a little later each time it starts.
        0 => -right + rng.below(DAY) as i64,
        // 2035.
        1 => 2_051_222_400_000 - right,
        // Before 1970.
        2 => -right - rng.below(DAY) as i64,
        3 => -(rng.below(40 * DAY) as i64),
        _ => rng.below(40 * DAY) as i64,
    }
}

impl World {
    /// Spreads the faults of the week.
    pub fn plan_troubles(&mut self) {
        let f = self.config.faults.clone();
        let backups = if f.restores + f.set_backs > 0 { 8 } else { 0 };
        let plan = [
            (f.power_cuts, Trouble::PowerCut),
            (f.power_cuts_in_writes, Trouble::PowerCutInWrite),
            (f.kills, Trouble::Kill),
            (f.full_disks, Trouble::FullDisk),
            (f.bad_reads, Trouble::BadRead),
            (f.clock_jumps, Trouble::Clock),
            (f.restores, Trouble::Restore),
            (backups, Trouble::Backup),
            (f.clones, Trouble::Clone),
            (f.set_backs, Trouble::SetBack),
            (f.twins, Trouble::Twin),
            (self.config.imports, Trouble::Import),
            (f.revocations, Trouble::Revoke),
            (f.enrolments, Trouble::Enrol),
            (f.moves, Trouble::Move),
        ];
        for (count, trouble) in plan {
            for _ in 0..count {
                let time = self.rng.below(self.config.days * DAY);
                self.at(time, What::Trouble(trouble));
            }
        }
    }

    /// Lets it happen.
    pub fn trouble(&mut self, trouble: Trouble) {
        let m = self.rng.below(self.machines.len() as u64) as usize;
        let up = self.machines[m].node.is_some();
        match trouble {
            Trouble::PowerCut if up => {
                self.count("power cuts");
                self.power_cut(m);
                self.restart_later(m);
            }
            Trouble::PowerCutInWrite if up => {
                self.count("power cuts in writes");
                let writes = self.rng.below(60);
                self.machines[m].disk.borrow_mut().fuse = Some(writes);
            }
            Trouble::Kill if up => {
                self.count("kills");
                self.machines[m].disk.borrow_mut().dead = true;
                self.stop(m);
                self.machines[m].disk.borrow_mut().kill();
                self.restart_later(m);
            }
            Trouble::FullDisk => {
                self.count("full disks");
                let room = self.rng.below(40_000) as usize;
                self.machines[m].disk.borrow_mut().room = Some(room);
                let wait = self.rng.wait(6 * 3_600_000);
                self.after(wait, What::Trouble(Trouble::Room(m)));
            }
            Trouble::Room(m) => self.machines[m].disk.borrow_mut().room = None,
            Trouble::BadRead => {
                self.count("bad reads");
                let reads = self.rng.below(200);
                self.machines[m].disk.borrow_mut().bad_read = Some(reads);
            }
            Trouble::Clock => {
                self.count("clock jumps");
                self.machines[m].wrong = wrong_clock(&mut self.rng, self.now);
            }
            Trouble::Backup => {
                let image = self.machines[m].disk.borrow().image();
                self.machines[m].backups.push(image);
            }
            Trouble::Restore => self.restore(m, true),
            Trouble::SetBack => self.restore(m, false),
            Trouble::Clone => self.clone_directory(m),
            Trouble::Twin => self.twin(m),
            Trouble::Import => self.import(m),
            Trouble::Revoke => self.revoke(m),
            Trouble::Enrol => self.enrol(),
            Trouble::Enrolling(m) => self.enrolling(m),
            Trouble::Move => self.move_mentor(),
            Trouble::PowerCut | Trouble::PowerCutInWrite | Trouble::Kill => {}
        }
    }

    fn restart_later(&mut self, m: usize) {
        let wait = self.rng.wait(3_600_000);
        self.after(wait, What::Start(m));
    }

    fn new_identity(&mut self) -> String {
        self.disks += 1;
        format!("new disk {}", self.disks)
    }

    /// The disk broke: a backup is put on a new one, or the machine is set back as it was. What no other disk
    /// holds is lost, and nobody's fault.
    fn restore(&mut self, m: usize, on_new_disk: bool) {
        match on_new_disk {
            true => self.count("restores"),
            false => {
                self.count("machines set back");
                let id = self.machines[m].id;
                self.set_back.insert(id);
            }
        }
        self.stop(m);
        let choice = self.rng.below(self.machines[m].backups.len() as u64) as usize;
        let image = self.machines[m].backups[choice].clone();
        let identity = self.new_identity();
        let machine = &mut self.machines[m];
        machine.disk.borrow_mut().put(&image);
        if on_new_disk {
            machine.identity = identity;
        }
        // What is on this disk is looked at anew.
        machine.saved.clear();
        machine.looked_at = 0;
        self.note(b'R', m, choice, &[]);
        self.start(m);
        self.find_lost();
    }

    fn clone_directory(&mut self, m: usize) {
        if self.machines[m].post == Post::Hub {
            return;
        }
        self.count("clones");
        let identity = self.new_identity();
        let device = Device {
            post: self.machines[m].post,
            seed: self.machines[m].seed,
            image: self.machines[m].disk.borrow().image(),
            identity,
        };
        let newcomer = self.machines[m].newcomer;
        let clone = self.add(device, None);
        self.machines[clone].newcomer = newcomer;
        self.note(b'C', m, clone, &[]);
        self.plan_machine(clone);
    }

    /// Two machines with one key and one incarnation: what both write there is equivocation.
    fn twin(&mut self, m: usize) {
        if !matches!(self.machines[m].post, Post::School(_)) || self.machines[m].newcomer.is_some() {
            return;
        }
        self.count("twins");
        let device = Device {
            post: self.machines[m].post,
            seed: self.machines[m].seed,
            image: self.machines[m].disk.borrow().image(),
            identity: self.machines[m].identity.clone(),
        };
        let id = self.machines[m].id;
        let twin = self.add(device, None);
        self.twins.insert(id);
        self.note(b'T', m, twin, &[]);
        self.plan_machine(twin);
    }

    fn revoke(&mut self, m: usize) {
        let id = self.machines[m].id;
        let Some(hub) = self.machines[0].node.clone() else {
            return;
        };
        if self.machines[m].post == Post::Hub || hub.roll().is_revoked(&id) {
            return;
        }
        self.count("revocations");
        self.note(b'X', 0, m, &id.0);
        self.tick(0);
        match enrol::revoke(&hub, &id) {
            Ok(_) => drop(self.put_out.insert(id)),
            Err(error) => self.excuse(0, "revoke", &error),
        }
        drop(hub);
        // It may have been the only one to carry something.
        self.find_lost();
        self.after_work(0);
    }

    fn enrol(&mut self) {
        self.count("enrolments begun");
        let school = self.rng.below(SCHOOLS as u64) as usize;
        let mut seed = [0; 32];
        self.rng.fill(&mut seed);
        let identity = self.new_identity();
        // The person sets it up at home: the disk is a good one until it is used.
        let around = super::county::Inside::new(self.rng.fork()).surroundings(&seed, &identity);
        let disk = super::disk::Disk::of(&Image::new());
        let name = format!("new{}", self.machines.len());
        super::vfs::mount(&name, disk.clone());
        let made = Node::init_member_with(std::path::Path::new(&name), "新电脑", around);
        if let Err(error) = made {
            return self.break_law(format!("a new device: {error}"));
        }
        drop(made);
        let image = disk.borrow().image();
        super::vfs::unmount(&name);
        let device = Device {
            post: Post::School(school),
            seed,
            image,
            identity,
        };
        let m = self.add(device, None);
        self.machines[m].newcomer = Some(school);
        self.note(b'E', m, school, &self.machines[m].id.0.clone());
        self.enrolling(m);
    }

    /// The next step of an enrolment, by whatever way lies open.
    fn enrolling(&mut self, m: usize) {
        let Some(school) = self.machines[m].newcomer else {
            return;
        };
        let again = self.rng.wait(4 * 3_600_000);
        self.after(again, What::Trouble(Trouble::Enrolling(m)));
        let Some(node) = self.machines[m].node.clone() else {
            return;
        };
        self.tick(m);
        self.tick(0);
        let hub = self.machines[0].node.clone();
        let grant = (Role::School, self.county.schools[school].clone());
        let by_file = self.rng.permille(300);
        let done = (|| -> Result<bool, node::Error> {
            if node.county_root().is_some() {
                return Ok(true);
            }
            if enrol::candidate(&node)?.is_some_and(|c| c.approved) {
                enrol::confirm(&node)?;
                return Ok(true);
            }
            let Some(hub) = hub else { return Ok(false) };
            let waits = enrol::pending(&hub)?.iter().any(|p| p.node == node.id());
            if by_file || waits {
                let answer = enrol::approve(&hub, &node.id(), "新电脑", std::slice::from_ref(&grant))?;
                if by_file {
                    enrol::accept(&node, &answer.text)?;
                    enrol::confirm(&node)?;
                    return Ok(true);
                }
            }
            Ok(false)
        })();
        match done {
            Ok(true) => {
                self.count("enrolments finished");
                self.machines[m].newcomer = None;
                self.plan_machine(m);
            }
            Ok(false) => {
                let wait = self.rng.below(600_000);
                self.after(wait, What::Dial(m, 0));
            }
            Err(node::Error::Revoked | node::Error::WasRevoked(_) | node::Error::WrongAnswer(_)) => {}
            Err(error) => {
                // Which of the two disks failed is not told.
                let at = if self.may_fail(0) { 0 } else { m };
                self.excuse(at, "enrol", &error);
            }
        }
        drop(node);
        self.after_work(m);
        self.after_work(0);
    }

    fn move_mentor(&mut self) {
        let mentors: Vec<usize> = (0..self.machines.len())
            .filter(|m| matches!(self.machines[*m].post, Post::Mentor(_)))
            .collect();
        let Some(&m) = self.rng.pick(&mentors) else { return };
        let Post::Mentor(mentor) = self.machines[m].post else {
            return;
        };
        let school = self.rng.below(SCHOOLS as u64) as usize;
        let Some(hub) = self.machines[0].node.clone() else {
            return;
        };
        self.count("mentors moved");
        self.tick(0);
        let grants = mentor_grants(mentor, &self.county.schools[school]);
        match enrol::approve(&hub, &self.machines[m].id, "专家", &grants) {
            // Revoked meanwhile: the county is told so.
            Ok(_) | Err(node::Error::Revoked | node::Error::WasRevoked(_)) => {}
            Err(error) => self.excuse(0, "move", &error),
        }
        drop(hub);
        self.after_work(0);
    }

    /// A short name of a seed's configuration, for the trace.
    pub fn note_config(&mut self) {
        let text = format!("{:?}", self.config);
        self.note(b'S', 0, 0, &Sha256::digest(text));
    }
}
