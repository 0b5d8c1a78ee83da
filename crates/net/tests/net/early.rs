//! Data in the first flight (0-RTT): how soon it is there, what becomes of it when it is not taken,
//! and that it is never read under another name than its sender's.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use net::{ClosedBy, Endpoint, Error, Link, Tuning};

use crate::support::{endpoint, exchange, id, join, rebind, soon, tuned, way};

const ONE_WAY: Duration = Duration::from_millis(100);

/// About 3 KB, as a day's registrations are.
fn payload() -> Vec<u8> {
    "听课 𬭊老师 ２学时 㙇；".as_bytes().repeat(100)
}

/// Dials node 2 at `addr`, which need not be the address of `hub`, and gets tickets for the next time.
async fn meet(school: &Endpoint, hub: &Endpoint, addr: SocketAddr) {
    let expect = school.connect(addr, Some(id(2)));
    let (near, far) = soon(async { tokio::join!(expect, hub.accept()) }).await;
    let (near, far) = (near.unwrap(), far.unwrap());
    exchange(&near, &far).await;
    near.settled().await.unwrap();
    near.close(0, "");
    far.closed().await;
}

/// What one contact took, in one-way trips from the moment of dialling.
struct Took {
    to_hub: f64,
    to_answer: f64,
}

async fn contact(school: &Endpoint, hub: &Endpoint, addr: SocketAddr, early: bool) -> Took {
    let start = Instant::now();
    let trips = || start.elapsed().as_secs_f64() / ONE_WAY.as_secs_f64();
    let dialling = async {
        let link = school.connect(addr, Some(id(2))).await.unwrap();
        assert_eq!(link.early(), early);
        assert_eq!(link.peer(), id(2));
        let (mut w, mut r) = link.open().await.unwrap();
        w.write(&payload()).await.unwrap();
        assert_eq!(r.read().await.unwrap().unwrap(), "收据".as_bytes());
        let answered = trips();
        assert!(link.settled().await.unwrap());
        assert!(!link.early());
        assert_eq!(link.peer(), id(2));
        assert_eq!(r.read().await.unwrap(), None);
        (link, answered)
    };
    let taking = async {
        let link = hub.accept().await.unwrap();
        assert_eq!(link.peer(), id(1));
        let (mut w, mut r) = link.accept().await.unwrap();
        assert_eq!(r.peer(), id(1));
        assert_eq!(r.read().await.unwrap().unwrap(), payload());
        let there = trips();
        w.write("收据".as_bytes()).await.unwrap();
        assert!(link.settled().await.unwrap());
        assert!(!link.early());
        w.delivered().await.unwrap();
        (link, there)
    };
    let ((near, to_answer), (far, to_hub)) = soon(async { tokio::join!(dialling, taking) }).await;
    near.close(0, "");
    far.closed().await;
    Took { to_hub, to_answer }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_ticket_the_payload_takes_one_trip_and_without_three() {
    // The way never delivers too soon, so one good run proves it; a busy machine may spoil some.
    let mut seen = Vec::new();
    for _ in 0..6 {
        let (school, hub) = (endpoint(1), endpoint(2));
        let way = way(hub.local_addr().unwrap(), ONE_WAY).await;
        let first = contact(&school, &hub, way.addr, false).await;
        assert!(first.to_hub > 2.5, "{} trips", first.to_hub);
        let second = contact(&school, &hub, way.addr, true).await;
        let third = contact(&school, &hub, way.addr, true).await;
        assert_eq!(hub.counters().full_handshakes, 1);
        assert_eq!(school.counters().full_handshakes, 1);
        seen.push([second.to_hub, second.to_answer, third.to_hub]);
        if second.to_hub < 1.6 && second.to_answer < 2.6 && third.to_hub < 1.6 {
            return;
        }
    }
    panic!("one-way trips to the hub, to the answer, to the hub again: {seen:?}");
}

#[tokio::test]
async fn a_hub_that_lost_its_sessions_gets_it_on_a_new_stream() {
    let (school, hub) = (endpoint(1), endpoint(2));
    let addr = hub.local_addr().unwrap();
    meet(&school, &hub, addr).await;
    hub.close();
    hub.wait_idle().await;
    drop(hub);
    let hub = soon(rebind(addr, 2)).await;

    let near = soon(school.connect(addr, Some(id(2)))).await.unwrap();
    assert!(near.early());
    let (mut lost, mut unread) = near.open().await.unwrap();
    lost.write("作废".as_bytes()).await.unwrap();
    let (mut halfway, _r) = near.open().await.unwrap();
    let blocked = halfway.write(&[0; 600_000]);
    let (got, settled, read) = soon(async { tokio::join!(blocked, near.settled(), unread.read()) }).await;
    assert!(matches!(got, Err(Error::EarlyDataRejected)), "{got:?}");
    assert!(matches!(read, Err(Error::EarlyDataRejected)), "{read:?}");
    assert!(!settled.unwrap());
    assert!(!soon(near.settled()).await.unwrap(), "the same again");
    assert!(!near.early());
    assert_eq!(near.peer(), id(2));

    // The dead streams have the numbers of these, and must not touch them.
    let (mut first, _r1) = near.open().await.unwrap();
    first.write("一".as_bytes()).await.unwrap();
    let (mut second, _r2) = near.open().await.unwrap();
    lost.set_priority(-1);
    let got = lost.finish();
    assert!(matches!(got, Err(Error::EarlyDataRejected)), "{got:?}");
    let got = soon(lost.delivered()).await;
    assert!(matches!(got, Err(Error::EarlyDataRejected)), "{got:?}");
    let got = soon(lost.write(b"x")).await;
    assert!(matches!(got, Err(Error::EarlyDataRejected)), "{got:?}");
    drop((lost, unread, halfway));
    first.write("二".as_bytes()).await.unwrap();
    second.write("三".as_bytes()).await.unwrap();

    let far = soon(hub.accept()).await.unwrap();
    assert_eq!(far.peer(), id(1));
    for frames in [vec!["一", "二"], vec!["三"]] {
        let (_w, mut r) = soon(far.accept()).await.unwrap();
        for frame in frames {
            assert_eq!(soon(r.read()).await.unwrap().unwrap(), frame.as_bytes());
        }
    }
    exchange(&near, &far).await;
    // And the next time it is early again.
    let near = soon(school.connect(addr, Some(id(2)))).await.unwrap();
    assert!(near.early());
    assert!(soon(near.settled()).await.unwrap());
}

#[tokio::test]
async fn another_node_at_the_address_learns_nothing_and_says_so() {
    let (school, hub) = (endpoint(1), endpoint(2));
    let addr = hub.local_addr().unwrap();
    meet(&school, &hub, addr).await;
    hub.close();
    hub.wait_idle().await;
    drop(hub);
    let thief = soon(rebind(addr, 66)).await;

    let near = soon(school.connect(addr, Some(id(2)))).await.unwrap();
    let (mut w, mut r) = near.open().await.unwrap();
    w.write("花名册".as_bytes()).await.unwrap();
    let wrong = |got: &Error| {
        assert!(
            matches!(got, Error::WrongPeer { addr: at, expected, found }
                if (*at, *expected, *found) == (addr, id(2), id(66))),
            "{got:?}"
        );
    };
    wrong(&soon(near.settled()).await.unwrap_err());
    wrong(&soon(near.clone().settled()).await.unwrap_err());
    wrong(&soon(r.read()).await.unwrap_err());
    wrong(&soon(w.delivered()).await.unwrap_err());
    assert!(!near.early());
    soon(near.closed()).await;
    let nobody = tokio::time::timeout(Duration::from_millis(200), thief.accept()).await;
    assert!(nobody.is_err(), "{nobody:?}");
    // Our key was not shown.
    assert_eq!(thief.counters().full_handshakes, 0);
    assert_eq!(thief.counters().failed, 1);
}

#[tokio::test]
async fn nobody_there_is_said_late_but_said() {
    let hasty = Tuning {
        handshake_timeout: Duration::from_millis(400),
        ..Tuning::default()
    };
    let (school, hub) = (tuned(1, hasty), endpoint(2));
    let addr = hub.local_addr().unwrap();
    meet(&school, &hub, addr).await;
    hub.close();
    hub.wait_idle().await;
    drop(hub);
    let near = soon(school.connect(addr, Some(id(2)))).await.unwrap();
    assert!(near.early());
    let got = soon(near.settled()).await;
    assert!(
        matches!(got, Err(Error::NoAnswer { addr: at, .. }) if at == addr),
        "{got:?}"
    );
    assert_eq!(soon(near.closed()).await.by, ClosedBy::Us);
    assert!(near.open().await.is_err());
}

#[tokio::test]
async fn a_full_hub_says_so_to_an_early_link_too() {
    let one = Tuning {
        max_links: 1,
        ..Tuning::default()
    };
    let (school, other, hub) = (endpoint(1), endpoint(3), tuned(2, one));
    let addr = hub.local_addr().unwrap();
    meet(&school, &hub, addr).await;
    // Until the closed link is forgotten there.
    let held = loop {
        match soon(other.connect(addr, None)).await {
            Ok(link) => break link,
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    };
    let near = soon(school.connect(addr, Some(id(2)))).await.unwrap();
    let got = soon(near.settled()).await;
    assert!(matches!(got, Err(Error::Busy { .. })), "{got:?}");
    drop(held);
}

#[tokio::test]
async fn nothing_is_early_without_a_ticket_for_that_very_node() {
    let (school, hub, neighbour) = (endpoint(1), endpoint(2), endpoint(3));
    let (there, next_door) = (hub.local_addr().unwrap(), neighbour.local_addr().unwrap());
    let (near, far) = join(&school, &hub).await;
    exchange(&near, &far).await;
    // A ticket of "anyone" is none of node 2, and an expectation of nobody is never early.
    for expect in [None, Some(id(2))] {
        let near = soon(school.connect(there, expect)).await.unwrap();
        assert!(!near.early(), "{expect:?}");
        assert!(soon(near.settled()).await.unwrap());
        let far = soon(hub.accept()).await.unwrap();
        exchange(&near, &far).await;
    }
    let near = soon(school.connect(next_door, Some(id(3)))).await.unwrap();
    assert!(!near.early());
    // The ticket for node 2 is for node 2 at any address, and for nobody else at its own.
    let got = soon(school.connect(there, Some(id(3)))).await;
    assert!(matches!(got, Err(Error::WrongPeer { .. })), "{got:?}");
    let near = soon(school.connect(next_door, Some(id(2)))).await.unwrap();
    assert!(near.early());
    let got = soon(near.settled()).await;
    assert!(
        matches!(got, Err(Error::WrongPeer { found, .. }) if found == id(3)),
        "{got:?}"
    );
}

#[tokio::test]
async fn the_switch_turns_it_off_at_either_end() {
    let off = || Tuning {
        early_data: false,
        ..Tuning::default()
    };
    for (school, hub) in [(endpoint(1), tuned(2, off())), (tuned(1, off()), endpoint(2))] {
        let addr = hub.local_addr().unwrap();
        for _ in 0..3 {
            let near = soon(school.connect(addr, Some(id(2)))).await.unwrap();
            assert!(!near.early());
            let far = soon(hub.accept()).await.unwrap();
            assert_eq!((near.peer(), far.peer()), (id(2), id(1)));
            exchange(&near, &far).await;
        }
        assert_eq!(hub.counters().full_handshakes, 1, "resumed all the same");
    }
    // For one link.
    let (school, hub) = (endpoint(1), endpoint(2));
    let addr = hub.local_addr().unwrap();
    meet(&school, &hub, addr).await;
    let near = soon(school.connect_tuned(addr, Some(id(2)), &off())).await;
    assert!(!near.unwrap().early());
    // That one has used the ticket up.
    soon(hub.accept()).await.unwrap();
    meet(&school, &hub, addr).await;
    let near = soon(school.connect(addr, Some(id(2)))).await;
    assert!(near.unwrap().early());
}

#[tokio::test]
async fn a_copied_first_flight_is_read_by_nobody() {
    let (school, hub) = (endpoint(1), endpoint(2));
    let addr = hub.local_addr().unwrap();
    let way = way(addr, Duration::ZERO).await;
    meet(&school, &hub, way.addr).await;
    way.sent.lock().unwrap().clear();

    let near = soon(school.connect(way.addr, Some(id(2)))).await.unwrap();
    let (mut w, _r) = near.open().await.unwrap();
    w.write(&payload()).await.unwrap();
    let far = soon(hub.accept()).await.unwrap();
    let (_w, mut r) = soon(far.accept()).await.unwrap();
    assert_eq!(soon(r.read()).await.unwrap().unwrap(), payload());
    soon(w.delivered()).await.unwrap();
    near.close(0, "");
    soon(far.closed()).await;
    // The hub has forgotten the connection, so that its packets are those of a new call.
    while hub.counters().open > 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    let copies = way.sent.lock().unwrap().clone();
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for packet in &copies {
        socket.send_to(packet, addr).await.unwrap();
    }
    let nobody = tokio::time::timeout(Duration::from_millis(500), hub.accept()).await;
    assert!(nobody.is_err(), "{nobody:?}");
    assert_eq!(hub.counters().half_open, 1, "it did look like a call");
}

#[tokio::test]
async fn a_dialler_that_is_not_there_any_more_is_noticed() {
    let hasty = Tuning {
        handshake_timeout: Duration::from_secs(1),
        ..Tuning::default()
    };
    let (school, hub) = (endpoint(1), tuned(2, hasty));
    let way = way(hub.local_addr().unwrap(), Duration::ZERO).await;
    meet(&school, &hub, way.addr).await;
    way.mute.store(true, Ordering::SeqCst);

    let near = soon(school.connect(way.addr, Some(id(2)))).await.unwrap();
    let (mut w, _r) = near.open().await.unwrap();
    w.write(&payload()).await.unwrap();
    let far = soon(hub.accept()).await.unwrap();
    assert_eq!(far.peer(), id(1));
    assert!(far.early());
    assert_eq!(hub.counters().half_open, 1, "the seat is still taken");
    let (_w, mut r) = soon(far.accept()).await.unwrap();
    assert_eq!(soon(r.read()).await.unwrap().unwrap(), payload());
    let got = soon(far.settled()).await;
    assert!(
        matches!(&got, Err(Error::LinkClosed(why)) if why.by == ClosedBy::Silence),
        "{got:?}"
    );
    soon(far.closed()).await;
    assert_eq!(hub.counters().failed, 1);
    assert_eq!(hub.counters().half_open, 0);
}

#[tokio::test]
async fn code_and_words_of_an_early_refusal_arrive() {
    let (school, hub) = (endpoint(1), endpoint(2));
    let way = way(hub.local_addr().unwrap(), Duration::from_millis(50)).await;
    meet(&school, &hub, way.addr).await;
    let near = soon(school.connect(way.addr, Some(id(2)))).await.unwrap();
    let (mut w, _r) = near.open().await.unwrap();
    w.write(&payload()).await.unwrap();
    let far = soon(hub.accept()).await.unwrap();
    far.close(7, "已撤销：设备遗失");
    let why = soon(near.closed()).await;
    assert_eq!(
        (why.by, why.code, why.text.as_str()),
        (ClosedBy::Peer, 7, "已撤销：设备遗失")
    );
    assert_eq!(soon(far.closed()).await.by, ClosedBy::Us);
}

#[tokio::test]
async fn a_dropped_early_link_is_gone() {
    let (school, hub) = (endpoint(1), endpoint(2));
    let way = way(hub.local_addr().unwrap(), Duration::ZERO).await;
    meet(&school, &hub, way.addr).await;
    way.mute.store(true, Ordering::SeqCst);
    let near: Link = soon(school.connect(way.addr, Some(id(2)))).await.unwrap();
    assert!(near.early());
    let (w, r) = near.open().await.unwrap();
    drop(near);
    // A stream holds it.
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert!(school.counters().open > 0);
    drop((w, r));
    soon(async {
        while school.counters().open > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}
