//! Stored changes and the documents they form. Rows are added here; `crate::aside` alone takes any away.

use std::collections::{BTreeSet, HashMap};

use rusqlite::{CachedStatement, Connection, OptionalExtension, Params, Row, Rows, params};
use sha2::{Digest, Sha256};
use sync::admission::{Fault, History};
use sync::tip::Tip;
use sync::wire::DocDigest;
use sync::{ActorId, Change, ChangeHash, DocKey, Header, NodeId, limits};

use crate::evidence::Proof;
use crate::reach::Reach;
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
    /// Local sequence of its newest change.
    pub last: i64,
    /// How many changes are stored.
    pub changes: u64,
    /// Bytes of their bodies.
    pub bytes: u64,
    /// Hashes of its heads, sorted, one after the other.
    pub heads: Vec<u8>,
}

/// How many documents there are, and changes in all of them.
pub fn totals(c: &Connection) -> Result<(u64, u64)> {
    let sums = "SELECT COUNT(*), COALESCE(SUM(changes), 0) FROM document";
    let (documents, changes): (i64, i64) = c.query_row(sums, [], |r| Ok((r.get(0)?, r.get(1)?)))?;
    Ok((documents as u64, changes as u64))
}

/// The row id of a document, if any of it is stored.
pub fn find(c: &Connection, key: &DocKey) -> Result<Option<i64>> {
    Ok(c.prepare_cached("SELECT id FROM document WHERE key = ?")?
        .query_row([key.as_str()], |r| r.get(0))
        .optional()?)
}

/// A document, if any of it is stored.
pub fn get(c: &Connection, key: &DocKey) -> Result<Option<Document>> {
    let mut statement =
        c.prepare_cached("SELECT id, key, viewed, last, changes, bytes, heads FROM document WHERE key = ?")?;
    let mut rows = statement.query([key.as_str()])?;
    rows.next()?.map(document).transpose()
}

fn find_or_make(c: &Connection, key: &DocKey) -> Result<i64> {
    c.prepare_cached("INSERT OR IGNORE INTO document (key) VALUES (?)")?
        .execute([key.as_str()])?;
    find(c, key)?.ok_or(Error::BadRow("document"))
}

/// Every document, by row id.
pub fn documents(c: &Connection) -> Result<Vec<Document>> {
    read_documents(
        c,
        "SELECT id, key, viewed, last, changes, bytes, heads FROM document ORDER BY id",
    )
}

/// Documents whose views lag behind their changes.
pub fn unviewed(c: &Connection) -> Result<Vec<Document>> {
    read_documents(c, UNVIEWED)
}

/// The index `document_behind` holds exactly these.
pub(crate) const UNVIEWED: &str =
    "SELECT id, key, viewed, last, changes, bytes, heads FROM document WHERE viewed < last ORDER BY id";

fn read_documents(c: &Connection, sql: &str) -> Result<Vec<Document>> {
    let mut statement = c.prepare_cached(sql)?;
    let mut rows = statement.query([])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(document(row)?);
    }
    Ok(all)
}

/// A row of `id, key, viewed, last, changes, bytes, heads`.
pub(crate) fn document(r: &Row<'_>) -> Result<Document> {
    let key: String = r.get(1)?;
    Ok(Document {
        id: r.get(0)?,
        key: DocKey::parse(&key).ok_or(Error::BadRow("document key"))?,
        viewed: r.get(2)?,
        last: r.get(3)?,
        changes: r.get::<_, i64>(4)? as u64,
        bytes: r.get::<_, i64>(5)? as u64,
        heads: r.get(6)?,
    })
}

/// How far the views of a document are; -1 also when it is not here.
pub fn viewed(c: &Connection, doc: i64) -> Result<i64> {
    let viewed = c
        .prepare_cached("SELECT viewed FROM document WHERE id = ?")?
        .query_row([doc], |r| r.get(0))
        .optional()?;
    Ok(viewed.unwrap_or(-1))
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

/// The views of every document with records of this kind and version must be rebuilt (it became known, or
/// another one); how many.
pub fn forget_views_of(c: &Connection, kind: &str, version: u32) -> Result<usize> {
    Ok(c.prepare_cached(
        "UPDATE document SET viewed = -1
         WHERE id IN (SELECT doc FROM record WHERE kind = ? AND version = ?)",
    )?
    .execute((kind, version))?)
}

/// The documents that a device wrote in.
pub fn documents_of(c: &Connection, device: &NodeId) -> Result<Vec<i64>> {
    let (first, last) = actors_of(device);
    let mut statement = c.prepare_cached(
        "SELECT id FROM document d
         WHERE EXISTS (SELECT 1 FROM change WHERE doc = d.id AND actor BETWEEN ? AND ?)",
    )?;
    let rows = statement.query_map((first, last), |r| r.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// A row of `change` as it stands, unchecked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChangeRow {
    /// Local sequence.
    pub seq: i64,
    /// The hash that it stands under.
    pub hash: ChangeHash,
    /// Its author.
    pub actor: ActorId,
    /// The author's number.
    pub actor_seq: u64,
    /// Its first operation.
    pub start_op: u64,
    /// How many operations.
    pub ops: u64,
    /// What it names as its past, 32 bytes each.
    pub deps: Vec<u8>,
    /// Its content.
    pub body: Vec<u8>,
    /// The signature beside it.
    pub tip: Option<Tip>,
}

/// The rows of a document in local order.
pub fn rows(c: &Connection, doc: i64) -> Result<Vec<ChangeRow>> {
    let mut statement = c.prepare_cached(
        "SELECT seq, hash, actor, actor_seq, start_op, ops, deps, body, tip FROM change
         WHERE doc = ? ORDER BY seq",
    )?;
    let mut rows = statement.query([doc])?;
    let mut all = Vec::new();
    while let Some(r) = rows.next()? {
        let tip = r.get::<_, Option<Vec<u8>>>(8)?;
        all.push(ChangeRow {
            seq: r.get(0)?,
            hash: fixed(r.get(1)?, "hash")?,
            actor: actor_of(&r.get::<_, Vec<u8>>(2)?)?,
            actor_seq: r.get::<_, i64>(3)? as u64,
            start_op: r.get::<_, i64>(4)? as u64,
            ops: r.get::<_, i64>(5)? as u64,
            deps: r.get(6)?,
            body: r.get(7)?,
            tip: tip.map(|t| fixed(t, "tip")).transpose()?,
        });
    }
    Ok(all)
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
    c.prepare_cached(
        "INSERT INTO writer (device, doc, bytes) VALUES (?, ?, ?)
         ON CONFLICT (device, doc) DO UPDATE SET bytes = bytes + excluded.bytes",
    )?
    .execute(params![h.actor.device.0, doc, change.body.len() as i64])?;
    let mut heads = heads(c, doc)?;
    heads.retain(|head| !h.deps.contains(head));
    heads.push(h.hash);
    heads.sort();
    c.prepare_cached(
        "UPDATE document SET heads = ?, last = ?, changes = changes + 1, bytes = bytes + ? WHERE id = ?",
    )?
    .execute((heads.concat(), seq, change.body.len() as i64, doc))?;
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

/// The local sequence of the last of these changes of a document, each given by its actor's number; `None` when none of
/// them is here.
pub fn last_part(c: &Connection, doc: i64, parts: &[(ActorId, u64)]) -> Result<Option<u64>> {
    let mut statement =
        c.prepare_cached("SELECT seq FROM change WHERE doc = ? AND actor = ? AND actor_seq = ?")?;
    let mut last = None;
    for (actor, number) in parts {
        let seq = statement.query_row(params![doc, actor.to_bytes(), *number as i64], |r| {
            r.get::<_, i64>(0)
        });
        last = last.max(seq.optional()?.map(|seq| seq as u64));
    }
    Ok(last)
}

/// Digests of all documents in reach, by key.
pub fn digests(c: &Connection, reach: &Reach<'_>) -> Result<Vec<DocDigest>> {
    Ok(reach.documents(c)?.iter().map(Document::digest).collect())
}

impl Document {
    /// Eight bytes of its name and eight of all that is stored of it.
    pub fn digest(&self) -> DocDigest {
        let mut short = [0; 8];
        short.copy_from_slice(&Sha256::digest(&self.heads)[..8]);
        DocDigest {
            key: sync::session::key_hash(&self.key),
            heads: short,
        }
    }
}

/// The highest local sequence that was ever given, also to a change that stands aside now; 0 when nothing was
/// stored yet.
pub fn last_local(c: &Connection) -> Result<u64> {
    let last: Option<i64> = c
        .prepare_cached("SELECT seq FROM sqlite_sequence WHERE name = 'change'")?
        .query_row([], |r| r.get(0))
        .optional()?;
    Ok(last.unwrap_or(0) as u64)
}

/// The highest local sequence of one document.
pub fn last_of(c: &Connection, doc: i64) -> Result<i64> {
    Ok(c.prepare_cached("SELECT last FROM document WHERE id = ?")?
        .query_row([doc], |r| r.get(0))
        .optional()?
        .unwrap_or(0))
}

pub(crate) const NEXT_ACTOR: &str =
    "SELECT actor FROM change WHERE doc = ? AND actor > ? ORDER BY actor, actor_seq LIMIT 1";
pub(crate) const LAST_OF_ACTOR: &str =
    "SELECT actor_seq, hash FROM change WHERE doc = ? AND actor = ? ORDER BY actor_seq DESC LIMIT 1";

/// The version vector of a document: each actor's highest sequence and its hash. Two steps in the index for
/// each actor, however many changes there are.
pub fn vector(c: &Connection, doc: i64) -> Result<Vec<(ActorId, u64, ChangeHash)>> {
    let (mut next, mut last) = (c.prepare_cached(NEXT_ACTOR)?, c.prepare_cached(LAST_OF_ACTOR)?);
    let mut vector = Vec::new();
    let mut actor: Vec<u8> = Vec::new();
    loop {
        let found = next.query_row(params![doc, actor], |r| r.get(0)).optional()?;
        let Some(found) = found else {
            return Ok(vector);
        };
        actor = found;
        let (seq, hash): (i64, Vec<u8>) =
            last.query_row(params![doc, actor], |r| Ok((r.get(0)?, r.get(1)?)))?;
        vector.push((actor_of(&actor)?, seq as u64, fixed(hash, "hash")?));
    }
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
    let statement = c.prepare_cached(
        "SELECT seq, hash, actor, actor_seq, start_op, ops, deps, body FROM change
         WHERE doc = ? AND seq > ? ORDER BY seq",
    )?;
    read_stored(statement, (doc, after))
}

/// The changes of a document with these local sequences, dependencies first.
pub fn at(c: &Connection, doc: i64, seqs: &BTreeSet<i64>) -> Result<Vec<Stored>> {
    let statement = c.prepare_cached(
        "SELECT seq, hash, actor, actor_seq, start_op, ops, deps, body FROM change
         WHERE seq IN (SELECT value FROM json_each(?2)) AND +doc = ?1 ORDER BY seq",
    )?;
    read_stored(statement, (doc, json_list(seqs)))
}

fn json_list(seqs: &BTreeSet<i64>) -> String {
    let texts: Vec<String> = seqs.iter().map(i64::to_string).collect();
    format!("[{}]", texts.join(","))
}

fn read_stored(mut statement: CachedStatement<'_>, which: impl Params) -> Result<Vec<Stored>> {
    let rows = statement.query_map(which, |r| Ok((r.get(0)?, raw_header(r, 1)?, r.get(7)?)))?;
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

/// When these changes were stored here, by local sequence: for people only.
pub fn times(c: &Connection, seqs: &BTreeSet<i64>) -> Result<HashMap<i64, i64>> {
    let mut statement =
        c.prepare_cached("SELECT seq, at FROM change WHERE seq IN (SELECT value FROM json_each(?))")?;
    let rows = statement.query_map([json_list(seqs)], |r| Ok((r.get(0)?, r.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
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
        let here: bool = self
            .0
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM quarantine WHERE document = ? AND actor = ?)")?
            .query_row(params![key.as_str(), actor.to_bytes()], |r| r.get(0))?;
        if here {
            // Of its own two branches this device has chosen one: what comes of that one is taken until the
            // county cuts.
            return Ok(crate::aside::flips(self.0, key, actor)? == 0);
        }
        let (first, last) = actors_of(&actor.device);
        let all: i64 = self
            .0
            .prepare_cached("SELECT COUNT(*) FROM quarantine WHERE actor BETWEEN ? AND ?")?
            .query_row((first, last), |r| r.get(0))?;
        Ok(all as u64 >= limits::QUARANTINES_PER_DEVICE)
    }

    fn actors_of(&self, key: &DocKey, device: &NodeId) -> Result<u64> {
        let Some(doc) = find(self.0, key)? else {
            return Ok(0);
        };
        // A step in the index for each actor, however much they wrote. A key is less than all its actors.
        let mut next = self.0.prepare_cached(NEXT_ACTOR)?;
        let (mut count, mut at) = (0, device.0.to_vec());
        loop {
            let found: Option<Vec<u8>> = next.query_row(params![doc, at], |r| r.get(0)).optional()?;
            match found.filter(|a| a.starts_with(&device.0)) {
                Some(actor) => (count, at) = (count + 1, actor),
                None => return Ok(count),
            }
        }
    }

    fn bytes_of(&self, key: &DocKey, device: &NodeId) -> Result<(u64, u64)> {
        let (here, all): (i64, i64) = self
            .0
            .prepare_cached(
                "SELECT COALESCE(SUM(bytes) FILTER (WHERE doc = (SELECT id FROM document WHERE key = ?)), 0),
                        COALESCE(SUM(bytes), 0) FROM writer WHERE device = ?",
            )?
            .query_row(params![key.as_str(), device.0], |r| Ok((r.get(0)?, r.get(1)?)))?;
        Ok((here as u64, all as u64))
    }

    fn beside(&self, key: &DocKey) -> Result<Option<u64>> {
        if find(self.0, key)?.is_some() {
            return Ok(None);
        }
        let Some((branch, _)) = key.as_str().rsplit_once('/') else {
            return Ok(Some(0));
        };
        // '0' is the letter behind '/'.
        let n: i64 = self
            .0
            .prepare_cached("SELECT COUNT(*) FROM document WHERE key > ? AND key < ?")?
            .query_row((format!("{branch}/"), format!("{branch}0")), |r| r.get(0))?;
        Ok(Some(n as u64))
    }
}

/// The first and the last actor that a device may write as.
fn actors_of(device: &NodeId) -> ([u8; ActorId::LEN], [u8; ActorId::LEN]) {
    let actor = |incarnation| ActorId {
        device: *device,
        incarnation,
    };
    (actor([0; 4]).to_bytes(), actor([255; 4]).to_bytes())
}

/// The body of a stored change.
pub fn body(c: &Connection, key: &DocKey, hash: &ChangeHash) -> Result<Option<Vec<u8>>> {
    Ok(c.prepare_cached(
        "SELECT body FROM change WHERE doc = (SELECT id FROM document WHERE key = ?) AND hash = ?",
    )?
    .query_row(params![key.as_str(), hash], |r| r.get(0))
    .optional()?)
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

/// Puts an actor under quarantine in a document; the first evidence stays. `proof` is there when the change
/// came with a signature (`crate::evidence`), and is not when Automerge could not take a stored one.
pub fn quarantine(
    c: &Connection,
    key: &DocKey,
    fault: Fault,
    change: &Change,
    proof: Option<&Proof>,
    from: Option<&NodeId>,
    at: i64,
) -> Result<()> {
    c.prepare_cached(
        "INSERT OR IGNORE INTO quarantine (document, actor, fault, actor_seq, body, tip, proof, from_peer, at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        key.as_str(),
        change.header.actor.to_bytes(),
        format!("{fault:?}"),
        change.header.seq as i64,
        change.body,
        proof.map(|p| p.tip.to_vec()),
        proof.map(|p| crate::evidence::write_chain(&p.chain)),
        from.map(|n| n.0),
        at
    ])?;
    if fault == Fault::Unreadable {
        c.prepare_cached(
            "INSERT INTO unreadable (document, actor, actor_seq) VALUES (?, ?, ?)
             ON CONFLICT (document, actor) DO UPDATE SET actor_seq = MIN(actor_seq, excluded.actor_seq)",
        )?
        .execute(params![
            key.as_str(),
            change.header.actor.to_bytes(),
            change.header.seq as i64
        ])?;
    }
    Ok(())
}

/// From which sequence number on an actor's stored changes are left out of a document, because Automerge
/// cannot take one of them.
pub fn unreadable(c: &Connection, key: &DocKey) -> Result<Vec<(ActorId, u64)>> {
    let mut statement = c.prepare_cached("SELECT actor, actor_seq FROM unreadable WHERE document = ?")?;
    let rows = statement.query_map([key.as_str()], |r| {
        Ok((r.get::<_, Vec<u8>>(0)?, r.get::<_, i64>(1)?))
    })?;
    rows.map(|row| {
        let (actor, seq) = row?;
        Ok((actor_of(&actor)?, seq as u64))
    })
    .collect()
}

/// All quarantined actors, newest first.
pub fn quarantines(c: &Connection) -> Result<Vec<Quarantined>> {
    let sql = "SELECT document, actor, fault, actor_seq, at FROM quarantine ORDER BY at DESC";
    read_quarantined(c.prepare_cached(sql)?.query([])?)
}

fn read_quarantined(mut rows: Rows<'_>) -> Result<Vec<Quarantined>> {
    let mut all = Vec::new();
    while let Some(r) = rows.next()? {
        all.push(Quarantined {
            document: r.get(0)?,
            actor: actor_of(&r.get::<_, Vec<u8>>(1)?)?,
            fault: r.get(2)?,
            actor_seq: r.get::<_, i64>(3)? as u64,
            at: r.get(4)?,
        });
    }
    Ok(all)
}
