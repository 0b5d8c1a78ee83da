//! S8: a bulletin is issued while twelve schools cannot be reached.

use node::accounts::Role;

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
    until(&auditor, "/bulletins", "入网的学校都已收到")
        .has(unsynced)
        .lacks("还没有送到的学校");
}
