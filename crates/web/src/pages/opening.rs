//! Opening balances (期初学分): the page on which a clerk enters a whole school, and the auditor's queue of them.

use askama::Template;
use axum::extract::Query;
use axum::response::{IntoResponse, Redirect, Response};
use node::office::{self, Cell, OpeningColumn, OpeningInput, OpeningRow, Teacher};
use records::SchoolYear;
use serde::Deserialize;

use crate::fault::Fault;
use crate::form::{self, Form};
use crate::labels::{self, Choice};
use crate::lang::Lang;
use crate::page::{self, Chrome, html};
use crate::who::{Ctx, Post, Right};

#[derive(Template)]
#[template(path = "opening.html")]
struct OpeningPage {
    l: Lang,
    c: Chrome,
    f: Form,
    columns: Vec<OpeningColumn>,
    years: Vec<Choice>,
    year: i32,
    teachers: Vec<Teacher>,
    rows: Vec<OpeningRow>,
    enter: bool,
    today: String,
}

/// The name of the field of a person's cell.
fn field(person: &str, cell: &Cell) -> String {
    format!("o-{person}:{}:{}:{}", cell.category, cell.sub, cell.channel)
}

impl OpeningPage {
    fn field(&self, teacher: &Teacher, column: &OpeningColumn) -> String {
        field(&teacher.id, &column.cell)
    }

    fn row(&self, teacher: &Teacher, column: &OpeningColumn) -> Option<&OpeningRow> {
        self.rows
            .iter()
            .find(|row| row.person == teacher.id && row.cell == column.cell && !row.again)
    }

    fn saved(&self, teacher: &Teacher, column: &OpeningColumn) -> String {
        let row = self.row(teacher, column);
        row.map_or_else(String::new, |row| page::amount(&row.credits_c))
    }

    /// What stands below the field.
    fn state(&self, teacher: &Teacher, column: &OpeningColumn) -> String {
        let Some(row) = self.row(teacher, column) else {
            return String::new();
        };
        let l = self.l;
        if row.disputed {
            return l.t("待核", "to be settled").to_owned();
        }
        let word = if row.stand.stale {
            l.t("改后待县核准", "changed: waits again")
        } else {
            l.pick(&row.stand.zh, &row.stand.en)
        };
        match row.stand.code.as_str() {
            "returned" => format!("{word}{}{}", l.t("：", ": "), row.returned),
            _ => word.to_owned(),
        }
    }

    /// The papers that the balances of a person come from.
    fn sources(&self, teacher: &Teacher) -> String {
        let mut sources: Vec<&str> = Vec::new();
        for row in self.rows.iter().filter(|row| row.person == teacher.id) {
            if !sources.contains(&row.source.as_str()) {
                sources.push(&row.source);
            }
        }
        sources.join(self.l.t("；", "; "))
    }

    /// Fields whose errors stand beside them.
    fn named(&self) -> String {
        let cells = self
            .teachers
            .iter()
            .flat_map(|t| self.columns.iter().map(|c| field(&t.id, &c.cell)));
        let mut named = vec!["source".to_owned(), "entered_on".to_owned()];
        named.extend(cells);
        named.join(" ")
    }
}

#[derive(Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    year: String,
}

/// `GET /opening`
pub(crate) async fn show(ctx: Ctx, Query(asked): Query<Asked>) -> Result<Response, Fault> {
    ctx.need(Right::Read)?;
    opening_page(&ctx, form::whole(&asked.year), Form::default()).await
}

async fn opening_page(ctx: &Ctx, year: Option<i64>, f: Form) -> Result<Response, Fault> {
    let school = ctx.school()?;
    let today = jiff::Zoned::now().date();
    let (columns, years, teachers, mut rows) = ctx
        .run(move |n| {
            let (columns, years) = office::opening_table(n, today);
            let mut teachers = office::roster(n, &school)?;
            teachers.retain(Teacher::in_service);
            Ok((columns, years, teachers, office::openings(n, Some(&school))?))
        })
        .await?;
    let known = |year: i64| years.iter().find(|known| i64::from(known.0) == year);
    let earlier = years.get(1).or(years.first());
    let Some(year) = year.map_or(earlier, known).map(|year| year.0) else {
        return Err(Fault::NotFound);
    };
    rows.retain(|row| row.year == year);
    let l = ctx.l;
    let label = |y: &SchoolYear| if l.zh() { y.zh() } else { y.en() };
    html(&OpeningPage {
        l,
        c: Chrome::new(ctx, l.t("期初学分", "Opening balances"), "claims"),
        f,
        columns,
        years: years
            .iter()
            .map(|y| Choice::new(y.0.to_string(), label(y)))
            .collect(),
        year,
        teachers,
        rows,
        enter: ctx.may(Right::Enter),
        today: page::today(),
    })
}

/// `POST /opening`
pub(crate) async fn save(Post { ctx, mut form }: Post) -> Result<Response, Fault> {
    ctx.need(Right::Enter)?;
    let Some(year) = form::whole(form.get("year")).and_then(|year| i32::try_from(year).ok()) else {
        return Err(Fault::NotFound);
    };
    let on = form::date(&mut form, "entered_on");
    let mut inputs = Vec::new();
    let typed: Vec<(String, String)> = form
        .with_prefix("o-")
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    for (name, value) in typed {
        let mut parts = name.split(':').map(str::to_owned);
        let mut part = || parts.next().unwrap_or_default();
        let (person, category, sub, channel) = (part(), part(), part(), part());
        let credits_c = match value.is_empty() {
            true => None,
            false => Some(form::amount(&mut form, &format!("o-{name}"))),
        };
        inputs.push(OpeningInput {
            person,
            cell: Cell {
                category,
                sub,
                channel,
            },
            credits_c,
        });
    }
    if !form.ok() {
        return opening_page(&ctx, Some(year.into()), form).await;
    }
    let (by, source, restate) = (ctx.who.by(), form.text("source"), form.has("restate"));
    let done = ctx
        .app
        .attempt(move |n| office::save_openings(n, &by, year, &source, restate, &on, &inputs))
        .await?;
    match done {
        Ok(n) => Ok(Redirect::to(&format!("/opening?year={year}&done=opening&n={n}")).into_response()),
        Err(node::Error::Invalid(errors)) => {
            form.fail_all(&errors);
            opening_page(&ctx, Some(year.into()), form).await
        }
        Err(other) => Err(other.into()),
    }
}

#[derive(Template)]
#[template(path = "opening_audit.html")]
struct AuditPage {
    l: Lang,
    c: Chrome,
    f: Form,
    rows: Vec<OpeningRow>,
    /// Those that could not be decided: whose, and why.
    left: Vec<(String, String)>,
    today: String,
}

impl AuditPage {
    fn cell(&self, row: &OpeningRow) -> String {
        let label = |field: &str, code: &str| labels::label(self.l, "opening_balance", field, code);
        let mut words = vec![
            label("channel", &row.cell.channel),
            label("category", &row.cell.category),
        ];
        if !row.cell.sub.is_empty() {
            words.push(label("sub", &row.cell.sub));
        }
        words.join(" · ")
    }

    fn year(&self, year: &i32) -> String {
        let year = SchoolYear(*year);
        if self.l.zh() { year.zh() } else { year.en() }
    }

    fn ticked(&self, row: &OpeningRow) -> bool {
        let sent = self.f.has("verdict");
        !sent || self.f.all("opening").any(|value| value.starts_with(&row.id))
    }
}

/// `GET /audit/opening`
pub(crate) async fn queue(ctx: Ctx) -> Result<Response, Fault> {
    queue_page(&ctx, Form::default(), Vec::new()).await
}

/// Balances on one page of the queue: a school of 60 teachers has some 500.
const SHOWN: usize = 600;

async fn queue_page(ctx: &Ctx, f: Form, left: Vec<(String, String)>) -> Result<Response, Fault> {
    ctx.county()?;
    ctx.need(Right::Audit)?;
    let mut rows = ctx.run(office::opening_queue).await?;
    rows.truncate(SHOWN);
    let l = ctx.l;
    html(&AuditPage {
        l,
        c: Chrome::new(ctx, l.t("核准期初学分", "Confirm opening balances"), "audit"),
        f,
        rows,
        left,
        today: page::today(),
    })
}

/// `POST /audit/opening`
pub(crate) async fn decide(Post { ctx, mut form }: Post) -> Result<Response, Fault> {
    ctx.county()?;
    ctx.need(Right::Audit)?;
    let on = form::date(&mut form, "decided_on");
    let chosen: Vec<(String, String)> = form
        .all("opening")
        .filter_map(|value| value.split_once(':'))
        .map(|(id, seen)| (id.to_owned(), seen.to_owned()))
        .collect();
    if chosen.is_empty() {
        form.fail("opening", "请先勾选", "Tick some first");
    }
    if !form.ok() {
        return queue_page(&ctx, form, Vec::new()).await;
    }
    let (by, verdict, reason) = (ctx.who.by(), form.text("verdict"), form.text("reason"));
    let done = ctx
        .app
        .attempt(move |n| office::decide_openings(n, &by, &chosen, &verdict, &reason, &on))
        .await?;
    match done {
        Ok((n, left)) => {
            ctx.log("decide", &format!("opening_balance × {n}")).await;
            if left.is_empty() {
                return Ok(Redirect::to(&format!("/audit/opening?done=decided&n={n}")).into_response());
            }
            let l = ctx.l;
            let left = left
                .iter()
                .map(|(name, e)| (name.clone(), l.pick(&e.zh, &e.en).to_owned()));
            let left = left.collect();
            queue_page(&ctx, form, left).await
        }
        Err(node::Error::Invalid(errors)) => {
            form.fail_all(&errors);
            queue_page(&ctx, form, Vec::new()).await
        }
        Err(other) => Err(other.into()),
    }
}
