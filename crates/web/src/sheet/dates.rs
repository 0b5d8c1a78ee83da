//! Dates in cells. Full dates are read by `records::parse_date`; here come years and months alone
//! (1985, 1985.9, 198509, 1985年9月) and date numbers whose cell lost its date format.

use super::grid::Cell;
use super::text::squeeze;
use records::{SchoolYear, from_excel_serial, parse_date};

/// A date of which the month or the day may not have been given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartialDate {
    /// Calendar year, 1900–2100.
    pub year: i32,
    /// 1–12.
    pub month: Option<u8>,
    /// 1–31, valid in its month.
    pub day: Option<u8>,
}

impl PartialDate {
    /// `YYYY-MM-DD`, when the day is known.
    pub fn iso(&self) -> Option<String> {
        match (self.month, self.day) {
            (Some(m), Some(d)) => Some(format!("{:04}-{m:02}-{d:02}", self.year)),
            _ => None,
        }
    }

    fn from_day(date: records::Date) -> Option<Self> {
        Some(Self {
            year: i32::from(date.year()),
            month: Some(u8::try_from(date.month()).ok()?),
            day: Some(u8::try_from(date.day()).ok()?),
        })
    }
}

/// Reads a cell as a date. A whole number of five digits in a number cell is a date number.
/// `school_year` completes 9月1日; without it such a text is `None`.
pub fn parse_cell(cell: &Cell, school_year: Option<SchoolYear>) -> Option<PartialDate> {
    if let Cell::Number { text, .. } = cell
        && let Ok(serial) = text.parse::<i64>()
        && (10_000..=99_999).contains(&serial)
    {
        return from_excel_serial(serial, false).and_then(PartialDate::from_day);
    }
    parse(&cell.text(), school_year)
}

/// Reads a text as a date; `None` when it is not one of the styles.
pub fn parse(text: &str, school_year: Option<SchoolYear>) -> Option<PartialDate> {
    if let Some(found) = year_or_month(&squeeze(text)) {
        return Some(found);
    }
    let text = super::text::tidy(text);
    let date = parse_date(text.trim_end_matches(['.', '。']), school_year).ok()?;
    PartialDate::from_day(date)
}

fn year_or_month(text: &str) -> Option<PartialDate> {
    let unified: String = text
        .chars()
        .map(|c| {
            if matches!(c, '年' | '月' | '.' | '-' | '/' | '。') {
                '/'
            } else {
                c
            }
        })
        .collect();
    let parts: Vec<&str> = unified.trim_end_matches('/').split('/').collect();
    let number = |s: &str| {
        s.parse::<u16>()
            .ok()
            .filter(|_| s.bytes().all(|b| b.is_ascii_digit()))
    };
    let (year, month) = match parts.as_slice() {
        [one] if one.len() == 4 => (number(one)?, None),
        [one] if one.len() == 6 => (number(one.get(..4)?)?, Some(number(one.get(4..)?)?)),
        // "1985.0" is what some programs write for the number 1985.
        [year, "0"] if year.len() == 4 => (number(year)?, None),
        [year, month] if year.len() == 4 && month.len() <= 2 => (number(year)?, Some(number(month)?)),
        _ => return None,
    };
    let month = match month {
        None => None,
        Some(m @ 1..=12) => Some(m as u8),
        Some(_) => return None,
    };
    (1900..=2100).contains(&year).then_some(PartialDate {
        year: i32::from(year),
        month,
        day: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn iso(text: &str) -> Option<String> {
        parse(text, Some(SchoolYear(2026))).and_then(|d| d.iso())
    }

    #[test]
    fn every_style_of_the_domain_file() {
        for text in [
            "2026.9.1",
            "2026/9/1",
            "20260901",
            "9月1日",
            "2026年9月1日",
            "2026-09-01",
            "2026.09.01",
            "２０２６．９．１",
            "２０２６年９月１日",
            "2026 年 9 月 1 日",
            "2026-09-01 00:00:00",
            "2026.9.1.",
            "9月1号",
        ] {
            assert_eq!(iso(text).as_deref(), Some("2026-09-01"), "{text}");
        }
        // A school year runs to August: 3月5日 is in its second half.
        assert_eq!(iso("3月5日").as_deref(), Some("2027-03-05"));
        assert_eq!(parse("9月1日", None), None);
    }

    #[test]
    fn years_and_months() {
        for text in ["1985", "1985.0", "1985年", "１９８５"] {
            let year = PartialDate {
                year: 1985,
                month: None,
                day: None,
            };
            assert_eq!(parse(text, None), Some(year), "{text}");
        }
        for text in [
            "1985.9",
            "1985-09",
            "198509",
            "1985年9月",
            "1985/9",
            "１９８５．０９",
        ] {
            let month = PartialDate {
                year: 1985,
                month: Some(9),
                day: None,
            };
            assert_eq!(parse(text, None), Some(month), "{text}");
        }
    }

    #[test]
    fn date_numbers_only_in_number_cells() {
        let number = |text: &str| Cell::Number {
            text: text.into(),
            exact: true,
        };
        let date = parse_cell(&number("31291"), None).and_then(|d| d.iso());
        assert_eq!(date.as_deref(), Some("1985-09-01"));
        assert_eq!(parse("31291", None), None);
        assert_eq!(parse_cell(&number("1985"), None).map(|d| d.year), Some(1985));
        assert_eq!(parse_cell(&number("19850901"), None).map(|d| d.year), Some(1985));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "不详",
            "85",
            "85.9",
            "2026.13.1",
            "2026.13",
            "2026.2.30",
            "20260231",
            "3026.1.1",
            "9/1/26",
            "1/2/3/4",
            "年",
            "+985",
            "１９８",
        ] {
            assert_eq!(parse(text, Some(SchoolYear(2026))), None, "{text}");
        }
    }
}
