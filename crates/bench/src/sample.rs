//! The result of a load.

use std::time::Duration;

use hdrhistogram::Histogram;

/// The resolution of latencies: an error of at most 0.1 %.
const SIGNIFICANT_DIGITS: u8 = 3;

/// The latencies of all requests of a load, and its errors.
#[derive(Debug)]
pub(crate) struct Sample {
    /// In microseconds.
    latencies: Histogram<u32>,
    /// From the first request to the last response.
    pub(crate) elapsed: Duration,
    /// Number of wrong responses.
    pub(crate) errors: u64,
    /// The first error.
    pub(crate) first_error: Option<String>,
}

impl Sample {
    /// Creates a sample without any response.
    pub(crate) fn empty() -> anyhow::Result<Self> {
        Ok(Self {
            latencies: Histogram::new(SIGNIFICANT_DIGITS)?,
            elapsed: Duration::ZERO,
            errors: 0,
            first_error: None,
        })
    }

    /// Adds a correct response.
    pub(crate) fn record(&mut self, latency: Duration) -> anyhow::Result<()> {
        let micros = u64::try_from(latency.as_micros())?;
        Ok(self.latencies.record(micros)?)
    }

    /// Adds a wrong response.
    pub(crate) fn record_error(&mut self, error: impl FnOnce() -> String) {
        self.errors += 1;
        self.first_error.get_or_insert_with(error);
    }

    /// Adds the responses of another connection.
    pub(crate) fn add(&mut self, other: Self) -> anyhow::Result<()> {
        self.latencies.add(other.latencies)?;
        self.errors += other.errors;
        self.first_error = self.first_error.take().or(other.first_error);
        Ok(())
    }

    /// Number of correct responses.
    pub(crate) fn count(&self) -> u64 {
        self.latencies.len()
    }

    /// Correct responses per second.
    pub(crate) fn per_second(&self) -> f64 {
        as_float(self.count()) / self.elapsed.as_secs_f64()
    }

    /// The percentile of the latencies in milliseconds; `NaN` without any.
    pub(crate) fn percentile(&self, percent: f64) -> f64 {
        if self.latencies.is_empty() {
            return f64::NAN;
        }
        as_float(self.latencies.value_at_percentile(percent)) / 1000.0
    }
}

/// Converts a count for divisions; exact below 2^32, far more than a load of seconds has.
pub(crate) fn as_float(count: impl TryInto<u32>) -> f64 {
    count.try_into().map_or(f64::NAN, f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_has_the_responses_of_all_connections() {
        let mut sample = Sample::empty().unwrap();
        assert!(sample.percentile(50.0).is_nan());
        for (first, error) in [(1, "one"), (101, "two")] {
            let mut connection = Sample::empty().unwrap();
            for number in first..first + 100 {
                connection
                    .record(Duration::from_micros(number * 10))
                    .unwrap();
            }
            connection.record_error(|| error.to_owned());
            sample.add(connection).unwrap();
        }
        sample.elapsed = Duration::from_secs(2);
        assert_eq!((sample.count(), sample.errors), (200, 2));
        assert_eq!(sample.first_error.as_deref(), Some("one"));
        assert_eq!(
            (
                sample.percentile(50.0),
                sample.percentile(99.0),
                sample.per_second()
            ),
            (1.0, 1.98, 100.0)
        );
    }
}
