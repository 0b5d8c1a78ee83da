//! 听课定额: how many lessons the leaders of a school have heard, week by week.

use askama::Template;
use axum::extract::Query;
use axum::response::Response;
use node::office::{self, Listener, Listening};
use records::Date;
use records::rules::SpanOutcome;
use serde::Deserialize;

use crate::fault::Fault;
use crate::lang::Lang;
use crate::page::{Chrome, html};
use crate::who::{Ctx, Right};

#[derive(Template)]
#[template(path = "listening.html")]
struct ListeningPage {
    l: Lang,
    c: Chrome,
    v: Listening,
    /// First and last day of the week that is shown, if it is a teaching week.
    week: Option<(Date, Date)>,
    /// First days of the teaching weeks before and after it.
    before: Option<Date>,
    after: Option<Date>,
}

impl ListeningPage {
    fn of_week<'a>(&self, listener: &'a Listener) -> Option<&'a SpanOutcome> {
        let (first, _) = self.week?;
        listener.weeks.iter().find(|week| week.span.first == first)
    }

    /// What was heard in the week and does not count yet, with what is missing.
    fn lacking(&self, listener: &Listener) -> Vec<(String, String)> {
        let Some(week) = self.of_week(listener) else {
            return Vec::new();
        };
        let l = self.l;
        let held = listener.held_back.iter().filter(|held| week.span.has(held.date));
        held.map(|held| {
            let missing: Vec<&str> = held.missing.iter().map(|[zh, en]| l.pick(zh, en)).collect();
            let text = format!(
                "{} {}{}",
                held.date,
                l.t("缺", "lacks "),
                missing.join(l.t("、", ", "))
            );
            (held.id.clone(), text)
        })
        .collect()
    }

    /// In how many of the weeks that have ended the least was reached.
    fn weeks(&self, listener: &Listener) -> String {
        let ended: Vec<&SpanOutcome> = listener.weeks.iter().filter(|week| week.ended).collect();
        let met = ended.iter().filter(|week| week.met).count();
        match self.l.zh() {
            true => format!("已过 {} 周，达到 {met} 周", ended.len()),
            false => format!("met in {met} of {} weeks so far", ended.len()),
        }
    }

    /// The badge of a week.
    fn state(&self, week: &SpanOutcome) -> (&'static str, &'static str) {
        let l = self.l;
        match week {
            _ if week.over_c > 0 => ("reduced", l.t("超出上限", "above the most")),
            _ if week.met => ("recognised", l.t("达到", "Met")),
            _ if week.to_come => ("dull", l.t("未开始", "Not begun")),
            _ if !week.ended => ("open", l.t("本周未完", "Still running")),
            _ => ("reduced", l.t("未达到", "Not met")),
        }
    }
}

#[derive(Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    week: String,
}

/// `GET /listening`
pub(crate) async fn show(ctx: Ctx, Query(asked): Query<Asked>) -> Result<Response, Fault> {
    ctx.need(Right::Read)?;
    let school = ctx.school()?;
    let today = jiff::Zoned::now().date();
    let day = match asked.week.as_str() {
        "" => today,
        typed => records::date::parse_stored_date(typed).map_err(|_| Fault::NotFound)?,
    };
    let v = ctx
        .run(move |n| office::listening(n, &school, day, today))
        .await?;
    let weeks: Vec<(Date, Date)> = match v.leaders.first() {
        Some(listener) => listener
            .weeks
            .iter()
            .map(|week| (week.span.first, week.span.last))
            .collect(),
        None => Vec::new(),
    };
    // A day between two semesters shows the last week before it.
    let at = weeks.iter().rposition(|(first, _)| *first <= day);
    let week = at.and_then(|at| weeks.get(at)).or(weeks.first()).copied();
    let place = week.and_then(|week| weeks.iter().position(|other| *other == week));
    let l = ctx.l;
    html(&ListeningPage {
        l,
        c: Chrome::new(&ctx, l.t("听课定额", "Lessons heard"), "listening"),
        week,
        before: place
            .and_then(|at| weeks.get(at.checked_sub(1)?))
            .map(|week| week.0),
        after: place.and_then(|at| weeks.get(at + 1)).map(|week| week.0),
        v,
    })
}
