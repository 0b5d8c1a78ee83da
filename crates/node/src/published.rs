//! Forms and rules in force: those of the program, and those that the county has put into its registry as
//! records of the kind `published`.
//!
//! They are read from the views, so they travel, count and are revoked like everything else. What they are is a
//! pure function of the rows: two files of one name and version that differ put none of them into force, whoever
//! came first; a file that this program cannot read waits for a newer one. What is recorded with a form that is
//! not in force stays stored, is shown raw and counts zero; when the form comes, those documents are viewed anew.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use records::rules::{RuleSet, shipped};
use records::{Fields, Kinds, split_reference};
use store::{Connection, views};

use crate::{Error, Node};

/// The document in which the county publishes.
pub const REGISTRY: &str = "registry";

/// The kind of such a record.
pub(crate) const PUBLISHED: &str = "published";

/// Rule sets by id and version.
#[derive(Clone, Debug, Default)]
pub struct Rules(BTreeMap<(String, u32), Arc<RuleSet>>);

impl Rules {
    fn builtin() -> Rules {
        let mut rules = Rules::default();
        for shipped in shipped() {
            rules.add(shipped.clone());
        }
        rules
    }

    fn add(&mut self, rules: RuleSet) {
        self.0
            .insert((rules.head.id.clone(), rules.head.version), Arc::new(rules));
    }

    /// The rule set that a claim names in `rule_ref`, such as "seed003.five-year-36-54/1".
    pub fn get(&self, reference: &str) -> Option<Arc<RuleSet>> {
        let (id, version) = split_reference(reference)?;
        self.0.get(&(id.to_owned(), version)).cloned()
    }

    /// The newest version of a rule set.
    pub fn newest(&self, id: &str) -> Option<Arc<RuleSet>> {
        self.versions(id).pop()
    }

    /// All versions of a rule set, the newest last.
    pub fn versions(&self, id: &str) -> Vec<Arc<RuleSet>> {
        let all = self.0.range((id.to_owned(), 0)..=(id.to_owned(), u32::MAX));
        all.map(|(_, rules)| rules.clone()).collect()
    }

    /// All rule sets, by id and version.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<RuleSet>> {
        self.0.values()
    }
}

/// Why a published file is not in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// Another file of that name and version says something else.
    Contradicted,
    /// Two devices say different things about the record itself.
    Disputed,
    /// The file is faulty, or of a newer program: Chinese and English.
    Unread(String, String),
}

/// What a node works with.
#[derive(Debug)]
pub(crate) struct InForce {
    pub kinds: Arc<Kinds>,
    pub rules: Arc<Rules>,
    /// Published records (by id) that are not in force, and why.
    pub unusable: BTreeMap<String, Unusable>,
}

impl InForce {
    pub fn builtin() -> InForce {
        InForce {
            kinds: Arc::new(Kinds::builtin().clone()),
            rules: Arc::new(Rules::builtin()),
            unusable: BTreeMap::new(),
        }
    }

    /// What the rows of the registry put into force.
    fn read(c: &Connection) -> Result<InForce, store::Error> {
        let filter = views::Filter {
            kind: Some(PUBLISHED.into()),
            ..views::Filter::default()
        };
        let mut unusable = BTreeMap::new();
        let mut files: BTreeMap<(String, String), Vec<File>> = BTreeMap::new();
        for row in views::list(c, &filter)? {
            let fields: Fields = serde_json::from_str(&row.fields).unwrap_or_default();
            let text = |field: &str| {
                fields
                    .get(field)
                    .and_then(|v| v.as_text())
                    .unwrap_or_default()
                    .to_owned()
            };
            if row.disputed {
                unusable.insert(row.id, Unusable::Disputed);
                continue;
            }
            files.entry((text("what"), text("name"))).or_default().push(File {
                text: text("text"),
                withdrawn: text("state") != "in_force",
                id: row.id,
            });
        }
        let mut forms = Vec::new();
        let mut rules = Rules::builtin();
        for ((what, name), files) in files {
            let standing: BTreeSet<&str> = files
                .iter()
                .filter(|f| !f.withdrawn)
                .map(|f| f.text.as_str())
                .collect();
            let all: BTreeSet<&str> = files.iter().map(|f| f.text.as_str()).collect();
            // A file that was withdrawn and has none in its place is still read, for what was recorded with it.
            let (chosen, retired) = match (standing.len(), all.len()) {
                (1, _) => (standing.first(), false),
                (0, 1) => (all.first(), true),
                _ => (None, false),
            };
            let ids: Vec<String> = files.iter().map(|f| f.id.clone()).collect();
            let Some(chosen) = chosen else {
                unusable.extend(ids.into_iter().map(|id| (id, Unusable::Contradicted)));
                continue;
            };
            if what == "kind" {
                forms.push((name, (*chosen).to_owned(), retired, ids));
                continue;
            }
            match RuleSet::parse(chosen) {
                Ok(read) if read.reference() == name => rules.add(read),
                Ok(_) => unusable.extend(ids.into_iter().map(|id| (id, other_name()))),
                Err(error) => {
                    let (zh, en) = (rules_zh(&error), error.to_string());
                    unusable.extend(
                        ids.into_iter()
                            .map(|id| (id, Unusable::Unread(zh.clone(), en.clone()))),
                    );
                }
            }
        }
        let kinds = kinds_of(forms, &mut unusable);
        Ok(InForce {
            kinds: Arc::new(kinds),
            rules: Arc::new(rules),
            unusable,
        })
    }
}

struct File {
    id: String,
    text: String,
    withdrawn: bool,
}

fn other_name() -> Unusable {
    Unusable::Unread(
        "文件里的名称、版本与发布时不同".into(),
        "the file has another name or version than it was published under".into(),
    )
}

/// A form may refer to another one: each is taken as soon as what it refers to is there.
fn kinds_of(
    mut forms: Vec<(String, String, bool, Vec<String>)>,
    unusable: &mut BTreeMap<String, Unusable>,
) -> Kinds {
    let mut kinds = Kinds::builtin().clone();
    loop {
        let before = forms.len();
        let mut left = Vec::new();
        for (name, text, retired, ids) in forms {
            match kinds.with_published(&name, &text) {
                Ok(more) if more.get(&name).is_some() => {
                    kinds = more;
                    if retired {
                        kinds.retire(&name);
                    }
                    ids.iter().for_each(|id| drop(unusable.remove(id)));
                }
                said => {
                    let why = match said {
                        Ok(_) => other_name(),
                        Err(error) => Unusable::Unread(error.zh(), error.to_string()),
                    };
                    unusable.extend(ids.iter().map(|id| (id.clone(), why.clone())));
                    left.push((name, text, retired, ids));
                }
            }
        }
        forms = left;
        if forms.is_empty() || forms.len() == before {
            return kinds;
        }
    }
}

/// A fault of a rule file in Chinese, with its line.
pub(crate) fn rules_zh(error: &records::RulesError) -> String {
    match error {
        records::RulesError::Syntax { position, message } => format!(
            "第 {} 行第 {} 列：{}",
            position.line,
            position.column,
            records::position::said_zh(message)
        ),
        other => format!("规则前后不一致：{other}"),
    }
}

impl Node {
    /// The forms that this node knows.
    pub fn kinds(&self) -> Arc<Kinds> {
        self.in_force().kinds
    }

    /// The rule sets that this node knows.
    pub fn rules(&self) -> Arc<Rules> {
        self.in_force().rules
    }

    /// Published records (by id) that are not in force here, and why.
    pub fn unusable(&self) -> BTreeMap<String, Unusable> {
        self.0
            .in_force
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .unusable
            .clone()
    }

    fn in_force(&self) -> InForce {
        let held = self
            .0
            .in_force
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        InForce {
            kinds: held.kinds.clone(),
            rules: held.rules.clone(),
            unusable: BTreeMap::new(),
        }
    }

    /// Takes into force what the registry says now. Whether documents must be viewed anew, since what the views
    /// hold of a kind's records has changed. The views remember by which kinds they were made, so a newer
    /// program views anew what an older one could not read.
    pub(crate) fn take_published(&self) -> Result<bool, Error> {
        let mut previous = None;
        let taken = self.0.store.write(|tx| {
            let fresh = InForce::read(tx)?;
            let now: BTreeMap<String, String> = fresh
                .kinds
                .iter()
                .map(|kind| (kind.reference(), kind.view_key()))
                .collect();
            let then: BTreeMap<String, String> = store::meta(tx, "kinds")?
                .and_then(|json| serde_json::from_slice(&json).ok())
                .unwrap_or_default();
            let mut anew = false;
            if now != then {
                let names: BTreeSet<&String> = now.keys().chain(then.keys()).collect();
                for name in names.into_iter().filter(|name| now.get(*name) != then.get(*name)) {
                    if let Some((id, version)) = split_reference(name) {
                        anew |= store::changes::forget_views_of(tx, id, version)? > 0;
                    }
                }
                let json = serde_json::to_vec(&now).unwrap_or_default();
                store::set_meta(tx, "kinds", &json)?;
            }
            // Inside the transaction: who writes rows afterwards writes them by the new kinds.
            let mut held = self
                .0
                .in_force
                .write()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            previous = Some(std::mem::replace(&mut *held, fresh));
            Ok::<_, Error>(anew)
        });
        if taken.is_err()
            && let Some(previous) = previous
        {
            *self
                .0
                .in_force
                .write()
                .unwrap_or_else(std::sync::PoisonError::into_inner) = previous;
        }
        taken
    }
}
