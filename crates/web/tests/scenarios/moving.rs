//! S3: a teacher moves on 1 September between two schools that have not synced since June.

use node::accounts::Role;

use crate::common::*;
use crate::support::*;

#[test]
fn s3_a_teacher_moves_between_two_schools_that_were_silent_since_june() {
    let county = Site::county(true);
    let (mut old, mut new) = (county.enrol_school(QINGSHI), county.enrol_school(FIRST));
    let (from, to) = (county.school_id(QINGSHI), county.school_id(FIRST));
    let clerks = [&old, &new].map(|site| site.signed_in("李专管员", Role::Clerk));
    let [at_old, at_new] = &clerks;
    let auditor = county.signed_in("王审核员", Role::Auditor);
    let her = teacher_since(&old, "欧阳㙇", "T001", "2020-09-01");
    let one = std::slice::from_ref(&her);
    held(&old, "五月研课", "2026-05-10", one);
    for clerk in &clerks {
        until(clerk, "/", "全部已到县");
    }
    until(&auditor, "/audit", "五月研课");
    assert_eq!(recognise_all(&auditor, "2026-06-10"), 1);
    until(at_old, "/claims", ">县已认定</span>");
    old.disconnect();
    new.disconnect();

    // July: the county orders it. Neither school hears of it, and both work on.
    let order = enter(
        &auditor,
        "transfer_order",
        &[
            ("order_no", "云教调〔2026〕12号"),
            ("person", &her),
            ("person_label", "T001"),
            ("from", &from),
            ("to", &to),
            ("reason", "transfer"),
            ("effective", "2026-09-01"),
            ("ordered_on", "2026-07-15"),
        ],
    );
    // It moves nobody before both have answered.
    step(&auditor, &order, "effective").lacks("已保存在本机");
    held(&old, "暑期集中备课", "2026-08-28", one);
    let here = teacher_since(&new, "欧阳㙇", "T001", "2026-09-01");
    held(&new, "九月校本研修", "2026-09-10", std::slice::from_ref(&here));
    at_old.get("/records/transfer_order").lacks("云教调");
    at_old.get("/roster").has("欧阳㙇").lacks("调往");
    at_new.get("/roster").has("欧阳㙇").lacks("调入");
    at_new.get("/sessions").has("九月校本研修").has("已保存在本校");
    at_new.get(&format!("/teachers/{here}")).lacks("五月研课");

    // In touch again: the order is there, each answers on its own pages.
    old.connect(&county);
    new.connect(&county);
    until(at_old, "/records/transfer_order", "云教调〔2026〕12号");
    until(at_new, "/records/transfer_order", "云教调〔2026〕12号");
    let seen = |clerk: &Browser| {
        let mut links = clerk
            .get("/records/transfer_order")
            .links("/records/transfer_order/");
        links.retain(|link| !link.contains('?') && !link.ends_with("/new"));
        links.remove(0)
    };
    let (left, came) = (seen(at_old), seen(at_new));
    answer(
        at_old,
        "transfer_release",
        id(&left),
        &[("answer", "released"), ("date", "2026-09-12")],
    );
    answer(
        at_new,
        "transfer_accept",
        id(&came),
        &[("answer", "accepted"), ("person", &here), ("date", "2026-09-13")],
    );
    until(&auditor, &order, "已放行");
    until(&auditor, "/audit", "九月校本研修").has("暑期集中备课");
    wait("both answers are here", || {
        let count = |kind: &str| county.node.count(&node::Filter::kind(kind)).unwrap();
        count("transfer_release") == 1 && count("transfer_accept") == 1
    });
    saved(&step(&auditor, &order, "effective"));
    assert_eq!(recognise_all(&auditor, "2026-09-20"), 2);

    // Each sees where she is from which day on; her credits went with her, and each school kept what it wrote.
    until(at_old, "/roster", "2026-09-01 调往 云岭县第一小学");
    until(at_new, "/roster", "2026-09-01 调入，原在 青石镇中心小学");
    let mine = teacher_at(&new, "欧阳㙇", &here);
    for (who, path) in [(&mine, "/".to_owned()), (at_new, format!("/teachers/{here}"))] {
        let card = until(who, &path, "<b>1.2</b>");
        card.has("五月研课")
            .has("暑期集中备课")
            .has("九月校本研修")
            .has(QINGSHI);
    }
    until(at_old, &format!("/teachers/{her}"), "<b>0.8</b>").lacks("九月校本研修");
    for person in [&her, &here] {
        until(&auditor, &format!("/teachers/{person}"), "<b>1.2</b>");
    }
    assert_eq!(equal(&old, &county, &from), [2, 2, 2, 1, 0, 0]);
    assert_eq!(equal(&new, &county, &to), [1, 1, 1, 1, 0, 0]);
    for clerk in &clerks {
        until(clerk, "/", "全部已到县");
    }
    // A sheet of September has no line for her at the old school, one of August has.
    let sheet = |date: &str| {
        let page = at_old.submit("/sessions/new", "/sessions/new", &typed("例会", date, "2"));
        page.is(200);
        page
    };
    sheet("2026-09-17").lacks("欧阳㙇");
    sheet("2026-08-20").has("欧阳㙇");
}
