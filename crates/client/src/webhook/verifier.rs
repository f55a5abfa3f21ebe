//! Verifies that a request is a webhook of the service, recent and unmodified.

use std::time::{SystemTime, UNIX_EPOCH};

use oncharge_domain::{
    time::Timestamp,
    webhook::{SignatureError, StandardHeaders, WebhookSecret},
};

use super::{
    error::{InvalidSigningSecret, WebhookError},
    event::Webhook,
};
use crate::http;

/// Header with the event id.
const ID: &str = "webhook-id";
/// Header with the time of the signature, in Unix seconds.
const TIMESTAMP: &str = "webhook-timestamp";
/// Header with the signatures, separated by spaces.
const SIGNATURE: &str = "webhook-signature";

/// Verifies webhooks with the `signing_secret` of your endpoint (`whsec_…`), or with two while you
/// rotate it. Your API secret is not used.
///
/// It works with any web framework: it takes the headers as a function that looks one up by its
/// lower-case name, and the raw body, exactly as received, before any parsing.
///
/// ```
/// use oncharge_client::{Webhook, WebhookError, WebhookVerifier};
///
/// // With actix-web and axum alike: headers, and the body as bytes.
/// fn receive(
///     verifier: &WebhookVerifier,
///     headers: &reqwest::header::HeaderMap,
///     body: &[u8],
/// ) -> Result<(), WebhookError> {
///     match verifier.verify(|name| headers.get(name)?.to_str().ok(), body)? {
///         // Keep it, answer 2xx, then ask for the session: a webhook is a hint.
///         Webhook::Event(event) => println!("{}: {}", event.session_id, event.kind),
///         Webhook::Other { kind, .. } => println!("{kind}"),
///     }
///     Ok(())
/// }
/// ```
///
/// The signature is that of [Standard Webhooks](https://www.standardwebhooks.com), whose timestamp
/// prevents replays. `X-Oncharge-Signature` alone is never accepted: it covers no timestamp.
#[derive(Clone, Debug)]
pub struct WebhookVerifier {
    secrets: Vec<WebhookSecret>,
}

impl WebhookVerifier {
    /// Creates a verifier with this signing secret, as
    /// [`Client::set_webhook_endpoint`](crate::Client::set_webhook_endpoint) returns it once.
    pub fn new(signing_secret: &str) -> Result<Self, InvalidSigningSecret> {
        let secret = signing_secret.parse().map_err(|_| InvalidSigningSecret)?;
        Ok(Self {
            secrets: vec![secret],
        })
    }

    /// Accepts what either verifier accepts: the new and the old secret during a rotation.
    #[must_use]
    pub fn or(mut self, other: Self) -> Self {
        self.secrets.extend(other.secrets);
        self
    }

    /// Verifies a request by the system clock. `headers` looks up a header by its lower-case name.
    pub fn verify<'h>(
        &self,
        headers: impl Fn(&str) -> Option<&'h str>,
        body: &[u8],
    ) -> Result<Webhook, WebhookError> {
        self.verify_at(headers, body, http::now())
    }

    /// Verifies a request received at `now`.
    pub fn verify_at<'h>(
        &self,
        headers: impl Fn(&str) -> Option<&'h str>,
        body: &[u8],
        now: SystemTime,
    ) -> Result<Webhook, WebhookError> {
        let header = |name| headers(name).ok_or(WebhookError::MissingHeader(name));
        let signed = StandardHeaders {
            id: header(ID)?,
            timestamp: header(TIMESTAMP)?,
            signature: header(SIGNATURE)?,
        };
        let now = timestamp(now).ok_or(WebhookError::TimestampOutOfRange)?;
        let mut result = Err(WebhookError::WrongSignature);
        for secret in &self.secrets {
            match secret.verify(&signed, body, now) {
                Ok(()) => result = Ok(()),
                Err(SignatureError::TimestampOutOfRange) => {
                    return Err(WebhookError::TimestampOutOfRange);
                }
                Err(SignatureError::Mismatch) => {}
            }
        }
        result?;
        Webhook::read(signed.id, body)
    }
}

/// Verifies a request received at `now` with this signing secret; [`WebhookVerifier`] describes the
/// other arguments and supports two secrets.
pub fn verify_webhook<'h>(
    signing_secret: &str,
    headers: impl Fn(&str) -> Option<&'h str>,
    body: &[u8],
    now: SystemTime,
) -> Result<Webhook, WebhookError> {
    WebhookVerifier::new(signing_secret)?.verify_at(headers, body, now)
}

fn timestamp(at: SystemTime) -> Option<Timestamp> {
    let since_1970 = at.duration_since(UNIX_EPOCH).ok()?;
    Timestamp::from_unix_seconds(i64::try_from(since_1970.as_secs()).ok()?)
}
