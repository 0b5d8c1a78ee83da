//! Reads the head of an Automerge change without Automerge: total, allocation-bounded, panic-free.
//!
//! Automerge panics on many damaged inputs and inflates without a bound (measured.md), so admission
//! looks at these bytes first. Only the plain change chunk (type 1) is known here; documents,
//! compressed changes, bundles and sync messages have no way in.
//!
//! ```text
//! chunk   85 6f 4a 83 | checksum 4 | type 1 | length uleb | body
//! body    deps: count uleb, 32 bytes each | actor: length uleb, bytes | seq uleb | start_op uleb
//!         | time sleb | message: length uleb, utf-8 | other actors: count uleb, (length uleb, bytes)*
//!         | columns: count uleb, (specification uleb, length uleb)* | column data (`columns`) | extra bytes
//! hash    SHA-256(type | length | body);  checksum = its first 4 bytes
//! ```
//! Source: Automerge binary format, <https://automerge.org/automerge-binary-format-spec/>.

use sha2::{Digest, Sha256};

use crate::document::ChangeHash;
use crate::identity::ActorId;
use crate::limits;

mod columns;

const MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];
const TYPE_CHANGE: u8 = 1;
/// What admission and counting need to know of a change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Header {
    /// Names the change and its whole causal past.
    pub hash: ChangeHash,
    /// Changes it directly depends on.
    pub deps: Vec<ChangeHash>,
    /// Who wrote it.
    pub actor: ActorId,
    /// 1, 2, 3 … for each actor in each document.
    pub seq: u64,
    /// Number of its first operation.
    pub start_op: u64,
    /// How many operations it has.
    pub ops: u64,
}

impl Header {
    /// Number of the last operation; `start_op - 1` when it has none.
    pub fn max_op(&self) -> u64 {
        self.start_op + self.ops - 1
    }
}

/// A change: its head, and the body it was read from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    /// The parsed head.
    pub header: Header,
    /// The chunk's body as stored and sent; magic, checksum, type and length are rebuilt from it.
    pub body: Vec<u8>,
}

/// Why bytes are not a change that may come in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadChange {
    /// The bytes end early or a number has too many digits.
    #[error("the bytes are cut or damaged")]
    Damaged,
    /// Magic, checksum or chunk type is not that of a plain change.
    #[error("not an uncompressed change chunk")]
    NotAChange,
    /// One of the caps in `limits` is passed.
    #[error("larger than any change this program writes")]
    TooLarge,
    /// The actor is not device key ‖ incarnation.
    #[error("the actor id has the wrong form")]
    BadActor,
}

impl Change {
    /// Reads one body.
    pub fn from_body(body: Vec<u8>) -> Result<Change, BadChange> {
        if body.len() > limits::CHANGE_BYTES {
            return Err(BadChange::TooLarge);
        }
        let mut r = Reader(&body);
        let count = r.uleb()?;
        if count > limits::CHANGE_DEPS as u64 {
            return Err(BadChange::TooLarge);
        }
        let mut deps = Vec::with_capacity(count as usize);
        for _ in 0..count {
            deps.push(r.take(32)?.try_into().map_err(|_| BadChange::Damaged)?);
        }
        let len = r.uleb()?;
        let actor = ActorId::from_bytes(r.take(len)?).ok_or(BadChange::BadActor)?;
        let seq = r.uleb()?;
        let start_op = r.uleb()?;
        r.skip_leb()?;
        let len = r.uleb()?;
        r.take(len)?;
        for _ in 0..r.uleb()? {
            let len = r.uleb()?;
            r.take(len)?;
        }
        let ops = columns::read(&mut r)?;
        if seq == 0 || start_op == 0 {
            return Err(BadChange::Damaged);
        }
        if ops > limits::CHANGE_OPS
            || ops > limits::FREE_OPS + body.len() as u64 / 2
            || start_op > limits::MAX_OP
            || seq > limits::MAX_OP
        {
            return Err(BadChange::TooLarge);
        }
        let hash = hash_body(&body);
        Ok(Change {
            header: Header {
                hash,
                deps,
                actor,
                seq,
                start_op,
                ops,
            },
            body,
        })
    }

    /// Reads a whole chunk, as Automerge writes it uncompressed.
    pub fn from_chunk(chunk: &[u8]) -> Result<Change, BadChange> {
        let mut r = Reader(chunk);
        if r.take(4)? != MAGIC {
            return Err(BadChange::NotAChange);
        }
        let checksum = r.take(4)?;
        if r.take(1)? != [TYPE_CHANGE] {
            return Err(BadChange::NotAChange);
        }
        let len = r.uleb()?;
        if len > limits::CHANGE_BYTES as u64 {
            return Err(BadChange::TooLarge);
        }
        let body = r.take(len)?;
        if !r.0.is_empty() {
            return Err(BadChange::NotAChange);
        }
        let change = Change::from_body(body.to_vec())?;
        if change.header.hash[..4] != *checksum {
            return Err(BadChange::Damaged);
        }
        Ok(change)
    }

    /// The first fields of a body, down to `start_op`, as Automerge writes them.
    pub(crate) fn head_of(deps: &[ChangeHash], actor: &ActorId, seq: u64, start_op: u64) -> Vec<u8> {
        let mut out = Vec::new();
        write_uleb(&mut out, deps.len() as u64);
        out.extend(deps.concat());
        write_uleb(&mut out, ActorId::LEN as u64);
        out.extend(actor.to_bytes());
        write_uleb(&mut out, seq);
        write_uleb(&mut out, start_op);
        out
    }

    /// [`Change::head_of`] for a parsed head.
    pub(crate) fn head_bytes(head: &Header) -> Vec<u8> {
        Change::head_of(&head.deps, &head.actor, head.seq, head.start_op)
    }

    /// What stands behind `start_op` in a body.
    pub(crate) fn after_start_op(body: &[u8]) -> Option<&[u8]> {
        let mut r = Reader(body);
        let deps = r.uleb().ok()?;
        r.take(deps.checked_mul(32)?).ok()?;
        let actor = r.uleb().ok()?;
        r.take(actor).ok()?;
        r.uleb().ok()?;
        r.uleb().ok()?;
        Some(r.0)
    }

    /// The whole chunk, for Automerge.
    pub fn to_chunk(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.body.len() + 16);
        out.extend(MAGIC);
        out.extend(&self.header.hash[..4]);
        out.push(TYPE_CHANGE);
        write_uleb(&mut out, self.body.len() as u64);
        out.extend(&self.body);
        out
    }
}

fn hash_body(body: &[u8]) -> ChangeHash {
    let mut head = vec![TYPE_CHANGE];
    write_uleb(&mut head, body.len() as u64);
    Sha256::new()
        .chain_update(&head)
        .chain_update(body)
        .finalize()
        .into()
}

pub(crate) fn write_uleb(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

pub(crate) struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    pub fn take(&mut self, n: impl TryInto<usize>) -> Result<&'a [u8], BadChange> {
        let n = n.try_into().map_err(|_| BadChange::Damaged)?;
        let (head, tail) = self.0.split_at_checked(n).ok_or(BadChange::Damaged)?;
        self.0 = tail;
        Ok(head)
    }

    /// The bytes of one LEB128 number, at most ten.
    fn leb(&mut self) -> Result<&'a [u8], BadChange> {
        let end = self
            .0
            .iter()
            .take(10)
            .position(|b| b & 0x80 == 0)
            .ok_or(BadChange::Damaged)?;
        self.take(end + 1)
    }

    fn skip_leb(&mut self) -> Result<(), BadChange> {
        self.leb().map(|_| ())
    }

    pub fn uleb(&mut self) -> Result<u64, BadChange> {
        let bytes = self.leb()?;
        if bytes.len() == 10 && bytes[9] > 1 {
            return Err(BadChange::Damaged);
        }
        Ok(bytes.iter().rev().fold(0u64, |n, b| n << 7 | u64::from(b & 0x7f)))
    }

    fn sleb(&mut self) -> Result<i64, BadChange> {
        let bytes = self.leb()?;
        let mut n = 0i64;
        for (i, b) in bytes.iter().enumerate() {
            n |= i64::from(b & 0x7f).checked_shl(7 * i as u32).unwrap_or(0);
        }
        let bits = 7 * bytes.len() as u32;
        if bits < 64 && bytes[bytes.len() - 1] & 0x40 != 0 {
            n |= -1i64 << bits;
        }
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use automerge::{AutoCommit, ObjType, ROOT, transaction::Transactable};
    use proptest::prelude::*;

    use super::*;
    use crate::identity::DeviceKey;

    fn actor(n: u8) -> ActorId {
        ActorId {
            device: DeviceKey::from_seed([n; 32]).id(),
            incarnation: [n; 4],
        }
    }

    /// A document written by two actors that merge, with changes of zero, few and many operations.
    fn sample() -> Vec<automerge::Change> {
        let mut a = AutoCommit::new().with_actor(automerge::ActorId::from(&actor(1).to_bytes()[..]));
        for i in 0..5 {
            let record = a.put_object(ROOT, format!("r{i}"), ObjType::Map).unwrap();
            for f in 0..i * 40 {
                a.put(&record, format!("字段{f}"), format!("听课笔记{f}𬭊"))
                    .unwrap();
            }
            a.commit();
        }
        let mut b = a
            .fork()
            .with_actor(automerge::ActorId::from(&actor(2).to_bytes()[..]));
        b.put(ROOT, "b", 1).unwrap();
        b.commit();
        a.put(ROOT, "a", true).unwrap();
        a.commit();
        a.merge(&mut b).unwrap();
        a.empty_change(automerge::transaction::CommitOptions::default());
        a.delete(ROOT, "b").unwrap();
        a.commit();
        a.get_changes(&[])
    }

    #[test]
    fn agrees_with_automerge() {
        let changes = sample();
        assert_eq!(changes.len(), 9);
        for c in changes {
            let ours = Change::from_chunk(c.raw_bytes()).unwrap();
            assert_eq!(ours.header.hash, c.hash().0);
            assert_eq!(ours.header.seq, c.seq());
            assert_eq!(ours.header.start_op, c.start_op().get());
            assert_eq!(ours.header.ops, c.len() as u64);
            assert_eq!(ours.header.deps, c.deps().iter().map(|h| h.0).collect::<Vec<_>>());
            assert_eq!(&ours.header.actor.to_bytes()[..], c.actor_id().to_bytes());
            assert_eq!(ours.to_chunk(), c.raw_bytes());
            assert_eq!(Change::from_body(ours.body.clone()).unwrap(), ours);
        }
    }

    #[test]
    fn start_op_is_one_more_than_the_largest_dependency() {
        let headers: Vec<Header> = sample()
            .iter()
            .map(|c| Change::from_chunk(c.raw_bytes()).unwrap().header)
            .collect();
        for h in &headers {
            let top = headers
                .iter()
                .filter(|d| h.deps.contains(&d.hash))
                .map(Header::max_op)
                .max();
            assert_eq!(h.start_op, 1 + top.unwrap_or(0));
        }
    }

    #[test]
    fn documents_and_compressed_changes_are_refused() {
        let mut doc = AutoCommit::new().with_actor(automerge::ActorId::from(&actor(1).to_bytes()[..]));
        doc.put(ROOT, "long", "研修".repeat(400)).unwrap();
        doc.commit();
        assert_eq!(Change::from_chunk(&doc.save()), Err(BadChange::NotAChange));
        let mut change = doc.get_changes(&[]).remove(0);
        assert_eq!(Change::from_chunk(&change.bytes()), Err(BadChange::NotAChange));
        assert!(Change::from_chunk(change.raw_bytes()).is_ok());
    }

    proptest! {
        #[test]
        fn never_panics(body in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = Change::from_body(body);
        }

        #[test]
        fn damaged_changes_never_panic(which in 0usize..9, at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let good = Change::from_chunk(sample()[which].raw_bytes()).unwrap();
            let mut body = good.body.clone();
            let i = at.index(body.len());
            body[i] = byte;
            if let Ok(read) = Change::from_body(body.clone()) {
                prop_assert_eq!(read.header.hash == good.header.hash, body == good.body);
            }
        }
    }
}
