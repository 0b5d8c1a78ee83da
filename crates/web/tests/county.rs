//! The county's pages, with a school that is really connected.
#![allow(clippy::unwrap_used)]

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
    let all: Vec<_> = office::roster(node, &school)
        .unwrap()
        .into_iter()
        .map(|t| (t.id, "present".to_owned()))
        .collect();
    office::mark_attendance(node, &clerk, &id, &all).unwrap();
    office::end_session(node, &clerk, &id).unwrap();
    assert_eq!(
        office::register_claims(node, &clerk, &id, "2025-09-15").unwrap(),
        2
    );
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
        ..SessionInput::default()
    }
}

/// The value of the check box of the first claim in the queue.
fn box_of(page: &Page) -> String {
    page.value("claim")
}

fn recognise(auditor: &Browser, ticked: &str) -> Page {
    auditor.submit(
        "/audit",
        "/audit",
        &[("claim", ticked), ("decided_on", "2025-09-20")],
    )
}

#[test]
fn a_claim_reaches_the_county_and_its_decision_comes_back_without_a_restart() {
    let county = Site::county(true);
    let school = county.enrol_school("青石镇中心小学");
    let (auditor, clerk) = (
        county.signed_in("陈审核员", Role::Auditor),
        school.signed_in("李专管员", Role::Clerk),
    );
    clerk.get("/claims").has("没有登记");
    let before = clerk.get("/state.json").body;
    let id = record(&school.node);

    // From the county's receipt, and from nothing else.
    until(&clerk, "/claims", ">已到县</span>").lacks(">已保存在本校</span>");
    until(&clerk, "/", "全部已到县");
    assert_ne!(clerk.get("/state.json").body, before, "open pages must notice");
    until(&auditor, &format!("/sessions/{id}"), "王𬭊")
        .has("青石镇中心小学")
        .lacks("保存考勤");
    let queue = until(&auditor, "/audit", "王𬭊");
    queue.has("2 条待审").has("认定所选");
    auditor
        .get("/schools")
        .has("青石镇中心小学")
        .has("刚刚")
        .has("尚未入网");
    auditor.get("/").has("2 条学分待审");

    recognise(&auditor, &box_of(&queue))
        .has("已审核 1 条")
        .has("1 条待审");
    until(&clerk, "/claims", ">县已认定</span>");
    let mut links = auditor.get("/audit").links("/audit/");
    links.retain(|link| link != "/audit/opening");
    let other = links.remove(0);
    let seen = auditor.get(&other).value("seen");
    let mut fields = vec![
        ("seen", seen.as_str()),
        ("verdict", "reduced"),
        ("decided_on", "2025-09-20"),
        ("note", "讲座太多"),
    ];
    auditor
        .submit(&other, &other, &fields)
        .is(200)
        .has("请选择理由")
        .has("讲座太多")
        .has("id=\"credits_c-error\"");
    fields.extend([("credits_c", "0.1"), ("reason", "lecture_share")]);
    auditor
        .submit(&other, &other, &fields)
        .has("已审核 1 条")
        .has("没有待审的登记");
    until(&clerk, "/claims", ">县已核减</span>")
        .has("讲座太多")
        .has("讲座超比例")
        .has("陈审核员");

    let card = until(
        &clerk,
        &clerk.get("/claims?state=given").links("/teachers/")[0],
        "县已",
    );
    card.has("实践体验")
        .has("计入：总学分、实践体验、校级（校本研修）");
    auditor.get("/accounts").has("审核学分");
    auditor
        .get(&format!("/schools/{}", county.school_id("青石镇中心小学")))
        .has("㙇伟")
        .has("第3次研课磨课");
}

#[test]
fn a_decision_never_covers_what_the_auditor_did_not_see() {
    let county = Site::county(true);
    let school = county.enrol_school("青石镇中心小学");
    let (auditor, clerk) = (
        county.signed_in("陈审核员", Role::Auditor),
        school.signed_in("李专管员", Role::Clerk),
    );
    let id = record(&school.node);
    let queue = until(&auditor, "/audit", "2 条待审");
    // The school changes the session while the auditor's page is open.
    let own = school.node.home_school().unwrap();
    let changed = SessionInput {
        title: "第4次研课磨课".into(),
        ..session(200)
    };
    office::save_session(&school.node, &by("李专管员"), &own, Some(&id), changed).unwrap();
    until(&auditor, "/audit", "第4次研课磨课");
    recognise(&auditor, &box_of(&queue)).has("内容有变化").has("王𬭊");
    until(&auditor, "/audit", "2 条待审");
    recognise(&auditor, &box_of(&auditor.get("/audit"))).has("已审核 1 条");
    until(&clerk, "/claims", ">县已认定</span>");

    // A change after the decision is said, at both ends, and goes to the auditor again.
    let changed = SessionInput {
        title: "第4次研课磨课".into(),
        ..session(400)
    };
    office::save_session(&school.node, &by("李专管员"), &own, Some(&id), changed).unwrap();
    until(&clerk, "/claims", ">审后改动</span>").lacks(">县已认定</span>");
    until(&auditor, "/audit", ">审后改动</span>");
    auditor
        .submit("/audit", "/audit", &[("decided_on", "2025-09-20")])
        .has("一条也没有选");
}

#[test]
fn a_mentors_laptop_shows_its_schools_to_read_and_nothing_to_enter() {
    let county = Site::county(true);
    let school = county.enrol_school("青石镇中心小学");
    let mentor = county.enrol_mentor("zj-07", &["青石镇中心小学", "云岭县第一小学"]);
    let setup = node::accounts::new_setup_token(&mentor.node, node::now()).unwrap();
    let setup = format!("/setup/{setup}");
    mentor
        .browser()
        .get(&setup)
        .has("这是本机的第一个账号")
        .has("送教/送培专家")
        .lacks("师训专管员");
    let zhou = mentor.signed_in("周专家", Role::Clerk);
    mentor
        .browser()
        .get(&setup)
        .has("新账号")
        .lacks("这是本机的第一个账号");
    let id = record(&school.node);

    let list = format!("/sessions?school={}", county.school_id("青石镇中心小学"));
    until(&zhou, &list, "第3次研课磨课").lacks("登记活动");
    let page = zhou.get("/");
    page.has("青石镇中心小学")
        .has("云岭县第一小学")
        .has("刚刚")
        .lacks("登记一场活动")
        .lacks("在册教师");
    assert_eq!(
        page.links("/sessions?school=").len(),
        2,
        "every school leads to its sessions"
    );
    for path in ["/roster", "/claims", "/import", "/export"] {
        page.lacks(&format!("href=\"{path}\""));
    }
    let other = format!("/sessions?school={}", county.school_id("云岭县第一小学"));
    zhou.get(&other).lacks("第3次研课磨课").has("还没有活动");
    let here = format!("/sessions/{id}");
    until(&zhou, &here, "王𬭊").lacks("保存考勤").lacks("县已审");
    let token = zhou.get("/accounts").value("csrf");
    zhou.post(&format!("{here}/end"), &[("csrf", &token)]).is(403);
    zhou.get("/sessions/new").is(403);
    // Decisions do not come here, so a card would be wrong.
    let person = office::roster(&school.node, &school.node.home_school().unwrap())
        .unwrap()
        .remove(0);
    zhou.get(&format!("/teachers/{}", person.id)).is(403);
}

#[test]
fn the_county_takes_a_schools_tables_and_that_is_logged() {
    let county = Site::county(true);
    let school = county.enrol_school("青石镇中心小学");
    let auditor = county.signed_in("陈审核员", Role::Auditor);
    let admin = county.signed_in("管理员", Role::Admin);
    record(&school.node);
    let here = format!("/schools/{}", county.school_id("青石镇中心小学"));
    until(&auditor, &here, "㙇伟");
    for what in ["roster", "claims", "summary"] {
        let path = format!("{here}/export/{what}.csv?made_on=2025-10-01");
        auditor.get(&here).has(&format!("{here}/export/{what}.csv"));
        admin.get(&path).is(403);
        let page = auditor.get(&path);
        page.is(200).has("青石镇中心小学");
        assert!(page.header("content-disposition").contains(what));
    }
    auditor.get(&format!("{here}/export/roster.csv")).has("㙇伟");
    auditor.get(&format!("{here}/export/all.csv")).is(404);
    auditor.get("/schools/none/export/roster.csv").is(404);
    auditor.get("/accounts").has("青石镇中心小学 summary.csv");
    // One school was never enrolled: it is counted, not listed as silent.
    auditor.get("/").has("尚未入网 1 所").lacks("一周没联系的学校");
    auditor
        .get("/schools?contact=none")
        .has("云岭县第一小学")
        .lacks("青石镇中心小学</a>");
}

#[test]
fn roles_at_the_county_are_kept_apart() {
    let county = Site::county(false);
    let clerk = county.signed_in("李专管员", Role::Clerk);
    for path in [
        "/schools",
        "/audit",
        "/devices",
        "/sync",
        "/import",
        "/accounts",
        "/sessions",
    ] {
        clerk.get(path).is(403).has("没有权限");
    }
    let admin = county.signed_in("管理员", Role::Admin);
    for (path, status) in [
        ("/devices", 200),
        ("/sync", 200),
        ("/import", 200),
        ("/accounts", 200),
        ("/schools", 403),
        ("/audit", 403),
    ] {
        admin.get(path).is(status);
    }
    let leader = county.signed_in("局领导", Role::Leader);
    for (path, status) in [
        ("/schools", 200),
        ("/sessions", 200),
        ("/audit", 403),
        ("/devices", 403),
        ("/import", 403),
    ] {
        leader.get(path).is(status);
    }
    let auditor = county.signed_in("陈审核员", Role::Auditor);
    for path in [
        "/",
        "/schools",
        "/audit",
        "/devices",
        "/sync",
        "/import",
        "/accounts",
        "/sessions",
    ] {
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
    auditor
        .post("/import/confirm", &[("csrf", &csrf), ("token", &token)])
        .has("已导入 2 行")
        .has("沙湾镇中心小学");
    let people = "姓名,教师编号,学校名称\n王𬭊,YL001,青石镇中心小学\n";
    let page = auditor.upload("花名册.csv", people.as_bytes());
    page.has("没有要保存的内容").lacks("王𬭊");
}

#[test]
fn two_marks_that_differ_are_shown_and_settled_by_a_person() {
    let county = Site::county(true);
    let mut one = county.enrol_school("青石镇中心小学");
    let mut two = county.enrol_school("青石镇中心小学");
    let (clerk, other) = (
        one.signed_in("李专管员", Role::Clerk),
        two.signed_in("赵专管员", Role::Clerk),
    );
    let id = record(&one.node);
    let here = format!("/sessions/{id}");
    until(&other, "/claims", "王𬭊");
    until(&other, &here, "县已审 0");
    one.disconnect();
    two.disconnect();
    let person = office::roster(&one.node, &one.node.home_school().unwrap())
        .unwrap()
        .remove(0);
    let field = format!("m-{}", person.id);
    let action = format!("{here}/attendance");
    clerk
        .submit(&here, &action, &[(&field, "late")])
        .has("考勤已保存在本校");
    other
        .submit(&here, &action, &[(&field, "absent")])
        .has("考勤已保存在本校");
    one.connect(&county);
    two.connect(&county);

    let page = until(&clerk, &here, "待核：两处记录不同");
    page.has("（迟到 / 缺席）");
    // Neither is chosen, so saving the rest of the page does not settle it by accident.
    for status in ["late", "absent"] {
        page.lacks(&format!("name=\"{field}\" value=\"{status}\" checked"));
    }
    clerk.get("/").has("待核");
    clerk
        .submit(&here, &action, &[(&field, "late")])
        .lacks("待核：两处记录不同");
    until(&other, &here, &format!("name=\"{field}\" value=\"late\" checked")).lacks("待核：两处记录不同");
}
