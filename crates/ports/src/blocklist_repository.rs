//! Bans on the shared blocklist.

use async_trait::async_trait;
use oncharge_domain::{
    audit::AuditEntry,
    blocklist::{Ban, PepperedHash},
    id::BanId,
    keyring::KeyFingerprint,
    time::Timestamp,
};

use crate::error::StoreError;

/// The store of bans, which contains only peppered hashes.
#[async_trait]
pub trait BlocklistRepository: Send + Sync {
    /// The bans that are live at this time under any of these hashes. One indexed query.
    async fn live_bans(
        &self,
        hashes: &[PepperedHash],
        now: Timestamp,
    ) -> Result<Vec<Ban>, StoreError>;

    /// Adds a ban and registers its pepper. Writes nothing and returns `false` if a live node lacks
    /// this pepper (it would serve the shopper) or another pepper is registered under its id. MUST
    /// hold against a node that is published concurrently
    /// [`a_ban_needs_a_pepper_that_every_node_has`].
    async fn add(
        &self,
        ban: &Ban,
        pepper: &KeyFingerprint,
        audit: &AuditEntry,
    ) -> Result<bool, StoreError>;

    /// Replaces a ban's hash by one under another pepper; conditions as for
    /// [`BlocklistRepository::add`].
    async fn rehash(
        &self,
        id: BanId,
        hash: &PepperedHash,
        pepper: &KeyFingerprint,
    ) -> Result<bool, StoreError>;

    /// Every ban, newest first, including revoked and expired ones.
    async fn list(&self) -> Result<Vec<Ban>, StoreError>;

    /// Revokes a ban; `false` if no unrevoked ban has this id.
    async fn revoke(
        &self,
        id: BanId,
        at: Timestamp,
        audit: &AuditEntry,
    ) -> Result<bool, StoreError>;
}
