//! Texts that must not be seen: masked in `Debug`, without `Display`, wiped when dropped.

use std::fmt;

use serde::Deserialize;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// The merchant's API key. Not the secret, but nothing for a log either.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(crate) struct ApiKey(String);

impl ApiKey {
    pub(crate) fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(…)")
    }
}

/// A pay token: with it anybody can pay this one session, and see how it stands.
#[derive(Clone, Deserialize, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
#[serde(transparent)]
pub struct PayToken(String);

impl PayToken {
    /// The token itself, `pt_…`, for the shopper's browser and nobody else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PayToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PayToken(…)")
    }
}
