//! Printed forms as people open them: who may, what stands on them, and where they are found.
#![allow(clippy::unwrap_used)]

mod support;

use node::accounts::{self, NewAccount, Role};
use node::office::{self, SessionInput, TeacherInput};
use support::*;

const SCHOOL: &str = "青石镇中心小学";

/// A school with two teachers; the first has an account of her own.
fn school(county: &Site) -> (Site, [String; 2]) {
    let site = county.enrol_school(SCHOOL);
    let school = site.node.home_school().unwrap();
    let people = [("欧阳㙇", "T001"), ("王𬭊", "T002")].map(|(name, code)| {
        let input = TeacherInput {
            teacher_code: code.into(),
            name: name.into(),
            status: "serving".into(),
            post: "teacher".into(),
            subject: "语文".into(),
            from: "2025-09-01".into(),
            ..TeacherInput::default()
        };
        office::save_teacher(&site.node, &by("李专管员"), &school, None, input).unwrap()
    });
    (site, people)
}

fn session(site: &Site) -> String {
    let input = SessionInput {
        title: "第３次研课磨课 <b>㙇</b>".into(),
        date: "2025-10-15".into(),
        form: "school_based".into(),
        category: "practice".into(),
        channel: "school".into(),
        hours_c: 150,
        ..SessionInput::default()
    };
    let school = site.node.home_school().unwrap();
    office::save_session(&site.node, &by("李专管员"), &school, None, input).unwrap()
}

#[test]
fn a_sign_in_sheet_has_the_rosters_names_before_the_session_and_the_marks_afterwards() {
    let county = Site::county(false);
    let (site, people) = school(&county);
    let clerk = site.signed_in("李专管员", Role::Clerk);
    let id = session(&site);
    let path = format!("/print/sign-in/{id}");
    clerk
        .get(&format!("/sessions/{id}"))
        .has(&format!("href=\"{path}\""));
    // Nobody has come yet: names, room to sign, and lines for guests.
    let page = clerk.get(&path);
    page.is(200)
        .has("教师研修活动签到表")
        .has("学校名称：青石镇中心小学")
        .has("学校标识码：")
        .has("制表日期：20")
        .has("填表人：<b>李专管员</b>")
        .has("（公章）")
        .has("数据截止：20")
        .has("/1）")
        .has("第 1 页　共 1 页")
        .has("欧阳㙇")
        .has("王𬭊")
        .has("第３次研课磨课 &#60;b&#62;㙇")
        .lacks("style=");
    assert_eq!(page.body.matches("<tr class=\"name\">").count(), 2 + 4);
    let marks = [
        (people[0].clone(), "late".to_owned()),
        (people[1].clone(), "present".to_owned()),
    ];
    office::mark_attendance(&site.node, &by("李专管员"), &id, &marks).unwrap();
    let page = clerk.get(&path);
    page.has("迟到").has("2 人").has(&format!("{path}?blank=1"));
    assert_eq!(page.body.matches("<tr class=\"name\">").count(), 2);
    clerk.get(&format!("{path}?blank=1")).lacks("迟到");
    clerk
        .get("/print/sign-in/019a0000-0000-7000-8000-000000000000")
        .is(404);
    // It stands in the access log, as an export does.
    let log = accounts::access_log(&site.node, 5).unwrap();
    assert!(
        log.iter()
            .any(|line| line.act == "print" && line.object.contains(&id)),
        "{log:?}"
    );
}

#[test]
fn a_teacher_prints_the_own_card_and_sees_nobody_elses_sheets() {
    let county = Site::county(false);
    let (site, people) = school(&county);
    let new = NewAccount {
        name: "欧阳老师".into(),
        role: Role::Teacher,
        secret: "246810".into(),
        person: Some(people[0].clone()),
    };
    accounts::create(&site.node, new, 1_760_000_000).unwrap();
    let teacher = site.browser();
    teacher
        .submit("/login", "/login", &[("name", "欧阳老师"), ("secret", "246810")])
        .is(200);
    let card = |person: &str| format!("/print/card/{person}");
    teacher.get("/").has(&format!("href=\"{}\"", card(&people[0])));
    teacher
        .get(&card(&people[0]))
        .is(200)
        .has("教师成长档案（学分卡）")
        .has("欧阳㙇")
        .has("累计认定学分")
        .has("预测")
        .has("数据截止：20")
        .lacks("style=");
    teacher.get(&card(&people[1])).is(403);
    let id = session(&site);
    for path in [format!("/print/sign-in/{id}"), "/print/register".to_owned()] {
        teacher.get(&path).is(403);
    }
    teacher.get("/observations").is(200).has("还没有听评课记录");
    // Progress against what is wanted, drawn, with the figures as words.
    teacher
        .get("/")
        .has("<svg")
        .has("aria-label=\"总学分：0.0 / 36.0 还差 36.0\"");
}
