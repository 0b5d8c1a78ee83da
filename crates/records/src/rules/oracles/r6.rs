//! R6: 60 hours of leaders, lessons observed by week and semester, lessons of a school by year.

use super::{codes, day, entry};
use crate::rules::*;

fn leader(post: &str) -> PersonFacts {
    PersonFacts {
        post: post.into(),
        ..PersonFacts::default()
    }
}

/// The school year 2026-2027, up to a day.
fn up_to(text: &str) -> When {
    When {
        on: day("2026-10-01"),
        as_of: day(text),
        ..When::default()
    }
}

fn whole_year() -> When {
    When {
        on: day("2026-10-01"),
        ..When::default()
    }
}

/// A lesson observed, debriefed and signed.
fn listen(id: &str, date: &str) -> Entry {
    Entry {
        activity: "listen".into(),
        marks: codes(&["debriefed", "signed", "both_records"]),
        decision: String::new(),
        decided_on: None,
        ..entry(id, date)
    }
}

/// So many lessons on one day.
fn lessons(date: &str, count: usize) -> Vec<Entry> {
    (0..count)
        .map(|at| listen(&format!("听{date}-{at}"), date))
        .collect()
}

#[test]
fn a_leader_of_teaching_hears_five_to_ten_lessons_in_every_teaching_week() {
    // 1 September 2026 is a Tuesday; weeks begin on 31 August, 7, 14 and 21 September.
    // 5, 11, 4 and 2 lessons: the first is met, the second is met and 1 above, the third lacks 1, the
    // fourth still runs on 23 September and lacks 3.
    let mut entries = lessons("2026-09-02", 5);
    entries.extend(lessons("2026-09-08", 11));
    entries.extend(lessons("2026-09-17", 4));
    entries.extend(lessons("2026-09-21", 2));
    let card = evaluate(r6(), &leader("dean"), &up_to("2026-09-23"), &entries);
    let quota = card.requirement("listen.teaching_leader").unwrap();
    let weeks: Vec<(i64, i64, i64, bool, bool)> = quota
        .spans
        .iter()
        .take(5)
        .map(|week| (week.earned_c, week.gap_c, week.over_c, week.ended, week.to_come))
        .collect();
    assert_eq!(
        weeks,
        [
            (500, 0, 0, true, false),
            (1100, 0, 100, true, false),
            (400, 100, 0, true, false),
            (200, 300, 0, false, false),
            (0, 500, 0, false, true),
        ]
    );
    assert_eq!((quota.earned_c, quota.gap_c, quota.over_c), (2200, 400, 100));
    // Not the weeks to come, but every week that has begun is named.
    assert!(
        quota
            .text_zh
            .ends_with("未达到：2026-09-14 至 2026-09-20、2026-09-21 至 2026-09-27"),
        "{}",
        quota.text_zh
    );
    // F2: 11 is above the band. It is shown, and a breach only where the county says so.
    assert!(card.warnings.iter().any(|warning| warning.code == "over_max"));
    // Other leaders have 3 to 5.
    let card = evaluate(r6(), &leader("principal"), &up_to("2026-09-23"), &entries);
    assert!(card.requirement("listen.teaching_leader").is_none());
    let quota = card.requirement("listen.other_leader").unwrap();
    assert_eq!(quota.spans.iter().map(|week| week.over_c).sum::<i64>(), 600);
    // A teacher has none.
    let card = evaluate(r6(), &leader("teacher"), &up_to("2026-09-23"), &entries);
    assert!(card.requirements.is_empty() && card.complete);
}

#[test]
fn f1_teaching_weeks_come_from_the_calendar() {
    let weeks = |rules: &RuleSet, when: &When| {
        let card = evaluate(rules, &leader("dean"), when, &[]);
        card.requirement("listen.teaching_leader").unwrap().spans.len()
    };
    // The usual semesters: 31 August to 18 January are 21 Mondays (140 days / 7 + 1); the 20 February 2027
    // is a Saturday, so 22 February to 5 July are 20 (133 / 7 + 1).
    assert_eq!(weeks(r6(), &whole_year()), 41);
    // All weeks that touch the year: 31 August 2026 to 30 August 2027 are 53 (364 / 7 + 1).
    let mut rules = r6().clone();
    rules.calendar.as_mut().unwrap().weeks = Weeks::Calendar;
    assert_eq!(weeks(&rules, &whole_year()), 53);
    // A school's own calendar: four weeks, of which the national holiday takes one whole and one in part.
    let own = When {
        calendar: Some(Calendar {
            semesters: vec![Span {
                first: day("2026-09-21").unwrap(),
                last: day("2026-10-18").unwrap(),
                zh: "试行".into(),
                en: "trial".into(),
            }],
            off: vec![(day("2026-09-30").unwrap(), day("2026-10-11").unwrap())],
        }),
        ..whole_year()
    };
    assert_eq!(weeks(r6(), &own), 3);
    // Five lessons in each of the three: met.
    let mut entries = lessons("2026-09-25", 5);
    entries.extend(lessons("2026-09-29", 5));
    entries.extend(lessons("2026-10-12", 5));
    let card = evaluate(r6(), &leader("dean"), &own, &entries);
    assert!(card.complete, "{:#?}", card.requirements);
    let mut strict = r6().clone();
    strict.reading.over_max = OverMax::Fail;
    assert!(evaluate(&strict, &leader("dean"), &own, &entries).complete);
    entries.extend(lessons("2026-10-13", 6));
    assert!(evaluate(r6(), &leader("dean"), &own, &entries).complete);
    assert!(!evaluate(&strict, &leader("dean"), &own, &entries).complete);
}

#[test]
fn weeks_before_the_appointment_and_of_long_leave_are_not_asked() {
    let mut rules = r6().clone();
    rules.prorate.suspends = OneOrMany(vec!["sick".into()]);
    let weeks = |person: &PersonFacts| {
        let card = evaluate(&rules, person, &whole_year(), &[]);
        card.requirement("listen.teaching_leader").unwrap().spans.len()
    };
    let mut person = leader("dean");
    // Joined on Monday 18 January 2027: one week of the first semester and the 20 of the second.
    person.joined = day("2027-01-18");
    assert_eq!(weeks(&person), 21);
    // Ill from Wednesday 24 February to Sunday 21 March: the three whole weeks of March 1, 8 and 15 fall away.
    person.leaves.push(Leave {
        first: day("2027-02-24").unwrap(),
        last: day("2027-03-21"),
        status: "sick".into(),
    });
    assert_eq!(weeks(&person), 18);
}

#[test]
fn f5_a_lesson_without_debrief_or_signature_does_not_count_and_is_named() {
    let mut entries = lessons("2026-09-02", 5);
    entries[0].marks = codes(&["debriefed", "both_records"]);
    entries[1].marks = codes(&["signed"]);
    let card = evaluate(r6(), &leader("dean"), &up_to("2026-09-06"), &entries);
    let quota = card.requirement("listen.teaching_leader").unwrap();
    assert_eq!((quota.earned_c, quota.gap_c), (300, 200));
    let held_back: Vec<(&str, Vec<&str>)> = quota
        .held_back
        .iter()
        .map(|each| {
            (
                each.id.as_str(),
                each.missing.iter().map(String::as_str).collect(),
            )
        })
        .collect();
    assert_eq!(
        held_back,
        [
            ("听2026-09-02-0", vec!["signed"]),
            ("听2026-09-02-1", vec!["debriefed", "both_records"]),
        ]
    );
    assert!(
        quota
            .text_zh
            .ends_with("；2 条因缺双方评课记录、评课、授课教师签字（评课人、时间、地点）不计"),
        "{}",
        quota.text_zh
    );
}

#[test]
fn leaders_have_sixty_hours_a_year_with_notes_and_the_countys_approval() {
    let hours = |id: &str, hours_c: i64| Entry {
        hours_c,
        form: "online".into(),
        evidence: codes(&["handwritten_note"]),
        ..entry(id, "2026-11-05")
    };
    let reserve = PersonFacts {
        roles: codes(&["reserve"]),
        ..PersonFacts::default()
    };
    let card = |entries: &[Entry]| evaluate(r6(), &reserve, &whole_year(), entries);
    // 35.5 + 24.5 = 60.
    assert!(card(&[hours("远程", 3550), hours("外出", 2450)]).complete);
    let mut short = [hours("远程", 3550), hours("外出", 2440)];
    let outcome = card(&short).requirement("cadre.hours").unwrap().clone();
    assert_eq!((outcome.met, outcome.gap_c), (false, 10));
    // Without notes they do not count here, without approval nowhere.
    short[1] = hours("外出", 2450);
    short[1].evidence.clear();
    assert_eq!(card(&short).requirement("cadre.hours").unwrap().gap_c, 2450);
    short[1].decision.clear();
    assert_eq!(
        card(&short).account("外出").unwrap().reason,
        Some(Reason::NotApproved)
    );
    // Lessons are no hours, and need no decision.
    let heard = Entry {
        hours_c: 9000,
        ..listen("听", "2026-11-05")
    };
    let card = card(&[heard]);
    assert_eq!(card.requirement("cadre.hours").unwrap().earned_c, 0);
    assert_eq!(card.account("听").unwrap().reason, None);
}

#[test]
fn a_quota_is_asked_whole_in_each_year_in_service_and_is_no_advice() {
    // Who joins in January has fewer teaching weeks; the 60 hours of the year stand as they are.
    let mut rules = r6().clone();
    rules.prorate.method = ProrateMethod::MonthsPresent;
    rules.reading.per_year = Weight::Advice;
    for population in &mut rules.populations {
        population.prorate = true;
    }
    let reserve = PersonFacts {
        roles: codes(&["reserve"]),
        joined: day("2027-01-10"),
        ..PersonFacts::default()
    };
    let card = evaluate(&rules, &reserve, &whole_year(), &[]);
    let hours = card.requirement("cadre.hours").unwrap();
    assert_eq!((hours.min_c, hours.gap_c, hours.met), (6000, 6000, false));
}

#[test]
fn backbone_teachers_have_figures_by_semester() {
    let person = PersonFacts {
        roles: codes(&["town_backbone"]),
        ..PersonFacts::default()
    };
    let of = |activity: &str, date: &str, count: i64| Entry {
        activity: activity.into(),
        count,
        level: "town".into(),
        ..entry(&format!("{activity}{date}"), date)
    };
    // 20 + 10 + 2 in the first semester; 20 + 9 + 4 in the second; 5 in the holiday between them.
    let mut entries = vec![
        of("listen", "2026-10-09", 20),
        of("debrief", "2026-10-10", 10),
        of("open", "2026-10-12", 2),
        of("listen", "2027-03-09", 20),
        of("debrief", "2027-03-10", 9),
        of("open", "2027-03-12", 4),
        of("debrief", "2027-02-10", 5),
    ];
    let card = evaluate(r6(), &person, &whole_year(), &entries);
    let gaps = |id: &str| {
        let outcome = card.requirement(id).unwrap();
        (outcome.met, outcome.gap_c, outcome.over_c)
    };
    assert_eq!(gaps("backbone.listen"), (true, 0, 0));
    assert_eq!(gaps("backbone.debrief"), (false, 100, 0));
    assert_eq!(gaps("backbone.open_class"), (true, 0, 100));
    assert!(!card.complete);
    let debrief = card.requirement("backbone.debrief").unwrap();
    assert_eq!(
        debrief.text_zh,
        "每学期不少于 10 节，已得 24，2 学期中 1 学期达到；未达到：第二学期（2027-02-20 至 2027-07-10）"
    );
    // A county lesson is neither of the township nor of the school.
    entries[2].level = "county".into();
    let card = evaluate(r6(), &person, &whole_year(), &entries);
    assert_eq!(card.requirement("backbone.open_class").unwrap().gap_c, 200);
}

#[test]
fn a_school_gives_twenty_lessons_of_four_kinds_and_hears_twenty_with_debrief() {
    let school = PersonFacts {
        subject: "school".into(),
        ..PersonFacts::default()
    };
    let given = |activity: &str, count: i64| Entry {
        activity: activity.into(),
        count,
        ..entry(activity, "2027-04-08")
    };
    // 4 + 6 + 5 + 5 = 20.
    let mut entries = vec![
        given("quality", 4),
        given("open", 6),
        given("model", 5),
        given("watch", 5),
    ];
    entries.extend(lessons("2026-12-01", 20));
    let card = evaluate(r6(), &school, &whole_year(), &entries);
    assert!(card.complete, "{:#?}", card.requirements);
    assert_eq!(card.requirements.len(), 2);
    entries[0].count = 3;
    entries[10].marks.clear();
    let card = evaluate(r6(), &school, &whole_year(), &entries);
    let gaps: Vec<i64> = card.requirements.iter().map(|each| each.gap_c).collect();
    assert_eq!(gaps, [100, 100]);
}

#[test]
fn an_unknown_activity_counts_zero_and_is_shown_as_it_is_written() {
    let odd = Entry {
        activity: "微格教学㙇".into(),
        ..listen("怪", "2026-09-02")
    };
    let card = evaluate(r6(), &leader("dean"), &up_to("2026-09-06"), &[odd]);
    assert_eq!(card.requirement("listen.teaching_leader").unwrap().earned_c, 0);
    assert_eq!(card.excluded[0].raw, "活动“微格教学㙇”");
    assert_eq!(
        card.account("怪").unwrap().text_zh,
        "不计：类别或渠道不在规则中：活动“微格教学㙇”"
    );
}
