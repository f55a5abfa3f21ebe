//! Faults, through the Stripe face.

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::client::{Face, SECRET_KEY};
use crate::connection_faults::raw_request;
use crate::sandbox::{APPROVED_CARD, Sandbox};

#[tokio::test]
async fn error_rate_gives_a_bare_503_before_any_work() {
    let face = Face::start().await;
    let form = face.payment("p", APPROVED_CARD).await;
    face.sandbox.set_faults(json!({"error_rate": 1.0})).await;
    let failed = face.post_as("p", "/payment_intents", &form).await;
    assert_eq!(failed.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(failed.body, Value::Null);
    let list = face.get("/payment_intents").await;
    assert_eq!(list.status, StatusCode::SERVICE_UNAVAILABLE);
    // Payment methods, as tokens, are exempt.
    face.method(APPROVED_CARD).await;
    face.sandbox.clear_faults().await;
    assert_eq!(face.sandbox.ledger("p").await, Vec::<String>::new());
    let paid = face.post_as("p", "/payment_intents", &form).await;
    assert_eq!(paid.text("/status"), "requires_capture", "{paid:?}");
    assert_eq!(paid.header("Idempotent-Replayed"), None);
}

/// Sends a form on its own connection, and reads until the connection is closed.
async fn raw_post(sandbox: &Sandbox, path: &str, key: &str, form: &str) -> Vec<u8> {
    let address = sandbox.address();
    let request = format!(
        "POST /stripe/v1{path} HTTP/1.1\r\nHost: {address}\r\n\
         Authorization: Bearer {SECRET_KEY}\r\nIdempotency-Key: {key}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    );
    raw_request(address, request).await
}

#[tokio::test]
async fn drop_after_work_executes_without_a_response() {
    let face = Face::start().await;
    let form = face.payment("p", APPROVED_CARD).await;
    face.sandbox
        .set_faults(json!({"drop_after_work_rate": 1.0}))
        .await;
    let lost = raw_post(&face.sandbox, "/payment_intents", "p", &form).await;
    assert_eq!(lost, b"", "{}", String::from_utf8_lossy(&lost));
    face.sandbox.clear_faults().await;
    assert_eq!(face.sandbox.ledger("p").await, ["authorise 1000"]);
    let paid = face.post_as("p", "/payment_intents", &form).await;
    assert_eq!(paid.header("Idempotent-Replayed"), Some("true"));
    let id = paid.id();

    for (action, key) in [("capture", "c"), ("refund", "r")] {
        let (path, form) = match action {
            "capture" => (format!("/payment_intents/{id}/capture"), String::new()),
            _ => (
                "/refunds".to_owned(),
                format!("payment_intent={id}&amount=100"),
            ),
        };
        face.sandbox
            .set_faults(json!({"drop_after_work_rate": 1.0}))
            .await;
        let lost = raw_post(&face.sandbox, &path, key, &form).await;
        assert_eq!(lost, b"", "{}", String::from_utf8_lossy(&lost));
        face.sandbox.clear_faults().await;
        let again = face.post_as(key, &path, &form).await;
        assert_eq!(again.text("/status"), "succeeded", "{again:?}");
        assert_eq!(again.header("Idempotent-Replayed"), Some("true"));
    }
    assert_eq!(
        face.sandbox.ledger("p").await,
        ["authorise 1000", "capture 1000", "refund 100"]
    );
}

#[tokio::test]
async fn refused_kinds_are_declined() {
    let face = Face::start().await;
    let held = face.authorized("held").await;
    let captured = face.captured("captured").await;
    face.sandbox
        .set_faults(json!({"refuse": ["authorise", "capture", "cancel", "refund"]}))
        .await;
    let declined = (402, "card_error", "card_declined");
    assert_eq!(face.pay("p", APPROVED_CARD).await.error(), declined);
    assert_eq!(face.act(&held, "capture", "").await.error(), declined);
    assert_eq!(face.act(&held, "cancel", "").await.error(), declined);
    let form = format!("payment_intent={captured}");
    assert_eq!(face.post("/refunds", &form).await.error(), declined);
    face.sandbox.clear_faults().await;
    let capture = face.act(&held, "capture", "").await;
    assert_eq!(capture.text("/status"), "succeeded", "{capture:?}");
    assert_eq!(face.sandbox.ledger("p").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_confirmation_after_a_challenge_can_be_refused() {
    let face = Face::start().await;
    let (id, url) = face.challenged("p").await;
    face.sandbox.end_challenge(&url, "pass").await;
    face.sandbox
        .set_faults(json!({"refuse": ["authorise"]}))
        .await;
    let refused = face.act(&id, "confirm", "").await;
    assert_eq!(refused.error(), (402, "card_error", "card_declined"));
    assert_eq!(
        face.intent(&id).await.text("/status"),
        "requires_payment_method"
    );
}

#[tokio::test]
async fn calls_are_accepted_first_in_asynchronous_mode() {
    let mut face = Face::start().await;
    face.sandbox.set_faults(json!({"asynchronous": true})).await;
    let paid = face.pay("p", APPROVED_CARD).await;
    let id = paid.id();
    assert_eq!(paid.text("/status"), "processing");
    face.event("payment_intent.amount_capturable_updated").await;
    let capture = face.act(&id, "capture", "amount_to_capture=600").await;
    assert_eq!(capture.text("/status"), "processing", "{capture:?}");
    let event = face.event("payment_intent.succeeded").await;
    assert_eq!(event.body["data"]["object"]["amount_received"], 600);

    let form = format!("payment_intent={id}&amount=600");
    let refund = face.post("/refunds", &form).await;
    assert_eq!(refund.text("/status"), "pending");
    let over = face.post("/refunds", &form).await;
    assert_eq!(over.text("/status"), "pending");
    face.event("refund.updated").await;
    let failed = face.event("refund.failed").await;
    assert_eq!(failed.body["data"]["object"]["id"], over.id());
    assert_eq!(failed.body["data"]["object"]["status"], "failed");
    let found = face.get(&format!("/refunds/{}", over.id())).await;
    assert_eq!(found.text("/status"), "failed");
    assert_eq!(
        face.sandbox.ledger("p").await,
        ["authorise 1000", "capture 600", "void 400", "refund 600"]
    );
}

#[tokio::test]
async fn a_cancel_and_a_confirmation_are_asynchronous_too() {
    let face = Face::start().await;
    let held = face.authorized("held").await;
    let (challenged, url) = face.challenged("ch").await;
    face.sandbox.end_challenge(&url, "pass").await;
    face.sandbox.set_faults(json!({"asynchronous": true})).await;
    let cancel = face.act(&held, "cancel", "").await;
    assert_eq!(cancel.text("/status"), "processing", "{cancel:?}");
    face.wait_for_status(&held, "canceled").await;
    let confirm = face.act(&challenged, "confirm", "").await;
    assert_eq!(confirm.text("/status"), "processing", "{confirm:?}");
    face.wait_for_status(&challenged, "requires_capture").await;
    assert_eq!(
        face.sandbox.ledger("held").await,
        ["authorise 1000", "void 1000"]
    );
    assert_eq!(face.sandbox.ledger("ch").await, ["authorise 1000"]);
}

#[tokio::test]
async fn fail_late_reverses_successes() {
    let mut face = Face::start().await;
    face.sandbox
        .set_faults(json!({"fail_late": ["authorise", "capture", "cancel", "refund"]}))
        .await;
    let lapsed = face.authorized("lapsed").await;
    let event = face.event("payment_intent.canceled").await;
    let object = &event.body["data"]["object"];
    assert_eq!(object["id"], lapsed.as_str());
    assert_eq!(object["cancellation_reason"], "automatic");
    assert_eq!(
        face.sandbox.ledger("lapsed").await,
        ["authorise 1000", "authorise -1000"]
    );
    face.sandbox.clear_faults().await;

    let failed = face.authorized("failed").await;
    let voided = face.authorized("voided").await;
    let refunded = face.captured("refunded").await;
    face.sandbox
        .set_faults(json!({"fail_late": ["capture", "cancel", "refund"]}))
        .await;
    let capture = face.act(&failed, "capture", "").await;
    assert_eq!(capture.text("/status"), "succeeded", "{capture:?}");
    let cancel = face.act(&voided, "cancel", "").await;
    assert_eq!(cancel.text("/status"), "canceled", "{cancel:?}");
    let form = format!("payment_intent={refunded}&amount=100");
    let refund = face.post("/refunds", &form).await;
    assert_eq!(refund.text("/status"), "succeeded", "{refund:?}");
    face.sandbox.clear_faults().await;

    face.wait_for_status(&failed, "requires_payment_method")
        .await;
    let found = face.intent(&failed).await;
    assert_eq!(found.text("/last_payment_error/code"), "processing_error");
    face.wait_for_status(&voided, "requires_capture").await;
    let event = face.event("refund.failed").await;
    assert_eq!(event.body["data"]["object"]["id"], refund.id());
    for (reference, expected) in [
        (
            "failed",
            ["authorise 1000", "capture 1000", "capture -1000"],
        ),
        ("voided", ["authorise 1000", "void 1000", "void -1000"]),
    ] {
        assert_eq!(face.sandbox.ledger(reference).await, expected);
    }
    let expected = [
        "authorise 1000",
        "capture 1000",
        "refund 100",
        "refund -100",
    ];
    assert_eq!(face.sandbox.ledger("refunded").await, expected);
}
