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
