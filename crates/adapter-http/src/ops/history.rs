//! How the queues have been lately: a few hours of figures in memory, lost with the process.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use oncharge_domain::time::Timestamp;
use oncharge_ports::work_queue::QueueDepth;

/// How many samples are kept: with one a minute, three hours.
const MAX_SAMPLES: u32 = 180;

/// The queues as they were sampled, oldest first. Whoever samples them calls [`QueueHistory::record`].
#[derive(Debug, Default)]
pub struct QueueHistory {
    samples: Mutex<VecDeque<Sample>>,
}

/// The queues at one moment.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    pub(super) at: Timestamp,
    /// `None` where the store did not say.
    pub(super) depths: Option<Vec<QueueDepth>>,
}

impl QueueHistory {
    /// How often the queues are to be sampled.
    pub const SAMPLE_INTERVAL: Duration = Duration::from_secs(60);
    /// How far back it reaches.
    pub(super) const SPAN: Duration = Self::SAMPLE_INTERVAL.saturating_mul(MAX_SAMPLES);

    /// Keeps what the store said, or that it said nothing; the oldest sample makes room.
    pub fn record(&self, at: Timestamp, depths: Option<Vec<QueueDepth>>) {
        let mut samples = self.samples();
        if samples.len() >= usize::try_from(MAX_SAMPLES).unwrap_or(usize::MAX) {
            samples.pop_front();
        }
        samples.push_back(Sample { at, depths });
    }

    /// What is kept, oldest first.
    pub(super) fn snapshot(&self) -> Vec<Sample> {
        self.samples().iter().cloned().collect()
    }

    /// Nothing is half done under the lock, so that a panic elsewhere leaves it whole.
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
        assert_eq!(last, start.plus_seconds(499 * 60), "the newest is there");
        let covered = Duration::try_from(last.since(first)).unwrap();
        let actual = (covered + QueueHistory::SAMPLE_INTERVAL, snapshot.len());
        assert_eq!(actual, (QueueHistory::SPAN, 180), "and the hours before");
    }
}
