//! What records are called for people, and lists of them to choose from.

use std::collections::HashMap;

use records::kinds::{Field, FieldType, Kind};
use records::{Kinds, Lang, Value};

use super::entries::{Entry, entries, reference};
use crate::{Error, Node, Record};

/// What records are called, each looked up once.
pub(super) struct Titles<'a> {
    node: &'a Node,
    kinds: &'a Kinds,
    known: HashMap<String, [String; 2]>,
}

impl<'a> Titles<'a> {
    pub(super) fn new(node: &'a Node, kinds: &'a Kinds) -> Titles<'a> {
        Titles {
            node,
            kinds,
            known: HashMap::new(),
        }
    }

    /// A value for readers, in Chinese and English; a reference by its name.
    pub(super) fn shown(&mut self, field: Option<&Field>, value: &Value) -> Result<[String; 2], Error> {
        match (field, value) {
            (Some(field), Value::Text(id)) if field.field_type == FieldType::Ref => {
                self.named(field.ref_kind.as_deref().unwrap_or("*"), id)
            }
            (Some(field), value) => Ok([Lang::Zh, Lang::En].map(|lang| field.show(value, lang))),
            (None, value) => Ok([value.to_string(), value.to_string()]),
        }
    }

    /// What a record is called, following references so many times.
    pub(super) fn of(&mut self, record: &Record, depth: u8) -> Result<[String; 2], Error> {
        let kind = self.kinds.get(&reference(record));
        let field = match record.kind.as_str() {
            "person" | "organisation" => kind.and_then(|kind| kind.field("name")),
            _ => kind.and_then(Kind::title_field),
        };
        let Some((field, value)) = field.and_then(|field| Some((field, record.fields.get(&field.id)?)))
        else {
            // Of a form that is not here: whatever text it begins with.
            let texts = record.fields.iter().filter(|(name, _)| !name.starts_with('_'));
            let first = texts.filter_map(|(_, value)| value.as_text()).next();
            let first = first.unwrap_or_default().to_owned();
            return Ok([first.clone(), first]);
        };
        match value {
            Value::Text(id) if field.field_type == FieldType::Ref && depth > 0 => {
                self.named_at(field.ref_kind.as_deref().unwrap_or("*"), id, depth - 1)
            }
            value => Ok([Lang::Zh, Lang::En].map(|lang| field.show(value, lang))),
        }
    }

    /// What the record with this id is called; said so when it is not here (待同步).
    pub(super) fn named(&mut self, kind: &str, id: &str) -> Result<[String; 2], Error> {
        self.named_at(kind, id, 2)
    }

    fn named_at(&mut self, kind: &str, id: &str, depth: u8) -> Result<[String; 2], Error> {
        if id.is_empty() {
            return Ok(Default::default());
        }
        if let Some(known) = self.known.get(id) {
            return Ok(known.clone());
        }
        let found = self.node.record(id)?;
        let name = match found.filter(|record| kind == "*" || record.kind == kind) {
            Some(record) => self.of(&record, depth)?,
            None => ["（待同步）".to_owned(), "(not here yet)".to_owned()],
        };
        self.known.insert(id.to_owned(), name.clone());
        Ok(name)
    }
}

/// Records that a field may name, for a list to choose from: id and what they are called.
pub fn choices(node: &Node, field: &Field, school: Option<&str>) -> Result<Vec<(String, String)>, Error> {
    const MANY: u32 = 300;
    match field.ref_kind.as_deref() {
        Some("person") => {
            let Some(school) = school else {
                return Ok(Vec::new());
            };
            let teachers = super::roster(node, school)?;
            Ok(teachers.into_iter().map(|t| (t.id, t.name)).collect())
        }
        Some("organisation") => {
            let all = super::organisations(node)?;
            Ok(all.into_iter().map(|o| (o.id, o.name)).collect())
        }
        Some("*") | None => Ok(Vec::new()),
        Some(kind) => {
            // What is the county's own belongs to no school.
            let of_county = node
                .kinds()
                .latest(kind)
                .is_some_and(|k| k.document == "registry");
            let all = entries(node, kind, school.filter(|_| !of_county), MANY)?;
            let named = |e: Entry| match e.date.is_empty() {
                true => (e.id, e.title),
                false => (e.id, format!("{} {}", e.date, e.title)),
            };
            Ok(all.into_iter().map(named).collect())
        }
    }
}
