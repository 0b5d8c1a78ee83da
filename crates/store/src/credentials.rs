//! Files of credit statements that were issued on this computer.

use rusqlite::{Connection, OptionalExtension};

use crate::Result;

/// Keeps the file of a statement.
pub fn put(c: &Connection, id: &str, file: &str) -> Result<()> {
    c.prepare_cached("INSERT OR REPLACE INTO credit_file (id, file) VALUES (?, ?)")?
        .execute((id, file))?;
    Ok(())
}

/// The file of a statement.
pub fn get(c: &Connection, id: &str) -> Result<Option<String>> {
    Ok(c.prepare_cached("SELECT file FROM credit_file WHERE id = ?")?
        .query_row([id], |row| row.get(0))
        .optional()?)
}

/// Whether the file of a statement is here.
pub fn has(c: &Connection, id: &str) -> Result<bool> {
    Ok(c.prepare_cached("SELECT 1 FROM credit_file WHERE id = ?")?
        .exists([id])?)
}
