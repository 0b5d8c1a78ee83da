//! Lists of people with what they did: who came to a session (签到名单), who earned class-hours outside the school
//! (校外培训学时), who passed an assessment (考核合格名单).
//!
//! Pure, like `roster`: table and what is known in, plan out. A person is found by number; where a row has none,
//! or number and name do not agree, a person at the page chooses.

mod people;
mod rows;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};

pub use super::findings::Findings;
pub use node::office::{OutsideInput, Teacher};
pub use people::Found;

use super::grid::{Cell, Sheet, Workbook};
use super::header::{self, Column, Header, Table, Vocabulary};
use super::row::{Row, RowKind, classify};
use people::People;
use records::SchoolYear;
use records::text::is_han;

/// What a list is of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum What {
    /// 签到名单 of a session.
    #[default]
    Attendance,
    /// 校外培训学时.
    Outside,
    /// 考核合格名单 of a session.
    Passes,
}

impl What {
    /// Its name in `import.what`.
    pub fn code(self) -> &'static str {
        match self {
            Self::Attendance => "attendance",
            Self::Outside => "outside",
            Self::Passes => "passes",
        }
    }
}

/// What is known before the import.
#[derive(Clone, Debug, Default)]
pub struct ListContext {
    /// What the list is of.
    pub what: What,
    /// Everyone on the school's roster.
    pub people: Vec<Teacher>,
    /// Names and codes of the other schools of the county, squeezed.
    pub others: BTreeSet<String>,
    /// What is recorded of a person already, as a row would say it.
    pub known: HashMap<String, Says>,
    /// Trainings outside the school for which a person has a claim.
    pub claimed: BTreeSet<(String, OutsideInput)>,
    /// Names of the own school, squeezed.
    pub home: BTreeSet<String>,
    /// Rows of this file that were imported before.
    pub taken: BTreeSet<String>,
    /// The school year that completes 9月1日.
    pub year: i32,
    /// What the clerk chose for columns that the table does not have: codes of form, category and channel.
    pub form: String,
    /// See `form`.
    pub category: String,
    /// See `form`.
    pub channel: String,
}

/// What a row says about its person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Says {
    /// Code of the status, arrival, leaving, reason.
    Mark {
        /// Code of the status.
        status: String,
        /// 08:05, or empty.
        arrived: String,
        /// 17:00, or empty.
        left: String,
        /// 事由, or empty.
        reason: String,
    },
    /// A training.
    Outside(OutsideInput),
    /// The result of an assessment.
    Pass {
        /// Code of the result.
        result: String,
        /// 成绩 in hundredths.
        points_c: Option<i64>,
        /// 证书编号, or empty.
        number: String,
    },
}

/// One row that can be imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListRow {
    /// Where the row stands: 签到表!5. With the file's digest it tells rows apart.
    pub key: String,
    /// The name as written.
    pub name: String,
    /// The number as written, or empty.
    pub code: String,
    /// Who it is.
    pub found: Found,
    /// What it says.
    pub says: Says,
}

/// What importing a list would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListPlan {
    /// Rows with something new.
    pub rows: Vec<ListRow>,
    /// Rows that say what is recorded already.
    pub same: usize,
    /// Rows of this very file that were imported before.
    pub before: usize,
    /// What was wrong, and passed over.
    pub found: Findings,
}

impl ListPlan {
    /// Rows of which a person must say who is meant.
    pub fn to_choose(&self) -> impl Iterator<Item = (usize, &ListRow)> {
        let rows = self.rows.iter().enumerate();
        rows.filter(|(_, row)| !matches!(row.found, Found::Sure(_)))
    }

    /// Rows whose person is found by number.
    pub fn sure(&self) -> impl Iterator<Item = &ListRow> {
        self.rows.iter().filter(|row| matches!(row.found, Found::Sure(_)))
    }

    /// The plan in a few lines: Chinese and English.
    pub fn summary(&self) -> Vec<[String; 2]> {
        let (sure, choose) = (self.sure().count(), self.to_choose().count());
        let mut lines = vec![[
            format!("按教师编号找到 {sure} 行；要你选定是谁的 {choose} 行"),
            format!("{sure} rows found by teacher code; {choose} rows for you to say who is meant"),
        ]];
        if self.same > 0 {
            lines.push([
                format!("和现有记录一样，不再写：{} 行", self.same),
                format!("{} rows say what is recorded already", self.same),
            ]);
        }
        if self.before > 0 {
            lines.push([
                format!(
                    "这个文件以前导入过的 {} 行，不重复导入（要重来请先撤销那次导入）",
                    self.before
                ),
                format!(
                    "{} rows of this very file were imported before; take that import back to begin anew",
                    self.before
                ),
            ]);
        }
        let found = self.found.summary_zh().into_iter().zip(self.found.summary_en());
        lines.extend(found.map(|(zh, en)| [zh, en]));
        lines
    }
}

/// Compares a list with what is known and says what importing it would do. Writes nothing.
pub fn plan_list(book: &Workbook, context: &ListContext) -> ListPlan {
    let mut plan = ListPlan::default();
    let people = People::new(&context.people);
    let mut seen: HashMap<String, String> = HashMap::new();
    for sheet in &book.sheets {
        let Some(header) = header::find(Vocabulary::List, sheet).or_else(|| bare(sheet)) else {
            if sheet.rows.iter().flatten().any(|cell| !cell.is_blank()) {
                plan.found.note(
                    format!(
                        "工作表“{}”没有认出表头：请加一行表头，至少有“姓名”一列（最好还有“教师编号”），再上传",
                        sheet.name
                    ),
                    format!(
                        "Sheet “{}” has no heading row that is known; add one with at least 姓名, better also 教师编号",
                        sheet.name
                    ),
                );
            }
            continue;
        };
        told_columns(&mut plan.found, sheet, &header, context.what);
        for row in header.first..sheet.rows.len() {
            match classify(sheet, &header, row) {
                RowKind::Data => {
                    let mut reader = Row {
                        sheet,
                        header: &header,
                        row,
                        found: &mut plan.found,
                        failed: false,
                    };
                    let Some(read) = rows::read(&mut reader, context, &people, &mut seen) else {
                        continue;
                    };
                    if context.taken.contains(&read.key) {
                        plan.before += 1;
                    } else if is_known(&read, context) {
                        plan.same += 1;
                    } else {
                        plan.rows.push(read);
                    }
                }
                RowKind::Blank => plan.found.skipped.blank += 1,
                RowKind::Total => plan.found.skipped.totals += 1,
                RowKind::Remark => plan.found.skipped.remarks += 1,
            }
        }
    }
    plan
}

/// Whether the row says of its person what is recorded already; what it does not speak of may be anything.
fn is_known(row: &ListRow, context: &ListContext) -> bool {
    let Found::Sure(person) = &row.found else {
        return false;
    };
    let fits = |new: &str, old: &str| new.is_empty() || new == old;
    if let Says::Outside(training) = &row.says {
        return context.claimed.contains(&(person.clone(), training.clone()));
    }
    match (&row.says, context.known.get(person)) {
        (
            Says::Mark {
                status,
                arrived,
                left,
                reason,
            },
            Some(Says::Mark {
                status: s,
                arrived: a,
                left: l,
                reason: r,
            }),
        ) => status == s && fits(arrived, a) && fits(left, l) && fits(reason, r),
        (
            Says::Pass {
                result,
                points_c,
                number,
            },
            Some(Says::Pass {
                result: r,
                points_c: p,
                number: n,
            }),
        ) => result == r && points_c == p && number == n,
        _ => false,
    }
}

/// Names without a heading, as they are copied out of a chat: one a row, perhaps with a number beside it.
fn bare(sheet: &Sheet) -> Option<Header> {
    let width = sheet.rows.iter().map(Vec::len).max().unwrap_or(0);
    let whole = |column: usize, fits: &dyn Fn(&str) -> bool| {
        let cells = (0..sheet.rows.len()).map(|row| sheet.cell(row, column));
        let filled: Vec<&Cell> = cells.filter(|cell| !cell.is_blank()).collect();
        !filled.is_empty()
            && filled
                .iter()
                .all(|cell| fits(&super::text::squeeze(&cell.text())))
    };
    let is_name = |text: &str| {
        let letters = text.chars().filter(|c| !matches!(c, '·' | '•' | '.' | '(' | ')'));
        let count = letters.clone().count();
        (2..=20).contains(&count) && letters.clone().all(is_han)
    };
    let is_code = |text: &str| {
        text.len() >= 3
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && text.bytes().any(|b| b.is_ascii_digit())
    };
    let name = (0..width.min(4)).find(|column| whole(*column, &is_name))?;
    let code = (0..width.min(4)).find(|column| whole(*column, &is_code));
    let mut columns = std::collections::BTreeMap::from([(Column::Name, name)]);
    columns.extend(code.map(|code| (Column::TeacherCode, code)));
    Some(Header {
        vocabulary: Vocabulary::List,
        table: Table::Teachers,
        first: 0,
        columns,
        private: Vec::new(),
        unused: Vec::new(),
    })
}

/// What the clerk should know about the columns of a sheet.
fn told_columns(found: &mut Findings, sheet: &Sheet, header: &Header, what: What) {
    found.columns(sheet, header);
    let has = |column| header.index(column).is_some();
    if !has(Column::TeacherCode) {
        found.note(
            format!(
                "工作表“{}”没有“教师编号”列：姓名不能单独作准，请逐一核对是哪位老师",
                sheet.name
            ),
            format!(
                "Sheet “{}” has no column 教师编号: a name alone proves nobody, please check each",
                sheet.name
            ),
        );
    }
    let marks = [Column::Attendance, Column::Arrived, Column::Signature];
    if what == What::Attendance && !marks.into_iter().any(has) {
        found.note(
            format!("工作表“{}”没有“出勤”列：名单上的人都记为“到”，备注里写了迟到、公假等的除外", sheet.name),
            format!("Sheet “{}” has no column 出勤: everyone on it is taken as present, unless a remark says otherwise", sheet.name),
        );
    }
    if what == What::Passes && !has(Column::Result) {
        found.note(
            format!("工作表“{}”没有“考核结果”列：名单上的人都记为“合格”", sheet.name),
            format!(
                "Sheet “{}” has no column 考核结果: everyone on it is taken as passed",
                sheet.name
            ),
        );
    }
}

/// The school year of a list.
fn year(context: &ListContext) -> SchoolYear {
    SchoolYear(context.year)
}
