//! Rows 8 and 23: school years are closed, and something comes late.

use node::office;
use node::{Edit, Role, Value};
use records::kinds::Actor;
use yanxiu_tests::*;

use crate::common::*;

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
    let mut mentor = mentor(&county, &school);
    let person = add_teacher(&office_pc, "赵㙇", "T001");
    let one = std::slice::from_ref(&person);
    held_session(&office_pc, "按时的活动", "2026-05-08", one);
    meet(&mut county, &mut [&mut office_pc, &mut laptop, &mut mentor]).await;

    // In June both record without a network, and are locked away over the summer.
    held_session(&laptop, "六月听评课", "2026-06-12", one);
    let sheet = visit_sheet(&mentor, &school, "读懂学生的错误");
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
    let decide = |on: &str| recognise(&county, &queue[0].id, on);
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
