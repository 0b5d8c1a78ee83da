//! F5 送教下乡/送培到校 记录单, F6 送培日程表, F11 训前调研表.

use axum::extract::Path;
use axum::response::Response;
use node::office::{self, Part, Shown, Visit};
use records::Lang;
use records::date::parse_stored_date;
use records::kinds::Actor;
use records::visits::{Finding, Fit, weekday};

use super::paper::{Grid, Is, Least, Paper, Row};
use super::{framed, hand, heads, show as frame};
use crate::fault::Fault;
use crate::page;
use crate::who::{Ctx, Right};

/// `GET /print/visit/{id}`
pub(crate) async fn sheet(ctx: Ctx, Path(id): Path<String>) -> Result<Response, Fault> {
    let v = found(&ctx, &id).await?;
    let title = match v.row.record.text("visit_kind") {
        "delivery" => "送教下乡记录单",
        "school_training" => "送培到校记录单",
        _ => "送教送培记录单",
    };
    let mut paper = begun(&ctx, &v, title).await?;
    paper.grids = f5(&v);
    let also = vec![(format!("/print/visit-days/{id}"), "日程表".to_owned())];
    frame(&ctx, paper, format!("/visits/{id}"), also).await
}

/// `GET /print/visit-days/{id}`
pub(crate) async fn days(ctx: Ctx, Path(id): Path<String>) -> Result<Response, Fault> {
    let v = found(&ctx, &id).await?;
    let title = match v.row.record.text("visit_kind") {
        "school_training" => "送培到校六天日程表",
        _ => "送教送培日程表",
    };
    let mut paper = begun(&ctx, &v, title).await?;
    paper.grids = f6(&v);
    let also = vec![(format!("/print/visit/{id}"), "记录单".to_owned())];
    frame(&ctx, paper, format!("/visits/{id}"), also).await
}

async fn found(ctx: &Ctx, id: &str) -> Result<Visit, Fault> {
    ctx.need(Right::Read)?;
    let id = id.to_owned();
    let found = ctx.run(move |n| office::visit(n, &id)).await?;
    found.ok_or(Fault::NotFound)
}

/// The frame: the mentor's side fills it in, and the rules are those of visits.
async fn begun(ctx: &Ctx, v: &Visit, title: &str) -> Result<Paper, Fault> {
    let mut heads = heads(ctx, &v.row.entry.school).await?;
    if !v.rules[0].is_empty() {
        heads.ruleset.clone_from(&v.rules[0]);
    }
    let mut paper = framed(ctx, title, &heads);
    paper.head.push(("专家代号".to_owned(), v.row.mentor.clone()));
    let hand = |role: &str| {
        let side = v.signed.sides.iter().find(|side| side.role == role);
        let signed = side
            .filter(|side| side.signed())
            .and_then(|side| side.signature.as_ref());
        signed.map_or_else(String::new, |s| s.name.clone())
    };
    // Who wrote it fills it in, also where it is printed by another.
    paper.hands = vec![
        ("填表人".to_owned(), v.row.entry.by.clone()),
        ("审核人".to_owned(), String::new()),
        ("组长签字".to_owned(), hand("mentor")),
        ("学校签字".to_owned(), hand("school")),
    ];
    Ok(paper)
}

/// A field of the sheet.
fn said(v: &Visit, field: &str) -> String {
    let [zh, _] = v.said(field);
    zh
}

fn of(part: &Part, field: &str) -> String {
    part.said(field, Lang::Zh).to_owned()
}

fn f5(v: &Visit) -> Vec<Grid> {
    let unit = |field: &str, unit: &str| match said(v, field).as_str() {
        "" => String::new(),
        number => format!("{number} {unit}"),
    };
    let round = match said(v, "round").as_str() {
        "" => String::new(),
        round => format!("第 {round} 轮"),
    };
    let about = Grid::boxes(
        2,
        &[
            ("项目", said(v, "project")),
            ("类别", said(v, "visit_kind")),
            ("轮次", round),
            ("阶段", said(v, "stage")),
            ("学科", said(v, "subject")),
            ("承办校", said(v, "host")),
            ("起止", format!("{} 至 {}", said(v, "from"), said(v, "to"))),
            ("天数", format!("{} 天", page::amount(&v.worked_c))),
            ("参训学校", said(v, "schools")),
            ("参训人数", unit("trainees", "人")),
            ("听课节数", unit("lessons", "节")),
            ("指导学时", unit("hours_c", "学时")),
        ],
    );
    let theme = Grid::prose(&[
        ("主题", said(v, "theme"), Least::Line),
        ("内容类别", said(v, "contents"), Least::Line),
    ])
    .joined();
    let mut team = Grid::table(&[
        ("序号", 6, Is::Short),
        ("姓名", 16, Is::Short),
        ("单位", 34, Is::Words),
        ("本地/外地", 14, Is::Short),
        ("角色", 14, Is::Short),
        ("签名", 16, Is::Words),
    ])
    .under("送教团队");
    team.rows = (1..)
        .zip(&v.team)
        .map(|(number, member)| Row {
            cells: vec![
                number.to_string(),
                of(member, "name"),
                of(member, "unit"),
                of(member, "origin"),
                of(member, "role"),
                String::new(),
            ],
            least: Least::Name,
        })
        .collect();
    let done = Grid::prose(&[
        ("内容与指导情况", said(v, "summary"), Least::Some),
        ("存在问题", said(v, "problems"), Least::Some),
        ("改进建议", said(v, "advice"), Least::Some),
        ("生成资源", said(v, "resources"), Least::Line),
    ])
    .under("送教情况");
    let mut tasks = Grid::table(&[
        ("后续任务", 50, Is::Words),
        ("负责人", 20, Is::Words),
        ("完成时间", 16, Is::Short),
        ("状态", 14, Is::Short),
    ])
    .under("后续任务");
    tasks.rows = v
        .tasks
        .iter()
        .map(|task| Row {
            cells: vec![
                of(task, "task"),
                of(task, "who"),
                of(task, "due"),
                of(task, "state"),
            ],
            ..Row::default()
        })
        .collect();
    let result = Grid::boxes(
        2,
        &[
            (
                "满意度",
                match said(v, "satisfaction").as_str() {
                    "" => String::new(),
                    share => format!("{share}%"),
                },
            ),
            ("问卷回收", unit("forms_back", "份")),
        ],
    )
    .under("评价与签字")
    .whole();
    let sides: Vec<(&str, String, Least)> = v
        .signed
        .sides
        .iter()
        .map(|side| {
            let label = if side.role == "mentor" {
                "组长签字"
            } else {
                "学校签字"
            };
            (label, hand(side), Least::Name)
        })
        .collect();
    let hands = Grid::prose(&sides).joined().whole();
    let mut grids = vec![about, theme, team, done, tasks];
    grids.extend(checks(v));
    grids.extend([result, hands]);
    grids
}

/// The rules' answers, those of the year after those of the visit.
fn checks(v: &Visit) -> Option<Grid> {
    let all: Vec<&Finding> = v.findings.iter().chain(&v.year).collect();
    if all.is_empty() {
        return None;
    }
    let mut grid = Grid::table(&[
        ("要求", 34, Is::Words),
        ("结论", 12, Is::Short),
        ("说明", 54, Is::Words),
    ])
    .under("规则对照");
    grid.rows = all
        .into_iter()
        .map(|x| Row {
            cells: vec![
                x.label[0].clone(),
                match x.fit {
                    Fit::Met => "符合",
                    Fit::Broken => "不符合",
                    Fit::Lacking => "还缺",
                }
                .to_owned(),
                x.why[0].clone(),
            ],
            ..Row::default()
        })
        .collect();
    Some(grid)
}

fn f6(v: &Visit) -> Vec<Grid> {
    let about = Grid::boxes(
        2,
        &[
            ("承办校", said(v, "host")),
            ("学科", said(v, "subject")),
            ("主题", said(v, "theme")),
            ("起止", format!("{} 至 {}", said(v, "from"), said(v, "to"))),
            (
                "组长到校",
                match said(v, "leader_came").as_str() {
                    "" => String::new(),
                    day => dated(day),
                },
            ),
            (
                "全程驻校",
                if v.row.record.flag("leader_stayed") {
                    "是"
                } else {
                    ""
                }
                .to_owned(),
            ),
            (
                "问卷回收",
                match said(v, "forms_back").as_str() {
                    "" => String::new(),
                    n => format!("{n} 份"),
                },
            ),
            ("参训人数", said(v, "trainees")),
        ],
    );
    let mut days = Grid::table(&[
        ("天", 11, Is::Short),
        ("日期", 18, Is::Short),
        ("环节", 13, Is::Short),
        ("授课教师", 14, Is::Short),
        ("课题或内容", 34, Is::Words),
        ("课程类别", 18, Is::Words),
        ("主讲/指导", 13, Is::Short),
    ])
    .under("日程");
    days.rows = v.days.iter().map(|day| row(v, day)).collect();
    let mut present = Grid::table(&[
        ("天", 10, Is::Short),
        ("日期", 22, Is::Short),
        ("到场专家", 50, Is::Words),
        ("人数", 8, Is::Number),
        ("组长签字", 16, Is::Words),
    ])
    .under("专家到场");
    present.rows = (1..=DAYS).filter_map(|n| presence(v, n)).collect();
    let mut course: Vec<(String, i64)> = Vec::new();
    for day in &v.days {
        let family = of(day, "course");
        if !family.is_empty() {
            let periods = day.record.int("periods").max(1);
            match course.iter_mut().find(|(known, _)| *known == family) {
                Some((_, n)) => *n += periods,
                None => course.push((family, periods)),
            }
        }
    }
    let mut courses = Grid::table(&[("课程类别", 70, Is::Words), ("节数", 30, Is::Number)]).under("课程安排");
    courses.rows = course
        .into_iter()
        .map(|(family, n)| Row {
            cells: vec![family, n.to_string()],
            ..Row::default()
        })
        .collect();
    let mut grids = vec![about, days, present];
    if !courses.rows.is_empty() {
        grids.push(courses);
    }
    grids
}

/// Days of a visit that members can be there on: the codes of the kind.
const DAYS: i64 = 6;

/// `2025-10-12 星期日`.
fn dated(text: &str) -> String {
    match parse_stored_date(text) {
        Ok(day) => format!("{day} {}", weekday(day, true)),
        Err(_) => text.to_owned(),
    }
}

/// Which day of the visit a date is, from 1.
fn number_of(v: &Visit, date: &str) -> Option<i64> {
    let from = parse_stored_date(v.row.record.text("from")).ok()?;
    let day = parse_stored_date(date).ok()?;
    let apart = from.until(day).ok()?.get_days();
    (apart >= 0).then(|| i64::from(apart) + 1)
}

fn row(v: &Visit, day: &Part) -> Row {
    let date = day.record.text("date");
    let expert = day.record.text("expert");
    let led = v.team.iter().find(|member| member.record.id == expert);
    Row {
        cells: vec![
            number_of(v, date).map_or_else(String::new, |n| format!("第{n}天")),
            dated(date).replace(' ', "\n"),
            of(day, "segment"),
            of(day, "teacher"),
            of(day, "topic"),
            of(day, "course"),
            led.map_or_else(String::new, |member| of(member, "name")),
        ],
        ..Row::default()
    }
}

/// Who of the team was there on one day; nothing for days after the last.
fn presence(v: &Visit, n: i64) -> Option<Row> {
    use jiff::ToSpan;
    let from = parse_stored_date(v.row.record.text("from")).ok()?;
    let to = parse_stored_date(v.row.record.text("to")).ok()?;
    let day = from.checked_add((n - 1).days()).ok()?;
    if day > to {
        return None;
    }
    let code = format!("d{n}");
    let there: Vec<String> = v
        .team
        .iter()
        .filter(|member| member.record.text("days").split(' ').any(|on| on == code))
        .map(|member| of(member, "name"))
        .collect();
    Some(Row {
        cells: vec![
            format!("第{n}天"),
            dated(&day.to_string()),
            there.join("、"),
            there.len().to_string(),
            String::new(),
        ],
        least: Least::Name,
    })
}

/// `GET /print/survey/{id}`
pub(crate) async fn survey(ctx: Ctx, Path(id): Path<String>) -> Result<Response, Fault> {
    ctx.need(Right::Read)?;
    let wanted = id.clone();
    let found = ctx
        .run(move |n| {
            let rules = office::visit_rules(n).map(|(_, title)| title);
            Ok((office::entry(n, Actor::Mentor, "survey", &wanted)?, rules))
        })
        .await?;
    let (Some(e), rules) = found else {
        return Err(Fault::NotFound);
    };
    let mut heads = heads(&ctx, &e.entry.school).await?;
    if let Some([zh, _]) = rules {
        heads.ruleset = zh;
    }
    let mut paper = framed(&ctx, "训前调研表", &heads);
    paper.hands = vec![
        ("填表人".to_owned(), e.entry.by.clone()),
        ("审核人".to_owned(), String::new()),
        ("校长签字".to_owned(), String::new()),
    ];
    paper.grids = f11(&e.fields);
    frame(&ctx, paper, format!("/records/survey/{id}"), Vec::new()).await
}

fn text(fields: &[Shown], id: &str) -> String {
    let found = fields.iter().find(|field| field.id == id);
    found.map_or_else(String::new, |field| field.value[0].clone())
}

fn f11(fields: &[Shown]) -> Vec<Grid> {
    let said = |id: &str| text(fields, id);
    let about = Grid::boxes(
        2,
        &[
            ("学校", said("host")),
            ("调研日期", said("date")),
            ("调研主题", said("title")),
            ("调研人", said("by")),
        ],
    );
    let school = Grid::boxes(
        3,
        &[
            ("教师人数", said("teachers")),
            ("班级数", said("classes")),
            ("听课诊断", said("lessons")),
            ("包班教师", said("whole_class")),
            ("兼课教师", said("part_time")),
        ],
    )
    .under("学校情况");
    let staff = Grid::prose(&[("师资情况", said("staff"), Least::Name)]).joined();
    let mut lessons = Grid::table(&[
        ("学科", 16, Is::Short),
        ("课题", 30, Is::Words),
        ("诊断", 54, Is::Words),
    ])
    .under("听课诊断（每个学科不少于 1 节）");
    lessons.rows = said("diagnosis").lines().map(three).collect();
    let talks = Grid::prose(&[
        ("教师访谈", said("teachers_say"), Least::Some),
        ("学生访谈", said("pupils_say"), Least::Some),
        ("问卷：主要问题", said("forms"), Least::Some),
    ])
    .under("访谈与问卷");
    let mut needs = Grid::table(&[("次序", 10, Is::Short), ("需求", 90, Is::Words)]).under("需求排序");
    needs.rows = (1..)
        .zip(
            said("needs")
                .lines()
                .map(str::trim)
                .filter(|line| !line.is_empty()),
        )
        .map(|(at, need)| Row {
            cells: vec![at.to_string(), need.to_owned()],
            ..Row::default()
        })
        .collect();
    let rest = Grid::prose(&[
        ("建议课程", said("courses"), Least::Some),
        ("设备与网络", said("equipment"), Least::Name),
    ])
    .under("建议与条件");
    vec![about, school, staff, lessons, talks, needs, rest]
}

/// `学科｜课题｜诊断` of one line; a line without bars is all diagnosis.
fn three(line: &str) -> Row {
    let parts: Vec<&str> = line.splitn(3, ['|', '｜']).map(str::trim).collect();
    let cells = match parts.as_slice() {
        [subject, topic, said] => [subject, topic, said].map(|part| (*part).to_owned()).to_vec(),
        [subject, said] => vec![(*subject).to_owned(), String::new(), (*said).to_owned()],
        _ => vec![String::new(), String::new(), line.trim().to_owned()],
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
    fn a_line_of_the_diagnosis_fills_three_columns_however_it_was_typed() {
        assert_eq!(three("数学｜ 分数 |讲得多").cells, ["数学", "分数", "讲得多"]);
        assert_eq!(three("数学|讲得多").cells, ["数学", "", "讲得多"]);
        assert_eq!(three("学生不开口").cells, ["", "", "学生不开口"]);
        assert_eq!(three("语文|㙇字|一|二").cells, ["语文", "㙇字", "一|二"]);
    }
}
