//! Pieces as one zstd stream: each is small for what went before it.
//!
//! ```text
//! frame   3 | 3 | flags 1 | dictionary 1, if flags has 2 | base, if flags has 4 | zstd: the stream up to a flush
//! flags   1 = more pieces follow at once; 2 = the stream begins here; 4 = on a base (only with 2)
//! base    document: length uleb, bytes | hash 8 | count 1
//! ```
//! What comes out of one part is one `pack`. Both ends keep a window of [`WINDOW_LOG`] and the packs'
//! `Context`; they drop both after a part without "more", after Done and after State. Dictionary 0 is none;
//! 1… are the files `dictionary_<n>.zdict`, made by `examples/dictionary.rs` and never changed once released.
//!
//! A *base* is changes that the receiver has acknowledged: `count` changes of one actor in one document, the last
//! of which has a hash that begins like this. Both ends pack them without signatures into a fresh `Context`; the
//! pack takes the place of the dictionary, and the context goes on from there. Words, ids and dependencies of a
//! school's earlier records need not be said again: 20 records take 2.1 KB instead of 3.4.

use std::fmt;
use std::sync::LazyLock;

use zstd::dict::{DecoderDictionary, EncoderDictionary};
use zstd::stream::raw::{CParameter, DParameter, Decoder, Encoder, InBuffer, Operation, OutBuffer};

use super::pack::{self, Context};
use super::{BadFrame, Piece};
use crate::admission::Offered;
use crate::change::{Change, Reader as Bytes, write_uleb};
use crate::document::DocKey;
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
const BASE: u8 = 4;

/// Which changes a stream stands on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BaseName {
    /// Their document.
    pub document: DocKey,
    /// How the hash of the last one begins.
    pub hash: [u8; 8],
    /// How many, of one actor and in a row; at most [`limits::BASE_CHANGES`].
    pub count: u8,
}

impl BaseName {
    /// The name of these changes; `None` if they are none, or too many.
    pub fn of(base: &[Offered]) -> Option<BaseName> {
        let last = base.last()?;
        let change = Change::from_body(last.body.clone()).ok()?;
        let mut hash = [0; 8];
        hash.copy_from_slice(&change.header.hash[..8]);
        Some(BaseName {
            document: last.document.clone(),
            hash,
            count: u8::try_from(base.len())
                .ok()
                .filter(|n| usize::from(*n) <= limits::BASE_CHANGES)?,
        })
    }

    fn encode(&self, out: &mut Vec<u8>) {
        let key = self.document.as_str().as_bytes();
        write_uleb(out, key.len() as u64);
        out.extend(key);
        out.extend(self.hash);
        out.push(self.count);
    }

    /// Reads a name; and what follows it.
    fn decode(bytes: &[u8]) -> Option<(BaseName, &[u8])> {
        let mut r = Bytes(bytes);
        let len = r.uleb().ok()?;
        let key = std::str::from_utf8(r.take(len).ok()?).ok()?;
        let name = BaseName {
            document: DocKey::parse(key)?,
            hash: r.take(8).ok()?.try_into().ok()?,
            count: *r.take(1).ok()?.first()?,
        };
        (usize::from(name.count) <= limits::BASE_CHANGES).then_some((name, r.0))
    }
}

/// How a stream begins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Begin {
    /// With this dictionary; 0: none.
    pub dictionary: u8,
    /// On these changes.
    pub base: Option<BaseName>,
}

/// One part of a stream, as it travels.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StreamPart {
    /// More pieces follow at once: receipts may wait.
    pub more: bool,
    /// The stream begins here.
    pub begin: Option<Begin>,
    /// Compressed bytes.
    pub bytes: Vec<u8>,
}

impl StreamPart {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut flags = if self.more { MORE } else { 0 };
        let mut start = Vec::new();
        if let Some(begin) = &self.begin {
            flags |= BEGIN;
            start.push(begin.dictionary);
            if let Some(base) = &begin.base {
                flags |= BASE;
                base.encode(&mut start);
            }
        }
        [&[3, ENCODING, flags], &start[..], &self.bytes].concat()
    }

    /// Reads the body of a frame, from the encoding on.
    pub(super) fn decode(body: &[u8]) -> Result<StreamPart, BadFrame> {
        let damaged = BadFrame::Damaged(3);
        let [ENCODING, flags, rest @ ..] = body else {
            return Err(damaged);
        };
        let (begin, bytes) = match (flags & BEGIN != 0, flags & BASE != 0, rest) {
            (true, false, [dictionary, bytes @ ..]) => (
                Some(Begin {
                    dictionary: *dictionary,
                    base: None,
                }),
                bytes,
            ),
            (true, true, [dictionary, rest @ ..]) => {
                let (base, bytes) = BaseName::decode(rest).ok_or(damaged)?;
                let begin = Begin {
                    dictionary: *dictionary,
                    base: Some(base),
                };
                (Some(begin), bytes)
            }
            (false, false, bytes) => (None, bytes),
            _ => return Err(damaged),
        };
        Ok(StreamPart {
            more: flags & MORE != 0,
            begin,
            bytes: bytes.to_vec(),
        })
    }

    /// The changes that must be at hand to read it.
    pub fn base(&self) -> Option<&BaseName> {
        self.begin.as_ref()?.base.as_ref()
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

/// `None` for version 0, which is none: even an empty one would be made ready with the tables of the level, 75 MB.
fn dictionary(version: u8) -> Result<Option<&'static Ready>, BadFrame> {
    static READY: LazyLock<Vec<Ready>> = LazyLock::new(|| {
        let ready = |bytes: &[u8]| Ready {
            writes: EncoderDictionary::copy(bytes, LEVEL),
            reads: DecoderDictionary::copy(bytes),
        };
        DICTIONARIES.iter().map(|bytes| ready(bytes)).collect()
    });
    let Some(i) = usize::from(version).checked_sub(1) else {
        return Ok(None);
    };
    READY.get(i).map(Some).ok_or(BadFrame::UnknownDictionary(version))
}

/// The sending end.
#[derive(Default)]
pub struct Writer(Option<(Encoder<'static>, Context)>);

impl Writer {
    /// The next part; `base`: changes that the reader surely has. `None` when the piece has an unusual form and
    /// must travel by itself; the stream is then over.
    pub fn write(
        &mut self,
        piece: &Piece,
        more: bool,
        reader_has: u8,
        base: &[Offered],
    ) -> Option<StreamPart> {
        let dictionary = reader_has.min(DICTIONARY);
        let part = match (&mut self.0, BaseName::of(base)) {
            (Some((encoder, context)), _) => write_part(encoder, context, piece, more, None, false),
            (None, None) => self.begin(piece, more, dictionary, None),
            (None, Some(name)) if more => self.begin(piece, more, 0, Some((name, base))),
            // Little is sometimes smaller with the dictionary, which also knows how often each byte comes.
            (None, Some(name)) => {
                let on_base = self.begin(piece, more, 0, Some((name, base)));
                let plain = Writer::default().begin(piece, more, dictionary, None);
                let both = [on_base, plain].into_iter().flatten();
                both.min_by_key(|part| part.encode().len())
            }
        };
        if !more || part.is_none() {
            self.end();
        }
        part
    }

    /// Opens the stream and writes its first part.
    fn begin(
        &mut self,
        piece: &Piece,
        more: bool,
        version: u8,
        base: Option<(BaseName, &[Offered])>,
    ) -> Option<StreamPart> {
        let (context, prefix) = match base {
            Some((_, base)) => foundation(base)?,
            None => Default::default(),
        };
        // A base takes the place of the dictionary.
        let mut encoder = match (&base, dictionary(version).ok()?) {
            (Some(_), _) => Encoder::with_dictionary(LEVEL, &prefix),
            (None, Some(ready)) => Encoder::with_prepared_dictionary(&ready.writes),
            (None, None) => Encoder::new(LEVEL),
        }
        .ok()?;
        encoder.set_parameter(CParameter::WindowLog(WINDOW_LOG)).ok()?;
        encoder.set_parameter(CParameter::HashLog(HASH_LOG)).ok()?;
        encoder.set_parameter(CParameter::ChainLog(CHAIN_LOG)).ok()?;
        // The QUIC packet around it is authenticated, and the stream's own header says the rest.
        encoder.set_parameter(CParameter::DictIdFlag(false)).ok()?;
        let begin = Begin {
            dictionary: version,
            base: base.map(|(name, _)| name),
        };
        let (encoder, context) = self.0.insert((encoder, context));
        write_part(encoder, context, piece, more, Some(begin), !more)
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

fn write_part(
    encoder: &mut Encoder<'static>,
    context: &mut Context,
    piece: &Piece,
    more: bool,
    begin: Option<Begin>,
    all: bool,
) -> Option<StreamPart> {
    let packed = pack::encode(piece, context)?;
    if all {
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

/// What both ends make of a base: the context to go on with, and the bytes that stand before the stream.
fn foundation(base: &[Offered]) -> Option<(Context, Vec<u8>)> {
    let unsigned = |o: &Offered| Offered {
        tip: None,
        ..o.clone()
    };
    let mut context = Context::default();
    let piece = Piece {
        upto: None,
        changes: base.iter().map(unsigned).collect(),
    };
    let packed = pack::encode(&piece, &mut context)?;
    Some((context, packed))
}

/// The receiving end.
#[derive(Default)]
pub struct Reader(Option<(Decoder<'static>, Context)>);

impl Reader {
    /// The piece of a part; `base`: the changes of [`StreamPart::base`]. Never inflates to more than
    /// [`limits::PIECE_BYTES`].
    pub fn read(&mut self, part: &StreamPart, base: &[Offered]) -> Result<Piece, BadFrame> {
        let piece = self.try_read(part, base);
        if !part.more || piece.is_err() {
            self.end();
        }
        piece
    }

    fn try_read(&mut self, part: &StreamPart, base: &[Offered]) -> Result<Piece, BadFrame> {
        let damaged = |_| BadFrame::Damaged(3);
        if let Some(begin) = &part.begin {
            let (context, prefix) = match begin.base {
                Some(_) => foundation(base).ok_or(BadFrame::Damaged(3))?,
                None => Default::default(),
            };
            let mut decoder = match (&begin.base, dictionary(begin.dictionary)?) {
                (Some(_), _) => Decoder::with_dictionary(&prefix),
                (None, Some(ready)) => Decoder::with_prepared_dictionary(&ready.reads),
                (None, None) => Decoder::new(),
            }
            .map_err(damaged)?;
            decoder
                .set_parameter(DParameter::WindowLogMax(WINDOW_LOG))
                .map_err(damaged)?;
            self.0 = Some((decoder, context));
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

    fn plainly(dictionary: u8) -> Option<Begin> {
        Some(Begin {
            dictionary,
            base: None,
        })
    }

    /// Changes of one actor, and the next ones of it.
    fn base_and_next(next: usize) -> (Vec<Offered>, Piece) {
        let mut all = super::pack::samples(60).changes;
        let first = Change::from_body(all[0].body.clone()).unwrap().header.actor;
        all.retain(|o| Change::from_body(o.body.clone()).unwrap().header.actor == first);
        all.retain(|o| o.document == DocKey::parse("log/a/2025").unwrap());
        let base = all[..limits::BASE_CHANGES].to_vec();
        let changes = all[limits::BASE_CHANGES..][..next].to_vec();
        (
            base,
            Piece {
                upto: Some(9),
                changes,
            },
        )
    }

    #[test]
    fn what_the_reader_has_need_not_be_said_again() {
        for next in [1, 2, 5] {
            let (base, piece) = base_and_next(next);
            let plain = Writer::default().write(&piece, false, DICTIONARY, &[]).unwrap();
            let part = Writer::default().write(&piece, false, DICTIONARY, &base).unwrap();
            assert!(part.encode().len() + 40 < plain.encode().len(), "{next}");
            assert_eq!(StreamPart::decode(&part.encode()[1..]).unwrap(), part);
            assert_eq!(part.base(), BaseName::of(&base).as_ref());
            // The reader's copies may be signed otherwise.
            let mut held = base.clone();
            held[7].tip = Some([5; 64]);
            assert_eq!(Reader::default().read(&part, &held).unwrap(), piece);
            // Another base gives another piece or none, and no panic.
            assert_ne!(Reader::default().read(&part, &base[1..]).ok(), Some(piece));
        }
    }

    #[test]
    fn a_stream_goes_on_from_its_base() {
        let (base, first) = base_and_next(3);
        let (mut writer, mut reader) = (Writer::default(), Reader::default());
        let all: Vec<Piece> = [first].into_iter().chain(pieces()).collect();
        for (i, piece) in all.into_iter().enumerate().take(4) {
            let part = writer.write(&piece, i < 3, DICTIONARY, &base).unwrap();
            assert_eq!(part.base().is_some(), i == 0);
            assert_eq!(reader.read(&part, &base).unwrap(), piece);
        }
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
            writer.write(&pieces()[0], true, DICTIONARY, &[]).unwrap();
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
            let part = writer.write(piece, more, DICTIONARY, &[]).unwrap();
            assert_eq!(part.begin, plainly(DICTIONARY).filter(|_| i == 0));
            assert_eq!(reader.read(&part, &[]).unwrap(), *piece);
            sizes.push(part.bytes.len());
        }
        assert!(sizes[3] < sizes[0], "{sizes:?}");
        let again = writer.write(&all[0], false, DICTIONARY, &[]).unwrap();
        assert!(again.begin.is_some(), "the stream was over");
    }

    #[test]
    fn a_reader_without_the_dictionary_gets_a_plain_stream() {
        let all = pieces();
        let part = Writer::default().write(&all[0], false, 0, &[]).unwrap();
        assert_eq!(part.begin, plainly(0));
        assert_eq!(Reader::default().read(&part, &[]).unwrap(), all[0]);
        let of_the_future = StreamPart {
            begin: plainly(DICTIONARY + 1),
            ..part
        };
        assert_eq!(
            Reader::default().read(&of_the_future, &[]),
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
        assert!(writer.write(&all[0], true, DICTIONARY, &[]).is_some());
        assert_eq!(writer.write(&odd, true, DICTIONARY, &[]), None);
        assert!(
            writer
                .write(&all[1], true, DICTIONARY, &[])
                .unwrap()
                .begin
                .is_some()
        );
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
            begin: plainly(0),
            bytes,
        };
        assert_eq!(Reader::default().read(&bomb, &[]), Err(BadFrame::TooLarge(3)));
    }

    proptest! {
        #[test]
        fn damaged_parts_never_panic(at in any::<prop::sample::Index>(), byte in any::<u8>(), dictionary in any::<Option<u8>>()) {
            let mut writer = Writer::default();
            let mut part = writer.write(&pieces()[0], true, DICTIONARY, &[]).unwrap();
            let i = at.index(part.bytes.len());
            part.bytes[i] = byte;
            part.begin = dictionary.and_then(plainly);
            let _ = Reader::default().read(&part, &[]);
        }
    }
}
