//! Letters that an earlier program has kept, whose age it did not know.
// Helpers outside #[test] functions unwrap as well: a failure is a failed test.
#![allow(clippy::unwrap_used)]

use store::Store;
use store::mail::{self, Clock, Row};
use sync::NodeId;

const BELIEVED: i64 = 1_793_491_200;
const DAY: i64 = 86_400;

fn letter(name: &str, got_at: i64) -> Row {
    Row {
        name: name.into(),
        to: NodeId([1; 32]),
        from: NodeId([2; 32]),
        bytes: 1,
        number: 1,
        part: 1,
        parts: 1,
        made: got_at,
        got_at,
        content: None,
        changes: 0,
        handed: false,
        born: 0,
        copies: 1,
    }
}

/// The ages of letters that came at these times, once the clock is kept at `now`.
fn ages(got_at: &[i64], now: i64) -> Vec<i64> {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("yanxiu.db")).unwrap();
    let clock = Clock {
        seconds: 5 * DAY,
        at: now,
        night: Some(DAY),
    };
    store
        .write(|tx| {
            for (n, at) in got_at.iter().enumerate() {
                mail::insert(tx, &letter(&n.to_string(), *at))?;
            }
            tx.execute("UPDATE mail SET born = NULL", ())?;
            mail::set_clock(tx, &clock, BELIEVED)
        })
        .unwrap();
    assert_eq!(store.read(mail::clock).unwrap(), Some(clock));
    let rows = store.read(|c| {
        (0..got_at.len())
            .map(|n| mail::get(c, &n.to_string()))
            .collect::<store::Result<Vec<_>>>()
    });
    let rows = rows.unwrap().into_iter();
    rows.map(|row| clock.seconds - row.unwrap().born).collect()
}

#[test]
fn a_letter_of_an_earlier_program_counts_from_when_it_came_by_a_clock_that_can_be_right() {
    let now = BELIEVED + 90 * DAY;
    let came = [now - 3 * DAY, now + DAY, 0, 946_684_800];
    assert_eq!(ages(&came, now), [3 * DAY, 0, 0, 0]);
    // Looked at by a clock that stands in 2000.
    assert_eq!(ages(&came, 946_684_900), [0; 4]);
}
