//! A session as merchants see it.

use std::collections::BTreeMap;

use oncharge_domain::{
    pay_token::PayToken,
    session::{InFlightKind, Session},
    time::Timestamp,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{failure::FailureBody, payment_attempt::PaymentAttemptBody};

/// A checkout session. Every member is always present, null if unset.
#[derive(Serialize, ToSchema)]
#[schema(as = Session)]
pub(crate) struct SessionBody {
    /// Its id.
    session_id: String,
    /// The status of its payment.
    #[schema(value_type = crate::schema::SessionStatus)]
    status: &'static str,
    /// The amount to pay, in minor units.
    amount: i64,
    /// ISO 4217.
    #[schema(value_type = String)]
    currency: &'static str,
    /// Your reference.
    reference: String,
    /// Your order number.
    #[schema(required)]
    order_id: Option<String>,
    /// Where the shopper is sent afterwards.
    return_url: String,
    /// Your own key-value pairs.
    metadata: BTreeMap<String, String>,
    /// Whether it is captured automatically or at your request.
    #[schema(value_type = crate::schema::CaptureMode)]
    capture: &'static str,
    /// The shopper's contact data.
    customer: CustomerBody,
    /// The processor's reference of the payment.
    #[schema(required)]
    psp_reference: Option<String>,
    /// The authorized amount.
    amount_authorized: i64,
    /// The captured amount.
    amount_captured: i64,
    /// Refunded so far, including requested refunds.
    amount_refunded: i64,
    /// The amount that can still be refunded.
    amount_refundable: i64,
    /// The capture or cancel whose outcome is pending.
    #[schema(required, value_type = Option<crate::schema::PendingOperation>)]
    pending_operation: Option<&'static str>,
    /// Until when the shopper may try again; null if the failure is final or there is none.
    #[schema(required, format = DateTime)]
    retry_until: Option<String>,
    /// Why the payment failed.
    #[schema(required)]
    failure: Option<FailureBody>,
    /// The payment attempts, oldest first, at most 20.
    #[schema(max_items = 20)]
    attempts: Vec<PaymentAttemptBody>,
    /// When it was created.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it last changed.
    #[schema(format = DateTime)]
    updated_at: String,
    /// When it expires if it is not paid.
    #[schema(format = DateTime)]
    expires_at: String,
}

/// The shopper's contact data.
#[derive(Serialize, ToSchema)]
#[schema(as = Customer)]
struct CustomerBody {
    /// The e-mail address.
    #[schema(required)]
    email: Option<String>,
    /// The phone number in E.164 form.
    #[schema(required)]
    phone: Option<String>,
}

impl SessionBody {
    /// The session as of this time.
    pub(crate) fn at(session: &Session, now: Timestamp) -> Self {
        let text = |text: &str| text.to_owned();
        let contact = &session.contact;
        Self {
            session_id: session.id.to_string(),
            status: session.status_at(now).name(),
            amount: session.amount.minor(),
            currency: session.amount.currency().code(),
            reference: text(session.reference.as_str()),
            order_id: session.order_id.as_ref().map(|id| text(id.as_str())),
            return_url: text(session.return_url.as_str()),
            metadata: session.metadata.pairs().clone(),
            capture: if session.automatic_capture.is_some() {
                "automatic"
            } else {
                "manual"
            },
            customer: CustomerBody {
                email: contact.email.as_ref().map(|email| text(email.as_str())),
                phone: contact.phone.as_ref().map(|phone| text(phone.as_str())),
            },
            psp_reference: session
                .psp_reference()
                .map(|reference| text(reference.as_str())),
            amount_authorized: session.amount_authorized().minor(),
            amount_captured: session.amount_captured().minor(),
            amount_refunded: session.amount_refunded().minor(),
            amount_refundable: session.amount_refundable().minor(),
            pending_operation: session.pending_operation().map(|kind| match kind {
                InFlightKind::Capture => "capture",
                InFlightKind::Cancel => "cancel",
            }),
            retry_until: session.retry_until(now).map(Timestamp::rfc3339),
            failure: session.failure().map(FailureBody::from),
            attempts: session
                .attempts
                .iter()
                .map(PaymentAttemptBody::from)
                .collect(),
            created_at: session.created_at.rfc3339(),
            updated_at: session.updated_at.rfc3339(),
            expires_at: session.expires_at.rfc3339(),
        }
    }
}

/// A newly created session.
#[derive(Serialize, ToSchema)]
#[schema(as = CreatedSession)]
pub(crate) struct CreatedSessionBody<'a> {
    /// Its id.
    session_id: String,
    /// Always `created`.
    #[schema(value_type = crate::schema::SessionStatus)]
    status: &'static str,
    /// The hosted checkout, relative to this service.
    #[schema(format = "uri-reference")]
    iframe_url: String,
    /// The shopper's pay token; returned only here.
    pay_token: &'a str,
    /// When it was created.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it expires if it is not paid.
    #[schema(format = DateTime)]
    expires_at: String,
}

impl<'a> CreatedSessionBody<'a> {
    pub(crate) fn new(session: &Session, token: &'a PayToken) -> Self {
        let pay_token = token.expose();
        Self {
            session_id: session.id.to_string(),
            status: session.status_name().name(),
            iframe_url: format!("/checkout/{}?token={pay_token}", session.id),
            pay_token,
            created_at: session.created_at.rfc3339(),
            expires_at: session.expires_at.rfc3339(),
        }
    }
}
