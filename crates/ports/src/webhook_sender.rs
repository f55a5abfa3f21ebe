//! Sending to merchants' servers, which are anywhere and anything.

use std::time::Duration;

use async_trait::async_trait;
use oncharge_domain::webhook::{EndpointUrl, SendError};

/// Sends webhooks.
#[async_trait]
pub trait WebhookSender: Send + Sync {
    /// Posts once, and says what came of it. MUST follow no redirect, MUST connect to no address
    /// that `is_allowed_address` denies, whatever the name resolves to at this moment, and MUST end
    /// within ten seconds.
    async fn send(&self, webhook: &Webhook) -> SendOutcome;
}

/// One `POST` to a merchant.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// Where to.
    pub url: EndpointUrl,
    /// Names and values of headers beside `Content-Type: application/json`.
    pub headers: Vec<(&'static str, String)>,
    /// The raw body.
    pub body: Vec<u8>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendOutcome {
    /// The status of the answer, or why there was none.
    pub answer: Result<u16, SendError>,
    /// The first kilobyte of the answer's body, as text without control characters but line ends.
    pub response: String,
    /// What the answer's `Retry-After` asks for, in whole seconds or as a date.
    pub retry_after: Option<Duration>,
    /// How long it took.
    pub latency: Duration,
}
