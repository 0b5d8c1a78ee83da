//! A door for `tests/fuzz`: bundles whose seal and signature are good, whatever is inside.

use std::io::Read;

use sync::DeviceKey;

use super::inside::Frames;
use super::{Head, seal};

/// Reads what is inside a bundle whose seal has been opened; how many frames there were.
pub fn read_inside(plain: &[u8]) -> Result<usize, &'static str> {
    let mut frames = Frames::new(plain)?;
    let mut count = 0;
    while frames.next()?.is_some() {
        count += 1;
    }
    Ok(count)
}

/// Opens a seal; what was in it, up to a megabyte.
pub fn unseal(key: &DeviceKey, body: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::new();
    let reader = seal::open(key, body)?;
    reader.take(1 << 20).read_to_end(&mut plain).ok()?;
    Some(plain)
}

/// A bundle with this inside and this head, but for what must fit: body length, hash, sender and signature.
pub fn sealed(key: &DeviceKey, head: Head, plain: &[u8]) -> Option<Vec<u8>> {
    let body = seal::seal(&head.to, plain)?;
    let head = Head {
        from: key.id(),
        body_len: body.len() as u64,
        body: *blake3::hash(&body).as_bytes(),
        ..head
    };
    Some([head.encode(key).1, body].concat())
}

/// A head as it stands, signed: what it says may be impossible.
pub fn signed(key: &DeviceKey, head: &Head) -> (String, Vec<u8>) {
    head.encode(key)
}
