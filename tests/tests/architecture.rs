//! The walls of design.md §6, checked against what the crates really name.

// Helpers outside #[test] functions unwrap as well: a failure is a failed test.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn crates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates")
}

/// Names in `[dependencies]` of a crate.
fn dependencies(name: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(crates().join(name).join("Cargo.toml")).unwrap();
    let section = text.split("[dependencies]").nth(1).unwrap();
    let lines = section.lines().take_while(|l| !l.starts_with('['));
    lines
        .filter_map(|l| l.split(['.', ' ', '=']).next())
        .filter(|n| !n.is_empty() && !n.starts_with('#'))
        .map(str::to_string)
        .collect()
}

#[test]
fn the_arrows_between_the_crates_hold() {
    let ours = ["records", "sync", "store", "net", "node", "web", "yanxiu"];
    let allowed = [
        ("records", &[][..]),
        ("sync", &[]),
        ("store", &["sync"]),
        ("net", &["sync"]),
        ("node", &["records", "sync", "store", "net"]),
        ("web", &["node", "records"]),
        ("yanxiu", &["web", "node", "records"]),
    ];
    for (name, may) in allowed {
        let named = dependencies(name);
        for other in ours {
            assert!(
                !named.contains(other) || may.contains(&other),
                "{name} must not depend on {other} (design.md §6)"
            );
        }
    }
}

#[test]
fn pure_crates_name_no_io() {
    for name in ["sync", "records"] {
        let named = dependencies(name);
        for io in [
            "tokio",
            "quinn",
            "rusqlite",
            "getrandom",
            "rand",
            "mdns-sd",
            "axum",
            "automerge",
        ] {
            assert!(!named.contains(io), "{name} names {io}");
        }
    }
}

#[test]
fn no_file_is_longer_than_800_lines() {
    let mut stack = vec![crates(), crates().join("../tests"), crates().join("../examples")];
    let mut seen = 0;
    while let Some(path) = stack.pop() {
        if path.ends_with("fuzz/target") {
            // What building the fuzz targets leaves there is not ours.
        } else if path.is_dir() {
            stack.extend(fs::read_dir(&path).unwrap().map(|e| e.unwrap().path()));
        } else if path.extension().is_some_and(|e| e == "rs") {
            seen += 1;
            let lines = fs::read_to_string(&path).unwrap().lines().count();
            assert!(lines <= 800, "{} has {lines} lines", path.display());
        }
    }
    assert!(seen > 50, "only {seen} files were looked at");
}
