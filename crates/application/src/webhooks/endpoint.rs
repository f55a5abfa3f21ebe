//! A merchant's webhook endpoint: set, read, removed.

use oncharge_domain::{
    audit::{AuditAction, AuditEntry},
    id::{ApiKeyId, MerchantId},
    webhook::{EndpointUrl, WebhookEndpoint, WebhookSecret, signature},
};
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::{App, Error};

/// How long a request ends deliveries that an endpoint before it has left over.
const ENDS_WITHIN: std::time::Duration = std::time::Duration::from_secs(3);

/// An endpoint as its merchant sees it.
#[derive(Debug, Clone)]
pub struct EndpointView {
    /// The endpoint.
    pub endpoint: WebhookEndpoint,
    /// What a Standard Webhooks library verifies deliveries with, `whsec_…`.
    pub signing_secret: Zeroizing<String>,
}

/// The merchant's endpoint.
///
/// Errors: `NotFound` where none is set, `Busy`.
pub async fn get(app: &App, merchant: MerchantId) -> Result<EndpointView, Error> {
    let found = app.inner().webhooks.endpoint(merchant).await?;
    view(app, found.ok_or(Error::NotFound)?).await
}

/// Sets the merchant's endpoint in place of the one it had, and enables it. `key` is the one that
/// signed the request: the endpoint keeps it through the grace of a rotation.
///
/// What is left over from an endpoint that has ended is ended first: nothing of that is sent to the
/// new one. Where there is so much of it that this takes too long, the next try goes on with it.
///
/// Errors: `Busy`.
pub async fn set(
    app: &App,
    merchant: MerchantId,
    key: ApiKeyId,
    url: EndpointUrl,
) -> Result<EndpointView, Error> {
    let now = app.now();
    let detail = url.without_query().to_owned();
    let endpoint = WebhookEndpoint {
        merchant,
        url,
        key,
        disabled: None,
        failing_since: None,
        created_at: now,
        updated_at: now,
    };
    let audit = entry(app, AuditAction::EndpointSet, (merchant, detail));
    let (webhooks, start) = (&app.inner().webhooks, Instant::now());
    loop {
        if let Some(kept) = webhooks.set_endpoint(&endpoint, &audit).await? {
            return view(app, kept).await;
        }
        if start.elapsed() > ENDS_WITHIN {
            return Err(Error::Busy(None));
        }
        webhooks.end_left_over(Some(merchant)).await?;
    }
}

/// Gives an endpoint the key that a test of it has verified, unless the merchant has set or removed
/// it since it was read, or it was disabled: that stands.
pub(super) async fn change_key(
    app: &App,
    read: &WebhookEndpoint,
    key: ApiKeyId,
) -> Result<(), Error> {
    let detail = read.url.without_query().to_owned();
    let audit = entry(app, AuditAction::EndpointSet, (read.merchant, detail));
    app.inner().webhooks.change_key(read, key, &audit).await?;
    Ok(())
}

/// Removes the merchant's endpoint; what is on the way to it is given up, by the clean-up where it is
/// more than can be ended at once.
///
/// Errors: `NotFound` where none is set, `Busy`.
pub async fn remove(app: &App, merchant: MerchantId) -> Result<(), Error> {
    let audit = entry(app, AuditAction::EndpointRemoved, (merchant, String::new()));
    if app
        .inner()
        .webhooks
        .remove_endpoint(merchant, &audit)
        .await?
    {
        app.inner().wakes.clean_up.notify_one();
        Ok(())
    } else {
        Err(Error::NotFound)
    }
}

async fn view(app: &App, endpoint: WebhookEndpoint) -> Result<EndpointView, Error> {
    // Not those that are cached for attempts: the key that asks may be a second old.
    let now = app.now();
    let keys = app
        .inner()
        .webhooks
        .signing_keys(endpoint.merchant, now)
        .await?;
    let key = signature::signing_key(&keys, Some(endpoint.key), now);
    let key = key.ok_or_else(|| Error::internal("a merchant without an active key asks"))?;
    Ok(EndpointView {
        signing_secret: WebhookSecret::of(&key.signing_key).text(),
        endpoint,
    })
}

fn entry(app: &App, action: AuditAction, (merchant, detail): (MerchantId, String)) -> AuditEntry {
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
