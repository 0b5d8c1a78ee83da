//! 项目进展 at the county: workshops and trainer team, delivery, and who took part in trainings outside the schools.

use askama::Template;
use axum::extract::Query;
use axum::response::Response;
use node::office::{self, Projects};
use serde::Deserialize;

use crate::fault::Fault;
use crate::labels;
use crate::lang::Lang;
use crate::page::{self, Chrome, html};
use crate::pages::statistics::span;
use crate::who::{Ctx, Right};

#[derive(Template)]
#[template(path = "projects.html")]
struct ProjectsPage {
    l: Lang,
    c: Chrome,
    v: Projects,
    first: String,
    last: String,
    /// What is wrong with each of the two days.
    wrong: [Option<String>; 2],
}

impl ProjectsPage {
    fn kind(&self, code: &str) -> String {
        labels::label(self.l, "training_group", "group_kind", code)
    }

    fn stage(&self, code: &str) -> String {
        labels::label(self.l, "training_group", "stage", code)
    }
}

#[derive(Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    first: String,
    #[serde(default)]
    last: String,
}

/// `GET /projects`
pub(crate) async fn show(ctx: Ctx, Query(asked): Query<Asked>) -> Result<Response, Fault> {
    ctx.county()?;
    ctx.need(Right::Read)?;
    let l = ctx.l;
    let ([first, last], wrong) = span(l, &asked.first, &asked.last);
    let v = match wrong.iter().any(Option::is_some) {
        true => Projects::default(),
        false => {
            let (first, last) = (first.clone(), last.clone());
            ctx.run(move |n| office::projects(n, &first, &last)).await?
        }
    };
    html(&ProjectsPage {
        l,
        c: Chrome::new(&ctx, l.t("项目进展", "Projects"), "schools"),
        v,
        first,
        last,
        wrong,
    })
}
