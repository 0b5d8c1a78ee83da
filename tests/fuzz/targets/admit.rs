//! What a granted device may send to a store, and what Automerge makes of what was stored: damaged columns
//! under good heads and good signatures, forged heads, repeated and unsigned changes.
//!
//! Nothing panics (but Automerge, inside the product's own guard), the store stays consistent, pages can be
//! shown, a clerk can write on, and another store takes all of it and shows the same.
#![no_main]

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use fuzz::guard::watch;
use fuzz::script::Script;
use fuzz::world::{CHANGES, actor, document, id, key, root, statements};
use node::Edit;
use node::fuzzing::Documents;
use records::Kinds;
use store::rusqlite::types::Value;
use store::{Connection, Store, admitting, changes};
use sync::admission::{Offered, Verdict};
use sync::authority::Policy;
use sync::tip::sign_tip;
use sync::{ActorId, Change, DocKey, Header, Roll};

/// Automerge and SQLite's Rust side; a change may have 32,768 operations.
const MEMORY: usize = 192 << 20;

/// Offers of one script.
const STEPS: usize = 16;

struct World {
    _dir: tempfile::TempDir,
    stores: [Store; 2],
    policy: Policy,
    roll: Roll,
    kinds: &'static Kinds,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    // In memory where the system has it: nothing is ever committed.
    let dir = tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .expect("a directory");
    let open = |name: &str| Store::open(&dir.path().join(name)).expect("a store");
    let mut roll = Roll::new(root());
    roll.add_all(statements());
    World {
        stores: [open("a.db"), open("b.db")],
        policy: node::document_policy(),
        roll,
        kinds: Kinds::builtin(),
        _dir: dir,
    }
});

/// Ends a transaction without keeping it.
#[derive(Debug)]
struct Undo;

impl std::fmt::Display for Undo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("taken back")
    }
}

impl std::error::Error for Undo {}

impl From<store::Error> for Undo {
    fn from(error: store::Error) -> Undo {
        panic!("the store: {error}")
    }
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| watch(MEMORY, || {
    let world = &*WORLD;
    let [first, second] = &world.stores;
    let mut rows = Vec::new();
    let mut stored = Vec::new();
    let _ = first.write(|tx| -> Result<(), Undo> {
        run(tx, world, Script(data));
        stored = all(tx);
        rows = records(tx);
        Err(Undo)
    });
    let _ = second.write(|tx| -> Result<(), Undo> {
        for (n, offer) in stored.iter().enumerate() {
            let got = take(tx, world, std::slice::from_ref(offer));
            assert_eq!(
                got.verdicts,
                [],
                "change {n} that one store holds is refused by another"
            );
        }
        Documents::new(tx, &world.policy, &world.roll, world.kinds)
            .show()
            .expect("the same in another store");
        assert_eq!(records(tx), rows, "two stores show different records");
        Err(Undo)
    });
}));

fn take(c: &Connection, world: &World, offered: &[Offered]) -> admitting::Outcome {
    let got = admitting::take(c, &world.policy, &world.roll, offered, Some(&id(2)), 0).expect("the store");
    for r in &got.receipts {
        let doc = changes::find(c, &r.document)
            .expect("the store")
            .expect("a receipt without a document");
        let last = changes::vector(c, doc).expect("the store");
        assert!(
            last.iter().any(|(a, seq, _)| *a == r.actor && *seq >= r.seq),
            "a receipt without its change"
        );
    }
    got
}

fn run(c: &Connection, world: &World, mut s: Script<'_>) {
    let mut documents = Documents::new(c, &world.policy, &world.roll, world.kinds);
    let mut known: Vec<(DocKey, Header)> = Vec::new();
    for _ in 0..STEPS {
        if s.is_empty() {
            break;
        }
        let offered = match s.below(8) {
            0 | 1 => some(&mut s),
            2 => vec![damaged(&mut s)],
            3 => {
                documents.show().expect("pages can be shown");
                continue;
            }
            _ => vec![forged(&mut s, &known)],
        };
        let got = take(c, world, &offered);
        for o in &offered {
            if let Ok(change) = Change::from_body(o.body.clone()) {
                let refused = |(d, h, v): &(DocKey, [u8; 32], Verdict)| {
                    *d == o.document
                        && *h == change.header.hash
                        && !matches!(v, Verdict::Stored | Verdict::Known)
                };
                if !got.verdicts.iter().any(refused) {
                    known.push((o.document.clone(), change.header));
                }
            }
        }
    }
    consistent(c);
    documents.show().expect("pages can be shown");
    // A clerk writes on, in the document as it stands in memory and as it is loaded anew.
    let mut anew = Documents::new(c, &world.policy, &world.roll, world.kinds);
    for (n, writer) in [&mut documents, &mut anew].into_iter().enumerate() {
        for (d, device) in [(0, 3), (4, 1)] {
            let edit = Edit {
                id: format!("0190-clerk-{n}"),
                fields: vec![("title".into(), Some(node::Value::Text("课题".into())))],
            };
            let written = writer.write(key(device), [200 + n as u8; 4], &document(d), &[edit]);
            assert!(
                written.expect("a clerk can write on"),
                "a new record changes nothing"
            );
        }
    }
    consistent(c);
}

/// A run of honest changes, sometimes with tips missing or of another document.
fn some(s: &mut Script<'_>) -> Vec<Offered> {
    let (from, count) = (s.below(CHANGES.len()), 1 + s.below(8));
    let mut offered: Vec<Offered> = CHANGES.iter().skip(from).take(count).cloned().collect();
    match s.below(6) {
        0 => offered.iter_mut().for_each(|o| o.tip = None),
        1 => offered.iter_mut().for_each(|o| o.document = document(s.below(5))),
        2 => offered.reverse(),
        _ => {}
    }
    offered
}

fn signed(document: DocKey, body: Vec<u8>) -> Offered {
    let author = |h: &Header| (0..10).find(|d| id(*d) == h.actor.device);
    let tip = Change::from_body(body.clone())
        .ok()
        .and_then(|c| Some(sign_tip(key(author(&c.header)?), &root(), &document, &c.header)));
    Offered { document, body, tip }
}

fn patch(bytes: &mut Vec<u8>, s: &mut Script<'_>) {
    for _ in 0..s.below(5) {
        let at = (usize::from(s.byte()) | usize::from(s.byte() % 4) << 8) % bytes.len().max(1);
        match s.below(4) {
            0 => bytes.insert(at, s.byte()),
            1 if !bytes.is_empty() => drop(bytes.remove(at)),
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = s.byte();
                }
            }
        }
    }
}

/// An honest body with other bytes, signed again by whoever it names.
fn damaged(s: &mut Script<'_>) -> Offered {
    let from = &CHANGES[s.below(CHANGES.len())];
    let mut body = from.body.clone();
    patch(&mut body, s);
    signed(from.document.clone(), body)
}

/// A head that admission will mostly take, before columns of any kind.
fn forged(s: &mut Script<'_>, known: &[(DocKey, Header)]) -> Offered {
    let device = [2, 3, 1][s.below(3)];
    let doc = document([0, 0, 1, 4][s.below(4)]);
    let mut who = actor(device);
    who.incarnation[0] = s.byte() % 3;
    let mine: Vec<&Header> = known.iter().filter(|(d, _)| *d == doc).map(|(_, h)| h).collect();
    let last = mine.iter().rev().find(|h| h.actor == who);
    let mut deps: Vec<&Header> = last.into_iter().copied().collect();
    for _ in 0..s.below(3) {
        if !mine.is_empty() {
            deps.push(mine[s.below(mine.len())]);
        }
    }
    deps.sort_by_key(|h| h.hash);
    deps.dedup_by_key(|h| h.hash);
    let seq = match s.byte() {
        255 => s.number(),
        _ => last.map_or(1, |h| h.seq + 1),
    };
    let start_op = match s.byte() {
        255 => s.number(),
        _ => 1 + deps.iter().map(|h| h.max_op()).max().unwrap_or(0),
    };
    let mut body = Vec::new();
    uleb(&mut body, deps.len() as u64);
    deps.iter().for_each(|h| body.extend(h.hash));
    body.push(ActorId::LEN as u8);
    body.extend(who.to_bytes());
    uleb(&mut body, seq);
    uleb(&mut body, start_op);
    let mut tail = match s.byte() % 4 {
        0 => s.bytes().to_vec(),
        _ => {
            let from = &CHANGES[s.below(CHANGES.len())];
            tail_of(&from.body).to_vec()
        }
    };
    patch(&mut tail, s);
    body.extend(tail);
    signed(doc, body)
}

fn uleb(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

/// What stands behind the head of an honest body, whose numbers are of one byte each.
fn tail_of(body: &[u8]) -> &[u8] {
    let at = 1 + 32 * usize::from(body[0]) + 1 + ActorId::LEN;
    let after = |at: usize| at + body[at..].iter().take_while(|b| **b & 0x80 != 0).count() + 1;
    &body[after(after(at))..]
}

/// All stored changes, in their order.
fn all(c: &Connection) -> Vec<Offered> {
    let mut list = Vec::new();
    for d in changes::documents(c).expect("the store") {
        for s in changes::after(c, d.id, 0).expect("the store") {
            list.push((s.seq, signed(d.key.clone(), s.change.body)));
        }
    }
    list.sort_by_key(|(seq, _)| *seq);
    list.into_iter().map(|(_, o)| o).collect()
}

/// Numbers follow one another, dependencies come first, heads are what nothing depends on.
fn consistent(c: &Connection) {
    for d in changes::documents(c).expect("the store") {
        let mut seen: HashMap<_, u64> = HashMap::new();
        let mut last: HashMap<ActorId, u64> = HashMap::new();
        let mut heads = HashSet::new();
        for s in changes::after(c, d.id, 0).expect("the store") {
            let h = &s.change.header;
            let next = last.entry(h.actor).or_default();
            *next += 1;
            assert_eq!(h.seq, *next, "a gap in an actor's numbers");
            let top = h
                .deps
                .iter()
                .map(|dep| seen.get(dep).copied().expect("a dependency comes first"));
            assert_eq!(
                h.start_op,
                1 + top.max().unwrap_or(0),
                "operation numbers follow from dependencies"
            );
            heads.retain(|x| !h.deps.contains(x));
            heads.insert(h.hash);
            seen.insert(h.hash, h.max_op());
        }
        let mut heads: Vec<_> = heads.into_iter().collect();
        heads.sort();
        assert_eq!(changes::heads(c, d.id).expect("the store"), heads, "heads");
    }
}

/// What pages show.
fn records(c: &Connection) -> Vec<String> {
    // All columns but the row id of the document, which is each store's own.
    let sql =
        "SELECT doc_key, id, school, year, kind, version, person, about, date, fields, others, disputed,
        author, parts FROM record ORDER BY doc_key, id";
    let mut statement = c.prepare(sql).expect("the store");
    let columns = statement.column_count();
    let rows = statement.query_map([], |row| {
        let value = |i: usize| row.get::<_, Value>(i).map(|v| format!("{v:?}"));
        (0..columns).map(value).collect::<Result<Vec<_>, _>>()
    });
    rows.expect("the store")
        .map(|r| r.expect("the store").join(" "))
        .collect()
}
