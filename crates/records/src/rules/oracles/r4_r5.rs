//! R4 (cultivation stations) and R5 (project county): seats, ratios, duties of the year, shares of experts.

use super::{day, entry};
use crate::rules::*;

fn started(text: &str) -> When {
    When {
        start: day(text),
        ..When::default()
    }
}

fn subject(kind: &str, role: &str, numbers: &[(&str, i64)]) -> PersonFacts {
    PersonFacts {
        subject: kind.into(),
        roles: super::codes(&[role]),
        numbers: numbers
            .iter()
            .map(|(name, number)| ((*name).to_owned(), *number))
            .collect(),
        ..PersonFacts::default()
    }
}

fn verdict(card: &CreditCard, id: &str) -> Verdict {
    let check = card.checks.iter().find(|check| check.id == id);
    check.unwrap_or_else(|| panic!("{id}")).verdict.clone()
}

const STATION: [(&str, i64); 8] = [
    ("trainees", 25),
    ("eliminated", 0),
    ("rural_trainees", 25),
    ("mentors", 3),
    ("hosts", 1),
    ("seat_a", 1),
    ("seat_b", 1),
    ("seat_c", 1),
];

fn station(role: &str, changed: &[(&str, i64)]) -> CreditCard {
    let mut person = subject("station", role, &STATION);
    person.numbers.insert("funding".into(), 80_000);
    for (name, number) in changed {
        person.numbers.insert((*name).to_owned(), *number);
    }
    evaluate(r4(), &person, &started("2026-09-01"), &[])
}

#[test]
fn r4_the_programme_adds_up_as_the_text_says() {
    let number = |name: &str| r4().constants[name];
    // 80 × 25 = 2,000 exactly; 133 × 30 = 3,990 against 4,000.
    assert_eq!(number("city_stations") * number("city_seats"), number("city_aim"));
    assert_eq!(number("county_stations") * number("county_seats"), 3990);
    assert_eq!(number("county_aim") - 3990, 10);
    // A file whose numbers do not add up is refused: 134 × 30 = 4,020.
    let text = SHIPPED[3];
    assert!(RuleSet::parse(text).is_ok());
    for (from, to) in [
        ("county_stations = 133", "county_stations = 134"),
        ("city_seats = 25", "city_seats = 24"),
        ("mentors_member = 2", "mentors_member = 3"),
    ] {
        assert!(text.contains(from));
        assert!(
            matches!(
                RuleSet::parse(&text.replacen(from, to, 1)),
                Err(RulesError::Inconsistent { .. })
            ),
            "{to}"
        );
    }
}

#[test]
fn r4_a_station_is_checked_by_its_numbers() {
    let good = station("city", &[]);
    assert!(good.complete, "{:#?}", good.checks);
    assert_eq!(good.period.unwrap().last.to_string(), "2027-08-31");
    assert!(!station("city", &[("trainees", 26), ("rural_trainees", 26)]).complete);
    // A county station has 30 seats.
    assert!(station("county", &[("trainees", 30), ("rural_trainees", 30)]).complete);
    assert!(!station("county", &[("trainees", 31), ("rural_trainees", 31)]).complete);
    for (name, number, id) in [
        ("rural_trainees", 24, "rural"),
        ("mentors", 2, "mentors"),
        ("hosts", 2, "mentors"),
        ("funding", 0, "funding"),
    ] {
        let card = station("city", &[(name, number)]);
        assert_eq!(verdict(&card, id), Verdict::Fails, "{name}");
        assert!(!card.complete);
    }
    // 原则上: another composition of the mentors is shown and does not fail.
    let card = station("city", &[("seat_c", 0)]);
    assert_eq!(
        (verdict(&card, "composition"), card.complete),
        (Verdict::Fails, true)
    );
}

#[test]
fn r4_what_is_not_known_stays_open_and_is_named() {
    let mut person = subject("station", "city", &STATION);
    person.numbers.remove("hosts");
    let card = evaluate(r4(), &person, &started("2026-09-01"), &[]);
    assert!(!card.complete);
    assert_eq!(verdict(&card, "funding"), Verdict::Open(vec!["funding".into()]));
    assert_eq!(verdict(&card, "mentors"), Verdict::Open(vec!["hosts".into()]));
    let mentors = card.checks.iter().find(|check| check.id == "mentors").unwrap();
    assert!(
        mentors.text_zh.ends_with("：缺数据：hosts"),
        "{}",
        mentors.text_zh
    );
}

#[test]
fn d1_and_d4_are_parameters() {
    // 25 seats, one eliminated, one newly come: 25 active. Refilled by default; else 25 + 1 > 25.
    let mut person = subject("station", "city", &STATION);
    person.numbers.insert("eliminated".into(), 1);
    let seats = |rules: &RuleSet| {
        let card = evaluate(rules, &person, &started("2026-09-01"), &[]);
        verdict(&card, "seats.city")
    };
    assert_eq!(seats(r4()), Verdict::Holds);
    let mut rules = r4().clone();
    rules.constants.insert("refill_vacated".into(), 0);
    assert_eq!(seats(&rules), Verdict::Fails);

    let trainee = |stations| {
        let numbers = [("active_stations", stations), ("midterm_score", 59)];
        let person = subject("", "station_trainee", &numbers);
        evaluate(r4(), &person, &started("2026-09-01"), &[])
    };
    assert_eq!(verdict(&trainee(1), "one_station"), Verdict::Holds);
    assert_eq!(verdict(&trainee(2), "one_station"), Verdict::Fails);
    assert!(trainee(1).complete && !trainee(2).complete);
    assert_eq!(verdict(&trainee(1), "midterm"), Verdict::Fails);
    assert_eq!(
        verdict(&trainee(1), "final"),
        Verdict::Open(vec!["final_score".into()])
    );
}

fn county(team: i64) -> CreditCard {
    let numbers = [
        ("rural_teachers", 1200),
        ("all_teachers", 1640),
        ("team", team),
        ("team_primary_chinese", 20),
        ("team_primary_maths", 20),
        ("team_junior_chinese", 10),
        ("team_junior_maths", 10),
        ("team_junior_english", 10),
        ("team_primary_science", 0),
        ("offline_sessions", 42),
        ("offline_attendances", 42 * 83),
    ];
    evaluate(
        r5(),
        &subject("county", "", &numbers),
        &started("2018-09-01"),
        &[],
    )
}

#[test]
fn e1_forty_or_fifty_five_trainers_and_seventy_meets_both() {
    // 1,200 / 30 = 40; 1,640 / 30 = 54.67, so 55.
    let least = |id: &str| (1..=100).find(|team| verdict(&county(*team), id) == Verdict::Holds);
    assert_eq!(least("staffing"), Some(40));
    assert_eq!(least("staffing.all"), Some(55));
    let card = county(70);
    assert!(card.complete, "{:#?}", card.checks);
    for id in ["staffing", "staffing.all", "team.seats", "workshop.sessions"] {
        assert_eq!(verdict(&card, id), Verdict::Holds, "{id}");
    }
    // 20 + 20 + 10 + 10 + 10 = 70, and E2: no seats for 小学科学.
    let seats: i64 = r5()
        .constants
        .iter()
        .filter(|(name, _)| name.starts_with("seats_") && *name != "seats_all")
        .map(|(_, seats)| seats)
        .sum();
    assert_eq!(
        (
            seats,
            r5().constants["seats_all"],
            r5().constants["seats_primary_science"]
        ),
        (70, 70, 0)
    );
    // E3: 83 people a meeting is more than 50 members: shown, allowed.
    assert_eq!(verdict(&card, "workshop.attendance"), Verdict::Fails);
}

fn work(id: &str, date: &str, form: &str, days_c: i64, hours_c: i64) -> Entry {
    Entry {
        form: form.into(),
        days_c,
        hours_c,
        ..entry(id, date)
    }
}

fn duties() -> Vec<Entry> {
    let mut entries = Vec::new();
    for year in [2018, 2019] {
        entries.push(work(
            &format!("院校{year}"),
            &format!("{year}-10-08"),
            "intensive",
            2000,
            0,
        ));
        entries.push(work(
            &format!("跟岗{year}"),
            &format!("{year}-11-08"),
            "shadowing",
            1000,
            0,
        ));
        entries.push(work(
            &format!("返岗{year}"),
            &format!("{year}-12-08"),
            "on_post",
            3000,
            0,
        ));
        entries.push(work(
            &format!("网络{year}"),
            &format!("{year}-12-20"),
            "online",
            0,
            8000,
        ));
    }
    entries.push(Entry {
        activity: "host".into(),
        program: "教师工作坊".into(),
        ..entry("主持", "2018-11-20")
    });
    entries
}

#[test]
fn r5_the_team_has_duties_in_each_project_year() {
    let member = subject("", "county_trainer", &[]);
    let when = started("2018-09-01");
    let card = evaluate(r5(), &member, &when, &duties());
    assert!(card.complete, "{:#?}", card.requirements);
    // Two years at the least, three if the project says so; then the third is missing.
    assert_eq!(card.period.as_ref().unwrap().years.len(), 2);
    let three = When {
        years: Some(3),
        ..when.clone()
    };
    let card = evaluate(r5(), &member, &three, &duties());
    let college = card.requirement("duty.college").unwrap();
    assert_eq!(
        (college.met, college.gap_c, college.spans[2].gap_c),
        (false, 2000, 2000)
    );
    assert_eq!(
        college.text_zh,
        "每年不少于 20 天，已得 40，3 年中 2 年达到；未达到：第3年（2020-09-01 至 2021-08-31）"
    );
    // A surplus of one year does not fill the other: 25 + 15 days.
    let mut uneven = duties();
    uneven[0].days_c = 2500;
    uneven[4].days_c = 1500;
    let card = evaluate(r5(), &member, &when, &uneven);
    let college = card.requirement("duty.college").unwrap();
    assert_eq!(
        (college.earned_c, college.gap_c, card.complete),
        (4000, 500, false)
    );
    // Without hosting nothing is complete; hosting something else does not help.
    let mut no_host = duties();
    no_host.last_mut().unwrap().program = "校本研修".into();
    assert!(!evaluate(r5(), &member, &when, &no_host).complete);
}

#[test]
fn r5_a_third_of_displacement_is_shadowing_and_a_third_is_exact() {
    let mut person = subject("", "displaced", &[("displacement_months", 4)]);
    let share = |person: &PersonFacts, shadow_c: i64, rest_c: i64| {
        let of = |id: &str, form: &str, days_c| Entry {
            program: "置换脱产研修".into(),
            ..work(id, "2018-10-08", form, days_c, 0)
        };
        let entries = [of("跟岗", "shadowing", shadow_c), of("集中", "intensive", rest_c)];
        evaluate(r5(), person, &started("2018-09-01"), &entries)
    };
    // 30 of 90 days are a third; 33.33 of 100 days are less, though 0.3333 would let them pass.
    assert!(share(&person, 3000, 6000).complete);
    assert!(!share(&person, 2999, 6001).complete);
    assert!(!share(&person, 3333, 6667).limits[0].met);
    assert_eq!(
        share(&person, 3000, 6000).limits[0].text_zh,
        "跟岗实践时间：30 天，占 90 天的 33.33%，应不少于 33.33%"
    );
    for (months, holds) in [(3, false), (4, true), (6, true), (7, false)] {
        person.numbers.insert("displacement_months".into(), months);
        assert_eq!(share(&person, 3000, 6000).complete, holds, "{months}");
    }
}

#[test]
fn r5_delivery_has_four_rounds_of_two_days_and_four_stages_a_year() {
    let round = |id: &str, date: &str, topic: &str| Entry {
        activity: "delivery_round".into(),
        topic: topic.into(),
        days_c: 200,
        ..entry(id, date)
    };
    let mut rounds = Vec::new();
    for year in [2019, 2020] {
        for (month, topic) in [(3, "诊断示范"), (4, "研课磨课"), (5, "成果展示"), (6, "总结提升")]
        {
            rounds.push(round(
                &format!("{topic}{year}"),
                &format!("{year}-0{month}-12"),
                topic,
            ));
        }
    }
    let township = subject("delivery", "", &[]);
    let card = evaluate(r5(), &township, &started("2018-09-01"), &rounds);
    assert!(card.complete, "{:#?}", card.courses);
    // Four rounds, but twice the same stage: one stage is missing in the second year.
    rounds[7].topic = "成果展示".into();
    let card = evaluate(r5(), &township, &started("2018-09-01"), &rounds);
    assert!(card.requirement("delivery.rounds").unwrap().met && !card.complete);
    let review = card
        .courses
        .iter()
        .find(|each| each.id == "stage_review")
        .unwrap();
    assert_eq!(review.missing_in[0].first.to_string(), "2019-09-01");
}

#[test]
fn r5_workshops_send_two_bulletins_in_each_week_of_the_online_stage() {
    let stage = |first: &str, last: &str| Span {
        first: day(first).unwrap(),
        last: day(last).unwrap(),
        zh: "网络研修阶段".into(),
        en: "online stage".into(),
    };
    let when = When {
        calendar: Some(Calendar {
            // 4 March 2019 is a Monday: three weeks.
            semesters: vec![stage("2019-03-04", "2019-03-24")],
            off: Vec::new(),
        }),
        ..started("2018-09-01")
    };
    let bulletin = |id: &str, date: &str| Entry {
        activity: "bulletin".into(),
        ..entry(id, date)
    };
    let bulletins = [
        bulletin("一", "2019-03-04"),
        bulletin("二", "2019-03-10"),
        bulletin("三", "2019-03-13"),
        bulletin("四", "2019-03-18"),
        bulletin("五", "2019-03-20"),
        bulletin("六", "2019-05-20"), // after the stage: no week asks for it
    ];
    let card = evaluate(
        r5(),
        &subject("workshop", "", &[("members", 50)]),
        &when,
        &bulletins,
    );
    let weekly = card.requirement("workshop.bulletin").unwrap();
    assert_eq!((weekly.spans.len(), weekly.met, weekly.gap_c), (3, false, 100));
    assert_eq!(
        weekly.text_zh,
        "每周不少于 2 次，已得 6，3 周中 2 周达到；未达到：2019-03-11 至 2019-03-17"
    );
    assert_eq!(verdict(&card, "workshop.members"), Verdict::Holds);
}

#[test]
fn r5_a_visit_has_six_days_two_feedback_lessons_and_sixty_to_forty_experts() {
    let visit = subject(
        "visit",
        "",
        &[
            ("survey_lead_months", 1),
            ("leader_arrival_weekday", 7),
            ("leader_full_time", 1),
            ("feedback_weekday", 5),
        ],
    );
    let expert = |id: &str, role: &str| Entry {
        activity: "visit_expert".into(),
        role: role.into(),
        ..entry(id, "2019-05-12")
    };
    let mut entries = vec![
        Entry {
            program: "送培到校".into(),
            ..work("六天", "2019-05-12", "intensive", 600, 0)
        },
        Entry {
            activity: "feedback_lesson".into(),
            ..entry("反馈一", "2019-05-17")
        },
        Entry {
            activity: "feedback_lesson".into(),
            ..entry("反馈二", "2019-05-17")
        },
    ];
    entries.extend((0..3).map(|at| expert(&format!("本地{at}"), "local_expert")));
    entries.extend((0..2).map(|at| expert(&format!("外地{at}"), "external_expert")));
    // 3 of 5 are 60 %, 2 of 5 are 40 %.
    let card = evaluate(r5(), &visit, &started("2019-05-12"), &entries);
    assert!(card.complete, "{:#?} {:#?}", card.limits, card.checks);
    // 4 of 6 are 66.66 %.
    entries.push(expert("本地4", "local_expert"));
    let card = evaluate(r5(), &visit, &started("2019-05-12"), &entries);
    assert_eq!(
        card.limits
            .iter()
            .map(|limit| (limit.share_bp, limit.met))
            .collect::<Vec<_>>(),
        [(6666, false), (3333, false)]
    );
    assert!(!card.complete);
}
