//! The digest that a decision binds: what of a claim and its session the auditor saw.
//!
//! A decision covers content, not an id. When a bound field changes afterwards the digest differs
//! and the decision shows as 审后改动 until it is renewed (domain.md §3.5, no. 11).
//!
//! Bytes that are hashed with SHA-256; `u32` and `i64` are big-endian:
//!
//! ```text
//! "yanxiu.claim-digest.1" 0x00        domain tag with its version, 22 bytes
//! part claim
//! part session
//!
//! part    = text kind                 the value of `_kind` ("claim/1"); empty when absent
//!           u32 number of fields
//!           field …                   bound fields that are present, ascending by name (bytes)
//! field   = text name
//!           u8 0x00  u8 0|1           a truth value
//!         | text name u8 0x01 i64     a number
//!         | text name u8 0x02 text    a text
//! text    = u32 length in bytes, UTF-8 as stored (no normalisation)
//! ```
//!
//! What hangs on a record and is signed with it (team and days of a visit) goes in as one digest of its own, the
//! parts ascending by id:
//!
//! ```text
//! "yanxiu.parts-digest.1" 0x00        22 bytes
//! part …  = text id
//!           text digest               64 digits: of the part as a record
//! ```
//!
//! Bound are the fields that the kind marks `binds` (by default those it marks `counts`). For a
//! kind that this program does not know all fields are bound except those that begin with `_`:
//! rather renew a decision once too often than cover content that nobody saw.

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use crate::kinds::Kinds;
use crate::value::{Fields, Value};

const TAG: &[u8] = b"yanxiu.claim-digest.1\0";
const RECORD_TAG: &[u8] = b"yanxiu.record-digest.1\0";
const PARTS_TAG: &[u8] = b"yanxiu.parts-digest.1\0";

/// Digest of a claim and its session by the built-in kinds: 64 lower-case hexadecimal digits.
pub fn claim_digest(claim: &Fields, session: &Fields) -> String {
    claim_digest_with(Kinds::builtin(), claim, session)
}

/// Digest of a claim and its session by these kinds.
pub fn claim_digest_with(kinds: &Kinds, claim: &Fields, session: &Fields) -> String {
    let mut bytes = TAG.to_vec();
    for part in [claim, session] {
        put_part(kinds, part, &mut bytes);
    }
    HEXLOWER.encode(&Sha256::digest(&bytes))
}

/// Digest of one record as it is now, by these kinds: what a signature or the county's word on it binds. The
/// bytes are a tag of its own and one `part` as above.
pub fn record_digest_with(kinds: &Kinds, fields: &Fields) -> String {
    let mut bytes = RECORD_TAG.to_vec();
    put_part(kinds, fields, &mut bytes);
    HEXLOWER.encode(&Sha256::digest(&bytes))
}

/// Digest of what hangs on a record: id and digest of each part, in any order.
pub fn parts_digest<'a>(parts: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let mut parts: Vec<(&str, String)> = parts.into_iter().collect();
    parts.sort();
    let mut bytes = PARTS_TAG.to_vec();
    for (id, digest) in &parts {
        put_text(id, &mut bytes);
        put_text(digest, &mut bytes);
    }
    HEXLOWER.encode(&Sha256::digest(&bytes))
}

fn put_part(kinds: &Kinds, fields: &Fields, bytes: &mut Vec<u8>) {
    let reference = fields.get("_kind").and_then(Value::as_text).unwrap_or("");
    let kind = kinds.get(reference);
    let is_bound = |name: &str| match kind {
        Some(kind) => kind.field(name).is_some_and(|field| field.is_bound()),
        None => !name.starts_with('_'),
    };
    let bound: Vec<(&String, &Value)> = fields.iter().filter(|(name, _)| is_bound(name)).collect();
    put_text(reference, bytes);
    put_length(bound.len(), bytes);
    for (name, value) in bound {
        put_text(name, bytes);
        match value {
            Value::Bool(flag) => bytes.extend([0, u8::from(*flag)]),
            Value::Int(number) => {
                bytes.push(1);
                bytes.extend(number.to_be_bytes());
            }
            Value::Text(text) => {
                bytes.push(2);
                put_text(text, bytes);
            }
        }
    }
}

fn put_text(text: &str, bytes: &mut Vec<u8>) {
    put_length(text.len(), bytes);
    bytes.extend(text.as_bytes());
}

/// Lengths are far below 2³²: a document's records are capped long before.
fn put_length(length: usize, bytes: &mut Vec<u8>) {
    bytes.extend(u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fields(pairs: &[(&str, Value)]) -> Fields {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect()
    }

    fn claim() -> Fields {
        fields(&[
            ("_kind", "claim/1".into()),
            ("_by", "李专管员".into()),
            ("person", "p".into()),
            ("hours_c", 150.into()),
            ("credits_c", 15.into()),
            ("note", "补登".into()),
        ])
    }

    fn session() -> Fields {
        fields(&[
            ("_kind", "session/1".into()),
            ("title", "研课磨课".into()),
            ("hours_c", 150.into()),
            ("state", "ended".into()),
        ])
    }

    #[test]
    fn parts_come_in_any_order_and_none_is_lost() {
        let (a, b) = (("甲", "1".repeat(64)), ("乙", "2".repeat(64)));
        let both = parts_digest([a.clone(), b.clone()]);
        assert_eq!(both, parts_digest([b.clone(), a.clone()]));
        let swapped = parts_digest([("甲", b.1.clone()), ("乙", a.1.clone())]);
        for other in [parts_digest([]), parts_digest([a]), swapped] {
            assert_ne!(both, other);
        }
    }

    #[test]
    fn the_layout_is_as_drawn() {
        let mut bytes = b"yanxiu.claim-digest.1\0".to_vec();
        let text = |text: &str| [&(text.len() as u32).to_be_bytes()[..], text.as_bytes()].concat();
        let number = |name: &str, number: i64| [text(name), vec![1], number.to_be_bytes().to_vec()].concat();
        bytes.extend([text("claim/1"), 3u32.to_be_bytes().to_vec()].concat());
        bytes.extend(
            [
                number("credits_c", 15),
                number("hours_c", 150),
                text("person"),
                vec![2],
                text("p"),
            ]
            .concat(),
        );
        bytes.extend(
            [
                text("session/1"),
                1u32.to_be_bytes().to_vec(),
                number("hours_c", 150),
            ]
            .concat(),
        );
        assert_eq!(
            claim_digest(&claim(), &session()),
            HEXLOWER.encode(&Sha256::digest(&bytes))
        );
        // Pinned: decisions of years refer to it.
        assert_eq!(TAG.len(), 22);
        assert_eq!(
            claim_digest(&Fields::new(), &Fields::new()),
            HEXLOWER.encode(&Sha256::digest([TAG, &[0; 16]].concat()))
        );
    }

    #[test]
    fn bound_fields_change_it_and_others_do_not() {
        let before = claim_digest(&claim(), &session());
        assert_eq!(before.len(), 64);
        for (name, value) in [
            ("hours_c", Value::from(100)),
            ("hours_c", "150".into()),
            ("sub", "ethics".into()),
            ("_kind", "claim/2".into()),
        ] {
            let mut changed = claim();
            changed.insert(name.into(), value);
            assert_ne!(claim_digest(&changed, &session()), before, "{name}");
        }
        for (name, value) in [
            ("title", Value::from("听评课")),
            ("state", "credited".into()),
            ("_by", "王".into()),
        ] {
            let mut changed = session();
            changed.insert(name.into(), value);
            assert_eq!(claim_digest(&claim(), &changed), before, "{name}");
        }
        assert_ne!(claim_digest(&session(), &claim()), before);
    }

    #[test]
    fn an_unknown_kind_is_bound_whole() {
        let unknown = |note: &str| {
            fields(&[
                ("_kind", "claim/9".into()),
                ("_by", "李".into()),
                ("note", note.into()),
            ])
        };
        assert_ne!(
            claim_digest(&unknown("甲"), &session()),
            claim_digest(&unknown("乙"), &session())
        );
        let mut other = unknown("甲");
        other.insert("_by".into(), "王".into());
        assert_eq!(
            claim_digest(&other, &session()),
            claim_digest(&unknown("甲"), &session())
        );
    }

    proptest! {
        #[test]
        fn shifting_bytes_between_name_and_value_is_seen(name in "[a-z]{1,6}", value in "[a-z]{1,6}") {
            let split = |name: &str, value: &str| fields(&[("_kind", "x/1".into()), (name, value.into())]);
            let (first, rest) = value.split_at(1);
            prop_assert_ne!(
                claim_digest(&split(&name, &value), &session()),
                claim_digest(&split(&format!("{name}{first}"), rest), &session())
            );
        }
    }
}
