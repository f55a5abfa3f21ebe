//! Oversized, slow and broken requests.

use std::time::Duration;

use oncharge_adapter_http::Settings;
use oncharge_testkit::http;
use serde_json::json;

use crate::support::{TestApp, new_session, settings};

const TARGET: &str = "/v1/checkout/sessions";

/// A valid body of exactly this length.
fn body_of_size(length: usize) -> Vec<u8> {
    let mut body = new_session(&json!({})).to_string().into_bytes();
    body.resize(length, b' ');
    body
}

#[actix_web::test]
async fn bodies_are_limited_to_64_kib() {
    let app = TestApp::start().await;
    let max = 64 * 1024;
    let too_large = (413, "payload_too_large".to_owned());
    assert_eq!(app.post(TARGET, body_of_size(max)).send().await.status, 201);
    assert_eq!(
        app.post(TARGET, body_of_size(max))
            .send_chunked(5000)
            .await
            .status,
        201
    );
    let announced = app.post(TARGET, body_of_size(max + 1)).send().await;
    assert_eq!(announced.refusal(), too_large);
    let only_announced = app
        .post(TARGET, "")
        .set("Content-Length", "99999999999")
        .send()
        .await;
    assert_eq!(
        only_announced.refusal(),
        too_large,
        "before any byte of the body was sent"
    );
    let counted = app
        .post(TARGET, body_of_size(max + 1))
        .send_chunked(5000)
        .await;
    assert_eq!(counted.refusal(), too_large);
    let endless = app
        .post(TARGET, body_of_size(10_000_000))
        .send_chunked(50_000)
        .await;
    assert_eq!(
        endless.refusal(),
        too_large,
        "before the rest of the body arrived"
    );
    assert_eq!(app.store.session_ids().len(), 2);
}

#[actix_web::test]
async fn a_slow_body_times_out() {
    let body_timeout = Duration::from_millis(200);
    let app = TestApp::with(Settings {
        body_timeout,
        ..settings()
    })
    .await;
    for length in [0, 10] {
        let response = app.post(TARGET, body_of_size(1000)).send_part(length).await;
        assert_eq!(
            response.refusal(),
            (408, "request_timeout".to_owned()),
            "{response:?}"
        );
    }
    let checkout = app.created().await;
    let pay = app.shopper("POST", &checkout, "/pay", r#"{"payment_method":"tok_1"}"#);
    assert_eq!(
        pay.send_part(5).await.refusal(),
        (408, "request_timeout".to_owned())
    );
    assert_eq!(
        app.post(TARGET, body_of_size(1000)).send().await.status,
        201,
        "another client is not served"
    );
}

#[actix_web::test]
async fn malformed_heads_get_a_client_error() {
    let app = TestApp::start().await;
    let flood: String = "X-Flood: 1\r\n".repeat(2000);
    let long = format!("X-Long: {}\r\n", "a".repeat(200_000));
    for (name, head) in [
        ("no HTTP", "hello\r\n\r\n".to_owned()),
        (
            "NUL",
            "GET /v1/refunds HTTP/1.1\r\nHost: x\r\nX-Nul: a\0b\r\n\r\n".to_owned(),
        ),
        (
            "flood",
            format!("GET /v1/refunds HTTP/1.1\r\nHost: x\r\n{flood}\r\n"),
        ),
        (
            "long",
            format!("GET /v1/refunds HTTP/1.1\r\nHost: x\r\n{long}\r\n"),
        ),
        (
            "two lengths",
            "POST /v1/refunds HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\
            Content-Length: 2\r\n\r\nx"
                .to_owned(),
        ),
        (
            "bad length",
            "POST /v1/refunds HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n".to_owned(),
        ),
    ] {
        let response = http::send(app.address, head.as_bytes()).await;
        assert!(
            (400..500).contains(&response.status),
            "{name}: {response:?}"
        );
    }
    assert_eq!(
        app.get("/v1/refunds").send().await.status,
        200,
        "another client is not served"
    );
}

#[actix_web::test]
async fn internal_errors_show_no_cause() {
    let app = TestApp::start().await;
    let checkout = app.authorized().await;
    app.store
        .fail_commit(1, oncharge_testkit::CommitFault::Before);
    let response = app.post(&checkout.path("/cancel"), "").send().await;
    assert_eq!(response.refusal(), (503, "busy".to_owned()), "{response:?}");
    let members: Vec<_> = response
        .json()
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect();
    assert_eq!(members, ["error", "message", "request_id"]);
}
