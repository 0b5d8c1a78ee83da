//! The county's view of its schools (F3 县达标看板, the columns of the main path).

use askama::Template;
use axum::extract::{Path, Query};
use axum::response::Response;
use node::office::{self, SchoolRow, SessionRow, Teacher};
use serde::Deserialize;

use crate::fault::Fault;
use crate::labels::{self, Choice};
use crate::lang::Lang;
use crate::page::{self, Chrome, ago, html};
use crate::pages::sessions::PAGE;
use crate::who::{Ctx, Right};

#[derive(Template)]
#[template(path = "schools.html")]
struct SchoolsPage {
    l: Lang,
    c: Chrome,
    rows: Vec<SchoolRow>,
    rurals: Vec<Choice>,
    rural: String,
    q: String,
}

impl SchoolsPage {
    fn label(&self, field: &str, code: &str) -> String {
        labels::label(self.l, "organisation", field, code)
    }

    fn sum(&self, of: impl Fn(&SchoolRow) -> u64) -> u64 {
        self.rows.iter().map(of).sum()
    }
}

#[derive(Template)]
#[template(path = "school.html")]
struct SchoolPage {
    l: Lang,
    c: Chrome,
    s: SchoolRow,
    sessions: Vec<SessionRow>,
    teachers: Vec<Teacher>,
    audit: bool,
}

impl SchoolPage {
    fn label(&self, kind: &str, field: &str, code: &str) -> String {
        labels::label(self.l, kind, field, code)
    }
}

#[derive(Deserialize)]
pub(crate) struct Search {
    #[serde(default)]
    rural: String,
    #[serde(default)]
    q: String,
}

/// `GET /schools`
pub(crate) async fn list(ctx: Ctx, Query(Search { rural, q }): Query<Search>) -> Result<Response, Fault> {
    ctx.county()?;
    ctx.need(Right::Read)?;
    let mut rows = ctx.run(office::schools).await?;
    if !rural.is_empty() {
        rows.retain(|r| r.rural == rural);
    }
    if !q.trim().is_empty() {
        rows.retain(|r| r.name.contains(q.trim()));
    }
    let l = ctx.l;
    html(&SchoolsPage {
        l,
        c: Chrome::new(&ctx, l.t("学校", "Schools"), "schools"),
        rows,
        rurals: labels::choices(l, "organisation", "rural"),
        rural,
        q,
    })
}

/// `GET /schools/{id}`
pub(crate) async fn show(ctx: Ctx, Path(id): Path<String>) -> Result<Response, Fault> {
    ctx.county()?;
    ctx.need(Right::Read)?;
    let found = ctx
        .run(move |n| {
            let Some(school) = office::schools(n)?.into_iter().find(|s| s.id == id) else { return Ok(None) };
            Ok(Some((school, office::sessions(n, Some(&id), PAGE)?, office::roster(n, &id)?)))
        })
        .await?;
    let Some((s, sessions, teachers)) = found else { return Err(Fault::NotFound) };
    html(&SchoolPage {
        l: ctx.l,
        c: Chrome::new(&ctx, &s.name, "schools"),
        s,
        sessions,
        teachers,
        audit: ctx.may(Right::Audit),
    })
}
