//! Sealed bundles on their way: our own until they are answered, and those that this node carries for others
//! without being able to read them.
//!
//! Each lies as `mail/<name>.yx` in the data directory and has a row (`store::mail`). What is carried for others is
//! bounded in bytes: the oldest of the sender that takes most room goes first. It is dropped when an answer to
//! it passes through, or when it is sixty days old, whoever carried it ([`age`]). Its maker keeps it until it is answered.

pub mod age;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use store::mail as rows;
pub use store::mail::Row as Item;
use sync::{NodeId, limits};

use crate::bundle::{self, BundleError, Head, Taken, hash_of};
use crate::directory::{file, write_whole};
use crate::{Error, Node};

/// Bytes that are carried for others unless a person says otherwise: some twenty-five full sticks of a school's
/// year, and little of any disk.
pub const LIMIT: u64 = 200 * 1024 * 1024;

/// Copies of a letter of ours that are handed to devices that have no reason to be given it: as in binary spray and wait
/// (Spyropoulos and others, 2005), each gets half of what its giver has, and who has one waits for somebody with a
/// reason. So 4, 2 and 1 go to the first three, whose own go on to four more: in a county of fifty schools
/// one in seven.
pub const COPIES: u32 = 8;

/// What travels with a letter besides its bytes, where it is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Along {
    /// Its age in seconds, without the present handing over.
    pub age: i64,
    /// Copies that may be handed on without a reason, the one here included.
    pub copies: u32,
}

impl Default for Along {
    /// What nobody has said anything of: new, and one copy.
    fn default() -> Along {
        Along { age: 0, copies: 1 }
    }
}

/// What became of something that was handed over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Delivered {
    /// For this node: taken up.
    Taken(Box<Taken>),
    /// For another: carried on.
    Kept,
    /// Lies here already.
    Known,
    /// For another, and too old to be carried on.
    Old,
}

fn folder(node: &Node) -> PathBuf {
    node.dir().join("mail")
}

pub(crate) fn path(node: &Node, name: &str) -> Option<PathBuf> {
    hash_of(name)?;
    Some(folder(node).join(format!("{name}.yx")))
}

/// All that lies here, oldest first.
pub fn list(node: &Node) -> Result<Vec<Item>, Error> {
    Ok(node.store().read(rows::list)?)
}

/// The bytes of one; `None` if it is not here (any more).
pub fn read(node: &Node, name: &str) -> Result<Option<Vec<u8>>, Error> {
    let Some(path) = path(node, name) else {
        return Ok(None);
    };
    if node.store().read(|c| rows::get(c, name))?.is_none() {
        return Ok(None);
    }
    match fs::read(&path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(file(&path)(error)),
    }
}

/// It was written to a stick.
pub(crate) fn set_handed(node: &Node, name: &str) -> Result<(), Error> {
    Ok(node.store().write(|tx| rows::set_handed(tx, name, true))?)
}

/// Lets go of one.
pub(crate) fn forget(node: &Node, name: &str) -> Result<(), Error> {
    node.store().write(|tx| rows::remove(tx, name))?;
    if let Some(path) = path(node, name) {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(file(&path)(error)),
            _ => {}
        }
    }
    Ok(())
}

fn store_one(
    node: &Node,
    name: String,
    head: &Head,
    bytes: &[u8],
    own: Option<([u8; 32], u64)>,
    along: Along,
) -> Result<(), Error> {
    let born = age::clock(node)?.saturating_sub(along.age);
    let to = path(node, &name).ok_or(BundleError::BadHead)?;
    // The file first: a row without one would promise what is not here.
    write_whole(&to, "part", bytes)?;
    let row = rows::Row {
        name,
        to: head.to,
        from: head.from,
        bytes: bytes.len() as u64,
        number: head.number,
        part: head.part,
        parts: head.parts,
        made: head.made,
        got_at: node.now(),
        content: own.map(|o| o.0),
        changes: own.map_or(0, |o| o.1),
        handed: false,
        born,
        copies: along.copies.clamp(1, COPIES),
    };
    Ok(node.store().write(|tx| rows::insert(tx, &row))?)
}

/// The bytes that this node carries for others at most.
pub fn limit(node: &Node) -> Result<u64, Error> {
    let kept = node.store().read(|c| store::meta(c, "mail_limit"))?;
    let kept = kept.and_then(|b| <[u8; 8]>::try_from(b).ok());
    Ok(kept.map_or(LIMIT, u64::from_be_bytes))
}

/// Sets it; 0: nothing is carried.
pub fn set_limit(node: &Node, bytes: u64) -> Result<(), Error> {
    node.local(|c| store::set_meta(c, "mail_limit", &bytes.to_be_bytes()))?;
    let_go(node)
}

/// The bytes among these that are carried for others.
pub fn carried(node: &Node, items: &[Item]) -> u64 {
    let others = items.iter().filter(|item| item.from != node.id());
    others.map(|item| item.bytes).sum()
}

/// Lets go of earlier bundles from and to the same devices once all parts of a later one lie here: it holds what they
/// do, as far as nobody has said that it arrived.
fn forget_earlier(node: &Node, head: &Head) -> Result<(), Error> {
    let mut same = node.store().read(rows::list)?;
    same.retain(|row| row.from == head.from && row.to == head.to);
    let whole = same.iter().filter(|row| row.number == head.number).count() == usize::from(head.parts);
    for row in same
        .iter()
        .filter(|row| whole && row.number < head.number && row.made <= head.made)
    {
        forget(node, &row.name)?;
    }
    Ok(())
}

/// The age of one, in seconds. Our own are new whenever they are handed over: what is not answered is still to go.
pub fn age_of(node: &Node, item: &Item) -> Result<i64, Error> {
    Ok(match item.from == node.id() {
        true => 0,
        false => age::clock(node)?.saturating_sub(item.born).max(0),
    })
}

/// One went to a device that had no reason to be given it, with so many of its copies.
pub(crate) fn give(node: &Node, name: &str, to: &NodeId, copies: u32) -> Result<(), Error> {
    if copies == 0 {
        return Ok(());
    }
    Ok(node.store().write(|tx| rows::give(tx, name, to, copies))?)
}

/// [`keep_along`] of what nobody has said anything of.
pub fn keep(node: &Node, bytes: &[u8]) -> Result<Delivered, Error> {
    keep_along(node, bytes, Along::default())
}

/// Keeps a bundle of one device of the county for another. It is whole and signed, or it is not carried; nor is it when
/// it has grown old.
pub fn keep_along(node: &Node, bytes: &[u8], along: Along) -> Result<Delivered, Error> {
    let (head, name, _) = bundle::open_outside(node, bytes)?;
    let roll = node.roll();
    if roll.is_revoked(&head.from) {
        return Err(BundleError::Revoked(node.device_label(&head.from)).into());
    }
    if !roll.is_member(&head.from) {
        return Err(BundleError::Stranger(node.device_label(&head.from)).into());
    }
    if !roll.is_member(&head.to) {
        return Err(BundleError::NotAMember(node.device_label(&head.to)).into());
    }
    answered(node, &head)?;
    if node.store().read(|c| rows::get(c, &name))?.is_some() || head.from == node.id() {
        return Ok(Delivered::Known);
    }
    let along = Along {
        age: age::on_arrival(along.age),
        ..along
    };
    if along.age >= age::LIFE {
        return Ok(Delivered::Old);
    }
    make_room(node, bytes.len() as u64, Some(&name))?;
    store_one(node, name, &head, bytes, None, along)?;
    forget_earlier(node, &head)?;
    node.0.changed.send_modify(|n| *n += 1);
    Ok(Delivered::Kept)
}

/// Lets go of what an answer names: bundles of its recipient for its sender.
pub(crate) fn answered(node: &Node, head: &Head) -> Result<usize, Error> {
    let mut gone = 0;
    for name in bundle::answered_names(head) {
        let row = node.store().read(|c| rows::get(c, &name))?;
        if row.is_some_and(|r| r.from == head.to && r.to == head.from) {
            forget(node, &name)?;
            gone += 1;
        }
    }
    Ok(gone)
}

/// Lets go of what is too old, or more than may be carried.
pub(crate) fn let_go(node: &Node) -> Result<(), Error> {
    make_room(node, 0, None)
}

/// Lets go of what is too old, and of what is too much with `more` bytes coming. Our own that hold changes stay, and go
/// out anew: those who carried them have let go of them by now.
fn make_room(node: &Node, more: u64, coming: Option<&str>) -> Result<(), Error> {
    let (me, now, limit) = (node.id(), age::clock(node)?, limit(node)?);
    let roll = node.roll();
    if more > limit {
        return Err(BundleError::TooLarge.into());
    }
    let mut carried: BTreeMap<NodeId, Vec<rows::Row>> = BTreeMap::new();
    let mut total = more;
    for row in node.store().read(rows::list)? {
        let old = now.saturating_sub(row.born) >= age::LIFE;
        // Nobody opens it any more who should.
        if !roll.is_member(&row.to) {
            forget(node, &row.name)?;
        } else if row.from == me {
            if old && row.changes == 0 {
                forget(node, &row.name)?;
            } else if old {
                node.store().write(|tx| rows::renew(tx, &row.name, now, COPIES))?;
            }
        } else if old {
            forget(node, &row.name)?;
        } else if coming != Some(&row.name) {
            total += row.bytes;
            carried.entry(row.from).or_default().push(row);
        }
    }
    while total > limit {
        let size = |all: &Vec<rows::Row>| all.iter().map(|r| r.bytes).sum::<u64>();
        let Some(most) = carried
            .values_mut()
            .max_by_key(|all| size(all))
            .filter(|all| !all.is_empty())
        else {
            break;
        };
        let row = most.remove(0);
        total -= row.bytes;
        forget(node, &row.name)?;
    }
    Ok(())
}

/// [`deliver_along`] of what nobody has said anything of, such as a file that a person brings by a page.
pub fn deliver(node: &Node, bytes: &[u8]) -> Result<Delivered, Error> {
    deliver_along(node, bytes, Along::default())
}

/// A bundle has come, by stick, page or link: taken up if it is for this node, carried on otherwise. An answer
/// to what was taken up lies in the mail when this returns.
pub fn deliver_along(node: &Node, bytes: &[u8], along: Along) -> Result<Delivered, Error> {
    let (head, ..) = Head::read(bytes)?;
    if head.to != node.id() {
        return keep_along(node, bytes, along);
    }
    let taken = bundle::take(node, bytes);
    // Also when it did not open: its sender is told.
    if node.roll().is_member(&head.from) {
        prepare(node, &head.from, bundle::MAX)?;
    }
    Ok(Delivered::Taken(Box::new(taken?)))
}

/// Seals what a device is to have of us into the mail, unless the same lies there already; what lay there before is
/// contained in it. Returns all that lies here of us for it.
pub fn prepare(node: &Node, to: &NodeId, max: usize) -> Result<Vec<Item>, Error> {
    let inside = bundle::gather(node, to, max)?;
    let (me, content) = (node.id(), inside.content());
    let before: Vec<rows::Row> = node.store().read(rows::list)?;
    let before: Vec<rows::Row> = before
        .into_iter()
        .filter(|r| r.from == me && r.to == *to)
        .collect();
    let whole = |r: &rows::Row| {
        let there = path(node, &r.name).and_then(|p| fs::metadata(p).ok());
        r.content == Some(content) && there.is_some_and(|m| m.len() == r.bytes)
    };
    let same = before.iter().filter(|r| whole(r)).count();
    let as_before = before
        .first()
        .is_some_and(|r| same == usize::from(r.parts) && same == before.len());
    if inside.news && as_before {
        node.store().write(|tx| {
            before
                .iter()
                .try_for_each(|r| rows::set_handed(tx, &r.name, false))
        })?;
    } else if inside.news {
        let made = bundle::seal_all(node, to, &inside)?;
        for b in &made {
            let own = Some((content, inside.changes as u64));
            let along = Along {
                age: 0,
                copies: COPIES,
            };
            store_one(node, b.name.clone(), &b.head, &b.bytes, own, along)?;
        }
        for row in &before {
            forget(node, &row.name)?;
        }
    } else {
        // All of it was acknowledged on another way; what only answers stays until it is old.
        for row in before.iter().filter(|r| r.changes > 0) {
            forget(node, &row.name)?;
        }
    }
    node.store().write(|tx| rows::set_owed(tx, to, false))?;
    let now = list(node)?;
    Ok(now.into_iter().filter(|i| i.from == me && i.to == *to).collect())
}

/// Seals the answers that others wait for: authors whose records came by way of somebody else.
pub(crate) fn prepare_owed(node: &Node, max: usize) -> Result<(), Error> {
    let roll = node.roll();
    for (device, owed) in node.store().read(rows::correspondents)? {
        if owed && roll.is_member(&device) && device != node.id() && !node.is_county_store(&device) {
            prepare(node, &device, max)?;
        }
    }
    let_go(node)
}

/// Seals what waits for everybody whom this node writes to by itself: the county, and whoever waits for an answer.
pub fn prepare_all(node: &Node, max: usize) -> Result<Vec<Item>, Error> {
    let mut to: BTreeSet<NodeId> = bundle::county_device(node)?.into_iter().collect();
    let roll = node.roll();
    for (device, owed) in node.store().read(rows::correspondents)? {
        let known = roll.is_member(&device) && device != node.id();
        match known {
            true if owed || node.is_county() => {
                to.insert(device);
            }
            true => {}
            // Revoked, or never one of ours: nothing is owed to it.
            false if owed => node.store().write(|tx| rows::set_owed(tx, &device, false))?,
            false => {}
        }
    }
    // What lies here already is looked at anew: it may hold less than there is, or have been acknowledged.
    let me = node.id();
    to.extend(
        list(node)?
            .iter()
            .filter(|i| i.from == me && roll.is_member(&i.to))
            .map(|i| i.to),
    );
    if node.is_county() {
        // The office's own devices meet over the network.
        to.retain(|device| !node.is_county_store(device));
    }
    let mut all = Vec::new();
    for device in to {
        all.extend(prepare(node, &device, max)?);
    }
    let_go(node)?;
    Ok(all)
}

/// Bytes of a file that may be a bundle; `None` if it is larger than any.
pub(crate) fn read_bounded(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    let size = fs::metadata(path).map_err(file(path))?.len();
    if size > limits::BUNDLE_BYTES as u64 {
        return Ok(None);
    }
    fs::read(path).map(Some).map_err(file(path))
}
