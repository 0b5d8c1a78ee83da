//! Which blobs lie here, which are wished for, and in whose stores they lie besides.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension, params};
use sync::blob::{BlobName, BlobReceipt};
use sync::{NodeId, StoreId};

use crate::{Error, Result, fixed};

/// Notes that a blob lies here whole.
pub fn put(c: &Connection, name: &BlobName, bytes: u64, at: i64) -> Result<()> {
    c.prepare_cached("INSERT OR REPLACE INTO blob (name, bytes, at) VALUES (?, ?, ?)")?
        .execute(params![name.to_string(), bytes as i64, at])?;
    c.prepare_cached("DELETE FROM blob_wish WHERE name = ?")?
        .execute([name.to_string()])?;
    Ok(())
}

/// Notes that it lies here no longer.
pub fn remove(c: &Connection, name: &BlobName) -> Result<()> {
    c.prepare_cached("DELETE FROM blob WHERE name = ?")?
        .execute([name.to_string()])?;
    Ok(())
}

/// Bytes of a blob that lies here.
pub fn size(c: &Connection, name: &BlobName) -> Result<Option<u64>> {
    let found = c
        .prepare_cached("SELECT bytes FROM blob WHERE name = ?")?
        .query_row([name.to_string()], |r| r.get::<_, i64>(0))
        .optional()?;
    Ok(found.map(|bytes| bytes as u64))
}

/// All that lie here, with their sizes.
pub fn all(c: &Connection) -> Result<BTreeMap<BlobName, u64>> {
    let mut query = c.prepare_cached("SELECT name, bytes FROM blob")?;
    let rows = query.query_map((), |r| Ok((r.get::<_, String>(0)?, r.get::<_, i64>(1)?)))?;
    rows.map(|row| {
        let (name, bytes) = row?;
        let name = BlobName::parse(&name).ok_or(Error::BadRow("blob"))?;
        Ok((name, bytes as u64))
    })
    .collect()
}

/// Somebody here asks for an original.
pub fn wish(c: &Connection, name: &BlobName, at: i64) -> Result<()> {
    c.prepare_cached("INSERT OR REPLACE INTO blob_wish (name, at) VALUES (?, ?)")?
        .execute(params![name.to_string(), at])?;
    Ok(())
}

/// The originals that were asked for, by name.
pub fn wishes(c: &Connection) -> Result<BTreeSet<String>> {
    let mut query = c.prepare_cached("SELECT name FROM blob_wish")?;
    let names = query.query_map((), |r| r.get(0))?;
    Ok(names.collect::<std::result::Result<_, _>>()?)
}

/// An original that a device asks for, or has asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Asked {
    /// Its name.
    pub name: BlobName,
    /// Who has said so.
    pub node: NodeId,
    /// Links between whoever asks and this node; [`NO_MORE`] if it is asked for no more.
    pub hops: u8,
}

/// In place of hops: it has come to whoever asked for it, or is wanted no longer.
pub const NO_MORE: u8 = 255;

/// Keeps what a device asks for: all of it, with the hops. What it asked for before and lies here stays as
/// [`NO_MORE`]: it may have arrived there, and its receipt be missing. Rows noted before `since` go. Says whether anything
/// is new.
pub fn set_asked(
    c: &Connection,
    node: &NodeId,
    wishes: &[(BlobName, u8)],
    at: i64,
    since: i64,
) -> Result<bool> {
    c.prepare_cached("UPDATE blob_asked SET hops = ?2 WHERE node = ?1")?
        .execute(params![node.0, NO_MORE])?;
    let mut new = false;
    for (name, hops) in wishes {
        let known = c
            .prepare_cached("UPDATE blob_asked SET hops = ?3, at = ?4 WHERE name = ?1 AND node = ?2")?
            .execute(params![name.to_string(), node.0, hops, at])?;
        if known == 0 {
            c.prepare_cached("INSERT INTO blob_asked (name, node, hops, at) VALUES (?, ?, ?, ?)")?
                .execute(params![name.to_string(), node.0, hops, at])?;
            new = true;
        }
    }
    c.prepare_cached(
        "DELETE FROM blob_asked WHERE at < ?1
            OR (hops = ?2 AND NOT EXISTS (SELECT 1 FROM blob b WHERE b.name = blob_asked.name))",
    )?
    .execute(params![since, NO_MORE])?;
    Ok(new)
}

/// Whether a device was told of anything that is asked for.
pub fn was_told(c: &Connection, node: &NodeId) -> Result<bool> {
    let mut query = c.prepare_cached("SELECT 1 FROM blob_told WHERE node = ?")?;
    Ok(query.exists([node.0])?)
}

/// Notes that it was, or that it was told that nothing is.
pub fn set_told(c: &Connection, node: &NodeId, told: bool) -> Result<()> {
    let sql = match told {
        true => "INSERT OR IGNORE INTO blob_told (node) VALUES (?)",
        false => "DELETE FROM blob_told WHERE node = ?",
    };
    c.prepare_cached(sql)?.execute([node.0])?;
    Ok(())
}

/// What other devices ask for.
pub fn asked(c: &Connection) -> Result<Vec<Asked>> {
    let mut query =
        c.prepare_cached("SELECT name, node, hops FROM blob_asked WHERE hops < ? ORDER BY hops, name, node")?;
    let rows = query.query_map([NO_MORE], |r| Ok((r.get::<_, String>(0)?, r.get(1)?, r.get(2)?)))?;
    rows.map(|row| {
        let (name, node, hops) = row?;
        Ok(Asked {
            name: BlobName::parse(&name).ok_or(Error::BadRow("wish"))?,
            node: NodeId(fixed(node, "wish")?),
            hops,
        })
    })
    .collect()
}

/// Keeps a receipt; the one of a node's newest store counts.
pub fn add_receipt(c: &Connection, receipt: &BlobReceipt, at: i64) -> Result<()> {
    c.prepare_cached(
        "INSERT OR REPLACE INTO blob_receipt (name, node, store, signature, at) VALUES (?, ?, ?, ?, ?)",
    )?
    .execute(params![
        receipt.name.to_string(),
        receipt.node.0,
        receipt.store.0,
        receipt.signature(),
        at
    ])?;
    Ok(())
}

/// The receipts for a blob.
pub fn receipts(c: &Connection, name: &BlobName) -> Result<Vec<BlobReceipt>> {
    let mut query = c.prepare_cached("SELECT node, store, signature FROM blob_receipt WHERE name = ?")?;
    let rows = query.query_map([name.to_string()], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))?;
    rows.map(|row| {
        let (node, store, signature) = row?;
        Ok(BlobReceipt::from_parts(
            NodeId(fixed(node, "blob receipt")?),
            StoreId(fixed(store, "blob receipt")?),
            *name,
            fixed(signature, "blob receipt")?,
        ))
    })
    .collect()
}

/// Names here or in receipts that begin with these 8 bytes.
pub fn beginning(c: &Connection, first: &[u8; 8]) -> Result<Vec<BlobName>> {
    let mut long = [0; 32];
    long[..8].copy_from_slice(first);
    let from = BlobName(long).to_string();
    long[8..].fill(0xff);
    let to = BlobName(long).to_string();
    let mut query = c.prepare_cached(
        "SELECT name FROM blob WHERE name BETWEEN ?1 AND ?2
         UNION SELECT name FROM blob_receipt WHERE name BETWEEN ?1 AND ?2 LIMIT 4",
    )?;
    let rows = query.query_map([from, to], |r| r.get::<_, String>(0))?;
    let names: std::result::Result<Vec<String>, _> = rows.collect();
    Ok(names?.iter().filter_map(|n| BlobName::parse(n)).collect())
}
