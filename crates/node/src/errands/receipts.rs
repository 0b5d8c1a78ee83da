//! Receipts for blobs: what county stores sign, and what is believed of it.

use store::blobs as rows;
use sync::blob::BlobReceipt;
use sync::{BlobName, NodeId, limits};

use crate::blobs::wanted;
use crate::{Error, Node};

/// Receipts that this node has or can give, of blobs that the peer may have.
pub(super) fn receipts_for(node: &Node, peer: &NodeId, names: &[[u8; 8]]) -> Result<Vec<BlobReceipt>, Error> {
    let mut known = Vec::new();
    for first in names {
        for name in node.read(|c| rows::beginning(c, first))? {
            if wanted::sizes_for(node, peer, &name)?.is_empty() {
                continue;
            }
            known.extend(own_receipt(node, &name)?);
            known.extend(node.read(|c| rows::receipts(c, &name))?);
        }
        if known.len() >= limits::ERRAND_NAMES {
            break;
        }
    }
    known.truncate(limits::ERRAND_NAMES);
    Ok(known)
}

/// What a county store signs for a blob that lies in it.
pub(super) fn own_receipt(node: &Node, name: &BlobName) -> Result<Option<BlobReceipt>, Error> {
    let here = node.is_county() && node.read(|c| rows::size(c, name))?.is_some();
    Ok(here.then(|| BlobReceipt::sign(&node.0.key, node.store_id(), *name)))
}

/// Keeps the receipts of county stores; those of others promise nothing.
pub(super) fn take_receipts(node: &Node, receipts: Vec<BlobReceipt>) -> Result<(), Error> {
    let mut good = Vec::new();
    for receipt in receipts {
        if receipt.node == node.id() || !node.is_county_store(&receipt.node) || !receipt.is_good() {
            continue;
        }
        // One of a store that is no more, such as a hub's before its backup was put back, says nothing of the present.
        let store = node.read(|c| Ok(store::peers::get(c, &receipt.node)?.and_then(|peer| peer.store)))?;
        if store.is_none_or(|store| store == receipt.store) {
            good.push(receipt);
        }
    }
    if good.is_empty() {
        return Ok(());
    }
    let at = node.now();
    node.store().write(|tx| {
        good.iter()
            .try_for_each(|receipt| rows::add_receipt(tx, receipt, at))
    })?;
    node.0.changed.send_modify(|n| *n += 1);
    Ok(())
}
