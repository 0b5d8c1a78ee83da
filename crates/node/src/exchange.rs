//! What a contact with another node moved, for the people at both screens: `36 条 · 12 KB · 约 4 秒`.
//!
//! Both sides count the same things and so show the same numbers once both are equal: changes in pieces that were
//! committed at the receiver, and the bytes of their bodies. The receiver counts when it has committed, the sender when
//! the answer has come; what a cut link swallowed counts on neither side. It is one link's sum, kept in memory only: the
//! last contact that moved anything, for each device of the county.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use sync::NodeId;
use sync::admission::Offered;

use crate::Node;

/// What one contact moved.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Exchange {
    /// Changes that came.
    pub got: u64,
    /// Their bytes.
    pub got_bytes: u64,
    /// Changes that went and were answered.
    pub sent: u64,
    /// Their bytes.
    pub sent_bytes: u64,
    /// From the beginning of the contact to the last of them, in milliseconds.
    pub millis: u64,
    /// Unix seconds of the last of them.
    pub at: i64,
}

impl Exchange {
    /// Changes both ways.
    pub fn changes(&self) -> u64 {
        self.got.saturating_add(self.sent)
    }

    /// Bytes both ways.
    pub fn bytes(&self) -> u64 {
        self.got_bytes.saturating_add(self.sent_bytes)
    }
}

/// Counts for one conversation.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    sum: Exchange,
    /// Pieces that no answer has come to, oldest first: the session holds few of them.
    on_the_way: VecDeque<(u64, u64)>,
}

impl Tally {
    /// A piece goes out.
    pub fn goes(&mut self, changes: &[Offered]) {
        if !changes.is_empty() {
            self.on_the_way.push_back(size(changes));
        }
    }

    /// So many pieces were answered; whether that counted anything.
    pub fn answered(&mut self, pieces: u8) -> bool {
        let before = self.sum.sent;
        for _ in 0..pieces {
            let (changes, bytes) = self.on_the_way.pop_front().unwrap_or_default();
            self.sum.sent = self.sum.sent.saturating_add(changes);
            self.sum.sent_bytes = self.sum.sent_bytes.saturating_add(bytes);
        }
        self.sum.sent > before
    }

    /// A piece was committed here.
    pub fn came(&mut self, changes: &[Offered]) {
        let (changes, bytes) = size(changes);
        self.sum.got = self.sum.got.saturating_add(changes);
        self.sum.got_bytes = self.sum.got_bytes.saturating_add(bytes);
    }
}

fn size(changes: &[Offered]) -> (u64, u64) {
    let bytes = changes.iter().map(|o| o.body.len() as u64).sum();
    (changes.len() as u64, bytes)
}

/// What a running node remembers of contacts.
#[derive(Debug, Default)]
pub(crate) struct Contacts {
    last: Mutex<HashMap<NodeId, Exchange>>,
}

impl Node {
    /// What the last contact with a device moved, if any did since the program was started.
    pub fn last_exchange(&self, peer: &NodeId) -> Option<Exchange> {
        let last = self.0.contacts.last.lock();
        last.unwrap_or_else(PoisonError::into_inner).get(peer).copied()
    }

    /// Keeps what a conversation has moved so far. Only devices of the county: strangers are without number.
    pub(crate) fn keep_exchange(&self, peer: &NodeId, tally: &mut Tally, begun: u64) {
        tally.sum.millis = self.uptime().saturating_sub(begun);
        tally.sum.at = self.now();
        if self.roll().is_member(peer) {
            let mut last = self
                .0
                .contacts
                .last
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            last.insert(*peer, tally.sum);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sync::DocKey;

    fn offered(bytes: usize) -> Offered {
        Offered {
            document: DocKey::parse("log/s/2025").unwrap(),
            body: vec![0; bytes],
            tip: None,
        }
    }

    #[test]
    fn what_was_not_answered_counts_on_neither_side() {
        let (mut sender, mut receiver) = (Tally::default(), Tally::default());
        let pieces = [vec![offered(100), offered(50)], vec![offered(7)]];
        for piece in &pieces {
            sender.goes(piece);
        }
        sender.goes(&[]);
        assert!(!sender.answered(0));
        receiver.came(&pieces[0]);
        assert!(sender.answered(1));
        // The second was cut off.
        assert_eq!((sender.sum.sent, sender.sum.sent_bytes), (2, 150));
        assert_eq!((receiver.sum.got, receiver.sum.got_bytes), (2, 150));
        // An answer to what was never sent adds nothing.
        assert!(sender.answered(1) && !sender.answered(9));
        assert_eq!((sender.sum.changes(), sender.sum.bytes()), (3, 157));
    }
}
