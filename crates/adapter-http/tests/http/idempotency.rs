//! Idempotency keys: a repeated request gets the same bytes.

use futures_util::future::{join, join_all};
use oncharge_domain::{
    audit::{AuditAction, AuditEntry},
    merchant::ApiKeyHash,
};
use oncharge_ports::MerchantRepository as _;
use serde_json::json;

use crate::support::{TestApp, new_session};

#[actix_web::test]
async fn a_repeated_request_gets_the_same_bytes() {
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
        assert_eq!(again.body, first.body, "the repeated body");
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
async fn a_reused_key_is_refused() {
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
        let response = request.send().await;
        assert_eq!(response.refusal(), reused, "{response:?}");
    }
    let fields = post("/v1/checkout/sessions", "{}").send().await;
    assert_eq!(
        fields.refusal(),
        (422, "invalid_request".to_owned()),
        "invalid fields are reported first"
    );
}

#[actix_web::test]
async fn keys_expire_after_three_days() {
    let app = TestApp::start().await;
    let body = new_session(&json!({})).to_string();
    let request = || {
        app.post("/v1/checkout/sessions", body.clone())
            .set("Idempotency-Key", "k1")
    };
    let first = request().send().await.body;
    app.clock.advance(72 * 3600 + 1);
    let response = request().send().await;
    assert_eq!(response.status, 201);
    assert_ne!(response.body, first);
}

#[actix_web::test]
async fn concurrent_requests_create_one_session() {
    let app = TestApp::start().await;
    let body = new_session(&json!({})).to_string();
    let one = || {
        app.post("/v1/checkout/sessions", body.clone())
            .set("Idempotency-Key", "k1")
            .send()
    };
    let responses = join_all((0..16).map(|_| one())).await;
    assert!(
        responses
            .iter()
            .all(|response| response.status == 201 && response.body == responses[0].body)
    );
    assert_eq!(app.store.session_ids().len(), 1);
}

#[actix_web::test]
async fn an_uncommitted_refusal_is_not_recorded() {
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
    let response = cancel().send().await;
    assert_eq!(
        (response.status, &response.json()["status"]),
        (200, &json!("cancelled"))
    );
}

#[actix_web::test]
async fn a_concurrent_request_conflicts() {
    let app = TestApp::start().await;
    let checkout = app.authorized().await;
    app.psp.pause();
    let cancel = || {
        app.post(&checkout.path("/cancel"), "")
            .set("Idempotency-Key", "k1")
            .send()
    };
    let first = cancel();
    let second = async {
        // The first request reserves the key before it calls the PSP.
        while app.session(&checkout).await["pending_operation"] != "cancel" {}
        let response = cancel().await;
        app.psp.resume();
        response
    };
    let (first, second) = join(first, second).await;
    assert_eq!(
        second.refusal(),
        (409, "idempotency_conflict".to_owned()),
        "{second:?}"
    );
    assert!(second.header("retry-after").is_some());
    assert_eq!(first.status, 200, "{first:?}");
    assert_eq!(cancel().await.body, first.body);
}

#[actix_web::test]
async fn keys_can_be_required_for_captures_and_refunds() {
    let app = TestApp::start().await;
    let checkout = app.authorized().await;
    let pair = app.another_merchant().await;
    let found = app.store.key(&ApiKeyHash::of(&pair.key)).await.unwrap();
    let (_, mut merchant) = found.unwrap();
    merchant.require_idempotency_key = true;
    merchant.version += 1;
    let entry = AuditEntry {
        id: app.app.new_id(),
        at: app.app.now(),
        action: AuditAction::SettingsChanged,
        merchant: Some(merchant.id),
        session: None,
        operation: None,
        detail: "by a test".to_owned(),
    };
    app.store.update(&merchant, &entry).await.unwrap();
    let refund = json!({
        "session_id": checkout.id, "amount": 1, "currency": "EUR", "reference": "r",
    });
    let capture = app.post(&checkout.path("/capture"), "");
    for request in [capture, app.post("/v1/refunds", refund.to_string())] {
        let response = request.clone().by(&pair).send().await;
        assert_eq!(
            response.refusal(),
            (400, "invalid_request".to_owned()),
            "{response:?}"
        );
        assert_eq!(response.fields(), ["Idempotency-Key"]);
        let with = request.by(&pair).set("Idempotency-Key", "k1").send().await;
        assert_eq!(
            with.refusal(),
            (404, "not_found".to_owned()),
            "another merchant's session"
        );
    }
}
