//! Automerge documents in memory, built from the changes that count, and the view rows they give.
//!
//! Automerge is handed single plain changes that passed admission and nothing else, inside
//! `catch_unwind`; a document that panicked is thrown away. What is in memory is a cache: rows are the
//! truth.

mod past;
mod taking;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use automerge::transaction::{CommitOptions, Transactable};
use automerge::{Automerge, ObjId, ObjType, ROOT, ReadDoc, ScalarValue};
use records::kinds::View;
use records::{Fields, Kinds, Value};
use store::changes::{self, Stored};
use store::{Connection, views};
use sync::admission::Fault;
use sync::authority::{Policy, counts};
use sync::{ActorId, Change, ChangeHash, DocKey, Header, NodeId, Roll};

use crate::{Error, policy};

pub(crate) use past::Deed;
use past::Writers;
use taking::{apply_again, apply_all, apply_unjudged};

/// One edit of one record: `None` empties a field.
#[derive(Clone, PartialEq, Debug)]
pub struct Edit {
    /// Record id (UUIDv7 text for a new one).
    pub id: String,
    /// Fields to write.
    pub fields: Vec<(String, Option<Value>)>,
}

/// A document in memory.
pub(crate) struct Loaded {
    doc: Automerge,
    /// Local sequence up to which stored changes were looked at.
    pub upto: i64,
    /// Those among them that count.
    counted: HashSet<ChangeHash>,
    /// Which actor wrote which operations: (start, end, seq), by actor.
    spans: HashMap<ActorId, Vec<(u64, u64, u64)>>,
    writers: Writers,
    used: u64,
}

/// A few documents, the least used of which makes room.
#[derive(Default)]
pub(crate) struct Cache {
    loaded: HashMap<i64, Loaded>,
    clock: u64,
}

/// How much of the documents stays in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    documents: usize,
    /// In all of them together; one document is always kept.
    changes: usize,
}

impl Room {
    /// A school works in two or three, on an old PC.
    pub const SCHOOL: Room = Room {
        documents: 8,
        changes: 12_000,
    };

    /// A county of 45 schools whole, all of its current school year: whichever school comes next, its document need not
    /// be built anew for one more record (`examples/years.rs`). At some 3 KB a change half a gigabyte, at most. A larger
    /// county passes through many.
    pub const COUNTY: Room = Room {
        documents: 256,
        changes: 160_000,
    };
}

impl Cache {
    /// Forgets a document, or all of them.
    pub fn forget(&mut self, doc: Option<i64>) {
        match doc {
            Some(doc) => drop(self.loaded.remove(&doc)),
            None => self.loaded.clear(),
        }
    }

    fn take(&mut self, doc: i64) -> Option<Loaded> {
        self.loaded.remove(&doc)
    }

    fn give_back(&mut self, doc: i64, mut loaded: Loaded, room: Room) {
        self.clock += 1;
        loaded.used = self.clock;
        self.loaded.insert(doc, loaded);
        let changes = |c: &Cache| c.loaded.values().map(|l| l.counted.len()).sum::<usize>();
        while self.loaded.len() > room.documents || (self.loaded.len() > 1 && changes(self) > room.changes) {
            let oldest = self.loaded.iter().min_by_key(|(_, l)| l.used).map(|(id, _)| *id);
            if let Some(id) = oldest {
                self.loaded.remove(&id);
            }
        }
    }
}

/// What stands around a document operation.
pub(crate) struct Around<'a> {
    pub conn: &'a Connection,
    pub policy: &'a Policy,
    pub roll: &'a Roll,
    pub kinds: &'a Kinds,
    pub room: Room,
    pub now: i64,
}

impl Loaded {
    fn empty() -> Loaded {
        Loaded {
            doc: Automerge::new(),
            upto: 0,
            counted: HashSet::new(),
            spans: HashMap::new(),
            writers: Writers::default(),
            used: 0,
        }
    }

    /// Applies stored changes; returns the ids of records that they touched, or `None` when they cannot be taken
    /// and the document in hand is spoilt.
    fn apply(
        self,
        around: &Around<'_>,
        key: &DocKey,
        stored: &[Stored],
    ) -> Result<Option<(Loaded, BTreeSet<String>)>, Error> {
        self.apply_by(around, key, stored, apply_all)
    }

    /// The same with changes that were taken and judged before, as they counted then; faster.
    fn apply_again(
        self,
        around: &Around<'_>,
        key: &DocKey,
        stored: &[Stored],
    ) -> Result<Option<Loaded>, Error> {
        let applied = self.apply_by(around, key, stored, apply_again)?;
        Ok(applied.map(|(loaded, _)| loaded))
    }

    fn apply_by(
        mut self,
        around: &Around<'_>,
        key: &DocKey,
        stored: &[Stored],
        take: impl Fn(&mut Automerge, &[&Change]) -> Option<BTreeSet<String>>,
    ) -> Result<Option<(Loaded, BTreeSet<String>)>, Error> {
        let blocked = blocked(around.conn, key)?;
        let mut counting = Vec::new();
        for s in stored {
            let h = &s.change.header;
            if blocked.get(&h.actor).is_none_or(|from| h.seq < *from)
                && counts(around.policy, around.roll, key, h, |d| self.counted.contains(d))
            {
                self.counted.insert(h.hash);
                self.note_span(h);
                counting.push(&s.change);
            }
            self.upto = self.upto.max(s.seq);
        }
        if counting.is_empty() {
            return Ok(Some((self, BTreeSet::new())));
        }
        let applied = catch_unwind(AssertUnwindSafe(|| take(&mut self.doc, &counting)));
        Ok(applied.ok().flatten().map(|touched| (self, touched)))
    }

    fn note_span(&mut self, h: &Header) {
        self.spans
            .entry(h.actor)
            .or_default()
            .push((h.start_op, h.start_op + h.ops, h.seq));
    }

    /// The change that wrote operation `counter` of `actor`.
    fn part(&self, counter: u64, actor: &automerge::ActorId) -> Option<(ActorId, u64)> {
        let actor = ActorId::from_bytes(actor.to_bytes())?;
        let spans = self.spans.get(&actor)?;
        let at = spans
            .partition_point(|(start, _, _)| *start <= counter)
            .checked_sub(1)?;
        spans
            .get(at)
            .filter(|(_, end, _)| counter < *end)
            .map(|(_, _, seq)| (actor, *seq))
    }

    /// The visible values of a record that these changes wrote.
    fn own_values(&self, id: String, by: &HashSet<(ActorId, u64)>) -> Option<Edit> {
        let objects = objects_of(&self.doc, &id)?;
        let names: BTreeSet<String> = objects.iter().flat_map(|o| self.doc.keys(o)).collect();
        let mut fields = Vec::new();
        for name in names {
            for (value, op) in values_of(&self.doc, &objects, &name)?.into_iter().rev() {
                let ObjId::Id(counter, actor, _) = &op else {
                    continue;
                };
                let ours = self.part(*counter, actor).is_some_and(|part| by.contains(&part));
                if let (true, Some(scalar)) = (ours, value.as_scalar()) {
                    fields.push((name, read_scalar(scalar)));
                    break;
                }
            }
        }
        (!fields.is_empty()).then_some(Edit { id, fields })
    }

    /// The view row of one record; `None` when it is no map with a kind.
    fn row(&self, kinds: &Kinds, doc: i64, key: &DocKey, id: &str) -> Option<views::Row> {
        let mut fields = Fields::new();
        let mut others: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        let mut parts: BTreeMap<ActorId, u64> = BTreeMap::new();
        let mut newest: Option<(u64, ActorId)> = None;
        let objects = objects_of(&self.doc, id)?;
        let names: BTreeSet<String> = objects.iter().flat_map(|o| self.doc.keys(o)).collect();
        for name in names {
            let mut values = Vec::new();
            for (value, op) in values_of(&self.doc, &objects, &name)? {
                if let ObjId::Id(counter, actor, _) = &op
                    && let Some((actor, seq)) = self.part(*counter, actor)
                {
                    let entry = parts.entry(actor).or_default();
                    *entry = (*entry).max(seq);
                    newest = newest.max(Some((*counter, actor)));
                }
                if value.is_object() {
                    values.push(Some(Value::Text(String::from("…"))));
                } else if let Some(scalar) = value.as_scalar() {
                    values.push(read_scalar(scalar));
                }
            }
            // Automerge lists the winner last.
            let Some(winner) = values.last().cloned() else {
                continue;
            };
            // An emptied field is a value too: against another one it is a disagreement.
            if values.iter().any(|v| *v != winner) {
                values.dedup();
                others.insert(name.clone(), values.into_iter().flatten().collect());
            }
            if let Some(winner) = winner {
                fields.insert(name, winner);
            }
        }
        let kind_text = fields.get("_kind").and_then(Value::as_text)?.to_string();
        let (kind, version) = kind_text.split_once('/')?;
        let version: u32 = version.parse().ok()?;
        let known = kinds.get(&kind_text);
        // A kind belongs into one sort of document, whose writer is its authority: a decision in a school's
        // log decides nothing. It stays in the document, and in no view that counts.
        if known.is_some_and(|k| Some(k.document.as_str()) != key.segment(0)) {
            tracing::warn!(document = %key, kind = %kind_text, "a record of a kind that does not belong here");
            return None;
        }
        let disputed = others
            .keys()
            .any(|f| f == "_kind" || known.and_then(|k| k.field(f)).is_some_and(|field| field.counts));
        // The kind says which field names the person, the record it belongs to and the date.
        let view = |column: fn(&View) -> &Option<String>| {
            let field = column(&known?.view).as_deref()?;
            fields.get(field).and_then(Value::as_text).map(str::to_string)
        };
        let (school, year) = policy::school_and_year(key);
        Some(views::Row {
            doc,
            doc_key: key.to_string(),
            school,
            year,
            id: id.to_string(),
            kind: kind.to_string(),
            version,
            person: view(|v| &v.person),
            about: view(|v| &v.about),
            date: view(|v| &v.date),
            fields: serde_json::to_string(&fields).ok()?,
            others: if others.is_empty() {
                None
            } else {
                serde_json::to_string(&others).ok()
            },
            disputed,
            author: newest.map_or(NodeId([0; 32]), |(_, a)| a.device),
            parts: parts.into_iter().collect(),
        })
    }
}

/// The maps that stand under a record's key. More than one when a record was made twice: a device said again
/// what it had lost, and what was lost came back. Each shows through; Automerge's winner is the last.
fn objects_of(doc: &impl ReadDoc, id: &str) -> Option<Vec<ObjId>> {
    let all = doc.get_all(ROOT, id).ok()?;
    let maps: Vec<ObjId> = all
        .into_iter()
        .filter(|(v, _)| *v == automerge::Value::Object(ObjType::Map))
        .map(|(_, o)| o)
        .collect();
    (!maps.is_empty()).then_some(maps)
}

/// All values of a field, the winner last.
fn values_of<'d>(
    doc: &'d impl ReadDoc,
    objects: &[ObjId],
    name: &str,
) -> Option<Vec<(automerge::Value<'d>, ObjId)>> {
    let mut all = Vec::new();
    for object in objects {
        all.extend(doc.get_all(object, name).ok()?);
    }
    Some(all)
}

/// Actors whose change Automerge could not take, and from which number on they are left out here until
/// the county cuts them.
fn blocked(conn: &Connection, key: &DocKey) -> Result<HashMap<ActorId, u64>, Error> {
    Ok(changes::unreadable(conn, key)?.into_iter().collect())
}

/// Applies the counting changes one by one and puts the authors of those that Automerge cannot take under
/// quarantine, all in one pass: a device may write as many actors. How many there were.
fn find_unreadable(around: &Around<'_>, id: i64, key: &DocKey) -> Result<usize, Error> {
    let all = changes::after(around.conn, id, 0)?;
    let (mut loaded, mut found) = (Loaded::empty(), 0);
    for (at, s) in all.iter().enumerate() {
        if let Some((good, _)) = loaded.apply(around, key, std::slice::from_ref(s))? {
            loaded = good;
            continue;
        }
        let bad = &s.change;
        tracing::error!(document = %key, actor = ?bad.header.actor, "Automerge cannot take a change");
        changes::quarantine(around.conn, key, Fault::Unreadable, bad, None, None, around.now)?;
        found += 1;
        // The document in hand is spoilt: what came before, without that author, once more.
        let Some(good) = Loaded::empty().apply_again(around, key, &all[..at])? else {
            break;
        };
        loaded = good;
    }
    Ok(found)
}

fn read_scalar(value: &ScalarValue) -> Option<Value> {
    match value {
        ScalarValue::Str(s) => Some(Value::Text(s.to_string())),
        ScalarValue::Int(i) => Some(Value::Int(*i)),
        ScalarValue::Uint(u) => i64::try_from(*u).ok().map(Value::Int),
        ScalarValue::Boolean(b) => Some(Value::Bool(*b)),
        // Null is an emptied field: the operation stays, so that its way to the county can be told.
        _ => None,
    }
}

fn write_scalar(value: &Option<Value>) -> ScalarValue {
    match value {
        None => ScalarValue::Null,
        Some(Value::Text(t)) => ScalarValue::Str(t.as_str().into()),
        Some(Value::Int(i)) => ScalarValue::Int(*i),
        Some(Value::Bool(b)) => ScalarValue::Boolean(*b),
    }
}

/// What stood in changes that were set aside, written anew: the changes of `actor` on top of `base`, each to
/// be signed and stored. `lot` are the set-aside changes in their order, with whether their values are to be
/// said again. A value is said that was visible in the document as it was. `None`: the base lacks something that
/// they stand on.
pub(crate) fn say_again(
    around: &Around<'_>,
    key: &DocKey,
    base: &[Stored],
    lot: &[(Change, bool)],
    actor: ActorId,
    edits_per_change: usize,
) -> Result<Option<Vec<Change>>, Error> {
    let unreadable = || Error::Unreadable(key.to_string());
    let (base, _) = Loaded::empty().apply(around, key, base)?.ok_or_else(unreadable)?;
    let mut doc = base.doc.clone();
    let mut was = base;
    let mut known: HashSet<ChangeHash> = was.counted.clone();
    let mut spans: HashSet<(ActorId, u64)> = HashSet::new();
    let mut applied = Vec::new();
    for (change, again) in lot {
        let h = &change.header;
        if !h.deps.iter().all(|d| known.contains(d)) {
            match again {
                true => return Ok(None),
                false => continue,
            }
        }
        known.insert(h.hash);
        was.note_span(h);
        if *again {
            spans.insert((h.actor, h.seq));
        }
        applied.push(change);
    }
    let edits = catch_unwind(AssertUnwindSafe(|| {
        let touched = apply_unjudged(&mut was.doc, &applied)?;
        Some(
            touched
                .into_iter()
                .filter_map(|id| was.own_values(id, &spans))
                .collect::<Vec<_>>(),
        )
    }));
    let Ok(Some(edits)) = edits else {
        return Err(unreadable());
    };
    doc.set_actor(automerge::ActorId::from(&actor.to_bytes()[..]));
    let mut changes = Vec::new();
    for part in edits.chunks(edits_per_change) {
        let written = catch_unwind(AssertUnwindSafe(|| write_edits(&mut doc, part)));
        let Ok(Ok(written)) = written else {
            return Err(unreadable());
        };
        if let Some(chunk) = written {
            changes.push(Change::from_chunk(&chunk).map_err(|_| unreadable())?);
        }
    }
    Ok(Some(changes))
}

impl Cache {
    /// Brings the views of one document up to its changes. Call it inside a write transaction. A change
    /// that Automerge cannot take quarantines its author and nothing else.
    pub fn refresh(&mut self, around: &Around<'_>, id: i64, key: &DocKey, viewed: i64) -> Result<(), Error> {
        if self.try_refresh(around, id, key, viewed)?
            || (find_unreadable(around, id, key)? > 0 && self.try_refresh(around, id, key, -1)?)
        {
            return Ok(());
        }
        Err(Error::Unreadable(key.to_string()))
    }

    /// Brings a document into memory as far as its views are, so that [`Cache::refresh`] has only the new
    /// changes to take. One that Automerge cannot take is left to `refresh`.
    pub fn load(&mut self, around: &Around<'_>, id: i64, key: &DocKey, viewed: i64) -> Result<(), Error> {
        if viewed <= 0 || self.loaded.get(&id).is_some_and(|l| l.upto == viewed) {
            return Ok(());
        }
        self.forget(Some(id));
        let mut before = changes::after(around.conn, id, 0)?;
        before.retain(|s| s.seq <= viewed);
        if let Some(whole) = Loaded::empty().apply_again(around, key, &before)? {
            self.give_back(id, whole, around.room);
        }
        Ok(())
    }

    fn try_refresh(
        &mut self,
        around: &Around<'_>,
        id: i64,
        key: &DocKey,
        viewed: i64,
    ) -> Result<bool, Error> {
        let conn = around.conn;
        self.load(around, id, key, viewed)?;
        let loaded = self.take(id).filter(|l| viewed >= 0 && l.upto == viewed);
        if loaded.is_none() && viewed > 0 {
            return Ok(false);
        }
        let loaded = loaded.unwrap_or_else(Loaded::empty);
        let fresh = loaded.upto == 0;
        let new = changes::after(conn, id, loaded.upto)?;
        let Some((loaded, touched)) = loaded.apply(around, key, &new)? else {
            return Ok(false);
        };
        if fresh {
            views::clear(conn, id)?;
        }
        let row = |record: String| (loaded.row(around.kinds, id, key, &record), record);
        let Ok(rows) = catch_unwind(AssertUnwindSafe(|| {
            touched.into_iter().map(row).collect::<Vec<_>>()
        })) else {
            return Ok(false);
        };
        for (row, record) in rows {
            match row {
                Some(row) => views::put(conn, &row)?,
                None => views::remove(conn, id, &record)?,
            }
        }
        changes::set_viewed(conn, id, changes::last_of(conn, id)?)?;
        self.give_back(id, loaded, around.room);
        Ok(true)
    }

    /// Writes edits as one change of `actor`, with its view rows. Call it inside a write transaction and
    /// forget the document if that fails. Returns the change, which the caller signs and stores through
    /// `keep`, or `None` when nothing would change.
    pub fn edit(
        &mut self,
        around: &Around<'_>,
        key: &DocKey,
        choose_actor: impl FnOnce(&dyn Fn(&ChangeHash) -> bool) -> Result<ActorId, Error>,
        edits: &[Edit],
        keep: impl FnOnce(&Change) -> Result<i64, Error>,
    ) -> Result<bool, Error> {
        let conn = around.conn;
        let known = changes::find(conn, key)?;
        if let Some(id) = known {
            let last = changes::last_of(conn, id)?;
            let viewed = changes::viewed(conn, id)?;
            let ready = self
                .loaded
                .get(&id)
                .is_some_and(|l| l.upto == last && viewed == last);
            if !ready {
                self.refresh(around, id, key, viewed)?;
            }
        }
        let mut loaded = known.and_then(|id| self.take(id)).unwrap_or_else(Loaded::empty);
        let actor = choose_actor(&|hash| loaded.counted.contains(hash))?;
        loaded
            .doc
            .set_actor(automerge::ActorId::from(&actor.to_bytes()[..]));
        let written = catch_unwind(AssertUnwindSafe(|| write_edits(&mut loaded.doc, edits)));
        let Ok(Ok(written)) = written else {
            return Err(Error::Unreadable(key.to_string()));
        };
        let Some(chunk) = written else {
            if let Some(id) = known {
                self.give_back(id, loaded, around.room);
            }
            return Ok(false);
        };
        let change = Change::from_chunk(&chunk).map_err(|_| Error::Unreadable(key.to_string()))?;
        loaded.counted.insert(change.header.hash);
        loaded.note_span(&change.header);
        loaded.upto = keep(&change)?;
        let id = changes::find(conn, key)?.ok_or(store::Error::BadRow("document"))?;
        for edit in edits {
            if let Some(row) = loaded.row(around.kinds, id, key, &edit.id) {
                views::put(conn, &row)?;
            }
        }
        changes::set_viewed(conn, id, loaded.upto)?;
        self.give_back(id, loaded, around.room);
        Ok(true)
    }
}

/// One transaction, without a time (clocks lie) and without a message; its chunk. `None`: every value
/// stood there already.
fn write_edits(doc: &mut Automerge, edits: &[Edit]) -> Result<Option<Vec<u8>>, automerge::AutomergeError> {
    let mut tx = doc.transaction();
    for edit in edits {
        let objects = match objects_of(&tx, &edit.id) {
            Some(objects) => objects,
            None => vec![tx.put_object(ROOT, edit.id.as_str(), ObjType::Map)?],
        };
        for (name, value) in &edit.fields {
            let scalar = write_scalar(value);
            for (i, object) in objects.iter().enumerate() {
                let winner = i + 1 == objects.len();
                let now = tx.get_all(object, name.as_str())?;
                let same = match now.as_slice() {
                    [(v, _)] => v.as_scalar() == Some(&scalar),
                    [] => value.is_none() || !winner,
                    _ => false,
                };
                if !same {
                    tx.put(object, name.as_str(), scalar.clone())?;
                }
            }
        }
    }
    let (hash, _) = tx.commit_with(CommitOptions::default().with_time(0));
    Ok(hash
        .and_then(|_| doc.get_last_local_change())
        .map(|c| c.raw_bytes().to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(id: &str, fields: &[(&str, &str)]) -> Edit {
        Edit {
            id: id.into(),
            fields: fields
                .iter()
                .map(|(n, v)| (n.to_string(), Some(Value::Text(v.to_string()))))
                .collect(),
        }
    }

    fn texts(doc: &Automerge, name: &str) -> Vec<String> {
        let objects = objects_of(doc, "r").unwrap();
        values_of(doc, &objects, name)
            .unwrap()
            .iter()
            .map(|(v, _)| v.as_str().unwrap_or_default().to_string())
            .collect()
    }

    /// A record that was made twice (said again, and then come back) hides nothing, and a person's choice
    /// ends the dispute, whichever of the two Automerge calls the winner.
    #[test]
    fn a_record_made_twice_shows_both_and_takes_edits() {
        for (left, right) in [(1u8, 2u8), (2, 1)] {
            let actor = |n: u8| automerge::ActorId::from(&[n; 36][..]);
            let mut one = Automerge::new().with_actor(actor(left));
            let mut two = Automerge::new().with_actor(actor(right));
            write_edits(
                &mut one,
                &[edit(
                    "r",
                    &[("_kind", "session/1"), ("title", "一"), ("place", "甲")],
                )],
            )
            .unwrap();
            write_edits(&mut two, &[edit("r", &[("_kind", "session/1"), ("title", "二")])]).unwrap();
            one.merge(&mut two).unwrap();
            let mut both = texts(&one, "title");
            both.sort();
            assert_eq!(both, ["一", "二"]);
            assert_eq!(texts(&one, "place"), ["甲"], "a field of the hidden one shows");
            assert_eq!(texts(&one, "_kind"), ["session/1", "session/1"]);
            write_edits(
                &mut one,
                &[edit("r", &[("title", "三"), ("place", "乙"), ("theme", "新")])],
            )
            .unwrap();
            assert_eq!(texts(&one, "title"), ["三", "三"]);
            assert!(texts(&one, "place").iter().all(|p| p == "乙"));
            assert_eq!(texts(&one, "theme"), ["新"]);
            // Nothing changes, nothing is written.
            assert!(
                write_edits(&mut one, &[edit("r", &[("title", "三"), ("theme", "新")])])
                    .unwrap()
                    .is_none()
            );
        }
    }
}
