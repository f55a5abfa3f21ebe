//! What operators do to a store: check that it answers, reseal, clean up.

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

    /// Deletes rows that are no longer needed, at most `limit` (the attempts of a delivery go with it
    /// and are not counted); returns how many. The cost MUST NOT grow with the number of rows that
    /// stay. MAY be interrupted and called again.
    ///
    /// MUST keep an idempotency record whose operation is open [`an_open_operations_key_is_kept`], a
    /// delivery that is pending [`ended_deliveries_are_deleted_with_their_attempts`], and a
    /// never-sent operation that a refund, a compensation or an unanswered idempotency record names, or
    /// that the PSP contradicts [`operations_that_were_never_sent_are_deleted`]. An event outlives its delivery and can be
    /// delivered again [`an_event_outlives_its_delivery`].
    async fn clean_up(&self, old: &Old, limit: u32) -> Result<u64, StoreError>;
}

/// What is old enough to be deleted.
#[derive(Debug, Clone, Copy)]
pub struct Old {
    /// Units of work that were made before this: [`crate::CheckoutRepository::committed`] is asked
    /// about them no more [`old_session_changes_are_deleted`].
    pub units_before: Timestamp,
    /// Idempotency records that were answered before this.
    pub keys_answered_before: Timestamp,
    /// Notifications that are over (handled, irrelevant, dismissed) and came before this.
    pub notifications_before: Timestamp,
    /// Unverified notifications that came before this.
    pub unverified_before: Timestamp,
    /// Deliveries that were delivered or given up before this, by the store's clock.
    pub deliveries_ended_before: Timestamp,
    /// Operations that were made before this and failed without ever being sent.
    pub never_sent_before: Timestamp,
}

impl Old {
    /// Everything that may be deleted and is from before this time.
    pub fn before(time: Timestamp) -> Self {
        Self {
            units_before: time,
            keys_answered_before: time,
            notifications_before: time,
            unverified_before: time,
            deliveries_ended_before: time,
            never_sent_before: time,
        }
    }
}
