//! What files take up here, and which of them may go.
//!
//! Nothing goes that has no receipt of its own from a county store: that of the copy says nothing of the original, which
//! may be here and nowhere else. At a school the originals of older photos may go: the copy stays. A mentor's laptop only
//! carries: what the county has may go whole. An original that the county has not got goes by an act of its own
//! ([`let_go`]), for which somebody has been told that nothing brings it back.

use std::collections::BTreeSet;

use sync::BlobName;

use super::wanted::Size;
use crate::{Error, Node, Role};

/// How many files, and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Amount {
    pub(crate) fn add(&mut self, bytes: u64) {
        self.files += 1;
        self.bytes += bytes;
    }
}

/// What lies here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gauge {
    /// Previews.
    pub previews: Amount,
    /// Copies for the network.
    pub copies: Amount,
    /// Originals.
    pub originals: Amount,
    /// Copies that the county has given no receipt for yet.
    pub not_at_county: Amount,
    /// What [`tidy`] would remove.
    pub removable: Amount,
    /// Originals that [`let_go`] would remove: the county has their copies, and nobody may have them but this computer.
    pub only_here: Amount,
}

/// A blob that lies here, by a record that names it.
struct Lying {
    name: BlobName,
    size: Size,
    bytes: u64,
    date: String,
    /// A county store has it.
    receipt: bool,
    /// A county store has the copy of it.
    copy_receipt: bool,
    /// Somebody asks for it.
    asked: bool,
}

fn lying(node: &Node) -> Result<Vec<Lying>, Error> {
    // The word of an office computer that has been revoked since, and may be lost, is none.
    let stores: BTreeSet<_> = node.devices().into_iter().map(|device| device.node).collect();
    let stores = stores.into_iter().filter(|device| node.is_county_store(device));
    let stores: Vec<String> = stores
        .map(|device| data_encoding::HEXUPPER.encode(&device.0))
        .collect();
    let stores = serde_json::Value::from(stores).to_string();
    node.read(|conn| {
        let mut all = Vec::new();
        for size in Size::ALL {
            let sql = format!(
                "SELECT b.name, b.bytes, MAX(COALESCE(r.date, '')),
                    EXISTS (SELECT 1 FROM blob_receipt x
                        WHERE x.name = b.name AND hex(x.node) IN (SELECT value FROM json_each(?1))),
                    MIN(EXISTS (SELECT 1 FROM blob_receipt x
                        WHERE x.name = r.fields ->> 'hash' AND hex(x.node) IN (SELECT value FROM json_each(?1)))),
                    EXISTS (SELECT 1 FROM blob_asked a WHERE a.name = b.name AND a.hops < 255)
                 FROM record r JOIN blob b ON b.name = r.fields ->> '{}' WHERE r.kind = 'evidence' GROUP BY b.name",
                size.field()
            );
            let mut query = conn.prepare_cached(&sql)?;
            let mut rows = query.query([&stores])?;
            while let Some(row) = rows.next()? {
                let Some(name) = BlobName::parse(&row.get::<_, String>(0)?) else {
                    continue;
                };
                all.push(Lying {
                    name,
                    size,
                    bytes: u64::try_from(row.get::<_, i64>(1)?).unwrap_or(0),
                    date: row.get(2)?,
                    receipt: row.get(3)?,
                    copy_receipt: row.get(4)?,
                    asked: row.get(5)?,
                });
            }
        }
        Ok(all)
    })
}

/// Whether this node only carries what it has: a mentor's laptop.
pub(super) fn carries(node: &Node) -> bool {
    let roll = node.roll();
    let mine: Vec<_> = roll.grants(&node.id()).map(|grant| grant.role).collect();
    !mine.is_empty()
        && mine
            .iter()
            .all(|role| [Role::Mentor.code(), Role::MentorReader.code()].contains(role))
}

/// Whether this is a store of the county: what the schools let go on its receipt is here, so nothing goes.
fn keeps_all(node: &Node) -> bool {
    node.is_county_store(&node.id())
}

fn is_old(one: &Lying, before: &str) -> bool {
    !one.date.is_empty() && one.date.as_str() < before
}

fn may_go(one: &Lying, carries: bool, before: &str) -> bool {
    one.receipt && is_old(one, before) && (carries || one.size == Size::Original)
}

/// An original that the county has not got, and does not ask for.
fn only_here(one: &Lying, carries: bool, before: &str) -> bool {
    let original = one.size == Size::Original && !carries;
    original && !one.receipt && one.copy_receipt && !one.asked && is_old(one, before)
}

/// What lies here, and what of it may go: of photos dated before `before` (`YYYY-MM-DD`).
pub fn gauge(node: &Node, before: &str) -> Result<Gauge, Error> {
    let carries = carries(node);
    let keeps_all = keeps_all(node);
    let office = node.is_county() || node.is_auditor();
    let mut gauge = Gauge::default();
    for one in lying(node)? {
        match one.size {
            Size::Preview => gauge.previews.add(one.bytes),
            Size::Copy => gauge.copies.add(one.bytes),
            Size::Original => gauge.originals.add(one.bytes),
        }
        if one.size == Size::Copy && !one.receipt && !office {
            gauge.not_at_county.add(one.bytes);
        }
        if keeps_all {
            continue;
        }
        if may_go(&one, carries, before) {
            gauge.removable.add(one.bytes);
        }
        if only_here(&one, carries, before) {
            gauge.only_here.add(one.bytes);
        }
    }
    Ok(gauge)
}

/// Removes what may go; what it was.
pub fn tidy(node: &Node, before: &str) -> Result<Amount, Error> {
    remove(node, |one, carries| may_go(one, carries, before))
}

/// Removes originals of which the county has the copy alone: by the act of somebody who was told that nothing brings
/// them back. What it was.
pub fn let_go(node: &Node, before: &str) -> Result<Amount, Error> {
    remove(node, |one, carries| only_here(one, carries, before))
}

fn remove(node: &Node, may: impl Fn(&Lying, bool) -> bool) -> Result<Amount, Error> {
    if keeps_all(node) {
        return Ok(Amount::default());
    }
    let carries = carries(node);
    let all = lying(node)?;
    // One file may be named in several ways: it goes only if it may go under each.
    let (goes, stays): (Vec<&Lying>, Vec<&Lying>) = all.iter().partition(|one| may(one, carries));
    let stays: BTreeSet<BlobName> = stays.iter().map(|one| one.name).collect();
    let mut gone = Amount::default();
    for one in goes.iter().filter(|one| !stays.contains(&one.name)) {
        super::remove(node, &one.name)?;
        gone.add(one.bytes);
    }
    Ok(gone)
}
