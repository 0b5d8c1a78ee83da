//! The pages on which the county settles who is who, closes years and issues bulletins (domain.md §3.5).
#![allow(clippy::unwrap_used)]

mod support;

use node::accounts::Role;
use node::office;
use support::*;

fn recognise_all(county: &Site) {
    for claim in office::audit_queue(&county.node, 100).unwrap() {
        let auditor = by("王审核员");
        office::decide(
            &county.node,
            &auditor,
            &claim.id,
            "recognised",
            None,
            "",
            "",
            "2025-12-01",
        )
        .unwrap();
    }
}

#[test]
fn the_county_decides_who_is_one_person_and_closes_the_year() {
    let county = Site::county(true);
    let mut a = county.enrol_school("青石镇中心小学");
    let mut b = county.enrol_school("云岭县第一小学");
    let (at_a, at_b) = (
        teacher(&a, "𬭊小雨", "N2025007"),
        teacher(&b, "𬭊小雨", "N2025007"),
    );
    held(&a, "岗前培训", "2025-09-10", std::slice::from_ref(&at_a));
    held(&b, "师徒结对", "2025-09-15", std::slice::from_ref(&at_b));
    let auditor = county.signed_in("王审核员", Role::Auditor);
    a.connect(&county);
    b.connect(&county);
    until(&auditor, "/people", "N2025007");
    until(&auditor, "/audit", "师徒结对");
    until(&auditor, "/audit", "岗前培训");
    recognise_all(&county);

    // Nothing is decided without a choice, and what was typed stays.
    let link = auditor.get("/people").links("/people/same?").pop().unwrap();
    let link = link.replace("&amp;", "&");
    let wrong = auditor.submit(&link, &link, &[("decided_on", "昨天"), ("note", "报到证在双河")]);
    wrong
        .is(200)
        .has("请选择保留哪一条")
        .has("id=\"decided_on-error\">")
        .has("value=\"报到证在双河\"");
    auditor
        .submit(
            &link,
            &link,
            &[
                ("keep", &at_a),
                ("decided_on", "2025-10-08"),
                ("note", "报到证在双河"),
            ],
        )
        .is(200)
        .has("没有编号相同")
        .has("生效")
        .has("报到证在双河");
    auditor
        .get(&format!("/teachers/{at_b}"))
        .has("合并计算")
        .has("师徒结对")
        .has("岗前培训")
        .has("云岭县第一小学");
    let clerk = a.signed_in("李专管员", Role::Clerk);
    until(&clerk, &format!("/teachers/{at_a}"), "师徒结对").has("云岭县第一小学");
    let other = b.signed_in("周专管员", Role::Clerk);
    until(
        &other,
        "/roster",
        "与另一校登记为同一人，以其为准：青石镇中心小学",
    );

    // The year: a school reads it, the county closes it.
    clerk.get("/closing").is(200).lacks("name=\"closed_on\"");
    let school = county.school_id("青石镇中心小学");
    auditor
        .submit(
            "/closing",
            "/closing",
            &[("school", ""), ("year", "二五"), ("closed_on", "2026-09-10")],
        )
        .is(200)
        .has("id=\"school-error\">请选择学校")
        .has("id=\"year-error\">请填学年的起始年份")
        .has("value=\"二五\"");
    let closed = auditor.submit(
        "/closing",
        "/closing",
        &[
            ("school", &school),
            ("year", "２０２５"),
            ("closed_on", "2026-09-10"),
        ],
    );
    closed
        .is(200)
        .has("已结账")
        .has("𬭊小雨")
        .has("8")
        .has("其中外校");
    auditor
        .submit(
            "/closing",
            "/closing",
            &[("school", &school), ("year", "2025"), ("closed_on", "2026-09-11")],
        )
        .has("这一学年已经结账");
    until(&clerk, "/closing", "青石镇中心小学 2025-2026");

    // What comes late is marked at both, and decided on as a correction.
    held(&a, "迟到的活动", "2026-06-05", std::slice::from_ref(&at_a));
    until(&auditor, "/audit", "迟到的活动");
    auditor.get("/sessions").has("迟报");
    let page = closed.path.split('?').next().unwrap().to_owned();
    auditor.get(&page).has("迟到的活动").has("学分登记");
    let one = auditor.get("/audit").links("/audit/").pop().unwrap();
    let seen = auditor.get(&one).value("seen");
    auditor
        .submit(
            &one,
            &one,
            &[
                ("seen", &seen),
                ("verdict", "recognised"),
                ("decided_on", "2026-09-20"),
            ],
        )
        .is(200)
        .has("结账后更正")
        .has("id=\"note-error\">");
    auditor
        .submit(
            &one,
            &one,
            &[
                ("seen", &seen),
                ("verdict", "recognised"),
                ("decided_on", "2026-09-20"),
                ("note", "签到表原件已核"),
            ],
        )
        .is(200)
        .has("已审核 1 条");
    auditor.get(&page).has("12");
    // Reopened on the record's page, with a reason.
    let record = page.replace("/closing/", "/records/year_close/");
    auditor.get(&record).has("重开学年").lacks("截止快照");
    auditor
        .submit(
            &record,
            &format!("{record}/step"),
            &[("to", "reopened"), ("reason", "迟报已到齐")],
        )
        .is(200);
    auditor.get("/closing").has("已重开").has("迟报已到齐");
}

#[test]
fn a_bulletin_is_drafted_with_its_figures_issued_and_read_at_the_school() {
    let county = Site::county(true);
    let mut school = county.enrol_school("青石镇中心小学");
    let person = teacher(&school, "张三", "T001");
    held(&school, "第１次研课", "2025-10-10", std::slice::from_ref(&person));
    let auditor = county.signed_in("王审核员", Role::Auditor);
    school.connect(&county);
    until(&auditor, "/audit", "第１次研课");
    let wrong = auditor.submit(
        "/bulletins",
        "/bulletins",
        &[
            ("no", ""),
            ("bulletin_kind", "status"),
            ("topic", "秋季进度"),
            ("cut_on", "2025-10-20"),
            ("issued_on", "2025-10-21"),
        ],
    );
    wrong.is(200).has("id=\"no-error\">").has("value=\"秋季进度\"");
    let form = [
        ("no", "2025-07"),
        ("bulletin_kind", "status"),
        ("topic", "秋季进度"),
        ("cut_on", "2025-10-20"),
        ("issued_on", "2025-10-21"),
        ("text", "请各校核对。"),
    ];
    let draft = auditor.submit("/bulletins", "/bulletins", &form);
    draft.is(200).has("草拟").has("青石镇中心小学｜1｜1｜1｜0｜1｜#");
    let path = draft.path.split('?').next().unwrap().to_owned();
    let clerk = school.signed_in("李专管员", Role::Clerk);
    clerk.get("/bulletins").has("还没有通报");
    auditor
        .submit(&path, &format!("{path}/step"), &[("to", "issued")])
        .is(200);
    until(&clerk, "/bulletins", "秋季进度")
        .has("有效")
        .has("2025-10-20")
        .has("请各校核对。");
    // A second one on the subject that names none is told so on its page.
    let second = auditor.submit("/bulletins", "/bulletins", &form);
    let path = second.path.split('?').next().unwrap().to_owned();
    auditor
        .submit(&path, &format!("{path}/step"), &[("to", "issued")])
        .is(200)
        .has("同一事项已有第 2025-07 期");
}
