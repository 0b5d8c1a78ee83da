//! Dates as people write them (domain.md §7.2): 2026.9.1, 2026/9/1, 20260901, 2026年9月1日, 9月1日, 1985.9, 1985.

use super::grid::Cell;
use super::text::squeeze;

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
}

/// Reads a cell as a date. A whole number of five digits in a number cell is a date serial
/// of the workbook whose date format was lost. `school_year` (its first calendar year)
/// completes 9月1日; without it such a text is `None`.
pub fn parse_cell(cell: &Cell, school_year: Option<i32>) -> Option<PartialDate> {
    if let Cell::Number { text, .. } = cell
        && let Ok(serial) = text.parse::<i64>()
        && (10_000..=73_050).contains(&serial)
    {
        return from_serial(serial);
    }
    parse(&cell.text(), school_year)
}

/// Reads a text as a date; `None` when it is not one of the styles.
pub fn parse(text: &str, school_year: Option<i32>) -> Option<PartialDate> {
    let folded = super::text::tidy(text);
    // "2026-09-01 00:00:00" and "2026-09-01T08:00": the time of day says nothing here.
    let cut = folded.find(':').and_then(|colon| folded[..colon].rfind([' ', 'T']));
    let text = squeeze(cut.map_or(folded.as_str(), |at| &folded[..at]));
    let has_month_sign = text.contains('月');
    let unified: String = text
        .chars()
        .map(|c| match c {
            '年' | '月' | '.' | '-' | '/' | '。' | '、' | '—' | '–' | '\\' => '/',
            other => other,
        })
        .filter(|c| !matches!(c, '日' | '号'))
        .collect();
    let parts: Vec<&str> = unified.trim_matches('/').split('/').collect();
    if parts.iter().any(|p| p.is_empty() || p.len() > 8 || !p.bytes().all(|b| b.is_ascii_digit())) {
        return None;
    }
    let number = |s: &str| s.parse::<i32>().ok();
    match parts.as_slice() {
        [one] => match one.len() {
            4 => valid(number(one)?, None, None),
            6 => valid(number(one.get(..4)?)?, Some(number(one.get(4..)?)?), None),
            8 => valid(
                number(one.get(..4)?)?,
                Some(number(one.get(4..6)?)?),
                Some(number(one.get(6..)?)?),
            ),
            _ => None,
        },
        // "1985.0" is what some programs write for the number 1985.
        [year, month] if year.len() == 4 && number(month)? == 0 => valid(number(year)?, None, None),
        [year, month] if year.len() == 4 => valid(number(year)?, Some(number(month)?), None),
        [month, day] if has_month_sign => {
            let (month, day) = (number(month)?, number(day)?);
            let first = school_year?;
            valid(if month >= 9 { first } else { first + 1 }, Some(month), Some(day))
        }
        [year, month, day] if year.len() == 4 => {
            valid(number(year)?, Some(number(month)?), Some(number(day)?))
        }
        _ => None,
    }
}

fn valid(year: i32, month: Option<i32>, day: Option<i32>) -> Option<PartialDate> {
    if !(1900..=2100).contains(&year) {
        return None;
    }
    let month = month.map(|m| u8::try_from(m).ok().filter(|m| (1..=12).contains(m)));
    let day = day.map(|d| u8::try_from(d).ok());
    let (month, day) = match (month, day) {
        (None, _) => (None, None),
        (Some(month), None) => (Some(month?), None),
        (Some(month), Some(day)) => {
            let (month, day) = (month?, day?);
            jiff::civil::Date::new(
                i16::try_from(year).ok()?,
                i8::try_from(month).ok()?,
                i8::try_from(day).ok()?,
            )
            .ok()?;
            (Some(month), Some(day))
        }
    };
    Some(PartialDate { year, month, day })
}

/// Day number of the 1900 date system (1 March 1900 = 61).
fn from_serial(serial: i64) -> Option<PartialDate> {
    let date = jiff::civil::date(1899, 12, 30)
        .checked_add(jiff::Span::new().try_days(serial).ok()?)
        .ok()?;
    valid(
        i32::from(date.year()),
        Some(i32::from(date.month())),
        Some(i32::from(date.day())),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn iso(text: &str) -> Option<String> {
        parse(text, Some(2026)).and_then(|d| d.iso())
    }

    #[test]
    fn every_style_of_the_domain_file() {
        for text in [
            "2026.9.1", "2026/9/1", "20260901", "9月1日", "2026年9月1日", "2026-09-01", "2026.09.01",
            "２０２６．９．１", "２０２６年９月１日", "2026 年 9 月 1 日", "2026-09-01 00:00:00",
            "2026-09-01T08:30:00", "2026.9.1.", "2026、9、1", "9月1号",
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
            assert_eq!(parse(text, None), Some(PartialDate { year: 1985, month: None, day: None }), "{text}");
        }
        for text in ["1985.9", "1985-09", "198509", "1985年9月", "1985/9"] {
            assert_eq!(
                parse(text, None),
                Some(PartialDate { year: 1985, month: Some(9), day: None }),
                "{text}"
            );
        }
    }

    #[test]
    fn serials_only_in_number_cells() {
        let cell = Cell::Number { text: "31291".into(), exact: true };
        assert_eq!(parse_cell(&cell, None).and_then(|d| d.iso()).as_deref(), Some("1985-09-01"));
        assert_eq!(parse("31291", None), None);
        let year = Cell::Number { text: "1985".into(), exact: true };
        assert_eq!(parse_cell(&year, None).map(|d| d.year), Some(1985));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "不详", "85", "85.9", "2026.13.1", "2026.2.30", "20260231", "3026.1.1", "9/1/26", "1/2/3/4", "年"] {
            assert_eq!(parse(text, Some(2026)), None, "{text}");
        }
    }
}
