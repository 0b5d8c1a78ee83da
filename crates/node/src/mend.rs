//! A node whose device was rolled back or copied mends itself; what a cut took from under honest work is said
//! again (design.md §4).
//!
//! Two changes of one device with one number are two branches. This node leaves its own branch when a peer
//! proves another one, keeps it as evidence (`store::aside`), takes the peer's branch, and says the values of
//! what it left again under a new incarnation, so that nothing that a person saw as saved is lost. It does so
//! with its own device's branches alone; others' are the county's to cut.
//!
//! ```text
//! verdict "another change has this number" ─▶ `refused`: announce less, so that the peer sends its branch
//! vectors equal, documents not              ─▶ `first_doubt`: the same
//! the peer's branch, under our own signature ─▶ `give_way`: ours aside ─▶ taken by admission
//! own changes aside and unsaid (also by a cut) ─▶ `say_again`, in the transaction of the next views
//! ```
//! Every step is one transaction and leaves its mark in the tables, so that a crash between two of them costs
//! nothing: the next step is taken at the next start.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::PoisonError;

use store::aside::{self, Aside, Why};
use store::{Connection, changes, events};
use sync::admission::{Fault, History, Offered, Verdict, Wait, proven};
use sync::authority::may_write;
use sync::roll::{Body, Roll, Statement};
use sync::tip::{Tip, sign_tip, verify_tip};
use sync::{ActorId, Change, ChangeHash, DocKey, Header, NodeId, StoreId};

use crate::documents::{self, Around};
use crate::{Error, Node};

/// How often one actor's branch is left in one document. Twice is usual when a neighbour holds one branch and
/// the county the other; a deep fork that no verdict names is followed down in steps. More would be peers
/// playing with us.
const FLIPS: u64 = 16;

/// Doubts that are remembered.
const DOUBTS: usize = 1_000;

/// What `give_way` found in a piece, for `took`.
#[derive(Debug, Default)]
pub(crate) struct Own {
    /// Changes of the actor that we write as, which we do not hold.
    unknown: Vec<(DocKey, ChangeHash)>,
    /// We have left a branch.
    left: bool,
    /// Own changes beyond a cut were shown to us that we had lost.
    pub(crate) lost: bool,
    /// Changes that we have withdrawn and take back from the county's store alone: it did not take them, or
    /// holds another branch.
    pub(crate) withdrawn: Vec<(DocKey, ChangeHash)>,
}

impl Node {
    /// Before a piece is judged: where it proves another branch of this device, ours is set aside.
    pub(crate) fn give_way(
        &self,
        c: &Connection,
        roll: &Roll,
        peer: &NodeId,
        offered: &[Offered],
    ) -> Result<Own, Error> {
        let (me, past, mut own) = (self.id(), changes::Past(c), Own::default());
        let current = self.current_actor(c)?;
        let mut forks: BTreeMap<(DocKey, ActorId), (u64, ChangeHash)> = BTreeMap::new();
        let mut lost: BTreeMap<DocKey, Vec<ChangeHash>> = BTreeMap::new();
        let mut withdrawn = Vec::new();
        let cut = beyond_ends(c, roll, offered, &me)?;
        for (key, change) in proven(roll, offered, &me) {
            let h = &change.header;
            let why = aside::why(c, &key, &h.hash)?;
            if why.is_none() && cut.contains_key(&h.hash) {
                lost.entry(key).or_default().push(h.hash);
                continue;
            }
            let left = why == Some(Why::Withdrawn);
            let stays = left && roll.end(&key, &h.actor).is_none() && !self.is_county_store(peer);
            match past.at(&key, &h.actor, h.seq)? {
                Some(hash) if hash == h.hash => {}
                Some(_) => {
                    let entry = forks.entry((key, h.actor)).or_insert((h.seq, h.hash));
                    *entry = (*entry).min((h.seq, h.hash));
                }
                None if stays => withdrawn.push((key, h.actor, h.hash)),
                None if Some(h.actor) == current => own.unknown.push((key, h.hash)),
                None => {}
            }
        }
        // Behind a fork they are not taken anyway, and their signatures prove it.
        withdrawn.retain(|(key, actor, _)| !forks.contains_key(&(key.clone(), *actor)));
        own.withdrawn = withdrawn.into_iter().map(|(key, _, hash)| (key, hash)).collect();
        for ((key, actor), (from, theirs)) in forks {
            // The county has spoken: admission does what its cut says.
            if roll.end(&key, &actor).is_some() {
                continue;
            }
            // A branch that we have left once we take back from the county's store alone.
            let been_there = aside::has(c, &key, &theirs)?;
            let flip = aside::flips(c, &key, &actor)? < FLIPS && (!been_there || self.is_county_store(peer));
            if flip {
                self.withdraw(c, &key, &actor, from, peer)?;
                own.left = true;
            }
            aside::settle_fork(c, &key, &actor, flip, self.now())?;
        }
        for (key, mine) in lost {
            own.lost |= self.keep_lost(c, peer, &key, &mine, &cut)?;
        }
        Ok(own)
    }

    /// A peer has shown what we wrote beyond a cut, or on top of what lies beyond one, and do not hold: we have
    /// lost it with a later state of this disk. It stands aside from now on and is said again, like what a cut
    /// takes from us here. What it stands on goes along, or it could not be read.
    fn keep_lost(
        &self,
        c: &Connection,
        peer: &NodeId,
        key: &DocKey,
        mine: &[ChangeHash],
        cut: &BeyondEnds,
    ) -> Result<bool, Error> {
        let past = changes::Past(c);
        let mut wanted: HashSet<ChangeHash> = mine.iter().copied().collect();
        let mut next = mine.to_vec();
        while let Some((change, ..)) = next.pop().and_then(|hash| cut.get(&hash)) {
            let new = change.header.deps.iter().filter(|d| cut.contains_key(*d));
            next.extend(new.filter(|d| wanted.insert(**d)));
        }
        let mut all: Vec<_> = wanted.iter().filter_map(|hash| cut.get(hash)).collect();
        all.sort_by_key(|(c, ..)| (c.header.start_op, c.header.hash));
        let (mut kept, mut shown) = (HashSet::new(), Vec::new());
        for beyond in all {
            let h = &beyond.0.header;
            let mut whole = true;
            for dep in &h.deps {
                whole &= kept.contains(dep) || aside::has(c, key, dep)? || past.header(key, dep)?.is_some();
            }
            // Without its past nobody could read it: perhaps another peer has all of it.
            if !whole {
                continue;
            }
            kept.insert(h.hash);
            shown.push(beyond.clone());
        }
        tracing::warn!(document = %key, count = shown.len(), "a peer has shown what we wrote and lost");
        aside::keep(c, key, &shown, peer, self.now())?;
        Ok(!shown.is_empty())
    }

    /// After the piece was judged: if changes came back that we had written and lost, we were rolled back.
    pub(crate) fn took(&self, c: &Connection, peer: &NodeId, own: Own) -> Result<(), Error> {
        let (past, mut back) = (changes::Past(c), false);
        for (key, hash) in &own.unknown {
            back |= past.header(key, hash)?.is_some();
        }
        if back || own.left {
            self.set_back(c, peer)?;
        }
        Ok(())
    }

    /// This database is older than what a peer has had of it: another life begins, so that nobody believes it
    /// to hold what it lost, and nothing that it writes takes a number that is taken.
    fn set_back(&self, c: &Connection, peer: &NodeId) -> Result<(), Error> {
        store::set_meta(c, "incarnation", b"")?;
        let id = StoreId(self.random()?);
        store::set_meta(c, "store_id", &id.0)?;
        self.set_store_id(id);
        Ok(events::add(c, "rolled-back", Some(peer), "", "", self.now())?)
    }

    /// A peer has heard later changes of this store than it holds. The county's word is enough to begin anew
    /// before anything is written; of a neighbour only our own signature is believed (`took`).
    pub(crate) fn heard_later(&self, peer: &NodeId) -> Result<(), Error> {
        if !self.is_county_store(peer) {
            return Ok(());
        }
        self.store().write(|tx| self.set_back(tx, peer))
    }

    /// What a peer did not store of our own device.
    pub(crate) fn refused(
        &self,
        c: &Connection,
        roll: &Roll,
        peer: &NodeId,
        verdicts: &[(DocKey, ChangeHash, Verdict)],
    ) -> Result<(), Error> {
        let past = changes::Past(c);
        let mut held: BTreeMap<(DocKey, ActorId), u64> = BTreeMap::new();
        let mut forked: HashSet<(DocKey, ActorId)> = HashSet::new();
        for (key, hash, verdict) in verdicts {
            let waits = *verdict == Verdict::Held(Wait::Quarantine);
            if !waits && *verdict != Verdict::Quarantined(Fault::Equivocation) {
                continue;
            }
            let Some(head) = past.header(key, hash)? else {
                continue;
            };
            let of = (key.clone(), head.actor);
            if head.actor.device != self.id() || roll.end(key, &head.actor).is_some() {
                continue;
            }
            if waits {
                let lowest = held.entry(of).or_insert(head.seq);
                *lowest = (*lowest).min(head.seq);
            } else {
                // A neighbour's word alone costs no more than this; a deeper fork is reached in several steps.
                let least = match self.is_county_store(peer) {
                    true => 1,
                    false => past
                        .last_seq(key, &head.actor)?
                        .saturating_sub(aside::SHOWN_AGAIN),
                };
                aside::note_fork(c, key, &head.actor, head.seq.max(least), self.now())?;
                forked.insert(of);
            }
        }
        // The county keeps our actor out there, for a branch that we may never see: we say what it did not take
        // under another one. A neighbour's word moves nothing.
        for ((key, actor), from) in held {
            let of = (key, actor);
            let (key, actor) = (&of.0, &of.1);
            if forked.contains(&of) || !self.is_county_store(peer) || aside::flips(c, key, actor)? >= FLIPS {
                continue;
            }
            self.withdraw(c, key, actor, from, peer)?;
            aside::settle_fork(c, key, actor, true, self.now())?;
            store::set_meta(c, "incarnation", b"")?;
        }
        Ok(())
    }

    /// Whether this peer has not shown its own branch against these heads of ours yet (since the start): it is
    /// asked once, for a difference may wait for the county for weeks.
    pub(crate) fn first_doubt(&self, peer: &NodeId, heads: &[ChangeHash]) -> bool {
        let mut all = self.0.doubted.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= DOUBTS {
            all.clear();
        }
        all.insert((*peer, heads.to_vec()))
    }

    /// Whether a store has seen what is shown beside the documents about a change (since the start).
    pub(crate) fn has_shown(&self, store: &StoreId, about: &ChangeHash) -> bool {
        let all = self.0.shown.lock().unwrap_or_else(PoisonError::into_inner);
        all.contains(&(*store, *about))
    }

    /// It has.
    pub(crate) fn keep_shown(&self, store: StoreId, about: ChangeHash) {
        let mut all = self.0.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= DOUBTS {
            all.clear();
        }
        all.insert((store, about));
    }

    fn withdraw(
        &self,
        c: &Connection,
        key: &DocKey,
        actor: &ActorId,
        from: u64,
        peer: &NodeId,
    ) -> Result<(), Error> {
        let count = aside::set_aside(c, key, actor, from, Why::Withdrawn, self.now())?;
        tracing::warn!(document = %key, ?actor, from, count, "left our own branch: this device was rolled back or copied");
        events::add(c, "own-branch", Some(peer), key.as_str(), "", self.now())?;
        Ok(())
    }

    fn current_actor(&self, c: &Connection) -> Result<Option<ActorId>, Error> {
        let incarnation = store::meta(c, "incarnation")?.and_then(|b| <[u8; 4]>::try_from(b).ok());
        Ok(incarnation.map(|incarnation| ActorId {
            device: self.id(),
            incarnation,
        }))
    }

    /// Sets aside what these statements put beyond the end of an actor.
    pub(crate) fn enforce(&self, c: &Connection, roll: &Roll, statements: &[Statement]) -> Result<(), Error> {
        let mut devices = BTreeSet::new();
        for s in statements {
            match &s.body {
                Body::Revoke { device } => devices.insert(*device),
                Body::Cut { actor, .. } => devices.insert(actor.device),
                // Another officer holds or none: every cut may have changed.
                Body::Officer { .. } | Body::RetireOfficer { .. } => {
                    devices.extend(roll.cuts().map(|(_, actor, _)| actor.device));
                    devices.extend(roll.revoked());
                    true
                }
                _ => false,
            };
        }
        for device in devices {
            aside::enforce(c, roll, &device, self.now())?;
        }
        Ok(store::set_meta(c, "enforced", &roll.digest())?)
    }

    /// The same for the whole roll: at the first start on a directory that an older program wrote.
    pub(crate) fn enforce_all(&self) -> Result<(), Error> {
        let roll = self.roll();
        let done = self.store().read(|c| store::meta(c, "enforced"))?;
        if !roll.has_cuts() || done.as_deref() == Some(&roll.digest()[..]) {
            return Ok(());
        }
        self.store().write(|tx| {
            let devices: BTreeSet<NodeId> = roll
                .cuts()
                .map(|(_, actor, _)| actor.device)
                .chain(roll.revoked().copied())
                .collect();
            for device in devices {
                aside::enforce(tx, &roll, &device, self.now())?;
            }
            store::set_meta(tx, "enforced", &roll.digest())?;
            Ok::<_, Error>(())
        })
    }

    /// Says the values of own set-aside changes again, of one document or all. The views are brought up to it
    /// in the same transaction, so that nobody sees them gone. Returns the documents that have new changes.
    pub(crate) fn say_again(&self, around: &Around<'_>, only: Option<&DocKey>) -> Result<Vec<DocKey>, Error> {
        let (c, me) = (around.conn, self.id());
        let mut said = Vec::new();
        for (key, upto) in aside::unsaid(c, &me)? {
            let mine = only.is_none_or(|k| *k == key);
            if !mine || !may_write(around.policy, around.roll, &me, &key) {
                continue;
            }
            let lot = aside::lot(c, &me, &key, upto)?;
            // What the county itself has cut of us is for a person to look at; that it named another branch says
            // nothing against ours.
            let cut = |a: &Aside| !a.branch && around.roll.end(&key, &a.change.header.actor).is_some();
            if lot.iter().any(|a| a.unsaid && cut(a)) {
                events::add(c, "own-cut", None, key.as_str(), "", around.now)?;
            }
            let lot: Vec<_> = lot
                .into_iter()
                .map(|a| {
                    let again = a.unsaid && !cut(&a);
                    (a.change, again)
                })
                .collect();
            if lot.iter().any(|(_, again)| *again) {
                match self.say_lot(around, &key, &lot) {
                    Ok(true) => said.push(key.clone()),
                    Ok(false) => {}
                    // What it stands on is not here: when it returns, the values can be read.
                    Err(Error::Unreadable(_)) => {
                        tracing::error!(document = %key, "what was set aside cannot be read");
                        events::add(c, "unreadable", None, key.as_str(), "", around.now)?;
                        continue;
                    }
                    Err(error) => return Err(error),
                }
            }
            aside::set_said(c, &me, &key, upto)?;
        }
        Ok(said)
    }

    /// As changes beside what came since: where both say something about one field, a person sees both.
    fn say_lot(&self, around: &Around<'_>, key: &DocKey, lot: &[(Change, bool)]) -> Result<bool, Error> {
        let c = around.conn;
        let all = match changes::find(c, key)? {
            Some(doc) => changes::after(c, doc, 0)?,
            None => Vec::new(),
        };
        let base = past_of(lot, &all);
        let incarnation = self.random()?;
        let actor = ActorId {
            device: self.id(),
            incarnation,
        };
        let edits = crate::node::EDITS_PER_CHANGE;
        let changes = documents::say_again(around, key, &base, lot, actor, edits)?;
        let changes = changes.ok_or_else(|| Error::Unreadable(key.to_string()))?;
        if changes.is_empty() {
            return Ok(false);
        }
        store::set_meta(c, "incarnation", &incarnation)?;
        for change in &changes {
            let tip = sign_tip(&self.0.key, &around.roll.county(), key, &change.header);
            store::changes::insert(c, key, change, Some(&tip), None, around.now)?;
        }
        events::add(c, "said-again", None, key.as_str(), "", around.now)?;
        Ok(true)
    }
}

/// Changes of a piece that lie beyond ends, or stand on such; with their own signature, and which of that it is.
type BeyondEnds = HashMap<ChangeHash, (Change, Option<Tip>, Why)>;

/// Those of the documents in which the piece has something of `me`; all under the signatures of their authors.
fn beyond_ends(c: &Connection, roll: &Roll, offered: &[Offered], me: &NodeId) -> Result<BeyondEnds, Error> {
    let mut beyond = BeyondEnds::new();
    // What a revoked device says again counts nowhere.
    if roll.is_revoked(me) {
        return Ok(beyond);
    }
    let author = |o: &Offered| Change::author_of(&o.body).map(|a| a.device);
    let mut ended: BTreeSet<&DocKey> = roll.cuts().map(|(key, _, _)| key).collect();
    let out = |o: &&Offered| author(o).is_some_and(|device| roll.is_revoked(&device));
    ended.extend(offered.iter().filter(out).map(|o| &o.document));
    let mine = offered.iter().filter(|o| author(o) == Some(*me));
    let about: BTreeSet<&DocKey> = mine.map(|o| &o.document).filter(|k| ended.contains(k)).collect();
    for key in about {
        let here: Vec<Offered> = offered.iter().filter(|o| o.document == *key).cloned().collect();
        let authors: BTreeSet<NodeId> = here.iter().filter_map(author).collect();
        let mut all: Vec<Change> = Vec::new();
        for device in &authors {
            all.extend(proven(roll, &here, device).into_iter().map(|(_, change)| change));
        }
        // Operation numbers grow along dependencies.
        all.sort_by_key(|c| (c.header.start_op, c.header.hash));
        let past = changes::Past(c);
        for change in all {
            let h = &change.header;
            let (mut stands, mut of_branch) = (false, false);
            for dep in &h.deps {
                let why = match beyond.get(dep) {
                    Some((.., why)) => Some(*why),
                    None => aside::why(c, key, dep)?.filter(|w| *w != Why::Withdrawn),
                };
                stands |= why.is_some();
                of_branch |= why == Some(Why::Branch);
            }
            of_branch |= roll.end(key, &h.actor).is_some_and(|end| h.seq <= end.seq);
            let why = match (beyond_end(roll, &past, key, h)?, of_branch) {
                (true, true) => Why::Branch,
                (true, false) => Why::End,
                (false, _) if stands => Why::Past,
                (false, _) => continue,
            };
            let tip = here.iter().find(|o| o.body == change.body).and_then(|o| o.tip);
            let tip = tip.filter(|t| verify_tip(&roll.county(), key, h, t));
            beyond.insert(h.hash, (change, tip, why));
        }
    }
    Ok(beyond)
}

/// Whether a change lies beyond the end of its actor, of which this node stores the last change that counts.
fn beyond_end(roll: &Roll, past: &changes::Past<'_>, key: &DocKey, h: &Header) -> Result<bool, Error> {
    let Some(end) = roll.end(key, &h.actor) else {
        return Ok(false);
    };
    if end.seq > 0 && past.header(key, &end.hash)?.is_none() {
        return Ok(false);
    }
    Ok(h.seq > end.seq || past.at(key, &h.actor, h.seq)? != Some(h.hash))
}

/// What the changes of a lot stand on, of those that are stored: their authors had seen that, and no more.
fn past_of(lot: &[(Change, bool)], all: &[changes::Stored]) -> Vec<changes::Stored> {
    let mut wanted: HashSet<ChangeHash> = lot.iter().flat_map(|(c, _)| c.header.deps.clone()).collect();
    let mut base = Vec::new();
    // Dependencies come first in the order of commits.
    for stored in all.iter().rev() {
        if wanted.contains(&stored.change.header.hash) {
            wanted.extend(&stored.change.header.deps);
            base.push(stored.clone());
        }
    }
    base.reverse();
    base
}
