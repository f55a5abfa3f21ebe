//! The registry of nodes and keys, on which start-up checks and key rotation rely.

use std::time::Duration;

use anyhow::{Context, ensure};
use oncharge_domain::{audit::AuditAction, blocklist::PepperedHash, keyring::KeyFingerprint};
use oncharge_ports::key_registry::{MasterKeyUse, Node};
use oncharge_testkit::build::fingerprint;

use crate::{TestedStore, fixture::Fixture};

/// Longer than any law takes.
const LONG: Duration = Duration::from_secs(3600);

/// A node loads equal, is replaced when it publishes again, and is gone once it has withdrawn or
/// its lifetime has passed.
pub async fn a_node_is_live_while_it_publishes(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let registry = &fixture.store.key_registry;
    let (mut node, other) = (fixture.build.node("b: Ä'\""), fixture.build.node("a"));
    node.master = vec![fingerprint("k2"), fingerprint("k1")];
    registry.publish_node(&node, LONG).await?;
    registry.publish_node(&other, LONG).await?;
    ensure_eq!(
        registry.live_nodes().await?,
        [other.clone(), node.clone()],
        "the live nodes, by name"
    );
    node.master.reverse();
    node.peppers.clear();
    registry.publish_node(&node, LONG).await?;
    ensure_eq!(
        registry.live_nodes().await?,
        [other.clone(), node.clone()],
        "the nodes after one published again"
    );
    registry.withdraw_node(other.id).await?;
    ensure_eq!(
        registry.live_nodes().await?,
        [node.clone()],
        "the live nodes after one withdrew"
    );
    registry.publish_node(&node, Duration::ZERO).await?;
    ensure_eq!(
        registry.live_nodes().await?,
        [],
        "the live nodes after the lifetime of the last one"
    );
    registry.publish_node(&other, LONG).await?;
    ensure_eq!(
        registry.live_nodes().await?,
        [other],
        "the live nodes after the other one published again"
    );
    Ok(())
}

/// Another key under the same id is refused; the latest end of use counts.
pub async fn a_key_is_registered_once(store: &TestedStore) -> anyhow::Result<()> {
    let registry = &store.key_registry;
    let (key, other) = (fingerprint("k1"), fingerprint("k2"));
    let wrong = KeyFingerprint {
        digest: [2; 32],
        ..key.clone()
    };
    ensure!(
        registry.register_master_key(&key, LONG).await?,
        "a new key was refused"
    );
    let before = master(store, &key).await?.context("registered")?;
    ensure!(!before.is_idle, "a key in use is reported as idle");
    let again = registry.register_master_key(&key, Duration::ZERO).await?;
    ensure!(again, "the same key was refused");
    ensure_eq!(
        master(store, &key).await?,
        Some(before.clone()),
        "the key after a registration with an earlier end"
    );
    ensure!(
        !registry.register_master_key(&wrong, LONG * 2).await?,
        "another key under the same id was registered"
    );
    ensure_eq!(
        master(store, &key).await?,
        Some(before),
        "the key after a refused registration"
    );
    let idle = registry.register_master_key(&other, Duration::ZERO).await?;
    ensure!(idle, "a key under another id is not idle");
    let found = master(store, &other).await?.context("registered")?;
    ensure!(found.is_idle, "a key is not idle after the end of its use");
    Ok(())
}

/// A key is retired only if it was not registered again since it was read.
pub async fn a_key_that_is_used_again_is_not_retired(store: &TestedStore) -> anyhow::Result<()> {
    let registry = &store.key_registry;
    let key = fingerprint("k1");
    let short = Duration::from_millis(1);
    ensure!(
        registry.register_master_key(&key, short).await?,
        "a new key was refused"
    );
    let read = master(store, &key).await?.context("registered")?;
    ensure!(
        registry.register_master_key(&key, LONG).await?,
        "the same key was refused"
    );
    ensure!(
        !registry.retire_master_key(&key.id, read.used_until).await?,
        "a key that was registered again was retired"
    );
    let read = master(store, &key).await?.context("still there")?;
    ensure!(
        registry.retire_master_key(&key.id, read.used_until).await?,
        "a key that is unchanged since it was read was not retired"
    );
    ensure_eq!(master(store, &key).await?, None, "the retired key");
    ensure!(
        !registry.retire_master_key(&key.id, read.used_until).await?,
        "a key was retired twice"
    );
    Ok(())
}

/// Adding or rehashing a ban registers its pepper; whether live bans use it is reported; another
/// pepper under the same id adds nothing.
pub async fn a_pepper_is_registered_with_its_ban(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let (ban, pepper) = (fixture.build.ban([7; 32]), fixture.build.pepper());
    let blocklist = &fixture.store.blocklist;
    let audit = || fixture.build.audit(AuditAction::BanAdded);
    let now = fixture.build.now();
    ensure_eq!(
        peppers(&fixture, now).await?,
        [],
        "the peppers before the first ban"
    );
    ensure!(
        blocklist.add(&ban, &pepper, &audit()).await?,
        "the ban was not added"
    );
    ensure_eq!(
        peppers(&fixture, now).await?,
        [(pepper.clone(), true)],
        "the peppers while the ban is live"
    );
    ensure_eq!(
        peppers(&fixture, ban.expires_at).await?,
        [(pepper.clone(), false)],
        "the peppers after the ban has expired"
    );
    let wrong = KeyFingerprint {
        digest: [2; 32],
        ..pepper.clone()
    };
    let next = fixture.build.ban([8; 32]);
    ensure!(
        !blocklist.add(&next, &wrong, &audit()).await?,
        "another pepper under the same id was registered"
    );
    ensure_eq!(
        blocklist.list().await?.len(),
        1,
        "the number of bans after a refused one"
    );
    let new = PepperedHash {
        pepper: fingerprint("p2").id,
        hash: [9; 32],
    };
    let rewritten = blocklist.rehash(ban.id, &new, &fingerprint("p2")).await?;
    ensure!(rewritten, "the ban was not rewritten");
    let wanted = [(pepper.clone(), false), (fingerprint("p2"), true)];
    ensure_eq!(
        peppers(&fixture, now).await?,
        wanted,
        "the peppers after the ban was rewritten"
    );
    let audit = fixture.build.audit(AuditAction::BanRevoked);
    ensure!(
        blocklist.revoke(ban.id, now, &audit).await?,
        "the ban was not revoked"
    );
    let wanted = [(pepper, false), (fingerprint("p2"), false)];
    ensure_eq!(
        peppers(&fixture, now).await?,
        wanted,
        "the peppers after the ban was revoked"
    );
    Ok(())
}

/// A live node that lacks the pepper, or has another one under its id, would not apply the ban.
pub async fn a_ban_needs_a_pepper_that_every_node_has(store: &TestedStore) -> anyhow::Result<()> {
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
        "a ban was refused although both nodes have its pepper"
    );
    for lacking in [vec![], vec![wrong]] {
        second.peppers = [vec![fixture.build.pepper()], lacking].concat();
        registry.publish_node(&second, LONG).await?;
        let added = blocklist.add(&under_new, &new, &audit()).await?;
        ensure!(!added, "a ban was added although a node lacks its pepper");
        let rewritten = blocklist.rehash(ban.id, &under_new.hash, &new).await?;
        ensure!(
            !rewritten,
            "a ban was rewritten although a node lacks its pepper"
        );
    }
    ensure_eq!(
        blocklist.list().await?,
        std::slice::from_ref(&ban),
        "the bans after refused writes"
    );
    second.peppers = vec![fixture.build.pepper()];
    registry.publish_node(&second, Duration::ZERO).await?;
    let rewritten = blocklist.rehash(ban.id, &under_new.hash, &new).await?;
    ensure!(
        rewritten,
        "a ban was not rewritten although the node without the pepper is no longer live"
    );
    registry.publish_node(&both(second), LONG).await?;
    let added = blocklist.add(&under_new, &new, &audit()).await?;
    ensure!(
        added,
        "a ban was refused although both nodes have its pepper"
    );
    Ok(())
}

async fn master(store: &TestedStore, key: &KeyFingerprint) -> anyhow::Result<Option<MasterKeyUse>> {
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
