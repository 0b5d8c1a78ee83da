//! The office's forms as tables: 花名册, 学校学分汇总表 (F2), 县达标看板 (F3), 学时学分登记表 (F8), 签到表 (F9) of domain.md
//! §6, and the row 国内培训 of §7.1.

mod claims;
mod county;
mod dashboard;
mod signin;
mod summary;
#[cfg(test)]
mod tests;
mod training;

use super::error::SheetError;
use super::roster::TeacherFacts;
use super::table::{Out, Table, to_csv, to_xlsx};
use node::office::Teacher;
use records::{Kinds, Lang};

pub(crate) use claims::claims_table;
pub use claims::{ClaimLine, ClaimMore, claims_csv, claims_xlsx};
pub use county::county_roster;
pub use dashboard::{SchoolLine, dashboard};
pub use signin::{SignIn, sign_in};
pub use summary::{SchoolSummary, school_summary_csv, school_summary_xlsx};
pub use training::training;

/// What every exported sheet says about itself. Empty parts are left out.
#[derive(Clone, Debug, Default)]
pub struct Heads {
    /// 学校名称 (or the county's).
    pub school_name: String,
    /// 学校标识码.
    pub school_code: String,
    /// Up to which data: as `CardView::cutoff`, or a date.
    pub cutoff: String,
    /// Title and version of the rule set.
    pub ruleset: String,
    /// 制表日期, typed by a person.
    pub made_on: String,
}

const SIGNATURES: &str = "填表人：　　　　　　　审核人：　　　　　　　校长签字：　　　　　　　（公章）";

impl Heads {
    fn lines(&self) -> Vec<String> {
        let line = |parts: &[(&str, &String)]| {
            let filled = parts.iter().filter(|(_, text)| !text.is_empty());
            filled
                .map(|(label, text)| format!("{label}：{text}"))
                .collect::<Vec<_>>()
                .join("　　")
        };
        [
            line(&[
                ("学校名称", &self.school_name),
                ("学校标识码", &self.school_code),
                ("制表日期", &self.made_on),
            ]),
            line(&[("数据截止", &self.cutoff), ("学分规则", &self.ruleset)]),
        ]
        .into_iter()
        .filter(|l| !l.is_empty())
        .collect()
    }
}

fn label(kind: &str, field: &str, code: &str) -> Out {
    Out::text(Kinds::builtin().code_label(kind, field, code, Lang::Zh))
}

const TEACHER_HEADS: [(&str, f64); 14] = [
    ("序号", 6.0),
    ("姓名", 12.0),
    ("教师编号", 14.0),
    ("性别", 6.0),
    ("出生年份", 9.0),
    ("学校", 24.0),
    ("学校标识码", 13.0),
    ("岗位", 10.0),
    ("职称", 8.0),
    ("任教学科", 12.0),
    ("学段", 8.0),
    ("班主任", 8.0),
    ("任教年份", 9.0),
    ("在岗情况", 10.0),
];

fn teacher_row(number: usize, t: &TeacherFacts, school: &str, code: &str) -> Vec<Out> {
    vec![
        number.into(),
        t.name.as_str().into(),
        t.teacher_code.as_str().into(),
        label("person", "sex", &t.sex),
        t.birth_year.into(),
        school.into(),
        code.into(),
        label("staff_fact", "post", &t.post),
        label("staff_fact", "title", &t.title),
        t.subject.as_str().into(),
        label("staff_fact", "stage", &t.stage),
        if t.homeroom { "是" } else { "否" }.into(),
        t.teaching_from.into(),
        label("person", "status", &t.status),
    ]
}

fn facts(t: &Teacher) -> TeacherFacts {
    TeacherFacts {
        teacher_code: t.teacher_code.clone(),
        name: t.name.clone(),
        sex: t.sex.clone(),
        birth_year: t.birth_year,
        status: t.status.clone(),
        post: t.post.clone(),
        title: t.title.clone(),
        subject: t.subject.clone(),
        stage: t.stage.clone(),
        homeroom: t.homeroom,
        parts: None,
        teaching_from: t.teaching_from,
        from: t.from.clone(),
    }
}

fn roster_table(teachers: impl Iterator<Item = TeacherFacts>, heads: &Heads) -> Table {
    let rows = (1usize..).zip(teachers);
    Table {
        sheet: "教师花名册".into(),
        title: format!("{}教师花名册", heads.school_name),
        lines: heads.lines(),
        heads: TEACHER_HEADS.to_vec(),
        rows: rows
            .map(|(n, t)| teacher_row(n, &t, &heads.school_name, &heads.school_code))
            .collect(),
        signatures: SIGNATURES.into(),
        ..Table::default()
    }
}

/// A school's roster as a workbook that can be imported again.
///
/// # Errors
/// [`SheetError::Write`].
pub fn roster_xlsx(teachers: &[Teacher], heads: &Heads) -> Result<Vec<u8>, SheetError> {
    to_xlsx(&[roster_table(teachers.iter().map(facts), heads)])
}

/// The same of people who stand in a file and nowhere else yet.
///
/// # Errors
/// [`SheetError::Write`].
pub fn roster_of(teachers: impl Iterator<Item = TeacherFacts>, heads: &Heads) -> Result<Vec<u8>, SheetError> {
    to_xlsx(&[roster_table(teachers, heads)])
}

/// [`roster_xlsx`] as CSV.
///
/// # Errors
/// [`SheetError::Write`].
pub fn roster_csv(teachers: &[Teacher], heads: &Heads) -> Result<Vec<u8>, SheetError> {
    to_csv(&roster_table(teachers.iter().map(facts), heads))
}
