//! Queue depths of the last hours, in memory only.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use oncharge_domain::time::Timestamp;
use oncharge_ports::work_queue::QueueDepth;

/// Maximum number of samples: three hours at one per minute.
const MAX_SAMPLES: u32 = 180;

/// Samples of the queues, oldest first, added by [`QueueHistory::record`].
#[derive(Debug, Default)]
pub(crate) struct QueueHistory {
    samples: Mutex<VecDeque<Sample>>,
}

#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) at: Timestamp,
    /// `None` if the store did not respond.
    pub(crate) depths: Option<Vec<QueueDepth>>,
}

impl QueueHistory {
    /// Interval at which to sample the queues.
    pub(crate) const SAMPLE_INTERVAL: Duration = Duration::from_secs(60);
    /// The time that the history covers.
    pub(crate) const SPAN: Duration = Self::SAMPLE_INTERVAL.saturating_mul(MAX_SAMPLES);

    /// Records the store's response or its absence; drops the oldest sample if full.
    pub(crate) fn record(&self, at: Timestamp, depths: Option<Vec<QueueDepth>>) {
        let mut samples = self.samples();
        if samples.len() >= usize::try_from(MAX_SAMPLES).unwrap_or(usize::MAX) {
            samples.pop_front();
        }
        samples.push_back(Sample { at, depths });
    }

    /// All samples, oldest first.
    pub(crate) fn snapshot(&self) -> Vec<Sample> {
        self.samples().iter().cloned().collect()
    }

    /// No operation leaves the samples inconsistent under the lock, so that a poisoned lock is
    /// usable.
    fn samples(&self) -> MutexGuard<'_, VecDeque<Sample>> {
        self.samples.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_hours_are_kept() {
        let (history, start) = (
            QueueHistory::default(),
            Timestamp::from_unix_micros(0).unwrap(),
        );
        assert!(history.snapshot().is_empty());
        for minute in 0..500 {
            history.record(start.plus_seconds(minute * 60), None);
        }
        let snapshot = history.snapshot();
        let (first, last) = (snapshot[0].at, snapshot[snapshot.len() - 1].at);
        assert_eq!(last, start.plus_seconds(499 * 60), "the newest sample");
        let covered = Duration::try_from(last.since(first)).unwrap();
        let actual = (covered + QueueHistory::SAMPLE_INTERVAL, snapshot.len());
        assert_eq!(actual, (QueueHistory::SPAN, 180), "the whole span");
    }
}
