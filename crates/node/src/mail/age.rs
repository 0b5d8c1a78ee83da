//! How old a letter on its way is, where no clock can be trusted.
//!
//! As in RFC 9171 (the Bundle Age block of nodes without accurate clocks), the age travels with the letter, and whoever
//! carries it adds the time that it had it. That time is counted on a clock of the store's own, which only goes
//! forward ([`clock`]): by how long the program has run, and by the machine's clock as far as it can be
//! believed. A letter says its age on a link (`sync::wire::errand::Along`) and on a stick (`stick.rs`); one
//! of an older program says nothing and counts from its arrival.

use std::sync::PoisonError;

use store::mail as rows;

use crate::{Error, Node};

/// How old a letter gets that is carried for others, in seconds: a term's holidays, with room.
pub const LIFE: i64 = 60 * 86_400;

/// What each handing over adds at least: so a letter ends also where no clock goes.
pub const HOP: i64 = 3_600;

/// What a computer that was switched off adds at least when its clock cannot be right or has gone back.
pub const NIGHT: i64 = 12 * 3_600;

/// What is believed of the machine's clock at a time beyond what the program knows by itself: half of [`LIFE`], so
/// that a clock that is set right after years ends no letter at once.
pub const GAP: i64 = LIFE / 2;

/// When this program counted last: its uptime in milliseconds, and what the clock said then.
pub(crate) type Counted = Option<(u64, i64)>;

/// Seconds that have passed, never fewer than 0: `by_clock` as the machine's clock says, `ran` as the program knows
/// that it has run since (`None`: it was started meanwhile), `plausible` if the machine's clock can be right.
pub fn elapsed(by_clock: i64, ran: Option<i64>, plausible: bool) -> i64 {
    let least = match ran {
        Some(ran) => ran.clamp(0, i64::MAX - GAP),
        None if plausible && by_clock >= 0 => 0,
        None => NIGHT,
    };
    by_clock.clamp(least, least + GAP)
}

/// The clock by which letters age, in seconds, as it stands now. Kept at most once a minute.
pub(crate) fn clock(node: &Node) -> Result<i64, Error> {
    const MINUTE: i64 = 60;
    let mut counted = node.0.mail_clock.lock().unwrap_or_else(PoisonError::into_inner);
    let (up, now) = (node.uptime(), node.now());
    let plausible = node.clock_is_plausible();
    // What another program has counted on the same directory meanwhile is not counted twice.
    let ran = |stood: i64| {
        counted.map(|(then, said)| {
            let ran = i64::try_from(up.saturating_sub(then) / 1000).unwrap_or(i64::MAX);
            ran.saturating_sub(stood.saturating_sub(said))
        })
    };
    let stands = |kept: Option<(i64, i64)>| match kept {
        Some((stood, at)) => {
            let by_clock = now.saturating_sub(at);
            stood.saturating_add(elapsed(by_clock, ran(stood), plausible))
        }
        None => 0,
    };
    let kept = node.store().read(rows::clock)?;
    let seconds = stands(kept);
    // The machine's clock goes as before, and not for long.
    let lately = |(stood, at): (i64, i64)| {
        (0..MINUTE).contains(&now.saturating_sub(at)) && seconds.saturating_sub(stood) < MINUTE
    };
    if counted.is_some() && kept.is_some_and(lately) {
        return Ok(seconds);
    }
    let seconds = node.store().write(|tx| {
        let seconds = stands(rows::clock(tx)?);
        rows::set_clock(tx, seconds, now)?;
        Ok::<_, store::Error>(seconds)
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

    #[test]
    fn a_clock_is_believed_within_bounds() {
        // Switched off over a weekend.
        assert_eq!(elapsed(3 * DAY, None, true), 3 * DAY);
        // Suspended while it ran: the machine's clock knows more than the program.
        assert_eq!(elapsed(2 * DAY, Some(60), true), 2 * DAY);
        // Set back while it ran, and while it was off.
        assert_eq!(elapsed(-20_000 * DAY, Some(3_600), true), 3_600);
        assert_eq!(elapsed(-20_000 * DAY, None, false), NIGHT);
        // A battery that is dead: each morning a few minutes later in 1970.
        assert_eq!(elapsed(300, None, false), NIGHT);
        // Set right after years.
        assert_eq!(elapsed(20_000 * DAY, Some(60), true), 60 + GAP);
        const { assert!(GAP < LIFE) };
    }

    proptest! {
        /// However two carriers swap a letter, and whatever their clocks do, it ends: after so many handings at most
        /// where none goes, and never before it is as old as it is where all are right.
        #[test]
        fn a_letter_between_two_carriers_ends(
            steps in proptest::collection::vec((any::<i64>(), proptest::option::of(any::<i64>()), any::<bool>()), 1..50)
        ) {
            let (mut age, mut handings) = (0_i64, 0_i64);
            while age < LIFE {
                for (by_clock, ran, plausible) in &steps {
                    let before = age;
                    age = on_arrival(age).saturating_add(elapsed(*by_clock, *ran, *plausible));
                    prop_assert!(age >= before.saturating_add(HOP));
                    handings += 1;
                }
            }
            prop_assert!(handings <= LIFE / HOP + steps.len() as i64);
        }

        /// Clocks that are right, however often one looks at them.
        #[test]
        fn looking_often_ages_nothing(looks in proptest::collection::vec(0_i64..DAY, 1..60)) {
            let (mut age, mut real) = (0, 0);
            for held in looks {
                real += held;
                age += elapsed(held, Some(held), true);
            }
            prop_assert_eq!(age, real);
        }

        /// What a clock does to one count of it is bounded on both sides, while the program runs.
        #[test]
        fn a_jump_is_bounded(jump in any::<i64>(), ran in 0..LIFE) {
            let counted = elapsed(jump, Some(ran), true);
            prop_assert!((ran..=ran + GAP).contains(&counted));
        }
    }
}
