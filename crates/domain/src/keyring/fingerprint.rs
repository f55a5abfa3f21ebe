//! Fingerprints, which identify a key without revealing it.

use std::{fmt, str::FromStr};

use super::{KeyId, KeyringError};

/// A key's id with a digest of id and key: equal for equal keys, and useless for finding the key
/// (HMAC-SHA256 under a key that is derived for this purpose only). Its text is `id:hex`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyFingerprint {
    /// The key's id.
    pub id: KeyId,
    /// The digest.
    pub digest: [u8; 32],
}

impl fmt::Display for KeyFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.id.as_str(), hex::encode(self.digest))
    }
}

impl fmt::Debug for KeyFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for KeyFingerprint {
    type Err = KeyringError;

    /// Parses what [`fmt::Display`] writes.
    fn from_str(text: &str) -> Result<Self, KeyringError> {
        let (id, digits) = text
            .split_once(':')
            .ok_or(KeyringError::InvalidFingerprint)?;
        let mut digest = [0; 32];
        hex::decode_to_slice(digits, &mut digest).map_err(|_| KeyringError::InvalidFingerprint)?;
        let id = KeyId::parse(id).ok_or(KeyringError::InvalidFingerprint)?;
        Ok(Self { id, digest })
    }
}
