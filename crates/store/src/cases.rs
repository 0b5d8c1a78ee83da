//! What the operator is shown of faults: the accusing change, the one that it contradicts, what waits or stands
//! aside. Proofs are in [`crate::evidence`].

use rusqlite::{Connection, OptionalExtension, params};
use sync::admission::{History, Verdict, admit_held};
use sync::authority::Policy;
use sync::tip::Tip;
use sync::{ActorId, Change, ChangeHash, DocKey, Header, NodeId, Roll};

use crate::changes::{self, Past, actor_of};
use crate::{Error, Result, admitting, fixed};

/// A change and its author's signature, as far as it is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signed {
    /// The change.
    pub change: Change,
    /// Its author's tip; `None` where a later one vouches for it.
    pub tip: Option<Tip>,
}

/// One quarantine with its evidence.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Accusation {
    /// The document.
    pub document: DocKey,
    /// The actor.
    pub actor: ActorId,
    /// The name of a `sync::admission::Fault`.
    pub fault: String,
    /// The faulty change.
    pub faulty: Signed,
    /// Who brought it; `None`: it was found here.
    pub from: Option<NodeId>,
    /// Unix seconds.
    pub at: i64,
}

/// All quarantines, newest first.
pub fn accusations(c: &Connection) -> Result<Vec<Accusation>> {
    let mut statement = c.prepare_cached(
        "SELECT document, actor, fault, body, tip, from_peer, at FROM quarantine ORDER BY at DESC, document, actor",
    )?;
    let rows = statement.query_map([], |r| {
        Ok((
            r.get::<_, String>(0)?,
            r.get::<_, Vec<u8>>(1)?,
            r.get(2)?,
            r.get::<_, Vec<u8>>(3)?,
            r.get::<_, Option<Vec<u8>>>(4)?,
            r.get::<_, Option<Vec<u8>>>(5)?,
            r.get(6)?,
        ))
    })?;
    rows.map(|row| {
        let (document, actor, fault, body, tip, from, at) = row?;
        Ok(Accusation {
            document: DocKey::parse(&document).ok_or(Error::BadRow("document key"))?,
            actor: actor_of(&actor)?,
            fault,
            faulty: signed(body, tip)?,
            from: from.map(|n| fixed(n, "peer").map(NodeId)).transpose()?,
            at,
        })
    })
    .collect()
}

fn signed(body: Vec<u8>, tip: Option<Vec<u8>>) -> Result<Signed> {
    Ok(Signed {
        change: Change::from_body(body).map_err(|_| Error::BadRow("change"))?,
        tip: tip.map(|t| fixed(t, "tip")).transpose()?,
    })
}

/// The other change of the actor with this number: stored, or set aside.
pub fn contradicted(
    c: &Connection,
    key: &DocKey,
    actor: &ActorId,
    seq: u64,
    not: &ChangeHash,
) -> Result<Option<Signed>> {
    let doc = changes::find(c, key)?;
    let row = c
        .prepare_cached(
            "SELECT body, tip FROM change WHERE doc = ?1 AND actor = ?3 AND actor_seq = ?4 AND hash <> ?5
             UNION ALL
             SELECT body, tip FROM aside WHERE document = ?2 AND actor = ?3 AND actor_seq = ?4 AND hash <> ?5
             LIMIT 1",
        )?
        .query_row(
            params![doc, key.as_str(), actor.to_bytes(), seq as i64, not],
            |r| Ok((r.get::<_, Vec<u8>>(0)?, r.get::<_, Option<Vec<u8>>>(1)?)),
        )
        .optional()?;
    row.map(|(body, tip)| signed(body, tip)).transpose()
}

/// The last change of an actor's stored branch, with what waits here for no other reason than its quarantine
/// and continues that branch: number and hash.
pub fn end_of_branch(
    c: &Connection,
    policy: &Policy,
    roll: &Roll,
    key: &DocKey,
    actor: &ActorId,
) -> Result<(u64, ChangeHash)> {
    let past = Past(c);
    let last = past.last_seq(key, actor)?;
    let mut end = (last, past.at(key, actor, last)?.unwrap_or_default());
    let held: Vec<_> = admitting::waiting_in(c, key)?
        .into_iter()
        .map(|w| w.offer)
        .collect();
    for judged in admit_held(policy, roll, &held, &Acquitted(past, actor))? {
        if let (Verdict::Stored, Some(change)) = (judged.verdict, judged.change)
            && change.header.actor == *actor
        {
            end = (change.header.seq, change.header.hash);
        }
    }
    Ok(end)
}

/// The stored past as it would be if one actor were not under quarantine.
struct Acquitted<'c>(Past<'c>, &'c ActorId);

impl History for Acquitted<'_> {
    type Error = Error;

    fn header(&self, key: &DocKey, hash: &ChangeHash) -> Result<Option<Header>> {
        self.0.header(key, hash)
    }

    fn at(&self, key: &DocKey, actor: &ActorId, seq: u64) -> Result<Option<ChangeHash>> {
        self.0.at(key, actor, seq)
    }

    fn last_seq(&self, key: &DocKey, actor: &ActorId) -> Result<u64> {
        self.0.last_seq(key, actor)
    }

    fn quarantined(&self, key: &DocKey, actor: &ActorId) -> Result<bool> {
        Ok(actor != self.1 && self.0.quarantined(key, actor)?)
    }

    fn actors_of(&self, key: &DocKey, device: &NodeId) -> Result<u64> {
        self.0.actors_of(key, device)
    }

    fn bytes_of(&self, key: &DocKey, device: &NodeId) -> Result<(u64, u64)> {
        self.0.bytes_of(key, device)
    }

    fn beside(&self, key: &DocKey) -> Result<Option<u64>> {
        self.0.beside(key)
    }
}

/// How many changes of an actor wait in a document.
pub fn waiting(c: &Connection, key: &DocKey, actor: &ActorId) -> Result<u64> {
    let n: i64 = c
        .prepare_cached("SELECT COUNT(*) FROM held WHERE document = ? AND actor = ?")?
        .query_row(params![key.as_str(), actor.to_bytes()], |r| r.get(0))?;
    Ok(n as u64)
}

/// One line of the operator's lists of changes that wait and of those that were set aside.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeptRow {
    /// The document.
    pub document: String,
    /// Who wrote them.
    pub device: NodeId,
    /// What they wait for (the name of a `sync::admission::Wait`), or why they were set aside
    /// (`aside::Why::word`).
    pub why: String,
    /// How many.
    pub count: u64,
    /// Unix seconds of the newest.
    pub at: i64,
}

/// What waits, by document, author and reason.
pub fn held(c: &Connection) -> Result<Vec<KeptRow>> {
    kept(
        c,
        "SELECT document, substr(actor, 1, 32), wait, COUNT(*), MAX(at) FROM held GROUP BY 1, 2, 3 ORDER BY 5 DESC",
    )
}

/// What stands aside, by document, author and reason.
pub fn aside(c: &Connection) -> Result<Vec<KeptRow>> {
    kept(
        c,
        "SELECT document, substr(actor, 1, 32), why, COUNT(*), MAX(at) FROM aside GROUP BY 1, 2, 3 ORDER BY 5 DESC",
    )
}

fn kept(c: &Connection, sql: &str) -> Result<Vec<KeptRow>> {
    let mut statement = c.prepare_cached(sql)?;
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
        let (document, device, why, count, at) = row?;
        Ok(KeptRow {
            document,
            device: NodeId(fixed(device, "device")?),
            why,
            count: count as u64,
            at,
        })
    })
    .collect()
}
