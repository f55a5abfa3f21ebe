//! Asynchronous mode: accepted now, decided a moment later, told by notification.

use serde_json::json;

use crate::receiver::Receiver;
use crate::sandbox::{APPROVES, CHALLENGES, Sandbox};

#[tokio::test]
async fn everything_is_accepted_first_and_done_later() {
    let sandbox = Sandbox::start().await;
    let mut receiver = Receiver::start(0);
    sandbox.faults(json!({"asynchronous": true})).await;
    let more = json!({"reference": "p", "notification_url": receiver.url});
    let answer = sandbox.pay("p", APPROVES, more).await;
    assert_eq!(answer.result(), ("pending", None));
    let payment = answer.text("psp_reference");
    assert_eq!(sandbox.operation("p").await.result(), ("pending", None));
    assert_eq!(sandbox.ledger("p").await, Vec::<String>::new());
    assert_eq!(receiver.next().await.told(), "authorisation true null");
    assert_eq!(sandbox.operation("p").await.result(), ("authorised", None));

    let capture = sandbox.capture("c", &payment, 700).await;
    assert_eq!(capture.result(), ("received", None));
    assert_eq!(sandbox.operation("c").await.result(), ("received", None));
    assert_eq!(receiver.next().await.told(), "capture true null");
    assert_eq!(sandbox.operation("c").await.result(), ("done", None));

    assert_eq!(
        sandbox.refund("r", &payment, 701).await.result(),
        ("received", None)
    );
    assert_eq!(
        receiver.next().await.told(),
        "refund false amount_too_large"
    );
    let refused = ("refused", Some("amount_too_large"));
    assert_eq!(sandbox.operation("r").await.result(), refused);
    // The call itself is answered as it was.
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
async fn a_cancel_right_behind_a_pending_payment_voids_it() {
    let sandbox = Sandbox::start().await;
    sandbox.faults(json!({"asynchronous": true})).await;
    let answer = sandbox.pay("p", APPROVES, json!({"reference": "p"})).await;
    sandbox.cancel("x", &answer.text("psp_reference")).await;
    sandbox.until("x", "done").await;
    assert_eq!(sandbox.operation("p").await.result(), ("authorised", None));
    assert_eq!(sandbox.ledger("p").await, ["authorise 1000", "void 1000"]);
}

#[tokio::test]
async fn a_pending_payment_can_be_cancelled_before_it_is_decided() {
    let sandbox = Sandbox::start().await;
    sandbox.faults(json!({"asynchronous": true})).await;
    let answer = sandbox.pay("p", APPROVES, json!({"reference": "p"})).await;
    sandbox.clear_faults().await;
    let cancel = sandbox.cancel("x", &answer.text("psp_reference")).await;
    assert_eq!(cancel.result(), ("done", None));
    // The payment that would have been decided by now is decided after it.
    sandbox.faults(json!({"asynchronous": true})).await;
    sandbox
        .pay("later", APPROVES, json!({"reference": "later"}))
        .await;
    sandbox.until("later", "authorised").await;
    assert_eq!(
        sandbox.operation("p").await.result(),
        ("refused", Some("cancelled"))
    );
    assert_eq!(sandbox.ledger("p").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_challenge_is_asked_for_at_once() {
    let sandbox = Sandbox::start().await;
    sandbox.faults(json!({"asynchronous": true})).await;
    let answer = sandbox.pay("p", CHALLENGES, json!({})).await;
    assert_eq!(answer.result(), ("challenge", None));
}

#[tokio::test]
async fn what_was_accepted_is_done_after_a_restart() {
    let mut sandbox = Sandbox::start().await;
    sandbox.faults(json!({"asynchronous": true})).await;
    let more = json!({"reference": "p", "capture": true});
    let answer = sandbox.pay("p", APPROVES, more).await;
    assert_eq!(answer.result(), ("pending", None));
    sandbox.restart().await;
    sandbox.until("p", "captured").await;
    assert_eq!(
        sandbox.ledger("p").await,
        ["authorise 1000", "capture 1000"]
    );
}
