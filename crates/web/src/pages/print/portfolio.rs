//! F1 教师成长档案、学分卡.

use std::collections::HashMap;

use axum::extract::Path;
use axum::response::Response;
use node::office::{self, CardView, ClaimState};
use node::{Filter, Node, Record};
use records::date::parse_stored_date;
use records::rules::Period;
use records::{Date, Lang, SchoolYear};

use super::paper::{Grid, Is, Least, Row};
use super::{framed, heads, label, show as frame};
use crate::fault::Fault;
use crate::page;
use crate::pages::{card, claims, export_lines};
use crate::sheet::write::ClaimLine;
use crate::who::{Ctx, Right};

/// A pairing of the person: from, to, sort, side, with whom, state.
type Pair = [String; 6];

/// `GET /print/card/{person}`
pub(crate) async fn show(ctx: Ctx, Path(id): Path<String>) -> Result<Response, Fault> {
    let own = card::own(&ctx, &id);
    if !own {
        ctx.need(Right::Read)?;
    }
    // Decisions do not go to a mentor's laptop: a card without them would say nothing was recognised.
    if ctx.app.schoolless() {
        return Err(Fault::Forbidden);
    }
    let person = id.clone();
    let found = ctx
        .run(move |n| {
            let Some(view) = office::credit_card(n, &person)? else {
                return Ok(None);
            };
            let codes = HashMap::from([(person.clone(), view.teacher.teacher_code.clone())]);
            let lines = export_lines::claims(n, view.lines.clone(), &codes)?;
            let counts = office::lesson_counts(n, &person)?;
            Ok(Some((view, lines, counts, pairs(n, &person)?)))
        })
        .await?;
    let (view, lines, counts, pairs) = found.ok_or(Fault::NotFound)?;
    let mut heads = heads(&ctx, &view.teacher.school).await?;
    // The card says more exactly what its figures rest on: the decisions that count.
    heads.cutoff = format!("{}；审核依据 {}", heads.cutoff, view.cutoff);
    heads.ruleset = format!("{}（{}）", view.card.title_zh, view.card.rule_ref);
    let mut paper = framed(&ctx, "教师成长档案（学分卡）", &heads);
    paper.hands.push(("教师本人".into(), String::new()));
    paper.grids = vec![
        person_grid(&view),
        matrix(&view),
        requirements(&view),
        forecast(&view, jiff::Zoned::now().date()),
        training(&lines),
        lessons(&counts),
        pair_grid(&pairs),
        by_hand(),
    ];
    let back = if own {
        "/".to_owned()
    } else {
        format!("/teachers/{id}")
    };
    frame(&ctx, paper, back, Vec::new()).await
}

fn person_grid(view: &CardView) -> Grid {
    let t = &view.teacher;
    let years = |year: Option<i64>| year.map_or_else(String::new, |year| year.to_string());
    let post = label("staff_fact", "post", &t.post);
    let post = if t.homeroom {
        format!("{post}、班主任")
    } else {
        post
    };
    let people = view.card.populations.iter().map(|p| p.label(Lang::Zh));
    Grid::boxes(
        3,
        &[
            ("姓名", t.name.clone()),
            ("性别", label("person", "sex", &t.sex)),
            ("出生年", years(t.birth_year)),
            ("教师编号", t.teacher_code.clone()),
            ("任教学科", t.subject.clone()),
            ("学段", label("staff_fact", "stage", &t.stage)),
            ("职称", label("staff_fact", "title", &t.title)),
            ("岗位、职务", post),
            ("任教起始年", years(t.teaching_from)),
            (
                "周期",
                view.card.period.as_ref().map_or_else(String::new, Period::zh),
            ),
            ("适用要求", people.collect::<Vec<_>>().join("、")),
            (
                "结论",
                if view.card.complete {
                    "已达标"
                } else {
                    "未达标"
                }
                .to_owned(),
            ),
        ],
    )
}

/// 五年累计 by category and channel.
fn matrix(view: &CardView) -> Grid {
    let card = &view.card;
    let channels = card.channels.iter().map(|c| (c.label(Lang::Zh), 14, Is::Number));
    let columns: Vec<(&str, u32, Is)> = std::iter::once(("课程类别", 20, Is::Words))
        .chain(channels)
        .chain(std::iter::once(("合计", 14, Is::Number)))
        .collect();
    let row = |name: &str, amounts: Vec<i64>| Row {
        cells: std::iter::once(name.to_owned())
            .chain(amounts.iter().map(page::amount))
            .collect(),
        ..Row::default()
    };
    let mut grid = Grid::table(&columns).under("累计认定学分（类别 × 渠道）");
    for category in &card.categories {
        let cells = card.channels.iter().map(|channel| {
            let cell = card.cell(&category.id, &channel.id);
            cell.map_or(0, |cell| cell.earned_c)
        });
        let sum = std::iter::once(card.category_c(&category.id));
        grid.rows
            .push(row(category.label(Lang::Zh), cells.chain(sum).collect()));
    }
    let sums = card.channels.iter().map(|channel| card.channel_c(&channel.id));
    grid.rows
        .push(row("合计", sums.chain(std::iter::once(card.total_c)).collect()));
    grid
}

/// 要求与缺口.
fn requirements(view: &CardView) -> Grid {
    let mut grid = Grid::table(&[
        ("要求", 30, Is::Words),
        ("应达", 11, Is::Number),
        ("已有", 11, Is::Number),
        ("缺口", 11, Is::Number),
        ("情况", 11, Is::Short),
    ])
    .under("各项要求与缺口");
    for o in &view.card.requirements {
        let wanted = match o.max_c {
            Some(max) => format!("{}–{}", page::amount(&o.min_c), page::amount(&max)),
            None => page::amount(&o.min_c),
        };
        let state = match (o.waived, o.met) {
            (true, _) => "免",
            (_, true) => "达到",
            _ => "未达到",
        };
        grid.rows.push(Row {
            cells: vec![
                o.label(Lang::Zh).to_owned(),
                wanted,
                page::amount(&o.earned_c),
                page::amount(&o.gap_c),
                state.to_owned(),
            ],
            ..Row::default()
        });
    }
    grid
}

/// What the total comes to at the end of the cycle if it goes on as so far.
fn forecast(view: &CardView, today: Date) -> Grid {
    let card = &view.card;
    let (total, gap) = card.total().map_or((0, 0), |o| (o.min_c, o.gap_c));
    let text = match card.period.as_ref() {
        Some(p) if p.first <= today && today <= p.last => {
            let days = |from: Date, to: Date| i64::from(from.until(to).map_or(0, |span| span.get_days())) + 1;
            let (gone, all) = (days(p.first, today), days(p.first, p.last));
            let by_then = card.total_c.saturating_mul(all) / gone.max(1);
            format!(
                "周期共 {all} 天，已过 {gone} 天，已认定 {} 学分，要求 {}，还差 {}。照目前进度，到 {} 约为 {} 学分，{}。",
                page::amount(&card.total_c),
                page::amount(&total),
                page::amount(&gap),
                p.last,
                page::amount(&by_then),
                if by_then >= total {
                    "能够达标"
                } else {
                    "不能达标，需要补足"
                }
            )
        }
        Some(p) => format!(
            "周期 {} 至 {}，还差 {} 学分。",
            p.first,
            p.last,
            page::amount(&gap)
        ),
        None => "周期未定，学分暂不计入。".to_owned(),
    };
    Grid::prose(&[("预测", text, Least::Line)])
}

/// 培训记录.
fn training(lines: &[ClaimLine]) -> Grid {
    let mut grid = Grid::table(&[
        ("学年", 13, Is::Short),
        ("项目、活动", 30, Is::Words),
        ("形式", 12, Is::Words),
        ("起止", 14, Is::Short),
        ("学时", 8, Is::Number),
        ("学分", 8, Is::Number),
        ("类别", 14, Is::Words),
        ("渠道", 12, Is::Words),
        ("认定情况", 14, Is::Words),
        ("主办", 20, Is::Words),
    ])
    .under("培训记录");
    let mut lines: Vec<&ClaimLine> = lines.iter().collect();
    lines.sort_by(|a, b| (&a.claim.date, &a.claim.id).cmp(&(&b.claim.date, &b.claim.id)));
    for line in lines {
        let c = &line.claim;
        let year = parse_stored_date(&c.date).map(|date| SchoolYear::of(date).0);
        let (hours, credits) = match &c.state {
            ClaimState::Decided {
                hours_c, credits_c, ..
            } if claims::group(c) == "given" => (hours_c, credits_c),
            _ => (&c.hours_c, &c.credits_c),
        };
        let state = if c.disputed {
            page::DISPUTED
        } else {
            page::claim(&c.state)
        };
        grid.rows.push(Row {
            cells: vec![
                year.map_or_else(|_| String::new(), |year| format!("{year}–{}", year + 1)),
                c.session_title.clone(),
                label("session", "form", &line.form),
                c.date.clone(),
                page::amount(hours),
                page::amount(credits),
                label("claim", "category", &c.category),
                label("claim", "channel", &c.channel),
                state.zh.to_owned(),
                c.school_name.clone(),
            ],
            ..Row::default()
        });
    }
    Grid { dense: true, ..grid }
}

fn lessons(counts: &[(String, usize)]) -> Grid {
    let said: Vec<String> = counts.iter().map(|(name, n)| format!("{name} {n} 节")).collect();
    let said = if said.is_empty() {
        "（没有登记）".to_owned()
    } else {
        said.join("　")
    };
    Grid::prose(&[("听课、评课、公开课", said, Least::Line)]).under("教学与成长")
}

/// 带教、师徒.
fn pair_grid(pairs: &[Pair]) -> Grid {
    let mut grid = Grid::table(&[
        ("起", 13, Is::Short),
        ("止", 13, Is::Short),
        ("形式", 16, Is::Words),
        ("本人为", 10, Is::Short),
        ("对方", 16, Is::Short),
        ("状态", 12, Is::Short),
    ])
    .under("带教、师徒");
    grid.rows = pairs
        .iter()
        .map(|pair| Row {
            cells: pair.to_vec(),
            ..Row::default()
        })
        .collect();
    grid
}

fn pairs(n: &Node, person: &str) -> Result<Vec<Pair>, node::Error> {
    let school = n.record(person)?.and_then(|p| p.school).unwrap_or_default();
    let kinds = n.kinds();
    let mut all: Vec<Record> = n.records(&Filter::kind("pairing").school(&school))?;
    all.retain(|p| p.text("mentor") == person || p.text("mentee") == person);
    all.sort_by(|a, b| (a.text("from"), &a.id).cmp(&(b.text("from"), &b.id)));
    let code = |field: &str, code: &str| kinds.code_label("pairing", field, code, Lang::Zh).to_owned();
    let line = |p: Record| {
        let (side, other) = match p.text("mentor") == person {
            true => ("师傅", p.text("mentee")),
            false => ("徒弟", p.text("mentor")),
        };
        let other = n
            .record(other)?
            .map_or_else(String::new, |p| p.text("name").to_owned());
        Ok([
            p.text("from").to_owned(),
            p.text("to").to_owned(),
            code("pair_kind", p.text("pair_kind")),
            side.to_owned(),
            other,
            code("state", p.text("state")),
        ])
    };
    all.into_iter().map(line).collect()
}

/// What the program keeps no records of yet: to be filled in by hand, as on the paper forms.
fn by_hand() -> Grid {
    let blank = |label| (label, String::new(), Least::Some);
    Grid::prose(&[
        blank("发展规划、完成情况"),
        blank("师德表现"),
        blank("教学反思精选篇目"),
        blank("课题、论文、获奖级别"),
        blank("荣誉阶梯"),
    ])
    .under("其他（手工填写）")
}
