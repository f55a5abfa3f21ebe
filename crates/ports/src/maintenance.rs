//! What operators do to a store: migrate, check, reseal.

use async_trait::async_trait;
use oncharge_domain::time::Timestamp;

use crate::error::StoreError;

/// Care for a store.
#[async_trait]
pub trait Maintenance: Send + Sync {
    /// Whether the store answers.
    async fn ping(&self) -> Result<(), StoreError>;

    /// Whether the first sealed value opens under the keys at hand (true where there is none).
    async fn keys_fit(&self) -> Result<bool, StoreError>;

    /// Seals every value that is not under the first key again under it; returns how many.
    /// MAY be interrupted and called again.
    async fn reseal(&self) -> Result<u64, StoreError>;

    /// Deletes what need not be kept, at most so many rows; returns how many. MUST keep an
    /// idempotency record whose operation is open [`an_open_operations_key_is_kept`], and MAY be
    /// interrupted and called again.
    async fn clean_up(&self, old: &Old, limit: u32) -> Result<u64, StoreError>;
}

/// What is old enough to be deleted.
#[derive(Debug, Clone, Copy)]
pub struct Old {
    /// Idempotency records that were answered before this.
    pub keys_answered_before: Timestamp,
    /// Notifications that are over (handled, irrelevant, dismissed) and came before this.
    pub notifications_before: Timestamp,
    /// Unverified notifications that came before this.
    pub unverified_before: Timestamp,
}
