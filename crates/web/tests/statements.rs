//! 学分证明 on the pages: issued at the county, checked at a school, refused with one changed byte.
#![allow(clippy::unwrap_used)]

mod support;

use node::accounts::{self, Role};
use node::office;
use support::{Site, held, recognised, teacher, until};

#[test]
fn a_statement_is_issued_handed_out_and_checked_at_another_desk() {
    let county = Site::county(true);
    let school = county.enrol_school("青石镇中心小学");
    let other = county.enrol_school("云岭县第一小学");
    let person = teacher(&school, "王𬭊", "YL001");
    held(
        &school,
        "第３次研课磨课",
        "2025-09-12",
        std::slice::from_ref(&person),
    );
    let auditor = county.signed_in("陈审核员", Role::Auditor);
    recognised(&auditor, "王𬭊");

    let page = format!("/teachers/{person}/statement");
    auditor.get(&format!("/teachers/{person}")).has(&page);
    auditor.get(&page).has("还没有。").has("签发一份");
    auditor
        .submit(&page, &page, &[("issued_on", "昨天")])
        .has("id=\"issued_on-error\"");
    let fields = [("issued_on", "2026年1月10日"), ("purpose", "职称评审")];
    let listed = auditor.submit(&page, &page, &fields);
    listed.has("已签发，并记入该校的台账").has("职称评审").has("有效");
    let link = listed
        .links("/statements/")
        .into_iter()
        .find(|l| l.ends_with("/file"))
        .unwrap();
    let file = auditor.get(&link);
    assert_eq!(file.is(200).header("content-type"), "application/jwt");
    let id = link.split('/').nth(2).unwrap().to_owned();
    auditor
        .get(&format!("/print/statement/{id}"))
        .is(200)
        .has("学分证明")
        .has("<svg")
        .has("第３次研课磨课");

    // A clerk of the other school, which reads nothing of this teacher.
    let clerk = other.signed_in("赵专管员", Role::Clerk);
    let verify = "/statements/verify";
    let good = clerk.upload_to(verify, &[], "证明.jwt", &file.bytes);
    good.has("核验通过")
        .has("王𬭊")
        .has("青石镇中心小学")
        .has("本机不读那所学校的台账");
    let mut changed = file.bytes.clone();
    let at = changed.len() / 2;
    changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
    clerk
        .upload_to(verify, &[], "证明.jwt", &changed)
        .has("被改动过或已损坏")
        .lacks("核验通过");
    clerk
        .upload_to(verify, &[], "照片.jpg", b"\xff\xd8\xff")
        .has("这不是学分证明文件");
    clerk.upload_to(verify, &[], "", b"").has("请选择证明文件");
    // As text, and as what a telephone has read from the paper.
    clerk
        .upload_to(verify, &[("text", &file.body)], "", b"")
        .has("核验通过");
    let own = school.signed_in("李专管员", Role::Clerk);
    let digest = node::credential::digest(&file.body);
    let code = office::statement_code(&id, &digest);
    until(&own, &format!("/records/credit_statement/{id}"), "已签发");
    own.upload_to(verify, &[("text", &code)], "", b"")
        .has("台账里有这个编号");
    clerk
        .upload_to(verify, &[("text", &code)], "", b"")
        .has("没有这个编号");

    // A school's own accounts issue none, nor does a county leader.
    let before = county
        .node
        .count(&node::Filter::kind("credit_statement"))
        .unwrap();
    own.get(&page).is(403);
    let leader = county.signed_in("何主任", Role::Leader);
    leader.get(&page).is(403);
    leader.get(&link).is(403);
    leader.submit(verify, &page, &fields).is(403);
    assert_eq!(
        county
            .node
            .count(&node::Filter::kind("credit_statement"))
            .unwrap(),
        before
    );
    let log = accounts::access_log(&county.node, 50).unwrap();
    assert!(
        log.iter()
            .any(|row| row.act == "issue statement" && row.object == id)
    );
}
