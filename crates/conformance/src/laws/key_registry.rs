//! The registry of nodes and keys, on which start-up checks and key rotation rely.

use std::time::Duration;

use anyhow::{Context, ensure};
use oncharge_domain::{audit::AuditAction, blocklist::PepperedHash, keyring::KeyFingerprint};
use oncharge_ports::key_registry::{MasterKeyUse, Node};
use oncharge_testkit::build::fingerprint;

use crate::{Store, fixture::Fixture};

/// Longer than any law takes.
const LONG: Duration = Duration::from_secs(3600);

/// A node loads equal, is replaced when it publishes again, and is gone once it has withdrawn or
/// its lifetime has passed.
pub async fn a_node_is_live_while_it_publishes(store: &Store) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let registry = &fixture.store.key_registry;
    let (mut node, other) = (fixture.build.node("b: Ä'\""), fixture.build.node("a"));
    node.master = vec![fingerprint("k2"), fingerprint("k1")];
    registry.publish_node(&node, LONG).await?;
    registry.publish_node(&other, LONG).await?;
    ensure_eq!(
        registry.live_nodes().await?,
        [other.clone(), node.clone()],
        "both, by name"
    );
    node.master.reverse();
    node.peppers.clear();
    registry.publish_node(&node, LONG).await?;
    ensure_eq!(
        registry.live_nodes().await?,
        [other.clone(), node.clone()],
        "what it has published last"
    );
    registry.withdraw_node(other.id).await?;
    ensure_eq!(registry.live_nodes().await?, [node.clone()], "withdrawn");
    registry.publish_node(&node, Duration::ZERO).await?;
    ensure_eq!(registry.live_nodes().await?, [], "its time is over");
    registry.publish_node(&other, LONG).await?;
    ensure_eq!(registry.live_nodes().await?, [other], "it stays away");
    Ok(())
}

/// Another key under the same id is refused; the latest end of use counts.
pub async fn a_key_is_registered_once(store: &Store) -> anyhow::Result<()> {
    let registry = &store.key_registry;
    let (key, other) = (fingerprint("k1"), fingerprint("k2"));
    let wrong = KeyFingerprint {
        digest: [2; 32],
        ..key.clone()
    };
    ensure!(registry.register_master_key(&key, LONG).await?, "new");
    let before = master(store, &key).await?.context("registered")?;
    ensure!(!before.is_idle, "in use");
    let again = registry.register_master_key(&key, Duration::ZERO).await?;
    ensure!(again, "the same key again");
    ensure_eq!(
        master(store, &key).await?,
        Some(before.clone()),
        "not shortened"
    );
    ensure!(
        !registry.register_master_key(&wrong, LONG * 2).await?,
        "another key under its id"
    );
    ensure_eq!(master(store, &key).await?, Some(before), "unchanged");
    let idle = registry.register_master_key(&other, Duration::ZERO).await?;
    ensure!(idle, "another id");
    let found = master(store, &other).await?.context("registered")?;
    ensure!(found.is_idle, "its time is over");
    Ok(())
}

/// A key is retired only if it was not registered again since it was read.
pub async fn a_key_that_is_used_again_is_not_retired(store: &Store) -> anyhow::Result<()> {
    let registry = &store.key_registry;
    let key = fingerprint("k1");
    let short = Duration::from_millis(1);
    ensure!(registry.register_master_key(&key, short).await?, "new");
    let read = master(store, &key).await?.context("registered")?;
    ensure!(registry.register_master_key(&key, LONG).await?, "again");
    ensure!(
        !registry.retire_master_key(&key.id, read.used_until).await?,
        "used again"
    );
    let read = master(store, &key).await?.context("still there")?;
    ensure!(
        registry.retire_master_key(&key.id, read.used_until).await?,
        "as it was read"
    );
    ensure_eq!(master(store, &key).await?, None, "retired");
    ensure!(
        !registry.retire_master_key(&key.id, read.used_until).await?,
        "once"
    );
    Ok(())
}

/// Adding or rehashing a ban registers its pepper; whether live bans use it is reported; another
/// pepper under the same id adds nothing.
pub async fn a_pepper_is_registered_with_its_ban(store: &Store) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let (ban, pepper) = (fixture.build.ban([7; 32]), fixture.build.pepper());
    let blocklist = &fixture.store.blocklist;
    let audit = || fixture.build.audit(AuditAction::BanAdded);
    let now = fixture.build.now();
    ensure_eq!(peppers(&fixture, now).await?, [], "none yet");
    ensure!(blocklist.add(&ban, &pepper, &audit()).await?, "added");
    ensure_eq!(
        peppers(&fixture, now).await?,
        [(pepper.clone(), true)],
        "with its ban"
    );
    ensure_eq!(
        peppers(&fixture, ban.expires_at).await?,
        [(pepper.clone(), false)],
        "once the ban is over"
    );
    let wrong = KeyFingerprint {
        digest: [2; 32],
        ..pepper.clone()
    };
    let next = fixture.build.ban([8; 32]);
    ensure!(
        !blocklist.add(&next, &wrong, &audit()).await?,
        "another pepper under its id"
    );
    ensure_eq!(blocklist.list().await?.len(), 1, "nothing was written");
    let new = PepperedHash {
        pepper: fingerprint("p2").id,
        hash: [9; 32],
    };
    let rewritten = blocklist.rehash(ban.id, &new, &fingerprint("p2")).await?;
    ensure!(rewritten, "rewritten");
    let wanted = [(pepper.clone(), false), (fingerprint("p2"), true)];
    ensure_eq!(peppers(&fixture, now).await?, wanted, "rewritten");
    let audit = fixture.build.audit(AuditAction::BanRevoked);
    ensure!(blocklist.revoke(ban.id, now, &audit).await?, "revoked");
    let wanted = [(pepper, false), (fingerprint("p2"), false)];
    ensure_eq!(peppers(&fixture, now).await?, wanted, "revoked");
    Ok(())
}

/// A live node that lacks the pepper, or has another one under its id, would not apply the ban.
pub async fn a_ban_needs_a_pepper_that_every_node_has(store: &Store) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let registry = &fixture.store.key_registry;
    let blocklist = &fixture.store.blocklist;
    let new = fingerprint("p2");
    let audit = || fixture.build.audit(AuditAction::BanAdded);
    let (ban, mut under_new) = (fixture.build.ban([7; 32]), fixture.build.ban([8; 32]));
    under_new.hash.pepper = new.id.clone();
    let wrong = KeyFingerprint {
        digest: [2; 32],
        ..new.clone()
    };
    let both = |mut node: Node| {
        node.peppers.push(new.clone());
        node
    };
    let (first, mut second) = (both(fixture.build.node("1")), fixture.build.node("2"));
    registry.publish_node(&first, LONG).await?;
    registry.publish_node(&second, LONG).await?;
    ensure!(
        blocklist
            .add(&ban, &fixture.build.pepper(), &audit())
            .await?,
        "a pepper that both have"
    );
    for lacking in [vec![], vec![wrong]] {
        second.peppers = [vec![fixture.build.pepper()], lacking].concat();
        registry.publish_node(&second, LONG).await?;
        let added = blocklist.add(&under_new, &new, &audit()).await?;
        ensure!(!added, "one lacks it");
        let rewritten = blocklist.rehash(ban.id, &under_new.hash, &new).await?;
        ensure!(!rewritten, "one lacks it");
    }
    ensure_eq!(
        blocklist.list().await?,
        std::slice::from_ref(&ban),
        "nothing was written"
    );
    second.peppers = vec![fixture.build.pepper()];
    registry.publish_node(&second, Duration::ZERO).await?;
    let rewritten = blocklist.rehash(ban.id, &under_new.hash, &new).await?;
    ensure!(rewritten, "that one lives no more");
    registry.publish_node(&both(second), LONG).await?;
    let added = blocklist.add(&under_new, &new, &audit()).await?;
    ensure!(added, "both have it");
    Ok(())
}

async fn master(store: &Store, key: &KeyFingerprint) -> anyhow::Result<Option<MasterKeyUse>> {
    let now = oncharge_testkit::Builder::new(1).now();
    let registered = store.key_registry.registered_keys(now).await?.master;
    Ok(registered.into_iter().find(|found| found.key == *key))
}

async fn peppers(
    fixture: &Fixture,
    now: oncharge_domain::time::Timestamp,
) -> anyhow::Result<Vec<(KeyFingerprint, bool)>> {
    let registered = fixture.store.key_registry.registered_keys(now).await?;
    let peppers = registered.peppers.into_iter();
    Ok(peppers
        .map(|found| (found.key, found.has_live_bans))
        .collect())
}
