//! 达标看板 (F3): how far the teachers of each school, area, subject, stage, title and service band are, and what they
//! will have at the end of the cycle at their pace until now.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use node::Node;
use node::office::{self, Organisation, Pace, SchoolRow, Standing};
use records::{Date, show_hundredths};
use serde::Deserialize;

use crate::chart::Bar;
use crate::labels::{self, Choice};
use crate::lang::Lang;

/// Whose figures are asked for; empty: of all.
#[derive(Deserialize, Default, Clone, PartialEq, Eq)]
#[serde(default)]
pub(crate) struct Whose {
    /// Record id of an area or central school.
    pub(crate) area: String,
    pub(crate) stage: String,
    pub(crate) subject: String,
    pub(crate) title: String,
    /// Code of a service band.
    pub(crate) band: String,
}

/// Service bands (教龄段): code, first and last year of teaching, words.
const BANDS: [(&str, i64, i64, [&str; 2]); 4] = [
    ("0-3", 0, 3, ["3 年及以下", "up to 3 years"]),
    ("4-10", 4, 10, ["4–10 年", "4 to 10 years"]),
    ("11-20", 11, 20, ["11–20 年", "11 to 20 years"]),
    ("21", 21, i64::MAX, ["21 年及以上", "21 years and more"]),
];

/// The band of somebody who began to teach in a school year, seen from a day.
fn band(teaching_from: Option<i64>, on: Date) -> &'static str {
    let Some(from) = teaching_from else { return "" };
    let years = i64::from(records::SchoolYear::of(on).0) - from;
    let found = BANDS
        .iter()
        .find(|(_, least, most, _)| (*least..=*most).contains(&years.max(0)));
    found.map_or("", |(code, ..)| code)
}

impl Whose {
    /// Whether it asks for some of a school's people; then schools without any of them are left out.
    pub(crate) fn some(&self) -> bool {
        [&self.stage, &self.subject, &self.title, &self.band]
            .iter()
            .any(|asked| !asked.is_empty())
    }

    /// Leaves the schools of the area that was asked for.
    pub(crate) fn apply(&self, node: &Node, rows: &mut Vec<SchoolRow>) -> Result<(), node::Error> {
        if !self.area.is_empty() {
            let areas = areas(node)?;
            rows.retain(|row| areas.of(&row.id) == Some(&*self.area));
        }
        Ok(())
    }

    fn fits(&self, one: &Standing, on: Date) -> bool {
        let is = |asked: &str, has: &str| asked.is_empty() || asked == has;
        is(&self.stage, &one.stage)
            && is(&self.subject, &one.subject)
            && is(&self.title, &one.title)
            && is(&self.band, band(one.teaching_from, on))
    }
}

/// The figures of some people.
#[derive(Default, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) people: usize,
    pub(crate) complete: usize,
    pub(crate) on_track: usize,
    pub(crate) short: usize,
    total_c: i64,
    forecast_c: i64,
    by_channel_c: [i64; 3],
}

impl Progress {
    fn add(&mut self, one: &Standing, on: Date) {
        self.people += 1;
        match one.pace(on) {
            Pace::Complete => self.complete += 1,
            Pace::OnTrack => self.on_track += 1,
            Pace::Short => self.short += 1,
        }
        self.total_c += one.total_c;
        self.forecast_c += one.forecast_c(on);
        for (sum, own) in self.by_channel_c.iter_mut().zip(one.by_channel_c) {
            *sum += own;
        }
    }

    /// The same with others.
    pub(crate) fn with(mut self, other: &Progress) -> Progress {
        self.people += other.people;
        self.complete += other.complete;
        self.on_track += other.on_track;
        self.short += other.short;
        self.total_c += other.total_c;
        self.forecast_c += other.forecast_c;
        for (sum, own) in self.by_channel_c.iter_mut().zip(other.by_channel_c) {
            *sum += own;
        }
        self
    }

    fn mean(&self, sum_c: i64) -> String {
        match i64::try_from(self.people) {
            Ok(people) if people > 0 => show_hundredths(sum_c / people),
            _ => String::new(),
        }
    }

    /// Credits a person, now.
    pub(crate) fn now(&self) -> String {
        self.mean(self.total_c)
    }

    /// Credits a person at the end of the cycle.
    pub(crate) fn then(&self) -> String {
        self.mean(self.forecast_c)
    }

    /// 达标率, in per cent.
    pub(crate) fn rate(&self) -> String {
        self.share(self.complete)
    }

    fn share(&self, of: usize) -> String {
        match self.people {
            0 => String::new(),
            all => format!("{}%", of * 100 / all),
        }
    }

    /// 校本、县级、市级 as shares of the credits, in per cent.
    pub(crate) fn shares(&self) -> String {
        let all: i64 = self.by_channel_c.iter().sum();
        match all {
            0 => String::new(),
            all => self
                .by_channel_c
                .map(|own| format!("{}%", own * 100 / all))
                .join(" / "),
        }
    }
}

/// Bars of one way to divide the people.
pub(crate) struct Division {
    pub(crate) title: &'static str,
    bars: Vec<Bar>,
}

impl Division {
    pub(crate) fn bars(&self) -> &[Bar] {
        &self.bars
    }
}

/// What the page shows of people.
pub(crate) struct Board {
    /// By record id of the school.
    pub(crate) schools: HashMap<String, Progress>,
    pub(crate) divisions: Vec<Division>,
    /// Lines that are still to be computed.
    pub(crate) behind: usize,
    pub(crate) areas: Vec<Choice>,
    pub(crate) subjects: Vec<Choice>,
}

/// Which area each school belongs to.
pub(crate) struct Areas {
    organisations: HashMap<String, Organisation>,
    of: HashMap<String, String>,
}

/// The areas as the registry has them.
pub(crate) fn areas(node: &Node) -> Result<Areas, node::Error> {
    let all = office::organisations(node)?;
    let organisations: HashMap<String, Organisation> = all.into_iter().map(|o| (o.id.clone(), o)).collect();
    let of = organisations
        .values()
        .filter_map(|o| Some((o.id.clone(), area(&organisations, o)?)));
    Ok(Areas {
        of: of.collect(),
        organisations,
    })
}

impl Areas {
    /// Record id of the area of a school.
    pub(crate) fn of(&self, school: &str) -> Option<&str> {
        self.of.get(school).map(String::as_str)
    }

    /// Name of an organisation.
    pub(crate) fn name(&self, id: &str) -> String {
        self.organisations
            .get(id)
            .map_or_else(String::new, |o| o.name.clone())
    }

    fn rural(&self, id: &str) -> &str {
        self.organisations.get(id).map_or("", |o| &o.rural)
    }
}

/// The figures of these people by record id of the school, with nothing left to be computed.
pub(crate) fn by_school(node: &Node, whose: &Whose) -> Result<HashMap<String, Progress>, node::Error> {
    let on = jiff::Zoned::now().date();
    let mut schools: HashMap<String, Progress> = HashMap::new();
    for one in office::all_standings(node)?
        .iter()
        .filter(|one| whose.fits(one, on))
    {
        schools.entry(one.school.clone()).or_default().add(one, on);
    }
    Ok(schools)
}

/// The board of the schools that `wanted` names, for a day.
pub(crate) fn board(
    node: &Node,
    l: Lang,
    whose: &Whose,
    areas: &Areas,
    wanted: impl Fn(&str) -> bool,
    on: Date,
) -> Result<Board, node::Error> {
    let (standings, behind) = office::standings(node)?;
    let mut choices: Vec<Choice> = areas
        .of
        .values()
        .collect::<BTreeSet<_>>()
        .into_iter()
        .map(|id| Choice::new(id.clone(), areas.name(id)))
        .collect();
    choices.sort_by(|a, b| a.label.cmp(&b.label));
    let mut subjects: BTreeMap<&str, usize> = BTreeMap::new();
    let mut schools: HashMap<String, Progress> = HashMap::new();
    let mut by: [BTreeMap<String, Progress>; 6] = Default::default();
    for one in &standings {
        if !one.subject.is_empty() {
            *subjects.entry(&one.subject).or_default() += 1;
        }
        if !wanted(&one.school) || !whose.fits(one, on) {
            continue;
        }
        schools.entry(one.school.clone()).or_default().add(one, on);
        let rural = areas.rural(&one.school);
        let area = areas.of(&one.school).unwrap_or_default();
        let codes = [
            area,
            rural,
            &one.stage,
            &one.subject,
            &one.title,
            band(one.teaching_from, on),
        ];
        for (sums, code) in by.iter_mut().zip(codes) {
            sums.entry(code.to_owned()).or_default().add(one, on);
        }
    }
    let subjects = subjects
        .into_keys()
        .map(|subject| Choice::new(subject, subject))
        .collect();
    let titles = [
        l.t("按片", "By area"),
        l.t("按城乡", "Town and country"),
        l.t("按学段", "By stage"),
        l.t("按学科", "By subject"),
        l.t("按职称", "By title"),
        l.t("按教龄", "By years of service"),
    ];
    let label = |at: usize, code: &str| match (at, code) {
        (_, "") => l.t("未填", "Not said").to_owned(),
        (0, id) => areas.name(id),
        (1, code) => labels::label(l, "organisation", "rural", code),
        (2, code) => labels::label(l, "staff_fact", "stage", code),
        (4, code) => labels::label(l, "staff_fact", "title", code),
        (5, code) => bands(l)
            .into_iter()
            .find(|b| b.code == code)
            .map_or_else(String::new, |b| b.label),
        (_, code) => code.to_owned(),
    };
    let divisions = by
        .into_iter()
        .zip(titles)
        .enumerate()
        .map(|(at, (sums, title))| Division {
            title,
            bars: bars(l, sums.iter().map(|(code, sum)| (label(at, code), sum))),
        });
    let divisions = divisions.filter(|division| division.bars.len() > 1).collect();
    Ok(Board {
        schools,
        divisions,
        behind,
        areas: choices,
        subjects,
    })
}

/// The service bands to choose from.
pub(crate) fn bands(l: Lang) -> Vec<Choice> {
    BANDS
        .iter()
        .map(|(code, _, _, [zh, en])| Choice::new(*code, l.pick(zh, en)))
        .collect()
}

/// On track or complete, of all.
fn bars<'p>(l: Lang, rows: impl Iterator<Item = (String, &'p Progress)>) -> Vec<Bar> {
    let mut rows: Vec<(String, &Progress)> = rows.collect();
    rows.sort_by(|a, b| (b.1.people, &a.0).cmp(&(a.1.people, &b.0)));
    let most = rows.first().map_or(0, |(_, sum)| sum.people);
    let whole = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    rows.into_iter()
        .map(|(label, sum)| {
            let good = sum.complete + sum.on_track;
            let (share, mean) = (sum.share(good), sum.now());
            let words = match l.zh() {
                true => format!(
                    "达标或按进度 {good} / {} 人（{share}），人均 {mean} 学分",
                    sum.people
                ),
                false => format!("on track {good} of {} ({share}), {mean} credits each", sum.people),
            };
            Bar::new(&label, words, whole(good), Some(whole(sum.people)), whole(most))
        })
        .collect()
}

/// The area above a school, or the central school that leads it where there is no area.
fn area(all: &HashMap<String, Organisation>, school: &Organisation) -> Option<String> {
    let mut central = None;
    let mut at = school;
    // A school, a central school, an area; a circle of wrong entries ends, too.
    for _ in 0..4 {
        match at.org_kind.as_str() {
            "area" => return (at.id != school.id).then(|| at.id.clone()),
            "central_school" if central.is_none() => central = Some(at.id.clone()),
            _ => {}
        }
        match all.get(&at.parent) {
            Some(above) => at = above,
            None => break,
        }
    }
    central
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_band_is_counted_in_school_years() {
        let on = records::parse_stored_date("2026-03-01").unwrap();
        let of = |from: i64| band(Some(from), on);
        assert_eq!(
            [of(2025), of(2022), of(2021), of(2015), of(2014)],
            ["0-3", "0-3", "4-10", "4-10", "11-20"]
        );
        assert_eq!(
            [of(2005), of(2004), of(2027), band(None, on)],
            ["11-20", "21", "0-3", ""]
        );
    }
}
