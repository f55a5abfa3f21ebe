//! Chance that can be repeated: every roll depends only on the seed, the purpose and a number.
//!
//! The n-th request meets the same fate under the same seed, however many other rolls there were.

/// What is rolled for; each purpose has its own sequence.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    /// How long a request waits.
    Latency,
    /// Whether a request fails before any work.
    Error,
    /// Whether the answer is lost after the work.
    Drop,
    /// How long a notification is held back.
    Reorder,
}

/// A seeded source of rolls.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dice {
    seed: u64,
}

impl Dice {
    /// Dice that roll the same for the same seed.
    pub(crate) const fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// 64 even bits: two rounds of `SplitMix64` (Steele, Lea, Flood 2014).
    fn roll(self, purpose: Purpose, number: u64) -> u64 {
        let lane: u64 = match purpose {
            Purpose::Latency => 1,
            Purpose::Error => 2,
            Purpose::Drop => 3,
            Purpose::Reorder => 4,
        };
        mix(mix(self.seed ^ lane.rotate_right(8)).wrapping_add(number))
    }

    /// True in `rate` (0 to 1) of the cases.
    pub(crate) fn hits(self, purpose: Purpose, number: u64, rate: f64) -> bool {
        let top = u32::try_from(self.roll(purpose, number) >> 32).unwrap_or(u32::MAX);
        f64::from(top) / (f64::from(u32::MAX) + 1.0) < rate
    }

    /// A whole number from `least` to `most`, both included.
    pub(crate) fn between(self, purpose: Purpose, number: u64, least: u64, most: u64) -> u64 {
        let span = most.saturating_sub(least).saturating_add(1);
        least.saturating_add(self.roll(purpose, number) % span)
    }
}

fn mix(state: u64) -> u64 {
    let mut bits = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::{Dice, Purpose};

    #[test]
    fn the_same_seed_rolls_the_same() {
        let rolls = |seed| -> Vec<bool> {
            (0..200)
                .map(|n| Dice::new(seed).hits(Purpose::Error, n, 0.5))
                .collect()
        };
        assert_eq!(rolls(7), rolls(7));
        assert_ne!(rolls(7), rolls(8));
    }

    #[test]
    fn rates_are_kept_and_the_ends_are_exact() {
        let dice = Dice::new(42);
        let hits = |rate| {
            (0..10_000)
                .filter(|n| dice.hits(Purpose::Drop, *n, rate))
                .count()
        };
        assert_eq!(hits(0.0), 0);
        assert_eq!(hits(1.0), 10_000);
        assert!((2_700..3_300).contains(&hits(0.3)), "{}", hits(0.3));
    }

    #[test]
    fn a_roll_between_stays_between() {
        let dice = Dice::new(1);
        let rolls: Vec<u64> = (0..500)
            .map(|n| dice.between(Purpose::Latency, n, 10, 12))
            .collect();
        assert!([10, 11, 12].iter().all(|wanted| rolls.contains(wanted)));
        assert!(rolls.iter().all(|roll| (10..=12).contains(roll)));
        assert_eq!(dice.between(Purpose::Latency, 1, 5, 5), 5);
    }
}
