//! Rows 6, 7 and 15: a teacher moves, or is entered twice.

use node::office::{self, TeacherInput};
use node::{Edit, Value};
use records::kinds::Actor;
use yanxiu_tests::*;

use crate::common::*;

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
    let august = held_session(&old, "暑期集中备课", "2026-08-28", std::slice::from_ref(&at_old));
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

/// Row 7. Old and new school both edit the profile during a transfer, and each keeps a plan.
#[tokio::test(flavor = "multi_thread")]
async fn row_07_profile_facts_are_dated_rows_by_author_and_both_plans_stay() {
    let Transfer {
        mut county,
        mut old,
        mut new,
        old_school,
        new_school,
        at_old,
        at_new,
    } = transfer().await;
    // Apart: the old school enters a title from October on, the new one a post from the next March on.
    let input = |from: &str, post: &str, title: &str| TeacherInput {
        teacher_code: "T００1".into(),
        name: "欧阳㙇".into(),
        sex: "2".into(),
        birth_year: Some(1988),
        status: "serving".into(),
        post: post.into(),
        title: title.into(),
        subject: "数学".into(),
        stage: "primary".into(),
        from: from.into(),
        ..TeacherInput::default()
    };
    let october = input("2026-10-01", "teacher", "senior");
    office::save_teacher(&old.node, &clerk(), &old_school, Some(&at_old), october).unwrap();
    let march = input("2027-03-01", "research_dean", "first");
    office::save_teacher(&new.node, &clerk(), &new_school, Some(&at_new), march).unwrap();
    for (place, person, title) in [
        (&old, &at_old, "五年研修计划（甲）"),
        (&new, &at_new, "五年研修计划（乙）"),
    ] {
        let plan = [
            ("person", person.as_str()),
            ("title", title),
            ("term", "five_year"),
            ("from", "2026-09-01"),
            ("text", "读课标，磨一节课"),
        ];
        enter(place, Actor::Clerk, "personal_plan", &plan).unwrap();
    }
    meet(&mut county, &mut [&mut old, &mut new]).await;

    let rows: Vec<(String, String, String, bool)> = card(&county, &at_old)
        .profile
        .into_iter()
        .map(|row| {
            (
                row.from,
                row.school_name,
                format!("{}/{}", row.post, row.title),
                row.used,
            )
        })
        .collect();
    let row = |from: &str, school: &str, what: &str, used| {
        (from.to_string(), school.to_string(), what.to_string(), used)
    };
    assert_eq!(
        rows,
        [
            row("2020-09-01", "青石小学", "teacher/second", true),
            row("2026-09-01", "石门村小", "teacher/first", true),
            // Kept, by its author, and not used: she was elsewhere by then.
            row("2026-10-01", "青石小学", "teacher/senior", false),
            row("2027-03-01", "石门村小", "research_dean/first", true),
        ]
    );
    let shown = card(&county, &at_old).teacher;
    assert_eq!(
        (shown.post.as_str(), shown.title.as_str(), shown.disputed),
        ("research_dean", "first", false)
    );
    // Each school's own view of her is what it wrote.
    let at = |place: &Place, person: &str| office::teacher(&place.node, person).unwrap().unwrap().title;
    assert_eq!(
        (at(&old, &at_old), at(&new, &at_new)),
        ("senior".into(), "first".into())
    );
    let mut plans: Vec<(String, String)> = office::entries(&county.node, "personal_plan", None, 10)
        .unwrap()
        .into_iter()
        .map(|plan| (plan.title, plan.school_name))
        .collect();
    plans.sort();
    assert_eq!(
        plans,
        [
            ("五年研修计划（乙）".into(), "石门村小".into()),
            ("五年研修计划（甲）".to_string(), "青石小学".to_string()),
        ]
    );
    assert_eq!(
        office::entries(&old.node, "personal_plan", None, 10)
            .unwrap()
            .len(),
        1
    );
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
    held_session(
        &a,
        "新教师岗前培训（一）",
        "2025-09-10",
        std::slice::from_ref(&at_a),
    );
    let both = held_session(&a, "县新教师见面会", "2025-09-12", std::slice::from_ref(&at_a));
    held_session(&b, "师徒结对", "2025-09-15", std::slice::from_ref(&at_b));
    // The second school has the record of the joint session from the first one's file: it is the same session.
    let copied = a.node.record(&both).unwrap().unwrap();
    let mut fields: Vec<(String, Option<Value>)> = copied
        .fields
        .into_iter()
        .map(|(name, value)| (name, Some(value)))
        .collect();
    fields.retain(|(name, _)| name != "state");
    fields.push(("state".into(), Some(Value::from("draft"))));
    let edit = Edit {
        id: both.clone(),
        fields,
    };
    b.node
        .commit(&format!("log/{b_school}/2025"), vec![edit])
        .unwrap();
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
    assert_eq!(
        [&alike[0][0].person, &alike[0][1].person].map(|p| p == &at_a || p == &at_b),
        [true; 2]
    );
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
    step(
        &county,
        Actor::County,
        "same_person",
        &act,
        "withdrawn",
        "查明是同名两人",
    )
    .unwrap();
    meet(&mut county, &mut [&mut a]).await;
    assert_eq!(card(&a, &at_a).card.total_c, 80);
    assert_eq!(card(&county, &at_b).card.total_c, 80);
}

/// Row 4, two towns on one day: her old school marks her on a day on which her new one does too.
#[tokio::test(flavor = "multi_thread")]
async fn row_04_one_teacher_at_two_schools_at_one_time() {
    let Transfer {
        mut county,
        mut old,
        mut new,
        old_school,
        new_school,
        at_old,
        at_new,
    } = transfer().await;
    let there = held_session(&old, "青石：听评课", "2026-09-10", std::slice::from_ref(&at_old));
    let here = held_session(
        &new,
        "石门：作业设计",
        "2026-09-10",
        std::slice::from_ref(&at_new),
    );
    meet(&mut county, &mut [&mut old, &mut new]).await;
    // Flagged at the county, which alone reads both, for the one person.
    let open = office::open_conflicts(&county.node).unwrap();
    assert_eq!(open.len(), 1);
    assert_eq!(open[0].matter, office::Matter::Overlap);
    let laid_out = office::conflict(&county.node, &open[0]).unwrap();
    let lines: Vec<&str> = laid_out.choices.iter().map(|one| one.note[0].as_str()).collect();
    for school in ["青石小学", "石门村小"] {
        assert!(lines.iter().any(|line| line.contains(school)), "{lines:?}");
    }
    for place in [&old, &new] {
        assert!(office::open_conflicts(&place.node).unwrap().is_empty());
    }
    // Not counted double: the second claim waits, and says for what.
    let queue = office::audit_queue(&county.node, 10).unwrap();
    let of = |school: &str| queue.iter().find(|claim| claim.school == school).unwrap();
    recognise(&county, &of(&old_school).id, "2026-09-20").unwrap();
    let refused = recognise(&county, &of(&new_school).id, "2026-09-20").unwrap_err();
    assert!(refused.to_string().contains("青石：听评课"), "{refused}");
    meet(&mut county, &mut [&mut old, &mut new]).await;
    for (place, person) in [(&county, &at_new), (&new, &at_new)] {
        assert_eq!(card(place, person).card.total_c, 80);
    }
    // The county asks, and she was at the new school: the other claim gives nothing, and this one may be recognised.
    office::settle(
        &county.node,
        &auditor(),
        &open[0].name(),
        &here,
        "石门村小签到表上有本人签字",
        "2026-09-25",
    )
    .unwrap();
    assert!(office::open_conflicts(&county.node).unwrap().is_empty());
    recognise(&county, &of(&new_school).id, "2026-09-25").unwrap();
    meet(&mut county, &mut [&mut old, &mut new]).await;
    for (place, person) in [(&county, &at_new), (&new, &at_new)] {
        let view = card(place, person);
        assert_eq!(view.card.total_c, 80);
        let counted = |session: &String| {
            view.lines.iter().any(|line| {
                line.session == *session
                    && matches!(&line.state, office::ClaimState::Decided { verdict, .. } if verdict == "recognised")
            })
        };
        assert!(counted(&here) && !counted(&there));
    }
}

/// Row 6: what followed her goes when the old school takes back what it rests on, and nobody at the county does
/// anything.
#[tokio::test(flavor = "multi_thread")]
async fn row_06_what_followed_the_person_goes_with_its_ground() {
    let Transfer {
        mut county,
        mut old,
        mut new,
        at_new,
        ..
    } = transfer().await;
    assert_eq!(card(&new, &at_new).card.total_c, 40);
    let session = office::sessions(&old.node, None, 10).unwrap().pop().unwrap().id;
    office::void_session(&old.node, &clerk(), &session, "核对后没有开").unwrap();
    meet(&mut county, &mut [&mut old]).await;
    until("the hub has taken it back", 20, || {
        card(&county, &at_new).card.total_c == 0
            && county
                .node
                .records(&node::Filter::kind("carried_credit"))
                .unwrap()
                .iter()
                .all(|line| line.text("state") == "withdrawn")
    })
    .await;
    meet(&mut county, &mut [&mut new]).await;
    assert_eq!(card(&new, &at_new).card.total_c, 0);
}
