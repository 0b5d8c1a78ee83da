//! What is inside a bundle: frames, of the session's own and a few that only bundles have.
//!
//! ```text
//! inside   version 1 | zstd( (length u32 be | frame)* )
//! frame    type 1 | body
//!   2 Roll      `sync::wire`    statements
//!   3 Piece     `sync::wire`    changes; plain, zstd or pack, never part of a stream
//!   4 Ack       `sync::wire`    receipts of the sender's store, signed, and verdicts
//!  64 About     postcard        digest of the sender's roll
//!  65 Refused   postcard        a bundle of the recipient that did not open: name 32, code u8
//!  66 Blob      name length u8 | name | bytes       reserved; passed over by this version
//! ```
//! Types that are not known are passed over: a later version may say more.

use std::io::Read;

use serde::{Deserialize, Serialize};
use sync::limits;
use sync::wire::{Frame, Piece};

/// The version of what is inside.
const VERSION: u8 = 1;

/// The same level as plain pieces: nearly all of it is small already.
const LEVEL: i32 = 9;

const ABOUT: u8 = 64;
const REFUSED: u8 = 65;

/// One frame.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Item {
    Roll(Vec<Vec<u8>>),
    Piece(Piece),
    Ack(sync::wire::Ack),
    About(About),
    Refused(Refusal),
    Other,
}

/// How the sender stands.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct About {
    /// Digest of its roll.
    pub roll: [u8; 8],
}

/// A bundle that did not open.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Refusal {
    /// Its name.
    pub name: [u8; 32],
    /// Why (`bundle::Refused`).
    pub code: u8,
}

fn own<T: Serialize>(kind: u8, body: &T) -> Vec<u8> {
    postcard::to_extend(body, vec![kind]).unwrap_or_default()
}

impl About {
    pub(super) fn encode(&self) -> Vec<u8> {
        own(ABOUT, self)
    }
}

impl Refusal {
    pub(super) fn encode(&self) -> Vec<u8> {
        own(REFUSED, self)
    }
}

/// Frames as they stand inside a bundle; `None` if they cannot be compressed.
pub(super) fn write(frames: &[Vec<u8>]) -> Option<Vec<u8>> {
    let mut plain = Vec::with_capacity(frames.iter().map(|f| f.len() + 4).sum());
    for frame in frames {
        plain.extend(u32::try_from(frame.len()).ok()?.to_be_bytes());
        plain.extend(frame);
    }
    let packed = zstd::bulk::compress(&plain, LEVEL).ok()?;
    Some([&[VERSION], &packed[..]].concat())
}

/// Why the inside cannot be read, in a few words.
pub(super) type Bad = &'static str;

/// Reads frames one by one, within the caps whatever they claim.
pub(super) struct Frames<R: Read> {
    reader: std::io::Take<zstd::stream::read::Decoder<'static, std::io::BufReader<R>>>,
    count: usize,
}

impl<R: Read> Frames<R> {
    pub(super) fn new(mut inside: R) -> Result<Frames<R>, Bad> {
        let mut version = [0];
        inside.read_exact(&mut version).map_err(|_| "seal")?;
        if version != [VERSION] {
            return Err("newer version");
        }
        let mut decoder = zstd::stream::read::Decoder::new(inside).map_err(|_| "compression")?;
        // 8 MB of window, as zstd's own level 19 takes for large inputs.
        decoder.window_log_max(23).map_err(|_| "compression")?;
        Ok(Frames {
            reader: decoder.take(limits::BUNDLE_INSIDE_BYTES),
            count: 0,
        })
    }

    /// The next one; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Item>, Bad> {
        let mut length = [0; 4];
        let mut have = 0;
        while have < length.len() {
            let rest = length.get_mut(have..).unwrap_or_default();
            match self.reader.read(rest) {
                Ok(0) if have == 0 && self.reader.limit() > 0 => return Ok(None),
                Ok(0) => return Err("too much, or cut off"),
                Ok(n) => have += n,
                Err(_) => return Err("seal or compression"),
            }
        }
        let length = u32::from_be_bytes(length) as usize;
        self.count += 1;
        if length > limits::FRAME_BYTES || self.count > limits::BUNDLE_FRAMES {
            return Err("a frame that is too large");
        }
        let mut frame = vec![0; length];
        self.reader.read_exact(&mut frame).map_err(|_| "cut off")?;
        decode(&frame).map(Some)
    }
}

fn decode(frame: &[u8]) -> Result<Item, Bad> {
    let (kind, body) = frame.split_first().ok_or("an empty frame")?;
    Ok(match kind {
        2..=4 => match Frame::decode(frame).map_err(|_| "a damaged frame")? {
            Frame::Roll(roll) => Item::Roll(roll.statements),
            Frame::Piece(piece) => Item::Piece(piece),
            Frame::Ack(ack) => Item::Ack(ack),
            _ => return Err("part of a stream"),
        },
        &ABOUT => Item::About(take(body)?),
        &REFUSED => Item::Refused(take(body)?),
        _ => Item::Other,
    })
}

fn take<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Bad> {
    postcard::take_from_bytes(body)
        .map(|(v, _)| v)
        .map_err(|_| "a damaged frame")
}
