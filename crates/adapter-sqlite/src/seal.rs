//! Sealing of what the file must not show: before a value is written, after it is read.

use std::sync::Arc;

use oncharge_domain::keyring::{KeyId, Keyring, KeyringError, SealContext, SealedValue};
use oncharge_ports::{Entropy, StoreError};

/// The keys at rest and the randomness that nonces come from.
#[derive(Clone)]
pub(crate) struct Sealer {
    keys: Keyring,
    entropy: Arc<dyn Entropy>,
}

/// A sealed value as its two columns hold it.
#[derive(Clone, Debug)]
pub(crate) struct SealedColumns {
    /// Nonce, ciphertext, tag.
    pub(crate) bytes: Vec<u8>,
    /// The key's name.
    pub(crate) key_id: String,
}

impl Sealer {
    pub(crate) fn new(keys: Keyring, entropy: Arc<dyn Entropy>) -> Self {
        Self { keys, entropy }
    }

    /// The randomness that the store draws on.
    pub(crate) fn entropy(&self) -> &dyn Entropy {
        &*self.entropy
    }

    /// The id of the key that new values are sealed under.
    pub(crate) fn first(&self) -> Result<&str, StoreError> {
        let first = self.keys.first().map(KeyId::as_str);
        first.ok_or_else(|| StoreError::Failed("there is no master key".into()))
    }

    /// Errors with the id where this key is not configured.
    pub(crate) fn require(&self, key_id: &str) -> Result<(), StoreError> {
        match KeyId::parse(key_id) {
            Some(id) if !self.keys.ids().any(|known| *known == id) => {
                Err(StoreError::Failed(KeyringError::UnknownKey(id).into()))
            }
            _ => Ok(()),
        }
    }

    /// Seals a value for its place.
    pub(crate) fn seal(
        &self,
        place: SealContext<'_>,
        plain: &[u8],
    ) -> Result<SealedColumns, StoreError> {
        let sealed = self
            .keys
            .seal(place, self.entropy.bytes(), plain)
            .map_err(|error| StoreError::Failed(error.into()))?;
        Ok(SealedColumns {
            bytes: sealed.bytes,
            key_id: sealed.key_id.as_str().to_owned(),
        })
    }

    /// Opens a value and hands it to `read`, which makes of it what it stands for; `None` where it
    /// does not open (another key, another place, altered) or `read` finds nothing in it.
    pub(crate) fn open<T>(
        &self,
        place: SealContext<'_>,
        columns: SealedColumns,
        read: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Option<T> {
        let sealed = SealedValue {
            key_id: KeyId::parse(&columns.key_id)?,
            bytes: columns.bytes,
        };
        read(&self.keys.open(place, &sealed).ok()?)
    }
}
