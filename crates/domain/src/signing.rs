//! Signatures of merchant requests: HMAC-SHA256 over `{timestamp}.{METHOD}.{path}.{sha256(body)}`.
//!
//! Source: the published API page. It leaves two readings of the key, both accepted as described in
//! the guide (`docs/guide/signing.md`): the lowercase hex text of SHA-256 of the secret, or its 32
//! bytes.

use std::fmt;

use ring::{digest, hmac};
use subtle::{Choice, ConstantTimeEq};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// The maximum difference between a request's timestamp and the present, either way, in seconds.
pub const TIMESTAMP_TOLERANCE_SECONDS: i64 = 300;

/// The SHA-256 of an API secret: stored sealed, and the key of request signatures.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SigningKey([u8; 32]);

/// The parts of a request that are signed.
#[derive(Clone, Copy, Debug)]
pub struct SignedRequest<'a> {
    /// The text of `X-Oncharge-Timestamp`: 1 to 12 ASCII digits, Unix seconds.
    pub timestamp: &'a str,
    /// The method, in upper case.
    pub method: &'a str,
    /// The origin-form request target as it was sent, including its query.
    pub target: &'a str,
    /// The raw body; empty if there is none.
    pub body: &'a [u8],
}

impl SigningKey {
    /// The key of this API secret.
    pub fn of_secret(secret: &str) -> Self {
        Self(sha256(secret.as_bytes()))
    }

    /// The key with these 32 bytes, for stores.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes, for a store to seal.
    pub fn expose_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The signature of a request, 64 lowercase hex digits, with the hex text as HMAC key.
    pub fn sign(&self, request: &SignedRequest<'_>) -> String {
        let mut text = hex::encode(self.0);
        let tag = tag(text.as_bytes(), signing_string(request).as_bytes());
        text.zeroize();
        hex::encode(tag)
    }

    /// Whether `signature` (64 hex digits, either case) is valid under either reading of the key.
    ///
    /// Both are always computed and compared in constant time.
    pub fn verify(&self, request: &SignedRequest<'_>, signature: &str) -> bool {
        let mut given = [0_u8; 32];
        let well_formed = hex::decode_to_slice(signature, &mut given).is_ok();
        let text = signing_string(request);
        let mut hex_key = hex::encode(self.0);
        let by_text = tag(hex_key.as_bytes(), text.as_bytes());
        let by_bytes = tag(&self.0, text.as_bytes());
        hex_key.zeroize();
        let equal = by_text.ct_eq(&given) | by_bytes.ct_eq(&given);
        bool::from(equal & Choice::from(u8::from(well_formed)))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(…)")
    }
}

/// The text that is signed.
pub fn signing_string(request: &SignedRequest<'_>) -> String {
    let SignedRequest {
        timestamp,
        method,
        target,
        body,
    } = request;
    format!(
        "{timestamp}.{method}.{target}.{}",
        hex::encode(sha256(body))
    )
}

/// Parses a timestamp header: 1 to 12 ASCII digits, Unix seconds.
pub fn parse_timestamp(text: &str) -> Option<i64> {
    let plain = (1..=12).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

/// Whether a timestamp is within the tolerance of the present (both in Unix seconds).
pub fn is_within_tolerance(timestamp: i64, now: i64) -> bool {
    now.abs_diff(timestamp) <= TIMESTAMP_TOLERANCE_SECONDS.unsigned_abs()
}

/// The SHA-256 digest of `data`.
pub fn sha256(data: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, data).as_ref());
    out
}

fn tag(key: &[u8], text: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    out.copy_from_slice(hmac::sign(&key, text).as_ref());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const POST: SignedRequest<'_> = SignedRequest {
        timestamp: "1795360151",
        method: "POST",
        target: "/v1/payments",
        body: br#"{"amount":4200,"currency":"EUR","capture":"manual"}"#,
    };
    const BY_TEXT: &str = "9263eb10cd30b3422c037574535a99935779373d869fd54d3275eace7cd9838e";
    const BY_BYTES: &str = "d5f19c0de1d5cf42665b7f161239cd4c9f9e8e72a03883ecf1bff5cb7970163d";

    #[test]
    fn both_key_readings_are_accepted_in_either_case() {
        let key = SigningKey::of_secret("oc_secret_7f3aZ");
        assert_eq!(key.sign(&POST), BY_TEXT);
        for signature in [
            BY_TEXT,
            BY_BYTES,
            &BY_TEXT.to_uppercase(),
            &BY_BYTES.to_uppercase(),
        ] {
            assert!(key.verify(&POST, signature), "{signature}");
        }
    }

    #[test]
    fn any_change_is_refused() {
        let key = SigningKey::of_secret("oc_secret_7f3aZ");
        let changed = [
            SignedRequest {
                timestamp: "1795360152",
                ..POST
            },
            SignedRequest {
                method: "PUT",
                ..POST
            },
            SignedRequest {
                target: "/v1/payments?",
                ..POST
            },
            SignedRequest {
                body: b"{}",
                ..POST
            },
        ];
        for request in changed {
            assert!(!key.verify(&request, BY_TEXT), "{request:?}");
        }
        for signature in ["", "00", &BY_TEXT[1..], &"0".repeat(64), "zz"] {
            assert!(!key.verify(&POST, signature), "{signature}");
        }
        assert!(!SigningKey::of_secret("other").verify(&POST, BY_TEXT));
    }

    #[test]
    fn timestamps_are_digits_within_five_minutes() {
        for bad in ["", "1234567890123", "-1", "+1", "1.0", " 1", "１"] {
            assert_eq!(parse_timestamp(bad), None, "{bad}");
        }
        assert_eq!(parse_timestamp("000000000042"), Some(42));
        assert!(is_within_tolerance(700, 1000) && is_within_tolerance(1300, 1000));
        assert!(!is_within_tolerance(699, 1000) && !is_within_tolerance(1301, 1000));
    }
}
