//! A forgotten PIN and a clerk's handover: the sheet of codes, a leader's code for one account, and the page
//! where a code is used.

use askama::Template;
use axum::extract::Path;
use axum::response::{IntoResponse, Redirect, Response};
use node::accounts::recovery::{self, HandoverRow, Recovery, Sheet};
use node::accounts::{self, Account};

use crate::app::Desk;
use crate::fault::Fault;
use crate::form::Form;
use crate::labels;
use crate::lang::Lang;
use crate::page::{self, Chrome, html};
use crate::pages::sign_in::open_page;
use crate::who::{Ctx, OpenPost, Post, Right, Visit};

#[derive(Template)]
#[template(path = "recover.html")]
struct RecoverPage {
    l: Lang,
    c: Chrome,
    f: Form,
}

#[derive(Template)]
#[template(path = "recovery.html")]
struct RecoveryPage {
    l: Lang,
    c: Chrome,
    f: Form,
    sheet: Sheet,
    /// Accounts for which a code can be given.
    accounts: Vec<Account>,
    desk: Desk,
    handovers: Vec<HandoverRow>,
}

#[derive(Template)]
#[template(path = "recovery_codes.html")]
struct CodesPage {
    l: Lang,
    c: Chrome,
    /// The account that the one code is for; `None`: a sheet of codes.
    given: Option<String>,
    codes: Vec<String>,
    on: String,
    /// The address under which the code is typed.
    here: &'static str,
}

/// `GET /recover`
pub(crate) async fn use_form(visit: Visit) -> Result<Response, Fault> {
    use_page(&visit, Form::default())
}

fn use_page(visit: &Visit, f: Form) -> Result<Response, Fault> {
    let l = visit.l;
    open_page(
        visit,
        l.t("用恢复码设新的 PIN", "A new PIN with a recovery code"),
        |c| html(&RecoverPage { l, c, f }),
    )
}

/// `POST /recover`
pub(crate) async fn use_code(OpenPost { visit, mut form }: OpenPost) -> Result<Response, Fault> {
    let handover = form.get("act") == "handover";
    if form.raw("secret") != form.raw("again") {
        form.fail("again", "两次输入不一样", "The two entries differ");
    }
    if handover && form.get("successor").is_empty() {
        form.fail("successor", "请填接手人的姓名", "Give the name of who takes over");
    }
    if !form.ok() {
        return use_page(&visit, form);
    }
    let asked = Recovery {
        name: form.text("name"),
        code: form.text("code"),
        successor: handover.then(|| form.text("successor")),
        secret: form.raw("secret").to_owned(),
    };
    let remote = visit.remote.clone();
    let done = visit
        .app
        .attempt(move |n| recovery::recover(n, asked, &remote, page::now()))
        .await?;
    match done {
        Ok(()) => Ok(Redirect::to("/login?fresh=1").into_response()),
        Err(node::Error::Invalid(errors)) => {
            form.fail_all(&errors);
            use_page(&visit, form)
        }
        Err(other) => Err(other.into()),
    }
}

/// `GET /recovery`
pub(crate) async fn show(ctx: Ctx) -> Result<Response, Fault> {
    recovery_page(&ctx, Form::default()).await
}

async fn recovery_page(ctx: &Ctx, f: Form) -> Result<Response, Fault> {
    ctx.need(Right::Recover)?;
    let own = ctx.who.account.id.clone();
    let (sheet, accounts, handovers) = ctx
        .run(move |n| {
            let mut accounts = accounts::list(n)?;
            accounts.retain(|a| a.active && a.id != own);
            Ok((recovery::sheet(n)?, accounts, recovery::handovers(n)?))
        })
        .await?;
    let l = ctx.l;
    html(&RecoveryPage {
        l,
        c: Chrome::new(ctx, l.t("恢复码与交接", "Recovery and handover"), "recovery"),
        f,
        sheet,
        accounts,
        desk: ctx.app.desk(),
        handovers,
    })
}

/// `POST /recovery`: a new sheet, shown this once.
pub(crate) async fn new_sheet(Post { ctx, mut form }: Post) -> Result<Response, Fault> {
    ctx.need(Right::Recover)?;
    let (id, secret) = (ctx.who.account.id.clone(), form.raw("secret").to_owned());
    let made = ctx
        .app
        .attempt(move |n| recovery::new_sheet(n, &id, &secret, page::now()))
        .await?;
    match made {
        Ok(codes) => {
            ctx.log("recovery_sheet", "").await;
            codes_page(&ctx, None, codes)
        }
        Err(node::Error::Invalid(errors)) => {
            form.fail_all(&errors);
            recovery_page(&ctx, form).await
        }
        Err(other) => Err(other.into()),
    }
}

/// `POST /recovery/{account}`: a code for one account, shown this once.
pub(crate) async fn give(Path(id): Path<String>, Post { ctx, .. }: Post) -> Result<Response, Fault> {
    ctx.need(Right::Recover)?;
    let all = ctx.run(accounts::list).await?;
    let Some(account) = all.into_iter().find(|a| a.id == id && a.active) else {
        return Err(Fault::NotFound);
    };
    let by = ctx.who.account.name.clone();
    let code = ctx
        .run(move |n| recovery::give_code(n, &id, &by, page::now()))
        .await?;
    ctx.log("recovery_code", &account.name).await;
    codes_page(&ctx, Some(account.name), vec![code])
}

fn codes_page(ctx: &Ctx, given: Option<String>, codes: Vec<String>) -> Result<Response, Fault> {
    let l = ctx.l;
    let title = match given {
        Some(_) => l.t("一次性恢复码", "A code for one use"),
        None => l.t("恢复码", "Recovery codes"),
    };
    html(&CodesPage {
        l,
        c: Chrome::new(ctx, title, "recovery"),
        given,
        codes,
        on: page::moment(&page::now()),
        here: "/recover",
    })
}
