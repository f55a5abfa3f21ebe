//! Captures, cancels and refunds, executed and refused.

use reqwest::StatusCode;

use crate::sandbox::{APPROVED_CARD, Sandbox};
use serde_json::json;

const DONE: (&str, Option<&str>) = ("done", None);

#[tokio::test]
async fn a_full_capture_can_be_refunded_completely() {
    let sandbox = Sandbox::start().await;
    let payment = sandbox.authorized("p").await;
    let too_much = sandbox.capture("c0", &payment, 1001).await;
    assert_eq!(too_much.result(), ("refused", Some("amount_too_large")));
    assert_eq!(sandbox.capture("c1", &payment, 1000).await.result(), DONE);
    assert_eq!(sandbox.refund("r1", &payment, 300).await.result(), DONE);
    let too_much = sandbox.refund("r2", &payment, 701).await;
    assert_eq!(too_much.result(), ("refused", Some("amount_too_large")));
    assert_eq!(sandbox.refund("r3", &payment, 700).await.result(), DONE);
    let nothing_left = sandbox.refund("r4", &payment, 1).await;
    assert_eq!(nothing_left.result(), ("refused", Some("amount_too_large")));
    let expected = ["authorise 1000", "capture 1000", "refund 300", "refund 700"];
    assert_eq!(sandbox.ledger("p").await, expected);
}

#[tokio::test]
async fn every_modification_has_its_own_reference() {
    let sandbox = Sandbox::start().await;
    let payment = sandbox.authorized("p").await;
    let mut references = vec![payment.clone()];
    for response in [
        sandbox.capture("c", &payment, 1000).await,
        sandbox.refund("r1", &payment, 300).await,
        sandbox.refund("r2", &payment, 300).await,
        sandbox.cancel("x", &payment).await,
    ] {
        references.push(response.text("psp_reference"));
    }
    let again = sandbox.refund("r1", &payment, 300).await;
    assert_eq!(
        again.text("psp_reference"),
        references[2],
        "the reference in the repeated response"
    );
    let all = references.len();
    references.sort();
    references.dedup();
    assert_eq!(references.len(), all, "{references:?}");
}

#[tokio::test]
async fn a_partial_capture_voids_the_rest() {
    let sandbox = Sandbox::start().await;
    let payment = sandbox.authorized("p").await;
    assert_eq!(sandbox.capture("c1", &payment, 400).await.result(), DONE);
    let second = sandbox.capture("c2", &payment, 600).await;
    assert_eq!(second.result(), ("refused", Some("wrong_state")));
    let too_much = sandbox.refund("r1", &payment, 401).await;
    assert_eq!(too_much.result(), ("refused", Some("amount_too_large")));
    assert_eq!(
        sandbox.ledger("p").await,
        ["authorise 1000", "capture 400", "void 600"]
    );
}

#[tokio::test]
async fn a_cancel_voids_the_authorization() {
    let sandbox = Sandbox::start().await;
    let payment = sandbox.authorized("p").await;
    let early = sandbox.refund("r0", &payment, 1).await;
    assert_eq!(early.result(), ("refused", Some("wrong_state")));
    assert_eq!(sandbox.cancel("x1", &payment).await.result(), DONE);
    let again = sandbox.cancel("x2", &payment).await;
    assert_eq!(again.result(), ("refused", Some("nothing_held")));
    let capture = sandbox.capture("c1", &payment, 1000).await;
    assert_eq!(capture.result(), ("refused", Some("nothing_held")));
    let refund = sandbox.refund("r1", &payment, 1000).await;
    assert_eq!(refund.result(), ("refused", Some("wrong_state")));
    assert_eq!(sandbox.ledger("p").await, ["authorise 1000", "void 1000"]);
    assert_eq!(sandbox.operation("p").await.result(), ("authorised", None));
}

#[tokio::test]
async fn a_refused_cancel_has_a_reason() {
    let sandbox = Sandbox::start().await;
    let captured = sandbox
        .pay("p1", APPROVED_CARD, json!({"capture": true}))
        .await;
    let cancel = sandbox.cancel("x1", &captured.text("psp_reference")).await;
    assert_eq!(cancel.result(), ("refused", Some("already_captured")));
    let declined = sandbox.pay("p2", "4000000000000002", json!({})).await;
    let cancel = sandbox.cancel("x2", &declined.text("psp_reference")).await;
    assert_eq!(cancel.result(), ("refused", Some("nothing_held")));
}

#[tokio::test]
async fn invalid_calls_are_not_recorded() {
    let sandbox = Sandbox::start().await;
    assert_eq!(
        sandbox.capture("c", "psp_none", 1).await.status,
        StatusCode::NOT_FOUND
    );
    let payment = sandbox.authorized("p").await;
    let bad = sandbox.capture("c", &payment, 0).await;
    assert_eq!(
        (bad.status, bad.fields()),
        (StatusCode::UNPROCESSABLE_ENTITY, vec!["amount".into()])
    );
    assert_eq!(sandbox.operation("c").await.status, StatusCode::NOT_FOUND);
    assert_eq!(sandbox.capture("c", &payment, 1000).await.result(), DONE);
}

#[tokio::test]
async fn concurrent_refunds_never_exceed_the_capture() {
    let sandbox = Sandbox::start().await;
    let payment = sandbox.authorized("p").await;
    sandbox.capture("c", &payment, 1000).await;
    let keys: Vec<String> = (0..16).map(|n| format!("r{n}")).collect();
    let responses = crate::idempotency::join_all(
        keys.iter()
            .map(|key| sandbox.refund(key, &payment, 300))
            .collect(),
    )
    .await;
    let done = responses
        .iter()
        .filter(|response| response.result() == DONE)
        .count();
    assert_eq!(done, 3, "{responses:?}");
    let ledger = sandbox.ledger("p").await;
    assert_eq!(
        ledger.iter().filter(|entry| *entry == "refund 300").count(),
        3,
        "{ledger:?}"
    );
}
