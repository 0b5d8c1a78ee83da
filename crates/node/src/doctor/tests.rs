use super::*;

/// A school where all is well.
fn well() -> Observed {
    Observed {
        standing: Standing::Member,
        county_office: false,
        practice: false,
        county: Some("yunling2".into()),
        clock_plausible: true,
        clocks_differ: Vec::new(),
        versions_differ: Vec::new(),
        listen: ([0, 0, 0, 0], 4433).into(),
        port: Port::Answers,
        no_tcp: None,
        interfaces: vec![("eth0".into(), [192, 168, 1, 20].into())],
        dialled: vec![dialled(Answer::Yes, Answer::Yes)],
        near: vec![near("白沙小学", Answer::Yes, Answer::Yes)],
        mdns: Mdns::Heard { own: true },
        free: Some(200 << 30),
        database: Vec::new(),
    }
}

fn dialled(udp: Answer, tcp: Answer) -> Dialled {
    Dialled {
        address: "hub.yunling.example:4433".into(),
        resolved: Some(Ok(([10, 0, 0, 5], 4433).into())),
        udp,
        tcp,
    }
}

fn near(label: &str, udp: Answer, tcp: Answer) -> Near {
    Near {
        label: label.into(),
        county: Some("yunling2".into()),
        at: ([192, 168, 1, 21], 4433).into(),
        udp,
        tcp,
    }
}

/// The codes for what is wrong, worst first; each finding has words in both languages.
fn codes(change: impl FnOnce(&mut Observed)) -> Vec<&'static str> {
    let mut seen = well();
    change(&mut seen);
    let found = judge(&seen);
    for f in &found {
        for text in [&f.tried, &f.saw, &f.todo] {
            assert!(!text.zh.is_empty() && !text.en.is_empty(), "{f:?}");
            assert!(
                !text.zh.is_ascii() && text.en.chars().any(|c| c.is_ascii_alphabetic()),
                "{f:?}"
            );
        }
    }
    assert!(found.is_sorted_by_key(|f| std::cmp::Reverse(f.severity)));
    found.iter().map(|f| f.code).collect()
}

#[test]
fn all_is_well() {
    assert_eq!(codes(|_| {}), ["well"]);
    assert!(!has_fault(&judge(&well())));
}

#[test]
fn the_roads_to_the_hub_are_told_apart() {
    let hub = |udp, tcp| codes(move |s| s.dialled = vec![dialled(udp, tcp)]);
    use Answer::*;
    assert_eq!(
        hub(Yes, NotListening),
        ["well"],
        "a hub without TCP is no fault of this school"
    );
    assert_eq!(hub(Silence, Yes), ["udp-blocked"]);
    assert_eq!(hub(Silence, Silence), ["unreachable"]);
    assert_eq!(hub(Silence, NoWay("no route".into())), ["unreachable"]);
    assert_eq!(hub(Silence, NotListening), ["hub-not-running"]);
    assert_eq!(hub(Other("abcd".into()), Other("abcd".into())), ["wrong-node"]);
    assert_eq!(
        hub(Foreign("no application protocol".into()), Silence),
        ["version"]
    );
    assert_eq!(hub(Silence, Foreign("HTTP".into())), ["version"]);
    assert_eq!(hub(Busy, Busy), ["busy"]);
    assert!(!has_fault(&judge(&Observed {
        dialled: vec![dialled(Silence, Yes)],
        ..well()
    })));
}

#[test]
fn with_one_way_to_the_county_another_that_fails_is_no_fault() {
    let mut seen = well();
    seen.dialled.push(dialled(Answer::Silence, Answer::Silence));
    let found = judge(&seen);
    assert_eq!(found[0].code, "unreachable");
    assert_eq!(found[0].severity, Severity::Warning);
}

#[test]
fn names_and_addresses() {
    assert_eq!(
        codes(|s| s.dialled[0].resolved = Some(Err("Name or service not known".into()))),
        ["name-unresolved"]
    );
    assert_eq!(codes(|s| s.dialled.clear()), ["no-address"]);
    assert_eq!(
        codes(|s| {
            s.dialled.clear();
            s.county_office = true;
        }),
        ["well"]
    );
}

#[test]
fn without_any_network_that_alone_is_said() {
    let alone = codes(|s| {
        s.interfaces.clear();
        s.dialled = vec![dialled(Answer::Silence, Answer::NoWay("unreachable".into()))];
        s.near.clear();
        s.mdns = Mdns::Heard { own: false };
    });
    assert_eq!(alone, ["no-network"]);
}

#[test]
fn the_own_port() {
    assert_eq!(codes(|s| s.port = Port::NotRunning), ["not-running"]);
    assert_eq!(codes(|s| s.port = Port::Taken("占用".into())), ["port-taken"]);
    assert_eq!(codes(|s| s.port = Port::Mute), ["not-listening"]);
    assert_eq!(codes(|s| s.no_tcp = Some("in use".into())), ["no-tcp"]);
}

#[test]
fn isolation_is_told_from_one_firewall() {
    let silent = |label| near(label, Answer::Silence, Answer::NoWay("timed out".into()));
    let mut seen = well();
    seen.near = vec![silent("白沙小学"), silent("青石小学")];
    let found = judge(&seen);
    assert_eq!((found[0].code, found[0].sure), ("isolation", Sure::Likely));
    seen.near.pop();
    assert_eq!(
        judge(&seen)[0].sure,
        Sure::Possible,
        "one alone may have a firewall"
    );
    seen.near.push(near("红旗中学", Answer::Yes, Answer::Yes));
    let found = judge(&seen);
    assert_eq!(
        (found[0].code, found[0].severity),
        ("neighbour-firewall", Severity::Warning)
    );
    assert!(found[0].saw.zh.contains("白沙小学") && !found[0].saw.zh.contains("红旗中学"));
    // Whoever refuses is reached.
    seen.near = vec![near("白沙小学", Answer::Silence, Answer::NotListening)];
    assert_eq!(judge(&seen)[0].code, "well");
}

#[test]
fn multicast_that_is_filtered_shows_by_our_own_voice() {
    let deaf = |s: &mut Observed| {
        s.near.clear();
        s.mdns = Mdns::Heard { own: false };
    };
    assert_eq!(codes(deaf), ["mdns-filtered"]);
    assert_eq!(
        codes(|s| {
            deaf(s);
            s.port = Port::NotRunning;
        }),
        ["not-running"],
        "nobody announces it"
    );
    assert_eq!(codes(|s| s.mdns = Mdns::Failed("denied".into())), ["mdns-failed"]);
}

#[test]
fn neighbours_of_another_county_are_named() {
    assert_eq!(
        codes(|s| s.near[0].county = Some("practice".into())),
        ["other-county"]
    );
    assert_eq!(codes(|s| s.near[0].county = None), ["other-county"]);
}

#[test]
fn clock_version_enrolment_and_practice() {
    assert_eq!(codes(|s| s.clock_plausible = false), ["clock-wrong"]);
    let mut seen = well();
    seen.clocks_differ = vec!["县中心".into()];
    assert_eq!(judge(&seen)[0].sure, Sure::Possible);
    seen.clocks_differ.push("白沙小学".into());
    assert_eq!(
        (judge(&seen)[0].code, judge(&seen)[0].sure),
        ("clock-differs", Sure::Likely)
    );
    assert_eq!(codes(|s| s.versions_differ = vec!["县中心".into()]), ["version"]);
    assert_eq!(codes(|s| s.standing = Standing::NotEnrolled), ["not-enrolled"]);
    assert_eq!(codes(|s| s.standing = Standing::Waiting), ["waiting"]);
    assert_eq!(codes(|s| s.standing = Standing::Revoked), ["revoked"]);
    assert_eq!(codes(|s| s.practice = true), ["practice"]);
}

#[test]
fn disk_and_database_and_the_worst_first() {
    assert_eq!(codes(|s| s.free = Some(30 << 20)), ["disk-full"]);
    assert_eq!(codes(|s| s.free = Some(600 << 20)), ["disk-low"]);
    assert_eq!(
        codes(|s| s.database = vec!["page 7: bad".into()]),
        ["database-damaged"]
    );
    assert_eq!(
        codes(|s| {
            s.free = Some(600 << 20);
            s.standing = Standing::Revoked;
        }),
        ["revoked", "disk-low"]
    );
}
