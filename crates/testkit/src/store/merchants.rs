//! The store in memory as `MerchantRepository`.

use std::sync::atomic::Ordering;

use async_trait::async_trait;
use oncharge_domain::{
    audit::AuditEntry,
    id::{ApiKeyId, MerchantId},
    merchant::{ApiKey, ApiKeyHash, Merchant},
    time::Timestamp,
};
use oncharge_ports::{CommitError, MerchantRepository, StoreError, merchant_repository::Rotation};

use super::{MemoryStore, state::State};

fn insert_key(state: &mut State, key: &ApiKey, hash: &ApiKeyHash) -> Result<(), StoreError> {
    if !state.merchants.contains_key(&key.merchant) {
        return Err(StoreError::Failed("a key needs its merchant".into()));
    }
    if state.api_keys.contains_key(hash) {
        return Err(StoreError::Failed("a key's hash is there once".into()));
    }
    state.api_keys.insert(hash.clone(), key.clone());
    Ok(())
}

/// Ends a key then, unless it ends before.
fn end_key(state: &mut State, id: ApiKeyId, at: Timestamp) {
    if let Some(key) = state.api_keys.values_mut().find(|key| key.id == id) {
        key.ends_at = Some(key.ends_at.map_or(at, |end| end.min(at)));
    }
}

#[async_trait]
impl MerchantRepository for MemoryStore {
    async fn create(
        &self,
        merchant: &Merchant,
        key: &ApiKey,
        hash: &ApiKeyHash,
        audit: &AuditEntry,
    ) -> Result<(), StoreError> {
        let mut state = self.state();
        let mut next = state.clone();
        if next
            .merchants
            .insert(merchant.id, merchant.clone())
            .is_some()
        {
            return Err(StoreError::Failed("a merchant is created once".into()));
        }
        insert_key(&mut next, key, hash)?;
        next.audit.push(audit.clone());
        *state = next;
        Ok(())
    }

    async fn merchant(&self, id: MerchantId) -> Result<Option<Merchant>, StoreError> {
        Ok(self.state().merchants.get(&id).cloned())
    }

    async fn list(
        &self,
        after: Option<MerchantId>,
        limit: u32,
    ) -> Result<Vec<Merchant>, StoreError> {
        let state = self.state();
        let is_next = |id: MerchantId| after.is_none_or(|after| id.uuid() > after.uuid());
        let all = state.merchants.values().cloned();
        let mut found: Vec<Merchant> = all.filter(|merchant| is_next(merchant.id)).collect();
        found.sort_by_key(|merchant| merchant.id.uuid());
        found.truncate(limit as usize);
        Ok(found)
    }

    async fn update(&self, merchant: &Merchant, audit: &AuditEntry) -> Result<bool, StoreError> {
        let mut state = self.state();
        let Some(found) = state.merchants.get_mut(&merchant.id) else {
            return Ok(false);
        };
        *found = merchant.clone();
        state.audit.push(audit.clone());
        Ok(true)
    }

    async fn add_key(
        &self,
        key: &ApiKey,
        hash: &ApiKeyHash,
        audit: &AuditEntry,
    ) -> Result<(), StoreError> {
        let mut state = self.state();
        insert_key(&mut state, key, hash)?;
        state.audit.push(audit.clone());
        Ok(())
    }

    async fn key(&self, hash: &ApiKeyHash) -> Result<Option<(ApiKey, Merchant)>, StoreError> {
        self.key_reads.fetch_add(1, Ordering::Relaxed);
        let state = self.state();
        let found = state.api_keys.get(hash).and_then(|key| {
            let merchant = state.merchants.get(&key.merchant)?;
            Some((key.clone(), merchant.clone()))
        });
        Ok(found)
    }

    async fn end_key(
        &self,
        id: ApiKeyId,
        at: Timestamp,
        audit: &AuditEntry,
    ) -> Result<(), StoreError> {
        let mut state = self.state();
        end_key(&mut state, id, at);
        state.audit.push(audit.clone());
        Ok(())
    }

    async fn rotate_key(&self, rotation: &Rotation) -> Result<(), CommitError> {
        self.write(|state| {
            insert_key(state, &rotation.key, &rotation.hash)?;
            end_key(state, rotation.replaced, rotation.replaced_ends_at);
            if let Some(remembered) = &rotation.remembered {
                state.write_key(remembered.clone())?;
            }
            state.audit.push(rotation.audit.clone());
            Ok(())
        })
        .await
    }
}
