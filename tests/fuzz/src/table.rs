//! A small workbook, as an office program would write it.

use std::io::{Cursor, Read};

use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, Workbook, Worksheet, XlsxError};

/// A roster of two teachers with a merged title, a date and a number.
pub fn workbook() -> Vec<u8> {
    let mut book = Workbook::new();
    // Else each workbook would hold the time of its making.
    let day = ExcelDateTime::from_ymd(2025, 9, 1).expect("a day");
    book.set_properties(&DocProperties::new().set_creation_datetime(&day));
    fill(book.add_worksheet()).expect("a sheet");
    book.save_to_buffer().expect("a workbook")
}

fn fill(sheet: &mut Worksheet) -> Result<(), XlsxError> {
    sheet.merge_range(0, 0, 0, 4, "教师花名册", &Format::new())?;
    for (column, heading) in (0..).zip(["姓名", "性别", "出生年月", "任教学科", "教师编号"]) {
        sheet.write(1, column, heading)?;
    }
    let day = Format::new().set_num_format("yyyy-mm-dd");
    sheet.write(2, 0, "李秀兰")?;
    sheet.write(2, 1, "女")?;
    sheet.write_with_format(2, 2, ExcelDateTime::from_ymd(1985, 3, 2)?, &day)?;
    sheet.write(2, 3, "语文")?;
    sheet.write(2, 4, 2_133_000_101_i64)?;
    sheet.write(3, 0, "王建国")?;
    sheet.write(3, 2, "1979.11")?;
    Ok(())
}

/// Its parts: name and content.
pub fn parts() -> Vec<(String, Vec<u8>)> {
    let mut package = zip::ZipArchive::new(Cursor::new(workbook())).expect("a package");
    let count = package.len();
    let part = |i| {
        let mut entry = package.by_index(i).expect("a part");
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).expect("a part");
        (entry.name().expect("a name").into_owned(), bytes)
    };
    (0..count).map(part).collect()
}
