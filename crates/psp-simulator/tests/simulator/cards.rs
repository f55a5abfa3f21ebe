//! Cards and tokens.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::sandbox::{APPROVED_CARD, Sandbox, payment, send};

#[tokio::test]
async fn every_test_card_behaves_as_documented() {
    let sandbox = Sandbox::start().await;
    let cases = [
        (
            "4242 4242 4242 4242",
            "authorised",
            None,
            vec!["authorise 1000"],
        ),
        (
            "5555555555554444",
            "authorised",
            None,
            vec!["authorise 1000"],
        ),
        (
            "4000000000000259",
            "authorised",
            None,
            vec!["authorise 1000"],
        ),
        (
            "378282246310005",
            "authorised",
            None,
            vec!["authorise 1000"],
        ),
        ("4000000000000002", "refused", Some("card_declined"), vec![]),
        (
            "4000000000009995",
            "refused",
            Some("insufficient_funds"),
            vec![],
        ),
        ("4000000000000069", "refused", Some("expired_card"), vec![]),
        ("4000002500003155", "challenge", None, vec![]),
    ];
    for (index, (number, result, reason, ledger)) in cases.into_iter().enumerate() {
        let key = format!("key-{index}");
        let response = sandbox.pay(&key, number, json!({ "reference": key })).await;
        assert_eq!(response.status, StatusCode::CREATED, "{number}");
        assert_eq!(response.result(), (result, reason), "{number}");
        assert_eq!(sandbox.ledger(&key).await, ledger, "{number}");
    }
}

#[tokio::test]
async fn a_token_has_brand_and_last_digits() {
    let sandbox = Sandbox::start().await;
    let card = json!({"number": APPROVED_CARD, "exp_month": "01", "exp_year": "40", "cvc": "1234"});
    let make = || send(sandbox.client.post(sandbox.url("/v1/tokens")).json(&card));
    let (one, two) = (make().await, make().await);
    assert_eq!(
        (one.text("brand"), one.text("last4")),
        ("visa".to_owned(), "4242".to_owned())
    );
    let token = one.text("token");
    assert!(
        token.starts_with("tok_") && token.len() >= 4 + 22,
        "{token}"
    );
    assert_ne!(token, two.text("token"));
}

#[tokio::test]
async fn invalid_cards_are_refused_by_field() {
    let sandbox = Sandbox::start().await;
    let good = json!({"number": APPROVED_CARD, "exp_month": 12, "exp_year": 2040, "cvc": "123"});
    let cases = [
        ("number", json!("4242424242424241")),
        ("number", json!("")),
        ("number", Value::Null),
        ("exp_month", json!(13)),
        ("exp_month", json!("x")),
        ("exp_year", json!(2020)),
        ("exp_year", json!(2999)),
        ("cvc", json!("12")),
        ("cvc", json!(123)),
        ("pin", json!("1234")),
    ];
    for (field, value) in cases {
        let mut card = good.clone();
        card.as_object_mut()
            .unwrap()
            .insert(field.to_owned(), value.clone());
        let response = send(sandbox.client.post(sandbox.url("/v1/tokens")).json(&card)).await;
        assert_eq!(
            response.status,
            StatusCode::UNPROCESSABLE_ENTITY,
            "{field} {value}"
        );
        assert_eq!(response.text("error"), "invalid_request");
        assert_eq!(response.fields(), [field], "{value}");
    }
    let all = send(
        sandbox
            .client
            .post(sandbox.url("/v1/tokens"))
            .json(&json!({})),
    )
    .await;
    assert_eq!(all.fields(), ["number", "exp_month", "cvc"]);
}

#[tokio::test]
async fn tokens_require_json_and_have_no_cors_headers() {
    let sandbox = Sandbox::start().await;
    let body = r#"{"number":"4242424242424242","exp_month":12,"exp_year":2040,"cvc":"123"}"#;
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonx",
    ] {
        let request = sandbox.client.post(sandbox.url("/v1/tokens"));
        let response = send(request.header("Content-Type", kind).body(body)).await;
        assert_eq!(
            response.status,
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "{kind}"
        );
    }
    let response = sandbox
        .client
        .post(sandbox.url("/v1/tokens"))
        .header("Content-Type", "application/json; charset=utf-8")
        .body(body)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::CREATED);
    assert!(
        response
            .headers()
            .get("Access-Control-Allow-Origin")
            .is_none()
    );
    let malformed = sandbox.client.post(sandbox.url("/v1/tokens"));
    let malformed = malformed
        .header("Content-Type", "application/json")
        .body("{")
        .send()
        .await;
    assert_eq!(malformed.unwrap().status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_token_is_single_use() {
    let sandbox = Sandbox::start().await;
    let token = sandbox.token(APPROVED_CARD).await;
    let body = payment(&token, json!({}));
    assert_eq!(
        sandbox.post("/v1/payments", "one", &body).await.result(),
        ("authorised", None)
    );
    let again = sandbox.post("/v1/payments", "two", &body).await;
    assert_eq!(again.result(), ("refused", Some("token_used")));
    let unknown = payment("tok_never_given", json!({}));
    let unknown = sandbox.post("/v1/payments", "three", &unknown).await;
    assert_eq!(unknown.result(), ("refused", Some("token_unknown")));
    assert_eq!(sandbox.ledger("order-1").await, ["authorise 1000"]);
}

#[tokio::test]
async fn the_card_number_is_not_stored() {
    let mut sandbox = Sandbox::start().await;
    sandbox.authorized("key").await;
    let wrong = payment(APPROVED_CARD, json!({}));
    let refused = sandbox.post("/v1/payments", "wrong", &wrong).await;
    assert_eq!(refused.fields(), ["token"]);
    assert!(
        !refused.body.to_string().contains(APPROVED_CARD),
        "echoed: {refused:?}"
    );
    let search = |sandbox: &Sandbox| {
        for file in std::fs::read_dir(sandbox.folder.path().join("deep")).unwrap() {
            let path = file.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            let found = bytes
                .windows(16)
                .any(|window| window == APPROVED_CARD.as_bytes());
            assert!(!found, "the card number is in {}", path.display());
        }
    };
    search(&sandbox);
    sandbox.stop().await;
    search(&sandbox);
}
