//! Conflicts of domain.md §3.5 that the county settles, between nodes that were really apart: rows 6, 7, 8, 13, 15,
//! 19, 21 and 23.

// Helpers outside #[test] functions unwrap as well: a failure is a failed test.
#![allow(clippy::unwrap_used)]

use node::office::{self, CardView, EntryInput, TeacherInput};
use node::{Edit, Value};
use records::kinds::Actor;
use yanxiu_tests::*;

/// Enters a record of any kind as the generic form does.
fn enter(place: &Place, actor: Actor, kind: &str, values: &[(&str, &str)]) -> Result<String, node::Error> {
    let by = match actor {
        Actor::Auditor | Actor::County => auditor(),
        _ => clerk(),
    };
    let kinds = place.node.kinds();
    let form = kinds.latest(kind).unwrap();
    let value = |name: &str, text: &str| match form.field(name).map(|field| field.field_type) {
        Some(
            records::kinds::FieldType::Int
            | records::kinds::FieldType::Hundredths
            | records::kinds::FieldType::Year,
        ) => Value::from(text.parse::<i64>().unwrap()),
        _ => Value::from(text),
    };
    let input = EntryInput {
        kind: kind.into(),
        id: None,
        values: values
            .iter()
            .map(|(name, text)| ((*name).to_string(), Some(value(name, text))))
            .collect(),
    };
    office::save_entry(&place.node, &by, actor, input)
}

fn step(
    place: &Place,
    actor: Actor,
    kind: &str,
    id: &str,
    to: &str,
    reason: &str,
) -> Result<(), node::Error> {
    office::take_step(&place.node, &auditor(), actor, kind, id, to, reason)
}

/// Decides on everything that waits.
fn recognise_all(county: &Place, on: &str) -> usize {
    let queue = office::audit_queue(&county.node, 1000).unwrap();
    for claim in &queue {
        office::decide(
            &county.node,
            &auditor(),
            &claim.id,
            "recognised",
            None,
            "",
            "",
            on,
        )
        .unwrap();
    }
    queue.len()
}

/// Places come together until each has what it may read, and part again.
async fn meet(county: &mut Place, others: &mut [&mut Place]) {
    county.up().await;
    for place in others.iter_mut() {
        place.knows(county);
        place.up().await;
    }
    for place in others.iter() {
        until("both sides hold the same", 30, || {
            place.node.not_at_county().unwrap() == 0
                && in_step(&place.node, &county.node)
                && place.node.views_behind().unwrap() == 0
        })
        .await;
    }
    until("the county's pages show it", 20, || {
        county.node.views_behind().unwrap() == 0
    })
    .await;
    for place in others.iter_mut() {
        place.down().await;
    }
    county.down().await;
}

/// Whether every document that the smaller one holds has the same heads at the county, and the county has no
/// ledger, plan or registry that it lacks.
fn in_step(place: &node::Node, county: &node::Node) -> bool {
    let heads = |node: &node::Node| {
        node.read(|c| {
            let mut all = std::collections::BTreeMap::new();
            for d in store::changes::documents(c)? {
                all.insert(d.key.to_string(), store::changes::heads(c, d.id)?);
            }
            Ok(all)
        })
        .unwrap()
    };
    let (here, there) = (heads(place), heads(county));
    let home = place.home_school().unwrap_or_default();
    let mine = |key: &String| {
        key == "registry"
            || key.starts_with("plan/")
            || key.starts_with("group/")
            || (!home.is_empty() && key.contains(&home))
    };
    here.iter().all(|(key, heads)| there.get(key) == Some(heads))
        && there
            .iter()
            .filter(|(key, _)| mine(key))
            .all(|(key, heads)| here.get(key) == Some(heads))
}

fn card(place: &Place, person: &str) -> CardView {
    office::credit_card(&place.node, person).unwrap().unwrap()
}

fn teacher_from(place: &Place, name: &str, code: &str, from: &str, title: &str) -> String {
    let school = place.node.home_school().unwrap();
    let input = TeacherInput {
        teacher_code: code.into(),
        name: name.into(),
        sex: "2".into(),
        birth_year: Some(1988),
        status: "serving".into(),
        post: "teacher".into(),
        title: title.into(),
        subject: "数学".into(),
        stage: "primary".into(),
        from: from.into(),
        ..TeacherInput::default()
    };
    office::save_teacher(&place.node, &clerk(), &school, None, input).unwrap()
}

/// The names on the strength of a school on a day, as a place's roster page shows them.
fn strength(place: &Place, school: &str, day: &str) -> Vec<String> {
    let mut names: Vec<String> = office::roster(&place.node, school)
        .unwrap()
        .into_iter()
        .filter(|teacher| teacher.on_strength(day))
        .map(|teacher| teacher.name)
        .collect();
    names.sort();
    names
}

fn teachers_at(county: &Place, school: &str, day: &str) -> u64 {
    let rows = office::schools_on(&county.node, day).unwrap();
    rows.into_iter().find(|row| row.id == school).unwrap().teachers
}

/// A county, two schools, and a teacher of the first who is ordered to the second from 2026-09-01 on. Both have
/// answered, and the order is in effect; the first school has not heard of that yet.
struct Transfer {
    county: Place,
    old: Place,
    new: Place,
    old_school: String,
    new_school: String,
    /// Her record at each.
    at_old: String,
    at_new: String,
}

async fn transfer() -> Transfer {
    let mut county = Place::county();
    let old_school = add_school(&county, "青石小学");
    let new_school = add_school(&county, "石门村小");
    let mut old = Place::school(&county, &old_school, "青石小学 电脑");
    let mut new = Place::school(&county, &new_school, "石门村小 电脑");
    let at_old = teacher_from(&old, "欧阳㙇", "T００1", "2020-09-01", "second");
    add_teacher(&old, "张三", "T002");
    add_teacher(&new, "李四", "T003");
    held_session(
        &old,
        "师德专题：《新时代教师职业行为十项准则》",
        "2026-05-10",
        std::slice::from_ref(&at_old),
    );
    meet(&mut county, &mut [&mut old, &mut new]).await;
    assert_eq!(recognise_all(&county, "2026-06-01"), 1);

    let order = [
        ("order_no", "云教调〔2026〕１２号"),
        ("person", &at_old),
        ("person_label", "T００1"),
        ("from", &old_school),
        ("to", &new_school),
        ("reason", "transfer"),
        ("effective", "2026-09-01"),
        ("ordered_on", "2026-07-15"),
    ];
    let order = enter(&county, Actor::Auditor, "transfer_order", &order).unwrap();
    meet(&mut county, &mut [&mut old, &mut new]).await;

    // Each school answers without a network.
    let release = [("about", order.as_str()), ("answer", "released"), ("date", "2026-07-20")];
    enter(&old, Actor::Clerk, "transfer_release", &release).unwrap();
    let at_new = teacher_from(&new, "欧阳㙇", "T００1", "2026-09-01", "first");
    let copy = office::entries(&new.node, "transfer_order", None, 10).unwrap();
    assert_eq!(copy.len(), 1);
    let accept = [
        ("about", copy[0].id.as_str()),
        ("answer", "accepted"),
        ("person", &at_new),
        ("date", "2026-07-22"),
    ];
    enter(&new, Actor::Clerk, "transfer_accept", &accept).unwrap();
    meet(&mut county, &mut [&mut old, &mut new]).await;
    step(
        &county,
        Actor::Auditor,
        "transfer_order",
        &order,
        "effective",
        "",
    )
    .unwrap();
    meet(&mut county, &mut [&mut new]).await;
    Transfer {
        county,
        old,
        new,
        old_school,
        new_school,
        at_old,
        at_new,
    }
}

/// Row 6. Transfer on 1 September; the old school records an August session in October.
#[tokio::test(flavor = "multi_thread")]
async fn row_06_hours_follow_the_person_and_the_old_school_stays_the_author() {
    let Transfer {
        mut county,
        mut old,
        mut new,
        old_school,
        new_school,
        at_old,
        at_new,
    } = transfer().await;
    // What was recognised before the transfer is on the card at the new school, which reads nothing of the old one.
    assert_eq!(card(&new, &at_new).card.total_c, 40);
    assert!(new.node.record(&at_old).unwrap().is_none());
    assert_eq!(card(&new, &at_new).lines[0].school_name, "青石小学");

    // Both apart: the old school, which has not heard that the order is in effect, enters the August session in
    // October; the new one holds a session of its own.
    let august = held_session(
        &old,
        "暑期集中备课",
        "2026-08-28",
        std::slice::from_ref(&at_old),
    );
    held_session(
        &new,
        "第１次校本研修",
        "2026-10-09",
        std::slice::from_ref(&at_new),
    );
    meet(&mut county, &mut [&mut old, &mut new]).await;
    assert_eq!(recognise_all(&county, "2026-10-20"), 2);
    meet(&mut county, &mut [&mut old, &mut new]).await;

    // Three sessions of 0.4 credits, whichever of the two names is asked for, and wherever the person is now.
    for (place, person) in [(&county, &at_old), (&county, &at_new), (&new, &at_new)] {
        let view = card(place, person);
        assert_eq!(view.card.total_c, 120, "the five-year total is not reset");
        assert_eq!(view.teacher.id, at_new);
        let mut shown: Vec<(&str, &str)> = view
            .lines
            .iter()
            .map(|line| (line.school_name.as_str(), line.date.as_str()))
            .collect();
        shown.sort();
        assert_eq!(
            shown,
            [
                ("石门村小", "2026-10-09"),
                ("青石小学", "2026-05-10"),
                ("青石小学", "2026-08-28")
            ]
        );
    }
    // The old school sees its own two, and where she went.
    let there = card(&old, &at_old);
    assert_eq!(there.card.total_c, 80);
    assert_eq!(
        there.teacher.whereabouts.went,
        Some(("2026-09-01".into(), "石门村小".into()))
    );
    // The effective date decides the school in rosters and reports.
    for place in [&county, &old] {
        assert_eq!(strength(place, &old_school, "2026-08-31"), ["张三", "欧阳㙇"]);
        assert_eq!(strength(place, &old_school, "2026-09-01"), ["张三"]);
    }
    for place in [&county, &new] {
        assert_eq!(strength(place, &new_school, "2026-08-31"), ["李四"]);
        assert_eq!(strength(place, &new_school, "2026-09-01"), ["李四", "欧阳㙇"]);
    }
    assert_eq!(teachers_at(&county, &old_school, "2026-08-31"), 2);
    assert_eq!(teachers_at(&county, &old_school, "2026-09-01"), 1);
    assert_eq!(teachers_at(&county, &new_school, "2026-08-31"), 1);
    assert_eq!(teachers_at(&county, &new_school, "2026-09-01"), 2);
    // The August session is still the old school's, and its sheet has her; one of September has not.
    let record = county.node.record(&august).unwrap().unwrap();
    assert_eq!(record.school.as_deref(), Some(old_school.as_str()));
    let named = |session: &str| {
        let detail = office::session(&old.node, session).unwrap().unwrap();
        detail.marks.iter().any(|mark| mark.person == at_old)
    };
    assert!(named(&august));
    let later = add_session(&old, "九月例会", "2026-09-17");
    assert!(!named(&later));
    let earlier = add_session(&old, "八月例会", "2026-08-20");
    assert!(named(&earlier));
    // A decision that is renewed with less is brought over with less.
    let claim = office::claims(&county.node, Some(&old_school), 10).unwrap();
    let claim = claim.iter().find(|claim| claim.session == august).unwrap();
    office::decide(
        &county.node,
        &auditor(),
        &claim.id,
        "rejected",
        None,
        "no_evidence",
        "",
        "2026-11-01",
    )
    .unwrap();
    meet(&mut county, &mut [&mut new]).await;
    assert_eq!(card(&new, &at_new).card.total_c, 80);
}

/// Row 15. The same new teacher registered by two schools offline; one session stands at both.
#[tokio::test(flavor = "multi_thread")]
async fn row_15_one_teacher_entered_by_two_schools_is_one_record() {
    let mut county = Place::county();
    let (a_school, b_school) = (add_school(&county, "双河学校"), add_school(&county, "白马村小"));
    let mut a = Place::school(&county, &a_school, "双河 电脑");
    let mut b = Place::school(&county, &b_school, "白马 电脑");
    let at_a = teacher_from(&a, "𬭊小雨", "N2025007", "2025-09-01", "none");
    let at_b = teacher_from(&b, "𬭊小雨", "N2025007", "2025-09-01", "none");
    held_session(&a, "新教师岗前培训（一）", "2025-09-10", std::slice::from_ref(&at_a));
    let both = held_session(&a, "县新教师见面会", "2025-09-12", std::slice::from_ref(&at_a));
    held_session(&b, "师徒结对", "2025-09-15", std::slice::from_ref(&at_b));
    // The second school has the record of the joint session from the first one's file: it is the same session.
    let copied = a.node.record(&both).unwrap().unwrap();
    let mut fields: Vec<(String, Option<Value>)> =
        copied.fields.into_iter().map(|(name, value)| (name, Some(value))).collect();
    fields.retain(|(name, _)| name != "state");
    fields.push(("state".into(), Some(Value::from("draft"))));
    let edit = Edit {
        id: both.clone(),
        fields,
    };
    b.node.commit(&format!("log/{b_school}/2025"), vec![edit]).unwrap();
    office::mark_attendance(&b.node, &clerk(), &both, &[(at_b.clone(), "present".into())]).unwrap();
    office::end_session(&b.node, &clerk(), &both).unwrap();
    office::register_claims(&b.node, &clerk(), &both, "2025-09-12").unwrap();

    meet(&mut county, &mut [&mut a, &mut b]).await;
    assert_eq!(recognise_all(&county, "2025-10-01"), 4);
    // Two people so far, and counted twice; the county is shown that they look alike.
    assert_eq!(card(&county, &at_a).card.total_c, 80);
    assert_eq!(card(&county, &at_b).card.total_c, 80);
    let alike = office::maybe_same(&county.node).unwrap();
    assert_eq!(alike.len(), 1);
    assert_eq!([&alike[0][0].person, &alike[0][1].person].map(|p| p == &at_a || p == &at_b), [true; 2]);
    assert!(
        office::declare_same(
            &a.node,
            &clerk(),
            (&b_school, &at_b),
            (&a_school, &at_a),
            "2025-10-08",
            ""
        )
        .unwrap_err()
        .zh()
        .contains("由县里认定")
    );

    let act = office::declare_same(
        &county.node,
        &auditor(),
        (&b_school, &at_b),
        (&a_school, &at_a),
        "2025-10-08",
        "报到证在双河学校",
    )
    .unwrap();
    assert!(office::maybe_same(&county.node).unwrap().is_empty());
    meet(&mut county, &mut [&mut a, &mut b]).await;

    // Three sessions, the joint one once, under both names and at the school that is kept.
    for (place, person) in [(&county, &at_a), (&county, &at_b), (&a, &at_a)] {
        let view = card(place, person);
        assert_eq!(view.card.total_c, 120);
        assert_eq!(view.teacher.id, at_a);
    }
    // Both histories are kept, each at its author's.
    assert_eq!(card(&county, &at_a).lines.len(), 4);
    assert_eq!(office::claims(&b.node, None, 10).unwrap().len(), 2);
    // On one strength alone.
    assert_eq!(strength(&county, &a_school, "2025-10-08"), ["𬭊小雨"]);
    assert!(strength(&county, &b_school, "2025-10-08").is_empty());
    assert!(strength(&b, &b_school, "2025-10-08").is_empty());
    let shown = office::teacher(&b.node, &at_b).unwrap().unwrap();
    assert_eq!(shown.whereabouts.kept_at.as_deref(), Some("双河学校"));
    assert_eq!(teachers_at(&county, &a_school, "2025-10-08"), 1);
    assert_eq!(teachers_at(&county, &b_school, "2025-10-08"), 0);

    // Withdrawn, they are two again, and what was brought over goes.
    office::withdraw_same(&county.node, &auditor(), &act, "查明是同名两人").unwrap();
    meet(&mut county, &mut [&mut a]).await;
    assert_eq!(card(&a, &at_a).card.total_c, 80);
    assert_eq!(card(&county, &at_b).card.total_c, 80);
}
