//! Merchants and their API keys.

use anyhow::{Context, ensure};
use futures_util::future::join_all;
use oncharge_domain::{
    audit::AuditAction,
    merchant::{ApiKey, ApiKeyHash, Merchant},
    psp::PspAccount,
    text::MerchantName,
    time::Timestamp,
};
use oncharge_ports::merchant_repository::KeyRemoval;

use crate::{
    TestedStore,
    fixture::Fixture,
    generate::{self, Draw},
};

/// Settings load as they were written, new and changed, without a change of another merchant.
pub async fn merchants_load_equal(store: &TestedStore) -> anyhow::Result<()> {
    let (fixture, mut draw) = (Fixture::new(store).await?, Draw::new());
    let merchants = &fixture.store.merchants;
    let audit = |action| fixture.build.audit(action);
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
            ..fixture.build.merchant()
        };
        let (key, hash) = fixture.build.api_key(&merchant);
        let entry = audit(AuditAction::MerchantCreated);
        merchants.create(&merchant, &key, &hash, &entry).await?;
        ensure_eq!(
            merchants.merchant(merchant.id).await?,
            Some(merchant.clone()),
            "the new merchant"
        );
        merchant.name = MerchantName::parse(&draw.one(generate::text(100))).unwrap();
        merchant.automatic_capture = !merchant.automatic_capture;
        merchant.capture_delay_seconds = number;
        merchant.require_idempotency_key = !merchant.require_idempotency_key;
        merchant.disabled_at = match merchant.disabled_at {
            Some(_) => None,
            None => Some(fixture.build.now()),
        };
        merchant.origins.push("https://last.example.com".to_owned());
        merchant.account = PspAccount::new("simulator", "other")?;
        merchant.version += 1;
        let entry = audit(AuditAction::SettingsChanged);
        ensure!(
            merchants.update(&merchant, &entry).await?,
            "the merchant was not updated"
        );
        ensure_eq!(
            merchants.merchant(merchant.id).await?,
            Some(merchant),
            "the changed merchant"
        );
    }
    let first = merchants.merchant(fixture.merchant.id).await?;
    ensure_eq!(first, Some(fixture.merchant.clone()), "another merchant");
    let mut nobody = fixture.build.merchant();
    nobody.version += 1;
    let entry = audit(AuditAction::SettingsChanged);
    ensure!(
        !merchants.update(&nobody, &entry).await?,
        "a merchant that does not exist was updated"
    );
    ensure_eq!(
        merchants.merchant(nobody.id).await?,
        None,
        "a merchant that does not exist"
    );
    Ok(())
}

/// Of two writes based on the same version of the settings, the second one writes nothing.
pub async fn settings_are_not_written_over_a_newer_version(
    store: &TestedStore,
) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let merchants = &fixture.store.merchants;
    let entry = || fixture.build.audit(AuditAction::SettingsChanged);
    let mut disabled = fixture.merchant.clone();
    disabled.version += 1;
    disabled.disabled_at = Some(fixture.build.now());
    let mut other = fixture.merchant.clone();
    other.version += 1;
    other.automatic_capture = !other.automatic_capture;
    ensure!(
        merchants.update(&disabled, &entry()).await?,
        "the first write failed"
    );
    ensure!(
        !merchants.update(&other, &entry()).await?,
        "the second write succeeded"
    );
    let found = merchants.merchant(fixture.merchant.id).await?;
    ensure_eq!(found, Some(disabled), "the settings after both writes");
    Ok(())
}

/// Successive pages contain each merchant once, by id.
pub async fn merchants_are_listed_by_id(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let mut wanted = vec![fixture.merchant.clone()];
    for _ in 0..4 {
        fixture.build.advance(1);
        wanted.push(fixture.other_merchant().await?);
    }
    wanted.sort_by_key(|merchant| merchant.id.uuid());
    let (mut found, mut after) = (Vec::new(), None);
    for _ in 0..4 {
        let page = fixture.store.merchants.list(after, 2).await?;
        ensure!(page.len() <= 2, "a page is longer than its limit");
        after = page.last().map(|last| last.id).or(after);
        found.extend(page);
    }
    ensure_eq!(found, wanted, "the merchants of all pages");
    Ok(())
}

/// Each account is listed once, however many merchants use it; also those of disabled merchants,
/// whose payments can still be refunded.
pub async fn accounts_of_merchants_are_listed_once(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let merchants = &fixture.store.merchants;
    let names = [
        ("stripe", "eu"),
        ("simulator", "b"),
        ("stripe", "eu"),
        ("adyen", "z"),
    ];
    for (connector, account) in names {
        let merchant = Merchant {
            account: PspAccount::new(connector, account)?,
            disabled_at: (connector == "adyen").then(|| fixture.build.now()),
            ..fixture.build.merchant()
        };
        let (key, hash) = fixture.build.api_key(&merchant);
        let audit = fixture.build.audit(AuditAction::MerchantCreated);
        merchants.create(&merchant, &key, &hash, &audit).await?;
    }
    let mut wanted = vec![fixture.merchant.account.clone()];
    for (connector, account) in [("adyen", "z"), ("simulator", "b"), ("stripe", "eu")] {
        wanted.push(PspAccount::new(connector, account)?);
    }
    wanted.sort_by_key(|account| (account.connector().to_owned(), account.account().to_owned()));
    ensure_eq!(merchants.psp_accounts().await?, wanted, "the accounts");
    Ok(())
}

/// Each key is found by its own hash, with its merchant; a hash is unique.
pub async fn a_key_is_found_by_its_hash(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let other = fixture.other_merchant().await?;
    let merchants = &fixture.store.merchants;
    let mut keys = Vec::new();
    for merchant in [&fixture.merchant, &fixture.merchant, &other] {
        let (mut key, hash) = fixture.build.api_key(merchant);
        key.ends_at = (!keys.is_empty()).then(|| key.created_at.plus_seconds(60));
        let audit = fixture.build.audit(AuditAction::KeyCreated);
        merchants.add_key(&key, &hash, &audit).await?;
        keys.push((key, hash, merchant));
    }
    for (key, hash, merchant) in &keys {
        let (found, owner) = merchants.key(hash).await?.context("a key")?;
        equal(&found, key)?;
        ensure_eq!(owner, **merchant, "the owner");
    }
    let unknown = ApiKeyHash::of("oc_test_unknown");
    ensure!(
        merchants.key(&unknown).await?.is_none(),
        "an unknown key is found"
    );
    let (again, _) = fixture.build.api_key(&other);
    let audit = fixture.build.audit(AuditAction::KeyCreated);
    let twice = merchants.add_key(&again, &keys[0].1, &audit).await;
    ensure!(twice.is_err(), "two keys have the same hash");
    let (found, _) = merchants.key(&keys[0].1).await?.context("the first key")?;
    equal(&found, &keys[0].0)
}

/// A key's end takes effect at its time and can only become earlier; other keys are not changed.
pub async fn a_key_ends_once(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let merchants = &fixture.store.merchants;
    let (key, hash) = fixture.build.api_key(&fixture.merchant);
    let (other, other_hash) = fixture.build.api_key(&fixture.merchant);
    for (key, hash) in [(&key, &hash), (&other, &other_hash)] {
        let audit = fixture.build.audit(AuditAction::KeyCreated);
        merchants.add_key(key, hash, &audit).await?;
    }
    let start = fixture.build.now();
    for (seconds, wanted) in [(100, 100), (50, 50), (80, 50)] {
        let at = start.plus_seconds(seconds);
        let audit = fixture.build.audit(AuditAction::KeyRevoked);
        merchants.end_key(key.id, at, &audit).await?;
        let (found, _) = merchants
            .key(&hash)
            .await?
            .context("an ended key is found")?;
        ensure_eq!(
            found.ends_at,
            Some(start.plus_seconds(wanted)),
            "the end of the key after {seconds} s"
        );
    }
    let (found, _) = merchants.key(&other_hash).await?.context("the other key")?;
    ensure_eq!(found.ends_at, None::<Timestamp>, "the end of the other key");
    Ok(())
}

/// At most five, however many are added concurrently; keys in their grace period, ended keys and
/// other merchants' keys do not count.
pub async fn active_keys_are_limited(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let other = fixture.other_merchant().await?;
    let merchants = &fixture.store.merchants;
    let now = fixture.build.now();
    let add = async |merchant: &Merchant| -> anyhow::Result<(bool, ApiKey)> {
        let (key, hash) = fixture.build.api_key(merchant);
        let audit = fixture.build.audit(AuditAction::KeyCreated);
        Ok((merchants.add_key(&key, &hash, &audit).await?, key))
    };
    let added = join_all((0..8).map(|_| add(&fixture.merchant))).await;
    let added: Vec<(bool, ApiKey)> = added.into_iter().collect::<Result<_, _>>()?;
    // The merchant has its first key already.
    ensure_eq!(
        added.iter().filter(|(added, _)| *added).count(),
        4,
        "the number of added keys"
    );
    let listed = merchants.keys(fixture.merchant.id, now).await?;
    ensure_eq!(listed.len(), 5, "the number of active keys");
    ensure!(add(&other).await?.0, "another merchant's key was refused");
    for seconds in [0, 100] {
        let listed = merchants.keys(fixture.merchant.id, now).await?;
        let active = listed.iter().find(|key| key.is_active());
        let id = active.context("an active key")?.id;
        let audit = fixture.build.audit(AuditAction::KeyRevoked);
        let end = now.plus_seconds(seconds);
        merchants.end_key(id, end, &audit).await?;
        ensure!(
            add(&fixture.merchant).await?.0,
            "a key was refused although another has ended"
        );
        ensure!(!add(&fixture.merchant).await?.0, "a sixth key was added");
    }
    Ok(())
}

/// Lists all keys that have not ended, newest first, with their hints and times; only of this
/// merchant.
pub async fn a_merchants_keys_are_listed(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let (other, other_key) = fixture.other_merchant_with_key().await?;
    let merchants = &fixture.store.merchants;
    let mut keys = vec![fixture.key.clone()];
    for end in [None, Some(10), Some(20)] {
        fixture.build.advance(1);
        let (mut key, hash) = fixture.build.api_key(&fixture.merchant);
        key.ends_at = end.map(|seconds| key.created_at.plus_seconds(seconds));
        key.hint = format!("ü-_{}", keys.len());
        let audit = fixture.build.audit(AuditAction::KeyCreated);
        merchants.add_key(&key, &hash, &audit).await?;
        keys.insert(0, key);
    }
    let ends = keys[1].ends_at.context("the end of the first key")?;
    for (at, wanted) in [
        (
            fixture.build.now(),
            vec![&keys[0], &keys[1], &keys[2], &keys[3]],
        ),
        (ends, vec![&keys[0], &keys[2], &keys[3]]),
    ] {
        let found = merchants.keys(fixture.merchant.id, at).await?;
        ensure_eq!(found.len(), wanted.len(), "the number of keys at {at:?}");
        for (found, key) in found.iter().zip(wanted) {
            equal(found, key)?;
            ensure_eq!(found.hint, key.hint, "the hint");
        }
    }
    let theirs = merchants.keys(other.id, fixture.build.now()).await?;
    ensure_eq!(theirs.len(), 1, "the number of another merchant's keys");
    equal(&theirs[0], &other_key)?;
    for key in &keys {
        let found = merchants.key_with_id(key.id).await?;
        equal(&found.context("the key is not found by its id")?, key)?;
    }
    let nobody = merchants.key_with_id(fixture.build.id()).await?;
    ensure!(nobody.is_none(), "an unknown id was found");
    Ok(())
}

/// A merchant ends its own keys at once, but never the last active one: if many are ended
/// concurrently, one is left. A key in its grace period does not count as active, and can be ended.
pub async fn the_last_active_key_is_kept(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let other = fixture.other_merchant().await?;
    let (merchants, now) = (&fixture.store.merchants, fixture.build.now());
    let mut keys = vec![fixture.key.id];
    for end in [None, None, Some(now.plus_seconds(100))] {
        let (mut key, hash) = fixture.build.api_key(&fixture.merchant);
        key.ends_at = end;
        let audit = fixture.build.audit(AuditAction::KeyCreated);
        merchants.add_key(&key, &hash, &audit).await?;
        keys.push(key.id);
    }
    let remove = async |merchant: &Merchant, id| -> anyhow::Result<KeyRemoval> {
        let audit = fixture.build.audit(AuditAction::KeyRevoked);
        Ok(merchants.remove_key(merchant.id, id, now, &audit).await?)
    };
    let foreign = remove(&other, keys[0]).await?;
    ensure_eq!(
        foreign,
        KeyRemoval::NotFound,
        "the removal of another merchant's key"
    );
    let results = join_all(keys.iter().map(|id| remove(&fixture.merchant, *id))).await;
    let results: Vec<KeyRemoval> = results.into_iter().collect::<Result<_, _>>()?;
    let kept = results.iter().filter(|one| **one == KeyRemoval::LastActive);
    ensure_eq!(
        kept.count(),
        1,
        "the number of keys that were kept: {results:?}"
    );
    ensure_eq!(
        results[3],
        KeyRemoval::Ended,
        "the removal of the key in its grace period"
    );
    let left = merchants.keys(fixture.merchant.id, now).await?;
    ensure_eq!(left.len(), 1, "the number of remaining keys");
    ensure!(left[0].is_active(), "the remaining key is not active");
    let again = remove(&fixture.merchant, keys[3]).await?;
    ensure_eq!(
        again,
        KeyRemoval::NotFound,
        "the removal of a key that has ended"
    );
    Ok(())
}

/// The first use is recorded, then one per hour; uses in between write nothing.
pub async fn the_last_use_is_recorded_once_an_hour(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let (merchants, start) = (&fixture.store.merchants, fixture.build.now());
    let (other, _) = fixture.other_merchant_with_key().await?;
    for (seconds, recorded) in [(0, 0), (1, 0), (3599, 0), (3600, 3600), (3000, 3600)] {
        let at = start.plus_seconds(seconds);
        merchants.record_key_use(fixture.key.id, at).await?;
        let found = merchants.key_with_id(fixture.key.id).await?;
        let found = found.context("the key")?.last_used_at;
        ensure_eq!(
            found,
            Some(start.plus_seconds(recorded)),
            "the last use after {seconds} s"
        );
    }
    let theirs = merchants.keys(other.id, start).await?;
    ensure_eq!(theirs[0].last_used_at, None, "the last use of another key");
    Ok(())
}

pub(super) fn equal(found: &ApiKey, key: &ApiKey) -> anyhow::Result<()> {
    ensure_eq!(
        (found.id, found.merchant),
        (key.id, key.merchant),
        "the ids"
    );
    ensure_eq!(
        (found.created_at, found.ends_at),
        (key.created_at, key.ends_at),
        "the times"
    );
    let same_secret = found.signing_key.expose_bytes() == key.signing_key.expose_bytes();
    ensure!(same_secret, "the signing key differs");
    Ok(())
}
