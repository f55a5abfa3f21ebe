//! Idempotency keys with Stripe's rules.

use std::time::Duration;

use serde_json::json;

use super::client::Face;
use crate::idempotency::join_all;
use crate::sandbox::{APPROVED_CARD, payment};

#[tokio::test]
async fn the_same_request_is_replayed() {
    let face = Face::start().await;
    let form = face.payment("p", APPROVED_CARD).await;
    let first = face.post_as("p", "/payment_intents", &form).await;
    face.act(&first.id(), "capture", "").await;
    let again = face.post_as("p", "/payment_intents", &form).await;
    assert_eq!(again.body, first.body);
    assert_eq!(again.header("Idempotent-Replayed"), Some("true"));
    assert_eq!(again.header("Original-Request"), first.header("Request-Id"));
    assert_ne!(again.header("Request-Id"), first.header("Request-Id"));

    let form = format!("payment_intent={}&amount=100", first.id());
    let refund = face.post_as("r", "/refunds", &form).await;
    let again = face.post_as("r", "/refunds", &form).await;
    assert_eq!(again.body, refund.body);
    assert_eq!(
        face.sandbox.ledger("p").await,
        ["authorise 1000", "capture 1000", "refund 100"]
    );
}

#[tokio::test]
async fn a_refusal_is_replayed_even_if_the_call_could_succeed_now() {
    let face = Face::start().await;
    let declined = face.payment("d", "4000000000000002").await;
    let first = face.post_as("d", "/payment_intents", &declined).await;
    assert_eq!(first.error().0, 402);
    let again = face.post_as("d", "/payment_intents", &declined).await;
    assert_eq!((again.status, &again.body), (first.status, &first.body));
    assert_eq!(again.header("Idempotent-Replayed"), Some("true"));

    let id = face.authorized("p").await;
    let form = format!("payment_intent={id}&amount=100");
    let refused = face.post_as("r", "/refunds", &form).await;
    assert_eq!(refused.error().0, 400);
    face.act(&id, "capture", "").await;
    let again = face.post_as("r", "/refunds", &form).await;
    assert_eq!(again.body, refused.body);
    let other = face.post_as("r2", "/refunds", &form).await;
    assert_eq!(other.text("/status"), "succeeded");
}

#[tokio::test]
async fn another_request_under_the_same_key_is_refused() {
    let face = Face::start().await;
    let id = face.authorized("p").await;
    let path = format!("/payment_intents/{id}/capture");
    face.post_as("c", &path, "amount_to_capture=600").await;
    let own = payment(&face.sandbox.token(APPROVED_CARD).await, json!({}));
    face.sandbox.post("/v1/payments", "own", &own).await;
    for (key, path, form) in [
        ("c", path.as_str(), "amount_to_capture=601"),
        ("c", path.as_str(), ""),
        ("c", "/payment_intents", "amount=1000&currency=eur"),
        // A key of the simulator's own API.
        ("own", "/payment_intents", "amount=1000&currency=eur"),
    ] {
        let response = face.post_as(key, path, form).await;
        assert_eq!(response.error(), (400, "idempotency_error", ""), "{form}");
    }
    // In the other direction as well.
    let response = face.sandbox.post("/v1/payments", "p", &own).await;
    assert_eq!(response.text("error"), "idempotency_key_reused");
}

#[tokio::test]
async fn a_request_with_invalid_parameters_does_not_use_up_its_key() {
    let face = Face::start().await;
    let invalid = face.post_as("k", "/payment_intents", "amount=1000").await;
    assert_eq!(invalid.error().2, "parameter_missing");
    let valid = face
        .post_as("k", "/payment_intents", "amount=1000&currency=eur")
        .await;
    assert_eq!(valid.text("/status"), "requires_payment_method");
    let too_long = "k".repeat(256);
    let response = face.post_as(&too_long, "/payment_intents", "").await;
    assert_eq!(response.error().0, 400);
}

#[tokio::test]
async fn a_key_in_use_is_refused_with_409() {
    let face = Face::start().await;
    let form = face.payment("p", APPROVED_CARD).await;
    face.sandbox
        .set_faults(json!({"latency_ms": [1_500, 1_500]}))
        .await;
    let second = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        face.post_as("p", "/payment_intents", &form).await
    };
    let (first, second) = tokio::join!(face.post_as("p", "/payment_intents", &form), second);
    assert_eq!(first.text("/status"), "requires_capture", "{first:?}");
    let expected = (409, "idempotency_error", "idempotency_key_in_use");
    assert_eq!(second.error(), expected);
    face.sandbox.clear_faults().await;
    let third = face.post_as("p", "/payment_intents", &form).await;
    assert_eq!(third.body, first.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_requests_under_one_key_have_one_effect() {
    let face = Face::start().await;
    let form = face.payment("p", APPROVED_CARD).await;
    let calls = (0..8).map(|_| face.post_as("p", "/payment_intents", &form));
    let responses = join_all(calls.collect()).await;
    let done: Vec<_> = responses.iter().filter(|it| it.status == 200).collect();
    assert!(!done.is_empty(), "{responses:?}");
    assert!(
        done.iter().all(|it| it.body == done[0].body),
        "{responses:?}"
    );
    assert!(
        responses
            .iter()
            .all(|it| it.status == 200 || it.error().0 == 409),
        "{responses:?}"
    );
    assert_eq!(face.sandbox.ledger("p").await, ["authorise 1000"]);
}

#[tokio::test]
async fn requests_without_a_key_are_all_executed() {
    let face = Face::start().await;
    let id = face.captured("p").await;
    for _ in 0..2 {
        let form = format!("payment_intent={id}&amount=100");
        assert_eq!(
            face.post("/refunds", &form).await.text("/status"),
            "succeeded"
        );
    }
    assert_eq!(
        face.sandbox.ledger("p").await,
        ["authorise 1000", "capture 1000", "refund 100", "refund 100"]
    );
}
