//! A stolen device and a copied flight, against a real hub. See `hostile.rs` for what every attack is held to.
#![cfg(target_os = "linux")]
// Helpers outside #[test] functions unwrap as well: a failure is a failed test.
#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use node::{Filter, Patience, enrol};
use sync::wire::{Frame, Refusal};
use tokio::net::UdpSocket;
use yanxiu_tests::siege::{Siege, chain, forged};
use yanxiu_tests::villain::Villain;
use yanxiu_tests::*;

/// A thief has a revoked device's key, and another device of the school carries for him: old numbers signed
/// anew, numbers after the cut, and the cut's own number. What counted goes on counting, nothing new does, and
/// each is named. Kept: evidence of one fault, and what waits.
#[tokio::test(flavor = "multi_thread")]
async fn a_thief_changes_nothing_before_the_cut_and_adds_nothing_after() {
    let siege = Siege::begin().await;
    let (v, key) = (&siege.villain, siege.villain.key.clone());
    let carrier = Villain::of(&Place::school(&siege.hub, &siege.school, "同校另一台"));
    let real = chain(v.incarnation(0), 5);
    let (before, after) = real.split_at(3);
    assert_eq!(
        siege.push(before.iter().map(|c| siege.own(c)).collect()).await,
        [""; 0]
    );
    let records = || {
        siege
            .hub
            .node
            .count(&Filter::kind("note").school(&siege.school))
            .unwrap()
    };
    until("three records are shown", 20, || records() == 3).await;
    enrol::revoke(&siege.hub.node, &key.id()).unwrap();
    until("and still are", 20, || {
        siege.hub.node.views_behind().unwrap() == 0
    })
    .await;
    assert_eq!(records(), 3);

    // The thief himself.
    let mut line = v.enter(&siege.hub).await;
    assert_eq!(line.refusal().await.0, Refusal::Revoked);
    siege.operator_sees("we-refused-Revoked", "revoked").await;
    // By way of the carrier.
    let document = siege.log();
    let offer = |change| carrier.offer(&document, change, Some(&key));
    let like = &chain(v.incarnation(9), 7)[6];
    let again = [
        forged(like, &[], v.incarnation(0), 1, 1),
        forged(
            like,
            &[before[0].header.hash],
            v.incarnation(0),
            2,
            before[1].header.start_op,
        ),
        forged(
            like,
            &[before[1].header.hash],
            v.incarnation(0),
            3,
            before[2].header.start_op,
        ),
    ];
    for change in &again {
        let said = carrier.push(&siege.hub, vec![offer(change)]).await.unwrap();
        assert!(
            ["Quarantined(Equivocation)", "Held(Quarantine)"].contains(&said.concat().as_str()),
            "{said:?}"
        );
    }
    siege_event(&siege, &carrier, "here-").await;
    let later: Vec<_> = after.iter().map(offer).collect();
    carrier.push(&siege.hub, later).await.unwrap();
    // A fresh incarnation of the thief's has no cut and counts nowhere.
    let fresh = chain(v.incarnation(7), 2);
    carrier
        .push(&siege.hub, fresh.iter().map(offer).collect())
        .await
        .unwrap();
    siege.honest_goes_on().await;
    until("all is looked at", 20, || {
        siege.hub.node.views_behind().unwrap() == 0
    })
    .await;
    assert_eq!(records(), 3);
    let held = |n: usize| {
        let key = sync::DocKey::parse(&document).unwrap();
        let at = |c: &store::Connection| {
            let past = store::changes::Past(c);
            sync::admission::History::at(&past, &key, &v.incarnation(0), n as u64)
        };
        siege.hub.node.read(at).unwrap()
    };
    for (n, change) in before.iter().enumerate() {
        assert_eq!(held(n + 1), Some(change.header.hash), "the real ones stand");
    }
    siege.end().await;
}

async fn siege_event(siege: &Siege, peer: &Villain, part: &str) {
    until("the operator sees it", 20, || {
        let all = siege.hub.node.events(1_000).unwrap();
        all.iter()
            .any(|e| e.peer == Some(peer.key.id()) && e.code.contains(part) && e.text_zh != e.code)
    })
    .await;
}

/// A piece that is said again is known, and nothing counts twice.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_again_is_known() {
    let siege = Siege::begin().await;
    let piece: Vec<_> = chain(siege.villain.incarnation(0), 5)
        .iter()
        .map(|c| siege.own(c))
        .collect();
    let rows = || siege.count("SELECT COUNT(*) FROM change");
    siege.push(piece.clone()).await;
    let once = rows();
    for _ in 0..20 {
        assert_eq!(siege.push(piece.clone()).await, [""; 0]);
    }
    assert_eq!(rows(), once);
    siege.end().await;
}

/// Between a school and the hub: notes every datagram that the school sends.
async fn wiretap(hub: SocketAddr) -> (SocketAddr, Arc<Mutex<Vec<Vec<u8>>>>) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let (address, tapped) = (socket.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
    let notes = tapped.clone();
    tokio::spawn(async move {
        let (mut school, mut bytes) = (None, vec![0; 65_536]);
        while let Ok((len, from)) = socket.recv_from(&mut bytes).await {
            if from == hub {
                if let Some(school) = school {
                    let _ = socket.send_to(&bytes[..len], school).await;
                }
                continue;
            }
            school = Some(from);
            notes.lock().unwrap().push(bytes[..len].to_vec());
            let _ = socket.send_to(&bytes[..len], hub).await;
        }
    });
    (address, tapped)
}

/// Somebody on the way copies a first flight with its 0-RTT data and sends it again, from elsewhere and many
/// times: nobody reads it (a ticket opens one handshake), and what it says was said already. Kept: a seat of
/// the 64 for half-open calls, until its time is over.
#[tokio::test(flavor = "multi_thread")]
async fn a_first_flight_sent_again_is_read_by_nobody() {
    let siege = Siege::begin().await;
    let hub: SocketAddr = siege.hub.address().parse().unwrap();
    let (way, tapped) = wiretap(hub).await;
    let mut school = Place::school(&siege.hub, &siege.school, "经过别人网络的电脑");
    school.up_and(false).await;
    school.node.add_address(&way.to_string()).unwrap();
    let at_hub = |n: usize| titles(&siege.hub).len() == n && school.node.not_at_county().unwrap() == 0;
    // One without knowing who answers there, one with its key; the third has a ticket.
    let mut full = 0;
    for n in 1..=3 {
        full = siege.hub.counters().full_handshakes;
        tapped.lock().unwrap().clear();
        add_session(&school, &format!("第{n}次联系"), "2025-10-02");
        until("the contact", 20, || at_hub(1 + n)).await;
        until("they have hung up", 20, || siege.hub.counters().open == 1).await;
    }
    assert_eq!(siege.hub.counters().full_handshakes, full, "with a ticket");
    school.down().await;

    let copied = tapped.lock().unwrap().clone();
    // A long header of type 0-RTT: the data travelled in the first flight.
    let early = |d: &Vec<u8>| d.len() > 1_000 && d[0] & 0x80 != 0;
    assert!(copied.iter().any(early), "{} datagrams", copied.len());
    let rows = || siege.count("SELECT (SELECT COUNT(*) FROM change) * 1000 + (SELECT COUNT(*) FROM held)");
    let before = rows();
    for _ in 0..10 {
        let thief = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        for datagram in &copied {
            thief.send_to(datagram, hub).await.unwrap();
        }
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(siege.hub.counters().full_handshakes, full, "nobody was let in");
    assert_eq!(rows(), before);
    siege.honest_goes_on_from(5).await;
    assert_eq!(siege.hub.node.held().unwrap(), vec![]);
    let refused = siege
        .hub
        .event_codes()
        .into_iter()
        .filter(|c| c.contains("refused"));
    assert_eq!(refused.count(), 0);
    siege.stop().await;
}

/// Asks for everything again and again and reads nothing: no more than 1 MiB and one answer wait for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_never_reads_is_given_up() {
    let siege = Siege::with(Patience {
        mute: Duration::from_secs(3),
        penalty: Duration::ZERO,
        ..Patience::default()
    })
    .await;
    let like = &chain(siege.villain.incarnation(0), 1)[0];
    for part in 0..3 {
        let lot = (0..600)
            .map(|n| {
                let document = format!("portfolio/{}/p{}", siege.school, part * 600 + n);
                let change = forged(like, &[], siege.villain.incarnation(1), 1, 1);
                siege.villain.offer(&document, &change, Some(&siege.villain.key))
            })
            .collect();
        assert_eq!(siege.push(lot).await, [""; 0]);
    }
    let mut line = siege.villain.enter(&siege.hub).await;
    for _ in 0..100 {
        line.say(Frame::WantReceipts).await;
    }
    siege.honest_goes_on().await;
    // Each answer costs the hub work, so they come slowly; and the links take the first two megabytes.
    until("it is given up", 200, || {
        siege.hub.event_codes().contains(&"reads-nothing".to_string())
    })
    .await;
    siege.operator_sees("reads-nothing", "read none").await;
    siege.end().await;
}
