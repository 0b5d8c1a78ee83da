//! The SQL of local accounts, their sign-ins, setup links and the access log.
//!
//! These tables belong to one node and never travel. Each function is one statement (or several
//! that are each safe on their own), so callers need no transaction. Times are unix seconds that
//! the caller brings; a clock that was set back is handled here where it matters.

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::Result;

/// One local account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountRow {
    /// UUID text.
    pub id: String,
    /// The name typed at sign-in, unique on this node.
    pub name: String,
    /// Role code: `clerk`, `auditor`, `admin`, `teacher` or `leader`.
    pub role: String,
    /// Argon2id hash as a PHC string.
    pub secret: String,
    /// Record id of the teacher whose account this is, if it is one person's.
    pub person: Option<String>,
    /// Unix seconds.
    pub created_at: i64,
    /// Failed sign-ins since the last good one.
    pub failures: i64,
    /// Unix seconds until which sign-in is refused; 0 = not locked.
    pub locked_until: i64,
    /// Whether the account may sign in.
    pub active: bool,
}

const COLUMNS: &str = "id, name, role, secret, person, created_at, COALESCE(failures, 0), \
     COALESCE(locked_until, 0), active";

fn account_row(row: &Row<'_>) -> rusqlite::Result<AccountRow> {
    Ok(AccountRow {
        id: row.get(0)?,
        name: row.get(1)?,
        role: row.get(2)?,
        secret: row.get(3)?,
        person: row.get(4)?,
        created_at: row.get(5)?,
        failures: row.get(6)?,
        locked_until: row.get(7)?,
        active: row.get(8)?,
    })
}

/// Adds an account; `false` if the name is taken.
pub fn insert_account(conn: &Connection, account: &AccountRow) -> Result<bool> {
    let added = conn.execute(
        "INSERT INTO account (id, name, role, secret, person, created_at, failures, locked_until, active)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (name) DO NOTHING",
        params![
            account.id,
            account.name,
            account.role,
            account.secret,
            account.person,
            account.created_at,
            account.failures,
            account.locked_until,
            account.active
        ],
    )?;
    Ok(added == 1)
}

/// All accounts, by name.
pub fn accounts(conn: &Connection) -> Result<Vec<AccountRow>> {
    let mut query = conn.prepare(&format!("SELECT {COLUMNS} FROM account ORDER BY name"))?;
    let rows = query.query_map([], account_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// How many accounts there are.
pub fn account_count(conn: &Connection) -> Result<u64> {
    let count: i64 = conn.query_row("SELECT COUNT(*) FROM account", [], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

/// The account with this id.
pub fn account(conn: &Connection, id: &str) -> Result<Option<AccountRow>> {
    let sql = format!("SELECT {COLUMNS} FROM account WHERE id = ?1");
    Ok(conn.query_row(&sql, [id], account_row).optional()?)
}

/// The account with this name.
pub fn account_named(conn: &Connection, name: &str) -> Result<Option<AccountRow>> {
    let sql = format!("SELECT {COLUMNS} FROM account WHERE name = ?1");
    Ok(conn.query_row(&sql, [name], account_row).optional()?)
}

/// What [`begin_attempt`] allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// No such active account.
    Unknown,
    /// Too many failures; refused until this unix second.
    Locked(i64),
    /// Check the secret of this account; the attempt is already counted as failed.
    Open(AccountRow),
}

/// Books one sign-in attempt on `name` *as a failure* and says whether the secret may be checked.
///
/// Counting first and forgiving later (see [`clear_failures`]) means that attempts made at the
/// same moment cannot all slip under the limit, and a killed program forgets none. The attempt
/// that reaches `max_failures` locks the account for `lock_seconds`.
pub fn begin_attempt(
    conn: &Connection,
    name: &str,
    now: i64,
    max_failures: i64,
    lock_seconds: i64,
) -> Result<Attempt> {
    // A lock that ends later than one full lock from now was set before the clock was put back:
    // a dead clock battery must not lock an office out for years.
    conn.execute(
        "UPDATE account SET locked_until = ?2 + ?3 WHERE name = ?1 AND locked_until > ?2 + ?3",
        params![name, now, lock_seconds],
    )?;
    let sql = format!(
        "UPDATE account SET
           failures = CASE WHEN COALESCE(locked_until, 0) > 0 THEN 1 ELSE COALESCE(failures, 0) + 1 END,
           locked_until = CASE WHEN COALESCE(locked_until, 0) = 0 AND COALESCE(failures, 0) + 1 >= ?3
                               THEN ?2 + ?4 ELSE 0 END
         WHERE name = ?1 AND active = 1 AND COALESCE(locked_until, 0) <= ?2
         RETURNING {COLUMNS}"
    );
    let open = conn
        .query_row(&sql, params![name, now, max_failures, lock_seconds], account_row)
        .optional()?;
    if let Some(account) = open {
        return Ok(Attempt::Open(account));
    }
    Ok(match account_named(conn, name)? {
        Some(account) if account.active => Attempt::Locked(account.locked_until),
        _ => Attempt::Unknown,
    })
}

/// Forgets the failures of an account after a good sign-in or an administrator's reset.
pub fn clear_failures(conn: &Connection, id: &str) -> Result<()> {
    conn.execute(
        "UPDATE account SET failures = 0, locked_until = 0 WHERE id = ?1",
        [id],
    )?;
    Ok(())
}

/// Sets the hash of an account's PIN or password; `false` if there is no such account.
pub fn set_secret(conn: &Connection, id: &str, secret: &str) -> Result<bool> {
    Ok(conn.execute("UPDATE account SET secret = ?2 WHERE id = ?1", [id, secret])? == 1)
}

/// Lets an account sign in or stops it; `false` if there is no such account.
pub fn set_active(conn: &Connection, id: &str, active: bool) -> Result<bool> {
    Ok(conn.execute(
        "UPDATE account SET active = ?2 WHERE id = ?1",
        params![id, active],
    )? == 1)
}

/// A page session of a signed-in account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebSessionRow {
    /// Whose it is.
    pub account: AccountRow,
    /// Token that every form of this session must carry.
    pub csrf: String,
    /// Unix seconds of the last request.
    pub seen_at: i64,
}

/// Opens a page session. Only the token's hash is kept.
pub fn insert_web_session(
    conn: &Connection,
    token_hash: &[u8],
    account: &str,
    csrf: &str,
    now: i64,
) -> Result<()> {
    conn.execute(
        "INSERT INTO web_session (token_hash, account, csrf, created_at, seen_at) VALUES (?1, ?2, ?3, ?4, ?4)",
        params![token_hash, account, csrf, now],
    )?;
    Ok(())
}

/// The page session with this token hash, if its account may still sign in.
pub fn web_session(conn: &Connection, token_hash: &[u8]) -> Result<Option<WebSessionRow>> {
    let sql = "SELECT a.id, a.name, a.role, a.secret, a.person, a.created_at, COALESCE(a.failures, 0),
                      COALESCE(a.locked_until, 0), a.active, w.csrf, w.seen_at
               FROM web_session w JOIN account a ON a.id = w.account
               WHERE w.token_hash = ?1 AND a.active = 1";
    let found = conn.query_row(sql, [token_hash], |row| {
        Ok(WebSessionRow {
            account: account_row(row)?,
            csrf: row.get(9)?,
            seen_at: row.get(10)?,
        })
    });
    Ok(found.optional()?)
}

/// Notes that a page session was used at `now`.
pub fn touch_web_session(conn: &Connection, token_hash: &[u8], now: i64) -> Result<()> {
    conn.execute(
        "UPDATE web_session SET seen_at = ?2 WHERE token_hash = ?1",
        params![token_hash, now],
    )?;
    Ok(())
}

/// Ends one page session.
pub fn delete_web_session(conn: &Connection, token_hash: &[u8]) -> Result<()> {
    conn.execute("DELETE FROM web_session WHERE token_hash = ?1", [token_hash])?;
    Ok(())
}

/// Ends the page sessions of an account, except the one with token hash `keep`.
pub fn delete_web_sessions_of(conn: &Connection, account: &str, keep: Option<&[u8]>) -> Result<()> {
    conn.execute(
        "DELETE FROM web_session WHERE account = ?1 AND (?2 IS NULL OR token_hash <> ?2)",
        params![account, keep],
    )?;
    Ok(())
}

/// Ends all page sessions.
pub fn delete_all_web_sessions(conn: &Connection) -> Result<()> {
    conn.execute("DELETE FROM web_session", [])?;
    Ok(())
}

/// Removes page sessions last used further than `idle` seconds from `now`, in either direction:
/// one from the future was used before the clock was put back.
pub fn prune_web_sessions(conn: &Connection, now: i64, idle: i64) -> Result<()> {
    conn.execute(
        "DELETE FROM web_session WHERE ABS(?1 - seen_at) > ?2",
        [now, idle],
    )?;
    Ok(())
}

/// Keeps the hash of a new setup link and voids all earlier ones.
pub fn replace_setup_link(conn: &Connection, token_hash: &[u8], now: i64) -> Result<()> {
    conn.execute(
        "INSERT INTO setup_link (token_hash, created_at, used_at) VALUES (?1, ?2, NULL)",
        params![token_hash, now],
    )?;
    conn.execute(
        "DELETE FROM setup_link WHERE token_hash <> ?1 AND used_at IS NULL",
        [token_hash],
    )?;
    Ok(())
}

/// Whether a setup link with this token hash is still unused.
pub fn setup_link_open(conn: &Connection, token_hash: &[u8]) -> Result<bool> {
    let sql = "SELECT COUNT(*) FROM setup_link WHERE token_hash = ?1 AND used_at IS NULL";
    Ok(conn.query_row(sql, [token_hash], |row| row.get::<_, i64>(0))? == 1)
}

/// Uses up a setup link; `true` for exactly one caller.
pub fn use_setup_link(conn: &Connection, token_hash: &[u8], now: i64) -> Result<bool> {
    let used = conn.execute(
        "UPDATE setup_link SET used_at = ?2 WHERE token_hash = ?1 AND used_at IS NULL",
        params![token_hash, now],
    )?;
    Ok(used == 1)
}

/// Gives a setup link back after the account could not be made with it.
pub fn reopen_setup_link(conn: &Connection, token_hash: &[u8]) -> Result<()> {
    conn.execute(
        "UPDATE setup_link SET used_at = NULL WHERE token_hash = ?1",
        [token_hash],
    )?;
    Ok(())
}

/// One line of the access log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessRow {
    /// Unix seconds by this node's clock.
    pub at: i64,
    /// Account id; empty where nobody was signed in.
    pub account: String,
    /// The account's name then, or the name that was tried.
    pub name: String,
    /// What was done: a short code such as `login`, `login_failed`, `decide`.
    pub act: String,
    /// What it was done to: a record id, a file name.
    pub object: String,
    /// Address of the browser.
    pub remote: String,
}

/// Adds a line to the access log.
pub fn insert_access(conn: &Connection, line: &AccessRow) -> Result<()> {
    conn.execute(
        "INSERT INTO access_log (at, account, name, act, object, remote) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            line.at,
            line.account,
            line.name,
            line.act,
            line.object,
            line.remote
        ],
    )?;
    Ok(())
}

/// The last `limit` lines of the access log in the order of writing, newest first (not by time:
/// the clock may have jumped).
pub fn access_log(conn: &Connection, limit: u32) -> Result<Vec<AccessRow>> {
    let mut query = conn.prepare(
        "SELECT at, account, name, act, object, remote FROM access_log ORDER BY rowid DESC LIMIT ?1",
    )?;
    let rows = query.query_map([limit], |row| {
        Ok(AccessRow {
            at: row.get(0)?,
            account: row.get(1)?,
            name: row.get(2)?,
            act: row.get(3)?,
            object: row.get(4)?,
            remote: row.get(5)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Which lines of the access log are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessFilter {
    /// Codes of acts; empty = all.
    pub acts: Vec<String>,
    /// Part of a name; empty = all.
    pub who: String,
    /// Not before this unix second.
    pub from: Option<i64>,
    /// Before this unix second.
    pub until: Option<i64>,
    /// Only what was written before the line of this place.
    pub before: Option<i64>,
}

/// The last `limit` lines that fit in the order of writing, newest first, each with its place.
pub fn access_lines(conn: &Connection, filter: &AccessFilter, limit: u32) -> Result<Vec<(i64, AccessRow)>> {
    let mut query = conn.prepare_cached(
        "SELECT rowid, at, account, name, act, object, remote FROM access_log
         WHERE (?1 = '[]' OR act IN (SELECT value FROM json_each(?1))) AND (?2 = '' OR instr(name, ?2) > 0)
           AND at >= coalesce(?3, at) AND at < coalesce(?4, at + 1) AND rowid < coalesce(?5, rowid + 1)
         ORDER BY rowid DESC LIMIT ?6",
    )?;
    let quoted: Vec<String> = filter
        .acts
        .iter()
        .map(|act| format!("\"{}\"", act.replace(['"', '\\'], "")))
        .collect();
    let acts = format!("[{}]", quoted.join(","));
    let rows = query.query_map(
        params![acts, filter.who, filter.from, filter.until, filter.before, limit],
        |row| {
            let line = AccessRow {
                at: row.get(1)?,
                account: row.get::<_, Option<String>>(2)?.unwrap_or_default(),
                name: row.get::<_, Option<String>>(3)?.unwrap_or_default(),
                act: row.get(4)?,
                object: row.get::<_, Option<String>>(5)?.unwrap_or_default(),
                remote: row.get::<_, Option<String>>(6)?.unwrap_or_default(),
            };
            Ok((row.get(0)?, line))
        },
    )?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Removes lines older than unix second `before`, but never one of the newest `keep` lines: a
/// clock that stands in the future must not empty the log. Returns how many went.
pub fn prune_access_log(conn: &Connection, before: i64, keep: u32) -> Result<usize> {
    let sql = "DELETE FROM access_log
               WHERE at < ?1 AND rowid <= (SELECT MAX(rowid) FROM access_log) - ?2";
    Ok(conn.execute(sql, params![before, keep])?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAILURES: i64 = 5;
    const LOCK: i64 = 900;
    /// 2026-01-10, as unix seconds.
    const NOW: i64 = 1_768_000_000;

    fn database() -> Connection {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch(include_str!("../migrations/001_first.sql"))
            .unwrap();
        let row = AccountRow {
            id: "a1".into(),
            name: "李专管员".into(),
            role: "clerk".into(),
            secret: "$argon2id$".into(),
            person: None,
            created_at: NOW,
            failures: 0,
            locked_until: 0,
            active: true,
        };
        assert!(insert_account(&conn, &row).unwrap());
        assert!(
            !insert_account(
                &conn,
                &AccountRow {
                    id: "a2".into(),
                    ..row
                }
            )
            .unwrap()
        );
        conn
    }

    fn attempt(conn: &Connection, now: i64) -> Attempt {
        begin_attempt(conn, "李专管员", now, FAILURES, LOCK).unwrap()
    }

    #[test]
    fn the_fifth_failure_locks_and_the_lock_ends() {
        let conn = database();
        for failure in 1..=5 {
            let Attempt::Open(account) = attempt(&conn, NOW) else {
                panic!("failure {failure}")
            };
            assert_eq!(account.failures, failure);
        }
        assert_eq!(attempt(&conn, NOW), Attempt::Locked(NOW + LOCK));
        assert_eq!(attempt(&conn, NOW + LOCK - 1), Attempt::Locked(NOW + LOCK));
        // Afterwards there are five new attempts, not one.
        for failure in 1..=5 {
            let Attempt::Open(account) = attempt(&conn, NOW + LOCK) else {
                panic!("failure {failure}")
            };
            assert_eq!(account.failures, failure);
        }
        assert!(matches!(attempt(&conn, NOW + LOCK), Attempt::Locked(_)));
    }

    #[test]
    fn a_good_sign_in_forgets_the_failures() {
        let conn = database();
        for _ in 0..5 {
            attempt(&conn, NOW);
        }
        clear_failures(&conn, "a1").unwrap();
        let Attempt::Open(account) = attempt(&conn, NOW) else {
            panic!()
        };
        assert_eq!(account.failures, 1);
    }

    #[test]
    fn a_clock_set_back_locks_for_one_lock_and_no_longer() {
        let conn = database();
        for _ in 0..5 {
            attempt(&conn, NOW);
        }
        // The battery died: it is 1970 again.
        assert_eq!(attempt(&conn, 100), Attempt::Locked(100 + LOCK));
        assert!(matches!(attempt(&conn, 100 + LOCK), Attempt::Open(_)));
    }

    #[test]
    fn unknown_and_stopped_accounts_look_alike() {
        let conn = database();
        assert_eq!(
            begin_attempt(&conn, "没有此人", NOW, FAILURES, LOCK).unwrap(),
            Attempt::Unknown
        );
        assert!(set_active(&conn, "a1", false).unwrap());
        assert_eq!(attempt(&conn, NOW), Attempt::Unknown);
        assert!(!set_active(&conn, "nobody", false).unwrap());
    }

    #[test]
    fn a_setup_link_works_once_and_a_new_one_voids_the_old() {
        let conn = database();
        replace_setup_link(&conn, b"one", NOW).unwrap();
        replace_setup_link(&conn, b"two", NOW).unwrap();
        assert!(!setup_link_open(&conn, b"one").unwrap() && setup_link_open(&conn, b"two").unwrap());
        assert!(!use_setup_link(&conn, b"one", NOW).unwrap());
        assert!(use_setup_link(&conn, b"two", NOW).unwrap());
        assert!(!use_setup_link(&conn, b"two", NOW).unwrap());
        reopen_setup_link(&conn, b"two").unwrap();
        assert!(use_setup_link(&conn, b"two", NOW).unwrap());
    }

    #[test]
    fn sessions_of_a_stopped_account_are_no_sessions() {
        let conn = database();
        insert_web_session(&conn, b"t1", "a1", "c1", NOW).unwrap();
        insert_web_session(&conn, b"t2", "a1", "c2", NOW).unwrap();
        assert_eq!(web_session(&conn, b"t1").unwrap().unwrap().csrf, "c1");
        delete_web_sessions_of(&conn, "a1", Some(b"t2")).unwrap();
        assert!(web_session(&conn, b"t1").unwrap().is_none() && web_session(&conn, b"t2").unwrap().is_some());
        set_active(&conn, "a1", false).unwrap();
        assert!(web_session(&conn, b"t2").unwrap().is_none());
        set_active(&conn, "a1", true).unwrap();
        // From the future: the clock was put back since.
        prune_web_sessions(&conn, NOW - 100_000, 43_200).unwrap();
        assert!(web_session(&conn, b"t2").unwrap().is_none());
    }

    #[test]
    fn pruning_keeps_the_newest_lines_whatever_the_clock_says() {
        let conn = database();
        for at in 0..10 {
            let act = format!("act{at}");
            let line = AccessRow {
                at: NOW + at,
                act,
                ..AccessRow::default()
            };
            insert_access(&conn, &line).unwrap();
        }
        assert_eq!(prune_access_log(&conn, NOW + 3, 0).unwrap(), 3);
        // A clock in the year 2100 would empty the log without the floor.
        assert_eq!(prune_access_log(&conn, 4_102_444_800, 5).unwrap(), 2);
        let left: Vec<String> = access_log(&conn, 100)
            .unwrap()
            .into_iter()
            .map(|line| line.act)
            .collect();
        assert_eq!(left, ["act9", "act8", "act7", "act6", "act5"]);
    }
}
