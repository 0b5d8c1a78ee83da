//! The history of a record: who, when, what stood there before.

use std::collections::HashMap;

use records::Value;
use store::changes;
use sync::{DocKey, NodeId};

use crate::{Error, Node};

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
        let Some(record) = self.record(id)? else {
            return Ok(Vec::new());
        };
        let key = DocKey::parse(&record.doc).ok_or_else(|| Error::Unreadable(record.doc.clone()))?;
        let (past, times) = self.past(&key, id)?;
        // A change names its account only where it differs from what stood there.
        let mut last = String::new();
        let mut of_device: HashMap<NodeId, String> = HashMap::new();
        Ok(past
            .into_iter()
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
            .collect())
    }

    /// What was done to a record of a document, and when each change was stored.
    fn past(&self, key: &DocKey, id: &str) -> Result<Past, Error> {
        let found = self.store().read(|c| changes::find(c, key))?;
        let Some(doc) = found else {
            return Ok(Past::default());
        };
        let past = self.with_documents(|cache, around| cache.past(around, doc, key, id))?;
        let times = self.store().read(|c| changes::times(c, doc))?;
        Ok((past, times))
    }
}

type Past = (Vec<(i64, crate::documents::Deed)>, HashMap<i64, i64>);
