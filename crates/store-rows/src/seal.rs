//! Sealed columns: data that must not be readable in the database or its backups.

use std::sync::Arc;

use oncharge_domain::keyring::{KeyId, Keyring, KeyringError, SealContext, SealedValue};
use oncharge_ports::{Entropy, StoreError};
use zeroize::Zeroizing;

/// Seals and opens values, each bound to its place in the database.
#[derive(Clone)]
pub struct Sealer {
    keys: Keyring,
    entropy: Arc<dyn Entropy>,
}

/// A column that holds sealed values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    pub table: &'static str,
    pub name: &'static str,
}

/// A sealed value as it is stored in two columns.
#[derive(Clone, Debug)]
pub struct SealedColumns {
    /// Nonce, ciphertext and tag.
    pub bytes: Vec<u8>,
    /// The name of the key.
    pub key_id: String,
}

pub const CONTACT_EMAIL: Column = Column::new("contacts", "email");
pub const CONTACT_PHONE: Column = Column::new("contacts", "phone");
pub const SIGNING_KEY: Column = Column::new("api_keys", "signing_key");
pub const WEBHOOK_SECRET: Column = Column::new("webhook_endpoints", "secret");
pub const PREVIOUS_WEBHOOK_SECRET: Column = Column::new("webhook_endpoints", "previous_secret");
pub const REQUEST: Column = Column::new("operations", "request");
pub const BODY: Column = Column::new("idempotency_keys", "body");
pub const NOTIFICATION: Column = Column::new("psp_notifications", "body");

impl Column {
    const fn new(table: &'static str, name: &'static str) -> Self {
        Self { table, name }
    }

    /// The error for this column of a row, which cannot be read back.
    pub fn corrupt(self, row: &[u8]) -> StoreError {
        StoreError::Corrupt {
            table: self.table,
            column: self.name,
            row: hex::encode(row),
        }
    }

    fn place(self, row: &[u8]) -> SealContext<'_> {
        SealContext {
            table: self.table,
            column: self.name,
            row,
        }
    }
}

impl Sealer {
    pub fn new(keys: Keyring, entropy: Arc<dyn Entropy>) -> Self {
        Self { keys, entropy }
    }

    /// Seals a value for a column and row (the bytes of the row's id) under the first key.
    pub fn seal(
        &self,
        column: Column,
        row: &[u8],
        plain: &[u8],
    ) -> Result<SealedColumns, StoreError> {
        let sealed = self
            .keys
            .seal(column.place(row), self.entropy.bytes(), plain)
            .map_err(|error| StoreError::Failed(Box::new(error)))?;
        Ok(SealedColumns {
            bytes: sealed.bytes,
            key_id: sealed.key_id.as_str().to_owned(),
        })
    }

    /// Opens a value; one that does not open is corrupt, unless its key is not configured.
    pub fn open(
        &self,
        column: Column,
        row: &[u8],
        sealed: SealedColumns,
    ) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        let key_id = KeyId::parse(&sealed.key_id).ok_or_else(|| column.corrupt(row))?;
        let bytes = sealed.bytes;
        self.keys
            .open(column.place(row), &SealedValue { key_id, bytes })
            .map_err(|error| match error {
                KeyringError::UnknownKey(_) => StoreError::Failed(Box::new(error)),
                _ => column.corrupt(row),
            })
    }

    /// Seals a value again if it is not under the first key.
    pub fn reseal(
        &self,
        column: Column,
        row: &[u8],
        sealed: SealedColumns,
    ) -> Result<Option<SealedColumns>, StoreError> {
        if sealed.key_id == self.first()? {
            return Ok(None);
        }
        let plain = self.open(column, row, sealed)?;
        self.seal(column, row, &plain).map(Some)
    }

    /// The name of the key that seals new values.
    pub fn first(&self) -> Result<&str, StoreError> {
        let first = self.keys.first().map(KeyId::as_str);
        first.ok_or_else(|| StoreError::Failed("no master key is configured".into()))
    }
}
