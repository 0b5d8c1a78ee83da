//! The county's projects in the sample: trainer team, delivery (送教下乡) and workshops (教师工作坊).

use std::collections::BTreeSet;

use jiff::ToSpan;
use jiff::civil::{Date, Weekday};

use super::random::{Random, apportion};
use super::schools::{SampleSchool, SchoolKind};
use super::size::{CountySize, SubjectSeats};
use super::teachers::SampleTeacher;

/// A member of the trainer team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trainer {
    /// Index of the teacher.
    pub teacher: usize,
    /// Stage code of the seat.
    pub stage: &'static str,
    /// Subject of the seat.
    pub subject: &'static str,
}

/// One delivery session: one subject in one round, on consecutive days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliverySession {
    /// School year.
    pub year: i32,
    /// Round in the year, from 1.
    pub round: usize,
    /// One of the four stages: stage_diagnose, stage_polish, stage_show, stage_review.
    pub stage4: &'static str,
    /// Stage code.
    pub stage: &'static str,
    /// Subject.
    pub subject: &'static str,
    /// Index of the host school.
    pub host: usize,
    /// First day.
    pub from: Date,
    /// Number of days.
    pub days: usize,
    /// Teachers (by index) of the team who taught.
    pub trainers: Vec<usize>,
    /// Teachers (by index) who attended: each is one attendance (人次).
    pub participants: Vec<usize>,
}

/// A member of a workshop with the online hours of the year.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkshopMember {
    /// Index of the teacher.
    pub teacher: usize,
    /// Online class-hours, hundredths.
    pub online_hours_c: i64,
}

/// A workshop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workshop {
    /// Number, from 1.
    pub number: usize,
    /// Name.
    pub name: String,
    /// Stage code.
    pub stage: &'static str,
    /// Subject.
    pub subject: &'static str,
    /// Index of the teacher who hosts it (坊主).
    pub host: usize,
    /// Members.
    pub members: Vec<WorkshopMember>,
}

/// One offline session of a workshop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkshopSession {
    /// Index of the workshop.
    pub workshop: usize,
    /// Day.
    pub date: Date,
    /// Whether it is one of those planned, or an extra one.
    pub planned: bool,
    /// Teachers (by index) who attended, guests too.
    pub participants: Vec<usize>,
}

const STAGES: [&str; 4] = ["stage_diagnose", "stage_polish", "stage_show", "stage_review"];

/// First days of the four rounds [assumption]: month, day, and whether after New Year.
const ROUNDS: [(i8, i8, bool); 4] = [(10, 14, false), (11, 18, false), (3, 24, true), (5, 12, true)];

pub(super) fn team(size: &CountySize, teachers: &[SampleTeacher], random: &mut Random) -> Vec<Trainer> {
    let mut taken = BTreeSet::new();
    let mut team = Vec::new();
    for seats in &size.team {
        let skilled = |each: &SampleTeacher| {
            matches!(each.title, "first" | "senior" | "full_senior") && each.post != "staff"
        };
        for teacher in by_fit(teachers, seats, random, &taken, skilled)
            .into_iter()
            .take(seats.seats)
        {
            taken.insert(teacher);
            team.push(Trainer {
                teacher,
                stage: seats.stage,
                subject: seats.subject,
            });
        }
    }
    team
}

pub(super) fn workshops(
    size: &CountySize,
    teachers: &[SampleTeacher],
    team: &[Trainer],
    random: &mut Random,
) -> Vec<Workshop> {
    let mut taken = BTreeSet::new();
    let mut workshops: Vec<Workshop> = Vec::new();
    for subject in &size.workshops {
        for _ in 0..subject.seats {
            let of_team = team.iter().find(|each| {
                (each.stage, each.subject) == (subject.stage, subject.subject)
                    && !taken.contains(&each.teacher)
            });
            let host = of_team.map(|each| each.teacher);
            let host = host
                .or_else(|| {
                    by_fit(teachers, subject, random, &taken, |each| each.title == "first")
                        .first()
                        .copied()
                })
                .unwrap_or(0);
            taken.insert(host);
            let mut members = Vec::new();
            for teacher in by_fit(teachers, subject, random, &taken, |each| each.post == "teacher")
                .into_iter()
                .take(size.workshop_members)
            {
                taken.insert(teacher);
                members.push(WorkshopMember {
                    teacher,
                    online_hours_c: 0,
                });
            }
            let number = workshops.len() + 1;
            let stage = if subject.stage == "primary" {
                "小学"
            } else {
                "初中"
            };
            let name = format!("{stage}{}教师工作坊（{number}坊）", subject.subject);
            workshops.push(Workshop {
                number,
                name,
                stage: subject.stage,
                subject: subject.subject,
                host,
                members,
            });
        }
    }
    // Online hours over all members: 92 % reach 80, 6 % have 40–79, 2 % fewer (domain.md §5.2).
    let members = workshops.iter().map(|each| each.members.len()).sum::<usize>();
    let (some, few) = ((members * 6 + 50) / 100, (members * 2 + 50) / 100);
    let mut hours: Vec<i64> = (0..members)
        .map(|at| match at {
            at if at < few => random.between(0, 399) * 10,
            at if at < few + some => random.between(400, 799) * 10,
            _ => random.between(800, 1200) * 10,
        })
        .collect();
    random.shuffle(&mut hours);
    for (member, hours_c) in workshops.iter_mut().flat_map(|each| &mut each.members).zip(hours) {
        member.online_hours_c = hours_c;
    }
    workshops
}

pub(super) fn delivery(
    size: &CountySize,
    schools: &[SampleSchool],
    teachers: &[SampleTeacher],
    team: &[Trainer],
    random: &mut Random,
) -> Vec<DeliverySession> {
    let sessions = size.delivery_sessions();
    let total = random.between(
        size.delivery_attendances.0 as i64,
        size.delivery_attendances.1 as i64,
    ) as usize;
    let weights: Vec<usize> = (0..sessions).map(|_| random.between(70, 130) as usize).collect();
    let attendances = apportion(total, &weights, 30, 150);
    let lectures = apportion(size.trainer_lectures, &vec![1; sessions], 1, 10);
    let hosts_for = |stage: &str| -> Vec<usize> {
        let fits = |each: &SampleSchool| match each.kind {
            SchoolKind::NineYear => true,
            SchoolKind::Junior => stage == "junior",
            SchoolKind::CentralPrimary => stage == "primary",
            _ => false,
        };
        let rural = |at: &usize| {
            schools
                .get(*at)
                .is_some_and(|each| !each.in_county_town() && each.teachers >= 20 && fits(each))
        };
        (0..schools.len()).filter(rural).collect()
    };
    let mut counts = attendances.into_iter().zip(lectures);
    let mut list = Vec::new();
    for year in 0..size.delivery_years {
        for round in 0..size.delivery_rounds {
            let from = round_day(size.first_year + year as i32, round);
            for seats in &size.team {
                let Some((attendances, lectures)) = counts.next() else {
                    continue;
                };
                let mut own: Vec<usize> = team
                    .iter()
                    .filter(|each| (each.stage, each.subject) == (seats.stage, seats.subject))
                    .map(|each| each.teacher)
                    .collect();
                random.shuffle(&mut own);
                own.truncate(lectures);
                let trainers: BTreeSet<usize> = own.iter().copied().collect();
                let everyone = by_fit(teachers, seats, random, &trainers, |_| true);
                list.push(DeliverySession {
                    year: size.first_year + year as i32,
                    round: round + 1,
                    stage4: STAGES
                        .get(round % STAGES.len())
                        .copied()
                        .unwrap_or("stage_diagnose"),
                    stage: seats.stage,
                    subject: seats.subject,
                    host: random.pick(&hosts_for(seats.stage)).copied().unwrap_or(0),
                    from,
                    days: size.delivery_days,
                    trainers: own,
                    participants: everyone.into_iter().take(attendances).collect(),
                });
            }
        }
    }
    list
}

pub(super) fn workshop_sessions(
    size: &CountySize,
    teachers: &[SampleTeacher],
    workshops: &[Workshop],
    random: &mut Random,
) -> Vec<WorkshopSession> {
    if workshops.is_empty() {
        return Vec::new();
    }
    let total = random.between(
        size.workshop_attendances.0 as i64,
        size.workshop_attendances.1 as i64,
    ) as usize;
    let weights: Vec<usize> = (0..size.workshop_sessions)
        .map(|_| random.between(75, 125) as usize)
        .collect();
    let attendances = apportion(total, &weights, 20, 150);
    let planned = workshops.len() * 4;
    attendances
        .into_iter()
        .enumerate()
        .filter_map(|(at, attendances)| {
            let workshop = at % workshops.len();
            let each = workshops.get(workshop)?;
            // Two meetings a year over two years, in November and April; what is more comes in June.
            let meeting = at / workshops.len();
            let (month, year) = [(11, 0), (4, 1), (11, 1), (4, 2)]
                .get(meeting)
                .copied()
                .unwrap_or((6, 2));
            let date =
                weekday(Date::new((size.first_year + year) as i16, month, 3 + (workshop % 20) as i8).ok()?);
            let members: BTreeSet<usize> = each.members.iter().map(|member| member.teacher).collect();
            let mut participants: Vec<usize> = members
                .iter()
                .copied()
                .filter(|_| random.per_mille(900))
                .collect();
            let seats = SubjectSeats {
                stage: each.stage,
                subject: each.subject,
                seats: 0,
            };
            participants.extend(by_fit(teachers, &seats, random, &members, |_| true));
            participants.truncate(attendances);
            Some(WorkshopSession {
                workshop,
                date,
                planned: at < planned,
                participants,
            })
        })
        .collect()
}

/// Everyone who is not taken: first those of the subject and stage who are wanted, then of the subject
/// and stage, then of the stage, then the rest; at random within each.
fn by_fit(
    teachers: &[SampleTeacher],
    seats: &SubjectSeats,
    random: &mut Random,
    taken: &BTreeSet<usize>,
    wanted: impl Fn(&SampleTeacher) -> bool,
) -> Vec<usize> {
    let mut ranked: Vec<(u8, u64, usize)> = teachers
        .iter()
        .enumerate()
        .filter(|(at, _)| !taken.contains(at))
        .map(|(at, each)| {
            let fits = each.subject == seats.subject && each.stage == seats.stage;
            let rank = match (fits, wanted(each), each.stage == seats.stage) {
                (true, true, _) => 0,
                (true, false, _) => 1,
                (false, _, true) => 2,
                (false, _, false) => 3,
            };
            (rank, random.next(), at)
        })
        .collect();
    ranked.sort_unstable();
    ranked.into_iter().map(|(_, _, at)| at).collect()
}

fn round_day(year: i32, round: usize) -> Date {
    let (month, day, next) = ROUNDS.get(round).copied().unwrap_or((6, 2, true));
    let year = i16::try_from(year).unwrap_or(2025) + i16::from(next);
    weekday(Date::new(year, month, day).unwrap_or(Date::constant(2025, 10, 14)))
}

/// The day itself, or the Monday after a weekend; a Friday moves too, so that two days fit.
fn weekday(date: Date) -> Date {
    let ahead = match date.weekday() {
        Weekday::Friday => 3,
        Weekday::Saturday => 2,
        Weekday::Sunday => 1,
        _ => 0,
    };
    date.checked_add(ahead.days()).unwrap_or(date)
}
