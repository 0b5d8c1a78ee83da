//! Joins the tables of [`crate::sheet`] with the office of [`node`]: what is known before an
//! import, and carrying out a plan that a person has seen. The command line uses it too.

use std::collections::{BTreeMap, HashMap};

use node::Node;
use node::office::{self, By, ImportFile, Organisation, OrganisationInput, Teacher};

use sha2::Digest;

use crate::sheet::SheetError;
use crate::sheet::grid;
use crate::sheet::roster::{
    HomeSchool, KnownOrganisation, KnownTeacher, OrganisationFacts, OrganisationRow, RosterContext,
    RosterPlan, TeacherFacts, plan_roster,
};
use crate::sheet::write::{Heads, roster_of};

/// What the plan of an import needs to know of this node. `school_year` is the calendar year in
/// which the school year of the import begins.
pub fn context(node: &Node, school_year: i32) -> Result<RosterContext, node::Error> {
    let organisations = office::organisations(node)?;
    let teachers = match node.home_school() {
        Some(school) => office::roster(node, &school)?,
        None => Vec::new(),
    };
    let home_school = home_school(node, &organisations);
    Ok(RosterContext {
        home_school,
        is_county: node.is_county(),
        organisations: organisations.into_iter().map(known_organisation).collect(),
        teachers: teachers.into_iter().map(known_teacher).collect(),
        school_year,
    })
}

/// A county's roster cut into its schools: a workbook with the own rows of each, by record id, such as the school imports
/// it; of these schools, or of all. A school that the file does not name is not there.
///
/// # Errors
/// What cannot be read or written of the tables; of the node, from the outer one.
pub fn rosters(
    node: &Node,
    bytes: &[u8],
    name: &str,
    school_year: i32,
    schools: &[String],
) -> Result<Result<BTreeMap<String, Vec<u8>>, SheetError>, node::Error> {
    let organisations = office::organisations(node)?;
    let book = match grid::read(bytes, name) {
        Ok(book) => book,
        Err(error) => return Ok(Err(error)),
    };
    let mut context = RosterContext {
        organisations: organisations.iter().cloned().map(known_organisation).collect(),
        school_year,
        ..RosterContext::default()
    };
    let mut all = BTreeMap::new();
    let wanted = |o: &&Organisation| o.is_school() && (schools.is_empty() || schools.contains(&o.id));
    for school in organisations.iter().filter(wanted) {
        context.home_school = Some(HomeSchool {
            id: school.id.clone(),
            name: school.name.clone(),
            short_name: school.short_name.clone(),
            code: school.school_code.clone(),
        });
        let teachers = plan_roster(&book, &context).teachers.new;
        if teachers.is_empty() {
            continue;
        }
        let heads = Heads {
            school_name: school.name.clone(),
            school_code: school.school_code.clone(),
            ..Heads::default()
        };
        match roster_of(teachers.into_iter().map(|t| t.facts), &heads) {
            Ok(bytes) => drop(all.insert(school.id.clone(), bytes)),
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(Ok(all))
}

/// The node's own school, as the registry or the answer to its enrolment names it.
pub(crate) fn home_school(node: &Node, organisations: &[Organisation]) -> Option<HomeSchool> {
    node.home_school().map(|id| {
        let known = organisations.iter().find(|o| o.id == id);
        let text = |of: fn(&Organisation) -> &String| known.map(|o| of(o).clone()).unwrap_or_default();
        let on_answer = known
            .is_none()
            .then(|| node::enrol::school_on_answer(node))
            .flatten();
        let (name, code) = on_answer.unwrap_or_else(|| (text(|o| &o.name), text(|o| &o.school_code)));
        HomeSchool {
            name,
            short_name: text(|o| &o.short_name),
            code,
            id,
        }
    })
}

/// The digest that a file is known by.
pub(crate) fn digest(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(&sha2::Sha256::digest(bytes))
}

/// A roster file by its bytes; `id` names the import.
pub fn roster_file(id: String, name: &str, bytes: &[u8]) -> ImportFile {
    ImportFile {
        id,
        what: "roster".into(),
        about: String::new(),
        name: name.to_owned(),
        hash: digest(bytes),
    }
}

/// Carries out a plan; how many organisations and teachers were new or changed. Doing it again
/// changes nothing. What teachers' rows of a `file` write is noted, so that it can be taken back.
pub fn apply(
    node: &Node,
    by: &By,
    plan: &RosterPlan,
    file: Option<&ImportFile>,
) -> Result<usize, node::Error> {
    let mut done = organisations(node, by, plan)?;
    if let Some(school) = &plan.school {
        let rows = plan.teachers.new.iter().chain(&plan.teachers.changed);
        let teachers: Vec<_> = rows
            .map(|row| (row.at.clone(), row.id.clone(), row.facts.clone()))
            .collect();
        done += match file {
            _ if teachers.is_empty() => 0,
            Some(file) => office::import_teachers(node, by, file, school, teachers)?,
            None => {
                let teachers = teachers.into_iter().map(|(_, id, facts)| (id, facts)).collect();
                office::save_teachers(node, by, school, teachers)?
            }
        };
    }
    Ok(done)
}

/// Saves organisations; those below one that the same file brings come after it, when it has an id.
fn organisations(node: &Node, by: &By, plan: &RosterPlan) -> Result<usize, node::Error> {
    let mut waiting: Vec<&OrganisationRow> = plan
        .organisations
        .add
        .iter()
        .chain(&plan.organisations.change)
        .collect();
    let mut done = 0;
    while !waiting.is_empty() {
        let ids: HashMap<String, String> = office::organisations(node)?
            .into_iter()
            .map(|o| (o.name, o.id))
            .collect();
        let ready = |row: &&OrganisationRow| row.parent_name.is_empty() || ids.contains_key(&row.parent_name);
        let (now, later): (Vec<_>, Vec<_>) = waiting.into_iter().partition(ready);
        // Two that name each other as the one above: saved without, rather than not at all.
        let (now, later) = if now.is_empty() {
            (later, Vec::new())
        } else {
            (now, later)
        };
        let batch = now
            .iter()
            .map(|row| (row.id.clone(), organisation_input(row, &ids)))
            .collect();
        done += office::save_organisations(node, by, batch)?;
        waiting = later;
    }
    Ok(done)
}

fn organisation_input(row: &OrganisationRow, ids: &HashMap<String, String>) -> OrganisationInput {
    let facts = row.facts.clone();
    OrganisationInput {
        parent: ids.get(&row.parent_name).cloned().unwrap_or(facts.parent),
        ..facts
    }
}

fn known_organisation(o: Organisation) -> KnownOrganisation {
    KnownOrganisation {
        id: o.id,
        facts: OrganisationFacts {
            name: o.name,
            short_name: o.short_name,
            org_kind: o.org_kind,
            school_code: o.school_code,
            division: o.division,
            rural: o.rural,
            parent: o.parent,
        },
    }
}

fn known_teacher(t: Teacher) -> KnownTeacher {
    KnownTeacher {
        id: t.id,
        facts: TeacherFacts {
            teacher_code: t.teacher_code,
            name: t.name,
            sex: t.sex,
            birth_year: t.birth_year,
            status: t.status,
            post: t.post,
            title: t.title,
            subject: t.subject,
            stage: t.stage,
            homeroom: t.homeroom,
            parts: None,
            teaching_from: t.teaching_from,
            from: t.from,
        },
    }
}
