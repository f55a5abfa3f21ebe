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

    /// The PSP accounts that merchants use, each once, ordered by connector and account
    /// [`accounts_of_merchants_are_listed_once`].
    async fn psp_accounts(&self) -> Result<Vec<PspAccount>, StoreError>;

    /// Writes a merchant's settings, those that were taken away among them
    /// [`branding_can_be_removed`]. `false`, and nothing is written, unless the stored version is the
    /// one before the merchant's [`settings_are_written_over_the_version_that_was_read`].
    async fn update(&self, merchant: &Merchant, audit: &AuditEntry) -> Result<bool, StoreError>;

    /// Adds a key. `false`, and nothing is written, where the merchant has [`MAX_ACTIVE_KEYS`] active
    /// keys; this holds for concurrent calls, too [`active_keys_are_limited`].
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

    /// Ends a key at this time unless it has ended before [`a_key_ends_once`].
    async fn end_key(
        &self,
        id: ApiKeyId,
        at: Timestamp,
        audit: &AuditEntry,
    ) -> Result<(), StoreError>;

    /// Ends every key of a merchant that has not ended by then, and returns how many. A rotation at
    /// the same time either comes before, and its new key ends as well, or fails
    /// [`no_rotation_survives_ending_all_keys`].
    async fn end_all_keys(
        &self,
        merchant: MerchantId,
        at: Timestamp,
        audit: &AuditEntry,
    ) -> Result<u64, StoreError>;

    /// Ends a key of this merchant at this time, but never its last active one; this holds for
    /// concurrent calls, too [`the_last_active_key_is_kept`].
    async fn remove_key(
        &self,
        merchant: MerchantId,
        id: ApiKeyId,
        at: Timestamp,
        audit: &AuditEntry,
    ) -> Result<KeyRemoval, StoreError>;

    /// Adds a key in place of another, which gets an end, and remembers the response that shows it,
    /// all together [`a_rotation_stores_its_response`]. Of two rotations of one key exactly
    /// one succeeds [`a_key_is_rotated_once`]; at most [`MAX_ENDING_KEYS`] keys of a merchant are in
    /// their grace period, whatever runs at the same time [`keys_in_grace_are_limited`]. Fails with
    /// `IdempotencyKeyTaken`, which comes before these checks, where the idempotency key is taken
    /// [`a_failed_rotation_writes_nothing`].
    async fn rotate_key(&self, rotation: &KeyRotation) -> Result<RotationOutcome, CommitError>;

    /// Records that a key was used at this time, unless a use less than [`LAST_USE_PRECISION_SECONDS`] before
    /// is recorded [`the_last_use_is_recorded_once_an_hour`].
    ///
    /// [`LAST_USE_PRECISION_SECONDS`]: oncharge_domain::merchant::LAST_USE_PRECISION_SECONDS
    async fn record_key_use(&self, id: ApiKeyId, at: Timestamp) -> Result<(), StoreError>;
}

/// How many keys are listed at most: more than the limits allow, because the clocks of two nodes
/// differ.
pub const MAX_LISTED_KEYS: u32 = 2 * (MAX_ACTIVE_KEYS + MAX_ENDING_KEYS);

/// What became of a merchant's request to end a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyRemoval {
    /// It has ended.
    Ended,
    /// It is the merchant's last active key.
    LastActive,
    /// The merchant has no such key, or it had ended before.
    NotFound,
}

/// The result of a rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RotationOutcome {
    /// The new key is there, and the replaced one has an end.
    Rotated,
    /// Nothing was written: the replaced key is not an active key of this merchant.
    NotActive,
    /// Nothing was written: [`MAX_ENDING_KEYS`] keys are in their grace period.
    TooManyEnding,
}

/// A pair in place of another.
#[derive(Debug, Clone)]
pub struct KeyRotation {
    /// The new key.
    pub key: ApiKey,
    /// The hash that it is looked up by.
    pub hash: ApiKeyHash,
    /// The key that it replaces.
    pub replaced: ApiKeyId,
    /// The time of the rotation.
    pub at: Timestamp,
    /// When the replaced key ends; after `at`, if it has a grace period.
    pub replaced_ends_at: Timestamp,
    /// The record of the request's idempotency key.
    pub remembered: Option<IdempotencyWrite>,
    /// What the audit log says of it.
    pub audit: AuditEntry,
}
