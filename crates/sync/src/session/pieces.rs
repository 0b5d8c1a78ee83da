//! Pieces out and in: what is read and sent, admitted and answered.

use super::{Effect, Notice, Outgoing, Phase, Session, Source, Standing, send};
use crate::admission::{Fault, Offered, Verdict};
use crate::document::{ChangeHash, DocKey};
use crate::limits;
use crate::tip::{Receipt, receipt_bytes};
use crate::wire::{Ack, Frame, Piece, Refusal, StreamPart};

impl Session {
    pub(super) fn streamed(&mut self, part: &StreamPart, base: &[Offered], out: &mut Vec<Effect>) {
        if self.baseless {
            // We were set back since the peer heard from us. Its window must not wait for an answer.
            self.passed_over = true;
            self.answer(None, 1, Vec::new(), Vec::new(), out);
            return self.recheck(out);
        }
        match self.reader.read(part, base) {
            Ok(piece) => self.piece(piece, part.more, out),
            Err(bad) => self.bad_frame(bad, out),
        }
    }

    pub(super) fn piece(&mut self, mut piece: Piece, more: bool, out: &mut Vec<Effect>) {
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
    pub(super) fn admitted(
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
        // Otherwise the comparison at the end asks.
        if self.phase == Phase::Live && !more {
            self.want_receipts(out);
        }
    }

    pub(super) fn take_owed(&mut self) -> Vec<Receipt> {
        self.owed_pieces = 0;
        std::mem::take(&mut self.owed)
    }

    pub(super) fn flush_receipts(&mut self, out: &mut Vec<Effect>) {
        if !self.owed.is_empty() {
            let receipts = self.take_owed();
            self.answer(None, 0, receipts, Vec::new(), out);
        }
    }

    pub(super) fn answer(
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

    pub(super) fn ack(&mut self, ack: Ack, out: &mut Vec<Effect>) {
        let Some(store) = self.peer_store else { return };
        if usize::from(ack.pieces) > self.window.len() || ack.upto.is_some_and(|u| u > self.sent) {
            return self.refuse(Refusal::Protocol, "an answer to a piece that was not sent", out);
        }
        self.window.answered(usize::from(ack.pieces), self.now);
        self.receipts_due &= ack.pieces > 0 || ack.receipts.len() == limits::RECEIPTS;
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
            pieces: ack.pieces,
            receipts: ack.receipts,
            verdicts: ack.verdicts,
        });
        if forked {
            self.recheck(out);
        }
        if self.phase == Phase::Live {
            self.want_receipts(out);
        }
        self.pump(out);
    }

    /// Reads and sends as long as the window allows; says Done when all is answered.
    pub(super) fn pump(&mut self, out: &mut Vec<Effect>) {
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
                last: self.repair.len() == 1,
            });
        } else if known && !self.exhausted {
            self.reading = true;
            out.push(Effect::ReadOutgoing {
                source: Source::Since(self.sent),
                base: self.speaks.bases() && !self.writer.is_open(),
                last: true,
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

    pub(super) fn outgoing(&mut self, outgoing: Outgoing, out: &mut Vec<Effect>) {
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
    pub(super) fn send_piece(
        &mut self,
        piece: Piece,
        more: bool,
        base: Option<&Vec<Offered>>,
        out: &mut Vec<Effect>,
    ) {
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
}
