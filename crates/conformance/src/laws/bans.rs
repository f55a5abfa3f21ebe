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

use crate::{Store, world::World};

async fn add(world: &World, ban: &Ban) -> anyhow::Result<()> {
    let audit = world.build.audit(AuditAction::BanAdded);
    let pepper = world.build.pepper();
    let added = world.store.blocklist.add(ban, &pepper, &audit).await?;
    ensure!(added, "a ban is added");
    Ok(())
}

async fn live(world: &World, hash: &PepperedHash, now: Timestamp) -> anyhow::Result<Vec<BanId>> {
    let found = world
        .store
        .blocklist
        .live(std::slice::from_ref(hash), now)
        .await?;
    Ok(found.iter().map(|ban| ban.id).collect())
}

/// Under its very hash and pepper, until its expiry, among many others; it loads equal.
pub async fn bans_count_while_they_live(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let now = world.build.now();
    let mut ban = world.build.ban([7; 32]);
    ban.kind = IdentifierType::Phone;
    "operator: Ä'\"".clone_into(&mut ban.source);
    ban.reason = None;
    let mut eternal = world.build.ban([7; 32]);
    eternal.expires_at = Timestamp::from_unix_seconds(253_402_300_799).unwrap();
    add(&world, &ban).await?;
    add(&world, &eternal).await?;
    add(&world, &world.build.ban([8; 32])).await?;
    let blocklist = &world.store.blocklist;
    let mut found = blocklist.live(std::slice::from_ref(&ban.hash), now).await?;
    found.sort_by_key(|found| found.id != ban.id);
    same!(found, [ban.clone(), eternal.clone()], "both");
    same!(
        live(&world, &ban.hash, ban.expires_at).await?,
        [eternal.id],
        "once over"
    );
    let micro = time::Duration::microseconds(-1);
    let last = live(&world, &ban.hash, ban.expires_at.plus(micro)).await?;
    same!(last.len(), 2, "to the last moment");

    let other_pepper = PepperedHash {
        pepper: KeyId::parse("p2").unwrap(),
        ..ban.hash.clone()
    };
    same!(
        live(&world, &other_pepper, now).await?,
        [],
        "another pepper"
    );
    let many = [
        other_pepper,
        world.build.ban([8; 32]).hash,
        world.build.ban([9; 32]).hash,
    ];
    same!(
        blocklist.live(&many, now).await?.len(),
        1,
        "one of many hashes"
    );
    same!(blocklist.live(&[], now).await?.len(), 0, "no hash at all");
    Ok(())
}

/// A revoked ban no longer counts and cannot be revoked again.
pub async fn a_ban_is_revoked_once(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let (ban, now) = (world.build.ban([7; 32]), world.build.now());
    add(&world, &ban).await?;
    let blocklist = &world.store.blocklist;
    let audit = || world.build.audit(AuditAction::BanRevoked);
    let nobody = world.build.id();
    ensure!(
        !blocklist.revoke(nobody, now, &audit()).await?,
        "no such ban"
    );
    same!(live(&world, &ban.hash, now).await?, [ban.id], "before");
    ensure!(
        blocklist.revoke(ban.id, now, &audit()).await?,
        "the first time"
    );
    same!(live(&world, &ban.hash, now).await?, [], "after");
    let later = now.plus_seconds(60);
    ensure!(
        !blocklist.revoke(ban.id, later, &audit()).await?,
        "the second time"
    );
    let listed = blocklist.list().await?;
    same!(listed[0].revoked_at, Some(now), "when it was revoked");
    Ok(())
}

/// Rewritten under another pepper it is found there and no longer under the old one.
pub async fn a_rehashed_ban_is_found_by_its_new_hash(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let (ban, other, now) = (
        world.build.ban([7; 32]),
        world.build.ban([7; 32]),
        world.build.now(),
    );
    add(&world, &ban).await?;
    add(&world, &other).await?;
    let new = PepperedHash {
        pepper: KeyId::parse("p2").unwrap(),
        hash: [9; 32],
    };
    let pepper = fingerprint("p2");
    let rewritten = world.store.blocklist.rehash(ban.id, &new, &pepper).await?;
    ensure!(rewritten, "a ban is rewritten");
    same!(
        live(&world, &new, now).await?,
        [ban.id],
        "under the new pepper"
    );
    same!(
        live(&world, &ban.hash, now).await?,
        [other.id],
        "under the old one"
    );
    Ok(())
}

/// Also the revoked and the expired ones.
pub async fn bans_are_listed_newest_first(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let mut bans = Vec::new();
    for number in 0..5 {
        let mut ban = world.build.ban([number; 32]);
        ban.expires_at = ban.created_at.plus_seconds(i64::from(number));
        add(&world, &ban).await?;
        bans.push(ban);
        world.build.advance(1);
    }
    let now = world.build.now();
    let audit = world.build.audit(AuditAction::BanRevoked);
    world
        .store
        .blocklist
        .revoke(bans[2].id, now, &audit)
        .await?;
    bans[2].revoked_at = Some(now);
    bans.reverse();
    same!(world.store.blocklist.list().await?, bans, "all of them");
    Ok(())
}
