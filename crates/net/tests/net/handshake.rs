//! Who gets through, who does not, and that nobody holds up the others.

use std::sync::Arc;
use std::time::{Duration, Instant};

use net::{ALPN, Endpoint, Error, Tuning};
use rustls::client::ResolvesClientCert;

use crate::support::{
    EmptyHanded, LOCAL, credential, endpoint, exchange, id, join, key, raw_client, raw_server, rebind,
    showing, soon, tuned,
};

#[tokio::test]
async fn both_ends_know_who_the_other_is() {
    let (school, hub) = (endpoint(1), endpoint(2));
    let (near, far) = join(&school, &hub).await;
    assert_eq!((near.peer(), far.peer()), (id(2), id(1)));
    assert_eq!(near.remote(), hub.local_addr().unwrap());
    assert_eq!(
        far.remote().ip(),
        school.local_addr().unwrap().ip(),
        "the port is the link's own"
    );
    exchange(&near, &far).await;
    assert!(
        near.stats().sent > 1200 && near.stats().received > 1200,
        "{:?}",
        near.stats()
    );
    assert!(near.rtt() < Duration::from_millis(300), "{:?}", near.rtt());
}

#[tokio::test]
async fn another_node_than_the_expected_one_is_refused_and_learns_nothing() {
    let (school, wrong) = (endpoint(1), endpoint(3));
    let addr = wrong.local_addr().unwrap();
    match soon(school.connect(addr, Some(id(2)))).await {
        Err(Error::WrongPeer {
            addr: at,
            expected,
            found,
        }) => {
            assert_eq!((at, expected, found), (addr, id(2), id(3)));
        }
        other => panic!("{other:?}"),
    }
    // Our key was not shown: there was no signature of ours to verify, and there is no link.
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(wrong.counters().full_handshakes, 0);
    assert_eq!(wrong.counters().failed, 1);
    // The right one at the same address is not held against it.
    soon(school.connect(addr, Some(id(3)))).await.unwrap();
}

#[tokio::test]
async fn a_server_that_shows_a_key_it_does_not_have_is_refused() {
    let school = endpoint(1);
    let (_server, addr) = raw_server(credential(id(2), &key(66)));
    for expect in [None, Some(id(2))] {
        let got = soon(school.connect(addr, expect)).await;
        assert!(matches!(got, Err(Error::NotYanxiu { .. })), "{got:?}");
    }
    assert_eq!(school.counters().full_handshakes, 0);
}

#[tokio::test]
async fn the_raw_client_of_these_tests_gets_through_when_it_behaves() {
    let hub = endpoint(2);
    let client = raw_client(showing(credential(id(7), &key(7))), &[ALPN]);
    let _conn = client
        .connect(hub.local_addr().unwrap(), "x.invalid")
        .unwrap()
        .await
        .unwrap();
    assert_eq!(soon(hub.accept()).await.unwrap().peer(), id(7));
}

#[tokio::test]
async fn callers_without_a_key_or_with_a_foreign_one_or_another_protocol_are_refused() {
    let hub = endpoint(2);
    let empty: Arc<dyn ResolvesClientCert> = Arc::new(EmptyHanded);
    let callers = [
        ("offers no key", raw_client(None, &[ALPN])),
        ("shows no key", raw_client(Some(empty), &[ALPN])),
        (
            "shows another node's key",
            raw_client(showing(credential(id(1), &key(66))), &[ALPN]),
        ),
        (
            "other version",
            raw_client(showing(credential(id(1), &key(1))), &[b"yanxiu/0"]),
        ),
        (
            "web browser",
            raw_client(showing(credential(id(1), &key(1))), &[b"h3"]),
        ),
        (
            "no protocol",
            raw_client(showing(credential(id(1), &key(1))), &[]),
        ),
    ];
    for (n, (what, client)) in callers.iter().enumerate() {
        // A client believes itself connected before the server has checked its key.
        if let Ok(conn) = soon(client.connect(hub.local_addr().unwrap(), "x.invalid").unwrap()).await {
            let why = soon(conn.closed()).await;
            assert!(
                matches!(why, quinn::ConnectionError::ConnectionClosed(_)),
                "{what}: {why}"
            );
        }
        let patience = tokio::time::timeout(Duration::from_millis(100), hub.accept()).await;
        assert!(patience.is_err(), "{what}: got a link");
        assert_eq!(hub.counters().failed, n as u64 + 1, "{what}");
    }
}

#[tokio::test]
async fn a_second_meeting_is_resumed_and_reports_the_same_peer() {
    let (school, hub) = (endpoint(1), endpoint(2));
    let addr = hub.local_addr().unwrap();
    for round in 0..4 {
        // Kept tickets are filed by expectation, so the first of each kind is a full handshake.
        let expect = if round < 2 { Some(id(2)) } else { None };
        let (near, far) = soon(async { tokio::join!(school.connect(addr, expect), hub.accept()) }).await;
        let (near, far) = (near.unwrap(), far.unwrap());
        assert_eq!((near.peer(), far.peer()), (id(2), id(1)), "round {round}");
        exchange(&near, &far).await;
        let full = if round < 2 { 1 } else { 2 };
        assert_eq!(school.counters().full_handshakes, full, "round {round}");
        assert_eq!(hub.counters().full_handshakes, full, "round {round}");
    }
}

#[tokio::test]
async fn a_ticket_of_one_peer_opens_nothing_at_another() {
    let (school, hub, neighbour) = (endpoint(1), endpoint(2), endpoint(3));
    for other in [&hub, &neighbour, &hub] {
        let (near, far) = join(&school, other).await;
        exchange(&near, &far).await;
        assert_eq!(
            near.peer(),
            if std::ptr::eq(other, &neighbour) {
                id(3)
            } else {
                id(2)
            }
        );
        assert_eq!(far.peer(), id(1));
    }
}

#[tokio::test]
async fn a_hub_that_lost_its_sessions_or_its_key_is_noticed() {
    let school = endpoint(1);
    let hub = endpoint(2);
    let addr = hub.local_addr().unwrap();
    let (near, far) = soon(async { tokio::join!(school.connect(addr, Some(id(2))), hub.accept()) }).await;
    exchange(&near.unwrap(), &far.unwrap()).await;
    hub.close();
    hub.wait_idle().await;
    drop(hub);

    let again = soon(rebind(addr, 2)).await;
    let near = soon(school.connect(addr, Some(id(2)))).await.unwrap();
    assert_eq!(soon(again.accept()).await.unwrap().peer(), id(1));
    assert!(!soon(near.settled()).await.unwrap());
    again.close();
    again.wait_idle().await;
    drop(again);

    let _thief = soon(rebind(addr, 66)).await;
    let link = soon(school.connect(addr, Some(id(2)))).await.unwrap();
    let got = soon(link.settled()).await;
    assert!(
        matches!(got, Err(Error::WrongPeer { found, .. }) if found == id(66)),
        "{got:?}"
    );
}

/// First packets of handshakes that nobody will continue.
async fn first_packets(count: usize) -> Vec<Vec<u8>> {
    let sink = tokio::net::UdpSocket::bind(std::net::SocketAddr::from(LOCAL))
        .await
        .unwrap();
    let client = raw_client(showing(credential(id(7), &key(7))), &[ALPN]);
    let mut packets = Vec::new();
    let mut buf = [0u8; 2048];
    for _ in 0..count {
        let dialling = client.connect(sink.local_addr().unwrap(), "x.invalid").unwrap();
        let (n, _) = sink.recv_from(&mut buf).await.unwrap();
        packets.push(buf[..n].to_vec());
        drop(dialling);
        // The close that dropping sends.
        while tokio::time::timeout(Duration::from_millis(5), sink.recv_from(&mut buf))
            .await
            .is_ok()
        {}
    }
    packets
}

#[tokio::test]
async fn slow_broken_and_nonsense_handshakes_hold_up_nobody() {
    let tuning = Tuning {
        handshake_timeout: Duration::from_secs(2),
        ..Tuning::default()
    };
    let hub = tuned(2, tuning.clone());
    let addr = hub.local_addr().unwrap();
    let attack = first_packets(40).await;

    let socket = tokio::net::UdpSocket::bind(std::net::SocketAddr::from(LOCAL))
        .await
        .unwrap();
    for (n, packet) in attack.iter().enumerate() {
        socket.send_to(packet, addr).await.unwrap();
        // Cut, altered and random datagrams between them.
        socket.send_to(&packet[..packet.len() / 2], addr).await.unwrap();
        let mut altered = packet.clone();
        altered[30 + n] ^= 0x55;
        socket.send_to(&altered, addr).await.unwrap();
        socket.send_to(&vec![n as u8; 37 * n], addr).await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    let seats = hub.counters().half_open;
    // Half of the source's 16 seats: the rest would have had to prove its address.
    assert_eq!(seats, 8, "{:?}", hub.counters());

    // An honest caller from the very same address, at once.
    let start = Instant::now();
    let school = endpoint(1);
    let link = soon(school.connect(addr, Some(id(2)))).await.unwrap();
    let far = soon(hub.accept()).await.unwrap();
    assert_eq!(far.peer(), id(1));
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    assert_eq!(hub.counters().half_open, 8, "the slow ones were still there");

    tokio::time::sleep(tuning.handshake_timeout).await;
    assert_eq!(hub.counters().half_open, 0);
    assert!(hub.counters().failed >= 8);
    assert!(
        tokio::time::timeout(Duration::from_millis(50), link.closed())
            .await
            .is_err(),
        "the link lives"
    );
}

#[tokio::test]
async fn forty_schools_at_eight_in_the_morning() {
    let hub = endpoint(2);
    let addr = hub.local_addr().unwrap();
    let mut calls = tokio::task::JoinSet::new();
    for seed in 100..140 {
        calls.spawn(async move {
            let school = endpoint(seed);
            // More than 16 at a time from one address find it full: try again, as the scheduler does.
            let mut busy = 0;
            loop {
                match school.connect(addr, Some(id(2))).await {
                    Ok(link) => break (school, link, busy),
                    Err(Error::Busy { .. }) if busy < 20 => busy += 1,
                    Err(e) => panic!("{e}"),
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
    }
    let mut seen = std::collections::BTreeSet::new();
    while seen.len() < 40 {
        seen.insert(soon(hub.accept()).await.unwrap().peer());
    }
    let kept = soon(calls.join_all()).await;
    assert_eq!(kept.len(), 40);
    assert_eq!(seen, (100..140).map(id).collect());
}

#[tokio::test]
async fn a_full_hub_says_so() {
    let hub = tuned(
        2,
        Tuning {
            max_links: 1,
            ..Tuning::default()
        },
    );
    let (_near, _far) = join(&endpoint(1), &hub).await;
    // `join` dropped the first school's endpoint, which closes its link; so take another.
    let first = endpoint(3);
    let held = loop {
        match soon(first.connect(hub.local_addr().unwrap(), None)).await {
            Ok(link) => break link,
            Err(Error::Busy { .. }) => tokio::time::sleep(Duration::from_millis(100)).await,
            Err(e) => panic!("{e}"),
        }
    };
    let second = endpoint(4);
    let got = soon(second.connect(hub.local_addr().unwrap(), None)).await;
    assert!(matches!(got, Err(Error::Busy { .. })), "{got:?}");
    assert!(hub.counters().refused >= 1);
    drop(held);
}

#[tokio::test]
async fn nobody_there_and_nowhere_to_dial() {
    let school = tuned(
        1,
        Tuning {
            handshake_timeout: Duration::from_millis(300),
            ..Tuning::default()
        },
    );
    let silent = std::net::UdpSocket::bind(std::net::SocketAddr::from(LOCAL)).unwrap();
    let got = soon(school.connect(silent.local_addr().unwrap(), None)).await;
    assert!(matches!(got, Err(Error::NoAnswer { .. })), "{got:?}");
    let got = soon(school.connect("[::1]:4433".parse().unwrap(), None)).await;
    assert!(matches!(got, Err(Error::BadAddress { .. })), "{got:?}");
    let got = soon(school.connect("127.0.0.1:0".parse().unwrap(), None)).await;
    assert!(matches!(got, Err(Error::BadAddress { .. })), "{got:?}");

    let taken = school.local_addr().unwrap();
    assert!(
        matches!(Endpoint::bind(taken, &key(1), Tuning::default()), Err(Error::Bind { addr, .. }) if addr == taken)
    );
    school.close();
    let got = soon(school.connect(taken, None)).await;
    assert!(matches!(got, Err(Error::EndpointClosed)), "{got:?}");
}

#[test]
fn without_a_runtime_there_is_an_error_and_no_panic() {
    assert!(matches!(
        Endpoint::bind(LOCAL.into(), &key(1), Tuning::default()),
        Err(Error::NoRuntime)
    ));
}
