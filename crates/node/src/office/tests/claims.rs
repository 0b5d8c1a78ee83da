use records::parse_stored_date;

use super::*;
use crate::Filter;

/// A school whose three claims of 1.5 class-hours are at the hub.
fn claimed() -> (World, School, String, [String; 3]) {
    let world = World::new();
    let school = world.school_with_teachers();
    let session = school.ended_session();
    assert_eq!(
        register_claims(&school.node, &by(), &session, "2025-10-16").unwrap(),
        3
    );
    carry(&school.node, &world.hub);
    let ids = school.persons.clone().map(|person| {
        let own = school
            .node
            .records(&Filter::kind("claim").person(&person))
            .unwrap();
        assert_eq!(own.len(), 1);
        own[0].id.clone()
    });
    (world, school, session, ids)
}

fn claim_row(node: &Node, id: &str) -> ClaimRow {
    super::claims(node, None, 1000)
        .unwrap()
        .into_iter()
        .find(|claim| claim.id == id)
        .unwrap()
}

fn verdict(node: &Node, id: &str) -> String {
    match claim_row(node, id).state {
        ClaimState::Decided { verdict, .. } => verdict,
        other => format!("{other:?}"),
    }
}

#[test]
fn registering_twice_makes_no_second_claim() {
    let (_world, school, session, _) = claimed();
    let before = changes_of(&school.node);
    assert_eq!(
        register_claims(&school.node, &by(), &session, "2025-10-18").unwrap(),
        0
    );
    assert_eq!(changes_of(&school.node), before);
    let rows = super::claims(&school.node, Some(&school.id), 100).unwrap();
    assert_eq!(rows.len(), 3);
    for row in &rows {
        assert_eq!(
            (row.hours_c, row.credits_c, row.date.as_str()),
            (150, 15, "2025-10-15")
        );
        assert_eq!((&row.state, row.disputed), (&ClaimState::AtCounty, false));
        assert!(!row.person_name.is_empty() && row.session_title == "第３次研课磨课");
    }
}

#[test]
fn the_way_of_a_claim_is_what_receipts_say() {
    let world = World::new();
    let school = world.school_with_teachers();
    let mentor = world.device("送教专家", Role::MentorReader, &school.id);
    let second = world.device("石桥小学 教务处", Role::School, &school.id);
    carry(&world.hub, &school.node);
    let session = school.ended_session();
    register_claims(&school.node, &by(), &session, "2025-10-16").unwrap();
    let id = school.node.records(&Filter::kind("claim")).unwrap()[0].id.clone();
    let state = |node: &Node| claim_row(node, &id).state;
    assert_eq!(state(&school.node), ClaimState::SavedAtSchool);
    carry(&school.node, &mentor);
    assert_eq!(
        [state(&school.node), state(&mentor)],
        [ClaimState::Carried, ClaimState::Carried]
    );
    carry(&mentor, &world.hub);
    assert_eq!(
        state(&school.node),
        ClaimState::Carried,
        "the hub has it, but no receipt says so here"
    );
    carry(&school.node, &second);
    assert_eq!(state(&second), ClaimState::SavedAtSchool);
    carry(&school.node, &world.hub);
    assert_eq!(
        [state(&school.node), state(&world.hub)],
        [ClaimState::AtCounty, ClaimState::AtCounty]
    );
}

#[test]
fn a_decision_reaches_card_and_school() {
    let (world, school, session, [a, b, c]) = claimed();
    assert_eq!(audit_queue(&world.hub, 100).unwrap().len(), 3);
    assert_eq!(audit_queue(&world.hub, 2).unwrap().len(), 2);
    recognise(&world.hub, &a).unwrap();
    decide(
        &world.hub,
        &auditor(),
        &b,
        "reduced",
        Some(10),
        "over_cap",
        "讲座过多",
        ON,
    )
    .unwrap();
    decide(
        &world.hub,
        &auditor(),
        &c,
        "rejected",
        None,
        "no_evidence",
        "",
        ON,
    )
    .unwrap();
    assert!(audit_queue(&world.hub, 100).unwrap().is_empty());
    carry(&world.hub, &school.node);
    for node in [&world.hub, &school.node] {
        let totals = school.persons.clone().map(|person| total_c(node, &person));
        assert_eq!(totals, [15, 10, 0]);
        assert_eq!(
            [&a, &b, &c].map(|id| verdict(node, id)),
            ["recognised", "reduced", "rejected"]
        );
    }
    let ClaimState::Decided {
        hours_c,
        credits_c,
        reason,
        by,
        on,
        ..
    } = claim_row(&school.node, &b).state
    else {
        panic!()
    };
    assert_eq!(
        (hours_c, credits_c, reason.as_str(), by.as_str(), on.as_str()),
        (100, 10, "over_cap", "周审核员", ON)
    );
    let detail = super::session(&school.node, &session).unwrap().unwrap();
    assert_eq!((detail.row.claims, detail.row.decided), (3, 3));
    let card = credit_card(&school.node, &school.persons[0]).unwrap().unwrap();
    assert_eq!(card.lines.len(), 1);
    assert_eq!(
        card.cutoff,
        credit_card(&world.hub, &school.persons[0])
            .unwrap()
            .unwrap()
            .cutoff
    );
    assert!(card.cutoff.starts_with(ON));
    // Each line says on what it rests.
    let account = &card.card.accounts[0];
    let decisions = world.hub.records(&Filter::kind("decision").about(&a)).unwrap();
    assert_eq!(
        (account.session.as_str(), account.amount_c),
        (session.as_str(), 15)
    );
    assert_eq!(account.decision, decisions[0].id);
    // 0.15 credits are 1.5 class-hours: 1.5 credits of R2, 1.5 of the 72 hours of the year from March 2025.
    let others = |on: &str| {
        let on = parse_stored_date(on).unwrap();
        let cards = credit_cards(&school.node, &school.persons[0], on)
            .unwrap()
            .unwrap()
            .1;
        cards.iter().map(|card| card.total_c).collect::<Vec<_>>()
    };
    assert_eq!(others("2025-12-01"), [150, 150]);
    assert_eq!(others("2026-03-01"), [0, 0]);
    // Nothing is double when the same is decided once more.
    let before = changes_of(&world.hub);
    recognise(&world.hub, &a).unwrap();
    assert_eq!(changes_of(&world.hub), before);
}

#[test]
fn a_change_after_the_decision_counts_zero_until_it_is_renewed() {
    let (world, school, session, [a, ..]) = claimed();
    recognise(&world.hub, &a).unwrap();
    carry(&world.hub, &school.node);
    assert_eq!(total_c(&school.node, &school.persons[0]), 15);
    // A typing error in the title is no new content; other hours are.
    let titled = SessionInput {
        title: "第三次研课磨课".into(),
        ..a_session()
    };
    save_session(&school.node, &by(), &school.id, Some(&session), titled.clone()).unwrap();
    assert_eq!(verdict(&school.node, &a), "recognised");
    let longer = SessionInput {
        hours_c: 300,
        ..titled
    };
    save_session(&school.node, &by(), &school.id, Some(&session), longer).unwrap();
    assert_eq!(
        claim_row(&school.node, &a).state,
        ClaimState::ChangedAfterDecision
    );
    assert_eq!(total_c(&school.node, &school.persons[0]), 0);
    // The claims follow the session, also the undecided ones; none is added.
    assert_eq!(
        register_claims(&school.node, &by(), &session, "2025-10-21").unwrap(),
        3
    );
    assert_eq!(school.node.count(&Filter::kind("claim")).unwrap(), 3);
    carry(&school.node, &world.hub);
    assert_eq!(total_c(&world.hub, &school.persons[0]), 0);
    let queue = audit_queue(&world.hub, 100).unwrap();
    assert_eq!(queue.len(), 3);
    assert_eq!(queue[2].id, a, "changed ones come after those nobody has seen");
    assert_eq!(queue[2].state, ClaimState::ChangedAfterDecision);
    recognise(&world.hub, &a).unwrap();
    assert_eq!(total_c(&world.hub, &school.persons[0]), 30);
    assert_eq!(world.hub.count(&Filter::kind("decision").about(&a)).unwrap(), 1);
}

#[test]
fn a_returned_claim_is_followed_by_one_new_claim() {
    let (world, school, session, [a, ..]) = claimed();
    decide(
        &world.hub,
        &auditor(),
        &a,
        "returned",
        None,
        "wrong_form",
        "形式请改",
        ON,
    )
    .unwrap();
    carry(&world.hub, &school.node);
    assert_eq!(
        register_claims(&school.node, &by(), &session, "2025-10-22").unwrap(),
        1
    );
    assert_eq!(
        register_claims(&school.node, &by(), &session, "2025-10-23").unwrap(),
        0
    );
    let own = school
        .node
        .records(&Filter::kind("claim").person(&school.persons[0]))
        .unwrap();
    assert_eq!(own.len(), 2);
    let renewed = own.iter().find(|claim| claim.text("supersedes") == a).unwrap();
    carry(&school.node, &world.hub);
    let queue: Vec<String> = audit_queue(&world.hub, 100)
        .unwrap()
        .into_iter()
        .map(|row| row.id)
        .collect();
    assert!(queue.contains(&renewed.id) && !queue.contains(&a));
    assert_eq!(refused(recognise(&world.hub, &a)), ["claim"]);
    recognise(&world.hub, &renewed.id).unwrap();
    assert_eq!(total_c(&world.hub, &school.persons[0]), 15);
}

#[test]
fn mending_the_session_of_a_returned_claim_is_no_change_behind_the_auditors_back() {
    let (world, school, session, [a, ..]) = claimed();
    decide(
        &world.hub,
        &auditor(),
        &a,
        "returned",
        None,
        "other",
        "学时请核对",
        ON,
    )
    .unwrap();
    carry(&world.hub, &school.node);
    let mended = SessionInput {
        hours_c: 200,
        ..a_session()
    };
    save_session(&school.node, &by(), &school.id, Some(&session), mended).unwrap();
    carry(&school.node, &world.hub);
    assert_eq!(verdict(&world.hub, &a), "returned");
    assert_eq!(
        audit_queue(&world.hub, 100).unwrap().len(),
        2,
        "it waits for the school"
    );
    // One new claim in its place; the two undecided follow the session.
    assert_eq!(
        register_claims(&school.node, &by(), &session, "2025-10-22").unwrap(),
        3
    );
    assert_eq!(school.node.count(&Filter::kind("claim")).unwrap(), 4);
    carry(&school.node, &world.hub);
    let queue = audit_queue(&world.hub, 100).unwrap();
    assert_eq!(
        queue.iter().map(|row| row.credits_c).collect::<Vec<_>>(),
        [20, 20, 20]
    );
    assert!(queue.iter().all(|row| row.id != a));
}

#[test]
fn nobody_awards_the_own_school_or_person() {
    let (world, school, _, [a, b, _]) = claimed();
    assert_eq!(
        refused(recognise(&school.node, &a)),
        ["verdict"],
        "a school is no auditor"
    );
    // A laptop that is an auditor's and a school's at once.
    let laptop = world.device("审核员电脑", Role::Auditor, "");
    let (id, _) = crate::enrol::read_request(&crate::enrol::request_code(&laptop)).unwrap();
    let grant = [(Role::School, school.id.clone())];
    let answer = crate::enrol::approve(&world.hub, &id, "审核员电脑", &grant).unwrap();
    crate::enrol::accept(&laptop, &answer.text).unwrap();
    carry(&world.hub, &laptop);
    assert!(laptop.is_auditor());
    assert_eq!(refused(recognise(&laptop, &a)), ["claim"]);
    assert!(audit_queue(&laptop, 100).unwrap().is_empty());
    // An account of the teacher who earns.
    let account = crate::accounts::NewAccount {
        name: "王𬭊".into(),
        role: crate::accounts::Role::Auditor,
        secret: "135790".into(),
        person: Some(school.persons[0].clone()),
    };
    crate::accounts::create(&world.hub, account, 1).unwrap();
    let own = By {
        account: "王𬭊".into(),
    };
    assert_eq!(
        refused(decide(&world.hub, &own, &a, "recognised", None, "", "", ON)),
        ["claim"]
    );
    decide(&world.hub, &own, &b, "recognised", None, "", "", ON).unwrap();
}

#[test]
fn verdicts_need_what_belongs_to_them() {
    let (world, _, _, [a, ..]) = claimed();
    let hub = &world.hub;
    let decide = |verdict: &str, credits_c: Option<i64>, reason: &str, on: &str| {
        refused(super::decide(
            hub,
            &auditor(),
            &a,
            verdict,
            credits_c,
            reason,
            "",
            on,
        ))
    };
    assert_eq!(decide("reduced", Some(15), "over_cap", ON), ["credits_c"]);
    assert_eq!(decide("reduced", Some(-1), "over_cap", ON), ["credits_c"]);
    assert_eq!(decide("reduced", None, "over_cap", ON), ["credits_c"]);
    assert_eq!(decide("recognised", Some(16), "", ON), ["credits_c"]);
    assert_eq!(decide("rejected", None, " ", ON), ["reason"]);
    assert_eq!(decide("returned", None, "", ON), ["reason"]);
    assert_eq!(decide("rejected", None, "不喜欢", ON), ["reason"]);
    assert_eq!(decide("applauded", None, "other", ON), ["verdict"]);
    assert_eq!(decide("recognised", None, "", "昨天"), ["decided_on"]);
    assert_eq!(refused(recognise(hub, &hub.new_id())), ["claim"]);
    assert_eq!(hub.count(&Filter::kind("decision")).unwrap(), 0);
}

#[test]
fn a_session_claimed_on_two_devices_counts_once() {
    let world = World::new();
    let school = world.school_with_teachers();
    let (first, second) = (
        &school.node,
        &world.device("石桥小学 教务处", Role::School, &school.id),
    );
    let session = school.ended_session();
    carry(first, second);
    register_claims(first, &by(), &session, "2025-10-16").unwrap();
    register_claims(second, &by(), &session, "2025-10-17").unwrap();
    meet(first, second);
    let person = &school.persons[0];
    let twins = first.records(&Filter::kind("claim").person(person)).unwrap();
    assert_eq!(twins.len(), 2);
    // Neither device makes a third.
    assert_eq!(register_claims(first, &by(), &session, "2025-10-18").unwrap(), 0);
    let apart = world.device("第二审核员", Role::Auditor, "");
    carry(&world.hub, first);
    carry(first, &apart);
    carry(first, &world.hub);
    recognise(&world.hub, &twins[0].id).unwrap();
    assert_eq!(refused(recognise(&world.hub, &twins[1].id)), ["claim"]);
    // Another auditor, who has not seen the first decision, recognises the twin: still once.
    recognise(&apart, &twins[1].id).unwrap();
    carry(&apart, &world.hub);
    assert_eq!(total_c(&world.hub, person), 15);
    // Different amounts for one session are nobody's to add up.
    decide(
        &apart,
        &auditor(),
        &twins[1].id,
        "reduced",
        Some(5),
        "duplicate",
        "",
        ON,
    )
    .unwrap();
    carry(&apart, &world.hub);
    assert_eq!(total_c(&world.hub, person), 0);
    assert!(
        credit_card(&world.hub, person)
            .unwrap()
            .unwrap()
            .lines
            .iter()
            .all(|line| line.disputed)
    );
    decide(
        &world.hub,
        &auditor(),
        &twins[1].id,
        "rejected",
        None,
        "duplicate",
        "",
        ON,
    )
    .unwrap();
    assert_eq!(total_c(&world.hub, person), 15);
}

#[test]
fn auditors_who_differ_give_nothing_until_one_renews() {
    let (world, school, _, [a, ..]) = claimed();
    let apart = world.device("第二审核员", Role::Auditor, "");
    carry(&world.hub, &apart);
    recognise(&world.hub, &a).unwrap();
    decide(&apart, &auditor(), &a, "reduced", Some(5), "over_cap", "", ON).unwrap();
    meet(&world.hub, &apart);
    let person = &school.persons[0];
    for node in [&world.hub, &apart] {
        assert_eq!(node.count(&Filter::kind("decision").about(&a)).unwrap(), 2);
        assert!(claim_row(node, &a).disputed);
        assert_eq!(total_c(node, person), 0);
        assert!(audit_queue(node, 100).unwrap().iter().any(|row| row.id == a));
    }
    recognise(&apart, &a).unwrap();
    meet(&world.hub, &apart);
    for node in [&world.hub, &apart] {
        assert_eq!((total_c(node, person), claim_row(node, &a).disputed), (15, false));
    }
}

#[test]
fn what_a_claim_rests_on_must_still_be_so() {
    let (world, school, session, [a, b, _]) = claimed();
    recognise(&world.hub, &a).unwrap();
    recognise(&world.hub, &b).unwrap();
    carry(&world.hub, &school.node);
    // The first was not there after all.
    school.mark(&school.node, &session, ["absent", "present", "present"]);
    assert!(claim_row(&school.node, &a).disputed);
    let totals = |node: &Node| school.persons.clone().map(|person| total_c(node, &person));
    assert_eq!(totals(&school.node), [0, 15, 0]);
    carry(&school.node, &world.hub);
    assert_eq!(totals(&world.hub), [0, 15, 0]);
    assert_eq!(refused(recognise(&world.hub, &a)), ["claim"]);
    void_session(&school.node, &by(), &session, "没有开").unwrap();
    carry(&school.node, &world.hub);
    assert_eq!(totals(&world.hub), [0, 0, 0]);
}

#[test]
fn a_session_in_dispute_takes_no_claims_and_gives_no_credit() {
    let (world, school, session, [a, ..]) = claimed();
    recognise(&world.hub, &a).unwrap();
    carry(&world.hub, &school.node);
    let second = world.device("石桥小学 教务处", Role::School, &school.id);
    carry(&school.node, &second);
    let hours = |node: &Node, hours_c: i64| {
        let input = SessionInput {
            hours_c,
            ..a_session()
        };
        save_session(node, &by(), &school.id, Some(&session), input).unwrap();
    };
    hours(&school.node, 300);
    hours(&second, 600);
    meet(&school.node, &second);
    assert_eq!(
        refused(register_claims(&second, &by(), &session, "2025-10-24")),
        ["session"]
    );
    assert!(claim_row(&second, &a).disputed);
    assert_eq!(total_c(&second, &school.persons[0]), 0);
    // Back to what the auditor saw: the decision holds again.
    hours(&second, 150);
    assert_eq!(
        (verdict(&second, &a), total_c(&second, &school.persons[0])),
        ("recognised".into(), 15)
    );
}

#[test]
fn the_county_counts_each_school() {
    let (world, school, _, [a, ..]) = claimed();
    world.school("东关小学");
    recognise(&world.hub, &a).unwrap();
    let rows = schools(&world.hub).unwrap();
    assert_eq!(rows.len(), 2);
    let own = rows.iter().find(|row| row.id == school.id).unwrap();
    assert_eq!((own.teachers, own.sessions, own.attendances), (3, 1, 3));
    assert_eq!(
        (own.open_claims, own.decided_claims, own.enrolled_devices),
        (2, 1, 1)
    );
    let other = rows.iter().find(|row| row.id != school.id).unwrap();
    assert_eq!(
        (other.teachers, other.enrolled_devices, other.last_contact),
        (0, 0, None)
    );
    let retired = TeacherInput {
        status: "retired".into(),
        ..teacher_named("㙇伟")
    };
    save_teacher(&school.node, &by(), &school.id, Some(&school.persons[1]), retired).unwrap();
    carry(&school.node, &world.hub);
    let rows = schools(&world.hub).unwrap();
    assert_eq!(rows.iter().find(|row| row.id == school.id).unwrap().teachers, 2);
}
