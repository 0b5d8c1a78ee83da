//! The conversation of two nodes as one state machine: `handle(now, event) -> effects` (design.md §5).
//!
//! ```text
//!            Hello both ways                     rolls equal, peer is a member
//!  Opening ──────────────────▶ (rolls exchanged) ─────────────────────────────▶ Pushing ──State = ours──▶ Live
//!     │ known peer: pieces go out at once,                                      │  ▲ │                    ▲ │
//!     │ and a State after them                  all pieces answered: Done both ways │                    │ │
//!     ▼                                                                         ▼  │ └ State ≠ ours: Done │ │
//!   Closed: Refuse (stranger, revoked,                                     Checks compared ──equal───────┘ │
//!           other county, version, protocol)                                    │  ▲                       │
//!                                                                       differ: │  │ Done both ways        │
//!                                                  rolls, digests, vectors,     ▼  │                       │
//!                                                  missing changes:        Pushing ◀── Check (roll changed)┘
//! ```
//! Four [`Phase`]s are in the code: Opening, Pushing (also while comparing and repairing), Live, Closed. In
//! Live, new changes go out as pieces at once. A first flight carries what waits for a known peer, if that is
//! little; of much, a part may have arrived in a session that was cut, and the peer's Hello says how much.
//! *State* is the quick way to Live for two nodes that know each
//! other: the same digests as a Check, sent behind the last piece without waiting for its answer, so that
//! equal nodes know it after one round trip. The slow way (Done, Check, repair) needs no assumption.
//!
//! The caller does what the effects say, in order. An effect marked *asks* is answered by exactly one
//! event, before the next frame is handed in; the caller applies all rights (who may read what) when it
//! answers. Nothing is acknowledged before the caller says that it is stored.

use std::collections::{HashMap, HashSet, VecDeque};

use crate::document::DocKey;
use crate::identity::{ActorId, StoreId};
use crate::limits;
use crate::roll::{BadStatement, Statement};
use crate::tip::Receipt;
use crate::wire::stream::{Reader, Writer};
use crate::wire::{
    BadFrame, Check, Enrol, Frame, Hello, More, Piece, Refusal, Refuse, RollFrame, Speaks, StreamPart,
    VERSION, Vector, Vectors,
};

mod comparing;
mod digests;
mod pieces;
mod types;
mod window;

use digests::Heard;
use window::Window;

pub use types::{Effect, Event, Notice, Outgoing, Source, Standing, Start};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Opening,
    Pushing,
    Live,
    Closed,
}

/// One conversation.
#[derive(Debug)]
pub struct Session {
    start: Start,
    phase: Phase,
    peer_store: Option<StoreId>,
    /// Digest of the roll as our Hello told it: by it the peer knows whether rolls are exchanged, whatever has come to
    /// ours since.
    told_roll: [u8; 8],
    /// A roll frame is due from the peer.
    roll_due: bool,
    /// The peer is here to enrol: its wish is due.
    wish_due: bool,
    /// Pieces that came before the rolls were equal, and whether more follow each.
    early: Vec<(Piece, bool)>,
    early_bytes: usize,
    /// Our local sequence that the peer's present store has acknowledged.
    acked: Option<u64>,
    /// Pushed up to here.
    sent: u64,
    /// Nothing more to read after `sent`.
    exhausted: bool,
    /// A `ReadOutgoing` is open.
    reading: bool,
    window: Window,
    writer: Writer,
    reader: Reader,
    /// A part whose base is being read.
    on_base: Option<StreamPart>,
    /// A stream stood on what is not here: its parts are passed over until another begins.
    baseless: bool,
    /// Something was passed over: from now on nothing is acknowledged "up to" a number, and the comparison
    /// at the end finds what is missing.
    passed_over: bool,
    /// What the peer can read.
    speaks: Speaks,
    /// Now, in milliseconds of any clock that only goes forward.
    now: u64,
    /// Receipts that wait for those of the next pieces.
    owed: Vec<Receipt>,
    owed_pieces: usize,
    /// The peer's State frame is due.
    state_due: bool,
    state_sent: Option<Check>,
    their_state: Option<Check>,
    /// State frames did not settle it: Done and Check will.
    slow: bool,
    /// What the open `ReadSummary` is for.
    summary_is_state: bool,
    repair: VecDeque<(DocKey, Vec<(ActorId, u64)>)>,
    repair_after: u64,
    done_sent: bool,
    done_seen: bool,
    our_check: Option<(Check, u64, bool)>,
    their_check: Option<Check>,
    asked_summary: bool,
    /// Rolls or vectors are being exchanged: what to push in this round is not known yet.
    negotiating: bool,
    /// The peer has pinned our county (it is not just asking to be enrolled).
    peer_enrolled: bool,
    /// Questions of the peer that nothing gave reason for.
    questions: usize,
    enrol_seen: bool,
    /// The peer has brought what our own side wrote elsewhere, and has not been asked for its receipts since.
    unreceipted: bool,
    /// The peer was asked what it holds.
    receipts_due: bool,
    /// The last pair of different checks: a round that leaves it as it was has brought nothing.
    compared: Option<(Check, Check)>,
    rounds: u8,
    their_digests: Option<Heard>,
    their_vectors: Option<Vectors>,
    /// We compared, so we are the first to send vectors.
    vectors_first: bool,
    /// Of each piece being admitted: its local sequence, and whether its receipts may wait.
    admitting: VecDeque<(Option<u64>, bool)>,
    unknown_frames: usize,
    /// Statements of the roll frame that is being taken.
    statements_asked: usize,
    /// Statements so far that were not new, and those that were forged or of nobody who may speak.
    stale: usize,
    foreign: usize,
}

impl Session {
    /// A session that has not begun; feed it [`Event::Started`].
    pub fn new(start: Start) -> Session {
        let sent = start.cursor.map_or(0, |c| c.1);
        let speaks = start.speaks;
        let told_roll = start.roll;
        Session {
            start,
            phase: Phase::Opening,
            peer_store: None,
            told_roll,
            roll_due: false,
            wish_due: false,
            early: Vec::new(),
            early_bytes: 0,
            acked: None,
            sent,
            exhausted: false,
            reading: false,
            window: Window::new(),
            writer: Writer::default(),
            reader: Reader::default(),
            on_base: None,
            baseless: false,
            passed_over: false,
            speaks,
            now: 0,
            owed: Vec::new(),
            owed_pieces: 0,
            state_due: false,
            state_sent: None,
            their_state: None,
            slow: false,
            summary_is_state: false,
            repair: VecDeque::new(),
            repair_after: 0,
            done_sent: false,
            done_seen: false,
            our_check: None,
            their_check: None,
            asked_summary: false,
            negotiating: false,
            peer_enrolled: false,
            questions: 0,
            enrol_seen: false,
            unreceipted: false,
            receipts_due: false,
            compared: None,
            rounds: 0,
            their_digests: None,
            their_vectors: None,
            vectors_first: false,
            admitting: VecDeque::new(),
            unknown_frames: 0,
            statements_asked: 0,
            stale: 0,
            foreign: 0,
        }
    }

    /// Whether both sides were found equal and the session now only passes on what is new.
    pub fn is_live(&self) -> bool {
        self.phase == Phase::Live
    }

    /// Whether nothing of ours is unread, unsent or unanswered, and no comparison is under way.
    pub fn is_settled(&self) -> bool {
        let comparing = self.asked_summary || self.our_check.is_some() || self.their_check.is_some();
        let silent = self.exhausted || self.acked.is_none();
        let answered = self.window.is_empty() && !self.receipts_due;
        self.is_live() && answered && !self.reading && silent && !comparing
    }

    /// Whether a stream of pieces is open to the peer, with a few megabytes of context.
    pub fn is_streaming(&self) -> bool {
        self.writer.is_open()
    }

    /// What the peer's program reads, once it has said hello.
    pub fn peer_speaks(&self) -> Speaks {
        self.speaks
    }

    /// Whether the session is over.
    pub fn is_closed(&self) -> bool {
        self.phase == Phase::Closed
    }

    /// The one door. `now` is in milliseconds of any clock that only goes forward.
    pub fn handle(&mut self, now: u64, event: Event) -> Vec<Effect> {
        let mut out = Vec::new();
        if self.phase == Phase::Closed {
            return out;
        }
        self.now = self.now.max(now);
        match event {
            Event::Started => self.started(&mut out),
            Event::Frame(bytes) => match Frame::decode(&bytes) {
                Ok(frame) => self.frame(frame, &mut out),
                Err(bad) => self.bad_frame(bad, &mut out),
            },
            Event::RollRead(statements) => {
                send(&mut out, Frame::Roll(RollFrame { statements }));
                self.negotiating = false;
                self.pump(&mut out);
            }
            Event::RollAdded {
                new,
                foreign,
                digest,
                standing,
            } => {
                self.foreign += foreign;
                self.stale += self.statements_asked.saturating_sub(new);
                self.roll_added(new, digest, standing, &mut out);
            }
            Event::Outgoing(outgoing) => self.outgoing(outgoing, &mut out),
            Event::Base(base) => {
                if let Some(part) = self.on_base.take() {
                    self.baseless = base.is_none();
                    self.streamed(&part, &base.unwrap_or_default(), &mut out);
                }
            }
            Event::Admitted {
                receipts,
                verdicts,
                unreceipted,
            } => {
                self.unreceipted |= unreceipted;
                self.admitted(receipts, verdicts, &mut out);
            }
            Event::Summary {
                check,
                end,
                unreceipted,
            } => {
                self.asked_summary = false;
                if self.summary_is_state {
                    self.summary_is_state = false;
                    self.our_state(check, end, unreceipted, &mut out);
                } else {
                    self.our_check = Some((check, end, unreceipted));
                    send(&mut out, Frame::Check(check));
                    self.compare(&mut out);
                }
            }
            Event::Digests(ours) => self.digests(ours, &mut out),
            Event::Vectors { vectors, absent } => self.vectors(vectors, absent, &mut out),
            Event::Receipts(receipts) => {
                for part in receipts.chunks(limits::RECEIPTS) {
                    self.answer(None, 0, part.to_vec(), Vec::new(), &mut out);
                }
                // The last answer is one that is not full.
                if receipts.len().is_multiple_of(limits::RECEIPTS) {
                    self.answer(None, 0, Vec::new(), Vec::new(), &mut out);
                }
            }
            Event::Committed => {
                self.exhausted = false;
                self.pump(&mut out);
            }
            Event::RollChanged {
                statements,
                digest,
                standing,
            } => {
                self.start.roll = digest;
                self.reason_to_ask();
                let opened = self.peer_store.is_some();
                if opened && self.start.standing == Standing::Member && !statements.is_empty() {
                    send(&mut out, Frame::Roll(RollFrame { statements }));
                }
                self.start.standing = standing;
                if opened && !self.roll_due && !self.wish_due {
                    self.settle(&mut out);
                }
                self.recheck(&mut out);
            }
        }
        out
    }

    fn started(&mut self, out: &mut Vec<Effect>) {
        if self.start.initiator {
            self.say_hello(out);
            // The first flight: a known member gets what it has not acknowledged at once.
            self.pump(out);
        }
    }

    /// Whether all that waits goes out in the first flight, with a State behind it.
    fn opens_with_state(&self) -> bool {
        let s = &self.start;
        s.initiator
            && s.enrolled
            && s.standing == Standing::Member
            && s.cursor.is_some()
            && s.speaks.streams()
            && s.announced.1 <= limits::FIRST_FLIGHT
    }

    fn say_hello(&mut self, out: &mut Vec<Effect>) {
        let state_follows = self.opens_with_state();
        self.told_roll = self.start.roll;
        let s = &self.start;
        send(
            out,
            Frame::Hello(Hello {
                versions: vec![VERSION],
                county: s.county.filter(|_| s.enrolled),
                county_name: s.county_name.clone(),
                store: s.store,
                cursor: s.cursor,
                roll: s.roll,
                announced: s.announced,
                more: More {
                    speaks: Speaks::ours(),
                    have: s.have,
                    clock: Some(s.clock),
                    state_follows,
                },
            }),
        );
        if !s.enrolled {
            send(
                out,
                Frame::Enrol(Enrol {
                    label: s.label.clone(),
                }),
            );
        }
    }

    fn frame(&mut self, frame: Frame, out: &mut Vec<Effect>) {
        if self.peer_store.is_none()
            && !matches!(frame, Frame::Hello(_) | Frame::Refuse(_) | Frame::Unknown(_))
        {
            return self.refuse(Refusal::Protocol, "the first frame must be Hello", out);
        }
        if matches!(
            frame,
            Frame::Check(_)
                | Frame::State(_)
                | Frame::Digests(_)
                | Frame::Buckets(_)
                | Frame::Vectors(_)
                | Frame::Done
                | Frame::WantReceipts
        ) {
            self.questions += 1;
            if self.questions > limits::QUESTIONS {
                return self.refuse(Refusal::Protocol, "too many questions", out);
            }
        }
        match frame {
            Frame::Hello(hello) => self.hello(hello, out),
            Frame::Roll(roll) => self.roll(roll, out),
            Frame::Piece(piece) => self.piece(piece, false, out),
            Frame::Streamed(part) => match part.base().cloned() {
                Some(base) => {
                    self.on_base = Some(part);
                    out.push(Effect::ReadBase(base));
                }
                None => {
                    self.baseless &= part.begin.is_none();
                    self.streamed(&part, &[], out);
                }
            },
            Frame::State(theirs) => {
                self.flush_receipts(out);
                self.reader.end();
                self.state_due = false;
                self.their_state = Some(theirs);
                self.compare_state(out);
            }
            Frame::Ack(ack) => self.ack(ack, out),
            Frame::Check(check) => {
                self.their_check = Some(check);
                if self.phase == Phase::Live {
                    self.ask_summary(out);
                }
                self.compare(out);
            }
            Frame::Digests(theirs) => self.heard(Heard::Flat(theirs), out),
            Frame::Buckets(theirs) => self.heard(Heard::Buckets(theirs), out),
            Frame::Vectors(theirs) => self.their_vectors_came(theirs, out),
            Frame::Done => {
                self.flush_receipts(out);
                self.reader.end();
                self.done_seen = true;
                self.state_due = false;
                if self.phase == Phase::Live {
                    // The peer could not see that both are equal: compare once more.
                    self.done_sent = true;
                    send(out, Frame::Done);
                } else {
                    self.slow = true;
                    self.pump(out);
                    self.check_when_done(out);
                }
            }
            Frame::Refuse(Refuse { code, text }) => {
                out.push(Effect::Notice(Notice::TheyRefused(code, text)));
                self.close(out);
            }
            Frame::Enrol(_) if self.enrol_seen => {
                self.refuse(Refusal::Protocol, "a second wish to be enrolled", out);
            }
            Frame::Enrol(Enrol { label }) => {
                self.enrol_seen = true;
                if self.start.enrolled && self.start.standing == Standing::Stranger {
                    out.push(Effect::EnrolWish { label });
                }
                self.wish_due = false;
                if !self.roll_due {
                    self.settle(out);
                }
            }
            Frame::WantReceipts => out.push(Effect::ReadReceipts),
            Frame::Unknown(_) => {
                self.unknown_frames += 1;
                if self.unknown_frames > limits::UNKNOWN_FRAMES {
                    self.refuse(Refusal::Protocol, "too many frames of unknown type", out);
                }
            }
        }
    }

    fn hello(&mut self, hello: Hello, out: &mut Vec<Effect>) {
        if self.peer_store.is_some() {
            return self.refuse(Refusal::Protocol, "a second Hello", out);
        }
        self.peer_store = Some(hello.store);
        if !self.start.initiator {
            self.say_hello(out);
        }
        out.push(Effect::Met {
            store: hello.store,
            county: hello.county,
            county_name: hello.county_name,
            announced: hello.announced,
            more: hello.more,
        });
        self.speaks = hello.more.speaks;
        self.state_due = hello.more.state_follows;
        if !hello.versions.contains(&VERSION) {
            return self.refuse(Refusal::Version, "no common protocol version", out);
        }
        if let (true, Some(theirs), Some(ours)) = (self.start.enrolled, hello.county, self.start.county)
            && theirs != ours
        {
            return self.refuse(Refusal::OtherCounty, "the peer belongs to another county", out);
        }
        self.acked = self
            .start
            .cursor
            .filter(|(store, _)| *store == hello.store)
            .map(|c| c.1);
        self.heard_of(hello.more.have, out);
        self.peer_enrolled = hello.county.is_some();
        self.wish_due = !self.peer_enrolled;
        self.roll_due = hello.roll != self.told_roll;
        // Or something has come since our Hello, which the peer was not told for want of a Hello of its own.
        if self.roll_due || self.told_roll != self.start.roll {
            out.push(Effect::ReadRoll {
                stranger: self.start.standing != Standing::Member,
            });
        }
        if !self.roll_due && !self.wish_due {
            self.settle(out);
        }
    }

    fn roll(&mut self, roll: RollFrame, out: &mut Vec<Effect>) {
        // A bad statement is passed over: the others of the frame verify by themselves.
        let mut good = Vec::new();
        for bytes in &roll.statements {
            match Statement::from_bytes(bytes) {
                Ok(statement) => good.push(statement),
                Err(BadStatement::BadSignature) => self.foreign += 1,
                // Perhaps of a later version.
                Err(BadStatement::UnknownSuite | BadStatement::Damaged) => {}
            }
        }
        self.statements_asked = roll.statements.len();
        out.push(Effect::AddRoll(good));
    }

    fn roll_added(&mut self, new: usize, digest: [u8; 8], standing: Standing, out: &mut Vec<Effect>) {
        self.start.roll = digest;
        self.start.standing = standing;
        self.roll_due = false;
        if self.stale > limits::ROLL_STALE {
            return self.refuse(Refusal::Protocol, "roll statements without end", out);
        }
        if self.foreign > limits::ROLL_FOREIGN {
            return self.refuse(Refusal::Protocol, "too many roll statements of nobody", out);
        }
        if new > 0 {
            self.reason_to_ask();
        }
        if self.wish_due {
            return;
        }
        self.settle(out);
        if new > 0 {
            self.recheck(out);
        }
    }

    /// The rolls are exchanged: go on with a member, end with anyone else.
    fn settle(&mut self, out: &mut Vec<Effect>) {
        match self.start.standing {
            _ if !self.start.enrolled => self.close(out),
            Standing::Member if !self.peer_enrolled => {
                self.refuse(
                    Refusal::NotEnrolled,
                    "approved; the device has not confirmed the county yet",
                    out,
                );
            }
            Standing::Stranger => {
                self.refuse(
                    Refusal::NotEnrolled,
                    "this device is not enrolled in the county",
                    out,
                );
            }
            Standing::Revoked => self.refuse(Refusal::Revoked, "this device was revoked by the county", out),
            Standing::Member => {
                if self.phase == Phase::Opening {
                    self.phase = Phase::Pushing;
                }
                self.early_bytes = 0;
                for (piece, more) in std::mem::take(&mut self.early) {
                    self.piece(piece, more, out);
                }
                self.pump(out);
                self.compare_state(out);
            }
        }
    }

    fn bad_frame(&mut self, bad: BadFrame, out: &mut Vec<Effect>) {
        // A peer that came back with an older program: it has just said so, and the next session is right.
        let code = match bad {
            BadFrame::UnknownDictionary(_) => Refusal::Version,
            _ => Refusal::Protocol,
        };
        self.refuse(code, &bad.to_string(), out);
    }

    fn refuse(&mut self, code: Refusal, text: &str, out: &mut Vec<Effect>) {
        send(
            out,
            Frame::Refuse(Refuse {
                code,
                text: text.to_string(),
            }),
        );
        out.push(Effect::Notice(Notice::WeRefused(code, text.to_string())));
        self.close(out);
    }

    fn close(&mut self, out: &mut Vec<Effect>) {
        self.phase = Phase::Closed;
        out.push(Effect::Close);
    }
}

/// First 8 bytes of SHA-256 of a document key.
pub fn key_hash(key: &DocKey) -> [u8; 8] {
    use sha2::{Digest, Sha256};
    let mut out = [0; 8];
    out.copy_from_slice(&Sha256::digest(key.as_str())[..8]);
    out
}

fn send(out: &mut Vec<Effect>, frame: Frame) {
    out.push(Effect::Send(frame.encode()));
}

#[cfg(test)]
mod tests;
