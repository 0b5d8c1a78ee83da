//! The county's pages, with a school that is really connected.

mod support;

use node::Node;
use node::accounts::Role;
use node::office::{self, SessionInput, TeacherInput};
use support::{Browser, Page, Site, by, until};

/// Writes two teachers and an ended session with claims at a school; returns the session's id.
fn record(node: &Node) -> String {
    let school = node.home_school().unwrap();
    let clerk = by("李专管员");
    for (name, code) in [("王𬭊", "YL001"), ("㙇伟", "YL002")] {
        let input = TeacherInput {
            teacher_code: code.into(),
            name: name.into(),
            status: "serving".into(),
            post: "teacher".into(),
            subject: "语文".into(),
            from: "2025-09-01".into(),
            ..TeacherInput::default()
        };
        office::save_teacher(node, &clerk, &school, None, input).unwrap();
    }
    let id = office::save_session(node, &clerk, &school, None, session(200)).unwrap();
    let all: Vec<_> = office::roster(node, &school).unwrap().into_iter().map(|t| (t.id, "present".to_owned())).collect();
    office::mark_attendance(node, &clerk, &id, &all).unwrap();
    office::end_session(node, &clerk, &id).unwrap();
    assert_eq!(office::register_claims(node, &clerk, &id, "2025-09-15").unwrap(), 2);
    id
}

fn session(hours_c: i64) -> SessionInput {
    SessionInput {
        title: "第3次研课磨课".into(),
        theme: String::new(),
        date: "2025-09-12".into(),
        place: "录播教室".into(),
        form: "school_based".into(),
        category: "practice".into(),
        sub: String::new(),
        channel: "school".into(),
        hours_c,
        lecturers: String::new(),
        minutes: Some(90),
        lecture_minutes: None,
    }
}

/// The value of the check box of the first claim in the queue.
fn box_of(page: &Page) -> String {
    page.value("claim")
}

fn recognise(auditor: &Browser, ticked: &str) -> Page {
    auditor.submit("/audit", "/audit", &[("claim", ticked), ("decided_on", "2025-09-20")])
}

#[test]
fn a_claim_reaches_the_county_and_its_decision_comes_back_without_a_restart() {
    let county = Site::county(true);
    let school = county.enrol_school("青石镇中心小学");
    let (auditor, clerk) = (county.signed_in("陈审核员", Role::Auditor), school.signed_in("李专管员", Role::Clerk));
    clerk.get("/claims").has("没有登记");
    let before = clerk.get("/state.json").body;
    let id = record(&school.node);

    // From the county's receipt, and from nothing else.
    until(&clerk, "/claims", ">已到县</span>").lacks(">已保存在本校</span>");
    until(&clerk, "/", "全部已到县");
    assert_ne!(clerk.get("/state.json").body, before, "open pages must notice");
    until(&auditor, &format!("/sessions/{id}"), "王𬭊").has("青石镇中心小学").lacks("保存考勤");
    let queue = until(&auditor, "/audit", "王𬭊");
    queue.has("2 条待审").has("认定所选");
    auditor.get("/schools").has("青石镇中心小学").has("刚刚").has("未接入");
    auditor.get("/").has("2 条学分待审");

    recognise(&auditor, &box_of(&queue)).has("已审核 1 条").has("1 条待审");
    until(&clerk, "/claims", ">县已认定</span>");
    let other = auditor.get("/audit").links("/audit/")[0].clone();
    let seen = auditor.get(&other).value("seen");
    let mut fields = vec![("seen", seen.as_str()), ("verdict", "reduced"), ("decided_on", "2025-09-20"), ("note", "讲座太多")];
    auditor.submit(&other, &other, &fields).is(200).has("请选择理由").has("讲座太多").has("id=\"credits_c-error\"");
    fields.extend([("credits_c", "0.1"), ("reason", "lecture_share")]);
    auditor.submit(&other, &other, &fields).has("已审核 1 条").has("没有待审的登记");
    until(&clerk, "/claims", ">县已核减</span>").has("讲座太多").has("讲座超比例").has("陈审核员");

    let card = until(&clerk, &clerk.get("/claims?state=given").links("/teachers/")[0], "县已");
    card.has("实践体验");
    auditor.get("/accounts").has("审核学分");
    auditor.get(&format!("/schools/{}", county.school_id("青石镇中心小学"))).has("㙇伟").has("第3次研课磨课");
}

#[test]
fn a_decision_never_covers_what_the_auditor_did_not_see() {
    let county = Site::county(true);
    let school = county.enrol_school("青石镇中心小学");
    let (auditor, clerk) = (county.signed_in("陈审核员", Role::Auditor), school.signed_in("李专管员", Role::Clerk));
    let id = record(&school.node);
    let queue = until(&auditor, "/audit", "2 条待审");
    // The school changes the session while the auditor's page is open.
    let own = school.node.home_school().unwrap();
    let changed = SessionInput { title: "第4次研课磨课".into(), ..session(200) };
    office::save_session(&school.node, &by("李专管员"), &own, Some(&id), changed).unwrap();
    until(&auditor, "/audit", "第4次研课磨课");
    recognise(&auditor, &box_of(&queue)).has("内容有变化").has("王𬭊");
    until(&auditor, "/audit", "2 条待审");
    recognise(&auditor, &box_of(&auditor.get("/audit"))).has("已审核 1 条");
    until(&clerk, "/claims", ">县已认定</span>");

    // A change after the decision is said, at both ends, and goes to the auditor again.
    let changed = SessionInput { title: "第4次研课磨课".into(), ..session(400) };
    office::save_session(&school.node, &by("李专管员"), &own, Some(&id), changed).unwrap();
    until(&clerk, "/claims", ">审后改动</span>").lacks(">县已认定</span>");
    until(&auditor, "/audit", ">审后改动</span>");
    auditor.submit("/audit", "/audit", &[("decided_on", "2025-09-20")]).has("一条也没有选");
}

#[test]
fn a_device_is_approved_only_after_the_digits_and_revoked_only_after_asking() {
    let county = Site::county(false);
    let auditor = county.signed_in("陈审核员", Role::Auditor);
    let loose = Site::loose();
    let clerk = loose.signed_in("李专管员", Role::Clerk);
    let page = clerk.get("/sync");
    page.has("申请码").has("<svg");
    let code = page.body.split("class=\"code\">").nth(1).unwrap().split('<').next().unwrap().to_owned();
    let school = county.school_id("青石镇中心小学");

    let mut fields = vec![("request", code.as_str()), ("role", "school"), ("school", ""), ("label", "青石小学 教务处")];
    let page = auditor.submit("/devices", "/devices", &fields);
    page.has("请选择学校").has("请先和对方核对").has(&code);
    fields[2].1 = &school;
    auditor.submit("/devices", "/devices", &fields).has("请先和对方核对").lacks("id=\"school-error\"");
    fields.push(("compared", "1"));
    let wrong = [("request", "YXQ-AAAA"), ("role", "school"), ("school", &school), ("compared", "1")];
    auditor.submit("/devices", "/devices", &wrong).has("这不是申请码");
    let page = auditor.submit("/devices", "/devices", &fields);
    page.is(200).has("已批准").has("code: YXA");
    let answer = page.body.split("<pre class=\"code\" tabindex=\"0\">").nth(1).unwrap().split("</pre>").next().unwrap().to_owned();
    let digits = page.body.split("class=\"digits\">").nth(1).unwrap().split('<').next().unwrap().to_owned();

    clerk.submit("/sync", "/sync", &[("do", "accept"), ("answer", "YXA-FALSE")]).has("这不是批复码");
    clerk.submit("/sync", "/sync", &[("do", "accept"), ("answer", &answer)]).has(&digits).has("云岭县教师进修学校");
    clerk.submit("/sync", "/sync", &[("do", "confirm")]).has("请先和县里逐组核对数字");
    clerk.submit("/sync", "/sync", &[("do", "confirm"), ("compared", "1")]).has("本机已加入本县").has("已加入");
    clerk.get("/roster").is(200);

    let revoke = auditor.get("/devices").has("青石小学 教务处").links("/devices/")[0].clone();
    auditor.get(&revoke).has("撤销不能取消");
    auditor.submit(&revoke, &revoke, &[]).has("已撤销这台设备");
    auditor.get(&revoke).is(404);
    auditor.get("/accounts").has("批准设备").has("撤销设备");
    // Its own device is not among those that can be revoked here.
    let own = county.node.id().to_string();
    auditor.get(&format!("/devices/{own}/revoke")).is(403);
}

#[test]
fn a_device_that_asks_over_the_network_is_approved_and_joins() {
    let county = Site::county(true);
    let auditor = county.signed_in("陈审核员", Role::Auditor);
    let loose = county.loose_near();
    let clerk = loose.signed_in("李专管员", Role::Clerk);
    let page = until(&auditor, "/devices", "云岭县第一小学 教务处");
    let cut = |page: &Page| page.body.split("class=\"digits\">").nth(1).unwrap().split('<').next().unwrap().to_owned();
    let digits = cut(&page);
    auditor.get("/").has("1 台设备申请加入");
    // Before anybody approved, the school already sees which county it is and the same digits.
    assert_eq!(cut(&until(&clerk, "/sync", "还没有批准本机")), digits);

    let letters: String = loose.node.id().to_string().chars().take(8).collect();
    let school = county.school_id("云岭县第一小学");
    let fields = [("request", letters.as_str()), ("role", "school"), ("school", &school), ("compared", "1")];
    auditor.submit("/devices", "/devices", &fields).has("已批准").has(&digits);
    until(&clerk, "/sync", "已批准本机");
    clerk.submit("/sync", "/sync", &[("do", "confirm"), ("compared", "1")]).has("本机已加入本县");
    let title = "听评课";
    until(&clerk, "/sync", "在线");
    clerk.get("/roster").is(200);
    let fields = [("title", title), ("date", "2025-9-12"), ("form", "school_based"), ("category", "practice"), ("channel", "school"), ("hours_c", "1")];
    clerk.submit("/sessions/new", "/sessions/new", &fields).has(title);
    until(&auditor, "/sessions", title).has("云岭县第一小学");
}

#[test]
fn addresses_are_checked_and_forgotten() {
    let site = Site::loose();
    let clerk = site.signed_in("李专管员", Role::Clerk);
    clerk.submit("/sync", "/sync", &[("do", "add"), ("address", "没有端口")]).has("地址不对").has("value=\"没有端口\"");
    clerk.submit("/sync", "/sync", &[("do", "add"), ("address", "192.168.1.10：4433")]).has("192.168.1.10:4433");
    let page = clerk.submit("/sync", "/sync", &[("do", "remove"), ("address", "192.168.1.10:4433")]);
    page.lacks("value=\"192.168.1.10:4433\"");
    clerk.submit("/sync", "/sync", &[("do", "format")]).is(404);
}

#[test]
fn roles_at_the_county_are_kept_apart() {
    let county = Site::county(false);
    let clerk = county.signed_in("李专管员", Role::Clerk);
    for path in ["/schools", "/audit", "/devices", "/sync", "/import", "/accounts", "/sessions"] {
        clerk.get(path).is(403).has("没有权限");
    }
    let admin = county.signed_in("管理员", Role::Admin);
    for (path, status) in [("/devices", 200), ("/sync", 200), ("/import", 200), ("/accounts", 200), ("/schools", 403), ("/audit", 403)] {
        admin.get(path).is(status);
    }
    let leader = county.signed_in("局领导", Role::Leader);
    for (path, status) in [("/schools", 200), ("/sessions", 200), ("/audit", 403), ("/devices", 403), ("/import", 403)] {
        leader.get(path).is(status);
    }
    let auditor = county.signed_in("陈审核员", Role::Auditor);
    for path in ["/", "/schools", "/audit", "/devices", "/sync", "/import", "/accounts", "/sessions"] {
        auditor.get(path).is(200);
    }
    // Pages that only a school has.
    for path in ["/roster", "/claims", "/export", "/sessions/new"] {
        auditor.get(path).is(403);
    }
}

#[test]
fn organisations_are_imported_names_of_teachers_are_not() {
    let county = Site::county(false);
    let auditor = county.signed_in("陈审核员", Role::Auditor);
    let table = "学校名称,学校标识码,学校类别,城乡类型\n沙湾镇中心小学,2168000003,小学,乡镇\n青石镇中心小学,2168000001,小学,村庄\n";
    let page = auditor.upload("学校.csv", table.as_bytes());
    page.has("新增 1，变更 1").has("沙湾镇中心小学").has("村庄");
    let (csrf, token) = (page.value("csrf"), page.value("token"));
    auditor.post("/import/confirm", &[("csrf", &csrf), ("token", &token)]).has("已导入 2 行").has("沙湾镇中心小学");
    let people = "姓名,教师编号,学校名称\n王𬭊,YL001,青石镇中心小学\n";
    let page = auditor.upload("花名册.csv", people.as_bytes());
    page.has("没有要保存的内容").lacks("王𬭊");
}
