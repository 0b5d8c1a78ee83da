//! People who took part and are not on the roster yet (待登记): typing a name, and saying later who it is.

use askama::Template;
use axum::extract::{Path, Query};
use axum::response::{IntoResponse, Redirect, Response};
use node::office::{self, SessionDetail, Teacher, Unlisted};
use serde::Deserialize;

use crate::fault::Fault;
use crate::form::Form;
use crate::labels::{self, Choice};
use crate::lang::Lang;
use crate::page::{Chrome, html};
use crate::who::{Ctx, Post, Right};

#[derive(Template)]
#[template(path = "unlisted.html")]
struct UnlistedPage {
    l: Lang,
    c: Chrome,
    f: Form,
    /// The session that a name can be added to, if one was asked for.
    session: Option<SessionDetail>,
    rows: Vec<Unlisted>,
    teachers: Vec<Teacher>,
    statuses: Vec<Choice>,
    enter: bool,
}

impl UnlistedPage {
    fn status(&self, code: &str) -> String {
        labels::label(self.l, "unlisted", "status", code)
    }

    /// The roster for a choice: those of the same name first, each with what tells people of one name apart.
    fn choices(&self, row: &Unlisted) -> Vec<Choice> {
        let named = |t: &&Teacher| row.same_name.contains(&t.id);
        let first = self.teachers.iter().filter(named);
        let rest = self.teachers.iter().filter(|t| !named(t));
        let label = |t: &Teacher| {
            let facts = [t.teacher_code.as_str(), t.subject.as_str()];
            let facts: Vec<&str> = facts.into_iter().filter(|fact| !fact.is_empty()).collect();
            match facts.is_empty() {
                true => t.name.clone(),
                false => format!("{} · {}", t.name, facts.join(" · ")),
            }
        };
        first.chain(rest).map(|t| Choice::new(&t.id, label(t))).collect()
    }

    fn name_of(&self, person: &str) -> &str {
        let found = self.teachers.iter().find(|t| t.id == person);
        found.map_or("—", |t| t.name.as_str())
    }

    fn field(&self, row: &Unlisted) -> String {
        format!("person-{}", row.id)
    }

    /// Fields whose errors stand beside them.
    fn named(&self) -> String {
        let fields = self.rows.iter().map(|row| self.field(row));
        fields.fold("name note status".to_owned(), |all, one| format!("{all} {one}"))
    }
}

#[derive(Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    session: String,
}

/// `GET /unlisted`
pub(crate) async fn show(ctx: Ctx, Query(asked): Query<Asked>) -> Result<Response, Fault> {
    unlisted_page(&ctx, asked.session, Form::default()).await
}

async fn unlisted_page(ctx: &Ctx, session: String, f: Form) -> Result<Response, Fault> {
    ctx.need(Right::Read)?;
    let school = ctx.school()?;
    let wanted = Some(session).filter(|session| !session.is_empty());
    let (session, rows, teachers) = ctx
        .run(move |n| {
            let session = match &wanted {
                Some(id) => office::session(n, id)?.filter(|s| s.row.school == school),
                None => None,
            };
            let mut teachers = office::roster(n, &school)?;
            teachers.retain(Teacher::in_service);
            Ok((
                session,
                office::unlisted(n, &school, wanted.as_deref())?,
                teachers,
            ))
        })
        .await?;
    let l = ctx.l;
    html(&UnlistedPage {
        l,
        c: Chrome::new(ctx, l.t("待登记人员", "Not on the roster yet"), "sessions"),
        f,
        session,
        rows,
        teachers,
        statuses: labels::choices(l, "unlisted", "status"),
        enter: ctx.may(Right::Enter),
    })
}

/// `POST /sessions/{id}/unlisted`
pub(crate) async fn add(Path(id): Path<String>, Post { ctx, mut form }: Post) -> Result<Response, Fault> {
    ctx.need(Right::Enter)?;
    let (by, session) = (ctx.who.by(), id.clone());
    let (name, note, status) = (form.text("name"), form.text("note"), form.text("status"));
    let done = ctx
        .app
        .attempt(move |n| office::add_unlisted(n, &by, &session, &name, &note, &status))
        .await?;
    match done {
        Ok(()) => Ok(Redirect::to(&format!("/unlisted?session={id}&done=saved")).into_response()),
        Err(node::Error::Invalid(errors)) => {
            form.fail_all(&errors);
            unlisted_page(&ctx, id, form).await
        }
        Err(other) => Err(other.into()),
    }
}

/// `POST /unlisted/{id}`: who it is.
pub(crate) async fn link(Path(id): Path<String>, Post { ctx, mut form }: Post) -> Result<Response, Fault> {
    ctx.need(Right::Enter)?;
    // The page has this field once for every row.
    let field = format!("person-{id}");
    let (by, person, session) = (ctx.who.by(), form.text(&field), form.text("session"));
    let done = ctx
        .app
        .attempt(move |n| office::link_unlisted(n, &by, &id, &person))
        .await?;
    match done {
        Ok(()) => Ok(Redirect::to(&format!("/unlisted?session={session}&done=linked")).into_response()),
        Err(node::Error::Invalid(errors)) => {
            for e in &errors {
                let at = if e.field == "person" { &field } else { &e.field };
                form.fail(at, &e.zh, &e.en);
            }
            unlisted_page(&ctx, session, form).await
        }
        Err(other) => Err(other.into()),
    }
}
