//! Where everything rests: one SQLite file, WAL, `synchronous=FULL` (measured.md: the only setting that
//! lost nothing in 4,000 power cuts). What is to be acknowledged is committed first.
//!
//! [`Store`] hands out connections: [`Store::write`] runs one transaction, [`Store::read`] a snapshot.
//! The other modules are plain functions over a connection: [`changes`] and [`admitting`] (what came in),
//! [`aside`] (what this node has left), [`cases`] and [`evidence`] (what is kept of faults),
//! [`outgoing`] (what goes out, within a peer's [`reach`]), [`shown`] (what a peer is shown beside it), [`roll`],
//! [`peers`] (cursors and receipts), [`mail`] (sealed bundles on their way), [`events`], [`imports`] (what tables of the
//! office wrote), [`credentials`] (files that were signed), [`tokens`] (of other systems), [`views`] (tables computed from
//! documents), [`accounts`] and [`recovery`] (local people), [`snapshot`] (a copy of all of it).

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::config::DbConfig;
pub use rusqlite::{self, Connection, Transaction};
use rusqlite::{OpenFlags, OptionalExtension, TransactionBehavior};
use rusqlite_migration::{M, Migrations};
use trouble::Health;
pub use trouble::Trouble;

pub mod accounts;
pub mod admitting;
pub mod aside;
pub mod blobs;
pub mod cases;
pub mod changes;
pub mod credentials;
pub mod events;
pub mod evidence;
pub mod imports;
pub mod mail;
pub mod outgoing;
pub mod peers;
pub mod reach;
pub mod recovery;
pub mod roll;
pub mod shown;
pub mod snapshot;
pub mod tokens;
mod trouble;
pub mod views;

/// What can go wrong with the store.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// SQLite said no.
    #[error("the database: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The file cannot be brought to this version.
    #[error("the database {path} cannot be opened by this version of yanxiu: {source}")]
    Migration {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rusqlite_migration::Error,
    },
    /// The file is there and is not our database, or is damaged.
    #[error(
        "{path} is damaged or no yanxiu database ({what}); restore a backup beside it and keep this file"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        what: String,
    },
    /// The file cannot be opened, for nothing may be written in its folder.
    #[error(
        "{path} cannot be opened: nothing can be written in its folder ({source}); free the disk or its rights"
    )]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A path that SQLite cannot be given.
    #[error("the path {} is not in UTF-8; choose another one", .0.display())]
    Path(PathBuf),
    /// A stored row cannot be what this program wrote.
    #[error("a stored {0} is damaged")]
    BadRow(&'static str),
}

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// An open database.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    vfs: Option<String>,
    writer: Mutex<Connection>,
    /// Whoever writes for nobody that waits has this in hand while it asks for the writer: so at most one of the many
    /// conversations of a hub stands before somebody's page.
    line: Mutex<()>,
    pools: [Pool; 2],
    health: Mutex<Health>,
}

/// Connections for reading, of one sort of readers.
#[derive(Debug, Default)]
struct Pool {
    readers: Mutex<Readers>,
    returned: Condvar,
}

#[derive(Debug, Default)]
struct Readers {
    idle: Vec<Connection>,
    open: usize,
}

/// Connections for reading, of conversations and for somebody who waits. Each keeps up to 8 MB of pages and its
/// statements; a hub that a hundred schools call at once reads no faster with more of them than it has processors.
const READERS: [usize; 2] = [8, 4];

thread_local! {
    /// Connections of any store that this thread has in hand.
    static IN_HAND: Cell<usize> = const { Cell::new(0) };
    /// Somebody waits for what this thread does.
    static IN_FRONT: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work` for somebody who waits, such as the reader of a page: it has connections of its own for reading, and writes
/// before the conversations of a hub that are still in line.
pub fn in_front<T>(work: impl FnOnce() -> T) -> T {
    struct Before(bool);
    impl Drop for Before {
        fn drop(&mut self) {
            IN_FRONT.set(self.0);
        }
    }
    let _before = Before(IN_FRONT.replace(true));
    work()
}

/// One more connection in this thread's hand.
struct InHand;

impl InHand {
    fn new() -> InHand {
        IN_HAND.set(IN_HAND.get() + 1);
        InHand
    }
}

impl Drop for InHand {
    fn drop(&mut self) {
        IN_HAND.set(IN_HAND.get() - 1);
    }
}

/// A reader that goes back when it is dropped, also in a panic.
struct Lent<'s> {
    pool: &'s Pool,
    most: usize,
    conn: Option<Connection>,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let mut readers = lock(&self.pool.readers);
        match self.conn.take() {
            Some(conn) if readers.open <= self.most => readers.idle.push(conn),
            _ => readers.open -= 1,
        }
        self.pool.returned.notify_one();
    }
}

fn migrations() -> Migrations<'static> {
    Migrations::new(vec![
        M::up(include_str!("../migrations/001_first.sql")),
        M::up(include_str!("../migrations/003_guard.sql")),
        M::up(include_str!("../migrations/005_speaks.sql")),
        M::up(include_str!("../migrations/004_documents.sql")),
        M::up(include_str!("../migrations/002_mend.sql")),
        M::up(include_str!("../migrations/006_unreadable.sql")),
        M::up(include_str!("../migrations/007_imports.sql")),
        M::up(include_str!("../migrations/008_first_week.sql")),
        M::up(include_str!("../migrations/009_judged.sql")),
        M::up(include_str!("../migrations/010_mail.sql")),
        M::up(include_str!("../migrations/011_blobs.sql")),
        M::up(include_str!("../migrations/012_twice.sql")),
        M::up(include_str!("../migrations/013_by_person.sql")),
        M::up(include_str!("../migrations/017_age.sql")),
        M::up(include_str!("../migrations/016_api.sql")),
        M::up(include_str!("../migrations/014_given.sql")),
        M::up(include_str!("../migrations/015_dashboard.sql")),
        M::up(include_str!("../migrations/018_status.sql")),
    ])
}

fn connect(path: &Path, vfs: Option<&str>) -> Result<Connection> {
    let conn = match vfs {
        None => Connection::open(path)?,
        Some(vfs) => Connection::open_with_flags_and_vfs(path, OpenFlags::default(), vfs)?,
    };
    conn.busy_timeout(Duration::from_secs(20))?;
    conn.pragma_update(None, "journal_mode", "WAL")?;
    conn.pragma_update(None, "synchronous", "FULL")?;
    conn.pragma_update(None, "foreign_keys", "ON")?;
    // KiB, of each connection: a page of a county reads more than SQLite's 2 MB again and again.
    conn.pragma_update(None, "cache_size", -8192)?;
    // Statements are planned once. Without it, each new value of a LIMIT, or of what an index holds only some values
    // of, plans the statement again: a tenth of a busy hub's time.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    conn.set_prepared_statement_cache_capacity(256);
    Ok(conn)
}

impl Store {
    /// Opens or makes the database file and brings it to the present version.
    pub fn open(path: &Path) -> Result<Store> {
        Store::open_at(path, None)
    }

    /// The same in another file system, by the name under which it is registered with SQLite.
    pub fn open_in(path: &Path, vfs: &str) -> Result<Store> {
        Store::open_at(path, Some(vfs))
    }

    fn open_at(path: &Path, vfs: Option<&str>) -> Result<Store> {
        let damaged = |e: Error| match e {
            Error::Sqlite(rusqlite::Error::SqliteFailure(f, text))
                if matches!(
                    f.code,
                    rusqlite::ErrorCode::NotADatabase | rusqlite::ErrorCode::DatabaseCorrupt
                ) =>
            {
                let what = text.unwrap_or_else(|| f.to_string());
                Error::Damaged {
                    path: path.to_path_buf(),
                    what,
                }
            }
            // SQLite says only that it cannot; the system knows why.
            other => match probe(path).filter(|_| vfs.is_none() && Trouble::of(&other).is_some()) {
                Some(source) => Error::Unwritable {
                    path: path.to_path_buf(),
                    source,
                },
                None => other,
            },
        };
        let mut conn = connect(path, vfs).map_err(damaged)?;
        migrations()
            .to_latest(&mut conn)
            .map_err(|source| match Trouble::of(&source) {
                // No matter of versions.
                Some(_) => damaged(match source {
                    rusqlite_migration::Error::RusqliteError { err, .. } => err.into(),
                    source => Error::Migration {
                        path: path.to_path_buf(),
                        source,
                    },
                }),
                None => Error::Migration {
                    path: path.to_path_buf(),
                    source,
                },
            })?;
        Ok(Store {
            path: path.to_path_buf(),
            vfs: vfs.map(str::to_string),
            writer: Mutex::new(conn),
            line: Mutex::default(),
            pools: Default::default(),
            health: Mutex::default(),
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Runs `work` in one immediate transaction; it is on the disk when this returns `Ok`. A database in which a
    /// damaged page was met is not written any more: what would be acknowledged might not be found again.
    pub fn write<T, E: From<Error> + std::error::Error + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        if self.trouble() == Some(Trouble::Damaged) {
            return Err(Error::Damaged {
                path: self.path.clone(),
                what: "a damaged page was met since the program was started".to_string(),
            }
            .into());
        }
        let done = self.try_write(work);
        match &done {
            Ok(_) => lock(&self.health).wrote(),
            Err(error) => self.note(error),
        }
        done
    }

    fn try_write<T, E: From<Error>>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        let in_line = (!IN_FRONT.get()).then(|| lock(&self.line));
        let mut conn = lock(&self.writer);
        drop(in_line);
        let _in_hand = InHand::new();
        let tx = conn
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(Error::from)?;
        let value = work(&tx)?;
        tx.commit().map_err(Error::from)?;
        Ok(value)
    }

    /// Runs `work` on one consistent snapshot, beside writers.
    pub fn read<T, E: From<Error> + std::error::Error + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        let done = self.try_read(work);
        if let Err(error) = &done {
            self.note(error);
        }
        done
    }

    fn try_read<T, E: From<Error>>(
        &self,
        work: impl FnOnce(&Connection) -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        let mut lent = self.reader()?;
        let conn = lent.conn.as_mut().ok_or(Error::BadRow("connection"))?;
        let _in_hand = InHand::new();
        let tx = conn.transaction().map_err(Error::from)?;
        work(&tx)
    }

    /// A reader that is free, or a new one; waits while all are lent. A thread that has a connection already
    /// does not wait for another: those it would wait for may wait for what it holds.
    fn reader(&self) -> Result<Lent<'_>> {
        let sort = usize::from(IN_FRONT.get());
        let (pool, most) = (&self.pools[sort], READERS[sort]);
        let mut readers = lock(&pool.readers);
        let idle = loop {
            if let Some(conn) = readers.idle.pop() {
                break Some(conn);
            }
            if readers.open < most || IN_HAND.get() > 0 {
                readers.open += 1;
                break None;
            }
            readers = pool
                .returned
                .wait(readers)
                .unwrap_or_else(PoisonError::into_inner);
        };
        drop(readers);
        let mut lent = Lent {
            pool,
            most,
            conn: idle,
        };
        if lent.conn.is_none() {
            lent.conn = Some(connect(&self.path, self.vfs.as_deref())?);
        }
        Ok(lent)
    }

    /// Notes the fault of the disk or the file behind an error, also of a file beside the database.
    pub fn note(&self, error: &(dyn std::error::Error + 'static)) {
        if let Some(trouble) = Trouble::of(error) {
            lock(&self.health).met(trouble);
        }
    }

    /// The fault that stands now. All but damage goes with the next good write.
    pub fn trouble(&self) -> Option<Trouble> {
        lock(&self.health).now
    }

    /// How often each fault was met since the store was opened.
    pub fn troubles(&self) -> [(Trouble, u64); Trouble::ALL.len()] {
        lock(&self.health).counts()
    }

    /// A number that changes whenever another process has committed to the file.
    pub fn outside_version(&self) -> Result<i64> {
        Ok(lock(&self.writer).query_row("PRAGMA data_version", [], |r| r.get(0))?)
    }

    /// The quicker half of [`Store::check`]: every page, not every index; the first ten problems.
    pub fn quick_check(&self) -> Result<Vec<String>> {
        let problems = self.problems("PRAGMA quick_check(10)")?;
        if !problems.is_empty() {
            lock(&self.health).met(Trouble::Damaged);
        }
        Ok(problems)
    }

    /// SQLite's own check of every page and index; the problems it names, none when all is well.
    pub fn check(&self) -> Result<Vec<String>> {
        self.problems("PRAGMA integrity_check")
    }

    fn problems(&self, check: &str) -> Result<Vec<String>> {
        self.read(|c| {
            let mut statement = c.prepare(check)?;
            let rows = statement.query_map([], |r| r.get::<_, String>(0))?;
            let lines = rows.collect::<rusqlite::Result<Vec<_>>>()?;
            Ok(lines.into_iter().filter(|l| l != "ok").collect())
        })
    }
}

/// An empty database in memory, of the present version: to compute something anew in it.
pub fn scratch() -> Result<Connection> {
    let mut conn = Connection::open_in_memory()?;
    conn.pragma_update(None, "foreign_keys", "ON")?;
    migrations()
        .to_latest(&mut conn)
        .map_err(|source| Error::Migration {
            path: PathBuf::from(":memory:"),
            source,
        })?;
    Ok(conn)
}

/// Makes every index anew from its table.
pub fn reindex(c: &Connection) -> Result<()> {
    Ok(c.execute_batch("REINDEX")?)
}

/// What the system says when a file is to be made beside this one; `None` when it can be.
fn probe(path: &Path) -> Option<std::io::Error> {
    let beside = path.with_extension("probe");
    let written = std::fs::write(&beside, [0; 4096]);
    let _ = std::fs::remove_file(&beside);
    written.err()
}

/// A panic while the lock was held has rolled its transaction back: the connection is good.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A value of the `meta` table.
pub fn meta(c: &Connection, key: &str) -> Result<Option<Vec<u8>>> {
    Ok(c.prepare_cached("SELECT value FROM meta WHERE key = ?")?
        .query_row([key], |r| r.get(0))
        .optional()?)
}

/// Sets a value of the `meta` table.
pub fn set_meta(c: &Connection, key: &str, value: &[u8]) -> Result<()> {
    c.prepare_cached("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)")?
        .execute((key, value))?;
    Ok(())
}

/// Fixed-size bytes of a row.
fn fixed<const N: usize>(bytes: Vec<u8>, what: &'static str) -> Result<[u8; N]> {
    bytes.try_into().map_err(|_| Error::BadRow(what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_migrations_are_sound_and_a_newer_file_is_refused() {
        migrations().validate().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("yanxiu.db");
        drop(Store::open(&path).unwrap());
        Connection::open(&path)
            .unwrap()
            .pragma_update(None, "user_version", 99)
            .unwrap();
        assert!(matches!(Store::open(&path), Err(Error::Migration { .. })));
    }

    #[test]
    fn a_foreign_file_is_named_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("yanxiu.db");
        std::fs::write(&path, "花名册，不是数据库。".repeat(200)).unwrap();
        assert!(matches!(Store::open(&path), Err(Error::Damaged { .. })));
        assert!(std::fs::read_to_string(&path).unwrap().starts_with("花名册"));
    }

    #[test]
    fn many_readers_share_a_few_connections_and_nested_ones_never_wait() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("yanxiu.db")).unwrap();
        // All are inside at once, so that the inner reads find every connection lent.
        let [most, _] = READERS;
        let inside = std::sync::Barrier::new(most);
        std::thread::scope(|scope| {
            for _ in 0..most {
                scope.spawn(|| {
                    store.read(|_| {
                        inside.wait();
                        store.read(|c| meta(c, "a"))
                    })
                });
            }
        });
        std::thread::scope(|scope| {
            for _ in 0..64 {
                scope.spawn(|| {
                    let taken = store.read(|c| {
                        std::thread::sleep(Duration::from_millis(2));
                        meta(c, "a")
                    });
                    assert_eq!(taken.unwrap(), None);
                    assert!(lock(&store.pools[0].readers).open <= most);
                });
            }
        });
        let readers = lock(&store.pools[0].readers);
        assert!(readers.open <= most && readers.open == readers.idle.len());
    }

    #[test]
    fn who_waits_for_a_page_stands_in_no_line_behind_conversations() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("yanxiu.db")).unwrap();
        let [most, _] = READERS;
        let (inside, over) = (
            std::sync::Barrier::new(most + 1),
            std::sync::Barrier::new(most + 1),
        );
        std::thread::scope(|scope| {
            for _ in 0..most {
                scope.spawn(|| {
                    store.read(|_| {
                        inside.wait();
                        over.wait();
                        Ok::<_, Error>(())
                    })
                });
            }
            inside.wait();
            // All connections of the conversations are lent until this has its answer.
            let answer: Result<_> = in_front(|| store.read(|c| meta(c, "a")));
            over.wait();
            assert_eq!(answer.unwrap(), None);
        });
    }

    #[test]
    fn writes_are_durable_and_failed_ones_leave_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("yanxiu.db");
        let store = Store::open(&path).unwrap();
        store.write(|tx| set_meta(tx, "a", b"1")).unwrap();
        let failed: Result<()> = store.write(|tx| {
            set_meta(tx, "b", b"2")?;
            Err(Error::BadRow("test"))
        });
        assert!(failed.is_err());
        let again = Store::open(&path).unwrap();
        assert_eq!(again.read(|c| meta(c, "a")).unwrap().as_deref(), Some(&b"1"[..]));
        assert_eq!(again.read(|c| meta(c, "b")).unwrap(), None);
        assert_eq!(again.check().unwrap(), Vec::<String>::new());
    }
}
