//! What the shop saw when it last asked OnCharge, so that a page that is watched need not ask every
//! second: a webhook says when there is something new to see.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use super::integration::confirm::Payment;

/// How long a look is good for where no webhook says otherwise: they may be late, or not come.
const GOOD_FOR: Duration = Duration::from_secs(5);
/// How many are kept in memory.
const KEPT: usize = 500;

/// The last looks, by order.
#[derive(Default)]
pub(super) struct Looks {
    begun: AtomicU64,
    seen: Mutex<BTreeMap<u64, Seen>>,
}

/// A look that was begun. A later one has a higher ticket.
#[derive(Clone, Copy)]
pub(super) struct Ticket(u64);

struct Seen {
    ticket: u64,
    at: Instant,
    payment: Payment,
}

impl Looks {
    /// To be called before OnCharge is asked.
    pub(super) fn begin(&self) -> Ticket {
        Ticket(self.begun.fetch_add(1, Ordering::Relaxed))
    }

    /// Keeps what was seen, unless a look that began later has been quicker.
    pub(super) fn end(&self, number: u64, ticket: Ticket, payment: &Payment) {
        let mut seen = self.lock();
        if seen
            .get(&number)
            .is_some_and(|known| known.ticket > ticket.0)
        {
            return;
        }
        let look = Seen {
            ticket: ticket.0,
            at: Instant::now(),
            payment: payment.clone(),
        };
        seen.insert(number, look);
        if seen.len() > KEPT {
            // Orders count upwards: this is the oldest.
            seen.pop_first();
        }
    }

    /// What was seen a short while ago.
    pub(super) fn recent(&self, number: u64) -> Option<Payment> {
        let seen = self.lock();
        let known = seen.get(&number)?;
        (known.at.elapsed() < GOOD_FOR).then(|| known.payment.clone())
    }

    /// What was seen last, however long ago: for as long as OnCharge cannot be asked.
    pub(super) fn last(&self, number: u64) -> Option<Payment> {
        let seen = self.lock();
        seen.get(&number).map(|known| known.payment.clone())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::shop::examples::session;

    fn payment(status: &str) -> Payment {
        Payment {
            session: session(status, &json!({})),
            refunds: Vec::new(),
        }
    }

    #[test]
    fn a_slow_look_does_not_hide_what_a_later_one_saw() {
        let looks = Looks::default();
        assert!(looks.recent(7).is_none());
        let (slow, quick) = (looks.begin(), looks.begin());
        looks.end(7, quick, &payment("captured"));
        looks.end(7, slow, &payment("authorized"));
        let seen = looks.recent(7).unwrap().session.status;
        assert_eq!(seen.as_str(), "captured");
        looks.end(7, looks.begin(), &payment("cancelled"));
        let seen = looks.recent(7).unwrap().session.status;
        assert_eq!(seen.as_str(), "cancelled");
    }
}
