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

/// The store of bans; it only ever sees peppered hashes.
#[async_trait]
pub trait BlocklistRepository: Send + Sync {
    /// The bans that are live at this time under any of these hashes. One indexed query.
    async fn live_bans(
        &self,
        hashes: &[PepperedHash],
        now: Timestamp,
    ) -> Result<Vec<Ban>, StoreError>;

    /// Adds a ban and registers its pepper. `false`, and nothing written, where a live node does
    /// not have this pepper (it would serve the shopper), or where another pepper is registered
    /// under its id. MUST hold against a node that is published at the same time
    /// [`a_ban_needs_a_pepper_that_every_node_has`].
    async fn add(
        &self,
        ban: &Ban,
        pepper: &KeyFingerprint,
        audit: &AuditEntry,
    ) -> Result<bool, StoreError>;

    /// Rewrites a ban's hash under another pepper, on the conditions of [`BlocklistRepository::add`].
    async fn rehash(
        &self,
        id: BanId,
        hash: &PepperedHash,
        pepper: &KeyFingerprint,
    ) -> Result<bool, StoreError>;

    /// Every ban, newest first, also revoked and expired ones.
    async fn list(&self) -> Result<Vec<Ban>, StoreError>;

    /// Revokes a ban; `false` where there is none of this id that is not revoked yet.
    async fn revoke(
        &self,
        id: BanId,
        at: Timestamp,
        audit: &AuditEntry,
    ) -> Result<bool, StoreError>;
}
