//! A forgotten PIN and a clerk's handover, on one computer without a network.
#![allow(clippy::unwrap_used)]

mod support;

use node::accounts::{self, Role};
use support::{PIN, Page, Site};

/// The codes that a page shows.
fn codes(page: &Page) -> Vec<String> {
    let shown = page.body.split("<p class=\"code\"><b>").skip(1);
    shown
        .map(|rest| rest.split_once('<').unwrap().0.to_owned())
        .collect()
}

const NEW: &str = "８６４２０１";

fn form<'a>(name: &'a str, code: &'a str, act: &'a str, successor: &'a str) -> [(&'static str, &'a str); 6] {
    [
        ("name", name),
        ("code", code),
        ("act", act),
        ("successor", successor),
        ("secret", NEW),
        ("again", NEW),
    ]
}

#[test]
fn a_forgotten_pin_is_set_anew_from_paper_and_each_code_works_once() {
    let county = Site::county(false);
    let site = county.enrol_school("青石镇中心小学");
    let clerk = site.signed_in("李专管员", Role::Clerk);
    clerk.get("/").has("还没有恢复码");
    clerk
        .submit("/recovery", "/recovery", &[("secret", "000000")])
        .has("PIN 或密码不对");
    let sheet = clerk.submit("/recovery", "/recovery", &[("secret", PIN)]);
    sheet.is(200).has("校长保管联").has("县师训科保管联");
    let codes = codes(&sheet);
    assert_eq!(codes.len(), 4);
    clerk
        .get("/recovery")
        .has("还有 <b>4</b> 个没用")
        .lacks(&codes[0]);
    clerk.get("/").lacks("还没有恢复码");

    let other = site.browser();
    other.get("/login").has("忘了 PIN");
    // A fault keeps what was typed, but no PIN.
    let page = other.submit("/recover", "/recover", &form("李专管员", "1234", "reset", ""));
    page.has("姓名或恢复码不对").has("value=\"李专管员\"").lacks(NEW);
    other
        .submit("/recover", "/recover", &form("李专管员", &codes[0], "reset", ""))
        .has("请登录");
    clerk.get("/roster").has("登录"); // The old sign-in has ended.
    let page = other.submit("/login", "/login", &[("name", "李专管员"), ("secret", NEW)]);
    page.has("李专管员").has("退出");
    site.browser()
        .submit("/recover", "/recover", &form("李专管员", &codes[0], "reset", ""))
        .has("已经用过");
    other
        .get("/accounts")
        .has("用恢复码设新 PIN")
        .has("恢复码不对")
        .has("制作恢复码");
}

#[test]
fn a_leader_gives_a_code_for_a_handover_and_old_work_keeps_its_author() {
    let county = Site::county(false);
    let site = county.enrol_school("青石镇中心小学");
    let clerk = site.signed_in("李专管员", Role::Clerk);
    let teacher = [
        ("name", "王𬭊"),
        ("teacher_code", "YL001"),
        ("status", "serving"),
        ("post", "teacher"),
        ("from", "2025.9.1"),
    ];
    let page = clerk.submit("/roster/new", "/roster/new", &teacher);
    page.is(200);
    let leader = site.signed_in("周校长", Role::Leader);
    let page = leader.get("/recovery");
    page.has("李专管员").has("师训专管员");
    let id = accounts::list(&site.node)
        .unwrap()
        .into_iter()
        .find(|a| a.name == "李专管员")
        .unwrap()
        .id;
    let given = leader.submit("/recovery", &format!("/recovery/{id}"), &[]);
    let code = codes(&given).remove(0);

    let next = site.browser();
    let page = next.submit("/recover", "/recover", &form("李专管员", &code, "handover", ""));
    page.has("请填接手人的姓名");
    next.submit(
        "/recover",
        "/recover",
        &form("李专管员", &code, "handover", "陈㙇"),
    )
    .has("请登录");
    clerk.get("/roster").has("忘了 PIN"); // sent to the sign-in page
    let page = next.submit("/login", "/login", &[("name", "陈㙇"), ("secret", NEW)]);
    page.has("陈㙇").has("退出");
    next.get("/accounts").has("已停用").has("账号交接");
    next.get("/recovery").has("李专管员 → 陈㙇");
    let roster = node::office::roster(&site.node, &site.node.home_school().unwrap()).unwrap();
    let record = site.node.record(&roster[0].id).unwrap().unwrap();
    assert_eq!(record.text("_by"), "李专管员");
    // The old name is not given away again.
    next.submit(
        "/accounts",
        "/accounts",
        &[("name", "李专管员"), ("role", "clerk"), ("secret", PIN)],
    )
    .has("这个名称已有账号");
}

#[test]
fn a_bare_administrator_and_a_teacher_get_no_codes() {
    let county = Site::county(false);
    let site = county.enrol_school("青石镇中心小学");
    for (name, role) in [("赵管理员", Role::Admin), ("王𬭊", Role::Teacher)] {
        let browser = site.signed_in(name, role);
        browser.get("/recovery").is(403);
        browser.get("/").lacks("href=\"/recovery\"");
    }
}
