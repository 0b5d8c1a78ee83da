//! A session that hears frames in any order: of an honest peer (delivered, held back, doubled or damaged), good
//! frames out of place, and bytes. It never panics, closes once, and answers no event with more than its caps.
#![no_main]

use std::collections::VecDeque;

use fuzz::guard::watch;
use fuzz::memory::Memory;
use fuzz::script::Script;
use fuzz::world::{CHANGES, actor, document, id, key, root, statements};
use sync::StoreId;
use sync::admission::{Fault, Verdict};
use sync::session::{Event, Session, Standing};
use sync::tip::{Receipt, receipt_bytes};
use sync::wire::stream::Writer;
use sync::wire::{
    Ack, DocDigest, Enrol, Frame, Hello, More, Piece, Refusal, Refuse, RollFrame, Speaks, Vector, Vectors,
};

const MEMORY: usize = 64 << 20;

/// Bytes that one event may make the session send: all changes of this county many times over.
const ANSWER: usize = 256 << 10;

/// Steps of one script.
const STEPS: usize = 80;

libfuzzer_sys::fuzz_target!(|data: &[u8]| watch(MEMORY, || {
    let mut script = Script(data);
    let (how, who) = (script.byte(), script.byte());
    // Our node is the hub or a school; the peer is a school, a stranger or the hub.
    let (us, them) = if how & 1 == 0 {
        (1, 2 + usize::from(who % 5))
    } else {
        (2, 1)
    };
    let halves = script.byte();
    let knows = |bit: u8| {
        if how & bit == 0 {
            5
        } else {
            usize::from(who >> 4) % 6
        }
    };
    let mut we = Memory::new(us, knows(2), |i, _| {
        halves == 0 || (halves >> (i % 8)) & 1 == 1 || i % 8 > 4
    });
    let mut peer = Memory::new(them, knows(4), |i, _| (halves >> (i % 8)) & 1 == 0 || i % 8 < 3);

    let mut start = we.start(them, how & 8 == 0);
    match script.byte() % 8 {
        0 => start.enrolled = false,
        1 => start.cursor = Some((peer.store(), script.number())),
        2 => start.cursor = Some((StoreId([77; 16]), script.number())),
        3 => start.have = Some((peer.store(), script.number())),
        4 => start.last = script.number(),
        5 => start.speaks = Speaks::default(),
        6 => start.county = None,
        _ => start.cursor = Some((peer.store(), 0)),
    }
    let mut their_start = peer.start(us, how & 8 != 0);
    if how & 16 != 0 {
        their_start.cursor = Some((we.store(), 0));
    }
    let (mut session, mut theirs) = (Session::new(start), Session::new(their_start));
    let (mut to_us, mut to_them) = (VecDeque::new(), VecDeque::new());
    to_them.extend(feed(&mut we, &mut session, them, 0, Event::Started));
    to_us.extend(feed(&mut peer, &mut theirs, us, 0, Event::Started));
    let mut writer = Writer::default();
    let mut now = 0;
    for _ in 0..STEPS {
        if script.is_empty() {
            break;
        }
        now += u64::from(script.byte());
        let event = match script.below(8) {
            // The honest peer goes on.
            0..=2 => {
                let turn = script.byte();
                if let Some(frame) = to_them.pop_front() {
                    to_us.extend(feed(&mut peer, &mut theirs, us, now, Event::Frame(frame)));
                }
                let Some(frame) = to_us.pop_front() else { continue };
                if turn & 1 == 1 {
                    to_us.push_back(frame.clone());
                }
                Event::Frame(if turn & 6 == 6 {
                    damaged(frame, &mut script)
                } else {
                    frame
                })
            }
            3 | 4 => Event::Frame(good_frame(&mut script, them, &we, &mut writer).encode()),
            5 => {
                let frame = good_frame(&mut script, them, &we, &mut writer).encode();
                Event::Frame(damaged(frame, &mut script))
            }
            6 => Event::Frame(script.bytes().to_vec()),
            _ if script.rarely() => Event::RollChanged {
                statements: vec![script.bytes().to_vec()],
                digest: we.roll.digest(),
                standing: [Standing::Member, Standing::Revoked, Standing::Stranger][script.below(3)],
            },
            _ => Event::Committed,
        };
        to_them.extend(feed(&mut we, &mut session, them, now, event));
        to_them.truncate(1_000);
        to_us.truncate(1_000);
    }
}));

/// Feeds one event and looks at what it cost.
fn feed(node: &mut Memory, session: &mut Session, peer: usize, now: u64, event: Event) -> Vec<Vec<u8>> {
    let done = node.feed(session, peer, now, event);
    let bytes: usize = done.frames.iter().map(Vec::len).sum();
    assert!(bytes <= ANSWER, "one event was answered with {bytes} bytes");
    for frame in &done.frames {
        Frame::decode(frame).expect("we send what we could read");
    }
    done.frames
}

fn damaged(mut frame: Vec<u8>, s: &mut Script<'_>) -> Vec<u8> {
    let at = (usize::from(s.byte()) | usize::from(s.byte()) << 8) % frame.len().max(1);
    match s.below(3) {
        0 => frame.truncate(at),
        _ => {
            if let Some(byte) = frame.get_mut(at) {
                *byte = s.byte();
            }
        }
    }
    frame
}

fn store(s: &mut Script<'_>, peer: usize, we: &Memory) -> StoreId {
    match s.below(4) {
        0 => StoreId([77; 16]),
        1 => we.store(),
        _ => StoreId([peer as u8; 16]),
    }
}

fn piece(s: &mut Script<'_>) -> Piece {
    let (from, count) = (s.below(CHANGES.len()), s.below(6));
    let mut changes: Vec<_> = CHANGES.iter().skip(from).take(count).cloned().collect();
    match s.below(6) {
        0 => changes.iter_mut().for_each(|c| c.tip = None),
        1 => changes.iter_mut().for_each(|c| c.document = document(s.below(5))),
        2 => changes.iter_mut().for_each(|c| c.body.truncate(60)),
        _ => {}
    }
    let upto = (!s.rarely()).then(|| s.number());
    Piece { upto, changes }
}

fn good_frame(s: &mut Script<'_>, peer: usize, we: &Memory, writer: &mut Writer) -> Frame {
    let check = |s: &mut Script<'_>| {
        let mut check = we.check(&id(peer));
        match s.below(4) {
            0 => check.documents[0] ^= s.byte(),
            1 => check.roll[0] ^= s.byte(),
            _ => {}
        }
        check
    };
    match s.below(14) {
        0 => Frame::Hello(Hello {
            versions: if s.rarely() { vec![9] } else { vec![1] },
            county: [None, Some(root()), Some(root()), Some(id(9))][s.below(4)],
            county_name: s.text(),
            store: store(s, peer, we),
            cursor: s.rarely().then(|| (we.store(), s.number())),
            roll: if s.rarely() { [1; 8] } else { we.roll.digest() },
            announced: (u32::from(s.byte()), s.number()),
            more: More {
                speaks: Speaks::of_number(i64::from(s.byte()) << 8 | i64::from(s.byte() % 2)),
                have: s.rarely().then(|| (we.store(), s.number())),
                clock: s.rarely().then(|| s.number() as i64),
                state_follows: s.rarely(),
            },
        }),
        1 => {
            let mut list: Vec<Vec<u8>> = statements().iter().map(|st| st.to_bytes()).collect();
            list.truncate(s.below(7));
            if s.rarely() {
                list.push(s.bytes().to_vec());
            }
            Frame::Roll(RollFrame { statements: list })
        }
        2 => Frame::Piece(piece(s)),
        3 => {
            let more = !s.rarely();
            match writer.write(&piece(s), more, 0, &[]) {
                Some(part) => Frame::Streamed(part),
                None => Frame::Done,
            }
        }
        4 => {
            let receipts: Vec<Receipt> = (0..s.below(3))
                .map(|_| Receipt {
                    document: document(s.below(5)),
                    actor: actor(s.below(10)),
                    seq: s.number(),
                    hash: [s.byte(); 32],
                })
                .collect();
            let of = store(s, peer, we);
            Frame::Ack(Ack {
                upto: (!s.rarely()).then(|| s.number()),
                pieces: s.byte() % 4,
                signature: match s.below(8) {
                    0 => s.bytes().to_vec(),
                    _ => key(peer).sign(&receipt_bytes(&of, &receipts)).to_vec(),
                },
                receipts,
                verdicts: (0..s.below(3))
                    .map(|_| {
                        (
                            document(s.below(5)),
                            [s.byte(); 32],
                            Verdict::Dropped(Fault::NoTip),
                        )
                    })
                    .collect(),
            })
        }
        5 => Frame::Check(check(s)),
        6 => Frame::State(check(s)),
        7 => {
            let mut list = we.digests(&id(peer));
            list.truncate(s.below(6));
            if s.rarely() {
                let (key, heads) = ([s.byte(); 8], [s.byte(); 8]);
                list.push(DocDigest { key, heads });
            }
            Frame::Digests(list)
        }
        8 => Frame::Vectors(Vectors {
            absent: (0..s.below(3)).map(|_| [s.byte(); 8]).collect(),
            vectors: (0..s.below(5))
                .map(|_| Vector {
                    document: document(s.below(5)),
                    actors: (0..s.below(4))
                        .map(|_| (actor(s.below(10)), s.number()))
                        .collect(),
                })
                .collect(),
            answer: s.byte() & 1 == 0,
        }),
        9 | 10 => Frame::Done,
        11 if s.rarely() => Frame::Refuse(Refuse {
            code: Refusal::Unavailable,
            text: s.text(),
        }),
        11 => Frame::WantReceipts,
        12 => Frame::Enrol(Enrol { label: s.text() }),
        _ => Frame::Unknown(100 + s.byte() % 100),
    }
}
