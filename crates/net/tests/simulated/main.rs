//! The transport itself over a network in memory and in paused time: real quinn and rustls, every packet of
//! which follows from a seed. Hours pass in a moment, and the same seed gives the same bytes.

#![allow(clippy::unwrap_used)] // clippy.toml allows it in test functions, not in their helpers

mod air;
mod behaviour;
mod seeded;
mod trace;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use net::{Endpoint, Link, Simulated, Tuning};
use sync::{DeviceKey, NodeId};
use tokio::time::Instant;

use air::{Air, SimSocket};

fn key(n: u8) -> DeviceKey {
    DeviceKey::from_seed([n; 32])
}

fn id(n: u8) -> NodeId {
    key(n).id()
}

/// Where host `n` is; 1 is the hub.
fn address(n: u8) -> SocketAddr {
    ([10, 0, n, 1], 4433).into()
}

/// An endpoint of host `n`, its socket, and a seed that is its own.
fn host_tuned(air: &Air, n: u8, seed: u64, tuning: Tuning) -> (Endpoint, Arc<SimSocket>) {
    let socket = air.socket(address(n));
    let seed = seed.wrapping_mul(1_000).wrapping_add(u64::from(n));
    let by = Simulated {
        socket: socket.clone(),
        clock: Arc::new(seeded::Clock(Instant::now())),
        provider: seeded::provider(seed),
        seed,
    };
    (Endpoint::bind_simulated(by, &key(n), tuning).unwrap(), socket)
}

fn host(air: &Air, n: u8, seed: u64) -> Endpoint {
    host_tuned(air, n, seed, Tuning::default()).0
}

/// Dials the hub until it answers; how often that took.
async fn reach(from: &Endpoint) -> (Link, u32) {
    for dials in 1..20 {
        if let Ok(link) = from.connect(address(1), Some(id(1))).await
            && link.settled().await.is_ok()
        {
            return (link, dials);
        }
    }
    panic!("the hub is out of reach");
}

/// A hub that answers each frame of each stream with its length, for ever.
fn serve(hub: &Endpoint) {
    let hub = hub.clone();
    tokio::spawn(async move {
        while let Some(link) = hub.accept().await {
            tokio::spawn(async move {
                while let Some((mut writer, mut reader)) = link.accept().await {
                    tokio::spawn(async move {
                        while let Ok(Some(frame)) = reader.read().await {
                            let len = (frame.len() as u32).to_le_bytes();
                            if writer.write(&len).await.is_err() {
                                break;
                            }
                        }
                    });
                }
            });
        }
    });
}

/// Sends one frame and waits for the hub's answer.
async fn ask(link: &Link, frame: &[u8]) -> Result<(), net::Error> {
    let (mut writer, mut reader) = link.open().await?;
    writer.write(frame).await?;
    let answer = reader.read().await?.expect("an answer");
    assert_eq!(answer, (frame.len() as u32).to_le_bytes());
    Ok(())
}

/// Bytes that do not compress and are not all the same.
fn payload(len: usize) -> Vec<u8> {
    let mut random = seeded::Random::new(len as u64);
    (0..len).map(|_| random.number() as u8).collect()
}

async fn seconds_of<T>(what: impl Future<Output = T>) -> (f64, T) {
    let begin = Instant::now();
    let value = what.await;
    (begin.elapsed().as_secs_f64(), value)
}

const MINUTE: Duration = Duration::from_secs(60);
