//! Form F8: 学时学分登记表.

use super::{Heads, SIGNATURES, label};
use crate::sheet::error::SheetError;
use crate::sheet::table::{Out, Table, to_csv, to_xlsx};
use node::office::{ClaimRow, ClaimState};
use records::{Kinds, Lang, show_hundredths};

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
    /// What else the register says of it.
    pub more: ClaimMore,
}

/// What stands around a claim. Empty parts are filled in by hand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClaimMore {
    /// 主办单位 of a training outside the school.
    pub organiser: String,
    /// Last day of a training of several days.
    pub until: String,
    /// 证明材料: kinds of evidence.
    pub evidence: String,
    /// 考核结果.
    pub result: String,
    /// 专管员: the account that registered it.
    pub clerk: String,
    /// 异议: where objections stand.
    pub objection: String,
}

/// 序号 … 登记号 in the order of form F8. What is filled in by hand stays blank.
const CLAIM_HEADS: [(&str, f64); 22] = [
    ("序号", 4.5),
    ("姓名", 9.0),
    ("教师编号", 11.0),
    ("项目/活动名称", 18.0),
    ("主题", 12.0),
    ("形式", 9.0),
    ("主办单位", 13.0),
    ("起止", 11.5),
    ("学时", 6.0),
    ("类别", 9.0),
    ("渠道", 9.0),
    ("折算学分", 6.0),
    ("证明材料", 9.0),
    ("考核结果", 7.0),
    ("专管员", 8.0),
    ("校长", 7.0),
    ("公示起止", 9.0),
    ("异议", 6.0),
    ("县审核意见", 13.0),
    ("审核人", 8.0),
    ("审核日期", 11.0),
    ("登记号", 13.0),
];

/// 学时学分登记表 (F8), for a file or for paper.
pub(crate) fn claims_table(lines: &[ClaimLine], heads: &Heads) -> Table {
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
            match line.more.organiser.as_str() {
                "" => c.school_name.as_str().into(),
                organiser => organiser.into(),
            },
            match line.more.until.as_str() {
                "" => c.date.as_str().into(),
                until => format!("{} 至 {until}", c.date).into(),
            },
            Out::Hundredths(c.hours_c),
            label("claim", "category", &c.category),
            label("claim", "channel", &c.channel),
            Out::Hundredths(c.credits_c),
            line.more.evidence.as_str().into(),
            line.more.result.as_str().into(),
            line.more.clerk.as_str().into(),
            // The head signs, and the dates of the notice are written in by hand.
            Out::Blank,
            Out::Blank,
            line.more.objection.as_str().into(),
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
        ..Table::default()
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
        ClaimState::Decided {
            verdict,
            credits_c,
            note,
            by,
            on,
            ..
        } => {
            let mut words = Kinds::builtin()
                .code_label("decision", "verdict", verdict, Lang::Zh)
                .to_owned();
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
