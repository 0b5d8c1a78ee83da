//! 批量入网: the county makes a stick with a folder for each school, and approves what comes back on it in one act.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use askama::Template;
use axum::RequestExt;
use axum::extract::{FromRequest, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use node::enrol::batch::{self, Asking, Batch, Turned};
use node::kit::{self, Order};
use node::office::{self, Organisation};
use node::stick::{self, Drive};

use crate::app::App;
use crate::fault::Fault;
use crate::form::Form;
use crate::guard;
use crate::import::rosters;
use crate::labels::Choice;
use crate::lang::Lang;
use crate::page::{Chrome, html};
use crate::pages::courier::{not_opened, place};
use crate::pages::devices::may;
use crate::pages::import::{read_upload, this_year};
use crate::who::{Ctx, Post, check_token};

#[derive(Template)]
#[template(path = "sticks.html")]
struct SticksPage {
    l: Lang,
    c: Chrome,
    f: Form,
    drives: Vec<Drive>,
    schools: Vec<Choice>,
    /// What lies on the stick, and where that is.
    found: Option<(Batch, String)>,
    /// What was done just now, line by line.
    done: Vec<(String, String)>,
    /// It was all done, and not only in part.
    whole: bool,
}

impl SticksPage {
    fn ticked(&self, field: &str, code: &str) -> bool {
        self.f.all(field).any(|s| s == code)
    }

    /// Whether a request is marked to be approved: those that a county expects, or those that were marked before.
    fn marked(&self, asking: &Asking) -> bool {
        match self.f.has("place") {
            true => self.ticked("device", &shown_as(asking)),
            false => asking.is_expected(),
        }
    }

    fn pair(&self, asking: &Asking) -> String {
        shown_as(asking)
    }

    /// Why a request cannot be approved.
    fn why(&self, turned: &Turned) -> String {
        match self.l.zh() {
            true => turned.why.zh(),
            false => turned.why.to_string(),
        }
    }

    /// The last folder and the name of a file: enough to find it on a stick.
    fn file(&self, path: &Path) -> String {
        let mut parts: Vec<_> = path.iter().rev().take(2).map(|p| p.to_string_lossy()).collect();
        parts.reverse();
        parts.join("/")
    }
}

/// A device and the school that it was shown with: an approval is of both.
fn shown_as(asking: &Asking) -> String {
    format!("{}/{}", asking.device, asking.school)
}

/// `GET /devices/sticks`
pub(crate) async fn show(ctx: Ctx) -> Result<Response, Fault> {
    sticks_page(&ctx, Form::default(), None, (Vec::new(), true)).await
}

async fn sticks_page(
    ctx: &Ctx,
    f: Form,
    found: Option<(Batch, String)>,
    (done, whole): (Vec<(String, String)>, bool),
) -> Result<Response, Fault> {
    may(ctx)?;
    let l = ctx.l;
    let (drives, schools) = ctx
        .run(|n| {
            let all = office::organisations(n)?;
            let schools = all.into_iter().filter(Organisation::is_school);
            let schools = schools.map(|o| Choice::new(o.id, o.name)).collect();
            Ok((stick::drives(), schools))
        })
        .await?;
    html(&SticksPage {
        l,
        c: Chrome::new(ctx, l.t("批量入网", "Enrolment by sticks"), "devices"),
        f,
        drives,
        schools,
        found,
        done,
        whole,
    })
}

/// `POST /devices/sticks`: what the field `do` names. A kit may come with the file of the county's roster.
pub(crate) async fn act(State(app): State<App>, mut request: Request) -> Result<Response, Fault> {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|v| v.to_str().ok());
    let (ctx, mut form, file) = match kind.is_some_and(|kind| kind.starts_with("multipart/")) {
        true => {
            let ctx: Ctx = request.extract_parts_with_state(&app).await?;
            may(&ctx)?;
            if !guard::same_origin(request.headers(), request.uri()) {
                return Err(Fault::Stale);
            }
            let (form, name, bytes) = read_upload(&app, request).await?;
            check_token(&ctx.who.csrf, form.raw("csrf"))?;
            (ctx, form, (!bytes.is_empty()).then_some((name, bytes)))
        }
        false => {
            let Post { ctx, form } = Post::from_request(request, &app).await?;
            may(&ctx)?;
            (ctx, form, None)
        }
    };
    if form.text("do") == "approve" {
        return approve(&ctx, form).await;
    }
    let Some(path) = place(&mut form) else {
        return sticks_page(&ctx, form, None, (Vec::new(), true)).await;
    };
    match form.text("do").as_str() {
        "look" => look(&ctx, form, path, (Vec::new(), true)).await,
        "kit" => make(&ctx, form, path, file).await,
        _ => Err(Fault::NotFound),
    }
}

async fn look(
    ctx: &Ctx,
    mut form: Form,
    path: PathBuf,
    done: (Vec<(String, String)>, bool),
) -> Result<Response, Fault> {
    let at = path.display().to_string();
    match ctx.app.attempt(move |n| batch::find(n, &[path])).await? {
        Ok(found) => sticks_page(ctx, form, Some((found, at)), done).await,
        Err(error) => {
            not_opened(&mut form, error)?;
            sticks_page(ctx, form, None, done).await
        }
    }
}

/// Makes a kit; with each school's own rows of a roster, if a file came along.
async fn make(
    ctx: &Ctx,
    mut form: Form,
    path: PathBuf,
    file: Option<(String, Vec<u8>)>,
) -> Result<Response, Fault> {
    let mut order = Order {
        schools: form.all("school").map(str::to_owned).collect(),
        ..Order::default()
    };
    if form.has("program") {
        let own = std::env::current_exe().map_err(|e| Fault::Inside(format!("own program: {e}")))?;
        order.programs.push(own);
    }
    if let Some((name, bytes)) = file {
        let (schools, year) = (order.schools.clone(), this_year().0);
        match ctx
            .run(move |n| rosters(n, &bytes, &name, year, &schools))
            .await?
        {
            Ok(rosters) if rosters.is_empty() => form.fail(
                "file",
                "花名册里没有认出这些学校的教师，什么也没有写",
                "No teacher of these schools was found in the roster; nothing was written",
            ),
            Ok(rosters) => order.rosters = rosters,
            Err(error) => form.fail("file", &error.zh(), &error.to_string()),
        }
        if !form.ok() {
            return sticks_page(ctx, form, None, (Vec::new(), true)).await;
        }
    }
    let names = order.rosters.len();
    let out = path.join(kit::FOLDER);
    let at = out.display().to_string();
    match ctx.app.attempt(move |n| kit::make(n, &out, &order)).await? {
        Ok(made) => {
            ctx.log("kit", &at).await;
            let (schools, devices) = (made.schools.len(), made.devices.len());
            let whole = made.failed.is_empty();
            let mut done = vec![(
                format!(
                    "写好了：{at} 里有 {schools} 所学校的文件夹、{devices} 台已批准设备的批复和起始数据。可以拔下U盘。"
                ),
                format!(
                    "Done: {schools} schools and {devices} approved devices in {at}. The stick can be removed."
                ),
            )];
            if names > 0 {
                done.push((
                    format!("花名册：{names} 所学校的文件夹里有本校的教师名单。"),
                    format!("Rosters: the folders of {names} schools have the names of their own teachers."),
                ));
            }
            if names > 1 {
                done.push((
                    "注意：U盘上有几所学校教师的名单。分别送到各校的U盘，请每校做一个（只装这一所）。".into(),
                    "Names of several schools lie on this stick; give each school a stick of its own.".into(),
                ));
            }
            for (name, error) in made.failed {
                done.push((
                    format!("“{name}”没有写成：{}", error.zh()),
                    format!("{name}: not written: {error}"),
                ));
            }
            for program in made.programs {
                let name = program
                    .file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned();
                done.push((
                    format!("程序“{name}”已复制并复核。"),
                    format!("The program {name} was copied and read back."),
                ));
            }
            sticks_page(ctx, Form::default(), None, (done, whole)).await
        }
        Err(error) => {
            not_opened(&mut form, error)?;
            sticks_page(ctx, form, None, (Vec::new(), true)).await
        }
    }
}

/// Approves those that are marked; each is looked at again, as the stick is now, and is approved for the school that was
/// shown or not at all.
async fn approve(ctx: &Ctx, mut form: Form) -> Result<Response, Fault> {
    let path = PathBuf::from(form.text("place"));
    let marked: BTreeSet<String> = form.all("device").map(str::to_owned).collect();
    if marked.is_empty() {
        form.fail("device", "请至少选一份申请", "Choose one request at least");
    }
    if !form.has("compared") {
        form.fail(
            "compared",
            "请先和各校核对数字，再勾选",
            "Compare the digits with the schools first, then tick this",
        );
    }
    if !form.ok() {
        return look(ctx, form, path, (Vec::new(), true)).await;
    }
    let at = path.clone();
    let results = ctx
        .app
        .attempt(move |n| {
            let found = batch::find(n, &[at])?.asking;
            let chosen: Vec<&Asking> = (found.iter()).filter(|a| marked.contains(&shown_as(a))).collect();
            let passed_over = marked.len().saturating_sub(chosen.len());
            let results = batch::approve_all(n, &chosen).into_iter();
            let results = results.map(|(a, done)| {
                // Also when the stick could not be written to: the approval stands.
                let stands = n.roll().is_member(&a.device);
                (a.clone(), stands, done.map_err(|e| (e.zh(), e.to_string())))
            });
            Ok((results.collect::<Vec<_>>(), passed_over))
        })
        .await?;
    let (results, passed_over) = match results {
        Ok(results) => results,
        Err(error) => {
            not_opened(&mut form, error)?;
            return sticks_page(ctx, form, None, (Vec::new(), true)).await;
        }
    };
    let (mut done, mut whole) = (Vec::new(), passed_over == 0);
    if passed_over > 0 {
        done.push((
            format!("{passed_over} 份勾选的申请没有批准：U盘上的申请在显示以后改了，请在下面重新核对。"),
            format!("{passed_over} marked requests were not approved: they have changed since they were shown; look at them below."),
        ));
    }
    for (asking, stands, result) in results {
        let who = format!("{} · {}", asking.school_name, asking.label);
        match result {
            Ok(_) => {
                done.push((
                    format!("{who}：已批准，批复和起始数据已写到U盘。"),
                    format!("{who}: approved; answer and data are on the stick."),
                ));
            }
            Err((zh, en)) => {
                whole = false;
                done.push((format!("{who}：没有办完：{zh}"), format!("{who}: not done: {en}")));
            }
        }
        if stands {
            ctx.log("approve", &asking.device.short()).await;
        }
    }
    look(ctx, Form::default(), path, (done, whole)).await
}
