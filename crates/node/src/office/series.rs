//! A series (周次计划) makes its sessions, and tells which were held; planned and held sessions by month.

use std::collections::{BTreeMap, BTreeSet};

use records::date::parse_stored_date;
use records::series::days;

use super::draft::{Draft, year_of};
use super::entries::state_of;
use super::lookup::record_of;
use super::roster::Edits;
use super::{By, invalid, no_such, own_school, turn};
use crate::{Error, Filter, Node, Record};

/// A session of a series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InSeries {
    /// Record id of the session.
    pub id: String,
    /// 活动名称.
    pub title: String,
    /// `YYYY-MM-DD`.
    pub date: String,
    /// Code of its state.
    pub state: String,
    /// Code of the step of a research cycle that it is, or empty.
    pub cycle_step: String,
}

/// What was planned and what was held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeriesPlan {
    /// Its sessions by date.
    pub sessions: Vec<InSeries>,
    /// Days on which one is planned and none is entered, `YYYY-MM-DD`.
    pub missing: Vec<String>,
    /// How many were held.
    pub held: usize,
    /// Of a 研修流程: its steps that no held session says it was, in Chinese and English.
    pub open_steps: Vec<[String; 2]>,
}

/// States of sessions that took place, or do.
pub(super) const HELD: [&str; 5] = ["held", "ended", "credited", "audited", "archived"];

/// Sessions of one month.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MonthHeld {
    /// `YYYY-MM`.
    pub month: String,
    /// Entered or planned by a series, void ones left out.
    pub planned: usize,
    /// Of these, how many were held.
    pub held: usize,
}

/// Planned and held sessions of a school by month, in the school year of its latest session, months without any
/// left out.
pub fn held_by_month(node: &Node, school: &str) -> Result<Vec<MonthHeld>, Error> {
    let mut months: BTreeMap<String, MonthHeld> = BTreeMap::new();
    let mut count = |date: &str, held: bool| {
        let Some(name) = date.get(..7) else { return };
        let month = months.entry(name.to_owned()).or_default();
        month.month = name.to_owned();
        month.planned += 1;
        month.held += usize::from(held);
    };
    let all = node.records(&Filter::kind("session").school(school))?;
    let newest = all.iter().filter_map(|session| session.year).max();
    for session in all.iter().filter(|session| session.year == newest) {
        let state = session.text("state");
        if state != "void" {
            count(session.text("date"), HELD.contains(&state));
        }
    }
    for series in node.records(&Filter::kind("series").school(school))? {
        if series.year != newest || series.disputed || series.text("state") == "void" {
            continue;
        }
        let of_series = |session: &&Record| session.text("series") == series.id;
        let there: BTreeSet<&str> = all.iter().filter(of_series).map(|s| s.text("date")).collect();
        for day in planned(&series)?
            .iter()
            .filter(|day| !there.contains(day.as_str()))
        {
            count(day, false);
        }
    }
    Ok(months.into_values().collect())
}

/// The sessions of a series beside its plan.
pub fn series_plan(node: &Node, series: &str) -> Result<SeriesPlan, Error> {
    let record = series_record(node, series)?;
    let sessions = sessions(node, &record)?;
    let there: BTreeSet<&str> = sessions.iter().map(|session| session.date.as_str()).collect();
    let planned = planned(&record)?;
    let held = |session: &&InSeries| HELD.contains(&session.state.as_str());
    let done: BTreeSet<&str> = sessions
        .iter()
        .filter(held)
        .map(|s| s.cycle_step.as_str())
        .collect();
    let kinds = node.kinds();
    let steps = kinds.latest("session").and_then(|kind| kind.field("cycle_step"));
    let open = steps
        .into_iter()
        .flat_map(|field| &field.codes)
        .filter(|code| !done.contains(code.id.as_str()));
    Ok(SeriesPlan {
        open_steps: match record.text("series_kind") {
            "research_cycle" => open.map(|code| [code.zh.clone(), code.en.clone()]).collect(),
            _ => Vec::new(),
        },
        missing: planned
            .into_iter()
            .filter(|day| !there.contains(day.as_str()))
            .collect(),
        held: sessions.iter().filter(held).count(),
        sessions,
    })
}

fn series_record(node: &Node, id: &str) -> Result<Record, Error> {
    record_of(node, "series", id)?.ok_or_else(|| no_such("series", "活动系列", "series"))
}

/// Those that are not void.
fn sessions(node: &Node, series: &Record) -> Result<Vec<InSeries>, Error> {
    let school = series.school.clone().unwrap_or_default();
    let mut found = Vec::new();
    for record in node.records(&Filter::kind("session").school(&school))? {
        if record.text("series") != series.id {
            continue;
        }
        let state = state_of(node, &record)?;
        if state != "void" {
            found.push(InSeries {
                title: record.text("title").to_owned(),
                date: record.text("date").to_owned(),
                cycle_step: record.text("cycle_step").to_owned(),
                id: record.id,
                state,
            });
        }
    }
    Ok(found)
}

fn planned(series: &Record) -> Result<Vec<String>, Error> {
    let day = |field: &str| {
        parse_stored_date(series.text(field)).map_err(|error| invalid(field, &error.zh(), &error.to_string()))
    };
    let weekday = Some(series.text("weekday")).filter(|code| !code.is_empty());
    let days = days(day("from")?, day("to")?, series.text("every"), weekday);
    Ok(days.iter().map(ToString::to_string).collect())
}

/// Enters a draft for every planned day that has no session of the series yet; how many.
pub fn enter_series(node: &Node, by: &By, series: &str) -> Result<usize, Error> {
    let _turn = turn();
    let record = series_record(node, series)?;
    let school = record.school.clone().unwrap_or_default();
    own_school(node, &school)?;
    let there = sessions(node, &record)?;
    let mut edits = Edits::default();
    let mut made = 0;
    for (at, day) in planned(&record)?.iter().enumerate() {
        if there.iter().any(|session| session.date == *day) {
            continue;
        }
        let title: String = record.text("title").chars().take(100).collect();
        let draft = Draft::new("session")
            .text("title", &format!("{title}（第{}次）", at + 1))
            .text("theme", record.text("theme"))
            .text("date", day)
            .text("place", record.text("place"))
            .text("host", &school)
            .text("form", record.text("form"))
            .text("category", record.text("category"))
            .text("sub", record.text("sub"))
            .text("group", record.text("group"))
            .text("channel", "school")
            .int("hours_c", Some(record.int("hours_c")))
            .text("lecturers", record.text("responsible"))
            .text("series", series)
            .text("state", "draft");
        let document = format!("log/{school}/{}", year_of("from", day)?);
        edits.push(&document, draft.create(node, node.new_id(), by)?);
        made += 1;
    }
    edits.commit(node)?;
    Ok(made)
}
