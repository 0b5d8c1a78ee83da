//! The way to other nodes: enrolment of this one, who was met when, what still waits, and what was
//! refused and why.

use askama::Template;
use axum::response::{IntoResponse, Redirect, Response};
use node::enrol::{self, Candidate};
use node::{EventRow, PeerRow, Standing};

use crate::fault::{Fault, said};
use crate::form::Form;
use crate::lang::Lang;
use crate::page::{self, Chrome, html};
use crate::pages::live::{self, Link};
use crate::qr::{exact, picture};
use crate::who::{Ctx, Post, Right};

/// Lines of the operator's list on the page.
const EVENTS: u32 = 100;

struct Shown {
    standing: Standing,
    request: String,
    candidate: Option<Candidate>,
    peers: Vec<PeerRow>,
    addresses: Vec<String>,
    /// Where others reach this node.
    own: Vec<String>,
    events: Vec<EventRow>,
    /// Changes that wait and actors in quarantine, for the heading of the list.
    held: u64,
    quarantined: usize,
    link: Link,
    metered: bool,
}

#[derive(Template)]
#[template(path = "sync.html")]
struct SyncPage {
    l: Lang,
    c: Chrome,
    f: Form,
    v: Shown,
    /// The request code as an SVG picture; empty when this node is enrolled.
    qr: String,
    /// Addresses of this node as pictures, with what each says.
    own: Vec<(String, String)>,
    county_name: String,
}

impl SyncPage {
    fn joined(&self) -> bool {
        !matches!(self.v.standing, Standing::NotEnrolled)
    }

    /// A typed address as it is read; of the device that is to answer there, its first letters.
    fn address(&self, typed: &str) -> String {
        match typed.split_once('#') {
            Some((place, device)) => format!("{place} · {}", device.chars().take(8).collect::<String>()),
            None => typed.to_owned(),
        }
    }

    fn road(&self, road: &node::Road) -> &'static str {
        match road {
            node::Road::Quic => "QUIC",
            node::Road::Tcp => self.l.t("TCP（UDP 不通）", "TCP (no UDP)"),
        }
    }
}

/// `GET /sync`
pub(crate) async fn show(ctx: Ctx) -> Result<Response, Fault> {
    sync_page(&ctx, Form::default()).await
}

async fn sync_page(ctx: &Ctx, f: Form) -> Result<Response, Fault> {
    ctx.need(Right::Manage)?;
    let v = ctx
        .run(|n| {
            Ok(Shown {
                standing: n.standing(),
                request: enrol::request_code(n),
                candidate: enrol::candidate(n)?,
                peers: n.peers()?,
                addresses: n.addresses()?,
                own: n.own_addresses(),
                events: n.events(EVENTS)?,
                held: n.held()?.iter().map(|h| h.count).sum(),
                quarantined: n.quarantines()?.len(),
                link: live::link(n)?,
                metered: n.metered(),
            })
        })
        .await?;
    let l = ctx.l;
    let qr = if matches!(v.standing, Standing::NotEnrolled) {
        picture(&v.request)
    } else {
        String::new()
    };
    html(&SyncPage {
        l,
        c: Chrome::new(ctx, l.t("同步", "Sync"), "sync"),
        f,
        own: v.own.iter().map(|text| (exact(text), text.clone())).collect(),
        v,
        qr,
        county_name: ctx.app.node.county_name().unwrap_or_default(),
    })
}

/// `POST /sync`: what the field `do` names.
pub(crate) async fn act(Post { ctx, mut form }: Post) -> Result<Response, Fault> {
    ctx.need(Right::Manage)?;
    let what = form.text("do");
    let (field, typed) = match what.as_str() {
        "add" | "remove" => ("address", records::text::half_width(form.get("address"))),
        "accept" => ("answer", form.text("answer")),
        "confirm" | "forget" => ("confirm", String::new()),
        "now" | "metered" | "unmetered" => ("do", String::new()),
        _ => return Err(Fault::NotFound),
    };
    if what == "confirm" && !form.has("compared") {
        form.fail(
            "confirm",
            "请先和县里逐组核对数字，再勾选",
            "Compare the digits with the county, group by group, then tick this",
        );
        return sync_page(&ctx, form).await;
    }
    let order = what.clone();
    let done = ctx
        .app
        .attempt(move |n| match order.as_str() {
            "add" => n.add_address(typed.trim()),
            "remove" => n.remove_address(typed.trim()),
            "now" => {
                n.sync_now();
                Ok(())
            }
            "metered" | "unmetered" => n.set_metered(order == "metered"),
            "accept" => enrol::accept(n, &typed).map(|_| ()),
            "confirm" => enrol::confirm(n).map(|_| ()),
            _ => enrol::forget_candidate(n),
        })
        .await?;
    match done {
        Ok(()) if what == "confirm" => {
            ctx.log("enrol", "").await;
            Ok(Redirect::to("/sync?done=enrolled").into_response())
        }
        Ok(()) => Ok(Redirect::to("/sync").into_response()),
        Err(error) => {
            let (zh, en) = said(error)?;
            form.fail(field, &zh, &en);
            sync_page(&ctx, form).await
        }
    }
}
