//! A form on its way into a record: blanks become absent fields, the kind's schema has its say,
//! and only what really changes is written.

use records::date::parse_stored_date;
use records::{FieldError, Fields, Kind, Kinds, SchoolYear, Value};

use super::{By, fault, invalid};
use crate::{Edit, Error, Node, Record};

/// What a form says about one record. A field that the form does not have stays as it is.
#[derive(Clone)]
pub(super) struct Draft {
    kind: String,
    fields: Vec<(String, Option<Value>)>,
}

impl Draft {
    pub(super) fn new(kind: &str) -> Draft {
        Draft {
            kind: kind.to_owned(),
            fields: Vec::new(),
        }
    }

    /// A text, date, code or reference; blank means absent.
    pub(super) fn text(self, field: &str, text: &str) -> Draft {
        let text = text.trim();
        self.value(field, (!text.is_empty()).then(|| Value::from(text)))
    }

    /// A value of any type; `None` means absent.
    pub(super) fn value(mut self, field: &str, value: Option<Value>) -> Draft {
        self.fields.push((field.to_owned(), value));
        self
    }

    /// A whole number, a year or an amount in hundredths.
    pub(super) fn int(self, field: &str, number: Option<i64>) -> Draft {
        self.value(field, number.map(Value::from))
    }

    pub(super) fn flag(self, field: &str, flag: bool) -> Draft {
        self.value(field, Some(Value::from(flag)))
    }

    /// Fields of `from` that this form does not have, taken over into a new record.
    pub(super) fn keep(mut self, from: &Fields, fields: &[&str]) -> Draft {
        for field in fields {
            if let Some(value) = from.get(*field) {
                self = self.value(field, Some(value.clone()));
            }
        }
        self
    }

    /// What the program's schema says about this form as a whole new record; empty = good.
    pub(super) fn faults(&self) -> Vec<FieldError> {
        self.faults_by(Kinds::builtin())
    }

    fn faults_by(&self, kinds: &Kinds) -> Vec<FieldError> {
        let kind = Value::from(newest_ref(kinds, &self.kind));
        let whole = self.over(Fields::from([("_kind".to_owned(), kind)]));
        check(kinds, &self.kind, &whole)
    }

    /// Whether `record` already says what this form says.
    pub(super) fn says_as(&self, record: &Record) -> bool {
        self.fields
            .iter()
            .all(|(field, value)| record.fields.get(field) == value.as_ref())
    }

    /// The edit that makes a new record with this id.
    pub(super) fn create(self, node: &Node, id: String, by: &By) -> Result<Edit, Error> {
        let kinds = node.kinds();
        refuse(self.faults_by(&kinds))?;
        let mut fields = vec![
            (
                "_kind".to_owned(),
                Some(Value::from(newest_ref(&kinds, &self.kind))),
            ),
            ("_by".to_owned(), Some(Value::from(by.account.as_str()))),
        ];
        let present = self.fields.into_iter().filter(|(_, value)| value.is_some());
        fields.extend(present);
        Ok(Edit { id, fields })
    }

    /// The edit that brings `record` to what this form says, `None` if it says so already. A field
    /// with several concurrent values is written even when its winner is equal: a person looked at
    /// the form and chose.
    pub(super) fn change(mut self, node: &Node, record: &Record, by: &By) -> Result<Option<Edit>, Error> {
        // A field that the record's version of the form does not have yet brings it to the newest.
        let kinds = node.kinds();
        let lacks = |kind: &Kind| {
            let mut said = self.fields.iter().filter(|(_, value)| value.is_some());
            said.any(|(field, _)| !field.starts_with('_') && kind.field(field).is_none())
        };
        if kind_of(&kinds, &self.kind, &record.fields).is_some_and(lacks) {
            let newest = newest_ref(&kinds, &self.kind);
            self = self.value("_kind", Some(Value::from(newest)));
        }
        refuse(check(&kinds, &self.kind, &self.over(record.fields.clone())))?;
        let mut fields: Vec<_> = self
            .fields
            .into_iter()
            .filter(|(field, value)| {
                record.fields.get(field) != value.as_ref() || record.others.contains_key(field)
            })
            .collect();
        if fields.is_empty() {
            return Ok(None);
        }
        if record.text("_by") != by.account {
            fields.push(("_by".into(), Some(Value::from(by.account.as_str()))));
        }
        Ok(Some(Edit {
            id: record.id.clone(),
            fields,
        }))
    }

    /// `base` with this form's fields laid over it.
    pub(super) fn over(&self, mut base: Fields) -> Fields {
        for (field, value) in &self.fields {
            match value {
                Some(value) => base.insert(field.clone(), value.clone()),
                None => base.remove(field),
            };
        }
        base
    }
}

/// The kind's newest version as records name it, such as `session/1`.
fn newest_ref(kinds: &Kinds, kind: &str) -> String {
    kinds
        .latest(kind)
        .map_or_else(|| kind.to_owned(), Kind::reference)
}

/// The kind that a record's own `_kind` names, if this node knows it and it is of this family.
pub(super) fn kind_of<'k>(kinds: &'k Kinds, kind: &str, fields: &Fields) -> Option<&'k Kind> {
    let reference = fields.get("_kind").and_then(|value| value.as_text())?;
    kinds.get(reference).filter(|found| found.id == kind)
}

/// Checks a whole record; empty = good.
fn check(kinds: &Kinds, kind: &str, fields: &Fields) -> Vec<FieldError> {
    match kind_of(kinds, kind, fields) {
        Some(kind) => kind.check(fields).err().unwrap_or_default(),
        None => vec![fault(
            "_kind",
            "这条记录用的表单本机还没有，请先与县里同步，或更新程序",
            "This node does not have the form of this record yet; sync with the county, or update the program",
        )],
    }
}

/// The school year (by its first calendar year) of a date that a person typed.
pub(super) fn year_of(field: &str, date: &str) -> Result<i32, Error> {
    match parse_stored_date(date.trim()) {
        Ok(date) => Ok(SchoolYear::of(date).0),
        Err(error) => Err(invalid(field, &error.zh(), &error.to_string())),
    }
}

fn refuse(faults: Vec<FieldError>) -> Result<(), Error> {
    if faults.is_empty() {
        Ok(())
    } else {
        Err(Error::Invalid(faults))
    }
}
