//! After the week: faults are off, everybody meets everybody until nothing moves, and all must be equal.

use std::collections::{BTreeMap, BTreeSet};

use node::{Node, Standing};
use store::rusqlite::params;
use sync::DocKey;
use sync::authority::may_read;

use super::county::Post;
use super::law::held;
use super::world::{What, World};

/// Rounds in which everybody meets everybody; the county is at most a few hops wide.
const ROUNDS: usize = 10;

/// Time that a round may take.
const ROUND: u64 = 6 * 3_600_000;

/// A record row as all must see it.
type Shown = BTreeMap<String, Vec<String>>;

impl World {
    /// Ends all faults and lets the county come to rest.
    pub fn calm_down(&mut self) {
        self.calm = true;
        self.forget_plans();
        for m in 0..self.machines.len() {
            let disk = self.machines[m].disk.clone();
            let dead = {
                let mut disk = disk.borrow_mut();
                (disk.fuse, disk.room, disk.bad_read) = (None, None, None);
                disk.dead
            };
            if dead {
                self.power_cut(m);
            }
            self.start(m);
        }
        // Old links die.
        self.run(self.now + 600_000);
        let mut before = None;
        let mut all = false;
        for round in 0..ROUNDS {
            // The hub passes most of it on; when nothing moves any more, everybody meets everybody.
            self.all_meet(all);
            self.finish_enrolments();
            let state = self.state();
            let quiet = before.as_ref() == Some(&state);
            if quiet && all {
                *self.counts.entry("rounds until quiet").or_default() += round as u64;
                return self.judge();
            }
            all = quiet;
            before = Some(state);
        }
        if self.broken.is_none() {
            self.break_law(format!("still moving after {ROUNDS} rounds"));
        }
    }

    fn all_meet(&mut self, all: bool) {
        let mut wait = 0;
        for a in 0..self.machines.len() {
            for b in 0..a {
                let near = match (self.machines[a].post, self.machines[b].post) {
                    (Post::Hub, _) | (_, Post::Hub) => true,
                    (Post::School(x), Post::School(y)) => all && x == y,
                    _ => all && a != b,
                };
                if near {
                    wait += 20_000;
                    self.after(wait, What::Dial(a, b));
                }
            }
        }
        self.run(self.now + wait + ROUND);
        self.now += ROUND;
    }

    fn finish_enrolments(&mut self) {
        for m in 0..self.machines.len() {
            if self.machines[m].newcomer.is_some() {
                self.trouble(super::trouble::Trouble::Enrolling(m));
            }
        }
        self.forget_plans();
    }

    /// What moves in a round: changes, roll, receipts.
    fn state(&self) -> Vec<(usize, usize, usize)> {
        let nodes = self.machines.iter().filter_map(|m| m.node.as_ref());
        nodes
            .map(|n| {
                let receipts = n.read(|c| {
                    let seqs: i64 =
                        c.query_row("SELECT COALESCE(SUM(seq), 0) FROM receipt", [], |r| r.get(0))?;
                    Ok(seqs as usize)
                });
                (
                    held(n).map_or(0, |all| all.len()),
                    n.roll().statements().count(),
                    receipts.unwrap_or(0),
                )
            })
            .collect()
    }

    fn judge(&mut self) {
        self.laws();
        let Some(hub) = self.machines[0].node.clone() else {
            return self.break_law("the hub does not start".into());
        };
        let roll = hub.roll();
        let policy = node::document_policy();
        let at_hub = held(&hub).unwrap_or_default();
        let shown_at_hub = shown(&hub);
        let mut documents: BTreeSet<String> = at_hub.iter().map(|(d, _)| d.clone()).collect();
        for m in 0..self.machines.len() {
            let Some(node) = self.machines[m].node.clone() else {
                self.break_law(format!("machine {m} does not start"));
                continue;
            };
            if roll.is_revoked(&node.id()) || node.standing() != Standing::Member {
                continue;
            }
            if node.roll().digest() != roll.digest() {
                self.break_law(format!("machine {m} has another roll than the hub"));
            }
            let here = held(&node).unwrap_or_default();
            documents.extend(here.iter().map(|(d, _)| d.clone()));
            let shown_here = shown(&node);
            for document in &documents {
                let Some(key) = DocKey::parse(document) else {
                    continue;
                };
                if !may_read(&policy, &roll, &node.id(), &key) {
                    continue;
                }
                let of = |all: &BTreeSet<(String, [u8; 32])>| {
                    all.iter()
                        .filter(|(d, _)| d == document)
                        .map(|(_, h)| *h)
                        .collect::<BTreeSet<_>>()
                };
                let (ours, hubs) = (of(&here), of(&at_hub));
                if ours != hubs {
                    let text = format!(
                        "machine {m} ({:?}) and the hub differ in {document}: {} and {} changes, {} in common",
                        self.machines[m].post,
                        ours.len(),
                        hubs.len(),
                        ours.intersection(&hubs).count()
                    );
                    self.break_law(text);
                } else if shown_here.get(document) != shown_at_hub.get(document) {
                    self.break_law(format!(
                        "machine {m} and the hub show {document} differently: {:?} and {:?}",
                        shown_here.get(document).map(Vec::len),
                        shown_at_hub.get(document).map(Vec::len)
                    ));
                }
            }
            for q in node.quarantines().unwrap_or_default() {
                self.break_law(format!(
                    "machine {m} has {:?} of {} under quarantine",
                    q.actor, q.document
                ));
            }
            for h in node.held().unwrap_or_default() {
                self.break_law(format!(
                    "machine {m} holds {} changes of {}: {}",
                    h.count, h.document, h.wait
                ));
            }
            let problems = node.read(|c| {
                let text: String = c.query_row("PRAGMA integrity_check", [], |r| r.get(0))?;
                Ok(text)
            });
            if problems.as_deref().ok() != Some("ok") {
                self.break_law(format!("machine {m}: {problems:?}"));
            }
        }
        // Nothing that was saved is lost; what a device wrote that is out now may stay on it.
        let out: BTreeSet<usize> = (0..self.machines.len())
            .filter(|m| roll.is_revoked(&self.machines[*m].id))
            .collect();
        let mut missing = Vec::new();
        for (saved, by) in &self.ever_saved {
            if !at_hub.contains(saved) && !out.contains(by) {
                missing.push((saved.0.clone(), *by));
            }
        }
        if let Some((document, by)) = missing.first() {
            let n = missing.len();
            self.break_law(format!(
                "{n} saved changes are not at the hub, such as one of {document} by {by}"
            ));
        }
        *self.counts.entry("records").or_default() +=
            shown_at_hub.values().map(|r| r.len() as u64).sum::<u64>();
        *self.counts.entry("changes at the hub").or_default() += at_hub.len() as u64;
    }
}

/// The record rows of a node, by document, without what is this node's own affair.
fn shown(node: &Node) -> Shown {
    let rows = node.read(|c| {
        let mut statement = c.prepare_cached(
            "SELECT doc_key, id || ' ' || kind || ' ' || fields || ' ' || COALESCE(others, '') || ' ' || disputed
                 || ' ' || hex(author) || ' ' || hex(parts) FROM record ORDER BY doc_key, id",
        )?;
        let rows = statement.query_map(params![], |r| Ok((r.get::<_, String>(0)?, r.get::<_, String>(1)?)))?;
        Ok(rows.collect::<Result<Vec<_>, _>>()?)
    });
    let mut shown = Shown::new();
    for (document, row) in rows.unwrap_or_default() {
        shown.entry(document).or_default().push(row);
    }
    shown
}
