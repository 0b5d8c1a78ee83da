//! What happens to frames on a stream.

use std::time::Duration;

use net::{ALPN, Endpoint, Error, FrameReader, FrameWriter, MAX_FRAME};

use crate::support::{credential, endpoint, id, join, key, raw_client, showing, soon};

/// A stream between two endpoints whose first frame, "first", has been read.
struct Pair {
    _ends: (Endpoint, Endpoint, net::Link, net::Link),
    near: (FrameWriter, FrameReader),
    far: (FrameWriter, FrameReader),
}

async fn pair() -> Pair {
    let (a, b) = (endpoint(1), endpoint(2));
    let (near, far) = join(&a, &b).await;
    let (mut w, r) = near.open().await.unwrap();
    w.write(b"first").await.unwrap();
    let (fw, mut fr) = soon(far.accept()).await.unwrap();
    assert_eq!(soon(fr.read()).await.unwrap().unwrap(), b"first");
    assert_eq!((r.peer(), fr.peer()), (id(2), id(1)));
    Pair {
        _ends: (a, b, near, far),
        near: (w, r),
        far: (fw, fr),
    }
}

/// A stream whose bytes we write ourselves, and the reader at its other end.
async fn raw_pair() -> (
    quinn::Endpoint,
    quinn::SendStream,
    quinn::RecvStream,
    Endpoint,
    net::Link,
    FrameReader,
) {
    let hub = endpoint(2);
    let client = raw_client(showing(credential(id(7), &key(7))), &[ALPN]);
    let conn = client
        .connect(hub.local_addr().unwrap(), "x.invalid")
        .unwrap()
        .await
        .unwrap();
    let (mut send, recv) = conn.open_bi().await.unwrap();
    send.write_all(&0u32.to_le_bytes()).await.unwrap();
    let link = soon(hub.accept()).await.unwrap();
    let (_w, mut reader) = soon(link.accept()).await.unwrap();
    assert_eq!(
        soon(reader.read()).await.unwrap().unwrap(),
        b"",
        "an empty frame is a frame"
    );
    (client, send, recv, hub, link, reader)
}

#[tokio::test]
async fn frames_of_all_sizes_arrive_whole_and_in_order() {
    let Pair {
        _ends,
        near: (mut w, _r),
        far: (_fw, mut fr),
    } = pair().await;
    let frames: Vec<Vec<u8>> = [0, 1, 3, 4, 5, 1199, 70_000, MAX_FRAME as usize]
        .iter()
        .map(|n| vec![*n as u8; *n])
        .collect();
    let sending = async {
        for frame in &frames {
            w.write(frame).await.unwrap();
        }
        w.delivered().await.unwrap();
    };
    let reading = async {
        for frame in &frames {
            assert_eq!(&fr.read().await.unwrap().unwrap(), frame);
        }
        assert_eq!(fr.read().await.unwrap(), None);
        assert_eq!(fr.read().await.unwrap(), None, "the end stays the end");
    };
    soon(async { tokio::join!(sending, reading) }).await;
    assert!(matches!(w.write(b"late").await, Err(Error::StreamEnded)));
    assert!(matches!(w.finish(), Err(Error::StreamEnded)));
}

#[tokio::test]
async fn an_oversize_frame_is_never_sent() {
    let Pair {
        _ends,
        near: (mut w, _r),
        far: (_fw, mut fr),
    } = pair().await;
    let got = w.write(&vec![0; MAX_FRAME as usize + 1]).await;
    assert!(
        matches!(got, Err(Error::FrameTooLong { len, .. }) if len == u64::from(MAX_FRAME) + 1),
        "{got:?}"
    );
    // The stream is as good as before.
    w.write(b"next").await.unwrap();
    assert_eq!(soon(fr.read()).await.unwrap().unwrap(), b"next");
}

#[tokio::test]
async fn an_oversize_announcement_is_refused_and_stops_the_sender() {
    for announced in [MAX_FRAME + 1, u32::MAX] {
        let (_client, mut send, _recv, _hub, _link, mut reader) = raw_pair().await;
        send.write_all(&announced.to_le_bytes()).await.unwrap();
        for _ in 0..2 {
            let got = soon(reader.read()).await;
            assert!(
                matches!(got, Err(Error::FrameTooLong { len, limit: MAX_FRAME }) if len == u64::from(announced)),
                "{got:?}"
            );
        }
        assert_eq!(soon(send.stopped()).await.unwrap(), Some(1u32.into()));
    }
}

#[tokio::test]
async fn a_stranger_gets_a_smaller_limit() {
    let Pair {
        _ends,
        near: (mut w, _r),
        far: (_fw, mut fr),
    } = pair().await;
    fr.set_limit(100);
    w.write(&[0; 100]).await.unwrap();
    w.write(&[0; 101]).await.unwrap();
    assert_eq!(soon(fr.read()).await.unwrap().unwrap().len(), 100);
    let got = soon(fr.read()).await;
    assert!(
        matches!(got, Err(Error::FrameTooLong { len: 101, limit: 100 })),
        "{got:?}"
    );
}

#[tokio::test]
async fn a_stream_that_ends_inside_a_frame_is_an_error() {
    for (bytes, missing) in [
        (vec![5u8, 0], 2),
        (vec![5, 0, 0, 0], 5),
        (vec![5, 0, 0, 0, 1, 2], 3),
    ] {
        let (_client, mut send, _recv, _hub, _link, mut reader) = raw_pair().await;
        send.write_all(&bytes).await.unwrap();
        send.finish().unwrap();
        let got = soon(reader.read()).await;
        assert!(
            matches!(got, Err(Error::FrameCut { missing: m }) if m == missing),
            "{bytes:?}: {got:?}"
        );
    }
}

#[tokio::test]
async fn a_read_that_is_dropped_again_and_again_loses_nothing() {
    let (_client, mut send, _recv, _hub, _link, mut reader) = raw_pair().await;
    let frames: Vec<Vec<u8>> = (0u8..12).map(|n| vec![n; usize::from(n) * 3]).collect();
    let dribble = tokio::spawn({
        let frames = frames.clone();
        async move {
            for frame in &frames {
                for byte in (frame.len() as u32).to_le_bytes().iter().chain(frame) {
                    send.write_all(&[*byte]).await.unwrap();
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            }
            send.finish().unwrap();
            send.stopped().await.unwrap();
        }
    });
    let (mut got, mut dropped) = (Vec::new(), 0u32);
    soon(async {
        loop {
            tokio::select! {
                biased;
                frame = reader.read() => match frame.unwrap() {
                    Some(frame) => got.push(frame),
                    None => break,
                },
                () = tokio::time::sleep(Duration::from_millis(1)) => dropped += 1,
            }
        }
    })
    .await;
    assert_eq!(got, frames);
    assert!(
        dropped > 100,
        "only {dropped} reads were dropped: this proves nothing"
    );
    soon(dribble).await.unwrap();
}

#[tokio::test]
async fn a_write_that_is_dropped_half_way_breaks_the_stream_not_the_framing() {
    let Pair {
        _ends,
        near: (mut w, _r),
        far: (_fw, mut fr),
    } = pair().await;
    // Nobody reads, so the windows fill and a write stays half-way.
    let frame = vec![1u8; 400_000];
    let mut whole = 0;
    while tokio::time::timeout(Duration::from_millis(300), w.write(&frame))
        .await
        .is_ok()
    {
        whole += 1;
        assert!(whole < 20, "the windows have no end");
    }
    assert!(matches!(w.write(b"next").await, Err(Error::StreamEnded)));
    assert!(matches!(w.finish(), Err(Error::StreamEnded)));
    assert!(matches!(w.delivered().await, Err(Error::StreamEnded)));
    drop(w);
    // Whatever still arrives is a whole frame; then comes the reset, never a part or an orderly end.
    loop {
        match soon(fr.read()).await {
            Ok(Some(got)) => assert_eq!(got, frame),
            Err(Error::StreamReset { code: 2 }) => break,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_reader_that_goes_away_stops_the_writer() {
    let Pair {
        _ends,
        near: (mut w, _r),
        far: (fw, fr),
    } = pair().await;
    drop((fw, fr));
    let got = soon(async {
        loop {
            if let Err(e) = w.write(&[0; 1000]).await {
                return e;
            }
        }
    })
    .await;
    assert!(matches!(got, Error::StreamStopped { code: 0 }), "{got:?}");
}

#[tokio::test]
async fn a_slow_stream_does_not_hold_up_another() {
    let (a, b) = (endpoint(1), endpoint(2));
    let (near, far) = join(&a, &b).await;
    // Fills its half of the link's window and is not read.
    let (mut big, _r) = near.open().await.unwrap();
    let stuck = tokio::spawn(async move {
        for _ in 0..3 {
            big.write(&vec![0; MAX_FRAME as usize]).await.unwrap();
        }
    });
    let _unread = soon(far.accept()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let (mut small, _r2) = near.open().await.unwrap();
    small.set_priority(1);
    soon(small.write("听课记录".as_bytes())).await.unwrap();
    let (_w, mut reader) = soon(far.accept()).await.unwrap();
    assert_eq!(soon(reader.read()).await.unwrap().unwrap(), "听课记录".as_bytes());
    assert!(!stuck.is_finished());
    stuck.abort();
}
