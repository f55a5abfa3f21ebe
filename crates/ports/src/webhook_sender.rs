//! Sending webhooks to merchants' servers, which are untrusted.

use std::time::Duration;

use async_trait::async_trait;
use oncharge_domain::webhook::{EndpointUrl, SendError};

/// Sends webhooks.
#[async_trait]
pub trait WebhookSender: Send + Sync {
    /// Posts once and returns the outcome. MUST NOT follow redirects, MUST NOT connect to an
    /// address that `is_allowed_address` denies, whatever the name resolves to at that moment, and
    /// MUST end within ten seconds.
    async fn send(&self, webhook: &Webhook) -> SendOutcome;
}

/// One `POST` to a merchant.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// The endpoint's URL.
    pub url: EndpointUrl,
    /// Header names and values in addition to `Content-Type: application/json`.
    pub headers: Vec<(&'static str, String)>,
    /// The raw body.
    pub body: Vec<u8>,
}

/// The outcome of one `POST`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendOutcome {
    /// The HTTP status of the response, or why there was none.
    pub status: Result<u16, SendError>,
    /// The first kilobyte of the response body as text, without control characters except line
    /// ends.
    pub response: String,
    /// The delay that the response's `Retry-After` header asks for, given in whole seconds or as a
    /// date.
    pub retry_after: Option<Duration>,
    /// How long the request took.
    pub latency: Duration,
}
