//! The schools of the sample county.

use std::collections::BTreeSet;

use super::names;
use super::random::{Random, apportion};
use super::size::{CountySize, SchoolCounts};

/// Kind of school in the sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SchoolKind {
    /// 高级中学.
    High,
    /// 初级中学.
    Junior,
    /// 九年一贯制学校.
    NineYear,
    /// 乡镇中心小学.
    CentralPrimary,
    /// 村完全小学.
    VillagePrimary,
    /// 教学点.
    TeachingPoint,
    /// 幼儿园.
    Kindergarten,
}

impl SchoolKind {
    /// Code of the field `org_kind` of the kind `organisation`.
    pub fn org_kind(self) -> &'static str {
        match self {
            SchoolKind::High | SchoolKind::Junior => "secondary_school",
            SchoolKind::NineYear => "nine_year_school",
            SchoolKind::CentralPrimary => "central_school",
            SchoolKind::VillagePrimary => "complete_primary",
            SchoolKind::TeachingPoint => "teaching_point",
            SchoolKind::Kindergarten => "kindergarten",
        }
    }

    /// First two digits of the 学校标识码 (domain.md §7.1).
    fn code_prefix(self) -> &'static str {
        match self {
            SchoolKind::High => "34",
            SchoolKind::Junior | SchoolKind::NineYear => "31",
            SchoolKind::CentralPrimary | SchoolKind::VillagePrimary | SchoolKind::TeachingPoint => "21",
            SchoolKind::Kindergarten => "11",
        }
    }

    /// Usual number of staff: the weight by which a county's teachers are shared out [assumption].
    fn usual_size(self) -> usize {
        match self {
            SchoolKind::High => 85,
            SchoolKind::Junior => 60,
            SchoolKind::NineYear => 45,
            SchoolKind::CentralPrimary => 38,
            SchoolKind::VillagePrimary => 14,
            SchoolKind::TeachingPoint => 6,
            SchoolKind::Kindergarten => 18,
        }
    }
}

/// A school of the sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleSchool {
    /// Full name.
    pub name: String,
    /// Short name, without the county.
    pub short_name: String,
    /// Kind.
    pub kind: SchoolKind,
    /// Made-up 学校标识码, 10 digits.
    pub school_code: String,
    /// Code of the field `rural`.
    pub rural: &'static str,
    /// Township or zone it lies in.
    pub township: String,
    /// Number of teachers.
    pub teachers: usize,
}

impl SampleSchool {
    /// Whether it lies in the county town.
    pub fn in_county_town(&self) -> bool {
        self.rural == "county_town"
    }
}

pub(super) fn schools(size: &CountySize, random: &mut Random) -> Vec<SampleSchool> {
    let mut maker = Maker {
        size,
        used: BTreeSet::new(),
        schools: Vec::new(),
    };
    maker.group(&size.town_schools, true);
    let town = maker.schools.len();
    maker.group(&size.rural_schools, false);
    let mut schools = maker.schools;
    let mut weights: Vec<usize> = schools
        .iter()
        .map(|school| school.kind.usual_size() * random.between(60, 150) as usize)
        .collect();
    let rural_weights = weights.split_off(town);
    let mut teachers = apportion(
        size.teachers_town,
        &weights,
        size.smallest_school,
        size.largest_school,
    );
    teachers.extend(apportion(
        size.teachers_rural,
        &rural_weights,
        size.smallest_school,
        size.largest_school,
    ));
    for (school, teachers) in schools.iter_mut().zip(teachers) {
        school.teachers = teachers;
    }
    schools
}

struct Maker<'a> {
    size: &'a CountySize,
    used: BTreeSet<String>,
    schools: Vec<SampleSchool>,
}

impl Maker<'_> {
    fn group(&mut self, counts: &SchoolCounts, town: bool) {
        let seat = names::township(0);
        // Rural schools lie in the townships after the county seat, then in the zone.
        let places = self.size.townships.saturating_sub(1).max(1);
        let township = |number: usize| names::township(1 + number % places);
        let zone = (self.size.dev_zones > 0).then(|| "经济开发区".to_owned());

        // Secondary schools of the county town are numbered through, as counties do.
        let mut secondary = 0;
        for kind in [SchoolKind::High, SchoolKind::Junior] {
            for number in 0..counts.of(kind) {
                if town {
                    secondary += 1;
                    self.add(
                        kind,
                        format!("第{}中学", names::chinese(secondary)),
                        &seat,
                        "county_town",
                    );
                } else {
                    let place = township(number);
                    let name = if kind == SchoolKind::High {
                        "高级中学"
                    } else {
                        "初级中学"
                    };
                    self.add(kind, format!("{place}{name}"), &place, "township");
                }
            }
        }
        for number in 0..counts.nine_year {
            match (&zone, town, number) {
                (_, true, _) => self.add(SchoolKind::NineYear, "实验学校".to_owned(), &seat, "county_town"),
                (Some(zone), false, 0) => {
                    self.add(SchoolKind::NineYear, format!("{zone}九年制学校"), zone, "street")
                }
                (_, false, _) => {
                    let place = township(counts.junior + number);
                    self.add(
                        SchoolKind::NineYear,
                        format!("{place}九年制学校"),
                        &place,
                        "township",
                    );
                }
            }
        }
        for number in 0..counts.central_primary {
            let place = if town { seat.clone() } else { township(number) };
            self.add(
                SchoolKind::CentralPrimary,
                format!("{place}中心小学"),
                &place,
                if town { "county_town" } else { "township" },
            );
        }
        let mut villages = 0;
        for (kind, name) in [
            (SchoolKind::VillagePrimary, "小学"),
            (SchoolKind::TeachingPoint, "教学点"),
        ] {
            for _ in 0..counts.of(kind) {
                let place = if town {
                    seat.clone()
                } else {
                    township(villages * 2)
                };
                let full = format!("{place}{}{name}", names::village(villages));
                self.add(kind, full, &place, if town { "county_town" } else { "village" });
                villages += 1;
            }
        }
        for number in 0..counts.kindergartens {
            if town {
                self.add(
                    SchoolKind::Kindergarten,
                    format!("第{}幼儿园", names::chinese(number + 1)),
                    &seat,
                    "county_town",
                );
            } else {
                let place = township(number);
                self.add(
                    SchoolKind::Kindergarten,
                    format!("{place}中心幼儿园"),
                    &place,
                    "township",
                );
            }
        }
    }

    fn add(&mut self, kind: SchoolKind, name: String, township: &str, rural: &'static str) {
        let mut short_name = name.clone();
        let mut number = 2;
        while !self.used.insert(short_name.clone()) {
            short_name = format!("{name}（{}）", names::chinese(number));
            number += 1;
        }
        let province = self.size.division.get(..2).unwrap_or("00");
        self.schools.push(SampleSchool {
            name: format!("{}{short_name}", self.size.name),
            short_name,
            kind,
            school_code: format!("{}{province}{:06}", kind.code_prefix(), self.schools.len() + 1),
            rural,
            township: township.to_owned(),
            teachers: 0,
        });
    }
}
