//! 统计: what a school held between two days, by form, method, group and course.

use askama::Template;
use axum::extract::Query;
use axum::response::Response;
use node::office::{self, Counted, Statistics};
use records::SchoolYear;
use records::date::parse_date;
use serde::Deserialize;

use crate::fault::Fault;
use crate::lang::Lang;
use crate::page::{self, Chrome, html};
use crate::who::{Ctx, Right};

#[derive(Template)]
#[template(path = "statistics.html")]
struct StatisticsPage {
    l: Lang,
    c: Chrome,
    v: Statistics,
    first: String,
    last: String,
    /// What of the two days could not be read.
    wrong: Option<String>,
    /// At the county: whose.
    school: String,
    printed: String,
}

impl StatisticsPage {
    /// The tables that have lines.
    fn tables(&self) -> Vec<(&'static str, &[Counted])> {
        let l = self.l;
        let all = [
            (l.t("按研修形式", "By form"), &self.v.by_form),
            (l.t("按学习方法", "By method"), &self.v.by_method),
            (l.t("按教研组", "By group"), &self.v.by_group),
            (l.t("按课程类", "By family of courses"), &self.v.by_family),
            (l.t("按板块", "By block"), &self.v.by_block),
        ];
        let some = all.into_iter().filter(|(_, rows)| !rows.is_empty());
        some.map(|(title, rows)| (title, rows.as_slice())).collect()
    }

    /// The share of a line in the class-hours of all who took part, in per cent.
    fn share(&self, row: &Counted) -> String {
        match self.v.all.person_hours_c {
            0 => String::new(),
            all => format!("{}%", row.person_hours_c * 100 / all),
        }
    }
}

#[derive(Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    first: String,
    #[serde(default)]
    last: String,
    #[serde(default)]
    school: String,
}

/// `GET /statistics`
pub(crate) async fn show(ctx: Ctx, Query(asked): Query<Asked>) -> Result<Response, Fault> {
    ctx.need(Right::Read)?;
    let school = match ctx.app.county() {
        true => asked.school,
        false => ctx.school()?,
    };
    let l = ctx.l;
    let year = SchoolYear::of(jiff::Zoned::now().date());
    let mut wrong = None;
    let mut day = |typed: &str, usual: Option<records::Date>| {
        if typed.trim().is_empty() {
            return usual.map_or_else(String::new, |day| day.to_string());
        }
        match parse_date(typed, None) {
            Ok(day) => day.to_string(),
            Err(error) => {
                wrong.get_or_insert(match l.zh() {
                    true => error.zh(),
                    false => error.to_string(),
                });
                typed.to_owned()
            }
        }
    };
    let (first, last) = (day(&asked.first, year.start()), day(&asked.last, year.end()));
    let v = match &wrong {
        Some(_) => Statistics::default(),
        None => {
            let (school, first, last) = (school.clone(), first.clone(), last.clone());
            ctx.run(move |n| office::statistics(n, &school, &first, &last))
                .await?
        }
    };
    html(&StatisticsPage {
        l,
        c: Chrome::new(&ctx, l.t("活动统计", "Statistics"), "sessions"),
        v,
        first,
        last,
        wrong,
        school,
        printed: page::today(),
    })
}
