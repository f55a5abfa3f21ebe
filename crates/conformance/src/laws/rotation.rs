//! Rotation of API keys.

use anyhow::{Context, ensure};
use futures_util::future::{join, join_all};
use oncharge_domain::{
    audit::AuditAction,
    merchant::{ApiKey, ApiKeyHash, MAX_ACTIVE_KEYS, MAX_ENDING_KEYS},
};
use oncharge_ports::{
    CommitError,
    merchant_repository::{KeyRotation, RotationOutcome as Is},
    unit_of_work::IdempotencyWrite,
};

use crate::{
    TestedStore,
    fixture::{Fixture, fingerprint, response},
    laws::merchants::equal,
};

/// A merchant with a key to be rotated.
struct Shop {
    fixture: Fixture,
    old: ApiKey,
    old_hash: ApiKeyHash,
}

impl Shop {
    async fn new(store: &TestedStore) -> anyhow::Result<Self> {
        Self::of(Fixture::new(store).await?).await
    }

    /// The same with another merchant.
    async fn next(mut self) -> anyhow::Result<Self> {
        (self.fixture.merchant, self.fixture.key) = self.fixture.other_merchant_with_key().await?;
        Self::of(self.fixture).await
    }

    async fn of(fixture: Fixture) -> anyhow::Result<Self> {
        let (old, old_hash) = fixture.build.api_key(&fixture.merchant);
        let audit = fixture.build.audit(AuditAction::KeyCreated);
        let merchants = &fixture.store.merchants;
        merchants.add_key(&old, &old_hash, &audit).await?;
        Ok(Self {
            fixture,
            old,
            old_hash,
        })
    }

    /// A rotation under this idempotency key; the old API key ends after this many seconds.
    fn rotation(&self, text: &str, seconds: i64) -> KeyRotation {
        let fixture = &self.fixture;
        let (key, hash) = fixture.build.api_key(&fixture.merchant);
        KeyRotation {
            key,
            hash,
            replaced: self.old.id,
            at: fixture.build.now(),
            replaced_ends_at: fixture.build.now().plus_seconds(seconds),
            remembered: Some(IdempotencyWrite::ReserveAndComplete {
                scope: fixture.build.scope(&fixture.merchant, text),
                fingerprint: fingerprint(),
                response: response(text),
                at: fixture.build.now(),
            }),
            audit: fixture.build.audit(AuditAction::KeyRotated),
        }
    }

    async fn rotate(&self, rotation: &KeyRotation) -> Result<Is, CommitError> {
        self.fixture.store.merchants.rotate_key(rotation).await
    }

    /// Checks that the old key ends after this many seconds.
    async fn old_ends(&self, seconds: Option<i64>, what: &str) -> anyhow::Result<()> {
        let found = self.fixture.store.merchants.key(&self.old_hash).await?;
        let (found, _) = found.context("the old key")?;
        let end = |seconds| self.fixture.build.now().plus_seconds(seconds);
        ensure_eq!(found.ends_at, seconds.map(end), "the old key's end {what}");
        Ok(())
    }

    /// Checks that neither the new key nor the record of a failed rotation is stored.
    async fn nothing_of(&self, rotation: &KeyRotation, text: &str) -> anyhow::Result<()> {
        let store = &self.fixture.store;
        if rotation.hash != self.old_hash {
            let found = store.merchants.key(&rotation.hash).await?;
            ensure!(found.is_none(), "the key of a failed rotation is stored");
        }
        let scope = self.fixture.build.scope(&self.fixture.merchant, text);
        let record = store.checkout.key(&scope).await?;
        let answered = record.and_then(|record| record.response);
        ensure!(
            answered != Some(response(text)),
            "the record of a failed rotation is stored"
        );
        Ok(())
    }
}

/// The new key, the end of the old one and the response with the new key are committed together.
pub async fn a_rotation_stores_its_response(store: &TestedStore) -> anyhow::Result<()> {
    let shop = Shop::new(store).await?;
    let first = shop.rotation("first", 100);
    ensure_eq!(
        shop.rotate(&first).await?,
        Is::Rotated,
        "the rotation of an active key"
    );
    let found = store.merchants.key(&first.hash).await?;
    let (found, owner) = found.context("the new key")?;
    equal(&found, &first.key)?;
    ensure_eq!(owner, shop.fixture.merchant, "the merchant of the new key");
    shop.old_ends(Some(100), "at first").await?;
    let scope = shop.fixture.build.scope(&shop.fixture.merchant, "first");
    let record = store.checkout.key(&scope).await?.context("the record")?;
    ensure_eq!(record.response, Some(response("first")), "the response");
    ensure_eq!(
        record.responded_at,
        Some(shop.fixture.build.now()),
        "the time of the response"
    );

    Ok(())
}

/// A rotation needs no idempotency record; one of another merchant's key writes nothing.
pub async fn a_rotation_replaces_a_key_of_its_own_merchant(
    store: &TestedStore,
) -> anyhow::Result<()> {
    let shop = Shop::new(store).await?;
    let other = shop.fixture.other_merchant().await?;
    let (key, hash) = shop.fixture.build.api_key(&other);
    let foreign = KeyRotation {
        key,
        hash,
        ..shop.rotation("foreign", 10)
    };
    ensure_eq!(
        shop.rotate(&foreign).await?,
        Is::NotActive,
        "the rotation of another merchant's key"
    );
    shop.nothing_of(&foreign, "foreign").await?;
    shop.old_ends(None, "after another merchant's rotation")
        .await?;
    let plain = KeyRotation {
        remembered: None,
        ..shop.rotation("none", 0)
    };
    ensure_eq!(
        shop.rotate(&plain).await?,
        Is::Rotated,
        "the rotation without an idempotency record"
    );
    let found = store.merchants.key(&plain.hash).await?;
    ensure!(
        found.is_some(),
        "a key was not stored without an idempotency record"
    );
    shop.old_ends(Some(0), "ends at once").await
}

/// A key that was rotated or revoked cannot be rotated, and of many concurrent rotations exactly
/// one succeeds; the others write nothing.
pub async fn a_key_is_rotated_once(store: &TestedStore) -> anyhow::Result<()> {
    let shop = Shop::new(store).await?;
    let all: Vec<(String, KeyRotation)> = (0..8)
        .map(|number| {
            let text = format!("k{number}");
            let rotation = shop.rotation(&text, 100 + number);
            (text, rotation)
        })
        .collect();
    let racing = all.iter().map(|(_, rotation)| shop.rotate(rotation));
    let results = join_all(racing).await;
    let mut won = 0;
    for ((text, rotation), result) in all.iter().zip(results) {
        if result? == Is::Rotated {
            won += 1;
        } else {
            shop.nothing_of(rotation, text).await?;
        }
    }
    ensure_eq!(won, 1, "the number of rotations of one key");
    let late = shop.rotation("late", 10);
    ensure_eq!(
        shop.rotate(&late).await?,
        Is::NotActive,
        "the rotation of a key in its grace period"
    );
    shop.nothing_of(&late, "late").await?;

    let shop = shop.next().await?;
    let audit = shop.fixture.build.audit(AuditAction::KeyRevoked);
    let now = shop.fixture.build.now();
    store.merchants.end_key(shop.old.id, now, &audit).await?;
    let revoked = shop.rotation("revoked", 10);
    ensure_eq!(
        shop.rotate(&revoked).await?,
        Is::NotActive,
        "the rotation of a revoked key"
    );
    shop.nothing_of(&revoked, "revoked").await?;
    shop.old_ends(Some(0), "stays revoked").await
}

/// However many keys are rotated concurrently, at most [`MAX_ENDING_KEYS`] keys of a merchant are
/// in their grace period; a refused rotation writes nothing. Rotations without a grace period are
/// not limited, and a key that has ended no longer counts.
pub async fn keys_in_grace_are_limited(store: &TestedStore) -> anyhow::Result<()> {
    let shop = Shop::new(store).await?;
    let replacing = |replaced: &ApiKey, text: &str, seconds| KeyRotation {
        replaced: replaced.id,
        ..shop.rotation(text, seconds)
    };
    let first = replacing(&shop.old, "first", 100);
    ensure_eq!(
        shop.rotate(&first).await?,
        Is::Rotated,
        "the first rotation"
    );
    let mut active = vec![shop.fixture.key.clone(), first.key];
    while active.len() < MAX_ACTIVE_KEYS as usize {
        let (key, hash) = shop.fixture.build.api_key(&shop.fixture.merchant);
        let audit = shop.fixture.build.audit(AuditAction::KeyCreated);
        let added = store.merchants.add_key(&key, &hash, &audit).await?;
        ensure!(added, "an active key was refused");
        active.push(key);
    }
    let racing: Vec<(String, KeyRotation)> = active
        .iter()
        .map(|key| (key.id.to_string(), replacing(key, &key.id.to_string(), 50)))
        .collect();
    let outcomes = join_all(racing.iter().map(|(_, rotation)| shop.rotate(rotation))).await;
    let mut refused = Vec::new();
    for ((text, rotation), outcome) in racing.iter().zip(outcomes) {
        let outcome = outcome?;
        if outcome != Is::Rotated {
            ensure_eq!(outcome, Is::TooManyEnding, "a rotation beyond the limit");
            shop.nothing_of(rotation, text).await?;
            refused.push(rotation.replaced);
        }
    }
    ensure_eq!(refused.len(), 1, "the number of rotations beyond the limit");
    let now = shop.fixture.build.now();
    let keys = store.merchants.keys(shop.fixture.merchant.id, now).await?;
    let ending = keys.iter().filter(|key| !key.is_active()).count();
    ensure_eq!(
        ending,
        MAX_ENDING_KEYS as usize,
        "the number of keys in their grace period"
    );

    let left = active.iter().find(|key| refused.contains(&key.id));
    let at_once = replacing(left.context("no key is active")?, "at_once", 0);
    ensure_eq!(
        shop.rotate(&at_once).await?,
        Is::Rotated,
        "the rotation without a grace period"
    );
    let sixth = replacing(&at_once.key, "sixth", 100);
    ensure_eq!(
        shop.rotate(&sixth).await?,
        Is::TooManyEnding,
        "the rotation beyond the limit"
    );
    shop.fixture.build.advance(50);
    let later = replacing(&at_once.key, "later", 100);
    ensure_eq!(
        shop.rotate(&later).await?,
        Is::Rotated,
        "the rotation after other keys have ended"
    );
    Ok(())
}

/// After a rotation concurrent with the end of all keys, every key has ended, whichever comes
/// first.
pub async fn no_rotation_survives_ending_all_keys(store: &TestedStore) -> anyhow::Result<()> {
    let mut shop = Shop::new(store).await?;
    for round in 0..8 {
        shop = shop.next().await?;
        let (merchant, now) = (shop.fixture.merchant.id, shop.fixture.build.now());
        let audit = shop.fixture.build.audit(AuditAction::KeyRevoked);
        let rotation = shop.rotation(&format!("round{round}"), 100);
        let ending = store.merchants.end_all_keys(merchant, now, &audit);
        let (rotated, ended) = join(shop.rotate(&rotation), ending).await;
        rotated?;
        ensure!(ended? >= 2, "the merchant had fewer than two keys");
        let left = store.merchants.keys(merchant, now).await?;
        ensure_eq!(left.len(), 0, "the number of remaining keys");
    }
    Ok(())
}

/// If the idempotency key or the new key's hash is taken, nothing is written: the old key stays
/// valid, and there is no new one.
pub async fn a_failed_rotation_writes_nothing(store: &TestedStore) -> anyhow::Result<()> {
    let shop = Shop::new(store).await?;
    let scope = shop.fixture.build.scope(&shop.fixture.merchant, "taken");
    shop.fixture
        .commit(shop.fixture.unit_storing_response(&scope, "another"))
        .await?;
    let taken = shop.rotation("taken", 10);
    ensure_err!(
        shop.rotate(&taken).await,
        CommitError::IdempotencyKeyTaken,
        "the rotation with a taken idempotency key"
    );
    shop.nothing_of(&taken, "taken").await?;
    shop.old_ends(None, "after a taken key").await?;
    let clashing = KeyRotation {
        hash: shop.old_hash.clone(),
        ..shop.rotation("clashing", 10)
    };
    ensure!(
        shop.rotate(&clashing).await.is_err(),
        "two keys have the same hash"
    );
    shop.nothing_of(&clashing, "clashing").await?;
    shop.old_ends(None, "after a hash conflict").await
}
