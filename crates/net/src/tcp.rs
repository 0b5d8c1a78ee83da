//! The other road: TLS 1.3 over TCP, for networks that let no UDP through. The node listens at the same port
//! number as for QUIC, with the same raw keys (see `tls.rs`) under a protocol name of its own; streams share the
//! connection by `mux.rs`. Every handshake is a full one: no tickets, nothing early.
//!
//! The same bounds hold as for QUIC, counted for this road alone: seats for handshakes under way (`gate.rs`; TCP's
//! own handshake has proven the address), a time for each, and a number of links.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ServerConfig};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use sync::NodeId;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::calls::Counts;
use crate::gate::{Entry, Gate};
use crate::link::canonical;
use crate::mux::{Counted, Keeping, TcpLink};
use crate::tls::{PeerKeys, node_of, server_name};
use crate::{Error, Link, Tuning};

/// What the system may hold of a link that is still to be sent. More would only wait there, in front of what is
/// more important.
const SEND_BUFFER: usize = 64 << 10;

/// A listener at this address; one on `[::]` also serves IPv4 where the system can.
pub(crate) fn listener(at: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(at), Type::STREAM, Some(Protocol::TCP))?;
    if at.is_ipv6() {
        let _ = socket.set_only_v6(false);
    }
    // Connections of the last run that linger do not keep the next one from listening. (On Windows the same word
    // lets two programs share a port, and there it is not needed.)
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.bind(&at.into())?;
    socket.listen(128)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// This road of an endpoint.
pub(crate) struct Road {
    pub(crate) client: Arc<ClientConfig>,
    pub(crate) peers: Arc<PeerKeys>,
    /// Becomes true when the endpoint closes.
    ending: watch::Sender<bool>,
    /// Links that are open, or just closing.
    open: watch::Sender<usize>,
}

/// One link among those that are counted.
struct Counting(watch::Sender<usize>);

impl Drop for Counting {
    fn drop(&mut self) {
        self.0.send_modify(|n| *n -= 1);
    }
}

impl Road {
    pub(crate) fn new(client: Arc<ClientConfig>, peers: Arc<PeerKeys>) -> Road {
        Road {
            client,
            peers,
            ending: watch::Sender::new(false),
            open: watch::Sender::new(0),
        }
    }

    pub(crate) fn open_links(&self) -> usize {
        *self.open.borrow()
    }

    pub(crate) fn close(&self) {
        self.ending.send_replace(true);
    }

    /// After [`Road::close`]: waits until the peers have been told.
    pub(crate) async fn wait_idle(&self) {
        let _ = self.open.subscribe().wait_for(|n| *n == 0).await;
    }

    fn count(&self) -> Counting {
        self.open.send_modify(|n| *n += 1);
        Counting(self.open.clone())
    }

    /// Dials. The handshake is complete when this returns.
    pub(crate) async fn dial(
        &self,
        addr: SocketAddr,
        expect: Option<NodeId>,
        tuning: &Tuning,
    ) -> Result<Link, Error> {
        if *self.ending.borrow() {
            return Err(Error::EndpointClosed);
        }
        let no_answer = || Error::NoAnswer {
            addr,
            seconds: tuning.handshake_timeout.as_secs(),
        };
        let dialled = timeout(tuning.handshake_timeout, self.shake_hands(addr, expect, tuning)).await;
        dialled.unwrap_or_else(|_| Err(no_answer()))
    }

    async fn shake_hands(
        &self,
        addr: SocketAddr,
        expect: Option<NodeId>,
        tuning: &Tuning,
    ) -> Result<Link, Error> {
        let unreachable = |error: io::Error| unreachable(addr, &error);
        let socket = match addr {
            SocketAddr::V4(_) => TcpSocket::new_v4(),
            SocketAddr::V6(_) => TcpSocket::new_v6(),
        }
        .map_err(unreachable)?;
        let begun = Instant::now();
        let tcp = socket.connect(addr).await.map_err(unreachable)?;
        let rtt = begun.elapsed();
        prepare(&tcp);
        let name = ServerName::try_from(server_name(expect.as_ref()))
            .map_err(|error| Error::Setup(error.to_string()))?;
        let (tcp, counted) = Metered::around(tcp);
        let tls = TlsConnector::from(self.client.clone()).connect(name, tcp).await;
        let tls = tls.map_err(|error| match (self.peers.stranger(expect.as_ref()), expect) {
            (Some(found), Some(expected)) => Error::WrongPeer {
                addr,
                expected,
                found,
            },
            _ => failed(addr, &error),
        })?;
        let peer = proven(tls.get_ref().1.peer_certificates()).ok_or(Error::NoIdentity { addr })?;
        // The verifier has refused others; this holds even if that should change.
        if let Some(expected) = expect.filter(|expected| *expected != peer) {
            return Err(Error::WrongPeer {
                addr,
                expected,
                found: peer,
            });
        }
        Ok(self.begin(tls, true, peer, addr, rtt, counted, tuning))
    }

    #[expect(clippy::too_many_arguments, reason = "what a link is made of, once")]
    fn begin<S: AsyncRead + AsyncWrite + Send + 'static>(
        &self,
        stream: S,
        dialled: bool,
        peer: NodeId,
        addr: SocketAddr,
        rtt: Duration,
        counted: Arc<Counted>,
        tuning: &Tuning,
    ) -> Link {
        let keeping = Keeping {
            idle_timeout: tuning.idle_timeout,
            keep_alive: tuning.keep_alive,
        };
        let ending = self.ending.subscribe();
        let (link, work) = TcpLink::begin(stream, dialled, addr, rtt, counted, keeping, ending);
        let counting = self.count();
        tokio::spawn(async move {
            work.await;
            drop(counting);
        });
        Link::over_tcp(link, peer)
    }

    /// Takes calls until the endpoint closes.
    pub(crate) async fn take_calls(
        self: Arc<Self>,
        listener: TcpListener,
        server: Arc<ServerConfig>,
        tuning: Tuning,
        gate: Arc<Gate>,
        counts: Arc<Counts>,
        queue: mpsc::Sender<Link>,
    ) {
        let mut ending = self.ending.subscribe();
        loop {
            let accepted = tokio::select! {
                biased;
                _ = ending.wait_for(|now| *now) => return,
                accepted = listener.accept() => accepted,
            };
            let (tcp, from) = match accepted {
                Ok((tcp, from)) => (tcp, canonical(from)),
                // No file is free, or the caller has gone: neither is better at once.
                Err(error) => {
                    tracing::debug!(%error, "a call over TCP could not be taken");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let full = self.open_links() + gate.half_open() >= tuning.max_links;
            let seat = match gate.enter(from.ip(), true) {
                Entry::Seat(seat) if !full => seat,
                _ => {
                    counts.refused.fetch_add(1, Ordering::Relaxed);
                    tracing::debug!(%from, "call over TCP refused: no seat free");
                    continue;
                }
            };
            let (road, tuning, server) = (self.clone(), tuning.clone(), server.clone());
            let (counts, queue, mut ending) = (counts.clone(), queue.clone(), self.ending.subscribe());
            tokio::spawn(async move {
                let called = tokio::select! {
                    biased;
                    _ = ending.wait_for(|now| *now) => return,
                    called = timeout(tuning.handshake_timeout, road.answer(tcp, from, server, &tuning)) => called,
                };
                drop(seat);
                match called {
                    // Fails only when the endpoint is gone; the link closes with it.
                    Ok(Ok(link)) => {
                        let _ = queue.send(link).await;
                        return;
                    }
                    Ok(Err(error)) => tracing::debug!(%from, %error, "handshake of a caller failed"),
                    Err(_) => tracing::debug!(%from, "handshake of a caller over TCP was too slow"),
                }
                counts.failed.fetch_add(1, Ordering::Relaxed);
            });
        }
    }

    async fn answer(
        &self,
        tcp: TcpStream,
        from: SocketAddr,
        server: Arc<ServerConfig>,
        tuning: &Tuning,
    ) -> Result<Link, Error> {
        prepare(&tcp);
        let begun = Instant::now();
        let (tcp, counted) = Metered::around(tcp);
        let tls = TlsAcceptor::from(server).accept(tcp).await;
        let tls = tls.map_err(|error| failed(from, &error))?;
        let peer = proven(tls.get_ref().1.peer_certificates()).ok_or(Error::NoIdentity { addr: from })?;
        Ok(self.begin(tls, false, peer, from, begun.elapsed(), counted, tuning))
    }
}

/// No waiting for more to send (a frame is written whole), and little that waits in the system. Neither is
/// needed for a link to work.
fn prepare(tcp: &TcpStream) {
    let _ = tcp.set_nodelay(true);
    let _ = SockRef::from(tcp).set_send_buffer_size(SEND_BUFFER);
}

fn proven(shown: Option<&[rustls::pki_types::CertificateDer<'_>]>) -> Option<NodeId> {
    match shown? {
        [key] => node_of(key),
        _ => None,
    }
}

/// Why TCP itself did not come about.
fn unreachable(addr: SocketAddr, error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Error::NotListening { addr },
        _ => Error::Unreachable {
            addr,
            detail: error.to_string(),
        },
    }
}

/// Why TLS over it did not.
fn failed(addr: SocketAddr, error: &io::Error) -> Error {
    use io::ErrorKind as K;
    match error.kind() {
        // Who has no seat free hangs up without a word.
        K::UnexpectedEof | K::ConnectionReset | K::BrokenPipe => Error::Busy { addr },
        _ => Error::NotYanxiu {
            addr,
            detail: error.to_string(),
        },
    }
}

/// A TCP stream whose bytes are counted.
struct Metered {
    tcp: TcpStream,
    counted: Arc<Counted>,
}

impl Metered {
    fn around(tcp: TcpStream) -> (Metered, Arc<Counted>) {
        let counted = Arc::new(Counted::default());
        let stream = Metered {
            tcp,
            counted: counted.clone(),
        };
        (stream, counted)
    }
}

impl AsyncRead for Metered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.tcp).poll_read(context, buffer);
        let read = buffer.filled().len().saturating_sub(before) as u64;
        self.counted.received.fetch_add(read, Ordering::Relaxed);
        polled
    }
}

impl AsyncWrite for Metered {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.tcp).poll_write(context, bytes);
        if let Poll::Ready(Ok(written)) = &polled {
            self.counted.sent.fetch_add(*written as u64, Ordering::Relaxed);
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(context)
    }
}
