//! Every cap on what a peer, a file or a person may make this crate hold or compute, with its reason.

/// Bytes of one change body. A one-record change is about 500 B and an import of 1,000 teachers is cut
/// into changes of 200 records (about 60 KB); 256 KiB leaves room and bounds a piece.
pub const CHANGE_BYTES: usize = 256 * 1024;

/// Direct dependencies of one change: heads of a document that many devices wrote apart.
pub const CHANGE_DEPS: usize = 256;

/// Operations of one change: 200 records of 25 fields, with room.
pub const CHANGE_OPS: u64 = 32_768;

/// Predecessors that the operations of one change name together: one or two each are usual.
pub const CHANGE_PREDS: u64 = 4 * CHANGE_OPS;
/// Operations that a change may have beyond one for every two bytes of its body. Equal operations are
/// written as one run, so that a hundred bytes could otherwise unfold to 32,768 of them in memory; what
/// people record has one for five to forty bytes (measured: marks of 200 people, imports, single records).
pub const FREE_OPS: u64 = 256;

/// Highest operation number that is let in. A change near `u32::MAX` makes the next local edit
/// panic (measured.md); a document of 6,000 records a year is far below this.
pub const MAX_OP: u64 = 1 << 30;

/// Bytes of a document key: a kind, two ids of 36 letters, a year.
pub const KEY_BYTES: usize = 160;

/// Bytes of one frame, whatever its type (`net` reads no longer ones): with the caps on lists below, what a
/// frame unfolds to stays within a few megabytes.
pub const FRAME_BYTES: usize = 1 << 20;

/// Documents whose keys are equal but for the last segment: a school's years of one kind, its persons'
/// portfolios. The largest school has some 500 persons.
pub const DOCUMENTS_PER_BRANCH: u64 = 2_000;

/// School years that a document key may name: those of the dates that people may write (1900 to 2100; the
/// school year turns in September). A device may open every document of its school, so ten thousand years
/// would be ten thousand documents for nothing.
pub const YEARS: std::ops::RangeInclusive<u16> = 1899..=2100;

/// Incarnations of one device in one document: one for each restore, clone or cut. Each costs admission
/// a walk through the past.
pub const ACTORS_PER_DEVICE: u64 = 64;

/// Bytes of bodies by one device in one document: ten times a school's busiest year. A document is
/// loaded as a whole to be shown.
pub const DEVICE_BYTES_PER_DOCUMENT: u64 = 32 * 1024 * 1024;

/// Bytes of bodies by one device in all documents: fifty years of a school.
pub const DEVICE_BYTES: u64 = 256 * 1024 * 1024;

/// Quarantined actors of one device, over all documents. Beyond, everything new of that device waits for
/// the county: fresh incarnations would otherwise buy fresh faults, each kept with its evidence.
pub const QUARANTINES_PER_DEVICE: u64 = 16;

/// Bytes of one roll statement with its signature (about 200 are usual).
pub const STATEMENT_BYTES: usize = 1024;

/// Statements in a roll: a province has some 10,000 devices.
pub const ROLL_STATEMENTS: usize = 50_000;

/// Room that only the county root may fill: a stolen officer key cannot keep the root from retiring it.
pub const ROLL_RESERVED: usize = 1_000;

/// Statements of an officer with a limit (one role in one scope).
pub const ROLL_PER_LIMITED_OFFICER: usize = 1_000;

/// Statements by issuers that the roll does not (yet) know, kept until their officer is known.
pub const ROLL_UNKNOWN_ISSUER: usize = 256;

/// Statements of one session that brought nothing new (each costs a signature check); more ends it. A
/// whole roll is sent again whenever the two differ.
pub const ROLL_STALE: usize = ROLL_STATEMENTS;

/// Statements of one session that are forged, or of nobody who may speak for the county; more ends it.
pub const ROLL_FOREIGN: usize = 512;

/// Bytes of changes that a sender puts into one piece before compression. A piece commits on its
/// own, so about this is lost when a link is cut (some 4 KB after compression).
pub const PIECE_TARGET: usize = 24 * 1024;

/// Bytes of one piece after inflating: one change of the largest size and the target around it.
pub const PIECE_BYTES: usize = 512 * 1024;

/// Changes in one piece.
pub const PIECE_CHANGES: usize = 4_096;

/// Pieces that may be on the way without an answer: bounds what the receiver has to keep.
pub const PIECES_IN_FLIGHT: usize = 128;

/// Bytes of changes that are kept while the rolls are exchanged: a first flight, with room.
pub const EARLY_BYTES: usize = 4 * PIECE_BYTES;

/// Compressed bytes that may be on the way without an answer, at first and at least: what a slow link
/// with 600 ms of round trip needs to stay full. What is more than a link carries in its round trip waits
/// in its queue, and is lost when it is cut (`session/window.rs`).
pub const WINDOW_FLOOR: usize = 12 * 1024;

/// The same at most: 10 Mbit/s at 800 ms.
pub const WINDOW_CEILING: usize = 1024 * 1024;

/// Pieces whose receipts may wait for one another: a signed receipt costs some 200 bytes, a plain answer 12.
pub const RECEIPTS_EVERY: usize = 16;

/// Changes that the writer and the reader of a stream of pieces remember (40 bytes each).
pub const STREAM_CHANGES: usize = 1_024;

/// Changes that a stream may stand on: beyond 50 records, 20 new ones get hardly smaller (3,295 bytes with their
/// signatures after 50, 3,220 after 100, 4,635 after none).
pub const BASE_CHANGES: usize = 50;

/// And their bytes: an import is one large change, and says little of what a clerk writes next.
pub const BASE_BYTES: usize = 48 * 1024;

/// Waiting changes of so many bytes (some 6 KB compressed) are all sent in the first flight, and a State frame
/// after them. More waits for the peer's Hello: some may have come in a session that was cut.
pub const FIRST_FLIGHT: u64 = 32 * 1024;

/// Documents in one digest list (16 bytes each).
pub const DIGESTS: usize = 50_000;

/// More documents than this are first compared by buckets.
pub const BUCKETS_ABOVE: usize = 1_000;

/// Buckets are 2 to this power at least (2 KB of digests)…
pub const BUCKET_BITS_MIN: u8 = 8;

/// …and at most (32 KB), for 50,000 documents.
pub const BUCKET_BITS_MAX: u8 = 12;

/// Documents whose version vectors are asked for in one round.
pub const VECTORS: usize = 1_000;

/// Actors in one version vector.
pub const VECTOR_ACTORS: usize = 10_000;

/// Actors of all vectors that are sent in one frame: 740 KB, so that the frame fits. The rest comes in the
/// next round.
pub const VECTORS_ACTORS: usize = 20_000;

/// Receipts in one answer.
pub const RECEIPTS: usize = 4_096;

/// Changes that wait (missing dependency, unknown author) for all documents together…
pub const HELD_CHANGES: usize = 20_000;

/// …and by one author, so that one device cannot crowd out the others.
pub const HELD_PER_AUTHOR: usize = 2_000;

/// Of authors whom the roll does not know, all together: keys cost nothing, and a flood of them must not
/// take the room of known ones.
pub const HELD_UNKNOWN: usize = 2_000;

/// Brought by one peer, whoever wrote them.
pub const HELD_PER_PEER: usize = 8_000;

/// The same in bytes of bodies.
pub const HELD_BYTES: usize = 64 * 1024 * 1024;

/// Bytes of waiting changes by one author.
pub const HELD_BYTES_PER_AUTHOR: usize = 4 * 1024 * 1024;

/// Bytes of waiting changes brought by one peer.
pub const HELD_BYTES_PER_PEER: usize = 16 * 1024 * 1024;

/// Bytes of waiting changes of unknown authors.
pub const HELD_BYTES_UNKNOWN: usize = 8 * 1024 * 1024;

/// Frames of unknown type that are passed over before the session ends.
pub const UNKNOWN_FRAMES: usize = 64;

/// Rounds of check and repair in one session; a difference that survives them is reported.
pub const CHECK_ROUNDS: u8 = 3;

/// Bytes of text that a peer may send for people to read (refusals, enrolment wishes).
pub const TEXT_BYTES: usize = 400;

/// Questions of one session (Check, State, Done, Digests, Vectors, WantReceipts) that nothing gave reason for; more
/// ends it. Each costs a look at all documents. A round of check and repair takes six.
pub const QUESTIONS: usize = 200;

/// Questions that a new piece or a change of the roll gives reason for.
pub const QUESTIONS_PER_REASON: usize = 8;

/// The largest blob: a photo as a phone takes it has 3 to 12 MB, and the hashes of its groups (32 bytes for 16 KiB)
/// must fit in one errand frame.
pub const BLOB_BYTES: u64 = 24 << 20;

/// The longest body of an errand frame: the outline of the largest blob.
pub const ERRAND_BYTES: usize = 64 << 10;

/// Blobs that one Fetch may ask for.
pub const ERRAND_ITEMS: usize = 64;

/// Names that one WhoHas may ask about, and receipts in one answer: 130 bytes each.
pub const ERRAND_NAMES: usize = 400;

/// Bytes of one bundle file: made ones have 8 MB at most unless a person asks for more; a reader takes them into
/// memory whole.
pub const BUNDLE_BYTES: usize = 64 * 1024 * 1024;

/// Bytes of a bundle after inflating. What is inside is small already, so that this is read frame by frame and
/// never held whole; it bounds the work that one file can cause.
pub const BUNDLE_INSIDE_BYTES: u64 = 4 * BUNDLE_BYTES as u64;

/// Bytes of all parts of what is bundled for one recipient at a time. The rest goes when this has been answered.
pub const BUNDLES_BYTES: usize = 256 * 1024 * 1024;

/// Parts of one bundle.
pub const BUNDLE_PARTS: u16 = 9_999;

/// Bytes of an age header: one recipient, later two or three, some 200 bytes each.
pub const AGE_HEADER_BYTES: usize = 4 * 1024;

/// Bundles that one bundle answers: 2 KB of names in its clear head. What is older stays with carriers until its
/// time is over.
pub const BUNDLE_ANSWERS: usize = 64;

/// Frames in one bundle: pieces are 24 KB and more before compression.
pub const BUNDLE_FRAMES: usize = 65_536;
