//! Runs one `sync` session over one link: does what its effects say, in order, and feeds the answers back.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use net::{FrameReader, FrameWriter, Link};
use sha2::{Digest, Sha256};
use store::{admitting, changes, events, outgoing, peers};
use sync::admission::{Offered, Verdict};
use sync::session::{Effect, Event, Notice, Session, Source, Standing, Start, key_hash};
use sync::tip::Receipt;
use sync::wire::{Check, More, Vector};
use sync::{DocKey, NodeId, Roll, Statement, StoreId, limits};
use tokio::sync::{mpsc, watch};

use crate::events::{refusal_code, verdict_code};
use crate::{Error, Node, enrol};

/// How a conversation is held.
#[derive(Clone, Debug)]
pub struct Manner {
    /// We dialled, at this address.
    pub dialled: Option<String>,
    /// Stay connected after both sides are equal and pass on what is new.
    pub keep_open: bool,
}

/// How it ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Ended {
    /// Both sides were equal at some moment.
    pub in_sync: bool,
    /// One side refused the other.
    pub refused: bool,
}

/// A peer that says nothing at all is given up after so long.
const FIRST_FRAME: Duration = Duration::from_secs(60);

/// A peer that is still exchanging with us and says nothing for so long is given up; a piece on the
/// slowest link takes a minute or two. Dead links are noticed earlier, by the transport.
const MUTE: Duration = Duration::from_secs(600);

/// Frames that wait to be written; a peer that reads nothing is given up beyond that.
const WRITE_QUEUE: usize = 256;

/// Application close codes on the wire.
const CLOSE_DONE: u32 = 0;
const CLOSE_REPLACED: u32 = 1;

/// Holds a conversation until one side ends it, the link is gone, or `stop` fires.
pub(crate) async fn converse(
    node: Node,
    link: Link,
    manner: Manner,
    mut stop: watch::Receiver<bool>,
) -> Result<Ended, Error> {
    let mut changed = node.watch();
    let mut roll_changed = node.0.roll_changed.subscribe();
    let mut ended = Ended {
        in_sync: false,
        refused: false,
    };
    // With a kept ticket the first flight travels as 0-RTT data. It may be thrown away (the peer restarted):
    // then it is said again on new streams. What it carries is signed and idempotent (design.md §5).
    let mut early = manner.dialled.is_some() && link.early();
    let (out, writing, mut reader, mut talk) = loop {
        let (writer, reader) = match manner.dialled {
            Some(_) => link.open().await?,
            None => match tokio::time::timeout(FIRST_FRAME, link.accept()).await {
                Ok(Some(streams)) => streams,
                _ => return Ok(ended),
            },
        };
        let (out, written) = mpsc::channel::<Vec<u8>>(WRITE_QUEUE);
        let writing = tokio::spawn(write_all(writer, written));
        let (starting, peer, manner) = (node.clone(), link.peer(), manner.clone());
        let (talk, first) = blocking(move || {
            let mut talk = Talk::new(starting, peer, manner)?;
            let first = talk.step(Event::Started)?;
            Ok((talk, first))
        })
        .await?;
        for frame in first.frames {
            let _ = out.try_send(frame);
        }
        let accepted = match early {
            false => true,
            true => tokio::select! {
                biased;
                _ = stop.changed() => return Ok(ended),
                settled = link.settled() => settled?,
            },
        };
        if accepted {
            break (out, writing, reader, talk);
        }
        early = false;
        writing.abort();
    };
    let mut next = None;
    let result = loop {
        if let Some(event) = next.take() {
            // Everything that an event leads to is done before the next frame is read.
            let (back, step) = blocking(move || {
                let step = talk.step(event);
                Ok((talk, step))
            })
            .await?;
            talk = back;
            let step = match step {
                Ok(step) => step,
                Err(error) => break Err(error),
            };
            ended.in_sync |= step.in_sync;
            ended.refused |= step.refused;
            if step.frames.into_iter().any(|f| out.try_send(f).is_err()) || step.close {
                break Ok(());
            }
        }
        let quiet = match (talk.session.is_live(), talk.store) {
            (true, _) => Duration::MAX,
            (false, Some(_)) => MUTE,
            (false, None) => FIRST_FRAME,
        };
        tokio::select! {
            biased;
            _ = stop.changed() => break Ok(()),
            frame = read(&mut reader, quiet) => match frame {
                Some(bytes) => next = Some(Event::Frame(bytes)),
                None => break Ok(()),
            },
            Ok(()) = roll_changed.changed() => next = Some(talk.roll_event()),
            Ok(()) = changed.changed() => next = Some(Event::Committed),
        }
    };
    drop(out);
    let (code, words) = if *stop.borrow() {
        (CLOSE_REPLACED, "replaced or shutting down")
    } else {
        (CLOSE_DONE, "done")
    };
    // What was said last must arrive (a refusal, an answer) before the link is closed.
    let _ = tokio::time::timeout(Duration::from_secs(5), writing).await;
    link.close(code, words);
    result.map(|()| ended)
}

async fn write_all(mut writer: FrameWriter, mut frames: mpsc::Receiver<Vec<u8>>) {
    while let Some(frame) = frames.recv().await {
        if writer.write(&frame).await.is_err() {
            return;
        }
    }
    if writer.finish().is_ok() {
        let _ = writer.delivered().await;
    }
}

async fn read(reader: &mut FrameReader, quiet: Duration) -> Option<Vec<u8>> {
    if quiet == Duration::MAX {
        return reader.read().await.ok().flatten();
    }
    tokio::time::timeout(quiet, reader.read())
        .await
        .ok()?
        .ok()
        .flatten()
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(_) => Err(Error::Store(store::Error::BadRow("conversation"))),
    }
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
    /// The conversation is over once the frames are sent.
    pub close: bool,
}

/// One side of a conversation without its link: a session and what it needs of the node. The caller
/// carries the frames, one event at a time.
pub struct Talk {
    node: Node,
    session: Session,
    peer: NodeId,
    manner: Manner,
    store: Option<StoreId>,
    county: Option<(NodeId, String)>,
    /// Statements that the peer has from us or gave us.
    told: HashSet<[u8; 32]>,
    /// By a clock that only goes forward, milliseconds.
    begun: u64,
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
        let cursor = known
            .filter(|p| p.scope.as_deref() == Some(&scope[..]))
            .and_then(|p| Some((p.store?, p.acked?)));
        let roll = state.roll.clone();
        let (announced, last) = node.store().read(|c| {
            let may = |key: &DocKey| shared(&node, &roll, &peer, key);
            let announced = outgoing::waiting(c, cursor.map_or(0, |c| c.1), &peer, may)?;
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
        let told = state.roll.hashes().copied().collect();
        Ok(Talk {
            begun: node.uptime(),
            node,
            session,
            peer,
            manner,
            store: None,
            county: None,
            told,
        })
    }

    /// Nothing more is on the way from us.
    fn idle(&self) -> bool {
        self.session.is_settled()
    }

    /// The event to hand in when the roll has changed.
    pub fn roll_event(&mut self) -> Event {
        let state = self.node.roll_state();
        let mut new = Vec::new();
        for (hash, s) in state.roll.hashes().zip(state.roll.statements()) {
            if self.told.insert(*hash) {
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
        // Without a wish to stay, a conversation ends when both sides are equal and all is said.
        step.close |= step.in_sync && !self.manner.keep_open && self.idle();
        Ok(step)
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
            Effect::AddRoll(statements) => return self.add_roll(statements).map(Some),
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
            Effect::ReadOutgoing(source) => return self.outgoing(&source).map(Some),
            Effect::Admit { changes, upto } => return self.admit(&changes, upto).map(Some),
            Effect::Acknowledged {
                upto,
                receipts,
                verdicts,
            } => self.acknowledged(upto, &receipts, &verdicts)?,
            Effect::SetCursor { upto, .. } => {
                self.node
                    .store()
                    .write(|tx| peers::set_acked(tx, &self.peer, upto, self.node.now()))?;
            }
            Effect::ReadSummary => return self.summary().map(Some),
            Effect::ReadDigests => {
                let roll = self.node.roll();
                let all = self
                    .node
                    .store()
                    .read(|c| changes::digests(c, |k| self.shared(&roll, k)))?;
                return Ok(Some(Event::Digests(all)));
            }
            Effect::ReadVectors(keys) => return self.vectors(&keys).map(Some),
            Effect::ReadReceipts => return self.receipts().map(Some),
            Effect::EnrolWish { label } => {
                tracing::info!(peer = %self.peer.short(), %label, "a device asks to be enrolled");
                self.node
                    .store()
                    .write(|tx| peers::add_wish(tx, &self.peer, &label, self.node.now()))?;
                self.node.0.changed.send_modify(|n| *n += 1);
            }
            Effect::InSync => {
                step.in_sync = true;
                tracing::debug!(peer = %self.peer.short(), "both sides are equal");
                self.node
                    .store()
                    .write(|tx| peers::in_sync(tx, &self.peer, self.node.now()))?;
                self.node.0.changed.send_modify(|n| *n += 1);
            }
            Effect::Notice(notice) => {
                step.refused |= matches!(notice, Notice::WeRefused(_) | Notice::TheyRefused(..));
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
        self.county = county.map(|root| (root, county_name));
        let roll = self.node.roll();
        let scope = scope(&roll, &self.peer);
        self.node.set_connected(&self.peer, true);
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
        let new = if self.node.county_root().is_some() {
            self.node.add_statements(statements)?.len()
        } else {
            if let (Some((root, name)), Some(_)) = (&self.county, &self.manner.dialled) {
                enrol::keep_candidate(&self.node, *root, name, &statements, false)?;
                self.node.0.changed.send_modify(|n| *n += 1);
            }
            0
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
            digest: state.roll.digest(),
            standing,
        })
    }

    fn shared(&self, roll: &Roll, key: &DocKey) -> bool {
        shared(&self.node, roll, &self.peer, key)
    }

    fn outgoing(&self, source: &Source) -> Result<Event, Error> {
        let roll = self.node.roll();
        let read = self
            .node
            .store()
            .read(|c| outgoing::read(c, source, &self.peer, |k| self.shared(&roll, k)))?;
        Ok(Event::Outgoing(read))
    }

    fn admit(&self, offered: &[Offered], upto: Option<u64>) -> Result<Event, Error> {
        let roll = self.node.roll();
        let policy = &self.node.0.policy;
        let outcome = self.node.store().write(|tx| {
            let outcome = admitting::take(tx, policy, &roll, offered, Some(&self.peer), self.node.now())?;
            self.note_verdicts(tx, &outcome.verdicts, true)?;
            if let Some(upto) = upto {
                peers::set_have(tx, &self.peer, upto)?;
            }
            Ok::<_, Error>(outcome)
        })?;
        // Durable now, so it may be acknowledged; the views follow by themselves.
        if outcome.stored > 0 {
            tracing::debug!(peer = %self.peer.short(), changes = outcome.stored, "stored");
            self.node.0.arrived.send_modify(|n| *n += 1);
            self.node.0.changed.send_modify(|n| *n += 1);
        }
        Ok(Event::Admitted {
            receipts: outcome.receipts,
            verdicts: outcome.verdicts,
        })
    }

    fn note_verdicts(
        &self,
        c: &store::Connection,
        verdicts: &[(DocKey, sync::ChangeHash, Verdict)],
        ours: bool,
    ) -> Result<(), Error> {
        for (document, _, verdict) in verdicts {
            events::add(
                c,
                &verdict_code(*verdict, ours),
                Some(&self.peer),
                document.as_str(),
                "",
                self.node.now(),
            )?;
        }
        Ok(())
    }

    fn acknowledged(
        &self,
        upto: Option<u64>,
        receipts: &[Receipt],
        verdicts: &[(DocKey, sync::ChangeHash, Verdict)],
    ) -> Result<(), Error> {
        let Some(store) = self.store else { return Ok(()) };
        self.node.store().write(|tx| {
            peers::keep_receipts(tx, &self.peer, &store, receipts, self.node.now())?;
            if let Some(upto) = upto {
                peers::set_acked(tx, &self.peer, upto, self.node.now())?;
            }
            self.note_verdicts(tx, verdicts, false)
        })?;
        self.node.0.changed.send_modify(|n| *n += 1);
        Ok(())
    }

    fn summary(&self) -> Result<Event, Error> {
        let roll = self.node.roll();
        let (digests, end, unreceipted) = self.node.store().read(|c| {
            let digests = changes::digests(c, |k| self.shared(&roll, k))?;
            let held = peers::held_by(c, &[self.peer])?;
            let mut unreceipted = false;
            for d in changes::documents(c)? {
                if !unreceipted && self.shared(&roll, &d.key) {
                    let vector = changes::vector(c, d.id)?;
                    unreceipted = vector
                        .iter()
                        .filter(|(a, _, _)| a.device != self.peer)
                        .any(|(a, seq, _)| held.get(&(d.id, *a)).is_none_or(|h| h < seq));
                }
            }
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

    fn vectors(&self, keys: &[[u8; 8]]) -> Result<Event, Error> {
        let roll = self.node.roll();
        let wanted: HashSet<[u8; 8]> = keys.iter().copied().collect();
        let vectors: Vec<Vector> = self.node.store().read(|c| {
            let mut vectors = Vec::new();
            for d in changes::documents(c)? {
                if wanted.contains(&key_hash(&d.key)) && self.shared(&roll, &d.key) {
                    let actors = changes::vector(c, d.id)?
                        .into_iter()
                        .map(|(a, s, _)| (a, s))
                        .collect();
                    vectors.push(Vector {
                        document: d.key,
                        actors,
                    });
                }
            }
            Ok::<_, Error>(vectors)
        })?;
        let here: HashSet<[u8; 8]> = vectors.iter().map(|v| key_hash(&v.document)).collect();
        let absent = keys
            .iter()
            .copied()
            .filter(|k| !here.contains(k))
            .take(limits::VECTORS)
            .collect();
        Ok(Event::Vectors { vectors, absent })
    }

    fn receipts(&self) -> Result<Event, Error> {
        let roll = self.node.roll();
        let all = self.node.store().read(|c| {
            let mut all = Vec::new();
            for d in changes::documents(c)? {
                if self.shared(&roll, &d.key) {
                    for (actor, seq, hash) in changes::vector(c, d.id)? {
                        all.push(Receipt {
                            document: d.key.clone(),
                            actor,
                            seq,
                            hash,
                        });
                    }
                }
            }
            Ok::<_, Error>(all)
        })?;
        Ok(Event::Receipts(all))
    }

    fn notice(&self, notice: &Notice) -> Result<(), Error> {
        let (code, detail) = match notice {
            // A device that is enrolling is refused each time until it is approved: no news.
            Notice::WeRefused(r) if self.county.is_none() && *r == sync::wire::Refusal::NotEnrolled => {
                return Ok(());
            }
            Notice::WeRefused(r) => (refusal_code(*r, true), String::new()),
            Notice::TheyRefused(r, text) => {
                if self.node.county_root().is_none() {
                    return Ok(());
                }
                (
                    refusal_code(*r, false),
                    text.chars().filter(|c| !c.is_control()).take(100).collect(),
                )
            }
            Notice::StillDifferent => ("still-different".to_string(), String::new()),
            Notice::BadReceipt => ("bad-receipt".to_string(), String::new()),
            Notice::SetBack => ("set-back".to_string(), String::new()),
        };
        tracing::warn!(peer = %self.peer.short(), %code, %detail, "session notice");
        self.node.note_event(&code, Some(&self.peer), "", &detail)?;
        self.node.0.changed.send_modify(|n| *n += 1);
        Ok(())
    }
}

fn shared(node: &Node, roll: &Roll, peer: &NodeId, key: &DocKey) -> bool {
    node.may_read(roll, peer, key) && node.may_read(roll, &node.id(), key)
}

fn standing(roll: &Roll, pinned: bool, peer: &NodeId) -> Standing {
    match pinned {
        true if roll.is_revoked(peer) => Standing::Revoked,
        true if roll.is_member(peer) => Standing::Member,
        _ => Standing::Stranger,
    }
}

/// Hash of what the peer may read: another one voids its cursor.
fn scope(roll: &Roll, peer: &NodeId) -> [u8; 8] {
    let mut hash = Sha256::new();
    for g in roll.grants(peer) {
        hash.update([g.role, g.scope.len() as u8]);
        hash.update(&g.scope);
    }
    let mut out = [0; 8];
    out.copy_from_slice(&hash.finalize()[..8]);
    out
}
