//! An event as merchants see it: the body of a webhook, and the same members in lists.

use std::collections::BTreeMap;

use oncharge_domain::{
    id::EventId,
    session::{Amounts, Event, EventKind},
    time::Timestamp,
};
use oncharge_ports::queries::StoredEvent;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    delivery_attempt::AttemptBody, failure::FailureBody, payment_attempt::PaymentAttemptBody,
};

/// A change of a payment.
#[derive(Serialize, ToSchema)]
#[schema(as = Event)]
pub(crate) struct EventBody {
    /// What happened.
    #[schema(value_type = crate::schema::EventType)]
    event: &'static str,
    /// The session.
    session_id: String,
    /// The processor's reference of the payment or refund; null if there is none.
    #[schema(required)]
    psp_reference: Option<String>,
    /// Your reference for the session.
    merchant_reference: String,
    /// The session's status after the event.
    #[schema(value_type = crate::schema::SessionStatus)]
    status: &'static str,
    /// The captured amount for `payment.captured`, the refund's amount for refund events, otherwise
    /// the session's amount.
    amount: AmountBody,
    /// The session's key-value pairs.
    metadata: BTreeMap<String, String>,
    /// The event's id. It is the same for every delivery attempt, so that you can detect
    /// duplicates.
    id: String,
    /// The event's number within its session, starting at 1, without gaps.
    #[schema(minimum = 1)]
    sequence: u32,
    /// When it happened.
    #[schema(format = DateTime)]
    created_at: String,
    /// Always present for `payment.refused` and `payment.error`, and only for those: until when the
    /// shopper may try again; null if the failure is final.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, value_type = Option<String>, format = DateTime)]
    #[expect(
        clippy::option_option,
        reason = "not there, and there as null, are two things"
    )]
    retry_until: Option<Option<String>>,
    /// The refund's id; only for refund events.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    refund_id: Option<String>,
    /// The session's totals after the event.
    amounts: AmountsBody,
    /// Why it failed: for refused, error and failed events, and for `payment.cancelled` that you
    /// did not request; otherwise null.
    #[schema(required)]
    failure: Option<FailureBody>,
    /// The payment attempt at that time: the one that ended, or that led to the payment. Null if
    /// the event concerns no attempt.
    #[schema(required)]
    payment_attempt: Option<PaymentAttemptBody>,
}

/// An amount of money.
#[derive(Serialize, ToSchema)]
#[schema(as = Amount)]
pub(crate) struct AmountBody {
    /// Minor units.
    #[schema(example = 9999)]
    value: i64,
    /// ISO 4217.
    #[schema(value_type = String, example = "USD")]
    currency: &'static str,
}

/// A session's totals in minor units of the event's currency.
#[derive(Serialize, ToSchema, Default)]
#[schema(as = Amounts)]
pub(crate) struct AmountsBody {
    /// Authorized amount.
    #[schema(example = 9999)]
    authorized: i64,
    /// Captured amount; 0 after a failed capture.
    #[schema(example = 0)]
    captured: i64,
    /// Refunded so far, including requested refunds.
    #[schema(example = 0)]
    refunded: i64,
}

/// An event with every delivery attempt.
#[derive(Serialize, ToSchema)]
#[schema(as = EventWithAttempts)]
pub(crate) struct EventWithAttempts {
    #[serde(flatten)]
    event: EventBody,
    /// Oldest first. Empty if there was no endpoint, or if the delivery ended more than 90 days
    /// ago.
    attempts: Vec<AttemptBody>,
}

/// The body of a test of the endpoint. It belongs to no session, has no `sequence` and is not
/// listed. It has all other members of an event, so that a receiver can parse both the same way.
#[derive(Serialize, ToSchema)]
#[schema(as = EndpointTest)]
pub(crate) struct TestBody {
    /// `endpoint.test`
    #[schema(value_type = String, pattern = "^endpoint\\.test$")]
    event: &'static str,
    /// Always null in a test.
    #[schema(required)]
    session_id: Option<String>,
    /// Always null in a test.
    #[schema(required)]
    psp_reference: Option<String>,
    /// Always null in a test.
    #[schema(required)]
    merchant_reference: Option<String>,
    /// Always null in a test.
    #[schema(required)]
    status: Option<String>,
    /// Zero in `XTS`, the ISO 4217 code for tests.
    amount: AmountBody,
    /// Empty.
    metadata: BTreeMap<String, String>,
    /// Its id.
    id: String,
    /// When it was made.
    #[schema(format = DateTime)]
    created_at: String,
    /// All zero.
    amounts: AmountsBody,
    /// Always null in a test.
    #[schema(required)]
    failure: Option<FailureBody>,
    /// Always null in a test.
    #[schema(required)]
    payment_attempt: Option<PaymentAttemptBody>,
}

impl From<&StoredEvent> for EventBody {
    fn from(stored: &StoredEvent) -> Self {
        let Event {
            session,
            merchant: _,
            sequence,
            kind,
            status,
            amount,
            amounts,
            failure,
            psp_reference,
            attempt,
            refund,
            retry_until,
            at,
        } = &stored.event;
        let may_be_retried = matches!(kind, EventKind::PaymentRefused | EventKind::PaymentError);
        Self {
            event: kind.name(),
            session_id: session.to_string(),
            psp_reference: psp_reference.as_ref().map(|text| text.as_str().to_owned()),
            merchant_reference: stored.merchant_reference.as_str().to_owned(),
            status: status.name(),
            amount: AmountBody {
                value: amount.minor(),
                currency: amount.currency().code(),
            },
            amounts: AmountsBody::from(amounts),
            failure: failure.as_ref().map(FailureBody::from),
            payment_attempt: attempt.as_ref().map(PaymentAttemptBody::from),
            metadata: stored.metadata.pairs().clone(),
            id: stored.id.to_string(),
            sequence: *sequence,
            created_at: at.rfc3339(),
            retry_until: may_be_retried.then(|| retry_until.map(Timestamp::rfc3339)),
            refund_id: refund.map(|id| id.to_string()),
        }
    }
}

impl From<&Amounts> for AmountsBody {
    fn from(amounts: &Amounts) -> Self {
        Self {
            authorized: amounts.authorized.minor(),
            captured: amounts.captured.minor(),
            refunded: amounts.refunded.minor(),
        }
    }
}

impl EventWithAttempts {
    pub(crate) fn new(event: EventBody, attempts: Vec<AttemptBody>) -> Self {
        Self { event, attempts }
    }
}

impl TestBody {
    /// A test event created at this time.
    pub(crate) fn new(id: EventId, at: Timestamp) -> Self {
        Self {
            event: "endpoint.test",
            session_id: None,
            psp_reference: None,
            merchant_reference: None,
            status: None,
            amount: AmountBody {
                value: 0,
                currency: "XTS",
            },
            amounts: AmountsBody::default(),
            failure: None,
            payment_attempt: None,
            metadata: BTreeMap::new(),
            id: id.to_string(),
            created_at: at.rfc3339(),
        }
    }
}
