//! A school's PC is dead. A new one is enrolled in its place and has everything again: from the hub, from a stick that the
//! county made, from a mentor and by way of a neighbour; or the old one comes back from a copy of its directory.
//! README.md, “A computer that died”, is this path for people.
#![cfg(unix)]
// Helpers outside #[test] functions unwrap as well: a failure is a failed test.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::time::Instant;

use node::kit::{self, Order};
use node::office::Here;
use node::stick::{self, Wishes};
use node::{Filter, NodeId, Role, Standing, bundle, enrol, mail};
use yanxiu_tests::photos::{add, files, here};
use yanxiu_tests::*;

const SMALL: Here = Here {
    preview: true,
    copy: true,
    original: false,
    wished: false,
};

/// How many records of each sort a place shows.
fn counts(place: &Place, kinds: &[&str]) -> Vec<(String, u64)> {
    let count = |kind: &&str| (kind.to_string(), place.node.count(&Filter::kind(kind)).unwrap());
    kinds.iter().map(count).collect()
}

/// What a school writes, and what the county writes about it.
const WRITTEN: [&str; 5] = ["person", "session", "attendance", "claim", "evidence"];
const ALL: [&str; 6] = ["person", "session", "attendance", "claim", "evidence", "decision"];

struct Scene {
    county: Place,
    mentor: Place,
    school: String,
    old: NodeId,
    before: Vec<(String, u64)>,
    /// A copy of the whole directory as it was before the end.
    backup: tempfile::TempDir,
}

fn copy_all(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        match entry.path().is_dir() {
            true => copy_all(&entry.path(), &to.join(entry.file_name())),
            false => drop(std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap()),
        }
    }
}

/// A school with twelve sessions, twenty teachers and three photos; the county has decided on some claims; a mentor has
/// been there and has what the county has. Then the school's PC is no more.
async fn scene() -> Scene {
    let mut county = Place::county();
    let school = add_school(&county, "青石小学");
    let mut old = Place::school(&county, &school, "青石小学 旧电脑");
    let mut mentor = Place::device("陈老师 笔记本");
    mentor.enrol(
        &county,
        &[
            (Role::Mentor, format!("m1/{school}")),
            (Role::MentorReader, school.clone()),
        ],
    );
    let people: Vec<String> = (0..20)
        .map(|n| add_teacher(&old, &format!("教师{n:02}"), &format!("T{n:03}")))
        .collect();
    for day in 1..=12 {
        let session = held_session(
            &old,
            &format!("第{day:02}次磨课"),
            &format!("2025-10-{day:02}"),
            &people,
        );
        if day <= 3 {
            add(&old, &session, &files(day * 10));
        }
    }
    county.up().await;
    old.up().await;
    old.knows(&county);
    at_county(&old).await;
    until("the photos are there too", 30, || here(&county) == [SMALL; 3]).await;
    for claim in node::office::audit_queue(&county.node, 5).unwrap() {
        recognise(&county, &claim.id, "2025-11-01").unwrap();
    }
    until("the decisions are back", 30, || {
        old.node.count(&Filter::kind("decision")).unwrap() == 5
    })
    .await;
    mentor.up().await;
    mentor.knows(&county);
    until("the mentor has taken all along", 30, || {
        here(&mentor) == [SMALL; 3] && counts(&mentor, &WRITTEN) == counts(&old, &WRITTEN)
    })
    .await;
    mentor.down().await;
    county.down().await;
    old.down().await;
    let backup = tempfile::tempdir().unwrap();
    copy_all(old.node.dir(), &backup.path().join("data"));
    let before = counts(&old, &ALL);
    assert!(before.iter().all(|(_, n)| *n > 0), "{before:?}");
    println!("before: {before:?}");
    let id = old.node.id();
    let directory = old.node.dir().to_path_buf();
    drop(old);
    assert!(!directory.exists(), "nothing is left of it");
    Scene {
        county,
        mentor,
        school,
        old: id,
        before,
        backup,
    }
}

/// A new computer; the county approves its request in the place of the old one, both sides comparing the digits.
fn replaced(scene: &Scene) -> Place {
    let new = Place::device("青石小学 新电脑");
    let (device, label) = enrol::read_request(&enrol::request_file(&new.node)).unwrap();
    let answer = enrol::replace(&scene.county.node, &device, &label.unwrap(), &scene.old).unwrap();
    let offer = enrol::accept(&new.node, &answer.text).unwrap();
    assert_eq!(offer.digits, answer.digits);
    enrol::confirm(&new.node).unwrap();
    assert_eq!(new.node.home_school().as_ref(), Some(&scene.school));
    assert!(scene.county.node.roll().is_revoked(&scene.old));
    new
}

/// It is the school's computer: what is written on it is decided on as ever.
async fn works(scene: &mut Scene, new: &mut Place) {
    if scene.county.address().ends_with(":0") {
        scene.county.up().await;
    }
    let session = add_session(new, "新电脑上的", "2025-11-10");
    new.knows(&scene.county);
    at_county(new).await;
    until("the county shows it", 20, || {
        scene.county.node.record(&session).unwrap().is_some()
    })
    .await;
    until("the old one is known to be revoked", 20, || {
        new.node.roll().is_revoked(&scene.old)
    })
    .await;
    // What the old one had written goes on counting, at both.
    until("nothing waits to be looked at", 20, || {
        new.node.views_behind().unwrap() == 0 && scene.county.node.views_behind().unwrap() == 0
    })
    .await;
    let mut expected = scene.before.clone();
    expected[1].1 += 1;
    assert_eq!(counts(new, &ALL), expected);
    assert_eq!(counts(&scene.county, &ALL), expected);
    assert!(scene.county.node.quarantines().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_computer_is_filled_by_the_hub() {
    let mut scene = scene().await;
    let mut new = replaced(&scene);
    scene.county.up().await;
    let begun = Instant::now();
    new.up().await;
    new.knows(&scene.county);
    until("all records and photos are back", 60, || {
        counts(&new, &ALL) == scene.before && here(&new) == [SMALL; 3]
    })
    .await;
    println!("filled over the link in {} ms", begun.elapsed().as_millis());
    works(&mut scene, &mut new).await;
    // A second time, by mistake: nothing is revoked but the old one.
    enrol::replace(&scene.county.node, &new.node.id(), "青石小学 新电脑", &scene.old).unwrap();
    assert!(!scene.county.node.roll().is_revoked(&new.node.id()));
    for (device, old) in [(new.node.id(), new.node.id()), (new.node.id(), NodeId([7; 32]))] {
        assert!(enrol::replace(&scene.county.node, &device, "", &old).is_err());
    }
    assert!(
        enrol::replace(&new.node, &scene.old, "", &scene.old).is_err(),
        "the county alone"
    );
    new.down().await;
    scene.county.down().await;
}

/// No network: answer and sealed records on a stick, one folder for this one device; and its first own record back.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_computer_is_filled_by_a_stick() {
    let mut scene = scene().await;
    let other = add_school(&scene.county, "白沙小学");
    let _other = Place::school(&scene.county, &other, "白沙 电脑");
    // By telephone: the request code. The county compares digits, replaces and makes the stick.
    let mut new = Place::device("青石小学 新电脑");
    let (device, _) = enrol::read_request(&enrol::request_code(&new.node)).unwrap();
    enrol::replace(&scene.county.node, &device, "青石小学 新电脑", &scene.old).unwrap();
    let stick = tempfile::tempdir().unwrap();
    let order = Order {
        only: Some(device),
        ..Order::default()
    };
    let made = kit::make(&scene.county.node, &stick.path().join(stick::FOLDER), &order).unwrap();
    assert!(made.schools.is_empty() && made.devices.len() == 1, "{made:?}");
    let folder = &made.devices[0].path;
    assert!(made.devices[0].files >= 2, "the answer and the records: {made:?}");
    // At the school: the answer first, then the rest with one button.
    let begun = Instant::now();
    let text = std::fs::read_to_string(folder.join("入网批复.txt")).unwrap();
    enrol::accept(&new.node, &text).unwrap();
    enrol::confirm(&new.node).unwrap();
    let report = stick::exchange(&new.node, stick.path(), &Wishes::default()).unwrap();
    assert!(report.failed.is_empty(), "{:?}", report.failed);
    println!("filled from the stick in {} ms", begun.elapsed().as_millis());
    assert_eq!(counts(&new, &ALL), scene.before);
    assert!(new.node.roll().is_revoked(&scene.old));
    // The stick goes back with what is written first, and brings the receipt.
    add_session(&new, "新电脑上的", "2025-11-10");
    assert!(new.node.not_at_county().unwrap() > 0);
    for place in [&new, &scene.county, &new] {
        let report = stick::exchange(&place.node, stick.path(), &Wishes::default()).unwrap();
        assert!(report.failed.is_empty(), "{:?}", report.failed);
    }
    assert_eq!(new.node.not_at_county().unwrap(), 0);
    let mut expected = scene.before.clone();
    expected[1].1 += 1;
    assert_eq!(counts(&scene.county, &ALL), expected);
    // The photos come with the first network.
    scene.county.up().await;
    new.up().await;
    new.knows(&scene.county);
    until("the photos are back", 30, || here(&new) == [SMALL; 3]).await;
    new.down().await;
    scene.county.down().await;
}

/// The mentor comes by with what the school had written, photos included; a neighbour brings the county's own part, sealed.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_computer_is_filled_by_a_mentor_and_a_neighbour() {
    let mut scene = scene().await;
    let other = add_school(&scene.county, "白沙小学");
    let mut neighbour = Place::school(&scene.county, &other, "白沙 电脑");
    let mut new = replaced(&scene);
    // The county's own writing, sealed for the new computer; the neighbour meets the county, and takes it along.
    let sealed = mail::prepare(&scene.county.node, &new.node.id(), bundle::MAX).unwrap();
    assert!(!sealed.is_empty());
    scene.county.up().await;
    neighbour.up().await;
    neighbour.knows(&scene.county);
    let carried = |place: &Place| {
        mail::list(&place.node)
            .unwrap()
            .iter()
            .filter(|i| i.to == new.node.id())
            .count()
    };
    until("the neighbour carries it", 30, || {
        carried(&neighbour) == sealed.len()
    })
    .await;
    neighbour.down().await;
    // The mentor hears of the new computer at the county as well.
    scene.mentor.up().await;
    until("the mentor knows it", 30, || {
        scene.mentor.node.roll().is_member(&new.node.id())
    })
    .await;
    scene.mentor.down().await;
    scene.county.down().await;

    let begun = Instant::now();
    new.up().await;
    scene.mentor.knows(&new);
    scene.mentor.up().await;
    let written = &scene.before[..WRITTEN.len()];
    until("what the school had written is back, with its photos", 60, || {
        counts(&new, &WRITTEN) == written && here(&new) == [SMALL; 3]
    })
    .await;
    println!("filled by the mentor in {} ms", begun.elapsed().as_millis());
    scene.mentor.down().await;
    neighbour.knows(&new);
    neighbour.up().await;
    until("and with the neighbour the county's decisions", 60, || {
        counts(&new, &ALL) == scene.before
    })
    .await;
    assert_eq!(
        neighbour.node.count(&Filter::kind("person")).unwrap(),
        0,
        "who could not read any of it"
    );
    neighbour.down().await;
    scene.county.up().await;
    works(&mut scene, &mut new).await;
    new.down().await;
    scene.county.down().await;
}

/// A copy of the directory holds the key as well: the same device goes on, as another store. If the county has put a new
/// one in its place meanwhile, the old one is told so, and nothing that it does counts.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_brings_the_same_device_back_unless_it_was_replaced() {
    let mut scene = scene().await;
    let again = tempfile::tempdir().unwrap();
    copy_all(&scene.backup.path().join("data"), &again.path().join("data"));
    let mut restored = Place::of_copy(again);
    assert_eq!(restored.node.id(), scene.old, "with its key");
    assert_eq!(restored.event_codes().first().map(String::as_str), Some("copied"));
    assert_eq!(counts(&restored, &ALL), scene.before);
    assert!(here(&restored).iter().all(|h| h.preview && h.copy && h.original));
    scene.county.up().await;
    add_session(&restored, "恢复之后", "2025-11-10");
    restored.up().await;
    restored.knows(&scene.county);
    at_county(&restored).await;
    scene.before[1].1 += 1;
    until("the county shows it", 20, || {
        counts(&scene.county, &ALL) == scene.before
    })
    .await;
    assert!(scene.county.node.quarantines().unwrap().is_empty());
    restored.down().await;
    drop(restored);

    // Another day it is gone for good, and replaced; then somebody finds the copy.
    let mut new = replaced(&scene);
    new.up().await;
    new.knows(&scene.county);
    until("the new one has all", 60, || counts(&new, &ALL) == scene.before).await;
    let mut found = Place::of_copy(std::mem::replace(&mut scene.backup, tempfile::tempdir().unwrap()));
    add_session(&found, "旧电脑上补录的", "2025-11-12");
    found.up().await;
    found.knows(&scene.county);
    until("it is told that it was revoked", 30, || {
        found.node.standing() == Standing::Revoked
    })
    .await;
    found.down().await;
    assert!(!titles(&scene.county).contains(&"旧电脑上补录的".to_string()));
    works(&mut scene, &mut new).await;
    new.down().await;
    scene.county.down().await;
}
