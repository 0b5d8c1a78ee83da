//! The teachers of the sample county.

use super::names;
use super::random::Random;
use super::schools::{SampleSchool, SchoolKind};
use super::size::CountySize;

/// A teacher of the sample; codes are those of the kinds person and staff_fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleTeacher {
    /// Index of the school.
    pub school: usize,
    /// Teacher code, unique in the county.
    pub teacher_code: String,
    /// Name; two people may have the same.
    pub name: String,
    /// Sex code.
    pub sex: &'static str,
    /// Birth year.
    pub birth_year: i64,
    /// Status code.
    pub status: &'static str,
    /// Post code.
    pub post: &'static str,
    /// Title code.
    pub title: &'static str,
    /// Title as older papers say it; mostly empty.
    pub title_label: &'static str,
    /// Subject in Chinese.
    pub subject: &'static str,
    /// Stage code.
    pub stage: &'static str,
    /// First school year of teaching.
    pub teaching_from: i64,
    /// Homeroom teacher.
    pub homeroom: bool,
    /// 1 in the first year of teaching, otherwise 0.
    pub novice_year: i64,
    /// Lessons a week.
    pub weekly_lessons: i64,
    /// Full-time.
    pub full_time: bool,
}

/// Years of age at retirement [assumption: the ages before the gradual rise that began in 2025].
const RETIRES_AT: [(&str, i64); 2] = [("1", 60), ("2", 55)];

impl SampleTeacher {
    /// Calendar year of retirement.
    pub fn retires_in(&self) -> i64 {
        self.birth_year
            + RETIRES_AT
                .iter()
                .find(|(sex, _)| *sex == self.sex)
                .map_or(60, |(_, age)| *age)
    }

    /// Post or title of a leader of the school.
    pub fn is_leader(&self) -> bool {
        matches!(
            self.post,
            "principal" | "vice_principal" | "dean" | "research_dean" | "middle"
        )
    }
}

const PRIMARY: [(&str, usize); 8] = [
    ("语文", 36),
    ("数学", 30),
    ("英语", 9),
    ("科学", 7),
    ("体育", 6),
    ("音乐", 4),
    ("美术", 4),
    ("道德与法治", 4),
];
const JUNIOR: [(&str, usize); 12] = [
    ("语文", 18),
    ("数学", 18),
    ("英语", 17),
    ("物理", 9),
    ("化学", 6),
    ("道德与法治", 7),
    ("历史", 6),
    ("地理", 5),
    ("生物", 5),
    ("体育", 5),
    ("信息技术", 2),
    ("美术", 2),
];
const HIGH: [(&str, usize); 12] = [
    ("语文", 16),
    ("数学", 16),
    ("英语", 16),
    ("物理", 10),
    ("化学", 9),
    ("生物", 8),
    ("思想政治", 6),
    ("历史", 6),
    ("地理", 6),
    ("体育", 4),
    ("信息技术", 2),
    ("音乐", 1),
];

pub(super) fn teachers(
    size: &CountySize,
    schools: &[SampleSchool],
    random: &mut Random,
) -> Vec<SampleTeacher> {
    let mut teachers = Vec::new();
    for (index, school) in schools.iter().enumerate() {
        for number in 0..school.teachers {
            teachers.push(teacher(size, index, school, number, random));
        }
    }
    // 4 % in their first year, 3 % who retire within five years: exact shares, drawn among plain teachers.
    let mut plain: Vec<usize> = (0..teachers.len())
        .filter(|at| teachers.get(*at).is_some_and(|each| each.post == "teacher"))
        .collect();
    random.shuffle(&mut plain);
    let share = |percent: usize| (teachers.len() * percent + 50) / 100;
    let (novices, retiring) = (share(4), share(3));
    let first_year = i64::from(size.first_year);
    for (order, at) in plain.into_iter().enumerate().take(novices + retiring) {
        let Some(each) = teachers.get_mut(at) else {
            continue;
        };
        if order < novices {
            each.birth_year = first_year - random.between(22, 25);
            (each.teaching_from, each.novice_year, each.title, each.title_label) =
                (first_year, 1, "none", "");
        } else {
            let left = random.between(1, 5);
            each.birth_year += first_year + left - each.retires_in();
            each.teaching_from = each.birth_year + random.between(20, 24);
            each.homeroom = each.homeroom && left > 3;
            (each.title, each.title_label) = title(each.stage, first_year - each.teaching_from, random);
        }
    }
    rare_names(&mut teachers, random);
    teachers
}

fn teacher(
    size: &CountySize,
    school_index: usize,
    school: &SampleSchool,
    number: usize,
    random: &mut Random,
) -> SampleTeacher {
    let first_year = i64::from(size.first_year);
    let men = match school.kind {
        SchoolKind::High | SchoolKind::Junior => 480,
        SchoolKind::Kindergarten => 20,
        _ => 340,
    };
    let sex = if random.per_mille(men) { "1" } else { "2" };
    let stage = match school.kind {
        SchoolKind::High => "high",
        SchoolKind::Junior => "junior",
        SchoolKind::NineYear if number.is_multiple_of(2) => "junior",
        SchoolKind::Kindergarten => "preschool",
        _ => "primary",
    };
    let subject = match stage {
        "high" => random.weighted(&HIGH),
        "junior" => random.weighted(&JUNIOR),
        "primary" => random.weighted(&PRIMARY),
        _ => Some("学前教育"),
    };
    let post = post(number, school.teachers, random);
    // Nobody here retires within five years: that share is drawn afterwards.
    let oldest = if sex == "1" { 53 } else { 48 };
    let age = if post == "principal" {
        random.between(38, oldest)
    } else {
        random.between(24, oldest)
    };
    let birth_year = first_year - age;
    let teaching_from = (birth_year + random.between(20, 24)).min(first_year - 1);
    let (title, title_label) = title(stage, first_year - teaching_from, random);
    let (homeroom, weekly_lessons) = match post {
        "teacher" => (random.per_mille(450), random.between(10, 20)),
        "staff" => (false, 0),
        "principal" | "vice_principal" => (false, random.between(2, 6)),
        _ => (random.per_mille(150), random.between(6, 12)),
    };
    SampleTeacher {
        school: school_index,
        teacher_code: format!("{}{:02}{:03}", size.code_prefix, school_index + 1, number + 1),
        name: names::person(random, sex),
        sex,
        birth_year,
        status: if post == "teacher" && random.per_mille(12) {
            "maternity"
        } else {
            "serving"
        },
        post,
        title,
        title_label,
        subject: subject.unwrap_or("语文"),
        stage,
        teaching_from,
        homeroom,
        novice_year: 0,
        weekly_lessons,
        full_time: !random.per_mille(10),
    }
}

/// Leaders come first in a school; how many depends on its size [assumption].
fn post(number: usize, teachers: usize, random: &mut Random) -> &'static str {
    let posts: &[&str] = match teachers {
        0..=14 => &["principal"],
        15..=29 => &["principal", "dean"],
        30..=59 => &["principal", "vice_principal", "dean", "research_dean", "middle"],
        _ => &[
            "principal",
            "vice_principal",
            "vice_principal",
            "dean",
            "research_dean",
            "middle",
            "middle",
        ],
    };
    match posts.get(number) {
        Some(post) => post,
        None if random.per_mille(25) => "staff",
        None => "teacher",
    }
}

fn title(stage: &str, years: i64, random: &mut Random) -> (&'static str, &'static str) {
    let title = match years {
        ..=1 => "none",
        2..=4 => "third",
        5..=9 => "second",
        10..=19 => random.weighted(&[("second", 3), ("first", 7)]).unwrap_or("first"),
        _ => random
            .weighted(&[("first", 62), ("senior", 37), ("full_senior", 1)])
            .unwrap_or("first"),
    };
    let old_label = matches!(stage, "junior" | "high") && title == "senior" && random.per_mille(200);
    (title, if old_label { "中学高级" } else { "" })
}

/// Names that test fonts, sorting and import: every sample has them.
fn rare_names(teachers: &mut [SampleTeacher], random: &mut Random) {
    for rare in ["𬭊", "㙇", "𬭊㙇"] {
        let at = random.below(teachers.len());
        let name = names::surname(random) + rare;
        if let Some(each) = teachers.get_mut(at) {
            each.name = name;
        }
    }
}
