//! When nothing is dialled, and what makes everything due at once.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// Hours in which nothing is dialled by itself: minutes of the day, `from` inclusive, `to` exclusive; over
/// midnight where `from` is later.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Quiet {
    from: u16,
    to: u16,
}

const DAY: u16 = 24 * 60;

impl Quiet {
    /// Whether a minute of the day is in them.
    pub fn holds(&self, minute: u16) -> bool {
        match self.from <= self.to {
            true => (self.from..self.to).contains(&minute),
            false => minute >= self.from || minute < self.to,
        }
    }

    /// Whether a moment (unix seconds) is, by the wall clock of this computer's time zone.
    pub fn holds_at(&self, moment: i64) -> bool {
        let Ok(moment) = jiff::Timestamp::from_second(moment) else {
            return false;
        };
        let time = moment.to_zoned(jiff::tz::TimeZone::system()).time();
        self.holds(u16::from(time.hour().unsigned_abs()) * 60 + u16::from(time.minute().unsigned_abs()))
    }
}

/// Text that names no hours.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "静默时段 {0} 写法不对，要像 22:00-06:00 这样写 / quiet hours {0} cannot be read; write them like 22:00-06:00"
)]
pub struct NoHours(String);

impl FromStr for Quiet {
    type Err = NoHours;

    fn from_str(text: &str) -> Result<Quiet, NoHours> {
        let minute = |text: &str| {
            let (hour, minute) = text.trim().split_once(':')?;
            let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
            (hour < 24 && minute < 60).then_some(hour * 60 + minute)
        };
        let both = text.split_once('-').and_then(|(a, b)| minute(a).zip(minute(b)));
        match both {
            Some((from, to)) if from != to => Ok(Quiet { from, to }),
            _ => Err(NoHours(text.chars().take(40).collect())),
        }
    }
}

impl fmt::Display for Quiet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, to) = (self.from % DAY, self.to % DAY);
        let (a, b, c, d) = (from / 60, from % 60, to / 60, to % 60);
        write!(f, "{a:02}:{b:02}-{c:02}:{d:02}")
    }
}

/// Interfaces that are up and their addresses, without loopback; empty as well where the system does not tell. One whose
/// cable is out keeps an address that was set by hand: it is no network until the cable is back, and then it is a new one.
pub(crate) fn interfaces() -> BTreeSet<(String, IpAddr)> {
    let all = if_addrs::get_if_addrs().unwrap_or_default();
    (all.into_iter())
        .filter(|i| !i.is_loopback() && i.is_oper_up())
        .map(|i| (i.name.clone(), i.ip()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_over_midnight_and_within_a_day() {
        let night: Quiet = "22:00-06:30".parse().unwrap();
        for (minute, quiet) in [
            (21 * 60 + 59, false),
            (22 * 60, true),
            (0, true),
            (6 * 60 + 29, true),
            (6 * 60 + 30, false),
        ] {
            assert_eq!(night.holds(minute), quiet, "{minute}");
        }
        let noon: Quiet = " 12:00 - 14:00 ".parse().unwrap();
        assert!(noon.holds(13 * 60) && !noon.holds(14 * 60) && !noon.holds(0));
        assert_eq!(noon.to_string(), "12:00-14:00");
    }

    #[test]
    fn what_names_no_hours_is_refused_with_words() {
        for text in [
            "",
            "22:00",
            "22-06",
            "24:00-06:00",
            "22:00-22:00",
            "22:60-23:00",
            "晚上",
        ] {
            let error = text.parse::<Quiet>().unwrap_err().to_string();
            assert!(error.contains("22:00-06:00"), "{error}");
        }
    }
}
