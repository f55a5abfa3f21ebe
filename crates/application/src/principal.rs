//! Who has signed a request.

use std::sync::{Arc, atomic::AtomicBool};

use oncharge_domain::merchant::{ApiKey, ApiKeyHash, Merchant};

use crate::Error;

/// A valid API key and its merchant.
#[derive(Debug)]
pub struct Principal {
    /// The key.
    pub key: ApiKey,
    /// The merchant.
    pub merchant: Arc<Merchant>,
    /// The cache key.
    pub(crate) hash: ApiKeyHash,
    /// Whether its use is being recorded: at most once for each time it is loaded.
    pub(crate) is_use_recorded: AtomicBool,
}

impl Principal {
    /// Refuses a key in its grace period.
    ///
    /// Errors: `KeyIsEnding`.
    pub fn require_active(&self) -> Result<(), Error> {
        if self.key.is_active() {
            Ok(())
        } else {
            Err(Error::KeyIsEnding)
        }
    }
}
