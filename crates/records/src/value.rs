//! The scalar values that a record's fields hold.
//!
//! A record is a flat map of scalars, because that is what merges field by field. Amounts are
//! integers (hundredths), dates are text `YYYY-MM-DD`, so three types are enough. A field that
//! is absent has no key: there is no null.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize};

/// One scalar value. In JSON it is the bare value (`true`, `150`, `"语文"`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// Yes or no.
    Bool(bool),
    /// A whole number: a count, a year, or hundredths of a class-hour or credit.
    Int(i64),
    /// Text, a code, a date `YYYY-MM-DD` or the id of another record.
    Text(String),
}

/// The fields of one record by name. Names that begin with `_` are reserved (see [`crate::kinds::RESERVED`]).
pub type Fields = BTreeMap<String, Value>;

impl Value {
    /// The text, if this is text.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The number, if this is a number.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Value::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// The truth value, if this is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(flag) => Some(*flag),
            _ => None,
        }
    }
}

// By hand: the derived one tries each type in turn and words a refusal for each that does not fit, which was a tenth
// of what a page with hundreds of records cost.
impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Value, D::Error> {
        from.deserialize_any(Scalar)
    }
}

struct Scalar;

impl Visitor<'_> for Scalar {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a truth value, a whole number or text")
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Bool(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Int(number))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Value, E> {
        let number = i64::try_from(number);
        number
            .map(Value::Int)
            .map_err(|_| E::custom("a number beyond 64 bits"))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::Text(text))
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Bool(flag) => flag.fmt(f),
            Value::Int(number) => number.fmt(f),
            Value::Text(text) => text.fmt(f),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::Text(text)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Value::Int(number)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Value::Bool(flag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_the_bare_value_and_comes_back_equal() {
        for (value, json) in [
            (Value::from("张三"), "\"张三\""),
            (Value::from(150), "150"),
            (Value::from(true), "true"),
            (Value::from("2026"), "\"2026\""),
        ] {
            assert_eq!(serde_json::to_string(&value).unwrap(), json);
            assert_eq!(serde_json::from_str::<Value>(json).unwrap(), value);
        }
    }

    #[test]
    fn a_fraction_or_null_is_no_value() {
        assert!(serde_json::from_str::<Value>("1.5").is_err());
        assert!(serde_json::from_str::<Value>("null").is_err());
        assert!(serde_json::from_str::<Value>("[1]").is_err());
    }

    #[test]
    fn accessors_never_convert() {
        assert_eq!(Value::from("7").as_int(), None);
        assert_eq!(Value::from(7).as_text(), None);
        assert_eq!(Value::from(1).as_bool(), None);
        assert_eq!(Value::from(7).to_string(), "7");
    }
}
