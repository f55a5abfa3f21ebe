//! The content of a webhook.

use std::collections::BTreeMap;

use serde::Deserialize;
use time::OffsetDateTime;

use super::{error::WebhookError, kind::EventKind};
use crate::{
    attempt::PaymentAttempt,
    status::{Failure, SessionStatus},
};

/// A verified webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Webhook {
    /// Something happened to one of your payments.
    Event(Box<WebhookEvent>),
    /// Not about a payment: a test of your endpoint ([`EventKind::EndpointTest`]), or an event that
    /// this version of the client does not know. Respond with 2xx; no other action is needed.
    Other {
        /// Its id, `evt_…`.
        id: String,
        /// The kind of event.
        kind: EventKind,
    },
}

/// Something that happened to one of your payments.
///
/// It may arrive more than once, under the same `id`, and after one with a higher `sequence`. So
/// treat it as a hint: respond with 2xx once it is stored, then retrieve the authoritative session
/// ([`Client::session`](crate::Client::session)).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "EventBody")]
#[non_exhaustive]
pub struct WebhookEvent {
    /// Its id, `evt_…`: the same for every delivery.
    pub id: String,
    /// What happened.
    pub kind: EventKind,
    /// The session, `cs_…`.
    pub session_id: String,
    /// The payment processor's reference for the payment or refund.
    pub psp_reference: Option<String>,
    /// Your reference for the session.
    pub merchant_reference: String,
    /// The session's status after the event.
    pub status: SessionStatus,
    /// The event's amount in minor units: the captured amount for `payment.captured`, the refund's
    /// or dispute's for their events, otherwise the session's amount.
    pub amount: i64,
    /// The session's totals after the event.
    pub amounts: Amounts,
    /// Why the payment, its capture or cancel, or the refund failed.
    pub failure: Option<Failure>,
    /// The attempt to pay that the event is about: the one that ended, or that led to the payment.
    pub payment_attempt: Option<PaymentAttempt>,
    /// The currency's ISO 4217 code.
    pub currency: String,
    /// Your metadata of the session.
    pub metadata: BTreeMap<String, String>,
    /// Its number among the session's events, from 1 without gaps.
    pub sequence: u32,
    /// When it happened.
    pub created_at: OffsetDateTime,
    /// The end of the time to retry, after a refusal or an error.
    pub retry_until: Option<OffsetDateTime>,
    /// The refund that the event is about, `ref_…`.
    pub refund_id: Option<String>,
    /// The dispute that the event is about, `dp_…`.
    pub dispute_id: Option<String>,
}

/// A session's totals, in minor units of the event's currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Amounts {
    /// Authorized for the payment.
    pub authorized: i64,
    /// Captured; 0 after a capture that failed.
    pub captured: i64,
    /// Refunds requested and succeeded together.
    pub refunded: i64,
}

impl Webhook {
    /// Parses the body of a verified webhook with this id.
    pub(crate) fn read(id: &str, body: &[u8]) -> Result<Self, WebhookError> {
        let unreadable = |error| WebhookError::unreadable(&error);
        let EventHeader { event: kind } = serde_json::from_slice(body).map_err(unreadable)?;
        let other = |kind| Self::Other {
            id: id.to_owned(),
            kind,
        };
        if kind == EventKind::EndpointTest {
            return Ok(other(kind));
        }
        match (serde_json::from_slice::<WebhookEvent>(body), kind) {
            (Ok(event), _) => Ok(Self::Event(Box::new(WebhookEvent {
                id: id.to_owned(),
                ..event
            }))),
            // Events of later versions must not be refused, or they would be delivered again and
            // again.
            (Err(_), kind @ EventKind::Unknown(_)) => Ok(other(kind)),
            (Err(error), _) => Err(unreadable(error)),
        }
    }

    /// Its id, `evt_…`: the same for every delivery.
    pub fn id(&self) -> &str {
        match self {
            Self::Event(event) => &event.id,
            Self::Other { id, .. } => id,
        }
    }

    /// The kind of event.
    pub fn kind(&self) -> &EventKind {
        match self {
            Self::Event(event) => &event.kind,
            Self::Other { kind, .. } => kind,
        }
    }
}

/// The members of every webhook.
#[derive(Deserialize)]
struct EventHeader {
    event: EventKind,
}

/// An event in the service's wire format.
#[derive(Deserialize)]
struct EventBody {
    #[serde(default)]
    id: String,
    event: EventKind,
    session_id: String,
    psp_reference: Option<String>,
    merchant_reference: String,
    status: SessionStatus,
    amount: Amount,
    amounts: Amounts,
    failure: Option<Failure>,
    payment_attempt: Option<PaymentAttempt>,
    #[serde(default)]
    metadata: BTreeMap<String, String>,
    sequence: u32,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(default, with = "time::serde::rfc3339::option")]
    retry_until: Option<OffsetDateTime>,
    refund_id: Option<String>,
    dispute_id: Option<String>,
}

#[derive(Deserialize)]
struct Amount {
    value: i64,
    currency: String,
}

impl From<EventBody> for WebhookEvent {
    fn from(body: EventBody) -> Self {
        Self {
            id: body.id,
            kind: body.event,
            session_id: body.session_id,
            psp_reference: body.psp_reference,
            merchant_reference: body.merchant_reference,
            status: body.status,
            amount: body.amount.value,
            currency: body.amount.currency,
            amounts: body.amounts,
            failure: body.failure,
            payment_attempt: body.payment_attempt,
            metadata: body.metadata,
            sequence: body.sequence,
            created_at: body.created_at,
            retry_until: body.retry_until,
            refund_id: body.refund_id,
            dispute_id: body.dispute_id,
        }
    }
}
