//! 一个学时只计一次, 谁也不审本校: also for who has names at two schools, and whatever a changed program writes.

use super::*;
use crate::office::draft::Draft;
use crate::{Edit, Filter};

/// The claim of a person about a session.
fn claim_of(node: &Node, session: &str, person: &str) -> ClaimRow {
    let all = super::claims(node, None, 1000).unwrap();
    let own = |claim: &ClaimRow| claim.session == session && claim.person == person;
    all.into_iter().find(own).unwrap()
}

/// A session of a school, ended, with a claim for one teacher.
fn claimed(node: &Node, school: &str, person: &str, session: SessionInput) -> String {
    let on = session.date.clone();
    let id = save_session(node, &by(), school, None, session).unwrap();
    mark_attendance(node, &by(), &id, &[(person.into(), "present".into())]).unwrap();
    end_session(node, &by(), &id).unwrap();
    assert_eq!(register_claims(node, &by(), &id, &on).unwrap(), 1);
    id
}

/// 王𬭊 stands on the rosters of two schools.
struct Two {
    world: World,
    here: School,
    there: Node,
    there_id: String,
    at_there: String,
}

impl Two {
    fn new() -> Two {
        let world = World::new();
        let here = world.school_with_teachers();
        let there_id = world.school("青石小学");
        let there = world.device("青石小学 办公室", Role::School, &there_id);
        let at_there = save_teacher(&there, &by(), &there_id, None, teacher_named("王𬭊")).unwrap();
        Two {
            world,
            here,
            there,
            there_id,
            at_there,
        }
    }

    fn at_here(&self) -> &str {
        &self.here.persons[0]
    }

    /// The county says that they are one, and keeps the entry of the first school.
    fn one_person(&self) {
        let (alias, kept) = ((self.there_id.as_str(), self.at_there.as_str()), self.at_here());
        let kept = (self.here.id.as_str(), kept);
        declare_same(&self.world.hub, &auditor(), alias, kept, ON, "同一人").unwrap();
    }

    /// Everything comes to the hub, and what it says of it to the schools.
    fn meet(&self) {
        for node in [&self.here.node, &self.there] {
            carry(node, &self.world.hub);
        }
        follow_arrivals(&self.world.hub).unwrap();
        for node in [&self.here.node, &self.there] {
            carry(&self.world.hub, node);
        }
    }
}

fn titled(title: &str, date: &str) -> SessionInput {
    SessionInput {
        title: title.into(),
        date: date.into(),
        ..a_session()
    }
}

#[test]
fn an_hour_at_two_schools_counts_once_and_the_county_asks_which() {
    for chosen_here in [true, false] {
        let two = Two::new();
        let hub = &two.world.hub;
        let here = claimed(
            &two.here.node,
            &two.here.id,
            two.at_here(),
            titled("石桥：作业设计", "2025-10-15"),
        );
        let there = claimed(
            &two.there,
            &two.there_id,
            &two.at_there,
            titled("青石：听评课", "2025-10-15"),
        );
        two.meet();
        // Two persons, as far as anybody knows.
        let first = claim_of(hub, &here, two.at_here());
        let second = claim_of(hub, &there, &two.at_there);
        recognise(hub, &second.id).unwrap();
        recognise(hub, &first.id).unwrap();
        assert_eq!(open_conflicts(hub).unwrap(), []);
        two.one_person();
        two.meet();

        // Both cards, the county's and the school's, have the hour once: where the person is now.
        for (node, person) in [
            (hub, two.at_here()),
            (hub, &two.at_there),
            (&two.here.node, two.at_here()),
        ] {
            assert_eq!(total_c(node, person), 15);
        }
        let waits = |school: &str, year: i32| {
            let all = all_claims(hub, school).unwrap();
            all.of_year(year)
                .iter()
                .map(|row| (row.waits, row.disputed))
                .collect::<Vec<_>>()
        };
        assert_eq!(waits(&two.there_id, 2025), [(Waits::SameTime, true)]);
        assert_eq!(waits(&two.here.id, 2025), [(Waits::No, false)]);
        // The year of the school whose credit waits is not closed over it.
        assert_eq!(
            refused(close_year(hub, &auditor(), &two.there_id, 2025, "2026-09-01")),
            ["year"]
        );

        let open = open_conflicts(hub).unwrap();
        assert_eq!(open.len(), 1);
        assert_eq!(open[0].matter, Matter::Overlap);
        assert!(open[0].settled_here(hub));
        let laid_out = conflict(hub, &open[0]).unwrap();
        let values: Vec<&str> = laid_out.choices.iter().map(|one| one.value.as_str()).collect();
        assert!(
            values.len() == 2 && values.contains(&here.as_str()) && values.contains(&there.as_str()),
            "{values:?}"
        );
        // Neither school reads the other's, and neither is asked.
        for node in [&two.here.node, &two.there] {
            assert_eq!(open_conflicts(node).unwrap(), []);
        }
        let choice = if chosen_here { &here } else { &there };
        settle(
            hub,
            &auditor(),
            &open[0].name(),
            choice,
            "签到表为证",
            "2025-11-01",
        )
        .unwrap();
        assert_eq!(open_conflicts(hub).unwrap(), []);
        two.meet();
        for (node, person) in [(hub, two.at_here()), (&two.here.node, two.at_here())] {
            assert_eq!(total_c(node, person), 15);
        }
        let counted = credit_card(&two.here.node, two.at_here()).unwrap().unwrap();
        let lines = counted.lines.iter().filter(|line| !line.disputed);
        let lines = lines.filter(
            |line| matches!(&line.state, ClaimState::Decided { verdict, .. } if verdict == "recognised"),
        );
        let from: Vec<&str> = lines.map(|line| line.school_name.as_str()).collect();
        assert_eq!(
            from,
            [if chosen_here {
                "石桥小学"
            } else {
                "青石小学"
            }]
        );
        for school in [&two.here.id, &two.there_id] {
            close_year(hub, &auditor(), school, 2025, "2026-09-01").unwrap();
        }
    }
}

#[test]
fn the_second_of_two_schools_is_not_recognised() {
    let two = Two::new();
    let hub = &two.world.hub;
    let timed = |title: &str, times: [&str; 2]| SessionInput {
        begins: times[0].into(),
        ends: times[1].into(),
        ..titled(title, "2025-10-15")
    };
    let here = claimed(
        &two.here.node,
        &two.here.id,
        two.at_here(),
        timed("石桥：作业设计", ["08:30", "11:30"]),
    );
    let there = claimed(
        &two.there,
        &two.there_id,
        &two.at_there,
        timed("青石：听评课", ["10:00", "12:00"]),
    );
    let later = claimed(
        &two.there,
        &two.there_id,
        &two.at_there,
        timed("青石：师德学习", ["12:00", "13:30"]),
    );
    two.meet();
    two.one_person();
    recognise(hub, &claim_of(hub, &here, two.at_here()).id).unwrap();
    let Err(Error::Invalid(faults)) = recognise(hub, &claim_of(hub, &there, &two.at_there).id) else {
        panic!("an hour counted twice");
    };
    assert!(faults[0].zh.contains("石桥：作业设计（石桥小学）"), "{faults:?}");
    // One that begins when the other has ended is no question.
    recognise(hub, &claim_of(hub, &later, &two.at_there).id).unwrap();
    assert_eq!(total_c(hub, two.at_here()), 30);
    two.meet();
    assert_eq!(total_c(&two.here.node, two.at_here()), 30);
    // Where the person was not marked after all, nothing stands against the other.
    mark_attendance(
        &two.here.node,
        &by(),
        &here,
        &[(two.at_here().into(), "absent".into())],
    )
    .unwrap();
    two.meet();
    recognise(hub, &claim_of(hub, &there, &two.at_there).id).unwrap();
    two.meet();
    assert_eq!(
        [
            total_c(hub, two.at_here()),
            total_c(&two.here.node, two.at_here())
        ],
        [30, 30]
    );
}

#[test]
fn what_followed_a_person_goes_when_its_ground_goes() {
    let two = Two::new();
    let hub = &two.world.hub;
    let there = claimed(
        &two.there,
        &two.there_id,
        &two.at_there,
        titled("青石：听评课", "2025-10-14"),
    );
    two.meet();
    two.one_person();
    recognise(hub, &claim_of(hub, &there, &two.at_there).id).unwrap();
    two.meet();
    let both = || [hub, &two.here.node].map(|node| total_c(node, two.at_here()));
    assert_eq!(both(), [15, 15]);
    let step = |to: &str| {
        take_step(
            &two.there,
            &by(),
            records::kinds::Actor::Clerk,
            "session",
            &there,
            to,
            "核对签到表",
        )
        .unwrap();
        two.meet();
    };
    // The old school voids the session, and nobody at the county does anything.
    step("void");
    assert_eq!(both(), [0, 0]);
    step("held");
    assert_eq!(both(), [0, 0], "not over yet");
    step("ended");
    assert_eq!(both(), [15, 15]);
    let mark = |status: &str| {
        let marks = [(two.at_there.clone(), status.to_owned())];
        mark_attendance(&two.there, &by(), &there, &marks).unwrap();
        two.meet();
    };
    mark("absent");
    assert_eq!(both(), [0, 0]);
    mark("present");
    assert_eq!(both(), [15, 15]);
    // Nothing moves when nothing has happened.
    let before = changes_of(hub);
    two.meet();
    assert_eq!(changes_of(hub), before);
}

#[test]
fn two_auditors_apart_recognise_one_hour_twice_and_no_sheet_adds_it_up() {
    let world = World::new();
    let school = world.school_with_teachers();
    let (hub, apart) = (&world.hub, world.device("第二审核员", Role::Auditor, ""));
    let person = &school.persons[0];
    let timed = |title: &str| SessionInput {
        begins: "08:30".into(),
        ends: "11:30".into(),
        ..titled(title, "2025-10-15")
    };
    let first = claimed(&school.node, &school.id, person, timed("县城：新课标通识培训"));
    let second = claimed(&school.node, &school.id, person, timed("校本：作业设计"));
    carry(&school.node, hub);
    carry(&school.node, &apart);
    recognise(hub, &claim_of(hub, &first, person).id).unwrap();
    recognise(&apart, &claim_of(&apart, &second, person).id).unwrap();
    carry(&apart, hub);
    carry(hub, &school.node);
    for node in [hub, &school.node] {
        assert_eq!(total_c(node, person), 15);
        let all = all_claims(node, &school.id).unwrap();
        assert_eq!(
            all.iter()
                .filter(|row| row.waits == Waits::SameTime && row.disputed)
                .count(),
            1,
            "the register and the exports know it, too"
        );
    }
    assert_eq!(
        refused(close_year(hub, &auditor(), &school.id, 2025, "2026-09-01")),
        ["year"]
    );
    let open = open_conflicts(hub).unwrap();
    assert_eq!(open.len(), 1);
    settle(
        hub,
        &auditor(),
        &open[0].name(),
        &first,
        "县里签到表上有名字",
        "2025-11-01",
    )
    .unwrap();
    let closing = close_year(hub, &auditor(), &school.id, 2025, "2026-09-01").unwrap();
    let line = statements(hub, &closing).unwrap();
    let line = line.iter().find(|line| line.person == *person).unwrap();
    assert_eq!((line.hours_c, line.credits_c), (150, 15));
}

/// Two computers register the same session, two auditors recognise one claim each, and one is refused as a duplicate:
/// the other stands, against other sessions of that time too.
#[test]
fn a_refused_twin_leaves_the_other_standing_and_no_sheet_counts_both() {
    let world = World::new();
    let school = world.school_with_teachers();
    let second = world.device("石桥小学 教务处", Role::School, &school.id);
    let (hub, apart) = (&world.hub, world.device("第二审核员", Role::Auditor, ""));
    let person = &school.persons[0];
    let timed = |title: &str| SessionInput {
        begins: "08:30".into(),
        ends: "11:30".into(),
        ..titled(title, "2025-10-15")
    };
    let session = claimed(&school.node, &school.id, person, timed("县城：新课标通识培训"));
    carry(&school.node, &second);
    let claim = |node: &Node| node.records(&Filter::kind("claim")).unwrap().remove(0);
    let draft = [
        "person",
        "session",
        "rule_ref",
        "category",
        "channel",
        "claimed_on",
    ]
    .into_iter()
    .fold(Draft::new("claim"), |draft, field| {
        draft.text(field, claim(&second).text(field))
    });
    let twin = draft.int("hours_c", Some(150)).int("credits_c", Some(15));
    let twin = forge(&second, &format!("log/{}/2025", school.id), twin);
    let own = claim(&school.node).id;
    meet(&school.node, &second);
    carry(&second, hub);
    carry(&second, &apart);
    recognise(hub, &own).unwrap();
    recognise(&apart, &twin).unwrap();
    carry(&apart, hub);
    let sums = |node: &Node| {
        let all = all_claims(node, &school.id).unwrap();
        let given = all
            .iter()
            .filter(|row| !row.disputed)
            .map(|row| match &row.state {
                ClaimState::Decided { credits_c, .. } => *credits_c,
                _ => 0,
            });
        (total_c(node, person), given.sum::<i64>())
    };
    assert_eq!(sums(hub), (15, 15));
    let waits = |node: &Node| {
        let all = all_claims(node, &school.id).unwrap();
        let mut waits: Vec<Waits> = all.iter().map(|row| row.waits).collect();
        waits.sort();
        waits
    };
    assert_eq!(waits(hub), [Waits::No, Waits::Twin]);
    // Different amounts are nobody's to add up, on the card and on the sheets.
    let less = |verdict: &str, credits_c: Option<i64>| {
        decide(&apart, &auditor(), &twin, verdict, credits_c, "duplicate", "", ON).unwrap();
        carry(&apart, hub);
    };
    less("reduced", Some(5));
    assert_eq!(sums(hub), (0, 0));
    assert_eq!(waits(hub), [Waits::Differ, Waits::Differ]);
    less("rejected", None);
    assert_eq!(sums(hub), (15, 15));
    // A second session of that time: the refused twin does not stand for the one that counts.
    let other = claimed(&school.node, &school.id, person, timed("校本：作业设计"));
    carry(&school.node, hub);
    let open = open_conflicts(hub).unwrap();
    assert_eq!(open.len(), 1, "{open:?}");
    assert_eq!(
        refused(recognise(hub, &claim_of(hub, &other, person).id)),
        ["claim"]
    );
    assert_eq!(sums(hub), (15, 15));
    assert_ne!(session, other);
}

#[test]
fn what_another_officer_takes_back_takes_the_credit_with_it() {
    let two = Two::new();
    let hub = &two.world.hub;
    // A second computer of the office, which registers people and audits nothing.
    let office = two.world.device("县教育局 人事股", Role::County, "");
    let there = claimed(
        &two.there,
        &two.there_id,
        &two.at_there,
        titled("青石：听评课", "2025-10-14"),
    );
    two.meet();
    recognise(hub, &claim_of(hub, &there, &two.at_there).id).unwrap();
    carry(hub, &office);
    let (alias, kept) = ((two.there_id.as_str(), two.at_there.as_str()), two.at_here());
    let act = declare_same(
        &office,
        &auditor(),
        alias,
        (two.here.id.as_str(), kept),
        ON,
        "同一人",
    )
    .unwrap();
    carry(&office, hub);
    two.meet();
    let both = || [hub, &two.here.node].map(|node| total_c(node, two.at_here()));
    assert_eq!(both(), [15, 15], "the hub did what the office could not");
    carry(hub, &office);
    let county = records::kinds::Actor::County;
    take_step(
        &office,
        &auditor(),
        county,
        "same_person",
        &act,
        "withdrawn",
        "同名不同人",
    )
    .unwrap();
    carry(&office, hub);
    two.meet();
    assert_eq!(both(), [0, 0]);
    assert_eq!(total_c(hub, &two.at_there), 15);
}

/// A laptop that is an auditor's and a school's, with a changed program, in the ledger of its own school.
fn auditor_of_the_school(world: &World, school: &str) -> Node {
    let laptop = world.device("审核员电脑", Role::Auditor, "");
    let (id, _) = crate::enrol::read_request(&crate::enrol::request_code(&laptop)).unwrap();
    let grant = [(Role::School, school.to_owned())];
    let answer = crate::enrol::approve(&world.hub, &id, "审核员电脑", &grant).unwrap();
    crate::enrol::accept(&laptop, &answer.text).unwrap();
    carry(&world.hub, &laptop);
    laptop
}

#[test]
fn a_school_brings_nobody_over_and_closes_no_year_of_its_own() {
    let two = Two::new();
    let hub = &two.world.hub;
    let there = claimed(
        &two.there,
        &two.there_id,
        &two.at_there,
        titled("青石：听评课", "2025-10-14"),
    );
    two.meet();
    recognise(hub, &claim_of(hub, &there, &two.at_there).id).unwrap();
    let laptop = auditor_of_the_school(&two.world, &two.here.id);
    carry(&two.here.node, &laptop);
    let ledger = format!("ledger/{}/2025", two.here.id);
    let order = Draft::new("transfer_order")
        .text("order_no", "假〔2025〕1号")
        .text("person", &two.at_there)
        .text("person_label", "王𬭊")
        .text("reason", "transfer")
        .text("ordered_on", "2025-08-20")
        .text("from", &two.there_id)
        .text("to", &two.here.id)
        .text("to_person", two.at_here())
        .text("effective", "2025-09-01")
        .text("state", "effective");
    forge(&laptop, &ledger, order);
    let closing = Draft::new("year_close")
        .text("title", "2025-2026 学年")
        .int("year", Some(2025))
        .text("closed_on", "2026-09-01")
        .int("people", Some(3))
        .int("hours_c", Some(90000))
        .int("credits_c", Some(9000))
        .text("cut", "00")
        .text("state", "closed");
    let closing = forge(&laptop, &ledger, closing);
    let statement = Draft::new("year_statement")
        .text("closing", &closing)
        .text("person", two.at_here())
        .int("year", Some(2025))
        .int("hours_c", Some(90000))
        .int("credits_c", Some(9000))
        .int("elsewhere_c", Some(0));
    forge(&laptop, &ledger, statement);
    carry(&laptop, hub);
    two.meet();
    for node in [hub, &two.here.node] {
        assert_eq!(total_c(node, two.at_here()), 0);
        assert!(closings(node).unwrap().is_empty());
    }
    assert_eq!(hub.count(&Filter::kind("carried_credit")).unwrap(), 0);
    // The county closes the year as if nobody had.
    let closing = close_year(hub, &auditor(), &two.here.id, 2025, "2026-09-01").unwrap();
    let said = statements(hub, &closing).unwrap();
    assert!(said.iter().all(|line| line.credits_c == 0), "{said:?}");
}

#[test]
fn an_auditor_who_has_decided_for_a_school_is_not_made_its_computer() {
    let world = World::new();
    let school = world.school_with_teachers();
    let session = school.ended_session();
    register_claims(&school.node, &by(), &session, "2025-10-16").unwrap();
    let laptop = world.device("审核员电脑", Role::Auditor, "");
    carry(&school.node, &laptop);
    let claim = claim_of(&laptop, &session, &school.persons[0]).id;
    recognise(&laptop, &claim).unwrap();
    carry(&laptop, &world.hub);
    let (id, _) = crate::enrol::read_request(&crate::enrol::request_code(&laptop)).unwrap();
    let approve = |school: &str| {
        let grant = [(Role::School, school.to_owned())];
        crate::enrol::approve(&world.hub, &id, "审核员电脑", &grant)
    };
    assert!(matches!(approve(&school.id), Err(Error::HasDecided)));
    approve(&world.school("青石小学")).unwrap();
}

/// Writes what no page offers.
fn forge(node: &Node, document: &str, draft: Draft) -> String {
    let id = node.new_id();
    let edit: Edit = draft.create(node, id.clone(), &auditor()).unwrap();
    node.commit(document, vec![edit]).unwrap();
    id
}

fn decision_on(node: &Node, claim: &str, hours_c: i64, credits_c: i64) -> Draft {
    let claim = node.record(claim).unwrap().unwrap();
    let session = node.record(claim.text("session")).unwrap().unwrap();
    let binds = records::claim_digest_with(&node.kinds(), &claim.fields, &session.fields);
    Draft::new("decision")
        .text("claim", &claim.id)
        .text("verdict", "recognised")
        .int("hours_c", Some(hours_c))
        .int("credits_c", Some(credits_c))
        .text("decided_on", ON)
        .text("binds", &binds)
}

#[test]
fn a_decision_of_the_own_schools_computer_is_none() {
    let world = World::new();
    let school = world.school_with_teachers();
    let session = school.ended_session();
    register_claims(&school.node, &by(), &session, "2025-10-16").unwrap();
    carry(&school.node, &world.hub);
    let laptop = auditor_of_the_school(&world, &school.id);
    let person = &school.persons[0];
    let claim = claim_of(&laptop, &session, person).id;
    let ledger = format!("ledger/{}/2025", school.id);
    forge(&laptop, &ledger, decision_on(&laptop, &claim, 150, 15));
    carry(&laptop, &world.hub);
    carry(&world.hub, &school.node);
    for node in [&laptop, &world.hub, &school.node] {
        assert_eq!(node.count(&Filter::kind("decision").about(&claim)).unwrap(), 1);
        assert_eq!(total_c(node, person), 0);
    }
    // It waits for the county as before, and its word holds.
    let queue = audit_queue(&world.hub, 100).unwrap();
    assert!(queue.iter().any(|row| row.id == claim), "{queue:?}");
    assert_eq!(
        refused(close_year(&world.hub, &auditor(), &school.id, 2025, "2026-09-01")),
        ["year"]
    );
    recognise(&world.hub, &claim).unwrap();
    assert_eq!(total_c(&world.hub, person), 15);
    assert!(
        audit_queue(&world.hub, 100)
            .unwrap()
            .iter()
            .all(|row| row.id != claim)
    );
    // Its balance of earlier years and its carried credit say as little.
    let carried = Draft::new("carried_credit")
        .text("person", person)
        .text("claim", "01999999-0000-7000-8000-000000000001")
        .text("decision", "01999999-0000-7000-8000-000000000002")
        .text("session", "01999999-0000-7000-8000-000000000003")
        .text("from_school", &world.school("青石小学"))
        .text("title", "从没有开过")
        .text("date", "2025-10-09")
        .text("category", "practice")
        .text("channel", "school")
        .text("form", "school_based")
        .text(
            "rule_ref",
            &super::super::claims::rules_in_use(&laptop).reference(),
        )
        .int("hours_c", Some(9000))
        .int("credits_c", Some(900))
        .text("decided_on", ON)
        .text("state", "in_force");
    carry(&world.hub, &laptop);
    forge(&laptop, &ledger, carried);
    carry(&laptop, &world.hub);
    assert_eq!(total_c(&world.hub, person), 15);
    assert_eq!(total_c(&laptop, person), 15);
}

#[test]
fn a_decision_gives_no_more_than_was_claimed() {
    let world = World::new();
    let school = world.school_with_teachers();
    let session = school.ended_session();
    register_claims(&school.node, &by(), &session, "2025-10-16").unwrap();
    let changed = world.device("改过程序的审核员", Role::Auditor, "");
    carry(&school.node, &changed);
    carry(&school.node, &world.hub);
    let person = &school.persons[0];
    let claim = claim_of(&changed, &session, person).id;
    let ledger = format!("ledger/{}/2025", school.id);
    forge(&changed, &ledger, decision_on(&changed, &claim, 150, 1500));
    carry(&changed, &world.hub);
    for node in [&changed, &world.hub] {
        assert_eq!(total_c(node, person), 0);
        assert!(claim_of(node, &session, person).disputed);
        assert!(audit_queue(node, 100).unwrap().iter().any(|row| row.id == claim));
    }
    recognise(&world.hub, &claim).unwrap();
    assert_eq!(total_c(&world.hub, person), 15);
}

#[test]
fn a_session_that_is_not_over_founds_no_credit() {
    let world = World::new();
    let school = world.school_with_teachers();
    let person = &school.persons[0];
    let draft = save_session(&school.node, &by(), &school.id, None, a_session()).unwrap();
    assert_eq!(
        refused(register_claims(&school.node, &by(), &draft, "2025-10-16")),
        ["state"]
    );
    // A changed program writes mark and claim all the same.
    let log = format!("log/{}/2025", school.id);
    let mark = Draft::new("attendance")
        .text("session", &draft)
        .text("person", person)
        .text("status", "present")
        .text("source", "roll_call");
    forge(&school.node, &log, mark);
    let rules = super::super::claims::rules_in_use(&school.node);
    let fields = school.node.record(&draft).unwrap().unwrap().fields;
    let content = super::super::claims::content(&draft, &fields, person, &rules).unwrap();
    let claim = forge(&school.node, &log, content.text("claimed_on", "2025-10-16"));
    carry(&school.node, &world.hub);
    assert_eq!(refused(recognise(&world.hub, &claim)), ["claim"]);
    // So does an auditor's: it counts when the session is over, and not before.
    let ledger = format!("ledger/{}/2025", school.id);
    forge(&world.hub, &ledger, decision_on(&world.hub, &claim, 150, 15));
    assert_eq!(total_c(&world.hub, person), 0);
    carry(&world.hub, &school.node);
    for to in ["held", "ended"] {
        assert_eq!(total_c(&school.node, person), 0);
        let clerk = records::kinds::Actor::Clerk;
        take_step(&school.node, &by(), clerk, "session", &draft, to, "").unwrap();
    }
    assert_eq!(total_c(&school.node, person), 15);
}

#[test]
fn a_session_of_a_later_day_is_not_recognised() {
    let world = World::new();
    let school = world.school_with_teachers();
    let session = claimed(
        &school.node,
        &school.id,
        &school.persons[0],
        titled("还没开的活动", "2025-10-21"),
    );
    carry(&school.node, &world.hub);
    let claim = claim_of(&world.hub, &session, &school.persons[0]).id;
    assert_eq!(refused(recognise(&world.hub, &claim)), ["claim"]);
    decide(
        &world.hub,
        &auditor(),
        &claim,
        "recognised",
        None,
        "",
        "",
        "2025-10-21",
    )
    .unwrap();
}

#[test]
fn nobody_confirms_the_own_balance_of_earlier_years() {
    let world = World::new();
    let school = world.school_with_teachers();
    let inputs: Vec<OpeningInput> = school.persons[..2]
        .iter()
        .map(|person| OpeningInput {
            person: person.clone(),
            cell: Cell {
                category: "practice".into(),
                sub: String::new(),
                channel: "school".into(),
            },
            credits_c: Some(300),
        })
        .collect();
    assert_eq!(
        save_openings(
            &school.node,
            &by(),
            2024,
            "学分证书第12号",
            false,
            "2025-10-16",
            &inputs
        )
        .unwrap(),
        2
    );
    carry(&school.node, &world.hub);
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
    let queue = opening_queue(&world.hub).unwrap();
    let chosen: Vec<(String, String)> = queue
        .iter()
        .map(|row| (row.id.clone(), row.digest.clone()))
        .collect();
    let (decided, left) = decide_openings(&world.hub, &own, &chosen, "approved", "", ON).unwrap();
    assert_eq!(decided, 1);
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].0, "王𬭊");
    assert!(left[0].1.zh.contains("本人"), "{left:?}");
    let mut counting: Vec<(String, bool)> = openings(&world.hub, None)
        .unwrap()
        .into_iter()
        .map(|row| (row.person_name.clone(), row.counts()))
        .collect();
    counting.sort();
    assert_eq!(counting, [("㙇伟".into(), true), ("王𬭊".into(), false)]);
}
