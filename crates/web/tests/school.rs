//! A clerk's day: roster, session, attendance, credits, tables in and out.
#![allow(clippy::unwrap_used)]

mod support;

use node::accounts::Role;
use node::office;
use support::{Browser, PIN, Page, Site};

const ROSTER: &str = "序号,姓名,教师编号,性别,出生年份,任教学科,岗位,职称\n\
                      1,王 𬭊,YL001,女,1985,语文,专任教师,一级\n\
                      2,㙇伟,YL002,男,１９９０,数学,专任教师,二级\n\
                      3,张三,YL003,男,明年,数学,专任教师,二级\n\
                      ,,,,,,,\n\
                      合计,3,,,,,,\n";

/// A school with two teachers of its own, and its clerk at the browser.
fn school() -> (Site, Site, Browser) {
    let county = Site::county(false);
    let site = county.enrol_school("青石镇中心小学");
    let clerk = site.signed_in("李专管员", Role::Clerk);
    for (name, code) in [("王𬭊", "YL001"), ("㙇伟", "YL002")] {
        clerk
            .submit("/roster/new", "/roster/new", &teacher(name, code))
            .is(200)
            .has(name);
    }
    (county, site, clerk)
}

fn teacher<'a>(name: &'a str, code: &'a str) -> [(&'static str, &'a str); 7] {
    [
        ("name", name),
        ("teacher_code", code),
        ("status", "serving"),
        ("post", "teacher"),
        ("subject", "语文"),
        ("from", "2025.9.1"),
        ("birth_year", "１９８５"),
    ]
}

fn session<'a>(title: &'a str, hours: &'a str) -> [(&'static str, &'a str); 9] {
    [
        ("title", title),
        ("date", "2025年9月12日"),
        ("place", "录播教室"),
        ("form", "school_based"),
        ("category", "practice"),
        ("channel", "school"),
        ("hours_c", hours),
        ("minutes", "90"),
        ("theme", "<b>主题</b>"),
    ]
}

fn new_session(clerk: &Browser, title: &str, hours: &str) -> Page {
    clerk.submit("/sessions/new", "/sessions/new", &session(title, hours))
}

fn path(page: &Page) -> String {
    page.path.split('?').next().unwrap().to_owned()
}

#[test]
fn a_session_goes_from_entry_to_registered_credits() {
    let (_county, site, clerk) = school();
    let page = new_session(&clerk, "第３次研课磨课", "１.５");
    page.is(200)
        .has("已保存在本校")
        .has("第3次研课磨课")
        .has("2025-09-12")
        .has("草稿");
    // What was typed is text, never markup.
    page.has("&#60;b&#62;主题").lacks("<b>主题</b>");
    let here = path(&page);

    let page = clerk.submit(&here, &format!("{here}/end"), &[]);
    page.has("先登记出勤再结束");
    // 全部到 without the script: those without a mark are present.
    let page = clerk.submit(&here, &format!("{here}/attendance"), &[("fill", "present")]);
    page.has("考勤已保存在本校：2 人").has("进行中").has("实到 2");
    let teachers = office::roster(&site.node, &site.node.home_school().unwrap()).unwrap();
    let absent = format!("m-{}", teachers[1].id);
    clerk
        .submit(&here, &format!("{here}/attendance"), &[(&absent, "absent")])
        .has("实到 1");

    clerk
        .submit(&here, &format!("{here}/end"), &[])
        .has("可以登分了")
        .has("已结束");
    clerk
        .submit(&here, &format!("{here}/claims"), &[("claimed_on", "下周")])
        .has("还没有保存")
        .has("value=\"下周\"");
    clerk
        .submit(&here, &format!("{here}/claims"), &[("claimed_on", "2025-9-15")])
        .has("已登分 1 人");
    clerk
        .submit(&here, &format!("{here}/claims"), &[("claimed_on", "2025-9-15")])
        .has("已登分 0 人");

    let claims = clerk.get("/claims");
    claims.has("王𬭊").lacks("㙇伟").has("已保存在本校").has("0.15");
    clerk.get("/claims?state=given").has("没有登记");
    let home = clerk.get("/");
    home.has("条未到县").lacks("全部已到县");
    let card = clerk.get(&claims.links("/teachers/")[0]);
    card.has("学分卡")
        .has("第3次研课磨课")
        .has("未达标")
        .has("五年36/54学分")
        .has("实践体验")
        .has("五年一周期360学分（审核登记制）")
        .has("不少于 72.0 学时")
        .has("中小学教师心理健康教育");
    clerk.get("/teachers/none").is(404);
}

#[test]
fn an_error_stands_beside_its_field_and_keeps_what_was_typed() {
    let (_county, site, mut clerk) = school();
    let mut fields = session("王老师 13800000000", "7、2");
    fields[1].1 = "昨天";
    fields[3].1 = "";
    let page = clerk.submit("/sessions/new", "/sessions/new", &fields);
    page.is(200).has("还没有保存").has("aria-invalid=\"true\"");
    page.has("value=\"昨天\"")
        .has("value=\"7、2\"")
        .has("value=\"王老师 13800000000\"");
    page.has("id=\"date-error\"")
        .has("“昨天”不是日期")
        .has("7.2")
        .has("id=\"form-error\"")
        .has("必须填写");
    page.has("<option value=\"practice\" selected>");
    clerk.language = Some("en");
    let page = clerk.submit("/sessions/new", "/sessions/new", &fields);
    page.has("Not saved yet").has("is not a date").lacks("不是日期");
    clerk.language = None;
    // Faults that only the kind's schema sees come back the same way.
    let fields = session("王老师 13800000000", "1.55");
    let page = clerk.submit("/sessions/new", "/sessions/new", &fields);
    page.has("手机号")
        .has("0.1")
        .has("id=\"title-error\"")
        .has("id=\"hours_c-error\"");
    let page = clerk.submit("/roster/new", "/roster/new", &teacher("甲", "YL001"));
    page.has("已有这个教师编号")
        .has("id=\"teacher_code-error\"")
        .has("value=\"甲\"");
    assert!(office::sessions(&site.node, None, 10).unwrap().is_empty());
}

#[test]
fn a_list_of_more_sessions_than_fit_is_turned_over() {
    let (_county, site, clerk) = school();
    let id = site.node.home_school().unwrap();
    for n in 0..102 {
        let input = node::office::SessionInput {
            title: format!("校本研修第{n:03}次"),
            date: format!("2025-{:02}-{:02}", 9 + n / 28, 1 + n % 28),
            form: "school_based".into(),
            category: "practice".into(),
            channel: "school".into(),
            hours_c: 100,
            ..Default::default()
        };
        office::save_session(&site.node, &support::by("李专管员"), &id, None, input).unwrap();
    }
    let page = clerk.get("/sessions");
    page.has("第101次")
        .has("第002次")
        .lacks("第001次")
        .lacks("较近的");
    assert_eq!(page.links("/sessions?"), ["/sessions?from=100"]);
    let page = clerk.get("/sessions?from=100");
    page.has("第001次")
        .has("第000次")
        .lacks("第002次")
        .lacks("更早的");
    assert_eq!(page.links("/sessions?"), ["/sessions?from=0"]);
}

#[test]
fn a_changed_and_a_void_session_are_said_to_be_so() {
    let (_county, _site, clerk) = school();
    let here = path(&new_session(&clerk, "听评课", "2"));
    clerk
        .get(&format!("{here}/edit"))
        .has("value=\"听评课\"")
        .has("value=\"2.0\"");
    clerk
        .submit(
            &format!("{here}/edit"),
            &format!("{here}/edit"),
            &session("听评课 二", "3"),
        )
        .has("听评课 二")
        .has("3.0");
    let mut other_year = session("听评课 二", "3");
    other_year[1].1 = "2026-09-12";
    clerk
        .submit(&format!("{here}/edit"), &format!("{here}/edit"), &other_year)
        .has("不能改到另一学年");
    clerk.get(&format!("{here}/void")).has("作废后它仍然可以查看");
    clerk
        .submit(
            &format!("{here}/void"),
            &format!("{here}/void"),
            &[("reason", "")],
        )
        .has("id=\"reason-error\">请写明理由");
    clerk
        .submit(
            &format!("{here}/void"),
            &format!("{here}/void"),
            &[("reason", "停电没有开")],
        )
        .has("已作废")
        .has("停电没有开")
        .lacks("保存考勤");
}

#[test]
fn a_table_is_previewed_imported_once_and_changes_nothing_again() {
    let county = Site::county(false);
    let site = county.enrol_school("青石镇中心小学");
    let clerk = site.signed_in("李专管员", Role::Clerk);
    clerk.upload("花名册.csv", b"").has("请选择一个文件");
    clerk
        .upload("花名册.xlsx", b"PK\x03\x04 not a workbook")
        .is(200)
        .has("aria-invalid=\"true\"");
    let page = clerk.upload("花名册.csv", ROSTER.as_bytes());
    page.is(200)
        .has("导入预览")
        .has("新增 2")
        .has("花名册!E4")
        .has("王𬭊")
        .has("明年");
    let token = page.value("token");
    let csrf = page.value("csrf");
    let confirm = || clerk.post("/import/confirm", &[("csrf", &csrf), ("token", &token)]);
    confirm().is(200).has("已导入 2 行").has("㙇伟").has("数学");
    confirm().has("没有再次导入");
    assert_eq!(
        office::roster(&site.node, &site.node.home_school().unwrap())
            .unwrap()
            .len(),
        2
    );
    let again = clerk.upload("花名册.csv", ROSTER.as_bytes());
    again.has("没有要保存的内容").lacks("确认导入");
    // Somebody else's preview is not theirs to confirm.
    let changed = ROSTER.replace("语文", "英语");
    let page = clerk.upload("花名册.csv", changed.as_bytes());
    let token = page.value("token");
    let other = site.signed_in("赵专管员", Role::Clerk);
    other
        .submit("/import", "/import/confirm", &[("token", &token)])
        .has("没有再次导入");
    clerk
        .post("/import/confirm", &[("csrf", &csrf), ("token", &token)])
        .has("已导入 1 行")
        .has("英语");
}

#[test]
fn tables_go_out_and_the_log_knows() {
    let (_county, _site, clerk) = school();
    let here = path(&new_session(&clerk, "第３次研课磨课", "1.5"));
    clerk.submit(&here, &format!("{here}/attendance"), &[("fill", "present")]);
    clerk.submit(&here, &format!("{here}/end"), &[]);
    clerk.submit(&here, &format!("{here}/claims"), &[("claimed_on", "2025-9-15")]);
    let roster = clerk.get("/export/roster.csv?made_on=2026-3-5");
    roster.is(200).has("王𬭊").has("2026-03-05");
    assert!(
        roster
            .header("content-disposition")
            .contains("filename*=UTF-8''%E9%9D%92"),
        "{:?}",
        roster.headers
    );
    clerk
        .get("/export/claims.csv?made_on=2026-3-5")
        .has("第3次研课磨课")
        .has("YL001");
    clerk
        .get("/export/summary.csv?made_on=2026-3-5")
        .has("青石镇中心小学");
    for what in ["roster", "claims", "summary"] {
        let book = clerk.get(&format!("/export/{what}.xlsx?made_on=2026-3-5"));
        assert!(book.body.starts_with("PK"), "{what}");
        assert!(book.header("content-type").contains("spreadsheetml"), "{what}");
    }
    clerk.get("/export/roster.csv?made_on=?").has("aria-invalid");
    clerk.get("/export/roster.exe?made_on=2026-3-5").is(404);
    clerk.get("/export/secrets.csv?made_on=2026-3-5").is(404);
    clerk.get("/accounts").has("导出").has("claims.csv");
}

#[test]
fn each_role_sees_its_own_pages_only() {
    let (_county, site, clerk) = school();
    for path in [
        "/schools",
        "/schools/x",
        "/audit",
        "/audit/x",
        "/devices",
        "/devices/x/revoke",
    ] {
        clerk.get(path).is(403).has("没有权限");
    }
    for path in ["/audit", "/devices"] {
        clerk
            .submit("/", path, &[("claim", "x:y"), ("decided_on", "2026-1-1")])
            .is(403);
    }
    clerk.get("/").lacks("href=\"/audit\"").has("href=\"/claims\"");

    let leader = site.signed_in("周校长", Role::Leader);
    leader.get("/roster").is(200).has("王𬭊").lacks("/roster/new");
    for path in ["/roster/new", "/sessions/new", "/import", "/accounts", "/sync"] {
        leader.get(path).is(403);
    }
    leader
        .submit("/", "/sessions/new", &session("听评课", "2"))
        .is(403);

    let admin = site.signed_in("系统管理员", Role::Admin);
    admin.get("/accounts").is(200).lacks("王𬭊");
    admin.get("/sync").is(200);
    for path in ["/roster", "/sessions", "/claims", "/export", "/import"] {
        admin.get(path).is(403);
    }
    // Who sees no records cannot make an account that does, nor take one over.
    let account = |name, role| [("name", name), ("role", role), ("secret", PIN)];
    admin
        .submit("/accounts", "/accounts", &account("冒名", "clerk"))
        .has("请看得到记录的人来建");
    let clerk_id = node::accounts::list(&site.node)
        .unwrap()
        .into_iter()
        .find(|a| a.role == Role::Clerk)
        .unwrap()
        .id;
    admin
        .submit(
            "/accounts",
            &format!("/accounts/{clerk_id}/reset"),
            &[("new", "99999999")],
        )
        .is(403);
    clerk
        .submit("/accounts", &format!("/accounts/{clerk_id}/deactivate"), &[])
        .is(403);
    assert_eq!(clerk.get("/roster").status, 200);

    // A teacher sees the own card and nobody else's.
    let teachers = office::roster(&site.node, &site.node.home_school().unwrap()).unwrap();
    let own = &teachers[0].id;
    let fields = [
        ("name", "王老师"),
        ("role", "teacher"),
        ("secret", PIN),
        ("person", own),
    ];
    clerk.submit("/accounts", "/accounts", &fields).has("王老师");
    let teacher = site.browser();
    teacher
        .submit("/login", "/login", &[("name", "王老师"), ("secret", PIN)])
        .has("学分卡");
    teacher.get(&format!("/teachers/{own}")).is(200).has("王𬭊");
    teacher.get(&format!("/teachers/{}", teachers[1].id)).is(403);
    teacher.get("/roster").is(403);
    // Stopped at once.
    let id = node::accounts::list(&site.node)
        .unwrap()
        .into_iter()
        .find(|a| a.name == "王老师")
        .unwrap()
        .id;
    clerk
        .submit("/accounts", &format!("/accounts/{id}/deactivate"), &[])
        .has("已停用");
    assert!(teacher.get("/").path.starts_with("/login"));
}
