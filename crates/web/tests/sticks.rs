//! 批量入网: one stick for many schools, and their requests approved in one act, by the page.
#![allow(clippy::unwrap_used)]

mod support;

use node::accounts::Role;
use node::{enrol, kit};
use support::{Page, Site};

#[test]
fn schools_are_approved_in_one_act_from_a_stick_and_what_does_not_fit_is_named() {
    let county = Site::county(false);
    let auditor = county.signed_in("陈审核员", Role::Auditor);
    auditor.get("/devices").has("href=\"/devices/sticks\"");
    let stick = tempfile::tempdir().unwrap();
    let path = stick.path().to_str().unwrap();
    let page = "/devices/sticks";
    auditor
        .submit(page, page, &[("do", "kit"), ("path", "没有这里")])
        .has("请选一个U盘");
    auditor
        .submit(page, page, &[("do", "look"), ("path", "/没有/这个U盘")])
        .has("打不开");
    auditor
        .submit(page, page, &[("do", "kit"), ("path", path)])
        .has("2 所学校的文件夹")
        .has("可以拔下U盘");
    let folder = |school: &str| stick.path().join(kit::FOLDER).join(school);
    // Two schools leave their requests; one of them has a PC already, whose request somebody has put into the other's
    // folder; and one is damaged.
    let old = county.enrol_school("青石镇中心小学");
    let new: Vec<Site> = ["青石镇中心小学", "云岭县第一小学"]
        .map(|school| {
            let site = Site::loose();
            let invitation = kit::invitation(&folder(school)).unwrap().unwrap();
            assert_eq!(enrol::invited(&site.node, &invitation).unwrap().school, school);
            kit::leave_request(&site.node, &folder(school)).unwrap();
            site
        })
        .into();
    let wrong = folder("云岭县第一小学").join("放错的.txt");
    std::fs::write(&wrong, enrol::request_code(&old.node)).unwrap();
    std::fs::write(folder("青石镇中心小学").join("抄坏的.txt"), "code: YXQA-BCDE").unwrap();

    let look = [("do", "look"), ("path", path)];
    let shown = auditor.submit(page, page, &look);
    shown
        .has("U盘上的申请（2）")
        .has("不能批准的（2）")
        .has("2168000001")
        .has("已经是“青石镇中心小学”的电脑")
        .has("这不是申请")
        .has("放错的.txt")
        .has("该校已有");
    let root = county.node.county_root().unwrap();
    for site in &new {
        shown.has(&enrol::digits(&root, &site.node.id()));
    }
    // An approval is of a device at the school that it was shown with.
    let pair = |site: &Site, school: &str| format!("{}/{}", site.node.id(), county.school_id(school));
    let pairs = [pair(&new[0], "青石镇中心小学"), pair(&new[1], "云岭县第一小学")];
    let marked = |page: &Page, pair: &str| {
        let at = page.body.find(&format!("value=\"{pair}\"")).unwrap();
        let end = page.body[at..].find('>').unwrap();
        page.body[at..at + end].ends_with(" checked")
    };
    assert!(!marked(&shown, &pairs[0]), "the school has a computer");
    assert!(marked(&shown, &pairs[1]), "the first of its school");
    let mut fields = vec![("do", "approve"), ("place", path)];
    auditor
        .submit(page, page, &fields)
        .has("请至少选一份申请")
        .has("请先和各校核对数字");
    fields.extend([("device", pairs[0].as_str()), ("device", &pairs[1])]);
    auditor.submit(page, page, &fields).has("请先和各校核对数字");
    assert!(new.iter().all(|s| !county.node.roll().is_member(&s.node.id())));
    fields.push(("compared", "1"));
    // Marked while it was shown at the other school; and a page of an older program, which names no school.
    let moved = pair(&new[0], "云岭县第一小学");
    let device = new[0].node.id().to_string();
    for stale in [moved.as_str(), &device] {
        auditor
            .submit(
                page,
                page,
                &[
                    ("do", "approve"),
                    ("place", path),
                    ("device", stale),
                    ("compared", "1"),
                ],
            )
            .has("1 份勾选的申请没有批准");
        assert!(!county.node.roll().is_member(&new[0].node.id()));
    }
    auditor
        .submit(page, page, &fields)
        .has("青石镇中心小学 · 青石镇中心小学 教务处：已批准")
        .has("云岭县第一小学 · 青石镇中心小学 教务处：已批准")
        .has("再批准一次只是重写批复");
    let log = auditor.get("/accounts");
    for site in &new {
        log.has(&site.node.id().short());
    }
    // Back at the schools.
    for (site, school) in new.iter().zip(["青石镇中心小学", "云岭县第一小学"]) {
        let (answer, own) = kit::find(&site.node, &folder(school)).unwrap().answer.unwrap();
        assert!(enrol::accept(&site.node, &answer).unwrap().approved);
        enrol::confirm(&site.node).unwrap();
        let report = node::stick::take(&site.node, &own).unwrap();
        assert!(report.failed.is_empty(), "{:?}", report.failed);
        assert_eq!(site.node.home_school(), Some(county.school_id(school)));
    }
    // Two ask for one school: a person has to know which.
    let rivals: Vec<Site> = (0..2)
        .map(|_| {
            let site = Site::loose();
            kit::leave_request(&site.node, &folder("云岭县第一小学")).unwrap();
            site
        })
        .collect();
    let shown = auditor.submit(page, page, &look);
    shown.has("该校共有 3 份申请").has("问清是哪台再勾选");
    for site in &rivals {
        assert!(!marked(&shown, &pair(site, "云岭县第一小学")));
    }
    // A school's own page does not have this.
    let clerk = new[0].signed_in("李专管员", Role::Clerk);
    clerk.get(page).is(403);
}

/// The county's roster comes along: each school's folder gets its own rows, and the county keeps no names.
#[test]
fn a_kit_takes_each_schools_own_rows_of_a_roster() {
    let county = Site::county(false);
    let auditor = county.signed_in("陈审核员", Role::Auditor);
    let page = "/devices/sticks";
    auditor.get(page).has("formenctype=\"multipart/form-data\"");
    let stick = tempfile::tempdir().unwrap();
    let path = stick.path().to_str().unwrap();
    let roster = |school: &str| stick.path().join(kit::FOLDER).join(school).join("花名册.xlsx");
    let kit = [("do", "kit"), ("path", path)];
    // Without one, as a browser sends it; and such as hold no teacher of these schools, or are no table.
    auditor
        .upload_to(page, &kit, "", b"")
        .has("2 所学校的文件夹")
        .lacks("花名册：");
    auditor
        .upload_to(
            page,
            &kit,
            "别县.csv",
            "姓名,教师编号,学校名称\n王五,T9,别处小学\n".as_bytes(),
        )
        .has("没有认出这些学校的教师，什么也没有写");
    auditor
        .upload_to(page, &kit, "坏.xlsx", b"PK\x03\x04")
        .has("class=\"error\"")
        .lacks("写好了");
    assert!(!roster("青石镇中心小学").exists() && !roster("云岭县第一小学").exists());

    let names = "姓名,教师编号,学校名称\n王𬭊,YL001,青石镇中心小学\n㙇伟,YL002,云岭县第一小学\n";
    let one = county.school_id("青石镇中心小学");
    let only = [kit[0], kit[1], ("school", one.as_str())];
    let read = |school: &str| {
        let bytes = std::fs::read(roster(school)).unwrap();
        format!("{:?}", web::sheet::grid::read(&bytes, "花名册.xlsx").unwrap())
    };
    auditor
        .upload_to(page, &only, "全县花名册.csv", names.as_bytes())
        .has("1 所学校的文件夹里有本校的教师名单")
        .lacks("请每校做一个");
    assert!(!roster("云岭县第一小学").exists());
    let own = read("青石镇中心小学");
    assert!(own.contains("王𬭊") && !own.contains("㙇伟"), "{own}");
    auditor
        .upload_to(page, &kit, "全县花名册.csv", names.as_bytes())
        .has("2 所学校的文件夹里有本校的教师名单")
        .has("请每校做一个");
    let own = read("云岭县第一小学");
    assert!(own.contains("㙇伟") && !own.contains("王𬭊"), "{own}");
    assert_eq!(county.node.count(&node::Filter::kind("person")).unwrap(), 0);
}
