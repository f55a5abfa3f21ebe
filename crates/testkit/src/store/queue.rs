//! The store in memory as `WorkQueue`.

use std::time::Duration;

use async_trait::async_trait;
use oncharge_domain::{
    id::{OperationId, SessionId},
    time::Timestamp,
};
use oncharge_ports::{
    StoreError, WorkQueue,
    unit_of_work::{Lease, LeasedItem},
    work_queue::{ClaimedOperation, ClaimedSession, QueueDepth},
};

use super::{
    MemoryStore,
    state::{Claim, State},
};

fn end_of(start: Timestamp, length: Duration) -> Timestamp {
    start.plus(time::Duration::try_from(length).expect("a lease of sane length"))
}

impl State {
    /// Gives the item to a new claim.
    fn claim(&mut self, item: LeasedItem, now: Timestamp, length: Duration) -> Lease {
        let token = self.new_token(now);
        let until = end_of(now, length);
        if let Some(place) = self.claim_mut(item) {
            *place = Some(Claim { token, until });
        }
        Lease { item, token }
    }
}

#[async_trait]
impl WorkQueue for MemoryStore {
    async fn claim_operations(
        &self,
        now: Timestamp,
        limit: u32,
        lease: Duration,
    ) -> Result<Vec<ClaimedOperation>, StoreError> {
        let mut state = self.state();
        let clock = self.clock.now();
        let mut due: Vec<(Timestamp, OperationId)> = state
            .operations
            .iter()
            .filter(|(_, row)| row.operation.is_open() && row.next_try_at <= now)
            .filter(|(_, row)| !row.claim.is_some_and(|claim| claim.holds(clock)))
            .map(|(id, row)| (row.next_try_at, *id))
            .collect();
        due.sort_unstable();
        due.truncate(limit as usize);
        let mut claimed = Vec::new();
        for (_, operation) in due {
            let lease = state.claim(LeasedItem::Operation(operation), clock, lease);
            if let Some(row) = state.operations.get_mut(&operation) {
                row.tries += 1;
                let tries = row.tries;
                claimed.push(ClaimedOperation {
                    operation,
                    lease,
                    tries,
                });
            }
        }
        Ok(claimed)
    }

    async fn claim_sessions(
        &self,
        now: Timestamp,
        limit: u32,
        lease: Duration,
    ) -> Result<Vec<ClaimedSession>, StoreError> {
        let mut state = self.state();
        let clock = self.clock.now();
        let mut due: Vec<(Timestamp, SessionId)> = state
            .sessions
            .iter()
            .filter(|(_, row)| !row.claim.is_some_and(|claim| claim.holds(clock)))
            .filter_map(|(id, row)| Some((row.session.due_at()?, *id)))
            .filter(|(due, _)| *due <= now)
            .collect();
        due.sort_unstable();
        due.truncate(limit as usize);
        let mut claim = |(_, session)| ClaimedSession {
            session,
            lease: state.claim(LeasedItem::Session(session), clock, lease),
        };
        Ok(due.into_iter().map(&mut claim).collect())
    }

    async fn renew(&self, lease: Lease, length: Duration) -> Result<bool, StoreError> {
        let now = self.clock.now();
        let mut state = self.state();
        let Some(claim) = state.held(lease, now) else {
            return Ok(false);
        };
        claim.until = end_of(now, length);
        Ok(true)
    }

    async fn release(&self, lease: Lease, next_try_at: Timestamp) -> Result<(), StoreError> {
        let now = self.clock.now();
        let mut state = self.state();
        if state.held(lease, now).is_none() {
            return Ok(());
        }
        if let Some(place) = state.claim_mut(lease.item) {
            *place = None;
        }
        if let LeasedItem::Operation(id) = lease.item
            && let Some(row) = state.operations.get_mut(&id)
        {
            row.next_try_at = next_try_at;
        }
        Ok(())
    }

    async fn wake_all(&self, now: Timestamp) -> Result<(), StoreError> {
        let clock = self.clock.now();
        for row in self.state().operations.values_mut() {
            let held = row.claim.is_some_and(|claim| claim.holds(clock));
            if row.operation.is_open() && !held {
                row.next_try_at = row.next_try_at.min(now);
            }
        }
        Ok(())
    }

    async fn depth(&self) -> Result<QueueDepth, StoreError> {
        let state = self.state();
        let open = || {
            let rows = state.operations.values().map(|row| &row.operation);
            rows.filter(|operation| operation.is_open())
        };
        Ok(QueueDepth {
            open_operations: open().count() as u64,
            oldest: open().map(|operation| operation.created_at).min(),
        })
    }
}
