//! What of the changes Automerge is given, and which records they touched.

use std::collections::{BTreeSet, HashMap, HashSet};

use automerge::legacy::{Key, ObjectId, Op, OpId};
use automerge::{Automerge, ExpandedChange, ObjId, Prop, ROOT, ReadDoc};
use sync::Change;

/// Applies changes; the records that they touched. Automerge's own patches would not do: they pass over what
/// loses against a concurrent value, and a page shows both. `None`: Automerge cannot take them, or one of them is
/// not [`well_founded`]; then the document is spoilt.
pub(super) fn apply_all(doc: &mut Automerge, changes: &[&Change]) -> Option<BTreeSet<String>> {
    let was_empty = doc.get_heads().is_empty();
    let (mut records, mut objects) = (BTreeSet::new(), BTreeSet::new());
    let mut waiting = Vec::new();
    for change in parsed(changes)? {
        let told = change.decode();
        // What a change names of others is looked for in the document as its author had it.
        if names_others(&told) {
            doc.apply_changes(std::mem::take(&mut waiting)).ok()?;
            if !well_founded(doc, &told) {
                return None;
            }
        }
        let (named, within) = named_in(&told);
        records.extend(named);
        objects.extend(within);
        waiting.push(change);
    }
    doc.apply_changes(waiting).ok()?;
    if was_empty {
        return Some(doc.keys(ROOT).collect());
    }
    records.extend(objects.iter().filter_map(|id| record_of(doc, id)));
    Some(records)
}

pub(super) fn parsed(changes: &[&Change]) -> Option<Vec<automerge::Change>> {
    let each = |c: &&Change| automerge::Change::from_bytes(c.to_chunk()).ok();
    changes.iter().map(each).collect()
}

/// The keys of the root, and the objects below it, that the operations of a change name.
pub(super) fn named_in(change: &ExpandedChange) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut records, mut objects) = (BTreeSet::new(), BTreeSet::new());
    for op in &change.operations {
        match (&op.obj, &op.key) {
            (ObjectId::Root, Key::Map(name)) => drop(records.insert(name.to_string())),
            (ObjectId::Root, _) => {}
            (ObjectId::Id(id), _) => drop(objects.insert(id.to_string())),
        }
    }
    (records, objects)
}

/// The operations of a change, with their ids.
fn numbered(change: &ExpandedChange) -> impl Iterator<Item = (OpId, &Op)> {
    let id = |n| OpId::new(n, &change.actor_id);
    (change.start_op.get()..).map(id).zip(&change.operations)
}

/// Whether a change names anything but its own operations.
fn names_others(change: &ExpandedChange) -> bool {
    let mut own = HashSet::new();
    numbered(change).any(|(id, op)| {
        let object = match &op.obj {
            ObjectId::Root => None,
            ObjectId::Id(id) => Some(id),
        };
        let others = op.pred.iter().chain(object).any(|id| !own.contains(id));
        own.insert(id);
        others || matches!(op.key, Key::Seq(_))
    })
}

/// Whether a change takes away only values that stood in the same field, and writes only into maps that stood
/// there, when it was made: among its own operations or in the document as of its dependencies. Every honest
/// program writes such; Automerge takes others too, and then two nodes that got the same changes in another order
/// or in other portions may show different records. Lists are in no record, so none is looked into.
fn well_founded(doc: &Automerge, change: &ExpandedChange) -> bool {
    let mut own: HashMap<OpId, (&ObjectId, &Key)> = HashMap::new();
    numbered(change).all(|(id, op)| {
        let place = (&op.obj, &op.key);
        let Key::Map(key) = &op.key else {
            return false;
        };
        let object = match &op.obj {
            ObjectId::Root => Some(ROOT),
            ObjectId::Id(object) if own.contains_key(object) => None,
            ObjectId::Id(object) => match map_as_of(doc, &object.to_string(), &change.deps) {
                None => return false,
                known => known,
            },
        };
        let mut foreign = op.pred.iter().filter(|p| own.get(*p) != Some(&place)).peekable();
        let stood = foreign.peek().is_none()
            || object.is_some_and(|object| {
                let values = doc
                    .get_all_at(object, key.as_str(), &change.deps)
                    .unwrap_or_default();
                let values: HashSet<String> = values.iter().map(|(_, id)| id.to_string()).collect();
                foreign.all(|p| values.contains(&p.to_string()))
            });
        own.insert(id, place);
        stood
    })
}

/// A map that stood in the document as of these heads.
fn map_as_of(doc: &Automerge, id: &str, heads: &[automerge::ChangeHash]) -> Option<ObjId> {
    let object = doc.import_obj(id).ok()?;
    let parent = doc.parents(&object).ok()?.next()?;
    let values = doc.get_all_at(&parent.obj, parent.prop, heads).ok()?;
    let stood = values.iter().any(|(v, o)| *o == object && v.is_object());
    stood.then_some(object)
}

/// The root's key under which an object lies.
pub(super) fn record_of(doc: &Automerge, object: &str) -> Option<String> {
    let object = doc.import_obj(object).ok()?;
    match doc.parents(object).ok()?.last()?.prop {
        Prop::Map(name) => Some(name),
        Prop::Seq(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use automerge::transaction::Transactable;
    use records::Value;
    use sync::ActorId;

    use super::super::{Edit, objects_of, write_edits};
    use super::*;

    fn edit(id: &str, fields: &[(&str, &str)]) -> Edit {
        let field = |(n, v): &(&str, &str)| (n.to_string(), Some(Value::Text(v.to_string())));
        Edit {
            id: id.into(),
            fields: fields.iter().map(field).collect(),
        }
    }

    /// Found by the fuzzer: a record made twice, whose losing half came later, kept its old row until the views
    /// were built anew.
    #[test]
    fn what_loses_against_a_concurrent_value_is_noticed_too() {
        let actor = |n: u8| automerge::ActorId::from(&[n; ActorId::LEN][..]);
        let made = |by: u8, texts: &[&str]| {
            let mut doc = Automerge::new();
            doc.set_actor(actor(by));
            for text in texts {
                write_edits(&mut doc, &[edit("r1", &[("title", text)])])
                    .unwrap()
                    .unwrap();
            }
            let changes = doc.get_changes(&[]);
            changes
                .iter()
                .map(|c| Change::from_chunk(c.raw_bytes()).unwrap())
                .collect::<Vec<_>>()
        };
        let (winner, loser) = (made(9, &["甲"]), made(1, &["乙"]));
        let mut doc = Automerge::new();
        let of = |changes: &[Change], doc: &mut Automerge| {
            let changes: Vec<&Change> = changes.iter().collect();
            let touched = apply_all(doc, &changes).unwrap();
            touched.into_iter().collect::<Vec<_>>()
        };
        assert_eq!(of(&winner, &mut doc), ["r1"]);
        assert_eq!(of(&loser, &mut doc), ["r1"]);
        // Another value of a field in the losing map.
        let mut other = doc.fork();
        other.set_actor(actor(2));
        let lost = objects_of(&other, "r1").unwrap().remove(0);
        let mut tx = other.transaction();
        tx.put(&lost, "title", "丙").unwrap();
        tx.commit();
        let change = Change::from_chunk(other.get_last_local_change().unwrap().raw_bytes()).unwrap();
        assert_eq!(of(&[change], &mut doc), ["r1"]);
    }

    /// Found by the fuzzer: Automerge takes operations that name a predecessor under another key, themselves, or
    /// what their author did not have, and shows what the order and the portions make of it.
    #[test]
    fn what_its_author_cannot_have_written_is_taken_by_no_node() {
        let actor = |n: u8| automerge::ActorId::from(&[n; ActorId::LEN][..]);
        let last = |doc: &mut Automerge| doc.get_last_local_change().unwrap();
        let forged = |doc: &mut Automerge, change: &dyn Fn(&mut ExpandedChange)| {
            let mut told = last(doc).decode();
            change(&mut told);
            Change::from_chunk(automerge::Change::from(told).raw_bytes()).unwrap()
        };
        let mut base = Automerge::new().with_actor(actor(9));
        write_edits(&mut base, &[edit("r1", &[("title", "甲"), ("place", "丙")])]).unwrap();
        let (mut left, mut right) = (base.fork().with_actor(actor(3)), base.fork().with_actor(actor(4)));
        write_edits(
            &mut left,
            &[edit("r1", &[("title", "左")]), edit("r2", &[("title", "新")])],
        )
        .unwrap();
        write_edits(&mut right, &[edit("r1", &[("title", "右")])]).unwrap();
        let left = Change::from_chunk(last(&mut left).raw_bytes()).unwrap();
        let with_pred = |counter: u64, by: u8| {
            move |told: &mut ExpandedChange| {
                told.operations[0].pred = [OpId::new(counter, &actor(by))].into_iter().collect();
            }
        };
        let mut honest = base.fork().with_actor(actor(4));
        write_edits(&mut honest, &[edit("r1", &[("title", "右")])]).unwrap();
        let honest = forged(&mut honest, &|_| ());
        // The title of r1 is operation 2, its place 3; what both wrote begins with 4.
        let bad = [
            (
                "the place, under the key of the title",
                forged(&mut right, &with_pred(3, 9)),
            ),
            (
                "the record, under a field of it",
                forged(&mut right, &with_pred(1, 9)),
            ),
            ("itself", forged(&mut right, &with_pred(4, 4))),
            ("a concurrent title", forged(&mut right, &with_pred(4, 3))),
            (
                "a concurrent record",
                forged(&mut right, &|told| {
                    told.operations[0].obj = ObjectId::Id(OpId::new(5, &actor(3)));
                    told.operations[0].pred = [].into_iter().collect();
                }),
            ),
        ];
        let one_by_one = |changes: &[&Change]| {
            let mut doc = base.clone();
            changes
                .iter()
                .try_for_each(|c| apply_all(&mut doc, &[c]).map(drop))
        };
        let at_once = |changes: &[&Change]| apply_all(&mut base.clone(), changes).map(drop);
        for order in [[&left, &honest], [&honest, &left]] {
            assert_eq!((one_by_one(&order), at_once(&order)), (Some(()), Some(())));
        }
        for (what, bad) in &bad {
            assert_eq!(bad.header.deps, honest.header.deps);
            for order in [&[&left, bad][..], &[bad, &left], &[bad]] {
                assert_eq!((one_by_one(order), at_once(order)), (None, None), "{what}");
            }
        }
    }
}
