//! Sessions between nodes in memory: the laws of convergence, of cut links and of receipts.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::convert::Infallible;

use automerge::{AutoCommit, ROOT, transaction::Transactable};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::*;
use crate::admission::{History, Offered, Verdict, admit};
use crate::authority::{Access, Policy, PolicyRow, may_read};
use crate::change::{Change, Header};
use crate::document::ChangeHash;
use crate::identity::{DeviceKey, NodeId};
use crate::roll::{Body, Roll};
use crate::tip::{Tip, sign_tip};
use crate::wire::{Ack, DocDigest};

mod bases;
mod buckets;
mod rolls;

const COUNTY: u8 = 1;
const SCHOOL: u8 = 3;

fn key(n: u8) -> DeviceKey {
    DeviceKey::from_seed([n; 32])
}

fn doc(text: &str) -> DocKey {
    DocKey::parse(text).unwrap()
}

fn policy() -> Policy {
    let school = Access {
        role: SCHOOL,
        scope: &[1],
    };
    let county = Access {
        role: COUNTY,
        scope: &[],
    };
    let row = |kind, write: &Access, read: &Access| PolicyRow {
        kind,
        segments: 3,
        year: Some(2),
        write: vec![write.clone()],
        read: vec![read.clone()],
        priority: 0,
    };
    Policy(vec![
        row("log", &school, &county),
        row("ledger", &county, &school),
        PolicyRow {
            segments: 4,
            year: None,
            ..row("portfolio", &school, &county)
        },
    ])
}

/// Statements: hub 1, devices 2 and 3 of school a, device 4 of school b.
fn statements() -> Vec<Statement> {
    let grants = [
        (1, COUNTY, ""),
        (2, SCHOOL, "a"),
        (3, SCHOOL, "a"),
        (4, SCHOOL, "b"),
    ];
    let grant = |(i, (device, role, scope)): (usize, (u8, u8, &str))| {
        let body = Body::Grant {
            device: key(device).id(),
            role,
            scope: scope.into(),
            label: String::new(),
        };
        Statement::sign(key(0).id(), &key(0), i as u64, body)
    };
    grants.into_iter().enumerate().map(grant).collect()
}

#[derive(Clone)]
struct Memory {
    key: DeviceKey,
    store: StoreId,
    roll: Roll,
    changes: Vec<(DocKey, Change, Option<Tip>)>,
    cursors: HashMap<NodeId, (StoreId, u64)>,
    have: HashMap<NodeId, (StoreId, u64)>,
    receipts: Vec<(NodeId, Receipt)>,
    /// What was judged other than stored or known.
    verdicts: Vec<Verdict>,
    in_sync: usize,
    /// No memory for streams.
    alone: bool,
}

impl History for Memory {
    type Error = Infallible;
    fn header(&self, k: &DocKey, hash: &ChangeHash) -> Result<Option<Header>, Infallible> {
        Ok(self
            .changes
            .iter()
            .find(|(d, c, _)| d == k && c.header.hash == *hash)
            .map(|(_, c, _)| c.header.clone()))
    }
    fn at(&self, k: &DocKey, actor: &ActorId, seq: u64) -> Result<Option<ChangeHash>, Infallible> {
        let same =
            |(d, c, _): &&(DocKey, Change, _)| d == k && c.header.actor == *actor && c.header.seq == seq;
        Ok(self.changes.iter().find(same).map(|(_, c, _)| c.header.hash))
    }
    fn last_seq(&self, k: &DocKey, actor: &ActorId) -> Result<u64, Infallible> {
        let own = self
            .changes
            .iter()
            .filter(|(d, c, _)| d == k && c.header.actor == *actor);
        Ok(own.map(|(_, c, _)| c.header.seq).max().unwrap_or(0))
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
    fn new(n: u8) -> Memory {
        let mut roll = Roll::new(key(0).id());
        roll.add_all(statements());
        Memory {
            key: key(n),
            store: StoreId([n; 16]),
            roll,
            changes: Vec::new(),
            cursors: HashMap::new(),
            have: HashMap::new(),
            receipts: Vec::new(),
            verdicts: Vec::new(),
            in_sync: 0,
            alone: false,
        }
    }

    fn id(&self) -> NodeId {
        self.key.id()
    }

    fn write(&mut self, document: &str, text: &str) {
        let k = doc(document);
        let actor = ActorId {
            device: self.id(),
            incarnation: [0; 4],
        };
        let mut d = AutoCommit::new().with_actor(automerge::ActorId::from(&actor.to_bytes()[..]));
        let own: Vec<_> = self
            .changes
            .iter()
            .filter(|(other, _, _)| *other == k)
            .map(|(_, c, _)| automerge::Change::from_bytes(c.to_chunk()).unwrap())
            .collect();
        d.apply_changes(own).unwrap();
        d.put(ROOT, text, "研修").unwrap();
        d.commit();
        let change = Change::from_chunk(d.get_last_local_change().unwrap().raw_bytes()).unwrap();
        let tip = sign_tip(&self.key, &key(0).id(), &k, &change.header);
        self.changes.push((k, change, Some(tip)));
    }

    fn session(&self, peer: &Memory, initiator: bool) -> Session {
        Session::new(Start {
            key: self.key.clone(),
            store: self.store,
            county: Some(key(0).id()),
            county_name: "云岭县".into(),
            label: String::new(),
            peer: peer.id(),
            standing: self.standing(&peer.id()),
            enrolled: true,
            roll: self.roll.digest(),
            cursor: self.cursors.get(&peer.id()).copied(),
            initiator,
            announced: (0, 0),
            speaks: Speaks::ours(),
            have: self.have.get(&peer.id()).copied(),
            last: self.changes.len() as u64,
            clock: 0,
        })
    }

    fn standing(&self, peer: &NodeId) -> Standing {
        match (self.roll.is_revoked(peer), self.roll.is_member(peer)) {
            (true, _) => Standing::Revoked,
            (_, true) => Standing::Member,
            _ => Standing::Stranger,
        }
    }

    fn shared(&self, peer: &NodeId, k: &DocKey) -> bool {
        may_read(&policy(), &self.roll, peer, k) && may_read(&policy(), &self.roll, &self.id(), k)
    }

    fn documents(&self, peer: &NodeId) -> BTreeMap<DocKey, Vec<&Change>> {
        let mut all: BTreeMap<DocKey, Vec<&Change>> = BTreeMap::new();
        for (k, c, _) in &self.changes {
            match all.get_mut(k) {
                Some(list) => list.push(c),
                None if self.shared(peer, k) => drop(all.insert(k.clone(), vec![c])),
                None => {}
            }
        }
        all
    }

    fn lacks_receipts(&self, peer: &NodeId) -> bool {
        let mut held: HashMap<(&DocKey, ActorId), u64> = HashMap::new();
        for (_, r) in self.receipts.iter().filter(|(by, _)| by == peer) {
            let seq = held.entry((&r.document, r.actor)).or_default();
            *seq = (*seq).max(r.seq);
        }
        self.documents(peer).iter().any(|(d, changes)| {
            vector(changes)
                .iter()
                .any(|(a, seq, _)| a.device != *peer && held.get(&(d, *a)).is_none_or(|h| h < seq))
        })
    }

    fn digests(&self, peer: &NodeId) -> Vec<DocDigest> {
        let digest = |(k, changes): (&DocKey, &Vec<&Change>)| {
            let mut heads: HashSet<ChangeHash> = HashSet::new();
            for c in changes {
                for d in &c.header.deps {
                    heads.remove(d);
                }
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
            alone: self.alone,
            ..Outgoing::default()
        };
        for (i, (k, c, tip)) in self.changes.iter().enumerate().skip(after as usize) {
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

    /// The changes of an actor in a document up to a number.
    fn row(&self, document: &DocKey, actor: ActorId, last: u64, most: usize) -> Vec<Offered> {
        let mut row: Vec<_> = self
            .changes
            .iter()
            .filter(|(k, c, _)| k == document && c.header.actor == actor && c.header.seq <= last)
            .collect();
        row.sort_by_key(|(_, c, _)| c.header.seq);
        row[row.len().saturating_sub(most)..]
            .iter()
            .map(|(k, c, tip)| Offered {
                document: k.clone(),
                body: c.body.clone(),
                tip: *tip,
            })
            .collect()
    }

    fn acknowledged(&self, peer: &NodeId, first: &Offered) -> Vec<Offered> {
        let head = Change::from_body(first.body.clone()).unwrap().header;
        let last = (self.receipts.iter())
            .filter(|(p, r)| p == peer && r.document == first.document && r.actor == head.actor)
            .map(|(_, r)| r.seq.min(head.seq - 1))
            .max();
        last.map_or(Vec::new(), |last| self.row(&first.document, head.actor, last, 50))
    }

    fn base(&self, name: &crate::wire::BaseName) -> Option<Vec<Offered>> {
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

    fn admit(&mut self, offered: &[Offered]) -> Event {
        let (mut receipts, mut verdicts) = (Vec::new(), Vec::new());
        for j in admit(&policy(), &self.roll, offered, self).unwrap() {
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
                (verdict, _) => {
                    self.verdicts.push(verdict);
                    verdicts.push((offer.document.clone(), [0; 32], verdict));
                }
            }
        }
        Event::Admitted {
            receipts,
            verdicts,
            unreceipted: false,
        }
    }

    fn act(&mut self, peer: &NodeId, effect: Effect, frames: &mut VecDeque<Vec<u8>>) -> Option<Event> {
        match effect {
            Effect::Send(frame) => frames.push_back(frame),
            Effect::Met { store, .. } => {
                if self.cursors.get(peer).is_some_and(|c| c.0 != store) {
                    self.cursors.remove(peer);
                }
                if self.have.get(peer).is_none_or(|c| c.0 != store) {
                    self.have.insert(*peer, (store, 0));
                }
            }
            Effect::AddRoll(list) => {
                use crate::roll::Added;
                let added = self.roll.add_all(list);
                let count = |what: Added| added.iter().filter(|a| **a == what).count();
                return Some(Event::RollAdded {
                    new: count(Added::New),
                    foreign: count(Added::Refused),
                    digest: self.roll.digest(),
                    standing: self.standing(peer),
                });
            }
            Effect::ReadRoll { stranger } => {
                let all = match stranger {
                    true => self.roll.for_stranger(peer),
                    false => self.roll.statements().cloned().collect(),
                };
                return Some(Event::RollRead(all.iter().map(Statement::to_bytes).collect()));
            }
            Effect::ReadOutgoing { source, base, .. } => {
                let mut read = self.outgoing(peer, &source);
                if let Some(first) = read.changes.first().filter(|_| base) {
                    read.base = self.acknowledged(peer, first);
                }
                return Some(Event::Outgoing(read));
            }
            Effect::ReadBase(name) => return Some(Event::Base(self.base(&name))),
            Effect::Admit { changes, upto } => {
                if let (Some(upto), Some((_, have))) = (upto, self.have.get_mut(peer)) {
                    *have = upto.max(*have);
                }
                return Some(self.admit(&changes));
            }
            Effect::Acknowledged { upto, receipts, .. } => {
                self.receipts.extend(receipts.into_iter().map(|r| (*peer, r)));
                if let (Some(upto), Some(cursor)) = (upto, self.cursors.get_mut(peer)) {
                    cursor.1 = upto;
                }
            }
            Effect::SetCursor { store, upto } => {
                self.cursors.insert(*peer, (store, upto));
            }
            Effect::ReadSummary => {
                let mut hash = Sha256::new();
                for d in self.digests(peer) {
                    hash.update(d.key);
                    hash.update(d.heads);
                }
                let mut documents = [0; 16];
                documents.copy_from_slice(&hash.finalize()[..16]);
                let check = Check {
                    roll: self.roll.digest(),
                    documents,
                };
                return Some(Event::Summary {
                    check,
                    end: self.changes.len() as u64,
                    unreceipted: self.lacks_receipts(peer),
                });
            }
            Effect::ReadDigests => return Some(Event::Digests(self.digests(peer))),
            Effect::ReadVectors(keys) => {
                let mut here = self.documents(peer);
                here.retain(|d, _| keys.contains(&key_hash(d)));
                let absent = keys
                    .into_iter()
                    .filter(|k| !here.keys().any(|d| key_hash(d) == *k))
                    .collect();
                let vectors = here
                    .into_iter()
                    .map(|(d, changes)| Vector {
                        actors: vector(&changes).into_iter().map(|(a, s, _)| (a, s)).collect(),
                        document: d,
                    })
                    .collect();
                return Some(Event::Vectors { vectors, absent });
            }
            Effect::ReadReceipts => {
                let mut all = Vec::new();
                for (d, changes) in self.documents(peer) {
                    for (actor, seq, hash) in vector(&changes) {
                        all.push(Receipt {
                            document: d.clone(),
                            actor,
                            seq,
                            hash,
                        });
                    }
                }
                return Some(Event::Receipts(all));
            }
            Effect::InSync => self.in_sync += 1,
            Effect::EnrolWish { .. } | Effect::Notice(_) | Effect::Close => {}
        }
        None
    }

    fn feed(&mut self, session: &mut Session, peer: &NodeId, event: Event, frames: &mut VecDeque<Vec<u8>>) {
        let mut queue = VecDeque::from([event]);
        while let Some(event) = queue.pop_front() {
            for effect in session.handle(0, event) {
                queue.extend(self.act(peer, effect, frames));
            }
        }
    }

    fn hashes(&self, of: impl Fn(&DocKey) -> bool) -> HashSet<ChangeHash> {
        self.changes
            .iter()
            .filter(|(d, _, _)| of(d))
            .map(|(_, c, _)| c.header.hash)
            .collect()
    }
}

fn vector(changes: &[&Change]) -> Vec<(ActorId, u64, ChangeHash)> {
    let mut last: HashMap<ActorId, (u64, ChangeHash)> = HashMap::new();
    for c in changes {
        let entry = last.entry(c.header.actor).or_insert((0, [0; 32]));
        *entry = (*entry).max((c.header.seq, c.header.hash));
    }
    last.into_iter().map(|(a, (s, h))| (a, s, h)).collect()
}

/// Lets two nodes talk until nothing more is said, or until `cut` frames were delivered.
fn talk(a: &mut Memory, b: &mut Memory, cut: usize) -> usize {
    talk_while(a, b, cut, &[]).0
}

/// The same, and `a` hears statements from elsewhere when it has said hello; whether both found that they are equal.
fn talk_while(a: &mut Memory, b: &mut Memory, cut: usize, elsewhere: &[Statement]) -> (usize, bool) {
    let (mut sa, mut sb) = (a.session(b, true), b.session(a, false));
    let (ida, idb) = (a.id(), b.id());
    let (mut to_a, mut to_b) = (VecDeque::new(), VecDeque::new());
    a.feed(&mut sa, &idb, Event::Started, &mut to_b);
    b.feed(&mut sb, &ida, Event::Started, &mut to_a);
    if !elsewhere.is_empty() {
        a.roll.add_all(elsewhere.to_vec());
        let heard = Event::RollChanged {
            statements: elsewhere.iter().map(Statement::to_bytes).collect(),
            digest: a.roll.digest(),
            standing: a.standing(&idb),
        };
        a.feed(&mut sa, &idb, heard, &mut to_b);
    }
    let mut delivered = 0;
    while delivered < cut {
        let (frame, for_b) = match (to_b.pop_front(), to_a.len()) {
            (Some(f), _) => (f, true),
            (None, 0) => break,
            (None, _) => (to_a.pop_front().unwrap(), false),
        };
        delivered += 1;
        assert!(delivered < 10_000, "the two never stop talking");
        if for_b {
            b.feed(&mut sb, &ida, Event::Frame(frame), &mut to_a);
        } else {
            a.feed(&mut sa, &idb, Event::Frame(frame), &mut to_b);
        }
    }
    (delivered, sa.is_live() && sb.is_live())
}

#[test]
fn what_comes_before_the_rolls_are_equal_is_bounded_also_when_it_is_nothing() {
    let (hub, school) = (Memory::new(1), Memory::new(2));
    let mut hello = school.session(&hub, true).handle(0, Event::Started);
    let Some(Effect::Send(hello)) = hello.drain(..1).next() else {
        panic!("a session begins with Hello");
    };
    let Ok(Frame::Hello(mut hello)) = Frame::decode(&hello) else {
        panic!("a session begins with Hello");
    };
    hello.roll = [9; 8];
    let empty = Offered {
        document: doc("log/a/2025"),
        body: Vec::new(),
        tip: None,
    };
    for (changes, most) in [(Vec::new(), 1_000), (vec![empty; limits::PIECE_CHANGES], 20)] {
        let mut session = hub.session(&school, false);
        session.handle(0, Event::Frame(Frame::Hello(hello.clone()).encode()));
        let piece = Frame::Piece(Piece { upto: None, changes }).encode();
        let taken = (0..most).take_while(|_| {
            session.handle(0, Event::Frame(piece.clone()));
            !session.is_closed()
        });
        assert!(taken.count() < most);
    }
}

/// No receipt without the change in the store that gave it.
fn receipts_hold(nodes: &[Memory]) {
    for node in nodes {
        for (by, r) in &node.receipts {
            let giver = nodes.iter().find(|n| n.id() == *by).unwrap();
            assert!(
                giver.hashes(|d| *d == r.document).contains(&r.hash),
                "a receipt without its change"
            );
        }
    }
}

#[test]
fn a_first_meeting_makes_both_equal_and_the_second_says_almost_nothing() {
    let (mut hub, mut school) = (Memory::new(1), Memory::new(2));
    for i in 0..9 {
        school.write("log/a/2025", &format!("活动{i}"));
        hub.write("ledger/a/2025", &format!("认定{i}"));
        hub.write("ledger/b/2025", &format!("别校{i}"));
    }
    talk(&mut school, &mut hub, usize::MAX);
    assert_eq!(hub.hashes(|d| d.segment(1) == Some("a")), school.hashes(|_| true));
    assert_eq!(school.changes.len(), 18, "another school's ledger stays away");
    assert_eq!((school.in_sync, hub.in_sync), (1, 1));
    let frames = talk(&mut school, &mut hub, usize::MAX);
    assert_eq!(frames, 4, "Hello and State both ways");
    school.write("log/a/2025", "新");
    let first: Vec<u8> = {
        let mut session = school.session(&hub, true);
        let (id, mut frames) = (hub.id(), VecDeque::new());
        school
            .clone()
            .feed(&mut session, &id, Event::Started, &mut frames);
        frames.iter().map(|f| f[0]).collect()
    };
    assert_eq!(
        first,
        [1, 3, 13],
        "the new change goes out in the first flight, behind Hello"
    );
}

/// Encodings of the pieces that a school with nine records sends to a hub that has none.
fn encodings(alone: bool) -> Vec<u8> {
    let (mut hub, mut school) = (Memory::new(1), Memory::new(2));
    school.alone = alone;
    (0..9).for_each(|i| school.write("log/a/2025", &format!("活动{i}")));
    let (mut sa, mut sb) = (school.session(&hub, true), hub.session(&school, false));
    let (ida, idb) = (school.id(), hub.id());
    let (mut to_a, mut to_b, mut seen) = (VecDeque::new(), VecDeque::new(), Vec::new());
    school.feed(&mut sa, &idb, Event::Started, &mut to_b);
    hub.feed(&mut sb, &ida, Event::Started, &mut to_a);
    while !to_a.is_empty() || !to_b.is_empty() {
        if let Some(frame) = to_b.pop_front() {
            seen.extend((frame[0] == 3).then(|| frame[1]));
            hub.feed(&mut sb, &ida, Event::Frame(frame), &mut to_a);
        }
        if let Some(frame) = to_a.pop_front() {
            school.feed(&mut sa, &idb, Event::Frame(frame), &mut to_b);
        }
        assert!(!alone || !sa.is_streaming());
    }
    assert_eq!((hub.changes.len(), hub.in_sync), (9, 1));
    seen
}

#[test]
fn without_memory_for_a_stream_pieces_go_one_by_one() {
    assert_eq!(encodings(false), [3, 3, 3, 3, 3]);
    // The last has none behind it: its stream is closed at once.
    assert_eq!(encodings(true), [2, 2, 2, 2, 3]);
}

#[test]
fn a_restored_hub_is_filled_again() {
    let (mut hub, mut school) = (Memory::new(1), Memory::new(2));
    school.write("log/a/2025", "一");
    talk(&mut school, &mut hub, usize::MAX);
    let old = hub.clone();
    school.write("log/a/2025", "二");
    talk(&mut school, &mut hub, usize::MAX);
    assert_eq!(hub.changes.len(), 2);
    hub = Memory {
        store: StoreId([99; 16]),
        ..old
    };
    talk(&mut school, &mut hub, usize::MAX);
    assert_eq!(
        hub.changes.len(),
        2,
        "the new store id voids the cursor and the check repairs"
    );
}

/// One author is at odds with itself on the two sides: everything else goes on, also what is new.
#[test]
fn a_difference_that_cannot_be_mended_holds_up_nothing_else() {
    let (mut hub, mut school) = (Memory::new(1), Memory::new(2));
    let mut other = Memory::new(3);
    other.write("log/a/2025", "一枝");
    hub.changes = std::mem::take(&mut other.changes);
    other.write("log/a/2025", "另一枝");
    school.changes = other.changes;
    hub.write("ledger/a/2025", "认定");
    talk(&mut school, &mut hub, usize::MAX);
    assert!(school.hashes(|d| d.segment(0) == Some("ledger")).len() == 1);
    assert!(
        school.cursors.contains_key(&hub.id()),
        "the cursor begins all the same"
    );
    school.write("log/a/2026", "之后");
    talk(&mut school, &mut hub, usize::MAX);
    assert_eq!(hub.hashes(|d| d.as_str() == "log/a/2026").len(), 1);
}

#[test]
fn strangers_and_the_revoked_get_nothing() {
    let mut hub = Memory::new(1);
    hub.write("ledger/a/2025", "认定");
    let mut stranger = Memory::new(9);
    talk(&mut stranger, &mut hub, usize::MAX);
    assert_eq!(stranger.changes.len(), 0);
    let mut thief = Memory::new(2);
    thief.write("log/a/2025", "撤销后");
    let revoke = Statement::sign(key(0).id(), &key(0), 9, Body::Revoke { device: thief.id() });
    hub.roll.add(revoke);
    talk(&mut thief, &mut hub, usize::MAX);
    assert_eq!((thief.changes.len(), hub.changes.len()), (1, 1));
    assert!(thief.roll.is_revoked(&thief.id()), "it was told");
}

#[test]
fn frames_in_any_order_never_panic_and_store_nothing_unsigned() {
    let samples: Vec<Vec<u8>> = vec![
        Frame::Done.encode(),
        Frame::WantReceipts.encode(),
        Frame::Check(Check {
            roll: [0; 8],
            documents: [0; 16],
        })
        .encode(),
        Frame::Digests(vec![]).encode(),
        Frame::Vectors(Vectors {
            absent: vec![[1; 8]],
            vectors: vec![],
            answer: true,
        })
        .encode(),
        Frame::Ack(Ack {
            upto: Some(5),
            pieces: 1,
            receipts: vec![],
            verdicts: vec![],
            signature: vec![],
        })
        .encode(),
        Frame::Unknown(77).encode(),
        vec![],
        vec![1, 2, 3],
    ];
    for first in &samples {
        for second in &samples {
            let (mut hub, peer) = (Memory::new(1), Memory::new(2));
            let mut session = hub.session(&peer, false);
            let mut out = VecDeque::new();
            let id = peer.id();
            let hello = Hello {
                versions: vec![VERSION],
                county: Some(key(0).id()),
                county_name: String::new(),
                store: peer.store,
                cursor: None,
                roll: peer.roll.digest(),
                announced: (0, 0),
                more: More::default(),
            };
            hub.feed(&mut session, &id, Event::Started, &mut out);
            hub.feed(
                &mut session,
                &id,
                Event::Frame(Frame::Hello(hello).encode()),
                &mut out,
            );
            for frame in [first, second] {
                hub.feed(&mut session, &id, Event::Frame(frame.clone()), &mut out);
            }
            assert!(hub.changes.is_empty());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Whoever writes, whoever meets and wherever links are cut: when all have met in peace, all agree, and
    /// every receipt on the way was true.
    #[test]
    fn nodes_converge(steps in proptest::collection::vec((0usize..4, 0usize..4, 0usize..40, any::<bool>()), 1..40)) {
        let mut nodes: Vec<Memory> = (1..=4).map(Memory::new).collect();
        for (i, (a, b, cut, write)) in steps.into_iter().enumerate() {
            if write {
                let document = match a { 0 => "ledger/a/2025", 3 => "log/b/2025", _ => "log/a/2025" };
                nodes[a].write(document, &format!("记录{i}"));
            } else if a != b {
                let (low, high) = (a.min(b), a.max(b));
                let (left, right) = nodes.split_at_mut(high);
                let (x, y) = (&mut left[low], &mut right[0]);
                if a < b { talk(x, y, cut) } else { talk(y, x, cut) };
                receipts_hold(&nodes);
            }
        }
        for _ in 0..2 {
            for other in 1..4 {
                let (hub, rest) = nodes.split_at_mut(1);
                talk(&mut rest[other - 1], &mut hub[0], usize::MAX);
            }
        }
        receipts_hold(&nodes);
        let of = |n: &Memory, school: &'static str| n.hashes(|d| d.segment(1) == Some(school));
        for n in [&nodes[1], &nodes[2]] {
            prop_assert_eq!(of(n, "a"), of(&nodes[0], "a"));
        }
        prop_assert_eq!(of(&nodes[3], "b"), of(&nodes[0], "b"));
        for n in &nodes {
            prop_assert!(n.verdicts.iter().all(|v| matches!(v, Verdict::Held(_))), "{:?}", n.verdicts);
        }
    }
}
