//! Bans on the shared blocklist, stored only as peppered hashes.

use async_trait::async_trait;
use diesel::{
    prelude::*,
    sql_query,
    sql_types::{Bytea, Text},
};
use oncharge_domain::{
    audit::AuditEntry,
    blocklist::{Ban, PepperedHash},
    id::BanId,
    keyring::KeyFingerprint,
    time::Timestamp,
};
use oncharge_ports::{BlocklistRepository, StoreError};
use oncharge_store_rows::{Bind, rows::ban::BanRow, schema::bans};

use crate::{audit, batch::Batch, store::PostgresStore};

/// Blocks the publishing of nodes until the end of the transaction: a node that is published later
/// finds the pepper registered, and is refused if it does not have it.
const LOCK_NODES: &str = "LOCK TABLE nodes IN SHARE MODE";

/// Registers a pepper if every live node has it; touches no row otherwise.
const REGISTER_PEPPER: &str = "
INSERT INTO keys_in_use (purpose, key_id, digest)
SELECT 'pepper', $1, $2 WHERE NOT EXISTS (
    SELECT FROM nodes WHERE live_until > now() AND NOT pepper_keys @> to_jsonb($3))
ON CONFLICT (purpose, key_id) DO UPDATE SET digest = excluded.digest
WHERE keys_in_use.digest = excluded.digest";

#[async_trait]
impl BlocklistRepository for PostgresStore {
    async fn live_bans(
        &self,
        hashes: &[PepperedHash],
        now: Timestamp,
    ) -> Result<Vec<Ban>, StoreError> {
        if hashes.is_empty() {
            return Ok(Vec::new());
        }
        let wanted: Vec<Vec<u8>> = hashes.iter().map(|hash| hash.hash.to_vec()).collect();
        let query = bans::table
            .filter(bans::hash.eq_any(wanted))
            .filter(bans::revoked_at.is_null())
            .filter(bans::expires_at.gt(Bind(now)))
            .select(BanRow::as_select());
        let found: Vec<BanRow> = self.read(query).await?;
        let found: Result<Vec<Ban>, StoreError> = found.into_iter().map(Ban::try_from).collect();
        // A hash matches only under the pepper that it was made with.
        let counts = |ban: &Ban| hashes.contains(&ban.hash);
        Ok(found?.into_iter().filter(counts).collect())
    }

    async fn add(
        &self,
        ban: &Ban,
        pepper: &KeyFingerprint,
        audit: &AuditEntry,
    ) -> Result<bool, StoreError> {
        let pooled = self.pool.get().await?;
        let mut batch = Batch::new(&pooled);
        register(&mut batch, pepper);
        batch.add(BanRow::from(ban).insert_into(bans::table));
        audit::write(&mut batch, audit);
        batch.try_commit().await
    }

    async fn rehash(
        &self,
        id: BanId,
        hash: &PepperedHash,
        pepper: &KeyFingerprint,
    ) -> Result<bool, StoreError> {
        let change = (
            bans::pepper_id.eq(hash.pepper.as_str().to_owned()),
            bans::hash.eq(hash.hash.to_vec()),
        );
        let pooled = self.pool.get().await?;
        let mut batch = Batch::new(&pooled);
        register(&mut batch, pepper);
        batch.add(diesel::update(bans::table.find(Bind(id))).set(change));
        batch.try_commit().await
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
        let pooled = self.pool.get().await?;
        let mut batch = Batch::new(&pooled);
        let live_bans = bans::table
            .find(Bind(id))
            .filter(bans::revoked_at.is_null());
        let write = diesel::update(live_bans).set(bans::revoked_at.eq(Bind(revoked)));
        batch.require(write, ());
        audit::write(&mut batch, audit);
        batch.try_commit().await
    }
}

/// Adds the registration of the pepper of a new ban's hash.
fn register(batch: &mut Batch<'_, ()>, pepper: &KeyFingerprint) {
    batch.add(sql_query(LOCK_NODES));
    let register = sql_query(REGISTER_PEPPER)
        .bind::<Text, _>(pepper.id.as_str().to_owned())
        .bind::<Bytea, _>(pepper.digest.to_vec())
        .bind::<Text, _>(pepper.to_string());
    batch.require(register, ());
}
