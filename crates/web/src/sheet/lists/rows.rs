//! One row of a list: whose it is and what it says.

use std::collections::HashMap;

use node::office::{OutsideInput, check_outside};
use records::kinds::find_personal;
use records::{Fields, Value, parse_hundredths};

use super::people::{People, plain};
use super::{Found, ListContext, ListRow, Says, What, year};
use crate::sheet::codes::code_of;
use crate::sheet::dates::{parse, parse_cell};
use crate::sheet::header::Column;
use crate::sheet::row::Row;
use crate::sheet::text::{squeeze, tidy};

/// Stands for a record's id while a row is checked.
const SOMETHING: &str = "00000000-0000-7000-8000-000000000000";

/// Reads a row. `None` when it is of another school, wrong, or says nothing.
pub(super) fn read(
    row: &mut Row<'_>,
    context: &ListContext,
    people: &People<'_>,
    seen: &mut HashMap<String, String>,
) -> Option<ListRow> {
    for column in [Column::School, Column::SchoolCode] {
        let school = row
            .cell(column)
            .map(|cell| squeeze(&cell.text()))
            .unwrap_or_default();
        if context.others.contains(&school) {
            *row.found.skipped.other_schools.entry(school).or_default() += 1;
            return None;
        }
    }
    let name = row
        .text(Column::Name)
        .map(|text| records::text::person_name(&text));
    let lost = row
        .cell(Column::TeacherCode)
        .is_some_and(|cell| cell.lost_digits());
    let code = row.code(Column::TeacherCode).unwrap_or_default();
    let Some(name) = name else {
        row.error(
            Column::Name,
            "缺少姓名，请补上再上传",
            "the name is missing; fill it in and upload again",
        );
        return None;
    };
    if name.contains(['?', '？', '□', '■']) {
        row.error(
            Column::Name,
            "姓名里有“?”，可能是丢失的生僻字，请补上再上传",
            "“?” in a name: a rare character was probably lost; type it and upload again",
        );
        return None;
    }
    let found = who(row, people, &name, &code, lost)?;
    let says = match context.what {
        What::Attendance => mark(row),
        What::Outside => outside(row, context),
        What::Passes => pass(row),
    };
    let says = says.filter(|_| !row.failed)?;
    let at = row.at(Column::Name);
    if let Found::Sure(person) = &found {
        let what = match &says {
            Says::Outside(training) => format!("{person}{training:?}"),
            _ => person.clone(),
        };
        if let Some(first) = seen.insert(what, at) {
            row.error(
                Column::Name,
                &format!("与 {first} 是同一个人的同一件事，只留一行"),
                &format!("the same person and the same thing as in {first}; keep one row"),
            );
            return None;
        }
    }
    Some(ListRow {
        key: format!("{}!{}", row.sheet.name, row.row + 1),
        name,
        code,
        found,
        says,
    })
}

fn who(row: &mut Row<'_>, people: &People<'_>, name: &str, code: &str, lost: bool) -> Option<Found> {
    let named = people.named(name);
    let ids = |list: &[&node::office::Teacher]| list.iter().map(|t| t.id.clone()).collect::<Vec<_>>();
    if code.is_empty() {
        if named.is_empty() {
            row.error(
                Column::Name,
                "花名册上没有这个姓名：请核对用字，或先在花名册登记这位老师",
                "nobody of this name is on the roster: check the characters, or enter the teacher first",
            );
            return None;
        }
        if named.len() > 1 && !lost {
            row.warn(
                Column::Name,
                &format!("花名册上有 {} 位同名的老师，请在下面选定是哪一位", named.len()),
                &format!(
                    "{} teachers have this name; choose below who is meant",
                    named.len()
                ),
            );
        }
        return Some(Found::Choose(ids(&named)));
    }
    let Some(teacher) = people.with_code(code) else {
        if named.is_empty() {
            row.error(
                Column::TeacherCode,
                "花名册上没有这个教师编号，也没有这个姓名：请改正编号，或先在花名册登记这位老师",
                "neither this code nor this name is on the roster: correct the code, or enter the teacher first",
            );
            return None;
        }
        row.warn(
            Column::TeacherCode,
            "花名册上没有这个教师编号，只有同名的老师：请在下面选定是不是",
            "this code is not on the roster, the name is: say below who is meant",
        );
        return Some(Found::Choose(ids(&named)));
    };
    if plain(&teacher.name) == plain(name) {
        return Some(Found::Sure(teacher.id.clone()));
    }
    if named.is_empty() {
        // 𬭊 typed as 金龙, an old name: the number decides, the roster keeps its name.
        row.warn(
            Column::Name,
            &format!(
                "这个编号在花名册上是“{}”；按编号导入，花名册上的姓名不改",
                teacher.name
            ),
            &format!(
                "on the roster this code is “{}”; the code decides, the name stays",
                teacher.name
            ),
        );
        return Some(Found::Sure(teacher.id.clone()));
    }
    row.warn(
        Column::TeacherCode,
        &format!(
            "编号是“{}”的，姓名却是另一位老师的：请在下面选定是谁",
            teacher.name
        ),
        &format!(
            "the code is “{}”'s, the name another teacher's: say below who is meant",
            teacher.name
        ),
    );
    let mut both = vec![teacher.id.clone()];
    both.extend(ids(&named));
    Some(Found::Choose(both))
}

/// A clock time as the sign-in sheet has it, `08:05`.
fn time(row: &mut Row<'_>, column: Column) -> String {
    let Some(text) = row.text(column).map(|text| squeeze(&text)) else {
        return String::new();
    };
    let unified = text.replace(['：', '点', '时', '.'], ":").replace('分', "");
    let mut parts = unified.trim_end_matches(':').split(':');
    let mut number = |most: u8| {
        parts
            .next()
            .map_or(Some(0), |part| part.parse::<u8>().ok().filter(|n| *n <= most))
    };
    match (number(23), number(59)) {
        (Some(hour), Some(minute)) => format!("{hour:02}:{minute:02}"),
        _ => {
            let zh = format!("{}读不出，请写成 08:05；该栏未导入", column.zh());
            row.warn(column, &zh, "not a time; write 08:05. The value was left out");
            String::new()
        }
    }
}

fn mark(row: &mut Row<'_>) -> Option<Says> {
    let (arrived, left) = (time(row, Column::Arrived), time(row, Column::Left));
    let remark = row.text(Column::Remark).unwrap_or_default();
    let typed = row.text(Column::Attendance);
    let of = |text: &str| code_of("attendance", "status", text).filter(|code| code != "void");
    let by_remark = of(&remark);
    let status = match &typed {
        Some(text) => of(text),
        None => by_remark.clone().or_else(|| {
            let columns = [Column::Attendance, Column::Arrived, Column::Signature];
            let listed = columns.iter().all(|column| row.header.index(*column).is_none());
            let came = row.cell(Column::Signature).is_some() || !arrived.is_empty();
            (listed || came).then(|| "present".to_owned())
        }),
    };
    let Some(status) = status else {
        match typed {
            Some(_) => row.error(
                Column::Attendance,
                "不认识这种出勤，请写：到、迟到、早退、公假、病假、事假、缺席",
                "unknown attendance; write 到, 迟到, 早退, 公假, 病假, 事假 or 缺席",
            ),
            None => row.error(
                Column::Attendance,
                "没有写出勤，也没有签名或到达时间：请填上再上传，或在活动页面上记",
                "no attendance, signature or arrival: fill it in and upload again, or mark on the session's page",
            ),
        }
        return None;
    };
    // A remark that is nothing but the status has been said.
    let reason = if by_remark.is_some() {
        String::new()
    } else {
        remark
    };
    let text = |field: &str, value: &str| (!value.is_empty()).then(|| (field.to_owned(), Value::from(value)));
    let fields: Fields = [
        text("_kind", "attendance/2"),
        text("session", SOMETHING),
        text("person", SOMETHING),
        text("status", &status),
        text("reason", &reason),
    ]
    .into_iter()
    .flatten()
    .collect();
    row.check("attendance", &fields, |field| match field {
        "status" => Column::Attendance,
        _ => Column::Remark,
    });
    Some(Says::Mark {
        status,
        arrived,
        left,
        reason,
    })
}

fn pass(row: &mut Row<'_>) -> Option<Says> {
    let points_c = match row.text(Column::Points) {
        Some(text) => match parse_hundredths(&text) {
            Ok(points) => Some(points),
            Err(error) => {
                row.error(Column::Points, &error.zh(), &error.to_string());
                None
            }
        },
        None => None,
    };
    let mut number = row.code(Column::Certificate).unwrap_or_default();
    if find_personal(&number).is_some() {
        row.warn(
            Column::Certificate,
            "像身份证号或银行账号的长数字不能存，证书编号没有导入；可以只写后八位",
            "a number that may be an identity card's or an account's is not stored; write its last eight digits",
        );
        number.clear();
    }
    let result = match row.text(Column::Result) {
        Some(text) => match code_of("assessment", "result", &text) {
            Some(code) => code,
            None => {
                row.error(
                    Column::Result,
                    "不认识这个等级，请写：优秀、良好、合格、不合格",
                    "unknown result; write 优秀, 良好, 合格 or 不合格",
                );
                return None;
            }
        },
        None => "passed".to_owned(),
    };
    let mut fields = Fields::from([
        ("_kind".to_owned(), Value::from("assessment/1")),
        ("session".to_owned(), Value::from(SOMETHING)),
        ("person".to_owned(), Value::from(SOMETHING)),
        ("result".to_owned(), Value::from(result.as_str())),
        ("date".to_owned(), Value::from("2026-01-01")),
        ("state".to_owned(), Value::from("valid")),
    ]);
    if !number.is_empty() {
        fields.insert("number".to_owned(), Value::from(number.as_str()));
    }
    if let Some(points) = points_c {
        fields.insert("points".to_owned(), Value::from(points));
    }
    row.check("assessment", &fields, |field| match field {
        "points" => Column::Points,
        "number" => Column::Certificate,
        _ => Column::Result,
    });
    Some(Says::Pass {
        result,
        points_c,
        number,
    })
}

fn outside(row: &mut Row<'_>, context: &ListContext) -> Option<Says> {
    let project = row.text(Column::Project).unwrap_or_default();
    let organiser = row.text(Column::Organiser).unwrap_or_default();
    if context.home.contains(&squeeze(&organiser)) {
        row.error(
            Column::Organiser,
            "主办单位是本校：校本活动请在“活动”里登记，这里只收校外培训",
            "held by this school: enter it as a session; only trainings outside the school belong here",
        );
    }
    let (from, until) = days(row, context);
    let hours_c = match row.text(Column::Hours) {
        Some(text) => match parse_hundredths(&text) {
            Ok(0) => {
                row.error(
                    Column::Hours,
                    "学时是 0，请填实际学时",
                    "no class-hours; enter those that were held",
                );
                0
            }
            Ok(hours) => hours,
            Err(error) => {
                row.error(Column::Hours, &error.zh(), &error.to_string());
                0
            }
        },
        None => {
            row.error(
                Column::Hours,
                "没有学时，请填上再上传",
                "no class-hours; fill them in and upload again",
            );
            0
        }
    };
    let mut chosen = |column: Column, field: &str, otherwise: &str| match row.text(column) {
        Some(text) => code_of("session", field, &text).unwrap_or_else(|| {
            let zh = format!("不认识这个{}，请写成系统里的说法（见登记活动页面）", column.zh());
            row.error(column, &zh, "unknown; write it as the form of a session has it");
            String::new()
        }),
        None => otherwise.to_owned(),
    };
    let form = chosen(Column::Form, "form", &context.form);
    let category = chosen(Column::Category, "category", &context.category);
    let sub = chosen(Column::Sub, "sub", "");
    let channel = chosen(Column::Channel, "channel", &context.channel);
    for (code, column) in [
        (&form, Column::Form),
        (&category, Column::Category),
        (&channel, Column::Channel),
    ] {
        if code.is_empty() && row.cell(column).is_none() {
            let zh = format!(
                "表里没有“{0}”，上传时也没有选：请加一列“{0}”，或在上传页面选定",
                column.zh()
            );
            row.error(column, &zh, "neither in the table nor chosen at the upload");
        }
    }
    let training = OutsideInput {
        project,
        organiser,
        from,
        until,
        form,
        category,
        sub,
        channel,
        hours_c,
    };
    for fault in check_outside(&training) {
        let column = match fault.field.as_str() {
            "title" => Column::Project,
            "organiser" => Column::Organiser,
            "date" => Column::Begin,
            "until" => Column::Until,
            "form" => Column::Form,
            "category" => Column::Category,
            "sub" => Column::Sub,
            "channel" => Column::Channel,
            _ => Column::Hours,
        };
        // What was said above is not said twice.
        if !row.failed {
            row.error(column, &fault.zh, &fault.en);
        }
    }
    Some(Says::Outside(training))
}

/// First and last day, from two columns or from one (2025.7.1-7.5).
fn days(row: &mut Row<'_>, context: &ListContext) -> (String, String) {
    let year = Some(year(context));
    let cell = |row: &Row<'_>, column| {
        row.cell(column)
            .and_then(|c| parse_cell(c, year))
            .and_then(|d| d.iso())
    };
    let (mut from, mut until) = (cell(row, Column::Begin), cell(row, Column::Until));
    let at = if row.header.index(Column::Begin).is_some() {
        Column::Begin
    } else {
        Column::Span
    };
    if from.is_none()
        && let Some(text) = row.text(Column::Span)
    {
        from = cell(row, Column::Span);
        if from.is_none()
            && let Some((first, last)) = split(&text)
        {
            from = parse(&first, year).and_then(|d| d.iso());
            until = from.as_ref().and_then(|from| end(from, &last));
            if until.is_none() {
                from = None;
            }
        }
    }
    let wrong_end = row.cell(Column::Until).is_some() && until.is_none();
    match &from {
        None => row.error(
            at,
            "读不出开始日期，请写成 2025-07-01，或起止 2025-07-01 至 2025-07-05",
            "no first day; write 2025-07-01, or both days as 2025-07-01 至 2025-07-05",
        ),
        Some(_) if wrong_end => row.error(
            Column::Until,
            "读不出结束日期，请写成 2025-07-05",
            "not a date; write 2025-07-05",
        ),
        Some(from) if until.as_ref().is_some_and(|until| until < from) => {
            row.error(at, "结束日期在开始日期之前", "the last day is before the first");
        }
        Some(_) => {}
    }
    let until = until.filter(|until| Some(until) != from.as_ref());
    (from.unwrap_or_default(), until.unwrap_or_default())
}

/// The last day of a span: whole, or without its year (7.5, 7月5日), or the day alone (5日).
fn end(from: &str, last: &str) -> Option<String> {
    if let Some(whole) = parse(last, None).and_then(|d| d.iso()) {
        return Some(whole);
    }
    let plain = squeeze(last).replace(['.', '/', '月'], "-");
    let plain = plain.trim_end_matches(['日', '号', '-']);
    let (year, month) = (from.get(..4)?.parse::<i32>().ok()?, from.get(5..7)?);
    let day = |year: i32, rest: &str| parse(&format!("{year}-{rest}"), None).and_then(|d| d.iso());
    let same_year = match plain.contains('-') {
        true => day(year, plain),
        false => day(year, &format!("{month}-{plain}")),
    };
    // 12.28-1.5 ends in the next year.
    match same_year {
        Some(end) if end.as_str() < from && plain.contains('-') && month >= "11" => day(year + 1, plain),
        end => end,
    }
}

/// The two days of a span.
fn split(text: &str) -> Option<(String, String)> {
    let text = tidy(text);
    for mark in ["至", "到", "——", "—", "–", "~", "～"] {
        if let Some((first, last)) = text.split_once(mark) {
            return Some((first.trim().to_owned(), last.trim().to_owned()));
        }
    }
    // A hyphen parts days only where it does not part year and month too.
    let (first, last) = text.split_once('-')?;
    (!last.contains('-') && first.contains(['.', '/', '年', '月']))
        .then(|| (first.trim().to_owned(), last.trim().to_owned()))
}
