//! A file as rows of cells: the common ground of XLSX and CSV.

use super::delimited;
use super::error::SheetError;
use super::xlsx;
use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Bounds on what is read. A county's roster (1,640 rows × 20 columns) is far below all of them.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of the file.
    pub bytes: usize,
    /// Bytes of all parts of a workbook after unpacking.
    pub inflated: usize,
    /// Sheets of a workbook.
    pub sheets: usize,
    /// Rows of a sheet, blank ones included.
    pub rows: usize,
    /// Columns of a sheet.
    pub columns: usize,
    /// Cells of all sheets, blank ones up to the last used column included.
    pub cells: usize,
    /// Bytes of text in all cells (a shared string may be used a million times).
    pub text: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 16 << 20,
            inflated: 128 << 20,
            sheets: 100,
            rows: 60_000,
            columns: 200,
            cells: 2_000_000,
            text: 64 << 20,
        }
    }
}

/// All sheets of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Workbook {
    /// In the order of the file; exactly one for CSV.
    pub sheets: Vec<Sheet>,
}

/// One table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sheet {
    /// Name of the tab, or the file's name without its ending for CSV.
    pub name: String,
    /// Rows from the first row of the file on, so that the index plus one is the row's number there.
    /// Rows end at their last filled cell.
    pub rows: Vec<Vec<Cell>>,
}

impl Sheet {
    /// The cell, or an empty one outside of the table.
    pub fn cell(&self, row: usize, column: usize) -> &Cell {
        static EMPTY: Cell = Cell::Empty;
        self.rows.get(row).and_then(|r| r.get(column)).unwrap_or(&EMPTY)
    }
}

/// One cell as the file holds it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Cell {
    /// Nothing, or only spaces.
    #[default]
    Empty,
    /// Text as typed.
    Text(String),
    /// A number: whole numbers without a decimal point ("1985").
    Number {
        /// Decimal text.
        text: String,
        /// False when it has more digits than the 15 a workbook keeps.
        exact: bool,
    },
    /// A date cell as `YYYY-MM-DD`.
    Date(String),
    /// A cell with a truth value.
    Bool(bool),
    /// A formula's error, such as `#REF!`.
    Error(String),
}

impl Cell {
    /// What a person sees in the cell.
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Empty => Cow::Borrowed(""),
            Self::Text(t) | Self::Number { text: t, .. } | Self::Date(t) | Self::Error(t) => Cow::Borrowed(t),
            Self::Bool(b) => Cow::Borrowed(if *b { "是" } else { "否" }),
        }
    }

    /// No content.
    pub fn is_blank(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Text(t) => super::text::squeeze(t).is_empty(),
            _ => false,
        }
    }

    /// True for a long number that lost its last digits: a number cell beyond 15 digits, or
    /// text like `3.20E+17` in a CSV saved from one.
    pub fn lost_digits(&self) -> bool {
        match self {
            Self::Number { exact, .. } => !exact,
            Self::Text(t) => {
                let t = super::text::squeeze(t).to_ascii_uppercase();
                t.split_once("E+").is_some_and(|(mantissa, exponent)| {
                    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
                    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
                    digits(whole) && digits(fraction) && digits(exponent)
                })
            }
            _ => false,
        }
    }

    /// Text cell, or an empty one when there is nothing but spaces.
    pub(super) fn from_text(text: String) -> Self {
        if text.chars().all(|c| c.is_whitespace() || c == '\u{FEFF}') {
            Self::Empty
        } else {
            Self::Text(text)
        }
    }

    /// Number cell. Workbooks keep 15 significant digits, so whole numbers from 10¹⁵ on have lost some.
    pub(super) fn from_number(value: f64) -> Self {
        if !value.is_finite() {
            return Self::Error(value.to_string());
        }
        let exact = value.abs() < 1e15;
        let text = if value == value.trunc() && value.abs() < 1e22 {
            format!("{value:.0}")
        } else {
            format!("{value}")
        };
        Self::Number {
            text: if text == "-0" { "0".into() } else { text },
            exact,
        }
    }
}

/// Reads a file. The content decides about its kind; `file_name` only names the sheet of a CSV.
///
/// # Errors
/// [`SheetError`], never a panic: panics of the workbook reader on damaged files are caught.
pub fn read(bytes: &[u8], file_name: &str) -> Result<Workbook, SheetError> {
    read_within(bytes, file_name, &Limits::default())
}

/// [`read`] with other limits.
///
/// # Errors
/// As [`read`].
pub fn read_within(bytes: &[u8], file_name: &str, limits: &Limits) -> Result<Workbook, SheetError> {
    if bytes.is_empty() {
        return Err(SheetError::Empty);
    }
    if bytes.len() > limits.bytes {
        return Err(SheetError::TooBig {
            bytes: bytes.len(),
            limit: limits.bytes,
        });
    }
    if bytes.starts_with(&[0xD0, 0xCF, 0x11, 0xE0]) {
        return Err(SheetError::OldFormat);
    }
    let read = if bytes.starts_with(b"PK") {
        catch_unwind(AssertUnwindSafe(|| xlsx::read(bytes, limits)))
            .unwrap_or_else(|_| Err(SheetError::Broken("unexpected content".into())))?
    } else {
        delimited::read(bytes, file_name, limits)?
    };
    if read
        .sheets
        .iter()
        .all(|s| s.rows.iter().all(|r| r.iter().all(Cell::is_blank)))
    {
        return Err(SheetError::Empty);
    }
    Ok(read)
}

/// Fills sheets cell by cell and refuses what is over the limits.
pub(super) struct Builder<'a> {
    limits: &'a Limits,
    cells: usize,
    text: usize,
    sheets: Vec<Sheet>,
}

impl<'a> Builder<'a> {
    pub(super) fn new(limits: &'a Limits) -> Self {
        Self {
            limits,
            cells: 0,
            text: 0,
            sheets: Vec::new(),
        }
    }

    pub(super) fn start(&mut self, name: &str) -> Result<(), SheetError> {
        if self.sheets.len() >= self.limits.sheets {
            return Err(SheetError::TooMany {
                sheet: name.into(),
                what: "sheets",
                limit: self.limits.sheets,
            });
        }
        self.sheets.push(Sheet {
            name: super::text::shorten(name, 100),
            rows: Vec::new(),
        });
        Ok(())
    }

    /// Puts a cell into the newest sheet. Empty cells take no room.
    pub(super) fn put(&mut self, row: usize, column: usize, cell: Cell) -> Result<(), SheetError> {
        if cell == Cell::Empty {
            return Ok(());
        }
        let Some(sheet) = self.sheets.last_mut() else {
            return Ok(());
        };
        let over = |what, limit| SheetError::TooMany {
            sheet: sheet.name.clone(),
            what,
            limit,
        };
        if row >= self.limits.rows {
            return Err(over("rows", self.limits.rows));
        }
        if column >= self.limits.columns {
            return Err(over("columns", self.limits.columns));
        }
        let width = sheet.rows.get(row).map_or(0, Vec::len);
        let grown = (column + 1).saturating_sub(width);
        self.cells = self.cells.saturating_add(grown);
        self.text = self.text.saturating_add(cell.text().len());
        if self.cells > self.limits.cells {
            return Err(over("cells", self.limits.cells));
        }
        if self.text > self.limits.text {
            return Err(over("bytes of text", self.limits.text));
        }
        if sheet.rows.len() <= row {
            sheet.rows.resize(row + 1, Vec::new());
        }
        if let Some(line) = sheet.rows.get_mut(row) {
            if line.len() <= column {
                line.resize(column + 1, Cell::Empty);
            }
            if let Some(place) = line.get_mut(column) {
                *place = cell;
            }
        }
        Ok(())
    }

    /// Copies the first cell of a merged area into the rest of it, as far as the sheet reaches:
    /// a school's name merged over all its rows belongs to each of them.
    pub(super) fn merge(
        &mut self,
        (top, left): (usize, usize),
        (bottom, right): (usize, usize),
    ) -> Result<(), SheetError> {
        let Some(sheet) = self.sheets.last() else {
            return Ok(());
        };
        let value = sheet.cell(top, left).clone();
        let bottom = bottom.min(sheet.rows.len().saturating_sub(1));
        let right = right.min(self.limits.columns - 1);
        if value == Cell::Empty {
            return Ok(());
        }
        for row in top..=bottom {
            for column in left..=right {
                if (row, column) != (top, left) {
                    // Overlapping areas would be copied again and again: each copy counts as a cell.
                    self.cells = self.cells.saturating_add(1);
                    self.put(row, column, value.clone())?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Workbook {
        Workbook { sheets: self.sheets }
    }
}

#[cfg(test)]
#[path = "grid_tests.rs"]
mod tests;
