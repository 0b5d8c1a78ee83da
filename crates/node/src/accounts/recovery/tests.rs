use super::*;

/// 2026-01-10, as unix seconds.
const NOW: i64 = 1_768_000_000;
const PIN: &str = "135790";

fn node() -> (tempfile::TempDir, Node, Account) {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::init_member(&dir.path().join("school"), "石桥小学").unwrap();
    let account = create(&node, new("李专管员", Role::Clerk), NOW).unwrap();
    (dir, node, account)
}

fn new(name: &str, role: Role) -> NewAccount {
    NewAccount {
        name: name.into(),
        role,
        secret: PIN.into(),
        person: None,
    }
}

fn ask(name: &str, code: &str, successor: Option<&str>) -> Recovery {
    Recovery {
        name: name.into(),
        code: code.into(),
        successor: successor.map(str::to_owned),
        secret: "２４６８０１".into(),
    }
}

fn at_fault(result: Result<(), Error>) -> String {
    match result {
        Err(Error::Invalid(faults)) => faults.into_iter().map(|f| f.field).collect(),
        other => panic!("{other:?}"),
    }
}

fn signs_in(node: &Node, name: &str, secret: &str) -> bool {
    matches!(login(node, name, secret, "", NOW).unwrap(), Login::In { .. })
}

#[test]
fn a_code_on_paper_sets_a_new_pin_once_also_for_a_locked_account() {
    let (_dir, node, account) = node();
    let codes = new_sheet(&node, &account.id, PIN, NOW).unwrap();
    assert_eq!(codes.len(), CODES);
    for _ in 0..MAX_FAILURES {
        assert!(!signs_in(&node, "李专管员", "000000"));
    }
    let typed: String = codes[0]
        .chars()
        .filter(char::is_ascii_digit)
        .map(|d| char::from_u32(d as u32 + 0xfee0).unwrap())
        .collect();
    recover(&node, ask("李专管员", &typed, None), "", NOW).unwrap();
    assert!(signs_in(&node, "李专管员", "246801") && !signs_in(&node, "李专管员", PIN));
    assert_eq!(
        at_fault(recover(&node, ask("李专管员", &codes[0], None), "", NOW)),
        "code"
    );
    assert_eq!((sheet(&node).unwrap().left, sheet(&node).unwrap().used), (3, 1));
}

#[test]
fn the_disk_holds_no_code_and_a_new_sheet_voids_the_old() {
    let (_dir, node, account) = node();
    assert_eq!(
        at_fault(new_sheet(&node, &account.id, "999999", NOW).map(drop)),
        "secret"
    );
    let old = new_sheet(&node, &account.id, PIN, NOW).unwrap();
    let kept: Vec<Vec<u8>> = node
        .read(|conn| {
            let mut query = conn.prepare("SELECT code_hash FROM recovery_code")?;
            Ok(query.query_map((), |row| row.get(0))?.collect::<Result<_, _>>()?)
        })
        .unwrap();
    assert_eq!(kept.len(), CODES);
    for code in &old {
        let plain = digits(code);
        assert!(
            kept.iter()
                .all(|hash| hash.len() == 32 && hash != plain.as_bytes())
        );
    }
    new_sheet(&node, &account.id, PIN, NOW).unwrap();
    assert_eq!(
        at_fault(recover(&node, ask("李专管员", &old[1], None), "", NOW)),
        "code"
    );
}

#[test]
fn guessing_is_stopped_and_the_stop_ends() {
    let (_dir, node, account) = node();
    let codes = new_sheet(&node, &account.id, PIN, NOW).unwrap();
    for _ in 0..MAX_FAILURES {
        assert_eq!(
            at_fault(recover(&node, ask("李专管员", "1234", None), "192.168.1.9", NOW)),
            "code"
        );
    }
    // The right code does not help during the lock, and does after it.
    let locked = recover(
        &node,
        ask("李专管员", &codes[0], None),
        "",
        NOW + LOCK_SECONDS - 1,
    );
    assert!(
        matches!(&locked, Err(Error::Invalid(f)) if f[0].zh.contains("分钟")),
        "{locked:?}"
    );
    recover(&node, ask("李专管员", &codes[0], None), "", NOW + LOCK_SECONDS).unwrap();
    let acts: Vec<String> = access_log(&node, 10)
        .unwrap()
        .into_iter()
        .map(|l| l.act)
        .collect();
    assert_eq!(acts[..3], ["recover", "recover_locked", "recover_failed"]);
}

#[test]
fn a_leaders_code_is_for_one_account_and_one_day() {
    let (_dir, node, account) = node();
    create(&node, new("赵管理员", Role::Admin), NOW).unwrap();
    let code = give_code(&node, &account.id, "王校长", NOW).unwrap();
    assert_eq!(
        at_fault(recover(&node, ask("赵管理员", &code, None), "", NOW)),
        "code"
    );
    let late = NOW + GIVEN_SECONDS + 1;
    assert_eq!(
        at_fault(recover(&node, ask("李专管员", &code, None), "", late)),
        "code"
    );
    recover(&node, ask("李专管员", &code, None), "", NOW + 60).unwrap();
    assert!(signs_in(&node, "李专管员", "246801"));
}

#[test]
fn a_handover_closes_one_account_and_opens_another_under_another_name() {
    let (_dir, node, account) = node();
    create(&node, new("㙇老师", Role::Teacher), NOW).unwrap();
    let codes = new_sheet(&node, &account.id, PIN, NOW).unwrap();
    let Login::In { token, .. } = login(&node, "李专管员", PIN, "", NOW).unwrap() else {
        panic!()
    };
    // Faults use up nothing: the old name is taken for ever, and a teacher has no successor.
    let same = ask("李专管员", &codes[0], Some("李专管员"));
    assert_eq!(at_fault(recover(&node, same, "", NOW)), "successor");
    let teacher = ask("㙇老师", &codes[0], Some("陈𬭊"));
    assert_eq!(at_fault(recover(&node, teacher, "", NOW)), "code");
    recover(&node, ask("李专管员", &codes[0], Some("陈𬭊")), "", NOW).unwrap();
    assert!(!signs_in(&node, "李专管员", PIN) && signs_in(&node, "陈𬭊", "246801"));
    assert!(session(&node, &token, NOW).unwrap().is_none());
    let all = list(&node).unwrap();
    let of = |name: &str| all.iter().find(|a| a.name == name).unwrap();
    assert!(!of("李专管员").active && of("陈𬭊").active && of("陈𬭊").role == Role::Clerk);
    let kept = handovers(&node).unwrap();
    assert_eq!((kept[0].old.as_str(), kept[0].new.as_str()), ("李专管员", "陈𬭊"));
}
