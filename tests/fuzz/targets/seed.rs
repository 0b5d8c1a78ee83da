//! Writes the corpus: `cargo run --bin seed -- -runs=0`. Real frames, changes, statements and tables, made
//! small. It has a target's form because what is built for coverage links with libFuzzer alone.
#![no_main]

use std::fs;
use std::path::Path;

use fuzz::world::{CHANGES, actor, document, id, key, statements};
use sync::admission::{Fault, Verdict};
use sync::tip::{Receipt, receipt_bytes};
use sync::wire::{
    Ack, Check, DocDigest, Enrol, Frame, Hello, More, Piece, Refusal, Refuse, RollFrame, Speaks, Vector,
    Vectors,
};
use sync::{Change, StoreId};

libfuzzer_sys::fuzz_target!(init: seed(), |_data: &[u8]| {});

fn seed() {
    frames();
    changes();
    rolls();
    sessions();
}

fn write(target: &str, name: &str, bytes: &[u8]) {
    let dir = Path::new("corpus").join(target);
    fs::create_dir_all(&dir).expect("corpus");
    fs::write(dir.join(name), bytes).expect("corpus");
}

fn sample_frames() -> Vec<Frame> {
    let receipts = vec![Receipt {
        document: document(0),
        actor: actor(2),
        seq: 3,
        hash: [4; 32],
    }];
    vec![
        Frame::Hello(Hello {
            versions: vec![1],
            county: Some(id(0)),
            county_name: "云岭县".into(),
            store: StoreId([2; 16]),
            cursor: Some((StoreId([3; 16]), 77)),
            roll: [5; 8],
            announced: (36, 12_000),
            more: More {
                speaks: Speaks::ours(),
                have: Some((StoreId([3; 16]), 5)),
                clock: Some(-1),
                state_follows: true,
            },
        }),
        Frame::Roll(RollFrame {
            statements: statements().iter().take(2).map(|s| s.to_bytes()).collect(),
        }),
        Frame::Piece(Piece {
            upto: Some(3),
            changes: CHANGES.iter().take(3).cloned().collect(),
        }),
        Frame::Ack(Ack {
            upto: Some(9),
            pieces: 1,
            signature: key(2).sign(&receipt_bytes(&StoreId([2; 16]), &receipts)).to_vec(),
            receipts,
            verdicts: vec![(document(0), [9; 32], Verdict::Dropped(Fault::NoTip))],
        }),
        Frame::Check(Check {
            roll: [1; 8],
            documents: [2; 16],
        }),
        Frame::Digests(vec![DocDigest {
            key: [1; 8],
            heads: [2; 8],
        }]),
        Frame::Vectors(Vectors {
            absent: vec![[1; 8]],
            vectors: vec![Vector {
                document: document(0),
                actors: vec![(actor(2), 3)],
            }],
            answer: true,
        }),
        Frame::Done,
        Frame::Refuse(Refuse {
            code: Refusal::NotEnrolled,
            text: "设备未入网".into(),
        }),
        Frame::Enrol(Enrol {
            label: "青石小学 办公室电脑".into(),
        }),
        Frame::WantReceipts,
        Frame::State(Check {
            roll: [3; 8],
            documents: [4; 16],
        }),
    ]
}

fn frames() {
    for (n, frame) in sample_frames().iter().enumerate() {
        let bytes = frame.encode();
        write(
            "frame",
            &format!("frame-{:02}", n + 1),
            &[&[0], &bytes[..]].concat(),
        );
        if let [3, encoding @ 1..=9, packed @ ..] = &bytes[..] {
            let inner = zstd::bulk::decompress(packed, 1 << 20).expect("zstd");
            write("frame", "inside-zstd", &[&[*encoding], &inner[..]].concat());
        }
    }
    // A body of unusual form keeps a piece from being packed.
    let mut odd = CHANGES[0].clone();
    odd.body.truncate(60);
    let piece = Frame::Piece(Piece {
        upto: None,
        changes: vec![odd],
    });
    write("frame", "plain-piece", &[&[0], &piece.encode()[..]].concat());
}

fn changes() {
    for at in [0, 1, 5, 9] {
        let body = &CHANGES[at].body;
        write("change", &format!("body-{at}"), &[&[1], &body[..]].concat());
    }
    let chunk = Change::from_body(CHANGES[0].body.clone())
        .expect("a change")
        .to_chunk();
    write("change", "chunk", &[&[0], &chunk[..]].concat());
}

fn rolls() {
    for (n, s) in statements().iter().enumerate() {
        write(
            "statement",
            &format!("bytes-{n}"),
            &[&[0], &s.to_bytes()[..]].concat(),
        );
    }
    // Grant by the root: device 2, role 3, in "a".
    let payload = postcard::to_stdvec(&(id(2), 3u8, "a", "电脑")).expect("payload");
    write(
        "statement",
        "payload-grant",
        &[&[1, 0, 5, 1], &payload[..]].concat(),
    );
    let officer = [0, 0, 1, 1, 0, 0, 0];
    let grant = [2, 1, 2, 2, 3, 1, 0];
    let limited = [1, 1, 3, 2, 3, 1, 0];
    let by_limited = [2, 2, 4, 4, 3, 1, 0];
    let cut = [5, 1, 5, 2, 3, 0, 7];
    let revoke = [4, 1, 6, 2, 0, 0, 0];
    let retire = [7, 0, 7, 1, 4, 0, 0];
    let all = [officer, grant, limited, by_limited, cut, revoke, retire].concat();
    write("statement", "script", &[&[2, 3], &all[..]].concat());
}

fn sessions() {
    // An honest conversation to its end, from both sides, with and without a cursor.
    for how in [0u8, 1, 8, 9, 16, 24] {
        for kind in [3u8, 7] {
            let head = [how, 0, 0b0101_1010, kind, 0];
            let turns: Vec<u8> = [5u8, 0, 0].repeat(40);
            write(
                "session",
                &format!("honest-{how}-{kind}"),
                &[&head[..], &turns].concat(),
            );
        }
    }
    // Every good frame once, behind a Hello.
    let hello = [0, 3, 0, 1, 0, 0, 2, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0];
    for kind in 1..14u8 {
        let steps = [&[8, 0, 0b0101_1010, 7][..], &hello, &[0, 3, kind], &[2; 40]].concat();
        write("session", &format!("frame-{kind:02}"), &steps);
    }
}
