//! The county puts forms and rules into force: paste the file, see what it is, publish.

use askama::Template;
use axum::extract::Path;
use axum::response::{IntoResponse, Redirect, Response};
use node::Unusable;
use node::office::{self, Checked, Publication};

use crate::fault::Fault;
use crate::form::{self, Form};
use crate::lang::Lang;
use crate::page::{self, Chrome, html};
use crate::who::{Ctx, Post, Right};

#[derive(Template)]
#[template(path = "publishing.html")]
struct PublishingPage {
    l: Lang,
    c: Chrome,
    f: Form,
    rows: Vec<Publication>,
    /// The file that was checked and waits for its publication.
    checked: Option<Checked>,
    /// Forms and rules of the program whose text may be taken as a beginning.
    samples: Vec<(String, String)>,
}

impl PublishingPage {
    fn why(&self, row: &Publication) -> String {
        match &row.unusable {
            None => String::new(),
            Some(Unusable::Contradicted) => self
                .l
                .t(
                    "另有一份同名同版本、内容不同的文件，两份都不生效：请撤回其中一份",
                    "another file of this name and version says something else; neither is in force: withdraw one",
                )
                .to_owned(),
            Some(Unusable::Disputed) => self
                .l
                .t("两台设备的说法不同（待核）", "two devices say different things")
                .to_owned(),
            Some(Unusable::Unread(zh, en)) => self.l.pick(zh, en).to_owned(),
        }
    }
}

/// `GET /publishing`
pub(crate) async fn show(ctx: Ctx) -> Result<Response, Fault> {
    publishing_page(&ctx, Form::filled([("published_on", page::today())]), None).await
}

/// `GET /publishing/{id}`: a published file, or one of the program's, in the text field as a beginning.
pub(crate) async fn begin(ctx: Ctx, Path(name): Path<String>) -> Result<Response, Fault> {
    ctx.need(Right::Registry)?;
    let wanted = name.replace("--", "/");
    let rows = ctx.run(office::publications).await?;
    let published = rows
        .into_iter()
        .find(|row| row.name == wanted)
        .map(|row| row.text);
    let text = published
        .or_else(|| records::kinds::builtin_text(&wanted).map(str::to_owned))
        .ok_or(Fault::NotFound)?;
    let values = [("published_on", page::today()), ("text", text)];
    publishing_page(&ctx, Form::filled(values), None).await
}

async fn publishing_page(ctx: &Ctx, f: Form, checked: Option<Checked>) -> Result<Response, Fault> {
    ctx.need(Right::Registry)?;
    if !ctx.app.node.is_county() {
        return Err(Fault::Forbidden);
    }
    let rows = ctx.run(office::publications).await?;
    let kinds = ctx.app.node.kinds();
    let samples = kinds
        .newest()
        .filter(|kind| records::kinds::builtin_text(&kind.reference()).is_some())
        .map(|kind| {
            (
                kind.reference().replace('/', "--"),
                format!("{} {}", kind.label(ctx.l.into()), kind.reference()),
            )
        })
        .collect();
    let l = ctx.l;
    html(&PublishingPage {
        l,
        c: Chrome::new(ctx, l.t("表单与规则", "Forms and rules"), "publishing"),
        f,
        rows,
        checked,
        samples,
    })
}

/// `POST /publishing`: checks, and with `sure` publishes.
pub(crate) async fn publish(Post { ctx, mut form }: Post) -> Result<Response, Fault> {
    ctx.need(Right::Registry)?;
    let text = form.raw("text").to_owned();
    let date = form::date(&mut form, "published_on");
    let sent = text.clone();
    let checked = ctx
        .app
        .attempt(move |n| office::check_publication(n, &sent))
        .await?;
    let checked = match checked {
        Ok(checked) => Some(checked),
        Err(node::Error::Invalid(errors)) => {
            form.fail_all(&errors);
            None
        }
        Err(other) => return Err(other.into()),
    };
    if !form.ok() || !form.has("sure") {
        return publishing_page(&ctx, form, checked).await;
    }
    let (by, note) = (ctx.who.by(), form.text("note"));
    let done = ctx
        .app
        .attempt(move |n| office::publish(n, &by, &text, &date, &note))
        .await?;
    match done {
        Ok(id) => {
            ctx.log("publish", &id).await;
            Ok(Redirect::to("/publishing?done=published").into_response())
        }
        Err(node::Error::Invalid(errors)) => {
            form.fail_all(&errors);
            publishing_page(&ctx, form, checked).await
        }
        Err(other) => Err(other.into()),
    }
}
