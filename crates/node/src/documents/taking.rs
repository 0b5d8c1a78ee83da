//! What of the changes Automerge is given, and which records they touched.
//!
//! Automerge takes much that no honest program writes (a value that replaces one under another key, itself, or one
//! that its author did not have; lists where maps are; keys that are inserted), and what then shows depends on the
//! order and the portions in which changes come. So a change is judged first, by what its author had: the document
//! as of its dependencies. That is the same on every node.

use std::collections::{BTreeSet, HashMap, HashSet};

use automerge::legacy::{Key, ObjectId, Op, OpId, OpType};
use automerge::{
    Automerge, ChangeHash, ExpandedChange, ObjId, ObjType, Prop, ROOT, ReadDoc, ScalarValue, Value,
};
use sync::Change;

/// Applies changes in the order of their dependencies; the records that they touched. Automerge's own patches would
/// not do: they pass over what loses against a concurrent value, and a page shows both. `None`: Automerge cannot
/// take them, or one of them is not what a program writes; then the document is spoilt.
pub(super) fn apply_all(doc: &mut Automerge, changes: &[&Change]) -> Option<BTreeSet<String>> {
    let was_empty = doc.get_heads().is_empty();
    let mut named = Named::default();
    let mut waiting = Waiting::on(doc);
    for change in parsed(changes)? {
        let told = change.decode();
        if !lists_its_actors(&change, &told) {
            return None;
        }
        // All dependencies are here, and an author names also the own last change: these may be more than heads.
        let after_all = waiting.heads.iter().all(|head| told.deps.contains(head));
        // One that looks at nothing of others can wait with them; another one that did not see all that waits is
        // judged by the document as its author had it, and applied at once.
        let alone = !looks_elsewhere(doc, &waiting, &told);
        if !after_all && !alone {
            waiting.apply(doc)?;
        }
        let seen = match (after_all, alone) {
            (true, _) => Seen::All(&waiting),
            (false, true) => Seen::Nothing,
            (false, false) => Seen::AsOf(&told.deps),
        };
        let wrote = judge(doc, &seen, &told)?;
        named.add(&told);
        waiting.take(change, wrote);
        if (!after_all && !alone) || waiting.is_much() {
            waiting.apply(doc)?;
        }
    }
    waiting.apply(doc)?;
    Some(match was_empty {
        true => doc.keys(ROOT).collect(),
        false => named.records(doc),
    })
}

/// The same with what was judged before, and nothing told.
pub(super) fn apply_again(doc: &mut Automerge, changes: &[&Change]) -> Option<BTreeSet<String>> {
    let (mut portion, mut operations) = (Vec::new(), 0);
    for change in parsed(changes)? {
        operations += change.len();
        portion.push(change);
        if operations >= OPERATIONS {
            doc.apply_changes(std::mem::take(&mut portion)).ok()?;
            operations = 0;
        }
    }
    doc.apply_changes(portion).ok()?;
    Some(BTreeSet::new())
}

/// Changes, and the values that they wrote, that wait at most: they are held in memory until they are applied.
const CHANGES: usize = 512;
const VALUES: usize = 20_000;

/// Operations given to Automerge at once, which holds them in several forms meanwhile.
const OPERATIONS: usize = 50_000;

/// Whether a change lists just the actors that its operations name, as the encoder does. `decode` drops the list, and
/// Automerge cannot take a change that lists an actor of whom nothing is here, though no operation names it.
fn lists_its_actors(change: &automerge::Change, told: &ExpandedChange) -> bool {
    let objects = told.operations.iter().filter_map(|op| match &op.obj {
        ObjectId::Id(id) => Some(id),
        ObjectId::Root => None,
    });
    let preds = told.operations.iter().flat_map(|op| op.pred.iter());
    let named: HashSet<&automerge::ActorId> = objects
        .chain(preds)
        .map(OpId::actor)
        .filter(|actor| **actor != told.actor_id)
        .collect();
    let listed: HashSet<&automerge::ActorId> = change.other_actor_ids().iter().collect();
    listed == named && listed.len() == change.other_actor_ids().len()
}

/// The same without judging: for what was set aside, whose values are said again by this node's own hand.
pub(super) fn apply_unjudged(doc: &mut Automerge, changes: &[&Change]) -> Option<BTreeSet<String>> {
    let changes = parsed(changes)?;
    let mut named = Named::default();
    changes.iter().for_each(|change| named.add(&change.decode()));
    doc.apply_changes(changes).ok()?;
    Some(named.records(doc))
}

fn parsed(changes: &[&Change]) -> Option<Vec<automerge::Change>> {
    let each = |c: &&Change| automerge::Change::from_bytes(c.to_chunk()).ok();
    changes.iter().map(each).collect()
}

/// The keys of the root, and the objects below it, that the operations of changes name.
#[derive(Default)]
pub(super) struct Named {
    records: BTreeSet<String>,
    objects: BTreeSet<String>,
}

impl Named {
    pub(super) fn add(&mut self, change: &ExpandedChange) {
        for op in &change.operations {
            match (&op.obj, &op.key) {
                (ObjectId::Root, Key::Map(name)) => drop(self.records.insert(name.to_string())),
                (ObjectId::Root, _) => {}
                (ObjectId::Id(id), _) => drop(self.objects.insert(id.to_string())),
            }
        }
    }

    /// The records of a document that holds those changes.
    pub(super) fn records(self, doc: &Automerge) -> BTreeSet<String> {
        let of_objects = self.objects.iter().filter_map(|id| record_of(doc, id));
        let of_objects: Vec<String> = of_objects.collect();
        self.records.into_iter().chain(of_objects).collect()
    }
}

/// A field, or a key of the root.
type Place = (ObjectId, String);

/// What a change wrote: the values that stand at each place after it, and the maps that it made.
#[derive(Default)]
struct Wrote {
    stands: HashMap<Place, HashSet<OpId>>,
    maps: HashSet<OpId>,
}

/// Changes that are judged and not yet given to Automerge, which has its price for each portion.
struct Waiting {
    changes: Vec<automerge::Change>,
    /// Heads of the document and these changes together.
    heads: BTreeSet<ChangeHash>,
    wrote: Wrote,
}

impl Waiting {
    fn on(doc: &Automerge) -> Waiting {
        Waiting {
            changes: Vec::new(),
            heads: doc.get_heads().into_iter().collect(),
            wrote: Wrote::default(),
        }
    }

    fn take(&mut self, change: automerge::Change, wrote: Wrote) {
        self.heads.retain(|head| !change.deps().contains(head));
        self.heads.insert(change.hash());
        self.wrote.stands.extend(wrote.stands);
        self.wrote.maps.extend(wrote.maps);
        self.changes.push(change);
    }

    fn is_much(&self) -> bool {
        self.changes.len() >= CHANGES || self.wrote.stands.len() >= VALUES
    }

    fn apply(&mut self, doc: &mut Automerge) -> Option<()> {
        if self.changes.is_empty() {
            return Some(());
        }
        self.wrote = Wrote::default();
        doc.apply_changes(std::mem::take(&mut self.changes)).ok()?;
        *self = Waiting::on(doc);
        Some(())
    }
}

/// What the author of a change had seen.
enum Seen<'a> {
    /// The document and all that waits.
    All(&'a Waiting),
    /// Of what it looks at, nothing: it makes records under keys that nobody has.
    Nothing,
    /// The document as of these heads.
    AsOf(&'a [ChangeHash]),
}

impl Seen<'_> {
    /// The values that stood at a place of an object of the document.
    fn stood(&self, doc: &Automerge, object: &ObjId, place: &Place) -> Option<HashSet<OpId>> {
        let values = match self {
            Seen::Nothing => return Some(HashSet::new()),
            Seen::All(waiting) => match waiting.wrote.stands.get(place) {
                Some(stands) => return Some(stands.clone()),
                None => doc.get_all(object, place.1.as_str()),
            },
            Seen::AsOf(heads) => doc.get_all_at(object, place.1.as_str(), heads),
        };
        let id = |(_, id): (Value<'_>, ObjId)| match id {
            ObjId::Id(counter, actor, _) => Some(OpId::new(counter, &actor)),
            ObjId::Root => None,
        };
        values.ok()?.into_iter().map(id).collect()
    }

    /// A record's map that stood in the document.
    fn map(&self, doc: &Automerge, id: &OpId) -> Option<ObjId> {
        let object = doc.import_obj(&id.to_string()).ok()?;
        let parent = doc.parents(&object).ok()?.next()?;
        let values = match self {
            Seen::Nothing => return None,
            Seen::All(_) => doc.get_all(&parent.obj, parent.prop),
            Seen::AsOf(heads) => doc.get_all_at(&parent.obj, parent.prop, heads),
        };
        let stood = |(value, at): &(Value<'_>, ObjId)| *at == object && *value == Value::Object(ObjType::Map);
        values.ok()?.iter().any(stood).then_some(object)
    }
}

/// The operations of a change, with their ids.
fn numbered(change: &ExpandedChange) -> impl Iterator<Item = (OpId, &Op)> {
    let id = |n| OpId::new(n, &change.actor_id);
    (change.start_op.get()..).map(id).zip(&change.operations)
}

/// Whether a change names anything but its own operations, or makes a record under a key that is there: such a key
/// stays for good, so that is at least whenever its author knew of it.
fn looks_elsewhere(doc: &Automerge, waiting: &Waiting, change: &ExpandedChange) -> bool {
    let mut own = HashSet::new();
    numbered(change).any(|(id, op)| {
        let elsewhere = match (&op.obj, &op.key) {
            (ObjectId::Id(object), _) => !own.contains(object),
            (ObjectId::Root, Key::Map(key)) => {
                let place = (ObjectId::Root, key.to_string());
                waiting.wrote.stands.contains_key(&place)
                    || doc.get(ROOT, key.as_str()).is_ok_and(|value| value.is_some())
            }
            (ObjectId::Root, Key::Seq(_)) => true,
        };
        let elsewhere = elsewhere || op.pred.iter().any(|id| !own.contains(id));
        own.insert(id);
        elsewhere
    })
}

/// What a change wrote, if it is what a program writes: new records, which are maps under keys of the root that its
/// author did not have, and in records values in place of all that stood, or the removal of all but the winner (so
/// somebody chooses the one of several values that shows anyway).
fn judge(doc: &Automerge, seen: &Seen<'_>, change: &ExpandedChange) -> Option<Wrote> {
    if change.operations.is_empty() {
        return None;
    }
    let mut wrote = Wrote::default();
    let mut known: HashMap<OpId, ObjId> = HashMap::new();
    for (id, op) in numbered(change) {
        let Key::Map(key) = &op.key else {
            return None;
        };
        let place: Place = (op.obj.clone(), key.to_string());
        let waits = |map: &OpId| matches!(seen, Seen::All(w) if w.wrote.maps.contains(map));
        let stood = match (wrote.stands.get(&place), &op.obj) {
            (Some(stands), _) => stands.clone(),
            (None, ObjectId::Root) => seen.stood(doc, &ROOT, &place)?,
            (None, ObjectId::Id(map)) if wrote.maps.contains(map) => HashSet::new(),
            (None, ObjectId::Id(map)) if waits(map) => match seen {
                Seen::All(waiting) => waiting.wrote.stands.get(&place).cloned().unwrap_or_default(),
                _ => return None,
            },
            (None, ObjectId::Id(map)) => {
                if !known.contains_key(map) {
                    known.insert(map.clone(), seen.map(doc, map)?);
                }
                seen.stood(doc, known.get(map)?, &place)?
            }
        };
        let named: HashSet<OpId> = op.pred.iter().cloned().collect();
        if named.len() != op.pred.len() {
            return None;
        }
        let stands = match (&op.obj, &op.action, op.insert) {
            (ObjectId::Root, OpType::Make(ObjType::Map), false) if stood.is_empty() && named.is_empty() => {
                wrote.maps.insert(id.clone());
                HashSet::from([id])
            }
            (ObjectId::Id(_), OpType::Put(value), false) if named == stood && is_written(value) => {
                HashSet::from([id])
            }
            (ObjectId::Id(_), OpType::Delete, false) if !named.is_empty() => {
                // Automerge's winner is the greatest id.
                let winner = stood.iter().max_by_key(|id| (id.counter(), id.actor()))?.clone();
                let left = HashSet::from([winner]);
                if stood.difference(&left).cloned().collect::<HashSet<_>>() != named {
                    return None;
                }
                left
            }
            _ => return None,
        };
        wrote.stands.insert(place, stands);
    }
    Some(wrote)
}

/// Whether this is a value as records have them.
fn is_written(value: &ScalarValue) -> bool {
    use ScalarValue::{Boolean, Int, Null, Str};
    matches!(value, Null | Str(_) | Int(_) | Boolean(_))
}

/// The root's key under which an object lies.
fn record_of(doc: &Automerge, object: &str) -> Option<String> {
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
        let of = |action: OpType| move |told: &mut ExpandedChange| told.operations[0].action = action.clone();
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
                "nothing, beside a value that stands",
                forged(&mut right, &|told| {
                    told.operations[0].pred = [].into_iter().collect();
                }),
            ),
            ("a counter's step", forged(&mut right, &of(OpType::Increment(1)))),
            (
                "a list in a record",
                forged(&mut right, &of(OpType::Make(ObjType::List))),
            ),
            (
                "a value of the root",
                forged(&mut right, &|told| {
                    told.operations[0].obj = ObjectId::Root;
                    told.operations[0].pred = [].into_iter().collect();
                }),
            ),
            (
                "a record that is there, made again",
                forged(&mut right, &|told| {
                    told.operations[0].obj = ObjectId::Root;
                    told.operations[0].key = Key::Map("r1".into());
                    told.operations[0].action = OpType::Make(ObjType::Map);
                    told.operations[0].pred = [].into_iter().collect();
                }),
            ),
            (
                "an inserted key",
                forged(&mut right, &|told| told.operations[0].insert = true),
            ),
            (
                "a concurrent record",
                forged(&mut right, &|told| {
                    told.operations[0].obj = ObjectId::Id(OpId::new(5, &actor(3)));
                    told.operations[0].pred = [].into_iter().collect();
                }),
            ),
        ];
        // An actor that is listed and named by no operation: who has nothing of it could not take the change.
        let lists = |actors: &[u8]| {
            let list = actors
                .iter()
                .flat_map(|n| [&[ActorId::LEN as u8][..], &[*n; ActorId::LEN]].concat());
            [actors.len() as u8].into_iter().chain(list).collect::<Vec<u8>>()
        };
        let at = honest
            .body
            .windows(lists(&[9]).len())
            .position(|w| *w == lists(&[9]))
            .unwrap();
        let (head, tail) = honest.body.split_at(at);
        let tail = &tail[lists(&[9]).len()..];
        let stranger = Change::from_body([head, &lists(&[9, 10]), tail].concat()).unwrap();
        let mut bad = Vec::from(bad);
        bad.push(("an actor that it does not name", stranger));
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
