//! Rotation of webhook secrets.

use anyhow::Context;
use futures_util::future::join_all;
use oncharge_domain::{
    audit::AuditAction,
    webhook::{EndpointSecrets, WebhookEndpoint},
};
use oncharge_ports::{
    CommitError, unit_of_work::IdempotencyWrite, webhook_repository::SecretRotation,
};

use crate::{
    TestedStore,
    fixture::{Fixture, fingerprint, response},
};

/// A rotation of this endpoint's secret, under this idempotency key.
fn rotation(fixture: &Fixture, read: &WebhookEndpoint, text: &str) -> SecretRotation {
    let (secret, now) = (fixture.build.webhook_secret(), fixture.build.now());
    SecretRotation {
        read: read.clone(),
        secrets: read.secrets.rotated_to(secret, now),
        remembered: Some(IdempotencyWrite::ReserveAndComplete {
            scope: fixture.build.scope(&fixture.merchant, text),
            fingerprint: fingerprint(),
            response: response(text),
            at: now,
        }),
        audit: fixture.build.audit(AuditAction::EndpointSecretRotated),
    }
}

/// Of many rotations that have read the same endpoint one succeeds, and is stored with its
/// response; the others write nothing. Whether the endpoint is disabled or failing is not changed.
pub async fn a_secret_is_rotated_once(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let failing = WebhookEndpoint {
        disabled: Some(fixture.gone()),
        failing_since: Some(fixture.build.now()),
        ..fixture.build.endpoint(&fixture.merchant, &fixture.key)
    };
    let read = fixture.set(&failing).await?;
    fixture.build.advance(1);
    let texts: Vec<String> = (0..4).map(|number| format!("k{number}")).collect();
    let all: Vec<SecretRotation> = texts
        .iter()
        .map(|text| rotation(&fixture, &read, text))
        .collect();
    let webhooks = &store.webhooks;
    let results = join_all(all.iter().map(|one| webhooks.rotate_secret(one))).await;
    let mut rotated = Vec::new();
    for ((one, text), result) in all.iter().zip(&texts).zip(results) {
        let scope = fixture.build.scope(&fixture.merchant, text);
        let record = store.checkout.key(&scope).await?;
        let remembered = record.and_then(|record| record.response);
        let has_rotated = result?;
        ensure_eq!(
            remembered,
            has_rotated.then(|| response(text)),
            "the response"
        );
        if has_rotated {
            rotated.push(one.secrets.clone());
        }
    }
    ensure_eq!(rotated.len(), 1, "the number of rotations of one secret");
    let wanted = WebhookEndpoint {
        version: read.version + 1,
        secrets: rotated.pop().context("the new secrets")?,
        updated_at: fixture.build.now(),
        ..read
    };
    let found = webhooks.endpoint(fixture.merchant.id).await?;
    ensure_eq!(found, Some(wanted), "the endpoint");
    Ok(())
}

/// If the idempotency key is taken, the secret is not changed; a secret revoked at once is deleted;
/// and a removed endpoint has none.
pub async fn a_failed_rotation_keeps_the_secret(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let read = fixture.endpoint().await?;
    let scope = fixture.build.scope(&fixture.merchant, "taken");
    fixture
        .commit(fixture.unit_storing_response(&scope, "another"))
        .await?;
    let taken = rotation(&fixture, &read, "taken");
    ensure_err!(
        store.webhooks.rotate_secret(&taken).await,
        CommitError::IdempotencyKeyTaken,
        "a taken idempotency key"
    );
    let found = store.webhooks.endpoint(fixture.merchant.id).await?;
    ensure_eq!(found, Some(read.clone()), "the endpoint");
    let at_once = SecretRotation {
        secrets: EndpointSecrets::new(fixture.build.webhook_secret()),
        remembered: None,
        ..rotation(&fixture, &read, "none")
    };
    let rotated = store.webhooks.rotate_secret(&at_once).await?;
    ensure_eq!(rotated, true, "the rotation without an idempotency record");
    let found = store.webhooks.endpoint(fixture.merchant.id).await?;
    let found = found.context("the endpoint")?;
    ensure_eq!(found.secrets, at_once.secrets, "the endpoint's secrets");
    fixture.remove(&fixture.merchant).await?;
    let late = rotation(&fixture, &found, "late");
    let rotated = store.webhooks.rotate_secret(&late).await?;
    ensure_eq!(
        rotated,
        false,
        "the rotation of a removed endpoint's secret"
    );
    Ok(())
}
