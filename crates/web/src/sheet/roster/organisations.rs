//! Schools of a file against the registry.

use super::{Change, KnownOrganisation, OrganisationFacts, OrganisationRow, RosterPlan};
use crate::sheet::codes::kind_from_name;
use crate::sheet::header::Column;
use crate::sheet::row::Row;
use crate::sheet::text::{address, squeeze};
use records::text::person_name;
use records::{Fields, Kinds, Lang, Value};
use std::collections::{HashMap, HashSet};

/// Reads rows of schools one after the other.
pub(super) struct Organisations<'a> {
    known: &'a [KnownOrganisation],
    by_code: HashMap<&'a str, usize>,
    by_name: HashMap<String, Vec<usize>>,
    taken: HashSet<usize>,
    /// Codes and names of rows read, with the cell of the first.
    codes: HashMap<String, String>,
    names: HashMap<String, String>,
    /// Names and codes already looked at in teachers' rows.
    mentioned: HashSet<(String, String)>,
    /// All codes in the file's tables of schools.
    file_codes: HashSet<String>,
    read: Vec<(OrganisationRow, Parent)>,
}

/// Where the name of an organisation above stands.
struct Parent {
    name: String,
    sheet: String,
    cell: String,
}

impl<'a> Organisations<'a> {
    pub(super) fn new(known: &'a [KnownOrganisation], file_codes: HashSet<String>) -> Self {
        let mut by_name: HashMap<String, Vec<usize>> = HashMap::new();
        for (index, organisation) in known.iter().enumerate() {
            by_name
                .entry(squeeze(&organisation.facts.name))
                .or_default()
                .push(index);
        }
        let by_code = known
            .iter()
            .enumerate()
            .filter(|(_, o)| !o.facts.school_code.is_empty())
            .map(|(index, o)| (o.facts.school_code.as_str(), index))
            .collect();
        Self {
            known,
            by_code,
            by_name,
            taken: HashSet::new(),
            codes: HashMap::new(),
            names: HashMap::new(),
            mentioned: HashSet::new(),
            file_codes,
            read: Vec::new(),
        }
    }

    /// One row of a table of schools.
    pub(super) fn read(&mut self, mut row: Row<'_>) {
        let Some(name) = row.text(Column::School).map(|t| person_name(&t)) else {
            row.error(
                Column::School,
                "缺少学校名称",
                "the name of the school is missing",
            );
            return;
        };
        let code = row.code(Column::SchoolCode).unwrap_or_default();
        let kind = row.coded(Column::OrgKind, "organisation", "org_kind");
        let rural = row
            .coded(Column::Rural, "organisation", "rural")
            .unwrap_or_default();
        let short_name = row
            .text(Column::SchoolShort)
            .map(|t| person_name(&t))
            .unwrap_or_default();
        let division = row.code(Column::Division).unwrap_or_default();
        let parent = Parent {
            name: row
                .text(Column::Parent)
                .map(|t| person_name(&t))
                .unwrap_or_default(),
            sheet: row.sheet.name.clone(),
            cell: row
                .header
                .index(Column::Parent)
                .map_or_else(String::new, |i| address(row.row, i)),
        };
        let told = OrganisationFacts {
            name,
            short_name,
            org_kind: kind.unwrap_or_default(),
            school_code: code,
            division,
            rural,
            parent: String::new(),
        };
        self.settle(row, told, parent);
    }

    /// The school of a teacher's row, in case no table of schools has it.
    pub(super) fn read_mention(&mut self, mut row: Row<'_>) {
        let name = match row.cell(Column::School) {
            Some(cell) => person_name(&cell.text()),
            None => return,
        };
        let code = row
            .cell(Column::SchoolCode)
            .map_or_else(String::new, |c| squeeze(&c.text()));
        if !self.mentioned.insert((name.clone(), code.clone())) {
            return;
        }
        let plain = squeeze(&name);
        let known = self.by_code.contains_key(code.as_str())
            || self.by_name.contains_key(&plain)
            || self.codes.contains_key(&code)
            || self.names.contains_key(&plain)
            || self.known.iter().any(|o| squeeze(&o.facts.short_name) == plain)
            || self
                .read
                .iter()
                .any(|(o, _)| squeeze(&o.facts.short_name) == plain);
        if known {
            return;
        }
        if kind_from_name(&name).is_none() {
            row.error(
                Column::School,
                "学校表里没有这所学校，从校名也看不出类别；请先在学校表中补上",
                "no table of schools has this school, and its name does not tell its kind; add it there first",
            );
            return;
        }
        row.warn(
            Column::School,
            "学校表里没有这所学校，按校名新增，请核对",
            "no table of schools has this school; it is added by its name, please check",
        );
        let code = row.code(Column::SchoolCode).unwrap_or_default();
        let told = OrganisationFacts {
            name,
            school_code: code,
            ..OrganisationFacts::default()
        };
        let none = Parent {
            name: String::new(),
            sheet: String::new(),
            cell: String::new(),
        };
        self.settle(row, told, none);
    }

    fn settle(&mut self, mut row: Row<'_>, told: OrganisationFacts, parent: Parent) {
        let at = row.at(Column::School);
        let plain = squeeze(&told.name);
        if let Some(first) = self.codes.get(&told.school_code).cloned() {
            row.error(
                Column::SchoolCode,
                &format!("学校标识码与 {first} 重复"),
                &format!("the same school code as in {first}"),
            );
            return;
        }
        let known = match self.by_code.get(told.school_code.as_str()) {
            Some(index) => Some(*index),
            // By name: a code that is new here was unknown or wrong before, unless the file also has
            // the school with the code before, so that there are two of one name.
            None => self.by_name.get(&plain).and_then(|all| match all.as_slice() {
                [one] => self
                    .known
                    .get(*one)
                    .is_some_and(|o| {
                        told.school_code.is_empty() || !self.file_codes.contains(&o.facts.school_code)
                    })
                    .then_some(*one),
                _ => None,
            }),
        };
        let twin = self.names.get(&plain).cloned();
        if let Some(first) = &twin
            && (told.school_code.is_empty() || known.is_some_and(|k| self.taken.contains(&k)))
        {
            row.error(
                Column::School,
                &format!("校名与 {first} 重复，请用学校标识码区分"),
                &format!("the same name as in {first}; tell them apart by the school code"),
            );
            return;
        }
        if known.is_some_and(|k| self.taken.contains(&k)) {
            row.error(
                Column::School,
                "与前面的行是同一所学校",
                "the same school as a row above",
            );
            return;
        }
        let before = known.and_then(|k| self.known.get(k));
        let mut facts = merge(before.map(|o| &o.facts), &told);
        if facts.org_kind.is_empty() {
            facts.org_kind = kind_from_name(&facts.name).unwrap_or_default().to_owned();
        }
        if facts.org_kind.is_empty() {
            row.error(
                Column::OrgKind,
                "缺少学校类别，从校名也看不出",
                "the kind of school is missing, and the name does not tell it",
            );
        }
        row.check("organisation", &fields(&facts), column_of);
        if row.failed {
            return;
        }
        if !told.school_code.is_empty() {
            self.codes.insert(told.school_code, at.clone());
        }
        self.names.insert(plain, at.clone());
        self.taken.extend(known);
        let id = before.map(|o| o.id.clone());
        let made = OrganisationRow {
            id,
            facts,
            parent_name: String::new(),
            changes: Vec::new(),
            at,
        };
        self.read.push((made, parent));
    }

    /// Resolves organisations above, then sorts into new, changed and same.
    pub(super) fn finish(self, plan: &mut RosterPlan) {
        let known = self.known;
        let fits = |facts: &OrganisationFacts, name: &str| {
            [&facts.name, &facts.short_name, &facts.school_code]
                .iter()
                .any(|own| !own.is_empty() && squeeze(own) == name)
        };
        let added: Vec<OrganisationFacts> = self
            .read
            .iter()
            .filter(|(o, _)| o.id.is_none())
            .map(|(o, _)| o.facts.clone())
            .collect();
        for (mut row, parent) in self.read {
            let name = squeeze(&parent.name);
            if !name.is_empty() {
                if let Some(above) = known.iter().find(|o| fits(&o.facts, &name)) {
                    row.facts.parent = above.id.clone();
                } else if let Some(above) = added.iter().find(|o| fits(o, &name)) {
                    row.parent_name = above.name.clone();
                } else {
                    plan.found.problem(super::Problem {
                        sheet: parent.sheet,
                        cell: parent.cell,
                        value: parent.name,
                        zh: "没有这个上级单位，该栏未导入".into(),
                        en: "no such parent organisation; the value was left out".into(),
                        severity: super::Severity::Warn,
                    });
                }
            }
            let before = row.id.as_ref().and_then(|id| known.iter().find(|o| o.id == *id));
            match before {
                None => plan.organisations.add.push(row),
                Some(before) => {
                    row.changes = changes(known, &before.facts, &row);
                    if row.changes.is_empty() {
                        plan.organisations.same += 1;
                    } else {
                        plan.organisations.change.push(row);
                    }
                }
            }
        }
    }
}

/// Blank cells keep what is known.
fn merge(before: Option<&OrganisationFacts>, told: &OrganisationFacts) -> OrganisationFacts {
    let Some(before) = before else {
        return told.clone();
    };
    let pick = |new: &String, old: &String| {
        if new.is_empty() { old.clone() } else { new.clone() }
    };
    OrganisationFacts {
        name: pick(&told.name, &before.name),
        short_name: pick(&told.short_name, &before.short_name),
        org_kind: pick(&told.org_kind, &before.org_kind),
        school_code: pick(&told.school_code, &before.school_code),
        division: pick(&told.division, &before.division),
        rural: pick(&told.rural, &before.rural),
        parent: pick(&told.parent, &before.parent),
    }
}

fn changes(known: &[KnownOrganisation], old: &OrganisationFacts, row: &OrganisationRow) -> Vec<Change> {
    let label = |field: &str, code: &str| {
        Kinds::builtin()
            .code_label("organisation", field, code, Lang::Zh)
            .to_owned()
    };
    let above = |id: &str| {
        let found = known.iter().find(|o| o.id == id);
        found.map_or_else(String::new, |o| o.facts.name.clone())
    };
    let new = &row.facts;
    let new_parent = if row.parent_name.is_empty() {
        above(&new.parent)
    } else {
        row.parent_name.clone()
    };
    [
        (Column::School, old.name.clone(), new.name.clone()),
        (
            Column::SchoolShort,
            old.short_name.clone(),
            new.short_name.clone(),
        ),
        (
            Column::OrgKind,
            label("org_kind", &old.org_kind),
            label("org_kind", &new.org_kind),
        ),
        (
            Column::SchoolCode,
            old.school_code.clone(),
            new.school_code.clone(),
        ),
        (Column::Division, old.division.clone(), new.division.clone()),
        (
            Column::Rural,
            label("rural", &old.rural),
            label("rural", &new.rural),
        ),
        (Column::Parent, above(&old.parent), new_parent),
    ]
    .into_iter()
    .filter(|(_, old, new)| old != new)
    .map(|(column, old, new)| Change {
        zh: column.zh().into(),
        en: column.en().into(),
        old,
        new,
    })
    .collect()
}

fn fields(facts: &OrganisationFacts) -> Fields {
    [
        ("name", &facts.name),
        ("short_name", &facts.short_name),
        ("org_kind", &facts.org_kind),
        ("school_code", &facts.school_code),
        ("division", &facts.division),
        ("rural", &facts.rural),
    ]
    .into_iter()
    .filter(|(field, text)| !text.is_empty() || *field == "name")
    .map(|(field, text)| (field.to_owned(), Value::from(text.as_str())))
    // The kind itself is asked for by the caller, with better words.
    .chain(
        facts
            .org_kind
            .is_empty()
            .then(|| ("org_kind".to_owned(), Value::from("agency"))),
    )
    .collect()
}

fn column_of(field: &str) -> Column {
    match field {
        "short_name" => Column::SchoolShort,
        "org_kind" => Column::OrgKind,
        "school_code" => Column::SchoolCode,
        "division" => Column::Division,
        "rural" => Column::Rural,
        _ => Column::School,
    }
}
