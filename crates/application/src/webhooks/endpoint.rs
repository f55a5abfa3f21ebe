//! A merchant's webhook endpoint: set, get, remove.

use oncharge_domain::{
    audit::{AuditAction, AuditEntry},
    id::{ApiKeyId, MerchantId},
    webhook::{EndpointUrl, WebhookEndpoint, WebhookSecret},
};
use oncharge_ports::webhook_repository::EndpointWrite;
use tokio::time::Instant;

use crate::{App, Error};

/// How long a request may spend on ending orphaned deliveries.
const ORPHAN_CLEANUP_LIMIT: std::time::Duration = std::time::Duration::from_secs(3);

/// An endpoint as shown to its merchant.
#[derive(Debug, Clone)]
pub struct EndpointView {
    /// The endpoint.
    pub endpoint: WebhookEndpoint,
    /// How much of its secret is shown.
    pub secret: SecretView,
}

/// How much of an endpoint's secret is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretView {
    /// The whole secret, since it is new.
    Whole,
    /// Only its hint.
    Hint,
}

/// The merchant's endpoint.
///
/// Errors: `NotFound` if none is set, `Busy`.
pub async fn get(app: &App, merchant: MerchantId) -> Result<EndpointView, Error> {
    let found = app.inner().store.webhooks.endpoint(merchant).await?;
    Ok(EndpointView {
        endpoint: found.ok_or(Error::NotFound)?,
        secret: SecretView::Hint,
    })
}

/// Sets and enables the merchant's endpoint, replacing an existing one. `key` is the one that
/// signed the request: the endpoint keeps it through the grace period of a rotation. A new URL gets
/// a new secret, which is shown; the previous one keeps signing for a day, for pending deliveries.
///
/// Pending deliveries of an endpoint that was removed or disabled are ended first, so that none
/// goes to the new one. If there are too many to end in time, the next call continues.
///
/// Errors: `Busy`.
pub async fn set(
    app: &App,
    merchant: MerchantId,
    key: ApiKeyId,
    url: EndpointUrl,
) -> Result<EndpointView, Error> {
    let detail = url.without_query().to_owned();
    let audit = entry(app, AuditAction::EndpointSet, merchant, detail);
    let (webhooks, start) = (&app.inner().store.webhooks, Instant::now());
    loop {
        let (present, now) = (webhooks.endpoint(merchant).await?, app.now());
        let secret = new_secret(app);
        let endpoint = match &present {
            Some(present) => present.reconfigured(url.clone(), key, secret, now),
            None => WebhookEndpoint::new(
                app.new_id_in(merchant.slot()),
                merchant,
                url.clone(),
                key,
                secret,
                now,
            ),
        };
        match webhooks.set_endpoint(&endpoint, &audit).await? {
            EndpointWrite::Written => {
                let is_same = present.is_some_and(|present| present.url == url);
                let secret = if is_same {
                    SecretView::Hint
                } else {
                    SecretView::Whole
                };
                return Ok(EndpointView { endpoint, secret });
            }
            _ if start.elapsed() > ORPHAN_CLEANUP_LIMIT => return Err(Error::Busy(None)),
            EndpointWrite::Stale => {}
            EndpointWrite::OrphanedDeliveries => {
                webhooks.end_orphaned_deliveries(Some(merchant)).await?;
            }
        }
    }
}

/// A new random secret.
pub(super) fn new_secret(app: &App) -> WebhookSecret {
    WebhookSecret::from_bytes(app.inner().entropy.bytes())
}

/// Sets an endpoint's key to the one that a test has verified, unless the merchant has set or
/// removed the endpoint since it was read, or it was disabled: those changes take precedence.
pub(super) async fn change_key(
    app: &App,
    read: &WebhookEndpoint,
    key: ApiKeyId,
) -> Result<(), Error> {
    let detail = read.url.without_query().to_owned();
    let audit = entry(app, AuditAction::EndpointSet, read.merchant, detail);
    app.inner()
        .store
        .webhooks
        .change_key(read, key, &audit)
        .await?;
    Ok(())
}

/// Removes the merchant's endpoint and ends its pending deliveries; the clean-up ends those beyond
/// one batch.
///
/// Errors: `NotFound` if none is set, `Busy`.
pub async fn remove(app: &App, merchant: MerchantId) -> Result<(), Error> {
    let audit = entry(app, AuditAction::EndpointRemoved, merchant, String::new());
    if app
        .inner()
        .store
        .webhooks
        .remove_endpoint(merchant, &audit)
        .await?
    {
        app.inner().notifiers.clean_up.notify_one();
        Ok(())
    } else {
        Err(Error::NotFound)
    }
}

fn entry(app: &App, action: AuditAction, merchant: MerchantId, detail: String) -> AuditEntry {
    AuditEntry {
        id: app.new_id_in(merchant.slot()),
        at: app.now(),
        action,
        merchant: Some(merchant),
        session: None,
        operation: None,
        detail,
    }
}
