//! A field's value as people type and read it.

use super::FieldError;
use super::schema::{Field, FieldType};
use crate::date::parse_date;
use crate::fixed::{parse_hundredths, show_hundredths};
use crate::lang::Lang;
use crate::text::{half_width, tidy};
use crate::value::Value;

/// Texts longer than this get several lines on forms.
const ONE_LINE: usize = 200;

impl Field {
    /// Whether it is prose of several lines.
    pub fn is_long(&self) -> bool {
        self.field_type == FieldType::Text && self.max_len.is_some_and(|max| max > ONE_LINE)
    }

    /// Reads what was typed or ticked; nothing typed is an absent value. Whether it is required, and what else
    /// the kind asks, is [`super::Kind::check`]'s.
    pub fn read(&self, typed: &[&str]) -> Result<Option<Value>, FieldError> {
        let wrong = |zh: String, en: String| {
            FieldError::new(
                &self.id,
                format!("{}：{zh}", self.zh),
                format!("{} {en}", self.en),
            )
        };
        if self.field_type == FieldType::Codes {
            // Whatever order they were sent in, they stand in the order of the kind.
            let known = self.codes.iter().map(|code| code.id.as_str());
            let mut chosen: Vec<&str> = known.filter(|code| typed.contains(code)).collect();
            chosen.extend(
                typed
                    .iter()
                    .filter(|code| !code.is_empty() && self.code(code).is_none()),
            );
            return Ok((!chosen.is_empty()).then(|| Value::from(chosen.join(" "))));
        }
        let typed = typed.first().copied().unwrap_or_default();
        if typed.trim().is_empty() {
            return Ok(None);
        }
        Ok(Some(match self.field_type {
            FieldType::Text if self.is_long() => {
                Value::from(typed.replace("\r\n", "\n").replace('\r', "\n").trim())
            }
            FieldType::Text if self.format.is_some() => Value::from(half_width(typed).trim()),
            FieldType::Text => Value::from(tidy(typed)),
            FieldType::Int | FieldType::Year => {
                let plain = half_width(typed);
                let digits = plain.trim();
                let good = digits.len() <= 9 && digits.bytes().all(|byte| byte.is_ascii_digit());
                match digits.parse::<i64>() {
                    Ok(number) if good => Value::from(number),
                    _ => return Err(wrong("请只填数字".into(), "takes digits only".into())),
                }
            }
            FieldType::Hundredths => match parse_hundredths(typed) {
                Ok(amount) => Value::from(amount),
                Err(error) => return Err(wrong(error.zh(), error.to_string())),
            },
            FieldType::Date => match parse_date(typed, None) {
                Ok(date) => Value::from(date.to_string()),
                Err(error) => return Err(wrong(error.zh(), error.to_string())),
            },
            FieldType::Bool => Value::from(true),
            FieldType::Code | FieldType::Codes | FieldType::Ref => Value::from(typed.trim()),
        }))
    }

    /// The value as a form's field holds it, so that reading it again gives the same.
    pub fn typed(&self, value: &Value) -> String {
        match (self.field_type, value) {
            (FieldType::Hundredths, Value::Int(amount)) => show_hundredths(*amount),
            (FieldType::Bool, Value::Bool(true)) => "1".to_owned(),
            (FieldType::Bool, _) => String::new(),
            (_, value) => value.to_string(),
        }
    }

    /// The value for readers; a reference stays an id, and what the field does not know stays as it stands.
    pub fn show(&self, value: &Value, lang: Lang) -> String {
        let label = |code: &str| match self.code(code) {
            Some(code) => lang.pick(&code.zh, &code.en).to_owned(),
            None => code.to_owned(),
        };
        match (self.field_type, value) {
            (FieldType::Code, Value::Text(code)) => label(code),
            (FieldType::Codes, Value::Text(codes)) => codes
                .split(' ')
                .map(label)
                .collect::<Vec<_>>()
                .join(lang.pick("、", ", ")),
            (FieldType::Bool, Value::Bool(flag)) => lang
                .pick(if *flag { "是" } else { "否" }, if *flag { "yes" } else { "no" })
                .to_owned(),
            (FieldType::Hundredths, Value::Int(amount)) => show_hundredths(*amount),
            (_, value) => value.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::Kinds;

    fn field(kind: &str, id: &str) -> Field {
        Kinds::builtin().latest(kind).unwrap().field(id).unwrap().clone()
    }

    #[test]
    fn what_people_type_is_read_and_comes_back_the_same() {
        for (kind, id, typed, value) in [
            ("trip", "hours_c", "１２.5", Value::from(1250)),
            ("trip", "from", "２０２５年１０月３日", Value::from("2025-10-03")),
            ("trip", "project", " 第\u{3000}一期 ", Value::from("第 一期")),
            ("observation", "points", "８６", Value::from(86)),
            (
                "observation",
                "advice",
                "多提问\r\n少讲解",
                Value::from("多提问\n少讲解"),
            ),
            ("trip", "record_given", "1", Value::from(true)),
            ("lesson", "lesson_kind", "open", Value::from("open")),
        ] {
            let field = field(kind, id);
            let read = field.read(&[typed]).unwrap().unwrap();
            assert_eq!(read, value, "{id}");
            assert_eq!(field.read(&[&field.typed(&read)]), Ok(Some(read)), "{id}");
            assert_eq!(field.read(&["\u{3000}"]), Ok(None));
            assert_eq!(field.read(&[]), Ok(None));
        }
    }

    #[test]
    fn several_codes_stand_in_the_order_of_the_kind() {
        let methods = field("session", "methods");
        let read = methods.read(&["case", "task", "inquiry"]).unwrap().unwrap();
        assert_eq!(read, Value::from("task case inquiry"));
        assert_eq!(methods.show(&read, Lang::Zh), "任务式、案例式、探究式");
        assert_eq!(methods.read(&[]), Ok(None));
        // A code that the kind does not have is not dropped in silence: the check names it.
        assert_eq!(methods.read(&["task", "x"]), Ok(Some(Value::from("task x"))));
    }

    #[test]
    fn what_cannot_be_read_is_named_with_its_label() {
        for (id, typed, zh) in [("hours_c", "两天", "培训学时："), ("from", "昨天", "开始日期：")]
        {
            let error = field("trip", id).read(&[typed]).unwrap_err();
            assert_eq!(error.field, id);
            assert!(error.zh.starts_with(zh), "{}", error.zh);
        }
        assert_eq!(
            field("observation", "points").read(&["8.5"]).unwrap_err().zh,
            "总分：请只填数字"
        );
    }
}
