//! Whom a sealed bundle may be handed to, so that it does not go over every link of the county: whoever has a reason to
//! see its recipient; and of a small one a few copies besides (`mail::COPIES`).

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Instant;

use sync::{NodeId, Roll};

use super::{ANSWER_AFTER, MAIL_APART, first};
use crate::{Error, Node, Role, clocks, office};

/// The largest that is handed to somebody without a reason: a term's records of a small school, half a minute of 2G.
pub(super) const SMALL: u64 = 256 * 1024;

/// Who was met so short ago will be met again: seconds.
const LATELY: i64 = 60 * 86_400;

/// Devices that are named as met, those met last first: half a kilobyte, once a link.
const NAMED: usize = 64;

/// The devices that this node has met lately, for others to judge what to give it. A county office need not say:
/// everything may go there.
pub(super) fn meets(node: &Node) -> Result<Vec<[u8; 8]>, Error> {
    if node.is_county() {
        return Ok(Vec::new());
    }
    let now = node.now();
    let mut met = node.read(store::peers::list)?;
    met.retain(|peer| peer.in_sync_at.is_some_and(|at| lately(at, now)));
    met.sort_by_key(|peer| std::cmp::Reverse(peer.in_sync_at));
    Ok(met.iter().take(NAMED).map(|peer| first(&peer.node.0)).collect())
}

/// Whether a meeting was so short ago. One that a clock has dated that stood wrong may be of any day; one that lies ahead
/// was noted before the clock was set back.
fn lately(at: i64, now: i64) -> bool {
    clocks::can_have_been(at) && now.saturating_sub(at) <= LATELY
}

/// Whom one peer was told that we meet, on one link. It is told again when that has changed, each time after a longer
/// pause.
#[derive(Default)]
pub(super) struct Introduction {
    said: Option<(BTreeSet<[u8; 8]>, Instant)>,
    times: usize,
}

impl Introduction {
    /// When it should be told again; `None` while there is nothing new.
    pub(super) fn due(&self, peer: &NodeId, meets: &[[u8; 8]]) -> Option<Instant> {
        let (said, at) = self.said.as_ref()?;
        let pause = ANSWER_AFTER.get(self.times - 1).copied().unwrap_or(MAIL_APART);
        (*said != others(peer, meets)).then(|| *at + pause)
    }

    /// What it is told now: all of them, or nothing if it has heard that.
    pub(super) fn say(&mut self, peer: &NodeId, meets: &[[u8; 8]], now: Instant) -> Vec<[u8; 8]> {
        let set = others(peer, meets);
        if self.said.as_ref().is_some_and(|(said, _)| *said == set) {
            return Vec::new();
        }
        self.said = Some((set, now));
        self.times += 1;
        meets.to_vec()
    }
}

/// Without the peer itself, who knows that it is met; in whatever order they were met.
fn others(peer: &NodeId, meets: &[[u8; 8]]) -> BTreeSet<[u8; 8]> {
    let itself = first(&peer.0);
    meets.iter().copied().filter(|one| *one != itself).collect()
}

/// What is known of a carrier.
pub(super) struct Carrier<'n> {
    node: &'n Node,
    roll: std::sync::Arc<Roll>,
    carrier: NodeId,
    meets: HashSet<[u8; 8]>,
    /// Areas of schools, as far as they were asked for.
    areas: HashMap<String, Option<String>>,
}

impl<'n> Carrier<'n> {
    /// A device, and those whom it says that it meets.
    pub(super) fn new(node: &'n Node, carrier: NodeId, meets: &[[u8; 8]]) -> Carrier<'n> {
        Carrier {
            node,
            roll: node.roll(),
            carrier,
            meets: meets.iter().copied().collect(),
            areas: HashMap::new(),
        }
    }

    /// Whether it has a reason to be given what is for this device: it is that device, or of its school; the county's
    /// office, where everybody comes; a mentor who is sent to its school, or to whose school it is sent; it meets that
    /// device or another of its school; or it is a school of the same area.
    pub(super) fn has_reason(&mut self, to: &NodeId) -> Result<bool, Error> {
        if *to == self.carrier
            || self.node.is_county_store(&self.carrier)
            || self.meets.contains(&first(&to.0))
        {
            return Ok(true);
        }
        let (theirs, sent) = (schools(&self.roll, to), visited(&self.roll, to));
        let (own, visits) = (
            schools(&self.roll, &self.carrier),
            visited(&self.roll, &self.carrier),
        );
        let at_school = theirs.iter().any(|s| own.contains(s) || visits.contains(s));
        let comes_here = sent.iter().any(|s| own.contains(s));
        // A mentor is sent by the county and comes back to it.
        let reports = self.node.is_county_store(to) && !visits.is_empty();
        if at_school || comes_here || reports || self.meets_like(to, &theirs) {
            return Ok(true);
        }
        for school in &theirs {
            let Some(area) = self.area(school)? else { continue };
            for one in &own {
                if self.area(one)?.as_ref() == Some(&area) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// A new computer in the place of one that was met is found where that one was, and one office where the other is.
    fn meets_like(&self, to: &NodeId, schools: &BTreeSet<String>) -> bool {
        let office = self.node.is_county_store(to);
        self.roll.devices().any(|(device, grants)| {
            let like = (office && self.node.is_county_store(device))
                || grants
                    .iter()
                    .any(|g| g.role == Role::School.code() && schools.contains(&g.scope));
            like && self.meets.contains(&first(&device.0))
        })
    }

    fn area(&mut self, school: &str) -> Result<Option<String>, Error> {
        if let Some(known) = self.areas.get(school) {
            return Ok(known.clone());
        }
        let area = office::area_of(self.node, school)?;
        self.areas.insert(school.to_owned(), area.clone());
        Ok(area)
    }
}

fn schools(roll: &Roll, device: &NodeId) -> BTreeSet<String> {
    let of = roll.grants(device).filter(|g| g.role == Role::School.code());
    of.map(|g| g.scope.clone()).collect()
}

/// The schools that a mentor is sent to.
fn visited(roll: &Roll, device: &NodeId) -> BTreeSet<String> {
    let mut schools = BTreeSet::new();
    for grant in roll.grants(device) {
        match Role::of(grant.role) {
            Some(Role::Mentor) => {
                schools.extend(grant.scope.split_once('/').map(|(_, school)| school.to_owned()))
            }
            Some(Role::MentorReader) => drop(schools.insert(grant.scope.clone())),
            _ => {}
        }
    }
    schools
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_hears_whom_we_meet_again_when_that_has_changed_and_not_all_the_time() {
        let peer = NodeId([1; 32]);
        let [itself, near, far] = [1, 2, 3].map(|n| [n; 8]);
        let begun = Instant::now();
        let mut link = Introduction::default();
        assert_eq!(
            link.due(&peer, &[near]),
            None,
            "the first time with the first list"
        );
        assert_eq!(link.say(&peer, &[near], begun), [near]);
        // In another order, or since we are in sync with the peer itself: no news.
        assert_eq!(link.due(&peer, &[itself, near]), None);
        assert!(link.say(&peer, &[itself, near], begun).is_empty());
        // Ever more are met: each time all are told, and at most six times in the first half hour.
        let (mut now, mut met, mut times) = (begun, vec![near, far], 0);
        while now < begun + 3 * MAIL_APART {
            met.push([10 + times; 8]);
            now = link.due(&peer, &met).unwrap();
            assert_eq!(link.say(&peer, &met, now), met);
            assert_eq!(link.due(&peer, &met), None);
            times += 1;
        }
        assert_eq!(times, 7);
        assert_eq!(
            now - begun,
            ANSWER_AFTER.iter().sum::<std::time::Duration>() + 3 * MAIL_APART
        );
    }

    #[test]
    fn a_meeting_that_a_wrong_clock_has_dated_is_none_of_late() {
        let now = crate::MADE + 90 * 86_400;
        assert!(lately(now - LATELY, now) && !lately(now - LATELY - 1, now));
        // Noted in 1970 or 2000, looked at in the same morning or when the clock is right.
        for wrong in [0, 60, 946_684_800] {
            assert!(!lately(wrong, wrong + 600) && !lately(wrong, now));
        }
        // Noted while the clock was right, looked at in 2000.
        assert!(lately(now, 946_684_800));
    }
}
