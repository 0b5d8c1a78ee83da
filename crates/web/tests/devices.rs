//! Devices: asking, approving, joining, revoking; by hand and over the network.
#![allow(clippy::unwrap_used)]

mod support;

use node::accounts::Role;
use support::{Page, Site, until};

/// Where a device of the list can be revoked.
fn revoking(page: &Page) -> Vec<String> {
    let mut all = page.links("/devices/");
    all.retain(|link| link.ends_with("/revoke"));
    all
}

/// The digits of a page.
fn cut(page: &Page) -> String {
    let rest = page.body.split("class=\"digits\">").nth(1).unwrap();
    rest.split('<').next().unwrap().to_owned()
}

#[test]
fn a_mentor_is_approved_by_code_for_several_schools_and_stands_in_the_list_once() {
    let county = Site::county(false);
    let auditor = county.signed_in("陈审核员", Role::Auditor);
    let loose = Site::loose();
    let code = node::enrol::request_code(&loose.node);
    let (one, two) = (
        county.school_id("青石镇中心小学"),
        county.school_id("云岭县第一小学"),
    );
    let page = auditor.submit("/devices", "/devices", &[("request", &code), ("look", "1")]);
    page.has("要批准的设备").lacks("还没有保存");
    let shown = page.value("shown");
    let mut fields = vec![
        ("request", code.as_str()),
        ("shown", &shown),
        ("role", "mentor"),
        ("mentor", "周专家"),
        ("label", "送教笔记本一"),
        ("compared", "1"),
    ];
    auditor
        .submit("/devices", "/devices", &fields)
        .has("请填专家代号")
        .has("请选择学校");
    fields[3].1 = "ＺＪ-07";
    fields.extend([("schools", one.as_str()), ("schools", &two)]);
    auditor.submit("/devices", "/devices", &fields).has("已批准");
    let scopes: Vec<(node::Role, String)> = county
        .node
        .devices()
        .into_iter()
        .filter(|d| d.node == loose.node.id())
        .map(|d| (d.role, d.scope))
        .collect();
    for school in [&one, &two] {
        assert!(scopes.contains(&(node::Role::Mentor, format!("zj-07/{school}"))));
        assert!(scopes.contains(&(node::Role::MentorReader, school.clone())));
    }
    assert_eq!(scopes.len(), 4);
    let page = auditor.get("/devices");
    page.has("青石镇中心小学（代号 zj-07）")
        .has("云岭县第一小学（代号 zj-07）");
    assert_eq!(revoking(&page).len(), 1);
}

#[test]
fn a_device_is_approved_only_after_the_digits_and_revoked_only_after_asking() {
    let county = Site::county(false);
    let auditor = county.signed_in("陈审核员", Role::Auditor);
    let loose = Site::loose();
    let clerk = loose.signed_in("李专管员", Role::Clerk);
    let page = clerk.get("/sync");
    page.has("申请码").has("<svg");
    let code = page
        .body
        .split("class=\"code\">")
        .nth(1)
        .unwrap()
        .split('<')
        .next()
        .unwrap()
        .to_owned();
    let school = county.school_id("青石镇中心小学");

    let mut fields = vec![
        ("request", code.as_str()),
        ("role", "school"),
        ("school", ""),
        ("label", "青石小学 教务处"),
    ];
    let page = auditor.submit("/devices", "/devices", &fields);
    page.has("请选择学校").has("请先和对方核对").has(&code);
    fields[2].1 = &school;
    auditor
        .submit("/devices", "/devices", &fields)
        .has("请先和对方核对")
        .lacks("id=\"school-error\"");
    fields.push(("compared", "1"));
    let wrong = [
        ("request", "YXQ-AAAA"),
        ("role", "school"),
        ("school", &school),
        ("compared", "1"),
    ];
    auditor.submit("/devices", "/devices", &wrong).has("这不是申请码");
    // The digits of a code stand on the page before anything is approved.
    let page = auditor.submit("/devices", "/devices", &fields);
    page.has("核对数字刚列出来").lacks("code: YXA");
    let (shown, before) = (page.value("shown"), cut(&page));
    fields.push(("shown", &shown));
    let page = auditor.submit("/devices", "/devices", &fields);
    page.is(200).has("已批准").has("code: YXA");
    assert_eq!(cut(&page), before);
    let answer = page
        .body
        .split("<pre class=\"code\" tabindex=\"0\">")
        .nth(1)
        .unwrap()
        .split("</pre>")
        .next()
        .unwrap()
        .to_owned();
    let digits = cut(&page);

    clerk
        .submit("/sync", "/sync", &[("do", "accept"), ("answer", "YXA-FALSE")])
        .has("这不是批复码");
    clerk
        .submit("/sync", "/sync", &[("do", "accept"), ("answer", &answer)])
        .has(&digits)
        .has("云岭县教师进修学校");
    clerk
        .submit("/sync", "/sync", &[("do", "confirm")])
        .has("请先和县里逐组核对数字");
    clerk
        .submit("/sync", "/sync", &[("do", "confirm"), ("compared", "1")])
        .has("本机已加入本县")
        .has("已加入");
    clerk.get("/roster").is(200);

    let revoke = revoking(auditor.get("/devices").has("青石小学 教务处"))[0].clone();
    auditor.get(&revoke).has("撤销不能取消");
    auditor.submit(&revoke, &revoke, &[]).has("已撤销这台设备");
    auditor.get(&revoke).is(404);
    auditor.get("/accounts").has("批准设备").has("撤销设备");
    // Its own device is not among those that can be revoked here.
    let own = county.node.id().to_string();
    auditor.get(&format!("/devices/{own}/revoke")).is(403);
}

#[test]
fn a_device_that_asks_over_the_network_is_approved_and_joins() {
    let county = Site::county(true);
    let auditor = county.signed_in("陈审核员", Role::Auditor);
    let loose = county.loose_near();
    let clerk = loose.signed_in("李专管员", Role::Clerk);
    let page = until(&auditor, "/devices", "云岭县第一小学 教务处");
    let digits = cut(&page);
    auditor.get("/").has("1 台设备申请加入");
    // Before anybody approved, the school already sees which county it is and the same digits.
    assert_eq!(cut(&until(&clerk, "/sync", "还没有批准本机")), digits);

    let letters: String = loose.node.id().to_string().chars().take(8).collect();
    let school = county.school_id("云岭县第一小学");
    let fields = [
        ("request", letters.as_str()),
        ("role", "school"),
        ("school", &school),
        ("compared", "1"),
    ];
    auditor
        .submit("/devices", "/devices", &fields)
        .has("已批准")
        .has(&digits);
    until(&clerk, "/sync", "已批准本机");
    clerk
        .submit("/sync", "/sync", &[("do", "confirm"), ("compared", "1")])
        .has("本机已加入本县");
    let title = "听评课";
    until(&clerk, "/sync", "在线");
    clerk.get("/roster").is(200);
    let fields = [
        ("title", title),
        ("date", "2025-9-12"),
        ("form", "school_based"),
        ("category", "practice"),
        ("channel", "school"),
        ("hours_c", "1"),
    ];
    clerk.submit("/sessions/new", "/sessions/new", &fields).has(title);
    until(&auditor, "/sessions", title).has("云岭县第一小学");
}

#[test]
fn addresses_are_checked_and_forgotten() {
    let site = Site::loose();
    let clerk = site.signed_in("李专管员", Role::Clerk);
    clerk
        .submit("/sync", "/sync", &[("do", "add"), ("address", "没有端口")])
        .has("地址不对")
        .has("value=\"没有端口\"");
    clerk
        .submit(
            "/sync",
            "/sync",
            &[("do", "add"), ("address", "192.168.1.10：4433")],
        )
        .has("192.168.1.10:4433");
    let page = clerk.submit(
        "/sync",
        "/sync",
        &[("do", "remove"), ("address", "192.168.1.10:4433")],
    );
    page.lacks("value=\"192.168.1.10:4433\"");
    clerk.submit("/sync", "/sync", &[("do", "format")]).is(404);
}

/// The letters of each picture on the page, as a telephone would read them.
fn pictures(page: &Page) -> Vec<String> {
    let after = page.body.split("<figcaption>").skip(1);
    after
        .map(|part| {
            let text = part.split("class=\"code\">").nth(1).unwrap();
            text.split('<').next().unwrap().to_owned()
        })
        .collect()
}

/// A dead computer: the new one takes its place by one form, and joins by what a telephone scanned.
#[test]
fn a_new_computer_takes_the_place_of_a_dead_one_by_pictures() {
    let county = Site::county(false);
    let auditor = county.signed_in("陈审核员", Role::Auditor);
    let old = county.enrol_school("青石镇中心小学");
    let loose = Site::loose();
    let clerk = loose.signed_in("李专管员", Role::Clerk);
    let code = node::enrol::request_code(&loose.node);
    let page = auditor.submit("/devices", "/devices", &[("request", &code), ("look", "1")]);
    let shown = page.has("代替哪一台").value("shown");
    let gone = old.node.id().to_string();
    let mut fields = vec![
        ("request", code.as_str()),
        ("shown", &shown),
        ("role", ""),
        ("replaces", "没有这台"),
        ("label", "青石 新电脑"),
        ("compared", "1"),
    ];
    auditor
        .submit("/devices", "/devices", &fields)
        .has("还没有保存")
        .has("请选择一项");
    fields[3].1 = &gone;
    let page = auditor.submit("/devices", "/devices", &fields);
    page.has("已批准").has("旧电脑已撤销").has("把记录封给它");
    assert!(county.node.roll().is_revoked(&old.node.id()));
    auditor.get("/accounts").has("批准设备").has("撤销设备");

    let mut parts = pictures(&page);
    assert_eq!(page.body.matches("<svg").count(), parts.len());
    println!(
        "{} pictures of {:?} letters",
        parts.len(),
        parts.iter().map(String::len).collect::<Vec<_>>()
    );
    assert!(parts.len() > 1 && parts.iter().all(|p| p.starts_with("YXT:")));
    parts.reverse();
    let some = parts[1..].join("\n");
    clerk
        .submit("/sync", "/sync", &[("do", "accept"), ("answer", &some)])
        .has("还缺第")
        .has("请全部扫完");
    let all = parts.join("\n");
    clerk
        .submit("/sync", "/sync", &[("do", "accept"), ("answer", &all)])
        .has("已批准本机")
        .has(&cut(&page));
    clerk
        .submit("/sync", "/sync", &[("do", "confirm"), ("compared", "1")])
        .has("已加入");
    // The records, sealed by the button of the same page.
    let make = [("do", "make"), ("to", shown.as_str())];
    let sealed = auditor
        .submit("/courier", "/courier", &make)
        .has("封好了")
        .links("/courier/file/")
        .remove(0);
    let bytes = auditor.get(&sealed).is(200).bytes.clone();
    clerk
        .upload_to("/courier/upload", &[], "包.yx", &bytes)
        .is(200)
        .has("新收");
    assert!(loose.node.roll().is_revoked(&old.node.id()));
    assert_eq!(loose.node.home_school(), Some(county.school_id("青石镇中心小学")));
}

/// What a telephone reads from the first QR picture of a page behind `mark`.
fn scanned(page: &Page, mark: &str) -> String {
    let svg = page.body.split(mark).nth(1).unwrap();
    let svg = svg.split("<svg").nth(1).unwrap().split("</svg>").next().unwrap();
    let number = |text: &str| -> usize {
        let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().unwrap()
    };
    let width = number(svg.split("width=\"").nth(1).unwrap());
    let path = svg.split(" d=\"").nth(1).unwrap().split('"').next().unwrap();
    let mut dark = vec![false; width * width];
    // M left top h width v height H left V top, as the crate draws each square.
    for square in path.split('M').skip(1) {
        let numbers: Vec<usize> = square
            .split(|c: char| !c.is_ascii_digit())
            .filter(|n| !n.is_empty())
            .map(number)
            .collect();
        let (left, top, wide, high) = (numbers[0], numbers[1], numbers[2], numbers[3]);
        for y in top..top + high {
            dark[y * width + left..y * width + left + wide].fill(true);
        }
    }
    let mut picture = rqrr::PreparedImage::prepare_from_bitmap(width, width, |x, y| dark[y * width + x]);
    let (_, text) = picture.detect_grids().first().unwrap().decode().unwrap();
    text
}

/// A computer shows where it is; another of the same network takes what was scanned as a typed address, and meets that
/// device and no other.
#[test]
fn a_computer_shows_its_own_address_as_a_picture_and_another_takes_it() {
    let county = Site::county(true);
    let auditor = county.signed_in("陈审核员", Role::Auditor);
    let mark = "本机地址的二维码";
    let text = scanned(auditor.get("/sync").has(mark), mark);
    let listening = county.node.running().unwrap().address;
    assert_eq!(text, format!("{listening}#{}", county.node.id()));
    county
        .node
        .own_addresses()
        .iter()
        .for_each(|a| assert!(a.ends_with(&county.node.id().to_string()), "{a}"));
    // On its own page it is not taken.
    auditor
        .submit("/sync", "/sync", &[("do", "add"), ("address", &text)])
        .has("是本机自己的地址");

    let loose = county.loose_far();
    let clerk = loose.signed_in("李专管员", Role::Clerk);
    clerk
        .submit(
            "/sync",
            "/sync",
            &[("do", "add"), ("address", "127.0.0.1:9#短了")],
        )
        .has("地址不对");
    // Another device at that address is not talked to.
    let (place, _) = text.split_once('#').unwrap();
    let wrong = format!("{place}#{}", node::NodeId([7; 32]));
    clerk
        .submit("/sync", "/sync", &[("do", "add"), ("address", &wrong)])
        .has(place);
    clerk
        .submit("/doctor", "/doctor", &[])
        .has("回答的是另一台设备")
        .has(&county.node.id().short());
    assert!(!has_asked(&county, &loose), "its wish went to somebody else");
    clerk
        .submit("/sync", "/sync", &[("do", "add"), ("address", &text)])
        .has(&county.node.id().short());
    clerk.submit("/sync", "/sync", &[("do", "remove"), ("address", &wrong)]);
    until(&clerk, "/sync", "云岭县教师进修学校");
    assert!(has_asked(&county, &loose));
}

fn has_asked(county: &Site, loose: &Site) -> bool {
    let asked = node::enrol::pending(&county.node).unwrap();
    asked.iter().any(|p| p.node == loose.node.id())
}

/// A stolen PC: before and after it is revoked the county sees what it may hold.
#[test]
fn what_a_lost_device_may_hold_is_listed() {
    let mut county = Site::county(true);
    let auditor = county.signed_in("陈审核员", Role::Auditor);
    let school = county.enrol_school("青石镇中心小学");
    let other = county.enrol_school("云岭县第一小学");
    let clerk = school.signed_in("李专管员", Role::Clerk);
    let people = ["王老师", "马老师"].map(|name| support::teacher(&school, name, ""));
    support::held(&school, "磨课", "2025-10-08", &people);
    support::teacher(&other, "欧阳老师", "");
    until(&clerk, "/sync", "全部已到县");
    until(&other.signed_in("周专管员", Role::Clerk), "/sync", "全部已到县");
    let id = school.node.id().to_string();
    let page = auditor.get(&format!("/devices/{id}"));
    page.is(200)
        .has("最多可能有")
        .has("校本研修记录")
        .has("教职工花名册")
        .has("2025-2026")
        .has("原图可能只在这台电脑上");
    let held = page.body.split("id=\"held\"").nth(1).unwrap();
    assert!(
        held.contains("青石镇中心小学") && !held.contains("云岭县第一小学"),
        "{held}"
    );
    assert!(held.contains("人员 2") && held.contains("签到 2"), "{held}");
    county.disconnect();
    auditor
        .get(&format!("/devices/{id}/revoke"))
        .has("最多可能有")
        .has("人员 2");
    let page = auditor.submit(
        &format!("/devices/{id}/revoke"),
        &format!("/devices/{id}/revoke"),
        &[],
    );
    page.is(200).has("已撤销这台设备").has("最多可能有").has("人员 2");
    assert!(page.path.starts_with(&format!("/devices/{id}")), "{}", page.path);
    auditor
        .get(&format!("/devices/{}", node::NodeId([7; 32])))
        .is(404);
    clerk.get(&format!("/devices/{id}")).is(403);
}
