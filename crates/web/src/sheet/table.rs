//! A table on its way out, as XLSX for print and as CSV.
//!
//! XLSX: title, lines under it (school, cut-off, rule set), heading, rows, signatures; A4, one page
//! wide, heading on every page (domain.md §6). CSV (RFC 4180, UTF-8 with BOM for Excel and WPS):
//! heading first, so that other programs can read it; the lines come last.

use super::error::SheetError;
use rust_xlsxwriter::{Format, FormatAlign, FormatBorder, Workbook, Worksheet, XlsxError};

/// One value of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Out {
    /// Nothing.
    #[default]
    Blank,
    /// Text; numbers that are names (codes) too.
    Text(String),
    /// A count.
    Int(i64),
    /// Class-hours or credits in hundredths, shown as `1.5`.
    Hundredths(i64),
}

impl Out {
    /// Text, or nothing when it is empty.
    pub fn text(text: impl Into<String>) -> Self {
        let text = text.into();
        if text.is_empty() {
            Self::Blank
        } else {
            Self::Text(text)
        }
    }
}

impl From<&str> for Out {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<String> for Out {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}

impl From<usize> for Out {
    fn from(count: usize) -> Self {
        Self::Int(i64::try_from(count).unwrap_or(i64::MAX))
    }
}

impl From<Option<i64>> for Out {
    fn from(number: Option<i64>) -> Self {
        number.map_or(Self::Blank, Self::Int)
    }
}

/// A table with its title and remarks.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// Name of the sheet.
    pub sheet: String,
    /// Title over the table.
    pub title: String,
    /// Lines under the title.
    pub lines: Vec<String>,
    /// Headings with column widths in characters.
    pub heads: Vec<(&'static str, f64)>,
    /// Rows, as wide as the heading.
    pub rows: Vec<Vec<Out>>,
    /// Sums under the rows; in the XLSX only, so that a CSV has nothing but records.
    pub total: Vec<Out>,
    /// Line under the table for names, dates and the seal.
    pub signatures: String,
    /// Least height of a row in points, where people write by hand; 0 = one line of print.
    pub row_height: f64,
    /// Upright on the paper; tables with many columns lie across.
    pub upright: bool,
}

/// Writes tables as the sheets of one workbook.
///
/// # Errors
/// [`SheetError::Write`], for example for a sheet name that is not allowed.
pub fn to_xlsx(tables: &[Table]) -> Result<Vec<u8>, SheetError> {
    let write = |e: XlsxError| SheetError::Write(e.to_string());
    let mut book = Workbook::new();
    // The same content gives the same file: no clock in it.
    let day = rust_xlsxwriter::ExcelDateTime::from_ymd(2000, 1, 1).map_err(write)?;
    book.set_properties(&rust_xlsxwriter::DocProperties::new().set_creation_datetime(&day));
    for table in tables {
        let sheet = book.add_worksheet();
        fill(sheet, table).map_err(write)?;
    }
    book.save_to_buffer().map_err(write)
}

fn fill(sheet: &mut Worksheet, table: &Table) -> Result<(), XlsxError> {
    let title = Format::new()
        .set_bold()
        .set_font_size(16)
        .set_align(FormatAlign::Center);
    let line = Format::new().set_align(FormatAlign::Left);
    let head = Format::new()
        .set_bold()
        .set_border(FormatBorder::Thin)
        .set_align(FormatAlign::Center)
        .set_align(FormatAlign::VerticalCenter)
        .set_text_wrap();
    // "@" keeps a code text when somebody edits the cell later.
    let text = Format::new()
        .set_border(FormatBorder::Thin)
        .set_align(FormatAlign::VerticalCenter)
        .set_num_format("@")
        .set_text_wrap();
    let count = Format::new()
        .set_border(FormatBorder::Thin)
        .set_align(FormatAlign::VerticalCenter)
        .set_num_format("0");
    let amount = Format::new()
        .set_border(FormatBorder::Thin)
        .set_align(FormatAlign::VerticalCenter)
        .set_num_format("0.0#");
    let last = u16::try_from(table.heads.len().saturating_sub(1)).unwrap_or(u16::MAX);
    sheet.set_name(&table.sheet)?;
    if table.upright {
        sheet.set_portrait();
    } else {
        sheet.set_landscape();
    }
    sheet
        .set_paper_size(9)
        .set_print_fit_to_pages(1, 0)
        .set_margins(0.4, 0.4, 0.5, 0.6, 0.3, 0.3);
    sheet.set_footer("&C第 &P 页　共 &N 页");
    let mut row = 0;
    let across = |sheet: &mut Worksheet, row: u32, words: &str, format: &Format| {
        if last > 0 {
            sheet.merge_range(row, 0, row, last, words, format).map(|_| ())
        } else {
            sheet.write_string_with_format(row, 0, words, format).map(|_| ())
        }
    };
    if !table.title.is_empty() {
        across(sheet, row, &table.title, &title)?;
        row += 1;
    }
    for words in &table.lines {
        across(sheet, row, words, &line)?;
        row += 1;
    }
    for (column, (name, width)) in (0u16..).zip(&table.heads) {
        sheet.write_string_with_format(row, column, *name, &head)?;
        sheet.set_column_width(column, *width)?;
    }
    let words = table.heads.iter().map(|(name, _)| *name);
    sheet.set_row_height(row, height(words.zip(widths(table)), LINE))?;
    sheet.set_repeat_rows(row, row)?;
    sheet.set_freeze_panes(row + 1, 0)?;
    row += 1;
    for cells in table
        .rows
        .iter()
        .chain((!table.total.is_empty()).then_some(&table.total))
    {
        for (column, cell) in (0u16..).zip(cells) {
            match cell {
                Out::Blank => sheet.write_blank(row, column, &text)?,
                Out::Text(words) => sheet.write_string_with_format(row, column, words, &text)?,
                Out::Int(number) => sheet.write_number_with_format(row, column, *number as f64, &count)?,
                Out::Hundredths(number) => {
                    sheet.write_number_with_format(row, column, *number as f64 / 100.0, &amount)?
                }
            };
        }
        let words = cells.iter().map(|cell| match cell {
            Out::Text(words) => words.as_str(),
            _ => "",
        });
        sheet.set_row_height(row, height(words.zip(widths(table)), table.row_height.max(LINE)))?;
        row += 1;
    }
    if !table.signatures.is_empty() {
        across(sheet, row + 1, &table.signatures, &line)?;
    }
    Ok(())
}

/// Height of a line of print in points.
const LINE: f64 = 15.0;

fn widths(table: &Table) -> impl Iterator<Item = f64> {
    table.heads.iter().map(|(_, width)| *width)
}

/// Height of a row in points, so that wrapped text is seen whole: not every program finds it by itself.
fn height<'a>(cells: impl Iterator<Item = (&'a str, f64)>, least: f64) -> f64 {
    let lines = |(words, width): (&str, f64)| {
        let of = |line: &str| {
            // A Han character is as wide as two digits.
            let wide: f64 = line.chars().map(|c| if c.is_ascii() { 1.0 } else { 2.0 }).sum();
            (wide / (width - 1.0).max(1.0)).ceil().max(1.0)
        };
        words.split('\n').map(of).sum::<f64>()
    };
    // Excel takes no row over 409 points.
    (cells.map(lines).fold(1.0, f64::max) * LINE)
        .max(least)
        .min(400.0)
}

/// Writes one table, as a workbook or as CSV.
///
/// # Errors
/// [`SheetError::Write`].
pub fn to_file(table: Table, xlsx: bool) -> Result<Vec<u8>, SheetError> {
    if xlsx { to_xlsx(&[table]) } else { to_csv(&table) }
}

/// Writes a table as CSV.
///
/// # Errors
/// [`SheetError::Write`].
pub fn to_csv(table: &Table) -> Result<Vec<u8>, SheetError> {
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(vec![0xEF, 0xBB, 0xBF]);
    let write = |e: csv::Error| SheetError::Write(e.to_string());
    writer
        .write_record(table.heads.iter().map(|(name, _)| *name))
        .map_err(write)?;
    for row in &table.rows {
        writer.write_record(row.iter().map(csv_text)).map_err(write)?;
    }
    for line in &table.lines {
        // Every line has as many fields as the heading.
        let words = std::iter::once(guard(&format!("说明：{line}")));
        let rest = std::iter::repeat_n(String::new(), table.heads.len().saturating_sub(1));
        writer.write_record(words.chain(rest)).map_err(write)?;
    }
    writer.into_inner().map_err(|e| SheetError::Write(e.to_string()))
}

fn csv_text(cell: &Out) -> String {
    match cell {
        Out::Blank => String::new(),
        Out::Text(words) => guard(words),
        Out::Int(number) => number.to_string(),
        Out::Hundredths(number) => records::show_hundredths(*number),
    }
}

/// Characters with which a spreadsheet program may take a text for a formula.
const FORMULA: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];

/// Makes a text harmless for spreadsheet programs that open the CSV: an apostrophe before what they
/// would run as a formula, a tab before digits that they would shorten (over 11 digits, or
/// with leading zeros). Reading takes both away again ([`unguard`]).
fn guard(text: &str) -> String {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    if text.starts_with(FORMULA) || text.starts_with(['\t', '\r', '\n']) {
        format!("'{text}")
    } else if digits && (text.len() > 11 || (text.len() > 1 && text.starts_with('0'))) {
        format!("\t{text}")
    } else {
        text.to_owned()
    }
}

/// Takes the apostrophe of [`guard`] away. The tab is a space to every reader of cells.
pub(super) fn unguard(text: String) -> String {
    match text.strip_prefix('\'') {
        Some(rest) if rest.starts_with(FORMULA) => rest.to_owned(),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sheet::grid::{Cell, read};

    fn table() -> Table {
        Table {
            sheet: "表".into(),
            title: "标题".into(),
            lines: vec!["截止：2026-01-10".into()],
            heads: vec![("姓名", 10.0), ("编号", 12.0), ("学时", 8.0), ("数", 8.0)],
            rows: vec![
                vec![
                    "张𬭊".into(),
                    "680123198001011234".into(),
                    Out::Hundredths(150),
                    Out::Int(-3),
                ],
                vec!["=cmd|'/c calc'!A0".into(), "007".into(), Out::Blank, Out::Int(2)],
                vec![
                    "李\"四\",\n二".into(),
                    "＋1".into(),
                    Out::Hundredths(720),
                    Out::Blank,
                ],
            ],
            total: vec!["合计".into()],
            signatures: "填表人：　　　审核人：　　　（公章）".into(),
            ..Table::default()
        }
    }

    #[test]
    fn csv_is_rfc_4180_with_bom_and_guards() {
        let bytes = to_csv(&table()).unwrap();
        assert_eq!(&bytes[..3], [0xEF, 0xBB, 0xBF]);
        assert_eq!(
            String::from_utf8(bytes[3..].to_vec()).unwrap(),
            "姓名,编号,学时,数\r\n\
             张𬭊,\t680123198001011234,1.5,-3\r\n\
             '=cmd|'/c calc'!A0,\t007,,2\r\n\
             \"李\"\"四\"\",\n二\",'＋1,7.2,\r\n\
             说明：截止：2026-01-10,,,\r\n"
        );
        // Reading it again gives the texts back.
        let book = read(&bytes, "x.csv").unwrap();
        let sheet = &book.sheets[0];
        assert_eq!(sheet.cell(2, 0).text(), "=cmd|'/c calc'!A0");
        assert_eq!(sheet.cell(3, 1).text(), "＋1");
        assert_eq!(sheet.cell(1, 1).text().trim(), "680123198001011234");
    }

    #[test]
    fn xlsx_keeps_codes_as_text_and_formulas_as_words() {
        let bytes = to_xlsx(&[table()]).unwrap();
        assert_eq!(bytes, to_xlsx(&[table()]).unwrap(), "no clock in the file");
        let book = read(&bytes, "x.xlsx").unwrap();
        let sheet = &book.sheets[0];
        assert_eq!(sheet.cell(0, 3).text(), "标题");
        assert_eq!(sheet.cell(2, 0).text(), "姓名");
        assert_eq!(sheet.cell(3, 1), &Cell::Text("680123198001011234".into()));
        assert_eq!(sheet.cell(3, 2).text(), "1.5");
        assert_eq!(sheet.cell(4, 0), &Cell::Text("=cmd|'/c calc'!A0".into()));
        assert_eq!(sheet.cell(4, 1), &Cell::Text("007".into()));
    }
}
