//! How many strangers may be half-way through a handshake at a time.
//!
//! A handshake costs its beginner one packet and us a state machine until it ends or times out. So
//! seats are few, fewer for one source, and from half full on a beginner must first prove that it
//! receives at its address (a QUIC retry, one more round trip): forged source addresses can fill
//! half of the seats, but never all of them, and never those of a school whose address they use.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

pub(crate) struct Gate {
    max: usize,
    max_per_source: usize,
    taken: Mutex<HashMap<IpAddr, usize>>,
}

pub(crate) enum Entry {
    /// Go on; the seat is free again when this is dropped.
    Seat(Seat),
    /// Ask for proof of the address first.
    ProveAddress,
    /// No seat for this one.
    Full,
}

pub(crate) struct Seat {
    gate: Arc<Gate>,
    source: IpAddr,
}

impl Gate {
    pub(crate) fn new(max: usize, max_per_source: usize) -> Arc<Gate> {
        Arc::new(Gate {
            max,
            max_per_source,
            taken: Mutex::new(HashMap::new()),
        })
    }

    /// Handshakes under way.
    pub(crate) fn half_open(&self) -> usize {
        self.taken
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .sum()
    }

    /// `proven`: the beginner has shown that it receives at `addr`.
    pub(crate) fn enter(self: &Arc<Self>, addr: IpAddr, proven: bool) -> Entry {
        let source = source_of(addr);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = taken.values().sum();
        let own = taken.get(&source).copied().unwrap_or(0);
        if !proven && (all >= self.max / 2 || own >= self.max_per_source / 2) {
            return Entry::ProveAddress;
        }
        if all >= self.max || own >= self.max_per_source {
            return Entry::Full;
        }
        taken.insert(source, own + 1);
        Entry::Seat(Seat {
            gate: Arc::clone(self),
            source,
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.gate.taken.lock().unwrap_or_else(PoisonError::into_inner);
        match taken.get_mut(&self.source) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                taken.remove(&self.source);
            }
        }
    }
}

/// Whoever has one address of an IPv6 /64 has all of them.
fn source_of(addr: IpAddr) -> IpAddr {
    match addr.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn one_source_cannot_take_all_seats_and_seats_come_back() {
        let gate = Gate::new(8, 2);
        let first = gate.enter(ip("192.0.2.1"), true);
        let second = gate.enter(ip("::ffff:192.0.2.1"), true);
        assert!(matches!((&first, &second), (Entry::Seat(_), Entry::Seat(_))));
        assert!(matches!(gate.enter(ip("192.0.2.1"), true), Entry::Full));
        assert!(matches!(gate.enter(ip("192.0.2.2"), true), Entry::Seat(_)));
        drop(first);
        assert!(matches!(gate.enter(ip("192.0.2.1"), true), Entry::Seat(_)));
        drop(second);
        assert_eq!(gate.half_open(), 0);
    }

    #[test]
    fn a_64_is_one_source() {
        let gate = Gate::new(8, 1);
        let _seat = gate.enter(ip("2001:db8::1"), true);
        assert!(matches!(gate.enter(ip("2001:db8::ffff:1"), true), Entry::Full));
        assert!(matches!(gate.enter(ip("2001:db8:0:1::1"), true), Entry::Seat(_)));
    }

    #[test]
    fn unproven_addresses_get_half_of_the_seats() {
        let gate = Gate::new(4, 4);
        let seats: Vec<Entry> = (1..=2)
            .map(|n| gate.enter(ip(&format!("192.0.2.{n}")), false))
            .collect();
        assert!(seats.iter().all(|e| matches!(e, Entry::Seat(_))));
        assert!(matches!(gate.enter(ip("192.0.2.3"), false), Entry::ProveAddress));
        assert!(matches!(gate.enter(ip("192.0.2.3"), true), Entry::Seat(_)));
    }
}
