//! 县里转来的校外学时: what another system of the county has told, to be registered (登分) by the school's officer.

use askama::Template;
use axum::response::{IntoResponse, Redirect, Response};
use node::office::{self, ToldRow};

use crate::fault::Fault;
use crate::form::{self, Form};
use crate::labels;
use crate::lang::Lang;
use crate::page::{self, Chrome, html};
use crate::who::{Ctx, Post, Right};

#[derive(Template)]
#[template(path = "told.html")]
struct ToldPage {
    l: Lang,
    c: Chrome,
    f: Form,
    rows: Vec<ToldRow>,
}

impl ToldPage {
    fn label(&self, field: &str, code: &str) -> String {
        labels::label(self.l, "session", field, code)
    }
}

/// `GET /import/told`
pub(crate) async fn show(ctx: Ctx) -> Result<Response, Fault> {
    told_page(&ctx, Form::filled([("on", page::today())])).await
}

async fn told_page(ctx: &Ctx, f: Form) -> Result<Response, Fault> {
    ctx.need(Right::Enter)?;
    ctx.school()?;
    let l = ctx.l;
    html(&ToldPage {
        l,
        c: Chrome::new(
            ctx,
            l.t("县里转来的校外学时", "Class-hours from the county"),
            "import",
        ),
        f,
        rows: ctx.run(office::told_outside).await?,
    })
}

/// `POST /import/told`
pub(crate) async fn register(Post { ctx, mut form }: Post) -> Result<Response, Fault> {
    ctx.need(Right::Enter)?;
    ctx.school()?;
    let on = form::date(&mut form, "on");
    let ids: Vec<String> = form.all("told").map(str::to_owned).collect();
    if ids.is_empty() {
        form.fail("told", "请至少选一条", "Choose one at least");
    }
    if !form.ok() {
        return told_page(&ctx, form).await;
    }
    let by = ctx.who.by();
    match ctx
        .app
        .attempt(move |n| office::register_told(n, &by, &ids, &on))
        .await?
    {
        Ok(n) => {
            ctx.log("import", &format!("told {n}")).await;
            Ok(Redirect::to(&format!("/import/told?done=claims&n={n}")).into_response())
        }
        Err(node::Error::Invalid(errors)) => {
            form.fail_all(&errors);
            told_page(&ctx, form).await
        }
        Err(other) => Err(other.into()),
    }
}
