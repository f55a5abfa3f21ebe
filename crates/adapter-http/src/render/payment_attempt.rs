//! An attempt to pay as merchants see it: in a session and in its events.

use oncharge_domain::{card::Card, session::Attempt};
use serde::Serialize;
use utoipa::ToSchema;

use super::failure::FailureBody;

/// One payment attempt of the shopper. Every member is always present, null if unset.
#[derive(Serialize, ToSchema)]
#[schema(as = PaymentAttempt)]
pub(crate) struct PaymentAttemptBody {
    /// Its id, `op_…`.
    attempt_id: String,
    /// Its outcome: `pending` until it ends; `authorized` once the processor has authorized it,
    /// whatever happened to the payment afterwards; `refused` and `error` with a `failure`;
    /// `expired` if the session expired first; `cancelled` if it was authorized too late or
    /// unexpectedly and is reversed in full.
    #[schema(value_type = crate::schema::AttemptStatus)]
    status: &'static str,
    /// Why no money was moved; `authentication_abandoned` if the shopper left the challenge.
    #[schema(required)]
    failure: Option<FailureBody>,
    /// The payment method, if the processor reports it.
    #[schema(required)]
    payment_method: Option<PaymentMethodBody>,
    /// The processor's reference for the payment, if known.
    #[schema(required)]
    psp_reference: Option<String>,
    /// When the shopper submitted it.
    #[schema(format = DateTime)]
    created_at: String,
}

/// A shopper's payment method.
#[derive(Serialize, ToSchema)]
#[schema(as = PaymentMethod)]
pub(crate) struct PaymentMethodBody {
    /// `card`; other values may be added.
    #[schema(value_type = String, example = "card")]
    r#type: &'static str,
    /// The card's brand as the processor names it (`visa`, `mastercard`, …): not a closed list.
    #[schema(required, max_length = 32, example = "visa")]
    brand: Option<String>,
    /// The last four digits of the card number.
    #[schema(required, pattern = "^[0-9]{4}$", example = "4242")]
    last4: Option<String>,
}

impl From<&Attempt> for PaymentAttemptBody {
    fn from(attempt: &Attempt) -> Self {
        let reference = attempt.reference.as_ref();
        Self {
            attempt_id: attempt.id.to_string(),
            status: attempt.outcome.status().name(),
            failure: attempt.outcome.failure().map(FailureBody::from),
            payment_method: attempt.card.as_ref().map(PaymentMethodBody::from),
            psp_reference: reference.map(|reference| reference.as_str().to_owned()),
            created_at: attempt.created_at.rfc3339(),
        }
    }
}

impl From<&Card> for PaymentMethodBody {
    fn from(card: &Card) -> Self {
        Self {
            r#type: "card",
            brand: card.brand().map(str::to_owned),
            last4: card.last4().map(str::to_owned),
        }
    }
}
