//! Which populations a person belongs to.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::schema::{OneOrMany, RuleSet};
use crate::date::{SchoolYear, parse_stored_date};
use jiff::civil::Date;

/// What the rules may ask about a person. Codes are those of the kinds person, staff_fact and
/// organisation; what is unknown stays empty and matches nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PersonFacts {
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
    /// Homeroom teacher at any time in the cycle.
    pub homeroom: bool,
    /// First school year of teaching anywhere.
    pub teaching_from: Option<SchoolYear>,
    /// Day of joining the education system; 1 September of `teaching_from` when unknown.
    pub joined: Option<Date>,
    /// Expected or real last day before retirement.
    pub retires: Option<Date>,
    /// The person's own choices, for example `waive_elective`.
    pub options: BTreeSet<String>,
}

impl PersonFacts {
    /// Day of joining, as far as known.
    pub fn joined_on(&self) -> Option<Date> {
        self.joined
            .or_else(|| self.teaching_from.and_then(SchoolYear::start))
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
    /// Homeroom teacher or not.
    pub homeroom: Option<bool>,
    /// First year of teaching lies in the cycle, or not.
    pub first_year_in_cycle: Option<bool>,
    /// Joined after this day: `YYYY-MM-DD`, `cycle_start` or `cycle_end`.
    pub joined_after: Option<String>,
    /// Retires before this day (or on it).
    pub retires_before: Option<String>,
}

impl Match {
    /// Whether a person fits.
    pub fn fits(&self, rules: &RuleSet, person: &PersonFacts) -> bool {
        let in_cycle = person
            .teaching_from
            .is_some_and(|year| rules.cycle_years().contains(&year));
        let after = |limit: &String| match (person.joined_on(), rules.day(limit)) {
            (Some(joined), Some(limit)) => joined > limit,
            _ => false,
        };
        let before = |limit: &String| match (person.retires, rules.day(limit)) {
            (Some(retires), Some(limit)) => retires <= limit,
            _ => false,
        };
        (self.any.is_empty() || self.any.iter().any(|one| one.fits(rules, person)))
            && self.title.admits(&person.title)
            && self.title_label.admits(&person.title_label)
            && self.stage.admits(&person.stage)
            && self.org_kind.admits(&person.org_kind)
            && self.post.admits(&person.post)
            && self.status.admits(&person.status)
            && self.homeroom.is_none_or(|wanted| wanted == person.homeroom)
            && self.first_year_in_cycle.is_none_or(|wanted| wanted == in_cycle)
            && self.joined_after.as_ref().is_none_or(after)
            && self.retires_before.as_ref().is_none_or(before)
    }

    /// Every day that the condition names, for the self-check.
    pub(super) fn days(&self) -> Vec<&String> {
        let own = self.joined_after.iter().chain(&self.retires_before);
        own.chain(self.any.iter().flat_map(Match::days)).collect()
    }
}

impl RuleSet {
    /// The school years of the cycle.
    pub fn cycle_years(&self) -> Vec<SchoolYear> {
        (0..self.cycle.years)
            .map(|year| SchoolYear(self.cycle.first_year + year))
            .collect()
    }

    /// A day of the rule file: `YYYY-MM-DD`, `cycle_start` or `cycle_end`.
    pub(super) fn day(&self, text: &str) -> Option<Date> {
        match text {
            "cycle_start" => SchoolYear(self.cycle.first_year).start(),
            "cycle_end" => SchoolYear(self.cycle.first_year + self.cycle.years - 1).end(),
            text => parse_stored_date(text).ok(),
        }
    }

    /// Ids of the populations that a person belongs to, in the order of the file.
    pub fn populations_of(&self, person: &PersonFacts) -> Vec<&str> {
        self.populations
            .iter()
            .filter(|each| {
                each.default
                    || each
                        .condition
                        .as_ref()
                        .is_some_and(|condition| condition.fits(self, person))
            })
            .map(|each| each.id.as_str())
            .collect()
    }

    /// The school years of the cycle in which a person is in service: from joining to retirement.
    pub fn service_years(&self, person: &PersonFacts) -> Vec<SchoolYear> {
        let first = person.joined_on().map(|joined| {
            let year = SchoolYear::of(joined);
            // Who joined on 1 September serves that whole year, whatever the file says about the year of joining.
            let whole = year.start() == Some(joined);
            if self.prorate.joining_year_counts || whole {
                year
            } else {
                SchoolYear(year.0 + 1)
            }
        });
        let last = person.retires.map(SchoolYear::of);
        self.cycle_years()
            .into_iter()
            .filter(|year| first.is_none_or(|first| first <= *year) && last.is_none_or(|last| *year <= last))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::r1;

    fn of(person: PersonFacts) -> Vec<String> {
        r1().populations_of(&person)
            .into_iter()
            .map(str::to_owned)
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

    #[test]
    fn years_in_service_run_from_joining_to_retirement() {
        let years = |person: PersonFacts| {
            r1().service_years(&person)
                .into_iter()
                .map(|year| year.0)
                .collect::<Vec<_>>()
        };
        assert_eq!(years(PersonFacts::default()), [2025, 2026, 2027, 2028, 2029]);
        assert_eq!(
            years(PersonFacts {
                joined: day("2027-02-20"),
                ..Default::default()
            }),
            [2026, 2027, 2028, 2029]
        );
        assert_eq!(
            years(PersonFacts {
                retires: day("2027-08-31"),
                ..Default::default()
            }),
            [2025, 2026]
        );
        assert!(
            years(PersonFacts {
                joined: day("2040-01-01"),
                ..Default::default()
            })
            .is_empty()
        );
        let mut strict = r1().clone();
        strict.prorate.joining_year_counts = false;
        let from = |text| {
            strict
                .service_years(&PersonFacts {
                    joined: day(text),
                    ..Default::default()
                })
                .len()
        };
        assert_eq!(
            (from("2027-02-20"), from("2027-09-01"), from("2027-09-02")),
            (3, 3, 2)
        );
    }
}
