//! Refunds in the API's wire format.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{session::Session, status::Failure};

/// The parameters of a new refund.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NewRefund {
    /// The captured session.
    pub session_id: String,
    /// The amount, in minor units; at most the session's `amount_refundable`.
    pub amount: i64,
    /// The session's currency.
    pub currency: String,
    /// Your own reference, 1 to 255 characters.
    pub reference: String,
}

impl NewRefund {
    /// A refund of `amount` minor units of this session.
    pub fn new(session: &Session, amount: i64, reference: &str) -> Self {
        Self {
            session_id: session.session_id.clone(),
            amount,
            currency: session.currency.clone(),
            reference: reference.to_owned(),
        }
    }
}

/// The acknowledgment of a refund.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Refund {
    /// Its id, `ref_…`.
    pub refund_id: String,
    /// The session.
    pub session_id: String,
    /// Always [`RefundStatus::Requested`].
    pub status: RefundStatus,
    /// The payment processor's reference; `None` while there is none.
    pub psp_reference: Option<String>,
    /// The amount, in minor units.
    pub amount: i64,
    /// The currency's ISO 4217 code.
    pub currency: String,
}

/// A refund with its current status.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct RefundDetails {
    /// Its id, `ref_…`.
    pub refund_id: String,
    /// The session.
    pub session_id: String,
    /// Its current status.
    pub status: RefundStatus,
    /// The payment processor's reference; `None` while there is none.
    pub psp_reference: Option<String>,
    /// The amount, in minor units.
    pub amount: i64,
    /// The currency's ISO 4217 code.
    pub currency: String,
    /// Your reference.
    pub reference: String,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// When it was requested.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it last changed.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
}

/// The status of a refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub enum RefundStatus {
    /// Requested; the outcome is pending.
    #[serde(rename = "refund_requested")]
    Requested,
    /// The shopper has received the money.
    #[serde(rename = "refund_succeeded")]
    Succeeded,
    /// Failed; the amount can be refunded again.
    #[serde(rename = "refund_failed")]
    Failed,
    /// A status that this version of the client does not know.
    #[serde(other)]
    Unknown,
}
