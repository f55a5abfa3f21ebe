//! The result of a load.

use std::time::Duration;

/// The latencies of all requests of a load, and its errors.
#[derive(Debug, Default)]
pub(crate) struct Sample {
    /// Microseconds, sorted.
    latencies: Vec<u32>,
    /// From the first request to the last response.
    elapsed: Duration,
    /// Number of wrong responses.
    pub(crate) errors: usize,
    /// The first error.
    pub(crate) first_error: Option<String>,
}

impl Sample {
    /// Creates a sample from latencies in microseconds, in any order.
    pub(crate) fn new(mut latencies: Vec<u32>, elapsed: Duration) -> Self {
        latencies.sort_unstable();
        Self {
            latencies,
            elapsed,
            errors: 0,
            first_error: None,
        }
    }

    /// Number of correct responses.
    pub(crate) fn count(&self) -> usize {
        self.latencies.len()
    }

    /// Correct responses per second.
    pub(crate) fn per_second(&self) -> f64 {
        as_float(self.count()) / self.elapsed.as_secs_f64()
    }

    /// The percentile of the latencies in milliseconds (nearest rank); `NaN` without any.
    pub(crate) fn percentile(&self, percent: usize) -> f64 {
        let rank = (self.count() * percent).div_ceil(100);
        let latency = self.latencies.get(rank.saturating_sub(1));
        latency.map_or(f64::NAN, |micros| f64::from(*micros) / 1000.0)
    }
}

/// Converts a count for divisions; exact below 2^32, far more than a load of seconds has.
pub(crate) fn as_float(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::NAN, f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_by_nearest_rank() {
        let sample = Sample::new(
            (1..=200).rev().map(|n| n * 1000).collect(),
            Duration::from_secs(2),
        );
        assert_eq!(
            (sample.percentile(50), sample.percentile(99)),
            (100.0, 198.0)
        );
        assert!((sample.per_second() - 100.0).abs() < f64::EPSILON);
        assert!(Sample::default().percentile(50).is_nan());
    }
}
