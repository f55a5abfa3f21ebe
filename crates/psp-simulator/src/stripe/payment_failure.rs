//! Why a payment failed, in Stripe's terms.

use serde_json::{Map, Value, json};

use crate::codes::{Reason, Status};
use crate::store::operations::Operation;
use crate::store::payments::Payment;

/// A failed attempt to pay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PaymentFailure {
    /// The type of the error object.
    pub(super) kind: &'static str,
    pub(super) code: &'static str,
    pub(super) decline_code: Option<&'static str>,
    pub(super) message: &'static str,
}

/// The issuer declined without a reason; also a call that is refused by a fault.
pub(super) const DECLINED: PaymentFailure = PaymentFailure {
    kind: "card_error",
    code: "card_declined",
    decline_code: Some("generic_decline"),
    message: "Your card was declined.",
};
const INSUFFICIENT_FUNDS: PaymentFailure = PaymentFailure {
    decline_code: Some("insufficient_funds"),
    message: "Your card has insufficient funds.",
    ..DECLINED
};
const EXPIRED_CARD: PaymentFailure = PaymentFailure {
    code: "expired_card",
    decline_code: Some("expired_card"),
    message: "Your card has expired.",
    ..DECLINED
};
const PROCESSING_ERROR: PaymentFailure = PaymentFailure {
    code: "processing_error",
    decline_code: Some("processing_error"),
    message: "An error occurred while processing your card. Try again in a little bit.",
    ..DECLINED
};
const AUTHENTICATION_FAILURE: PaymentFailure = PaymentFailure {
    kind: "invalid_request_error",
    code: "payment_intent_authentication_failure",
    decline_code: None,
    message: "The provided PaymentMethod has failed authentication. You can provide a new \
              PaymentMethod to attempt to fulfill this PaymentIntent again.",
};

impl PaymentFailure {
    /// Why the payment failed; `None` if it did not.
    pub(super) fn of(payment: &Payment, call: &Operation) -> Option<Self> {
        match payment.status {
            Status::Refused => Some(match call.reason {
                Some(Reason::InsufficientFunds) => INSUFFICIENT_FUNDS,
                Some(Reason::ExpiredCard) => EXPIRED_CARD,
                Some(Reason::AuthenticationFailed) => AUTHENTICATION_FAILURE,
                _ => DECLINED,
            }),
            Status::CaptureFailed => Some(PROCESSING_ERROR),
            _ => None,
        }
    }

    /// Whether the issuer declined, so that there is a failed charge.
    pub(super) fn is_by_issuer(self) -> bool {
        self.kind == DECLINED.kind
    }

    /// The members of an error object.
    pub(super) fn members(self) -> Map<String, Value> {
        let mut members = Map::new();
        members.insert("type".to_owned(), json!(self.kind));
        members.insert("code".to_owned(), json!(self.code));
        members.insert("message".to_owned(), json!(self.message));
        if let Some(decline_code) = self.decline_code {
            members.insert("decline_code".to_owned(), json!(decline_code));
        }
        members
    }
}
