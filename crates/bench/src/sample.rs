//! What a load has measured.

use std::time::Duration;

/// The latencies of all requests of a load, and what went wrong.
#[derive(Debug, Default)]
pub(crate) struct Sample {
    /// Microseconds, sorted.
    latencies: Vec<u32>,
    /// From the first request to the last answer.
    elapsed: Duration,
    /// How many were not answered as they should be.
    pub(crate) errors: usize,
    /// What the first of these was.
    pub(crate) first_error: Option<String>,
}

impl Sample {
    /// Of these latencies in microseconds, in any order.
    pub(crate) fn new(mut latencies: Vec<u32>, elapsed: Duration) -> Self {
        latencies.sort_unstable();
        Self {
            latencies,
            elapsed,
            errors: 0,
            first_error: None,
        }
    }

    /// How many requests were answered rightly.
    pub(crate) fn count(&self) -> usize {
        self.latencies.len()
    }

    /// Rightly answered requests per second.
    pub(crate) fn per_second(&self) -> f64 {
        as_float(self.count()) / self.elapsed.as_secs_f64()
    }

    /// The latency in milliseconds that so many percent of the requests do not exceed (by nearest
    /// rank); `NaN` where there were none.
    pub(crate) fn percentile(&self, percent: usize) -> f64 {
        let rank = (self.count() * percent).div_ceil(100);
        let latency = self.latencies.get(rank.saturating_sub(1));
        latency.map_or(f64::NAN, |micros| f64::from(*micros) / 1000.0)
    }
}

/// A count, for dividing; exact below 2^32, far more than a load of seconds has.
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
