//! What operators do to a store: check that it answers, reseal, delete expired rows.

use async_trait::async_trait;
use oncharge_domain::time::Timestamp;

use crate::error::StoreError;

/// Care for a store.
#[async_trait]
pub trait Maintenance: Send + Sync {
    /// Whether the store answers.
    async fn ping(&self) -> Result<(), StoreError>;

    /// Seals every value again that is not under the first master key; returns how many.
    ///
    /// MUST visit every row that was there when it began, once, in statements that each take a limited number of
    /// rows [`resealed_values_open_under_the_new_key`]. MAY be interrupted and called again. Errors
    /// with the id of the key where a value is under one that is not configured.
    async fn reseal(&self) -> Result<u64, StoreError>;

    /// Deletes rows of one kind whose time is in the range, oldest first and at most `limit`; the
    /// attempts of a delivery go with it and are not counted. The cost MUST NOT grow with the number of
    /// rows that stay, nor with the number of rows that were deleted before the range. MAY be
    /// interrupted and called again [`expired_rows_are_deleted_in_parts`].
    ///
    /// MUST keep an idempotency record whose operation is open [`an_open_operations_key_is_kept`], a
    /// delivery that is pending [`ended_deliveries_are_deleted_with_their_attempts`], a never-sent
    /// operation that a refund, a compensation or an unanswered idempotency record names, or that the
    /// PSP contradicts [`operations_that_were_never_sent_are_deleted`], and an API key that has not
    /// ended or that a webhook endpoint names [`ended_keys_are_deleted`]. An event outlives its
    /// delivery and can be delivered again [`an_event_is_kept_after_its_delivery`].
    async fn delete_expired(
        &self,
        rows: ExpiringRows,
        range: TimeRange,
        limit: u32,
    ) -> Result<DeletedRows, StoreError>;
}

/// Rows that are deleted after a retention period, by the time from which the period runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpiringRows {
    /// Which unit of work wrote which version of a session, by the time of the unit:
    /// [`crate::CheckoutRepository::is_committed`] is not asked about old units
    /// [`old_session_changes_are_deleted`].
    SessionChanges,
    /// Idempotency records, by the time of the response.
    IdempotencyRecords,
    /// Notifications that were handled, by the time when they were received, as below.
    HandledNotifications,
    /// Notifications about nothing of ours.
    IrrelevantNotifications,
    /// Notifications that an operator has dismissed.
    DismissedNotifications,
    /// Notifications whose signature did not verify.
    UnverifiedNotifications,
    /// Deliveries, by the time when they were delivered or given up, by the store's clock.
    Deliveries,
    /// Operations that failed without being sent, by the time when they were made.
    NeverSentOperations,
    /// API keys, by the time of their end.
    ApiKeys,
}

impl ExpiringRows {
    /// All kinds of rows that expire.
    pub const ALL: [Self; 9] = [
        Self::SessionChanges,
        Self::IdempotencyRecords,
        Self::HandledNotifications,
        Self::IrrelevantNotifications,
        Self::DismissedNotifications,
        Self::UnverifiedNotifications,
        Self::Deliveries,
        Self::NeverSentOperations,
        Self::ApiKeys,
    ];
}

/// A range of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeRange {
    /// Its start, which is part of it.
    pub from: Timestamp,
    /// Its end, which is not.
    pub before: Timestamp,
}

impl TimeRange {
    /// All time before the given one.
    pub fn before(before: Timestamp) -> Self {
        Self {
            from: Timestamp::UNIX_EPOCH,
            before,
        }
    }
}

/// What a deletion has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeletedRows {
    /// How many rows were deleted.
    pub count: usize,
    /// The time of the newest of them, where the next deletion can continue.
    pub last: Option<Timestamp>,
}

impl DeletedRows {
    /// The rows that had these times.
    pub fn of(times: &[Timestamp]) -> Self {
        Self {
            count: times.len(),
            last: times.iter().max().copied(),
        }
    }
}
