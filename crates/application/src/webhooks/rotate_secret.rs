//! Replaces the secret of a merchant's endpoint.

use oncharge_domain::{
    audit::{AuditAction, AuditEntry},
    webhook::{EndpointSecrets, WebhookEndpoint},
};
use oncharge_ports::{ApiResponse, CommitError, webhook_repository::SecretRotation};

use super::endpoint::new_secret;
use crate::{App, Error, PostContext, Reply, commit::Backoff};

/// What happens to the current secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OldSecretPolicy {
    /// It signs in addition to the new one for a day.
    Overlaps,
    /// It stops signing at once.
    Revoked,
}

/// Generates a new secret for the merchant's endpoint; only this response shows it.
///
/// Errors: the idempotency errors, `NotFound` if no endpoint is set, `Busy`.
pub async fn rotate_secret(
    app: &App,
    context: PostContext,
    old: OldSecretPolicy,
) -> Result<Reply, Error> {
    let app = app.clone();
    app.clone()
        .spawn_detached(async move {
            if let Some(reply) = context.replay(&app).await? {
                return Ok(reply);
            }
            let mut backoff = Backoff::new();
            loop {
                if let Some(reply) = attempt(&app, &context, old).await? {
                    return Ok(reply);
                }
                backoff.wait(&app).await?;
            }
        })
        .await
}

/// Writes nothing and returns `None` if the endpoint was changed since it was read.
async fn attempt(
    app: &App,
    context: &PostContext,
    old: OldSecretPolicy,
) -> Result<Option<Reply>, Error> {
    let (merchant, now) = (context.merchant.id, app.now());
    let read = app.inner().store.webhooks.endpoint(merchant).await?;
    let read = read.ok_or(Error::NotFound)?;
    let secret = new_secret(app);
    let secrets = match old {
        OldSecretPolicy::Overlaps => read.secrets.rotated_to(secret, now),
        OldSecretPolicy::Revoked => EndpointSecrets::new(secret),
    };
    let rotated = WebhookEndpoint {
        version: read.version.saturating_add(1),
        secrets: secrets.clone(),
        updated_at: now,
        ..read.clone()
    };
    let response = ApiResponse::SecretRotated(&rotated);
    let presenter = &app.inner().presenter;
    let rendered = presenter.render(&response, &context.request_id, now);
    let rotation = SecretRotation {
        audit: AuditEntry {
            id: app.new_id_in(merchant.slot()),
            at: now,
            action: AuditAction::EndpointSecretRotated,
            merchant: Some(merchant),
            session: None,
            operation: None,
            detail: read.url.without_query().to_owned(),
        },
        read,
        secrets,
        remembered: context.remember(&rendered, now),
    };
    match app.inner().store.webhooks.rotate_secret(&rotation).await {
        Ok(true) => Ok(Some(Reply::first(rendered))),
        Ok(false) => Ok(None),
        Err(CommitError::IdempotencyKeyTaken) => {
            let reply = context.replay_or(app, Error::IdempotencyConflict).await;
            reply.map(Some)
        }
        Err(error) => Err(error.into()),
    }
}
