//! Why a request is not believed to be a webhook.

use serde::de::value::Error as PlainError;

/// The request is none of the service's webhooks, or cannot be read: act on nothing in it, and
/// answer 400 or 401, so that a genuine one comes again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WebhookError {
    /// A header that every webhook carries is missing.
    #[error("the header {0} is missing")]
    MissingHeader(&'static str),
    /// No signature in it was made with a secret of yours over this very body: it was changed on
    /// its way, the secret is another's, or somebody made it up.
    #[error("the signature does not verify")]
    WrongSignature,
    /// Its timestamp is more than five minutes from the present, either way: it is an old one
    /// that somebody sends again, or a clock is wrong.
    #[error("the timestamp is too far from the present")]
    TimestampOutOfRange,
    /// What it was to be verified with is no signing secret.
    #[error(transparent)]
    Secret(#[from] InvalidSigningSecret),
    /// The signature is right, and the body is still not of the documented form.
    #[error("the body cannot be read")]
    Unreadable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl WebhookError {
    pub(crate) fn unreadable(error: &serde_json::Error) -> Self {
        // Without the value that serde_json would quote: errors go into logs.
        let position = format!("{:?} at line {}", error.classify(), error.line());
        Self::Unreadable(Box::new(<PlainError as serde::de::Error>::custom(position)))
    }
}

/// The text is no signing secret: `whsec_` and the base64 of 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a signing secret is whsec_ and the base64 of 32 bytes")]
pub struct InvalidSigningSecret;
