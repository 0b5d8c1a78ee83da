//! The schema of one kind as its TOML file says it, and the self-check when it is read.

use std::collections::BTreeMap;

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
    #[error("kind {kind}, {}field “{field}”: {}", at_line(.line), .problem.en)]
    Field {
        /// Kind and version.
        kind: String,
        /// Field id.
        field: String,
        /// Line of the field, from 1, if it can be told.
        line: Option<usize>,
        /// What is wrong.
        problem: Problem,
    },
    /// Well-formed, but the kind as a whole makes no sense.
    #[error("kind {kind}: {}", .problem.en)]
    Kind {
        /// Kind and version.
        kind: String,
        /// What is wrong.
        problem: Problem,
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

/// What is wrong with a kind, and what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Problem {
    /// In Chinese.
    pub zh: &'static str,
    /// In English.
    pub en: &'static str,
}

fn at_line(line: &Option<usize>) -> String {
    line.map_or_else(String::new, |line| format!("line {line}, "))
}

impl KindsError {
    /// The message in Chinese: where, what, and what to do.
    pub fn zh(&self) -> String {
        match self {
            KindsError::Syntax {
                position, message, ..
            } => format!(
                "第 {} 行第 {} 列：{}",
                position.line,
                position.column,
                crate::position::said_zh(message)
            ),
            KindsError::Field {
                field, line, problem, ..
            } => {
                let line = line.map_or_else(String::new, |line| format!("第 {line} 行，"));
                format!("{line}栏目“{field}”：{}", problem.zh)
            }
            KindsError::Kind { kind, problem } => format!("表单“{kind}”：{}", problem.zh),
            KindsError::UnknownTarget { field, target, .. } => {
                format!("栏目“{field}”引用的表单“{target}”不存在；请改成已有的表单，或先发布那一个")
            }
            KindsError::Changed { kind } => {
                format!("“{kind}”已经发布，内容不能再改；请把 version 加 1，作为新版本发布")
            }
        }
    }
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
    /// Several of the codes: text, in the order of the kind, separated by one space.
    Codes,
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
    /// The codes, for a field of one or several codes.
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
    /// Whether the program fills it (a key, a snapshot); nobody types it.
    #[serde(default)]
    pub program: bool,
    /// Said below the field on forms, in Chinese.
    #[serde(default)]
    pub hint_zh: String,
    /// Said below the field on forms, in English.
    #[serde(default)]
    pub hint_en: String,
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

/// Which fields fill the view columns `person`, `about` and `date`, and which one names a record in lists.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct View {
    /// Field with the person that the record is about.
    pub person: Option<String>,
    /// Field with the record that this one belongs to.
    pub about: Option<String>,
    /// Field with the date of the event.
    pub date: Option<String>,
    /// Text or code field that names the record for people; the first such field when the file does not say.
    pub title: Option<String>,
}

/// Who may do a step, by role (domain.md §2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Actor {
    /// 师训专管员.
    Clerk,
    /// 校长、分管领导.
    Leader,
    /// 教师.
    Teacher,
    /// 县级管理员.
    County,
    /// 县级学分审核员.
    Auditor,
    /// 送教/送培专家.
    Mentor,
}

impl Actor {
    /// What the role is called.
    pub fn label(self, lang: Lang) -> &'static str {
        let (zh, en) = match self {
            Actor::Clerk => ("师训专管员", "the training officer"),
            Actor::Leader => ("校长、分管领导", "a school leader"),
            Actor::Teacher => ("教师", "the teacher"),
            Actor::County => ("县级管理员", "the county office"),
            Actor::Auditor => ("县级学分审核员", "a county auditor"),
            Actor::Mentor => ("送教/送培专家", "a visiting mentor"),
        };
        lang.pick(zh, en)
    }
}

/// Something that must be there before a step: a field that is filled, or a record about this one.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Need {
    /// A field of this kind.
    pub field: Option<String>,
    /// A kind of which a record must be about this one.
    pub record: Option<String>,
    /// Values that such a record must have.
    #[serde(rename = "where", default)]
    pub wanted: BTreeMap<String, String>,
    /// Whether it must bind this record's present content (a signature).
    #[serde(default)]
    pub binds: bool,
    /// What it is for people, in Chinese; a field has its own label.
    #[serde(default)]
    pub zh: String,
    /// The same in English.
    #[serde(default)]
    pub en: String,
}

/// A step that a record of another kind makes, since its writer may not write here: the county's word
/// on a school's record. It must name this record in its `about` column and bind its present content.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Elsewhere {
    /// The other kind.
    pub kind: String,
    /// Its field …
    pub field: String,
    /// … and the value that makes the step.
    pub value: String,
}

/// One step, or several with the same conditions, from states to states.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Move {
    /// The states before; `*` is any other.
    #[serde(deserialize_with = "one_or_many")]
    pub from: Vec<String>,
    /// The states that may follow.
    #[serde(deserialize_with = "one_or_many")]
    pub to: Vec<String>,
    /// What the step is called, in Chinese; the name of the state when the file does not say.
    #[serde(default)]
    pub zh: String,
    /// The same in English.
    #[serde(default)]
    pub en: String,
    /// Who may do it; empty: whoever may write the record.
    #[serde(default)]
    pub who: Vec<Actor>,
    /// What must be there.
    #[serde(default)]
    pub needs: Vec<Need>,
    /// Whether a reason must be given.
    #[serde(default)]
    pub reason: bool,
    /// Whether the record is handed in once more: see [`States::round`].
    #[serde(default)]
    pub again: bool,
    /// The record elsewhere that makes the step.
    pub by: Option<Elsewhere>,
}

impl Move {
    /// Whether it leads from one state to another.
    pub fn leads(&self, from: &str, to: &str) -> bool {
        from != to
            && self.from.iter().any(|state| state == "*" || state == from)
            && self.to.iter().any(|state| state == to)
    }
}

fn one_or_many<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        One(String),
        Many(Vec<String>),
    }
    Ok(match Either::deserialize(deserializer)? {
        Either::One(one) => vec![one],
        Either::Many(many) => many,
    })
}

/// States of a kind: the codes of one field, and the moves between them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct States {
    /// The code field that holds the state.
    pub field: String,
    /// States that a new record may start in.
    pub initial: Vec<String>,
    /// States in which the content is no longer edited.
    #[serde(default)]
    pub closed: Vec<String>,
    /// The text field that takes the reason of a step.
    pub reason: Option<String>,
    /// The number field that counts how often the record was handed in, so that a decision on an
    /// earlier round does not bind a later one with the same content.
    pub round: Option<String>,
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
        kind.self_check().map_err(|error| error.with_line(text))?;
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

    /// The kinds that it names, each with the field (or the state field) that names it.
    pub(super) fn targets(&self) -> impl Iterator<Item = (&str, &str)> {
        let fields = self
            .fields
            .iter()
            .filter_map(|field| Some((field.id.as_str(), field.ref_kind.as_deref()?)));
        let moves = self.states.iter().flat_map(|states| {
            states.moves.iter().flat_map(|each| {
                let needs = each.needs.iter().filter_map(|need| need.record.as_deref());
                needs
                    .chain(each.by.iter().map(|by| by.kind.as_str()))
                    .map(|kind| (states.field.as_str(), kind))
            })
        });
        fields.chain(moves)
    }

    /// What the views hold of its records rests on this and nothing else of the kind.
    pub fn view_key(&self) -> String {
        let column = |column: &Option<String>| column.clone().unwrap_or_default();
        let view = [&self.view.person, &self.view.about, &self.view.date].map(column);
        let counting: Vec<&str> = self.counting_fields().collect();
        format!("{}|{}|{}", self.document, view.join(","), counting.join(","))
    }

    /// The field that names a record for people.
    pub fn title_field(&self) -> Option<&Field> {
        match &self.view.title {
            Some(id) => self.field(id),
            None => self
                .fields
                .iter()
                .find(|field| matches!(field.field_type, FieldType::Text | FieldType::Code)),
        }
    }

    /// Whether the state may change from one value to another (`from` = none: a new record).
    /// Staying is always allowed; a kind without states allows everything.
    pub fn may_move(&self, from: Option<&str>, to: &str) -> bool {
        let Some(states) = &self.states else {
            return true;
        };
        match from {
            None => states.initial.iter().any(|state| state == to),
            Some(from) => from == to || states.moves.iter().any(|each| each.leads(from, to)),
        }
    }
}

impl Kind {
    pub(super) fn field_error(&self, field: &Field, zh: &'static str, en: &'static str) -> KindsError {
        KindsError::Field {
            kind: self.reference(),
            field: field.id.clone(),
            line: None,
            problem: Problem { zh, en },
        }
    }
}

impl KindsError {
    /// The same, with the line in which the field's id stands.
    fn with_line(self, text: &str) -> KindsError {
        let KindsError::Field {
            kind, field, problem, ..
        } = self
        else {
            return self;
        };
        let names = |line: &str| {
            let rest = line.trim().strip_prefix("id")?.trim_start().strip_prefix('=')?;
            let quoted = rest.split('#').next().unwrap_or_default().trim();
            Some(quoted.trim_matches(['"', '\'']) == field)
        };
        // The kind's own id stands above the first field.
        let first = text
            .lines()
            .position(|line| line.trim() == "[[field]]")
            .unwrap_or(0);
        let at = text
            .lines()
            .skip(first)
            .position(|line| names(line) == Some(true));
        let line = at.map(|at| first + at + 1);
        KindsError::Field {
            kind,
            field,
            line,
            problem,
        }
    }
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
            ("void", "held"),
        ] {
            assert!(session.may_move(Some(from), to), "{from} → {to}");
        }
        for (from, to) in [
            ("ended", "held"),
            ("archived", "draft"),
            ("void", "ended"),
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
