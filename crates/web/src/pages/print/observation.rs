//! F7 听评课记录表.

use axum::extract::Path;
use axum::response::Response;
use node::office::{self, Observation, Signatures};
use records::date::parse_stored_date;
use records::{Kinds, Lang, SchoolYear};

use super::paper::{Grid, Is, Least, Row};
use super::{framed, hand, heads, show as frame};
use crate::fault::Fault;
use crate::pages::observations::may_see;
use crate::who::Ctx;

/// `GET /print/observation/{id}`
pub(crate) async fn show(ctx: Ctx, Path(id): Path<String>) -> Result<Response, Fault> {
    let wanted = id.clone();
    let found = ctx
        .run(move |n| {
            let Some(o) = office::observation(n, &wanted)? else {
                return Ok(None);
            };
            let post = office::teacher(n, &o.row.observer)?.map_or_else(String::new, |t| t.post);
            Ok(Some((o, office::signatures(n, &wanted)?, post, n.kinds())))
        })
        .await?;
    let (o, signed, post, kinds) = found.ok_or(Fault::NotFound)?;
    may_see(&ctx, &o)?;
    let heads = heads(&ctx, &o.row.entry.school).await?;
    let mut paper = framed(&ctx, "听评课记录表", &heads);
    paper.grids = grids(&o, &signed, &post, &kinds);
    frame(&ctx, paper, format!("/observations/{id}"), Vec::new()).await
}

fn grids(o: &Observation, signed: &Signatures, post: &str, kinds: &Kinds) -> Vec<Grid> {
    let said = |field: &str| o.shown(kinds, field, Lang::Zh);
    let year = parse_stored_date(&o.row.entry.date).ok().map(SchoolYear::of);
    // 第二学期 begins after the new year's holidays, in February.
    let month = o.row.entry.date.get(5..7).and_then(|month| month.parse().ok());
    let term = match month {
        Some(2..=7) => "第二学期",
        _ => "第一学期",
    };
    let post = super::label("staff_fact", "post", post);
    let about = Grid::boxes(
        3,
        &[
            (
                "学年、学期",
                year.map_or_else(String::new, |year| format!("{} {term}", year.zh())),
            ),
            ("日期", o.row.entry.date.clone()),
            ("节次", said("period")),
            ("授课教师", o.row.teacher_name.clone()),
            ("学科", said("subject")),
            ("年级班", said("class_label")),
            ("课型", said("lesson_kind")),
            ("听课方式", said("mode")),
            ("地点", said("place")),
            ("听课人", o.row.entry.person.clone()),
            ("职务", post),
            ("听课人身份", said("observer_role")),
        ],
    );
    let topic = Grid::prose(&[("课题", said("topic"), Least::Line)]).joined();
    let mut process = Grid::table(&[
        ("时间", 12, Is::Short),
        ("教师活动", 42, Is::Words),
        ("学生活动", 42, Is::Words),
    ])
    .under("教学过程");
    process.rows = said("process").lines().map(three).collect();
    let opinion = Grid::prose(&[
        ("优点", said("strengths"), Least::Some),
        ("不足", said("weaknesses"), Least::Some),
        ("建议", said("advice"), Least::Some),
    ])
    .under("评议");
    let scores = ["goal", "content", "process", "method", "skill", "effect"];
    let mut score = Grid::table(&[
        ("目标", 1, Is::Short),
        ("内容", 1, Is::Short),
        ("过程", 1, Is::Short),
        ("方法", 1, Is::Short),
        ("基本功", 1, Is::Short),
        ("效果", 1, Is::Short),
        ("总分", 1, Is::Short),
        ("总评", 1, Is::Short),
    ])
    .under("评分");
    let cells = scores.iter().map(|part| said(&format!("score_{part}")));
    score.rows.push(Row {
        cells: cells.chain([said("points"), said("overall")]).collect(),
        least: Least::Name,
    });
    let debrief = Grid::boxes(
        3,
        &[
            ("评课人", said("debrief_by")),
            ("评课时间", said("debrief_on")),
            ("评课地点", said("debrief_place")),
        ],
    )
    .under("评课与签字")
    .whole();
    let hand = |role: &str| {
        let side = signed.sides.iter().find(|side| side.role == role);
        side.map_or_else(String::new, hand)
    };
    let hands = Grid::prose(&[
        ("授课教师意见", said("response"), Least::Some),
        ("听课人签名", hand("observer"), Least::Name),
        ("授课教师签名", hand("teacher"), Least::Name),
    ])
    .joined()
    .whole();
    vec![about, topic, process, opinion, score, debrief, hands]
}

/// `时间｜教师活动｜学生活动` of one line.
fn three(line: &str) -> Row {
    let mut parts: Vec<String> = line
        .split(['|', '｜'])
        .map(|part| part.trim().to_owned())
        .collect();
    let cells = match parts.len() {
        1 => vec![String::new(), parts.remove(0), String::new()],
        2 => vec![parts.remove(0), parts.remove(0), String::new()],
        _ => vec![parts.remove(0), parts.remove(0), parts.join("｜")],
    };
    Row {
        cells,
        ..Row::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_process_fills_three_columns_however_it_was_typed() {
        assert_eq!(three("8:00｜ 讲㙇字 |听").cells, ["8:00", "讲㙇字", "听"]);
        assert_eq!(three("导入").cells, ["", "导入", ""]);
        assert_eq!(three("5分｜提问").cells, ["5分", "提问", ""]);
        assert_eq!(three("1|2|3|4").cells, ["1", "2", "3｜4"]);
    }
}
