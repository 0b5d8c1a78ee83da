//! Who may write and read which document: the roles of devices against every sort of document (domain.md §2.3, design.md
//! §3), by hand-made peers that ask a real hub for more than they may, and by honest ones that take what they are given.
//! What people may do on pages stands in `web/tests/matrix.rs`.

// Helpers outside #[test] functions unwrap as well: a failure is a failed test.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use node::{Role, document_policy, enrol};
use yanxiu_tests::siege::chain;
use yanxiu_tests::villain::Villain;
use yanxiu_tests::*;

/// The columns of [`TABLE`]: devices by what the county has granted them. `A` and `B` stand for two schools.
const DEVICES: [(&str, &[(Role, &str)]); 7] = [
    ("县级管理", &[(Role::County, "")]),
    ("县级审核", &[(Role::Auditor, "")]),
    ("甲校", &[(Role::School, "A")]),
    ("乙校", &[(Role::School, "B")]),
    (
        "送培专家 m-07",
        &[(Role::Mentor, "m-07/A"), (Role::MentorReader, "A")],
    ),
    ("查阅 甲校", &[(Role::MentorReader, "A")]),
    ("坊主 g", &[(Role::Host, "g")]),
];

/// Each document with what each device may: `W` write and read, `r` read, `-` neither.
const TABLE: [(&str, &str); 13] = [
    ("registry", "Wrrrrrr"),
    ("plan/2025", "Wrrrrrr"),
    ("ledger/A/2025", "rWr----"),
    ("ledger/B/2025", "rW-r---"),
    ("base/A/2025", "rrW-rr-"),
    ("base/B/2025", "rr-W---"),
    ("log/A/2025", "rrW-rr-"),
    ("log/B/2025", "rr-W---"),
    ("portfolio/A/p1", "rrW----"),
    ("portfolio/B/p2", "rr-W---"),
    ("visits/m-07/A/2025", "rrr-W--"),
    // Another mentor's sheet, which none of these devices writes.
    ("visits/m-08/A/2025", "-------"),
    ("group/g/2025", "rrrrrrW"),
];

/// The table names every sort of document that there is, and every role but none twice.
#[test]
fn every_sort_of_document_and_every_role_stands_in_the_table() {
    let sorts: BTreeSet<&str> = TABLE
        .iter()
        .filter_map(|(key, _)| key.split('/').next())
        .collect();
    let policy = document_policy();
    let known: BTreeSet<&str> = policy.0.iter().map(|row| row.kind).collect();
    assert_eq!(sorts, known);
    let roles: BTreeSet<Role> = DEVICES
        .iter()
        .flat_map(|(_, grants)| grants.iter().map(|g| g.0))
        .collect();
    assert_eq!(roles, BTreeSet::from(Role::ALL));
    assert!(TABLE.iter().all(|(_, cells)| cells.len() == DEVICES.len()));
}

fn written(hub: &Place, document: &str) -> i64 {
    let sql = "SELECT COUNT(*) FROM change c JOIN document d ON d.id = c.doc WHERE d.key = ?";
    hub.node
        .read(|c| Ok(c.query_row(sql, [document], |row| row.get(0))?))
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_device_writes_and_reads_what_the_table_says_and_nothing_else() {
    let mut hub = Place::county();
    let schools = [add_school(&hub, "青石小学"), add_school(&hub, "白沙小学")];
    let named = |text: &str| {
        let whole: Vec<String> = text
            .split('/')
            .map(|part| match part {
                "A" => schools[0].clone(),
                "B" => schools[1].clone(),
                other => other.to_owned(),
            })
            .collect();
        whole.join("/")
    };
    let enrolled = |label: &str, grants: &[(Role, &str)]| {
        let place = Place::device(label);
        let grants: Vec<(Role, String)> = grants.iter().map(|(role, scope)| (*role, named(scope))).collect();
        place.enrol(&hub, &grants);
        place
    };
    // One that writes whatever it likes, and one that only takes; a device that was put out; and a stranger.
    let writers: Vec<Place> = DEVICES
        .iter()
        .map(|(label, grants)| enrolled(label, grants))
        .collect();
    let mut readers: Vec<Place> = DEVICES
        .iter()
        .map(|(label, grants)| enrolled(label, grants))
        .collect();
    let revoked = enrolled("甲校 丢失", &[(Role::School, "A")]);
    let thief = Villain::of(&revoked);
    enrol::revoke(&hub.node, &revoked.node.id()).unwrap();
    let stranger = Villain::stranger(&hub, [77; 32]);
    hub.up().await;

    for (at, (key, cells)) in TABLE.iter().enumerate() {
        let document = named(key);
        for (place, cell) in writers.iter().zip(cells.chars()) {
            let villain = Villain::of(place);
            let change = chain(villain.incarnation(at as u32 + 1), 1).remove(0);
            let before = written(&hub, &document);
            let offer = villain.offer(&document, &change, Some(&villain.key));
            let said = villain.push(&hub, vec![offer]).await;
            let who = place.node.label();
            match cell {
                'W' => {
                    assert_eq!(said, Ok(Vec::new()), "{who} writes {key}");
                    assert_eq!(written(&hub, &document), before + 1, "{who} writes {key}");
                }
                _ => {
                    assert_ne!(said, Ok(Vec::new()), "{who} does not write {key}");
                    assert_eq!(written(&hub, &document), before, "{who} does not write {key}");
                }
            }
        }
        for (who, villain) in [("revoked", &thief), ("stranger", &stranger)] {
            let change = chain(villain.incarnation(at as u32 + 1), 1).remove(0);
            let before = written(&hub, &document);
            let offer = villain.offer(&document, &change, Some(&villain.key));
            assert!(
                villain.push(&hub, vec![offer]).await.is_err(),
                "{who} is heard on {key}"
            );
            assert_eq!(written(&hub, &document), before, "{who} writes {key}");
        }
    }

    for (at, reader) in readers.iter_mut().enumerate() {
        reader.up().await;
        reader.knows(&hub);
        until("both sides are equal", 30, || {
            let peers = reader.node.peers().unwrap();
            peers.iter().any(|p| p.county && p.in_sync_at.is_some())
        })
        .await;
        let documents = reader.node.read(store::changes::documents).unwrap();
        let here: BTreeSet<String> = documents.into_iter().map(|d| d.key.to_string()).collect();
        let may = |cells: &str| cells.chars().nth(at).is_some_and(|cell| cell != '-');
        let wanted: BTreeSet<String> = TABLE
            .iter()
            .filter(|(_, cells)| may(cells))
            .map(|(key, _)| named(key))
            .collect();
        assert_eq!(here, wanted, "{}", reader.node.label());
        reader.down().await;
    }
}
