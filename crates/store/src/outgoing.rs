//! Reads what goes to a peer: pieces that the peer can admit on their own.

use std::collections::{HashMap, HashSet};

use rusqlite::{Connection, params};
use sync::admission::Offered;
use sync::session::{Outgoing, Source};
use sync::{ActorId, ChangeHash, DocKey, NodeId, limits};

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

/// Reads one piece from `source`, without what came from that very peer. `may_read` decides by document.
pub fn read(
    c: &Connection,
    source: &Source,
    peer: &NodeId,
    may_read: impl Fn(&DocKey) -> bool,
) -> Result<Outgoing> {
    // In a repair the peer has said what it lacks, whatever it had once.
    let echo =
        |from: Option<Vec<u8>>| matches!(source, Source::Since(_)) && from.as_deref() == Some(&peer.0[..]);
    let (after, only, have): (u64, Option<&DocKey>, HashMap<ActorId, u64>) = match source {
        Source::Since(after) => (*after, None, HashMap::new()),
        Source::Missing {
            document,
            have,
            after,
        } => (*after, Some(document), have.iter().copied().collect()),
    };
    let only = match only {
        Some(key) => match changes::find(c, key)? {
            Some(doc) if may_read(key) => Some(doc),
            _ => {
                return Ok(Outgoing {
                    upto: after,
                    ..Outgoing::default()
                });
            }
        },
        None => None,
    };
    let mut keys: HashMap<i64, (DocKey, bool)> = HashMap::new();
    for d in changes::documents(c)? {
        let readable = may_read(&d.key);
        keys.insert(d.id, (d.key, readable));
    }
    let mut statement = c.prepare_cached(
        "SELECT seq, doc, hash, actor, actor_seq, deps, body, tip, from_peer FROM change
         WHERE seq > ?1 AND (?2 IS NULL OR doc = ?2) ORDER BY seq",
    )?;
    let mut rows = statement.query(params![after as i64, only])?;
    let mut out: Vec<Row> = Vec::new();
    // Actors whose last change so far has no tip of its own: the piece must not end there.
    let mut open: HashSet<(i64, ActorId)> = HashSet::new();
    let (mut bytes, mut upto, mut more) = (0, after as i64, false);
    while let Some(r) = rows.next()? {
        let (seq, doc): (i64, i64) = (r.get(0)?, r.get(1)?);
        let Some((document, true)) = keys.get(&doc).filter(|_| !echo(r.get(8).ok().flatten())) else {
            upto = seq;
            continue;
        };
        let actor = changes::actor_of(&r.get::<_, Vec<u8>>(3)?)?;
        let actor_seq = r.get::<_, i64>(4)? as u64;
        if have.get(&actor).is_some_and(|h| actor_seq <= *h) {
            upto = seq;
            continue;
        }
        let body: Vec<u8> = r.get(6)?;
        let full = bytes >= limits::PIECE_TARGET && open.is_empty();
        let over = bytes + body.len() > limits::PIECE_BYTES * 3 / 4 || out.len() >= limits::PIECE_CHANGES;
        if !out.is_empty() && (full || over) {
            more = true;
            break;
        }
        let tip = r
            .get::<_, Option<Vec<u8>>>(7)?
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
            hash: fixed(r.get(2)?, "hash")?,
            actor,
            actor_seq,
            deps: r.get(5)?,
            body,
            tip,
        });
    }
    let escort = escort(c, &keys, &open, &out)?;
    Ok(Outgoing {
        changes: finish(out, escort),
        upto: upto as u64,
        more,
    })
}

/// The author's last tip may stand on a change that this node has set aside: it goes along, with what lies
/// between, to vouch for those before it. The receiver does not store it either.
fn escort(
    c: &Connection,
    keys: &HashMap<i64, (DocKey, bool)>,
    open: &HashSet<(i64, ActorId)>,
    out: &[Row],
) -> Result<Vec<Row>> {
    let mut bytes: usize = out.iter().map(|r| r.body.len()).sum();
    let mut going: HashSet<(&DocKey, ChangeHash)> = out.iter().map(|r| (&r.document, r.hash)).collect();
    let mut escort = Vec::new();
    for (doc, actor) in open {
        let Some((document, _)) = keys.get(doc) else {
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

/// Number and bytes of the changes after a local sequence in documents that may be read, without what came
/// from that very peer.
pub fn waiting(
    c: &Connection,
    after: u64,
    peer: &NodeId,
    may_read: impl Fn(&DocKey) -> bool,
) -> Result<(u32, u64)> {
    let mut statement = c.prepare_cached(
        "SELECT d.key, COUNT(*), SUM(LENGTH(c.body)) FROM change c JOIN document d ON d.id = c.doc
         WHERE c.seq > ? AND c.from_peer IS NOT ? GROUP BY c.doc",
    )?;
    let rows = statement.query_map(params![after as i64, peer.0], |r| {
        Ok((r.get::<_, String>(0)?, r.get::<_, u32>(1)?, r.get::<_, i64>(2)?))
    })?;
    let (mut count, mut bytes) = (0, 0);
    for row in rows {
        let (key, n, b) = row?;
        if may_read(&DocKey::parse(&key).ok_or(Error::BadRow("document key"))?) {
            count += n;
            bytes += b as u64;
        }
    }
    Ok((count, bytes))
}
