//! Workbooks made by rust_xlsxwriter, damaged ones, and bombs.

use super::*;
use proptest::prelude::*;
use rust_xlsxwriter::{ExcelDateTime, Format};
use std::io::{Cursor, Write as _};
use zip::write::SimpleFileOptions;

/// Title merged over the width, text and number cells, a merged school, a formula, gaps.
fn workbook() -> Vec<u8> {
    let mut book = rust_xlsxwriter::Workbook::new();
    let date = Format::new().set_num_format("yyyy\"年\"m\"月\"d\"日\"");
    let plain = Format::new();
    let sheet = book.add_worksheet();
    sheet.set_name("教师花名册").unwrap();
    sheet.merge_range(0, 0, 0, 6, "云岭县教师花名册", &plain).unwrap();
    for (column, text) in ["姓名", "编号", "出生", "工作", "学校", "证件", "算"]
        .iter()
        .enumerate()
    {
        sheet.write_string(2, column as u16, *text).unwrap();
    }
    sheet.write_string(3, 0, "张𬭊").unwrap();
    sheet.write_number(3, 1, 1001).unwrap();
    sheet.write_number(3, 2, 1985.0).unwrap();
    sheet
        .write_datetime_with_format(3, 3, ExcelDateTime::from_ymd(2008, 9, 1).unwrap(), &date)
        .unwrap();
    sheet.merge_range(3, 4, 5, 4, "河口小学", &plain).unwrap();
    sheet.write_number(3, 5, 680_123_198_001_011_234.0).unwrap();
    sheet
        .write_formula(3, 6, rust_xlsxwriter::Formula::new("=1985+1").set_result("1986"))
        .unwrap();
    sheet.write_string(5, 0, "㙇玉").unwrap();
    sheet.write_number(5, 1, 7.2).unwrap();
    sheet.write_boolean(5, 2, true).unwrap();
    let hidden = book.add_worksheet();
    hidden.set_name("隐藏").unwrap().set_hidden(true);
    hidden.write_string(0, 0, "姓名").unwrap();
    book.save_to_buffer().unwrap()
}

/// A package with one part besides the smallest workbook.
fn package(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in parts {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

const ROOT: &[u8] = br#"<?xml version="1.0" encoding="UTF-8"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>"#;
const RELATIONS: &[u8] = br#"<?xml version="1.0" encoding="UTF-8"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/></Relationships>"#;
const BOOK: &[u8] = br#"<?xml version="1.0" encoding="UTF-8"?><workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="S" sheetId="1" r:id="rId1"/></sheets></workbook>"#;

fn with_sheet(sheet: &str, strings: &str) -> Vec<u8> {
    package(&[
        ("_rels/.rels", ROOT),
        ("xl/workbook.xml", BOOK),
        ("xl/_rels/workbook.xml.rels", RELATIONS),
        ("xl/worksheets/sheet1.xml", sheet.as_bytes()),
        ("xl/sharedStrings.xml", strings.as_bytes()),
    ])
}

fn sheet_xml(cells: &str) -> String {
    format!("<worksheet><sheetData>{cells}</sheetData></worksheet>")
}

#[test]
fn cells_of_a_workbook() {
    let book = read(&workbook(), "x.xlsx").unwrap();
    assert_eq!(book.sheets.len(), 1, "hidden sheets stay out");
    let sheet = &book.sheets[0];
    assert_eq!(sheet.name, "教师花名册");
    assert_eq!(sheet.cell(0, 6).text(), "云岭县教师花名册");
    assert!(sheet.rows[1].is_empty());
    let row: Vec<_> = sheet.rows[3].iter().map(|c| c.text().into_owned()).collect();
    assert_eq!(row[..5], ["张𬭊", "1001", "1985", "2008-09-01", "河口小学"]);
    assert_eq!(sheet.cell(3, 3), &Cell::Date("2008-09-01".into()));
    assert_eq!(row[6], "1986");
    assert!(sheet.cell(3, 5).lost_digits());
    assert!(!sheet.cell(3, 1).lost_digits());
    // Rows 4 and 5 are inside the merged school.
    assert_eq!(sheet.cell(4, 4).text(), "河口小学");
    assert_eq!(sheet.cell(5, 4).text(), "河口小学");
    assert_eq!(sheet.cell(5, 1).text(), "7.2");
    assert_eq!(sheet.cell(5, 2), &Cell::Bool(true));
}

#[test]
fn long_numbers_as_text() {
    let lost = |t: &str| Cell::Text(t.into()).lost_digits();
    assert!(lost("3.20E+17") && lost("3.2e+17") && lost("３.２０Ｅ+１７"));
    assert!(!lost("320123198501011234") && !lost("T001") && !lost("E+17") && !lost("3.20E+"));
    assert!(Cell::from_number(1e15).lost_digits());
    assert!(!Cell::from_number(999_999_999_999_999.0).lost_digits());
    assert_eq!(Cell::from_number(-0.0).text(), "0");
}

#[test]
fn bombs_are_refused() {
    let zeros = vec![b' '; 200 << 20];
    let bomb = package(&[("xl/workbook.xml", BOOK), ("xl/media/image1.png", &zeros)]);
    assert!(bomb.len() < 1 << 20, "{}", bomb.len());
    let limit = Limits::default().inflated;
    assert_eq!(read(&bomb, "x.xlsx"), Err(SheetError::Bomb { limit }));

    // The stated size is a lie; the content counts.
    let mut lying = package(&[("xl/workbook.xml", BOOK), ("a.bin", &zeros[..150 << 20])]);
    let size = (150u32 << 20).to_le_bytes();
    let mut places = 0;
    for at in 0..lying.len() - 4 {
        if lying[at..at + 4] == size {
            lying[at..at + 4].copy_from_slice(&10u32.to_le_bytes());
            places += 1;
        }
    }
    assert!(places >= 1);
    assert!(read(&lying, "x.xlsx").is_err());
}

#[test]
fn far_cells_take_no_memory() {
    let far = with_sheet(
        &sheet_xml(r#"<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>"#),
        "<sst/>",
    );
    assert!(matches!(
        read(&far, "x.xlsx"),
        Err(SheetError::TooMany { what: "rows", .. })
    ));
    let wide = with_sheet(
        &sheet_xml(r#"<row r="1"><c r="XFD1"><v>1</v></c></row>"#),
        "<sst/>",
    );
    assert!(matches!(
        read(&wide, "x.xlsx"),
        Err(SheetError::TooMany { what: "columns", .. })
    ));
    // Styled but empty cells far away are common and harmless.
    let empty = with_sheet(
        &sheet_xml(r#"<row r="1"><c r="A1"><v>1</v></c><c r="XFD1" s="1"/></row>"#),
        "<sst/>",
    );
    assert_eq!(read(&empty, "x.xlsx").unwrap().sheets[0].cell(0, 0).text(), "1");
}

#[test]
fn one_long_string_used_often_is_refused() {
    let text = format!("<sst><si><t>{}</t></si></sst>", "研".repeat(1 << 20));
    let cells: String = (1..=100)
        .map(|r| format!(r#"<row r="{r}"><c r="A{r}" t="s"><v>0</v></c></row>"#))
        .collect();
    let bomb = with_sheet(&sheet_xml(&cells), &text);
    assert!(matches!(
        read(&bomb, "x.xlsx"),
        Err(SheetError::TooMany {
            what: "bytes of text",
            ..
        })
    ));
}

#[test]
fn overlapping_merges_are_refused() {
    let merges: String = (0..400).map(|_| r#"<mergeCell ref="A1:GR60000"/>"#).collect();
    let rows = r#"<row r="1"><c r="A1"><v>1</v></c></row><row r="50000"><c r="A50000"><v>1</v></c></row>"#;
    let sheet =
        format!("<worksheet><sheetData>{rows}</sheetData><mergeCells>{merges}</mergeCells></worksheet>");
    assert!(matches!(
        read(&with_sheet(&sheet, "<sst/>"), "x.xlsx"),
        Err(SheetError::TooMany { what: "cells", .. })
    ));
}

#[test]
fn an_impossible_count_of_strings_is_refused() {
    let cells = sheet_xml(r#"<row r="1"><c r="A1" t="s"><v>0</v></c></row>"#);
    for count in [
        "99999999999999",
        "9223372036854775807",
        "18446744073709551616",
        "000099999999999",
    ] {
        let strings = format!(r#"<sst uniqueCount="{count}"><si><t>张三</t></si></sst>"#);
        let read = read(&with_sheet(&cells, &strings), "x.xlsx");
        assert!(matches!(read, Err(SheetError::Broken(_))), "{count} {read:?}");
    }
    let strings = r#"<sst count="1" uniqueCount="1"><si><t>张三</t></si></sst>"#;
    assert_eq!(
        read(&with_sheet(&cells, strings), "x.xlsx").unwrap().sheets[0]
            .cell(0, 0)
            .text(),
        "张三"
    );
    // UTF-16 would hide the count from the check.
    let hidden: Vec<u8> = "\u{FEFF}<sst uniqueCount=\"99999999999999\"/>"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let book = package(&[
        ("_rels/.rels", ROOT),
        ("xl/workbook.xml", BOOK),
        ("xl/_rels/workbook.xml.rels", RELATIONS),
        ("xl/sharedStrings.xml", &hidden),
    ]);
    assert!(matches!(read(&book, "x.xlsx"), Err(SheetError::Broken(_))));
}

#[test]
fn other_files_are_named() {
    assert_eq!(read(b"", "x.csv"), Err(SheetError::Empty));
    assert_eq!(
        read(" ,\n\u{3000},\n".as_bytes(), "x.csv"),
        Err(SheetError::Empty)
    );
    assert_eq!(
        read(&[0xD0, 0xCF, 0x11, 0xE0, 0xA1], "x.xls"),
        Err(SheetError::OldFormat)
    );
    assert_eq!(
        read(&package(&[("a.txt", b"hello")]), "x.zip"),
        Err(SheetError::NotATable)
    );
    let limits = Limits {
        bytes: 10,
        ..Limits::default()
    };
    assert!(matches!(
        read_within(b"aaaaaaaaaaaa", "x.csv", &limits),
        Err(SheetError::TooBig { .. })
    ));
    let limits = Limits {
        rows: 2,
        ..Limits::default()
    };
    assert!(matches!(
        read_within(b"a\nb\nc\n", "x.csv", &limits),
        Err(SheetError::TooMany { what: "rows", .. })
    ));
    for error in [
        SheetError::Empty,
        SheetError::OldFormat,
        SheetError::NotATable,
        SheetError::Broken("x".into()),
    ] {
        assert!(!error.zh().is_empty() && !error.to_string().is_empty());
    }
}

/// Everything that follows reading, for inputs of any kind.
fn whole_way(bytes: &[u8]) {
    use crate::sheet::roster::{HomeSchool, RosterContext, plan_roster};
    if let Ok(book) = read(bytes, "x.csv") {
        let home = HomeSchool {
            id: "s".into(),
            name: "河口小学".into(),
            ..HomeSchool::default()
        };
        for context in [
            RosterContext {
                home_school: Some(home),
                school_year: 2025,
                ..RosterContext::default()
            },
            RosterContext {
                is_county: true,
                school_year: 2025,
                ..RosterContext::default()
            },
        ] {
            let plan = plan_roster(&book, &context);
            assert!(!plan.summary_zh().is_empty() && !plan.summary_en().is_empty());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        whole_way(&bytes);
    }

    #[test]
    fn arbitrary_text_never_panics(
        rows in proptest::collection::vec("(姓名|学校|性别|出生年|教师编号|张三|合计|\\PC{0,9}|[0-9.年月日/E+ -]{0,12})([,;\t\"](姓名|职称|班主任|学校标识码|\\PC{0,9}|[0-9]{0,12})){0,6}", 0..12),
        gb in any::<bool>(),
    ) {
        let text = rows.join("\r\n");
        if gb {
            whole_way(&encoding_rs::GB18030.encode(&text).0);
        } else {
            whole_way(text.as_bytes());
        }
    }

    #[test]
    fn damaged_workbooks_never_panic(hits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20), cut in any::<prop::sample::Index>(), cuts in any::<bool>()) {
        let mut bytes = workbook();
        for (at, value) in hits {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if cuts {
            bytes.truncate(cut.index(bytes.len()));
        }
        whole_way(&bytes);
    }

    #[test]
    fn odd_sheet_parts_never_panic(
        cells in "(<(row|c|v|f|is|t|si|mergeCell)( (r|t|s|ref|spans)=\"[A-Za-z0-9:-]{0,12}\"){0,3}/?>|</(row|c|v|f|is|t)>|[0-9.eE+-]{0,8}|张三){0,30}",
        strings in "(<(si|t|r|rPh)>|</(si|t|r|rPh)>|李四|&#[0-9]{1,9};|&[a-z]{1,4};){0,12}",
    ) {
        let sheet = format!("<worksheet><sheetData>{cells}</sheetData><mergeCells><mergeCell ref=\"A1:B2\"/></mergeCells></worksheet>");
        whole_way(&with_sheet(&sheet, &format!("<sst>{strings}</sst>")));
    }
}
