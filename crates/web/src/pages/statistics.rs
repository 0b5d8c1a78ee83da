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
    /// What is wrong with each of the two days.
    wrong: [Option<String>; 2],
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
    let ([first, last], wrong) = span(l, &asked.first, &asked.last);
    let v = match wrong.iter().any(Option::is_some) {
        true => Statistics::default(),
        false => {
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

/// First and last day as typed, those of the present school year where nothing is, and what is wrong with each.
pub(super) fn span(l: Lang, first: &str, last: &str) -> ([String; 2], [Option<String>; 2]) {
    let year = SchoolYear::of(jiff::Zoned::now().date());
    let day = |typed: &str, usual: Option<records::Date>| match typed.trim() {
        "" => (usual.map_or_else(String::new, |day| day.to_string()), None),
        _ => match parse_date(typed, None) {
            Ok(day) => (day.to_string(), None),
            Err(error) => {
                let said = if l.zh() { error.zh() } else { error.to_string() };
                (typed.to_owned(), Some(said))
            }
        },
    };
    let (first, of_first) = day(first, year.start());
    let (last, mut of_last) = day(last, year.end());
    if of_first.is_none() && of_last.is_none() && last < first {
        of_last = Some(
            l.t("结束日期早于开始日期", "This day is before the first")
                .to_owned(),
        );
    }
    ([first, last], [of_first, of_last])
}
