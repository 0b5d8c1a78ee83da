//! What one row says about a teacher, and how it differs from what is known.

use super::{Change, TeacherFacts};
use crate::sheet::codes::{code_of, truth};
use crate::sheet::header::Column;
use crate::sheet::row::Row;
use records::text::{is_han, person_name};
use records::{Fields, Kinds, Lang, SchoolYear, Value};

/// Stands for the person's id while a row is checked.
const SOMEBODY: &str = "00000000-0000-7000-8000-000000000000";

/// What a row says; `None` where it says nothing.
#[derive(Default)]
pub(super) struct Told {
    pub(super) name: String,
    pub(super) teacher_code: Option<String>,
    pub(super) sex: Option<String>,
    pub(super) birth_year: Option<i64>,
    pub(super) status: Option<String>,
    pub(super) post: Option<String>,
    pub(super) title: Option<String>,
    pub(super) subject: Option<String>,
    pub(super) stage: Option<String>,
    pub(super) homeroom: Option<bool>,
    pub(super) teaching_from: Option<i64>,
    pub(super) from: Option<String>,
}

/// Reads a row's cells. `None` when one of them keeps the row out.
pub(super) fn told(row: &mut Row<'_>, year: SchoolYear) -> Option<Told> {
    let name = match row.text(Column::Name) {
        Some(text) => person_name(&text),
        None => {
            if !row.failed {
                row.error(Column::Name, "缺少姓名", "the name is missing");
            }
            return None;
        }
    };
    check_name(row, &name);
    let post_text = row.text(Column::Post);
    let homeroom = match row.text(Column::Homeroom) {
        Some(text) => {
            let known = truth(&text);
            if known.is_none() {
                row.warn(
                    Column::Homeroom,
                    "应填“是”或“否”，该栏未导入",
                    "neither yes nor no; the value was left out",
                );
            }
            known
        }
        None => post_text
            .as_ref()
            .and_then(|p| p.contains("班主任").then_some(true)),
    };
    let sex = row.text(Column::Sex);
    if sex
        .as_ref()
        .is_some_and(|t| code_of("person", "sex", t).is_none())
    {
        row.error(Column::Sex, "性别应填“男”或“女”", "sex must be 男 or 女");
    }
    let last = year.0 + 1;
    let told = Told {
        name,
        teacher_code: row.code(Column::TeacherCode),
        sex: sex.and_then(|t| code_of("person", "sex", &t)),
        birth_year: row.year(Column::Birth, 1920..=last - 15),
        status: row.coded(Column::Status, "person", "status"),
        post: row.coded(Column::Post, "staff_fact", "post"),
        title: row.coded(Column::Title, "staff_fact", "title"),
        subject: row.text(Column::Subject),
        stage: row.coded(Column::Stage, "staff_fact", "stage"),
        homeroom,
        teaching_from: row.year(Column::TeachingFrom, 1940..=last),
        from: row.date(Column::From, year),
    };
    (!row.failed).then_some(told)
}

fn check_name(row: &mut Row<'_>, name: &str) {
    if name.contains(['?', '？', '□', '■']) {
        row.error(
            Column::Name,
            "姓名里有“?”，可能是丢失的生僻字，请补上",
            "“?” in a name: a rare character was probably lost; please type it",
        );
    } else if name
        .chars()
        .any(|c| c.is_ascii_digit() || "/\\<>=&,;:，；：、".contains(c))
        || !name.chars().any(|c| is_han(c) || c.is_alphabetic())
    {
        row.error(Column::Name, "不像姓名", "this does not look like a name");
    }
}

/// Has the kinds check what would be written.
pub(super) fn check(row: &mut Row<'_>, facts: &TeacherFacts) {
    let text = |field: &str, value: &str| (!value.is_empty()).then(|| (field.to_owned(), Value::from(value)));
    let int = |field: &str, value: Option<i64>| value.map(|v| (field.to_owned(), Value::from(v)));
    let person: Fields = [
        text("teacher_code", &facts.teacher_code),
        text("name", &facts.name),
        text("sex", &facts.sex),
        int("birth_year", facts.birth_year),
        text("status", &facts.status),
    ]
    .into_iter()
    .flatten()
    .collect();
    row.check("person", &person, column_of);
    let staff: Fields = [
        text("person", SOMEBODY),
        text("from", &facts.from),
        text("post", &facts.post),
        text("title", &facts.title),
        text("subject", &facts.subject),
        text("stage", &facts.stage),
        int("teaching_from", facts.teaching_from),
    ]
    .into_iter()
    .flatten()
    .collect();
    row.check("staff_fact", &staff, column_of);
}

/// What differs, as people read it.
pub(super) fn changes(old: &TeacherFacts, new: &TeacherFacts) -> Vec<Change> {
    let label = |kind: &str, field: &str, code: &str| {
        Kinds::builtin()
            .code_label(kind, field, code, Lang::Zh)
            .to_owned()
    };
    let year = |y: Option<i64>| y.map_or_else(String::new, |y| y.to_string());
    let yes = |b: bool| if b { "是" } else { "否" }.to_owned();
    [
        (
            Column::TeacherCode,
            old.teacher_code.clone(),
            new.teacher_code.clone(),
        ),
        (Column::Name, old.name.clone(), new.name.clone()),
        (
            Column::Sex,
            label("person", "sex", &old.sex),
            label("person", "sex", &new.sex),
        ),
        (Column::Birth, year(old.birth_year), year(new.birth_year)),
        (
            Column::Status,
            label("person", "status", &old.status),
            label("person", "status", &new.status),
        ),
        (
            Column::Post,
            label("staff_fact", "post", &old.post),
            label("staff_fact", "post", &new.post),
        ),
        (
            Column::Title,
            label("staff_fact", "title", &old.title),
            label("staff_fact", "title", &new.title),
        ),
        (Column::Subject, old.subject.clone(), new.subject.clone()),
        (
            Column::Stage,
            label("staff_fact", "stage", &old.stage),
            label("staff_fact", "stage", &new.stage),
        ),
        (Column::Homeroom, yes(old.homeroom), yes(new.homeroom)),
        (
            Column::TeachingFrom,
            year(old.teaching_from),
            year(new.teaching_from),
        ),
    ]
    .into_iter()
    .filter(|(_, old, new)| old != new)
    .map(|(column, old, new)| Change {
        zh: column.zh().into(),
        en: column.en().into(),
        old,
        new,
    })
    .collect()
}

fn column_of(field: &str) -> Column {
    match field {
        "teacher_code" => Column::TeacherCode,
        "sex" => Column::Sex,
        "birth_year" => Column::Birth,
        "status" => Column::Status,
        "from" => Column::From,
        "post" => Column::Post,
        "title" => Column::Title,
        "subject" => Column::Subject,
        "stage" => Column::Stage,
        "teaching_from" => Column::TeachingFrom,
        _ => Column::Name,
    }
}
