//! The page that names why others are not seen, and what the page of sync says of the connection.
#![allow(clippy::unwrap_used)]

mod support;

use node::accounts::Role;
use support::Site;

#[test]
fn a_clerk_asks_why_nobody_is_seen() {
    let site = Site::loose();
    let clerk = site.signed_in("李专管员", Role::Clerk);
    clerk.get("/sync").has("href=\"/doctor\"").has("现在同步");
    clerk.get("/doctor").has("开始诊断").lacks("怎么办");
    let page = clerk.submit("/doctor", "/doctor", &[]);
    page.is(200).has("本机还没有入网").has("怎么办").has("端口");
}

#[test]
fn the_switch_of_a_connection_paid_by_the_byte() {
    let site = Site::loose();
    let clerk = site.signed_in("李专管员", Role::Clerk);
    assert!(!site.node.metered());
    clerk.submit("/sync", "/sync", &[("do", "metered")]);
    assert!(site.node.metered());
    clerk.get("/sync").has("改为不按流量计费");
    clerk.submit("/sync", "/sync", &[("do", "unmetered")]);
    assert!(!site.node.metered());
    clerk.submit("/sync", "/sync", &[("do", "now")]).has("现在同步");
}
