//! Importing a list of people: who came to a session, who passed, who learned outside the school. Upload or paste,
//! a preview in which a person says who is meant where a number does not, confirmation.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use askama::Template;
use axum::RequestExt;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use node::office::{self, ImportFile, MarkInput, OutsideRow, PassRow, Teacher};
use node::{Filter, Node};
use records::date::parse_stored_date;
use records::{Kinds, SchoolYear};

use crate::app::App;
use crate::fault::Fault;
use crate::form::{self, Form};
use crate::guard;
use crate::import::{self, digest};
use crate::labels::{self, Choice};
use crate::lang::Lang;
use crate::page::{self, Chrome, html};
use crate::pages::import::{Plan, Upload, gone, read_upload, this_year, years};
use crate::sheet::grid;
use crate::sheet::lists::{Found, ListContext, ListPlan, ListRow, Says, What, plan_list};
use crate::sheet::text::squeeze;
use crate::who::{Ctx, Post, Right, check_token};

/// A list between preview and confirmation.
pub(crate) struct Listed {
    what: What,
    /// The session that it is of: id and title.
    session: Option<(String, String)>,
    /// The date that was typed: of the assessment, or of the registration.
    on: String,
    plan: ListPlan,
    people: HashMap<String, Teacher>,
    known: HashMap<String, Says>,
}

#[derive(Template)]
#[template(path = "list_import.html")]
struct UploadPage {
    l: Lang,
    c: Chrome,
    f: Form,
    /// The session that the list is of: id and title; none for outside hours.
    session: Option<(String, String)>,
    years: Vec<Choice>,
    year: String,
    forms: Vec<Choice>,
    categories: Vec<Choice>,
    channels: Vec<Choice>,
    today: String,
}

/// One row of the preview.
struct Line {
    /// Number of the row in the plan, for the name of its choice.
    n: usize,
    at: String,
    name: String,
    code: String,
    /// Those who may be meant.
    choices: Vec<Choice>,
    /// Who is taken unless another is chosen.
    default: String,
    /// What is recorded now, or empty.
    old: String,
    /// What the row says.
    new: String,
}

#[derive(Template)]
#[template(path = "list_preview.html")]
struct PreviewPage<'a> {
    l: Lang,
    c: Chrome,
    f: Form,
    file: &'a str,
    back: String,
    token: &'a str,
    plan: &'a ListPlan,
    summary: Vec<String>,
    choose: Vec<Line>,
    sure: Vec<Line>,
}

impl PreviewPage<'_> {
    /// The fields of the choices, so that no fault beside them is told twice.
    fn fields(&self) -> String {
        let names = self.choose.iter().map(|line| format!("p-{}", line.n));
        names.chain(["checked".to_owned()]).collect::<Vec<_>>().join(" ")
    }
}

/// Rows of each list that the preview shows; the summary counts all of them.
const SHOWN: usize = 300;

/// The session, if lists of it can be imported here: id, title and school year.
async fn session_of(ctx: &Ctx, id: String) -> Result<(String, String, i32), Fault> {
    ctx.need(Right::Enter)?;
    let school = ctx.school()?;
    let found = ctx.run(move |n| office::session(n, &id)).await?;
    let Some(s) = found.filter(|s| s.row.school == school) else {
        return Err(Fault::NotFound);
    };
    if s.row.state == "void" {
        return Err(Fault::Refused(
            "活动已作废，不能再导入名单。",
            "This session is void; no list can be imported.",
        ));
    }
    let year = parse_stored_date(&s.row.date).map_or(this_year(), SchoolYear::of);
    Ok((s.row.id, s.row.title, year.0))
}

/// `GET /sessions/{id}/import`
pub(crate) async fn form(ctx: Ctx, Path(id): Path<String>) -> Result<Response, Fault> {
    let (id, title, _) = session_of(&ctx, id).await?;
    upload_page(&ctx, Some((id, title)), Form::default())
}

/// `GET /import/outside`
pub(crate) async fn outside_form(ctx: Ctx) -> Result<Response, Fault> {
    ctx.need(Right::Enter)?;
    ctx.school()?;
    upload_page(&ctx, None, Form::default())
}

fn upload_page(ctx: &Ctx, session: Option<(String, String)>, f: Form) -> Result<Response, Fault> {
    let l = ctx.l;
    let title = match session {
        Some(_) => l.t("导入名单", "Import a list"),
        None => l.t("导入校外培训学时", "Import class-hours earned outside"),
    };
    html(&UploadPage {
        l,
        c: Chrome::new(ctx, title, if session.is_some() { "sessions" } else { "import" }),
        f,
        session,
        years: years(l),
        year: this_year().0.to_string(),
        forms: labels::choices(l, "session", "form"),
        categories: labels::choices(l, "session", "category"),
        channels: labels::choices(l, "session", "channel"),
        today: page::today(),
    })
}

/// `POST /sessions/{id}/import`
pub(crate) async fn upload(
    State(app): State<App>,
    Path(id): Path<String>,
    mut request: Request,
) -> Result<Response, Fault> {
    let ctx: Ctx = request.extract_parts_with_state(&app).await?;
    let (id, title, year) = session_of(&ctx, id).await?;
    read(ctx, request, Some((id, title)), year).await
}

/// `POST /import/outside`
pub(crate) async fn outside_upload(State(app): State<App>, mut request: Request) -> Result<Response, Fault> {
    let ctx: Ctx = request.extract_parts_with_state(&app).await?;
    ctx.need(Right::Enter)?;
    ctx.school()?;
    read(ctx, request, None, this_year().0).await
}

/// Reads the list and shows what importing it would do.
async fn read(
    ctx: Ctx,
    request: Request,
    session: Option<(String, String)>,
    year: i32,
) -> Result<Response, Fault> {
    if !guard::same_origin(request.headers(), request.uri()) {
        return Err(Fault::Stale);
    }
    let (mut form, mut name, mut bytes) = read_upload(&ctx.app, request).await?;
    check_token(&ctx.who.csrf, form.raw("csrf"))?;
    let what = match (&session, form.get("what")) {
        (None, _) => What::Outside,
        (Some(_), "passes") => What::Passes,
        (Some(_), _) => What::Attendance,
    };
    let on = match what {
        What::Attendance => String::new(),
        _ => form::date(&mut form, "on"),
    };
    let year = form.get("year").parse().unwrap_or(year);
    if bytes.is_empty() {
        bytes = pasted(form.raw("paste")).into_bytes();
        name = ctx.l.t("粘贴的名单", "pasted list").to_owned();
    }
    if bytes.is_empty() {
        form.fail(
            "file",
            "请选择一个文件，或把名单粘贴在下面",
            "Choose a file, or paste the list below",
        );
    }
    if !form.ok() {
        return upload_page(&ctx, session, form);
    }
    let token = page::random_token()?;
    let file = ImportFile {
        id: token.clone(),
        what: what.code().to_owned(),
        about: session.as_ref().map(|(id, _)| id.clone()).unwrap_or_default(),
        name: name.clone(),
        hash: digest(&bytes),
    };
    let context = ListContext {
        what,
        year,
        form: form.text("form"),
        category: form.text("category"),
        channel: form.text("channel"),
        ..ListContext::default()
    };
    let (asked, school) = (file.clone(), ctx.school()?);
    let planned = ctx
        .run(move |node| {
            Ok(match grid::read(&bytes, &name) {
                Ok(book) => {
                    let context = known(node, &school, &asked, context)?;
                    Ok((plan_list(&book, &context), context))
                }
                Err(error) => Err(error),
            })
        })
        .await?;
    let (plan, context) = match planned {
        Ok(planned) => planned,
        Err(error) => {
            form.fail("file", &error.zh(), &error.to_string());
            return upload_page(&ctx, session, form);
        }
    };
    let people = context.people.into_iter().map(|t| (t.id.clone(), t)).collect();
    let upload = Upload {
        token,
        account: ctx.who.account.id.clone(),
        file,
        plan: Plan::List(Arc::new(Listed {
            what,
            session,
            on,
            plan,
            people,
            known: context.known,
        })),
        at: page::now(),
    };
    let shown = preview(&ctx, &upload, Form::default());
    ctx.app.uploads.keep(upload);
    shown
}

/// A list as it is copied out of a chat: names one after the other become one a row; a table stays one.
fn pasted(text: &str) -> String {
    let text = text.trim();
    if text.contains('\t') || text.contains("姓名") {
        return text.to_owned();
    }
    let names = text.split(['、', '，', ',', '；', ';', '\n', '\r', ' ', '\u{3000}']);
    names
        .filter(|name| !name.is_empty())
        .collect::<Vec<_>>()
        .join("\n")
}

/// Adds to the clerk's choices what this school has recorded.
fn known(
    node: &Node,
    school: &str,
    file: &ImportFile,
    context: ListContext,
) -> Result<ListContext, node::Error> {
    let mut known = HashMap::new();
    if context.what == What::Attendance {
        for record in node.records(&Filter::kind("attendance").about(&file.about).school(school))? {
            let text = |field: &str| record.text(field).to_owned();
            let says = Says::Mark {
                status: text("status"),
                arrived: text("arrived"),
                left: text("left"),
                reason: text("reason"),
            };
            if record.text("status") != "void" && !record.disputed {
                known.insert(text("person"), says);
            }
        }
    }
    if context.what == What::Passes {
        for record in node.records(&Filter::kind("assessment").about(&file.about).school(school))? {
            let says = Says::Pass {
                result: record.text("result").to_owned(),
                points_c: record.fields.get("points").and_then(|points| points.as_int()),
                number: record.text("number").to_owned(),
            };
            if record.text("state") != "void" && !record.disputed {
                known.insert(record.text("person").to_owned(), says);
            }
        }
    }
    let claimed = match context.what {
        What::Outside => office::outside_claims(node, school)?,
        _ => BTreeSet::new(),
    };
    let organisations = office::organisations(node)?;
    let home = import::home_school(node, &organisations);
    let home = home
        .into_iter()
        .flat_map(|home| [home.name, home.short_name, home.code]);
    let others = organisations.into_iter().filter(|o| o.id != school);
    let others = others.flat_map(|o| [o.name, o.short_name, o.school_code]);
    let names = |names: &mut dyn Iterator<Item = String>| -> BTreeSet<String> {
        names
            .filter(|name| !name.is_empty())
            .map(|name| squeeze(&name))
            .collect()
    };
    let (home, others) = (names(&mut { home }), names(&mut { others }));
    Ok(ListContext {
        people: office::roster(node, school)?,
        taken: office::taken_rows(node, file)?,
        others,
        home,
        claimed,
        known,
        ..context
    })
}

fn preview(ctx: &Ctx, upload: &Upload, f: Form) -> Result<Response, Fault> {
    let l = ctx.l;
    let Plan::List(listed) = &upload.plan else {
        return Err(Fault::NotFound);
    };
    let plan = &listed.plan;
    let choose = plan.to_choose().map(|(n, row)| line(l, listed, n, row)).collect();
    let sure = plan
        .sure()
        .take(SHOWN)
        .map(|row| line(l, listed, 0, row))
        .collect();
    let [zh, en]: [Vec<String>; 2] =
        plan.summary()
            .into_iter()
            .fold(Default::default(), |[mut zhs, mut ens], [zh, en]| {
                zhs.push(zh);
                ens.push(en);
                [zhs, ens]
            });
    html(&PreviewPage {
        l,
        c: Chrome::new(ctx, l.t("导入预览", "Preview of the import"), "import"),
        f,
        file: &upload.file.name,
        back: match &listed.session {
            Some((id, _)) => format!("/sessions/{id}/import"),
            None => "/import/outside".to_owned(),
        },
        token: &upload.token,
        plan,
        summary: if l.zh() { zh } else { en },
        choose,
        sure,
    })
}

fn line(l: Lang, listed: &Listed, n: usize, row: &ListRow) -> Line {
    let choice = |id: &String| {
        let teacher = listed.people.get(id)?;
        let code = match teacher.teacher_code.as_str() {
            "" => l.t("没有编号", "no code"),
            code => code,
        };
        let more = [
            teacher.subject.as_str(),
            &labels::label(l, "person", "status", &teacher.status),
        ]
        .into_iter()
        .filter(|text| !text.is_empty())
        .fold(String::new(), |all, text| format!("{all} · {text}"));
        Some(Choice::new(id.clone(), format!("{} {code}{more}", teacher.name)))
    };
    let (ids, default) = match &row.found {
        Found::Sure(id) => (vec![id.clone()], id.clone()),
        // One of the name, and no number that says otherwise: offered, and confirmed by the tick below the list.
        Found::Choose(ids) => match ids.as_slice() {
            [one] if row.code.is_empty() => (ids.clone(), one.clone()),
            _ => (ids.clone(), String::new()),
        },
    };
    let old = match &row.found {
        Found::Sure(id) => listed.known.get(id).map(|says| words(l, says)),
        Found::Choose(_) => None,
    };
    Line {
        n,
        at: row.key.clone(),
        name: row.name.clone(),
        code: row.code.clone(),
        choices: ids.iter().filter_map(choice).collect(),
        default,
        old: old.unwrap_or_default(),
        new: words(l, &row.says),
    }
}

/// What a row says, for people.
fn words(l: Lang, says: &Says) -> String {
    let label = |kind: &str, field: &str, code: &str| {
        Kinds::builtin()
            .code_label(kind, field, code, l.into())
            .to_owned()
    };
    let parts = match says {
        Says::Mark {
            status,
            arrived,
            left,
            reason,
        } => {
            let times = if arrived.is_empty() && left.is_empty() {
                String::new()
            } else {
                format!("{arrived}–{left}")
            };
            vec![label("attendance", "status", status), times, reason.clone()]
        }
        Says::Pass {
            result,
            points_c,
            number,
        } => vec![
            label("assessment", "result", result),
            points_c.map_or_else(String::new, |points| page::amount(&points)),
            number.clone(),
        ],
        Says::Outside(training) => vec![
            training.project.clone(),
            training.organiser.clone(),
            match training.until.as_str() {
                "" => training.from.clone(),
                until => format!("{}–{until}", training.from),
            },
            format!(
                "{} {}",
                page::amount(&training.hours_c),
                l.t("学时", "class-hours")
            ),
            label("session", "category", &training.category),
            label("session", "channel", &training.channel),
        ],
    };
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join(" · ")
}

/// `POST /import/list`: carries out what the preview showed, with the choices made in it.
pub(crate) async fn confirm(Post { ctx, mut form }: Post) -> Result<Response, Fault> {
    ctx.need(Right::Enter)?;
    ctx.school()?;
    let token = form.text("token");
    let found = ctx.app.uploads.look(&token, &ctx.who.account.id);
    let Some(upload) = found else {
        return gone(&ctx, &token, "/imports").await;
    };
    let Plan::List(listed) = &upload.plan else {
        return gone(&ctx, &token, "/imports").await;
    };
    let rows = chosen(&mut form, listed);
    if form.ok() && rows.is_empty() {
        form.fail(
            "checked",
            "一行也没有选，没有可导入的",
            "No row is chosen; there is nothing to import",
        );
    }
    if !form.ok() {
        return preview(&ctx, &upload, form);
    }
    let (by, file, listed) = (ctx.who.by(), upload.file.clone(), listed.clone());
    let done = ctx
        .app
        .attempt(move |node| write(node, &by, &file, &listed, rows))
        .await?;
    match done {
        Ok(n) => {
            ctx.app.uploads.take(&token, &ctx.who.account.id);
            ctx.log("import", &upload.file.name).await;
            let to = if n == 0 {
                "/imports".to_owned()
            } else {
                format!("/imports/{token}")
            };
            Ok(Redirect::to(&format!("{to}?done=imported&n={n}")).into_response())
        }
        Err(node::Error::Invalid(errors)) => {
            form.fail_all(&errors);
            preview(&ctx, &upload, form)
        }
        Err(other) => Err(other.into()),
    }
}

/// The rows to be written, each with its person. A fault stands beside the choice that it is about.
fn chosen(form: &mut Form, listed: &Listed) -> Vec<(String, ListRow)> {
    let mut rows = Vec::new();
    let mut taken: BTreeMap<String, String> = BTreeMap::new();
    let mark = |person: &str, says: &Says| match says {
        Says::Outside(training) => format!("{person}{training:?}"),
        _ => person.to_owned(),
    };
    for row in listed.plan.sure() {
        if let Found::Sure(person) = &row.found {
            taken.insert(mark(person, &row.says), row.key.clone());
            rows.push((person.clone(), row.clone()));
        }
    }
    let mut by_choice = false;
    for (n, row) in listed.plan.to_choose() {
        let field = format!("p-{n}");
        let person = form.text(&field);
        let Found::Choose(candidates) = &row.found else {
            continue;
        };
        if person.is_empty() {
            continue;
        }
        if !candidates.contains(&person) {
            form.fail(&field, "请在列出的老师里选", "Choose one of those listed");
            continue;
        }
        by_choice = true;
        if let Some(first) = taken.insert(mark(&person, &row.says), row.key.clone()) {
            form.fail(
                &field,
                &format!("与 {first} 选了同一个人，请改选或选“不导入”"),
                &format!("the same person as for {first}; choose another, or leave the row out"),
            );
            continue;
        }
        rows.push((person, row.clone()));
    }
    if by_choice && !form.has("checked") {
        form.fail(
            "checked",
            "请逐一核对上面选定的人，再打勾；还没有核对的选“不导入这一行”",
            "Check each of the persons chosen above, then tick here; leave out those not checked",
        );
    }
    rows
}

fn write(
    node: &Node,
    by: &office::By,
    file: &ImportFile,
    listed: &Listed,
    rows: Vec<(String, ListRow)>,
) -> Result<usize, node::Error> {
    let (mut marks, mut trainings, mut passes) = (Vec::new(), Vec::new(), Vec::new());
    for (person, row) in rows {
        let key = row.key;
        match row.says {
            Says::Mark {
                status,
                arrived,
                left,
                reason,
            } => {
                marks.push(MarkInput {
                    key,
                    person,
                    status,
                    arrived,
                    left,
                    reason,
                });
            }
            Says::Outside(training) => trainings.push(OutsideRow {
                key,
                person,
                training,
            }),
            Says::Pass {
                result,
                points_c,
                number,
            } => {
                passes.push(PassRow {
                    key,
                    person,
                    result,
                    points_c,
                    number,
                });
            }
        }
    }
    match listed.what {
        What::Attendance => office::import_attendance(node, by, file, marks),
        What::Outside => office::import_outside(node, by, file, trainings, &listed.on),
        What::Passes => office::import_passes(node, by, file, passes, &listed.on),
    }
}
