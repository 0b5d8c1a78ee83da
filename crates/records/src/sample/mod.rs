//! A made-up county for the demo, tests and measurements.
//!
//! The totals are those that one county published (seed 002, domain.md §5); its name, codes, places
//! and people are invented. The same seed and size give the same county on every machine.

mod names;
mod projects;
mod random;
mod schools;
mod size;
mod teachers;
mod terms;
#[cfg(test)]
mod tests;

pub use projects::{DeliverySession, Trainer, Workshop, WorkshopMember, WorkshopSession};
pub use schools::{SampleSchool, SchoolKind};
pub use size::{CountySize, SchoolCounts, SubjectSeats};
pub use teachers::SampleTeacher;
pub use terms::{SampleMark, SampleSession};

use random::Random;

/// A whole county. Schools and teachers are named by their index in these lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct County {
    /// The seed it came from.
    pub seed: u64,
    /// Its size.
    pub size: CountySize,
    /// Name of the county.
    pub name: String,
    /// Name of the county teacher centre, which runs the hub.
    pub hub_name: String,
    /// Names of townships, the county seat first.
    pub townships: Vec<String>,
    /// Names of development zones.
    pub dev_zones: Vec<String>,
    /// Schools, those of the county town first.
    pub schools: Vec<SampleSchool>,
    /// Teachers, school by school.
    pub teachers: Vec<SampleTeacher>,
    /// The trainer team (县培团队).
    pub team: Vec<Trainer>,
    /// The workshops.
    pub workshops: Vec<Workshop>,
}

impl County {
    /// The county of the published size.
    pub fn generate(seed: u64) -> County {
        County::of_size(seed, CountySize::published())
    }

    /// A county of any size.
    pub fn of_size(seed: u64, size: CountySize) -> County {
        let schools = schools::schools(&size, &mut Random::new(seed, &[1]));
        let teachers = teachers::teachers(&size, &schools, &mut Random::new(seed, &[2]));
        let team = projects::team(&size, &teachers, &mut Random::new(seed, &[3]));
        let workshops = projects::workshops(&size, &teachers, &team, &mut Random::new(seed, &[4]));
        let zone = |number: usize| match number {
            0 => format!("{}经济开发区", size.name.trim_end_matches('县')),
            number => format!(
                "{}第{}开发区",
                size.name.trim_end_matches('县'),
                names::chinese(number + 1)
            ),
        };
        County {
            seed,
            name: size.name.to_owned(),
            hub_name: format!("{}教师进修学校", size.name),
            townships: (0..size.townships).map(names::township).collect(),
            dev_zones: (0..size.dev_zones).map(zone).collect(),
            size,
            schools,
            teachers,
            team,
            workshops,
        }
    }

    /// Indices of a school's teachers.
    pub fn teachers_of(&self, school: usize) -> impl Iterator<Item = usize> + '_ {
        self.teachers
            .iter()
            .enumerate()
            .filter(move |(_, each)| each.school == school)
            .map(|(at, _)| at)
    }

    /// The sessions of a school in one term (1 or 2) of a school year, about twenty, by date.
    pub fn term(&self, school: usize, year: i32, term: u8) -> Vec<SampleSession> {
        terms::term(self, school, year, term)
    }

    /// All delivery sessions (送教下乡).
    pub fn delivery(&self) -> Vec<DeliverySession> {
        projects::delivery(
            &self.size,
            &self.schools,
            &self.teachers,
            &self.team,
            &mut Random::new(self.seed, &[5]),
        )
    }

    /// All offline sessions of the workshops.
    pub fn workshop_sessions(&self) -> Vec<WorkshopSession> {
        projects::workshop_sessions(
            &self.size,
            &self.teachers,
            &self.workshops,
            &mut Random::new(self.seed, &[6]),
        )
    }
}
