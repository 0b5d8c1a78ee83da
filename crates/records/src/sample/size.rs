//! How large a sample county is.

use super::schools::SchoolKind;

/// Numbers of schools by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SchoolCounts {
    /// 高级中学.
    pub high: usize,
    /// 初级中学.
    pub junior: usize,
    /// 九年一贯制学校.
    pub nine_year: usize,
    /// 中心小学.
    pub central_primary: usize,
    /// 村完全小学.
    pub village_primary: usize,
    /// 教学点.
    pub teaching_points: usize,
    /// 幼儿园.
    pub kindergartens: usize,
}

impl SchoolCounts {
    /// Number of schools of a kind.
    pub fn of(&self, kind: SchoolKind) -> usize {
        match kind {
            SchoolKind::High => self.high,
            SchoolKind::Junior => self.junior,
            SchoolKind::NineYear => self.nine_year,
            SchoolKind::CentralPrimary => self.central_primary,
            SchoolKind::VillagePrimary => self.village_primary,
            SchoolKind::TeachingPoint => self.teaching_points,
            SchoolKind::Kindergarten => self.kindergartens,
        }
    }

    /// Number of schools.
    pub fn total(&self) -> usize {
        self.high
            + self.junior
            + self.nine_year
            + self.central_primary
            + self.village_primary
            + self.teaching_points
            + self.kindergartens
    }
}

/// A subject at a stage, with a number of seats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubjectSeats {
    /// Stage code.
    pub stage: &'static str,
    /// Subject in Chinese.
    pub subject: &'static str,
    /// Seats in the trainer team, or number of workshops.
    pub seats: usize,
}

/// Everything that sizes a county. All numbers of the sample come from here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountySize {
    /// Name; fictitious.
    pub name: &'static str,
    /// Division code, six digits; the sample's begins with 68, which no province has.
    pub division: &'static str,
    /// Two letters before teacher codes.
    pub code_prefix: &'static str,
    /// School year in which the sample begins.
    pub first_year: i32,
    /// Area in hundredths of a square kilometre.
    pub area_c: i64,
    /// Inhabitants.
    pub population: i64,
    /// Townships, the county seat included.
    pub townships: usize,
    /// Development zones.
    pub dev_zones: usize,
    /// Schools of the county town.
    pub town_schools: SchoolCounts,
    /// Rural schools.
    pub rural_schools: SchoolCounts,
    /// Teachers of the county town.
    pub teachers_town: usize,
    /// Rural teachers.
    pub teachers_rural: usize,
    /// Teachers of the smallest school.
    pub smallest_school: usize,
    /// Teachers of the largest school.
    pub largest_school: usize,
    /// Trainer team (县培团队) by subject.
    pub team: Vec<SubjectSeats>,
    /// Workshops by subject; `seats` is the number of workshops.
    pub workshops: Vec<SubjectSeats>,
    /// Members of each workshop.
    pub workshop_members: usize,
    /// Offline workshop sessions over two years.
    pub workshop_sessions: usize,
    /// Least and greatest sum of their attendances.
    pub workshop_attendances: (usize, usize),
    /// Delivery (送教下乡) rounds a year; the team's subjects run in parallel.
    pub delivery_rounds: usize,
    /// Years of delivery.
    pub delivery_years: usize,
    /// Days of one round.
    pub delivery_days: usize,
    /// Least and greatest sum of the attendances of all delivery sessions.
    pub delivery_attendances: (usize, usize),
    /// Times that members of the team taught in delivery sessions.
    pub trainer_lectures: usize,
}

impl CountySize {
    /// The published figures of seed 002 (domain.md §5.1) under a made-up name; the split of schools by
    /// kind is the assumption suggested there.
    pub fn published() -> CountySize {
        CountySize {
            name: "云岭县",
            division: "680123",
            code_prefix: "YL",
            first_year: 2025,
            area_c: 144_392,
            population: 380_000,
            townships: 16,
            dev_zones: 1,
            town_schools: SchoolCounts {
                high: 2,
                junior: 2,
                central_primary: 1,
                kindergartens: 2,
                ..SchoolCounts::default()
            },
            rural_schools: SchoolCounts {
                junior: 4,
                nine_year: 6,
                central_primary: 15,
                village_primary: 5,
                teaching_points: 3,
                kindergartens: 5,
                ..SchoolCounts::default()
            },
            teachers_town: 440,
            teachers_rural: 1200,
            smallest_school: 6,
            largest_school: 90,
            team: vec![
                SubjectSeats {
                    stage: "primary",
                    subject: "语文",
                    seats: 20,
                },
                SubjectSeats {
                    stage: "primary",
                    subject: "数学",
                    seats: 20,
                },
                SubjectSeats {
                    stage: "junior",
                    subject: "语文",
                    seats: 10,
                },
                SubjectSeats {
                    stage: "junior",
                    subject: "数学",
                    seats: 10,
                },
                SubjectSeats {
                    stage: "junior",
                    subject: "英语",
                    seats: 10,
                },
            ],
            workshops: vec![
                SubjectSeats {
                    stage: "primary",
                    subject: "语文",
                    seats: 3,
                },
                SubjectSeats {
                    stage: "primary",
                    subject: "数学",
                    seats: 3,
                },
                SubjectSeats {
                    stage: "primary",
                    subject: "科学",
                    seats: 1,
                },
                SubjectSeats {
                    stage: "junior",
                    subject: "语文",
                    seats: 1,
                },
                SubjectSeats {
                    stage: "junior",
                    subject: "数学",
                    seats: 1,
                },
                SubjectSeats {
                    stage: "junior",
                    subject: "英语",
                    seats: 1,
                },
            ],
            workshop_members: 50,
            workshop_sessions: 42,
            // Both sums below 3,551 keep the two together under 7,100: the seed's “近七千” (±100).
            workshop_attendances: (3500, 3550),
            delivery_rounds: 4,
            delivery_years: 2,
            delivery_days: 2,
            delivery_attendances: (3500, 3550),
            trainer_lectures: 96,
        }
    }

    /// Number of delivery sessions.
    pub fn delivery_sessions(&self) -> usize {
        self.team.len() * self.delivery_rounds * self.delivery_years
    }
}
