//! Two versions of a rule set over the same entries.

use super::{day, entry};
use crate::rules::*;

fn practice(id: &str, date: &str, hours_c: i64, rules: &RuleSet) -> Entry {
    Entry {
        category: "practice".into(),
        channel: "school".into(),
        hours_c,
        credits_c: rules.credits_of(hours_c).unwrap(),
        rule_ref: rules.reference(),
        ..entry(id, date)
    }
}

/// R1 as a county changes it.
fn changed(changes: &[(&str, &str)]) -> RuleSet {
    let mut text = SHIPPED[0].replacen("\nversion = 1", "\nversion = 2", 1);
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replacen(from, to, 1);
    }
    RuleSet::parse(&text).unwrap()
}

#[test]
fn a_larger_total_changes_what_is_missing_and_no_entry() {
    let v2 = changed(&[(
        "min = \"36\"\nmin_hours = \"360\"",
        "min = \"40\"\nmin_hours = \"400\"",
    )]);
    let entries = [practice("校本", "2025-10-08", 1500, r1())];
    let both = compare(r1(), &v2, &PersonFacts::default(), &When::default(), &entries);
    assert_eq!(
        (both.old.rule_ref.as_str(), both.new.rule_ref.as_str()),
        ("seed003.five-year-36-54/1", "seed003.five-year-36-54/2")
    );
    assert_eq!(
        (both.old.total_c, both.new.total_c, both.difference_c),
        (150, 150, Some(0))
    );
    assert!(both.entries.is_empty());
    let changes: Vec<&str> = both.requirements.iter().map(|each| each.id.as_str()).collect();
    assert_eq!(changes, ["total.ordinary"]);
    assert_eq!(
        both.text_zh,
        [
            "seed003.five-year-36-54/1：1.5 学分（15.0 学时）；seed003.five-year-36-54/2：1.5 学分（15.0 学时）；相差 0.0 学分",
            "总学分：原不少于 36.0 学分，已得 1.5，还差 34.5；现不少于 40.0 学分，已得 1.5，还差 38.5",
        ]
    );
}

#[test]
fn another_conversion_is_worked_out_from_hours_or_stands_as_recognised() {
    // 15 hours: 1.5 credits at 10 hours a credit, 1.25 at 12. A school that was offline registered under
    // version 1 meanwhile, another under version 2.
    let twelve = [
        ("hours_per_credit = \"10\"", "hours_per_credit = \"12\""),
        ("min_hours = \"360\"", "min_hours = \"432\""),
        ("min_hours = \"540\"", "min_hours = \"648\""),
        ("min_hours = \"30\"", "min_hours = \"36\""),
    ];
    let v2 = changed(&twelve);
    let entries = [
        practice("旧", "2025-10-08", 1500, r1()),
        practice("新", "2025-11-08", 1500, &v2),
    ];
    let both = compare(r1(), &v2, &PersonFacts::default(), &When::default(), &entries);
    // Under either version both entries are the same 30 hours: 3.0 and 2.5 credits.
    assert_eq!(
        (both.old.total_c, both.new.total_c, both.difference_c),
        (300, 250, Some(-50))
    );
    assert_eq!(both.difference_hours_c, 0);
    let changes: Vec<(&str, i64, i64)> = both
        .entries
        .iter()
        .map(|each| (each.id.as_str(), each.old_c, each.new_c))
        .collect();
    assert_eq!(changes, [("新", 150, 125), ("旧", 150, 125)]);
    assert!(both.text_zh.contains(&"旧：原 1.5 学分，现 1.25 学分".to_owned()));
    // The county may let stand what it recognised: 1.5 + 1.25 under version 2.
    let mut keep = twelve.to_vec();
    keep.push(("other_version = \"hours\"", "other_version = \"recognised\""));
    let both = compare(
        r1(),
        &changed(&keep),
        &PersonFacts::default(),
        &When::default(),
        &entries,
    );
    assert_eq!(both.new.total_c, 275);
}

#[test]
fn what_is_below_a_hundredth_falls_away_and_is_never_rounded_up() {
    // 1 hour at 12 hours a credit is 0.0833…; three of them are 0.24, not 0.25.
    let v2 = changed(&[
        ("hours_per_credit = \"10\"", "hours_per_credit = \"12\""),
        ("min_hours = \"360\"", "min_hours = \"432\""),
        ("min_hours = \"540\"", "min_hours = \"648\""),
        ("min_hours = \"30\"", "min_hours = \"36\""),
    ]);
    let entries: Vec<Entry> = (0..3)
        .map(|at| practice(&format!("时{at}"), "2025-10-08", 100, r1()))
        .collect();
    let card = credit_card(&v2, &PersonFacts::default(), &entries);
    assert_eq!(card.total_c, 24);
}

#[test]
fn a_category_that_a_version_drops_counts_zero_there_unless_it_is_named_again() {
    // Version 2 calls 实践体验 “field” and, in the second text, says that it is the old one.
    let rename = |also: &str| {
        let text = SHIPPED[0]
            .replacen("\nversion = 1", "\nversion = 2", 1)
            .replace("category = \"practice\"", "category = \"field\"")
            .replacen("id = \"practice\"", &format!("id = \"field\"{also}"), 1);
        RuleSet::parse(&text).unwrap()
    };
    let entries = [practice("校本", "2025-10-08", 1500, r1())];
    let person = PersonFacts::default();
    let both = compare(r1(), &rename(""), &person, &When::default(), &entries);
    assert_eq!(both.difference_c, Some(-150));
    assert_eq!(both.entries[0].new_reason, Some(Reason::UnknownCode));
    assert_eq!(both.new.excluded[0].raw, "类别“practice”");
    // Also what never gave a credit is named, when it counts for another reason.
    let nothing = [practice("零", "2025-10-08", 0, r1())];
    let of_nothing = compare(r1(), &rename(""), &person, &When::default(), &nothing);
    assert_eq!((of_nothing.difference_c, of_nothing.entries.len()), (Some(0), 1));
    assert!(
        both.text_zh
            .contains(&"校本：原 1.5 学分，现 不计（类别或渠道不在规则中）".to_owned()),
        "{:#?}",
        both.text_zh
    );
    let both = compare(
        r1(),
        &rename("\nalso = [\"practice\"]"),
        &person,
        &When::default(),
        &entries,
    );
    assert_eq!((both.difference_c, both.entries.len()), (Some(0), 0));
    assert_eq!(both.new.requirement("cat.practice").unwrap().earned_c, 150);
}

#[test]
fn rule_sets_in_different_units_are_compared_in_hours() {
    let when = When {
        on: day("2025-10-01"),
        ..When::default()
    };
    let entries = [practice("校本", "2025-10-08", 1500, r1())];
    let both = compare(r1(), r3(), &PersonFacts::default(), &when, &entries);
    assert_eq!((both.difference_c, both.difference_hours_c), (None, 0));
    assert!(both.text_zh[0].ends_with("；单位不同，按学时相差 0.0"));
    // R2 has the same unit by name, ten times as many of them.
    let both = compare(r1(), r2(), &PersonFacts::default(), &when, &entries);
    assert_eq!(
        (both.old.total_c, both.new.total_c, both.difference_hours_c),
        (150, 1500, 0)
    );
}
