//! Which blobs a record names, who may have them, and which are missing here.
//!
//! A photo is kept in three sizes, each a blob of its own, and its record (kind `evidence`) names all three: a
//! **preview** for lists, which everybody who reads the record fetches on any link; the **copy** that proves
//! something (handwriting can be read), fetched on links that are not paid by the byte; and the **original** as the
//! telephone made it, which stays at the school and travels when somebody asks for it, here or behind a peer
//! (`errands/wishes.rs`).

use std::collections::{BTreeSet, HashSet};

use store::Connection;
use sync::authority::{may_read, prefixes};
use sync::{BlobName, DocKey, NodeId};

use crate::{Error, Node};

/// In which size a record names a blob.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Size {
    /// At most [`PREVIEW_BYTES`].
    Preview,
    /// At most [`COPY_BYTES`].
    Copy,
    /// As it was taken.
    Original,
}

/// The most that a preview may have: twenty of them go through a four-minute window of 2G.
pub const PREVIEW_BYTES: usize = 15_000;
/// The most that any blob may have.
pub use sync::limits::BLOB_BYTES;

/// The most that a copy for the network may have.
pub const COPY_BYTES: usize = 300_000;

impl Size {
    /// All, the smallest first.
    pub const ALL: [Size; 3] = [Size::Preview, Size::Copy, Size::Original];

    /// The most that is fetched as one: whoever makes them keeps to less, but for pictures of nothing but noise, and
    /// copies of older programs, which kept to no figure.
    pub const fn most(self) -> u64 {
        match self {
            Size::Preview => 60_000,
            Size::Copy => 2_000_000,
            Size::Original => BLOB_BYTES,
        }
    }

    /// The field of the record that names it.
    pub const fn field(self) -> &'static str {
        match self {
            Size::Preview => "preview",
            Size::Copy => "hash",
            Size::Original => "original",
        }
    }
}

/// In which sizes, and in which documents, records name this blob.
pub(crate) fn named(node: &Node, name: &BlobName) -> Result<Vec<(Size, DocKey)>, Error> {
    node.read(|conn| {
        let mut found = Vec::new();
        for size in Size::ALL {
            let sql = format!(
                "SELECT DISTINCT doc_key FROM record WHERE kind = 'evidence' AND fields ->> '{}' = ?",
                size.field()
            );
            let mut query = conn.prepare_cached(&sql)?;
            let mut rows = query.query([name.to_string()])?;
            while let Some(row) = rows.next()? {
                if let Some(key) = DocKey::parse(&row.get::<_, String>(0)?) {
                    found.push((size, key));
                }
            }
        }
        Ok(found)
    })
}

/// The sizes in which a device may have this blob: as it may read a record that names it. Empty: it may not.
pub(crate) fn sizes_for(node: &Node, device: &NodeId, name: &BlobName) -> Result<BTreeSet<Size>, Error> {
    let roll = node.roll();
    let named = named(node, name)?;
    let may = named
        .into_iter()
        .filter(|(_, key)| may_read(&node.0.policy, &roll, device, key));
    Ok(may.map(|(size, _)| size).collect())
}

/// Blobs that are missing here and that `peer` may have because it reads their records: previews first, then copies
/// unless the connection is metered, then the originals that were wished for; of each the newest first. `without` those
/// that this peer has not got.
pub(crate) fn missing(
    node: &Node,
    peer: &NodeId,
    without: &HashSet<BlobName>,
    most: usize,
) -> Result<Vec<(BlobName, u64)>, Error> {
    let schools = schools_of(node, peer)?;
    // A laptop that only carries takes what the county has not got yet.
    let (carries, metered) = (super::storage::carries(node), node.metered());
    node.read(|conn| {
        let mut found: Vec<(BlobName, u64)> = Vec::new();
        for size in Size::ALL {
            if metered && size != Size::Preview {
                break;
            }
            for school in &schools {
                let room = (most - found.len()) + without.len();
                for name in missing_of(conn, size, carries, school, room)? {
                    let new = !without.contains(&name) && found.iter().all(|(known, _)| *known != name);
                    if new && found.len() < most {
                        found.push((name, size.most()));
                    }
                }
            }
        }
        Ok(found)
    })
}

fn missing_of(
    conn: &Connection,
    size: Size,
    carries: bool,
    school: &str,
    most: usize,
) -> store::Result<Vec<BlobName>> {
    let wished = match size {
        Size::Original => {
            "AND (EXISTS (SELECT 1 FROM blob_wish w WHERE w.name = r.fields ->> 'original')
               OR EXISTS (SELECT 1 FROM blob_asked a WHERE a.name = r.fields ->> 'original' AND a.hops < 255))"
        }
        Size::Preview | Size::Copy if carries => {
            "AND NOT EXISTS (SELECT 1 FROM blob_receipt x WHERE x.name = r.fields ->> 'hash')"
        }
        _ => "",
    };
    let field = size.field();
    let sql = format!(
        "SELECT r.fields ->> '{field}' FROM record r LEFT JOIN blob b ON b.name = r.fields ->> '{field}'
         WHERE r.kind = 'evidence' AND r.school = ?1 AND b.name IS NULL
           AND r.fields ->> '{field}' GLOB '1e20*' AND length(r.fields ->> '{field}') = 68 {wished}
         GROUP BY r.fields ->> '{field}' ORDER BY MAX(r.date) DESC LIMIT ?2"
    );
    let mut query = conn.prepare_cached(&sql)?;
    let rows = query.query_map((school, most as i64), |row| row.get::<_, String>(0))?;
    let names: Result<Vec<String>, _> = rows.collect();
    // What was written by an honest device is a name; anything else is asked of nobody.
    Ok(names?.iter().filter_map(|name| BlobName::parse(name)).collect())
}

/// Schools whose records both this node and the device read. Asked with every look for what is missing: a hub's tens
/// of thousands of documents are looked through only where both read all schools.
fn schools_of(node: &Node, device: &NodeId) -> Result<Vec<String>, Error> {
    let both = [&node.id(), device].map(|who| logs_of(node, who));
    let common = match both {
        [Some(ours), Some(theirs)] => ours.intersection(&theirs).cloned().collect(),
        [Some(one), None] | [None, Some(one)] => one,
        [None, None] => {
            let documents = node.store().read(store::changes::documents)?;
            let logs = documents.iter().filter(|d| d.key.segment(0) == Some("log"));
            logs.filter_map(|d| d.key.segment(1).map(str::to_owned)).collect()
        }
    };
    Ok(common.into_iter().collect())
}

/// The schools whose logs a device may read; `None`: those of all.
fn logs_of(node: &Node, device: &NodeId) -> Option<BTreeSet<String>> {
    let mut schools = BTreeSet::new();
    for prefix in prefixes(&node.0.policy, &node.roll(), device) {
        match prefix.strip_prefix("log/") {
            Some("") => return None,
            Some(school) => {
                schools.insert(school.trim_end_matches('/').to_owned());
            }
            None => {}
        }
    }
    Some(schools)
}

/// Previews, copies, and originals that were asked for, that lie here, of records that the device reads, for which no
/// county store has given a receipt: what the device may have to fetch, or may know more about.
pub(crate) fn unreceipted(node: &Node, device: &NodeId, most: usize) -> Result<Vec<BlobName>, Error> {
    let schools = schools_of(node, device)?;
    node.read(|conn| {
        let mut found = Vec::new();
        for school in &schools {
            for size in Size::ALL {
                let field = size.field();
                let asked = match size {
                    Size::Original => "AND EXISTS (SELECT 1 FROM blob_asked a WHERE a.name = b.name)",
                    Size::Preview | Size::Copy => "",
                };
                let sql = format!(
                    "SELECT DISTINCT b.name FROM record r JOIN blob b ON b.name = r.fields ->> '{field}'
                     LEFT JOIN blob_receipt x ON x.name = b.name
                     WHERE r.kind = 'evidence' AND r.school = ?1 AND x.name IS NULL {asked}
                     ORDER BY r.date DESC LIMIT ?2"
                );
                let mut query = conn.prepare_cached(&sql)?;
                let room = most - found.len();
                let rows = query.query_map((school, room as i64), |row| row.get::<_, String>(0))?;
                for name in rows {
                    found.extend(BlobName::parse(&name?));
                }
            }
        }
        Ok(found)
    })
}
