use super::*;
use crate::Filter;

fn row(node: &Node, session: &str) -> SessionRow {
    super::session(node, session).unwrap().unwrap().row
}

fn mark_of(node: &Node, session: &str, person: &str) -> Mark {
    let detail = super::session(node, session).unwrap().unwrap();
    detail
        .marks
        .into_iter()
        .find(|mark| mark.person == person)
        .unwrap()
}

#[test]
fn a_session_goes_from_draft_to_ended() {
    let world = World::new();
    let school = world.school_with_teachers();
    let node = &school.node;
    let id = save_session(node, &by(), &school.id, None, a_session()).unwrap();
    assert_eq!(row(node, &id).state, "draft");
    assert_eq!(refused(end_session(node, &by(), &id)), ["state"]);
    assert_eq!(school.mark(node, &id, ["present", "late", "sick"]), 3);
    assert_eq!(row(node, &id).state, "held");
    assert_eq!(
        refused(register_claims(node, &by(), &id, "2025-10-16")),
        ["state"]
    );
    end_session(node, &by(), &id).unwrap();
    end_session(node, &by(), &id).unwrap();
    let shown = row(node, &id);
    assert_eq!(
        (shown.state.as_str(), shown.marked, shown.present),
        ("ended", 3, 2)
    );
    assert_eq!(shown.school_name, "石桥小学");
    let listed = super::sessions(node, Some(&school.id), 10).unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!((listed[0].marked, listed[0].present), (3, 2));
}

#[test]
fn a_second_mark_edits_the_first() {
    let world = World::new();
    let school = world.school_with_teachers();
    let node = &school.node;
    let id = save_session(node, &by(), &school.id, None, a_session()).unwrap();
    school.mark(node, &id, ["present", "present", "absent"]);
    let before = changes_of(node);
    assert_eq!(school.mark(node, &id, ["present", "present", "absent"]), 0);
    assert_eq!(changes_of(node), before);
    assert_eq!(school.mark(node, &id, ["present", "late", "absent"]), 1);
    assert_eq!(node.count(&Filter::kind("attendance").about(&id)).unwrap(), 3);
    // A person nobody knows, and a status that the kind does not have, change nothing at all.
    let stranger = [(node.new_id(), "present".to_owned())];
    assert_eq!(refused(mark_attendance(node, &by(), &id, &stranger)), ["person"]);
    let odd = [(school.persons[0].clone(), "asleep".to_owned())];
    assert_eq!(refused(mark_attendance(node, &by(), &id, &odd)), ["status"]);
    assert_eq!(row(node, &id).present, 2);
}

#[test]
fn marks_of_two_devices_count_once_if_equal_and_wait_if_not() {
    let world = World::new();
    let school = world.school_with_teachers();
    let (first, second) = (
        &school.node,
        &world.device("石桥小学 教务处", Role::School, &school.id),
    );
    let id = save_session(first, &by(), &school.id, None, a_session()).unwrap();
    carry(first, second);
    school.mark(first, &id, ["present", "present", "absent"]);
    school.mark(second, &id, ["present", "absent", "absent"]);
    meet(first, second);
    assert_eq!(first.count(&Filter::kind("attendance").about(&id)).unwrap(), 6);
    for node in [first, second] {
        let shown = row(node, &id);
        assert_eq!(
            (shown.marked, shown.present),
            (3, 1),
            "the disputed one counts zero"
        );
        let disputed: Vec<bool> = school
            .persons
            .iter()
            .map(|person| mark_of(node, &id, person).disputed)
            .collect();
        assert_eq!(disputed, [false, true, false]);
    }
    // A claim is made for the undisputed one alone, and for the other once somebody has chosen.
    end_session(first, &by(), &id).unwrap();
    assert_eq!(register_claims(first, &by(), &id, "2025-10-16").unwrap(), 1);
    assert_eq!(school.mark(second, &id, ["present", "present", "absent"]), 1);
    meet(first, second);
    assert_eq!(
        (
            row(first, &id).present,
            mark_of(first, &id, &school.persons[1]).disputed
        ),
        (2, false)
    );
    assert_eq!(register_claims(first, &by(), &id, "2025-10-17").unwrap(), 1);
}

#[test]
fn one_mark_edited_apart_is_in_dispute_too() {
    let world = World::new();
    let school = world.school_with_teachers();
    let (first, second) = (
        &school.node,
        &world.device("石桥小学 教务处", Role::School, &school.id),
    );
    let id = save_session(first, &by(), &school.id, None, a_session()).unwrap();
    school.mark(first, &id, ["present"; 3]);
    carry(first, second);
    school.mark(first, &id, ["late", "present", "present"]);
    school.mark(second, &id, ["absent", "present", "present"]);
    meet(first, second);
    assert!(mark_of(first, &id, &school.persons[0]).disputed);
    // Choosing the value that happens to win must settle it as well.
    let winner = mark_of(first, &id, &school.persons[0]).status.unwrap();
    assert_eq!(school.mark(first, &id, [&winner, "present", "present"]), 1);
    assert!(!mark_of(first, &id, &school.persons[0]).disputed);
}

#[test]
fn an_edit_keeps_the_document_and_its_year() {
    let world = World::new();
    let school = world.school_with_teachers();
    let node = &school.node;
    let id = save_session(node, &by(), &school.id, None, a_session()).unwrap();
    let moved = SessionInput {
        date: "2026-09-01".into(),
        ..a_session()
    };
    assert_eq!(
        refused(save_session(node, &by(), &school.id, Some(&id), moved)),
        ["date"]
    );
    let later = SessionInput {
        date: "2026-08-31".into(),
        place: "录播教室".into(),
        ..a_session()
    };
    save_session(node, &by(), &school.id, Some(&id), later).unwrap();
    assert_eq!(
        node.record(&id).unwrap().unwrap().doc,
        format!("log/{}/2025", school.id)
    );
    let bad = SessionInput {
        hours_c: 155,
        category: "fun".into(),
        title: "　".into(),
        ..a_session()
    };
    assert_eq!(
        refused(save_session(node, &by(), &school.id, None, bad)),
        ["title", "category", "hours_c"]
    );
}

#[test]
fn a_void_session_takes_no_marks() {
    let world = World::new();
    let school = world.school_with_teachers();
    let id = school.ended_session();
    void_session(&school.node, &by(), &id, "没有开").unwrap();
    assert_eq!(row(&school.node, &id).state, "void");
    let mark = [(school.persons[0].clone(), "late".to_owned())];
    assert_eq!(
        refused(mark_attendance(&school.node, &by(), &id, &mark)),
        ["state"]
    );
    assert_eq!(
        refused(register_claims(&school.node, &by(), &id, "2025-10-16")),
        ["state"]
    );
    assert_eq!(node_marks(&school.node, &id), 3);
}

fn node_marks(node: &Node, session: &str) -> usize {
    super::session(node, session).unwrap().unwrap().row.marked
}
