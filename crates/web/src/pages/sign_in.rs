//! Signing in and out, the first account, the own password, the language switch.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Redirect, Response};
use node::accounts::{self, Login, NewAccount, Role};
use serde::Deserialize;

use crate::app::{App, Desk};
use crate::fault::Fault;
use crate::form::Form;
use crate::guard::LANGUAGE_COOKIE;
use crate::labels::{self, Choice};
use crate::lang::Lang;
use crate::page::{self, Chrome, html};
use crate::who::{Ctx, OpenPost, Post, Visit};

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    l: Lang,
    c: Chrome,
    f: Form,
    /// No account exists yet.
    none: bool,
    /// The first account was just made.
    fresh: bool,
}

impl LoginPage {
    /// The cursor stands in the name; after a wrong PIN it stands in that.
    fn name_attributes(&self) -> &'static str {
        if self.f.ok() {
            "autocomplete=\"username\" required autofocus"
        } else {
            "autocomplete=\"username\" required"
        }
    }
}

#[derive(Template)]
#[template(path = "setup.html")]
struct SetupPage {
    l: Lang,
    c: Chrome,
    f: Form,
    open: bool,
    /// Whether there is no account yet.
    none: bool,
    roles: Vec<Choice>,
    /// The role that is chosen at first.
    first: String,
}

#[derive(Template)]
#[template(path = "password.html")]
struct PasswordPage {
    l: Lang,
    c: Chrome,
    f: Form,
    /// Name, label and browser hint of each field.
    fields: [[&'static str; 3]; 3],
}

/// A page with a form that is shown before signing in: sets the form cookie if there is none.
pub(crate) fn open_page(
    visit: &Visit,
    title: &str,
    fill: impl FnOnce(Chrome) -> Result<Response, Fault>,
) -> Result<Response, Fault> {
    let (token, fresh) = match visit.form_token.as_deref().filter(|t| t.len() == 32) {
        Some(token) => (token.to_owned(), false),
        None => (page::random_token()?, true),
    };
    let chrome = Chrome {
        csrf: token.clone(),
        path: visit.path.clone(),
        ..Chrome::bare(&visit.app, visit.l, title)
    };
    let mut response = fill(chrome)?;
    if fresh {
        add_cookie(
            &mut response,
            &format!(
                "{}_form={token}; Path=/; HttpOnly; SameSite=Strict",
                visit.app.cookie
            ),
        );
    }
    Ok(response)
}

fn add_cookie(response: &mut Response, cookie: &str) {
    if let Ok(value) = HeaderValue::from_str(cookie) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}

/// A path of this site to go back to; anything else leads to the overview.
pub(crate) fn safe_next(next: &str) -> &str {
    let own = next.starts_with('/')
        && !next.starts_with("//")
        && next.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    if own { next } else { "/" }
}

#[derive(Deserialize)]
pub(crate) struct LoginQuery {
    #[serde(default)]
    next: String,
    #[serde(default)]
    fresh: String,
}

/// `GET /login`
pub(crate) async fn login_form(visit: Visit, Query(query): Query<LoginQuery>) -> Result<Response, Fault> {
    if visit.who.is_some() {
        return Ok(Redirect::to(safe_next(&query.next)).into_response());
    }
    let f = Form::filled([("next", query.next)]);
    login_page(&visit, f, !query.fresh.is_empty()).await
}

async fn login_page(visit: &Visit, f: Form, fresh: bool) -> Result<Response, Fault> {
    let none = !visit.app.run(accounts::any).await?;
    let l = visit.l;
    open_page(visit, l.t("登录", "Sign in"), |c| {
        html(&LoginPage { l, c, f, none, fresh })
    })
}

/// `POST /login`
pub(crate) async fn login(OpenPost { visit, mut form }: OpenPost) -> Result<Response, Fault> {
    let (name, secret, remote) = (
        form.text("name"),
        form.raw("secret").to_owned(),
        visit.remote.clone(),
    );
    let outcome = visit
        .app
        .run(move |n| accounts::login(n, &name, &secret, &remote, page::now()))
        .await?;
    match outcome {
        Login::In { token, .. } => {
            let mut response = Redirect::to(safe_next(form.get("next"))).into_response();
            add_cookie(
                &mut response,
                &format!("{}={token}; Path=/; HttpOnly; SameSite=Strict", visit.app.cookie),
            );
            Ok(response)
        }
        Login::Wrong => {
            form.fail(
                "login",
                "姓名或密码不对，请再试一次。",
                "The name or the PIN is wrong. Please try again.",
            );
            login_page(&visit, form, false).await
        }
        Login::Locked { seconds } => {
            let minutes = seconds.max(0) / 60 + 1;
            form.fail(
                "login",
                &format!("输错次数太多，请约 {minutes} 分钟后再试，或请管理员重设密码。"),
                &format!("Too many wrong attempts. Try again in about {minutes} min, or ask an administrator to reset it."),
            );
            login_page(&visit, form, false).await
        }
    }
}

/// `POST /logout`
pub(crate) async fn logout(visit: Visit, Post { ctx, .. }: Post) -> Result<Response, Fault> {
    if let Some(token) = visit.token {
        ctx.run(move |n| accounts::logout(n, &token)).await?;
        ctx.log("logout", "").await;
    }
    let mut response = Redirect::to("/login").into_response();
    add_cookie(
        &mut response,
        &format!(
            "{}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0",
            ctx.app.cookie
        ),
    );
    Ok(response)
}

/// `GET /setup/{token}`
pub(crate) async fn setup_form(visit: Visit, Path(token): Path<String>) -> Result<Response, Fault> {
    let open = visit.app.run(move |n| accounts::setup_open(n, &token)).await?;
    setup_page(&visit, Form::default(), open).await
}

async fn setup_page(visit: &Visit, f: Form, open: bool) -> Result<Response, Fault> {
    let l = visit.l;
    let none = !visit.app.run(accounts::any).await?;
    let roles = first_roles(l, visit.app.desk());
    let first = roles.first().map(|r| r.code.clone()).unwrap_or_default();
    let title = match (open, none) {
        (true, true) => l.t("建立第一个账号", "Make the first account"),
        (true, false) => l.t("建立新账号", "Make a new account"),
        (false, _) => l.t("链接无效", "This link is not valid"),
    };
    open_page(visit, title, |c| {
        html(&SetupPage {
            l,
            c,
            f,
            open,
            none,
            roles,
            first,
        })
    })
}

/// The first account must be able to do the work of this node or to make other accounts.
fn first_roles(l: Lang, desk: Desk) -> Vec<Choice> {
    let mut roles = labels::roles(l, desk);
    roles.retain(|r| {
        matches!(
            Role::from_code(&r.code),
            Some(Role::Clerk | Role::Auditor | Role::Admin)
        )
    });
    roles
}

/// `POST /setup/{token}`
pub(crate) async fn setup(
    Path(token): Path<String>,
    OpenPost { visit, mut form }: OpenPost,
) -> Result<Response, Fault> {
    let role = first_roles(Lang::Zh, visit.app.desk())
        .into_iter()
        .find(|r| r.code == form.get("role"));
    let Some(role) = role.and_then(|r| Role::from_code(&r.code)) else {
        form.fail("role", "请选择一项", "Please choose one");
        return setup_page(&visit, form, true).await;
    };
    if form.raw("secret") != form.raw("again") {
        form.fail("again", "两次输入不一样", "The two entries differ");
        return setup_page(&visit, form, true).await;
    }
    let new = NewAccount {
        name: form.text("name"),
        role,
        secret: form.raw("secret").to_owned(),
        person: None,
    };
    let made = visit
        .app
        .attempt(move |n| accounts::setup(n, &token, new, page::now()))
        .await?;
    match made {
        Ok(_) => Ok(Redirect::to("/login?fresh=1").into_response()),
        Err(node::Error::Invalid(errors)) => {
            let used = errors.iter().any(|e| e.field == "token");
            form.fail_all(&errors);
            setup_page(&visit, form, !used).await
        }
        Err(other) => Err(other.into()),
    }
}

/// `GET /password`
pub(crate) async fn password_form(ctx: Ctx) -> Result<Response, Fault> {
    password_page(&ctx, Form::default())
}

fn password_page(ctx: &Ctx, f: Form) -> Result<Response, Fault> {
    let l = ctx.l;
    let fields = [
        ["old", l.t("原来的", "Present one"), "current-password"],
        ["new", l.t("新的", "New one"), "new-password"],
        ["again", l.t("新的再输一次", "New one once more"), "new-password"],
    ];
    html(&PasswordPage {
        l,
        c: Chrome::new(ctx, l.t("改密码", "Change PIN or password"), "password"),
        f,
        fields,
    })
}

/// `POST /password`
pub(crate) async fn password(visit: Visit, Post { ctx, mut form }: Post) -> Result<Response, Fault> {
    if form.raw("new") != form.raw("again") {
        form.fail("again", "两次输入不一样", "The two entries differ");
        return password_page(&ctx, form);
    }
    let (old, new) = (form.raw("old").to_owned(), form.raw("new").to_owned());
    let (account, token) = (ctx.who.account.id.clone(), visit.token.unwrap_or_default());
    let done = ctx
        .app
        .attempt(move |n| accounts::change_secret(n, &account, &token, &old, &new, page::now()))
        .await?;
    match done {
        Ok(()) => {
            ctx.log("password", "").await;
            Ok(Redirect::to("/?done=account").into_response())
        }
        Err(node::Error::Invalid(errors)) => {
            form.fail_all(&errors);
            password_page(&ctx, form)
        }
        Err(other) => Err(other.into()),
    }
}

#[derive(Deserialize)]
pub(crate) struct LangQuery {
    #[serde(default)]
    next: String,
}

/// `GET /lang/{code}`: the language switch. It changes nothing but a cookie, so a link may do it.
pub(crate) async fn language(
    State(_): State<App>,
    Path(code): Path<String>,
    Query(query): Query<LangQuery>,
) -> Result<Response, Fault> {
    let code = match Lang::from_code(&code) {
        Some(Lang::Zh) => "zh",
        Some(Lang::En) => "en",
        None => return Err(Fault::NotFound),
    };
    let mut response = Redirect::to(safe_next(&query.next)).into_response();
    add_cookie(
        &mut response,
        &format!("{LANGUAGE_COOKIE}={code}; Path=/; SameSite=Lax; HttpOnly; Max-Age=31536000"),
    );
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::safe_next;

    #[test]
    fn the_way_back_stays_on_this_site() {
        assert_eq!(safe_next("/sessions?q=1"), "/sessions?q=1");
        for bad in [
            "",
            "//evil.example",
            "https://evil.example",
            "/\\evil.example",
            "/a\r\nSet-Cookie: x",
            "javascript:1",
            "/ a",
        ] {
            assert_eq!(safe_next(bad), "/", "{bad}");
        }
    }
}
