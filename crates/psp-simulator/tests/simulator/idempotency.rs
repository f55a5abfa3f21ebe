//! Idempotency keys: executed once, with the same response forever.

use std::pin::Pin;
use std::task::Poll;

use reqwest::StatusCode;
use serde_json::json;

use crate::sandbox::{APPROVED_CARD, CHALLENGE_CARD, Sandbox, payment};

/// Awaits all concurrently.
pub(crate) async fn join_all<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut running: Vec<Pin<Box<F>>> = futures.into_iter().map(Box::pin).collect();
    let mut outputs: Vec<Option<F::Output>> = running.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, output) in running.iter_mut().zip(&mut outputs) {
            if output.is_none()
                && let Poll::Ready(value) = future.as_mut().poll(context)
            {
                *output = Some(value);
            }
        }
        if outputs.iter().all(Option::is_some) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
    outputs.into_iter().flatten().collect()
}

#[tokio::test]
async fn a_repeated_call_gets_the_same_response() {
    let sandbox = Sandbox::start().await;
    let body = payment(&sandbox.token(APPROVED_CARD).await, json!({}));
    let first = sandbox.post("/v1/payments", "key", &body).await;
    let psp_reference = first.text("psp_reference");
    sandbox.capture("cap", &psp_reference, 1000).await;
    let again = sandbox.post("/v1/payments", "key", &body).await;
    assert_eq!(
        (again.status, &again.body),
        (StatusCode::CREATED, &first.body)
    );
    // A refusal is stored like any response, even if the call could be executed now.
    let refused = sandbox.refund("ref", &psp_reference, 2000).await;
    let again = sandbox.refund("ref", &psp_reference, 2000).await;
    assert_eq!(refused.body, again.body);
    assert_eq!(
        sandbox.ledger("order-1").await,
        ["authorise 1000", "capture 1000"]
    );
}

#[tokio::test]
async fn a_repeated_challenge_call_keeps_its_url() {
    let sandbox = Sandbox::start().await;
    let body = payment(&sandbox.token(CHALLENGE_CARD).await, json!({}));
    let first = sandbox.post("/v1/payments", "key", &body).await;
    assert_eq!(
        sandbox.post("/v1/payments", "key", &body).await.body,
        first.body
    );
    sandbox
        .end_challenge(&first.text("challenge_url"), "pass")
        .await;
    assert_eq!(
        sandbox.post("/v1/payments", "key", &body).await.body,
        first.body
    );
    assert_eq!(
        sandbox.operation("key").await.result(),
        ("authorised", None)
    );
}

#[tokio::test]
async fn a_reused_key_is_refused() {
    let sandbox = Sandbox::start().await;
    let token = sandbox.token(APPROVED_CARD).await;
    let body = payment(&token, json!({}));
    let psp_reference = sandbox
        .post("/v1/payments", "key", &body)
        .await
        .text("psp_reference");
    let others = [
        json!({"amount": 1001}),
        json!({"currency": "USD"}),
        json!({"capture": true}),
        json!({"reference": "order-2"}),
        json!({"notification_url": "http://127.0.0.1:1/"}),
        json!({"token": "tok_other"}),
    ];
    for other in others {
        let response = sandbox
            .post("/v1/payments", "key", &payment(&token, other.clone()))
            .await;
        assert_eq!(response.status, StatusCode::UNPROCESSABLE_ENTITY, "{other}");
        assert_eq!(response.text("error"), "idempotency_key_reused", "{other}");
    }
    let other_kind = sandbox.capture("key", &psp_reference, 1000).await;
    assert_eq!(other_kind.text("error"), "idempotency_key_reused");
    sandbox.capture("cap", &psp_reference, 400).await;
    let other_amount = sandbox.capture("cap", &psp_reference, 500).await;
    assert_eq!(other_amount.text("error"), "idempotency_key_reused");
    let ledger = sandbox.ledger("order-1").await;
    assert_eq!(ledger, ["authorise 1000", "capture 400", "void 600"]);
}

#[tokio::test]
async fn concurrent_equal_calls_run_once() {
    let sandbox = Sandbox::start().await;
    let body = payment(&sandbox.token(APPROVED_CARD).await, json!({}));
    let calls = (0..16)
        .map(|_| sandbox.post("/v1/payments", "key", &body))
        .collect();
    let responses = join_all(calls).await;
    let psp_reference = responses.first().unwrap().text("psp_reference");
    assert!(
        responses
            .iter()
            .all(|a| a.text("psp_reference") == psp_reference),
        "{responses:?}"
    );
    let captures = (0..16)
        .map(|_| sandbox.capture("cap", &psp_reference, 1000))
        .collect();
    let responses = join_all(captures).await;
    assert!(
        responses.iter().all(|a| a.result() == ("done", None)),
        "{responses:?}"
    );
    assert_eq!(
        sandbox.ledger("order-1").await,
        ["authorise 1000", "capture 1000"]
    );
}
