//! The sample county against the published figures, and against what an office would believe.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::fixed::show_hundredths;
use crate::kinds::{Kinds, find_personal};

const SEEDS: [u64; 4] = [0, 1, 20_260_901, u64::MAX];

#[derive(serde::Deserialize)]
struct Targets {
    target: Vec<Target>,
}

#[derive(serde::Deserialize)]
struct Target {
    id: String,
    op: String,
    value: String,
}

/// What the county really has, by the id of the target.
fn figure(
    county: &County,
    delivery: &[DeliverySession],
    workshop_sessions: &[WorkshopSession],
    id: &str,
) -> String {
    let town = |wanted: bool| {
        county
            .schools
            .iter()
            .filter(move |each| each.in_county_town() == wanted)
    };
    let teachers_in = |wanted: bool| {
        county
            .teachers
            .iter()
            .filter(|each| county.schools[each.school].in_county_town() == wanted)
            .count()
    };
    let delivered: usize = delivery.iter().map(|each| each.participants.len()).sum();
    let met: usize = workshop_sessions.iter().map(|each| each.participants.len()).sum();
    let each_year = |count: usize, years: usize| {
        assert!(count.is_multiple_of(years), "the same in every year");
        count / years
    };
    match id {
        "area_km2" => show_hundredths(county.size.area_c),
        "population" => county.size.population.to_string(),
        "townships" => county.townships.iter().collect::<BTreeSet<_>>().len().to_string(),
        "dev_zones" => county.dev_zones.len().to_string(),
        "schools" => county
            .schools
            .iter()
            .map(|each| &each.name)
            .collect::<BTreeSet<_>>()
            .len()
            .to_string(),
        "schools_county_town" => town(true).count().to_string(),
        "schools_rural" => town(false).count().to_string(),
        "teachers" => county
            .teachers
            .iter()
            .map(|each| &each.teacher_code)
            .collect::<BTreeSet<_>>()
            .len()
            .to_string(),
        "teachers_county_town" => teachers_in(true).to_string(),
        "teachers_rural" => teachers_in(false).to_string(),
        "team_total" => county
            .team
            .iter()
            .map(|each| each.teacher)
            .collect::<BTreeSet<_>>()
            .len()
            .to_string(),
        "team_by_subject" => {
            let seats = |stage: &str, subject: &str| {
                county
                    .team
                    .iter()
                    .filter(|each| (each.stage, each.subject) == (stage, subject))
                    .count()
            };
            format!(
                "小语{} 小数{} 初语{} 初数{} 初英{}",
                seats("primary", "语文"),
                seats("primary", "数学"),
                seats("junior", "语文"),
                seats("junior", "数学"),
                seats("junior", "英语")
            )
        }
        "workshops" => county.workshops.len().to_string(),
        "workshop_subjects" => county
            .workshops
            .iter()
            .map(|each| (each.stage, each.subject))
            .collect::<BTreeSet<_>>()
            .len()
            .to_string(),
        "workshop_members_each" => {
            let sizes: BTreeSet<usize> = county.workshops.iter().map(|each| each.members.len()).collect();
            sizes.iter().map(usize::to_string).collect::<Vec<_>>().join(",")
        }
        "workshop_members_with_80_hours" => county
            .workshops
            .iter()
            .flat_map(|each| &each.members)
            .filter(|member| member.online_hours_c >= 8000)
            .count()
            .to_string(),
        "workshop_f2f_per_year" => {
            let planned = workshop_sessions.iter().filter(|each| each.planned).count();
            each_year(each_year(planned, county.workshops.len()), 2).to_string()
        }
        "workshop_offline_sessions_2y" => workshop_sessions.len().to_string(),
        "workshop_offline_attend_2y" => met.to_string(),
        "delivery_rounds_per_year" => {
            let rounds: BTreeSet<(i32, usize)> =
                delivery.iter().map(|each| (each.year, each.round)).collect();
            each_year(rounds.len(), 2).to_string()
        }
        "delivery_days_per_year" => {
            let rounds: BTreeMap<(i32, usize), usize> = delivery
                .iter()
                .map(|each| ((each.year, each.round), each.days))
                .collect();
            each_year(rounds.values().sum(), 2).to_string()
        }
        "delivery_sessions_2y" => delivery.len().to_string(),
        "delivery_attend_2y" => delivered.to_string(),
        "guopei_attend_total" => (delivered + met).to_string(),
        "trainer_lectures_2y" => delivery
            .iter()
            .map(|each| each.trainers.len())
            .sum::<usize>()
            .to_string(),
        "trained_by_team_2y" => delivered.to_string(),
        other => panic!("no figure for the target {other}"),
    }
}

#[test]
fn every_published_figure_is_met_for_any_seed() {
    let targets: Targets = toml::from_str(include_str!("../../sample/targets.toml")).unwrap();
    assert_eq!(targets.target.len(), 26);
    for seed in SEEDS {
        let county = County::generate(seed);
        let (delivery, sessions) = (county.delivery(), county.workshop_sessions());
        for target in &targets.target {
            let is = figure(&county, &delivery, &sessions, &target.id);
            let number = |text: &str| text.parse::<i64>().unwrap();
            let met = match target.op.as_str() {
                "eq" => is == target.value,
                "ge" => number(&is) >= number(&target.value),
                "range" => {
                    let (least, greatest) = target.value.split_once("..").unwrap();
                    (number(least)..=number(greatest)).contains(&number(&is))
                }
                other => panic!("unknown op {other}"),
            };
            assert!(
                met,
                "seed {seed}: {} should be {} {}, is {is}",
                target.id, target.op, target.value
            );
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_county_and_another_seed_another() {
    let county = County::generate(7);
    assert_eq!(county, County::generate(7));
    assert_eq!(county.term(3, 2025, 1), County::generate(7).term(3, 2025, 1));
    assert_ne!(county.teachers, County::generate(8).teachers);
    // Terms do not depend on what was asked before.
    county.term(0, 2025, 2);
    assert_eq!(county.term(3, 2025, 1), County::generate(7).term(3, 2025, 1));
    assert_ne!(county.term(3, 2025, 1), county.term(3, 2026, 1));
    // Pinned: data that was made with one release is made again by the next.
    let first = &County::generate(1).teachers[0];
    assert_eq!((first.teacher_code.as_str(), first.school), ("YL01001", 0));
}

#[test]
fn schools_are_split_and_sized_as_the_plan_says() {
    for seed in SEEDS {
        let county = County::generate(seed);
        let of = |kinds: &[SchoolKind]| {
            county
                .schools
                .iter()
                .filter(|each| kinds.contains(&each.kind))
                .count()
        };
        assert_eq!(of(&[SchoolKind::High]), 2);
        assert_eq!(of(&[SchoolKind::CentralPrimary]), 16);
        assert_eq!(of(&[SchoolKind::NineYear, SchoolKind::Junior]), 12);
        assert_eq!(of(&[SchoolKind::VillagePrimary, SchoolKind::TeachingPoint]), 8);
        assert_eq!(of(&[SchoolKind::Kindergarten]), 7);
        let sizes: Vec<usize> = county.schools.iter().map(|each| each.teachers).collect();
        assert!(sizes.iter().all(|size| (6..=90).contains(size)), "{sizes:?}");
        assert!(
            sizes.iter().min() <= Some(&8) && sizes.iter().max() >= Some(&80),
            "a long tail: {sizes:?}"
        );
        for (at, school) in county.schools.iter().enumerate() {
            assert_eq!(county.teachers_of(at).count(), school.teachers);
            let posts = |post: &str| {
                county
                    .teachers_of(at)
                    .filter(|teacher| county.teachers[*teacher].post == post)
                    .count()
            };
            assert_eq!(posts("principal"), 1, "{}", school.name);
        }
        // Every township has its central primary school.
        let central: BTreeSet<&String> = county
            .schools
            .iter()
            .filter(|each| each.kind == SchoolKind::CentralPrimary)
            .map(|each| &each.township)
            .collect();
        assert_eq!(central.len(), 16);
    }
}

#[test]
fn people_are_as_an_office_would_believe() {
    for seed in SEEDS {
        let county = County::generate(seed);
        let people = &county.teachers;
        let share = |count: usize| count * 1000 / people.len();
        let novices = people.iter().filter(|each| each.novice_year == 1).count();
        assert_eq!(share(novices), 40);
        assert!(
            people
                .iter()
                .filter(|each| each.novice_year == 1)
                .all(|each| each.teaching_from == 2025 && each.title == "none")
        );
        let retiring = people.iter().filter(|each| each.retires_in() <= 2030).count();
        assert_eq!(share(retiring), 29, "49 of 1,640");
        assert!((360..=440).contains(&share(people.iter().filter(|each| each.homeroom).count())));
        for each in people {
            let age = 2025 - each.birth_year;
            assert!(
                (22..60).contains(&age) && (18..=26).contains(&(each.teaching_from - each.birth_year)),
                "{each:?}"
            );
            assert!(each.teaching_from <= 2025);
        }
        assert!(
            people.iter().any(|each| each.name.contains('𬭊'))
                && people.iter().any(|each| each.name.contains('㙇'))
        );
        let two = people
            .iter()
            .filter(|each| each.name.chars().count() == 2)
            .count();
        assert!((180..=320).contains(&share(two)), "two-character names");
        let names: BTreeSet<&String> = people.iter().map(|each| &each.name).collect();
        assert!(names.len() < people.len(), "names may repeat");
        assert!(people.iter().any(|each| each.title_label == "中学高级"));
    }
}

#[test]
fn everything_passes_the_kinds_and_holds_no_personal_number() {
    let county = County::generate(3);
    let code = |kind: &str, field: &str, code: &str| {
        let known = Kinds::builtin()
            .latest(kind)
            .unwrap()
            .field(field)
            .unwrap()
            .code(code)
            .is_some();
        assert!(known, "{kind}.{field} has no {code}");
    };
    for each in &county.schools {
        code("organisation", "org_kind", each.kind.org_kind());
        code("organisation", "rural", each.rural);
        assert_eq!(each.school_code.len(), 10);
        assert!(each.name.starts_with("云岭县"));
    }
    for each in &county.teachers {
        code("person", "sex", each.sex);
        code("person", "status", each.status);
        code("staff_fact", "post", each.post);
        code("staff_fact", "title", each.title);
        code("staff_fact", "stage", each.stage);
        assert_eq!(find_personal(&each.teacher_code), None);
    }
    for session in county.term(0, 2025, 1) {
        code("session", "form", session.form);
        code("session", "category", session.category);
        code("session", "channel", session.channel);
        assert!(
            session.sub.is_empty()
                || Kinds::builtin()
                    .latest("session")
                    .unwrap()
                    .field("sub")
                    .unwrap()
                    .code(session.sub)
                    .is_some()
        );
        for mark in &session.marks {
            code("attendance", "status", mark.status);
        }
    }
}

#[test]
fn a_term_is_about_twenty_sessions_with_believable_attendance() {
    let county = County::generate(1);
    let mut statuses: BTreeMap<&str, usize> = BTreeMap::new();
    for school in 0..county.schools.len() {
        let year = crate::SchoolYear(2025);
        for term in [1, 2] {
            let sessions = county.term(school, 2025, term);
            assert!((18..=22).contains(&sessions.len()));
            assert!(
                sessions.windows(2).all(|pair| pair[0].date < pair[1].date),
                "by date, one a day"
            );
            let staff: BTreeSet<usize> = county.teachers_of(school).collect();
            for session in &sessions {
                assert_eq!(crate::SchoolYear::of(session.date), year);
                assert!(
                    !session.marks.is_empty()
                        && session.marks.iter().all(|mark| staff.contains(&mark.teacher))
                );
                let people: BTreeSet<usize> = session.marks.iter().map(|mark| mark.teacher).collect();
                assert_eq!(people.len(), session.marks.len());
                assert!(session.lecture_minutes <= session.minutes && session.hours_c % 10 == 0);
                for mark in &session.marks {
                    *statuses.entry(mark.status).or_default() += 1;
                }
            }
            let ethics: i64 = sessions
                .iter()
                .filter(|each| each.sub == "ethics")
                .map(|each| each.hours_c)
                .sum();
            assert_eq!(ethics, 600, "6 hours a term: 6 credits in ten terms");
        }
    }
    let all: usize = statuses.values().sum();
    assert!(
        (880..=930).contains(&(statuses["present"] * 1000 / all)),
        "{statuses:?}"
    );
    assert_eq!(statuses.len(), 7, "every status occurs");
    // Not a term, not a school: nothing.
    assert!(
        county.term(0, 2025, 3).is_empty()
            && county.term(45, 2025, 1).is_empty()
            && county.term(0, i32::MAX, 1).is_empty()
    );
}

#[test]
fn projects_hold_together() {
    let county = County::generate(5);
    let mut seen = BTreeSet::new();
    for workshop in &county.workshops {
        assert!(seen.insert(workshop.host));
        assert!(
            workshop.members.iter().all(|member| seen.insert(member.teacher)),
            "nobody is in two workshops"
        );
    }
    let hours: Vec<i64> = county
        .workshops
        .iter()
        .flat_map(|each| &each.members)
        .map(|member| member.online_hours_c)
        .collect();
    let between = |least: i64, greatest: i64| {
        hours
            .iter()
            .filter(|hours| (least..greatest).contains(hours))
            .count()
    };
    assert_eq!((between(4000, 8000), between(0, 4000)), (30, 10));
    let team: BTreeSet<usize> = county.team.iter().map(|each| each.teacher).collect();
    for session in county.delivery() {
        let host = &county.schools[session.host];
        assert!(!host.in_county_town());
        let primary = session.stage == "primary";
        assert!(
            host.kind == SchoolKind::NineYear || (host.kind == SchoolKind::CentralPrimary) == primary,
            "{}",
            host.name
        );
        assert!(session.trainers.iter().all(|trainer| team.contains(trainer)));
        let people: BTreeSet<&usize> = session.participants.iter().chain(&session.trainers).collect();
        assert_eq!(people.len(), session.participants.len() + session.trainers.len());
        assert!(
            [2025, 2026].contains(&session.year)
                && crate::SchoolYear::of(session.from) == crate::SchoolYear(session.year)
        );
    }
    let sessions = county.workshop_sessions();
    assert!(
        sessions.iter().any(|each| each.participants.len() > 50),
        "guests are allowed"
    );
    for session in sessions {
        let people: BTreeSet<&usize> = session.participants.iter().collect();
        assert_eq!(people.len(), session.participants.len());
    }
}

#[test]
fn a_county_may_differ_in_every_size() {
    let size = CountySize {
        name: "青禾县",
        division: "680227",
        code_prefix: "QH",
        first_year: 2026,
        area_c: 90_050,
        population: 121_000,
        townships: 9,
        dev_zones: 0,
        town_schools: SchoolCounts {
            high: 1,
            junior: 1,
            nine_year: 1,
            central_primary: 1,
            kindergartens: 1,
            ..SchoolCounts::default()
        },
        rural_schools: SchoolCounts {
            junior: 3,
            central_primary: 8,
            village_primary: 20,
            teaching_points: 11,
            kindergartens: 9,
            ..SchoolCounts::default()
        },
        teachers_town: 210,
        teachers_rural: 530,
        smallest_school: 2,
        largest_school: 70,
        team: vec![
            SubjectSeats {
                stage: "primary",
                subject: "语文",
                seats: 12,
            },
            SubjectSeats {
                stage: "junior",
                subject: "数学",
                seats: 7,
            },
        ],
        workshops: vec![SubjectSeats {
            stage: "primary",
            subject: "数学",
            seats: 4,
        }],
        workshop_members: 25,
        workshop_sessions: 17,
        workshop_attendances: (600, 610),
        delivery_rounds: 3,
        delivery_years: 1,
        delivery_days: 1,
        delivery_attendances: (300, 300),
        trainer_lectures: 13,
    };
    for seed in SEEDS {
        let county = County::of_size(seed, size.clone());
        assert_eq!(
            county.schools.len(),
            size.town_schools.total() + size.rural_schools.total()
        );
        assert_eq!(
            county
                .schools
                .iter()
                .map(|each| &each.name)
                .collect::<BTreeSet<_>>()
                .len(),
            county.schools.len()
        );
        assert_eq!(county.teachers.len(), 740);
        assert_eq!(
            (
                county.townships.len(),
                county.dev_zones.len(),
                county.team.len(),
                county.workshops.len()
            ),
            (9, 0, 19, 4)
        );
        assert!(county.workshops.iter().all(|each| each.members.len() == 25));
        let delivery = county.delivery();
        assert_eq!(delivery.len(), 6);
        assert_eq!(
            delivery.iter().map(|each| each.participants.len()).sum::<usize>(),
            300
        );
        assert_eq!(delivery.iter().map(|each| each.trainers.len()).sum::<usize>(), 13);
        let met: usize = county
            .workshop_sessions()
            .iter()
            .map(|each| each.participants.len())
            .sum();
        assert!((600..=610).contains(&met));
        assert!(
            county
                .teachers
                .iter()
                .all(|each| each.teacher_code.starts_with("QH"))
        );
        assert!(!county.term(20, 2026, 1).is_empty());
    }
}
