//! The roster file of the made-up county, as a county office would hand it out.

use super::{TEACHER_HEADS, label, teacher_row};
use crate::sheet::error::SheetError;
use crate::sheet::roster::TeacherFacts;
use crate::sheet::table::{Out, Table, to_xlsx};
use records::sample::{County, SampleSchool, SampleTeacher, SchoolKind};

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

pub(super) fn sample_facts(t: &SampleTeacher) -> TeacherFacts {
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
        parts: None,
        teaching_from: Some(t.teaching_from),
        from: String::new(),
    }
}

/// The township's central school, which is above its village schools and teaching points.
pub(super) fn central_school<'a>(county: &'a County, school: &SampleSchool) -> &'a str {
    if !matches!(
        school.kind,
        SchoolKind::VillagePrimary | SchoolKind::TeachingPoint
    ) {
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
