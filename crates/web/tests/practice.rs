//! A county to learn in says so on every page of every node, and is no part of the real one.
#![allow(clippy::unwrap_used)]

mod support;

use node::accounts::Role;
use node::enrol;
use support::Site;

const BANNER: &str = "<b>练习县</b>";

#[test]
fn every_page_of_a_practice_county_says_so_and_no_page_of_a_real_one() {
    let county = Site::county_named("练习县（云岭县）", false);
    let school = county.enrol_school("青石镇中心小学");
    let clerk = school.signed_in("李专管员", Role::Clerk);
    for path in ["/", "/roster", "/sessions/new", "/recovery", "/没有这一页"] {
        clerk.get(path).has(BANNER);
    }
    school.browser().get("/login").has(BANNER);
    county
        .signed_in("王审核员", Role::Auditor)
        .get("/audit")
        .has(BANNER);
    // On paper too.
    let style = clerk.get("/static/app.css");
    let print = style
        .body
        .rsplit("@media print")
        .find(|part| part.contains(".practice"))
        .unwrap();
    assert!(print.contains("position: fixed") && !print.contains("display: none"));

    let real = Site::county(false);
    let own = real.enrol_school("青石镇中心小学");
    own.signed_in("李专管员", Role::Clerk).get("/").lacks(BANNER);
}

#[test]
fn a_computer_of_the_real_county_takes_no_answer_of_the_practice_county() {
    let real = Site::county(false);
    let own = real.enrol_school("青石镇中心小学");
    let practice = Site::county_named("练习县", false);
    let (device, _) = enrol::find_request(&practice.node, &enrol::request_file(&own.node)).unwrap();
    let grants = [(node::Role::School, practice.school_id("青石镇中心小学"))];
    let answer = enrol::approve(&practice.node, &device, "青石", &grants).unwrap();
    assert!(enrol::accept(&own.node, &answer.text).is_err());
    assert!(!own.node.practice() && own.node.home_school() == Some(real.school_id("青石镇中心小学")));
}
