//! What only somebody else still holds: the county hears of a contradiction that it could not see itself, cuts,
//! and the device gets back what it had lost (found by the simulation, seeds 475, 992, 1526, 2282, 5041, 5343).
#![cfg(unix)]
// Helpers outside #[test] functions unwrap as well: a failure is a failed test.
#![allow(clippy::unwrap_used)]

use node::{Edit, Filter, Point, Value};
use yanxiu_tests::*;

/// The county settles its only case as its operator would.
async fn settle(county: &Place) {
    until("the county has the case", 30, || {
        !county.node.cases().unwrap().cases.is_empty()
    })
    .await;
    let cases = county.node.cases().unwrap().cases;
    assert_eq!(cases.len(), 1, "{cases:?}");
    assert!(cases[0].cut.is_none());
    let shown = county.node.evidence_file(&cases[0].id).unwrap().unwrap();
    assert_eq!(
        shown.matches("\ntip: ").count(),
        2,
        "both sides are signed: {shown}"
    );
    county.node.cut_case(&cases[0].id, Point::Stored).unwrap();
}

/// A neighbour alone has the lost branch, a shorter one than the county's, and never meets the device again.
#[tokio::test(flavor = "multi_thread")]
async fn what_only_a_neighbour_has_comes_back_by_way_of_the_county() {
    let mut county = Place::county();
    let home = add_school(&county, "青石小学");
    let mut school = Place::school(&county, &home, "青石小学 电脑");
    let mut neighbour = Place::school(&county, &home, "青石小学 第二台");
    county.up().await;
    for place in [&mut school, &mut neighbour] {
        place.knows(&county);
        place.up().await;
        at_county(place).await;
    }
    let knows_it = |n: &node::Node, other: &node::Node| n.roll().is_member(&other.id());
    until("they know each other", 20, || {
        knows_it(&school.node, &neighbour.node) && knows_it(&neighbour.node, &school.node)
    })
    .await;
    add_session(&school, "之前", "2025-10-01");
    at_county(&school).await;
    school.down().await;
    neighbour.down().await;
    let snapshot = school.copy();
    county.down().await;
    add_session(&school, "丢失的𬭊", "2025-10-02");
    neighbour.up().await;
    school.knows(&neighbour);
    school.up().await;
    until("the neighbour has it", 30, || {
        titles(&neighbour).contains(&"丢失的𬭊".into())
    })
    .await;
    school.down().await;
    neighbour.down().await;
    drop(school);

    let mut school = Place::set_back(snapshot);
    add_session(&school, "新写一", "2025-10-03");
    add_session(&school, "新写二", "2025-10-04");
    county.up().await;
    school.up().await;
    at_county(&school).await;
    school.down().await;
    assert_eq!(titles(&county), sorted(&["之前", "新写一", "新写二"]));
    // Who does not wish to stay hangs up, also when the two cannot be equal yet, and tries again.
    let in_vain = |place: &Place| -> u64 {
        let events = place.node.events(100).unwrap().into_iter();
        events
            .filter(|e| e.code == "still-different")
            .map(|e| e.count)
            .sum()
    };
    let before = in_vain(&neighbour);
    neighbour.up_and(false).await;
    until("two that differ have met twice", 30, || {
        in_vain(&neighbour) > before + 1
    })
    .await;
    settle(&county).await;
    let three = sorted(&["之前", "新写一", "新写二"]);
    until("the neighbour takes the county's branch", 30, || {
        titles(&neighbour) == three
    })
    .await;
    at_county(&neighbour).await;
    neighbour.down().await;

    school.up().await;
    let all = sorted(&["之前", "丢失的𬭊", "新写一", "新写二"]);
    until("the school says it again", 40, || {
        titles(&school) == all && titles(&county) == all
    })
    .await;
    at_county(&school).await;
    assert!(school.event_codes().contains(&"said-again".into()));
    // Once is enough, also for a hub that has just started and does not know what it has shown.
    let changes = |place: &Place| place.node.read(store::changes::last_local).unwrap();
    let before = changes(&school);
    county.down().await;
    county.up().await;
    add_session(&school, "照常", "2025-10-05");
    at_county(&school).await;
    assert_eq!(changes(&school), before + 1);
    school.down().await;
    county.down().await;
}

/// The second PC wrote on top of a branch that the county did not keep, and lost its work with its own state. A
/// third one, which has not met the county before, still has all of it; nobody stays longer than needed.
#[tokio::test(flavor = "multi_thread")]
async fn what_stood_on_anothers_lost_branch_comes_back_too() {
    let mut county = Place::county();
    let home = add_school(&county, "青石小学");
    let mut first = Place::school(&county, &home, "青石小学 电脑");
    let mut second = Place::school(&county, &home, "青石小学 第二台");
    let mut third = Place::school(&county, &home, "青石小学 第三台");
    for (a, b) in [(&first, &second), (&second, &third)] {
        county_tells(&county, a, b);
    }
    county_tells(&county, &first, &third);
    county.up_and(false).await;
    add_session(&first, "之前", "2025-10-01");
    for place in [&mut first, &mut second] {
        place.knows(&county);
        place.up_and(false).await;
        until("it has the first one", 20, || titles(place) == ["之前"]).await;
        at_county(place).await;
        place.down().await;
    }
    county.down().await;
    let (of_first, of_second) = (first.copy(), second.copy());
    let two = sorted(&["之前", "丢失的𬭊"]);
    let three = sorted(&["之前", "丢失的𬭊", "其上的㙇"]);
    add_session(&first, "丢失的𬭊", "2025-10-02");
    second.up_and(false).await;
    first.knows(&second);
    first.up_and(false).await;
    until("the second has it", 30, || titles(&second) == two).await;
    first.down().await;
    add_session(&second, "其上的㙇", "2025-10-03");
    third.knows(&second);
    third.up_and(false).await;
    until("the third has both", 30, || titles(&third) == three).await;
    for place in [&mut second, &mut third] {
        place.down().await;
    }
    drop((first, second));

    let (mut first, mut second) = (Place::set_back(of_first), Place::set_back(of_second));
    add_session(&first, "新写一", "2025-10-04");
    add_session(&first, "新写二", "2025-10-05");
    county.up_and(false).await;
    for place in [&mut first, &mut second] {
        place.up_and(false).await;
        at_county(place).await;
    }
    third.knows(&county);
    third.up_and(false).await;
    settle(&county).await;
    let all = sorted(&["之前", "丢失的𬭊", "其上的㙇", "新写一", "新写二"]);
    until("both have said it again", 60, || {
        [&county, &first, &second, &third]
            .iter()
            .all(|p| titles(p) == all)
    })
    .await;
    assert!(second.event_codes().contains(&"said-again".into()));
    for mut place in [first, second, third, county] {
        place.down().await;
    }
}

fn notice(place: &Place, title: &str) {
    let fields = vec![
        ("_kind".into(), Some(Value::from("circular/1"))),
        ("title".into(), Some(Value::from(title))),
    ];
    let id = place.node.new_id();
    place.node.commit("plan/2025", vec![Edit { id, fields }]).unwrap();
}

fn notices(place: &Place) -> Vec<String> {
    let records = place.node.records(&Filter::kind("circular")).unwrap();
    let mut all: Vec<String> = records
        .iter()
        .filter_map(|r| Some(r.fields.get("title")?.as_text()?.to_string()))
        .collect();
    all.sort();
    all
}

/// The hub itself was set back. It mends its own documents, and hears from the school that holds the branch
/// which it left that somebody does, so that it can cut.
#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_was_set_back_settles_its_own_contradiction() {
    let mut county = Place::county();
    let (first, second) = (add_school(&county, "青石小学"), add_school(&county, "白沙小学"));
    let mut a = Place::school(&county, &first, "青石小学 电脑");
    let mut b = Place::school(&county, &second, "白沙小学 电脑");
    notice(&county, "之前");
    county.up().await;
    let address = county.address();
    a.knows(&county);
    b.knows(&county);
    for place in [&mut a, &mut b] {
        place.up().await;
        until("the notice is there", 30, || notices(place) == ["之前"]).await;
        place.down().await;
    }
    county.down().await;
    let snapshot = county.copy();
    notice(&county, "丢失一");
    notice(&county, "丢失二");
    county.up_at(&address).await;
    a.up().await;
    until("the first school has both", 30, || notices(&a).len() == 3).await;
    a.down().await;
    county.down().await;
    drop(county);

    let mut county = Place::set_back(snapshot);
    notice(&county, "新写");
    county.up_at(&address).await;
    b.up().await;
    until("the second school has the other branch", 30, || {
        notices(&b) == sorted(&["之前", "新写"])
    })
    .await;
    b.down().await;
    a.up().await;
    let all = sorted(&["之前", "丢失一", "丢失二", "新写"]);
    until("the hub has mended itself", 30, || {
        notices(&county) == all && notices(&a) == all
    })
    .await;
    assert!(
        county.node.cases().unwrap().cases.is_empty(),
        "nobody was shown to hold it"
    );
    b.up().await;
    settle(&county).await;
    until("all are equal", 30, || {
        notices(&b) == all && notices(&county) == all
    })
    .await;
    notice(&county, "照常");
    until("work goes on", 30, || {
        notices(&a).len() == 5 && notices(&b).len() == 5
    })
    .await;
    for place in [&mut a, &mut b, &mut county] {
        place.down().await;
    }
}
