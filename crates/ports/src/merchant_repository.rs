//! Merchants and their API keys.

use async_trait::async_trait;
use oncharge_domain::{
    audit::AuditEntry,
    id::{ApiKeyId, MerchantId},
    merchant::{ApiKey, ApiKeyHash, MAX_ACTIVE_KEYS, MAX_ENDING_KEYS, Merchant},
    psp::PspAccount,
    time::Timestamp,
};

use crate::{
    error::{CommitError, StoreError},
    unit_of_work::IdempotencyWrite,
};

/// The store of merchants. Each change is written together with its audit entry.
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

    /// At most `limit` merchants after `after`, ordered by id [`merchants_are_listed_by_id`].
    async fn list(
        &self,
        after: Option<MerchantId>,
        limit: u32,
    ) -> Result<Vec<Merchant>, StoreError>;

    /// The distinct PSP accounts that merchants use, ordered by connector and account
    /// [`accounts_of_merchants_are_listed_once`].
    async fn psp_accounts(&self) -> Result<Vec<PspAccount>, StoreError>;

    /// Writes a merchant's settings, including removed ones [`branding_can_be_removed`]. Writes
    /// nothing and returns `false` unless the stored version directly precedes the merchant's
    /// [`settings_are_not_written_over_a_newer_version`].
    async fn update(&self, merchant: &Merchant, audit: &AuditEntry) -> Result<bool, StoreError>;

    /// Adds a key. Writes nothing and returns `false` if the merchant has [`MAX_ACTIVE_KEYS`]
    /// active keys, also under concurrent calls [`active_keys_are_limited`].
    async fn add_key(
        &self,
        key: &ApiKey,
        hash: &ApiKeyHash,
        audit: &AuditEntry,
    ) -> Result<bool, StoreError>;

    /// The key with this hash, ended or not, and its merchant. One round trip.
    async fn key(&self, hash: &ApiKeyHash) -> Result<Option<(ApiKey, Merchant)>, StoreError>;

    /// The key with this id, ended or not.
    async fn key_with_id(&self, id: ApiKeyId) -> Result<Option<ApiKey>, StoreError>;

    /// The merchant's keys that have not ended at `now`, newest first, at most [`MAX_LISTED_KEYS`]
    /// [`a_merchants_keys_are_listed`].
    async fn keys(&self, merchant: MerchantId, now: Timestamp) -> Result<Vec<ApiKey>, StoreError>;

    /// Sets the end of a key to this time unless it has already ended [`a_key_ends_once`].
    async fn end_key(
        &self,
        id: ApiKeyId,
        at: Timestamp,
        audit: &AuditEntry,
    ) -> Result<(), StoreError>;

    /// Ends every key of a merchant that has not ended by then, and returns how many. A concurrent
    /// rotation either comes first, and its new key ends as well, or fails
    /// [`no_rotation_survives_ending_all_keys`].
    async fn end_all_keys(
        &self,
        merchant: MerchantId,
        at: Timestamp,
        audit: &AuditEntry,
    ) -> Result<u64, StoreError>;

    /// Ends a key of this merchant at this time, but never its last active one, also under
    /// concurrent calls [`the_last_active_key_is_kept`].
    async fn remove_key(
        &self,
        merchant: MerchantId,
        id: ApiKeyId,
        at: Timestamp,
        audit: &AuditEntry,
    ) -> Result<KeyRemoval, StoreError>;

    /// Adds a key that replaces another, sets the end of the replaced one and stores the response
    /// that shows the new one, all in one commit [`a_rotation_stores_its_response`]. Of two
    /// rotations of one key exactly one succeeds [`a_key_is_rotated_once`]; at most
    /// [`MAX_ENDING_KEYS`] keys of a merchant are in their grace period, also under concurrent
    /// calls [`keys_in_grace_are_limited`]. Fails with `IdempotencyKeyTaken`, which takes
    /// precedence over these checks, if the idempotency key is taken
    /// [`a_failed_rotation_writes_nothing`].
    async fn rotate_key(&self, rotation: &KeyRotation) -> Result<RotationOutcome, CommitError>;

    /// Records that a key was used at this time, unless a use less than
    /// [`LAST_USE_PRECISION_SECONDS`] earlier is recorded
    /// [`the_last_use_is_recorded_once_an_hour`].
    ///
    /// [`LAST_USE_PRECISION_SECONDS`]: oncharge_domain::merchant::LAST_USE_PRECISION_SECONDS
    async fn record_key_use(&self, id: ApiKeyId, at: Timestamp) -> Result<(), StoreError>;
}

/// The maximum number of listed keys: more than the limits allow, because the clocks of two nodes
/// differ.
pub const MAX_LISTED_KEYS: u32 = 2 * (MAX_ACTIVE_KEYS + MAX_ENDING_KEYS);

/// The result of a merchant's request to end a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyRemoval {
    /// The key has ended.
    Ended,
    /// The key is the merchant's last active one.
    LastActive,
    /// The merchant has no such key, or it had already ended.
    NotFound,
}

/// The result of a rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RotationOutcome {
    /// The new key was added, and the replaced one has an end.
    Rotated,
    /// Nothing was written: the key to replace is not an active key of this merchant.
    NotActive,
    /// Nothing was written: [`MAX_ENDING_KEYS`] keys are in their grace period.
    TooManyEnding,
}

/// The replacement of a key pair by a new one.
#[derive(Debug, Clone)]
pub struct KeyRotation {
    /// The new key.
    pub key: ApiKey,
    /// The hash by which the new key is looked up.
    pub hash: ApiKeyHash,
    /// The replaced key.
    pub replaced: ApiKeyId,
    /// The time of the rotation.
    pub at: Timestamp,
    /// When the replaced key ends; after `at` if it has a grace period.
    pub replaced_ends_at: Timestamp,
    /// The idempotency record of the request.
    pub remembered: Option<IdempotencyWrite>,
    /// The audit entry.
    pub audit: AuditEntry,
}
