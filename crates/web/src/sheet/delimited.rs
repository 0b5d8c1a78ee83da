//! CSV and TXT: finds the encoding (UTF-8, UTF-16, GB18030) and the delimiter.

use super::error::SheetError;
use super::grid::{Builder, Cell, Limits, Workbook};
use super::table::unguard;
use encoding_rs::{GB18030, UTF_8, UTF_16BE, UTF_16LE};

/// Reads a delimited text file.
pub(super) fn read(bytes: &[u8], file_name: &str, limits: &Limits) -> Result<Workbook, SheetError> {
    let text = decode(bytes).ok_or(SheetError::NotATable)?;
    let stem = file_name.rsplit(['/', '\\']).next().unwrap_or(file_name);
    let name = stem.rsplit_once('.').map_or(stem, |(s, _)| s);
    let mut builder = Builder::new(limits);
    builder.start(if name.is_empty() { "CSV" } else { name })?;

    // Excel's own first line "sep=;" names the delimiter and is no row of the table, but it is line 1.
    let first = text.lines().next().unwrap_or("");
    let named = first.trim().strip_prefix("sep=").and_then(|d| d.bytes().next());
    let (body, mut row) = match named {
        Some(_) => (
            text.get(first.len()..)
                .unwrap_or("")
                .trim_start_matches(['\r', '\n']),
            1,
        ),
        None => (text.as_str(), 0),
    };
    let delimiter = named.unwrap_or_else(|| find_delimiter(body));
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .from_reader(body.as_bytes());
    let mut record = csv::StringRecord::new();
    loop {
        match reader.read_record(&mut record) {
            Ok(true) => {}
            Ok(false) => break,
            Err(e) => return Err(SheetError::Broken(e.to_string())),
        }
        // The reader passes over blank lines; the row numbers people see in WPS count them.
        let start = record.position().map_or(0, |p| p.byte() as usize);
        row += blank_lines(body.as_bytes(), start);
        for (column, field) in record.iter().enumerate() {
            builder.put(row, column, Cell::from_text(unguard(field.to_owned())))?;
        }
        row += 1;
    }
    Ok(builder.finish())
}

/// Decodes by byte order mark, else as UTF-8 if valid, else as GB18030. `None` for binary data.
fn decode(bytes: &[u8]) -> Option<String> {
    let (encoding, skip) = match bytes {
        [0xEF, 0xBB, 0xBF, ..] => (UTF_8, 3),
        [0xFF, 0xFE, ..] => (UTF_16LE, 2),
        [0xFE, 0xFF, ..] => (UTF_16BE, 2),
        _ if std::str::from_utf8(bytes).is_ok() => (UTF_8, 0),
        _ => (GB18030, 0),
    };
    let (text, broken) = encoding.decode_without_bom_handling(bytes.get(skip..)?);
    // NUL never is in a table; files full of undecodable places are pictures or programs. A few are
    // let through: the cells concerned hold U+FFFD and are named one by one.
    let wrong = text.chars().filter(|c| *c == '\u{FFFD}').count();
    if text.contains('\0') || (broken && wrong * 10 > text.chars().count()) {
        return None;
    }
    Some(text.into_owned())
}

/// The candidate that splits the first lines into most fields; a comma when none does.
fn find_delimiter(text: &str) -> u8 {
    let mut counts = [(b',', 0usize), (b'\t', 0), (b';', 0)];
    let mut quoted = false;
    let mut lines = 0;
    for b in text.bytes() {
        match b {
            b'"' => quoted = !quoted,
            b'\n' => {
                lines += 1;
                if lines > 50 {
                    break;
                }
            }
            _ if !quoted => {
                for (delimiter, count) in &mut counts {
                    *count += usize::from(*delimiter == b);
                }
            }
            _ => {}
        }
    }
    let mut best = (b',', 0);
    for candidate in counts {
        if candidate.1 > best.1 {
            best = candidate;
        }
    }
    best.0
}

/// Line ends between `start` and the first byte of content after it.
fn blank_lines(text: &[u8], start: usize) -> usize {
    let mut rest = text.get(start..).unwrap_or(&[]);
    // The previous record may end between CR and LF.
    if start > 0 && text.get(start - 1) == Some(&b'\r') && rest.first() == Some(&b'\n') {
        rest = rest.get(1..).unwrap_or(&[]);
    }
    let mut lines = 0;
    loop {
        rest = match rest {
            [b'\r', b'\n', tail @ ..] | [b'\r', tail @ ..] | [b'\n', tail @ ..] => tail,
            _ => return lines,
        };
        lines += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(bytes: &[u8]) -> Vec<Vec<String>> {
        let book = read(bytes, "花名册.csv", &Limits::default()).unwrap();
        assert_eq!(book.sheets[0].name, "花名册");
        book.sheets[0]
            .rows
            .iter()
            .map(|r| r.iter().map(|c| c.text().into_owned()).collect())
            .collect()
    }

    const TABLE: &str = "姓名,性别\r\n张𬭊,男\r\n㙇玉,女\r\n";

    #[test]
    fn encodings() {
        let expected = vec![vec!["姓名", "性别"], vec!["张𬭊", "男"], vec!["㙇玉", "女"]];
        assert_eq!(rows(TABLE.as_bytes()), expected);
        assert_eq!(rows(format!("\u{FEFF}{TABLE}").as_bytes()), expected);
        let (gb, _, unmapped) = GB18030.encode(TABLE);
        assert!(!unmapped);
        assert!(std::str::from_utf8(&gb).is_err(), "must really be GB18030");
        assert_eq!(rows(&gb), expected);
        let mut wide = vec![0xFF, 0xFE];
        wide.extend(TABLE.encode_utf16().flat_map(u16::to_le_bytes));
        assert_eq!(rows(&wide), expected);
    }

    #[test]
    fn delimiters_and_quotes() {
        let expected = vec![vec!["姓名", "性别"], vec!["张,三", "男"]];
        assert_eq!(rows("姓名;性别\n\"张,三\";男\n".as_bytes()), expected);
        assert_eq!(rows("姓名\t性别\n张,三\t男\n".as_bytes()), expected);
        assert_eq!(rows("姓名,性别\n\"张,三\",男\n".as_bytes()), expected);
        assert_eq!(
            rows("sep=;\r\n姓名;性别\r\n".as_bytes()),
            vec![vec![], vec!["姓名", "性别"]]
        );
    }

    #[test]
    fn blank_lines_count_as_rows() {
        for end in ["\n", "\r\n", "\r"] {
            let text = format!("{end}标题{end}{end}{end}姓名,性别{end}\"两{end}行\",男{end}{end}李四,女");
            let table = rows(text.as_bytes());
            assert_eq!(table[1], ["标题"], "{end:?}");
            assert_eq!(table[4], ["姓名", "性别"], "{end:?}");
            assert_eq!(table[5][1], "男", "{end:?}");
            assert_eq!(table[7], ["李四", "女"], "{end:?}");
        }
    }

    #[test]
    fn pictures_are_no_tables() {
        let png = [0x89, b'P', b'N', b'G', 0x0D, 0x0A, 0x1A, 0x0A, 0, 0, 0, 13];
        assert_eq!(
            read(&png, "x.csv", &Limits::default()),
            Err(SheetError::NotATable)
        );
    }
}
