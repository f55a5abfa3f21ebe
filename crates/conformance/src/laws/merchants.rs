//! Merchants and their API keys.

use anyhow::{Context, ensure};
use oncharge_domain::{
    audit::AuditAction,
    merchant::{ApiKey, ApiKeyHash, Merchant},
    psp::PspAccount,
    text::MerchantName,
    time::Timestamp,
};

use crate::{
    Store,
    generate::{self, Draw},
    world::World,
};

/// Settings load as they were written, new and changed, and no other merchant is touched.
pub async fn merchants_load_equal(store: &Store) -> anyhow::Result<()> {
    let (world, mut draw) = (World::new(store).await?, Draw::new());
    let merchants = &world.store.merchants;
    let audit = |action| world.build.audit(action);
    for number in 0..20_u32 {
        let long = ["a".repeat(64), "b_-0".to_owned()];
        let mut merchant = Merchant {
            name: MerchantName::parse(&draw.one(generate::text(100))).unwrap(),
            account: PspAccount::new(&long[0], &long[1])?,
            automatic_capture: number % 2 == 0,
            capture_delay_seconds: [0, 1, i32::MAX.unsigned_abs()][number as usize % 3],
            origins: (0..number)
                .map(|n| format!("https://{n}.example.com"))
                .collect(),
            require_idempotency_key: number % 3 == 0,
            created_at: draw.one(generate::instant()),
            disabled_at: (number % 2 == 0).then(|| draw.one(generate::instant())),
            ..world.build.merchant()
        };
        let (key, hash) = world.build.api_key(&merchant);
        let entry = audit(AuditAction::MerchantCreated);
        merchants.create(&merchant, &key, &hash, &entry).await?;
        same!(
            merchants.merchant(merchant.id).await?,
            Some(merchant.clone()),
            "new"
        );
        merchant.name = MerchantName::parse(&draw.one(generate::text(100))).unwrap();
        merchant.automatic_capture = !merchant.automatic_capture;
        merchant.capture_delay_seconds = number;
        merchant.require_idempotency_key = !merchant.require_idempotency_key;
        merchant.disabled_at = match merchant.disabled_at {
            Some(_) => None,
            None => Some(world.build.now()),
        };
        merchant.origins.push("https://last.example.com".to_owned());
        merchant.account = PspAccount::new("simulator", "other")?;
        let entry = audit(AuditAction::SettingsChanged);
        ensure!(merchants.update(&merchant, &entry).await?, "it is there");
        same!(
            merchants.merchant(merchant.id).await?,
            Some(merchant),
            "changed"
        );
    }
    let first = merchants.merchant(world.merchant.id).await?;
    same!(first, Some(world.merchant.clone()), "another merchant");
    let nobody = world.build.merchant();
    let entry = audit(AuditAction::SettingsChanged);
    ensure!(
        !merchants.update(&nobody, &entry).await?,
        "nobody was updated"
    );
    same!(merchants.merchant(nobody.id).await?, None, "nobody");
    Ok(())
}

/// The pages in a row show each merchant once, by id.
pub async fn merchants_are_listed_by_id(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let mut wanted = vec![world.merchant.clone()];
    for _ in 0..4 {
        world.build.advance(1);
        wanted.push(world.other_merchant().await?);
    }
    wanted.sort_by_key(|merchant| merchant.id.uuid());
    let (mut found, mut after) = (Vec::new(), None);
    for _ in 0..4 {
        let page = world.store.merchants.list(after, 2).await?;
        ensure!(page.len() <= 2, "no more than asked for");
        after = page.last().map(|last| last.id).or(after);
        found.extend(page);
    }
    same!(found, wanted, "the pages in a row");
    Ok(())
}

/// Each key is found by its own hash with its own merchant; a hash can be there only once.
pub async fn a_key_is_found_by_its_hash(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let other = world.other_merchant().await?;
    let merchants = &world.store.merchants;
    let mut keys = Vec::new();
    for merchant in [&world.merchant, &world.merchant, &other] {
        let (mut key, hash) = world.build.api_key(merchant);
        key.ends_at = (!keys.is_empty()).then(|| key.created_at.plus_seconds(60));
        let audit = world.build.audit(AuditAction::KeyCreated);
        merchants.add_key(&key, &hash, &audit).await?;
        keys.push((key, hash, merchant));
    }
    for (key, hash, merchant) in &keys {
        let (found, owner) = merchants.key(hash).await?.context("a key")?;
        equal(&found, key)?;
        same!(owner, **merchant, "the owner");
    }
    let unknown = ApiKeyHash::of("oc_test_unknown");
    ensure!(
        merchants.key(&unknown).await?.is_none(),
        "an unknown key is found"
    );
    let (again, _) = world.build.api_key(&other);
    let audit = world.build.audit(AuditAction::KeyCreated);
    let twice = merchants.add_key(&again, &keys[0].1, &audit).await;
    ensure!(twice.is_err(), "one hash for two keys");
    let (found, _) = merchants.key(&keys[0].1).await?.context("the first key")?;
    equal(&found, &keys[0].0)
}

/// Ending takes effect at its time and only ever earlier; other keys stay as they are.
pub async fn a_key_ends_once(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let merchants = &world.store.merchants;
    let (key, hash) = world.build.api_key(&world.merchant);
    let (other, other_hash) = world.build.api_key(&world.merchant);
    for (key, hash) in [(&key, &hash), (&other, &other_hash)] {
        let audit = world.build.audit(AuditAction::KeyCreated);
        merchants.add_key(key, hash, &audit).await?;
    }
    let start = world.build.now();
    for (seconds, wanted) in [(100, 100), (50, 50), (80, 50)] {
        let at = start.plus_seconds(seconds);
        let audit = world.build.audit(AuditAction::KeyRevoked);
        merchants.end_key(key.id, at, &audit).await?;
        let (found, _) = merchants
            .key(&hash)
            .await?
            .context("an ended key is found")?;
        same!(
            found.ends_at,
            Some(start.plus_seconds(wanted)),
            "after {seconds} s"
        );
    }
    let (found, _) = merchants.key(&other_hash).await?.context("the other key")?;
    same!(found.ends_at, None::<Timestamp>, "the other key");
    Ok(())
}

pub(super) fn equal(found: &ApiKey, key: &ApiKey) -> anyhow::Result<()> {
    same!(
        (found.id, found.merchant),
        (key.id, key.merchant),
        "the ids"
    );
    same!(
        (found.created_at, found.ends_at),
        (key.created_at, key.ends_at),
        "the times"
    );
    let same_secret = found.signing_key.expose_bytes() == key.signing_key.expose_bytes();
    ensure!(same_secret, "the signing key differs");
    Ok(())
}
