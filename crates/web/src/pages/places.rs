//! The seats of a workshop or station: who has one, and who is 待定.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use node::office::{self, Places, Seat};

use crate::fault::Fault;
use crate::labels;
use crate::lang::Lang;
use crate::page::{self, Chrome, html};
use crate::who::{Ctx, Right};

#[derive(Template)]
#[template(path = "places.html")]
struct PlacesPage {
    l: Lang,
    c: Chrome,
    g: Places,
    waiting: usize,
}

impl PlacesPage {
    fn label(&self, kind: &str, field: &str, code: &str) -> String {
        labels::label(self.l, kind, field, code)
    }
}

/// `GET /places/{group}`
pub(crate) async fn show(ctx: Ctx, Path(id): Path<String>) -> Result<Response, Fault> {
    ctx.need(Right::Read)?;
    let found = ctx.run(move |n| office::places(n, &id)).await?;
    let g = found.ok_or(Fault::NotFound)?;
    html(&PlacesPage {
        l: ctx.l,
        c: Chrome::new(&ctx, &g.name, "records"),
        waiting: g.people.iter().filter(|p| p.standing == Seat::Waiting).count(),
        g,
    })
}
