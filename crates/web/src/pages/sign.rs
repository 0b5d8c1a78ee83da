//! 签字: what is signed, which sides have signed what it says now, and room for those who have not. Two people use
//! one device: the one who is signed in presses a button, the other gives the own PIN.

use askama::Template;
use axum::extract::Path;
use axum::response::{IntoResponse, Redirect, Response};
use node::accounts::{self, Account};
use node::office::{self, EntryDetail, Hand, Shown, Side, Signature, Signatures};

use crate::fault::Fault;
use crate::form::{self, Form};
use crate::lang::Lang;
use crate::page::{self, Chrome, UNSIGNED, html};
use crate::pages::observations::person;
use crate::pages::records::actor;
use crate::who::{Ctx, Post, Right};

#[derive(Template)]
#[template(path = "sign.html")]
struct SignPage {
    l: Lang,
    c: Chrome,
    f: Form,
    e: EntryDetail,
    signed: Signatures,
    /// Signatures on older content, with what it said: label, then and now.
    old: Vec<(Signature, Vec<[String; 3]>)>,
    accounts: Vec<Account>,
    me: String,
    /// May enter what was signed on paper.
    paper: bool,
    /// May sign here at all.
    here: bool,
    back: String,
    today: String,
}

impl SignPage {
    /// The account is that of the person whose side it is.
    fn mine(&self, side: &Side) -> bool {
        let named = side.person.as_ref().map(|(id, _)| id.as_str());
        !self.me.is_empty() && named.is_none_or(|id| id == self.me)
    }

    /// Accounts that may sign a side with their PIN.
    fn fitting(&self, side: &Side) -> Vec<&Account> {
        let fits = |a: &&Account| {
            let of = a.person.as_deref().unwrap_or_default();
            a.active && !of.is_empty() && side.person.as_ref().is_none_or(|(id, _)| id == of)
        };
        self.accounts.iter().filter(fits).collect()
    }

    /// Why somebody cannot sign here.
    fn no_account(&self) -> &'static str {
        self.l.t(
            "本人在这台设备上没有账号：请先在“账号”页建一个，或在纸上签。",
            "This person has no account on this device: make one on the accounts page, or sign on paper.",
        )
    }

    /// Names of a side's fields.
    fn on(&self, side: &Side) -> String {
        format!("on-{}", side.role)
    }

    fn secret(&self, side: &Side) -> String {
        format!("secret-{}", side.role)
    }

    fn account(&self, side: &Side) -> String {
        format!("account-{}", side.role)
    }

    /// All of them, for the errors that have no field.
    fn names(&self) -> String {
        let names = self
            .signed
            .sides
            .iter()
            .map(|s| format!("{} {}", self.on(s), self.secret(s)));
        names.collect::<Vec<_>>().join(" ")
    }

    /// What is read before signing: everything but the state.
    fn content(&self) -> impl Iterator<Item = &Shown> {
        let states = self.e.kind.as_ref().and_then(|kind| kind.states.as_ref());
        let state = states.map(|states| states.field.as_str());
        self.e
            .fields
            .iter()
            .filter(move |field| Some(field.id.as_str()) != state)
    }
}

/// `GET /sign/{id}`
pub(crate) async fn show(ctx: Ctx, Path(id): Path<String>) -> Result<Response, Fault> {
    sign_page(&ctx, id, Form::default()).await
}

async fn sign_page(ctx: &Ctx, id: String, f: Form) -> Result<Response, Fault> {
    let (actor, wanted) = (actor(ctx), id.clone());
    let found = ctx
        .run(move |n| {
            let Some(record) = n.record(&wanted)? else {
                return Ok(None);
            };
            let Some(e) = office::entry(n, actor, &record.kind, &wanted)? else {
                return Ok(None);
            };
            let signed = office::signatures(n, &wanted)?;
            let mut old = Vec::new();
            for s in signed.all.iter().filter(|s| !s.holds) {
                old.push((s.clone(), differences(n, &e, &s.id)?));
            }
            Ok(Some((e, signed, old, accounts::list(n)?)))
        })
        .await?;
    let (e, signed, old, accounts) = found.ok_or(Fault::NotFound)?;
    if e.entry.kind == "visit" {
        return Ok(Redirect::to(&format!("/visits/{id}#sides")).into_response());
    }
    let me = person(ctx).to_owned();
    let side = |side: &Side| side.person.as_ref().is_some_and(|(id, _)| *id == me);
    if !ctx.may(Right::Read) && (me.is_empty() || !signed.sides.iter().any(side)) {
        return Err(Fault::Forbidden);
    }
    let home = ctx
        .app
        .node
        .home_school()
        .is_some_and(|school| school == e.entry.school);
    let back = match e.entry.kind.as_str() {
        "observation" => format!("/observations/{id}"),
        kind => format!("/records/{kind}/{id}"),
    };
    let title = match ctx.l.zh() {
        true => format!("签字：{}", e.entry.title),
        false => format!("Sign: {}", e.entry.title),
    };
    html(&SignPage {
        l: ctx.l,
        c: Chrome::new(ctx, &title, "observations"),
        f,
        e,
        signed,
        old,
        accounts,
        me,
        paper: ctx.may(Right::Enter),
        here: home && ctx.may(Right::Observe),
        back,
        today: page::today(),
    })
}

/// What a record said when it was signed, where it says something else now.
fn differences(n: &node::Node, e: &EntryDetail, signature: &str) -> Result<Vec<[String; 3]>, node::Error> {
    let (Some(then), Some(kind)) = (office::signed_content(n, signature)?, &e.kind) else {
        return Ok(Vec::new());
    };
    let lang = records::Lang::Zh;
    let fields = kind.fields.iter().filter(|field| field.is_bound());
    let changed = fields.filter(|field| then.get(&field.id) != e.record.fields.get(&field.id));
    let show = |field: &records::kinds::Field, of: &records::Fields| {
        of.get(&field.id)
            .map_or_else(String::new, |value| field.show(value, lang))
    };
    Ok(changed
        .map(|field| {
            [
                field.label(lang).to_owned(),
                show(field, &then),
                show(field, &e.record.fields),
            ]
        })
        .collect())
}

/// `POST /sign/{id}`
pub(crate) async fn act(Path(id): Path<String>, Post { ctx, mut form }: Post) -> Result<Response, Fault> {
    ctx.need(Right::Observe)?;
    let role = form.text("role");
    let (date, secret) = (format!("on-{role}"), format!("secret-{role}"));
    let on = form::date(&mut form, &date);
    if !form.ok() {
        return sign_page(&ctx, id, form).await;
    }
    let (how, name, pin, paper) = (
        form.text("hand"),
        form.text(&format!("account-{role}")),
        form.raw(&secret).to_owned(),
        form.text("person"),
    );
    if how == "paper" {
        ctx.need(Right::Enter)?;
    }
    let (by, actor, about, remote) = (ctx.who.by(), actor(&ctx), id.clone(), ctx.remote.clone());
    let side = role.clone();
    let done = ctx
        .app
        .attempt(move |n| {
            let hand = match how.as_str() {
                "own" => Hand::SignedIn,
                "paper" => Hand::Paper(paper),
                _ => office::hand_of(n, &name, &pin, &about, &remote, page::now())?,
            };
            office::sign(n, &by, actor, &about, &side, &on, hand)
        })
        .await?;
    match done {
        Ok(_) => Ok(Redirect::to(&format!("/sign/{id}?done=signed")).into_response()),
        Err(node::Error::Invalid(errors)) => {
            for error in &errors {
                let field = if error.field == "secret" { &secret } else { &date };
                form.fail(field, &error.zh, &error.en);
            }
            sign_page(&ctx, id, form).await
        }
        Err(other) => Err(other.into()),
    }
}
