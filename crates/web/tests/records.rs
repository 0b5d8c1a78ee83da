//! Records of any kind on their pages, as a clerk, a leader and the county use them; the pages need no script.
#![allow(clippy::unwrap_used)]

mod support;

use node::accounts::Role;
use node::office;
use support::*;

const SCHOOL: &str = "青石镇中心小学";

#[test]
fn a_lesson_is_heard_debriefed_and_signed_and_an_edit_voids_the_signatures() {
    let county = Site::county(false);
    let school = county.enrol_school(SCHOOL);
    let (taught, heard) = (
        teacher(&school, "欧阳㙇", "T001"),
        teacher(&school, "王𬭊", "T002"),
    );
    let clerk = school.signed_in("李专管员", Role::Clerk);
    clerk
        .get("/records")
        .has("听评课记录")
        .has("外出培训")
        .has("校本研修备案/核准表");

    // What is wrong stands beside its field, and nothing typed is lost.
    let page = clerk.submit(
        "/records/lesson/new",
        "/records/lesson/new",
        &[
            ("teacher", &taught),
            ("date", "昨天"),
            ("subject", "　数　学　"),
            ("topic", "分数的意义"),
            ("period", "第３节"),
            ("lesson_kind", ""),
        ],
    );
    page.is(200)
        .has("id=\"date-error\">日期：“昨天”不是日期")
        .has("id=\"lesson_kind-error\">必须填写")
        .has("value=\"昨天\"")
        .has("value=\"分数的意义\"")
        .has("value=\"第３节\"")
        .has(&format!("value=\"{taught}\" selected"));
    let lesson = saved(&clerk.submit(
        "/records/lesson/new",
        "/records/lesson/new",
        &[
            ("teacher", &taught),
            ("date", "2025年10月16日"),
            ("subject", "数学"),
            ("topic", "分数的意义"),
            ("lesson_kind", "open"),
        ],
    ));
    clerk.get(&lesson).has("公开课").has("欧阳㙇").has("2025-10-16");

    let id = lesson.rsplit('/').next().unwrap();
    let new = format!("/records/observation/new?about={id}");
    clerk
        .get(&new)
        .has("分数的意义")
        .has(&format!("name=\"lesson\" value=\"{id}\""));
    let observation = saved(&clerk.submit(
        &new,
        "/records/observation/new",
        &[
            ("lesson", id),
            ("observer", &heard),
            ("observer_role", "peer"),
            ("date", "2025-10-16"),
            ("process", "0′｜复习｜口算\r\n5′｜引入｜折纸"),
            ("strengths", "板书清楚"),
            ("points", "８６"),
        ],
    ));
    // 听课之后必评课: who, when and where are asked before it counts as debriefed.
    let step = format!("{observation}/step");
    clerk
        .get(&observation)
        .has("还没有填“评课人”")
        .has("还没有填“评课地点”");
    clerk
        .submit(&observation, &step, &[("to", "debriefed")])
        .has("还没有填“评课时间”");
    let edit = format!("{observation}/edit");
    clerk.get(&edit).has("5′｜引入｜折纸").has("value=\"86\"");
    let whole = [
        ("lesson", id),
        ("observer", heard.as_str()),
        ("observer_role", "peer"),
        ("date", "2025-10-16"),
        ("process", "0′｜复习｜口算\r\n5′｜引入｜折纸"),
        ("strengths", "板书清楚"),
        ("points", "86"),
        ("debrief_by", "王𬭊"),
        ("debrief_on", "2025-10-16"),
        ("debrief_place", "录播教室"),
    ];
    saved(&clerk.submit(&edit, &edit, &whole));
    saved(&clerk.submit(&observation, &step, &[("to", "debriefed")]));

    // Both sign, on a page of its own; nobody signs under another's account or through the form of any kind.
    let about = observation.rsplit('/').next().unwrap();
    clerk
        .get(&format!("/records/signature/new?about={about}"))
        .is(403);
    let sign = format!("/sign/{about}");
    clerk.get(&observation).has(&format!("href=\"{sign}\""));
    let signature = |person: &str, role: &str, hand: &str| {
        let on = format!("on-{role}");
        let fields = [
            ("role", role),
            ("person", person),
            ("hand", hand),
            (&on, "2025年10月16日"),
        ];
        clerk.submit(&sign, &sign, &fields)
    };
    signature(&taught, "teacher", "own").has("id=\"on-teacher-error\">这个账号没有对应本校花名册上的人");
    signature(&heard, "teacher", "paper").has("要由欧阳㙇本人签");
    signature(&taught, "teacher", "paper").has("已签字");
    clerk.get(&observation).has("还没有：听课人签字");
    signature(&heard, "observer", "paper").has("已签字");
    clerk
        .get(&observation)
        .has("对现在的内容有效")
        .lacks("内容已改，失效");
    clerk.get(&observation).has("双方已签").lacks("待重签");
    clerk.get("/records/observation").has("双方已签").lacks("待重签");

    // A word changed afterwards: the signatures are void, visibly, and the history says what stood there.
    let mut changed = whole;
    changed[5].1 = "板书清楚，提问偏少";
    saved(&clerk.submit(&edit, &edit, &changed));
    clerk.get("/records/observation").has("待重签");
    clerk
        .get(&observation)
        .has("已变更（待重签）")
        .has("内容已改，失效")
        .lacks("对现在的内容有效")
        .has("<del>板书清楚</del>")
        .has("<ins>板书清楚，提问偏少</ins>")
        .has("李专管员");
    clerk
        .get(&sign)
        .has("已失效的签字")
        .has("<del>板书清楚</del>")
        .has("板书清楚，提问偏少");
}

#[test]
fn a_trip_needs_the_leader_its_reason_and_its_report_back() {
    let county = Site::county(false);
    let school = county.enrol_school(SCHOOL);
    let person = teacher(&school, "欧阳㙇", "T001");
    let clerk = school.signed_in("李专管员", Role::Clerk);
    let leader = school.signed_in("周校长", Role::Leader);
    let trip = saved(&clerk.submit(
        "/records/trip/new",
        "/records/trip/new",
        &[
            ("person", &person),
            ("project", "省骨干教师跟岗学习"),
            ("place", "省城"),
            ("from", "2025-10-08"),
            ("to", "2025-10-12"),
            ("cover", "王𬭊代第3节"),
            ("record_given", "1"),
        ],
    ));
    let step = format!("{trip}/step");
    clerk.get(&trip).has("由校长、分管领导来做");
    clerk
        .submit(&trip, &step, &[("to", "dispatched")])
        .has("由校长、分管领导来做");
    saved(&leader.submit(&trip, &step, &[("to", "dispatched")]));
    leader.get(&format!("{trip}/edit")).is(403);
    // What has rules of its own is written by no general form.
    for kind in [
        "claim",
        "attendance",
        "evidence",
        "person",
        "decision",
        "signature",
    ] {
        clerk.get(&format!("/records/{kind}/new")).is(403);
    }
    saved(&clerk.submit(&trip, &step, &[("to", "returned")]));
    clerk.get(&trip).has("还没有填“汇报交流（二级培训）活动”");
    // Withdrawing is no step any more; one that needs a reason asks for it and keeps what was typed elsewhere.
    clerk
        .submit(&trip, &step, &[("to", "void"), ("reason", "")])
        .has("现在是“返校”");
    clerk
        .get("/records/trip?state=returned")
        .has("省骨干教师跟岗学习");
    clerk.get("/records/trip?state=paid").lacks("省骨干教师跟岗学习");
    clerk.get("/records/trip?q=欧阳㙇").has("省骨干教师跟岗学习");
}

#[test]
fn a_filing_package_goes_to_the_county_and_its_word_comes_back() {
    let county = Site::county(true);
    let school = county.enrol_school(SCHOOL);
    let clerk = school.signed_in("李专管员", Role::Clerk);
    let auditor = county.signed_in("王审核员", Role::Auditor);
    let fields = [
        ("title", "第１期 㙇老师：读懂学生的错误"),
        ("gate", "file"),
        ("category", "practice"),
        ("forms", "school_based"),
        ("forms", "task_driven"),
        ("begins_on", "2025-9-10"),
        ("ends_on", "2025-12-10"),
        ("hours_c", "１２"),
        ("content", "听课、议课、评课"),
        ("participants", "全体数学教师"),
        ("responsible", "教导处"),
        ("principal_agrees", "1"),
    ];
    let package = saved(&clerk.submit(
        "/records/filing_package/new",
        "/records/filing_package/new",
        &fields,
    ));
    clerk
        .get(&package)
        .has("任务驱动、校本研修")
        .has("还没有填“考评办法”");
    let (edit, step) = (format!("{package}/edit"), format!("{package}/step"));
    clerk
        .get(&edit)
        .has("value=\"task_driven\" checked")
        .lacks("value=\"online\" checked");
    let mut all = fields.to_vec();
    all.push(("assessment", "每人一份反思"));
    saved(&clerk.submit(&edit, &edit, &all));
    saved(&clerk.submit(&package, &step, &[("to", "submitted_for_filing")]));

    // At the county: returned only with a reason, then filed.
    let id = package.rsplit('/').next().unwrap();
    until(&auditor, "/records/filing_package", "读懂学生的错误");
    let word = format!("/records/filing_decision/new?about={id}");
    let begin = format!("href=\"/records/filing_decision/new?about={id}&amp;set=verdict&amp;to=filed\"");
    until(&auditor, &package, &begin);
    auditor
        .get(&format!("{word}&set=verdict&to=filed"))
        .has("value=\"filed\" selected");
    let say = |verdict: &str, reason: &str| {
        let fields = [
            ("about", id),
            ("verdict", verdict),
            ("reason", reason),
            ("filing_no", "备2025-017"),
            ("decided_on", "2025-09-12"),
        ];
        auditor.submit(&word, "/records/filing_decision/new", &fields)
    };
    say("approved", "").has("现在是“提交备案”，不能这样办");
    say("returned", "")
        .has("id=\"reason-error\">请写明理由")
        .has("value=\"备2025-017\"");
    saved(&say("returned", "请附讲稿"));
    until(&clerk, &package, "请附讲稿").has(">退回<").has("王审核员");
    saved(&clerk.submit(&package, &step, &[("to", "submitted_for_filing")]));
    until(&auditor, &package, "第几次提交</dt><dd class=\"prose\">2<");
    saved(&say("filed", ""));
    until(&clerk, &package, ">已备案<").has("备2025-017");
    // 审后改动: more hours than were filed are not filed.
    all[7].1 = "24";
    saved(&clerk.submit(&edit, &edit, &all));
    clerk
        .get(&package)
        .has("审后改动")
        .has("内容已改，失效")
        .has("<del>12.0</del>");
}

#[test]
fn the_county_publishes_a_form_and_the_school_has_it_without_a_new_program() {
    let county = Site::county(true);
    let school = county.enrol_school(SCHOOL);
    let officer = county.signed_in("王审核员", Role::Auditor);
    let clerk = school.signed_in("李专管员", Role::Clerk);
    clerk.get("/publishing").is(403);
    let text = "id = \"c_visit\"\r\nversion = 1\r\nzh = \"家访记录\"\r\nen = \"Home visit\"\r\ndocument = \"log\"\r\n\
                writers = [\"school\"]\r\n[view]\r\ndate = \"date\"\r\n\
                [[field]]\r\nid = \"date\"\r\nzh = \"日期\"\r\nen = \"Date\"\r\ntype = \"date\"\r\nrequired = true\r\n\
                [[field]]\r\nid = \"topic\"\r\nzh = \"内容\"\r\nen = \"Topic\"\r\ntype = \"text\"\r\nmax_len = 80\r\n";
    let send = |text: &str, sure: &str| {
        officer.submit(
            "/publishing",
            "/publishing",
            &[
                ("text", text),
                ("published_on", "2025-10-01"),
                ("note", "试用"),
                ("sure", sure),
            ],
        )
    };
    send(&text.replace("max_len = 80", "max_length = 80"), "")
        .has("第 20 行第 1 列：没有“max_length”这一项；可以写的是 id, zh")
        .has("max_length = 80")
        .has("value=\"试用\"");
    send(&text.replace("c_visit", "home_visit"), "1").has("id 以 c_ 开头");
    send(text, "")
        .has("检查通过")
        .has("家访记录")
        .has("name=\"sure\"");
    send(text, "1").has("已发布。").has("c_visit/1").has("生效");
    send(&text.replace("家访", "走访"), "1").has("内容不能再改");
    until(&clerk, "/records", "家访记录").has("县里发布");
    let visit = saved(&clerk.submit(
        "/records/c_visit/new",
        "/records/c_visit/new",
        &[("date", "2025-10-20"), ("topic", "㙇同学家长谈作业")],
    ));
    until(&officer, "/records/c_visit", "㙇同学家长谈作业");
    clerk.get(&visit).has("家访记录");
    // The file of a form of the program as a beginning.
    officer.get("/publishing/lesson--1").has("id = &#34;lesson&#34;");
}

#[test]
fn a_weekly_plan_enters_its_sessions_once_and_tells_what_was_held() {
    let county = Site::county(false);
    let school = county.enrol_school(SCHOOL);
    let person = teacher(&school, "欧阳㙇", "T001");
    let clerk = school.signed_in("李专管员", Role::Clerk);
    let series = saved(&clerk.submit(
        "/records/series/new",
        "/records/series/new",
        &[
            ("title", "周三政治学习"),
            ("series_kind", "weekly_plan"),
            ("from", "2025-09-01"),
            ("to", "2025-9-30"),
            ("every", "week"),
            ("weekday", "wed"),
            ("form", "school_based"),
            ("category", "ethics_literacy"),
            ("hours_c", "１"),
        ],
    ));
    let id = series.rsplit('/').next().unwrap();
    let action = format!("/series/{id}/sessions");
    clerk.get(&series).has("计划中还没登记 4");
    clerk
        .submit(&series, &action, &[])
        .has("已登记 4 次活动")
        .has("周三政治学习（第1次）");
    // Twice is once.
    clerk
        .submit("/records/series/new", &action, &[])
        .has("已登记 0 次活动");
    let first = clerk.get(&series).links("/sessions/");
    let first = first.iter().find(|link| link.len() > 20).unwrap();
    clerk.get(first).has("2025-09-03");
    let session = first.rsplit('/').next().unwrap();
    office::mark_attendance(
        &school.node,
        &by("李专管员"),
        session,
        &[(person, "present".into())],
    )
    .unwrap();
    clerk.get(&series).has("已登记 4 · 已开 1 · 计划中还没登记 0");
    // The session's own page and this one show the same record; a part of it belongs here.
    let part = format!("/records/session_part/new?about={session}");
    saved(&clerk.submit(
        &part,
        "/records/session_part/new",
        &[
            ("session", session),
            ("position", "1"),
            ("part", "theory"),
            ("minutes", "30"),
            ("topic", "半小时理论"),
        ],
    ));
    clerk
        .get(&format!("/records/session/{session}"))
        .has("理论学习")
        .has("30")
        .has("进行中");
}

#[test]
fn a_teacher_moves_by_three_hands_that_never_meet() {
    let county = Site::county(true);
    let (old, new) = (county.enrol_school(SCHOOL), county.enrol_school("云岭县第一小学"));
    let person = teacher(&old, "欧阳㙇", "T001");
    let there = teacher(&new, "欧阳㙇", "T001");
    let auditor = county.signed_in("王审核员", Role::Auditor);
    let (leaving, coming) = (
        old.signed_in("李专管员", Role::Clerk),
        new.signed_in("赵专管员", Role::Clerk),
    );
    let person_page = format!("/records/person/{person}");
    let order = format!("/records/transfer_order/new?about={person}");
    // The other school's record of the same name says nothing of this one.
    until(&auditor, &person_page, &order);
    let (from, to) = (county.school_id(SCHOOL), county.school_id("云岭县第一小学"));
    let write = |to: &str| {
        let fields = [
            ("person", person.as_str()),
            ("order_no", "云教人〔2025〕17号"),
            ("person_label", "T001"),
            ("from", &from),
            ("to", to),
            ("reason", "transfer"),
            ("effective", "2025-11-01"),
            ("ordered_on", "2025-10-20"),
        ];
        auditor.submit(&order, "/records/transfer_order/new", &fields)
    };
    write(&from).has("id=\"to-error\">调入学校与现在的学校相同");
    auditor
        .submit(
            &order,
            "/records/transfer_order/new",
            &[
                ("person", &person),
                ("order_no", "1"),
                ("from", &to),
                ("to", &from),
                ("reason", "loan"),
                ("effective", "2025-11-01"),
                ("ordered_on", "2025-10-20"),
            ],
        )
        .has("id=\"from-error\">调出学校应是这位教师现在的学校");
    let ordered = saved(&write(&to));
    write(&to).has("id=\"order_no-error\">这个文号已经用过");
    let step = format!("{ordered}/step");
    auditor
        .submit(&ordered, &step, &[("to", "effective")])
        .has("现在是“已下令”，不能改为“生效”");

    let answer = |who: &Browser, kind: &str, word: &str| {
        until(who, "/records/transfer_order", "云教人〔2025〕17号");
        let links = who
            .get("/records/transfer_order")
            .links("/records/transfer_order/");
        let id = links[0].rsplit('/').next().unwrap().to_owned();
        let form = format!("/records/{kind}/new?about={id}");
        let action = format!("/records/{kind}/new");
        saved(&who.submit(
            &form,
            &action,
            &[
                ("about", &id),
                ("answer", word),
                ("person", &there),
                ("date", "2025-10-28"),
            ],
        ));
        who.get(&links[0]).has("云教人〔2025〕17号").body.clone()
    };
    assert!(answer(&leaving, "transfer_release", "released").contains(">已放行<"));
    until(&auditor, &ordered, ">已放行<");
    // Released, and not yet accepted: nothing takes effect.
    auditor
        .submit(&ordered, &step, &[("to", "effective")])
        .has("不能改为“生效”");
    assert!(answer(&coming, "transfer_accept", "accepted").contains(">已接收<"));
    until(&auditor, "/records/transfer_order", "badge open\">已接收<");
    saved(&auditor.submit(&ordered, &step, &[("to", "effective")]));
    for who in [&leaving, &coming] {
        until(who, "/records/transfer_order", "badge recognised\">生效<");
    }
    leaving.get("/roster").has("2025-11-01 调往 云岭县第一小学");
    coming
        .get("/roster")
        .has(&format!("2025-11-01 调入，原在 {SCHOOL}"));
}
