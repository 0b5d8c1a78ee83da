//! F9 签到表: before the session with the roster's names and room to sign, afterwards with what was recorded.

use std::collections::HashMap;

use axum::extract::{Path, Query};
use axum::response::Response;
use node::Filter;
use node::office::{self, SessionDetail};
use serde::Deserialize;

use super::paper::{Grid, Is, Least, Row};
use super::{framed, heads, label, show as frame};
use crate::fault::Fault;
use crate::page;
use crate::who::{Ctx, Right};

#[derive(Deserialize)]
pub(crate) struct Wanted {
    /// Not empty: names alone, for signing.
    #[serde(default)]
    blank: String,
}

/// Empty lines for guests on a sheet that is signed.
const GUESTS: usize = 4;

/// `GET /print/sign-in/{session}`
pub(crate) async fn show(
    ctx: Ctx,
    Path(id): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Fault> {
    ctx.need(Right::Read)?;
    let session = id.clone();
    let found = ctx
        .run(move |n| {
            let Some(detail) = office::session(n, &session)? else {
                return Ok(None);
            };
            let teachers = office::roster(n, &detail.row.school)?;
            let subjects: HashMap<String, String> = teachers.into_iter().map(|t| (t.id, t.subject)).collect();
            let mut said: HashMap<String, [String; 3]> = HashMap::new();
            for mark in n.records(&Filter::kind("attendance").about(&session))? {
                let of = ["arrived", "left", "reason"].map(|field| mark.text(field).to_owned());
                said.insert(mark.text("person").to_owned(), of);
            }
            Ok(Some((detail, subjects, said)))
        })
        .await?;
    let (s, subjects, said) = found.ok_or(Fault::NotFound)?;
    let blank = !wanted.blank.is_empty() || s.row.marked == 0;
    let heads = heads(&ctx, &s.row.school).await?;
    let mut paper = framed(&ctx, "教师研修活动签到表", &heads);
    paper.hands = vec![
        ("记录人".into(), String::new()),
        ("填表人".into(), paper.hands[0].1.clone()),
        ("审核人".into(), String::new()),
    ];
    let present = if blank {
        "　　　　".to_owned()
    } else {
        s.row.present.to_string()
    };
    paper.grids.push(Grid::prose(&[
        ("活动名称", s.row.title.clone(), Least::Line),
        ("主题", s.theme.clone(), Least::Line),
    ]));
    let facts = Grid::boxes(
        2,
        &[
            ("时间", time(&s)),
            ("地点", s.row.place.clone()),
            ("主讲人", s.lecturers.clone()),
            ("学时", page::amount(&s.row.hours_c)),
            ("应到", format!("{} 人", s.marks.len())),
            ("实到", format!("{present} 人")),
        ],
    );
    paper.grids.push(facts.joined());
    let mut list = Grid::table(&[
        ("序号", 6, Is::Short),
        ("姓名", 13, Is::Short),
        ("单位", 22, Is::Words),
        ("学科", 10, Is::Short),
        ("签名", 17, Is::Words),
        ("到达", 9, Is::Short),
        ("离开", 9, Is::Short),
        ("备注", 14, Is::Words),
    ]);
    for (number, mark) in (1_usize..).zip(&s.marks) {
        let none = Default::default();
        let [arrived, left, reason] = said.get(&mark.person).filter(|_| !blank).unwrap_or(&none);
        let remark = match mark.status.as_deref().filter(|_| !blank) {
            _ if mark.disputed && !blank => "待核".to_owned(),
            None | Some("present") => String::new(),
            Some(status) => label("attendance", "status", status),
        };
        let name = if mark.name.is_empty() {
            "（姓名未到）"
        } else {
            &mark.name
        };
        let subject = subjects.get(&mark.person).cloned().unwrap_or_default();
        let remark = if reason.is_empty() {
            remark
        } else {
            format!("{remark} {reason}")
        };
        list.rows.push(Row {
            cells: vec![
                number.to_string(),
                name.to_owned(),
                s.row.school_name.clone(),
                subject,
                String::new(),
                arrived.clone(),
                left.clone(),
                remark,
            ],
            least: Least::Name,
        });
    }
    if blank {
        list.rows.extend((1..=GUESTS).map(|n| {
            Row {
                cells: std::iter::once((s.marks.len() + n).to_string())
                    .chain(std::iter::repeat_n(String::new(), 7))
                    .collect(),
                least: Least::Name,
            }
        }));
    }
    paper.grids.push(list);
    let also = match (blank, s.row.marked) {
        (false, _) => vec![(
            format!("/print/sign-in/{id}?blank=1"),
            ctx.l.t("空白签到表", "Blank sheet").to_owned(),
        )],
        (true, 1..) => vec![(
            format!("/print/sign-in/{id}"),
            ctx.l
                .t("按已登记的考勤", "With the attendance recorded")
                .to_owned(),
        )],
        _ => Vec::new(),
    };
    frame(&ctx, paper, format!("/sessions/{id}"), also).await
}

/// The day, and how long.
fn time(s: &SessionDetail) -> String {
    match s.minutes {
        Some(minutes) => format!("{}（{minutes} 分钟）", s.row.date),
        None => s.row.date.clone(),
    }
}
