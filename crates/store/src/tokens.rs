//! Tokens of other systems, and what their imports were answered with.

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::Result;

/// A token without its secret. Times are unix seconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenRow {
    /// Its id, which the token begins with.
    pub id: String,
    /// SHA-256 of the whole token.
    pub hash: Vec<u8>,
    /// What it is for.
    pub label: String,
    /// Codes of its scopes, with spaces between.
    pub scopes: String,
    /// When it was made.
    pub made_at: i64,
    /// By which account.
    pub made_by: String,
    /// From when on it is good no more.
    pub expires_at: i64,
    /// When it was used last, to a minute.
    pub used_at: Option<i64>,
    /// When it was taken back.
    pub revoked_at: Option<i64>,
    /// By which account.
    pub revoked_by: Option<String>,
}

const COLUMNS: &str =
    "id, hash, label, scopes, made_at, made_by, expires_at, used_at, revoked_at, revoked_by";

fn row(row: &Row<'_>) -> rusqlite::Result<TokenRow> {
    Ok(TokenRow {
        id: row.get(0)?,
        hash: row.get(1)?,
        label: row.get(2)?,
        scopes: row.get(3)?,
        made_at: row.get(4)?,
        made_by: row.get(5)?,
        expires_at: row.get(6)?,
        used_at: row.get(7)?,
        revoked_at: row.get(8)?,
        revoked_by: row.get(9)?,
    })
}

/// Keeps a new token.
pub fn add(c: &Connection, token: &TokenRow) -> Result<()> {
    c.prepare_cached(
        "INSERT INTO api_token (id, hash, label, scopes, made_at, made_by, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        token.id,
        token.hash,
        token.label,
        token.scopes,
        token.made_at,
        token.made_by,
        token.expires_at
    ])?;
    Ok(())
}

/// A token by its id.
pub fn get(c: &Connection, id: &str) -> Result<Option<TokenRow>> {
    let sql = format!("SELECT {COLUMNS} FROM api_token WHERE id = ?");
    Ok(c.prepare_cached(&sql)?.query_row([id], row).optional()?)
}

/// All tokens, the newest first.
pub fn list(c: &Connection) -> Result<Vec<TokenRow>> {
    let sql = format!("SELECT {COLUMNS} FROM api_token ORDER BY made_at DESC, id");
    let mut query = c.prepare_cached(&sql)?;
    let rows = query.query_map([], row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Notes that a token was used.
pub fn touch(c: &Connection, id: &str, at: i64) -> Result<()> {
    c.prepare_cached("UPDATE api_token SET used_at = ? WHERE id = ?")?
        .execute((at, id))?;
    Ok(())
}

/// Takes a token back; `false` if there is none, or it was taken back before.
pub fn revoke(c: &Connection, id: &str, at: i64, by: &str) -> Result<bool> {
    let changed = c
        .prepare_cached(
            "UPDATE api_token SET revoked_at = ?, revoked_by = ? WHERE id = ? AND revoked_at IS NULL",
        )?
        .execute((at, by, id))?;
    Ok(changed > 0)
}

/// What a key of an import was answered with: digest of the content, and the answer.
pub fn answered(c: &Connection, token: &str, key: &str) -> Result<Option<(Vec<u8>, String)>> {
    Ok(
        c.prepare_cached("SELECT digest, answer FROM api_import WHERE token = ? AND key = ?")?
            .query_row((token, key), |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?,
    )
}

/// Notes what a key of an import was answered with.
pub fn note_answer(
    c: &Connection,
    token: &str,
    key: &str,
    digest: &[u8],
    answer: &str,
    at: i64,
) -> Result<()> {
    c.prepare_cached(
        "INSERT OR IGNORE INTO api_import (token, key, digest, answer, at) VALUES (?, ?, ?, ?, ?)",
    )?
    .execute((token, key, digest, answer, at))?;
    Ok(())
}
