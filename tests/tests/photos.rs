//! Photos as evidence on their way: previews first, the rest where it costs nothing, gone on with from whoever has
//! it, and never taken for what they are not.
// Helpers outside #[test] functions unwrap as well: a failure is a failed test.
#![allow(clippy::unwrap_used)]

use node::blobs;
use node::blobs::wanted::Size;
use node::office::{self, Here};
use node::{Filter, Role};
use sync::BlobName;
use sync::blob::{GROUP, group_hash, group_len, groups_of};
use yanxiu_tests::photos::{add, files, here};
use yanxiu_tests::*;

fn photo_ids(place: &Place) -> Vec<String> {
    let found = place.node.records(&Filter::kind("evidence")).unwrap();
    found.into_iter().map(|record| record.id).collect()
}

fn at_the_county(place: &Place) -> usize {
    let sessions = place.node.records(&Filter::kind("session")).unwrap();
    let ids: Vec<&str> = sessions.iter().map(|s| s.id.as_str()).collect();
    let found = office::photos(&place.node, &ids).unwrap();
    found
        .into_values()
        .flatten()
        .filter(|photo| photo.at_county)
        .count()
}

async fn scene() -> (Place, Place, String) {
    let mut county = Place::county();
    let id = add_school(&county, "青石小学");
    let school = Place::school(&county, &id, "青石小学 电脑");
    county.up().await;
    school.knows(&county);
    let session = add_session(&school, "第３次研课磨课", "2025-10-09");
    (county, school, session)
}

const SMALL: Here = Here {
    preview: true,
    copy: true,
    original: false,
    wished: false,
};

#[tokio::test(flavor = "multi_thread")]
async fn photos_go_to_the_county_by_themselves_and_the_original_when_it_is_asked_for() {
    let (mut county, mut school, session) = scene().await;
    for seed in 1..=3 {
        add(&school, &session, &files(seed * 10));
    }
    school.up().await;
    until("preview and copy of all are at the county", 30, || {
        here(&county) == [SMALL; 3]
    })
    .await;
    until("the school knows it", 20, || at_the_county(&school) == 3).await;
    let id = photo_ids(&county)[0].clone();
    office::ask_original(&county.node, &id).unwrap();
    until("the original is here", 30, || {
        office::photo(&county.node, &id, Size::Original)
            .unwrap()
            .is_some()
    })
    .await;
    for id in photo_ids(&school) {
        for size in [Size::Preview, Size::Copy] {
            assert_eq!(
                office::photo(&county.node, &id, size).unwrap(),
                office::photo(&school.node, &id, size).unwrap()
            );
        }
    }
    assert_eq!(
        office::photo(&county.node, &id, Size::Original).unwrap(),
        office::photo(&school.node, &id, Size::Original).unwrap()
    );
    school.down().await;
    county.down().await;
}

/// A school that hangs up when all is said stays until its photos are through.
#[tokio::test(flavor = "multi_thread")]
async fn a_school_that_does_not_stay_hangs_up_when_its_photos_are_through() {
    let (mut county, mut school, session) = scene().await;
    add(&school, &session, &files(1));
    school.up_and(false).await;
    until("all is at the county, and known here", 30, || {
        here(&county) == [SMALL] && at_the_county(&school) == 1
    })
    .await;
    until("the school has hung up", 20, || school.counters().open == 0).await;
    school.down().await;
    county.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_metered_link_only_previews_go_and_the_rest_later() {
    let (mut county, mut school, session) = scene().await;
    add(&school, &session, &files(1));
    school.metered = true;
    school.up().await;
    until("the preview is at the county", 30, || {
        here(&county).iter().any(|here| here.preview)
    })
    .await;
    at_county(&school).await;
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    assert!(
        !here(&county)[0].copy,
        "a copy went over a link that is paid by the byte"
    );
    assert_eq!(at_the_county(&school), 0);
    school.down().await;
    school.metered = false;
    school.up().await;
    until("the copy follows", 30, || here(&county) == [SMALL]).await;
    school.down().await;
    county.down().await;
}

/// What a broken-off transfer has left, as `blobs/partial.rs` draws it: the first `groups` groups.
fn part(bytes: &[u8], groups: u64) -> Vec<u8> {
    let size = bytes.len() as u64;
    let all = groups_of(size);
    let group = |g: u64| &bytes[g as usize * GROUP..g as usize * GROUP + group_len(size, g)];
    let mut file = b"YXP1".to_vec();
    file.extend(size.to_le_bytes());
    file.extend((all as u32).to_le_bytes());
    for g in 0..all {
        file.extend(group_hash(all, g, group(g)));
    }
    for g in 0..groups {
        file.extend(group(g));
    }
    file
}

fn place_of(place: &Place, name: &str) -> std::path::PathBuf {
    place.node.dir().join("blobs").join(&name[4..6]).join(name)
}

/// The county has the first part. The school's disk has damaged another: what comes of it is thrown away, and a
/// mentor who took the photo along brings the rest.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_range_is_noticed_and_fetched_elsewhere() {
    let (mut county, mut school, session) = scene().await;
    let home = school.node.home_school().unwrap();
    let photo = files(7);
    add(&school, &session, &photo);
    let mut mentor = Place::device("陈老师 笔记本");
    mentor.enrol(
        &county,
        &[
            (Role::Mentor, format!("m1/{home}")),
            (Role::MentorReader, home.clone()),
        ],
    );
    county_tells_all(&county, &school, &mentor);
    // The mentor visits: everything goes along.
    county.down().await;
    school.up().await;
    mentor.knows(&school);
    mentor.up().await;
    until("the mentor has it", 30, || here(&mentor) == [SMALL]).await;
    mentor.down().await;
    school.down().await;

    let name = BlobName::of(&photo.copy).to_string();
    let mut damaged = photo.copy.clone();
    damaged[6 * GROUP + 5] ^= 0x40;
    std::fs::write(place_of(&school, &name), &damaged).unwrap();
    let left = county.node.dir().join("blobs/parts").join(format!("{name}.part"));
    std::fs::create_dir_all(left.parent().unwrap()).unwrap();
    // Three good groups, and what a power cut left of the fourth.
    let mut begun = part(&photo.copy, 3);
    begun.extend([0; 9_000]);
    std::fs::write(&left, begun).unwrap();

    county.up().await;
    school.up().await;
    until("the preview is at the county", 30, || {
        here(&county).iter().any(|here| here.preview)
    })
    .await;
    until("what fits has come", 30, || {
        std::fs::read(&left).unwrap().len() == part(&photo.copy, 6).len()
    })
    .await;
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    assert!(!here(&county)[0].copy, "damaged bytes were taken for the photo");
    let kept = std::fs::read(&left).unwrap();
    assert_eq!(kept, part(&photo.copy, 6), "what fits is kept, and nothing else");
    school.down().await;

    mentor.knows(&county);
    mentor.up().await;
    until("the rest comes from the mentor", 30, || here(&county) == [SMALL]).await;
    assert_eq!(blobs::read(&county.node, &name).unwrap().unwrap(), photo.copy);
    until("the part is put away", 10, || !left.exists()).await;
    mentor.down().await;
    county.down().await;
}
