//! What a running node counts of itself, for the county's monitoring. All of it begins at zero with the program.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use net::{Link, LinkStats};
use store::Trouble;
use sync::admission::Verdict;
use sync::{ChangeHash, DocKey};

use crate::{Error, Node, backup};

/// Counters of a node.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    sessions: AtomicU64,
    sessions_broken: AtomicU64,
    stored: AtomicU64,
    held: AtomicU64,
    dropped: AtomicU64,
    quarantined: AtomicU64,
    receipts_given: AtomicU64,
    receipts_taken: AtomicU64,
    links: Mutex<Links>,
}

#[derive(Debug, Default)]
struct Links {
    open: HashMap<u64, Link>,
    sent: u64,
    received: u64,
}

/// A moment's figures.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Figures {
    /// Sessions that have ended well.
    pub sessions: u64,
    /// Sessions that an error of this side ended.
    pub sessions_broken: u64,
    /// Sessions open now.
    pub sessions_open: u64,
    /// Changes from peers that were stored.
    pub stored: u64,
    /// That wait: dependency, author, quarantine.
    pub held: u64,
    /// That were thrown away.
    pub dropped: u64,
    /// Faults under their author's own signature.
    pub quarantined: u64,
    /// Receipts that were made for peers, one for each actor and document of a piece.
    pub receipts_given: u64,
    /// Receipts that peers gave and that were kept.
    pub receipts_taken: u64,
    /// Bytes sent over links, all that UDP or TCP carried.
    pub sent: u64,
    /// Bytes received.
    pub received: u64,
    /// Faults of disk and database by sort.
    pub troubles: Vec<(Trouble, u64)>,
    /// The fault that stands.
    pub trouble: Option<Trouble>,
    /// Bytes free where the data is.
    pub free: Option<u64>,
    /// Documents stored.
    pub documents: u64,
    /// Changes stored.
    pub changes: u64,
    /// Documents whose views lag behind.
    pub behind: u64,
    /// Unix seconds of the last good backup.
    pub backup_at: Option<i64>,
    /// Its bytes.
    pub backup_bytes: u64,
    /// The last attempt failed.
    pub backup_failed: bool,
}

impl Counters {
    fn links(&self) -> std::sync::MutexGuard<'_, Links> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn begins(&self, number: u64, link: Link) {
        self.links().open.insert(number, link);
    }

    /// What the link has cost.
    pub fn ends(&self, number: u64, well: bool) -> LinkStats {
        let mut links = self.links();
        let link = links.open.remove(&number);
        let cost = link.map(|link| link.stats()).unwrap_or_default();
        links.sent += cost.sent;
        links.received += cost.received;
        drop(links);
        add(
            if well {
                &self.sessions
            } else {
                &self.sessions_broken
            },
            1,
        );
        cost
    }

    pub fn judged(&self, stored: usize, receipts: usize, verdicts: &[(DocKey, ChangeHash, Verdict)]) {
        add(&self.stored, stored);
        add(&self.receipts_given, receipts);
        for (_, _, verdict) in verdicts {
            match verdict {
                Verdict::Held(_) => add(&self.held, 1),
                Verdict::Dropped(_) => add(&self.dropped, 1),
                Verdict::Quarantined(_) => add(&self.quarantined, 1),
                Verdict::Stored | Verdict::Known => {}
            }
        }
    }

    pub fn acknowledged(&self, receipts: usize) {
        add(&self.receipts_taken, receipts);
    }
}

fn add(counter: &AtomicU64, n: usize) {
    counter.fetch_add(n as u64, Ordering::Relaxed);
}

impl Node {
    /// The figures of this moment. What the database cannot give (it is damaged) is zero.
    pub fn figures(&self) -> Figures {
        let counters = &self.0.counters;
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (open, sent, received) = {
            let links = counters.links();
            links.open.values().map(Link::stats).fold(
                (links.open.len() as u64, links.sent, links.received),
                |(open, sent, received), stats| (open, sent + stats.sent, received + stats.received),
            )
        };
        let (documents, changes) = self.read(store::changes::totals).unwrap_or_default();
        let (good, failed) = backup::last(self).unwrap_or_default();
        Figures {
            sessions: get(&counters.sessions),
            sessions_broken: get(&counters.sessions_broken),
            sessions_open: open,
            stored: get(&counters.stored),
            held: get(&counters.held),
            dropped: get(&counters.dropped),
            quarantined: get(&counters.quarantined),
            receipts_given: get(&counters.receipts_given),
            receipts_taken: get(&counters.receipts_taken),
            sent,
            received,
            troubles: self.store().troubles().to_vec(),
            trouble: self.trouble(),
            free: fs4::available_space(self.dir()).ok(),
            documents,
            changes,
            behind: self.views_behind().unwrap_or_default() as u64,
            backup_at: good.as_ref().map(|b| b.at),
            backup_bytes: good.map_or(0, |b| b.bytes),
            backup_failed: failed.is_some(),
        }
    }

    /// The fault of disk or database that stands now: pages, health and exit code say it.
    pub fn trouble(&self) -> Option<Trouble> {
        self.store().trouble()
    }

    /// Looks whether the disk takes something again that refused before; with `pages`, also at every page of the
    /// database. Called now and then by a running node.
    pub fn look_at_disk(&self, pages: bool) -> Result<(), Error> {
        if pages {
            let problems = self.store().quick_check()?;
            if let Some(first) = problems.first() {
                tracing::error!(problem = %first, "the database is damaged");
            }
        }
        if matches!(
            self.trouble(),
            Some(Trouble::Full | Trouble::ReadOnly | Trouble::Disk)
        ) {
            let now = self.now().to_string();
            self.local(|c| store::set_meta(c, "disk_tried", now.as_bytes()))?;
        }
        Ok(())
    }
}
