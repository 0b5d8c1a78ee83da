//! Originals that are asked for over several links: an auditor asks on a page, the county office hears of it, a mentor
//! takes the wish along, the school has the photo.
//!
//! Each side says on each link which originals it asks for and which it was asked for by others ([`news`]); the other keeps
//! that in place of what it heard before ([`take`]), fetches them where it can (`blobs/wanted.rs`), and says so in turn. A wish
//! goes on only among devices that may read the record, [`LINKS`] at most, and is forgotten after [`LIFE`].

use std::collections::BTreeMap;

use store::blobs as rows;
use sync::wire::errand::Wish;
use sync::{BlobName, NodeId, limits};

use crate::blobs::wanted::{self, Size};
use crate::{Error, Node};

/// Links that a wish goes over: from the auditor to the office, to a mentor, to a school.
const LINKS: u8 = 3;

/// What a device has asked for counts for so long without its being met again, in seconds.
const LIFE: i64 = 60 * 86_400;

/// What a peer is to be told besides what it was told last on this link: `None` if nothing.
pub(super) fn news(node: &Node, peer: &NodeId, told: Option<&[Wish]>) -> Result<Option<Vec<Wish>>, Error> {
    let wishes = of(node, peer)?;
    let new = match told {
        Some(told) => told != wishes,
        None => !wishes.is_empty() || node.read(|c| rows::was_told(c, peer))?,
    };
    if new {
        node.store()
            .write(|tx| rows::set_told(tx, peer, !wishes.is_empty()))?;
    }
    Ok(new.then_some(wishes))
}

/// What a peer is asked for or may bring: our own wishes first, and those of others but the peer itself.
fn of(node: &Node, peer: &NodeId) -> Result<Vec<Wish>, Error> {
    let (own, asked) = node.read(|c| Ok((rows::wishes(c)?, rows::asked(c)?)))?;
    let mut all: BTreeMap<BlobName, u8> = BTreeMap::new();
    for one in asked.iter().filter(|one| one.node != *peer && one.hops < LINKS) {
        if node.read(|c| rows::size(c, &one.name))?.is_none() {
            let hops = all.entry(one.name).or_insert(one.hops);
            *hops = one.hops.min(*hops);
        }
    }
    all.extend(own.iter().filter_map(|name| Some((BlobName::parse(name)?, 0))));
    let mut wishes: Vec<Wish> = all.into_iter().map(|(name, hops)| Wish { name, hops }).collect();
    wishes.sort_by_key(|wish| (wish.hops, wish.name));
    let mut told = Vec::new();
    for wish in wishes {
        if told.len() < limits::ERRAND_ITEMS && may_ask(node, peer, &wish.name)? {
            told.push(wish);
        }
    }
    Ok(told)
}

fn may_ask(node: &Node, device: &NodeId, name: &BlobName) -> Result<bool, Error> {
    Ok(wanted::sizes_for(node, device, name)?.contains(&Size::Original))
}

/// Keeps what a peer asks for: originals of records that it may read.
pub(super) fn take(node: &Node, peer: &NodeId, wishes: &[Wish]) -> Result<(), Error> {
    let mut good = Vec::new();
    for wish in wishes {
        if wish.hops < LINKS && may_ask(node, peer, &wish.name)? {
            good.push((wish.name, wish.hops + 1));
        }
    }
    let at = node.now();
    let new = node
        .store()
        .write(|tx| rows::set_asked(tx, peer, &good, at, at.saturating_sub(LIFE)))?;
    if new {
        node.0.changed.send_modify(|n| *n += 1);
    }
    Ok(())
}
