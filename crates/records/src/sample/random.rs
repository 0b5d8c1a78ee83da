//! A small random generator whose numbers are the same on every machine and in every release.

/// SplitMix64 (Steele, Lea, Flood 2014). Not for secrets.
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    /// A stream for a seed and a purpose: streams of different labels do not disturb one another, so a
    /// later addition to the sample leaves what was there unchanged.
    pub(super) fn new(seed: u64, label: &[u64]) -> Random {
        let mut random = Random(seed);
        for part in label {
            random.0 = random.next() ^ part.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        }
        random
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`; 0 for a bound of 0. The bias is below 2⁻⁴⁰ for the bounds used here.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }

    /// A number from `least` to `greatest`, both included.
    pub(super) fn between(&mut self, least: i64, greatest: i64) -> i64 {
        least + self.below(usize::try_from(greatest - least + 1).unwrap_or(1)) as i64
    }

    /// True in so many of a thousand cases.
    pub(super) fn per_mille(&mut self, share: usize) -> bool {
        self.below(1000) < share
    }

    /// One of a list that is not empty.
    pub(super) fn pick<'a, T>(&mut self, list: &'a [T]) -> Option<&'a T> {
        list.get(self.below(list.len()))
    }

    /// One of a list by weights.
    pub(super) fn weighted<T: Copy>(&mut self, list: &[(T, usize)]) -> Option<T> {
        let mut left = self.below(list.iter().map(|(_, weight)| weight).sum());
        for (item, weight) in list {
            if left < *weight {
                return Some(*item);
            }
            left -= weight;
        }
        None
    }

    /// Fisher–Yates.
    pub(super) fn shuffle<T>(&mut self, list: &mut [T]) {
        for at in (1..list.len()).rev() {
            list.swap(at, self.below(at + 1));
        }
    }
}

/// Shares `total` out by weights so that the parts add up exactly and stay from `least` to `greatest`;
/// bounds that cannot hold for this total are widened.
pub(super) fn apportion(total: usize, weights: &[usize], least: usize, greatest: usize) -> Vec<usize> {
    if weights.is_empty() {
        return Vec::new();
    }
    let least = least.min(total / weights.len());
    let greatest = greatest.max(total.div_ceil(weights.len()));
    let all: usize = weights.iter().sum::<usize>().max(1);
    let mut parts: Vec<usize> = weights
        .iter()
        .map(|weight| (total * weight / all).clamp(least, greatest))
        .collect();
    let mut sum: usize = parts.iter().sum();
    let mut at = 0;
    while sum != total {
        if let Some(part) = parts.get_mut(at % weights.len()) {
            if sum < total && *part < greatest {
                *part += 1;
                sum += 1;
            } else if sum > total && *part > least {
                *part -= 1;
                sum -= 1;
            }
        }
        at += 1;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_stream_is_pinned() {
        // The published test vector of SplitMix64 for seed 1234567.
        let mut random = Random(1_234_567);
        assert_eq!(
            [random.next(), random.next()],
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]
        );
    }

    proptest! {
        #[test]
        fn parts_add_up(total in 0usize..3000, weights in prop::collection::vec(1usize..100, 1..60), least in 0usize..10, greatest in 10usize..100) {
            let parts = apportion(total, &weights, least, greatest);
            prop_assert_eq!(parts.iter().sum::<usize>(), total);
            if total >= least * weights.len() && total <= greatest * weights.len() {
                prop_assert!(parts.iter().all(|part| (least..=greatest).contains(part)));
            }
        }

        #[test]
        fn draws_stay_in_bounds(seed in any::<u64>(), bound in 1usize..1000) {
            let mut random = Random::new(seed, &[1]);
            prop_assert!(random.below(bound) < bound);
            prop_assert!((-3..=4).contains(&random.between(-3, 4)));
        }
    }
}
