//! The periods over which a rule set holds: five kinds of cycle, their years, semesters and weeks.
//!
//! Nothing here asks a clock: a cycle that repeats is found by a day that the caller names.

use jiff::civil::{Date, Weekday};
use jiff::{Span as Length, ToSpan};
use serde::{Deserialize, Deserializer, Serialize, de};

use super::person::PersonFacts;
use super::schema::RuleSet;

/// The period over which requirements hold.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cycle {
    /// Kind of period.
    pub kind: CycleKind,
    /// Number of years, or the least and the greatest.
    pub years: Years,
    /// Kind of year.
    pub year_kind: YearKind,
    /// Calendar year in which a fixed window begins.
    pub first_year: Option<i32>,
    /// Day on which its years begin, where the kind of year does not say it.
    pub start: Option<MonthDay>,
    /// Whether a fixed window is followed by the next.
    #[serde(default)]
    pub repeats: bool,
    /// What becomes of a surplus of the cycle before.
    #[serde(default)]
    pub carry_over: CarryOver,
    /// Days after the last day in which what is missing may still be made good.
    #[serde(default)]
    pub repair_days: i32,
}

/// Kind of period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CycleKind {
    /// The same years for everyone.
    FixedWindow,
    /// Years that begin with the person's own first day.
    PersonalWindow,
    /// One year after another, from any day of the year.
    Annual,
    /// From the first day of a cohort (每期).
    Cohort,
    /// From the first day of a project, as long as the project says.
    Project,
}

/// Kind of year.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum YearKind {
    /// 学年, 1 September to 31 August.
    SchoolYear,
    /// 1 January to 31 December.
    CalendarYear,
    /// 培训年度, from [`Cycle::start`].
    TrainingYear,
    /// Counted from the first day of the period.
    ProjectYear,
}

/// What becomes of a surplus of the cycle before. It arrives as an entry of the activity `carry_over`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CarryOver {
    /// Nothing: every cycle begins with zero.
    #[default]
    None,
    /// It counts in the total.
    Surplus,
}

/// Least and greatest number of years; one number means both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Years {
    /// Least.
    pub least: i32,
    /// Greatest.
    pub greatest: i32,
}

impl<'de> Deserialize<'de> for Years {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            One(i32),
            Two([i32; 2]),
        }
        let (least, greatest) = match Either::deserialize(deserializer)? {
            Either::One(years) => (years, years),
            Either::Two([least, greatest]) => (least, greatest),
        };
        Ok(Years { least, greatest })
    }
}

/// A day of the year: `"03-01"`, or `"02-last"` for the last day of a month. The 29 February is none: it
/// does not come every year.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MonthDay {
    month: i8,
    /// None is the last day of the month.
    day: Option<i8>,
}

impl MonthDay {
    const fn of(month: i8, day: i8) -> MonthDay {
        MonthDay {
            month,
            day: Some(day),
        }
    }

    fn in_year(self, year: i32) -> Option<Date> {
        let day = Date::new(i16::try_from(year).ok()?, self.month, self.day.unwrap_or(1)).ok()?;
        Some(match self.day {
            Some(_) => day,
            None => day.last_of_month(),
        })
    }

    /// The last such day that is not after `day`.
    fn before(self, day: Date) -> Option<Date> {
        let year = i32::from(day.year());
        let this = self.in_year(year)?;
        if this <= day {
            Some(this)
        } else {
            self.in_year(year - 1)
        }
    }
}

impl<'de> Deserialize<'de> for MonthDay {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let read = || {
            let (month, day) = text.split_once('-').filter(|(month, _)| month.len() == 2)?;
            let month = month.parse().ok()?;
            let day = match day {
                "last" => None,
                day => Some(day.parse().ok().filter(|_| day.len() == 2)?),
            };
            // 2001 has no 29 February.
            Date::new(2001, month, day.unwrap_or(1)).ok()?;
            Some(MonthDay { month, day })
        };
        read().ok_or_else(|| de::Error::custom(format!("“{text}” is no day of every year; write \"03-01\"")))
    }
}

/// Some days in a row, with the name that people give them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Span {
    /// First day.
    pub first: Date,
    /// Last day.
    pub last: Date,
    /// Chinese name.
    pub zh: String,
    /// English name.
    pub en: String,
}

impl Span {
    /// Whether a day lies in it.
    pub fn has(&self, day: Date) -> bool {
        self.first <= day && day <= self.last
    }

    fn touches(&self, first: Date, last: Date) -> bool {
        self.first <= last && first <= self.last
    }

    fn days(first: Date, last: Date) -> Span {
        Span {
            first,
            last,
            zh: format!("{first} 至 {last}"),
            en: format!("{first} to {last}"),
        }
    }
}

/// One cycle: its first and last day and its years.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Period {
    /// First day.
    pub first: Date,
    /// Last day.
    pub last: Date,
    /// Its years, in order.
    pub years: Vec<Span>,
}

impl Period {
    /// In Chinese: first and last year, or the one year.
    pub fn zh(&self) -> String {
        self.named(" 至 ", |year| &year.zh)
    }

    /// In English.
    pub fn en(&self) -> String {
        self.named(" to ", |year| &year.en)
    }

    fn named(&self, to: &str, name: fn(&Span) -> &String) -> String {
        match (self.years.first(), self.years.last()) {
            (Some(first), Some(last)) if first != last => format!("{}{to}{}", name(first), name(last)),
            (Some(only), _) => name(only).clone(),
            _ => format!("{}{to}{}", self.first, self.last),
        }
    }
}

/// Which period is asked about, and up to when.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct When {
    /// A day in the period, for cycles that repeat.
    pub on: Option<Date>,
    /// First day of the cohort, the project or the person's own window.
    pub start: Option<Date>,
    /// Years of the project, where the rule set leaves a choice.
    pub years: Option<i32>,
    /// Cut-off: what happened or was decided later does not count.
    pub as_of: Option<Date>,
    /// The school's own calendar; without it the usual semesters of the rule set hold.
    pub calendar: Option<Calendar>,
}

/// A school's calendar.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Calendar {
    /// Semesters, with their names.
    pub semesters: Vec<Span>,
    /// Days without lessons inside them: holidays, examination weeks.
    pub off: Vec<(Date, Date)>,
}

/// The usual semesters, and what a week is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// Semesters by first and last day, with names.
    #[serde(rename = "semester", default)]
    pub semesters: Vec<Term>,
    /// Which weeks have a quota.
    pub weeks: Weeks,
}

/// A usual semester.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Term {
    /// Chinese label.
    pub zh: String,
    /// English label.
    pub en: String,
    /// First day.
    pub first: MonthDay,
    /// Last day, perhaps of the next calendar year.
    pub last: MonthDay,
}

/// Which weeks have a quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weeks {
    /// Weeks, Monday to Sunday, with a school day (Monday to Friday) in a semester that is not off.
    Teaching,
    /// All weeks that touch the period.
    Calendar,
}

/// How often a figure is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Per {
    /// In every year of the cycle.
    #[serde(alias = "school_year")]
    Year,
    /// In every semester.
    Semester,
    /// In every week.
    Week,
}

impl RuleSet {
    /// The cycle that is meant; nothing where the day that would tell it was not given.
    pub fn period(&self, person: &PersonFacts, when: &When) -> Option<Period> {
        let cycle = &self.cycle;
        let day = when.on.or(when.as_of);
        let years = when
            .years
            .unwrap_or(cycle.years.least)
            .clamp(cycle.years.least, cycle.years.greatest);
        let first = match cycle.kind {
            CycleKind::FixedWindow => {
                let first = cycle.year_start().in_year(cycle.first_year?)?;
                match day.filter(|_| cycle.repeats) {
                    Some(day) => latest_start(first, years, day)?,
                    None if cycle.repeats => return None,
                    None => first,
                }
            }
            CycleKind::Annual => cycle.year_start().before(day?)?,
            CycleKind::PersonalWindow => {
                let first = when.start.or_else(|| person.joined_on())?;
                match day {
                    Some(day) => latest_start(first, years, day)?,
                    None => first,
                }
            }
            CycleKind::Cohort | CycleKind::Project => when.start?,
        };
        let starts: Option<Vec<Date>> = (0..=years).map(|year| later(first, year)).collect();
        let starts = starts?;
        let spans: Option<Vec<Span>> = starts
            .windows(2)
            .enumerate()
            .map(|(at, pair)| match pair {
                [first, next] => Some(cycle.year_span(at, *first, next.yesterday().ok()?)),
                _ => None,
            })
            .collect();
        Some(Period {
            first,
            last: starts.last()?.yesterday().ok()?,
            years: spans?,
        })
    }

    /// The years, semesters or weeks of a period.
    pub(super) fn spans(&self, period: &Period, per: Per, when: &When) -> Vec<Span> {
        match per {
            Per::Year => period.years.clone(),
            Per::Semester => self.semesters(period, when),
            Per::Week => self.weeks(period, when),
        }
    }

    fn semesters(&self, period: &Period, when: &When) -> Vec<Span> {
        let all = match (&when.calendar, &self.calendar) {
            (Some(calendar), _) => calendar.semesters.clone(),
            (None, Some(terms)) => terms.between(period.first, period.last),
            (None, None) => Vec::new(),
        };
        let mut inside: Vec<Span> = all
            .into_iter()
            .filter(|semester| semester.touches(period.first, period.last))
            .collect();
        inside.sort_by_key(|semester| semester.first);
        inside
    }

    fn weeks(&self, period: &Period, when: &When) -> Vec<Span> {
        let teaching = self
            .calendar
            .as_ref()
            .is_none_or(|terms| terms.weeks == Weeks::Teaching);
        let semesters = self.semesters(period, when);
        let off: &[(Date, Date)] = when
            .calendar
            .as_ref()
            .map_or(&[], |calendar| calendar.off.as_slice());
        let taught = |day: Date| {
            semesters.iter().any(|semester| semester.has(day))
                && !off.iter().any(|(first, last)| *first <= day && day <= *last)
        };
        let back = period.first.weekday().since(Weekday::Monday);
        let mut weeks = Vec::new();
        let mut monday = period.first.checked_sub(i32::from(back).days()).ok();
        while let Some(day) = monday.filter(|day| *day <= period.last) {
            let school_days = (0..5).filter_map(|later| day.checked_add(later.days()).ok());
            if let Ok(sunday) = day.checked_add(6.days())
                && (!teaching || school_days.into_iter().any(taught))
            {
                weeks.push(Span::days(day, sunday));
            }
            monday = day.checked_add(7.days()).ok();
        }
        weeks
    }
}

impl Cycle {
    fn year_start(&self) -> MonthDay {
        self.start.unwrap_or(match self.year_kind {
            YearKind::SchoolYear => MonthDay::of(9, 1),
            _ => MonthDay::of(1, 1),
        })
    }

    fn year_span(&self, at: usize, first: Date, last: Date) -> Span {
        let year = first.year();
        let (zh, en) = match self.year_kind {
            YearKind::SchoolYear => (
                format!("{year}-{}学年", year + 1),
                format!("school year {year}-{}", year + 1),
            ),
            YearKind::CalendarYear => (format!("{year}年"), format!("{year}")),
            YearKind::TrainingYear => (
                format!("{year}年{}月—{}年{}月", first.month(), last.year(), last.month()),
                format!(
                    "{year}-{:02} to {}-{:02}",
                    first.month(),
                    last.year(),
                    last.month()
                ),
            ),
            YearKind::ProjectYear => (
                format!("第{}年（{first} 至 {last}）", at + 1),
                format!("year {} ({first} to {last})", at + 1),
            ),
        };
        Span { first, last, zh, en }
    }
}

impl Terms {
    /// The usual semesters that touch some days.
    fn between(&self, first: Date, last: Date) -> Vec<Span> {
        let years = i32::from(first.year()) - 1..=i32::from(last.year());
        years
            .flat_map(|year| {
                self.semesters.iter().filter_map(move |term| {
                    let begins = term.first.in_year(year)?;
                    let ends = term.last.in_year(year).filter(|day| *day > begins);
                    let ends = ends.or_else(|| term.last.in_year(year + 1))?;
                    Some(Span {
                        first: begins,
                        last: ends,
                        zh: format!("{}（{begins} 至 {ends}）", term.zh),
                        en: format!("{} ({begins} to {ends})", term.en),
                    })
                })
            })
            .collect()
    }
}

/// The start of the window of so many years that holds a day; before the first window it is the first.
fn latest_start(first: Date, years: i32, day: Date) -> Option<Date> {
    let apart = (i32::from(day.year()) - i32::from(first.year())).div_euclid(years.max(1));
    // The estimate by calendar years is at most one window too late.
    let windows = [apart, apart - 1].into_iter();
    let mut starts = windows.filter_map(|windows| later(first, windows.checked_mul(years)?));
    Some(starts.find(|start| *start <= day)?.max(first))
}

fn later(day: Date, years: i32) -> Option<Date> {
    day.checked_add(Length::new().try_years(years).ok()?).ok()
}
