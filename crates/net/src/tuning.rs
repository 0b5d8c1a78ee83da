//! The knobs of the transport, with the reason for each default.

use std::sync::Arc;
use std::time::Duration;

use quinn::{AckFrequencyConfig, IdleTimeout, TransportConfig, VarInt};

use crate::Error;
use crate::congestion::DelayLimitedConfig;

/// How links behave. `Tuning::default()` suits a school; a hub raises the two limits on links.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tuning {
    /// Round-trip time assumed before one is measured: after three of them without an answer, packets are
    /// sent again. QUIC's own 333 ms is too short for 64 kbit/s at 300 ms, where the first answer takes
    /// 0.9 s: on a busy PC the padded first packets of both sides went twice. A slower link may pass 1.2 s
    /// (30 % fewer bytes on a bad one, measured.md).
    pub initial_rtt: Duration,
    /// A link on which nothing at all was heard for so long is over. 100 s: two lost keep-alives
    /// and a long bad patch of a mobile link are survived.
    pub idle_timeout: Duration,
    /// Sends a small packet after so much quiet, so that address translators keep the way open.
    /// 25 s is below the 30 s after which common ones forget UDP. `None` on links paid by the byte.
    pub keep_alive: Option<Duration>,
    /// Probes for packets larger than 1200 bytes. Off on metered links: each probe costs 1.5 KB.
    pub path_mtu_discovery: bool,
    /// A handshake that takes longer is given up. 30 s leaves room for three losses at 1.2 s RTT.
    pub handshake_timeout: Duration,
    /// Sends and reads data in the first flight (0-RTT) where a ticket of an earlier meeting allows it:
    /// one one-way trip instead of three. Off: every link waits for the end of its handshake. The
    /// endpoint's value decides for calls that it takes, the link's own for one that it dials.
    pub early_data: bool,
    /// Bytes of a link that may wait unread, all streams together. 1 MiB is 10 Mbit/s at 800 ms.
    pub receive_window: u32,
    /// Bytes of one stream that may wait unread: half a link, so that one stream never starves the rest.
    pub stream_window: u32,
    /// Bytes of a link that may wait for acknowledgement.
    pub send_window: u32,
    /// Streams that the peer may have open at a time.
    pub max_streams: u32,
    /// Links at a time, half-open ones included; more are refused. With the windows above it
    /// bounds the memory of the transport.
    pub max_links: usize,
    /// Handshakes under way at a time that others began.
    pub max_half_open: usize,
    /// The same from one address (one /64 of IPv6): a whole school may sit behind one, but it
    /// cannot take all the seats.
    pub max_half_open_per_source: usize,
}

impl Default for Tuning {
    fn default() -> Tuning {
        Tuning {
            initial_rtt: Duration::from_millis(600),
            idle_timeout: Duration::from_secs(100),
            keep_alive: Some(Duration::from_secs(25)),
            path_mtu_discovery: false,
            handshake_timeout: Duration::from_secs(30),
            early_data: true,
            receive_window: 1 << 20,
            stream_window: 1 << 19,
            send_window: 1 << 20,
            max_streams: 16,
            max_links: 512,
            max_half_open: 64,
            max_half_open_per_source: 16,
        }
    }
}

impl Tuning {
    /// These settings in quinn's words.
    pub(crate) fn transport(&self) -> Result<Arc<TransportConfig>, Error> {
        let idle = IdleTimeout::try_from(self.idle_timeout).map_err(|_| Error::Tuning("idle_timeout"))?;
        let mut config = TransportConfig::default();
        config
            // Cubic beneath: 6.0 s against 8.3 s (NewReno) and 1.6 times the bytes (BBR), measured.md.
            .congestion_controller_factory(Arc::new(DelayLimitedConfig::default()))
            .initial_rtt(self.initial_rtt)
            .max_idle_timeout(Some(idle))
            .keep_alive_interval(self.keep_alive)
            .receive_window(VarInt::from_u32(self.receive_window))
            .stream_receive_window(VarInt::from_u32(self.stream_window))
            .send_window(u64::from(self.send_window))
            .max_concurrent_bidi_streams(VarInt::from_u32(self.max_streams))
            // Neither is used; what is not used cannot hold memory.
            .max_concurrent_uni_streams(VarInt::from_u32(0))
            .datagram_receive_buffer_size(None);
        // An acknowledgement for ten packets instead of two, or after 150 ms: they are a tenth of the bytes of a
        // transfer, and of a short meeting (draft-ietf-quic-ack-frequency).
        let mut acks = AckFrequencyConfig::default();
        acks.ack_eliciting_threshold(VarInt::from_u32(9))
            .max_ack_delay(Some(Duration::from_millis(150)));
        config.ack_frequency_config(Some(acks));
        if !self.path_mtu_discovery {
            config.mtu_discovery_config(None);
        }
        Ok(Arc::new(config))
    }
}
