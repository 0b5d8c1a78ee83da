//! Pieces as one zstd stream: each is small for what went before it.
//!
//! ```text
//! frame   3 | 3 | flags 1 | dictionary 1, if flags has 2 | zstd: the stream up to a flush
//! flags   1 = more pieces follow at once; 2 = the stream begins here
//! ```
//! What comes out of one part is one `pack`. Both ends keep a window of [`WINDOW_LOG`] and the packs'
//! `Context`; they drop both after a part without "more", after Done and after State. Dictionary 0 is none;
//! 1… are the files `dictionary_<n>.zdict`, made by `examples/dictionary.rs` and never changed once released.

use std::fmt;
use std::sync::LazyLock;

use zstd::dict::{DecoderDictionary, EncoderDictionary};
use zstd::stream::raw::{CParameter, DParameter, Decoder, Encoder, InBuffer, Operation, OutBuffer};

use super::pack::{self, Context};
use super::{BadFrame, Piece};
use crate::limits;

/// The piece encoding of this form.
pub const ENCODING: u8 = 3;

/// The newest dictionary.
pub const DICTIONARY: u8 = DICTIONARIES.len() as u8;

const DICTIONARIES: [&[u8]; 1] = [include_bytes!("dictionary_1.zdict")];

/// 128 KiB: what a hub keeps for each peer that is sending it much (400 KB with zstd's buffers).
const WINDOW_LOG: u32 = 17;

/// The strongest but two: the link is slower than any PC.
const LEVEL: i32 = 19;

/// The tables of that level are 80 MB, because zstd does not fit them to the window of a stream. These cover the
/// window, give the same bytes, and with buffers and dictionary an open stream holds some 3 MB.
const HASH_LOG: u32 = WINDOW_LOG;
const CHAIN_LOG: u32 = WINDOW_LOG + 1;

const MORE: u8 = 1;
const BEGIN: u8 = 2;

/// One part of a stream, as it travels.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StreamPart {
    /// More pieces follow at once: receipts may wait.
    pub more: bool,
    /// The stream begins here, with this dictionary.
    pub begin: Option<u8>,
    /// Compressed bytes.
    pub bytes: Vec<u8>,
}

impl StreamPart {
    pub(super) fn encode(&self) -> Vec<u8> {
        let flags = if self.more { MORE } else { 0 } | if self.begin.is_some() { BEGIN } else { 0 };
        let mut out = vec![3, ENCODING, flags];
        out.extend(self.begin);
        out.extend(&self.bytes);
        out
    }

    /// Reads the body of a frame, from the encoding on.
    pub(super) fn decode(body: &[u8]) -> Result<StreamPart, BadFrame> {
        let [ENCODING, flags, rest @ ..] = body else {
            return Err(BadFrame::Damaged(3));
        };
        let (begin, bytes) = match (flags & BEGIN != 0, rest.split_first()) {
            (true, Some((dictionary, bytes))) => (Some(*dictionary), bytes),
            (true, None) => return Err(BadFrame::Damaged(3)),
            (false, _) => (None, rest),
        };
        Ok(StreamPart {
            more: flags & MORE != 0,
            begin,
            bytes: bytes.to_vec(),
        })
    }
}

/// What a stream's first part compresses, for training a dictionary.
pub fn plain(piece: &Piece) -> Option<Vec<u8>> {
    pack::encode(piece, &mut Context::default())
}

/// A dictionary made ready once: digesting it costs 4 ms, more than most pieces.
struct Ready {
    writes: EncoderDictionary<'static>,
    reads: DecoderDictionary<'static>,
}

fn dictionary(version: u8) -> Result<&'static Ready, BadFrame> {
    static READY: LazyLock<Vec<Ready>> = LazyLock::new(|| {
        let all = std::iter::once(&[][..]).chain(DICTIONARIES);
        all.map(|bytes| Ready {
            writes: EncoderDictionary::copy(bytes, LEVEL),
            reads: DecoderDictionary::copy(bytes),
        })
        .collect()
    });
    READY
        .get(usize::from(version))
        .ok_or(BadFrame::UnknownDictionary(version))
}

/// The sending end.
#[derive(Default)]
pub struct Writer(Option<(Encoder<'static>, Context)>);

impl Writer {
    /// The next part. `None` when the piece has an unusual form and must travel by itself; the stream is
    /// then over.
    pub fn write(&mut self, piece: &Piece, more: bool, reader_has: u8) -> Option<StreamPart> {
        let part = self.try_write(piece, more, reader_has);
        if !more || part.is_none() {
            self.end();
        }
        part
    }

    fn try_write(&mut self, piece: &Piece, more: bool, reader_has: u8) -> Option<StreamPart> {
        let mut begin = None;
        let fresh = self.0.is_none();
        if fresh {
            let version = reader_has.min(DICTIONARY);
            let mut encoder = Encoder::with_prepared_dictionary(&dictionary(version).ok()?.writes).ok()?;
            encoder.set_parameter(CParameter::WindowLog(WINDOW_LOG)).ok()?;
            encoder.set_parameter(CParameter::HashLog(HASH_LOG)).ok()?;
            encoder.set_parameter(CParameter::ChainLog(CHAIN_LOG)).ok()?;
            // The QUIC packet around it is authenticated, and the stream's own header says the rest.
            encoder.set_parameter(CParameter::DictIdFlag(false)).ok()?;
            self.0 = Some((encoder, Context::default()));
            begin = Some(version);
        }
        let (encoder, context) = self.0.as_mut()?;
        let packed = pack::encode(piece, context)?;
        if fresh && !more {
            // All there is: tables of its size, not 3 MB that must be cleared for a few hundred bytes.
            encoder.set_parameter(CParameter::ContentSizeFlag(false)).ok()?;
            encoder.set_pledged_src_size(Some(packed.len() as u64)).ok()?;
        }
        let mut bytes = Vec::with_capacity(packed.len() / 2 + 64);
        let mut input = InBuffer::around(&packed);
        let mut room = [0; 16 * 1024];
        let mut left = 1;
        while input.pos < packed.len() || left > 0 {
            let mut output = OutBuffer::around(&mut room[..]);
            if input.pos < packed.len() {
                encoder.run(&mut input, &mut output).ok()?;
            } else {
                left = encoder.flush(&mut output).ok()?;
            }
            bytes.extend_from_slice(output.as_slice());
        }
        Some(StreamPart { more, begin, bytes })
    }

    /// Whether a stream is open: its context is in memory.
    pub fn is_open(&self) -> bool {
        self.0.is_some()
    }

    /// The next part begins anew.
    pub fn end(&mut self) {
        self.0 = None;
    }
}

/// The receiving end.
#[derive(Default)]
pub struct Reader(Option<(Decoder<'static>, Context)>);

impl Reader {
    /// The piece of a part. Never inflates to more than [`limits::PIECE_BYTES`].
    pub fn read(&mut self, part: &StreamPart) -> Result<Piece, BadFrame> {
        let piece = self.try_read(part);
        if !part.more || piece.is_err() {
            self.end();
        }
        piece
    }

    fn try_read(&mut self, part: &StreamPart) -> Result<Piece, BadFrame> {
        let damaged = |_| BadFrame::Damaged(3);
        if let Some(version) = part.begin {
            let mut decoder =
                Decoder::with_prepared_dictionary(&dictionary(version)?.reads).map_err(damaged)?;
            decoder
                .set_parameter(DParameter::WindowLogMax(WINDOW_LOG))
                .map_err(damaged)?;
            self.0 = Some((decoder, Context::default()));
        }
        let (decoder, context) = self.0.as_mut().ok_or(BadFrame::Damaged(3))?;
        let mut packed = Vec::new();
        let mut input = InBuffer::around(&part.bytes);
        let mut room = [0; 16 * 1024];
        loop {
            let mut output = OutBuffer::around(&mut room[..]);
            decoder.run(&mut input, &mut output).map_err(damaged)?;
            let full = output.pos() == output.capacity();
            packed.extend_from_slice(output.as_slice());
            if packed.len() > limits::PIECE_BYTES {
                return Err(BadFrame::TooLarge(3));
            }
            if input.pos >= part.bytes.len() && !full {
                break;
            }
        }
        pack::decode(&packed, context).map_err(|pack::NoPack| BadFrame::Damaged(3))
    }

    /// What comes next begins anew.
    pub fn end(&mut self) {
        self.0 = None;
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Writer({})", if self.0.is_some() { "open" } else { "closed" })
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reader({})", if self.0.is_some() { "open" } else { "closed" })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::admission::Offered;
    use crate::document::DocKey;

    /// Pieces that take the unusual way would not test the stream: these are real changes.
    fn pieces() -> Vec<Piece> {
        super::pack::samples(90)
            .changes
            .chunks(20)
            .map(|part| Piece {
                upto: Some(part.len() as u64),
                changes: part.to_vec(),
            })
            .collect()
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_stream_to_each_of_many_peers_takes_little_memory() {
        let resident = || {
            let status = std::fs::read_to_string("/proc/self/status").unwrap();
            let line = status.lines().find(|l| l.starts_with("VmRSS:")).unwrap();
            let kilobytes = line.split_whitespace().nth(1).unwrap();
            kilobytes.parse::<u64>().unwrap()
        };
        let before = resident();
        let open = |_| {
            let mut writer = Writer::default();
            writer.write(&pieces()[0], true, DICTIONARY).unwrap();
            writer
        };
        let writers: Vec<Writer> = (0..16).map(open).collect();
        let each = resident().saturating_sub(before) / writers.len() as u64;
        // Tests beside this one use memory too.
        assert!(each < 12 * 1024, "{each} KB for one stream");
    }

    #[test]
    fn a_stream_goes_over_and_each_part_is_small_for_what_went_before() {
        let (mut writer, mut reader) = (Writer::default(), Reader::default());
        let all = pieces();
        let mut sizes = Vec::new();
        for (i, piece) in all.iter().enumerate() {
            let more = i + 1 < all.len();
            let part = writer.write(piece, more, DICTIONARY).unwrap();
            assert_eq!(part.begin, (i == 0).then_some(DICTIONARY));
            assert_eq!(reader.read(&part).unwrap(), *piece);
            sizes.push(part.bytes.len());
        }
        assert!(sizes[3] < sizes[0], "{sizes:?}");
        let again = writer.write(&all[0], false, DICTIONARY).unwrap();
        assert!(again.begin.is_some(), "the stream was over");
    }

    #[test]
    fn a_reader_without_the_dictionary_gets_a_plain_stream() {
        let all = pieces();
        let part = Writer::default().write(&all[0], false, 0).unwrap();
        assert_eq!(part.begin, Some(0));
        assert_eq!(Reader::default().read(&part).unwrap(), all[0]);
        let of_the_future = StreamPart {
            begin: Some(DICTIONARY + 1),
            ..part
        };
        assert_eq!(
            Reader::default().read(&of_the_future),
            Err(BadFrame::UnknownDictionary(DICTIONARY + 1))
        );
    }

    #[test]
    fn an_unusual_change_ends_the_stream() {
        let odd = Piece {
            upto: None,
            changes: vec![Offered {
                document: DocKey::parse("log/a/2025").unwrap(),
                body: vec![1, 2, 3],
                tip: None,
            }],
        };
        let mut writer = Writer::default();
        let all = pieces();
        assert!(writer.write(&all[0], true, DICTIONARY).is_some());
        assert_eq!(writer.write(&odd, true, DICTIONARY), None);
        assert!(writer.write(&all[1], true, DICTIONARY).unwrap().begin.is_some());
    }

    #[test]
    fn a_bomb_is_given_up_at_the_cap() {
        let mut encoder = Encoder::new(19).unwrap();
        let (zeros, mut bytes, mut room) = (vec![0u8; 64 << 20], Vec::new(), [0; 16 * 1024]);
        encoder.set_parameter(CParameter::WindowLog(WINDOW_LOG)).unwrap();
        let mut input = InBuffer::around(&zeros);
        while input.pos < zeros.len() {
            let mut output = OutBuffer::around(&mut room[..]);
            encoder.run(&mut input, &mut output).unwrap();
            bytes.extend_from_slice(output.as_slice());
        }
        let bomb = StreamPart {
            more: true,
            begin: Some(0),
            bytes,
        };
        assert_eq!(Reader::default().read(&bomb), Err(BadFrame::TooLarge(3)));
    }

    proptest! {
        #[test]
        fn damaged_parts_never_panic(at in any::<prop::sample::Index>(), byte in any::<u8>(), begin in any::<Option<u8>>()) {
            let mut writer = Writer::default();
            let mut part = writer.write(&pieces()[0], true, DICTIONARY).unwrap();
            let i = at.index(part.bytes.len());
            part.bytes[i] = byte;
            part.begin = begin;
            let _ = Reader::default().read(&part);
        }
    }
}
