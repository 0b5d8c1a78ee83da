//! Reading a rule file, the checks that it must pass, and its conversion of hours.

use std::collections::BTreeSet;

use super::cycle::{CycleKind, Per, YearKind};
use super::demand::{Cell, Gate, Require, Share};
use super::filter::{OneOrMany, Place, Where};
use super::formula::Verdict;
use super::person::CYCLE_DAYS;
use super::schema::*;
use crate::date::parse_stored_date;
use crate::fixed::{Amount, show_hundredths};
use crate::position::Position;

/// Why a rule file is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RulesError {
    /// Not TOML, or not of this shape.
    #[error("{position}: {message}")]
    Syntax {
        /// Where in the file.
        position: Position,
        /// What the parser says.
        message: String,
    },
    /// Well-formed, but it contradicts itself.
    #[error("“{about}”: {problem}")]
    Inconsistent {
        /// The part that is meant.
        about: String,
        /// What is wrong.
        problem: &'static str,
    },
}

/// Why class-hours cannot be turned into credits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConvertError {
    /// The credits would need more than two decimals, and nothing is ever rounded.
    #[error("{} class-hours are no whole number of hundredths of a credit", show_hundredths(*.hours_c))]
    Inexact {
        /// The class-hours.
        hours_c: i64,
    },
    /// Negative or far too large.
    #[error("{} class-hours are out of range", show_hundredths(*.hours_c))]
    OutOfRange {
        /// The class-hours.
        hours_c: i64,
    },
}

impl ConvertError {
    /// The message in Chinese.
    pub fn zh(&self) -> String {
        match self {
            ConvertError::Inexact { hours_c } => {
                format!("{} 学时不能折算成两位小数的学分", show_hundredths(*hours_c))
            }
            ConvertError::OutOfRange { hours_c } => {
                format!("{} 学时超出范围", show_hundredths(*hours_c))
            }
        }
    }
}

impl RuleSet {
    /// Reads a rule set and checks it.
    pub fn parse(text: &str) -> Result<RuleSet, RulesError> {
        let syntax = |error: toml::de::Error| RulesError::Syntax {
            position: Position::of(text, error.span()),
            message: error.message().to_owned(),
        };
        let rules: RuleSet = toml::from_str(text).map_err(syntax)?;
        rules.self_check()?;
        let table: toml::Table = toml::from_str(text).map_err(syntax)?;
        for ambiguity in &rules.ambiguities {
            if ambiguity.parameters.is_empty()
                || !ambiguity.parameters.iter().all(|path| has_key(&table, path))
            {
                return Err(inconsistent(
                    &ambiguity.id,
                    "names no parameter of this file that answers it",
                ));
            }
        }
        Ok(rules)
    }

    /// Credits of class-hours, both in hundredths. Exact or refused.
    pub fn credits_of(&self, hours_c: i64) -> Result<i64, ConvertError> {
        if !(0..=MAX_AMOUNT).contains(&hours_c) {
            return Err(ConvertError::OutOfRange { hours_c });
        }
        let per_credit = self.convert.hours_per_credit.0.max(1);
        match (self.convert.record_rounding, hours_c * 100 % per_credit) {
            (RecordRounding::None, 0) => Ok(hours_c * 100 / per_credit),
            (RecordRounding::None, _) => Err(ConvertError::Inexact { hours_c }),
        }
    }

    fn self_check(&self) -> Result<(), RulesError> {
        let head = &self.head.id;
        let valid_head = !head.is_empty() && !head.contains('/') && self.head.version > 0;
        self.ensure(valid_head, head, "needs an id without / and a version from 1")?;
        self.ensure(
            self.convert.hours_per_credit > Amount(0) && self.convert.hours_per_credit.0 <= MAX_AMOUNT,
            "convert",
            "hours_per_credit must be above zero, and no absurdly large figure",
        )?;
        self.ensure(
            (1..=600).contains(&self.convert.minutes_per_hour) && self.convert.hours_per_day <= Amount(2400),
            "convert",
            "minutes_per_hour or hours_per_day makes no sense",
        )?;
        self.ensure(
            self.prorate.round_to > Amount(0) && self.prorate.round_to.0 <= MAX_AMOUNT,
            "prorate",
            "round_to must be above zero, and no absurdly large figure",
        )?;
        self.cycle_check()?;
        self.unique_ids()?;
        self.people_check()?;

        for require in &self.requirements {
            self.require_check(require)?;
        }
        for cell in &self.cells {
            let about = cell_id(cell);
            let filter = Where {
                category: OneOrMany(vec![cell.category.clone()]),
                sub: OneOrMany(cell.sub.clone().into_iter().collect()),
                channel: OneOrMany(vec![cell.channel.clone()]),
                ..Where::default()
            };
            self.codes_known(&about, &filter)?;
            self.figures_sound(&about, [cell.min, cell.target, None], cell.max)?;
        }
        for course in &self.courses {
            self.populations_known(&course.id, &course.population)?;
            self.codes_known(&course.id, &course.filter)?;
            self.per_known(&course.id, course.per)?;
        }
        for limit in &self.limits {
            self.populations_known(&limit.id, &limit.population)?;
            self.codes_known(&limit.id, &limit.filter)?;
            self.codes_known(&limit.id, &limit.of)?;
            let shares: Vec<Share> = [limit.min_share, limit.max_share].into_iter().flatten().collect();
            self.ensure(
                !shares.is_empty() && shares.iter().all(|share| share.at_most(Share::WHOLE)),
                &limit.id,
                "needs a min_share or max_share, at most 1",
            )?;
        }
        for check in &self.checks {
            self.populations_known(&check.id, &check.population)?;
            if check.population.0.is_empty() {
                let known = |name: &str| self.constants.get(name).copied();
                self.ensure(
                    check.expr.holds(&known) == Verdict::Holds,
                    &check.id,
                    "does not hold for the numbers of the file",
                )?;
            }
        }
        if let Some(scheme) = &self.scheme {
            if let Some((about, problem)) = scheme.fault() {
                return Err(inconsistent(about, problem));
            }
            for item in &scheme.items {
                let awards = item.awards.iter().map(|each| &each.filter);
                for filter in awards.chain(item.deductions.iter().map(|each| &each.filter)) {
                    self.codes_known(&item.id, filter)?;
                }
            }
        }
        for workflow in &self.workflows {
            self.codes_known("workflow", &workflow.filter)?;
            self.ensure(
                (workflow.gate == Gate::File) != workflow.filings.is_empty(),
                "workflow",
                "a filing names what is filed, and nothing else does",
            )?;
        }
        self.ensure(
            self.reading.ungated != Gate::File,
            "reading",
            "ungated is none or approve: a filing needs a workflow that says what is filed",
        )?;
        for placement in &self.reading.placements {
            self.codes_known(&placement.id, &placement.filter)?;
            self.ensure(
                !placement.filter.is_all(),
                &placement.id,
                "would place every line",
            )?;
            let category_ok =
                !matches!(&placement.category, Place::In(code) if self.category(code).is_none());
            let channel_ok = !matches!(&placement.channel, Place::In(code) if self.channel(code).is_none());
            self.ensure(
                category_ok && channel_ok,
                &placement.id,
                "places lines in an unknown category or channel",
            )?;
        }
        Ok(())
    }

    fn cycle_check(&self) -> Result<(), RulesError> {
        let cycle = &self.cycle;
        self.ensure(
            1 <= cycle.years.least && cycle.years.least <= cycle.years.greatest && cycle.years.greatest <= 40,
            "cycle",
            "its years make no sense",
        )?;
        let first_year_sound = match cycle.first_year {
            Some(year) => (1990..=2100).contains(&year),
            None => cycle.kind != CycleKind::FixedWindow,
        };
        self.ensure(
            first_year_sound,
            "cycle",
            "a fixed window needs a first_year between 1990 and 2100",
        )?;
        self.ensure(
            cycle.kind != CycleKind::Annual || cycle.years.greatest == 1,
            "cycle",
            "an annual cycle has one year",
        )?;
        self.ensure(
            cycle.year_kind != YearKind::TrainingYear || cycle.start.is_some(),
            "cycle",
            "a training year needs the day on which it starts",
        )?;
        self.ensure(
            (0..=3660).contains(&cycle.repair_days),
            "cycle",
            "repair_days makes no sense",
        )
    }

    fn people_check(&self) -> Result<(), RulesError> {
        for population in &self.populations {
            let days_ok = population
                .condition
                .iter()
                .flat_map(|each| each.days())
                .all(|day| CYCLE_DAYS.contains(&day.as_str()) || parse_stored_date(day).is_ok());
            self.ensure(days_ok, &population.id, "names a day that is no date")?;
            self.ensure(
                population.default != population.condition.is_some(),
                &population.id,
                "is either the default or has a match",
            )?;
        }
        let about_people = |each: &&Population| each.subject == person();
        let mut people = self.populations.iter().filter(about_people).peekable();
        let table = !self.cells.is_empty() || self.requirements.iter().any(|each| each.filter.is_all());
        self.ensure(
            !table || people.peek().is_none() || people.any(|each| each.default),
            "population",
            "none is the default, and there is a total or a table",
        )?;
        for adjust in &self.adjustments {
            let about = format!("adjust {}", adjust.population);
            self.populations_known(&about, &OneOrMany(vec![adjust.population.clone()]))?;
            let requirement = |id: &String| self.requirement(id).is_some();
            let course = |id: &String| self.courses.iter().any(|each| each.id == *id);
            let known = adjust.waive.iter().all(|id| requirement(id) || course(id))
                && adjust.set.keys().all(requirement);
            self.ensure(known, &about, "names an unknown requirement or course")?;
            self.ensure(
                adjust.set.values().all(|figure| figure.0 <= MAX_AMOUNT),
                &about,
                "sets an absurdly large figure",
            )?;
            let channels = adjust.waive_channels.iter().all(|id| self.channel(id).is_some());
            self.ensure(channels, &about, "names an unknown channel")?;
        }
        Ok(())
    }

    fn unique_ids(&self) -> Result<(), RulesError> {
        let families: [Vec<&String>; 10] = [
            self.categories.iter().map(|each| &each.id).collect(),
            self.categories
                .iter()
                .flat_map(|each| &each.subs)
                .map(|each| &each.id)
                .collect(),
            self.channels.iter().map(|each| &each.id).collect(),
            self.populations.iter().map(|each| &each.id).collect(),
            self.requirements.iter().map(|each| &each.id).collect(),
            self.limits.iter().map(|each| &each.id).collect(),
            self.courses.iter().map(|each| &each.id).collect(),
            self.checks.iter().map(|each| &each.id).collect(),
            self.activities.iter().map(|each| &each.id).collect(),
            self.marks.iter().map(|each| &each.id).collect(),
        ];
        for family in families {
            let mut seen = BTreeSet::new();
            for id in family {
                self.ensure(!id.is_empty() && seen.insert(id), id, "is empty or there twice")?;
            }
        }
        Ok(())
    }

    fn require_check(&self, require: &Require) -> Result<(), RulesError> {
        let about = &require.id;
        self.ensure(!require.population.0.is_empty(), about, "holds for no population")?;
        self.populations_known(about, &require.population)?;
        self.codes_known(about, &require.filter)?;
        self.per_known(about, require.per)?;
        self.figures_sound(about, [require.min, require.target, require.fixed], require.max)?;
        self.ensure(
            self.unit_of(require) != Unit::Mixed,
            about,
            "needs a unit, because the rule set has none",
        )?;
        self.ensure(
            require.per.is_none() || require.per_year.is_none(),
            about,
            "has a figure per year twice",
        )?;
        self.ensure(
            require.per_year.is_none_or(|figure| figure.0 <= MAX_AMOUNT),
            about,
            "its figures make no sense",
        )?;
        if let Some([least, greatest]) = require.share {
            self.ensure(
                least.at_most(greatest) && greatest.at_most(Share::WHOLE),
                about,
                "its share makes no sense",
            )?;
        }
        for (from, to) in [
            (require.min_hours, require.min),
            (require.min, require.min_credits),
        ] {
            if let (Some(hours), Some(credits)) = (from, to) {
                self.ensure(
                    self.credits_of(hours.0) == Ok(credits.0),
                    about,
                    "its figures in hours and credits do not agree by the conversion",
                )?;
            }
        }
        if let Some(replaced) = &require.replaces {
            let sound = self.requirement(replaced).is_some_and(|other| {
                other.id != require.id
                    && other.filter == require.filter
                    && other.min > Some(Amount(0))
                    && require.min > Some(Amount(0))
            });
            self.ensure(sound, about, "replaces no requirement of the same kind")?;
        }
        Ok(())
    }

    fn figures_sound(
        &self,
        about: &str,
        lower: [Option<Amount>; 3],
        max: Option<Amount>,
    ) -> Result<(), RulesError> {
        let lower: Vec<Amount> = lower.into_iter().flatten().collect();
        let [figure] = lower[..] else {
            return Err(inconsistent(about, "needs exactly one of min, target and fixed"));
        };
        self.ensure(
            figure.0 <= MAX_AMOUNT && max.is_none_or(|max| figure <= max && max.0 <= MAX_AMOUNT),
            about,
            "its figures make no sense",
        )
    }

    fn per_known(&self, about: &str, per: Option<Per>) -> Result<(), RulesError> {
        let needs = matches!(per, Some(Per::Semester | Per::Week));
        self.ensure(
            !needs || self.calendar.is_some(),
            about,
            "counts semesters or weeks, and the file has no calendar",
        )
    }

    fn populations_known(&self, about: &str, named: &OneOrMany) -> Result<(), RulesError> {
        let known = |id: &String| self.populations.iter().any(|each| each.id == *id);
        self.ensure(named.0.iter().all(known), about, "names an unknown population")
    }

    /// Codes that a file lists must be of its list; what it does not list, it may still name.
    fn codes_known(&self, about: &str, filter: &Where) -> Result<(), RulesError> {
        for filter in filter.parts() {
            let categories = filter.category.0.iter().all(|id| self.category(id).is_some());
            let channels = filter.channel.0.iter().all(|id| self.channel(id).is_some());
            let subs = filter.sub.0.iter().all(|sub| {
                let mut parents = self
                    .categories
                    .iter()
                    .filter(|each| filter.category.admits(&each.id));
                parents.any(|each| each.subs.iter().any(|known| known.id == *sub))
            });
            // The empty code means what is no activity: hours and credits.
            let known = |id: &String| id.is_empty() || self.activities.iter().any(|each| each.id == *id);
            let activities = filter.activity.0.iter().all(known);
            self.ensure(
                (categories && subs || self.categories.is_empty())
                    && (channels || self.channels.is_empty())
                    && activities,
                about,
                "names an unknown activity, category, sub-category or channel",
            )?;
        }
        Ok(())
    }

    fn ensure(&self, sound: bool, about: &str, problem: &'static str) -> Result<(), RulesError> {
        if sound {
            Ok(())
        } else {
            Err(inconsistent(about, problem))
        }
    }
}

/// Largest amount that is taken seriously: 100,000 credits. Keeps every sum far from overflow.
pub(super) const MAX_AMOUNT: i64 = 10_000_000;

/// Id of a cell's outcome: "channel/category" or "channel/category/sub".
pub(super) fn cell_id(cell: &Cell) -> String {
    match &cell.sub {
        Some(sub) => format!("{}/{}/{sub}", cell.channel, cell.category),
        None => format!("{}/{}", cell.channel, cell.category),
    }
}

fn inconsistent(about: &str, problem: &'static str) -> RulesError {
    RulesError::Inconsistent {
        about: about.to_owned(),
        problem,
    }
}

fn has_key(table: &toml::Table, path: &str) -> bool {
    let mut steps = path.split('.');
    let first = steps.next().and_then(|step| table.get(step));
    steps
        .fold(first, |value, step| value.and_then(|value| value.get(step)))
        .is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::Kinds;
    use crate::rules::{SHIPPED, r1};

    const R1: &str = SHIPPED[0];
    use proptest::prelude::*;

    #[test]
    fn r1_is_read_with_integer_amounts() {
        let rules = RuleSet::parse(R1).unwrap();
        assert_eq!(rules.reference(), "seed003.five-year-36-54/1");
        assert_eq!(rules.requirement("total.senior").unwrap().min, Some(Amount(5400)));
        assert_eq!(rules.convert.hours_per_credit, Amount(1000));
        let table: i64 = ["cat.ethics_literacy", "cat.knowledge_skill", "cat.practice"]
            .iter()
            .map(|id| rules.requirement(id).unwrap().target.unwrap().0)
            .sum();
        assert_eq!(table, 3600);
        // Every open point of the text is there and names its parameter.
        let ids: Vec<&str> = rules.ambiguities.iter().map(|each| each.id.as_str()).collect();
        assert_eq!(ids, ["A1", "A2", "A3", "A4", "A5", "A6", "A7"]);
        assert_eq!(rules.reading.category_figures, Figures::Minimum);
    }

    #[test]
    fn the_kinds_offer_exactly_the_codes_of_the_rule_set() {
        for kind in ["session", "claim"] {
            let kind = Kinds::builtin().latest(kind).unwrap();
            let codes = |field: &str| -> Vec<(String, String)> {
                kind.field(field)
                    .unwrap()
                    .codes
                    .iter()
                    .map(|code| (code.id.clone(), code.zh.clone()))
                    .collect()
            };
            let rules = r1();
            assert_eq!(
                codes("category"),
                rules
                    .categories
                    .iter()
                    .map(|each| (each.id.clone(), each.zh.clone()))
                    .collect::<Vec<_>>()
            );
            assert_eq!(
                codes("channel"),
                rules
                    .channels
                    .iter()
                    .map(|each| (each.id.clone(), each.zh.clone()))
                    .collect::<Vec<_>>()
            );
            let subs = rules.categories.iter().flat_map(|each| &each.subs);
            assert_eq!(
                codes("sub"),
                subs.map(|each| (each.id.clone(), each.zh.clone()))
                    .collect::<Vec<_>>()
            );
        }
        let form = Kinds::builtin().latest("session").unwrap().field("form").unwrap();
        for require in &r1().requirements {
            assert!(
                require.filter.form.0.iter().all(|code| form.code(code).is_some()),
                "{}",
                require.id
            );
        }
    }

    #[test]
    fn hours_become_credits_exactly_or_not_at_all() {
        assert_eq!(r1().credits_of(36_000), Ok(3600));
        assert_eq!(r1().credits_of(150), Ok(15));
        assert_eq!(r1().credits_of(0), Ok(0));
        assert_eq!(r1().credits_of(155), Err(ConvertError::Inexact { hours_c: 155 }));
        assert_eq!(
            r1().credits_of(-10),
            Err(ConvertError::OutOfRange { hours_c: -10 })
        );
        assert_eq!(
            r1().credits_of(i64::MAX),
            Err(ConvertError::OutOfRange { hours_c: i64::MAX })
        );
        assert_eq!(
            ConvertError::Inexact { hours_c: 155 }.zh(),
            "1.55 学时不能折算成两位小数的学分"
        );
    }

    #[test]
    fn errors_have_a_place() {
        let text = R1.replacen("min = \"36\"", "min = 36", 1);
        let line = text.lines().position(|line| line == "min = 36").unwrap() + 1;
        let RulesError::Syntax { position, message } = RuleSet::parse(&text).unwrap_err() else {
            panic!()
        };
        assert_eq!(position.line, line);
        assert!(message.contains("decimal text"), "{message}");
        let RulesError::Syntax { position, .. } =
            RuleSet::parse(&R1.replacen("min = \"36\"", "mni = \"36\"", 1)).unwrap_err()
        else {
            panic!()
        };
        assert_eq!(position.line, line);
        for bad in ["\"0.125\"", "\"-1\"", "\"七\"", "3.6"] {
            assert!(
                matches!(
                    RuleSet::parse(&R1.replacen("\"36\"", bad, 1)),
                    Err(RulesError::Syntax { .. })
                ),
                "{bad}"
            );
        }
    }

    #[test]
    fn every_contradiction_is_found() {
        for (from, to) in [
            ("hours_per_credit = \"10\"", "hours_per_credit = \"0\""),
            ("min_hours = \"360\"", "min_hours = \"350\""),
            (
                "where = { channel = \"city\" }\nmin = \"4\"",
                "where = { channel = \"town\" }\nmin = \"4\"",
            ),
            (
                "where = { category = \"practice\" }\ntarget",
                "where = { category = \"practise\" }\ntarget",
            ),
            ("sub = \"ethics\" }", "sub = \"moral\" }"),
            ("for = \"homeroom\"", "for = \"class\""),
            ("id = \"ch.city\"", "id = \"ch.school\""),
            ("min = \"11\"\nmax = \"14\"", "min = \"14\"\nmax = \"11\""),
            ("fixed = \"12\"", "fixed = \"12\"\nmin = \"12\""),
            ("fixed = \"12\"", ""),
            ("share = [\"0.10\", \"0.20\"]", "share = [\"0.20\", \"0.10\"]"),
            ("replaces = \"total.ordinary\"", "replaces = \"cat.ethics\""),
            ("replaces = \"total.ordinary\"", "replaces = \"total.none\""),
            ("default = true", "default = false"),
            ("joined_after = \"cycle_start\"", "joined_after = \"20xx-09-01\""),
            ("first_year = 2025", "first_year = 20"),
            ("waive = [\"ch.school\"", "waive = [\"ch.none\""),
            (
                "channel = \"city\"\n\n[convert]",
                "channel = \"town\"\n\n[convert]",
            ),
            (
                "where = { program = \"见习期规范化培训\" }\nin_total",
                "where = {}\nin_total",
            ),
            ("max_share = \"0.10\"", "max_share = \"10\""),
            (
                "parameters = [\"reading.senior_table\"]",
                "parameters = [\"reading.senior\"]",
            ),
            ("parameters = [\"reading.senior_table\"]", "parameters = []"),
            ("round_to = \"0.01\"", "round_to = \"0\""),
            ("id = \"seed003.five-year-36-54\"", "id = \"seed003/36\""),
        ] {
            assert!(R1.contains(from), "{from}");
            let error = RuleSet::parse(&R1.replacen(from, to, 1)).map(|_| ());
            assert!(
                matches!(error, Err(RulesError::Inconsistent { .. })),
                "{from} → {to}: {error:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn hours_of_one_decimal_always_convert_and_add_up(hours in prop::collection::vec(0i64..10_000, 0..30)) {
            let hours: Vec<i64> = hours.into_iter().map(|tenths| tenths * 10).collect();
            let singly: i64 = hours.iter().map(|hours_c| r1().credits_of(*hours_c).unwrap()).sum();
            prop_assert_eq!(r1().credits_of(hours.iter().sum()), Ok(singly));
        }
    }
}
