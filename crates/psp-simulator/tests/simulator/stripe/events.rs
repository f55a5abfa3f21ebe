//! Events: one for each result, signed as Stripe does.

use std::time::Duration;

use serde_json::json;

use super::client::Face;
use crate::receiver::Delivery;

/// `type` of the event and `status` of its object.
fn summary(event: &Delivery) -> String {
    let object = &event.body["data"]["object"];
    format!(
        "{} {}",
        event.text("type"),
        object["status"].as_str().unwrap()
    )
}

#[tokio::test]
async fn every_result_is_an_event_with_the_object_of_that_moment() {
    let mut face = Face::start().await;
    let id = face.authorized("p").await;
    let path = format!("/payment_intents/{id}/capture");
    face.post_as("c", &path, "amount_to_capture=600").await;
    let form = format!("payment_intent={id}&amount=100&metadata[operation]=r");
    face.post_as("r", "/refunds", &form).await;

    let event = face.events.next().await;
    assert_eq!(
        summary(&event),
        "payment_intent.amount_capturable_updated requires_capture"
    );
    assert!(event.text("id").starts_with("evt_"));
    assert_eq!(event.text("object"), "event");
    assert_eq!(event.text("api_version"), "2024-10-28.acacia");
    assert_eq!(event.body["livemode"], false);
    assert_eq!(event.body["request"]["idempotency_key"], "p");
    let object = &event.body["data"]["object"];
    assert_eq!(object["id"], id.as_str());
    assert_eq!(object["amount_capturable"], 1000);
    assert_eq!(object["metadata"], json!({"order": "p"}));

    let event = face.events.next().await;
    assert_eq!(summary(&event), "payment_intent.succeeded succeeded");
    assert_eq!(event.body["request"]["idempotency_key"], "c");
    assert_eq!(event.body["data"]["object"]["amount_received"], 600);

    let event = face.events.next().await;
    assert_eq!(summary(&event), "charge.refunded succeeded");
    let object = &event.body["data"]["object"];
    assert_eq!(object["amount_refunded"], 100);
    assert_eq!(object["payment_intent"], id.as_str());

    let event = face.events.next().await;
    assert_eq!(summary(&event), "refund.updated succeeded");
    let object = &event.body["data"]["object"];
    assert_eq!(object["metadata"], json!({"operation": "r"}));

    // A request that is refused in its response, and one that is replayed, cause no event.
    face.act(&id, "cancel", "").await;
    face.act(&id, "capture", "").await;
    face.post_as("r", "/refunds", &form).await;
    let form = format!("payment_intent={id}&amount=9999");
    face.post("/refunds", &form).await;
    face.events.expect_nothing(Duration::from_millis(200)).await;
}

#[tokio::test]
async fn declines_and_cancels_are_events() {
    let mut face = Face::start().await;
    let declined = face.pay("d", "4000000000000002").await;
    let event = face.events.next().await;
    assert_eq!(
        summary(&event),
        "payment_intent.payment_failed requires_payment_method"
    );
    let id = declined.text("/error/payment_intent/id").to_owned();
    face.act(&id, "cancel", "").await;
    let event = face.events.next().await;
    assert_eq!(summary(&event), "payment_intent.canceled canceled");
    let held = face.authorized("p").await;
    face.act(&held, "cancel", "cancellation_reason=duplicate")
        .await;
    face.events.next().await;
    let event = face.events.next().await;
    assert_eq!(summary(&event), "payment_intent.canceled canceled");
    let object = &event.body["data"]["object"];
    assert_eq!(object["cancellation_reason"], "duplicate");
}

#[tokio::test]
async fn an_event_is_repeated_until_it_is_accepted() {
    let mut face = Face::start().await;
    face.events.set_refusals(2);
    face.authorized("p").await;
    let first = face.events.next().await;
    for _ in 0..2 {
        assert_eq!(face.events.next().await.body, first.body);
    }
    face.events.expect_nothing(Duration::from_millis(200)).await;
}

#[tokio::test]
async fn events_survive_a_restart() {
    let mut face = Face::start().await;
    face.sandbox
        .set_faults(json!({"delay_notifications_ms": 60_000}))
        .await;
    let id = face.authorized("p").await;
    face.sandbox.restart().await;
    face.events.expect_nothing(Duration::from_millis(200)).await;
    face.sandbox.clear_faults().await;
    let event = face.events.next().await;
    assert_eq!(event.body["data"]["object"]["id"], id.as_str());
}

#[tokio::test]
async fn faults_duplicate_events() {
    let mut face = Face::start().await;
    face.sandbox
        .set_faults(json!({"duplicate_notifications": 1}))
        .await;
    face.authorized("p").await;
    let first = face.events.next().await;
    assert_eq!(face.events.next().await.body, first.body);
    face.events.expect_nothing(Duration::from_millis(200)).await;
}
