//! 待核: what two devices say differently, side by side, and the one choice that settles it.

use askama::Template;
use axum::extract::Query;
use axum::response::{IntoResponse, Redirect, Response};
use node::office::{self, Conflict, Matter};
use serde::Deserialize;

use crate::fault::Fault;
use crate::form::{self, Form};
use crate::labels::Choice;
use crate::lang::Lang;
use crate::page::{self, Chrome, html};
use crate::who::{Ctx, Post, Right};

/// Conflicts on one page: each shows its whole history.
const PAGE: usize = 10;

#[derive(Template)]
#[template(path = "conflicts.html")]
struct ConflictsPage {
    l: Lang,
    c: Chrome,
    f: Form,
    rows: Vec<Conflict>,
    /// All that are open, of the school chosen or of all.
    all: usize,
    /// Whether this account may settle those that are settled at this node.
    may: bool,
    /// The conflict whose form was sent back.
    tried: String,
    schools: Vec<Choice>,
    school: String,
    /// Address of the next page, if there is more.
    more: Option<String>,
    today: String,
}

impl ConflictsPage {
    fn tried(&self, conflict: &Conflict) -> bool {
        self.tried == conflict.found.name()
    }

    fn dated(&self, conflict: &Conflict) -> bool {
        self.c.county && conflict.found.matter != Matter::Signature
    }

    fn reasons(&self, conflict: &Conflict) -> bool {
        conflict.choices.iter().any(|choice| choice.reason)
    }
}

/// What kind of contradiction it is, in a word or two.
fn matter(l: &Lang, matter: &Matter) -> &'static str {
    match matter {
        Matter::Mark => l.t("考勤", "Attendance"),
        Matter::Value => l.t("内容", "Content"),
        Matter::Duplicate => l.t("疑似重复", "Perhaps twice"),
        Matter::Overlap => l.t("时间冲突", "Same time"),
        Matter::Claims => l.t("重复登分", "Two claims"),
        Matter::Decision => l.t("审核", "Decision"),
        Matter::Signature => l.t("签字", "Signature"),
        Matter::Groups => l.t("两个团队", "Two teams"),
    }
}

#[derive(Deserialize, Default)]
pub(crate) struct Search {
    #[serde(default)]
    school: String,
    #[serde(default)]
    from: usize,
}

/// `GET /conflicts`
pub(crate) async fn list(ctx: Ctx, Query(search): Query<Search>) -> Result<Response, Fault> {
    conflicts_page(&ctx, search, Form::default()).await
}

async fn conflicts_page(ctx: &Ctx, search: Search, f: Form) -> Result<Response, Fault> {
    ctx.need(Right::Read)?;
    let (tried, wanted) = (f.text("conflict"), search.school.clone());
    let first = tried.clone();
    let (rows, all, schools) = ctx
        .run(move |node| {
            let mut open = office::open_conflicts(node)?;
            let names = office::organisations(node)?;
            let schools: Vec<Choice> = names
                .into_iter()
                .filter(|school| open.iter().any(|one| one.school == school.id))
                .map(|school| Choice::new(school.id, school.name))
                .collect();
            open.retain(|one| wanted.is_empty() || one.school == wanted);
            let all = open.len();
            // The one that was sent back is on the page, wherever it stands in the list.
            let from = match open.iter().position(|one| one.name() == first) {
                Some(at) => at,
                None => search.from,
            };
            let shown: Vec<_> = open.into_iter().skip(from).take(PAGE).collect();
            let rows = office::conflicts(node, &shown)?;
            Ok((rows, (all, from + PAGE), schools))
        })
        .await?;
    let l = ctx.l;
    let ((all, next), school) = (all, search.school);
    html(&ConflictsPage {
        l,
        c: Chrome::new(ctx, l.t("待核", "To be settled"), "conflicts"),
        may: ctx.may(Right::Enter) || ctx.may(Right::Audit),
        more: (next < all).then(|| format!("/conflicts?school={school}&from={next}")),
        schools: if ctx.app.county() { schools } else { Vec::new() },
        today: page::today(),
        f,
        rows,
        all,
        tried,
        school,
    })
}

/// `POST /conflicts`
pub(crate) async fn settle(Post { ctx, mut form }: Post) -> Result<Response, Fault> {
    if !ctx.may(Right::Enter) {
        ctx.need(Right::Audit)?;
    }
    let on = match form.get("decided_on") {
        "" => String::new(),
        _ => form::date(&mut form, "decided_on"),
    };
    let done = if form.ok() {
        let (by, conflict) = (ctx.who.by(), form.text("conflict"));
        let (choice, reason) = (
            form.raw("choice").to_owned(),
            records::text::tidy(form.get("reason")),
        );
        ctx.app
            .attempt(move |node| office::settle(node, &by, &conflict, &choice, &reason, &on))
            .await?
            .map(drop)
    } else {
        Err(node::Error::Invalid(Vec::new()))
    };
    match done {
        Ok(()) => {
            ctx.log("settle", form.get("conflict")).await;
            Ok(Redirect::to("/conflicts?done=settled").into_response())
        }
        Err(node::Error::Invalid(errors)) => {
            // Nothing chosen: the Enter key was pressed in the reason, and that is where people look.
            match form.raw("choice") {
                "" | "?" => form.fail_at("reason", &errors),
                _ => form.fail_all(&errors),
            }
            conflicts_page(&ctx, Search::default(), form).await
        }
        Err(other) => Err(other.into()),
    }
}

/// The beginning of a hash, enough to tell files apart.
fn short(hash: &str) -> String {
    hash.chars().take(12).collect()
}
