//! What operators do to a store: migrate, check, reseal.

use async_trait::async_trait;

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
}
