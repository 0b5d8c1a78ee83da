//! Sealed bundles: any bytes for a head; a signed head that says anything; any bytes inside a good seal, frame by frame
//! and taken up by a county.
#![no_main]

use std::sync::LazyLock;

use fuzz::guard::watch;
use fuzz::script::{Script, stored_in_zstd};
use fuzz::world::{CHANGES, id, key, statements};
use node::bundle::{self, Head};
use node::fuzzing::{read_inside, sealed, signed, unseal};
use node::{Node, Role, enrol, mail};
use sync::wire::{Frame, Piece, RollFrame};
use sync::{DeviceKey, NodeId, StoreId, limits};

/// What is inside may unfold to eight megabytes of window and one of a frame; a node is beside it.
const MEMORY: usize = 96 << 20;

struct World {
    _dir: tempfile::TempDir,
    county: Node,
}

/// A county to which device 1 belongs as a school's PC.
static WORLD: LazyLock<World> = LazyLock::new(|| {
    let dir = tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .expect("a directory");
    let county = Node::init_county(&dir.path().join("county"), "云岭县").expect("a county");
    enrol::approve(&county, &id(1), "青石小学", &[(Role::School, "a".into())]).expect("approved");
    World { _dir: dir, county }
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| watch(MEMORY, || {
    let mut script = Script(data);
    match script.byte() {
        0 => any(script.0),
        1 => said(script),
        2 => drop(read_inside(script.0)),
        3 => drop(read_inside(&inside(script))),
        4 => drop(unseal(
            key(1),
            &[b"age-encryption.org/v1\n-> X25519 ", script.0].concat(),
        )),
        _ => taken(script),
    }
}));

fn any(bytes: &[u8]) {
    if let Ok((head, name, len)) = Head::read(bytes) {
        assert!(len <= bundle::HEAD_BYTES && len <= bytes.len() && name.len() == 64);
        assert!(head.part >= 1 && head.part <= head.parts && head.parts <= limits::BUNDLE_PARTS);
        assert!(head.answers.len() <= limits::BUNDLE_ANSWERS);
    }
}

fn head(s: &mut Script<'_>, to: NodeId) -> Head {
    let all = [0; 32];
    Head {
        to,
        from: id(1),
        store: StoreId([s.byte(); 16]),
        number: s.number(),
        part: u16::from(s.byte()),
        parts: u16::from(s.byte()),
        made: s.number() as i64,
        body_len: s.number(),
        body: [s.byte(); 32],
        answers: (0..s.below(3))
            .map(|n| [n as u8; 32])
            .chain(s.rarely().then_some(all))
            .collect(),
    }
}

/// What was signed reads as it was written, or is refused for what it says; no letter of it can be changed.
fn said(mut s: Script<'_>) {
    let head = head(&mut s, id(2));
    let (name, mut bytes) = signed(key(1), &head);
    let sound = (1..=head.parts).contains(&head.part) && head.parts <= limits::BUNDLE_PARTS;
    match Head::read(&bytes) {
        Ok((read, its, len)) => {
            assert!(sound);
            assert_eq!((read, its, len), (head, name, bytes.len()));
        }
        Err(error) => assert!(!sound, "{error}"),
    }
    let at = usize::from(s.byte()) % bytes.len();
    let flip = s.byte();
    bytes[at] ^= flip;
    assert!(flip == 0 || Head::read(&bytes).is_err());
}

/// Frames: of the script, and good ones among them.
fn inside(mut s: Script<'_>) -> Vec<u8> {
    let mut plain = Vec::new();
    for _ in 0..24 {
        if s.is_empty() {
            break;
        }
        let frame = match s.byte() {
            0 => Frame::Roll(RollFrame {
                statements: statements()
                    .iter()
                    .take(s.below(9))
                    .map(|s| s.to_bytes())
                    .collect(),
            })
            .encode(),
            1 => Frame::Piece(Piece {
                upto: None,
                changes: CHANGES
                    .iter()
                    .skip(s.below(20))
                    .take(s.below(5))
                    .cloned()
                    .collect(),
            })
            .encode(),
            // A length that is a lie.
            2 => {
                plain.extend((s.number() as u32).to_be_bytes());
                continue;
            }
            kind => [&[[2, 3, 4, 64, 65, 66, 9, 1][usize::from(kind) % 8]], s.bytes()].concat(),
        };
        plain.extend((frame.len() as u32).to_be_bytes());
        plain.extend(frame);
    }
    [&[1], &stored_in_zstd(&plain)[..]].concat()
}

fn taken(mut s: Script<'_>) {
    let county = &WORLD.county;
    // A member, or somebody unknown.
    let sender: &DeviceKey = key(if s.rarely() { 3 } else { 1 });
    let mut head = head(&mut s, county.id());
    head.parts = head.parts.clamp(1, limits::BUNDLE_PARTS);
    head.part = head.part.clamp(1, head.parts);
    let how = s.byte();
    let plain = if how & 1 == 0 { inside(s) } else { s.0.to_vec() };
    let Some(bytes) = sealed(sender, head, &plain) else {
        return;
    };
    let before = county.devices().len();
    if let Ok(taken) = bundle::take(county, &bytes) {
        assert_eq!(sender.id(), id(1), "a stranger was believed");
        assert!(taken.stored <= taken.changes);
    }
    // Nothing in a bundle of a school makes a device one of the county's.
    assert_eq!(county.devices().len(), before);
    if how & 2 == 0 {
        // For another: carried, and bounded.
        let other = head_to(id(1), sender);
        let _ = sealed(sender, other, &plain).map(|bytes| mail::keep(county, &bytes).is_ok());
    }
    if how & 4 == 0 && mail::list(county).is_ok_and(|all| all.len() > 50) {
        mail::set_limit(county, 0)
            .and_then(|()| mail::set_limit(county, mail::LIMIT))
            .expect("works");
    }
}

fn head_to(to: NodeId, from: &DeviceKey) -> Head {
    Head {
        to,
        from: from.id(),
        store: StoreId([1; 16]),
        number: 1,
        part: 1,
        parts: 1,
        made: 0,
        body_len: 0,
        body: [0; 32],
        answers: Vec::new(),
    }
}
