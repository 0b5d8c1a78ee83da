//! Reads what goes to a peer: pieces that the peer can admit on their own.

use std::collections::{BTreeMap, HashMap, HashSet};

use rusqlite::{Connection, OptionalExtension, params};
use sync::admission::Offered;
use sync::session::{Outgoing, Source};
use sync::wire::BaseName;
use sync::{ActorId, ChangeHash, DocKey, NodeId, limits};

use crate::changes::Document;
use crate::reach::Reach;
use crate::{Error, Result, changes, fixed};

struct Row {
    seq: i64,
    document: DocKey,
    hash: ChangeHash,
    actor: ActorId,
    actor_seq: u64,
    deps: Vec<u8>,
    body: Vec<u8>,
    tip: Option<[u8; 64]>,
}

/// Reads one piece from `source`, of documents in `reach`, without what came from that very peer; with `base`,
/// also what the peer's present store has acknowledged of before.
pub fn read(
    c: &Connection,
    source: &Source,
    base: bool,
    peer: &NodeId,
    reach: &Reach<'_>,
) -> Result<Outgoing> {
    // In a repair the peer has said what it lacks, whatever it had once.
    let echo =
        |from: Option<Vec<u8>>| matches!(source, Source::Since(_)) && from.as_deref() == Some(&peer.0[..]);
    let (mut upto, candidates) = Candidates::of(c, source, reach)?;
    let mut statement = c.prepare_cached(
        "SELECT hash, actor, actor_seq, deps, body, tip, from_peer FROM change WHERE seq = ?",
    )?;
    let mut out: Vec<Row> = Vec::new();
    // Actors whose last change so far has no tip of its own: the piece must not end there.
    let mut open: HashSet<(i64, ActorId)> = HashSet::new();
    let (mut bytes, mut more) = (0, false);
    'lots: loop {
        let lot = candidates.after(c, upto)?;
        for (seq, doc) in lot.found {
            let Some(document) = candidates.key(doc) else {
                continue;
            };
            let mut rows = statement.query([seq])?;
            let r = rows.next()?.ok_or(Error::BadRow("change"))?;
            if echo(r.get(6)?) {
                upto = seq;
                continue;
            }
            let actor = changes::actor_of(&r.get::<_, Vec<u8>>(1)?)?;
            let body: Vec<u8> = r.get(4)?;
            let full = bytes >= limits::PIECE_TARGET && open.is_empty();
            let over = bytes + body.len() > limits::PIECE_BYTES * 3 / 4 || out.len() >= limits::PIECE_CHANGES;
            if !out.is_empty() && (full || over) {
                more = true;
                break 'lots;
            }
            let tip = r
                .get::<_, Option<Vec<u8>>>(5)?
                .map(|t| fixed(t, "tip"))
                .transpose()?;
            match tip {
                Some(_) => open.remove(&(doc, actor)),
                None => open.insert((doc, actor)),
            };
            bytes += body.len() + 100;
            upto = seq;
            out.push(Row {
                seq,
                document: document.clone(),
                hash: fixed(r.get(0)?, "hash")?,
                actor,
                actor_seq: r.get::<_, i64>(2)? as u64,
                deps: r.get(3)?,
                body,
                tip,
            });
        }
        upto = lot.upto;
        if lot.end {
            break;
        }
    }
    let escort = escort(c, &candidates, &open, &out)?;
    let base = match out.first().filter(|_| base) {
        Some(first) => acknowledged(c, peer, first)?,
        None => Vec::new(),
    };
    Ok(Outgoing {
        base,
        changes: finish(out, escort),
        upto: upto as u64,
        more,
        alone: false,
    })
}

/// What went before a change of its actor in its document, as far as the peer's present store has it.
fn acknowledged(c: &Connection, peer: &NodeId, first: &Row) -> Result<Vec<Offered>> {
    let receipt =
        "SELECT d.id, MIN(r.seq, ?) FROM receipt r JOIN peer p ON p.node = r.node AND p.store = r.store
        JOIN document d ON d.key = ? AND d.id = r.doc WHERE r.node = ? AND r.actor = ?";
    let of = params![
        first.actor_seq as i64 - 1,
        first.document.as_str(),
        peer.0,
        first.actor.to_bytes()
    ];
    match c
        .prepare_cached(receipt)?
        .query_row(of, |r| Ok((r.get(0)?, r.get(1)?)))
        .optional()?
    {
        Some((doc, last)) => row_of(c, doc, &first.document, &first.actor, last, limits::BASE_CHANGES),
        None => Ok(Vec::new()),
    }
}

/// The changes that a peer names as the base of a stream; `None` if they are not all here, or not for it.
pub fn base(c: &Connection, name: &BaseName, reach: &Reach<'_>) -> Result<Option<Vec<Offered>>> {
    let Some(document) = readable(c, &name.document, reach)? else {
        return Ok(None);
    };
    let (low, high) = (
        [&name.hash[..], &[0; 24]].concat(),
        [&name.hash[..], &[0xff; 24]].concat(),
    );
    let last = "SELECT actor, actor_seq FROM change WHERE doc = ? AND hash BETWEEN ? AND ?";
    let last: Option<(Vec<u8>, i64)> = c
        .prepare_cached(last)?
        .query_row(params![document.id, low, high], |r| Ok((r.get(0)?, r.get(1)?)))
        .optional()?;
    let Some((actor, last)) = last else {
        return Ok(None);
    };
    let (actor, count) = (changes::actor_of(&actor)?, usize::from(name.count));
    let base = row_of(c, document.id, &name.document, &actor, last, count)?;
    Ok((base.len() == count).then_some(base))
}

/// A document, if it is here and the peer may read it.
fn readable(c: &Connection, key: &DocKey, reach: &Reach<'_>) -> Result<Option<Document>> {
    match reach.lets(key) {
        true => changes::get(c, key),
        false => Ok(None),
    }
}

/// Up to `most` changes in a row that end with number `last`, within [`limits::BASE_BYTES`]. Oldest first.
fn row_of(
    c: &Connection,
    doc: i64,
    document: &DocKey,
    actor: &ActorId,
    last: i64,
    most: usize,
) -> Result<Vec<Offered>> {
    let mut statement = c.prepare_cached(
        "SELECT actor_seq, body FROM change WHERE doc = ? AND actor = ? AND actor_seq <= ?
         ORDER BY actor_seq DESC LIMIT ?",
    )?;
    let mut rows = statement.query(params![doc, actor.to_bytes(), last, most as i64])?;
    let (mut out, mut bytes) = (Vec::new(), 0);
    while let Some(r) = rows.next()? {
        let (seq, body): (i64, Vec<u8>) = (r.get(0)?, r.get(1)?);
        bytes += body.len();
        if seq != last - out.len() as i64 || bytes > limits::BASE_BYTES {
            break;
        }
        out.push(Offered {
            document: document.clone(),
            body,
            tip: None,
        });
    }
    out.reverse();
    Ok(out)
}

/// The author's last tip may stand on a change that this node has set aside: it goes along, with what lies
/// between, to vouch for those before it. The receiver does not store it either.
fn escort(
    c: &Connection,
    candidates: &Candidates,
    open: &HashSet<(i64, ActorId)>,
    out: &[Row],
) -> Result<Vec<Row>> {
    let mut bytes: usize = out.iter().map(|r| r.body.len()).sum();
    let mut going: HashSet<(&DocKey, ChangeHash)> = out.iter().map(|r| (&r.document, r.hash)).collect();
    let mut escort = Vec::new();
    for (doc, actor) in open {
        let Some(document) = candidates.key(*doc) else {
            continue;
        };
        for (change, tip) in crate::aside::escort(c, document, actor)? {
            bytes += change.body.len();
            let full = bytes > limits::PIECE_BYTES * 3 / 4 || going.len() >= limits::PIECE_CHANGES;
            if full || !going.insert((document, change.header.hash)) {
                continue;
            }
            escort.push(Row {
                seq: 0,
                document: document.clone(),
                hash: change.header.hash,
                actor: change.header.actor,
                actor_seq: change.header.seq,
                deps: Vec::new(),
                body: change.body,
                tip,
            });
        }
    }
    Ok(escort)
}

/// Which changes come into question, a lot at a time: found in indexes, so that reading costs what is sent
/// and not what is stored.
enum Candidates {
    /// All changes of these few documents.
    Few(Vec<Document>),
    /// Most documents: the changes themselves are gone through.
    Many(HashMap<i64, Document>),
    /// One document, and of each actor what lies behind the number that the peer has.
    Missing(Document, Vec<(ActorId, u64)>),
    Nothing,
}

/// Changes in local order.
struct Lot {
    /// Local sequence and document.
    found: Vec<(i64, i64)>,
    /// Nothing up to here was passed over.
    upto: i64,
    /// Nothing follows.
    end: bool,
}

// Each is a walk along an index; a test looks at SQLite's plans.
const OF_DOCUMENT: &str = "SELECT seq FROM change WHERE doc = ? AND seq > ? ORDER BY seq LIMIT ?";
const OF_ALL: &str = "SELECT seq, doc FROM change WHERE seq > ? ORDER BY seq LIMIT ?";
const OF_ACTOR: &str = "SELECT seq FROM change WHERE doc = ? AND actor = ? AND actor_seq > ? AND seq > ?
    ORDER BY actor_seq LIMIT ?";

/// Candidates that are looked for at a time; a piece has about a hundred.
const LOT: i64 = 256;

/// Up to so many documents are asked one by one.
const FEW: usize = 256;

impl Candidates {
    fn of(c: &Connection, source: &Source, reach: &Reach<'_>) -> Result<(i64, Candidates)> {
        Ok(match source {
            Source::Since(after) => {
                let newer = reach.newer(c, *after)?;
                let candidates = match newer.len() {
                    0..=FEW => Candidates::Few(newer),
                    _ => Candidates::Many(newer.into_iter().map(|d| (d.id, d)).collect()),
                };
                (*after as i64, candidates)
            }
            Source::Missing {
                document,
                have,
                after,
            } => {
                let have: HashMap<ActorId, u64> = have.iter().copied().collect();
                let candidates = match readable(c, document, reach)? {
                    Some(document) => {
                        let mut missing = Vec::new();
                        for (actor, last, _) in changes::vector(c, document.id)? {
                            let has = have.get(&actor).copied().unwrap_or(0);
                            if has < last {
                                missing.push((actor, has));
                            }
                        }
                        Candidates::Missing(document, missing)
                    }
                    None => Candidates::Nothing,
                };
                (*after as i64, candidates)
            }
        })
    }

    fn key(&self, doc: i64) -> Option<&DocKey> {
        match self {
            Candidates::Few(all) => all.iter().find(|d| d.id == doc).map(|d| &d.key),
            Candidates::Many(all) => all.get(&doc).map(|d| &d.key),
            Candidates::Missing(document, _) => Some(&document.key),
            Candidates::Nothing => None,
        }
    }

    fn after(&self, c: &Connection, after: i64) -> Result<Lot> {
        let mut found: Vec<(i64, i64)> = Vec::new();
        match self {
            Candidates::Few(all) => {
                let mut statement = c.prepare_cached(OF_DOCUMENT)?;
                for d in all.iter().filter(|d| d.last > after) {
                    for seq in statement.query_map((d.id, after, LOT), |r| r.get(0))? {
                        found.push((seq?, d.id));
                    }
                }
            }
            Candidates::Many(_) => {
                let mut statement = c.prepare_cached(OF_ALL)?;
                for row in statement.query_map((after, LOT), |r| Ok((r.get(0)?, r.get(1)?)))? {
                    found.push(row?);
                }
            }
            Candidates::Missing(document, actors) => {
                let mut statement = c.prepare_cached(OF_ACTOR)?;
                for (actor, has) in actors {
                    let of = params![document.id, actor.to_bytes(), *has as i64, after, LOT];
                    for seq in statement.query_map(of, |r| r.get(0))? {
                        found.push((seq?, document.id));
                    }
                }
            }
            Candidates::Nothing => {}
        }
        let full = found.len() >= LOT as usize;
        found.sort_unstable();
        found.truncate(LOT as usize);
        Ok(match found.last() {
            Some((seq, _)) if full => Lot {
                upto: *seq,
                found,
                end: false,
            },
            _ => Lot {
                found,
                upto: after.max(changes::last_local(c)? as i64),
                end: true,
            },
        })
    }
}

/// Keeps only the last tip of each actor, and leaves out changes that no tip of this piece covers, with
/// what depends on them: a later check finds them once their author's next tip is here.
fn finish(rows: Vec<Row>, escort: Vec<Row>) -> Vec<Offered> {
    let mut last_tip: HashMap<(DocKey, ActorId), u64> = HashMap::new();
    for r in rows.iter().chain(&escort).filter(|r| r.tip.is_some()) {
        let entry = last_tip.entry((r.document.clone(), r.actor)).or_default();
        *entry = (*entry).max(r.actor_seq);
    }
    let mut left_out: HashSet<ChangeHash> = HashSet::new();
    let mut offered = Vec::with_capacity(rows.len());
    debug_assert!(rows.windows(2).all(|w| w[0].seq < w[1].seq));
    for r in rows {
        let last = last_tip.get(&(r.document.clone(), r.actor)).copied().unwrap_or(0);
        let on_left_out = r.deps.chunks_exact(32).any(|d| left_out.iter().any(|l| l == d));
        if r.actor_seq > last || on_left_out {
            left_out.insert(r.hash);
            continue;
        }
        let tip = r.tip.filter(|_| r.actor_seq == last);
        offered.push(Offered {
            document: r.document,
            body: r.body,
            tip,
        });
    }
    offered.extend(escort.into_iter().map(|r| Offered {
        document: r.document,
        body: r.body,
        tip: r.tip,
    }));
    offered
}

/// What vouches for those of a document's rows that no tip among them covers, from beside the table.
pub fn escort_of(c: &Connection, key: &DocKey, rows: &[changes::ChangeRow]) -> Result<Vec<Offered>> {
    let mut open: BTreeMap<ActorId, bool> = BTreeMap::new();
    for row in rows {
        open.insert(row.actor, row.tip.is_none());
    }
    let mut found = Vec::new();
    for actor in open.into_iter().filter(|(_, open)| *open).map(|(actor, _)| actor) {
        found.extend(
            crate::aside::escort(c, key, &actor)?
                .into_iter()
                .map(|(change, tip)| Offered {
                    document: key.clone(),
                    body: change.body,
                    tip,
                }),
        );
    }
    Ok(found)
}

/// Every stored change with its own tip, in the order of commits: for measurements.
pub fn everything(c: &Connection) -> Result<Vec<Offered>> {
    let mut statement = c.prepare_cached(
        "SELECT d.key, c.body, c.tip FROM change c JOIN document d ON d.id = c.doc ORDER BY c.seq",
    )?;
    let rows = statement.query_map([], |r| {
        Ok((r.get::<_, String>(0)?, r.get(1)?, r.get::<_, Option<Vec<u8>>>(2)?))
    })?;
    rows.map(|row| {
        let (key, body, tip) = row?;
        Ok(Offered {
            document: DocKey::parse(&key).ok_or(Error::BadRow("document key"))?,
            body,
            tip: tip.map(|t| fixed(t, "tip")).transpose()?,
        })
    })
    .collect()
}

/// Number and bytes of the changes after a local sequence in documents in reach, without what came from that
/// very peer; for a peer of whom nothing is known (0) what there is of them as a whole.
pub fn waiting(c: &Connection, after: u64, peer: &NodeId, reach: &Reach<'_>) -> Result<(u32, u64)> {
    let mut statement = c.prepare_cached(
        "SELECT COUNT(*), COALESCE(SUM(LENGTH(body)), 0) FROM change
         WHERE doc = ? AND seq > ? AND from_peer IS NOT ?",
    )?;
    let (mut count, mut bytes) = (0u32, 0);
    for d in reach.newer(c, after)? {
        let (n, b) = match after {
            0 => (d.changes, d.bytes),
            _ => statement.query_row(params![d.id, after as i64, peer.0], |r| {
                Ok((r.get::<_, i64>(0)? as u64, r.get::<_, i64>(1)? as u64))
            })?,
        };
        count = count.saturating_add(u32::try_from(n).unwrap_or(u32::MAX));
        bytes += b;
    }
    Ok((count, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Store;

    fn actor(n: u8) -> ActorId {
        ActorId {
            device: NodeId([n; 32]),
            incarnation: [0; 4],
        }
    }

    /// Twelve documents with the changes of two actors mixed, and their rows as read by `changes::documents`.
    fn filled() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("yanxiu.db")).unwrap();
        let fill = |c: &Connection| -> Result<()> {
            for doc in 1..=12 {
                c.execute(
                    "INSERT INTO document (key) VALUES (?)",
                    [format!("log/s{}/{doc}", doc % 3)],
                )?;
            }
            let mut seqs: HashMap<(i64, u8), i64> = HashMap::new();
            for i in 0..4_000i64 {
                let (doc, who) = (1 + i * i % 13 % 12, (i % 7 % 2) as u8);
                let seq = seqs.entry((doc, who)).or_default();
                *seq += 1;
                c.execute(
                    "INSERT INTO change (doc, hash, actor, actor_seq, start_op, ops, deps, body, at)
                     VALUES (?, ?, ?, ?, 1, 1, x'', x'00', 0)",
                    params![
                        doc,
                        [&i.to_be_bytes()[..], &[0; 24]].concat(),
                        actor(who).to_bytes(),
                        *seq
                    ],
                )?;
                c.execute(
                    "UPDATE document SET last = ?, changes = changes + 1 WHERE id = ?",
                    (i + 1, doc),
                )?;
            }
            Ok(())
        };
        store.write(|tx| fill(tx)).unwrap();
        (dir, store)
    }

    fn all(c: &Connection, candidates: &Candidates, from: i64) -> Vec<(i64, i64)> {
        let (mut at, mut all) = (from, Vec::new());
        loop {
            let lot = candidates.after(c, at).unwrap();
            all.extend(lot.found.iter().filter(|(_, doc)| candidates.key(*doc).is_some()));
            assert!(lot.end || lot.upto > at);
            at = lot.upto;
            if lot.end {
                return all;
            }
        }
    }

    #[test]
    fn a_few_documents_and_many_give_the_same_changes_in_order() {
        let (_dir, store) = filled();
        let school = Reach::new(vec!["log/s1/".into()], |k| k.segment(2) != Some("4"));
        let check = |c: &Connection| -> Result<()> {
            for from in [0, 1, 777, 3_990, 4_000] {
                let (_, few) = Candidates::of(c, &Source::Since(from), &school)?;
                assert!(matches!(few, Candidates::Few(_)));
                let documents = school.newer(c, from)?;
                assert!(
                    documents
                        .iter()
                        .all(|d| d.key.segment(1) == Some("s1") && d.key.segment(2) != Some("4"))
                );
                let many = Candidates::Many(documents.into_iter().map(|d| (d.id, d)).collect());
                let found = all(c, &few, from as i64);
                assert_eq!(found, all(c, &many, from as i64));
                assert!(found.windows(2).all(|w| w[0] < w[1]));
            }
            Ok(())
        };
        store.read(check).unwrap();
    }

    #[test]
    fn a_repair_reads_what_the_peer_lacks_and_nothing_else() {
        let (_dir, store) = filled();
        let check = |c: &Connection| -> Result<()> {
            let document = changes::documents(c)?.remove(1);
            let mut wanted = c.prepare(
                "SELECT seq, doc FROM change WHERE doc = ? AND (actor <> ? OR actor_seq > 50) AND seq > ? ORDER BY seq",
            )?;
            for after in [0, 900] {
                let source = Source::Missing {
                    document: document.key.clone(),
                    have: vec![(actor(0), 50), (actor(9), 3)],
                    after,
                };
                let (at, missing) = Candidates::of(c, &source, &Reach::anywhere(|_| true))?;
                let rows = wanted
                    .query_map(params![document.id, actor(0).to_bytes(), after as i64], |r| {
                        Ok((r.get(0)?, r.get(1)?))
                    })?;
                let rows = rows.collect::<rusqlite::Result<Vec<(i64, i64)>>>()?;
                assert!(rows.len() > LOT as usize);
                assert_eq!(all(c, &missing, at), rows);
                let (_, nothing) = Candidates::of(c, &source, &Reach::anywhere(|_| false))?;
                assert_eq!(all(c, &nothing, at), []);
            }
            Ok(())
        };
        store.read(check).unwrap();
    }

    /// The cost of a session must not grow with what else the hub holds.
    #[test]
    fn no_question_of_a_session_walks_a_whole_table() {
        let (_dir, store) = filled();
        let check = |c: &Connection| -> Result<()> {
            for (sql, index) in [
                (OF_DOCUMENT, "change_doc"),
                (OF_ALL, "INTEGER PRIMARY KEY"),
                (OF_ACTOR, "actor=? AND actor_seq>?"),
                (changes::NEXT_ACTOR, "actor>?"),
                (changes::LAST_OF_ACTOR, "actor=?"),
                (changes::UNVIEWED, "document_behind"),
                (crate::reach::UNDER, "key>? AND key<?"),
            ] {
                let mut statement = c.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
                let count = statement.parameter_count();
                let rows = statement.query_map(rusqlite::params_from_iter(vec![1; count]), |r| {
                    r.get::<_, String>(3)
                })?;
                let plan = rows.collect::<rusqlite::Result<Vec<_>>>()?.join("; ");
                assert!(
                    plan.contains(index) && !plan.contains("TEMP B-TREE"),
                    "{sql}: {plan}"
                );
                assert!(!plan.contains("SCAN change"), "{sql}: {plan}");
            }
            Ok(())
        };
        store.read(check).unwrap();
    }
}
