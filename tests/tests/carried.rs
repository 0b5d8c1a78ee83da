//! Records of a school without any way to the county, carried by whoever comes by: sealed on one link, handed over on
//! another, and the answer brought back.
// Helpers outside #[test] functions unwrap as well: a failure is a failed test.
#![allow(clippy::unwrap_used)]

use node::{Filter, mail, office};
use yanxiu_tests::*;

/// Whether any file of a data directory holds these bytes.
fn on_disk(place: &Place, text: &str) -> bool {
    fn look(dir: &std::path::Path, wanted: &[u8]) -> bool {
        std::fs::read_dir(dir).unwrap().flatten().any(|entry| {
            let path = entry.path();
            if path.is_dir() {
                return look(&path, wanted);
            }
            let bytes = std::fs::read(&path).unwrap_or_default();
            bytes.windows(wanted.len()).any(|part| part == wanted)
        })
    }
    look(place.node.dir(), text.as_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_neighbour_carries_what_it_cannot_read_and_brings_the_answer_back() {
    let mut county = Place::county();
    let far = add_school(&county, "云雾小学");
    let near = add_school(&county, "青石小学");
    let mut a = Place::school(&county, &far, "云雾小学 电脑");
    let mut b = Place::school(&county, &near, "青石小学 电脑");
    add_session(&a, "雪天里的第㙇次研课", "2026-01-07");
    add_session(&a, "停电后补记", "2026-01-08");

    // A and B on one network, without the county.
    a.up().await;
    b.knows(&a);
    b.up().await;
    until("B carries a bundle for the county", 40, || {
        mail::list(&b.node)
            .unwrap()
            .iter()
            .any(|item| item.to == county.node.id())
    })
    .await;
    assert_eq!(titles(&b), Vec::<String>::new());
    for text in ["雪天里的", "停电后补记"] {
        assert!(on_disk(&a, text), "the search would find it");
        assert!(!on_disk(&b, text), "B could read {text}");
    }
    assert_eq!(a.node.not_at_county().unwrap(), 2);
    a.down().await;
    b.down().await;

    // B reaches the county.
    county.up().await;
    b.knows(&county);
    b.up().await;
    let all = sorted(&["停电后补记", "雪天里的第㙇次研课"]);
    until("the county has them", 40, || titles(&county) == all).await;
    until("B carries the answer, and the bundle no longer", 40, || {
        let items = mail::list(&b.node).unwrap();
        items.iter().any(|item| item.to == a.node.id()) && items.iter().all(|item| item.from != a.node.id())
    })
    .await;
    b.down().await;
    county.down().await;

    // The next time that A and B see one another.
    a.up().await;
    b.up().await;
    until("A knows that its records are at the county", 40, || {
        a.node.not_at_county().unwrap() == 0
    })
    .await;
    for session in a.node.records(&Filter::kind("session")).unwrap() {
        assert_eq!(session.way, node::Way::AtCounty);
    }
    a.down().await;
    b.down().await;
}

/// A bulletin passes from neighbour to neighbour. That it was read goes back sealed, with whoever comes by; the county
/// then knows it of a school that it has never met.
#[tokio::test(flavor = "multi_thread")]
async fn a_bulletin_comes_by_a_neighbour_and_the_reading_goes_back_with_it() {
    let mut county = Place::county();
    let far = add_school(&county, "云雾小学");
    let near = add_school(&county, "青石小学");
    let mut a = Place::school(&county, &far, "云雾小学 电脑");
    let mut b = Place::school(&county, &near, "青石小学 电脑");
    let id = issued_bulletin(&county);
    county.up().await;
    b.knows(&county);
    b.up().await;
    let has = |place: &Place| office::bulletins(&place.node).unwrap().iter().any(|x| x.id == id);
    until("B has the bulletin", 40, || has(&b)).await;
    b.down().await;
    county.down().await;

    a.up().await;
    b.knows(&a);
    b.up().await;
    until("A has it from B", 40, || has(&a)).await;
    b.down().await;
    office::read_bulletin(&a.node, &clerk(), &id, "2025-10-22").unwrap();
    b.up().await;
    until("B carries what A says", 40, || {
        let items = mail::list(&b.node).unwrap();
        items.iter().any(|item| item.from == a.node.id())
    })
    .await;
    assert_eq!(b.node.count(&Filter::kind("bulletin_read")).unwrap(), 0);
    a.down().await;
    b.down().await;

    county.up().await;
    b.up().await;
    let reach = || office::reach(&county.node, &[&id]).unwrap().remove(0);
    until("the county knows that it was read", 40, || {
        !reach().read.is_empty()
    })
    .await;
    let (name, first) = reach().read.remove(0);
    assert_eq!((name.as_str(), first.on.as_str()), ("云雾小学", "2025-10-22"));
    until("B has acknowledged it and has not read it", 40, || {
        reach().missing.is_empty() && reach().unread == ["青石小学"]
    })
    .await;
    b.down().await;
    county.down().await;
}

/// A mentor takes the records along as they are; the county's receipt comes back with the next visit.
#[tokio::test(flavor = "multi_thread")]
async fn a_mentor_brings_the_countys_receipt_back_on_the_next_visit() {
    let mut county = Place::county();
    let far = add_school(&county, "云雾小学");
    let mut a = Place::school(&county, &far, "云雾小学 电脑");
    let mut mentor = Place::device("送教一组 笔记本");
    mentor.enrol(
        &county,
        &[
            (node::Role::Mentor, format!("m1/{far}")),
            (node::Role::MentorReader, far.clone()),
        ],
    );
    add_session(&a, "雪天里的第㙇次研课", "2026-01-07");
    a.up().await;
    mentor.knows(&a);
    mentor.up().await;
    until("the mentor has the session", 40, || titles(&mentor).len() == 1).await;
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    assert!(
        mail::list(&mentor.node).unwrap().is_empty(),
        "sealed besides, for nothing"
    );
    assert_eq!(a.node.not_at_county().unwrap(), 1);
    a.down().await;
    mentor.down().await;

    county.up().await;
    mentor.knows(&county);
    mentor.up().await;
    until("the county has the session", 40, || titles(&county).len() == 1).await;
    until("the mentor carries the county's answer", 40, || {
        mail::list(&mentor.node)
            .unwrap()
            .iter()
            .any(|item| item.to == a.node.id())
    })
    .await;
    mentor.down().await;
    county.down().await;

    a.up().await;
    mentor.up().await;
    until("A knows that its record is at the county", 40, || {
        a.node.not_at_county().unwrap() == 0
    })
    .await;
    a.down().await;
    mentor.down().await;
}

/// Who has just met the county hands nothing to the neighbours, and a metered connection carries nothing for others.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_carried_without_need_or_on_a_metered_connection() {
    let mut county = Place::county();
    let far = add_school(&county, "云雾小学");
    let near = add_school(&county, "青石小学");
    let mut a = Place::school(&county, &far, "云雾小学 电脑");
    let mut b = Place::school(&county, &near, "青石小学 电脑");
    county.up().await;
    a.knows(&county);
    a.up().await;
    until("A has met the county", 30, || {
        a.node.peers().unwrap().iter().any(|p| p.in_sync_at.is_some())
    })
    .await;
    county.down().await;
    a.down().await;
    add_session(&a, "等县里", "2026-01-07");
    a.up().await;
    b.knows(&a);
    b.up().await;
    until("the neighbours have met", 30, || {
        b.node
            .peers()
            .unwrap()
            .iter()
            .any(|p| p.node == a.node.id() && p.in_sync_at.is_some())
    })
    .await;
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    assert!(mail::list(&b.node).unwrap().is_empty());
    b.down().await;
    a.down().await;

    // Another school that has never met it, and a courier who pays by the byte.
    let third = add_school(&county, "白沙小学");
    let mut c = Place::school(&county, &third, "白沙小学 电脑");
    add_session(&c, "没有网", "2026-01-07");
    b.metered = true;
    c.up().await;
    b.knows(&c);
    b.up().await;
    until("they have met", 30, || {
        b.node
            .peers()
            .unwrap()
            .iter()
            .any(|p| p.node == c.node.id() && p.in_sync_at.is_some())
    })
    .await;
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    assert!(mail::list(&b.node).unwrap().is_empty());
    b.down().await;
    c.down().await;
}
