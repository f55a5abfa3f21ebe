//! Reproducible randomness: each draw depends only on the seed, the purpose and a number.
//!
//! The n-th request gets the same faults under the same seed, regardless of other draws.

/// The purpose of a draw; each has its own sequence.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    /// The latency of a request.
    Latency,
    /// Whether a request fails before any work.
    Error,
    /// Whether the response is dropped after the work.
    Drop,
    /// The delay of a notification.
    Reorder,
}

/// A seeded random number generator.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FaultRng {
    seed: u64,
}

impl FaultRng {
    /// Creates a generator with this seed.
    pub(crate) const fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// 64 uniform bits: two rounds of `SplitMix64` (Steele, Lea, Flood 2014).
    fn draw(self, purpose: Purpose, number: u64) -> u64 {
        let stream: u64 = match purpose {
            Purpose::Latency => 1,
            Purpose::Error => 2,
            Purpose::Drop => 3,
            Purpose::Reorder => 4,
        };
        mix(mix(self.seed ^ stream.rotate_right(8)).wrapping_add(number))
    }

    /// Returns true with the probability `rate` (0 to 1).
    pub(crate) fn occurs(self, purpose: Purpose, number: u64, rate: f64) -> bool {
        let top = u32::try_from(self.draw(purpose, number) >> 32).unwrap_or(u32::MAX);
        f64::from(top) / (f64::from(u32::MAX) + 1.0) < rate
    }

    /// A uniform integer from `min` to `max`, inclusive.
    pub(crate) fn in_range(self, purpose: Purpose, number: u64, min: u64, max: u64) -> u64 {
        let span = max.saturating_sub(min).saturating_add(1);
        min.saturating_add(self.draw(purpose, number) % span)
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
    use super::{FaultRng, Purpose};

    #[test]
    fn draws_are_deterministic_by_seed() {
        let draws = |seed| -> Vec<bool> {
            (0..200)
                .map(|n| FaultRng::new(seed).occurs(Purpose::Error, n, 0.5))
                .collect()
        };
        assert_eq!(draws(7), draws(7));
        assert_ne!(draws(7), draws(8));
    }

    #[test]
    fn rates_are_approximated_and_bounds_are_exact() {
        let rng = FaultRng::new(42);
        let occurs = |rate| {
            (0..10_000)
                .filter(|n| rng.occurs(Purpose::Drop, *n, rate))
                .count()
        };
        assert_eq!(occurs(0.0), 0);
        assert_eq!(occurs(1.0), 10_000);
        assert!((2_700..3_300).contains(&occurs(0.3)), "{}", occurs(0.3));
    }

    #[test]
    fn draws_stay_in_range() {
        let rng = FaultRng::new(1);
        let draws: Vec<u64> = (0..500)
            .map(|n| rng.in_range(Purpose::Latency, n, 10, 12))
            .collect();
        assert!([10, 11, 12].iter().all(|wanted| draws.contains(wanted)));
        assert!(draws.iter().all(|draw| (10..=12).contains(draw)));
        assert_eq!(rng.in_range(Purpose::Latency, 1, 5, 5), 5);
    }
}
