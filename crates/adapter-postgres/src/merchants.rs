//! Merchants and their API keys; every change is committed with its audit entry.

use async_trait::async_trait;
use diesel::{pg::Pg, prelude::*, query_builder::QueryFragment, sql_query, sql_types::BigInt};
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
    rows::merchant::{ApiKeyRow, MerchantRow, psp_account},
    schema::{api_keys, merchants},
    sql_types::{Id, Instant},
};

use crate::{
    audit,
    batch::{Batch, BatchError},
    idempotency,
    precondition::{Precondition, commit_error_outside_session},
    store::PostgresStore,
};

/// Serializes the changes of one merchant until the end of the transaction. `NO KEY`, so that
/// foreign key checks, and with them all request paths, are not blocked.
const MERCHANT_LOCK: &str = "SELECT id FROM merchants WHERE id = $1 FOR NO KEY UPDATE";

/// Returns one row if the merchant has fewer than $2 active keys.
const BELOW_KEY_LIMIT: &str = "
SELECT 1 WHERE (SELECT count(*) FROM api_keys WHERE merchant_id = $1 AND ends_at IS NULL) < $2";

/// Returns one row if at most $3 keys of the merchant are in their grace period at $2.
const ENDING_ARE_FEW: &str = "
SELECT 1 WHERE (SELECT count(*) FROM api_keys WHERE merchant_id = $1 AND ends_at > $2) <= $3";

/// Ends a key that is in its grace period or one of several active ones.
const REMOVE_KEY: &str = "
UPDATE api_keys SET ends_at = $3 WHERE id = $1 AND merchant_id = $2
    AND (ends_at > $3 OR ends_at IS NULL AND EXISTS (SELECT FROM api_keys AS other
        WHERE other.merchant_id = $2 AND other.ends_at IS NULL AND other.id <> $1))";

/// Locks the merchant against concurrent changes of its keys or endings of its deliveries, until
/// the end of the transaction.
pub(crate) fn merchant_lock(merchant: MerchantId) -> impl QueryFragment<Pg> + Send + use<> {
    sql_query(MERCHANT_LOCK).bind::<Id, _>(merchant)
}

#[async_trait]
impl MerchantRepository for PostgresStore {
    async fn create(
        &self,
        merchant: &Merchant,
        key: &ApiKey,
        hash: &ApiKeyHash,
        audit: &AuditEntry,
    ) -> Result<(), StoreError> {
        let row = MerchantRow::try_from(merchant)?;
        let key = ApiKeyRow::seal(key, hash, &self.sealer)?;
        let pooled = self.pool.get().await?;
        let mut batch = Batch::<()>::new(&pooled);
        batch.add(row.insert_into(merchants::table));
        batch.add(key.insert_into(api_keys::table));
        audit::write(&mut batch, audit);
        batch.commit().await?;
        Ok(())
    }

    async fn merchant(&self, id: MerchantId) -> Result<Option<Merchant>, StoreError> {
        let query = merchants::table
            .find(Bind(id))
            .select(MerchantRow::as_select());
        let found: Vec<MerchantRow> = self.read(query).await?;
        found.into_iter().next().map(Merchant::try_from).transpose()
    }

    async fn list(
        &self,
        after: Option<MerchantId>,
        limit: u32,
    ) -> Result<Vec<Merchant>, StoreError> {
        let mut query = merchants::table
            .order(merchants::id)
            .limit(limit.into())
            .select(MerchantRow::as_select())
            .into_boxed::<Pg>();
        if let Some(after) = after {
            query = query.filter(merchants::id.gt(Bind(after)));
        }
        let found: Vec<MerchantRow> = self.read(query).await?;
        found.into_iter().map(Merchant::try_from).collect()
    }

    async fn psp_accounts(&self) -> Result<Vec<PspAccount>, StoreError> {
        let names = (merchants::connector, merchants::account);
        let query = merchants::table.select(names).distinct().order(names);
        let found: Vec<(String, String)> = self.read(query).await?;
        found
            .iter()
            .map(|(connector, account)| psp_account(connector, account))
            .collect()
    }

    async fn update(&self, merchant: &Merchant, audit: &AuditEntry) -> Result<bool, StoreError> {
        let settings = MerchantRow::try_from(merchant)?.settings;
        let pooled = self.pool.get().await?;
        let mut batch = Batch::new(&pooled);
        let before = i64::from(merchant.version) - 1;
        let row = merchants::table
            .find(Bind(merchant.id))
            .filter(merchants::version.eq(before));
        batch.require(diesel::update(row).set(settings), ());
        audit::write(&mut batch, audit);
        batch.try_commit().await
    }

    async fn add_key(
        &self,
        key: &ApiKey,
        hash: &ApiKeyHash,
        audit: &AuditEntry,
    ) -> Result<bool, StoreError> {
        let row = ApiKeyRow::seal(key, hash, &self.sealer)?;
        let pooled = self.pool.get().await?;
        let mut batch = Batch::new(&pooled);
        batch.add(merchant_lock(key.merchant));
        let below_key_limit = sql_query(BELOW_KEY_LIMIT)
            .bind::<Id, _>(key.merchant)
            .bind::<BigInt, _>(i64::from(MAX_ACTIVE_KEYS));
        batch.require(below_key_limit, ());
        batch.add(row.insert_into(api_keys::table));
        audit::write(&mut batch, audit);
        batch.try_commit().await
    }

    async fn key(&self, hash: &ApiKeyHash) -> Result<Option<(ApiKey, Merchant)>, StoreError> {
        let query = api_keys::table
            .inner_join(merchants::table)
            .filter(api_keys::key_hash.eq(hash.bytes().to_vec()))
            .select((ApiKeyRow::as_select(), MerchantRow::as_select()));
        let found: Vec<(ApiKeyRow, MerchantRow)> = self.read(query).await?;
        let both = |(key, merchant): (ApiKeyRow, MerchantRow)| {
            Ok((key.open(&self.sealer)?, merchant.try_into()?))
        };
        found.into_iter().next().map(both).transpose()
    }

    async fn key_with_id(&self, id: ApiKeyId) -> Result<Option<ApiKey>, StoreError> {
        let query = api_keys::table
            .find(Bind(id))
            .select(ApiKeyRow::as_select());
        let found: Vec<ApiKeyRow> = self.read(query).await?;
        let open = |row: ApiKeyRow| row.open(&self.sealer);
        found.into_iter().next().map(open).transpose()
    }

    async fn keys(&self, merchant: MerchantId, now: Timestamp) -> Result<Vec<ApiKey>, StoreError> {
        use api_keys::{created_at, ends_at, id, merchant_id, table};
        let query = table
            .filter(merchant_id.eq(Bind(merchant)))
            .filter(ends_at.is_null().or(ends_at.gt(Bind(now))))
            .order((created_at.desc(), id.desc()))
            .limit(i64::from(MAX_LISTED_KEYS))
            .select(ApiKeyRow::as_select());
        let found: Vec<ApiKeyRow> = self.read(query).await?;
        let open = |row: ApiKeyRow| row.open(&self.sealer);
        found.into_iter().map(open).collect()
    }

    async fn end_key(
        &self,
        id: ApiKeyId,
        end: Timestamp,
        audit: &AuditEntry,
    ) -> Result<(), StoreError> {
        use api_keys::{ends_at, table};
        let pooled = self.pool.get().await?;
        let mut batch = Batch::<()>::new(&pooled);
        let later = table
            .find(Bind(id))
            .filter(ends_at.is_null().or(ends_at.gt(Bind(end))));
        batch.add(diesel::update(later).set(ends_at.eq(Bind(end))));
        audit::write(&mut batch, audit);
        batch.commit().await?;
        Ok(())
    }

    async fn end_all_keys(
        &self,
        merchant: MerchantId,
        end: Timestamp,
        audit: &AuditEntry,
    ) -> Result<u64, StoreError> {
        use api_keys::{ends_at, merchant_id, table};
        let pooled = self.pool.get().await?;
        let mut batch = Batch::<()>::new(&pooled);
        batch.add(merchant_lock(merchant));
        audit::write(&mut batch, audit);
        let later = table
            .filter(merchant_id.eq(Bind(merchant)))
            .filter(ends_at.is_null().or(ends_at.gt(Bind(end))));
        batch.add(diesel::update(later).set(ends_at.eq(Bind(end))));
        Ok(batch.commit_and_count().await? as u64)
    }

    async fn remove_key(
        &self,
        merchant: MerchantId,
        id: ApiKeyId,
        end: Timestamp,
        audit: &AuditEntry,
    ) -> Result<KeyRemoval, StoreError> {
        {
            let pooled = self.pool.get().await?;
            let mut batch = Batch::new(&pooled);
            batch.add(merchant_lock(merchant));
            let remove = sql_query(REMOVE_KEY)
                .bind::<Id, _>(id)
                .bind::<Id, _>(merchant)
                .bind::<Instant, _>(end);
            batch.require(remove, ());
            audit::write(&mut batch, audit);
            if batch.try_commit().await? {
                return Ok(KeyRemoval::Ended);
            }
        }
        let found = self.key_with_id(id).await?;
        let is_kept = |key: ApiKey| key.merchant == merchant && key.is_valid(end);
        Ok(match found.map(is_kept) {
            Some(true) => KeyRemoval::LastActive,
            Some(false) | None => KeyRemoval::NotFound,
        })
    }

    async fn rotate_key(&self, rotation: &KeyRotation) -> Result<RotationOutcome, CommitError> {
        use api_keys::{ends_at, merchant_id, table};
        let merchant = rotation.key.merchant;
        let key = ApiKeyRow::seal(&rotation.key, &rotation.hash, &self.sealer)?;
        let pooled = self.pool.get().await?;
        let mut batch = Batch::new(&pooled);
        // Concurrent equal requests are serialized here: the later one must find the record, not an
        // ended key.
        if let Some(remembered) = &rotation.remembered {
            idempotency::write(&mut batch, &self.sealer, remembered)?;
        }
        batch.add(merchant_lock(merchant));
        let active = table
            .find(Bind(rotation.replaced))
            .filter(merchant_id.eq(Bind(merchant)))
            .filter(ends_at.is_null());
        let end = diesel::update(active).set(ends_at.eq(Bind(rotation.replaced_ends_at)));
        batch.require(end, Precondition::RowExists("an active key"));
        if rotation.replaced_ends_at > rotation.at {
            let are_few = sql_query(ENDING_ARE_FEW)
                .bind::<Id, _>(merchant)
                .bind::<Instant, _>(rotation.at)
                .bind::<BigInt, _>(i64::from(MAX_ENDING_KEYS));
            batch.require(
                are_few,
                Precondition::RowExists("room for another key in grace"),
            );
        }
        batch.add(key.insert_into(table));
        audit::write(&mut batch, &rotation.audit);
        match batch.commit().await {
            Ok(()) => return Ok(RotationOutcome::Rotated),
            Err(BatchError::PreconditionFailed(Precondition::RowExists(_))) => {}
            Err(error) => return Err(commit_error_outside_session(error)),
        }
        drop(pooled);
        let found = self.key_with_id(rotation.replaced).await?;
        let is_active = |key: &ApiKey| key.merchant == merchant && key.is_active();
        Ok(match found.filter(is_active) {
            Some(_) => RotationOutcome::TooManyEnding,
            None => RotationOutcome::NotActive,
        })
    }

    async fn record_key_use(&self, id: ApiKeyId, used: Timestamp) -> Result<(), StoreError> {
        use api_keys::{last_used_at, table};
        let before = used.plus_seconds(-LAST_USE_PRECISION_SECONDS);
        let stale = table
            .find(Bind(id))
            .filter(last_used_at.is_null().or(last_used_at.le(Bind(before))));
        let write = diesel::update(stale).set(last_used_at.eq(Bind(used)));
        self.write(write).await?;
        Ok(())
    }
}
