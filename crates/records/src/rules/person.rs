//! Which populations a person belongs to, and when the person was in service.

use std::collections::{BTreeMap, BTreeSet};

use jiff::ToSpan;
use jiff::civil::Date;
use serde::Deserialize;

use super::cycle::{Period, Span};
use super::demand::{Months, Prorate};
use super::filter::OneOrMany;
use super::schema::{Population, RuleSet, YearsAt};
use crate::date::{SchoolYear, parse_stored_date};

/// What the rules may ask about a person, or about a school, station, workshop … Codes are those of the
/// kinds person, staff_fact and organisation; what is unknown stays empty and matches nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PersonFacts {
    /// What it is: `person` when empty, else `school`, `station` …
    pub subject: String,
    /// Professional title code (`senior` …).
    pub title: String,
    /// Title as the paper says it (中学高级 …).
    pub title_label: String,
    /// Stage code (`junior` …).
    pub stage: String,
    /// Kind of the organisation (`hub` …).
    pub org_kind: String,
    /// Post code (`middle` …).
    pub post: String,
    /// Person status code (`off_post` …).
    pub status: String,
    /// Other parts that the person has been given in the period (`reserve`, `town_backbone` …).
    pub roles: BTreeSet<String>,
    /// Homeroom teacher at any time in the cycle.
    pub homeroom: bool,
    /// First school year of teaching anywhere.
    pub teaching_from: Option<SchoolYear>,
    /// Day of joining the education system; 1 September of `teaching_from` when unknown.
    pub joined: Option<Date>,
    /// Expected or real last day before retirement.
    pub retires: Option<Date>,
    /// Times away.
    pub leaves: Vec<Leave>,
    /// The person's own choices, for example `waive_elective`.
    pub options: BTreeSet<String>,
    /// Numbers that formulas may ask for (`trainees`, `mentors` …).
    pub numbers: BTreeMap<String, i64>,
}

/// A time away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leave {
    /// First day.
    pub first: Date,
    /// Last day; none while it lasts.
    pub last: Option<Date>,
    /// Status code (`maternity`, `sick` …).
    pub status: String,
}

impl Leave {
    fn has(&self, day: Date) -> bool {
        self.first <= day && self.last.is_none_or(|last| day <= last)
    }
}

impl PersonFacts {
    /// Day of joining, as far as known.
    pub fn joined_on(&self) -> Option<Date> {
        self.joined
            .or_else(|| self.teaching_from.and_then(SchoolYear::start))
    }

    /// Full years of teaching on a day.
    fn teaching_years(&self, day: Date) -> Option<i64> {
        let from = self.teaching_from.and_then(SchoolYear::start).or(self.joined)?;
        let years = i64::from(day.year()) - i64::from(from.year());
        let incomplete = (day.month(), day.day()) < (from.month(), from.day());
        Some(years - i64::from(incomplete))
    }

    /// The leaves in which figures do not run.
    fn suspensions<'a>(&'a self, prorate: &'a Prorate) -> impl Iterator<Item = &'a Leave> {
        self.leaves.iter().filter(|leave| {
            let last = leave.last.map(|last| leave.first.until(last));
            let days = last.map_or(i32::MAX, |length| {
                length.map_or(0, |length| length.get_days() + 1)
            });
            prorate.suspends.0.contains(&leave.status) && days >= prorate.leave_days
        })
    }

    /// Whether the person is in service and not suspended on a day.
    fn present(&self, prorate: &Prorate, day: Date) -> bool {
        self.joined_on().is_none_or(|joined| joined <= day)
            && self.retires.is_none_or(|last| day <= last)
            && !self.suspensions(prorate).any(|leave| leave.has(day))
    }
}

/// A condition on a person: everything that is named must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Match {
    /// At least one of these.
    pub any: Vec<Match>,
    /// Title codes.
    pub title: OneOrMany,
    /// Titles as written.
    pub title_label: OneOrMany,
    /// Stage codes.
    pub stage: OneOrMany,
    /// Organisation kinds.
    pub org_kind: OneOrMany,
    /// Post codes.
    pub post: OneOrMany,
    /// Status codes.
    pub status: OneOrMany,
    /// Other parts, at least one of them.
    pub role: OneOrMany,
    /// Homeroom teacher or not.
    pub homeroom: Option<bool>,
    /// First year of teaching lies in the cycle, or not.
    pub first_year_in_cycle: Option<bool>,
    /// At least so many full years of teaching.
    pub teaching_years_min: Option<i64>,
    /// Fewer full years of teaching.
    pub teaching_years_below: Option<i64>,
    /// Joined after this day: `YYYY-MM-DD`, `cycle_start` or `cycle_end`.
    pub joined_after: Option<String>,
    /// Retires before this day (or on it).
    pub retires_before: Option<String>,
}

impl Match {
    /// Whether a person fits.
    pub(super) fn fits(&self, rules: &RuleSet, period: Option<&Period>, person: &PersonFacts) -> bool {
        let starts_in = |period: &Period| {
            let first = person.teaching_from.and_then(SchoolYear::start);
            first.is_some_and(|first| period.first <= first && first <= period.last)
        };
        let in_cycle = period.is_some_and(starts_in);
        let years = period.and_then(|period| {
            person.teaching_years(match rules.reading.teaching_years_at {
                YearsAt::PeriodStart => period.first,
                YearsAt::PeriodEnd => period.last,
            })
        });
        let after = |limit: &String| match (person.joined_on(), day(period, limit)) {
            (Some(joined), Some(limit)) => joined > limit,
            _ => false,
        };
        let before = |limit: &String| match (person.retires, day(period, limit)) {
            (Some(retires), Some(limit)) => retires <= limit,
            _ => false,
        };
        (self.any.is_empty() || self.any.iter().any(|one| one.fits(rules, period, person)))
            && self.title.admits(&person.title)
            && self.title_label.admits(&person.title_label)
            && self.stage.admits(&person.stage)
            && self.org_kind.admits(&person.org_kind)
            && self.post.admits(&person.post)
            && self.status.admits(&person.status)
            && (self.role.0.is_empty() || self.role.0.iter().any(|role| person.roles.contains(role)))
            && self.homeroom.is_none_or(|wanted| wanted == person.homeroom)
            && self.first_year_in_cycle.is_none_or(|wanted| wanted == in_cycle)
            && self
                .teaching_years_min
                .is_none_or(|least| years.is_some_and(|years| years >= least))
            && self
                .teaching_years_below
                .is_none_or(|limit| years.is_some_and(|years| years < limit))
            && self.joined_after.as_ref().is_none_or(after)
            && self.retires_before.as_ref().is_none_or(before)
    }

    /// Every day that the condition names, for the self-check.
    pub(super) fn days(&self) -> Vec<&String> {
        let own = self.joined_after.iter().chain(&self.retires_before);
        own.chain(self.any.iter().flat_map(Match::days)).collect()
    }
}

/// The days of a cycle by their names in a rule file.
pub(super) const CYCLE_DAYS: [&str; 2] = ["cycle_start", "cycle_end"];

/// A day of the rule file: `YYYY-MM-DD`, `cycle_start` or `cycle_end`.
fn day(period: Option<&Period>, text: &str) -> Option<Date> {
    match CYCLE_DAYS.iter().position(|name| *name == text) {
        Some(0) => period.map(|period| period.first),
        Some(_) => period.map(|period| period.last),
        None => parse_stored_date(text).ok(),
    }
}

impl RuleSet {
    /// The populations that a person belongs to, in the order of the file.
    pub fn populations_of(&self, person: &PersonFacts, period: Option<&Period>) -> Vec<&Population> {
        let subject = match person.subject.as_str() {
            "" => "person",
            subject => subject,
        };
        self.populations
            .iter()
            .filter(|each| each.subject == subject)
            .filter(|each| {
                let condition = each.condition.as_ref();
                each.default || condition.is_some_and(|condition| condition.fits(self, period, person))
            })
            .collect()
    }

    /// Whether a person is in service in a year, semester or week: from joining to retirement, and not
    /// suspended for all of it.
    pub(super) fn serves(&self, person: &PersonFacts, span: &Span) -> bool {
        let joined = person.joined_on().is_none_or(|joined| {
            joined <= span.last && (self.prorate.joining_year_counts || joined <= span.first)
        });
        let away = |leave: &Leave| leave.has(span.first) && leave.has(span.last);
        joined
            && person.retires.is_none_or(|last| span.first <= last)
            && !person.suspensions(&self.prorate).any(away)
    }

    /// Months of a period, and of these the months in which a person is present.
    pub(super) fn months(&self, person: &PersonFacts, period: &Period) -> (i64, i64) {
        let (mut all, mut present) = (0, 0);
        let mut first = period.first;
        while first <= period.last {
            let Ok(next) = first.checked_add(1.month()) else {
                break;
            };
            let mut days = std::iter::successors(Some(first), |day| day.tomorrow().ok())
                .take_while(|day| *day < next && *day <= period.last);
            let here = |day: Date| person.present(&self.prorate, day);
            all += 1;
            present += i64::from(match self.prorate.months {
                Months::Whole => days.all(here),
                Months::Begun => days.any(here),
            });
            first = next;
        }
        (all, present)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{When, r1};

    fn of(person: PersonFacts) -> Vec<String> {
        let period = r1().period(&person, &When::default());
        r1().populations_of(&person, period.as_ref())
            .into_iter()
            .map(|each| each.id.clone())
            .collect()
    }

    fn day(text: &str) -> Option<Date> {
        Some(parse_stored_date(text).unwrap())
    }

    #[test]
    fn populations_follow_the_facts() {
        let plain = PersonFacts::default();
        assert_eq!(of(plain.clone()), ["ordinary"]);
        let senior = PersonFacts {
            title: "senior".into(),
            stage: "junior".into(),
            ..plain.clone()
        };
        assert_eq!(of(senior.clone()), ["ordinary", "senior"]);
        // 小学高级 is not 中学高级.
        assert_eq!(
            of(PersonFacts {
                stage: "primary".into(),
                ..senior
            }),
            ["ordinary"]
        );
        assert_eq!(
            of(PersonFacts {
                title_label: "中学高级".into(),
                ..plain.clone()
            }),
            ["ordinary", "senior"]
        );
        let researcher = PersonFacts {
            org_kind: "hub".into(),
            post: "researcher".into(),
            ..plain.clone()
        };
        assert_eq!(of(researcher), ["ordinary", "senior"]);
        assert_eq!(
            of(PersonFacts {
                homeroom: true,
                ..plain.clone()
            }),
            ["ordinary", "homeroom"]
        );
        assert_eq!(
            of(PersonFacts {
                status: "secondment".into(),
                ..plain.clone()
            }),
            ["ordinary", "off_post"]
        );
        assert_eq!(
            of(PersonFacts {
                post: "principal".into(),
                ..plain.clone()
            }),
            ["ordinary", "cadre"]
        );
        assert_eq!(
            of(PersonFacts {
                retires: day("2030-12-31"),
                ..plain.clone()
            }),
            ["ordinary", "retiring"]
        );
        assert_eq!(
            of(PersonFacts {
                retires: day("2031-01-01"),
                ..plain
            }),
            ["ordinary"]
        );
    }

    #[test]
    fn joining_on_the_first_day_is_not_late() {
        let from = |year| PersonFacts {
            teaching_from: Some(SchoolYear(year)),
            ..Default::default()
        };
        assert_eq!(of(from(2024)), ["ordinary"]);
        assert_eq!(of(from(2025)), ["ordinary", "novice"]);
        assert_eq!(of(from(2026)), ["ordinary", "novice", "late_entrant"]);
        let joined = PersonFacts {
            joined: day("2025-09-02"),
            ..Default::default()
        };
        assert_eq!(of(joined), ["ordinary", "late_entrant"]);
    }

    fn years(rules: &RuleSet, person: &PersonFacts) -> Vec<i16> {
        let period = rules.period(person, &When::default()).unwrap();
        let served = period.years.iter().filter(|year| rules.serves(person, year));
        served.map(|year| year.first.year()).collect()
    }

    #[test]
    fn years_in_service_run_from_joining_to_retirement() {
        let joined = |text: &str| PersonFacts {
            joined: day(text),
            ..Default::default()
        };
        assert_eq!(
            years(r1(), &PersonFacts::default()),
            [2025, 2026, 2027, 2028, 2029]
        );
        assert_eq!(years(r1(), &joined("2027-02-20")), [2026, 2027, 2028, 2029]);
        let retires = PersonFacts {
            retires: day("2027-08-31"),
            ..Default::default()
        };
        assert_eq!(years(r1(), &retires), [2025, 2026]);
        assert!(years(r1(), &joined("2040-01-01")).is_empty());
        let mut strict = r1().clone();
        strict.prorate.joining_year_counts = false;
        let from = |text| years(&strict, &joined(text)).len();
        assert_eq!(
            (from("2027-02-20"), from("2027-09-01"), from("2027-09-02")),
            (3, 3, 2)
        );
    }
}
