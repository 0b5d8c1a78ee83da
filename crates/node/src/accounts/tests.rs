use super::*;

/// 2026-01-10, as unix seconds.
const NOW: i64 = 1_768_000_000;
const PIN: &str = "135790";

fn node() -> (tempfile::TempDir, Node) {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::init_member(&dir.path().join("school"), "石桥小学").unwrap();
    (dir, node)
}

fn clerk(name: &str, secret: &str) -> NewAccount {
    NewAccount {
        name: name.into(),
        role: Role::Clerk,
        secret: secret.into(),
        person: None,
    }
}

fn sign_in(node: &Node, secret: &str, now: i64) -> Login {
    login(node, "李专管员", secret, "127.0.0.1", now).unwrap()
}

fn token(login: Login) -> String {
    match login {
        Login::In { token, .. } => token,
        other => panic!("{other:?}"),
    }
}

fn fields<T: std::fmt::Debug>(result: Result<T, Error>) -> Vec<String> {
    match result {
        Err(Error::Invalid(faults)) => faults.into_iter().map(|fault| fault.field).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_first_account_is_made_once_through_the_newest_link() {
    let (_dir, node) = node();
    assert!(!any(&node).unwrap());
    let old = new_setup_token(&node, NOW).unwrap();
    let link = new_setup_token(&node, NOW).unwrap();
    assert!(!setup_open(&node, &old).unwrap() && setup_open(&node, &link).unwrap());
    assert_eq!(fields(setup(&node, &old, clerk("李专管员", PIN), NOW)), ["token"]);
    // A form with a fault, and a name that is taken, leave the link good.
    assert_eq!(
        fields(setup(&node, &link, clerk("李专管员", "12345"), NOW)),
        ["secret"]
    );
    assert!(setup_open(&node, &link).unwrap());
    setup(&node, &link, clerk("李专管员", PIN), NOW).unwrap();
    assert!(any(&node).unwrap());
    assert_eq!(fields(setup(&node, &link, clerk("另一人", PIN), NOW)), ["token"]);
    assert_eq!(list(&node).unwrap().len(), 1);
    let kept: Vec<u8> = node
        .read(|c| Ok(c.query_row("SELECT token_hash FROM setup_link", (), |row| row.get(0))?))
        .unwrap();
    assert_eq!(kept, hash_token(&link), "the database holds the hash alone");
}

#[test]
fn secrets_and_names_have_rules() {
    let (_dir, node) = node();
    for bad in ["", "12345", "密码", "abcdefg", "      ", &"x".repeat(65)] {
        assert_eq!(fields(create(&node, clerk("甲", bad), NOW)), ["secret"], "{bad}");
    }
    for bad in ["", "　", "甲\n乙", "13812345678"] {
        assert_eq!(fields(create(&node, clerk(bad, PIN), NOW)), ["name"], "{bad:?}");
    }
    create(&node, clerk("甲", "研修平台登录密码"), NOW).unwrap();
    assert_eq!(fields(create(&node, clerk(" 甲 ", PIN), NOW)), ["name"]);
}

#[test]
fn signing_in_takes_full_width_digits_and_opens_one_session() {
    let (_dir, node) = node();
    create(&node, clerk("李专管员", PIN), NOW).unwrap();
    let secret = list_secret(&node);
    assert!(secret.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{secret}");
    let token = token(sign_in(&node, "１３５７９０", NOW));
    let open = session(&node, &token, NOW).unwrap().unwrap();
    assert_eq!(
        (open.account.name.as_str(), open.account.role),
        ("李专管员", Role::Clerk)
    );
    assert_eq!((open.csrf.len(), open.csrf != token), (32, true));
    assert_eq!(session(&node, &open.csrf, NOW).unwrap(), None);
    logout(&node, &token).unwrap();
    assert_eq!(session(&node, &token, NOW).unwrap(), None);
    let log: Vec<(String, String, String)> = access_log(&node, 10)
        .unwrap()
        .into_iter()
        .map(|line| (line.name, line.act, line.remote))
        .collect();
    assert_eq!(log, [("李专管员".into(), "login".into(), "127.0.0.1".into())]);
}

fn list_secret(node: &Node) -> String {
    node.read(sql::accounts).unwrap()[0].secret.clone()
}

#[test]
fn sessions_end_after_twelve_idle_hours() {
    let (_dir, node) = node();
    create(&node, clerk("李专管员", PIN), NOW).unwrap();
    let token = token(sign_in(&node, PIN, NOW));
    let nearly = NOW + IDLE_SECONDS - 1;
    assert!(session(&node, &token, nearly).unwrap().is_some());
    assert!(
        session(&node, &token, nearly + IDLE_SECONDS).unwrap().is_some(),
        "use keeps it alive"
    );
    assert!(
        session(&node, &token, nearly + 2 * IDLE_SECONDS + 1)
            .unwrap()
            .is_none()
    );
    assert!(
        session(&node, &token, nearly).unwrap().is_none(),
        "and what has ended stays so"
    );
}

#[test]
fn five_failures_lock_also_the_right_pin() {
    let (dir, node) = node();
    create(&node, clerk("李专管员", PIN), NOW).unwrap();
    for _ in 0..4 {
        assert_eq!(sign_in(&node, "000000", NOW), Login::Wrong);
    }
    // The count is on the disk.
    drop(node);
    let node = Node::open(&dir.path().join("school")).unwrap();
    assert_eq!(sign_in(&node, "000000", NOW), Login::Wrong);
    assert_eq!(
        sign_in(&node, PIN, NOW + 60),
        Login::Locked {
            seconds: LOCK_SECONDS - 60
        }
    );
    assert_eq!(list(&node).unwrap()[0].locked_until, Some(NOW + LOCK_SECONDS));
    token(sign_in(&node, PIN, NOW + LOCK_SECONDS));
    assert_eq!(list(&node).unwrap()[0].locked_until, None);
    let acts: Vec<String> = access_log(&node, 2)
        .unwrap()
        .into_iter()
        .map(|line| line.act)
        .collect();
    assert_eq!(acts, ["login", "login_locked"]);
    // An administrator's reset unlocks at once and ends sessions.
    for _ in 0..5 {
        sign_in(&node, "000000", NOW + 2000);
    }
    let id = list(&node).unwrap()[0].id.clone();
    reset_secret(&node, &id, "246802").unwrap();
    token(sign_in(&node, "246802", NOW + 2001));
}

#[test]
fn an_unknown_name_takes_as_long_as_a_known_one() {
    let (_dir, node) = node();
    create(&node, clerk("李专管员", PIN), NOW).unwrap();
    assert_eq!(login(&node, "没有此人", PIN, "", NOW).unwrap(), Login::Wrong);
    // Not a stop-watch: both must do the same work, with the same parameters.
    let nobody = PasswordHash::new(NOBODY).unwrap();
    let known = list_secret(&node);
    let known = PasswordHash::new(&known).unwrap();
    assert_eq!(
        (nobody.algorithm, nobody.version),
        (known.algorithm, known.version)
    );
    assert_eq!(
        Params::try_from(&nobody).unwrap(),
        Params::try_from(&known).unwrap()
    );
    assert!(
        nobody.salt.is_some() && nobody.hash.is_some(),
        "else it would be refused without hashing"
    );
}

#[test]
fn changing_the_own_pin_needs_the_old_one_and_ends_other_sessions() {
    let (_dir, node) = node();
    let id = create(&node, clerk("李专管员", PIN), NOW).unwrap().id;
    let (here, there) = (token(sign_in(&node, PIN, NOW)), token(sign_in(&node, PIN, NOW)));
    assert_eq!(
        fields(change_secret(&node, &id, &here, "000000", "246802", NOW)),
        ["old"]
    );
    assert_eq!(
        fields(change_secret(&node, &id, &here, PIN, "2468", NOW)),
        ["new"]
    );
    change_secret(&node, &id, &here, PIN, "246802", NOW).unwrap();
    assert!(session(&node, &here, NOW).unwrap().is_some());
    assert!(session(&node, &there, NOW).unwrap().is_none());
    assert_eq!(sign_in(&node, PIN, NOW), Login::Wrong);
    token(sign_in(&node, "246802", NOW));
    set_active(&node, &id, false).unwrap();
    assert!(session(&node, &here, NOW).unwrap().is_none());
    assert_eq!(sign_in(&node, "246802", NOW), Login::Wrong);
}

#[test]
fn attempts_at_the_same_moment_do_not_slip_under_the_limit() {
    let (_dir, node) = node();
    create(&node, clerk("李专管员", PIN), NOW).unwrap();
    let wrong = std::thread::scope(|scope| {
        let tries: Vec<_> = (0..12)
            .map(|_| scope.spawn(|| sign_in(&node, "000000", NOW)))
            .collect();
        tries
            .into_iter()
            .map(|t| t.join().unwrap())
            .filter(|l| *l == Login::Wrong)
            .count()
    });
    assert_eq!(wrong, 5);
}

#[test]
fn the_log_keeps_six_months() {
    let (_dir, node) = node();
    for (at, act) in [(NOW, "new"), (NOW - 183 * 86_400, "half a year old")] {
        log(
            &node,
            AccessRow {
                at,
                act: act.into(),
                ..AccessRow::default()
            },
        )
        .unwrap();
    }
    assert_eq!(prune_access_log(&node, NOW).unwrap(), 0);
    assert_eq!(access_log(&node, 10).unwrap().len(), 2);
    assert_eq!(
        access_log(&node, 1).unwrap()[0].act,
        "half a year old",
        "in the order of writing"
    );
}
