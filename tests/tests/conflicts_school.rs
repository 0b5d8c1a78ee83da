//! The conflicts of domain.md §3.5 that arise within a school: two of its computers wrote while they were apart,
//! then met at the county. Each test is named after its row; what is open, and every total, is the same on all three.

// Helpers outside #[test] functions unwrap as well: a failure is a failed test.
#![allow(clippy::unwrap_used)]

use node::office::{self, By, Conflict, Matter};
use node::{Filter, Value};
use yanxiu_tests::apart::{Apart, mark, same};
use yanxiu_tests::*;

fn group_head() -> By {
    By {
        account: "赵组长".into(),
    }
}

/// The values of a conflict with the accounts and devices that said each.
fn sides(conflict: &Conflict) -> Vec<(String, String)> {
    let said = |one: &office::Choice| {
        let who: Vec<String> = one
            .said
            .iter()
            .map(|s| format!("{}@{}", s.by, s.device))
            .collect();
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
    office::settle(
        &place.node,
        by,
        &conflict.found.name(),
        choice,
        reason,
        "2025-11-30",
    )
    .unwrap();
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
        fields: fields
            .map(|(name, value)| (name.into(), Some(Value::from(value))))
            .into(),
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
    mark(
        &all.a,
        &session,
        &[(&people[0], "present"), (&people[1], "present")],
    );
    let theirs = [
        (people[0].clone(), "absent".to_string()),
        (people[1].clone(), "present".to_string()),
    ];
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
    assert!(
        !all.only(&all.county).here,
        "the county does not say who was at the school"
    );

    // Unresolved it gives nothing, and holds up nobody else.
    office::end_session(&all.a.node, &clerk(), &session).unwrap();
    let claims =
        |place: &Place| office::register_claims(&place.node, &clerk(), &session, "2025-10-17").unwrap();
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
    assert_eq!(
        settlements(&all.county),
        ["选定：到；不取：缺席（签到表上有本人签名）"]
    );
    assert_eq!(claims(&all.a), 1, "only now there is a claim of this person");
    all.meet().await;
    assert_eq!(all.recognise_all("2025-10-27"), 1);
    all.meet().await;
    assert_eq!((all.total(&people[0]), all.total(&people[1])), (40, 40));
    // What was not chosen stays readable in the history.
    let marks = all
        .a
        .node
        .records(&Filter::kind("attendance").person(&people[0]))
        .unwrap();
    assert!(marks.iter().any(|mark| {
        all.a.node.history(&mark.id).unwrap().iter().any(|act| {
            act.fields.iter().any(|(field, before, after)| {
                field == "status"
                    && *before == [Value::from("absent")]
                    && *after == Some(Value::from("present"))
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
    assert_eq!(
        office::register_claims(&all.a.node, &clerk(), &session, "2025-10-20").unwrap(),
        3
    );
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

/// 送教下乡 on one day, entered by the office and by the group head who was there.
fn visit(place: &Place, by: &By, school: &str, title: &str, hours_c: i64, people: &[(&str, &str)]) -> String {
    let input = office::SessionInput {
        hours_c,
        ..session_input(title, "2025-10-16")
    };
    let session = office::save_session(&place.node, by, school, None, input).unwrap();
    mark(place, &session, people);
    office::end_session(&place.node, by, &session).unwrap();
    office::register_claims(&place.node, by, &session, "2025-10-17").unwrap();
    session
}

#[tokio::test(flavor = "multi_thread")]
async fn row_03_one_session_entered_twice_is_counted_once() {
    let mut all = Apart::new().await;
    let people = all.people.clone();
    let school = all.school.clone();
    let [p, q, r] = [&people[0], &people[1], &people[2]].map(String::as_str);
    let one = visit(
        &all.a,
        &clerk(),
        &school,
        "送教下乡：分数的意义",
        400,
        &[(p, "present"), (q, "present")],
    );
    let two = visit(
        &all.b,
        &group_head(),
        &school,
        "送教下乡《分数的意义》诊断示范",
        400,
        &[(p, "present"), (q, "late"), (r, "present")],
    );
    all.meet().await;

    let conflict = all.only(&all.a);
    assert_eq!(conflict.found.matter, Matter::Duplicate);
    assert_eq!(conflict.choices.len(), 3);
    assert!(
        conflict
            .choices
            .iter()
            .any(|one| one.note[0].contains("签到 3 人"))
    );
    // Until it is settled, one of the two is recognised for a person and the other waits.
    assert_eq!(all.recognise_all("2025-10-20"), 3);
    let waiting = office::audit_queue(&all.county.node, 10).unwrap();
    assert_eq!(waiting.len(), 2);
    let refused = recognise(&all.county, &waiting[0].id, "2025-10-20");
    assert!(refused.unwrap_err().zh().contains("一个学时只计一次"));
    all.meet().await;
    assert_eq!([p, q, r].map(|one| all.total(one)), [40, 40, 40]);

    // Said to be one: both ids stay; whoever was marked in one alone is in it, and a mark that differs is asked about.
    settle(&all.a, &clerk(), &conflict, &one, "送教专家回执写的是同一场");
    all.meet().await;
    let question = all.only(&all.b);
    assert_eq!(
        (question.found.matter, question.found.about.as_str()),
        (Matter::Mark, one.as_str())
    );
    assert_eq!(question.title[0], "王𬭊 · 送教下乡：分数的意义");
    let dropped = office::session(&all.county.node, &two).unwrap().unwrap();
    assert_eq!(dropped.row.state, "void");
    assert!(dropped.state_reason.contains("送教下乡：分数的意义"));
    assert_eq!(dropped.row.marked, 3, "its marks stay readable");
    settle(&all.b, &group_head(), &question, "present", "");
    office::register_claims(&all.b.node, &group_head(), &one, "2025-10-30").unwrap();
    all.meet().await;
    assert!(all.open().is_empty());
    all.recognise_all("2025-11-03");
    all.meet().await;
    assert_eq!([p, q, r].map(|one| all.total(one)), [40, 40, 40]);
}

#[tokio::test(flavor = "multi_thread")]
async fn row_03_two_sessions_that_are_alike_may_be_said_to_be_two() {
    let mut all = Apart::new().await;
    let person = all.people[0].clone();
    let school = all.school.clone();
    let one = [(person.as_str(), "present")];
    visit(&all.a, &clerk(), &school, "第１次研课：分数的意义", 200, &one);
    visit(
        &all.b,
        &group_head(),
        &school,
        "第２次研课：分数的意义",
        200,
        &one,
    );
    all.meet().await;
    let conflict = all.only(&all.b);
    let name = conflict.found.name();
    let refused = office::settle(&all.b.node, &group_head(), &name, "both", "  ", "").unwrap_err();
    assert_eq!(refused.zh(), "请写明理由");
    // Both computers settle it while apart, one way each: nothing is picked silently, it is asked again.
    settle(&all.b, &group_head(), &conflict, "both", "上午、下午各一次");
    settle(&all.a, &clerk(), &conflict, &conflict.found.about, "");
    all.meet().await;
    let again = all.only(&all.a);
    assert_eq!(again.found, conflict.found);
    settle(&all.a, &clerk(), &again, "both", "问过本人：上午、下午各一次");
    all.meet().await;
    assert!(all.open().is_empty());
    // Neither is void any more, and both count.
    for session in office::sessions(&all.a.node, None, 10).unwrap() {
        assert_ne!(session.state, "void");
        if session.state == "held" {
            office::end_session(&all.a.node, &clerk(), &session.id).unwrap();
        }
    }
    all.meet().await;
    assert_eq!(all.recognise_all("2025-11-03"), 2);
    all.meet().await;
    assert_eq!(all.total(&person), 40);
}

/// What a clerk types for a session with its times.
fn timed(title: &str, begins: &str, ends: &str) -> office::SessionInput {
    office::SessionInput {
        begins: begins.into(),
        ends: ends.into(),
        ..session_input(title, "2025-10-16")
    }
}

fn held(place: &Place, by: &By, school: &str, input: office::SessionInput, people: &[&str]) -> String {
    let session = office::save_session(&place.node, by, school, None, input).unwrap();
    let marks: Vec<(&str, &str)> = people.iter().map(|person| (*person, "present")).collect();
    mark(place, &session, &marks);
    office::end_session(&place.node, by, &session).unwrap();
    office::register_claims(&place.node, by, &session, "2025-10-17").unwrap();
    session
}

#[tokio::test(flavor = "multi_thread")]
async fn row_04_one_person_in_two_sessions_at_one_time() {
    let mut all = Apart::new().await;
    let people = all.people.clone();
    let school = all.school.clone();
    let [p, q, r] = [&people[0], &people[1], &people[2]].map(String::as_str);
    let town = held(
        &all.a,
        &clerk(),
        &school,
        timed("县城：新课标通识培训", "08:30", "11:30"),
        &[p, q],
    );
    let here = held(
        &all.b,
        &group_head(),
        &school,
        timed("校本：作业设计", "10:00", "12:00"),
        &[p, r],
    );
    // One that begins when the other ends is no question.
    held(
        &all.b,
        &group_head(),
        &school,
        timed("师德专题学习", "12:00", "14:00"),
        &[r],
    );
    all.meet().await;

    // Flagged for the one person alone, and not counted double: the second claim waits.
    let conflict = all.only(&all.a);
    assert_eq!(
        (conflict.found.matter, conflict.found.person.as_str()),
        (Matter::Overlap, p)
    );
    assert!(
        conflict
            .choices
            .iter()
            .any(|one| one.note[0].contains("08:30–11:30"))
    );
    assert_eq!(all.recognise_all("2025-10-20"), 4);
    all.meet().await;
    assert_eq!([p, q, r].map(|one| all.total(one)), [40, 40, 80]);

    // The school says where the person was; the mark in the other says so, and that claim gives nothing.
    settle(&all.b, &group_head(), &conflict, &town, "县里签到表上有名字");
    all.meet().await;
    assert!(all.open().is_empty());
    let absent = office::session(&all.county.node, &here).unwrap().unwrap();
    let absent = absent.marks.iter().find(|mark| mark.person == p).unwrap();
    assert_eq!(absent.status.as_deref(), Some("absent"));
    all.recognise_all("2025-10-27");
    all.meet().await;
    assert_eq!([p, q, r].map(|one| all.total(one)), [40, 40, 80]);
}

/// Two auditors' computers that were apart recognise one claim each: the total does not count the time twice.
#[tokio::test(flavor = "multi_thread")]
async fn row_04_both_recognised_before_anybody_saw_it_count_once_and_the_county_may_settle_it() {
    let mut all = Apart::new().await;
    let person = all.people[0].clone();
    let school = all.school.clone();
    let one = [person.as_str()];
    // The second computer of the county meets the group head's computer alone, the hub the office's.
    let mut second = Place::device("县进修学校 第二台");
    second.enrol(&all.county, &[(node::Role::Auditor, String::new())]);
    all.meet().await;
    all.county.up().await;
    second.up().await;
    second.knows(&all.county);
    until("the second computer holds what the hub holds", 30, || {
        same(&[&all.county, &second])
    })
    .await;
    second.down().await;
    all.county.down().await;
    let town = held(
        &all.a,
        &clerk(),
        &school,
        timed("县城：新课标通识培训", "08:30", "11:30"),
        &one,
    );
    held(
        &all.b,
        &group_head(),
        &school,
        timed("校本：作业设计", "10:00", "12:00"),
        &one,
    );
    second.up().await;
    all.b.up().await;
    all.b.knows(&second);
    let waits = |place: &Place| {
        place.node.views_behind().unwrap() == 0 && office::audit_queue(&place.node, 10).unwrap().len() == 1
    };
    until("the second auditor has one claim", 30, || waits(&second)).await;
    second.down().await;
    all.b.down().await;
    let decide = |place: &Place, on: &str| {
        let claim = office::audit_queue(&place.node, 10).unwrap().pop().unwrap();
        recognise(place, &claim.id, on).unwrap();
    };
    decide(&second, "2025-10-21");
    all.county.up().await;
    all.a.up().await;
    all.a.knows(&all.county);
    until("the hub has the other claim", 30, || waits(&all.county)).await;
    decide(&all.county, "2025-10-20");
    all.a.down().await;
    second.up().await;
    second.knows(&all.county);
    until("the hub has the second decision", 30, || {
        all.county.node.count(&Filter::kind("decision")).unwrap() == 2
    })
    .await;
    second.down().await;
    all.county.down().await;
    all.meet().await;

    let conflict = all.only(&all.county);
    assert_eq!(conflict.found.matter, Matter::Overlap);
    assert_eq!(all.total(&person), 40, "one of the two alone");
    assert!(conflict.here, "an auditor may settle it as well");
    settle(&all.county, &auditor(), &conflict, &town, "与县里签到重复");
    all.meet().await;
    assert!(all.open().is_empty());
    assert_eq!(all.total(&person), 40);
    let claims = office::claims(&all.a.node, None, 10).unwrap();
    let refused = claims.iter().find(|claim| claim.session != town).unwrap();
    assert!(
        matches!(&refused.state, office::ClaimState::Decided { verdict, reason, .. } if verdict == "rejected" && reason == "duplicate"),
        "{refused:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn row_05_one_activity_claimed_in_two_channels() {
    let mut all = Apart::new().await;
    let people = all.people.clone();
    let school = all.school.clone();
    let session = add_session(&all.a, "坊主进校：分数的意义", "2025-10-16");
    let marks: Vec<(&str, &str)> = people.iter().map(|one| (one.as_str(), "present")).collect();
    mark(&all.a, &session, &marks);
    office::end_session(&all.a.node, &clerk(), &session).unwrap();
    all.meet().await;
    // One computer claims it as 校本; on the other it is made the county's workshop, and claimed as that.
    office::register_claims(&all.a.node, &clerk(), &session, "2025-10-17").unwrap();
    let input = office::SessionInput {
        channel: "district".into(),
        ..session_input("坊主进校：分数的意义", "2025-10-16")
    };
    office::save_session(&all.b.node, &group_head(), &school, Some(&session), input).unwrap();
    office::register_claims(&all.b.node, &group_head(), &session, "2025-10-17").unwrap();
    all.meet().await;
    assert_eq!(all.open().len(), 3, "a channel for each person");
    for found in all.open() {
        assert_eq!(found.matter, Matter::Claims);
    }
    let of = |all: &Apart, person: &str| {
        let open = all.open();
        let found = open.iter().find(|one| one.person == person).unwrap();
        office::conflict(&all.county.node, found).unwrap()
    };
    let (first, second) = (of(&all, &people[0]), of(&all, &people[1]));
    let mut labels: Vec<&str> = first.choices.iter().map(|one| one.label[0].as_str()).collect();
    labels.sort();
    assert_eq!(
        labels,
        [
            "区（县）级 · 实践体验 · 4.0 学时 · 0.4 学分",
            "校级（校本研修） · 实践体验 · 4.0 学时 · 0.4 学分"
        ]
    );
    // An hour counts once: of two claims one is recognised at the most.
    assert_eq!(all.recognise_all("2025-10-20"), 3);
    all.meet().await;
    for person in &people {
        assert_eq!(all.total(person), 40);
    }
    let value = |conflict: &Conflict, start: &str| {
        let found = conflict
            .choices
            .iter()
            .find(|one| one.label[0].starts_with(start));
        found.unwrap().value.clone()
    };
    // The school settles one of them, the county another one: 不予认定, 重复.
    settle(
        &all.a,
        &clerk(),
        &first,
        &value(&first, "区（县）级"),
        "坊主的名单在县里",
    );
    settle(&all.county, &auditor(), &second, &value(&second, "校级"), "");
    all.meet().await;
    assert_eq!(
        all.open()
            .iter()
            .filter(|one| one.matter == Matter::Claims)
            .count(),
        1
    );
    let claims = office::claims(&all.b.node, None, 10).unwrap();
    let verdicts = |person: &str| -> Vec<(String, String, String)> {
        let own = claims.iter().filter(|claim| claim.person == person);
        let mut all: Vec<_> = own
            .map(|claim| match &claim.state {
                office::ClaimState::Decided { verdict, reason, .. } => {
                    (claim.channel.clone(), verdict.clone(), reason.clone())
                }
                other => (claim.channel.clone(), format!("{other:?}"), String::new()),
            })
            .collect();
        all.sort();
        all
    };
    assert_eq!(
        verdicts(&people[1])[0],
        ("district".into(), "rejected".into(), "duplicate".into())
    );
    assert!(
        verdicts(&people[0])
            .iter()
            .all(|(channel, _, _)| channel == "district")
    );
    all.recognise_all("2025-10-27");
    all.meet().await;
    assert_eq!(all.total(&people[0]), 40, "once, in the channel that was chosen");
}
