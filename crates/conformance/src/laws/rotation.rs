//! A pair in place of another.

use anyhow::{Context, ensure};
use oncharge_domain::{
    audit::AuditAction,
    merchant::{ApiKey, ApiKeyHash},
};
use oncharge_ports::{CommitError, merchant_repository::Rotation, unit_of_work::KeyWrite};

use crate::{
    Store,
    laws::merchants::equal,
    world::{World, answer, fingerprint},
};

/// A merchant with a key that is to be replaced.
struct Shop {
    world: World,
    old: ApiKey,
    old_hash: ApiKeyHash,
}

impl Shop {
    async fn new(store: &Store) -> anyhow::Result<Self> {
        let world = World::new(store).await?;
        let (old, old_hash) = world.build.api_key(&world.merchant);
        let audit = world.build.audit(AuditAction::KeyCreated);
        let merchants = &world.store.merchants;
        merchants.add_key(&old, &old_hash, &audit).await?;
        Ok(Self {
            world,
            old,
            old_hash,
        })
    }

    /// A new pair under this idempotency key; the old one ends after so many seconds.
    fn rotation(&self, text: &str, seconds: i64) -> Rotation {
        let world = &self.world;
        let (key, hash) = world.build.api_key(&world.merchant);
        Rotation {
            key,
            hash,
            replaced: self.old.id,
            replaced_ends_at: world.build.now().plus_seconds(seconds),
            remembered: Some(KeyWrite::Answer {
                scope: world.build.scope(&world.merchant, text),
                fingerprint: fingerprint(),
                answer: answer(text),
                at: world.build.now(),
            }),
            audit: world.build.audit(AuditAction::KeyRotated),
        }
    }

    async fn rotate(&self, rotation: &Rotation) -> Result<(), CommitError> {
        self.world.store.merchants.rotate_key(rotation).await
    }

    /// The old key ends after so many seconds.
    async fn old_ends(&self, seconds: Option<i64>, what: &str) -> anyhow::Result<()> {
        let found = self.world.store.merchants.key(&self.old_hash).await?;
        let (found, _) = found.context("the old key")?;
        let end = |seconds| self.world.build.now().plus_seconds(seconds);
        same!(found.ends_at, seconds.map(end), "the old key's end {what}");
        Ok(())
    }

    /// Neither the new key nor the record of a rotation that failed is there.
    async fn nothing_of(&self, rotation: &Rotation, text: &str) -> anyhow::Result<()> {
        let store = &self.world.store;
        if rotation.hash != self.old_hash {
            let found = store.merchants.key(&rotation.hash).await?;
            ensure!(found.is_none(), "the key of a failed rotation");
        }
        let scope = self.world.build.scope(&self.world.merchant, text);
        let record = store.checkout.key(&scope).await?;
        let answered = record.and_then(|record| record.answer);
        ensure!(
            answered != Some(answer(text)),
            "the record of a failed rotation"
        );
        Ok(())
    }
}

/// The new key, the end of the old one and the answer that shows the pair are there together; the
/// old one never ends later than it would have.
pub async fn a_rotation_is_remembered_with_its_answer(store: &Store) -> anyhow::Result<()> {
    let shop = Shop::new(store).await?;
    let first = shop.rotation("first", 100);
    shop.rotate(&first).await?;
    let found = store.merchants.key(&first.hash).await?;
    let (found, owner) = found.context("the new key")?;
    equal(&found, &first.key)?;
    same!(owner, shop.world.merchant, "its merchant");
    shop.old_ends(Some(100), "at first").await?;
    let scope = shop.world.build.scope(&shop.world.merchant, "first");
    let record = store.checkout.key(&scope).await?.context("the record")?;
    same!(record.answer, Some(answer("first")), "the answer");
    same!(record.answered_at, Some(shop.world.build.now()), "when");

    let later = Rotation {
        remembered: None,
        ..shop.rotation("none", 1000)
    };
    shop.rotate(&later).await?;
    let found = store.merchants.key(&later.hash).await?;
    ensure!(found.is_some(), "a key without a record");
    shop.old_ends(Some(100), "is never put off").await?;
    shop.rotate(&shop.rotation("at-once", 0)).await?;
    shop.old_ends(Some(0), "comes earlier").await
}

/// Where the idempotency key is taken, or the key's hash, nothing has happened: the old key works
/// on, and there is no new one.
pub async fn a_failed_rotation_leaves_nothing(store: &Store) -> anyhow::Result<()> {
    let shop = Shop::new(store).await?;
    let scope = shop.world.build.scope(&shop.world.merchant, "taken");
    shop.world
        .commit(shop.world.answering(&scope, "another"))
        .await?;
    let taken = shop.rotation("taken", 10);
    fails!(
        shop.rotate(&taken).await,
        CommitError::KeyTaken,
        "a taken idempotency key"
    );
    shop.nothing_of(&taken, "taken").await?;
    shop.old_ends(None, "after a taken key").await?;
    let clashing = Rotation {
        hash: shop.old_hash.clone(),
        ..shop.rotation("clashing", 10)
    };
    ensure!(
        shop.rotate(&clashing).await.is_err(),
        "one hash for two keys"
    );
    shop.nothing_of(&clashing, "clashing").await?;
    shop.old_ends(None, "after a clash").await
}
