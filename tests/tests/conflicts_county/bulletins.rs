//! Row 21: two offices issue bulletins apart.

use node::office::{self, EntryInput};
use node::{Role, Value};
use records::kinds::Actor;
use yanxiu_tests::*;

use crate::common::*;

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
