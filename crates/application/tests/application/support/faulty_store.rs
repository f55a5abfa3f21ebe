//! The in-memory store with planned faults.

use std::sync::Arc;

use async_trait::async_trait;
use oncharge_domain::{
    cursor::Position,
    id::{OperationId, RefundId, SessionId},
    operation::Operation,
    psp::TokenFingerprint,
    refund::Refund,
    session::Session,
    time::Timestamp,
};
use oncharge_ports::{
    CheckoutRepository, CommitError, StoreError, UnitOfWork,
    psp::PreparedRequest,
    queries::{EventFilter, Page, RefundFilter, SessionFilter, StoredEvent},
    unit_of_work::{IdempotencyRecord, IdempotencyScope, IdempotencyWrite},
};
use oncharge_testkit::MemoryStore;

use super::fault_plan::{FaultPlan, PlannedFault};

pub(super) struct FaultyStore {
    pub(super) inner: Arc<MemoryStore>,
    pub(super) fault_plan: Arc<FaultPlan>,
}

#[async_trait]
impl CheckoutRepository for FaultyStore {
    async fn session(&self, id: SessionId) -> Result<Option<Session>, StoreError> {
        // Other tasks run between a read and the commit that is based on it.
        tokio::task::yield_now().await;
        let found = self.inner.session(id).await;
        self.fault_plan.session_read.pass().await;
        found
    }

    async fn operation(&self, id: OperationId) -> Result<Option<Operation>, StoreError> {
        tokio::task::yield_now().await;
        self.inner.operation(id).await
    }

    async fn request(&self, id: OperationId) -> Result<Option<PreparedRequest>, StoreError> {
        self.inner.request(id).await
    }

    async fn has_attempt(
        &self,
        session: SessionId,
        token: TokenFingerprint,
    ) -> Result<bool, StoreError> {
        let found = self.inner.has_attempt(session, token).await;
        tokio::task::yield_now().await;
        found
    }

    async fn refund(&self, id: RefundId) -> Result<Option<Refund>, StoreError> {
        self.inner.refund(id).await
    }

    async fn unsent_refunds(
        &self,
        session: SessionId,
    ) -> Result<Vec<(Refund, Operation)>, StoreError> {
        self.inner.unsent_refunds(session).await
    }

    async fn key(&self, scope: &IdempotencyScope) -> Result<Option<IdempotencyRecord>, StoreError> {
        let found = self.inner.key(scope).await;
        tokio::task::yield_now().await;
        found
    }

    async fn reserved_key(
        &self,
        operation: OperationId,
    ) -> Result<Option<IdempotencyScope>, StoreError> {
        self.inner.reserved_key(operation).await
    }

    async fn sessions(
        &self,
        filter: &SessionFilter,
        page: Page,
    ) -> Result<Vec<Session>, StoreError> {
        self.inner.sessions(filter, page).await
    }

    async fn refunds(&self, filter: &RefundFilter, page: Page) -> Result<Vec<Refund>, StoreError> {
        self.inner.refunds(filter, page).await
    }

    async fn events(
        &self,
        filter: &EventFilter,
        page: Page,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        self.inner.events(filter, page).await
    }

    async fn operations(
        &self,
        since: Timestamp,
        after: Option<Position>,
        limit: u32,
    ) -> Result<Vec<Operation>, StoreError> {
        self.inner.operations(since, after, limit).await
    }

    async fn write_idempotency_record(&self, key: IdempotencyWrite) -> Result<(), CommitError> {
        self.inner.write_idempotency_record(key).await
    }

    async fn commit(&self, unit: UnitOfWork) -> Result<(), CommitError> {
        let fault = self.fault_plan.at_commit();
        if self.fault_plan.stalls(&unit) {
            return Err(CommitError::OutcomeUnknown);
        }
        match fault {
            None => {
                // The late commit has held the session's row the whole time.
                if let Some(stalled) = self.fault_plan.stalled() {
                    self.inner.commit(stalled).await?;
                }
                self.inner.commit(unit).await?;
                self.fault_plan.commit.pass().await;
                Ok(())
            }
            Some(PlannedFault::Before) => {
                Err(StoreError::Unavailable("a fault was planned".into()).into())
            }
            Some(PlannedFault::Between) => Err(CommitError::Conflict),
            Some(PlannedFault::After) => {
                self.inner.commit(unit).await?;
                Err(CommitError::OutcomeUnknown)
            }
            Some(PlannedFault::CrashBefore) => self.fault_plan.crash().await,
            Some(PlannedFault::CrashAfter) => {
                self.inner.commit(unit).await?;
                self.fault_plan.crash().await
            }
        }
    }

    async fn is_committed(&self, unit: &UnitOfWork) -> Result<bool, StoreError> {
        self.inner.is_committed(unit).await
    }
}
