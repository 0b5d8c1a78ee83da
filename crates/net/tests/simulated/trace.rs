//! The same seed gives the same packets: sizes, times, and every byte.

use net::Error;
use tokio::time::sleep;

use super::air::{Path, Sent};
use super::*;

/// A day of a school: first contact, a ticket, a cut, a restart of the hub, a change of network.
async fn day(seed: u64) -> Vec<Sent> {
    let air = Air::new(seed, Path::bad());
    let mut hub = host(&air, 1, seed);
    serve(&hub);
    let (school, socket) = host_tuned(&air, 2, seed, Tuning::default());
    let neighbour = host(&air, 3, seed);
    for hour in 0..6u64 {
        let (link, _) = reach(&school).await;
        let (other, _) = reach(&neighbour).await;
        let (mine, theirs) = (payload(5_000 + hour as usize), payload(9_000));
        let (sending, beside) = (ask(&link, &mine), ask(&other, &theirs));
        let trouble = async {
            sleep(Duration::from_millis(700)).await;
            match hour {
                1 => {
                    air.cut(address(2), true);
                    sleep(20 * Duration::from_secs(1)).await;
                    air.cut(address(2), false);
                }
                4 => socket.moves_to(([10, 0, 77, 1], 9_999).into()),
                _ => {}
            }
        };
        let (sent, beside, ()) = tokio::join!(sending, beside, trouble);
        for got in [sent, beside] {
            assert!(matches!(got, Ok(()) | Err(Error::LinkClosed(_))), "{got:?}");
        }
        link.close(0, "done");
        if hour == 2 {
            hub.close();
            hub = host(&air, 1, seed + 1);
            serve(&hub);
        }
        sleep(10 * MINUTE).await;
    }
    air.trace()
}

fn run(seed: u64) -> Vec<Sent> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(day(seed))
}

#[test]
fn one_seed_gives_one_trace_byte_for_byte() {
    for seed in [1, 2, 3] {
        let (first, again) = (run(seed), run(seed));
        assert!(first.len() > 100, "{} packets", first.len());
        let differs = first.iter().zip(&again).position(|(a, b)| a != b);
        if let Some(at) = differs {
            panic!(
                "seed {seed}, packet {at} of {}:\n{:?}\n{:?}",
                first.len(),
                first[at],
                again[at]
            );
        }
        assert_eq!(first.len(), again.len());
        assert_ne!(first, run(seed + 10));
    }
}
