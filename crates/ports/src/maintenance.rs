//! Maintenance of a store: health check, resealing, deletion of expired rows.

use async_trait::async_trait;
use oncharge_domain::time::Timestamp;

use crate::error::StoreError;

/// Maintenance operations of a store.
#[async_trait]
pub trait Maintenance: Send + Sync {
    /// Checks that the store responds.
    async fn ping(&self) -> Result<(), StoreError>;

    /// Reseals every value that is not under the first master key; returns how many.
    ///
    /// MUST visit every row that existed at its start once, in statements that each take a limited
    /// number of rows [`resealed_values_open_under_the_new_key`]. MAY be interrupted and called
    /// again. Errors with the key's id if a value is sealed under a key that is not configured.
    async fn reseal(&self) -> Result<u64, StoreError>;

    /// Deletes rows of one kind whose time is in the range, oldest first and at most `limit`. A
    /// delivery's attempts are deleted with it and not counted. The cost MUST NOT grow with the
    /// number of rows that stay, nor with the number of rows deleted before the range. MAY be
    /// interrupted and called again [`expired_rows_are_deleted_in_batches`].
    ///
    /// MUST keep an idempotency record whose operation is open [`an_open_operations_key_is_kept`];
    /// a pending delivery [`ended_deliveries_are_deleted_with_their_attempts`]; a never-sent
    /// operation that a refund, a compensation or an idempotency record without a response names,
    /// or that the PSP contradicts [`operations_that_were_never_sent_are_deleted`]; and an API key
    /// that has not ended or that a webhook endpoint names [`ended_keys_are_deleted`]. An event
    /// outlives its delivery and can be delivered again [`an_event_is_kept_after_its_delivery`].
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
    /// [`crate::CheckoutRepository::is_committed`] is not called for old units
    /// [`old_session_changes_are_deleted`].
    SessionChanges,
    /// Idempotency records, by the time of the response.
    IdempotencyRecords,
    /// Handled notifications, by the time of receipt.
    HandledNotifications,
    /// Notifications that do not concern OnCharge, by the time of receipt.
    IrrelevantNotifications,
    /// Notifications that an operator has dismissed, by the time of receipt.
    DismissedNotifications,
    /// Notifications whose signature did not verify, by the time of receipt.
    UnverifiedNotifications,
    /// Deliveries, by the time when they were delivered or given up, by the store's clock.
    Deliveries,
    /// Operations that failed without being sent, by their creation time.
    NeverSentOperations,
    /// API keys, by the time when they ended.
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

/// A half-open time range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeRange {
    /// The inclusive start.
    pub from: Timestamp,
    /// The exclusive end.
    pub before: Timestamp,
}

impl TimeRange {
    /// All time before the given instant.
    pub fn before(before: Timestamp) -> Self {
        Self {
            from: Timestamp::UNIX_EPOCH,
            before,
        }
    }
}

/// The result of a deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeletedRows {
    /// How many rows were deleted.
    pub count: usize,
    /// The time of the newest deleted row, from which the next deletion can continue.
    pub last: Option<Timestamp>,
}

impl DeletedRows {
    /// The result for deleted rows with these times.
    pub fn of(times: &[Timestamp]) -> Self {
        Self {
            count: times.len(),
            last: times.iter().max().copied(),
        }
    }
}
