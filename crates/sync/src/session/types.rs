//! What goes in and out of a session.

use crate::admission::{Offered, Verdict};
use crate::document::{ChangeHash, DocKey};
use crate::identity::{ActorId, DeviceKey, NodeId, StoreId};
use crate::roll::Statement;
use crate::tip::Receipt;
use crate::wire::{BaseName, Check, DocDigest, More, Refusal, Speaks, Vector};

/// What the roll says of the peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// Named by no grant (or we have no roll ourselves).
    Stranger,
    /// A device of the county.
    Member,
    /// Revoked.
    Revoked,
}

/// What a session needs to begin.
#[derive(Clone, Debug)]
pub struct Start {
    /// Our device key: signs receipts.
    pub key: DeviceKey,
    /// Our store.
    pub store: StoreId,
    /// The county that we have pinned.
    pub county: Option<NodeId>,
    /// Its name, for people.
    pub county_name: String,
    /// Our label, sent when we are not enrolled.
    pub label: String,
    /// Who is at the other end (proven by the transport).
    pub peer: NodeId,
    /// What our roll says of the peer.
    pub standing: Standing,
    /// Whether we are enrolled ourselves.
    pub enrolled: bool,
    /// Digest of our roll.
    pub roll: [u8; 8],
    /// The peer's store as last seen, and our local sequence that it has acknowledged; `None` if its
    /// read scope has changed since.
    pub cursor: Option<(StoreId, u64)>,
    /// Whether we dialled.
    pub initiator: bool,
    /// Changes and bytes waiting for the peer.
    pub announced: (u32, u64),
    /// What the peer could read when it was last met.
    pub speaks: Speaks,
    /// The peer's store, and up to which of its local sequences it has sent us what we may read.
    pub have: Option<(StoreId, u64)>,
    /// The highest local sequence of our own store.
    pub last: u64,
    /// Our clock in unix seconds, for people.
    pub clock: i64,
}

/// Where outgoing changes are read from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Source {
    /// Stored after this local sequence, all documents that the peer may read.
    Since(u64),
    /// Of one document what the peer's vector lacks, after this local sequence.
    Missing {
        /// The document.
        document: DocKey,
        /// What the peer holds.
        have: Vec<(ActorId, u64)>,
        /// Where to go on.
        after: u64,
    },
}

/// One reading of outgoing changes, at most `limits::PIECE_TARGET` bytes (or one change).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Outgoing {
    /// Dependencies first; the last change of each actor has its tip.
    pub changes: Vec<Offered>,
    /// Local sequence up to which was read.
    pub upto: u64,
    /// Whether more follows.
    pub more: bool,
    /// If asked for: what the peer has acknowledged of the same actor before, oldest first; may be empty.
    pub base: Vec<Offered>,
    /// No stream may be opened for it and what follows: the caller has no memory for another context.
    pub alone: bool,
}

/// What happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// The transport is up.
    Started,
    /// A frame came.
    Frame(Vec<u8>),
    /// Answers [`Effect::ReadRoll`].
    RollRead(Vec<Vec<u8>>),
    /// Answers [`Effect::AddRoll`].
    RollAdded {
        /// How many were new.
        new: usize,
        /// How many were refused: of another county, or of nobody who may speak for this one.
        foreign: usize,
        /// Our digest now.
        digest: [u8; 8],
        /// The peer's standing now.
        standing: Standing,
    },
    /// Answers [`Effect::ReadOutgoing`].
    Outgoing(Outgoing),
    /// Answers [`Effect::ReadBase`]: exactly these changes, oldest first; `None` if they are not all here.
    Base(Option<Vec<Offered>>),
    /// Answers [`Effect::Admit`].
    Admitted {
        /// The last stored change of each actor and document in the piece.
        receipts: Vec<Receipt>,
        /// All verdicts but `Stored` and `Known`.
        verdicts: Vec<(DocKey, ChangeHash, Verdict)>,
        /// Whether the piece brought what our own side wrote elsewhere, and the peer's receipt for it is not here.
        unreceipted: bool,
    },
    /// Answers [`Effect::ReadSummary`].
    Summary {
        /// Digests to compare.
        check: Check,
        /// The highest local sequence.
        end: u64,
        /// Whether changes that the peer may read lack its receipt.
        unreceipted: bool,
    },
    /// Answers [`Effect::ReadDigests`].
    Digests(Vec<DocDigest>),
    /// Answers [`Effect::ReadVectors`].
    Vectors {
        /// Ours, of the asked documents that both may read; what the peer lacks goes out in this order.
        vectors: Vec<Vector>,
        /// Asked, and not here.
        absent: Vec<[u8; 8]>,
    },
    /// Answers [`Effect::ReadReceipts`].
    Receipts(Vec<Receipt>),
    /// Our store has new changes.
    Committed,
    /// Our roll has new statements that did not come from this peer.
    RollChanged {
        /// The new ones.
        statements: Vec<Vec<u8>>,
        /// Our digest now.
        digest: [u8; 8],
        /// The peer's standing now.
        standing: Standing,
    },
}

/// What the caller does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Send a frame.
    Send(Vec<u8>),
    /// The peer introduced itself: remember its store, show its county to a person who enrols.
    Met {
        /// Its store.
        store: StoreId,
        /// Its county root.
        county: Option<NodeId>,
        /// Its county's name.
        county_name: String,
        /// What it announced: changes, bytes.
        announced: (u32, u64),
        /// What it can read, and what its clock says.
        more: More,
    },
    /// *Asks.* Take statements into the roll (a node that is not enrolled keeps them as a candidate).
    AddRoll(Vec<Statement>),
    /// *Asks.* The statements to send: all, or those for a stranger.
    ReadRoll {
        /// Whether the peer is a stranger.
        stranger: bool,
    },
    /// *Asks.* Changes to send.
    ReadOutgoing {
        /// Where from.
        source: Source,
        /// With a base for them.
        base: bool,
        /// As far as is known, nothing else will be read after it.
        last: bool,
    },
    /// *Asks.* What a stream of the peer stands on, if it is in a document that the peer may read.
    ReadBase(BaseName),
    /// *Asks.* Judge and store the changes of one piece, durably, in one transaction, and with them how far
    /// the peer's store has been heard.
    Admit {
        /// The changes.
        changes: Vec<Offered>,
        /// The peer's local sequence up to which this brings us.
        upto: Option<u64>,
    },
    /// Keep receipts, verdicts and the cursor.
    Acknowledged {
        /// New cursor.
        upto: Option<u64>,
        /// How many of our pieces it answers.
        pieces: u8,
        /// Verified receipts.
        receipts: Vec<Receipt>,
        /// What the peer did not store.
        verdicts: Vec<(DocKey, ChangeHash, Verdict)>,
    },
    /// Keep the cursor.
    SetCursor {
        /// The peer's store.
        store: StoreId,
        /// Our local sequence that it holds.
        upto: u64,
    },
    /// *Asks.* Digests for the check.
    ReadSummary,
    /// *Asks.* Digests per document.
    ReadDigests,
    /// *Asks.* Our version vectors of these documents (by key hash).
    ReadVectors(Vec<[u8; 8]>),
    /// *Asks.* Receipts for what the peer and the other devices of its school wrote.
    ReadReceipts,
    /// The peer asks to be enrolled.
    EnrolWish {
        /// What it calls itself.
        label: String,
    },
    /// Both sides were equal just now.
    InSync,
    /// Tell the operator.
    Notice(Notice),
    /// The session is over: close the connection.
    Close,
}

/// What an operator should see of a session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Notice {
    /// We ended it, and why.
    WeRefused(Refusal, String),
    /// The peer ended it.
    TheyRefused(Refusal, String),
    /// A difference survived the repair.
    StillDifferent,
    /// A receipt with a wrong signature came.
    BadReceipt,
    /// The peer has had more from this store than this store holds: it was set back to an earlier state.
    SetBack,
}
