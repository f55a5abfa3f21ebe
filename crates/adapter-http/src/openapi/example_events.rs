//! Example events, and what the other examples share with them.

use oncharge_domain::session::{AttemptOutcome, EventKind, FailureCode, StatusName};
use serde_json::{Value, json};

/// The session id used in examples.
pub(super) const SESSION: &str = "cs_019c3874c2007000800000000000002a";
/// The refund id used in examples.
pub(super) const REFUND: &str = "ref_019c3874c20070008000000000000017";
/// The event id used in examples.
pub(super) const EVENT: &str = "evt_019c3874c200700080000000000000e1";

/// Example totals of a session after such an event.
fn amounts(kind: EventKind) -> Value {
    let (authorized, captured, refunded) = match kind {
        EventKind::PaymentRefused | EventKind::PaymentExpired | EventKind::PaymentError => {
            (0, 0, 0)
        }
        EventKind::PaymentAuthorized
        | EventKind::PaymentCancelled
        | EventKind::PaymentCaptureFailed
        | EventKind::PaymentCancelFailed => (9999, 0, 0),
        EventKind::PaymentCaptured | EventKind::RefundFailed => (9999, 9999, 0),
        EventKind::RefundRequested | EventKind::RefundSucceeded => (9999, 9999, 5000),
    };
    json!({"authorized": authorized, "captured": captured, "refunded": refunded})
}

/// An example reason for such an event's failure of a payment, capture, cancel or refund.
fn failure(kind: EventKind) -> Option<FailureCode> {
    match kind {
        EventKind::PaymentRefused => Some(FailureCode::CardDeclined),
        EventKind::PaymentError | EventKind::PaymentCancelFailed | EventKind::RefundFailed => {
            Some(FailureCode::PspError)
        }
        EventKind::PaymentCaptureFailed => Some(FailureCode::CaptureFailed),
        EventKind::PaymentAuthorized
        | EventKind::PaymentCaptured
        | EventKind::PaymentCancelled
        | EventKind::PaymentExpired
        | EventKind::RefundRequested
        | EventKind::RefundSucceeded => None,
    }
}

/// The status of the example session after such an event.
fn status(kind: EventKind) -> StatusName {
    match kind {
        EventKind::PaymentAuthorized | EventKind::PaymentCancelFailed => StatusName::Authorized,
        EventKind::PaymentCaptured
        | EventKind::RefundRequested
        | EventKind::RefundSucceeded
        | EventKind::RefundFailed => StatusName::Captured,
        EventKind::PaymentRefused => StatusName::Refused,
        EventKind::PaymentCancelled => StatusName::Cancelled,
        EventKind::PaymentExpired => StatusName::Expired,
        EventKind::PaymentError | EventKind::PaymentCaptureFailed => StatusName::Error,
    }
}

/// An event as it is posted and listed.
pub(super) fn event(kind: EventKind) -> Value {
    let is_refund = matches!(
        kind,
        EventKind::RefundRequested | EventKind::RefundSucceeded | EventKind::RefundFailed
    );
    let may_be_retried = matches!(kind, EventKind::PaymentRefused | EventKind::PaymentError);
    let has_reference =
        !may_be_retried && !matches!(kind, EventKind::PaymentExpired | EventKind::RefundRequested);
    let mut event = json!({
        "event": kind.name(),
        "session_id": SESSION,
        "psp_reference": has_reference.then_some("PSP_REF_1"),
        "merchant_reference": "order-42",
        "status": status(kind).name(),
        "amount": {"value": if is_refund { 5000 } else { 9999 }, "currency": "USD"},
        "amounts": amounts(kind),
        "failure": failure(kind).map(|code| json!({"code": code.name(), "message": code.message()})),
        "payment_attempt": attempt(kind).map(payment_attempt),
        "metadata": {"basket": "7"},
        "id": EVENT,
        "sequence": if is_refund { 3 } else { 1 },
        "created_at": "2026-02-07T12:00:00Z",
    });
    if let Some(members) = event.as_object_mut() {
        if may_be_retried {
            members.insert("retry_until".to_owned(), json!("2026-02-07T12:30:00Z"));
        }
        if is_refund {
            let id = json!(REFUND);
            members.insert("refund_id".to_owned(), id);
        }
    }
    event
}

/// The outcome of the event's attempt to pay.
fn attempt(kind: EventKind) -> Option<AttemptOutcome> {
    match kind {
        EventKind::PaymentExpired => None,
        EventKind::PaymentRefused => failure(kind).map(AttemptOutcome::Refused),
        EventKind::PaymentError => failure(kind).map(AttemptOutcome::Error),
        _ => Some(AttemptOutcome::Authorized),
    }
}

/// A test event as it is posted.
pub(super) fn test() -> Value {
    json!({
        "event": "endpoint.test",
        "session_id": null,
        "psp_reference": null,
        "merchant_reference": null,
        "status": null,
        "amount": {"value": 0, "currency": "XTS"},
        "amounts": {"authorized": 0, "captured": 0, "refunded": 0},
        "failure": null,
        "payment_attempt": null,
        "metadata": {},
        "id": "evt_019c3874c200700080000000000000e2",
        "created_at": "2026-02-07T12:00:00Z",
    })
}

/// An attempt to pay with this outcome.
pub(super) fn payment_attempt(outcome: AttemptOutcome) -> Value {
    let failure = outcome.failure();
    json!({
        "attempt_id": "op_019c3874c2007000800000000000005c",
        "status": outcome.status().name(),
        "failure": failure.map(|code| json!({"code": code.name(), "message": code.message()})),
        "payment_method": {"type": "card", "brand": "visa", "last4": "4242"},
        "psp_reference": failure.is_none().then_some("PSP_REF_1"),
        "created_at": "2026-02-07T12:00:30Z",
    })
}
