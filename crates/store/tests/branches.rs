//! A device was copied and has signed two branches. Whatever a node was given first, and whenever it heard of
//! the cut: nodes with the same roll come to store the same, and exactly what the cut lets in.

// Helpers outside #[test] functions unwrap as well: a failure is a failed test.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeSet, HashSet};

use automerge::{AutoCommit, ROOT, transaction::Transactable};
use proptest::prelude::*;
use store::reach::Reach;
use store::{Store, admitting, aside, changes, outgoing};
use sync::admission::Offered;
use sync::authority::{Access, Policy, PolicyRow, counted};
use sync::roll::{Body, Roll, Statement};
use sync::session::Source;
use sync::tip::sign_tip;
use sync::{ActorId, Change, ChangeHash, DeviceKey, DocKey, Header};

fn key(n: u8) -> DeviceKey {
    DeviceKey::from_seed([n; 32])
}

fn document() -> DocKey {
    DocKey::parse("log/a/2025").unwrap()
}

fn actor(n: u8) -> ActorId {
    ActorId {
        device: key(n).id(),
        incarnation: [0; 4],
    }
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

/// Devices 1, 2 and 3 write for the school.
fn roll() -> Roll {
    let mut roll = Roll::new(key(0).id());
    for d in 1..=3 {
        let body = Body::Grant {
            device: key(d).id(),
            role: 3,
            scope: "a".into(),
            label: String::new(),
        };
        roll.add(Statement::sign(key(0).id(), &key(0), 1, body));
    }
    roll
}

fn cut_at(number: u64, h: &Header) -> Statement {
    let body = Body::Cut {
        document: document(),
        actor: h.actor,
        seq: h.seq,
        hash: h.hash,
    };
    Statement::sign(key(0).id(), &key(0), number, body)
}

struct Node {
    _dir: tempfile::TempDir,
    store: Store,
    roll: Roll,
}

impl Node {
    fn new() -> Node {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("yanxiu.db")).unwrap();
        Node {
            _dir: dir,
            store,
            roll: roll(),
        }
    }

    fn take(&self, offered: &[Offered]) {
        self.store
            .write(|tx| admitting::take(tx, &policy(), &self.roll, offered, None, 0))
            .unwrap();
    }

    fn hear(&mut self, statement: &Statement) {
        self.roll.add(statement.clone());
        let Body::Cut { actor, .. } = &statement.body else {
            panic!("a cut")
        };
        self.store
            .write(|tx| {
                aside::enforce(tx, &self.roll, &actor.device, 0)?;
                admitting::retry(tx, &policy(), &self.roll, 0)
            })
            .unwrap();
    }

    fn headers(&self) -> Vec<Header> {
        self.store
            .read(|c| match changes::find(c, &document())? {
                Some(doc) => changes::after(c, doc, 0),
                None => Ok(Vec::new()),
            })
            .unwrap()
            .into_iter()
            .map(|s| s.change.header)
            .collect()
    }

    fn hashes(&self) -> BTreeSet<ChangeHash> {
        self.headers().into_iter().map(|h| h.hash).collect()
    }

    fn heads(&self) -> Vec<ChangeHash> {
        self.store
            .read(|c| match changes::find(c, &document())? {
                Some(doc) => changes::heads(c, doc),
                None => Ok(Vec::new()),
            })
            .unwrap()
    }

    fn vector(&self) -> Vec<(ActorId, u64)> {
        self.store
            .read(|c| {
                let Some(doc) = changes::find(c, &document())? else {
                    return Ok(Vec::new());
                };
                changes::vector(c, doc)?
                    .into_iter()
                    .map(|(a, s, _)| Ok((a, aside::announced(c, &self.roll, &document(), &a, s)?)))
                    .collect::<store::Result<Vec<_>>>()
            })
            .unwrap()
    }

    /// What the repair of a session sends.
    fn repair(&self, to: &Node) {
        let (have, mut after) = (to.vector(), 0);
        loop {
            let source = Source::Missing {
                document: document(),
                have: have.clone(),
                after,
            };
            let out = self
                .store
                .read(|c| outgoing::read(c, &source, false, &key(9).id(), &Reach::anywhere(|_| true)))
                .unwrap();
            if !out.changes.is_empty() {
                to.take(&out.changes);
            }
            after = out.upto;
            if !out.more {
                return;
            }
        }
    }
}

/// Device 1 writes alone, is copied, and both copies go on; device 2 meets one copy, device 3 the other.
struct Story {
    /// All that holders of the first branch have, dependencies first, signed by each author.
    left: Vec<Offered>,
    right: Vec<Offered>,
    all: Vec<Header>,
}

fn story(common: usize, steps: &[(bool, bool, bool)]) -> Story {
    let open = |n| AutoCommit::new().with_actor(automerge::ActorId::from(&actor(n).to_bytes()[..]));
    let mut first = open(1);
    for i in 0..common {
        first.put(ROOT, format!("共{i}"), i as i64).unwrap();
        first.commit();
    }
    let mut second = first
        .fork()
        .with_actor(automerge::ActorId::from(&actor(1).to_bytes()[..]));
    let (mut two, mut three) = (open(2), open(3));
    for (i, (left, copy_writes, merges)) in steps.iter().enumerate() {
        let (copy, honest) = if *left {
            (&mut first, &mut two)
        } else {
            (&mut second, &mut three)
        };
        if *copy_writes {
            if *merges {
                copy.merge(honest).unwrap();
            }
            copy.put(ROOT, format!("机{i}{left}"), i as i64).unwrap();
            copy.commit();
        } else {
            if *merges {
                honest.merge(copy).unwrap();
            }
            honest.put(ROOT, format!("真{i}"), i as i64).unwrap();
            honest.commit();
        }
    }
    let signed = |docs: [&mut AutoCommit; 2]| {
        let [a, b] = docs;
        let mut whole = a.clone();
        whole.merge(b).unwrap();
        whole
            .get_changes(&[])
            .iter()
            .map(|c| {
                let change = Change::from_chunk(c.raw_bytes()).unwrap();
                let n = (1..=3).find(|n| actor(*n) == change.header.actor).unwrap();
                Offered {
                    document: document(),
                    tip: Some(sign_tip(&key(n), &key(0).id(), &document(), &change.header)),
                    body: change.body,
                }
            })
            .collect::<Vec<_>>()
    };
    let (left, right) = (signed([&mut first, &mut two]), signed([&mut second, &mut three]));
    let mut seen = HashSet::new();
    let all = left
        .iter()
        .chain(&right)
        .map(|o| Change::from_body(o.body.clone()).unwrap().header)
        .filter(|h| seen.insert(h.hash))
        .collect();
    Story { left, right, all }
}

/// Names of changes, for a failure: device, branch, number.
fn names<'a>(story: &Story, hashes: impl IntoIterator<Item = &'a ChangeHash>) -> Vec<String> {
    let on_left = |h: &ChangeHash| {
        story
            .left
            .iter()
            .any(|o| Change::from_body(o.body.clone()).unwrap().header.hash == *h)
    };
    let short = |h: &Header| {
        let n = (1..=3).find(|n| actor(*n) == h.actor).unwrap();
        let deps: Vec<String> = h.deps.iter().map(|d| format!("{:02x}", d[0])).collect();
        let side = if on_left(&h.hash) { "l" } else { "r" };
        format!("{n}{side}@{} {:02x}<{}", h.seq, h.hash[0], deps.join(","))
    };
    let known = |hash: &ChangeHash| story.all.iter().find(|h| h.hash == *hash).map(short);
    hashes.into_iter().filter_map(known).collect()
}

/// What a cut lets in: the chain below the named change, and all that depends on nothing else of that actor.
fn expected(story: &Story, cut: &Header) -> BTreeSet<ChangeHash> {
    let find = |hash: &ChangeHash| story.all.iter().find(|h| h.hash == *hash);
    let mut chain = HashSet::new();
    let mut next = vec![cut.hash];
    while let Some(hash) = next.pop() {
        let Some(h) = find(&hash) else { continue };
        if h.actor == cut.actor {
            chain.insert(hash);
        }
        next.extend(&h.deps);
    }
    let mut good: BTreeSet<ChangeHash> = BTreeSet::new();
    for h in &story.all {
        if (h.actor != cut.actor || chain.contains(&h.hash)) && h.deps.iter().all(|d| good.contains(d)) {
            good.insert(h.hash);
        }
    }
    good
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn all_nodes_take_the_branch_that_the_cut_names(
        common in 0usize..4,
        steps in proptest::collection::vec(any::<(bool, bool, bool)>(), 4..24),
        pick in any::<prop::sample::Index>(),
        first_pick in any::<prop::sample::Index>(),
        // Which node does what, and when: 0–2 hear of the cut, 3–8 a repair between two, 9 a part of a branch.
        order in proptest::collection::vec((0usize..10, any::<bool>(), 1usize..30), 0..14),
    ) {
        let story = story(common, &steps);
        let ones: Vec<&Header> = story.all.iter().filter(|h| h.actor == actor(1)).collect();
        prop_assume!(!ones.is_empty());
        // An earlier cut that a later one moves, perhaps to the other branch.
        let earlier = cut_at(5, ones[first_pick.index(ones.len())]);
        let named = ones[pick.index(ones.len())];
        let cut = cut_at(6, named);
        let mut nodes = [Node::new(), Node::new(), Node::new()];
        nodes[0].take(&story.left);
        nodes[1].take(&story.right);
        for (what, side, n) in order {
            match what {
                0..=2 if side => nodes[what].hear(&earlier),
                0..=2 => nodes[what].hear(&cut),
                9 => {
                    let branch = if side { &story.left } else { &story.right };
                    nodes[2].take(&branch[..n.min(branch.len())]);
                }
                _ => {
                    let (a, b) = [(0, 1), (0, 2), (1, 2)][(what - 3) / 2];
                    let (a, b) = if side { (a, b) } else { (b, a) };
                    nodes[a].repair(&nodes[b]);
                }
            }
        }
        for node in &mut nodes {
            node.hear(&cut);
            node.hear(&earlier);
        }
        let want = expected(&story, named);
        for _ in 0..4 {
            for (a, b) in [(0, 1), (1, 0), (1, 2), (2, 1), (0, 2), (2, 0)] {
                nodes[a].repair(&nodes[b]);
            }
        }
        for node in &nodes {
            let (missing, extra): (Vec<_>, Vec<_>) = (
                want.difference(&node.hashes()).copied().collect(),
                node.hashes().difference(&want).copied().collect(),
            );
            prop_assert!(
                missing.is_empty() && extra.is_empty(),
                "missing {:?}\nextra {:?}\nall {:#?}\ncut {:?}",
                names(&story, &missing),
                names(&story, &extra),
                names(&story, story.all.iter().map(|h| &h.hash)),
                names(&story, [&named.hash]),
            );
            prop_assert_eq!(node.heads(), nodes[0].heads());
            let all = node.headers();
            // What is stored counts, all of it.
            prop_assert_eq!(counted(&policy(), &node.roll, &document(), &all).len(), all.len());
        }
        // A newcomer gets the same, from any of them.
        let mut newcomer = Node::new();
        newcomer.hear(&cut);
        nodes[2].repair(&newcomer);
        let missing: Vec<_> = want.difference(&newcomer.hashes()).copied().collect();
        prop_assert!(
            missing.is_empty(),
            "a newcomer misses {:?}\nof {:#?}\ncut {:?}",
            names(&story, &missing),
            names(&story, story.all.iter().map(|h| &h.hash)),
            names(&story, [&named.hash]),
        );
        prop_assert_eq!(newcomer.hashes(), want);
    }
}
