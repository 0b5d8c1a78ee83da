//! Whether a database is the one that this directory had last, or a copy of it: a restored backup, a cloned
//! directory, old bytes written over the file in its place (design.md §4).
//!
//! Beside the database lies the small file `life` with a random number that the database holds too. It is
//! drawn anew at each opening, and by a running node when it has written something, so a copy of either one
//! soon disagrees with the other. A whole directory that was put back agrees with itself: then the file has
//! another inode, or another time of change, than the database noted when it was written.
//!
//! ```text
//! 1  database  next = n            a file that says `life` or `next` is this database's own
//! 2  file      n (new, synced, renamed)
//! 3  database  life = n, mark = inode and time of the file, next removed
//! ```
//! Steps 2 and 3 hold the database's write lock, so that commands beside a running node take turns; a crash
//! between any two steps leaves the file with a number that the database knows. A machine that is set back as
//! a whole, disk and all, agrees in everything: that is noticed with the first peer (`mend`).

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use data_encoding::HEXLOWER;
use store::{Connection, Store};
use sync::StoreId;

use crate::surroundings::Surroundings;
use crate::{Error, directory};

/// A running node that has written something draws a new number after so long.
const RENEW: Duration = Duration::from_secs(600);

/// When a running node drew its last number, and its highest local sequence then.
#[derive(Debug)]
pub(crate) struct Life {
    at: Instant,
    seq: u64,
}

impl Life {
    /// Begins with the opening.
    pub fn new(store: &Store) -> Result<Life, Error> {
        Ok(Life {
            at: Instant::now(),
            seq: store.read(store::changes::last_local)?,
        })
    }

    /// Draws a new number when something was written since the last; `ending`: however short ago.
    pub fn keep(&mut self, store: &Store, dir: &Path, ending: bool) -> Result<(), Error> {
        if !ending && self.at.elapsed() < RENEW {
            return Ok(());
        }
        self.at = Instant::now();
        let seq = store.read(store::changes::last_local)?;
        if seq != self.seq {
            self.seq = seq;
            draw(store)?;
            write(store, dir)?;
        }
        Ok(())
    }
}

/// The store id of this database. A copy is another store and writes under a new incarnation: what it lost
/// comes back from the peers, and nothing forks.
pub(crate) fn begin(store: &Store, dir: &Path, around: &Surroundings) -> Result<StoreId, Error> {
    let fresh = StoreId(around.random()?);
    let id = store.write(|tx| {
        let known = store::meta(tx, "store_id")?;
        let copied = match around.has_files() {
            true => is_copy(tx, dir)?,
            false => other_identity(tx, around.file_identity(dir))?,
        };
        if let (Some(id), false) = (known, copied) {
            return Ok(StoreId(
                id.try_into().map_err(|_| store::Error::BadRow("store id"))?,
            ));
        }
        if copied {
            store::set_meta(tx, "incarnation", b"")?;
            store::events::add(tx, "copied", None, "", "", around.now())?;
        }
        store::set_meta(tx, "store_id", &fresh.0)?;
        Ok::<_, Error>(fresh)
    })?;
    if around.has_files() {
        draw(store)?;
        write(store, dir)?;
    }
    Ok(id)
}

/// A simulated disk has no file beside the database; its identity stands for it.
fn other_identity(c: &Connection, identity: Option<String>) -> Result<bool, Error> {
    let identity = identity.unwrap_or_default().into_bytes();
    let copied = store::meta(c, "file")?.is_some_and(|f| f != identity);
    store::set_meta(c, "file", &identity)?;
    Ok(copied)
}

/// Also makes the number in the file the one that counts, where a crash came between.
fn is_copy(c: &Connection, dir: &Path) -> Result<bool, Error> {
    let file = fs::read(directory::life(dir)).ok();
    let Some(life) = store::meta(c, "life")? else {
        // Written by a program before there was this file: the database's own inode has to do.
        let noted = store::meta(c, "file")?.filter(|f| !f.is_empty());
        let here = directory::file_identity(&directory::database(dir));
        return Ok(noted.is_some_and(|n| here.is_some_and(|h| h.into_bytes() != n)));
    };
    let next = store::meta(c, "life_next")?.filter(|n| !n.is_empty());
    if file.is_some() && file == next {
        store::set_meta(c, "life", &next.unwrap_or_default())?;
        store::set_meta(c, "life_mark", b"")?;
        return Ok(false);
    }
    if file.as_ref() != Some(&life) {
        return Ok(true);
    }
    let mark = store::meta(c, "life_mark")?.filter(|m| !m.is_empty());
    Ok(mark.is_some_and(|m| m != directory::file_mark(&directory::life(dir)).into_bytes()))
}

fn draw(store: &Store) -> Result<(), Error> {
    let number = HEXLOWER.encode(&directory::random::<16>()?);
    Ok(store.write(|tx| store::set_meta(tx, "life_next", number.as_bytes()))?)
}

fn write(store: &Store, dir: &Path) -> Result<(), Error> {
    store.write(|tx| {
        let Some(next) = store::meta(tx, "life_next")?.filter(|n| !n.is_empty()) else {
            return Ok(());
        };
        let path = directory::life(dir);
        let part = path.with_extension("part");
        let put = || -> std::io::Result<()> {
            let mut out = fs::File::create(&part)?;
            out.write_all(&next)?;
            out.sync_all()?;
            fs::rename(&part, &path)?;
            #[cfg(unix)]
            fs::File::open(dir)?.sync_all()?;
            Ok(())
        };
        put().map_err(directory::file(&path))?;
        store::set_meta(tx, "life", &next)?;
        store::set_meta(tx, "life_mark", directory::file_mark(&path).as_bytes())?;
        store::set_meta(tx, "life_next", b"")?;
        Ok::<_, Error>(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&directory::database(dir.path())).unwrap();
        (dir, store)
    }

    fn noted(store: &Store) -> bool {
        store
            .read(|c| store::events::list(c, 10))
            .unwrap()
            .iter()
            .any(|e| e.code == "copied")
    }

    #[test]
    fn opening_again_is_no_copy_and_commands_beside_a_running_node_disturb_nothing() {
        let (dir, store) = open();
        let id = begin(&store, dir.path(), &Surroundings::default()).unwrap();
        let beside = Store::open(&directory::database(dir.path())).unwrap();
        let mut life = Life::new(&store).unwrap();
        for _ in 0..3 {
            assert_eq!(begin(&beside, dir.path(), &Surroundings::default()).unwrap(), id);
            life.seq = 99;
            life.keep(&store, dir.path(), true).unwrap();
            assert_eq!(begin(&store, dir.path(), &Surroundings::default()).unwrap(), id);
        }
        assert!(!noted(&store));
    }

    #[test]
    fn a_crash_between_two_steps_is_no_copy() {
        let (dir, store) = open();
        let id = begin(&store, dir.path(), &Surroundings::default()).unwrap();
        // After step 1, as often as one likes.
        draw(&store).unwrap();
        draw(&store).unwrap();
        assert_eq!(begin(&store, dir.path(), &Surroundings::default()).unwrap(), id);
        // After step 2: the file is new, the database's last commit did not reach the disk.
        for _ in 0..3 {
            draw(&store).unwrap();
            let next = store.read(|c| store::meta(c, "life_next")).unwrap().unwrap();
            fs::write(directory::life(dir.path()), next).unwrap();
            // The next start crashes as well, after its own step 1.
            store
                .write(|tx| is_copy(tx, dir.path()).map(|copied| assert!(!copied)))
                .unwrap();
            draw(&store).unwrap();
            assert_eq!(begin(&store, dir.path(), &Surroundings::default()).unwrap(), id);
        }
        assert!(!noted(&store));
    }

    #[test]
    fn a_database_without_its_file_or_with_another_is_a_copy() {
        let (dir, store) = open();
        let id = begin(&store, dir.path(), &Surroundings::default()).unwrap();
        let file = directory::life(dir.path());
        let old = fs::read(&file).unwrap();
        begin(&store, dir.path(), &Surroundings::default()).unwrap();
        fs::write(&file, old).unwrap();
        let second = begin(&store, dir.path(), &Surroundings::default()).unwrap();
        assert_ne!(second, id);
        fs::remove_file(&file).unwrap();
        assert_ne!(
            begin(&store, dir.path(), &Surroundings::default()).unwrap(),
            second
        );
        assert!(noted(&store));
    }

    #[test]
    fn the_same_bytes_written_again_are_a_copy() {
        let (dir, store) = open();
        let id = begin(&store, dir.path(), &Surroundings::default()).unwrap();
        // The whole directory was put back: database and file agree, but the file was written since.
        let file = directory::life(dir.path());
        let bytes = fs::read(&file).unwrap();
        std::thread::sleep(Duration::from_millis(20));
        fs::write(&file, bytes).unwrap();
        assert_ne!(begin(&store, dir.path(), &Surroundings::default()).unwrap(), id);
    }
}
