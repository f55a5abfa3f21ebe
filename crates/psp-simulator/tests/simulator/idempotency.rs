//! One key, one piece of work, one answer, for good.

use std::pin::Pin;
use std::task::Poll;

use reqwest::StatusCode;
use serde_json::json;

use crate::sandbox::{APPROVES, CHALLENGES, Sandbox, payment};

/// Awaits all at the same time.
pub(crate) async fn all<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
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
async fn the_same_call_again_gets_the_same_answer() {
    let sandbox = Sandbox::start().await;
    let body = payment(&sandbox.token(APPROVES).await, json!({}));
    let first = sandbox.post("/v1/payments", "key", &body).await;
    let psp_reference = first.text("psp_reference");
    sandbox.capture("cap", &psp_reference, 1000).await;
    let again = sandbox.post("/v1/payments", "key", &body).await;
    assert_eq!(
        (again.status, &again.body),
        (StatusCode::CREATED, &first.body)
    );
    // A refusal is an answer like any other, even if the call could be carried out now.
    let refused = sandbox.refund("ref", &psp_reference, 2000).await;
    let again = sandbox.refund("ref", &psp_reference, 2000).await;
    assert_eq!(refused.body, again.body);
    assert_eq!(
        sandbox.ledger("order-1").await,
        ["authorise 1000", "capture 1000"]
    );
}

#[tokio::test]
async fn a_challenge_is_answered_again_with_its_url_even_after_its_end() {
    let sandbox = Sandbox::start().await;
    let body = payment(&sandbox.token(CHALLENGES).await, json!({}));
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
async fn a_key_with_other_parameters_is_refused_and_changes_nothing() {
    let sandbox = Sandbox::start().await;
    let token = sandbox.token(APPROVES).await;
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
        let answer = sandbox
            .post("/v1/payments", "key", &payment(&token, other.clone()))
            .await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{other}");
        assert_eq!(answer.text("error"), "idempotency_key_reused", "{other}");
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
async fn sixteen_equal_calls_at_once_are_one_piece_of_work() {
    let sandbox = Sandbox::start().await;
    let body = payment(&sandbox.token(APPROVES).await, json!({}));
    let calls = (0..16)
        .map(|_| sandbox.post("/v1/payments", "key", &body))
        .collect();
    let answers = all(calls).await;
    let psp_reference = answers.first().unwrap().text("psp_reference");
    assert!(
        answers
            .iter()
            .all(|a| a.text("psp_reference") == psp_reference),
        "{answers:?}"
    );
    let captures = (0..16)
        .map(|_| sandbox.capture("cap", &psp_reference, 1000))
        .collect();
    let answers = all(captures).await;
    assert!(
        answers.iter().all(|a| a.result() == ("done", None)),
        "{answers:?}"
    );
    assert_eq!(
        sandbox.ledger("order-1").await,
        ["authorise 1000", "capture 1000"]
    );
}
