//! What is computed from a school's documents as a whole and asked for often: kept until one of them changes.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::{Error, Node};

/// What a school's answer was computed from: the roll, and how far the views of its documents and of the registry
/// (whose kinds say what counts) had come.
type Stand = ([u8; 8], Vec<(String, i64)>);

type Kept<T> = BTreeMap<([u8; 16], String), (Stand, T)>;

/// Answers by store and school. To look through a whole county takes seconds, through one school milliseconds, and
/// between two looks hardly any school has changed.
pub(super) struct PerSchool<T>(Mutex<Kept<T>>);

impl<T: Clone> PerSchool<T> {
    pub(super) const fn new() -> PerSchool<T> {
        PerSchool(Mutex::new(BTreeMap::new()))
    }

    /// The answers of all schools that `wanted` names.
    pub(super) fn all(
        &self,
        node: &Node,
        wanted: impl Fn(&str) -> bool,
        make: impl Fn(&str) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        let roll = node.roll().digest();
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = Vec::new();
        for (school, documents) in documents(node, wanted)? {
            let stand = (roll, documents);
            let key = (node.store_id().0, school);
            let answer = match known.get(&key).filter(|(of, _)| *of == stand) {
                Some((_, answer)) => answer.clone(),
                None => {
                    let answer = make(&key.1)?;
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
             OR key LIKE 'ledger/%' OR key = 'registry' ORDER BY key",
        )?;
        let mut found = query.query(())?;
        let mut registry = 0;
        while let Some(row) = found.next()? {
            let key: String = row.get(0)?;
            if key == "registry" {
                registry = row.get(1)?;
            }
            if let Some(school) = key.split('/').nth(1).filter(|school| wanted(school)) {
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
