//! Acceptance 6, with the built binary: every link is down from the first minute on, the school works fully,
//! and on the link's return all catches up without anybody doing anything.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod support;

use support::{Browser, Place, digits, free_address, until};

const SCHOOL: &str = "石门村小学";
const PIN: &str = "２０２６０３";
const TEACHERS: usize = 6;
const SESSIONS: usize = 5;

#[test]
fn a_school_that_never_had_a_link_works_fully_and_catches_up_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    // The hub has run once, so the roll knows its address; then it is off until the end.
    let hub = Place::init(root, "hub", &["--county", "云岭县"]);
    let file = root.join("学校.csv");
    let list = format!("学校名称,学校标识码,学校类别,城乡类型\n{SCHOOL},2168000001,完全小学,村庄\n");
    std::fs::write(&file, list).unwrap();
    hub.ok(&["import", file.to_str().unwrap(), "--yes"]);
    let address = free_address();
    let flags = ["--listen", &address, "--publish", &address];
    hub.serve(&flags).stop();
    let school = enrol_by_file(root, &hub);

    // Roster, session, attendance, 登分, card, export: all of it alone.
    let file = root.join("本校.csv");
    let rows: String = (0..TEACHERS)
        .map(|i| {
            format!(
                "{}㙇𬭊,Ｔ０{i},女,语文\n",
                ["赵", "钱", "孙", "李", "周", "吴"][i]
            )
        })
        .collect();
    std::fs::write(&file, format!("姓名,教师编号,性别,学科\n{rows}")).unwrap();
    let mut served = school.serve(&["--listen", "127.0.0.1:0"]);
    let browser = Browser::new();
    browser.first_account(served.setup.as_ref().unwrap(), "李专管员", "clerk", PIN);
    let preview = browser.upload(&served.pages, "本校.csv", &std::fs::read(&file).unwrap());
    let token = preview.has(&format!("教师：新增 {TEACHERS}，")).value("token");
    browser
        .submit(
            &format!("{}/import", served.pages),
            "/import/confirm",
            &[("token", &token)],
        )
        .has("已导入");
    for number in 1..=SESSIONS {
        let (title, date) = (format!("第{number}次集体备课"), format!("2025-11-{number:02}"));
        let fields = [
            ("title", title.as_str()),
            ("date", &date),
            ("form", "school_based"),
            ("category", "practice"),
            ("channel", "school"),
            ("hours_c", "2"),
        ];
        let page = browser.submit(
            &format!("{}/sessions/new", served.pages),
            "/sessions/new",
            &fields,
        );
        let path = page
            .is(200)
            .url
            .strip_prefix(&served.pages)
            .unwrap()
            .split('?')
            .next()
            .unwrap()
            .to_string();
        let url = format!("{}{path}", served.pages);
        browser
            .submit(&url, &format!("{path}/attendance"), &[("fill", "present")])
            .has("考勤已保存在本校");
        browser
            .submit(&url, &format!("{path}/end"), &[])
            .has("活动已结束");
        let page = browser.submit(&url, &format!("{path}/claims"), &[("claimed_on", &date)]);
        page.has(&format!("已登分 {TEACHERS} 人")).lacks("已到县</span>");
        // The computer is switched off and on in between.
        if number == 2 {
            served.stop();
            served = school.serve(&["--listen", "127.0.0.1:0"]);
        }
    }
    let claims = browser.open(&format!("{}/claims", served.pages));
    assert_eq!(claims.count("已保存在本校</span>"), TEACHERS * SESSIONS);
    let roster = browser.open(&format!("{}/roster", served.pages));
    let person = roster.between("href=\"/teachers/", "\"").remove(0);
    browser
        .open(&format!("{}/teachers/{person}", served.pages))
        .is(200)
        .has("第1次集体备课");
    let table = root.join("登记表.csv");
    school.ok(&["export", "claims", "--out", table.to_str().unwrap()]);
    let table = String::from_utf8(std::fs::read(&table).unwrap()).unwrap();
    assert_eq!(table.matches("集体备课").count(), TEACHERS * SESSIONS, "{table}");
    let waiting = school.count("not at county");
    assert!(
        waiting >= (TEACHERS * (1 + 2 * SESSIONS) + SESSIONS) as u64,
        "{waiting}"
    );
    browser
        .open(&format!("{}/sync", served.pages))
        .has(&format!("{waiting} 条未到县"));

    // The link is back.
    let served_hub = hub.serve(&flags);
    until("all is at the county", || school.count("not at county") == 0);
    let claims = browser.open(&format!("{}/claims", served.pages));
    assert_eq!(claims.count("已到县</span>"), TEACHERS * SESSIONS);
    browser.open(&format!("{}/sync", served.pages)).has("全部已到县");
    for (word, number) in [
        ("teachers", TEACHERS),
        ("sessions", SESSIONS),
        ("claims", TEACHERS * SESSIONS),
    ] {
        until(&format!("the hub shows all {word}"), || {
            hub.count(word) == number as u64
        });
    }
    until("the school knows its county's schools", || {
        school.count("schools") == 1
    });
    served.stop();
    served_hub.stop();
}

/// Request and answer go by USB stick.
fn enrol_by_file(root: &std::path::Path, hub: &Place) -> Place {
    let school = Place::init(root, "school", &["--name", &format!("{SCHOOL} 电脑")]);
    let (request, answer) = (root.join("申请.txt"), root.join("批复.txt"));
    let (request, answer) = (request.to_str().unwrap(), answer.to_str().unwrap());
    school.ok(&["enrol", "request", "--out", request]);
    let approve = ["enrol", "approve", request, "--school", SCHOOL, "--out", answer];
    let shown = digits(&hub.refused(&approve, "数字不同"));
    hub.ok(&[&approve[..], &["--digits", &shown]].concat());
    school.ok(&["enrol", "accept", answer, "--digits", &shown]);
    school
}
