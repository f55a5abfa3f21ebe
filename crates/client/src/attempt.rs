//! An attempt to pay, in sessions and in webhooks.

use serde::Deserialize;
use time::OffsetDateTime;

use crate::status::{Failure, SessionStatus};

/// One attempt of the shopper to pay.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct PaymentAttempt {
    /// Its id, `op_…`.
    pub attempt_id: String,
    /// Its outcome: pending, authorized, refused, error, expired, or cancelled if it was authorized
    /// too late and is reversed. What later happened to the authorized money is the session's
    /// status.
    pub status: SessionStatus,
    /// Why no money moved.
    pub failure: Option<Failure>,
    /// What the shopper paid with, where the payment processor reports it.
    pub payment_method: Option<PaymentMethod>,
    /// The payment processor's reference for the payment.
    pub psp_reference: Option<String>,
    /// When the shopper paid.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
}

/// What a shopper paid with.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct PaymentMethod {
    /// `card`; other values may follow.
    #[serde(rename = "type")]
    pub kind: String,
    /// The card's brand as the payment processor names it (`visa`).
    pub brand: Option<String>,
    /// The last four digits of the card number.
    pub last4: Option<String>,
}
