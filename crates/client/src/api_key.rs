//! API keys in the API's wire format.

use std::fmt;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// What happens to the replaced credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OldCredentials {
    /// They remain valid beside the new ones during a grace period.
    Overlap,
    /// They are revoked at once.
    Revoke,
}

/// The request body of a rotation.
#[derive(Serialize)]
pub(crate) struct RotationBody {
    revoke_old: bool,
}

impl OldCredentials {
    pub(crate) fn body(self) -> RotationBody {
        RotationBody {
            revoke_old: self == Self::Revoke,
        }
    }
}

/// One of your API keys.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct ApiKeyDetails {
    /// Its id, `key_…`.
    pub key_id: String,
    /// Its last four characters.
    pub key_hint: String,
    /// When it was created.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it last signed a request; up to an hour too early.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub last_used_at: Option<OffsetDateTime>,
    /// When its grace period ends; `None` while it is active.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub ends_at: Option<OffsetDateTime>,
}

/// All of your API keys.
#[derive(Deserialize)]
pub(crate) struct ApiKeyList {
    pub(crate) data: Vec<ApiKeyDetails>,
}

/// A new key pair, replacing the one that requested it.
#[derive(Clone, Deserialize)]
#[non_exhaustive]
pub struct RotatedPair {
    /// The new API key.
    pub api_key: String,
    /// The new API secret, shown only once.
    pub api_secret: ApiSecret,
    /// When the replaced pair ends.
    #[serde(with = "time::serde::rfc3339")]
    pub previous_key_ends_at: OffsetDateTime,
}

impl fmt::Debug for RotatedPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RotatedPair")
            .field("previous_key_ends_at", &self.previous_key_ends_at)
            .finish_non_exhaustive()
    }
}

/// An API secret.
#[derive(Clone, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(transparent)]
pub struct ApiSecret(String);

impl ApiSecret {
    /// The secret itself, `ocs_…`.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ApiSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiSecret(…)")
    }
}
