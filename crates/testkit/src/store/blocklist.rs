//! `BlocklistRepository` of the in-memory store.

use async_trait::async_trait;
use oncharge_domain::{
    audit::AuditEntry,
    blocklist::{Ban, PepperedHash},
    id::BanId,
    keyring::KeyFingerprint,
    time::Timestamp,
};
use oncharge_ports::{BlocklistRepository, StoreError};

use super::MemoryStore;

#[async_trait]
impl BlocklistRepository for MemoryStore {
    async fn live_bans(
        &self,
        hashes: &[PepperedHash],
        now: Timestamp,
    ) -> Result<Vec<Ban>, StoreError> {
        let state = self.state();
        let counts = |ban: &&Ban| ban.is_live(now) && hashes.contains(&ban.hash);
        Ok(state.bans.iter().filter(counts).cloned().collect())
    }

    async fn add(
        &self,
        ban: &Ban,
        pepper: &KeyFingerprint,
        audit: &AuditEntry,
    ) -> Result<bool, StoreError> {
        let mut state = self.state();
        if state.bans.iter().any(|other| other.id == ban.id) {
            return Err(StoreError::Failed("a ban is added once".into()));
        }
        if !state.register_pepper(pepper, self.clock.now()) {
            return Ok(false);
        }
        state.bans.push(ban.clone());
        state.audit.push(audit.clone());
        Ok(true)
    }

    async fn rehash(
        &self,
        id: BanId,
        hash: &PepperedHash,
        pepper: &KeyFingerprint,
    ) -> Result<bool, StoreError> {
        let mut state = self.state();
        if !state.register_pepper(pepper, self.clock.now()) {
            return Ok(false);
        }
        if let Some(ban) = state.bans.iter_mut().find(|ban| ban.id == id) {
            ban.hash = hash.clone();
        }
        Ok(true)
    }

    async fn list(&self) -> Result<Vec<Ban>, StoreError> {
        let mut bans = self.state().bans.clone();
        bans.sort_by_key(|ban| std::cmp::Reverse((ban.created_at, ban.id)));
        Ok(bans)
    }

    async fn revoke(
        &self,
        id: BanId,
        at: Timestamp,
        audit: &AuditEntry,
    ) -> Result<bool, StoreError> {
        let mut state = self.state();
        let is_it = |ban: &&mut Ban| ban.id == id && ban.revoked_at.is_none();
        let Some(ban) = state.bans.iter_mut().find(is_it) else {
            return Ok(false);
        };
        ban.revoked_at = Some(at);
        state.audit.push(audit.clone());
        Ok(true)
    }
}
