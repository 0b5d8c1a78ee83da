//! A mentor's visit on its pages: the county plans it, the mentor writes and both sides sign on the laptop, the school
//! reads it after the next contact. No script is needed for any of it.
#![allow(clippy::unwrap_used)]

mod support;

use node::accounts::Role;
use support::*;

const SCHOOL: &str = "青石镇中心小学";
const OTHER: &str = "云岭县第一小学";

/// Fills in the general form of a kind about a visit; where that leads to.
fn part(browser: &Browser, kind: &str, visit: &str, fields: &[(&str, &str)]) -> Page {
    let new = format!("/records/{kind}/new?about={visit}");
    let mut all = vec![("visit", visit), ("_fixed", "1")];
    all.extend_from_slice(fields);
    browser.submit(&new, &format!("/records/{kind}/new"), &all)
}

fn id(path: &str) -> &str {
    path.rsplit('/').next().unwrap()
}

#[test]
fn a_visit_from_the_plan_to_the_schools_screen() {
    let county = Site::county(true);
    let school = county.enrol_school(SCHOOL);
    let principal = teacher(&school, "欧阳㙇", "T001");
    let taught = teacher(&school, "王 𬭊", "T002");
    let auditor = county.signed_in("王审核员", Role::Auditor);
    let clerk = school.signed_in("李专管员", Role::Clerk);
    let laptop = county.enrol_mentor("zj01", &[SCHOOL]);
    let mentor = laptop.signed_in("周老师", Role::Clerk);

    // The county plans.
    auditor
        .get("/visits")
        .has("安排送教任务")
        .has("县里还没有安排送教任务");
    let host = county.school_id(SCHOOL);
    let fields = [
        ("mentor", "zj01"),
        ("school", &host),
        ("visit_kind", "school_training"),
        ("from", "2025-10-12"),
        ("to", "2025-10-17"),
        ("purpose", "四年级数学送培"),
    ];
    let new = "/records/visit_plan/new";
    saved(&auditor.submit(new, new, &fields));

    // The mentor finds it among the own, with what of the school is here, and begins.
    let page = until(&mentor, "/visits", "四年级数学送培");
    page.has("我的任务").has("已安排").has("送培到校").has("开始登记");
    until(&mentor, "/visits", "花名册已带").has("活动记录还没有");
    let begin = &page.links("/visits/new?plan=")[0];
    let plan = begin.rsplit('=').next().unwrap();
    let form = mentor.get(begin);
    form.has("value=\"四年级数学送培\"").has("value=\"2025-10-12\"");
    form.has(&format!("value=\"{host}\" selected"));
    // Only schools that the county has given to this laptop.
    form.lacks(OTHER);
    let fields = [
        ("host", host.as_str()),
        ("plan", plan),
        ("visit_kind", "school_training"),
        ("theme", "四年级数学送培"),
        ("from", "2025-10-12"),
        ("to", "2025-10-17"),
        ("summary", ""),
        ("leader_came", "２０２５年１０月１３日"),
    ];
    mentor
        .submit(begin, "/visits/new", &fields)
        .is(200)
        .has("id=\"summary-error\">必须填写");
    let mut whole = fields.to_vec();
    whole[6].1 = "听诊四节，磨课三天";
    let visit = saved(&mentor.submit(begin, "/visits/new", &whole));
    assert!(visit.starts_with("/visits/"), "{visit}");
    let visit_id = id(&visit);
    mentor
        .get(&visit)
        .has("组长 2025-10-13（星期一）到校，送培从 2025-10-12 开始")
        .has("不符合")
        .has("还没有填送教团队");

    // Team, days, a lesson heard and a task, each on the visit's own page afterwards.
    for (name, origin) in [("周老师", "local"), ("吴𬭊", "external")] {
        let fields = [
            ("name", name),
            ("unit", "县教师进修学校"),
            ("origin", origin),
            ("role", "expert"),
            ("days", "d1"),
            ("days", "d6"),
        ];
        part(&mentor, "visit_member", visit_id, &fields).is(200).has(name);
    }
    mentor
        .get(&visit)
        .has("本地 1 人，共 2 人，占 50%")
        .has("第1天、第6天");
    let day = format!("/records/visit_day/new?about={visit_id}");
    // The roster of the visited school is offered, and the team.
    mentor.get(&day).has("王 𬭊").has("吴𬭊");
    let lesson = |date: &str, segment: &str, teacher: &str| {
        let fields = [
            ("date", date),
            ("segment", segment),
            ("teacher", teacher),
            ("topic", "分数的意义"),
        ];
        part(&mentor, "visit_day", visit_id, &fields)
    };
    lesson("2025-10-13", "diagnosis", &taught).has("听诊");
    for teacher in [&taught, &principal] {
        lesson("2025-10-17", "feedback", teacher).is(200);
    }
    mentor.get(&visit).has("2 节").has("2025-10-17（星期五）");
    let fields = [
        ("teacher", taught.as_str()),
        ("date", "2025-10-13"),
        ("subject", "数学"),
        ("topic", "分数的意义"),
        ("advice", "给每组一份学具"),
    ];
    part(&mentor, "visit_observation", visit_id, &fields).has("给每组一份学具");
    let fields = [("task", "每组一份学具"), ("who", "教务处"), ("due", "2025-11-10")];
    part(&mentor, "visit_task", visit_id, &fields).has("未完成");

    // Both sign on the laptop. The school's signer types the own name.
    let sign = format!("{visit}/sign");
    let fields = [
        ("role", "mentor"),
        ("on-mentor", "2025-10-17"),
        ("as-mentor", "leader"),
    ];
    mentor
        .submit(&visit, &sign, &fields)
        .has("已签字，保存在这台笔记本");
    let hand = |name: &str, person: &str| {
        let fields = [
            ("role", "school"),
            ("on-school", "2025-10-17"),
            ("as-school", "principal"),
            ("person-school", person),
            ("name-school", name),
        ];
        mentor.submit(&visit, &sign, &fields)
    };
    hand("王𬭊", &principal).has("与所选签字人的姓名不一致");
    hand("欧阳㙇", "").has("请选择签字人");
    // A blank in a name is nothing.
    let page = hand(" 欧阳 㙇 ", &principal);
    page.has("双方已签")
        .has("欧阳㙇 · 校长 · 2025-10-17")
        .lacks("未签");

    // The school and the county read it; nobody there edits it.
    let seen = until(&clerk, "/visits", "双方已签");
    seen.has("四年级数学送培").lacks("/visits/new");
    until(&clerk, &visit, "给每组一份学具")
        .has("欧阳㙇 · 校长 · 2025-10-17")
        .has("听诊四节，磨课三天")
        .has("在专家的笔记本上登记和签字")
        .lacks("登记团队成员")
        .lacks("/edit\"");
    until(&auditor, "/visits", "双方已签");
    // Nor does anybody but the mentor take a step of it.
    let sheet = format!("/records/visit/{visit_id}");
    mentor.get(&sheet).has(&format!("{sheet}/step"));
    clerk.get(&sheet).is(200).lacks(&format!("{sheet}/step"));
    for (browser, status) in [(&clerk, 403), (&auditor, 403)] {
        let token = browser.get("/visits").body;
        assert!(!token.contains("登记送教送培"));
        assert_eq!(
            browser.get(&format!("/records/visit/{visit_id}/edit")).status,
            status
        );
    }

    // A change afterwards voids both signatures, visibly on both screens.
    lesson("2025-10-14", "trial", &taught).has("已变更（待重签）");
    until(&clerk, &visit, "已变更（待重签）").has("试教");

    // The papers, on each of the three.
    for browser in [&mentor, &clerk, &auditor] {
        browser
            .get(&format!("/print/visit/{visit_id}"))
            .has("送培到校记录单")
            .has("吴𬭊")
            .has("已变更（待重签）：欧阳㙇 于 2025-10-17")
            .has("国培计划中西部项目");
        browser
            .get(&format!("/print/visit-days/{visit_id}"))
            .has("送培到校六天日程表")
            .has("2025-10-17\n星期五")
            .has("第6天")
            .has("反馈课");
    }
}

/// Both screens say the same of the contact between them, whoever of the two wrote what.
#[test]
fn both_screens_show_the_same_of_the_contact() {
    let county = Site::county(true);
    let mut school = county.enrol_school(SCHOOL);
    let clerk = school.signed_in("李专管员", Role::Clerk);
    let mut laptop = county.enrol_mentor("zj01", &[SCHOOL]);
    let mentor = laptop.signed_in("周老师", Role::Clerk);
    // The school's name has come to both; then the county is out of reach.
    until(&mentor, "/visits", SCHOOL);
    until(&clerk, "/visits", SCHOOL);
    laptop.disconnect();
    school.disconnect();
    for n in 1..=6 {
        teacher(&school, &format!("老师{n}𬭊"), &format!("T{n:03}"));
    }
    let host = county.school_id(SCHOOL);
    let fields = [
        ("host", host.as_str()),
        ("visit_kind", "follow_up"),
        ("theme", "回访"),
        ("from", "2025-10-13"),
        ("to", "2025-10-13"),
        ("summary", "听课一节"),
    ];
    let visit = saved(&mentor.submit("/visits/new", "/visits/new", &fields));

    // They meet, at the school's own address; nobody else is there.
    school.listen();
    laptop.connect(&school);
    mentor
        .submit("/visits", "/visits/sync", &[])
        .has("正在联系能找到的设备");
    until(&mentor, "/visits", "花名册已带");
    until(&clerk, "/visits", "回访");
    let line = |browser: &Browser, ways: &str| {
        let page = until(browser, "/visits", ways);
        let begin = page.body.find("上次交换：").unwrap();
        let line = &page.body[begin..];
        let text: String = line.split("</b>").next().unwrap().chars().skip(8).collect();
        // 约 N 秒 is each side's own.
        text.rsplit_once(" · 约").unwrap().0.to_owned()
    };
    let sums = |browser: &Browser| -> (u64, u64) {
        let body = browser.get("/visits").body;
        let at = body.find("收到 ").unwrap();
        let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>();
        let got = digits(&body[at + "收到 ".len()..]).parse().unwrap();
        let at = body.find("送出 ").unwrap();
        (got, digits(&body[at + "送出 ".len()..]).parse().unwrap())
    };
    // One more, while they are connected: both go on counting together.
    teacher(&school, "赵一鸣", "T007");
    until(
        &mentor,
        &format!("/records/visit_day/new?about={}", id(&visit)),
        "赵一鸣",
    );
    let begun = std::time::Instant::now();
    loop {
        let (here, there) = (sums(&mentor), sums(&clerk));
        if here == (there.1, there.0) && line(&mentor, "收到") == line(&clerk, "收到") {
            assert!(here.0 >= 7 && here.1 >= 1, "{here:?}");
            break;
        }
        assert!(begun.elapsed().as_secs() < 30, "{here:?} {there:?}");
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
}

#[test]
fn a_survey_and_a_pair_are_printed() {
    let county = Site::county(false);
    let laptop = county.enrol_mentor("zj01", &[SCHOOL]);
    let host = county.school_id(SCHOOL);
    let mentor = laptop.signed_in("周老师", Role::Clerk);
    let new = "/records/survey/new";
    // The registry has not come: the assigned school cannot be named yet, and a foreign one is refused.
    let fields = [("host", host.as_str()), ("title", "需求"), ("date", "2025-09-12")];
    mentor.submit(new, new, &fields).is(200).has("还没有保存");

    let school = county.enrol_school(SCHOOL);
    let (master, mentee) = (
        teacher(&school, "欧阳㙇", "T001"),
        teacher(&school, "王𬭊", "T002"),
    );
    let clerk = school.signed_in("李专管员", Role::Clerk);
    let new = "/records/pairing/new";
    let fields = [
        ("mentor", master.as_str()),
        ("mentee", &mentee),
        ("pair_kind", "pair_1to3"),
        ("from", "2025-09-01"),
        ("to", "2026-07-10"),
        ("goal", "一年内上好公开课"),
        ("listens_per_month", "4"),
    ];
    let pair = saved(&clerk.submit(new, new, &fields));
    let fields = [
        ("pairing", id(&pair)),
        ("date", "2025-10-09"),
        ("act", "listen_mentee"),
        ("topic", "听课《分数的意义》"),
        ("record", "板书要留出位置"),
    ];
    let new = "/records/pair_act/new";
    saved(&clerk.submit(new, new, &fields));
    clerk.get(&pair).has("打印协议与记录");
    clerk
        .get(&format!("/print/pairing/{}", id(&pair)))
        .has("师徒结对协议与活动记录")
        .has("活动记录（1 次）")
        .has("板书要留出位置")
        .has("4 次")
        .has("一带三");
}
