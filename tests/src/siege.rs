//! A hub under attack while an honest school goes on with its work.
// A failure here is a failed test.
#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use automerge::transaction::Transactable;
use automerge::{AutoCommit, ROOT};
use node::Patience;
use sync::admission::Offered;
use sync::{ActorId, Change};
use tokio::sync::{Mutex, MutexGuard};

use crate::villain::Villain;
use crate::{Place, add_school, add_session, titles, until};

/// Resident memory is the process's: one siege at a time.
static ONE: Mutex<()> = Mutex::const_new(());

/// What an attack may cost in resident memory, MiB: that of the honest school and of the villains, who are in this
/// process too (a hundred of them in one test), and what the allocator keeps after other tests. Up to 102 seen.
const BOUND_MB: usize = 160;

/// A hub with an honest school connected, and a second school whose device has been taken over.
pub struct Siege {
    /// The hub.
    pub hub: Place,
    /// The honest school's PC.
    pub honest: Place,
    /// The villain.
    pub villain: Villain,
    /// The villain's school.
    pub school: String,
    /// The honest one.
    pub other: String,
    written: AtomicUsize,
    rss: usize,
    _one: MutexGuard<'static, ()>,
}

impl Siege {
    /// Begins; whoever broke the protocol may come back at once.
    pub async fn begin() -> Siege {
        Siege::with(Patience {
            penalty: Duration::ZERO,
            ..Patience::default()
        })
        .await
    }

    /// Begins with other patience.
    pub async fn with(patience: Patience) -> Siege {
        let one = ONE.lock().await;
        let mut hub = Place::county();
        hub.patience = patience;
        let (other, school) = (add_school(&hub, "青石小学"), add_school(&hub, "白沙小学"));
        let mut honest = Place::school(&hub, &other, "青石 电脑");
        let bad = Place::school(&hub, &school, "白沙 电脑");
        hub.up().await;
        honest.up().await;
        honest.knows(&hub);
        let mut siege = Siege {
            villain: Villain::of(&bad),
            hub,
            honest,
            school,
            other,
            written: AtomicUsize::new(0),
            rss: 0,
            _one: one,
        };
        siege.honest_goes_on().await;
        siege.rss = resident_kb();
        siege
    }

    /// The honest school writes, and has the county's receipt.
    pub async fn honest_goes_on(&self) {
        let written = self.written.fetch_add(1, Ordering::Relaxed) + 1;
        add_session(&self.honest, &format!("照常 {written:03}"), "2025-10-01");
        until("the honest school's work is at the county", 20, || {
            self.honest.node.not_at_county().unwrap() == 0 && titles(&self.hub).len() == written
        })
        .await;
    }

    /// The honest school writes once more, where the hub then shows `all` sessions.
    pub async fn honest_goes_on_from(&self, all: usize) {
        self.written.store(all - 1, Ordering::Relaxed);
        self.honest_goes_on().await;
    }

    /// Goes offline without looking at memory.
    pub async fn stop(mut self) {
        self.hub.down().await;
        self.honest.down().await;
    }

    /// The villain's own log.
    pub fn log(&self) -> String {
        format!("log/{}/2025", self.school)
    }

    /// A change of the villain in its own log, signed by itself.
    pub fn own(&self, change: &Change) -> Offered {
        self.villain.offer(&self.log(), change, Some(&self.villain.key))
    }

    /// The hub's verdicts, in words.
    pub async fn push(&self, changes: Vec<Offered>) -> Vec<String> {
        self.villain.push(&self.hub, changes).await.unwrap()
    }

    /// The operator's list has this line about the villain.
    pub async fn operator_sees(&self, code: &str, words: &str) {
        let seen = || {
            let all = self.hub.node.events(1_000).unwrap();
            all.iter()
                .any(|e| e.code == code && e.peer == Some(self.villain.key.id()) && e.text_en.contains(words))
        };
        until(&format!("the operator sees {code} {words}"), 20, seen).await;
        let all = self.hub.node.events(1_000).unwrap();
        let line = all.iter().find(|e| e.code == code).unwrap();
        assert_ne!(line.text_zh, code, "it has words");
    }

    /// A number out of the hub's tables.
    pub fn count(&self, sql: &str) -> i64 {
        self.hub
            .node
            .read(|c| Ok(c.query_row(sql, [], |r| r.get(0))?))
            .unwrap()
    }

    /// The honest school still works, the database is whole, and memory grew by less than [`BOUND_MB`].
    pub async fn end(mut self) {
        self.honest_goes_on().await;
        let grown = resident_kb().saturating_sub(self.rss) / 1024;
        println!("{grown:>6} MB  resident memory grew, bound {BOUND_MB}");
        assert!(grown < BOUND_MB, "{grown} MB");
        self.hub.down().await;
        self.honest.down().await;
        let store = store::Store::open(&self.hub.dir.path().join("data/yanxiu.db")).unwrap();
        assert_eq!(store.check().unwrap(), Vec::<String>::new());
    }
}

/// Resident memory of this process.
pub fn resident_kb() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Changes of one actor, one after the other, each a record of its own.
pub fn chain(actor: ActorId, count: usize) -> Vec<Change> {
    let mut doc = AutoCommit::new().with_actor(automerge::ActorId::from(&actor.to_bytes()[..]));
    for i in 0..count {
        let id = format!("0199aaaa-0000-7000-8000-{i:012}");
        let object = doc
            .put_object(ROOT, id.as_str(), automerge::ObjType::Map)
            .unwrap();
        doc.put(&object, "_kind", "note/1").unwrap();
        doc.commit();
    }
    let all = doc.get_changes(&[]);
    all.iter()
        .map(|c| Change::from_chunk(c.raw_bytes()).unwrap())
        .collect()
}

/// A body by hand: the operations of `like` under another head.
pub fn body(like: &Change, deps: &[[u8; 32]], actor: ActorId, seq: u64, start_op: u64) -> Vec<u8> {
    let uleb = |out: &mut Vec<u8>, mut n: u64| {
        while n >= 0x80 {
            out.push(n as u8 | 0x80);
            n >>= 7;
        }
        out.push(n as u8);
    };
    let mut out = Vec::new();
    uleb(&mut out, deps.len() as u64);
    out.extend(deps.concat());
    uleb(&mut out, 36);
    out.extend(actor.to_bytes());
    uleb(&mut out, seq);
    uleb(&mut out, start_op);
    // What stands behind these numbers in `like`.
    let mut head = Vec::new();
    uleb(&mut head, like.header.seq);
    uleb(&mut head, like.header.start_op);
    let at = 1 + 32 * like.header.deps.len() + 1 + 36 + head.len();
    out.extend(&like.body[at..]);
    out
}

/// A change by hand: the operations of `like` under another head.
pub fn forged(like: &Change, deps: &[[u8; 32]], actor: ActorId, seq: u64, start_op: u64) -> Change {
    Change::from_body(body(like, deps, actor, seq, start_op)).unwrap()
}
