//! The status of a payment, and why something failed.

use serde::{Deserialize, Serialize};

/// The status of a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum SessionStatus {
    /// Nobody has tried to pay yet.
    Created,
    /// An attempt is in progress, or requires an action of the shopper.
    Pending,
    /// The money is reserved.
    Authorized,
    /// The money was taken.
    Captured,
    /// The payment was refused.
    Refused,
    /// An authorized payment was cancelled.
    Cancelled,
    /// A technical failure; no money was moved.
    Error,
    /// The time to pay is over.
    Expired,
    /// A status that this version of the client does not know.
    #[serde(other)]
    Unknown,
}

impl SessionStatus {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Pending => "pending",
            Self::Authorized => "authorized",
            Self::Captured => "captured",
            Self::Refused => "refused",
            Self::Cancelled => "cancelled",
            Self::Error => "error",
            Self::Expired => "expired",
            Self::Unknown => "unknown",
        }
    }
}

/// Why something failed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Failure {
    /// The code, such as `card_declined`; programs should match on it.
    pub code: String,
    /// The message, for humans.
    pub message: String,
}
