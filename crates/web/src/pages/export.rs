//! Exporting a school's tables as XLSX (for print and WPS) or CSV: the roster, the register of
//! class-hours and credits (F8), the school's summary (F2).

use std::collections::HashMap;

use askama::Template;
use axum::extract::{Path, Query};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use node::office::{self, ClaimRow};
use node::{Filter, Node};
use records::rules::r1;
use serde::Deserialize;

use crate::fault::{Fault, encode};
use crate::form::{self, Form};
use crate::lang::Lang;
use crate::page::{self, Chrome, html};
use crate::pages::county;
use crate::pages::sessions::MOST;
use crate::sheet::SheetError;
use crate::sheet::write::{self, ClaimLine, Heads, SchoolSummary};
use crate::who::{Ctx, Right};

#[derive(Template)]
#[template(path = "export.html")]
struct ExportPage {
    l: Lang,
    c: Chrome,
    f: Form,
    /// Code, name and use of each table.
    tables: [[&'static str; 3]; 3],
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
pub(crate) fn tables(l: Lang) -> [[&'static str; 3]; 3] {
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
    let found = ctx
        .run(move |n| Ok(county::rows(n)?.into_iter().find(|s| s.id == wanted)))
        .await?;
    let school = found.ok_or(Fault::NotFound)?;
    let mut f = Form::filled([("made_on", made.made_on)]);
    let made_on = form::date(&mut f, "made_on");
    // The page sends today's date; a link without one means the same.
    let made_on = if f.ok() { made_on } else { page::today() };
    let cutoff = school.last_contact.map_or("—".to_owned(), |at| page::moment(&at));
    send(&ctx, id, &what, made_on, Some(cutoff)).await
}

/// Sends a table and notes it in the access log. `cutoff` says up to when the data go, for a node
/// that has them from others.
async fn send(
    ctx: &Ctx,
    school: String,
    what: &str,
    made_on: String,
    cutoff: Option<String>,
) -> Result<Response, Fault> {
    let (table, kind) = what.split_once('.').ok_or(Fault::NotFound)?;
    let title = match table {
        "roster" => "教师花名册",
        "claims" => "学时学分登记表",
        "summary" => "学校学分汇总表",
        _ => return Err(Fault::NotFound),
    };
    let mime = match kind {
        "xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "csv" => "text/csv; charset=utf-8",
        _ => return Err(Fault::NotFound),
    };
    let (wanted, xlsx) = (table.to_owned(), kind == "xlsx");
    let (bytes, name, school_name) = ctx
        .run(move |n| {
            let mut heads = heads(n, &school, &made_on)?;
            if let Some(cutoff) = cutoff {
                heads.cutoff = cutoff;
            }
            let name = format!("{}{title}{made_on}", heads.school_name);
            let bytes = write_table(n, &school, &heads, &wanted, xlsx)?;
            Ok((bytes, name, heads.school_name))
        })
        .await?;
    let bytes = bytes.map_err(|e| Fault::Inside(e.to_string()))?;
    ctx.log("export", &format!("{school_name} {what}")).await;
    let disposition = format!(
        "attachment; filename=\"{what}\"; filename*=UTF-8''{}.{kind}",
        encode(&name).replace('/', "%2F")
    );
    let disposition = HeaderValue::from_str(&disposition).map_err(|e| Fault::Inside(e.to_string()))?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(mime)),
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

/// One table of a school as a file, for the page and the command line: `what` is `roster`, `claims` or
/// `summary`, `made_on` the date printed on it (`YYYY-MM-DD`).
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
        return Ok(if xlsx {
            write::roster_xlsx(&teachers, heads)
        } else {
            write::roster_csv(&teachers, heads)
        });
    }
    let claims = office::claims(node, Some(school), MOST)?;
    if what == "claims" {
        let codes: HashMap<String, String> = teachers.into_iter().map(|t| (t.id, t.teacher_code)).collect();
        let lines = claim_lines(node, school, claims, &codes)?;
        return Ok(if xlsx {
            write::claims_xlsx(&lines, heads)
        } else {
            write::claims_csv(&lines, heads)
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
    let one = [summary];
    Ok(if xlsx {
        write::school_summary_xlsx(&one, heads)
    } else {
        write::school_summary_csv(&one, heads)
    })
}

pub(crate) fn claim_lines(
    node: &Node,
    school: &str,
    claims: Vec<ClaimRow>,
    codes: &HashMap<String, String>,
) -> Result<Vec<ClaimLine>, node::Error> {
    let sessions: HashMap<String, (String, String)> = node
        .records(&Filter::kind("session").school(school))?
        .into_iter()
        .map(|r| {
            (
                r.id.clone(),
                (r.text("theme").to_owned(), r.text("form").to_owned()),
            )
        })
        .collect();
    let line = |claim: ClaimRow| {
        let (theme, form) = sessions.get(&claim.session).cloned().unwrap_or_default();
        ClaimLine {
            teacher_code: codes.get(&claim.person).cloned().unwrap_or_default(),
            theme,
            form,
            claim,
        }
    };
    Ok(claims.into_iter().map(line).collect())
}
