//! Roll statements as rows.

use rusqlite::{Connection, params};
use sync::{NodeId, Roll, Statement};

use crate::{Error, Result};

/// Reads the roll of the pinned county.
pub fn load(c: &Connection, county: NodeId) -> Result<Roll> {
    let mut roll = Roll::new(county);
    let mut statement = c.prepare_cached("SELECT bytes FROM statement ORDER BY id")?;
    let rows = statement.query_map([], |r| r.get::<_, Vec<u8>>(0))?;
    let mut all = Vec::new();
    for bytes in rows {
        all.push(Statement::from_bytes(&bytes?).map_err(|_| Error::BadRow("roll statement"))?);
    }
    roll.add_all(all);
    Ok(roll)
}

/// Keeps statements; known ones change nothing.
pub fn insert(c: &Connection, statements: &[Statement], at: i64) -> Result<()> {
    for s in statements {
        c.prepare_cached("INSERT OR IGNORE INTO statement (hash, bytes, at) VALUES (?, ?, ?)")?
            .execute(params![s.hash(), s.to_bytes(), at])?;
    }
    Ok(())
}

/// Forgets all statements: when a device that was never enrolled turns to another county.
pub fn clear(c: &Connection) -> Result<()> {
    c.execute("DELETE FROM statement", [])?;
    Ok(())
}

/// How many statements are stored.
pub fn count(c: &Connection) -> Result<u64> {
    let n: i64 = c
        .prepare_cached("SELECT COUNT(*) FROM statement")?
        .query_row([], |r| r.get(0))?;
    Ok(n as u64)
}
