//! F8 学时学分登记表: the same table that is exported, on lying sheets.

use std::collections::HashMap;

use axum::extract::Query;
use axum::response::Response;
use node::office::{self, ClaimRow};
use records::SchoolYear;
use serde::Deserialize;

use super::paper::{Grid, Is, Row};
use super::{framed, heads, show as frame};
use crate::fault::{Fault, encode};
use crate::pages::claims::{group, named};
use crate::pages::export_lines;
use crate::sheet::table::Out;
use crate::sheet::write::claims_table;
use crate::who::{Ctx, Right};

#[derive(Deserialize)]
pub(crate) struct Wanted {
    /// At the county: whose.
    #[serde(default)]
    school: String,
    /// The filters of the list of claims.
    #[serde(default)]
    q: String,
    #[serde(default)]
    state: String,
    /// Of one session alone.
    #[serde(default)]
    session: String,
    /// The school year, by the calendar year in which it begins; the newest that has claims if none is given.
    year: Option<i32>,
}

/// `GET /print/register`
pub(crate) async fn show(ctx: Ctx, Query(wanted): Query<Wanted>) -> Result<Response, Fault> {
    ctx.need(Right::Read)?;
    let county = ctx.app.county();
    let school = if county {
        wanted.school.clone()
    } else {
        ctx.school()?
    };
    let heads = heads(&ctx, &school).await?;
    let Wanted {
        q,
        state,
        session,
        year,
        ..
    } = wanted;
    let back = match (session.is_empty(), county) {
        (false, _) => format!("/sessions/{session}"),
        (true, true) => format!("/schools/{school}"),
        (true, false) => "/claims".to_owned(),
    };
    let address = format!(
        "/print/register?school={}&state={}&q={}",
        encode(&wanted.school),
        encode(&state),
        encode(&q)
    );
    let one = !session.is_empty();
    let (lines, year, years) = ctx
        .run(move |n| {
            let teachers = office::roster(n, &school)?;
            let codes: HashMap<String, String> =
                teachers.into_iter().map(|t| (t.id, t.teacher_code)).collect();
            let all = office::all_claims(n, &school)?;
            let years = all.years();
            let year = year.or(years.first().copied()).unwrap_or_default();
            let matches = |c: &&ClaimRow| (state.is_empty() || group(c) == state) && named(c, &q);
            let mut claims: Vec<ClaimRow> = match session.is_empty() {
                true => all.of_year(year).iter().filter(matches).cloned().collect(),
                false => all.iter().filter(|c| c.session == session).cloned().collect(),
            };
            // On paper the oldest stands first.
            claims.sort_by(|a, b| {
                (&a.date, &a.session, &a.person_name).cmp(&(&b.date, &b.session, &b.person_name))
            });
            let lines = export_lines::claims(n, claims, &codes)?;
            Ok((lines, year, years))
        })
        .await?;
    let table = claims_table(&lines, &heads);
    let mut paper = framed(&ctx, "教师学时学分登记表", &heads);
    paper.wide = true;
    if !one {
        let of = SchoolYear(year).to_string();
        paper.head.push(("学年".to_owned(), of));
    }
    let columns: Vec<(&str, u32, Is)> = table
        .heads
        .iter()
        .map(|(name, wide)| {
            let amount = ["学时", "折算学分"].contains(name);
            // On paper a day stands in one line; widths in characters are small whole numbers.
            let share = match *name {
                "起止" | "审核日期" => 17,
                "登记号" => 19,
                // Three figures, and a title in four lines: else a sheet holds six claims.
                "序号" => 7,
                "项目/活动名称" => 28,
                "学时" | "折算学分" => 8,
                "主题" => 11,
                "主办单位" => 13,
                "证明材料" | "考核结果" | "专管员" | "校长" => 8,
                _ => *wide as u32,
            };
            (*name, share, if amount { Is::Number } else { Is::Words })
        })
        .collect();
    let cell = |out: &Out| match out {
        Out::Blank => String::new(),
        Out::Text(words) => words.clone(),
        Out::Int(number) => number.to_string(),
        Out::Hundredths(amount) => records::show_hundredths(*amount),
    };
    let all = table.rows.iter().chain(std::iter::once(&table.total));
    paper.grids.push(Grid {
        dense: true,
        rows: all
            .map(|row| Row {
                cells: row.iter().map(cell).collect(),
                ..Row::default()
            })
            .collect(),
        ..Grid::table(&columns)
    });
    let others = years.into_iter().filter(|other| !one && *other != year);
    let also = others.map(|other| (format!("{address}&year={other}"), SchoolYear(other).to_string()));
    frame(&ctx, paper, back, also.collect()).await
}
