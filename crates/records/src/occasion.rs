//! Whether two sessions can be two: the same one entered twice, or one person at two places at one time
//! (domain.md §3.5, no. 3 and 4). It only ever raises a question; a person answers it.

use std::collections::BTreeSet;

use crate::text::half_width;

/// A day of work in hundredths of a class-hour: more than that on one day was not one after the other.
const DAY_C: i64 = 800;

/// What is known of a session's time and place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Occasion {
    /// Who held it.
    pub host: String,
    /// Stored date.
    pub date: String,
    /// What it is called.
    pub title: String,
    /// Minutes since midnight.
    pub begins: Option<u16>,
    /// Minutes since midnight.
    pub ends: Option<u16>,
    /// Class-hours in hundredths.
    pub hours_c: i64,
    /// Who took part.
    pub people: BTreeSet<String>,
}

impl Occasion {
    /// Whether nobody can have taken part in both. Where a time is missing, two hosts on one day are two places,
    /// and one host cannot have filled more than a day.
    pub fn overlaps(&self, other: &Occasion) -> bool {
        if self.date != other.date {
            return false;
        }
        match (self.begins, self.ends, other.begins, other.ends) {
            (Some(begins), Some(ends), Some(other_begins), Some(other_ends)) => {
                begins < other_ends && other_begins < ends
            }
            _ => self.host != other.host || self.hours_c.saturating_add(other.hours_c) > DAY_C,
        }
    }

    /// Whether they look like one session that was entered twice: one day, times that do not exclude it, half of
    /// the people of the smaller in both, and titles that are alike.
    pub fn resembles(&self, other: &Occasion) -> bool {
        let apart = match (self.begins, self.ends, other.begins, other.ends) {
            (Some(_), Some(_), Some(_), Some(_)) => !self.overlaps(other),
            _ => false,
        };
        let both = self.people.intersection(&other.people).count();
        let smaller = self.people.len().min(other.people.len());
        self.date == other.date
            && !apart
            && smaller > 0
            && both * 2 >= smaller
            && titles_alike(&self.title, &other.title)
    }
}

/// Whether half of the pairs of neighbouring characters of two titles are the same, punctuation and width aside.
pub fn titles_alike(a: &str, b: &str) -> bool {
    let pairs = |text: &str| -> Vec<(char, char)> {
        let plain: Vec<char> = half_width(text)
            .to_lowercase()
            .chars()
            .filter(|c| c.is_alphanumeric())
            .collect();
        let next = plain.iter().copied().skip(1).chain([' ']);
        plain.iter().copied().zip(next).collect()
    };
    let (a, mut b) = (pairs(a), pairs(b));
    let all = a.len() + b.len();
    let shared = a
        .iter()
        .filter(|pair| match b.iter().position(|other| other == *pair) {
            Some(at) => {
                b.swap_remove(at);
                true
            }
            None => false,
        })
        .count();
    all > 0 && shared * 4 >= all
}

/// The minute of the day in what a person typed: `8:30`, `０８：３０`, `8点半`, `14时5分`.
pub fn minute_of_day(typed: &str) -> Option<u16> {
    let plain = half_width(typed).replace(['时', '点'], ":").replace("半", "30");
    let plain = plain.trim().trim_end_matches('分');
    let (hour, minute) = plain.split_once(':')?;
    let digits = |text: &str| -> Option<u16> {
        let text = text.trim();
        (text.len() <= 2 && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().unwrap_or(0))
    };
    let (hour, minute) = (digits(hour).filter(|_| !hour.trim().is_empty())?, digits(minute)?);
    (hour < 24 && minute < 60).then_some(hour * 60 + minute)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn occasion(title: &str, times: [Option<u16>; 2], people: &[&str]) -> Occasion {
        Occasion {
            host: "本校".into(),
            date: "2025-10-16".into(),
            title: title.into(),
            begins: times[0],
            ends: times[1],
            hours_c: 400,
            people: people.iter().map(|p| p.to_string()).collect(),
        }
    }

    #[test]
    fn times_are_read_as_people_type_them() {
        for (typed, minute) in [
            ("8:30", 510),
            ("０８：３０", 510),
            ("8点半", 510),
            ("14时5分", 845),
            ("8点", 480),
            (" 00:00 ", 0),
            ("23:59", 1439),
        ] {
            assert_eq!(minute_of_day(typed), Some(minute), "{typed}");
        }
        for typed in [
            "",
            "上午",
            "8",
            "24:00",
            "8:60",
            ":30",
            "-1:00",
            "8:3O",
            "１２３:00",
        ] {
            assert_eq!(minute_of_day(typed), None, "{typed}");
        }
    }

    #[test]
    fn one_session_entered_twice_is_seen_and_the_next_one_of_a_series_is_not() {
        let all = ["甲", "乙", "丙", "丁"];
        let one = occasion("送教下乡：分数的意义", [None, None], &all);
        let same = occasion("送教下乡《分数的意义》诊断课", [Some(510), Some(630)], &all[..2]);
        assert!(one.resembles(&same) && same.resembles(&one));
        assert!(!one.resembles(&occasion("师德专题学习", [None, None], &all)));
        let mut later = same.clone();
        later.date = "2025-10-23".into();
        assert!(!one.resembles(&later));
        let after = occasion("送教下乡《分数的意义》诊断课", [Some(630), Some(700)], &all);
        assert!(!same.resembles(&after), "one after the other");
        let others = occasion("送教下乡：分数的意义", [None, None], &["戊", "己", "甲"]);
        assert!(!one.resembles(&others), "one of three is no half");
        assert!(!one.resembles(&occasion("送教下乡：分数的意义", [None, None], &[])));
    }

    #[test]
    fn overlapping_is_told_by_times_and_without_them_by_host_and_length_of_a_day() {
        let (early, late) = ([Some(480), Some(600)], [Some(600), Some(720)]);
        let (a, b) = (occasion("甲", early, &[]), occasion("乙", late, &[]));
        assert!(!a.overlaps(&b), "one ends when the other begins");
        assert!(a.overlaps(&occasion("乙", [Some(599), Some(720)], &[])));
        let mut open = occasion("丙", [Some(480), None], &[]);
        assert!(!open.overlaps(&a), "eight class-hours fit into a day");
        open.hours_c = 410;
        assert!(open.overlaps(&a));
        open.hours_c = 10;
        open.host = "县进修学校".into();
        assert!(open.overlaps(&a));
        open.date = "2025-10-17".into();
        assert!(!open.overlaps(&a));
    }

    proptest! {
        #[test]
        fn it_does_not_matter_which_comes_first(
            titles in prop::array::uniform2("[分数意义课听评1-9]{0,6}"),
            times in prop::array::uniform4(prop::option::of(0u16..1440)),
            people in prop::array::uniform2(prop::collection::btree_set("[甲乙丙丁]", 0..4)),
            hours in prop::array::uniform2(0i64..900),
        ) {
            let make = |at: usize| Occasion {
                host: "本校".into(),
                date: "2025-10-16".into(),
                title: titles[at].clone(),
                begins: times[at * 2],
                ends: times[at * 2 + 1],
                hours_c: hours[at],
                people: people[at].clone(),
            };
            let (a, b) = (make(0), make(1));
            prop_assert_eq!(a.overlaps(&b), b.overlaps(&a));
            prop_assert_eq!(a.resembles(&b), b.resembles(&a));
        }
    }
}
