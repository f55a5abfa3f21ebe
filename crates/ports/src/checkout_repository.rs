//! Sessions, refunds, operations and events: reads, lists and the commit of a unit of work.

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

use crate::{
    error::{CommitError, StoreError},
    psp::PreparedRequest,
    queries::{EventFilter, Page, RefundFilter, SessionFilter, StoredEvent},
    unit_of_work::{IdempotencyRecord, IdempotencyScope, IdempotencyWrite, UnitOfWork},
};

/// The store of sessions, operations, refunds, events and idempotency records.
///
/// Each MUST is tested by a law of the `conformance` crate, named in brackets.
#[async_trait]
pub trait CheckoutRepository: Send + Sync {
    /// The session with its version and contact data; MUST equal what was committed
    /// [`sessions_load_equal`]. One round trip.
    async fn session(&self, id: SessionId) -> Result<Option<Session>, StoreError>;

    /// The operation.
    async fn operation(&self, id: OperationId) -> Result<Option<Operation>, StoreError>;

    /// The request bytes of an open operation; `None` once it is final.
    async fn request(&self, id: OperationId) -> Result<Option<PreparedRequest>, StoreError>;

    /// Whether an attempt with this payment-method token exists for this session.
    async fn has_attempt(
        &self,
        session: SessionId,
        token: TokenFingerprint,
    ) -> Result<bool, StoreError>;

    /// The refund.
    async fn refund(&self, id: RefundId) -> Result<Option<Refund>, StoreError>;

    /// The session's open refunds that were definitely never sent, with their operations.
    async fn unsent_refunds(
        &self,
        session: SessionId,
    ) -> Result<Vec<(Refund, Operation)>, StoreError>;

    /// The idempotency record.
    async fn key(&self, scope: &IdempotencyScope) -> Result<Option<IdempotencyRecord>, StoreError>;

    /// The idempotency key without a response whose request waits for this operation, if any.
    async fn reserved_key(
        &self,
        operation: OperationId,
    ) -> Result<Option<IdempotencyScope>, StoreError>;

    /// Sessions, newest first; MUST be stable while rows are added [`pages_are_stable`].
    async fn sessions(
        &self,
        filter: &SessionFilter,
        page: Page,
    ) -> Result<Vec<Session>, StoreError>;

    /// Refunds, newest first.
    async fn refunds(&self, filter: &RefundFilter, page: Page) -> Result<Vec<Refund>, StoreError>;

    /// Events, newest first.
    async fn events(
        &self,
        filter: &EventFilter,
        page: Page,
    ) -> Result<Vec<StoredEvent>, StoreError>;

    /// Operations created at or after `since`, oldest first by (`created_at`, id), that follow this
    /// position, whether or not an operation still exists there
    /// [`operations_are_listed_since_a_time`].
    async fn operations(
        &self,
        since: Timestamp,
        after: Option<Position>,
        limit: u32,
    ) -> Result<Vec<Operation>, StoreError>;

    /// Writes an idempotency record by itself, for a response that guards no change of a session.
    /// Fails with `IdempotencyKeyTaken` as a unit does.
    async fn write_idempotency_record(&self, key: IdempotencyWrite) -> Result<(), CommitError>;

    /// Commits a unit: MUST be all or nothing [`a_unit_is_all_or_nothing`]. MUST fail as a whole
    /// with `Conflict` if the session's version is stale [`a_stale_unit_writes_nothing`,
    /// `one_of_many_concurrent_commits_succeeds`], with `IdempotencyKeyTaken` if the key is taken
    /// [`a_key_is_reserved_once`], with `LeaseLost` if the lease does not hold
    /// [`a_lost_lease_cannot_commit`], with `AlreadyHandled` if the notification is no longer
    /// waiting [`a_notification_is_handled_once`]. Event numbers MUST be unique within a session
    /// [`event_numbers_are_unique`]. A future dropped midway MUST leave all or nothing and a usable
    /// store [`a_dropped_commit_leaves_all_or_nothing`].
    async fn commit(&self, unit: UnitOfWork) -> Result<(), CommitError>;

    /// Whether this unit was committed; for use after `OutcomeUnknown`
    /// [`is_committed_reports_the_outcome`]. In a replicated store the result MUST be as durable as
    /// a commit: while a failover could still lose the unit, this is an error, not `true` or
    /// `false`.
    async fn is_committed(&self, unit: &UnitOfWork) -> Result<bool, StoreError>;
}
