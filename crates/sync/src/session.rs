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

use std::collections::{BTreeMap, HashSet, VecDeque};

use crate::admission::{Fault, Offered, Verdict};
use crate::document::{ChangeHash, DocKey};
use crate::identity::{ActorId, StoreId};
use crate::limits;
use crate::roll::{BadStatement, Statement};
use crate::tip::{Receipt, receipt_bytes};
use crate::wire::stream::{Reader, Writer};
use crate::wire::{
    Ack, BadFrame, Check, Enrol, Frame, Hello, More, Piece, Refusal, Refuse, RollFrame, Speaks, StreamPart,
    VERSION, Vector, Vectors,
};

mod comparing;
mod digests;
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
        Session {
            start,
            phase: Phase::Opening,
            peer_store: None,
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

    /// Whether nothing of ours is unread, unsent or unanswered.
    pub fn is_settled(&self) -> bool {
        self.is_live() && self.window.is_empty() && !self.reading && (self.exhausted || self.acked.is_none())
    }

    /// Whether a stream of pieces is open to the peer, with a few megabytes of context.
    pub fn is_streaming(&self) -> bool {
        self.writer.is_open()
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
            Event::Admitted { receipts, verdicts } => self.admitted(receipts, verdicts, &mut out),
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
        self.roll_due = hello.roll != self.start.roll;
        if self.roll_due {
            out.push(Effect::ReadRoll {
                stranger: self.start.standing != Standing::Member,
            });
        } else if !self.wish_due {
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

    fn streamed(&mut self, part: &StreamPart, base: &[Offered], out: &mut Vec<Effect>) {
        if self.baseless {
            // We were set back since the peer heard from us. Its window must not wait for an answer.
            self.passed_over = true;
            return self.answer(None, 1, Vec::new(), Vec::new(), out);
        }
        match self.reader.read(part, base) {
            Ok(piece) => self.piece(piece, part.more, out),
            Err(bad) => self.bad_frame(bad, out),
        }
    }

    fn piece(&mut self, mut piece: Piece, more: bool, out: &mut Vec<Effect>) {
        if self.passed_over {
            piece.upto = None;
        }
        if self.roll_due || self.wish_due {
            // What holds a change in memory counts too, or empty ones would cost nothing.
            let held = |c: &Offered| c.body.len() + c.document.as_str().len() + size_of::<Offered>();
            self.early_bytes += piece.changes.iter().map(held).sum::<usize>();
            self.early.push((piece, more));
            if self.early_bytes > limits::EARLY_BYTES || self.early.len() > limits::PIECES_IN_FLIGHT {
                self.refuse(Refusal::Protocol, "too much before the rolls were equal", out);
            }
            return;
        }
        if self.start.standing != Standing::Member {
            return;
        }
        self.admitting.push_back((piece.upto, more));
        out.push(Effect::Admit {
            changes: piece.changes,
            upto: piece.upto,
        });
    }

    /// A piece is stored and may be answered. While more pieces follow, the signed receipts wait for one
    /// another; the plain answer, which moves the sender's cursor and window, does not.
    fn admitted(
        &mut self,
        receipts: Vec<Receipt>,
        verdicts: Vec<(DocKey, ChangeHash, Verdict)>,
        out: &mut Vec<Effect>,
    ) {
        if !receipts.is_empty() {
            self.reason_to_ask();
        }
        let (upto, more) = self.admitting.pop_front().unwrap_or_default();
        for receipt in receipts {
            let same = |r: &&mut Receipt| r.document == receipt.document && r.actor == receipt.actor;
            match self.owed.iter_mut().find(same) {
                Some(r) if r.seq <= receipt.seq => *r = receipt,
                Some(_) => {}
                None => self.owed.push(receipt),
            }
        }
        self.owed_pieces += 1;
        let wait = more && self.owed_pieces < limits::RECEIPTS_EVERY && self.owed.len() < limits::VECTORS;
        let receipts = match wait {
            true => Vec::new(),
            false => self.take_owed(),
        };
        self.answer(upto, 1, receipts, verdicts, out);
    }

    fn take_owed(&mut self) -> Vec<Receipt> {
        self.owed_pieces = 0;
        std::mem::take(&mut self.owed)
    }

    fn flush_receipts(&mut self, out: &mut Vec<Effect>) {
        if !self.owed.is_empty() {
            let receipts = self.take_owed();
            self.answer(None, 0, receipts, Vec::new(), out);
        }
    }

    fn answer(
        &mut self,
        upto: Option<u64>,
        pieces: u8,
        receipts: Vec<Receipt>,
        verdicts: Vec<(DocKey, ChangeHash, Verdict)>,
        out: &mut Vec<Effect>,
    ) {
        let signature = if receipts.is_empty() {
            Vec::new()
        } else {
            self.start
                .key
                .sign(&receipt_bytes(&self.start.store, &receipts))
                .to_vec()
        };
        send(
            out,
            Frame::Ack(Ack {
                upto,
                pieces,
                receipts,
                verdicts,
                signature,
            }),
        );
    }

    fn ack(&mut self, ack: Ack, out: &mut Vec<Effect>) {
        let Some(store) = self.peer_store else { return };
        if usize::from(ack.pieces) > self.window.len() || ack.upto.is_some_and(|u| u > self.sent) {
            return self.refuse(Refusal::Protocol, "an answer to a piece that was not sent", out);
        }
        self.window.answered(usize::from(ack.pieces), self.now);
        let signed = ack.receipts.is_empty()
            || <[u8; 64]>::try_from(ack.signature.as_slice())
                .is_ok_and(|s| self.start.peer.verify(&receipt_bytes(&store, &ack.receipts), &s));
        if !signed {
            out.push(Effect::Notice(Notice::BadReceipt));
            return self.refuse(Refusal::Protocol, "a receipt with a wrong signature", out);
        }
        // A cursor about a store that is gone means nothing; its receipts are about the present one.
        let upto = ack.upto.filter(|u| self.acked.is_some_and(|a| *u > a));
        if let Some(u) = upto {
            self.acked = Some(u);
        }
        // Two branches of one actor have met: the repair shows each side the other's.
        let forked = |v: &(DocKey, ChangeHash, Verdict)| v.2 == Verdict::Quarantined(Fault::Equivocation);
        let forked = ack.pieces > 0 && ack.verdicts.iter().any(forked);
        out.push(Effect::Acknowledged {
            upto,
            receipts: ack.receipts,
            verdicts: ack.verdicts,
        });
        if forked {
            self.recheck(out);
        }
        self.pump(out);
    }

    /// Reads and sends as long as the window allows; says Done when all is answered.
    fn pump(&mut self, out: &mut Vec<Effect>) {
        let guessed = self.phase == Phase::Opening
            && self.start.initiator
            && self.peer_store.is_none()
            && self.start.announced.1 <= limits::FIRST_FLIGHT;
        let ready = matches!(self.phase, Phase::Pushing | Phase::Live);
        if self.start.standing != Standing::Member || !self.start.enrolled || !(ready || guessed) {
            return;
        }
        if self.reading || !self.window.is_open() {
            return;
        }
        let known = if guessed {
            self.start.cursor.is_some()
        } else {
            self.acked.is_some()
        };
        if let Some((document, have)) = self.repair.front().filter(|_| ready) {
            self.reading = true;
            out.push(Effect::ReadOutgoing {
                source: Source::Missing {
                    document: document.clone(),
                    have: have.clone(),
                    after: self.repair_after,
                },
                base: false,
            });
        } else if known && !self.exhausted {
            self.reading = true;
            out.push(Effect::ReadOutgoing {
                source: Source::Since(self.sent),
                base: self.speaks.bases() && !self.writer.is_open(),
            });
        } else if known && !self.slow && self.phase != Phase::Live && !self.negotiating && self.quick() {
            if self.state_sent.is_none() && !self.state_due && (ready || self.opens_with_state()) {
                self.ask_state(out);
            }
        } else if ready && self.window.is_empty() && !self.done_sent && !self.negotiating {
            self.done_sent = true;
            self.writer.end();
            send(out, Frame::Done);
            self.check_when_done(out);
        }
    }

    fn outgoing(&mut self, outgoing: Outgoing, out: &mut Vec<Effect>) {
        self.reading = false;
        let repairing = !self.repair.is_empty() && matches!(self.phase, Phase::Pushing | Phase::Live);
        let upto = if repairing {
            self.repair_after = outgoing.upto;
            if !outgoing.more {
                self.repair.pop_front();
                self.repair_after = 0;
            }
            None
        } else {
            self.sent = self.sent.max(outgoing.upto);
            self.exhausted = !outgoing.more;
            Some(self.sent)
        };
        if !outgoing.changes.is_empty() {
            self.reason_to_ask();
            let more = outgoing.more || (repairing && !self.repair.is_empty());
            let alone = outgoing.alone && more && !self.writer.is_open();
            self.send_piece(
                Piece {
                    upto,
                    changes: outgoing.changes,
                },
                more,
                (!alone).then_some(&outgoing.base),
                out,
            );
        } else if let (Some(upto), Some(acked), Some(store), true) =
            (upto, self.acked, self.peer_store, self.window.is_empty())
            && upto > acked
        {
            // Only changes that the peer may not read: nothing to acknowledge.
            self.acked = Some(upto);
            out.push(Effect::SetCursor { store, upto });
        }
        self.pump(out);
        self.compare_state(out);
    }

    /// `base`: what the peer has of before; `None`: no stream.
    fn send_piece(&mut self, piece: Piece, more: bool, base: Option<&Vec<Offered>>, out: &mut Vec<Effect>) {
        let streamed = base
            .filter(|_| self.speaks.streams())
            .and_then(|base| self.writer.write(&piece, more, self.speaks.dictionary, base));
        let bytes = match streamed {
            Some(part) => Frame::Streamed(part),
            None => Frame::Piece(piece),
        }
        .encode();
        self.window.sent(bytes.len(), self.now);
        out.push(Effect::Send(bytes));
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
