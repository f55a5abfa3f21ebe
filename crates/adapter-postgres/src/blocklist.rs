//! Bans on the shared blocklist, known only by peppered hashes.

use async_trait::async_trait;
use diesel::prelude::*;
use oncharge_domain::{
    audit::AuditEntry,
    blocklist::{Ban, PepperedHash},
    id::BanId,
    time::Timestamp,
};
use oncharge_ports::{BlocklistRepository, StoreError};

use crate::{
    batch::Batch,
    rows::{at, audit::AuditRow, ban::BanRow},
    schema::{audit_log, bans},
    store::PostgresStore,
};

#[async_trait]
impl BlocklistRepository for PostgresStore {
    async fn live(&self, hashes: &[PepperedHash], now: Timestamp) -> Result<Vec<Ban>, StoreError> {
        if hashes.is_empty() {
            return Ok(Vec::new());
        }
        let wanted: Vec<Vec<u8>> = hashes.iter().map(|hash| hash.hash.to_vec()).collect();
        let query = bans::table
            .filter(bans::hash.eq_any(wanted))
            .filter(bans::revoked_at.is_null())
            .filter(bans::expires_at.gt(at(now)))
            .select(BanRow::as_select());
        let found: Vec<BanRow> = self.read(query).await?;
        let found: Result<Vec<Ban>, StoreError> = found.into_iter().map(Ban::try_from).collect();
        // A hash counts only under the pepper that it was made with.
        let counts = |ban: &Ban| hashes.contains(&ban.hash);
        Ok(found?.into_iter().filter(counts).collect())
    }

    async fn add(&self, ban: &Ban, audit: &AuditEntry) -> Result<(), StoreError> {
        let lent = self.pool.get().await?;
        let mut batch = Batch::<()>::new(&lent);
        batch.add(BanRow::from(ban).insert_into(bans::table));
        batch.add(AuditRow::from(audit).insert_into(audit_log::table));
        batch.commit().await?;
        Ok(())
    }

    async fn rehash(&self, id: BanId, hash: &PepperedHash) -> Result<(), StoreError> {
        let change = (
            bans::pepper_id.eq(hash.pepper.as_str().to_owned()),
            bans::hash.eq(hash.hash.to_vec()),
        );
        self.write(diesel::update(bans::table.find(id.uuid())).set(change))
            .await?;
        Ok(())
    }

    async fn list(&self) -> Result<Vec<Ban>, StoreError> {
        let query = bans::table
            .order((bans::created_at.desc(), bans::id.desc()))
            .select(BanRow::as_select());
        let found: Vec<BanRow> = self.read(query).await?;
        found.into_iter().map(Ban::try_from).collect()
    }

    async fn revoke(
        &self,
        id: BanId,
        revoked: Timestamp,
        audit: &AuditEntry,
    ) -> Result<bool, StoreError> {
        let lent = self.pool.get().await?;
        let mut batch = Batch::new(&lent);
        let live = bans::table
            .find(id.uuid())
            .filter(bans::revoked_at.is_null());
        let write = diesel::update(live).set(bans::revoked_at.eq(at(revoked)));
        batch.require(write, ());
        batch.add(AuditRow::from(audit).insert_into(audit_log::table));
        batch.commit_if_there().await
    }
}
