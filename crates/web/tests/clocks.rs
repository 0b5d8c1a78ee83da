//! A PC that believes it is 1970, seen on its own pages and on the county's.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::{Duration, Instant};

use node::accounts::Role;
use support::Site;

#[test]
fn a_wrong_clock_is_said_on_every_page_and_marks_what_it_made() {
    let county = Site::county(true);
    let lost = county.enrol_school_of("青石镇中心小学", 86_400_000);
    let right = county.enrol_school("云岭县第一小学");
    let (clerk, other) = (
        lost.signed_in("李专管员", Role::Clerk),
        right.signed_in("周专管员", Role::Clerk),
    );
    let session = |title: &'static str| {
        [
            ("title", title),
            ("date", "2025年9月12日"),
            ("form", "school_based"),
            ("category", "practice"),
            ("channel", "school"),
            ("hours_c", "2"),
        ]
    };
    // On every page, signed in or not; and the records that it makes are marked.
    let said = "本机时钟不对";
    lost.browser().get("/login").is(200).has(said);
    clerk.get("/roster").is(200).has(said);
    clerk
        .submit("/sessions/new", "/sessions/new", &session("旧钟活动"))
        .is(200)
        .has("时钟不准");
    clerk
        .get("/sessions")
        .has("旧钟活动")
        .has(said)
        .has("时钟不准")
        .has("登记这条的电脑当时时钟不准");
    other
        .submit("/sessions/new", "/sessions/new", &session("准钟活动"))
        .is(200)
        .lacks("时钟不准");
    other
        .get("/sessions")
        .has("准钟活动")
        .lacks(said)
        .lacks("时钟不准");

    // The county, whose clock is right, says nothing of itself and marks the one.
    let admin = county.signed_in("县管理员", Role::Admin);
    let begun = Instant::now();
    while node::office::sessions(&county.node, None, 10).unwrap().len() < 2 {
        assert!(begun.elapsed() < Duration::from_secs(20));
        std::thread::sleep(Duration::from_millis(50));
    }
    let auditor = county.signed_in("王审核员", Role::Auditor);
    let list = auditor.get("/sessions");
    list.is(200).has("旧钟活动").has("准钟活动").lacks(said);
    assert_eq!(list.body.matches("时钟不准</span>").count(), 1);
    admin.get("/sync").has("日期与本机相差一天以上");
}
