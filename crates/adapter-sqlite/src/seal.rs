//! Sealed columns: data that must not be readable in the file is sealed on write and opened on
//! read.

use std::sync::Arc;

use oncharge_domain::keyring::{KeyId, Keyring, KeyringError, SealContext, SealedValue};
use oncharge_ports::{Entropy, StoreError};

/// Seals and opens values: the master keys, and the randomness for nonces.
#[derive(Clone)]
pub(crate) struct Sealer {
    keys: Keyring,
    entropy: Arc<dyn Entropy>,
}

/// A sealed value as it is stored in two columns.
#[derive(Clone, Debug)]
pub(crate) struct SealedColumns {
    /// Nonce, ciphertext, tag.
    pub(crate) bytes: Vec<u8>,
    /// The name of the key.
    pub(crate) key_id: String,
}

impl Sealer {
    pub(crate) fn new(keys: Keyring, entropy: Arc<dyn Entropy>) -> Self {
        Self { keys, entropy }
    }

    pub(crate) fn entropy(&self) -> &dyn Entropy {
        &*self.entropy
    }

    /// The id of the key that seals new values.
    pub(crate) fn first(&self) -> Result<&str, StoreError> {
        let first = self.keys.first().map(KeyId::as_str);
        first.ok_or_else(|| StoreError::Failed("no master key is configured".into()))
    }

    /// Errors with the id if this key is not configured.
    pub(crate) fn require(&self, key_id: &str) -> Result<(), StoreError> {
        match KeyId::parse(key_id) {
            Some(id) if !self.keys.ids().any(|known| *known == id) => {
                Err(StoreError::Failed(KeyringError::UnknownKey(id).into()))
            }
            _ => Ok(()),
        }
    }

    /// Seals a value for its context.
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

    /// Opens a value and parses it with `read`; `None` if it does not open (another key, another
    /// context, altered) or `read` returns `None`.
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
