//! The middle of the repair ladder: which documents differ.
//!
//! Up to [`limits::BUCKETS_ABOVE`] documents the initiator sends a digest of each and the other side answers with
//! its vectors of those that differ. Above, digests of buckets go first, and flat digests back for the buckets
//! that differ; the initiator then compares and is the first to send vectors. Half a round trip more, and with
//! 5,000 documents of which 50 differ a seventh of the bytes.

use std::collections::{HashMap, HashSet};

use sha2::{Digest, Sha256};

use super::{Effect, Session, send};
use crate::limits;
use crate::wire::{Buckets, DocDigest, Frame, Vectors};

/// What the peer has said of its documents.
#[derive(Debug)]
pub(super) enum Heard {
    Flat(Vec<DocDigest>),
    Buckets(Buckets),
}

impl Session {
    pub(super) fn heard(&mut self, heard: Heard, out: &mut Vec<Effect>) {
        self.their_digests = Some(heard);
        out.push(Effect::ReadDigests);
    }

    /// Our digests are read: to begin with, or to compare them with the peer's.
    pub(super) fn digests(&mut self, mut ours: Vec<DocDigest>, out: &mut Vec<Effect>) {
        match self.their_digests.take() {
            None if ours.len() > limits::BUCKETS_ABOVE && self.speaks.buckets() => {
                let bits = bucket_bits(ours.len());
                let digests = bucket_digests(&ours, bits);
                send(out, Frame::Buckets(Buckets::Ask { bits, digests }));
            }
            None => send(out, Frame::Digests(ours)),
            Some(Heard::Flat(theirs)) => self.compare_documents(&ours, &theirs, out),
            Some(Heard::Buckets(Buckets::Ask {
                bits,
                digests: theirs,
            })) => {
                let mine = bucket_digests(&ours, bits);
                let differing: Vec<u16> = (0..)
                    .zip(mine.iter().zip(&theirs))
                    .filter(|(_, (m, t))| m != t)
                    .map(|(n, _)| n)
                    .collect();
                retain(&mut ours, bits, &differing);
                send(
                    out,
                    Frame::Buckets(Buckets::Answer {
                        bits,
                        differing,
                        documents: ours,
                    }),
                );
            }
            Some(Heard::Buckets(Buckets::Answer {
                bits,
                differing,
                documents: theirs,
            })) => {
                retain(&mut ours, bits, &differing);
                self.compare_documents(&ours, &theirs, out);
            }
        }
    }

    fn compare_documents(&mut self, ours: &[DocDigest], theirs: &[DocDigest], out: &mut Vec<Effect>) {
        let mine: HashMap<[u8; 8], [u8; 8]> = ours.iter().map(|d| (d.key, d.heads)).collect();
        let yours: HashMap<[u8; 8], [u8; 8]> = theirs.iter().map(|d| (d.key, d.heads)).collect();
        let mut different: Vec<[u8; 8]> = ours
            .iter()
            .chain(theirs)
            .map(|d| d.key)
            .collect::<HashSet<_>>()
            .into_iter()
            .filter(|k| mine.get(k) != yours.get(k))
            .collect();
        different.sort();
        different.truncate(limits::VECTORS);
        self.vectors_first = true;
        self.their_vectors = Some(Vectors {
            absent: Vec::new(),
            vectors: Vec::new(),
            answer: true,
        });
        out.push(Effect::ReadVectors(different));
    }
}

/// About ten documents a bucket.
fn bucket_bits(documents: usize) -> u8 {
    let bits = (documents / 10).max(1).next_power_of_two().trailing_zeros() as u8;
    bits.clamp(limits::BUCKET_BITS_MIN, limits::BUCKET_BITS_MAX)
}

fn bucket(key: &[u8; 8], bits: u8) -> u16 {
    u16::from_be_bytes([key[0], key[1]]) >> (16 - bits)
}

/// First 8 bytes of SHA-256 over each bucket's digests in the order of their key hashes; zero for an empty one.
pub(super) fn bucket_digests(documents: &[DocDigest], bits: u8) -> Vec<[u8; 8]> {
    let mut sorted: Vec<&DocDigest> = documents.iter().collect();
    sorted.sort_by_key(|d| d.key);
    let mut digests = vec![[0; 8]; 1 << bits];
    for part in sorted.chunk_by(|a, b| bucket(&a.key, bits) == bucket(&b.key, bits)) {
        let mut hash = Sha256::new();
        for d in part {
            hash.update(d.key);
            hash.update(d.heads);
        }
        if let Some(slot) = part
            .first()
            .and_then(|d| digests.get_mut(usize::from(bucket(&d.key, bits))))
        {
            slot.copy_from_slice(&hash.finalize()[..8]);
        }
    }
    digests
}

fn retain(documents: &mut Vec<DocDigest>, bits: u8, differing: &[u16]) {
    let wanted: HashSet<u16> = differing.iter().copied().collect();
    documents.retain(|d| wanted.contains(&bucket(&d.key, bits)));
}
