//! F12 师徒结对协议、活动记录.

use axum::extract::Path;
use axum::response::Response;
use node::Filter;
use node::office::{self, EntryDetail, Signatures};
use records::kinds::Actor;

use super::paper::{Grid, Is, Least, Row};
use super::{framed, hand, heads, label, show as frame};
use crate::fault::Fault;
use crate::who::{Ctx, Right};

/// `GET /print/pairing/{id}`
pub(crate) async fn show(ctx: Ctx, Path(id): Path<String>) -> Result<Response, Fault> {
    ctx.need(Right::Read)?;
    let wanted = id.clone();
    let found = ctx
        .run(move |n| {
            let Some(e) = office::entry(n, Actor::Leader, "pairing", &wanted)? else {
                return Ok(None);
            };
            let mut acts = n.records(&Filter::kind("pair_act").about(&wanted))?;
            acts.retain(|act| act.school == e.record.school);
            acts.sort_by(|a, b| (a.text("date"), &a.id).cmp(&(b.text("date"), &b.id)));
            let rows = acts.iter().map(|act| Row {
                cells: vec![
                    act.text("date").to_owned(),
                    label("pair_act", "act", act.text("act")),
                    act.text("topic").to_owned(),
                    act.text("record").to_owned(),
                ],
                ..Row::default()
            });
            Ok(Some((
                office::signatures(n, &wanted)?,
                rows.collect::<Vec<_>>(),
                e,
            )))
        })
        .await?;
    let (signed, acts, e) = found.ok_or(Fault::NotFound)?;
    let heads = heads(&ctx, &e.entry.school).await?;
    let mut paper = framed(&ctx, "师徒结对协议与活动记录", &heads);
    paper.grids = grids(&e, &signed, acts);
    frame(&ctx, paper, format!("/records/pairing/{id}"), Vec::new()).await
}

fn grids(e: &EntryDetail, signed: &Signatures, rows: Vec<Row>) -> Vec<Grid> {
    let said = |field: &str| {
        let found = e.fields.iter().find(|shown| shown.id == field);
        found.map_or_else(String::new, |shown| shown.value[0].clone())
    };
    let listens = match said("listens_per_month").as_str() {
        "" => String::new(),
        n => format!("{n} 次"),
    };
    let about = Grid::boxes(
        2,
        &[
            ("师傅", said("mentor")),
            ("徒弟", said("mentee")),
            ("结对类别", said("pair_kind")),
            ("方向", said("direction")),
            ("期限", format!("{} 至 {}", said("from"), said("to"))),
            ("每月听课", listens),
        ],
    )
    .under("结对协议");
    let goal = Grid::prose(&[
        ("带教内容", said("areas"), Least::Line),
        ("目标", said("goal"), Least::Some),
        ("共同课题", said("topic"), Least::Line),
    ])
    .joined();
    let mut acts = Grid::table(&[
        ("日期", 14, Is::Short),
        ("活动", 16, Is::Short),
        ("内容", 32, Is::Words),
        ("记录", 38, Is::Words),
    ])
    .under(&format!("活动记录（{} 次）", rows.len()));
    acts.rows = rows;
    let review = Grid::prose(&[
        ("期末评语", said("term_review"), Least::Some),
        ("等级", said("grade"), Least::Line),
    ])
    .under("考核与签字")
    .whole();
    let hand = |role: &str| {
        let side = signed.sides.iter().find(|side| side.role == role);
        side.map_or_else(String::new, hand)
    };
    let hands = Grid::prose(&[
        ("师傅签字", hand("mentor"), Least::Name),
        ("徒弟签字", hand("mentee"), Least::Name),
    ])
    .joined()
    .whole();
    vec![about, goal, acts, review, hands]
}
