//! Accounts of this node, and its access log.

use askama::Template;
use axum::extract::Path;
use axum::response::{IntoResponse, Redirect, Response};
use node::accounts::{self, AccessRow, Account, NewAccount, Role};
use node::office;

use crate::app::Desk;
use crate::fault::Fault;
use crate::form::Form;
use crate::labels::{self, Choice};
use crate::lang::Lang;
use crate::page::{self, Chrome, html};
use crate::pages::access;
use crate::who::{Ctx, Post, Right};

#[derive(Template)]
#[template(path = "accounts.html")]
struct AccountsPage {
    l: Lang,
    c: Chrome,
    f: Form,
    accounts: Vec<Account>,
    own: String,
    /// Whether the reader sees records too, and so may take over any account.
    read: bool,
    /// Fields whose errors stand beside them.
    shown: String,
    roles: Vec<Choice>,
    desk: Desk,
    /// Teachers of the school, for accounts of one teacher.
    teachers: Vec<Choice>,
    log: Vec<AccessRow>,
}

impl AccountsPage {
    fn locked(&self, account: &Account) -> bool {
        account.locked_until.is_some_and(|until| until > page::now())
    }

    fn may_reset(&self, account: &Account) -> bool {
        may_reset(self.read, account)
    }

    fn act(&self, code: &str) -> String {
        access::act(self.l, code).to_owned()
    }
}

/// Taking over another's account by a reset would take over its rights as well.
fn may_reset(read: bool, account: &Account) -> bool {
    read || account.role == Role::Admin
}

/// Lines of the access log on the page; the log itself keeps at least six months.
const LINES: u32 = 100;

/// `GET /accounts`
pub(crate) async fn list(ctx: Ctx) -> Result<Response, Fault> {
    accounts_page(&ctx, Form::default()).await
}

async fn accounts_page(ctx: &Ctx, f: Form) -> Result<Response, Fault> {
    ctx.need(Right::Manage)?;
    // Names of teachers are content, which a bare administrator does not see.
    let school = ctx.app.node.home_school().filter(|_| ctx.may(Right::Read));
    let (accounts, teachers, log) = ctx
        .run(move |n| {
            let teachers = match school {
                Some(school) => office::roster(n, &school)?,
                None => Vec::new(),
            };
            Ok((accounts::list(n)?, teachers, accounts::access_log(n, LINES)?))
        })
        .await?;
    let l = ctx.l;
    html(&AccountsPage {
        l,
        c: Chrome::new(ctx, l.t("账号", "Accounts"), "accounts"),
        shown: accounts
            .iter()
            .fold("name role person secret".to_owned(), |shown, a| {
                format!("{shown} new-{}", a.id)
            }),
        f,
        accounts,
        read: ctx.may(Right::Read),
        own: ctx.who.account.id.clone(),
        roles: labels::roles(l, ctx.app.desk()),
        desk: ctx.app.desk(),
        teachers: teachers.into_iter().map(|t| Choice::new(t.id, t.name)).collect(),
        log,
    })
}

/// `POST /accounts`
pub(crate) async fn create(Post { ctx, mut form }: Post) -> Result<Response, Fault> {
    ctx.need(Right::Manage)?;
    let role = labels::roles(ctx.l, ctx.app.desk())
        .into_iter()
        .find(|r| r.code == form.get("role"));
    let role = role.and_then(|r| Role::from_code(&r.code));
    if role.is_none() {
        form.fail("role", "请选择一项", "Please choose one");
    }
    let person = Some(form.text("person")).filter(|p| !p.is_empty());
    if role == Some(Role::Teacher) && person.is_none() {
        form.fail("person", "请选择是哪位教师", "Choose the teacher");
    }
    // Whoever may manage accounts must not be able to give away rights that he does not hold: an
    // administrator, who sees no records, makes no account that does.
    let above = role.is_some_and(|r| r != Role::Admin) && !ctx.may(Right::Read);
    if above && any_with_content(&ctx).await? {
        form.fail(
            "role",
            "请看得到记录的人来建这种账号",
            "An account that sees records is made by somebody who does",
        );
    }
    let (Some(role), true) = (role, form.ok()) else {
        return accounts_page(&ctx, form).await;
    };
    let new = NewAccount {
        name: form.text("name"),
        role,
        secret: form.raw("secret").to_owned(),
        person,
    };
    let made = ctx
        .app
        .attempt(move |n| accounts::create(n, new, page::now()))
        .await?;
    after(&ctx, form, "account", made.map(|a| a.name)).await
}

/// Whether anybody here holds an account that reads records. While there is none, the administrator
/// who made the first account must be able to make one.
async fn any_with_content(ctx: &Ctx) -> Result<bool, Fault> {
    let accounts = ctx.run(accounts::list).await?;
    Ok(accounts
        .iter()
        .any(|a| a.active && matches!(a.role, Role::Clerk | Role::Auditor)))
}

/// `POST /accounts/{id}/{act}`: `reset`, `activate`, `deactivate`.
pub(crate) async fn change(
    Path((id, what)): Path<(String, String)>,
    Post { ctx, form }: Post,
) -> Result<Response, Fault> {
    ctx.need(Right::Manage)?;
    let account = ctx
        .run(accounts::list)
        .await?
        .into_iter()
        .find(|a| a.id == id)
        .ok_or(Fault::NotFound)?;
    let own = account.id == ctx.who.account.id;
    let secret = form.raw("new").to_owned();
    let (code, done) = match what.as_str() {
        "reset" if !own && may_reset(ctx.may(Right::Read), &account) => (
            "reset",
            ctx.app
                .attempt(move |n| {
                    // The page has this field once for every account.
                    accounts::reset_secret(n, &id, &secret).map_err(|e| of_field(e, &format!("new-{id}")))
                })
                .await?,
        ),
        "activate" => (
            "activate",
            ctx.app
                .attempt(move |n| accounts::set_active(n, &id, true))
                .await?,
        ),
        // Nobody locks himself out.
        "deactivate" if !own => (
            "deactivate",
            ctx.app
                .attempt(move |n| accounts::set_active(n, &id, false))
                .await?,
        ),
        "reset" | "deactivate" => return Err(Fault::Forbidden),
        _ => return Err(Fault::NotFound),
    };
    after(&ctx, form, code, done.map(|()| account.name)).await
}

/// The same errors, said of the field of this name.
fn of_field(error: node::Error, field: &str) -> node::Error {
    match error {
        node::Error::Invalid(mut errors) => {
            for e in &mut errors {
                e.field = field.into();
            }
            node::Error::Invalid(errors)
        }
        other => other,
    }
}

async fn after(
    ctx: &Ctx,
    mut form: Form,
    act: &'static str,
    done: Result<String, node::Error>,
) -> Result<Response, Fault> {
    match done {
        Ok(name) => {
            ctx.log(act, &name).await;
            Ok(Redirect::to("/accounts?done=account").into_response())
        }
        Err(node::Error::Invalid(errors)) => {
            form.fail_all(&errors);
            accounts_page(ctx, form).await
        }
        Err(other) => Err(other.into()),
    }
}
