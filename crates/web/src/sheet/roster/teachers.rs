//! Teachers of a file against the roster of the home school.

use super::row::Row;
use super::{Change, HomeSchool, KnownTeacher, RosterPlan, TeacherFacts, TeacherRow};
use crate::sheet::codes::{code_of, truth};
use crate::sheet::header::Column;
use crate::sheet::text::squeeze;
use records::text::{is_han, person_name};
use records::{Fields, Kinds, Lang, SchoolYear, Value};
use std::collections::{HashMap, HashSet};

/// Stands for the person's id while a row is checked.
const SOMEBODY: &str = "00000000-0000-7000-8000-000000000000";

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
    new: Vec<TeacherRow>,
    changed: Vec<TeacherRow>,
    same: usize,
}

/// What a row says; `None` where it says nothing.
#[derive(Default)]
struct Told {
    name: String,
    teacher_code: Option<String>,
    sex: Option<String>,
    birth_year: Option<i64>,
    status: Option<String>,
    post: Option<String>,
    title: Option<String>,
    subject: Option<String>,
    stage: Option<String>,
    homeroom: Option<bool>,
    teaching_from: Option<i64>,
    from: Option<String>,
}

impl<'a> Teachers<'a> {
    pub(super) fn new(home: &'a HomeSchool, known: &'a [KnownTeacher], school_year: i32) -> Self {
        let mut by_name: HashMap<&str, Vec<usize>> = HashMap::new();
        for (index, teacher) in known.iter().enumerate() {
            by_name.entry(teacher.facts.name.as_str()).or_default().push(index);
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
        let Some(told) = self.told(&mut row) else { return };
        let Ok(known) = self.find(&mut row, &told) else { return };
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
        self.people
            .insert((told.name.clone(), told.birth_year), (at.clone(), told.teacher_code.is_some()));
        self.taken.extend(known);
        match before {
            None => self.new.push(TeacherRow { id: None, facts, changes: Vec::new(), at }),
            Some(before) => {
                let changes = changes(&before.facts, &facts);
                if changes.is_empty() {
                    self.same += 1;
                } else {
                    self.changed.push(TeacherRow { id: Some(before.id.clone()), facts, changes, at });
                }
            }
        }
    }

    pub(super) fn finish(self, plan: &mut RosterPlan) {
        if self.home.name.is_empty() && self.home.code.is_empty() && plan.skipped.other_school_rows() > 0 {
            plan.note(
                "本机还没有收到县里的机构登记，不知道本校名称；请先与县里同步，再导入".into(),
                "This node has not received the county's list of schools and does not know its own name; sync first".into(),
            );
        } else if self.rows_of_home == 0 && plan.skipped.other_school_rows() > 0 {
            let names: Vec<&str> =
                plan.skipped.other_schools.keys().take(5).map(String::as_str).collect();
            let (home, names) = (&self.home.name, names.join("、"));
            plan.note(
                format!("文件中没有本校（{home}）的教师；文件里的学校有：{names}"),
                format!("The file has no teachers of this school ({home}); its schools are: {names}"),
            );
        }
        plan.teachers.not_in_file =
            if self.rows_of_home == 0 { 0 } else { self.known.len().saturating_sub(self.taken.len()) };
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
        let by_code = code.as_ref().filter(|_| !self.home.code.is_empty()).map(|c| *c == self.home.code);
        match (by_code, by_name) {
            (Some(true), _) | (None, Some(true)) => true,
            (Some(false), Some(true)) => {
                row.error(
                    Column::SchoolCode,
                    &format!("校名是本校，学校标识码却不是（本校为 {}）", self.home.code),
                    &format!("the name is this school's, the code is not (it is {})", self.home.code),
                );
                false
            }
            (Some(false), _) | (None, Some(false)) => {
                let shown = name.or(code).unwrap_or_default();
                *row.plan.skipped.other_schools.entry(shown).or_default() += 1;
                false
            }
            (None, None) => {
                let column = if row.header.index(Column::School).is_some() {
                    Column::School
                } else {
                    Column::SchoolCode
                };
                if row.header.index(column).is_some() {
                    row.error(column, "没有写学校，不知道是不是本校教师", "no school is given; this may be a teacher of another one");
                    return false;
                }
                // Without a column of schools the file is taken for the school's own.
                true
            }
        }
    }

    fn told(&self, row: &mut Row<'_>) -> Option<Told> {
        let name = match row.text(Column::Name) {
            Some(text) => person_name(&text),
            None => {
                if !row.failed {
                    row.error(Column::Name, "缺少姓名", "the name is missing");
                }
                return None;
            }
        };
        check_name(row, &name);
        let post_text = row.text(Column::Post);
        let homeroom = match row.text(Column::Homeroom) {
            Some(text) => {
                let known = truth(&text);
                if known.is_none() {
                    row.warn(Column::Homeroom, "应填“是”或“否”，该栏未导入", "neither yes nor no; the value was left out");
                }
                known
            }
            None => post_text.as_ref().and_then(|p| p.contains("班主任").then_some(true)),
        };
        let sex = row.text(Column::Sex);
        if sex.as_ref().is_some_and(|t| code_of("person", "sex", t).is_none()) {
            row.error(Column::Sex, "性别应填“男”或“女”", "sex must be 男 or 女");
        }
        let last = self.year.0 + 1;
        let told = Told {
            name,
            teacher_code: row.code(Column::TeacherCode),
            sex: sex.and_then(|t| code_of("person", "sex", &t)),
            birth_year: row.year(Column::Birth, 1920..=last - 15),
            status: row.coded(Column::Status, "person", "status"),
            post: row.coded(Column::Post, "staff_fact", "post"),
            title: row.coded(Column::Title, "staff_fact", "title"),
            subject: row.text(Column::Subject),
            stage: row.coded(Column::Stage, "staff_fact", "stage"),
            homeroom,
            teaching_from: row.year(Column::TeachingFrom, 1940..=last),
            from: row.date(Column::From, self.year),
        };
        (!row.failed).then_some(told)
    }

    /// The teacher that the row is about; `Ok(None)` for a new one, `Err` when nobody can tell.
    fn find(&self, row: &mut Row<'_>, told: &Told) -> Result<Option<usize>, ()> {
        let same_name: Vec<usize> =
            self.by_name.get(told.name.as_str()).cloned().unwrap_or_default();
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
                let other_birth = told.birth_year.is_some()
                    && birth(index).is_some()
                    && birth(index) != told.birth_year;
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
        let exact: Vec<usize> =
            same_name.iter().copied().filter(|i| birth(*i) == told.birth_year).collect();
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
            row.error(Column::Name, "与前面的行是同一位教师", "the same teacher as a row above");
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

fn check_name(row: &mut Row<'_>, name: &str) {
    if name.contains(['?', '？', '□', '■']) {
        row.error(
            Column::Name,
            "姓名里有“?”，可能是丢失的生僻字，请补上",
            "“?” in a name: a rare character was probably lost; please type it",
        );
    } else if name.chars().any(|c| c.is_ascii_digit() || "/\\<>=&,;:，；：、".contains(c))
        || !name.chars().any(|c| is_han(c) || c.is_alphabetic())
    {
        row.error(Column::Name, "不像姓名", "this does not look like a name");
    }
}

fn check(row: &mut Row<'_>, facts: &TeacherFacts) {
    let text = |field: &str, value: &str| {
        (!value.is_empty()).then(|| (field.to_owned(), Value::from(value)))
    };
    let int = |field: &str, value: Option<i64>| value.map(|v| (field.to_owned(), Value::from(v)));
    let person: Fields = [
        text("teacher_code", &facts.teacher_code),
        text("name", &facts.name),
        text("sex", &facts.sex),
        int("birth_year", facts.birth_year),
        text("status", &facts.status),
    ]
    .into_iter()
    .flatten()
    .collect();
    row.check("person", &person, column_of);
    let staff: Fields = [
        text("person", SOMEBODY),
        text("from", &facts.from),
        text("post", &facts.post),
        text("title", &facts.title),
        text("subject", &facts.subject),
        text("stage", &facts.stage),
        int("teaching_from", facts.teaching_from),
    ]
    .into_iter()
    .flatten()
    .collect();
    row.check("staff_fact", &staff, column_of);
}

fn changes(old: &TeacherFacts, new: &TeacherFacts) -> Vec<Change> {
    let label = |kind: &str, field: &str, code: &str| {
        Kinds::builtin().code_label(kind, field, code, Lang::Zh).to_owned()
    };
    let year = |y: Option<i64>| y.map_or_else(String::new, |y| y.to_string());
    let yes = |b: bool| if b { "是" } else { "否" }.to_owned();
    [
        (Column::TeacherCode, old.teacher_code.clone(), new.teacher_code.clone()),
        (Column::Name, old.name.clone(), new.name.clone()),
        (Column::Sex, label("person", "sex", &old.sex), label("person", "sex", &new.sex)),
        (Column::Birth, year(old.birth_year), year(new.birth_year)),
        (
            Column::Status,
            label("person", "status", &old.status),
            label("person", "status", &new.status),
        ),
        (
            Column::Post,
            label("staff_fact", "post", &old.post),
            label("staff_fact", "post", &new.post),
        ),
        (
            Column::Title,
            label("staff_fact", "title", &old.title),
            label("staff_fact", "title", &new.title),
        ),
        (Column::Subject, old.subject.clone(), new.subject.clone()),
        (
            Column::Stage,
            label("staff_fact", "stage", &old.stage),
            label("staff_fact", "stage", &new.stage),
        ),
        (Column::Homeroom, yes(old.homeroom), yes(new.homeroom)),
        (Column::TeachingFrom, year(old.teaching_from), year(new.teaching_from)),
    ]
    .into_iter()
    .filter(|(_, old, new)| old != new)
    .map(|(column, old, new)| Change { zh: column.zh().into(), en: column.en().into(), old, new })
    .collect()
}

fn column_of(field: &str) -> Column {
    match field {
        "teacher_code" => Column::TeacherCode,
        "sex" => Column::Sex,
        "birth_year" => Column::Birth,
        "status" => Column::Status,
        "from" => Column::From,
        "post" => Column::Post,
        "title" => Column::Title,
        "subject" => Column::Subject,
        "stage" => Column::Stage,
        "teaching_from" => Column::TeachingFrom,
        _ => Column::Name,
    }
}
