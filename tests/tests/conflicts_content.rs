//! Conflicts of domain.md §3.5 in which the content under a word changes: observers, signatures, decisions, void
//! sessions, teams. Two computers of a school wrote while they were apart; each test is named after its row.

// Helpers outside #[test] functions unwrap as well: a failure is a failed test.
#![allow(clippy::unwrap_used)]

use node::office::{self, By, EntryInput, Matter};
use node::{Filter, Value};
use records::kinds::Actor;
use yanxiu_tests::apart::{Apart, mark};
use yanxiu_tests::*;

fn group_head() -> By {
    By {
        account: "赵组长".into(),
    }
}

/// Saves a record of any kind as a clerk does; its id.
fn entry(place: &Place, by: &By, kind: &str, id: Option<&str>, values: &[(&str, &str)]) -> String {
    let form = place.node.kinds().latest(kind).cloned().unwrap();
    let typed = |name: &str, text: &str| form.field(name).unwrap().read(&[text]).unwrap();
    let input = EntryInput {
        kind: kind.into(),
        id: id.map(str::to_owned),
        values: values
            .iter()
            .map(|(name, text)| (name.to_string(), typed(name, text)))
            .collect(),
    };
    office::save_entry(&place.node, by, Actor::Clerk, input).unwrap()
}

fn lesson(all: &Apart) -> String {
    entry(
        &all.a,
        &clerk(),
        "lesson",
        None,
        &[
            ("teacher", &all.people[0]),
            ("date", "2025-10-16"),
            ("subject", "数学"),
            ("topic", "分数的意义"),
            ("lesson_kind", "open"),
        ],
    )
}

fn observation(place: &Place, by: &By, lesson: &str, observer: &str, points: &str) -> String {
    entry(
        place,
        by,
        "observation",
        None,
        &[
            ("lesson", lesson),
            ("observer", observer),
            ("observer_role", "peer"),
            ("date", "2025-10-16"),
            ("strengths", "板书清楚"),
            ("points", points),
            ("debrief_by", "王𬭊"),
            ("debrief_on", "2025-10-16"),
            ("debrief_place", "录播教室"),
        ],
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn row_09_observers_who_disagree_are_no_conflict() {
    let mut all = Apart::new().await;
    let lesson = lesson(&all);
    all.meet().await;
    let (b, c) = (all.people[1].clone(), all.people[2].clone());
    let high = observation(&all.a, &clerk(), &lesson, &b, "８６");
    observation(&all.b, &group_head(), &lesson, &c, "62");
    all.meet().await;
    assert!(all.open().is_empty(), "both opinions count");
    // The teacher answers one of them.
    let whole = [("response", "下次多留时间给学生说")];
    entry(&all.a, &clerk(), "observation", Some(&high), &whole);
    all.meet().await;
    for place in [&all.a, &all.b, &all.county] {
        let said = office::opinions(&place.node, &lesson).unwrap();
        let mut each: Vec<(&str, Option<i64>, &str)> = said
            .each
            .iter()
            .map(|one| (one.observer.as_str(), one.points, one.response.as_str()))
            .collect();
        each.sort();
        assert_eq!(
            each,
            [("张三", Some(62), ""), ("王𬭊", Some(86), "下次多留时间给学生说")]
        );
        assert_eq!((said.mean_c, said.range), (Some(7400), Some((62, 86))));
    }
}

fn sign(place: &Place, by: &By, observation: &str, person: &str, role: &str) {
    let hand = office::Hand::Paper(person.into());
    office::sign(
        &place.node,
        by,
        Actor::Clerk,
        observation,
        role,
        "2025-10-16",
        hand,
    )
    .unwrap();
}

fn step(place: &Place, kind: &str, id: &str, to: &str, reason: &str) {
    office::take_step(&place.node, &clerk(), Actor::Clerk, kind, id, to, reason).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn row_10_an_observation_that_is_edited_while_it_is_being_signed() {
    let mut all = Apart::new().await;
    let lesson = lesson(&all);
    let [taught, observer] = [all.people[0].clone(), all.people[1].clone()];
    let id = observation(&all.a, &clerk(), &lesson, &observer, "86");
    step(&all.a, "observation", &id, "debriefed", "");
    all.meet().await;
    // On one computer both sign; on the other the advice is changed meanwhile.
    sign(&all.a, &clerk(), &id, &taught, "teacher");
    sign(&all.a, &clerk(), &id, &observer, "observer");
    let stand = |place: &Place| {
        let found = office::entry(&place.node, Actor::Clerk, "observation", &id)
            .unwrap()
            .unwrap();
        found.entry.stand.unwrap()
    };
    assert!(!stand(&all.a).unsigned && office::open_conflicts(&all.a.node).unwrap().is_empty());
    entry(
        &all.b,
        &group_head(),
        "observation",
        Some(&id),
        &[("strengths", "板书清楚，提问有层次")],
    );
    all.meet().await;

    // The signatures do not cover the new text, on no node, and the page says so.
    for place in [&all.a, &all.b, &all.county] {
        assert!(stand(place).unsigned, "已变更（待重签）");
    }
    let conflict = all.only(&all.a);
    assert_eq!(
        (conflict.found.matter, conflict.found.about.as_str()),
        (Matter::Signature, id.as_str())
    );
    assert!(conflict.why[0].contains("待重签") && conflict.choices.is_empty());
    let detail = office::entry(&all.a.node, Actor::Clerk, "observation", &id)
        .unwrap()
        .unwrap();
    assert!(detail.about.iter().all(|about| about.binds == Some(false)));
    // The old text stays readable.
    let change = detail.history.iter().flat_map(|done| &done.changes);
    assert!(
        change
            .into_iter()
            .any(|change| change.before[0] == "板书清楚" && change.after[0] == "板书清楚，提问有层次")
    );
    // Both sign anew, and nothing is open.
    sign(&all.b, &group_head(), &id, &taught, "teacher");
    sign(&all.b, &group_head(), &id, &observer, "observer");
    all.meet().await;
    assert!(all.open().is_empty() && !stand(&all.county).unsigned);
}

#[tokio::test(flavor = "multi_thread")]
async fn row_11_a_decision_on_an_old_version_while_the_school_edits() {
    let mut all = Apart::new().await;
    let people = all.people.clone();
    let session = held_session(&all.a, "校本教研：单元整体设计", "2025-10-16", &people[..1]);
    all.meet().await;
    // Apart: the county recognises four class-hours, the school corrects them to two.
    assert_eq!(all.recognise_all("2025-10-20"), 1);
    let input = office::SessionInput {
        hours_c: 200,
        ..session_input("校本教研：单元整体设计", "2025-10-16")
    };
    office::save_session(&all.a.node, &clerk(), &all.school, Some(&session), input).unwrap();
    office::register_claims(&all.a.node, &clerk(), &session, "2025-10-20").unwrap();
    all.meet().await;
    for place in [&all.a, &all.b, &all.county] {
        let claim = office::claims(&place.node, None, 10).unwrap().pop().unwrap();
        assert_eq!(claim.state, office::ClaimState::ChangedAfterDecision);
    }
    assert_eq!(all.total(&people[0]), 0);
    let conflict = all.only(&all.county);
    assert_eq!((conflict.found.matter, conflict.here), (Matter::Decision, true));
    assert_eq!(
        conflict.choices[0].label[0],
        "认定 0.4 学分 → 按现在的内容认定：校级（校本研修） · 实践体验 · 2.0 学时 · 0.2 学分"
    );
    assert_eq!(conflict.choices[0].said[0].by, "王审核员");
    assert!(!all.only(&all.a).here, "a school decides on no credit");
    let name = conflict.found.name();
    let refused = office::settle(
        &all.a.node,
        &clerk(),
        &name,
        &conflict.choices[0].value,
        "",
        "2025-10-27",
    );
    assert!(refused.unwrap_err().zh().contains("不在本机选定"));
    // Renewed, it covers what stands there now.
    let no_date = office::settle(
        &all.county.node,
        &auditor(),
        &name,
        &conflict.choices[0].value,
        "",
        "",
    );
    assert!(no_date.is_err(), "a decision has a date that a person typed");
    office::settle(
        &all.county.node,
        &auditor(),
        &name,
        &conflict.choices[0].value,
        "",
        "2025-10-27",
    )
    .unwrap();
    all.meet().await;
    assert!(all.open().is_empty());
    assert_eq!(all.total(&people[0]), 20);
}

/// Two auditors' computers that were apart: their verdicts stand side by side, nothing counts, one choice settles.
#[tokio::test(flavor = "multi_thread")]
async fn row_11_two_auditors_decide_differently() {
    let mut all = Apart::new().await;
    let people = all.people.clone();
    held_session(&all.a, "送课：圆的面积", "2025-10-16", &people[..1]);
    let mut second = Place::device("县进修学校 第二台");
    second.enrol(&all.county, &[(node::Role::Auditor, String::new())]);
    all.meet().await;
    all.county.up().await;
    second.up().await;
    second.knows(&all.county);
    until("the second computer holds what the hub holds", 30, || {
        apart::same(&[&all.county, &second])
    })
    .await;
    second.down().await;
    all.county.down().await;
    let claim = office::audit_queue(&second.node, 10).unwrap().pop().unwrap();
    let other = By {
        account: "钱审核员".into(),
    };
    office::decide(
        &second.node,
        &other,
        &claim.id,
        "reduced",
        Some(20),
        "no_evidence",
        "只有半天的签到",
        "2025-10-21",
    )
    .unwrap();
    assert_eq!(all.recognise_all("2025-10-20"), 1);
    all.county.up().await;
    second.up().await;
    until("the hub has both decisions", 30, || {
        all.county.node.count(&Filter::kind("decision")).unwrap() == 2
    })
    .await;
    second.down().await;
    all.county.down().await;
    all.meet().await;
    assert_eq!(all.total(&people[0]), 0);
    let conflict = all.only(&all.county);
    let mut seen: Vec<(&str, &str)> = conflict
        .choices
        .iter()
        .filter_map(|one| Some((one.label[0].as_str(), one.said.first()?.by.as_str())))
        .collect();
    seen.sort();
    assert_eq!(
        seen,
        [("核减 0.2 学分", "钱审核员"), ("认定 0.4 学分", "王审核员")]
    );
    let reduced = conflict
        .choices
        .iter()
        .find(|one| one.label[0].starts_with("核减"))
        .unwrap();
    let name = conflict.found.name();
    office::settle(
        &all.county.node,
        &auditor(),
        &name,
        &reduced.value,
        "签到表只有上午",
        "2025-10-28",
    )
    .unwrap();
    all.meet().await;
    assert!(all.open().is_empty());
    assert_eq!(all.total(&people[0]), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn row_12_a_session_is_voided_while_another_computer_adds_attendance() {
    let mut all = Apart::new().await;
    let people = all.people.clone();
    let session = held_session(&all.a, "听评课：百分数", "2025-10-16", &people[..1]);
    all.meet().await;
    assert_eq!(all.recognise_all("2025-10-18"), 1);
    all.meet().await;
    assert_eq!(all.total(&people[0]), 40);
    let without = office::void_session(&all.a.node, &clerk(), &session, " ");
    assert_eq!(without.unwrap_err().zh(), "请写明理由");
    office::void_session(&all.a.node, &clerk(), &session, "那天停电没有开").unwrap();
    mark(&all.b, &session, &[(&people[1], "present")]);
    office::register_claims(&all.b.node, &clerk(), &session, "2025-10-19").unwrap();
    all.meet().await;

    // Void with its reason; the mark and the claim that came from the other computer are kept and count nothing.
    for place in [&all.a, &all.b, &all.county] {
        let detail = office::session(&place.node, &session).unwrap().unwrap();
        assert_eq!(
            (detail.row.state.as_str(), detail.state_reason.as_str()),
            ("void", "那天停电没有开")
        );
        assert_eq!((detail.row.marked, detail.row.claims), (2, 2));
    }
    assert!(all.open().is_empty());
    assert_eq!([all.total(&people[0]), all.total(&people[1])], [0, 0]);
    assert_eq!(all.recognise_all("2025-10-20"), 0);
    // It did take place: restored, everything counts again.
    step(&all.b, "session", &session, "held", "找到签到表，开了");
    office::end_session(&all.b.node, &clerk(), &session).unwrap();
    all.meet().await;
    assert_eq!(all.total(&people[0]), 40, "its decision holds again");
    assert_eq!(all.recognise_all("2025-10-28"), 1);
    all.meet().await;
    assert_eq!([all.total(&people[0]), all.total(&people[1])], [40, 40]);
    let history = office::entry(&all.county.node, Actor::Auditor, "session", &session)
        .unwrap()
        .unwrap()
        .history;
    let states: Vec<&str> = history
        .iter()
        .flat_map(|done| &done.changes)
        .filter(|change| change.label[0] == "状态" && !change.before[0].is_empty())
        .map(|change| change.after[0].as_str())
        .collect();
    assert!(states.ends_with(&["已作废", "进行中", "已结束"]), "{states:?}");
}

/// A draft that one voids while the other takes the roll: two states, and a person says which.
#[tokio::test(flavor = "multi_thread")]
async fn row_12_void_and_held_at_once_is_asked_about() {
    let mut all = Apart::new().await;
    let people = all.people.clone();
    let session = add_session(&all.a, "师德专题学习", "2025-10-16");
    all.meet().await;
    office::void_session(&all.a.node, &clerk(), &session, "改到下周").unwrap();
    office::mark_attendance(
        &all.b.node,
        &group_head(),
        &session,
        &[(people[0].clone(), "present".into())],
    )
    .unwrap();
    all.meet().await;
    let conflict = all.only(&all.b);
    assert_eq!(
        (conflict.found.matter, conflict.found.field.as_str()),
        (Matter::Value, "state")
    );
    let mut seen: Vec<(&str, &str)> = conflict
        .choices
        .iter()
        .map(|one| (one.label[0].as_str(), one.said[0].by.as_str()))
        .collect();
    seen.sort();
    assert_eq!(seen, [("已作废", "李专管员"), ("进行中", "赵组长")]);
    office::settle(
        &all.b.node,
        &group_head(),
        &conflict.found.name(),
        "held",
        "照常开了",
        "",
    )
    .unwrap();
    all.meet().await;
    assert!(all.open().is_empty());
    assert_eq!(
        office::session(&all.a.node, &session).unwrap().unwrap().row.state,
        "held"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn row_14_one_teacher_in_a_studio_and_a_team() {
    let mut all = Apart::new().await;
    let person = all.people[0].clone();
    let group = |name: &str, kind: &str| {
        let values = [("name", name), ("group_kind", kind), ("from", "2025-09-01")];
        entry(&all.a, &clerk(), "group", None, &values)
    };
    let (studio, team, research) = (
        group("㙇名师工作室", "studio"),
        group("骨干团队", "team"),
        group("数学教研组", "research"),
    );
    all.meet().await;
    let join = |place: &Place, by: &By, group: &str, from: &str, to: &str| {
        let mut values = vec![
            ("group", group),
            ("person", person.as_str()),
            ("member_role", "member"),
            ("from", from),
        ];
        if !to.is_empty() {
            values.push(("to", to));
        }
        entry(place, by, "group_member", None, &values)
    };
    join(&all.a, &clerk(), &studio, "2025-09-10", "");
    join(&all.a, &clerk(), &research, "2025-09-10", "");
    join(&all.b, &group_head(), &team, "2025-10-01", "");
    all.meet().await;
    // Allowed by the data and visible; a research group trains nobody, so it is no question.
    let conflict = all.only(&all.b);
    assert_eq!(
        (conflict.found.matter, conflict.title[0].as_str()),
        (Matter::Groups, "欧阳㙇")
    );
    let note = &conflict.choices[0].note[0];
    assert!(
        note.contains("㙇名师工作室（2025-09-10）") && note.contains("骨干团队（2025-10-01）"),
        "{note}"
    );
    let members = all
        .county
        .node
        .records(&Filter::kind("group_member").person(&person))
        .unwrap();
    assert_eq!(members.len(), 3);
    office::settle(
        &all.a.node,
        &clerk(),
        &conflict.found.name(),
        "both",
        "县里同意兼任",
        "",
    )
    .unwrap();
    all.meet().await;
    assert!(all.open().is_empty());
    // Whoever left before is in one at a time.
    join(&all.b, &group_head(), &team, "2025-09-02", "2025-09-09");
    all.meet().await;
    assert!(all.open().is_empty());
    let value = members[0].fields.get("from");
    assert_eq!(value, Some(&Value::from("2025-09-10")));
}
