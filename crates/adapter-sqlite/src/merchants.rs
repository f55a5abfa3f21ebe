//! Merchants and their keys; every change is written with its audit entry.

use async_trait::async_trait;
use diesel::prelude::*;
use oncharge_domain::{
    audit::AuditEntry,
    id::{ApiKeyId, MerchantId},
    merchant::{ApiKey, ApiKeyHash, Merchant},
    time::Timestamp,
};
use oncharge_ports::{CommitError, MerchantRepository, StoreError, merchant_repository::Rotation};

use crate::{
    commit::{key::KeyRows, write_audit},
    error,
    rows::{
        audit::AuditRow,
        id_bytes,
        merchant::{ApiKeyRow, MerchantRow},
    },
    schema::{api_keys, merchants},
    store::SqliteStore,
    writer::Lane,
};

#[async_trait]
impl MerchantRepository for SqliteStore {
    async fn create(
        &self,
        merchant: &Merchant,
        key: &ApiKey,
        hash: &ApiKeyHash,
        audit: &AuditEntry,
    ) -> Result<(), StoreError> {
        let row = MerchantRow::of(merchant)?;
        let key = ApiKeyRow::of(key, hash, self.sealer())?;
        let audit = AuditRow::of(audit);
        let created = self.write(Lane::Request, move |connection| {
            let insert = row.insert_into(merchants::table);
            insert.execute(connection).map_err(error::commit)?;
            let insert = key.insert_into(api_keys::table);
            insert.execute(connection).map_err(error::commit)?;
            write_audit(connection, [audit])
        });
        created.await.map_err(error::outside_a_unit)
    }

    async fn merchant(&self, id: MerchantId) -> Result<Option<Merchant>, StoreError> {
        self.read(|connection| {
            merchants::table
                .find(id_bytes(id))
                .select(MerchantRow::as_select())
                .get_result(connection)
                .optional()
                .map_err(error::store)?
                .map(MerchantRow::merchant)
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
                query = query.filter(merchants::id.gt(id_bytes(after)));
            }
            let found: Vec<MerchantRow> = query.load(connection).map_err(error::store)?;
            found.into_iter().map(MerchantRow::merchant).collect()
        })
    }

    async fn update(&self, merchant: &Merchant, audit: &AuditEntry) -> Result<bool, StoreError> {
        let MerchantRow { id, settings, .. } = MerchantRow::of(merchant)?;
        let audit = AuditRow::of(audit);
        let updated = self.write(Lane::Request, move |connection| {
            let update = diesel::update(merchants::table.find(id)).set(settings);
            if update.execute(connection).map_err(error::commit)? == 0 {
                return Ok(false);
            }
            write_audit(connection, [audit])?;
            Ok(true)
        });
        updated.await.map_err(error::outside_a_unit)
    }

    async fn add_key(
        &self,
        key: &ApiKey,
        hash: &ApiKeyHash,
        audit: &AuditEntry,
    ) -> Result<(), StoreError> {
        let key = ApiKeyRow::of(key, hash, self.sealer())?;
        let audit = AuditRow::of(audit);
        let added = self.write(Lane::Request, move |connection| {
            let insert = key.insert_into(api_keys::table);
            insert.execute(connection).map_err(error::commit)?;
            write_audit(connection, [audit])
        });
        added.await.map_err(error::outside_a_unit)
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
            .map(|(key, merchant)| Ok((key.api_key(self.sealer())?, merchant.merchant()?)))
            .transpose()
    }

    async fn end_key(
        &self,
        id: ApiKeyId,
        at: Timestamp,
        audit: &AuditEntry,
    ) -> Result<(), StoreError> {
        let audit = AuditRow::of(audit);
        let ended = self.write(Lane::Request, move |connection| {
            end_key(connection, id, at).map_err(error::commit)?;
            write_audit(connection, [audit])
        });
        ended.await.map_err(error::outside_a_unit)
    }
    async fn rotate_key(&self, rotation: &Rotation) -> Result<(), CommitError> {
        let key = ApiKeyRow::of(&rotation.key, &rotation.hash, self.sealer())?;
        let (replaced, ends_at) = (rotation.replaced, rotation.replaced_ends_at);
        let remembered = rotation.remembered.as_ref();
        let remembered = remembered.map(|write| KeyRows::of(write, self.sealer()));
        let remembered = remembered.transpose()?;
        let audit = AuditRow::of(&rotation.audit);
        self.write(Lane::Request, move |connection| {
            if let Some(remembered) = remembered {
                remembered.write(connection)?;
            }
            let insert = key.insert_into(api_keys::table);
            insert.execute(connection).map_err(error::commit)?;
            end_key(connection, replaced, ends_at).map_err(error::commit)?;
            write_audit(connection, [audit])
        })
        .await
    }
}

/// Ends a key at this time unless it has ended before.
fn end_key(connection: &mut SqliteConnection, id: ApiKeyId, at: Timestamp) -> QueryResult<()> {
    let at = at.unix_micros();
    let later = api_keys::table
        .find(id_bytes(id))
        .filter(api_keys::ends_at.is_null().or(api_keys::ends_at.gt(at)));
    let update = diesel::update(later).set(api_keys::ends_at.eq(at));
    update.execute(connection)?;
    Ok(())
}
