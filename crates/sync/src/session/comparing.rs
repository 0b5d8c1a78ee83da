//! How two nodes find out that they are equal, and what they do when they are not: State and Check, digests,
//! vectors, and what is then missing. The other half of the state machine in `session.rs`.

use super::*;

impl Session {
    /// Whether State frames mean something to the peer.
    pub(super) fn quick(&self) -> bool {
        self.speaks.streams()
    }

    pub(super) fn ask_state(&mut self, out: &mut Vec<Effect>) {
        if !self.asked_summary && self.our_check.is_none() {
            self.asked_summary = true;
            self.summary_is_state = true;
            out.push(Effect::ReadSummary);
        }
    }

    /// The peer's State is here: compare it, unless we have more to say first.
    pub(super) fn compare_state(&mut self, out: &mut Vec<Effect>) {
        let silent = self.exhausted || self.acked.is_none();
        if self.their_state.is_some()
            && self.phase == Phase::Pushing
            && !self.slow
            && !self.roll_due
            && !self.wish_due
            && !self.reading
            && silent
        {
            self.ask_state(out);
        }
    }

    pub(super) fn our_state(&mut self, ours: Check, end: u64, unreceipted: bool, out: &mut Vec<Effect>) {
        let said = self.state_sent == Some(ours);
        let before = self.state_sent.is_some();
        let say = |session: &mut Session, out: &mut Vec<Effect>| {
            session.state_sent = Some(ours);
            session.writer.end();
            send(out, Frame::State(ours));
        };
        if self.their_state == Some(ours) && self.phase == Phase::Pushing {
            if !said {
                say(self, out);
            }
            return self.equal(end, unreceipted, out);
        }
        if !before && self.acked_or_guess() {
            say(self, out);
        } else if self.their_state.is_some() && self.phase == Phase::Pushing {
            self.slow = true;
        }
        self.pump(out);
    }

    pub(super) fn acked_or_guess(&self) -> bool {
        self.acked.is_some() || (self.phase == Phase::Opening && self.start.cursor.is_some())
    }

    pub(super) fn check_when_done(&mut self, out: &mut Vec<Effect>) {
        if self.phase != Phase::Closed && self.done_sent && self.done_seen && !self.is_live() {
            self.ask_summary(out);
        }
    }

    pub(super) fn ask_summary(&mut self, out: &mut Vec<Effect>) {
        if !self.asked_summary && self.our_check.is_none() {
            self.asked_summary = true;
            out.push(Effect::ReadSummary);
        }
    }

    /// Something has changed: the peer may ask again how we stand.
    pub(super) fn reason_to_ask(&mut self) {
        self.questions = self.questions.saturating_sub(limits::QUESTIONS_PER_REASON);
    }

    /// After a change of the roll readers and writers may have changed: compare again.
    pub(super) fn recheck(&mut self, out: &mut Vec<Effect>) {
        if self.phase == Phase::Live {
            self.rounds = 0;
            self.ask_summary(out);
        }
    }

    pub(super) fn compare(&mut self, out: &mut Vec<Effect>) {
        let (Some((ours, end, unreceipted)), Some(theirs)) = (self.our_check, self.their_check) else {
            return;
        };
        self.our_check = None;
        self.their_check = None;
        if ours == theirs {
            return self.equal(end, unreceipted, out);
        }
        if self.compared.replace((ours, theirs)) == Some((ours, theirs)) {
            self.rounds += 1;
        }
        if self.rounds >= limits::CHECK_ROUNDS {
            // One document that cannot be made equal (its author is quarantined on one side) must not hold
            // up what comes next.
            out.push(Effect::Notice(Notice::StillDifferent));
            self.phase = Phase::Live;
            self.done_sent = true;
            self.begin_cursor(end, out);
            self.unreceipted |= unreceipted;
            self.want_receipts(out);
            return self.pump(out);
        }
        self.phase = Phase::Pushing;
        self.slow = true;
        self.done_sent = false;
        self.done_seen = false;
        self.negotiating = true;
        // With different rolls the two sides mean different documents: rolls first, then a new check. Rolls
        // that stay different (a statement that one side cannot read) must not keep the documents back.
        let in_vain = self.start.initiator && self.rounds > 1;
        if ours.roll != theirs.roll && !in_vain {
            out.push(Effect::ReadRoll { stranger: false });
        } else if self.start.initiator {
            out.push(Effect::ReadDigests);
        }
    }

    pub(super) fn equal(&mut self, end: u64, unreceipted: bool, out: &mut Vec<Effect>) {
        self.phase = Phase::Live;
        self.rounds = 0;
        (self.slow, self.state_sent, self.their_state) = (false, None, None);
        self.done_sent = true;
        self.begin_cursor(end, out);
        out.push(Effect::InSync);
        self.unreceipted |= unreceipted;
        self.want_receipts(out);
        self.pump(out);
    }

    /// One question at a time: what comes before its answer waits for the next.
    pub(super) fn want_receipts(&mut self, out: &mut Vec<Effect>) {
        if !self.receipts_due && std::mem::take(&mut self.unreceipted) {
            self.receipts_due = true;
            send(out, Frame::WantReceipts);
        }
    }

    /// Without a cursor of the peer's store the check has brought it up to our local sequence `end`.
    pub(super) fn begin_cursor(&mut self, end: u64, out: &mut Vec<Effect>) {
        if let (None, Some(store)) = (self.acked, self.peer_store) {
            self.acked = Some(end);
            self.sent = end;
            self.exhausted = false;
            out.push(Effect::SetCursor { store, upto: end });
        }
    }

    pub(super) fn their_vectors_came(&mut self, theirs: Vectors, out: &mut Vec<Effect>) {
        if theirs.answer {
            let mut keys: Vec<[u8; 8]> = theirs.vectors.iter().map(|v| key_hash(&v.document)).collect();
            keys.extend(&theirs.absent);
            self.vectors_first = false;
            self.their_vectors = Some(theirs);
            out.push(Effect::ReadVectors(keys));
        } else {
            self.push_missing(theirs.vectors, out);
        }
    }

    /// Our vectors are read. Who compared sends them first; the other one knows the peer's then: it answers with
    /// its own (an empty one for a document that it lacks) and pushes what the peer lacks.
    pub(super) fn vectors(&mut self, mut ours: Vec<Vector>, absent: Vec<[u8; 8]>, out: &mut Vec<Effect>) {
        let Some(mut theirs) = self.their_vectors.take() else {
            return;
        };
        if self.vectors_first {
            within_a_frame(&mut ours);
            return send(
                out,
                Frame::Vectors(Vectors {
                    absent,
                    vectors: ours,
                    answer: true,
                }),
            );
        }
        // What does not fit is left for the next round, on both sides alike.
        within_a_frame(&mut ours);
        let fits: HashSet<&DocKey> = ours.iter().map(|v| &v.document).collect();
        let absent: HashSet<[u8; 8]> = absent.into_iter().collect();
        theirs
            .vectors
            .retain(|v| fits.contains(&v.document) || absent.contains(&key_hash(&v.document)));
        // In the order of `list`, so that what either caller put first goes out first.
        let fill = |list: &[Vector], from: &[Vector]| -> Vec<Vector> {
            let from: HashMap<&DocKey, &Vec<(ActorId, u64)>> =
                from.iter().map(|v| (&v.document, &v.actors)).collect();
            list.iter()
                .map(|v| Vector {
                    actors: from.get(&v.document).map(|a| a.to_vec()).unwrap_or_default(),
                    document: v.document.clone(),
                })
                .collect()
        };
        let answer = fill(&theirs.vectors, &ours);
        send(
            out,
            Frame::Vectors(Vectors {
                absent: Vec::new(),
                vectors: answer,
                answer: false,
            }),
        );
        self.push_missing(fill(&ours, &theirs.vectors), out);
    }

    pub(super) fn push_missing(&mut self, peer_has: Vec<Vector>, out: &mut Vec<Effect>) {
        self.repair = peer_has.into_iter().map(|v| (v.document, v.actors)).collect();
        self.repair_after = 0;
        self.negotiating = false;
        self.pump(out);
    }

    /// What the peer's store already holds of what we sent, where the answer was lost.
    pub(super) fn heard_of(&mut self, have: Option<(StoreId, u64)>, out: &mut Vec<Effect>) {
        let Some((_, upto)) = have.filter(|(store, _)| *store == self.start.store) else {
            return;
        };
        if upto > self.start.last {
            return out.push(Effect::Notice(Notice::SetBack));
        }
        if self.acked.is_some_and(|acked| acked < upto) {
            self.acked = Some(upto);
            self.sent = self.sent.max(upto);
            out.push(Effect::Acknowledged {
                upto: Some(upto),
                pieces: 0,
                receipts: Vec::new(),
                verdicts: Vec::new(),
            });
        }
    }
}

/// Leaves out the vectors that would make the frame too long.
fn within_a_frame(vectors: &mut Vec<Vector>) {
    let mut room = limits::VECTORS_ACTORS;
    vectors.retain(|v| {
        let fits = v.actors.len() <= room;
        room -= if fits { v.actors.len() } else { 0 };
        fits
    });
}
