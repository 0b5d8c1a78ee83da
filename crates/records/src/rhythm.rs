//! What is due on certain days of every week, such as bulletins with their cut-offs (情况通报, domain.md C20: at least
//! twice a week in the online stage). Dates alone: no clock is asked.

use jiff::civil::Date;

use crate::series;

/// Days on which something is due, ascending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rhythm(Vec<Date>);

/// How it stands on some day.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// The latest day that was due until now, that day included, and has nothing yet.
    pub due: Option<Date>,
    /// How many before that one have nothing. What comes now has other figures: they stay missed.
    pub missed: usize,
    /// The first day after now.
    pub next: Option<Date>,
}

impl Rhythm {
    /// From `from` to `to`, both included, on the days of the week whose codes (`mon` … `sun`, as in the kind
    /// `bulletin_schedule`) stand in `days`, separated by spaces. At most as many weeks as a series has.
    pub fn new(from: Date, to: Date, days: &str) -> Rhythm {
        let codes = days
            .split_whitespace()
            .filter(|code| series::weekday_of(code).is_some());
        let mut all: Vec<Date> = codes
            .flat_map(|code| series::days(from, to, "week", Some(code)))
            .collect();
        all.sort();
        all.dedup();
        Rhythm(all)
    }

    /// How it stands on `today`, given the cut-offs of what there is. One belongs to the last due day that is not after
    /// its cut-off: with the figures of Tuesday nothing is said about Wednesday.
    pub fn standing(&self, cut_offs: &[Date], today: Date) -> Standing {
        let passed = self.0.partition_point(|day| *day <= today);
        let missing = |at: usize| {
            let (day, after) = (self.0[at], self.0.get(at + 1));
            !(cut_offs.iter()).any(|cut| *cut >= day && after.is_none_or(|after| cut < after))
        };
        let last = passed.checked_sub(1);
        Standing {
            due: last.filter(|at| missing(*at)).map(|at| self.0[at]),
            missed: (0..last.unwrap_or(0)).filter(|at| missing(*at)).count(),
            next: self.0.get(passed).copied(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Date {
        text.parse().unwrap()
    }

    fn on(today: &str, cut_offs: &[&str]) -> (Option<String>, usize, Option<String>) {
        // The online stage begins on a Monday and ends on the Sunday after next; due on Wednesdays and Sundays.
        let rhythm = Rhythm::new(day("2025-10-13"), day("2025-10-26"), "wed sun");
        let cut_offs: Vec<Date> = cut_offs.iter().map(|text| day(text)).collect();
        let standing = rhythm.standing(&cut_offs, day(today));
        let said = |day: Option<Date>| day.map(|d| d.to_string());
        (said(standing.due), standing.missed, said(standing.next))
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn what_is_due_is_the_last_day_that_has_passed_without_one() {
        assert_eq!(on("2025-10-12", &[]), (None, 0, some("2025-10-15")));
        assert_eq!(on("2025-10-14", &[]), (None, 0, some("2025-10-15")));
        // On the day itself, after it, and when the next one has passed as well.
        assert_eq!(on("2025-10-15", &[]), (some("2025-10-15"), 0, some("2025-10-19")));
        assert_eq!(on("2025-10-18", &[]), (some("2025-10-15"), 0, some("2025-10-19")));
        assert_eq!(on("2025-10-20", &[]), (some("2025-10-19"), 1, some("2025-10-22")));
        // After the stage nothing follows.
        assert_eq!(on("2025-11-20", &[]), (some("2025-10-26"), 3, None));
    }

    #[test]
    fn a_cut_off_serves_the_due_day_before_it_and_no_other() {
        // Of the very day, or of a later one: late, and good.
        for cut in ["2025-10-15", "2025-10-18"] {
            assert_eq!(on("2025-10-18", &[cut]), (None, 0, some("2025-10-19")), "{cut}");
        }
        // With the figures of the day before, it is not the one that was asked for.
        assert_eq!(
            on("2025-10-15", &["2025-10-14"]),
            (some("2025-10-15"), 0, some("2025-10-19"))
        );
        // Two of one window are not one of each.
        assert_eq!(
            on("2025-10-20", &["2025-10-15", "2025-10-16"]),
            (some("2025-10-19"), 0, some("2025-10-22"))
        );
        assert_eq!(on("2025-10-20", &["2025-10-19"]), (None, 1, some("2025-10-22")));
    }

    #[test]
    fn days_that_nobody_chose_ask_for_nothing() {
        let none = Standing::default();
        let of = |from: &str, to: &str, days: &str| {
            Rhythm::new(day(from), day(to), days).standing(&[], day("2025-10-20"))
        };
        assert_eq!(of("2025-10-13", "2025-10-26", ""), none);
        assert_eq!(of("2025-10-13", "2025-10-26", "holiday"), none);
        assert_eq!(of("2025-10-26", "2025-10-13", "wed"), none);
        // A day named twice is one.
        assert_eq!(of("2025-10-13", "2025-10-20", "wed wed").missed, 0);
    }
}
