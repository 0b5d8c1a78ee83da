//! Files that travel beside the documents, by their content: a blob's name is the BLAKE3 hash of its bytes.
//!
//! BLAKE3 is a tree, so a part of a blob can be judged before the rest has come. The parts are **groups** of
//! [`GROUP`] bytes; who serves a blob first tells the hashes of all groups (their chaining values, 32 bytes for
//! 16 KiB: 0.2 %), which add up to the name ([`Outline::new`]) or are refused, and then sends group after group, each
//! of which is checked by itself. So a part that came from one peer can be gone on with from another, and a damaged
//! one costs 16 KiB. (BLAKE3 paper, section 2.1; `blake3::hazmat`.)

use std::fmt;

use blake3::hazmat::{HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root};
use serde::{Deserialize, Serialize};

use crate::identity::{DeviceKey, NodeId, SUITE_ED25519_SHA256, StoreId};
use crate::limits;

/// Bytes of a group: 16 chunks of BLAKE3. At 40 kbit/s one takes three seconds.
pub const GROUP: usize = 16 * 1024;

/// The BLAKE3 hash of a blob. Shown and kept as a multihash in lower-case hexadecimal: `1e20` (BLAKE3, 32 bytes),
/// then the digest, so that another hash needs no new format.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BlobName(pub [u8; 32]);

/// BLAKE3, 32 bytes, as multihash names them.
const BLAKE3: &str = "1e20";

impl BlobName {
    /// The name of this content.
    pub fn of(bytes: &[u8]) -> BlobName {
        BlobName(*blake3::hash(bytes).as_bytes())
    }

    /// Reads the text form; `None` for anything else, so that no path can be smuggled in as a name.
    pub fn parse(text: &str) -> Option<BlobName> {
        let digits = text.strip_prefix(BLAKE3)?.as_bytes();
        if digits.len() != 64 || digits.iter().any(|d| !matches!(d, b'0'..=b'9' | b'a'..=b'f')) {
            return None;
        }
        let mut name = [0; 32];
        data_encoding::HEXLOWER.decode_mut(digits, &mut name).ok()?;
        Some(BlobName(name))
    }
}

impl fmt::Display for BlobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{BLAKE3}{}", data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for BlobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlobName({})", &self.to_string()[4..12])
    }
}

/// How many groups a blob of this size has. An empty one has one, which is empty.
pub fn groups_of(size: u64) -> u64 {
    size.div_ceil(GROUP as u64).max(1)
}

/// Bytes of one group of a blob of `size` bytes.
pub fn group_len(size: u64, group: u64) -> usize {
    let from = group * GROUP as u64;
    size.saturating_sub(from).min(GROUP as u64) as usize
}

/// The hash of one group; of a blob that has no other it is the name.
pub fn group_hash(groups: u64, group: u64, bytes: &[u8]) -> [u8; 32] {
    if groups == 1 {
        return *blake3::hash(bytes).as_bytes();
    }
    let mut hasher = blake3::Hasher::new();
    hasher.set_input_offset(group * GROUP as u64);
    hasher.update(bytes).finalize_non_root()
}

/// The hashes of a blob's groups, which have been seen to add up to its name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outline {
    size: u64,
    hashes: Vec<[u8; 32]>,
}

impl Outline {
    /// `None` unless these are the hashes of the groups of the blob `name`. A `size` that is wrong by less than a group
    /// shows with the last group.
    pub fn new(name: &BlobName, size: u64, hashes: Vec<[u8; 32]>) -> Option<Outline> {
        if size > limits::BLOB_BYTES || hashes.len() as u64 != groups_of(size) {
            return None;
        }
        let root = match hashes.as_slice() {
            [one] => *one,
            many => {
                let middle = left(many.len());
                let (l, r) = many.split_at(middle);
                *merge_subtrees_root(&subtree(l), &subtree(r), Mode::Hash).as_bytes()
            }
        };
        (root == name.0).then_some(Outline { size, hashes })
    }

    /// Bytes of the whole blob.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// How many groups there are.
    pub fn groups(&self) -> u64 {
        self.hashes.len() as u64
    }

    /// The hashes, first group first.
    pub fn hashes(&self) -> &[[u8; 32]] {
        &self.hashes
    }

    /// Whether these bytes are that group.
    pub fn fits(&self, group: u64, bytes: &[u8]) -> bool {
        let wanted = usize::try_from(group).ok().and_then(|at| self.hashes.get(at));
        wanted.is_some_and(|hash| {
            bytes.len() == group_len(self.size, group) && *hash == group_hash(self.groups(), group, bytes)
        })
    }
}

/// Groups of the left subtree: the largest power of two that leaves something for the right one.
fn left(groups: usize) -> usize {
    groups.next_power_of_two() / 2
}

fn subtree(hashes: &[[u8; 32]]) -> [u8; 32] {
    match hashes {
        [] => [0; 32],
        [one] => *one,
        many => {
            let (l, r) = many.split_at(left(many.len()));
            merge_subtrees_non_root(&subtree(l), &subtree(r), Mode::Hash)
        }
    }
}

/// "This blob lies whole and durably in my store", signed by the device whose store it is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct BlobReceipt {
    /// The blob.
    pub name: BlobName,
    /// Whose store it is.
    pub node: NodeId,
    /// The store.
    pub store: StoreId,
    /// Two halves, because serde knows arrays up to 32.
    signature: ([u8; 32], [u8; 32]),
}

impl BlobReceipt {
    /// Signs one.
    pub fn sign(key: &DeviceKey, store: StoreId, name: BlobName) -> BlobReceipt {
        BlobReceipt::from_parts(key.id(), store, name, key.sign(&signed(&store, &name)))
    }

    /// Puts one together from what was kept of it; [`BlobReceipt::is_good`] tells whether it is one.
    pub fn from_parts(node: NodeId, store: StoreId, name: BlobName, signature: [u8; 64]) -> BlobReceipt {
        let mut halves = ([0; 32], [0; 32]);
        halves.0.copy_from_slice(&signature[..32]);
        halves.1.copy_from_slice(&signature[32..]);
        BlobReceipt {
            name,
            node,
            store,
            signature: halves,
        }
    }

    /// The signature.
    pub fn signature(&self) -> [u8; 64] {
        let mut whole = [0; 64];
        whole[..32].copy_from_slice(&self.signature.0);
        whole[32..].copy_from_slice(&self.signature.1);
        whole
    }

    /// Whether the node has signed it.
    pub fn is_good(&self) -> bool {
        self.node
            .verify(&signed(&self.store, &self.name), &self.signature())
    }
}

/// ```text
/// signed  "yanxiu blob receipt 1" | suite 1 | store 16 | name 32
/// ```
fn signed(store: &StoreId, name: &BlobName) -> Vec<u8> {
    let mut out = b"yanxiu blob receipt 1".to_vec();
    out.push(SUITE_ED25519_SHA256);
    out.extend(store.0);
    out.extend(name.0);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn outline_of(bytes: &[u8]) -> Vec<[u8; 32]> {
        let groups = groups_of(bytes.len() as u64);
        (0..groups)
            .map(|g| {
                let from = g as usize * GROUP;
                group_hash(groups, g, &bytes[from..from + group_len(bytes.len() as u64, g)])
            })
            .collect()
    }

    #[test]
    fn the_groups_of_a_blob_add_up_to_its_name() {
        for size in [
            0,
            1,
            GROUP - 1,
            GROUP,
            GROUP + 1,
            2 * GROUP,
            3 * GROUP,
            5 * GROUP + 7,
            19 * GROUP,
            33 * GROUP,
        ] {
            let bytes: Vec<u8> = (0..size).map(|n| (n % 251) as u8).collect();
            let name = BlobName::of(&bytes);
            let hashes = outline_of(&bytes);
            let outline = Outline::new(&name, size as u64, hashes.clone()).unwrap();
            for group in 0..outline.groups() {
                let from = group as usize * GROUP;
                let part = &bytes[from..from + group_len(size as u64, group)];
                assert!(outline.fits(group, part), "{size} {group}");
                assert!(!outline.fits(group + 1, part), "{size} {group}");
            }
            assert!(Outline::new(&name, size as u64 + 2 * GROUP as u64, hashes).is_none());
        }
    }

    proptest! {
        #[test]
        fn a_changed_group_or_outline_is_refused(
            bytes in proptest::collection::vec(any::<u8>(), 1..80_000),
            at in any::<prop::sample::Index>(),
            flip in 1u8..,
        ) {
            let name = BlobName::of(&bytes);
            let mut hashes = outline_of(&bytes);
            let outline = Outline::new(&name, bytes.len() as u64, hashes.clone()).unwrap();
            let mut bad = bytes.clone();
            let at = at.index(bytes.len());
            bad[at] ^= flip;
            let group = (at / GROUP) as u64;
            let from = group as usize * GROUP;
            let part = from..from + group_len(bytes.len() as u64, group);
            prop_assert!(outline.fits(group, &bytes[part.clone()]));
            prop_assert!(!outline.fits(group, &bad[part]));
            hashes[group as usize][0] ^= flip;
            prop_assert!(Outline::new(&name, bytes.len() as u64, hashes).is_none());
        }
    }

    #[test]
    fn a_name_is_read_as_it_is_written_and_nothing_else() {
        let name = BlobName::of("照片".as_bytes());
        assert_eq!(BlobName::parse(&name.to_string()), Some(name));
        let upper = name.to_string().to_uppercase();
        for bad in [
            "",
            "1e20",
            "../device.key",
            upper.as_str(),
            &name.to_string()[..66],
        ] {
            assert_eq!(BlobName::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_receipt_is_good_for_one_store_and_one_blob() {
        let key = DeviceKey::from_seed([3; 32]);
        let (store, name) = (StoreId([1; 16]), BlobName::of("签到表".as_bytes()));
        let good = BlobReceipt::sign(&key, store, name);
        assert!(good.is_good());
        for bad in [
            BlobReceipt {
                store: StoreId([2; 16]),
                ..good.clone()
            },
            BlobReceipt {
                name: BlobName::of(b"x"),
                ..good.clone()
            },
            BlobReceipt {
                node: DeviceKey::from_seed([4; 32]).id(),
                ..good.clone()
            },
        ] {
            assert!(!bad.is_good());
        }
    }
}
