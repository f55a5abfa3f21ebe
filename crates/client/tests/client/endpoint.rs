//! Calls for the webhook endpoint, events and deliveries.

use oncharge_client::{DeliveryAttempt, EventFilter, EventKind, OldCredentials, WebhookVerifier};
use serde_json::{Value, json};

use crate::server::{Behavior, RecordedRequest, Server};

const SIGNING_SECRET: &str = "whsec_X4tlTOf3Xfv0QanO7y6/o8RwC3WOvr5I7qXsNRee5d8=";

/// The endpoint, with its secret or with the hint.
fn endpoint(member: &str, secret: &str) -> Behavior {
    let body = json!({
        "url": "https://shop.example.com/?wc-api=oncharge_callback", "enabled": true,
        "disabled_reason": null, "disabled_at": null, "created_at": "2026-11-22T12:00:00Z",
        "updated_at": "2026-11-22T12:01:00Z", "something_new": 1, member: secret,
    });
    Behavior::response(200, body.to_string())
}

fn event() -> Value {
    json!({
        "event": "refund.requested", "session_id": "cs_1", "psp_reference": null,
        "merchant_reference": "order-42", "status": "captured",
        "amount": {"value": 500, "currency": "USD"}, "metadata": {},
        "amounts": {"authorized": 9999, "captured": 9999, "refunded": 500}, "failure": null,
        "id": "evt_1", "sequence": 3, "created_at": "2026-11-22T12:00:00Z", "refund_id": "ref_1",
    })
}

fn attempt(status: Option<u16>, error: Option<&str>) -> Value {
    json!({
        "at": "2026-11-22T12:00:01Z", "status": status, "latency_ms": 12, "response": "",
        "error": error,
    })
}

fn not_found() -> Behavior {
    let body = json!({"error": "not_found", "message": "there is none"});
    Behavior::response(404, body.to_string())
}

fn lines(requests: &[RecordedRequest]) -> Vec<String> {
    assert!(
        requests.iter().all(|request| request.authentic),
        "{requests:?}"
    );
    let lines = requests.iter();
    lines
        .map(|one| format!("{} {} {}", one.method, one.target, one.body))
        .collect()
}

#[tokio::test]
async fn the_endpoint_is_set_retrieved_and_deleted() {
    let behaviors = [
        endpoint("signing_secret", SIGNING_SECRET),
        endpoint("secret_hint", "5d8="),
        Behavior::response(204, ""),
    ];
    let server = Server::start(behaviors.into_iter().chain([not_found(), not_found()])).await;
    let client = server.client();
    let url = "https://shop.example.com/?wc-api=oncharge_callback";
    let set = client.set_webhook_endpoint(url).await.unwrap();
    assert_eq!((set.url.as_str(), set.enabled), (url, true));
    assert!(!format!("{set:?}").contains("whsec_"), "{set:?}");
    let secret = set.signing_secret.unwrap();
    WebhookVerifier::new(secret.expose()).unwrap();
    let read = client.webhook_endpoint().await.unwrap().unwrap();
    assert_eq!(read.signing_secret, None);
    assert_eq!(read.secret_hint.as_deref(), Some("5d8="));
    client.delete_webhook_endpoint().await.unwrap();
    assert_eq!(client.webhook_endpoint().await.unwrap(), None);
    client.delete_webhook_endpoint().await.unwrap();
    let put = format!("PUT /v1/webhook_endpoint {}", json!({ "url": url }));
    assert_eq!(
        lines(&server.requests()),
        [
            put.as_str(),
            "GET /v1/webhook_endpoint ",
            "DELETE /v1/webhook_endpoint ",
            "GET /v1/webhook_endpoint ",
            "DELETE /v1/webhook_endpoint ",
        ]
    );
}

#[tokio::test]
async fn the_signing_secret_is_rotated() {
    let server = Server::start([endpoint("signing_secret", SIGNING_SECRET)]).await;
    let client = server.client();
    let rotated = client.rotate_webhook_secret(OldCredentials::Revoke, None);
    let secret = rotated.await.unwrap().signing_secret.unwrap();
    assert_eq!(secret.expose(), SIGNING_SECRET);
    let wanted = r#"POST /v1/webhook_endpoint/rotate_secret {"revoke_old":true}"#;
    assert_eq!(lines(&server.requests()), [wanted]);
}

#[tokio::test]
async fn keys_are_listed_rotated_and_ended() {
    let listed = json!({"data": [{
        "key_id": "key_1", "key_hint": "ab-_", "created_at": "2026-11-22T12:00:00Z",
        "last_used_at": null, "ends_at": "2026-12-06T12:00:00Z",
    }]});
    let pair = json!({
        "api_key": "ock_2", "api_secret": "ocs_2", "previous_key_ends_at": "2026-12-06T12:00:00Z",
    });
    let server = Server::start([
        Behavior::response(200, listed.to_string()),
        Behavior::response(201, pair.to_string()),
        Behavior::response(204, ""),
    ])
    .await;
    let client = server.client();
    let keys = client.api_keys().await.unwrap();
    assert_eq!((keys.len(), keys[0].last_used_at), (1, None));
    assert_eq!(keys[0].ends_at.unwrap().unix_timestamp(), 1_796_558_400);
    let rotated = client.rotate_api_key(OldCredentials::Overlap, None);
    let rotated = rotated.await.unwrap();
    assert_eq!(rotated.api_secret.expose(), "ocs_2");
    assert!(!format!("{rotated:?}").contains("ocs_2"), "{rotated:?}");
    client.end_api_key(&keys[0].key_id).await.unwrap();
    assert!(client.end_api_key("../x").await.is_err());
    assert_eq!(
        lines(&server.requests()),
        [
            "GET /v1/api_keys ",
            r#"POST /v1/api_keys/rotate {"revoke_old":false}"#,
            "DELETE /v1/api_keys/key_1 ",
        ]
    );
}

#[tokio::test]
async fn a_refused_url_is_an_api_error() {
    let problem = json!({
        "error": "invalid_request", "message": "some fields cannot be taken",
        "details": [{"field": "url", "problem": "must be https"}],
    });
    let server = Server::start([Behavior::response(422, problem.to_string())]).await;
    let refused = server.client().set_webhook_endpoint("http://x").await;
    assert_eq!(refused.unwrap_err().code(), Some("invalid_request"));
}

#[tokio::test]
async fn a_test_returns_its_attempt() {
    let responses = [attempt(Some(204), None), attempt(None, Some("timeout"))];
    let behaviors = responses.map(|body| Behavior::response(200, body.to_string()));
    let server = Server::start(behaviors).await;
    let client = server.client();
    let good = client.test_webhook_endpoint(None).await.unwrap();
    assert!(good.is_success(), "{good:?}");
    let bad = client.test_webhook_endpoint(None).await.unwrap();
    assert!(!bad.is_success(), "{bad:?}");
    assert_eq!(bad.error.as_deref(), Some("timeout"));
    let requests = server.requests();
    assert_eq!(lines(&requests), ["POST /v1/webhook_endpoint/test "; 2]);
    assert!(
        requests
            .iter()
            .all(|request| request.idempotency_key.is_some())
    );
    assert_ne!(requests[0].idempotency_key, requests[1].idempotency_key);
}

#[tokio::test]
async fn events_are_listed_retrieved_and_redelivered() {
    let mut whole = event();
    whole["attempts"] = json!([attempt(Some(500), None), attempt(Some(204), None)]);
    let server = Server::start([
        Behavior::response(
            200,
            json!({"data": [event()], "next_cursor": null}).to_string(),
        ),
        Behavior::response(200, whole.to_string()),
        Behavior::response(202, event().to_string()),
    ])
    .await;
    let client = server.client();
    let filter = EventFilter {
        session_id: Some("cs_1".to_owned()),
        kind: Some(EventKind::RefundRequested),
        ..EventFilter::default()
    };
    let listed = client.events(&filter).await.unwrap().data.remove(0);
    assert_eq!((listed.id.as_str(), listed.sequence), ("evt_1", 3));
    assert_eq!(
        (listed.amount, listed.refund_id.as_deref()),
        (500, Some("ref_1"))
    );
    let read = client.event("evt_1").await.unwrap();
    assert_eq!(read.event, listed);
    let taken: Vec<_> = read
        .attempts
        .iter()
        .map(DeliveryAttempt::is_success)
        .collect();
    assert_eq!(taken, [false, true]);
    assert_eq!(client.redeliver("evt_1", None).await.unwrap(), listed);
    assert_eq!(
        lines(&server.requests()),
        [
            "GET /v1/events?session_id=cs_1&type=refund.requested ",
            "GET /v1/events/evt_1 ",
            "POST /v1/events/evt_1/redeliver ",
        ]
    );
}
