//! A whole county out of the sample's sizes (`records::sample`), as nodes: the hub, a computer for each school, the
//! laptop of the trainer team and that of the workshops. Everything is entered through the office as a person would,
//! and travels as it does outside: sessions over QUIC on loopback.

pub mod recount;

use std::collections::{BTreeMap, HashMap};

use node::office::{
    self, ImportFile, OrganisationInput, OutsideInput, OutsideRow, SessionInput, TeacherInput,
};
use node::{Filter, Node, Role};
use records::kinds::Actor;
use records::sample::{CountySize, SampleSchool, SampleSession, SampleTeacher, SchoolCounts, SubjectSeats};

pub use records::sample::County;

use crate::{Place, auditor, clerk, enter, until};

/// The code of the trainer team's laptop.
const TEAM: &str = "xp01";

/// The school year that the sessions of the schools are of.
pub const YEAR: i32 = 2025;

/// A county and its nodes.
pub struct Generated {
    /// What it was made from.
    pub county: County,
    /// The hub.
    pub hub: Place,
    /// A computer for each school, in the order of the county's schools.
    pub schools: Vec<Place>,
    /// Record ids of the schools, in the same order.
    pub ids: Vec<String>,
    /// The laptop of the trainer team, which writes the delivery sheets.
    pub team: Place,
    /// The laptop of the teacher centre that keeps the workshops and the trainer team's list.
    pub host: Place,
}

/// A small county in which a year of records takes seconds.
pub fn small() -> CountySize {
    CountySize {
        name: "松岭县",
        division: "680125",
        code_prefix: "SL",
        area_c: 30_012,
        population: 41_000,
        townships: 4,
        dev_zones: 1,
        town_schools: SchoolCounts {
            junior: 1,
            kindergartens: 1,
            ..SchoolCounts::default()
        },
        rural_schools: SchoolCounts {
            nine_year: 1,
            central_primary: 2,
            teaching_points: 1,
            ..SchoolCounts::default()
        },
        teachers_town: 17,
        teachers_rural: 44,
        smallest_school: 4,
        largest_school: 30,
        team: vec![seats("primary", "语文", 4), seats("junior", "数学", 2)],
        workshops: vec![seats("primary", "语文", 1), seats("primary", "数学", 1)],
        workshop_members: 8,
        workshop_sessions: 9,
        workshop_attendances: (185, 195),
        delivery_rounds: 4,
        delivery_years: 2,
        delivery_days: 2,
        delivery_attendances: (490, 500),
        trainer_lectures: 20,
        ..CountySize::published()
    }
}

/// A county that differs from [`small`] and from the published one in every size.
pub fn other() -> CountySize {
    CountySize {
        name: "青禾县",
        division: "680227",
        code_prefix: "QH",
        area_c: 90_050,
        population: 121_000,
        townships: 3,
        dev_zones: 2,
        town_schools: SchoolCounts {
            high: 1,
            ..SchoolCounts::default()
        },
        rural_schools: SchoolCounts {
            junior: 1,
            central_primary: 1,
            village_primary: 1,
            ..SchoolCounts::default()
        },
        teachers_town: 15,
        teachers_rural: 37,
        smallest_school: 3,
        largest_school: 22,
        team: vec![
            seats("primary", "语文", 3),
            seats("primary", "数学", 2),
            seats("junior", "英语", 2),
        ],
        workshops: vec![
            seats("primary", "数学", 2),
            seats("primary", "语文", 1),
            seats("junior", "英语", 1),
        ],
        workshop_members: 5,
        workshop_sessions: 18,
        workshop_attendances: (420, 423),
        delivery_rounds: 3,
        delivery_years: 1,
        delivery_days: 1,
        delivery_attendances: (300, 303),
        trainer_lectures: 13,
        ..CountySize::published()
    }
}

fn seats(stage: &'static str, subject: &'static str, seats: usize) -> SubjectSeats {
    SubjectSeats {
        stage,
        subject,
        seats,
    }
}

impl Generated {
    /// The county founded, its schools and laptops enrolled; no records yet but the registry.
    pub async fn found(size: CountySize, seed: u64) -> Generated {
        let county = County::of_size(seed, size);
        let hub = Place::county_named(&county.name);
        let ids = registry(&hub, &county);
        let enrolled = |label: String, grants: &[(Role, String)]| {
            let place = Place::device(&label);
            place.enrol(&hub, grants);
            place
        };
        let schools = county.schools.iter().zip(&ids);
        let schools = schools
            .map(|(school, id)| {
                enrolled(
                    format!("{} 办公室电脑", school.short_name),
                    &[(Role::School, id.clone())],
                )
            })
            .collect();
        let delivery = county.delivery();
        let mut hosts: Vec<usize> = delivery.iter().map(|each| each.host).collect();
        hosts.sort_unstable();
        hosts.dedup();
        let visited: Vec<(Role, String)> = hosts
            .iter()
            .flat_map(|at| {
                [
                    (Role::Mentor, format!("{TEAM}/{}", ids[*at])),
                    (Role::MentorReader, ids[*at].clone()),
                ]
            })
            .collect();
        let team = enrolled("县培团队 笔记本".into(), &visited);
        let host = enrolled(
            "进修学校 工作坊办公室".into(),
            &[(Role::Host, "gongzuofang".into())],
        );
        Generated {
            county,
            hub,
            schools,
            ids,
            team,
            host,
        }
    }

    /// Everything that is written while nobody has a network: a school year at each school, with what its people
    /// learned outside. `terms`: 1, 2 or both.
    pub fn school_year(&self, terms: &[u8]) {
        self.rosters();
        let outside = Outside::of(&self.county);
        for (at, (place, id)) in self.schools.iter().zip(&self.ids).enumerate() {
            for term in terms {
                self.hold(at, YEAR, *term, usize::MAX);
            }
            outside.enter(place, at, &self.county, &people(&place.node, id));
        }
    }

    /// Every school's people, on its own computer.
    pub fn rosters(&self) {
        for (at, (place, id)) in self.schools.iter().zip(&self.ids).enumerate() {
            let teachers = self.county.teachers_of(at);
            let teachers = teachers
                .map(|at| (None, input(&self.county.teachers[at])))
                .collect();
            office::save_teachers(&place.node, &clerk(), id, teachers).expect("a roster");
        }
    }

    /// A school holds the first sessions of a term, at most so many, each as a clerk enters it: session, attendance,
    /// end, 登分.
    pub fn hold(&self, school: usize, year: i32, term: u8, most: usize) {
        let (node, id) = (&self.schools[school].node, &self.ids[school]);
        let people = people(node, id);
        for session in self.county.term(school, year, term).iter().take(most) {
            hold(node, id, &self.county, &people, session);
        }
    }

    /// The sheets of the trainer team and the lists of the workshops; both laptops know the registry already.
    pub fn projects(&self) {
        for session in self.county.delivery() {
            self.delivery_sheet(&session);
        }
        let size = &self.county.size;
        for seats in &size.team {
            let own = self
                .county
                .team
                .iter()
                .filter(|each| (each.stage, each.subject) == (seats.stage, seats.subject));
            let name = format!("县培团队·{}{}", stage(seats.stage), seats.subject);
            let group = self.group(&name, "trainer_team", seats.stage, seats.subject, seats.seats);
            own.for_each(|trainer| self.member(&group, trainer.teacher, None));
        }
        for workshop in &self.county.workshops {
            let group = self.group(
                &workshop.name,
                "workshop",
                workshop.stage,
                workshop.subject,
                workshop.members.len(),
            );
            for member in &workshop.members {
                self.member(&group, member.teacher, Some(member.online_hours_c));
            }
        }
    }

    fn delivery_sheet(&self, session: &records::sample::DeliverySession) {
        let host = &self.ids[session.host];
        let until = last_day(session.from, session.days);
        let (from, to) = (session.from.to_string(), until.to_string());
        let numbers = [session.round, session.days * 100, session.participants.len()].map(|n| n.to_string());
        let values = [
            ("host", host.as_str()),
            ("visit_kind", "delivery"),
            ("theme", &format!("{}{}", stage(session.stage), session.subject)),
            ("project", &delivered(session)),
            ("round", &numbers[0]),
            ("stage", session.stage4.trim_start_matches("stage_")),
            ("subject", session.subject),
            ("from", &from),
            ("to", &to),
            ("days_c", &numbers[1]),
            ("trainees", &numbers[2]),
            ("summary", "示范课、研讨、讲座"),
        ];
        let sheet = enter(&self.team, Actor::Mentor, "visit", &values).expect("a sheet");
        for trainer in &session.trainers {
            let teacher = &self.county.teachers[*trainer];
            let values = [
                ("visit", sheet.as_str()),
                ("name", &teacher.name),
                ("unit", &self.county.schools[teacher.school].short_name),
                ("origin", "local"),
                ("role", "lecturer"),
            ];
            enter(&self.team, Actor::Mentor, "visit_member", &values).expect("a member");
        }
    }

    fn group(&self, name: &str, kind: &str, stage: &str, subject: &str, seats: usize) -> String {
        let values = [
            ("name", name),
            ("group_kind", kind),
            ("stage", stage),
            ("subject", subject),
            ("seats", &seats.to_string()),
            ("from", "2025-09-01"),
        ];
        enter(&self.host, Actor::Mentor, "training_group", &values).expect("a group")
    }

    fn member(&self, group: &str, teacher: usize, online_hours_c: Option<i64>) {
        let teacher = &self.county.teachers[teacher];
        let online = online_hours_c.map(|hours_c| hours_c.to_string());
        let mut values = vec![
            ("group", group),
            ("school", self.ids[teacher.school].as_str()),
            ("teacher_code", &teacher.teacher_code),
            ("applied_on", "2025-09-02"),
            ("applied_at", "08:30"),
        ];
        if let Some(online) = &online {
            values.extend([("online_c", online.as_str()), ("online_cut", "2026-07-10")]);
        }
        enter(&self.host, Actor::Mentor, "enrolment", &values).expect("a member");
    }

    /// The auditor recognises at most so many waiting claims of each school, every tenth with half of its credits;
    /// how many.
    pub fn decide(&self, of_each: u32) -> usize {
        let node = &self.hub.node;
        let mut decided = 0;
        for id in &self.ids {
            for (at, claim) in office::audit_queue_of(node, Some(id), of_each)
                .expect("a queue")
                .iter()
                .enumerate()
            {
                let (verdict, credits_c, reason) = match at % 10 {
                    9 => ("reduced", Some(claim.credits_c / 2), "over_cap"),
                    _ => ("recognised", None, ""),
                };
                let year: i32 = claim.date[..4].parse().expect("a year");
                let on = format!("{}-07-31", (YEAR + 2).max(year + 1));
                office::decide(node, &auditor(), &claim.id, verdict, credits_c, reason, "", &on)
                    .expect("decided");
                decided += 1;
            }
        }
        decided
    }

    /// The laptops with the hub, then the schools, some at a time, until each holds nothing that the county has not
    /// acknowledged and the county holds nothing for it.
    pub async fn meet(&mut self, at_a_time: usize) {
        self.hub.up().await;
        let hub = &self.hub;
        let others = [&mut self.team, &mut self.host]
            .into_iter()
            .chain(&mut self.schools);
        let mut others: Vec<&mut Place> = others.collect();
        for some in others.chunks_mut(at_a_time) {
            for place in some.iter_mut() {
                place.up().await;
                place.knows(hub);
            }
            until(
                "the hub holds what they wrote, and they what it holds for them",
                900,
                || {
                    let waiting = hub.node.peers().expect("peers");
                    let waits = |place: &Place| {
                        waiting
                            .iter()
                            .any(|p| p.node == place.node.id() && p.waiting.0 > 0)
                    };
                    some.iter().all(|place| {
                        place.node.not_at_county().expect("the store answers") == 0
                            && place.node.count(&Filter::kind("organisation")).expect("counted") > 0
                            && !waits(place)
                            && place.node.views_behind().expect("the store answers") == 0
                    })
                },
            )
            .await;
            for place in some.iter_mut() {
                place.down().await;
            }
        }
        until("the hub shows all", 600, || {
            self.hub.node.views_behind().expect("the store answers") == 0
        })
        .await;
        self.hub.down().await;
    }
}

/// The last of so many days.
fn last_day(from: records::Date, days: usize) -> records::Date {
    (1..days).fold(from, |day, _| day.tomorrow().expect("a day"))
}

/// What delivery of one subject is called at the schools and on the sheets.
fn delivered(session: &records::sample::DeliverySession) -> String {
    format!("送教下乡·{}{}", stage(session.stage), session.subject)
}

fn stage(code: &str) -> &'static str {
    match code {
        "primary" => "小学",
        "junior" => "初中",
        _ => "高中",
    }
}

/// Areas (townships and zones), and the schools below them; record ids of the schools in the county's order.
fn registry(hub: &Place, county: &County) -> Vec<String> {
    let named = |name: &str, org_kind: &str, parent: Option<&String>| OrganisationInput {
        name: name.into(),
        org_kind: org_kind.into(),
        division: county.size.division.into(),
        parent: parent.cloned().unwrap_or_default(),
        ..OrganisationInput::default()
    };
    let save = |inputs: Vec<OrganisationInput>| {
        let new = inputs.into_iter().map(|input| (None, input)).collect();
        office::save_organisations(&hub.node, &auditor(), new).expect("organisations");
    };
    let ids = || -> BTreeMap<String, String> {
        let all = office::organisations(&hub.node).expect("organisations");
        all.into_iter().map(|o| (o.name, o.id)).collect()
    };
    let areas = county.townships.iter().chain(&county.dev_zones);
    save(areas.map(|name| named(name, "area", None)).collect());
    let above = ids();
    let school = |school: &SampleSchool, parent: Option<&String>| OrganisationInput {
        short_name: school.short_name.clone(),
        school_code: school.school_code.clone(),
        rural: school.rural.into(),
        ..named(&school.name, school.kind.org_kind(), parent)
    };
    let all = &county.schools;
    save(
        all.iter()
            .map(|each| school(each, above.get(&each.township)))
            .collect(),
    );
    let known = ids();
    all.iter().map(|each| known[&each.name].clone()).collect()
}

fn input(teacher: &SampleTeacher) -> TeacherInput {
    TeacherInput {
        teacher_code: teacher.teacher_code.clone(),
        name: teacher.name.clone(),
        sex: teacher.sex.into(),
        birth_year: Some(teacher.birth_year),
        status: teacher.status.into(),
        post: teacher.post.into(),
        title: teacher.title.into(),
        subject: teacher.subject.into(),
        stage: teacher.stage.into(),
        homeroom: teacher.homeroom,
        parts: None,
        teaching_from: Some(teacher.teaching_from),
        from: "2025-09-01".into(),
    }
}

/// Record ids of a school's people by teacher code.
fn people(node: &Node, school: &str) -> HashMap<String, String> {
    let roster = office::roster(node, school).expect("a roster");
    roster
        .into_iter()
        .map(|teacher| (teacher.teacher_code, teacher.id))
        .collect()
}

fn hold(
    node: &Node,
    school: &str,
    county: &County,
    people: &HashMap<String, String>,
    sample: &SampleSession,
) {
    let input = SessionInput::from(sample);
    let date = input.date.clone();
    let session = office::save_session(node, &clerk(), school, None, input).expect("a session");
    let marks: Vec<(String, String)> = sample
        .marks
        .iter()
        .map(|mark| {
            (
                people[&county.teachers[mark.teacher].teacher_code].clone(),
                mark.status.to_string(),
            )
        })
        .collect();
    office::mark_attendance(node, &clerk(), &session, &marks).expect("marks");
    office::end_session(node, &clerk(), &session).expect("ended");
    office::register_claims(node, &clerk(), &session, &date).expect("claims");
}

/// Delivery and workshops, as each school enters what its own people took part in.
struct Outside(Vec<(OutsideInput, Vec<usize>)>);

impl Outside {
    fn of(county: &County) -> Outside {
        let training = |project: String, from: String, until: String, hours_c: i64| OutsideInput {
            project,
            organiser: county.hub_name.clone(),
            from,
            until,
            form: "intensive".into(),
            category: "knowledge_skill".into(),
            channel: "district".into(),
            hours_c,
            ..OutsideInput::default()
        };
        let mut all = Vec::new();
        for session in county.delivery() {
            let last = last_day(session.from, session.days);
            let of = training(
                delivered(&session),
                session.from.to_string(),
                last.to_string(),
                1200,
            );
            all.push((of, session.participants));
        }
        for session in county.workshop_sessions() {
            let name = county.workshops[session.workshop].name.clone();
            all.push((
                training(name, session.date.to_string(), String::new(), 600),
                session.participants,
            ));
        }
        Outside(all)
    }

    fn enter(&self, place: &Place, school: usize, county: &County, people: &HashMap<String, String>) {
        let mut rows = Vec::new();
        for (training, took_part) in &self.0 {
            for at in took_part
                .iter()
                .filter(|at| county.teachers[**at].school == school)
            {
                rows.push(OutsideRow {
                    key: format!("校外培训!{}", rows.len() + 2),
                    person: people[&county.teachers[*at].teacher_code].clone(),
                    training: training.clone(),
                });
            }
        }
        let file = ImportFile {
            id: place.node.new_id(),
            what: "outside".into(),
            about: String::new(),
            name: "校外培训.xlsx".into(),
            hash: "00".repeat(32),
        };
        office::import_outside(&place.node, &clerk(), &file, rows, "2027-07-10").expect("entered");
    }
}
