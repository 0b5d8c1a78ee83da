//! What holds for every rule set that the program brings along.

use proptest::prelude::*;

use super::{codes, day, entry};
use crate::date::SchoolYear;
use crate::rules::*;

/// Any entries: of all kinds, also unknown ones, with ids and sessions that collide now and then.
fn any_entries() -> impl Strategy<Value = Vec<Entry>> {
    let pick = |values: &'static [&'static str]| prop::sample::select(values).prop_map(str::to_owned);
    let places = (
        pick(&[
            "",
            "",
            "listen",
            "debrief",
            "open",
            "host",
            "attendance",
            "platform",
            "host_mark",
            "舞龙",
        ]),
        pick(&["practice", "ethics_literacy", "knowledge_skill", "体育"]),
        pick(&["city", "district", "school", "school_delivery", "village"]),
        pick(&["", "a", "b", "e"]),
        pick(&["intensive", "shadowing", "lecture", "online"]),
        pick(&["", "置换脱产研修", "教师工作坊", "见习期规范化培训"]),
        pick(&["", "absent", "late"]),
        pick(&["", "考勤", "班主任专题培训"]),
    );
    let amounts = (-1i64..60, 0i64..400, 0i64..4000, 0i64..700, 0i64..3, 0i64..200);
    let proof = (
        0u8..3,
        any::<[bool; 5]>(),
        pick(&["", "seed003.five-year-36-54/1", "别处/2"]),
    );
    let one = (0u32..30, 0u32..40, 0i64..2000, places, amounts, proof).prop_map(
        |(id, session, days, places, amounts, (decision, flags, rule_ref))| {
            let (activity, category, channel, course, form, program, status, topic) = places;
            let (hours, credits_c, points_c, days_c, count, minutes) = amounts;
            let date = SchoolYear(2024).start().unwrap();
            let date = date.checked_add(jiff::Span::new().days(days)).unwrap();
            Entry {
                activity,
                category,
                channel,
                course,
                form,
                program,
                status,
                topic,
                rule_ref,
                date,
                hours_c: hours * 10,
                credits_c,
                points_c,
                days_c,
                count,
                minutes,
                lecture_minutes: minutes / 2,
                partial: flags[0],
                session: if flags[1] {
                    String::new()
                } else {
                    format!("活动{session}")
                },
                evidence: if flags[2] {
                    codes(&["handwritten_note", "pass_list"])
                } else {
                    codes(&[])
                },
                marks: if flags[3] {
                    codes(&["debriefed", "signed", "both_records"])
                } else {
                    codes(&[])
                },
                decision: if decision == 0 {
                    String::new()
                } else {
                    format!("审{decision}")
                },
                decided_on: (decision > 0).then_some(date),
                decided_at_own_school: flags[4] && decision == 2,
                plan_filed: if flags[0] { "备".into() } else { String::new() },
                result_filed: if flags[2] { "备".into() } else { String::new() },
                ..entry(&format!("记{id}"), "2025-10-08")
            }
        },
    );
    prop::collection::vec(one, 0..40)
}

fn any_subject() -> impl Strategy<Value = PersonFacts> {
    let subject = prop::sample::select(vec!["", "", "", "school", "workshop", "delivery", "visit"]);
    let post = prop::sample::select(vec!["teacher", "dean", "principal"]);
    let role = prop::sample::select(vec![
        "",
        "reserve",
        "town_backbone",
        "county_trainer",
        "displaced",
    ]);
    let days = (2005i32..2030, any::<bool>(), any::<bool>());
    (subject, post, role, days).prop_map(|(subject, post, role, (from, homeroom, leave))| PersonFacts {
        subject: subject.into(),
        post: post.into(),
        roles: codes(&[role]),
        homeroom,
        teaching_from: Some(SchoolYear(from)),
        leaves: if leave {
            vec![Leave {
                first: day("2026-04-10").unwrap(),
                last: day("2026-12-01"),
                status: "sick".into(),
            }]
        } else {
            Vec::new()
        },
        ..PersonFacts::default()
    })
}

fn any_when() -> impl Strategy<Value = When> {
    let as_of = prop::sample::select(vec![None, Some("2026-05-05"), Some("2027-01-31")]);
    (0i64..1500, as_of, 1i32..5).prop_map(|(days, as_of, years)| {
        let first = day("2024-09-01").unwrap();
        When {
            on: first.checked_add(jiff::Span::new().days(days)).ok(),
            start: day("2025-09-01"),
            years: Some(years),
            as_of: as_of.and_then(day),
            calendar: None,
        }
    })
}

fn any_rules() -> impl Strategy<Value = &'static RuleSet> {
    (0..shipped().len()).prop_map(|at| &shipped()[at])
}

#[test]
fn every_open_point_is_a_parameter_and_every_id_is_its_own() {
    let open: Vec<usize> = shipped().iter().map(|rules| rules.ambiguities.len()).collect();
    assert_eq!(open, [7, 6, 7, 5, 4, 5, 3, 4]);
    let mut ids: Vec<String> = shipped().iter().map(RuleSet::reference).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), shipped().len());
    for rules in shipped() {
        assert!(!rules.reading.notice_zh.is_empty() && !rules.reading.notice_en.is_empty());
    }
}

#[test]
fn the_five_kinds_of_cycle_are_all_in_use() {
    let kinds: Vec<CycleKind> = shipped().iter().map(|rules| rules.cycle.kind).collect();
    use CycleKind::*;
    // The fifth, the personal window, is the other reading of R2 (B5).
    assert_eq!(
        kinds,
        [
            FixedWindow,
            FixedWindow,
            Annual,
            Cohort,
            Project,
            Annual,
            Project,
            Annual
        ]
    );
}

#[test]
fn r1_has_two_gates_and_they_are_different_acts() {
    let line = |category: &str, sub: Option<&str>| Entry {
        category: category.into(),
        sub: sub.map(str::to_owned),
        channel: "school".into(),
        hours_c: 1000,
        credits_c: 100,
        decision: String::new(),
        decided_on: None,
        ..entry("校本", "2025-10-08")
    };
    let reason = |rules: &RuleSet, entry: &Entry| {
        let card = credit_card(rules, &PersonFacts::default(), std::slice::from_ref(entry));
        (card.accounts[0].reason, card.accounts[0].gate, card.total_c)
    };
    // 实践体验 is filed, plan and result; 师德与素养 is approved before there is credit.
    let mut practice = line("practice", None);
    assert_eq!(reason(r1(), &practice).0, Some(Reason::NotFiled));
    practice.plan_filed = "备1".into();
    assert_eq!(reason(r1(), &practice).0, Some(Reason::NotFiled));
    practice.result_filed = "备2".into();
    assert_eq!(reason(r1(), &practice), (None, Gate::File, 100));
    let mut ethics = line("ethics_literacy", Some("ethics"));
    ethics.plan_filed = "备1".into();
    ethics.result_filed = "备2".into();
    assert_eq!(reason(r1(), &ethics).0, Some(Reason::NotApproved));
    ethics.decision = "核1".into();
    assert_eq!(reason(r1(), &ethics), (None, Gate::Approve, 100));
    // Whether the county's approval stands for a filing is its own choice.
    let approved = Entry {
        decision: "核1".into(),
        ..line("practice", None)
    };
    assert_eq!(reason(r1(), &approved).0, None);
    let mut strict = r1().clone();
    strict.reading.approval_covers_filing = false;
    assert_eq!(reason(&strict, &approved).0, Some(Reason::NotFiled));
}

#[test]
fn one_session_counts_once_for_one_person() {
    let line = |id: &str, channel: &str, credits_c: i64| Entry {
        category: "practice".into(),
        channel: channel.into(),
        hours_c: credits_c * 10,
        credits_c,
        session: "县研修".into(),
        ..entry(id, "2025-10-08")
    };
    let card = |entries: &[Entry]| credit_card(r1(), &PersonFacts::default(), entries);
    // Two devices registered the same: one counts, the other says why not.
    let same = card(&[line("登2", "school", 100), line("登1", "school", 100)]);
    assert_eq!(same.total_c, 100);
    let reasons: Vec<Option<Reason>> = same.accounts.iter().map(|each| each.reason).collect();
    assert_eq!(reasons, [None, Some(Reason::SameSession)]);
    // In two channels: an hour cannot count twice, and which is right is for a person to say.
    let both = card(&[line("甲", "school", 100), line("乙", "district", 100)]);
    assert_eq!(both.total_c, 0);
    assert!(
        both.accounts
            .iter()
            .all(|each| each.reason == Some(Reason::Disputed))
    );
    // Observing and debriefing one lesson are two acts.
    let act = |activity: &str| Entry {
        activity: activity.into(),
        ..line(activity, "", 0)
    };
    let when = When {
        on: day("2025-10-08"),
        ..When::default()
    };
    let card = evaluate(
        r6(),
        &PersonFacts::default(),
        &when,
        &[act("listen"), act("debrief")],
    );
    assert!(card.excluded.is_empty());
}

/// Where figures stand in a file: the ranges of quoted numbers.
fn figures(text: &str) -> Vec<std::ops::Range<usize>> {
    let quotes: Vec<usize> = text.match_indices('"').map(|(at, _)| at).collect();
    let number = |pair: &&[usize]| {
        let inner = &text[pair[0] + 1..pair[1]];
        !inner.is_empty() && inner.chars().all(|char| char.is_ascii_digit() || char == '.')
    };
    let pairs = quotes.windows(2).filter(number);
    pairs.map(|pair| pair[0] + 1..pair[1]).collect()
}

#[test]
fn figures_as_large_as_a_file_may_hold_never_overflow() {
    let large = |activity: &str, form: &str| Entry {
        activity: activity.into(),
        form: form.into(),
        category: "practice".into(),
        channel: "school".into(),
        rule_ref: "别处/1".into(),
        hours_c: 10_000_000,
        credits_c: 10_000_000,
        days_c: 10_000_000,
        points_c: 10_000_000,
        count: 10_000_000,
        minutes: 10_000_000,
        lecture_minutes: 10_000_000,
        ..entry(&format!("大{activity}{form}"), "2026-03-10")
    };
    let mut entries = vec![large("", "lecture"), large("", "shadowing")];
    for rules in shipped() {
        entries.extend(rules.activities.iter().map(|each| large(&each.id, "")));
    }
    let when = When {
        on: day("2026-03-10"),
        start: day("2026-03-01"),
        ..When::default()
    };
    let subjects = ["", "school", "workshop", "delivery", "visit"].map(|subject| PersonFacts {
        subject: subject.into(),
        roles: codes(&["county_trainer", "displaced", "reserve", "town_backbone"]),
        joined: day("2026-02-01"),
        ..PersonFacts::default()
    });
    let mut read = 0;
    for text in SHIPPED {
        for range in figures(text) {
            for figure in ["0", "99999", "100000", "999999999"] {
                let changed = format!("{}{figure}{}", &text[..range.start], &text[range.end..]);
                let Ok(rules) = RuleSet::parse(&changed) else {
                    continue;
                };
                read += 1;
                for subject in &subjects {
                    assert!(evaluate(&rules, subject, &when, &entries).total_c >= 0);
                }
            }
        }
    }
    assert!(read > 100, "{read}");
}

proptest! {
    #[test]
    fn order_repetition_and_merging_never_change_a_card(
        rules in any_rules(),
        subject in any_subject(),
        when in any_when(),
        (entries, shuffled, cut) in any_entries().prop_flat_map(|entries| {
            let again: Vec<Entry> = entries.iter().chain(entries.iter().take(9)).cloned().collect();
            let length = again.len();
            (Just(entries), Just(again).prop_shuffle(), 0..=length)
        }),
    ) {
        let card = evaluate(rules, &subject, &when, &entries);
        prop_assert_eq!(&card, &evaluate(rules, &subject, &when, &shuffled));
        // Two nodes that were apart merge what they have, in either order.
        let (left, right) = shuffled.split_at(cut);
        let merged: Vec<Entry> = right.iter().chain(left).chain(right).cloned().collect();
        prop_assert_eq!(&card, &evaluate(rules, &subject, &when, &merged));
    }

    #[test]
    fn every_entry_is_accounted_for_and_every_figure_names_its_entries(
        rules in any_rules(), subject in any_subject(), when in any_when(), entries in any_entries(),
    ) {
        let card = evaluate(rules, &subject, &when, &entries);
        let ids: std::collections::BTreeSet<&String> = entries.iter().map(|entry| &entry.id).collect();
        prop_assert_eq!(card.accounts.iter().map(|each| &each.id).collect::<Vec<_>>(), ids.into_iter().collect::<Vec<_>>());
        let zero: Vec<&String> = card.accounts.iter().filter(|each| each.reason.is_some()).map(|each| &each.id).collect();
        prop_assert_eq!(zero, card.excluded.iter().map(|each| &each.id).collect::<Vec<_>>());
        let named = card.requirements.iter().chain(&card.cells).flat_map(|each| &each.lines);
        for id in named {
            let account = card.account(id).unwrap();
            prop_assert!(account.reason.is_none() && !account.counts_in.is_empty());
        }
        for account in &card.accounts {
            prop_assert!(account.reason.is_none() || (account.amount_c == 0 && account.counts_in.is_empty()));
            prop_assert!(!account.text_zh.is_empty() && !account.text_en.is_empty());
        }
        if card.scheme.is_none() && card.unit != Unit::Mixed {
            prop_assert_eq!(card.total_c, card.accounts.iter().map(|each| each.amount_c).sum::<i64>());
        }
        for outcome in card.requirements.iter().chain(&card.cells) {
            prop_assert!(outcome.gap_c >= 0 && outcome.over_c >= 0 && !outcome.text_zh.is_empty());
            let inside: i64 = outcome.spans.iter().map(|span| span.earned_c).sum();
            prop_assert!(outcome.spans.is_empty() || inside <= outcome.earned_c, "{}", outcome.id);
        }
        if let Some(scheme) = &card.scheme {
            for item in &scheme.items {
                prop_assert!((0..=item.max_c).contains(&item.counted_c));
            }
            prop_assert!((0..=scheme.full_c.unwrap()).contains(&scheme.total_c));
        }
    }

    #[test]
    fn an_unknown_code_counts_zero_and_is_shown_raw(
        rules in any_rules(), subject in any_subject(), when in any_when(), entries in any_entries(),
        word in "[\u{4e00}-\u{9fa5}㙇𬭊]{1,6}",
    ) {
        let unknown = Entry { activity: word.clone(), ..entry("新", "2026-03-10") };
        let before = evaluate(rules, &subject, &when, &entries);
        let mut more = entries;
        more.push(unknown);
        let after = evaluate(rules, &subject, &when, &more);
        prop_assert_eq!(after.total_c, before.total_c);
        prop_assert_eq!(after.total_hours_c, before.total_hours_c);
        prop_assert_eq!(&after.requirements, &before.requirements);
        prop_assert_eq!(&after.cut_off, &before.cut_off);
        let shown = after.excluded.iter().find(|each| each.id == "新").unwrap();
        if shown.reason == Reason::UnknownCode {
            prop_assert!(shown.raw.contains(&word) && after.account("新").unwrap().text_zh.contains(&word));
        } else {
            prop_assert!(matches!(shown.reason, Reason::OutsideCycle | Reason::AfterCutOff));
        }
    }

    #[test]
    fn a_file_that_was_written_wrongly_is_refused_or_works(
        at in 0..SHIPPED.len(), places in prop::collection::vec((any::<prop::sample::Index>(), "[0-9a-z\"\\[\\]= \n一-九]{0,3}"), 1..4),
        subject in any_subject(), when in any_when(), entries in any_entries(),
    ) {
        let mut text: Vec<char> = SHIPPED[at].chars().collect();
        for (place, put) in places {
            let place = place.index(text.len());
            let end = (place + 1).min(text.len());
            text.splice(place..end, put.chars());
        }
        if let Ok(rules) = RuleSet::parse(&text.into_iter().collect::<String>()) {
            let card = evaluate(&rules, &subject, &when, &entries);
            prop_assert_eq!(card.rule_ref, rules.reference());
        }
    }

    #[test]
    fn a_comparison_explains_every_difference(
        old in any_rules(), new in any_rules(),
        subject in any_subject(), when in any_when(), entries in any_entries(),
    ) {
        let both = compare(old, new, &subject, &when, &entries);
        prop_assert_eq!(&both.old, &evaluate(old, &subject, &when, &entries));
        prop_assert_eq!(&both.new, &evaluate(new, &subject, &when, &entries));
        prop_assert_eq!(both.text_zh.len(), 1 + both.requirements.len() + both.entries.len());
        let points = both.old.scheme.is_some() || both.new.scheme.is_some();
        if let Some(difference_c) = both.difference_c.filter(|_| !points) {
            let sum: i64 = both.entries.iter().map(|each| each.new_c - each.old_c).sum();
            prop_assert_eq!(sum, difference_c);
        }
        if old.reference() == new.reference() {
            prop_assert!(both.requirements.is_empty() && both.entries.is_empty());
        }
    }
}
