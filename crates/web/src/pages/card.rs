//! A teacher's credit card (学分卡): the category × channel table, what is missing, and every line.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use node::accounts::Role;
use node::office::{self, CardView, ClaimRow, ClaimState};

use crate::fault::Fault;
use crate::labels;
use crate::lang::Lang;
use crate::page::{self, Chrome, DISPUTED, html};
use crate::who::{Ctx, Right};

#[derive(Template)]
#[template(path = "card.html")]
struct CardPage<'a> {
    l: Lang,
    c: Chrome,
    v: &'a CardView,
    rows: &'a [ClaimRow],
    enter: bool,
    printed: String,
}

impl CardPage<'_> {
    fn label(&self, kind: &str, field: &str, code: &str) -> String {
        labels::label(self.l, kind, field, code)
    }

    /// The language as the rule engine names it, for its labels and sentences.
    fn r(&self) -> records::Lang {
        self.l.into()
    }

    fn cell(&self, category: &str, channel: &str) -> String {
        page::amount(
            &self
                .v
                .card
                .cell(category, channel)
                .map_or(0, |cell| cell.earned_c),
        )
    }

    fn category(&self, category: &str) -> String {
        page::amount(&self.v.card.category_c(category))
    }

    fn channel(&self, channel: &str) -> String {
        page::amount(&self.v.card.channel_c(channel))
    }
}

/// `GET /teachers/{id}`
pub(crate) async fn show(ctx: Ctx, Path(id): Path<String>) -> Result<Response, Fault> {
    let own = ctx.who.account.role == Role::Teacher && ctx.who.account.person.as_deref() == Some(id.as_str());
    if !own {
        ctx.need(Right::Read)?;
    }
    let found = ctx.run(move |n| office::credit_card(n, &id)).await?;
    let Some(view) = found else {
        return Err(Fault::NotFound);
    };
    let home = ctx
        .app
        .node
        .home_school()
        .is_some_and(|school| school == view.teacher.school);
    html(&CardPage {
        l: ctx.l,
        c: Chrome::new(&ctx, &view.teacher.name, "roster"),
        rows: &view.lines,
        enter: home && ctx.may(Right::Enter),
        printed: page::today(),
        v: &view,
    })
}
