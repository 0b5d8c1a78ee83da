//! R2 (five years, 360 credits) and R3 (72 class-hours from March to February).

use super::{codes, day, entry};
use crate::date::SchoolYear;
use crate::rules::*;

fn on(text: &str) -> When {
    When {
        on: day(text),
        ..When::default()
    }
}

/// An entry of R2: credits are class-hours.
fn visit(id: &str, date: &str, credits_c: i64) -> Entry {
    Entry {
        channel: "school_delivery".into(),
        hours_c: credits_c,
        credits_c,
        ..entry(id, date)
    }
}

/// An entry of R3.
fn course(id: &str, date: &str, course: &str, hours_c: i64, evidence: &[&str]) -> Entry {
    Entry {
        course: course.into(),
        hours_c,
        credits_c: hours_c / 10,
        evidence: codes(evidence),
        ..entry(id, date)
    }
}

fn teacher() -> PersonFacts {
    PersonFacts {
        teaching_from: Some(SchoolYear(2010)),
        ..PersonFacts::default()
    }
}

/// A year of R3 that is complete: 10 + 12 + 10 + 10 + 20 + 10 = 72.
fn full_year() -> Vec<Entry> {
    vec![
        course("师德", "2026-03-20", "a", 1000, &["handwritten_note"]),
        course("技术", "2026-05-08", "b", 1200, &["pass_list"]),
        course("德育", "2026-10-11", "c", 1000, &[]),
        course("心理", "2026-11-12", "d", 1000, &[]),
        course("集备一", "2026-04-02", "e", 2000, &["hour_certificate"]),
        course("集备二", "2027-01-15", "e", 1000, &["handwritten_copy"]),
    ]
}

#[test]
fn r1_r2_and_r3_agree_through_hours_alone() {
    // 5 × 72 = 360 = 36 × 10.
    let min = |rules: &RuleSet, id: &str| rules.requirement(id).unwrap().min.unwrap().0;
    let (r1_min, r2_min, r3_min) = (
        min(r1(), "total.ordinary"),
        min(r2(), "total"),
        min(r3(), "total"),
    );
    assert_eq!(5 * r3_min, 36_000);
    assert_eq!(r1().credits_of(5 * r3_min), Ok(r1_min));
    assert_eq!(r2().credits_of(5 * r3_min), Ok(r2_min));
    assert_ne!(r1_min, r2_min);
    assert_eq!(
        r3().credits_of(r3_min),
        Ok(r3().requirement("total").unwrap().min_credits.unwrap().0)
    );
}

#[test]
fn r2_wants_360_and_says_what_is_missing() {
    // 60 visits of 6 hours = 360 credits; without the last 354, so 6 are missing.
    let visits: Vec<Entry> = (0..60)
        .map(|at| {
            visit(
                &format!("送培{at}"),
                &format!("{}-05-1{}", 2021 + at % 5, at / 10),
                600,
            )
        })
        .collect();
    let card = evaluate(r2(), &teacher(), &on("2023-01-01"), &visits);
    assert_eq!((card.total_c, card.complete), (36_000, true));
    assert_eq!(card.period.as_ref().unwrap().zh(), "2021年 至 2025年");
    let card = evaluate(r2(), &teacher(), &on("2023-01-01"), &visits[..59]);
    let total = card.total().unwrap();
    assert_eq!((total.gap_c, card.complete), (600, false));
    assert_eq!(total.text_zh, "不少于 360.0 学分，已得 354.0，还差 6.0");
    // The windows follow each other from 2011: 2020 belongs to the one before, 2026 to the next.
    for (date, counts) in [
        ("2020-12-31", false),
        ("2021-01-01", true),
        ("2025-12-31", true),
        ("2026-01-01", false),
    ] {
        let card = evaluate(r2(), &teacher(), &on("2023-01-01"), &[visit("边", date, 600)]);
        assert_eq!(card.total_c == 600, counts, "{date}");
    }
}

#[test]
fn b3_surplus_and_repair_are_the_countys_choice() {
    let surplus = Entry {
        activity: "carry_over".into(),
        credits_c: 1500,
        ..entry("结转", "2020-12-31")
    };
    let late = visit("补", "2026-01-20", 600);
    let entries = [surplus, late];
    let card = evaluate(r2(), &teacher(), &on("2023-01-01"), &entries);
    assert_eq!(card.total_c, 0);
    let reason = |id: &str| card.account(id).unwrap().reason;
    assert_eq!(
        (reason("结转"), reason("补")),
        (Some(Reason::NotCarried), Some(Reason::OutsideCycle))
    );
    let mut rules = r2().clone();
    rules.cycle.carry_over = CarryOver::Surplus;
    rules.cycle.repair_days = 31;
    assert_eq!(
        evaluate(&rules, &teacher(), &on("2023-01-01"), &entries).total_c,
        2100
    );
}

#[test]
fn b2_a_visit_in_days_counts_by_the_projects_hours_a_day() {
    let six_days = Entry {
        days_c: 600,
        rule_ref: "郴州项目/1".into(),
        ..visit("六天", "2024-05-12", 0)
    };
    let total = |rules: &RuleSet| {
        let six_days = std::slice::from_ref(&six_days);
        evaluate(rules, &teacher(), &on("2023-01-01"), six_days).total_c
    };
    assert_eq!(total(r2()), 0);
    // 6 days × 7.5 hours = 45 hours = 45 credits.
    let mut rules = r2().clone();
    rules.convert.hours_per_day = crate::Amount(750);
    assert_eq!(total(&rules), 4500);
}

#[test]
fn b4_rows_of_another_rule_set_go_through_hours() {
    // 1.5 credits of R1 are 15 hours, so 15 credits here; 36 credits of R1 would be 360, never 36.
    let of_r1 = Entry {
        category: "practice".into(),
        channel: "school".into(),
        hours_c: 1500,
        credits_c: 150,
        rule_ref: r1().reference(),
        ..entry("校本", "2024-10-08")
    };
    let card = evaluate(
        r2(),
        &teacher(),
        &on("2023-01-01"),
        &[of_r1, visit("送培", "2024-05-12", 600)],
    );
    assert_eq!(card.total_c, 1500 + 600);
    assert_eq!(
        card.account("校本").unwrap().text_zh,
        "2024-10-08，15.0 学分；计入：总学分；活动 活动校本；审核 审校本 2024-10-08"
    );
}

#[test]
fn b5_a_personal_window_runs_from_the_persons_own_first_day() {
    let mut rules = r2().clone();
    rules.cycle.kind = CycleKind::PersonalWindow;
    let person = PersonFacts {
        joined: day("2018-03-15"),
        ..PersonFacts::default()
    };
    let period = |text: &str| {
        let period = rules.period(&person, &on(text)).unwrap();
        (period.first.to_string(), period.last.to_string())
    };
    let expected = |first: &str, last: &str| (first.to_owned(), last.to_owned());
    assert_eq!(period("2018-03-15"), expected("2018-03-15", "2023-03-14"));
    assert_eq!(period("2023-03-14"), expected("2018-03-15", "2023-03-14"));
    assert_eq!(period("2023-03-15"), expected("2023-03-15", "2028-03-14"));
    // Before the first window there is none; the first is meant.
    assert_eq!(period("2016-01-01"), expected("2018-03-15", "2023-03-14"));
}

#[test]
fn no_credit_is_given_without_ground_decision_and_a_foreign_auditor() {
    let good = visit("好", "2024-05-12", 600);
    let cases = [
        (
            Entry {
                session: String::new(),
                ..visit("无活动", "2024-05-12", 600)
            },
            Some(Reason::NoGround),
        ),
        (
            Entry {
                session: String::new(),
                evidence: codes(&["certificate"]),
                ..visit("有证书", "2024-05-12", 600)
            },
            None,
        ),
        (
            Entry {
                decision: String::new(),
                ..visit("未审", "2024-05-12", 600)
            },
            Some(Reason::NotApproved),
        ),
        (
            // 备案 is not 核准.
            Entry {
                decision: String::new(),
                plan_filed: "备1".into(),
                result_filed: "备2".into(),
                ..visit("只备案", "2024-05-12", 600)
            },
            Some(Reason::NotApproved),
        ),
        (
            Entry {
                decided_at_own_school: true,
                ..visit("自审", "2024-05-12", 600)
            },
            Some(Reason::SelfAward),
        ),
    ];
    for (case, reason) in cases {
        let card = evaluate(r2(), &teacher(), &on("2023-01-01"), &[good.clone(), case.clone()]);
        assert_eq!(card.account(&case.id).unwrap().reason, reason, "{}", case.id);
        assert_eq!(
            card.total_c,
            if reason.is_some() { 600 } else { 1200 },
            "{}",
            case.id
        );
    }
}

#[test]
fn a_cut_off_leaves_out_what_happened_or_was_decided_later() {
    let mut decided_late = visit("晚审", "2024-05-12", 600);
    decided_late.decided_on = day("2024-07-01");
    let entries = [
        visit("早", "2024-05-12", 600),
        decided_late,
        visit("晚", "2024-06-02", 600),
    ];
    let at = |text: &str| {
        let when = When {
            as_of: day(text),
            ..When::default()
        };
        evaluate(r2(), &teacher(), &when, &entries)
    };
    let card = at("2024-06-01");
    assert_eq!(card.total_c, 600);
    assert_eq!(card.account("晚审").unwrap().reason, Some(Reason::NotApproved));
    assert_eq!(card.account("晚").unwrap().reason, Some(Reason::AfterCutOff));
    assert!(card.cut_off.to_string().starts_with("2024-06-01 #"));
    let later = at("2024-07-01");
    assert_eq!(later.total_c, 1800);
    assert_ne!(later.cut_off.digest, card.cut_off.digest);
}

#[test]
fn r3_runs_from_march_to_february_across_two_school_years() {
    let period = |text: &str| r3().period(&teacher(), &on(text)).unwrap();
    for text in ["2026-03-01", "2026-08-31", "2026-09-01", "2027-02-28"] {
        assert_eq!(period(text).zh(), "2026年3月—2027年2月", "{text}");
    }
    // To the last day of February, also in a leap year.
    assert_eq!(period("2027-03-01").last.to_string(), "2028-02-29");
    assert_eq!(period("2026-02-28").first.to_string(), "2025-03-01");
    let leap = course("闰", "2028-02-29", "e", 1000, &[]);
    let card = evaluate(r3(), &teacher(), &on("2027-06-01"), &[leap]);
    let missing = &card.courses[4].missing_in;
    assert_eq!(
        (missing.len(), missing[0].first.to_string()),
        (1, "2027-03-01".to_owned())
    );
    // The day of the event decides (C3): 31 August and 1 September are one training year.
    let entries = [
        course("前", "2026-02-28", "a", 1000, &[]),
        course("春", "2026-03-01", "a", 1000, &[]),
        course("夏", "2026-08-31", "c", 1000, &[]),
        course("秋", "2026-09-01", "d", 1000, &[]),
        course("冬", "2027-02-28", "d", 1000, &[]),
        course("后", "2027-03-01", "d", 1000, &[]),
    ];
    let card = evaluate(r3(), &teacher(), &on("2026-06-01"), &entries);
    assert_eq!(card.total_c, 4000);
    let outside: Vec<&str> = card.excluded.iter().map(|each| each.id.as_str()).collect();
    assert_eq!(outside, ["前", "后"]);
}

#[test]
fn a_repeating_cycle_without_a_day_counts_nothing_and_says_so() {
    let card = credit_card(r3(), &teacher(), &full_year());
    assert_eq!((card.total_c, card.complete), (0, false));
    assert_eq!(card.warnings[0].code, "no_period");
}

#[test]
fn r3_wants_72_hours_and_every_required_course_shown() {
    let card = evaluate(r3(), &teacher(), &on("2026-06-01"), &full_year());
    assert_eq!((card.total_c, card.complete), (7200, true), "{card:#?}");
    // 71.9 is not 72.
    let mut less = full_year();
    less[2].hours_c = 990;
    let card = evaluate(r3(), &teacher(), &on("2026-06-01"), &less);
    assert_eq!((card.total().unwrap().gap_c, card.complete), (10, false));
    // Hours alone are not enough: the pass list, not the teacher's word.
    let mut no_list = full_year();
    no_list[1].evidence = codes(&["certificate"]);
    let card = evaluate(r3(), &teacher(), &on("2026-06-01"), &no_list);
    assert!(card.total().unwrap().met && !card.complete);
    let technology = card.courses.iter().find(|each| each.id == "b").unwrap();
    assert_eq!(technology.missing_evidence, ["pass_list"]);
    assert_eq!(technology.text_zh, "1 条记录，12.0 学时；缺材料：合格名单");
    // Course e is asked in both semesters.
    let mut spring_only = full_year();
    spring_only[5].date = day("2026-06-15").unwrap();
    let card = evaluate(r3(), &teacher(), &on("2026-06-01"), &spring_only);
    let standards = card.courses.iter().find(|each| each.id == "e").unwrap();
    assert_eq!(
        (
            standards.met,
            standards.missing_in.len(),
            standards.missing_in[0].first.to_string()
        ),
        (false, 1, "2026-09-01".to_owned())
    );
    let mut advice = r3().clone();
    advice.reading.courses = Weight::Advice;
    assert!(evaluate(&advice, &teacher(), &on("2026-06-01"), &spring_only).complete);
}

#[test]
fn c1_hours_outside_the_required_courses_count_as_electives_by_default() {
    let mut entries = full_year();
    entries.push(course("选修", "2026-07-10", "", 500, &[]));
    let total = |rules: &RuleSet| evaluate(rules, &teacher(), &on("2026-06-01"), &entries).total_c;
    assert_eq!(total(r3()), 7700);
    let mut rules = r3().clone();
    rules.reading.outside_courses = Counting::Zero;
    assert_eq!(total(&rules), 7200);
}

#[test]
fn c2_an_exempt_year_counts_for_five_years_as_the_county_says() {
    // Begins to teach on 1 September 2025: less than a year on 1 March 2026.
    let novice = PersonFacts {
        teaching_from: Some(SchoolYear(2025)),
        ..PersonFacts::default()
    };
    let own = [course("师德", "2026-10-20", "a", 1000, &[])];
    let card = evaluate(r3(), &novice, &on("2026-06-01"), &own);
    assert!(card.complete && card.total().unwrap().waived);
    assert_eq!(
        card.total().unwrap().text_zh,
        "不作要求（教龄不足一年，按见习期规范化培训执行），已得 10.0 学时"
    );
    assert!(card.courses.iter().all(|each| each.waived));
    // Four years of 72 and this one: 288 + 10 = 298, or 288 + 72 = 360.
    assert_eq!(4 * 7200 + card.counts_as_hours_c, 29_800);
    let mut rules = r3().clone();
    rules.adjustments[0].counts_as = CountsAs::Full;
    let card = evaluate(&rules, &novice, &on("2026-06-01"), &own);
    assert_eq!(4 * 7200 + card.counts_as_hours_c, 36_000);
    // A year later there is no exemption.
    let card = evaluate(r3(), &novice, &on("2027-06-01"), &[]);
    assert!(!card.complete && card.adjustments.is_empty());
}

#[test]
fn c4_who_left_early_gets_nothing_where_the_whole_is_asked() {
    let mut entries = full_year();
    entries[4].partial = true; // 集备
    entries[2].partial = true; // 德育: no such word in the text
    let card = evaluate(r3(), &teacher(), &on("2026-06-01"), &entries);
    assert_eq!(card.total_c, 7200 - 2000);
    assert_eq!(card.account("集备一").unwrap().text_zh, "不计：未全程参加");
    let mut rules = r3().clone();
    rules.courses[4].whole_attendance = false;
    assert_eq!(
        evaluate(&rules, &teacher(), &on("2026-06-01"), &entries).total_c,
        7200
    );
}

#[test]
fn c7_who_joins_or_is_away_has_the_months_that_remain() {
    let min = |rules: &RuleSet, person: &PersonFacts| {
        let card = evaluate(rules, person, &on("2026-06-01"), &[]);
        card.total().unwrap().min_c
    };
    let joined = |text: &str| PersonFacts {
        joined: day(text),
        teaching_from: Some(SchoolYear(2010)),
        ..PersonFacts::default()
    };
    // From 1 September: 6 of 12 months, 72 × 6/12 = 36.
    assert_eq!(min(r3(), &joined("2026-09-01")), 3600);
    // From 10 October: November to February are 4 whole months, 72 × 4/12 = 24; with October begun 30.
    assert_eq!(min(r3(), &joined("2026-10-10")), 2400);
    let mut begun = r3().clone();
    begun.prorate.months = Months::Begun;
    assert_eq!(min(&begun, &joined("2026-10-10")), 3000);
    // Maternity leave from 10 April to 20 August: 5 months are touched, 7 remain, 72 × 7/12 = 42.
    let leave = |first: &str, last: Option<&str>, status: &str| PersonFacts {
        leaves: vec![Leave {
            first: day(first).unwrap(),
            last: last.and_then(day),
            status: status.into(),
        }],
        ..teacher()
    };
    assert_eq!(
        min(r3(), &leave("2026-04-10", Some("2026-08-20"), "maternity")),
        4200
    );
    // Three weeks of illness are not long, and a posting is no leave of this kind.
    assert_eq!(min(r3(), &leave("2026-04-10", Some("2026-04-30"), "sick")), 7200);
    assert_eq!(min(r3(), &leave("2026-04-10", None, "posted_out")), 7200);
    // An illness that lasts: March alone is whole, 72 × 1/12 = 6.
    assert_eq!(min(r3(), &leave("2026-04-10", None, "sick")), 600);
    // Rounded up to 1 hour: with 71 in place of 72, 71 × 7/12 = 41.42, so 42; to the nearest 41.
    let mut odd = r3().clone();
    odd.requirements[0].min = Some(crate::Amount(7100));
    let person = leave("2026-04-10", Some("2026-08-20"), "maternity");
    assert_eq!(min(&odd, &person), 4200);
    odd.prorate.rounding = Rounding::Nearest;
    assert_eq!(min(&odd, &person), 4100);
    odd.prorate.method = ProrateMethod::None;
    assert_eq!(min(&odd, &person), 7100);
}
