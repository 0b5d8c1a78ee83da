//! The page of quarantine and cuts: the county settles a case after being asked, schools read.
#![allow(clippy::unwrap_used)]

mod support;

use node::accounts::{self, Role};
use support::Site;

/// As if a peer had brought another change with the number of the registry's first.
fn accuse(site: &Site) {
    site.node
        .local(|c| {
            c.execute_batch(
                "INSERT INTO quarantine (document, actor, fault, actor_seq, body, tip, from_peer, at)
                 SELECT d.key, c.actor, 'Equivocation', c.actor_seq, c.body, c.tip, NULL, 1760000000
                 FROM change c JOIN document d ON d.id = c.doc WHERE c.actor_seq = 1 LIMIT 1",
            )
            .map_err(Into::into)
        })
        .unwrap();
}

#[test]
fn the_county_cuts_after_being_asked_and_the_log_says_so() {
    let county = Site::county(false);
    let auditor = county.signed_in("陈审核员", Role::Auditor);
    auditor.get("/quarantine").is(200).has("没有被隔离的设备");
    accuse(&county);
    let id = county.node.cases().unwrap().cases[0].id.clone();
    let page = auditor.get("/quarantine");
    page.has("隔离中")
        .has("同一设备用同一序号写了两份不同内容")
        .has("registry");
    let file = auditor.get(&format!("/quarantine/{id}/evidence"));
    file.is(200).has("Equivocation").has("body: ");
    assert!(file.header("content-disposition").contains("attachment"));

    let at = format!("/quarantine/{id}/cut");
    auditor
        .get(&at)
        .is(200)
        .has("保留本机已收下的全部")
        .has("只保留出错之前的")
        .has("已收下的 1 条将不再计入");
    auditor.submit(&at, &at, &[("point", "stored")]).has("请先核实");
    auditor
        .submit(&at, &at, &[("point", "elsewhere"), ("sure", "1")])
        .has("请选择截断在哪里");
    assert!(
        county.node.cases().unwrap().cases[0].cut.is_none(),
        "nothing was cut yet"
    );
    auditor
        .submit(&at, &at, &[("point", "stored"), ("sure", "1")])
        .has("已截断")
        .has("已了结")
        .lacks("隔离中");
    assert_eq!(county.node.cases().unwrap().cases[0].cut, Some(1));
    // It keeps what it kept, and a settled case is asked for no more.
    county.school_id("青石镇中心小学");
    auditor.get(&at).is(404);
    let log = accounts::access_log(&county.node, 10).unwrap();
    assert!(
        log.iter()
            .any(|r| r.act == "cut" && r.object.starts_with("registry ")),
        "{log:?}"
    );
    auditor.get("/accounts").has("截断文档");
}

#[test]
fn a_school_reads_and_does_not_cut() {
    let county = Site::county(false);
    accuse(&county);
    let id = county.node.cases().unwrap().cases[0].id.clone();
    let leader = county.signed_in("王校长", Role::Leader);
    leader.get("/quarantine").is(403);
    let school = county.enrol_school("青石镇中心小学");
    let clerk = school.signed_in("李专管员", Role::Clerk);
    clerk.get("/quarantine").is(200).has("隔离与截断").lacks("截断…");
    clerk.get(&format!("/quarantine/{id}/cut")).is(403);
    clerk
        .submit(
            "/quarantine",
            &format!("/quarantine/{id}/cut"),
            &[("point", "stored"), ("sure", "1")],
        )
        .is(403);
}
