//! What importing a roster would do: a plan that a person sees before anything is written.
//!
//! Pure: table and known records in, plan out. One bad row is named with its cell and stops no
//! other. A file that was imported before plans no change.

mod organisations;
mod plan;
mod teachers;
#[cfg(test)]
mod tests;
mod told;

pub use super::findings::{Findings, MAX_PROBLEMS, Note, Problem, Severity, Skipped};
pub use plan::plan_roster;

/// What is known at this node before the import.
#[derive(Clone, Debug, Default)]
pub struct RosterContext {
    /// The school whose teachers may be written here; `None` at the county.
    pub home_school: Option<HomeSchool>,
    /// Whether organisations may be written here.
    pub is_county: bool,
    /// Organisations of the registry.
    pub organisations: Vec<KnownOrganisation>,
    /// Teachers of the home school.
    pub teachers: Vec<KnownTeacher>,
    /// Calendar year in which the school year of the import begins.
    pub school_year: i32,
}

/// The node's own school.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HomeSchool {
    /// Record id of the organisation.
    pub id: String,
    /// 名称.
    pub name: String,
    /// 简称, or empty.
    pub short_name: String,
    /// 学校标识码, or empty.
    pub code: String,
}

/// An organisation with its record id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownOrganisation {
    /// Record id.
    pub id: String,
    /// What the registry says.
    pub facts: OrganisationFacts,
}

/// A teacher with the record id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownTeacher {
    /// Record id of the person.
    pub id: String,
    /// What the school's base document says.
    pub facts: TeacherFacts,
}

/// What a row says is what the office saves: one form of it for both.
pub use node::office::{OrganisationInput as OrganisationFacts, TeacherInput as TeacherFacts};

/// One value that the import changes, as people read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Name of the field in Chinese.
    pub zh: String,
    /// Name of the field in English.
    pub en: String,
    /// Value before; empty when there was none.
    pub old: String,
    /// Value after.
    pub new: String,
}

/// One organisation that the import adds or changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrganisationRow {
    /// Record id; `None` for a new one.
    pub id: Option<String>,
    /// All fields after the import.
    pub facts: OrganisationFacts,
    /// Name of an organisation above it that the same import adds, so that it has no id yet; or empty.
    pub parent_name: String,
    /// What changes; empty for a new one.
    pub changes: Vec<Change>,
    /// Where it stands in the file: “学校!A4”.
    pub at: String,
}

/// One teacher that the import adds or changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TeacherRow {
    /// Record id; `None` for a new one.
    pub id: Option<String>,
    /// All fields after the import.
    pub facts: TeacherFacts,
    /// What changes; empty for a new one.
    pub changes: Vec<Change>,
    /// Where the row stands in the file: “教师花名册!B5”.
    pub at: String,
}

/// Organisations of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrganisationPlan {
    /// Not known so far.
    pub add: Vec<OrganisationRow>,
    /// Known with other values.
    pub change: Vec<OrganisationRow>,
    /// Known just so.
    pub same: usize,
}

/// Teachers of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TeacherPlan {
    /// Not known so far.
    pub new: Vec<TeacherRow>,
    /// Known with other values.
    pub changed: Vec<TeacherRow>,
    /// Known just so.
    pub same: usize,
    /// Teachers of the home school that do not stand in the file; the import leaves them as they are.
    pub not_in_file: usize,
}

/// What the import would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RosterPlan {
    /// Record id of the school whose teachers are written; `None` at the county.
    pub school: Option<String>,
    /// Organisations, at the county only.
    pub organisations: OrganisationPlan,
    /// Teachers, at their own school only.
    pub teachers: TeacherPlan,
    /// What was wrong, and passed over.
    pub found: Findings,
}

impl RosterPlan {
    /// True when applying the plan would write nothing.
    pub fn is_empty(&self) -> bool {
        self.organisations.add.is_empty()
            && self.organisations.change.is_empty()
            && self.teachers.new.is_empty()
            && self.teachers.changed.is_empty()
    }

    /// The plan in a few lines of Chinese.
    pub fn summary_zh(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let (o, t) = (&self.organisations, &self.teachers);
        if o.add.len() + o.change.len() + o.same > 0 {
            lines.push(format!(
                "机构：新增 {}，变更 {}，无变化 {}",
                o.add.len(),
                o.change.len(),
                o.same
            ));
        }
        if self.school.is_some() {
            lines.push(format!(
                "教师：新增 {}，变更 {}，无变化 {}；不在文件中的本校教师 {} 人，保持不动",
                t.new.len(),
                t.changed.len(),
                t.same,
                t.not_in_file
            ));
        }
        lines.extend(self.found.summary_zh());
        lines
    }

    /// The plan in a few lines of English.
    pub fn summary_en(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let (o, t) = (&self.organisations, &self.teachers);
        if o.add.len() + o.change.len() + o.same > 0 {
            lines.push(format!(
                "Organisations: {} new, {} changed, {} unchanged",
                o.add.len(),
                o.change.len(),
                o.same
            ));
        }
        if self.school.is_some() {
            lines.push(format!(
                "Teachers: {} new, {} changed, {} unchanged; {} of this school are not in the file and stay as they are",
                t.new.len(),
                t.changed.len(),
                t.same,
                t.not_in_file
            ));
        }
        lines.extend(self.found.summary_en());
        lines
    }
}
