//! What does not stand in the documents of this node and is shown to a peer all the same: to the county the
//! proof that an actor signed two histories, for the county alone can end that; and what a cut has put beyond
//! the end of an actor, to its device, which may have lost it with an earlier state of its disk and says it
//! again (`node::mend`), and to the county, which passes it on to the device.
//!
//! All of it vouches for itself: the signatures of its authors go along. No peer stores it in a document.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use rusqlite::{Connection, OptionalExtension, params};
use sync::admission::{History, Offered};
use sync::roll::Cut;
use sync::tip::{BY_CUT, Tip};
use sync::{ActorId, Change, ChangeHash, DocKey, NodeId, Roll};

use crate::changes::{Past, actor_of};
use crate::evidence::{self, Proof};
use crate::reach::Reach;
use crate::{Error, Result, cases, fixed};

/// Changes that are understood together, dependencies first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lot {
    /// Names it: the change that it is about.
    pub about: ChangeHash,
    /// The hashes of all.
    pub hashes: Vec<ChangeHash>,
    /// The changes.
    pub changes: Vec<Offered>,
}

impl Lot {
    fn new(about: ChangeHash) -> Lot {
        Lot {
            about,
            hashes: Vec::new(),
            changes: Vec::new(),
        }
    }

    fn push(&mut self, key: &DocKey, change: Change, tip: Option<Tip>) {
        self.hashes.push(change.header.hash);
        self.changes.push(Offered {
            document: key.clone(),
            body: change.body,
            tip,
        });
    }

    /// Bytes of the bodies.
    pub fn bytes(&self) -> usize {
        self.changes.iter().map(|o| o.body.len()).sum()
    }
}

/// The proofs of open quarantines, both sides of each; without those whose faulty change `known` names.
pub fn proofs(
    c: &Connection,
    roll: &Roll,
    reach: &Reach<'_>,
    known: impl Fn(&ChangeHash) -> bool,
) -> Result<Vec<Lot>> {
    let mut lots = Vec::new();
    for a in cases::accusations(c)? {
        let about = a.faulty.change.header.hash;
        if known(&about) || !reach.lets(&a.document) || roll.end(&a.document, &a.actor).is_some() {
            continue;
        }
        let Some(found) = evidence::evidence(c, &roll.county(), &a.document, &a.actor)? else {
            continue;
        };
        let mut lot = Lot::new(about);
        let Some(second) = found.second else { continue };
        for Proof { body, chain, tip } in found.first.into_iter().chain([second]) {
            let last = chain.len();
            for (i, body) in std::iter::once(body).chain(chain).enumerate() {
                let change = read(body)?;
                if !lot.hashes.contains(&change.header.hash) {
                    lot.push(&a.document, change, (i == last).then_some(tip));
                }
            }
        }
        lots.push(lot);
    }
    Ok(lots)
}

/// What stands aside or waits because of cuts and revocations, of `author` (`None`: of anybody), without what `known` names: what
/// lies beyond the end of its own actors, and what it wrote on top of another's.
pub fn beyond(
    c: &Connection,
    roll: &Roll,
    reach: &Reach<'_>,
    author: Option<&NodeId>,
    known: impl Fn(&ChangeHash) -> bool,
) -> Result<Vec<Lot>> {
    let mut lots = Vec::new();
    let of = |device: &NodeId| author.is_none_or(|a| a == device) && !roll.is_revoked(device);
    let mut evident: BTreeMap<&DocKey, Kept> = BTreeMap::new();
    for (key, actor, cut) in roll.cuts() {
        if !reach.lets(key) {
            continue;
        }
        let evidence = in_evidence(c, key, actor)?;
        if of(&actor.device) {
            let mut going = HashSet::new();
            for (seq, hash) in signed(c, key, actor, &evidence)? {
                // What has been shown with its past need not be shown again with what came after it.
                if known(&hash) {
                    going.insert(hash);
                }
                let off = is_beyond(&Past(c), key, actor, cut, seq, &hash)?;
                if off && !going.contains(&hash) && Past(c).header(key, &hash)?.is_none() {
                    lots.extend(with_past(c, key, hash, &evidence, &mut going)?);
                }
            }
        }
        evident.entry(key).or_default().extend(evidence);
    }
    let nothing = Kept::new();
    for (key, all) in kept_with_ends(c, roll, reach)? {
        let evidence = evident.get(&key).unwrap_or(&nothing);
        let mut going = HashSet::new();
        for (_, actor, hash) in all {
            if !of(&actor.device) || roll.end(&key, &actor).is_some() {
                continue;
            }
            if known(&hash) {
                going.insert(hash);
            }
            if going.contains(&hash) || Past(c).header(&key, &hash)?.is_some() {
                continue;
            }
            let mut with = going.clone();
            let Some(lot) = with_past(c, &key, hash, evidence, &mut with)? else {
                continue;
            };
            if stands_beyond(c, roll, &key, &lot, &going)? {
                going = with;
                lots.push(lot);
            }
        }
    }
    Ok(lots)
}

/// Whether a change lies beyond the cut of its actor.
fn is_beyond(
    past: &Past<'_>,
    key: &DocKey,
    actor: &ActorId,
    cut: &Cut,
    seq: u64,
    hash: &ChangeHash,
) -> Result<bool> {
    Ok(seq > cut.seq || past.at(key, actor, seq)?.is_some_and(|here| here != *hash))
}

/// Whether something in a lot lies beyond the end of its actor, or on what `going` says is shown already.
fn stands_beyond(
    c: &Connection,
    roll: &Roll,
    key: &DocKey,
    lot: &Lot,
    going: &HashSet<ChangeHash>,
) -> Result<bool> {
    for offered in &lot.changes {
        let head = read(offered.body.clone())?.header;
        if head.deps.iter().any(|d| going.contains(d)) {
            return Ok(true);
        }
        if let Some(end) = roll.end(key, &head.actor)
            && is_beyond(&Past(c), key, &head.actor, &end, head.seq, &head.hash)?
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Signed changes beside the documents: number, actor and hash.
type Numbered = BTreeSet<(i64, ActorId, ChangeHash)>;

/// Of each document in which an actor has an end: the signed changes that stand aside or wait, lowest numbers
/// first.
fn kept_with_ends(c: &Connection, roll: &Roll, reach: &Reach<'_>) -> Result<BTreeMap<DocKey, Numbered>> {
    let mut found: BTreeMap<DocKey, Numbered> = BTreeMap::new();
    let cut: HashSet<&DocKey> = roll.cuts().map(|(key, _, _)| key).collect();
    if cut.is_empty() && roll.revoked().next().is_none() {
        return Ok(found);
    }
    let mut statement = c.prepare_cached(
        "SELECT document, actor_seq, actor, hash FROM aside WHERE tip <> ?1
         UNION SELECT document, actor_seq, actor, hash FROM held WHERE tip <> ?1",
    )?;
    let mut ended = HashSet::new();
    let mut rows = statement.query([BY_CUT])?;
    while let Some(r) = rows.next()? {
        let key = DocKey::parse(&r.get::<_, String>(0)?).ok_or(Error::BadRow("document key"))?;
        if !reach.lets(&key) {
            continue;
        }
        let actor = actor_of(&r.get::<_, Vec<u8>>(2)?)?;
        if cut.contains(&key) || roll.is_revoked(&actor.device) {
            ended.insert(key.clone());
        }
        let kept = (r.get(1)?, actor, fixed(r.get(3)?, "hash")?);
        found.entry(key).or_default().insert(kept);
    }
    found.retain(|key, _| ended.contains(key));
    Ok(found)
}

type Kept = HashMap<ChangeHash, (Change, Option<Tip>)>;

/// The changes that lie in the evidence against an actor, and nowhere else.
fn in_evidence(c: &Connection, key: &DocKey, actor: &ActorId) -> Result<Kept> {
    let mut statement =
        c.prepare_cached("SELECT body, tip, proof FROM quarantine WHERE document = ? AND actor = ?")?;
    let mut rows = statement.query(params![key.as_str(), actor.to_bytes()])?;
    let mut kept = Kept::new();
    while let Some(row) = rows.next()? {
        let chain: Option<Vec<u8>> = row.get(2)?;
        let tip = row
            .get::<_, Option<Vec<u8>>>(1)?
            .map(|t| fixed(t, "tip"))
            .transpose()?;
        let mut line = vec![row.get(0)?];
        line.extend(chain.map(|c| evidence::read_chain(&c)).unwrap_or_default());
        let last = line.len() - 1;
        for (i, body) in line.into_iter().enumerate() {
            let change = read(body)?;
            kept.insert(change.header.hash, (change, tip.filter(|_| i == last)));
        }
    }
    Ok(kept)
}

/// Numbers and hashes of the actor's kept changes that it has signed itself, lowest first.
fn signed(
    c: &Connection,
    key: &DocKey,
    actor: &ActorId,
    evidence: &Kept,
) -> Result<BTreeSet<(u64, ChangeHash)>> {
    let mut statement = c.prepare_cached(
        "SELECT actor_seq, hash FROM aside WHERE document = ?1 AND actor = ?2 AND tip <> ?3
         UNION SELECT actor_seq, hash FROM held WHERE document = ?1 AND actor = ?2 AND tip <> ?3",
    )?;
    let rows = statement.query_map(params![key.as_str(), actor.to_bytes(), BY_CUT], |r| {
        Ok((r.get::<_, i64>(0)?, r.get::<_, Vec<u8>>(1)?))
    })?;
    let mut found = BTreeSet::new();
    for row in rows {
        let (seq, hash) = row?;
        found.insert((seq as u64, fixed(hash, "hash")?));
    }
    for (change, tip) in evidence.values() {
        if tip.is_some() && change.header.actor == *actor {
            found.insert((change.header.seq, change.header.hash));
        }
    }
    Ok(found)
}

/// A kept change with what it stands on, where that is kept beside the documents as well. `None`: some of it is
/// not here, and without that nobody can read it.
fn with_past(
    c: &Connection,
    key: &DocKey,
    about: ChangeHash,
    evidence: &Kept,
    going: &mut HashSet<ChangeHash>,
) -> Result<Option<Lot>> {
    let mut statement = c.prepare_cached(
        "SELECT body, tip FROM aside WHERE document = ?1 AND hash = ?2
         UNION ALL SELECT body, tip FROM held WHERE document = ?1 AND hash = ?2 LIMIT 1",
    )?;
    let (mut next, mut found, mut seen) = (vec![about], Vec::new(), HashSet::new());
    while let Some(hash) = next.pop() {
        if going.contains(&hash) || !seen.insert(hash) {
            continue;
        }
        let row = statement
            .query_row(params![key.as_str(), hash], |r| {
                Ok((r.get::<_, Vec<u8>>(0)?, r.get::<_, Option<Vec<u8>>>(1)?))
            })
            .optional()?;
        let (change, tip) = match (row, evidence.get(&hash)) {
            (Some((body, tip)), _) => (read(body)?, tip.map(|t| fixed(t, "tip")).transpose()?),
            (None, Some((change, tip))) => (change.clone(), *tip),
            (None, None) if Past(c).header(key, &hash)?.is_some() => continue,
            (None, None) => return Ok(None),
        };
        next.extend(&change.header.deps);
        found.push((change, tip.filter(|t| *t != BY_CUT)));
    }
    // Operation numbers grow along dependencies.
    found.sort_by_key(|(c, _)| (c.header.start_op, c.header.hash));
    let mut lot = Lot::new(about);
    for (change, tip) in found {
        going.insert(change.header.hash);
        lot.push(key, change, tip);
    }
    Ok(Some(lot))
}

fn read(body: Vec<u8>) -> Result<Change> {
    Change::from_body(body).map_err(|_| Error::BadRow("change"))
}
