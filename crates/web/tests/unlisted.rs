//! Somebody takes part who is not on the roster yet: kept by name, counted after the clerk has said who it is.
#![allow(clippy::unwrap_used)]

mod support;

use node::accounts::Role;
use node::office;
use support::{Browser, Site};

fn teacher<'a>(name: &'a str, code: &'a str) -> [(&'static str, &'a str); 6] {
    [
        ("name", name),
        ("teacher_code", code),
        ("status", "serving"),
        ("post", "teacher"),
        ("subject", "语文"),
        ("from", "2025.9.1"),
    ]
}

fn session(clerk: &Browser) -> String {
    let fields = [
        ("title", "第３次研课磨课"),
        ("date", "2025年9月12日"),
        ("form", "school_based"),
        ("category", "practice"),
        ("channel", "school"),
        ("hours_c", "１.５"),
    ];
    let page = clerk.submit("/sessions/new", "/sessions/new", &fields);
    page.is(200);
    page.path.split('?').next().unwrap().to_owned()
}

#[test]
fn a_new_teacher_takes_part_before_being_on_the_roster() {
    let county = Site::county(false);
    let site = county.enrol_school("青石镇中心小学");
    let clerk = site.signed_in("李专管员", Role::Clerk);
    clerk
        .submit("/roster/new", "/roster/new", &teacher("王𬭊", "YL001"))
        .is(200);
    let here = session(&clerk);
    let id = here.rsplit('/').next().unwrap().to_owned();
    let page = format!("/unlisted?session={id}");
    let act = format!("{here}/unlisted");

    clerk.get(&here).has("来了花名册上没有的人");
    clerk
        .submit(&page, &act, &[("name", ""), ("status", "present")])
        .has("还没有保存");
    let typed = [
        ("name", "𬭊㙇"),
        ("status", "late"),
        ("note", "身份证 110101199003070134"),
    ];
    let kept = clerk.submit(&page, &act, &typed);
    kept.has("还没有保存").has("value=\"𬭊㙇\"");
    let typed = [
        ("name", " 陈 㙇 "),
        ("status", "late"),
        ("note", "９月从二中调入"),
    ];
    clerk
        .submit(&page, &act, &typed)
        .has("陈㙇")
        .has("待登记")
        .has("迟到");
    clerk.submit(&page, &act, &typed).has("如果是另一个人");
    clerk.get(&here).has("待登记 1 人").has("进行中");
    clerk.get("/").has("待登记 1 人次");
    // The session ends and is claimed without that person; nothing counts for a name.
    let me = office::roster(&site.node, &site.node.home_school().unwrap()).unwrap()[0]
        .id
        .clone();
    let mark = format!("m-{me}");
    clerk.submit(&here, &format!("{here}/attendance"), &[(&mark, "present")]);
    clerk.submit(&here, &format!("{here}/end"), &[]);
    clerk
        .submit(&here, &format!("{here}/claims"), &[("claimed_on", "2025-09-20")])
        .has("已登分 1 人");

    // Two people of that name come onto the roster: nobody is taken by the name alone.
    clerk
        .submit("/roster/new", "/roster/new", &teacher("陈㙇", "YL007"))
        .is(200);
    clerk
        .submit("/roster/new", "/roster/new", &teacher("陈㙇", "YL008"))
        .is(200);
    clerk.get("/").has("花名册上已有同名的人");
    let shown = clerk.get("/unlisted");
    shown
        .has("花名册上有 2 位同名的")
        .has("陈㙇 · YL007")
        .has("陈㙇 · YL008")
        .lacks("selected>陈㙇");
    let roster = office::roster(&site.node, &site.node.home_school().unwrap()).unwrap();
    let person = roster
        .iter()
        .find(|t| t.teacher_code == "YL008")
        .unwrap()
        .id
        .clone();
    let waiting = office::unlisted(&site.node, &site.node.home_school().unwrap(), None).unwrap();
    let (link, field) = (
        format!("/unlisted/{}", waiting[0].id),
        format!("person-{}", waiting[0].id),
    );
    clerk
        .submit(&page, &link, &[("session", &id), (&field, "")])
        .has("请选择是花名册上的哪一位");
    assert_eq!(office::session(&site.node, &id).unwrap().unwrap().row.present, 1);
    clerk
        .submit(&page, &link, &[("session", &id), (&field, &person)])
        .has("已对上")
        .has("没有待登记的人");
    let detail = office::session(&site.node, &id).unwrap().unwrap();
    let status = |code: &str| {
        detail
            .marks
            .iter()
            .find(|m| m.name == "陈㙇" && m.status.as_deref() == Some(code))
    };
    assert_eq!(detail.row.present, 2);
    assert_eq!(status("late").unwrap().person, person);
    clerk
        .submit(&here, &format!("{here}/claims"), &[("claimed_on", "2025-09-21")])
        .has("已登分 1 人");
    clerk.get(&format!("/teachers/{person}")).has("第3次研课磨课");
    // Who typed it, and who said who it was, stays.
    clerk
        .get(&format!("/records/unlisted/{}", waiting[0].id))
        .has("李专管员")
        .has("已对上");
    clerk
        .submit(&here, &link, &[("session", &id), (&field, &person)])
        .has("已经对上");
}

#[test]
fn only_a_clerk_links_and_another_mark_is_not_written_over() {
    let county = Site::county(false);
    let site = county.enrol_school("青石镇中心小学");
    let clerk = site.signed_in("李专管员", Role::Clerk);
    clerk
        .submit("/roster/new", "/roster/new", &teacher("王𬭊", "YL001"))
        .is(200);
    let here = session(&clerk);
    let id = here.rsplit('/').next().unwrap().to_owned();
    let page = format!("/unlisted?session={id}");
    let typed = [("name", "王𬭊"), ("status", "present"), ("note", "")];
    clerk
        .submit(&page, &format!("{here}/unlisted"), &typed)
        .has("待登记");
    let school = site.node.home_school().unwrap();
    let me = office::roster(&site.node, &school).unwrap()[0].id.clone();
    let mark = format!("m-{me}");
    clerk.submit(&here, &format!("{here}/attendance"), &[(&mark, "sick")]);
    let waiting = office::unlisted(&site.node, &school, None).unwrap();
    let (link, field) = (
        format!("/unlisted/{}", waiting[0].id),
        format!("person-{}", waiting[0].id),
    );
    clerk
        .submit(&page, &link, &[("session", &id), (&field, &me)])
        .has("已有不同的考勤");
    let leader = site.signed_in("周校长", Role::Leader);
    leader.get("/unlisted").has("王𬭊").lacks("确认是本人</button>");
    leader
        .submit(&page, &link, &[(field.as_str(), me.as_str())])
        .is(403);
    // The name travels in the base document alone.
    let record = site.node.record(&waiting[0].id).unwrap().unwrap();
    assert!(record.doc.starts_with("base/"), "{}", record.doc);
    // The county reads it, and has no page to say who it is.
    county
        .signed_in("王审核员", Role::Auditor)
        .get("/unlisted")
        .is(403);
}
