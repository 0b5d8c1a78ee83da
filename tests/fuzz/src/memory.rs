//! A node in memory that does what a session's effects say, with all rights applied.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::convert::Infallible;

use sha2::{Digest, Sha256};
use sync::admission::{History, Offered, Verdict, admit};
use sync::authority::may_read;
use sync::roll::Added;
use sync::session::{Effect, Event, Outgoing, Session, Source, Standing, Start, key_hash};
use sync::tip::{Receipt, Tip};
use sync::wire::{BaseName, Check, DocDigest, Speaks, Vector};
use sync::{ActorId, Change, ChangeHash, DocKey, Header, NodeId, Roll, Statement, StoreId};

use crate::world::{CHANGES, id, key, policy, root, statements};

/// A node.
#[derive(Clone, Debug)]
pub struct Memory {
    /// Which device.
    pub device: usize,
    /// Its roll.
    pub roll: Roll,
    changes: Vec<(DocKey, Change, Option<Tip>)>,
}

/// What one event led to.
#[derive(Default, Debug)]
pub struct Done {
    /// Frames for the peer.
    pub frames: Vec<Vec<u8>>,
    /// Effects, answers to questions included.
    pub effects: usize,
}

impl History for Memory {
    type Error = Infallible;

    fn header(&self, k: &DocKey, hash: &ChangeHash) -> Result<Option<Header>, Infallible> {
        let same = |(d, c, _): &&(DocKey, Change, _)| d == k && c.header.hash == *hash;
        Ok(self.changes.iter().find(same).map(|(_, c, _)| c.header.clone()))
    }

    fn at(&self, k: &DocKey, actor: &ActorId, seq: u64) -> Result<Option<ChangeHash>, Infallible> {
        let mut own = self.of(k, actor);
        Ok(own.find(|c| c.header.seq == seq).map(|c| c.header.hash))
    }

    fn last_seq(&self, k: &DocKey, actor: &ActorId) -> Result<u64, Infallible> {
        Ok(self.of(k, actor).map(|c| c.header.seq).max().unwrap_or(0))
    }

    fn quarantined(&self, _: &DocKey, _: &ActorId) -> Result<bool, Infallible> {
        Ok(false)
    }

    fn actors_of(&self, _: &DocKey, _: &NodeId) -> Result<u64, Infallible> {
        Ok(0)
    }

    fn bytes_of(&self, _: &DocKey, _: &NodeId) -> Result<(u64, u64), Infallible> {
        Ok((0, 0))
    }

    fn beside(&self, _: &DocKey) -> Result<Option<u64>, Infallible> {
        Ok(None)
    }
}

impl Memory {
    /// A device that knows the first `statements` of the county and holds some of its changes.
    pub fn new(device: usize, knows: usize, holds: impl Fn(usize, &Offered) -> bool) -> Memory {
        let mut roll = Roll::new(root());
        roll.add_all(statements().into_iter().take(knows));
        let held = CHANGES.iter().enumerate().filter(|(i, o)| holds(*i, o));
        let changes = held
            .filter_map(|(_, o)| Some((o.document.clone(), Change::from_body(o.body.clone()).ok()?, o.tip)))
            .collect();
        Memory {
            device,
            roll,
            changes,
        }
    }

    fn of(&self, k: &DocKey, actor: &ActorId) -> impl Iterator<Item = &Change> {
        self.changes
            .iter()
            .filter(move |(d, c, _)| d == k && c.header.actor == *actor)
            .map(|(_, c, _)| c)
    }

    /// The local sequence.
    pub fn last(&self) -> u64 {
        self.changes.len() as u64
    }

    /// Its store.
    pub fn store(&self) -> StoreId {
        StoreId([self.device as u8; 16])
    }

    fn standing(&self, peer: &NodeId) -> Standing {
        match (self.roll.is_revoked(peer), self.roll.is_member(peer)) {
            (true, _) => Standing::Revoked,
            (_, true) => Standing::Member,
            _ => Standing::Stranger,
        }
    }

    /// How a session with a peer begins.
    pub fn start(&self, peer: usize, initiator: bool) -> Start {
        Start {
            key: key(self.device).clone(),
            store: self.store(),
            county: Some(root()),
            county_name: "云岭县".into(),
            label: "办公室电脑".into(),
            peer: id(peer),
            standing: self.standing(&id(peer)),
            enrolled: true,
            roll: self.roll.digest(),
            cursor: None,
            initiator,
            announced: (0, 0),
            speaks: Speaks::ours(),
            have: None,
            last: self.last(),
            clock: 0,
        }
    }

    /// Feeds an event, and the answers to what the session asks, until it asks nothing more.
    pub fn feed(&mut self, session: &mut Session, peer: usize, now: u64, event: Event) -> Done {
        let mut done = Done::default();
        let mut queue = VecDeque::from([event]);
        while let Some(event) = queue.pop_front() {
            let closed = session.is_closed();
            let effects = session.handle(now, event);
            assert!(!closed || effects.is_empty(), "a closed session did {effects:?}");
            let closes = effects.iter().position(|e| *e == Effect::Close);
            assert_eq!(closes.is_some(), !closed && session.is_closed());
            assert!(
                closes.is_none_or(|at| at + 1 == effects.len()),
                "after Close: {effects:?}"
            );
            for effect in effects {
                done.effects += 1;
                assert!(done.effects < 20_000, "one event never ends");
                queue.extend(self.act(&id(peer), effect, &mut done.frames));
            }
        }
        done
    }

    fn act(&mut self, peer: &NodeId, effect: Effect, frames: &mut Vec<Vec<u8>>) -> Option<Event> {
        Some(match effect {
            Effect::Send(frame) => {
                frames.push(frame);
                return None;
            }
            Effect::AddRoll(list) => {
                let added = self.roll.add_all(list);
                let count = |what: Added| added.iter().filter(|a| **a == what).count();
                Event::RollAdded {
                    new: count(Added::New),
                    foreign: count(Added::Refused),
                    digest: self.roll.digest(),
                    standing: self.standing(peer),
                }
            }
            Effect::ReadRoll { stranger } => {
                let all: Vec<Statement> = match stranger {
                    true => self.roll.for_stranger(peer),
                    false => self.roll.statements().cloned().collect(),
                };
                Event::RollRead(all.iter().map(Statement::to_bytes).collect())
            }
            Effect::ReadOutgoing { source, base, .. } => {
                let mut read = self.outgoing(peer, &source);
                if let Some(first) = read.changes.first().filter(|_| base) {
                    read.base = self.before(first);
                }
                Event::Outgoing(read)
            }
            Effect::ReadBase(name) => Event::Base(self.base(&name)),
            Effect::Admit { changes, .. } => self.admit(&changes),
            Effect::ReadSummary => Event::Summary {
                check: self.check(peer),
                end: self.last(),
                unreceipted: true,
            },
            Effect::ReadDigests => Event::Digests(self.digests(peer)),
            Effect::ReadVectors(keys) => {
                let (here, absent) = self.split(peer, keys);
                let vectors = here.into_iter().map(|d| self.vector(d)).collect();
                Event::Vectors { vectors, absent }
            }
            Effect::ReadReceipts => Event::Receipts(self.receipts(peer)),
            _ => return None,
        })
    }

    fn shared(&self, peer: &NodeId, k: &DocKey) -> bool {
        may_read(&policy(), &self.roll, peer, k) && may_read(&policy(), &self.roll, &id(self.device), k)
    }

    fn documents(&self, peer: &NodeId) -> Vec<DocKey> {
        let mut all: Vec<DocKey> = self.changes.iter().map(|(d, _, _)| d.clone()).collect();
        all.sort();
        all.dedup();
        all.retain(|d| self.shared(peer, d));
        all
    }

    fn split(&self, peer: &NodeId, keys: Vec<[u8; 8]>) -> (Vec<DocKey>, Vec<[u8; 8]>) {
        let mut here = self.documents(peer);
        here.retain(|d| keys.contains(&key_hash(d)));
        let absent = keys
            .into_iter()
            .filter(|k| !here.iter().any(|d| key_hash(d) == *k));
        let absent = absent.collect();
        (here, absent)
    }

    fn last_of_each(&self, k: &DocKey) -> BTreeMap<ActorId, (u64, ChangeHash)> {
        let mut last = BTreeMap::new();
        for (_, c, _) in self.changes.iter().filter(|(d, _, _)| d == k) {
            last.insert(c.header.actor, (c.header.seq, c.header.hash));
        }
        last
    }

    fn vector(&self, document: DocKey) -> Vector {
        let last = self.last_of_each(&document);
        Vector {
            actors: last.into_iter().map(|(a, (s, _))| (a, s)).collect(),
            document,
        }
    }

    fn receipts(&self, peer: &NodeId) -> Vec<Receipt> {
        let of = |document: DocKey| {
            let last = self.last_of_each(&document);
            last.into_iter().map(move |(actor, (seq, hash))| Receipt {
                document: document.clone(),
                actor,
                seq,
                hash,
            })
        };
        self.documents(peer).into_iter().flat_map(of).collect()
    }

    /// Digests of what both may read.
    pub fn digests(&self, peer: &NodeId) -> Vec<DocDigest> {
        let digest = |k: &DocKey| {
            let mut heads: HashSet<ChangeHash> = HashSet::new();
            for (_, c, _) in self.changes.iter().filter(|(d, _, _)| d == k) {
                heads.retain(|h| !c.header.deps.contains(h));
                heads.insert(c.header.hash);
            }
            let mut heads: Vec<_> = heads.into_iter().collect();
            heads.sort();
            let mut short = [0; 8];
            short.copy_from_slice(&Sha256::digest(heads.concat())[..8]);
            DocDigest {
                key: key_hash(k),
                heads: short,
            }
        };
        self.documents(peer).iter().map(digest).collect()
    }

    /// What a Check says.
    pub fn check(&self, peer: &NodeId) -> Check {
        let mut hash = Sha256::new();
        for d in self.digests(peer) {
            hash.update(d.key);
            hash.update(d.heads);
        }
        let mut documents = [0; 16];
        documents.copy_from_slice(&hash.finalize()[..16]);
        Check {
            roll: self.roll.digest(),
            documents,
        }
    }

    /// The changes of an actor in a document up to a number.
    fn row(&self, document: &DocKey, actor: ActorId, last: u64, most: usize) -> Vec<Offered> {
        let mut row: Vec<_> = (self.changes.iter())
            .filter(|(k, c, _)| k == document && c.header.actor == actor && c.header.seq <= last)
            .collect();
        row.sort_by_key(|(_, c, _)| c.header.seq);
        let offered = |(k, c, _): &&(DocKey, Change, Option<Tip>)| Offered {
            document: k.clone(),
            body: c.body.clone(),
            tip: None,
        };
        row[row.len().saturating_sub(most)..]
            .iter()
            .map(offered)
            .collect()
    }

    /// A base for what begins with this change; whether the peer has it is for the session to find out.
    fn before(&self, first: &Offered) -> Vec<Offered> {
        let Ok(first_change) = Change::from_body(first.body.clone()) else {
            return Vec::new();
        };
        let head = first_change.header;
        self.row(&first.document, head.actor, head.seq - 1, 5)
    }

    fn base(&self, name: &BaseName) -> Option<Vec<Offered>> {
        let last = (self.changes.iter())
            .find(|(k, c, _)| *k == name.document && c.header.hash.starts_with(&name.hash))?;
        let row = self.row(
            &name.document,
            last.1.header.actor,
            last.1.header.seq,
            name.count.into(),
        );
        (row.len() == usize::from(name.count)).then_some(row)
    }

    /// Two changes a piece, so that small histories take many pieces.
    fn outgoing(&self, peer: &NodeId, source: &Source) -> Outgoing {
        let (after, only, have): (u64, Option<&DocKey>, HashMap<ActorId, u64>) = match source {
            Source::Since(after) => (*after, None, HashMap::new()),
            Source::Missing {
                document,
                have,
                after,
            } => (*after, Some(document), have.iter().copied().collect()),
        };
        let mut out = Outgoing {
            upto: after,
            ..Outgoing::default()
        };
        let skip = usize::try_from(after).unwrap_or(usize::MAX);
        for (i, (k, c, tip)) in self.changes.iter().enumerate().skip(skip) {
            if out.changes.len() == 2 {
                out.more = true;
                break;
            }
            out.upto = i as u64 + 1;
            let wanted =
                only.is_none_or(|o| o == k) && have.get(&c.header.actor).is_none_or(|h| c.header.seq > *h);
            if wanted && self.shared(peer, k) {
                out.changes.push(Offered {
                    document: k.clone(),
                    body: c.body.clone(),
                    tip: *tip,
                });
            }
        }
        out
    }

    fn admit(&mut self, offered: &[Offered]) -> Event {
        let (mut receipts, mut verdicts) = (Vec::new(), Vec::new());
        let Ok(judged) = admit(&policy(), &self.roll, offered, self);
        for j in judged {
            let offer = &offered[j.index];
            match (j.verdict, j.change) {
                (Verdict::Stored | Verdict::Known, Some(c)) => {
                    let h = &c.header;
                    receipts.push(Receipt {
                        document: offer.document.clone(),
                        actor: h.actor,
                        seq: h.seq,
                        hash: h.hash,
                    });
                    if j.verdict == Verdict::Stored {
                        self.changes.push((offer.document.clone(), c, offer.tip));
                    }
                }
                (verdict, change) => {
                    let hash = change.map_or([0; 32], |c| c.header.hash);
                    verdicts.push((offer.document.clone(), hash, verdict));
                }
            }
        }
        Event::Admitted {
            receipts,
            verdicts,
            unreceipted: false,
        }
    }
}
