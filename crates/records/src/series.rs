//! The days on which a series of sessions falls (每周、每两周、每月). Dates alone: no clock is asked.

use jiff::ToSpan;
use jiff::civil::{Date, Weekday};

/// Sessions of one series at most: five years of weeks.
const MANY: usize = 260;

/// The days of a series from `from` to `to`, both included. `every` and `weekday` are codes of the kind `series`;
/// a series without a weekday falls on that of its first day, and one that comes as it comes (不定期) has no days.
/// Monthly is the same weekday of the month: the second Wednesday, not the fourteenth.
pub fn days(from: Date, to: Date, every: &str, weekday: Option<&str>) -> Vec<Date> {
    let wanted = weekday.and_then(weekday_of).unwrap_or(from.weekday());
    let ahead = from.weekday().until(wanted);
    let Ok(first) = from.checked_add(i64::from(ahead).days()) else {
        return Vec::new();
    };
    let nth = (first.day() - 1) / 7 + 1;
    let mut days = Vec::new();
    for n in 0..MANY {
        let day = match (every, i64::try_from(n)) {
            ("week", Ok(n)) => first.checked_add((7 * n).days()).ok(),
            ("two_weeks", Ok(n)) => first.checked_add((14 * n).days()).ok(),
            ("month", Ok(n)) => {
                let month = first.first_of_month().checked_add(n.months()).ok();
                // A fifth Wednesday that a month does not have is its last one.
                month.and_then(|m| {
                    m.nth_weekday_of_month(nth, wanted)
                        .or_else(|_| m.nth_weekday_of_month(-1, wanted))
                        .ok()
                })
            }
            _ => None,
        };
        match day {
            Some(day) if day <= to => days.push(day),
            _ => break,
        }
    }
    days
}

/// The day of the week that a code means.
pub(crate) fn weekday_of(code: &str) -> Option<Weekday> {
    Some(match code {
        "mon" => Weekday::Monday,
        "tue" => Weekday::Tuesday,
        "wed" => Weekday::Wednesday,
        "thu" => Weekday::Thursday,
        "fri" => Weekday::Friday,
        "sat" => Weekday::Saturday,
        "sun" => Weekday::Sunday,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(from: &str, to: &str, every: &str, weekday: Option<&str>) -> Vec<String> {
        let day = |text: &str| text.parse::<Date>().unwrap();
        days(day(from), day(to), every, weekday)
            .iter()
            .map(Date::to_string)
            .collect()
    }

    #[test]
    fn days_of_a_term() {
        // 2025-09-01 is a Monday; the ethics study is on Wednesdays (A08).
        let weeks = said("2025-09-01", "2025-09-30", "week", Some("wed"));
        assert_eq!(weeks, ["2025-09-03", "2025-09-10", "2025-09-17", "2025-09-24"]);
        // Every two weeks, a school year: about twenty (B02).
        let all = said("2025-09-01", "2026-06-30", "two_weeks", None);
        assert_eq!((all.len(), all[1].as_str()), (22, "2025-09-15"));
        // The first and last day count; the month keeps its weekday over the year's end.
        assert_eq!(
            said("2025-09-03", "2025-09-03", "week", Some("wed")),
            ["2025-09-03"]
        );
        let months = said("2025-11-12", "2026-02-28", "month", None);
        assert_eq!(months, ["2025-11-12", "2025-12-10", "2026-01-14", "2026-02-11"]);
        let last = said("2025-10-29", "2025-12-31", "month", None);
        assert_eq!(last, ["2025-10-29", "2025-11-26", "2025-12-31"]);
    }

    #[test]
    fn what_has_no_days_gives_none() {
        assert!(said("2025-09-01", "2025-12-31", "free", None).is_empty());
        assert!(said("2025-09-04", "2025-09-08", "week", Some("wed")).is_empty());
        assert!(said("2025-09-04", "2025-09-01", "week", None).is_empty());
        assert_eq!(said("1990-01-01", "2090-01-01", "week", None).len(), MANY);
    }
}
