//! Whether a record was made on a computer whose clock stood wrong.
//!
//! Ids are UUIDv7: their first 48 bits are the time by the clock of the computer that made the record. It
//! orders nothing and refuses nothing; but people should see where a clock is wrong, so that somebody mends it.

/// 2025-01-01: no record of this program is older (unix seconds).
const FIRST: i64 = 1_735_689_600;

/// Two days: time zones, and clocks that go a little wrong.
const AHEAD: i64 = 2 * 24 * 3600;

/// Unix seconds in a UUIDv7; `None` for any other text.
pub fn id_time(id: &str) -> Option<i64> {
    let groups: Vec<&str> = id.split('-').collect();
    let lengths: Vec<usize> = groups.iter().map(|g| g.len()).collect();
    if lengths != [8, 4, 4, 4, 12] || !id.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit()) {
        return None;
    }
    let millis = format!("{}{}", groups[0], groups[1]);
    if !groups[2].starts_with('7') {
        return None;
    }
    Some(i64::from_str_radix(&millis, 16).ok()? / 1000)
}

/// Whether the id tells of a wrong clock: before this program was, or further ahead than clocks differ.
/// `now` is the reader's clock, `None` when that stands wrong itself.
pub fn wrong_clock(id: &str, now: Option<i64>) -> bool {
    id_time(id).is_some_and(|made| made < FIRST || now.is_some_and(|now| made > now + AHEAD))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(seconds: i64) -> String {
        let hex = format!("{:012x}", seconds * 1000);
        format!("{}-{}-7abc-8def-0123456789ab", &hex[..8], &hex[8..])
    }

    #[test]
    fn ids_tell_when_they_were_made() {
        for seconds in [0, 1, FIRST, 1_793_491_200, 2_051_222_400] {
            assert_eq!(id_time(&id(seconds)), Some(seconds));
        }
        for other in [
            "",
            "0190aaaa",
            "0190aaaa-0000-4000-8000-000000000001",
            "0190aaaa-0000-7000-8000-00000000000",
            "0190aaaa-0000-7000-8000-00000000000g",
            "01-0aaaa-0000-7000-8000-000000000001",
            "张",
        ] {
            assert_eq!(id_time(other), None, "{other}");
            assert!(!wrong_clock(other, Some(0)));
        }
    }

    #[test]
    fn a_wrong_clock_is_one_before_the_program_or_ahead_of_the_reader() {
        let now = 1_795_000_000;
        let (past, future) = (id(FIRST - 1), id(2_051_222_400));
        assert!(wrong_clock(&past, Some(now)) && wrong_clock(&past, None));
        assert!(wrong_clock(&future, Some(now)));
        assert!(!wrong_clock(&future, None), "the reader cannot tell");
        assert!(wrong_clock(&id(now + AHEAD + 1), Some(now)));
        for good in [FIRST, now - 30_000_000, now, now + AHEAD] {
            assert!(!wrong_clock(&id(good), Some(now)));
        }
    }
}
