//! Merchants and their API keys; every change is committed with its audit entry.

use async_trait::async_trait;
use diesel::{prelude::*, sql_query, sql_types::BigInt};
use oncharge_domain::{
    audit::AuditEntry,
    id::{ApiKeyId, MerchantId},
    merchant::{
        ApiKey, ApiKeyHash, LAST_USE_PRECISION_SECONDS, MAX_ACTIVE_KEYS, MAX_ENDING_KEYS, Merchant,
    },
    psp::PspAccount,
    time::Timestamp,
};
use oncharge_ports::{
    CommitError, MerchantRepository, StoreError,
    merchant_repository::{KeyRemoval, KeyRotation, MAX_LISTED_KEYS, RotationOutcome},
};
use oncharge_store_rows::{
    Bind,
    prepared::Prepared,
    rows::{
        audit::AuditRow,
        idempotency_key::KeyWrite,
        merchant::{ApiKeyRow, MerchantRow, psp_account},
    },
    schema::{api_keys, merchants},
    sql_types::{Id, Instant},
};

use crate::{audit, error, idempotency, store::SqliteStore, writer::Priority};

/// The keys of merchant `?1` that have not ended at `?2`, newest first, at most `?3`. A union of
/// two queries, because with `OR` SQLite would read the ended ones as well.
const KEYS: &str = "SELECT * FROM api_keys WHERE merchant_id = ?1 AND ends_at IS NULL \
     UNION ALL SELECT * FROM api_keys WHERE merchant_id = ?1 AND ends_at > ?2 \
     ORDER BY created_at DESC, id DESC LIMIT ?3 + 0";

#[async_trait]
impl MerchantRepository for SqliteStore {
    async fn create(
        &self,
        merchant: &Merchant,
        key: &ApiKey,
        hash: &ApiKeyHash,
        audit: &AuditEntry,
    ) -> Result<(), StoreError> {
        let row = MerchantRow::try_from(merchant)?;
        let key = ApiKeyRow::seal(key, hash, self.sealer())?;
        let audit = AuditRow::from(audit);
        let created = self.write(Priority::Request, move |connection| {
            let insert = row.insert_into(merchants::table);
            insert.execute(connection).map_err(error::commit)?;
            let insert = key.insert_into(api_keys::table);
            insert.execute(connection).map_err(error::commit)?;
            audit::write(connection, [audit])
        });
        created.await.map_err(error::into_store_error)
    }

    async fn merchant(&self, id: MerchantId) -> Result<Option<Merchant>, StoreError> {
        self.read(|connection| {
            merchants::table
                .find(Bind(id))
                .select(MerchantRow::as_select())
                .get_result(connection)
                .optional()
                .map_err(error::store)?
                .map(Merchant::try_from)
                .transpose()
        })
    }

    async fn list(
        &self,
        after: Option<MerchantId>,
        limit: u32,
    ) -> Result<Vec<Merchant>, StoreError> {
        self.read(|connection| {
            let mut query = merchants::table
                .order(merchants::id)
                .limit(limit.into())
                .select(MerchantRow::as_select())
                .into_boxed();
            if let Some(after) = after {
                query = query.filter(merchants::id.gt(Bind(after)));
            }
            let found: Vec<MerchantRow> = query.load(connection).map_err(error::store)?;
            found.into_iter().map(Merchant::try_from).collect()
        })
    }

    async fn psp_accounts(&self) -> Result<Vec<PspAccount>, StoreError> {
        self.read(|connection| {
            let names = (merchants::connector, merchants::account);
            let query = merchants::table.select(names).distinct().order(names);
            let found: Vec<(String, String)> = query.load(connection).map_err(error::store)?;
            found
                .iter()
                .map(|(connector, account)| psp_account(connector, account))
                .collect()
        })
    }

    async fn update(&self, merchant: &Merchant, audit: &AuditEntry) -> Result<bool, StoreError> {
        let settings = MerchantRow::try_from(merchant)?.settings;
        let id = merchant.id;
        let before = i64::from(merchant.version) - 1;
        let audit = AuditRow::from(audit);
        let updated = self.write(Priority::Request, move |connection| {
            let row = merchants::table
                .find(Bind(id))
                .filter(merchants::version.eq(before));
            let update = diesel::update(row).set(settings);
            if update.execute(connection).map_err(error::commit)? == 0 {
                return Ok(false);
            }
            audit::write(connection, [audit])?;
            Ok(true)
        });
        updated.await.map_err(error::into_store_error)
    }

    async fn add_key(
        &self,
        key: &ApiKey,
        hash: &ApiKeyHash,
        audit: &AuditEntry,
    ) -> Result<bool, StoreError> {
        let merchant = key.merchant;
        let key = ApiKeyRow::seal(key, hash, self.sealer())?;
        let audit = AuditRow::from(audit);
        let added = self.write(Priority::Request, move |connection| {
            let active: i64 = api_keys::table
                .filter(api_keys::merchant_id.eq(Bind(merchant)))
                .filter(api_keys::ends_at.is_null())
                .count()
                .get_result(connection)
                .map_err(error::commit)?;
            if active >= i64::from(MAX_ACTIVE_KEYS) {
                return Ok(false);
            }
            let insert = key.insert_into(api_keys::table);
            insert.execute(connection).map_err(error::commit)?;
            audit::write(connection, [audit])?;
            Ok(true)
        });
        added.await.map_err(error::into_store_error)
    }

    async fn key(&self, hash: &ApiKeyHash) -> Result<Option<(ApiKey, Merchant)>, StoreError> {
        let found: Option<(ApiKeyRow, MerchantRow)> = self.read(|connection| {
            api_keys::table
                .inner_join(merchants::table)
                .filter(api_keys::key_hash.eq(hash.bytes().as_slice()))
                .select((ApiKeyRow::as_select(), MerchantRow::as_select()))
                .get_result(connection)
                .optional()
                .map_err(error::store)
        })?;
        found
            .map(|(key, merchant)| Ok((key.open(self.sealer())?, merchant.try_into()?)))
            .transpose()
    }

    async fn key_with_id(&self, id: ApiKeyId) -> Result<Option<ApiKey>, StoreError> {
        let found: Option<ApiKeyRow> = self.read(|connection| {
            api_keys::table
                .find(Bind(id))
                .select(ApiKeyRow::as_select())
                .get_result(connection)
                .optional()
                .map_err(error::store)
        })?;
        found.map(|row| row.open(self.sealer())).transpose()
    }

    async fn keys(&self, merchant: MerchantId, now: Timestamp) -> Result<Vec<ApiKey>, StoreError> {
        let query = sql_query(KEYS)
            .bind::<Id, _>(merchant)
            .bind::<Instant, _>(now)
            .bind::<BigInt, _>(i64::from(MAX_LISTED_KEYS));
        let found: Vec<ApiKeyRow> =
            self.read(|connection| Prepared(query).load(connection).map_err(error::store))?;
        let keys = found.into_iter().map(|row| row.open(self.sealer()));
        keys.collect()
    }

    async fn end_key(
        &self,
        id: ApiKeyId,
        at: Timestamp,
        audit: &AuditEntry,
    ) -> Result<(), StoreError> {
        let audit = AuditRow::from(audit);
        let ended = self.write(Priority::Request, move |connection| {
            let later = api_keys::table.find(Bind(id)).filter(
                api_keys::ends_at
                    .is_null()
                    .or(api_keys::ends_at.gt(Bind(at))),
            );
            let update = diesel::update(later).set(api_keys::ends_at.eq(Bind(at)));
            update.execute(connection).map_err(error::commit)?;
            audit::write(connection, [audit])
        });
        ended.await.map_err(error::into_store_error)
    }

    async fn end_all_keys(
        &self,
        merchant: MerchantId,
        at: Timestamp,
        audit: &AuditEntry,
    ) -> Result<u64, StoreError> {
        let audit = AuditRow::from(audit);
        let ended = self.write(Priority::Request, move |connection| {
            let update = diesel::update(live_keys(merchant, at));
            let update = update.set(api_keys::ends_at.eq(Bind(at)));
            let ended = update.execute(connection).map_err(error::commit)?;
            audit::write(connection, [audit])?;
            Ok(ended as u64)
        });
        ended.await.map_err(error::into_store_error)
    }

    async fn remove_key(
        &self,
        merchant: MerchantId,
        id: ApiKeyId,
        at: Timestamp,
        audit: &AuditEntry,
    ) -> Result<KeyRemoval, StoreError> {
        let audit = AuditRow::from(audit);
        let removed = self.write(Priority::Request, move |connection| {
            let mine = live_keys(merchant, at).filter(api_keys::id.eq(Bind(id)));
            let found: Option<bool> = mine
                .select(api_keys::ends_at.is_null())
                .get_result(connection)
                .optional()
                .map_err(error::commit)?;
            let Some(is_active) = found else {
                return Ok(KeyRemoval::NotFound);
            };
            let another = api_keys::table
                .filter(api_keys::merchant_id.eq(Bind(merchant)))
                .filter(api_keys::ends_at.is_null())
                .filter(api_keys::id.ne(Bind(id)));
            let has_another: bool = diesel::select(diesel::dsl::exists(another))
                .get_result(connection)
                .map_err(error::commit)?;
            if is_active && !has_another {
                return Ok(KeyRemoval::LastActive);
            }
            let update = diesel::update(api_keys::table.find(Bind(id)));
            let update = update.set(api_keys::ends_at.eq(Bind(at)));
            update.execute(connection).map_err(error::commit)?;
            audit::write(connection, [audit])?;
            Ok(KeyRemoval::Ended)
        });
        removed.await.map_err(error::into_store_error)
    }

    async fn rotate_key(&self, rotation: &KeyRotation) -> Result<RotationOutcome, CommitError> {
        let key = ApiKeyRow::seal(&rotation.key, &rotation.hash, self.sealer())?;
        let merchant = rotation.key.merchant;
        let replaced = rotation.replaced;
        let (now, ends_at) = (rotation.at, rotation.replaced_ends_at);
        let remembered = rotation.remembered.as_ref();
        let remembered = remembered.map(|write| KeyWrite::seal(write, self.sealer()));
        let remembered = remembered.transpose()?;
        let audit = AuditRow::from(&rotation.audit);
        let rotated = self.write(Priority::Request, move |connection| {
            // Concurrent equal requests are serialized here: the later one must find the record,
            // not an ended key.
            if let Some(remembered) = remembered {
                idempotency::write(connection, remembered)?;
            }
            let active = api_keys::table
                .find(Bind(replaced))
                .filter(api_keys::merchant_id.eq(Bind(merchant)))
                .filter(api_keys::ends_at.is_null());
            let update = diesel::update(active).set(api_keys::ends_at.eq(Bind(ends_at)));
            let is_active = update.execute(connection).map_err(error::commit)? > 0;
            if !is_active || ends_at > now && !ending_are_few(connection, merchant, now)? {
                // Rolls the record back.
                return Err(CommitError::Conflict);
            }
            let insert = key.insert_into(api_keys::table);
            insert.execute(connection).map_err(error::commit)?;
            audit::write(connection, [audit])
        });
        match rotated.await {
            Ok(()) => return Ok(RotationOutcome::Rotated),
            Err(CommitError::Conflict) => {}
            Err(error) => return Err(error),
        }
        let found = self.key_with_id(rotation.replaced).await?;
        let is_active = |key: &ApiKey| key.merchant == merchant && key.is_active();
        Ok(match found.filter(is_active) {
            Some(_) => RotationOutcome::TooManyEnding,
            None => RotationOutcome::NotActive,
        })
    }

    async fn record_key_use(&self, id: ApiKeyId, used: Timestamp) -> Result<(), StoreError> {
        let recorded = self.write(Priority::Worker, move |connection| {
            let before = used.plus_seconds(-LAST_USE_PRECISION_SECONDS);
            let last = api_keys::last_used_at;
            let stale = api_keys::table
                .find(Bind(id))
                .filter(last.is_null().or(last.le(Bind(before))));
            let update = diesel::update(stale).set(last.eq(Bind(used)));
            update.execute(connection).map_err(error::commit)?;
            Ok(())
        });
        recorded.await.map_err(error::into_store_error)
    }
}

/// Whether at most the allowed number of the merchant's keys are in their grace period.
fn ending_are_few(
    connection: &mut SqliteConnection,
    merchant: MerchantId,
    now: Timestamp,
) -> Result<bool, CommitError> {
    let ending: i64 = api_keys::table
        .filter(api_keys::merchant_id.eq(Bind(merchant)))
        .filter(api_keys::ends_at.gt(Bind(now)))
        .count()
        .get_result(connection)
        .map_err(error::commit)?;
    Ok(ending <= i64::from(MAX_ENDING_KEYS))
}

/// Selects the merchant's keys that have not ended at this time.
#[diesel::dsl::auto_type(no_type_alias)]
fn live_keys(merchant: MerchantId, now: Timestamp) -> _ {
    let merchant: MerchantId = merchant;
    let now: Timestamp = now;
    let ends_at = api_keys::ends_at;
    api_keys::table
        .filter(api_keys::merchant_id.eq(Bind(merchant)))
        .filter(ends_at.is_null().or(ends_at.gt(Bind(now))))
}
