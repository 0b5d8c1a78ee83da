//! The oracles that the text of R1 itself supplies, asked of the engine, and the laws of the card.

use proptest::prelude::*;

use super::day;
use crate::date::{SchoolYear, parse_stored_date};
use crate::rules::*;

fn line(id: impl Into<String>, category: &str, sub: &str, channel: &str, credits_c: i64, year: i32) -> Entry {
    let id = id.into();
    Entry {
        session: format!("活动{id}"),
        decision: format!("审{id}"),
        decided_on: day("2025-10-08"),
        id,
        category: category.to_owned(),
        sub: (!sub.is_empty()).then(|| sub.to_owned()),
        channel: channel.to_owned(),
        form: "school_based".to_owned(),
        hours_c: credits_c * 10,
        credits_c,
        date: SchoolYear(year).start().unwrap(),
        minutes: credits_c * 10 * 45 / 100,
        ..Entry::default()
    }
}

/// The four free cells in credits: city ethics & literacy, city knowledge, district ethics & literacy, district knowledge.
type Split = (i64, i64, i64, i64);

/// All 36 integer splits that the cell table allows.
fn splits() -> Vec<Split> {
    let mut splits = Vec::new();
    for city_ethics in 1..=2 {
        for city_skill in 3..=5 {
            for district_ethics in 2..=3 {
                for district_skill in 9..=11 {
                    splits.push((city_ethics, city_skill, district_ethics, district_skill));
                }
            }
        }
    }
    splits
}

/// Lines of one credit each over the five years that make up one split and the fixed school part.
fn career((city_ethics, city_skill, district_ethics, district_skill): Split) -> Vec<Entry> {
    let cells = [
        ("ethics_literacy", "", "city", city_ethics),
        ("knowledge_skill", "", "city", city_skill),
        ("ethics_literacy", "literacy", "district", district_ethics),
        ("knowledge_skill", "", "district", district_skill),
        ("ethics_literacy", "ethics", "school", 6),
        ("ethics_literacy", "literacy", "school", 2),
        ("practice", "", "school", 10),
    ];
    let mut lines = Vec::new();
    for (category, sub, channel, credits) in cells {
        for number in 0..credits {
            let year = 2025 + i32::try_from(number % 5).unwrap();
            lines.push(line(
                format!("{channel}-{category}-{sub}-{number}"),
                category,
                sub,
                channel,
                100,
                year,
            ));
        }
    }
    lines
}

fn ordinary() -> PersonFacts {
    PersonFacts {
        teaching_from: Some(SchoolYear(2010)),
        ..Default::default()
    }
}

fn passing(rules: &RuleSet) -> Vec<Split> {
    splits()
        .into_iter()
        .filter(|split| credit_card(rules, &ordinary(), &career(*split)).complete)
        .collect()
}

#[test]
fn the_exact_reading_has_exactly_the_six_named_splits() {
    let mut rules = r1().clone();
    rules.reading.category_figures = Figures::Exact;
    let six = [
        (1, 3, 3, 11),
        (1, 4, 3, 10),
        (1, 5, 3, 9),
        (2, 3, 2, 11),
        (2, 4, 2, 10),
        (2, 5, 2, 9),
    ];
    assert_eq!(passing(&rules), six);
    for split in six {
        assert_eq!(
            credit_card(&rules, &ordinary(), &career(split)).total_c,
            3600,
            "the table sums to 36"
        );
    }
    // The other choices of the file do not move the oracle.
    rules.reading.other_targets = Figures::Exact;
    rules.reading.over_max = OverMax::Fail;
    assert_eq!(passing(&rules), six);
}

#[test]
fn the_minimum_reading_has_eighteen() {
    assert_eq!(splits().len(), 36);
    let passing = passing(r1());
    assert_eq!(passing.len(), 18);
    for (city_ethics, city_skill, district_ethics, district_skill) in passing {
        assert!(city_ethics + district_ethics >= 4 && city_skill + district_skill >= 14);
    }
}

#[test]
fn over_all_splits_the_table_runs_from_33_to_39() {
    let totals: Vec<i64> = splits()
        .iter()
        .map(|split| credit_card(r1(), &ordinary(), &career(*split)).total_c)
        .collect();
    assert_eq!(
        (totals.iter().min(), totals.iter().max()),
        (Some(&3300), Some(&3900))
    );
    // Channels stay inside their ranges by the cells alone, as the text says.
    for split in splits() {
        let card = credit_card(r1(), &ordinary(), &career(split));
        for id in ["ch.city", "ch.district", "ch.school"] {
            assert!(
                card.requirement(id).unwrap().met && card.requirement(id).unwrap().over_c == 0,
                "{split:?} {id}"
            );
        }
    }
}

#[test]
fn five_years_of_72_hours_are_36_credits() {
    let yearly = r1().credits_of(7200).unwrap();
    assert_eq!(yearly, 720);
    assert_eq!(
        5 * yearly,
        r1().requirement("total.ordinary").unwrap().min.unwrap().0
    );
}

#[test]
fn every_line_that_is_taken_away_is_missed() {
    let whole = career((2, 5, 2, 9));
    assert!(credit_card(r1(), &ordinary(), &whole).complete);
    for missing in 0..whole.len() {
        let mut lines = whole.clone();
        let gone = lines.remove(missing);
        let card = credit_card(r1(), &ordinary(), &lines);
        assert!(!card.complete, "{}", gone.id);
        assert_eq!(card.total().unwrap().gap_c, 100);
    }
}

#[test]
fn a_practice_year_left_out_is_named_and_can_be_made_advice() {
    let mut lines = career((2, 5, 2, 9));
    for line in lines
        .iter_mut()
        .filter(|line| line.category == "practice" && line.date.year() == 2027)
    {
        line.date = SchoolYear(2026).start().unwrap();
    }
    let card = credit_card(r1(), &ordinary(), &lines);
    let practice = card.requirement("cat.practice").unwrap();
    assert_eq!((practice.earned_c, practice.met), (1000, false));
    let short: Vec<(i16, i64)> = practice
        .spans
        .iter()
        .filter(|year| !year.met)
        .map(|year| (year.span.first.year(), year.gap_c))
        .collect();
    assert_eq!(short, [(2027, 200)]);
    assert_eq!(
        practice.text_zh,
        "不少于 10.0 学分，已得 10.0，已达到；每学年 2.0 学分，未达到：2027-2028学年"
    );
    let mut rules = r1().clone();
    rules.reading.per_year = Weight::Advice;
    assert!(credit_card(&rules, &ordinary(), &lines).complete);
}

#[test]
fn more_than_a_maximum_counts_and_is_said() {
    let mut lines = career((2, 5, 2, 9));
    lines.push(line("extra", "knowledge_skill", "", "city", 150, 2028));
    let card = credit_card(r1(), &ordinary(), &lines);
    assert!(card.complete);
    assert_eq!(card.total_c, 3750);
    let about: Vec<&str> = card
        .warnings
        .iter()
        .map(|warning| warning.about.as_str())
        .collect();
    assert_eq!(about, ["ch.city", "city/knowledge_skill"]);
    assert_eq!(
        card.warnings[0].zh,
        "市级：应在 4.0 至 7.0 学分之间，已得 8.5，超出 1.5"
    );
    let mut rules = r1().clone();
    rules.reading.over_max = OverMax::Fail;
    assert!(!credit_card(&rules, &ordinary(), &lines).complete);
}

#[test]
fn a2_the_induction_year_counts_in_the_total_alone_by_default() {
    let person = PersonFacts {
        teaching_from: Some(SchoolYear(2025)),
        ..Default::default()
    };
    let mut induction = line("见习", "knowledge_skill", "", "district", 1200, 2025);
    induction.program = "见习期规范化培训".to_owned();
    let card = credit_card(r1(), &person, std::slice::from_ref(&induction));
    assert_eq!(
        (
            card.total_c,
            card.unplaced_c,
            card.category_c("knowledge_skill"),
            card.channel_c("district")
        ),
        (1200, 1200, 0, 0)
    );
    assert!(card.requirement("novice.induction").unwrap().met);
    assert_eq!(card.requirement("ch.district").unwrap().earned_c, 0);
    let mut rules = r1().clone();
    rules.reading.placements[0].in_total = false;
    rules.reading.placements[0].category = Place::AsRecorded;
    rules.reading.placements[0].channel = Place::In("city".into());
    let card = credit_card(&rules, &person, &[induction]);
    assert_eq!(
        (
            card.total_c,
            card.cell("knowledge_skill", "city").unwrap().earned_c
        ),
        (0, 1200)
    );
    assert_eq!(card.requirement("novice.induction").unwrap().earned_c, 1200);
    assert!(
        credit_card(r1(), &ordinary(), &[])
            .requirement("novice.induction")
            .is_none()
    );
}

#[test]
fn a3_homeroom_training_counts_inside_the_city_channel() {
    let person = PersonFacts {
        homeroom: true,
        ..ordinary()
    };
    let mut training = line("班主任", "ethics_literacy", "", "school", 300, 2025);
    training.topic = "班主任专题培训".to_owned();
    let card = credit_card(r1(), &person, &[training]);
    assert_eq!(card.cell("ethics_literacy", "city").unwrap().earned_c, 300);
    assert_eq!(card.requirement("homeroom.topic").unwrap().lines, ["班主任"]);
    assert_eq!(
        (
            card.channel_c("school"),
            card.requirement("ch.city").unwrap().earned_c
        ),
        (0, 300)
    );
}

#[test]
fn a4_figures_shrink_with_the_years_in_service() {
    let joined = |text: &str| PersonFacts {
        joined: Some(parse_stored_date(text).unwrap()),
        ..Default::default()
    };
    let card = credit_card(r1(), &joined("2027-09-01"), &[]);
    let min = |card: &CreditCard, id: &str| card.requirement(id).unwrap().min_c;
    assert_eq!(min(&card, "total.ordinary"), 2160);
    assert_eq!(min(&card, "cat.knowledge_skill"), 840);
    assert_eq!(card.requirement("ch.city").unwrap().max_c, Some(420));
    let practice = card.requirement("cat.practice").unwrap();
    assert_eq!(
        (practice.min_c, practice.spans.len(), practice.spans[0].min_c),
        (600, 3, 200)
    );
    assert!(card.cells.iter().all(|cell| !cell.waived));
    // Less than two years: no cells.
    let last = credit_card(r1(), &joined("2029-10-01"), &[]);
    assert_eq!(min(&last, "total.ordinary"), 720);
    assert!(last.cells.iter().all(|cell| cell.waived && cell.met));
    assert_eq!(last.cells[0].text_zh, "不作要求（任职年限不足），已得 0.0 学分");
    // Few years before retirement are no late entry: nothing shrinks and the cells stay.
    let retiring = PersonFacts {
        retires: parse_stored_date("2026-06-30").ok(),
        ..ordinary()
    };
    let card = credit_card(r1(), &retiring, &[]);
    assert!(min(&card, "total.ordinary") == 3600 && card.cells.iter().all(|cell| !cell.waived));
    // Rounding shows only where a figure does not divide: in whole credits, 36 × 3/5 = 21.6.
    let mut rules = r1().clone();
    rules.prorate.round_to = crate::Amount(100);
    for (rounding, expected) in [
        (Rounding::Up, 2200),
        (Rounding::Down, 2100),
        (Rounding::Nearest, 2200),
    ] {
        rules.prorate.rounding = rounding;
        assert_eq!(
            min(&credit_card(&rules, &joined("2027-09-01"), &[]), "total.ordinary"),
            expected
        );
    }
    rules.prorate.method = ProrateMethod::None;
    assert_eq!(
        min(&credit_card(&rules, &joined("2027-09-01"), &[]), "total.ordinary"),
        3600
    );
}

#[test]
fn a5_seniors_have_54_with_the_same_or_a_scaled_table() {
    let person = PersonFacts {
        title: "senior".into(),
        stage: "high".into(),
        ..ordinary()
    };
    let card = credit_card(r1(), &person, &career((2, 5, 2, 9)));
    assert!(card.requirement("total.ordinary").is_none());
    let total = card.total().unwrap();
    assert_eq!(
        (total.id.as_str(), total.min_c, total.gap_c, card.complete),
        ("total.senior", 5400, 1800, false)
    );
    assert_eq!(card.requirement("cat.knowledge_skill").unwrap().min_c, 1400);
    // Eighteen free credits complete it; where they came from is advice.
    let mut lines = career((2, 5, 2, 9));
    lines.push(line("研修班", "practice", "", "school", 1800, 2026));
    let card = credit_card(r1(), &person, &lines);
    assert!(card.complete);
    let extra = card.requirement("senior.extra18").unwrap();
    assert_eq!((extra.met, extra.hard, extra.gap_c), (false, false, 1800));
    let mut rules = r1().clone();
    rules.reading.senior_table = LargerTable::Scaled;
    let card = credit_card(&rules, &person, &lines);
    assert_eq!(card.requirement("cat.knowledge_skill").unwrap().min_c, 2100);
    assert_eq!(card.requirement("ch.city").unwrap().max_c, Some(1050));
    assert_eq!(card.requirement("cat.practice").unwrap().spans[0].min_c, 300);
    assert_eq!(card.cells[0].min_c, 150);
    assert_eq!(card.total().unwrap().min_c, 5400);
    // What seniors have of their own is not part of the table.
    assert_eq!(card.requirement("senior.extra18").unwrap().min_c, 1800);
    // Nothing scales for the others.
    assert_eq!(
        credit_card(&rules, &ordinary(), &[])
            .requirement("ch.city")
            .unwrap()
            .min_c,
        400
    );
}

#[test]
fn a6_printed_ranges_are_the_inward_rounding_of_the_shares() {
    let mut rules = r1().clone();
    rules.reading.channel_figures = ChannelFigures::Share;
    let range = |card: &CreditCard, id: &str| {
        let outcome = card.requirement(id).unwrap();
        (outcome.min_c, outcome.max_c)
    };
    let card = credit_card(&rules, &ordinary(), &[]);
    assert_eq!(range(&card, "ch.city"), (360, Some(720)));
    assert_eq!(range(&card, "ch.district"), (1080, Some(1440)));
    assert_eq!(range(&card, "ch.school"), (1800, None));
    for (id, printed) in [("ch.city", (400, Some(700))), ("ch.district", (1100, Some(1400)))] {
        let (min, max) = range(&card, id);
        assert_eq!(((min + 99) / 100 * 100, max.map(|max| max / 100 * 100)), printed);
        assert_eq!(range(&credit_card(r1(), &ordinary(), &[]), id), printed);
    }
    let senior = PersonFacts {
        title_label: "中学高级".into(),
        ..ordinary()
    };
    assert_eq!(
        range(&credit_card(&rules, &senior, &[]), "ch.city"),
        (540, Some(1080))
    );
}

#[test]
fn a7_the_card_says_that_it_is_no_countys_law() {
    let card = credit_card(r1(), &ordinary(), &[]);
    assert!(card.notice_zh.contains("不代表任何一个县"));
    for place in ["海林", "普陀"] {
        assert!(!serde_json::to_string(&card).unwrap().contains(place));
    }
}

#[test]
fn exemptions_leave_what_the_other_channels_hold() {
    let retires = parse_stored_date("2028-06-30").ok();
    let school: Vec<Entry> = career((1, 3, 2, 9))
        .into_iter()
        .filter(|line| line.channel == "school")
        .collect();
    let mut person = PersonFacts {
        retires,
        ..ordinary()
    };
    // Without the person's own wish nothing is waived.
    assert!(!credit_card(r1(), &person, &school).complete);
    person.options.insert("waive_elective".into());
    let card = credit_card(r1(), &person, &school);
    assert!(card.complete, "{card:#?}");
    assert_eq!((card.total().unwrap().min_c, card.total_c), (1800, 1800));
    assert!(card.requirement("ch.city").unwrap().waived);
    assert_eq!(card.adjustments[0].zh, "按本人意愿免修市级、区级选修课程");

    let away = PersonFacts {
        status: "support_teaching".into(),
        ..ordinary()
    };
    let outside: Vec<Entry> = career((1, 3, 3, 11))
        .into_iter()
        .filter(|line| line.channel != "school")
        .collect();
    let card = credit_card(r1(), &away, &outside);
    assert!(card.complete, "{card:#?}");
    assert!(card.requirement("cat.practice").unwrap().waived);
}

#[test]
fn the_lecture_share_is_measured_in_minutes_and_exactly() {
    let practice = |id: &str, minutes, lecture_minutes| Entry {
        minutes,
        lecture_minutes,
        ..line(id, "practice", "", "school", 100, 2025)
    };
    let limit = |lines: &[Entry]| credit_card(r1(), &ordinary(), lines).limits[0].clone();
    let at = limit(&[practice("甲", 450, 100), practice("乙", 550, 0)]);
    assert_eq!(
        (at.met, at.share_bp, at.lines.as_slice()),
        (true, 1000, ["甲".to_owned()].as_slice())
    );
    let above = limit(&[practice("甲", 450, 101), practice("乙", 550, 0)]);
    assert_eq!((above.met, above.share_bp), (false, 1010));
    assert_eq!(
        above.text_zh,
        "讲座比例：101 分钟，占 1000 分钟的 10.1%，一般不超过 10.0%"
    );
    // A lecture as the form is lecture from end to end; elsewhere lectures are no matter.
    let mut lecture = practice("丙", 0, 0);
    lecture.form = "lecture".into();
    let whole = limit(&[lecture.clone(), practice("丁", 4050, 0)]);
    assert_eq!((whole.part, whole.whole, whole.met), (450, 4500, true));
    lecture.channel = "city".into();
    assert_eq!(limit(&[lecture]).whole, 0);
    // It is advice.
    let mut lines = career((2, 5, 2, 9));
    for line in lines.iter_mut().filter(|line| line.category == "practice") {
        line.lecture_minutes = line.minutes;
    }
    let card = credit_card(r1(), &ordinary(), &lines);
    assert!(card.complete && card.warnings.iter().any(|warning| warning.code == "limit"));
}

#[test]
fn what_cannot_count_is_listed_and_counts_zero() {
    let good = line("好", "practice", "", "school", 100, 2025);
    let lines = [
        good.clone(),
        line("早", "practice", "", "school", 100, 2024),
        line("晚", "practice", "", "school", 100, 2030),
        line("类", "sport", "", "school", 100, 2025),
        line("小", "practice", "ethics", "school", 100, 2025),
        line("渠", "practice", "", "village", 100, 2025),
        line("负", "practice", "", "school", -100, 2025),
        line("巨", "practice", "", "school", i64::MAX / 1000, 2025),
        line("争", "practice", "", "school", 100, 2025),
        line("争", "practice", "", "school", 50, 2025),
        line("争", "practice", "", "school", 100, 2025),
    ];
    let card = credit_card(r1(), &ordinary(), &lines);
    assert_eq!(card.total_c, 100);
    let mut reasons: Vec<(String, Reason)> = card
        .excluded
        .iter()
        .map(|each| (each.id.clone(), each.reason))
        .collect();
    reasons.sort();
    let mut expected = [
        ("早", Reason::OutsideCycle),
        ("晚", Reason::OutsideCycle),
        ("类", Reason::UnknownCode),
        ("小", Reason::UnknownCode),
        ("渠", Reason::UnknownCode),
        ("负", Reason::OutOfRange),
        ("巨", Reason::OutOfRange),
        ("争", Reason::Disputed),
    ]
    .map(|(id, reason)| (id.to_owned(), reason));
    expected.sort();
    assert_eq!(reasons, expected);
    assert_eq!(
        card.warnings
            .iter()
            .filter(|warning| warning.code == "excluded")
            .count(),
        4
    );
}

/// Any lines: good ones, ones outside, placed ones, with ids that collide now and then.
fn any_lines() -> impl Strategy<Value = Vec<Entry>> {
    let category = prop::sample::select(vec!["ethics_literacy", "knowledge_skill", "practice", "sport"]);
    let sub = prop::sample::select(vec!["", "ethics", "literacy"]);
    let channel = prop::sample::select(vec!["city", "district", "school"]);
    let topic = prop::sample::select(vec!["", "班主任专题培训"]);
    let program = prop::sample::select(vec!["", "见习期规范化培训"]);
    let one = (
        0u32..40,
        category,
        sub,
        channel,
        -10i64..400,
        2024i32..2031,
        topic,
        program,
        0i64..200,
    )
        .prop_map(
            |(id, category, sub, channel, credits_c, year, topic, program, lecture_minutes)| Entry {
                topic: topic.to_owned(),
                program: program.to_owned(),
                lecture_minutes,
                ..line(format!("登{id}"), category, sub, channel, credits_c, year)
            },
        );
    prop::collection::vec(one, 0..40)
}

fn any_person() -> impl Strategy<Value = PersonFacts> {
    let option = prop::sample::select(vec!["", "waive_elective"]);
    let status = prop::sample::select(vec!["serving", "off_post"]);
    (any::<bool>(), any::<bool>(), 2000i32..2032, option, status).prop_map(
        |(homeroom, senior, from, option, status)| PersonFacts {
            title_label: if senior {
                "中学高级".into()
            } else {
                String::new()
            },
            status: status.into(),
            homeroom,
            teaching_from: Some(SchoolYear(from)),
            retires: parse_stored_date("2029-01-31").ok(),
            options: [option.to_owned()].into(),
            ..Default::default()
        },
    )
}

fn any_rules() -> impl Strategy<Value = RuleSet> {
    (any::<[bool; 7]>(), any::<bool>()).prop_map(|(choice, in_total)| {
        let mut rules = r1().clone();
        let figures = |exact| {
            if exact { Figures::Exact } else { Figures::Minimum }
        };
        let weight = |required| {
            if required {
                Weight::Required
            } else {
                Weight::Advice
            }
        };
        rules.reading.category_figures = figures(choice[0]);
        rules.reading.other_targets = figures(choice[1]);
        rules.reading.channel_figures = if choice[2] {
            ChannelFigures::Share
        } else {
            ChannelFigures::Printed
        };
        rules.reading.senior_table = if choice[3] {
            LargerTable::Scaled
        } else {
            LargerTable::SamePlusFree
        };
        rules.reading.over_max = if choice[4] { OverMax::Fail } else { OverMax::Warn };
        rules.reading.per_year = weight(choice[5]);
        rules.reading.cells = weight(choice[6]);
        rules.reading.placements[0].in_total = in_total;
        rules
    })
}

proptest! {
    #[test]
    fn order_and_repetition_never_change_the_card(
        rules in any_rules(),
        person in any_person(),
        (lines, shuffled) in any_lines().prop_flat_map(|lines| {
            let again = lines.iter().cloned().chain(lines.iter().take(7).cloned()).collect::<Vec<_>>();
            (Just(lines), Just(again).prop_shuffle())
        }),
    ) {
        prop_assert_eq!(credit_card(&rules, &person, &lines), credit_card(&rules, &person, &shuffled));
    }

    #[test]
    fn every_figure_is_the_sum_of_the_lines_that_it_names(rules in any_rules(), person in any_person(), lines in any_lines()) {
        let card = credit_card(&rules, &person, &lines);
        let credits = |ids: &[String]| -> i64 {
            ids.iter().map(|id| lines.iter().find(|line| line.id == *id).unwrap().credits_c).sum()
        };
        for outcome in card.requirements.iter().chain(&card.cells) {
            prop_assert_eq!(outcome.earned_c, credits(&outcome.lines));
            prop_assert!(outcome.gap_c >= 0 && outcome.over_c >= 0 && (outcome.gap_c == 0 || outcome.over_c == 0));
            prop_assert!(!outcome.text_zh.is_empty() && !outcome.text_en.is_empty());
            if !outcome.waived && outcome.gap_c > 0 {
                prop_assert!(!outcome.met);
            }
            for year in &outcome.spans {
                prop_assert_eq!(year.earned_c, credits(&year.lines));
            }
        }
        for cell in &card.matrix {
            prop_assert_eq!(cell.earned_c, credits(&cell.lines));
            prop_assert!(cell.subs.iter().map(|sub| sub.earned_c).sum::<i64>() <= cell.earned_c);
        }
        prop_assert_eq!(card.total().unwrap().earned_c, card.total_c);
        prop_assert!(card.limits.iter().all(|limit| (0..=limit.whole).contains(&limit.part)));
        // Nothing gets lost: a line is in a cell, unplaced or excluded.
        let counted: std::collections::BTreeSet<&String> = lines.iter().map(|line| &line.id)
            .filter(|id| card.excluded.iter().all(|each| each.id != **id)).collect();
        let in_cells: i64 = card.matrix.iter().map(|cell| cell.earned_c).sum();
        let all: Vec<String> = counted.into_iter().cloned().collect();
        prop_assert_eq!(in_cells + card.unplaced_c, credits(&all));
    }

    #[test]
    fn by_minimum_one_more_line_never_takes_anything_away(person in any_person(), lines in any_lines(), credits_c in 0i64..500) {
        let before = credit_card(r1(), &person, &lines);
        let mut more = lines;
        more.push(line("新", "practice", "", "school", credits_c, 2026));
        let after = credit_card(r1(), &person, &more);
        prop_assert_eq!(after.total_c, before.total_c + credits_c);
        for (before, after) in before.requirements.iter().zip(&after.requirements) {
            prop_assert!(after.earned_c >= before.earned_c && after.met >= before.met, "{}", before.id);
        }
    }
}
