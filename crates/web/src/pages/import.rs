//! Importing a table: upload, a preview that names cells, confirmation. Between preview and
//! confirmation the plan waits here under a random token; it is carried out once.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use askama::Template;
use axum::RequestExt;
use axum::extract::{FromRequest, Multipart, Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use node::office::{self, ImportFile};
use records::SchoolYear;

use crate::app::App;
use crate::fault::Fault;
use crate::form::Form;
use crate::guard;
use crate::import;
use crate::labels::Choice;
use crate::lang::Lang;
use crate::page::{self, Chrome, html};
use crate::pages::lists::Listed;
use crate::sheet::grid;
use crate::sheet::roster::{RosterPlan, plan_roster};
use crate::who::{Ctx, Post, Right, check_token};

/// The largest file; a county's roster of 6,000 teachers is under 1 MB.
pub(crate) const MAX_BYTES: usize = 16 * 1024 * 1024;

/// Plans kept at once, and for how many seconds: a bound, since each may hold thousands of rows.
const KEPT: usize = 8;
const KEPT_SECONDS: i64 = 3_600;

/// Plans between preview and confirmation.
#[derive(Default)]
pub(crate) struct Uploads(Mutex<VecDeque<Upload>>);

/// A file between preview and confirmation.
#[derive(Clone)]
pub(crate) struct Upload {
    pub(crate) token: String,
    pub(crate) account: String,
    pub(crate) file: ImportFile,
    pub(crate) plan: Plan,
    pub(crate) at: i64,
}

/// What it would do.
#[derive(Clone)]
pub(crate) enum Plan {
    Roster(Arc<RosterPlan>),
    List(Arc<Listed>),
}

impl Uploads {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Upload>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = page::now();
        kept.retain(|u| (now - u.at).abs() < KEPT_SECONDS);
        kept
    }

    pub(crate) fn keep(&self, upload: Upload) {
        let mut kept = self.lock();
        if kept.len() >= KEPT {
            kept.pop_front();
        }
        kept.push_back(upload);
    }

    /// Hands out a plan, once, and only to the account that uploaded it.
    pub(crate) fn take(&self, token: &str, account: &str) -> Option<Upload> {
        let mut kept = self.lock();
        let at = kept
            .iter()
            .position(|u| u.token == token && u.account == account)?;
        kept.remove(at)
    }

    /// Shows a plan that stays: what was chosen in its preview may have to be corrected.
    pub(crate) fn look(&self, token: &str, account: &str) -> Option<Upload> {
        let kept = self.lock();
        kept.iter()
            .find(|u| u.token == token && u.account == account)
            .cloned()
    }
}

#[derive(Template)]
#[template(path = "import.html")]
struct ImportPage {
    l: Lang,
    c: Chrome,
    f: Form,
    years: Vec<Choice>,
    /// The year that the select shows at first.
    year: String,
}

#[derive(Template)]
#[template(path = "import_preview.html")]
struct PreviewPage<'a> {
    l: Lang,
    c: Chrome,
    file: String,
    token: String,
    plan: &'a RosterPlan,
    summary: Vec<String>,
}

/// Rows of each list that the preview shows; the summary counts all of them.
const SHOWN: usize = 200;

fn may(ctx: &Ctx) -> Result<(), Fault> {
    if ctx.app.node.is_county() {
        return ctx.need(Right::Registry);
    }
    if ctx.app.county() {
        return Err(Fault::Forbidden);
    }
    ctx.need(Right::Enter)?;
    ctx.school().map(|_| ())
}

/// `GET /import`
pub(crate) async fn form(ctx: Ctx) -> Result<Response, Fault> {
    may(&ctx)?;
    import_page(&ctx, Form::default())
}

fn import_page(ctx: &Ctx, f: Form) -> Result<Response, Fault> {
    let l = ctx.l;
    let (this, years) = (this_year(), years(l));
    html(&ImportPage {
        l,
        c: Chrome::new(ctx, l.t("从表格导入", "Import a table"), "import"),
        f,
        years,
        year: this.0.to_string(),
    })
}

/// The school years that a table may be of, this one first.
pub(crate) fn years(l: Lang) -> Vec<Choice> {
    let label = |y: SchoolYear| if l.zh() { y.zh() } else { y.en() };
    [0, -1, 1]
        .map(|d| SchoolYear(this_year().0 + d))
        .map(|y| Choice::new(y.0.to_string(), label(y)))
        .to_vec()
}

pub(crate) fn this_year() -> SchoolYear {
    SchoolYear::of(jiff::Zoned::now().date())
}

/// `POST /import`: reads the file and shows what importing it would do.
pub(crate) async fn upload(State(app): State<App>, mut request: Request) -> Result<Response, Fault> {
    let ctx: Ctx = request.extract_parts_with_state(&app).await?;
    may(&ctx)?;
    if !guard::same_origin(request.headers(), request.uri()) {
        return Err(Fault::Stale);
    }
    let (mut form, file_name, bytes) = read_upload(&app, request).await?;
    check_token(&ctx.who.csrf, form.raw("csrf"))?;
    if bytes.is_empty() {
        form.fail("file", "请选择一个文件", "Please choose a file");
        return import_page(&ctx, form);
    }
    let year = form.get("year").parse().unwrap_or(this_year().0);
    let token = page::random_token()?;
    let (name, file) = (
        file_name.clone(),
        import::roster_file(token.clone(), &file_name, &bytes),
    );
    let planned = ctx
        .run(move |node| {
            Ok(match grid::read(&bytes, &name) {
                Ok(book) => Ok(plan_roster(&book, &import::context(node, year)?)),
                Err(error) => Err(error),
            })
        })
        .await?;
    let plan = match planned {
        Ok(plan) => plan,
        Err(error) => {
            form.fail("file", &error.zh(), &error.to_string());
            return import_page(&ctx, form);
        }
    };
    let shown = preview(&ctx, &plan, file_name, token.clone())?;
    if !plan.is_empty() {
        let account = ctx.who.account.id.clone();
        app.uploads.keep(Upload {
            file,
            token,
            account,
            plan: Plan::Roster(Arc::new(plan)),
            at: page::now(),
        });
    }
    Ok(shown)
}

/// Fields of a form with a file that are read: a county's schools, with room.
const FIELDS: usize = 400;

/// The fields of a form with one file, the file's name, and the file.
pub(crate) async fn read_upload(app: &App, request: Request) -> Result<(Form, String, Vec<u8>), Fault> {
    let broken = |_| {
        Fault::Unreadable(
            "文件没有完整传到，或者太大（最多 16 MB）。",
            "The file did not arrive whole, or it is too large (16 MB at most).",
        )
    };
    let mut parts = Multipart::from_request(request, app).await.map_err(|_| {
        Fault::Unreadable(
            "请用页面上的表单上传文件。",
            "Please upload with the form on the page.",
        )
    })?;
    let (mut pairs, mut file_name, mut bytes) = (Vec::new(), String::new(), Vec::new());
    while let Some(part) = parts.next_field().await.map_err(broken)? {
        let name = part.name().unwrap_or_default().to_owned();
        if name == "file" {
            file_name = part.file_name().unwrap_or_default().chars().take(120).collect();
            bytes = part.bytes().await.map_err(broken)?.to_vec();
        } else if pairs.len() < FIELDS {
            pairs.push((name, part.text().await.map_err(broken)?));
        }
    }
    Ok((Form::new(pairs), file_name, bytes))
}

fn preview(ctx: &Ctx, plan: &RosterPlan, file: String, token: String) -> Result<Response, Fault> {
    let l = ctx.l;
    html(&PreviewPage {
        l,
        c: Chrome::new(ctx, l.t("导入预览", "Preview of the import"), "import"),
        file,
        token,
        summary: if l.zh() {
            plan.summary_zh()
        } else {
            plan.summary_en()
        },
        plan,
    })
}

/// `POST /import/confirm`
pub(crate) async fn confirm(Post { ctx, form }: Post) -> Result<Response, Fault> {
    may(&ctx)?;
    let back = if ctx.app.node.is_county() {
        "/schools"
    } else {
        "/roster"
    };
    // Pressed twice, or the program was restarted in between: nothing is written again.
    let Some(upload) = ctx.app.uploads.take(form.get("token"), &ctx.who.account.id) else {
        return gone(&ctx, form.get("token"), back).await;
    };
    let Plan::Roster(plan) = upload.plan else {
        return gone(&ctx, form.get("token"), back).await;
    };
    let (by, file) = (ctx.who.by(), upload.file.clone());
    let done = ctx
        .app
        .attempt(move |node| import::apply(node, &by, &plan, Some(&file)))
        .await?;
    match done {
        Ok(n) => {
            ctx.log("import", &upload.file.name).await;
            Ok(Redirect::to(&format!("{back}?done=imported&n={n}")).into_response())
        }
        Err(node::Error::Invalid(errors)) => {
            let mut form = Form::default();
            form.fail_all(&errors);
            import_page(&ctx, form)
        }
        Err(other) => Err(other.into()),
    }
}

/// Answers the confirmation of a preview that is not here: it was confirmed before, or it is lost.
pub(crate) async fn gone(ctx: &Ctx, token: &str, back: &str) -> Result<Response, Fault> {
    let id = token.to_owned();
    let known = ctx.run(move |node| office::import(node, &id)).await?;
    // The county's lists of schools are not noted as imports.
    let note = if known.is_some() || ctx.app.county() {
        "again"
    } else {
        "expired"
    };
    Ok(Redirect::to(&format!("{back}?done={note}")).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upload(token: &str, account: &str, at: i64) -> Upload {
        Upload {
            token: token.into(),
            account: account.into(),
            file: ImportFile::default(),
            plan: Plan::Roster(Arc::default()),
            at,
        }
    }

    #[test]
    fn a_plan_is_handed_out_once_and_to_its_owner_only() {
        let uploads = Uploads::default();
        uploads.keep(upload("t", "a", page::now()));
        assert!(uploads.take("t", "b").is_none());
        assert!(uploads.take("t", "a").is_some());
        assert!(uploads.take("t", "a").is_none());
    }

    #[test]
    fn plans_are_bounded_in_number_and_time() {
        let uploads = Uploads::default();
        uploads.keep(upload("old", "a", page::now() - KEPT_SECONDS - 1));
        assert!(uploads.take("old", "a").is_none());
        for n in 0..=KEPT {
            uploads.keep(upload(&n.to_string(), "a", page::now()));
        }
        assert!(uploads.take("0", "a").is_none());
        assert!(uploads.take("1", "a").is_some());
    }
}
