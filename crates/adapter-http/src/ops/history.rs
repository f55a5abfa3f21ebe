//! How the queues have been lately: a few hours of figures in memory, lost with the process.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use oncharge_domain::time::Timestamp;
use oncharge_ports::work_queue::QueueDepth;

/// How many samples are kept: with one a minute, three hours.
const KEPT: u32 = 180;

/// The queues as they were sampled, oldest first. Whoever samples them calls [`History::record`].
#[derive(Debug, Default)]
pub struct History {
    samples: Mutex<VecDeque<Sample>>,
}

/// The queues at one moment.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    pub(super) at: Timestamp,
    /// `None` where the store did not say.
    pub(super) depths: Option<Vec<QueueDepth>>,
}

impl History {
    /// How often the queues are to be sampled.
    pub const EVERY: Duration = Duration::from_secs(60);
    /// How far back it reaches.
    pub(super) const SPAN: Duration = Self::EVERY.saturating_mul(KEPT);

    /// Keeps what the store said, or that it said nothing; the oldest sample makes room.
    pub fn record(&self, at: Timestamp, depths: Option<Vec<QueueDepth>>) {
        let mut samples = self.samples();
        if samples.len() >= usize::try_from(KEPT).unwrap_or(usize::MAX) {
            samples.pop_front();
        }
        samples.push_back(Sample { at, depths });
    }

    /// What is kept, oldest first.
    pub(super) fn kept(&self) -> Vec<Sample> {
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
    fn it_keeps_the_last_hours_and_no_more() {
        let (history, start) = (History::default(), Timestamp::from_unix_micros(0).unwrap());
        assert!(history.kept().is_empty());
        for minute in 0..500 {
            history.record(start.plus_seconds(minute * 60), None);
        }
        let kept = history.kept();
        let (first, last) = (kept[0].at, kept[kept.len() - 1].at);
        assert_eq!(last, start.plus_seconds(499 * 60), "the newest is there");
        let reach = Duration::try_from(last.since(first)).unwrap();
        let spans = (reach + History::EVERY, kept.len());
        assert_eq!(spans, (History::SPAN, 180), "and the hours before");
    }
}
