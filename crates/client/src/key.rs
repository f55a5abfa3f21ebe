//! Idempotency keys: they identify repetitions of the same POST.

use std::fmt;

use ring::rand::{SecureRandom as _, SystemRandom};

/// Maximum length, in characters.
const MAX_LENGTH: usize = 255;

/// An idempotency key: 1 to 255 visible ASCII characters without quotes.
///
/// The service stores a key with its response for 72 hours: the same request under the same key
/// gets that response again, another request under it is refused.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(String);

/// The text is not a valid idempotency key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an idempotency key must be 1 to 255 visible ASCII characters without quotes")]
pub struct InvalidIdempotencyKey;

impl IdempotencyKey {
    /// A key from your own data, such as an order number. It should identify the *action*, not only
    /// the order: two refunds of one order need two keys.
    pub fn new(text: &str) -> Result<Self, InvalidIdempotencyKey> {
        let has_valid_length = (1..=MAX_LENGTH).contains(&text.len());
        let has_valid_characters = text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'"');
        if has_valid_length && has_valid_characters {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidIdempotencyKey)
        }
    }

    /// A random key; `None` if the operating system provides no randomness.
    pub(crate) fn random() -> Option<Self> {
        let mut bytes = [0_u8; 16];
        SystemRandom::new().fill(&mut bytes).ok()?;
        Some(Self(hex::encode(bytes)))
    }

    /// The text of the key.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_visible_ascii() {
        assert!(IdempotencyKey::new("order-42/refund#1").is_ok());
        assert!(IdempotencyKey::new(&"k".repeat(255)).is_ok());
        for bad in ["", "a b", "ä", "a\nb", "\"a\"", &"k".repeat(256)] {
            assert_eq!(
                IdempotencyKey::new(bad),
                Err(InvalidIdempotencyKey),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn random_keys_are_distinct_and_valid() {
        let (one, other) = (
            IdempotencyKey::random().unwrap(),
            IdempotencyKey::random().unwrap(),
        );
        assert_ne!(one, other);
        assert_eq!(IdempotencyKey::new(one.as_str()), Ok(one));
    }
}
