//! Imported tables: what each wrote, and which rows of which file were taken.

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::Result;

/// One imported file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Import {
    /// Id.
    pub id: String,
    /// What it is a table of: `roster`, `attendance`, `outside`, `passes`.
    pub what: String,
    /// The session that the list is of, or empty.
    pub about: String,
    /// Name of the file.
    pub file: String,
    /// SHA-256 of the file, hexadecimal.
    pub hash: String,
    /// Label of the account.
    pub account: String,
    /// Unix seconds.
    pub at: i64,
    /// When something of it was last taken back, by whom and why.
    pub undone: Option<(i64, String, String)>,
}

/// What one row of the file wrote into one record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Order of writing.
    pub place: i64,
    /// Where the row stands in the file.
    pub row_key: String,
    /// Record id.
    pub record: String,
    /// Kind id.
    pub kind: String,
    /// The record began with it.
    pub made: bool,
    /// JSON: what stood in each field that was written.
    pub before: String,
    /// JSON: what was written.
    pub after: String,
    /// It was taken back.
    pub undone: bool,
}

/// Notes an import with all that it writes.
pub fn add(c: &Connection, import: &Import, rows: &[Written]) -> Result<()> {
    c.prepare_cached(
        "INSERT INTO import (id, what, about, file, hash, account, at) VALUES (?, ?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        import.id,
        import.what,
        import.about,
        import.file,
        import.hash,
        import.account,
        import.at
    ])?;
    let mut insert = c.prepare_cached(
        "INSERT INTO import_row (import, place, row_key, record, kind, made, before, after)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )?;
    for row in rows {
        insert.execute(params![
            import.id,
            row.place,
            row.row_key,
            row.record,
            row.kind,
            row.made,
            row.before,
            row.after
        ])?;
    }
    Ok(())
}

const COLUMNS: &str = "id, what, about, file, hash, account, at, undone_at, undone_by, reason";

fn read(row: &Row<'_>) -> rusqlite::Result<Import> {
    let text = |column: usize| -> rusqlite::Result<String> {
        Ok(row.get::<_, Option<String>>(column)?.unwrap_or_default())
    };
    let undone = match row.get::<_, Option<i64>>(7)? {
        Some(at) => Some((at, text(8)?, text(9)?)),
        None => None,
    };
    Ok(Import {
        id: row.get(0)?,
        what: row.get(1)?,
        about: row.get(2)?,
        file: row.get(3)?,
        hash: row.get(4)?,
        account: row.get(5)?,
        at: row.get(6)?,
        undone,
    })
}

/// Imports with how many records each wrote and how many of these were taken back, the newest first.
pub fn list(c: &Connection, limit: u32) -> Result<Vec<(Import, u64, u64)>> {
    let sql = format!(
        "SELECT {COLUMNS}, (SELECT COUNT(*) FROM import_row r WHERE r.import = import.id),
                (SELECT COUNT(*) FROM import_row r WHERE r.import = import.id AND r.undone = 1)
         FROM import ORDER BY at DESC, rowid DESC LIMIT ?"
    );
    let mut query = c.prepare_cached(&sql)?;
    let rows = query.query_map([limit], |row| {
        let count =
            |column: usize| -> rusqlite::Result<u64> { Ok(row.get::<_, i64>(column)?.unsigned_abs()) };
        Ok((read(row)?, count(10)?, count(11)?))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// One import.
pub fn get(c: &Connection, id: &str) -> Result<Option<Import>> {
    let sql = format!("SELECT {COLUMNS} FROM import WHERE id = ?");
    Ok(c.prepare_cached(&sql)?.query_row([id], read).optional()?)
}

/// What an import wrote, in order.
pub fn rows(c: &Connection, id: &str) -> Result<Vec<Written>> {
    let mut query = c.prepare_cached(
        "SELECT place, row_key, record, kind, made, before, after, undone FROM import_row
         WHERE import = ? ORDER BY place",
    )?;
    let rows = query.query_map([id], |row| {
        Ok(Written {
            place: row.get(0)?,
            row_key: row.get(1)?,
            record: row.get(2)?,
            kind: row.get(3)?,
            made: row.get(4)?,
            before: row.get(5)?,
            after: row.get(6)?,
            undone: row.get(7)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Rows of a file that were imported as this, and not taken back since.
pub fn taken(c: &Connection, hash: &str, what: &str, about: &str) -> Result<Vec<String>> {
    let mut query = c.prepare_cached(
        "SELECT DISTINCT r.row_key FROM import i JOIN import_row r ON r.import = i.id
         WHERE i.hash = ? AND i.what = ? AND i.about = ? AND r.undone = 0",
    )?;
    let keys = query.query_map([hash, what, about], |row| row.get(0))?;
    Ok(keys.collect::<rusqlite::Result<_>>()?)
}

/// Notes that these of its rows were taken back.
pub fn undone(c: &Connection, id: &str, places: &[i64], by: &str, reason: &str, at: i64) -> Result<()> {
    c.prepare_cached("UPDATE import SET undone_at = ?2, undone_by = ?3, reason = ?4 WHERE id = ?1")?
        .execute(params![id, at, by, reason])?;
    let mut mark = c.prepare_cached("UPDATE import_row SET undone = 1 WHERE import = ? AND place = ?")?;
    for place in places {
        mark.execute(params![id, place])?;
    }
    Ok(())
}
