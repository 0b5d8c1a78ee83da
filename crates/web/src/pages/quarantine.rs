//! Quarantine and cuts: which device, which document, why, the evidence and what waits. A county officer
//! mends a case by a cut; schools read.

use askama::Template;
use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse, Redirect, Response};
use node::{Case, KeptRow, Point, Proposal};

use crate::fault::Fault;
use crate::form::Form;
use crate::lang::Lang;
use crate::page::{self, Chrome, html};
use crate::who::{Ctx, Post, Right};

/// What waits or stands aside of one author in one document.
struct Kept {
    document: String,
    label: String,
    why: &'static str,
    count: u64,
    at: i64,
}

#[derive(Template)]
#[template(path = "quarantine.html")]
struct ListPage {
    l: Lang,
    c: Chrome,
    cases: Vec<Case>,
    held: Vec<Kept>,
    aside: Vec<Kept>,
    /// This is an office device that may cut.
    officer: bool,
}

#[derive(Template)]
#[template(path = "quarantine_cut.html")]
struct CutPage {
    l: Lang,
    c: Chrome,
    f: Form,
    case: Case,
}

impl ListPage {
    fn short(&self, hash: &str) -> String {
        short(hash)
    }
}

impl CutPage {
    fn code_of(&self, p: &Proposal) -> &'static str {
        code_of(p.point)
    }

    fn chosen(&self, p: &Proposal) -> bool {
        match self.f.get("point") {
            "" => self.case.proposals.first() == Some(p),
            code => code == code_of(p.point),
        }
    }
}

fn code_of(point: Point) -> &'static str {
    match point {
        Point::Stored => "stored",
        Point::BeforeFault => "before",
    }
}

/// The first and last letters of a hash: enough to compare aloud.
fn short(hash: &str) -> String {
    match (hash.get(..8), hash.get(56..)) {
        (Some(head), Some(tail)) => format!("{head}…{tail}"),
        _ => hash.to_owned(),
    }
}

fn wait_words(l: Lang, wait: &str) -> &'static str {
    match wait {
        "Dependency" => l.t("缺前面的内容", "earlier changes are missing"),
        "UnknownAuthor" => l.t("作者不在名册上", "its author is not in the roll"),
        "NotTheWriter" => l.t("作者无权写这份文档", "its author may not write this document"),
        _ => l.t(
            "作者已被隔离、截断或撤销",
            "its author is quarantined, cut or revoked",
        ),
    }
}

fn aside_words(l: Lang, why: &str) -> &'static str {
    match why {
        "withdrawn" => l.t(
            "本机还原或复制后的另一份，已换编号重写",
            "another branch of this computer; written again under a new number",
        ),
        "branch" => l.t(
            "不是县里截断时认定的那一份",
            "not the branch that the county's cut names",
        ),
        "end" => l.t("在县里截断或撤销之后", "beyond the county's cut or revocation"),
        _ => l.t(
            "写在上述内容之上，作者会重新写入",
            "written on top of such changes; its author says it again",
        ),
    }
}

/// `GET /quarantine`
pub(crate) async fn list(ctx: Ctx) -> Result<Response, Fault> {
    ctx.need(Right::Manage)?;
    let l = ctx.l;
    let (cases, held, aside) = ctx
        .run(move |n| {
            let all = n.cases()?;
            let kept = |row: KeptRow, words: fn(Lang, &str) -> &'static str| Kept {
                label: n.device_label(&row.device),
                document: row.document,
                why: words(l, &row.why),
                count: row.count,
                at: row.at,
            };
            let held = all.held.into_iter().map(|row| kept(row, wait_words));
            let aside = all.aside.into_iter().map(|row| kept(row, aside_words));
            Ok((all.cases, held.collect(), aside.collect()))
        })
        .await?;
    html(&ListPage {
        l,
        c: Chrome::new(&ctx, l.t("隔离与截断", "Quarantine and cuts"), "quarantine"),
        cases,
        held,
        aside,
        officer: officer(&ctx),
    })
}

fn officer(ctx: &Ctx) -> bool {
    let node = &ctx.app.node;
    node.is_county() && node.roll().is_officer(&node.id())
}

/// `GET /quarantine/{id}/evidence`: both changes and their signatures as a text file.
pub(crate) async fn evidence(ctx: Ctx, Path(id): Path<String>) -> Result<Response, Fault> {
    ctx.need(Right::Manage)?;
    let wanted = id.clone();
    let text = ctx.run(move |n| n.evidence_file(&wanted)).await?;
    let text = text.ok_or(Fault::NotFound)?;
    ctx.log("evidence", &id).await;
    let name = format!("attachment; filename=\"yanxiu-evidence-{id}.txt\"");
    Ok((
        [
            (header::CONTENT_TYPE, "text/plain; charset=utf-8".to_owned()),
            (header::CONTENT_DISPOSITION, name),
        ],
        text,
    )
        .into_response())
}

/// `GET /quarantine/{id}/cut`: explains and asks.
pub(crate) async fn ask_cut(ctx: Ctx, Path(id): Path<String>) -> Result<Response, Fault> {
    cut_page(&ctx, id, Form::default()).await
}

async fn cut_page(ctx: &Ctx, id: String, f: Form) -> Result<Response, Fault> {
    let case = open_case(ctx, id).await?;
    let l = ctx.l;
    html(&CutPage {
        l,
        c: Chrome::new(
            ctx,
            l.t("截断这台设备的这份文档？", "Cut this device in this document?"),
            "quarantine",
        ),
        f,
        case,
    })
}

/// A case that is not settled yet, for a county officer.
async fn open_case(ctx: &Ctx, id: String) -> Result<Case, Fault> {
    ctx.need(Right::Manage)?;
    if !officer(ctx) {
        return Err(Fault::Forbidden);
    }
    let case = ctx.run(move |n| n.case(&id)).await?;
    case.filter(|c| c.cut.is_none()).ok_or(Fault::NotFound)
}

/// `POST /quarantine/{id}/cut`
pub(crate) async fn cut(Path(id): Path<String>, Post { ctx, mut form }: Post) -> Result<Response, Fault> {
    let case = open_case(&ctx, id.clone()).await?;
    let point = case
        .proposals
        .iter()
        .map(|p| p.point)
        .find(|p| code_of(*p) == form.get("point"));
    if point.is_none() {
        form.fail("point", "请选择截断在哪里", "Choose where to cut");
    }
    if !form.has("sure") {
        form.fail("sure", "请先核实，再勾选", "Make sure first, then tick this");
    }
    let Some(point) = point.filter(|_| form.ok()) else {
        return cut_page(&ctx, id, form).await;
    };
    let wanted = id.clone();
    let done = ctx.run(move |n| n.cut_case(&wanted, point)).await?;
    let case = done.ok_or(Fault::NotFound)?;
    let seq = case
        .proposals
        .iter()
        .find(|p| p.point == point)
        .map_or(0, |p| p.seq);
    let what = format!("{} {} @{seq}", case.document, case.actor.device.short());
    ctx.log("cut", &what).await;
    Ok(Redirect::to("/quarantine?done=cut").into_response())
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn hashes_are_shortened_for_people() {
        assert_eq!(short(&"ab".repeat(32)), "abababab…abababab");
        assert_eq!(short("短"), "短");
    }
}
