//! The conflicts of domain.md §3.5 that arise within a school: two of its computers wrote while they were apart,
//! then met at the county. Each test is named after its row; what is open, and every total, is the same on all three.

// Helpers outside #[test] functions unwrap as well: a failure is a failed test.
#![allow(clippy::unwrap_used)]

use node::office::{self, By, Conflict, Matter};
use node::{Filter, Value};
use yanxiu_tests::apart::{Apart, mark};
use yanxiu_tests::*;

fn group_head() -> By {
    By {
        account: "赵组长".into(),
    }
}

/// The values of a conflict with the accounts and devices that said each.
fn sides(conflict: &Conflict) -> Vec<(String, String)> {
    let said = |one: &office::Choice| {
        let who: Vec<String> = one.said.iter().map(|s| format!("{}@{}", s.by, s.device)).collect();
        who.join("，")
    };
    conflict
        .choices
        .iter()
        .map(|one| (one.label[0].clone(), said(one)))
        .collect()
}

fn pair(label: &str, who: &str) -> (String, String) {
    (label.to_owned(), who.to_owned())
}

fn settle(place: &Place, by: &By, conflict: &Conflict, choice: &str, reason: &str) {
    office::settle(&place.node, by, &conflict.found.name(), choice, reason, "2025-11-30").unwrap();
}

/// What settlements say for readers, with their reasons.
fn settlements(place: &Place) -> Vec<String> {
    let all = place.node.records(&Filter::kind("settlement")).unwrap();
    all.iter()
        .map(|one| format!("{}（{}）", one.text("said"), one.text("reason")))
        .collect()
}

/// Evidence of a session: its sign-in sheet.
fn sheet(place: &Place, session: &str) {
    let record = place.node.record(session).unwrap().unwrap();
    let fields = [
        ("_kind", "evidence/1"),
        ("_by", "李专管员"),
        ("evidence_kind", "sign_in_sheet"),
        ("about", session),
        ("hash", &"5d".repeat(32)),
        ("caption", "纸质签到表第１页"),
        ("date", "2025-10-16"),
    ];
    let edit = node::Edit {
        id: place.node.new_id(),
        fields: fields.map(|(name, value)| (name.into(), Some(Value::from(value)))).into(),
    };
    place.node.commit(&record.doc, vec![edit]).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn row_01_two_recorders_mark_one_person_present_and_late() {
    let mut all = Apart::new().await;
    let session = add_session(&all.a, "听评课：分数的意义", "2025-10-16");
    sheet(&all.a, &session);
    all.meet().await;
    let people = all.people.clone();
    // Apart: both have the session and each takes the roll.
    mark(&all.a, &session, &[(&people[0], "present"), (&people[1], "present")]);
    let theirs = [(people[0].clone(), "absent".to_string()), (people[1].clone(), "present".to_string())];
    office::mark_attendance(&all.b.node, &group_head(), &session, &theirs).unwrap();
    all.meet().await;

    // Nothing is lost: both marks stand side by side with who made them, and the sheet beside them.
    let conflict = all.only(&all.a);
    assert_eq!((conflict.found.matter, conflict.here), (Matter::Mark, true));
    assert_eq!(conflict.title[0], "欧阳㙇 · 听评课：分数的意义");
    let mut seen = sides(&conflict);
    seen.sort();
    assert_eq!(
        seen,
        [
            pair("到", "李专管员@青石 教务处电脑"),
            pair("缺席", "赵组长@青石 教研组电脑")
        ]
    );
    assert_eq!(conflict.evidence[0].label[0], "签到表");
    assert_eq!(conflict.evidence[0].caption, "纸质签到表第１页");
    assert_eq!(conflict.evidence[0].hash, "5d".repeat(32));
    assert!(!all.only(&all.county).here, "the county does not say who was at the school");

    // Unresolved it gives nothing, and holds up nobody else.
    office::end_session(&all.a.node, &clerk(), &session).unwrap();
    let claims = |place: &Place| office::register_claims(&place.node, &clerk(), &session, "2025-10-17").unwrap();
    assert_eq!(claims(&all.a), 1);
    let detail = office::session(&all.a.node, &session).unwrap().unwrap();
    assert_eq!((detail.row.marked, detail.row.present), (2, 1));
    all.meet().await;
    assert_eq!(all.recognise_all("2025-10-20"), 1);
    all.meet().await;
    assert_eq!((all.total(&people[0]), all.total(&people[1])), (0, 40));

    // One choice settles it, on the other computer, and everywhere after contact.
    settle(&all.b, &group_head(), &conflict, "present", "签到表上有本人签名");
    assert!(office::open_conflicts(&all.b.node).unwrap().is_empty());
    all.meet().await;
    assert!(all.open().is_empty());
    assert_eq!(settlements(&all.county), ["选定：到；不取：缺席（签到表上有本人签名）"]);
    assert_eq!(claims(&all.a), 1, "only now there is a claim of this person");
    all.meet().await;
    assert_eq!(all.recognise_all("2025-10-27"), 1);
    all.meet().await;
    assert_eq!((all.total(&people[0]), all.total(&people[1])), (40, 40));
    // What was not chosen stays readable in the history.
    let marks = all.a.node.records(&Filter::kind("attendance").person(&people[0])).unwrap();
    assert!(marks.iter().any(|mark| {
        all.a.node.history(&mark.id).unwrap().iter().any(|act| {
            act.fields.iter().any(|(field, before, after)| {
                field == "status" && *before == [Value::from("absent")] && *after == Some(Value::from("present"))
            })
        })
    }));

    // It cannot be settled twice.
    let again = office::settle(&all.a.node, &clerk(), &conflict.found.name(), "absent", "", "");
    assert!(again.unwrap_err().zh().contains("已经选定过"));
}

#[tokio::test(flavor = "multi_thread")]
async fn row_02_class_hours_edited_to_three_by_one_and_six_by_the_other() {
    let mut all = Apart::new().await;
    let people = all.people.clone();
    let session = held_session(&all.a, "集备：第３单元", "2025-10-16", &people);
    all.meet().await;
    assert_eq!(all.recognise_all("2025-10-18"), 3);
    all.meet().await;
    assert_eq!(all.total(&people[2]), 40);
    let hours = |place: &Place, by: &By, hours_c: i64| {
        let input = office::SessionInput {
            hours_c,
            ..session_input("集备：第３单元", "2025-10-16")
        };
        office::save_session(&place.node, by, &all.school, Some(&session), input).unwrap();
    };
    hours(&all.a, &clerk(), 300);
    hours(&all.b, &group_head(), 600);
    all.meet().await;

    // No silent pick and no sum: nothing counts, and nothing is registered, until one is chosen.
    let open = all.open();
    let value = open.iter().find(|one| one.matter == Matter::Value).unwrap();
    assert_eq!(value.field, "hours_c");
    let conflict = office::conflict(&all.b.node, value).unwrap();
    assert_eq!(conflict.title[0], "研修活动 集备：第３单元 · 学时");
    assert_eq!(
        sides(&conflict),
        [
            pair("3.0", "李专管员@青石 教务处电脑"),
            pair("6.0", "赵组长@青石 教研组电脑")
        ]
    );
    for person in &people {
        assert_eq!(all.total(person), 0);
    }
    let refused = office::register_claims(&all.a.node, &clerk(), &session, "2025-10-20");
    assert!(refused.unwrap_err().zh().contains("有两种说法"));
    assert_eq!(all.recognise_all("2025-10-21"), 0);

    settle(&all.a, &clerk(), &conflict, "300", "");
    all.meet().await;
    // The clerk brings the claims to three class-hours; what the county recognised was four and is decided anew.
    assert_eq!(office::register_claims(&all.a.node, &clerk(), &session, "2025-10-20").unwrap(), 3);
    all.meet().await;
    assert!(all.open().iter().all(|one| one.matter == Matter::Decision));
    assert_eq!(all.total(&people[0]), 0, "审后改动 gives nothing");
    assert_eq!(all.recognise_all("2025-10-27"), 3);
    all.meet().await;
    assert!(all.open().is_empty());
    for person in &people {
        assert_eq!(all.total(person), 30);
    }
    assert_eq!(settlements(&all.b), ["选定：3.0；不取：6.0（）"]);
}

/// Never more than was filed without a new filing.
#[tokio::test(flavor = "multi_thread")]
async fn row_02_more_class_hours_than_were_filed_are_not_registered() {
    let mut all = Apart::new().await;
    let people = all.people.clone();
    let session = add_session(&all.a, "校本培训", "2025-10-16");
    mark(&all.a, &session, &[(&people[0], "present")]);
    office::end_session(&all.a.node, &clerk(), &session).unwrap();
    all.meet().await;
    let record = all.a.node.record(&session).unwrap().unwrap();
    let filed = |place: &Place, hours_c: i64| {
        let edit = node::Edit {
            id: session.clone(),
            fields: vec![("hours_filed_c".into(), Some(Value::from(hours_c)))],
        };
        place.node.commit(&record.doc, vec![edit]).unwrap();
    };
    filed(&all.b, 300);
    let registered = |place: &Place| office::register_claims(&place.node, &clerk(), &session, "2025-10-17");
    // The other computer has not heard of it, and registers four.
    assert_eq!(registered(&all.a).unwrap(), 1);
    all.meet().await;
    assert!(registered(&all.b).unwrap_err().zh().contains("超过备案的 3.0"));
    assert_eq!(all.recognise_all("2025-10-20"), 0, "nor recognised");
    filed(&all.a, 400);
    all.meet().await;
    assert_eq!(all.recognise_all("2025-10-20"), 1);
    all.meet().await;
    assert_eq!(all.total(&people[0]), 40);
}
