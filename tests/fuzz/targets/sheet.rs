//! Tables that a person uploads: any bytes; text in any encoding; and workbooks whose parts are the input, so that
//! the reader behind the zip package is reached. What was read is compared with a school's and a county's rows.
#![no_main]

use std::io::{Cursor, Write};
use std::sync::LazyLock;

use fuzz::guard::watch;
use fuzz::script::Script;
use web::sheet::grid::{Limits, read, read_within};
use web::sheet::roster::{HomeSchool, RosterContext, plan_roster};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// Two million cells (`Limits::cells`) of 32 bytes and their rows, while a vector grows.
const MEMORY: usize = 256 << 20;

const PARTS: [&str; 8] = [
    "[Content_Types].xml",
    "_rels/.rels",
    "xl/workbook.xml",
    "xl/_rels/workbook.xml.rels",
    "xl/worksheets/sheet1.xml",
    "xl/sharedStrings.xml",
    "xl/styles.xml",
    "xl/worksheets/sheet2.xml",
];

/// The parts of a workbook, where a script brings none of its own.
static REAL: LazyLock<Vec<(String, Vec<u8>)>> = LazyLock::new(fuzz::table::parts);

libfuzzer_sys::fuzz_target!(|data: &[u8]| watch(MEMORY, || {
    let mut script = Script(data);
    let file = match script.byte() {
        0 => script.0.to_vec(),
        1 => workbook(script),
        // One part of a real workbook is replaced by the rest of the input.
        n => one_part(usize::from(n), script.0),
    };
    let small = Limits {
        rows: 50,
        columns: 10,
        cells: 200,
        text: 2_000,
        sheets: 2,
        ..Limits::default()
    };
    if let Ok(book) = read_within(&file, "名单.csv", &small) {
        assert!(book.sheets.len() <= 2 && book.sheets.iter().all(|s| s.rows.len() <= 50));
    }
    let Ok(book) = read(&file, "花名册.xlsx") else {
        return;
    };
    let school = HomeSchool {
        id: "0190-a".into(),
        name: "青石小学".into(),
        short_name: "青石".into(),
        code: "2133000001".into(),
    };
    for home_school in [Some(school), None] {
        let context = RosterContext {
            is_county: home_school.is_none(),
            home_school,
            school_year: 2025,
            ..RosterContext::default()
        };
        let plan = plan_roster(&book, &context);
        assert_eq!(plan.summary_zh().is_empty(), plan.summary_en().is_empty());
    }
}));

fn package<'a>(parts: impl Iterator<Item = (&'a str, &'a [u8])>) -> Vec<u8> {
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in parts {
        // A second part of one name is refused.
        if zip.start_file(name, options).is_ok() {
            zip.write_all(bytes).expect("a package");
        }
    }
    zip.finish().expect("a package").into_inner()
}

fn workbook(mut script: Script<'_>) -> Vec<u8> {
    let mut parts: Vec<(&str, &[u8])> = Vec::new();
    while !script.is_empty() && parts.len() < 12 {
        parts.push((PARTS[script.below(PARTS.len())], script.bytes()));
    }
    package(parts.into_iter())
}

fn one_part(n: usize, bytes: &[u8]) -> Vec<u8> {
    let at = n % REAL.len();
    package(
        REAL.iter()
            .enumerate()
            .map(|(i, (name, real))| (name.as_str(), if i == at { bytes } else { real })),
    )
}
