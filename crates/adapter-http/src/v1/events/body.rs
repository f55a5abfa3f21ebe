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

use super::attempt::AttemptBody;
use crate::v1::{failure::FailureBody, sessions::attempt::PaymentAttemptBody};

/// Something that happened to a payment.
#[derive(Serialize, ToSchema)]
#[schema(as = Event)]
pub(crate) struct EventBody {
    /// What happened.
    #[schema(value_type = crate::schema::EventType)]
    event: &'static str,
    /// The session.
    session_id: String,
    /// The PSP's reference of the payment or refund; null where there is none.
    #[schema(required)]
    psp_reference: Option<String>,
    /// Your reference of the session.
    merchant_reference: String,
    /// The session's status after it.
    #[schema(value_type = crate::schema::SessionStatus)]
    status: &'static str,
    /// What the event is about: the captured amount for `payment.captured`, the refund's for a
    /// refund's event, else the session's.
    amount: AmountBody,
    /// Your own pairs, as given to the session.
    metadata: BTreeMap<String, String>,
    /// The event's id: the same at every attempt, so that you can tell what you have seen.
    id: String,
    /// The event's number in its session, from 1 without gaps.
    #[schema(minimum = 1)]
    sequence: u32,
    /// When it happened.
    #[schema(format = DateTime)]
    created_at: String,
    /// With `payment.refused` and `payment.error` alone, and always there: until when the shopper
    /// may try again, null where it is final.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, value_type = Option<String>, format = DateTime)]
    #[expect(
        clippy::option_option,
        reason = "not there, and there as null, are two things"
    )]
    retry_until: Option<Option<String>>,
    /// The refund; with events of refunds alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    refund_id: Option<String>,
    /// The session's totals after it.
    amounts: AmountsBody,
    /// Why it failed: with refused, error and failed events, and with `payment.cancelled` where you
    /// did not order it; else null.
    #[schema(required)]
    failure: Option<FailureBody>,
    /// The attempt to pay that it is about, as it was then: the one that ended, or that brought the
    /// payment. Null where the event is about none.
    #[schema(required)]
    payment_attempt: Option<PaymentAttemptBody>,
}

/// How much.
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
    /// Authorized for the payment.
    #[schema(example = 9999)]
    authorized: i64,
    /// Captured; 0 after a capture that failed.
    #[schema(example = 0)]
    captured: i64,
    /// Refunds requested and succeeded together.
    #[schema(example = 0)]
    refunded: i64,
}

/// An event with every attempt to deliver it.
#[derive(Serialize, ToSchema)]
#[schema(as = EventWithAttempts)]
pub(crate) struct EventWithAttempts {
    #[serde(flatten)]
    event: EventBody,
    /// In their order; none where there was no endpoint, or where the delivery ended 90 days ago.
    attempts: Vec<AttemptBody>,
}

/// What a test of the endpoint posts. It belongs to no session, so that it has no `sequence`, and is
/// in no list. It has the other members of an event, so that a receiver can read both alike.
#[derive(Serialize, ToSchema)]
#[schema(as = EndpointTest)]
pub(crate) struct TestBody {
    /// `endpoint.test`
    #[schema(value_type = String, pattern = "^endpoint\\.test$")]
    event: &'static str,
    /// Null.
    #[schema(required)]
    session_id: Option<String>,
    /// Null.
    #[schema(required)]
    psp_reference: Option<String>,
    /// Null.
    #[schema(required)]
    merchant_reference: Option<String>,
    /// Null.
    #[schema(required)]
    status: Option<String>,
    /// Nothing, in `XTS`, the code that ISO 4217 keeps for tests.
    amount: AmountBody,
    /// Empty.
    metadata: BTreeMap<String, String>,
    /// Its id.
    id: String,
    /// When it was made.
    #[schema(format = DateTime)]
    created_at: String,
    /// Nothing.
    amounts: AmountsBody,
    /// Null.
    #[schema(required)]
    failure: Option<FailureBody>,
    /// Null.
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
