//! 同一人认定: who may be entered at two schools, and what the county has said about it.

use askama::Template;
use axum::extract::Query;
use axum::response::{IntoResponse, Redirect, Response};
use node::office::{self, EnteredPerson, SamePerson};
use serde::Deserialize;

use crate::fault::Fault;
use crate::form::{self, Form};
use crate::lang::Lang;
use crate::page::{self, Chrome, html};
use crate::who::{Ctx, Post, Right};

#[derive(Template)]
#[template(path = "people.html")]
struct PeoplePage {
    l: Lang,
    c: Chrome,
    alike: Vec<[EnteredPerson; 2]>,
    acts: Vec<SamePerson>,
    act: bool,
}

#[derive(Template)]
#[template(path = "people_same.html")]
struct SamePage {
    l: Lang,
    c: Chrome,
    f: Form,
    pair: [EnteredPerson; 2],
}

/// `GET /people`
pub(crate) async fn list(ctx: Ctx) -> Result<Response, Fault> {
    ctx.county()?;
    ctx.need(Right::Read)?;
    let (alike, acts) = ctx
        .run(|n| Ok((office::maybe_same(n)?, office::same_persons(n)?)))
        .await?;
    let l = ctx.l;
    html(&PeoplePage {
        l,
        c: Chrome::new(&ctx, l.t("同一人", "Same person"), "people"),
        alike,
        acts,
        act: may(&ctx),
    })
}

fn may(ctx: &Ctx) -> bool {
    ctx.may(Right::Registry) && ctx.may(Right::Read) && ctx.app.node.is_county()
}

#[derive(Deserialize)]
pub(crate) struct Pair {
    /// Record ids of the two persons.
    #[serde(default)]
    a: String,
    #[serde(default)]
    b: String,
}

/// `GET /people/same?a=…&b=…`
pub(crate) async fn ask(ctx: Ctx, Query(Pair { a, b }): Query<Pair>) -> Result<Response, Fault> {
    let f = Form::filled([("decided_on", page::today())]);
    same_page(&ctx, &a, &b, f).await
}

async fn same_page(ctx: &Ctx, a: &str, b: &str, f: Form) -> Result<Response, Fault> {
    if !may(ctx) {
        return Err(Fault::Forbidden);
    }
    let pairs = ctx.run(office::maybe_same).await?;
    let pair = pairs
        .into_iter()
        .find(|[one, other]| one.person == a && other.person == b);
    let l = ctx.l;
    html(&SamePage {
        l,
        c: Chrome::new(
            ctx,
            l.t("认定为同一人", "Decide that they are one person"),
            "people",
        ),
        f,
        pair: pair.ok_or(Fault::NotFound)?,
    })
}

/// `POST /people/same?a=…&b=…`
pub(crate) async fn decide(
    Query(Pair { a, b }): Query<Pair>,
    Post { ctx, mut form }: Post,
) -> Result<Response, Fault> {
    if !may(&ctx) {
        return Err(Fault::Forbidden);
    }
    let on = form::date(&mut form, "decided_on");
    let (keep, note) = (form.text("keep"), form.text("note"));
    if ![&a, &b].contains(&&keep) {
        form.fail("keep", "请选择保留哪一条", "Choose which entry is kept");
    }
    if !form.ok() {
        return same_page(&ctx, &a, &b, form).await;
    }
    let (by, of) = (ctx.who.by(), [a.clone(), b.clone()]);
    let done = ctx
        .app
        .attempt(move |n| {
            let school =
                |id: &str| Ok::<_, node::Error>(n.record(id)?.and_then(|r| r.school).unwrap_or_default());
            let (kept, other) = match of[0] == keep {
                true => (&of[0], &of[1]),
                false => (&of[1], &of[0]),
            };
            let (kept_at, other_at) = (school(kept)?, school(other)?);
            office::declare_same(n, &by, (&other_at, other), (&kept_at, kept), &on, &note)
        })
        .await?;
    match done {
        Ok(id) => {
            ctx.log("same person", &id).await;
            Ok(Redirect::to("/people?done=record").into_response())
        }
        Err(node::Error::Invalid(errors)) => {
            form.fail_all(&errors);
            same_page(&ctx, &a, &b, form).await
        }
        Err(other) => Err(other.into()),
    }
}
