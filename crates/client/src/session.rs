//! Checkout sessions in the API's wire format.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{
    attempt::PaymentAttempt,
    secret::PayToken,
    status::{Failure, SessionStatus},
};

/// The parameters of a new session. Created by [`NewSession::new`]; set optional fields afterwards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct NewSession {
    /// The amount in minor units of the currency (ISO 4217), 1 to 99 999 999 999.
    pub amount: i64,
    /// The currency's ISO 4217 code, in upper case.
    pub currency: String,
    /// Your own reference, 1 to 255 characters; need not be unique.
    pub reference: String,
    /// Where the shopper is sent afterwards: an absolute `https` URL.
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
    /// Your metadata: at most 50 pairs; keys of at most 40, values of at most 500 characters.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// When the money is captured; `None` follows your account's setting.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capture: Option<CaptureMode>,
}

impl NewSession {
    /// A session over `amount` minor units with all required fields.
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

/// When authorized money is captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum CaptureMode {
    /// By the service, after your account's delay.
    Automatic,
    /// When you request it ([`crate::Client::capture`]).
    Manual,
}

#[derive(Serialize)]
pub(crate) struct CaptureBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) amount: Option<i64>,
}

/// A newly created session.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct CreatedSession {
    /// Its id, `cs_…`.
    pub session_id: String,
    /// Its status: `created`.
    pub status: SessionStatus,
    /// The path of the checkout page; contains the pay token.
    pub iframe_url: String,
    /// Authorizes the shopper to pay; it is never returned again.
    pub pay_token: PayToken,
    /// When it was created.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// The end of the time to pay.
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
}

impl fmt::Debug for CreatedSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The page's path contains the pay token.
        f.debug_struct("CreatedSession")
            .field("session_id", &self.session_id)
            .field("status", &self.status)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// A session with its current status.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Session {
    /// Its id, `cs_…`.
    pub session_id: String,
    /// The status of the payment.
    pub status: SessionStatus,
    /// The amount to pay, in minor units.
    pub amount: i64,
    /// The currency's ISO 4217 code.
    pub currency: String,
    /// Your reference.
    pub reference: String,
    /// Your order's number.
    pub order_id: Option<String>,
    /// Where the shopper is sent afterwards.
    pub return_url: String,
    /// Your metadata.
    pub metadata: BTreeMap<String, String>,
    /// When the money is captured.
    pub capture: CaptureMode,
    /// The shopper's contact data.
    pub customer: Customer,
    /// The payment processor's reference for the payment.
    pub psp_reference: Option<String>,
    /// Authorized, in minor units.
    pub amount_authorized: i64,
    /// Captured, in minor units.
    pub amount_captured: i64,
    /// Refunds requested or succeeded, in minor units.
    pub amount_refunded: i64,
    /// What can still be refunded, in minor units.
    pub amount_refundable: i64,
    /// A capture or cancel whose outcome is pending.
    pub pending_operation: Option<PendingOperation>,
    /// The end of the time to retry, after a refusal or an error.
    #[serde(with = "time::serde::rfc3339::option")]
    pub retry_until: Option<OffsetDateTime>,
    /// The last failure.
    pub failure: Option<Failure>,
    /// The attempts to pay, oldest first. Empty if the service does not report them yet.
    #[serde(default)]
    pub attempts: Vec<PaymentAttempt>,
    /// When it was created.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it last changed.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
    /// The end of the time to pay.
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
}

/// An operation whose outcome is pending.
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

/// The shopper's contact data. Masked in `Debug`: personal data does not belong in logs.
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
