//! Signatures that stand beside changes: tips by their authors, receipts by those who stored them.

use serde::{Deserialize, Serialize};

use crate::change::Header;
use crate::document::{ChangeHash, DocKey};
use crate::identity::{ActorId, DeviceKey, NodeId, SUITE_ED25519_SHA256, StoreId};

/// An author's signature over one change. The hash covers the causal past, so it vouches for every
/// earlier change of the actor as well.
pub type Tip = [u8; 64];

/// Stands where a tip would: the county's cut names this change and vouches for it (`admission::covered`).
pub const BY_CUT: Tip = [0; 64];

/// ```text
/// signed  "yanxiu tip 1" | suite 1 | county 32 | key length 1, key | actor 36 | seq u64 be | hash 32
/// ```
fn tip_bytes(county: &NodeId, document: &DocKey, head: &Header) -> Vec<u8> {
    let key = document.as_str().as_bytes();
    let mut out = b"yanxiu tip 1".to_vec();
    out.push(SUITE_ED25519_SHA256);
    out.extend(county.0);
    out.push(key.len() as u8);
    out.extend(key);
    out.extend(head.actor.to_bytes());
    out.extend(head.seq.to_be_bytes());
    out.extend(head.hash);
    out
}

/// Signs a change of one's own.
pub fn sign_tip(device: &DeviceKey, county: &NodeId, document: &DocKey, head: &Header) -> Tip {
    device.sign(&tip_bytes(county, document, head))
}

/// Whether `tip` is the signature of the change's own actor.
pub fn verify_tip(county: &NodeId, document: &DocKey, head: &Header, tip: &Tip) -> bool {
    head.actor.device.verify(&tip_bytes(county, document, head), tip)
}

/// "Every change of `actor` in `document` up to `seq`, whose hash is `hash`, lies durably in my store."
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Receipt {
    /// The document.
    pub document: DocKey,
    /// The author.
    pub actor: ActorId,
    /// The last sequence number that is stored.
    pub seq: u64,
    /// The change at `seq`.
    pub hash: ChangeHash,
}

/// What a store signs over its receipts: domain tag, suite, its store id, the receipts in postcard.
pub fn receipt_bytes(store: &StoreId, receipts: &[Receipt]) -> Vec<u8> {
    let mut out = b"yanxiu receipt 1".to_vec();
    out.push(SUITE_ED25519_SHA256);
    out.extend(store.0);
    out.extend(postcard::to_stdvec(receipts).unwrap_or_default());
    out
}
