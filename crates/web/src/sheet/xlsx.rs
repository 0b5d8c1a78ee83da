//! XLSX through calamine, cell by cell, behind a check of the package for zip bombs.

use super::error::SheetError;
use super::grid::{Builder, Cell, Limits, Workbook};
use calamine::{DataRef, Reader, SheetType, SheetVisible, Xlsx, XlsxError};
use std::io::{Cursor, Read};

/// Parts of one workbook; real ones have a few dozen.
const MAX_PARTS: usize = 4_000;

/// Reads every visible worksheet.
pub(super) fn read(bytes: &[u8], limits: &Limits) -> Result<Workbook, SheetError> {
    check_package(bytes, limits)?;
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).map_err(broken)?;
    let names: Vec<String> = book
        .sheets_metadata()
        .iter()
        // What nobody sees must not be imported behind their back.
        .filter(|s| s.typ == SheetType::WorkSheet && s.visible == SheetVisible::Visible)
        .map(|s| s.name.clone())
        .collect();
    let mut builder = Builder::new(limits);
    for name in names {
        builder.start(&name)?;
        let mut cells = match book.worksheet_cells_reader(&name) {
            Ok(cells) => cells,
            Err(XlsxError::NotAWorksheet(_)) => continue,
            Err(e) => return Err(broken(e)),
        };
        while let Some(cell) = cells.next_cell().map_err(broken)? {
            let (row, column) = cell.get_position();
            builder.put(row as usize, column as usize, convert(cell.get_value()))?;
        }
        drop(cells);
        for area in book.merge_cells_by_sheet_name(&name).map_err(broken)? {
            let place = |(row, column): (u32, u32)| (row as usize, column as usize);
            builder.merge(place(area.start), place(area.end))?;
        }
    }
    Ok(builder.finish())
}

fn broken(e: XlsxError) -> SheetError {
    match e {
        XlsxError::Password => SheetError::OldFormat,
        other => SheetError::Broken(super::text::shorten(&other.to_string(), 200)),
    }
}

fn convert(value: &DataRef<'_>) -> Cell {
    match value {
        DataRef::Empty => Cell::Empty,
        DataRef::String(s) => Cell::from_text(s.clone()),
        DataRef::SharedString(s) => Cell::from_text((*s).to_owned()),
        DataRef::Int(i) => Cell::from_number(*i as f64),
        DataRef::Float(f) => Cell::from_number(*f),
        DataRef::Bool(b) => Cell::Bool(*b),
        DataRef::DateTime(d) if d.is_datetime() && d.as_f64() >= 1.0 => {
            let (year, month, day, ..) = d.to_ymd_hms_milli();
            Cell::Date(format!("{year:04}-{month:02}-{day:02}"))
        }
        DataRef::DateTime(d) => Cell::from_number(d.as_f64()),
        DataRef::DateTimeIso(s) => Cell::Date(s.chars().take(10).collect()),
        DataRef::DurationIso(s) => Cell::Text(s.clone()),
        DataRef::Error(e) => Cell::Error(e.to_string()),
    }
}

/// Unpacks every part once, counting, because the sizes a package states may be lies. Also refuses
/// what would make the reader reserve memory that the content does not need.
fn check_package(bytes: &[u8], limits: &Limits) -> Result<(), SheetError> {
    let damaged = |e: zip::result::ZipError| SheetError::Broken(e.to_string());
    let mut package = zip::ZipArchive::new(Cursor::new(bytes)).map_err(damaged)?;
    let bomb = SheetError::Bomb {
        limit: limits.inflated,
    };
    if package.len() > MAX_PARTS {
        return Err(bomb);
    }
    let mut left = limits.inflated as u64;
    let mut workbook = false;
    let mut part = Vec::new();
    for index in 0..package.len() {
        let mut entry = package.by_index(index).map_err(damaged)?;
        let name = entry.name().map_err(damaged)?.to_ascii_lowercase();
        part.clear();
        (&mut entry)
            .take(left + 1)
            .read_to_end(&mut part)
            .map_err(|e| SheetError::Broken(e.to_string()))?;
        left = left.checked_sub(part.len() as u64).ok_or(bomb.clone())?;
        workbook |= name.ends_with("workbook.xml");
        if name.ends_with(".xml") || name.ends_with(".rels") {
            check_xml(&part)?;
        }
    }
    if workbook {
        Ok(())
    } else {
        Err(SheetError::NotATable)
    }
}

/// calamine reserves room for `uniqueCount` shared strings before it reads them; a huge count would
/// end the process (failed allocations cannot be caught). Only UTF-8 parts pass, so that the
/// count cannot hide in another encoding; office programs write no other.
fn check_xml(part: &[u8]) -> Result<(), SheetError> {
    let odd = || SheetError::Broken("unexpected encoding of a part".into());
    let text = std::str::from_utf8(part).map_err(|_| odd())?;
    let prolog: String = text.chars().take(200).collect::<String>().to_ascii_lowercase();
    if let Some((_, rest)) = prolog.split_once("encoding")
        && prolog.trim_start_matches('\u{FEFF}').starts_with("<?xml")
        && !rest
            .trim_start_matches([' ', '=', '"', '\''])
            .starts_with("utf-8")
    {
        return Err(odd());
    }
    for (at, found) in text.match_indices("uniqueCount") {
        let rest = text.get(at + found.len()..).unwrap_or("");
        let digits: String = rest
            .trim_start_matches([' ', '\t', '\r', '\n', '=', '"', '\''])
            .chars()
            .take_while(|c| c.is_ascii_digit() || *c == '+')
            .collect();
        // Each string takes at least "<si/>".
        let count = digits.trim_start_matches(['+', '0']);
        if !count.is_empty() && count.parse::<usize>().map_or(true, |n| n > part.len()) {
            return Err(SheetError::Broken("impossible count of strings".into()));
        }
    }
    Ok(())
}
