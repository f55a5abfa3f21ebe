//! One delivery attempt: render, sign, send.

use oncharge_domain::{
    id::{ApiKeyId, EventId, MerchantId},
    webhook::{
        DeliveryAttempt, EndpointSecrets, EndpointUrl, Message, SendError, WebhookSignatures,
    },
};
use oncharge_ports::{presenter::WebhookPayload, webhook_sender::Webhook};
use time::Duration;

use crate::{App, Error};

/// The header of the plain signature, as in the published API page.
const PLAIN_SIGNATURE_HEADER: &str = "X-Oncharge-Signature";

/// The recipient of a webhook.
pub(crate) struct Recipient {
    /// The merchant, whose keys sign.
    pub(crate) merchant: MerchantId,
    pub(crate) url: EndpointUrl,
    /// The key that the endpoint was set with.
    pub(crate) key: ApiKeyId,
    /// The secrets of its Standard Webhooks signatures.
    pub(crate) secrets: EndpointSecrets,
}

/// An attempt with the endpoint's requested delay.
pub(crate) struct SentAttempt {
    pub(crate) attempt: DeliveryAttempt,
    /// The delay that the endpoint requested with 429 or 503.
    pub(crate) retry_after: Option<Duration>,
}

/// Makes one attempt. If there is no valid API key to sign with, the attempt fails and nothing is
/// sent.
pub(crate) async fn send(
    app: &App,
    to: Recipient,
    id: EventId,
    payload: &WebhookPayload<'_>,
    number: u32,
) -> Result<SentAttempt, Error> {
    let keys = app.signing_keys(to.merchant).await?;
    let (id, body) = (
        id.to_string(),
        app.inner().presenter.render_webhook(payload),
    );
    let now = app.now();
    let message = Message {
        id: &id,
        body: &body,
        at: now,
    };
    let Some(signatures) = WebhookSignatures::make(&keys, to.key, &to.secrets, &message) else {
        return Ok(SentAttempt {
            attempt: DeliveryAttempt {
                number,
                at: now,
                status: None,
                latency_ms: 0,
                response: String::new(),
                error: Some(SendError::NoApiKey),
            },
            retry_after: None,
        });
    };
    let webhook = Webhook {
        url: to.url,
        headers: vec![
            (PLAIN_SIGNATURE_HEADER, signatures.plain),
            ("webhook-id", id),
            ("webhook-timestamp", now.unix_seconds().to_string()),
            ("webhook-signature", signatures.standard),
        ],
        body,
    };
    let sent = app.inner().sender.send(&webhook).await;
    metrics::histogram!("oncharge_webhook_seconds").record(sent.latency);
    let honors_retry_after = matches!(sent.status, Ok(429 | 503));
    let retry_after = sent.retry_after.filter(|_| honors_retry_after);
    Ok(SentAttempt {
        attempt: DeliveryAttempt {
            number,
            at: now,
            status: sent.status.ok(),
            latency_ms: u32::try_from(sent.latency.as_millis()).unwrap_or(u32::MAX),
            response: sent.response,
            error: sent.status.err(),
        },
        retry_after: retry_after.and_then(|wait| Duration::try_from(wait).ok()),
    })
}
