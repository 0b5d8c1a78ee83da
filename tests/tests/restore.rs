//! Restored backups and cloned directories go on working, and nothing forks silently (design.md §4).
#![cfg(unix)]
// Helpers outside #[test] functions unwrap as well: a failure is a failed test.
#![allow(clippy::unwrap_used)]

use yanxiu_tests::*;

/// A school loses its PC, restores last week's copy and types before it has met anybody.
#[tokio::test(flavor = "multi_thread")]
async fn a_restored_school_may_write_before_it_meets_the_county() {
    let mut county = Place::county();
    let school_id = add_school(&county, "青石小学");
    let mut school = Place::school(&county, &school_id, "青石小学 电脑");
    county.up().await;
    school.up().await;
    school.knows(&county);
    add_session(&school, "备份之前", "2025-10-01");
    until("it is at the county", 20, || {
        school.node.not_at_county().unwrap() == 0
    })
    .await;
    school.down().await;
    let backup = school.copy();
    school.up().await;
    add_session(&school, "备份之后", "2025-10-02");
    until("it is at the county", 20, || titles(&county).len() == 2).await;
    let old_store = school.node.store_id();
    school.down().await;
    drop(school);

    let mut restored = Place::of_copy(backup);
    assert_ne!(restored.node.store_id(), old_store);
    assert_eq!(restored.event_codes(), ["copied"]);
    add_session(&restored, "恢复之后", "2025-10-03");
    restored.up().await;
    let all = ["备份之前", "备份之后", "恢复之后"];
    let mut sorted = all.map(str::to_string).to_vec();
    sorted.sort();
    until("both have all three", 20, || {
        titles(&county) == sorted && titles(&restored) == sorted
    })
    .await;
    until("with receipts", 20, || {
        restored.node.not_at_county().unwrap() == 0
    })
    .await;
    assert!(county.node.quarantines().unwrap().is_empty());
    // Opened again in its place it is the same store.
    let id = restored.node.store_id();
    assert_eq!(node::Node::open(restored.node.dir()).unwrap().store_id(), id);
    restored.down().await;
    county.down().await;
}

/// Somebody copies the directory to a second PC and both go on.
#[tokio::test(flavor = "multi_thread")]
async fn a_clone_and_its_original_both_go_on() {
    let mut county = Place::county();
    let school_id = add_school(&county, "青石小学");
    let mut school = Place::school(&county, &school_id, "青石小学 电脑");
    add_session(&school, "共同", "2025-10-01");
    let mut clone = Place::of_copy(school.copy());
    add_session(&school, "原机", "2025-10-02");
    add_session(&clone, "克隆", "2025-10-03");
    county.up().await;
    // One key, two stores: they meet the county one after the other.
    for place in [&mut school, &mut clone] {
        place.up().await;
        place.knows(&county);
        until("its records are at the county", 20, || {
            place.node.not_at_county().unwrap() == 0
        })
        .await;
        place.down().await;
    }
    let mut sorted = ["共同", "原机", "克隆"].map(str::to_string).to_vec();
    sorted.sort();
    until("the county has all", 20, || titles(&county) == sorted).await;
    school.up().await;
    until("the original has all", 20, || titles(&school) == sorted).await;
    assert!(county.node.quarantines().unwrap().is_empty());
    school.down().await;
    county.down().await;
}

/// The county restores an old copy of the hub: the schools fill it again.
#[tokio::test(flavor = "multi_thread")]
async fn a_restored_hub_is_filled_by_the_schools() {
    let mut county = Place::county();
    let school_id = add_school(&county, "青石小学");
    let mut school = Place::school(&county, &school_id, "青石小学 电脑");
    let backup = county.copy();
    county.up().await;
    school.up().await;
    school.knows(&county);
    add_session(&school, "县里丢过的", "2025-10-01");
    until("it is at the county", 20, || {
        school.node.not_at_county().unwrap() == 0
    })
    .await;
    county.down().await;
    let port = county.address();
    drop(county);
    let mut restored = Place::of_copy(backup);
    restored.up_at(&port).await;
    until("the restored hub has it", 30, || {
        titles(&restored) == ["县里丢过的"]
    })
    .await;
    until("and the school its receipt", 20, || {
        school.node.not_at_county().unwrap() == 0
    })
    .await;
    school.down().await;
    restored.down().await;
}
