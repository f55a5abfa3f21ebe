//! Your webhook endpoint and the deliveries to it, as the API writes them.

use std::fmt;

use serde::Deserialize;
use time::OffsetDateTime;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::event::WebhookEvent;

/// Where your events are sent.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct WebhookEndpoint {
    /// The URL.
    pub url: String,
    /// Whether anything is sent to it. An endpoint that answered 410, or failed for five days, is
    /// disabled; setting it again enables it.
    pub enabled: bool,
    /// Why it is disabled: `gone` or `failing`.
    pub disabled_reason: Option<String>,
    /// When it was disabled.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub disabled_at: Option<OffsetDateTime>,
    /// What its webhooks are signed with; only where it is new: after a new URL was set, and after
    /// [`Client::rotate_webhook_secret`](crate::Client::rotate_webhook_secret). Keep it: it is shown
    /// once.
    pub signing_secret: Option<SigningSecret>,
    /// The last four characters of the signing secret, where that is not new.
    pub secret_hint: Option<String>,
    /// When you first had an endpoint.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it was last set.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
}

/// What webhooks are signed with, in the form of Standard Webhooks. With it anybody can make up
/// webhooks that you would believe.
#[derive(Clone, Deserialize, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
#[serde(transparent)]
pub struct SigningSecret(String);

impl SigningSecret {
    /// The secret itself, `whsec_…`.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret(…)")
    }
}

/// An event with all attempts to deliver it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct EventDetails {
    /// The event.
    #[serde(flatten)]
    pub event: WebhookEvent,
    /// The attempts, the first one first.
    pub attempts: Vec<DeliveryAttempt>,
}

/// One attempt to deliver.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct DeliveryAttempt {
    /// When it began.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// The HTTP status of your answer; `None` where there was none.
    pub status: Option<u16>,
    /// How long it took, in milliseconds.
    pub latency_ms: u64,
    /// The first kilobyte of your answer.
    pub response: Option<String>,
    /// Why there was no answer: `unknown_host`, `forbidden_address`, `cannot_connect`, `tls`,
    /// `timeout`, `broken_answer` or `no_api_key`.
    pub error: Option<String>,
}

impl DeliveryAttempt {
    /// Whether you have taken it: any 2xx.
    pub fn is_success(&self) -> bool {
        self.status
            .is_some_and(|status| (200..300).contains(&status))
    }
}
