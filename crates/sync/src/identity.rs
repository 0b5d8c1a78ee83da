//! Who a node is: device keys, node ids, store ids and actor ids (design.md §4).

use std::fmt;

use data_encoding::BASE32_NOPAD;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Algorithm id of every key, signature and hash written today: Ed25519 and SHA-256.
/// Another suite (SM2/SM3) takes the next number; readers refuse the numbers they do not know.
pub const SUITE_ED25519_SHA256: u8 = 1;

/// A node's name: its Ed25519 public key, 32 bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NodeId(pub [u8; 32]);

impl NodeId {
    /// Reads the 52 base32 letters of [`fmt::Display`]; case, spaces and hyphens do not matter.
    pub fn parse(text: &str) -> Option<NodeId> {
        let clean: String = text
            .chars()
            .filter(|c| !c.is_whitespace() && *c != '-')
            .map(|c| c.to_ascii_uppercase())
            .collect();
        let bytes = BASE32_NOPAD.decode(clean.as_bytes()).ok()?;
        Some(NodeId(bytes.try_into().ok()?))
    }

    /// The first eight letters: enough to tell devices apart on a page, never to trust one.
    pub fn short(&self) -> String {
        self.to_string()[..8].to_string()
    }

    /// The X25519 key to which bundles for this node are sealed: the same point on the Montgomery curve, as
    /// age does for ssh-ed25519 and libsodium in `crypto_sign_ed25519_pk_to_curve25519`. One key for signing and
    /// sealing is shown to be safe by Thormarker, <https://eprint.iacr.org/2021/509>. `None` for what is no
    /// point, or one of small order, to which anything sealed could be opened by everybody.
    pub fn sealing_key(&self) -> Option<[u8; 32]> {
        let key = VerifyingKey::from_bytes(&self.0).ok()?;
        (!key.is_weak()).then(|| key.to_montgomery().to_bytes())
    }

    /// Whether `signature` over `message` was made by this node's key. Strict verification
    /// (RFC 8032 §5.1.7, cofactorless, no small-order keys), so that all nodes agree.
    pub fn verify(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        VerifyingKey::from_bytes(&self.0).is_ok_and(|key| {
            key.verify_strict(message, &Signature::from_bytes(signature))
                .is_ok()
        })
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE32_NOPAD.encode(&self.0).to_ascii_lowercase())
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeId({})", self.short())
    }
}

/// A device's private key. It never leaves the device outside an encrypted backup.
#[derive(Clone)]
pub struct DeviceKey(SigningKey);

impl DeviceKey {
    /// The key whose 32 secret bytes are `seed`; the caller brings the randomness.
    pub fn from_seed(seed: [u8; 32]) -> DeviceKey {
        DeviceKey(SigningKey::from_bytes(&seed))
    }

    /// The 32 secret bytes, for storage and for the transport's own signer.
    pub fn seed(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// The public half.
    pub fn id(&self) -> NodeId {
        NodeId(self.0.verifying_key().to_bytes())
    }

    /// The X25519 secret that opens what is sealed to [`NodeId::sealing_key`].
    pub fn opening_key(&self) -> [u8; 32] {
        self.0.to_scalar_bytes()
    }

    /// Ed25519 signature over `message` (deterministic, RFC 8032).
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

impl fmt::Debug for DeviceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceKey({})", self.id().short())
    }
}

/// One life of one database: 16 random bytes made with it and anew after every restore or clone.
/// Cursors and receipts name it, so that a restored store is never believed to hold what it lost.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct StoreId(pub [u8; 16]);

/// An Automerge actor id: 32 bytes device key, then 4 bytes of random incarnation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActorId {
    /// The device that writes.
    pub device: NodeId,
    /// Drawn anew after every restore or clone (a bare key would fork).
    pub incarnation: [u8; 4],
}

impl ActorId {
    /// Length in bytes of [`ActorId::to_bytes`].
    pub const LEN: usize = 36;

    /// Key and incarnation, one after the other.
    pub fn to_bytes(self) -> [u8; Self::LEN] {
        let mut out = [0; Self::LEN];
        out[..32].copy_from_slice(&self.device.0);
        out[32..].copy_from_slice(&self.incarnation);
        out
    }

    /// The reverse of [`ActorId::to_bytes`]; `None` for any other length.
    pub fn from_bytes(bytes: &[u8]) -> Option<ActorId> {
        let bytes: &[u8; Self::LEN] = bytes.try_into().ok()?;
        let (key, incarnation) = bytes.split_at(32);
        Some(ActorId {
            device: NodeId(key.try_into().ok()?),
            incarnation: incarnation.try_into().ok()?,
        })
    }
}

impl fmt::Debug for ActorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d] = self.incarnation;
        write!(f, "{}.{a:02x}{b:02x}{c:02x}{d:02x}", self.device.short())
    }
}

impl Serialize for ActorId {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        (self.device, self.incarnation).serialize(s)
    }
}

impl<'de> Deserialize<'de> for ActorId {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let (device, incarnation) = <(NodeId, [u8; 4])>::deserialize(d)?;
        Ok(ActorId { device, incarnation })
    }
}

/// The 25 digits that both sides of an enrolment compare aloud: 83 bits over the county root and
/// the device key, in five groups of five.
pub fn comparison_digits(county_root: &NodeId, device: &NodeId) -> String {
    let hash = Sha256::new()
        .chain_update(b"yanxiu enrolment digits 1")
        .chain_update(county_root.0)
        .chain_update(device.0)
        .finalize();
    let mut wide = [0u8; 16];
    wide.copy_from_slice(&hash[..16]);
    let digits = format!("{:025}", u128::from_be_bytes(wide) % 10u128.pow(25));
    let groups: Vec<&str> = (0..5).map(|i| &digits[i * 5..i * 5 + 5]).collect();
    groups.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_id_reads_back_as_people_type_it() {
        let id = DeviceKey::from_seed([7; 32]).id();
        let typed = id.to_string().to_uppercase().replace('A', "a ");
        assert_eq!(NodeId::parse(&typed), Some(id));
        assert_eq!(NodeId::parse("abc"), None);
    }

    /// RFC 8032 §7.1 test 1: the public key as libsodium converts it, the secret before X25519 clamps it.
    #[test]
    fn sealing_keys_are_those_of_libsodium_and_none_is_of_small_order() {
        let hex = |text: &str| -> [u8; 32] {
            let bytes = data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap();
            bytes.try_into().unwrap()
        };
        let key = DeviceKey::from_seed(hex(
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        ));
        assert_eq!(
            key.id().sealing_key(),
            Some(hex(
                "d85e07ec22b0ad881537c2f44d662d1a143cf830c57aca4305d85c7a90f6b62e"
            ))
        );
        assert_eq!(
            key.opening_key(),
            hex("357c83864f2833cb427a2ef1c00a013cfdff2768d980c0a3a520f006904de90f")
        );
        // The neutral element, the point of order two, and what is no point.
        let mut one = [0; 32];
        one[0] = 1;
        let mut two = [0xff; 32];
        (two[0], two[31]) = (0xec, 0x7f);
        for bad in [one, two, [2; 32]] {
            assert_eq!(NodeId(bad).sealing_key(), None, "{bad:?}");
        }
    }

    #[test]
    fn digits_depend_on_both_keys() {
        let (a, b) = (
            DeviceKey::from_seed([1; 32]).id(),
            DeviceKey::from_seed([2; 32]).id(),
        );
        let digits = comparison_digits(&a, &b);
        assert_eq!(digits.len(), 29);
        assert_ne!(digits, comparison_digits(&b, &a));
    }

    #[test]
    fn actor_ids_round_trip_and_wrong_lengths_are_refused() {
        let actor = ActorId {
            device: DeviceKey::from_seed([3; 32]).id(),
            incarnation: [1, 2, 3, 4],
        };
        assert_eq!(ActorId::from_bytes(&actor.to_bytes()), Some(actor));
        assert_eq!(ActorId::from_bytes(&[0; 32]), None);
    }
}
