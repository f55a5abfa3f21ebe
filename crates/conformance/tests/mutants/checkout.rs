//! Mutants of sessions, operations and commits.

use async_trait::async_trait;
use oncharge_domain::{
    audit::AuditAction,
    cursor::Position,
    id::{OperationId, RefundId, SessionId},
    operation::Operation,
    psp::TokenFingerprint,
    refund::Refund,
    session::Session,
    time::Timestamp,
    webhook::WebhookEndpoint,
};
use oncharge_ports::{
    CheckoutRepository, CommitError, StoreError, UnitOfWork, WebhookRepository,
    psp::PreparedRequest,
    queries::{EventFilter, Page, RefundFilter, SessionFilter, StoredEvent},
    unit_of_work::{IdempotencyRecord, IdempotencyScope, IdempotencyWrite},
};
use oncharge_testkit::Builder;

use super::{MutantStore, Mutation};

#[async_trait]
impl CheckoutRepository for MutantStore {
    async fn session(&self, id: SessionId) -> Result<Option<Session>, StoreError> {
        let mut found = self.store.session(id).await?;
        if let Some(session) = &mut found {
            if self.has(Mutation::TruncatesTimes) {
                session.updated_at = session.updated_at.whole_seconds();
            }
            if self.has(Mutation::DropsContact) {
                session.contact.phone = None;
            }
        }
        Ok(found)
    }

    async fn operation(&self, id: OperationId) -> Result<Option<Operation>, StoreError> {
        let found = self.store.operation(id).await?;
        Ok(found.map(|mut operation| {
            if self.has(Mutation::DropsReference) {
                operation.reference = None;
            }
            operation
        }))
    }

    async fn request(&self, id: OperationId) -> Result<Option<PreparedRequest>, StoreError> {
        let found = self.store.request(id).await?;
        if self.has(Mutation::KeepsRequests) && found.is_none() {
            return Ok(Some(PreparedRequest::new(vec![1])));
        }
        Ok(found)
    }

    async fn has_attempt(
        &self,
        session: SessionId,
        token: TokenFingerprint,
    ) -> Result<bool, StoreError> {
        self.store.has_attempt(session, token).await
    }

    async fn refund(&self, id: RefundId) -> Result<Option<Refund>, StoreError> {
        CheckoutRepository::refund(&*self.store, id).await
    }

    async fn unsent_refunds(
        &self,
        session: SessionId,
    ) -> Result<Vec<(Refund, Operation)>, StoreError> {
        self.store.unsent_refunds(session).await
    }

    async fn key(&self, scope: &IdempotencyScope) -> Result<Option<IdempotencyRecord>, StoreError> {
        CheckoutRepository::key(&*self.store, scope).await
    }

    async fn reserved_key(
        &self,
        operation: OperationId,
    ) -> Result<Option<IdempotencyScope>, StoreError> {
        self.store.reserved_key(operation).await
    }

    async fn sessions(
        &self,
        filter: &SessionFilter,
        page: Page,
    ) -> Result<Vec<Session>, StoreError> {
        let mut found = self.store.sessions(filter, page).await?;
        if self.has(Mutation::OldestFirst) {
            found.reverse();
        }
        Ok(found)
    }

    async fn refunds(&self, filter: &RefundFilter, page: Page) -> Result<Vec<Refund>, StoreError> {
        self.store.refunds(filter, page).await
    }

    async fn events(
        &self,
        filter: &EventFilter,
        page: Page,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        self.store.events(filter, page).await
    }

    async fn operations(
        &self,
        since: Timestamp,
        after: Option<Position>,
        limit: u32,
    ) -> Result<Vec<Operation>, StoreError> {
        let start = Timestamp::from_unix_seconds(0).unwrap();
        let since = if self.has(Mutation::IgnoresSince) {
            start
        } else {
            since
        };
        self.store.operations(since, after, limit).await
    }

    async fn write_idempotency_record(&self, key: IdempotencyWrite) -> Result<(), CommitError> {
        self.store.write_idempotency_record(key).await
    }

    async fn commit(&self, mut unit: UnitOfWork) -> Result<(), CommitError> {
        if self.has(Mutation::IgnoresHandled) {
            unit.handled = None;
        }
        if self.has(Mutation::DeliversToDisabled) {
            return self.commit_with_enabled_endpoint(unit).await;
        }
        let frees = matches!(unit.key, Some(IdempotencyWrite::Release { .. }));
        if self.has(Mutation::KeepsKeys) && frees {
            unit.key = None;
        }
        if self.has(Mutation::IgnoresLeases) {
            unit.lease = None;
        }
        let result = self.store.commit(unit.clone()).await;
        if result.is_err()
            && self.has(Mutation::WritesPartially)
            && let Some(mut newest) = self.store.session(unit.session.id).await?
        {
            newest.version += 1;
            (unit.key, unit.lease, unit.events) = (None, None, Vec::new());
            unit.session = newest;
            let _ = self.store.commit(unit).await;
        }
        result
    }

    async fn is_committed(&self, unit: &UnitOfWork) -> Result<bool, StoreError> {
        self.store.is_committed(unit).await
    }
}

impl MutantStore {
    /// Commits as if the merchant's endpoint were enabled.
    async fn commit_with_enabled_endpoint(&self, unit: UnitOfWork) -> Result<(), CommitError> {
        let found = self.store.endpoint(unit.session.merchant).await?;
        let Some(endpoint) = found else {
            return self.store.commit(unit).await;
        };
        let audit = Builder::new(2).audit(AuditAction::EndpointSet);
        let enabled = WebhookEndpoint {
            version: endpoint.version + 1,
            disabled: None,
            ..endpoint.clone()
        };
        self.store.set_endpoint(&enabled, &audit).await?;
        let result = self.store.commit(unit).await;
        let before = WebhookEndpoint {
            version: endpoint.version + 2,
            ..endpoint
        };
        self.store.set_endpoint(&before, &audit).await?;
        result
    }
}
