//! What an endpoint stands on: socket, clock and randomness. The system's own in every program; a simulation's
//! in tests, where the same seed must give the same packets.

use std::fmt;
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use quinn::{AsyncUdpSocket, ConnectionId, EndpointConfig, Runtime, ServerConfig, TokioRuntime};
use quinn_proto::{ConnectionIdGenerator, InvalidCid};
use ring::{hkdf, hmac};
use rustls::crypto::CryptoProvider;
use rustls::server::StoresServerSessions;
use rustls::time_provider::TimeProvider;
use sync::DeviceKey;

use crate::cork::Corked;
use crate::socket::{dual_stack, endpoint_config};
use crate::tcp::listener;
use crate::tls::{Uptime, provider, session_memory};

/// What a simulation brings. Nothing here is for a program that has secrets: whoever knows the seed knows them.
#[derive(Clone, Debug)]
pub struct Simulated {
    /// Where datagrams go.
    pub socket: Arc<dyn AsyncUdpSocket>,
    /// Time for tickets.
    pub clock: Arc<dyn TimeProvider>,
    /// TLS with randomness and keys that follow from a seed.
    pub provider: CryptoProvider,
    /// Connection ids, retry tokens and all that QUIC draws.
    pub seed: u64,
}

/// See the module.
pub(crate) struct Ground {
    pub(crate) socket: Arc<dyn AsyncUdpSocket>,
    /// For calls over TCP, at the port of the UDP socket; or why there is none.
    pub(crate) tcp: Option<std::io::Result<TcpListener>>,
    /// Where each dialled link gets a socket of its own: on this address.
    pub(crate) dial_from: Option<IpAddr>,
    pub(crate) runtime: Arc<dyn Runtime>,
    pub(crate) clock: Arc<dyn TimeProvider>,
    pub(crate) provider: CryptoProvider,
    pub(crate) sessions: Arc<dyn StoresServerSessions>,
    drawn: Option<Arc<Drawn>>,
}

impl Ground {
    /// The system's. A socket on `[::]` also serves IPv4 where it can.
    pub(crate) fn system(listen: SocketAddr) -> std::io::Result<Ground> {
        let runtime = Arc::new(Corked(Arc::new(TokioRuntime)));
        let (udp, tcp) = both(listen)?;
        Ok(Ground {
            socket: runtime.wrap_udp_socket(udp)?,
            tcp: Some(tcp),
            dial_from: Some(listen.ip()),
            runtime,
            clock: Arc::new(Uptime::start()),
            provider: provider(),
            sessions: session_memory(),
            drawn: None,
        })
    }

    pub(crate) fn simulated(by: Simulated) -> Ground {
        Ground {
            socket: by.socket,
            tcp: None,
            dial_from: None,
            runtime: Arc::new(Corked(Arc::new(TokioRuntime))),
            clock: by.clock,
            provider: by.provider,
            sessions: session_memory(),
            drawn: Some(Arc::new(Drawn {
                seed: by.seed,
                count: AtomicU64::new(0),
            })),
        }
    }

    pub(crate) fn endpoint_config(&self, key: &DeviceKey) -> EndpointConfig {
        let mut config = endpoint_config(key);
        if let Some(drawn) = self.drawn.clone() {
            config.rng_seed(Some(drawn.bytes()));
            config.cid_generator(move || Box::new(SeededIds(drawn.clone())));
        }
        config
    }

    pub(crate) fn server_config(&self, crypto: Arc<dyn quinn_proto::crypto::ServerConfig>) -> ServerConfig {
        let mut config = match &self.drawn {
            None => ServerConfig::with_crypto(crypto),
            Some(drawn) => {
                let key = hkdf::Salt::new(hkdf::HKDF_SHA256, &[]).extract(&drawn.bytes());
                ServerConfig::new(crypto, Arc::new(key))
            }
        };
        config.time_source(Arc::new(Told(self.clock.clone())));
        config
    }

    /// Draws the first connection id of a call; `None`: as QUIC does.
    pub(crate) fn first_ids(&self) -> Option<Arc<dyn Fn() -> ConnectionId + Send + Sync>> {
        let drawn = self.drawn.clone()?;
        Some(Arc::new(move || ConnectionId::new(&drawn.bytes()[..8])))
    }
}

/// Sockets for UDP and TCP at one port. A TCP port that another program has does not keep the node from running.
fn both(listen: SocketAddr) -> std::io::Result<(UdpSocket, std::io::Result<TcpListener>)> {
    // A port that the system chose for UDP may be taken for TCP: then another one.
    let mut tries = if listen.port() == 0 { 16 } else { 1 };
    loop {
        tries -= 1;
        let udp = dual_stack(listen)?;
        let at = SocketAddr::new(listen.ip(), udp.local_addr()?.port());
        match listener(at) {
            Err(_) if tries > 0 => {}
            tcp => return Ok((udp, tcp)),
        }
    }
}

/// Numbers that follow from a seed.
struct Drawn {
    seed: u64,
    count: AtomicU64,
}

impl Drawn {
    fn bytes(&self) -> [u8; 32] {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.seed.to_be_bytes());
        let mut out = [0; 32];
        out.copy_from_slice(hmac::sign(&key, &count.to_be_bytes()).as_ref());
        out
    }
}

/// Connection ids of a simulated endpoint. One that is restarted does not know those of before.
struct SeededIds(Arc<Drawn>);

const ID_BYTES: usize = 8;

impl ConnectionIdGenerator for SeededIds {
    fn generate_cid(&mut self) -> ConnectionId {
        ConnectionId::new(&self.0.bytes()[..ID_BYTES])
    }

    fn validate(&self, _: &ConnectionId) -> Result<(), InvalidCid> {
        Ok(())
    }

    fn cid_len(&self) -> usize {
        ID_BYTES
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}

/// The clock of tickets, for retry tokens.
struct Told(Arc<dyn TimeProvider>);

impl quinn::TimeSource for Told {
    fn now(&self) -> SystemTime {
        let since = self.0.current_time().map_or(0, |t| t.as_secs());
        SystemTime::UNIX_EPOCH + Duration::from_secs(since)
    }
}

impl fmt::Debug for Ground {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.drawn.is_some() {
            "Ground(simulated)"
        } else {
            "Ground(system)"
        })
    }
}
