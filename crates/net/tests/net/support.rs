//! Endpoints to test with, and a raw QUIC client that can misbehave.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use net::{Endpoint, Link, Tuning};
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{AlwaysResolvesClientRawPublicKeys, ResolvesClientCert};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::sign::CertifiedKey;
use rustls::{DigitallySignedStruct, DistinguishedName, SignatureScheme};
use sync::{DeviceKey, NodeId};

pub const LOCAL: ([u8; 4], u16) = ([127, 0, 0, 1], 0);

pub fn key(seed: u8) -> DeviceKey {
    DeviceKey::from_seed([seed; 32])
}

pub fn id(seed: u8) -> NodeId {
    key(seed).id()
}

pub fn endpoint(seed: u8) -> Endpoint {
    tuned(seed, Tuning::default())
}

pub fn tuned(seed: u8, tuning: Tuning) -> Endpoint {
    Endpoint::bind(LOCAL.into(), &key(seed), tuning).unwrap()
}

/// Fails the test instead of hanging it.
pub async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(10), what)
        .await
        .expect("took more than 10 s")
}

/// A link from `a` to `b`: the dialling end and the other.
pub async fn join(a: &Endpoint, b: &Endpoint) -> (Link, Link) {
    let addr = b.local_addr().unwrap();
    let (near, far) = soon(async { tokio::join!(a.connect(addr, None), b.accept()) }).await;
    (near.unwrap(), far.unwrap())
}

/// Sends a frame each way, after which session tickets have arrived too.
pub async fn exchange(near: &Link, far: &Link) {
    soon(async {
        let (mut w, mut r) = near.open().await.unwrap();
        w.write("花名册".as_bytes()).await.unwrap();
        let (mut fw, mut fr) = far.accept().await.unwrap();
        assert_eq!(fr.read().await.unwrap().unwrap(), "花名册".as_bytes());
        fw.write("𬭊㙇".as_bytes()).await.unwrap();
        assert_eq!(r.read().await.unwrap().unwrap(), "𬭊㙇".as_bytes());
        fw.delivered().await.unwrap();
    })
    .await;
}

/// The old socket closes in the background, so its port is free a moment later.
pub async fn rebind(addr: SocketAddr, seed: u8) -> Endpoint {
    loop {
        match Endpoint::bind(addr, &key(seed), Tuning::default()) {
            Ok(endpoint) => return endpoint,
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

/// Checks nothing at all.
#[derive(Debug)]
pub struct Anything;

impl ServerCertVerifier for Anything {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }
    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }
    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

impl ClientCertVerifier for Anything {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }
    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }
    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }
    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

/// Says it has a raw key, and then shows none.
#[derive(Debug)]
pub struct EmptyHanded;

impl ResolvesClientCert for EmptyHanded {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        None
    }
    fn only_raw_public_keys(&self) -> bool {
        true
    }
    fn has_certs(&self) -> bool {
        true
    }
}

/// A raw public key `shown` with the signer of `signer`: an impostor's if they differ.
pub fn credential(shown: NodeId, signer: &DeviceKey) -> Arc<CertifiedKey> {
    let spki = [
        b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00".as_slice(),
        &shown.0,
    ]
    .concat();
    let head = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20".as_slice();
    let pkcs8 = [head, &signer.seed()].concat();
    let signer = ring::sign::any_eddsa_type(&PrivatePkcs8KeyDer::from(pkcs8)).unwrap();
    Arc::new(CertifiedKey::new(vec![CertificateDer::from(spki)], signer))
}

pub fn showing(credential: Arc<CertifiedKey>) -> Option<Arc<dyn ResolvesClientCert>> {
    Some(Arc::new(AlwaysResolvesClientRawPublicKeys::new(credential)))
}

/// A QUIC client with the given key (`None`: offers none) and protocol names.
pub fn raw_client(key: Option<Arc<dyn ResolvesClientCert>>, alpn: &[&[u8]]) -> quinn::Endpoint {
    let builder = rustls::ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anything));
    let mut tls = match key {
        Some(key) => builder.with_client_cert_resolver(key),
        None => builder.with_no_client_auth(),
    };
    tls.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    let mut endpoint = quinn::Endpoint::client(LOCAL.into()).unwrap();
    endpoint.set_default_client_config(quinn::ClientConfig::new(Arc::new(
        QuicClientConfig::try_from(tls).unwrap(),
    )));
    endpoint
}

/// A QUIC server that shows `key` and takes everybody.
pub fn raw_server(key: Arc<CertifiedKey>) -> (quinn::Endpoint, SocketAddr) {
    let mut tls = rustls::ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_client_cert_verifier(Arc::new(Anything))
        .with_cert_resolver(Arc::new(rustls::server::AlwaysResolvesServerRawPublicKeys::new(
            key,
        )));
    tls.alpn_protocols = vec![net::ALPN.to_vec()];
    let config = quinn::ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls).unwrap()));
    let endpoint = quinn::Endpoint::server(config, LOCAL.into()).unwrap();
    let addr = endpoint.local_addr().unwrap();
    let taking = endpoint.clone();
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Some(incoming) = taking.accept().await {
            kept.push(incoming.await);
        }
    });
    (endpoint, addr)
}

/// A relay in front of `target`; once cut, it swallows everything both ways.
pub async fn relay(target: SocketAddr) -> (SocketAddr, Arc<AtomicBool>) {
    let front = tokio::net::UdpSocket::bind(SocketAddr::from(LOCAL))
        .await
        .unwrap();
    let back = tokio::net::UdpSocket::bind(SocketAddr::from(LOCAL))
        .await
        .unwrap();
    back.connect(target).await.unwrap();
    let addr = front.local_addr().unwrap();
    let cut = Arc::new(AtomicBool::new(false));
    let is_cut = cut.clone();
    tokio::spawn(async move {
        let (mut a, mut b) = ([0u8; 2048], [0u8; 2048]);
        let mut client = None;
        loop {
            tokio::select! {
                Ok((n, from)) = front.recv_from(&mut a) => {
                    client = Some(from);
                    if !is_cut.load(Ordering::SeqCst) { let _ = back.send(&a[..n]).await; }
                }
                Ok(n) = back.recv(&mut b) => {
                    if let (Some(to), false) = (client, is_cut.load(Ordering::SeqCst)) {
                        let _ = front.send_to(&b[..n], to).await;
                    }
                }
            }
        }
    });
    (addr, cut)
}

/// A long way to `target`: every datagram arrives `delay` after it was sent, in order.
pub struct Way {
    pub addr: SocketAddr,
    /// While set, what `target` answers is lost.
    pub mute: AtomicBool,
    /// What went to `target`, in order.
    pub sent: Mutex<Vec<Vec<u8>>>,
}

pub async fn way(target: SocketAddr, delay: Duration) -> Arc<Way> {
    let bind = || tokio::net::UdpSocket::bind(SocketAddr::from(LOCAL));
    let (front, back) = (Arc::new(bind().await.unwrap()), Arc::new(bind().await.unwrap()));
    let way = Arc::new(Way {
        addr: front.local_addr().unwrap(),
        mute: AtomicBool::new(false),
        sent: Mutex::new(Vec::new()),
    });
    let dialler = Arc::new(Mutex::new(None));
    let (there, mut going) = tokio::sync::mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    let (home, mut coming) = tokio::sync::mpsc::unbounded_channel::<(Instant, Vec<u8>)>();

    let (socket, seen, to) = (front.clone(), dialler.clone(), way.clone());
    tokio::spawn(async move {
        let mut buf = [0u8; 2048];
        loop {
            let Ok((n, from)) = socket.recv_from(&mut buf).await else {
                continue;
            };
            *seen.lock().unwrap() = Some(from);
            to.sent.lock().unwrap().push(buf[..n].to_vec());
            there.send((Instant::now() + delay, buf[..n].to_vec())).unwrap();
        }
    });
    let socket = back.clone();
    tokio::spawn(async move {
        while let Some((due, bytes)) = going.recv().await {
            tokio::time::sleep_until(due.into()).await;
            let _ = socket.send_to(&bytes, target).await;
        }
    });
    let from = way.clone();
    tokio::spawn(async move {
        let mut buf = [0u8; 2048];
        loop {
            let Ok((n, _)) = back.recv_from(&mut buf).await else {
                continue;
            };
            if !from.mute.load(Ordering::SeqCst) {
                home.send((Instant::now() + delay, buf[..n].to_vec())).unwrap();
            }
        }
    });
    tokio::spawn(async move {
        while let Some((due, bytes)) = coming.recv().await {
            tokio::time::sleep_until(due.into()).await;
            let to = dialler.lock().unwrap().unwrap();
            let _ = front.send_to(&bytes, to).await;
        }
    });
    way
}
