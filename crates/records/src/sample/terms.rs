//! A term of sessions at one school of the sample, with everyone's attendance.

use std::collections::BTreeMap;

use jiff::ToSpan;
use jiff::civil::{Date, Weekday};

use super::County;
use super::names;
use super::random::Random;

/// One session; codes are those of the kind session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleSession {
    /// Title.
    pub title: String,
    /// Theme.
    pub theme: String,
    /// Day.
    pub date: Date,
    /// Place.
    pub place: String,
    /// Form code.
    pub form: &'static str,
    /// Category code.
    pub category: &'static str,
    /// Sub-category code; empty when there is none.
    pub sub: &'static str,
    /// Channel code.
    pub channel: &'static str,
    /// Class-hours, hundredths.
    pub hours_c: i64,
    /// Minutes.
    pub minutes: i64,
    /// Of these, minutes of lecture.
    pub lecture_minutes: i64,
    /// Lecturers' names.
    pub lecturers: String,
    /// Everyone who was expected.
    pub marks: Vec<SampleMark>,
}

/// One attendance mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SampleMark {
    /// Index of the teacher in the county.
    pub teacher: usize,
    /// Status code of the kind attendance.
    pub status: &'static str,
}

impl SampleMark {
    /// Whether the teacher took part: present, late or left early.
    pub fn took_part(&self) -> bool {
        matches!(self.status, "present" | "late" | "left_early")
    }
}

/// Shares per thousand [assumption].
const STATUSES: [(&str, usize); 7] = [
    ("present", 905),
    ("late", 25),
    ("left_early", 10),
    ("on_duty", 25),
    ("sick", 15),
    ("personal", 12),
    ("absent", 8),
];

const ETHICS: [&str; 8] = [
    "新时代教师职业行为十项准则学习",
    "师德师风专题学习",
    "“四有”好老师主题研讨",
    "教育法律法规与依法执教",
    "师德典型事迹分享",
    "家校沟通与教师言行规范",
    "廉洁从教警示教育",
    "关爱学生与教育惩戒尺度",
];
const LITERACY: [&str; 5] = [
    "教师心理健康与压力调适",
    "人文素养读书分享会",
    "普通话与规范汉字",
    "传统文化进校园",
    "校园安全与急救知识",
];
const PRACTICE: [(&str, &str); 12] = [
    ("集体备课", "joint_prep"),
    ("听评课", "observation"),
    ("研课磨课", "observation"),
    ("同课异构", "observation"),
    ("公开课展示与评议", "observation"),
    ("教学反思交流", "talk"),
    ("小课题研究推进会", "talk"),
    ("作业设计研讨", "joint_prep"),
    ("命题与试卷分析", "joint_prep"),
    ("青年教师汇报课", "observation"),
    ("信息技术应用实操", "task"),
    ("课程标准研读", "lecture"),
];

pub(super) fn term(county: &County, school: usize, year: i32, term: u8) -> Vec<SampleSession> {
    let Some(place) = county.schools.get(school) else {
        return Vec::new();
    };
    let mut random = Random::new(county.seed, &[7, school as u64, year as u64, u64::from(term)]);
    let mut days = days(year, term);
    random.shuffle(&mut days);
    days.truncate(random.between(18, 22) as usize);
    days.sort_unstable();

    // Six sessions of ethics and two of literacy fill the school's 6 + 2 credits in five years of two terms.
    let others = days.len().saturating_sub(8);
    let mut plan: Vec<Topic> = [
        vec![Topic::Ethics; 6],
        vec![Topic::Literacy; 2],
        vec![Topic::Practice; others],
    ]
    .concat();
    random.shuffle(&mut plan);
    let staff: Vec<usize> = county.teachers_of(school).collect();
    let groups = subject_groups(county, &staff);
    days.into_iter()
        .zip(plan)
        .map(|(date, topic)| match topic {
            Topic::Ethics => whole_school(&mut random, date, &ETHICS, ("ethics_literacy", "ethics"), &staff),
            Topic::Literacy => whole_school(
                &mut random,
                date,
                &LITERACY,
                ("ethics_literacy", "literacy"),
                &staff,
            ),
            Topic::Practice => practice(&mut random, date, place.teachers, &staff, &groups),
        })
        .collect()
}

#[derive(Clone, Copy)]
enum Topic {
    Ethics,
    Literacy,
    Practice,
}

fn whole_school(
    random: &mut Random,
    date: Date,
    themes: &[&str],
    (category, sub): (&'static str, &'static str),
    staff: &[usize],
) -> SampleSession {
    let theme = random.pick(themes).copied().unwrap_or("专题学习");
    let lecture = random.per_mille(500);
    SampleSession {
        title: format!("全体教师{}学习", if sub == "ethics" { "师德" } else { "素养" }),
        theme: theme.to_owned(),
        date,
        place: random
            .pick(&["会议室", "多功能教室", "阶梯教室"])
            .copied()
            .unwrap_or("会议室")
            .to_owned(),
        form: if lecture { "expert_lead" } else { "school_based" },
        category,
        sub,
        channel: "school",
        hours_c: 100,
        minutes: 45,
        lecture_minutes: if lecture { 30 } else { 0 },
        lecturers: if lecture {
            names::person(random, "1")
        } else {
            String::new()
        },
        marks: marks(random, staff),
    }
}

fn practice(
    random: &mut Random,
    date: Date,
    size: usize,
    staff: &[usize],
    groups: &[(&'static str, Vec<usize>)],
) -> SampleSession {
    let (act, way) = random
        .pick(&PRACTICE)
        .copied()
        .unwrap_or(("集体备课", "joint_prep"));
    // A third of the sessions of larger schools are those of one subject group.
    let group = if size > 20 && random.per_mille(330) {
        random.pick(groups)
    } else {
        None
    };
    let (subject, people) = group.map_or(("全校", staff), |(subject, people)| {
        (*subject, people.as_slice())
    });
    let double = random.per_mille(250);
    let (hours_c, minutes) = if double { (200, 90) } else { (100, 45) };
    let (form, lecture_minutes) = match way {
        "lecture" => ("expert_lead", 30),
        "task" => ("task_driven", 10),
        "observation" => ("mutual_inquiry", 0),
        _ => ("school_based", 0),
    };
    let lecturers = if lecture_minutes > 0 || way == "observation" {
        names::person(random, "2")
    } else {
        String::new()
    };
    SampleSession {
        title: format!("{subject}{act}"),
        theme: format!(
            "{act}：{}",
            random
                .pick(&[
                    "提高课堂实效",
                    "大单元教学",
                    "学困生帮扶",
                    "教学评一致性",
                    "乡土资源利用"
                ])
                .copied()
                .unwrap_or("提高课堂实效")
        ),
        date,
        place: random
            .pick(&["录播教室", "备课室", "多功能教室", "会议室"])
            .copied()
            .unwrap_or("备课室")
            .to_owned(),
        form,
        category: "practice",
        sub: "",
        channel: "school",
        hours_c,
        minutes,
        lecture_minutes,
        lecturers,
        marks: marks(random, people),
    }
}

fn marks(random: &mut Random, people: &[usize]) -> Vec<SampleMark> {
    people
        .iter()
        .map(|teacher| SampleMark {
            teacher: *teacher,
            status: random.weighted(&STATUSES).unwrap_or("present"),
        })
        .collect()
}

/// Subjects of a school that at least four teach.
fn subject_groups(county: &County, staff: &[usize]) -> Vec<(&'static str, Vec<usize>)> {
    let mut groups: BTreeMap<&'static str, Vec<usize>> = BTreeMap::new();
    for at in staff {
        if let Some(each) = county.teachers.get(*at) {
            groups.entry(each.subject).or_default().push(*at);
        }
    }
    groups
        .into_iter()
        .filter(|(_, people)| people.len() >= 4)
        .collect()
}

/// The Wednesdays and Fridays of a term's teaching weeks without the long holidays [assumption].
fn days(year: i32, term: u8) -> Vec<Date> {
    let Ok(year) = i16::try_from(year) else {
        return Vec::new();
    };
    let (from, to) = match term {
        1 => (Date::new(year, 9, 8), Date::new(year + 1, 1, 12)),
        2 => (Date::new(year + 1, 2, 25), Date::new(year + 1, 6, 30)),
        _ => return Vec::new(),
    };
    let (Ok(from), Ok(to)) = (from, to) else {
        return Vec::new();
    };
    let holiday =
        |date: &Date| (date.month() == 10 && date.day() <= 8) || (date.month() == 5 && date.day() <= 5);
    from.series(1.day())
        .take_while(|date| *date <= to)
        .filter(|date| matches!(date.weekday(), Weekday::Wednesday | Weekday::Friday) && !holiday(date))
        .collect()
}
