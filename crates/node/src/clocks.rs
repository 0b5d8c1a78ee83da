//! What a node says of clocks, its own and others'. Nothing is refused or ordered by a clock (design.md §4); a
//! wrong one is shown, because people read the dates.

use sync::NodeId;

use crate::{Error, Node};

/// When this version was made, 2026-11-01 (unix seconds): a clock before it stands wrong. Moved at each release.
pub const MADE: i64 = 1_793_491_200;

/// When the first version was made: a time noted before it came of a clock that stood wrong. Not moved, or a new release
/// would disbelieve what the one before it has noted.
pub(crate) const FIRST: i64 = 1_793_491_200;

/// Whether a machine's clock that once said this (unix seconds) can have been right.
pub(crate) fn can_have_been(at: i64) -> bool {
    at >= FIRST
}

/// Seconds from one time to another by machines' clocks; `None` where nothing can be said: one of them cannot be right
/// (a battery is dead, and the computer begins in 1970 or 2000 until somebody sets it), or `now` lies before `at`.
pub(crate) fn between(at: i64, now: i64) -> Option<i64> {
    let plausible = can_have_been(at) && now >= MADE;
    (plausible && now >= at).then(|| now.saturating_sub(at))
}

/// Clocks of two nodes that differ by more are worth a word.
const APART: i64 = 24 * 3600;

impl Node {
    /// This node's clock, unix seconds.
    pub fn clock(&self) -> i64 {
        self.now()
    }

    /// Whether this node's clock can be right.
    pub fn clock_is_plausible(&self) -> bool {
        self.now() >= MADE
    }

    /// Whether a record with this id was made on a computer with a wrong clock, as far as this one can tell.
    pub fn made_by_wrong_clock(&self, id: &str) -> bool {
        records::wrong_clock(id, Some(self.now()).filter(|_| self.clock_is_plausible()))
    }

    /// Tells the operator of a device whose date differs from ours.
    pub(crate) fn compare_clocks(&self, peer: &NodeId, theirs: i64) -> Result<(), Error> {
        let apart = theirs.saturating_sub(self.now());
        if apart.saturating_abs() > APART {
            // In days, so that the next contact counts the same event again.
            let days = format!("{:+} 天 d", apart / APART);
            self.note_event("clock-differs", Some(peer), "", &days)?;
        }
        Ok(())
    }
}
