//! The road over TCP: the same links, streams and frames, and the same bounds.

use std::time::Duration;

use net::{ClosedBy, Endpoint, Error, Link, MAX_FRAME, Road, Tuning};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{LOCAL, endpoint, exchange, id, key, soon, tuned};

async fn join(a: &Endpoint, b: &Endpoint) -> (Link, Link) {
    let there = b.local_addr().unwrap();
    let (near, far) = soon(async { tokio::join!(a.connect_tcp(there, None), b.accept()) }).await;
    (near.unwrap(), far.unwrap())
}

#[tokio::test]
async fn both_ends_know_each_other_and_frames_go_both_ways() {
    let (school, hub) = (endpoint(1), endpoint(2));
    assert_eq!(hub.no_tcp(), None);
    let (near, far) = join(&school, &hub).await;
    assert_eq!((near.peer(), far.peer()), (id(2), id(1)));
    assert_eq!((near.road(), far.road()), (Road::Tcp, Road::Tcp));
    assert!(!near.early() && near.settled().await.unwrap());
    exchange(&near, &far).await;
    exchange(&far, &near).await;
    let (sent, received) = (near.stats(), far.stats());
    assert!(
        sent.sent > 500 && received.received > 500,
        "{sent:?} {received:?}"
    );
    assert_eq!((school.counters().open, hub.counters().open), (1, 1));
}

#[tokio::test]
async fn a_long_frame_goes_through_small_windows_and_beside_it_another_stream() {
    let (school, hub) = (endpoint(1), endpoint(2));
    let (near, far) = join(&school, &hub).await;
    let (mut photo, _photo_back) = near.open().await.unwrap();
    photo.set_priority(-1);
    let long: Vec<u8> = (0..MAX_FRAME).map(|n| (n % 251) as u8).collect();
    let sending = tokio::spawn({
        let long = long.clone();
        async move {
            photo.write(&long).await.unwrap();
            photo.delivered().await
        }
    });
    // Nobody reads the photo: only its own window is full.
    let (_photo_there, mut photo_reader) = soon(far.accept()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!sending.is_finished());
    exchange(&near, &far).await;
    assert_eq!(soon(photo_reader.read()).await.unwrap().unwrap(), long);
    assert_eq!(soon(photo_reader.read()).await.unwrap(), None);
    soon(sending).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_read_that_was_dropped_loses_nothing() {
    let (school, hub) = (endpoint(1), endpoint(2));
    let (near, far) = join(&school, &hub).await;
    let (mut writer, _reader) = near.open().await.unwrap();
    let frame = "听课记录".repeat(20_000).into_bytes();
    let sending = tokio::spawn({
        let frame = frame.clone();
        async move { writer.write(&frame).await }
    });
    let (_w, mut reader) = soon(far.accept()).await.unwrap();
    let got = soon(async {
        loop {
            // Far too short for the whole.
            if let Ok(read) = tokio::time::timeout(Duration::from_micros(300), reader.read()).await {
                break read;
            }
        }
    })
    .await;
    assert_eq!(got.unwrap().unwrap(), frame);
    soon(sending).await.unwrap().unwrap();
}

#[tokio::test]
async fn another_node_than_the_expected_one_is_refused() {
    let (school, hub) = (endpoint(1), endpoint(2));
    let there = hub.local_addr().unwrap();
    let got = soon(school.connect_tcp(there, Some(id(3)))).await;
    let Err(Error::WrongPeer { expected, found, .. }) = got else {
        panic!("{got:?}");
    };
    assert_eq!((expected, found), (id(3), id(2)));
    // The right one still is let in.
    let (near, far) =
        soon(async { tokio::join!(school.connect_tcp(there, Some(id(2))), hub.accept()) }).await;
    exchange(&near.unwrap(), &far.unwrap()).await;
}

#[tokio::test]
async fn nobody_there_is_told_from_a_program_of_another_kind() {
    let school = endpoint(1);
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let there = free.local_addr().unwrap();
    drop(free);
    let got = soon(school.connect_tcp(there, None)).await;
    assert!(matches!(got, Err(Error::NotListening { .. })), "{got:?}");

    let web = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let there = web.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = web.accept().await.unwrap();
        stream
            .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .await
            .unwrap();
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    let got = soon(school.connect_tcp(there, None)).await;
    assert!(matches!(got, Err(Error::NotYanxiu { .. })), "{got:?}");
}

#[tokio::test]
async fn a_slow_handshake_is_given_up_and_its_seat_is_free_again() {
    let patience = Duration::from_millis(300);
    let hub = tuned(
        2,
        Tuning {
            handshake_timeout: patience,
            max_half_open: 2,
            max_half_open_per_source: 2,
            ..Tuning::default()
        },
    );
    let there = hub.local_addr().unwrap();
    let mut slow = Vec::new();
    for _ in 0..2 {
        slow.push(TcpStream::connect(there).await.unwrap());
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(hub.counters().half_open, 2);
    // All seats are taken: who comes now is turned away at once.
    let school = endpoint(1);
    let got = soon(school.connect_tcp(there, Some(id(2)))).await;
    assert!(matches!(got, Err(Error::Busy { .. })), "{got:?}");
    assert_eq!(hub.counters().refused, 1);
    tokio::time::sleep(2 * patience).await;
    assert_eq!((hub.counters().half_open, hub.counters().failed), (0, 2));
    let (near, far) = join(&school, &hub).await;
    exchange(&near, &far).await;

    // A peer that takes the call and never speaks.
    let mute = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let quick = tuned(
        3,
        Tuning {
            handshake_timeout: patience,
            ..Tuning::default()
        },
    );
    let got = soon(quick.connect_tcp(mute.local_addr().unwrap(), None)).await;
    assert!(matches!(got, Err(Error::NoAnswer { .. })), "{got:?}");
}

#[tokio::test]
async fn an_oversized_frame_ends_its_stream_alone() {
    let (school, hub) = (endpoint(1), endpoint(2));
    let (near, far) = join(&school, &hub).await;
    let (mut writer, _r) = near.open().await.unwrap();
    writer.write_raw(&(MAX_FRAME + 1).to_le_bytes()).await.unwrap();
    let (_w, mut reader) = soon(far.accept()).await.unwrap();
    let got = soon(reader.read()).await;
    assert!(matches!(got, Err(Error::FrameTooLong { .. })), "{got:?}");
    let stopped = soon(async {
        loop {
            if let Err(error) = writer.write_raw(&[0; 1000]).await {
                break error;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    assert!(matches!(stopped, Error::StreamStopped { code: 1 }), "{stopped:?}");
    exchange(&near, &far).await;
}

#[tokio::test]
async fn a_write_that_was_dropped_cuts_the_stream() {
    let (school, hub) = (endpoint(1), endpoint(2));
    let (near, far) = join(&school, &hub).await;
    let (mut writer, _r) = near.open().await.unwrap();
    let long = vec![7; MAX_FRAME as usize];
    let cut = tokio::time::timeout(Duration::from_millis(50), writer.write(&long)).await;
    assert!(cut.is_err(), "nobody reads, so it cannot have gone through");
    assert!(matches!(writer.write(b"x").await, Err(Error::StreamEnded)));
    drop(writer);
    let (_w, mut reader) = soon(far.accept()).await.unwrap();
    let got = soon(reader.read()).await;
    assert!(matches!(got, Err(Error::StreamReset { code: 2 })), "{got:?}");
}

#[tokio::test]
async fn the_peer_hears_code_and_words() {
    let (school, hub) = (endpoint(1), endpoint(2));
    let (near, far) = join(&school, &hub).await;
    near.close(7, "已撤销：设备遗失");
    let why = soon(far.closed()).await;
    assert_eq!(
        (why.by, why.code, why.text.as_str()),
        (ClosedBy::Peer, 7, "已撤销：设备遗失")
    );
    assert_eq!(soon(near.closed()).await.by, ClosedBy::Us);
    assert!(soon(far.accept()).await.is_none());
    let got = soon(far.open()).await;
    assert!(
        matches!(&got, Err(Error::LinkClosed(why)) if why.code == 7),
        "{got:?}"
    );
}

#[tokio::test]
async fn closing_an_endpoint_and_dropping_a_link_tell_the_peer() {
    let (school, hub) = (endpoint(1), endpoint(2));
    let (near, far) = join(&school, &hub).await;
    let (second, second_far) = join(&school, &hub).await;
    drop(second_far);
    assert_eq!(soon(second.closed()).await.by, ClosedBy::Peer);
    hub.close();
    assert_eq!(soon(near.closed()).await.by, ClosedBy::Peer);
    soon(hub.wait_idle()).await;
    assert!(soon(hub.accept()).await.is_none());
    assert_eq!(hub.counters().open, 0);
    drop(far);
    let got = soon(hub.connect_tcp(school.local_addr().unwrap(), None)).await;
    assert!(matches!(got, Err(Error::EndpointClosed)), "{got:?}");
}

#[tokio::test]
async fn a_dead_way_is_noticed_and_keep_alive_holds_a_quiet_one() {
    let quiet = |keep_alive| Tuning {
        idle_timeout: Duration::from_millis(400),
        keep_alive,
        ..Tuning::default()
    };
    let (school, hub) = (tuned(1, quiet(None)), tuned(2, quiet(None)));
    let (near, _far) = join(&school, &hub).await;
    assert_eq!(soon(near.closed()).await.by, ClosedBy::Silence);

    let lively = quiet(Some(Duration::from_millis(100)));
    let (school, hub) = (tuned(1, lively.clone()), tuned(2, lively));
    let (near, far) = join(&school, &hub).await;
    assert!(
        tokio::time::timeout(Duration::from_millis(1500), near.closed())
            .await
            .is_err()
    );
    exchange(&near, &far).await;
    assert!(near.rtt() < Duration::from_millis(300), "{:?}", near.rtt());
}

#[tokio::test]
async fn streams_beyond_the_limit_wait_and_come_when_others_end() {
    let (school, hub) = (endpoint(1), endpoint(2));
    let (near, far) = join(&school, &hub).await;
    let mut open = Vec::new();
    while let Ok(stream) = tokio::time::timeout(Duration::from_millis(100), near.open()).await {
        open.push(stream.unwrap());
    }
    assert_eq!(open.len(), 8);
    // The last one speaks first; the peer sees the earlier ones as well.
    open[7].0.write("第八".as_bytes()).await.unwrap();
    let mut there = Vec::new();
    for _ in 0..8 {
        there.push(soon(far.accept()).await.unwrap());
    }
    assert_eq!(soon(there[7].1.read()).await.unwrap().unwrap(), "第八".as_bytes());
    drop(open);
    drop(there);
    for _ in 0..20 {
        exchange(&near, &far).await;
    }
}

#[tokio::test]
async fn a_taken_tcp_port_leaves_quic_alone() {
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let hub = Endpoint::bind(other.local_addr().unwrap(), &key(2), Tuning::default()).unwrap();
    assert!(hub.no_tcp().is_some());
    let school = Endpoint::bind(LOCAL.into(), &key(1), Tuning::default()).unwrap();
    let (near, far) = crate::support::join(&school, &hub).await;
    assert_eq!(near.road(), Road::Quic);
    exchange(&near, &far).await;
}
