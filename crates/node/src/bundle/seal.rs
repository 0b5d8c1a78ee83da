//! The seal: an age file for one X25519 key, which is the recipient's Ed25519 key on the other curve.

use std::io::{Read, Write};
use std::str::FromStr;

use bech32::{ToBase32, Variant};
use sync::{DeviceKey, NodeId, limits};

/// The `age1…` of a node; `None` for a key of small order or none at all.
fn recipient(node: &NodeId) -> Option<age::x25519::Recipient> {
    let key = node.sealing_key()?;
    let text = bech32::encode("age", key.to_base32(), Variant::Bech32).ok()?;
    age::x25519::Recipient::from_str(&text).ok()
}

/// The `AGE-SECRET-KEY-1…` of this device.
fn identity(key: &DeviceKey) -> Option<age::x25519::Identity> {
    let text = bech32::encode("age-secret-key-", key.opening_key().to_base32(), Variant::Bech32).ok()?;
    age::x25519::Identity::from_str(&text.to_uppercase()).ok()
}

/// Seals to a node; `None` if its key is none.
pub(super) fn seal(to: &NodeId, plain: &[u8]) -> Option<Vec<u8>> {
    let recipient = recipient(to)?;
    let encryptor = age::Encryptor::with_recipients(std::iter::once(&recipient as _)).ok()?;
    let mut out = Vec::with_capacity(plain.len() + 1024);
    let mut writer = encryptor.wrap_output(&mut out).ok()?;
    writer.write_all(plain).ok()?;
    writer.finish().ok()?;
    Some(out)
}

/// A reader over what is inside; `None` if it does not open. The header's length is looked at first.
pub(super) fn open<'a>(key: &DeviceKey, body: &'a [u8]) -> Option<impl Read + use<'a>> {
    let beginning = body.get(..limits::AGE_HEADER_BYTES.min(body.len()))?;
    // The line with the header's MAC ends it.
    beginning.windows(5).position(|w| w == b"\n--- ")?;
    let decryptor = age::Decryptor::new(body).ok()?;
    let identity = identity(key)?;
    decryptor.decrypt(std::iter::once(&identity as _)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(key: &DeviceKey, body: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        open(key, body)?.read_to_end(&mut out).ok()?;
        Some(out)
    }

    #[test]
    fn only_the_device_itself_opens_what_was_sealed_to_its_id() {
        let (a, b) = (DeviceKey::from_seed([1; 32]), DeviceKey::from_seed([2; 32]));
        let body = seal(&a.id(), "青石小学的记录".as_bytes()).unwrap();
        assert!(body.starts_with(b"age-encryption.org/v1\n-> X25519 "));
        assert_eq!(opened(&a, &body).as_deref(), Some("青石小学的记录".as_bytes()));
        assert_eq!(opened(&b, &body), None);
        assert_eq!(opened(&a, &body[..body.len() - 1]), None);
        // The identity's public half is what the id says.
        assert_eq!(
            identity(&a).unwrap().to_public().to_string(),
            recipient(&a.id()).unwrap().to_string()
        );
        let mut neutral = [0; 32];
        neutral[0] = 1;
        assert!(seal(&NodeId(neutral), b"x").is_none());
    }

    #[test]
    fn a_header_without_an_end_is_not_read_on() {
        let key = DeviceKey::from_seed([1; 32]);
        let mut body = b"age-encryption.org/v1\n".to_vec();
        body.extend(b"-> grease aaaa\n\n".repeat(100_000));
        assert!(opened(&key, &body).is_none());
        assert!(opened(&key, b"").is_none());
    }
}
