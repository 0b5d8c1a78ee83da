//! A hub is backed up while the county works, is lost, and comes back on another machine: nothing that was acknowledged
//! is missing in the end, and no school has to do anything.
#![cfg(unix)]
// Helpers outside #[test] functions unwrap as well: a failure is a failed test.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use node::backup::{self, BackupError, Damage};
use node::{Error, Node, Role, blobs};
use yanxiu_tests::*;

const SCHOOLS: [&str; 3] = ["青石小学", "白沙小学", "双河中学"];

/// Key and heads of every document.
fn documents(node: &Node) -> BTreeMap<String, Vec<u8>> {
    let all = node.read(store::changes::documents).unwrap();
    all.into_iter().map(|d| (d.key.to_string(), d.heads)).collect()
}

/// Every change, by document and hash.
fn changes(node: &Node) -> Vec<(String, Vec<u8>)> {
    node.read(|c| {
        let sql = "SELECT d.key, c.hash FROM change c JOIN document d ON d.id = c.doc ORDER BY 1, 2";
        let mut statement = c.prepare(sql)?;
        let rows = statement.query_map([], |r| Ok((r.get(0)?, r.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    })
    .unwrap()
}

/// What `holder` has receipts for from `of`, as document, actor, number and hash.
type Receipts = Vec<(String, Vec<u8>, i64, Vec<u8>)>;

fn receipts(holder: &Node, of: &Node) -> Receipts {
    let of = of.id();
    holder
        .read(|c| {
            let sql = "SELECT d.key, r.actor, r.seq, r.hash FROM receipt r JOIN document d ON d.id = r.doc
                JOIN peer p ON p.node = r.node AND p.store = r.store WHERE r.node = ?";
            let mut statement = c.prepare(sql)?;
            let rows = statement.query_map([of.0], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?)))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .unwrap()
}

fn holds(node: &Node, (key, actor, seq, hash): &(String, Vec<u8>, i64, Vec<u8>)) -> bool {
    node.read(|c| {
        let sql = "SELECT EXISTS (SELECT 1 FROM change c JOIN document d ON d.id = c.doc
            WHERE d.key = ? AND c.actor = ? AND c.actor_seq = ? AND c.hash = ?)";
        Ok(c.query_row(sql, (key, actor, seq, hash), |r| r.get(0))?)
    })
    .unwrap()
}

/// A hub and three schools, connected.
async fn county() -> (Place, Vec<Place>) {
    let mut county = Place::county();
    let mut schools = Vec::new();
    for name in SCHOOLS {
        let id = add_school(&county, name);
        schools.push(Place::school(&county, &id, &format!("{name} 电脑")));
    }
    county.up().await;
    for school in &mut schools {
        school.up().await;
        school.knows(&county);
    }
    (county, schools)
}

async fn all_at(county: &Place, schools: &[Place]) {
    for school in schools {
        until("all of it is at the hub", 60, || {
            school.node.not_at_county().unwrap() == 0
        })
        .await;
        for receipt in receipts(&school.node, &county.node) {
            assert!(
                holds(&county.node, &receipt),
                "a receipt without its change: {receipt:?}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_made_under_load_is_an_equal_store_and_the_schools_go_on() {
    let (mut county, mut schools) = county().await;
    let target = tempfile::tempdir().unwrap();
    let over = AtomicBool::new(false);
    let made = std::thread::scope(|scope| {
        for school in &schools {
            let over = &over;
            scope.spawn(move || {
                for n in 0.. {
                    add_session(school, &format!("第{n}次校本研修"), "2025-10-08");
                    if over.load(Ordering::Relaxed) && n > 10 {
                        break;
                    }
                }
            });
        }
        // The load is there: the hub has stored something of each school.
        let begun = std::time::Instant::now();
        while documents(&county.node).len() < SCHOOLS.len() + 1 {
            assert!(begun.elapsed().as_secs() < 30, "no load");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let made = backup::make(&county.node, target.path(), None);
        over.store(true, Ordering::Relaxed);
        made.unwrap()
    });
    all_at(&county, &schools).await;
    let (everything, port) = (changes(&county.node), county.address());
    let old = county.node.store_id();
    county.down().await;
    drop(county);

    let mut restored = Place::restored(&made.path);
    // Equal to what the backup says of itself, and none of it the old store's life.
    assert_ne!(restored.node.store_id(), old);
    assert!(restored.event_codes().contains(&"copied".to_string()));
    let again = tempfile::tempdir().unwrap();
    let second = backup::make(&restored.node, again.path(), None).unwrap().manifest;
    let m = &made.manifest;
    assert_eq!(
        (
            &second.heads,
            second.documents,
            second.changes,
            second.last,
            second.statements
        ),
        (&m.heads, m.documents, m.changes, m.last, m.statements)
    );
    assert!(
        m.changes < everything.len() as u64,
        "the schools had stopped before the backup ended"
    );
    assert_eq!(
        second.incarnation, "",
        "a new incarnation begins with the next record"
    );

    restored.up_at(&port).await;
    for school in &schools {
        add_session(school, "恢复以后", "2025-11-03");
    }
    all_at(&restored, &schools).await;
    let there = changes(&restored.node);
    assert!(everything.iter().all(|c| there.contains(c)));
    assert!(restored.node.quarantines().unwrap().is_empty());
    for school in &mut schools {
        school.down().await;
    }
    restored.down().await;
}

/// The hub had gone on for long: schools, a device and decisions came after the backup.
#[tokio::test(flavor = "multi_thread")]
async fn an_old_backup_gets_back_all_that_was_acknowledged_since() {
    let (mut county, mut schools) = county().await;
    for school in &schools {
        add_session(school, "备份以前", "2025-09-10");
    }
    all_at(&county, &schools).await;
    let target = tempfile::tempdir().unwrap();
    let made = backup::make(&county.node, target.path(), None).unwrap();

    // What only the hub's old disk would know: its own records, decisions, and a device that was approved.
    for school in &schools {
        let person = add_teacher(school, "李秀英", "T1");
        held_session(school, "备份以后", "2025-10-15", &[person]);
    }
    all_at(&county, &schools).await;
    county.node.refresh_views().unwrap();
    for claim in node::office::audit_queue(&county.node, 100).unwrap() {
        recognise(&county, &claim.id, "2025-11-01").unwrap();
    }
    let late = add_school(&county, "后来批准的小学");
    let mut newcomer = Place::school(&county, &late, "后来批准的小学 电脑");
    newcomer.up().await;
    newcomer.knows(&county);
    add_session(&newcomer, "新学校的活动", "2025-11-05");
    schools.push(newcomer);
    all_at(&county, &schools).await;
    let decisions = county.node.count(&node::Filter::kind("decision")).unwrap();
    assert_eq!(decisions, SCHOOLS.len() as u64);
    for school in &schools[..SCHOOLS.len()] {
        until("the decisions are at the schools", 30, || {
            school.node.count(&node::Filter::kind("decision")).unwrap() == 1
        })
        .await;
    }
    until("the new school is known to the others", 30, || {
        schools
            .iter()
            .all(|s| s.node.count(&node::Filter::kind("organisation")).unwrap() == 4)
    })
    .await;
    let (lost, port) = (changes(&county.node), county.address());
    let acknowledged: Vec<_> = schools
        .iter()
        .flat_map(|s| receipts(&s.node, &county.node))
        .collect();
    county.down().await;
    drop(county);

    let mut restored = Place::restored(&made.path);
    assert_eq!(restored.node.count(&node::Filter::kind("decision")).unwrap(), 0);
    assert!(
        acknowledged.iter().any(|r| !holds(&restored.node, r)),
        "the backup was not old"
    );
    restored.up_at(&port).await;
    until("everything that was acknowledged is there again", 60, || {
        acknowledged.iter().all(|r| holds(&restored.node, r))
    })
    .await;
    until("and the hub's own work too, from the schools", 60, || {
        let there = changes(&restored.node);
        lost.iter().all(|c| there.contains(c))
    })
    .await;
    // The hub goes on beside what it had lost, and forks nothing.
    let more = add_school(&restored, "恢复以后的小学");
    assert!(!more.is_empty());
    for school in &schools {
        add_session(school, "恢复以后", "2025-11-20");
    }
    all_at(&restored, &schools).await;
    until("the schools hear of the hub's new record", 30, || {
        schools
            .iter()
            .all(|s| s.node.count(&node::Filter::kind("organisation")).unwrap() == 5)
    })
    .await;
    assert_eq!(
        restored.node.count(&node::Filter::kind("decision")).unwrap(),
        decisions
    );
    for place in schools.iter().chain([&restored]) {
        assert!(place.node.quarantines().unwrap().is_empty());
        assert_eq!(
            documents(&place.node)["registry"],
            documents(&restored.node)["registry"]
        );
    }
    assert!(
        restored
            .node
            .devices()
            .iter()
            .any(|d| d.role == Role::School && d.scope == late)
    );
    for school in &mut schools {
        school.down().await;
    }
    restored.down().await;
}

/// The files of a backup, by path.
fn files(at: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(at).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(path),
        }
    }
    found
}

fn backup_error(error: Error) -> BackupError {
    match error {
        Error::Backup(error) => error,
        other => panic!("{other}"),
    }
}

#[test]
fn every_damage_to_a_backup_is_found_and_nothing_is_restored_from_it() {
    let county = Place::county();
    add_school(&county, "青石小学");
    blobs::keep(&county.node, "签到表的照片".as_bytes()).unwrap();
    fs::write(county.node.dir().join("yanxiu.toml"), "[sync]\nmdns = false\n").unwrap();
    let target = tempfile::tempdir().unwrap();
    let made = backup::make(&county.node, target.path(), None).unwrap();
    assert_eq!(backup::check(&made.path).unwrap(), made.manifest);
    let all = files(&made.path);
    // Database, key, settings, photo, two root keys, and two of the manifest.
    assert_eq!(all.len(), 8, "{all:?}");
    let dir = tempfile::tempdir().unwrap();
    let new = dir.path().join("新机");
    for path in &all {
        let good = fs::read(path).unwrap();
        let mut bad = good.clone();
        let middle = bad.len() / 2;
        bad[middle] ^= 1;
        fs::write(path, bad).unwrap();
        let error = backup_error(backup::restore(&made.path, &new).unwrap_err());
        assert!(
            matches!(error, BackupError::Damaged { .. }),
            "{}: {error}",
            path.display()
        );
        fs::remove_file(path).unwrap();
        let error = backup_error(backup::check(&made.path).unwrap_err());
        assert!(error.is_damage(), "{}: {error}", path.display());
        fs::write(path, good).unwrap();
    }
    let more = made.path.join("blobs").join("多出来的");
    fs::write(&more, "?").unwrap();
    let error = backup_error(backup::check(&made.path).unwrap_err());
    assert!(
        matches!(
            error,
            BackupError::Damaged {
                what: Damage::Unnamed,
                ..
            }
        ),
        "{error}"
    );
    fs::remove_file(&more).unwrap();
    assert!(!new.exists());
    fs::create_dir(&new).unwrap();
    fs::write(new.join("别的文件"), "原有").unwrap();
    let error = backup_error(backup::restore(&made.path, &new).unwrap_err());
    assert!(matches!(error, BackupError::NotEmpty(_)), "{error}");
    fs::remove_file(new.join("别的文件")).unwrap();
    // Into an empty directory it goes, photo and all.
    let restored = backup::restore(&made.path, &new).unwrap();
    assert_eq!(documents(&restored.node), documents(&county.node));
    let photo = blobs::name_of("签到表的照片".as_bytes());
    assert!(blobs::read(&restored.node, &photo).unwrap().is_some());
    assert!(backup::last(&county.node).unwrap().0.is_some());
}

#[test]
fn the_newest_are_kept_photos_are_shared_and_nothing_else_is_touched() {
    let county = Place::county();
    let target = tempfile::tempdir().unwrap();
    let photo = blobs::keep(&county.node, "现场照片".as_bytes()).unwrap();
    fs::create_dir(target.path().join("别人的文件夹")).unwrap();
    let first = backup::make(&county.node, target.path(), Some(2)).unwrap();
    // A backup that was cut short, and another device's.
    let half = target.path().join(format!(
        "{}.part",
        first.path.file_name().unwrap().to_str().unwrap()
    ));
    fs::create_dir(&half).unwrap();
    let other = Place::device("双河中学 电脑");
    let of_other = backup::make(&other.node, target.path(), Some(1)).unwrap();
    assert!(half.exists());
    let second = backup::make(&county.node, target.path(), Some(2)).unwrap();
    assert_eq!((second.shared, second.removed.len()), (1, 0));
    assert!(!half.exists());
    // A photo that went bad on the disk of the backups is not shared again, and one that went bad here is left out.
    let shelf = Path::new("blobs").join(&photo[4..6]).join(&photo);
    fs::write(second.path.join(&shelf), "坏了").unwrap();
    let third = backup::make(&county.node, target.path(), Some(2)).unwrap();
    assert_eq!(
        (third.shared, third.removed.as_slice()),
        (0, &[first.path.clone()][..])
    );
    assert!(backup::check(&third.path).is_ok() && backup::check(&second.path).is_err());
    fs::write(county.node.dir().join(&shelf), "也坏了").unwrap();
    fs::write(third.path.join(&shelf), "坏了").unwrap();
    let fourth = backup::make(&county.node, target.path(), None).unwrap();
    assert_eq!((fourth.shared, fourth.damaged.len()), (0, 1));
    assert!(backup::check(&fourth.path).is_ok());
    assert!(!first.path.exists() && of_other.path.exists());
    assert!(target.path().join("别人的文件夹").exists());
    let inside = county.node.dir().join("备份");
    let error = backup_error(backup::make(&county.node, &inside, None).unwrap_err());
    assert!(matches!(error, BackupError::Inside(_)), "{error}");
    // It failed, and that is noted where the operator looks.
    assert!(county.event_codes().contains(&"backup-failed".to_string()));
    assert!(backup::last(&county.node).unwrap().1.is_some());
}
