//! The secrets of a webhook endpoint, with which Standard Webhooks signatures are made and verified
//! (<https://www.standardwebhooks.com>).

use std::{fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::STANDARD};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::time::Timestamp;

/// How long a replaced secret keeps signing, in seconds.
pub const ROTATION_OVERLAP_SECONDS: i64 = 86_400;

const PREFIX: &str = "whsec_";
/// The number of characters in a hint.
const HINT_LENGTH: usize = 4;

/// 32 random bytes of one endpoint. They are independent of the merchant's API secrets, so that
/// whoever has them can forge webhooks for this endpoint and nothing else.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct WebhookSecret([u8; 32]);

/// The text is not a signing secret, which is `whsec_` and the base64 of 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a signing secret must be whsec_ followed by the base64 of 32 bytes")]
pub struct InvalidWebhookSecret;

impl WebhookSecret {
    /// The secret with these bytes, which must be random.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, for a store to seal.
    pub fn expose_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// `whsec_` and the base64 of the bytes, the form that Standard Webhooks libraries accept.
    pub fn text(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{PREFIX}{}", STANDARD.encode(self.0)))
    }

    /// The last characters of the text, by which its merchant recognizes it.
    pub fn hint(&self) -> String {
        let text = self.text();
        let start = text.len().saturating_sub(HINT_LENGTH);
        text.get(start..).unwrap_or_default().to_owned()
    }
}

impl FromStr for WebhookSecret {
    type Err = InvalidWebhookSecret;

    /// Parses what [`WebhookSecret::text`] writes.
    fn from_str(text: &str) -> Result<Self, InvalidWebhookSecret> {
        let encoded = text.strip_prefix(PREFIX).ok_or(InvalidWebhookSecret)?;
        let bytes = STANDARD.decode(encoded).map_err(|_| InvalidWebhookSecret)?;
        let bytes = Zeroizing::new(bytes);
        let bytes = bytes
            .as_slice()
            .try_into()
            .map_err(|_| InvalidWebhookSecret)?;
        Ok(Self(bytes))
    }
}

impl PartialEq for WebhookSecret {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for WebhookSecret {}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret(…)")
    }
}

/// The secrets that sign an endpoint's deliveries: the current one and, for a day after a rotation,
/// the previous one, so that the merchant can change its server in between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointSecrets {
    /// The current secret.
    pub current: WebhookSecret,
    /// The previous secret.
    pub previous: Option<PreviousSecret>,
}

/// A secret that was replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreviousSecret {
    /// The secret.
    pub secret: WebhookSecret,
    /// When it stops signing.
    pub ends_at: Timestamp,
}

impl EndpointSecrets {
    /// The secrets of a new endpoint.
    pub fn new(secret: WebhookSecret) -> Self {
        Self {
            current: secret,
            previous: None,
        }
    }

    /// Replaces the current secret, which keeps signing for [`ROTATION_OVERLAP_SECONDS`]. A
    /// previous one that still signs ends now: a delivery has at most two signatures.
    #[must_use]
    pub fn rotated_to(&self, secret: WebhookSecret, now: Timestamp) -> Self {
        Self {
            current: secret,
            previous: Some(PreviousSecret {
                secret: self.current.clone(),
                ends_at: now.plus_seconds(ROTATION_OVERLAP_SECONDS),
            }),
        }
    }

    /// The secrets that sign at this time, the current one first.
    pub fn signing(&self, now: Timestamp) -> impl Iterator<Item = &WebhookSecret> {
        let previous = self.previous.iter();
        let previous = previous.filter(move |previous| now < previous.ends_at);
        std::iter::once(&self.current).chain(previous.map(|previous| &previous.secret))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "whsec_X4tlTOf3Xfv0QanO7y6/o8RwC3WOvr5I7qXsNRee5d8=";

    #[test]
    fn a_secret_round_trips_and_has_a_hint() {
        let secret: WebhookSecret = TEXT.parse().unwrap();
        assert_eq!(secret.text().as_str(), TEXT);
        assert_eq!(secret.hint(), "5d8=");
        assert_eq!(format!("{secret:?}"), "WebhookSecret(…)");
        for bad in ["", "whsec_", "whsec_AAAA", &TEXT[6..], "whsec_\n"] {
            assert_eq!(bad.parse::<WebhookSecret>(), Err(InvalidWebhookSecret));
        }
    }

    #[test]
    fn a_replaced_secret_signs_for_a_day() {
        let secret = |number| WebhookSecret::from_bytes([number; 32]);
        let now = Timestamp::from_unix_seconds(1_795_360_150).unwrap();
        let first = EndpointSecrets::new(secret(1));
        let second = first.rotated_to(secret(2), now);
        let signing = |secrets: &EndpointSecrets, seconds| -> Vec<WebhookSecret> {
            secrets
                .signing(now.plus_seconds(seconds))
                .cloned()
                .collect()
        };
        assert_eq!(signing(&first, 0), [secret(1)]);
        assert_eq!(signing(&second, 86_399), [secret(2), secret(1)]);
        assert_eq!(signing(&second, 86_400), [secret(2)]);
        let third = second.rotated_to(secret(3), now);
        assert_eq!(signing(&third, 0), [secret(3), secret(2)]);
    }
}
