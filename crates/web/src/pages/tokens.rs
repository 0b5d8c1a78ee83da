//! 令牌: which other systems of the county may read or bring data over the JSON API.

use askama::Template;
use axum::extract::Path;
use axum::response::{IntoResponse, Redirect, Response};
use node::tokens::{self, Scope, Token};

use crate::fault::Fault;
use crate::form::{self, Form};
use crate::lang::Lang;
use crate::page::{self, Chrome, html};
use crate::who::{Ctx, Post, Right};

#[derive(Template)]
#[template(path = "tokens.html")]
struct TokensPage {
    l: Lang,
    c: Chrome,
    f: Form,
    rows: Vec<Token>,
    /// The token that was just made, the one time that it is shown.
    made: Option<String>,
}

impl TokensPage {
    fn scopes(&self, token: &Token) -> String {
        let names = token
            .scopes
            .iter()
            .map(|scope| self.l.pick(scope.names().0, scope.names().1));
        names.collect::<Vec<_>>().join(self.l.t("、", ", "))
    }

    fn ticked(&self, scope: &Scope) -> bool {
        self.f.all("scopes").any(|code| code == scope.code())
    }

    fn over(&self, token: &Token) -> bool {
        !token.good(page::now())
    }
}

/// A token reads what its maker reads: no bare administrator makes one.
fn may(ctx: &Ctx) -> Result<(), Fault> {
    ctx.need(Right::Audit)?;
    match ctx.app.node.is_county() {
        true => Ok(()),
        false => Err(Fault::Forbidden),
    }
}

/// `GET /tokens`
pub(crate) async fn list(ctx: Ctx) -> Result<Response, Fault> {
    tokens_page(&ctx, Form::default(), None).await
}

async fn tokens_page(ctx: &Ctx, f: Form, made: Option<String>) -> Result<Response, Fault> {
    may(ctx)?;
    let l = ctx.l;
    html(&TokensPage {
        l,
        c: Chrome::new(ctx, l.t("接口令牌", "API tokens"), "tokens"),
        f,
        rows: ctx.run(tokens::list).await?,
        made,
    })
}

/// `POST /tokens`
pub(crate) async fn make(Post { ctx, mut form }: Post) -> Result<Response, Fault> {
    may(&ctx)?;
    let until = form::date(&mut form, "until");
    let scopes: Vec<Scope> = form.all("scopes").filter_map(Scope::from_code).collect();
    if scopes.is_empty() {
        form.fail("scopes", "请至少选一项", "Choose one at least");
    }
    if form.get("label").is_empty() {
        form.fail("label", "请写明给哪个系统用", "Name the system that it is for");
    }
    if !form.ok() {
        return tokens_page(&ctx, form, None).await;
    }
    let (by, label) = (ctx.who.by(), form.text("label"));
    let done = ctx
        .app
        .attempt(move |n| tokens::make(n, &by, &label, &scopes, &until, page::now()))
        .await?;
    match done {
        Ok((token, secret)) => {
            ctx.log("token", &format!("{} {}", token.id, token.label)).await;
            tokens_page(&ctx, Form::default(), Some(secret)).await
        }
        Err(node::Error::Invalid(errors)) => {
            form.fail_all(&errors);
            tokens_page(&ctx, form, None).await
        }
        Err(other) => Err(other.into()),
    }
}

/// `POST /tokens/{id}/revoke`
pub(crate) async fn revoke(Path(id): Path<String>, Post { ctx, .. }: Post) -> Result<Response, Fault> {
    may(&ctx)?;
    let (by, token) = (ctx.who.by(), id.clone());
    match ctx
        .app
        .attempt(move |n| tokens::revoke(n, &by, &token, page::now()))
        .await?
    {
        Ok(()) => {
            ctx.log("token revoke", &id).await;
            Ok(Redirect::to("/tokens?done=step").into_response())
        }
        Err(node::Error::Invalid(_)) => Err(Fault::NotFound),
        Err(other) => Err(other.into()),
    }
}
