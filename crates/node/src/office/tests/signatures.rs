//! Two people sign one sheet on one device, without a network.

use records::Value;
use records::kinds::Actor;

use super::entries::input;
use super::*;
use crate::accounts::{self, NewAccount};

const NOW: i64 = 1_760_000_000;

/// A school where a lesson of the first teacher was heard and debriefed by the second; lesson and observation.
fn debriefed(school: &School) -> (String, String) {
    let node = &school.node;
    let lesson = [
        ("teacher", Value::from(school.persons[0].as_str())),
        ("date", "2025-10-15".into()),
        ("subject", "语文".into()),
        ("topic", "《㙇字的来历》".into()),
        ("lesson_kind", "open".into()),
        ("state", "taught".into()),
    ];
    let lesson = save_entry(node, &by(), Actor::Clerk, input("lesson", None, &lesson)).unwrap();
    let sheet = [
        ("lesson", Value::from(lesson.as_str())),
        ("observer", school.persons[1].as_str().into()),
        ("observer_role", "peer".into()),
        ("date", "2025-10-15".into()),
        ("strengths", "板书工整，𬭊字讲得清楚".into()),
    ];
    let sheet = save_entry(node, &by(), Actor::Teacher, input("observation", None, &sheet)).unwrap();
    (lesson, sheet)
}

/// The three that 003 asks for.
fn debrief(school: &School, sheet: &str) {
    let three = [
        ("debrief_by", Value::from("㙇伟")),
        ("debrief_on", "2025-10-15".into()),
        ("debrief_place", "语文组办公室".into()),
    ];
    let edit = input("observation", Some(sheet), &three);
    save_entry(&school.node, &by(), Actor::Teacher, edit).unwrap();
    take_step(
        &school.node,
        &by(),
        Actor::Teacher,
        "observation",
        sheet,
        "debriefed",
        "",
    )
    .unwrap();
}

fn account(school: &School, person: usize, name: &str) -> By {
    let new = NewAccount {
        name: name.into(),
        role: accounts::Role::Teacher,
        secret: "２４６８１０".into(),
        person: Some(school.persons[person].clone()),
    };
    accounts::create(&school.node, new, NOW).unwrap();
    By { account: name.into() }
}

fn signed(school: &School, by: &By, sheet: &str, role: &str, hand: Hand) -> Result<String, Error> {
    sign(&school.node, by, Actor::Teacher, sheet, role, "2025-10-15", hand)
}

fn stand(school: &School, sheet: &str) -> (String, bool) {
    let found = entry(&school.node, Actor::Leader, "observation", sheet)
        .unwrap()
        .unwrap();
    let stand = found.entry.stand.unwrap();
    (stand.code, stand.unsigned)
}

#[test]
fn an_observer_signs_and_the_taught_teacher_confirms_on_the_same_device() {
    let world = World::new();
    let school = world.school_with_teachers();
    let (_, sheet) = debriefed(&school);
    let observer = account(&school, 1, "㙇伟");
    account(&school, 0, "王𬭊");
    // Before 评课人、时间、地点 stand there, there is nothing to confirm.
    let early = signed(&school, &observer, &sheet, "observer", Hand::SignedIn);
    assert_eq!(
        early.unwrap_err().zh(),
        "现在是“草稿”，还不能签字：先把前面的步骤办完"
    );
    debrief(&school, &sheet);

    let first = signed(&school, &observer, &sheet, "observer", Hand::SignedIn).unwrap();
    assert_eq!(
        signed(&school, &observer, &sheet, "observer", Hand::SignedIn).unwrap(),
        first,
        "pressed twice"
    );
    assert_eq!(
        stand(&school, &sheet),
        ("debriefed".into(), false),
        "one side is missing"
    );
    // The teacher comes to the same keyboard; a wrong PIN signs nothing.
    let wrong = hand_of(&school.node, "王𬭊", "000000", &sheet, "127.0.0.1", NOW);
    assert_eq!(refused(wrong), ["secret"]);
    let hand = hand_of(&school.node, "王𬭊", "246810", &sheet, "127.0.0.1", NOW).unwrap();
    signed(&school, &observer, &sheet, "teacher", hand).unwrap();
    assert_eq!(stand(&school, &sheet), ("signed".into(), false));

    let all = signatures(&school.node, &sheet).unwrap();
    assert_eq!(all.all.len(), 2);
    let said: Vec<_> = all
        .sides
        .iter()
        .map(|s| (s.label[0].as_str(), s.signed()))
        .collect();
    assert_eq!(said, [("授课教师", true), ("听课人", true)]);
    let by: Vec<_> = all
        .all
        .iter()
        .map(|s| (s.name.as_str(), s.by.as_str(), s.means[0].as_str()))
        .collect();
    assert!(
        by.contains(&("王𬭊", "王𬭊", "本人账号")),
        "the account of the signer stands in it: {by:?}"
    );
    let log = accounts::access_log(&school.node, 10).unwrap();
    let acts: Vec<_> = log
        .iter()
        .map(|line| (line.act.as_str(), line.name.as_str()))
        .collect();
    assert!(
        acts.contains(&("sign", "王𬭊")) && acts.contains(&("sign_failed", "王𬭊")),
        "{acts:?}"
    );
}

#[test]
fn nobody_signs_for_another() {
    let world = World::new();
    let school = world.school_with_teachers();
    let (_, sheet) = debriefed(&school);
    debrief(&school, &sheet);
    let third = account(&school, 2, "欧阳若兰");
    for role in ["observer", "teacher"] {
        assert_eq!(
            refused(signed(&school, &third, &sheet, role, Hand::SignedIn)),
            ["person"]
        );
        let paper = Hand::Paper(school.persons[2].clone());
        assert_eq!(refused(signed(&school, &by(), &sheet, role, paper)), ["person"]);
    }
    // The officer's own account stands for nobody on the roster.
    assert_eq!(
        refused(signed(&school, &by(), &sheet, "teacher", Hand::SignedIn)),
        ["person"]
    );
    assert_eq!(
        refused(signed(&school, &third, &sheet, "principal", Hand::SignedIn)),
        ["sign_role"]
    );
    // Nor is a signature written through the form of any kind.
    let forged = [
        ("about", Value::from(sheet.as_str())),
        ("person", school.persons[0].as_str().into()),
        ("sign_role", "teacher".into()),
        ("means", "own_account".into()),
        ("signed_on", "2025-10-15".into()),
    ];
    let forged = save_entry(
        &school.node,
        &by(),
        Actor::Clerk,
        input("signature", None, &forged),
    );
    assert_eq!(refused(forged), ["_kind"]);
    assert!(signatures(&school.node, &sheet).unwrap().all.is_empty());
}

#[test]
fn an_edit_after_signing_is_to_be_signed_anew_and_the_old_text_stays_readable() {
    let world = World::new();
    let school = world.school_with_teachers();
    let (_, sheet) = debriefed(&school);
    debrief(&school, &sheet);
    let paper = |person: usize| Hand::Paper(school.persons[person].clone());
    let old = signed(&school, &by(), &sheet, "observer", paper(1)).unwrap();
    signed(&school, &by(), &sheet, "teacher", paper(0)).unwrap();
    assert_eq!(stand(&school, &sheet), ("signed".into(), false));

    let other = input("observation", Some(&sheet), &[("strengths", "一般".into())]);
    save_entry(&school.node, &by(), Actor::Teacher, other).unwrap();
    assert_eq!(
        stand(&school, &sheet),
        ("signed".into(), true),
        "已变更（待重签）"
    );
    let all = signatures(&school.node, &sheet).unwrap();
    assert!(all.changed() && all.sides.iter().all(|side| side.changed() && !side.signed()));
    let then = signed_content(&school.node, &old).unwrap().unwrap();
    assert_eq!(
        then.get("strengths").and_then(Value::as_text),
        Some("板书工整，𬭊字讲得清楚")
    );

    let new = signed(&school, &by(), &sheet, "observer", paper(1)).unwrap();
    assert_ne!(new, old);
    signed(&school, &by(), &sheet, "teacher", paper(0)).unwrap();
    assert_eq!(stand(&school, &sheet), ("signed".into(), false));
    let all = signatures(&school.node, &sheet).unwrap();
    assert_eq!(all.all.iter().filter(|s| s.holds).count(), 2);
    assert_eq!(all.all.len(), 4, "the old ones stay");
    let now = signed_content(&school.node, &new).unwrap().unwrap();
    assert_eq!(now.get("strengths").and_then(Value::as_text), Some("一般"));

    // The other computer of the school and the county see the same.
    carry(&school.node, &world.hub);
    let there = signatures(&world.hub, &sheet).unwrap();
    assert_eq!(there.all.iter().filter(|s| s.holds).count(), 2);
    assert_eq!(there.all[0].device, "石桥小学 办公室");
}

#[test]
fn a_change_of_the_lesson_voids_the_signatures_on_its_sheets() {
    let world = World::new();
    let school = world.school_with_teachers();
    let (lesson, sheet) = debriefed(&school);
    debrief(&school, &sheet);
    let paper = |person: usize| Hand::Paper(school.persons[person].clone());
    signed(&school, &by(), &sheet, "observer", paper(1)).unwrap();
    signed(&school, &by(), &sheet, "teacher", paper(0)).unwrap();
    let change = |kind: &str| input("lesson", Some(&lesson), &[("lesson_kind", kind.into())]);
    save_entry(&school.node, &by(), Actor::Clerk, change("model")).unwrap();
    assert_eq!(
        stand(&school, &sheet),
        ("signed".into(), true),
        "已变更（待重签）"
    );
    let row = &observations(&school.node, None, None, 10).unwrap()[0].entry;
    assert!(row.stand.as_ref().unwrap().unsigned, "the list says so too");
    assert!(signatures(&school.node, &sheet).unwrap().changed());
    // Back as it was: what was signed stands there again.
    save_entry(&school.node, &by(), Actor::Clerk, change("open")).unwrap();
    assert_eq!(stand(&school, &sheet), ("signed".into(), false));
}

fn values(pairs: &[(&str, Value)]) -> Vec<(String, Option<Value>)> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), Some(value.clone())))
        .collect()
}

#[test]
fn an_observer_writes_as_the_own_person_and_a_debrief_stays() {
    let world = World::new();
    let school = world.school_with_teachers();
    let (node, me) = (&school.node, school.persons[1].as_str());
    let form = ObservationInput {
        lesson_values: values(&[
            ("teacher", school.persons[0].as_str().into()),
            ("date", "2025-10-15".into()),
            ("subject", "语文".into()),
            ("topic", "《㙇字的来历》".into()),
            ("lesson_kind", "open".into()),
        ]),
        // Whoever is named as observer: a teacher writes as nobody else.
        values: values(&[
            ("observer", school.persons[2].as_str().into()),
            ("observer_role", "peer".into()),
            ("date", "2025-10-15".into()),
            ("debrief_by", "㙇伟".into()),
            ("debrief_on", "2025-10-15".into()),
            ("debrief_place", "语文组办公室".into()),
        ]),
        ..ObservationInput::default()
    };
    let save = |own: Option<&str>, input: ObservationInput| {
        save_observation(node, &by(), Actor::Teacher, own, input)
    };
    let mut empty = form.clone();
    empty.lesson_values.retain(|(name, _)| name != "topic");
    empty.values.retain(|(name, _)| name != "date");
    assert_eq!(refused(save(Some(me), empty)), ["topic", "date"], "both at once");
    assert_eq!(changes_before(node), 0, "and no lesson is left behind");

    let sheet = save(Some(me), form.clone()).unwrap();
    assert_eq!(stand(&school, &sheet), ("debriefed".into(), false));
    let row = &observations(node, None, Some(me), 10).unwrap()[0];
    assert_eq!((row.observer.as_str(), row.teacher_name.as_str()), (me, "王𬭊"));
    // It concerns the taught teacher too, and not the third.
    let of = |person: usize| {
        observations(node, None, Some(&school.persons[person]), 10)
            .unwrap()
            .len()
    };
    assert_eq!([of(0), of(1), of(2)], [1, 1, 0]);

    let change = |own: &str, place: Option<&str>| {
        let mut values = form.values.clone();
        values.retain(|(name, _)| name != "debrief_place");
        values.push(("debrief_place".into(), place.map(Value::from)));
        save(
            Some(own),
            ObservationInput {
                id: Some(sheet.clone()),
                values,
                ..ObservationInput::default()
            },
        )
    };
    assert_eq!(refused(change(&school.persons[2], Some("操场"))), ["observer"]);
    assert_eq!(refused(change(me, None)), ["debrief_place"]);
    change(me, Some("录播教室")).unwrap();
    // 授课教师意见 by the taught teacher alone.
    assert_eq!(
        refused(answer_observation(node, &by(), me, &sheet, "好")),
        ["response"]
    );
    answer_observation(node, &by(), &school.persons[0], &sheet, "谢谢").unwrap();
    let counts = |person: usize| lesson_counts(node, &school.persons[person]).unwrap();
    assert_eq!(counts(1), [("听课".to_owned(), 1), ("评课".to_owned(), 1)]);
    assert_eq!(counts(0), [("公开课".to_owned(), 1)]);
}

/// Lessons that stand on a node.
fn changes_before(node: &Node) -> u64 {
    node.count(&crate::Filter::kind("lesson")).unwrap()
}

#[test]
fn held_stands_against_planned_month_by_month() {
    let world = World::new();
    let school = world.school_with_teachers();
    let node = &school.node;
    school.ended_session();
    let on = |date: &str| SessionInput {
        date: date.into(),
        ..a_session()
    };
    save_session(node, &by(), &school.id, None, on("2025-10-29")).unwrap();
    let void = save_session(node, &by(), &school.id, None, on("2025-11-12")).unwrap();
    void_session(node, &by(), &void, "重复登记").unwrap();
    let months = || -> Vec<(String, usize, usize)> {
        let all = held_by_month(node, &school.id).unwrap();
        all.into_iter().map(|m| (m.month, m.held, m.planned)).collect()
    };
    assert_eq!(months(), [("2025-10".to_owned(), 1, 2)]);
    let series = [
        ("title", Value::from("集体备课")),
        ("every", "week".into()),
        ("series_kind", "weekly_plan".into()),
        ("weekday", "wed".into()),
        ("from", "2025-12-01".into()),
        ("to", "2025-12-20".into()),
        ("form", "school_based".into()),
        ("category", "practice".into()),
        ("hours_c", 100.into()),
    ];
    save_entry(node, &by(), Actor::Clerk, input("series", None, &series)).unwrap();
    assert_eq!(months()[1], ("2025-12".to_owned(), 0, 3));
}
