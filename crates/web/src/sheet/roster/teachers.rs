//! Teachers of a file against the roster of the home school.

use super::told::{Told, changes, check, told};
use super::{HomeSchool, KnownOrganisation, KnownTeacher, RosterPlan, TeacherFacts, TeacherRow};
use crate::sheet::header::Column;
use crate::sheet::row::Row;
use crate::sheet::text::squeeze;
use records::SchoolYear;
use std::collections::{HashMap, HashSet};

/// Reads rows of teachers one after the other.
pub(super) struct Teachers<'a> {
    home: &'a HomeSchool,
    known: &'a [KnownTeacher],
    year: SchoolYear,
    first_day: String,
    by_code: HashMap<String, usize>,
    by_name: HashMap<&'a str, Vec<usize>>,
    taken: HashSet<usize>,
    /// Codes of the rows read, and people by name and year of birth, with the cell of the first.
    codes: HashMap<String, String>,
    people: HashMap<(String, Option<i64>), (String, bool)>,
    rows_of_home: usize,
    /// Names and codes of the county's list; empty while it has not come.
    schools: HashSet<String>,
    new: Vec<TeacherRow>,
    changed: Vec<TeacherRow>,
    same: usize,
}

impl<'a> Teachers<'a> {
    pub(super) fn new(
        home: &'a HomeSchool,
        known: &'a [KnownTeacher],
        organisations: &[KnownOrganisation],
        school_year: i32,
    ) -> Self {
        let schools = organisations
            .iter()
            .flat_map(|o| [&o.facts.name, &o.facts.short_name, &o.facts.school_code])
            .filter(|name| !name.is_empty())
            .map(|name| squeeze(name))
            .collect();
        let mut by_name: HashMap<&str, Vec<usize>> = HashMap::new();
        for (index, teacher) in known.iter().enumerate() {
            by_name
                .entry(teacher.facts.name.as_str())
                .or_default()
                .push(index);
        }
        let by_code = known
            .iter()
            .enumerate()
            .filter(|(_, t)| !t.facts.teacher_code.is_empty())
            .map(|(index, t)| (key(&t.facts.teacher_code), index))
            .collect();
        let year = SchoolYear(school_year);
        Self {
            home,
            known,
            year,
            first_day: year.start().map_or_else(String::new, |d| d.to_string()),
            by_code,
            by_name,
            taken: HashSet::new(),
            codes: HashMap::new(),
            people: HashMap::new(),
            rows_of_home: 0,
            schools,
            new: Vec::new(),
            changed: Vec::new(),
            same: 0,
        }
    }

    pub(super) fn read(&mut self, mut row: Row<'_>) {
        if !self.is_home(&mut row) {
            return;
        }
        self.rows_of_home += 1;
        let Some(told) = told(&mut row, self.year) else {
            return;
        };
        let Ok(known) = self.find(&mut row, &told) else {
            return;
        };
        let before = known.and_then(|index| self.known.get(index));
        let facts = self.merge(before, &told);
        check(&mut row, &facts);
        if row.failed {
            return;
        }
        let at = row.at(Column::Name);
        if let Some(code) = &told.teacher_code {
            self.codes.insert(key(code), at.clone());
        }
        self.people.insert(
            (told.name.clone(), told.birth_year),
            (at.clone(), told.teacher_code.is_some()),
        );
        self.taken.extend(known);
        match before {
            None => self.new.push(TeacherRow {
                id: None,
                facts,
                changes: Vec::new(),
                at,
            }),
            Some(before) => {
                let changes = changes(&before.facts, &facts);
                if changes.is_empty() {
                    self.same += 1;
                } else {
                    self.changed.push(TeacherRow {
                        id: Some(before.id.clone()),
                        facts,
                        changes,
                        at,
                    });
                }
            }
        }
    }

    pub(super) fn finish(self, plan: &mut RosterPlan) {
        if self.home.name.is_empty()
            && self.home.code.is_empty()
            && plan.found.skipped.other_school_rows() > 0
        {
            plan.found.note(
                "本机还没有收到县里的机构登记，不知道本校名称；请先与县里同步，再导入".into(),
                "This node has not received the county's list of schools and does not know its own name; sync first".into(),
            );
        } else if self.rows_of_home == 0 && plan.found.skipped.other_school_rows() > 0 {
            let names: Vec<&str> = plan
                .found
                .skipped
                .other_schools
                .keys()
                .take(5)
                .map(String::as_str)
                .collect();
            let (home, names) = (&self.home.name, names.join("、"));
            plan.found.note(
                format!("文件中没有本校（{home}）的教师；文件里的学校有：{names}"),
                format!("The file has no teachers of this school ({home}); its schools are: {names}"),
            );
        }
        plan.teachers.not_in_file = if self.rows_of_home == 0 {
            0
        } else {
            self.known.len().saturating_sub(self.taken.len())
        };
        plan.teachers.new = self.new;
        plan.teachers.changed = self.changed;
        plan.teachers.same = self.same;
    }

    /// Whether the row is of the home school; counts rows of others without reading them.
    fn is_home(&self, row: &mut Row<'_>) -> bool {
        let name = row.cell(Column::School).map(|c| squeeze(&c.text()));
        let code = row.cell(Column::SchoolCode).map(|c| squeeze(&c.text()));
        let by_name = name.as_ref().map(|n| {
            [&self.home.name, &self.home.short_name]
                .iter()
                .any(|own| !own.is_empty() && squeeze(own) == *n)
        });
        let by_code = code
            .as_ref()
            .filter(|_| !self.home.code.is_empty())
            .map(|c| *c == self.home.code);
        match (by_code, by_name) {
            (Some(true), _) | (None, Some(true)) => true,
            (Some(false), Some(true)) => {
                row.error(
                    Column::SchoolCode,
                    &format!("校名是本校，学校标识码却不是（本校为 {}）", self.home.code),
                    &format!(
                        "the name is this school's, the code is not (it is {})",
                        self.home.code
                    ),
                );
                false
            }
            (Some(false), _) | (None, Some(false)) => {
                let listed = [&name, &code]
                    .into_iter()
                    .flatten()
                    .any(|n| self.schools.contains(n));
                let shown = name.or(code).unwrap_or_default();
                let rows = row.found.skipped.other_schools.entry(shown).or_default();
                *rows += 1;
                // Perhaps this school's own name, misspelt: said once for each name.
                if *rows == 1 && !listed && !self.schools.is_empty() {
                    row.warn(
                        Column::School,
                        "县里的学校名单中没有这所学校，它的教师没有导入；如是本校，请改正校名",
                        "the county's list has no such school, its teachers were left out; if it is this school, mend the name",
                    );
                }
                false
            }
            (None, None) => {
                let column = if row.header.index(Column::School).is_some() {
                    Column::School
                } else {
                    Column::SchoolCode
                };
                if row.header.index(column).is_some() {
                    row.error(
                        column,
                        "没有写学校，不知道是不是本校教师",
                        "no school is given; this may be a teacher of another one",
                    );
                    return false;
                }
                // Without a column of schools the file is taken for the school's own.
                true
            }
        }
    }

    /// The teacher that the row is about; `Ok(None)` for a new one, `Err` when nobody can tell.
    fn find(&self, row: &mut Row<'_>, told: &Told) -> Result<Option<usize>, ()> {
        let same_name: Vec<usize> = self.by_name.get(told.name.as_str()).cloned().unwrap_or_default();
        let facts = |index: usize| self.known.get(index).map(|t| &t.facts);
        let birth = |index: usize| facts(index).and_then(|f| f.birth_year);
        let person = (told.name.clone(), told.birth_year);
        if let Some(code) = &told.teacher_code {
            if let Some(first) = self.codes.get(&key(code)) {
                let first = first.clone();
                row.error(
                    Column::TeacherCode,
                    &format!("教师编号与 {first} 重复"),
                    &format!("the same teacher code as in {first}"),
                );
                return Err(());
            }
            if let Some(index) = self.by_code.get(&key(code)).copied() {
                let other = facts(index).is_some_and(|f| f.name != told.name);
                let other_birth =
                    told.birth_year.is_some() && birth(index).is_some() && birth(index) != told.birth_year;
                if other && other_birth {
                    row.error(
                        Column::TeacherCode,
                        "这个编号已属于另一位教师（姓名、出生年都不同）",
                        "this code belongs to another teacher (name and year of birth differ)",
                    );
                    return Err(());
                }
                if other {
                    row.warn(
                        Column::Name,
                        "编号相同而姓名不同，将改名，请核对",
                        "same code, other name: the name will be changed, please check",
                    );
                }
                return self.free(row, index);
            }
            // A code that came later than the person.
            let without: Vec<usize> = same_name
                .iter()
                .copied()
                .filter(|i| !self.taken.contains(i))
                .filter(|i| facts(*i).is_some_and(|f| f.teacher_code.is_empty()))
                .filter(|i| birth(*i) == told.birth_year)
                .collect();
            if let [one] = without.as_slice() {
                return self.free(row, *one);
            }
            if told.birth_year.is_some() && same_name.iter().any(|i| birth(*i) == told.birth_year) {
                row.warn(
                    Column::TeacherCode,
                    "本校已有同名同年出生、编号不同的教师，将作为另一人新增，请核对",
                    "a teacher of the same name and year of birth has another code; this one is added as a further person, please check",
                );
            }
            if let Some((first, false)) = self.people.get(&person).cloned() {
                self.twice(row, &first);
                return Err(());
            }
            return Ok(None);
        }
        if let Some((first, _)) = self.people.get(&person).cloned() {
            self.twice(row, &first);
            return Err(());
        }
        let exact: Vec<usize> = same_name
            .iter()
            .copied()
            .filter(|i| birth(*i) == told.birth_year)
            .collect();
        let unclear = same_name
            .iter()
            .any(|i| birth(*i) != told.birth_year && (birth(*i).is_none() || told.birth_year.is_none()));
        match exact.as_slice() {
            [one] if !unclear => self.free(row, *one),
            [] if !unclear => Ok(None),
            _ => {
                row.error(
                    Column::Name,
                    "没有教师编号，姓名和出生年不足以确定是哪位教师，请补教师编号",
                    "no teacher code, and name and year of birth do not tell which teacher this is; add the code",
                );
                Err(())
            }
        }
    }

    fn free(&self, row: &mut Row<'_>, index: usize) -> Result<Option<usize>, ()> {
        if self.taken.contains(&index) {
            row.error(
                Column::Name,
                "与前面的行是同一位教师",
                "the same teacher as a row above",
            );
            return Err(());
        }
        Ok(Some(index))
    }

    fn twice(&self, row: &mut Row<'_>, first: &str) {
        row.error(
            Column::Name,
            &format!("与 {first} 同名同年出生，请补教师编号区分"),
            &format!("same name and year of birth as in {first}; add teacher codes to tell them apart"),
        );
    }

    /// Blank cells and missing columns keep what is known.
    fn merge(&self, before: Option<&KnownTeacher>, told: &Told) -> TeacherFacts {
        let mut facts = before.map(|t| t.facts.clone()).unwrap_or_else(|| TeacherFacts {
            // A roster lists who is there.
            status: "serving".into(),
            ..TeacherFacts::default()
        });
        // Whoever was entered by mistake and stands on the list again is there after all.
        if facts.status == "void" {
            facts.status = "serving".into();
        }
        facts.name.clone_from(&told.name);
        for (place, new) in [
            (&mut facts.teacher_code, &told.teacher_code),
            (&mut facts.sex, &told.sex),
            (&mut facts.status, &told.status),
            (&mut facts.post, &told.post),
            (&mut facts.title, &told.title),
            (&mut facts.subject, &told.subject),
            (&mut facts.stage, &told.stage),
        ] {
            if let Some(new) = new {
                place.clone_from(new);
            }
        }
        facts.birth_year = told.birth_year.or(facts.birth_year);
        facts.teaching_from = told.teaching_from.or(facts.teaching_from);
        facts.homeroom = told.homeroom.unwrap_or(facts.homeroom);
        // Facts since a later day than the file's stay the newest, so they are changed in place.
        let from = told.from.clone().unwrap_or_else(|| self.first_day.clone());
        facts.from = facts.from.max(from);
        facts
    }
}

/// Codes are compared without regard to letter case.
fn key(code: &str) -> String {
    code.to_ascii_uppercase()
}
