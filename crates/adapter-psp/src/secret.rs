//! Secrets in a connector's settings: masked, zeroized, not comparable.

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

/// A secret text, such as a bearer token or the key that signs notifications.
///
/// Used byte for byte as given; masked in `Debug`, without `Display`, zeroized on drop.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for a header or a signature.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}
