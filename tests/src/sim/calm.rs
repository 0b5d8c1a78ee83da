//! After the week: faults are off, everybody meets everybody until nothing moves, and all must be equal.

use std::collections::{BTreeMap, BTreeSet};

use node::{Node, NodeId, Point, Standing};
use store::rusqlite::params;
use sync::authority::{counted, may_read};
use sync::{DocKey, Roll};

use super::county::Post;
use super::law::{held, set_aside, standing};
use super::world::{Saved, What, World};

/// Rounds in which everybody meets everybody; the county is at most a few hops wide.
const ROUNDS: usize = 24;

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
            // The hub passes most of it on; when nothing moves any more, others meet too.
            self.all_meet(all);
            self.finish_enrolments();
            let state = self.state();
            if std::env::var_os("YANXIU_SIM_TRACE").is_some() {
                println!("round {round}: {state:?}");
            }
            let quiet = before.as_ref() == Some(&state);
            if quiet && all && !self.settle_cases() {
                *self.counts.entry("rounds until quiet").or_default() += round as u64;
                return self.judge();
            }
            all = quiet && !all;
            before = Some(state);
        }
        if self.broken.is_none() {
            self.show_differing();
            self.break_law(format!("still moving after {ROUNDS} rounds"));
        }
    }

    /// The county cuts where devices contradicted themselves, as its operator would: after what it holds.
    fn settle_cases(&mut self) -> bool {
        let Some(hub) = self.machines[0].node.clone() else {
            return false;
        };
        self.tick(0);
        let cases = hub.cases().map(|c| c.cases).unwrap_or_default();
        let mut settled = false;
        for case in cases.iter().filter(|c| c.cut.is_none()) {
            match hub.cut_case(&case.id, Point::Stored) {
                Ok(cut) => {
                    self.count("cases settled by the county");
                    settled |= cut.is_some();
                }
                Err(error) => self.excuse(0, "settle a case", &error),
            }
        }
        settled
    }

    fn all_meet(&mut self, all: bool) {
        let mut wait = 0;
        for a in 0..self.machines.len() {
            for b in 0..a {
                let near = match (self.machines[a].post, self.machines[b].post) {
                    (Post::Hub, _) | (_, Post::Hub) => true,
                    (Post::School(x), Post::School(y)) => all && x == y,
                    // A mentor passes by at a few.
                    _ => all && a != b && self.rng.permille(150),
                };
                if near {
                    wait += 20_000;
                    self.after(wait, What::Dial(a, b));
                }
            }
        }
        self.run(self.now + wait + ROUND);
        self.now += ROUND;
        if let Some((a, b)) = self.lingering() {
            self.break_law(format!("machines {a} and {b} have met and do not hang up"));
        }
    }

    fn finish_enrolments(&mut self) {
        for m in 0..self.machines.len() {
            if self.machines[m].newcomer.is_some() {
                self.trouble(super::trouble::Trouble::Enrolling(m));
            }
        }
        self.forget_plans();
    }

    /// What moves in a round: changes, roll, receipts of the county.
    fn state(&self) -> Vec<(usize, usize, usize)> {
        let hub = self.machines[0].id.0;
        let nodes = self.machines.iter().filter_map(|m| m.node.as_ref());
        nodes
            .map(|n| {
                let receipts = n.read(|c| {
                    let sql = "SELECT COALESCE(SUM(seq), 0) FROM receipt WHERE node = ?";
                    let sum: i64 = c.query_row(sql, [hub], |r| r.get(0))?;
                    Ok(sum as usize)
                });
                let statements = n.roll().statements().count();
                (
                    standing(n).map_or(0, |all| all.len()),
                    statements,
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
        let at_hub = by_document(standing(&hub).unwrap_or_default());
        let shown_at_hub = shown(&hub);
        let (mut aside, mut anywhere) = (BTreeSet::new(), BTreeSet::new());
        for node in self.machines.iter().filter_map(|m| m.node.as_ref()) {
            aside.extend(set_aside(node).unwrap_or_default());
            anywhere.extend(held(node).unwrap_or_default());
        }
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
            self.judge_documents(m, &node, &roll, (&at_hub, &shown_at_hub));
            self.judge_table(m, &node, &aside, &anywhere);
        }
        self.judge_views(&hub, &shown_at_hub);
        self.judge_saved(&hub, &at_hub, &shown_at_hub, &aside);
        let records: usize = shown_at_hub.values().map(Vec::len).sum();
        *self.counts.entry("records at the hub").or_default() += records as u64;
        *self.counts.entry("changes at the hub").or_default() +=
            at_hub.values().map(|d| d.len() as u64).sum::<u64>();
    }

    fn judge_documents(
        &mut self,
        m: usize,
        node: &Node,
        roll: &Roll,
        hub: (&BTreeMap<String, BTreeSet<[u8; 32]>>, &Shown),
    ) {
        let policy = node::document_policy();
        let here = by_document(standing(node).unwrap_or_default());
        let shown_here = shown(node);
        let documents: BTreeSet<&String> = hub.0.keys().chain(here.keys()).collect();
        let nothing = BTreeSet::new();
        for document in documents {
            let Some(key) = DocKey::parse(document) else {
                continue;
            };
            if !may_read(&policy, roll, &node.id(), &key) {
                continue;
            }
            let ours = here.get(document).unwrap_or(&nothing);
            let hubs = hub.0.get(document).unwrap_or(&nothing);
            if ours != hubs {
                let text = format!(
                    "machine {m} ({:?}) and the hub differ in {document}: {} and {} changes, {} in common",
                    self.machines[m].post,
                    ours.len(),
                    hubs.len(),
                    ours.intersection(hubs).count()
                );
                self.show(document);
                self.break_law(text);
            } else if shown_here.get(document) != hub.1.get(document) {
                self.show(document);
                self.break_law(format!("machine {m} and the hub show {document} differently"));
            }
        }
    }

    /// Quarantine and waiting changes are where a device contradicted itself or is out; the table is sound.
    fn judge_table(&mut self, m: usize, node: &Node, aside: &BTreeSet<Saved>, anywhere: &BTreeSet<Saved>) {
        for q in node.quarantines().unwrap_or_default() {
            self.count("quarantines");
            let device = &q.actor.device;
            if !self.twins.contains(device) && !self.set_back.contains(device) {
                self.show(&q.document);
                self.break_law(format!(
                    "machine {m}: {:?} is under quarantine in {}",
                    q.actor, q.document
                ));
            }
        }
        let roll = node.roll();
        let waiting = node.read(|c| {
            let mut statement =
                c.prepare_cached("SELECT document, hash, substr(actor, 1, 32), wait, needs FROM held")?;
            let rows = statement.query_map([], |r| {
                let change: Saved = (r.get(0)?, r.get(1)?);
                Ok((change, NodeId(r.get(2)?), r.get(3)?, r.get(4)?))
            })?;
            Ok(rows.collect::<Result<Vec<(Saved, NodeId, String, Option<[u8; 32]>)>, _>>()?)
        });
        for (change, author, wait, needs) in waiting.unwrap_or_default() {
            // What a device wrote after its end, what its author has taken back and said again, and what
            // came here alone before the disk broke that held what it stands on.
            let gone = needs.is_some_and(|needed| !anywhere.contains(&(change.0.clone(), needed)));
            let excused = roll.is_revoked(&author) || aside.contains(&change) || self.lost.contains(&change);
            if !excused && !gone {
                self.show(&change.0);
                self.break_law(format!("machine {m}: a change of {} waits: {wait}", change.0));
            }
        }
        let problems = node.read(|c| {
            let text: String = c.query_row("PRAGMA integrity_check", [], |r| r.get(0))?;
            Ok(text)
        });
        if problems.as_deref().ok() != Some("ok") {
            self.break_law(format!("machine {m}: {problems:?}"));
        }
    }

    /// Views that grew with every piece are those that the stored changes give when read at once.
    fn judge_views(&mut self, hub: &Node, grown: &Shown) {
        let rebuilt = hub
            .local(|c| Ok(c.execute("UPDATE document SET viewed = -1", [])?))
            .and_then(|_| hub.refresh_views());
        if rebuilt.is_err() || shown(hub) != *grown {
            self.break_law(format!(
                "the hub's views are not what its changes say: {rebuilt:?}"
            ));
        }
    }

    /// Nothing that was saved is lost: it stands at the hub, or its writer has set it aside and said it again;
    /// every record is shown; without revocations all of it counts.
    fn judge_saved(
        &mut self,
        hub: &Node,
        at_hub: &BTreeMap<String, BTreeSet<[u8; 32]>>,
        shown: &Shown,
        aside: &BTreeSet<Saved>,
    ) {
        let roll = hub.roll();
        let revoked: BTreeSet<usize> = (0..self.machines.len())
            .filter(|m| roll.is_revoked(&self.machines[*m].id))
            .collect();
        let out = |m: &usize| revoked.contains(m);
        let mut missing = Vec::new();
        for ((document, hash), by) in &self.ever_saved {
            let there = at_hub.get(document).is_some_and(|d| d.contains(hash));
            let may_leave = roll.has_cuts() || !self.set_back.is_empty() || !self.twins.is_empty();
            let left = may_leave && aside.contains(&(document.clone(), *hash));
            if !there && !left && !out(by) {
                missing.push((document.clone(), *by));
            }
        }
        if let Some((document, by)) = missing.first() {
            let n = missing.len();
            self.show(document);
            self.break_law(format!(
                "{n} saved changes are not at the hub, such as one of {document} by {by}"
            ));
        }
        let ids: BTreeSet<&str> = shown
            .values()
            .flatten()
            .filter_map(|row| row.split(' ').next())
            .collect();
        let hidden = self.made_by.iter().filter(|(id, (by, saved))| {
            let gone = self.lost.contains(saved) || out(by);
            !gone && self.ever_saved.contains_key(saved) && !ids.contains(id.as_str())
        });
        let hidden: Vec<_> = hidden.collect();
        if let Some((id, (by, (d, hash)))) = hidden.first() {
            self.show(d);
            self.break_law(format!(
                "the hub does not show {} records, such as {id} of {d} by {by} in {:02x?}",
                hidden.len(),
                &hash[..4]
            ));
        }
        let policy = node::document_policy();
        let mut uncounted = 0;
        for (document, all) in at_hub {
            let Some(key) = DocKey::parse(document) else {
                continue;
            };
            let stored = hub.read(|c| {
                let id = store::changes::find(c, &key)?.unwrap_or(-1);
                store::changes::after(c, id, 0)
            });
            let stored = stored.unwrap_or_default();
            let counts = counted(&policy, &roll, &key, stored.iter().map(|s| &s.change.header));
            uncounted += all.len() - counts.len();
        }
        *self.counts.entry("changes that do not count").or_default() += uncounted as u64;
        if uncounted > 0 && !roll.has_cuts() {
            self.break_law(format!("{uncounted} changes do not count though nobody is out"));
        }
    }
}

fn by_document(all: BTreeSet<Saved>) -> BTreeMap<String, BTreeSet<[u8; 32]>> {
    let mut by = BTreeMap::<String, BTreeSet<[u8; 32]>>::new();
    for (document, hash) in all {
        by.entry(document).or_default().insert(hash);
    }
    by
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
