//! One live connection to one proven peer.

use std::net::SocketAddr;
use std::time::Duration;

use quinn::VarInt;
use rustls::pki_types::CertificateDer;
use sync::NodeId;

use crate::cork::{Cork, waiting};
use crate::early::Settling;
use crate::frame::{Receiving, Sending};
use crate::mux::{TcpLink, TcpReader, TcpWriter};
use crate::tickets::NextTicket;
use crate::tls::node_of;
use crate::{CloseReason, Error, FrameReader, FrameWriter};

/// A connection to a peer whose key is proven. Cheap to clone; when the last clone and the last
/// stream are gone, the connection closes with code 0.
#[derive(Debug, Clone)]
pub struct Link {
    peer: NodeId,
    way: Way,
}

/// On which road a link goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Road {
    /// QUIC over UDP, as a rule.
    Quic,
    /// TLS over TCP, where a network lets no UDP through.
    Tcp,
}

#[derive(Debug, Clone)]
enum Way {
    Quic(QuicLink),
    Tcp(TcpLink),
}

#[derive(Debug, Clone)]
struct QuicLink {
    conn: quinn::Connection,
    /// Of a link that was handed out before its handshake had ended.
    settling: Option<Settling>,
    /// Of a link whose first packets wait for what is said at once.
    cork: Option<Cork>,
    /// Of a link that we dialled.
    ticket: Option<NextTicket>,
}

/// What a link has cost so far, payload of UDP or TCP in bytes (IP and UDP headers are 28 or 48 more a packet).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LinkStats {
    /// Bytes sent, retransmissions and handshake included.
    pub sent: u64,
    /// Bytes received.
    pub received: u64,
    /// Packets of ours that were lost on the way; of TCP the system does not tell.
    pub lost_packets: u64,
}

impl Link {
    /// A link whose handshake is complete.
    pub(crate) fn new(conn: quinn::Connection) -> Result<Link, Error> {
        match identity(&conn) {
            Some(peer) => Ok(Link::over_quic(conn, peer, None, None)),
            None => {
                let addr = canonical(conn.remote_address());
                conn.close(VarInt::from_u32(0), b"no identity");
                Err(Error::NoIdentity { addr })
            }
        }
    }

    /// A link whose handshake goes on, to the node that the ticket is of.
    pub(crate) fn unsettled(conn: quinn::Connection, peer: NodeId, settling: Settling, cork: Cork) -> Link {
        Link::over_quic(conn, peer, Some(settling), Some(cork))
    }

    fn over_quic(
        conn: quinn::Connection,
        peer: NodeId,
        settling: Option<Settling>,
        cork: Option<Cork>,
    ) -> Link {
        let ticket = None;
        Link {
            peer,
            way: Way::Quic(QuicLink {
                conn,
                settling,
                cork,
                ticket,
            }),
        }
    }

    /// A link over TCP, its handshake complete.
    pub(crate) fn over_tcp(link: TcpLink, peer: NodeId) -> Link {
        let way = Way::Tcp(link);
        Link { peer, way }
    }

    pub(crate) fn awaiting(mut self, ticket: Option<NextTicket>) -> Link {
        if let Way::Quic(quic) = &mut self.way {
            quic.ticket = ticket;
        }
        self
    }

    /// The road it goes on; that does not change.
    pub fn road(&self) -> Road {
        match &self.way {
            Way::Quic(_) => Road::Quic,
            Way::Tcp(_) => Road::Tcp,
        }
    }

    /// On a link that we dialled: waits for the ticket with which the next one can begin early, three round
    /// trips at most. Whoever closes before it has come pays a round trip the next time. Cancel-safe.
    pub async fn next_ticket(&self) {
        if let Way::Quic(QuicLink {
            ticket: Some(ticket), ..
        }) = &self.way
        {
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
        matches!(&self.way, Way::Quic(quic) if quic.unsettled_now().is_some())
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
        match &self.way {
            Way::Quic(QuicLink {
                settling: Some(settling),
                ..
            }) => settling.end().await,
            _ => Ok(true),
        }
    }

    /// Where the peer is now; changes when it moves to another network in mid-link.
    pub fn remote(&self) -> SocketAddr {
        match &self.way {
            Way::Quic(quic) => canonical(quic.conn.remote_address()),
            Way::Tcp(tcp) => tcp.remote(),
        }
    }

    /// The round-trip time as measured now. Keep it per peer for [`crate::Tuning::initial_rtt`].
    pub fn rtt(&self) -> Duration {
        match &self.way {
            Way::Quic(quic) => quic.conn.rtt(),
            Way::Tcp(tcp) => tcp.rtt(),
        }
    }

    /// Opens a stream; waits while the peer's limit of streams is reached. The peer sees it only
    /// when something has been written.
    pub async fn open(&self) -> Result<(FrameWriter, FrameReader), Error> {
        match &self.way {
            Way::Quic(quic) => {
                // Before the stream: one that is opened as the handshake ends may belong to either side of it.
                let early = quic.unsettled_now();
                let (send, recv) = waiting(quic.cork.as_ref(), quic.conn.open_bi()).await?;
                Ok(quic.framed(self.peer, send, recv, early))
            }
            Way::Tcp(tcp) => tcp.open().await.map(|halves| self.framed(halves)),
        }
    }

    /// The next stream that the peer opened, or `None` when the link has ended. Cancel-safe.
    pub async fn accept(&self) -> Option<(FrameWriter, FrameReader)> {
        match &self.way {
            Way::Quic(quic) => {
                let early = quic.unsettled_now();
                let (send, recv) = waiting(quic.cork.as_ref(), quic.conn.accept_bi()).await.ok()?;
                Some(quic.framed(self.peer, send, recv, early))
            }
            Way::Tcp(tcp) => tcp.accept().await.map(|halves| self.framed(halves)),
        }
    }

    fn framed(&self, (writer, reader): (TcpWriter, TcpReader)) -> (FrameWriter, FrameReader) {
        (
            FrameWriter::new(Sending::Tcp(writer), None, None),
            FrameReader::new(Receiving::Tcp(reader), self.peer, None, None),
        )
    }

    /// Ends the link at once with a code and words for the peer's log. What has not been
    /// acknowledged is lost: await [`FrameWriter::delivered`] first where it matters.
    ///
    /// On an accepted link that is still [`Link::early`] it ends with its handshake, because until then
    /// QUIC would tell the dialler neither code nor words. From a dialler that closes an early link
    /// the peer hears neither.
    pub fn close(&self, code: u32, reason: &str) {
        match &self.way {
            Way::Quic(quic) => quic.close(code, reason),
            Way::Tcp(tcp) => tcp.close(code, reason),
        }
    }

    /// Waits until the link has ended, by whomever. Cancel-safe.
    pub async fn closed(&self) -> CloseReason {
        match &self.way {
            Way::Quic(quic) => quic.conn.closed().await.into(),
            Way::Tcp(tcp) => tcp.closed().await,
        }
    }

    /// Traffic so far.
    pub fn stats(&self) -> LinkStats {
        match &self.way {
            Way::Quic(quic) => {
                let stats = quic.conn.stats();
                LinkStats {
                    sent: stats.udp_tx.bytes,
                    received: stats.udp_rx.bytes,
                    lost_packets: stats.path.lost_packets,
                }
            }
            Way::Tcp(tcp) => tcp.stats(),
        }
    }

    /// The connection beneath, for tests that misbehave on purpose.
    #[cfg(test)]
    pub(crate) fn raw(&self) -> &quinn::Connection {
        match &self.way {
            Way::Quic(quic) => &quic.conn,
            Way::Tcp(_) => panic!("a link over TCP"),
        }
    }
}

impl QuicLink {
    fn unsettled_now(&self) -> Option<Settling> {
        self.settling.clone().filter(Settling::is_open)
    }

    fn framed(
        &self,
        peer: NodeId,
        send: quinn::SendStream,
        recv: quinn::RecvStream,
        early: Option<Settling>,
    ) -> (FrameWriter, FrameReader) {
        (
            FrameWriter::new(Sending::Quic(send), early.clone(), self.cork.clone()),
            FrameReader::new(Receiving::Quic(recv), peer, early, self.cork.clone()),
        )
    }

    fn close(&self, code: u32, reason: &str) {
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
