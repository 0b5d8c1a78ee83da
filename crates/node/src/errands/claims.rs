//! Which blobs are being fetched, so that no two links fetch one; unless the link that does stands still, for then another
//! may have it sooner, or leads to the same peer, who has come back on a new one. Pure: time comes in.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use sync::{BlobName, NodeId};

/// A link on which nothing of what it fetches has come for so long has no claim any more. At 10 kbit/s a group takes 13
/// seconds.
pub(super) const STANDS_STILL: Duration = Duration::from_secs(30);

/// What all links of a node fetch.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    held: HashMap<BlobName, Held>,
    last: u64,
}

/// One of the links to a peer; a later one has the greater number.
#[derive(Clone, Copy, Debug)]
pub(super) struct To {
    pub(super) peer: NodeId,
    pub(super) number: u64,
}

/// By which fetch, on which link, and when something of it came last.
#[derive(Debug)]
struct Held {
    by: u64,
    on: To,
    came: Instant,
}

impl Held {
    /// Whether a fetch on this link may take it over.
    fn is_free(&self, on: To, now: Instant) -> bool {
        let came_back = self.on.peer == on.peer && self.on.number < on.number;
        came_back || now.saturating_duration_since(self.came) >= STANDS_STILL
    }
}

impl Claims {
    /// A link begins.
    pub(super) fn link(&mut self, peer: NodeId) -> To {
        let number = self.begin();
        To { peer, number }
    }

    /// A number for one fetch.
    pub(super) fn begin(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// Claims a blob; `false` if another link has it and goes on.
    pub(super) fn take(&mut self, by: u64, on: To, name: BlobName, now: Instant) -> bool {
        let free = self.held.get(&name).is_none_or(|held| held.is_free(on, now));
        if free {
            self.held.insert(name, Held { by, on, came: now });
        }
        free
    }

    /// Something of this blob has come; `false` if another fetch has taken it over. What else is asked for with it waits
    /// its turn, and stays claimed.
    pub(super) fn go_on(&mut self, fetch: u64, name: &BlobName, now: Instant) -> bool {
        let of_it = self.held.values_mut().filter(|held| held.by == fetch);
        of_it.for_each(|held| held.came = now);
        self.held.get(name).is_some_and(|held| held.by == fetch)
    }

    /// A fetch is over.
    pub(super) fn end(&mut self, fetch: u64) {
        self.held.retain(|_, held| held.by != fetch);
    }

    /// What a fetch on this link may not have now, or has already.
    pub(super) fn held(&self, on: To, now: Instant) -> HashSet<BlobName> {
        let going_on = self.held.iter().filter(|(_, held)| !held.is_free(on, now));
        going_on.map(|(name, _)| *name).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fetch_that_stands_still_keeps_a_blob_from_nobody() {
        let (mut claims, begun) = (Claims::default(), Instant::now());
        let later = |seconds| begun + Duration::from_secs(seconds);
        let [one, two] = [b"1", b"2"].map(|b| BlobName::of(b));
        let [near, far] = [1, 2].map(|n| claims.link(NodeId([n; 32])));
        let (slow, quick) = (claims.begin(), claims.begin());
        assert!(claims.take(slow, far, one, begun) && claims.take(slow, far, two, begun));
        assert!(!claims.take(quick, near, one, later(29)));
        // What comes of one keeps the other, which is behind it on the stream.
        assert!(claims.go_on(slow, &one, later(29)));
        assert_eq!(claims.held(near, later(50)).len(), 2);
        assert!(!claims.take(quick, near, two, later(58)));
        assert!(claims.held(near, later(59)).is_empty());
        assert!(claims.take(quick, near, two, later(59)));
        assert!(!claims.go_on(slow, &two, later(60)), "it has been taken over");
        assert!(claims.go_on(slow, &one, later(60)), "and the other has not");
        claims.end(slow);
        assert_eq!(claims.held(far, later(61)), HashSet::from([two]));
        claims.end(quick);
        assert!(claims.held(far, begun).is_empty());
    }

    #[test]
    fn who_comes_back_on_a_new_link_is_asked_at_once_for_what_the_old_one_had_begun() {
        let (mut claims, now) = (Claims::default(), Instant::now());
        let [photo, other] = [b"1", b"2"].map(|b| BlobName::of(b));
        let [old, another, new] = [1, 2, 1].map(|n| claims.link(NodeId([n; 32])));
        let [first, second, third] = [(); 3].map(|()| claims.begin());
        assert!(claims.take(first, old, photo, now) && claims.take(second, another, other, now));
        assert_eq!(claims.held(new, now), HashSet::from([other]));
        assert!(claims.take(third, new, photo, now));
        // The old link does not take it back, what still comes on it is not kept, and its end takes nothing away.
        let again = claims.begin();
        assert!(!claims.take(again, old, photo, now));
        assert!(!claims.go_on(first, &photo, now));
        claims.end(first);
        assert!(claims.go_on(third, &photo, now));
    }
}
