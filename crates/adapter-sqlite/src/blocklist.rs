//! The shared blocklist: bans by peppered hash, revoked but never deleted.

use async_trait::async_trait;
use diesel::prelude::*;
use oncharge_domain::{
    audit::AuditEntry,
    blocklist::{Ban, PepperedHash},
    id::BanId,
    keyring::KeyFingerprint,
    time::Timestamp,
};
use oncharge_ports::{BlocklistRepository, StoreError};
use oncharge_store_rows::{
    Value,
    prepared::Prepared,
    rows::{audit::AuditRow, ban::BanRow},
    schema::bans,
};

use crate::{audit, error, key_registry::register_pepper, store::SqliteStore, writer::Priority};

#[async_trait]
impl BlocklistRepository for SqliteStore {
    async fn live_bans(
        &self,
        hashes: &[PepperedHash],
        now: Timestamp,
    ) -> Result<Vec<Ban>, StoreError> {
        if hashes.is_empty() {
            return Ok(Vec::new());
        }
        let bytes = hashes.iter().map(|hash| hash.hash.as_slice());
        let query = bans::table
            .filter(bans::hash.eq_any(bytes))
            .filter(bans::revoked_at.is_null())
            .filter(bans::expires_at.gt(Value(now)))
            .select(BanRow::as_select());
        let rows: Vec<BanRow> =
            self.read(|connection| Prepared(query).load(connection).map_err(error::store))?;
        let read: Result<Vec<Ban>, _> = rows.into_iter().map(Ban::try_from).collect();
        let mut found = read?;
        // A hash matches only under the pepper that it was made with.
        found.retain(|ban| hashes.contains(&ban.hash));
        Ok(found)
    }

    async fn add(
        &self,
        ban: &Ban,
        pepper: &KeyFingerprint,
        audit: &AuditEntry,
    ) -> Result<bool, StoreError> {
        let row = BanRow::from(ban);
        let (pepper, audit) = (pepper.clone(), AuditRow::from(audit));
        let added = self.write(Priority::Request, move |connection| {
            if !register_pepper(connection, &pepper)? {
                return Ok(false);
            }
            let insert = row.insert_into(bans::table);
            insert.execute(connection).map_err(error::commit)?;
            audit::write(connection, [audit])?;
            Ok(true)
        });
        added.await.map_err(error::into_store_error)
    }

    async fn rehash(
        &self,
        id: BanId,
        hash: &PepperedHash,
        pepper: &KeyFingerprint,
    ) -> Result<bool, StoreError> {
        let (hash, pepper) = (hash.clone(), pepper.clone());
        let written = self.write(Priority::Worker, move |connection| {
            if !register_pepper(connection, &pepper)? {
                return Ok(false);
            }
            let rewrite = diesel::update(bans::table.find(Value(id))).set((
                bans::pepper_id.eq(hash.pepper.as_str()),
                bans::hash.eq(hash.hash.as_slice()),
            ));
            rewrite.execute(connection).map_err(error::commit)?;
            Ok(true)
        });
        written.await.map_err(error::into_store_error)
    }

    async fn list(&self) -> Result<Vec<Ban>, StoreError> {
        let rows: Vec<BanRow> = self.read(|connection| {
            bans::table
                .order((bans::created_at.desc(), bans::id.desc()))
                .select(BanRow::as_select())
                .load(connection)
                .map_err(error::store)
        })?;
        rows.into_iter().map(Ban::try_from).collect()
    }

    async fn revoke(
        &self,
        id: BanId,
        at: Timestamp,
        audit: &AuditEntry,
    ) -> Result<bool, StoreError> {
        let audit = AuditRow::from(audit);
        let revoked = self.write(Priority::Request, move |connection| {
            let live_ban = bans::table
                .find(Value(id))
                .filter(bans::revoked_at.is_null());
            let update = diesel::update(live_ban).set(bans::revoked_at.eq(Value(at)));
            if update.execute(connection).map_err(error::commit)? == 0 {
                return Ok(false);
            }
            audit::write(connection, [audit])?;
            Ok(true)
        });
        revoked.await.map_err(error::into_store_error)
    }
}
