//! Example requests and responses of one scenario: order 42, paid, captured, half refunded.

use oncharge_domain::session::{AttemptOutcome, EventKind};
use serde_json::{Value, json};
use utoipa::{
    Modify,
    openapi::{
        Content, RefOr,
        path::{Operation, Parameter, ParameterBuilder},
    },
};

use super::example_events::{EVENT, REFUND, SESSION, event, payment_attempt};

/// Adds the examples to the document.
pub(super) struct Examples;

/// The id of the API key's record used in examples.
const API_KEY: &str = "key_019c3874c20070008000000000000a91";

impl Modify for Examples {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        for (path, item) in &mut openapi.paths.paths {
            let methods = [
                &mut item.get,
                &mut item.post,
                &mut item.put,
                &mut item.delete,
            ];
            for operation in methods.into_iter().flatten() {
                operation.parameters.iter_mut().flatten().for_each(|one| {
                    if let RefOr::T(parameter) = one {
                        let example = parameter_example(path, parameter);
                        let known = std::mem::take(parameter);
                        *parameter = ParameterBuilder::from(known).example(example).build();
                    }
                });
                add(operation);
            }
        }
    }
}

/// Values for path parameters, and for one query parameter, so that a request built from them shows
/// how a query is signed.
fn parameter_example(path: &str, parameter: &Parameter) -> Option<Value> {
    match parameter.name.as_str() {
        "id" if path.contains("/refunds/") => Some(json!(REFUND)),
        "id" if path.contains("/events/") => Some(json!(EVENT)),
        "id" => Some(json!(SESSION)),
        "key_id" => Some(json!(API_KEY)),
        "limit" => Some(json!(10)),
        _ => None,
    }
}

fn add(operation: &mut Operation) {
    let id = operation.operation_id.clone().unwrap_or_default();
    if let Some(RefOr::T(body)) = &mut operation.request_body {
        body.content
            .values_mut()
            .for_each(|content| set_example(content, request_example(&id)));
    }
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response
            && status.starts_with('2')
        {
            let contents = response.content.values_mut();
            contents.for_each(|content| set_example(content, response_example(&id, status)));
        }
    }
}

fn set_example(content: &mut RefOr<Content>, example: Option<Value>) {
    if let RefOr::T(content) = content {
        content.example = example;
    }
}

/// An example request body; `None` if it is best omitted.
fn request_example(operation: &str) -> Option<Value> {
    match operation {
        "createSession" => Some(json!({
            "amount": 9999,
            "currency": "USD",
            "reference": "order-42",
            "return_url": "https://shop.example.com/thank-you",
        })),
        "createRefund" => Some(json!({
            "session_id": SESSION, "amount": 5000, "currency": "USD", "reference": "refund-42",
        })),
        "setWebhookEndpoint" => {
            Some(json!({"url": "https://shop.example.com/?wc-api=oncharge_callback"}))
        }
        "pay" => Some(json!({"payment_method": "tok_1"})),
        _ => None,
    }
}

/// An example response body.
fn response_example(operation: &str, status: &str) -> Option<Value> {
    let captured = || session("captured", 9999, "2026-02-07T12:02:00Z");
    let example = match (operation, status) {
        ("createSession", _) => json!({
            "session_id": SESSION,
            "status": "created",
            "iframe_url": format!("/checkout/{SESSION}?token=pt_1"),
            "pay_token": "pt_1",
            "created_at": "2026-02-07T12:00:00Z",
            "expires_at": "2026-02-07T12:30:00Z",
        }),
        ("getSession", _) | ("captureSession", "200") => captured(),
        ("cancelSession", "200") => session("cancelled", 0, "2026-02-07T12:02:00Z"),
        ("captureSession", _) => pending("capture"),
        ("cancelSession", _) => pending("cancel"),
        ("expireSession", _) => expired(),
        ("listSessions", _) => page(&captured()),
        ("createRefund", _) => ordered_refund("refund_requested"),
        ("getRefund", _) => refund(),
        ("listRefunds", _) => page(&refund()),
        ("getWebhookEndpoint", _) => merge(endpoint(), json!({"secret_hint": "ISE="})),
        ("setWebhookEndpoint" | "rotateWebhookSecret", _) => {
            let secret = "whsec_bm90IGEgc2VjcmV0LCBqdXN0IGFuIGV4YW1wbGUhISE=";
            merge(endpoint(), json!({"signing_secret": secret}))
        }
        ("listApiKeys", _) => json!({"data": [{
            "key_id": API_KEY,
            "key_hint": "mple",
            "created_at": "2026-02-07T12:00:00Z",
            "last_used_at": "2026-02-07T13:00:00Z",
            "ends_at": null,
        }]}),
        ("testWebhookEndpoint", _) => attempt(),
        ("listEvents", _) => page(&event(EventKind::PaymentAuthorized)),
        ("redeliverEvent", _) => event(EventKind::PaymentAuthorized),
        ("getEvent", _) => merge(
            event(EventKind::PaymentAuthorized),
            json!({"attempts": [attempt()]}),
        ),
        ("rotateApiKey", _) => json!({
            "api_key": "ock_example",
            "api_secret": "ocs_example",
            "previous_key_ends_at": "2026-02-21T12:00:00Z",
        }),
        ("pay" | "shopperStatus" | "abandon", _) => json!({
            "status": "authorized", "next": {"type": "none"},
        }),
        _ => return None,
    };
    Some(example)
}

fn endpoint() -> Value {
    json!({
        "url": "https://shop.example.com/?wc-api=oncharge_callback",
        "enabled": true,
        "disabled_reason": null,
        "disabled_at": null,
        "created_at": "2026-02-07T12:00:00Z",
        "updated_at": "2026-02-07T12:00:00Z",
    })
}

fn session(status: &str, captured: i64, updated_at: &str) -> Value {
    json!({
        "session_id": SESSION,
        "status": status,
        "amount": 9999,
        "currency": "USD",
        "reference": "order-42",
        "order_id": "42",
        "return_url": "https://shop.example.com/thank-you",
        "metadata": {"basket": "7"},
        "capture": "manual",
        "customer": {"email": "shopper@example.com", "phone": "+15551234567"},
        "psp_reference": "PSP_REF_1",
        "amount_authorized": 9999,
        "amount_captured": captured,
        "amount_refunded": 0,
        "amount_refundable": captured,
        "pending_operation": null,
        "retry_until": null,
        "failure": null,
        "attempts": [payment_attempt(AttemptOutcome::Authorized)],
        "created_at": "2026-02-07T12:00:00Z",
        "updated_at": updated_at,
        "expires_at": "2026-02-07T12:30:00Z",
    })
}

/// A session whose operation awaits the PSP's result.
fn pending(operation: &str) -> Value {
    let session = session("authorized", 0, "2026-02-07T12:01:00Z");
    merge(session, json!({"pending_operation": operation}))
}

/// A session that expired unpaid.
fn expired() -> Value {
    let session = session("expired", 0, "2026-02-07T12:02:00Z");
    merge(
        session,
        json!({"psp_reference": null, "amount_authorized": 0, "attempts": []}),
    )
}

fn ordered_refund(status: &str) -> Value {
    json!({
        "refund_id": REFUND,
        "session_id": SESSION,
        "status": status,
        "psp_reference": "PSP_REF_2",
        "amount": 5000,
        "currency": "USD",
    })
}

fn refund() -> Value {
    let more = json!({
        "reference": "refund-42",
        "failure": null,
        "created_at": "2026-02-07T12:03:00Z",
        "updated_at": "2026-02-07T12:03:01Z",
    });
    merge(ordered_refund("refund_succeeded"), more)
}

fn attempt() -> Value {
    json!({
        "at": "2026-02-07T12:01:01Z", "status": 200, "latency_ms": 84, "response": "ok", "error": null,
    })
}

fn page(only: &Value) -> Value {
    json!({"data": [only], "next_cursor": null})
}

/// Overwrites members of the first object with those of the second.
fn merge(mut one: Value, more: Value) -> Value {
    if let (Value::Object(members), Value::Object(more)) = (&mut one, more) {
        members.extend(more);
    }
    one
}
