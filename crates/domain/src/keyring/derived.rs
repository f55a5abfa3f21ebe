//! HMAC keys derived from a keyring, and the authenticated tokens made with them.
//!
//! A token is: length of the key's id (1 byte), the id, a body, HMAC-SHA256 (32 bytes). It is
//! signed under the first key and verified under the key that it names, so that processes whose
//! keyrings have different orders accept each other's tokens.

use std::{fmt, sync::Arc};

use ring::{hkdf, hmac};

use super::KeyId;

/// Length of an HMAC-SHA256 tag, in bytes.
const TAG_LENGTH: usize = 32;

/// HMAC-SHA256 keys for one purpose, one derived from each key of a keyring, in its order.
#[derive(Clone)]
pub struct DerivedKeys(Arc<[(KeyId, hmac::Key)]>);

impl DerivedKeys {
    pub(super) fn new(keys: impl Iterator<Item = (KeyId, hmac::Key)>) -> Self {
        Self(keys.collect())
    }

    /// The keys with their ids, the first one first.
    pub fn iter(&self) -> impl Iterator<Item = (&KeyId, &hmac::Key)> {
        self.0.iter().map(|(id, key)| (id, key))
    }

    /// A token with this body; its tag covers `signed`.
    pub fn sign(&self, body: &[u8], signed: &[u8]) -> Vec<u8> {
        let Some((id, key)) = self.0.first() else {
            return Vec::new();
        };
        let id = id.as_str().as_bytes();
        // An id has at most 32 bytes.
        let length = u8::try_from(id.len()).unwrap_or(0);
        let tag = hmac::sign(key, signed);
        [&[length], id, body, tag.as_ref()].concat()
    }

    /// The body of a token, if a key of this list made its tag over the text that `signed` returns
    /// for that body.
    pub fn verify<'a, T: AsRef<[u8]>>(
        &self,
        token: &'a [u8],
        signed: impl FnOnce(&[u8]) -> T,
    ) -> Option<&'a [u8]> {
        let (length, rest) = token.split_first()?;
        let (id, rest) = rest.split_at_checked(usize::from(*length))?;
        let (body, tag) = rest.split_at_checked(rest.len().checked_sub(TAG_LENGTH)?)?;
        let mut keys = self.iter();
        let (_, key) = keys.find(|(known, _)| known.as_str().as_bytes() == id)?;
        hmac::verify(key, signed(body).as_ref(), tag).ok()?;
        Some(body)
    }
}

impl fmt::Debug for DerivedKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.iter().map(|(id, _)| id))
            .finish()
    }
}

/// Key material for one purpose by HKDF-SHA256; `None` if the algorithm needs more than HKDF
/// provides, which no algorithm used here does.
pub(super) fn expand<L: hkdf::KeyType, K>(
    master: &[u8; 32],
    purpose: &str,
    algorithm: L,
) -> Option<K>
where
    K: for<'a> From<hkdf::Okm<'a, L>>,
{
    let extracted = hkdf::Salt::new(hkdf::HKDF_SHA256, b"oncharge").extract(master);
    let info = [purpose.as_bytes()];
    extracted.expand(&info, algorithm).ok().map(K::from)
}
