//! Records as pages and the office read them: a view row with its typed values and its way to the county.

use std::collections::{BTreeMap, HashMap};

use records::{Fields, Value};
use store::views::{self, Row};
use sync::{ActorId, NodeId};

use crate::{Error, Node};

/// How far a record is on its way, as receipts tell and nothing else.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord)]
pub enum Way {
    /// 已保存在本校: durable here, no receipt for all of it.
    Saved,
    /// 导师已带走: all of it is in the store of somebody outside the school who is not the county.
    Carried,
    /// 已到县: all of it is in a county store, by that store's receipt.
    AtCounty,
    /// At a node that did not write it, such as the county's own.
    Received,
}

/// One record.
#[derive(Clone, PartialEq, Debug)]
pub struct Record {
    /// Document key.
    pub doc: String,
    /// School of the document, if it has one.
    pub school: Option<String>,
    /// School year of the document, if it has one.
    pub year: Option<i32>,
    /// Record id.
    pub id: String,
    /// Kind id.
    pub kind: String,
    /// Kind version.
    pub version: u32,
    /// Winning values.
    pub fields: Fields,
    /// Fields with several concurrent values: all of them.
    pub others: BTreeMap<String, Vec<Value>>,
    /// A counting field has two different values: counts zero until a person chooses.
    pub disputed: bool,
    /// Device of the newest value.
    pub author: NodeId,
    /// How far it has come.
    pub way: Way,
}

impl Record {
    /// A text field, or "".
    pub fn text(&self, field: &str) -> &str {
        self.fields.get(field).and_then(Value::as_text).unwrap_or("")
    }

    /// A number field, or 0.
    pub fn int(&self, field: &str) -> i64 {
        self.fields.get(field).and_then(Value::as_int).unwrap_or(0)
    }

    /// A yes-or-no field, or no.
    pub fn flag(&self, field: &str) -> bool {
        self.fields.get(field).and_then(Value::as_bool).unwrap_or(false)
    }
}

/// Which records to read.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Filter(views::Filter);

impl Filter {
    /// All of a kind.
    pub fn kind(kind: &str) -> Filter {
        Filter(views::Filter {
            kind: Some(kind.into()),
            ..views::Filter::default()
        })
    }

    /// Of one school.
    pub fn school(mut self, school: &str) -> Filter {
        self.0.school = Some(school.into());
        self
    }

    /// Of one school year, by the calendar year in which it begins.
    pub fn year(mut self, year: i32) -> Filter {
        self.0.year = Some(year);
        self
    }

    /// Of one person.
    pub fn person(mut self, person: &str) -> Filter {
        self.0.person = Some(person.into());
        self
    }

    /// About one record: attendance and claims of a session, the decision of a claim, facts of a person.
    pub fn about(mut self, about: &str) -> Filter {
        self.0.about = Some(about.into());
        self
    }

    /// Of every kind, about one record.
    pub fn all_about(about: &str) -> Filter {
        Filter(views::Filter {
            about: Some(about.into()),
            ..views::Filter::default()
        })
    }

    /// Of every kind, of one person.
    pub fn all_of(person: &str) -> Filter {
        Filter(views::Filter {
            person: Some(person.into()),
            ..views::Filter::default()
        })
    }

    /// At most so many.
    pub fn limit(mut self, limit: u32) -> Filter {
        self.0.limit = Some(limit);
        self
    }

    /// Newest date first.
    pub fn newest_first(mut self) -> Filter {
        self.0.newest_first = true;
        self
    }
}

type Held = HashMap<(i64, ActorId), u64>;

/// What other stores hold, read once for a list of records.
struct Receipts {
    county: Held,
    anyone: Held,
}

fn holds(held: &Held, doc: i64, parts: &[(ActorId, u64)]) -> bool {
    parts
        .iter()
        .all(|(actor, seq)| held.get(&(doc, *actor)).is_some_and(|h| h >= seq))
}

impl Node {
    /// Reads records.
    pub fn records(&self, filter: &Filter) -> Result<Vec<Record>, Error> {
        let rows = self.store().read(|c| views::list(c, &filter.0))?;
        // At the county all has come; the receipts of a thousand schools are not read for every list.
        let receipts = match self.is_county() {
            true => None,
            false => Some(self.receipts()?),
        };
        Ok(rows
            .into_iter()
            .map(|row| self.to_record(row, receipts.as_ref()))
            .collect())
    }

    /// Counts records.
    pub fn count(&self, filter: &Filter) -> Result<u64, Error> {
        Ok(self.store().read(|c| views::count(c, &filter.0))?)
    }

    /// One record by its id.
    pub fn record(&self, id: &str) -> Result<Option<Record>, Error> {
        let filter = views::Filter {
            id: Some(id.into()),
            limit: Some(1),
            ..views::Filter::default()
        };
        Ok(self.records(&Filter(filter))?.pop())
    }

    /// How many records written by this school's (or this) devices have no county receipt yet.
    pub fn not_at_county(&self) -> Result<u64, Error> {
        let receipts = self.receipts()?;
        let rows = self.store().read(views::parts)?;
        let mut known: HashMap<NodeId, bool> = HashMap::new();
        let mut own = |device: &NodeId| *known.entry(*device).or_insert_with(|| self.is_ours(device));
        let mut ours = |parts: &[(ActorId, u64)]| parts.iter().any(|(a, _)| own(&a.device));
        let missing = rows
            .iter()
            .filter(|(doc, p)| ours(p) && !holds(&receipts.county, *doc, p));
        Ok(missing.count() as u64)
    }

    /// The local sequence of the last change that a record's values stand in.
    pub(crate) fn stands_at(&self, id: &str) -> Result<Option<u64>, Error> {
        let filter = views::Filter {
            id: Some(id.into()),
            limit: Some(1),
            ..views::Filter::default()
        };
        Ok(self.store().read(|c| match views::list(c, &filter)?.pop() {
            Some(row) => store::changes::last_part(c, row.doc, &row.parts),
            None => Ok(None),
        })?)
    }

    fn receipts(&self) -> Result<Receipts, Error> {
        let peers = self.store().read(store::peers::list)?;
        let nodes: Vec<NodeId> = peers
            .into_iter()
            .map(|p| p.node)
            .filter(|n| !self.is_ours(n))
            .collect();
        let county: Vec<NodeId> = nodes
            .iter()
            .copied()
            .filter(|n| self.is_county_store(n))
            .collect();
        self.store().read(|c| {
            Ok(Receipts {
                county: store::peers::held_by(c, &county)?,
                anyone: store::peers::held_by(c, &nodes)?,
            })
        })
    }

    fn to_record(&self, row: Row, receipts: Option<&Receipts>) -> Record {
        let ours = || row.parts.iter().any(|(a, _)| self.is_ours(&a.device));
        let way = match receipts.filter(|_| ours()) {
            None => Way::Received,
            Some(receipts) if holds(&receipts.county, row.doc, &row.parts) => Way::AtCounty,
            Some(receipts) if holds(&receipts.anyone, row.doc, &row.parts) => Way::Carried,
            Some(_) => Way::Saved,
        };
        Record {
            doc: row.doc_key,
            school: row.school,
            year: row.year,
            id: row.id,
            kind: row.kind,
            version: row.version,
            fields: serde_json::from_str(&row.fields).unwrap_or_default(),
            others: row
                .others
                .and_then(|o| serde_json::from_str(&o).ok())
                .unwrap_or_default(),
            disputed: row.disputed,
            author: row.author,
            way,
        }
    }
}
