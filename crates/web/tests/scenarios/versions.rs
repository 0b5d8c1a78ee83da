//! Acceptance 4 of issue 4 on the pages: the county publishes new rules while a school is offline and records under
//! the old ones; afterwards the card shows the totals of both versions and the difference.

use node::accounts::Role;

use crate::common::*;
use crate::second_version::second_version;
use crate::support::*;

/// By hand (`published.rs` counts the same in hundredths): each session has 4 class-hours, 0.4 credits at 10 class-hours
/// a credit and 0.5 at 8. Both count anew from their class-hours under the other version: 0.8 of 36, and 1.0 of 40.
#[test]
fn a_card_shows_both_versions_of_the_rules_and_what_is_different() {
    let county = Site::county(true);
    let mut school = county.enrol_school(QINGSHI);
    let person = teacher(&school, "欧阳㙇", "T001");
    let one = std::slice::from_ref(&person);
    let officer = county.signed_in("王审核员", Role::Auditor);
    let clerk = school.signed_in("李专管员", Role::Clerk);
    school.disconnect();
    let text = second_version();
    let fields = [
        ("text", text.as_str()),
        ("published_on", "2025-10-01"),
        ("note", "总学分40，8学时折1学分"),
        ("sure", "1"),
    ];
    officer
        .submit("/publishing", "/publishing", &fields)
        .has("已发布。")
        .has("seed003.five-year-36-54/2");
    held(&school, "第１次研课：分数的意义", "2025-10-16", one);
    let card = format!("/teachers/{person}");
    clerk.get(&card).lacks("规则的各个版本");

    school.connect(&county);
    wait("the new rules", || {
        let newest = school.node.rules().newest("seed003.five-year-36-54").unwrap();
        newest.head.version == 2
    });
    held(&school, "第２次研课：《荷塘月色》", "2025-11-06", one);
    wait("both claims at the county", || {
        let queue = node::office::audit_queue(&county.node, 10).unwrap();
        county.node.views_behind().unwrap() == 0 && queue.len() == 2
    });
    for claim in node::office::audit_queue(&county.node, 10).unwrap() {
        let by = by("王审核员");
        let (verdict, on) = ("recognised", "2025-11-20");
        node::office::decide(&county.node, &by, &claim.id, verdict, None, "", "", on).unwrap();
    }
    until(&clerk, &card, "总学分：0.8 / 36.0 未达到 → 1.0 / 40.0 未达到");
    for browser in [&clerk, &officer] {
        let page = browser.get(&card);
        // Claims under each version, its total, and what it wants.
        let row = |version: u32, more: &str, total: &str, wanted: &str| {
            format!(
                "seed003.five-year-36-54/{version}{more}</span></th><td class=\"number\">1</td>\
                 <td class=\"number\">{total}</td><td class=\"number\">{wanted}</td>"
            )
        };
        page.has("规则的各个版本")
            .has(&row(1, "", "0.8", "36.0"))
            .has(&row(2, " · 现行", "1.0", "40.0"))
            .has("总学分：0.8 / 36.0 未达到 → 1.0 / 40.0 未达到")
            .has("实践体验：0.8 / 10.0 未达到 → 1.0 / 10.0 未达到")
            .has("校级（校本研修）：0.8 / 18.0 未达到 → 1.0 / 18.0 未达到");
        assert_eq!(page.body.matches(" → ").count(), 3, "nothing else is different");
    }
}
