//! Files that a peer is not asked for now: what it has not got, or may not give yet, for a while; what came from it in
//! pieces that do not fit, as long as the link lasts.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use sync::BlobName;

/// What a peer has not got may be on its way to it.
const FIRST: Duration = Duration::from_secs(30);
const LONGEST: Duration = Duration::from_secs(30 * 60);

#[derive(Default)]
pub(super) struct Passed {
    damaged: HashSet<BlobName>,
    /// From when on it is asked for again, and how long the wait was.
    absent: HashMap<BlobName, (Instant, Duration)>,
}

impl Passed {
    /// It came in pieces that do not fit.
    pub(super) fn damaged(&mut self, name: BlobName) {
        self.damaged.insert(name);
    }

    /// The peer said that there is nothing: each time it is left alone for twice as long.
    pub(super) fn absent(&mut self, name: BlobName, now: Instant) {
        let before = self.absent.get(&name).map(|(_, wait)| *wait);
        let wait = before.map_or(FIRST, |wait| (wait * 2).min(LONGEST));
        self.absent.insert(name, (now + wait, wait));
    }

    /// All that it is not asked for now.
    pub(super) fn names(&self, now: Instant) -> HashSet<BlobName> {
        let absent = self.absent.iter().filter(|(_, (again, _))| *again > now);
        self.damaged
            .iter()
            .chain(absent.map(|(name, _)| name))
            .copied()
            .collect()
    }

    /// When something may be asked for again.
    pub(super) fn again(&self, now: Instant) -> Option<Instant> {
        let times = self.absent.values().map(|(again, _)| *again);
        times.filter(|again| *again > now).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_absent_is_asked_for_again_and_what_is_damaged_never() {
        let (mut passed, begun) = (Passed::default(), Instant::now());
        let (late, broken) = (BlobName::of("快到了".as_bytes()), BlobName::of("坏了".as_bytes()));
        passed.absent(late, begun);
        passed.damaged(broken);
        assert_eq!(passed.names(begun), HashSet::from([late, broken]));
        assert_eq!(passed.again(begun), Some(begun + FIRST));
        let later = begun + FIRST;
        assert_eq!(passed.names(later), HashSet::from([broken]));
        assert_eq!(passed.again(later), None);
        passed.absent(late, later);
        assert_eq!(passed.again(later), Some(later + FIRST * 2));
        for _ in 0..20 {
            passed.absent(late, later);
        }
        assert_eq!(passed.again(later), Some(later + LONGEST));
    }
}
