//! Concurrent requests: nothing is doubled, nothing is lost.

use std::collections::HashMap;

use serde_json::json;

use crate::support::{ApiResponse, Database, Dev, Shop, on_both, shop::order};

on_both!(
    one_key_makes_one_session,
    refunds_never_exceed_the_capture,
    capture_against_cancel,
    only_one_of_concurrent_cards_is_charged,
    responses_and_notifications_race,
);

/// Sends requests concurrently and collects the responses.
async fn send_concurrently<F>(requests: impl Iterator<Item = F>) -> Vec<ApiResponse>
where
    F: Future<Output = ApiResponse> + Send + 'static,
{
    let tasks: Vec<_> = requests.map(tokio::spawn).collect();
    let mut responses = Vec::new();
    for task in tasks {
        responses.push(task.await.unwrap());
    }
    responses
}

async fn one_key_makes_one_session(database: Database) {
    let dev = Dev::start(database, &[]).await;
    let shop = dev.shop();
    let body = order(json!({})).to_string();
    let requests = (0..16).map(|_| {
        let (shop, body) = (shop.clone(), body.clone());
        async move {
            shop.call("POST", "/v1/checkout/sessions", &body, Some("one-key"))
                .await
        }
    });
    let responses = send_concurrently(requests).await;
    for response in &responses {
        assert_eq!(response.status, 201, "{response:?}");
        assert_eq!(
            response.body, responses[0].body,
            "the replay is the same bytes"
        );
    }
    assert_eq!(
        responses
            .iter()
            .filter(|response| !response.replayed)
            .count(),
        1
    );
    let list = shop.get("/v1/checkout/sessions").await.expect(200);
    assert_eq!(list["data"].as_array().unwrap().len(), 1);

    let other = shop
        .call("POST", "/v1/checkout/sessions", "{}", Some("one-key"))
        .await;
    assert!([400, 422].contains(&other.status), "{other:?}");
    let different = order(json!({ "amount": 1 })).to_string();
    let reused = shop
        .call("POST", "/v1/checkout/sessions", &different, Some("one-key"))
        .await;
    assert_eq!(reused.expect(422)["error"], "idempotency_key_reused");
}

async fn refunds_never_exceed_the_capture(database: Database) {
    let dev = Dev::start(database, &[]).await;
    let shop = dev.shop();
    let id = shop.captured().await;
    let requests = (0..20).map(|n| {
        let (shop, id) = (shop.clone(), id.clone());
        let refund = json!({
            "session_id": id, "amount": 1500, "currency": "EUR", "reference": format!("r-{n}"),
        });
        async move { shop.post("/v1/refunds", &refund).await }
    });
    let responses = send_concurrently(requests).await;
    let mut counts = HashMap::new();
    for response in &responses {
        let error = response.json()["error"]
            .as_str()
            .unwrap_or("none")
            .to_owned();
        *counts.entry((response.status, error)).or_insert(0) += 1;
    }
    let expected = HashMap::from([
        ((201, "none".to_owned()), 6),
        ((422, "refund_exceeds_captured".to_owned()), 14),
    ]);
    assert_eq!(counts, expected);
    assert_eq!(shop.ledger_sum(&id, "refund").await, 9000);
    assert_eq!(shop.session(&id).await["amount_refunded"], 9000);
}

async fn capture_against_cancel(database: Database) {
    let dev = Dev::start(database, &[]).await;
    let shop = dev.shop();
    for _ in 0..6 {
        let id = shop.authorized().await;
        let requests = ["capture", "cancel"].into_iter().map(|act| {
            let (shop, target) = (shop.clone(), format!("/v1/checkout/sessions/{id}/{act}"));
            async move { shop.post(&target, &json!({})).await }
        });
        let responses = send_concurrently(requests).await;
        let done = responses
            .iter()
            .filter(|response| response.status == 200)
            .count();
        assert_eq!(done, 1, "{responses:?}");
        let refused = responses
            .iter()
            .find(|response| response.status != 200)
            .unwrap();
        assert_eq!(refused.expect(409)["error"], "invalid_state");
        assert_ledger_agrees(&shop, &id).await;
    }
}

/// Checks that session and ledger agree about how an authorization ended.
async fn assert_ledger_agrees(shop: &Shop, id: &str) {
    let session = shop.session(id).await;
    let captured = shop.ledger_sum(id, "capture").await;
    let voided = shop.ledger_sum(id, "void").await;
    match session["status"].as_str().unwrap() {
        "captured" => assert_eq!((captured, voided), (10_000, 0)),
        "cancelled" => assert_eq!((captured, voided), (0, 10_000)),
        other => panic!("neither captured nor cancelled: {other}"),
    }
}

async fn only_one_of_concurrent_cards_is_charged(database: Database) {
    let dev = Dev::start(database, &[]).await;
    let shop = dev.shop();
    let (id, pay_token) = shop.create(json!({ "capture": "manual" })).await;
    let mut tokens = Vec::new();
    for _ in 0..8 {
        tokens.push(shop.token("4242424242424242").await);
    }
    let requests = tokens.into_iter().map(|token| {
        let (shop, id, pay_token) = (shop.clone(), id.clone(), pay_token.clone());
        async move {
            let body = json!({ "payment_method": token });
            shop.shopper(&id, &pay_token, "pay", &body).await
        }
    });
    let responses = send_concurrently(requests).await;
    let paid = responses
        .iter()
        .filter(|response| response.status == 200)
        .count();
    assert_eq!(paid, 1, "{responses:?}");
    assert!(
        responses
            .iter()
            .all(|response| [200, 409].contains(&response.status)),
        "{responses:?}"
    );
    assert_eq!(shop.ledger(&id).await, [("authorise".to_owned(), 10_000)]);
}

/// A response and its notification arrive concurrently; no payment is compensated by mistake.
async fn responses_and_notifications_race(database: Database) {
    let dev = Dev::start(database, &[]).await;
    let shop = dev.shop();
    let payments = (0..48).map(|_| {
        let shop = shop.clone();
        tokio::spawn(async move { shop.captured().await })
    });
    let payments: Vec<_> = payments.collect();
    for payment in payments {
        let id = payment.await.unwrap();
        let entry = |kind: &str| (kind.to_owned(), 10_000);
        assert_eq!(
            shop.ledger(&id).await,
            [entry("authorise"), entry("capture")]
        );
    }
}
