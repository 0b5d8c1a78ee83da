//! How old a letter on its way is, where no clock can be trusted.
//!
//! As in RFC 9171 (the Bundle Age block of nodes without accurate clocks), the age travels with the letter, and whoever
//! carries it adds the time that it had it. That time is counted on a clock of the store's own, which only goes
//! forward ([`clock`]): by how long the program has run, and by the machine's clock as far as it can be
//! believed: between two times that can both be right. A letter says its age on a link (`sync::wire::errand::Along`) and on a stick (`stick.rs`); one
//! of an older program says nothing and counts from its arrival.

use std::sync::PoisonError;

use store::mail::{self as rows, Clock};

use crate::{Error, Node, clocks};

/// How old a letter gets that is carried for others, in seconds: a term's holidays, with room.
pub const LIFE: i64 = 60 * 86_400;

/// What each handing over adds at least: so a letter ends also where no clock goes.
pub const HOP: i64 = 3_600;

/// What is added for a time that nothing has measured: the computer was switched off, or the letter lay on a stick, and
/// one of the two clocks cannot be right.
pub const NIGHT: i64 = 12 * 3_600;

/// So much must have been counted since the last [`NIGHT`] before a start adds another. The program then ran that long
/// (or a clock was right), so a PC with a dead battery that is started ten times in a school day ages its letters by
/// one night; whatever it does, by no more than three times what it ran, and one night. It counts too little where
/// it runs for less than half a school day: letters stay longer then, and none ends before its time.
pub const AWAKE: i64 = NIGHT / 2;

/// What is believed of machines' clocks at a time: half of [`LIFE`], so that a clock that stood wrong and looked right
/// ends no letter at once.
pub const GAP: i64 = LIFE / 2;

/// When this program counted last: its uptime in milliseconds, and what the clock said then.
pub(crate) type Counted = Option<(u64, i64)>;

/// Seconds from one time to another as far as machines' clocks are believed; `None` where they say nothing.
pub fn by_clocks(at: i64, now: i64) -> Option<i64> {
    clocks::between(at, now).map(|seconds| seconds.min(GAP))
}

/// The clock as it stands now: `ran` seconds later as the program knows (`None`: it was started meanwhile), and `now` by
/// the machine's clock.
fn next(kept: Option<Clock>, ran: Option<i64>, now: i64) -> Clock {
    let Some(kept) = kept else {
        return Clock {
            seconds: 0,
            at: now,
            night: None,
        };
    };
    let rested = |night| kept.seconds.saturating_sub(night) >= AWAKE;
    let night = ran.is_none() && by_clocks(kept.at, now).is_none() && kept.night.is_none_or(rested);
    let passed = match night {
        true => NIGHT,
        // Suspended while it ran, the machine's clock knows more than the program.
        false => by_clocks(kept.at, now).unwrap_or(0).max(ran.unwrap_or(0)),
    };
    let seconds = kept.seconds.saturating_add(passed);
    Clock {
        seconds,
        at: now,
        night: if night { Some(seconds) } else { kept.night },
    }
}

/// The clock by which letters age, in seconds, as it stands now. Kept at most once a minute.
pub(crate) fn clock(node: &Node) -> Result<i64, Error> {
    const MINUTE: i64 = 60;
    let mut counted = node.0.mail_clock.lock().unwrap_or_else(PoisonError::into_inner);
    let (up, now) = (node.uptime(), node.now());
    // What another program has counted on the same directory meanwhile is not counted twice.
    let ran = |kept: Clock| {
        counted.map(|(then, said)| {
            let ran = i64::try_from(up.saturating_sub(then) / 1000).unwrap_or(i64::MAX);
            ran.saturating_sub(kept.seconds.saturating_sub(said)).max(0)
        })
    };
    let stands = |kept: Option<Clock>| next(kept, kept.and_then(ran), now);
    let kept = node.store().read(rows::clock)?;
    let seconds = stands(kept).seconds;
    // The machine's clock goes as before, and not for long.
    let lately = |kept: Clock| {
        (0..MINUTE).contains(&now.saturating_sub(kept.at)) && seconds.saturating_sub(kept.seconds) < MINUTE
    };
    if counted.is_some() && kept.is_some_and(lately) {
        return Ok(seconds);
    }
    let seconds = node.store().write(|tx| {
        let clock = stands(rows::clock(tx)?);
        rows::set_clock(tx, &clock, clocks::FIRST)?;
        Ok::<_, store::Error>(clock.seconds)
    })?;
    *counted = Some((up, seconds));
    Ok(seconds)
}

/// The age of a letter that comes in: what was said of it, and what its handing over adds.
pub(super) fn on_arrival(said: i64) -> i64 {
    said.max(0).saturating_add(HOP)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DAY: i64 = 86_400;
    const HOUR: i64 = 3_600;
    /// 2027-03-01 08:00 in China, and what a clock without a battery begins with.
    const MORNING: i64 = 1_803_859_200;
    const Y2000: i64 = 946_684_800;

    fn begun(at: i64) -> Clock {
        next(None, None, at)
    }

    /// Runs so long, counted every half hour as a node does it; the machine's clock shows `at` when it begins.
    fn run(mut clock: Clock, at: i64, long: i64) -> Clock {
        let mut left = long;
        while left > 0 {
            let step = left.min(HOUR / 2);
            left -= step;
            clock = next(Some(clock), Some(step), at + long - left);
        }
        clock
    }

    #[test]
    fn clocks_are_believed_where_both_times_can_be_right() {
        assert_eq!(by_clocks(MORNING, MORNING + 3 * DAY), Some(3 * DAY));
        assert_eq!(by_clocks(MORNING, MORNING + 3_000 * DAY), Some(GAP));
        for (at, now) in [
            (MORNING, MORNING - 1),
            (MORNING, Y2000),
            (Y2000, MORNING),
            (0, 300),
            (i64::MIN, i64::MAX),
        ] {
            assert_eq!(by_clocks(at, now), None, "{at} {now}");
        }
        const { assert!(GAP < LIFE) };
    }

    #[test]
    fn the_clock_goes_on_by_what_is_known() {
        let passed = |ran, now| next(Some(begun(MORNING)), ran, now).seconds;
        // Switched off over a weekend; suspended while it ran; set back while it ran, and while it was off.
        assert_eq!(passed(None, MORNING + 3 * DAY), 3 * DAY);
        assert_eq!(passed(Some(60), MORNING + 2 * DAY), 2 * DAY);
        assert_eq!(passed(Some(HOUR), Y2000), HOUR);
        assert_eq!(passed(None, Y2000), NIGHT);
        assert_eq!(passed(None, MORNING - 300), NIGHT);
        // Set right after years, while it ran: what it ran.
        assert_eq!(next(Some(begun(Y2000)), Some(60), MORNING).seconds, 60);
    }

    /// A battery that is dead: 2000 each morning, set right ten minutes later or by lunch; or on some days before the
    /// program starts. The letters age by days, and neither by months nor not at all.
    #[test]
    fn a_clock_that_is_set_right_each_morning_ages_letters_by_days() {
        for long_wrong in [600, 4 * HOUR] {
            let mut clock = begun(MORNING - DAY);
            for day in 0..40 {
                let morning = MORNING + day * DAY;
                clock = match day % 7 {
                    6 => next(Some(clock), None, morning),
                    _ => run(next(Some(clock), None, Y2000 + 60), Y2000 + 60, long_wrong),
                };
                clock = run(clock, morning + long_wrong, 7 * HOUR);
            }
            let days = clock.seconds / DAY;
            assert!((30..=41).contains(&days), "{days} days of 40, {long_wrong}");
        }
    }

    /// Ten starts a day, forty minutes each, and nobody sets the clock.
    #[test]
    fn starting_often_without_a_clock_ages_no_letter_by_days() {
        let mut clock = begun(Y2000);
        for _ in 0..30 * 10 {
            clock = run(next(Some(clock), None, Y2000 + 60), Y2000 + 60, 40 * 60);
        }
        let days = clock.seconds / DAY;
        assert!((20..=30).contains(&days), "{days} days of 30");
    }

    proptest! {
        /// However often a PC without a clock is started: at most three times what it ran, and a night; never less than
        /// it ran.
        #[test]
        fn nights_are_bounded_by_what_was_run(runs in proptest::collection::vec(0..8 * HOUR, 0..60)) {
            let (mut clock, ran) = (begun(Y2000), runs.iter().sum::<i64>());
            for long in runs {
                clock = run(next(Some(clock), None, Y2000), Y2000, long);
            }
            prop_assert!((ran..=3 * ran + NIGHT).contains(&clock.seconds));
        }

        /// However two carriers swap a letter, and whatever their clocks do, it ends, after so many handings at most
        /// where none goes.
        #[test]
        fn a_letter_between_two_carriers_ends(
            steps in proptest::collection::vec((any::<i64>(), any::<i64>(), proptest::option::of(any::<i64>())), 1..50)
        ) {
            let (mut age, mut handings) = (0_i64, 0_i64);
            while age < LIFE {
                for (at, now, ran) in &steps {
                    let before = age;
                    let held = next(Some(begun(*at)), *ran, *now).seconds;
                    age = on_arrival(age).saturating_add(held);
                    prop_assert!(age >= before.saturating_add(HOP));
                    handings += 1;
                }
            }
            prop_assert!(handings <= LIFE / HOP + steps.len() as i64);
        }

        /// Clocks that are right, however often one looks at them.
        #[test]
        fn looking_often_ages_nothing(looks in proptest::collection::vec((0_i64..DAY, any::<bool>()), 1..60)) {
            let (mut clock, mut real) = (begun(MORNING), 0);
            for (held, started) in looks {
                real += held;
                clock = next(Some(clock), (!started).then_some(held), MORNING + real);
            }
            prop_assert_eq!(clock.seconds, real);
        }

        /// What a clock does to one count of it is bounded on both sides, while the program runs.
        #[test]
        fn a_jump_is_bounded(at in any::<i64>(), now in any::<i64>(), ran in 0..LIFE) {
            let counted = next(Some(begun(at)), Some(ran), now).seconds;
            prop_assert!((ran..=ran.max(GAP)).contains(&counted));
        }
    }
}
