//! Faults within the simulator: refusals, late failures, errors, latency, and their settings.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde_json::json;

use crate::receiver::Receiver;
use crate::sandbox::{APPROVED_CARD, CHALLENGE_CARD, Sandbox, payment, send};

#[tokio::test]
async fn settings_are_replaced_read_and_cleared() {
    let sandbox = Sandbox::start().await;
    let show = || send(sandbox.client.get(sandbox.url("/v1/faults")));
    assert_eq!(show().await.body, json!({}));
    let first = json!({"latency_ms": [0, 1], "asynchronous": false, "seed": 7});
    let put = sandbox.set_faults(first.clone()).await;
    assert_eq!((put.status, &put.body), (StatusCode::OK, &first));
    assert_eq!(show().await.body, first);
    let second = json!({"refuse": ["capture"], "error_rate": 0.5});
    sandbox.set_faults(second.clone()).await;
    assert_eq!(show().await.body, second);
    let unknown = sandbox.set_faults(json!({"chargebacks": true})).await;
    assert_eq!(unknown.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(unknown.fields(), ["chargebacks"]);
    assert_eq!(show().await.body, second);
    sandbox.clear_faults().await;
    assert_eq!(show().await.body, json!({}));
}

#[tokio::test]
async fn error_rate_returns_a_bare_503_before_any_work() {
    let sandbox = Sandbox::start().await;
    let body = payment(
        &sandbox.token(APPROVED_CARD).await,
        json!({"reference": "p"}),
    );
    sandbox.set_faults(json!({"error_rate": 1})).await;
    let request = sandbox.request(reqwest::Method::POST, "/v1/payments");
    let response = request
        .header("Idempotency-Key", "p")
        .json(&body)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.bytes().await.unwrap().len(), 0);
    assert_eq!(
        sandbox.operation("p").await.status,
        StatusCode::SERVICE_UNAVAILABLE
    );
    // Faults do not apply to tokens, ledger and faults.
    sandbox.token(APPROVED_CARD).await;
    assert_eq!(sandbox.ledger("p").await, Vec::<String>::new());
    sandbox.clear_faults().await;
    assert_eq!(sandbox.operation("p").await.status, StatusCode::NOT_FOUND);
    assert_eq!(
        sandbox.post("/v1/payments", "p", &body).await.result(),
        ("authorised", None)
    );
}

#[tokio::test]
async fn the_same_seed_gives_the_same_faults() {
    let sandbox = Sandbox::start().await;
    let mut rounds = Vec::new();
    for seed in [11, 11, 12] {
        sandbox
            .set_faults(json!({"error_rate": 0.5, "seed": seed}))
            .await;
        let mut statuses = Vec::new();
        for _ in 0..40 {
            statuses.push(sandbox.operation("none").await.status.as_u16());
        }
        assert!(
            statuses.contains(&503) && statuses.contains(&404),
            "{statuses:?}"
        );
        rounds.push(statuses);
    }
    assert_eq!(rounds.first(), rounds.get(1));
    assert_ne!(rounds.first(), rounds.get(2));
}

#[tokio::test]
async fn latency_delays_only_payments_and_operations() {
    let sandbox = Sandbox::start().await;
    sandbox.set_faults(json!({"latency_ms": [300, 310]})).await;
    let started = Instant::now();
    sandbox.operation("none").await;
    assert!(
        started.elapsed() >= Duration::from_millis(300),
        "{:?}",
        started.elapsed()
    );
    let started = Instant::now();
    sandbox.ledger("none").await;
    assert!(
        started.elapsed() < Duration::from_millis(300),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn refuse_applies_to_the_named_kinds() {
    let sandbox = Sandbox::start().await;
    let held = sandbox.authorized("held").await;
    let taken = sandbox.authorized("taken").await;
    sandbox.capture("c", &taken, 1000).await;
    sandbox
        .set_faults(json!({"refuse": ["authorise", "capture", "cancel", "refund"]}))
        .await;
    let pay = sandbox.pay("p", CHALLENGE_CARD, json!({})).await;
    assert_eq!(pay.result(), ("refused", Some("card_declined")));
    let refused_by_fault = ("refused", Some("refused_by_fault"));
    assert_eq!(
        sandbox.capture("c1", &held, 1000).await.result(),
        refused_by_fault
    );
    assert_eq!(sandbox.cancel("x1", &held).await.result(), refused_by_fault);
    assert_eq!(
        sandbox.refund("r1", &taken, 1000).await.result(),
        refused_by_fault
    );
    sandbox.set_faults(json!({"refuse": ["capture"]})).await;
    assert_eq!(
        sandbox.capture("c2", &held, 1000).await.result(),
        refused_by_fault
    );
    assert_eq!(sandbox.cancel("x2", &held).await.result(), ("done", None));
    sandbox.clear_faults().await;
    // A call that a fault refused stays refused under its key.
    assert_eq!(
        sandbox.refund("r1", &taken, 1000).await.result(),
        refused_by_fault
    );
    assert_eq!(
        sandbox.refund("r2", &taken, 1000).await.result(),
        ("done", None)
    );
}

#[tokio::test]
async fn fail_late_reverses_successes() {
    let sandbox = Sandbox::start().await;
    let mut receiver = Receiver::start(0);
    let more = |reference| json!({"reference": reference, "notification_url": receiver.url});
    sandbox
        .set_faults(json!({"fail_late": ["authorise"]}))
        .await;
    sandbox.pay("lapses", APPROVED_CARD, more("lapses")).await;
    assert_eq!(receiver.next().await.summary(), "authorisation true null");
    let lapsed = receiver.next().await;
    assert_eq!(
        lapsed.summary(),
        "authorisation false authorisation_expired"
    );
    assert_eq!(lapsed.text("idempotency_key"), "lapses");
    assert_eq!(
        sandbox.ledger("lapses").await,
        ["authorise 1000", "authorise -1000"]
    );

    sandbox
        .set_faults(json!({"fail_late": ["capture", "refund"]}))
        .await;
    let at_once = json!({"capture": true, "reference": "q", "notification_url": receiver.url});
    sandbox.pay("q", APPROVED_CARD, at_once).await;
    assert_eq!(receiver.next().await.summary(), "authorisation true null");
    assert_eq!(receiver.next().await.summary(), "capture false failed_late");
    assert_eq!(
        sandbox.operation("q").await.result(),
        ("refused", Some("failed_late"))
    );
    assert_eq!(
        sandbox.ledger("q").await,
        ["authorise 1000", "capture 1000", "capture -1000"]
    );

    sandbox.clear_faults().await;
    let taken = sandbox.authorized("taken").await;
    sandbox.capture("c", &taken, 1000).await;
    sandbox.set_faults(json!({"fail_late": ["refund"]})).await;
    assert_eq!(
        sandbox.refund("r", &taken, 1000).await.result(),
        ("done", None)
    );
    sandbox.wait_for_result("r", "refused").await;
    sandbox.clear_faults().await;
    assert_eq!(
        sandbox.refund("r2", &taken, 1000).await.result(),
        ("done", None)
    );
    let expected = [
        "authorise 1000",
        "capture 1000",
        "refund 1000",
        "refund -1000",
        "refund 1000",
    ];
    assert_eq!(sandbox.ledger("taken").await, expected);
}

#[tokio::test]
async fn fail_late_in_asynchronous_mode_refuses_accepted_calls() {
    let sandbox = Sandbox::start().await;
    let held = sandbox.authorized("held").await;
    sandbox
        .set_faults(json!({"fail_late": ["cancel"], "asynchronous": true}))
        .await;
    assert_eq!(
        sandbox.cancel("x", &held).await.result(),
        ("received", None)
    );
    let failed = sandbox.wait_for_result("x", "refused").await;
    assert_eq!(failed.result(), ("refused", Some("failed_late")));
    assert_eq!(sandbox.ledger("held").await, ["authorise 1000"]);
    sandbox.clear_faults().await;
    assert_eq!(
        sandbox.capture("c", &held, 1000).await.result(),
        ("done", None)
    );
}
