//! Which entries are meant: the filters of a rule set, and where an entry counts.

use serde::{Deserialize, Deserializer};

/// One text or a list of texts in the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OneOrMany(pub Vec<String>);

impl OneOrMany {
    /// Whether a value is among them; an empty list lets everything pass.
    pub fn admits(&self, value: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|one| one == value)
    }
}

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            One(String),
            Many(Vec<String>),
        }
        Ok(OneOrMany(match Either::deserialize(deserializer)? {
            Either::One(one) => vec![one],
            Either::Many(many) => many,
        }))
    }
}

/// Which entries are meant. What is not named does not matter; an empty filter means all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Where {
    /// At least one of these must fit too.
    pub any: Vec<Where>,
    /// Activity codes (`listen`, `open_class` …).
    pub activity: OneOrMany,
    /// Category codes.
    pub category: OneOrMany,
    /// Sub-category codes.
    pub sub: OneOrMany,
    /// Channel codes.
    pub channel: OneOrMany,
    /// Course codes.
    pub course: OneOrMany,
    /// Form codes.
    pub form: OneOrMany,
    /// Levels (`county`, `school` …).
    pub level: OneOrMany,
    /// Programmes (the session's project).
    pub program: OneOrMany,
    /// The person's part in it (`host`, `mentor` …).
    pub role: OneOrMany,
    /// Marks (`absent`, `late` …).
    pub status: OneOrMany,
    /// Teams.
    pub team: OneOrMany,
    /// Topics (the session's theme).
    pub topic: OneOrMany,
}

impl Where {
    /// Whether it means all entries.
    pub fn is_all(&self) -> bool {
        *self == Where::default()
    }

    /// Whether it names whole categories and nothing else.
    pub fn is_category_alone(&self) -> bool {
        !self.category.0.is_empty()
            && *self
                == Where {
                    category: self.category.clone(),
                    ..Where::default()
                }
    }

    /// This filter and every one inside it.
    pub(super) fn parts(&self) -> Vec<&Where> {
        let inner = self.any.iter().flat_map(Where::parts);
        std::iter::once(self).chain(inner).collect()
    }
}

/// A category or channel for an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// As the school recorded it.
    AsRecorded,
    /// In none.
    None,
    /// In this one.
    In(String),
}

impl<'de> Deserialize<'de> for Place {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match String::deserialize(deserializer)?.as_str() {
            "as_recorded" => Place::AsRecorded,
            "none" => Place::None,
            code => Place::In(code.to_owned()),
        })
    }
}

/// Where entries of one programme or topic count.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Placement {
    /// Id.
    pub id: String,
    /// Chinese label.
    pub zh: String,
    /// English label.
    pub en: String,
    /// Which entries.
    #[serde(rename = "where")]
    pub filter: Where,
    /// Whether they count in requirements for the total.
    pub in_total: bool,
    /// Category in which they count.
    pub category: Place,
    /// Channel in which they count.
    pub channel: Place,
}
