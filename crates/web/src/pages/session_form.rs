//! Entering a session's facts, changing them, and voiding a session.

use askama::Template;
use axum::extract::Path;
use axum::response::{IntoResponse, Redirect, Response};
use node::office::{self, SessionDetail, SessionInput};

use crate::fault::Fault;
use crate::form::{self, Form};
use crate::labels::{self, Choice};
use crate::lang::Lang;
use crate::page::{self, Chrome, html};
use crate::who::{Ctx, Post, Right};

#[derive(Template)]
#[template(path = "session_form.html")]
struct FormPage {
    l: Lang,
    c: Chrome,
    f: Form,
    /// Empty for a new session.
    id: String,
    /// Credits were registered on what stands here now.
    claimed: bool,
    forms: Vec<Choice>,
    categories: Vec<Choice>,
    subs: Vec<Choice>,
    channels: Vec<Choice>,
}

impl FormPage {
    /// The cursor stands in the title of a new session.
    fn title_attributes(&self) -> &'static str {
        if self.id.is_empty() && self.f.ok() {
            "autocomplete=\"off\" maxlength=\"120\" autofocus"
        } else {
            "autocomplete=\"off\" maxlength=\"120\""
        }
    }
}

#[derive(Template)]
#[template(path = "session_void.html")]
struct VoidPage {
    l: Lang,
    c: Chrome,
    f: Form,
    s: SessionDetail,
}

/// `GET /sessions/new`
pub(crate) async fn new(ctx: Ctx) -> Result<Response, Fault> {
    ctx.need(Right::Enter)?;
    ctx.school()?;
    let values = [
        ("date", page::today()),
        ("form", "school_based".to_owned()),
        ("channel", "school".to_owned()),
    ];
    form_page(&ctx, Form::filled(values), String::new(), false)
}

/// `GET /sessions/{id}/edit`
pub(crate) async fn edit(ctx: Ctx, Path(id): Path<String>) -> Result<Response, Fault> {
    let s = own(&ctx, &id).await?;
    let minutes = |m: Option<i64>| m.map(|m| m.to_string()).unwrap_or_default();
    let claimed = s.row.claims > 0;
    let [begins, ends] = s.times;
    let f = Form::filled([
        ("title", s.row.title),
        ("theme", s.theme),
        ("date", s.row.date),
        ("begins", begins),
        ("ends", ends),
        ("place", s.row.place),
        ("form", s.row.form),
        ("category", s.row.category),
        ("sub", s.row.sub),
        ("channel", s.row.channel),
        ("hours_c", page::amount(&s.row.hours_c)),
        ("lecturers", s.lecturers),
        ("minutes", minutes(s.minutes)),
        ("lecture_minutes", minutes(s.lecture_minutes)),
    ]);
    form_page(&ctx, f, id, claimed)
}

/// A session of this node's own school, for someone who may enter.
async fn own(ctx: &Ctx, id: &str) -> Result<SessionDetail, Fault> {
    ctx.need(Right::Enter)?;
    let (school, id) = (ctx.school()?, id.to_owned());
    let found = ctx.run(move |n| office::session(n, &id)).await?;
    found.filter(|s| s.row.school == school).ok_or(Fault::NotFound)
}

fn form_page(ctx: &Ctx, f: Form, id: String, claimed: bool) -> Result<Response, Fault> {
    let l = ctx.l;
    let title = if id.is_empty() {
        l.t("登记研修活动", "New session")
    } else {
        l.t("修改活动", "Change the session")
    };
    html(&FormPage {
        l,
        c: Chrome::new(ctx, title, "sessions"),
        f,
        id,
        claimed,
        forms: labels::choices(l, "session", "form"),
        categories: labels::choices(l, "session", "category"),
        subs: labels::choices(l, "session", "sub"),
        channels: labels::choices(l, "session", "channel"),
    })
}

/// `POST /sessions/new`
pub(crate) async fn create(post: Post) -> Result<Response, Fault> {
    save(post, String::new()).await
}

/// `POST /sessions/{id}/edit`
pub(crate) async fn change(Path(id): Path<String>, post: Post) -> Result<Response, Fault> {
    save(post, id).await
}

async fn save(Post { ctx, mut form }: Post, id: String) -> Result<Response, Fault> {
    ctx.need(Right::Enter)?;
    let school = ctx.school()?;
    let input = read(&mut form);
    form.require("session", &["title", "form", "category", "channel"]);
    let mut claimed = false;
    if !id.is_empty() {
        claimed = own(&ctx, &id).await?.row.claims > 0;
    }
    if !form.ok() {
        return form_page(&ctx, form, id, claimed);
    }
    let (by, target) = (ctx.who.by(), (!id.is_empty()).then(|| id.clone()));
    let saved = ctx
        .app
        .attempt(move |n| office::save_session(n, &by, &school, target.as_deref(), input))
        .await?;
    match saved {
        Ok(saved) => Ok(Redirect::to(&format!("/sessions/{saved}?done=saved")).into_response()),
        Err(node::Error::Invalid(errors)) => {
            form.fail_all(&errors);
            form_page(&ctx, form, id, claimed)
        }
        Err(other) => Err(other.into()),
    }
}

fn read(form: &mut Form) -> SessionInput {
    let line = |form: &Form, field: &str| records::text::tidy(form.get(field));
    SessionInput {
        title: line(form, "title"),
        theme: line(form, "theme"),
        date: form::date(form, "date"),
        begins: form::time(form, "begins"),
        ends: form::time(form, "ends"),
        place: line(form, "place"),
        form: form.text("form"),
        category: form.text("category"),
        sub: form.text("sub"),
        channel: form.text("channel"),
        hours_c: form::amount(form, "hours_c"),
        lecturers: line(form, "lecturers"),
        minutes: form::optional_whole(form, "minutes"),
        lecture_minutes: form::optional_whole(form, "lecture_minutes"),
    }
}

/// `GET /sessions/{id}/void`: asks first, and for the reason.
pub(crate) async fn ask_void(ctx: Ctx, Path(id): Path<String>) -> Result<Response, Fault> {
    void_page(&ctx, &id, Form::default()).await
}

async fn void_page(ctx: &Ctx, id: &str, f: Form) -> Result<Response, Fault> {
    let s = own(ctx, id).await?;
    let l = ctx.l;
    html(&VoidPage {
        l,
        c: Chrome::new(ctx, l.t("作废这场活动？", "Void this session?"), "sessions"),
        f,
        s,
    })
}

/// `POST /sessions/{id}/void`
pub(crate) async fn void(Path(id): Path<String>, Post { ctx, mut form }: Post) -> Result<Response, Fault> {
    own(&ctx, &id).await?;
    let (by, session, reason) = (ctx.who.by(), id.clone(), form.text("reason"));
    let done = ctx
        .app
        .attempt(move |n| office::void_session(n, &by, &session, &reason))
        .await?;
    match done {
        Ok(()) => Ok(Redirect::to(&format!("/sessions/{id}?done=saved")).into_response()),
        Err(node::Error::Invalid(errors)) => {
            form.fail_at("reason", &errors);
            void_page(&ctx, &id, form).await
        }
        Err(other) => Err(other.into()),
    }
}
