//! One live connection to one proven peer.

use std::net::SocketAddr;
use std::time::Duration;

use quinn::VarInt;
use rustls::pki_types::CertificateDer;
use sync::NodeId;

use crate::cork::{Cork, waiting};
use crate::early::Settling;
use crate::tickets::NextTicket;
use crate::tls::node_of;
use crate::{CloseReason, Error, FrameReader, FrameWriter};

/// A connection to a peer whose key is proven. Cheap to clone; when the last clone and the last
/// stream are gone, the connection closes with code 0.
#[derive(Debug, Clone)]
pub struct Link {
    conn: quinn::Connection,
    peer: NodeId,
    /// Of a link that was handed out before its handshake had ended.
    settling: Option<Settling>,
    /// Of a link whose first packets wait for what is said at once.
    cork: Option<Cork>,
    /// Of a link that we dialled.
    ticket: Option<NextTicket>,
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
    /// A link whose handshake is complete.
    pub(crate) fn new(conn: quinn::Connection) -> Result<Link, Error> {
        match identity(&conn) {
            Some(peer) => Ok(Link {
                conn,
                peer,
                settling: None,
                cork: None,
                ticket: None,
            }),
            None => {
                let addr = canonical(conn.remote_address());
                conn.close(VarInt::from_u32(0), b"no identity");
                Err(Error::NoIdentity { addr })
            }
        }
    }

    /// A link whose handshake goes on, to the node that the ticket is of.
    pub(crate) fn unsettled(conn: quinn::Connection, peer: NodeId, settling: Settling, cork: Cork) -> Link {
        Link {
            conn,
            peer,
            settling: Some(settling),
            cork: Some(cork),
            ticket: None,
        }
    }

    pub(crate) fn awaiting(self, ticket: Option<NextTicket>) -> Link {
        Link { ticket, ..self }
    }

    /// On a link that we dialled: waits for the ticket with which the next one can begin early, three round
    /// trips at most. Whoever closes before it has come pays a round trip the next time. Cancel-safe.
    pub async fn next_ticket(&self) {
        if let Some(ticket) = &self.ticket {
            ticket.wait(3 * self.rtt()).await;
        }
    }

    /// The peer's node id, proven by TLS. Whether it is a member, or revoked, is not asked here.
    ///
    /// On a link that we dialled and that is [`Link::early`] it is the expected one: what we write can
    /// be read by that node alone, but that it is there is known when [`Link::settled`] says so.
    pub fn peer(&self) -> NodeId {
        self.peer
    }

    /// Whether the handshake still goes on. What is written now on a link that we dialled travels as
    /// 0-RTT: it may be lost as a whole ([`Link::settled`]), and somebody on the way may hold it back
    /// and let it go later. On a link that was accepted, what is read now has come that way. So early
    /// data must be **idempotent** and must mean the same later: signed changes, and nothing else.
    pub fn early(&self) -> bool {
        self.settling.as_ref().is_some_and(Settling::is_open)
    }

    /// Waits until the handshake is complete; at once on a link that was not early. Any number of
    /// times, from any clone; cancel-safe.
    ///
    /// - `Ok(true)`: what was written early has been read (or the link was not early). On an accepted
    ///   link: the dialler is really there.
    /// - `Ok(false)`: it was thrown away. The link lives, the peer is proven, but all streams opened
    ///   before are dead ([`Error::EarlyDataRejected`]): open new ones and send again.
    /// - `Err`: the handshake failed, and the link is closed: [`Error::NoAnswer`],
    ///   [`Error::WrongPeer`], [`Error::Busy`] … as otherwise from [`crate::Endpoint::connect`].
    pub async fn settled(&self) -> Result<bool, Error> {
        match &self.settling {
            Some(settling) => settling.end().await,
            None => Ok(true),
        }
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
        // Before the stream: one that is opened as the handshake ends may belong to either side of it.
        let early = self.unsettled_now();
        let (send, recv) = waiting(self.cork.as_ref(), self.conn.open_bi()).await?;
        Ok(self.framed(send, recv, early))
    }

    /// The next stream that the peer opened, or `None` when the link has ended. Cancel-safe.
    pub async fn accept(&self) -> Option<(FrameWriter, FrameReader)> {
        let early = self.unsettled_now();
        let (send, recv) = waiting(self.cork.as_ref(), self.conn.accept_bi()).await.ok()?;
        Some(self.framed(send, recv, early))
    }

    fn unsettled_now(&self) -> Option<Settling> {
        self.settling.clone().filter(Settling::is_open)
    }

    fn framed(
        &self,
        send: quinn::SendStream,
        recv: quinn::RecvStream,
        early: Option<Settling>,
    ) -> (FrameWriter, FrameReader) {
        (
            FrameWriter::new(send, early.clone(), self.cork.clone()),
            FrameReader::new(recv, self.peer, early, self.cork.clone()),
        )
    }

    /// Ends the link at once with a code and words for the peer's log. What has not been
    /// acknowledged is lost: await [`FrameWriter::delivered`] first where it matters.
    ///
    /// On an accepted link that is still [`Link::early`] it ends with its handshake, because until then
    /// QUIC would tell the dialler neither code nor words. From a dialler that closes an early link
    /// the peer hears neither.
    pub fn close(&self, code: u32, reason: &str) {
        if let Some(cork) = &self.cork {
            cork.pull();
        }
        let waits = (self.unsettled_now().filter(Settling::was_called))
            .zip(tokio::runtime::Handle::try_current().ok());
        let Some((settling, runtime)) = waits else {
            return self.conn.close(VarInt::from_u32(code), reason.as_bytes());
        };
        let (conn, reason) = (self.conn.clone(), reason.to_string());
        runtime.spawn(async move {
            // Bounded by the time for a handshake; if it failed, closing again does nothing.
            let _ = settling.end().await;
            conn.close(VarInt::from_u32(code), reason.as_bytes());
        });
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

/// The peer's key, once TLS has proven it: from its signature, or in a resumed handshake, in which no
/// verifier is called, from the session, with which rustls keeps it.
pub(crate) fn identity(conn: &quinn::Connection) -> Option<NodeId> {
    let shown = conn.peer_identity()?;
    match shown.downcast::<Vec<CertificateDer<'static>>>().ok()?.as_slice() {
        [key] => node_of(key),
        _ => None,
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
