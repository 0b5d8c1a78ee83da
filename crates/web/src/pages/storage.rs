//! 存储空间: what photos take up on this computer, and removing what may go.

use askama::Template;
use axum::response::{IntoResponse, Redirect, Response};
use node::blobs::storage::{self, Amount, Gauge};

use crate::fault::Fault;
use crate::form::Form;
use crate::lang::Lang;
use crate::page::{self, Chrome, html};
use crate::who::{Ctx, Post, Right};

/// Photos of the last so many months stay, unless somebody says otherwise.
const MONTHS: i32 = 12;

#[derive(Template)]
#[template(path = "storage.html")]
struct StoragePage {
    l: Lang,
    c: Chrome,
    f: Form,
    gauge: Gauge,
    months: String,
}

impl StoragePage {
    fn amount(&self, amount: &Amount) -> String {
        let megabytes = amount.bytes.div_ceil(1024 * 1024);
        match self.l.zh() {
            true => format!("{} 个 · {megabytes} MB", amount.files),
            false => format!("{} · {megabytes} MB", amount.files),
        }
    }
}

/// The first day of which photos stay.
fn before(months: i32) -> String {
    page::months_ago(months.clamp(1, 240))
}

/// `GET /storage`
pub(crate) async fn show(ctx: Ctx) -> Result<Response, Fault> {
    storage_page(&ctx, Form::default()).await
}

async fn storage_page(ctx: &Ctx, f: Form) -> Result<Response, Fault> {
    ctx.need(Right::Manage)?;
    let months: i32 = f.get("months").parse().unwrap_or(MONTHS);
    let gauge = ctx.run(move |n| storage::gauge(n, &before(months))).await?;
    let l = ctx.l;
    html(&StoragePage {
        l,
        c: Chrome::new(ctx, l.t("存储空间", "Storage"), "sync"),
        f,
        gauge,
        months: months.to_string(),
    })
}

/// `POST /storage`: counts, removes what the county has a receipt for, or, by an act that is logged, originals that may
/// be nowhere else.
pub(crate) async fn tidy(Post { ctx, mut form }: Post) -> Result<Response, Fault> {
    ctx.need(Right::Manage)?;
    let Some(months) = form
        .get("months")
        .parse::<i32>()
        .ok()
        .filter(|m| (1..=240).contains(m))
    else {
        form.fail("months", "请填 1 到 240 个月", "A number of months from 1 to 240");
        return storage_page(&ctx, form).await;
    };
    match form.get("do") {
        "tidy" => ctx.run(move |n| storage::tidy(n, &before(months))).await?,
        "let_go" if form.has("sure") => {
            let gone = ctx.run(move |n| storage::let_go(n, &before(months))).await?;
            ctx.log("originals-removed", &gone.files.to_string()).await;
            gone
        }
        "let_go" => {
            form.fail(
                "sure",
                "请先勾选，表示知道这些原图删了找不回来",
                "Tick the box first: these originals cannot be had again",
            );
            return storage_page(&ctx, form).await;
        }
        _ => return storage_page(&ctx, form).await,
    };
    Ok(Redirect::to("/storage?done=tidied").into_response())
}
