//! What proves that a device has signed two histories, or one that does not hang together.
//!
//! A tip vouches for the change that it signs and, through the hash, for that change's past. So a change
//! without a tip of its own is proven by a later one of the same actor that has one, and by the changes
//! between them: [`Proof`] brings all that is needed to check it with nothing but the county's key.

use std::collections::{HashMap, HashSet};

use rusqlite::{Connection, OptionalExtension, params};
use sync::admission::{History, Offered};
use sync::tip::{Tip, verify_tip};
use sync::{ActorId, Change, ChangeHash, DocKey, NodeId};

use crate::changes::{self, Past};
use crate::{Error, Result, fixed};

/// A change that its author has signed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Proof {
    /// The change.
    pub body: Vec<u8>,
    /// The changes that lead from it to the one that is signed: each depends on the one before. Empty when
    /// it is signed itself.
    pub chain: Vec<Vec<u8>>,
    /// The signature over the last of them.
    pub tip: Tip,
}

/// Both sides of a fault.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Evidence {
    /// What the actor did (the name of a `sync::admission::Fault`).
    pub fault: String,
    /// At which sequence number.
    pub actor_seq: u64,
    /// The change that this node has stored at that number, if one: the other half of an equivocation.
    pub first: Option<Proof>,
    /// The faulty change.
    pub second: Option<Proof>,
}

impl Proof {
    /// Whether the signature and the chain hold: the actor has written this change in this document.
    pub fn holds(&self, county: &NodeId, document: &DocKey, actor: &ActorId) -> bool {
        let read = |body: &Vec<u8>| Change::from_body(body.clone()).ok();
        let Some(mut at) = read(&self.body).filter(|c| c.header.actor == *actor) else {
            return false;
        };
        for body in &self.chain {
            match read(body) {
                Some(next) if next.header.deps.contains(&at.header.hash) => at = next,
                _ => return false,
            }
        }
        at.header.actor == *actor && verify_tip(county, document, &at.header, &self.tip)
    }
}

/// The proof of one offered change, out of the piece it came with. Admission has seen that there is one.
pub(crate) fn in_offer(county: &NodeId, offered: &[Offered], index: usize) -> Option<Proof> {
    let offer = offered.get(index)?;
    let mut pool = Pool::default();
    for other in offered.iter().filter(|o| o.document == offer.document) {
        pool.add(other.body.clone(), other.tip);
    }
    let start = Change::from_body(offer.body.clone()).ok()?;
    pool.proof(county, &offer.document, &start)
}

/// Changes of one document among which a signed one is looked for.
#[derive(Default)]
struct Pool {
    changes: HashMap<ChangeHash, (Change, Option<Tip>)>,
    after: HashMap<ChangeHash, Vec<ChangeHash>>,
}

impl Pool {
    fn add(&mut self, body: Vec<u8>, tip: Option<Tip>) {
        let Ok(change) = Change::from_body(body) else {
            return;
        };
        for dep in &change.header.deps {
            self.after.entry(*dep).or_default().push(change.header.hash);
        }
        let kept = self.changes.entry(change.header.hash).or_insert((change, None));
        kept.1 = kept.1.or(tip);
    }

    /// The nearest change of the same actor that is signed and has `start` in its past, with the way there.
    fn proof(&self, county: &NodeId, document: &DocKey, start: &Change) -> Option<Proof> {
        let mut came_from: HashMap<ChangeHash, ChangeHash> = HashMap::new();
        let mut seen = HashSet::from([start.header.hash]);
        let mut wave = vec![start.header.hash];
        while !wave.is_empty() {
            for at in &wave {
                let Some((change, Some(tip))) = self.changes.get(at) else {
                    continue;
                };
                let head = &change.header;
                if head.actor != start.header.actor || !verify_tip(county, document, head, tip) {
                    continue;
                }
                let (mut chain, mut step) = (Vec::new(), *at);
                while step != start.header.hash {
                    chain.push(self.changes.get(&step)?.0.body.clone());
                    step = *came_from.get(&step)?;
                }
                chain.reverse();
                return Some(Proof {
                    body: start.body.clone(),
                    chain,
                    tip: *tip,
                });
            }
            let mut next = Vec::new();
            for at in wave {
                for after in self.after.get(&at).into_iter().flatten() {
                    if seen.insert(*after) {
                        came_from.insert(*after, at);
                        next.push(*after);
                    }
                }
            }
            wave = next;
        }
        None
    }
}

/// The evidence against an actor in a document; `None` when it is not quarantined there.
pub fn evidence(
    c: &Connection,
    county: &NodeId,
    document: &DocKey,
    actor: &ActorId,
) -> Result<Option<Evidence>> {
    type Row = (String, i64, Vec<u8>, Option<Vec<u8>>, Option<Vec<u8>>);
    let row: Option<Row> = c
        .prepare_cached(
            "SELECT fault, actor_seq, body, tip, proof FROM quarantine WHERE document = ? AND actor = ?",
        )?
        .query_row(params![document.as_str(), actor.to_bytes()], |r| {
            Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?, r.get(4)?))
        })
        .optional()?;
    let Some((fault, actor_seq, body, tip, chain)) = row else {
        return Ok(None);
    };
    let tip = tip.map(|t| fixed(t, "tip")).transpose()?;
    let faulty = Change::from_body(body.clone()).map_err(|_| Error::BadRow("evidence"))?;
    let kept = tip.map(|tip| Proof {
        body,
        chain: chain.map(|c| read_chain(&c)).unwrap_or_default(),
        tip,
    });
    let mut pool = None;
    let mut search = |change: &Change| -> Result<Option<Proof>> {
        let pool = match &mut pool {
            Some(pool) => pool,
            none => none.insert(all_of(c, document, actor, actor_seq)?),
        };
        Ok(pool.proof(county, document, change))
    };
    let second = match kept.filter(|k| k.holds(county, document, actor)) {
        Some(kept) => Some(kept),
        None => search(&faulty)?,
    };
    let at = Past(c).at(document, actor, actor_seq as u64)?;
    let first = match at.filter(|hash| *hash != faulty.header.hash) {
        None => None,
        Some(hash) => match changes::body(c, document, &hash)? {
            Some(body) => search(&Change::from_body(body).map_err(|_| Error::BadRow("change"))?)?,
            None => None,
        },
    };
    Ok(Some(Evidence {
        fault,
        actor_seq: actor_seq as u64,
        first,
        second,
    }))
}

/// Everything of a document that may lead from the actor's change to a signed one: stored, waiting, and the
/// evidence itself.
fn all_of(c: &Connection, document: &DocKey, actor: &ActorId, seq: i64) -> Result<Pool> {
    let mut pool = Pool::default();
    let mut read = |sql: &str, values: &[&dyn rusqlite::ToSql]| -> Result<()> {
        let mut statement = c.prepare_cached(sql)?;
        let mut rows = statement.query(values)?;
        while let Some(row) = rows.next()? {
            let tip: Option<Vec<u8>> = row.get(1)?;
            pool.add(row.get(0)?, tip.map(|t| fixed(t, "tip")).transpose()?);
        }
        Ok(())
    };
    let (key, name) = (document.as_str(), actor.to_bytes());
    read(
        "SELECT body, tip FROM change WHERE doc = (SELECT id FROM document WHERE key = ?1) AND seq >=
            (SELECT MIN(seq) FROM change WHERE actor = ?2 AND actor_seq >= ?3
             AND doc = (SELECT id FROM document WHERE key = ?1))",
        &[&key, &name, &seq],
    )?;
    read("SELECT body, tip FROM held WHERE document = ?1", &[&key])?;
    let mut statement =
        c.prepare_cached("SELECT body, tip, proof FROM quarantine WHERE document = ?1 AND actor = ?2")?;
    let mut rows = statement.query(params![key, name])?;
    while let Some(row) = rows.next()? {
        let tip = row
            .get::<_, Option<Vec<u8>>>(1)?
            .map(|t| fixed(t, "tip"))
            .transpose()?;
        let chain = row
            .get::<_, Option<Vec<u8>>>(2)?
            .map(|c| read_chain(&c))
            .unwrap_or_default();
        let mut line = vec![row.get(0)?];
        line.extend(chain);
        let last = line.len() - 1;
        for (i, body) in line.into_iter().enumerate() {
            pool.add(body, tip.filter(|_| i == last));
        }
    }
    Ok(pool)
}

/// ```text
/// chain   (length u32 big-endian, body)*
/// ```
pub(crate) fn write_chain(chain: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    for body in chain {
        out.extend((body.len() as u32).to_be_bytes());
        out.extend(body);
    }
    out
}

pub(crate) fn read_chain(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut chain = Vec::new();
    while let Some((len, rest)) = bytes.split_first_chunk::<4>() {
        let Some((body, rest)) = rest.split_at_checked(u32::from_be_bytes(*len) as usize) else {
            break;
        };
        chain.push(body.to_vec());
        bytes = rest;
    }
    chain
}
