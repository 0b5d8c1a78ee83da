//! Who is meant by a row: by number, never by name alone.

use std::collections::HashMap;

use node::office::Teacher;
use records::text::person_name;

/// Who a row is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// By number: record id of the person.
    Sure(String),
    /// By name alone, or number and name do not agree: record ids of those who may be meant, for a person to choose.
    Choose(Vec<String>),
}

/// The roster, by number and by name.
pub(super) struct People<'a> {
    by_code: HashMap<String, &'a Teacher>,
    by_name: HashMap<String, Vec<&'a Teacher>>,
}

/// Numbers are compared without regard to letter case.
fn key(code: &str) -> String {
    code.to_ascii_uppercase()
}

impl<'a> People<'a> {
    pub(super) fn new(people: &'a [Teacher]) -> Self {
        let mut by_name: HashMap<String, Vec<&Teacher>> = HashMap::new();
        let mut by_code = HashMap::new();
        for teacher in people.iter().filter(|teacher| teacher.status != "void") {
            by_name.entry(plain(&teacher.name)).or_default().push(teacher);
            if !teacher.teacher_code.is_empty() {
                by_code.insert(key(&teacher.teacher_code), teacher);
            }
        }
        Self { by_code, by_name }
    }

    pub(super) fn with_code(&self, code: &str) -> Option<&'a Teacher> {
        self.by_code.get(&key(code)).copied()
    }

    /// Everybody of this name, those in service first.
    pub(super) fn named(&self, name: &str) -> Vec<&'a Teacher> {
        let mut found = self.by_name.get(&plain(name)).cloned().unwrap_or_default();
        found.sort_by_key(|teacher| (!teacher.in_service(), teacher.teacher_code.clone()));
        found
    }
}

/// A name without bracketed remarks: 王芳（语文） is 王芳.
pub(super) fn plain(name: &str) -> String {
    let name = person_name(name);
    let end = name.find(['(', '（', '[', '【']).unwrap_or(name.len());
    let short = name.get(..end).unwrap_or_default().trim();
    if short.is_empty() {
        name.clone()
    } else {
        short.to_owned()
    }
}
