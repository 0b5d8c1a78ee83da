//! What one store sends another can take, piece by piece, also when it passes through a third; held changes
//! come in when what they waited for is there; receipts name only what is stored.

// Helpers outside #[test] functions unwrap as well: a failure is a failed test.
#![allow(clippy::unwrap_used)]

use automerge::{AutoCommit, ROOT, transaction::Transactable};
use proptest::prelude::*;
use store::reach::Reach;
use store::{Store, admitting, cases, changes, outgoing};
use sync::admission::{Offered, Verdict, Wait};
use sync::authority::{Access, Policy, PolicyRow};
use sync::roll::{Body, Roll, Statement};
use sync::session::Source;
use sync::tip::sign_tip;
use sync::{ActorId, Change, DeviceKey, DocKey};

fn key(n: u8) -> DeviceKey {
    DeviceKey::from_seed([n; 32])
}

fn policy() -> Policy {
    let write = vec![Access { role: 3, scope: &[1] }];
    Policy(vec![PolicyRow {
        kind: "log",
        segments: 3,
        year: Some(2),
        write,
        read: vec![],
        priority: 0,
    }])
}

fn roll(devices: &[u8]) -> Roll {
    let mut roll = Roll::new(key(0).id());
    for d in devices {
        let body = Body::Grant {
            device: key(*d).id(),
            role: 3,
            scope: "a".into(),
            label: String::new(),
        };
        roll.add(Statement::sign(key(0).id(), &key(0), 1, body));
    }
    roll
}

fn open() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("yanxiu.db")).unwrap();
    (dir, store)
}

/// Devices 1…3 write texts and merge at random: every change with its author's tip, dependencies first.
fn history(steps: &[(u8, u8, usize)]) -> Vec<Offered> {
    let document = DocKey::parse("log/a/2025").unwrap();
    let actor = |n| ActorId {
        device: key(n).id(),
        incarnation: [0; 4],
    };
    let mut docs: Vec<AutoCommit> = (1..=3)
        .map(|n| AutoCommit::new().with_actor(automerge::ActorId::from(&actor(n).to_bytes()[..])))
        .collect();
    for (i, (who, other, size)) in steps.iter().enumerate() {
        let (who, other) = (usize::from(who % 3), usize::from(other % 3));
        if who != other {
            let mut copy = docs[other].clone();
            docs[who].merge(&mut copy).unwrap();
        }
        docs[who]
            .put(ROOT, format!("r{i}"), "研".repeat(size * 400))
            .unwrap();
        docs[who].commit();
    }
    let (mut all, mut rest) = (docs[0].clone(), docs.split_off(1));
    rest.iter_mut().for_each(|d| drop(all.merge(d).unwrap()));
    all.get_changes(&[])
        .iter()
        .map(|c| {
            let change = Change::from_chunk(c.raw_bytes()).unwrap();
            let n = (1..=3).find(|n| actor(*n) == change.header.actor).unwrap();
            let tip = sign_tip(&key(n), &key(0).id(), &document, &change.header);
            Offered {
                document: document.clone(),
                body: change.body,
                tip: Some(tip),
            }
        })
        .collect()
}

/// Sends everything from one store to another; how many pieces that took.
fn send(from: &Store, to: &Store, roll: &Roll) -> usize {
    let (mut at, mut pieces) = (0, 0);
    loop {
        let out = from
            .read(|c| {
                outgoing::read(
                    c,
                    &Source::Since(at),
                    false,
                    &key(9).id(),
                    &Reach::anywhere(|_| true),
                )
            })
            .unwrap();
        if !out.changes.is_empty() {
            let got = to
                .write(|tx| admitting::take(tx, &policy(), roll, &out.changes, None, 0))
                .unwrap();
            assert_eq!(got.verdicts, [], "a piece must be complete in itself");
            pieces += 1;
            let known = to.read(changes::documents).unwrap();
            for r in got.receipts {
                let doc = known.iter().find(|d| d.key == r.document).unwrap().id;
                let stored = to.read(|c| changes::after(c, doc, 0)).unwrap();
                assert!(stored.iter().any(|s| s.change.header.hash == r.hash));
            }
        }
        at = out.upto;
        if !out.more {
            return pieces;
        }
    }
}

fn heads(store: &Store) -> Vec<Vec<[u8; 32]>> {
    store
        .read(|c| {
            changes::documents(c)?
                .iter()
                .map(|d| changes::heads(c, d.id))
                .collect()
        })
        .unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn every_piece_is_admitted_on_its_own_also_at_second_hand(
        steps in proptest::collection::vec((any::<u8>(), any::<u8>(), 1usize..12), 1..60),
    ) {
        let offered = history(&steps);
        let roll = roll(&[1, 2, 3]);
        let [(_a, first), (_b, second), (_c, third)] = [open(), open(), open()];
        first.write(|tx| admitting::take(tx, &policy(), &roll, &offered, None, 0)).unwrap();
        let bytes: usize = offered.iter().map(|o| o.body.len()).sum();
        let pieces = send(&first, &second, &roll);
        prop_assert!(pieces >= bytes / (96 * 1024), "{} bytes in {} pieces", bytes, pieces);
        send(&second, &third, &roll);
        prop_assert_eq!(heads(&second), heads(&first));
        prop_assert_eq!(heads(&third), heads(&first));
    }
}

#[test]
fn held_changes_come_in_when_the_roll_or_the_dependency_does() {
    let offered = history(&[(0, 0, 1), (1, 0, 1), (2, 1, 1), (0, 2, 1)]);
    let (_dir, store) = open();
    let none = roll(&[]);
    let out = store
        .write(|tx| admitting::take(tx, &policy(), &none, &offered, None, 0))
        .unwrap();
    assert_eq!(out.stored, 0);
    assert!(
        out.verdicts
            .iter()
            .all(|v| v.2 == Verdict::Held(Wait::UnknownAuthor))
    );
    let some = roll(&[2, 3]);
    assert_eq!(
        store
            .write(|tx| admitting::retry(tx, &policy(), &some, 0))
            .unwrap(),
        0,
        "their past is missing"
    );
    let all = roll(&[1, 2, 3]);
    assert_eq!(
        store
            .write(|tx| admitting::retry(tx, &policy(), &all, 0))
            .unwrap(),
        4
    );
    assert_eq!(store.read(cases::held).unwrap(), []);

    // The same the other way round: the last first.
    let (_dir, store) = open();
    for o in offered.iter().rev() {
        store
            .write(|tx| admitting::take(tx, &policy(), &all, std::slice::from_ref(o), None, 0))
            .unwrap();
    }
    assert_eq!(store.read(changes::last_local).unwrap(), 4);
    assert_eq!(store.read(cases::held).unwrap(), []);
}

#[test]
fn what_waits_is_bounded_by_author() {
    let (_dir, store) = open();
    let actor = ActorId {
        device: key(1).id(),
        incarnation: [0; 4],
    };
    let mut doc = AutoCommit::new().with_actor(automerge::ActorId::from(&actor.to_bytes()[..]));
    let document = DocKey::parse("log/a/2025").unwrap();
    let mut offered = Vec::new();
    for i in 0..40 {
        doc.put(ROOT, format!("r{i}"), "研".repeat(60_000)).unwrap();
        doc.commit();
        let change = Change::from_chunk(doc.get_last_local_change().unwrap().raw_bytes()).unwrap();
        let tip = sign_tip(&key(1), &key(0).id(), &document, &change.header);
        offered.push(Offered {
            document: document.clone(),
            body: change.body,
            tip: Some(tip),
        });
    }
    let none = roll(&[]);
    store
        .write(|tx| admitting::take(tx, &policy(), &none, &offered, None, 0))
        .unwrap();
    let held = store.read(cases::held).unwrap();
    let bytes = held[0].count as usize * offered[0].body.len();
    assert!(
        bytes <= sync::limits::HELD_BYTES_PER_AUTHOR && held[0].count > 10,
        "{bytes}"
    );
}
