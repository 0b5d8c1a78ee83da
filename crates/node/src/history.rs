//! The history of a record: who, when, what stood there before.

use std::collections::{BTreeMap, HashMap};

use records::Value;
use store::changes;
use sync::{DocKey, NodeId};

use crate::documents::Deed;
use crate::{Error, Node, Record};

/// One act on a record.
#[derive(Clone, Debug, PartialEq)]
pub struct Act {
    /// When this node stored it (unix seconds), by its clock: for people, and at another node later than the act.
    pub at: i64,
    /// The device that signed it.
    pub device: NodeId,
    /// What that device is called.
    pub device_label: String,
    /// The account that did it, as the record says.
    pub by: String,
    /// Whether the record began with it.
    pub made: bool,
    /// Fields with what stood there before (several values: two devices had said different things) and since.
    pub fields: Vec<(String, Vec<Value>, Option<Value>)>,
}

impl Node {
    /// All acts on a record, the oldest first; empty when it is not here.
    pub fn history(&self, id: &str) -> Result<Vec<Act>, Error> {
        Ok(match self.record(id)? {
            Some(record) => self.histories(&[&record])?.pop().unwrap_or_default(),
            None => Vec::new(),
        })
    }

    /// The acts on each of these records; those of one document cost little more than one of them.
    pub fn histories(&self, records: &[&Record]) -> Result<Vec<Vec<Act>>, Error> {
        let mut all: Vec<Vec<Act>> = records.iter().map(|_| Vec::new()).collect();
        let mut by_document: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (at, record) in records.iter().enumerate() {
            by_document.entry(&record.doc).or_default().push(at);
        }
        for (document, places) in by_document {
            let key = DocKey::parse(document).ok_or_else(|| Error::Unreadable(document.to_owned()))?;
            let ids: Vec<&str> = places.iter().map(|at| records[*at].id.as_str()).collect();
            let (pasts, times) = self.past(&key, &ids)?;
            for (at, past) in places.into_iter().zip(pasts) {
                all[at] = self.acts(past, &times);
            }
        }
        Ok(all)
    }

    fn acts(&self, past: Vec<(i64, Deed)>, times: &HashMap<i64, i64>) -> Vec<Act> {
        // A change names its account only where it differs from what stood there.
        let mut last = String::new();
        let mut of_device: HashMap<NodeId, String> = HashMap::new();
        past.into_iter()
            .map(|(seq, deed)| {
                let by = deed
                    .by
                    .or_else(|| of_device.get(&deed.device).cloned())
                    .unwrap_or_else(|| last.clone());
                last.clone_from(&by);
                of_device.insert(deed.device, by.clone());
                Act {
                    at: times.get(&seq).copied().unwrap_or_default(),
                    device_label: self.device_label(&deed.device),
                    device: deed.device,
                    by,
                    made: deed.made,
                    fields: deed.fields,
                }
            })
            .collect()
    }

    /// What was done to records of a document, and when each change was stored.
    fn past(&self, key: &DocKey, ids: &[&str]) -> Result<Pasts, Error> {
        let found = self.store().read(|c| changes::find(c, key))?;
        let Some(doc) = found else {
            return Ok(Pasts::default());
        };
        let (roll, kinds) = (self.roll(), self.kinds());
        let mut cache = self.documents();
        let past = self
            .store()
            .read(|c| cache.past(&self.around(c, &roll, &kinds), doc, key, ids))?;
        drop(cache);
        let seqs = past.iter().flatten().map(|(seq, _)| *seq).collect();
        let times = self.store().read(|c| changes::times(c, &seqs))?;
        Ok((past, times))
    }
}

type Pasts = (Vec<Vec<(i64, Deed)>>, HashMap<i64, i64>);
