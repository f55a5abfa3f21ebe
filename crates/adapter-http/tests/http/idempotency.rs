//! Idempotency keys: the first answer again, byte for byte.

use futures_util::future::join_all;
use serde_json::json;

use crate::support::{TestApp, new_session};

#[actix_web::test]
async fn the_same_request_gets_the_same_bytes() {
    let app = TestApp::start().await;
    let body = new_session(&json!({})).to_string();
    let request = || app.post("/v1/checkout/sessions", body.clone());
    let first = request().set("Idempotency-Key", "k1").send().await;
    assert_eq!(
        (first.status, first.header("idempotency-replayed")),
        (201, None)
    );
    for key in ["k1", "\"k1\""] {
        app.clock.advance(60);
        let again = request()
            .at(app.now())
            .set("Idempotency-Key", key)
            .send()
            .await;
        assert_eq!(again.status, 201);
        assert_eq!(again.body, first.body, "byte for byte");
        assert_eq!(again.header("content-type"), first.header("content-type"));
        assert_eq!(again.header("idempotency-replayed"), Some("true"));
        assert_ne!(again.header("x-request-id"), first.header("x-request-id"));
    }
    assert_eq!(app.store.session_ids().len(), 1);
    let other = app.another_merchant().await;
    let theirs = request()
        .at(app.now())
        .by(&other)
        .set("Idempotency-Key", "k1")
        .send()
        .await;
    assert_eq!(
        (theirs.status, theirs.header("idempotency-replayed")),
        (201, None)
    );
}

#[actix_web::test]
async fn another_request_under_the_key_is_refused() {
    let app = TestApp::start().await;
    let checkout = app.authorized().await;
    let body = new_session(&json!({})).to_string();
    let post = |target: &str, body: &str| app.post(target, body).set("Idempotency-Key", "k1");
    assert_eq!(
        post("/v1/checkout/sessions", &body).send().await.status,
        201
    );
    let reused = (422, "idempotency_key_reused".to_owned());
    for request in [
        post("/v1/checkout/sessions", &format!("{body} ")),
        post("/v1/checkout/sessions?", &body),
        post(&checkout.path("/cancel"), ""),
        post("/v1/checkout/sessions/cs_unknown/cancel", ""),
    ] {
        let answer = request.send().await;
        assert_eq!(answer.refusal(), reused, "{answer:?}");
    }
    let fields = post("/v1/checkout/sessions", "{}").send().await;
    assert_eq!(
        fields.refusal(),
        (422, "invalid_request".to_owned()),
        "fields come first"
    );
}

#[actix_web::test]
async fn a_key_is_forgotten_after_three_days() {
    let app = TestApp::start().await;
    let body = new_session(&json!({})).to_string();
    let request = || {
        app.post("/v1/checkout/sessions", body.clone())
            .set("Idempotency-Key", "k1")
    };
    let first = request().send().await.body;
    app.clock.advance(72 * 3600 + 1);
    let answer = request().send().await;
    assert_eq!(answer.status, 201);
    assert_ne!(answer.body, first);
}

#[actix_web::test]
async fn sixteen_at_once_make_one_session() {
    let app = TestApp::start().await;
    let body = new_session(&json!({})).to_string();
    let one = || {
        app.post("/v1/checkout/sessions", body.clone())
            .set("Idempotency-Key", "k1")
            .send()
    };
    let answers = join_all((0..16).map(|_| one())).await;
    assert!(
        answers
            .iter()
            .all(|answer| answer.status == 201 && answer.body == answers[0].body)
    );
    assert_eq!(app.store.session_ids().len(), 1);
}

#[actix_web::test]
async fn a_refusal_before_anything_was_committed_is_not_remembered() {
    let app = TestApp::start().await;
    let checkout = app.created().await;
    let cancel = || {
        app.post(&checkout.path("/cancel"), "")
            .set("Idempotency-Key", "k1")
    };
    assert_eq!(
        cancel().send().await.refusal(),
        (409, "invalid_state".to_owned())
    );
    app.pay(&checkout, "tok_1").await;
    let answer = cancel().send().await;
    assert_eq!(
        (answer.status, &answer.json()["status"]),
        (200, &json!("cancelled"))
    );
}
