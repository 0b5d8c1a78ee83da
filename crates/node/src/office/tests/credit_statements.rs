//! 学分证明: what it says is the card's, a school gives out none, and a revoked device is believed for the ledger alone.

use super::*;
use crate::Filter;
use crate::credential::{self, CredentialError};

/// A school with a recognised, a reduced and an undecided claim of its first teacher.
fn decided(world: &World) -> School {
    let school = world.school_with_teachers();
    for title in ["第３次研课磨课", "课例展示", "读书沙龙"] {
        let input = SessionInput {
            title: title.into(),
            date: match title {
                "课例展示" => "2025-11-05".into(),
                "读书沙龙" => "2025-12-03".into(),
                _ => "2025-10-15".into(),
            },
            ..a_session()
        };
        let id = save_session(&school.node, &by(), &school.id, None, input).unwrap();
        school.mark(&school.node, &id, ["present", "absent", "absent"]);
        end_session(&school.node, &by(), &id).unwrap();
        register_claims(&school.node, &by(), &id, "2025-12-04").unwrap();
    }
    carry(&school.node, &world.hub);
    for claim in claims(&world.hub, None, 10).unwrap() {
        let on = "2025-12-10";
        match claim.session_title.as_str() {
            "读书沙龙" => continue,
            "课例展示" => {
                let less = Some(claim.credits_c - 1);
                decide(
                    &world.hub,
                    &auditor(),
                    &claim.id,
                    "reduced",
                    less,
                    "lecture_share",
                    "",
                    on,
                )
                .unwrap();
            }
            _ => decide(&world.hub, &auditor(), &claim.id, "recognised", None, "", "", on).unwrap(),
        }
    }
    carry(&world.hub, &school.node);
    school
}

fn wanted(person: &str) -> StatementInput {
    StatementInput {
        person: person.into(),
        purpose: "职称评审".into(),
        issued_on: "2026-01-10".into(),
        ..StatementInput::default()
    }
}

#[test]
fn a_statement_says_what_the_card_says_and_the_school_reads_of_it_in_its_ledger() {
    let world = World::new();
    let school = decided(&world);
    let person = &school.persons[0];
    let (id, file) = issue_statement(&world.hub, &auditor(), &wanted(person)).unwrap();
    let root = world.hub.county_root().unwrap();

    // By one who has the county's key alone.
    let said = credential::verify(&file, &root, None).unwrap().statement;
    let card = credit_card(&world.hub, person).unwrap().unwrap().card;
    assert_eq!(
        (said.holder.name.as_str(), said.holder.school.as_str()),
        ("王𬭊", "石桥小学")
    );
    assert_eq!((said.counted_c, said.hours_c), (card.total_c, card.total_hours_c));
    assert!(said.counted_c > 0 && said.period.cycle);
    assert_eq!(said.rules.complete, Some(card.complete));
    let total = said
        .requirements
        .iter()
        .find(|r| Some(&r.id) == card.total_requirement.as_ref());
    assert_eq!(total.map(|r| r.earned_c), Some(card.total_c));
    // What nobody has decided on is not certified.
    let titles: Vec<&str> = said.lines.iter().map(|line| line.title.as_str()).collect();
    assert_eq!(titles, ["第３次研课磨课", "课例展示"]);
    assert_eq!(said.lines[1].verdict, "reduced");
    assert_eq!(
        said.heads.len(),
        2,
        "log and ledger of the one year: {:?}",
        said.heads.keys()
    );

    // A part of the cycle: that part's figures, and no word on the requirements.
    let part = StatementInput {
        from: "2025-11-01".into(),
        until: "2025-11-30".into(),
        ..wanted(person)
    };
    let (_, part) = issue_statement(&world.hub, &auditor(), &part).unwrap();
    let part = credential::verify(&part, &root, None).unwrap().statement;
    assert_eq!((part.lines.len(), part.credits_c), (1, said.lines[1].credits_c));
    assert!(part.requirements.is_empty() && part.rules.complete.is_none());

    // At the school, after the ledger has come.
    assert_eq!(
        check_statement(&school.node, &file).unwrap().ledger,
        InLedger::Absent
    );
    carry(&world.hub, &school.node);
    let checked = check_statement(&school.node, &file).unwrap();
    assert!(checked.good() && checked.ledger == InLedger::Same);
    let rows = issued_statements(&school.node, person).unwrap();
    assert_eq!((rows.len(), rows.iter().all(|row| !row.here)), (2, true));
    let code = statement_code(&id, &credential::digest(&file));
    assert_eq!(
        find_statement(&school.node, &code).unwrap().unwrap().unwrap().id,
        id
    );
    let other = statement_code(&id, &"0".repeat(64));
    assert_eq!(find_statement(&school.node, &other).unwrap(), Some(None));
    assert_eq!(statement_file(&world.hub, &id).unwrap(), Some(file.clone()));

    // The county takes it back.
    let actor = records::kinds::Actor::Auditor;
    assert!(
        take_step(
            &world.hub,
            &auditor(),
            actor,
            "credit_statement",
            &id,
            "withdrawn",
            ""
        )
        .is_err()
    );
    take_step(
        &world.hub,
        &auditor(),
        actor,
        "credit_statement",
        &id,
        "withdrawn",
        "单位写错",
    )
    .unwrap();
    carry(&world.hub, &school.node);
    let checked = check_statement(&school.node, &file).unwrap();
    assert!(!checked.good() && checked.ledger == InLedger::Withdrawn("单位写错".into()));
}

#[test]
fn a_school_issues_none_and_nobody_certifies_himself() {
    let world = World::new();
    let school = decided(&world);
    let person = &school.persons[0];
    let refuse = |node: &Node, by: &By, input: &StatementInput| refused(issue_statement(node, by, input));
    assert_eq!(refuse(&school.node, &by(), &wanted(person)), ["person"]);
    assert_eq!(refuse(&world.hub, &auditor(), &wanted("没有此人")), ["person"]);
    let own = crate::accounts::NewAccount {
        name: "王𬭊".into(),
        role: crate::accounts::Role::Auditor,
        secret: "202603".into(),
        person: Some(person.clone()),
    };
    crate::accounts::create(&world.hub, own, 0).unwrap();
    let own = By {
        account: "王𬭊".into(),
    };
    assert_eq!(refuse(&world.hub, &own, &wanted(person)), ["person"]);
    let back = StatementInput {
        from: "2025-12-01".into(),
        until: "2025-11-01".into(),
        ..wanted(person)
    };
    assert_eq!(refuse(&world.hub, &auditor(), &back), ["until"]);
    let no_day = StatementInput {
        issued_on: String::new(),
        ..wanted(person)
    };
    assert_eq!(refuse(&world.hub, &auditor(), &no_day), ["issued_on"]);
    assert_eq!(world.hub.count(&Filter::kind("credit_statement")).unwrap(), 0);
}

#[test]
fn a_revoked_device_is_believed_for_what_the_ledger_has_of_it() {
    let world = World::new();
    let school = decided(&world);
    let office = world.device("审核室 笔记本", Role::Auditor, "");
    let person = &school.persons[0];
    let (_, before) = issue_statement(&office, &auditor(), &wanted(person)).unwrap();
    carry(&office, &world.hub);
    // Stolen, and put out: what it signs afterwards stands in no ledger.
    enrol::revoke(&world.hub, &office.id()).unwrap();
    let (after_id, after) = issue_statement(&office, &auditor(), &wanted(person)).unwrap();
    let checked = check_statement(&world.hub, &before).unwrap();
    assert!(checked.verified.revoked && checked.good() && checked.ledger == InLedger::Same);
    let fault = check_statement(&world.hub, &after).unwrap_err();
    assert!(
        matches!(&fault, Error::Credential(CredentialError::Revoked(id)) if *id == after_id),
        "{fault}"
    );
    // One who knows nothing of the revocation is told no more than the file proves.
    let root = world.hub.county_root().unwrap();
    assert!(!credential::verify(&after, &root, None).unwrap().revoked);
}
