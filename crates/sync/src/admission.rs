//! Decides what is stored, on heads and signatures alone, before Automerge sees a byte (design.md §4).
//!
//! Stored is not counted: a change of a revoked device is stored, because honest changes may depend on
//! it, and [`crate::authority::counted`] says that it does not count.
//!
//! In order: the body is a plain change within the caps; a valid tip of the change's *own* actor covers
//! it (so nobody can silence or accuse another device); its author was given the document to write; its
//! dependencies are here; it continues its actor exactly.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::authority::{Policy, was_writer, within_end};
use crate::change::{Change, Header};
use crate::document::{ChangeHash, DocKey};
use crate::identity::{ActorId, NodeId};
use crate::limits;
use crate::roll::Roll;
use crate::tip::{Tip, verify_tip};

/// What is already stored; the store answers from its tables, a simulation from memory.
pub trait History {
    /// The store's error.
    type Error;
    /// The head of a stored change of this document.
    fn header(&self, key: &DocKey, hash: &ChangeHash) -> Result<Option<Header>, Self::Error>;
    /// The stored change of the actor at `seq`.
    fn at(&self, key: &DocKey, actor: &ActorId, seq: u64) -> Result<Option<ChangeHash>, Self::Error>;
    /// The actor's highest stored sequence number; 0 if none.
    fn last_seq(&self, key: &DocKey, actor: &ActorId) -> Result<u64, Self::Error>;
    /// Whether the actor was quarantined in this document, or its device so often that nothing more of it is
    /// taken (`limits::QUARANTINES_PER_DEVICE`).
    fn quarantined(&self, key: &DocKey, actor: &ActorId) -> Result<bool, Self::Error>;
    /// How many actors of the device write in this document.
    fn actors_of(&self, key: &DocKey, device: &NodeId) -> Result<u64, Self::Error>;
    /// Bytes of bodies by the device: in this document, and in all.
    fn bytes_of(&self, key: &DocKey, device: &NodeId) -> Result<(u64, u64), Self::Error>;
    /// `None` when the document is stored; else how many there are whose keys differ in the last segment alone.
    fn beside(&self, key: &DocKey) -> Result<Option<u64>, Self::Error>;
}

/// A change as it arrives: a body, and the author's signature where the sender has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Offered {
    /// The document it is offered for.
    pub document: DocKey,
    /// The change's body (`change`).
    pub body: Vec<u8>,
    /// Its author's tip. A change without one must be followed, in the same piece, by a later change of
    /// the same actor that has one.
    pub tip: Option<Tip>,
}

/// What becomes of an offered change.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Verdict {
    /// Stored now.
    Stored,
    /// Was stored before.
    Known,
    /// Waits in a bounded table for what it needs.
    Held(Wait),
    /// Dropped, and charged to the connection.
    Dropped(Fault),
    /// A fault under the actor's own signature: the actor is quarantined in this document.
    Quarantined(Fault),
}

/// What a held change waits for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Wait {
    /// A change that it depends on.
    Dependency,
    /// A roll statement about its author.
    UnknownAuthor,
    /// A roll statement that gives its author this document.
    NotTheWriter,
    /// A cut by the county: its actor is quarantined here.
    Quarantine,
}

/// What is wrong with a change.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Fault {
    /// Not a plain change, damaged or above a cap.
    Malformed,
    /// No valid signature of its own actor covers it.
    NoTip,
    /// Another change of the actor has this sequence number.
    Equivocation,
    /// Its actor's earlier changes are missing though all dependencies are here.
    SequenceGap,
    /// Its actor's previous change is not in its past.
    MissingPredecessor,
    /// Its first operation number does not follow from its dependencies.
    BadStartOp,
    /// Automerge could not take it, or it names what its author cannot have known.
    Unreadable,
    /// There can be no document of this name.
    NoSuchDocument,
    /// Its device has written more than any honest one does (`limits`).
    OverCap,
}

/// One judged change; `change` is there when it is to be stored or held or is the evidence of a fault.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Judged {
    /// Position in the offer.
    pub index: usize,
    /// The verdict.
    pub verdict: Verdict,
    /// The parsed change.
    pub change: Option<Change>,
}

/// Judges the changes of one piece, in their order. Later ones see the earlier ones as stored.
pub fn admit<H: History>(
    policy: &Policy,
    roll: &Roll,
    offered: &[Offered],
    history: &H,
) -> Result<Vec<Judged>, H::Error> {
    let parsed = parse(offered);
    let covered = covered(roll, offered, &parsed);
    judge_all(policy, roll, offered, parsed, |i| covered.contains(&i), history)
}

/// Judges again changes that waited: their signatures were verified before they were held.
pub fn admit_held<H: History>(
    policy: &Policy,
    roll: &Roll,
    held: &[Offered],
    history: &H,
) -> Result<Vec<Judged>, H::Error> {
    let parsed = held.iter().map(|o| Change::from_body(o.body.clone()).ok());
    judge_all(policy, roll, held, parsed.collect(), |_| true, history)
}

fn judge_all<H: History>(
    policy: &Policy,
    roll: &Roll,
    offered: &[Offered],
    parsed: Vec<Option<Change>>,
    covered: impl Fn(usize) -> bool,
    history: &H,
) -> Result<Vec<Judged>, H::Error> {
    let mut batch = Batch {
        history,
        stored: HashMap::new(),
        last: HashMap::new(),
        faulty: HashSet::new(),
        use_of: HashMap::new(),
        opened: HashMap::new(),
    };
    let mut judged = Vec::with_capacity(offered.len());
    for (index, (offer, change)) in offered.iter().zip(parsed).enumerate() {
        let verdict = match &change {
            None => Verdict::Dropped(Fault::Malformed),
            Some(_) if !covered(index) => match change.as_ref() {
                Some(c) if batch.header(&offer.document, &c.header.hash)?.is_some() => Verdict::Known,
                _ => Verdict::Dropped(Fault::NoTip),
            },
            Some(c) => batch.judge(policy, roll, &offer.document, c)?,
        };
        if let (Verdict::Stored, Some(c)) = (verdict, &change) {
            batch.store(&offer.document, c);
        }
        if let (Verdict::Quarantined(_), Some(c)) = (verdict, &change) {
            batch.faulty.insert((offer.document.clone(), c.header.actor));
        }
        judged.push(Judged {
            index,
            verdict,
            change,
        });
    }
    Ok(judged)
}

pub(crate) fn parse(offered: &[Offered]) -> Vec<Option<Change>> {
    offered
        .iter()
        .map(|o| Change::from_body(o.body.clone()).ok())
        .collect()
}

/// The changes of `device` in a piece that its own signature covers: proof that its key wrote them.
pub fn proven(roll: &Roll, offered: &[Offered], device: &NodeId) -> Vec<(DocKey, Change)> {
    let about: HashSet<&DocKey> = offered
        .iter()
        .filter(|o| Change::author_of(&o.body).is_some_and(|a| a.device == *device))
        .map(|o| &o.document)
        .collect();
    if about.is_empty() {
        return Vec::new();
    }
    let part: Vec<Offered> = offered
        .iter()
        .filter(|o| about.contains(&o.document))
        .cloned()
        .collect();
    let parsed = parse(&part);
    let covered = covered(roll, &part, &parsed);
    let mut proven = Vec::new();
    for (i, (o, c)) in part.iter().zip(parsed).enumerate() {
        if let Some(c) = c.filter(|c| c.header.actor.device == *device && covered.contains(&i)) {
            proven.push((o.document.clone(), c));
        }
    }
    proven
}

/// The offered changes that a valid tip of their own actor covers: the signed change itself, and its
/// actor's changes in its past as far as this piece shows that past. A cut vouches like a tip for the change
/// that it names: what its author signed later may be kept nowhere any more.
pub(crate) fn covered(roll: &Roll, offered: &[Offered], parsed: &[Option<Change>]) -> HashSet<usize> {
    let county = roll.county();
    let mut place: HashMap<(&DocKey, ChangeHash), usize> = HashMap::new();
    for (i, (o, c)) in offered.iter().zip(parsed).enumerate() {
        if let Some(c) = c {
            place.insert((&o.document, c.header.hash), i);
        }
    }
    let mut covered = HashSet::new();
    // From the end: the last tip of an actor covers the most, and a covered change needs no check.
    for (i, (o, c)) in offered.iter().zip(parsed).enumerate().rev() {
        let Some(c) = c else { continue };
        let vouched = || {
            let named = roll.cut(&o.document, &c.header.actor);
            let signed = |tip: &Tip| verify_tip(&county, &o.document, &c.header, tip);
            named.is_some_and(|cut| cut.seq == c.header.seq && cut.hash == c.header.hash)
                || o.tip.as_ref().is_some_and(signed)
        };
        if covered.contains(&i) || !vouched() {
            continue;
        }
        covered.insert(i);
        let mut seen = HashSet::from([i]);
        let mut next = vec![i];
        while let Some(at) = next.pop() {
            let Some(head) = parsed.get(at).and_then(|c| c.as_ref()).map(|c| &c.header) else {
                continue;
            };
            for dep in &head.deps {
                let Some(&d) = place.get(&(&o.document, *dep)) else {
                    continue;
                };
                if seen.insert(d) {
                    next.push(d);
                    if parsed
                        .get(d)
                        .and_then(|c| c.as_ref())
                        .is_some_and(|p| p.header.actor == c.header.actor)
                    {
                        covered.insert(d);
                    }
                }
            }
        }
    }
    covered
}

/// The history, with the changes of this piece that are already judged good.
struct Batch<'h, H> {
    history: &'h H,
    stored: HashMap<(DocKey, ChangeHash), Header>,
    last: HashMap<(DocKey, ActorId), (u64, ChangeHash)>,
    faulty: HashSet<(DocKey, ActorId)>,
    /// What a device has written in a document, this piece included.
    use_of: HashMap<(DocKey, NodeId), Use>,
    /// Documents that this piece opens, by what stands before the last segment of their keys.
    opened: HashMap<String, HashSet<DocKey>>,
}

#[derive(Clone, Copy)]
struct Use {
    actors: u64,
    bytes: u64,
    everywhere: u64,
}

fn branch(key: &DocKey) -> &str {
    key.as_str().rsplit_once('/').map_or("", |(before, _)| before)
}

impl<H: History> Batch<'_, H> {
    fn header(&self, key: &DocKey, hash: &ChangeHash) -> Result<Option<Header>, H::Error> {
        match self.stored.get(&(key.clone(), *hash)) {
            Some(h) => Ok(Some(h.clone())),
            None => self.history.header(key, hash),
        }
    }

    fn store(&mut self, key: &DocKey, change: &Change) {
        let head = &change.header;
        let bytes = change.body.len() as u64;
        for ((document, device), used) in &mut self.use_of {
            if *device == head.actor.device {
                used.everywhere += bytes;
                if document == key {
                    used.bytes += bytes;
                    used.actors += u64::from(head.seq == 1);
                }
            }
        }
        self.last.insert((key.clone(), head.actor), (head.seq, head.hash));
        self.stored.insert((key.clone(), head.hash), head.clone());
    }

    /// Whether the change would take its device above what an honest one writes.
    fn over_cap(&mut self, key: &DocKey, change: &Change) -> Result<bool, H::Error> {
        let device = change.header.actor.device;
        let place = (key.clone(), device);
        let used = match self.use_of.get(&place) {
            Some(used) => *used,
            None => {
                let (bytes, everywhere) = self.history.bytes_of(key, &device)?;
                let actors = self.history.actors_of(key, &device)?;
                let used = Use {
                    actors,
                    bytes,
                    everywhere,
                };
                *self.use_of.entry(place).or_insert(used)
            }
        };
        let more = change.body.len() as u64;
        if (change.header.seq == 1 && used.actors >= limits::ACTORS_PER_DEVICE)
            || used.bytes + more > limits::DEVICE_BYTES_PER_DOCUMENT
            || used.everywhere + more > limits::DEVICE_BYTES
        {
            return Ok(true);
        }
        let opened = self.opened.get(branch(key));
        if opened.is_some_and(|all| all.contains(key)) {
            return Ok(false);
        }
        let here = opened.map_or(0, HashSet::len) as u64;
        match self.history.beside(key)? {
            None => {}
            Some(stored) if stored + here >= limits::DOCUMENTS_PER_BRANCH => return Ok(true),
            Some(_) => {
                self.opened
                    .entry(branch(key).to_string())
                    .or_default()
                    .insert(key.clone());
            }
        }
        Ok(false)
    }

    fn judge(
        &mut self,
        policy: &Policy,
        roll: &Roll,
        key: &DocKey,
        change: &Change,
    ) -> Result<Verdict, H::Error> {
        let head = &change.header;
        if self.header(key, &head.hash)?.is_some() {
            return Ok(Verdict::Known);
        }
        if policy.is_misnamed(key) {
            return Ok(Verdict::Dropped(Fault::NoSuchDocument));
        }
        if !was_writer(policy, roll, &head.actor.device, key) {
            let known = roll.grants(&head.actor.device).next().is_some();
            return Ok(Verdict::Held(if known {
                Wait::NotTheWriter
            } else {
                Wait::UnknownAuthor
            }));
        }
        // Beyond the end nothing is stored, so that all nodes with this roll store the same.
        let end = roll.end(key, &head.actor);
        if !within_end(roll, key, head) {
            return Ok(Verdict::Held(Wait::Quarantine));
        }
        let last = match self.last.get(&(key.clone(), head.actor)) {
            Some((seq, _)) => *seq,
            None => self.history.last_seq(key, &head.actor)?,
        };
        // Another change holds this number: proof of two histories, whatever else is missing.
        if head.seq <= last {
            // With a cut it may be ours that is wrong: that shows once the named change is here.
            return Ok(match end {
                Some(cut) if self.header(key, &cut.hash)?.is_none() => Verdict::Held(Wait::Quarantine),
                _ => Verdict::Quarantined(Fault::Equivocation),
            });
        }
        // A cut ends a quarantine: what it lets in is good, what it does not was turned away above.
        if end.is_none()
            && (self.faulty.contains(&(key.clone(), head.actor))
                || self.history.quarantined(key, &head.actor)?)
        {
            return Ok(Verdict::Held(Wait::Quarantine));
        }
        let mut deps = Vec::with_capacity(head.deps.len());
        for dep in &head.deps {
            match self.header(key, dep)? {
                Some(d) => deps.push(d),
                None => return Ok(Verdict::Held(Wait::Dependency)),
            }
        }
        if head.seq != last + 1 {
            return Ok(Verdict::Quarantined(Fault::SequenceGap));
        }
        if head.start_op != 1 + deps.iter().map(Header::max_op).max().unwrap_or(0) {
            return Ok(Verdict::Quarantined(Fault::BadStartOp));
        }
        if self.over_cap(key, change)? {
            return Ok(Verdict::Dropped(Fault::OverCap));
        }
        if head.seq > 1 && !self.has_predecessor(key, head, deps)? {
            return Ok(Verdict::Quarantined(Fault::MissingPredecessor));
        }
        Ok(Verdict::Stored)
    }

    /// Whether the actor's previous change lies in the past of `head`. Operation numbers only grow along
    /// dependencies, so the walk never goes below the predecessor's.
    fn has_predecessor(&self, key: &DocKey, head: &Header, deps: Vec<Header>) -> Result<bool, H::Error> {
        let wanted = match self.last.get(&(key.clone(), head.actor)) {
            Some((_, hash)) => Some(*hash),
            None => self.history.at(key, &head.actor, head.seq - 1)?,
        };
        let Some(wanted) = wanted else {
            return Ok(false);
        };
        let Some(floor) = self.header(key, &wanted)?.map(|h| h.max_op()) else {
            return Ok(false);
        };
        let mut seen = HashSet::new();
        let mut next = deps;
        while let Some(at) = next.pop() {
            if at.hash == wanted {
                return Ok(true);
            }
            if at.max_op() < floor || !seen.insert(at.hash) {
                continue;
            }
            for dep in &at.deps {
                if let Some(d) = self.header(key, dep)? {
                    next.push(d);
                }
            }
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests;
