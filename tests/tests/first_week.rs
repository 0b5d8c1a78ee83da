//! The first week of a real school, over nodes that were apart: what two people did without a network comes
//! together, nothing counts twice, and what differs is a person's to choose.

// Helpers outside #[test] functions unwrap as well: a failure is a failed test.
#![allow(clippy::unwrap_used)]

use node::office::{self, Cell, OpeningInput};
use yanxiu_tests::*;

/// Two devices of one school that know one another without a county in sight.
async fn two(name: &str) -> (Place, String, Place, Place) {
    let county = Place::county();
    let school = add_school(&county, name);
    let a = Place::school(&county, &school, "教务处");
    let b = Place::school(&county, &school, "教研组");
    county_tells(&county, &a, &b);
    (county, school, a, b)
}

async fn meet(a: &mut Place, b: &mut Place) {
    a.up().await;
    b.up().await;
    b.knows(a);
    until("each has what the other has", 30, || {
        [&*a, &*b].iter().all(|p| {
            let peers = p.node.peers().unwrap();
            peers.iter().any(|o| o.waiting.0 == 0 && o.in_sync_at.is_some())
                && p.node.views_behind().unwrap() == 0
        })
    })
    .await;
}

async fn part(a: &mut Place, b: &mut Place) {
    a.down().await;
    b.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_device_keeps_a_name_and_another_that_was_apart_says_who_it_is() {
    let (_county, school, mut a, mut b) = two("双河九年制学校").await;
    let session = add_session(&a, "第1次集体备课", "2025-10-01");
    office::add_unlisted(&a.node, &clerk(), &session, "陈㙇", "９月调入", "present").unwrap();
    let person = add_teacher(&b, "陈㙇", "T009");
    meet(&mut a, &mut b).await;
    until("the name is there", 20, || {
        office::unlisted(&b.node, &school, None).unwrap().len() == 1
    })
    .await;
    // The name is the same, and still nobody is matched by it.
    let waiting = office::unlisted(&b.node, &school, None).unwrap().remove(0);
    assert_eq!(waiting.same_name, std::slice::from_ref(&person));
    assert_eq!(
        office::session(&b.node, &session).unwrap().unwrap().row.present,
        0
    );
    office::link_unlisted(&b.node, &clerk(), &waiting.id, &person).unwrap();
    until("it is the teacher's on both", 20, || {
        [&a, &b].iter().all(|p| {
            office::unlisted(&p.node, &school, None).unwrap().is_empty()
                && office::session(&p.node, &session).unwrap().unwrap().row.present == 1
        })
    })
    .await;
    part(&mut a, &mut b).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_devices_that_name_different_people_leave_it_to_a_person() {
    let (_county, school, mut a, mut b) = two("石门村小").await;
    let one = add_teacher(&a, "王伟", "T001");
    let other = add_teacher(&a, "王伟", "T002");
    let session = add_session(&a, "听评课", "2025-10-09");
    office::add_unlisted(&a.node, &clerk(), &session, "王伟", "", "present").unwrap();
    meet(&mut a, &mut b).await;
    until("all is there", 20, || {
        office::unlisted(&b.node, &school, None).unwrap().len() == 1
            && office::roster(&b.node, &school).unwrap().len() == 2
    })
    .await;
    part(&mut a, &mut b).await;
    let id = office::unlisted(&a.node, &school, None).unwrap().remove(0).id;
    office::link_unlisted(&a.node, &clerk(), &id, &one).unwrap();
    office::link_unlisted(&b.node, &clerk(), &id, &other).unwrap();
    meet(&mut a, &mut b).await;
    until("both show the dispute", 20, || {
        [&a, &b].iter().all(|p| {
            let open = office::unlisted(&p.node, &school, None).unwrap();
            open.len() == 1 && open[0].disputed
        })
    })
    .await;
    office::link_unlisted(&a.node, &clerk(), &id, &other).unwrap();
    until("one choice settles it", 20, || {
        [&a, &b]
            .iter()
            .all(|p| office::unlisted(&p.node, &school, None).unwrap().is_empty())
    })
    .await;
    assert_eq!(a.node.record(&id).unwrap().unwrap().text("person"), other);
    part(&mut a, &mut b).await;
}

fn input(person: &str, credits_c: i64) -> Vec<OpeningInput> {
    vec![OpeningInput {
        person: person.into(),
        cell: Cell {
            category: "knowledge_skill".into(),
            sub: String::new(),
            channel: "city".into(),
        },
        credits_c: Some(credits_c),
    }]
}

/// Two clerks copy the same register on two computers: the same figure counts once, two figures count nothing.
#[tokio::test(flavor = "multi_thread")]
async fn the_same_opening_balance_from_two_devices_counts_once_and_two_figures_not_at_all() {
    let (mut county, school, mut a, mut b) = two("青石小学").await;
    let same = add_teacher(&a, "欧阳㙇", "T001");
    let differ = add_teacher(&a, "王𬭊", "T002");
    meet(&mut a, &mut b).await;
    until("the roster is there", 20, || {
        office::roster(&b.node, &school).unwrap().len() == 2
    })
    .await;
    part(&mut a, &mut b).await;
    let enter = |at: &Place, person: &str, credits_c: i64| {
        let inputs = input(person, credits_c);
        office::save_openings(
            &at.node,
            &clerk(),
            2025,
            "登记册第3页",
            false,
            "2026-09-05",
            &inputs,
        )
        .unwrap();
    };
    for (at, figure) in [(&a, 300), (&b, 350)] {
        enter(at, &same, 200);
        enter(at, &differ, figure);
    }
    meet(&mut a, &mut b).await;
    county.up().await;
    a.knows(&county);
    b.knows(&county);
    until("all four are at the county", 30, || {
        county.node.views_behind().unwrap() == 0 && office::opening_queue(&county.node).unwrap().len() == 4
    })
    .await;
    let queue = office::opening_queue(&county.node).unwrap();
    assert_eq!(queue.iter().filter(|row| row.again).count(), 1);
    assert_eq!(queue.iter().filter(|row| row.disputed).count(), 2);
    let all: Vec<(String, String)> = queue
        .iter()
        .map(|row| (row.id.clone(), row.digest.clone()))
        .collect();
    let (decided, left) =
        office::decide_openings(&county.node, &auditor(), &all, "approved", "", "2026-09-10").unwrap();
    assert_eq!((decided, left.len()), (1, 3), "{left:?}");
    let total = |at: &Place, person: &str| {
        office::credit_card(&at.node, person)
            .unwrap()
            .unwrap()
            .card
            .total_c
    };
    until("the decision is at both", 30, || {
        [&a, &b].iter().all(|p| total(p, &same) == 200)
    })
    .await;
    for at in [&a, &b] {
        assert_eq!(total(at, &differ), 0);
    }
    // One figure is right: both computers' records are brought to it, and it counts once when confirmed.
    enter(&a, &differ, 350);
    until("the county sees it settled", 30, || {
        let queue = office::opening_queue(&county.node).unwrap();
        queue.iter().all(|row| !row.disputed)
    })
    .await;
    let queue = office::opening_queue(&county.node).unwrap();
    let good: Vec<(String, String)> = queue
        .iter()
        .filter(|row| !row.again)
        .map(|row| (row.id.clone(), row.digest.clone()))
        .collect();
    let done =
        office::decide_openings(&county.node, &auditor(), &good, "approved", "", "2026-09-11").unwrap();
    assert_eq!((done.0, done.1.len()), (1, 0));
    until("it counts once at both", 30, || {
        [&a, &b].iter().all(|p| total(p, &differ) == 350)
    })
    .await;
    part(&mut a, &mut b).await;
    county.down().await;
}
