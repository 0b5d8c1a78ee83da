//! The row 国内培训 of 全国教师管理信息系统 (domain.md §7.1), one for each credit that the county has recognised.

use super::claims::ClaimLine;
use super::{Heads, SIGNATURES, label};
use crate::sheet::table::{Out, Table};
use node::office::ClaimState;

/// Who, then exactly the seven columns of the national system.
const TRAINING_HEADS: [(&str, f64); 9] = [
    ("姓名", 12.0),
    ("教师编号", 14.0),
    ("培训年度", 9.0),
    ("培训类别", 14.0),
    ("培训项目名称", 32.0),
    ("培训机构名称", 28.0),
    ("培训方式", 12.0),
    ("培训获得学时", 9.0),
    ("培训获得学分", 9.0),
];

/// What the county has recognised, as the national system takes it.
pub fn training(lines: &[ClaimLine], heads: &Heads) -> Table {
    let rows = lines.iter().filter_map(|line| {
        let claim = &line.claim;
        let ClaimState::Decided {
            verdict,
            hours_c,
            credits_c,
            ..
        } = &claim.state
        else {
            return None;
        };
        if claim.disputed || !matches!(verdict.as_str(), "recognised" | "reduced") {
            return None;
        }
        Some(vec![
            claim.person_name.as_str().into(),
            line.teacher_code.as_str().into(),
            // The calendar year in which it began.
            Out::text(claim.date.chars().take(4).collect::<String>()),
            label("claim", "channel", &claim.channel),
            claim.session_title.as_str().into(),
            match line.more.organiser.as_str() {
                "" => claim.school_name.as_str().into(),
                organiser => organiser.into(),
            },
            label("session", "form", &line.form),
            Out::Hundredths(*hours_c),
            Out::Hundredths(*credits_c),
        ])
    });
    Table {
        sheet: "国内培训".into(),
        title: format!("{}国内培训信息", heads.school_name),
        lines: heads.lines(),
        heads: TRAINING_HEADS.to_vec(),
        rows: rows.collect(),
        signatures: SIGNATURES.into(),
        ..Table::default()
    }
}
