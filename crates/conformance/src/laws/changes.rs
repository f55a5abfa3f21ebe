//! Changes of an endpoint that was read before, and the keys that sign for it.

use std::collections::BTreeSet;

use anyhow::Context;
use futures_util::future::join_all;
use oncharge_domain::{audit::AuditAction, id::ApiKeyId, webhook::WebhookEndpoint};
use oncharge_ports::webhook_repository::EndpointWrite;
use oncharge_testkit::build::endpoint_url;

use super::endpoints::endpoint_of;
use crate::{Store, laws::merchants::equal, world::World};

const ELSEWHERE: &str = "https://elsewhere.example.com/hook";

/// Gives an endpoint that was read this key, a second later; whether it was as it was read.
async fn change_key(world: &World, read: &WebhookEndpoint, key: ApiKeyId) -> anyhow::Result<bool> {
    world.build.advance(1);
    let audit = world.build.audit(AuditAction::EndpointSet);
    Ok(world.store.webhooks.change_key(read, key, &audit).await?)
}

/// Another key of the merchant's.
async fn another_key(world: &World) -> anyhow::Result<ApiKeyId> {
    let (key, hash) = world.build.api_key(&world.merchant);
    let audit = world.build.audit(AuditAction::KeyCreated);
    let merchants = &world.store.merchants;
    merchants.add_key(&key, &hash, &audit).await?;
    Ok(key.id)
}

/// The key of an endpoint that is as it was read is changed, and it works from then on; what was
/// read before that changes nothing, and another merchant's stays as it is.
pub async fn a_key_is_changed_only_of_what_was_read(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let (other, other_key) = world.other_shop().await?;
    let theirs = world.endpoint_at((&other, &other_key), ELSEWHERE).await?;
    let new_key = another_key(&world).await?;
    let failing = WebhookEndpoint {
        failing_since: Some(world.build.now()),
        ..world.build.endpoint(&world.merchant, &world.key)
    };
    let read = world.set(&failing).await?;
    // That it began to fail meanwhile is not the merchant's doing.
    let before = WebhookEndpoint {
        failing_since: None,
        ..read.clone()
    };
    same!(
        change_key(&world, &before, new_key).await?,
        true,
        "as it was read"
    );
    let changed = WebhookEndpoint {
        version: read.version + 1,
        key: new_key,
        failing_since: None,
        updated_at: world.build.now(),
        ..read.clone()
    };
    let present = endpoint_of(&world, &world.merchant).await?;
    same!(present, Some(changed.clone()), "the new key");
    let again = change_key(&world, &read, world.key.id).await?;
    same!(again, false, "read before that");
    let present = endpoint_of(&world, &world.merchant).await?;
    same!(present, Some(changed), "read before that");
    same!(
        endpoint_of(&world, &other).await?,
        Some(theirs),
        "another merchant's"
    );
    Ok(())
}

/// What was set, disabled or removed since the endpoint was read stands, and the key is not changed.
pub async fn what_was_set_outlives_a_change_of_key(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let new_key = another_key(&world).await?;
    let read = world.endpoint().await?;
    world.build.advance(60);
    let again = WebhookEndpoint {
        updated_at: world.build.now(),
        ..read.clone()
    };
    for (what, set) in [
        ("the same again", again),
        (
            "another URL",
            WebhookEndpoint {
                url: endpoint_url(ELSEWHERE),
                ..read.clone()
            },
        ),
        (
            "another key",
            WebhookEndpoint {
                key: new_key,
                ..read.clone()
            },
        ),
        (
            "disabled",
            WebhookEndpoint {
                disabled: Some(world.gone()),
                ..read.clone()
            },
        ),
    ] {
        let kept = world.set(&set).await?;
        same!(change_key(&world, &read, new_key).await?, false, "{what}");
        let present = endpoint_of(&world, &world.merchant).await?;
        same!(present, Some(kept), "{what}");
    }
    same!(world.remove(&world.merchant).await?, true, "removed");
    same!(change_key(&world, &read, new_key).await?, false, "removed");
    same!(endpoint_of(&world, &world.merchant).await?, None, "removed");
    Ok(())
}

/// Of many writers that have read the same version one writes; nothing is left of the others. What was
/// read before the endpoint was removed is not written, nor a second first version.
pub async fn a_stale_endpoint_is_not_written(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let webhooks = &store.webhooks;
    let set = async |endpoint: &WebhookEndpoint| -> anyhow::Result<EndpointWrite> {
        let audit = world.build.audit(AuditAction::EndpointSet);
        Ok(webhooks.set_endpoint(endpoint, &audit).await?)
    };
    let first: Vec<WebhookEndpoint> = (0..4)
        .map(|_| world.build.endpoint(&world.merchant, &world.key))
        .collect();
    let written = join_all(first.iter().map(&set)).await;
    one_is_written(&world, &first, written).await?;
    let read = endpoint_of(&world, &world.merchant).await?;
    let read = read.context("the endpoint")?;
    let next: Vec<WebhookEndpoint> = (0..4)
        .map(|number| {
            let url = endpoint_url(&format!("https://{number}.example.com/"));
            let secret = world.build.webhook_secret();
            read.set_to(url, world.key.id, secret, world.build.now())
        })
        .collect();
    let written = join_all(next.iter().map(&set)).await;
    one_is_written(&world, &next, written).await?;
    world.remove(&world.merchant).await?;
    same!(set(&next[0]).await?, EndpointWrite::Stale, "removed");
    let anew = world.endpoint().await?;
    let late = WebhookEndpoint {
        id: anew.id,
        version: 3,
        ..next[0].clone()
    };
    same!(
        set(&late).await?,
        EndpointWrite::Stale,
        "a version left out"
    );
    same!(
        set(&next[0]).await?,
        EndpointWrite::Stale,
        "another endpoint"
    );
    same!(
        endpoint_of(&world, &world.merchant).await?,
        Some(anew),
        "kept"
    );
    Ok(())
}

/// Exactly one of these was written, and is there.
async fn one_is_written(
    world: &World,
    all: &[WebhookEndpoint],
    written: Vec<anyhow::Result<EndpointWrite>>,
) -> anyhow::Result<()> {
    let mut kept = Vec::new();
    for (endpoint, written) in all.iter().zip(written) {
        if written? == EndpointWrite::Written {
            kept.push(endpoint.clone());
        }
    }
    same!(kept.len(), 1, "written");
    let found = endpoint_of(world, &world.merchant).await?;
    same!(found, kept.pop(), "what is there");
    Ok(())
}

/// The merchant's active ones and, in its grace period, the one that the endpoint was set with; of
/// this merchant alone.
pub async fn signing_keys_are_those_that_can_sign(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let (other, other_key) = world.other_shop().await?;
    let now = world.build.now();
    let mut keys = vec![world.key.clone()];
    for end in [None, Some(10), Some(20)] {
        let (mut key, hash) = world.build.api_key(&world.merchant);
        key.ends_at = end.map(|seconds| now.plus_seconds(seconds));
        let audit = world.build.audit(AuditAction::KeyCreated);
        store.merchants.add_key(&key, &hash, &audit).await?;
        keys.push(key);
    }
    let check = async |seconds: i64, wanted: &[usize]| -> anyhow::Result<()> {
        let at = now.plus_seconds(seconds);
        let found = store.webhooks.signing_keys(world.merchant.id, at).await?;
        let ids: BTreeSet<ApiKeyId> = found.iter().map(|key| key.id).collect();
        let wanted = wanted.iter().map(|index| keys[*index].id);
        let wanted: BTreeSet<ApiKeyId> = wanted.collect();
        same!(ids, wanted, "after {seconds} s");
        for key in found {
            let right = keys.iter().find(|other| other.id == key.id);
            equal(&key, right.context("a key of another merchant")?)?;
        }
        Ok(())
    };
    check(0, &[0, 1]).await?;
    world
        .endpoint_at((&world.merchant, &keys[2]), ELSEWHERE)
        .await?;
    check(9, &[0, 1, 2]).await?;
    check(10, &[0, 1]).await?;
    let theirs = store.webhooks.signing_keys(other.id, now).await?;
    same!(theirs.len(), 1, "another merchant's");
    equal(&theirs[0], &other_key)?;
    let nobody = store.webhooks.signing_keys(world.build.id(), now).await?;
    same!(nobody.len(), 0, "nobody's");
    Ok(())
}
