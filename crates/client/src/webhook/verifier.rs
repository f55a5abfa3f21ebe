//! Checks that a request is a webhook of the service, sent just now and not changed since.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::{Engine, engine::general_purpose::STANDARD};
use oncharge_domain::{
    signing::SigningKey,
    time::Timestamp,
    webhook::{BadSignature, WebhookSecret},
};
use zeroize::Zeroizing;

use super::{
    error::{NotASigningSecret, WebhookError},
    event::Webhook,
};
use crate::http;

/// The id of the event.
const ID: &str = "webhook-id";
/// When this attempt was signed, in Unix seconds.
const TIMESTAMP: &str = "webhook-timestamp";
/// The signatures, with a space between.
const SIGNATURE: &str = "webhook-signature";

/// Verifies webhooks with your API secret, or with two while you rotate it.
///
/// It knows no web framework: it is given the headers as a function that looks one up, by its name
/// in lower case, and the raw body, as it came, before anything has parsed it.
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
/// What is checked is the signature of [Standard Webhooks](https://www.standardwebhooks.com), whose
/// timestamp keeps an old webhook from being sent again. `X-Oncharge-Signature` alone is never
/// believed: it has no time in it.
#[derive(Clone, Debug)]
pub struct WebhookVerifier {
    secrets: Vec<WebhookSecret>,
}

impl WebhookVerifier {
    /// Verifies with this API secret.
    pub fn new(api_secret: &str) -> Self {
        Self::with(&SigningKey::of_secret(api_secret))
    }

    /// Verifies with the `signing_secret` of the endpoint (`whsec_…`): for a server that receives
    /// webhooks and makes no calls, which then needs no API secret.
    pub fn from_signing_secret(text: &str) -> Result<Self, NotASigningSecret> {
        let encoded = text.strip_prefix("whsec_").ok_or(NotASigningSecret)?;
        let bytes = STANDARD.decode(encoded).map_err(|_| NotASigningSecret)?;
        let bytes = Zeroizing::new(bytes);
        let bytes = <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| NotASigningSecret)?;
        Ok(Self::with(&SigningKey::from_bytes(bytes)))
    }

    /// Takes what either of them takes: during a rotation, the new secret's and the old one's.
    #[must_use]
    pub fn or(mut self, other: Self) -> Self {
        self.secrets.extend(other.secrets);
        self
    }

    /// Verifies a request by the machine's clock. `headers` looks one up by its lower-case name.
    pub fn verify<'h>(
        &self,
        headers: impl Fn(&str) -> Option<&'h str>,
        body: &[u8],
    ) -> Result<Webhook, WebhookError> {
        self.verify_at(headers, body, http::now())
    }

    /// Verifies a request that came in at `now`.
    pub fn verify_at<'h>(
        &self,
        headers: impl Fn(&str) -> Option<&'h str>,
        body: &[u8],
        now: SystemTime,
    ) -> Result<Webhook, WebhookError> {
        let header = |name| headers(name).ok_or(WebhookError::MissingHeader(name));
        let signed = (header(ID)?, header(TIMESTAMP)?, header(SIGNATURE)?);
        let now = timestamp(now).ok_or(WebhookError::Untimely)?;
        let mut result = Err(WebhookError::WrongSignature);
        for secret in &self.secrets {
            match secret.verify_standard(signed, body, now) {
                Ok(()) => result = Ok(()),
                Err(BadSignature::Untimely) => return Err(WebhookError::Untimely),
                Err(BadSignature::Wrong) => {}
            }
        }
        result?;
        Webhook::read(signed.0, body)
    }

    fn with(key: &SigningKey) -> Self {
        Self {
            secrets: vec![WebhookSecret::of(key)],
        }
    }
}

/// Verifies one request that came in at `now` with this API secret; [`WebhookVerifier`] says what
/// the other arguments are, and takes two secrets.
pub fn verify_webhook<'h>(
    api_secret: &str,
    headers: impl Fn(&str) -> Option<&'h str>,
    body: &[u8],
    now: SystemTime,
) -> Result<Webhook, WebhookError> {
    WebhookVerifier::new(api_secret).verify_at(headers, body, now)
}

fn timestamp(at: SystemTime) -> Option<Timestamp> {
    let since_1970 = at.duration_since(UNIX_EPOCH).ok()?;
    Timestamp::from_unix_seconds(i64::try_from(since_1970.as_secs()).ok()?)
}
