//! On which road a node is reached: QUIC, or TCP where a network lets no UDP through.
//!
//! ```text
//!            no answer over UDP, TCP answers
//!   QUIC ──────────────────────────────────────▶ TCP, remembered for this address
//!    ▲                                            │  UDP is tried beside it: after 10 minutes, then at
//!    └────────────────────────────────────────────┘  doubled intervals up to 6 hours, and at once when the
//!            UDP answers: the link moves over        interfaces of this computer change
//! ```
//!
//! Only silence counts: who refuses over UDP has answered. A short outage ends up here at worst, and costs one
//! more try over UDP.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use net::{Endpoint, Link, Stream, Tuning};
use sync::NodeId;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::conversation::{Ended, Opening};
use crate::network::{Hall, Reached, jitter};

/// When the other road is taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RoadTimes {
    /// After so long without any answer over UDP, TCP is dialled beside it. Three first packets are sent in this
    /// time; on the slowest links a lost one must not end in TCP.
    pub doubt: Duration,
    /// While TCP works, UDP is tried again after so long …
    pub again_min: Duration,
    /// … and at intervals that grow up to this.
    pub again_max: Duration,
}

impl Default for RoadTimes {
    fn default() -> RoadTimes {
        RoadTimes {
            doubt: Duration::from_secs(10),
            again_min: Duration::from_secs(600),
            again_max: Duration::from_secs(6 * 3600),
        }
    }
}

/// What is known of the roads to each address.
pub(crate) struct Roads {
    blocked: Mutex<HashMap<String, Blocked>>,
    times: RoadTimes,
    /// Moves when the interfaces have changed.
    moved: watch::Sender<u64>,
}

/// UDP got no answer at an address and TCP did.
struct Blocked {
    next: Instant,
    wait: Duration,
}

impl Roads {
    /// Addresses that were blocked when the program ended are tried over UDP first thing, beside TCP.
    pub fn new(times: RoadTimes, blocked: Vec<String>) -> Roads {
        let again = |address| {
            let (next, wait) = (Instant::now(), times.again_min);
            (address, Blocked { next, wait })
        };
        Roads {
            blocked: Mutex::new(blocked.into_iter().map(again).collect()),
            times,
            moved: watch::Sender::new(0),
        }
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, Blocked>> {
        self.blocked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn is_blocked(&self, address: &str) -> bool {
        self.all().contains_key(address)
    }

    fn addresses(&self) -> Vec<String> {
        let mut all: Vec<String> = self.all().keys().cloned().collect();
        all.sort();
        all
    }

    /// `true`: that is new.
    fn udp_failed(&self, address: &str) -> bool {
        let wait = self.times.again_min;
        let new = Blocked {
            next: Instant::now() + wait / 2 + jitter(wait),
            wait,
        };
        self.all().insert(address.to_string(), new).is_none()
    }

    /// `true`: that is new.
    fn udp_works(&self, address: &str) -> bool {
        self.all().remove(address).is_some()
    }

    /// UDP is tried now: when the next time would be.
    fn tried(&self, address: &str) {
        if let Some(b) = self.all().get_mut(address) {
            b.next = Instant::now() + b.wait / 2 + jitter(b.wait);
            b.wait = (b.wait * 2).min(self.times.again_max);
        }
    }

    /// This computer is in another network, perhaps.
    pub fn interfaces_changed(&self) {
        for b in self.all().values_mut() {
            (b.next, b.wait) = (Instant::now(), self.times.again_min);
        }
        self.moved.send_modify(|n| *n += 1);
    }

    /// Waits until UDP is to be tried again.
    async fn due(&self, address: &str, moved: &mut watch::Receiver<u64>) {
        loop {
            let Some(next) = self.all().get(address).map(|b| b.next) else {
                return std::future::pending().await;
            };
            tokio::select! {
                () = tokio::time::sleep_until(next.into()) => return,
                Ok(()) = moved.changed() => {}
            }
        }
    }
}

/// One address, resolved.
pub(crate) struct Place<'a> {
    pub hall: &'a Arc<Hall>,
    pub endpoint: &'a Endpoint,
    pub address: &'a str,
    pub at: SocketAddr,
    pub expect: Option<NodeId>,
    /// As [`RoadTimes::doubt`], shorter for a neighbour.
    pub doubt: Duration,
}

impl Place<'_> {
    /// Dials on the road that leads there.
    pub async fn reach(&self, first: &[Vec<u8>]) -> Result<(Link, Option<Stream>), net::Error> {
        let by_tcp = || self.endpoint.connect_tcp(self.at, self.expect);
        if self.hall.roads.is_blocked(self.address)
            && let Ok(link) = by_tcp().await
        {
            return Ok((link, None));
        }
        let mut by_quic = pin!(self.endpoint.connect_saying(self.at, self.expect, first));
        tokio::select! {
            biased;
            met = &mut by_quic => return met,
            () = tokio::time::sleep(self.doubt) => {}
        }
        // Nobody has answered; the first one who does is taken.
        tokio::select! {
            biased;
            met = &mut by_quic => met,
            Ok(link) = by_tcp() => {
                self.blocked(link.peer()).await;
                Ok((link, None))
            }
        }
    }

    /// Talks on a link, and moves to the other road when that is the one that works.
    pub async fn talk(&self, link: Link, opening: Option<Opening>) -> Reached {
        if link.road() == net::Road::Tcp {
            return self.over_tcp(link, opening).await;
        }
        let peer = link.peer();
        if !link.early() {
            self.works(peer).await;
        }
        let mut talking = pin!(self.converse(link.clone(), opening));
        let doubting = async {
            match timeout(self.doubt, link.settled()).await {
                Ok(Ok(_)) => self.works(peer).await,
                Ok(Err(_)) => {}
                Err(_) => match self.endpoint.connect_tcp(self.at, Some(peer)).await {
                    Ok(tcp) if link.early() => return tcp,
                    _ => {}
                },
            }
            std::future::pending().await
        };
        let tcp = tokio::select! {
            ended = &mut talking => return Reached::Node(peer, ended),
            tcp = doubting => tcp,
        };
        self.blocked(peer).await;
        link.close(1, "no answer over UDP");
        tokio::join!(self.over_tcp(tcp, None), talking).0
    }

    async fn converse(&self, link: Link, opening: Option<Opening>) -> Ended {
        (self.hall)
            .talk(link, Some(self.address.to_string()), opening)
            .await
    }

    /// Talks over TCP, and tries UDP beside it when that is due.
    async fn over_tcp(&self, link: Link, opening: Option<Opening>) -> Reached {
        let peer = link.peer();
        let mut talking = pin!(self.converse(link, opening));
        let better = tokio::select! {
            ended = &mut talking => return Reached::Node(peer, ended),
            link = self.udp_again(peer) => link,
        };
        if better.road() == net::Road::Quic {
            self.works(peer).await;
            // The hall ends the talk over TCP when this one enters.
            let (ended, _) = tokio::join!(self.converse(better, None), talking);
            return Reached::Node(peer, ended);
        }
        let (reached, _) = tokio::join!(Box::pin(self.over_tcp(better, None)), talking);
        reached
    }

    /// A link over UDP, once it works again; or one over TCP from another network that this computer is in now,
    /// where the old one may be dead.
    async fn udp_again(&self, peer: NodeId) -> Link {
        // No ticket is used up: nobody may be there to take it.
        let tuning = Tuning {
            early_data: false,
            handshake_timeout: self.doubt,
            ..Tuning::default()
        };
        let mut moved = self.hall.roads.moved.subscribe();
        loop {
            let before = *moved.borrow_and_update();
            self.hall.roads.due(self.address, &mut moved).await;
            self.hall.roads.tried(self.address);
            let tried = (self.endpoint).connect_tuned(self.at, Some(peer), &tuning);
            match tried.await {
                Ok(link) => return link,
                Err(error) => tracing::debug!(address = self.address, %error, "UDP does not work yet"),
            }
            if *moved.borrow() != before
                && let Ok(link) = self.endpoint.connect_tcp(self.at, Some(peer)).await
            {
                return link;
            }
        }
    }

    async fn blocked(&self, peer: NodeId) {
        let new = self.hall.roads.udp_failed(self.address);
        self.note("udp-blocked", peer, new).await;
    }

    async fn works(&self, peer: NodeId) {
        let new = self.hall.roads.udp_works(self.address);
        self.note("udp-works", peer, new).await;
    }

    async fn note(&self, code: &'static str, peer: NodeId, new: bool) {
        if !new {
            return;
        }
        tracing::info!(address = self.address, code, "the road has changed");
        let (node, all, address) = (
            self.hall.node.clone(),
            self.hall.roads.addresses(),
            self.address.to_string(),
        );
        let noting = move || {
            node.set_udp_blocked(&all)?;
            node.note_event(code, Some(&peer), "", &address)
        };
        if let Ok(Err(error)) = tokio::task::spawn_blocking(noting).await {
            tracing::warn!(%error, "the road could not be noted");
        }
    }
}
