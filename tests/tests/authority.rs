//! An enrolled school with a changed program: whatever it writes into its own documents, it gives itself no
//! credit and says nothing about another school (acceptance 4; design.md §3 "one writing authority").

// Helpers outside #[test] functions unwrap as well: a failure is a failed test.
#![allow(clippy::unwrap_used)]

use automerge::transaction::Transactable;
use automerge::{AutoCommit, ROOT};
use node::Filter;
use node::office;
use yanxiu_tests::villain::Villain;
use yanxiu_tests::*;

/// Records as one change: (id, fields).
fn records(villain: &Villain, list: &[(&str, Vec<(&str, String)>)]) -> sync::Change {
    let actor = villain.actor().to_bytes();
    let mut doc = AutoCommit::new().with_actor(automerge::ActorId::from(&actor[..]));
    for (id, fields) in list {
        let object = doc.put_object(ROOT, *id, automerge::ObjType::Map).unwrap();
        for (name, value) in fields {
            match value.parse::<i64>() {
                Ok(n) if name.ends_with("_c") => doc.put(&object, *name, n).unwrap(),
                _ => doc.put(&object, *name, value.as_str()).unwrap(),
            }
        }
    }
    doc.commit();
    sync::Change::from_chunk(doc.get_changes(&[])[0].raw_bytes()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_school_gives_itself_no_credit_and_says_nothing_about_another() {
    let mut county = Place::county();
    let (a, b) = (add_school(&county, "青石小学"), add_school(&county, "白沙小学"));
    let mut honest = Place::school(&county, &a, "青石 电脑");
    let mut bad = Place::school(&county, &b, "白沙 电脑");
    let (pa, pb) = (
        add_teacher(&honest, "王小兰", "T1"),
        add_teacher(&bad, "赵一鸣", "T2"),
    );
    let session_a = held_session(&honest, "甲校活动", "2025-10-16", std::slice::from_ref(&pa));
    let session_b = held_session(&bad, "乙校活动", "2025-10-16", std::slice::from_ref(&pb));
    for place in [&mut county, &mut honest, &mut bad] {
        place.up().await;
    }
    honest.knows(&county);
    bad.knows(&county);
    until("both are at the county", 20, || {
        [&honest, &bad]
            .iter()
            .all(|p| p.node.not_at_county().unwrap() == 0)
    })
    .await;
    until("and in its views", 20, || {
        office::audit_queue(&county.node, 10).unwrap().len() == 2
    })
    .await;
    until("and nothing is left to show", 10, || {
        county.node.views_behind().unwrap() == 0
    })
    .await;
    let before = (
        office::schools(&county.node).unwrap(),
        office::sessions(&county.node, None, 10).unwrap(),
        office::roster(&county.node, &a).unwrap().len(),
    );
    bad.down().await;

    let queue = office::audit_queue(&county.node, 10).unwrap();
    let claim = |school: &str| queue.iter().find(|c| c.school == school).unwrap().clone();
    let (claim_a, claim_b) = (claim(&a), claim(&b));
    let record = |id: &str| county.node.record(id).unwrap().unwrap().fields;
    let binds = records::claim_digest(&record(&claim_b.id), &record(&session_b));
    let text = |pairs: &[(&'static str, &str)]| -> Vec<(&'static str, String)> {
        pairs.iter().map(|(k, v)| (*k, v.to_string())).collect()
    };
    let villain = Villain::of(&bad);
    let decision = text(&[
        ("_kind", "decision/1"),
        ("claim", &claim_b.id),
        ("verdict", "recognised"),
        ("hours_c", "400"),
        ("credits_c", "40"),
        ("decided_on", "2025-10-20"),
        ("binds", &binds),
    ]);
    let log = records(
        &villain,
        &[
            ("0190aaaa-0000-7000-8000-000000000001", decision),
            // Attendance and a superseding claim about the other school's session and person.
            (
                "0190aaaa-0000-7000-8000-000000000002",
                text(&[
                    ("_kind", "attendance/1"),
                    ("session", &session_a),
                    ("person", &pa),
                    ("status", "absent"),
                ]),
            ),
            (
                "0190aaaa-0000-7000-8000-000000000003",
                text(&[
                    ("_kind", "claim/1"),
                    ("person", &pa),
                    ("session", &session_a),
                    ("rule_ref", "seed003.five-year-36-54/1"),
                    ("category", "practice"),
                    ("channel", "school"),
                    ("hours_c", "400"),
                    ("credits_c", "40"),
                    ("claimed_on", "2025-10-16"),
                    ("supersedes", &claim_a.id),
                ]),
            ),
            // The other school's own record ids, with other content.
            (
                session_a.as_str(),
                text(&[
                    ("_kind", "session/1"),
                    ("title", "冒名"),
                    ("state", "void"),
                    ("date", "2025-10-16"),
                ]),
            ),
            (
                a.as_str(),
                text(&[
                    ("_kind", "organisation/1"),
                    ("name", "改名小学"),
                    ("org_kind", "primary_school"),
                ]),
            ),
        ],
    );
    let offered = vec![villain.offer(&format!("log/{b}/2025"), &log, Some(&villain.key))];
    assert_eq!(
        villain.push(&county, offered).await,
        Ok(vec![]),
        "its own log: stored"
    );
    let facts = records(
        &villain,
        &[(
            "0190aaaa-0000-7000-8000-000000000004",
            text(&[
                ("_kind", "staff_fact/1"),
                ("person", &pa),
                ("from", "2025-09-02"),
                ("title", "full_senior"),
            ]),
        )],
    );
    let offered = vec![villain.offer(&format!("base/{b}/2025"), &facts, Some(&villain.key))];
    assert_eq!(villain.push(&county, offered).await, Ok(vec![]));

    // Sessions of both schools at the county: the fake one is b's, and a's is as it was.
    until("the county has looked at it", 20, || {
        county.node.count(&Filter::kind("session").school(&b)).unwrap() == 2
    })
    .await;
    until("and nothing is left to show", 10, || {
        county.node.views_behind().unwrap() == 0
    })
    .await;
    assert_eq!(office::organisations(&county.node).unwrap().len(), 2);
    assert_eq!(office::roster(&county.node, &a).unwrap().len(), before.2);
    let now = office::sessions(&county.node, Some(&a), 10).unwrap();
    assert_eq!(now.len(), 1);
    assert_eq!(
        (now[0].present, now[0].claims, now[0].state.as_str()),
        (1, 1, "ended")
    );
    let schools = office::schools(&county.node).unwrap();
    let of = |id: &str, all: &[office::SchoolRow]| {
        let s = all.iter().find(|s| s.id == id).unwrap();
        (
            s.name.clone(),
            s.teachers,
            s.sessions,
            s.attendances,
            s.open_claims,
            s.decided_claims,
        )
    };
    assert_eq!(
        of(&a, &schools),
        of(&a, &before.0),
        "no figure of the other school has moved"
    );
    assert_eq!(of(&b, &schools).5, 0, "nothing of its own is decided");
    let claims = office::claims(&county.node, Some(&a), 10).unwrap();
    assert!(!claims[0].disputed, "{:?}", claims[0]);
    let card = office::credit_card(&county.node, &pb).unwrap().unwrap();
    assert!(
        card.lines
            .iter()
            .all(|l| !matches!(l.state, office::ClaimState::Decided { .. })),
        "{:?}",
        card.lines
    );
    assert_eq!(
        office::teacher(&county.node, &pa).unwrap().unwrap().title,
        "first"
    );
    // And the auditor can still decide on the honest claim.
    recognise(&county, &claim_a.id, "2025-10-21").unwrap();
    until("which the honest school sees", 20, || {
        office::claims(&honest.node, None, 10).unwrap()[0].state != office::ClaimState::AtCounty
    })
    .await;
    county.down().await;
    honest.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kinds_are_written_where_they_belong_and_roles_do_not_pile_up() {
    let county = Place::county();
    let (a, b) = (add_school(&county, "青石小学"), add_school(&county, "白沙小学"));
    let school = Place::school(&county, &a, "青石 电脑");
    let id = school.node.new_id();
    let fields = vec![("_kind".to_string(), Some(node::Value::from("decision/1")))];
    let error = school
        .node
        .commit(&format!("log/{a}/2025"), vec![node::Edit { id, fields }])
        .unwrap_err();
    assert!(matches!(error, node::Error::Misplaced { .. }), "{error}");

    let again = |role, scope: &str| {
        node::enrol::approve(
            &county.node,
            &school.node.id(),
            "电脑",
            &[(role, scope.to_string())],
        )
    };
    let before = county.node.roll().statements().count();
    again(node::Role::School, &a).unwrap();
    assert_eq!(
        county.node.roll().statements().count(),
        before,
        "approving twice says nothing twice"
    );
    for (role, scope) in [
        (node::Role::School, b.as_str()),
        (node::Role::Mentor, "zj01/x"),
        (node::Role::County, ""),
    ] {
        assert!(
            matches!(again(role, scope), Err(node::Error::HasRole(_))),
            "{role:?}"
        );
    }
    let own = node::enrol::revoke(&county.node, &county.node.id());
    assert!(matches!(own, Err(node::Error::OwnDevice)));
    node::enrol::revoke(&county.node, &school.node.id()).unwrap();
    assert!(matches!(
        again(node::Role::School, &a),
        Err(node::Error::WasRevoked(_))
    ));
}
