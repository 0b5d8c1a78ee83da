//! The way of a record (design.md §2): school → county → decision → school, by receipts alone.

// Helpers outside #[test] functions unwrap as well: a failure is a failed test.
#![allow(clippy::unwrap_used)]

use node::Way;
use node::office::{self, ClaimState};
use yanxiu_tests::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_session_reaches_the_county_and_the_decision_comes_back() {
    let mut county = Place::county();
    let school_id = add_school(&county, "青石小学");
    let mut school = Place::school(&county, &school_id, "青石小学 办公室电脑");
    let person = add_teacher(&school, "欧阳㙇", "T001");
    let session = held_session(
        &school,
        "听评课：分数的意义",
        "2025-10-16",
        std::slice::from_ref(&person),
    );

    let saved = school.node.record(&session).unwrap().unwrap();
    assert_eq!(
        saved.way,
        Way::Saved,
        "nothing is shown as synced without a receipt"
    );
    assert!(school.node.not_at_county().unwrap() >= 5);
    let whole = |place: &Place| {
        let all = office::all_claims(&place.node, &school_id).unwrap();
        all.iter().next().unwrap().state.clone()
    };
    assert_eq!(whole(&school), ClaimState::SavedAtSchool);

    county.up().await;
    school.up().await;
    school.knows(&county);
    until("the county has the session", 20, || {
        titles(&county) == ["听评课：分数的意义"]
    })
    .await;
    until("receipts are at the school", 20, || {
        school.node.not_at_county().unwrap() == 0
    })
    .await;
    assert_eq!(school.node.record(&session).unwrap().unwrap().way, Way::AtCounty);
    let claim = office::claims(&school.node, None, 10).unwrap().pop().unwrap();
    assert_eq!(claim.state, ClaimState::AtCounty);
    assert_eq!(
        whole(&school),
        ClaimState::AtCounty,
        "kept lists see receipts too"
    );

    until("and on its pages", 10, || {
        county.node.views_behind().unwrap() == 0
    })
    .await;
    let queue = office::audit_queue(&county.node, 10).unwrap();
    assert_eq!(queue.len(), 1);
    assert_eq!(queue[0].person_name, "欧阳㙇");
    recognise(&county, &queue[0].id, "2025-10-20").unwrap();
    until("the decision is at the school", 20, || {
        let claim = office::claims(&school.node, None, 10).unwrap().pop().unwrap();
        matches!(claim.state, ClaimState::Decided { ref verdict, credits_c: 40, .. } if verdict == "recognised")
    })
    .await;
    let card = office::credit_card(&school.node, &person).unwrap().unwrap();
    assert_eq!(card.lines.len(), 1);
    school.down().await;
    county.down().await;
}

/// Acceptance 6: every link is down while the school works; on return all catches up by itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_school_works_alone_and_catches_up_by_itself() {
    let mut county = Place::county();
    let school_id = add_school(&county, "石门村小");
    let mut school = Place::school(&county, &school_id, "石门村小 电脑");
    county.up().await;
    let address = county.address();
    county.down().await;
    school.up().await;
    school.node.add_address(&address).unwrap();
    let people: Vec<String> = (0..8)
        .map(|i| add_teacher(&school, &format!("教师{i}"), &format!("T{i}")))
        .collect();
    for day in 1..=20 {
        held_session(
            &school,
            &format!("第{day:02}次集体备课"),
            &format!("2025-11-{day:02}"),
            &people,
        );
    }
    // Everything works without a link: card, claims, roster.
    assert_eq!(titles(&school).len(), 20);
    assert_eq!(office::claims(&school.node, None, 1000).unwrap().len(), 160);
    assert_eq!(school.node.not_at_county().unwrap(), 16 + 20 + 320);
    county.up().await;
    until("all is at the county", 30, || {
        school.node.not_at_county().unwrap() == 0
    })
    .await;
    until("and on its pages", 10, || {
        county.node.views_behind().unwrap() == 0
    })
    .await;
    assert_eq!(titles(&county), titles(&school));
    assert_eq!(office::audit_queue(&county.node, 1000).unwrap().len(), 160);
    school.down().await;
    county.down().await;
}

/// Acceptance 7: two devices of one school, apart from the first minute on.
#[tokio::test(flavor = "multi_thread")]
async fn two_devices_of_one_school_that_were_apart_lose_nothing() {
    let county = Place::county();
    let school_id = add_school(&county, "双河九年制学校");
    let mut a = Place::school(&county, &school_id, "双河 教务处");
    let mut b = Place::school(&county, &school_id, "双河 教研组");
    let one = add_teacher(&a, "张三", "T001");
    let two = add_teacher(&b, "李四", "T002");
    held_session(&a, "甲机的活动", "2025-10-01", &[one]);
    held_session(&b, "乙机的活动", "2025-10-02", &[two]);
    a.up().await;
    b.up().await;
    // No hub in sight: they know each other only from the county's statements.
    county_tells(&county, &a, &b);
    b.knows(&a);
    until("both have all", 20, || {
        [&a, &b].iter().all(|p| {
            titles(p) == ["乙机的活动", "甲机的活动"]
                && office::roster(&p.node, &school_id).unwrap().len() == 2
        })
    })
    .await;
    until("each knows that the other holds it", 20, || {
        [&a, &b].iter().all(|p| {
            p.node
                .peers()
                .unwrap()
                .iter()
                .any(|o| o.waiting.0 == 0 && o.in_sync_at.is_some())
        })
    })
    .await;
    // Another PC of the school is still the school: nobody has carried anything away.
    for p in [&a, &b] {
        let all = p.node.records(&node::Filter::kind("session")).unwrap();
        assert!(all.iter().all(|r| r.way == Way::Saved));
    }
    a.down().await;
    b.down().await;
}

/// A new PC of a school may have four minutes of a mobile link: first the forms and the county's decisions, then
/// records of this year, then those of earlier ones.
#[tokio::test(flavor = "multi_thread")]
async fn a_first_meeting_sends_decisions_first_and_this_year_before_the_last() {
    let mut county = Place::county();
    let school_id = add_school(&county, "双河九年制学校");
    let mut first = Place::school(&county, &school_id, "双河 教务处");
    let mut second = Place::school(&county, &school_id, "双河 教研组");
    let person = add_teacher(&first, "张三㙇", "T001");
    for (title, date) in [("去年的活动", "2024-10-08"), ("今年的活动", "2025-10-08")] {
        held_session(&first, title, date, std::slice::from_ref(&person));
    }
    county.up().await;
    first.knows(&county);
    first.up().await;
    at_county(&first).await;
    first.down().await;
    until("the county sees both", 20, || {
        county.node.views_behind().unwrap() == 0
    })
    .await;
    for claim in office::audit_queue(&county.node, 10).unwrap() {
        recognise(&county, &claim.id, "2025-10-20").unwrap();
    }
    second.knows(&county);
    second.up().await;
    until("it has all", 20, || titles(&second).len() == 2).await;
    second.down().await;
    county.down().await;
    // Documents in the order in which their first change was stored here.
    let sql = "SELECT d.key FROM document d JOIN change c ON c.doc = d.id GROUP BY d.key ORDER BY MIN(c.seq)";
    let came: Vec<String> = second
        .node
        .read(|c| {
            let mut statement = c.prepare(sql)?;
            let rows = statement.query_map([], |r| r.get(0))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .unwrap();
    let sorts: Vec<String> = came.iter().map(|k| k.replace(&school_id, "校")).collect();
    assert_eq!(
        sorts,
        [
            "registry",
            "ledger/校/2025",
            "ledger/校/2024",
            "base/校/2025",
            "log/校/2025",
            "log/校/2024"
        ]
    );
}

/// A school that hangs up after each contact comes back with its ticket: no second full handshake.
#[tokio::test(flavor = "multi_thread")]
async fn later_contacts_resume_and_push_in_their_first_flight() {
    let mut county = Place::county();
    let school_id = add_school(&county, "青石小学");
    let mut school = Place::school(&county, &school_id, "青石小学 电脑");
    county.up_and(false).await;
    school.up_and(false).await;
    school.knows(&county);
    for i in 1..=5 {
        add_session(&school, &format!("活动{i}"), "2025-10-16");
        until("it is at the county, with a receipt", 20, || {
            titles(&county).len() == i && school.node.not_at_county().unwrap() == 0
        })
        .await;
        until("they have hung up", 20, || county.counters().open == 0).await;
    }
    // One without knowing who answers at the typed address, one with its key; the other three resume.
    let counters = county.counters();
    assert_eq!(counters.full_handshakes, 2, "{counters:?}");
    // A restarted hub has forgotten the tickets: the flight is thrown away and said again.
    county.down().await;
    county.up_and(false).await;
    add_session(&school, "重启之后", "2025-10-17");
    until("it arrives all the same", 20, || titles(&county).len() == 6).await;
    school.down().await;
    county.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_colleagues_computer_sends_is_at_the_county_on_both_computers() {
    let mut county = Place::county();
    let school = add_school(&county, "青石小学");
    let mut office_pc = Place::school(&county, &school, "青石 办公室");
    let mut laptop = Place::school(&county, &school, "青石 教研组笔记本");
    county.up().await;
    for place in [&mut office_pc, &mut laptop] {
        place.knows(&county);
        place.up().await;
    }
    add_teacher(&office_pc, "赵㙇", "T001");
    until("both computers hold the same and stay connected", 20, || {
        let has_teacher = office::roster(&laptop.node, &school).unwrap().len() == 1;
        has_teacher && office_pc.node.not_at_county().unwrap() == 0
    })
    .await;
    // Also for the second and third time in one conversation.
    for (n, title) in ["听评课", "集体备课", "读书会"].into_iter().enumerate() {
        add_session(&laptop, title, "2025-10-16");
        until("both computers say that it is at the county", 10, || {
            [&office_pc, &laptop]
                .iter()
                .all(|place| titles(place).len() == n + 1 && place.node.not_at_county().unwrap() == 0)
        })
        .await;
    }
}
