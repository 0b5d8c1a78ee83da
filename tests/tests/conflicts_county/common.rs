//! What the scenarios share.

use node::Role;
use node::office::{self, CardView, TeacherInput};
use records::kinds::Actor;
use yanxiu_tests::*;

/// Decides on everything that waits.
pub fn recognise_all(county: &Place, on: &str) -> usize {
    let queue = office::audit_queue(&county.node, 1000).unwrap();
    for claim in &queue {
        recognise(county, &claim.id, on).unwrap();
    }
    queue.len()
}

/// Places come together until each has what it may read, and part again.
pub async fn meet(county: &mut Place, others: &mut [&mut Place]) {
    county.up().await;
    for place in others.iter_mut() {
        place.knows(county);
        place.up().await;
    }
    for place in others.iter() {
        until("both sides hold the same", 30, || {
            (place.node.is_auditor() || place.node.not_at_county().unwrap() == 0)
                && in_step(&place.node, &county.node)
                && nothing_waits(county, place)
                && place.node.views_behind().unwrap() == 0
        })
        .await;
    }
    until("the county's pages show it", 20, || {
        county.node.views_behind().unwrap() == 0
    })
    .await;
    for place in others.iter_mut() {
        place.down().await;
    }
    county.down().await;
}

/// Whether the county has sent a place all that it may read.
fn nothing_waits(county: &Place, place: &Place) -> bool {
    let peers = county.node.peers().unwrap();
    peers
        .iter()
        .any(|o| o.node == place.node.id() && o.waiting.0 == 0)
}

/// Whether every document that the smaller one holds has the same heads at the county, and the county has no
/// ledger, plan or registry that it lacks.
pub fn in_step(place: &node::Node, county: &node::Node) -> bool {
    let heads = |node: &node::Node| {
        node.read(|c| {
            let mut all = std::collections::BTreeMap::new();
            for d in store::changes::documents(c)? {
                all.insert(d.key.to_string(), store::changes::heads(c, d.id)?);
            }
            Ok(all)
        })
        .unwrap()
    };
    let (here, there) = (heads(place), heads(county));
    let home = place.home_school().unwrap_or_default();
    let mine = |key: &String| {
        place.is_auditor()
            || key == "registry"
            || key.starts_with("plan/")
            || key.starts_with("group/")
            || (!home.is_empty() && key.contains(&home))
    };
    here.iter().all(|(key, heads)| there.get(key) == Some(heads))
        && there
            .iter()
            .filter(|(key, _)| mine(key))
            .all(|(key, heads)| here.get(key) == Some(heads))
}

/// A mentor's laptop, assigned to a school.
pub fn mentor(county: &Place, school: &str) -> Place {
    let place = Place::device("送教专家 笔记本");
    let reads = (Role::MentorReader, school.to_owned());
    place.enrol(county, &[(Role::Mentor, format!("m01/{school}")), reads]);
    place
}

/// What a mentor writes down of the second week of June.
pub fn visit_sheet(mentor: &Place, school: &str, theme: &str) -> String {
    let values = [
        ("host", school),
        ("visit_kind", "delivery"),
        ("theme", theme),
        ("from", "2026-06-08"),
        ("to", "2026-06-12"),
        ("lessons", "6"),
        ("summary", "听课六节，逐一评议"),
    ];
    enter(mentor, Actor::Mentor, "visit", &values).unwrap()
}

pub fn card(place: &Place, person: &str) -> CardView {
    office::credit_card(&place.node, person).unwrap().unwrap()
}

pub fn teacher_from(place: &Place, name: &str, code: &str, from: &str, title: &str) -> String {
    let school = place.node.home_school().unwrap();
    let input = TeacherInput {
        teacher_code: code.into(),
        name: name.into(),
        sex: "2".into(),
        birth_year: Some(1988),
        status: "serving".into(),
        post: "teacher".into(),
        title: title.into(),
        subject: "数学".into(),
        stage: "primary".into(),
        from: from.into(),
        ..TeacherInput::default()
    };
    office::save_teacher(&place.node, &clerk(), &school, None, input).unwrap()
}

/// The names on the strength of a school on a day, as a place's roster page shows them.
pub fn strength(place: &Place, school: &str, day: &str) -> Vec<String> {
    let mut names: Vec<String> = office::roster(&place.node, school)
        .unwrap()
        .into_iter()
        .filter(|teacher| teacher.on_strength(day))
        .map(|teacher| teacher.name)
        .collect();
    names.sort();
    names
}

pub fn teachers_at(county: &Place, school: &str, day: &str) -> u64 {
    let rows = office::schools_on(&county.node, day).unwrap();
    rows.into_iter().find(|row| row.id == school).unwrap().teachers
}

/// A county, two schools, and a teacher of the first who is ordered to the second from 2026-09-01 on. Both have
/// answered, and the order is in effect; the first school has not heard of that yet.
pub struct Transfer {
    pub county: Place,
    pub old: Place,
    pub new: Place,
    pub old_school: String,
    pub new_school: String,
    /// Her record at each.
    pub at_old: String,
    pub at_new: String,
}

pub async fn transfer() -> Transfer {
    let mut county = Place::county();
    let old_school = add_school(&county, "青石小学");
    let new_school = add_school(&county, "石门村小");
    let mut old = Place::school(&county, &old_school, "青石小学 电脑");
    let mut new = Place::school(&county, &new_school, "石门村小 电脑");
    let at_old = teacher_from(&old, "欧阳㙇", "T００1", "2020-09-01", "second");
    add_teacher(&old, "张三", "T002");
    add_teacher(&new, "李四", "T003");
    held_session(
        &old,
        "师德专题：《新时代教师职业行为十项准则》",
        "2026-05-10",
        std::slice::from_ref(&at_old),
    );
    meet(&mut county, &mut [&mut old, &mut new]).await;
    assert_eq!(recognise_all(&county, "2026-06-01"), 1);

    let order = [
        ("order_no", "云教调〔2026〕１２号"),
        ("person", &at_old),
        ("person_label", "T００1"),
        ("from", &old_school),
        ("to", &new_school),
        ("reason", "transfer"),
        ("effective", "2026-09-01"),
        ("ordered_on", "2026-07-15"),
    ];
    let order = enter(&county, Actor::Auditor, "transfer_order", &order).unwrap();
    meet(&mut county, &mut [&mut old, &mut new]).await;

    // Each school answers without a network.
    let release = [
        ("about", order.as_str()),
        ("answer", "released"),
        ("date", "2026-07-20"),
    ];
    enter(&old, Actor::Clerk, "transfer_release", &release).unwrap();
    let at_new = teacher_from(&new, "欧阳㙇", "T００1", "2026-09-01", "first");
    let copy = office::entries(&new.node, "transfer_order", None, 10).unwrap();
    assert_eq!(copy.len(), 1);
    let accept = [
        ("about", copy[0].id.as_str()),
        ("answer", "accepted"),
        ("person", &at_new),
        ("date", "2026-07-22"),
    ];
    enter(&new, Actor::Clerk, "transfer_accept", &accept).unwrap();
    meet(&mut county, &mut [&mut old, &mut new]).await;
    step(&county, Actor::Auditor, "transfer_order", &order, "effective", "").unwrap();
    meet(&mut county, &mut [&mut new]).await;
    Transfer {
        county,
        old,
        new,
        old_school,
        new_school,
        at_old,
        at_new,
    }
}
