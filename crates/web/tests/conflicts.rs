//! The page 待核: a clerk sees both values with their authors and the evidence, and settles with one button; nobody
//! else does. The pages need no script.
#![allow(clippy::unwrap_used)]

mod support;

use node::accounts::Role;
use node::office::{self, SessionInput};
use node::{Edit, Value};
use support::*;

const SCHOOL: &str = "青石镇中心小学";

fn session(site: &Site, account: &str, title: &str) -> String {
    let school = site.node.home_school().unwrap();
    let input = SessionInput {
        title: title.into(),
        date: "2025-10-16".into(),
        form: "school_based".into(),
        category: "practice".into(),
        channel: "school".into(),
        hours_c: 400,
        ..SessionInput::default()
    };
    office::save_session(&site.node, &by(account), &school, None, input).unwrap()
}

fn mark(site: &Site, account: &str, session: &str, person: &str, status: &str) {
    let marks = [(person.to_owned(), status.to_owned())];
    office::mark_attendance(&site.node, &by(account), session, &marks).unwrap();
}

/// A county and two computers of one school that marked 欧阳㙇 differently while they were apart; her and the session.
fn two_marks() -> (Site, Site, Site, String, String) {
    let county = Site::county(true);
    let mut one = county.enrol_school(SCHOOL);
    let mut two = county.enrol_school(SCHOOL);
    let person = teacher(&one, "欧阳㙇", "T001");
    let session = session(&one, "李专管员", "听评课：分数的意义");
    let reader = two.signed_in("赵组长", Role::Clerk);
    until(&reader, "/sessions", "听评课：分数的意义");
    until(&reader, "/roster", "欧阳㙇");
    one.disconnect();
    two.disconnect();
    mark(&one, "李专管员", &session, &person, "present");
    let record = one.node.record(&session).unwrap().unwrap();
    let fields = [
        ("_kind", "evidence/1".to_owned()),
        ("evidence_kind", "sign_in_sheet".into()),
        ("about", session.clone()),
        ("hash", "5d".repeat(32)),
        ("caption", "签到表第１页".into()),
    ];
    let edit = Edit {
        id: one.node.new_id(),
        fields: fields
            .map(|(name, value)| (name.into(), Some(Value::from(value))))
            .into(),
    };
    one.node.commit(&record.doc, vec![edit]).unwrap();
    mark(&two, "赵组长", &session, &person, "absent");
    one.connect(&county);
    two.connect(&county);
    (county, one, two, person, session)
}

#[test]
fn a_clerk_sees_both_marks_and_settles_with_one_button() {
    let (county, one, two, _person, session) = two_marks();
    let clerk = one.signed_in("李专管员", Role::Clerk);
    // It stands where the day's work stands.
    let overview = until(&clerk, "/", "待核 1 处");
    assert_eq!(overview.links("/conflicts"), ["/conflicts"]);
    clerk.get(&format!("/sessions/{session}")).has("待核");
    let page = until(&clerk, "/conflicts", "赵组长");
    page.has("欧阳㙇 · 听评课：分数的意义")
        .has("李专管员")
        .has("签到表第１页")
        .has("5d5d5d5d5d5d")
        .has("学校纸上签的为准")
        .has("name=\"choice\" value=\"present\"")
        .has("name=\"choice\" value=\"absent\"");
    let name = page.value("conflict");

    // A form without a choice, or with one that is none, settles nothing and keeps what was typed.
    for choice in ["?", "late", ""] {
        clerk
            .submit(
                "/conflicts",
                "/conflicts",
                &[
                    ("conflict", &name),
                    ("choice", choice),
                    ("reason", "　签到表上有签名　"),
                ],
            )
            .is(200)
            .has("请选定一个")
            .has("value=\"签到表上有签名\"");
    }
    let long = "长".repeat(201);
    clerk
        .submit(
            "/conflicts",
            "/conflicts",
            &[("conflict", &name), ("choice", "present"), ("reason", &long)],
        )
        .is(200)
        .has("最多 200 字")
        .has("aria-invalid=\"true\"")
        .has(&format!("value=\"{long}\""));
    // The county sees it, and does not say who was at the school.
    let auditor = county.signed_in("王审核员", Role::Auditor);
    until(&auditor, "/conflicts", "欧阳㙇")
        .has(SCHOOL)
        .has("由学校选定。")
        .lacks("value=\"absent\"");
    until(&auditor, "/", "待核 1 处");
    auditor
        .submit(
            "/conflicts",
            "/conflicts",
            &[("conflict", &name), ("choice", "absent")],
        )
        .has("这一处不在本机选定");

    let done = clerk.submit(
        "/conflicts",
        "/conflicts",
        &[
            ("conflict", &name),
            ("choice", "present"),
            ("reason", "签到表上有签名"),
        ],
    );
    done.is(200).has("已选定并保存在本机").has("没有待核的记录");
    clerk.get("/").lacks("待核 1 处");
    // Gone on the other computer and at the county too; what was decided can be read.
    until(&auditor, "/conflicts", "没有待核的记录");
    let other = two.browser();
    other.submit("/login", "/login", &[("name", "赵组长"), ("secret", PIN)]);
    until(&other, "/conflicts", "没有待核的记录");
    until(&other, "/records/settlement", "选定：到；不取：缺席");
    // A page that was left open settles nothing twice.
    other
        .submit(
            "/records/settlement",
            "/conflicts",
            &[("conflict", &name), ("choice", "absent")],
        )
        .has("已经选定过");
}

#[test]
fn a_teacher_and_a_leader_settle_nothing() {
    let (_county, one, _two, _person, _session) = two_marks();
    let clerk = one.signed_in("李专管员", Role::Clerk);
    let name = until(&clerk, "/conflicts", "赵组长").value("conflict");
    let fields = [("conflict", name.as_str()), ("choice", "absent")];
    let teacher = one.signed_in("欧阳㙇", Role::Teacher);
    teacher.get("/conflicts").is(403);
    teacher.submit("/password", "/conflicts", &fields).is(403);
    let leader = one.signed_in("孙校长", Role::Leader);
    leader
        .get("/conflicts")
        .has("欧阳㙇")
        .lacks("name=\"choice\" value=\"absent\"");
    leader.submit("/conflicts", "/conflicts", &fields).is(403);
    assert_eq!(office::open_conflicts(&one.node).unwrap().len(), 1);
}
