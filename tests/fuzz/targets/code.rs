//! What people type, scan or carry on a stick: enrolment codes and files, node ids, addresses, dates.
#![no_main]

use std::sync::LazyLock;

use data_encoding::BASE32_NOPAD;
use fuzz::guard::watch;
use fuzz::script::Script;
use fuzz::world::{id, key, root};
use node::{Node, enrol};
use sha2::{Digest, Sha256};
use sync::roll::Body;
use sync::{DocKey, NodeId, Statement};

const MEMORY: usize = 64 << 20;

struct World {
    _dir: tempfile::TempDir,
    school: Node,
    county: Node,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let dir = tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .expect("a directory");
    World {
        school: Node::init_member(&dir.path().join("school"), "办公室电脑").expect("a school"),
        county: Node::init_county(&dir.path().join("county"), "云岭县").expect("a county"),
        _dir: dir,
    }
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| watch(MEMORY, || {
    let mut script = Script(data);
    match script.byte() {
        0 => typed(&String::from_utf8_lossy(script.0)),
        1 => typed(&code("YXQ", script.0)),
        2 => typed(&format!(
            "学校 school: 甲\nlabel: 乙\ncode: {}",
            code("YXA", script.0)
        )),
        _ => answer(script),
    }
}));

fn typed(text: &str) {
    let school = &WORLD.school;
    if let Ok((device, _)) = enrol::read_request(text) {
        assert_eq!(
            enrol::read_request(&code("YXQ", &[&[1], &device.0[..]].concat())).ok(),
            Some((device, None))
        );
    }
    let _ = enrol::find_request(&WORLD.county, text);
    if let Ok(candidate) = enrol::accept(school, text) {
        let kept = enrol::candidate(school).expect("a candidate");
        assert_eq!(kept.map(|c| (c.root, c.approved)), Some((candidate.root, true)));
        enrol::forget_candidate(school).expect("forgotten");
    }
    if let Some(id) = NodeId::parse(text) {
        assert_eq!(NodeId::parse(&id.to_string()), Some(id));
        assert_eq!(id.short().len(), 8);
    }
    if let Some(key) = DocKey::parse(text) {
        assert_eq!(key.as_str(), text);
    }
    if school.add_address(text).is_ok() {
        school.remove_address(text).expect("removed");
    }
    let _ = web::sheet::dates::parse(text, Some(records::SchoolYear(2025)));
    let _ = (
        records::parse_date(text, None),
        records::parse_stored_date(text),
        records::parse_hundredths(text),
    );
}

/// As `enrol` writes it: base32 of the body and the first 4 bytes of its SHA-256.
fn code(prefix: &str, body: &[u8]) -> String {
    let sum = Sha256::digest(body);
    format!("{prefix}{}", BASE32_NOPAD.encode(&[body, &sum[..4]].concat()))
}

/// An answer with good and bad statements, for this device or another.
fn answer(mut s: Script<'_>) {
    let device = if s.rarely() { id(2) } else { WORLD.school.id() };
    let grant = Body::Grant {
        device,
        role: s.byte(),
        scope: s.text(),
        label: s.text(),
    };
    let mut statements = vec![Statement::sign(root(), key(s.below(3)), s.number(), grant).to_bytes()];
    for _ in 0..s.below(3) {
        statements.push(s.bytes().to_vec());
    }
    let county = if s.rarely() { id(5) } else { root() };
    let mut body = postcard::to_stdvec(&(county, s.text(), statements)).unwrap_or_default();
    body.insert(0, 1);
    typed(&format!("school: {}\ncode: {}", s.text(), code("YXA", &body)));
}
