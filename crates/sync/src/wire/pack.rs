//! A piece in columns: what the receiver can compute is left out (design.md §5).
//!
//! A change's hash is computed by whoever reads it, so a dependency on another change of the pack is a
//! distance; an actor stands once; sequence and operation numbers that follow from the changes before are
//! zero. What is left of each change (its operations) stands together, where it compresses best.
//!
//! ```text
//! pack     upto: 0 | 1 uleb
//!          documents: count, (length, bytes)*      actors: count, 36 bytes each      changes: count
//!          then these columns, each as length uleb, bytes:
//!  document  index uleb a change
//!  actor     index uleb a change
//!  seq       zigzag(seq - expected) a change; expected = last of this actor and document before it + 1, at first 0
//!  deps      count uleb a change, then each: 0 = next of `hashes`, n = the change n places before
//!  start_op  zigzag(start_op - expected) a change; expected = 1 + largest operation of dependencies in the pack
//!  tips      1 byte a change: 0 none, 1 the next of `signatures`
//!  lengths   length uleb of what is left of each change
//!  rest      time, message, other actors, columns and data of each change, as Automerge wrote them
//!  hashes    32 bytes each
//!  signatures 64 bytes each
//! ```
//! "Before" reaches back over the earlier packs of the same [`Context`], as far as that remembers.
//! A body that does not come out the same when it is rebuilt makes [`encode`] decline.

use std::collections::{HashMap, VecDeque};

use crate::admission::Offered;
use crate::change::{Change, Reader, write_uleb};
use crate::document::{ChangeHash, DocKey};
use crate::identity::ActorId;
use crate::limits;
use crate::wire::Piece;

/// Reading failed: the bytes are no pack.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoPack;

impl From<crate::change::BadChange> for NoPack {
    fn from(_: crate::change::BadChange) -> NoPack {
        NoPack
    }
}

const COLUMNS: usize = 10;

/// What both sides remember of the changes of a pack, and of the packs before it in one stream.
#[derive(Default, Debug)]
pub struct Context {
    /// Hash and largest operation of the last changes.
    done: VecDeque<(ChangeHash, u64)>,
    /// How many changes went before those.
    gone: usize,
    last_seq: HashMap<(DocKey, ActorId), u64>,
    /// Where in the stream a change stands; kept by the writer alone.
    places: HashMap<ChangeHash, usize>,
}

impl Context {
    fn expected_seq(&self, document: &DocKey, actor: &ActorId) -> u64 {
        self.last_seq
            .get(&(document.clone(), *actor))
            .map_or(0, |s| s + 1)
    }

    /// The number of the next change in the stream.
    fn next(&self) -> usize {
        self.gone + self.done.len()
    }

    /// The change `back` places before the next one.
    fn before(&self, back: usize) -> Option<(ChangeHash, u64)> {
        self.done
            .get(self.done.len().checked_sub(back).filter(|_| back > 0)?)
            .copied()
    }

    fn note(&mut self, document: &DocKey, change: &Change) {
        let head = &change.header;
        if self.last_seq.len() >= limits::STREAM_CHANGES {
            self.last_seq.clear();
        }
        self.last_seq.insert((document.clone(), head.actor), head.seq);
        self.done.push_back((head.hash, head.max_op()));
        if self.done.len() > limits::STREAM_CHANGES {
            self.gone += 1;
            if let Some((hash, _)) = self.done.pop_front() {
                self.places.remove(&hash);
            }
        }
    }
}

/// The pack of a piece; `None` when a body has an unusual form and must travel as it is.
/// The context is then of no use any more.
pub fn encode(piece: &Piece, context: &mut Context) -> Option<Vec<u8>> {
    let (mut documents, mut actors): (Vec<&DocKey>, Vec<ActorId>) = (Vec::new(), Vec::new());
    let mut columns: [Vec<u8>; COLUMNS] = Default::default();
    for offered in &piece.changes {
        let place = context.next();
        let change = Change::from_body(offered.body.clone()).ok()?;
        let head = &change.header;
        let document = place_of(&mut documents, &offered.document);
        let actor = place_of(&mut actors, head.actor);
        let [
            docs,
            acts,
            seqs,
            deps,
            starts,
            tips,
            lengths,
            rest,
            hashes,
            signatures,
        ] = &mut columns;
        write_uleb(docs, document);
        write_uleb(acts, actor);
        write_uleb(
            seqs,
            zigzag(head.seq, context.expected_seq(&offered.document, &head.actor)),
        );
        write_uleb(deps, head.deps.len() as u64);
        let mut top = 0;
        for dep in &head.deps {
            match context.places.get(dep) {
                Some(at) => {
                    write_uleb(deps, (place - at) as u64);
                    top = top.max(context.before(place - at)?.1);
                }
                None => {
                    deps.push(0);
                    hashes.extend(dep);
                }
            }
        }
        write_uleb(starts, zigzag(head.start_op, top + 1));
        tips.push(u8::from(offered.tip.is_some()));
        signatures.extend(offered.tip.iter().flatten());
        let tail = Change::after_start_op(&offered.body)?;
        write_uleb(lengths, tail.len() as u64);
        rest.extend(tail);
        if Change::head_bytes(head) != offered.body[..offered.body.len() - tail.len()] {
            return None;
        }
        context.places.insert(head.hash, place);
        context.note(&offered.document, &change);
    }
    let mut out = Vec::new();
    match piece.upto {
        None => out.push(0),
        Some(upto) => {
            out.push(1);
            write_uleb(&mut out, upto);
        }
    }
    write_uleb(&mut out, documents.len() as u64);
    for d in documents {
        write_bytes(&mut out, d.as_str().as_bytes());
    }
    write_uleb(&mut out, actors.len() as u64);
    for a in actors {
        out.extend(a.to_bytes());
    }
    write_uleb(&mut out, piece.changes.len() as u64);
    for column in &columns {
        write_bytes(&mut out, column);
    }
    Some(out)
}

/// The piece of a pack.
pub fn decode(bytes: &[u8], context: &mut Context) -> Result<Piece, NoPack> {
    let mut r = Reader(bytes);
    let upto = match r.uleb()? {
        0 => None,
        1 => Some(r.uleb()?),
        _ => return Err(NoPack),
    };
    let mut documents = Vec::new();
    for _ in 0..bounded(r.uleb()?, limits::PIECE_CHANGES)? {
        let len = r.uleb()?;
        let text = std::str::from_utf8(r.take(len)?).map_err(|_| NoPack)?;
        documents.push(DocKey::parse(text).ok_or(NoPack)?);
    }
    let mut actors = Vec::new();
    for _ in 0..bounded(r.uleb()?, limits::PIECE_CHANGES)? {
        actors.push(ActorId::from_bytes(r.take(ActorId::LEN)?).ok_or(NoPack)?);
    }
    let count = bounded(r.uleb()?, limits::PIECE_CHANGES)?;
    let mut columns: [Reader<'_>; COLUMNS] = std::array::from_fn(|_| Reader(&[]));
    for column in &mut columns {
        let len = r.uleb()?;
        *column = Reader(r.take(len)?);
    }
    let [
        docs,
        acts,
        seqs,
        deps,
        starts,
        tips,
        lengths,
        rest,
        hashes,
        signatures,
    ] = &mut columns;
    let mut piece = Piece {
        upto,
        changes: Vec::new(),
    };
    // A dependency is one byte here and 32 in a body: what they unfold to is bounded as well.
    let mut rebuilt = 0;
    for _ in 0..count {
        let (document, actor) = (docs.uleb()?, acts.uleb()?);
        let key = documents
            .get(usize::try_from(document).map_err(|_| NoPack)?)
            .ok_or(NoPack)?;
        let actor_id = *actors
            .get(usize::try_from(actor).map_err(|_| NoPack)?)
            .ok_or(NoPack)?;
        let seq = unzigzag(seqs.uleb()?, context.expected_seq(key, &actor_id));
        let (mut dep_hashes, mut top) = (Vec::new(), 0);
        for _ in 0..bounded(deps.uleb()?, limits::CHANGE_DEPS)? {
            dep_hashes.push(match usize::try_from(deps.uleb()?).map_err(|_| NoPack)? {
                0 => hashes.take(32)?.try_into().map_err(|_| NoPack)?,
                back => {
                    let (hash, max_op) = context.before(back).ok_or(NoPack)?;
                    top = top.max(max_op);
                    hash
                }
            });
        }
        let start_op = unzigzag(starts.uleb()?, top + 1);
        let tip = match tips.take(1)? {
            [0] => None,
            _ => Some(signatures.take(64)?.try_into().map_err(|_| NoPack)?),
        };
        let len = lengths.uleb()?;
        rebuilt += dep_hashes.len() * 32;
        if rebuilt > limits::PIECE_BYTES {
            return Err(NoPack);
        }
        let mut body = Change::head_of(&dep_hashes, &actor_id, seq, start_op);
        body.extend(rest.take(len)?);
        let change = Change::from_body(body)?;
        context.note(key, &change);
        piece.changes.push(Offered {
            document: key.clone(),
            body: change.body,
            tip,
        });
    }
    Ok(piece)
}

fn place_of<T: PartialEq>(list: &mut Vec<T>, value: T) -> u64 {
    let at = list.iter().position(|v| *v == value).unwrap_or_else(|| {
        list.push(value);
        list.len() - 1
    });
    at as u64
}

fn bounded(n: u64, most: usize) -> Result<usize, NoPack> {
    usize::try_from(n).ok().filter(|n| *n <= most).ok_or(NoPack)
}

fn write_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    write_uleb(out, bytes.len() as u64);
    out.extend(bytes);
}

fn zigzag(value: u64, expected: u64) -> u64 {
    let diff = value.wrapping_sub(expected) as i64;
    ((diff << 1) ^ (diff >> 63)) as u64
}

fn unzigzag(coded: u64, expected: u64) -> u64 {
    let diff = ((coded >> 1) as i64) ^ -((coded & 1) as i64);
    expected.wrapping_add(diff as u64)
}

#[cfg(test)]
pub(super) use tests::piece as samples;

#[cfg(test)]
mod tests {
    use automerge::{AutoCommit, ObjType, ROOT, transaction::Transactable};
    use proptest::prelude::*;

    use super::*;
    use crate::identity::DeviceKey;

    /// Records of two devices that merge now and then, in two documents.
    pub(in crate::wire) fn piece(records: usize) -> Piece {
        let actor = |n: u8| ActorId {
            device: DeviceKey::from_seed([n; 32]).id(),
            incarnation: [n; 4],
        };
        let mut piece = Piece {
            upto: Some(records as u64),
            changes: Vec::new(),
        };
        for document in ["log/a/2025", "base/a/2025"] {
            let mut a = AutoCommit::new().with_actor(automerge::ActorId::from(&actor(1).to_bytes()[..]));
            for i in 0..records {
                let r = a.put_object(ROOT, format!("0190-{i:032}"), ObjType::Map).unwrap();
                for (f, v) in [
                    ("_kind", "attendance/1"),
                    ("status", "present"),
                    ("note", "课堂里学生的错误怎样变成资源"),
                ] {
                    a.put(&r, f, format!("{v}{}", i % 7)).unwrap();
                }
                a.commit();
                if i % 10 == 9 {
                    let mut b = a
                        .fork()
                        .with_actor(automerge::ActorId::from(&actor(2).to_bytes()[..]));
                    b.put(ROOT, format!("b{i}"), 1).unwrap();
                    b.commit();
                    a.merge(&mut b).unwrap();
                }
            }
            let document = DocKey::parse(document).unwrap();
            let all = a.get_changes(&[]);
            piece.changes.extend(all.iter().enumerate().map(|(i, c)| Offered {
                document: document.clone(),
                body: Change::from_chunk(c.raw_bytes()).unwrap().body,
                tip: (i % 5 == 4).then_some([i as u8; 64]),
            }));
        }
        piece
    }

    #[test]
    fn packs_of_one_stream_remember_what_went_before() {
        let whole = piece(700);
        let (mut writer, mut reader) = (Context::default(), Context::default());
        let (mut together, mut alone) = (0, 0);
        for part in whole.changes.chunks(50) {
            let part = Piece {
                upto: None,
                changes: part.to_vec(),
            };
            let packed = encode(&part, &mut writer).unwrap();
            together += packed.len();
            alone += encode(&part, &mut Context::default()).unwrap().len();
            assert_eq!(decode(&packed, &mut reader).unwrap(), part);
        }
        assert!(together < alone);
        assert!(writer.done.len() <= limits::STREAM_CHANGES && writer.places.len() <= limits::STREAM_CHANGES);
    }

    #[test]
    fn packs_round_trip_and_are_smaller() {
        let piece = piece(60);
        let packed = encode(&piece, &mut Context::default()).unwrap();
        assert_eq!(decode(&packed, &mut Context::default()).unwrap(), piece);
        let plain: usize = piece
            .changes
            .iter()
            .map(|c| c.body.len() + c.tip.map_or(0, |t| t.len()))
            .sum();
        let small = |b: &[u8]| zstd::bulk::compress(b, 19).unwrap().len();
        let concat: Vec<u8> = piece
            .changes
            .iter()
            .flat_map(|c| c.body.iter().copied().chain(c.tip.into_iter().flatten()))
            .collect();
        assert!(packed.len() < plain * 9 / 10, "{} of {plain}", packed.len());
        assert!(
            small(&packed) * 10 < small(&concat) * 8,
            "{} of {}",
            small(&packed),
            small(&concat)
        );
    }

    #[test]
    fn dependencies_do_not_unfold_without_a_bound() {
        // 300 changes, each with up to 256 dependencies: a byte each in the pack, 32 in a body.
        let mut piece = piece(256);
        piece.changes.truncate(256);
        let base = piece.changes.clone();
        let hash = |o: &Offered| Change::from_body(o.body.clone()).unwrap().header.hash;
        let deps: Vec<ChangeHash> = base.iter().map(hash).collect();
        let head = Change::from_body(base[255].body.clone()).unwrap().header;
        for i in 0..300 {
            let mut body = Change::head_of(&deps, &head.actor, 300 + i, 2_000 + i);
            body.extend(Change::after_start_op(&base[0].body).unwrap());
            piece.changes.push(Offered {
                body,
                ..base[0].clone()
            });
        }
        let packed = encode(&piece, &mut Context::default()).unwrap();
        assert!(packed.len() < limits::PIECE_BYTES, "{}", packed.len());
        assert_eq!(decode(&packed, &mut Context::default()), Err(NoPack));
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode(&bytes, &mut Context::default());
        }

        #[test]
        fn damaged_packs_never_panic(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut bytes = encode(&piece(4), &mut Context::default()).unwrap();
            let i = at.index(bytes.len());
            bytes[i] = byte;
            let _ = decode(&bytes, &mut Context::default());
        }

        #[test]
        fn zigzag_turns_back(value in any::<u64>(), expected in any::<u64>()) {
            prop_assert_eq!(unzigzag(zigzag(value, expected), expected), value);
        }
    }
}
