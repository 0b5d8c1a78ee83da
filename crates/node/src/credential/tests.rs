//! Laws of the file: nobody but an auditor of the county makes one, and no byte of it can be another.

use proptest::prelude::*;
use sync::roll::{Body, Statement};

use super::*;

fn key(seed: u8) -> DeviceKey {
    DeviceKey::from_seed([seed; 32])
}

const ROOT: u8 = 1;
const OFFICER: u8 = 2;
const AUDITOR: u8 = 3;

fn grant(role: Role, device: u8, scope: &str) -> Body {
    Body::Grant {
        device: key(device).id(),
        role: role.code(),
        scope: scope.into(),
        label: "教师进修学校 审核室".into(),
    }
}

/// A county whose root has named an officer, and the officer an auditor's device.
fn roll() -> Roll {
    let county = key(ROOT).id();
    let mut roll = Roll::new(county);
    let officer = Body::Officer {
        key: key(OFFICER).id(),
        limit: None,
    };
    roll.add_all([
        Statement::sign(county, &key(ROOT), 1, officer),
        Statement::sign(county, &key(OFFICER), 2, grant(Role::Auditor, AUDITOR, "")),
        Statement::sign(county, &key(OFFICER), 3, grant(Role::School, 9, "qs")),
    ]);
    roll
}

fn statement() -> CreditStatement {
    CreditStatement {
        version: VERSION,
        id: "01990000-0000-7000-8000-000000000001".into(),
        county: "云溪县".into(),
        issued_on: "2026-01-10".into(),
        issued_by: "周审核员".into(),
        purpose: "职称评审".into(),
        holder: Holder {
            id: "01990000-0000-7000-8000-000000000002".into(),
            name: "王𬭊".into(),
            teacher_code: "YL001".into(),
            school_id: "01990000-0000-7000-8000-000000000003".into(),
            school: "石桥小学".into(),
        },
        period: Covered {
            from: "2025-09-01".into(),
            until: "2026-01-10".into(),
            cycle: false,
        },
        rules: Rules {
            reference: "r1/1".into(),
            title_zh: "五年 36/54 学分".into(),
            title_en: "36/54 credits in five years".into(),
            unit: "credit".into(),
            complete: None,
        },
        hours_c: 150,
        credits_c: 15,
        counted_c: 15,
        requirements: Vec::new(),
        lines: vec![Line {
            id: "c1".into(),
            what: "claim".into(),
            date: "2025-10-15".into(),
            title: "第３次研课磨课".into(),
            category: "实践研修".into(),
            channel: "校本研修".into(),
            verdict: "recognised".into(),
            decided_on: "2025-10-20".into(),
            hours_c: 150,
            credits_c: 15,
            counted_c: 15,
            why_not: String::new(),
        }],
        cut_off: "2025-10-20 #1a2b3c4d".into(),
        heads: BTreeMap::from([("ledger/qs/2025".into(), vec!["00".repeat(32)])]),
    }
}

#[test]
fn whoever_knows_the_countys_key_alone_checks_it() {
    let file = sign(&statement(), &key(AUDITOR), &roll());
    let county = key(ROOT).id();
    let read = verify(&file, &county, None).unwrap();
    assert_eq!(read.statement, statement());
    assert_eq!((read.device, read.revoked), (key(AUDITOR).id(), false));
    assert_eq!(read.device_label, "教师进修学校 审核室");
    assert_eq!(county_of(&file).unwrap(), county);
    // What a mail program or an editor puts around it does no harm.
    assert_eq!(verify(&format!("\r\n {file} \n"), &county, None).unwrap(), read);
    // The file says no more of the county's devices than it must.
    let header = BASE64URL_NOPAD
        .decode(file.split('.').next().unwrap().as_bytes())
        .unwrap();
    let header: Header = serde_json::from_slice(&header).unwrap();
    assert_eq!(header.roll.len(), 2);
}

#[test]
fn every_changed_byte_is_refused() {
    let file = sign(&statement(), &key(AUDITOR), &roll());
    let (county, file) = (key(ROOT).id(), file.trim());
    for at in 0..file.len() {
        for other in [b'A', b'.', b'!'] {
            let mut bytes = file.as_bytes().to_vec();
            if bytes[at] == other {
                continue;
            }
            bytes[at] = other;
            let changed = String::from_utf8(bytes).unwrap();
            let fault = verify(&changed, &county, None).unwrap_err();
            assert!(
                matches!(
                    fault,
                    CredentialError::Changed | CredentialError::NotOne | CredentialError::Newer(_)
                ),
                "{at}: {fault:?}"
            );
        }
        assert!(verify(&file[..at], &county, None).is_err(), "{at}");
    }
    assert_eq!(
        verify("姓名,学分\n王𬭊,36", &county, None),
        Err(CredentialError::NotOne)
    );
    let long = "e".repeat(FILE_BYTES + 1);
    assert_eq!(verify(&long, &county, None), Err(CredentialError::TooLarge));
}

#[test]
fn nobody_but_an_auditor_of_the_county_is_believed() {
    let county = key(ROOT).id();
    // The county's own officer and a school's PC have signed, each with the roll as it is.
    for other in [OFFICER, 9, 77] {
        let file = sign(&statement(), &key(other), &roll());
        let fault = verify(&file, &county, Some(&roll())).unwrap_err();
        assert_eq!(fault, CredentialError::NotAuditor(key(other).id()));
    }
    // A roll that somebody has made for a root key of his own.
    let own = key(50);
    let mut forged = Roll::new(own.id());
    forged.add(Statement::sign(own.id(), &own, 1, grant(Role::Auditor, 51, "")));
    let file = sign(&statement(), &key(51), &forged);
    let fault = verify(&file, &county, None).unwrap_err();
    assert_eq!(fault, CredentialError::OtherCounty(own.id()));
    assert!(
        verify(&file, &own.id(), Some(&roll())).is_ok(),
        "a roll of another county is not asked"
    );
    // A grant for this county that a stranger has signed.
    let mut forged = roll();
    forged.add(Statement::sign(county, &own, 9, grant(Role::Auditor, 51, "")));
    let file = sign(&statement(), &key(51), &forged);
    assert!(matches!(
        verify(&file, &county, None),
        Err(CredentialError::NotAuditor(_))
    ));
}

#[test]
fn a_roll_that_knows_more_tells_of_a_revocation() {
    let file = sign(&statement(), &key(AUDITOR), &roll());
    let county = key(ROOT).id();
    let mut later = roll();
    let device = key(AUDITOR).id();
    later.add(Statement::sign(county, &key(OFFICER), 4, Body::Revoke { device }));
    assert!(!verify(&file, &county, None).unwrap().revoked);
    assert!(verify(&file, &county, Some(&later)).unwrap().revoked);
}

#[test]
fn what_a_later_program_has_written_is_named_as_such() {
    let county = key(ROOT).id();
    let newer = CreditStatement {
        version: 2,
        ..statement()
    };
    let file = sign(&newer, &key(AUDITOR), &roll());
    assert_eq!(
        verify(&file, &county, None),
        Err(CredentialError::Newer("2".into()))
    );
    let header = BASE64URL_NOPAD.encode(br#"{"alg":"SM2","typ":"vc+jwt"}"#);
    let fault = verify(&format!("{header}.e30.AAAA"), &county, None).unwrap_err();
    assert_eq!(fault, CredentialError::Newer("SM2".into()));
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_stop(text in "\\PC*", parts in proptest::collection::vec("[A-Za-z0-9_-]{0,40}", 0..5)) {
        let county = key(ROOT).id();
        prop_assert!(verify(&text, &county, None).is_err());
        let begun = format!("eyJ{}", parts.join("."));
        prop_assert!(verify(&begun, &county, None).is_err());
        let wrapped = parts.iter().map(|p| BASE64URL_NOPAD.encode(p.as_bytes())).collect::<Vec<_>>().join(".");
        prop_assert!(verify(&wrapped, &county, None).is_err());
    }
}
