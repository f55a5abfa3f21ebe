//! Bans on the shared blocklist.

use anyhow::ensure;
use oncharge_domain::{
    audit::AuditAction,
    blocklist::{Ban, IdentifierType, PepperedHash},
    id::BanId,
    keyring::KeyId,
    time::Timestamp,
};
use oncharge_testkit::build::fingerprint;

use crate::{TestedStore, fixture::Fixture};

async fn add(fixture: &Fixture, ban: &Ban) -> anyhow::Result<()> {
    let audit = fixture.build.audit(AuditAction::BanAdded);
    let pepper = fixture.build.pepper();
    let added = fixture.store.blocklist.add(ban, &pepper, &audit).await?;
    ensure!(added, "the ban was not added");
    Ok(())
}

async fn live_bans(
    fixture: &Fixture,
    hash: &PepperedHash,
    now: Timestamp,
) -> anyhow::Result<Vec<BanId>> {
    let found = fixture
        .store
        .blocklist
        .live_bans(std::slice::from_ref(hash), now)
        .await?;
    Ok(found.iter().map(|ban| ban.id).collect())
}

/// A ban applies only to its exact hash and pepper, until it expires, among many others; it loads
/// equal.
pub async fn bans_apply_until_they_expire(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let now = fixture.build.now();
    let mut ban = fixture.build.ban([7; 32]);
    ban.kind = IdentifierType::Phone;
    "operator: Ä'\"".clone_into(&mut ban.source);
    ban.reason = None;
    let mut eternal = fixture.build.ban([7; 32]);
    eternal.expires_at = Timestamp::from_unix_seconds(253_402_300_799).unwrap();
    add(&fixture, &ban).await?;
    add(&fixture, &eternal).await?;
    add(&fixture, &fixture.build.ban([8; 32])).await?;
    let blocklist = &fixture.store.blocklist;
    let mut found = blocklist
        .live_bans(std::slice::from_ref(&ban.hash), now)
        .await?;
    found.sort_by_key(|found| found.id != ban.id);
    ensure_eq!(
        found,
        [ban.clone(), eternal.clone()],
        "the live bans before the first one expires"
    );
    ensure_eq!(
        live_bans(&fixture, &ban.hash, ban.expires_at).await?,
        [eternal.id],
        "the live bans once the first one has expired"
    );
    let micro = time::Duration::microseconds(-1);
    let last = live_bans(&fixture, &ban.hash, ban.expires_at.plus(micro)).await?;
    ensure_eq!(
        last.len(),
        2,
        "the live bans just before the first one expires"
    );

    let other_pepper = PepperedHash {
        pepper: KeyId::parse("p2").unwrap(),
        ..ban.hash.clone()
    };
    ensure_eq!(
        live_bans(&fixture, &other_pepper, now).await?,
        [],
        "the bans under another pepper"
    );
    let many = [
        other_pepper,
        fixture.build.ban([8; 32]).hash,
        fixture.build.ban([9; 32]).hash,
    ];
    ensure_eq!(
        blocklist.live_bans(&many, now).await?.len(),
        1,
        "the bans found with many hashes"
    );
    ensure_eq!(
        blocklist.live_bans(&[], now).await?.len(),
        0,
        "the bans found without a hash"
    );
    Ok(())
}

/// A revoked ban no longer applies and cannot be revoked again.
pub async fn a_ban_is_revoked_once(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let (ban, now) = (fixture.build.ban([7; 32]), fixture.build.now());
    add(&fixture, &ban).await?;
    let blocklist = &fixture.store.blocklist;
    let audit = || fixture.build.audit(AuditAction::BanRevoked);
    let nobody = fixture.build.id();
    ensure!(
        !blocklist.revoke(nobody, now, &audit()).await?,
        "a ban that does not exist was revoked"
    );
    ensure_eq!(
        live_bans(&fixture, &ban.hash, now).await?,
        [ban.id],
        "the live bans before the revocation"
    );
    ensure!(
        blocklist.revoke(ban.id, now, &audit()).await?,
        "the ban was not revoked"
    );
    ensure_eq!(
        live_bans(&fixture, &ban.hash, now).await?,
        [],
        "the live bans after the revocation"
    );
    let later = now.plus_seconds(60);
    ensure!(
        !blocklist.revoke(ban.id, later, &audit()).await?,
        "the ban was revoked twice"
    );
    let listed = blocklist.list().await?;
    ensure_eq!(
        listed[0].revoked_at,
        Some(now),
        "the time of the revocation"
    );
    Ok(())
}

/// A ban rehashed under another pepper is found under that one and no longer under the old one.
pub async fn a_rehashed_ban_is_found_by_its_new_hash(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let (ban, other, now) = (
        fixture.build.ban([7; 32]),
        fixture.build.ban([7; 32]),
        fixture.build.now(),
    );
    add(&fixture, &ban).await?;
    add(&fixture, &other).await?;
    let new = PepperedHash {
        pepper: KeyId::parse("p2").unwrap(),
        hash: [9; 32],
    };
    let pepper = fingerprint("p2");
    let rewritten = fixture
        .store
        .blocklist
        .rehash(ban.id, &new, &pepper)
        .await?;
    ensure!(rewritten, "the ban was not rewritten");
    ensure_eq!(
        live_bans(&fixture, &new, now).await?,
        [ban.id],
        "the bans under the new pepper"
    );
    ensure_eq!(
        live_bans(&fixture, &ban.hash, now).await?,
        [other.id],
        "the bans under the old pepper"
    );
    Ok(())
}

/// Lists all bans, also revoked and expired ones.
pub async fn bans_are_listed_newest_first(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let mut bans = Vec::new();
    for number in 0..5 {
        let mut ban = fixture.build.ban([number; 32]);
        ban.expires_at = ban.created_at.plus_seconds(i64::from(number));
        add(&fixture, &ban).await?;
        bans.push(ban);
        fixture.build.advance(1);
    }
    let now = fixture.build.now();
    let audit = fixture.build.audit(AuditAction::BanRevoked);
    fixture
        .store
        .blocklist
        .revoke(bans[2].id, now, &audit)
        .await?;
    bans[2].revoked_at = Some(now);
    bans.reverse();
    ensure_eq!(
        fixture.store.blocklist.list().await?,
        bans,
        "the listed bans"
    );
    Ok(())
}
