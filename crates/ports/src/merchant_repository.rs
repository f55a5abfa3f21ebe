//! Merchants and their API keys.

use async_trait::async_trait;
use oncharge_domain::{
    audit::AuditEntry,
    id::{ApiKeyId, MerchantId},
    merchant::{ApiKey, ApiKeyHash, Merchant},
    time::Timestamp,
};

use crate::{
    error::{CommitError, StoreError},
    unit_of_work::KeyWrite,
};

/// The store of merchants. Every change carries its audit entry and is written with it.
#[async_trait]
pub trait MerchantRepository: Send + Sync {
    /// Adds a merchant with its first key.
    async fn create(
        &self,
        merchant: &Merchant,
        key: &ApiKey,
        hash: &ApiKeyHash,
        audit: &AuditEntry,
    ) -> Result<(), StoreError>;

    /// The merchant.
    async fn merchant(&self, id: MerchantId) -> Result<Option<Merchant>, StoreError>;

    /// At most `limit` merchants in the order of their ids, those after `after`
    /// [`merchants_are_listed_by_id`].
    async fn list(
        &self,
        after: Option<MerchantId>,
        limit: u32,
    ) -> Result<Vec<Merchant>, StoreError>;

    /// Writes a merchant's settings, those that were taken away among them
    /// [`a_look_can_be_taken_away`]; `false` where there is no such merchant.
    async fn update(&self, merchant: &Merchant, audit: &AuditEntry) -> Result<bool, StoreError>;

    /// Adds a key.
    async fn add_key(
        &self,
        key: &ApiKey,
        hash: &ApiKeyHash,
        audit: &AuditEntry,
    ) -> Result<(), StoreError>;

    /// The key with this hash, active or not, and its merchant. One round trip.
    async fn key(&self, hash: &ApiKeyHash) -> Result<Option<(ApiKey, Merchant)>, StoreError>;

    /// Ends a key at this time unless it has ended before.
    async fn end_key(
        &self,
        id: ApiKeyId,
        at: Timestamp,
        audit: &AuditEntry,
    ) -> Result<(), StoreError>;

    /// Adds a key in place of another, which ends then unless it has ended before; remembers the
    /// answer that shows it, all together. Fails with `KeyTaken`, and writes nothing, where the
    /// idempotency key is taken [`a_rotation_is_remembered_with_its_answer`].
    async fn rotate_key(&self, rotation: &Rotation) -> Result<(), CommitError>;
}

/// A pair in place of another.
#[derive(Debug, Clone)]
pub struct Rotation {
    /// The new key.
    pub key: ApiKey,
    /// The hash that it is looked up by.
    pub hash: ApiKeyHash,
    /// The key that it replaces.
    pub replaced: ApiKeyId,
    /// When that one ends.
    pub replaced_ends_at: Timestamp,
    /// The record of the request's idempotency key.
    pub remembered: Option<KeyWrite>,
    /// What the audit log says of it.
    pub audit: AuditEntry,
}
