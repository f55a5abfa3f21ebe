//! `MerchantRepository` of the in-memory store.

use std::sync::atomic::Ordering;

use async_trait::async_trait;
use oncharge_domain::{
    audit::AuditEntry,
    id::{ApiKeyId, MerchantId},
    merchant::{ApiKey, ApiKeyHash, MAX_ACTIVE_KEYS, MAX_ENDING_KEYS, Merchant},
    psp::PspAccount,
    time::Timestamp,
};
use oncharge_ports::{
    CommitError, MerchantRepository, StoreError,
    merchant_repository::{KeyRemoval, KeyRotation, MAX_LISTED_KEYS, RotationOutcome},
};

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

    async fn psp_accounts(&self) -> Result<Vec<PspAccount>, StoreError> {
        let state = self.state();
        let accounts = state.merchants.values().map(|merchant| &merchant.account);
        let mut accounts: Vec<PspAccount> = accounts.cloned().collect();
        let by_names =
            |account: &PspAccount| (account.connector().to_owned(), account.account().to_owned());
        accounts.sort_by_key(by_names);
        accounts.dedup();
        Ok(accounts)
    }

    async fn update(&self, merchant: &Merchant, audit: &AuditEntry) -> Result<bool, StoreError> {
        let mut state = self.state();
        let found = state.merchants.get_mut(&merchant.id);
        let Some(found) = found.filter(|found| found.version + 1 == merchant.version) else {
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
    ) -> Result<bool, StoreError> {
        let mut state = self.state();
        let active = state.api_keys.values();
        let active = active.filter(|one| one.merchant == key.merchant && one.is_active());
        if active.count() >= MAX_ACTIVE_KEYS as usize {
            return Ok(false);
        }
        insert_key(&mut state, key, hash)?;
        state.audit.push(audit.clone());
        Ok(true)
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

    async fn key_with_id(&self, id: ApiKeyId) -> Result<Option<ApiKey>, StoreError> {
        let state = self.state();
        Ok(state.api_keys.values().find(|key| key.id == id).cloned())
    }

    async fn keys(&self, merchant: MerchantId, now: Timestamp) -> Result<Vec<ApiKey>, StoreError> {
        let state = self.state();
        let unended = state.api_keys.values();
        let unended = unended.filter(|key| key.merchant == merchant && key.is_valid(now));
        let mut keys: Vec<ApiKey> = unended.cloned().collect();
        keys.sort_by_key(|key| std::cmp::Reverse((key.created_at, key.id)));
        keys.truncate(MAX_LISTED_KEYS as usize);
        Ok(keys)
    }

    async fn end_key(
        &self,
        id: ApiKeyId,
        at: Timestamp,
        audit: &AuditEntry,
    ) -> Result<(), StoreError> {
        let mut state = self.state();
        if let Some(key) = state.api_keys.values_mut().find(|key| key.id == id) {
            key.ends_at = Some(key.ends_at.map_or(at, |end| end.min(at)));
        }
        state.audit.push(audit.clone());
        Ok(())
    }

    async fn end_all_keys(
        &self,
        merchant: MerchantId,
        at: Timestamp,
        audit: &AuditEntry,
    ) -> Result<u64, StoreError> {
        let mut state = self.state();
        let mut ended = 0;
        for key in state.api_keys.values_mut() {
            if key.merchant == merchant && key.is_valid(at) {
                key.ends_at = Some(at);
                ended += 1;
            }
        }
        state.audit.push(audit.clone());
        Ok(ended)
    }

    async fn remove_key(
        &self,
        merchant: MerchantId,
        id: ApiKeyId,
        at: Timestamp,
        audit: &AuditEntry,
    ) -> Result<KeyRemoval, StoreError> {
        let mut state = self.state();
        let keys = || {
            let keys = state.api_keys.values();
            keys.filter(|key| key.merchant == merchant && key.is_valid(at))
        };
        let Some(found) = keys().find(|key| key.id == id) else {
            return Ok(KeyRemoval::NotFound);
        };
        if found.is_active() && !keys().any(|key| key.id != id && key.is_active()) {
            return Ok(KeyRemoval::LastActive);
        }
        if let Some(key) = state.api_keys.values_mut().find(|key| key.id == id) {
            key.ends_at = Some(at);
        }
        state.audit.push(audit.clone());
        Ok(KeyRemoval::Ended)
    }

    async fn rotate_key(&self, rotation: &KeyRotation) -> Result<RotationOutcome, CommitError> {
        let mut refusal = None;
        let rotated = self.write(|state| {
            if let Some(remembered) = &rotation.remembered {
                state.write_idempotency_record(remembered.clone())?;
            }
            let (id, merchant) = (rotation.replaced, rotation.key.merchant);
            let mut keys = state.api_keys.values_mut();
            let replaced = keys.find(|key| key.id == id && key.merchant == merchant);
            let Some(replaced) = replaced.filter(|key| key.is_active()) else {
                refusal = Some(RotationOutcome::NotActive);
                return Err(CommitError::Conflict);
            };
            replaced.ends_at = Some(rotation.replaced_ends_at);
            let is_ending = |key: &&ApiKey| {
                key.merchant == merchant && !key.is_active() && key.is_valid(rotation.at)
            };
            let ending = state.api_keys.values().filter(is_ending).count();
            if rotation.replaced_ends_at > rotation.at && ending > MAX_ENDING_KEYS as usize {
                refusal = Some(RotationOutcome::TooManyEnding);
                return Err(CommitError::Conflict);
            }
            insert_key(state, &rotation.key, &rotation.hash)?;
            state.audit.push(rotation.audit.clone());
            Ok(())
        });
        let rotated = rotated.await;
        match refusal {
            Some(refusal) => Ok(refusal),
            None => rotated.map(|()| RotationOutcome::Rotated),
        }
    }

    async fn record_key_use(&self, id: ApiKeyId, at: Timestamp) -> Result<(), StoreError> {
        let mut state = self.state();
        let key = state.api_keys.values_mut().find(|key| key.id == id);
        if let Some(key) = key.filter(|key| key.should_record_use(at)) {
            key.last_used_at = Some(at);
        }
        Ok(())
    }
}
