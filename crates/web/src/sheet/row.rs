//! Reading the cells of one row, and collecting what is wrong with them.

use super::findings::{Findings, Problem, Severity};
use crate::sheet::codes;
use crate::sheet::dates::parse_cell;
use crate::sheet::grid::{Cell, Sheet};
use crate::sheet::header::{Column, Header, is_repeat};
use crate::sheet::text::{address, shorten, squeeze, tidy};
use records::kinds::find_personal;
use records::{Fields, Kinds, SchoolYear};

/// Longer texts in a cell come from an unpaired quotation mark that swallowed the rows below.
const MAX_TEXT: usize = 200;

/// What a row is, before its cells are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RowKind {
    Data,
    Blank,
    Total,
    Remark,
}

/// Tells data from blank rows, totals, repeated headings and remarks at the foot.
pub(super) fn classify(sheet: &Sheet, header: &Header, row: usize) -> RowKind {
    if is_repeat(header, sheet, row) {
        return RowKind::Remark;
    }
    let cells = sheet.rows.get(row).map_or(&[][..], Vec::as_slice);
    let Some(first) = cells.iter().find(|c| !c.is_blank()) else {
        return RowKind::Blank;
    };
    let first = squeeze(&first.text());
    let name = header
        .index(Column::Name)
        .or_else(|| header.index(Column::School))
        .map(|index| squeeze(&sheet.cell(row, index).text()))
        .unwrap_or_default();
    if is_total(&first) || is_total(&name) {
        return RowKind::Total;
    }
    // At the foot: 制表人：李老师. In the name column such a text comes from a merged cell.
    if is_remark(&first) && (name.is_empty() || name == first) {
        return RowKind::Remark;
    }
    // Numbers, schools and stages are often filled in ahead for rows that stay empty.
    let ahead = [
        Column::Serial,
        Column::School,
        Column::SchoolCode,
        Column::SchoolShort,
        Column::Stage,
        Column::From,
    ];
    let filled = |(column, index): (&Column, &usize)| {
        let counts =
            header.index(Column::Name).is_none() && *column != Column::Serial || !ahead.contains(column);
        counts && !sheet.cell(row, *index).is_blank()
    };
    if header.columns.iter().any(filled) {
        RowKind::Data
    } else {
        RowKind::Blank
    }
}

fn is_total(text: &str) -> bool {
    [
        "合计",
        "小计",
        "总计",
        "共计",
        "累计",
        "本页合计",
        "全校合计",
        "全县合计",
    ]
    .iter()
    .any(|t| text.starts_with(t))
        || ["合计", "小计", "总计"].iter().any(|t| text.ends_with(t))
        || text.strip_prefix('共').is_some_and(|rest| {
            let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
            rest.len() < text.len() - '共'.len_utf8() && rest.starts_with(['人', '名', '所', '校'])
        })
}

fn is_remark(text: &str) -> bool {
    [
        "制表",
        "记录人",
        "填表",
        "审核",
        "负责人",
        "校长签",
        "说明",
        "注:",
        "备注",
        "单位(盖章)",
        "学校(盖章)",
        "填报",
        "日期:",
    ]
    .iter()
    .any(|t| text.starts_with(t))
        || (text.starts_with('第') && text.ends_with('页'))
}

/// One row with the findings that its problems go to.
pub(super) struct Row<'a> {
    pub(super) sheet: &'a Sheet,
    pub(super) header: &'a Header,
    pub(super) row: usize,
    pub(super) found: &'a mut Findings,
    /// An error was found: the row is not imported.
    pub(super) failed: bool,
}

impl Row<'_> {
    /// The cell, unless the column is missing or the cell blank.
    pub(super) fn cell(&self, column: Column) -> Option<&Cell> {
        let cell = self.sheet.cell(self.row, self.header.index(column)?);
        (!cell.is_blank()).then_some(cell)
    }

    /// “表!B5”.
    pub(super) fn at(&self, column: Column) -> String {
        let index = self.header.index(column).unwrap_or(0);
        format!("{}!{}", self.sheet.name, address(self.row, index))
    }

    /// Names a problem of a cell; an error keeps the row out.
    pub(super) fn problem(&mut self, column: Column, severity: Severity, zh: &str, en: &str) {
        let index = self.header.index(column).unwrap_or(0);
        let shown = shorten(&tidy(&self.sheet.cell(self.row, index).text()), 24);
        // A number that may be personal is not shown again in full.
        let value = if find_personal(&shown).is_some() {
            shorten(&shown, 4)
        } else {
            shown
        };
        self.failed |= severity == Severity::Error;
        self.found.problem(Problem {
            sheet: self.sheet.name.clone(),
            cell: address(self.row, index),
            value,
            zh: zh.to_owned(),
            en: en.to_owned(),
            severity,
        });
    }

    pub(super) fn error(&mut self, column: Column, zh: &str, en: &str) {
        self.problem(column, Severity::Error, zh, en);
    }

    pub(super) fn warn(&mut self, column: Column, zh: &str, en: &str) {
        self.problem(column, Severity::Warn, zh, en);
    }

    /// Text of a cell, checked for what no table should hold.
    pub(super) fn text(&mut self, column: Column) -> Option<String> {
        let cell = self.cell(column)?;
        if let Cell::Error(_) = cell {
            self.error(
                column,
                "公式出错，没有值",
                "the formula has an error instead of a value",
            );
            return None;
        }
        let text = tidy(&cell.text());
        if text.chars().count() > MAX_TEXT {
            self.error(
                column,
                "文字过长：可能引号没有成对，后面的行被并入这一格",
                "too long: perhaps a quotation mark is unpaired and this cell swallowed the rows below",
            );
            return None;
        }
        if text.contains('\u{FFFD}') {
            self.error(
                column,
                "有乱码，文件编码可能不对",
                "undecodable characters; the file's encoding may be wrong",
            );
            return None;
        }
        if text.chars().any(|c| matches!(c, '\u{E000}'..='\u{F8FF}')) {
            self.warn(
                column,
                "含有自造字，别的电脑上可能显示不出，请改用国家标准汉字",
                "holds a character of a private font that other computers may not show",
            );
        }
        Some(text)
    }

    /// A code such as 教师编号: no spaces, half-width; nothing when its digits were lost.
    pub(super) fn code(&mut self, column: Column) -> Option<String> {
        if self.cell(column)?.lost_digits() {
            self.warn(
                column,
                "长数字丢失精度，已忽略；请把这一列设为文本后重新填写",
                "a long number lost its last digits and was ignored; format the column as text and type it again",
            );
            return None;
        }
        self.text(column).map(|t| squeeze(&t))
    }

    /// A value of a code table. `None` and a warning when no wording fits.
    pub(super) fn coded(&mut self, column: Column, kind: &str, field: &str) -> Option<String> {
        let text = self.text(column)?;
        let code = codes::code_of(kind, field, &text);
        if code.is_none() {
            let (zh, en) = (column.zh(), column.en());
            self.warn(
                column,
                &format!("不认识这个{zh}，该栏未导入"),
                &format!("unknown {en}; the value was left out"),
            );
        }
        code
    }

    /// The year of a date cell. `None` and an error when it cannot be read.
    pub(super) fn year(&mut self, column: Column, years: std::ops::RangeInclusive<i32>) -> Option<i64> {
        self.text(column)?;
        let year = self
            .cell(column)
            .and_then(|cell| parse_cell(cell, None))
            .map(|d| d.year);
        match year {
            Some(year) if years.contains(&year) => Some(i64::from(year)),
            Some(_) => {
                let (first, last) = (years.start(), years.end());
                self.error(
                    column,
                    &format!("{}应在 {first} 至 {last} 之间", column.zh()),
                    &format!("{} must be from {first} to {last}", column.en()),
                );
                None
            }
            None => {
                self.error(
                    column,
                    &format!("{}读不出年份，请写成 1985 或 1985.09", column.zh()),
                    &format!("no year can be read from {}; write 1985 or 1985.09", column.en()),
                );
                None
            }
        }
    }

    /// A full date as `YYYY-MM-DD`. `None` and a warning when it cannot be read.
    pub(super) fn date(&mut self, column: Column, year: SchoolYear) -> Option<String> {
        self.text(column)?;
        let date = self
            .cell(column)
            .and_then(|c| parse_cell(c, Some(year)))
            .and_then(|d| d.iso());
        if date.is_none() {
            self.warn(
                column,
                "日期读不出，请写成 2026-09-01；已按学年开始日计",
                "not a date; write 2026-09-01. The first day of the school year was taken",
            );
        }
        date
    }

    /// Has the kind check the fields; each fault is an error at its column.
    pub(super) fn check(&mut self, kind: &str, fields: &Fields, column_of: fn(&str) -> Column) {
        let Some(kind) = Kinds::builtin().latest(kind) else {
            return;
        };
        if let Err(faults) = kind.check(fields) {
            for fault in faults {
                self.error(column_of(&fault.field), &fault.zh, &fault.en);
            }
        }
    }
}
