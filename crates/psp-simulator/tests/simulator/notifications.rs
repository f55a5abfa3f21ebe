//! Notifications: one for every final result, signed, in order, retried until accepted.

use std::time::Duration;

use serde_json::{Value, json};

use crate::receiver::Receiver;
use crate::sandbox::{APPROVED_CARD, CHALLENGE_CARD, Response, Sandbox};

#[tokio::test]
async fn every_final_result_is_notified_once() {
    let sandbox = Sandbox::start().await;
    let mut receiver = Receiver::start(0);
    let more = json!({"reference": "order", "notification_url": receiver.url});
    let payment = sandbox
        .pay("p", APPROVED_CARD, more)
        .await
        .text("psp_reference");
    let capture = sandbox.capture("c", &payment, 600).await;
    let refund = sandbox.refund("r", &payment, 100).await;
    let cancel = sandbox.cancel("x", &payment).await;
    let own = |response: &Response| response.text("psp_reference");
    let references = [payment.clone(), own(&capture), own(&refund), own(&cancel)];
    let expected = [
        ("authorisation", "p", true, 1000, Value::Null),
        ("capture", "c", true, 600, Value::Null),
        ("refund", "r", true, 100, Value::Null),
        ("cancel", "x", false, 1000, json!("already_captured")),
    ];
    let mut ids = Vec::new();
    for (reference, result) in references.iter().zip(expected) {
        let (kind, key, success, amount, reason) = result;
        let mut body = receiver.next().await.body;
        let members = body.as_object_mut().unwrap();
        ids.push(members.remove("id").unwrap());
        assert!(
            members
                .remove("created_at")
                .unwrap()
                .as_str()
                .unwrap()
                .ends_with('Z')
        );
        let mut wanted = json!({
            "type": kind,
            "psp_reference": reference,
            "reference": "order",
            "idempotency_key": key,
            "success": success,
            "amount": amount,
            "currency": "EUR",
            "reason": reason,
        });
        if kind == "authorisation" {
            wanted["card"] = json!({"brand": "visa", "last4": "4242"});
        }
        assert_eq!(body, wanted);
    }
    let mut unique = ids.clone();
    unique.sort_by_key(Value::to_string);
    unique.dedup();
    assert_eq!(unique.len(), ids.len(), "{ids:?}");
    // A repeated call causes no notification.
    sandbox.capture("c", &payment, 600).await;
    receiver.expect_nothing(Duration::from_millis(200)).await;
}

#[tokio::test]
async fn only_the_end_of_a_challenge_is_notified() {
    let sandbox = Sandbox::start().await;
    let mut receiver = Receiver::start(0);
    for (key, outcome, expected) in [
        ("a", "pass", "authorisation true null"),
        ("b", "fail", "authorisation false authentication_failed"),
    ] {
        let more = json!({"notification_url": receiver.url});
        let url = sandbox
            .pay(key, CHALLENGE_CARD, more)
            .await
            .text("challenge_url");
        sandbox.end_challenge(&url, outcome).await;
        let delivery = receiver.next().await;
        assert_eq!(
            (
                delivery.summary().as_str(),
                delivery.text("idempotency_key")
            ),
            (expected, key)
        );
    }
}

#[tokio::test]
async fn notifications_are_retried_until_accepted() {
    let sandbox = Sandbox::start().await;
    let mut receiver = Receiver::start(2);
    sandbox
        .pay(
            "p",
            APPROVED_CARD,
            json!({"notification_url": receiver.url}),
        )
        .await;
    let (first, second, third) = (
        receiver.next().await,
        receiver.next().await,
        receiver.next().await,
    );
    assert_eq!(first.body, second.body);
    assert_eq!(second.body, third.body);
    let pauses = (second.at - first.at, third.at - second.at);
    assert!(pauses.0 >= Duration::from_millis(490), "{pauses:?}");
    assert!(pauses.1 >= Duration::from_millis(990), "{pauses:?}");
    receiver.expect_nothing(Duration::from_millis(300)).await;
}

#[tokio::test]
async fn undelivered_notifications_survive_a_restart() {
    let mut sandbox = Sandbox::start().await;
    let mut receiver = Receiver::start(usize::MAX);
    sandbox
        .pay(
            "p",
            APPROVED_CARD,
            json!({"notification_url": receiver.url}),
        )
        .await;
    let refused = receiver.next().await;
    sandbox.stop().await;
    receiver.set_refusals(0);
    sandbox.reopen().await;
    assert_eq!(receiver.next().await.body, refused.body);
    receiver.expect_nothing(Duration::from_millis(300)).await;
}

#[tokio::test]
async fn duplicates_carry_the_same_id() {
    let sandbox = Sandbox::start().await;
    let mut receiver = Receiver::start(0);
    sandbox
        .set_faults(json!({"duplicate_notifications": 2}))
        .await;
    sandbox
        .pay(
            "p",
            APPROVED_CARD,
            json!({"notification_url": receiver.url}),
        )
        .await;
    let first = receiver.next().await;
    assert_eq!(receiver.next().await.body, first.body);
    assert_eq!(receiver.next().await.body, first.body);
    receiver.expect_nothing(Duration::from_millis(200)).await;
}

#[tokio::test]
async fn clearing_the_faults_releases_delayed_notifications() {
    let sandbox = Sandbox::start().await;
    let mut receiver = Receiver::start(0);
    sandbox
        .set_faults(json!({"delay_notifications_ms": 3_600_000}))
        .await;
    sandbox
        .pay(
            "p",
            APPROVED_CARD,
            json!({"notification_url": receiver.url}),
        )
        .await;
    receiver.expect_nothing(Duration::from_millis(200)).await;
    // Faults that still delay notifications release nothing.
    sandbox
        .set_faults(json!({"delay_notifications_ms": 3_600_000, "seed": 1}))
        .await;
    receiver.expect_nothing(Duration::from_millis(200)).await;
    sandbox.clear_faults().await;
    assert_eq!(receiver.next().await.text("idempotency_key"), "p");
}

#[tokio::test]
async fn reordered_notifications_all_arrive() {
    let sandbox = Sandbox::start().await;
    let mut receiver = Receiver::start(0);
    sandbox
        .set_faults(json!({"reorder_notifications": true, "seed": 5}))
        .await;
    let mut sent = Vec::new();
    for index in 0..8 {
        let key = format!("p{index}");
        sandbox
            .pay(
                &key,
                APPROVED_CARD,
                json!({"notification_url": receiver.url}),
            )
            .await;
        sent.push(key);
    }
    let mut keys = Vec::new();
    for _ in 0..8 {
        keys.push(receiver.next().await.text("idempotency_key").to_owned());
    }
    assert_ne!(keys, sent);
    keys.sort();
    assert_eq!(keys, sent);
}
