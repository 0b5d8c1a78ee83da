//! S8: a bulletin is issued while twelve schools cannot be reached.

use node::accounts::Role;
use node::{Filter, office};

use crate::common::*;
use crate::support::*;

#[test]
fn s8_a_bulletin_names_the_twelve_schools_that_cannot_be_reached() {
    let county = Site::county(true);
    let far: Vec<String> = [
        "石门", "白沙", "黑井", "双河", "龙潭", "松坪", "大寨", "红岩", "马鞍", "落水", "野猪", "高坪",
    ]
    .map(|name| format!("{name}村小"))
    .to_vec();
    county.add_schools(&far);
    let near = county.enrol_school(QINGSHI);
    let mut away: Vec<Site> = far.iter().map(|name| county.enrol_school(name)).collect();
    let auditor = county.signed_in("王审核员", Role::Auditor);
    let clerk = near.signed_in("李专管员", Role::Clerk);
    let person = teacher_since(&near, "张三", "T001", "2025-09-01");
    held(&near, "第１次研课", "2025-10-10", &[person]);
    let remote = teacher_since(&away[0], "赵㙇", "T100", "2025-09-01");
    held(&away[0], "雪前的会", "2025-10-11", std::slice::from_ref(&remote));
    until(&auditor, "/audit", "2 条待审");
    wait("each school was in step", || {
        let peers = county.node.peers().unwrap();
        peers.iter().filter(|p| p.in_sync_at.is_some()).count() == 13
    });
    for site in &mut away {
        site.disconnect();
    }
    held(&away[0], "雪后的会", "2025-10-12", std::slice::from_ref(&remote));
    wait("the county sees that they are gone", || {
        let peers = county.node.peers().unwrap();
        peers.iter().filter(|p| p.connected).count() == 1
    });

    // The draft says whose figures are not complete, each by name and until when; one school was never enrolled.
    let today = auditor.get("/bulletins").value("cut_on");
    let fields = [
        ("no", "2025-09"),
        ("bulletin_kind", "status"),
        ("topic", "秋季进度"),
        ("cut_on", &today),
        ("issued_on", &today),
        ("text", "请各校核对。"),
    ];
    let draft = auditor.submit("/bulletins", "/bulletins", &fields);
    draft
        .is(200)
        .has("青石镇中心小学｜1｜1｜1｜0｜1｜#")
        .has("｜已同步");
    let record = draft.path.split('?').next().unwrap().to_owned();
    let unsynced = "截止时未同步的学校 12 所，以后的记录没有算进来：";
    let page = auditor.get("/bulletins");
    page.has("草拟").has(unsynced).lacks("还没有送到的学校");
    for name in &far {
        page.has(&format!("{name}（数据到：{today}）"));
        draft.has(&format!("{name}｜"));
    }
    page.lacks("青石镇中心小学（数据到")
        .has("尚未入网、没有数据的学校 1 所：云岭县第一小学");

    // Issued: the county is told who has not received it, by name, and who cannot.
    saved(&step(&auditor, &record, "issued"));
    let undelivered = |n: usize| format!("还没有送到的学校 {n} 所（没有回执，一联系上就自动送去）：");
    let page = until(&auditor, "/bulletins", &undelivered(12));
    let after = |page: &Page, mark: &str| {
        let rest = page.body.split_once(mark).unwrap().1;
        rest.split_once("</p>").unwrap().0.to_owned()
    };
    let named = after(&page, &undelivered(12));
    for name in &far {
        assert!(named.contains(name.as_str()), "{name} is not named: {named}");
    }
    assert!(!named.contains(QINGSHI), "{named}");
    page.has("尚未入网，请另行通知的学校 1 所：云岭县第一小学");
    // Who is in touch reads it, with the names; a school is not told who else has it.
    until(&clerk, "/bulletins", "秋季进度")
        .has(">有效</span>")
        .has(unsynced)
        .has("高坪村小")
        .lacks("还没有送到的学校");
    let theirs = away[0].signed_in("钱专管员", Role::Clerk);
    theirs.get("/bulletins").has("还没有通报");

    // One comes back: it reads what was issued, the county names eleven, and the frozen figures stay.
    away[0].connect(&county);
    until(&theirs, "/bulletins", "秋季进度")
        .has(unsynced)
        .has(&format!("{}（数据到：{today}）", far[0]));
    let page = until(&auditor, "/bulletins", &undelivered(11));
    let named = after(&page, &undelivered(11));
    assert!(!named.contains(&far[0]) && named.contains(&far[11]), "{named}");
    page.has(unsynced);
    until(&auditor, "/sessions", "雪后的会");
    for site in &mut away[1..] {
        site.connect(&county);
    }
    let page = until(&auditor, "/bulletins", "入网的学校都已收到");
    page.has(unsynced).lacks("还没有送到的学校");

    // 已阅 is a person's word, once for each, by an officer or the head of the school; nobody says it for another.
    page.has("已收到、还没有阅的学校 13 所").lacks("已阅的学校");
    let at = |x: &Browser| {
        let page = x.get("/bulletins");
        let form = page.body.split("action=\"/bulletins/").nth(1).unwrap();
        format!("/bulletins/{}", form.split('"').next().unwrap())
    };
    let read = at(&clerk);
    clerk.get("/").has("情况通报未阅：秋季进度");
    let id = read.split('/').nth(2).unwrap();
    clerk
        .submit("/bulletins", &read, &[("bulletin", id), ("read_on", "不知道")])
        .has("还没有保存")
        .has("不是日期");
    clerk
        .submit("/bulletins", &read, &[("read_on", &today)])
        .has(&format!("李专管员 {today}"))
        .lacks("阅读日期");
    clerk.get("/").lacks("情况通报未阅");
    let head = near.signed_in("何校长", Role::Leader);
    head.submit("/bulletins", &read, &[("read_on", &today)])
        .has("何校长")
        .has("李专管员");
    let unknown = "/bulletins/01990000-0000-7000-8000-000000000000/read";
    clerk.submit("/password", unknown, &[("read_on", &today)]).is(404);
    auditor
        .submit("/bulletins", &read, &[("read_on", &today)])
        .is(403);
    let teacher = near.signed_in("张三", Role::Teacher);
    teacher.submit("/password", &read, &[("read_on", &today)]).is(403);
    // The clerk's word alone may come first.
    let page = until(&auditor, "/bulletins", &format!("{QINGSHI}（何校长 {today}）"));
    page.has("已阅的学校 1 所")
        .has("已收到、还没有阅的学校 12 所")
        .has("尚未入网，请另行通知的学校 1 所：云岭县第一小学");
    let readings = county.node.records(&Filter::kind("bulletin_read")).unwrap();
    assert_eq!(readings.len(), 2, "{readings:?}");
}

/// At least two a week: the county sees what is due, a draft with the figures of that day is offered, and nothing goes out
/// by itself.
#[test]
fn a_schedule_says_what_is_due_and_a_person_issues_it() {
    let county = Site::county(true);
    let school = county.enrol_school(QINGSHI);
    let auditor = county.signed_in("王审核员", Role::Auditor);
    let clerk = school.signed_in("李专管员", Role::Clerk);
    let today = auditor.get("/bulletins").value("cut_on");
    let day: jiff::civil::Date = today.parse().unwrap();
    let days_ago = |n: i64| day.checked_sub(jiff::ToSpan::days(n)).unwrap();
    let code = |day: jiff::civil::Date| match day.weekday().to_monday_one_offset() {
        1 => "mon",
        2 => "tue",
        3 => "wed",
        4 => "thu",
        5 => "fri",
        6 => "sat",
        _ => "sun",
    };
    auditor
        .get("/bulletins")
        .has("还没有通报安排")
        .has("每周至少通报两次");
    let begun = days_ago(3);
    let until_then = day.checked_add(jiff::ToSpan::days(60)).unwrap();
    let fields = [
        ("topic", "网络研修进度".to_owned()),
        ("bulletin_kind", "status".to_owned()),
        ("from", begun.to_string()),
        ("to", until_then.to_string()),
        ("days", code(begun).to_owned()),
        ("days", code(days_ago(1)).to_owned()),
    ];
    let fields: Vec<(&str, &str)> = fields.iter().map(|(k, v)| (*k, v.as_str())).collect();
    let new = "/records/bulletin_schedule/new";
    auditor.submit(new, new, &fields).is(200);
    // A school makes no plans for the county.
    clerk.get(new).is(403);

    let page = auditor.get("/bulletins");
    page.has("已逾期")
        .has(&format!("截止 {}", days_ago(1)))
        .has("此前有 1 期没有发出")
        .has("起草第 1 期");
    auditor.get("/").has("情况通报到期：网络研修进度");
    assert!(office::bulletins(&county.node).unwrap().is_empty());
    until(&clerk, "/records/bulletin_schedule", "网络研修进度");
    clerk.get("/bulletins").lacks("已逾期").lacks("起草");

    // The form that is offered, as the page has it.
    let offered = |no: &str| {
        let page = auditor.get("/bulletins");
        let form = page
            .body
            .split("<form method=\"post\" action=\"/bulletins\">")
            .nth(1)
            .unwrap();
        let form = form.split("</form>").next().unwrap();
        let fields = form.split("type=\"hidden\" name=\"").skip(1).map(|field| {
            let (name, rest) = field.split_once("\" value=\"").unwrap();
            (name.to_owned(), rest.split('"').next().unwrap().to_owned())
        });
        let fields: Vec<(String, String)> = fields.filter(|(name, _)| name != "csrf").collect();
        assert!(fields.contains(&("no".to_owned(), no.to_owned())), "{fields:?}");
        let pairs: Vec<(&str, &str)> = fields.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        let draft = auditor.submit("/bulletins", "/bulletins", &pairs);
        draft.is(200).has("网络研修进度").has(QINGSHI);
        draft.path.split('?').next().unwrap().to_owned()
    };
    let first = offered("1");
    auditor
        .get("/bulletins")
        .has("第 1 期已拟好，待签发")
        .lacks("起草第 2 期");
    clerk.get("/bulletins").has("还没有通报");
    saved(&step(&auditor, &first, "issued"));
    auditor
        .get("/bulletins")
        .lacks("已逾期")
        .has("下一期截止")
        .has("此前有 1 期没有发出");
    auditor.get("/").lacks("情况通报到期");
    until(&clerk, "/bulletins", "网络研修进度");
    let bulletin = office::bulletins(&county.node).unwrap().remove(0);
    assert_eq!(bulletin.cut_on, days_ago(1).to_string());

    // The next day that is due asks for the next one, which names the one in force.
    let later = office::schedules(&county.node, &days_ago(-8).to_string()).unwrap();
    let offer = later[0].offered.as_ref().unwrap();
    assert_eq!(
        (offer.no.as_str(), offer.replaces[0].as_str()),
        ("2", bulletin.id.as_str())
    );
    assert_eq!(later[0].standing.missed, 2);
    // Long after the stage there is nothing to be said of it.
    assert!(office::schedules(&county.node, "2030-01-01").unwrap().is_empty());
}
