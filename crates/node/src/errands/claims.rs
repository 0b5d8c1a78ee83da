//! Which blobs are being fetched, so that no two links fetch one; unless the link that does stands still, for then another
//! may have it sooner. Pure: time comes in.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use sync::BlobName;

/// A link on which nothing of what it fetches has come for so long has no claim any more. At 10 kbit/s a group takes 13
/// seconds.
pub(super) const STANDS_STILL: Duration = Duration::from_secs(30);

/// What all links of a node fetch.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    /// By which fetch, and when something of it came last.
    held: HashMap<BlobName, (u64, Instant)>,
    last: u64,
}

impl Claims {
    /// A number for one fetch.
    pub(super) fn begin(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// Claims a blob; `false` if another fetch has it and goes on.
    pub(super) fn take(&mut self, fetch: u64, name: BlobName, now: Instant) -> bool {
        let free = self
            .held
            .get(&name)
            .is_none_or(|(_, came)| stands_still(*came, now));
        if free {
            self.held.insert(name, (fetch, now));
        }
        free
    }

    /// Something of this blob has come; `false` if another fetch has taken it over. What else is asked for with it waits
    /// its turn, and stays claimed.
    pub(super) fn go_on(&mut self, fetch: u64, name: &BlobName, now: Instant) -> bool {
        let of_it = self.held.values_mut().filter(|(by, _)| *by == fetch);
        of_it.for_each(|(_, came)| *came = now);
        self.held.get(name).is_some_and(|(by, _)| *by == fetch)
    }

    /// A fetch is over.
    pub(super) fn end(&mut self, fetch: u64) {
        self.held.retain(|_, (by, _)| *by != fetch);
    }

    /// What no other fetch may have now.
    pub(super) fn held(&self, now: Instant) -> HashSet<BlobName> {
        let going_on = self
            .held
            .iter()
            .filter(|(_, (_, came))| !stands_still(*came, now));
        going_on.map(|(name, _)| *name).collect()
    }
}

fn stands_still(came: Instant, now: Instant) -> bool {
    now.saturating_duration_since(came) >= STANDS_STILL
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fetch_that_stands_still_keeps_a_blob_from_nobody() {
        let (mut claims, begun) = (Claims::default(), Instant::now());
        let later = |seconds| begun + Duration::from_secs(seconds);
        let [one, two] = [b"1", b"2"].map(|b| BlobName::of(b));
        let (slow, quick) = (claims.begin(), claims.begin());
        assert!(claims.take(slow, one, begun) && claims.take(slow, two, begun));
        assert!(!claims.take(quick, one, later(29)));
        // What comes of one keeps the other, which is behind it on the stream.
        assert!(claims.go_on(slow, &one, later(29)));
        assert_eq!(claims.held(later(50)).len(), 2);
        assert!(!claims.take(quick, two, later(58)));
        assert!(claims.held(later(59)).is_empty());
        assert!(claims.take(quick, two, later(59)));
        assert!(!claims.go_on(slow, &two, later(60)), "it has been taken over");
        assert!(claims.go_on(slow, &one, later(60)), "and the other has not");
        claims.end(slow);
        assert_eq!(claims.held(later(61)), HashSet::from([two]));
        claims.end(quick);
        assert!(claims.held(begun).is_empty());
    }
}
