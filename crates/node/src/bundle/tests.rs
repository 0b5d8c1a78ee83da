//! What only the inside can test: seals of one's own making.

use std::path::Path;

use sync::DeviceKey;
use tempfile::TempDir;

use super::*;
use crate::office::{self, By, OrganisationInput};
use crate::{Error, Node, mail};

fn county() -> (Node, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::init_county(&dir.path().join("county"), "云岭县").unwrap();
    (node, dir)
}

fn member(county: &Node, dir: &Path, label: &str) -> Node {
    use crate::enrol;
    let node = Node::init_member(&dir.join(label), label).unwrap();
    let grants = [(crate::Role::School, "s1".to_string())];
    let answer = enrol::approve(county, &node.id(), label, &grants).unwrap();
    enrol::accept(&node, &answer.text).unwrap();
    enrol::confirm(&node).unwrap();
    node
}

/// A bundle of `from` for `to` with this body, well signed.
fn signed(from: &DeviceKey, to: &NodeId, number: u64, body: Vec<u8>) -> Vec<u8> {
    let head = Head {
        to: *to,
        from: from.id(),
        store: StoreId([7; 16]),
        number,
        part: 1,
        parts: 1,
        made: 1_767_283_200,
        body_len: body.len() as u64,
        body: *blake3::hash(&body).as_bytes(),
        answers: Vec::new(),
    };
    let (_, mut bytes) = head.encode(from);
    bytes.extend(body);
    bytes
}

fn error_of(result: Result<Taken, Error>) -> BundleError {
    match result {
        Err(Error::Bundle(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn heads_are_read_back_and_no_byte_of_one_can_be_changed() {
    let key = DeviceKey::from_seed([3; 32]);
    let to = DeviceKey::from_seed([4; 32]).id();
    let bytes = signed(&key, &to, 9, b"body".to_vec());
    let (head, name, len) = Head::read(&bytes).unwrap();
    assert_eq!((head.to, head.from, head.number), (to, key.id(), 9));
    assert_eq!(&bytes[len..], b"body");
    assert_eq!(hash_of(&name).map(|h| name_of(&h)), Some(name));
    for i in 0..len {
        let mut other = bytes.clone();
        other[i] ^= 1;
        assert!(Head::read(&other).is_err(), "byte {i}");
        assert!(Head::read(&bytes[..i]).is_err(), "cut at {i}");
    }
    let mut newer = bytes.clone();
    newer[3] = 2;
    assert!(matches!(Head::read(&newer), Err(BundleError::Version(2))));
}

#[test]
fn a_bomb_ends_at_its_cap_and_its_sender_is_told() {
    let (county, dir) = county();
    let school = member(&county, dir.path(), "青石小学");
    // Frames of an unknown type, a megabyte each, without end.
    let mut frame = (1_000_000u32).to_be_bytes().to_vec();
    frame.extend(vec![200; 1_000_000]);
    let mut encoder = zstd::stream::Encoder::new(vec![1], 3).unwrap();
    for _ in 0..300 {
        std::io::Write::write_all(&mut encoder, &frame).unwrap();
    }
    let bomb = encoder.finish().unwrap();
    assert!(bomb.len() < 300_000, "{}", bomb.len());
    let body = seal::seal(&county.id(), &bomb).unwrap();
    let bytes = signed(&school.0.key, &county.id(), 1, body);
    let error = error_of(take(&county, &bytes));
    assert!(matches!(error, BundleError::Inside { .. }), "{error}");
    // One frame that claims four gigabytes.
    let huge = inside::write(&[]).unwrap();
    assert_eq!(huge[0], 1);
    let claim = zstd::bulk::compress(&[0xff; 64], 3).unwrap();
    let body = seal::seal(&county.id(), &[&[1], &claim[..]].concat()).unwrap();
    let error = error_of(take(&county, &signed(&school.0.key, &county.id(), 2, body)));
    assert!(error.to_string().contains("too large"), "{error}");
}

#[test]
fn what_does_not_open_is_answered_by_a_refusal_that_the_sender_sees() {
    let (county, dir) = county();
    let school = member(&county, dir.path(), "青石小学");
    // Ours, so that the refusal is about something that we sent.
    let input = OrganisationInput {
        name: "青石小学".into(),
        org_kind: "primary_school".into(),
        ..OrganisationInput::default()
    };
    let by = By {
        account: "王审核员".into(),
    };
    office::save_organisations(&county, &by, vec![(None, input)]).unwrap();
    let item = &mail::prepare(&county, &school.id(), MAX).unwrap()[0];
    let good = mail::read(&county, &item.name).unwrap().unwrap();
    let cut = &good[..good.len() - 1];
    let error = error_of(take(&school, cut));
    assert!(
        matches!(error, BundleError::Damaged { .. }) && error.zh().contains("损坏"),
        "{error}"
    );
    // The answer carries it home.
    let back = make(&school, &county.id(), MAX).unwrap();
    assert_eq!(back.len(), 1);
    assert_eq!(answered_names(&back[0].head), [item.name.clone()]);
    let taken = take(&county, &back[0].bytes).unwrap();
    assert_eq!(taken.refused, 1);
    let events = county.events(10).unwrap();
    assert!(
        events
            .iter()
            .any(|e| e.code == "bundle-refused" && e.text_zh.contains("打不开")),
        "{events:?}"
    );
    // Sealed for another key than the head says.
    let body = seal::seal(&DeviceKey::from_seed([9; 32]).id(), b"x").unwrap();
    let bytes = signed(&school.0.key, &county.id(), 1, body);
    assert!(matches!(
        error_of(take(&county, &bytes)),
        BundleError::NotOpened(_)
    ));
    // Of a stranger: nothing is owed to it, so nothing is made.
    let stranger = DeviceKey::from_seed([8; 32]);
    let body = seal::seal(&county.id(), &inside::write(&[]).unwrap()).unwrap();
    let bytes = signed(&stranger, &county.id(), 1, body);
    assert!(matches!(
        error_of(take(&county, &bytes)),
        BundleError::Stranger(_)
    ));
    assert!(
        !county
            .store()
            .read(|c| store::mail::correspondent(c, &stranger.id()))
            .unwrap()
            .owed
    );
}

#[test]
fn an_old_store_of_the_sender_gives_no_receipts() {
    let (county, dir) = county();
    let school = member(&county, dir.path(), "青石小学");
    let first = make(&school, &county.id(), MAX).unwrap();
    assert!(first.is_empty(), "nothing was written yet");
    let body = seal::seal(&county.id(), &inside::write(&[]).unwrap()).unwrap();
    let mut now = signed(&school.0.key, &county.id(), 1, body);
    take(&county, &now).unwrap();
    let known = |c: &store::Connection| store::peers::get(c, &school.id());
    assert_eq!(
        county.store().read(known).unwrap().unwrap().store,
        Some(StoreId([7; 16]))
    );
    // Another store, made long before we met this one: it lay in a drawer.
    let (mut head, _, len) = Head::read(&now).unwrap();
    head.store = StoreId([6; 16]);
    let (_, mut bytes) = head.encode(&school.0.key);
    bytes.extend(now.split_off(len));
    take(&county, &bytes).unwrap();
    assert_eq!(
        county.store().read(known).unwrap().unwrap().store,
        Some(StoreId([7; 16]))
    );
    assert!(county.events(10).unwrap().iter().any(|e| e.code == "old-store"));
}
