//! Mutants of merchants, their keys and the clean-up.

use async_trait::async_trait;
use oncharge_domain::{
    audit::AuditEntry,
    id::{ApiKeyId, MerchantId},
    merchant::{ApiKey, ApiKeyHash, Merchant},
    psp::PspAccount,
    time::Timestamp,
};
use oncharge_ports::{
    CommitError, Maintenance, MerchantRepository, StoreError,
    maintenance::{DeletedRows, ExpiringRows, TimeRange},
    merchant_repository::{KeyRemoval, KeyRotation, RotationOutcome},
};

use super::{MutantStore, Mutation};

#[async_trait]
impl MerchantRepository for MutantStore {
    async fn create(
        &self,
        merchant: &Merchant,
        key: &ApiKey,
        hash: &ApiKeyHash,
        audit: &AuditEntry,
    ) -> Result<(), StoreError> {
        self.store.create(merchant, key, hash, audit).await
    }

    async fn merchant(&self, id: MerchantId) -> Result<Option<Merchant>, StoreError> {
        self.store.merchant(id).await
    }

    async fn list(
        &self,
        after: Option<MerchantId>,
        limit: u32,
    ) -> Result<Vec<Merchant>, StoreError> {
        self.store.list(after, limit).await
    }

    async fn psp_accounts(&self) -> Result<Vec<PspAccount>, StoreError> {
        if self.has(Mutation::RepeatsAccounts) {
            let all = self.store.list(None, u32::MAX).await?;
            return Ok(all.into_iter().map(|merchant| merchant.account).collect());
        }
        self.store.psp_accounts().await
    }

    async fn update(&self, merchant: &Merchant, audit: &AuditEntry) -> Result<bool, StoreError> {
        let mut merchant = merchant.clone();
        if self.has(Mutation::KeepsRemovedBranding) {
            let before = self.store.merchant(merchant.id).await?;
            let before = before.map(|found| found.branding).unwrap_or_default();
            merchant.branding.accent = merchant.branding.accent.or(before.accent);
            merchant.branding.accent_dark = merchant.branding.accent_dark.or(before.accent_dark);
            merchant.branding.logo = merchant.branding.logo.or(before.logo);
        }
        self.store.update(&merchant, audit).await
    }

    async fn add_key(
        &self,
        key: &ApiKey,
        hash: &ApiKeyHash,
        audit: &AuditEntry,
    ) -> Result<bool, StoreError> {
        let added = self.store.add_key(key, hash, audit).await?;
        Ok(added || self.has(Mutation::ChecksThenWrites))
    }

    async fn key(&self, hash: &ApiKeyHash) -> Result<Option<(ApiKey, Merchant)>, StoreError> {
        let found = MerchantRepository::key(&*self.store, hash).await?;
        Ok(found.map(|(key, mut merchant)| {
            if self.has(Mutation::DropsLogos) {
                merchant.branding.logo = None;
            }
            (key, merchant)
        }))
    }

    async fn end_key(
        &self,
        id: ApiKeyId,
        at: Timestamp,
        audit: &AuditEntry,
    ) -> Result<(), StoreError> {
        self.store.end_key(id, at, audit).await
    }

    async fn key_with_id(&self, id: ApiKeyId) -> Result<Option<ApiKey>, StoreError> {
        self.store.key_with_id(id).await
    }

    async fn keys(&self, merchant: MerchantId, now: Timestamp) -> Result<Vec<ApiKey>, StoreError> {
        let mut keys = self.store.keys(merchant, now).await?;
        if self.has(Mutation::OldestFirst) {
            keys.reverse();
        }
        Ok(keys)
    }

    async fn end_all_keys(
        &self,
        merchant: MerchantId,
        at: Timestamp,
        audit: &AuditEntry,
    ) -> Result<u64, StoreError> {
        if self.has(Mutation::EndsOnlyKeysRead) {
            let read = self.store.keys(merchant, at).await?;
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
            for key in &read {
                self.store.end_key(key.id, at, audit).await?;
            }
            return Ok(read.len() as u64);
        }
        self.store.end_all_keys(merchant, at, audit).await
    }

    async fn remove_key(
        &self,
        merchant: MerchantId,
        id: ApiKeyId,
        at: Timestamp,
        audit: &AuditEntry,
    ) -> Result<KeyRemoval, StoreError> {
        if self.has(Mutation::ChecksThenWrites) {
            let keys = self.store.keys(merchant, at).await?;
            tokio::task::yield_now().await;
            let active = keys.iter().filter(|key| key.is_active()).count();
            if active > 1 {
                self.store.end_key(id, at, audit).await?;
                return Ok(KeyRemoval::Ended);
            }
        }
        self.store.remove_key(merchant, id, at, audit).await
    }

    async fn rotate_key(&self, rotation: &KeyRotation) -> Result<RotationOutcome, CommitError> {
        let mut rotation = rotation.clone();
        let result = self.store.rotate_key(&rotation).await;
        if self.has(Mutation::RotatesPartially) && !matches!(result, Ok(RotationOutcome::Rotated)) {
            let (id, at) = (rotation.replaced, rotation.replaced_ends_at);
            self.store.end_key(id, at, &rotation.audit).await?;
        }
        if self.has(Mutation::ChecksThenWrites)
            && matches!(result, Ok(RotationOutcome::TooManyEnding))
        {
            rotation.replaced_ends_at = rotation.at;
            return self.store.rotate_key(&rotation).await;
        }
        if self.has(Mutation::ChecksThenWrites) && matches!(result, Ok(RotationOutcome::NotActive))
        {
            let (key, hash) = (&rotation.key, &rotation.hash);
            self.store.add_key(key, hash, &rotation.audit).await?;
            return Ok(RotationOutcome::Rotated);
        }
        result
    }

    async fn record_key_use(&self, id: ApiKeyId, at: Timestamp) -> Result<(), StoreError> {
        self.store.record_key_use(id, at).await
    }
}

#[async_trait]
impl Maintenance for MutantStore {
    async fn ping(&self) -> Result<(), StoreError> {
        self.store.ping().await
    }

    async fn reseal(&self) -> Result<u64, StoreError> {
        self.store.reseal().await
    }

    async fn delete_expired(
        &self,
        rows: ExpiringRows,
        range: TimeRange,
        limit: u32,
    ) -> Result<DeletedRows, StoreError> {
        let (mut range, mut limit) = (range, limit);
        match self.mutation {
            Mutation::IgnoresBatchLimit => limit = 1000,
            // A delivery is deleted at any age, so this mutation has no effect on deliveries.
            Mutation::DeletesTooEarly if rows != ExpiringRows::Deliveries => {
                range.before = range.before.plus_seconds(1000);
            }
            _ => {}
        }
        self.store.delete_expired(rows, range, limit).await
    }
}
