//! Asynchronous mode: accepted at first, executed later, reported by notification.

use serde_json::json;

use crate::receiver::Receiver;
use crate::sandbox::{APPROVED_CARD, CHALLENGE_CARD, Sandbox};

#[tokio::test]
async fn calls_are_accepted_first_and_executed_later() {
    let sandbox = Sandbox::start().await;
    let mut receiver = Receiver::start(0);
    sandbox.set_faults(json!({"asynchronous": true})).await;
    let more = json!({"reference": "p", "notification_url": receiver.url});
    let response = sandbox.pay("p", APPROVED_CARD, more).await;
    assert_eq!(response.result(), ("pending", None));
    let payment = response.text("psp_reference");
    assert_eq!(sandbox.operation("p").await.result(), ("pending", None));
    assert_eq!(sandbox.ledger("p").await, Vec::<String>::new());
    assert_eq!(receiver.next().await.summary(), "authorisation true null");
    assert_eq!(sandbox.operation("p").await.result(), ("authorised", None));

    let capture = sandbox.capture("c", &payment, 700).await;
    assert_eq!(capture.result(), ("received", None));
    assert_eq!(sandbox.operation("c").await.result(), ("received", None));
    assert_eq!(receiver.next().await.summary(), "capture true null");
    assert_eq!(sandbox.operation("c").await.result(), ("done", None));

    assert_eq!(
        sandbox.refund("r", &payment, 701).await.result(),
        ("received", None)
    );
    assert_eq!(
        receiver.next().await.summary(),
        "refund false amount_too_large"
    );
    let refused = ("refused", Some("amount_too_large"));
    assert_eq!(sandbox.operation("r").await.result(), refused);
    // A repeated call returns its first response.
    assert_eq!(
        sandbox.refund("r", &payment, 701).await.result(),
        ("received", None)
    );
    assert_eq!(
        sandbox.ledger("p").await,
        ["authorise 1000", "capture 700", "void 300"]
    );
}

#[tokio::test]
async fn a_cancel_after_a_pending_payment_voids_it() {
    let sandbox = Sandbox::start().await;
    sandbox.set_faults(json!({"asynchronous": true})).await;
    let response = sandbox
        .pay("p", APPROVED_CARD, json!({"reference": "p"}))
        .await;
    sandbox.cancel("x", &response.text("psp_reference")).await;
    sandbox.wait_for_result("x", "done").await;
    assert_eq!(sandbox.operation("p").await.result(), ("authorised", None));
    assert_eq!(sandbox.ledger("p").await, ["authorise 1000", "void 1000"]);
}

#[tokio::test]
async fn a_pending_payment_can_be_cancelled_before_it_is_decided() {
    let sandbox = Sandbox::start().await;
    sandbox.set_faults(json!({"asynchronous": true})).await;
    let response = sandbox
        .pay("p", APPROVED_CARD, json!({"reference": "p"}))
        .await;
    sandbox.clear_faults().await;
    let cancel = sandbox.cancel("x", &response.text("psp_reference")).await;
    assert_eq!(cancel.result(), ("done", None));
    // The payment that would have been decided by now is decided after it.
    sandbox.set_faults(json!({"asynchronous": true})).await;
    sandbox
        .pay("later", APPROVED_CARD, json!({"reference": "later"}))
        .await;
    sandbox.wait_for_result("later", "authorised").await;
    assert_eq!(
        sandbox.operation("p").await.result(),
        ("refused", Some("cancelled"))
    );
    assert_eq!(sandbox.ledger("p").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_challenge_is_requested_immediately() {
    let sandbox = Sandbox::start().await;
    sandbox.set_faults(json!({"asynchronous": true})).await;
    let response = sandbox.pay("p", CHALLENGE_CARD, json!({})).await;
    assert_eq!(response.result(), ("challenge", None));
}

#[tokio::test]
async fn accepted_calls_are_executed_after_a_restart() {
    let mut sandbox = Sandbox::start().await;
    sandbox.set_faults(json!({"asynchronous": true})).await;
    let more = json!({"reference": "p", "capture": true});
    let response = sandbox.pay("p", APPROVED_CARD, more).await;
    assert_eq!(response.result(), ("pending", None));
    sandbox.restart().await;
    sandbox.wait_for_result("p", "captured").await;
    assert_eq!(
        sandbox.ledger("p").await,
        ["authorise 1000", "capture 1000"]
    );
}
