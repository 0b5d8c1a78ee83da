//! TLS whose random numbers and key exchanges follow from a seed, and a clock that is tokio's.

use std::sync::Mutex;
use std::time::Duration;

use curve25519_dalek::MontgomeryPoint;
use rustls::crypto::{
    ActiveKeyExchange, CryptoProvider, GetRandomFailed, SecureRandom, SharedSecret, SupportedKxGroup, ring,
};
use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;
use rustls::{Error, NamedGroup, PeerMisbehaved};
use tokio::time::Instant;

/// SplitMix64.
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.number() % n
    }
}

/// One endpoint's source of "random" bytes.
#[derive(Debug)]
struct Source(Mutex<Random>);

impl SecureRandom for Source {
    fn fill(&self, buf: &mut [u8]) -> Result<(), GetRandomFailed> {
        let mut random = self.0.lock().unwrap();
        for part in buf.chunks_mut(8) {
            let bytes = random.number().to_le_bytes();
            part.copy_from_slice(&bytes[..part.len()]);
        }
        Ok(())
    }
}

#[derive(Debug)]
struct X25519(&'static Source);

impl SupportedKxGroup for X25519 {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let mut secret = [0; 32];
        self.0.fill(&mut secret)?;
        let public = MontgomeryPoint::mul_base_clamped(secret).to_bytes();
        Ok(Box::new(Exchange { secret, public }))
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

struct Exchange {
    secret: [u8; 32],
    public: [u8; 32],
}

impl ActiveKeyExchange for Exchange {
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        let peer: [u8; 32] = peer.try_into().map_err(|_| PeerMisbehaved::InvalidKeyShare)?;
        let shared = MontgomeryPoint(peer).mul_clamped(self.secret).to_bytes();
        Ok(SharedSecret::from(&shared[..]))
    }

    fn pub_key(&self) -> &[u8] {
        &self.public
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

/// As the product's provider, out of a seed. It is never freed: rustls wants that.
pub fn provider(seed: u64) -> CryptoProvider {
    let source: &'static Source = Box::leak(Box::new(Source(Mutex::new(Random::new(seed)))));
    let group: &'static X25519 = Box::leak(Box::new(X25519(source)));
    CryptoProvider {
        kx_groups: vec![group],
        secure_random: source,
        ..ring::default_provider()
    }
}

/// Some day in 2001, and tokio's time since.
#[derive(Debug)]
pub struct Clock(pub Instant);

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(
            Duration::from_secs(1_000_000_000) + self.0.elapsed(),
        ))
    }
}
