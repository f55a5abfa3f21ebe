//! Caches the payments last retrieved from OnCharge, so that a polling page need not retrieve them
//! every second: a webhook triggers a refresh.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use crate::integration::confirm::Payment;

/// How long an entry is fresh without a webhook, because webhooks may be late or missing.
const MAX_AGE: Duration = Duration::from_secs(5);
/// Maximum number of entries.
const MAX_ENTRIES: usize = 500;

/// The last retrieved payments, by order.
#[derive(Default)]
pub(crate) struct StatusCache {
    next_ticket: AtomicU64,
    cached: Mutex<BTreeMap<u64, CachedPayment>>,
}

/// A retrieval that has started. Later ones have higher tickets.
#[derive(Clone, Copy)]
pub(crate) struct Ticket(u64);

struct CachedPayment {
    ticket: u64,
    at: Instant,
    payment: Payment,
}

impl StatusCache {
    /// Must be called before the payment is retrieved from OnCharge.
    pub(crate) fn start_fetch(&self) -> Ticket {
        Ticket(self.next_ticket.fetch_add(1, Ordering::Relaxed))
    }

    /// Stores the payment, unless a retrieval that started later has already been stored.
    pub(crate) fn store(&self, number: u64, ticket: Ticket, payment: &Payment) {
        let mut cached = self.lock();
        if cached
            .get(&number)
            .is_some_and(|entry| entry.ticket > ticket.0)
        {
            return;
        }
        let entry = CachedPayment {
            ticket: ticket.0,
            at: Instant::now(),
            payment: payment.clone(),
        };
        cached.insert(number, entry);
        if cached.len() > MAX_ENTRIES {
            // Order numbers increase: this is the oldest.
            cached.pop_first();
        }
    }

    /// The payment, if it was retrieved recently.
    pub(crate) fn recent(&self, number: u64) -> Option<Payment> {
        let cached = self.lock();
        let entry = cached.get(&number)?;
        (entry.at.elapsed() < MAX_AGE).then(|| entry.payment.clone())
    }

    /// The last retrieved payment, however old, for when OnCharge is unreachable.
    pub(crate) fn last(&self, number: u64) -> Option<Payment> {
        let cached = self.lock();
        cached.get(&number).map(|entry| entry.payment.clone())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, CachedPayment>> {
        self.cached.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fixtures::session;

    fn payment(status: &str) -> Payment {
        Payment {
            session: session(status, &json!({})),
            refunds: Vec::new(),
        }
    }

    #[test]
    fn an_older_response_does_not_replace_a_newer_one() {
        let status_cache = StatusCache::default();
        assert!(status_cache.recent(7).is_none());
        let (slow, quick) = (status_cache.start_fetch(), status_cache.start_fetch());
        status_cache.store(7, quick, &payment("captured"));
        status_cache.store(7, slow, &payment("authorized"));
        let cached = status_cache.recent(7).unwrap().session.status;
        assert_eq!(cached.as_str(), "captured");
        status_cache.store(7, status_cache.start_fetch(), &payment("cancelled"));
        let cached = status_cache.recent(7).unwrap().session.status;
        assert_eq!(cached.as_str(), "cancelled");
    }
}
