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
