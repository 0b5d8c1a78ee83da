//! 情况通报: what the county tells all schools, with its cut-off; a later one names the one it replaces.

use askama::Template;
use axum::response::{IntoResponse, Redirect, Response};
use node::office::{self, Bulletin, BulletinInput, Undelivered};

use crate::fault::Fault;
use crate::form::{self, Form};
use crate::labels::{self, Choice};
use crate::lang::Lang;
use crate::page::{self, Chrome, html};
use crate::who::{Ctx, Post, Right};

#[derive(Template)]
#[template(path = "bulletins.html")]
struct BulletinsPage {
    l: Lang,
    c: Chrome,
    f: Form,
    rows: Vec<Row>,
    kinds: Vec<Choice>,
    /// Those that a new one may replace.
    issued: Vec<Choice>,
    draft: bool,
}

/// One with the schools that have no receipt for it; only the county is told.
struct Row {
    x: Bulletin,
    missing: Option<Undelivered>,
}

/// Whether bulletins that were replaced, dropped or not issued yet have anybody to reach.
fn reaches(x: &Bulletin) -> bool {
    x.state == "issued" && x.replaced_by.is_empty()
}

impl BulletinsPage {
    fn label(&self, field: &str, code: &str) -> String {
        labels::label(self.l, "bulletin", field, code)
    }
}

/// The name of a column, for the stacked table of a phone.
fn head<'h>(heads: &[&'h str; 8], at: &usize) -> &'h str {
    heads.get(*at).copied().unwrap_or_default()
}

fn state(x: &Bulletin) -> page::Badge {
    page::bulletin(&x.state, x.in_force(), !x.replaced_by.is_empty())
}

/// `GET /bulletins`
pub(crate) async fn list(ctx: Ctx) -> Result<Response, Fault> {
    let today = page::today();
    list_page(
        &ctx,
        Form::filled([("cut_on", today.clone()), ("issued_on", today)]),
    )
    .await
}

async fn list_page(ctx: &Ctx, f: Form) -> Result<Response, Fault> {
    ctx.need(Right::Read)?;
    let draft = may(ctx);
    let county = ctx.app.county();
    let rows = ctx
        .run(move |n| {
            let mut all = office::bulletins(n)?;
            // Schools read what was issued.
            all.retain(|x| county || x.state == "issued");
            let told: Vec<&str> = all
                .iter()
                .filter(|x| county && reaches(x))
                .map(|x| x.id.as_str())
                .collect();
            let mut found = office::undelivered(n, &told)?.into_iter();
            let mut rows = Vec::new();
            for x in all {
                let missing = if county && reaches(&x) { found.next() } else { None };
                rows.push(Row { x, missing });
            }
            Ok(rows)
        })
        .await?;
    let l = ctx.l;
    let standing = rows.iter().map(|row| &row.x).filter(|x| reaches(x));
    let issued = standing
        .map(|x| Choice::new(&x.id, format!("{} {}", x.no, x.topic)))
        .collect();
    html(&BulletinsPage {
        l,
        c: Chrome::new(ctx, l.t("情况通报", "Bulletins"), "bulletins"),
        f,
        rows,
        kinds: labels::choices(l, "bulletin", "bulletin_kind"),
        issued,
        draft,
    })
}

fn may(ctx: &Ctx) -> bool {
    ctx.may(Right::Registry) && ctx.may(Right::Read) && ctx.app.node.is_county()
}

/// `POST /bulletins`
pub(crate) async fn draft(Post { ctx, mut form }: Post) -> Result<Response, Fault> {
    if !may(&ctx) {
        return Err(Fault::Forbidden);
    }
    let cut_on = form::date(&mut form, "cut_on");
    let issued_on = form::date(&mut form, "issued_on");
    if !form.ok() {
        return list_page(&ctx, form).await;
    }
    let input = BulletinInput {
        no: form.text("no"),
        bulletin_kind: form.text("bulletin_kind"),
        topic: records::text::tidy(form.get("topic")),
        cut_on,
        issued_on,
        text: form.text("text"),
        replaces: [form.text("replaces"), form.text("replaces_also")],
    };
    let by = ctx.who.by();
    let done = ctx
        .app
        .attempt(move |n| office::draft_bulletin(n, &by, &input))
        .await?;
    match done {
        Ok(id) => Ok(Redirect::to(&format!("/records/bulletin/{id}?done=record")).into_response()),
        Err(node::Error::Invalid(errors)) => {
            form.fail_all(&errors);
            list_page(&ctx, form).await
        }
        Err(other) => Err(other.into()),
    }
}
