//! Checking a record's fields against its kind.

use super::RESERVED;
use super::personal::find_personal;
use super::schema::{Field, FieldType, Format, Kind};
use crate::date::parse_stored_date;
use crate::fixed::show_hundredths;
use crate::value::{Fields, Value};

/// What is wrong with one field, in words for the person who filled the form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {en}")]
pub struct FieldError {
    /// Stored name of the field.
    pub field: String,
    /// Message in Chinese; it begins with the field's label.
    pub zh: String,
    /// Message in English; it begins with the field's label.
    pub en: String,
}

impl FieldError {
    /// An error about a field with ready messages.
    pub fn new(field: impl Into<String>, zh: impl Into<String>, en: impl Into<String>) -> FieldError {
        FieldError {
            field: field.into(),
            zh: zh.into(),
            en: en.into(),
        }
    }
}

/// Longest text in a reserved field: a local account's label, a kind or an id.
const RESERVED_MAX: usize = 80;

impl Kind {
    /// Checks all fields of a record and names everything that is wrong, in the order of the form.
    pub fn check(&self, fields: &Fields) -> Result<(), Vec<FieldError>> {
        let mut errors = Vec::new();
        for field in &self.fields {
            match fields.get(&field.id) {
                Some(value) => {
                    if let Some((zh, en)) = problem(field, value) {
                        errors.push(labelled(field, &zh, &en));
                    }
                }
                None if field.required => errors.push(labelled(field, "必须填写", "is required")),
                None => {}
            }
        }
        for (name, value) in fields {
            if RESERVED.contains(&name.as_str()) {
                errors.extend(self.reserved_problem(name, value));
            } else if self.field(name).is_none() {
                errors.push(FieldError::new(
                    name,
                    format!("“{}”没有名为“{name}”的栏目", self.zh),
                    format!("{} has no field “{name}”", self.en),
                ));
            }
        }
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    fn reserved_problem(&self, name: &str, value: &Value) -> Option<FieldError> {
        let Some(text) = value.as_text() else {
            return Some(FieldError::new(
                name,
                format!("“{name}”应为文字"),
                format!("“{name}” must be text"),
            ));
        };
        if name == "_kind" && text != self.reference() {
            return Some(FieldError::new(
                name,
                format!("记录的类型是“{text}”，不是“{}”", self.reference()),
                format!("the record is of kind “{text}”, not “{}”", self.reference()),
            ));
        }
        if text.chars().count() > RESERVED_MAX {
            return Some(FieldError::new(
                name,
                format!("“{name}”太长"),
                format!("“{name}” is too long"),
            ));
        }
        // `_kind` and `_for` are ids; `_by` is a label that a person typed.
        (name == "_by")
            .then(|| find_personal(text))
            .flatten()
            .map(|found| FieldError::new(name, found.zh(), found.en()))
    }
}

fn labelled(field: &Field, zh: &str, en: &str) -> FieldError {
    FieldError::new(
        &field.id,
        format!("{}：{zh}", field.zh),
        format!("{} {en}", field.en),
    )
}

type Problem = Option<(String, String)>;

fn said(zh: impl Into<String>, en: impl Into<String>) -> Problem {
    Some((zh.into(), en.into()))
}

fn problem(field: &Field, value: &Value) -> Problem {
    match (field.field_type, value) {
        (FieldType::Text, Value::Text(text)) => text_problem(field, text),
        (FieldType::Int | FieldType::Hundredths, Value::Int(number)) => number_problem(field, *number),
        (FieldType::Year, Value::Int(year)) => {
            if (1900..=2100).contains(year) {
                None
            } else {
                said("年份应在 1900 至 2100 之间", "must be a year from 1900 to 2100")
            }
        }
        (FieldType::Bool, Value::Bool(_)) => None,
        (FieldType::Date, Value::Text(text)) => parse_stored_date(text)
            .err()
            .and_then(|error| said(error.zh(), error.to_string())),
        (FieldType::Code, Value::Text(code)) => {
            if field.code(code).is_some() {
                None
            } else {
                said(format!("没有“{code}”这个选项"), format!("has no choice “{code}”"))
            }
        }
        (FieldType::Codes, Value::Text(codes)) => codes_problem(field, codes),
        (FieldType::Ref, Value::Text(id)) => {
            let known = id.len() == 36
                && uuid::Uuid::try_parse(id).is_ok_and(|uuid| uuid.hyphenated().to_string() == *id);
            if known {
                None
            } else {
                said("没有指明有效的记录", "does not name a record by its id")
            }
        }
        (FieldType::Text | FieldType::Date | FieldType::Code | FieldType::Codes | FieldType::Ref, _) => {
            said("应为文字", "must be text")
        }
        (FieldType::Int | FieldType::Hundredths | FieldType::Year, _) => said("应为数字", "must be a number"),
        (FieldType::Bool, _) => said("应为是或否", "must be yes or no"),
    }
}

/// Several codes stand in the order of the kind, so that two people who ticked the same say the same.
fn codes_problem(field: &Field, codes: &str) -> Problem {
    let mut last = None;
    for code in codes.split(' ') {
        let Some(at) = field.codes.iter().position(|known| known.id == code) else {
            return said(format!("没有“{code}”这个选项"), format!("has no choice “{code}”"));
        };
        if last.is_some_and(|last| last >= at) {
            return said("选项的次序不对", "has its choices out of order");
        }
        last = Some(at);
    }
    None
}

fn text_problem(field: &Field, text: &str) -> Problem {
    let length = text.chars().count();
    if field.required && text.trim().is_empty() {
        return said("必须填写", "is required");
    }
    if let Some(max) = field.max_len.filter(|max| length > *max) {
        return said(
            format!("共 {length} 字，最多 {max} 字"),
            format!("has {length} characters, at most {max} are allowed"),
        );
    }
    if !text.is_empty() && length < field.min_len {
        return said(
            format!("至少 {} 字", field.min_len),
            format!("needs at least {} characters", field.min_len),
        );
    }
    if text
        .chars()
        .any(|char| char.is_control() && !matches!(char, '\n' | '\t'))
    {
        return said("含有无法显示的字符", "holds characters that cannot be shown");
    }
    match field.format {
        Some(Format::Hex) => {
            let hex = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            if hex {
                None
            } else {
                said("应为小写十六进制", "must be lower-case hexadecimal")
            }
        }
        Some(Format::Digits) => {
            if text.bytes().all(|byte| byte.is_ascii_digit()) {
                None
            } else {
                said("只能是数字", "must be digits")
            }
        }
        None => find_personal(text).and_then(|found| said(found.zh(), found.en())),
    }
}

fn number_problem(field: &Field, number: i64) -> Problem {
    let show = |number: i64| match field.field_type {
        FieldType::Hundredths => show_hundredths(number),
        _ => number.to_string(),
    };
    if number < 0 {
        return said("不能为负数", "must not be negative");
    }
    if let Some(max) = field.max.filter(|max| number > *max) {
        return said(
            format!("最多 {}", show(max)),
            format!("must be at most {}", show(max)),
        );
    }
    if let Some(step) = field.step.filter(|step| *step > 0 && number % step != 0) {
        return said(
            format!("应为 {} 的整数倍", show(step)),
            format!("must be a multiple of {}", show(step)),
        );
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::Kinds;
    use proptest::prelude::*;

    const ID: &str = "0197a1b2-3c4d-7e5f-8a6b-0123456789ab";

    fn session() -> Fields {
        [
            ("_kind", Value::from("session/1")),
            ("_by", Value::from("李专管员")),
            ("title", Value::from("第３次研课磨课")),
            ("theme", Value::from("㙇老师的《荷塘月色》")),
            ("date", Value::from("2025-09-12")),
            ("place", Value::from("录播教室")),
            ("host", Value::from(ID)),
            ("form", Value::from("mutual_inquiry")),
            ("category", Value::from("practice")),
            ("channel", Value::from("school")),
            ("hours_c", Value::from(150)),
            ("minutes", Value::from(90)),
            ("state", Value::from("held")),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
    }

    fn errors_with(name: &str, value: impl Into<Value>) -> Vec<FieldError> {
        let mut fields = session();
        fields.insert(name.to_owned(), value.into());
        Kinds::builtin()
            .get("session/1")
            .unwrap()
            .check(&fields)
            .err()
            .unwrap_or_default()
    }

    #[test]
    fn a_sound_record_passes() {
        assert_eq!(
            Kinds::builtin().get("session/1").unwrap().check(&session()),
            Ok(())
        );
    }

    #[test]
    fn everything_wrong_is_named_once_with_its_label() {
        for (name, value, zh) in [
            ("title", Value::from(" "), "活动名称：必须填写"),
            ("title", Value::from(7), "活动名称：应为文字"),
            (
                "title",
                Value::from("研".repeat(121)),
                "活动名称：共 121 字，最多 120 字",
            ),
            ("title", Value::from("研\u{0}修"), "活动名称：含有无法显示的字符"),
            (
                "date",
                Value::from("2025.9.12"),
                "日期：“2025.9.12”不是日期，请写成 2026-09-01",
            ),
            (
                "date",
                Value::from("2025-02-30"),
                "日期：日历上没有“2025-02-30”这一天",
            ),
            ("host", Value::from("云岭一中"), "主办机构：没有指明有效的记录"),
            (
                "host",
                Value::from(ID.to_uppercase()),
                "主办机构：没有指明有效的记录",
            ),
            ("form", Value::from("party"), "研修形式：没有“party”这个选项"),
            ("hours_c", Value::from(-10), "学时：不能为负数"),
            ("hours_c", Value::from(155), "学时：应为 0.1 的整数倍"),
            ("hours_c", Value::from(200_000), "学时：最多 1000.0"),
            ("hours_c", Value::from("150"), "学时：应为数字"),
            (
                "lecturers",
                Value::from("王老师 13800000000"),
                "主讲人：含有类似手机号的数字，不能写入记录，请删去",
            ),
            (
                "theme",
                Value::from("68012319800101123X"),
                "研修主题：含有类似身份证号的数字，不能写入记录，请删去",
            ),
            ("pupil", Value::from("小明"), "“研修活动”没有名为“pupil”的栏目"),
            ("_note", Value::from("x"), "“研修活动”没有名为“_note”的栏目"),
            (
                "_kind",
                Value::from("session/2"),
                "记录的类型是“session/2”，不是“session/1”",
            ),
            ("_by", Value::from(1), "“_by”应为文字"),
        ] {
            let errors = errors_with(name, value);
            assert_eq!(
                errors
                    .iter()
                    .map(|error| (error.field.as_str(), error.zh.as_str()))
                    .collect::<Vec<_>>(),
                [(name, zh)]
            );
            assert!(!errors[0].en.is_empty());
        }
    }

    #[test]
    fn missing_fields_are_all_named() {
        let errors = Kinds::builtin()
            .get("session/1")
            .unwrap()
            .check(&Fields::new())
            .unwrap_err();
        let fields: Vec<&str> = errors.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(
            fields,
            [
                "title", "date", "host", "form", "category", "channel", "hours_c", "state"
            ]
        );
    }

    #[test]
    fn public_codes_and_hashes_are_not_taken_for_personal_numbers() {
        let mut fields = Fields::new();
        for (name, value) in [
            ("evidence_kind", Value::from("sign_in_sheet")),
            (
                "hash",
                Value::from("1380000000013800000000138000000001380000000013800000000138000000"),
            ),
            ("about", Value::from(ID)),
        ] {
            fields.insert(name.to_owned(), value);
        }
        let kind = Kinds::builtin().latest("evidence").unwrap();
        assert_eq!(kind.check(&fields), Ok(()));
        fields.insert("hash".to_owned(), Value::from("no hash at all"));
        assert!(kind.check(&fields).is_err());
        let school = Kinds::builtin().latest("organisation").unwrap();
        let mut fields = Fields::new();
        fields.insert("name".to_owned(), Value::from("云岭县第一中学"));
        fields.insert("org_kind".to_owned(), Value::from("secondary_school"));
        fields.insert("school_code".to_owned(), Value::from("3168000001"));
        assert_eq!(school.check(&fields), Ok(()));
        fields.insert("school_code".to_owned(), Value::from("316800000"));
        assert_eq!(school.check(&fields).unwrap_err()[0].zh, "学校标识码：至少 10 字");
    }

    proptest! {
        #[test]
        fn no_content_makes_the_check_panic(
            name in "[a-z_]{1,12}|title|date|host|hours_c|_kind",
            text in "\\PC{0,60}|[0-9 xX-]{0,40}",
            number in any::<i64>(),
        ) {
            errors_with(&name, text);
            errors_with(&name, number);
        }
    }
}
