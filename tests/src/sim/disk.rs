//! A machine's disk in memory: what its programs see, what has been synced, and what a power cut leaves.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::rng::Rng;

/// A disk, shared by the files that are open on it.
pub type Shared = Rc<RefCell<Disk>>;

/// A file's content, shared by its names and by those who have it open.
pub type Node = Rc<RefCell<Inode>>;

/// Why a disk said no.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum No {
    /// The machine is off, or the cable is loose.
    Error,
    /// No room.
    Full,
}

/// One write that no sync has followed yet.
#[derive(Clone, Debug)]
enum Unsynced {
    Write(usize, Vec<u8>),
    Truncate(usize),
}

/// A file.
#[derive(Default, Debug)]
pub struct Inode {
    data: Vec<u8>,
    synced: Vec<u8>,
    unsynced: Vec<Unsynced>,
    /// Locks of SQLite's database file, by handle.
    pub locks: BTreeMap<u64, i32>,
    /// Memory that the processes of this life share about the file.
    pub shm: Option<Rc<RefCell<Shm>>>,
}

/// The wal-index: regions of memory, and who holds which of the eight locks (shared, exclusive).
#[derive(Default, Debug)]
pub struct Shm {
    /// Regions, never moved while mapped.
    pub regions: Vec<Box<[u64]>>,
    /// Masks by handle.
    pub locks: BTreeMap<u64, (u32, u32)>,
}

/// What happened to unsynced writes in power cuts.
#[derive(Clone, Copy, Default, Debug)]
pub struct Losses {
    /// Power cuts.
    pub cuts: u64,
    /// Writes kept whole.
    pub kept: u64,
    /// Writes dropped whole.
    pub dropped: u64,
    /// Writes of which parts are left.
    pub torn: u64,
    /// New or removed names that were lost.
    pub names: u64,
}

/// A disk.
#[derive(Default, Debug)]
pub struct Disk {
    names: BTreeMap<String, Node>,
    synced_names: BTreeMap<String, Node>,
    unsynced_names: Vec<(String, Option<Node>)>,
    /// Files opened before the last start belong to a process that is gone.
    pub life: u64,
    /// The machine stands still until it is started again.
    pub dead: bool,
    /// Writes and syncs until the machine dies.
    pub fuse: Option<u64>,
    /// Bytes until the disk is full.
    pub room: Option<usize>,
    /// Reads until one fails.
    pub bad_read: Option<u64>,
    /// Writes that were refused for want of room.
    pub refused: u64,
    /// Reads that failed.
    pub failed_reads: u64,
    handles: u64,
}

/// Contents of a disk at one moment.
pub type Image = BTreeMap<String, Vec<u8>>;

/// Below this much a write is atomic or gone; a torn one breaks at any of these, rarely inside.
const SECTOR: usize = 512;

impl Disk {
    /// A disk with these files, all synced.
    pub fn of(image: &Image) -> Shared {
        let mut disk = Disk::default();
        disk.put(image);
        Rc::new(RefCell::new(disk))
    }

    /// Replaces all files, as a restore from a backup does; nothing may have them open.
    pub fn put(&mut self, image: &Image) {
        self.names.clear();
        for (name, data) in image {
            let inode = Inode {
                data: data.clone(),
                synced: data.clone(),
                ..Inode::default()
            };
            self.names.insert(name.clone(), Rc::new(RefCell::new(inode)));
        }
        self.synced_names = self.names.clone();
        self.unsynced_names.clear();
        self.life += 1;
        self.dead = false;
    }

    /// A copy of all files as programs see them.
    pub fn image(&self) -> Image {
        let content = |(name, node): (&String, &Node)| (name.clone(), node.borrow().data.clone());
        self.names.iter().map(content).collect()
    }

    /// Bytes of all files.
    pub fn size(&self) -> usize {
        self.names.values().map(|n| n.borrow().data.len()).sum()
    }

    /// A number for a new handle.
    pub fn handle(&mut self) -> u64 {
        self.handles += 1;
        self.handles
    }

    /// Finds a file or makes it.
    pub fn open(&mut self, name: &str, create: bool) -> Option<Node> {
        if let Some(node) = self.names.get(name) {
            return Some(node.clone());
        }
        if !create {
            return None;
        }
        let node = Node::default();
        self.names.insert(name.to_string(), node.clone());
        self.unsynced_names.push((name.to_string(), Some(node.clone())));
        Some(node)
    }

    /// Whether a file is there.
    pub fn exists(&self, name: &str) -> bool {
        self.names.contains_key(name)
    }

    /// Removes a name; with `sync` the directory is synced.
    pub fn remove(&mut self, name: &str, sync: bool) -> Result<bool, No> {
        self.burn()?;
        if self.names.remove(name).is_none() {
            return Ok(false);
        }
        self.unsynced_names.push((name.to_string(), None));
        if sync {
            self.sync_names();
        }
        Ok(true)
    }

    /// Syncs the directory.
    pub fn sync_names(&mut self) {
        self.synced_names = self.names.clone();
        self.unsynced_names.clear();
    }

    /// Counts one write or sync towards the machine's end.
    pub fn burn(&mut self) -> Result<(), No> {
        if self.dead {
            return Err(No::Error);
        }
        match &mut self.fuse {
            Some(0) => {
                self.fuse = None;
                self.dead = true;
                Err(No::Error)
            }
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Counts one read; some fail.
    pub fn may_read(&mut self) -> Result<(), No> {
        if self.dead {
            return Err(No::Error);
        }
        match &mut self.bad_read {
            Some(0) => {
                self.bad_read = None;
                self.failed_reads += 1;
                Err(No::Error)
            }
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Whether so many more bytes fit.
    pub fn take_room(&mut self, bytes: usize) -> Result<(), No> {
        match &mut self.room {
            Some(room) if *room < bytes => {
                self.refused += 1;
                Err(No::Full)
            }
            Some(room) => {
                *room -= bytes;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// The process is gone, the machine went on: nothing is lost.
    pub fn kill(&mut self) {
        for node in self.names.values() {
            let mut node = node.borrow_mut();
            node.locks.clear();
            node.shm = None;
        }
        self.life += 1;
        self.dead = false;
        self.fuse = None;
    }

    /// The power is gone: of what was not synced each write is kept, dropped or torn, and names come and go
    /// back to some moment since the last sync of the directory.
    pub fn power_cut(&mut self, rng: &mut Rng, losses: &mut Losses) {
        losses.cuts += 1;
        let kept = rng.below(self.unsynced_names.len() as u64 + 1) as usize;
        losses.names += (self.unsynced_names.len() - kept) as u64;
        let mut names = self.synced_names.clone();
        for (name, node) in self.unsynced_names.drain(..).take(kept) {
            match node {
                Some(node) => drop(names.insert(name, node)),
                None => drop(names.remove(&name)),
            }
        }
        for node in names.values() {
            node.borrow_mut().power_cut(rng, losses);
        }
        self.synced_names = names.clone();
        self.names = names;
        self.kill();
    }
}

impl Inode {
    /// Bytes in it.
    pub fn len(&self) -> usize {
        self.data.len()
    }

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// Reads at an offset; how many bytes there were.
    pub fn read(&self, at: usize, into: &mut [u8]) -> usize {
        let there = self.data.get(at..).unwrap_or_default();
        let n = there.len().min(into.len());
        into[..n].copy_from_slice(&there[..n]);
        into[n..].fill(0);
        n
    }

    /// Writes at an offset.
    pub fn write(&mut self, at: usize, bytes: &[u8]) {
        put(&mut self.data, at, bytes);
        self.unsynced.push(Unsynced::Write(at, bytes.to_vec()));
    }

    /// Cuts or lengthens it.
    pub fn truncate(&mut self, size: usize) {
        self.data.resize(size, 0);
        self.unsynced.push(Unsynced::Truncate(size));
    }

    /// From now on a power cut leaves this content.
    pub fn sync(&mut self) {
        for op in self.unsynced.drain(..) {
            match op {
                Unsynced::Write(at, bytes) => put(&mut self.synced, at, &bytes),
                Unsynced::Truncate(size) => self.synced.resize(size, 0),
            }
        }
    }

    fn power_cut(&mut self, rng: &mut Rng, losses: &mut Losses) {
        let mut left = std::mem::take(&mut self.synced);
        for op in std::mem::take(&mut self.unsynced) {
            match (op, rng.below(3)) {
                (_, 0) => losses.dropped += 1,
                (Unsynced::Truncate(size), _) => {
                    losses.kept += 1;
                    left.resize(size, 0);
                }
                (Unsynced::Write(at, bytes), 1) => {
                    losses.kept += 1;
                    put(&mut left, at, &bytes);
                }
                (Unsynced::Write(at, bytes), _) => {
                    losses.torn += 1;
                    tear(&mut left, at, &bytes, rng);
                }
            }
        }
        self.data.clone_from(&left);
        self.synced = left;
    }
}

/// Some sectors of a write arrive, some do not; of a few only the beginning, or nonsense.
fn tear(left: &mut Vec<u8>, at: usize, bytes: &[u8], rng: &mut Rng) {
    let mut from = 0;
    while from < bytes.len() {
        let to = (from + SECTOR - (at + from) % SECTOR).min(bytes.len());
        let part = &bytes[from..to];
        match rng.below(8) {
            0..=3 => put(left, at + from, part),
            4 => put(left, at + from, &part[..rng.below(part.len() as u64) as usize]),
            5 => {
                let mut nonsense = part.to_vec();
                rng.fill(&mut nonsense);
                put(left, at + from, &nonsense);
            }
            _ => {}
        }
        from = to;
    }
}

fn put(data: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    if data.len() < at + bytes.len() {
        data.resize(at + bytes.len(), 0);
    }
    data[at..at + bytes.len()].copy_from_slice(bytes);
}
