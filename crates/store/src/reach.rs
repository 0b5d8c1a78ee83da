//! What somebody may read of the documents: where to look, and the last word on each key.

use rusqlite::Connection;
use sync::DocKey;

use crate::Result;
use crate::changes::{self, Document};

/// A reader's part of the documents. A hub with tens of thousands of them looks only where a key can fit.
pub struct Reach<'a> {
    prefixes: Vec<String>,
    may_read: Box<dyn Fn(&DocKey) -> bool + 'a>,
}

/// Above every character that a key can have.
const END: char = '~';

pub(crate) const UNDER: &str = "SELECT id, key, viewed, last, changes, bytes, heads FROM document
    WHERE key >= ?1 AND key < ?2 AND last > ?3 ORDER BY key";

impl<'a> Reach<'a> {
    /// `prefixes` cover every key that `may_read` lets through (`sync::authority::prefixes`), and
    /// more; none of them begins another.
    pub fn new(prefixes: Vec<String>, may_read: impl Fn(&DocKey) -> bool + 'a) -> Reach<'a> {
        Reach {
            prefixes,
            may_read: Box::new(may_read),
        }
    }

    /// Looks at every document.
    pub fn anywhere(may_read: impl Fn(&DocKey) -> bool + 'a) -> Reach<'a> {
        Reach::new(vec![String::new()], may_read)
    }

    /// The stored documents, by key.
    pub fn documents(&self, c: &Connection) -> Result<Vec<Document>> {
        self.newer(c, 0)
    }

    /// Those with a change after a local sequence.
    pub fn newer(&self, c: &Connection, after: u64) -> Result<Vec<Document>> {
        let mut statement = c.prepare_cached(UNDER)?;
        let mut found = Vec::new();
        for prefix in &self.prefixes {
            let after = i64::try_from(after).unwrap_or(i64::MAX);
            let mut rows = statement.query((prefix, format!("{prefix}{END}"), after))?;
            while let Some(row) = rows.next()? {
                let document = changes::document(row)?;
                if self.lets(&document.key) {
                    found.push(document);
                }
            }
        }
        Ok(found)
    }

    /// The last word on one key.
    pub fn lets(&self, key: &DocKey) -> bool {
        (self.may_read)(key)
    }
}
