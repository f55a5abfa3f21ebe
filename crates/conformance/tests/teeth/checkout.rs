//! Flaws of sessions, operations and commits.

use std::sync::atomic::Ordering;

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
    webhook::{Disabled, DisabledBecause, WebhookEndpoint},
};
use oncharge_ports::{
    CheckoutRepository, CommitError, StoreError, UnitOfWork, WebhookRepository,
    psp::PreparedRequest,
    queries::{EventFilter, Page, RefundFilter, SessionFilter, StoredEvent},
    unit_of_work::{KeyRecord, KeyScope, KeyWrite},
};
use oncharge_testkit::Builder;

use super::{Flaw, Flawed};

#[async_trait]
impl CheckoutRepository for Flawed {
    async fn session(&self, id: SessionId) -> Result<Option<Session>, StoreError> {
        let mut found = self.store.session(id).await?;
        if let Some(session) = &mut found {
            if self.has(Flaw::CutsTimes) {
                session.updated_at = session.updated_at.whole_seconds();
            }
            if self.has(Flaw::DropsContact) {
                session.contact.phone = None;
            }
        }
        Ok(found)
    }

    async fn operation(&self, id: OperationId) -> Result<Option<Operation>, StoreError> {
        let found = self.store.operation(id).await?;
        Ok(found.map(|mut operation| {
            if self.has(Flaw::DropsReference) {
                operation.reference = None;
            }
            operation
        }))
    }

    async fn request(&self, id: OperationId) -> Result<Option<PreparedRequest>, StoreError> {
        let found = self.store.request(id).await?;
        if self.has(Flaw::KeepsRequests) && found.is_none() {
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

    async fn key(&self, scope: &KeyScope) -> Result<Option<KeyRecord>, StoreError> {
        if self.has(Flaw::ForgetsKeys) && self.cleaned.load(Ordering::SeqCst) {
            return Ok(None);
        }
        CheckoutRepository::key(&*self.store, scope).await
    }

    async fn waiting_key(&self, operation: OperationId) -> Result<Option<KeyScope>, StoreError> {
        self.store.waiting_key(operation).await
    }

    async fn sessions(
        &self,
        filter: &SessionFilter,
        page: Page,
    ) -> Result<Vec<Session>, StoreError> {
        let page = Page {
            after: page.after.filter(|_| !self.has(Flaw::RepeatsPages)),
            ..page
        };
        let mut found = self.store.sessions(filter, page).await?;
        if self.has(Flaw::OldestFirst) {
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
        let since = if self.has(Flaw::ForgetsSince) {
            start
        } else {
            since
        };
        let after = after.filter(|_| !self.has(Flaw::RepeatsPages));
        self.store.operations(since, after, limit).await
    }

    async fn write_key(&self, key: KeyWrite) -> Result<(), CommitError> {
        if self.has(Flaw::IgnoresKeys) {
            return Ok(());
        }
        self.store.write_key(key).await
    }

    async fn commit(&self, mut unit: UnitOfWork) -> Result<(), CommitError> {
        if self.has(Flaw::ForgetsHandled) {
            unit.handled = None;
        }
        if self.has(Flaw::DeliversNothing) || self.has(Flaw::DeliversToDisabled) {
            return self.commit_with_other_endpoint(unit).await;
        }
        let frees = matches!(unit.key, Some(KeyWrite::Free { .. }));
        if self.has(Flaw::IgnoresKeys) || (self.has(Flaw::KeepsKeys) && frees) {
            unit.key = None;
        }
        if self.has(Flaw::IgnoresLeases) {
            unit.lease = None;
        }
        let result = self.store.commit(unit.clone()).await;
        let stale = matches!(result, Err(CommitError::Conflict));
        let again = (stale && self.has(Flaw::LastWriterWins))
            || (result.is_err() && self.has(Flaw::WritesHalf));
        if !again {
            return result;
        }
        let Some(newest) = self.store.session(unit.session.id).await? else {
            return result;
        };
        if self.has(Flaw::WritesHalf) {
            (unit.key, unit.lease, unit.events) = (None, None, Vec::new());
            unit.session = newest.clone();
        }
        unit.session.version = newest.version + 1;
        let written = self.store.commit(unit).await;
        if self.has(Flaw::WritesHalf) {
            result
        } else {
            written
        }
    }

    async fn committed(&self, unit: &UnitOfWork) -> Result<bool, StoreError> {
        match self.flaw {
            Flaw::AlwaysCommitted => Ok(true),
            Flaw::NeverCommitted => Ok(false),
            _ => self.store.committed(unit).await,
        }
    }
}

impl Flawed {
    /// Commits as if the merchant's endpoint were enabled, or as if it were not.
    async fn commit_with_other_endpoint(&self, unit: UnitOfWork) -> Result<(), CommitError> {
        let found = self.store.endpoint(unit.session.merchant).await?;
        let Some(endpoint) = found else {
            return self.store.commit(unit).await;
        };
        let is_on = self.has(Flaw::DeliversToDisabled);
        let audit = Builder::new(2).audit(AuditAction::EndpointSet);
        let gone = Disabled {
            because: DisabledBecause::Gone,
            at: audit.at,
        };
        let other = WebhookEndpoint {
            version: endpoint.version + 1,
            disabled: (!is_on).then_some(gone),
            ..endpoint.clone()
        };
        self.store.set_endpoint(&other, &audit).await?;
        let result = self.store.commit(unit).await;
        let before = WebhookEndpoint {
            version: endpoint.version + 2,
            ..endpoint
        };
        self.store.set_endpoint(&before, &audit).await?;
        result
    }
}
