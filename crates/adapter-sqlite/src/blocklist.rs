//! The shared blocklist: bans by peppered hash, revoked but never deleted.

use async_trait::async_trait;
use diesel::{
    prelude::*,
    sql_query,
    sql_types::{Binary, Text},
};
use oncharge_domain::{
    audit::AuditEntry,
    blocklist::{Ban, PepperedHash},
    id::BanId,
    keyring::KeyFingerprint,
    time::Timestamp,
};
use oncharge_ports::{BlocklistRepository, CommitError, StoreError};
use oncharge_store_rows::{
    Bind,
    prepared::Prepared,
    rows::{audit::AuditRow, ban::BanRow},
    schema::bans,
};

use crate::{audit, clock::CLOCK, error, store::SqliteStore, writer::Priority};

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
            .filter(bans::expires_at.gt(Bind(now)))
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
            if !register(connection, &pepper)? {
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
            if !register(connection, &pepper)? {
                return Ok(false);
            }
            let rewrite = diesel::update(bans::table.find(Bind(id))).set((
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
                .find(Bind(id))
                .filter(bans::revoked_at.is_null());
            let update = diesel::update(live_ban).set(bans::revoked_at.eq(Bind(at)));
            if update.execute(connection).map_err(error::commit)? == 0 {
                return Ok(false);
            }
            audit::write(connection, [audit])?;
            Ok(true)
        });
        revoked.await.map_err(error::into_store_error)
    }
}

/// Registers a pepper if every live node has it, else changes nothing and returns `false`. The
/// writer's transaction excludes the concurrent publishing of nodes.
fn register(
    connection: &mut SqliteConnection,
    pepper: &KeyFingerprint,
) -> Result<bool, CommitError> {
    let register = format!(
        "INSERT INTO keys_in_use (purpose, key_id, digest) SELECT 'pepper', ?, ? \
         WHERE NOT EXISTS (SELECT 1 FROM nodes WHERE live_until > {CLOCK} \
         AND NOT EXISTS (SELECT 1 FROM json_each(pepper_keys) WHERE value = ?)) \
         ON CONFLICT (purpose, key_id) DO UPDATE SET digest = excluded.digest \
         WHERE keys_in_use.digest = excluded.digest"
    );
    let registered = sql_query(register)
        .bind::<Text, _>(pepper.id.as_str())
        .bind::<Binary, _>(pepper.digest.as_slice())
        .bind::<Text, _>(pepper.to_string())
        .execute(connection);
    Ok(registered.map_err(error::commit)? == 1)
}
