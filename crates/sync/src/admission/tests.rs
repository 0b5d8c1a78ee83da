//! Admission against honest, forged and faulty changes.

use std::convert::Infallible;

use automerge::{AutoCommit, ROOT, transaction::Transactable};

use super::*;
use crate::authority::{Access, PolicyRow};
use crate::identity::DeviceKey;
use crate::roll::{Body, Statement};
use crate::tip::sign_tip;

#[derive(Default)]
struct Memory {
    all: Vec<(DocKey, Header)>,
    quarantined: HashSet<ActorId>,
    /// What each change is taken to weigh.
    body_bytes: u64,
}

impl History for Memory {
    type Error = Infallible;
    fn header(&self, key: &DocKey, hash: &ChangeHash) -> Result<Option<Header>, Infallible> {
        Ok(self
            .all
            .iter()
            .find(|(k, h)| k == key && h.hash == *hash)
            .map(|(_, h)| h.clone()))
    }
    fn at(&self, key: &DocKey, actor: &ActorId, seq: u64) -> Result<Option<ChangeHash>, Infallible> {
        Ok(self
            .all
            .iter()
            .find(|(k, h)| k == key && h.actor == *actor && h.seq == seq)
            .map(|(_, h)| h.hash))
    }
    fn last_seq(&self, key: &DocKey, actor: &ActorId) -> Result<u64, Infallible> {
        Ok(self
            .all
            .iter()
            .filter(|(k, h)| k == key && h.actor == *actor)
            .map(|(_, h)| h.seq)
            .max()
            .unwrap_or(0))
    }
    fn actors_of(&self, key: &DocKey, device: &NodeId) -> Result<u64, Infallible> {
        let here = self
            .all
            .iter()
            .filter(|(k, h)| k == key && h.actor.device == *device);
        Ok(here.map(|(_, h)| h.actor).collect::<HashSet<_>>().len() as u64)
    }
    fn bytes_of(&self, key: &DocKey, device: &NodeId) -> Result<(u64, u64), Infallible> {
        let bytes = |of: &dyn Fn(&DocKey) -> bool| {
            let all = self
                .all
                .iter()
                .filter(|(k, h)| of(k) && h.actor.device == *device);
            // A memory keeps no bodies.
            self.body_bytes * all.count() as u64
        };
        Ok((bytes(&|k| k == key), bytes(&|_| true)))
    }
    fn beside(&self, key: &DocKey) -> Result<Option<u64>, Infallible> {
        let keys: HashSet<&DocKey> = self.all.iter().map(|(k, _)| k).collect();
        let siblings = keys.iter().filter(|k| branch(k) == branch(key)).count();
        Ok((!keys.contains(key)).then_some(siblings as u64))
    }
    fn quarantined(&self, _: &DocKey, actor: &ActorId) -> Result<bool, Infallible> {
        Ok(self.quarantined.contains(actor))
    }
}

const ROOT_KEY: u8 = 0;

fn key(n: u8) -> DeviceKey {
    DeviceKey::from_seed([n; 32])
}

fn actor(n: u8) -> ActorId {
    ActorId {
        device: key(n).id(),
        incarnation: [0; 4],
    }
}

fn doc() -> DocKey {
    DocKey::parse("log/a/2025").unwrap()
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

/// Devices 1 and 2 write for school `a`, device 4 for school `b`.
fn roll() -> Roll {
    let mut roll = Roll::new(key(ROOT_KEY).id());
    for (device, scope) in [(1, "a"), (2, "a"), (4, "b")] {
        let body = Body::Grant {
            device: key(device).id(),
            role: 3,
            scope: scope.into(),
            label: String::new(),
        };
        roll.add(Statement::sign(key(ROOT_KEY).id(), &key(ROOT_KEY), 1, body));
    }
    roll
}

fn editor(n: u8) -> AutoCommit {
    AutoCommit::new().with_actor(automerge::ActorId::from(&actor(n).to_bytes()[..]))
}

fn write(doc: &mut AutoCommit, text: &str) {
    doc.put(ROOT, text, "听课").unwrap();
    doc.commit();
}

fn changes(doc: &mut AutoCommit) -> Vec<Change> {
    doc.get_changes(&[])
        .iter()
        .map(|c| Change::from_chunk(c.raw_bytes()).unwrap())
        .collect()
}

fn offer(change: &Change, signer: Option<u8>) -> Offered {
    let tip = signer.map(|n| sign_tip(&key(n), &key(ROOT_KEY).id(), &doc(), &change.header));
    Offered {
        document: doc(),
        body: change.body.clone(),
        tip,
    }
}

fn verdicts(offered: &[Offered], history: &Memory) -> Vec<Verdict> {
    admit(&policy(), &roll(), offered, history)
        .unwrap()
        .into_iter()
        .map(|j| j.verdict)
        .collect()
}

/// Two devices of one school that merge; every change signed by its author.
fn merged() -> Vec<Change> {
    let mut a = editor(1);
    write(&mut a, "a1");
    let mut b = a
        .fork()
        .with_actor(automerge::ActorId::from(&actor(2).to_bytes()[..]));
    write(&mut b, "b1");
    write(&mut a, "a2");
    a.merge(&mut b).unwrap();
    write(&mut a, "a3");
    write(&mut a, "a4");
    changes(&mut a)
}

fn stored(list: &[Change]) -> Memory {
    Memory {
        all: list.iter().map(|c| (doc(), c.header.clone())).collect(),
        ..Memory::default()
    }
}

#[test]
fn honest_changes_are_stored_and_the_last_tip_of_an_actor_is_enough() {
    let all = merged();
    let offered: Vec<Offered> = all
        .iter()
        .map(|c| {
            let by = if c.header.actor == actor(1) { 1 } else { 2 };
            let last = all.iter().rfind(|o| o.header.actor == c.header.actor).unwrap();
            offer(c, (last.header.hash == c.header.hash).then_some(by))
        })
        .collect();
    assert_eq!(offered.iter().filter(|o| o.tip.is_some()).count(), 2);
    assert_eq!(verdicts(&offered, &Memory::default()), vec![Verdict::Stored; 5]);
    assert_eq!(verdicts(&offered, &stored(&all)), vec![Verdict::Known; 5]);
}

#[test]
fn a_forged_actor_neither_waits_nor_accuses() {
    // Device 4 writes in the name of device 1: its next sequence number, and a missing dependency.
    let mut victim = editor(1);
    write(&mut victim, "真");
    let real = changes(&mut victim);
    let mut forger = victim
        .fork()
        .with_actor(automerge::ActorId::from(&actor(1).to_bytes()[..]));
    write(&mut forger, "假");
    let forged = changes(&mut forger).pop().unwrap();
    assert_eq!(forged.header.seq, 2);
    for signer in [None, Some(4), Some(2)] {
        let history = stored(&real);
        assert_eq!(
            verdicts(&[offer(&forged, signer)], &history),
            [Verdict::Dropped(Fault::NoTip)]
        );
        assert_eq!(
            verdicts(&[offer(&forged, signer)], &Memory::default()),
            [Verdict::Dropped(Fault::NoTip)]
        );
    }
    // In one piece with the victim's real, signed change it is still dropped, and the real one stays.
    write(&mut victim, "真二");
    let second = changes(&mut victim).pop().unwrap();
    assert_eq!(
        verdicts(
            &[offer(&forged, Some(4)), offer(&second, Some(1))],
            &stored(&real)
        ),
        [Verdict::Dropped(Fault::NoTip), Verdict::Stored]
    );
}

#[test]
fn strangers_and_other_schools_wait_uncounted() {
    for (who, wait) in [(9, Wait::UnknownAuthor), (4, Wait::NotTheWriter)] {
        let mut d = editor(who);
        write(&mut d, "x");
        let c = changes(&mut d);
        assert_eq!(
            verdicts(&[offer(&c[0], Some(who))], &Memory::default()),
            [Verdict::Held(wait)]
        );
    }
}

#[test]
fn a_missing_dependency_waits() {
    let all = merged();
    let last = all.last().unwrap();
    assert_eq!(
        verdicts(&[offer(last, Some(1))], &stored(&all[..1])),
        [Verdict::Held(Wait::Dependency)]
    );
}

#[test]
fn two_changes_with_one_number_quarantine_their_author_and_nobody_else() {
    let mut a = editor(1);
    write(&mut a, "共同");
    let mut copy = a
        .fork()
        .with_actor(automerge::ActorId::from(&actor(1).to_bytes()[..]));
    write(&mut a, "原机");
    write(&mut copy, "克隆");
    let history = stored(&changes(&mut a));
    let other = changes(&mut copy).pop().unwrap();
    let mut b = editor(2);
    write(&mut b, "无辜");
    let innocent = changes(&mut b).pop().unwrap();
    assert_eq!(
        verdicts(&[offer(&other, Some(1)), offer(&innocent, Some(2))], &history),
        [Verdict::Quarantined(Fault::Equivocation), Verdict::Stored]
    );
}

#[test]
fn a_gap_a_lost_predecessor_and_a_wrong_start_are_faults() {
    let mut a = editor(1);
    for text in ["一", "二", "三"] {
        write(&mut a, text);
    }
    let all = changes(&mut a);
    // The same body with another sequence number, dependency or start: rebuilt by hand, signed by its author.
    let with = |seq: u8, start: u8, deps: &[ChangeHash]| {
        let mut body = vec![deps.len() as u8];
        body.extend(deps.concat());
        body.push(ActorId::LEN as u8);
        body.extend(actor(1).to_bytes());
        let tail_at = 1 + 32 * all[1].header.deps.len() + 1 + ActorId::LEN + 2;
        body.extend([seq, start]);
        body.extend(&all[1].body[tail_at..]);
        Change::from_body(body).unwrap()
    };
    let first = all[0].header.hash;
    assert_eq!(with(2, 2, &[first]), all[1], "the rebuilding is faithful");
    let history = stored(&all[..1]);
    for (change, fault) in [
        (with(4, 2, &[first]), Fault::SequenceGap),
        (with(2, 9, &[first]), Fault::BadStartOp),
        (with(2, 1, &[]), Fault::MissingPredecessor),
    ] {
        assert_eq!(
            verdicts(&[offer(&change, Some(1))], &history),
            [Verdict::Quarantined(fault)]
        );
        // The same bytes without the author's signature accuse nobody.
        assert_eq!(
            verdicts(&[offer(&change, Some(2))], &history),
            [Verdict::Dropped(Fault::NoTip)]
        );
    }
}

#[test]
fn a_quarantined_actor_waits_for_the_county() {
    let mut a = editor(1);
    write(&mut a, "一");
    let mut history = Memory::default();
    history.quarantined.insert(actor(1));
    assert_eq!(
        verdicts(&[offer(&changes(&mut a)[0], Some(1))], &history),
        [Verdict::Held(Wait::Quarantine)]
    );
}

/// The roll with a cut of device 1 at a change.
fn cut_roll(at: &Change) -> Roll {
    let mut roll = roll();
    let body = Body::Cut {
        document: doc(),
        actor: actor(1),
        seq: at.header.seq,
        hash: at.header.hash,
    };
    roll.add(Statement::sign(key(ROOT_KEY).id(), &key(ROOT_KEY), 2, body));
    roll
}

#[test]
fn a_cut_turns_away_what_is_beyond_and_decides_between_branches() {
    let mut a = editor(1);
    write(&mut a, "共同");
    let mut copy = a
        .fork()
        .with_actor(automerge::ActorId::from(&actor(1).to_bytes()[..]));
    for text in ["甲二", "甲三", "甲四"] {
        write(&mut a, text);
    }
    for text in ["乙二", "乙三"] {
        write(&mut copy, text);
    }
    let (a, b) = (changes(&mut a), changes(&mut copy));
    let roll = cut_roll(&a[2]);
    let judge = |offered: &[Offered], history: &Memory| -> Vec<Verdict> {
        let all = admit(&policy(), &roll, offered, history).unwrap();
        all.into_iter().map(|j| j.verdict).collect()
    };
    let wait = Verdict::Held(Wait::Quarantine);
    // Beyond the cut nothing is stored; the cut itself vouches for what it names, without a tip.
    let whole = [
        offer(&a[0], None),
        offer(&a[1], None),
        offer(&a[2], None),
        offer(&a[3], Some(1)),
    ];
    let stored_three = [Verdict::Stored, Verdict::Stored, Verdict::Stored];
    assert_eq!(judge(&whole[..3], &Memory::default()), stored_three);
    assert_eq!(judge(&whole[3..], &stored(&a[..3])), [wait]);
    // A quarantine is over up to the cut.
    let mut history = stored(&a[..1]);
    history.quarantined.insert(actor(1));
    assert_eq!(judge(&whole[1..3], &history), stored_three[1..]);
    // Who holds the named branch knows a thief's; who does not, cannot tell yet, and accuses nobody.
    assert_eq!(
        judge(&[offer(&b[1], Some(1))], &stored(&a[..3])),
        [Verdict::Quarantined(Fault::Equivocation)]
    );
    assert_eq!(judge(&[offer(&a[1], Some(1))], &stored(&b)), [wait]);
    // Shown the chain to the named change it has to leave its own, from where they part.
    let leave = |offered: &[Offered]| crate::branch::to_leave(&roll, offered, &stored(&b)).unwrap();
    let from_two = crate::branch::Leave {
        document: doc(),
        actor: actor(1),
        from: 2,
    };
    assert_eq!(leave(&whole[..3]), [from_two]);
    assert_eq!(leave(&whole[..2]), [], "the named change is not shown");
    assert_eq!(
        leave(&[offer(&b[2], Some(1))]),
        [],
        "nor by another with its number"
    );
    // The same without any cut: nobody leaves anything.
    assert_eq!(
        crate::branch::to_leave(&super::tests::roll(), &whole, &stored(&b)).unwrap(),
        []
    );
}
/// A year beyond the calendar, a branch full of documents, bytes without end and actors without end: each has
/// its name, and a device that writes as people do comes nowhere near.
#[test]
fn what_a_device_may_fill_is_bounded() {
    let mut a = editor(1);
    write(&mut a, "一");
    write(&mut a, "二");
    let all = changes(&mut a);
    let offer_at = |name: &str, c: &Change| {
        let document = DocKey::parse(name).unwrap();
        let tip = sign_tip(&key(1), &key(ROOT_KEY).id(), &document, &c.header);
        let tip = Some(tip);
        let body = c.body.clone();
        Offered { document, body, tip }
    };
    for name in [
        "log/a/0001",
        "log/a/9999",
        "log/a/2025-1",
        "log/a/2025/1",
        "log/a",
    ] {
        let said = verdicts(&[offer_at(name, &all[0])], &Memory::default());
        assert_eq!(said, [Verdict::Dropped(Fault::NoSuchDocument)], "{name}");
    }
    // Documents: those stored, and those that this piece opens.
    let in_years = |from: u16, n: u16, c: &Change| -> Vec<Offered> {
        (from..from + n)
            .map(|y| offer_at(&format!("log/a/{y}"), c))
            .collect()
    };
    let mut full = stored(&all[..1]);
    full.all = (0..limits::DOCUMENTS_PER_BRANCH - 2)
        .map(|i| {
            (
                DocKey::parse(&format!("log/a/x{i}")).unwrap(),
                all[0].header.clone(),
            )
        })
        .collect();
    let said = verdicts(&in_years(2020, 3, &all[0]), &full);
    let over = Verdict::Dropped(Fault::OverCap);
    assert_eq!(said, [Verdict::Stored, Verdict::Stored, over]);
    // Bytes: counted over what is stored.
    let heavy = |bytes| Memory {
        body_bytes: bytes,
        ..stored(&all[..1])
    };
    let next = [offer(&all[1], Some(1))];
    assert_eq!(verdicts(&next, &heavy(limits::DEVICE_BYTES_PER_DOCUMENT)), [over]);
    assert_eq!(
        verdicts(&next, &heavy(limits::DEVICE_BYTES_PER_DOCUMENT / 2)),
        [Verdict::Stored]
    );
    // Actors: a fresh incarnation for every change.
    let fresh: Vec<Offered> = (0..limits::ACTORS_PER_DEVICE as u8 + 1)
        .map(|n| {
            let actor = ActorId {
                device: key(1).id(),
                incarnation: [n; 4],
            };
            let mut d = AutoCommit::new().with_actor(automerge::ActorId::from(&actor.to_bytes()[..]));
            write(&mut d, "新");
            offer(&changes(&mut d)[0], Some(1))
        })
        .collect();
    let said = verdicts(&fresh, &Memory::default());
    let (good, bad) = said.split_at(limits::ACTORS_PER_DEVICE as usize);
    assert!(good.iter().all(|v| *v == Verdict::Stored));
    assert_eq!(bad, [over]);
    // Waiting changes are judged again without their signatures, and by the same rules.
    let unsigned = [offer(&all[1], None)];
    let again = admit_held(&policy(), &roll(), &unsigned, &stored(&all[..1])).unwrap();
    assert_eq!(again[0].verdict, Verdict::Stored);
    let gap = admit_held(&policy(), &roll(), &unsigned, &Memory::default()).unwrap();
    assert_eq!(gap[0].verdict, Verdict::Held(Wait::Dependency));
}

/// One change of a hundred bytes must not unfold to tens of thousands of operations.
#[test]
fn operations_that_cost_nothing_are_refused() {
    let mut a = editor(1);
    let list = a.put_object(ROOT, "x", automerge::ObjType::List).unwrap();
    for i in 0..2_000 {
        a.insert(&list, i, true).unwrap();
    }
    a.commit();
    let change = a.get_changes(&[]).remove(0);
    assert!(change.raw_bytes().len() < 500, "{}", change.raw_bytes().len());
    assert_eq!(
        Change::from_chunk(change.raw_bytes()),
        Err(crate::change::BadChange::TooLarge)
    );
}

/// Bodies whose first operation stands near the end of the number range (measured.md: the next local edit
/// panics) do not even parse.
#[test]
fn operation_numbers_near_the_end_are_refused() {
    let mut a = editor(1);
    write(&mut a, "一");
    let tail = Change::after_start_op(&changes(&mut a)[0].body).unwrap().to_vec();
    for start in [
        limits::MAX_OP + 1,
        u64::from(u32::MAX) - 1,
        u64::from(u32::MAX),
        u64::MAX,
    ] {
        for seq in [1, u64::MAX] {
            let mut body = Change::head_of(&[], &actor(1), seq, start);
            body.extend(&tail);
            assert!(Change::from_body(body.clone()).is_err(), "{seq} {start}");
            let tip = None;
            let offered = [Offered {
                document: doc(),
                body,
                tip,
            }];
            assert_eq!(
                verdicts(&offered, &Memory::default()),
                [Verdict::Dropped(Fault::Malformed)]
            );
        }
    }
}
