use super::*;

#[test]
fn a_second_import_of_the_same_roster_changes_nothing() {
    let world = World::new();
    let school = world.school_with_teachers();
    let known = roster(&school.node, &school.id).unwrap();
    assert_eq!(known.len(), 3);
    let before = changes_of(&school.node);
    let again = known
        .iter()
        .map(|t| (Some(t.id.clone()), teacher_named(&t.name)))
        .collect();
    assert_eq!(save_teachers(&school.node, &by(), &school.id, again).unwrap(), 0);
    assert_eq!(changes_of(&school.node), before);
}

#[test]
fn facts_are_dated_rows_and_the_newest_is_shown() {
    let world = World::new();
    let School {
        id,
        node,
        persons: [person, ..],
    } = world.school_with_teachers();
    let facts = || {
        node.count(&crate::Filter::kind("staff_fact").person(&person))
            .unwrap()
    };
    let save = |from: &str, title: &str| {
        let input = TeacherInput {
            title: title.into(),
            from: from.into(),
            ..teacher_named("王𬭊")
        };
        save_teacher(&node, &by(), &id, Some(&person), input).unwrap();
    };
    // The same day again is a correction, a later day with other facts a new row in its own year.
    save("2025-09-01", "second");
    assert_eq!(facts(), 1);
    save("2026-12-01", "senior");
    assert_eq!(facts(), 2);
    let shown = teacher(&node, &person).unwrap().unwrap();
    assert_eq!(
        (shown.title.as_str(), shown.from.as_str()),
        ("senior", "2026-12-01")
    );
    let rows = node
        .records(&crate::Filter::kind("staff_fact").person(&person))
        .unwrap();
    let docs: Vec<&str> = rows.iter().map(|row| row.doc.as_str()).collect();
    assert_eq!(docs, [format!("base/{id}/2025"), format!("base/{id}/2026")]);
    // Facts that hold already are not written again, and a row in the past does not take over.
    save("2027-03-01", "senior");
    assert_eq!(facts(), 2);
    save("2024-09-01", "third");
    assert_eq!(facts(), 3);
    assert_eq!(teacher(&node, &person).unwrap().unwrap().title, "senior");
    assert_eq!(
        roster(&node, &id)
            .unwrap()
            .iter()
            .filter(|t| t.title == "senior")
            .count(),
        1
    );
}

#[test]
fn one_bad_teacher_of_a_batch_writes_nothing_and_is_named() {
    let world = World::new();
    let school = world.school_with_teachers();
    let before = changes_of(&school.node);
    let bad = TeacherInput {
        title: "教授".into(),
        from: "2025年9月".into(),
        ..teacher_named("赵伟")
    };
    assert_eq!(
        check_teacher(&bad)
            .iter()
            .map(|f| f.field.as_str())
            .collect::<Vec<_>>(),
        ["from", "title"]
    );
    let batch = vec![(None, teacher_named("赵敏")), (None, bad)];
    let result = save_teachers(&school.node, &by(), &school.id, batch);
    let Err(Error::Invalid(faults)) = result else {
        panic!("{result:?}")
    };
    assert!(faults.iter().all(|f| f.zh.starts_with("第2条：")), "{faults:?}");
    assert_eq!(changes_of(&school.node), before);
}

#[test]
fn a_new_teacher_needs_a_code_of_the_own() {
    let world = World::new();
    let School { id, node, persons } = world.school_with_teachers();
    let coded = |name: &str| TeacherInput {
        teacher_code: "T001".into(),
        ..teacher_named(name)
    };
    save_teacher(&node, &by(), &id, Some(&persons[0]), coded("王𬭊")).unwrap();
    save_teacher(&node, &by(), &id, Some(&persons[0]), coded("王𬭊")).unwrap();
    assert_eq!(
        refused(save_teacher(&node, &by(), &id, None, coded("王𬭊"))),
        ["teacher_code"]
    );
    assert_eq!(roster(&node, &id).unwrap().len(), 3);
}

#[test]
fn only_the_school_itself_enters_its_records() {
    let world = World::new();
    let school = world.school_with_teachers();
    let other = world.school("东关小学");
    assert_eq!(
        refused(save_teacher(
            &school.node,
            &by(),
            &other,
            None,
            teacher_named("赵敏")
        )),
        ["school"]
    );
    assert_eq!(
        refused(save_session(&world.hub, &by(), &school.id, None, a_session())),
        ["school"]
    );
    let input = OrganisationInput {
        name: "自封小学".into(),
        org_kind: "primary_school".into(),
        ..Default::default()
    };
    assert_eq!(
        refused(save_organisations(&school.node, &by(), vec![(None, input)])),
        [""]
    );
}

#[test]
fn facts_of_one_day_from_two_devices_are_in_dispute_until_somebody_chooses() {
    let world = World::new();
    let School {
        id,
        node,
        persons: [person, ..],
    } = world.school_with_teachers();
    let second = world.device("石桥小学 教务处", Role::School, &id);
    carry(&node, &second);
    let titled = |title: &str| TeacherInput {
        title: title.into(),
        from: "2026-01-05".into(),
        ..teacher_named("王𬭊")
    };
    save_teacher(&node, &by(), &id, Some(&person), titled("senior")).unwrap();
    save_teacher(&second, &by(), &id, Some(&person), titled("second")).unwrap();
    meet(&node, &second);
    for device in [&node, &second] {
        assert!(teacher(device, &person).unwrap().unwrap().disputed);
    }
    save_teacher(&second, &by(), &id, Some(&person), titled("senior")).unwrap();
    meet(&node, &second);
    let settled = teacher(&node, &person).unwrap().unwrap();
    assert_eq!((settled.title.as_str(), settled.disputed), ("senior", false));
}
