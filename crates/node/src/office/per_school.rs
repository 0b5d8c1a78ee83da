//! What is computed from a school's documents as a whole and asked for often: kept until one of them changes.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::{Error, Node};

/// What a school's answer was computed from: the roll, how far the views of its documents and of the registry
/// (whose kinds say what counts) had come, and at a school what other stores had given receipts for.
type Stand = ([u8; 8], Vec<(String, i64)>, Option<(i64, i64)>);

type Kept<T> = BTreeMap<([u8; 16], String), (Stand, T)>;

/// Answers by store and school. To look through a whole county takes seconds, through one school milliseconds, and
/// between two looks hardly any school has changed.
pub(super) struct PerSchool<T> {
    kept: Mutex<Kept<T>>,
    /// Answers that are kept at most.
    most: usize,
    /// Whether the answer says how far records have come.
    ways: bool,
}

impl<T: Clone> PerSchool<T> {
    /// For answers that are the same wherever the records are.
    pub(super) const fn new() -> PerSchool<T> {
        PerSchool {
            kept: Mutex::new(BTreeMap::new()),
            most: usize::MAX,
            ways: false,
        }
    }

    /// For long answers, of which a few are kept, that say how far records have come.
    pub(super) const fn of_few(most: usize) -> PerSchool<T> {
        PerSchool {
            kept: Mutex::new(BTreeMap::new()),
            most,
            ways: true,
        }
    }

    /// The answers of all schools that `wanted` names.
    pub(super) fn all(
        &self,
        node: &Node,
        wanted: impl Fn(&str) -> bool,
        make: impl Fn(&str) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        let roll = node.roll().digest();
        // At the county everything has arrived.
        let receipts = match self.ways && !node.is_county() && !node.is_auditor() {
            true => Some(node.read(store::peers::receipts_stand)?),
            false => None,
        };
        let mut known = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = Vec::new();
        for (school, documents) in documents(node, wanted)? {
            let stand = (roll, documents, receipts);
            let key = (node.store_id().0, school);
            let answer = match known.get(&key).filter(|(of, _)| *of == stand) {
                Some((_, answer)) => answer.clone(),
                None => {
                    let answer = make(&key.1)?;
                    if known.len() >= self.most && !known.contains_key(&key) {
                        known.pop_first();
                    }
                    known.insert(key, (stand, answer.clone()));
                    answer
                }
            };
            all.push(answer);
        }
        Ok(all)
    }
}

/// The documents of each school, with how far their views have come.
fn documents(
    node: &Node,
    wanted: impl Fn(&str) -> bool,
) -> Result<BTreeMap<String, Vec<(String, i64)>>, Error> {
    node.read(|conn| {
        let mut schools: BTreeMap<String, Vec<(String, i64)>> = BTreeMap::new();
        let mut query = conn.prepare_cached(
            "SELECT key, viewed FROM document WHERE key LIKE 'log/%' OR key LIKE 'base/%'
             OR key LIKE 'ledger/%' OR key LIKE 'visits/%' OR key = 'registry' ORDER BY key",
        )?;
        let mut found = query.query(())?;
        let mut registry = 0;
        while let Some(row) = found.next()? {
            let key: String = row.get(0)?;
            if key == "registry" {
                registry = row.get(1)?;
            }
            // A mentor's sheets about a school stand under the mentor's number.
            let at = if key.starts_with("visits/") { 2 } else { 1 };
            if let Some(school) = key.split('/').nth(at).filter(|school| wanted(school)) {
                schools
                    .entry(school.to_owned())
                    .or_default()
                    .push((key.clone(), row.get(1)?));
            }
        }
        for documents in schools.values_mut() {
            documents.push(("registry".to_owned(), registry));
        }
        Ok(schools)
    })
}
