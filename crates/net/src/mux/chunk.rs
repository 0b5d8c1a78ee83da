//! Chunks: how several streams share one TLS connection over TCP. Version 1 of this format belongs to the
//! protocol name [`crate::tls::ALPN_TCP`].
//!
//! ```text
//! offset  0         1                  1 + v               1 + v + w
//!         | kind    |  stream          |  len              |  len bytes
//!         | u8      |  uleb128, u32    |  uleb128, u32     |
//! ```
//!
//! | kind | name | what its bytes are |
//! |---|---|---|
//! | 0 | DATA | bytes of the stream, 1 to [`MAX_BODY`] |
//! | 1 | END | none: the sender has said all |
//! | 2 | ENDED | none: END has come, and all before it |
//! | 3 | ROOM | u32 LE: so many more bytes may be sent; [`WINDOW`] at the start |
//! | 4 | STOP | u32 LE code: the reader wants no more |
//! | 5 | RESET | u32 LE code: the sender has given the stream up |
//! | 6 | CLOSE | u32 LE code, then words in UTF-8: the link ends (stream 0) |
//! | 7 | PING | 8 bytes that come back as PONG (stream 0) |
//! | 8 | PONG | the 8 bytes of the PING (stream 0) |
//!
//! A kind that is not known is passed over. Streams are numbered upwards by twos, from 2 by the dialler, from 1
//! by the called; a stream begins with its first chunk. Each side has at most [`STREAMS`] of its own open.

/// The longest body of a chunk: a frame of a more important stream waits for no more than this.
pub(super) const MAX_BODY: usize = 4 << 10;
/// Bytes of a stream that may wait unread at the start. 64 KiB is 1.7 Mbit/s at 300 ms; with all streams open a
/// link holds 1 MiB, as one over QUIC.
pub(super) const WINDOW: u32 = 64 << 10;
/// Streams that one side may have open.
pub(super) const STREAMS: usize = 8;

pub(super) const DATA: u8 = 0;
pub(super) const END: u8 = 1;
pub(super) const ENDED: u8 = 2;
pub(super) const ROOM: u8 = 3;
pub(super) const STOP: u8 = 4;
pub(super) const RESET: u8 = 5;
pub(super) const CLOSE: u8 = 6;
pub(super) const PING: u8 = 7;
pub(super) const PONG: u8 = 8;

/// Appends one chunk.
pub(super) fn put(out: &mut Vec<u8>, kind: u8, stream: u32, body: &[u8]) {
    out.push(kind);
    put_number(out, stream);
    put_number(out, u32::try_from(body.len()).unwrap_or(u32::MAX));
    out.extend_from_slice(body);
}

fn put_number(out: &mut Vec<u8>, mut number: u32) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Reads a number byte by byte.
#[derive(Default)]
pub(super) struct Number {
    value: u32,
    shift: u32,
}

impl Number {
    /// `Ok(Some)` after the last byte; `Err` for one that does not fit 32 bits.
    pub(super) fn take(&mut self, byte: u8) -> Result<Option<u32>, &'static str> {
        let bits = u32::from(byte & 0x7f);
        if self.shift > 28 || (self.shift == 28 && bits > 0x0f) {
            return Err("a number of a chunk is too large");
        }
        self.value |= bits << self.shift;
        self.shift += 7;
        Ok((byte & 0x80 == 0).then_some(self.value))
    }
}

/// Reads what stands before a chunk's bytes, byte by byte.
#[derive(Default)]
pub(super) struct Head {
    kind: Option<u8>,
    stream: Option<u32>,
    number: Number,
}

impl Head {
    /// `Ok(Some)` after the last byte: kind, stream, and how many bytes follow; no more than [`MAX_BODY`].
    pub(super) fn take(&mut self, byte: u8) -> Result<Option<(u8, u32, usize)>, &'static str> {
        let Some(kind) = self.kind else {
            self.kind = Some(byte);
            return Ok(None);
        };
        let Some(value) = self.number.take(byte)? else {
            return Ok(None);
        };
        self.number = Number::default();
        let Some(stream) = self.stream else {
            self.stream = Some(value);
            return Ok(None);
        };
        let len = usize::try_from(value).ok().filter(|len| *len <= MAX_BODY);
        Ok(Some((kind, stream, len.ok_or("a chunk is too long")?)))
    }
}

/// The u32 of a body.
pub(super) fn code(body: &[u8]) -> Result<u32, &'static str> {
    match body.first_chunk::<4>() {
        Some(bytes) => Ok(u32::from_le_bytes(*bytes)),
        None => Err("a chunk is too short"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_and_long_ones_are_refused() {
        for number in [0, 1, 127, 128, 16_383, 16_384, 1 << 28, u32::MAX] {
            let mut bytes = Vec::new();
            put_number(&mut bytes, number);
            let mut reading = Number::default();
            let (last, first) = bytes.split_last().unwrap();
            for byte in first {
                assert_eq!(reading.take(*byte), Ok(None));
            }
            assert_eq!(reading.take(*last), Ok(Some(number)));
        }
        let mut reading = Number::default();
        let read: Vec<_> = [0xff, 0xff, 0xff, 0xff, 0x1f].map(|b| reading.take(b)).into();
        assert!(read[4].is_err());
    }

    #[test]
    fn a_chunk_is_as_drawn() {
        let mut out = Vec::new();
        put(&mut out, DATA, 300, "学时".as_bytes());
        assert_eq!(out[..4], [0, 0xac, 0x02, 6]);
        assert_eq!(&out[4..], "学时".as_bytes());
        let mut head = Head::default();
        let read: Vec<_> = out.iter().take(4).map(|byte| head.take(*byte)).collect();
        assert_eq!(read, [Ok(None), Ok(None), Ok(None), Ok(Some((DATA, 300, 6)))]);
        let mut head = Head::default();
        let read = [DATA, 1, 0x81, 0x20].map(|byte| head.take(byte));
        assert_eq!(read[3], Err("a chunk is too long"));
        assert!(code(&[1, 0, 0]).is_err());
    }
}
