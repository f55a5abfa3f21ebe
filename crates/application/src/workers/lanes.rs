//! Who may have how many deliveries under way, so that slow endpoints hold nobody else up.
//!
//! There is a fast lane and a slow one. An attempt begins in the fast lane and falls into the slow
//! one when it takes longer than a second; a merchant whose last attempt was that slow begins in the
//! slow lane, a few at a time, until its attempts are quick again. So hanging endpoints fill the slow
//! lane, which has room for many, and the fast lane stays free for everybody else.

use std::collections::HashMap;

use oncharge_domain::id::{EventId, MerchantId};
use tokio::time::{Duration, Instant};

/// How many attempts the fast lane holds.
const FAST: usize = 128;
/// How many the slow lane holds: hanging connections cost little but a socket each.
const SLOW: usize = 512;
/// How many a merchant whose endpoint has been quick may have under way.
const EACH: usize = 16;
/// How many of one merchant are taken at once; one whose endpoint is not known gets no more.
pub(super) const AT_ONCE: u32 = 4;
/// After so many quick attempts in a row an endpoint counts as quick.
const PROVEN: u32 = 4;
/// From when on an attempt is slow.
const SLOW_AFTER: Duration = Duration::from_secs(1);
/// How many merchants are remembered; beyond it all are forgotten and found out anew.
const REMEMBERED: usize = 100_000;

/// What is under way.
#[derive(Default)]
pub(super) struct Lanes {
    under_way: HashMap<EventId, Attempt>,
    /// How many quick attempts of a merchant there were since the last slow one.
    quick: HashMap<MerchantId, u32>,
}

struct Attempt {
    merchant: MerchantId,
    began: Instant,
    in_slow_lane: bool,
}

impl Lanes {
    /// An attempt begins.
    pub(super) fn begin(&mut self, event: EventId, merchant: MerchantId, now: Instant) {
        let attempt = Attempt {
            merchant,
            began: now,
            in_slow_lane: self.quick.get(&merchant) == Some(&0),
        };
        self.under_way.insert(event, attempt);
    }

    /// It has ended.
    pub(super) fn end(&mut self, event: EventId, now: Instant) {
        let Some(attempt) = self.under_way.remove(&event) else {
            return;
        };
        if self.quick.len() >= REMEMBERED {
            self.quick.clear();
        }
        let quick = self.quick.entry(attempt.merchant).or_default();
        *quick = if attempt.is_slow(now) {
            0
        } else {
            quick.saturating_add(1)
        };
    }

    /// How many more may begin now.
    pub(super) fn room(&self, now: Instant) -> usize {
        let slow = self.slow(now);
        let fast = self.under_way.len().saturating_sub(slow);
        // What the slow lane has no room for stays in the fast one.
        let overflow = slow.saturating_sub(SLOW);
        FAST.saturating_sub(fast.saturating_add(overflow))
    }

    /// The merchants that get no more for now.
    pub(super) fn busy(&self, now: Instant) -> Vec<MerchantId> {
        let mut under_way: HashMap<MerchantId, (usize, bool)> = HashMap::new();
        for attempt in self.under_way.values() {
            let (count, slow) = under_way.entry(attempt.merchant).or_default();
            *count = count.saturating_add(1);
            *slow |= attempt.is_slow(now) || attempt.in_slow_lane;
        }
        let is_known = |merchant: &MerchantId| {
            self.quick
                .get(merchant)
                .is_some_and(|quick| *quick >= PROVEN)
        };
        let mut busy: Vec<MerchantId> = under_way
            .into_iter()
            .filter(|(merchant, (count, slow))| *slow || *count >= EACH || !is_known(merchant))
            .map(|(merchant, _)| merchant)
            .collect();
        if self.slow(now) >= SLOW {
            let slow = self.quick.iter().filter(|(_, quick)| **quick == 0);
            busy.extend(slow.map(|(merchant, _)| *merchant));
        }
        busy
    }

    /// When the next attempt of the fast lane becomes slow, and so makes room.
    pub(super) fn next_slow(&self, now: Instant) -> Option<Instant> {
        let fast = self
            .under_way
            .values()
            .filter(|attempt| !attempt.in_slow_lane);
        let next = fast.filter_map(|attempt| attempt.began.checked_add(SLOW_AFTER));
        next.filter(|at| *at > now).min()
    }

    fn slow(&self, now: Instant) -> usize {
        let all = self.under_way.values();
        all.filter(|attempt| attempt.in_slow_lane || attempt.is_slow(now))
            .count()
    }
}

impl Attempt {
    fn is_slow(&self, now: Instant) -> bool {
        now.duration_since(self.began) >= SLOW_AFTER
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
    fn hanging_attempts_leave_the_fast_lane_after_a_second() {
        let (mut lanes, start) = (Lanes::default(), Instant::now());
        for number in 0..128 {
            lanes.begin(event(number), merchant(number), start);
        }
        assert_eq!(lanes.room(start), 0);
        assert_eq!(lanes.next_slow(start), Some(start + SLOW_AFTER));
        let later = start + SLOW_AFTER;
        assert_eq!(lanes.room(later), FAST);
        assert_eq!(
            lanes.busy(later).len(),
            128,
            "one at a time while they hang"
        );
    }

    #[test]
    fn a_slow_merchant_begins_in_the_slow_lane_until_it_is_quick_again() {
        let (mut lanes, start) = (Lanes::default(), Instant::now());
        lanes.begin(event(1), merchant(1), start);
        let later = start + Duration::from_secs(10);
        lanes.end(event(1), later);
        lanes.begin(event(2), merchant(1), later);
        assert_eq!(lanes.room(later), FAST, "it takes no room of the fast lane");
        assert_eq!(lanes.busy(later), [merchant(1)]);
        lanes.end(event(2), later);
        lanes.begin(event(3), merchant(1), later);
        assert_eq!(lanes.room(later), FAST - 1);
        assert_eq!(lanes.busy(later), [merchant(1)], "not proven yet");
    }

    #[test]
    fn a_quick_merchant_has_many_under_way_and_an_unknown_one_few() {
        let (mut lanes, start) = (Lanes::default(), Instant::now());
        lanes.begin(event(1), merchant(1), start);
        assert_eq!(lanes.busy(start), [merchant(1)], "not known yet");
        lanes.end(event(1), start);
        for number in 100..103 {
            lanes.begin(event(number), merchant(1), start);
            lanes.end(event(number), start);
        }
        for number in 2..17 {
            lanes.begin(event(number), merchant(1), start);
        }
        assert_eq!(lanes.busy(start), []);
        lanes.begin(event(17), merchant(1), start);
        assert_eq!(lanes.busy(start), [merchant(1)]);
    }

    #[test]
    fn a_full_slow_lane_keeps_slow_merchants_out_and_takes_room_from_the_fast_one() {
        let (mut lanes, start) = (Lanes::default(), Instant::now());
        lanes.begin(event(0), merchant(9999), start);
        let later = start + SLOW_AFTER;
        lanes.end(event(0), later);
        for number in 1..=SLOW as u128 + 8 {
            lanes.begin(event(number), merchant(number), start);
        }
        assert_eq!(lanes.room(later), FAST - 8);
        assert!(lanes.busy(later).contains(&merchant(9999)));
    }
}
