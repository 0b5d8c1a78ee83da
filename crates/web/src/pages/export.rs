//! Exporting tables as XLSX (for print and WPS) or CSV: a school's roster, its register of class-hours and credits
//! (F8), its summary (F2), its trainings as the national system takes them; a session's sign-in sheet (F9); the
//! county's dashboard (F3). What they say is gathered in `export_lines`.

use std::collections::HashMap;

use askama::Template;
use axum::extract::{Path, Query};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use node::Node;
use node::office;
use records::rules::r1;
use serde::Deserialize;

use crate::fault::{Fault, encode};
use crate::form::{self, Form};
use crate::lang::Lang;
use crate::page::{self, Chrome, html};
use crate::pages::board::Whose;
use crate::pages::{county, export_lines};
use crate::sheet::SheetError;
use crate::sheet::table::to_file;
use crate::sheet::write::{self, Heads, SchoolSummary};
use crate::who::{Ctx, Right};

#[derive(Template)]
#[template(path = "export.html")]
struct ExportPage {
    l: Lang,
    c: Chrome,
    f: Form,
    /// Code, name and use of each table.
    tables: [[&'static str; 3]; 4],
}

#[derive(Deserialize)]
pub(crate) struct Made {
    #[serde(default)]
    made_on: String,
}

/// `GET /export`
pub(crate) async fn form(ctx: Ctx) -> Result<Response, Fault> {
    ctx.need(Right::Read)?;
    ctx.school()?;
    export_page(&ctx, Form::filled([("made_on", page::today())]))
}

/// Code, name and use of each table.
pub(crate) fn tables(l: Lang) -> [[&'static str; 3]; 4] {
    [
        [
            "roster",
            l.t("教师花名册", "Roster"),
            l.t("改好后可以再导入", "can be imported again after changes"),
        ],
        [
            "claims",
            l.t("学时学分登记表", "Register of class-hours and credits"),
            l.t(
                "每条登记一行，带县审核意见",
                "one line for each claim, with the county's decision",
            ),
        ],
        [
            "summary",
            l.t("学校学分汇总表", "Summary of the school's credits"),
            l.t(
                "达标人数、各类别学分",
                "people who meet the requirements, credits by category",
            ),
        ],
        [
            "training",
            l.t("国内培训信息", "Trainings for the national system"),
            l.t(
                "县已认定的，按全国教师管理信息系统的栏目",
                "what the county recognised, in the columns of the national teachers' system",
            ),
        ],
    ]
}

fn export_page(ctx: &Ctx, f: Form) -> Result<Response, Fault> {
    let l = ctx.l;
    html(&ExportPage {
        l,
        c: Chrome::new(ctx, l.t("导出", "Export"), "export"),
        f,
        tables: tables(l),
    })
}

/// `GET /export/{what}`: `roster.xlsx`, `claims.csv` …
pub(crate) async fn download(
    ctx: Ctx,
    Path(what): Path<String>,
    Query(made): Query<Made>,
) -> Result<Response, Fault> {
    ctx.need(Right::Read)?;
    let school = ctx.school()?;
    let mut f = Form::filled([("made_on", made.made_on)]);
    let made_on = form::date(&mut f, "made_on");
    if !f.ok() {
        return export_page(&ctx, f);
    }
    send(&ctx, school, &what, made_on, None).await
}

/// `GET /schools/{id}/export/{what}`: the same tables at the county, of what has arrived there.
pub(crate) async fn download_at_county(
    ctx: Ctx,
    Path((id, what)): Path<(String, String)>,
    Query(made): Query<Made>,
) -> Result<Response, Fault> {
    ctx.county()?;
    ctx.need(Right::Read)?;
    let wanted = id.clone();
    let last = ctx
        .run(move |n| {
            let known = office::organisations(n)?.into_iter().any(|o| o.id == wanted);
            let last = office::last_contact(n, &wanted, page::now())?;
            Ok(known.then_some(last))
        })
        .await?;
    let last = last.ok_or(Fault::NotFound)?;
    let mut f = Form::filled([("made_on", made.made_on)]);
    let made_on = form::date(&mut f, "made_on");
    // The page sends today's date; a link without one means the same.
    let made_on = if f.ok() { made_on } else { page::today() };
    let cutoff = last.map_or("—".to_owned(), |at| page::moment(&at));
    send(&ctx, id, &what, made_on, Some(cutoff)).await
}

/// `GET /sessions/{id}/export/{what}`: `signin.xlsx`, `signin.csv`.
pub(crate) async fn download_sign_in(
    ctx: Ctx,
    Path((id, what)): Path<(String, String)>,
    Query(made): Query<Made>,
) -> Result<Response, Fault> {
    ctx.need(Right::Read)?;
    let own = if ctx.app.county() {
        None
    } else {
        Some(ctx.school()?)
    };
    let found = ctx.run(move |n| office::session(n, &id)).await?;
    // A school exports its own sessions; the county those that it has received.
    let session = found
        .filter(|s| own.is_none() || own.as_deref() == Some(s.row.school.as_str()))
        .ok_or(Fault::NotFound)?;
    let made_on = typed_or_today(made.made_on);
    let kind = Kind::of(&what, &["signin"])?.1;
    let file = ctx
        .run(move |n| {
            let heads = heads(n, &session.row.school, &made_on)?;
            let lines = export_lines::sign_ins(n, &session)?;
            let bytes = to_file(write::sign_in(&session, &lines, &heads), kind == Kind::Xlsx);
            Ok(File {
                name: format!("{}签到表{}", session.row.title, session.row.date),
                of: heads.school_name,
                bytes,
            })
        })
        .await?;
    answer(&ctx, &what, kind, file).await
}

/// `GET /schools/export/{what}`: `dashboard.xlsx`, `dashboard.csv`, with the filters of the list of schools.
pub(crate) async fn download_dashboard(
    ctx: Ctx,
    Path(what): Path<String>,
    Query(search): Query<county::Search>,
    Query(whose): Query<Whose>,
    Query(made): Query<Made>,
) -> Result<Response, Fault> {
    ctx.county()?;
    ctx.need(Right::Read)?;
    let made_on = typed_or_today(made.made_on);
    let kind = Kind::of(&what, &["dashboard"])?.1;
    let place = page::place(&ctx.app, ctx.l);
    let file = ctx
        .run(move |n| {
            let mut rows = county::rows(n)?;
            search.apply(&mut rows);
            whose.apply(n, &mut rows)?;
            let heads = Heads {
                school_name: n.county_name().unwrap_or(place),
                school_code: String::new(),
                ..heads(n, "", &made_on)?
            };
            let lines = export_lines::dashboard(n, &rows, &whose)?;
            let bytes = to_file(write::dashboard(&lines, &heads), kind == Kind::Xlsx);
            let name = format!("{}达标看板{made_on}", heads.school_name);
            Ok(File {
                name,
                of: heads.school_name,
                bytes,
            })
        })
        .await?;
    answer(&ctx, &what, kind, file).await
}

/// The page sends today's date; a link without one means the same.
fn typed_or_today(typed: String) -> String {
    let mut f = Form::filled([("made_on", typed)]);
    let made_on = form::date(&mut f, "made_on");
    if f.ok() { made_on } else { page::today() }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Xlsx,
    Csv,
}

impl Kind {
    /// The table and kind that a name such as `claims.csv` means.
    fn of<'a>(what: &'a str, known: &[&str]) -> Result<(&'a str, Kind), Fault> {
        match what.split_once('.') {
            Some((table, "xlsx")) if known.contains(&table) => Ok((table, Kind::Xlsx)),
            Some((table, "csv")) if known.contains(&table) => Ok((table, Kind::Csv)),
            _ => Err(Fault::NotFound),
        }
    }

    fn ending(self) -> &'static str {
        match self {
            Kind::Xlsx => "xlsx",
            Kind::Csv => "csv",
        }
    }

    fn mime(self) -> &'static str {
        match self {
            Kind::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            Kind::Csv => "text/csv; charset=utf-8",
        }
    }
}

/// A table on its way to the browser.
struct File {
    /// Its name, without the ending.
    name: String,
    /// Whose it is, for the access log.
    of: String,
    bytes: Written,
}

/// Sends a table of a school. `cutoff` says up to when the data go, for a node that has them from others.
async fn send(
    ctx: &Ctx,
    school: String,
    what: &str,
    made_on: String,
    cutoff: Option<String>,
) -> Result<Response, Fault> {
    let known = tables(ctx.l).map(|[code, ..]| code);
    let (table, kind) = Kind::of(what, &known)?;
    let title = tables(Lang::Zh)
        .iter()
        .find(|[code, ..]| *code == table)
        .map_or("", |[_, title, _]| *title);
    let wanted = table.to_owned();
    let file = ctx
        .run(move |n| {
            let mut heads = heads(n, &school, &made_on)?;
            if let Some(cutoff) = cutoff {
                heads.cutoff = cutoff;
            }
            let bytes = write_table(n, &school, &heads, &wanted, kind == Kind::Xlsx)?;
            let name = format!("{}{title}{made_on}", heads.school_name);
            Ok(File {
                name,
                of: heads.school_name,
                bytes,
            })
        })
        .await?;
    answer(ctx, what, kind, file).await
}

/// Sends a file and notes it in the access log.
async fn answer(ctx: &Ctx, what: &str, kind: Kind, file: File) -> Result<Response, Fault> {
    let bytes = file.bytes.map_err(|e| Fault::Inside(e.to_string()))?;
    ctx.log("export", &format!("{} {what}", file.of)).await;
    let disposition = format!(
        "attachment; filename=\"{what}\"; filename*=UTF-8''{}.{}",
        encode(&file.name).replace('/', "%2F"),
        kind.ending()
    );
    let disposition = HeaderValue::from_str(&disposition).map_err(|e| Fault::Inside(e.to_string()))?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind.mime())),
        (header::CONTENT_DISPOSITION, disposition),
    ];
    Ok((headers, bytes).into_response())
}

pub(crate) fn heads(node: &Node, school: &str, made_on: &str) -> Result<Heads, node::Error> {
    let known = office::organisations(node)?.into_iter().find(|o| o.id == school);
    let rules = node.rules().newest(&r1().head.id);
    let rules = rules.as_deref().map_or(&r1().head, |rules| &rules.head);
    // A school's own page shows everything that is here, so the data end with the moment of printing.
    Ok(Heads {
        // Before the registry has arrived, the name that the device was given.
        school_name: known.as_ref().map_or_else(|| node.label(), |o| o.name.clone()),
        school_code: known.map(|o| o.school_code).unwrap_or_default(),
        cutoff: page::moment(&page::now()),
        ruleset: format!("{}（{}/{}）", rules.title_zh, rules.id, rules.version),
        made_on: made_on.to_owned(),
    })
}

/// One table of a school as a file, for the page and the command line: `what` is `roster`, `claims`,
/// `summary` or `training`, `made_on` the date printed on it (`YYYY-MM-DD`).
pub fn table(
    node: &Node,
    school: &str,
    what: &str,
    xlsx: bool,
    made_on: &str,
) -> Result<Written, node::Error> {
    write_table(node, school, &heads(node, school, made_on)?, what, xlsx)
}

type Written = Result<Vec<u8>, SheetError>;

fn write_table(
    node: &Node,
    school: &str,
    heads: &Heads,
    what: &str,
    xlsx: bool,
) -> Result<Written, node::Error> {
    let teachers = office::roster(node, school)?;
    if what == "roster" {
        // Whoever was entered by mistake stands on no list.
        let teachers: Vec<_> = teachers.into_iter().filter(|t| t.status != "void").collect();
        return Ok(if xlsx {
            write::roster_xlsx(&teachers, heads)
        } else {
            write::roster_csv(&teachers, heads)
        });
    }
    let claims: Vec<office::ClaimRow> = office::all_claims(node, school)?.iter().cloned().collect();
    if what == "claims" || what == "training" {
        let codes: HashMap<String, String> = teachers.into_iter().map(|t| (t.id, t.teacher_code)).collect();
        let lines = export_lines::claims(node, claims, &codes)?;
        return Ok(match what {
            "training" => to_file(write::training(&lines, heads), xlsx),
            _ if xlsx => write::claims_xlsx(&lines, heads),
            _ => write::claims_csv(&lines, heads),
        });
    }
    let mut summary = SchoolSummary::of(&heads.school_name, &teachers, &claims);
    let mut met = 0;
    for t in teachers.iter().filter(|t| t.in_service()) {
        match office::credit_card(node, &t.id)? {
            Some(view) if view.card.complete => met += 1,
            _ => summary.unmet.push(t.name.clone()),
        }
    }
    summary.met = Some(met);
    export_lines::around(node, school, &claims, &mut summary)?;
    let one = [summary];
    Ok(if xlsx {
        write::school_summary_xlsx(&one, heads)
    } else {
        write::school_summary_csv(&one, heads)
    })
}
