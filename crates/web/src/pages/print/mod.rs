//! Printed forms (domain.md §6): exact A4 sheets that are signed and stamped on paper.
//!
//! Each form is data ([`paper::Paper`]) that a file here makes from records; [`show`] puts it into the one frame of
//! `templates/print.html`: title, 学校名称 and 学校标识码, names and seal, 数据截止, the rules with their version,
//! 第 N 页 共 M 页. Forms are Chinese whatever language the page around them has: they are papers of the office.

mod filing;
mod observation;
mod pairing;
mod paper;
mod portfolio;
mod register;
mod sign_in;
mod statement;
mod visit;

use askama::Template;
use axum::response::Response;
use node::office::{self, Side};

use crate::assets;
use crate::fault::Fault;
use crate::lang::Lang;
use crate::page::{self, html};
use crate::pages::export;
use crate::sheet::write::Heads;
use crate::who::{Ctx, Right};
use paper::{Is, Paper, Sheet};

pub(crate) use filing::show as filing;
pub(crate) use observation::show as observation;
pub(crate) use pairing::show as pairing;
pub(crate) use portfolio::show as portfolio;
pub(crate) use register::show as register;
pub(crate) use sign_in::show as sign_in;
pub(crate) use statement::show as statement;
pub(crate) use visit::{days as visit_days, sheet as visit, survey};

#[derive(Template)]
#[template(path = "print.html")]
struct PrintPage {
    l: Lang,
    place: String,
    version: &'static str,
    paper: Paper,
    sheets: Vec<Sheet>,
    back: String,
    /// Other forms of the same record: address and name.
    also: Vec<(String, String)>,
}

/// Shows a form, and notes in the access log that it was taken, as an export is.
async fn show(ctx: &Ctx, paper: Paper, back: String, also: Vec<(String, String)>) -> Result<Response, Fault> {
    ctx.log("print", &format!("{} {}", paper.title, back)).await;
    html(&PrintPage {
        l: ctx.l,
        place: page::place(&ctx.app, ctx.l),
        version: assets::version(),
        sheets: paper.sheets(),
        paper,
        back,
        also,
    })
}

/// What stands at the top and at the foot of every form of a school. At the county the data go as far as the last
/// contact with the school, elsewhere to this moment.
async fn heads(ctx: &Ctx, school: &str) -> Result<Heads, Fault> {
    let (of, made_on, county) = (school.to_owned(), page::today(), ctx.app.county());
    ctx.run(move |n| {
        let mut heads = export::heads(n, &of, &made_on)?;
        if county {
            let at = office::last_contact(n, &of, page::now())?;
            heads.cutoff = at.map_or_else(|| "—".to_owned(), |at| page::moment(&at));
        }
        Ok(heads)
    })
    .await
}

/// The frame of a form: everything but what it says.
fn framed(ctx: &Ctx, title: &str, heads: &Heads) -> Paper {
    let pair = |label: &str, value: &str| (label.to_owned(), value.to_owned());
    // Whoever has the school's records in hand fills in its forms.
    let filler = if ctx.may(Right::Enter) {
        ctx.who.account.name.as_str()
    } else {
        ""
    };
    Paper {
        title: title.to_owned(),
        head: vec![
            pair("学校名称", &heads.school_name),
            pair("学校标识码", &heads.school_code),
            pair("制表日期", &heads.made_on),
        ],
        hands: vec![pair("填表人", filler), pair("审核人", ""), pair("校长签字", "")],
        foot: vec![pair("数据截止", &heads.cutoff), pair("规则", &heads.ruleset)],
        ..Paper::default()
    }
}

/// A code's label as papers have it.
fn label(kind: &str, field: &str, code: &str) -> String {
    crate::labels::label(Lang::Zh, kind, field, code)
}

/// What stands where a side signs: who, when and how; or that it is to be signed anew; or room for the hand.
fn hand(side: &Side) -> String {
    match &side.signature {
        Some(s) if s.holds => {
            let capacity = match s.capacity[0].as_str() {
                "" => String::new(),
                capacity => format!("（{capacity}）"),
            };
            format!(
                "{}{capacity}　{}（{}，设备：{}）",
                s.name, s.on, s.means[0], s.device
            )
        }
        Some(s) => format!("已变更（待重签）：{} 于 {} 签的是修改以前的内容", s.name, s.on),
        None => String::new(),
    }
}
