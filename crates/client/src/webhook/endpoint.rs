//! Your webhook endpoint and the deliveries to it, in the API's wire format.

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
    /// Whether it receives events. An endpoint that returned 410, or failed for five days, is
    /// disabled; setting it again enables it.
    pub enabled: bool,
    /// Why it is disabled: `gone` or `failing`.
    pub disabled_reason: Option<String>,
    /// When it was disabled.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub disabled_at: Option<OffsetDateTime>,
    /// The secret that signs its webhooks, only if it is new: after setting a new URL, and after
    /// [`Client::rotate_webhook_secret`](crate::Client::rotate_webhook_secret). Store it: it is
    /// shown once.
    pub signing_secret: Option<SigningSecret>,
    /// The last four characters of the signing secret, if it is not new.
    pub secret_hint: Option<String>,
    /// When you first set an endpoint.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it was last set.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
}

/// A signing secret in the format of Standard Webhooks. Whoever has it can forge webhooks.
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
    /// The attempts, oldest first.
    pub attempts: Vec<DeliveryAttempt>,
}

/// One attempt to deliver an event.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct DeliveryAttempt {
    /// When it started.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// The HTTP status of your response; `None` if there was none.
    pub status: Option<u16>,
    /// Its duration, in milliseconds.
    pub latency_ms: u64,
    /// The first kilobyte of your response.
    pub response: Option<String>,
    /// Why there was no response: `unknown_host`, `forbidden_address`, `cannot_connect`, `tls`,
    /// `timeout`, `broken_answer` or `no_api_key`.
    pub error: Option<String>,
}

impl DeliveryAttempt {
    /// Whether your endpoint accepted it: any 2xx.
    pub fn is_success(&self) -> bool {
        self.status
            .is_some_and(|status| (200..300).contains(&status))
    }
}
