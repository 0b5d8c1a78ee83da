//! A small county: who is who, what the roll says, what was written.

use std::sync::LazyLock;

use automerge::transaction::Transactable;
use automerge::{AutoCommit, ObjType, ROOT};
use sync::admission::Offered;
use sync::authority::{Access, Policy, PolicyRow};
use sync::roll::{Body, Statement};
use sync::tip::sign_tip;
use sync::{ActorId, Change, DeviceKey, DocKey, NodeId};

/// The role numbers of `node::Role`.
pub const COUNTY: u8 = 1;
/// A school's device.
pub const SCHOOL: u8 = 3;

/// Devices 0 (the county root) to 9.
pub const DEVICES: usize = 10;

static KEYS: LazyLock<Vec<DeviceKey>> = LazyLock::new(|| {
    (0..DEVICES as u8)
        .map(|n| DeviceKey::from_seed([n; 32]))
        .collect()
});
static IDS: LazyLock<Vec<NodeId>> = LazyLock::new(|| KEYS.iter().map(DeviceKey::id).collect());

/// The key of device `n`.
pub fn key(n: usize) -> &'static DeviceKey {
    &KEYS[n % DEVICES]
}

/// The name of device `n`.
pub fn id(n: usize) -> NodeId {
    IDS[n % DEVICES]
}

/// The county root.
pub fn root() -> NodeId {
    id(0)
}

/// An actor of a device.
pub fn actor(n: usize) -> ActorId {
    ActorId {
        device: id(n),
        incarnation: [n as u8; 4],
    }
}

/// Documents of schools a and b.
pub const DOCUMENTS: [&str; 5] = [
    "log/a/2025",
    "base/a/2025",
    "ledger/a/2025",
    "log/b/2025",
    "registry",
];

/// Document `n`.
pub fn document(n: usize) -> DocKey {
    DocKey::parse(DOCUMENTS[n % DOCUMENTS.len()]).unwrap_or_else(|| unreachable!())
}

/// Schools write logs and base documents, the county the rest.
pub fn policy() -> Policy {
    let school = Access {
        role: SCHOOL,
        scope: &[1],
    };
    let county = Access {
        role: COUNTY,
        scope: &[],
    };
    let row = |kind, segments, write: &Access, read: &Access| PolicyRow {
        kind,
        segments,
        write: vec![write.clone()],
        read: vec![read.clone()],
        priority: 0,
    };
    let anyone = Access {
        role: SCHOOL,
        scope: &[],
    };
    Policy(vec![
        row("log", 3, &school, &county),
        row("base", 3, &school, &county),
        row("ledger", 3, &county, &school),
        row("registry", 1, &county, &anyone),
    ])
}

/// Device 1 is the hub and an officer, 2 and 3 are of school a, 4 is of school b.
pub fn statements() -> Vec<Statement> {
    static SIGNED: LazyLock<Vec<Statement>> = LazyLock::new(sign_statements);
    SIGNED.clone()
}

fn sign_statements() -> Vec<Statement> {
    let grant = |device: usize, role, scope: &str| Body::Grant {
        device: id(device),
        role,
        scope: scope.into(),
        label: "办公室电脑".into(),
    };
    let officer = Body::Officer {
        key: id(1),
        limit: None,
    };
    let bodies = [
        officer,
        grant(1, COUNTY, ""),
        grant(2, SCHOOL, "a"),
        grant(3, SCHOOL, "a"),
        grant(4, SCHOOL, "b"),
    ];
    (1..)
        .zip(bodies)
        .map(|(number, body)| Statement::sign(root(), key(0), number, body))
        .collect()
}

/// Changes of devices 1 to 4, dependencies first, each with its author's tip.
pub static CHANGES: LazyLock<Vec<Offered>> = LazyLock::new(|| {
    let mut all = history(0, &[2, 3]);
    all.extend(history(1, &[2]));
    all.extend(history(2, &[1]));
    all.extend(history(3, &[4]));
    all
});

/// Records that some devices write in one document, merging now and then.
fn history(n: usize, writers: &[usize]) -> Vec<Offered> {
    let document = document(n);
    let mut docs: Vec<AutoCommit> = writers
        .iter()
        .map(|w| AutoCommit::new().with_actor(automerge::ActorId::from(&actor(*w).to_bytes()[..])))
        .collect();
    for i in 0..4 * writers.len() {
        let at = i % writers.len();
        if i % 3 == 2 {
            let mut other = docs[(at + 1) % writers.len()].clone();
            let _ = docs[at].merge(&mut other);
        }
        let doc = &mut docs[at];
        let record = doc.put_object(ROOT, format!("0190{n}-{}", i / 2), ObjType::Map);
        for (field, value) in [
            ("_kind", "session/1"),
            ("title", "错题怎样变成资源"),
            ("note", ""),
        ] {
            if let Ok(record) = &record {
                let _ = doc.put(record, field, format!("{value}{i}"));
            }
        }
        doc.commit();
    }
    let mut whole = docs.remove(0);
    for mut other in docs {
        let _ = whole.merge(&mut other);
    }
    let offer = |c: &automerge::Change| {
        let change = Change::from_chunk(c.raw_bytes()).ok()?;
        let writer = (0..DEVICES).find(|d| id(*d) == change.header.actor.device)?;
        Some(Offered {
            tip: Some(sign_tip(key(writer), &root(), &document, &change.header)),
            document: document.clone(),
            body: change.body,
        })
    };
    whole.get_changes(&[]).iter().filter_map(offer).collect()
}
