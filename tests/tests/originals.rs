//! Originals of photos: that none is let go of which nobody else has, and that one which is asked for comes over several
//! links.
// Helpers outside #[test] functions unwrap as well: a failure is a failed test.
#![allow(clippy::unwrap_used)]

use node::blobs::storage;
use node::blobs::wanted::Size;
use node::office;
use node::stick::{self, Wishes};
use node::{Filter, Role, enrol};
use yanxiu_tests::photos::{add, files, here};
use yanxiu_tests::*;

const LATER: &str = "2026-06-01";

/// A county and a school with so many photos of one session; preview and copy of each are at the county.
async fn scene(photos: u32) -> (Place, Place) {
    let mut county = Place::county();
    let id = add_school(&county, "青石小学");
    let mut school = Place::school(&county, &id, "青石小学 电脑");
    let session = add_session(&school, "第３次研课磨课", "2025-10-09");
    for seed in 1..=photos {
        add(&school, &session, &files(seed * 10));
    }
    county.up().await;
    school.knows(&county);
    school.up().await;
    until(
        "previews and copies are at the county, and it is known",
        40,
        || {
            let here = here(&county);
            let gauge = storage::gauge(&school.node, LATER).unwrap();
            here.len() == photos as usize
                && here.iter().all(|h| h.preview && h.copy)
                && gauge.not_at_county.files == 0
                && gauge.only_here.files == u64::from(photos)
        },
    )
    .await;
    (county, school)
}

fn entries(place: &Place) -> Vec<String> {
    let found = place.node.records(&Filter::kind("evidence")).unwrap();
    found.into_iter().map(|record| record.id).collect()
}

fn has_original(place: &Place, entry: &str) -> bool {
    let found = office::photo(&place.node, entry, Size::Original);
    found.unwrap().is_some()
}

/// The receipt for the copy lets nothing of the original go.
#[tokio::test(flavor = "multi_thread")]
async fn an_original_goes_by_its_own_receipt_or_by_an_act_of_its_own() {
    let (mut county, mut school) = scene(3).await;
    let all = entries(&school);
    let originals = |place: &Place| all.iter().map(|id| has_original(place, id)).collect::<Vec<_>>();
    assert_eq!(storage::tidy(&school.node, LATER).unwrap().files, 0);
    assert_eq!(originals(&school), [true; 3]);

    // One is asked for and comes: its own receipt lets it go, and nothing else.
    office::ask_original(&county.node, &all[0]).unwrap();
    until("the school has its receipt", 40, || {
        storage::gauge(&school.node, LATER).unwrap().removable.files == 1
    })
    .await;
    assert!(has_original(&county, &all[0]));
    assert_eq!(
        storage::gauge(&school.node, "2025-10-09")
            .unwrap()
            .removable
            .files,
        0
    );
    assert_eq!(storage::tidy(&school.node, LATER).unwrap().files, 1);
    assert_eq!(originals(&school), [false, true, true]);

    // Another is asked for while the school pays by the byte: it does not come, and is not to be let go of by any act.
    school.down().await;
    school.metered = true;
    school.up().await;
    office::ask_original(&county.node, &all[1]).unwrap();
    until("the school knows of the wish", 40, || {
        storage::gauge(&school.node, LATER).unwrap().only_here.files == 1
    })
    .await;
    assert_eq!(storage::let_go(&school.node, LATER).unwrap().files, 1);
    assert_eq!(originals(&school), [false, true, false]);
    assert!(
        !has_original(&county, &all[1]),
        "over a link that is paid by the byte"
    );
    let left = storage::gauge(&school.node, LATER).unwrap();
    assert_eq!(
        (left.copies.files, left.previews.files),
        (3, 3),
        "what proves it stays"
    );
    school.down().await;
    school.metered = false;
    school.up().await;
    until("it comes with the next link that costs nothing", 40, || {
        has_original(&county, &all[1])
    })
    .await;
    school.down().await;
    county.down().await;
}

/// The school lets an original go on the receipt of an office computer, and no more once that computer was revoked: it may be
/// lost, and with it the only other one. The office itself lets nothing go, for that receipt is its word.
#[tokio::test(flavor = "multi_thread")]
async fn no_original_goes_on_the_word_of_a_revoked_office_nor_at_an_office() {
    let mut county = Place::county();
    let id = add_school(&county, "青石小学");
    let mut school = Place::school(&county, &id, "青石小学 电脑");
    let mut office = Place::device("教师发展中心 电脑");
    office.enrol(&county, &[(Role::County, String::new())]);
    let session = add_session(&school, "第３次研课磨课", "2025-10-09");
    add(&school, &session, &files(10));
    office.up().await;
    school.knows(&office);
    school.up().await;
    until("the office has the copy", 40, || {
        here(&office).iter().any(|h| h.copy)
    })
    .await;
    let entry = entries(&school).remove(0);
    office::ask_original(&office.node, &entry).unwrap();
    let removable = |place: &Place| storage::gauge(&place.node, LATER).unwrap().removable.files;
    until("the school has the receipt for the original", 40, || {
        removable(&school) == 1
    })
    .await;
    school.down().await;
    // The hub has it as well, and the office the hub's receipt.
    county.up().await;
    office.knows(&county);
    until("the hub has the record", 40, || entries(&county).len() == 1).await;
    office::ask_original(&county.node, &entry).unwrap();
    let record = school.node.record(&entry).unwrap().unwrap();
    let receipts = |place: &Place| {
        let sql = "SELECT COUNT(*) FROM blob_receipt WHERE name = ?";
        let count = |c: &store::Connection| Ok(c.query_row(sql, [record.text("original")], |r| r.get(0))?);
        place.node.read::<i64>(count).unwrap()
    };
    until("the office has the hub's receipt", 40, || receipts(&office) == 1).await;
    for place in [&mut office, &mut county] {
        place.down().await;
        let there = storage::gauge(&place.node, LATER).unwrap();
        assert_eq!(
            (
                there.originals.files,
                there.removable.files,
                there.only_here.files
            ),
            (1, 0, 0)
        );
        for clear in [storage::tidy, storage::let_go] {
            assert_eq!(clear(&place.node, LATER).unwrap().files, 0);
        }
        assert!(has_original(place, &entry));
    }

    enrol::revoke(&county.node, &office.node.id()).unwrap();
    let stick = tempfile::tempdir().unwrap();
    let everyone = Wishes {
        everyone: true,
        ..Wishes::default()
    };
    for place in [&county, &school] {
        let report = stick::exchange(&place.node, stick.path(), &everyone).unwrap();
        assert!(report.failed.is_empty() && report.all_written(), "{report:?}");
    }
    assert!(school.node.roll().is_revoked(&office.node.id()));
    assert_eq!(removable(&school), 0);
    assert_eq!(storage::tidy(&school.node, LATER).unwrap().files, 0);
    assert!(has_original(&school, &entry));
}

/// A damaged original is the only one that there is: it is not served, and not thrown away.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_original_is_put_aside() {
    let (mut county, mut school) = scene(1).await;
    let entry = entries(&school).remove(0);
    let name = school
        .node
        .record(&entry)
        .unwrap()
        .unwrap()
        .text("original")
        .to_owned();
    let path = school.node.dir().join("blobs").join(&name[4..6]).join(&name);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[70_000] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    office::ask_original(&county.node, &entry).unwrap();
    until("it was put aside", 40, || !path.exists()).await;
    assert_eq!(std::fs::read(path.with_extension("damaged")).unwrap(), bytes);
    assert!(!has_original(&county, &entry));
    school.down().await;
    county.down().await;
}

fn mentor_of(county: &Place, school: &Place) -> Place {
    let home = school.node.home_school().unwrap();
    let mentor = Place::device("陈老师 笔记本");
    mentor.enrol(
        county,
        &[
            (Role::Mentor, format!("m1/{home}")),
            (Role::MentorReader, home.clone()),
        ],
    );
    mentor
}

/// The county asks while the school has lost its network. A mentor takes the wish along, brings the original, and the school
/// learns by the next visit that it has arrived. A mentor who pays by the byte takes the wish and not the photo.
#[tokio::test(flavor = "multi_thread")]
async fn a_mentor_takes_the_wish_along_and_brings_the_original() {
    let (mut county, mut school) = scene(2).await;
    let mut mentor = mentor_of(&county, &school);
    school.down().await;
    let all = entries(&school);
    mentor.up().await;
    mentor.knows(&county);
    until("the mentor has the records", 40, || entries(&mentor).len() == 2).await;
    office::ask_original(&county.node, &all[0]).unwrap();
    let asked = |place: &Place| {
        let count = |c: &store::Connection| Ok(store::blobs::asked(c)?.len());
        place.node.read(count).unwrap()
    };
    until("the mentor knows of the wish", 40, || asked(&mentor) == 1).await;
    mentor.down().await;
    county.down().await;

    mentor.metered = true;
    school.up().await;
    mentor.knows(&school);
    mentor.up().await;
    until("the school knows of the wish", 40, || asked(&school) == 1).await;
    assert!(!has_original(&mentor, &all[0]));
    mentor.down().await;
    mentor.metered = false;
    mentor.up().await;
    until("the mentor has the original", 40, || {
        has_original(&mentor, &all[0])
    })
    .await;
    assert!(!has_original(&mentor, &all[1]), "nobody has asked for it");
    mentor.down().await;
    school.down().await;

    county.up().await;
    mentor.up().await;
    until("the county has it", 40, || has_original(&county, &all[0])).await;
    until("the mentor has its receipt, and the wish is gone", 40, || {
        asked(&mentor) == 0 && storage::gauge(&mentor.node, LATER).unwrap().removable.files >= 1
    })
    .await;
    mentor.down().await;
    county.down().await;
    school.up().await;
    mentor.up().await;
    until("the school may let it go", 40, || {
        storage::gauge(&school.node, LATER).unwrap().removable.files == 1
    })
    .await;
    mentor.down().await;
    school.down().await;
}

/// An auditor's computer never meets a school: the office asks for it, at the school's next contact.
#[tokio::test(flavor = "multi_thread")]
async fn the_office_fetches_what_an_auditor_asks_for() {
    let (mut county, mut school) = scene(1).await;
    let mut auditor = Place::device("审核员 笔记本");
    auditor.enrol(&county, &[(Role::Auditor, String::new())]);
    school.down().await;
    auditor.up().await;
    auditor.knows(&county);
    until("the auditor has the record", 40, || entries(&auditor).len() == 1).await;
    let entry = entries(&auditor).remove(0);
    office::ask_original(&auditor.node, &entry).unwrap();
    until("the office knows of the wish", 40, || {
        let count = |c: &store::Connection| Ok(store::blobs::asked(c)?.len());
        county.node.read(count).unwrap() == 1
    })
    .await;
    auditor.down().await;
    school.up().await;
    until("the office has it", 40, || has_original(&county, &entry)).await;
    school.down().await;
    auditor.up().await;
    until("the auditor has it", 40, || has_original(&auditor, &entry)).await;
    let file = |place: &Place| office::photo(&place.node, &entry, Size::Original).unwrap();
    assert_eq!(file(&auditor), file(&school));
    auditor.down().await;
    county.down().await;
}
