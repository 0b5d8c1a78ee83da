//! The county puts forms and rules into force: a file is checked first, then stands in the registry and travels.

use records::date::parse_stored_date;
use records::kinds::{FieldType, Kind};
use records::rules::RuleSet;

use super::draft::Draft;
use super::{By, invalid, turn};
use crate::published::{PUBLISHED, Unusable, rules_zh};
use crate::{Error, Filter, Node, Record, Way};

/// A file that has passed all checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Whether it is a form (else rules).
    pub form: bool,
    /// Name and version, such as "c_book_report/1".
    pub name: String,
    /// What it is called, in Chinese.
    pub zh: String,
    /// The same in English.
    pub en: String,
    /// The version before it that is in force, if there is one.
    pub before: Option<String>,
    /// Whether the very same is in force already.
    pub known: bool,
    /// The form, to show it before it is out.
    pub kind: Option<Kind>,
}

/// A published file.
#[derive(Clone, Debug)]
pub struct Publication {
    /// Record id.
    pub id: String,
    /// Whether it is a form (else rules).
    pub form: bool,
    /// Name and version.
    pub name: String,
    /// What it is called, in Chinese; the name if it cannot be read here.
    pub zh: String,
    /// The text of the file.
    pub text: String,
    /// Date that the officer gave.
    pub published_on: String,
    /// 说明.
    pub note: String,
    /// The account that published it.
    pub by: String,
    /// Whether it was withdrawn.
    pub withdrawn: bool,
    /// Why it is not in force here, if it is not.
    pub unusable: Option<Unusable>,
    /// How far it has come.
    pub way: Way,
}

/// What is published, the newest first.
pub fn publications(node: &Node) -> Result<Vec<Publication>, Error> {
    let unusable = node.unusable();
    let (kinds, rules) = (node.kinds(), node.rules());
    let shown = |record: Record| {
        let text = |field: &str| record.text(field).to_owned();
        let form = record.text("what") == "kind";
        let zh = if form {
            kinds.get(record.text("name")).map(|kind| kind.zh.clone())
        } else {
            rules
                .get(record.text("name"))
                .map(|rules| rules.head.title_zh.clone())
        };
        Publication {
            form,
            name: text("name"),
            zh: zh.unwrap_or_else(|| text("name")),
            text: text("text"),
            published_on: text("published_on"),
            note: text("note"),
            by: text("_by"),
            withdrawn: record.text("state") == "withdrawn",
            unusable: unusable.get(&record.id).cloned(),
            way: record.way,
            id: record.id,
        }
    };
    let records = node.records(&Filter::kind(PUBLISHED).newest_first())?;
    Ok(records.into_iter().map(shown).collect())
}

/// Checks a file before it goes out; every fault says where it is and what to do.
pub fn check_publication(node: &Node, text: &str) -> Result<Checked, Error> {
    let text = tidy(text);
    if text.is_empty() {
        return Err(invalid(
            "text",
            "请粘贴或选择文件的内容",
            "Paste the file, or choose it",
        ));
    }
    let is_rules = toml_has(&text, "ruleset");
    if is_rules {
        let read =
            RuleSet::parse(&text).map_err(|error| invalid("text", &rules_zh(&error), &error.to_string()))?;
        let all = node.rules();
        let known = match all.get(&read.reference()) {
            Some(there) if *there == read => true,
            Some(_) => return Err(changed(&read.reference())),
            None => false,
        };
        let before = all.newest(&read.head.id);
        return Ok(Checked {
            form: false,
            name: read.reference(),
            zh: read.head.title_zh.clone(),
            en: read.head.title_en.clone(),
            before: before
                .map(|rules| rules.reference())
                .filter(|name| *name != read.reference()),
            known: known && is_published(node, &read.reference())?,
            kind: None,
        });
    }
    let kinds = node.kinds();
    let with = kinds
        .with_published("", &text)
        .map_err(|error| invalid("text", &error.zh(), &error.to_string()))?;
    let kind = Kind::parse("", &text).map_err(|error| invalid("text", &error.zh(), &error.to_string()))?;
    place(&kind)?;
    let before = kinds.latest(&kind.id).map(Kind::reference);
    Ok(Checked {
        form: true,
        name: kind.reference(),
        zh: kind.zh.clone(),
        en: kind.en.clone(),
        before: before.filter(|name| *name != kind.reference()),
        known: with == *kinds,
        kind: Some(kind),
    })
}

fn is_published(node: &Node, name: &str) -> Result<bool, Error> {
    let all = node.records(&Filter::kind(PUBLISHED))?;
    Ok(all.iter().any(|record| record.text("name") == name))
}

fn changed(name: &str) -> Error {
    invalid(
        "text",
        &format!("“{name}”已经发布，内容不能再改；请把 version 加 1，作为新版本发布"),
        &format!("“{name}” is out with other content; publish a change as a new version"),
    )
}

/// Where records of a form stand, and who writes them, is the table of documents' to say; and each must know
/// its school year.
fn place(kind: &Kind) -> Result<(), Error> {
    let writer = match kind.document.as_str() {
        "log" | "base" => "school",
        "ledger" => "auditor",
        "registry" | "plan" => "county",
        other => {
            return Err(invalid(
                "text",
                &format!("document 不能是“{other}”；学校登记的写 log，含姓名的写 base，县里审的写 ledger"),
                &format!(
                    "document must not be “{other}”; log for what schools enter, base for names, ledger for the county's word"
                ),
            ));
        }
    };
    if kind.writers != [writer] {
        return Err(invalid(
            "text",
            &format!("document = \"{}\" 时，writers 要写 [\"{writer}\"]", kind.document),
            &format!(
                "with document = \"{}\", writers must be [\"{writer}\"]",
                kind.document
            ),
        ));
    }
    let dated = kind.view.date.as_deref().and_then(|id| kind.field(id));
    let dated = dated.is_some_and(|field| field.required && field.field_type == FieldType::Date);
    let about_log = kind.view.about.as_deref().and_then(|id| kind.field(id));
    let about = about_log.is_some_and(|field| field.required);
    if kind.document != "registry" && !dated && !about {
        return Err(invalid(
            "text",
            "[view] 里要有 date（一个必填的日期栏目），或 about（一个必填的 ref 栏目），否则不知道属于哪个学年",
            "view needs date (a required date field) or about (a required ref field): each record has a school year",
        ));
    }
    Ok(())
}

/// Puts a file into force; returns the record id. The same again changes nothing.
pub fn publish(node: &Node, by: &By, text: &str, published_on: &str, note: &str) -> Result<String, Error> {
    if !node.is_county() {
        return Err(invalid(
            "text",
            "表单和规则由县里发布",
            "Forms and rules are published by the county",
        ));
    }
    let _turn = turn();
    let checked = check_publication(node, text)?;
    if checked.known {
        return Err(invalid(
            "text",
            &format!("“{}”已经在用，内容完全一样，不必再发布", checked.name),
            &format!("“{}” is in force with the very same content", checked.name),
        ));
    }
    if let Err(error) = parse_stored_date(published_on.trim()) {
        return Err(invalid("published_on", &error.zh(), &error.to_string()));
    }
    let id = node.new_id();
    let edit = Draft::new(PUBLISHED)
        .text("what", if checked.form { "kind" } else { "rules" })
        .text("name", &checked.name)
        .text("text", &tidy(text))
        .text("published_on", published_on)
        .text("note", note)
        .text("state", "in_force")
        .create(node, id.clone(), by)?;
    node.commit(crate::published::REGISTRY, vec![edit])?;
    Ok(id)
}

/// Files come from Windows editors too: a byte order mark and carriage returns say nothing. The lines stay where
/// the officer sees them.
fn tidy(text: &str) -> String {
    let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n");
    text.replace('\r', "\n").trim_end().to_owned()
}

/// Whether a table of this name begins somewhere, also in a file that cannot be read as a whole.
fn toml_has(text: &str, table: &str) -> bool {
    let head = format!("[{table}]");
    text.lines().any(|line| line.trim_start().starts_with(&head))
}
