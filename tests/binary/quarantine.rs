//! `yanxiu quarantine` and `yanxiu cut`, as an operator types them.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Command;

use node::office::{self, By, OrganisationInput};

fn yanxiu(data: &Path, args: &[&str]) -> (bool, String) {
    let out = Command::new(env!("CARGO_BIN_EXE_yanxiu"))
        .arg("--data")
        .arg(data)
        .args(args)
        .output()
        .unwrap();
    let text = [out.stdout, out.stderr].concat();
    (out.status.success(), String::from_utf8(text).unwrap())
}

#[test]
fn the_list_names_the_case_and_a_cut_settles_it() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let node = node::Node::init_county(&data, "云岭县").unwrap();
    let input = OrganisationInput {
        name: "青石小学".into(),
        org_kind: "primary_school".into(),
        rural: "township".into(),
        ..OrganisationInput::default()
    };
    let by = By {
        account: "县管理员".into(),
    };
    office::save_organisations(&node, &by, vec![(None, input)]).unwrap();
    let (ok, text) = yanxiu(&data, &["quarantine"]);
    assert!(ok && text.contains("没有被隔离的设备"), "{text}");
    // As if a peer had brought another change with the same number.
    let db = rusqlite::Connection::open(data.join("yanxiu.db")).unwrap();
    db.execute_batch(
        "INSERT INTO quarantine (document, actor, fault, actor_seq, body, tip, from_peer, at)
         SELECT d.key, c.actor, 'Equivocation', c.actor_seq, c.body, c.tip, NULL, 1760000000
         FROM change c JOIN document d ON d.id = c.doc WHERE d.key = 'registry' LIMIT 1",
    )
    .unwrap();
    drop(db);
    let (ok, text) = yanxiu(&data, &["quarantine"]);
    assert!(
        ok && text.contains("registry") && text.contains("同一设备用同一序号"),
        "{text}"
    );
    let id = text
        .lines()
        .next()
        .unwrap()
        .split_whitespace()
        .last()
        .unwrap()
        .to_string();
    let file = dir.path().join("证据.txt");
    let (ok, text) = yanxiu(&data, &["quarantine", &id, "--evidence", file.to_str().unwrap()]);
    assert!(ok, "{text}");
    assert!(std::fs::read_to_string(&file).unwrap().contains("body: "));
    let (ok, text) = yanxiu(&data, &["cut", "ffffffffffff", "--yes"]);
    assert!(!ok && text.contains("没有这个编号"), "{text}");
    let (ok, text) = yanxiu(&data, &["cut", &id, "--yes"]);
    assert!(ok && text.contains("已截断"), "{text}");
    let (_, text) = yanxiu(&data, &["quarantine"]);
    assert!(text.contains("已截断 cut      @1"), "{text}");
    // The node that ran beside it has noticed, and none of these commands made it take itself for a copy.
    node.notice_outside_changes().unwrap();
    assert_eq!(node.cases().unwrap().cases[0].cut, Some(1));
    assert!(node.events(10).unwrap().iter().all(|e| e.code != "copied"));
    assert_eq!(node::Node::open(&data).unwrap().store_id(), node.store_id());
}
