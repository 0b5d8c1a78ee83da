//! The SQL of recovery codes and handovers of accounts. Several of these together are one act, so callers put
//! them into one transaction.

use rusqlite::{Connection, OptionalExtension, params};

use crate::Result;

/// What is known of the codes of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sheet {
    /// Codes on paper that are good.
    pub left: u64,
    /// Codes of the same sheet that were used.
    pub used: u64,
    /// Unix seconds when the sheet was made; `None`: there is none.
    pub made_at: Option<i64>,
}

/// One account's work that went over to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandoverRow {
    /// Name of the account that was closed.
    pub old: String,
    /// Name of the account that was opened.
    pub new: String,
    /// Role code of both.
    pub role: String,
    /// Unix seconds by this node's clock.
    pub at: i64,
}

/// Books a try as a failure and says until when no code is looked at: `None` means look. The try that reaches
/// `most` locks for `seconds`.
pub fn begin_try(conn: &Connection, now: i64, most: i64, seconds: i64) -> Result<Option<i64>> {
    // As for accounts: a clock that was put back must not lock an office out for years.
    conn.execute(
        "UPDATE recovery_guard SET locked_until = ?1 + ?2 WHERE locked_until > ?1 + ?2",
        [now, seconds],
    )?;
    let booked = conn.execute(
        "UPDATE recovery_guard SET
           failures = CASE WHEN locked_until > 0 THEN 1 ELSE failures + 1 END,
           locked_until = CASE WHEN locked_until = 0 AND failures + 1 >= ?2 THEN ?1 + ?3 ELSE 0 END
         WHERE locked_until <= ?1",
        [now, most, seconds],
    )?;
    if booked == 1 {
        return Ok(None);
    }
    let until = conn.query_row("SELECT locked_until FROM recovery_guard", (), |row| row.get(0))?;
    Ok(Some(until))
}

/// Forgets the wrong tries after a good one.
pub fn forget_tries(conn: &Connection) -> Result<()> {
    conn.execute("UPDATE recovery_guard SET failures = 0, locked_until = 0", ())?;
    Ok(())
}

/// Keeps the hashes of a new sheet; the codes of earlier sheets that nobody used are void.
pub fn replace_sheet(conn: &Connection, hashes: &[Vec<u8>], by: &str, now: i64) -> Result<()> {
    conn.execute("DELETE FROM recovery_code WHERE account IS NULL", ())?;
    for hash in hashes {
        conn.execute(
            "INSERT INTO recovery_code (code_hash, account, made_by, made_at) VALUES (?1, NULL, ?2, ?3)",
            params![hash, by, now],
        )?;
    }
    Ok(())
}

/// Keeps the hash of a code for one account and voids the one before it.
pub fn replace_code_of(conn: &Connection, account: &str, hash: &[u8], by: &str, now: i64) -> Result<()> {
    conn.execute("DELETE FROM recovery_code WHERE account = ?1", [account])?;
    conn.execute(
        "INSERT INTO recovery_code (code_hash, account, made_by, made_at) VALUES (?1, ?2, ?3, ?4)",
        params![hash, account, by, now],
    )?;
    Ok(())
}

/// Who made an unused code that is good for this account at `now`; one for a single account lives `seconds`.
pub fn good_for(
    conn: &Connection,
    hash: &[u8],
    account: &str,
    now: i64,
    seconds: i64,
) -> Result<Option<String>> {
    let sql = "SELECT made_by FROM recovery_code
               WHERE code_hash = ?1 AND used_at IS NULL
                 AND (account IS NULL OR (account = ?2 AND ABS(?3 - made_at) <= ?4))";
    let found = conn.query_row(sql, params![hash, account, now, seconds], |row| row.get(0));
    Ok(found.optional()?)
}

/// Uses up a code.
pub fn use_up(conn: &Connection, hash: &[u8], now: i64) -> Result<()> {
    conn.execute(
        "UPDATE recovery_code SET used_at = ?2 WHERE code_hash = ?1",
        params![hash, now],
    )?;
    Ok(())
}

/// How many codes on paper are left.
pub fn sheet(conn: &Connection) -> Result<Sheet> {
    let sql = "SELECT COUNT(*) FILTER (WHERE used_at IS NULL), COUNT(used_at), MAX(made_at)
               FROM recovery_code WHERE account IS NULL";
    Ok(conn.query_row(sql, (), |row| {
        Ok(Sheet {
            left: row.get::<_, i64>(0)?.unsigned_abs(),
            used: row.get::<_, i64>(1)?.unsigned_abs(),
            made_at: row.get(2)?,
        })
    })?)
}

/// Notes a handover.
pub fn insert_handover(conn: &Connection, row: &HandoverRow) -> Result<()> {
    conn.execute(
        "INSERT INTO handover (old, new, role, at) VALUES (?1, ?2, ?3, ?4)",
        params![row.old, row.new, row.role, row.at],
    )?;
    Ok(())
}

/// All handovers, the newest first.
pub fn handovers(conn: &Connection) -> Result<Vec<HandoverRow>> {
    let mut query = conn.prepare("SELECT old, new, role, at FROM handover ORDER BY id DESC")?;
    let rows = query.query_map((), |row| {
        Ok(HandoverRow {
            old: row.get(0)?,
            new: row.get(1)?,
            role: row.get(2)?,
            at: row.get(3)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
