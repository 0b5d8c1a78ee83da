//! C41 学分证明 on paper: what the signed file says, and a QR picture of its number and digest.

use axum::extract::Path;
use axum::response::Response;
use node::credential::{CreditStatement, Line};
use node::office;

use super::paper::{Grid, Is, Least, Paper, Row};
use super::show as frame;
use crate::fault::Fault;
use crate::page;
use crate::pages::statements;
use crate::qr;
use crate::who::Ctx;

/// `GET /print/statement/{id}`
pub(crate) async fn show(ctx: Ctx, Path(id): Path<String>) -> Result<Response, Fault> {
    let (row, file) = statements::issued(&ctx, &id).await?;
    let s = statements::content(&ctx, file).await?;
    let pair = |label: &str, value: &str| (label.to_owned(), value.to_owned());
    let title = match row.withdrawn {
        None => "继续教育（教师研修）学分证明",
        Some(_) => "学分证明（已撤回，无效）",
    };
    let paper = Paper {
        title: title.to_owned(),
        head: vec![
            pair("签发单位", &s.county),
            pair("签发日期", &s.issued_on),
            pair("编号", &s.id),
        ],
        hands: vec![pair("签发人", &s.issued_by), pair("教师本人", "")],
        foot: vec![
            pair("数据截止", &s.cut_off),
            pair("规则", &format!("{}（{}）", s.rules.title_zh, s.rules.reference)),
        ],
        grids: vec![holder(&s), requirements(&s), lines(&s), how(&row.digest)],
        picture: qr::exact(&office::statement_code(&row.id, &row.digest)),
        ..Paper::default()
    };
    frame(
        &ctx,
        paper,
        format!("/teachers/{}/statement", s.holder.id),
        Vec::new(),
    )
    .await
}

fn holder(s: &CreditStatement) -> Grid {
    let complete = match s.rules.complete {
        Some(true) => "已达标",
        Some(false) => "未达标",
        None => "—（不是整个周期）",
    };
    Grid::boxes(
        2,
        &[
            ("姓名", s.holder.name.clone()),
            ("教师编号", s.holder.teacher_code.clone()),
            ("学校", s.holder.school.clone()),
            ("起止", format!("{} 至 {}", s.period.from, s.period.until)),
            ("认定学时", page::amount(&s.hours_c)),
            ("认定学分", page::amount(&s.credits_c)),
            ("周期达标", complete.to_owned()),
            ("用途", s.purpose.clone()),
        ],
    )
}

fn requirements(s: &CreditStatement) -> Grid {
    let mut grid = Grid::table(&[
        ("要求", 40, Is::Words),
        ("已有", 14, Is::Number),
        ("应有", 14, Is::Number),
        ("达到", 10, Is::Short),
    ])
    .under("各项要求");
    let row = |r: &node::credential::Requirement| Row {
        cells: vec![
            r.zh.clone(),
            page::amount(&r.earned_c),
            page::amount(&r.min_c),
            if r.met { "是" } else { "否" }.to_owned(),
        ],
        ..Row::default()
    };
    grid.rows = s.requirements.iter().map(row).collect();
    grid
}

fn lines(s: &CreditStatement) -> Grid {
    let mut grid = Grid::table(&[
        ("日期", 15, Is::Short),
        ("活动名称", 32, Is::Words),
        ("类别、渠道", 22, Is::Words),
        ("学时", 9, Is::Number),
        ("学分", 9, Is::Number),
        ("审核", 15, Is::Short),
    ])
    .under("审核过的登记");
    let row = |line: &Line| Row {
        cells: vec![
            line.date.clone(),
            match line.why_not.as_str() {
                "" => line.title.clone(),
                why => format!("{}（不计：{why}）", line.title),
            },
            format!("{} {}", line.category, line.channel),
            page::amount(&line.hours_c),
            page::amount(&line.credits_c),
            line.decided_on.clone(),
        ],
        ..Row::default()
    };
    grid.rows = s.lines.iter().map(row).collect();
    grid
}

fn how(digest: &str) -> Grid {
    let words = "以随附的电子文件（.jwt）为准：任何装有研修程序的电脑不用联网即可核验。二维码里是编号和文件摘要，\
                 可在县里或教师所在学校的“核验学分证明”页对照台账。";
    Grid::prose(&[
        ("核验办法", words.to_owned(), Least::Line),
        ("文件摘要", digest.to_owned(), Least::Line),
    ])
    .whole()
}
