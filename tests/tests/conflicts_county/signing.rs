//! Row 19: both sign on one device.

use node::office::{self, EntryInput};
use node::{Edit, Role, Value};
use records::kinds::Actor;
use yanxiu_tests::*;

use crate::common::*;

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
        let hand = office::Hand::Paper(person.clone());
        office::sign(
            &pc.node,
            &clerk(),
            Actor::Clerk,
            &observation,
            role,
            "2025-10-15",
            hand,
        )
        .unwrap();
    }

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
