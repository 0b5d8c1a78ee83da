//! The public point schemes, and three more public rule sets as data that nobody programmed for.

use super::{day, entry};
use crate::rules::*;

fn mark(id: &str, activity: &str, points_c: i64) -> Entry {
    Entry {
        activity: activity.into(),
        points_c,
        ..entry(id, "2026-10-20")
    }
}

fn platform(id: &str, minutes: i64) -> Entry {
    Entry {
        minutes,
        ..mark(id, "platform", 0)
    }
}

fn graded(id: &str, topic: &str, points_c: i64) -> Entry {
    Entry {
        topic: topic.into(),
        ..mark(id, "host_mark", points_c)
    }
}

fn workshop(entries: &[Entry]) -> SchemeOutcome {
    workshop_by(kindergarten_workshop(), entries)
}

fn workshop_by(rules: &RuleSet, entries: &[Entry]) -> SchemeOutcome {
    let when = When {
        start: day("2026-09-01"),
        ..When::default()
    };
    let card = evaluate(rules, &PersonFacts::default(), &when, entries);
    assert_eq!(
        Some(card.total_c),
        card.scheme.as_ref().map(|scheme| scheme.total_c)
    );
    card.scheme.unwrap()
}

#[test]
fn both_tables_add_up_to_one_hundred() {
    // 5 + 30 + 10 + 5 = 50; 20 + (5 + 10 + 15) = 50. 10 × 4 = 40; 40 + 20 + 10 + 20 + 10 = 100.
    for (rules, items) in [(kindergarten_workshop(), 8), (studio(), 8)] {
        let scheme = rules.scheme.as_ref().unwrap();
        let sum: i64 = scheme.items.iter().map(|item| item.max.0).sum();
        assert_eq!((sum, scheme.items.len()), (10_000, items), "{}", rules.head.id);
        assert_eq!(scheme.full, Some(crate::Amount(10_000)));
    }
    // A table that does not is refused.
    let text = SHIPPED[6];
    for (from, to) in [
        ("max = \"15\"", "max = \"14\""),
        (
            "group = \"offline\"\nmax = \"30\"",
            "group = \"online\"\nmax = \"30\"",
        ),
    ] {
        assert!(text.contains(from), "{from}");
        let refused = RuleSet::parse(&text.replacen(from, to, 1));
        assert!(matches!(refused, Err(RulesError::Inconsistent { .. })), "{to}");
    }
}

#[test]
fn the_kindergarten_workshop_is_worked_out_with_caps() {
    // 自诊 5
    // 平台学习: 500 + 310 + 30 = 840 minutes / 40 = 21 points
    // 线上活动: 4 + 4 + 4 = 12, capped at 10
    // 资源: 3
    //   网络: 5 + 21 + 10 + 3 = 39
    // 实践作业: 8.5 + 9 = 17.5
    // 坊主评定: 4 + 8 + 13 = 25
    //   线下: 17.5 + 25 = 42.5
    // together 81.5
    let entries = [
        mark("自诊", "self_diagnosis", 0),
        platform("平台一", 500),
        platform("平台二", 310),
        platform("平台三", 30),
        mark("活动一", "online_activity", 400),
        mark("活动二", "online_activity", 400),
        mark("活动三", "online_activity", 400),
        mark("资源一", "resource", 300),
        mark("作业一", "assignment", 850),
        mark("作业二", "assignment", 900),
        graded("考", "考勤", 400),
        graded("态", "态度效果", 800),
        graded("质", "任务质量", 1300),
    ];
    let scheme = workshop(&entries);
    let counted: Vec<i64> = scheme.items.iter().map(|item| item.counted_c).collect();
    assert_eq!(counted, [500, 2100, 1000, 300, 1750, 400, 800, 1300]);
    let groups: Vec<(&str, i64)> = scheme
        .groups
        .iter()
        .map(|group| (group.id.as_str(), group.counted_c))
        .collect();
    assert_eq!(groups, [("online", 3900), ("offline", 4250), ("host", 2500)]);
    assert_eq!((scheme.total_c, scheme.full_c), (8150, Some(10_000)));
    assert_eq!(
        scheme.item("online_activity").unwrap().text_zh,
        "得 12 分，上限 10，计 10"
    );
    assert_eq!(
        scheme.item("platform").unwrap().lines,
        ["平台一", "平台三", "平台二"]
    );
    // A group may give less than its items hold: 39 online points in a group of 30 leave 30 + 42.5.
    let mut capped = kindergarten_workshop().clone();
    capped.scheme.as_mut().unwrap().groups[0].max = crate::Amount(3000);
    assert_eq!(workshop_by(&capped, &entries).total_c, 7250);
    // K1: each visit for itself: 12 + 7 + 0 = 19.
    let mut each = kindergarten_workshop().clone();
    each.scheme.as_mut().unwrap().items[1].awards[0].measured = Measured::Each;
    assert_eq!(
        workshop_by(&each, &entries).item("platform").unwrap().counted_c,
        1900
    );
}

#[test]
fn two_different_marks_of_the_host_wait_for_a_person() {
    let scheme = workshop(&[graded("一", "态度效果", 800), graded("二", "态度效果", 600)]);
    let attitude = scheme.item("attitude").unwrap();
    assert_eq!((attitude.counted_c, attitude.disputed), (0, true));
    assert!(attitude.text_zh.ends_with("评分不一致，待核"));
    let scheme = workshop(&[graded("一", "态度效果", 800), graded("二", "态度效果", 800)]);
    assert_eq!(scheme.item("attitude").unwrap().counted_c, 800);
    // What no item takes is listed.
    assert_eq!(workshop(&[graded("余", "仪表", 100)]).unused, ["余"]);
}

#[test]
fn the_studio_deducts_for_absence_and_caps_each_item() {
    let year = When {
        on: day("2026-10-01"),
        ..When::default()
    };
    let attendance = |id: &str, status: &str| Entry {
        status: status.into(),
        ..mark(id, "attendance", 0)
    };
    let level = |id: &str, activity: &str, level: &str| Entry {
        level: level.into(),
        ..mark(id, activity, 0)
    };
    // 出勤: 10 − 3 × 2 − 1 = 3 (present takes nothing away)
    // 听评课: 6 + 5.5 = 11.5, capped at 10; 计划总结 9; 带动 0 → 日常 22
    // 展示 12; 发表: 县 3 × 4 = 12, capped at 10; 成果 0
    // 个人发展: 国5 + 省3 + 市2 + 县1 = 11, capped at 10
    // together 22 + 12 + 10 + 10 = 54
    let mut entries = vec![
        attendance("到", "present"),
        attendance("缺一", "absent"),
        attendance("缺二", "absent"),
        attendance("迟", "late"),
        mark("听", "listen", 600),
        mark("评", "debrief", 550),
        mark("计划", "plan_summary", 900),
        mark("展示", "show", 1200),
        level("国", "development", "national"),
        level("省", "development", "province"),
        level("市", "development", "city"),
        level("县", "development", "county"),
    ];
    entries.extend((0..4).map(|at| level(&format!("文{at}"), "publication", "county")));
    let card = evaluate(studio(), &PersonFacts::default(), &year, &entries);
    let scheme = card.scheme.as_ref().unwrap();
    let counted: Vec<i64> = scheme.items.iter().map(|item| item.counted_c).collect();
    assert_eq!(counted, [900, 300, 1000, 0, 1200, 1000, 0, 1000]);
    assert_eq!(
        (scheme.group("daily").unwrap().counted_c, scheme.total_c),
        (2200, 5400)
    );
    let present = scheme.item("attendance").unwrap();
    assert_eq!(present.deductions, ["缺一", "缺二", "迟"]);
    assert_eq!(present.text_zh, "得 10 分，上限 10，计 3（扣 7 分，3 次）");
    // Never below zero: 10 − 3 × 5.
    entries.extend((3..6).map(|at| attendance(&format!("缺{at}"), "absent")));
    let card = evaluate(studio(), &PersonFacts::default(), &year, &entries);
    assert_eq!(card.scheme.unwrap().item("attendance").unwrap().counted_c, 0);
}

/// 广西 (试行), in part: credits with caps by item; both sides of a pairing earn.
const GUANGXI: &str = r#"
[ruleset]
id = "test.guangxi"
version = 1
title_zh = "广西试行"
title_en = "Guangxi trial"
amount_unit = "credit"
[cycle]
kind = "annual"
years = 1
year_kind = "calendar_year"
[[activity]]
id = "school_training"
zh = "校本培训"
en = "School training"
[[activity]]
id = "project"
zh = "课题"
en = "Project"
[[activity]]
id = "pair"
zh = "青年教师培养"
en = "Pairing"
[[population]]
id = "all"
zh = "教师"
en = "Teachers"
default = true
[scheme]
[[scheme.item]]
id = "school_training"
zh = "校本培训"
en = "School training"
max = "3"
award = [{ where = { activity = "school_training" }, by = "hours", per = "4", points = "0.5", measured = "each" }]
[[scheme.item]]
id = "project"
zh = "课题"
en = "Projects"
max = "6"
award = [
  { where = { activity = "project", level = "province" }, by = "each", points = "6" },
  { where = { activity = "project", level = "city" }, by = "each", points = "4" },
  { where = { activity = "project", level = "county" }, by = "each", points = "2" },
]
[[scheme.item]]
id = "pair"
zh = "青年教师培养"
en = "Pairing"
max = "2"
award = [{ where = { activity = "pair", role = ["mentor", "mentee"] }, by = "each", points = "2" }]
"#;

#[test]
fn guangxi_caps_by_the_year_and_both_sides_of_a_pair_earn() {
    let rules = RuleSet::parse(GUANGXI).unwrap();
    let year = When {
        on: day("2026-10-01"),
        ..When::default()
    };
    let training = |id: &str, hours_c| Entry {
        hours_c,
        ..mark(id, "school_training", 0)
    };
    let pair = |role: &str| Entry {
        role: role.into(),
        ..mark("结对", "pair", 0)
    };
    let project = |id: &str, level: &str| Entry {
        level: level.into(),
        ..mark(id, "project", 0)
    };
    // 8 hours are two half days, 1 credit; 3 hours are none; 市4 + 县2 = 6; the pair 2. Together 9.
    let own = [
        training("一", 800),
        training("二", 300),
        project("市", "city"),
        project("县", "county"),
    ];
    for role in ["mentor", "mentee"] {
        let mut entries = own.to_vec();
        entries.push(pair(role));
        let card = evaluate(&rules, &PersonFacts::default(), &year, &entries);
        assert_eq!(card.total_c, 900, "{role}");
    }
    // Capped at 3: seven half days are 3.5.
    let seven: Vec<Entry> = (0..7).map(|at| training(&format!("半{at}"), 400)).collect();
    let card = evaluate(&rules, &PersonFacts::default(), &year, &seven);
    assert_eq!(card.total_c, 300);
}

/// 榆林 2014: a mark a school year, four grades, 60 passes.
const YULIN: &str = r#"
[ruleset]
id = "test.yulin"
version = 1
title_zh = "榆林校本研修"
title_en = "Yulin"
amount_unit = "point"
[cycle]
kind = "annual"
years = 1
year_kind = "school_year"
[[activity]]
id = "year_mark"
zh = "学年评分"
en = "Mark of the year"
[[population]]
id = "all"
zh = "教师"
en = "Teachers"
default = true
[scheme]
pass = "60"
[[scheme.item]]
id = "mark"
zh = "校本研修"
en = "School-based learning"
max = "100"
award = [{ where = { activity = "year_mark" }, by = "graded" }]
[[scheme.grade]]
zh = "优秀"
en = "Excellent"
min = "86"
[[scheme.grade]]
zh = "良好"
en = "Good"
min = "76"
[[scheme.grade]]
zh = "合格"
en = "Pass"
min = "60"
[[scheme.grade]]
zh = "不合格"
en = "Fail"
min = "0"
"#;

#[test]
fn yulin_grades_at_their_borders() {
    let rules = RuleSet::parse(YULIN).unwrap();
    let year = When {
        on: day("2026-10-01"),
        ..When::default()
    };
    for (points_c, grade, passed) in [
        (10_000, "优秀", true),
        (8600, "优秀", true),
        (8599, "良好", true),
        (7600, "良好", true),
        (7599, "合格", true),
        (6000, "合格", true),
        (5999, "不合格", false),
    ] {
        let entries = [mark("分", "year_mark", points_c)];
        let card = evaluate(&rules, &PersonFacts::default(), &year, &entries);
        assert_eq!(card.scheme.unwrap().grade.unwrap().zh, grade, "{points_c}");
        assert_eq!(card.complete, passed, "{points_c}");
    }
}

/// 上海 十四五, in part: the shape of R1 with other figures, a fourth category and a fourth channel.
const SHANGHAI: &str = r#"
[ruleset]
id = "test.shanghai-145"
version = 1
title_zh = "上海十四五"
title_en = "Shanghai, 14th five-year plan"
amount_unit = "credit"
[convert]
hours_per_credit = "10"
[cycle]
kind = "fixed_window"
years = 5
year_kind = "calendar_year"
first_year = 2021
[[category]]
id = "ethics_literacy"
zh = "师德素养"
en = "Ethics & literacy"
sub = [{ id = "ethics", zh = "师德", en = "Ethics" }, { id = "literacy", zh = "素养", en = "Literacy" }]
[[category]]
id = "knowledge_skill"
zh = "知识技能"
en = "Knowledge & skills"
[[category]]
id = "practice"
zh = "实践体验"
en = "Practice"
[[category]]
id = "self_study"
zh = "自主研修"
en = "Own learning"
[[channel]]
id = "city"
zh = "市级"
en = "City"
[[channel]]
id = "district"
zh = "区级"
en = "District"
[[channel]]
id = "school"
zh = "校级"
en = "School"
[[channel]]
id = "own"
zh = "自主"
en = "Own"
[[population]]
id = "all"
zh = "教师"
en = "Teachers"
default = true
[[require]]
id = "total"
zh = "总学分"
en = "Total"
for = "all"
where = {}
min = "36"
[[require]]
id = "ethics_literacy"
zh = "师德素养"
en = "Ethics & literacy"
for = "all"
where = { category = "ethics_literacy" }
min = "8"
[[require]]
id = "knowledge_skill"
zh = "知识技能"
en = "Knowledge & skills"
for = "all"
where = { category = "knowledge_skill" }
min = "10"
[[require]]
id = "practice"
zh = "实践体验"
en = "Practice"
for = "all"
where = { category = "practice" }
min = "14"
[[require]]
id = "self_study"
zh = "自主研修"
en = "Own learning"
for = "all"
where = { category = "self_study" }
min = "4"
max = "4"
[[require]]
id = "city"
zh = "市级"
en = "City"
for = "all"
where = { channel = "city" }
min = "7"
[[require]]
id = "district"
zh = "区级"
en = "District"
for = "all"
where = { channel = "district" }
min = "10"
[[require]]
id = "school"
zh = "校级"
en = "School"
for = "all"
where = { channel = "school" }
min = "15"
[[cell]]
channel = "school"
category = "ethics_literacy"
sub = "ethics"
min = "2"
[[cell]]
channel = "school"
category = "ethics_literacy"
sub = "literacy"
min = "2"
[[cell]]
channel = "school"
category = "practice"
min = "11"
"#;

#[test]
fn shanghai_is_the_shape_of_r1_with_other_figures() {
    let rules = RuleSet::parse(SHANGHAI).unwrap();
    let line = |category: &str, sub: &str, channel: &str, credits_c: i64| Entry {
        category: category.into(),
        sub: (!sub.is_empty()).then(|| sub.to_owned()),
        channel: channel.into(),
        hours_c: credits_c * 10,
        credits_c,
        ..entry(&format!("{channel}{category}{sub}"), "2023-05-08")
    };
    // 市 2 + 4 + 1 = 7, 区 2 + 6 + 2 = 10, 校 2 + 2 + 11 = 15, 自主 4: together 36; by category
    // 2 + 2 + 4 = 8, 4 + 6 = 10, 1 + 2 + 11 = 14 and 4. Every figure is met exactly, so nothing can be spared.
    let lines = [
        line("ethics_literacy", "literacy", "city", 200),
        line("knowledge_skill", "", "city", 400),
        line("practice", "", "city", 100),
        line("ethics_literacy", "literacy", "district", 200),
        line("knowledge_skill", "", "district", 600),
        line("practice", "", "district", 200),
        line("ethics_literacy", "ethics", "school", 200),
        line("ethics_literacy", "literacy", "school", 200),
        line("practice", "", "school", 1100),
        line("self_study", "", "own", 400),
    ];
    let card = credit_card(&rules, &PersonFacts::default(), &lines);
    assert_eq!((card.total_c, card.complete), (3600, true));
    assert!(
        card.requirements
            .iter()
            .all(|each| each.gap_c == 0 && each.over_c == 0)
    );
    for missing in 0..lines.len() {
        let mut fewer = lines.to_vec();
        fewer.remove(missing);
        assert!(
            !credit_card(&rules, &PersonFacts::default(), &fewer).complete,
            "{missing}"
        );
    }
}
