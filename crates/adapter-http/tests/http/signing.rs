//! Signatures over the raw target and body, with either reading of the published page.

use oncharge_domain::signing::{SignedRequest, SigningKey, signing_string};
use ring::hmac;
use serde_json::json;

use crate::support::{TestApp, new_session};

/// A signature whose key is the raw digest of the secret (32 bytes).
fn raw_key_signature(secret: &str, signed: &SignedRequest<'_>) -> String {
    let key = SigningKey::of_secret(secret);
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.expose_bytes());
    hex::encode(hmac::sign(&key, signing_string(signed).as_bytes()))
}

#[actix_web::test]
async fn hex_and_raw_keys_are_accepted_in_either_case() {
    let app = TestApp::start().await;
    let (timestamp, target) = (app.now().to_string(), "/v1/refunds?limit=1");
    let signed = SignedRequest {
        timestamp: &timestamp,
        method: "GET",
        target,
        body: b"",
    };
    let hex_key_signature = SigningKey::of_secret(&app.pair.secret).sign(&signed);
    let raw_key_signature = raw_key_signature(&app.pair.secret, &signed);
    for signature in [
        &hex_key_signature,
        &raw_key_signature,
        &hex_key_signature.to_uppercase(),
        &raw_key_signature.to_uppercase(),
    ] {
        let response = app
            .get(target)
            .set("X-Oncharge-Signature", signature)
            .send()
            .await;
        assert_eq!(response.status, 200, "{response:?}");
    }
    for signature in [
        &hex_key_signature[..63],
        &format!("{hex_key_signature}0"),
        "x",
        &"g".repeat(64),
    ] {
        let response = app
            .get(target)
            .set("X-Oncharge-Signature", signature)
            .send()
            .await;
        assert_eq!(
            response.refusal(),
            (401, "invalid_signature".to_owned()),
            "{signature}"
        );
    }
}

#[actix_web::test]
async fn the_raw_target_is_signed() {
    let app = TestApp::start().await;
    // Targets are not decoded, sorted or normalized before they are signed and routed.
    for target in [
        "/v1/refunds?limit=1&cursor=",
        "/v1/refunds?",
        "/v1/refunds?b=2&a=1&a=%41",
        "/v1/refunds/caf%C3%A9%2F42%20x",
        "/v1/refunds/%72ef",
        "/v1//refunds",
        "/v1/./refunds",
        "/v1/refunds/a+b;c=d",
    ] {
        let response = app.get(target).send().await;
        assert!(
            [200, 400, 404].contains(&response.status),
            "{target}: {response:?}"
        );
    }
    let other = app
        .get("/v1/refunds?limit=1")
        .send_with_line("GET /v1/refunds HTTP/1.1")
        .await;
    assert_eq!(
        other.refusal(),
        (401, "invalid_signature".to_owned()),
        "a changed query is accepted"
    );
}

#[actix_web::test]
async fn an_absolute_target_is_refused() {
    let app = TestApp::start().await;
    let line = format!("GET http://{}/v1/refunds HTTP/1.1", app.address);
    let response = app.get("/v1/refunds").send_with_line(&line).await;
    assert_eq!(
        response.refusal(),
        (400, "invalid_request".to_owned()),
        "{response:?}"
    );
}

#[actix_web::test]
async fn the_documented_example_is_accepted() {
    let app = TestApp::start().await;
    let body = r#"{
  "amount": 9999,
  "currency": "USD",
  "reference": "order-42",
  "return_url": "https://shop.example.com/thank-you",
  "order_id": "42",
  "customer_email": "shopper@example.com",
  "customer_phone": "+15551234567"
}"#;
    let bare = app.post("/v1/checkout/sessions", body).set("Accept", "*/*");
    for request in [
        bare.clone()
            .set("Content-Type", "application/x-www-form-urlencoded"),
        bare.clone().set("Content-Type", "application/json"),
        bare.clone(),
        // PHP's curl waits for `100 Continue` before it sends a body.
        bare.set("Expect", "100-continue")
            .set("Content-Type", "application/json"),
    ] {
        let expects = request
            .bytes()
            .0
            .windows(6)
            .any(|window| window == b"Expect");
        let response = request.send().await;
        // With `Expect`, the first response is `100 Continue`, and the final one follows.
        let text = String::from_utf8_lossy(&response.body).into_owned();
        let created = response.status == 201 || (expects && text.contains("HTTP/1.1 201"));
        assert!(created, "{response:?}");
    }
}

#[actix_web::test]
async fn a_changed_body_is_refused() {
    let app = TestApp::start().await;
    let body = new_session(&json!({})).to_string();
    let changed = body.replace("10000", "10001");
    let request = app.post("/v1/checkout/sessions", body);
    let (head, _) = request.bytes();
    let whole = [head, changed.into_bytes()].concat();
    let response = oncharge_testkit::http::send(app.address, &whole).await;
    assert_eq!(response.refusal(), (401, "invalid_signature".to_owned()));
}
