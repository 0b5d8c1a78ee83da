//! Photos as evidence of a session: choosing or taking one on a phone, and showing those that are here.

use askama::Template;
use axum::RequestExt;
use axum::extract::{Path, Request, State};
use axum::http::header;
use axum::response::{IntoResponse, Redirect, Response};
use node::office::{self, Photo, PhotoInput, SessionDetail};

use crate::app::App;
use crate::fault::Fault;
use crate::form::{self, Form};
use crate::guard;
use crate::labels::{self, Choice};
use crate::lang::Lang;
use crate::page::{Chrome, html};
use crate::pages::import::read_upload;
use crate::picture;
use crate::who::{Ctx, Right, check_token};

#[derive(Template)]
#[template(path = "evidence.html")]
struct EvidencePage {
    l: Lang,
    c: Chrome,
    f: Form,
    s: SessionDetail,
    photos: Vec<Shown>,
    kinds: Vec<Choice>,
    enter: bool,
}

/// A photo with its words in the page's language.
pub(crate) struct Shown {
    pub(crate) photo: Photo,
    /// Kind, caption and date in one line.
    pub(crate) words: String,
}

/// Photos for a page.
pub(crate) fn shown(l: Lang, photos: Vec<Photo>) -> Vec<Shown> {
    let words = |photo: &Photo| {
        let kind = labels::label(l, "evidence", "evidence_kind", &photo.kind);
        let parts = [
            kind.as_str(),
            photo.person_name.as_str(),
            photo.caption.as_str(),
            photo.date.as_str(),
        ];
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        parts.join(" · ")
    };
    let shown = photos.into_iter().map(|photo| Shown {
        words: words(&photo),
        photo,
    });
    shown.collect()
}

/// What a phone can make no picture of: files, which have no page yet.
const FILES: [&str; 2] = ["slides", "video"];

/// `GET /sessions/{id}/evidence`
pub(crate) async fn show(ctx: Ctx, Path(id): Path<String>) -> Result<Response, Fault> {
    ctx.need(Right::Read)?;
    evidence_page(&ctx, id, Form::default()).await
}

async fn evidence_page(ctx: &Ctx, id: String, f: Form) -> Result<Response, Fault> {
    let found = ctx.run(move |n| {
        let Some(detail) = office::session(n, &id)? else {
            return Ok(None);
        };
        let about = (detail.row.school.clone(), id.clone());
        let photos = office::photos(n, &[&id])?.remove(&about).unwrap_or_default();
        Ok(Some((detail, photos)))
    });
    let Some((s, photos)) = found.await? else {
        return Err(Fault::NotFound);
    };
    let home = ctx.app.node.home_school();
    let own = home.is_some_and(|school| school == s.row.school);
    let l = ctx.l;
    let mut kinds = labels::choices(l, "evidence", "evidence_kind");
    kinds.retain(|kind| !FILES.contains(&kind.code.as_str()));
    html(&EvidencePage {
        l,
        c: Chrome::new(ctx, l.t("佐证照片", "Photos as evidence"), "sessions"),
        f,
        enter: own && ctx.may(Right::Enter) && s.row.state != "void",
        s,
        photos: shown(l, photos),
        kinds,
    })
}

/// `POST /sessions/{id}/evidence`
pub(crate) async fn add(
    State(app): State<App>,
    Path(id): Path<String>,
    mut request: Request,
) -> Result<Response, Fault> {
    let ctx: Ctx = request.extract_parts_with_state(&app).await?;
    ctx.need(Right::Enter)?;
    if !guard::same_origin(request.headers(), request.uri()) {
        return Err(Fault::Stale);
    }
    let (mut form, _, bytes) = read_upload(&app, request).await?;
    check_token(&ctx.who.csrf, form.raw("csrf"))?;
    let input = PhotoInput {
        kind: form.text("evidence_kind"),
        person: form.text("person"),
        caption: form.text("caption"),
        date: match form.get("date") {
            "" => String::new(),
            _ => form::date(&mut form, "date"),
        },
    };
    if bytes.is_empty() {
        form.fail("file", "请选择或拍一张照片", "Choose or take a photo");
    }
    form.fail_all(&office::check_photo(&id, &input));
    if !form.ok() {
        return evidence_page(&ctx, id, form).await;
    }
    let made = ctx.run(move |_| Ok(picture::small(&bytes))).await?;
    let jpeg = match made {
        Ok(jpeg) => jpeg,
        Err(error) => {
            form.fail("file", &error.zh(), &error.to_string());
            return evidence_page(&ctx, id, form).await;
        }
    };
    let (by, session) = (ctx.who.by(), id.clone());
    let done = ctx
        .app
        .attempt(move |n| office::add_photo(n, &by, &session, &input, &jpeg))
        .await?;
    match done {
        Ok(()) => Ok(Redirect::to(&format!("/sessions/{id}/evidence?done=saved")).into_response()),
        Err(node::Error::Invalid(errors)) => {
            form.fail_all(&errors);
            evidence_page(&ctx, id, form).await
        }
        Err(other) => Err(other.into()),
    }
}

/// `GET /photos/{id}`: the photo of an evidence record.
pub(crate) async fn photo(ctx: Ctx, Path(id): Path<String>) -> Result<Response, Fault> {
    ctx.need(Right::Read)?;
    let Some(jpeg) = ctx.run(move |n| office::photo(n, &id)).await? else {
        return Err(Fault::NotFound);
    };
    let headers = [
        (header::CONTENT_TYPE, "image/jpeg"),
        (header::CACHE_CONTROL, "private, max-age=3600"),
        (header::CONTENT_DISPOSITION, "inline"),
    ];
    Ok((headers, jpeg).into_response())
}
