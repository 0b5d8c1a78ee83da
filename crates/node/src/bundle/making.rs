//! Makes bundles: what a device may read and has not acknowledged, what our store holds of it, and what we
//! answer.

use std::collections::HashMap;

use store::{changes, mail, outgoing, peers};
use sync::admission::Offered;
use sync::session::Source;
use sync::tip::{Receipt, receipt_bytes};
use sync::wire::{Ack, Frame, Piece, RollFrame};
use sync::{ActorId, Change, DocKey, NodeId, Roll, Statement, limits};

use super::inside::{About, Refusal, write};
use super::{Bundle, BundleError, Head, hash_of, seal};
use crate::node::Standing;
use crate::{Error, Node, talk};

/// Bytes of one part unless a person asks otherwise: goes through e-mail and chat programs as well.
pub const MAX: usize = 8 * 1024 * 1024;

/// The smallest size that may be asked for: one piece has to fit.
pub const MIN: usize = 64 * 1024;

/// The largest: a reader takes no larger file, and a part may be one piece longer than was asked.
pub const LARGEST: usize = limits::BUNDLE_BYTES - 1024 * 1024;

/// Bytes of changes in one piece of a bundle, before compression. Nothing is lost on a cut link here, and larger
/// pieces compress better than those of a session.
const PIECE: usize = 256 * 1024;

/// What head, seal and length fields take.
const OVERHEAD: usize = 4 * 1024;

/// Room for statements in one frame.
const ROLL_FRAME: usize = limits::FRAME_BYTES / 2;

/// What goes into the parts of one bundle.
pub(crate) struct Inside {
    /// Frames of each part.
    parts: Vec<Vec<Vec<u8>>>,
    /// Names that it answers.
    answers: Vec<[u8; 32]>,
    /// Changes in it.
    pub changes: usize,
    /// Whether the recipient needs it: changes, an answer, or a newer roll.
    pub news: bool,
}

impl Inside {
    /// A hash over all of it: the same is not sealed twice.
    pub(crate) fn content(&self) -> [u8; 32] {
        let mut hash = blake3::Hasher::new();
        for part in &self.parts {
            for frame in part {
                hash.update(&(frame.len() as u64).to_be_bytes());
                hash.update(frame);
            }
            hash.update(&u64::MAX.to_be_bytes());
        }
        for name in &self.answers {
            hash.update(name);
        }
        *hash.finalize().as_bytes()
    }
}

/// Seals what a device is to have of us: everything that it may read and that its present store has not
/// acknowledged, and our receipts. Parts are about `max` bytes large at most. Nothing new: no bundle.
pub fn make(node: &Node, to: &NodeId, max: usize) -> Result<Vec<Bundle>, Error> {
    let inside = gather(node, to, max)?;
    match inside.news {
        true => seal_all(node, to, &inside),
        false => Ok(Vec::new()),
    }
}

/// Reads what would go to a device.
pub(crate) fn gather(node: &Node, to: &NodeId, max: usize) -> Result<Inside, Error> {
    match node.standing() {
        Standing::Member => {}
        Standing::Revoked => return Err(Error::Revoked),
        _ => return Err(Error::NotEnrolled),
    }
    let roll = node.roll();
    if !roll.is_member(to) || to.sealing_key().is_none() {
        return Err(BundleError::NotAMember(node.device_label(to)).into());
    }
    let reach = talk::shared(node, &roll, to);
    let room = max.clamp(MIN, LARGEST) - OVERHEAD;
    node.store().read(|c| {
        let stands = mail::correspondent(c, to)?;
        let answers = mail::answers(c, to)?;
        let told = stands.roll == Some(roll.digest());
        let first = beginning(node, &roll);
        let mut out = Parts::new(room, first);
        if !told {
            out.statements(roll.statements().map(Statement::to_bytes));
        }
        for frame in receipts(node, c, &reach, &stands.verdicts)? {
            out.push(frame);
        }
        for (name, code) in answers.iter().filter(|(_, code)| *code != 0) {
            if let Some(name) = hash_of(name) {
                out.push(Refusal { name, code: *code }.encode());
            }
        }
        let mut pieces = Pieces {
            out,
            size: PIECE.min(room / 2),
            pending: Vec::new(),
            bytes: 0,
            changes: 0,
        };
        unacknowledged(node, c, &roll, to, &reach, &mut pieces)?;
        pieces.flush();
        Ok::<_, Error>(Inside {
            // That the roll has grown is news for who has told us of an older one.
            news: pieces.changes > 0 || stands.owed || (stands.roll.is_some() && !told),
            changes: pieces.changes,
            parts: pieces.out.parts,
            answers: answers.iter().filter_map(|(name, _)| hash_of(name)).collect(),
        })
    })
}

/// What every part begins with: it may be the only one that arrives, at a node that does not know us yet.
fn beginning(node: &Node, roll: &Roll) -> Vec<Vec<u8>> {
    let about = About { roll: roll.digest() }.encode();
    let statements = roll.for_stranger(&node.id());
    let statements = statements.iter().map(Statement::to_bytes).collect();
    vec![about, Frame::Roll(RollFrame { statements }).encode()]
}

/// Receipts for all that both may read: from them the recipient knows what has arrived, and what we lack.
fn receipts(
    node: &Node,
    c: &store::Connection,
    reach: &store::reach::Reach<'_>,
    verdicts: &[u8],
) -> Result<Vec<Vec<u8>>, Error> {
    let mut all = Vec::new();
    for d in reach.documents(c)? {
        for (actor, seq, hash) in changes::vector(c, d.id)? {
            let document = d.key.clone();
            all.push(Receipt {
                document,
                actor,
                seq,
                hash,
            });
        }
    }
    let mut verdicts: Vec<_> = postcard::from_bytes(verdicts).unwrap_or_default();
    if all.is_empty() && verdicts.is_empty() {
        return Ok(Vec::new());
    }
    let mut lots: Vec<Vec<Receipt>> = all.chunks(limits::RECEIPTS).map(<[Receipt]>::to_vec).collect();
    if lots.is_empty() {
        lots.push(Vec::new());
    }
    let ack = |receipts: Vec<Receipt>| {
        let signature = match receipts.is_empty() {
            true => Vec::new(),
            false => node
                .0
                .key
                .sign(&receipt_bytes(&node.store_id(), &receipts))
                .to_vec(),
        };
        Frame::Ack(Ack {
            upto: None,
            pieces: 0,
            receipts,
            verdicts: std::mem::take(&mut verdicts),
            signature,
        })
        .encode()
    };
    Ok(lots.into_iter().map(ack).collect())
}

/// The changes: behind the cursor of a store that we know, or all that its receipts do not name.
fn unacknowledged(
    node: &Node,
    c: &store::Connection,
    roll: &Roll,
    to: &NodeId,
    reach: &store::reach::Reach<'_>,
    pieces: &mut Pieces,
) -> Result<(), Error> {
    let documents = reach.documents(c)?;
    let held = peers::held_by(c, &[*to])?;
    let has = |doc: i64, actor: &ActorId| held.get(&(doc, *actor)).copied().unwrap_or(0);
    let scope = talk::scope(roll, to);
    let cursor = peers::get(c, to)?
        .filter(|p| p.store.is_some() && p.scope.as_deref() == Some(&scope[..]))
        .and_then(|p| p.acked);
    let mut sources = Vec::new();
    match cursor {
        Some(acked) => sources.push(Source::Since(acked)),
        None => {
            let mut sorted: Vec<_> = documents.iter().collect();
            sorted.sort_by_cached_key(|d| node.0.policy.order(&d.key));
            for d in sorted {
                let vector = changes::vector(c, d.id)?;
                let have = vector.iter().map(|(a, ..)| (*a, has(d.id, a))).collect();
                sources.push(Source::Missing {
                    document: d.key.clone(),
                    have,
                    after: 0,
                });
            }
        }
    }
    let ids: HashMap<&DocKey, i64> = documents.iter().map(|d| (&d.key, d.id)).collect();
    let lacks = |o: &Offered| match (ids.get(&o.document), Change::from_body(o.body.clone())) {
        (Some(doc), Ok(change)) => change.header.seq > has(*doc, &change.header.actor),
        _ => true,
    };
    for mut source in sources {
        while !pieces.out.is_full() {
            let read = outgoing::read(c, &source, false, to, reach)?;
            pieces.add(read.changes.into_iter().filter(lacks).collect());
            if !read.more {
                break;
            }
            match &mut source {
                Source::Since(after) | Source::Missing { after, .. } => *after = read.upto,
            }
        }
    }
    Ok(())
}

/// Frames, divided into parts.
struct Parts {
    room: usize,
    first: Vec<Vec<u8>>,
    parts: Vec<Vec<Vec<u8>>>,
    /// Bytes in the last part, and in all.
    bytes: usize,
    total: usize,
}

impl Parts {
    fn new(room: usize, first: Vec<Vec<u8>>) -> Parts {
        let bytes = first.iter().map(Vec::len).sum();
        Parts {
            room,
            parts: vec![first.clone()],
            first,
            bytes,
            total: 0,
        }
    }

    fn push(&mut self, frame: Vec<u8>) {
        let size = frame.len() + 4;
        let begun = self.parts.last().is_some_and(|p| p.len() > self.first.len());
        if begun && self.bytes + size > self.room {
            self.bytes = self.first.iter().map(Vec::len).sum();
            self.parts.push(self.first.clone());
        }
        self.bytes += size;
        self.total += size;
        if let Some(last) = self.parts.last_mut() {
            last.push(frame);
        }
    }

    fn statements(&mut self, all: impl Iterator<Item = Vec<u8>>) {
        let (mut statements, mut bytes) = (Vec::new(), 0);
        for s in all {
            bytes += s.len() + 4;
            statements.push(s);
            if bytes > ROLL_FRAME.min(self.room / 2) {
                let statements = std::mem::take(&mut statements);
                self.push(Frame::Roll(RollFrame { statements }).encode());
                bytes = 0;
            }
        }
        if !statements.is_empty() {
            self.push(Frame::Roll(RollFrame { statements }).encode());
        }
    }

    fn is_full(&self) -> bool {
        self.total > limits::BUNDLES_BYTES || self.parts.len() + 1 >= usize::from(limits::BUNDLE_PARTS)
    }
}

/// Changes, put together into pieces.
struct Pieces {
    out: Parts,
    size: usize,
    pending: Vec<Offered>,
    bytes: usize,
    changes: usize,
}

impl Pieces {
    /// What was read together stays together: the last change of each actor in it has its tip.
    fn add(&mut self, lot: Vec<Offered>) {
        let size: usize = lot.iter().map(|o| o.body.len() + 100).sum();
        let full = self.bytes + size > self.size || self.pending.len() + lot.len() > limits::PIECE_CHANGES;
        if full {
            self.flush();
        }
        self.changes += lot.len();
        self.bytes += size;
        self.pending.extend(lot);
    }

    fn flush(&mut self) {
        self.bytes = 0;
        let changes = std::mem::take(&mut self.pending);
        if !changes.is_empty() {
            self.out
                .push(Frame::Piece(Piece { upto: None, changes }).encode());
        }
    }
}

/// Seals and signs every part, under the next number.
pub(crate) fn seal_all(node: &Node, to: &NodeId, inside: &Inside) -> Result<Vec<Bundle>, Error> {
    let number = node.store().write(|tx| mail::next_number(tx))?;
    let parts = u16::try_from(inside.parts.len()).unwrap_or(u16::MAX);
    let mut all = Vec::with_capacity(inside.parts.len());
    for (part, frames) in (1..).zip(&inside.parts) {
        let plain = write(frames).ok_or(BundleError::TooLarge)?;
        let body = seal::seal(to, &plain).ok_or_else(|| BundleError::NotAMember(node.device_label(to)))?;
        let head = Head {
            to: *to,
            from: node.id(),
            store: node.store_id(),
            number,
            part,
            parts,
            made: node.now(),
            body_len: body.len() as u64,
            body: *blake3::hash(&body).as_bytes(),
            answers: inside.answers.clone(),
        };
        let (name, mut bytes) = head.encode(&node.0.key);
        bytes.extend(body);
        all.push(Bundle { name, head, bytes });
    }
    Ok(all)
}
