//! Hostile peers against a real hub on loopback. Each attack is answered with a named reason that the operator
//! sees, no attack harms anybody else (an honest school syncs while it goes on, and afterwards), and none takes
//! more memory than the bound in its comment. Bounds are resident memory of this process (hub, honest school
//! and attacker together), or rows and bytes in the hub's tables. What the pieces decide by themselves is
//! tested beside the code (`sync`: admission, roll, wire; `store`: guard, events, peers; `node`: care).
#![cfg(target_os = "linux")]
// Helpers outside #[test] functions unwrap as well: a failure is a failed test.
#![allow(clippy::unwrap_used)]

use automerge::transaction::Transactable;
use automerge::{AutoCommit, ROOT};
use sync::admission::Offered;
use sync::{ActorId, Change, DeviceKey, DocKey, limits};
use yanxiu_tests::siege::{Siege, body, chain, forged};
use yanxiu_tests::villain::Villain;

/// Forged actor, forged tip, another school's document, a document that cannot be, a gap, a duplicate, a lost
/// predecessor, a wrong first number, numbers at the end of their range, operations that cost nothing: each
/// has its name. Kept of it: one row of evidence an actor, no more than 16 a device.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_device_may_not_sign_is_named() {
    let siege = Siege::begin().await;
    let (v, log) = (&siege.villain, siege.log());
    let first = chain(v.incarnation(0), 3);
    assert_eq!(siege.push(vec![siege.own(&first[2])]).await, ["Held(Dependency)"]);
    let good = first.iter().map(|c| siege.own(c)).collect();
    assert_eq!(siege.push(good).await, [""; 0]);

    let like = &first[0];
    let other_actor = ActorId {
        device: siege.honest.node.id(),
        incarnation: [7; 4],
    };
    let in_anothers_name = forged(like, &[], other_actor, 1, 1);
    let said = siege.push(vec![siege.own(&in_anothers_name)]).await;
    assert_eq!(said, ["Dropped(NoTip)"], "forged actor");
    let mut bad_tip = siege.own(&forged(like, &[], v.incarnation(1), 1, 1));
    bad_tip.tip.as_mut().unwrap()[5] ^= 1;
    assert_eq!(siege.push(vec![bad_tip]).await, ["Dropped(NoTip)"], "forged tip");
    for (document, verdict) in [
        (format!("log/{}/2025", siege.other), "Held(NotTheWriter)"),
        (format!("ledger/{}/2025", siege.school), "Held(NotTheWriter)"),
        (format!("log/{}/0001", siege.school), "Dropped(NoSuchDocument)"),
        (format!("log/{}/9999", siege.school), "Dropped(NoSuchDocument)"),
        (format!("log/{}/2025/x", siege.school), "Dropped(NoSuchDocument)"),
    ] {
        let change = forged(like, &[], v.incarnation(2), 1, 1);
        let said = siege.push(vec![v.offer(&document, &change, Some(&v.key))]).await;
        assert_eq!(said, [verdict], "{document}");
    }
    // Each fault by an actor of its own, after a good first change.
    type Faulty = fn(&Change, ActorId) -> Change;
    let faults: [(u32, Faulty, &str); 3] = [
        (
            10,
            |one, a| forged(one, &[one.header.hash], a, 3, 2),
            "Quarantined(SequenceGap)",
        ),
        (
            11,
            |one, a| forged(one, &[], a, 2, 1),
            "Quarantined(MissingPredecessor)",
        ),
        (
            12,
            |one, a| forged(one, &[one.header.hash], a, 2, 99),
            "Quarantined(BadStartOp)",
        ),
    ];
    for (n, fault, verdict) in faults {
        let one = chain(v.incarnation(n), 1).remove(0);
        assert_eq!(siege.push(vec![siege.own(&one)]).await, [""; 0]);
        let said = siege.push(vec![siege.own(&fault(&one, v.incarnation(n)))]).await;
        assert_eq!(said.concat(), verdict);
    }
    // Two changes with one number.
    let twin = forged(&first[1], &[], v.incarnation(0), 1, 1);
    assert_ne!(twin.header.hash, first[0].header.hash);
    assert_eq!(
        siege.push(vec![siege.own(&twin)]).await,
        ["Quarantined(Equivocation)"]
    );
    // Operation and sequence numbers at the end of their range.
    for (seq, start) in [
        (1, u64::from(u32::MAX)),
        (1, u64::from(u32::MAX) - 1),
        (1, limits::MAX_OP + 1),
        (u64::MAX, 1),
    ] {
        let tip = Some([1; 64]);
        let document = DocKey::parse(&log).unwrap();
        let body = body(like, &[], v.incarnation(3), seq, start);
        let said = siege.push(vec![Offered { document, body, tip }]).await;
        assert_eq!(said, ["Dropped(Malformed)"], "{seq} {start}");
    }
    for code in [
        "dropped-here-NoTip",
        "held-here-NotTheWriter",
        "dropped-here-NoSuchDocument",
        "quarantined-here-SequenceGap",
        "quarantined-here-MissingPredecessor",
        "quarantined-here-BadStartOp",
        "quarantined-here-Equivocation",
        "dropped-here-Malformed",
    ] {
        siege.operator_sees(code, "Here").await;
    }
    assert_eq!(siege.hub.node.quarantines().unwrap().len(), 4);

    // Fresh incarnations buy no more evidence than the cap.
    for n in 100..140 {
        let actor = v.incarnation(n);
        let one = chain(actor, 1).remove(0);
        let gap = forged(&one, &[one.header.hash], actor, 3, 2);
        siege.push(vec![siege.own(&one), siege.own(&gap)]).await;
    }
    let kept = siege.hub.node.quarantines().unwrap().len() as u64;
    assert_eq!(kept, limits::QUARANTINES_PER_DEVICE);
    let more = chain(v.incarnation(200), 1);
    assert_eq!(siege.push(vec![siege.own(&more[0])]).await, ["Held(Quarantine)"]);
    siege.end().await;
}

/// Both histories of a device stay as proof that anybody can check with the county's key, also where neither
/// change bears a signature of its own.
#[tokio::test(flavor = "multi_thread")]
async fn both_sides_of_an_equivocation_are_kept_as_proof() {
    let siege = Siege::begin().await;
    let v = &siege.villain;
    let actor = v.incarnation(0);
    let (one, two) = (chain(actor, 4), {
        let mut doc = AutoCommit::new().with_actor(automerge::ActorId::from(&actor.to_bytes()[..]));
        for i in 0..4 {
            doc.put(ROOT, "另一份历史", i).unwrap();
            doc.commit();
        }
        let all = doc.get_changes(&[]);
        all.iter()
            .map(|c| Change::from_chunk(c.raw_bytes()).unwrap())
            .collect::<Vec<_>>()
    });
    // Only the last of each history is signed, as honest pieces travel.
    let piece = |list: &[Change]| -> Vec<Offered> {
        let last = list.len() - 1;
        let signer = |i| (i == last).then_some(&v.key);
        (0..)
            .zip(list)
            .map(|(i, c)| v.offer(&siege.log(), c, signer(i)))
            .collect()
    };
    assert_eq!(siege.push(piece(&one)).await, [""; 0]);
    let said = siege.push(piece(&two)).await;
    // Each number that another change has is named, so that an honest device knows where its branch parts.
    assert!(said.iter().all(|v| v == "Quarantined(Equivocation)"), "{said:?}");
    let document = DocKey::parse(&siege.log()).unwrap();
    let county = siege.hub.node.roll().county();
    let proof = |siege: &Siege| {
        let evidence = store::evidence::evidence;
        let found = siege.hub.node.read(|c| evidence(c, &county, &document, &actor));
        found.unwrap().unwrap()
    };
    let found = proof(&siege);
    assert_eq!((found.fault.as_str(), found.actor_seq), ("Equivocation", 1));
    let (first, second) = (found.first.unwrap(), found.second.unwrap());
    assert_eq!((&first.body, &second.body), (&one[0].body, &two[0].body));
    for side in [&first, &second] {
        assert_eq!(side.chain.len(), 3);
        assert!(side.holds(&county, &document, &actor));
        // It proves this history in this document of this county, and no other.
        assert!(!side.holds(&v.key.id(), &document, &actor));
        assert!(!side.holds(&county, &DocKey::parse("log/x/2025").unwrap(), &actor));
        let mut cut = (*side).clone();
        cut.chain.remove(1);
        assert!(!cut.holds(&county, &document, &actor));
    }
    assert_eq!(first.chain.last(), Some(&one[3].body));
    // What waits may go: the evidence stands by itself.
    siege
        .hub
        .node
        .local(|c| Ok(c.execute("DELETE FROM held", [])?))
        .unwrap();
    assert_eq!(proof(&siege).second, Some(second));
    siege
        .operator_sees("quarantined-here-Equivocation", "evidence kept")
        .await;
    siege.end().await;
}

/// Orphans, of its own making and of authors made up by the thousand: at most 2,000 rows and 4 MiB an author,
/// 2,000 rows and 8 MiB of authors whom nobody knows, 8,000 rows and 16 MiB a peer; and none of it takes the
/// room of another's.
#[tokio::test(flavor = "multi_thread")]
async fn waiting_changes_are_bounded() {
    let siege = Siege::begin().await;
    let v = &siege.villain;
    let like = &chain(v.incarnation(0), 1)[0];
    let orphan = |actor: ActorId, n: u32, key: &DeviceKey| {
        let mut dep = [9; 32];
        dep[..4].copy_from_slice(&n.to_be_bytes());
        let change = forged(like, &[dep], actor, 2, 50);
        v.offer(&siege.log(), &change, Some(key))
    };
    for part in 0..3u32 {
        let lot = (0..1_000)
            .map(|n| orphan(v.incarnation(1), part * 1_000 + n, &v.key))
            .collect();
        let said = siege.push(lot).await;
        assert!(said.iter().all(|s| s == "Held(Dependency)"));
    }
    let held = |what: &str| siege.count(&format!("SELECT COUNT(*) FROM held WHERE wait = '{what}'"));
    assert_eq!(held("Dependency"), limits::HELD_PER_AUTHOR as i64);
    for part in 0..3u32 {
        let lot = (0..800)
            .map(|n| {
                let mut seed = [3; 32];
                seed[..4].copy_from_slice(&(part * 800 + n).to_be_bytes());
                let key = DeviceKey::from_seed(seed);
                let device = key.id();
                orphan(
                    ActorId {
                        device,
                        incarnation: [0; 4],
                    },
                    n,
                    &key,
                )
            })
            .collect();
        siege.push(lot).await;
    }
    assert_eq!(held("UnknownAuthor"), limits::HELD_UNKNOWN as i64);
    assert!(siege.count("SELECT SUM(LENGTH(body)) FROM held") < limits::HELD_BYTES_PER_PEER as i64);
    // There is room for the honest school's orphan, whoever brings it.
    let honest = Villain::of(&siege.honest);
    let key = format!("log/{}/2025", siege.other);
    let change = forged(like, &[[5; 32]], honest.incarnation(77), 2, 50);
    let said = v
        .push(&siege.hub, vec![honest.offer(&key, &change, Some(&honest.key))])
        .await;
    assert_eq!(said, Ok(vec!["Held(Dependency)".to_string()]));
    assert_eq!(held("Dependency"), limits::HELD_PER_AUTHOR as i64 + 1);
    siege.operator_sees("held-here-Dependency", "waits").await;
    siege
        .operator_sees("held-here-UnknownAuthor", "not in the roll")
        .await;
    siege.end().await;
}

/// A device fills no more than its share: 2,000 documents of a sort at its school, whatever they are called.
#[tokio::test(flavor = "multi_thread")]
async fn a_device_fills_no_more_than_its_share() {
    let siege = Siege::begin().await;
    let v = &siege.villain;
    let like = &chain(v.incarnation(0), 1)[0];
    let mut said = Vec::new();
    for part in 0..3 {
        let lot: Vec<Offered> = (0..700)
            .map(|n| {
                let document = format!("portfolio/{}/p{}", siege.school, part * 700 + n);
                let change = forged(like, &[], v.incarnation(1), 1, 1);
                v.offer(&document, &change, Some(&v.key))
            })
            .collect();
        said.extend(siege.push(lot).await);
    }
    assert_eq!(said, vec!["Dropped(OverCap)"; 100]);
    let documents = siege.count("SELECT COUNT(*) FROM document WHERE key LIKE 'portfolio/%'");
    assert_eq!(documents as u64, limits::DOCUMENTS_PER_BRANCH);
    siege.operator_sees("dropped-here-OverCap", "far more").await;
    siege.end().await;
}
