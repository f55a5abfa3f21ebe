//! Bans on the shared blocklist.

use async_trait::async_trait;
use oncharge_domain::{
    audit::AuditEntry,
    blocklist::{Ban, PepperedHash},
    id::BanId,
    time::Timestamp,
};

use crate::error::StoreError;

/// The store of bans; it only ever sees peppered hashes.
#[async_trait]
pub trait BlocklistRepository: Send + Sync {
    /// The bans that are live at this time under any of these hashes. One indexed query.
    async fn live(&self, hashes: &[PepperedHash], now: Timestamp) -> Result<Vec<Ban>, StoreError>;

    /// Adds a ban.
    async fn add(&self, ban: &Ban, audit: &AuditEntry) -> Result<(), StoreError>;

    /// Rewrites a ban's hash under another pepper.
    async fn rehash(&self, id: BanId, hash: &PepperedHash) -> Result<(), StoreError>;

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
