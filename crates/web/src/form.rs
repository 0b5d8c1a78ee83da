//! What a person typed: a form body as ordered pairs, with the errors that belong beside its fields.

use std::collections::BTreeMap;

use records::{FieldError, Kinds};

use crate::lang::Lang;

/// A submitted form. Names may repeat (check boxes), and everything typed is kept so that a page
/// with an error can show it again.
#[derive(Clone, Debug, Default)]
pub struct Form {
    pairs: Vec<(String, String)>,
    errors: BTreeMap<String, (String, String)>,
}

impl Form {
    /// A form from decoded pairs, in the order they were sent.
    pub fn new(pairs: Vec<(String, String)>) -> Form {
        Form {
            pairs,
            errors: BTreeMap::new(),
        }
    }

    /// A form filled in by the program, for the first showing of an edit page.
    pub fn filled<const N: usize>(values: [(&str, String); N]) -> Form {
        Form::new(values.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())
    }

    /// The first value of a field without surrounding blanks (also the full-width one, U+3000);
    /// empty when it was not sent.
    pub fn get(&self, name: &str) -> &str {
        self.pairs
            .iter()
            .find(|(k, _)| k == name)
            .map(|(_, v)| v.trim())
            .unwrap_or_default()
    }

    /// What a field shows: what was sent, even when that is nothing, else `default`.
    pub fn or<'a>(&'a self, name: &str, default: &'a str) -> &'a str {
        let sent = self.pairs.iter().any(|(k, _)| k == name);
        if sent { self.get(name) } else { default }
    }

    /// The first value exactly as typed: for passwords, where blanks count.
    pub fn raw(&self, name: &str) -> &str {
        self.pairs
            .iter()
            .find(|(k, _)| k == name)
            .map(|(_, v)| v.as_str())
            .unwrap_or_default()
    }

    /// The value as an owned text, for the inputs of `office`.
    pub fn text(&self, name: &str) -> String {
        self.get(name).to_owned()
    }

    /// Every value of a repeated field.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        self.pairs
            .iter()
            .filter(move |(k, _)| k == name)
            .map(|(_, v)| v.trim())
    }

    /// Fields whose name starts with `prefix`, as (rest of the name, value).
    pub fn with_prefix<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> + 'a {
        self.pairs
            .iter()
            .filter_map(move |(k, v)| Some((k.strip_prefix(prefix)?, v.trim())))
    }

    /// Whether the field was sent with any value (a ticked box, a pressed button).
    pub fn has(&self, name: &str) -> bool {
        self.pairs.iter().any(|(k, v)| k == name && !v.trim().is_empty())
    }

    /// Whether a select shows this option: what was typed, or `default` when nothing was.
    pub fn chosen(&self, name: &str, option: &str, default: &str) -> bool {
        match self.pairs.iter().find(|(k, _)| k == name) {
            Some((_, value)) => value.trim() == option,
            None => option == default,
        }
    }

    /// Puts an error beside a field. The first one of a field stays.
    pub fn fail(&mut self, field: &str, zh: &str, en: &str) {
        self.errors
            .entry(field.to_owned())
            .or_insert_with(|| (zh.to_owned(), en.to_owned()));
    }

    /// Takes over the errors that the schema check returned.
    pub fn fail_all(&mut self, errors: &[FieldError]) {
        for e in errors {
            self.fail(&e.field, &e.zh, &e.en);
        }
    }

    /// The same on a page with one field: what no other field stands for is said beside it.
    pub fn fail_at(&mut self, field: &str, errors: &[FieldError]) {
        for e in errors {
            self.fail(field, &e.zh, &e.en);
        }
    }

    /// Puts an error beside each of these fields that is empty and that the kind requires.
    pub fn require(&mut self, kind: &str, fields: &[&str]) {
        let kind = Kinds::builtin().latest(kind);
        let wanted = |name: &str| kind.and_then(|k| k.field(name)).is_some_and(|f| f.required);
        for name in fields {
            if wanted(name) && !self.has(name) {
                self.fail(name, "必须填写", "This is required");
            }
        }
    }

    /// Whether no field has an error so far.
    pub fn ok(&self) -> bool {
        self.errors.is_empty()
    }

    /// The error beside a field in the page's language.
    pub fn error(&self, field: &str, l: &Lang) -> Option<&str> {
        self.errors.get(field).map(|(zh, en)| l.pick(zh, en))
    }

    /// Errors of fields that the page does not show, so that none is lost: listed above the form.
    /// `shown` names the fields that the page has, separated by blanks.
    pub fn other_errors(&self, shown: &str, l: &Lang) -> Vec<&str> {
        let others = self
            .errors
            .iter()
            .filter(|(k, _)| !shown.split(' ').any(|s| s == k.as_str()));
        others.map(|(_, (zh, en))| l.pick(zh, en)).collect()
    }
}

/// Reads a whole number (minutes, a year) typed with half- or full-width digits.
pub fn whole(typed: &str) -> Option<i64> {
    let plain = records::text::half_width(typed);
    let digits = plain.trim();
    if digits.len() > 9 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

/// A whole number that may be left out; an error beside the field when it is none.
pub fn optional_whole(form: &mut Form, field: &str) -> Option<i64> {
    if form.get(field).is_empty() {
        return None;
    }
    let number = whole(form.get(field));
    if number.is_none() {
        form.fail(field, "请只填数字", "Please enter digits only");
    }
    number
}

/// An amount in hundredths; an error beside the field when it cannot be read.
pub fn amount(form: &mut Form, field: &str) -> i64 {
    match records::parse_hundredths(form.get(field)) {
        Ok(amount) => amount,
        Err(error) => {
            form.fail(field, &error.zh(), &error.to_string());
            0
        }
    }
}

/// A date in any style that schools use, as `YYYY-MM-DD`; an error beside the field when it is none.
pub fn date(form: &mut Form, field: &str) -> String {
    match records::parse_date(form.get(field), None) {
        Ok(date) => date.to_string(),
        Err(error) => {
            form.fail(field, &error.zh(), &error.to_string());
            String::new()
        }
    }
}

/// A time of the day that may be left out, as `08:30`; an error beside the field when it cannot be read.
pub fn time(form: &mut Form, field: &str) -> String {
    if form.get(field).is_empty() {
        return String::new();
    }
    match records::minute_of_day(form.get(field)) {
        Some(minute) => format!("{:02}:{:02}", minute / 60, minute % 60),
        None => {
            form.fail(field, "请填几点几分，如 08:30", "Enter a time such as 08:30");
            String::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_have_digits_only() {
        assert_eq!(whole(" ４５ "), Some(45));
        for bad in ["", "4.5", "-3", "+3", "四", "99999999999"] {
            assert_eq!(whole(bad), None, "{bad}");
        }
    }

    #[test]
    fn dates_and_amounts_are_read_as_schools_write_them() {
        let typed = [
            ("date", "２０２６年９月１日"),
            ("hours_c", "１.５"),
            ("place", "录播教室"),
            ("none", ""),
        ];
        let mut form = Form::filled(typed.map(|(k, v)| (k, v.to_owned())));
        assert_eq!(date(&mut form, "date"), "2026-09-01");
        assert_eq!(amount(&mut form, "hours_c"), 150);
        assert_eq!(optional_whole(&mut form, "none"), None);
        assert!(form.ok());
        date(&mut form, "place");
        optional_whole(&mut form, "date");
        assert!(form.error("place", &Lang::Zh).is_some() && form.error("date", &Lang::En).is_some());
    }

    #[test]
    fn what_was_typed_stays_beside_its_error() {
        let mut form = Form::new(vec![
            ("name".into(), "\u{3000}王𬭊 ".into()),
            ("date".into(), "昨天".into()),
        ]);
        form.fail("date", "日期不对", "not a date");
        form.fail("hidden", "缺活动", "no session");
        assert_eq!(form.get("name"), "王𬭊");
        assert_eq!(form.get("date"), "昨天");
        assert_eq!(form.error("date", &Lang::En), Some("not a date"));
        assert_eq!(form.other_errors("name date", &Lang::Zh), ["缺活动"]);
        assert!(form.chosen("date", "昨天", "x") && form.chosen("sex", "0", "0"));
    }
}
