//! `WorkQueue` of the in-memory store.

use std::time::Duration;

use async_trait::async_trait;
use oncharge_domain::{
    audit::AuditEntry,
    id::{NotificationId, OperationId, SessionId},
    operation::Contradiction,
    psp::PspAccount,
    time::Timestamp,
};
use oncharge_ports::{
    StoreError, WorkQueue,
    unit_of_work::{Lease, LeasedItem},
    work_queue::{
        AccountName, ClaimFilter, ClaimedDelivery, ClaimedNotification, ClaimedOperation,
        ClaimedSession, DeliveryClaimFilter, QueueDepth, StuckItem,
    },
};

use super::{
    MemoryStore,
    state::{Claim, State, is_held},
};

fn end_of(start: Timestamp, length: Duration) -> Timestamp {
    start.plus(time::Duration::try_from(length).expect("a lease of sane length"))
}

fn is_wanted(account: &PspAccount, filter: &ClaimFilter) -> bool {
    !filter.busy.contains(&AccountName::of(account))
}

impl State {
    /// Leases the item to a new claim.
    fn claim(&mut self, item: LeasedItem, now: Timestamp, length: Duration) -> Lease {
        let token = self.new_token(now);
        let until = end_of(now, length);
        if let Some(place) = self.claim_slot(item) {
            *place = Some(Claim { token, until });
        }
        Lease { item, token }
    }

    fn postpone(&mut self, item: LeasedItem, until: Timestamp) {
        match item {
            LeasedItem::Session(_) => {}
            LeasedItem::Operation(id) => {
                if let Some(row) = self.operations.get_mut(&id) {
                    row.next_try_at = until;
                }
            }
            LeasedItem::Notification(id) => {
                if let Some(row) = self.notifications.get_mut(&id) {
                    row.next_try_at = until;
                }
            }
            LeasedItem::Delivery(id) => {
                // A delivery that has ended is not due again.
                if let Some(row) = self.deliveries.get_mut(&id)
                    && let Some(at) = &mut row.next_try_at
                {
                    *at = until;
                }
            }
        }
    }
}

#[async_trait]
impl WorkQueue for MemoryStore {
    async fn now(&self) -> Result<Timestamp, StoreError> {
        Ok(self.clock.now())
    }

    async fn claim_operations(
        &self,
        filter: &ClaimFilter,
        lease: Duration,
    ) -> Result<Vec<ClaimedOperation>, StoreError> {
        let mut state = self.state();
        let now = self.clock.now();
        let mut due: Vec<(Timestamp, OperationId)> = state
            .operations
            .iter()
            .filter(|(_, row)| row.operation.is_open() && row.next_try_at <= now)
            .filter(|(_, row)| is_wanted(&row.operation.account, filter))
            .filter(|(_, row)| !is_held(row.claim, now))
            .map(|(id, row)| (row.next_try_at, *id))
            .collect();
        due.sort_unstable();
        due.truncate(filter.limit as usize);
        let mut claimed = Vec::new();
        for (_, operation) in due {
            let lease = state.claim(LeasedItem::Operation(operation), now, lease);
            if let Some(row) = state.operations.get_mut(&operation) {
                row.tries += 1;
                let tries = row.tries;
                claimed.push(ClaimedOperation {
                    operation,
                    account: AccountName::of(&row.operation.account),
                    lease,
                    tries,
                });
            }
        }
        Ok(claimed)
    }

    async fn claim_sessions(
        &self,
        filter: &ClaimFilter,
        lease: Duration,
    ) -> Result<Vec<ClaimedSession>, StoreError> {
        let mut state = self.state();
        let now = self.clock.now();
        let mut due: Vec<(Timestamp, SessionId)> = state
            .sessions
            .iter()
            .filter(|(_, row)| !is_held(row.claim, now))
            .filter(|(_, row)| is_wanted(&row.session.account, filter))
            .filter_map(|(id, row)| Some((row.session.due_at()?, *id)))
            .filter(|(due, _)| *due <= now)
            .collect();
        due.sort_unstable();
        due.truncate(filter.limit as usize);
        let mut claimed = Vec::new();
        for (due_at, session) in due {
            let lease = state.claim(LeasedItem::Session(session), now, lease);
            if let Some(row) = state.sessions.get(&session) {
                claimed.push(ClaimedSession {
                    session,
                    due_at,
                    account: AccountName::of(&row.session.account),
                    lease,
                });
            }
        }
        Ok(claimed)
    }

    async fn claim_notifications(
        &self,
        filter: &ClaimFilter,
        lease: Duration,
    ) -> Result<Vec<ClaimedNotification>, StoreError> {
        let mut state = self.state();
        let now = self.clock.now();
        let mut due: Vec<(Timestamp, NotificationId)> = state
            .notifications
            .iter()
            .filter(|(_, row)| row.is_waiting() && row.next_try_at <= now)
            .filter(|(_, row)| is_wanted(&row.stored.new.account, filter))
            .filter(|(_, row)| !is_held(row.claim, now))
            .map(|(id, row)| (row.next_try_at, *id))
            .collect();
        due.sort_unstable();
        due.truncate(filter.limit as usize);
        let mut claimed = Vec::new();
        for (_, notification) in due {
            let lease = state.claim(LeasedItem::Notification(notification), now, lease);
            if let Some(row) = state.notifications.get_mut(&notification) {
                row.tries += 1;
                let tries = row.tries;
                claimed.push(ClaimedNotification {
                    notification,
                    account: AccountName::of(&row.stored.new.account),
                    lease,
                    tries,
                });
            }
        }
        Ok(claimed)
    }

    async fn claim_deliveries(
        &self,
        filter: &DeliveryClaimFilter,
        lease: Duration,
    ) -> Result<Vec<ClaimedDelivery>, StoreError> {
        let mut state = self.state();
        let now = self.clock.now();
        let due = state.due_deliveries(now, filter);
        let mut claim = |(event, merchant)| ClaimedDelivery {
            event,
            merchant,
            lease: state.claim(LeasedItem::Delivery(event), now, lease),
        };
        Ok(due.into_iter().map(&mut claim).collect())
    }

    async fn renew(&self, lease: Lease, length: Duration) -> Result<bool, StoreError> {
        let now = self.clock.now();
        let mut state = self.state();
        let Some(claim) = state.live_claim(lease, now) else {
            return Ok(false);
        };
        claim.until = end_of(now, length);
        Ok(true)
    }

    async fn release(&self, lease: Lease, next_try_at: Timestamp) -> Result<(), StoreError> {
        let now = self.clock.now();
        let mut state = self.state();
        if state.live_claim(lease, now).is_none() {
            return Ok(());
        }
        if let Some(place) = state.claim_slot(lease.item) {
            *place = None;
        }
        state.postpone(lease.item, next_try_at);
        Ok(())
    }

    async fn make_all_due(&self, now: Timestamp) -> Result<(), StoreError> {
        let clock = self.clock.now();
        for row in self.state().operations.values_mut() {
            let held = is_held(row.claim, clock);
            if row.operation.is_open() && !held {
                row.next_try_at = row.next_try_at.min(now);
            }
        }
        Ok(())
    }

    async fn depths(&self, now: Timestamp) -> Result<Vec<QueueDepth>, StoreError> {
        Ok(self.state().depths(now))
    }

    async fn dismiss_contradiction(
        &self,
        operation: OperationId,
        audit: &AuditEntry,
    ) -> Result<bool, StoreError> {
        let mut state = self.state();
        let found = state.operations.get_mut(&operation);
        let listed = Some(Contradiction::Listed);
        let Some(row) = found.filter(|row| row.operation.contradiction == listed) else {
            return Ok(false);
        };
        row.operation.contradiction = Some(Contradiction::Dismissed);
        state.audit.push(audit.clone());
        Ok(true)
    }

    async fn stuck(&self, now: Timestamp, limit: u32) -> Result<Vec<StuckItem>, StoreError> {
        let mut found = self.state().stuck(now);
        found.sort_by_key(|item| item.since);
        found.truncate(limit as usize);
        Ok(found)
    }
}
