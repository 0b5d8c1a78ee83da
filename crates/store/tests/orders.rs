//! A device that was revoked: what it wrote before the cut counts and what it wrote after does not, on every
//! node alike, in whatever order the roll and the changes came, and how often.

// Helpers outside #[test] functions unwrap as well: a failure is a failed test.
#![allow(clippy::unwrap_used)]

use std::collections::HashSet;

use automerge::transaction::Transactable;
use automerge::{AutoCommit, ROOT};
use proptest::prelude::*;
use store::{Store, admitting, changes};
use sync::admission::Offered;
use sync::authority::{Access, Policy, PolicyRow, counted};
use sync::roll::{Body, Statement};
use sync::tip::sign_tip;
use sync::{ActorId, Change, ChangeHash, DeviceKey, DocKey, Header, Roll};

fn key(n: u8) -> DeviceKey {
    DeviceKey::from_seed([n; 32])
}

const ROOT_KEY: u8 = 0;
const OFFICER: u8 = 1;
const LOST: u8 = 5;
const HONEST: u8 = 6;

fn document() -> DocKey {
    DocKey::parse("log/a/2025").unwrap()
}

fn policy() -> Policy {
    Policy(vec![PolicyRow {
        kind: "log",
        segments: 3,
        year: Some(2),
        write: vec![Access { role: 3, scope: &[1] }],
        read: vec![],
        priority: 0,
    }])
}

/// What comes over the wires: statements, and signed changes one by one.
#[derive(Clone)]
enum Item {
    Said(Statement),
    Change(Offered),
}

struct Story {
    items: Vec<Item>,
    counts: HashSet<ChangeHash>,
}

/// The lost device writes five changes; the county's cut stands after the third. The honest one writes on the
/// second, and, before it has heard, on the fourth.
fn story() -> Story {
    let actor = |n: u8| ActorId {
        device: key(n).id(),
        incarnation: [n; 4],
    };
    let editor = |n: u8| AutoCommit::new().with_actor(automerge::ActorId::from(&actor(n).to_bytes()[..]));
    let mut lost = editor(LOST);
    let mut honest = editor(HONEST);
    for i in 1..=5 {
        lost.put(ROOT, format!("丢{i}"), i).unwrap();
        lost.commit();
        if i == 2 || i == 4 {
            honest.merge(&mut lost).unwrap();
            honest.put(ROOT, format!("诚{i}"), i).unwrap();
            honest.commit();
        }
    }
    honest.merge(&mut lost).unwrap();
    let all: Vec<Change> = honest
        .get_changes(&[])
        .iter()
        .map(|c| Change::from_chunk(c.raw_bytes()).unwrap())
        .collect();
    let by = |n: u8, seq: u64| {
        let found = all
            .iter()
            .find(|c| c.header.actor == actor(n) && c.header.seq == seq);
        found.unwrap().header.hash
    };
    let county = key(ROOT_KEY).id();
    let said = |signer: u8, number, body| Item::Said(Statement::sign(county, &key(signer), number, body));
    let grant = |n: u8| Body::Grant {
        device: key(n).id(),
        role: 3,
        scope: "a".into(),
        label: String::new(),
    };
    let cut = Body::Cut {
        document: document(),
        actor: actor(LOST),
        seq: 3,
        hash: by(LOST, 3),
    };
    let officer = Body::Officer {
        key: key(OFFICER).id(),
        limit: None,
    };
    let mut items = vec![
        said(ROOT_KEY, 1, officer),
        said(OFFICER, 2, grant(LOST)),
        said(OFFICER, 3, grant(HONEST)),
        said(
            OFFICER,
            4,
            Body::Revoke {
                device: key(LOST).id(),
            },
        ),
        said(OFFICER, 4, cut),
    ];
    items.extend(all.iter().map(|c| {
        let signer = if c.header.actor == actor(LOST) {
            LOST
        } else {
            HONEST
        };
        let tip = Some(sign_tip(&key(signer), &county, &document(), &c.header));
        let body = c.body.clone();
        Item::Change(Offered {
            document: document(),
            body,
            tip,
        })
    }));
    Story {
        items,
        counts: HashSet::from([by(LOST, 1), by(LOST, 2), by(LOST, 3), by(HONEST, 1)]),
    }
}

struct Node {
    store: Store,
    roll: Roll,
    _dir: tempfile::TempDir,
}

impl Node {
    fn new() -> Node {
        let dir = tempfile::tempdir().unwrap();
        Node {
            store: Store::open(&dir.path().join("yanxiu.db")).unwrap(),
            roll: Roll::new(key(ROOT_KEY).id()),
            _dir: dir,
        }
    }

    fn take(&mut self, item: &Item) {
        let policy = policy();
        match item {
            Item::Said(statement) => {
                self.roll.add(statement.clone());
                let retried = self
                    .store
                    .write(|tx| admitting::retry(tx, &policy, &self.roll, 0));
                retried.unwrap();
            }
            Item::Change(offer) => {
                let piece = std::slice::from_ref(offer);
                let taken = self
                    .store
                    .write(|tx| admitting::take(tx, &policy, &self.roll, piece, None, 0));
                taken.unwrap();
            }
        }
    }

    fn counts(&self) -> HashSet<ChangeHash> {
        let stored = self.store.read(|c| match changes::find(c, &document())? {
            Some(doc) => changes::after(c, doc, 0),
            None => Ok(Vec::new()),
        });
        let heads: Vec<Header> = stored.unwrap().into_iter().map(|s| s.change.header).collect();
        counted(&policy(), &self.roll, &document(), &heads)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn before_the_cut_counts_and_after_does_not_in_any_order(
        orders in proptest::collection::vec(
            Just((0..12usize).collect::<Vec<_>>()).prop_shuffle(), 3),
        again in proptest::collection::vec(0..12usize, 0..12),
    ) {
        let story = story();
        prop_assert_eq!(story.items.len(), 12);
        for order in orders {
            let mut node = Node::new();
            for i in order.iter().chain(&again) {
                node.take(&story.items[*i]);
            }
            prop_assert_eq!(&node.counts(), &story.counts, "{:?}", order);
        }
    }
}
