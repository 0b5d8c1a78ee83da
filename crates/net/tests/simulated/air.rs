//! A network in memory: rate, delay, jitter that keeps the order, losses in bursts, rare reordering and
//! doubling, cuts, and a host that gets another address. All of it follows from a seed and from tokio's clock.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fmt;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, UdpPoller};
use sha2::{Digest, Sha256};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::seeded::Random;

/// Headers of IPv4 and UDP.
const HEADERS: usize = 28;

/// One direction between two hosts.
#[derive(Clone, Copy, Debug)]
pub struct Path {
    /// Bits a second; 0: as fast as light.
    pub rate: u64,
    pub delay: Duration,
    /// At most so much later, without overtaking.
    pub jitter: Duration,
    /// Chances in 10,000 that a burst of losses begins and, in one, that it goes on.
    pub loss: (u64, u64),
    /// Chances in 10,000 that a packet is 40 ms late and overtaken, or comes twice.
    pub late: u64,
    pub twice: u64,
    /// Bytes that may wait before the link; more are dropped.
    pub queue: usize,
    /// The largest datagram.
    pub mtu: usize,
}

impl Path {
    pub fn good() -> Path {
        Path {
            rate: 0,
            delay: Duration::from_millis(10),
            jitter: Duration::ZERO,
            loss: (0, 0),
            late: 0,
            twice: 0,
            queue: 64 << 10,
            mtu: 1472,
        }
    }

    /// A satellite, or 2G at its best.
    pub fn slow() -> Path {
        Path {
            rate: 64_000,
            delay: Duration::from_millis(300),
            ..Path::good()
        }
    }

    /// A bad day in the mountains: one packet in seven or so, several at a time.
    pub fn bad() -> Path {
        Path {
            rate: 128_000,
            delay: Duration::from_millis(150),
            jitter: Duration::from_millis(80),
            loss: (600, 6_000),
            late: 100,
            twice: 100,
            ..Path::good()
        }
    }
}

/// One datagram, as a trace shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sent {
    /// Microseconds since the network began.
    pub at: u64,
    pub from: SocketAddr,
    pub to: SocketAddr,
    pub size: usize,
    /// When it arrives, if it does.
    pub arrives: Option<u64>,
    /// First bytes of SHA-256.
    pub bytes: [u8; 8],
}

#[derive(Default)]
struct Direction {
    path: Option<Path>,
    busy_until: Option<Instant>,
    last_arrival: Option<Instant>,
    losing: bool,
}

#[derive(Default)]
struct Inbox {
    packets: VecDeque<(SocketAddr, Vec<u8>)>,
    waker: Option<Waker>,
}

struct Inner {
    began: Instant,
    random: Random,
    usual: Path,
    directions: HashMap<(SocketAddr, SocketAddr), Direction>,
    cut: BTreeSet<SocketAddr>,
    inboxes: HashMap<SocketAddr, Arc<Mutex<Inbox>>>,
    on_the_way: BTreeMap<(Instant, u64), (SocketAddr, SocketAddr, Vec<u8>)>,
    trace: Vec<Sent>,
}

/// The network. Cheap to clone.
#[derive(Clone)]
pub struct Air(Arc<(Mutex<Inner>, Notify)>);

impl fmt::Debug for Air {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Air")
    }
}

impl Air {
    /// Every two hosts are joined by `usual`. Must be called within a paused runtime.
    pub fn new(seed: u64, usual: Path) -> Air {
        let inner = Inner {
            began: Instant::now(),
            random: Random::new(seed),
            usual,
            directions: HashMap::new(),
            cut: BTreeSet::new(),
            inboxes: HashMap::new(),
            on_the_way: BTreeMap::new(),
            trace: Vec::new(),
        };
        let air = Air(Arc::new((Mutex::new(inner), Notify::new())));
        tokio::spawn(air.clone().deliver());
        air
    }

    /// A socket at an address; an older one there hears nothing more.
    pub fn socket(&self, at: SocketAddr) -> Arc<SimSocket> {
        let inbox = Arc::new(Mutex::new(Inbox::default()));
        self.inner(|i| i.inboxes.insert(at, inbox.clone()));
        Arc::new(SimSocket {
            air: self.clone(),
            at: Mutex::new(at),
            inbox,
        })
    }

    /// Nothing passes to or from a host until it is joined again.
    pub fn cut(&self, host: SocketAddr, cut: bool) {
        self.inner(|i| {
            if cut {
                i.cut.insert(host)
            } else {
                i.cut.remove(&host)
            }
        });
    }

    pub fn trace(&self) -> Vec<Sent> {
        self.inner(|i| i.trace.clone())
    }

    /// Bytes of whole packets that a host has sent.
    pub fn sent_by(&self, host: SocketAddr) -> usize {
        let own = |i: &mut Inner| {
            i.trace
                .iter()
                .filter(|s| s.from == host)
                .map(|s| s.size + HEADERS)
                .sum()
        };
        self.inner(own)
    }

    fn inner<T>(&self, work: impl FnOnce(&mut Inner) -> T) -> T {
        work(&mut self.0.0.lock().unwrap())
    }

    fn send(&self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        self.inner(|i| i.send(from, to, bytes));
        self.0.1.notify_one();
    }

    async fn deliver(self) {
        loop {
            let next = self.inner(|i| i.on_the_way.keys().next().map(|(at, _)| *at));
            let news = self.0.1.notified();
            match next {
                None => news.await,
                Some(at) if at > Instant::now() => {
                    tokio::select! {
                        biased;
                        () = news => {}
                        () = sleep_until(at) => {}
                    }
                }
                Some(_) => {
                    let due = self.inner(|i| i.on_the_way.pop_first());
                    let Some((_, (from, to, bytes))) = due else {
                        continue;
                    };
                    let passes = self.inner(|i| !i.cut.contains(&from) && !i.cut.contains(&to));
                    let inbox = self.inner(|i| i.inboxes.get(&to).filter(|_| passes).cloned());
                    if let Some(inbox) = inbox {
                        let mut inbox = inbox.lock().unwrap();
                        inbox.packets.push_back((from, bytes));
                        if let Some(waker) = inbox.waker.take() {
                            waker.wake();
                        }
                    }
                }
            }
        }
    }
}

impl Inner {
    fn send(&mut self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        let now = Instant::now();
        let copies = self.arrivals(now, from, to, bytes.len());
        let micros = |at: Instant| at.duration_since(self.began).as_micros() as u64;
        let mut hash = [0; 8];
        hash.copy_from_slice(&Sha256::digest(bytes)[..8]);
        self.trace.push(Sent {
            at: micros(now),
            from,
            to,
            size: bytes.len(),
            arrives: copies.first().map(|at| micros(*at)),
            bytes: hash,
        });
        let number = self.trace.len() as u64;
        for (copy, at) in copies.into_iter().enumerate() {
            self.on_the_way
                .insert((at, 2 * number + copy as u64), (from, to, bytes.to_vec()));
        }
    }

    /// When a packet arrives: never, once or twice.
    fn arrivals(&mut self, now: Instant, from: SocketAddr, to: SocketAddr, size: usize) -> Vec<Instant> {
        let random = &mut self.random;
        let direction = self.directions.entry((from, to)).or_default();
        let path = direction.path.unwrap_or(self.usual);
        if self.cut.contains(&from) || self.cut.contains(&to) || size > path.mtu {
            return Vec::new();
        }
        let begin = direction.busy_until.map_or(now, |busy| busy.max(now));
        let bits = 8 * (size + HEADERS) as u64;
        let waiting = begin.duration_since(now).as_micros() as u64 * path.rate / 8_000_000;
        if waiting > path.queue as u64 {
            return Vec::new();
        }
        let takes = Duration::from_nanos((bits * 1_000_000_000).checked_div(path.rate).unwrap_or(0));
        direction.busy_until = Some(begin + takes);
        // A lost packet has taken its time on the link too.
        let chance = if direction.losing {
            path.loss.1
        } else {
            path.loss.0
        };
        direction.losing = random.below(10_000) < chance;
        if direction.losing {
            return Vec::new();
        }
        let jitter = Duration::from_micros(random.below(path.jitter.as_micros() as u64 + 1));
        let mut at = begin + takes + path.delay + jitter;
        if random.below(10_000) < path.late {
            at += Duration::from_millis(40);
        } else {
            at = direction.last_arrival.map_or(at, |last| last.max(at));
            direction.last_arrival = Some(at);
        }
        match random.below(10_000) < path.twice {
            true => vec![at, at + Duration::from_millis(5)],
            false => vec![at],
        }
    }
}

/// A host's socket.
#[derive(Debug)]
pub struct SimSocket {
    air: Air,
    at: Mutex<SocketAddr>,
    inbox: Arc<Mutex<Inbox>>,
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Inbox({})", self.packets.len())
    }
}

impl SimSocket {
    /// The host has another address from now on, as after a change from Wi-Fi to 4G.
    pub fn moves_to(&self, new: SocketAddr) {
        let old = std::mem::replace(&mut *self.at.lock().unwrap(), new);
        self.air.inner(|i| {
            i.inboxes.remove(&old);
            i.inboxes.insert(new, self.inbox.clone());
        });
    }
}

impl AsyncUdpSocket for SimSocket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Box::pin(AlwaysWritable)
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        let from = *self.at.lock().unwrap();
        self.air.send(from, transmit.destination, transmit.contents);
        Ok(())
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let mut inbox = self.inbox.lock().unwrap();
        let Some((from, bytes)) = inbox.packets.pop_front() else {
            inbox.waker = Some(cx.waker().clone());
            return Poll::Pending;
        };
        let len = bytes.len().min(bufs[0].len());
        bufs[0][..len].copy_from_slice(&bytes[..len]);
        meta[0] = RecvMeta {
            addr: from,
            len,
            stride: len,
            ecn: None,
            dst_ip: None,
        };
        Poll::Ready(Ok(1))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(*self.at.lock().unwrap())
    }

    fn may_fragment(&self) -> bool {
        false
    }
}

#[derive(Debug)]
struct AlwaysWritable;

impl UdpPoller for AlwaysWritable {
    fn poll_writable(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
