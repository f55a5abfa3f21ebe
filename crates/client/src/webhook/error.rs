//! Why the verification of a webhook failed.

use serde::de::value::Error as PlainError;

/// The request is not an authentic webhook, or cannot be parsed: ignore its content and respond
/// with 400 or 401, so that an authentic one is delivered again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WebhookError {
    /// A header that every webhook has is missing.
    #[error("the header {0} is missing")]
    MissingHeader(&'static str),
    /// No signature matches this body under your secrets: it was modified in transit, belongs to
    /// another secret, or is forged.
    #[error("the signature is invalid")]
    WrongSignature,
    /// The timestamp differs from the present by more than five minutes: the webhook is replayed,
    /// or a clock is wrong.
    #[error("the timestamp is more than 5 minutes from the current time")]
    TimestampOutOfRange,
    /// The verifier's signing secret is invalid.
    #[error(transparent)]
    Secret(#[from] InvalidSigningSecret),
    /// The signature is valid, but the body is not in the documented format.
    #[error("the body is not a valid event")]
    Unreadable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl WebhookError {
    pub(crate) fn unreadable(error: &serde_json::Error) -> Self {
        // Omits the value that serde_json would quote: errors go into logs.
        let position = format!("{:?} at line {}", error.classify(), error.line());
        Self::Unreadable(Box::new(<PlainError as serde::de::Error>::custom(position)))
    }
}

/// The text is not a signing secret: `whsec_` and the base64 of 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a signing secret must be whsec_ followed by the base64 of 32 bytes")]
pub struct InvalidSigningSecret;
