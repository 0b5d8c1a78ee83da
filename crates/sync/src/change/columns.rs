//! The operation columns of a change, read without keeping anything: every run and every length must lie in
//! its column, and no column may stand for more rows than anybody writes.
//!
//! Automerge trusts them more: it makes a buffer of the length that a string claims, and a list of as many
//! predecessors as an operation claims, and three runs of a few bytes each can claim 2⁶⁰. It also passes over
//! columns that it does not know, and takes those behind a group for members of the group: then it would count
//! other operations than this reader, and hold the next honest change for a wrong one. So only the columns of
//! today are read, each at most once and in their order.
//!
//! ```text
//! specification   column id << 4 | deflated << 3 | type
//! type  0 group   1 actor   2 integer   3 delta   4 boolean   5 string   6 value's type and length   7 value
//! 0, 1, 2, 3, 5, 6   runs: n sleb; n > 0: one value, n times; n < 0: -n values; 0: length uleb, of nulls
//! 4               lengths uleb, in turn of false and true
//! 7               the bytes of all values, one after the other; their lengths are type 6's values >> 4
//! ```

use super::{BadChange, Reader};
use crate::limits;

/// Column of operation actions: its rows are the change's operations.
const ACTION: u64 = 0x42;
/// How many predecessors each operation has.
const PREDS: u64 = 0x70;
/// Type and length of each value, and the values.
const VALUE_META: u64 = 0x56;
const VALUE: u64 = 0x57;
/// Marks deflated data; never set in a plain change.
const DEFLATED: u64 = 0x08;

/// All columns that Automerge writes, in their order: object (actor, counter), key (actor, counter, text),
/// insert, action, value, predecessors (count, actor, counter), expand and name of marks.
const KNOWN: [u64; 14] = [
    0x01, 0x02, 0x11, 0x13, 0x15, 0x34, ACTION, VALUE_META, VALUE, PREDS, 0x71, 0x73, 0x94, 0xa5,
];

/// Reads the columns; how many operations they hold.
pub(super) fn read(r: &mut Reader<'_>) -> Result<u64, BadChange> {
    let mut columns = Vec::new();
    for _ in 0..r.uleb()? {
        let (spec, len) = (r.uleb()?, r.uleb()?);
        if spec & DEFLATED != 0 {
            return Err(BadChange::NotAChange);
        }
        if !KNOWN.contains(&spec) || columns.last().is_some_and(|(last, _)| *last >= spec) {
            return Err(BadChange::Damaged);
        }
        columns.push((spec, len));
    }
    let (mut ops, mut value_bytes) = (0, 0);
    for (spec, len) in columns {
        let data = Reader(r.take(len)?);
        let (rows, sum) = match spec & 7 {
            3 => runs(data, |r| r.sleb().map(|_| 0))?,
            4 => booleans(data)?,
            5 => runs(data, |r| {
                let len = r.uleb()?;
                r.take(len).map(|_| 0)
            })?,
            6 => runs(data, |r| r.uleb().map(|meta| meta >> 4))?,
            7 => (0, len),
            _ => runs(data, Reader::uleb)?,
        };
        match spec {
            ACTION => ops = rows,
            PREDS if sum > limits::CHANGE_PREDS => return Err(BadChange::TooLarge),
            VALUE_META => value_bytes = sum,
            VALUE if sum < value_bytes => return Err(BadChange::Damaged),
            _ => {}
        }
    }
    Ok(ops)
}

/// Rows of a run-length encoded column, and the sum of what `value` gives for each.
fn runs<'a>(
    mut r: Reader<'a>,
    value: impl Fn(&mut Reader<'a>) -> Result<u64, BadChange>,
) -> Result<(u64, u64), BadChange> {
    let (mut rows, mut sum) = (0u64, 0u64);
    while !r.0.is_empty() {
        let n = r.sleb()?;
        let run = match n {
            0 => r.uleb()?,
            n if n > 0 => {
                sum = sum.saturating_add(value(&mut r)?.saturating_mul(n as u64));
                n as u64
            }
            n => {
                let literals = n.unsigned_abs();
                if literals > limits::CHANGE_PREDS {
                    return Err(BadChange::TooLarge);
                }
                for _ in 0..literals {
                    sum = sum.saturating_add(value(&mut r)?);
                }
                literals
            }
        };
        rows = bounded(rows, run)?;
    }
    Ok((rows, sum))
}

fn booleans(mut r: Reader<'_>) -> Result<(u64, u64), BadChange> {
    let mut rows = 0;
    while !r.0.is_empty() {
        rows = bounded(rows, r.uleb()?)?;
    }
    Ok((rows, 0))
}

fn bounded(rows: u64, more: u64) -> Result<u64, BadChange> {
    let rows = rows.saturating_add(more);
    if rows > limits::CHANGE_PREDS {
        return Err(BadChange::TooLarge);
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use automerge::{AutoCommit, ROOT, transaction::Transactable};

    use super::*;
    use crate::change::{Change, write_uleb};
    use crate::identity::{ActorId, DeviceKey};

    /// The second of two changes that overwrite one field.
    fn sample() -> Vec<u8> {
        let actor = ActorId {
            device: DeviceKey::from_seed([1; 32]).id(),
            incarnation: [1; 4],
        };
        let mut doc = AutoCommit::new().with_actor(automerge::ActorId::from(&actor.to_bytes()[..]));
        for text in ["甲", "乙"] {
            doc.put(ROOT, "a", text).unwrap();
            doc.commit();
        }
        let chunk = doc.get_changes(&[])[1].raw_bytes().to_vec();
        Change::from_chunk(&chunk).unwrap().body
    }

    /// The body with other data in one of its columns.
    fn with(body: &[u8], name: u64, new: &[u8]) -> Vec<u8> {
        let mut r = Reader(Change::after_start_op(body).unwrap());
        r.skip_leb().unwrap();
        for what in ["message", "other actors"] {
            assert_eq!(r.uleb().unwrap(), 0, "the sample has no {what}");
        }
        let mut out = body[..body.len() - r.0.len()].to_vec();
        let specs: Vec<(u64, u64)> = (0..r.uleb().unwrap())
            .map(|_| (r.uleb().unwrap(), r.uleb().unwrap()))
            .collect();
        assert!(specs.iter().any(|(spec, _)| *spec == name), "no such column");
        let columns: Vec<(u64, &[u8])> = specs
            .into_iter()
            .map(|(spec, len)| (spec, r.take(len).unwrap()))
            .map(|(spec, old)| (spec, if spec == name { new } else { old }))
            .collect();
        write_uleb(&mut out, columns.len() as u64);
        for (spec, data) in &columns {
            write_uleb(&mut out, *spec);
            write_uleb(&mut out, data.len() as u64);
        }
        out.extend(columns.into_iter().flat_map(|(_, data)| data));
        out
    }

    /// One value that is written as it stands (a run of -1).
    fn literal(n: u64) -> Vec<u8> {
        let mut out = vec![0x7f];
        write_uleb(&mut out, n);
        out
    }

    /// Found by the fuzzer: a few bytes that made Automerge list predecessors until memory was full.
    #[test]
    fn predecessors_without_end_are_refused() {
        let body = sample();
        assert_eq!(with(&body, PREDS, &literal(1)), body);
        let claiming = |preds| Change::from_body(with(&body, PREDS, &literal(preds)));
        assert!(claiming(limits::CHANGE_PREDS).is_ok());
        for preds in [limits::CHANGE_PREDS + 1, 1 << 40, u64::MAX] {
            assert_eq!(claiming(preds), Err(BadChange::TooLarge));
        }
    }

    /// Found by the fuzzer: a key that claims 571 MB, of which Automerge makes a buffer before it looks.
    #[test]
    fn a_key_that_is_longer_than_its_column_is_refused() {
        let body = sample();
        assert_eq!(with(&body, 0x15, &[0x7f, 1, b'a']), body);
        for len in [2, 571_388_676, u64::MAX] {
            let key = [&literal(len)[..], b"a"].concat();
            assert_eq!(
                Change::from_body(with(&body, 0x15, &key)),
                Err(BadChange::Damaged)
            );
        }
    }

    /// Found by the fuzzer: behind a column 0x40 Automerge takes the actions for members of a group and counts no
    /// operation, so that an honest change that follows would seem to skip numbers.
    #[test]
    fn unknown_repeated_and_unordered_columns_are_refused() {
        let body = sample();
        let start = Change::after_start_op(&body).unwrap();
        let at = body.len() - start.len() + 3;
        let count = body[at];
        let action = at
            + body[at..]
                .windows(2)
                .position(|w| w == [ACTION as u8, 2])
                .unwrap();
        let put = |specs: &[u8]| {
            let mut new = body.clone();
            new.splice(action..action, specs.iter().copied());
            new[at] = count + specs.len() as u8 / 2;
            Change::from_body(new)
        };
        assert!(put(&[]).is_ok());
        for specs in [[0x40, 0], [0x34, 0], [0x57, 0], [0x62, 0]] {
            assert_eq!(put(&specs), Err(BadChange::Damaged), "{specs:x?}");
        }
        assert_eq!(put(&[0x3c, 0]), Err(BadChange::NotAChange));
    }

    #[test]
    fn values_must_be_there_in_full() {
        let body = sample();
        assert_eq!(with(&body, VALUE_META, &literal(3 << 4 | 6)), body);
        for len in [4, 1 << 40] {
            let short = with(&body, VALUE_META, &literal(len << 4 | 6));
            assert_eq!(Change::from_body(short), Err(BadChange::Damaged));
        }
    }

    #[test]
    fn runs_without_end_are_refused_in_every_column() {
        let body = sample();
        for (name, value) in [
            (0x15, &[1, b'a'][..]),
            (0x34, &[]),
            (ACTION, &[1]),
            (VALUE_META, &[0]),
        ] {
            let mut run = Vec::new();
            write_uleb(&mut run, limits::CHANGE_PREDS + 64);
            run.extend(value);
            assert_eq!(
                Change::from_body(with(&body, name, &run)),
                Err(BadChange::TooLarge),
                "{name:x}"
            );
        }
    }
}
