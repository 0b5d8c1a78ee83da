//! Dates as people write them, and the school year (学年) that a date falls in.
//!
//! Dates of events are entered by people and stored as text `YYYY-MM-DD`; nothing here asks a clock.

use std::fmt;
use std::ops::RangeInclusive;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::text::{half_width, is_invisible};

/// Why a text is not a date.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DateError {
    /// Nothing was written.
    #[error("no date was given")]
    Empty,
    /// None of the accepted styles.
    #[error("“{0}” is not a date; write 2026-09-01")]
    NotADate(String),
    /// The style is right, but the calendar has no such day.
    #[error("the calendar has no day “{0}”")]
    NoSuchDay(String),
    /// Outside 1900–2100: a typing error or a wrong clock.
    #[error("“{0}” is outside the years 1900 to 2100")]
    OutOfRange(String),
    /// Month and day alone, and no school year to complete them.
    #[error("“{0}” has no year")]
    NoYear(String),
}

impl DateError {
    /// The message in Chinese.
    pub fn zh(&self) -> String {
        match self {
            DateError::Empty => "没有填写日期".to_owned(),
            DateError::NotADate(text) => format!("“{text}”不是日期，请写成 2026-09-01"),
            DateError::NoSuchDay(text) => format!("日历上没有“{text}”这一天"),
            DateError::OutOfRange(text) => format!("“{text}”不在 1900 至 2100 年之间"),
            DateError::NoYear(text) => format!("“{text}”没有年份"),
        }
    }
}

/// Reads a date in the styles that schools use: 2026.9.1, 2026/9/1, 2026-09-01, 20260901,
/// 2026年9月1日, and 9月1日 when `school_year` completes it; full-width digits too. A time of day after it
/// ("2026-09-01 00:00:00", as spreadsheets print) is passed over. A bare spreadsheet number is not
/// read here: only the sheet code knows that a cell was a number, see [`from_excel_serial`].
pub fn parse_date(text: &str, school_year: Option<SchoolYear>) -> Result<Date, DateError> {
    let written = text.trim().to_owned();
    let half: String = half_width(text)
        .chars()
        .filter(|char| !is_invisible(*char))
        .collect();
    let clean = without_time(half.trim()).replace(' ', "");
    if clean.is_empty() {
        return Err(DateError::Empty);
    }
    let not_a_date = || DateError::NotADate(written.clone());
    let numbers = |parts: &[&str]| -> Option<Vec<i16>> {
        parts
            .iter()
            .map(|part| {
                let plain =
                    !part.is_empty() && part.len() <= 4 && part.bytes().all(|byte| byte.is_ascii_digit());
                plain.then(|| part.parse().ok()).flatten()
            })
            .collect()
    };

    let (year, month, day) = if clean.contains('月') {
        let (year, rest) = match clean.split_once('年') {
            Some((year, rest)) => (Some(year), rest),
            None => (None, clean.as_str()),
        };
        let (month, day) = rest.split_once('月').ok_or_else(not_a_date)?;
        let day = day.strip_suffix(['日', '号']).unwrap_or(day);
        let pair = numbers(&[month, day]).ok_or_else(not_a_date)?;
        let [month, day] = pair[..] else {
            return Err(not_a_date());
        };
        let year = match (year, school_year) {
            (Some(year), _) => four_digits(year).ok_or_else(not_a_date)?,
            (None, Some(school_year)) => school_year.calendar_year_of(month),
            (None, None) => return Err(DateError::NoYear(written)),
        };
        (year, month, day)
    } else if clean.len() == 8 && clean.bytes().all(|byte| byte.is_ascii_digit()) {
        let parts = numbers(&[&clean[..4], &clean[4..6], &clean[6..]]).ok_or_else(not_a_date)?;
        let [year, month, day] = parts[..] else {
            return Err(not_a_date());
        };
        (year, month, day)
    } else {
        let separator = ['-', '/', '.', '。']
            .into_iter()
            .find(|sign| clean.contains(*sign))
            .ok_or_else(not_a_date)?;
        let parts: Vec<&str> = clean.split(separator).collect();
        let [year, month, day] = parts[..] else {
            return Err(not_a_date());
        };
        let year = four_digits(year).ok_or_else(not_a_date)?;
        let pair = numbers(&[month, day]).ok_or_else(not_a_date)?;
        let [month, day] = pair[..] else {
            return Err(not_a_date());
        };
        (year, month, day)
    };

    if !YEARS.contains(&year) {
        return Err(DateError::OutOfRange(written));
    }
    let month = i8::try_from(month).map_err(|_| DateError::NoSuchDay(written.clone()))?;
    let day = i8::try_from(day).map_err(|_| DateError::NoSuchDay(written.clone()))?;
    Date::new(year, month, day).map_err(|_| DateError::NoSuchDay(written))
}

/// The years that a date of ours is in.
const YEARS: RangeInclusive<i16> = 1900..=2100;

/// Reads the stored form only: `YYYY-MM-DD`, ten characters, 1900–2100.
pub fn parse_stored_date(text: &str) -> Result<Date, DateError> {
    let bytes = text.as_bytes();
    let shaped = bytes.len() == 10
        && bytes.iter().enumerate().all(|(at, byte)| {
            if at == 4 || at == 7 {
                *byte == b'-'
            } else {
                byte.is_ascii_digit()
            }
        });
    if shaped {
        // Thousands of them on a page of the county: what is a day is known without looking for other ways to write it.
        let number = |part: &[u8]| {
            part.iter()
                .fold(0, |sum, digit| sum * 10 + i16::from(digit - b'0'))
        };
        let (year, month, day) = (number(&bytes[..4]), number(&bytes[5..7]), number(&bytes[8..]));
        match Date::new(year, month as i8, day as i8) {
            Ok(date) if YEARS.contains(&year) => Ok(date),
            _ => parse_date(text, None),
        }
    } else {
        Err(DateError::NotADate(text.to_owned()))
    }
}

/// The day of a spreadsheet's date number (whole days; drop the time part before). `from_1904` is the
/// workbook's other date system. Numbers outside 1900–2100 give nothing; 60 is the 29 February 1900
/// that spreadsheets believe in.
pub fn from_excel_serial(serial: i64, from_1904: bool) -> Option<Date> {
    let (first, days) = match (from_1904, serial) {
        (true, 0..) => (Date::constant(1904, 1, 1), serial),
        (false, 1..=59) => (Date::constant(1900, 1, 1), serial - 1),
        (false, 61..) => (Date::constant(1900, 3, 1), serial - 61),
        _ => return None,
    };
    let days = i32::try_from(days).ok().filter(|days| *days < 80_000)?;
    let date = first.checked_add(jiff::Span::new().try_days(days).ok()?).ok()?;
    (date.year() <= 2100).then_some(date)
}

/// A school year by the calendar year it starts in: `SchoolYear(2025)` is 2025-09-01 to 2026-08-31.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SchoolYear(pub i32);

impl SchoolYear {
    /// The school year that a day falls in.
    pub fn of(date: Date) -> SchoolYear {
        let year = i32::from(date.year());
        SchoolYear(if date.month() >= 9 { year } else { year - 1 })
    }

    /// 1 September, or nothing for a year that the calendar does not have.
    pub fn start(self) -> Option<Date> {
        Date::new(i16::try_from(self.0).ok()?, 9, 1).ok()
    }

    /// 31 August of the next calendar year.
    pub fn end(self) -> Option<Date> {
        Date::new(i16::try_from(self.0.checked_add(1)?).ok()?, 8, 31).ok()
    }

    /// "2025-2026学年".
    pub fn zh(self) -> String {
        format!("{}-{}学年", self.0, self.0.saturating_add(1))
    }

    /// "school year 2025-2026".
    pub fn en(self) -> String {
        format!("school year {}-{}", self.0, self.0.saturating_add(1))
    }

    fn calendar_year_of(self, month: i16) -> i16 {
        let year = if month >= 9 {
            self.0
        } else {
            self.0.saturating_add(1)
        };
        i16::try_from(year).unwrap_or(0)
    }
}

impl fmt::Display for SchoolYear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.zh())
    }
}

/// Cuts a time of day that follows the date after a blank or a `T`.
fn without_time(text: &str) -> &str {
    match text.find(':') {
        Some(colon) => match text[..colon].rfind([' ', 'T']) {
            Some(blank) => text[..blank].trim_end(),
            None => text,
        },
        None => text,
    }
}

fn four_digits(text: &str) -> Option<i16> {
    (text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| text.parse().ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn day(year: i16, month: i8, day: i8) -> Date {
        Date::constant(year, month, day)
    }

    #[test]
    fn every_style_of_the_schools_is_read() {
        for text in [
            "2026.9.1",
            "2026/9/1",
            "2026-09-01",
            "20260901",
            "2026年9月1日",
            "2026年09月01号",
            "２０２６．９．１",
            "２０２６年９月１日",
            " 2026 年 9 月 1 日 ",
            "2026。9。1",
            "2026-09-01 00:00:00",
            "2026/9/1 8:30",
            "2026-09-01T08:00:00",
        ] {
            assert_eq!(parse_date(text, None), Ok(day(2026, 9, 1)), "{text}");
        }
    }

    #[test]
    fn month_and_day_take_their_year_from_the_school_year() {
        let year = Some(SchoolYear(2025));
        assert_eq!(parse_date("9月1日", year), Ok(day(2025, 9, 1)));
        assert_eq!(parse_date("８月３１日", year), Ok(day(2026, 8, 31)));
        assert_eq!(
            parse_date("9月1日", None),
            Err(DateError::NoYear("9月1日".into()))
        );
        assert!(matches!(
            parse_date("2月29日", year),
            Err(DateError::NoSuchDay(_))
        ));
        assert_eq!(
            parse_date("2月29日", Some(SchoolYear(2027))),
            Ok(day(2028, 2, 29))
        );
    }

    #[test]
    fn what_is_no_date_is_refused_and_named() {
        for text in [
            "2026.9",
            "昨天",
            "26.9.1",
            "2026-9-1-2",
            "46266",
            "2026年",
            "2026-",
            "1.9.2026",
            "２０２６",
        ] {
            assert!(
                matches!(parse_date(text, None), Err(DateError::NotADate(_))),
                "{text}"
            );
        }
        assert!(matches!(
            parse_date("2026-02-30", None),
            Err(DateError::NoSuchDay(_))
        ));
        assert!(matches!(
            parse_date("2026-13-01", None),
            Err(DateError::NoSuchDay(_))
        ));
        assert!(matches!(
            parse_date("0026-01-01", None),
            Err(DateError::OutOfRange(_))
        ));
        assert_eq!(parse_date("　", None), Err(DateError::Empty));
        assert!(parse_stored_date("2026-09-01").is_ok());
        for text in ["2026.09.01", "2026-9-1", "２０２６-09-01", "2026-09-01 "] {
            assert!(parse_stored_date(text).is_err(), "{text}");
        }
    }

    #[test]
    fn spreadsheet_numbers_count_from_their_own_first_day() {
        assert_eq!(from_excel_serial(1, false), Some(day(1900, 1, 1)));
        assert_eq!(from_excel_serial(59, false), Some(day(1900, 2, 28)));
        assert_eq!(from_excel_serial(60, false), None);
        assert_eq!(from_excel_serial(61, false), Some(day(1900, 3, 1)));
        assert_eq!(from_excel_serial(46_266, false), Some(day(2026, 9, 1)));
        assert_eq!(from_excel_serial(46_266 - 1_462, true), Some(day(2026, 9, 1)));
        for serial in [i64::MIN, -1, 0, 200_000, i64::MAX] {
            assert_eq!(from_excel_serial(serial, false), None, "{serial}");
        }
    }

    #[test]
    fn a_school_year_turns_on_the_first_of_september() {
        assert_eq!(SchoolYear::of(day(2026, 8, 31)), SchoolYear(2025));
        assert_eq!(SchoolYear::of(day(2026, 9, 1)), SchoolYear(2026));
        assert_eq!(SchoolYear(2025).start(), Some(day(2025, 9, 1)));
        assert_eq!(SchoolYear(2025).end(), Some(day(2026, 8, 31)));
        assert_eq!(SchoolYear(2025).to_string(), "2025-2026学年");
        assert_eq!(SchoolYear(i32::MAX).start(), None);
    }

    proptest! {
        #[test]
        fn all_styles_give_the_same_day(year in 1900i16..=2100, month in 1i8..=12, day in 1i8..=28) {
            let date = Date::constant(year, month, day);
            for text in [
                format!("{year}.{month}.{day}"), format!("{year}/{month}/{day}"), format!("{year}{month:02}{day:02}"),
                format!("{year}年{month}月{day}日"), date.to_string(),
            ] {
                prop_assert_eq!(parse_date(&text, None), Ok(date));
            }
            let school_year = SchoolYear::of(date);
            prop_assert!(school_year.start().is_none_or(|start| start <= date));
            prop_assert!(school_year.end().is_none_or(|end| date <= end));
            prop_assert_eq!(parse_date(&format!("{month}月{day}日"), Some(school_year)), Ok(date));
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,16}|[0-9年月日./T: -]{0,20}") {
            let _ = parse_date(&text, Some(SchoolYear(2025)));
        }
    }
}
