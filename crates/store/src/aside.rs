//! Changes that no longer stand in the history of this node: branches that it left, and what depends on them.
//!
//! They are evidence and are kept. `sync::branch` and the roll say what goes; [`crate::admitting`] brings
//! back what the roll lets in again. What this device wrote itself is said again by the node, under a new
//! incarnation ([`unsaid`], [`set_said`]).

use std::collections::{BTreeMap, HashSet};

use rusqlite::{Connection, OptionalExtension, params};
use sync::admission::{History, Offered};
use sync::roll::Cut;
use sync::tip::{BY_CUT, Tip};
use sync::{ActorId, Change, ChangeHash, DocKey, NodeId, Roll, branch};

use crate::changes::{self, Past, actor_of};
use crate::{Error, Result, fixed};

/// So many of an actor's last changes a peer is asked to show again where branches may differ (about 16 KB).
pub const SHOWN_AGAIN: u64 = 64;

/// Why a change was set aside.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Why {
    /// This device withdrew its own branch: a peer holds another one.
    Withdrawn,
    /// A cut names another branch.
    Branch,
    /// Its actor ends before it.
    End,
    /// Something in its past was set aside.
    Past,
}

impl Why {
    const ALL: [Why; 4] = [Why::Withdrawn, Why::Branch, Why::End, Why::Past];

    /// The word in the table.
    pub fn word(self) -> &'static str {
        match self {
            Why::Withdrawn => "withdrawn",
            Why::Branch => "branch",
            Why::End => "end",
            Why::Past => "past",
        }
    }

    fn of(word: &str) -> Option<Why> {
        Why::ALL.into_iter().find(|w| w.word() == word)
    }
}

struct Row {
    seq: i64,
    hash: ChangeHash,
    actor: Vec<u8>,
    actor_seq: i64,
    deps: Vec<u8>,
}

/// Sets aside the changes of `actor` from number `from` on, and everything that depends on them. Returns how
/// many. The views are rebuilt by the next refresh.
pub fn set_aside(
    c: &Connection,
    key: &DocKey,
    actor: &ActorId,
    from: u64,
    why: Why,
    at: i64,
) -> Result<usize> {
    let Some(doc) = changes::find(c, key)? else {
        return Ok(0);
    };
    let name = actor.to_bytes();
    let mut statement =
        c.prepare_cached("SELECT seq, hash, actor, actor_seq, deps FROM change WHERE doc = ? ORDER BY seq")?;
    let rows = statement.query_map([doc], |r| {
        Ok((
            r.get(0)?,
            r.get::<_, Vec<u8>>(1)?,
            r.get(2)?,
            r.get(3)?,
            r.get(4)?,
        ))
    })?;
    let mut gone: HashSet<ChangeHash> = HashSet::new();
    let (mut going, mut lowest) = (Vec::new(), BTreeMap::<Vec<u8>, i64>::new());
    let mut heads: HashSet<ChangeHash> = HashSet::new();
    // Dependencies come first, so one pass finds all that depend on what goes.
    for row in rows {
        let (seq, hash, actor, actor_seq, deps) = row?;
        let row = Row {
            seq,
            hash: fixed(hash, "hash")?,
            actor,
            actor_seq,
            deps,
        };
        let own = row.actor == name && row.actor_seq >= from as i64;
        let past = || {
            row.deps
                .chunks_exact(32)
                .any(|d| <ChangeHash>::try_from(d).is_ok_and(|d| gone.contains(&d)))
        };
        if own || past() {
            gone.insert(row.hash);
            let least = lowest.entry(row.actor).or_insert(row.actor_seq);
            *least = (*least).min(row.actor_seq);
            going.push((row.seq, if own { why } else { Why::Past }));
            continue;
        }
        for dep in row.deps.chunks_exact(32) {
            if let Ok(dep) = <ChangeHash>::try_from(dep) {
                heads.remove(&dep);
            }
        }
        heads.insert(row.hash);
    }
    if going.is_empty() {
        return Ok(0);
    }
    let upto = changes::last_local(c)? as i64;
    for (seq, why) in &going {
        c.prepare_cached(
            "INSERT OR REPLACE INTO aside
                (document, hash, actor, actor_seq, place, deps, body, tip, from_peer, why, upto, at)
             SELECT ?1, hash, actor, actor_seq, seq, deps, body, tip, from_peer, ?2, ?3, ?4
             FROM change WHERE seq = ?5",
        )?
        .execute(params![key.as_str(), why.word(), upto, at, seq])?;
        c.prepare_cached(
            "UPDATE writer SET bytes = bytes - (SELECT LENGTH(body) FROM change WHERE seq = ?1)
             WHERE doc = ?2 AND device = (SELECT substr(actor, 1, 32) FROM change WHERE seq = ?1)",
        )?
        .execute((seq, doc))?;
        c.prepare_cached("DELETE FROM change WHERE seq = ?")?
            .execute([seq])?;
    }
    // A receipt for what is gone says nothing about what comes in its place.
    for (actor, least) in &lowest {
        c.prepare_cached("DELETE FROM receipt WHERE doc = ? AND actor = ? AND seq >= ?")?
            .execute(params![doc, actor, least])?;
        // Nor does what was found of a change that is gone: another branch may hold a good one in its place.
        c.prepare_cached("DELETE FROM unreadable WHERE document = ? AND actor = ? AND actor_seq >= ?")?
            .execute(params![key.as_str(), actor, least])?;
    }
    let mut heads: Vec<ChangeHash> = heads.into_iter().collect();
    heads.sort();
    c.prepare_cached(
        "UPDATE document SET heads = ?1, viewed = -1, (last, changes, bytes) = (
            SELECT COALESCE(MAX(seq), 0), COUNT(*), COALESCE(SUM(LENGTH(body)), 0) FROM change WHERE doc = ?2)
         WHERE id = ?2",
    )?
    .execute(params![heads.concat(), doc])?;
    Ok(going.len())
}

/// Keeps changes beside the documents that were never here, or are no longer, and that a peer has shown:
/// dependencies first. What this device wrote among them is said again.
pub fn keep(
    c: &Connection,
    key: &DocKey,
    shown: &[(Change, Option<Tip>, Why)],
    from: &NodeId,
    at: i64,
) -> Result<()> {
    let place = changes::last_local(c)? as i64;
    for (change, tip, why) in shown {
        let h = &change.header;
        c.prepare_cached(
            "INSERT OR IGNORE INTO aside
                (document, hash, actor, actor_seq, place, deps, body, tip, from_peer, why, upto, at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?5, ?11)",
        )?
        .execute(params![
            key.as_str(),
            h.hash,
            h.actor.to_bytes(),
            h.seq as i64,
            place,
            h.deps.concat(),
            change.body,
            tip.map(|t| t.to_vec()),
            from.0,
            why.word(),
            at
        ])?;
        c.prepare_cached("DELETE FROM held WHERE document = ? AND hash = ?")?
            .execute(params![key.as_str(), h.hash])?;
    }
    Ok(())
}

/// Why a change stands aside, if it does.
pub fn why(c: &Connection, key: &DocKey, hash: &ChangeHash) -> Result<Option<Why>> {
    let word: Option<String> = c
        .prepare_cached("SELECT why FROM aside WHERE document = ? AND hash = ?")?
        .query_row(params![key.as_str(), hash], |r| r.get(0))
        .optional()?;
    word.map(|w| Why::of(&w).ok_or(Error::BadRow("aside")))
        .transpose()
}

/// Sets aside what the roll now puts beyond the end of any actor of `device`, in every document.
pub fn enforce(c: &Connection, roll: &Roll, device: &NodeId, at: i64) -> Result<usize> {
    let known = changes::documents(c)?;
    let mut count = 0;
    for id in changes::documents_of(c, device)? {
        let Some(d) = known.iter().find(|d| d.id == id) else {
            continue;
        };
        for (actor, _, _) in changes::vector(c, id)? {
            if actor.device == *device {
                count += enforce_actor(c, roll, id, &d.key, &actor, at)?;
            }
        }
    }
    Ok(count)
}

fn enforce_actor(
    c: &Connection,
    roll: &Roll,
    doc: i64,
    key: &DocKey,
    actor: &ActorId,
    at: i64,
) -> Result<usize> {
    let end = roll.end(key, actor);
    c.prepare_cached(
        "UPDATE change SET tip = NULL WHERE doc = ? AND actor = ? AND tip = ? AND actor_seq <> ?",
    )?
    .execute(params![
        doc,
        actor.to_bytes(),
        BY_CUT,
        end.map_or(0, |e| e.seq as i64)
    ])?;
    let Some(end) = end else { return Ok(0) };
    let (from, why) = match Past(c).at(key, actor, end.seq)? {
        Some(hash) if hash == end.hash => {
            c.prepare_cached(
                "UPDATE change SET tip = ? WHERE doc = ? AND actor = ? AND actor_seq = ? AND tip IS NULL",
            )?
            .execute(params![BY_CUT, doc, actor.to_bytes(), end.seq as i64])?;
            (end.seq + 1, Why::End)
        }
        Some(_) => (end.seq, Why::Branch),
        None => (end.seq + 1, Why::End),
    };
    set_aside(c, key, actor, from, why, at)
}

/// Whether a change stands aside.
pub fn has(c: &Connection, key: &DocKey, hash: &ChangeHash) -> Result<bool> {
    Ok(
        c.prepare_cached("SELECT EXISTS (SELECT 1 FROM aside WHERE document = ? AND hash = ?)")?
            .query_row(params![key.as_str(), hash], |r| r.get(0))?,
    )
}

/// Whether anything of an actor stands aside in a document.
pub fn has_actor(c: &Connection, key: &DocKey, actor: &ActorId) -> Result<bool> {
    Ok(
        c.prepare_cached("SELECT EXISTS (SELECT 1 FROM aside WHERE document = ? AND actor = ?)")?
            .query_row(params![key.as_str(), actor.to_bytes()], |r| r.get(0))?,
    )
}

/// Takes a change off this table, for it is stored again; its author's signature, if it stood here.
pub(crate) fn take_back(c: &Connection, key: &DocKey, hash: &ChangeHash) -> Result<Option<Vec<u8>>> {
    Ok(
        c.prepare_cached("DELETE FROM aside WHERE document = ? AND hash = ? RETURNING tip")?
            .query_row(params![key.as_str(), hash], |r| r.get::<_, Option<Vec<u8>>>(0))
            .optional()?
            .flatten(),
    )
}

/// Whether anything of a document stands aside.
pub(crate) fn any(c: &Connection, key: &DocKey) -> Result<bool> {
    Ok(
        c.prepare_cached("SELECT EXISTS (SELECT 1 FROM aside WHERE document = ?)")?
            .query_row([key.as_str()], |r| r.get(0))?,
    )
}

/// Documents in which something stands aside.
pub(crate) fn documents(c: &Connection) -> Result<Vec<String>> {
    let mut statement = c.prepare_cached("SELECT DISTINCT document FROM aside")?;
    let rows = statement.query_map([], |r| r.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// What may be judged again in a document: what waits for its past or for another end, and of branches that
/// were left only what a cut names. A branch that this device withdrew comes back by a cut alone.
///
/// Heads are looked at first, for much may stand aside: bodies are read only of what could be stored now.
pub(crate) fn candidates(
    c: &Connection,
    roll: &Roll,
    key: &DocKey,
) -> Result<Vec<(Offered, Option<NodeId>)>> {
    let mut statement = c.prepare_cached(
        "SELECT id, hash, actor, actor_seq, deps, why FROM aside WHERE document = ? ORDER BY place, id",
    )?;
    let rows = statement.query_map([key.as_str()], |r| {
        Ok((
            r.get::<_, i64>(0)?,
            r.get::<_, Vec<u8>>(1)?,
            r.get::<_, Vec<u8>>(2)?,
            r.get::<_, i64>(3)?,
            r.get::<_, Vec<u8>>(4)?,
            r.get::<_, String>(5)?,
        ))
    })?;
    let past = Past(c);
    let (mut picked, mut at_hand) = (Vec::new(), HashSet::new());
    for row in rows {
        let (id, hash, actor, seq, deps, why) = row?;
        let (hash, actor, seq): (ChangeHash, _, _) = (fixed(hash, "hash")?, actor_of(&actor)?, seq as u64);
        let beyond = |end: Cut| seq > end.seq || (seq == end.seq && hash != end.hash);
        if roll.end(key, &actor).is_some_and(beyond) {
            continue;
        }
        let left = why == Why::Withdrawn.word() || why == Why::Branch.word();
        let back = match roll.cut(key, &actor) {
            Some(cut) if left => past.header(key, &cut.hash)?.is_none(),
            None if left => why == Why::Branch.word(),
            _ => true,
        };
        let mut ready = back;
        for dep in deps
            .chunks_exact(32)
            .filter_map(|d| <ChangeHash>::try_from(d).ok())
        {
            ready = ready && (at_hand.contains(&dep) || known(c, key, &dep)?);
        }
        if ready {
            at_hand.insert(hash);
            picked.push((id, left && roll.cut(key, &actor).is_some()));
        }
    }
    let (mut offered, mut about) = (Vec::new(), Vec::new());
    let mut statement = c.prepare_cached("SELECT body, tip, from_peer FROM aside WHERE id = ?")?;
    for (id, only_named) in picked {
        let (body, tip, from) = statement.query_row([id], |r| {
            Ok((
                r.get::<_, Vec<u8>>(0)?,
                r.get::<_, Option<Vec<u8>>>(1)?,
                r.get::<_, Option<Vec<u8>>>(2)?,
            ))
        })?;
        let from = from.map(|n| fixed(n, "peer").map(NodeId)).transpose()?;
        about.push((from, only_named));
        offered.push(Offered {
            document: key.clone(),
            body,
            tip: tip.map(|t| fixed(t, "tip")).transpose()?,
        });
    }
    let named = branch::named(roll, &offered);
    Ok(offered
        .into_iter()
        .zip(about)
        .enumerate()
        .filter(|(i, (_, (_, only_named)))| !only_named || named.contains(i))
        .map(|(_, (o, (from, _)))| (o, from))
        .collect())
}

/// Whether a change is stored or waits.
fn known(c: &Connection, key: &DocKey, hash: &ChangeHash) -> Result<bool> {
    Ok(c.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM change WHERE doc = (SELECT id FROM document WHERE key = ?1) AND hash = ?2)
             OR EXISTS (SELECT 1 FROM held WHERE document = ?1 AND hash = ?2)",
    )?
    .query_row(params![key.as_str(), hash], |r| r.get(0))?)
}

/// What vouches for the stored changes of an actor whose last tip is not on a stored change: the next change
/// that it signed, and what lies between, as far as they stand aside or wait.
pub(crate) fn escort(c: &Connection, key: &DocKey, actor: &ActorId) -> Result<Vec<(Change, Option<Tip>)>> {
    let signed: Option<Vec<u8>> = c
        .prepare_cached(
            "SELECT hash FROM (
                SELECT hash, actor_seq FROM aside
                    WHERE document = ?1 AND actor = ?2 AND tip IS NOT NULL AND tip <> ?3
                UNION SELECT hash, actor_seq FROM held
                    WHERE document = ?1 AND actor = ?2 AND tip IS NOT NULL AND tip <> ?3)
             ORDER BY actor_seq LIMIT 1",
        )?
        .query_row(params![key.as_str(), actor.to_bytes(), BY_CUT], |r| r.get(0))
        .optional()?;
    let Some(signed) = signed else {
        return Ok(Vec::new());
    };
    let mut next: Vec<ChangeHash> = vec![fixed(signed, "hash")?];
    let (mut seen, mut out) = (HashSet::new(), Vec::new());
    let mut statement = c.prepare_cached(
        "SELECT body, tip FROM aside WHERE document = ?1 AND hash = ?2
         UNION ALL SELECT body, tip FROM held WHERE document = ?1 AND hash = ?2 LIMIT 1",
    )?;
    while let Some(hash) = next.pop() {
        if !seen.insert(hash) {
            continue;
        }
        let row = statement
            .query_row(params![key.as_str(), hash], |r| {
                Ok((r.get::<_, Vec<u8>>(0)?, r.get::<_, Option<Vec<u8>>>(1)?))
            })
            .optional()?;
        let Some((body, tip)) = row else { continue };
        let change = Change::from_body(body).map_err(|_| Error::BadRow("change"))?;
        next.extend(&change.header.deps);
        out.push((change, tip.map(|t| fixed(t, "tip")).transpose()?));
    }
    out.reverse();
    Ok(out)
}

/// The sequence number to announce for an actor: lower than the highest stored one where this node may hold
/// the wrong branch, so that the peer sends its own from there on.
pub fn announced(c: &Connection, roll: &Roll, key: &DocKey, actor: &ActorId, last: u64) -> Result<u64> {
    if let Some(seq) = open_fork(c, key, actor)? {
        return Ok(last.min(seq.saturating_sub(1)));
    }
    let Some(cut) = roll.cut(key, actor) else {
        return Ok(last);
    };
    let past = Past(c);
    if past.header(key, &cut.hash)?.is_some() {
        return Ok(last);
    }
    let doubtful: bool = c
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM held WHERE document = ?1 AND actor = ?2)
                 OR EXISTS (SELECT 1 FROM quarantine WHERE document = ?1 AND actor = ?2)
                 OR EXISTS (SELECT 1 FROM aside WHERE document = ?1 AND actor = ?2)",
        )?
        .query_row(params![key.as_str(), actor.to_bytes()], |r| r.get(0))?;
    Ok(if doubtful { 0 } else { last })
}

/// Notes that a peer refused an own change at `seq`: it holds another one there.
pub fn note_fork(c: &Connection, key: &DocKey, actor: &ActorId, seq: u64, at: i64) -> Result<()> {
    c.prepare_cached(
        "INSERT INTO fork (document, actor, seq, at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (document, actor) DO UPDATE SET
            seq = CASE WHEN seq = 0 THEN excluded.seq ELSE MIN(seq, excluded.seq) END, at = excluded.at",
    )?
    .execute(params![key.as_str(), actor.to_bytes(), seq as i64, at])?;
    Ok(())
}

fn open_fork(c: &Connection, key: &DocKey, actor: &ActorId) -> Result<Option<u64>> {
    let seq: Option<i64> = c
        .prepare_cached("SELECT seq FROM fork WHERE document = ? AND actor = ? AND seq > 0")?
        .query_row(params![key.as_str(), actor.to_bytes()], |r| r.get(0))
        .optional()?;
    Ok(seq.map(|s| s as u64))
}

/// The fork is settled; `flipped`: by leaving our branch.
pub fn settle_fork(c: &Connection, key: &DocKey, actor: &ActorId, flipped: bool, at: i64) -> Result<()> {
    c.prepare_cached(
        "INSERT INTO fork (document, actor, seq, flips, at) VALUES (?1, ?2, 0, ?3, ?4)
         ON CONFLICT (document, actor) DO UPDATE SET seq = 0, flips = flips + ?3, at = ?4",
    )?
    .execute(params![key.as_str(), actor.to_bytes(), i64::from(flipped), at])?;
    Ok(())
}

/// How often this node has left a branch of that actor.
pub fn flips(c: &Connection, key: &DocKey, actor: &ActorId) -> Result<u64> {
    let n: Option<i64> = c
        .prepare_cached("SELECT flips FROM fork WHERE document = ? AND actor = ?")?
        .query_row(params![key.as_str(), actor.to_bytes()], |r| r.get(0))
        .optional()?;
    Ok(n.unwrap_or(0) as u64)
}

/// An own change that was set aside.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Aside {
    /// The change.
    pub change: Change,
    /// Whether its values have still to be said again by `me`.
    pub unsaid: bool,
    /// Whether a cut names another branch, and says nothing against what stands in this one.
    pub branch: bool,
}

/// Documents with own changes whose values have not been said again: the key, and the highest local
/// sequence when they were set aside (each lot is said again on its own).
pub fn unsaid(c: &Connection, me: &NodeId) -> Result<Vec<(DocKey, i64)>> {
    let mut statement = c.prepare_cached(
        "SELECT DISTINCT document, upto FROM aside WHERE said = 0 AND substr(actor, 1, 32) = ?
         ORDER BY document, upto",
    )?;
    let rows = statement.query_map([me.0], |r| Ok((r.get::<_, String>(0)?, r.get(1)?)))?;
    rows.map(|row| {
        let (key, upto) = row?;
        Ok((DocKey::parse(&key).ok_or(Error::BadRow("document key"))?, upto))
    })
    .collect()
}

/// One lot of set-aside changes, dependencies first, with those that they stand on and that were set aside in
/// another lot: without these the document cannot be seen as it was.
pub fn lot(c: &Connection, me: &NodeId, key: &DocKey, upto: i64) -> Result<Vec<Aside>> {
    // Operation numbers grow along dependencies.
    let mut lot: BTreeMap<(u64, ChangeHash), Aside> = BTreeMap::new();
    let mut seen: HashSet<ChangeHash> = HashSet::new();
    let mut next: Vec<ChangeHash> = Vec::new();
    let mut statement = c.prepare_cached("SELECT hash FROM aside WHERE document = ? AND upto = ?")?;
    for hash in statement.query_map(params![key.as_str(), upto], |r| r.get::<_, Vec<u8>>(0))? {
        next.push(fixed(hash?, "hash")?);
    }
    let mut one =
        c.prepare_cached("SELECT body, said, why, upto FROM aside WHERE document = ? AND hash = ?")?;
    while let Some(hash) = next.pop() {
        if !seen.insert(hash) {
            continue;
        }
        let row = one
            .query_row(params![key.as_str(), hash], |r| {
                Ok((
                    r.get::<_, Vec<u8>>(0)?,
                    r.get::<_, i64>(1)?,
                    r.get::<_, String>(2)?,
                    r.get::<_, i64>(3)?,
                ))
            })
            .optional()?;
        let Some((body, said, why, of)) = row else {
            continue;
        };
        let change = Change::from_body(body).map_err(|_| Error::BadRow("change"))?;
        next.extend(&change.header.deps);
        let unsaid = of == upto && said == 0 && change.header.actor.device == *me;
        let branch = why == Why::Branch.word();
        lot.insert(
            (change.header.start_op, hash),
            Aside {
                change,
                unsaid,
                branch,
            },
        );
    }
    Ok(lot.into_values().collect())
}

/// The own changes of a lot have been said again.
pub fn set_said(c: &Connection, me: &NodeId, key: &DocKey, upto: i64) -> Result<()> {
    c.prepare_cached(
        "UPDATE aside SET said = 1 WHERE document = ? AND upto = ? AND substr(actor, 1, 32) = ?",
    )?
    .execute(params![key.as_str(), upto, me.0])?;
    Ok(())
}
