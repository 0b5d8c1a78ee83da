//! What is known of other nodes: cursors, receipts, contact, typed addresses, wishes to be enrolled.

use std::collections::HashMap;

use rusqlite::{Connection, params, params_from_iter};
use sync::tip::Receipt;
use sync::wire::Speaks;
use sync::{ActorId, NodeId, StoreId};

use crate::{Result, changes, fixed};

/// A node that was met.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Peer {
    /// Who.
    pub node: NodeId,
    /// Its store when last seen.
    pub store: Option<StoreId>,
    /// Our local sequence that this store has acknowledged.
    pub acked: Option<u64>,
    /// Hash of what it could read then.
    pub scope: Option<Vec<u8>>,
    /// Where it was reached last.
    pub address: Option<String>,
    /// Unix seconds of the last contact.
    pub seen_at: Option<i64>,
    /// Unix seconds of the last time both sides were equal.
    pub in_sync_at: Option<i64>,
    /// What its program reads.
    pub speaks: Speaks,
    /// The local sequence of its store up to which it has sent us what we may read.
    pub have: Option<u64>,
}

/// One peer.
pub fn get(c: &Connection, node: &NodeId) -> Result<Option<Peer>> {
    Ok(select(c, Some(node))?.pop())
}

/// All peers, last seen first.
pub fn list(c: &Connection) -> Result<Vec<Peer>> {
    select(c, None)
}

fn select(c: &Connection, only: Option<&NodeId>) -> Result<Vec<Peer>> {
    let columns = "SELECT node, store, acked, scope, address, seen_at, in_sync_at, speaks, have FROM peer";
    let mut statement = match only {
        Some(_) => c.prepare_cached(&format!("{columns} WHERE node = ?"))?,
        None => c.prepare_cached(&format!("{columns} ORDER BY seen_at DESC"))?,
    };
    let rows = statement.query_map(params_from_iter(only.map(|n| n.0)), |r| {
        Ok((
            r.get::<_, Vec<u8>>(0)?,
            r.get::<_, Option<Vec<u8>>>(1)?,
            r.get::<_, Option<i64>>(2)?,
            r.get(3)?,
            r.get(4)?,
            r.get(5)?,
            r.get(6)?,
            r.get::<_, Option<i64>>(7)?,
            r.get::<_, Option<i64>>(8)?,
        ))
    })?;
    rows.map(|row| {
        let (node, store, acked, scope, address, seen_at, in_sync_at, speaks, have) = row?;
        Ok(Peer {
            node: NodeId(fixed(node, "peer")?),
            store: store.map(|s| fixed(s, "store id").map(StoreId)).transpose()?,
            acked: acked.map(|a| a as u64),
            scope,
            address,
            seen_at,
            in_sync_at,
            speaks: speaks.map(Speaks::of_number).unwrap_or_default(),
            have: have.map(|h| h as u64),
        })
    })
    .collect()
}

/// Notes a contact: the peer's store, and where it was reached. Another store voids the cursor.
pub fn met(
    c: &Connection,
    node: &NodeId,
    store: &StoreId,
    scope: &[u8],
    address: Option<&str>,
    at: i64,
) -> Result<()> {
    c.prepare_cached(
        "INSERT INTO peer (node, store, scope, address, seen_at) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (node) DO UPDATE SET
            acked = CASE WHEN store IS ?2 AND scope IS ?3 THEN acked END,
            have = CASE WHEN store IS ?2 THEN have END,
            store = ?2, scope = ?3, address = COALESCE(?4, address), seen_at = ?5",
    )?
    .execute(params![node.0, store.0, scope, address, at])?;
    // Receipts of a store that is no more say nothing, and a peer can name a new store every time.
    c.prepare_cached("DELETE FROM receipt WHERE node = ? AND store <> ?")?
        .execute(params![node.0, store.0])?;
    c.prepare_cached("DELETE FROM blob_receipt WHERE node = ? AND store <> ?")?
        .execute(params![node.0, store.0])?;
    Ok(())
}

/// Moves the cursor for the peer's present store; never backwards.
pub fn set_acked(c: &Connection, node: &NodeId, upto: u64, at: i64) -> Result<()> {
    c.prepare_cached("UPDATE peer SET acked = MAX(COALESCE(acked, 0), ?), seen_at = ? WHERE node = ?")?
        .execute(params![upto as i64, at, node.0])?;
    Ok(())
}

/// What the peer's program reads.
pub fn set_speaks(c: &Connection, node: &NodeId, speaks: Speaks) -> Result<()> {
    c.prepare_cached("UPDATE peer SET speaks = ?1 WHERE node = ?2 AND speaks IS NOT ?1")?
        .execute(params![speaks.to_number(), node.0])?;
    Ok(())
}

/// Notes how far the peer's present store has been heard; never backwards.
pub fn set_have(c: &Connection, node: &NodeId, upto: u64) -> Result<()> {
    c.prepare_cached("UPDATE peer SET have = MAX(COALESCE(have, 0), ?) WHERE node = ?")?
        .execute(params![upto as i64, node.0])?;
    Ok(())
}

/// Both sides were equal.
pub fn in_sync(c: &Connection, node: &NodeId, at: i64) -> Result<()> {
    c.prepare_cached("UPDATE peer SET in_sync_at = ?1, seen_at = ?1 WHERE node = ?2")?
        .execute(params![at, node.0])?;
    Ok(())
}

/// Keeps verified receipts of a peer's store. A receipt for something that is not here, or of another
/// hash than ours at that number, is not about our changes and is passed over.
pub fn keep_receipts(
    c: &Connection,
    node: &NodeId,
    store: &StoreId,
    receipts: &[Receipt],
    at: i64,
) -> Result<()> {
    for r in receipts {
        let Some(doc) = changes::find(c, &r.document)? else {
            continue;
        };
        c.prepare_cached(
            "INSERT INTO receipt (node, store, doc, actor, seq, hash, at)
             SELECT ?1, ?2, doc, actor, actor_seq, hash, ?7 FROM change
             WHERE doc = ?3 AND actor = ?4 AND actor_seq = ?5 AND hash = ?6
             ON CONFLICT (node, store, doc, actor) DO UPDATE SET
                hash = CASE WHEN excluded.seq > seq THEN excluded.hash ELSE hash END,
                seq = MAX(seq, excluded.seq), at = excluded.at",
        )?
        .execute(params![
            node.0,
            store.0,
            doc,
            r.actor.to_bytes(),
            r.seq as i64,
            r.hash,
            at
        ])?;
    }
    Ok(())
}

/// Two numbers about the receipts of the present stores for a document: another pair after every one that said
/// something new.
pub fn receipts_stand(c: &Connection, doc: i64) -> Result<(i64, i64)> {
    let mut statement = c.prepare_cached(
        "SELECT COUNT(*), COALESCE(SUM(r.seq), 0) FROM receipt r JOIN peer p ON p.node = r.node AND p.store = r.store
         WHERE r.doc = ?",
    )?;
    Ok(statement.query_row([doc], |r| Ok((r.get(0)?, r.get(1)?)))?)
}

/// Up to which sequence number the present stores of the given nodes hold each actor of each document.
pub fn held_by(c: &Connection, nodes: &[NodeId]) -> Result<HashMap<(i64, ActorId), u64>> {
    let mut held = HashMap::new();
    let mut statement = c.prepare_cached(
        "SELECT r.doc, r.actor, r.seq FROM receipt r JOIN peer p ON p.node = r.node AND p.store = r.store
         WHERE r.node = ?",
    )?;
    for node in nodes {
        let rows = statement.query_map(params![node.0], |r| {
            Ok((r.get::<_, i64>(0)?, r.get::<_, Vec<u8>>(1)?, r.get::<_, i64>(2)?))
        })?;
        for row in rows {
            let (doc, actor, seq) = row?;
            let entry = held.entry((doc, changes::actor_of(&actor)?)).or_insert(0);
            *entry = (*entry).max(seq as u64);
        }
    }
    Ok(held)
}

/// Typed addresses.
pub fn addresses(c: &Connection) -> Result<Vec<String>> {
    let mut statement = c.prepare_cached("SELECT address FROM address ORDER BY at")?;
    let rows = statement.query_map([], |r| r.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Keeps a typed address.
pub fn add_address(c: &Connection, address: &str, at: i64) -> Result<()> {
    c.prepare_cached("INSERT OR IGNORE INTO address (address, at) VALUES (?, ?)")?
        .execute((address, at))?;
    Ok(())
}

/// Forgets a typed address.
pub fn remove_address(c: &Connection, address: &str) -> Result<()> {
    c.prepare_cached("DELETE FROM address WHERE address = ?")?
        .execute([address])?;
    Ok(())
}

/// Wishes kept at most.
const WISHES: i64 = 500;

/// Keeps a device's wish to be enrolled, and says whether it is news. When there are too many the oldest goes
/// of the address that sent the most: a flood pushes out itself. "Oldest" is by turn, for clocks lie.
pub fn add_wish(c: &Connection, node: &NodeId, label: &str, source: &str, at: i64) -> Result<bool> {
    let known = c
        .prepare_cached("UPDATE wish SET at = ?3 WHERE node = ?1 AND label = ?2")?
        .execute(params![node.0, label, at])?;
    if known > 0 {
        return Ok(false);
    }
    c.prepare_cached(
        "INSERT OR REPLACE INTO wish (node, label, at, source, turn)
         VALUES (?, ?, ?, ?, (SELECT COALESCE(MAX(turn), 0) + 1 FROM wish))",
    )?
    .execute(params![node.0, label, at, source])?;
    c.prepare_cached(
        "DELETE FROM wish WHERE (SELECT COUNT(*) FROM wish) > ? AND node = (
            SELECT node FROM wish WHERE source = (
                SELECT source FROM wish GROUP BY source ORDER BY COUNT(*) DESC, MAX(turn) DESC LIMIT 1
            ) ORDER BY turn LIMIT 1)",
    )?
    .execute([WISHES])?;
    Ok(true)
}

/// Wishes, newest first: node, label, unix seconds.
pub fn wishes(c: &Connection) -> Result<Vec<(NodeId, String, i64)>> {
    let mut statement = c.prepare_cached("SELECT node, label, at FROM wish ORDER BY turn DESC")?;
    let rows = statement.query_map([], |r| Ok((r.get::<_, Vec<u8>>(0)?, r.get(1)?, r.get(2)?)))?;
    rows.map(|row| {
        let (node, label, at) = row?;
        Ok((NodeId(fixed(node, "peer")?), label, at))
    })
    .collect()
}

/// Forgets a wish.
pub fn remove_wish(c: &Connection, node: &NodeId) -> Result<()> {
    c.prepare_cached("DELETE FROM wish WHERE node = ?")?
        .execute(params![node.0])?;
    Ok(())
}

/// A receipt whose change is neither stored nor set aside.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unfounded {
    /// The document.
    pub document: String,
    /// The author of the change.
    pub actor: ActorId,
    /// Its number.
    pub seq: u64,
}

/// Receipts of other stores whose change is not here.
pub fn receipts_without_change(c: &Connection) -> Result<Vec<Unfounded>> {
    let mut statement = c.prepare_cached(
        "SELECT d.key, r.actor, r.seq FROM receipt r JOIN document d ON d.id = r.doc
         WHERE NOT EXISTS (SELECT 1 FROM change WHERE doc = r.doc AND hash = r.hash)
             AND NOT EXISTS (SELECT 1 FROM aside WHERE document = d.key AND hash = r.hash)",
    )?;
    let rows = statement.query_map([], |r| {
        Ok((r.get(0)?, r.get::<_, Vec<u8>>(1)?, r.get::<_, i64>(2)?))
    })?;
    rows.map(|row| {
        let (document, actor, seq) = row?;
        Ok(Unfounded {
            document,
            actor: changes::actor_of(&actor)?,
            seq: seq as u64,
        })
    })
    .collect()
}

/// How many receipts are kept.
pub fn count_receipts(c: &Connection) -> Result<u64> {
    let n: i64 = c.query_row("SELECT COUNT(*) FROM receipt", [], |r| r.get(0))?;
    Ok(n as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_wishes_pushes_out_itself() {
        let dir = tempfile::tempdir().unwrap();
        let store = crate::Store::open(&dir.path().join("yanxiu.db")).unwrap();
        let peer = |n: u16| {
            let mut id = [7; 32];
            id[..2].copy_from_slice(&n.to_be_bytes());
            NodeId(id)
        };
        store
            .write(|tx| {
                // The honest one wished first, with a clock that stood in 1970.
                assert!(add_wish(tx, &peer(0), "青石小学", "10.0.0.2", 0)?);
                assert!(!add_wish(tx, &peer(0), "青石小学", "10.0.0.2", 0)?);
                for n in 1..2_000 {
                    add_wish(tx, &peer(n), "x", "10.0.0.66", 2_000_000_000)?;
                }
                assert!(add_wish(tx, &peer(3_000), "白沙小学", "10.0.0.3", 5)?);
                let all = wishes(tx)?;
                assert_eq!(all.len() as i64, WISHES);
                assert_eq!(all[0].0, peer(3_000));
                assert!(all.iter().any(|w| w.0 == peer(0)));
                Ok::<_, crate::Error>(())
            })
            .unwrap();
    }
}
