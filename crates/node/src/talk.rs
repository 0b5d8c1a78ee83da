//! Drives one `sync` session: does what its effects say, in order, and feeds the answers back. Blocking, and
//! without a link: `conversation.rs` runs it over QUIC, a simulation over a network of its own.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use store::changes::Document;
use store::reach::Reach;
use store::{aside, changes, outgoing, peers, shown};
use sync::admission::{Offered, Verdict, Wait};
use sync::authority::prefixes;
use sync::session::{Effect, Event, Notice, Outgoing, Session, Source, Standing, Start, key_hash};
use sync::tip::Receipt;
use sync::wire::{Check, DocDigest, Frame, More, Refusal, Refuse, Vector};
use sync::{ActorId, ChangeHash, DocKey, NodeId, Roll, Statement, StoreId, limits};
use tokio::sync::OwnedSemaphorePermit;

use crate::events::{plain, refusal_code};
use crate::exchange::Tally;
use crate::node::schools_of;
use crate::{Error, Node, enrol};

/// How a conversation is held.
#[derive(Clone, Debug)]
pub struct Manner {
    /// We dialled, at this address.
    pub dialled: Option<String>,
    /// Stay connected after both sides are equal and pass on what is new.
    pub keep_open: bool,
}

/// A cursor that moves over changes which the peer may not read is kept when it has moved so far, or
/// with the next thing that is kept: at a hub everybody's cursor moves with everything that comes in.
const CURSOR_MOVES: u64 = 1_000;

/// How long the side that was called waits for its caller to hang up first: a round trip on a bad link.
pub const LINGER: Duration = Duration::from_secs(3);

/// What was shown to a peer beside the documents, and not answered yet.
#[derive(Debug)]
struct Showing {
    about: ChangeHash,
    all: Vec<ChangeHash>,
    /// That an actor signed two histories.
    proof: bool,
}

/// What one event led to.
#[derive(Default, Debug)]
pub struct Step {
    /// To be sent, in this order.
    pub frames: Vec<Vec<u8>>,
    /// Both sides were equal just now.
    pub in_sync: bool,
    /// One side refused the other.
    pub refused: bool,
    /// The peer broke the protocol, and was refused for it.
    pub broke: bool,
    /// Something new was stored, or the roll has grown.
    pub news: bool,
    /// The conversation is over once the frames are sent.
    pub close: bool,
    /// We dialled, and all is said: we may hang up once the frames are sent.
    pub leave: bool,
}

/// One side of a conversation without its link: a session and what it needs of the node. The caller
/// carries the frames, one event at a time.
pub struct Talk {
    node: Node,
    pub(crate) session: Session,
    peer: NodeId,
    manner: Manner,
    store: Option<StoreId>,
    county: Option<(NodeId, String)>,
    /// The address that it calls from.
    pub(crate) source: String,
    /// The road of the link.
    pub(crate) road: net::Road,
    /// Statements that the peer has from us or gave us.
    told: HashSet<[u8; 32]>,
    /// Documents whose vectors were asked for in this session, and how often.
    compared: HashMap<DocKey, u32>,
    /// The store that the peer had when we met it last.
    known_store: Option<StoreId>,
    /// What this conversation has shown beside the documents and no answer has come to: what it is about, and
    /// all its changes.
    showing: Vec<Showing>,
    /// Our roll when all of that had been shown.
    showed: Option<[u8; 8]>,
    /// Our roll when the conversation began: the peer was told all of that.
    known: Arc<Roll>,
    /// A cursor that is not kept yet, and the last one that was.
    cursor: Option<u64>,
    cursor_kept: u64,
    /// Memory for a stream of pieces to the peer.
    stream_seat: Option<OwnedSemaphorePermit>,
    /// By a clock that only goes forward, milliseconds.
    begun: u64,
    tally: Tally,
}

impl std::fmt::Debug for Talk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Talk({} with {})", self.node.id().short(), self.peer.short())
    }
}

impl Talk {
    /// A conversation with a peer that has proven its key; begin with [`Event::Started`].
    pub fn new(node: Node, peer: NodeId, manner: Manner) -> Result<Talk, Error> {
        let state = node.roll_state();
        let scope = scope(&state.roll, &peer);
        let known = node.store().read(|c| peers::get(c, &peer))?;
        let speaks = known.as_ref().map(|p| p.speaks).unwrap_or_default();
        let have = known.as_ref().and_then(|p| Some((p.store?, p.have?)));
        let known_store = known.as_ref().and_then(|p| p.store);
        let cursor = known
            .filter(|p| p.scope.as_deref() == Some(&scope[..]))
            .and_then(|p| Some((p.store?, p.acked?)));
        let roll = state.roll.clone();
        let (announced, last) = node.store().read(|c| {
            let reach = shared(&node, &roll, &peer);
            let announced = outgoing::waiting(c, cursor.map_or(0, |c| c.1), &peer, &reach)?;
            Ok::<_, Error>((announced, changes::last_local(c)?))
        })?;
        let session = Session::new(Start {
            key: node.0.key.clone(),
            store: node.store_id(),
            county: state.pinned.then(|| state.roll.county()),
            county_name: state.county_name.clone(),
            label: node.label(),
            peer,
            standing: standing(&state.roll, state.pinned, &peer),
            enrolled: state.pinned,
            roll: state.roll.digest(),
            cursor,
            initiator: manner.dialled.is_some(),
            announced,
            speaks,
            have,
            last,
            clock: node.now(),
        });
        Ok(Talk {
            begun: node.uptime(),
            node,
            session,
            peer,
            manner,
            store: None,
            county: None,
            compared: HashMap::new(),
            known_store,
            showing: Vec::new(),
            showed: None,
            source: String::new(),
            road: net::Road::Quic,
            told: HashSet::new(),
            known: state.roll,
            cursor: None,
            stream_seat: None,
            cursor_kept: cursor.map_or(0, |c| c.1),
            tally: Tally::default(),
        })
    }

    /// Whether the roll names the peer as a device of the county.
    pub(crate) fn is_member(&self) -> bool {
        self.node.roll().is_member(&self.peer)
    }

    /// Whether silence is no fault: all was compared, and we stay for what is new.
    pub(crate) fn may_rest(&self) -> bool {
        self.session.is_live() && self.manner.keep_open
    }

    /// The peer did not do what was waited for.
    pub(crate) fn gave_up(&self, code: &str) -> Result<(), Error> {
        // A stranger that says nothing is no news.
        if self.is_member() {
            self.node.note_event(code, Some(&self.peer), "", "")?;
        }
        Ok(())
    }

    /// A frame could not be read; the last one to send.
    pub(crate) fn bad_frame(&self, why: &str) -> Result<Vec<u8>, Error> {
        let code = Refusal::Protocol;
        self.notice(&Notice::WeRefused(code, why.to_string()))?;
        let text = why.to_string();
        Ok(Frame::Refuse(Refuse { code, text }).encode())
    }

    /// The event to hand in when the roll has changed.
    pub fn roll_event(&mut self) -> Event {
        let state = self.node.roll_state();
        let mut new = Vec::new();
        for (hash, s) in state.roll.entries() {
            if !self.known.counts(hash) && self.told.insert(*hash) {
                new.push(s.to_bytes());
            }
        }
        Event::RollChanged {
            statements: new,
            digest: state.roll.digest(),
            standing: standing(&state.roll, state.pinned, &self.peer),
        }
    }

    /// Takes one event and everything that it leads to on this side. After an error the conversation is over
    /// and nothing of this step may be sent.
    pub fn step(&mut self, first: Event) -> Result<Step, Error> {
        let mut step = Step::default();
        let mut queue = VecDeque::from([first]);
        while let Some(event) = queue.pop_front() {
            let now = self.node.uptime().saturating_sub(self.begun);
            for effect in self.session.handle(now, event) {
                if let Some(answer) = self.act(effect, &mut step)? {
                    queue.push_back(answer);
                }
            }
        }
        if !self.session.is_streaming() {
            self.stream_seat = None;
        }
        step.leave = self.manner.dialled.is_some() && self.may_leave();
        Ok(step)
    }

    /// Without a wish to stay, a conversation ends when both sides are equal, or cannot be made so for now, and
    /// all is said. Who dialled hangs up at once. The other side may have been first to know, and waits
    /// [`LINGER`] for what the caller still asks.
    pub fn may_leave(&self) -> bool {
        !self.manner.keep_open && self.session.is_settled()
    }

    fn act(&mut self, effect: Effect, step: &mut Step) -> Result<Option<Event>, Error> {
        match effect {
            Effect::Send(frame) => step.frames.push(frame),
            Effect::Met {
                store,
                county,
                county_name,
                more,
                ..
            } => self.met(store, county, county_name, &more)?,
            Effect::AddRoll(statements) => {
                let answer = self.add_roll(statements)?;
                step.news |= matches!(answer, Event::RollAdded { new: 1.., .. });
                return Ok(Some(answer));
            }
            Effect::ReadRoll { stranger } => {
                let roll = self.node.roll();
                let all = if stranger {
                    roll.for_stranger(&self.peer)
                        .iter()
                        .map(Statement::to_bytes)
                        .collect()
                } else {
                    roll.statements().map(Statement::to_bytes).collect()
                };
                return Ok(Some(Event::RollRead(all)));
            }
            Effect::ReadOutgoing { source, base, last } => {
                return self.outgoing(&source, base, last).map(Some);
            }
            Effect::ReadBase(name) => {
                let roll = self.node.roll();
                let reach = self.shared(&roll);
                let base = self.node.store().read(|c| outgoing::base(c, &name, &reach))?;
                return Ok(Some(Event::Base(base)));
            }
            Effect::Admit { changes, upto } => {
                let admitted = self.admit(&changes, upto)?;
                self.tally.came(&changes);
                self.node.keep_exchange(&self.peer, &mut self.tally, self.begun);
                return Ok(Some(admitted));
            }
            Effect::Acknowledged {
                upto,
                pieces,
                receipts,
                verdicts,
            } => {
                if self.tally.answered(pieces) {
                    self.node.keep_exchange(&self.peer, &mut self.tally, self.begun);
                }
                self.acknowledged(upto, &receipts, &verdicts)?;
            }
            Effect::SetCursor { upto, .. } => {
                self.cursor = Some(upto);
                if upto >= self.cursor_kept + CURSOR_MOVES {
                    self.keep_cursor()?;
                }
            }
            Effect::ReadSummary => return self.summary().map(Some),
            Effect::ReadDigests => {
                let roll = self.node.roll();
                let all = self
                    .node
                    .store()
                    .read(|c| changes::digests(c, &self.shared(&roll)))?;
                return Ok(Some(Event::Digests(all)));
            }
            Effect::ReadVectors(keys) => return self.vectors(&keys).map(Some),
            Effect::ReadReceipts => return self.receipts().map(Some),
            Effect::EnrolWish { label } => {
                tracing::info!(peer = %self.peer.short(), %label, "a device asks to be enrolled");
                let label = plain(&label);
                let (at, source) = (self.node.now(), &self.source);
                let new = self
                    .node
                    .store()
                    .write(|tx| peers::add_wish(tx, &self.peer, &label, source, at))?;
                if new {
                    self.node.0.changed.send_modify(|n| *n += 1);
                }
            }
            Effect::InSync => {
                step.in_sync = true;
                tracing::debug!(peer = %self.peer.short(), "both sides are equal");
                let cursor = self.cursor.take();
                self.node.store().write(|tx| {
                    if let Some(upto) = cursor {
                        peers::set_acked(tx, &self.peer, upto, self.node.now())?;
                    }
                    peers::in_sync(tx, &self.peer, self.node.now())
                })?;
                self.cursor_kept = cursor.unwrap_or(self.cursor_kept);
                self.node.0.changed.send_modify(|n| *n += 1);
            }
            Effect::Notice(notice) => {
                step.refused |= matches!(notice, Notice::WeRefused(..) | Notice::TheyRefused(..));
                step.broke |= matches!(notice, Notice::WeRefused(Refusal::Protocol, _));
                self.notice(&notice)?;
            }
            Effect::Close => step.close = true,
        }
        Ok(None)
    }

    fn met(
        &mut self,
        store: StoreId,
        county: Option<NodeId>,
        county_name: String,
        more: &More,
    ) -> Result<(), Error> {
        self.store = Some(store);
        self.county = county.map(|root| (root, plain(&county_name)));
        let roll = self.node.roll();
        if let (Some(clock), true) = (more.clock, roll.is_member(&self.peer)) {
            self.node.compare_clocks(&self.peer, clock)?;
        }
        let scope = scope(&roll, &self.peer);
        self.node.set_connected(&self.peer, Some(self.road));
        if roll.grants(&self.peer).next().is_some() {
            let address = self.manner.dialled.as_deref();
            self.node.store().write(|tx| {
                peers::met(tx, &self.peer, &store, &scope, address, self.node.now())?;
                peers::set_speaks(tx, &self.peer, more.speaks)
            })?;
        }
        // A device that is not enrolled listens to the hub that it was told to dial, and to nobody else.
        if let (Some((root, name)), Some(_), None) =
            (&self.county, &self.manner.dialled, self.node.county_root())
        {
            enrol::keep_candidate(&self.node, *root, name, &[], false)?;
        }
        Ok(())
    }

    fn add_roll(&mut self, statements: Vec<Statement>) -> Result<Event, Error> {
        self.told.extend(statements.iter().map(Statement::hash));
        let (new, foreign) = if self.node.county_root().is_some() {
            let taken = self.node.take_statements(statements)?;
            (taken.new.len(), taken.refused)
        } else {
            if let (Some((root, name)), Some(_)) = (&self.county, &self.manner.dialled) {
                enrol::keep_candidate(&self.node, *root, name, &statements, false)?;
                self.node.0.changed.send_modify(|n| *n += 1);
            }
            (0, 0)
        };
        let state = self.node.roll_state();
        let standing = standing(&state.roll, state.pinned, &self.peer);
        if let (Some(store), Standing::Member) = (self.store, standing) {
            // The peer may have become known, or its reading rights may have changed.
            let scope = scope(&state.roll, &self.peer);
            let address = self.manner.dialled.as_deref();
            self.node
                .store()
                .write(|tx| peers::met(tx, &self.peer, &store, &scope, address, self.node.now()))?;
        }
        Ok(Event::RollAdded {
            new,
            foreign,
            digest: state.roll.digest(),
            standing,
        })
    }

    pub(crate) fn keep_cursor(&mut self) -> Result<(), Error> {
        if let Some(upto) = self.cursor.take() {
            self.node
                .store()
                .write(|tx| peers::set_acked(tx, &self.peer, upto, self.node.now()))?;
            self.cursor_kept = upto;
        }
        Ok(())
    }

    fn shared<'a>(&'a self, roll: &'a Roll) -> Reach<'a> {
        shared(&self.node, roll, &self.peer)
    }

    fn outgoing(&mut self, source: &Source, base: bool, last: bool) -> Result<Event, Error> {
        let roll = self.node.roll();
        let mut read = self
            .node
            .store()
            .read(|c| outgoing::read(c, source, base, &self.peer, &self.shared(&roll)))?;
        // Also in a repair: two that cannot be made equal part behind it.
        if last && !read.more {
            self.show(&roll, &mut read)?;
        }
        if self.stream_seat.is_none() {
            self.stream_seat = self.node.0.streams.clone().try_acquire_owned().ok();
        }
        read.alone = self.stream_seat.is_none();
        self.tally.goes(&read.changes);
        Ok(Event::Outgoing(read))
    }

    /// Adds what the peer is to see beside the documents, once for each of its stores since our start.
    fn show(&mut self, roll: &Roll, read: &mut Outgoing) -> Result<(), Error> {
        let Some(store) = self.store.or(self.known_store) else {
            return Ok(());
        };
        if self.showed == Some(roll.digest()) || !roll.is_member(&self.peer) {
            return Ok(());
        }
        let county = self.node.is_county_store(&self.peer);
        let author = Some(&self.peer).filter(|_| !county);
        let known = |about: &ChangeHash| {
            self.showing.iter().any(|s| s.about == *about) || self.node.has_shown(&store, about)
        };
        let lots = self.node.store().read(|c| {
            let reach = self.shared(roll);
            let beyond = shown::beyond(c, roll, &reach, author, known)?;
            let proofs = match county {
                true => shown::proofs(c, roll, &reach, known)?,
                false => Vec::new(),
            };
            let beyond = beyond.into_iter().map(|lot| (lot, false));
            Ok::<_, Error>(
                beyond
                    .chain(proofs.into_iter().map(|lot| (lot, true)))
                    .collect::<Vec<_>>(),
            )
        })?;
        let mut bytes: usize = read.changes.iter().map(|o| o.body.len()).sum();
        for (lot, proof) in lots {
            // What came in one piece goes in one.
            if lot.bytes() > limits::PIECE_BYTES * 3 / 4 || lot.changes.len() > limits::PIECE_CHANGES {
                continue;
            }
            if !read.changes.is_empty() && bytes + lot.bytes() > limits::PIECE_TARGET {
                read.more = true;
                return Ok(());
            }
            bytes += lot.bytes();
            read.changes.extend(lot.changes);
            self.showing.push(Showing {
                about: lot.about,
                all: lot.hashes,
                proof,
            });
        }
        self.showed = Some(roll.digest());
        Ok(())
    }

    /// What the peer did not store was shown to it, some of it on purpose.
    fn note_shown(&mut self, verdicts: &[(DocKey, ChangeHash, Verdict)]) {
        let Some(store) = self.store else { return };
        self.showing.retain(|s| {
            // Who lacks what a proof is about cannot see yet that it is one: next time.
            let too_early = |(_, hash, verdict): &(DocKey, ChangeHash, Verdict)| {
                s.proof && *hash == s.about && *verdict == Verdict::Held(Wait::Dependency)
            };
            let answered = verdicts.iter().any(|(_, hash, _)| s.all.contains(hash));
            let answered = answered && !verdicts.iter().any(too_early);
            if answered {
                self.node.keep_shown(store, s.about);
            }
            !answered
        });
    }

    fn admit(&self, offered: &[Offered], upto: Option<u64>) -> Result<Event, Error> {
        let outcome = self.node.admit_from(&self.peer, offered, upto)?;
        Ok(Event::Admitted {
            unreceipted: self.unreceipted(&outcome.receipts)?,
            receipts: outcome.receipts,
            verdicts: outcome.verdicts,
        })
    }

    /// Whether a peer brought what our own side wrote, and we have no receipt of the peer for it: another computer
    /// of the school, or we before we were set back, had sent it there, and our pages would go on saying that it has
    /// not arrived.
    fn unreceipted(&self, brought: &[Receipt]) -> Result<bool, Error> {
        if self.node.is_ours(&self.peer) {
            return Ok(false);
        }
        let mut ours = brought
            .iter()
            .filter(|r| self.node.is_ours(&r.actor.device))
            .peekable();
        if ours.peek().is_none() {
            return Ok(false);
        }
        self.node.store().read(|c| {
            let held = peers::held_by(c, &[self.peer])?;
            for r in ours {
                let doc = changes::find(c, &r.document)?;
                if doc.is_some_and(|doc| lacks(&held, doc, &r.actor, r.seq)) {
                    return Ok(true);
                }
            }
            Ok(false)
        })
    }

    fn acknowledged(
        &mut self,
        upto: Option<u64>,
        receipts: &[Receipt],
        verdicts: &[(DocKey, ChangeHash, Verdict)],
    ) -> Result<(), Error> {
        let Some(store) = self.store else { return Ok(()) };
        self.note_shown(verdicts);
        self.node
            .acknowledged_by(&self.peer, &store, upto, receipts, verdicts)
    }

    fn summary(&self) -> Result<Event, Error> {
        let roll = self.node.roll();
        let (digests, end, unreceipted) = self.node.store().read(|c| {
            let documents = self.shared(&roll).documents(c)?;
            let held = peers::held_by(c, &[self.peer])?;
            let mut unreceipted = false;
            for d in &documents {
                if unreceipted {
                    break;
                }
                let vector = changes::vector(c, d.id)?;
                unreceipted = vector
                    .iter()
                    .filter(|(a, _, _)| a.device != self.peer && self.node.is_ours(&a.device))
                    .any(|(a, seq, _)| lacks(&held, d.id, a, *seq));
            }
            let digests: Vec<DocDigest> = documents.iter().map(Document::digest).collect();
            Ok::<_, Error>((digests, changes::last_local(c)?, unreceipted))
        })?;
        let mut hash = Sha256::new();
        for d in &digests {
            hash.update(d.key);
            hash.update(d.heads);
        }
        let mut documents = [0; 16];
        documents.copy_from_slice(&hash.finalize()[..16]);
        Ok(Event::Summary {
            check: Check {
                roll: roll.digest(),
                documents,
            },
            end,
            unreceipted,
        })
    }

    fn vectors(&mut self, keys: &[[u8; 8]]) -> Result<Event, Error> {
        let roll = self.node.roll();
        let wanted: HashSet<[u8; 8]> = keys.iter().copied().collect();
        let me = self.node.id();
        let mut compared = std::mem::take(&mut self.compared);
        let mut vectors: Vec<Vector> = self.node.store().read(|c| {
            let mut vectors = Vec::new();
            for d in self.shared(&roll).documents(c)? {
                if wanted.contains(&key_hash(&d.key)) {
                    let mut actors = Vec::new();
                    let asked = compared.entry(d.key.clone()).or_default();
                    *asked += 1;
                    // Asked again, so the vectors alone brought nothing: perhaps the peer holds another branch of
                    // some actor, just as long. Let it show its own: of others the last change, which is proof.
                    let doubt = *asked > 1 && self.node.first_doubt(&self.peer, &changes::heads(c, d.id)?);
                    for (a, s, _) in changes::vector(c, d.id)? {
                        let s = aside::announced(c, &roll, &d.key, &a, s)?;
                        let less = match (doubt, a.device == me) {
                            (false, _) => 0,
                            (true, true) => aside::SHOWN_AGAIN,
                            (true, false) => 1,
                        };
                        actors.push((a, s.saturating_sub(less)));
                    }
                    vectors.push(Vector {
                        document: d.key,
                        actors,
                    });
                }
            }
            Ok::<_, Error>(vectors)
        })?;
        self.compared = compared;
        let policy = &self.node.0.policy;
        vectors.sort_by_cached_key(|v| policy.order(&v.document));
        let here: HashSet<[u8; 8]> = vectors.iter().map(|v| key_hash(&v.document)).collect();
        let absent = keys
            .iter()
            .copied()
            .filter(|k| !here.contains(k))
            .take(limits::VECTORS)
            .collect();
        Ok(Event::Vectors { vectors, absent })
    }

    /// What is stored here of the peer and of the other computers of its school: whose way it shows.
    fn receipts(&self) -> Result<Event, Error> {
        let roll = self.node.roll();
        let schools: Vec<&str> = schools_of(&roll, &self.peer).collect();
        let theirs = |device: &NodeId| {
            *device == self.peer || schools_of(&roll, device).any(|school| schools.contains(&school))
        };
        let all = self.node.store().read(|c| {
            let mut all = Vec::new();
            for d in self.shared(&roll).documents(c)? {
                let vector = changes::vector(c, d.id)?.into_iter();
                for (actor, seq, hash) in vector.filter(|(a, _, _)| theirs(&a.device)) {
                    all.push(Receipt {
                        document: d.key.clone(),
                        actor,
                        seq,
                        hash,
                    });
                }
            }
            Ok::<_, Error>(all)
        })?;
        Ok(Event::Receipts(all))
    }

    fn notice(&self, notice: &Notice) -> Result<(), Error> {
        let (code, detail) = match notice {
            // A device that is enrolling is refused each time until it is approved: no news.
            Notice::WeRefused(Refusal::NotEnrolled, _) if self.county.is_none() => {
                return Ok(());
            }
            // What the page says of the other codes needs no more words.
            Notice::WeRefused(Refusal::Protocol, text) => {
                (refusal_code(Refusal::Protocol, true), text.clone())
            }
            Notice::WeRefused(r, _) => (refusal_code(*r, true), String::new()),
            Notice::TheyRefused(r, text) => {
                if self.node.county_root().is_none() {
                    return Ok(());
                }
                (refusal_code(*r, false), plain(text))
            }
            Notice::StillDifferent => ("still-different".to_string(), String::new()),
            Notice::BadReceipt => ("bad-receipt".to_string(), String::new()),
            Notice::SetBack => {
                self.node.heard_later(&self.peer)?;
                ("set-back".to_string(), String::new())
            }
        };
        tracing::warn!(peer = %self.peer.short(), %code, %detail, "session notice");
        self.node.note_event(&code, Some(&self.peer), "", &detail)?;
        self.node.0.changed.send_modify(|n| *n += 1);
        Ok(())
    }
}

/// Whether receipts do not reach so far for an actor of a document.
fn lacks(held: &HashMap<(i64, ActorId), u64>, doc: i64, actor: &ActorId, seq: u64) -> bool {
    held.get(&(doc, *actor)).is_none_or(|held| *held < seq)
}

/// What both may read: looked for among what the peer may, which at a hub is little of what it holds.
pub(crate) fn shared<'a>(node: &'a Node, roll: &'a Roll, peer: &'a NodeId) -> Reach<'a> {
    let me = node.id();
    Reach::new(prefixes(&node.0.policy, roll, peer), move |key| {
        node.may_read(roll, peer, key) && node.may_read(roll, &me, key)
    })
}

fn standing(roll: &Roll, pinned: bool, peer: &NodeId) -> Standing {
    match pinned {
        true if roll.is_revoked(peer) => Standing::Revoked,
        true if roll.is_member(peer) => Standing::Member,
        _ => Standing::Stranger,
    }
}

/// Hash of what the peer may read: another one voids its cursor.
pub(crate) fn scope(roll: &Roll, peer: &NodeId) -> [u8; 8] {
    let mut hash = Sha256::new();
    for g in roll.grants(peer) {
        hash.update([g.role, g.scope.len() as u8]);
        hash.update(&g.scope);
    }
    let mut out = [0; 8];
    out.copy_from_slice(&hash.finalize()[..8]);
    out
}
