//! 我的记录: what is recorded about the person who is signed in, with its history; objecting to it, and signing.

use askama::Template;
use axum::extract::Path;
use axum::response::{IntoResponse, Redirect, Response};
use node::accounts::Role;
use node::office::{self, Entry, EntryDetail};

use crate::fault::Fault;
use crate::form::{self, Form};
use crate::lang::Lang;
use crate::page::{self, Chrome, html};
use crate::pages::records::actor;
use crate::who::{Ctx, Post, Right};

/// Records of one kind.
struct Group {
    label: String,
    rows: Vec<Entry>,
}

#[derive(Template)]
#[template(path = "mine.html")]
struct MinePage {
    l: Lang,
    c: Chrome,
    groups: Vec<Group>,
    person: String,
}

#[derive(Template)]
#[template(path = "mine_one.html")]
struct OnePage {
    l: Lang,
    c: Chrome,
    f: Form,
    e: EntryDetail,
    label: String,
    /// What the kinds of the records about it are called.
    labels: Vec<(String, String)>,
    /// As whom the person may sign; empty where there is nothing to sign.
    sign_as: String,
    /// The person's signature on what it says now is there.
    signed: bool,
    /// What the taught teacher has answered.
    response: String,
    today: String,
}

impl OnePage {
    fn label_of(&self, kind: &str) -> String {
        let label = self.labels.iter().find(|(id, _)| id == kind);
        label.map_or_else(|| kind.to_owned(), |(_, label)| label.clone())
    }

    fn state_field(&self, id: &str) -> bool {
        let kind = self.e.kind.as_ref();
        kind.is_some_and(|kind| kind.states.as_ref().is_some_and(|s| s.field == id))
    }
}

/// The person whose account is signed in, and the school, for pages of one's own records.
fn own(ctx: &Ctx) -> Result<(String, String), Fault> {
    let school = ctx.school()?;
    match &ctx.who.account.person {
        Some(person) if ctx.who.account.role != Role::Admin => Ok((school, person.clone())),
        _ => Err(Fault::Forbidden),
    }
}

/// Whether this account has records of its own here.
pub(crate) fn has_own(ctx: &Ctx) -> bool {
    ctx.app.node.home_school().is_some() && own(ctx).is_ok()
}

/// `GET /mine`
pub(crate) async fn list(ctx: Ctx) -> Result<Response, Fault> {
    let (school, person) = own(&ctx)?;
    let of = person.clone();
    let rows = ctx.run(move |n| office::own_entries(n, &school, &of)).await?;
    let known = ctx.app.node.kinds();
    let mut groups: Vec<Group> = Vec::new();
    for row in rows {
        let label = known.latest(&row.kind);
        let label = label.map_or(row.kind.as_str(), |kind| kind.label(ctx.l.into()));
        match groups.iter_mut().find(|group| group.label == label) {
            Some(group) => group.rows.push(row),
            None => groups.push(Group {
                label: label.to_owned(),
                rows: vec![row],
            }),
        }
    }
    let l = ctx.l;
    html(&MinePage {
        l,
        c: Chrome::new(&ctx, l.t("我的记录", "My records"), "mine"),
        groups,
        person,
    })
}

/// `GET /mine/{kind}/{id}`
pub(crate) async fn show(ctx: Ctx, Path((kind, id)): Path<(String, String)>) -> Result<Response, Fault> {
    one(&ctx, kind, id, Form::default()).await
}

async fn one(ctx: &Ctx, kind: String, id: String, f: Form) -> Result<Response, Fault> {
    let (_, person) = own(ctx)?;
    let (actor, of) = (actor(ctx), person.clone());
    let found = ctx.run(move |n| {
        let Some((detail, part)) = office::own_entry(n, actor, &of, &kind, &id)? else {
            return Ok(None);
        };
        let signed = detail
            .about
            .iter()
            .filter(|about| about.entry.kind == "signature" && about.binds == Some(true));
        let signed: Vec<String> = signed.map(|about| about.entry.id.clone()).collect();
        let mut mine = false;
        for id in signed {
            mine |= n
                .record(&id)?
                .is_some_and(|s| s.text("person") == of && s.text("sign_role") == part);
        }
        Ok(Some((detail, part, mine)))
    });
    let Some((e, part, signed)) = found.await? else {
        return Err(Fault::NotFound);
    };
    let l = ctx.l;
    let known = ctx.app.node.kinds();
    let labels: Vec<(String, String)> = known
        .newest()
        .map(|kind| (kind.id.clone(), kind.label(l.into()).to_owned()))
        .collect();
    let label = e
        .kind
        .as_ref()
        .map_or(e.entry.kind.as_str(), |kind| kind.label(l.into()))
        .to_owned();
    let open = !e.entry.stand.as_ref().is_some_and(|stand| stand.closed);
    html(&OnePage {
        l,
        c: Chrome::new(ctx, &label, "mine"),
        f,
        response: e.record.text("response").to_owned(),
        sign_as: match e.entry.kind.as_str() {
            "observation" if open => part.to_owned(),
            _ => String::new(),
        },
        signed,
        label,
        labels,
        today: page::today(),
        e,
    })
}

/// `POST /mine/{kind}/{id}/{act}`: `dispute`, `sign`, `withdraw`.
pub(crate) async fn act(
    Path((kind, id, what)): Path<(String, String, String)>,
    Post { ctx, mut form }: Post,
) -> Result<Response, Fault> {
    let (_, person) = own(&ctx)?;
    let (by, actor) = (ctx.who.by(), actor(&ctx));
    let (of, at) = (kind.clone(), id.clone());
    let done = match what.as_str() {
        "dispute" => {
            let on = form::date(&mut form, "date");
            let words = form.text("text");
            if words.is_empty() {
                form.fail("text", "请写明哪里不对", "Say what is wrong");
            }
            if !form.ok() {
                return one(&ctx, kind, id, form).await;
            }
            let work = move |n: &node::Node| office::dispute(n, &by, actor, &person, &of, &at, &words, &on);
            ctx.app.attempt(work).await?.map(|_| ())
        }
        "sign" if kind == "observation" => {
            let on = form::date(&mut form, "signed_on");
            if !form.ok() {
                return one(&ctx, kind, id, form).await;
            }
            let response = form.text("response");
            let work = move |n: &node::Node| office::sign_own(n, &by, actor, &person, &at, &response, &on);
            ctx.app.attempt(work).await?
        }
        "withdraw" if kind == "objection" => {
            let reason = form.text("reason");
            let work = move |n: &node::Node| office::withdraw_objection(n, &by, &person, &at, &reason);
            ctx.app.attempt(work).await?
        }
        _ => return Err(Fault::NotFound),
    };
    match done {
        Ok(()) => Ok(Redirect::to(&format!("/mine/{kind}/{id}?done=record")).into_response()),
        Err(node::Error::Invalid(errors)) => {
            form.fail_all(&errors);
            one(&ctx, kind, id, form).await
        }
        Err(other) => Err(other.into()),
    }
}

#[derive(Template)]
#[template(path = "countersign.html")]
struct CountersignPage {
    l: Lang,
    c: Chrome,
    f: Form,
    objections: Vec<(Entry, String)>,
    /// Other records that wait for a leader's word, with what they are called.
    others: Vec<(Entry, String)>,
}

impl CountersignPage {
    fn field(&self, entry: &Entry) -> String {
        format!("answer-{}", entry.id)
    }

    fn named(&self) -> String {
        let fields = self.objections.iter().map(|(entry, _)| self.field(entry));
        fields.collect::<Vec<_>>().join(" ")
    }
}

/// Kinds beside objections in which a step is the leader's, and the state in which it waits.
const LEADERS: [(&str, &str); 1] = [("waiver", "applied")];

/// `GET /countersign`: what waits for the head of the school.
pub(crate) async fn countersign(ctx: Ctx) -> Result<Response, Fault> {
    countersign_page(&ctx, Form::default()).await
}

async fn countersign_page(ctx: &Ctx, f: Form) -> Result<Response, Fault> {
    leader(ctx)?;
    let school = ctx.school()?;
    let known = ctx.app.node.kinds();
    let (objections, others) = ctx
        .run(move |n| {
            let waits = |entry: &Entry, state: &str| entry.stand.as_ref().is_some_and(|s| s.code == state);
            let mut objections = Vec::new();
            for entry in office::entries(n, "objection", Some(&school), 1_000)? {
                if !waits(&entry, "raised") {
                    continue;
                }
                let record = n.record(&entry.id)?;
                let about = record.map(|r| r.text("about").to_owned()).unwrap_or_default();
                let kind = n.record(&about)?.map(|r| r.kind).unwrap_or_default();
                objections.push((entry, format!("/records/{kind}/{about}")));
            }
            let mut others = Vec::new();
            for (kind, state) in LEADERS {
                let label = known.latest(kind).map_or(kind, |k| k.zh.as_str()).to_owned();
                let all = office::entries(n, kind, Some(&school), 1_000)?;
                others.extend(
                    all.into_iter()
                        .filter(|e| waits(e, state))
                        .map(|e| (e, label.clone())),
                );
            }
            Ok((objections, others))
        })
        .await?;
    let l = ctx.l;
    html(&CountersignPage {
        l,
        c: Chrome::new(ctx, l.t("待我审签", "To countersign"), "countersign"),
        f,
        objections,
        others,
    })
}

fn leader(ctx: &Ctx) -> Result<(), Fault> {
    ctx.need(Right::Read)?;
    match ctx.who.account.role {
        Role::Leader => Ok(()),
        _ => Err(Fault::Forbidden),
    }
}

/// `POST /countersign/{id}`: the answer to an objection.
pub(crate) async fn answer(Path(id): Path<String>, Post { ctx, mut form }: Post) -> Result<Response, Fault> {
    leader(&ctx)?;
    ctx.school()?;
    let field = format!("answer-{id}");
    let (by, words, to) = (ctx.who.by(), form.text(&field), form.text("to"));
    let done = ctx
        .app
        .attempt(move |n| office::answer_objection(n, &by, &id, &words, &to))
        .await?;
    match done {
        Ok(()) => Ok(Redirect::to("/countersign?done=record").into_response()),
        Err(node::Error::Invalid(errors)) => {
            for e in &errors {
                let at = if e.field == "answer" { &field } else { &e.field };
                form.fail(at, &e.zh, &e.en);
            }
            countersign_page(&ctx, form).await
        }
        Err(other) => Err(other.into()),
    }
}
