//! What a node takes from the machine that it runs on: the time, randomness, its files. The real machine is
//! the default; a simulation hands in its own, and the same seed then gives the same bytes.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use store::Store;
use sync::DeviceKey;

use crate::{Error, directory};

/// Unix milliseconds by this machine's clock.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// Milliseconds since some moment, by a clock that nobody sets.
pub type Uptime = Arc<dyn Fn() -> u64 + Send + Sync>;

/// Fills a buffer with random bytes; `false` when there are none.
pub type Random = Arc<dyn Fn(&mut [u8]) -> bool + Send + Sync>;

/// The machine around a node.
#[derive(Clone)]
pub struct Surroundings {
    /// The time: for people and logs; nothing is ordered or refused by it.
    pub clock: Clock,
    /// How long things take.
    pub uptime: Uptime,
    /// Randomness for keys and ids.
    pub random: Random,
    /// Where key and database are.
    pub disk: Disk,
}

/// Where a node's files are.
#[derive(Clone)]
pub enum Disk {
    /// In the data directory.
    Directory,
    /// The database in an SQLite file system of one's own; no other file.
    Simulated {
        /// The name under which the file system is registered with SQLite.
        vfs: String,
        /// The device key.
        key: Box<DeviceKey>,
        /// What tells this database file from a copy of it.
        identity: String,
    },
}

impl Default for Surroundings {
    fn default() -> Surroundings {
        let started = Instant::now();
        Surroundings {
            uptime: Arc::new(move || started.elapsed().as_millis() as u64),
            clock: Arc::new(|| {
                SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .map_or(0, |d| d.as_millis() as i64)
            }),
            random: Arc::new(|bytes| getrandom::fill(bytes).is_ok()),
            disk: Disk::Directory,
        }
    }
}

impl fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.disk {
            Disk::Directory => f.write_str("Surroundings(directory)"),
            Disk::Simulated { vfs, identity, .. } => write!(f, "Surroundings({vfs}, {identity})"),
        }
    }
}

impl Surroundings {
    /// Unix seconds.
    pub(crate) fn now(&self) -> i64 {
        (self.clock)().div_euclid(1000)
    }

    /// Random bytes.
    pub(crate) fn random<const N: usize>(&self) -> Result<[u8; N], Error> {
        let mut bytes = [0; N];
        match (self.random)(&mut bytes) {
            true => Ok(bytes),
            false => Err(Error::Random),
        }
    }

    /// The key of a new device.
    pub(crate) fn new_key(&self) -> Result<DeviceKey, Error> {
        match &self.disk {
            Disk::Directory => Ok(DeviceKey::from_seed(self.random()?)),
            Disk::Simulated { key, .. } => Ok((**key).clone()),
        }
    }

    /// Makes a new data directory.
    pub(crate) fn make(&self, dir: &Path) -> Result<(), Error> {
        match &self.disk {
            Disk::Directory => directory::make(dir),
            Disk::Simulated { .. } => Ok(()),
        }
    }

    pub(crate) fn write_key(&self, path: &Path, key: &DeviceKey) -> Result<(), Error> {
        match &self.disk {
            Disk::Directory => directory::write_key(path, key),
            Disk::Simulated { .. } => Ok(()),
        }
    }

    pub(crate) fn read_key(&self, dir: &Path) -> Result<DeviceKey, Error> {
        match &self.disk {
            Disk::Directory if !directory::device_key(dir).exists() => {
                Err(Error::NotInitialised(PathBuf::from(dir)))
            }
            Disk::Directory => directory::read_key(&directory::device_key(dir)),
            Disk::Simulated { key, .. } => Ok((**key).clone()),
        }
    }

    pub(crate) fn file_identity(&self, dir: &Path) -> Option<String> {
        match &self.disk {
            Disk::Directory => directory::file_identity(&directory::database(dir)),
            Disk::Simulated { identity, .. } => Some(identity.clone()),
        }
    }

    /// Whether there are files beside the database.
    pub(crate) fn has_files(&self) -> bool {
        matches!(self.disk, Disk::Directory)
    }

    /// Opens the database of a data directory.
    pub(crate) fn open_store(&self, dir: &Path) -> Result<Store, Error> {
        let path = directory::database(dir);
        Ok(match &self.disk {
            Disk::Directory => Store::open(&path)?,
            Disk::Simulated { vfs, .. } => Store::open_in(&path, vfs)?,
        })
    }
}

/// Makes UUIDv7: those of one millisecond count up.
#[derive(Default)]
pub(crate) struct Ids(Mutex<(u64, u16)>);

/// The 12 bits after the version. Counting begins in their lower half, so that there is room.
const COUNT_BITS: u16 = 0x0fff;

impl Ids {
    pub(crate) fn next(&self, around: &Surroundings) -> String {
        let clock = u64::try_from((around.clock)()).unwrap_or(0);
        // Without randomness the count alone keeps ids of this millisecond apart.
        let mut bytes: [u8; 10] = around.random().unwrap_or_default();
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // More ids than numbers in one millisecond borrow the next ones.
        let ahead = (clock..clock + 1000).contains(&last.0);
        *last = match *last {
            (millis, COUNT_BITS) if ahead => (millis + 1, 0),
            (millis, count) if ahead => (millis, count + 1),
            _ => (
                clock,
                u16::from_be_bytes([bytes[0], bytes[1]]) & (COUNT_BITS >> 1),
            ),
        };
        let (millis, count) = *last;
        bytes[..2].copy_from_slice(&count.to_be_bytes());
        uuid::Builder::from_unix_timestamp_millis(millis, &bytes)
            .into_uuid()
            .to_string()
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn ids_of_one_millisecond_count_up_and_are_of_version_7() {
        let around = Surroundings {
            clock: Arc::new(|| 1_760_000_000_000),
            ..Surroundings::default()
        };
        let ids = Ids::default();
        let all: Vec<String> = (0..5_000).map(|_| ids.next(&around)).collect();
        assert!(all.is_sorted());
        assert!(all.windows(2).all(|w| w[0] != w[1]));
        let first = Uuid::parse_str(&all[0]).unwrap();
        assert_eq!(first.get_version_num(), 7);
        assert_eq!(first.as_bytes()[..6], 1_760_000_000_000_u64.to_be_bytes()[2..]);
    }

    #[test]
    fn a_clock_before_1970_gives_ids_all_the_same() {
        let around = Surroundings {
            clock: Arc::new(|| -5_000),
            ..Surroundings::default()
        };
        assert_eq!(around.now(), -5);
        assert!(Uuid::parse_str(&Ids::default().next(&around)).is_ok());
    }
}
