//! Who is at the other end: TLS 1.3 with raw Ed25519 public keys (RFC 7250) on both sides.
//!
//! There is no certificate, so there is no date that could be wrong, no name but the key itself,
//! and nothing to renew. A raw public key travels as SubjectPublicKeyInfo (RFC 8410), always the
//! same 44 bytes:
//!
//! ```text
//! offset  0               12                                44
//!         | 30 2a 30 05   |  Ed25519 public key = NodeId    |
//!         | 06 03 2b 65   |  (32 bytes)                     |
//!         | 70 03 21 00   |                                 |
//! ```
//!
//! Everybody who proves possession of such a key gets through the handshake; whether that node may
//! do anything is decided above. The dialler's expectation is a name, `<node id>.yanxiu.invalid`
//! (or `anyone.yanxiu.invalid` for a typed address): the verifier reads the expected key from it and
//! refuses another one *before* our own key is shown, and kept session tickets are filed under it.
//! The name is not sent (no SNI): it would cost 80 bytes and tell everybody on the way who is dialled.
//!
//! Time for tickets and retry tokens is counted from the start of the process, so that neither a
//! clock at 1970 nor one that jumps by 50 years (the first NTP answer) matters. Tickets live in
//! memory; a persistent session store would have to bring its own clock.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use quinn::ConnectionError;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{AlwaysResolvesClientRawPublicKeys, Resumption};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{
    AlwaysResolvesServerRawPublicKeys, NoServerSessionStorage, ServerSessionMemoryCache, StoresServerSessions,
};
use rustls::sign::CertifiedKey;
use rustls::time_provider::TimeProvider;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, PeerIncompatible, ServerConfig,
    SignatureScheme, version::TLS13,
};
use sync::{DeviceKey, NodeId};

use crate::Error;
use crate::early::Failure;
use crate::ground::Ground;
use crate::tickets::Tickets;

/// The protocol name in the handshake. The number changes when old and new nodes cannot talk.
pub const ALPN: &[u8] = b"yanxiu/1";

/// The same over TCP; it also names version 1 of the chunks there (`mux/chunk.rs`).
pub const ALPN_TCP: &[u8] = b"yanxiu-tcp/1";

/// Tickets for a handshake. Each is 89 bytes of every meeting, and a stock of them does not help: dials that
/// nobody answers use one up each, and an outage has more of those.
const TICKETS: usize = 1;
/// Sessions that a server keeps: of its last 4096 meetings, about 0.3 KB each.
const SERVER_SESSIONS: usize = 4096;

const SPKI_PREFIX: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];
/// PKCS #8 version 1 around a 32-byte Ed25519 seed (RFC 8410 §7).
const PKCS8_PREFIX: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

const NAME_SUFFIX: &str = ".yanxiu.invalid";
const NAME_OF_ANYONE: &str = "anyone";

/// Both TLS configurations of one device. Made once per endpoint: rustls resumes a session only
/// under the very same verifier and key `Arc`s.
pub(crate) struct Tls {
    pub(crate) client: Arc<QuicClientConfig>,
    pub(crate) server: Arc<QuicServerConfig>,
    pub(crate) peers: Arc<PeerKeys>,
    pub(crate) tickets: Arc<Tickets>,
    /// For TCP: every handshake a full one.
    pub(crate) tcp_client: Arc<ClientConfig>,
    pub(crate) tcp_server: Arc<ServerConfig>,
}

impl Tls {
    /// Without `early_data` others' first flights are not read.
    pub(crate) fn new(key: &DeviceKey, ground: &Ground, early_data: bool) -> Result<Tls, Error> {
        let setup = |e: rustls::Error| Error::Setup(e.to_string());
        let (provider, clock) = (Arc::new(ground.provider.clone()), ground.clock.clone());
        let peers = Arc::new(PeerKeys {
            algorithms: provider.signature_verification_algorithms,
            checked: AtomicU64::new(0),
            strangers: Mutex::new(HashMap::new()),
        });

        let pkcs8 = [PKCS8_PREFIX.as_slice(), key.seed().as_slice()].concat();
        let signer =
            ring::sign::any_eddsa_type(&PrivatePkcs8KeyDer::from(pkcs8.as_slice())).map_err(setup)?;
        let spki = CertificateDer::from([SPKI_PREFIX.as_slice(), key.id().0.as_slice()].concat());
        let own = Arc::new(CertifiedKey::new(vec![spki], signer));

        let mut client = ClientConfig::builder_with_details(provider.clone(), clock.clone())
            .with_protocol_versions(&[&TLS13])
            .map_err(setup)?
            .dangerous()
            .with_custom_certificate_verifier(peers.clone())
            .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(own.clone())));
        client.alpn_protocols = vec![ALPN.to_vec()];
        client.enable_sni = false;
        let mut tcp_client = client.clone();
        tcp_client.alpn_protocols = vec![ALPN_TCP.to_vec()];
        tcp_client.resumption = Resumption::disabled();
        client.enable_early_data = true;
        let tickets = Tickets::new();
        client.resumption = Resumption::store(tickets.clone());

        let mut server = ServerConfig::builder_with_details(provider, clock)
            .with_protocol_versions(&[&TLS13])
            .map_err(setup)?
            .with_client_cert_verifier(peers.clone())
            .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(own)));
        server.alpn_protocols = vec![ALPN.to_vec()];
        let mut tcp_server = server.clone();
        tcp_server.alpn_protocols = vec![ALPN_TCP.to_vec()];
        tcp_server.session_storage = Arc::new(NoServerSessionStorage {});
        tcp_server.send_tls13_tickets = 0;
        // Stateful sessions: a ticketer would rule out 0-RTT, and each ticket would be good for many
        // uses. Out of the memory it is taken at its first one, so a copied first flight opens nothing.
        server.session_storage = ground.sessions.clone();
        server.send_tls13_tickets = TICKETS;
        // QUIC knows this value and 0; the windows of the transport bound what comes early.
        server.max_early_data_size = if early_data { u32::MAX } else { 0 };

        let suite = |e: quinn::crypto::rustls::NoInitialCipherSuite| Error::Setup(e.to_string());
        Ok(Tls {
            client: Arc::new(QuicClientConfig::try_from(client).map_err(suite)?),
            server: Arc::new(QuicServerConfig::try_from(server).map_err(suite)?),
            tickets,
            peers,
            tcp_client: Arc::new(tcp_client),
            tcp_server: Arc::new(tcp_server),
        })
    }
}

/// X25519 alone: one key share, a smaller first packet, nothing to negotiate.
pub(crate) fn provider() -> CryptoProvider {
    CryptoProvider {
        kx_groups: vec![ring::kx_group::X25519],
        ..ring::default_provider()
    }
}

/// Where a server keeps what its tickets stand for: bounded, the oldest go first, lost at a restart.
pub(crate) fn session_memory() -> Arc<dyn StoresServerSessions> {
    ServerSessionMemoryCache::new(SERVER_SESSIONS)
}

/// The name under which `expect` is dialled (see the module's text).
pub(crate) fn server_name(expect: Option<&NodeId>) -> String {
    match expect {
        Some(id) => format!("{id}{NAME_SUFFIX}"),
        None => format!("{NAME_OF_ANYONE}{NAME_SUFFIX}"),
    }
}

/// The reverse of [`server_name`]; `None` for a name that it does not make.
fn expected(name: &ServerName<'_>) -> Option<Option<NodeId>> {
    let ServerName::DnsName(name) = name else {
        return None;
    };
    match name.as_ref().strip_suffix(NAME_SUFFIX)? {
        NAME_OF_ANYONE => Some(None),
        id => NodeId::parse(id).map(Some),
    }
}

/// The node id in a raw public key; `None` if it is anything but an Ed25519 key.
pub(crate) fn node_of(spki: &[u8]) -> Option<NodeId> {
    Some(NodeId(spki.strip_prefix(&SPKI_PREFIX)?.try_into().ok()?))
}

/// Accepts every well-formed Ed25519 key whose owner signs the handshake; a dialler's expected one only.
#[derive(Debug)]
pub(crate) struct PeerKeys {
    algorithms: WebPkiSupportedAlgorithms,
    /// Signatures verified: one for each handshake that was not resumed.
    checked: AtomicU64,
    /// Expected node → the one that answered instead, until the dialler has fetched it.
    strangers: Mutex<HashMap<NodeId, NodeId>>,
}

impl PeerKeys {
    pub(crate) fn checked(&self) -> u64 {
        self.checked.load(Ordering::Relaxed)
    }

    /// Why dialling `expect` failed with `error`. If it was a fault that we found ourselves, the
    /// verifier may have refused the key: then who answered instead.
    pub(crate) fn failure(&self, error: ConnectionError, expect: Option<&NodeId>) -> Failure {
        let stranger = match &error {
            ConnectionError::TransportError(_) => self.stranger(expect),
            _ => None,
        };
        match stranger {
            Some(found) => Failure::Stranger(found),
            None => Failure::Lost(error),
        }
    }

    /// Who answered instead of `expect`, when the verifier has refused somebody. Told once.
    pub(crate) fn stranger(&self, expect: Option<&NodeId>) -> Option<NodeId> {
        let mut strangers = self.strangers.lock().unwrap_or_else(PoisonError::into_inner);
        strangers.remove(expect?)
    }

    fn raw_key(
        &self,
        end_entity: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
    ) -> Result<NodeId, rustls::Error> {
        if !rest.is_empty() {
            return Err(CertificateError::BadEncoding.into());
        }
        node_of(end_entity).ok_or_else(|| CertificateError::BadEncoding.into())
    }

    fn signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let spki = SubjectPublicKeyInfoDer::from(key.as_ref());
        let valid = verify_tls13_signature_with_raw_key(message, &spki, signed, &self.algorithms)?;
        self.checked.fetch_add(1, Ordering::Relaxed);
        Ok(valid)
    }
}

fn no_tls12() -> Result<HandshakeSignatureValid, rustls::Error> {
    Err(PeerIncompatible::Tls12NotOffered.into())
}

impl ServerCertVerifier for PeerKeys {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let found = self.raw_key(end_entity, intermediates)?;
        match expected(server_name) {
            Some(None) => Ok(ServerCertVerified::assertion()),
            Some(Some(expected)) if expected == found => Ok(ServerCertVerified::assertion()),
            Some(Some(expected)) => {
                let mut strangers = self.strangers.lock().unwrap_or_else(PoisonError::into_inner);
                // Entries of dials that were dropped before they fetched theirs do not pile up.
                if strangers.len() >= 256 {
                    strangers.clear();
                }
                strangers.insert(expected, found);
                Err(CertificateError::NotValidForName.into())
            }
            None => Err(CertificateError::NotValidForName.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _key: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        no_tls12()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.signature(message, key, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

impl ClientCertVerifier for PeerKeys {
    fn offer_client_auth(&self) -> bool {
        true
    }

    fn client_auth_mandatory(&self) -> bool {
        true
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        self.raw_key(end_entity, intermediates)
            .map(|_| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _key: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        no_tls12()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.signature(message, key, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

/// Time since the start of the process, told as if the process had started in 1970.
#[derive(Debug)]
pub(crate) struct Uptime(Instant);

impl Uptime {
    pub(crate) fn start() -> Uptime {
        Uptime(Instant::now())
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

impl TimeProvider for Uptime {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(self.elapsed()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_the_expected_node() {
        let id = DeviceKey::from_seed([9; 32]).id();
        let name = |text: String| ServerName::try_from(text).unwrap();
        assert_eq!(expected(&name(server_name(Some(&id)))), Some(Some(id)));
        assert_eq!(expected(&name(server_name(None))), Some(None));
        assert_eq!(expected(&name("example.org".to_string())), None);
        assert_eq!(expected(&name(format!("short{NAME_SUFFIX}"))), None);
        assert_eq!(expected(&name("192.0.2.1".to_string())), None);
    }

    #[test]
    fn only_ed25519_keys_of_the_right_length_are_nodes() {
        let id = DeviceKey::from_seed([9; 32]).id();
        let mut spki = [SPKI_PREFIX.as_slice(), &id.0].concat();
        assert_eq!(node_of(&spki), Some(id));
        spki.push(0);
        assert_eq!(node_of(&spki), None);
        assert_eq!(node_of(&spki[..43]), None);
        spki.truncate(44);
        spki[8] = 0x6e; // X25519
        assert_eq!(node_of(&spki), None);
        assert_eq!(node_of(&[]), None);
    }
}
