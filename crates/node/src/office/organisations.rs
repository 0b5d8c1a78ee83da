//! The county's organisations (机构), kept in the registry by the county alone.

use std::collections::HashMap;
use std::sync::Arc;

use records::FieldError;

use super::draft::Draft;
use super::lookup::record_of;
use super::per_school::PerSchool;
use super::roster::{Edits, numbered};
use super::{By, invalid, no_such, turn};
use crate::{Error, Filter, Node, Record, Way};

/// An organisation of the county.
#[derive(Clone, Debug)]
pub struct Organisation {
    /// Record id; the `<school>` of document keys.
    pub id: String,
    /// 名称.
    pub name: String,
    /// 简称.
    pub short_name: String,
    /// Code of the kind, such as `primary_school`.
    pub org_kind: String,
    /// 学校标识码, 10 digits.
    pub school_code: String,
    /// Division code of GB/T 2260, 6 digits.
    pub division: String,
    /// Code: county_town, township, street or village.
    pub rural: String,
    /// Record id of the organisation above.
    pub parent: String,
    /// Whether it is in use.
    pub active: bool,
    /// How far the record has come.
    pub way: Way,
    /// Two devices say different things.
    pub disputed: bool,
}

/// What a form or file says about one organisation. Blank text means not known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrganisationInput {
    /// 名称.
    pub name: String,
    /// 简称.
    pub short_name: String,
    /// Code of the kind.
    pub org_kind: String,
    /// 学校标识码, 10 digits.
    pub school_code: String,
    /// Division code, 6 digits.
    pub division: String,
    /// Code: county_town, township, street or village.
    pub rural: String,
    /// Record id of the organisation above.
    pub parent: String,
}

impl OrganisationInput {
    fn draft(&self) -> Draft {
        Draft::new("organisation")
            .text("name", &self.name)
            .text("short_name", &self.short_name)
            .text("org_kind", &self.org_kind)
            .text("school_code", &self.school_code)
            .text("division", &self.division)
            .text("rural", &self.rural)
            .text("parent", &self.parent)
    }
}

/// What the kind says about a form, field by field; empty = good. For previews.
pub fn check_organisation(input: &OrganisationInput) -> Vec<FieldError> {
    input.draft().faults()
}

/// Names of organisations by id.
pub(super) type Names = Arc<HashMap<String, String>>;

/// What the registry says: all organisations, by school code, then name; and their names.
type Registry = (Arc<Vec<Organisation>>, Names);

/// Kept, for a county looks into a thousand organisations several times for a page, and for a name beside every claim.
static REGISTRY: PerSchool<Registry> = PerSchool::new(64);

fn registry(node: &Node) -> Result<Registry, Error> {
    REGISTRY.of_registry(node, || {
        let all = read(node)?;
        let names = all.iter().map(|o| (o.id.clone(), o.name.clone())).collect();
        Ok((Arc::new(all), Arc::new(names)))
    })
}

/// Names of organisations by id, as the registry has them now.
pub(super) fn organisation_names(node: &Node) -> Result<Names, Error> {
    Ok(registry(node)?.1)
}

/// All organisations, by school code, then name.
pub fn organisations(node: &Node) -> Result<Vec<Organisation>, Error> {
    // Elsewhere it matters how far each has come, and that moves without the registry.
    match node.is_county() || node.is_auditor() {
        true => Ok(registry(node)?.0.to_vec()),
        false => read(node),
    }
}

fn read(node: &Node) -> Result<Vec<Organisation>, Error> {
    let mut all: Vec<Organisation> = node
        .records(&Filter::kind("organisation"))?
        .into_iter()
        .map(shown)
        .collect();
    all.sort_by(|a, b| {
        (a.school_code.is_empty(), &a.school_code, &a.name, &a.id).cmp(&(
            b.school_code.is_empty(),
            &b.school_code,
            &b.name,
            &b.id,
        ))
    });
    Ok(all)
}

/// The area or central school of a school, or itself if it is one; `None` if it belongs to none.
pub(crate) fn area_of(node: &Node, school: &str) -> Result<Option<String>, Error> {
    let is_one = |o: &Record| matches!(o.text("org_kind"), "area" | "central_school");
    let Some(own) = record_of(node, "organisation", school)? else {
        return Ok(None);
    };
    if is_one(&own) {
        return Ok(Some(own.id));
    }
    let above = record_of(node, "organisation", own.text("parent"))?;
    Ok(above.filter(is_one).map(|above| above.id))
}

/// A school by its name, short name, code or record id.
pub fn find_school(node: &Node, text: &str) -> Result<String, Error> {
    let text = text.trim();
    let all = organisations(node)?;
    let exact: Vec<_> = all
        .iter()
        .filter(|o| {
            o.id == text
                || o.name == text
                || (!text.is_empty() && (o.school_code == text || o.short_name == text))
        })
        .collect();
    let fitting = if exact.is_empty() {
        all.iter().filter(|o| o.name.contains(text)).collect()
    } else {
        exact
    };
    match fitting.as_slice() {
        [one] => Ok(one.id.clone()),
        [] => Err(Error::NoSuchSchool(text.to_string())),
        _ => Err(Error::ManySchools(text.to_string())),
    }
}

/// Saves organisations in few large changes; how many were new or changed. Nothing is written if
/// one of them is invalid (see [`check_organisation`]).
pub fn save_organisations(
    node: &Node,
    by: &By,
    organisations: Vec<(Option<String>, OrganisationInput)>,
) -> Result<usize, Error> {
    if !node.is_county() {
        return Err(invalid(
            "",
            "机构由县里登记",
            "Organisations are registered by the county",
        ));
    }
    let _turn = turn();
    let known: HashMap<String, Record> = node
        .records(&Filter::kind("organisation"))?
        .into_iter()
        .map(|record| (record.id.clone(), record))
        .collect();
    let mut edits = Edits::default();
    let mut changed = 0;
    for (at, (id, input)) in organisations.into_iter().enumerate() {
        let edit = match &id {
            None => input
                .draft()
                .flag("active", true)
                .create(node, node.new_id(), by)
                .map(Some),
            Some(id) => match known.get(id) {
                Some(record) => input.draft().change(node, record, by),
                None => Err(no_such("id", "机构", "organisation")),
            },
        };
        if let Some(edit) = edit.map_err(|error| numbered(error, at + 1))? {
            edits.push("registry", edit);
            changed += 1;
        }
    }
    edits.commit(node)?;
    Ok(changed)
}

fn shown(record: Record) -> Organisation {
    let text = |field: &str| record.text(field).to_owned();
    Organisation {
        name: text("name"),
        short_name: text("short_name"),
        org_kind: text("org_kind"),
        school_code: text("school_code"),
        division: text("division"),
        rural: text("rural"),
        parent: text("parent"),
        // Absent means that nobody has said otherwise.
        active: record
            .fields
            .get("active")
            .and_then(|flag| flag.as_bool())
            .unwrap_or(true),
        way: record.way,
        disputed: record.disputed,
        id: record.id,
    }
}
