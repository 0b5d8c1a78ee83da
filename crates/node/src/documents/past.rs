//! What was done to a record, change by change: its history for people.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use automerge::ExpandedChange;
use automerge::legacy::{Key, ObjectId, OpId, OpType};
use records::Value;
use store::changes::{self, Stored};
use sync::{DocKey, NodeId};

use super::taking::Named;
use super::{Around, Cache, Loaded, read_scalar};
use crate::Error;

/// What one change did to one record.
pub(crate) struct Deed {
    /// The device that signed it.
    pub device: NodeId,
    /// The account that it names, when it names one.
    pub by: Option<String>,
    /// Whether the record began with it.
    pub made: bool,
    /// Fields with what stood there before and what stands there since.
    pub fields: Vec<(String, Vec<Value>, Option<Value>)>,
}

/// One record while its past is read.
#[derive(Default)]
struct Followed {
    objects: HashSet<ObjectId>,
    said: HashMap<OpId, Option<Value>>,
    /// What stands in each field.
    standing: HashMap<String, Vec<OpId>>,
    past: Vec<(i64, Deed)>,
}

impl Followed {
    fn take(&mut self, id: &str, seq: i64, device: NodeId, change: &ExpandedChange) {
        let Followed {
            objects,
            said,
            standing,
            past,
        } = self;
        let mut deed = Deed {
            device,
            by: None,
            made: false,
            fields: Vec::new(),
        };
        for (n, op) in (change.start_op.get()..).zip(&change.operations) {
            let name = OpId::new(n, &change.actor_id);
            match (&op.obj, &op.key, &op.action) {
                (ObjectId::Root, Key::Map(record), OpType::Make(_)) if record.as_str() == id => {
                    objects.insert(ObjectId::Id(name));
                    deed.made = true;
                }
                (object, Key::Map(field), OpType::Put(value)) if objects.contains(object) => {
                    let value = read_scalar(value);
                    let before = op.pred.iter().filter_map(|p| said.get(p).cloned().flatten());
                    let mut before: Vec<Value> = before.collect();
                    before.dedup();
                    if field.as_str() == "_by" {
                        deed.by = value.as_ref().and_then(Value::as_text).map(str::to_owned);
                    } else if !field.starts_with('_') {
                        deed.fields.push((field.to_string(), before, value.clone()));
                    }
                    let here = standing.entry(field.to_string()).or_default();
                    here.retain(|id| !op.pred.iter().any(|p| p == id));
                    here.push(name.clone());
                    said.insert(name, value);
                }
                // Who chooses the one of two values that Automerge shows takes the other away.
                (object, Key::Map(field), OpType::Delete) if objects.contains(object) => {
                    let here = standing.entry(field.to_string()).or_default();
                    let value = |id: &OpId| said.get(id).cloned().flatten();
                    let mut before: Vec<Value> = op.pred.iter().chain(&*here).filter_map(value).collect();
                    here.retain(|id| !op.pred.iter().any(|p| p == id));
                    let after = here.iter().find_map(value);
                    let mut seen = Vec::new();
                    before.retain(|v| {
                        !seen.contains(v) && {
                            seen.push(v.clone());
                            true
                        }
                    });
                    if !field.starts_with('_') {
                        deed.fields.push((field.to_string(), before, after));
                    }
                }
                _ => {}
            }
        }
        if deed.made || deed.by.is_some() || !deed.fields.is_empty() {
            past.push((seq, deed));
        }
    }
}

/// Which changes wrote to a record, by local sequence. Made at the first look at a document's past, for decoding
/// all its changes is most of the cost of a page.
#[derive(Default)]
pub(super) struct Writers {
    of: HashMap<String, BTreeSet<i64>>,
    /// Local sequence up to which changes were looked at.
    upto: i64,
}

impl Loaded {
    /// Takes the changes that [`Writers`] has not seen.
    fn note_writers(&mut self, new: &[Stored]) -> Option<()> {
        for s in new {
            if self.counted.contains(&s.change.header.hash) {
                let change = automerge::Change::from_bytes(s.change.to_chunk()).ok()?;
                let mut named = Named::default();
                named.add(&change.decode());
                let records = named.records(&self.doc);
                for record in records {
                    self.writers.of.entry(record).or_default().insert(s.seq);
                }
            }
            self.writers.upto = self.writers.upto.max(s.seq);
        }
        Some(())
    }

    /// What the counting changes among `stored` did to each of these records: what followed on something after it,
    /// and of what was done apart the same first on every node, in whatever order it came.
    fn past(&self, ids: &[&str], stored: &[Stored]) -> Option<Vec<Vec<(i64, Deed)>>> {
        let mut followed: Vec<Followed> = ids.iter().map(|_| Followed::default()).collect();
        let counted = |s: &&Stored| self.counted.contains(&s.change.header.hash);
        let mut stored: Vec<&Stored> = stored.iter().filter(counted).collect();
        // Operation numbers grow along dependencies.
        stored.sort_by_key(|s| {
            (
                s.change.header.start_op,
                s.change.header.actor,
                s.change.header.seq,
            )
        });
        for s in stored {
            let decoded = automerge::Change::from_bytes(s.change.to_chunk()).ok()?.decode();
            for (id, record) in ids.iter().zip(&mut followed) {
                record.take(id, s.seq, s.change.header.actor.device, &decoded);
            }
        }
        Some(followed.into_iter().map(|record| record.past).collect())
    }
}

impl Cache {
    /// What was done to each of these records of a document, with the local sequence of each change. A second look
    /// at the same document decodes only the changes that wrote to them.
    pub fn past(
        &mut self,
        around: &Around<'_>,
        doc: i64,
        key: &DocKey,
        records: &[&str],
    ) -> Result<Vec<Vec<(i64, Deed)>>, Error> {
        let unreadable = || Error::Unreadable(key.to_string());
        let viewed = changes::viewed(around.conn, doc)?;
        self.load(around, doc, key, viewed)?;
        if viewed <= 0 {
            // Being read anew: there is nothing to show of the record itself yet either.
            return Ok(records.iter().map(|_| Vec::new()).collect());
        }
        let mut loaded = self.take(doc).ok_or_else(unreadable)?;
        let mut new = changes::after(around.conn, doc, loaded.writers.upto)?;
        new.retain(|s| s.seq <= loaded.upto);
        let noted = catch_unwind(AssertUnwindSafe(|| loaded.note_writers(&new)));
        noted.ok().flatten().ok_or_else(unreadable)?;
        let of = |record: &&str| loaded.writers.of.get(*record);
        let seqs = records.iter().filter_map(of).flatten().copied().collect();
        let stored = changes::at(around.conn, doc, &seqs)?;
        let past = catch_unwind(AssertUnwindSafe(|| loaded.past(records, &stored)));
        self.give_back(doc, loaded, around.room);
        past.ok().flatten().ok_or_else(unreadable)
    }
}
