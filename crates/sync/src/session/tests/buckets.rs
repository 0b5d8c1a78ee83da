//! Digests by buckets: fewer bytes for many documents, the same result as flat ones, and flat ones for who knows
//! no others.

use std::sync::OnceLock;

use super::*;
use crate::wire::Buckets;

/// A hub with many documents of school a, each one change of the device 2.
fn many(count: usize) -> Vec<(DocKey, Change, Option<Tip>)> {
    static ALL: OnceLock<Vec<(DocKey, Change, Option<Tip>)>> = OnceLock::new();
    let all = ALL.get_or_init(|| {
        let mut school = Memory::new(2);
        school.write("log/a/0", "一");
        let (_, one, _) = school.changes[0].clone();
        // One body in many documents: only keys and tips differ.
        (0..5_000)
            .map(|i| {
                let k = doc(&format!("log/a/{i}"));
                let tip = sign_tip(&school.key, &key(0).id(), &k, &one.header);
                (k, one.clone(), Some(tip))
            })
            .collect()
    });
    all[..count].to_vec()
}

/// What was said: frame types in order with their bytes, `true` from the initiator.
fn listen(a: &mut Memory, b: &mut Memory, speaks: Speaks) -> Vec<(bool, u8, usize)> {
    let (mut sa, mut sb) = (a.session(b, true), b.session(a, false));
    let (ida, idb) = (a.id(), b.id());
    let (mut to_a, mut to_b) = (VecDeque::new(), VecDeque::new());
    let mut said = Vec::new();
    a.feed(&mut sa, &idb, Event::Started, &mut to_b);
    b.feed(&mut sb, &ida, Event::Started, &mut to_a);
    loop {
        let (frame, from_a) = match (to_b.pop_front(), to_a.pop_front()) {
            (Some(f), later) => {
                later.into_iter().for_each(|f| to_a.push_front(f));
                (f, true)
            }
            (None, Some(f)) => (f, false),
            (None, None) => return said,
        };
        // What the peer reads is what its Hello says.
        let frame = match Frame::decode(&frame).unwrap() {
            Frame::Hello(mut hello) => {
                hello.more.speaks = speaks;
                Frame::Hello(hello).encode()
            }
            _ => frame,
        };
        said.push((from_a, frame[0], frame.len()));
        assert!(said.len() < 10_000, "the two never stop talking");
        if from_a {
            b.feed(&mut sb, &ida, Event::Frame(frame), &mut to_a);
        } else {
            a.feed(&mut sa, &idb, Event::Frame(frame), &mut to_b);
        }
    }
}

/// Bytes of frames 6, 7 and 12: the search for what differs. And how often the side that speaks changes in it.
fn search(said: &[(bool, u8, usize)]) -> (usize, usize) {
    let search: Vec<_> = said
        .iter()
        .filter(|(_, kind, _)| matches!(kind, 6 | 7 | 12))
        .collect();
    let bytes = search.iter().map(|(_, _, n)| n).sum();
    let flights = 1 + search.windows(2).filter(|w| w[0].0 != w[1].0).count();
    (bytes, flights)
}

fn bare(n: u8, changes: Vec<(DocKey, Change, Option<Tip>)>) -> Memory {
    Memory {
        changes,
        ..Memory::new(n)
    }
}

/// `count` documents of which some differ: half are further here, half there, and some are missing.
fn apart(count: usize, differ: usize) -> (Memory, Memory) {
    let (mut here, mut there) = (bare(2, many(count)), bare(3, many(count)));
    for i in 0..differ {
        let at = format!("log/a/{}", i * count / differ.max(1));
        match i % 5 {
            4 if i % 2 == 0 => here.changes.retain(|(k, _, _)| k.as_str() != at),
            4 => there.changes.retain(|(k, _, _)| k.as_str() != at),
            n if n % 2 == 0 => here.write(&at, "新"),
            _ => there.write(&at, "新"),
        }
    }
    (here, there)
}

#[test]
fn five_thousand_documents_of_which_fifty_differ() {
    let old = Speaks {
        features: 1,
        ..Speaks::ours()
    };
    let mut found = Vec::new();
    for speaks in [old, Speaks::ours()] {
        let (mut a, mut b) = apart(5_000, 50);
        let said = listen(&mut a, &mut b, speaks);
        assert_eq!(a.hashes(|_| true), b.hashes(|_| true));
        assert_eq!((a.changes.len(), b.changes.len()), (5_040, 5_040));
        found.push((search(&said), said.iter().any(|(_, kind, _)| *kind == 12)));
    }
    let [((flat, flat_flights), false), ((bytes, flights), true)] = found[..] else {
        panic!("{found:?}");
    };
    println!(
        "5,000 documents, 50 differ: flat {flat} bytes in {flat_flights} flights, by buckets {bytes} in {flights}"
    );
    assert!(bytes * 3 < flat && flights <= flat_flights + 1);
}

#[test]
fn few_documents_are_compared_flat() {
    let (mut a, mut b) = apart(limits::BUCKETS_ABOVE / 10, 4);
    let said = listen(&mut a, &mut b, Speaks::ours());
    assert_eq!(a.hashes(|_| true), b.hashes(|_| true));
    assert!(said.iter().all(|(_, kind, _)| *kind != 12));
}

/// The initiator has many, the other few, or the other way round.
#[test]
fn one_side_may_have_almost_nothing() {
    for (here, there) in [(1_010, 3), (3, 1_010)] {
        let (mut a, mut b) = (bare(2, many(here)), bare(3, many(there)));
        listen(&mut a, &mut b, Speaks::ours());
        assert_eq!(a.hashes(|_| true), b.hashes(|_| true));
        assert_eq!(
            (a.changes.len(), b.changes.len()),
            (1_010, 1_010),
            "{here} and {there}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn buckets_find_what_differs_and_nothing_else(
        ours in proptest::collection::btree_map(any::<[u8; 8]>(), 0u8..3, 0..400),
        theirs in proptest::collection::btree_map(any::<[u8; 8]>(), 0u8..3, 0..40),
        bits in limits::BUCKET_BITS_MIN..=limits::BUCKET_BITS_MAX,
    ) {
        let digests = |m: &std::collections::BTreeMap<[u8; 8], u8>| -> Vec<DocDigest> {
            m.iter().map(|(k, h)| DocDigest { key: *k, heads: [*h; 8] }).collect()
        };
        // The other side has most of the same, some of it at other heads.
        let mut theirs = theirs;
        theirs.extend(ours.iter().filter(|(k, _)| k[7] > 9).map(|(k, h)| (*k, if k[6] < 20 { 9 } else { *h })));
        let (mut asker, mut answerer) = (Memory::new(2).session(&Memory::new(3), true), Memory::new(3).session(&Memory::new(2), false));
        let ask = Buckets::Ask { bits, digests: digests::bucket_digests(&digests(&ours), bits) };
        let mut out = Vec::new();
        answerer.heard(Heard::Buckets(ask), &mut out);
        answerer.digests(digests(&theirs), &mut out);
        let Some(Effect::Send(answer)) = out.pop() else { panic!("no answer") };
        let Frame::Buckets(answer) = Frame::decode(&answer).unwrap() else { panic!("another answer") };
        asker.heard(Heard::Buckets(answer), &mut out);
        asker.digests(digests(&ours), &mut out);
        let Some(Effect::ReadVectors(found)) = out.pop() else { panic!("no vectors") };
        let wanted: Vec<[u8; 8]> = ours.keys().chain(theirs.keys()).copied()
            .collect::<std::collections::BTreeSet<_>>().into_iter()
            .filter(|k| ours.get(k) != theirs.get(k)).collect();
        prop_assert_eq!(found, wanted);
    }
}
