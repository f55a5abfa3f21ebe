//! Payment calls: parameters, authentication, look-up.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::sandbox::{APPROVED_CARD, Sandbox, payment, send};

#[tokio::test]
async fn a_payment_is_authorized_or_captured() {
    let sandbox = Sandbox::start().await;
    sandbox.authorized("held").await;
    assert_eq!(sandbox.ledger("held").await, ["authorise 1000"]);
    let at_once = json!({"capture": true, "reference": "taken"});
    let taken = sandbox.pay("taken", APPROVED_CARD, at_once).await;
    assert_eq!(taken.result(), ("captured", None));
    assert_eq!(
        sandbox.ledger("taken").await,
        ["authorise 1000", "capture 1000"]
    );
    assert_eq!(
        sandbox.operation("taken").await.result(),
        ("captured", None)
    );
}

#[tokio::test]
async fn the_ledger_has_the_documented_members() {
    let sandbox = Sandbox::start().await;
    let psp_reference = sandbox.authorized("key").await;
    let response = send(sandbox.client.get(sandbox.url("/v1/ledger?reference=key"))).await;
    let mut entry = response.body["entries"][0].clone();
    let at = entry.as_object_mut().unwrap().remove("at").unwrap();
    assert!(at.as_str().unwrap().ends_with('Z'), "{at}");
    let expected = json!({
        "kind": "authorise",
        "amount": 1000,
        "currency": "EUR",
        "psp_reference": psp_reference,
        "idempotency_key": "key",
    });
    assert_eq!(entry, expected);
    assert_eq!(sandbox.ledger("unknown").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_lookup_returns_the_result_of_the_call() {
    let sandbox = Sandbox::start().await;
    assert_eq!(sandbox.operation("pay").await.status, StatusCode::NOT_FOUND);
    let psp_reference = sandbox.authorized("pay").await;
    let capture = sandbox.capture("cap", &psp_reference, 400).await;
    let refund = sandbox.refund("ref", &psp_reference, 500).await;
    let own = [
        ("pay", psp_reference.clone()),
        ("cap", capture.text("psp_reference")),
        ("ref", refund.text("psp_reference")),
    ];
    let own = std::collections::HashMap::from(own);
    let expected = |kind: &str, key: &str, result: &str, amount: i64, reason: Value| {
        json!({
            "kind": kind,
            "idempotency_key": key,
            "psp_reference": own[key],
            "result": result,
            "amount": amount,
            "currency": "EUR",
            "reason": reason,
        })
    };
    let pay = sandbox.operation("pay").await;
    assert_eq!(pay.status, StatusCode::OK);
    // Captured by another call; this one authorized.
    let mut authorized = expected("authorise", "pay", "authorised", 1000, Value::Null);
    authorized["card"] = json!({"brand": "visa", "last4": "4242"});
    assert_eq!(pay.body, authorized);
    let capture = sandbox.operation("cap").await.body;
    assert_eq!(
        capture,
        expected("capture", "cap", "done", 400, Value::Null)
    );
    let refund = sandbox.operation("ref").await.body;
    assert_eq!(
        refund,
        expected("refund", "ref", "refused", 500, json!("amount_too_large"))
    );
}

#[tokio::test]
async fn invalid_parameters_are_refused_by_field() {
    let sandbox = Sandbox::start().await;
    let token = sandbox.token(APPROVED_CARD).await;
    let cases = [
        ("token", json!("pm_card")),
        ("amount", json!(0)),
        ("amount", json!(-5)),
        ("amount", json!(9.99)),
        ("amount", json!("1000")),
        ("currency", json!("eur")),
        ("currency", json!("EURO")),
        ("capture", json!("yes")),
        ("reference", json!("")),
        ("reference", Value::Null),
        ("notification_url", json!("ftp://x")),
        ("notification_url", json!(7)),
        ("tip", json!(1)),
    ];
    for (field, value) in cases {
        let body = payment(&token, json!({ field: value }));
        let response = sandbox.post("/v1/payments", "key", &body).await;
        assert_eq!(
            response.status,
            StatusCode::UNPROCESSABLE_ENTITY,
            "{field} {value}"
        );
        assert_eq!(response.fields(), [field], "{value}");
    }
    let body = payment(&token, json!({}));
    let no_key = send(sandbox.request(Method::POST, "/v1/payments").json(&body)).await;
    assert_eq!(no_key.fields(), ["Idempotency-Key"]);
    // A refused call uses neither the key nor the token.
    assert_eq!(
        sandbox.post("/v1/payments", "key", &body).await.result(),
        ("authorised", None)
    );
}

#[tokio::test]
async fn payments_and_operations_require_the_bearer_token() {
    let sandbox = Sandbox::start().await;
    let paths = [
        (Method::POST, "/v1/payments"),
        (Method::POST, "/v1/payments/psp_1/captures"),
        (Method::POST, "/v1/payments/psp_1/cancels"),
        (Method::POST, "/v1/payments/psp_1/refunds"),
        (Method::GET, "/v1/operations/key"),
    ];
    for (method, path) in paths {
        let bare = sandbox.client.request(method.clone(), sandbox.url(path));
        assert_eq!(send(bare).await.status, StatusCode::UNAUTHORIZED, "{path}");
        let wrong = sandbox
            .client
            .request(method, sandbox.url(path))
            .bearer_auth("wrong");
        assert_eq!(send(wrong).await.status, StatusCode::UNAUTHORIZED, "{path}");
    }
    for path in ["/v1/ledger", "/v1/faults"] {
        let open = send(sandbox.client.get(sandbox.url(path))).await;
        assert_eq!(open.status, StatusCode::OK, "{path}");
    }
}
