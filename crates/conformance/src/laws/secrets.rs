//! New secrets of a webhook endpoint.

use anyhow::Context;
use futures_util::future::join_all;
use oncharge_domain::{
    audit::AuditAction,
    webhook::{EndpointSecrets, WebhookEndpoint},
};
use oncharge_ports::{CommitError, unit_of_work::KeyWrite, webhook_repository::SecretRotation};

use crate::{
    Store,
    world::{World, answer, fingerprint},
};

/// A new secret for this endpoint, under this idempotency key.
fn rotation(world: &World, read: &WebhookEndpoint, text: &str) -> SecretRotation {
    let (secret, now) = (world.build.webhook_secret(), world.build.now());
    SecretRotation {
        read: read.clone(),
        secrets: read.secrets.replaced_by(secret, now),
        remembered: Some(KeyWrite::Answer {
            scope: world.build.scope(&world.merchant, text),
            fingerprint: fingerprint(),
            answer: answer(text),
            at: now,
        }),
        audit: world.build.audit(AuditAction::EndpointSecretRotated),
    }
}

/// Of many rotations that have read the same endpoint one succeeds, and is remembered with its
/// response; the others leave nothing. Whether the endpoint is disabled or failing stays.
pub async fn a_secret_is_rotated_once(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let failing = WebhookEndpoint {
        disabled: Some(world.gone()),
        failing_since: Some(world.build.now()),
        ..world.build.endpoint(&world.merchant, &world.key)
    };
    let read = world.set(&failing).await?;
    world.build.advance(1);
    let texts: Vec<String> = (0..4).map(|number| format!("k{number}")).collect();
    let all: Vec<SecretRotation> = texts
        .iter()
        .map(|text| rotation(&world, &read, text))
        .collect();
    let webhooks = &store.webhooks;
    let results = join_all(all.iter().map(|one| webhooks.rotate_secret(one))).await;
    let mut rotated = Vec::new();
    for ((one, text), result) in all.iter().zip(&texts).zip(results) {
        let scope = world.build.scope(&world.merchant, text);
        let record = store.checkout.key(&scope).await?;
        let remembered = record.and_then(|record| record.answer);
        let has_rotated = result?;
        same!(
            remembered,
            has_rotated.then(|| answer(text)),
            "the response"
        );
        if has_rotated {
            rotated.push(one.secrets.clone());
        }
    }
    same!(rotated.len(), 1, "rotations of one secret");
    let wanted = WebhookEndpoint {
        version: read.version + 1,
        secrets: rotated.pop().context("the new secrets")?,
        updated_at: world.build.now(),
        ..read
    };
    let found = webhooks.endpoint(world.merchant.id).await?;
    same!(found, Some(wanted), "the endpoint");
    Ok(())
}

/// Where the idempotency key is taken the secret stays; one that is revoked at once is gone; and a
/// removed endpoint has none.
pub async fn a_failed_rotation_keeps_the_secret(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let read = world.endpoint().await?;
    let scope = world.build.scope(&world.merchant, "taken");
    world.commit(world.answering(&scope, "another")).await?;
    let taken = rotation(&world, &read, "taken");
    fails!(
        store.webhooks.rotate_secret(&taken).await,
        CommitError::KeyTaken,
        "a taken idempotency key"
    );
    let found = store.webhooks.endpoint(world.merchant.id).await?;
    same!(found, Some(read.clone()), "the endpoint");
    let at_once = SecretRotation {
        secrets: EndpointSecrets::new(world.build.webhook_secret()),
        remembered: None,
        ..rotation(&world, &read, "none")
    };
    let rotated = store.webhooks.rotate_secret(&at_once).await?;
    same!(rotated, true, "without a record");
    let found = store.webhooks.endpoint(world.merchant.id).await?;
    let found = found.context("the endpoint")?;
    same!(found.secrets, at_once.secrets, "its secrets");
    world.remove(&world.merchant).await?;
    let late = rotation(&world, &found, "late");
    let rotated = store.webhooks.rotate_secret(&late).await?;
    same!(rotated, false, "a removed endpoint");
    Ok(())
}
