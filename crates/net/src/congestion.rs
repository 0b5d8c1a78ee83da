//! Congestion control: Cubic, kept from filling the queue of a slow link.
//!
//! Cubic alone sends until packets are lost. On 2G that is when the link's queue holds sixteen seconds of data: what is
//! urgent waits behind them, and when the link is cut, everything behind the first hole is lost with it. Here a second
//! limit watches how much longer than ever an acknowledgement takes: the surplus is queue, and more than [`QUEUE`] of it
//! makes the limit smaller. (Delay-based, as TCP Vegas, Brakmo 1994, and LEDBAT, RFC 6817, whose hundred milliseconds are
//! less than one packet of 2G takes.) Where losses come first, on links with a short queue, Cubic decides alone.
//!
//! This holds for all that a link carries. The window for records (`sync/session/window.rs`) is narrower, and holds over
//! TCP too.

use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, Instant};

use quinn::congestion::{Controller, ControllerFactory, ControllerMetrics, Cubic, CubicConfig};
use quinn_proto::RttEstimator;

/// So much of what we send may stand in a queue: three packets on the slowest link that is looked after.
const QUEUE: Duration = Duration::from_secs(1);
/// At least so many packets may be on the way. Who shares a queue with others that fill it is not pushed out of it.
const LEAST_PACKETS: u64 = 8;
/// Above this the limit says nothing any more.
const MOST: u64 = 1 << 30;
/// The shortest round trip is that of the last five to ten minutes (RFC 6817 §2.4.2): roads change.
const BASE_FOR: Duration = Duration::from_secs(300);

/// Makes a [`DelayLimited`] for each path.
#[derive(Debug, Default)]
pub(crate) struct DelayLimitedConfig(Arc<CubicConfig>);

impl ControllerFactory for DelayLimitedConfig {
    fn build(self: Arc<Self>, now: Instant, mtu: u16) -> Box<dyn Controller> {
        let cubic = Cubic::new(self.0.clone(), now, mtu);
        Box::new(DelayLimited {
            limit: Limit::new(cubic.initial_window(), u64::from(mtu), now),
            cubic,
            batch: None,
        })
    }
}

/// The smaller one of Cubic's window and [`Limit`].
#[derive(Debug, Clone)]
struct DelayLimited {
    cubic: Cubic,
    limit: Limit,
    batch: Option<Batch>,
}

/// Packets acknowledged at once. All but the last one waited at the other side for it.
#[derive(Debug, Clone, Copy)]
struct Batch {
    /// When the one was sent that waited least.
    sent: Instant,
    bytes: u64,
}

impl Controller for DelayLimited {
    fn on_ack(&mut self, now: Instant, sent: Instant, bytes: u64, app_limited: bool, rtt: &RttEstimator) {
        // A window far above what may be sent was never tried.
        let untried = self.cubic.window() > 2 * self.limit.bytes;
        self.cubic.on_ack(now, sent, bytes, app_limited || untried, rtt);
        let batch = self.batch.get_or_insert(Batch { sent, bytes: 0 });
        batch.sent = batch.sent.max(sent);
        batch.bytes += bytes;
    }

    fn on_end_acks(&mut self, now: Instant, in_flight: u64, app_limited: bool, largest: Option<u64>) {
        self.cubic.on_end_acks(now, in_flight, app_limited, largest);
        if let Some(batch) = self.batch.take() {
            let untried = self.limit.bytes > 2 * self.cubic.window();
            self.limit.acked(now, batch, app_limited || untried);
        }
    }

    fn on_congestion_event(&mut self, now: Instant, sent: Instant, persistent: bool, lost: u64) {
        self.cubic.on_congestion_event(now, sent, persistent, lost);
    }

    fn on_mtu_update(&mut self, mtu: u16) {
        self.cubic.on_mtu_update(mtu);
        self.limit.packet = u64::from(mtu);
    }

    fn window(&self) -> u64 {
        self.cubic.window().min(self.limit.bytes)
    }

    fn metrics(&self) -> ControllerMetrics {
        let mut metrics = self.cubic.metrics();
        metrics.congestion_window = self.window();
        metrics
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        Box::new(self.clone())
    }

    fn initial_window(&self) -> u64 {
        self.cubic.initial_window()
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

/// How many bytes may be on the way, judged by how long acknowledgements take.
#[derive(Debug, Clone)]
struct Limit {
    bytes: u64,
    /// Bytes of a packet.
    packet: u64,
    /// The shortest round trip of this interval and of the one before, and since when this one is.
    best: Option<Duration>,
    before: Option<Duration>,
    since: Instant,
    /// When it was made smaller last.
    shrunk: Option<Instant>,
}

impl Limit {
    fn new(bytes: u64, packet: u64, now: Instant) -> Limit {
        Limit {
            bytes,
            packet,
            best: None,
            before: None,
            since: now,
            shrunk: None,
        }
    }

    /// `untried`: less was on the way than might have been, which says nothing about more.
    fn acked(&mut self, now: Instant, batch: Batch, untried: bool) {
        let took = now.saturating_duration_since(batch.sent);
        if now.saturating_duration_since(self.since) > BASE_FOR {
            (self.before, self.best, self.since) = (self.best, None, now);
        }
        let best = self.best.map_or(took, |best| best.min(took));
        self.best = Some(best);
        let base = self.before.map_or(best, |before| before.min(best));
        let fair = base + QUEUE;
        if took > fair {
            // What was sent before the last step says nothing about it.
            if self.shrunk.is_none_or(|at| batch.sent >= at) {
                self.bytes = (self.bytes as f64 * fair.as_secs_f64() / took.as_secs_f64()) as u64;
                self.shrunk = Some(now);
            }
        } else if !untried {
            self.bytes += match self.shrunk {
                None => batch.bytes,
                Some(_) if took <= base + QUEUE / 2 => batch.bytes / 2,
                Some(_) => self.packet * batch.bytes / self.bytes.max(1),
            };
        }
        self.bytes = self.bytes.clamp(LEAST_PACKETS * self.packet, MOST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    const PACKET: u64 = 1_200;

    /// A link of `rate` bytes a second, `delay` each way and no end to its queue, for a minute: bytes delivered, and
    /// the longest that a packet waited in the queue after the first ten seconds.
    fn run(rates: [u64; 2], delay: Duration) -> (u64, Duration) {
        let begun = Instant::now();
        let mut limit = Limit::new(12 * PACKET, PACKET, begun);
        let (mut free, mut on_way) = (begun, VecDeque::new());
        let (mut delivered, mut longest) = (0, Duration::ZERO);
        for ms in 0..60_000 {
            let now = begun + Duration::from_millis(ms);
            let rate = rates[usize::from(ms >= 30_000)];
            while on_way.front().is_some_and(|(_, at)| *at <= now) {
                let (sent, _) = on_way.pop_front().unwrap();
                limit.acked(now, Batch { sent, bytes: PACKET }, false);
                delivered += PACKET;
            }
            while (on_way.len() as u64 + 1) * PACKET <= limit.bytes {
                free = free.max(now);
                if ms % 30_000 > 10_000 {
                    longest = longest.max(free - now);
                }
                free += Duration::from_secs_f64(PACKET as f64 / rate as f64);
                on_way.push_back((now, free + 2 * delay));
            }
        }
        (delivered, longest)
    }

    #[test]
    fn a_slow_link_is_kept_full_without_a_long_queue() {
        let (delivered, longest) = run([4_000, 4_000], Duration::from_millis(350));
        assert!(delivered > 60 * 4_000 * 95 / 100, "{delivered}");
        assert!(longest < Duration::from_secs(3), "{longest:?}");
    }

    #[test]
    fn a_fast_link_is_not_held_back() {
        let (delivered, _) = run([1_000_000, 1_000_000], Duration::from_millis(300));
        assert!(delivered > 55 * 1_000_000, "{delivered}");
    }

    #[test]
    fn it_follows_a_link_that_becomes_faster_or_slower() {
        let (delivered, longest) = run([4_000, 100_000], Duration::from_millis(100));
        assert!(delivered > 30 * 4_000 * 95 / 100 + 24 * 100_000, "{delivered}");
        assert!(longest < Duration::from_secs(3), "{longest:?}");
        let (delivered, longest) = run([100_000, 4_000], Duration::from_millis(100));
        assert!(delivered > 28 * 100_000, "{delivered}");
        // The fast link's queue of a second is slow to leave the slow one; after ten seconds little is left.
        assert!(longest < Duration::from_secs(20), "{longest:?}");
    }
}
