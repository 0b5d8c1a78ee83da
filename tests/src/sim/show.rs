//! With `YANXIU_SIM_TRACE=1`: what every machine holds of a document in which a law was broken.

use std::collections::BTreeSet;

use node::Node;
use store::rusqlite::types::Value;

use super::law::{set_aside, standing};
use super::world::{Saved, World};

const TABLES: [(&str, &str); 7] = [
    (
        "change",
        "SELECT c.seq, c.actor, c.actor_seq, c.hash, c.from_peer, c.tip IS NOT NULL, c.deps
         FROM change c JOIN document d ON d.id = c.doc WHERE d.key = ?1 ORDER BY c.seq",
    ),
    (
        "held",
        "SELECT id, actor, actor_seq, hash, from_peer, tip IS NOT NULL, wait FROM held WHERE document = ?1",
    ),
    (
        "aside",
        "SELECT place, actor, actor_seq, hash, from_peer, tip IS NOT NULL, why, upto, said FROM aside
         WHERE document = ?1 ORDER BY place",
    ),
    (
        "quarantine",
        "SELECT actor, actor_seq, fault, from_peer FROM quarantine WHERE document = ?1",
    ),
    ("fork", "SELECT actor, seq, flips FROM fork WHERE document = ?1"),
    ("peer", "SELECT node, store, acked, have FROM peer WHERE ?1 <> ''"),
    (
        "event",
        "SELECT code, peer, document, detail, count FROM event WHERE document IN (?1, '')",
    ),
];

impl World {
    /// Of every document that some machine holds otherwise than the hub, or has set something of aside.
    pub fn show_differing(&self) {
        let all: Vec<_> = self
            .machines
            .iter()
            .filter_map(|m| standing(m.node.as_ref()?).ok())
            .collect();
        let Some(hub) = all.first() else { return };
        let documents = |set: &BTreeSet<Saved>| set.iter().map(|s| s.0.clone()).collect::<BTreeSet<_>>();
        let mut differing = BTreeSet::new();
        for here in &all {
            for document in documents(here) {
                let of = |set: &BTreeSet<Saved>| {
                    set.iter()
                        .filter(|s| s.0 == document)
                        .cloned()
                        .collect::<Vec<_>>()
                };
                if of(here) != of(hub) {
                    differing.insert(document);
                }
            }
        }
        let nodes = self.machines.iter().filter_map(|m| m.node.as_ref());
        for aside in nodes.filter_map(|n| set_aside(n).ok()) {
            differing.extend(documents(&aside));
        }
        differing.iter().for_each(|d| self.show(d));
    }

    /// Prints it.
    pub fn show(&self, document: &str) {
        if self.broken.is_some() || std::env::var_os("YANXIU_SIM_TRACE").is_none() {
            return;
        }
        for (m, machine) in self.machines.iter().enumerate() {
            let Some(node) = &machine.node else { continue };
            println!(
                "== machine {m} {:?} {} store {:02x?}",
                machine.post,
                node.id().short(),
                &node.store_id().0[..4]
            );
            for (table, sql) in TABLES {
                for row in rows(node, sql, document).unwrap_or_default() {
                    println!("   {table:>10} {row}");
                }
            }
        }
        let roll = self.machines.iter().find_map(|m| Some(m.node.as_ref()?.roll()));
        for (d, actor, cut) in roll.iter().flat_map(|r| r.cuts()) {
            if d.as_str() == document {
                println!("cut {actor:?} {} {:02x?}", cut.seq, &cut.hash[..4]);
            }
        }
    }
}

fn rows(node: &Node, sql: &str, document: &str) -> Result<Vec<String>, node::Error> {
    node.read(|c| {
        let mut statement = c.prepare(sql)?;
        let columns = statement.column_count();
        let rows = statement.query_map([document], |r| {
            let mut text = String::new();
            for i in 0..columns {
                text += &match r.get::<_, Value>(i)? {
                    Value::Null => "-".to_string(),
                    Value::Integer(n) => n.to_string(),
                    Value::Real(x) => x.to_string(),
                    Value::Text(t) => t,
                    // An actor shows its incarnation, dependencies each hash.
                    Value::Blob(b) if b.len() == 36 => format!("{}.{}", hex(&b), hex(&b[32..])),
                    Value::Blob(b) => b.chunks(32).map(hex).collect::<Vec<_>>().join("+"),
                };
                text.push(' ');
            }
            Ok(text)
        })?;
        Ok(rows.collect::<Result<Vec<_>, _>>()?)
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().take(4).map(|b| format!("{b:02x}")).collect()
}
