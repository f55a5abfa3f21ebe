//! Merchants and their API keys; every change is written with its audit entry.

use async_trait::async_trait;
use diesel::{pg::Pg, prelude::*};
use oncharge_domain::{
    audit::AuditEntry,
    id::{ApiKeyId, MerchantId},
    merchant::{ApiKey, ApiKeyHash, Merchant},
    time::Timestamp,
};
use oncharge_ports::{CommitError, MerchantRepository, StoreError, merchant_repository::Rotation};

use crate::{
    batch::Batch,
    commit, keys,
    rows::{
        at,
        audit::AuditRow,
        merchant::{ApiKeyRow, MerchantRow},
    },
    schema::{api_keys, audit_log, merchants},
    store::PostgresStore,
};

#[async_trait]
impl MerchantRepository for PostgresStore {
    async fn create(
        &self,
        merchant: &Merchant,
        key: &ApiKey,
        hash: &ApiKeyHash,
        audit: &AuditEntry,
    ) -> Result<(), StoreError> {
        let key = ApiKeyRow::seal(key, hash, &self.sealer)?;
        let lent = self.pool.get().await?;
        let mut batch = Batch::<()>::new(&lent);
        batch.add(MerchantRow::from(merchant).insert_into(merchants::table));
        batch.add(key.insert_into(api_keys::table));
        batch.add(AuditRow::from(audit).insert_into(audit_log::table));
        batch.commit().await?;
        Ok(())
    }

    async fn merchant(&self, id: MerchantId) -> Result<Option<Merchant>, StoreError> {
        let query = merchants::table
            .find(id.uuid())
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
            query = query.filter(merchants::id.gt(after.uuid()));
        }
        let found: Vec<MerchantRow> = self.read(query).await?;
        found.into_iter().map(Merchant::try_from).collect()
    }

    async fn update(&self, merchant: &Merchant, audit: &AuditEntry) -> Result<bool, StoreError> {
        let lent = self.pool.get().await?;
        let mut batch = Batch::new(&lent);
        let row = merchants::table.find(merchant.id.uuid());
        batch.require(diesel::update(row).set(MerchantRow::from(merchant)), ());
        batch.add(AuditRow::from(audit).insert_into(audit_log::table));
        batch.commit_if_there().await
    }

    async fn add_key(
        &self,
        key: &ApiKey,
        hash: &ApiKeyHash,
        audit: &AuditEntry,
    ) -> Result<(), StoreError> {
        let key = ApiKeyRow::seal(key, hash, &self.sealer)?;
        let lent = self.pool.get().await?;
        let mut batch = Batch::<()>::new(&lent);
        batch.add(key.insert_into(api_keys::table));
        batch.add(AuditRow::from(audit).insert_into(audit_log::table));
        batch.commit().await?;
        Ok(())
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

    async fn end_key(
        &self,
        id: ApiKeyId,
        end: Timestamp,
        audit: &AuditEntry,
    ) -> Result<(), StoreError> {
        let lent = self.pool.get().await?;
        let mut batch = Batch::<()>::new(&lent);
        end_at(&mut batch, id, end);
        batch.add(AuditRow::from(audit).insert_into(audit_log::table));
        batch.commit().await?;
        Ok(())
    }
    async fn rotate_key(&self, rotation: &Rotation) -> Result<(), CommitError> {
        let key = ApiKeyRow::seal(&rotation.key, &rotation.hash, &self.sealer)?;
        let lent = self.pool.get().await?;
        let mut batch = Batch::new(&lent);
        if let Some(remembered) = &rotation.remembered {
            keys::write(&mut batch, &self.sealer, remembered)?;
        }
        batch.add(key.insert_into(api_keys::table));
        end_at(&mut batch, rotation.replaced, rotation.replaced_ends_at);
        batch.add(AuditRow::from(&rotation.audit).insert_into(audit_log::table));
        batch.commit().await.map_err(commit::outcome)
    }
}

/// Ends a key at this time, unless it has ended before.
fn end_at<'a, Blame: Send + 'a>(batch: &mut Batch<'a, Blame>, id: ApiKeyId, end: Timestamp) {
    use api_keys::{ends_at, table};
    let later = table
        .find(id.uuid())
        .filter(ends_at.is_null().or(ends_at.gt(at(end))));
    batch.add(diesel::update(later).set(ends_at.eq(at(end))));
}
