//! Hostile sessions against a real hub: bytes, silence, questions and floods. See `hostile.rs` for what every
//! attack is held to.
#![cfg(target_os = "linux")]
// Helpers outside #[test] functions unwrap as well: a failure is a failed test.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use node::{Patience, Role, enrol};
use sync::roll::Body;
use sync::tip::{Receipt, receipt_bytes};
use sync::wire::{Ack, Check, DocDigest, Enrol, Frame, Hello, Refusal, RollFrame, Vector, Vectors};
use sync::{ActorId, DocKey, NodeId, Statement, StoreId, limits};
use yanxiu_tests::siege::{Siege, chain};
use yanxiu_tests::villain::{Line, Villain};
use yanxiu_tests::*;

/// Bombs and lies in frames. What a frame unfolds to is bounded by 512 KiB a piece and 1 MiB a frame.
#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_unfold_or_announce_too_much_end_the_session() {
    let siege = Siege::begin().await;
    let zeros = vec![0u8; 64 << 20];
    let sized = zstd::bulk::compress(&zeros, 19).unwrap();
    let unsized_ = {
        let mut e = zstd::stream::Encoder::new(Vec::new(), 19).unwrap();
        std::io::Write::write_all(&mut e, &zeros).unwrap();
        e.finish().unwrap()
    };
    // A size that is a lie: the header says 10 bytes.
    let mut lie = zstd::bulk::compress(&[0u8; 200], 3).unwrap();
    assert_eq!(lie[5], 200);
    lie[5] = 10;
    drop(zeros);
    let with = |head: &[u8], tail: &[u8]| [head, tail].concat();
    let huge = [0xff, 0xff, 0xff, 0xff, 0x0f];
    let attacks: Vec<(&str, Vec<u8>, &str)> = vec![
        ("bomb", with(&[3, 1], &sized), "larger than allowed"),
        ("bomb in a pack", with(&[3, 2], &sized), "larger than allowed"),
        (
            "bomb of no announced size",
            with(&[3, 1], &unsized_),
            "cannot be read",
        ),
        (
            "bomb in a stream",
            with(&[3, 3, 2, 0], &unsized_),
            "frame of type 3",
        ),
        ("a size that is a lie", with(&[3, 1], &lie), "cannot be read"),
        (
            "a longer piece than any",
            with(&[3, 0], &vec![1; limits::PIECE_BYTES + 1]),
            "larger than allowed",
        ),
        ("unknown encoding", vec![3, 99, 1, 2, 3], "unknown encoding"),
        ("a list of 2^32 digests", with(&[6], &huge), "cannot be read"),
        (
            "vectors of 2^32 actors",
            with(&[7, 0, 1, 1, b'a'], &huge),
            "cannot be read",
        ),
        ("2^32 receipts", with(&[4, 0, 1], &huge), "cannot be read"),
        ("2^32 statements", with(&[2], &huge), "cannot be read"),
        ("a text of 2^32 letters", with(&[9, 0], &huge), "cannot be read"),
        ("no frame at all", vec![], "cannot be read"),
    ];
    for (what, bytes, words) in attacks {
        let mut line = siege.villain.enter(&siege.hub).await;
        line.out.write(&bytes).await.unwrap();
        let (code, text) = line.refusal().await;
        assert_eq!(code, Refusal::Protocol, "{what}");
        assert!(text.contains(words), "{what}: {text}");
        siege.operator_sees("we-refused-Protocol", words).await;
    }
    // Frames that announce 4 GB, or one byte more than a frame may have: refused at the length alone.
    for announced in [u32::MAX, net::MAX_FRAME + 1] {
        let mut line = siege.villain.enter(&siege.hub).await;
        line.out.write_raw(&announced.to_le_bytes()).await.unwrap();
        let (code, text) = line.refusal().await;
        assert_eq!(code, Refusal::Protocol);
        assert!(text.contains(&format!("{announced} bytes is longer")), "{text}");
    }
    siege
        .operator_sees("we-refused-Protocol", "4294967295 bytes")
        .await;
    // Frames of later versions are passed over, but not without end.
    let mut line = siege.villain.enter(&siege.hub).await;
    for _ in 0..limits::UNKNOWN_FRAMES + 1 {
        line.say(Frame::Unknown(250)).await;
    }
    assert_eq!(line.refusal().await.1, "too many frames of unknown type");
    // Out of turn.
    let mut line = siege.villain.enter(&siege.hub).await;
    line.say(Frame::Hello(siege.villain.hello())).await;
    assert_eq!(line.refusal().await.1, "a second Hello");
    let mut line = siege.villain.dial(&siege.hub).await;
    line.say(Frame::Done).await;
    assert_eq!(line.refusal().await.1, "the first frame must be Hello");
    siege.honest_goes_on().await;
    siege.end().await;
}

const SHORT: Patience = Patience {
    first_frame: Duration::from_secs(2),
    mute: Duration::from_secs(3),
    frame: Duration::from_secs(3),
    penalty: Duration::ZERO,
};

/// Links that say nothing, begin and say no more, send a byte a second, or ask and never read: each is given up
/// after its time (here 2 and 3 s, in earnest 1 and 10 minutes), with a word to the operator where it is a
/// member. A peer that does not read costs 1 MiB of answers and one more.
#[tokio::test(flavor = "multi_thread")]
async fn slow_and_silent_peers_are_given_up() {
    let siege = Siege::with(SHORT).await;
    // Nothing after the handshake: not even a stream.
    let line = siege.villain.dial(&siege.hub).await;
    gone(&line, 10).await;
    // A Hello with another roll, and then neither roll nor anything else.
    let mut line = siege.villain.dial(&siege.hub).await;
    let roll = [1; 8];
    line.say(Frame::Hello(Hello {
        roll,
        ..siege.villain.hello()
    }))
    .await;
    gone(&line, 10).await;
    siege.operator_sees("says-nothing", "said nothing").await;
    // One byte a second of a frame that would be whole in a quarter of an hour.
    let mut line = siege.villain.enter(&siege.hub).await;
    line.out.write_raw(&1_000u32.to_le_bytes()).await.unwrap();
    let (code, text) = line.trickle(Duration::from_millis(500), 2).await;
    assert_eq!(code, Refusal::Protocol);
    assert!(text.contains("not whole 3 s after"), "{text}");
    siege.operator_sees("we-refused-Protocol", "not whole").await;
    siege.honest_goes_on().await;
    // A stranger that says Hello and waits: its seat is free again, and it is no news.
    let stranger = Villain::stranger(&siege.hub, [200; 32]);
    let mut line = stranger.dial(&siege.hub).await;
    line.say(Frame::Hello(Hello {
        county: None,
        ..stranger.hello()
    }))
    .await;
    gone(&line, 10).await;
    let about = |id: NodeId| {
        siege
            .hub
            .node
            .events(1_000)
            .unwrap()
            .iter()
            .any(|e| e.peer == Some(id))
    };
    assert!(!about(stranger.key.id()));
    siege.end().await;
}

async fn gone(line: &Line, seconds: u64) {
    let closed = tokio::time::timeout(Duration::from_secs(seconds), line.link.closed()).await;
    println!("given up: {:?}", closed.expect("given up in time"));
}

/// Questions of all kinds without end: 200 that nothing gave reason for, and the session ends. What each
/// costs before is slowed to a tenth of a core a peer (`node::care`). Memory: the answers, 1 MiB and one more
/// where they are not read.
#[tokio::test(flavor = "multi_thread")]
async fn questions_without_end_end_the_session() {
    let siege = Siege::begin().await;
    let check = Check {
        roll: siege.hub.node.roll().digest(),
        documents: [7; 16],
    };
    let digests = |n: u64| {
        let key = |i: u64| i.to_be_bytes();
        let all = (0..n).map(|i| DocDigest {
            key: key(i),
            heads: [1; 8],
        });
        Frame::Digests(all.collect())
    };
    let actor = |n: u32| ActorId {
        device: siege.villain.key.id(),
        incarnation: n.to_be_bytes(),
    };
    let vectors = |documents: usize, actors: u32, answer| {
        let vector = |d: usize| Vector {
            document: DocKey::parse(&format!("log/{}/{}", siege.school, 1_900 + d)).unwrap(),
            actors: (0..actors).map(|a| (actor(a), 3)).collect(),
        };
        Frame::Vectors(Vectors {
            absent: Vec::new(),
            vectors: (0..documents).map(vector).collect(),
            answer,
        })
    };
    let kinds: Vec<(&str, Frame, bool)> = vec![
        ("receipts", Frame::WantReceipts, true),
        ("receipts, and nothing read", Frame::WantReceipts, false),
        ("checks", Frame::Check(check), true),
        ("states", Frame::State(check), true),
        ("digests", digests(10), true),
        ("vectors", vectors(2, 2, true), true),
        ("vectors that lack all", vectors(2, 0, false), true),
        ("done", Frame::Done, true),
    ];
    for (what, frame, reads) in kinds {
        let mut line = siege.villain.enter(&siege.hub).await;
        let Line { out, .. } = &mut line;
        for _ in 0..limits::QUESTIONS + 60 {
            if out.write(&frame.encode()).await.is_err() {
                break;
            }
        }
        if !reads {
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
        let (code, text) = line.refusal().await;
        assert_eq!(
            (code, text.as_str()),
            (Refusal::Protocol, "too many questions"),
            "{what}"
        );
        siege.honest_goes_on().await;
    }
    siege
        .operator_sees("we-refused-Protocol", "too many questions")
        .await;
    // The largest lists that a frame may carry are answered like small ones.
    let mut line = siege.villain.enter(&siege.hub).await;
    line.say(digests(limits::DIGESTS as u64)).await;
    line.say(vectors(1_000, 25, true)).await;
    line.say(vectors(2, 9_999, true)).await;
    line.say(Frame::WantReceipts).await;
    loop {
        match line.hear().await.expect("still there") {
            Frame::Ack(ack) if ack.pieces == 0 => break,
            Frame::Refuse(refuse) => panic!("{refuse:?}"),
            _ => {}
        }
    }
    // And larger ones are none.
    for frame in [
        digests(limits::DIGESTS as u64 + 1),
        vectors(1_001, 1, true),
        vectors(1, 10_001, true),
    ] {
        let mut line = siege.villain.enter(&siege.hub).await;
        line.say(frame).await;
        assert_eq!(line.refusal().await.0, Refusal::Protocol);
    }
    siege.end().await;
}

/// Answers to what was never sent, cursors beyond everything, receipts that nobody can give: refused, passed
/// over or named, and nothing is shown as received because of them. Kept: one row a document and actor.
#[tokio::test(flavor = "multi_thread")]
async fn answers_to_nothing_move_nothing() {
    let siege = Siege::begin().await;
    let store = siege.villain.hello().store;
    let sign = |receipts: &[Receipt]| siege.villain.key.sign(&receipt_bytes(&store, receipts)).to_vec();
    let ack = |upto, pieces, receipts: Vec<Receipt>, signature| {
        Frame::Ack(Ack {
            upto,
            pieces,
            receipts,
            verdicts: Vec::new(),
            signature,
        })
    };
    for (upto, pieces) in [(Some(u64::MAX), 0), (None, 200), (Some(u64::MAX), 1)] {
        let mut line = siege.villain.enter(&siege.hub).await;
        line.say(ack(upto, pieces, Vec::new(), Vec::new())).await;
        let (code, text) = line.refusal().await;
        assert_eq!(
            (code, text.as_str()),
            (Refusal::Protocol, "an answer to a piece that was not sent")
        );
    }
    // A cursor in the Hello that says "your store has given me everything up to the end of numbers".
    let hub_store = siege.hub.node.store_id();
    let mut line = siege.villain.dial(&siege.hub).await;
    let hello = Hello {
        cursor: Some((hub_store, u64::MAX)),
        roll: siege.hub.node.roll().digest(),
        announced: (u32::MAX, u64::MAX),
        ..siege.villain.hello()
    };
    line.say(Frame::Hello(hello)).await;
    line.say(Frame::WantReceipts).await;
    line.ack().await;
    // Receipts for another school's changes, whose hash it may have seen somewhere; for changes that do not
    // exist; and with a signature that is not its own.
    let honest_log = DocKey::parse(&format!("log/{}/2025", siege.other)).unwrap();
    let (actor, seq, hash) = siege
        .hub
        .node
        .read(|c| {
            let doc = store::changes::find(c, &honest_log)?.unwrap();
            Ok(store::changes::vector(c, doc)?.remove(0))
        })
        .unwrap();
    let foreign = Receipt {
        document: honest_log,
        actor,
        seq,
        hash,
    };
    let nothing = Receipt {
        document: DocKey::parse(&siege.log()).unwrap(),
        seq: u64::MAX,
        ..foreign.clone()
    };
    let receipts = vec![foreign, nothing];
    let mut line = siege.villain.enter(&siege.hub).await;
    let signature = sign(&receipts);
    line.say(ack(None, 0, receipts.clone(), signature)).await;
    line.say(Frame::WantReceipts).await;
    line.ack().await;
    siege.operator_sees("foreign-receipt", "may not read").await;
    let kept = |siege: &Siege, what: &str| {
        let node = data_encoding::HEXLOWER.encode(&siege.villain.key.id().0);
        siege.count(&format!(
            "SELECT COUNT({what}) FROM receipt WHERE node = x'{node}'"
        ))
    };
    assert_eq!(kept(&siege, "*"), 0);
    let mut line = siege.villain.enter(&siege.hub).await;
    line.say(ack(None, 0, receipts, vec![1; 64])).await;
    assert_eq!(line.refusal().await.1, "a receipt with a wrong signature");
    siege.operator_sees("bad-receipt", "wrong signature").await;
    // A new store in every session leaves nothing behind.
    for n in 0..20 {
        let mut line = siege.villain.dial(&siege.hub).await;
        let roll = siege.hub.node.roll().digest();
        let store = StoreId([n; 16]);
        line.say(Frame::Hello(Hello {
            roll,
            store,
            ..siege.villain.hello()
        }))
        .await;
        line.say(Frame::WantReceipts).await;
        line.ack().await;
    }
    assert_eq!(kept(&siege, "DISTINCT store"), 0);
    siege.honest_goes_on().await;
    siege.end().await;
}

/// Statements of its own making, forged ones, unknown kinds, and the county's own again and again: the session
/// ends, the hub's roll is as it was for everybody else, and the county goes on speaking. Kept: 256 statements
/// of nobody, in all.
#[tokio::test(flavor = "multi_thread")]
async fn roll_statements_without_end_change_nothing() {
    let siege = Siege::begin().await;
    let county = siege.villain.county();
    let before = siege.hub.node.roll();
    let made = |n: u64, body: Body| Statement::sign(county, &siege.villain.key, n, body).to_bytes();
    let grant = |n: u64| {
        let device = NodeId([n as u8; 32]);
        let (role, scope) = (1, String::new());
        made(
            u64::MAX - n,
            Body::Grant {
                device,
                role,
                scope,
                label: format!("{n}"),
            },
        )
    };
    let unknown = |n: u64| {
        made(
            n,
            Body::Unknown {
                kind: 200,
                payload: n.to_be_bytes().to_vec(),
            },
        )
    };
    let spoilt = |n: u64| {
        let mut bytes = grant(n);
        *bytes.last_mut().unwrap() ^= 1;
        bytes
    };
    let floods: Vec<(&str, Vec<Vec<u8>>)> = vec![
        ("its own grants", (0..800).map(grant).collect()),
        ("kinds that nobody knows", (0..800).map(unknown).collect()),
        ("forged ones", (0..800).map(spoilt).collect()),
    ];
    for (what, statements) in floods {
        let mut line = siege.villain.enter(&siege.hub).await;
        for part in statements.chunks(200) {
            let statements = part.to_vec();
            line.say(Frame::Roll(RollFrame { statements })).await;
        }
        let (code, text) = line.refusal().await;
        assert_eq!(code, Refusal::Protocol, "{what}");
        assert_eq!(text, "too many roll statements of nobody", "{what}");
        siege.honest_goes_on().await;
    }
    // The county's own, again and again.
    let all: Vec<Vec<u8>> = before.statements().map(|s| s.to_bytes()).collect();
    let statements: Vec<Vec<u8>> = all.iter().cycle().take(5_000).cloned().collect();
    let mut line = siege.villain.enter(&siege.hub).await;
    for _ in 0..limits::ROLL_STALE / 5_000 + 1 {
        let statements = statements.clone();
        line.say(Frame::Roll(RollFrame { statements })).await;
    }
    assert_eq!(
        line.refusal().await,
        (Refusal::Protocol, "roll statements without end".into())
    );
    siege.operator_sees("we-refused-Protocol", "without end").await;
    siege.operator_sees("we-refused-Protocol", "of nobody").await;
    let after = siege.hub.node.roll();
    assert_eq!(
        (after.digest(), after.last_number()),
        (before.digest(), before.last_number())
    );
    assert!(after.kept() <= all.len() + limits::ROLL_UNKNOWN_ISSUER);
    assert_eq!(
        siege.count("SELECT COUNT(*) FROM statement") as usize,
        after.kept()
    );
    // The county approves another device, which is heard everywhere.
    let late = Place::school(&siege.hub, &siege.other, "新电脑");
    until("the honest school has heard of it", 20, || {
        siege.honest.node.roll().is_member(&late.node.id())
    })
    .await;
    siege.end().await;
}

/// Whoever broke the protocol is not talked to for a while, the longer the more often: what its session costs
/// is not to be had again at once.
#[tokio::test(flavor = "multi_thread")]
async fn who_broke_the_protocol_waits() {
    let siege = Siege::with(Patience {
        penalty: Duration::from_secs(6),
        ..Patience::default()
    })
    .await;
    let mut line = siege.villain.enter(&siege.hub).await;
    line.out.write(&[]).await.unwrap();
    assert_eq!(line.refusal().await.0, Refusal::Protocol);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(siege.villain.turned_away(&siege.hub).await.contains("not now"));
    siege.honest_goes_on().await;
    tokio::time::sleep(Duration::from_secs(6)).await;
    let one = chain(siege.villain.incarnation(0), 1);
    assert_eq!(
        siege.push(vec![siege.own(&one[0])]).await,
        [""; 0],
        "and is heard again afterwards"
    );
    siege.end().await;
}

/// A hundred strangers that hold their links and a flood of wishes: at most 64 links of strangers, at most 500
/// wishes (`store::peers` tests whose go), names without anything that is no letter; a real new device enrols
/// meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn strangers_without_end_take_nobodys_place() {
    let siege = Siege::begin().await;
    let mut lines = Vec::new();
    for n in 0..100u8 {
        let mut seed = [n; 32];
        seed[0] = 77;
        let stranger = Villain::stranger(&siege.hub, seed);
        let mut line = stranger.dial(&siege.hub).await;
        line.say(Frame::Hello(Hello {
            county: None,
            ..stranger.hello()
        }))
        .await;
        // Half of them wish to be enrolled, half say nothing more.
        if n % 2 == 0 {
            let label = format!("青石\u{202e}\u{0007}\n小学\u{2066} {n}");
            line.say(Frame::Enrol(Enrol { label })).await;
        }
        lines.push(line);
    }
    until("the wishes are here", 20, || {
        enrol::pending(&siege.hub.node).unwrap().len() == 50
    })
    .await;
    for wish in enrol::pending(&siege.hub.node).unwrap() {
        let clean = wish
            .label
            .strip_prefix("青石 小学 ")
            .expect("no signs that turn the line about");
        assert!(clean.parse::<u8>().is_ok(), "{clean:?}");
    }
    until("at most 64 links of strangers", 20, || {
        siege.hub.counters().open <= 64 + 1
    })
    .await;
    let mut late = Place::device("真的新设备");
    late.up().await;
    late.knows(&siege.hub);
    until("the county sees the real wish", 20, || {
        let all = enrol::pending(&siege.hub.node).unwrap();
        all.iter().any(|w| w.node == late.node.id())
    })
    .await;
    siege.honest_goes_on().await;
    late.down().await;
    drop(lines);
    siege.end().await;
}

/// A device whose roll is old is brought up to date and goes on, also towards a hub that it has never heard of.
#[tokio::test(flavor = "multi_thread")]
async fn an_old_roll_is_brought_up_to_date() {
    let siege = Siege::begin().await;
    let (_, old) = (siege.honest.node.id(), siege.honest.copy());
    let mut backup = Place::of_copy(old);
    // Later: another hub device, another school, and somebody is put out.
    let mut second = Place::device("第二中心");
    second.enrol(&siege.hub, &[(Role::County, String::new())]);
    let gone = Place::school(&siege.hub, &siege.school, "丢了的电脑");
    enrol::revoke(&siege.hub.node, &gone.node.id()).unwrap();
    second.up().await;
    second.knows(&siege.hub);
    until("the second hub knows the county", 20, || {
        second.node.roll().digest() == siege.hub.node.roll().digest()
    })
    .await;
    assert_ne!(backup.node.roll().digest(), second.node.roll().digest());
    assert!(
        !backup.node.roll().is_member(&second.node.id()),
        "a stranger as yet"
    );
    add_session(&backup, "旧名册也照常", "2025-10-05");
    backup.up().await;
    backup.knows(&second);
    until(
        "it has the new roll and its work is at the second hub",
        30,
        || {
            backup.node.roll().is_revoked(&gone.node.id())
                && titles(&second).contains(&"旧名册也照常".to_string())
        },
    )
    .await;
    for place in [&backup, &second] {
        let refused: Vec<String> = place
            .event_codes()
            .into_iter()
            .filter(|c| c.contains("refused"))
            .collect();
        assert_eq!(refused, [""; 0]);
    }
    backup.down().await;
    second.down().await;
    let _ = siege;
}
