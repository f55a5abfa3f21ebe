//! Token buckets by key, as in the generic cell rate algorithm: each key stores only the time at
//! which its bucket is full again.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{Rate, RetryAfter};

/// Maximum number of keys with their own bucket; further keys share one, so that an attack cannot
/// exhaust memory.
pub(super) const MAX_BUCKETS: usize = 50_000;
/// Minimum interval between removals of full buckets at [`MAX_BUCKETS`].
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// One bucket per key, all with the same rate.
pub(super) struct Buckets<K> {
    rate: Rate,
    shared: K,
    table: Mutex<Table<K>>,
}

struct Table<K> {
    full_at: HashMap<K, Instant>,
    swept_at: Option<Instant>,
}

impl<K: Copy + Eq + Hash> Buckets<K> {
    /// All buckets start full; `shared` is the key of the shared bucket.
    pub(super) fn new(rate: Rate, shared: K) -> Self {
        let table = Table {
            full_at: HashMap::new(),
            swept_at: None,
        };
        Self {
            rate,
            shared,
            table: Mutex::new(table),
        }
    }

    /// Takes one permit and returns how many are left.
    pub(super) fn take(&self, key: K, now: Instant) -> Result<u32, RetryAfter> {
        let mut table = self.table();
        let key = table.bucket_key(key, self.shared, now);
        let full_in = table.full_in(key, now);
        self.shortfall(full_in).map_or(Ok(()), Err)?;
        let full_in = full_in.saturating_add(self.rate.every);
        // An `Instant` that overflows is never reached.
        if let Some(full_at) = now.checked_add(full_in) {
            table.full_at.insert(key, full_at);
        }
        Ok(self.rate.permits(full_in))
    }

    /// The time until the next permit, if there is none now; takes none.
    pub(super) fn wait(&self, key: K, now: Instant) -> Option<RetryAfter> {
        let mut table = self.table();
        let key = table.bucket_key(key, self.shared, now);
        self.shortfall(table.full_in(key, now))
    }

    /// The wait for one permit in a bucket that is full again after this time.
    fn shortfall(&self, full_in: Duration) -> Option<RetryAfter> {
        let needed = full_in.saturating_add(self.rate.every);
        let shortfall = needed.checked_sub(self.rate.capacity())?;
        (!shortfall.is_zero()).then(|| RetryAfter(shortfall.as_secs().saturating_add(1)))
    }

    fn table(&self) -> MutexGuard<'_, Table<K>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Copy + Eq + Hash> Table<K> {
    /// The key of the bucket to use. A full bucket needs no entry, so a full table drops those
    /// entries first.
    fn bucket_key(&mut self, key: K, shared: K, now: Instant) -> K {
        if self.full_at.len() < MAX_BUCKETS || self.full_at.contains_key(&key) {
            return key;
        }
        let is_due = |swept_at: Instant| now.saturating_duration_since(swept_at) >= SWEEP_EVERY;
        if self.swept_at.is_none_or(is_due) {
            self.full_at.retain(|_, full_at| *full_at > now);
            self.swept_at = Some(now);
        }
        if self.full_at.len() < MAX_BUCKETS {
            key
        } else {
            shared
        }
    }

    fn full_in(&self, key: K, now: Instant) -> Duration {
        let full_at = self.full_at.get(&key).copied();
        full_at.map_or(Duration::ZERO, |at| at.saturating_duration_since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(number: u64) -> Duration {
        Duration::from_secs(number)
    }

    #[test]
    fn a_burst_is_refilled_permit_by_permit() {
        let buckets = Buckets::new(Rate::every(seconds(10), 3), 0);
        let start = Instant::now();
        for left in [2, 1, 0] {
            assert_eq!(buckets.take(1, start), Ok(left));
        }
        assert_eq!(buckets.take(1, start), Err(RetryAfter(11)));
        assert_eq!(buckets.wait(1, start), Some(RetryAfter(11)));
        assert_eq!(buckets.wait(2, start), None, "another key");
        let later = start + seconds(10);
        assert_eq!(buckets.wait(1, later), None, "a check takes no permit");
        assert_eq!(buckets.wait(1, later), None);
        assert_eq!(buckets.take(1, later), Ok(0));
        assert!(buckets.take(1, later).is_err());
        let much_later = start + seconds(1000);
        assert_eq!(buckets.take(1, much_later), Ok(2), "no more than the burst");
    }

    #[test]
    fn refused_requests_take_no_permit() {
        let buckets = Buckets::new(Rate::every(seconds(10), 1), 0);
        let start = Instant::now();
        assert_eq!(buckets.take(1, start), Ok(0));
        for _ in 0..100 {
            assert!(buckets.take(1, start).is_err());
        }
        assert_eq!(buckets.take(1, start + seconds(10)), Ok(0));
    }

    #[test]
    fn a_full_table_shares_one_bucket_and_is_swept() {
        let buckets = Buckets::new(Rate::every(seconds(10), 1), usize::MAX);
        let start = Instant::now();
        for key in 0..MAX_BUCKETS + 1000 {
            let _ = buckets.take(key, start);
        }
        assert!(buckets.table().full_at.len() <= MAX_BUCKETS + 1);
        assert!(
            buckets.take(MAX_BUCKETS + 1000, start).is_err(),
            "the overflow bucket is shared"
        );
        let later = start + seconds(20);
        assert_eq!(
            buckets.take(MAX_BUCKETS + 1000, later),
            Ok(0),
            "a separate bucket is free again"
        );
    }
}
