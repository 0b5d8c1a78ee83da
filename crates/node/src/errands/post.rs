//! Sealed bundles that go along with whoever is met: which are offered, and which are taken.
//!
//! A node that has had no county for a while seals what waits for the county, and gives it to any device of the county
//! that it meets; that one carries it on without being able to read it (`mail.rs`), and brings back the answer. A mentor
//! carries the records as they are, and brings back the county's answer to their author.

use std::collections::HashMap;
use std::path::PathBuf;

use store::mail as rows;
use sync::wire::errand::{Along, Letter};
use sync::{BlobName, NodeId, limits};

use super::first;
use super::reasons::{Carrier, SMALL};
use crate::bundle::{self, hash_of, name_of};
use crate::{Error, Node, clocks, mail};

/// Who was in sync with the county so short ago waits for the county: seconds.
const COUNTY_IS_NEAR: i64 = 6 * 3600;

/// A bundle's own name.
pub(super) fn name(letter: &Letter) -> String {
    name_of(&letter.name)
}

/// Where it lies.
pub(super) fn path(node: &Node, name: &str) -> PathBuf {
    mail::path(node, name).unwrap_or_default()
}

/// The beginnings of the names of what lies here, so that it is not offered again.
pub(super) fn known(node: &Node) -> Result<Vec<[u8; 8]>, Error> {
    let items = mail::list(node)?.into_iter().rev();
    let names = items
        .filter_map(|item| hash_of(&item.name))
        .map(|hash| first(&hash));
    Ok(names.take(limits::ERRAND_NAMES).collect())
}

/// A letter that is offered, and the copies of it that go with it.
pub(super) struct Offered {
    pub(super) letter: Letter,
    pub(super) copies: u32,
}

/// What a peer may take along and has not got: what is for it first, then what is for others, if it has a reason to be
/// given it or there are copies to hand out. What came from it is no news to it.
pub(super) fn offer(
    node: &Node,
    peer: &NodeId,
    known: &[[u8; 8]],
    meets: &[[u8; 8]],
) -> Result<Vec<Offered>, Error> {
    if node.is_county() {
        mail::prepare_owed(node, bundle::MAX)?;
    } else if far_from_county(node)? && !reads_us(node, peer) {
        mail::prepare_all(node, bundle::MAX)?;
    }
    mail::let_go(node)?;
    let mut items = mail::list(node)?;
    let here = |item: &mail::Item| hash_of(&item.name).is_some_and(|hash| known.contains(&first(&hash)));
    let roll = node.roll();
    let passing = |item: &mail::Item| item.from != *peer && item.to != node.id() && roll.is_member(&item.to);
    let mut given = node.read(|c| rows::given(c, peer))?;
    for item in items.iter().filter(|item| here(item)) {
        if given.get(&item.name).is_some_and(|copies| *copies > 0) {
            node.local(|c| rows::set_arrived(c, &item.name, peer))?;
            given.insert(item.name.clone(), 0);
        }
    }
    items.retain(|item| passing(item) && !here(item));
    // The newest first: it holds what the earlier ones of its maker do.
    items.sort_by_key(|item| (item.to != *peer, std::cmp::Reverse((item.got_at, item.number))));
    let mut letters = Vec::new();
    let mut carrier = Carrier::new(node, *peer, meets);
    for item in items {
        if letters.len() >= limits::ERRAND_ITEMS {
            break;
        }
        let age = mail::age_of(node, &item)?;
        let reason = carrier.has_reason(&item.to)?;
        // What it was handed and has not got it is given once more, for the same copies; what it had and let go of, not.
        let copies = match given.get(&item.name) {
            _ if reason || item.bytes > SMALL => 0,
            Some(before) => *before,
            None => item.copies / 2,
        };
        if age >= mail::age::LIFE || !(reason || copies > 0) {
            continue;
        }
        let (Some(name), Some(bytes)) = (hash_of(&item.name), mail::read(node, &item.name)?) else {
            continue;
        };
        if bytes.len() as u64 > limits::BLOB_BYTES {
            continue;
        }
        let along = Along {
            age: u32::try_from(age).unwrap_or(u32::MAX),
            copies: copies.clamp(1, mail::COPIES) as u8,
        };
        let letter = Letter {
            blob: BlobName::of(&bytes),
            name,
            to: item.to,
            from: item.from,
            bytes: bytes.len() as u64,
            along: Some(along),
        };
        letters.push(Offered { letter, copies });
    }
    Ok(letters)
}

/// Whether records wait and the county has not been met for a while.
fn far_from_county(node: &Node) -> Result<bool, Error> {
    if node.is_county() || node.not_at_county()? == 0 {
        return Ok(false);
    }
    let now = node.now();
    let met = node.county_peers()?;
    let near = |p: &crate::PeerRow| {
        // By a clock that begins anew each morning, yesterday's meeting is of just now.
        let lately = |at: i64| clocks::between(at, now).is_some_and(|ago| ago < COUNTY_IS_NEAR);
        p.connected || p.in_sync_at.is_some_and(lately)
    };
    Ok(!met.into_iter().any(|p| near(&p)))
}

/// Whether a peer carries our records as they are: a mentor's laptop, which may read them.
fn reads_us(node: &Node, peer: &NodeId) -> bool {
    let roll = node.roll();
    let home = node
        .home_school()
        .and_then(|home| sync::DocKey::parse(&format!("log/{home}/2025")));
    home.is_some_and(|log| sync::authority::may_read(&node.0.policy, &roll, peer, &log))
}

/// What of it is for this node, or to be carried on: within the limit, of members, not yet old, small unless this node has
/// a reason, and not by a connection that is paid by the byte.
pub(super) fn wanted(
    node: &Node,
    peer: &NodeId,
    letters: &[Letter],
    meets: &[[u8; 8]],
) -> Result<Vec<(BlobName, u64)>, Error> {
    let (me, roll, limit, metered) = (node.id(), node.roll(), mail::limit(node)?, node.metered());
    let mut names = Vec::new();
    let mut room = limit.saturating_sub(mail::carried(node, &mail::list(node)?));
    let mut carrier = Carrier::new(node, me, meets);
    for letter in letters {
        let known = name(letter);
        let here = node.read(|c| Ok(rows::get(c, &known)?.is_some() || rows::was_taken(c, &known)?))?;
        // Never more than there is room for: what is let go for it would be asked for again.
        let fits = !metered && letter.bytes <= room && letter.to != *peer && roll.is_member(&letter.to);
        let young = letter
            .along
            .is_none_or(|along| i64::from(along.age) + mail::age::HOP < mail::age::LIFE);
        // An older program offers everybody everything.
        let carried = fits && young && (letter.bytes <= SMALL || carrier.has_reason(&letter.to)?);
        if !here && letter.from != me && (letter.to == me || carried) && letter.bytes <= limits::BLOB_BYTES {
            names.push((letter.blob, letter.bytes));
            if letter.to != me {
                room -= letter.bytes;
            }
        }
    }
    Ok(names)
}

/// What was said of letters, by the hashes of their bytes.
pub(super) type Said = HashMap<BlobName, mail::Along>;

/// What their giver has said of these.
pub(super) fn said(letters: &[Letter]) -> Said {
    let along = |letter: &Letter| {
        let along = letter.along?;
        let copies = u32::from(along.copies);
        Some((
            letter.blob,
            mail::Along {
                age: i64::from(along.age),
                copies,
            },
        ))
    };
    letters.iter().filter_map(along).collect()
}

/// Takes up or carries on what has come. A bundle that is refused is not asked for again on this link, and a person
/// is told.
pub(super) fn deliver(node: &Node, bytes: &[u8], said: &Said) -> Result<bool, Error> {
    let along = said.get(&BlobName::of(bytes)).copied().unwrap_or_default();
    match mail::deliver_along(node, bytes, along) {
        Ok(_) => Ok(true),
        Err(Error::Bundle(why)) => {
            tracing::warn!(%why, "a sealed bundle was not taken");
            Ok(false)
        }
        Err(other) => Err(other),
    }
}
