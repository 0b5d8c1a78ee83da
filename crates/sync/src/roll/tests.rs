//! Laws of the roll.

use proptest::prelude::*;

use super::*;

fn key(n: u8) -> DeviceKey {
    DeviceKey::from_seed([n; 32])
}

fn grant(device: u8, number: u64, by: &DeviceKey) -> Statement {
    let body = Body::Grant {
        device: key(device).id(),
        role: 3,
        scope: "school-a".into(),
        label: "青石小学".into(),
    };
    Statement::sign(key(0).id(), by, number, body)
}

fn county() -> Vec<Statement> {
    let (root, officer) = (key(0), key(1));
    let say = |by: &DeviceKey, number, body| Statement::sign(root.id(), by, number, body);
    let actor = ActorId {
        device: key(5).id(),
        incarnation: [1; 4],
    };
    let document = DocKey::parse("log/school-a/2025").unwrap();
    let cut = |seq| Body::Cut {
        document: document.clone(),
        actor,
        seq,
        hash: [seq as u8; 32],
    };
    vec![
        say(
            &root,
            1,
            Body::Officer {
                key: officer.id(),
                limit: None,
            },
        ),
        grant(5, 2, &officer),
        grant(6, 3, &officer),
        say(
            &officer,
            4,
            Body::HubAddress {
                hub: key(9).id(),
                address: "10.1.1.1:4433".into(),
            },
        ),
        say(
            &officer,
            5,
            Body::HubAddress {
                hub: key(9).id(),
                address: "10.1.1.2:4433".into(),
            },
        ),
        say(&officer, 6, Body::Revoke { device: key(5).id() }),
        say(&officer, 6, cut(9)),
        say(&officer, 7, cut(4)),
        say(
            &officer,
            7,
            Body::Unknown {
                kind: 99,
                payload: vec![1, 2, 3],
            },
        ),
    ]
}

#[test]
fn statements_round_trip_and_a_changed_byte_is_noticed() {
    for s in county() {
        let bytes = s.to_bytes();
        assert!(bytes.len() < 260, "{}", bytes.len());
        assert_eq!(Statement::from_bytes(&bytes).unwrap(), s);
        for i in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[i] ^= 1;
            assert!(Statement::from_bytes(&bad).is_err(), "byte {i} of {s:?}");
        }
    }
}

#[test]
fn a_device_that_is_no_officer_says_nothing() {
    let mut roll = Roll::new(key(0).id());
    roll.add_all(county());
    roll.add(grant(8, 9, &key(6)));
    assert!(!roll.is_member(&key(8).id()));
    let elsewhere = Statement::sign(key(7).id(), &key(7), 1, Body::Revoke { device: key(6).id() });
    assert_eq!(roll.add(elsewhere), Added::Refused);
    assert!(roll.is_member(&key(6).id()));
}

#[test]
fn a_school_officer_grants_for_its_school_alone() {
    let mut roll = Roll::new(key(0).id());
    roll.add_all(county());
    let limit = Some((3, "school-a".to_string()));
    roll.add(Statement::sign(
        key(0).id(),
        &key(1),
        8,
        Body::Officer {
            key: key(6).id(),
            limit,
        },
    ));
    roll.add(grant(8, 9, &key(6)));
    assert!(roll.is_member(&key(8).id()));
    for (role, scope) in [(3, "school-b"), (1, "school-a")] {
        let body = Body::Grant {
            device: key(20).id(),
            role,
            scope: scope.into(),
            label: String::new(),
        };
        roll.add(Statement::sign(key(0).id(), &key(6), 10, body));
    }
    assert!(!roll.is_member(&key(20).id()));
    roll.add(Statement::sign(
        key(0).id(),
        &key(6),
        11,
        Body::Revoke { device: key(1).id() },
    ));
    assert!(!roll.is_revoked(&key(1).id()));
}

#[test]
fn a_retired_officer_keeps_its_earlier_statements() {
    let mut roll = Roll::new(key(0).id());
    roll.add_all(county());
    roll.add(Statement::sign(
        key(0).id(),
        &key(0),
        9,
        Body::RetireOfficer {
            key: key(1).id(),
            last: 2,
        },
    ));
    assert!(roll.grants(&key(5).id()).next().is_some());
    assert!(!roll.is_member(&key(6).id()));
    assert!(!roll.is_revoked(&key(5).id()));
}

#[test]
fn statements_without_end_by_unknown_issuers_are_bounded() {
    let mut roll = Roll::new(key(0).id());
    roll.add_all(county());
    let before = roll.statements().count();
    roll.add_all((0..limits::ROLL_UNKNOWN_ISSUER as u64 + 50).map(|n| grant(8, n, &key(30))));
    // The unknown kind counts as effectless but allowed; strangers' statements wait apart, change nothing
    // and are not passed on.
    assert_eq!(roll.kept(), before + limits::ROLL_UNKNOWN_ISSUER);
    assert_eq!(roll.statements().count(), before);
    let mut clean = Roll::new(key(0).id());
    clean.add_all(county());
    assert_eq!(roll.digest(), clean.digest());
    assert!(
        roll.for_stranger(&key(8).id())
            .iter()
            .all(|s| s.issuer != key(30).id())
    );
    // With the waiting room full the county goes on, and a lot may bring its officer along, in any order.
    let officer = Body::Officer {
        key: key(40).id(),
        limit: None,
    };
    let lot = vec![
        grant(21, 50, &key(40)),
        Statement::sign(key(0).id(), &key(0), 49, officer),
    ];
    assert_eq!(roll.add_all(lot), vec![Added::New; 2]);
    assert!(roll.is_member(&key(21).id()));
}

#[test]
fn nobody_but_officers_moves_the_numbers() {
    let mut roll = Roll::new(key(0).id());
    roll.add_all(county());
    let limit = Some((3, "school-a".to_string()));
    let officer = Body::Officer {
        key: key(6).id(),
        limit,
    };
    roll.add(Statement::sign(key(0).id(), &key(1), 8, officer));
    let last = roll.last_number();
    // A stranger's waits; a school's officer may speak, and its number is its own affair.
    for by in [30, 6] {
        assert_eq!(roll.add(grant(8, u64::MAX, &key(by))), Added::New);
        assert_eq!(roll.last_number(), last);
    }
    // What it says beyond its limit waits as a stranger's words do; of the rest no more than a school needs.
    let beyond = Body::Revoke { device: key(5).id() };
    let beyond = Statement::sign(key(0).id(), &key(6), 9, beyond);
    assert_eq!(roll.add(beyond.clone()), Added::New);
    assert!(!roll.statements().any(|s| *s == beyond));
    let many = limits::ROLL_PER_LIMITED_OFFICER as u64 + 100;
    let added = roll.add_all((0..many).map(|n| grant(9, 100 + n, &key(6))));
    let new = added.iter().filter(|a| **a == Added::New).count();
    assert_eq!(new, limits::ROLL_PER_LIMITED_OFFICER - 2);
    // A retired officer's later statements take no room.
    let retire = Body::RetireOfficer {
        key: key(1).id(),
        last: 10,
    };
    roll.add(Statement::sign(key(0).id(), &key(0), 200, retire));
    assert_eq!(roll.add(grant(11, 11, &key(1))), Added::Refused);
    assert_eq!(roll.add(grant(11, 10, &key(1))), Added::New);
}

/// Found by the fuzzer: the revocation was refused where it came before the full office.
#[test]
fn what_an_officer_says_before_its_limit_falls_counts_afterwards() {
    let root = key(0);
    let officer = |limit| Body::Officer {
        key: key(6).id(),
        limit,
    };
    let limited = Statement::sign(root.id(), &root, 1, officer(Some((3, "school-a".into()))));
    let full = Statement::sign(root.id(), &root, 2, officer(None));
    let revoke = Statement::sign(root.id(), &key(6), 3, Body::Revoke { device: key(5).id() });
    for order in [
        [&limited, &revoke, &full],
        [&full, &revoke, &limited],
        [&revoke, &limited, &full],
    ] {
        let mut roll = Roll::new(root.id());
        for s in order {
            roll.add(s.clone());
        }
        assert!(roll.is_revoked(&key(5).id()));
    }
}

proptest! {
    #[test]
    fn order_and_repetition_do_not_matter(order in proptest::collection::vec(0usize..9, 0..20)) {
        let all = county();
        let mut straight = Roll::new(key(0).id());
        straight.add_all(all.clone());
        let mut mixed = Roll::new(key(0).id());
        for i in order {
            mixed.add(all[i].clone());
        }
        mixed.add_all(all.into_iter().rev());
        prop_assert_eq!(mixed.digest(), straight.digest());
        prop_assert!(mixed.is_revoked(&key(5).id()) && mixed.is_member(&key(6).id()));
        let actor = ActorId { device: key(5).id(), incarnation: [1; 4] };
        let document = DocKey::parse("log/school-a/2025").unwrap();
        prop_assert_eq!(mixed.cut(&document, &actor).unwrap().seq, 4);
        prop_assert_eq!(mixed.hubs().next().unwrap().1, "10.1.1.2:4433");
    }
}
