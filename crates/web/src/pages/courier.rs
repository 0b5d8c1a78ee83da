//! U盘与捎带: records that travel without a network. One button for a stick; without one, the bundle for the
//! county as a download, and a file that came by any other way as an upload.

use std::path::PathBuf;

use askama::Template;
use axum::RequestExt;
use axum::extract::{Path, Request, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use node::mail::{self, Delivered, Item};
use node::stick::{self, Drive, Wishes};
use node::{Node, NodeId, Standing, bundle};

use crate::app::App;
use crate::fault::{Fault, said};
use crate::form::{self, Form};
use crate::guard;
use crate::labels::Choice;
use crate::lang::Lang;
use crate::page::{Chrome, html};
use crate::pages::import::read_upload;
use crate::who::{Ctx, Post, Right, check_token};

/// The largest upload: a bundle as it is made unless somebody asks for larger ones, with room.
pub(crate) const MAX_BYTES: usize = 2 * bundle::MAX;

/// A bundle on its way.
struct Row {
    name: String,
    from: String,
    to: String,
    own: bool,
    parts: String,
    size: String,
}

#[derive(Template)]
#[template(path = "courier.html")]
struct CourierPage {
    l: Lang,
    c: Chrome,
    f: Form,
    drives: Vec<Drive>,
    mail: Vec<Row>,
    /// Whom the county may write to; empty elsewhere.
    devices: Vec<Choice>,
    /// What was done just now, line by line.
    done: Vec<(String, String)>,
    /// It was all done, and not only in part.
    whole: bool,
    /// What may be carried for others at most, MB, and what is carried now.
    limit: String,
    carried: String,
}

/// A carrier's limit is written in these.
const MB: u64 = 1 << 20;
/// The most that somebody may set: 20 GB, more than a county's mail of a year.
const LIMIT_MB: u64 = 20_480;

fn row(n: &Node, i: Item) -> Row {
    Row {
        from: n.device_label(&i.from),
        to: n.device_label(&i.to),
        own: i.from == n.id(),
        parts: format!("{}/{}", i.part, i.parts),
        size: size(i.bytes),
        name: i.name,
    }
}

fn size(bytes: u64) -> String {
    match bytes {
        0..MB => format!("{} KB", bytes.div_ceil(1024)),
        n => format!("{} MB", n.div_ceil(MB)),
    }
}

fn may(ctx: &Ctx) -> Result<(), Fault> {
    ctx.need(Right::Manage)?;
    match ctx.app.node.standing() {
        Standing::Member | Standing::Waiting => Ok(()),
        Standing::NotEnrolled => Err(node::Error::NotEnrolled.into()),
        Standing::Revoked => Err(node::Error::Revoked.into()),
    }
}

/// `GET /courier`
pub(crate) async fn show(ctx: Ctx) -> Result<Response, Fault> {
    may(&ctx)?;
    courier_page(&ctx, Form::default(), Vec::new(), true).await
}

async fn courier_page(
    ctx: &Ctx,
    f: Form,
    done: Vec<(String, String)>,
    whole: bool,
) -> Result<Response, Fault> {
    let (drives, mail, devices, limit, carried) = ctx
        .run(|n| {
            let mut devices: Vec<Choice> = Vec::new();
            if n.is_county() {
                for d in n.devices().into_iter().filter(|d| !d.revoked && d.node != n.id()) {
                    let code = d.node.to_string();
                    if devices.iter().all(|c| c.code != code) {
                        devices.push(Choice::new(&code, &d.label));
                    }
                }
            }
            let all = mail::list(n)?;
            let carried = mail::carried(n, &all);
            let mail = all.into_iter().map(|i| row(n, i)).collect();
            let limit = mail::limit(n)?.div_ceil(MB);
            Ok((stick::drives(), mail, devices, limit, size(carried)))
        })
        .await?;
    let l = ctx.l;
    html(&CourierPage {
        l,
        c: Chrome::new(ctx, l.t("U盘与捎带", "USB stick and courier"), "sync"),
        f,
        drives,
        mail,
        devices,
        done,
        whole,
        limit: limit.to_string(),
        carried,
    })
}

/// `POST /courier`: what the field `do` names.
pub(crate) async fn act(Post { ctx, mut form }: Post) -> Result<Response, Fault> {
    may(&ctx)?;
    match form.text("do").as_str() {
        "stick" => stick_in(&ctx, form).await,
        "make" => {
            let to = form.text("to");
            let county = !ctx.app.node.is_county();
            let done = ctx.app.attempt(move |n| {
                let to = match county {
                    true => bundle::find_device(n, "county")?,
                    false => NodeId::parse(&to).ok_or(bundle::BundleError::NoSuchDevice(to))?,
                };
                let made = mail::prepare(n, &to, bundle::MAX)?;
                Ok((n.device_label(&to), made.len()))
            });
            let line = match done.await? {
                Ok((to, 0)) => (
                    format!("没有要带给“{to}”的新内容。"),
                    format!("Nothing new for {to}."),
                ),
                Ok((to, n)) => (
                    format!("给“{to}”的数据包封好了，共 {n} 个文件，请在下面下载，用任何办法送去。"),
                    format!("Sealed for {to}: {n} files; download them below and send them as you like."),
                ),
                Err(error) => {
                    let (zh, en) = said(error)?;
                    form.fail("to", &zh, &en);
                    return courier_page(&ctx, form, Vec::new(), true).await;
                }
            };
            ctx.log("bundle", "").await;
            courier_page(&ctx, form, vec![line], true).await
        }
        "limit" => set_limit(&ctx, form).await,
        _ => Err(Fault::NotFound),
    }
}

/// How much a person lets this computer carry for others; 0: nothing.
async fn set_limit(ctx: &Ctx, mut form: Form) -> Result<Response, Fault> {
    let typed = form::whole(form.get("limit")).and_then(|n| u64::try_from(n).ok());
    let Some(mb) = typed.filter(|mb| *mb <= LIMIT_MB && !form.get("limit").is_empty()) else {
        form.fail(
            "limit",
            "请填整数，单位 MB，最多 20480；填 0 就是不替别人捎带",
            "A whole number of MB, 20480 at most; 0: nothing is carried for others",
        );
        return courier_page(ctx, form, Vec::new(), true).await;
    };
    ctx.run(move |n| mail::set_limit(n, mb * MB)).await?;
    ctx.log("courier-limit", &mb.to_string()).await;
    let line = match mb {
        0 => (
            "已改：不替别人捎带，原来捎带的都放下了。".to_owned(),
            "Changed: nothing is carried for others; what was carried has been let go.".to_owned(),
        ),
        mb => (
            format!("已改：替别人捎带的最多占 {mb} MB，多出来的先放下占得最多的那一家最早的。"),
            format!(
                "Changed: {mb} MB at most are carried for others; of what is more, the oldest of whoever takes most has been let go."
            ),
        ),
    };
    courier_page(ctx, Form::default(), vec![line], true).await
}

/// Where the stick is that a form names; else the form says what to do.
pub(crate) fn place(form: &mut Form) -> Option<PathBuf> {
    let typed = match form.text("drive").as_str() {
        "" => form.text("path"),
        drive => drive.to_owned(),
    };
    let path = PathBuf::from(typed.trim());
    if path.is_absolute() {
        return Some(path);
    }
    form.fail(
        "path",
        "请选一个U盘，或写出它的完整位置，如 E:\\ 或 /media/usb",
        "Choose a stick, or write where it is in full, such as E:\\ or /media/usb",
    );
    None
}

/// Says beside the place why nothing came of it.
pub(crate) fn not_opened(form: &mut Form, error: node::Error) -> Result<(), Fault> {
    let (zh, en) = match error {
        node::Error::File { path, .. } => {
            let at = path.display();
            (
                format!("打不开“{at}”：请看U盘是否插好，再试一次"),
                format!("{at} cannot be opened: check that the stick is in, and try again"),
            )
        }
        error => said(error)?,
    };
    form.fail("path", &zh, &en);
    Ok(())
}

async fn stick_in(ctx: &Ctx, mut form: Form) -> Result<Response, Fault> {
    let Some(path) = place(&mut form) else {
        return courier_page(ctx, form, Vec::new(), true).await;
    };
    let wishes = Wishes {
        everyone: form.has("everyone"),
        ..Wishes::default()
    };
    ctx.log("stick", &path.display().to_string()).await;
    let done = ctx
        .app
        .attempt(move |n| stick::exchange(n, &path, &wishes))
        .await?;
    match done {
        Ok(report) => {
            let whole = report.all_written() && report.failed.is_empty();
            courier_page(ctx, Form::default(), report.lines(), whole).await
        }
        Err(error) => {
            not_opened(&mut form, error)?;
            courier_page(ctx, form, Vec::new(), true).await
        }
    }
}

/// `POST /courier/upload`: a bundle that came by any way.
pub(crate) async fn upload(State(app): State<App>, mut request: Request) -> Result<Response, Fault> {
    let ctx: Ctx = request.extract_parts_with_state(&app).await?;
    may(&ctx)?;
    if !guard::same_origin(request.headers(), request.uri()) {
        return Err(Fault::Stale);
    }
    let (mut form, _, bytes) = read_upload(&app, request).await?;
    check_token(&ctx.who.csrf, form.raw("csrf"))?;
    ctx.log("bundle-upload", "").await;
    let done = ctx.app.attempt(move |n| mail::deliver(n, &bytes)).await?;
    let line = match done {
        Ok(Delivered::Taken(taken)) => taken.words(),
        Ok(Delivered::Kept) => (
            "这个包是给别的设备的，本机打不开：已收下捎带，见网或插U盘时送走。".into(),
            "This bundle is for another device and cannot be opened here: it is carried on.".into(),
        ),
        Ok(Delivered::Known) => (
            "这个包已经在本机了。".into(),
            "This bundle is here already.".into(),
        ),
        Ok(Delivered::Old) => (
            "这个包在路上超过 60 天了，本机不再捎带；封它的电脑还留着，下次会重新送。".into(),
            "This bundle has been on its way for more than 60 days and is not carried on; its maker still has it.".into(),
        ),
        Err(error) => {
            let (zh, en) = said(error)?;
            form.fail("file", &zh, &en);
            return courier_page(&ctx, form, Vec::new(), true).await;
        }
    };
    courier_page(&ctx, Form::default(), vec![line], true).await
}

/// `GET /courier/file/{name}`: a bundle on its way, sealed as it is.
pub(crate) async fn file(ctx: Ctx, Path(name): Path<String>) -> Result<Response, Fault> {
    may(&ctx)?;
    let short: String = name
        .chars()
        .take(12)
        .filter(char::is_ascii_alphanumeric)
        .collect();
    let Some(bytes) = ctx.run(move |n| mail::read(n, &name)).await? else {
        return Err(Fault::NotFound);
    };
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"yanxiu-{short}.yx\""),
        ),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((headers, bytes).into_response())
}
