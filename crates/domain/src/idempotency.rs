//! Idempotency keys of merchants: their form, and when two requests are equal.

use std::fmt;

use crate::{id::ApiKeyId, signing::sha256};

/// How long a response is stored, in seconds since it was given.
pub const IDEMPOTENCY_RETENTION_SECONDS: i64 = 72 * 3600;

/// An `Idempotency-Key`: 1 to 255 visible ASCII characters, quotes stripped.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// Parses the header's text, bare or quoted as in the IETF draft; `None` if it is invalid.
    pub fn parse(text: &str) -> Option<Self> {
        let inner = text
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'));
        let bare = inner.unwrap_or(text);
        let fits = (1..=255).contains(&bare.len()) && bare.bytes().all(|b| b.is_ascii_graphic());
        fits.then(|| Self(bare.to_owned()))
    }

    /// The text without quotes.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// SHA-256 over method, request target and SHA-256 of the raw body; equal for equal requests.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RequestFingerprint([u8; 32]);

impl RequestFingerprint {
    /// The fingerprint of a request.
    pub fn of(method: &str, target: &str, body: &[u8]) -> Self {
        let mut text = format!("{method} {target}\n").into_bytes();
        text.extend_from_slice(&sha256(body));
        Self(sha256(&text))
    }

    /// A fingerprint that is equal only for equal requests signed with the same API key.
    #[must_use]
    pub fn for_api_key(self, key: ApiKeyId) -> Self {
        Self(sha256(&[&self.0[..], key.uuid().as_bytes()].concat()))
    }

    /// The fingerprint with these bytes, for stores.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for RequestFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestFingerprint({})", hex::encode(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_stripped_and_the_rest_is_visible_ascii() {
        assert_eq!(
            IdempotencyKey::parse("\"abc\""),
            IdempotencyKey::parse("abc")
        );
        assert!(IdempotencyKey::parse(&"k".repeat(255)).is_some());
        for bad in ["", "\"\"", "a b", "ä", "a\tb", &"k".repeat(256)] {
            assert!(IdempotencyKey::parse(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn method_target_and_body_all_count() {
        let base = RequestFingerprint::of("POST", "/v1/refunds", b"{}");
        assert_ne!(base, RequestFingerprint::of("POST", "/v1/refunds", b"{ }"));
        assert_ne!(base, RequestFingerprint::of("POST", "/v1/refunds?x", b"{}"));
        assert_ne!(base, RequestFingerprint::of("PUT", "/v1/refunds", b"{}"));
    }

    #[test]
    fn for_api_key_binds_the_api_key() {
        let base = RequestFingerprint::of("POST", "/v1/api_keys/rotate", b"{}");
        let key = |number| ApiKeyId::from_uuid(uuid::Uuid::from_u128(number));
        assert_eq!(base.for_api_key(key(1)), base.for_api_key(key(1)));
        assert_ne!(base.for_api_key(key(1)), base.for_api_key(key(2)));
        assert_ne!(base.for_api_key(key(1)), base);
    }
}
