//! The frames of a session. `net` puts a length before each; here a frame is
//!
//! ```text
//! frame   type 1 | body
//!  1 Hello      postcard            who I am, what you had acknowledged, my roll's digest
//!  2 Roll       postcard            statements (`roll`), and my roll position after them
//!  3 Piece      encoding 1 | bytes  changes; 0 plain, 1 zstd, 2 zstd over a `pack`, 3 next part of a `stream`
//!  4 Ack        postcard            receipts and verdicts for a piece, signed
//!  5 Check      postcard            roll digest and digest over all shared documents
//!  6 Digests    postcard            8 bytes of key hash, 8 bytes of heads per shared document
//!  7 Vectors    postcard            (actor, seq) of the documents that differ
//!  8 Done       postcard            I have pushed all that I had for this round
//!  9 Refuse     postcard            why this session ends, in a code and in words
//! 10 Enrol      postcard            a device that is not enrolled asks to be
//! 11 WantReceipts                   tell me what you hold of my school's devices
//! 12 Buckets    postcard            digests of many documents by buckets; and flat ones of those that differ
//! 13 State      postcard            as Check: my state after all that I have sent, said without waiting
//! ```
//! Behind a Hello's body stands [`More`], which the first version did not have.
//! A frame of an unknown type is passed over, a longer body than expected is read as far as it is known:
//! an older node talks to a newer one. `Hello.versions` lists the protocol versions a node speaks.
//! postcard is <https://postcard.jamesmunns.com/wire-format>: varints, length-prefixed sequences.

use serde::{Deserialize, Serialize};

use crate::admission::{Offered, Verdict};
use crate::document::{ChangeHash, DocKey};
use crate::identity::{ActorId, NodeId, StoreId};
use crate::limits;
use crate::tip::{Receipt, Tip};

/// The protocol version of this program.
pub const VERSION: u16 = 1;

/// The first frame of each side.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Hello {
    /// Protocol versions, best first.
    #[serde(deserialize_with = "at_most::<64, _, _>")]
    pub versions: Vec<u16>,
    /// The county root that the sender has pinned; `None` before enrolment.
    pub county: Option<NodeId>,
    /// The county's name, for the screen of somebody who is enrolling.
    pub county_name: String,
    /// The sender's store.
    pub store: StoreId,
    /// The receiver's store as the sender last saw it, and how far that store had acknowledged.
    pub cursor: Option<(StoreId, u64)>,
    /// Digest of the sender's roll.
    pub roll: [u8; 8],
    /// Changes and bytes that follow before the answer, for the other side's screen.
    pub announced: (u32, u64),
    /// What later versions say besides.
    #[serde(skip)]
    pub more: More,
}

/// What a node can read: remembered of each peer, so that a first flight can be written for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Speaks {
    /// Bits: 1 = streamed pieces (encoding 3) and State frames; 2 = Buckets frames; 4 = streams on a base;
    /// 8 = errands ([`errand`]); 16 = mail among them.
    pub features: u32,
    /// The newest dictionary that it has; it has all older ones too. 0: none.
    pub dictionary: u8,
}

impl Speaks {
    /// What this program reads.
    pub fn ours() -> Speaks {
        Speaks {
            features: 1 | 2 | 4 | 8 | 16,
            dictionary: stream::DICTIONARY,
        }
    }

    /// For a table: dictionary in the lowest byte, features above.
    pub fn to_number(self) -> i64 {
        i64::from(self.features) << 8 | i64::from(self.dictionary)
    }

    /// Turns [`Speaks::to_number`] back.
    pub fn of_number(number: i64) -> Speaks {
        Speaks {
            features: (number >> 8) as u32,
            dictionary: number as u8,
        }
    }

    /// Whether it reads streamed pieces and State frames.
    pub fn streams(self) -> bool {
        self.features & 1 != 0
    }

    /// Whether it reads streams on a base.
    pub fn bases(self) -> bool {
        self.features & 4 != 0
    }

    /// Whether it serves errands.
    pub fn errands(self) -> bool {
        self.features & 8 != 0
    }

    /// Whether it has mail to give on errands.
    pub fn mail(self) -> bool {
        self.features & 16 != 0
    }

    /// Whether it reads Buckets frames.
    pub fn buckets(self) -> bool {
        self.features & 2 != 0
    }
}

/// The part of a Hello that the first version did not have.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct More {
    /// What the sender can read.
    pub speaks: Speaks,
    /// Up to which local sequence the sender holds what that store of the receiver has sent it: what was
    /// stored while the answer was lost need not be sent again.
    pub have: Option<(StoreId, u64)>,
    /// The sender's clock, unix seconds: shown to people where clocks differ, and used for nothing.
    pub clock: Option<i64>,
    /// Everything that the sender has follows at once, and then a State frame.
    pub state_follows: bool,
}

/// Roll statements.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RollFrame {
    /// Statements as bytes (`roll::Statement::from_bytes`).
    #[serde(deserialize_with = "at_most::<{ limits::ROLL_STATEMENTS + limits::ROLL_RESERVED }, _, _>")]
    pub statements: Vec<Vec<u8>>,
}

/// Changes that commit together.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Piece {
    /// The sender's local sequence that the receiver has seen up to once this piece is judged; `None`
    /// in a repair, which moves no cursor.
    pub upto: Option<u64>,
    /// The changes, dependencies first.
    pub changes: Vec<Offered>,
}

/// What became of a piece.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Ack {
    /// Repeats [`Piece::upto`].
    pub upto: Option<u64>,
    /// How many pieces of this session are answered by it: 1, or 0 for an answer to `WantReceipts`.
    pub pieces: u8,
    /// What lies durably in the store.
    #[serde(deserialize_with = "at_most::<{ limits::RECEIPTS }, _, _>")]
    pub receipts: Vec<Receipt>,
    /// What was not stored, and why.
    #[serde(deserialize_with = "at_most::<{ limits::PIECE_CHANGES }, _, _>")]
    pub verdicts: Vec<(DocKey, ChangeHash, Verdict)>,
    /// Signature over `tip::receipt_bytes` (empty when there is no receipt).
    pub signature: Vec<u8>,
}

/// Both sides' state in a few bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Check {
    /// Digest of the roll.
    pub roll: [u8; 8],
    /// Digest over (key, heads) of every document that both may read.
    pub documents: [u8; 16],
}

/// One document in a digest list.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct DocDigest {
    /// First 8 bytes of SHA-256 of the key.
    pub key: [u8; 8],
    /// First 8 bytes of SHA-256 of the sorted heads.
    pub heads: [u8; 8],
}

/// Digests of many documents. A document's bucket is the first `bits` bits of its key hash.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Buckets {
    /// What the sender has.
    Ask {
        /// How many buckets there are: 2 to this power.
        bits: u8,
        /// First 8 bytes of SHA-256 over the [`DocDigest`]s of each, by key hash; zero for an empty one.
        #[serde(deserialize_with = "at_most::<{ 1 << limits::BUCKET_BITS_MAX }, _, _>")]
        digests: Vec<[u8; 8]>,
    },
    /// Which of these differ at the receiver.
    Answer {
        /// As in the question.
        bits: u8,
        /// Numbers of the buckets.
        #[serde(deserialize_with = "at_most::<{ 1 << limits::BUCKET_BITS_MAX }, _, _>")]
        differing: Vec<u16>,
        /// Every document that the answerer has in them.
        #[serde(deserialize_with = "at_most::<{ limits::DIGESTS }, _, _>")]
        documents: Vec<DocDigest>,
    },
}

impl Buckets {
    fn is_within_caps(&self) -> bool {
        let bits = |b: &u8| (limits::BUCKET_BITS_MIN..=limits::BUCKET_BITS_MAX).contains(b);
        match self {
            Buckets::Ask { bits: b, digests } => bits(b) && digests.len() == 1 << b,
            Buckets::Answer {
                bits: b, differing, ..
            } => bits(b) && differing.len() <= 1 << b,
        }
    }
}

/// What a node holds of one document.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Vector {
    /// The document.
    pub document: DocKey,
    /// The highest stored sequence number of each actor.
    #[serde(deserialize_with = "at_most::<{ limits::VECTOR_ACTORS }, _, _>")]
    pub actors: Vec<(ActorId, u64)>,
}

/// Version vectors of documents that differ.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Vectors {
    /// Key hashes from the digest list that the sender does not have at all.
    #[serde(deserialize_with = "at_most::<{ limits::VECTORS }, _, _>")]
    pub absent: Vec<[u8; 8]>,
    /// The sender's vectors.
    #[serde(deserialize_with = "at_most::<{ limits::VECTORS }, _, _>")]
    pub vectors: Vec<Vector>,
    /// Whether the receiver should answer with its own.
    pub answer: bool,
}

/// Why a session ends.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Refusal {
    /// The peer is in no roll statement.
    NotEnrolled,
    /// The peer was revoked.
    Revoked,
    /// The peer belongs to another county.
    OtherCounty,
    /// No common protocol version.
    Version,
    /// The peer broke the protocol or a cap.
    Protocol,
    /// The receiver cannot work now (disk full, shutting down).
    Unavailable,
}

/// The last frame of a session that does not go on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Refuse {
    /// The reason.
    pub code: Refusal,
    /// Words for the log; pages translate the code.
    pub text: String,
}

/// A wish to be enrolled.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Enrol {
    /// What the device calls itself, such as 青石小学 办公室电脑.
    pub label: String,
}

/// One frame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Frame {
    /// 1
    Hello(Hello),
    /// 2
    Roll(RollFrame),
    /// 3
    Piece(Piece),
    /// 3 in encoding 3: what only the session can read, which keeps the stream's context.
    Streamed(StreamPart),
    /// 4
    Ack(Ack),
    /// 5
    Check(Check),
    /// 6
    Digests(Vec<DocDigest>),
    /// 7
    Vectors(Vectors),
    /// 8
    Done,
    /// 9
    Refuse(Refuse),
    /// 10
    Enrol(Enrol),
    /// 11
    WantReceipts,
    /// 12
    Buckets(Buckets),
    /// 13
    State(Check),
    /// A type of a later version.
    Unknown(u8),
}

/// Why bytes are not a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadFrame {
    /// No bytes, a body that cannot be read, or a list in it above its cap.
    #[error("a frame of type {0} cannot be read, or a list in it is too long")]
    Damaged(u8),
    /// The frame, or a text in it, above its cap.
    #[error("a frame of type {0} is larger than allowed")]
    TooLarge(u8),
    /// A piece in an encoding that this version does not know.
    #[error("a piece is written in unknown encoding {0}")]
    UnknownEncoding(u8),
    /// A piece that was made with a dictionary of a later version.
    #[error("a piece is written with dictionary {0}, which this version does not have")]
    UnknownDictionary(u8),
}

pub mod errand;
mod pack;
pub mod stream;

pub use stream::{BaseName, StreamPart};

/// Reads a list whose announced length is within `MOST`; a longer one is refused before it takes memory.
fn at_most<'de, const MOST: usize, T: Deserialize<'de>, D: serde::Deserializer<'de>>(
    d: D,
) -> Result<Vec<T>, D::Error> {
    struct AtMost<T, const MOST: usize>(std::marker::PhantomData<T>);
    impl<'de, T: Deserialize<'de>, const MOST: usize> serde::de::Visitor<'de> for AtMost<T, MOST> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "a list of at most {MOST}")
        }

        fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<T>, A::Error> {
            let mut list = Vec::new();
            if seq.size_hint().is_some_and(|n| n > MOST) {
                return Err(serde::de::Error::invalid_length(MOST + 1, &self));
            }
            while let Some(item) = seq.next_element()? {
                if list.len() == MOST {
                    return Err(serde::de::Error::invalid_length(MOST + 1, &self));
                }
                list.push(item);
            }
            Ok(list)
        }
    }
    d.deserialize_seq(AtMost::<T, MOST>(std::marker::PhantomData))
}

/// [`Frame::Digests`] as it is read.
#[derive(Deserialize)]
struct DigestList(#[serde(deserialize_with = "at_most::<{ limits::DIGESTS }, _, _>")] Vec<DocDigest>);

const ZSTD_LEVEL: i32 = 9;

/// A pack is made once and sent over a slow link: worth the time (about 1 ms a KB on an old PC).
const PACK_LEVEL: i32 = 19;

/// A piece as postcard writes it: documents once, changes by index.
#[derive(Serialize, Deserialize)]
struct PieceBody {
    upto: Option<u64>,
    documents: Vec<DocKey>,
    changes: Vec<(u32, Vec<u8>, Option<TipBytes>)>,
}

/// A signature as plain bytes (serde knows no arrays of 64).
#[derive(Serialize, Deserialize)]
struct TipBytes([u8; 32], [u8; 32]);

impl TipBytes {
    fn new(tip: &Tip) -> TipBytes {
        let (mut a, mut b) = ([0; 32], [0; 32]);
        a.copy_from_slice(&tip[..32]);
        b.copy_from_slice(&tip[32..]);
        TipBytes(a, b)
    }

    fn tip(&self) -> Tip {
        let mut tip = [0; 64];
        tip[..32].copy_from_slice(&self.0);
        tip[32..].copy_from_slice(&self.1);
        tip
    }
}

impl Frame {
    /// The bytes to send.
    pub fn encode(&self) -> Vec<u8> {
        fn with<T: Serialize>(kind: u8, body: &T) -> Vec<u8> {
            postcard::to_extend(body, vec![kind]).unwrap_or_default()
        }
        match self {
            Frame::Hello(b) => postcard::to_extend(&b.more, with(1, b)).unwrap_or_default(),
            Frame::Roll(b) => with(2, b),
            Frame::Piece(b) => encode_piece(b),
            Frame::Streamed(b) => b.encode(),
            Frame::Ack(b) => with(4, b),
            Frame::Check(b) => with(5, b),
            Frame::Digests(b) => with(6, b),
            Frame::Vectors(b) => with(7, b),
            Frame::Done => vec![8],
            Frame::Refuse(b) => with(9, b),
            Frame::Enrol(b) => with(10, b),
            Frame::WantReceipts => vec![11],
            Frame::Buckets(b) => with(12, b),
            Frame::State(b) => with(13, b),
            Frame::Unknown(kind) => vec![*kind],
        }
    }

    /// Reads one frame; never allocates more than the caps allow.
    pub fn decode(bytes: &[u8]) -> Result<Frame, BadFrame> {
        let (&kind, body) = bytes.split_first().ok_or(BadFrame::Damaged(0))?;
        if body.len() >= limits::FRAME_BYTES {
            return Err(BadFrame::TooLarge(kind));
        }
        fn read<'a, T: Deserialize<'a>>(kind: u8, body: &'a [u8]) -> Result<T, BadFrame> {
            postcard::take_from_bytes(body)
                .map(|(v, _)| v)
                .map_err(|_| BadFrame::Damaged(kind))
        }
        let within = |ok: bool| {
            if ok { Ok(()) } else { Err(BadFrame::TooLarge(kind)) }
        };
        Ok(match kind {
            1 => {
                let (mut hello, rest): (Hello, &[u8]) =
                    postcard::take_from_bytes(body).map_err(|_| BadFrame::Damaged(kind))?;
                if !rest.is_empty() {
                    hello.more = read(kind, rest)?;
                }
                within(hello.county_name.len() <= limits::TEXT_BYTES)?;
                Frame::Hello(hello)
            }
            2 => {
                let roll: RollFrame = read(kind, body)?;
                within(roll.statements.iter().all(|s| s.len() <= limits::STATEMENT_BYTES))?;
                Frame::Roll(roll)
            }
            3 if body.first() == Some(&stream::ENCODING) => Frame::Streamed(StreamPart::decode(body)?),
            3 => Frame::Piece(decode_piece(body)?),
            4 => Frame::Ack(read(kind, body)?),
            5 => Frame::Check(read(kind, body)?),
            6 => Frame::Digests(read::<DigestList>(kind, body)?.0),
            7 => Frame::Vectors(read(kind, body)?),
            8 => Frame::Done,
            9 => {
                let refuse: Refuse = read(kind, body)?;
                within(refuse.text.len() <= limits::TEXT_BYTES)?;
                Frame::Refuse(refuse)
            }
            10 => {
                let enrol: Enrol = read(kind, body)?;
                within(enrol.label.len() <= limits::TEXT_BYTES)?;
                Frame::Enrol(enrol)
            }
            11 => Frame::WantReceipts,
            12 => {
                let buckets: Buckets = read(kind, body)?;
                within(buckets.is_within_caps())?;
                Frame::Buckets(buckets)
            }
            13 => Frame::State(read(kind, body)?),
            other => Frame::Unknown(other),
        })
    }
}

fn encode_piece(piece: &Piece) -> Vec<u8> {
    if let Some(packed) = pack::encode(piece, &mut pack::Context::default())
        && let Ok(small) = zstd::bulk::compress(&packed, PACK_LEVEL)
    {
        return [&[3, 2], &small[..]].concat();
    }
    let mut documents: Vec<DocKey> = Vec::new();
    let mut changes = Vec::with_capacity(piece.changes.len());
    for c in &piece.changes {
        let at = documents
            .iter()
            .position(|d| *d == c.document)
            .unwrap_or_else(|| {
                documents.push(c.document.clone());
                documents.len() - 1
            });
        changes.push((at as u32, c.body.clone(), c.tip.as_ref().map(TipBytes::new)));
    }
    let plain = postcard::to_stdvec(&PieceBody {
        upto: piece.upto,
        documents,
        changes,
    })
    .unwrap_or_default();
    match zstd::bulk::compress(&plain, ZSTD_LEVEL) {
        Ok(packed) if packed.len() < plain.len() => [&[3, 1], &packed[..]].concat(),
        _ => [&[3, 0], &plain[..]].concat(),
    }
}

fn decode_piece(body: &[u8]) -> Result<Piece, BadFrame> {
    let (&encoding, body) = body.split_first().ok_or(BadFrame::Damaged(3))?;
    let inflated;
    let plain = match encoding {
        0 if body.len() > limits::PIECE_BYTES => return Err(BadFrame::TooLarge(3)),
        0 => body,
        // `decompress` never writes more than the capacity it is given, whatever the frame claims.
        1 | 2 => {
            let size = zstd::zstd_safe::get_frame_content_size(body)
                .ok()
                .flatten()
                .unwrap_or(limits::PIECE_BYTES as u64);
            if size > limits::PIECE_BYTES as u64 {
                return Err(BadFrame::TooLarge(3));
            }
            inflated = zstd::bulk::decompress(body, size as usize).map_err(|_| BadFrame::Damaged(3))?;
            if encoding == 2 {
                return pack::decode(&inflated, &mut pack::Context::default())
                    .map_err(|pack::NoPack| BadFrame::Damaged(3));
            }
            &inflated
        }
        other => return Err(BadFrame::UnknownEncoding(other)),
    };
    let (piece, _): (PieceBody, &[u8]) =
        postcard::take_from_bytes(plain).map_err(|_| BadFrame::Damaged(3))?;
    if piece.changes.len() > limits::PIECE_CHANGES {
        return Err(BadFrame::TooLarge(3));
    }
    let mut changes = Vec::with_capacity(piece.changes.len());
    for (at, body, tip) in piece.changes {
        let document = piece
            .documents
            .get(at as usize)
            .ok_or(BadFrame::Damaged(3))?
            .clone();
        changes.push(Offered {
            document,
            body,
            tip: tip.map(|t| t.tip()),
        });
    }
    Ok(Piece {
        upto: piece.upto,
        changes,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(text: &str) -> DocKey {
        DocKey::parse(text).unwrap()
    }

    fn samples() -> Vec<Frame> {
        let actor = ActorId {
            device: NodeId([7; 32]),
            incarnation: [1; 4],
        };
        let receipt = Receipt {
            document: key("log/a/2025"),
            actor,
            seq: 300,
            hash: [4; 32],
        };
        vec![
            Frame::Hello(Hello {
                versions: vec![1],
                county: Some(NodeId([1; 32])),
                county_name: "云岭县".into(),
                store: StoreId([2; 16]),
                cursor: Some((StoreId([3; 16]), 77)),
                roll: [5; 8],
                announced: (36, 12_000),
                more: More {
                    speaks: Speaks::ours(),
                    have: Some((StoreId([3; 16]), 5)),
                    clock: Some(-1),
                    state_follows: true,
                },
            }),
            Frame::Roll(RollFrame {
                statements: vec![vec![1; 200], vec![2; 180]],
            }),
            Frame::Piece(Piece {
                upto: Some(9),
                changes: (0..40)
                    .map(|i| Offered {
                        document: key(if i % 2 == 0 { "log/a/2025" } else { "base/a/2025" }),
                        body: vec![i; 300],
                        tip: (i > 37).then_some([i; 64]),
                    })
                    .collect(),
            }),
            Frame::Ack(Ack {
                upto: Some(9),
                pieces: 1,
                receipts: vec![receipt],
                verdicts: vec![(
                    key("log/b/2025"),
                    [1; 32],
                    Verdict::Held(crate::admission::Wait::NotTheWriter),
                )],
                signature: vec![8; 64],
            }),
            Frame::Check(Check {
                roll: [1; 8],
                documents: [2; 16],
            }),
            Frame::Buckets(Buckets::Ask {
                bits: 8,
                digests: vec![[3; 8]; 256],
            }),
            Frame::Buckets(Buckets::Answer {
                bits: 12,
                differing: vec![0, 4_095],
                documents: vec![DocDigest {
                    key: [8; 8],
                    heads: [9; 8],
                }],
            }),
            Frame::Digests(vec![DocDigest {
                key: [1; 8],
                heads: [2; 8],
            }]),
            Frame::Vectors(Vectors {
                absent: vec![[9; 8]],
                vectors: vec![Vector {
                    document: key("log/a/2025"),
                    actors: vec![(actor, 3)],
                }],
                answer: true,
            }),
            Frame::Done,
            Frame::Refuse(Refuse {
                code: Refusal::Revoked,
                text: "本机已被撤销".into(),
            }),
            Frame::Enrol(Enrol {
                label: "青石小学 办公室电脑".into(),
            }),
            Frame::WantReceipts,
            Frame::State(Check {
                roll: [3; 8],
                documents: [4; 16],
            }),
            Frame::Unknown(200),
        ]
    }

    #[test]
    fn frames_round_trip() {
        for frame in samples() {
            assert_eq!(Frame::decode(&frame.encode()).unwrap(), frame);
        }
    }

    #[test]
    fn a_longer_body_of_a_newer_version_is_read_as_far_as_known() {
        for frame in samples().into_iter().filter(|f| !matches!(f, Frame::Piece(_))) {
            let longer = [frame.encode(), vec![1, 2, 3]].concat();
            assert_eq!(Frame::decode(&longer).unwrap(), frame);
        }
    }

    #[test]
    fn an_inflate_bomb_is_refused_before_it_grows() {
        let bomb = zstd::bulk::compress(&vec![0u8; 64 << 20], 19).unwrap();
        assert!(bomb.len() < 8_000);
        assert_eq!(
            Frame::decode(&[&[3, 1], &bomb[..]].concat()),
            Err(BadFrame::TooLarge(3))
        );
        // The same without the announced size: the output buffer is the bound.
        let mut encoder = zstd::stream::Encoder::new(Vec::new(), 19).unwrap();
        std::io::Write::write_all(&mut encoder, &vec![0u8; 64 << 20]).unwrap();
        let bomb = encoder.finish().unwrap();
        assert_eq!(
            Frame::decode(&[&[3, 1], &bomb[..]].concat()),
            Err(BadFrame::Damaged(3))
        );
    }

    /// A frame of `FRAME_BYTES` unfolds to the lists below at most, and what a list announces is looked at
    /// before it takes memory.
    #[test]
    fn lists_that_announce_too_much_are_refused() {
        let huge = [0xff, 0xff, 0xff, 0xff, 0x0f];
        for kind in [1, 2, 4, 6, 7, 9, 10, 12] {
            assert!(Frame::decode(&[&[kind], &huge[..]].concat()).is_err(), "{kind}");
        }
        for kind in [4, 7] {
            assert!(
                Frame::decode(&[&[kind, 0], &huge[..]].concat()).is_err(),
                "{kind}"
            );
        }
        let digests = |n| {
            Frame::Digests(vec![
                DocDigest {
                    key: [1; 8],
                    heads: [2; 8]
                };
                n
            ])
            .encode()
        };
        for (variant, bits) in [(0, 8), (0, 12), (1, 8)] {
            assert!(Frame::decode(&[&[12, variant, bits], &huge[..]].concat()).is_err());
        }
        let ask = |bits, n| {
            Frame::Buckets(Buckets::Ask {
                bits,
                digests: vec![[1; 8]; n],
            })
            .encode()
        };
        assert!(Frame::decode(&ask(8, 256)).is_ok());
        for (bits, n) in [(8, 255), (9, 256), (0, 1), (13, 8192), (255, 0)] {
            assert!(Frame::decode(&ask(bits, n)).is_err(), "{bits} {n}");
        }
        assert!(Frame::decode(&digests(limits::DIGESTS)).is_ok());
        assert_eq!(
            Frame::decode(&digests(limits::DIGESTS + 1)),
            Err(BadFrame::Damaged(6))
        );
        let vectors = |documents: usize, actors: usize| {
            let actor = ActorId {
                device: NodeId([7; 32]),
                incarnation: [1; 4],
            };
            let vector = Vector {
                document: key("a"),
                actors: vec![(actor, 1); actors],
            };
            let vectors = vec![vector; documents];
            Frame::Vectors(Vectors {
                absent: Vec::new(),
                vectors,
                answer: true,
            })
            .encode()
        };
        assert!(Frame::decode(&vectors(limits::VECTORS, 20)).is_ok());
        assert_eq!(
            Frame::decode(&vectors(limits::VECTORS + 1, 1)),
            Err(BadFrame::Damaged(7))
        );
        assert_eq!(
            Frame::decode(&vectors(1, limits::VECTOR_ACTORS + 1)),
            Err(BadFrame::Damaged(7))
        );
        assert_eq!(
            Frame::decode(&vectors(1_000, 100)),
            Err(BadFrame::TooLarge(7)),
            "3.7 MB"
        );
        // The largest frame that is sent fits into one that is read.
        assert!(
            vectors(limits::VECTORS, limits::VECTORS_ACTORS / limits::VECTORS).len() < limits::FRAME_BYTES
        );
        assert_eq!(
            Frame::decode(&vec![200; limits::FRAME_BYTES + 1]),
            Err(BadFrame::TooLarge(200))
        );
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Frame::decode(&bytes);
        }

        #[test]
        fn damaged_frames_never_panic(which in 0usize..12, at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut bytes = samples()[which].encode();
            let i = at.index(bytes.len());
            bytes[i] = byte;
            let _ = Frame::decode(&bytes);
        }
    }
}
