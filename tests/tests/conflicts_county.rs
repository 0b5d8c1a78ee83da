//! Conflicts of domain.md §3.5 that the county settles, between nodes that were really apart: rows 6, 7, 8, 13, 15,
//! 19, 21 and 23.

// Helpers outside #[test] functions unwrap as well: a failure is a failed test.
#![allow(clippy::unwrap_used)]

use node::office::{self, CardView, EntryInput, TeacherInput};
use node::{Edit, Role, Value};
use records::kinds::Actor;
use yanxiu_tests::*;

/// Enters a record of any kind as the generic form does.
fn enter(place: &Place, actor: Actor, kind: &str, values: &[(&str, &str)]) -> Result<String, node::Error> {
    let by = match actor {
        Actor::Auditor | Actor::County => auditor(),
        _ => clerk(),
    };
    let kinds = place.node.kinds();
    let form = kinds.latest(kind).unwrap();
    let value = |name: &str, text: &str| match form.field(name).map(|field| field.field_type) {
        Some(
            records::kinds::FieldType::Int
            | records::kinds::FieldType::Hundredths
            | records::kinds::FieldType::Year,
        ) => Value::from(text.parse::<i64>().unwrap()),
        _ => Value::from(text),
    };
    let input = EntryInput {
        kind: kind.into(),
        id: None,
        values: values
            .iter()
            .map(|(name, text)| ((*name).to_string(), Some(value(name, text))))
            .collect(),
    };
    office::save_entry(&place.node, &by, actor, input)
}

fn step(
    place: &Place,
    actor: Actor,
    kind: &str,
    id: &str,
    to: &str,
    reason: &str,
) -> Result<(), node::Error> {
    office::take_step(&place.node, &auditor(), actor, kind, id, to, reason)
}

/// Decides on everything that waits.
fn recognise_all(county: &Place, on: &str) -> usize {
    let queue = office::audit_queue(&county.node, 1000).unwrap();
    for claim in &queue {
        office::decide(
            &county.node,
            &auditor(),
            &claim.id,
            "recognised",
            None,
            "",
            "",
            on,
        )
        .unwrap();
    }
    queue.len()
}

/// Places come together until each has what it may read, and part again.
async fn meet(county: &mut Place, others: &mut [&mut Place]) {
    county.up().await;
    for place in others.iter_mut() {
        place.knows(county);
        place.up().await;
    }
    for place in others.iter() {
        until("both sides hold the same", 30, || {
            (place.node.is_auditor() || place.node.not_at_county().unwrap() == 0)
                && in_step(&place.node, &county.node)
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

/// Whether every document that the smaller one holds has the same heads at the county, and the county has no
/// ledger, plan or registry that it lacks.
fn in_step(place: &node::Node, county: &node::Node) -> bool {
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

fn card(place: &Place, person: &str) -> CardView {
    office::credit_card(&place.node, person).unwrap().unwrap()
}

fn teacher_from(place: &Place, name: &str, code: &str, from: &str, title: &str) -> String {
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
fn strength(place: &Place, school: &str, day: &str) -> Vec<String> {
    let mut names: Vec<String> = office::roster(&place.node, school)
        .unwrap()
        .into_iter()
        .filter(|teacher| teacher.on_strength(day))
        .map(|teacher| teacher.name)
        .collect();
    names.sort();
    names
}

fn teachers_at(county: &Place, school: &str, day: &str) -> u64 {
    let rows = office::schools_on(&county.node, day).unwrap();
    rows.into_iter().find(|row| row.id == school).unwrap().teachers
}

/// A county, two schools, and a teacher of the first who is ordered to the second from 2026-09-01 on. Both have
/// answered, and the order is in effect; the first school has not heard of that yet.
struct Transfer {
    county: Place,
    old: Place,
    new: Place,
    old_school: String,
    new_school: String,
    /// Her record at each.
    at_old: String,
    at_new: String,
}

async fn transfer() -> Transfer {
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

/// Row 6. Transfer on 1 September; the old school records an August session in October.
#[tokio::test(flavor = "multi_thread")]
async fn row_06_hours_follow_the_person_and_the_old_school_stays_the_author() {
    let Transfer {
        mut county,
        mut old,
        mut new,
        old_school,
        new_school,
        at_old,
        at_new,
    } = transfer().await;
    // What was recognised before the transfer is on the card at the new school, which reads nothing of the old one.
    assert_eq!(card(&new, &at_new).card.total_c, 40);
    assert!(new.node.record(&at_old).unwrap().is_none());
    assert_eq!(card(&new, &at_new).lines[0].school_name, "青石小学");

    // Both apart: the old school, which has not heard that the order is in effect, enters the August session in
    // October; the new one holds a session of its own.
    let august = held_session(&old, "暑期集中备课", "2026-08-28", std::slice::from_ref(&at_old));
    held_session(
        &new,
        "第１次校本研修",
        "2026-10-09",
        std::slice::from_ref(&at_new),
    );
    meet(&mut county, &mut [&mut old, &mut new]).await;
    assert_eq!(recognise_all(&county, "2026-10-20"), 2);
    meet(&mut county, &mut [&mut old, &mut new]).await;

    // Three sessions of 0.4 credits, whichever of the two names is asked for, and wherever the person is now.
    for (place, person) in [(&county, &at_old), (&county, &at_new), (&new, &at_new)] {
        let view = card(place, person);
        assert_eq!(view.card.total_c, 120, "the five-year total is not reset");
        assert_eq!(view.teacher.id, at_new);
        let mut shown: Vec<(&str, &str)> = view
            .lines
            .iter()
            .map(|line| (line.school_name.as_str(), line.date.as_str()))
            .collect();
        shown.sort();
        assert_eq!(
            shown,
            [
                ("石门村小", "2026-10-09"),
                ("青石小学", "2026-05-10"),
                ("青石小学", "2026-08-28")
            ]
        );
    }
    // The old school sees its own two, and where she went.
    let there = card(&old, &at_old);
    assert_eq!(there.card.total_c, 80);
    assert_eq!(
        there.teacher.whereabouts.went,
        Some(("2026-09-01".into(), "石门村小".into()))
    );
    // The effective date decides the school in rosters and reports.
    for place in [&county, &old] {
        assert_eq!(strength(place, &old_school, "2026-08-31"), ["张三", "欧阳㙇"]);
        assert_eq!(strength(place, &old_school, "2026-09-01"), ["张三"]);
    }
    for place in [&county, &new] {
        assert_eq!(strength(place, &new_school, "2026-08-31"), ["李四"]);
        assert_eq!(strength(place, &new_school, "2026-09-01"), ["李四", "欧阳㙇"]);
    }
    assert_eq!(teachers_at(&county, &old_school, "2026-08-31"), 2);
    assert_eq!(teachers_at(&county, &old_school, "2026-09-01"), 1);
    assert_eq!(teachers_at(&county, &new_school, "2026-08-31"), 1);
    assert_eq!(teachers_at(&county, &new_school, "2026-09-01"), 2);
    // The August session is still the old school's, and its sheet has her; one of September has not.
    let record = county.node.record(&august).unwrap().unwrap();
    assert_eq!(record.school.as_deref(), Some(old_school.as_str()));
    let named = |session: &str| {
        let detail = office::session(&old.node, session).unwrap().unwrap();
        detail.marks.iter().any(|mark| mark.person == at_old)
    };
    assert!(named(&august));
    let later = add_session(&old, "九月例会", "2026-09-17");
    assert!(!named(&later));
    let earlier = add_session(&old, "八月例会", "2026-08-20");
    assert!(named(&earlier));
    // A decision that is renewed with less is brought over with less.
    let claim = office::claims(&county.node, Some(&old_school), 10).unwrap();
    let claim = claim.iter().find(|claim| claim.session == august).unwrap();
    office::decide(
        &county.node,
        &auditor(),
        &claim.id,
        "rejected",
        None,
        "no_evidence",
        "",
        "2026-11-01",
    )
    .unwrap();
    meet(&mut county, &mut [&mut new]).await;
    assert_eq!(card(&new, &at_new).card.total_c, 80);
}

/// Row 15. The same new teacher registered by two schools offline; one session stands at both.
#[tokio::test(flavor = "multi_thread")]
async fn row_15_one_teacher_entered_by_two_schools_is_one_record() {
    let mut county = Place::county();
    let (a_school, b_school) = (add_school(&county, "双河学校"), add_school(&county, "白马村小"));
    let mut a = Place::school(&county, &a_school, "双河 电脑");
    let mut b = Place::school(&county, &b_school, "白马 电脑");
    let at_a = teacher_from(&a, "𬭊小雨", "N2025007", "2025-09-01", "none");
    let at_b = teacher_from(&b, "𬭊小雨", "N2025007", "2025-09-01", "none");
    held_session(
        &a,
        "新教师岗前培训（一）",
        "2025-09-10",
        std::slice::from_ref(&at_a),
    );
    let both = held_session(&a, "县新教师见面会", "2025-09-12", std::slice::from_ref(&at_a));
    held_session(&b, "师徒结对", "2025-09-15", std::slice::from_ref(&at_b));
    // The second school has the record of the joint session from the first one's file: it is the same session.
    let copied = a.node.record(&both).unwrap().unwrap();
    let mut fields: Vec<(String, Option<Value>)> = copied
        .fields
        .into_iter()
        .map(|(name, value)| (name, Some(value)))
        .collect();
    fields.retain(|(name, _)| name != "state");
    fields.push(("state".into(), Some(Value::from("draft"))));
    let edit = Edit {
        id: both.clone(),
        fields,
    };
    b.node
        .commit(&format!("log/{b_school}/2025"), vec![edit])
        .unwrap();
    office::mark_attendance(&b.node, &clerk(), &both, &[(at_b.clone(), "present".into())]).unwrap();
    office::end_session(&b.node, &clerk(), &both).unwrap();
    office::register_claims(&b.node, &clerk(), &both, "2025-09-12").unwrap();

    meet(&mut county, &mut [&mut a, &mut b]).await;
    assert_eq!(recognise_all(&county, "2025-10-01"), 4);
    // Two people so far, and counted twice; the county is shown that they look alike.
    assert_eq!(card(&county, &at_a).card.total_c, 80);
    assert_eq!(card(&county, &at_b).card.total_c, 80);
    let alike = office::maybe_same(&county.node).unwrap();
    assert_eq!(alike.len(), 1);
    assert_eq!(
        [&alike[0][0].person, &alike[0][1].person].map(|p| p == &at_a || p == &at_b),
        [true; 2]
    );
    assert!(
        office::declare_same(
            &a.node,
            &clerk(),
            (&b_school, &at_b),
            (&a_school, &at_a),
            "2025-10-08",
            ""
        )
        .unwrap_err()
        .zh()
        .contains("由县里认定")
    );

    let act = office::declare_same(
        &county.node,
        &auditor(),
        (&b_school, &at_b),
        (&a_school, &at_a),
        "2025-10-08",
        "报到证在双河学校",
    )
    .unwrap();
    assert!(office::maybe_same(&county.node).unwrap().is_empty());
    meet(&mut county, &mut [&mut a, &mut b]).await;

    // Three sessions, the joint one once, under both names and at the school that is kept.
    for (place, person) in [(&county, &at_a), (&county, &at_b), (&a, &at_a)] {
        let view = card(place, person);
        assert_eq!(view.card.total_c, 120);
        assert_eq!(view.teacher.id, at_a);
    }
    // Both histories are kept, each at its author's.
    assert_eq!(card(&county, &at_a).lines.len(), 4);
    assert_eq!(office::claims(&b.node, None, 10).unwrap().len(), 2);
    // On one strength alone.
    assert_eq!(strength(&county, &a_school, "2025-10-08"), ["𬭊小雨"]);
    assert!(strength(&county, &b_school, "2025-10-08").is_empty());
    assert!(strength(&b, &b_school, "2025-10-08").is_empty());
    let shown = office::teacher(&b.node, &at_b).unwrap().unwrap();
    assert_eq!(shown.whereabouts.kept_at.as_deref(), Some("双河学校"));
    assert_eq!(teachers_at(&county, &a_school, "2025-10-08"), 1);
    assert_eq!(teachers_at(&county, &b_school, "2025-10-08"), 0);

    // Withdrawn, they are two again, and what was brought over goes.
    step(
        &county,
        Actor::County,
        "same_person",
        &act,
        "withdrawn",
        "查明是同名两人",
    )
    .unwrap();
    meet(&mut county, &mut [&mut a]).await;
    assert_eq!(card(&a, &at_a).card.total_c, 80);
    assert_eq!(card(&county, &at_b).card.total_c, 80);
}

/// A school writes a closing itself, past the pages: neither its log nor the ledger takes it.
fn closes_by_itself(place: &Place, school: &str) {
    let values = [
        ("_kind", Value::from("year_close/1")),
        ("title", Value::from("2026-2027 学年")),
        ("year", Value::from(2026)),
        ("closed_on", Value::from("2027-08-31")),
        ("people", Value::from(1)),
        ("hours_c", Value::from(99_900)),
        ("credits_c", Value::from(9_990)),
        ("cut", Value::from("00")),
        ("state", Value::from("closed")),
    ];
    for document in ["log", "ledger"] {
        let edit = Edit {
            id: place.node.new_id(),
            fields: values
                .clone()
                .map(|(name, value)| (name.to_string(), Some(value)))
                .into(),
        };
        let refused = place
            .node
            .commit(&format!("{document}/{school}/2026"), vec![edit]);
        assert!(refused.is_err(), "{document}");
    }
}

/// Row 8. Both schools try to close the year of the same teacher; two offices of the county close it apart.
#[tokio::test(flavor = "multi_thread")]
async fn row_08_a_year_is_closed_by_the_county_and_once_for_each_teacher() {
    let Transfer {
        mut county,
        mut old,
        mut new,
        old_school,
        new_school,
        at_old,
        at_new,
    } = transfer().await;
    // In 2026-2027 she is at both: an open lesson at the old school that its clerk entered, and two at the new one.
    held_session(
        &old,
        "毕业班工作移交",
        "2026-09-02",
        std::slice::from_ref(&at_old),
    );
    held_session(
        &new,
        "第１次校本研修",
        "2026-10-09",
        std::slice::from_ref(&at_new),
    );
    held_session(
        &new,
        "第２次校本研修",
        "2026-11-13",
        std::slice::from_ref(&at_new),
    );
    for (place, school) in [(&old, &old_school), (&new, &new_school)] {
        let refused = office::close_year(&place.node, &clerk(), school, 2026, "2027-08-31");
        assert_eq!(refused.unwrap_err().zh(), "学年由县里结账，学校不能结");
        closes_by_itself(place, school);
    }
    meet(&mut county, &mut [&mut old, &mut new]).await;
    assert!(
        office::closings(&county.node).unwrap().is_empty(),
        "no school closes anything"
    );
    let early = office::close_year(&county.node, &auditor(), &new_school, 2026, "2027-09-10");
    assert_eq!(early.unwrap_err().zh(), "还有 2 条登分没有审核，审完再结账");
    recognise_all(&county, "2027-07-01");

    // A second office of the county, with all records; then both are apart and close the year.
    let mut second = Place::device("县师训科 二室");
    second.enrol(
        &county,
        &[(Role::Auditor, String::new()), (Role::County, String::new())],
    );
    meet(&mut county, &mut [&mut second]).await;
    let first = office::close_year(&county.node, &auditor(), &new_school, 2026, "2027-09-10").unwrap();
    office::close_year(&second.node, &auditor(), &new_school, 2026, "2027-09-10").unwrap();
    office::close_year(&county.node, &auditor(), &old_school, 2026, "2027-09-10").unwrap();
    meet(&mut county, &mut [&mut second, &mut old, &mut new]).await;

    for place in [&county, &second] {
        let all = office::closings(&place.node).unwrap();
        assert_eq!(all.len(), 2, "one of each school");
        assert!(
            all.iter()
                .all(|closing| !closing.differ && closing.reopened.is_none())
        );
    }
    // One statement of hers, at the school where she is on the last day, with the hours of both.
    let there = office::closings(&county.node).unwrap();
    let of = |school: &str| there.iter().find(|closing| closing.school == school).unwrap();
    let lines = office::statements(&county.node, &of(&new_school).id).unwrap();
    let hers = lines.iter().find(|line| line.person == at_new).unwrap();
    assert_eq!((hers.hours_c, hers.credits_c, hers.elsewhere_c), (1200, 120, 400));
    assert_eq!(hers.name, "欧阳㙇");
    let lines = office::statements(&county.node, &of(&old_school).id).unwrap();
    assert_eq!(
        lines.iter().map(|line| line.name.as_str()).collect::<Vec<_>>(),
        ["张三"]
    );
    // Each school is shown its own.
    assert_eq!(office::closings(&old.node).unwrap()[0].school, old_school);
    assert_eq!(office::closings(&new.node).unwrap().len(), 1);
    assert_eq!(office::closings(&new.node).unwrap()[0].hours_c, 1200);

    // Reopened and closed again by one, while the other, apart, does so on other records: both are shown, until
    // one is reopened.
    for place in [&county, &second] {
        let again = office::close_year(&place.node, &auditor(), &new_school, 2026, "2027-09-11");
        assert_eq!(again.unwrap_err().zh(), "这一学年已经结账");
    }
    let reopen = |id: &str, reason: &str| step(&county, Actor::Auditor, "year_close", id, "reopened", reason);
    assert!(reopen(&first, " ").is_err());
    let standing = of(&new_school).id.clone();
    reopen(&standing, "补录十二月活动").unwrap();
    meet(&mut county, &mut [&mut second, &mut new]).await;
    office::close_year(&second.node, &auditor(), &new_school, 2026, "2027-09-20").unwrap();
    held_session(
        &new,
        "第３次校本研修",
        "2026-12-18",
        std::slice::from_ref(&at_new),
    );
    meet(&mut county, &mut [&mut new]).await;
    recognise_all(&county, "2027-09-20");
    let fuller = office::close_year(&county.node, &auditor(), &new_school, 2026, "2027-09-20").unwrap();
    meet(&mut county, &mut [&mut second, &mut new]).await;
    let differ: Vec<_> = office::closings(&new.node)
        .unwrap()
        .into_iter()
        .filter(|closing| closing.reopened.is_none())
        .collect();
    assert_eq!(differ.len(), 2);
    assert!(differ.iter().all(|closing| closing.differ));
    let other = differ.iter().find(|closing| closing.id != fuller).unwrap();
    step(
        &county,
        Actor::Auditor,
        "year_close",
        &other.id,
        "reopened",
        "以县中心的为准",
    )
    .unwrap();
    let left: Vec<_> = office::closings(&county.node)
        .unwrap()
        .into_iter()
        .filter(|closing| closing.reopened.is_none() && closing.school == new_school)
        .collect();
    assert_eq!(left.len(), 1);
    assert_eq!((left[0].hours_c, left[0].differ), (1600, false));
}

/// Row 23. Devices that were away for three months bring what they recorded before the year was closed.
#[tokio::test(flavor = "multi_thread")]
async fn row_23_what_comes_late_is_kept_marked_and_corrected() {
    let mut county = Place::county();
    let school = add_school(&county, "石门村小");
    let mut office_pc = Place::school(&county, &school, "石门 办公室");
    let mut laptop = Place::school(&county, &school, "石门 教研组笔记本");
    let mut mentor = Place::device("送教专家 笔记本");
    mentor.enrol(
        &county,
        &[
            (Role::Mentor, format!("m01/{school}")),
            (Role::MentorReader, school.clone()),
        ],
    );
    let person = add_teacher(&office_pc, "赵㙇", "T001");
    let one = std::slice::from_ref(&person);
    held_session(&office_pc, "按时的活动", "2026-05-08", one);
    meet(&mut county, &mut [&mut office_pc, &mut laptop, &mut mentor]).await;

    // In June both record without a network, and are locked away over the summer.
    held_session(&laptop, "六月听评课", "2026-06-12", one);
    let sheet = [
        ("host", school.as_str()),
        ("visit_kind", "delivery"),
        ("theme", "读懂学生的错误"),
        ("from", "2026-06-08"),
        ("to", "2026-06-12"),
        ("lessons", "6"),
        ("summary", "听课六节，逐一评议"),
    ];
    let sheet = enter(&mentor, Actor::Mentor, "visit", &sheet).unwrap();
    recognise_all(&county, "2026-07-01");
    let closing = office::close_year(&county.node, &auditor(), &school, 2025, "2026-09-10").unwrap();
    assert_eq!(
        office::statements(&county.node, &closing).unwrap()[0].hours_c,
        400
    );
    assert!(
        office::late_records(&county.node, &school, 2025)
            .unwrap()
            .is_empty()
    );

    // September: they come back. All is accepted, and marked.
    meet(&mut county, &mut [&mut laptop, &mut mentor, &mut office_pc]).await;
    let late = office::late_records(&county.node, &school, 2025).unwrap();
    let count = |kind: &str| late.iter().filter(|record| record.kind == kind).count();
    assert_eq!(
        (
            count("session"),
            count("attendance"),
            count("claim"),
            count("visit")
        ),
        (1, 1, 1, 1)
    );
    assert_eq!(late.len(), 4);
    for place in [&county, &office_pc] {
        let sessions = office::sessions(&place.node, Some(&school), 10).unwrap();
        let marks: Vec<(&str, bool)> = sessions.iter().map(|s| (s.title.as_str(), s.late)).collect();
        assert_eq!(marks, [("六月听评课", true), ("按时的活动", false)]);
    }
    let shown = office::entries(&county.node, "visit", None, 10).unwrap();
    assert_eq!((shown[0].id.as_str(), shown[0].late), (sheet.as_str(), true));

    // It waits for the county and counts nothing yet; an ordinary decision is refused.
    assert_eq!(card(&county, &person).card.total_c, 40);
    let queue = office::audit_queue(&county.node, 10).unwrap();
    assert_eq!(queue.len(), 1);
    assert!(queue[0].late && queue[0].closed);
    let decide = |on: &str| {
        office::decide(
            &county.node,
            &auditor(),
            &queue[0].id,
            "recognised",
            None,
            "",
            "",
            on,
        )
    };
    let refused = decide("2026-09-20").unwrap_err();
    assert_eq!(refused.zh(), "这一学年已经结账：请作“结账后更正”，或先重开学年");
    let correct = |note: &str| {
        office::correct(
            &county.node,
            &auditor(),
            &queue[0].id,
            "recognised",
            None,
            "",
            note,
            "2026-09-20",
        )
    };
    assert!(correct("").unwrap_err().zh().contains("请写明说明"));
    correct("笔记本暑期锁在柜中，签到表原件已核").unwrap();
    assert_eq!(card(&county, &person).card.total_c, 80);
    let line = &office::statements(&county.node, &closing).unwrap()[0];
    assert_eq!(
        (line.hours_c, line.corrected_c),
        (400, (400, 40)),
        "the statement stays; the correction stands beside it"
    );
    meet(&mut county, &mut [&mut office_pc]).await;
    assert_eq!(card(&office_pc, &person).card.total_c, 80);

    // The other way: the year is reopened and closed again, and nothing of it is late any more.
    step(
        &county,
        Actor::Auditor,
        "year_close",
        &closing,
        "reopened",
        "迟报已到齐",
    )
    .unwrap();
    assert!(
        office::late_records(&county.node, &school, 2025)
            .unwrap()
            .is_empty()
    );
    let again = office::close_year(&county.node, &auditor(), &school, 2025, "2026-10-08").unwrap();
    assert_eq!(office::statements(&county.node, &again).unwrap()[0].hours_c, 800);
    assert!(!office::entries(&county.node, "visit", None, 10).unwrap()[0].late);
}

/// Row 7. Old and new school both edit the profile during a transfer, and each keeps a plan.
#[tokio::test(flavor = "multi_thread")]
async fn row_07_profile_facts_are_dated_rows_by_author_and_both_plans_stay() {
    let Transfer {
        mut county,
        mut old,
        mut new,
        old_school,
        new_school,
        at_old,
        at_new,
    } = transfer().await;
    // Apart: the old school enters a title from October on, the new one a post from the next March on.
    let input = |from: &str, post: &str, title: &str| TeacherInput {
        teacher_code: "T００1".into(),
        name: "欧阳㙇".into(),
        sex: "2".into(),
        birth_year: Some(1988),
        status: "serving".into(),
        post: post.into(),
        title: title.into(),
        subject: "数学".into(),
        stage: "primary".into(),
        from: from.into(),
        ..TeacherInput::default()
    };
    let october = input("2026-10-01", "teacher", "senior");
    office::save_teacher(&old.node, &clerk(), &old_school, Some(&at_old), october).unwrap();
    let march = input("2027-03-01", "research_dean", "first");
    office::save_teacher(&new.node, &clerk(), &new_school, Some(&at_new), march).unwrap();
    for (place, person, title) in [
        (&old, &at_old, "五年研修计划（甲）"),
        (&new, &at_new, "五年研修计划（乙）"),
    ] {
        let plan = [
            ("person", person.as_str()),
            ("title", title),
            ("term", "five_year"),
            ("from", "2026-09-01"),
            ("text", "读课标，磨一节课"),
        ];
        enter(place, Actor::Clerk, "personal_plan", &plan).unwrap();
    }
    meet(&mut county, &mut [&mut old, &mut new]).await;

    let rows: Vec<(String, String, String, bool)> = card(&county, &at_old)
        .profile
        .into_iter()
        .map(|row| {
            (
                row.from,
                row.school_name,
                format!("{}/{}", row.post, row.title),
                row.used,
            )
        })
        .collect();
    let row = |from: &str, school: &str, what: &str, used| {
        (from.to_string(), school.to_string(), what.to_string(), used)
    };
    assert_eq!(
        rows,
        [
            row("2020-09-01", "青石小学", "teacher/second", true),
            row("2026-09-01", "石门村小", "teacher/first", true),
            // Kept, by its author, and not used: she was elsewhere by then.
            row("2026-10-01", "青石小学", "teacher/senior", false),
            row("2027-03-01", "石门村小", "research_dean/first", true),
        ]
    );
    let shown = card(&county, &at_old).teacher;
    assert_eq!(
        (shown.post.as_str(), shown.title.as_str(), shown.disputed),
        ("research_dean", "first", false)
    );
    // Each school's own view of her is what it wrote.
    let at = |place: &Place, person: &str| office::teacher(&place.node, person).unwrap().unwrap().title;
    assert_eq!(
        (at(&old, &at_old), at(&new, &at_new)),
        ("senior".into(), "first".into())
    );
    let mut plans: Vec<(String, String)> = office::entries(&county.node, "personal_plan", None, 10)
        .unwrap()
        .into_iter()
        .map(|plan| (plan.title, plan.school_name))
        .collect();
    plans.sort();
    assert_eq!(
        plans,
        [
            ("五年研修计划（乙）".into(), "石门村小".into()),
            ("五年研修计划（甲）".to_string(), "青石小学".to_string()),
        ]
    );
    assert_eq!(
        office::entries(&old.node, "personal_plan", None, 10)
            .unwrap()
            .len(),
        1
    );
}

/// Row 13. Two offices enrol the last seat of a station.
#[tokio::test(flavor = "multi_thread")]
async fn row_13_who_stands_beyond_the_seats_waits_by_application_and_the_host_decides() {
    let mut county = Place::county();
    let school = add_school(&county, "青石小学");
    let mut one = Place::device("培育站 主持人");
    let mut two = Place::device("培育站 导师组");
    for place in [&one, &two] {
        place.enrol(&county, &[(Role::Host, "station-1".into())]);
    }
    meet(&mut county, &mut [&mut one, &mut two]).await;
    let station = [
        ("name", "乡村骨干教师培育站（小学数学）"),
        ("group_kind", "station"),
        ("seats", "25"),
        ("from", "2025-09-01"),
    ];
    let station = enter(&one, Actor::Mentor, "training_group", &station).unwrap();
    let apply = |place: &Place, code: &str, day: &str, time: &str| {
        let values = [
            ("group", station.as_str()),
            ("school", school.as_str()),
            ("teacher_code", code),
            ("applied_on", day),
            ("applied_at", time),
        ];
        enter(place, Actor::Mentor, "enrolment", &values).unwrap()
    };
    for at in 0..24 {
        apply(&one, &format!("T{at:03}"), "2025-09-02", "08:30");
    }
    meet(&mut county, &mut [&mut one, &mut two]).await;
    let list = |place: &Place| office::places(&place.node, &station).unwrap().unwrap();
    assert_eq!((list(&two).taken, list(&two).people.len()), (24, 24));

    // Apart, each gives the last seat; one of the two applications was signed earlier, and typed in wide digits.
    let later = apply(&one, "T900", "2025-09-03", "10:05");
    apply(&two, "T901", "2025-09-03", "０９：４０");
    // Both enter one more who had applied already: still one person.
    apply(&two, "T000", "2025-09-02", "08:30");
    assert_eq!((list(&one).taken, list(&two).taken), (25, 25));
    meet(&mut county, &mut [&mut one, &mut two]).await;

    for place in [&county, &one, &two] {
        let places = list(place);
        assert_eq!((places.seats, places.taken, places.people.len()), (25, 25, 26));
        let waiting: Vec<&str> = places
            .people
            .iter()
            .filter(|person| person.standing == office::Seat::Waiting)
            .map(|person| person.teacher_code.as_str())
            .collect();
        assert_eq!(
            waiting,
            ["T900"],
            "nobody is dropped; the later application waits"
        );
        let last = places
            .people
            .iter()
            .find(|person| person.teacher_code == "T901")
            .unwrap();
        assert_eq!(
            (last.standing, last.applied.as_str()),
            (office::Seat::Taken, "2025-09-03 09:40")
        );
        let twice = places
            .people
            .iter()
            .find(|person| person.teacher_code == "T000")
            .unwrap();
        assert_eq!((twice.entered, twice.standing), (2, office::Seat::Taken));
    }

    // The host decides: the one who waits is confirmed, so the last of the rest waits instead.
    step(&one, Actor::Mentor, "enrolment", &later, "confirmed", "").unwrap();
    meet(&mut county, &mut [&mut one, &mut two]).await;
    let waits = |place: &Place| -> Vec<String> {
        let people = list(place).people.into_iter();
        people
            .filter(|p| p.standing == office::Seat::Waiting)
            .map(|p| p.teacher_code)
            .collect()
    };
    assert_eq!([&county, &one, &two].map(waits), [["T901"], ["T901"], ["T901"]]);
    // Somebody leaves, and the seat goes to the one who waits.
    let first = list(&two).people[0].id.clone();
    step(&two, Actor::Mentor, "enrolment", &first, "left", "").unwrap_err();
    let leaves = list(&two)
        .people
        .iter()
        .find(|p| p.teacher_code == "T001")
        .unwrap()
        .id
        .clone();
    step(&two, Actor::Mentor, "enrolment", &leaves, "left", "本人申请退出").unwrap();
    assert!(waits(&two).is_empty());
    // Never more are confirmed on one device than there are seats.
    for person in list(&two).people {
        if person.standing == office::Seat::Taken && person.state == "enrolled" {
            step(&two, Actor::Mentor, "enrolment", &person.id, "confirmed", "").unwrap();
        }
    }
    let more = apply(&two, "T950", "2025-09-04", "08:00");
    let refused = step(&two, Actor::Mentor, "enrolment", &more, "confirmed", "").unwrap_err();
    assert_eq!(refused.zh(), "名额 25 已满：先请一位退出或转为待定，或增加名额");
}

/// Row 19. A visit sheet and an observation, each signed by both sides on one device without a network.
#[tokio::test(flavor = "multi_thread")]
async fn row_19_what_both_sign_on_the_spot_holds_without_a_network() {
    let mut county = Place::county();
    let school = add_school(&county, "石门村小");
    let other_school = add_school(&county, "白沙小学");
    let mut pc = Place::school(&county, &school, "石门 办公室");
    let mut mentor = Place::device("送教专家 笔记本");
    mentor.enrol(
        &county,
        &[
            (Role::Mentor, format!("m01/{school}")),
            (Role::MentorReader, school.clone()),
        ],
    );
    let principal = add_teacher(&pc, "周校长", "T001");
    let teacher = add_teacher(&pc, "赵㙇", "T002");
    meet(&mut county, &mut [&mut pc, &mut mentor]).await;

    // At the school, offline, on the mentor's laptop.
    let sheet = |host: &str| {
        let values = [
            ("host", host),
            ("visit_kind", "school_training"),
            ("theme", "《分数的意义》研课磨课"),
            ("from", "2025-10-13"),
            ("to", "2025-10-17"),
            ("lessons", "8"),
            ("summary", "听课八节，反馈课一节"),
        ];
        enter(&mentor, Actor::Mentor, "visit", &values)
    };
    let refused = sheet(&other_school).unwrap_err().zh();
    assert!(refused.contains("没有把这所学校分给这台设备"), "{refused}");
    let visit = sheet(&school).unwrap();
    let early = step(&mentor, Actor::Mentor, "visit", &visit, "signed", "").unwrap_err();
    assert!(
        early.zh().contains("学校签字") && early.zh().contains("送教专家签字"),
        "{}",
        early.zh()
    );
    let sign = |side: &str, role: &str, person: &str| {
        let mut values = vec![
            ("about", visit.as_str()),
            ("side", side),
            ("sign_role", role),
            ("means", "on_device"),
            ("signed_on", "2025-10-17"),
        ];
        if !person.is_empty() {
            values.push(("person", person));
        }
        enter(&mentor, Actor::Mentor, "visit_signature", &values).unwrap()
    };
    sign("mentor", "expert", "");
    sign("school", "principal", &principal);
    step(&mentor, Actor::Mentor, "visit", &visit, "signed", "").unwrap();

    // At the school's own computer, as far from any network: an observation, signed by both.
    let lesson = [
        ("teacher", teacher.as_str()),
        ("date", "2025-10-15"),
        ("period", "3"),
        ("class_label", "五（２）班"),
        ("subject", "数学"),
        ("topic", "分数的意义"),
        ("lesson_kind", "diagnosis"),
    ];
    let lesson = enter(&pc, Actor::Clerk, "lesson", &lesson).unwrap();
    let observation = [
        ("lesson", lesson.as_str()),
        ("observer", principal.as_str()),
        ("observer_role", "leader_teaching"),
        ("date", "2025-10-15"),
        ("strengths", "情境贴近生活"),
        ("points", "86"),
        ("debrief_by", "周校长"),
        ("debrief_on", "2025-10-15"),
        ("debrief_place", "多媒体教室"),
    ];
    let observation = enter(&pc, Actor::Clerk, "observation", &observation).unwrap();
    step(&pc, Actor::Clerk, "observation", &observation, "debriefed", "").unwrap();
    for (role, person) in [("teacher", &teacher), ("observer", &principal)] {
        let values = [
            ("about", observation.as_str()),
            ("person", person),
            ("sign_role", role),
            ("means", "on_paper"),
            ("signed_on", "2025-10-15"),
        ];
        enter(&pc, Actor::Clerk, "signature", &values).unwrap();
    }
    step(&pc, Actor::Clerk, "observation", &observation, "signed", "").unwrap();

    meet(&mut county, &mut [&mut pc, &mut mentor]).await;
    let key = |place: &Place| data_encoding::HEXLOWER.encode(&place.node.id().0);
    // Everybody who may read it sees that both signed this content, as what, and on which device.
    for place in [&county, &pc] {
        let detail = office::entry(&place.node, Actor::Clerk, "visit", &visit)
            .unwrap()
            .unwrap();
        let stand = detail.entry.stand.unwrap();
        assert_eq!((stand.code.as_str(), stand.unsigned), ("signed", false));
        assert_eq!(detail.about.len(), 2);
        assert!(detail.about.iter().all(|about| about.binds == Some(true)));
        for about in &detail.about {
            let signature = place.node.record(&about.entry.id).unwrap().unwrap();
            assert_eq!(signature.text("key"), key(&mentor));
            assert_eq!(signature.author, mentor.node.id());
        }
        let mut roles: Vec<&str> = detail
            .about
            .iter()
            .map(|about| about.entry.title.as_str())
            .collect();
        roles.sort();
        assert_eq!(roles, ["校长", "送教/送培专家"]);
        let seen = office::entry(&place.node, Actor::Clerk, "observation", &observation)
            .unwrap()
            .unwrap();
        assert_eq!(seen.entry.stand.unwrap().code, "signed");
        assert!(seen.about.iter().all(|about| about.binds == Some(true)));
    }

    // An edit afterwards: the signatures do not cover it, and stay readable.
    let edited = EntryInput {
        kind: "visit".into(),
        id: Some(visit.clone()),
        values: vec![("summary".into(), Some(Value::from("听课九节")))],
    };
    office::save_entry(&mentor.node, &clerk(), Actor::Mentor, edited).unwrap();
    // And a signature that names another device's key is none.
    let forged = place_key(&mentor, &visit, &key(&pc));
    meet(&mut county, &mut [&mut mentor]).await;
    let detail = office::entry(&county.node, Actor::Clerk, "visit", &visit)
        .unwrap()
        .unwrap();
    assert!(detail.entry.stand.unwrap().unsigned, "已变更（待重签）");
    assert_eq!(detail.about.len(), 3);
    assert!(detail.about.iter().all(|about| about.binds == Some(false)));
    assert!(detail.about.iter().any(|about| about.entry.id == forged));
}

/// A signature on the present content of a visit sheet, written past the pages, that names this key.
fn place_key(mentor: &Place, visit: &str, key: &str) -> String {
    let record = mentor.node.record(visit).unwrap().unwrap();
    let binds = records::record_digest_with(&mentor.node.kinds(), &record.fields);
    let values = [
        ("_kind", "visit_signature/1"),
        ("about", visit),
        ("side", "school"),
        ("sign_role", "principal"),
        ("means", "on_device"),
        ("signed_on", "2025-10-18"),
        ("key", key),
        ("binds", &binds),
    ];
    let id = mentor.node.new_id();
    let edit = Edit {
        id: id.clone(),
        fields: values
            .iter()
            .map(|(name, text)| ((*name).to_string(), Some(Value::from(*text))))
            .collect(),
    };
    mentor.node.commit(&record.doc, vec![edit]).unwrap();
    id
}

/// Row 21. Two county staff publish bulletins with different numbers.
#[tokio::test(flavor = "multi_thread")]
async fn row_21_bulletins_carry_their_cut_off_and_a_later_one_names_what_it_replaces() {
    let mut county = Place::county();
    let school = add_school(&county, "青石小学");
    let mut pc = Place::school(&county, &school, "青石 电脑");
    let mut second = Place::device("县师训科 二室");
    second.enrol(
        &county,
        &[(Role::Auditor, String::new()), (Role::County, String::new())],
    );
    let person = add_teacher(&pc, "张三", "T001");
    let one = std::slice::from_ref(&person);
    held_session(&pc, "第１次研课", "2025-10-10", one);
    meet(&mut county, &mut [&mut pc, &mut second]).await;
    // The second office hears nothing of the second session.
    held_session(&pc, "第２次研课", "2025-10-17", one);
    meet(&mut county, &mut [&mut pc]).await;

    let input = |no: &str, replaces: [&str; 2]| office::BulletinInput {
        no: no.into(),
        bulletin_kind: "status".into(),
        topic: "２０２５年秋季校本研修进度".into(),
        cut_on: "2025-10-20".into(),
        issued_on: "2025-10-21".into(),
        text: "请各校核对。".into(),
        replaces: replaces.map(str::to_string),
    };
    let draft = |place: &Place, no: &str, replaces: [&str; 2]| {
        office::draft_bulletin(&place.node, &auditor(), &input(no, replaces)).unwrap()
    };
    assert!(office::draft_bulletin(&pc.node, &clerk(), &input("1", ["", ""])).is_err());
    let issue = |place: &Place, id: &str| step(place, Actor::Auditor, "bulletin", id, "issued", "");
    let first = draft(&county, "2025-07", ["", ""]);
    issue(&county, &first).unwrap();
    let other = draft(&second, "2025-07乙", ["", ""]);
    issue(&second, &other).unwrap();
    meet(&mut county, &mut [&mut second, &mut pc]).await;

    // Readers see that there are two, that they rest on different records, and go by neither.
    for place in [&county, &second, &pc] {
        let all = office::bulletins(&place.node).unwrap();
        assert_eq!(all.len(), 2);
        assert!(
            all.iter()
                .all(|bulletin| bulletin.rivals.len() == 1 && !bulletin.in_force())
        );
        assert_ne!(all[0].heads, all[1].heads);
        let sessions = |id: &str| {
            let bulletin = all.iter().find(|bulletin| bulletin.id == id).unwrap();
            (bulletin.figures[0][0].clone(), bulletin.figures[0][2].clone())
        };
        assert_eq!(sessions(&first), ("青石小学".into(), "2".into()));
        assert_eq!(sessions(&other), ("青石小学".into(), "1".into()));
    }

    // A later one that names none, or one of the two, is not issued; one that names both is.
    let silent = draft(&county, "2025-08", ["", ""]);
    let refused = issue(&county, &silent).unwrap_err();
    assert!(
        refused.zh().contains("请另拟一份，写明替代哪一份"),
        "{}",
        refused.zh()
    );
    let half = draft(&county, "2025-08", [&first, ""]);
    assert!(
        issue(&county, &half)
            .unwrap_err()
            .zh()
            .contains("第 2025-07乙 期")
    );
    for dropped in [&silent, &half] {
        step(&county, Actor::Auditor, "bulletin", dropped, "dropped", "另拟").unwrap();
    }
    let right = draft(&county, "2025-08", [&first, &other]);
    issue(&county, &right).unwrap();
    meet(&mut county, &mut [&mut second, &mut pc]).await;
    for place in [&second, &pc] {
        let all = office::bulletins(&place.node).unwrap();
        let in_force: Vec<&str> = all
            .iter()
            .filter(|b| b.in_force())
            .map(|b| b.id.as_str())
            .collect();
        assert_eq!(in_force, [right.as_str()]);
        let old = all.iter().find(|bulletin| bulletin.id == other).unwrap();
        assert_eq!(
            (old.replaced_by.as_slice(), old.rivals.len()),
            (["2025-08".to_string()].as_slice(), 0)
        );
    }
    // Issued is frozen.
    let edit = EntryInput {
        kind: "bulletin".into(),
        id: Some(right.clone()),
        values: vec![("text".into(), Some(Value::from("改")))],
    };
    assert!(office::save_entry(&county.node, &auditor(), Actor::County, edit).is_err());
}
