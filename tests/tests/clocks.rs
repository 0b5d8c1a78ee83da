//! Wrong clocks: a PC that believes it is 1970 and one that believes it is 2035 enrol, record and sync. What
//! they write is marked, and nothing is refused.

// Helpers outside #[test] functions unwrap as well: a failure is a failed test.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use node::office::{self, ClaimState};
use node::{Role, accounts, enrol};
use yanxiu_tests::*;

/// 2035-01-01, unix milliseconds.
const FUTURE: i64 = 2_051_222_400_000;
const DAY: i64 = 24 * 3_600_000;

fn session_named(place: &Place, title: &str) -> office::SessionRow {
    let all = office::sessions(&place.node, None, 100).unwrap();
    all.into_iter().find(|s| s.title == title).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pc_of_1970_and_one_of_2035_enrol_record_and_sync() {
    let mut county = Place::county();
    county.up().await;
    let mut right = Place::school(&county, &add_school(&county, "青石小学"), "青石 电脑");
    let clocks = [Arc::new(AtomicI64::new(0)), Arc::new(AtomicI64::new(FUTURE))];
    let mut places = Vec::new();
    for (clock, name) in clocks.iter().zip(["白沙小学", "黑井小学"]) {
        let school = add_school(&county, name);
        let mut place = Place::device_with_clock(name, clock.clone());
        place.up().await;
        place.knows(&county);
        // Over the network, as a school does it.
        until("the county sees the wish", 20, || {
            enrol::pending(&county.node)
                .unwrap()
                .iter()
                .any(|w| w.node == place.node.id())
        })
        .await;
        enrol::approve(&county.node, &place.node.id(), name, &[(Role::School, school)]).unwrap();
        until("it sees that it is approved", 20, || {
            enrol::candidate(&place.node).unwrap().is_some_and(|c| c.approved)
        })
        .await;
        enrol::confirm(&place.node).unwrap();
        places.push(place);
    }
    right.up().await;
    right.knows(&county);
    for (place, code) in places.iter().zip(["T1", "T2"]) {
        let person = add_teacher(place, "王小兰", code);
        held_session(place, &format!("{code} 活动"), "2025-10-16", &[person]);
    }
    add_session(&right, "时钟准", "2025-10-16");
    until("all of it is at the county", 30, || {
        titles(&county).len() == 3 && places.iter().all(|p| p.node.not_at_county().unwrap() == 0)
    })
    .await;
    until("and shown", 20, || {
        office::audit_queue(&county.node, 10).unwrap().len() == 2
    })
    .await;

    // Marked at the county, which can tell; not refused anywhere.
    for (title, wrong) in [("T1 活动", true), ("T2 活动", true), ("时钟准", false)] {
        let id = session_named(&county, title).id;
        assert_eq!(county.node.made_by_wrong_clock(&id), wrong, "{title}");
    }
    assert!(county.node.clock_is_plausible() && right.node.clock_is_plausible());
    // 1970 knows that it cannot be; 2035 cannot know, and takes nobody else's clock for wrong.
    assert!(!places[0].node.clock_is_plausible() && places[1].node.clock_is_plausible());
    let own = session_named(&places[1], "T2 活动").id;
    assert!(!places[1].node.made_by_wrong_clock(&own));
    // The operator hears of both, by name, and of nobody else.
    let events = county.node.events(100).unwrap();
    let about: Vec<_> = events.iter().filter(|e| e.code == "clock-differs").collect();
    for place in &places {
        let line = about
            .iter()
            .find(|e| e.peer == Some(place.node.id()))
            .expect("named");
        assert!(
            line.text_zh.contains("日期") && line.text_zh.contains("天"),
            "{}",
            line.text_zh
        );
        assert!(place.event_codes().contains(&"clock-differs".to_string()));
    }
    assert_eq!(about.len(), 2);
    assert!(events.iter().all(|e| !e.code.contains("refused")), "{events:?}");

    // Clocks that jump: 2035 falls back to 1970 and 1970 is set right, while both go on.
    clocks[1].store(0, Ordering::Relaxed);
    clocks[0].store(county.node.clock() * 1000, Ordering::Relaxed);
    for (place, title) in places.iter().zip(["校正以后", "电池没电"]) {
        add_session(place, title, "2025-11-01");
    }
    until("both go on", 20, || titles(&county).len() == 5).await;
    assert!(
        !county
            .node
            .made_by_wrong_clock(&session_named(&county, "校正以后").id)
    );
    assert!(
        county
            .node
            .made_by_wrong_clock(&session_named(&county, "电池没电").id)
    );
    // What the county decides comes back to them.
    for claim in office::audit_queue(&county.node, 10).unwrap() {
        let verdict = ("recognised", "2025-10-20");
        office::decide(
            &county.node,
            &auditor(),
            &claim.id,
            verdict.0,
            None,
            "",
            "",
            verdict.1,
        )
        .unwrap();
    }
    until("the decisions are with the schools", 20, || {
        places.iter().all(|p| {
            let claims = office::claims(&p.node, None, 10).unwrap();
            matches!(claims[0].state, ClaimState::Decided { .. })
        })
    })
    .await;
    for place in places.iter_mut().chain([&mut right, &mut county]) {
        place.down().await;
    }
}

#[test]
fn nobody_is_locked_out_or_stays_signed_in_by_a_wrong_clock() {
    let clock = Arc::new(AtomicI64::new(FUTURE));
    let place = Place::device_with_clock("时钟乱跳", clock.clone());
    let node = &place.node;
    let new = accounts::NewAccount {
        name: "李专管员".into(),
        role: accounts::Role::Clerk,
        secret: "135790".into(),
        person: None,
    };
    accounts::create(node, new, node.clock()).unwrap();
    let sign_in = |secret: &str| accounts::login(node, "李专管员", secret, "", node.clock()).unwrap();
    for _ in 0..5 {
        assert_eq!(sign_in("000000"), accounts::Login::Wrong);
    }
    let locked = |seen: accounts::Login| match seen {
        accounts::Login::Locked { seconds } => seconds,
        other => panic!("{other:?}"),
    };
    let full = locked(sign_in("135790"));
    assert!(full <= 1_000);
    // The clock falls back by 65 years: locked for as long as any lock, and no longer.
    clock.store(60_000, Ordering::Relaxed);
    assert!(locked(sign_in("135790")) <= full);
    clock.store(60_000 + full * 1000, Ordering::Relaxed);
    let accounts::Login::In { token, .. } = sign_in("135790") else {
        panic!("locked out")
    };
    let alive = || accounts::session(node, &token, node.clock()).unwrap().is_some();
    assert!(alive());
    // A battery is empty: each start begins at the same moment of 1970, and no time ever seems to pass.
    accounts::started(node).unwrap();
    assert!(!alive(), "signed in for ever");
    // A clock that is set right in between signs people out, and lets them in again.
    let accounts::Login::In { token, .. } = sign_in("135790") else {
        panic!("locked out")
    };
    clock.store(FUTURE + DAY, Ordering::Relaxed);
    assert!(accounts::session(node, &token, node.clock()).unwrap().is_none());
    assert!(matches!(sign_in("135790"), accounts::Login::In { .. }));
    accounts::started(node).unwrap();
}
