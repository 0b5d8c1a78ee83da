//! Form F2: 学校学分汇总表.

use super::{Heads, SIGNATURES};
use crate::sheet::error::SheetError;
use crate::sheet::table::{Out, Table, to_csv, to_xlsx};
use node::office::{ClaimRow, ClaimState, Teacher};
use std::collections::{BTreeMap, BTreeSet};

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
    pub credits_c: BTreeMap<String, i64>,
    /// 达标人数.
    pub met: Option<usize>,
    /// 未达标名单; only for use inside the school.
    pub unmet: Vec<String>,
    /// 校本研修学时: class-hours recognised in the school channel, in hundredths.
    pub school_hours_c: i64,
    /// 讲座占比: lecture minutes and all minutes of the sessions that were held.
    pub lecture: Option<(i64, i64)>,
    /// 证据缺失数: claims with no evidence of theirs or of their session.
    pub no_evidence: Option<usize>,
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
        let due: BTreeSet<&str> = teachers
            .iter()
            .filter(|t| t.in_service())
            .map(|t| t.id.as_str())
            .collect();
        let took_part: BTreeSet<&str> = claims
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
                ClaimState::Decided {
                    verdict,
                    credits_c,
                    hours_c,
                    ..
                } => match verdict.as_str() {
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

const SUMMARY_HEADS: [(&str, f64); 18] = [
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
    ("讲座占比", 8.0),
    ("证据缺失数", 9.0),
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
        let mean = if people == 0 {
            Out::Blank
        } else {
            Out::Hundredths(sum / people)
        };
        let whole = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let rate = s.met.map_or(Out::Blank, |met| percent(whole(met), whole(s.due)));
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
            s.lecture.map_or(Out::Blank, |(part, all)| percent(part, all)),
            s.no_evidence.map_or(Out::Blank, Out::from),
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

/// A share as `33.3%`, rounded down; nothing of nothing stays blank.
pub(super) fn percent(part: i64, all: i64) -> Out {
    if all <= 0 {
        return Out::Blank;
    }
    let tenths = part.saturating_mul(1000) / all;
    Out::text(format!("{}.{}%", tenths / 10, tenths % 10))
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
