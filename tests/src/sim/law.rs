//! What must hold at every moment, whatever the faults.

use std::collections::{BTreeMap, BTreeSet};

use node::{Error, Filter, Node, NodeId, Way};
use store::rusqlite::params;
use sync::StoreId;

use super::world::{Saved, World};

const STANDING: &str = "SELECT d.key, c.hash FROM change c JOIN document d ON d.id = c.doc";
const ASIDE: &str = "SELECT document, hash FROM aside";

/// Everything that a store holds, with what it keeps aside as evidence: document and hash.
pub fn held(node: &Node) -> Result<BTreeSet<Saved>, Error> {
    let mut all = standing(node)?;
    all.extend(set_aside(node)?);
    Ok(all)
}

/// What stands in a store's documents.
pub fn standing(node: &Node) -> Result<BTreeSet<Saved>, Error> {
    read_all(node, STANDING)
}

/// What a store keeps aside.
pub fn set_aside(node: &Node) -> Result<BTreeSet<Saved>, Error> {
    read_all(node, ASIDE)
}

fn read_all(node: &Node, sql: &str) -> Result<BTreeSet<Saved>, Error> {
    node.read(|c| {
        let mut statement = c.prepare_cached(sql)?;
        let rows = statement.query_map([], |r| Ok((r.get(0)?, r.get(1)?)))?;
        Ok(rows.collect::<Result<BTreeSet<Saved>, _>>()?)
    })
}

impl World {
    /// Whether a device may hold less than its store id promises, without knowing it.
    fn cannot_tell(&self, id: &NodeId) -> bool {
        self.twins.contains(id) || self.set_back.contains(id)
    }

    /// What a person was told is saved is there after every start.
    pub fn law_of_saved(&mut self, m: usize) {
        let Some(node) = self.machines[m].node.clone() else {
            return;
        };
        let all = match held(&node) {
            Ok(all) => all,
            Err(error) => return self.excuse(m, "look for what was saved", &error),
        };
        let missing = self.machines[m]
            .saved
            .iter()
            .filter(|s| !all.contains(*s))
            .count();
        if missing > 0 {
            self.break_law(format!(
                "machine {m} lost {missing} changes that were said to be saved"
            ));
        }
    }

    /// Saved changes that only a disk held which is gone now.
    pub fn find_lost(&mut self) {
        let mut everywhere = BTreeSet::new();
        for machine in &self.machines {
            // Also when the hub itself has been restored and does not know it at this moment: others do.
            let out = self.put_out.contains(&machine.id);
            if let (Some(Ok(all)), false) = (machine.node.as_ref().map(held), out) {
                everywhere.extend(all);
            } else {
                // A machine that stands still keeps what it was told is saved.
                everywhere.extend(machine.saved.iter().cloned());
            }
        }
        for (saved, by) in std::mem::take(&mut self.ever_saved) {
            match everywhere.contains(&saved) {
                true => drop(self.ever_saved.insert(saved, by)),
                false => drop(self.lost.insert(saved)),
            }
        }
    }

    /// A receipt is never held for something that the store which gave it does not hold; and what a page
    /// calls 已到县 is in the county's store.
    pub fn laws(&mut self) {
        let mut stores: BTreeMap<StoreId, BTreeSet<Saved>> = BTreeMap::new();
        for machine in &self.machines {
            // A store that cannot be read just now is not asked, nor one of two that have the same id.
            if let (Some((node, Ok(all))), false) = (
                machine.node.as_ref().map(|n| (n, held(n))),
                self.cannot_tell(&machine.id),
            ) {
                stores.insert(node.store_id(), all);
            }
        }
        for m in 0..self.machines.len() {
            let Some(node) = self.machines[m].node.clone() else {
                continue;
            };
            let receipts = node.read(|c| {
                let mut statement = c.prepare_cached(
                    "SELECT r.store, d.key, r.hash FROM receipt r JOIN document d ON d.id = r.doc",
                )?;
                let rows = statement.query_map(params![], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))?;
                Ok(rows.collect::<Result<Vec<([u8; 16], String, [u8; 32])>, _>>()?)
            });
            let receipts = match receipts {
                Ok(receipts) => receipts,
                Err(error) => {
                    self.excuse(m, "laws", &error);
                    continue;
                }
            };
            for (store, document, hash) in receipts {
                let there = stores.get(&StoreId(store));
                if there.is_some_and(|all| !all.contains(&(document.clone(), hash))) {
                    self.break_law(format!(
                        "machine {m} has a receipt for a change of {document} that its giver lacks"
                    ));
                }
            }
            self.law_of_county(m, &node, &stores);
        }
    }

    fn law_of_county(&mut self, m: usize, node: &Node, stores: &BTreeMap<StoreId, BTreeSet<Saved>>) {
        let Some(hub) = self.machines[0].node.clone() else {
            return;
        };
        let Some(at_hub) = stores.get(&hub.store_id()) else {
            return;
        };
        let met: Option<[u8; 16]> = node
            .read(|c| Ok(store::peers::get(c, &hub.id())?.and_then(|p| p.store)))
            .ok()
            .flatten()
            .map(|s| s.0);
        // A page cannot know that the hub was restored before it has met it again.
        if met != Some(hub.store_id().0) {
            return;
        }
        let records = match node.records(&Filter::kind("session")) {
            Ok(records) => records,
            Err(error) => return self.excuse(m, "laws", &error),
        };
        for record in records.iter().filter(|r| r.way == Way::AtCounty) {
            let parts = node.read(|c| {
                let parts: Vec<u8> = c
                    .prepare_cached("SELECT parts FROM record WHERE id = ?")?
                    .query_row(params![record.id], |r| r.get(0))?;
                let mut hashes = Vec::new();
                for part in parts.chunks_exact(44) {
                    let seq = i64::from_be_bytes(part[36..].try_into().unwrap_or_default());
                    let sql = "SELECT c.hash FROM change c JOIN document d ON d.id = c.doc
                         WHERE d.key = ? AND c.actor = ? AND c.actor_seq = ?";
                    let hash: [u8; 32] = c
                        .prepare_cached(sql)?
                        .query_row(params![record.doc, &part[..36], seq], |r| r.get(0))?;
                    hashes.push(hash);
                }
                Ok(hashes)
            });
            match parts {
                Ok(hashes) => {
                    if hashes.iter().any(|h| !at_hub.contains(&(record.doc.clone(), *h))) {
                        self.break_law(format!(
                            "machine {m} says 已到县 of {}, which the hub lacks",
                            record.id
                        ));
                    }
                }
                Err(error) => self.excuse(m, "laws", &error),
            }
        }
    }
}
