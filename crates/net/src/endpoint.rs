//! The node's sockets: one of UDP to take calls on, one for each link that it dials, and the road over TCP.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use quinn::{ConnectError, NoneTokenStore, VarInt};
use sync::{DeviceKey, NodeId};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc};
use tokio::time::timeout;

use crate::calls::{Counts, take_calls};
use crate::cork::Cork;
use crate::early::{Failure, Handshake, Settling, Side};
use crate::gate::Gate;
use crate::ground::{Ground, Simulated};
use crate::socket::dialler;
use crate::tcp;
use crate::tls::{Tls, server_name};
use crate::{Error, FrameReader, FrameWriter, Link, Tuning};

/// Both halves of a stream.
pub type Stream = (FrameWriter, FrameReader);

/// The port of RFC 863, at which nothing listens.
const DISCARD: u16 = 9;

/// Links that wait for [`Endpoint::accept`].
const ACCEPT_QUEUE: usize = 32;

/// UDP and TCP under one device key, for dialling and for being dialled. Cheap to clone;
/// dropping the last clone closes every link.
#[derive(Clone)]
pub struct Endpoint(Arc<Inner>);

struct Inner {
    quic: quinn::Endpoint,
    /// Where links are dialled from, each from a socket of its own; `None`: all from `quic`.
    dial_from: Option<IpAddr>,
    /// Sockets of links that were told to end.
    closing: std::sync::Mutex<Vec<quinn::Endpoint>>,
    /// Those sockets; `None` once closed.
    diallers: std::sync::Mutex<Option<Vec<quinn::Endpoint>>>,
    tls: Tls,
    /// Of a simulated endpoint.
    first_ids: Option<Arc<dyn Fn() -> quinn::ConnectionId + Send + Sync>>,
    /// Over TCP.
    tcp: Arc<tcp::Road>,
    /// Why calls over TCP are not taken, if so.
    no_tcp: Option<String>,
    tuning: Tuning,
    accepted: Mutex<mpsc::Receiver<Link>>,
    gate: Arc<Gate>,
    /// Of TCP: who takes all seats on one road leaves those of the other free.
    tcp_gate: Arc<Gate>,
    counts: Arc<Counts>,
}

/// What happened at an endpoint since it was bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Full handshakes, dialled or taken, in which the peer's signature was verified. Resumed ones
    /// do not count: there the kept session is the proof.
    pub full_handshakes: u64,
    /// Calls refused because the endpoint, or the seats of their source, were full.
    pub refused: u64,
    /// Calls whose handshake failed or took too long.
    pub failed: u64,
    /// Handshakes of callers under way now.
    pub half_open: u64,
    /// Connections open now, both directions, half-open and just closing ones included.
    pub open: u64,
}

impl Endpoint {
    /// Opens the socket and takes calls from now on. `listen` may have port 0 (any free one); on
    /// `[::]` it also serves IPv4 where the system can. Must be called within a tokio runtime.
    pub fn bind(listen: SocketAddr, key: &DeviceKey, tuning: Tuning) -> Result<Endpoint, Error> {
        tokio::runtime::Handle::try_current().map_err(|_| Error::NoRuntime)?;
        let ground = Ground::system(listen).map_err(|source| Error::Bind { addr: listen, source })?;
        Endpoint::bind_on(ground, key, tuning)
    }

    /// An endpoint whose packets follow from a seed, on a socket that is none: for tests in paused time.
    pub fn bind_simulated(by: Simulated, key: &DeviceKey, tuning: Tuning) -> Result<Endpoint, Error> {
        Endpoint::bind_on(Ground::simulated(by), key, tuning)
    }

    fn bind_on(ground: Ground, key: &DeviceKey, tuning: Tuning) -> Result<Endpoint, Error> {
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| Error::NoRuntime)?;
        let tls = Tls::new(key, &ground, tuning.early_data)?;

        let mut server = ground.server_config(tls.server.clone());
        server
            .transport_config(tuning.transport()?)
            // What may wait between two turns of `take_calls`; more is refused at once.
            .max_incoming(2 * tuning.max_half_open)
            // No address to go to (quinn's client does not, and another would find nobody there), but the spare
            // connection id that comes with one: it travels where the handshake is padded, instead of in a packet
            // of its own in every meeting.
            .preferred_address_v4(Some(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, DISCARD)))
            // A first flight before its connection exists: never more than its initial window.
            .incoming_buffer_size(16 << 10)
            .incoming_buffer_size_total(1 << 20);

        let quic = quinn::Endpoint::new_with_abstract_socket(
            ground.endpoint_config(key),
            Some(server),
            ground.socket.clone(),
            ground.runtime.clone(),
        )
        .map_err(|e| Error::Setup(e.to_string()))?;
        let gate = Gate::new(tuning.max_half_open, tuning.max_half_open_per_source);
        let counts = Arc::new(Counts::default());
        let (queue, accepted) = mpsc::channel(ACCEPT_QUEUE);
        runtime.spawn(take_calls(
            quic.clone(),
            tuning.clone(),
            gate.clone(),
            counts.clone(),
            queue.clone(),
        ));
        let first_ids = ground.first_ids();
        let road = Arc::new(tcp::Road::new(tls.tcp_client.clone(), tls.peers.clone()));
        let tcp_gate = Gate::new(tuning.max_half_open, tuning.max_half_open_per_source);
        let no_tcp = match ground.tcp.map(|tcp| tcp.and_then(TcpListener::from_std)) {
            Some(Ok(listener)) => {
                let (server, gate, counts) = (tls.tcp_server.clone(), tcp_gate.clone(), counts.clone());
                let taking = road.clone();
                runtime.spawn(taking.take_calls(listener, server, tuning.clone(), gate, counts, queue));
                None
            }
            Some(Err(error)) => {
                tracing::warn!(%error, "no calls over TCP are taken: the port is not free");
                Some(error.to_string())
            }
            None => Some("simulated".to_string()),
        };
        Ok(Endpoint(Arc::new(Inner {
            quic,
            dial_from: ground.dial_from,
            closing: std::sync::Mutex::default(),
            diallers: std::sync::Mutex::new(Some(Vec::new())),
            tls,
            first_ids,
            tcp: road,
            no_tcp,
            tuning,
            accepted: Mutex::new(accepted),
            gate,
            tcp_gate,
            counts,
        })))
    }

    /// The address of the socket, with the port that was really taken.
    pub fn local_addr(&self) -> Result<SocketAddr, Error> {
        self.0.quic.local_addr().map_err(|e| Error::Setup(e.to_string()))
    }

    /// Dials `addr`. With `expect`, any other node is refused before our own key is shown; without
    /// (a typed address) whoever answers is reported as [`Link::peer`].
    ///
    /// With `expect` and a ticket of an earlier meeting with that node this returns at once, before
    /// anybody has answered: the link is [`Link::early`], and what would have been an error here is
    /// one of [`Link::settled`]. Nothing on it is readable to any other node, but it may be lost.
    /// Each dial uses up a ticket; a finished handshake brings one ([`Link::next_ticket`]).
    pub async fn connect(&self, addr: SocketAddr, expect: Option<NodeId>) -> Result<Link, Error> {
        self.connect_tuned(addr, expect, &self.0.tuning).await
    }

    /// Like [`Endpoint::connect`] with settings for this link alone: the peer's last round-trip
    /// time, no probing on a metered link. Limits on links and half-open ones are not read from it.
    pub async fn connect_tuned(
        &self,
        addr: SocketAddr,
        expect: Option<NodeId>,
        tuning: &Tuning,
    ) -> Result<Link, Error> {
        self.dial(addr, expect, tuning, &[]).await.map(|(link, _)| link)
    }

    /// Like [`Endpoint::connect`], with frames for the first packets: where a ticket is kept, a stream is
    /// returned on which they have been written already. QUIC pads its first packet to 1200 bytes; what is
    /// written before that leaves travels in the padding's place.
    pub async fn connect_saying(
        &self,
        addr: SocketAddr,
        expect: Option<NodeId>,
        first: &[Vec<u8>],
    ) -> Result<(Link, Option<Stream>), Error> {
        self.dial(addr, expect, &self.0.tuning, first).await
    }

    /// Dials `addr` over TCP, for networks that let no UDP through; never early, otherwise like
    /// [`Endpoint::connect`].
    pub async fn connect_tcp(&self, addr: SocketAddr, expect: Option<NodeId>) -> Result<Link, Error> {
        self.0.tcp.dial(addr, expect, &self.0.tuning).await
    }

    /// Why this endpoint takes no calls over TCP; `None`: it does.
    pub fn no_tcp(&self) -> Option<&str> {
        self.0.no_tcp.as_deref()
    }

    async fn dial(
        &self,
        addr: SocketAddr,
        expect: Option<NodeId>,
        tuning: &Tuning,
        first: &[Vec<u8>],
    ) -> Result<(Link, Option<Stream>), Error> {
        let inner = &self.0;
        let mut config = quinn::ClientConfig::new(inner.tls.client.clone());
        config
            .transport_config(tuning.transport()?)
            .token_store(Arc::new(NoneTokenStore));
        if let Some(ids) = &inner.first_ids {
            config.initial_dst_cid_provider(ids.clone());
        }
        let (dialler, name) = (inner.dialler()?, server_name(expect.as_ref()));
        let ticket = inner.tls.tickets.next(&name);
        let (dialling, cork) = Cork::around(|| dialler.connect_with(config, addr, &name));
        let dialling = dialling.map_err(|e| match e {
            ConnectError::EndpointStopping => Error::EndpointClosed,
            ConnectError::InvalidRemoteAddress(_) => Error::BadAddress { addr },
            other => Error::Setup(other.to_string()),
        })?;

        let handshake = |early| Handshake {
            addr,
            patience: tuning.handshake_timeout,
            side: Side::Dialled { expect, early },
        };
        let dialling = match expect {
            Some(expected) if tuning.early_data => match dialling.into_0rtt() {
                Ok((conn, accepted)) => {
                    let (settling, watcher) = Settling::new(handshake(true));
                    let link = Link::unsettled(conn.clone(), expected, settling, cork).awaiting(ticket);
                    let mut stream = None;
                    if !first.is_empty() {
                        let (mut writer, reader) = link.open().await?;
                        writer.write_together(first).await?;
                        stream = Some((writer, reader));
                    }
                    let peers = inner.tls.peers.clone();
                    tokio::spawn(
                        async move { watcher.watch(conn, accepted, Some((expected, &peers))).await },
                    );
                    return Ok((link, stream));
                }
                // No ticket.
                Err(dialling) => dialling,
            },
            _ => dialling,
        };

        cork.pull();
        let handshake = handshake(false);
        let outcome = match timeout(tuning.handshake_timeout, dialling).await {
            Ok(Ok(conn)) => Ok(conn),
            Ok(Err(error)) => Err(inner.tls.peers.failure(error, expect.as_ref())),
            Err(_) => Err(Failure::TooSlow),
        };
        let link = Link::new(outcome.map_err(|failure| handshake.error(failure))?)?.awaiting(ticket);
        // The verifier has refused others already, and a resumed session is filed under its name;
        // this holds even if one of the two should change.
        match expect {
            Some(expected) if expected != link.peer() => {
                link.close(0, "another node was expected");
                Err(handshake.error(Failure::Stranger(link.peer())))
            }
            _ => Ok((link, None)),
        }
    }

    /// The next peer that has called us, key proven; `None` once the endpoint is closed. The handshake
    /// may still go on ([`Link::early`]). Cancel-safe. Handshakes go on side by side in the background,
    /// so a slow one delays no other.
    pub async fn accept(&self) -> Option<Link> {
        self.0.accepted.lock().await.recv().await
    }

    /// Ends all links with code 0 and takes no more calls. Returns at once; see [`Endpoint::wait_idle`].
    pub fn close(&self) {
        self.0.close();
    }

    /// After [`Endpoint::close`]: waits until the peers have been told (three round trips at most).
    pub async fn wait_idle(&self) {
        let closing = std::mem::take(&mut *self.0.closing.lock().unwrap_or_else(PoisonError::into_inner));
        for socket in self.0.sockets().into_iter().chain(closing) {
            socket.wait_idle().await;
        }
        self.0.tcp.wait_idle().await;
    }

    /// For the operator's page.
    pub fn counters(&self) -> Counters {
        Counters {
            full_handshakes: self.0.tls.peers.checked(),
            refused: self.0.counts.refused.load(Ordering::Relaxed),
            failed: self.0.counts.failed.load(Ordering::Relaxed),
            half_open: (self.0.gate.half_open() + self.0.tcp_gate.half_open()) as u64,
            open: self
                .0
                .sockets()
                .iter()
                .map(quinn::Endpoint::open_connections)
                .sum::<usize>() as u64
                + self.0.tcp.open_links() as u64,
        }
    }
}

impl Inner {
    fn sockets(&self) -> Vec<quinn::Endpoint> {
        let diallers = self.diallers.lock().unwrap_or_else(PoisonError::into_inner);
        ([&self.quic].into_iter())
            .chain(diallers.iter().flatten())
            .cloned()
            .collect()
    }

    /// The socket for one more link; those whose links have ended are closed.
    fn dialler(&self) -> Result<quinn::Endpoint, Error> {
        let Some(from) = self.dial_from else {
            return Ok(self.quic.clone());
        };
        let dialler = dialler(from).map_err(|source| Error::Bind {
            addr: SocketAddr::new(from, 0),
            source,
        })?;
        let mut diallers = self.diallers.lock().unwrap_or_else(PoisonError::into_inner);
        let diallers = diallers.as_mut().ok_or(Error::EndpointClosed)?;
        diallers.retain(|d| d.open_connections() > 0);
        diallers.push(dialler.clone());
        Ok(dialler)
    }

    /// No dial begins after this; those under way end.
    fn close(&self) {
        self.quic.close(VarInt::from_u32(0), b"shutting down");
        self.tcp.close();
        let mut diallers = self.diallers.lock().unwrap_or_else(PoisonError::into_inner);
        for socket in diallers.take().into_iter().flatten() {
            socket.close(VarInt::from_u32(0), b"shutting down");
            self.closing
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(socket);
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Ends `take_calls` too, which holds the quinn endpoint but not this.
        self.close();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicU64};
    use std::time::Duration;

    use rustls::pki_types::UnixTime;
    use rustls::server::StoresServerSessions;
    use rustls::time_provider::TimeProvider;

    use super::*;
    use crate::tls::{Uptime, session_memory};

    const LOCAL: ([u8; 4], u16) = ([127, 0, 0, 1], 0);

    /// A clock that stands still somewhere.
    #[derive(Debug)]
    struct Stopped(u64);

    impl TimeProvider for Stopped {
        fn current_time(&self) -> Option<UnixTime> {
            Some(UnixTime::since_unix_epoch(Duration::from_secs(self.0)))
        }
    }

    fn at(seed: u8, clock: impl TimeProvider + 'static) -> Endpoint {
        let mut ground = Ground::system(LOCAL.into()).unwrap();
        ground.clock = Arc::new(clock);
        Endpoint::bind_on(ground, &DeviceKey::from_seed([seed; 32]), Tuning::default()).unwrap()
    }

    #[tokio::test]
    async fn a_pc_that_believes_it_is_1970_meets_one_in_2099() {
        let (school, hub) = (at(1, Stopped(0)), at(2, Stopped(4_083_000_000)));
        let (there, back) = (hub.local_addr().unwrap(), school.local_addr().unwrap());
        for _ in 0..2 {
            let link = school
                .connect(there, Some(DeviceKey::from_seed([2; 32]).id()))
                .await
                .unwrap();
            let far = hub.accept().await.unwrap();
            assert_eq!(far.peer(), DeviceKey::from_seed([1; 32]).id());
            let (mut w, _r) = link.open().await.unwrap();
            w.write("学时".as_bytes()).await.unwrap();
            w.delivered().await.unwrap();
            drop(far);
        }
        let link = hub.connect(back, None).await.unwrap();
        assert_eq!(link.peer(), DeviceKey::from_seed([1; 32]).id());
    }

    /// A memory of sessions in which a caller's ticket can be made to lead to the first session of
    /// all: as if the caller had put somebody else's ticket, which it saw on the way, into its packet.
    #[derive(Debug)]
    struct Swapped {
        kept: Arc<dyn StoresServerSessions>,
        first: std::sync::Mutex<Option<Vec<u8>>>,
        swap: AtomicBool,
        swapped: AtomicU64,
    }

    impl StoresServerSessions for Swapped {
        fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
            self.first.lock().unwrap().get_or_insert_with(|| value.clone());
            self.kept.put(key, value)
        }
        fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
            self.kept.get(key)
        }
        fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
            let own = self.kept.take(key)?;
            if !self.swap.load(Ordering::Relaxed) {
                return Some(own);
            }
            self.swapped.fetch_add(1, Ordering::Relaxed);
            self.first.lock().unwrap().clone()
        }
        fn can_cache(&self) -> bool {
            true
        }
    }

    #[tokio::test]
    async fn a_ticket_without_its_secret_is_nobodys() {
        let sessions = Arc::new(Swapped {
            kept: session_memory(),
            first: Default::default(),
            swap: AtomicBool::new(false),
            swapped: AtomicU64::new(0),
        });
        let key = |seed| DeviceKey::from_seed([seed; 32]);
        let mut ground = Ground::system(LOCAL.into()).unwrap();
        ground.sessions = sessions.clone();
        let hub = Endpoint::bind_on(ground, &key(2), Tuning::default()).unwrap();
        let (there, expect) = (hub.local_addr().unwrap(), Some(key(2).id()));
        let (school, thief) = (at(1, Uptime::start()), at(7, Uptime::start()));
        let meet = async |caller: &Endpoint, id| {
            let link = caller.connect(there, expect).await.unwrap();
            let far = hub.accept().await.unwrap();
            assert_eq!(far.peer(), id);
            let (mut w, mut r) = link.open().await.unwrap();
            w.write(b"hello").await.unwrap();
            let (mut answer, _) = far.accept().await.unwrap();
            answer.write(b"a ticket comes before this").await.unwrap();
            r.read().await.unwrap().unwrap();
        };
        meet(&school, key(1).id()).await;
        meet(&thief, key(7).id()).await;

        sessions.swap.store(true, Ordering::Relaxed);
        let link = thief.connect(there, expect).await.unwrap();
        assert!(link.early());
        let (mut w, _r) = link.open().await.unwrap();
        w.write("作废".as_bytes()).await.unwrap();
        let got = link.settled().await;
        assert!(matches!(got, Err(Error::NotYanxiu { .. })), "{got:?}");
        let got = w.delivered().await;
        assert!(matches!(got, Err(Error::NotYanxiu { .. })), "{got:?}");
        assert_eq!(sessions.swapped.load(Ordering::Relaxed), 1);
        let nobody = timeout(Duration::from_millis(300), hub.accept()).await;
        assert!(nobody.is_err(), "{nobody:?}");
        assert_eq!(hub.counters().failed, 1);

        // A ticket with its own secret is good.
        sessions.swap.store(false, Ordering::Relaxed);
        meet(&thief, key(7).id()).await;
        let link = thief.connect(there, expect).await.unwrap();
        assert!(link.early());
        assert!(link.settled().await.unwrap());
        assert_eq!(hub.accept().await.unwrap().peer(), key(7).id());
    }

    /// Hands datagrams on between one caller and the endpoint that has the called address at the time.
    async fn switchboard(present: Arc<std::sync::Mutex<SocketAddr>>) -> SocketAddr {
        let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut caller, mut bytes, mut called) = (None, [0; 2048], Vec::new());
            while let Ok((len, from)) = socket.recv_from(&mut bytes).await {
                let to = *present.lock().unwrap();
                called.push(to);
                let to = match caller {
                    Some(caller) if from == to => caller,
                    // From the endpoint that is no more.
                    _ if called.contains(&from) => continue,
                    _ => {
                        caller = Some(from);
                        to
                    }
                };
                let _ = socket.send_to(&bytes[..len], to).await;
            }
        });
        address
    }

    #[tokio::test]
    async fn a_peer_that_was_restarted_says_so() {
        let (school, hub) = (at(1, Uptime::start()), at(2, Uptime::start()));
        let present = Arc::new(std::sync::Mutex::new(hub.local_addr().unwrap()));
        let address = switchboard(present.clone()).await;
        let expect = Some(DeviceKey::from_seed([2; 32]).id());
        let link = school.connect(address, expect).await.unwrap();
        let (mut w, mut r) = link.open().await.unwrap();
        w.write(b"hello").await.unwrap();
        let _far = hub.accept().await.unwrap();
        // That process is gone without a word; another one has its address and key.
        let again = at(2, Uptime::start());
        *present.lock().unwrap() = again.local_addr().unwrap();
        let said = async {
            w.write(b"anybody there?").await?;
            r.read().await
        };
        // Far below the idle timeout of 100 s.
        let ended = timeout(Duration::from_secs(10), said).await.unwrap();
        assert!(ended.is_err(), "{ended:?}");
        let link = school.connect(address, expect).await.unwrap();
        assert_eq!(link.peer(), DeviceKey::from_seed([2; 32]).id());
    }

    /// A clock that jumps, as at the first answer of an NTP server.
    #[derive(Debug)]
    struct Jumping(AtomicU64);

    impl TimeProvider for Jumping {
        fn current_time(&self) -> Option<UnixTime> {
            let now = self.0.fetch_add(1_700_000_000, Ordering::Relaxed);
            Some(UnixTime::since_unix_epoch(Duration::from_secs(now)))
        }
    }

    #[tokio::test]
    async fn a_jumping_clock_costs_resumption_at_most() {
        let (school, hub) = (at(1, Jumping(AtomicU64::new(0))), at(2, Stopped(0)));
        for _ in 0..3 {
            let link = school.connect(hub.local_addr().unwrap(), None).await.unwrap();
            let far = hub.accept().await.unwrap();
            assert_eq!(far.peer(), DeviceKey::from_seed([1; 32]).id());
            let (mut w, _r) = link.open().await.unwrap();
            w.delivered().await.unwrap();
            drop(far);
        }
    }

    #[tokio::test]
    async fn an_announced_frame_takes_no_memory_before_it_comes() {
        let (school, hub) = (at(1, Uptime::start()), at(2, Uptime::start()));
        let link = school.connect(hub.local_addr().unwrap(), None).await.unwrap();
        let far = hub.accept().await.unwrap();
        let (mut send, _recv) = raw_stream(&link).await;
        send.write_all(&crate::MAX_FRAME.to_le_bytes()).await.unwrap();
        send.write_all(b"1234567890").await.unwrap();
        let (_w, mut reader) = far.accept().await.unwrap();
        let early = timeout(Duration::from_millis(300), reader.read()).await;
        assert!(early.is_err(), "the frame is not complete: {early:?}");
        assert!(
            (10..4096).contains(&reader.reserved()),
            "{} bytes set aside",
            reader.reserved()
        );

        let rest = vec![7u8; crate::MAX_FRAME as usize - 10];
        let (sent, frame) = tokio::join!(send.write_all(&rest), reader.read());
        sent.unwrap();
        let frame = frame.unwrap().unwrap();
        assert_eq!(frame.len(), crate::MAX_FRAME as usize);
        assert_eq!(
            (&frame[..10], &frame[10..]),
            (b"1234567890".as_slice(), rest.as_slice())
        );
        assert_eq!(
            frame.capacity(),
            frame.len(),
            "growth stops at the announced length"
        );
    }

    async fn raw_stream(link: &Link) -> (quinn::SendStream, quinn::RecvStream) {
        link.raw().open_bi().await.unwrap()
    }
}
