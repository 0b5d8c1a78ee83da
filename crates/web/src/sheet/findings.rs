//! What reading a table finds beside its rows: cells that are wrong, and rows that are no data.

use std::collections::BTreeMap;

use super::grid::Sheet;
use super::header::Header;

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The row is imported, without the value.
    Warn,
    /// The row is not imported.
    Error,
}

impl Severity {
    /// Whether the row is left out.
    pub fn bad(self) -> bool {
        self == Self::Error
    }
}

/// Something wrong with one cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Name of the sheet.
    pub sheet: String,
    /// Address of the cell: `C17`.
    pub cell: String,
    /// What stands there, shortened; long numbers are masked.
    pub value: String,
    /// What is wrong, in Chinese.
    pub zh: String,
    /// What is wrong, in English.
    pub en: String,
    /// Whether the row is left out.
    pub severity: Severity,
}

/// Something to know about the whole file or a sheet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// In Chinese.
    pub zh: String,
    /// In English.
    pub en: String,
}

/// Rows that are no data, or not ours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    /// Blank rows between or below the data.
    pub blank: usize,
    /// 合计, 小计, 总计.
    pub totals: usize,
    /// The heading again (printed page by page), and remarks at the foot (制表人 …).
    pub remarks: usize,
    /// Rows of other schools, by the name that stands there.
    pub other_schools: BTreeMap<String, usize>,
    /// Teachers in a file that the county imports: their names belong to the schools' documents only.
    pub teachers_at_county: usize,
}

impl Skipped {
    /// Rows of all other schools.
    pub fn other_school_rows(&self) -> usize {
        self.other_schools.values().sum()
    }
}

/// Problems that a plan lists one by one.
pub const MAX_PROBLEMS: usize = 500;

/// All of it, for one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// By cell; at most [`MAX_PROBLEMS`].
    pub problems: Vec<Problem>,
    /// Problems beyond those listed.
    pub more_problems: usize,
    /// Problems that keep a row out, listed or not.
    pub errors: usize,
    /// About the file as a whole.
    pub notes: Vec<Note>,
    /// Rows passed over.
    pub skipped: Skipped,
}

impl Findings {
    pub(super) fn problem(&mut self, problem: Problem) {
        // A cell that is read twice is named once.
        if self.problems.iter().rev().take(20).any(|known| *known == problem) {
            return;
        }
        self.errors += usize::from(problem.severity == Severity::Error);
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(problem);
        } else {
            self.more_problems += 1;
        }
    }

    pub(super) fn note(&mut self, zh: String, en: String) {
        let note = Note { zh, en };
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// Says which columns of a sheet were not read.
    pub(super) fn columns(&mut self, sheet: &Sheet, header: &Header) {
        if !header.private.is_empty() {
            let list = header.private.join("、");
            self.note(
            format!("工作表“{}”的“{list}”列没有读取，不会保存（本系统不需要这些个人信息）", sheet.name),
            format!("Sheet “{}”: the columns “{list}” were not read and are not stored; this personal data is not needed", sheet.name),
        );
        }
        if !header.unused.is_empty() {
            let list = header.unused.join("、");
            self.note(
                format!("工作表“{}”的“{list}”列没有用到", sheet.name),
                format!("Sheet “{}”: the columns “{list}” are not used", sheet.name),
            );
        }
    }

    /// In a few lines of Chinese.
    pub fn summary_zh(&self) -> Vec<String> {
        let s = &self.skipped;
        let mut lines = vec![format!(
            "略过：空行 {}，合计行 {}，表头和附注 {}，外校 {}",
            s.blank,
            s.totals,
            s.remarks,
            s.other_school_rows()
        )];
        if !self.problems.is_empty() {
            lines.push(format!(
                "问题：{} 处，其中 {} 处使该行不能导入",
                self.problems.len() + self.more_problems,
                self.errors
            ));
        }
        lines.extend(self.notes.iter().map(|n| n.zh.clone()));
        lines
    }

    /// In a few lines of English.
    pub fn summary_en(&self) -> Vec<String> {
        let s = &self.skipped;
        let mut lines = vec![format!(
            "Passed over: {} blank rows, {} totals, {} headings and remarks, {} of other schools",
            s.blank,
            s.totals,
            s.remarks,
            s.other_school_rows()
        )];
        if !self.problems.is_empty() {
            lines.push(format!(
                "Problems: {}, of which {} keep their row out",
                self.problems.len() + self.more_problems,
                self.errors
            ));
        }
        lines.extend(self.notes.iter().map(|n| n.en.clone()));
        lines
    }
}
