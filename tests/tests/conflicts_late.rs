//! Conflicts of domain.md §3.5 of what comes late, twice, under another name or from a device that may no longer:
//! rules, clocks, names, missing records, imports, revoked auditors. Each test is named after its row.

// Helpers outside #[test] functions unwrap as well: a failure is a failed test.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use node::office::{self, By, Matter, SessionInput, TeacherInput};
use node::{Edit, Filter, Role, Value, enrol};
use records::kinds::Actor;
use yanxiu_tests::apart::{Apart, mark, same};
use yanxiu_tests::*;

const R1: &str = include_str!("../../crates/records/rules/r1_five_year_36_54.toml");
const RULES: &str = "seed003.five-year-36-54";

fn group_head() -> By {
    By {
        account: "赵组长".into(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn row_16_new_rules_arrive_after_a_computer_has_computed_with_the_old() {
    let mut all = Apart::new().await;
    let people = all.people.clone();
    let both = add_session(&all.a, "两台都登分", "2025-10-23");
    mark(&all.a, &both, &[(&people[1], "present")]);
    office::end_session(&all.a.node, &clerk(), &both).unwrap();
    all.meet().await;
    // The county raises the total from 36 to 40 credits; one computer of the school hears of it, the other does not.
    let text = R1
        .replacen("version = 1", "version = 2", 1)
        .replacen(r#"min = "36""#, r#"min = "40""#, 1)
        .replacen(r#"min_hours = "360""#, r#"min_hours = "400""#, 1);
    office::publish(
        &all.county.node,
        &auditor(),
        &text,
        "2025-10-01",
        "总学分提高到40",
    )
    .unwrap();
    all.county.up().await;
    all.a.up().await;
    all.a.knows(&all.county);
    until("one computer has the new rules", 30, || {
        all.a.node.rules().newest(RULES).unwrap().head.version == 2 && same(&[&all.county, &all.a])
    })
    .await;
    all.a.down().await;
    all.county.down().await;
    held_session(&all.a, "新规则登分", "2025-11-06", &people[..1]);
    held_session(&all.b, "旧规则登分", "2025-10-16", &people[..1]);
    office::register_claims(&all.a.node, &clerk(), &both, "2025-11-06").unwrap();
    office::register_claims(&all.b.node, &group_head(), &both, "2025-11-06").unwrap();
    let before = office::credit_card(&all.b.node, &people[0]).unwrap().unwrap();
    assert_eq!(
        before.card.rule_ref,
        format!("{RULES}/1"),
        "a total names its rules"
    );
    all.meet().await;

    // One person's claim of one session under both: named as such, and settled by a person.
    let conflict = all.only(&all.a);
    assert_eq!(
        (conflict.found.matter, &conflict.found.person),
        (Matter::Claims, &people[1])
    );
    let mut rules: Vec<&str> = conflict.choices.iter().map(|one| one.note[0].as_str()).collect();
    rules.sort();
    assert_eq!(rules, [format!("规则 {RULES}/1"), format!("规则 {RULES}/2")]);
    let new = conflict
        .choices
        .iter()
        .find(|one| one.note[0].ends_with("/2"))
        .unwrap();
    office::settle(&all.a.node, &clerk(), &conflict.found.name(), &new.value, "", "").unwrap();
    all.meet().await;
    assert!(all.open().is_empty());

    assert_eq!(
        all.recognise_all("2025-11-20"),
        3,
        "of the twins one is recognised"
    );
    all.meet().await;
    assert_eq!([all.total(&people[0]), all.total(&people[1])], [80, 40]);
    let cards: Vec<_> = [&all.a, &all.b, &all.county]
        .map(|place| office::credit_card(&place.node, &people[0]).unwrap().unwrap())
        .into();
    for card in &cards {
        assert_eq!(card.card.rule_ref, format!("{RULES}/2"));
        assert_eq!(card.cutoff, cards[0].cutoff, "a total names what it rests on");
        assert!(!card.cutoff.is_empty());
        let under: Vec<(&str, usize, i64, i64)> = card
            .versions
            .iter()
            .map(|v| (v.reference.as_str(), v.registered, v.total_c, v.wanted_c))
            .collect();
        let name = |version: u32| format!("{RULES}/{version}");
        assert_eq!(
            under,
            [(name(1).as_str(), 1, 80, 3600), (name(2).as_str(), 1, 80, 4000)]
        );
        assert_eq!(card.differences[0].wanted_c, [Some(3600), Some(4000)]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn row_17_one_computer_believes_1970_and_the_other_2035() {
    let clocks = [60_000, 2_051_222_400_000].map(|clock| Arc::new(AtomicI64::new(clock)));
    let [a, b] = [("青石 教务处电脑", &clocks[0]), ("青石 教研组电脑", &clocks[1])]
        .map(|(label, clock)| Place::device_with_clock(label, clock.clone()));
    let mut all = Apart::of(a, b).await;
    let person = all.people[0].clone();
    let late = held_session(
        &all.a,
        "十一月的活动",
        "2025-11-06",
        std::slice::from_ref(&person),
    );
    let early = held_session(&all.b, "十月的活动", "2025-10-16", std::slice::from_ref(&person));
    all.meet().await;
    // In the order of the dates that people typed, on every node; marked, not refused.
    for place in [&all.a, &all.b, &all.county] {
        let listed: Vec<String> = office::sessions(&place.node, None, 10)
            .unwrap()
            .into_iter()
            .map(|session| session.title)
            .collect();
        assert_eq!(listed, ["十一月的活动", "十月的活动"]);
    }
    for id in [&late, &early] {
        assert!(all.county.node.made_by_wrong_clock(id));
    }
    assert_eq!(all.recognise_all("2025-11-20"), 2);
    all.meet().await;
    assert_eq!(all.total(&person), 80);

    let school = all.school.clone();
    let place_of = |place: &Place, by: &By, at: &str| {
        let input = SessionInput {
            place: at.into(),
            ..session_input("十月的活动", "2025-10-16")
        };
        office::save_session(&place.node, by, &school, Some(&early), input).unwrap();
    };
    let shown = |place: &Place| place.node.record(&early).unwrap().unwrap();
    // 2035 writes first, 1970 has seen it and writes after: what came after stands, whatever the clocks say.
    place_of(&all.b, &group_head(), "二楼会议室");
    all.meet().await;
    place_of(&all.a, &clerk(), "录播教室");
    all.meet().await;
    for place in [&all.a, &all.b, &all.county] {
        assert_eq!(
            (shown(place).text("place"), shown(place).others.len()),
            ("录播教室", 0)
        );
    }
    // At the same time no clock decides: two values of a field that counts are asked about.
    let hours = |place: &Place, by: &By, hours_c: i64| {
        let input = SessionInput {
            hours_c,
            place: "录播教室".into(),
            ..session_input("十月的活动", "2025-10-16")
        };
        office::save_session(&place.node, by, &school, Some(&early), input).unwrap();
    };
    hours(&all.a, &clerk(), 200);
    hours(&all.b, &group_head(), 300);
    all.meet().await;
    let open = all.open();
    let value = open.iter().find(|one| one.matter == Matter::Value).unwrap();
    let conflict = office::conflict(&all.county.node, value).unwrap();
    let labels: Vec<&str> = conflict.choices.iter().map(|one| one.label[0].as_str()).collect();
    assert_eq!(labels, ["2.0", "3.0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn row_18_one_person_under_two_ways_of_writing_the_name() {
    let mut all = Apart::new().await;
    let person = all.people[1].clone();
    let school = all.school.clone();
    let rename = |place: &Place, by: &By, name: &str| {
        let input = teacher_input(name, "T002");
        office::save_teacher(&place.node, by, &school, Some(&person), input).unwrap();
    };
    // One computer cannot show 𬭊 and writes it otherwise; the other records under the old name meanwhile.
    rename(&all.a, &clerk(), "王金衡");
    held_session(&all.b, "听评课", "2025-10-16", std::slice::from_ref(&person));
    held_session(&all.a, "集备", "2025-10-23", std::slice::from_ref(&person));
    all.meet().await;
    assert_eq!(all.recognise_all("2025-11-01"), 2);
    all.meet().await;
    assert_eq!(
        all.total(&person),
        80,
        "one person, by the record and never by the name"
    );
    for place in [&all.a, &all.b, &all.county] {
        assert_eq!(office::roster(&place.node, &school).unwrap().len(), 3);
        assert_eq!(office::name_variants(&place.node, &person).unwrap(), ["王𬭊"]);
    }
    // Both correct it at once, differently: asked about, and nothing else is held up.
    rename(&all.a, &clerk(), "王𬭊");
    rename(&all.b, &group_head(), "王𬬭");
    all.meet().await;
    let conflict = all.only(&all.b);
    assert_eq!(
        (conflict.found.matter, conflict.found.field.as_str()),
        (Matter::Value, "name")
    );
    assert_eq!(all.total(&person), 80);
    office::settle(
        &all.b.node,
        &group_head(),
        &conflict.found.name(),
        "王𬭊",
        "身份证上是这个字",
        "",
    )
    .unwrap();
    all.meet().await;
    assert!(all.open().is_empty());
    let mut names = office::name_variants(&all.county.node, &person).unwrap();
    names.sort();
    assert_eq!(names, ["王金衡", "王𬬭"]);
    assert_eq!(
        office::teacher(&all.a.node, &person).unwrap().unwrap().name,
        "王𬭊"
    );
}

/// Brings one document of a place to another, admitted as a piece of a session would be whose rest was cut off.
fn carry(from: &Place, to: &Place, document: &str) {
    let mut offered = from.node.read(store::outgoing::everything).unwrap();
    offered.retain(|one| one.document.as_str() == document);
    let (policy, roll) = (node::document_policy(), to.node.roll());
    let taken = to
        .node
        .local(|c| store::admitting::take(c, &policy, &roll, &offered, Some(&from.node.id()), 0))
        .unwrap();
    assert_eq!(taken.stored, offered.len());
    to.node.refresh_views().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn row_20_attendance_that_arrives_before_its_session() {
    let mut all = Apart::new().await;
    let person = all.people[0].clone();
    let school = all.school.clone();
    // The session of August stands in the log of its school year; what was recorded of it in September in the next.
    let session = add_session(&all.a, "暑期集中研修", "2026-08-28");
    let make = |fields: &[(&str, Value)]| {
        let id = all.a.node.new_id();
        let fields = fields
            .iter()
            .map(|(name, value)| (name.to_string(), Some(value.clone())))
            .collect();
        let edit = Edit {
            id: id.clone(),
            fields,
        };
        all.a
            .node
            .commit(&format!("log/{school}/2026"), vec![edit])
            .unwrap();
        id
    };
    let text = |text: &str| Value::from(text);
    make(&[
        ("_kind", text("attendance/2")),
        ("session", text(&session)),
        ("person", text(&person)),
        ("status", text("present")),
    ]);
    let claim = make(&[
        ("_kind", text("claim/1")),
        ("session", text(&session)),
        ("person", text(&person)),
        ("rule_ref", text(&format!("{RULES}/1"))),
        ("category", text("practice")),
        ("channel", text("school")),
        ("hours_c", Value::from(400)),
        ("credits_c", Value::from(40)),
        ("claimed_on", text("2026-09-05")),
    ]);
    let over = Edit {
        id: session.clone(),
        fields: vec![("state".into(), Some(text("ended")))],
    };
    all.a
        .node
        .commit(&format!("log/{school}/2025"), vec![over])
        .unwrap();
    carry(&all.a, &all.county, &format!("log/{school}/2026"));
    // Not lost, and not counted: it waits for its session, and nobody is asked to choose anything.
    assert!(office::session(&all.county.node, &session).unwrap().is_none());
    let waiting = office::claims(&all.county.node, None, 10).unwrap().pop().unwrap();
    assert_eq!(
        (
            waiting.id.as_str(),
            waiting.session_title.as_str(),
            waiting.disputed
        ),
        (claim.as_str(), "", true)
    );
    let refused = recognise(&all.county, &claim, "2026-09-10");
    assert!(refused.is_err());
    assert!(office::open_conflicts(&all.county.node).unwrap().is_empty());
    let evidence = all.county.node.records(&Filter::kind("attendance")).unwrap();
    let raw = office::entry(&all.county.node, Actor::Auditor, "attendance", &evidence[0].id)
        .unwrap()
        .unwrap();
    assert!(
        raw.fields
            .iter()
            .any(|field| field.id == "session" && field.value[0] == "（待同步）")
    );

    // It arrives with the rest, and the mark counts in it.
    all.meet().await;
    let detail = office::session(&all.county.node, &session).unwrap().unwrap();
    assert_eq!((detail.row.marked, detail.row.present), (1, 1));
    assert!(
        !office::claims(&all.county.node, None, 10)
            .unwrap()
            .pop()
            .unwrap()
            .disputed
    );
    assert_eq!(all.recognise_all("2026-09-12"), 1);
    all.meet().await;
    assert_eq!(all.total(&person), 40);
}

#[tokio::test(flavor = "multi_thread")]
async fn row_22_the_same_roster_imported_on_two_computers() {
    let mut all = Apart::new().await;
    let school = all.school.clone();
    let row = |name: &str, code: &str, birth: i64| {
        let input = TeacherInput {
            teacher_code: code.into(),
            name: name.into(),
            sex: "1".into(),
            birth_year: Some(birth),
            status: "serving".into(),
            post: "teacher".into(),
            title: "second".into(),
            from: "2025-09-01".into(),
            ..TeacherInput::default()
        };
        (None, input)
    };
    // Two people of one name without a code are two.
    let file = || {
        vec![
            row("李㙇", "T010", 1990),
            row("陈静", "", 1988),
            row("陈静", "", 1971),
        ]
    };
    assert_eq!(
        office::save_teachers(&all.a.node, &clerk(), &school, file()).unwrap(),
        3
    );
    assert_eq!(
        office::save_teachers(&all.b.node, &group_head(), &school, file()).unwrap(),
        3
    );
    let of = |place: &Place, name: &str| {
        let found = office::roster(&place.node, &school).unwrap();
        found.into_iter().find(|teacher| teacher.name == name).unwrap().id
    };
    let [one, other] = [of(&all.a, "李㙇"), of(&all.b, "李㙇")];
    assert_eq!(one, other, "each computer knows the row by its key");
    held_session(&all.a, "听评课", "2025-10-16", std::slice::from_ref(&one));
    held_session(&all.b, "集备", "2025-10-23", std::slice::from_ref(&other));
    all.meet().await;
    // No double rows, no question, and what both recorded is one person's.
    assert!(all.open().is_empty());
    for place in [&all.a, &all.b, &all.county] {
        let roster = office::roster(&place.node, &school).unwrap();
        assert_eq!(roster.len(), 6);
        assert!(roster.iter().all(|teacher| !teacher.disputed));
        assert_eq!(
            place
                .node
                .records(&Filter::kind("staff_fact").person(&one))
                .unwrap()
                .len(),
            1
        );
    }
    assert_eq!(all.recognise_all("2025-11-01"), 2);
    all.meet().await;
    assert_eq!(all.total(&one), 80);
    // Once more, on either: nothing new.
    for (place, by) in [(&all.a, clerk()), (&all.b, group_head())] {
        assert_eq!(
            office::save_teachers(&place.node, &by, &school, file()).unwrap(),
            0
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn row_24_a_retired_auditors_computer_still_decides() {
    let mut all = Apart::new().await;
    let people = all.people.clone();
    let mut retired = Place::device("已调走的审核员 笔记本");
    retired.enrol(&all.county, &[(Role::Auditor, String::new())]);
    held_session(&all.a, "撤销前审的", "2025-10-16", &people[..1]);
    all.meet().await;
    all.county.up().await;
    retired.up().await;
    retired.knows(&all.county);
    until("the laptop holds what the hub holds", 30, || {
        same(&[&all.county, &retired])
    })
    .await;
    let gone = By {
        account: "钱审核员".into(),
    };
    let decide = |place: &Place, title: &str| {
        let queue = office::audit_queue(&place.node, 10).unwrap();
        let claim = queue.iter().find(|claim| claim.session_title == title).unwrap();
        office::decide(
            &place.node,
            &gone,
            &claim.id,
            "recognised",
            None,
            "",
            "",
            "2025-10-20",
        )
        .unwrap();
    };
    decide(&retired, "撤销前审的");
    held_session(&all.b, "撤销后审的", "2025-10-17", &people[1..2]);
    all.b.up().await;
    all.b.knows(&all.county);
    until("all of it is known to all", 30, || {
        same(&[&all.county, &retired, &all.b])
            && all.county.node.count(&Filter::kind("decision")).unwrap() == 1
    })
    .await;
    for place in [&mut retired, &mut all.b, &mut all.county] {
        place.down().await;
    }
    // Retired: the county revokes the laptop, which is offline and goes on deciding with an older date.
    enrol::revoke(&all.county.node, &retired.node.id()).unwrap();
    decide(&retired, "撤销后审的");
    all.county.up().await;
    retired.up().await;
    until("the laptop is told", 30, || {
        retired.event_codes().contains(&"they-refused-Revoked".into())
    })
    .await;
    retired.down().await;
    all.county.down().await;
    // A school's computer that met it takes its word for nothing either.
    all.meet().await;
    assert_eq!([all.total(&people[0]), all.total(&people[1])], [40, 0]);
    assert_eq!(all.county.node.count(&Filter::kind("decision")).unwrap(), 1);
    // What it said waits for somebody who may: the claim stands in the queue.
    let queue = office::audit_queue(&all.county.node, 10).unwrap();
    assert_eq!((queue.len(), queue[0].session_title.as_str()), (1, "撤销后审的"));
    assert_eq!(all.recognise_all("2025-10-30"), 1);
    all.meet().await;
    assert_eq!([all.total(&people[0]), all.total(&people[1])], [40, 40]);
}
