//! Every cap on what a peer, a file or a person may make this crate hold or compute, with its reason.

/// Bytes of one change body. A one-record change is about 500 B and an import of 1,000 teachers is cut
/// into changes of 200 records (about 60 KB); 256 KiB leaves room and bounds a piece.
pub const CHANGE_BYTES: usize = 256 * 1024;

/// Direct dependencies of one change: heads of a document that many devices wrote apart.
pub const CHANGE_DEPS: usize = 256;

/// Operations of one change: 200 records of 25 fields, with room.
pub const CHANGE_OPS: u64 = 32_768;

/// Highest operation number that is let in. A change near `u32::MAX` makes the next local edit
/// panic (measured.md); a document of 6,000 records a year is far below this.
pub const MAX_OP: u64 = 1 << 30;

/// Bytes of a document key: a kind, two ids of 36 letters, a year.
pub const KEY_BYTES: usize = 160;

/// Bytes of one roll statement with its signature (about 200 are usual).
pub const STATEMENT_BYTES: usize = 1024;

/// Statements in a roll: a province has some 10,000 devices.
pub const ROLL_STATEMENTS: usize = 50_000;

/// Statements by issuers that the roll does not (yet) know, kept until their officer is known.
pub const ROLL_UNKNOWN_ISSUER: usize = 256;

/// Statements read from one session; more ends it.
pub const ROLL_PER_SESSION: usize = ROLL_STATEMENTS;

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

/// Waiting changes of so many bytes (some 6 KB compressed) are all sent in the first flight, and a State frame
/// after them. More waits for the peer's Hello: some may have come in a session that was cut.
pub const FIRST_FLIGHT: u64 = 32 * 1024;

/// Documents in one digest list. 5,000 documents cost 80 KB; above 1,000 the next protocol version
/// sends buckets first.
pub const DIGESTS: usize = 50_000;

/// Documents whose version vectors are asked for in one round.
pub const VECTORS: usize = 1_000;

/// Actors in one version vector.
pub const VECTOR_ACTORS: usize = 10_000;

/// Receipts in one answer.
pub const RECEIPTS: usize = 4_096;

/// Changes that wait (missing dependency, unknown author) for all documents together…
pub const HELD_CHANGES: usize = 20_000;

/// …and by one author, so that one device cannot crowd out the others.
pub const HELD_PER_AUTHOR: usize = 2_000;

/// The same in bytes of bodies: a retry reads those of one document into memory.
pub const HELD_BYTES: usize = 64 * 1024 * 1024;

/// Bytes of waiting changes by one author.
pub const HELD_BYTES_PER_AUTHOR: usize = 4 * 1024 * 1024;

/// Frames of unknown type that are passed over before the session ends.
pub const UNKNOWN_FRAMES: usize = 64;

/// Rounds of check and repair in one session; a difference that survives them is reported.
pub const CHECK_ROUNDS: u8 = 3;

/// Bytes of text that a peer may send for people to read (refusals, enrolment wishes).
pub const TEXT_BYTES: usize = 400;

/// Requests in one session for all receipts: one after each change of the roll is usual.
pub const RECEIPT_REQUESTS: usize = 1_000;
