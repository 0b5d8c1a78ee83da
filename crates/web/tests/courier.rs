//! U盘与捎带: a school without a network and its county, by their pages alone.
#![allow(clippy::unwrap_used)]

mod support;

use node::accounts::Role;
use node::office;
use support::Site;

#[test]
fn a_stick_and_a_file_travel_by_the_pages() {
    let county = Site::county(false);
    let school = county.enrol_school("青石镇中心小学");
    let clerk = school.signed_in("李专管员", Role::Clerk);
    let office_page = county.signed_in("王审核员", Role::Auditor);
    let facts = [
        ("name", "王𬭊"),
        ("teacher_code", "YL001"),
        ("status", "serving"),
        ("post", "teacher"),
        ("from", "2025.9.1"),
    ];
    clerk.submit("/roster/new", "/roster/new", &facts).is(200);
    clerk.get("/sync").is(200).has("href=\"/courier\"");
    let stick = tempfile::tempdir().unwrap();
    let path = stick.path().to_str().unwrap();
    let plug = [("do", "stick"), ("path", path)];
    clerk
        .submit("/courier", "/courier", &plug)
        .is(200)
        .has("写到U盘")
        .has("可以拔下U盘");
    office_page
        .submit("/courier", "/courier", &plug)
        .is(200)
        .has("新收改动")
        .has("可以拔下U盘");
    let id = county.school_id("青石镇中心小学");
    assert_eq!(office::roster(&county.node, &id).unwrap()[0].name, "王𬭊");
    clerk
        .submit("/courier", "/courier", &plug)
        .is(200)
        .has("条记录现已到县");
    assert_eq!(school.node.not_at_county().unwrap(), 0);

    // Without a stick: made, downloaded, uploaded at the other side, twice.
    clerk
        .submit(
            "/roster/new",
            "/roster/new",
            &[&facts[2..], &[("name", "欧阳㙇"), ("teacher_code", "YL002")]].concat(),
        )
        .is(200);
    let page = clerk.submit("/courier", "/courier", &[("do", "make")]);
    page.is(200).has("封好了");
    let link = page.links("/courier/file/").remove(0);
    let name = link.rsplit('/').next().unwrap();
    let bytes = node::mail::read(&school.node, name).unwrap().unwrap();
    assert_eq!(clerk.get(&link).is(200).bytes, bytes);
    office_page
        .upload_to("/courier/upload", &[], "包.yx", &bytes)
        .is(200)
        .has("新收改动");
    office_page
        .upload_to("/courier/upload", &[], "包.yx", &bytes)
        .is(200)
        .has("以前收过");
    office_page
        .upload_to("/courier/upload", &[], "照片.jpg", b"\xff\xd8")
        .is(200)
        .has("不是研修的数据包");
    assert_eq!(office::roster(&county.node, &id).unwrap().len(), 2);

    // Words instead of a fault page for what goes wrong.
    clerk
        .submit("/courier", "/courier", &[("do", "stick"), ("path", "usb")])
        .is(200)
        .has("完整位置");
    let gone = [("do", "stick"), ("path", "/media/没有这个U盘")];
    clerk
        .submit("/courier", "/courier", &gone)
        .is(200)
        .has("是否插好");
    clerk.get("/courier/file/..%2Fdevice.key").is(404);
    // Only who manages the computer.
    school.signed_in("校长", Role::Leader).get("/courier").is(403);
}

/// How much a computer carries for others is for its people to say, and is kept.
#[test]
fn a_carrier_sets_its_limit_and_keeps_it() {
    let county = Site::county(false);
    let [school, carrier] = ["青石镇中心小学", "云岭县第一小学"].map(|name| county.enrol_school(name));
    // The carrier's roll has the other school in it.
    let grants = [(node::Role::School, county.school_id("青石镇中心小学"))];
    let answer = node::enrol::approve(&county.node, &school.node.id(), "青石", &grants).unwrap();
    node::enrol::accept(&carrier.node, &answer.text).unwrap();
    let facts = [
        ("name", "王𬭊"),
        ("teacher_code", "YL001"),
        ("status", "serving"),
        ("post", "teacher"),
        ("from", "2025.9.1"),
    ];
    let other = school.signed_in("赵专管员", Role::Clerk);
    other.submit("/roster/new", "/roster/new", &facts).is(200);
    let clerk = carrier.signed_in("李专管员", Role::Clerk);
    clerk
        .get("/courier")
        .is(200)
        .has("替别人捎带")
        .has("value=\"200\"")
        .has("0 KB");
    let sealed = || {
        node::bundle::make(&school.node, &county.node.id(), node::bundle::MAX)
            .unwrap()
            .remove(0)
            .bytes
    };
    clerk
        .upload_to("/courier/upload", &[], "包.yx", &sealed())
        .is(200)
        .has("捎带");
    clerk.get("/courier").lacks("：0 KB");
    for wrong in ["", "-1", "很多", "1.5", "20481", "99999999999999999999"] {
        let page = clerk.submit("/courier", "/courier", &[("do", "limit"), ("limit", wrong)]);
        page.is(200).has("请填整数").has(&format!("value=\"{wrong}\""));
    }
    assert_eq!(node::mail::limit(&carrier.node).unwrap(), node::mail::LIMIT);
    clerk
        .submit("/courier", "/courier", &[("do", "limit"), ("limit", "３")])
        .is(200)
        .has("最多占 3 MB");
    let again = node::Node::open(carrier.node.dir()).unwrap();
    assert_eq!(
        node::mail::limit(&again).unwrap(),
        3 << 20,
        "after a restart as well"
    );
    clerk.get("/courier").has("value=\"3\"");
    assert_eq!(node::mail::list(&again).unwrap().len(), 1);
    clerk
        .submit("/courier", "/courier", &[("do", "limit"), ("limit", "0")])
        .is(200)
        .has("不替别人捎带")
        .has("：0 KB");
    assert!(node::mail::list(&again).unwrap().is_empty());
    clerk
        .upload_to("/courier/upload", &[], "包.yx", &sealed())
        .is(200)
        .lacks("已收下捎带");
    clerk.get("/accounts").is(200).has("改捎带上限");
}
