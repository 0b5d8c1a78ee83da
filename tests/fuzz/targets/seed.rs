//! Writes the corpus: `cargo run --bin seed -- -runs=0`. Real frames, changes, statements and tables, made
//! small. It has a target's form because what is built for coverage links with libFuzzer alone.
#![no_main]

use std::fs;
use std::path::Path;

use fuzz::world::{CHANGES, actor, document, id, key, statements};
use net::fuzzing::Side;
use node::bundle::Head;
use node::fuzzing::sealed;
use sync::admission::{Fault, Verdict};
use sync::blob::BlobReceipt;
use sync::tip::{Receipt, receipt_bytes};
use sync::wire::errand::{Errand, Item, Letter, Reason};
use sync::wire::stream::Writer;
use sync::wire::{
    Ack, Check, DocDigest, Enrol, Frame, Hello, More, Piece, Refusal, Refuse, RollFrame, Speaks, Vector,
    Vectors,
};
use sync::{BlobName, Change, StoreId};

libfuzzer_sys::fuzz_target!(init: seed(), |_data: &[u8]| {});

fn seed() {
    frames();
    changes();
    rolls();
    sessions();
    tables();
    codes();
    admissions();
    errands();
    bundles();
    chunks();
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
    let mut writer = Writer::default();
    let (mut travels, mut stored) = (vec![8], vec![8]);
    for (i, part) in CHANGES.chunks(4).take(3).enumerate() {
        let piece = Piece {
            upto: Some(i as u64),
            changes: part.to_vec(),
        };
        let more = if i < 2 { 0 } else { 1 };
        let begin = if i == 0 { 0 } else { 2 };
        if let Some(part) = writer.write(&piece, more == 0, 0, &[]) {
            step(&mut travels, 0x80 | begin | more, &part.bytes);
        }
        if let [3, 2, packed @ ..] = &Frame::Piece(piece).encode()[..] {
            step(
                &mut stored,
                begin | more,
                &zstd::bulk::decompress(packed, 1 << 20).expect("zstd"),
            );
        }
    }
    write("frame", "stream", &travels);
    write("frame", "stream-stored", &stored);
    // A body of unusual form keeps a piece from being packed.
    let mut odd = CHANGES[0].clone();
    odd.body.truncate(60);
    let piece = Frame::Piece(Piece {
        upto: None,
        changes: vec![odd],
    });
    write("frame", "plain-piece", &[&[0], &piece.encode()[..]].concat());
}

fn step(out: &mut Vec<u8>, how: u8, bytes: &[u8]) {
    out.push(how);
    out.extend((bytes.len() as u16).to_le_bytes());
    out.extend(bytes);
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

fn tables() {
    let book = fuzz::table::workbook();
    // Deflated as an office program writes it, and part by part.
    write("sheet", "workbook", &[&[0], &book[..]].concat());
    for (n, (name, bytes)) in fuzz::table::parts().iter().enumerate() {
        let small = name.contains("sheet") || name.contains("haredStrings") || name.ends_with("styles.xml");
        if small && bytes.len() < 3_000 {
            write(
                "sheet",
                &format!("part-{n}"),
                &[&[2 + fits(n)], &bytes[..]].concat(),
            );
        }
    }
    let csv = "教师花名册\r\n姓名,性别,出生年月,任教学科,教师编号\r\n李秀兰,女,1985.3,语文,2133000101\r\n合计,1\r\n";
    write("sheet", "utf-8", &[&[0], csv.as_bytes()].concat());
    let (gb, _, _) = encoding_rs::GB18030.encode(csv);
    write("sheet", "gb18030", &[&[0], &gb[..]].concat());
    write(
        "sheet",
        "semicolon",
        "\0sep=;\n学校名称;简称;学校标识码\n青石小学;青石;2133000001\n".as_bytes(),
    );
}

/// The number of a part, such that `one_part` finds it again.
fn fits(n: usize) -> u8 {
    let parts = fuzz::table::parts().len();
    (0..250u8)
        .find(|m| (usize::from(*m) + 2) % parts == n)
        .expect("a number")
}

fn codes() {
    write("code", "request", &[&[1, 1], &id(2).0[..]].concat());
    write(
        "code",
        "request-file",
        "\0设备 label: 办公室电脑\ncode: YXQ-AEBA".as_bytes(),
    );
    write("code", "node-id", format!("\0{}", id(2)).as_bytes());
    for text in [
        "log/a/2025",
        "10.0.0.1:4433",
        "[fe80::1%2]:4433",
        "hub.example:4433",
        "2025年3月2日",
        "1985.3",
        "1.25",
    ] {
        let name: String = text
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .collect();
        write("code", &format!("text-{name}"), format!("\0{text}").as_bytes());
    }
    write(
        "code",
        "answer",
        &[
            3, 0, 3, 1, b'a', 4, b'a', b'b', b'c', b'd', 0, 5, 0, 0, 0, 2, b'x', b'y',
        ],
    );
    let statements: Vec<Vec<u8>> = statements().iter().map(|s| s.to_bytes()).collect();
    let body = postcard::to_stdvec(&(id(0), "云岭县", statements)).expect("an answer");
    write("code", "answer-of-another", &[&[2, 1], &body[..]].concat());
}

fn admissions() {
    // All honest changes, in runs of eight.
    let all: Vec<u8> = (0..3u8).flat_map(|n| [0, n * 8, 7, 5]).collect();
    write("admit", "honest", &all);
    write(
        "admit",
        "damaged",
        &[0, 0, 7, 5, 2, 3, 2, 90, 0, 2, 7, 95, 0, 2, 1, 3],
    );
    // Forged heads before honest columns: device, document, incarnation, further dependencies, seq, start_op.
    write(
        "admit",
        "long",
        &[&all[..], &[4, 1, 0, 0, 1, 3, 2, 0, 0, 1, 1, 1, 30, 3].repeat(12)].concat(),
    );
    let forged = [4u8, 0, 0, 1, 1, 2, 0, 0, 1, 3, 0];
    write(
        "admit",
        "forged",
        &[&[0, 0, 7, 5][..], &forged, &forged, &[3], &forged].concat(),
    );
}

fn errands() {
    let content = vec![7; 40_000];
    let name = BlobName::of(&content);
    let receipt = BlobReceipt::sign(key(1), StoreId([2; 16]), name);
    let samples = [
        Errand::Fetch(vec![Item { name, from: 2 }]),
        Errand::WhoHas(vec![[9; 8], [1; 8]]),
        Errand::Blob {
            size: 40_000,
            hashes: vec![[4; 32]; 3],
        },
        Errand::Absent(Reason::NotForYou),
        Errand::Group(vec![0; 90]),
        Errand::Receipts(vec![receipt]),
        Errand::MailList {
            known: vec![[5; 8]],
            meets: vec![[6; 8]],
        },
        Errand::Mail(vec![Letter {
            blob: name,
            name: [3; 32],
            to: id(1),
            from: id(2),
            bytes: 70_000,
            along: Some(Default::default()),
        }]),
    ];
    for (n, errand) in samples.iter().enumerate() {
        write(
            "errand",
            &format!("errand-{}", n + 1),
            &[&[0], &errand.encode()[..]].concat(),
        );
    }
    // Length, told size, where, what and how much of it is changed; then the content.
    write("errand", "changed-group", &[1, 60, 9, 3, 1, 1, 5, 40, 2, 3]);
    write("errand", "as-it-is", &[1, 30, 0, 0, 0, 0, 0, 1]);
}

fn bundles() {
    let head = |to, parts| Head {
        to,
        from: id(1),
        store: StoreId([1; 16]),
        number: 3,
        part: 1,
        parts,
        made: 1_760_000_000,
        body_len: 0,
        body: [0; 32],
        answers: vec![[2; 32]],
    };
    let whole = sealed(key(1), head(id(2), 1), b"\x01").expect("sealed");
    write("bundle", "whole", &[&[0], &whole[..]].concat());
    write("bundle", "head-said", &[1, 4, 3, 1, 2, 9, 8, 7, 2, 3, 5, 1]);
    write("bundle", "head-impossible", &[1, 4, 3, 9, 2, 9, 8, 7, 2, 3, 5, 1]);
    let frame = Frame::Done.encode();
    let plain = [&(frame.len() as u32).to_be_bytes()[..], &frame].concat();
    let packed = zstd::bulk::compress(&plain, 3).expect("zstd");
    write("bundle", "inside", &[&[2, 1], &packed[..]].concat());
    // Statements, three changes, a damaged acknowledgement.
    let frames = [0, 9, 1, 0, 3, 1, 5, 2, 4, 0, 1, 2, 3, 4];
    write("bundle", "frames", &[&[3], &frames[..]].concat());
    write("bundle", "lie", &[3, 2, 245, 0, 9]);
    let stanza = &whole[whole.windows(8).position(|w| w == b" X25519 ").expect("age") + 8..];
    write("bundle", "seal", &[&[4], stanza].concat());
    // To the county: sender, head, how; then frames.
    let head = [0, 1, 1, 1, 1, 9, 9, 9, 0, 0, 0];
    write("bundle", "taken", &[&[5], &head[..], &frames].concat());
    write(
        "bundle",
        "of-a-stranger",
        &[&[5, 3], &head[1..], &frames].concat(),
    );
}

fn chunks() {
    let mut side = Side::new(true);
    let stream = side.open().expect("a stream");
    side.push(stream, "学时".repeat(200).as_bytes());
    side.finish(stream);
    side.ping();
    let mut said = Vec::new();
    while let Some(chunk) = side.say() {
        said.extend(chunk);
    }
    let mut script = vec![0, 1, 2];
    script.extend((said.len() as u16).to_le_bytes());
    script.extend(&said);
    // Accepts, reads, says.
    script.extend([0, 1, 0, 4, 0, 9, 1, 1]);
    write("mux", "a-stream", &script);
    write(
        "mux",
        "good-chunks",
        &[0, 1, 3, 0, 2, 9, 7, 3, 1, 2, 0, 0, 3, 4, 2, 1, 1, 1, 1],
    );
    write("mux", "too-much-room", &[0, 1, 3, 0, 2, 9, 7, 3, 3, 2, 1, 255]);
    write("mux", "closed", &[0, 1, 3, 6, 0, 1, 0]);
    let honest = [
        0, 0, 0, 1, 0, 255, 0, 5, 9, 0, 1, 0, 200, 1, 6, 255, 0, 3, 0, 1, 5, 30, 1, 0, 1, 1, 0, 77, 1, 3, 0,
    ];
    write("mux", "honest", &[&[1], &honest[..]].concat());
}
