//! How long a peer is waited for, and what bad manners cost it. Nothing here is about trust: whoever breaks
//! the protocol, sends nothing, reads nothing or asks without end is slowed down or put off, and nobody else
//! notices. Times are of a clock that only goes forward; the PC's date does not matter.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sync::NodeId;
use tokio::sync::{Notify, mpsc};

/// How long a peer may take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Patience {
    /// A peer that says nothing at all, or that is no member and says no more, is given up after so long.
    pub first_frame: Duration,
    /// A peer that is still exchanging with us and says nothing, or reads nothing, for so long is given up; a
    /// piece on the slowest link takes a minute or two. Dead links are noticed earlier, by the transport.
    pub mute: Duration,
    /// A frame that has begun must be whole after so long: 1 MiB at 20 kbit/s takes seven minutes.
    pub frame: Duration,
    /// Who broke the protocol is not talked to for so long; twice as long after each further time, up to
    /// sixteen times.
    pub penalty: Duration,
}

impl Default for Patience {
    fn default() -> Patience {
        Patience {
            first_frame: Duration::from_secs(60),
            mute: Duration::from_secs(600),
            frame: Duration::from_secs(600),
            penalty: Duration::from_secs(20),
        }
    }
}

/// Bytes that wait to be written to one peer; while there are more, nothing is read from it. A peer that asks
/// and does not read costs no more than this and one answer.
const WRITE_BYTES: usize = 1 << 20;

/// Frames that wait to be written.
const WRITE_QUEUE: usize = 1024;

/// Frames on their way to the link.
pub(crate) struct Outbox {
    frames: mpsc::Sender<Vec<u8>>,
    state: Arc<Writing>,
}

/// What the writing task tells the outbox.
pub(crate) struct Writing {
    bytes: AtomicUsize,
    last: Mutex<Instant>,
    moved: Notify,
}

impl Outbox {
    pub fn new() -> (Outbox, mpsc::Receiver<Vec<u8>>, Arc<Writing>) {
        let (frames, written) = mpsc::channel(WRITE_QUEUE);
        let state = Arc::new(Writing {
            bytes: AtomicUsize::new(0),
            last: Mutex::new(Instant::now()),
            moved: Notify::new(),
        });
        let outbox = Outbox {
            frames,
            state: state.clone(),
        };
        (outbox, written, state)
    }

    /// `false`: the queue is full, or the link is gone.
    pub fn send(&self, frame: Vec<u8>) -> bool {
        self.state.bytes.fetch_add(frame.len(), Ordering::Relaxed);
        self.frames.try_send(frame).is_ok()
    }

    /// So much waits that nothing more is read until the peer has read some of it.
    pub fn is_full(&self) -> bool {
        self.state.bytes.load(Ordering::Relaxed) > WRITE_BYTES
    }

    /// When the peer took something last.
    pub fn last_taken(&self) -> Instant {
        *self.state.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the peer has taken a frame.
    pub async fn taken(&self) {
        self.state.moved.notified().await;
    }
}

impl Writing {
    pub fn wrote(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.moved.notify_one();
    }
}

/// Work for one peer that brought nothing, before it is slowed down.
const FREE_WORK: Duration = Duration::from_secs(2);

/// Of each second that passes, so much of the debt is forgiven: a peer that asks without end gets a tenth of
/// a core.
const FORGIVEN: f64 = 0.1;

/// The longest pause at a time.
const PAUSE: Duration = Duration::from_secs(5);

/// Peers that are remembered. Keys cost nothing, so there must be an end; those forgotten first are the ones
/// longest quiet.
const REMEMBERED: usize = 4_096;

/// What is remembered of peers, over their links.
#[derive(Default)]
pub(crate) struct Ledger(Mutex<HashMap<NodeId, Mark>>);

struct Mark {
    at: Instant,
    debt: Duration,
    shut_until: Option<Instant>,
    times: u32,
}

impl Ledger {
    fn with<T>(&self, peer: &NodeId, now: Instant, work: impl FnOnce(&mut Mark) -> T) -> T {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= REMEMBERED && !all.contains_key(peer) {
            let quiet = all.iter().min_by_key(|(_, m)| m.at).map(|(id, _)| *id);
            quiet.map(|id| all.remove(&id));
        }
        let mark = all.entry(*peer).or_insert(Mark {
            at: now,
            debt: Duration::ZERO,
            shut_until: None,
            times: 0,
        });
        let passed = now.saturating_duration_since(mark.at);
        mark.debt = mark.debt.saturating_sub(passed.mul_f64(FORGIVEN));
        mark.at = now;
        work(mark)
    }

    /// The peer broke the protocol.
    pub fn broke(&self, peer: &NodeId, penalty: Duration, now: Instant) {
        self.with(peer, now, |mark| {
            // An hour of good manners, and the count begins anew.
            let long_ago = |until: Instant| now.saturating_duration_since(until) > Duration::from_secs(3600);
            if mark.shut_until.is_some_and(long_ago) {
                mark.times = 0;
            }
            mark.shut_until = Some(now + penalty * 2u32.pow(mark.times.min(4)));
            mark.times += 1;
        });
    }

    /// Whether the peer is not talked to just now.
    pub fn is_shut(&self, peer: &NodeId, now: Instant) -> bool {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let until = all.get(peer).and_then(|m| m.shut_until);
        until.is_some_and(|until| now < until)
    }

    /// Work was done for the peer that brought nothing; how long to rest before its next frame is read.
    pub fn work(&self, peer: &NodeId, spent: Duration, now: Instant) -> Duration {
        self.with(peer, now, |mark| {
            mark.debt += spent;
            mark.debt
                .saturating_sub(FREE_WORK)
                .mul_f64(1.0 / FORGIVEN)
                .min(PAUSE)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_breaks_the_protocol_waits_longer_each_time() {
        let (ledger, peer, begun) = (Ledger::default(), NodeId([1; 32]), Instant::now());
        let second = Duration::from_secs(1);
        assert!(!ledger.is_shut(&peer, begun));
        let mut now = begun;
        for wait in [10, 20, 40, 80, 160, 160] {
            ledger.broke(&peer, 10 * second, now);
            assert!(ledger.is_shut(&peer, now + (wait - 1) * second));
            assert!(!ledger.is_shut(&NodeId([2; 32]), now));
            now += wait * second;
            assert!(!ledger.is_shut(&peer, now));
        }
        ledger.broke(&peer, 10 * second, now + 2 * 3600 * second);
        assert!(!ledger.is_shut(&peer, now + (2 * 3600 + 10) * second));
    }

    #[test]
    fn work_for_nothing_is_slowed_down_and_forgiven() {
        let (ledger, peer, now) = (Ledger::default(), NodeId([1; 32]), Instant::now());
        let second = Duration::from_secs(1);
        assert_eq!(ledger.work(&peer, 2 * second, now), Duration::ZERO);
        assert_eq!(ledger.work(&peer, second / 10, now), second);
        assert_eq!(ledger.work(&peer, 30 * second, now), PAUSE);
        assert_eq!(ledger.work(&NodeId([2; 32]), second, now), Duration::ZERO);
        assert_eq!(
            ledger.work(&peer, Duration::ZERO, now + 310 * second),
            Duration::ZERO
        );
    }

    #[test]
    fn strangers_without_end_are_forgotten() {
        let (ledger, now) = (Ledger::default(), Instant::now());
        for n in 0..REMEMBERED as u32 + 500 {
            let mut id = [0; 32];
            id[..4].copy_from_slice(&n.to_be_bytes());
            ledger.work(
                &NodeId(id),
                Duration::from_secs(9),
                now + Duration::from_millis(n.into()),
            );
        }
        assert_eq!(ledger.0.lock().unwrap().len(), REMEMBERED);
    }
}
