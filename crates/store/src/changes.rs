//! Stored changes and the documents they form. Rows are added here; `crate::aside` alone takes any away.

use rusqlite::{Connection, OptionalExtension, Row, params};
use sha2::{Digest, Sha256};
use sync::admission::{Fault, History};
use sync::tip::Tip;
use sync::wire::DocDigest;
use sync::{ActorId, Change, ChangeHash, DocKey, Header, NodeId};

use crate::{Error, Result, fixed};

/// A document's row id and key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Document {
    /// Row id.
    pub id: i64,
    /// Key.
    pub key: DocKey,
    /// Views hold changes up to this local sequence; -1: they must be rebuilt.
    pub viewed: i64,
}

/// The row id of a document, if any of it is stored.
pub fn find(c: &Connection, key: &DocKey) -> Result<Option<i64>> {
    Ok(c.prepare_cached("SELECT id FROM document WHERE key = ?")?
        .query_row([key.as_str()], |r| r.get(0))
        .optional()?)
}

fn find_or_make(c: &Connection, key: &DocKey) -> Result<i64> {
    c.prepare_cached("INSERT OR IGNORE INTO document (key) VALUES (?)")?
        .execute([key.as_str()])?;
    find(c, key)?.ok_or(Error::BadRow("document"))
}

/// Every document, by row id.
pub fn documents(c: &Connection) -> Result<Vec<Document>> {
    read_documents(c, "SELECT id, key, viewed FROM document ORDER BY id")
}

/// Documents whose views lag behind their changes.
pub fn unviewed(c: &Connection) -> Result<Vec<Document>> {
    let sql = "SELECT id, key, viewed FROM document d
        WHERE viewed < (SELECT COALESCE(MAX(seq), 0) FROM change WHERE doc = d.id) ORDER BY id";
    read_documents(c, sql)
}

fn read_documents(c: &Connection, sql: &str) -> Result<Vec<Document>> {
    let mut statement = c.prepare_cached(sql)?;
    let rows = statement.query_map([], |r| Ok((r.get(0)?, r.get::<_, String>(1)?, r.get(2)?)))?;
    rows.map(|row| {
        let (id, key, viewed) = row?;
        Ok(Document {
            id,
            key: DocKey::parse(&key).ok_or(Error::BadRow("document key"))?,
            viewed,
        })
    })
    .collect()
}

/// Marks how far the views of a document are.
pub fn set_viewed(c: &Connection, doc: i64, viewed: i64) -> Result<()> {
    c.prepare_cached("UPDATE document SET viewed = ? WHERE id = ?")?
        .execute((viewed, doc))?;
    Ok(())
}

/// The views of every document must be rebuilt (the roll has changed what counts).
pub fn forget_views(c: &Connection) -> Result<()> {
    c.execute("UPDATE document SET viewed = -1", [])?;
    Ok(())
}

/// The documents that a device wrote in.
pub fn documents_of(c: &Connection, device: &NodeId) -> Result<Vec<i64>> {
    let first = ActorId {
        device: *device,
        incarnation: [0; 4],
    }
    .to_bytes();
    let last = ActorId {
        device: *device,
        incarnation: [255; 4],
    }
    .to_bytes();
    let mut statement = c.prepare_cached(
        "SELECT id FROM document d
         WHERE EXISTS (SELECT 1 FROM change WHERE doc = d.id AND actor BETWEEN ? AND ?)",
    )?;
    let rows = statement.query_map((first, last), |r| r.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Adds an admitted change; returns its local sequence. `from` is `None` for one written here.
pub fn insert(
    c: &Connection,
    key: &DocKey,
    change: &Change,
    tip: Option<&Tip>,
    from: Option<&NodeId>,
    at: i64,
) -> Result<i64> {
    let doc = find_or_make(c, key)?;
    let h = &change.header;
    let kept = crate::aside::take_back(c, key, &h.hash)?;
    c.prepare_cached(
        "INSERT INTO change (doc, hash, actor, actor_seq, start_op, ops, deps, body, tip, from_peer, at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        doc,
        h.hash,
        h.actor.to_bytes(),
        h.seq as i64,
        h.start_op as i64,
        h.ops as i64,
        h.deps.concat(),
        change.body,
        tip.map(|t| t.to_vec()).or(kept),
        from.map(|n| n.0),
        at
    ])?;
    let seq = c.last_insert_rowid();
    let mut heads = heads(c, doc)?;
    heads.retain(|head| !h.deps.contains(head));
    heads.push(h.hash);
    heads.sort();
    c.prepare_cached("UPDATE document SET heads = ? WHERE id = ?")?
        .execute((heads.concat(), doc))?;
    Ok(seq)
}

/// The heads of a document, sorted: they name everything that is stored of it.
pub fn heads(c: &Connection, doc: i64) -> Result<Vec<ChangeHash>> {
    let bytes: Vec<u8> = c
        .prepare_cached("SELECT heads FROM document WHERE id = ?")?
        .query_row([doc], |r| r.get(0))?;
    Ok(hashes(&bytes))
}

fn hashes(bytes: &[u8]) -> Vec<ChangeHash> {
    bytes.chunks_exact(32).filter_map(|h| h.try_into().ok()).collect()
}

/// Digests of all documents that `shared` lets through, by key.
pub fn digests(c: &Connection, shared: impl Fn(&DocKey) -> bool) -> Result<Vec<DocDigest>> {
    let mut statement =
        c.prepare_cached("SELECT key, heads FROM document WHERE heads <> x'' ORDER BY key")?;
    let rows = statement.query_map([], |r| Ok((r.get::<_, String>(0)?, r.get::<_, Vec<u8>>(1)?)))?;
    let mut out = Vec::new();
    for row in rows {
        let (key, heads) = row?;
        let key = DocKey::parse(&key).ok_or(Error::BadRow("document key"))?;
        if shared(&key) {
            let mut short = [0; 8];
            short.copy_from_slice(&Sha256::digest(&heads)[..8]);
            out.push(DocDigest {
                key: sync::session::key_hash(&key),
                heads: short,
            });
        }
    }
    Ok(out)
}

/// The highest local sequence; 0 when nothing is stored.
pub fn last_local(c: &Connection) -> Result<u64> {
    let last: i64 = c
        .prepare_cached("SELECT COALESCE(MAX(seq), 0) FROM change")?
        .query_row([], |r| r.get(0))?;
    Ok(last as u64)
}

/// The highest local sequence of one document.
pub fn last_of(c: &Connection, doc: i64) -> Result<i64> {
    Ok(
        c.prepare_cached("SELECT COALESCE(MAX(seq), 0) FROM change WHERE doc = ?")?
            .query_row([doc], |r| r.get(0))?,
    )
}

/// The version vector of a document: each actor's highest sequence and its hash.
pub fn vector(c: &Connection, doc: i64) -> Result<Vec<(ActorId, u64, ChangeHash)>> {
    // SQLite takes the other columns from the row of the maximum.
    let mut statement =
        c.prepare_cached("SELECT actor, MAX(actor_seq), hash FROM change WHERE doc = ? GROUP BY actor")?;
    let rows = statement.query_map([doc], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))?;
    rows.map(|row| {
        let (actor, seq, hash): (Vec<u8>, i64, Vec<u8>) = row?;
        Ok((actor_of(&actor)?, seq as u64, fixed(hash, "hash")?))
    })
    .collect()
}

/// A stored change with what its author signed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stored {
    /// Local sequence.
    pub seq: i64,
    /// The change.
    pub change: Change,
}

/// The changes of a document after a local sequence, dependencies first.
pub fn after(c: &Connection, doc: i64, after: i64) -> Result<Vec<Stored>> {
    let mut statement = c.prepare_cached(
        "SELECT seq, hash, actor, actor_seq, start_op, ops, deps, body FROM change
         WHERE doc = ? AND seq > ? ORDER BY seq",
    )?;
    let rows = statement.query_map((doc, after), |r| Ok((r.get(0)?, raw_header(r, 1)?, r.get(7)?)))?;
    rows.map(|row| {
        let (seq, header, body) = row?;
        Ok(Stored {
            seq,
            change: Change {
                header: header.read()?,
                body,
            },
        })
    })
    .collect()
}

struct RawHeader(Vec<u8>, Vec<u8>, i64, i64, i64, Vec<u8>);

fn raw_header(r: &Row<'_>, i: usize) -> rusqlite::Result<RawHeader> {
    Ok(RawHeader(
        r.get(i)?,
        r.get(i + 1)?,
        r.get(i + 2)?,
        r.get(i + 3)?,
        r.get(i + 4)?,
        r.get(i + 5)?,
    ))
}

impl RawHeader {
    fn read(self) -> Result<Header> {
        Ok(Header {
            hash: fixed(self.0, "hash")?,
            actor: actor_of(&self.1)?,
            seq: self.2 as u64,
            start_op: self.3 as u64,
            ops: self.4 as u64,
            deps: hashes(&self.5),
        })
    }
}

pub(crate) fn actor_of(bytes: &[u8]) -> Result<ActorId> {
    ActorId::from_bytes(bytes).ok_or(Error::BadRow("actor"))
}

/// The stored past, as admission asks for it.
#[derive(Debug)]
pub struct Past<'c>(pub &'c Connection);

impl History for Past<'_> {
    type Error = Error;

    fn header(&self, key: &DocKey, hash: &ChangeHash) -> Result<Option<Header>> {
        let raw = self
            .0
            .prepare_cached(
                "SELECT hash, actor, actor_seq, start_op, ops, deps FROM change
                 WHERE doc = (SELECT id FROM document WHERE key = ?) AND hash = ?",
            )?
            .query_row(params![key.as_str(), hash], |r| raw_header(r, 0))
            .optional()?;
        raw.map(RawHeader::read).transpose()
    }

    fn at(&self, key: &DocKey, actor: &ActorId, seq: u64) -> Result<Option<ChangeHash>> {
        let hash: Option<Vec<u8>> = self
            .0
            .prepare_cached(
                "SELECT hash FROM change
                 WHERE doc = (SELECT id FROM document WHERE key = ?) AND actor = ? AND actor_seq = ?",
            )?
            .query_row(params![key.as_str(), actor.to_bytes(), seq as i64], |r| r.get(0))
            .optional()?;
        hash.map(|h| fixed(h, "hash")).transpose()
    }

    fn last_seq(&self, key: &DocKey, actor: &ActorId) -> Result<u64> {
        let last: i64 = self
            .0
            .prepare_cached(
                "SELECT COALESCE(MAX(actor_seq), 0) FROM change
                 WHERE doc = (SELECT id FROM document WHERE key = ?) AND actor = ?",
            )?
            .query_row(params![key.as_str(), actor.to_bytes()], |r| r.get(0))?;
        Ok(last as u64)
    }

    fn quarantined(&self, key: &DocKey, actor: &ActorId) -> Result<bool> {
        Ok(self
            .0
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM quarantine WHERE document = ? AND actor = ?)")?
            .query_row(params![key.as_str(), actor.to_bytes()], |r| r.get(0))?)
    }
}

/// One quarantined actor, for the operator.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Quarantined {
    /// The document.
    pub document: String,
    /// The actor.
    pub actor: ActorId,
    /// What it did (the name of a `sync::admission::Fault`).
    pub fault: String,
    /// At which sequence number.
    pub actor_seq: u64,
    /// Unix seconds.
    pub at: i64,
}

/// Puts an actor under quarantine in a document; the first evidence stays.
pub fn quarantine(
    c: &Connection,
    key: &DocKey,
    fault: Fault,
    change: &Change,
    tip: Option<&Tip>,
    from: Option<&NodeId>,
    at: i64,
) -> Result<()> {
    c.prepare_cached(
        "INSERT OR IGNORE INTO quarantine (document, actor, fault, actor_seq, body, tip, from_peer, at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        key.as_str(),
        change.header.actor.to_bytes(),
        format!("{fault:?}"),
        change.header.seq as i64,
        change.body,
        tip.map(|t| t.to_vec()),
        from.map(|n| n.0),
        at
    ])?;
    Ok(())
}

/// All quarantined actors, newest first.
pub fn quarantines(c: &Connection) -> Result<Vec<Quarantined>> {
    let mut statement =
        c.prepare_cached("SELECT document, actor, fault, actor_seq, at FROM quarantine ORDER BY at DESC")?;
    let rows = statement.query_map([], |r| {
        Ok((
            r.get(0)?,
            r.get::<_, Vec<u8>>(1)?,
            r.get(2)?,
            r.get::<_, i64>(3)?,
            r.get(4)?,
        ))
    })?;
    rows.map(|row| {
        let (document, actor, fault, seq, at) = row?;
        Ok(Quarantined {
            document,
            actor: actor_of(&actor)?,
            fault,
            actor_seq: seq as u64,
            at,
        })
    })
    .collect()
}
