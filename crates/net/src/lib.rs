//! How bytes travel between nodes: QUIC links and finding neighbours on the local network.
//! This crate knows peers and byte streams; it knows no documents and decides no authority.
//!
//! The main path: [`Endpoint::bind`] opens one UDP socket with the device's key. A [`Link`] to a
//! peer comes from [`Endpoint::connect`] (we dialled) or [`Endpoint::accept`] (they did); on both
//! ends [`Link::peer`] is the node id that TLS has proven. A link carries streams, a stream carries
//! frames: [`FrameWriter::write`] on one end is [`FrameReader::read`] on the other.
//! With a node that was met before the first data travels in the first packets (0-RTT, `early.rs`):
//! [`Link::early`] and [`Link::settled`] say what holds of such a link.
//! Where a network lets no UDP through, [`Endpoint::connect_tcp`] gives the same [`Link`] over TLS on TCP (`tcp.rs`,
//! `mux.rs`); who dials chooses the road, and [`Link::road`] says which it is.
//! How much may be on the way is Cubic's to say, and on a slow link that of its queue (`congestion.rs`).
//! [`Discovery`] says which nodes are near and at which addresses. What it says is a rumour until
//! the handshake with [`Endpoint::connect`] has proven it.
//!
//! Every node may open a link to every other one, also a stranger (that is how a new school is
//! enrolled). Whether a peer is a member, revoked, or may read anything is asked by the caller on
//! every link: a resumed handshake calls no verifier, so nothing may hang on one having been called.
//!
//! Nothing here reads the wall clock. A PC whose clock battery died and that believes it is 1970
//! connects like any other (see `tls.rs`).

mod calls;
mod congestion;
mod cork;
mod discovery;
mod early;
mod endpoint;
mod error;
mod frame;
mod gate;
mod ground;
mod link;
mod mux;
mod socket;
mod tcp;
mod tickets;
mod tls;
mod tuning;

pub use discovery::{CHATTER, Discovery, Found, SERVICE, county_tag};
pub use endpoint::{Counters, Endpoint, Stream};
#[doc(hidden)]
pub use mux::fuzzing;

pub use error::{CloseReason, ClosedBy, Error};
pub use frame::{FrameReader, FrameWriter, MAX_FRAME};
pub use ground::Simulated;
pub use link::{Link, LinkStats, Road};
pub use tls::{ALPN, ALPN_TCP};
pub use tuning::Tuning;
