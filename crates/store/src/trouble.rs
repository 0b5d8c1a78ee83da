//! What is wrong with the disk or the database file, as SQLite and the system say it.

use std::error::Error as StdError;
use std::io::ErrorKind;

use rusqlite::ErrorCode;

use crate::Error;

/// A fault of the disk or of the file, which stands until somebody does something about it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Trouble {
    /// No room is left, or none that this program may use.
    Full,
    /// Nothing may be written there.
    ReadOnly,
    /// Pages of the database are not what SQLite wrote.
    Damaged,
    /// The disk gives errors.
    Disk,
}

impl Trouble {
    /// All of them.
    pub const ALL: [Trouble; 4] = [Trouble::Full, Trouble::ReadOnly, Trouble::Damaged, Trouble::Disk];

    /// Its name in metrics.
    pub fn word(self) -> &'static str {
        match self {
            Trouble::Full => "full",
            Trouble::ReadOnly => "read_only",
            Trouble::Damaged => "damaged",
            Trouble::Disk => "io",
        }
    }

    /// The trouble behind an error, if it is one.
    pub fn of(error: &(dyn StdError + 'static)) -> Option<Trouble> {
        let mut at = Some(error);
        while let Some(e) = at {
            let found = if let Some(rusqlite::Error::SqliteFailure(f, _)) = e.downcast_ref() {
                of_sqlite(f.code)
            } else if let Some(io) = e.downcast_ref::<std::io::Error>() {
                of_system(io)
            } else if let Some(Error::Damaged { .. }) = e.downcast_ref() {
                Some(Trouble::Damaged)
            } else {
                None
            };
            if found.is_some() {
                return found;
            }
            at = e.source();
        }
        None
    }
}

fn of_sqlite(code: ErrorCode) -> Option<Trouble> {
    match code {
        ErrorCode::DiskFull => Some(Trouble::Full),
        ErrorCode::ReadOnly => Some(Trouble::ReadOnly),
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Some(Trouble::Damaged),
        ErrorCode::SystemIoFailure | ErrorCode::CannotOpen => Some(Trouble::Disk),
        _ => None,
    }
}

fn of_system(error: &std::io::Error) -> Option<Trouble> {
    match error.kind() {
        // A quota and a limit on the size of files are no room either.
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => Some(Trouble::Full),
        ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied => Some(Trouble::ReadOnly),
        // EIO has no kind of its own.
        _ => (error.raw_os_error() == Some(5) && cfg!(unix)).then_some(Trouble::Disk),
    }
}

/// What a store has met since it was opened.
#[derive(Clone, Debug, Default)]
pub(crate) struct Health {
    pub now: Option<Trouble>,
    counts: [u64; Trouble::ALL.len()],
}

impl Health {
    /// Notes a fault. Damage stays, whatever else is met later: what was written well does not heal it.
    pub fn met(&mut self, trouble: Trouble) {
        if let Some(at) = Trouble::ALL.iter().position(|t| *t == trouble) {
            self.counts[at] += 1;
        }
        if self.now != Some(Trouble::Damaged) {
            self.now = Some(trouble);
        }
    }

    /// Something was written: there is room again.
    pub fn wrote(&mut self) {
        if self.now != Some(Trouble::Damaged) {
            self.now = None;
        }
    }

    pub fn counts(&self) -> [(Trouble, u64); Trouble::ALL.len()] {
        let mut all = Trouble::ALL.map(|t| (t, 0));
        for (entry, count) in all.iter_mut().zip(self.counts) {
            entry.1 = count;
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Store, set_meta};

    #[test]
    fn a_full_file_is_named_loses_nothing_and_heals_with_the_next_write() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("yanxiu.db")).unwrap();
        let limit = |pages: i64| {
            let writer = crate::lock(&store.writer);
            writer.pragma_update(None, "max_page_count", pages).unwrap();
        };
        store
            .write(|tx| set_meta(tx, "学校", "青石小学".as_bytes()))
            .unwrap();
        limit(1);
        let big = vec![7; 1 << 20];
        let refused: crate::Result<()> = store.write(|tx| set_meta(tx, "大", &big));
        assert_eq!(Trouble::of(&refused.unwrap_err()), Some(Trouble::Full));
        assert_eq!(store.trouble(), Some(Trouble::Full));
        assert_eq!(store.troubles()[0], (Trouble::Full, 1));
        assert!(store.read(|c| crate::meta(c, "学校")).unwrap().is_some());
        limit(1 << 30);
        store.write(|tx| set_meta(tx, "大", &big)).unwrap();
        assert_eq!(store.trouble(), None);
    }

    #[test]
    fn a_damaged_page_is_named_and_nothing_more_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("yanxiu.db");
        let store = Store::open(&path).unwrap();
        for n in 0..200 {
            let name = format!("键{n}");
            store.write(|tx| set_meta(tx, &name, &[1; 300])).unwrap();
        }
        let root: i64 = store
            .read(|c| {
                let sql = "SELECT rootpage FROM sqlite_schema WHERE name = 'meta'";
                Ok::<_, Error>(c.query_row(sql, [], |r| r.get(0))?)
            })
            .unwrap();
        drop(store);
        let mut bytes = std::fs::read(&path).unwrap();
        let at = (root as usize - 1) * 4096;
        bytes[at..at + 4096].fill(0xA5);
        std::fs::write(&path, bytes).unwrap();
        let store = Store::open(&path).unwrap();
        assert!(store.read(|c| crate::meta(c, "键7")).is_err());
        assert_eq!(store.trouble(), Some(Trouble::Damaged));
        let refused = store.write(|_| Ok::<_, Error>(())).unwrap_err();
        assert_eq!(Trouble::of(&refused), Some(Trouble::Damaged));
        assert!(
            !store
                .quick_check()
                .unwrap_or_else(|e| vec![e.to_string()])
                .is_empty()
        );
    }
}
