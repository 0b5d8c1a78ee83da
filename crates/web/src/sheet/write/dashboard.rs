//! Form F3: 县达标看板, one row for each school.

use super::summary::percent;
use super::{Heads, SIGNATURES};
use crate::sheet::table::{Out, Table};

/// One school of form F3.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SchoolLine {
    /// 学校.
    pub school: String,
    /// 学校标识码.
    pub code: String,
    /// 城乡, as people read it.
    pub rural: String,
    /// 教师数: in service.
    pub teachers: i64,
    /// 达标数.
    pub met: i64,
    /// Credits recognised, in hundredths: 校本, 县级, 市级.
    pub credits_c: [i64; 3],
    /// 听评课: observations, and those of them that were talked over with the teacher.
    pub observations: [i64; 2],
    /// 待审件.
    pub waiting: i64,
    /// 异议数: raised and not answered.
    pub objections: i64,
    /// 最后同步时间; empty = never.
    pub contact: String,
}

const DASHBOARD_HEADS: [(&str, f64); 17] = [
    ("序号", 6.0),
    ("学校", 26.0),
    ("学校标识码", 13.0),
    ("城乡", 9.0),
    ("教师数", 8.0),
    ("达标数", 8.0),
    ("达标率", 8.0),
    ("平均学分", 9.0),
    ("校本学分占比", 9.0),
    ("县级学分占比", 9.0),
    ("市级学分占比", 9.0),
    ("工作坊进度", 10.0),
    ("送教场次", 9.0),
    ("听评课完成率", 9.0),
    ("待审件", 8.0),
    ("异议数", 8.0),
    ("最后同步时间", 17.0),
];

/// 县达标看板 (F3). Workshops and deliveries are filled in by hand until they are recorded here.
pub fn dashboard(schools: &[SchoolLine], heads: &Heads) -> Table {
    let row = |number: Out, s: &SchoolLine| {
        let sum: i64 = s.credits_c.iter().sum();
        let [school, county, city] = s.credits_c.map(|part| percent(part, sum));
        let [observed, signed] = s.observations;
        vec![
            number,
            s.school.as_str().into(),
            s.code.as_str().into(),
            s.rural.as_str().into(),
            Out::Int(s.teachers),
            Out::Int(s.met),
            percent(s.met, s.teachers),
            // Rounded down, like every average of the summary.
            sum.checked_div(s.teachers).map_or(Out::Blank, Out::Hundredths),
            school,
            county,
            city,
            Out::Blank,
            Out::Blank,
            percent(signed, observed),
            Out::Int(s.waiting),
            Out::Int(s.objections),
            s.contact.as_str().into(),
        ]
    };
    let total = schools.iter().fold(SchoolLine::default(), |sum, s| SchoolLine {
        teachers: sum.teachers + s.teachers,
        met: sum.met + s.met,
        credits_c: [0, 1, 2].map(|at| sum.credits_c[at] + s.credits_c[at]),
        observations: [0, 1].map(|at| sum.observations[at] + s.observations[at]),
        waiting: sum.waiting + s.waiting,
        objections: sum.objections + s.objections,
        ..SchoolLine::default()
    });
    Table {
        sheet: "县达标看板".into(),
        title: format!("{}教师培训达标看板", heads.school_name),
        lines: heads.lines(),
        heads: DASHBOARD_HEADS.to_vec(),
        rows: (1usize..)
            .zip(schools)
            .map(|(number, s)| row(number.into(), s))
            .collect(),
        total: row(Out::text("合计"), &total),
        signatures: SIGNATURES.into(),
        ..Table::default()
    }
}
