//! Keys at rest: master keys that seal values and from which all other keys are derived.
//!
//! A sealed value is AES-256-GCM with a random nonce; it names the master key that sealed it, and
//! the place where it is kept (table, column, row) is bound to it, so that a value copied to
//! another place does not open.

use std::{fmt, sync::Arc};

use base64::{Engine, engine::general_purpose::STANDARD};
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hkdf, hmac,
};
use zeroize::Zeroizing;

/// The name of a master key or a pepper: 1 to 32 letters, digits, `-` or `_`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(Arc<str>);

/// Keys of 32 bytes with names: the first is used for new values, all for old ones.
#[derive(Clone)]
pub struct Keyring(Arc<[NamedKey]>);

struct NamedKey {
    id: KeyId,
    bytes: Zeroizing<[u8; 32]>,
    sealing: Option<LessSafeKey>,
}

/// A value under AES-256-GCM: nonce, ciphertext and tag, and the key's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The master key that opens it.
    pub key_id: KeyId,
    /// Nonce (12 bytes), ciphertext, tag (16 bytes).
    pub bytes: Vec<u8>,
}

/// The place where a sealed value is kept; bound to it as associated data.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The table's name.
    pub table: &'a str,
    /// The column's name.
    pub column: &'a str,
    /// The row's id, as text or bytes.
    pub row: &'a [u8],
}

/// Why a list of keys could not be read, or a value not sealed or opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    /// No key at all.
    #[error("at least one key is needed")]
    Empty,
    /// An entry is not `id:base64(32 bytes)`.
    #[error("entry {0} is not id:base64 of 32 bytes")]
    Malformed(usize),
    /// All bytes are zero: a placeholder, no key.
    #[error("entry {0} is all zeros")]
    AllZero(usize),
    /// Two entries have one name.
    #[error("entry {0} repeats the id of another")]
    Repeated(usize),
    /// The value names a key that the list does not hold.
    #[error("no key with the id {0:?}")]
    UnknownKey(KeyId),
    /// The value does not open: another key, another place, or altered.
    #[error("the sealed value does not open")]
    DoesNotOpen,
}

impl KeyId {
    /// Reads a name: 1 to 32 ASCII letters, digits, `-` or `_`.
    pub fn parse(text: &str) -> Option<Self> {
        let plain = text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        ((1..=32).contains(&text.len()) && plain).then(|| Self(text.into()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Keyring {
    /// Reads `id:base64(32 bytes)` entries, separated by commas or white space.
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
            let sealing = UnboundKey::new(&AES_256_GCM, &bytes)
                .ok()
                .map(LessSafeKey::new);
            keys.push(NamedKey {
                id,
                bytes: Zeroizing::new(bytes),
                sealing,
            });
        }
        if keys.is_empty() {
            Err(KeyringError::Empty)
        } else {
            Ok(Self(keys.into()))
        }
    }

    /// The text that [`Keyring::parse`] reads, for a file that only its owner may read.
    pub fn entry(id: &KeyId, bytes: &[u8; 32]) -> Zeroizing<String> {
        Zeroizing::new(format!("{}:{}", id.as_str(), STANDARD.encode(bytes)))
    }

    /// The name of the key that new values are made with.
    pub fn first(&self) -> Option<&KeyId> {
        self.0.first().map(|key| &key.id)
    }

    /// The names of all keys, the first one first.
    pub fn ids(&self) -> impl Iterator<Item = &KeyId> {
        self.0.iter().map(|key| &key.id)
    }

    /// Seals a value for its place; the nonce must be random and never used twice.
    pub fn seal(
        &self,
        place: Place<'_>,
        nonce: [u8; NONCE_LEN],
        plain: &[u8],
    ) -> Result<Sealed, KeyringError> {
        let key = self.0.first().ok_or(KeyringError::Empty)?;
        let sealing = key.sealing.as_ref().ok_or(KeyringError::DoesNotOpen)?;
        let mut bytes = plain.to_vec();
        sealing
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(place.bound_text()),
                &mut bytes,
            )
            .map_err(|_| KeyringError::DoesNotOpen)?;
        bytes.splice(0..0, nonce);
        Ok(Sealed {
            key_id: key.id.clone(),
            bytes,
        })
    }

    /// Opens a value that was sealed for this place.
    pub fn open(
        &self,
        place: Place<'_>,
        sealed: &Sealed,
    ) -> Result<Zeroizing<Vec<u8>>, KeyringError> {
        let named = self.0.iter().find(|key| key.id == sealed.key_id);
        let key = named.ok_or_else(|| KeyringError::UnknownKey(sealed.key_id.clone()))?;
        let opening = key.sealing.as_ref().ok_or(KeyringError::DoesNotOpen)?;
        let (nonce, ciphertext) = sealed
            .bytes
            .split_at_checked(NONCE_LEN)
            .ok_or(KeyringError::DoesNotOpen)?;
        let nonce =
            Nonce::try_assume_unique_for_key(nonce).map_err(|_| KeyringError::DoesNotOpen)?;
        let mut buffer = Zeroizing::new(ciphertext.to_vec());
        let length = opening
            .open_in_place(nonce, Aad::from(place.bound_text()), &mut buffer)
            .map_err(|_| KeyringError::DoesNotOpen)?
            .len();
        buffer.truncate(length);
        Ok(buffer)
    }

    /// HMAC keys for one purpose, derived from every key by HKDF-SHA256, the first one first.
    pub fn derive(&self, purpose: &str) -> Vec<(KeyId, hmac::Key)> {
        self.0
            .iter()
            .map(|key| (key.id.clone(), derive_hmac(&key.bytes, purpose)))
            .collect()
    }
}

fn derive_hmac(master: &[u8; 32], purpose: &str) -> hmac::Key {
    let extracted = hkdf::Salt::new(hkdf::HKDF_SHA256, b"oncharge").extract(master);
    let info = [purpose.as_bytes()];
    // An HMAC-SHA256 key is as long as the hash, which HKDF can always give.
    extracted.expand(&info, hmac::HMAC_SHA256).map_or_else(
        |_| hmac::Key::new(hmac::HMAC_SHA256, master),
        hmac::Key::from,
    )
}

impl Place<'_> {
    fn bound_text(&self) -> Vec<u8> {
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
mod tests {
    use super::*;

    const PLACE: Place<'_> = Place {
        table: "contacts",
        column: "email",
        row: b"cs_1",
    };

    fn ring(entries: &[(&str, u8)]) -> Keyring {
        let entry = |(id, byte): &(&str, u8)| {
            Keyring::entry(&KeyId::parse(id).unwrap(), &[*byte; 32]).to_string()
        };
        Keyring::parse(&entries.iter().map(entry).collect::<Vec<_>>().join(",")).unwrap()
    }

    #[test]
    fn the_first_seals_and_all_open() {
        let (old, both) = (ring(&[("a", 1)]), ring(&[("b", 2), ("a", 1)]));
        let sealed = old.seal(PLACE, [9; 12], b"shopper").unwrap();
        assert_eq!(both.open(PLACE, &sealed).unwrap().as_slice(), b"shopper");
        let new = both.seal(PLACE, [9; 12], b"shopper").unwrap();
        assert_eq!(new.key_id.as_str(), "b");
        assert!(matches!(
            old.open(PLACE, &new),
            Err(KeyringError::UnknownKey(_))
        ));
    }

    #[test]
    fn a_value_moved_or_altered_does_not_open() {
        let keys = ring(&[("a", 1)]);
        let sealed = keys.seal(PLACE, [9; 12], b"shopper").unwrap();
        let elsewhere = Place {
            row: b"cs_2",
            ..PLACE
        };
        assert_eq!(
            keys.open(elsewhere, &sealed).unwrap_err(),
            KeyringError::DoesNotOpen
        );
        for at in 0..sealed.bytes.len() {
            let mut altered = sealed.clone();
            altered.bytes[at] ^= 1;
            assert!(keys.open(PLACE, &altered).is_err(), "byte {at}");
        }
    }

    #[test]
    fn bad_lists_are_refused_by_entry() {
        let zero = Keyring::entry(&KeyId::parse("z").unwrap(), &[0; 32]).to_string();
        let one = Keyring::entry(&KeyId::parse("a").unwrap(), &[1; 32]).to_string();
        let error = |text: &str| Keyring::parse(text).unwrap_err();
        assert_eq!(error(" , "), KeyringError::Empty);
        assert_eq!(error("nonsense"), KeyringError::Malformed(1));
        assert_eq!(error("a:AAAA"), KeyringError::Malformed(1));
        assert_eq!(error(&format!("{one},{zero}")), KeyringError::AllZero(2));
        assert_eq!(error(&format!("{one} {one}")), KeyringError::Repeated(2));
    }

    #[test]
    fn purposes_give_different_keys() {
        let keys = ring(&[("a", 1)]);
        let tag = |purpose| {
            hmac::sign(&keys.derive(purpose)[0].1, b"x")
                .as_ref()
                .to_vec()
        };
        assert_ne!(tag("pay_token"), tag("cursor"));
    }
}
