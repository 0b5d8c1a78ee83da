//! The office's forms as tables: 花名册, 学时学分登记表 (F8), 学校学分汇总表 (F2) of domain.md §6.

use super::error::SheetError;
use super::roster::TeacherFacts;
use super::table::{Out, Table, to_csv, to_xlsx};
use node::office::{ClaimRow, ClaimState, Teacher};
use records::sample::{County, SampleSchool, SampleTeacher, SchoolKind};
use records::{Kinds, Lang, show_hundredths};

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
            filled.map(|(label, text)| format!("{label}：{text}")).collect::<Vec<_>>().join("　　")
        };
        [
            line(&[("学校名称", &self.school_name), ("学校标识码", &self.school_code), ("制表日期", &self.made_on)]),
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
        teaching_from: t.teaching_from,
        from: t.from.clone(),
    }
}

/// The workbook that a county office hands out, of the made-up county: sheets 学校 and 教师花名册,
/// with title rows, codes as text, years as numbers, titles in older wordings too, a 小计 row after
/// each school's teachers and a 合计 row at the end.
///
/// # Errors
/// [`SheetError::Write`].
pub fn county_roster(county: &County) -> Result<Vec<u8>, SheetError> {
    let mut list = Table {
        sheet: "学校".into(),
        title: format!("{}学校一览表", county.name),
        heads: vec![
            ("序号", 6.0),
            ("学校名称", 30.0),
            ("学校简称", 16.0),
            ("学校标识码", 13.0),
            ("学校类别", 16.0),
            ("城乡类型", 10.0),
            ("上级单位", 28.0),
            ("教师数", 8.0),
        ],
        ..Table::default()
    };
    let mut roster = Table {
        sheet: "教师花名册".into(),
        title: format!("{}教师花名册", county.name),
        heads: TEACHER_HEADS.to_vec(),
        ..Table::default()
    };
    let mut all = 0usize;
    for (index, school) in county.schools.iter().enumerate() {
        let mut count = 0usize;
        for teacher in county.teachers_of(index).filter_map(|at| county.teachers.get(at)) {
            count += 1;
            all += 1;
            let title = match teacher.title_label {
                "" => label("staff_fact", "title", teacher.title),
                written => written.into(),
            };
            let facts = sample_facts(teacher);
            let mut row = teacher_row(all, &facts, &school.name, &school.school_code);
            let at = TEACHER_HEADS.iter().position(|(head, _)| *head == "职称");
            if let Some(place) = at.and_then(|at| row.get_mut(at)) {
                *place = title;
            }
            roster.rows.push(row);
        }
        roster.rows.push(total("小计", count, TEACHER_HEADS.len()));
        list.rows.push(vec![
            (index + 1).into(),
            school.name.as_str().into(),
            school.short_name.as_str().into(),
            school.school_code.as_str().into(),
            label("organisation", "org_kind", school.kind.org_kind()),
            label("organisation", "rural", school.rural),
            central_school(county, school).into(),
            count.into(),
        ]);
    }
    list.total = total("合计", county.schools.len(), list.heads.len());
    if let Some(last) = list.total.last_mut() {
        *last = all.into();
    }
    roster.total = total("合计", all, TEACHER_HEADS.len());
    to_xlsx(&[list, roster])
}

fn sample_facts(t: &SampleTeacher) -> TeacherFacts {
    TeacherFacts {
        teacher_code: t.teacher_code.clone(),
        name: t.name.clone(),
        sex: t.sex.into(),
        birth_year: Some(t.birth_year),
        status: t.status.into(),
        post: t.post.into(),
        title: t.title.into(),
        subject: t.subject.into(),
        stage: t.stage.into(),
        homeroom: t.homeroom,
        teaching_from: Some(t.teaching_from),
        from: String::new(),
    }
}

/// The township's central school, which is above its village schools and teaching points.
fn central_school<'a>(county: &'a County, school: &SampleSchool) -> &'a str {
    if !matches!(school.kind, SchoolKind::VillagePrimary | SchoolKind::TeachingPoint) {
        return "";
    }
    let above = county
        .schools
        .iter()
        .find(|s| s.kind == SchoolKind::CentralPrimary && s.township == school.township);
    above.map_or("", |s| &s.name)
}

/// A row with a word in the first and a count in the third column.
fn total(word: &str, count: usize, width: usize) -> Vec<Out> {
    let mut row = vec![Out::Blank; width];
    for (index, out) in [(0, Out::text(word)), (2, Out::text(count.to_string()))] {
        if let Some(place) = row.get_mut(index) {
            *place = out;
        }
    }
    row
}

fn roster_table(teachers: &[Teacher], heads: &Heads) -> Table {
    let rows = (1usize..).zip(teachers);
    Table {
        sheet: "教师花名册".into(),
        title: format!("{}教师花名册", heads.school_name),
        lines: heads.lines(),
        heads: TEACHER_HEADS.to_vec(),
        rows: rows.map(|(n, t)| teacher_row(n, &facts(t), &heads.school_name, &heads.school_code)).collect(),
        signatures: SIGNATURES.into(),
        ..Table::default()
    }
}

/// A school's roster as a workbook that can be imported again.
///
/// # Errors
/// [`SheetError::Write`].
pub fn roster_xlsx(teachers: &[Teacher], heads: &Heads) -> Result<Vec<u8>, SheetError> {
    to_xlsx(&[roster_table(teachers, heads)])
}

/// [`roster_xlsx`] as CSV.
///
/// # Errors
/// [`SheetError::Write`].
pub fn roster_csv(teachers: &[Teacher], heads: &Heads) -> Result<Vec<u8>, SheetError> {
    to_csv(&roster_table(teachers, heads))
}

/// One line of form F8: a claim with what stands in its session and at the teacher.
#[derive(Clone, Debug)]
pub struct ClaimLine {
    /// The claim.
    pub claim: ClaimRow,
    /// 教师编号.
    pub teacher_code: String,
    /// 主题 of the session.
    pub theme: String,
    /// Code of the session's form.
    pub form: String,
}

/// 序号 … 登记号 in the order of form F8. What is filled in by hand stays blank.
const CLAIM_HEADS: [(&str, f64); 22] = [
    ("序号", 5.0),
    ("姓名", 10.0),
    ("教师编号", 12.0),
    ("项目/活动名称", 26.0),
    ("主题", 20.0),
    ("形式", 10.0),
    ("主办单位", 18.0),
    ("起止", 12.0),
    ("学时", 7.0),
    ("类别", 12.0),
    ("渠道", 10.0),
    ("折算学分", 9.0),
    ("证明材料", 10.0),
    ("考核结果", 9.0),
    ("专管员", 9.0),
    ("校长", 9.0),
    ("公示起止", 10.0),
    ("异议", 7.0),
    ("县审核意见", 16.0),
    ("审核人", 9.0),
    ("审核日期", 11.0),
    ("登记号", 14.0),
];

fn claims_table(lines: &[ClaimLine], heads: &Heads) -> Table {
    let rows = (1usize..).zip(lines).map(|(number, line)| {
        let c = &line.claim;
        let (opinion, by, on) = opinion(c);
        vec![
            number.into(),
            c.person_name.as_str().into(),
            line.teacher_code.as_str().into(),
            c.session_title.as_str().into(),
            line.theme.as_str().into(),
            label("session", "form", &line.form),
            c.school_name.as_str().into(),
            c.date.as_str().into(),
            Out::Hundredths(c.hours_c),
            label("claim", "category", &c.category),
            label("claim", "channel", &c.channel),
            Out::Hundredths(c.credits_c),
            Out::Blank,
            Out::Blank,
            Out::Blank,
            Out::Blank,
            Out::Blank,
            Out::Blank,
            opinion.into(),
            by.into(),
            on.into(),
            c.id.as_str().into(),
        ]
    });
    let mut total = vec![Out::Blank; CLAIM_HEADS.len()];
    for (index, out) in [
        (0, Out::text("合计")),
        (8, Out::Hundredths(lines.iter().map(|l| l.claim.hours_c).sum())),
        (11, Out::Hundredths(lines.iter().map(|l| l.claim.credits_c).sum())),
    ] {
        if let Some(place) = total.get_mut(index) {
            *place = out;
        }
    }
    Table {
        sheet: "学时学分登记表".into(),
        title: format!("{}学时学分登记表", heads.school_name),
        lines: heads.lines(),
        heads: CLAIM_HEADS.to_vec(),
        rows: rows.collect(),
        total,
        signatures: SIGNATURES.into(),
    }
}

/// The county's opinion on a claim (or how far it has come), by whom and when.
fn opinion(c: &ClaimRow) -> (String, &str, &str) {
    if c.disputed {
        return ("待核".into(), "", "");
    }
    match &c.state {
        ClaimState::SavedAtSchool => ("已保存在本校".into(), "", ""),
        ClaimState::Carried => ("已由他人带走".into(), "", ""),
        ClaimState::AtCounty => ("已到县，待审核".into(), "", ""),
        ClaimState::ChangedAfterDecision => ("审后改动，待重新审核".into(), "", ""),
        ClaimState::Decided { verdict, credits_c, note, by, on, .. } => {
            let mut words =
                Kinds::builtin().code_label("decision", "verdict", verdict, Lang::Zh).to_owned();
            if verdict == "reduced" {
                words.push_str(&format!("为 {} 学分", show_hundredths(*credits_c)));
            }
            if !note.is_empty() {
                words.push_str(&format!("：{note}"));
            }
            (words, by, on)
        }
    }
}

/// 学时学分登记表 (F8) as a workbook.
///
/// # Errors
/// [`SheetError::Write`].
pub fn claims_xlsx(lines: &[ClaimLine], heads: &Heads) -> Result<Vec<u8>, SheetError> {
    to_xlsx(&[claims_table(lines, heads)])
}

/// 学时学分登记表 (F8) as CSV.
///
/// # Errors
/// [`SheetError::Write`].
pub fn claims_csv(lines: &[ClaimLine], heads: &Heads) -> Result<Vec<u8>, SheetError> {
    to_csv(&claims_table(lines, heads))
}

/// One school in 学校学分汇总表 (F2). `None` is not known and stays blank.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SchoolSummary {
    /// 学校.
    pub school: String,
    /// 应参加人数: teachers in service.
    pub due: usize,
    /// 实际人数: of them, those with at least one claim that is not in dispute.
    pub took_part: usize,
    /// Credits recognised, in hundredths, by category code.
    pub credits_c: std::collections::BTreeMap<String, i64>,
    /// 达标人数.
    pub met: Option<usize>,
    /// 未达标名单; only for use inside the school.
    pub unmet: Vec<String>,
    /// 校本研修学时: class-hours recognised in the school channel, in hundredths.
    pub school_hours_c: i64,
    /// 待审.
    pub waiting: usize,
    /// 退回补正.
    pub returned: usize,
    /// 认定 and 核减.
    pub recognised: usize,
    /// 不予认定.
    pub rejected: usize,
}

impl SchoolSummary {
    /// Counts what follows from the roster and the claims of one school. 达标 comes from the credit
    /// cards and is left open.
    pub fn of(school: &str, teachers: &[Teacher], claims: &[ClaimRow]) -> Self {
        let due: std::collections::BTreeSet<&str> =
            teachers.iter().filter(|t| t.in_service()).map(|t| t.id.as_str()).collect();
        let took_part: std::collections::BTreeSet<&str> = claims
            .iter()
            .filter(|c| !c.disputed && due.contains(c.person.as_str()))
            .map(|c| c.person.as_str())
            .collect();
        let mut summary = Self {
            school: school.into(),
            due: due.len(),
            took_part: took_part.len(),
            ..Self::default()
        };
        for claim in claims {
            match &claim.state {
                // What is in dispute counts nothing, whatever was decided.
                _ if claim.disputed => summary.waiting += 1,
                ClaimState::Decided { verdict, credits_c, hours_c, .. } => match verdict.as_str() {
                    "recognised" | "reduced" => {
                        summary.recognised += 1;
                        *summary.credits_c.entry(claim.category.clone()).or_default() += credits_c;
                        if claim.channel == "school" {
                            summary.school_hours_c += hours_c;
                        }
                    }
                    "returned" => summary.returned += 1,
                    _ => summary.rejected += 1,
                },
                _ => summary.waiting += 1,
            }
        }
        summary
    }
}

const SUMMARY_HEADS: [(&str, f64); 16] = [
    ("学校", 26.0),
    ("应参加人数", 10.0),
    ("实际人数", 9.0),
    ("师德与素养学分", 11.0),
    ("知识与技能学分", 11.0),
    ("实践体验学分", 11.0),
    ("学分合计", 9.0),
    ("人均学分", 9.0),
    ("达标人数", 9.0),
    ("达标率", 8.0),
    ("未达标名单", 24.0),
    ("校本研修学时", 10.0),
    ("待审", 7.0),
    ("退回", 7.0),
    ("认定", 7.0),
    ("不予认定", 9.0),
];

fn summary_table(schools: &[SchoolSummary], heads: &Heads) -> Table {
    let rows = schools.iter().map(|s| {
        let of = |category: &str| s.credits_c.get(category).copied().unwrap_or(0);
        let sum: i64 = s.credits_c.values().sum();
        let people = i64::try_from(s.due).unwrap_or(i64::MAX);
        // Rounded down: an average must not show a target as met that is not.
        let mean = if people == 0 { Out::Blank } else { Out::Hundredths(sum / people) };
        let rate = match (s.met, s.due) {
            (Some(met), due @ 1..) => Out::text(format!("{}%", show_tenths(met * 1000 / due))),
            _ => Out::Blank,
        };
        vec![
            s.school.as_str().into(),
            s.due.into(),
            s.took_part.into(),
            Out::Hundredths(of("ethics_literacy")),
            Out::Hundredths(of("knowledge_skill")),
            Out::Hundredths(of("practice")),
            Out::Hundredths(sum),
            mean,
            s.met.map_or(Out::Blank, Out::from),
            rate,
            s.unmet.join("、").into(),
            Out::Hundredths(s.school_hours_c),
            s.waiting.into(),
            s.returned.into(),
            s.recognised.into(),
            s.rejected.into(),
        ]
    });
    Table {
        sheet: "学校学分汇总表".into(),
        title: format!("{}学校学分汇总表", heads.school_name),
        lines: heads.lines(),
        heads: SUMMARY_HEADS.to_vec(),
        rows: rows.collect(),
        signatures: SIGNATURES.into(),
        ..Table::default()
    }
}

fn show_tenths(tenths: usize) -> String {
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// 学校学分汇总表 (F2) as a workbook, one row per school.
///
/// # Errors
/// [`SheetError::Write`].
pub fn school_summary_xlsx(schools: &[SchoolSummary], heads: &Heads) -> Result<Vec<u8>, SheetError> {
    to_xlsx(&[summary_table(schools, heads)])
}

/// 学校学分汇总表 (F2) as CSV.
///
/// # Errors
/// [`SheetError::Write`].
pub fn school_summary_csv(schools: &[SchoolSummary], heads: &Heads) -> Result<Vec<u8>, SheetError> {
    to_csv(&summary_table(schools, heads))
}

#[cfg(test)]
#[path = "write_tests.rs"]
mod tests;
