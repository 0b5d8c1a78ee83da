//! A copy of the whole database as it stands at one moment, beside writers; and reading such a copy.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use crate::changes::{self, Document};
use crate::{Error, Result, Store, meta, roll};

/// What a database holds, as far as it tells one from another.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Contents {
    /// Number of the migration that it stands at.
    pub schema: i64,
    /// The store id, 16 bytes.
    pub store: Vec<u8>,
    /// The incarnation of this device's actors, 4 bytes; empty before the first record.
    pub incarnation: Vec<u8>,
    /// Highest local sequence.
    pub last: u64,
    /// Statements of the roll.
    pub statements: u64,
    /// The documents, by key.
    pub documents: Vec<Document>,
}

impl Store {
    /// Writes a copy to a file that is not there yet. It holds what was committed when this began; writers go on
    /// meanwhile. The caller syncs it. A damaged page ends it with an error, for every row is read.
    pub fn copy_to(&self, to: &Path) -> Result<()> {
        let to = to.to_str().ok_or_else(|| Error::Path(to.to_path_buf()))?;
        let lent = self.reader()?;
        let conn = lent.conn.as_ref().ok_or(Error::BadRow("connection"))?;
        conn.execute("VACUUM INTO ?", [to])?;
        Ok(())
    }

    /// What this database holds.
    pub fn contents(&self) -> Result<Contents> {
        self.read(contents)
    }
}

/// Checks every page and index of a copy that no program has open, and says what it holds. Nothing is written,
/// neither into it nor beside it.
pub fn inspect(path: &Path) -> Result<Contents> {
    let damaged = |what: String| Error::Damaged {
        path: path.to_path_buf(),
        what,
    };
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let problem: String = conn.query_row("PRAGMA integrity_check(1)", [], |r| r.get(0))?;
    if problem != "ok" {
        return Err(damaged(problem));
    }
    contents(&conn)
}

fn contents(c: &Connection) -> Result<Contents> {
    let mut documents = changes::documents(c)?;
    documents.sort_by(|a, b| a.key.as_str().cmp(b.key.as_str()));
    Ok(Contents {
        schema: c.query_row("PRAGMA user_version", [], |r| r.get(0))?,
        store: meta(c, "store_id")?.unwrap_or_default(),
        incarnation: meta(c, "incarnation")?.unwrap_or_default(),
        last: changes::last_local(c)?,
        statements: roll::count(c)?,
        documents,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::set_meta;

    #[test]
    fn a_copy_is_made_beside_a_writer_and_reading_it_writes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("yanxiu.db")).unwrap();
        store
            .write(|tx| set_meta(tx, "store_id", b"0123456789abcdef"))
            .unwrap();
        let to = dir.path().join("备份.db");
        store
            .write(|tx| {
                set_meta(tx, "store_id", b"fedcba9876543210")?;
                // Not committed yet: the copy does not wait for it and does not hold it.
                store.copy_to(&to)
            })
            .unwrap();
        let before = std::fs::read(&to).unwrap();
        assert_eq!(inspect(&to).unwrap().store, b"0123456789abcdef");
        assert_eq!(inspect(&to).unwrap().schema, store.contents().unwrap().schema);
        assert_eq!(std::fs::read(&to).unwrap(), before);
        assert_eq!(
            std::fs::read_dir(dir.path())
                .unwrap()
                .filter(|e| {
                    e.as_ref()
                        .unwrap()
                        .file_name()
                        .to_string_lossy()
                        .starts_with("备份")
                })
                .count(),
            1
        );
        // Never over what is there.
        assert!(store.copy_to(&to).is_err());
    }
}
