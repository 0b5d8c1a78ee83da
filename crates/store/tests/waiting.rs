//! What waits for a dependency is released by it, at a cost that does not grow with all that waits beside it.

// Helpers outside #[test] functions unwrap as well: a failure is a failed test.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use automerge::transaction::Transactable;
use automerge::{AutoCommit, ROOT};
use store::{Store, admitting};
use sync::admission::Offered;
use sync::authority::{Access, Policy, PolicyRow};
use sync::roll::{Body, Statement};
use sync::tip::sign_tip;
use sync::{ActorId, Change, DeviceKey, DocKey, Roll};

/// 1,500 changes in reversed order: each waits for the next piece. Judging all that waits anew for each of them
/// would take a million judgements.
#[test]
fn a_chain_that_comes_backwards_is_released_in_one_go() {
    let key = DeviceKey::from_seed([5; 32]);
    let actor = ActorId {
        device: key.id(),
        incarnation: [1; 4],
    };
    let document = DocKey::parse("log/a/2025").unwrap();
    let policy = Policy(vec![PolicyRow {
        kind: "log",
        segments: 3,
        year: Some(2),
        write: vec![Access { role: 3, scope: &[1] }],
        read: vec![],
        priority: 0,
    }]);
    let root = DeviceKey::from_seed([0; 32]);
    let mut roll = Roll::new(root.id());
    let body = Body::Grant {
        device: key.id(),
        role: 3,
        scope: "a".into(),
        label: String::new(),
    };
    roll.add(Statement::sign(root.id(), &root, 1, body));

    let mut doc = AutoCommit::new().with_actor(automerge::ActorId::from(&actor.to_bytes()[..]));
    for i in 0..1_500 {
        doc.put(ROOT, format!("r{i}"), i).unwrap();
        doc.commit();
    }
    // Only the last one is signed: a waiting change needs no signature of its own later.
    let all = doc.get_changes(&[]);
    let mut offered: Vec<Offered> = all
        .iter()
        .enumerate()
        .map(|(i, c)| {
            let change = Change::from_chunk(c.raw_bytes()).unwrap();
            let tip = (i % 500 == 499).then(|| sign_tip(&key, &root.id(), &document, &change.header));
            let (document, body) = (document.clone(), change.body);
            Offered { document, body, tip }
        })
        .collect();
    let first = offered.remove(0);
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("yanxiu.db")).unwrap();
    let take = |piece: &[Offered]| {
        let taken = store.write(|tx| admitting::take(tx, &policy, &roll, piece, None, 0));
        taken.unwrap()
    };
    // Pieces from the end; in each the changes backwards as well.
    for piece in offered.rchunks(500) {
        let mut piece = piece.to_vec();
        piece.reverse();
        assert_eq!(take(&piece).stored, 0);
    }
    let held = || -> i64 {
        let count = |c: &store::Connection| Ok(c.query_row("SELECT COUNT(*) FROM held", [], |r| r.get(0))?);
        store.read::<_, store::Error>(count).unwrap()
    };
    assert_eq!(held(), 1_499);
    let begun = Instant::now();
    let change = Change::from_body(first.body.clone()).unwrap();
    let tip = Some(sign_tip(&key, &root.id(), &document, &change.header));
    assert_eq!(take(&[Offered { tip, ..first }]).stored, 1_500);
    assert_eq!(held(), 0);
    // Some 2 s unoptimised on a busy machine; the square of it would be many minutes.
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
}
