//! Mutants of the work queue.

use std::time::Duration;

use async_trait::async_trait;
use oncharge_domain::{
    audit::AuditEntry,
    id::{EventId, OperationId},
    time::Timestamp,
    webhook::{Delivery, DeliveryState},
};
use oncharge_ports::{
    StoreError, WorkQueue,
    unit_of_work::Lease,
    work_queue::{
        ClaimFilter, ClaimedDelivery, ClaimedNotification, ClaimedOperation, ClaimedSession,
        DeliveryClaimFilter, QueueDepth, StuckItem,
    },
};
use oncharge_testkit::build::ENDPOINT;

use super::{MutantStore, Mutation};

#[async_trait]
impl WorkQueue for MutantStore {
    async fn now(&self) -> Result<Timestamp, StoreError> {
        self.store.now().await
    }

    async fn claim_operations(
        &self,
        filter: &ClaimFilter,
        mut lease: Duration,
    ) -> Result<Vec<ClaimedOperation>, StoreError> {
        if self.has(Mutation::ClaimsTwice) {
            lease = Duration::ZERO;
        }
        if self.has(Mutation::ClaimsEarly) {
            self.clock.advance(5);
        }
        // At most a few, so that workers which claim twice terminate.
        let claimed = self.store.claim_operations(filter, lease).await?;
        Ok(claimed
            .into_iter()
            .filter(|claim| claim.tries < 5)
            .collect())
    }

    async fn claim_sessions(
        &self,
        filter: &ClaimFilter,
        lease: Duration,
    ) -> Result<Vec<ClaimedSession>, StoreError> {
        self.store.claim_sessions(filter, lease).await
    }

    async fn renew(&self, lease: Lease, length: Duration) -> Result<bool, StoreError> {
        self.store.renew(lease, length).await
    }

    async fn release(&self, lease: Lease, next_try_at: Timestamp) -> Result<(), StoreError> {
        self.store.release(lease, next_try_at).await
    }

    async fn make_all_due(&self, now: Timestamp) -> Result<(), StoreError> {
        self.store.make_all_due(now).await
    }

    async fn claim_notifications(
        &self,
        filter: &ClaimFilter,
        mut lease: Duration,
    ) -> Result<Vec<ClaimedNotification>, StoreError> {
        if self.has(Mutation::ClaimsTwice) {
            lease = Duration::ZERO;
        }
        if self.has(Mutation::ClaimsEarly) {
            self.clock.advance(5);
        }
        self.store.claim_notifications(filter, lease).await
    }

    async fn claim_deliveries(
        &self,
        filter: &DeliveryClaimFilter,
        mut lease: Duration,
    ) -> Result<Vec<ClaimedDelivery>, StoreError> {
        let mut filter = filter.clone();
        if self.has(Mutation::ClaimsTwice) {
            lease = Duration::ZERO;
        }
        if self.has(Mutation::ClaimsEarly) {
            self.clock.advance(5);
        }
        if self.has(Mutation::IgnoresBusy) {
            filter.busy.clear();
        }
        let mut claimed = self.store.claim_deliveries(&filter, lease).await?;
        let leases = claimed.iter().map(|claim| claim.lease);
        self.leases.lock().unwrap().extend(leases);
        if self.has(Mutation::WaitsForSuccess) {
            claimed.retain(|claim| !self.is_after_a_failure(claim.event));
        }
        Ok(claimed)
    }

    async fn depths(&self, now: Timestamp) -> Result<Vec<QueueDepth>, StoreError> {
        self.store.depths(now).await
    }

    async fn dismiss_contradiction(
        &self,
        operation: OperationId,
        audit: &AuditEntry,
    ) -> Result<bool, StoreError> {
        let dismissed = self.store.dismiss_contradiction(operation, audit).await?;
        Ok(dismissed || self.has(Mutation::DismissesAnything))
    }

    async fn stuck(&self, now: Timestamp, limit: u32) -> Result<Vec<StuckItem>, StoreError> {
        let mut found = self.store.stuck(now, limit).await?;
        if self.has(Mutation::OldestFirst) {
            found.reverse();
        }
        if self.has(Mutation::LeaksQuery) {
            for item in &mut found {
                item.detail = format!("{} {ENDPOINT}", item.detail);
            }
        }
        Ok(found)
    }
}

impl MutantStore {
    fn is_after_a_failure(&self, event: EventId) -> bool {
        let all = self.session_of(event);
        let mine = all.iter().find(|delivery| delivery.event == event);
        let sequence = mine.map_or(0, |delivery| delivery.sequence);
        all.iter().any(|other| {
            other.sequence < sequence && other.failures > 0 && other.state == DeliveryState::Pending
        })
    }

    /// All deliveries of this event's session.
    fn session_of(&self, event: EventId) -> Vec<Delivery> {
        let sessions = self.store.session_ids().into_iter();
        let mut all = sessions.map(|session| self.store.deliveries_of(session));
        let has_it = |all: &Vec<Delivery>| all.iter().any(|delivery| delivery.event == event);
        all.find(has_it).unwrap_or_default()
    }
}
