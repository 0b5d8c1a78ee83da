//! The quick start, with the built binary: one county and three schools as four processes, enrolled by hand,
//! a record's way to the county's page and the decision's way back.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod support;

use records::sample::County;
use support::{Browser, Page, Place, Server, digits, free_address, until, wrong};

const PIN: &str = "２０２６０３";
/// The badges of a record's way, as receipts say it.
const SAVED: &str = "已保存在本校</span>";
const AT_COUNTY: &str = "已到县</span>";
const DIFFER: &str = "数字不同";

/// The county's side: its hub, running.
struct Hub {
    place: Place,
    address: String,
}

impl Hub {
    fn serve(&self) -> Server {
        self.place
            .serve(&["--listen", &self.address, "--publish", &self.address])
    }

    /// The line of `enrol list` about a device, once it is there: short id and digits.
    fn waiting(&self, label: &str) -> (String, String) {
        let mut line = String::new();
        until(&format!("{label} waits at the hub"), || {
            let list = self.place.ok(&["enrol", "list"]);
            line = list
                .lines()
                .find(|l| l.contains(label))
                .unwrap_or_default()
                .to_string();
            !line.is_empty()
        });
        (line.split_whitespace().next().unwrap().to_string(), digits(&line))
    }

    fn roll_size(&self) -> i64 {
        support::database::Database::open(&self.place.database()).number("SELECT COUNT(*) FROM statement")
    }
}

/// The digits that a school's own screen shows, once the county has answered.
fn offered(school: &Place) -> String {
    school.until_status("等待确认 offer");
    digits(&school.ok(&["status"]))
}

#[test]
fn four_processes_enrol_by_hand_and_a_record_goes_to_the_county_and_back() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    let county = County::generate(7);
    let file = root.join("云岭县教师花名册.xlsx");
    std::fs::write(&file, web::sheet::write::county_roster(&county).unwrap()).unwrap();
    let file = file.to_str().unwrap();

    // The county office.
    let hub = Hub {
        place: Place::init(root, "hub", &["--county", "云岭县"]),
        address: free_address(),
    };
    let preview = hub.place.ok(&["import", file, "--preview"]);
    assert!(
        preview.contains("机构：新增 45") && preview.contains("没有写入"),
        "{preview}"
    );
    assert_eq!(hub.place.count("schools"), 0);
    assert!(hub.place.ok(&["import", file, "--yes"]).contains("已导入 45 条"));
    assert!(
        hub.place
            .ok(&["import", file, "--yes"])
            .contains("没有需要写入的内容")
    );
    assert_eq!(hub.place.count("schools"), 45);
    hub.place.refused(&["init", "--county", "云岭县"], "already");
    let mut served_hub = hub.serve();
    assert_eq!(served_hub.sync.to_string(), hub.address);
    let second = [
        "serve",
        "--no-mdns",
        "--listen",
        "127.0.0.1:0",
        "--web",
        "127.0.0.1:0",
    ];
    hub.place.refused(&second, "已在运行");

    // Three schools.
    let names: Vec<&str> = [8, 9, 10]
        .map(|i: usize| county.schools[i].name.as_str())
        .to_vec();
    let (a, served_a) = enrol_in_order(&hub, root, names[0]);
    let (b, served_b) = enrol_confirming_first(&hub, root, names[1]);
    let (c, served_c) = enrol_by_file(&hub, root, names[2]);
    for school in [&a, &b, &c] {
        until("the list of schools has come", || school.count("schools") == 45);
        assert!(school.ok(&["status"]).contains("已入网"));
    }
    assert_eq!(hub.place.ok(&["enrol", "list"]), "", "nobody waits any more");

    // Accounts: one browser for all pages of the computer, its cookies shared by all ports.
    let browser = Browser::new();
    browser.first_account(served_hub.setup.as_ref().unwrap(), "王审核员", "auditor", PIN);
    for (served, name) in [
        (&served_a, "李专管员"),
        (&served_b, "𬭊专管员"),
        (&served_c, "欧阳㙇"),
    ] {
        browser.first_account(served.setup.as_ref().unwrap(), name, "clerk", PIN);
    }
    browser.open(&served_hub.pages).has("王审核员");

    // Rosters: on the page, by the command beside the running program, and by hand.
    let bytes = std::fs::read(file).unwrap();
    let count = |school: usize| county.teachers_of(8 + school).count();
    let preview = browser.upload(&served_a.pages, "云岭县教师花名册.xlsx", &bytes);
    preview
        .has("导入后会这样")
        .has(&format!("教师：新增 {}，", count(0)));
    browser
        .open(&format!("{}/roster", served_a.pages))
        .has("花名册还是空的");
    let token = preview.value("token");
    let page = browser.submit(
        &format!("{}/import", served_a.pages),
        "/import/confirm",
        &[("token", &token)],
    );
    page.has(&format!("已导入 {} 行", count(0)));
    let said = b.ok(&["import", file, "--yes"]);
    assert!(said.contains(&format!("已导入 {} 条", count(1))), "{said}");
    browser.until(&format!("{}/roster", served_b.pages), &format!("{} 人", count(1)));
    let teacher = [
        ("name", "㙇𬭊"),
        ("teacher_code", "Ｔ００１"),
        ("sex", "2"),
        ("birth_year", "１９８８"),
        ("status", "serving"),
        ("post", "teacher"),
        ("from", "2025年9月1日"),
    ];
    browser
        .submit(&format!("{}/roster/new", served_c.pages), "/roster/new", &teacher)
        .has("㙇𬭊")
        .has("T001");

    // A session on the school's page…
    let session = enter_session(
        &browser,
        &served_a,
        "第三次校本研修：读懂学生的错误",
        "２０２５年１０月１６日",
    );
    let people = county.teachers_of(8).count();
    let page = claim_for_everyone(&browser, &served_a, &session);
    page.has(&format!("已登分 {people} 人"));
    // …is on the county's page, with the people, without a restart.
    browser
        .until(&format!("{}/sessions", served_hub.pages), "读懂学生的错误")
        .has(names[0]);
    let at_hub = browser.until(
        &format!("{}{session}", served_hub.pages),
        &format!("登分 {people}"),
    );
    at_hub.has(&county.teachers[county.teachers_of(8).next().unwrap()].name);
    until_at_county(&browser, &format!("{}{session}", served_a.pages), people);
    // Other schools see nothing of it.
    browser
        .open(&format!("{}/sessions", served_b.pages))
        .lacks("读懂学生的错误");
    browser.open(&format!("{}{session}", served_b.pages)).is(404);

    // The county decides: all but one recognised, the last one reduced.
    let audit = format!("{}/audit", served_hub.pages);
    let queue = browser.until(&audit, &format!("{people} 条待审"));
    let claims = queue.values("claim");
    assert_eq!(claims.len(), people);
    let mut ticked: Vec<(&str, &str)> = claims[1..].iter().map(|c| ("claim", c.as_str())).collect();
    ticked.push(("decided_on", "2025-10-20"));
    browser
        .submit(&audit, "/audit", &ticked)
        .has(&format!("已审核 {} 条", people - 1));
    let last = claims[0].split_once(':').unwrap();
    let verdict = [
        ("seen", last.1),
        ("verdict", "reduced"),
        ("credits_c", "０.２"),
        ("reason", "over_cap"),
        ("note", "本学年校本已满"),
        ("decided_on", "2025-10-20"),
    ];
    browser
        .submit(&audit, &format!("/audit/{}", last.0), &verdict)
        .has("已审核 1 条")
        .has("没有待审的登记");
    // The decisions are on the school's page, without a restart.
    let claims = format!("{}/claims?limit=1000", served_a.pages);
    let page = browser.until(&claims, "县已核减");
    page.has("核减为 0.2").has("本学年校本已满").has("王审核员");
    assert_eq!(page.count("县已认定"), people - 1 + in_filter(&page, "县已认定"));

    // The county signs what it has recognised for one of them; the file is checked where nothing is known but the
    // county's key.
    let person = page
        .body
        .split("/teachers/")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    a_statement_is_checked_anywhere(root, &hub.place, &a, person);

    // The hub is gone: the school goes on, and nothing is shown as received that was not.
    served_hub.stop();
    let alone = enter_session(&browser, &served_a, "停电那天的集体备课", "2025-11-03");
    claim_for_everyone(&browser, &served_a, &alone).has("已登分");
    std::thread::sleep(std::time::Duration::from_secs(3));
    let page = browser.open(&format!("{}{alone}", served_a.pages));
    assert_eq!(
        (page.count(SAVED), page.count(AT_COUNTY)),
        (1 + people, 0),
        "{}",
        page.body
    );
    assert!(a.count("not at county") > people as u64);
    // It comes back, and all catches up by itself.
    served_hub = hub.serve();
    assert_eq!(served_hub.setup, None, "there is an account already");
    until_at_county(&browser, &format!("{}{alone}", served_a.pages), people);
    browser.until(&format!("{}/sessions", served_hub.pages), "停电那天的集体备课");
    browser.until(
        &format!("{}/audit", served_hub.pages),
        &format!("{people} 条待审"),
    );
    until("all is at the county", || a.count("not at county") == 0);

    // The school that was enrolled by file has found the hub by itself as well.
    let third = enter_session(&browser, &served_c, "教学点联片教研", "2025-11-05");
    claim_for_everyone(&browser, &served_c, &third).has("已登分 1 人");
    until_at_county(&browser, &format!("{}{third}", served_c.pages), 1);
    browser
        .until(&format!("{}/sessions", served_hub.pages), "教学点联片教研")
        .has(names[2]);

    for served in [served_a, served_b, served_c, served_hub] {
        served.stop();
    }
}

/// With a network, in the order of the README: request, serve, approve, confirm.
/// `statement make` at the hub, `statement verify` at the hub and on a computer that was never set up.
fn a_statement_is_checked_anywhere(root: &std::path::Path, hub: &Place, school: &Place, person: &str) {
    let file = root.join("证明.jwt");
    let path = file.to_str().unwrap();
    let make = [
        "statement",
        "make",
        "--person",
        person,
        "--date",
        "2026-01-10",
        "--out",
        path,
    ];
    school.refused(&make, "学分证明由县级学分审核员签发");
    let said = hub.ok(&make);
    let key = said.split("county key: ").nth(1).unwrap().lines().next().unwrap();
    let known = hub.ok(&["statement", "verify", path]);
    assert!(
        known.contains("有，内容相同") && known.contains("核验通过"),
        "{known}"
    );
    let nowhere = Place::new(root, "别处");
    let read = nowhere.ok(&["statement", "verify", path, "--county", key]);
    assert!(
        read.contains("核验通过") && read.contains("登记 lines       1"),
        "{read}"
    );
    nowhere.refused(&["statement", "verify", path], "--county");
    let other = sync_key(key);
    nowhere.refused(&["statement", "verify", path, "--county", &other], "别的县签发的");
    let mut bytes = std::fs::read(&file).unwrap();
    let at = bytes.len() * 2 / 3;
    bytes[at] = if bytes[at] == b'x' { b'y' } else { b'x' };
    std::fs::write(&file, bytes).unwrap();
    nowhere.refused(
        &["statement", "verify", path, "--county", key],
        "被改动过或已损坏",
    );
    hub.refused(&["statement", "verify", path], "被改动过或已损坏");
}

/// Another key of the same form.
fn sync_key(key: &str) -> String {
    let first = if key.starts_with('a') { 'b' } else { 'a' };
    format!("{first}{}", &key[1..])
}

fn enrol_in_order(hub: &Hub, root: &std::path::Path, name: &str) -> (Place, Server) {
    let label = format!("{name} 办公室");
    let school = Place::init(root, "school-a", &["--name", &label]);
    assert!(
        school
            .ok(&["enrol", "request", "--hub", &hub.address])
            .contains("YXQ")
    );
    let served = school.serve(&["--listen", "127.0.0.1:0"]);
    let (code, at_hub) = hub.waiting(&label);
    let at_school = offered(&school);
    assert_eq!(at_hub, at_school, "both screens show the same digits");

    let before = hub.roll_size();
    let approve = |digits: &str| {
        vec!["enrol", "approve", &code, "--school", name, "--digits"]
            .into_iter()
            .map(str::to_string)
            .chain([digits.to_string()])
            .collect::<Vec<_>>()
    };
    let wrong_digits = approve(&wrong(&at_hub));
    hub.place.refused(
        &wrong_digits.iter().map(String::as_str).collect::<Vec<_>>(),
        DIFFER,
    );
    // Without digits and without anybody who says yes, it is refused too.
    hub.place
        .refused(&["enrol", "approve", &code, "--school", name], DIFFER);
    hub.place.refused(
        &[
            "enrol",
            "approve",
            &code,
            "--school",
            "没有这所学校",
            "--digits",
            &at_hub,
        ],
        "no school",
    );
    school.refused(&["enrol", "confirm", "--digits", &wrong(&at_school)], DIFFER);
    assert!(!school.type_at(&["enrol", "confirm"], "n\n").ok);
    assert_eq!(hub.roll_size(), before, "nothing was changed");
    assert_eq!(hub.waiting(&label).0, code, "it still waits");
    assert!(school.ok(&["status"]).contains("未入网"));

    let right = approve(&at_hub);
    assert!(
        hub.place
            .ok(&right.iter().map(String::as_str).collect::<Vec<_>>())
            .contains("已批准")
    );
    school.until_status("县已批准");
    assert!(
        school
            .ok(&["enrol", "confirm", "--digits", &at_school])
            .contains("已入网 云岭县")
    );
    school.until_status("已入网 (enrolled)");
    (school, served)
}

/// With a network, everything the other way round: the program runs already when the request is made, and
/// the school confirms, at the keyboard, before the county has approved.
fn enrol_confirming_first(hub: &Hub, root: &std::path::Path, name: &str) -> (Place, Server) {
    let label = format!("{name} 教研组");
    let school = Place::init(root, "school-b", &["--name", &label]);
    let served = school.serve(&["--listen", "127.0.0.1:0"]);
    school.ok(&["enrol", "request", "--hub", &hub.address]);
    let (code, at_hub) = hub.waiting(&label);
    assert_eq!(offered(&school), at_hub);
    let said = school.type_at(&["enrol", "confirm"], "y\n");
    assert!(
        said.ok && said.out.contains("自动生效"),
        "{}{}",
        said.out,
        said.err
    );
    assert!(school.ok(&["status"]).contains("等待县里批准"));
    let said = hub
        .place
        .type_at(&["enrol", "approve", &code, "--school", name], "是\n");
    assert!(said.ok, "{}{}", said.out, said.err);
    school.until_status("已入网 (enrolled)");
    (school, served)
}

/// Without a network: the request and the answer go by USB stick, the digits by telephone.
fn enrol_by_file(hub: &Hub, root: &std::path::Path, name: &str) -> (Place, Server) {
    let school = Place::init(root, "school-c", &["--name", &format!("{name} 电脑")]);
    let (request, answer) = (root.join("申请.txt"), root.join("批复.txt"));
    let (request, answer) = (request.to_str().unwrap(), answer.to_str().unwrap());
    school.ok(&["enrol", "request", "--out", request]);
    let approve = ["enrol", "approve", request, "--school", name, "--out", answer];
    let shown = digits(&hub.place.refused(&approve, DIFFER));
    hub.place
        .refused(&[&approve[..], &["--digits", &wrong(&shown)]].concat(), DIFFER);
    assert!(
        !std::path::Path::new(answer).exists(),
        "no answer without the right digits"
    );
    hub.place.ok(&[&approve[..], &["--digits", &shown]].concat());
    school.refused(&["enrol", "accept", answer, "--digits", &wrong(&shown)], DIFFER);
    assert!(school.ok(&["status"]).contains("未入网"));
    assert!(
        school
            .ok(&["enrol", "accept", answer, "--digits", &shown])
            .contains("已入网 云岭县")
    );
    assert!(school.ok(&["status"]).contains("已入网"));
    let served = school.serve(&["--listen", "127.0.0.1:0"]);
    (school, served)
}

/// Fills in the form of a new session; the path of its page.
fn enter_session(browser: &Browser, served: &Server, title: &str, date: &str) -> String {
    let new = format!("{}/sessions/new", served.pages);
    let mut fields = vec![
        ("title", title),
        ("theme", "读懂学生的错误"),
        ("date", date),
        ("place", "多媒体教室"),
        ("form", "school_based"),
        ("category", "practice"),
        ("channel", "school"),
        ("hours_c", "４"),
        ("lecturers", "教研组"),
    ];
    let page = browser.submit(&new, "/sessions/new", &fields);
    page.is(200).has(title).has("已保存在本校。");
    let path = page
        .url
        .strip_prefix(&served.pages)
        .unwrap()
        .split('?')
        .next()
        .unwrap()
        .to_string();
    // A form with a fault comes back as it was typed, and nothing is saved.
    fields[2].1 = "昨天";
    let page = browser.submit(&new, "/sessions/new", &fields);
    assert!(page.url.ends_with("/sessions/new"));
    page.has("昨天");
    path
}

/// 全部到, 结束活动, 登分.
fn claim_for_everyone(browser: &Browser, served: &Server, session: &str) -> Page {
    let url = format!("{}{session}", served.pages);
    browser
        .submit(&url, &format!("{session}/attendance"), &[("fill", "present")])
        .has("考勤已保存在本校");
    browser
        .submit(&url, &format!("{session}/end"), &[])
        .has("活动已结束");
    browser.submit(
        &url,
        &format!("{session}/claims"),
        &[("claimed_on", "2025-11-10")],
    )
}

/// Waits until the school's page shows the session and every claim of it as received by the county.
fn until_at_county(browser: &Browser, page: &str, claims: usize) {
    let all = |page: &Page| (page.count(SAVED), page.count(AT_COUNTY)) == (0, 1 + claims);
    browser.until_page(page, "已到县 everywhere", all);
}

/// How often a word stands among the choices of the page's filter.
fn in_filter(page: &Page, word: &str) -> usize {
    page.between("<option", "</option>")
        .iter()
        .filter(|o| o.contains(word))
        .count()
}
