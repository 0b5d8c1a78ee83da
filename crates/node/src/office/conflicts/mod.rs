//! 待核: records that contradict each other after two devices were apart, and the one choice that ends it
//! (domain.md §3.5).
//!
//! `find` says what is open, from the views alone, so that nodes with the same records agree; `show` lays one out
//! with every value, who said it, and the evidence; `settle` writes what a person chose in the way in which such a
//! record is written anyhow, beside a `settlement` that says so. Nothing is open because of a settlement: what it
//! chose must have become so.

mod find;
mod settle;
mod show;

pub(super) use find::{Rivals, across};
pub use find::{count_conflicts, open_conflicts};
pub use settle::settle;
pub use show::{conflict, conflicts};

use crate::Node;

/// What kind of contradiction it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Matter {
    /// Two marks of one person in one session.
    Mark,
    /// Two values of one field.
    Value,
    /// Perhaps one session that was entered twice.
    Duplicate,
    /// One person in two sessions at one time.
    Overlap,
    /// Two different claims of one person for one session, such as in two channels.
    Claims,
    /// Decisions that differ, or that bind other content than there is now (审后改动).
    Decision,
    /// Signatures on other content than there is now (待重签).
    Signature,
    /// One person in two teams at a time.
    Groups,
}

impl Matter {
    /// Its code, as a `settlement` names it.
    pub fn code(self) -> &'static str {
        match self {
            Matter::Mark => "mark",
            Matter::Value => "value",
            Matter::Duplicate => "duplicate",
            Matter::Overlap => "overlap",
            Matter::Claims => "claims",
            Matter::Decision => "decision",
            Matter::Signature => "signature",
            Matter::Groups => "groups",
        }
    }
}

/// One open conflict, by what it is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// Record id of the school.
    pub school: String,
    /// What kind of contradiction it is.
    pub matter: Matter,
    /// The record in question; of two the one with the smaller id.
    pub about: String,
    /// The other one of two records.
    pub other: String,
    /// The person it is about.
    pub person: String,
    /// The field with two values.
    pub field: String,
    /// Where the other record stands at another school: that school, and the person's id there.
    pub there: Option<(String, String)>,
}

impl Found {
    /// A name for forms and addresses; the same on every node.
    pub fn name(&self) -> String {
        let Found {
            about,
            other,
            person,
            field,
            ..
        } = self;
        format!("{}.{about}.{other}.{person}.{field}", self.matter.code())
    }

    /// One of the two records, with the school and the person as they are there.
    pub(super) fn side(&self, record: &str) -> Found {
        let mut side = Found {
            about: record.to_owned(),
            ..self.clone()
        };
        if let (Some((school, person)), true) = (&self.there, record == self.other) {
            (side.school, side.person) = (school.clone(), person.clone());
        }
        side
    }

    /// Whether this node's people settle it: the school what it wrote, the county's auditors what they decide on.
    pub fn settled_here(&self, node: &Node) -> bool {
        let own = node.home_school();
        let home = own.as_deref() == Some(self.school.as_str());
        let county = node.is_auditor() && !home;
        if let Some((school, _)) = &self.there {
            // Neither school reads the other.
            return county && own.as_ref() != Some(school);
        }
        match self.matter {
            Matter::Mark | Matter::Value | Matter::Duplicate | Matter::Groups => home,
            Matter::Overlap | Matter::Claims => home || county,
            Matter::Decision => county,
            // People sign, on the record's own page.
            Matter::Signature => false,
        }
    }
}

/// An open conflict laid out for a person.
#[derive(Clone, Debug)]
pub struct Conflict {
    /// What it is.
    pub found: Found,
    /// Name of the school.
    pub school_name: String,
    /// What it is about, in Chinese and English.
    pub title: [String; 2],
    /// What contradicts what, and what that means for the totals, in Chinese and English.
    pub why: [String; 2],
    /// The records in question: address and name.
    pub links: Vec<(String, String)>,
    /// The values side by side, and what else may be chosen.
    pub choices: Vec<Choice>,
    /// What proves it.
    pub evidence: Vec<Proof>,
    /// Whether it is settled at this node.
    pub here: bool,
}

/// One side of a conflict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// For the form.
    pub value: String,
    /// What it says, in Chinese and English.
    pub label: [String; 2],
    /// What follows when it is chosen, or what stands around it, in Chinese and English.
    pub note: [String; 2],
    /// Who said so.
    pub said: Vec<Said>,
    /// Whether a reason must be given.
    pub reason: bool,
}

/// Who said something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Label of the account.
    pub by: String,
    /// What the device is called.
    pub device: String,
    /// When this node received it, unix seconds by its clock.
    pub at: Option<i64>,
}

/// An evidence record beside the numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Record id.
    pub id: String,
    /// What it is, in Chinese and English.
    pub label: [String; 2],
    /// What was written to it.
    pub caption: String,
    /// Date as stored.
    pub date: String,
    /// Hash of the file: the photo is kept under it.
    pub hash: String,
}
