//! The requests to merchants' endpoints, as the `webhooks` of OpenAPI 3.1.

use oncharge_domain::session::{AttemptOutcome, EventKind, FailureCode, StatusName};
use serde_json::{Value, json};
use utoipa::{
    Modify,
    openapi::{
        ContentBuilder, HttpMethod, ObjectBuilder, PathItem, PathsBuilder, Ref, Required,
        ResponseBuilder, Type,
        path::{Operation, OperationBuilder, ParameterBuilder, ParameterIn},
        request_body::RequestBodyBuilder,
        schema::SchemaType,
    },
};

use super::examples::{EVENT, REFUND, SESSION, payment_attempt};

/// Adds the webhooks to the document.
pub(super) struct Webhooks;

impl Modify for Webhooks {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let mut all = PathsBuilder::new();
        for &kind in EventKind::ALL {
            let webhook_operation = webhook_operation("Event", event_summary(kind), event(kind));
            let webhook_operation = webhook_operation.operation_id(Some(operation_id(kind.name())));
            all = all.path(kind.name(), item(webhook_operation));
        }
        let test = webhook_operation(
            "EndpointTest",
            "You requested a test of your endpoint",
            test(),
        );
        let test = test.operation_id(Some(operation_id("endpoint.test")));
        openapi.webhooks = Some(all.path("endpoint.test", item(test)).build());
    }
}

fn item(operation: OperationBuilder) -> PathItem {
    PathItem::new(HttpMethod::Post, operation)
}

/// The operation id: `payment.authorized` becomes `onPaymentAuthorized`.
fn operation_id(name: &str) -> String {
    let words = name.split(['.', '_']).map(|word| {
        let (first, rest) = word.split_at_checked(1).unwrap_or((word, ""));
        first.to_ascii_uppercase() + rest
    });
    std::iter::once("on".to_owned()).chain(words).collect()
}

/// A `POST` to a merchant's endpoint.
fn webhook_operation(schema: &str, summary: &str, example: Value) -> OperationBuilder {
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name(schema)))
        .example(Some(example))
        .build();
    let body = RequestBodyBuilder::new()
        .content("application/json", content)
        .required(Some(Required::True));
    let response = |text: &str| ResponseBuilder::new().description(text).build();
    let operation = OperationBuilder::from(Operation::new())
        .tag("Webhooks")
        .summary(Some(summary))
        .parameters(Some(headers()))
        .request_body(Some(body.build()))
        .response("2XX", response("The event is accepted."))
        .response(
            "410",
            response("Your endpoint no longer exists: OnCharge disables it."),
        )
        .response(
            "default",
            response("The delivery is retried, with ten attempts in total."),
        );
    operation.securities(Some([]))
}

/// The headers with the signatures.
fn headers() -> Vec<ParameterBuilder> {
    let header = |name: &str, text: &str| {
        let schema = ObjectBuilder::new().schema_type(SchemaType::Type(Type::String));
        ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Header)
            .required(Required::True)
            .description(Some(text))
            .schema(Some(schema))
    };
    vec![
        header(
            "X-Oncharge-Signature",
            "Hex HMAC-SHA256 of the raw body, keyed with the lowercase hex SHA-256 of your API \
             secret.",
        ),
        header("webhook-id", "Standard Webhooks: the event's id."),
        header(
            "webhook-timestamp",
            "Standard Webhooks: the time of this attempt, in Unix seconds.",
        ),
        header(
            "webhook-signature",
            "Standard Webhooks: `v1,` and a base64 signature; during a rotation one for each \
             secret, separated by spaces.",
        ),
    ]
}

fn event_summary(kind: EventKind) -> &'static str {
    match kind {
        EventKind::PaymentAuthorized => "The amount is reserved",
        EventKind::PaymentCaptured => "The amount was captured",
        EventKind::PaymentRefused => "The payment was refused",
        EventKind::PaymentCancelled => "The reserved amount was released",
        EventKind::PaymentExpired => "The session expired",
        EventKind::PaymentError => "A technical failure; no money was moved",
        EventKind::PaymentCaptureFailed => "A capture failed or was reversed",
        EventKind::PaymentCancelFailed => "A cancel failed",
        EventKind::RefundRequested => "A refund was requested",
        EventKind::RefundSucceeded => "A refund was paid out",
        EventKind::RefundFailed => "A refund failed or was reversed",
    }
}

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

/// An event as it appears in lists.
pub(super) fn authorized() -> Value {
    event(EventKind::PaymentAuthorized)
}

/// An event as it is posted.
fn event(kind: EventKind) -> Value {
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
fn test() -> Value {
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
