//! Changes: our reader of the head against Automerge's own, where both accept.
#![no_main]

use fuzz::guard::{quiet, watch};
use fuzz::script::Script;
use sync::Change;

/// Automerge's reader included.
const MEMORY: usize = 128 << 20;

libfuzzer_sys::fuzz_target!(|data: &[u8]| watch(MEMORY, || {
    let mut script = Script(data);
    let read = match script.byte() {
        0 => Change::from_chunk(script.0),
        _ => Change::from_body(script.0.to_vec()),
    };
    let Ok(ours) = read else { return };
    let chunk = ours.to_chunk();
    assert_eq!(Change::from_chunk(&chunk).as_ref(), Ok(&ours));
    let Some(Ok(theirs)) = quiet(|| automerge::Change::from_bytes(chunk)) else {
        return;
    };
    let head = &ours.header;
    assert_eq!(head.hash, theirs.hash().0, "hash");
    assert_eq!(&head.actor.to_bytes()[..], theirs.actor_id().to_bytes(), "actor");
    assert_eq!(head.seq, theirs.seq(), "sequence");
    assert_eq!(head.start_op, theirs.start_op().get(), "first operation");
    let deps: Vec<_> = theirs.deps().iter().map(|d| d.0).collect();
    assert_eq!(head.deps, deps, "dependencies");
    if let Some(ops) = quiet(|| theirs.len() as u64) {
        assert_eq!(head.ops, ops, "number of operations");
    }
}));
