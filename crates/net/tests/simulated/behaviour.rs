//! What the transport does on good and bad networks.

use net::{ClosedBy, Error};
use tokio::time::sleep;

use super::air::Path;
use super::*;

/// 3.3 KB over 300 ms and 64 kbit/s: three one-way trips without a ticket, one with it (measured.md).
#[tokio::test(start_paused = true)]
async fn a_ticket_saves_a_round_trip_on_a_slow_link() {
    let air = Air::new(1, Path::slow());
    let tuning = Tuning {
        // A probe for larger packets takes 0.18 s of such a link.
        path_mtu_discovery: false,
        ..Tuning::default()
    };
    let (hub, _) = host_tuned(&air, 1, 1, tuning.clone());
    let (school, _) = host_tuned(&air, 2, 1, tuning);
    let mut took = Vec::new();
    for early in [false, true] {
        let sending = async {
            let link = school.connect(address(1), Some(id(1))).await.unwrap();
            assert_eq!(link.early(), early);
            let (mut writer, mut reader) = link.open().await.unwrap();
            writer.write(&payload(3_300)).await.unwrap();
            assert_eq!(reader.read().await.unwrap().unwrap(), b"stored");
            assert!(link.settled().await.unwrap());
            link.close(0, "done");
        };
        let receiving = async {
            let link = hub.accept().await.unwrap();
            assert_eq!(link.peer(), id(2), "known from the ticket, or proven");
            let (mut writer, mut reader) = link.accept().await.unwrap();
            assert_eq!(reader.read().await.unwrap().unwrap(), payload(3_300));
            let at = Instant::now();
            writer.write(b"stored").await.unwrap();
            link.closed().await;
            at
        };
        let begin = Instant::now();
        let ((), there) = tokio::join!(sending, receiving);
        took.push(there.duration_since(begin).as_secs_f64());
    }
    assert!((1.70..1.90).contains(&took[0]), "first contact: {took:?} s");
    assert!((0.75..0.90).contains(&took[1]), "with a ticket: {took:?} s");
}

#[tokio::test(start_paused = true)]
async fn handshakes_get_through_bursts_of_losses() {
    let (mut dials, mut slowest) = (0, 0f64);
    for seed in 0..40 {
        let air = Air::new(seed, Path::bad());
        let (hub, school) = (host(&air, 1, seed), host(&air, 2, seed));
        serve(&hub);
        let (took, (link, dialled)) = seconds_of(reach(&school)).await;
        ask(&link, &payload(2_000)).await.unwrap();
        dials += dialled;
        slowest = slowest.max(took);
        assert_eq!(hub.counters().full_handshakes, 1, "seed {seed}");
    }
    // A dial that is given up after 30 s is followed by another.
    assert!(dials <= 42, "{dials} dials for 40 links");
    assert!(slowest < 40.0, "{slowest} s for a handshake");
}

#[tokio::test(start_paused = true)]
async fn reordered_and_doubled_packets_change_nothing() {
    let wild = Path {
        late: 3_000,
        twice: 3_000,
        rate: 2_000_000,
        ..Path::good()
    };
    for seed in 0..10 {
        let air = Air::new(seed, wild);
        let (hub, school) = (host(&air, 1, seed), host(&air, 2, seed));
        let link = school.connect(address(1), Some(id(1))).await.unwrap();
        let far = hub.accept().await.unwrap();
        let (mut writer, _reader) = link.open().await.unwrap();
        let sending = async {
            for n in 0..200 {
                writer.write(&payload(n * 7)).await.unwrap();
            }
            writer.delivered().await.unwrap();
        };
        let receiving = async {
            let (_writer, mut reader) = far.accept().await.unwrap();
            for n in 0..200 {
                assert_eq!(
                    reader.read().await.unwrap().unwrap(),
                    payload(n * 7),
                    "frame {n}, seed {seed}"
                );
            }
            assert_eq!(reader.read().await.unwrap(), None);
        };
        tokio::join!(sending, receiving);
    }
}

#[tokio::test(start_paused = true)]
async fn a_restarted_hub_reads_no_first_flight_and_the_link_goes_on() {
    let air = Air::new(3, Path::slow());
    let school = host(&air, 2, 3);
    let hub = host(&air, 1, 3);
    serve(&hub);
    let (link, _) = reach(&school).await;
    ask(&link, b"hello").await.unwrap();
    link.close(0, "done");
    hub.close();
    hub.wait_idle().await;
    drop(hub);

    let hub = host(&air, 1, 99);
    serve(&hub);
    let link = school.connect(address(1), Some(id(1))).await.unwrap();
    assert!(link.early(), "the school still has a ticket");
    let (mut writer, mut reader) = link.open().await.unwrap();
    writer.write(&payload(500)).await.unwrap();
    assert!(
        !link.settled().await.unwrap(),
        "the hub has lost its half of the ticket"
    );
    assert!(matches!(reader.read().await, Err(Error::EarlyDataRejected)));
    ask(&link, &payload(500)).await.unwrap();
    assert_eq!(hub.counters().full_handshakes, 1);
}

#[tokio::test(start_paused = true)]
async fn a_quiet_link_lives_for_hours_and_a_cut_one_is_given_up() {
    let air = Air::new(4, Path::slow());
    let hub = host(&air, 1, 4);
    serve(&hub);
    let tuning = Tuning::default();
    let (school, _) = host_tuned(&air, 2, 4, tuning.clone());
    let (link, _) = reach(&school).await;
    ask(&link, b"hello").await.unwrap();
    sleep(MINUTE).await;
    let before = air.sent_by(address(2));
    sleep(6 * 60 * MINUTE).await;
    let quiet = air.sent_by(address(2)) - before;
    ask(&link, b"after six hours").await.unwrap();
    let keep_alive = tuning.keep_alive.unwrap().as_secs() as usize;
    let beats = 6 * 3_600 / keep_alive;
    assert!(
        quiet > beats * 40 && quiet < 2 * beats * 100,
        "{quiet} bytes in six quiet hours"
    );

    air.cut(address(2), true);
    let (took, why) = seconds_of(link.closed()).await;
    assert_eq!(why.by, ClosedBy::Silence);
    let idle = tuning.idle_timeout.as_secs_f64();
    assert!(
        (idle - 30.0..idle + 30.0).contains(&took),
        "given up after {took} s"
    );
}

#[tokio::test(start_paused = true)]
async fn without_keep_alive_a_quiet_link_ends_by_itself() {
    let air = Air::new(5, Path::slow());
    let hub_tuning = Tuning {
        keep_alive: None,
        ..Tuning::default()
    };
    let (hub, _) = host_tuned(&air, 1, 5, hub_tuning.clone());
    serve(&hub);
    let (school, _) = host_tuned(&air, 2, 5, hub_tuning.clone());
    let (link, _) = reach(&school).await;
    ask(&link, b"hello").await.unwrap();
    let (took, why) = seconds_of(link.closed()).await;
    assert_eq!(why.by, ClosedBy::Silence);
    let idle = hub_tuning.idle_timeout.as_secs_f64();
    assert!((idle - 5.0..idle + 5.0).contains(&took), "ended after {took} s");
}

#[tokio::test(start_paused = true)]
async fn a_school_that_changes_its_network_keeps_its_link() {
    let air = Air::new(6, Path::slow());
    let hub = host(&air, 1, 6);
    let (school, socket) = host_tuned(&air, 2, 6, Tuning::default());
    let link = school.connect(address(1), Some(id(1))).await.unwrap();
    let far = hub.accept().await.unwrap();
    let (mut writer, _reader) = link.open().await.unwrap();
    let elsewhere: SocketAddr = ([10, 0, 77, 1], 9_999).into();
    let moving = async {
        sleep(Duration::from_secs(2)).await;
        socket.moves_to(elsewhere);
    };
    let sending = async {
        for _ in 0..10 {
            writer.write(&payload(4_000)).await.unwrap();
        }
        writer.delivered().await.unwrap();
    };
    let receiving = async {
        let (_writer, mut reader) = far.accept().await.unwrap();
        assert_eq!(far.remote(), address(2));
        let mut frames = 0;
        while let Some(frame) = reader.read().await.unwrap() {
            assert_eq!(frame, payload(4_000));
            frames += 1;
        }
        frames
    };
    let ((), (), frames) = tokio::join!(moving, sending, receiving);
    assert_eq!((frames, far.remote()), (10, elsewhere));
}

#[tokio::test(start_paused = true)]
async fn a_transfer_goes_on_after_a_cut_and_ends_with_a_lasting_one() {
    let air = Air::new(7, Path::slow());
    let hub = host(&air, 1, 7);
    let school = host(&air, 2, 7);
    let link = school.connect(address(1), Some(id(1))).await.unwrap();
    let far = hub.accept().await.unwrap();
    let (mut writer, _reader) = link.open().await.unwrap();
    let frame = payload(60_000);
    let cutting = async {
        sleep(Duration::from_secs(3)).await;
        air.cut(address(2), true);
        // Not as long as the idle timeout: QUIC tries again after 1, 2, 4 … 64 s, and what is joined again after
        // a minute may be given up before the next try.
        sleep(MINUTE / 2).await;
        air.cut(address(2), false);
    };
    let ((), (took, ()), (_writer, mut reader)) = tokio::join!(
        cutting,
        seconds_of(async {
            writer.write(&frame).await.unwrap();
        }),
        async { far.accept().await.unwrap() }
    );
    assert_eq!(
        reader.read().await.unwrap().unwrap(),
        frame,
        "written in {took} s"
    );

    // The second cut lasts: both ends say so, and nobody takes half a frame for a whole one.
    let (mut writer, _reader) = link.open().await.unwrap();
    writer.write(&frame).await.unwrap();
    let (_writer, mut reader) = far.accept().await.unwrap();
    sleep(Duration::from_secs(3)).await;
    air.cut(address(2), true);
    let got = reader.read().await;
    assert!(
        matches!(&got, Err(Error::LinkClosed(why)) if why.by == ClosedBy::Silence),
        "{got:?}"
    );
    assert!(writer.delivered().await.is_err());
}

#[tokio::test(start_paused = true)]
async fn sixty_schools_dial_at_once() {
    let air = Air::new(8, Path::bad());
    let hub = host(&air, 1, 8);
    serve(&hub);
    let begin = Instant::now();
    let mut schools = tokio::task::JoinSet::new();
    for n in 2..62 {
        let school = host(&air, n, 8);
        schools.spawn(async move {
            let (link, _) = reach(&school).await;
            ask(&link, &payload(3_000)).await.map(|()| Instant::now())
        });
    }
    let mut last = begin;
    while let Some(done) = schools.join_next().await {
        last = last.max(done.unwrap().unwrap());
    }
    let took = last.duration_since(begin);
    assert!(took < MINUTE, "the last of 60 schools after {took:?}");
    assert!(hub.counters().full_handshakes >= 60);
}

#[tokio::test(start_paused = true)]
async fn a_full_hub_asks_for_proof_of_the_address_and_serves_all() {
    let air = Air::new(9, Path::slow());
    let few = Tuning {
        max_half_open: 8,
        ..Tuning::default()
    };
    let (hub, _) = host_tuned(&air, 1, 9, few);
    serve(&hub);
    let mut schools = tokio::task::JoinSet::new();
    for n in 2..32 {
        let school = host(&air, n, 9);
        schools.spawn(async move {
            // Busy is an answer too: the school waits a while, each for itself.
            for wait in 1..20 {
                match school.connect(address(1), Some(id(1))).await {
                    Ok(link) => return ask(&link, b"hello").await.is_ok(),
                    Err(Error::Busy { .. }) => sleep(Duration::from_secs(wait * u64::from(n) % 17)).await,
                    Err(other) => panic!("{other}"),
                }
            }
            false
        });
    }
    assert!(schools.join_all().await.into_iter().all(|served| served));
}
