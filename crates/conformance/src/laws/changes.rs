//! Endpoint changes based on an earlier read, and the keys that sign for an endpoint.

use std::collections::BTreeSet;

use anyhow::Context;
use futures_util::future::join_all;
use oncharge_domain::{audit::AuditAction, id::ApiKeyId, webhook::WebhookEndpoint};
use oncharge_ports::webhook_repository::EndpointWrite;
use oncharge_testkit::build::endpoint_url;

use super::endpoints::endpoint_of;
use crate::{TestedStore, fixture::Fixture, laws::merchants::equal};

const ELSEWHERE: &str = "https://elsewhere.example.com/hook";

/// Assigns this key, a second later, to an endpoint that was read; returns whether it was
/// unchanged.
async fn change_key(
    fixture: &Fixture,
    read: &WebhookEndpoint,
    key: ApiKeyId,
) -> anyhow::Result<bool> {
    fixture.build.advance(1);
    let audit = fixture.build.audit(AuditAction::EndpointSet);
    Ok(fixture.store.webhooks.change_key(read, key, &audit).await?)
}

/// Creates another key of the merchant.
async fn another_key(fixture: &Fixture) -> anyhow::Result<ApiKeyId> {
    let (key, hash) = fixture.build.api_key(&fixture.merchant);
    let audit = fixture.build.audit(AuditAction::KeyCreated);
    let merchants = &fixture.store.merchants;
    merchants.add_key(&key, &hash, &audit).await?;
    Ok(key.id)
}

/// The key of an unchanged endpoint is replaced and takes effect; a change based on an older read
/// writes nothing, and another merchant's endpoint is not touched.
pub async fn a_key_change_needs_the_version_read(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let (other, other_key) = fixture.other_merchant_with_key().await?;
    let theirs = fixture.endpoint_at(&other, &other_key, ELSEWHERE).await?;
    let new_key = another_key(&fixture).await?;
    let failing = WebhookEndpoint {
        failing_since: Some(fixture.build.now()),
        ..fixture.build.endpoint(&fixture.merchant, &fixture.key)
    };
    let read = fixture.set(&failing).await?;
    // `failing_since` is not changed by the merchant, so it does not count as a change.
    let before = WebhookEndpoint {
        failing_since: None,
        ..read.clone()
    };
    ensure_eq!(
        change_key(&fixture, &before, new_key).await?,
        true,
        "whether the key of an unchanged endpoint was changed"
    );
    let changed = WebhookEndpoint {
        version: read.version + 1,
        key: new_key,
        failing_since: None,
        updated_at: fixture.build.now(),
        ..read.clone()
    };
    let present = endpoint_of(&fixture, &fixture.merchant).await?;
    ensure_eq!(
        present,
        Some(changed.clone()),
        "the endpoint after its key was changed"
    );
    let again = change_key(&fixture, &read, fixture.key.id).await?;
    ensure_eq!(
        again,
        false,
        "whether a change based on an older read was written"
    );
    let present = endpoint_of(&fixture, &fixture.merchant).await?;
    ensure_eq!(
        present,
        Some(changed),
        "the endpoint after a change based on an older read"
    );
    ensure_eq!(
        endpoint_of(&fixture, &other).await?,
        Some(theirs),
        "another merchant's endpoint"
    );
    Ok(())
}

/// An endpoint that was set, disabled or removed since it was read stays so, and its key is not
/// changed.
pub async fn an_endpoint_update_survives_a_key_change(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let new_key = another_key(&fixture).await?;
    let read = fixture.endpoint().await?;
    fixture.build.advance(60);
    let again = WebhookEndpoint {
        updated_at: fixture.build.now(),
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
                disabled: Some(fixture.gone()),
                ..read.clone()
            },
        ),
    ] {
        let kept = fixture.set(&set).await?;
        ensure_eq!(change_key(&fixture, &read, new_key).await?, false, "{what}");
        let present = endpoint_of(&fixture, &fixture.merchant).await?;
        ensure_eq!(present, Some(kept), "{what}");
    }
    ensure_eq!(
        fixture.remove(&fixture.merchant).await?,
        true,
        "whether the endpoint was removed"
    );
    ensure_eq!(
        change_key(&fixture, &read, new_key).await?,
        false,
        "whether the key of a removed endpoint was changed"
    );
    ensure_eq!(
        endpoint_of(&fixture, &fixture.merchant).await?,
        None,
        "the removed endpoint"
    );
    Ok(())
}

/// Of many writers that have read the same version, exactly one writes; the others leave nothing.
/// An endpoint that was removed since it was read is not written, nor a second first version.
pub async fn a_stale_endpoint_is_not_written(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let webhooks = &store.webhooks;
    let set = async |endpoint: &WebhookEndpoint| -> anyhow::Result<EndpointWrite> {
        let audit = fixture.build.audit(AuditAction::EndpointSet);
        Ok(webhooks.set_endpoint(endpoint, &audit).await?)
    };
    let first: Vec<WebhookEndpoint> = (0..4)
        .map(|_| fixture.build.endpoint(&fixture.merchant, &fixture.key))
        .collect();
    let written = join_all(first.iter().map(&set)).await;
    one_is_written(&fixture, &first, written).await?;
    let read = endpoint_of(&fixture, &fixture.merchant).await?;
    let read = read.context("the endpoint")?;
    let next: Vec<WebhookEndpoint> = (0..4)
        .map(|number| {
            let url = endpoint_url(&format!("https://{number}.example.com/"));
            let secret = fixture.build.webhook_secret();
            read.reconfigured(url, fixture.key.id, secret, fixture.build.now())
        })
        .collect();
    let written = join_all(next.iter().map(&set)).await;
    one_is_written(&fixture, &next, written).await?;
    fixture.remove(&fixture.merchant).await?;
    ensure_eq!(
        set(&next[0]).await?,
        EndpointWrite::Stale,
        "a write to a removed endpoint"
    );
    let anew = fixture.endpoint().await?;
    let late = WebhookEndpoint {
        id: anew.id,
        version: 3,
        ..next[0].clone()
    };
    ensure_eq!(
        set(&late).await?,
        EndpointWrite::Stale,
        "a write that skips a version"
    );
    ensure_eq!(
        set(&next[0]).await?,
        EndpointWrite::Stale,
        "a write based on a removed endpoint after another was set"
    );
    ensure_eq!(
        endpoint_of(&fixture, &fixture.merchant).await?,
        Some(anew),
        "the endpoint that was set last"
    );
    Ok(())
}

/// Exactly one of these was written, and is stored.
async fn one_is_written(
    fixture: &Fixture,
    all: &[WebhookEndpoint],
    written: Vec<anyhow::Result<EndpointWrite>>,
) -> anyhow::Result<()> {
    let mut kept = Vec::new();
    for (endpoint, written) in all.iter().zip(written) {
        if written? == EndpointWrite::Written {
            kept.push(endpoint.clone());
        }
    }
    ensure_eq!(kept.len(), 1, "the number of writes that succeeded");
    let found = endpoint_of(fixture, &fixture.merchant).await?;
    ensure_eq!(found, kept.pop(), "the stored endpoint");
    Ok(())
}

/// The signing keys are the merchant's active ones and, in its grace period, the one that the
/// endpoint was set with; only of this merchant.
pub async fn signing_keys_are_active_or_in_grace(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let (other, other_key) = fixture.other_merchant_with_key().await?;
    let now = fixture.build.now();
    let mut keys = vec![fixture.key.clone()];
    for end in [None, Some(10), Some(20)] {
        let (mut key, hash) = fixture.build.api_key(&fixture.merchant);
        key.ends_at = end.map(|seconds| now.plus_seconds(seconds));
        let audit = fixture.build.audit(AuditAction::KeyCreated);
        store.merchants.add_key(&key, &hash, &audit).await?;
        keys.push(key);
    }
    let check = async |seconds: i64, wanted: &[usize]| -> anyhow::Result<()> {
        let at = now.plus_seconds(seconds);
        let found = store.webhooks.signing_keys(fixture.merchant.id, at).await?;
        let ids: BTreeSet<ApiKeyId> = found.iter().map(|key| key.id).collect();
        let wanted = wanted.iter().map(|index| keys[*index].id);
        let wanted: BTreeSet<ApiKeyId> = wanted.collect();
        ensure_eq!(ids, wanted, "after {seconds} s");
        for key in found {
            let right = keys.iter().find(|other| other.id == key.id);
            equal(&key, right.context("a key of another merchant")?)?;
        }
        Ok(())
    };
    check(0, &[0, 1]).await?;
    fixture
        .endpoint_at(&fixture.merchant, &keys[2], ELSEWHERE)
        .await?;
    check(9, &[0, 1, 2]).await?;
    check(10, &[0, 1]).await?;
    let theirs = store.webhooks.signing_keys(other.id, now).await?;
    ensure_eq!(
        theirs.len(),
        1,
        "the number of another merchant's signing keys"
    );
    equal(&theirs[0], &other_key)?;
    let nobody = store.webhooks.signing_keys(fixture.build.id(), now).await?;
    ensure_eq!(
        nobody.len(),
        0,
        "the number of signing keys of a merchant without keys"
    );
    Ok(())
}
