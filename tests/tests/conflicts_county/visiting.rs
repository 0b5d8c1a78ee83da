//! Row 3 with a visiting mentor: the school enters the session, the mentor the visit sheet, apart from one another.

use node::office::{self, Matter};
use yanxiu_tests::*;

use super::common::*;

fn open(place: &Place) -> Vec<office::Found> {
    office::open_conflicts(&place.node).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn row_03_what_school_and_mentor_both_entered_is_counted_once() {
    let mut county = Place::county();
    let school = add_school(&county, "石门村小");
    let mut office_pc = Place::school(&county, &school, "石门 办公室");
    let mut mentor = mentor(&county, &school);
    let person = add_teacher(&office_pc, "赵㙇", "T001");
    meet(&mut county, &mut [&mut office_pc, &mut mentor]).await;

    // Nobody has a network: each writes down the same week.
    let one = std::slice::from_ref(&person);
    let session = held_session(&office_pc, "送教下乡：分数的意义", "2026-06-10", one);
    let before = held_session(&office_pc, "分数的意义 集体备课", "2026-05-20", one);
    let same = visit_sheet(&mentor, &school, "《分数的意义》送教");
    visit_sheet(&mentor, &school, "班主任工作讲座");
    assert!(open(&office_pc).is_empty());
    meet(&mut county, &mut [&mut office_pc, &mut mentor]).await;

    // The sheet earns nothing by itself: the session's hours count, once.
    assert_eq!(recognise_all(&county, "2026-06-20"), 2);
    meet(&mut county, &mut [&mut office_pc, &mut mentor]).await;
    assert_eq!(card(&office_pc, &person).card.total_c, 80);

    // Both sides stand side by side, with who wrote them; the county sees it, the school settles it.
    let found = open(&office_pc);
    assert_eq!(found.len(), 1, "neither the other theme nor the other month");
    assert_eq!(found, open(&county));
    assert_ne!(found[0].about, before);
    let ids = (found[0].matter, found[0].about.as_str(), found[0].other.as_str());
    assert_eq!(ids, (Matter::Duplicate, session.as_str(), same.as_str()));
    let shown = office::conflict(&office_pc.node, &found[0]).unwrap();
    assert_eq!(shown.choices.len(), 2);
    let note = &shown.choices[0].note[0];
    assert!(
        note.contains("活动“送教下乡：分数的意义” 2026-06-10 · 4.0 学时"),
        "{note}"
    );
    assert!(note.contains("送教记录“《分数的意义》送教” 2026-06-08–2026-06-12"));
    let devices: Vec<&str> = shown.choices[0].said.iter().map(|s| s.device.as_str()).collect();
    assert_eq!(devices, ["石门 办公室", "送教专家 笔记本"]);
    let name = found[0].name();
    let elsewhere = office::settle(&county.node, &auditor(), &name, "same", "", "").unwrap_err();
    assert!(elsewhere.zh().contains("不在本机选定"));
    let bare = office::settle(&office_pc.node, &clerk(), &name, "both", " ", "").unwrap_err();
    assert_eq!(bare.zh(), "请写明理由");
    office::settle(&office_pc.node, &clerk(), &name, "same", "", "").unwrap();
    meet(&mut county, &mut [&mut office_pc, &mut mentor]).await;

    for place in [&county, &office_pc] {
        assert!(open(place).is_empty());
        let kept = office::session(&place.node, &session).unwrap().unwrap();
        assert_ne!(kept.row.state, "void");
        let sheets = office::entries(&place.node, "visit", None, 10).unwrap();
        assert!(sheets.iter().any(|s| s.id == same), "both ids stay");
        let said = office::entries(&place.node, "settlement", None, 10).unwrap();
        assert_eq!(said.len(), 1);
        assert!(said[0].title.contains("是同一件事"), "{}", said[0].title);
        assert_eq!(card(place, &person).card.total_c, 80);
    }
}
