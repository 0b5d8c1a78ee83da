//! Photos as evidence of a session: choosing or taking one on a phone, and showing those that are here.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use axum::RequestExt;
use axum::extract::{Path, Query, Request, State};
use axum::http::header;
use axum::response::{IntoResponse, Redirect, Response};
use node::blobs::wanted::Size;
use node::office::{self, Awaited, Photo, PhotoInput, SessionDetail};

use crate::app::App;
use crate::fault::Fault;
use crate::form::{self, Form};
use crate::guard;
use crate::labels::{self, Choice};
use crate::lang::Lang;
use crate::page::{self, Chrome, html};
use crate::pages::import::read_upload;
use crate::pages::sign_in::safe_next;
use crate::picture;
use crate::who::{Ctx, Post, Right, check_token};

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

impl EvidencePage {
    fn here(&self) -> String {
        format!("/sessions/{}/evidence", self.s.row.id)
    }
}

/// A photo with its words in the page's language.
pub(crate) struct Shown {
    pub(crate) photo: Photo,
    /// Kind, caption and date in one line.
    pub(crate) words: String,
}

impl Shown {
    /// What stands where a photo that is not here would.
    pub(crate) fn absent(&self, l: &Lang) -> String {
        let school = &self.photo.school_name;
        match l.zh() {
            true => format!("照片在{school}的电脑上，尚未传来"),
            false => format!("The photo is on a computer of {school} and has not come here yet"),
        }
    }

    /// From where the photo is expected and since when nothing was heard from there; empty once it is here.
    pub(crate) fn expected(&self, l: &Lang) -> String {
        match &self.photo.awaited {
            Some(awaited) => expected(*l, awaited),
            None => String::new(),
        }
    }
}

fn expected(l: Lang, awaited: &Awaited) -> String {
    let zh = l.zh();
    let mut parts = Vec::new();
    match awaited.devices.first() {
        None => parts.push(
            l.t(
                "那所学校没有在用的电脑（未入网或已撤销），要请学校重新上传",
                "that school has no computer in use (not enrolled, or revoked); ask it to upload the photo again",
            )
            .to_owned(),
        ),
        Some(device) => {
            let contact = page::contact(&l, &device.seen_at, &device.connected);
            parts.push(match zh {
                true => format!("等“{}”传来，最近联系：{contact}", device.label),
                false => format!("expected from “{}”, last contact: {contact}", device.label),
            });
        }
    }
    for carrier in &awaited.carriers {
        let contact = page::contact(&l, &carrier.seen_at, &carrier.connected);
        parts.push(match zh {
            true => format!("“{}”已带上一份在路上，最近联系：{contact}", carrier.label),
            false => format!(
                "“{}” is on its way with it, last contact: {contact}",
                carrier.label
            ),
        });
    }
    if awaited.begun > 0 {
        let begun = page::bytes(&awaited.begun);
        parts.push(match zh {
            true => format!("已传来 {begun}"),
            false => format!("{begun} have come"),
        });
    }
    if awaited.metered {
        parts.push(
            l.t(
                "本机用的是流量卡，只取缩略图",
                "this computer is on a metered link and fetches previews alone",
            )
            .to_owned(),
        );
    }
    parts.join(l.t("；", "; "))
}

/// How many photos are awaited from each school, and from which computer: what an auditor is told above a list.
pub(crate) fn awaited_by_school<'s>(l: Lang, photos: impl Iterator<Item = &'s Shown>) -> Vec<String> {
    let mut schools: BTreeMap<&str, (BTreeSet<&str>, &Awaited)> = BTreeMap::new();
    for shown in photos {
        if let Some(awaited) = &shown.photo.awaited {
            let school = schools
                .entry(&shown.photo.school_name)
                .or_insert((BTreeSet::new(), awaited));
            school.0.insert(&shown.photo.id);
        }
    }
    let line = |(school, (photos, awaited)): (&str, (BTreeSet<&str>, &Awaited))| {
        let (n, from) = (photos.len(), expected(l, awaited));
        match l.zh() {
            true => format!("{school}：{n} 张照片还没到；{from}"),
            false => format!("{school}: {n} photos have not come yet; {from}"),
        }
    };
    schools.into_iter().map(line).collect()
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
    let made = ctx.run(move |_| Ok(picture::sizes(&bytes))).await?;
    let files = match made {
        Ok(files) => files,
        Err(error) => {
            form.fail("file", &error.zh(), &error.to_string());
            return evidence_page(&ctx, id, form).await;
        }
    };
    let (by, session) = (ctx.who.by(), id.clone());
    let done = ctx
        .app
        .attempt(move |n| office::add_photo(n, &by, &session, &input, &files))
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

/// `?size=` of a photo.
#[derive(serde::Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    size: String,
}

/// `GET /photos/{id}`: the photo of an evidence record; the copy, or the preview while that is all there is here.
/// `?size=preview` or `?size=original` for the others.
pub(crate) async fn photo(
    ctx: Ctx,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    ctx.need(Right::Read)?;
    let sizes: &[Size] = match asked.size.as_str() {
        "preview" => &[Size::Preview, Size::Copy],
        "original" => &[Size::Original],
        _ => &[Size::Copy, Size::Preview],
    };
    let found = ctx
        .run(move |n| {
            for size in sizes {
                if let Some(bytes) = office::photo(n, &id, *size)? {
                    return Ok(Some(bytes));
                }
            }
            Ok(None)
        })
        .await?;
    let Some(bytes) = found else {
        return Err(Fault::NotFound);
    };
    // Only these two were ever taken in.
    let kind = match bytes.starts_with(b"\x89PNG") {
        true => "image/png",
        false => "image/jpeg",
    };
    let headers = [
        (header::CONTENT_TYPE, kind),
        // A preview gives way to the copy when that has come.
        (header::CACHE_CONTROL, "private, max-age=60"),
        (header::CONTENT_DISPOSITION, "inline"),
    ];
    Ok((headers, bytes).into_response())
}

/// `POST /photos/{id}/original`: asks for the original; back to where one came from.
pub(crate) async fn ask_original(
    Path(id): Path<String>,
    Post { ctx, form }: Post,
) -> Result<Response, Fault> {
    ctx.need(Right::Read)?;
    let back = form.get("back").to_owned();
    ctx.run(move |n| office::ask_original(n, &id)).await?;
    Ok(Redirect::to(safe_next(&back)).into_response())
}
