//! Concurrency limits for deliveries, so that slow endpoints do not delay others.
//!
//! There are fast slots and slow slots. An attempt starts in a fast slot and moves to a slow one
//! when it takes longer than a second. A merchant whose last attempt was that slow starts in slow
//! slots, a few at a time, until its attempts are quick again. Hanging endpoints thus occupy the
//! many slow slots, and the fast slots stay free for all others.

use std::collections::HashMap;

use oncharge_domain::id::{EventId, MerchantId};
use tokio::time::{Duration, Instant};

/// The number of fast slots.
const MAX_FAST: usize = 128;
/// The number of slow slots: a hanging connection costs little more than a socket.
const MAX_SLOW: usize = 512;
/// The concurrency limit of a merchant whose endpoint is quick.
const MAX_PER_MERCHANT: usize = 16;
/// The maximum number of deliveries of one merchant per claim, and in progress while its endpoint
/// is not known to be quick.
pub(super) const CLAIM_PER_MERCHANT: u32 = 4;
/// The number of consecutive quick attempts after which an endpoint counts as quick.
const QUICK_STREAK: u32 = 4;
/// The duration from which an attempt is slow.
const SLOW_THRESHOLD: Duration = Duration::from_secs(1);
/// The number of merchants that are tracked; beyond it all are forgotten and measured anew.
const MAX_TRACKED_MERCHANTS: usize = 100_000;

/// The attempts in progress and the recent speed of each merchant's endpoint.
#[derive(Default)]
pub(super) struct DeliveryLimiter {
    in_progress: HashMap<EventId, Attempt>,
    /// The number of a merchant's quick attempts since the last slow one.
    quick: HashMap<MerchantId, u32>,
}

struct Attempt {
    merchant: MerchantId,
    started_at: Instant,
    is_slow_endpoint: bool,
}

impl DeliveryLimiter {
    pub(super) fn begin(&mut self, event: EventId, merchant: MerchantId, now: Instant) {
        let attempt = Attempt {
            merchant,
            started_at: now,
            is_slow_endpoint: self.quick.get(&merchant) == Some(&0),
        };
        self.in_progress.insert(event, attempt);
    }

    pub(super) fn end(&mut self, event: EventId, now: Instant) {
        let Some(attempt) = self.in_progress.remove(&event) else {
            return;
        };
        if self.quick.len() >= MAX_TRACKED_MERCHANTS {
            self.quick.clear();
        }
        let quick = self.quick.entry(attempt.merchant).or_default();
        *quick = if attempt.is_slow(now) {
            0
        } else {
            quick.saturating_add(1)
        };
    }

    /// How many more attempts may start now.
    pub(super) fn free_slots(&self, now: Instant) -> usize {
        let slow = self.slow(now);
        let fast = self.in_progress.len().saturating_sub(slow);
        // Attempts beyond the slow slots keep their fast slot.
        let overflow = slow.saturating_sub(MAX_SLOW);
        MAX_FAST.saturating_sub(fast.saturating_add(overflow))
    }

    /// The merchants at their concurrency limit.
    pub(super) fn busy(&self, now: Instant) -> Vec<MerchantId> {
        let mut in_progress: HashMap<MerchantId, (usize, bool)> = HashMap::new();
        for attempt in self.in_progress.values() {
            let (count, slow) = in_progress.entry(attempt.merchant).or_default();
            *count = count.saturating_add(1);
            *slow |= attempt.is_slow(now) || attempt.is_slow_endpoint;
        }
        let is_known = |merchant: &MerchantId| {
            self.quick
                .get(merchant)
                .is_some_and(|quick| *quick >= QUICK_STREAK)
        };
        let mut busy: Vec<MerchantId> = in_progress
            .into_iter()
            .filter(|(merchant, (count, slow))| {
                *slow || *count >= MAX_PER_MERCHANT || !is_known(merchant)
            })
            .map(|(merchant, _)| merchant)
            .collect();
        if self.slow(now) >= MAX_SLOW {
            let slow = self.quick.iter().filter(|(_, quick)| **quick == 0);
            busy.extend(slow.map(|(merchant, _)| *merchant));
        }
        busy
    }

    /// When the next fast attempt becomes slow and so frees a fast slot.
    pub(super) fn next_slow(&self, now: Instant) -> Option<Instant> {
        let fast = self
            .in_progress
            .values()
            .filter(|attempt| !attempt.is_slow_endpoint);
        let next = fast.filter_map(|attempt| attempt.started_at.checked_add(SLOW_THRESHOLD));
        next.filter(|at| *at > now).min()
    }

    fn slow(&self, now: Instant) -> usize {
        let all = self.in_progress.values();
        all.filter(|attempt| attempt.is_slow_endpoint || attempt.is_slow(now))
            .count()
    }
}

impl Attempt {
    fn is_slow(&self, now: Instant) -> bool {
        now.duration_since(self.started_at) >= SLOW_THRESHOLD
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn event(number: u128) -> EventId {
        EventId::from_uuid(Uuid::from_u128(number))
    }

    fn merchant(number: u128) -> MerchantId {
        MerchantId::from_uuid(Uuid::from_u128(number))
    }

    #[test]
    fn hanging_attempts_free_fast_slots_after_a_second() {
        let (mut limiter, start) = (DeliveryLimiter::default(), Instant::now());
        for number in 0..128 {
            limiter.begin(event(number), merchant(number), start);
        }
        assert_eq!(limiter.free_slots(start), 0);
        assert_eq!(limiter.next_slow(start), Some(start + SLOW_THRESHOLD));
        let later = start + SLOW_THRESHOLD;
        assert_eq!(limiter.free_slots(later), MAX_FAST);
        assert_eq!(
            limiter.busy(later).len(),
            128,
            "one at a time while they hang"
        );
    }

    #[test]
    fn a_slow_endpoint_uses_slow_slots_until_it_is_quick_again() {
        let (mut limiter, start) = (DeliveryLimiter::default(), Instant::now());
        limiter.begin(event(1), merchant(1), start);
        let later = start + Duration::from_secs(10);
        limiter.end(event(1), later);
        limiter.begin(event(2), merchant(1), later);
        assert_eq!(
            limiter.free_slots(later),
            MAX_FAST,
            "it uses no capacity of quick endpoints"
        );
        assert_eq!(limiter.busy(later), [merchant(1)]);
        limiter.end(event(2), later);
        limiter.begin(event(3), merchant(1), later);
        assert_eq!(limiter.free_slots(later), MAX_FAST - 1);
        assert_eq!(
            limiter.busy(later),
            [merchant(1)],
            "before enough quick attempts"
        );
    }

    #[test]
    fn a_quick_endpoint_gets_more_concurrency_than_an_unknown_one() {
        let (mut limiter, start) = (DeliveryLimiter::default(), Instant::now());
        limiter.begin(event(1), merchant(1), start);
        assert_eq!(
            limiter.busy(start),
            [merchant(1)],
            "before the first attempt has ended"
        );
        limiter.end(event(1), start);
        for number in 100..103 {
            limiter.begin(event(number), merchant(1), start);
            limiter.end(event(number), start);
        }
        for number in 2..17 {
            limiter.begin(event(number), merchant(1), start);
        }
        assert_eq!(limiter.busy(start), []);
        limiter.begin(event(17), merchant(1), start);
        assert_eq!(limiter.busy(start), [merchant(1)]);
    }

    #[test]
    fn slow_attempts_beyond_the_limit_use_fast_slots() {
        let (mut limiter, start) = (DeliveryLimiter::default(), Instant::now());
        limiter.begin(event(0), merchant(9999), start);
        let later = start + SLOW_THRESHOLD;
        limiter.end(event(0), later);
        for number in 1..=MAX_SLOW as u128 + 8 {
            limiter.begin(event(number), merchant(number), start);
        }
        assert_eq!(limiter.free_slots(later), MAX_FAST - 8);
        assert!(limiter.busy(later).contains(&merchant(9999)));
    }
}
