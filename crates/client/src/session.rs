//! Checkout sessions as the API writes them.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{attempt::PaymentAttempt, secret::PayToken};

/// What a new session is made of. Made by [`NewSession::new`]; what is optional can be set
/// afterwards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct NewSession {
    /// How much, in minor units of the currency (ISO 4217), 1 to 99 999 999 999.
    pub amount: i64,
    /// The currency's ISO 4217 code, in upper case.
    pub currency: String,
    /// Your own reference, 1 to 255 characters; need not be unique.
    pub reference: String,
    /// Where the shopper goes afterwards: an absolute `https` URL.
    pub return_url: String,
    /// Your order's number, at most 255 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_id: Option<String>,
    /// The shopper's e-mail address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_email: Option<String>,
    /// The shopper's phone number in E.164 form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_phone: Option<String>,
    /// At most 50 pairs of your own; keys of at most 40, values of at most 500 characters.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// When the money is captured; `None` follows your account's setting.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capture: Option<CaptureMode>,
}

impl NewSession {
    /// A session over `amount` minor units with all that is required.
    pub fn new(amount: i64, currency: &str, reference: &str, return_url: &str) -> Self {
        Self {
            amount,
            currency: currency.to_owned(),
            reference: reference.to_owned(),
            return_url: return_url.to_owned(),
            order_id: None,
            customer_email: None,
            customer_phone: None,
            metadata: BTreeMap::new(),
            capture: None,
        }
    }
}

/// When authorised money is captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum CaptureMode {
    /// By the service, after your account's delay.
    Automatic,
    /// When you ask for it ([`crate::Client::capture`]).
    Manual,
}

#[derive(Serialize)]
pub(crate) struct CaptureBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) amount: Option<i64>,
}

/// A session that was just created.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct CreatedSession {
    /// Its id, `cs_…`.
    pub session_id: String,
    /// How it stands: `created`.
    pub status: SessionStatus,
    /// The checkout page, relative to the service; holds the pay token.
    pub iframe_url: String,
    /// With it the shopper can pay, and you never see it again.
    pub pay_token: PayToken,
    /// When it was created.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// Until when it can be paid.
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
}

impl fmt::Debug for CreatedSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The page's address holds the pay token.
        f.debug_struct("CreatedSession")
            .field("session_id", &self.session_id)
            .field("status", &self.status)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// A session as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Session {
    /// Its id, `cs_…`.
    pub session_id: String,
    /// How far the payment has come.
    pub status: SessionStatus,
    /// How much is to be paid, in minor units.
    pub amount: i64,
    /// The currency's ISO 4217 code.
    pub currency: String,
    /// Your reference.
    pub reference: String,
    /// Your order's number.
    pub order_id: Option<String>,
    /// Where the shopper goes afterwards.
    pub return_url: String,
    /// Your own pairs.
    pub metadata: BTreeMap<String, String>,
    /// When the money is captured.
    pub capture: CaptureMode,
    /// How to reach the shopper.
    pub customer: Customer,
    /// The payment's name at the payment processor.
    pub psp_reference: Option<String>,
    /// Authorised, in minor units.
    pub amount_authorized: i64,
    /// Captured, in minor units.
    pub amount_captured: i64,
    /// Refunds that were ordered or have succeeded, in minor units.
    pub amount_refunded: i64,
    /// What can still be refunded, in minor units.
    pub amount_refundable: i64,
    /// A capture or cancel whose outcome is still to come.
    pub pending_operation: Option<PendingOperation>,
    /// After a refusal or an error: until when the shopper may try again.
    #[serde(with = "time::serde::rfc3339::option")]
    pub retry_until: Option<OffsetDateTime>,
    /// What went wrong last.
    pub failure: Option<Failure>,
    /// The attempts to pay, oldest first. Empty with services that do not report them yet.
    #[serde(default)]
    pub attempts: Vec<PaymentAttempt>,
    /// When it was created.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it last changed.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
    /// Until when it can be paid.
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
}

/// How far a payment has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum SessionStatus {
    /// Nobody has tried to pay yet.
    Created,
    /// An attempt is under way, or the shopper is being asked for more.
    Pending,
    /// The money is reserved.
    Authorized,
    /// The money was taken.
    Captured,
    /// The payment was refused.
    Refused,
    /// An authorised payment was cancelled.
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

/// An operation whose outcome is still to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum PendingOperation {
    /// A capture.
    Capture,
    /// A cancel.
    Cancel,
    /// One that this version of the client does not know.
    #[serde(other)]
    Unknown,
}

/// How to reach the shopper. Masked in `Debug`: personal data does not belong into logs.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Customer {
    /// The e-mail address.
    pub email: Option<String>,
    /// The phone number.
    pub phone: Option<String>,
}

impl fmt::Debug for Customer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Customer(…)")
    }
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Failure {
    /// The code, such as `card_declined`; what a program should look at.
    pub code: String,
    /// The message, for people.
    pub message: String,
}
