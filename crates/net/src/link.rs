//! One live connection to one proven peer.

use std::net::SocketAddr;
use std::time::Duration;

use quinn::VarInt;
use rustls::pki_types::CertificateDer;
use sync::NodeId;

use crate::tls::node_of;
use crate::{CloseReason, Error, FrameReader, FrameWriter};

/// A connection to a peer whose key is proven. Cheap to clone; when the last clone and the last
/// stream are gone, the connection closes with code 0.
#[derive(Debug, Clone)]
pub struct Link {
    conn: quinn::Connection,
    peer: NodeId,
}

/// What a link has cost so far, UDP payload in bytes (IP and UDP headers are 28 or 48 more a packet).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LinkStats {
    /// Bytes sent, retransmissions and handshake included.
    pub sent: u64,
    /// Bytes received.
    pub received: u64,
    /// Packets of ours that were lost on the way.
    pub lost_packets: u64,
}

impl Link {
    /// Reads the peer's key from the finished handshake. Also after a resumed one, in which no
    /// verifier was called: rustls keeps the key with the session.
    pub(crate) fn new(conn: quinn::Connection) -> Result<Link, Error> {
        let shown = conn
            .peer_identity()
            .and_then(|any| any.downcast::<Vec<CertificateDer<'static>>>().ok());
        let peer = shown.and_then(|keys| match keys.as_slice() {
            [key] => node_of(key),
            _ => None,
        });
        match peer {
            Some(peer) => Ok(Link { conn, peer }),
            None => {
                let addr = canonical(conn.remote_address());
                conn.close(VarInt::from_u32(0), b"no identity");
                Err(Error::NoIdentity { addr })
            }
        }
    }

    /// The peer's node id, proven by TLS. Whether it is a member, or revoked, is not asked here.
    pub fn peer(&self) -> NodeId {
        self.peer
    }

    /// Where the peer is now; changes when it moves to another network in mid-link.
    pub fn remote(&self) -> SocketAddr {
        canonical(self.conn.remote_address())
    }

    /// The round-trip time as measured now. Keep it per peer for [`crate::Tuning::initial_rtt`].
    pub fn rtt(&self) -> Duration {
        self.conn.rtt()
    }

    /// Opens a stream; waits while the peer's limit of streams is reached. The peer sees it only
    /// when something has been written.
    pub async fn open(&self) -> Result<(FrameWriter, FrameReader), Error> {
        let (send, recv) = self.conn.open_bi().await?;
        Ok((FrameWriter::new(send), FrameReader::new(recv, self.peer)))
    }

    /// The next stream that the peer opened, or `None` when the link has ended. Cancel-safe.
    pub async fn accept(&self) -> Option<(FrameWriter, FrameReader)> {
        let (send, recv) = self.conn.accept_bi().await.ok()?;
        Some((FrameWriter::new(send), FrameReader::new(recv, self.peer)))
    }

    /// Ends the link at once with a code and words for the peer's log. What has not been
    /// acknowledged is lost: await [`FrameWriter::delivered`] first where it matters.
    pub fn close(&self, code: u32, reason: &str) {
        self.conn.close(VarInt::from_u32(code), reason.as_bytes());
    }

    /// Waits until the link has ended, by whomever. Cancel-safe.
    pub async fn closed(&self) -> CloseReason {
        self.conn.closed().await.into()
    }

    /// Traffic so far.
    pub fn stats(&self) -> LinkStats {
        let stats = self.conn.stats();
        LinkStats {
            sent: stats.udp_tx.bytes,
            received: stats.udp_rx.bytes,
            lost_packets: stats.path.lost_packets,
        }
    }

    /// The connection beneath, for tests that misbehave on purpose.
    #[cfg(test)]
    pub(crate) fn raw(&self) -> &quinn::Connection {
        &self.conn
    }
}

/// An IPv4 peer on a dual-stack socket shows as `::ffff:192.0.2.1`; people know it as 192.0.2.1.
pub(crate) fn canonical(addr: SocketAddr) -> SocketAddr {
    match addr {
        SocketAddr::V6(v6) => match v6.ip().to_ipv4_mapped() {
            Some(v4) => SocketAddr::new(v4.into(), v6.port()),
            None => addr,
        },
        v4 => v4,
    }
}
