//! Looks into a node's database from outside, the way a suspicious person would: with SQL, reading only.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

/// An open database.
pub struct Database(Connection);

/// What a receipt is about: document key, actor, sequence number, change hash.
pub type Held = (String, Vec<u8>, i64, Vec<u8>);

impl Database {
    /// The database of a node that may be running.
    pub fn open(path: &Path) -> Database {
        let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        conn.busy_timeout(Duration::from_secs(20)).unwrap();
        Database(conn)
    }

    /// A copy of what a killed process left, so that looking at it does not mend it first. Nothing may
    /// be writing to `path`.
    pub fn copied(path: &Path, into: &Path) -> Database {
        let beside = |p: &Path, end: &str| PathBuf::from(format!("{}{end}", p.display()));
        for end in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(beside(into, end));
        }
        std::fs::copy(path, into).unwrap();
        let log = beside(path, "-wal");
        if log.exists() {
            std::fs::copy(log, beside(into, "-wal")).unwrap();
        }
        Database(Connection::open(into).unwrap())
    }

    fn rows<T>(&self, sql: &str, row: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>) -> Vec<T> {
        let mut statement = self.0.prepare(sql).unwrap();
        statement
            .query_map([], row)
            .unwrap()
            .collect::<rusqlite::Result<Vec<T>>>()
            .unwrap()
    }

    /// SQLite's own check of every page and index: `ok`.
    pub fn integrity(&self) -> String {
        self.rows("PRAGMA integrity_check", |r| r.get::<_, String>(0))
            .join("; ")
    }

    /// Every stored change: document key and hash.
    pub fn changes(&self) -> BTreeSet<(String, Vec<u8>)> {
        let sql = "SELECT d.key, c.hash FROM change c JOIN document d ON d.id = c.doc";
        self.rows(sql, |r| Ok((r.get(0)?, r.get(1)?)))
            .into_iter()
            .collect()
    }

    /// Every stored change as a receipt names it.
    pub fn stored(&self) -> BTreeSet<Held> {
        let sql = "SELECT d.key, c.actor, c.actor_seq, c.hash FROM change c JOIN document d ON d.id = c.doc";
        self.rows(sql, |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?)))
            .into_iter()
            .collect()
    }

    /// What other stores have said that they hold.
    pub fn receipts(&self) -> Vec<Held> {
        let sql = "SELECT d.key, r.actor, r.seq, r.hash FROM receipt r JOIN document d ON d.id = r.doc";
        self.rows(sql, |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?)))
    }

    /// The last change of each actor, as a receipt for all of it would name it.
    pub fn tips(&self) -> Vec<Held> {
        let sql =
            "SELECT d.key, c.actor, MAX(c.actor_seq), c.hash FROM change c JOIN document d ON d.id = c.doc
                   GROUP BY c.doc, c.actor";
        self.rows(sql, |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?)))
    }

    /// The actors that this node writes as. No other node's receipt is needed for what that node wrote.
    pub fn own_actors(&self) -> Vec<Vec<u8>> {
        self.rows("SELECT DISTINCT actor FROM change WHERE from_peer IS NULL", |r| {
            r.get(0)
        })
    }

    /// The fields of every record, by id, with its kind as `_kind`.
    pub fn records(&self) -> HashMap<String, serde_json::Value> {
        let rows = self.rows("SELECT id, fields FROM record", |r| {
            Ok((r.get(0)?, r.get::<_, String>(1)?))
        });
        rows.into_iter()
            .map(|(id, fields)| (id, serde_json::from_str(&fields).unwrap()))
            .collect()
    }

    /// A number that a query gives.
    pub fn number(&self, sql: &str) -> i64 {
        self.0.query_row(sql, [], |r| r.get(0)).unwrap()
    }

    /// Refusals, quarantines and other events: code and how often.
    pub fn events(&self) -> Vec<(String, i64)> {
        self.rows(
            "SELECT code, SUM(count) FROM event GROUP BY code ORDER BY code",
            |r| Ok((r.get(0)?, r.get(1)?)),
        )
    }
}
