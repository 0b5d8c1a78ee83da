//! F15 校本研修 备案/核准 表.

use axum::extract::Path;
use axum::response::Response;
use node::office::{self, EntryDetail};
use node::{Filter, Record};
use records::Kinds;
use records::kinds::Actor;

use super::paper::{Grid, Is, Least, Row};
use super::{framed, heads, label, show as frame};
use crate::fault::Fault;
use crate::page;
use crate::who::{Ctx, Right};

/// `GET /print/filing/{id}`
pub(crate) async fn show(ctx: Ctx, Path(id): Path<String>) -> Result<Response, Fault> {
    ctx.need(Right::Read)?;
    let wanted = id.clone();
    let found = ctx
        .run(move |n| {
            let Some(e) = office::entry(n, Actor::Leader, "filing_package", &wanted)? else {
                return Ok(None);
            };
            let school = e.entry.school.clone();
            let mut sessions = n.records(&Filter::kind("session").school(&school))?;
            sessions.retain(|s| s.text("package") == wanted && s.text("state") != "void");
            sessions.sort_by(|a, b| (a.text("date"), &a.id).cmp(&(b.text("date"), &b.id)));
            let files = n.records(&Filter::kind("evidence").about(&wanted))?.len();
            let mut words = n.records(&Filter::kind("filing_decision").about(&wanted))?;
            words.retain(|word| word.school == e.record.school);
            words.sort_by(|a, b| (a.text("decided_on"), &a.id).cmp(&(b.text("decided_on"), &b.id)));
            Ok(Some((e, sessions, files, words.pop(), n.kinds())))
        })
        .await?;
    let (e, sessions, files, word, kinds) = found.ok_or(Fault::NotFound)?;
    let heads = heads(&ctx, &e.entry.school).await?;
    let mut paper = framed(&ctx, "校本研修备案（核准）表", &heads);
    paper.hands.push(("县审核人".into(), String::new()));
    let mut list = Grid::table(&[
        ("序号", 6, Is::Short),
        ("日期", 14, Is::Short),
        ("活动名称", 34, Is::Words),
        ("主讲人", 16, Is::Words),
        ("地点", 18, Is::Words),
        ("学时", 8, Is::Number),
    ])
    .under("已登记的场次");
    list.rows = (1_usize..)
        .zip(&sessions)
        .map(|(number, s)| Row {
            cells: vec![
                number.to_string(),
                s.text("date").to_owned(),
                s.text("title").to_owned(),
                s.text("lecturers").to_owned(),
                s.text("place").to_owned(),
                page::amount(&s.int("hours_c")),
            ],
            ..Row::default()
        })
        .collect();
    paper.grids = vec![
        facts(&e, &kinds),
        prose(&e, files),
        list,
        opinion(&e, word.as_ref()),
    ];
    let back = format!("/records/filing_package/{id}");
    frame(&ctx, paper, back, Vec::new()).await
}

fn facts(e: &EntryDetail, kinds: &Kinds) -> Grid {
    let r = &e.record;
    let said = |field: &str| {
        let field = kinds.get("filing_package/1").and_then(|kind| kind.field(field));
        let value = field.and_then(|field| Some(field.show(r.fields.get(&field.id)?, records::Lang::Zh)));
        value.unwrap_or_default()
    };
    let sessions = match r.int("sessions") {
        0 => String::new(),
        n => format!("，{n} 场"),
    };
    let year = r
        .year
        .map_or_else(String::new, |year| format!("{year}–{} 学年", year + 1));
    Grid::boxes(
        2,
        &[
            ("学年", year),
            ("办理方式", said("gate")),
            ("课程名称", said("title")),
            ("课程类别", said("category")),
            ("研修形式", said("forms")),
            (
                "起止",
                format!("{} 至 {}", r.text("begins_on"), r.text("ends_on")),
            ),
            (
                "学时与场次",
                format!("{} 学时{sessions}", page::amount(&r.int("hours_c"))),
            ),
            ("讲座占比", share(r.int("lecture_minutes"), r.int("minutes"))),
            ("参加对象", said("participants")),
            ("负责人", said("responsible")),
            ("第几次提交", said("round")),
            ("校长同意", said("principal_agrees")),
        ],
    )
}

/// 讲座占比: tenths of a per cent, in whole numbers.
fn share(lecture: i64, all: i64) -> String {
    if all <= 0 {
        return String::new();
    }
    let share = lecture.saturating_mul(1000) / all;
    format!("{}.{}%（{lecture} / {all} 分钟）", share / 10, share % 10)
}

fn prose(e: &EntryDetail, files: usize) -> Grid {
    let text = |field: &str| e.record.text(field).to_owned();
    let files = match files {
        0 => String::new(),
        n => format!("已登记 {n} 件"),
    };
    Grid::prose(&[
        ("内容安排", text("content"), Least::Some),
        ("考评办法", text("assessment"), Least::Some),
        ("讲稿、附件", files, Least::Name),
    ])
    .joined()
}

/// The county's latest word, and whether it still covers what the form says.
fn opinion(e: &EntryDetail, word: Option<&Record>) -> Grid {
    let said = |field: &str| word.map_or("", |word| word.text(field));
    let about = e
        .about
        .iter()
        .find(|about| word.is_some_and(|word| word.id == about.entry.id));
    let verdict = label("filing_decision", "verdict", said("verdict"));
    let stale = about.is_some_and(|about| about.binds == Some(false));
    let verdict = match stale {
        true => format!("审后改动，须重新办理（原意见：{verdict}）"),
        false => verdict,
    };
    let reason = match said("reason") {
        "" => String::new(),
        reason => format!("\n{reason}"),
    };
    let signed = format!("{}　{}", said("_by"), said("decided_on"));
    Grid::prose(&[
        ("学校意见", String::new(), Least::Some),
        ("核准（备案）意见", format!("{verdict}{reason}"), Least::Some),
        ("编号", said("filing_no").to_owned(), Least::Name),
        ("审核人、日期", signed.trim().to_owned(), Least::Name),
    ])
    .under("办理意见")
    .whole()
}
