//! The schema of one kind as its TOML file says it, and the self-check when it is read.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::lang::Lang;
use crate::position::Position;

/// Why a kind file is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KindsError {
    /// Not TOML, or not of this shape.
    #[error("{file}: {position}: {message}")]
    Syntax {
        /// File name.
        file: String,
        /// Where in the file.
        position: Position,
        /// What the parser says.
        message: String,
    },
    /// Well-formed, but it contradicts itself.
    #[error("kind {kind}, field “{field}”: {problem}")]
    Field {
        /// Kind and version.
        kind: String,
        /// Field id.
        field: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// Well-formed, but the kind as a whole makes no sense.
    #[error("kind {kind}: {problem}")]
    Kind {
        /// Kind and version.
        kind: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// A reference to a kind that is not known.
    #[error("kind {kind}, field “{field}” refers to the unknown kind “{target}”")]
    UnknownTarget {
        /// Kind and version.
        kind: String,
        /// Field id.
        field: String,
        /// The kind it refers to.
        target: String,
    },
    /// A known version came again with other content.
    #[error("kind {kind} is known with other content; a change needs a new version")]
    Changed {
        /// Kind and version.
        kind: String,
    },
}

/// Type of a field's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FieldType {
    /// Text of at most `max_len` characters.
    Text,
    /// Whole number, not negative.
    Int,
    /// Amount in hundredths, not negative.
    Hundredths,
    /// Yes or no.
    Bool,
    /// Text `YYYY-MM-DD`.
    Date,
    /// One of the codes.
    Code,
    /// Id (UUID) of another record.
    Ref,
    /// Calendar year, 1900–2100.
    Year,
}

/// A closed form for text: content of that form is not searched for personal numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Lower-case hexadecimal digits (hashes, digests).
    Hex,
    /// Decimal digits (public codes of schools and divisions).
    Digits,
}

/// One code of a code field.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Code {
    /// The stored code.
    pub id: String,
    /// Chinese label.
    pub zh: String,
    /// English label.
    pub en: String,
}

/// One field of a kind.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// Stored name.
    pub id: String,
    /// Chinese label.
    pub zh: String,
    /// English label.
    pub en: String,
    /// Type of the value.
    #[serde(rename = "type")]
    pub field_type: FieldType,
    /// Whether a record without it is refused.
    #[serde(default)]
    pub required: bool,
    /// Whether two different concurrent values make the record disputed, so that it counts zero.
    #[serde(default)]
    pub counts: bool,
    /// Whether a decision's digest covers it; as `counts` when the file does not say.
    pub binds: Option<bool>,
    /// The codes, for a code field.
    #[serde(default)]
    pub codes: Vec<Code>,
    /// Kind that a ref field points to; `*` is any.
    #[serde(rename = "ref")]
    pub ref_kind: Option<String>,
    /// Least number of characters of a text.
    #[serde(default)]
    pub min_len: usize,
    /// Greatest number of characters of a text; every text field has one.
    pub max_len: Option<usize>,
    /// Closed form of a text.
    pub format: Option<Format>,
    /// Greatest number (hundredths for amounts).
    pub max: Option<i64>,
    /// Numbers must be a multiple of this.
    pub step: Option<i64>,
}

impl Field {
    /// Label in a language.
    pub fn label(&self, lang: Lang) -> &str {
        lang.pick(&self.zh, &self.en)
    }

    /// One of the codes.
    pub fn code(&self, id: &str) -> Option<&Code> {
        self.codes.iter().find(|code| code.id == id)
    }

    /// Whether a decision's digest covers this field.
    pub fn is_bound(&self) -> bool {
        self.binds.unwrap_or(self.counts)
    }
}

/// Which fields fill the view columns `person`, `about` and `date`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct View {
    /// Field with the person that the record is about.
    pub person: Option<String>,
    /// Field with the record that this one belongs to.
    pub about: Option<String>,
    /// Field with the date of the event.
    pub date: Option<String>,
}

/// Moves out of one state.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Move {
    /// The state before; `*` is any.
    pub from: String,
    /// The states that may follow.
    pub to: Vec<String>,
}

/// States of a kind: the codes of one field, and the moves between them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct States {
    /// The code field that holds the state.
    pub field: String,
    /// States that a new record may start in.
    pub initial: Vec<String>,
    /// The allowed moves.
    #[serde(rename = "move", default)]
    pub moves: Vec<Move>,
}

/// One kind in one version.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kind {
    /// Id, for example "session".
    pub id: String,
    /// Version, from 1.
    pub version: u32,
    /// Chinese label.
    pub zh: String,
    /// English label.
    pub en: String,
    /// Family of documents that holds it (design.md §3): registry, plan, ledger, base, log …
    pub document: String,
    /// Roles that may write it: county, auditor, school, mentor …
    pub writers: Vec<String>,
    /// View columns.
    #[serde(default)]
    pub view: View,
    /// The fields in the order of forms.
    #[serde(rename = "field")]
    pub fields: Vec<Field>,
    /// States, if it has any.
    pub states: Option<States>,
}

impl Kind {
    /// Reads one kind file and checks that it makes sense in itself.
    pub fn parse(file: &str, text: &str) -> Result<Kind, KindsError> {
        let kind: Kind = toml::from_str(text).map_err(|error| KindsError::Syntax {
            file: file.to_owned(),
            position: Position::of(text, error.span()),
            message: error.message().to_owned(),
        })?;
        kind.self_check()?;
        Ok(kind)
    }

    /// "session/1", as records name it in `_kind`.
    pub fn reference(&self) -> String {
        format!("{}/{}", self.id, self.version)
    }

    /// Label in a language.
    pub fn label(&self, lang: Lang) -> &str {
        lang.pick(&self.zh, &self.en)
    }

    /// A field by its stored name.
    pub fn field(&self, id: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.id == id)
    }

    /// Label of a code; the code itself when field or code is unknown, so that nothing is hidden.
    pub fn code_label<'a>(&'a self, field: &str, code: &'a str, lang: Lang) -> &'a str {
        match self.field(field).and_then(|field| field.code(code)) {
            Some(code) => lang.pick(&code.zh, &code.en),
            None => code,
        }
    }

    /// Names of the fields whose concurrent different values make a record disputed.
    pub fn counting_fields(&self) -> impl Iterator<Item = &str> {
        self.fields
            .iter()
            .filter(|field| field.counts)
            .map(|field| field.id.as_str())
    }

    /// Names of the fields that a decision's digest covers.
    pub fn bound_fields(&self) -> impl Iterator<Item = &str> {
        self.fields
            .iter()
            .filter(|field| field.is_bound())
            .map(|field| field.id.as_str())
    }

    /// Whether the state may change from one value to another (`from` = none: a new record).
    /// Staying is always allowed; a kind without states allows everything.
    pub fn may_move(&self, from: Option<&str>, to: &str) -> bool {
        let Some(states) = &self.states else {
            return true;
        };
        match from {
            None => states.initial.iter().any(|state| state == to),
            Some(from) => {
                from == to
                    || states.moves.iter().any(|each| {
                        (each.from == "*" || each.from == from) && each.to.iter().any(|state| state == to)
                    })
            }
        }
    }

    fn self_check(&self) -> Result<(), KindsError> {
        let kind_error = |problem| KindsError::Kind {
            kind: self.reference(),
            problem,
        };
        if !is_name(&self.id) {
            return Err(kind_error("the id must be lower-case letters, digits and _"));
        }
        if self.version == 0 {
            return Err(kind_error("versions start at 1"));
        }
        if self.zh.is_empty() || self.en.is_empty() {
            return Err(kind_error("both labels are needed"));
        }
        if !is_name(&self.document) {
            return Err(kind_error("the document family is missing"));
        }
        if self.writers.is_empty() {
            return Err(kind_error("nobody may write it"));
        }
        if self.fields.is_empty() {
            return Err(kind_error("it has no fields"));
        }
        let mut seen = BTreeSet::new();
        for field in &self.fields {
            if !seen.insert(field.id.as_str()) {
                return Err(self.field_error(field, "is there twice"));
            }
            self.field_check(field)?;
        }
        let view = &self.view;
        for (column, wanted) in [
            (&view.person, FieldType::Ref),
            (&view.about, FieldType::Ref),
            (&view.date, FieldType::Date),
        ] {
            if let Some(id) = column
                && self.field(id).is_none_or(|field| field.field_type != wanted)
            {
                return Err(kind_error("a view column names no field of the right type"));
            }
        }
        if let Some(states) = &self.states {
            let codes: BTreeSet<&str> = match self.field(&states.field) {
                Some(field) if field.field_type == FieldType::Code => {
                    field.codes.iter().map(|code| code.id.as_str()).collect()
                }
                _ => return Err(kind_error("the state field is no code field")),
            };
            let known = |state: &String| codes.contains(state.as_str());
            if states.initial.is_empty() || !states.initial.iter().all(known) {
                return Err(kind_error("an initial state is missing or unknown"));
            }
            if !states
                .moves
                .iter()
                .all(|each| (each.from == "*" || known(&each.from)) && each.to.iter().all(known))
            {
                return Err(kind_error("a move names an unknown state"));
            }
        }
        Ok(())
    }

    fn field_check(&self, field: &Field) -> Result<(), KindsError> {
        let error = |problem| Err(self.field_error(field, problem));
        if !is_name(&field.id) {
            return error("the id must be lower-case letters, digits and _, and begin with a letter");
        }
        if field.zh.is_empty() || field.en.is_empty() {
            return error("needs both labels");
        }
        let is_text = field.field_type == FieldType::Text;
        let is_number = matches!(field.field_type, FieldType::Int | FieldType::Hundredths);
        match (is_text, field.max_len) {
            (true, None) => return error("a text needs max_len"),
            (true, Some(max)) if max == 0 || max > 20_000 || max < field.min_len => {
                return error("max_len makes no sense");
            }
            (false, Some(_)) => return error("max_len is for text"),
            _ => {}
        }
        if !is_text && (field.format.is_some() || field.min_len > 0) {
            return error("format and min_len are for text");
        }
        if !is_number && (field.max.is_some() || field.step.is_some()) {
            return error("max and step are for numbers");
        }
        if field.step.is_some_and(|step| step < 1) || field.max.is_some_and(|max| max < 1) {
            return error("max and step must be above zero");
        }
        if (field.field_type == FieldType::Code) == field.codes.is_empty() {
            return error("a code field needs codes, and only a code field has them");
        }
        let mut seen = BTreeSet::new();
        if field.codes.iter().any(|code| {
            code.id.is_empty() || code.zh.is_empty() || code.en.is_empty() || !seen.insert(&code.id)
        }) {
            return error("a code is empty, unlabelled or there twice");
        }
        if (field.field_type == FieldType::Ref) == field.ref_kind.is_none() {
            return error("a ref field needs ref, and only a ref field has it");
        }
        Ok(())
    }

    fn field_error(&self, field: &Field, problem: &'static str) -> KindsError {
        KindsError::Field {
            kind: self.reference(),
            field: field.id.clone(),
            problem,
        }
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.len() <= 40
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::Kinds;

    const GOOD: &str = "id='trip'\nversion=1\nzh='外出培训'\nen='Trip'\ndocument='log'\nwriters=['school']\n\
        [view]\ndate='day'\n\
        [[field]]\nid='day'\nzh='日期'\nen='Day'\ntype='date'\nrequired=true\n\
        [[field]]\nid='state'\nzh='状态'\nen='State'\ntype='code'\ncodes=[{id='open',zh='申请',en='Open'},{id='done',zh='关闭',en='Done'}]\n\
        [[field]]\nid='place'\nzh='地点'\nen='Place'\ntype='text'\nmax_len=20\n\
        [states]\nfield='state'\ninitial=['open']\n[[states.move]]\nfrom='open'\nto=['done']\n";

    #[test]
    fn a_sound_kind_is_read() {
        let kind = Kind::parse("trip.1.toml", GOOD).unwrap();
        assert_eq!(kind.reference(), "trip/1");
        assert!(kind.may_move(None, "open") && !kind.may_move(None, "done"));
        assert!(kind.may_move(Some("open"), "done") && !kind.may_move(Some("done"), "open"));
        assert!(kind.may_move(Some("done"), "done"));
    }

    #[test]
    fn every_contradiction_is_found() {
        for (from, to) in [
            ("version=1", "version=0"),
            ("id='trip'", "id='Trip'"),
            ("zh='外出培训'", "zh=''"),
            ("writers=['school']", "writers=[]"),
            ("date='day'", "date='place'"),
            ("date='day'", "date='nowhere'"),
            ("id='place'", "id='day'"),
            ("id='place'", "id='_place'"),
            ("max_len=20", ""),
            ("max_len=20", "max_len=0"),
            ("type='text'\nmax_len=20", "type='bool'\nmax_len=20"),
            ("type='text'\nmax_len=20", "type='code'"),
            ("type='text'\nmax_len=20", "type='ref'"),
            ("type='text'\nmax_len=20", "type='int'\nstep=0"),
            ("type='text'\nmax_len=20", "type='int'\nformat='hex'"),
            ("max_len=20", "max_len=20\nmax=3"),
            ("id='done',", "id='open',"),
            ("zh='关闭'", "zh=''"),
            ("field='state'", "field='place'"),
            ("initial=['open']", "initial=['gone']"),
            ("initial=['open']", "initial=[]"),
            ("to=['done']", "to=['gone']"),
            ("from='open'", "from='gone'"),
        ] {
            assert!(GOOD.contains(from), "{from}");
            let text = GOOD.replacen(from, to, 1);
            let error = Kind::parse("trip.1.toml", &text).unwrap_err();
            assert!(
                matches!(error, KindsError::Field { .. } | KindsError::Kind { .. }),
                "{from} → {to}: {error}"
            );
        }
    }

    #[test]
    fn a_syntax_error_names_file_line_and_column() {
        let text = GOOD.replacen("type='date'", "type='day'", 1);
        let error = Kind::parse("trip.1.toml", &text).unwrap_err();
        let KindsError::Syntax { file, position, .. } = &error else {
            panic!("{error}")
        };
        assert_eq!((file.as_str(), position.line), ("trip.1.toml", 13));
        // A misspelt key is no silent omission.
        let text = GOOD.replacen("required=true", "requierd=true", 1);
        assert!(matches!(
            Kind::parse("trip.1.toml", &text),
            Err(KindsError::Syntax { .. })
        ));
    }

    #[test]
    fn session_moves_follow_the_domain() {
        let session = Kinds::builtin().latest("session").unwrap();
        for (from, to) in [
            ("draft", "submitted_for_filing"),
            ("filed", "held"),
            ("held", "ended"),
            ("ended", "credited"),
            ("ended", "void"),
        ] {
            assert!(session.may_move(Some(from), to), "{from} → {to}");
        }
        for (from, to) in [
            ("ended", "held"),
            ("archived", "draft"),
            ("void", "held"),
            ("draft", "credited"),
        ] {
            assert!(!session.may_move(Some(from), to), "{from} → {to}");
        }
    }

    #[test]
    fn what_a_decision_binds_is_the_counting_fields_without_the_state() {
        let session = Kinds::builtin().latest("session").unwrap();
        assert!(session.counting_fields().any(|field| field == "state"));
        assert!(!session.bound_fields().any(|field| field == "state"));
        assert!(session.bound_fields().any(|field| field == "hours_c"));
    }
}
