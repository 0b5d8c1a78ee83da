//! Issue 6, acceptance 1: a generated county flows through real sync into a hub, and every total comes out: against the
//! published list of figures, against what was generated, and against the documents counted again.
//!
//! The nodes are real, each with its directory and keys, and meet over QUIC on loopback. Two small counties in every
//! run; that of the published size (45 schools, 1,640 teachers) with
//! `cargo test --release -p yanxiu-tests --test generated_county -- --ignored --nocapture`.

// Helpers outside #[test] functions unwrap as well: a failure is a failed test.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use node::Filter;
use node::office::{self, Projects, SchoolRow, Standing};
use records::sample::{CountySize, SubjectSeats};
use yanxiu_tests::generated::recount::{Documents, OfSchool};
use yanxiu_tests::generated::{Generated, other, small};

#[derive(serde::Deserialize)]
struct Targets {
    target: Vec<Target>,
}

#[derive(serde::Deserialize)]
struct Target {
    id: String,
    op: String,
    value: String,
    from: Option<String>,
    not: Option<String>,
}

fn targets() -> Vec<Target> {
    let all: Targets = toml::from_str(include_str!("generated_county/targets.toml")).unwrap();
    assert_eq!(all.target.len(), 46, "every row of the published list");
    for target in &all.target {
        assert_ne!(target.from.is_some(), target.not.is_some(), "{}", target.id);
    }
    all.target
}

/// All days of the two years of the projects.
const DAYS: [&str; 2] = ["2025-09-01", "2028-08-31"];

/// What the program at the hub says.
struct Said {
    schools: Vec<SchoolRow>,
    projects: Projects,
    areas: Vec<String>,
    outside: i64,
}

impl Said {
    fn by(county: &Generated) -> Said {
        let hub = &county.hub.node;
        let areas = office::organisations(hub)
            .unwrap()
            .into_iter()
            .filter(|o| o.org_kind == "area");
        let outside = |id: &String| {
            office::statistics(hub, id, DAYS[0], DAYS[1])
                .unwrap()
                .outside
                .attended
        };
        Said {
            schools: office::schools(hub).unwrap(),
            projects: office::projects(hub, DAYS[0], DAYS[1]).unwrap(),
            areas: areas.map(|area| area.name).collect(),
            outside: county.ids.iter().map(outside).sum(),
        }
    }

    /// The total that a row of the list names.
    fn total(&self, id: &str) -> String {
        let town = |wanted: bool| {
            self.schools
                .iter()
                .filter(move |s| (s.rural == "county_town") == wanted)
        };
        let teachers = |wanted| town(wanted).map(|s| s.teachers).sum::<u64>();
        let groups = |kind: &'static str| self.projects.groups.iter().filter(move |g| g.group_kind == kind);
        let meetings = || groups("workshop").map(|g| g.meetings);
        let zones = self.areas.iter().filter(|name| name.ends_with("开发区")).count();
        let years =
            |of: fn(&office::Delivery) -> i64| self.projects.delivery.iter().map(of).collect::<Vec<_>>();
        match id {
            "townships" => (self.areas.len() - zones).to_string(),
            "dev_zones" => zones.to_string(),
            "schools" => self.schools.len().to_string(),
            "schools_county_town" => town(true).count().to_string(),
            "schools_rural" => town(false).count().to_string(),
            "teachers" => (teachers(true) + teachers(false)).to_string(),
            "teachers_county_town" => teachers(true).to_string(),
            "teachers_rural" => teachers(false).to_string(),
            "team_total" => groups("trainer_team").map(|g| g.members).sum::<i64>().to_string(),
            "team_by_subject" => {
                let mut by: Vec<String> = groups("trainer_team")
                    .map(|g| short(&g.stage, &g.subject, g.members))
                    .collect();
                by.sort();
                by.join(" ")
            }
            "workshops" => groups("workshop").count().to_string(),
            "workshop_members_each" => one(groups("workshop").map(|g| g.members)),
            "workshop_subjects" => {
                let all: BTreeSet<_> = groups("workshop").map(|g| (&g.stage, &g.subject)).collect();
                all.len().to_string()
            }
            "workshop_online_hours_min" => {
                let [reached, all] = [
                    groups("workshop").map(|g| g.online).sum(),
                    groups("workshop").map(|g| g.members).sum(),
                ]
                .map(|n: i64| n);
                (reached * 100 / all).to_string()
            }
            // Over two years; one more at some is an extra meeting.
            "workshop_f2f_per_year" => (meetings().min().unwrap() / 2).to_string(),
            "workshop_offline_sessions_2y" => meetings().sum::<i64>().to_string(),
            "workshop_offline_attend_2y" => groups("workshop").map(|g| g.attended).sum::<i64>().to_string(),
            "delivery_rounds_per_year" => one(years(|year| year.rounds)),
            "delivery_days_per_year" => one(years(|year| year.days_c / 100)),
            "delivery_sessions_2y" => years(|year| year.sessions).iter().sum::<i64>().to_string(),
            "delivery_attend_2y" | "trained_by_team_2y" => self.projects.delivered.to_string(),
            "guopei_attend_total" => self.outside.to_string(),
            "trainer_lectures_2y" => years(|year| year.lectures).iter().sum::<i64>().to_string(),
            other => panic!("no total for {other}"),
        }
    }
}

/// What the sizes ask for: the value, or the least and the greatest.
fn wanted(size: &CountySize, id: &str) -> (String, Option<String>) {
    let exactly = |n: usize| (n.to_string(), None);
    let between = |(least, most): (usize, usize)| (least.to_string(), Some(most.to_string()));
    let seats = |all: &[SubjectSeats]| all.iter().map(|each| each.seats).sum::<usize>();
    let (town, rural) = (size.town_schools.total(), size.rural_schools.total());
    let (delivered, met) = (size.delivery_attendances, size.workshop_attendances);
    match id {
        "townships" => exactly(size.townships),
        "dev_zones" => exactly(size.dev_zones),
        "schools" => exactly(town + rural),
        "schools_county_town" => exactly(town),
        "schools_rural" => exactly(rural),
        "teachers" => exactly(size.teachers_town + size.teachers_rural),
        "teachers_county_town" => exactly(size.teachers_town),
        "teachers_rural" => exactly(size.teachers_rural),
        "team_total" => exactly(seats(&size.team)),
        "team_by_subject" => {
            let mut by: Vec<String> = size
                .team
                .iter()
                .map(|each| short(each.stage, each.subject, each.seats as i64))
                .collect();
            by.sort();
            (by.join(" "), None)
        }
        "workshops" => exactly(seats(&size.workshops)),
        "workshop_members_each" => exactly(size.workshop_members),
        "workshop_subjects" => exactly(size.workshops.len()),
        "workshop_online_hours_min" => {
            let members = seats(&size.workshops) * size.workshop_members;
            let without = (members * 6 + 50) / 100 + (members * 2 + 50) / 100;
            exactly((members - without) * 100 / members)
        }
        "workshop_f2f_per_year" => exactly(2),
        "workshop_offline_sessions_2y" => exactly(size.workshop_sessions),
        "workshop_offline_attend_2y" => between(met),
        "delivery_rounds_per_year" => exactly(size.delivery_rounds),
        "delivery_days_per_year" => exactly(size.delivery_rounds * size.delivery_days),
        "delivery_sessions_2y" => exactly(size.delivery_sessions()),
        "delivery_attend_2y" | "trained_by_team_2y" => between(delivered),
        "guopei_attend_total" => between((delivered.0 + met.0, delivered.1 + met.1)),
        "trainer_lectures_2y" => exactly(size.trainer_lectures),
        other => panic!("no size for {other}"),
    }
}

/// 小语20.
fn short(stage: &str, subject: &str, n: i64) -> String {
    let stage = if stage == "primary" { "小" } else { "初" };
    format!("{stage}{}{n}", subject.chars().next().unwrap())
}

/// The value that all have, or all values.
fn one(all: impl IntoIterator<Item = i64>) -> String {
    let all: BTreeSet<i64> = all.into_iter().collect();
    all.iter().map(i64::to_string).collect::<Vec<_>>().join(",")
}

fn within(is: &str, (least, most): &(String, Option<String>)) -> bool {
    let number = |text: &str| text.parse::<i64>().unwrap();
    match most {
        None => is == least,
        Some(most) => (number(least)..=number(most)).contains(&number(is)),
    }
}

fn published(target: &Target, is: &str) -> bool {
    let number = |text: &str| text.parse::<i64>().unwrap();
    match target.op.as_str() {
        // Parts of a list in any order.
        "eq" => is.split(' ').collect::<BTreeSet<_>>() == target.value.split(' ').collect(),
        "ge" => number(is) >= number(&target.value),
        op => {
            let tolerance = op
                .strip_prefix("approx(")
                .and_then(|rest| rest.strip_suffix(')'))
                .unwrap();
            (number(is) - number(&target.value)).abs() <= number(tolerance)
        }
    }
}

/// Founds the county, lets its schools write while they are apart, brings all to the hub, decides some, and brings the
/// decisions back.
async fn flown(size: CountySize, terms: &[u8], of_each: u32, at_a_time: usize) -> Generated {
    let begun = Instant::now();
    let past = |what: &str| println!("{:>6.1} s  {what}", begun.elapsed().as_secs_f64());
    let mut county = Generated::found(size, 20_260_901).await;
    past("founded and enrolled");
    county.school_year(terms);
    past("the schools have written their year");
    county.meet(at_a_time).await;
    past("all of it is at the hub");
    county.projects();
    let decided = county.decide(of_each);
    past(&format!("{decided} claims decided, sheets and lists written"));
    county.meet(at_a_time).await;
    past("sheets are at the hub, decisions at the schools");
    county
}

/// Everything that the hub says of the county against its sizes and its documents.
fn compare(county: &Generated) {
    let hub = &county.hub.node;
    let size = &county.county.size;
    let said = Said::by(county);
    for target in targets().iter().filter(|target| target.from.is_some()) {
        let is = said.total(&target.id);
        let asked = wanted(size, &target.id);
        assert!(
            within(&is, &asked),
            "{} is {is}, the sizes ask for {asked:?}",
            target.id
        );
    }

    let documents = Documents::read(hub);
    assert_eq!(
        documents.len() as u64,
        hub.count(&Filter::default()).unwrap(),
        "one row for each record"
    );
    let again = documents.schools();
    assert_eq!(said.schools.len(), again.len());
    let mut sums = OfSchool::default();
    for school in &said.schools {
        let own = office::statistics(hub, &school.id, DAYS[0], DAYS[1]).unwrap();
        let shown = OfSchool {
            teachers: school.teachers,
            sessions: school.sessions,
            attendances: school.attendances,
            open: school.open_claims,
            decided: school.decided_claims,
            attended: own.all.attended,
            person_hours_c: own.all.person_hours_c,
            outside: own.outside.attended,
        };
        assert_eq!(shown, again[&school.name], "{}", school.name);
        let by_form: i64 = own.by_form.iter().map(|row| row.attended).sum();
        assert_eq!(
            by_form, shown.attended,
            "{}: the parts make the whole",
            school.name
        );
        sums.sessions += shown.sessions;
        sums.attendances += shown.attendances;
        sums.decided += shown.decided;
        sums.open += shown.open;
    }
    assert!(sums.decided > 0 && sums.open > 0);

    // Projects: trainings over all schools, and members by the host's list.
    let trainings: BTreeMap<String, (i64, i64)> = said
        .projects
        .trainings
        .iter()
        .map(|t| (t.project.clone(), (t.held, t.attended)))
        .collect();
    assert_eq!(trainings, documents.trainings());
    for group in &said.projects.groups {
        let members = documents
            .of("enrolment")
            .iter()
            .filter(|said| said.text("group") == group.id);
        let (all, online): (Vec<_>, Vec<_>) = members
            .map(|said| (said.text("teacher_code"), said.int("online_c") >= 8000))
            .unzip();
        assert_eq!(
            group.members as usize,
            all.into_iter().collect::<BTreeSet<_>>().len(),
            "{}",
            group.name
        );
        assert_eq!(
            group.online as usize,
            online.into_iter().filter(|reached| *reached).count()
        );
    }

    // The dashboard's lines: everybody in service has one.
    let standing: BTreeMap<String, Standing> = office::all_standings(hub)
        .unwrap()
        .into_iter()
        .map(|line| (line.person.clone(), line))
        .collect();
    for school in &said.schools {
        let own = standing.values().filter(|line| line.school == school.id).count();
        assert_eq!(own as u64, school.teachers, "{}", school.name);
    }

    // What the county has given to each person, on the cards and at the schools' own computers.
    let given = documents.given();
    let mut checked = 0;
    for (at, (place, id)) in county.schools.iter().zip(&county.ids).enumerate() {
        let decisions = |node: &node::Node| node.count(&Filter::kind("decision").school(id)).unwrap();
        assert_eq!(decisions(&place.node), decisions(hub), "the decisions came back");
        for teacher in office::roster(hub, id)
            .unwrap()
            .into_iter()
            .step_by(if at % 5 == 0 { 3 } else { 20 })
        {
            let card = office::credit_card(hub, &teacher.id).unwrap().unwrap();
            let (mut hours_c, mut credits_c) = (0, 0);
            for line in &card.lines {
                if let office::ClaimState::Decided {
                    hours_c: hours,
                    credits_c: credits,
                    ..
                } = &line.state
                {
                    hours_c += hours;
                    credits_c += credits;
                }
            }
            let line = &standing[&teacher.id];
            assert_eq!(
                (line.total_c, line.complete),
                (card.card.total_c, card.card.complete),
                "{}",
                teacher.name
            );
            let of = given
                .get(&(id.clone(), teacher.id.clone()))
                .copied()
                .unwrap_or_default();
            assert_eq!((hours_c, credits_c), of, "{}", teacher.name);
            checked += usize::from(credits_c > 0);
        }
    }
    assert!(checked > 0, "somebody has credits");
    // One more decision moves one line, and the counts with it.
    let claim = office::audit_queue(hub, 1).unwrap().remove(0);
    let before = &standing[&claim.person];
    office::decide(
        hub,
        &yanxiu_tests::auditor(),
        &claim.id,
        "recognised",
        None,
        "",
        "",
        "2027-08-01",
    )
    .unwrap();
    let (after, behind) = office::standings(hub).unwrap();
    assert_eq!(behind, 0);
    let moved: Vec<&Standing> = after
        .iter()
        .filter(|line| standing[&line.person] != **line)
        .collect();
    let card = office::credit_card(hub, &claim.person).unwrap().unwrap().card;
    assert!(moved.iter().all(|line| line.person == before.person), "{moved:?}");
    assert_eq!(
        after
            .iter()
            .find(|line| line.person == claim.person)
            .unwrap()
            .total_c,
        card.total_c
    );
    let report = hub.verify().unwrap();
    assert!(report.is_sound(), "{:?}", report.faults);
    println!(
        "{}: {} records at the hub, {} schools, {} sessions, {} marks, {} claims decided and {} not; {checked} cards",
        county.county.name,
        documents.len(),
        said.schools.len(),
        sums.sessions,
        sums.attendances,
        sums.decided,
        sums.open,
    );
}

/// The sizes, by name, as text.
fn sizes(size: &CountySize) -> Vec<String> {
    targets()
        .iter()
        .filter(|target| target.from.is_some())
        .map(|target| format!("{:?}", wanted(size, &target.id)))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_county_flows_into_its_hub_and_every_total_comes_out() {
    compare(&flown(small(), &[1, 2], 30, 6).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn so_does_another_that_differs_in_every_size() {
    let ids: Vec<String> = targets()
        .into_iter()
        .filter(|t| t.from.is_some())
        .map(|t| t.id)
        .collect();
    for of in [small(), CountySize::published()] {
        let pairs = sizes(&of).into_iter().zip(sizes(&other()));
        for (id, (one, two)) in ids.iter().zip(pairs) {
            // Two meetings a year are a rule, not a size.
            assert_eq!(id == "workshop_f2f_per_year", one == two, "{id}");
        }
    }
    compare(&flown(other(), &[1], 20, 5).await);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "minutes in a release build; .ci/run has a step for it"]
async fn the_county_of_the_published_size_flows_into_its_hub() {
    let county = flown(CountySize::published(), &[1, 2], 60, 15).await;
    let said = Said::by(&county);
    for target in targets() {
        match (&target.from, &target.not) {
            (Some(from), _) => {
                let is = said.total(&target.id);
                println!(
                    "{:<30} {:>22} {:<12} {is:>22}  {from}",
                    target.id, target.value, target.op
                );
                assert!(
                    published(&target, &is),
                    "{} should be {} {}, is {is}",
                    target.id,
                    target.op,
                    target.value
                );
            }
            (None, not) => println!(
                "{:<30} no total of the hub: {}",
                target.id,
                not.as_deref().unwrap_or_default()
            ),
        }
    }
    compare(&county);
}
