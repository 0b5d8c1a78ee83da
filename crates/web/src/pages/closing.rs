//! 学年结账: the county closes school years; each school reads its own closing and what came late.

use askama::Template;
use axum::extract::Path;
use axum::response::{IntoResponse, Redirect, Response};
use node::office::{self, Closing, LateRecord, Statement};

use crate::fault::Fault;
use crate::form::{self, Form};
use crate::labels::Choice;
use crate::lang::Lang;
use crate::page::{self, Chrome, html};
use crate::who::{Ctx, Post, Right};

#[derive(Template)]
#[template(path = "closing.html")]
struct ClosingPage {
    l: Lang,
    c: Chrome,
    f: Form,
    rows: Vec<Closing>,
    schools: Vec<Choice>,
    close: bool,
}

#[derive(Template)]
#[template(path = "closing_one.html")]
struct OnePage {
    l: Lang,
    c: Chrome,
    x: Closing,
    lines: Vec<Statement>,
    late: Vec<LateRecord>,
}

impl OnePage {
    fn now(&self, line: &Statement) -> String {
        page::amount(&(line.hours_c + line.corrected_c.0))
    }
}

/// What a closed or reopened year is called.
fn state(x: &Closing) -> page::Badge {
    page::closing(x.reopened.is_some(), x.differ)
}

/// `GET /closing`
pub(crate) async fn list(ctx: Ctx) -> Result<Response, Fault> {
    let f = Form::filled([("closed_on", page::today())]);
    list_page(&ctx, f).await
}

async fn list_page(ctx: &Ctx, f: Form) -> Result<Response, Fault> {
    ctx.need(Right::Read)?;
    let (rows, schools) = ctx
        .run(|n| Ok((office::closings(n)?, office::organisations(n)?)))
        .await?;
    let l = ctx.l;
    html(&ClosingPage {
        l,
        c: Chrome::new(ctx, l.t("学年结账", "Closing of school years"), "closing"),
        f,
        rows,
        schools: schools.into_iter().map(|s| Choice::new(s.id, s.name)).collect(),
        close: ctx.may(Right::Audit),
    })
}

/// `POST /closing`
pub(crate) async fn close(Post { ctx, mut form }: Post) -> Result<Response, Fault> {
    ctx.need(Right::Audit)?;
    let on = form::date(&mut form, "closed_on");
    let school = form.text("school");
    if school.is_empty() {
        form.fail("school", "请选择学校", "Choose a school");
    }
    let year = records::text::half_width(&form.text("year")).parse::<i32>();
    let year = match year {
        Ok(year) if (1990..=2100).contains(&year) => year,
        _ => {
            form.fail(
                "year",
                "请填学年的起始年份，如 2025（2025 年 9 月至 2026 年 8 月）",
                "Enter the year in which it begins, such as 2025 (September 2025 to August 2026)",
            );
            0
        }
    };
    if !form.ok() {
        return list_page(&ctx, form).await;
    }
    let by = ctx.who.by();
    let done = ctx
        .app
        .attempt(move |n| office::close_year(n, &by, &school, year, &on))
        .await?;
    match done {
        Ok(id) => {
            ctx.log("close year", &id).await;
            Ok(Redirect::to(&format!("/closing/{id}?done=record")).into_response())
        }
        Err(node::Error::Invalid(errors)) => {
            form.fail_all(&errors);
            list_page(&ctx, form).await
        }
        Err(other) => Err(other.into()),
    }
}

/// `GET /closing/{id}`
pub(crate) async fn show(ctx: Ctx, Path(id): Path<String>) -> Result<Response, Fault> {
    ctx.need(Right::Read)?;
    let found = ctx
        .run(move |n| {
            let Some(x) = office::closings(n)?.into_iter().find(|x| x.id == id) else {
                return Ok(None);
            };
            let year = i32::try_from(x.year).unwrap_or_default();
            let late = match x.reopened {
                Some(_) => Vec::new(),
                None => office::late_records(n, &x.school, year)?,
            };
            Ok(Some((office::statements(n, &x.id)?, late, x)))
        })
        .await?;
    let (lines, late, x) = found.ok_or(Fault::NotFound)?;
    let title = format!("{} {}-{}", x.school_name, x.year, x.year + 1);
    html(&OnePage {
        l: ctx.l,
        c: Chrome::new(&ctx, &title, "closing"),
        x,
        lines,
        late,
    })
}
