//! `Node::verify` finds every sort of fault that can be put into a store behind its back, and nothing in a sound one;
//! what only views got wrong is put right by `rebuild_views`.
#![cfg(unix)]
// Helpers outside #[test] functions unwrap as well: a failure is a failed test.
#![allow(clippy::unwrap_used)]

use std::fs;

use node::verify::What;
use node::{Node, blobs};
use yanxiu_tests::*;

/// A county and a school that have exchanged records, decisions and receipts.
async fn lived() -> (Place, Place) {
    let mut county = Place::county();
    let id = add_school(&county, "青石小学");
    let mut school = Place::school(&county, &id, "青石小学 电脑");
    county.up().await;
    school.up().await;
    school.knows(&county);
    let people = ["李秀英", "欧阳㙇"].map(|name| add_teacher(&school, name, name));
    held_session(&school, "校本研修", "2025-10-15", &people);
    until("it is at the hub", 30, || {
        school.node.not_at_county().unwrap() == 0
    })
    .await;
    county.node.refresh_views().unwrap();
    for claim in node::office::audit_queue(&county.node, 10).unwrap() {
        recognise(&county, &claim.id, "2025-11-01").unwrap();
    }
    until("the decisions are at the school", 30, || {
        school.node.count(&node::Filter::kind("decision")).unwrap() == 2
    })
    .await;
    school.down().await;
    county.down().await;
    (county, school)
}

fn tamper(node: &Node, sql: &str) {
    let db = store::Connection::open(node.dir().join("yanxiu.db")).unwrap();
    assert!(db.execute(sql, []).unwrap() > 0, "{sql}");
}

fn found(node: &Node) -> Vec<What> {
    let mut all: Vec<What> = node.verify().unwrap().faults.iter().map(|f| f.what).collect();
    all.sort();
    all.dedup();
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sound_store_is_sound_and_views_made_anew_are_the_same() {
    let (county, school) = lived().await;
    for place in [&county, &school] {
        let photo = blobs::keep(&place.node, "签到表的照片".as_bytes()).unwrap();
        assert!(blobs::is_here(&place.node, &photo));
        let report = place.node.verify().unwrap();
        assert!(report.is_sound(), "{:?}", report.faults);
        assert!(
            report.changes > 5 && report.records > 8 && report.photos == 1,
            "{report:?}"
        );
        assert!(report.signatures > 4 && report.behind == 0, "{report:?}");
        let rows = |node: &Node| node.read(|c| store::views::list(c, &store::views::Filter::default()));
        let before = rows(&place.node).unwrap();
        assert!(place.node.rebuild_views().unwrap() > 2);
        assert_eq!(rows(&place.node).unwrap(), before);
    }
    assert!(school.node.verify().unwrap().receipts > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_changed_behind_its_back_is_found() {
    let (county, school) = lived().await;
    let _ = &county;
    let node = &school.node;
    // Views: a wrong value, a row too many, a row too few. All of it is put right.
    tamper(
        node,
        "UPDATE record SET fields = json_set(fields, '$.title', '改过的') WHERE kind = 'session'",
    );
    assert_eq!(found(node), [What::View]);
    node.rebuild_views().unwrap();
    tamper(node, "DELETE FROM record WHERE kind = 'attendance'");
    assert_eq!(found(node), [What::View]);
    node.rebuild_views().unwrap();
    assert_eq!(found(node), []);
    // What comes from elsewhere cannot be made anew: each fault on a copy of its own.
    type Case = (&'static str, &'static [What]);
    let cases: [Case; 6] = [
        (
            "UPDATE change SET body = CAST(substr(body, 1, length(body) - 1) || x'a5' AS BLOB) WHERE seq = 3",
            &[What::Hash],
        ),
        (
            "UPDATE change SET tip = CAST(substr(tip, 33) || substr(tip, 1, 32) AS BLOB) WHERE seq = (SELECT MAX(seq) FROM change)",
            &[What::Signature],
        ),
        ("UPDATE change SET ops = ops + 1 WHERE seq = 2", &[What::Columns]),
        (
            "UPDATE document SET heads = zeroblob(32) WHERE key LIKE 'log/%'",
            &[What::Heads],
        ),
        ("UPDATE receipt SET hash = zeroblob(32)", &[What::Receipt]),
        (
            "UPDATE change SET tip = NULL WHERE seq = (SELECT MAX(seq) FROM change)",
            &[What::NotAdmitted],
        ),
    ];
    for (sql, expected) in cases {
        let copy = Place::of_copy(school.copy());
        tamper(&copy.node, sql);
        let all = found(&copy.node);
        assert!(expected.iter().all(|w| all.contains(w)), "{sql}: {all:?}");
    }
    let photo = blobs::keep(node, "现场照片".as_bytes()).unwrap();
    fs::write(node.dir().join("blobs").join(&photo[4..6]).join(&photo), "坏了").unwrap();
    assert_eq!(found(node), [What::Photo]);
}
