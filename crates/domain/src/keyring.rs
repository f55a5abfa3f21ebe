//! Keys at rest: master keys, and all keys derived from them.
//!
//! A sealed value is AES-256-GCM ciphertext with a random nonce, under a key derived from a master
//! key. It carries that master key's id; its location (table, column, row) is associated data, so
//! that a value copied to another location does not open.

mod derived;
mod fingerprint;

use std::{fmt, sync::Arc};

use base64::{Engine, engine::general_purpose::STANDARD};
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hmac,
};
use zeroize::Zeroizing;

pub use derived::DerivedKeys;
pub use fingerprint::KeyFingerprint;

/// The HKDF label of sealing keys.
const SEALING: &str = "sealing";
/// The HKDF label of fingerprint keys.
const FINGERPRINT: &str = "fingerprint";

/// The id of a master key or a pepper: 1 to 32 letters, digits, `-` or `_`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(Arc<str>);

/// Named keys of 32 bytes: the first is used for new values, all for existing ones.
#[derive(Clone)]
pub struct Keyring(Arc<[NamedKey]>);

struct NamedKey {
    id: KeyId,
    bytes: Zeroizing<[u8; 32]>,
    sealing: Option<LessSafeKey>,
}

/// A value sealed with AES-256-GCM: nonce, ciphertext and tag, and the key's id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedValue {
    /// The master key that opens it.
    pub key_id: KeyId,
    /// Nonce (12 bytes), ciphertext, tag (16 bytes).
    pub bytes: Vec<u8>,
}

/// The location of a sealed value, bound to it as associated data.
#[derive(Clone, Copy, Debug)]
pub struct SealContext<'a> {
    /// The table's name.
    pub table: &'a str,
    /// The column's name.
    pub column: &'a str,
    /// The row's id, as text or bytes.
    pub row: &'a [u8],
}

/// Why a list of keys could not be parsed, or a value not sealed or opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    /// No key at all.
    #[error("at least one key is needed")]
    Empty,
    /// An entry is not `id:base64(32 bytes)`.
    #[error("entry {0} must be id:base64, where base64 encodes 32 bytes")]
    Malformed(usize),
    /// All bytes are zero: a placeholder, not a key.
    #[error("entry {0} is all zeros")]
    AllZero(usize),
    /// Two entries have the same id.
    #[error("entry {0} repeats the id of another")]
    Repeated(usize),
    /// The value names a key that the list does not contain.
    #[error("no key with the id {0:?}")]
    UnknownKey(KeyId),
    /// The value does not open: wrong key, wrong location, or altered.
    #[error("the sealed value cannot be decrypted")]
    CannotOpen,
    /// The text is not a [`KeyFingerprint`].
    #[error("not a key's fingerprint")]
    InvalidFingerprint,
}

impl KeyId {
    /// Parses an id: 1 to 32 ASCII letters, digits, `-` or `_`.
    pub fn parse(text: &str) -> Option<Self> {
        let plain = text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        ((1..=32).contains(&text.len()) && plain).then(|| Self(text.into()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Keyring {
    /// Parses `id:base64(32 bytes)` entries, separated by commas or white space.
    pub fn parse(text: &str) -> Result<Self, KeyringError> {
        let mut keys: Vec<NamedKey> = Vec::new();
        let entries = text
            .split(|c: char| c == ',' || c.is_whitespace())
            .filter(|e| !e.is_empty());
        for (entry, number) in entries.zip(1_usize..) {
            let malformed = KeyringError::Malformed(number);
            let (id, base64) = entry.split_once(':').ok_or_else(|| malformed.clone())?;
            let id = KeyId::parse(id).ok_or_else(|| malformed.clone())?;
            let raw = Zeroizing::new(STANDARD.decode(base64).map_err(|_| malformed.clone())?);
            let bytes: [u8; 32] = raw.as_slice().try_into().map_err(|_| malformed)?;
            if bytes == [0; 32] {
                return Err(KeyringError::AllZero(number));
            }
            if keys.iter().any(|key| key.id == id) {
                return Err(KeyringError::Repeated(number));
            }
            let sealing = derived::expand::<_, UnboundKey>(&bytes, SEALING, &AES_256_GCM);
            keys.push(NamedKey {
                id,
                bytes: Zeroizing::new(bytes),
                sealing: sealing.map(LessSafeKey::new),
            });
        }
        if keys.is_empty() {
            Err(KeyringError::Empty)
        } else {
            Ok(Self(keys.into()))
        }
    }

    /// An entry that [`Keyring::parse`] reads, for a file that only its owner may read.
    pub fn entry(id: &KeyId, bytes: &[u8; 32]) -> Zeroizing<String> {
        Zeroizing::new(format!("{}:{}", id.as_str(), STANDARD.encode(bytes)))
    }

    /// The id of the key that new values are made with.
    pub fn first(&self) -> Option<&KeyId> {
        self.0.first().map(|key| &key.id)
    }

    /// The ids of all keys, the first one first.
    pub fn ids(&self) -> impl Iterator<Item = &KeyId> {
        self.0.iter().map(|key| &key.id)
    }

    /// Seals a value for its location; the nonce must be random and never used twice.
    pub fn seal(
        &self,
        context: SealContext<'_>,
        nonce: [u8; NONCE_LEN],
        plain: &[u8],
    ) -> Result<SealedValue, KeyringError> {
        let key = self.0.first().ok_or(KeyringError::Empty)?;
        let sealing = key.sealing.as_ref().ok_or(KeyringError::CannotOpen)?;
        let mut bytes = plain.to_vec();
        sealing
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(context.associated_data()),
                &mut bytes,
            )
            .map_err(|_| KeyringError::CannotOpen)?;
        bytes.splice(0..0, nonce);
        Ok(SealedValue {
            key_id: key.id.clone(),
            bytes,
        })
    }

    /// Opens a value that was sealed for this location.
    pub fn open(
        &self,
        context: SealContext<'_>,
        sealed: &SealedValue,
    ) -> Result<Zeroizing<Vec<u8>>, KeyringError> {
        let named = self.0.iter().find(|key| key.id == sealed.key_id);
        let key = named.ok_or_else(|| KeyringError::UnknownKey(sealed.key_id.clone()))?;
        let opening = key.sealing.as_ref().ok_or(KeyringError::CannotOpen)?;
        let (nonce, ciphertext) = sealed
            .bytes
            .split_at_checked(NONCE_LEN)
            .ok_or(KeyringError::CannotOpen)?;
        let nonce =
            Nonce::try_assume_unique_for_key(nonce).map_err(|_| KeyringError::CannotOpen)?;
        let mut buffer = Zeroizing::new(ciphertext.to_vec());
        let length = opening
            .open_in_place(nonce, Aad::from(context.associated_data()), &mut buffer)
            .map_err(|_| KeyringError::CannotOpen)?
            .len();
        buffer.truncate(length);
        Ok(buffer)
    }

    /// HMAC keys for one purpose, derived from every key by HKDF-SHA256.
    pub fn derive(&self, purpose: &str) -> DerivedKeys {
        let derived = self.0.iter().filter_map(|key| {
            let hmac = derived::expand(&key.bytes, purpose, hmac::HMAC_SHA256)?;
            Some((key.id.clone(), hmac))
        });
        DerivedKeys::new(derived)
    }

    /// The fingerprint of every key, the first one first.
    pub fn fingerprints(&self) -> Vec<KeyFingerprint> {
        let fingerprint = |(id, key): (&KeyId, &hmac::Key)| {
            let mut digest = [0; 32];
            digest.copy_from_slice(hmac::sign(key, id.as_str().as_bytes()).as_ref());
            KeyFingerprint {
                id: id.clone(),
                digest,
            }
        };
        let keys = self.derive(FINGERPRINT);
        keys.iter().map(fingerprint).collect()
    }
}

impl SealContext<'_> {
    fn associated_data(&self) -> Vec<u8> {
        let names = [self.table.as_bytes(), self.column.as_bytes()].join(&b'.');
        [names.as_slice(), self.row].join(&b':')
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.ids()).finish()
    }
}

#[cfg(test)]
mod tests;
