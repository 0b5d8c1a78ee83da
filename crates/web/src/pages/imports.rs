//! What was imported on this computer, and taking an import back.

use askama::Template;
use axum::extract::Path;
use axum::response::{IntoResponse, Redirect, Response};
use node::office::{self, Fate, Import, Undone};
use records::Kinds;

use crate::fault::Fault;
use crate::form::Form;
use crate::lang::Lang;
use crate::page::{self, Chrome, html};
use crate::who::{Ctx, Post, Right};

/// Imports that the list shows.
const SHOWN: u32 = 200;

#[derive(Template)]
#[template(path = "imports.html")]
struct ListPage {
    l: Lang,
    c: Chrome,
    /// Each with how many records it wrote and how many were taken back.
    rows: Vec<(Import, u64, u64)>,
}

#[derive(Template)]
#[template(path = "import_one.html")]
struct OnePage {
    l: Lang,
    c: Chrome,
    f: Form,
    import: Import,
    /// What stands of it, with what taking it back would do.
    rows: Vec<Undone>,
}

/// What an import was of.
fn what(l: Lang, code: &str) -> &'static str {
    match code {
        "roster" => l.t("花名册", "Roster"),
        "attendance" => l.t("签到名单", "Attendance list"),
        "outside" => l.t("校外培训学时", "Class-hours earned outside"),
        "passes" => l.t("考核合格名单", "Pass list"),
        _ => l.t("表格", "Table"),
    }
}

impl ListPage {
    fn what(&self, code: &str) -> &'static str {
        what(self.l, code)
    }
}

impl OnePage {
    fn what(&self) -> &'static str {
        what(self.l, &self.import.what)
    }

    fn kind(&self, id: &str) -> String {
        let kind = Kinds::builtin().latest(id);
        kind.map_or_else(|| id.to_owned(), |kind| kind.label(self.l.into()).to_owned())
    }

    fn fate(&self, fate: &Fate) -> String {
        let l = self.l;
        match fate {
            Fate::Back => l.t("作废，不再算数", "void; counts no longer").to_owned(),
            Fate::Restored => l.t("恢复导入前的内容", "as it was before the import").to_owned(),
            Fate::Kept([zh, en]) | Fate::Refused([zh, en]) => l.pick(zh, en).to_owned(),
        }
    }

    fn stays(&self, fate: &Fate) -> bool {
        matches!(fate, Fate::Kept(_) | Fate::Refused(_))
    }

    fn goes(&self) -> usize {
        self.rows.iter().filter(|row| !self.stays(&row.fate)).count()
    }
}

fn may(ctx: &Ctx) -> Result<(), Fault> {
    ctx.need(Right::Enter)?;
    ctx.school().map(|_| ())
}

/// `GET /imports`
pub(crate) async fn list(ctx: Ctx) -> Result<Response, Fault> {
    may(&ctx)?;
    let rows = ctx.run(|node| office::import_list(node, SHOWN)).await?;
    html(&ListPage {
        l: ctx.l,
        c: Chrome::new(&ctx, ctx.l.t("导入记录", "Imports"), "import"),
        rows,
    })
}

/// `GET /imports/{id}`
pub(crate) async fn show(ctx: Ctx, Path(id): Path<String>) -> Result<Response, Fault> {
    may(&ctx)?;
    one(&ctx, id, Form::default()).await
}

async fn one(ctx: &Ctx, id: String, f: Form) -> Result<Response, Fault> {
    let found = ctx
        .run(move |node| match office::import(node, &id)? {
            Some(import) => Ok(Some((office::undo_preview(node, &id)?, import))),
            None => Ok(None),
        })
        .await?;
    let (rows, import) = found.ok_or(Fault::NotFound)?;
    html(&OnePage {
        l: ctx.l,
        c: Chrome::new(ctx, ctx.l.t("一次导入", "One import"), "import"),
        f,
        import,
        rows,
    })
}

/// `POST /imports/{id}`: takes the import back.
pub(crate) async fn undo(Path(id): Path<String>, Post { ctx, mut form }: Post) -> Result<Response, Fault> {
    may(&ctx)?;
    let (by, import, reason) = (ctx.who.by(), id.clone(), form.text("reason"));
    let done = ctx
        .app
        .attempt(move |node| office::undo_import(node, &by, &import, &reason))
        .await?;
    match done {
        Ok(rows) => {
            let gone = rows
                .iter()
                .filter(|row| matches!(row.fate, Fate::Back | Fate::Restored));
            ctx.log("undo", &id).await;
            Ok(Redirect::to(&format!("/imports/{id}?done=undone&n={}", gone.count())).into_response())
        }
        Err(node::Error::Invalid(errors)) => {
            form.fail_all(&errors);
            one(&ctx, id, form).await
        }
        Err(other) => Err(other.into()),
    }
}
