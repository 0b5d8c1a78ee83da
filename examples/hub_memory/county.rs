//! Makes a county with years behind it: real, admissible changes in the hub's database, without years of work.
//!
//! For each sort of document and each year one template is written with Automerge, one record a change. For every
//! school it is *re-signed*: the bodies get the school's actor, the hash of the change before, and record ids of
//! their own; hashes and tips are computed anew (`sync/src/change.rs` draws the body). Rows are inserted in bulk,
//! a few dozen changes of each document at a time, as weeks of sync would have left them.

use std::path::Path;

use automerge::transaction::{CommitOptions, Transactable};
use automerge::{Automerge, ObjType, ROOT};
use node::office::{self, By, OrganisationInput};
use node::{Node, Role, enrol};
use store::rusqlite::{Connection, params};
use sync::tip::sign_tip;
use sync::{ActorId, Change, DeviceKey, DocKey, NodeId};

use crate::{Result, Shape};

/// Where the hub listens.
pub const HUB: &str = "127.0.0.1:44330";

/// Sorts of documents: key, kind of its records, how many a year.
const SORTS: [(&str, &str, usize); 3] = [
    ("log", "session/1", 240),
    ("base", "person/1", 40),
    ("ledger", "decision/1", 40),
];

/// Changes of a document that come together.
const LOT: usize = 40;

/// What was made.
#[derive(Clone, Copy, Debug, Default)]
pub struct Made {
    pub documents: usize,
    pub changes: usize,
    pub bytes: u64,
    pub seconds: f64,
}

/// One change of a template.
struct Pattern {
    body: Vec<u8>,
    /// Where the record id stands in it.
    id_at: usize,
    id: String,
    fields: String,
    date: String,
}

/// One document under way.
#[derive(Clone, Default)]
struct Chain {
    row: i64,
    last: Option<[u8; 32]>,
    local: i64,
    changes: i64,
    bytes: i64,
}

/// Founds the county under `dir`: `dir/hub` and `dir/school-<n>` for those that sync.
pub fn make(dir: &Path, shape: Shape) -> Result<Made> {
    let begun = std::time::Instant::now();
    let hub = Node::init_county(&dir.join("hub"), "云岭县")?;
    let by = By {
        account: "测量".into(),
    };
    let input = |i: usize| OrganisationInput {
        name: format!("第{i}小学"),
        org_kind: "primary_school".into(),
        rural: "township".into(),
        ..OrganisationInput::default()
    };
    office::save_organisations(&hub, &by, (0..shape.schools).map(|i| (None, input(i))).collect())?;
    let ids: Vec<String> = office::organisations(&hub)?.into_iter().map(|o| o.id).collect();
    enrol::publish_address(&hub, HUB)?;
    let mut keys = Vec::new();
    for (i, id) in ids.iter().enumerate() {
        let label = format!("第{i}小学 电脑");
        let grant = [(Role::School, id.clone())];
        if i < shape.syncing {
            let at = dir.join(format!("school-{i}"));
            let school = Node::init_member(&at, &label)?;
            let answer = enrol::approve(&hub, &school.id(), &label, &grant)?;
            enrol::accept(&school, &answer.text)?;
            enrol::confirm(&school)?;
            keys.push(key_of(&at)?);
        } else {
            let mut seed = [7; 32];
            seed[..8].copy_from_slice(&(i as u64).to_be_bytes());
            let key = DeviceKey::from_seed(seed);
            enrol::approve(&hub, &key.id(), &label, &grant)?;
            keys.push(key);
        }
    }
    let county = hub.county_root().ok_or("no county")?;
    drop(hub);
    let hub_key = key_of(&dir.join("hub"))?;
    let mut target = Filler::open(&dir.join("hub"))?;
    let mut schools = Vec::new();
    for i in 0..shape.syncing {
        let school = Filler::open(&dir.join(format!("school-{i}")))?;
        // They know the whole roll, as they would after years.
        school
            .0
            .execute("ATTACH ? AS hub", [dir.join("hub/yanxiu.db").to_string_lossy()])?;
        school.0.execute_batch(
            "INSERT OR IGNORE INTO statement (hash, bytes, at) SELECT hash, bytes, at FROM hub.statement;
             DETACH hub; BEGIN",
        )?;
        schools.push(school);
    }
    target.0.execute_batch("BEGIN")?;
    let mut made = Made::default();
    for year in 0..shape.years {
        for (sort, kind, count) in SORTS {
            let template = template(kind, 2026 - shape.years + year, count)?;
            let mut chains: Vec<(DocKey, Chain, Chain)> = Vec::new();
            for (i, id) in ids.iter().enumerate() {
                let key =
                    DocKey::parse(&format!("{sort}/{id}/{}", 2026 - shape.years + year)).ok_or("key")?;
                let here = target.document(&key)?;
                let there = match schools.get_mut(i) {
                    Some(s) if wanted(sort, year) => s.document(&key)?,
                    _ => Chain::default(),
                };
                chains.push((key, here, there));
            }
            for lot in template.chunks(LOT) {
                for (i, (key, here, there)) in chains.iter_mut().enumerate() {
                    let (device, from) = match sort {
                        "ledger" => (&hub_key, None),
                        _ => (&keys[i], Some(keys[i].id())),
                    };
                    for (n, pattern) in lot.iter().enumerate() {
                        let change = resign(pattern, device, here.last, i)?;
                        let tip = (n + 1 == lot.len() || i < shape.syncing)
                            .then(|| sign_tip(device, &county, key, &change.header));
                        target.add(here, key, &change, tip, from.as_ref(), kind, pattern, i)?;
                        if there.row > 0 {
                            schools[i].add(there, key, &change, tip, None, kind, pattern, i)?;
                        }
                        made.changes += 1;
                    }
                }
            }
            for (i, (_, here, there)) in chains.iter().enumerate() {
                target.finish(here)?;
                if there.row > 0 {
                    schools[i].finish(there)?;
                }
                made.documents += 1;
            }
        }
        target.0.execute_batch("COMMIT; BEGIN")?;
    }
    target.0.execute_batch("COMMIT")?;
    for school in &schools {
        school.0.execute_batch("COMMIT")?;
    }
    drop(target);
    made.bytes = std::fs::metadata(dir.join("hub/yanxiu.db"))?.len();
    made.seconds = begun.elapsed().as_secs_f64();
    Ok(made)
}

/// What a school has already: its own documents, and the decisions of the first year.
fn wanted(sort: &str, year: usize) -> bool {
    sort != "ledger" || year == 0
}

fn key_of(dir: &Path) -> Result<DeviceKey> {
    let text = std::fs::read_to_string(dir.join("device.key"))?;
    let byte = |i: usize| u8::from_str_radix(&text[2 * i..2 * i + 2], 16);
    let seed: Vec<u8> = (0..32).map(byte).collect::<std::result::Result<_, _>>()?;
    Ok(DeviceKey::from_seed(seed.try_into().map_err(|_| "key")?))
}

/// A year of records of one kind, one a change, by a made-up actor.
fn template(kind: &str, year: usize, count: usize) -> Result<Vec<Pattern>> {
    let phrases = [
        "学生的错误是课堂里最好的资源",
        "先学后教，当堂训练，分层作业",
        "评课围绕目标、内容、方法和效果",
        "集体备课时先个人说课再议课",
    ];
    let mut doc = Automerge::new();
    doc.set_actor(automerge::ActorId::from(&[0xa5; ActorId::LEN][..]));
    let mut out = Vec::new();
    for i in 0..count {
        let id = format!(
            "00000000-{year:04}-7{:03x}-8000-{:012x}",
            i,
            kind.len() * 100_000 + i
        );
        let note: String = (0..4)
            .map(|k| phrases[(i * 7 + k * 3) % 4])
            .collect::<Vec<_>>()
            .join("；");
        let date = format!("{year}-{:02}-{:02}", 9 + i % 4, 1 + i % 28);
        let fields: Vec<(&str, String)> = match kind {
            "session/1" => vec![
                ("_kind", kind.into()),
                ("_by", "李专管员".into()),
                ("title", format!("第{i}次听评课")),
                ("theme", note),
                ("date", date.clone()),
                ("place", format!("{}年级{}班", 1 + i % 6, 1 + i % 3)),
                ("form", "school_based".into()),
                ("category", "practice".into()),
                ("channel", "school".into()),
                ("lecturers", format!("教师{}", i % 40)),
                ("state", "ended".into()),
            ],
            "person/1" => vec![
                ("_kind", kind.into()),
                ("_by", "李专管员".into()),
                (
                    "name",
                    format!("欧阳{}", phrases[i % 4].chars().nth(i % 9).unwrap_or('明')),
                ),
                ("sex", "2".into()),
                ("status", "serving".into()),
            ],
            _ => vec![
                ("_kind", kind.into()),
                ("_by", "王审核员".into()),
                ("claim", format!("11111111-{year:04}-7{i:03x}-8000-000000000000")),
                ("verdict", "approved".into()),
                ("decided_on", date.clone()),
                ("note", note),
            ],
        };
        let mut tx = doc.transaction();
        let object = tx.put_object(ROOT, id.as_str(), ObjType::Map)?;
        for (name, value) in &fields {
            tx.put(&object, *name, value.as_str())?;
        }
        tx.commit_with(CommitOptions::default().with_time(0));
        let chunk = doc
            .get_last_local_change()
            .ok_or("no change")?
            .raw_bytes()
            .to_vec();
        let body = Change::from_chunk(&chunk)?.body;
        let id_at = body
            .windows(id.len())
            .position(|w| w == id.as_bytes())
            .ok_or("no id in the body")?;
        let json: serde_json::Map<String, serde_json::Value> = fields
            .into_iter()
            .map(|(k, v)| (k.to_string(), v.into()))
            .collect();
        out.push(Pattern {
            body,
            id_at,
            id,
            fields: serde_json::to_string(&json)?,
            date,
        });
    }
    Ok(out)
}

/// The first eight digits of a record id name the school.
fn own_id(id: &str, school: usize) -> String {
    format!("{school:08x}{}", &id[8..])
}

/// The template's change as `device` would have written it after `last`.
fn resign(pattern: &Pattern, device: &DeviceKey, last: Option<[u8; 32]>, school: usize) -> Result<Change> {
    let mut body = pattern.body.clone();
    let deps = usize::from(body[0]);
    assert_eq!(deps, usize::from(last.is_some()), "a template is one chain");
    if let Some(last) = last {
        body[1..33].copy_from_slice(&last);
    }
    let actor = ActorId {
        device: device.id(),
        incarnation: [1; 4],
    };
    let at = 1 + 32 * deps + 1;
    body[at..at + ActorId::LEN].copy_from_slice(&actor.to_bytes());
    body[pattern.id_at..pattern.id_at + 8].copy_from_slice(&own_id(&pattern.id, school).as_bytes()[..8]);
    Ok(Change::from_body(body)?)
}

/// A database that is filled without the care that real writes need.
struct Filler(Connection);

impl Filler {
    fn open(dir: &Path) -> Result<Filler> {
        let c = Connection::open(dir.join("yanxiu.db"))?;
        c.execute_batch("PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF; PRAGMA cache_size = -8000")?;
        if dir.ends_with("hub") {
            c.execute_batch("PRAGMA cache_size = -1500000")?;
        }
        c.set_prepared_statement_cache_capacity(16);
        Ok(Filler(c))
    }

    fn document(&mut self, key: &DocKey) -> Result<Chain> {
        self.0
            .prepare_cached("INSERT INTO document (key) VALUES (?)")?
            .execute([key.as_str()])?;
        Ok(Chain {
            row: self.0.last_insert_rowid(),
            ..Chain::default()
        })
    }

    #[allow(clippy::too_many_arguments)]
    fn add(
        &self,
        chain: &mut Chain,
        key: &DocKey,
        change: &Change,
        tip: Option<[u8; 64]>,
        from: Option<&NodeId>,
        kind: &str,
        pattern: &Pattern,
        school: usize,
    ) -> Result<()> {
        let (h, actor) = (&change.header, change.header.actor.to_bytes());
        self.0
            .prepare_cached(
                "INSERT INTO change (doc, hash, actor, actor_seq, start_op, ops, deps, body, tip, from_peer, at)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1760000000)",
            )?
            .execute(params![
                chain.row,
                h.hash,
                actor,
                h.seq as i64,
                h.start_op as i64,
                h.ops as i64,
                h.deps.concat(),
                change.body,
                tip.map(|t| t.to_vec()),
                from.map(|n| n.0),
            ])?;
        (chain.last, chain.local) = (Some(h.hash), self.0.last_insert_rowid());
        (chain.changes, chain.bytes) = (chain.changes + 1, chain.bytes + change.body.len() as i64);
        let (kind, _) = kind.split_once('/').unwrap_or((kind, ""));
        let year: i32 = key.segment(2).unwrap_or("0").parse()?;
        self.0
            .prepare_cached(
                "INSERT INTO record (doc, doc_key, school, year, id, kind, version, date, fields, disputed,
                    author, parts) VALUES (?, ?, ?, ?, ?, ?, 1, ?, ?, 0, ?, ?)",
            )?
            .execute(params![
                chain.row,
                key.as_str(),
                key.segment(1),
                year,
                own_id(&pattern.id, school),
                kind,
                pattern.date,
                pattern.fields,
                h.actor.device.0,
                [&actor[..], &h.seq.to_be_bytes()].concat(),
            ])?;
        Ok(())
    }

    fn finish(&self, chain: &Chain) -> Result<()> {
        self.0
            .prepare_cached(
                "UPDATE document SET heads = ?1, viewed = ?2, last = ?2, changes = ?3, bytes = ?4 WHERE id = ?5",
            )?
            .execute(params![chain.last, chain.local, chain.changes, chain.bytes, chain.row])?;
        Ok(())
    }
}
