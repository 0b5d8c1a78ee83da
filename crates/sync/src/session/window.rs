//! How much may be on the way to a peer without an answer.
//!
//! QUIC's own congestion control fills the queue of a slow link until packets are lost (seconds of data on
//! 2G). What lies in that queue when the link is cut has to be sent again, so the session keeps its pieces
//! close to what the link really carries: as long as an answer comes about as soon as ever, the window
//! grows by half of what was answered; once answers take clearly longer than the best,
//! the surplus is queue and the window shrinks to its share. (Delay-based control, as in TCP Vegas, Brakmo
//! 1994, and LEDBAT, RFC 6817; here over answers of the application, so the peer's disk counts too.)

use std::collections::VecDeque;

use crate::limits;

/// Milliseconds by which an answer may be late without a queue being the reason: the peer's disk.
const SLACK: u64 = 40;

#[derive(Debug)]
pub(super) struct Window {
    /// Bytes that may be on the way.
    limit: usize,
    /// Bytes of each unanswered piece, and when it was sent, in milliseconds.
    flight: VecDeque<(usize, u64)>,
    bytes: usize,
    /// The quickest answer so far, in milliseconds.
    best: Option<u64>,
    /// When the window last shrank.
    shrunk: u64,
}

impl Window {
    pub fn new() -> Window {
        Window {
            limit: limits::WINDOW_FLOOR,
            flight: VecDeque::new(),
            bytes: 0,
            best: None,
            shrunk: 0,
        }
    }

    /// Whether another piece may be sent.
    pub fn is_open(&self) -> bool {
        self.bytes < self.limit && self.flight.len() < limits::PIECES_IN_FLIGHT
    }

    /// Pieces without an answer.
    pub fn len(&self) -> usize {
        self.flight.len()
    }

    pub fn is_empty(&self) -> bool {
        self.flight.is_empty()
    }

    pub fn sent(&mut self, bytes: usize, now: u64) {
        self.flight.push_back((bytes, now));
        self.bytes += bytes;
    }

    /// The oldest `pieces` are answered.
    pub fn answered(&mut self, pieces: usize, now: u64) {
        for _ in 0..pieces {
            let Some((bytes, at)) = self.flight.pop_front() else {
                return;
            };
            self.bytes -= bytes;
            let took = now.saturating_sub(at);
            let best = self.best.map_or(took, |b| b.min(took));
            self.best = Some(best);
            let fair = best + best / 8 + SLACK;
            if took <= fair {
                self.limit += bytes / 2;
            } else if at >= self.shrunk {
                // What was sent before the last step says nothing about it.
                self.limit = (self.limit as u64 * fair / took.max(1)) as usize;
                self.shrunk = now;
            }
            self.limit = self.limit.clamp(limits::WINDOW_FLOOR, limits::WINDOW_CEILING);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A link of `rate` bytes a millisecond and `delay` ms each way that sends pieces of 4 KB for a minute;
    /// bytes delivered, and the most that was on the way after the first seconds.
    fn run(rate: u64, delay: u64) -> (u64, usize) {
        let mut window = Window::new();
        let (mut busy, mut answers, mut delivered, mut most) = (0u64, VecDeque::new(), 0, 0);
        for now in 0..60_000u64 {
            while answers.front().is_some_and(|at| *at <= now) {
                answers.pop_front();
                window.answered(1, now);
                delivered += 4_096;
            }
            while window.is_open() {
                window.sent(4_096, now);
                busy = busy.max(now) + 4_096 / rate;
                answers.push_back(busy + 2 * delay + 10);
            }
            if now > 5_000 {
                most = most.max(window.bytes);
            }
        }
        (delivered, most)
    }

    #[test]
    fn a_slow_link_is_kept_full_without_a_long_queue() {
        let (delivered, most) = run(16, 300);
        assert!(delivered > 60_000 * 16 * 93 / 100, "{delivered}");
        assert!(most < 22_000, "{most}");
    }

    #[test]
    fn a_fast_link_is_not_held_back() {
        let (delivered, _) = run(1_024, 300);
        assert!(delivered > 40_000 * 1_024, "{delivered}");
    }

    #[test]
    fn the_slowest_link_still_gets_its_floor() {
        let (delivered, most) = run(2, 350);
        assert!(delivered > 60_000 * 2 * 90 / 100, "{delivered}");
        assert!(most <= limits::WINDOW_FLOOR + 8_192, "{most}");
    }
}
