//! Secret texts: masked in `Debug`, without `Display`, zeroed when dropped.

use std::fmt;

use serde::Deserialize;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// The merchant's API key. Not secret, but kept out of logs.
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

/// A pay token: whoever has it can pay this session and see its state.
#[derive(Clone, Deserialize, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
#[serde(transparent)]
pub struct PayToken(String);

impl PayToken {
    /// The token itself, `pt_…`, for the shopper's browser only.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PayToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PayToken(…)")
    }
}
