//! API keys, request headers, unknown paths.

use reqwest::StatusCode;

use super::client::{Face, PUBLISHABLE_KEY, SECRET_KEY, send};
use crate::sandbox::Sandbox;

#[tokio::test]
async fn the_secret_key_is_accepted_as_bearer_and_as_basic() {
    let face = Face::start().await;
    let url = face.sandbox.url("/stripe/v1/payment_intents");
    let get = || face.sandbox.client.get(&url);
    assert_eq!(
        send(get().bearer_auth(SECRET_KEY)).await.status,
        StatusCode::OK
    );
    let basic = send(get().basic_auth(SECRET_KEY, Some(""))).await;
    assert_eq!(basic.status, StatusCode::OK);
    for request in [
        get(),
        get().bearer_auth("sk_test_other"),
        get().basic_auth("sk_test_other", Some("")),
        get().header("Authorization", "Digest x"),
    ] {
        let response = send(request).await;
        assert_eq!(response.error(), (401, "invalid_request_error", ""));
    }
}

#[tokio::test]
async fn the_publishable_key_may_only_do_what_a_browser_does() {
    let face = Face::start().await;
    let (intent, _) = face.challenged("p").await;
    let client = &face.sandbox.client;
    let get = |path: String| {
        let url = face.sandbox.url(&format!("/stripe/v1{path}"));
        client.get(url).bearer_auth(PUBLISHABLE_KEY)
    };
    let refused = send(get("/payment_intents".to_owned())).await;
    let expected = (401, "invalid_request_error", "secret_key_required");
    assert_eq!(refused.error(), expected);
    let path = format!("/payment_intents/{intent}/confirm");
    let post = face.post_request_of(PUBLISHABLE_KEY, &path, "");
    assert_eq!(send(post).await.status, StatusCode::UNAUTHORIZED);

    // With the client secret it reads the intent, without what only the server may see.
    let whole = face.intent(&intent).await;
    let secret = whole.text("/client_secret");
    let path = format!("/payment_intents/{intent}?client_secret={secret}");
    let own = send(get(path)).await;
    assert_eq!(own.text("/status"), "requires_action");
    assert!(own.body.get("metadata").is_none(), "{own:?}");
    for path in [
        format!("/payment_intents/{intent}"),
        format!("/payment_intents/{intent}?client_secret=x"),
    ] {
        let response = send(get(path)).await;
        let missing = (404, "invalid_request_error", "resource_missing");
        assert_eq!(response.error(), missing);
    }
}

#[tokio::test]
async fn responses_have_stripes_headers() {
    let face = Face::start().await;
    let response = face.get("/payment_intents").await;
    assert!(response.header("Request-Id").unwrap().starts_with("req_"));
    assert_eq!(response.header("Stripe-Version"), Some("2024-10-28.acacia"));
    let request = face
        .post_request("/payment_intents", "amount=1000&currency=eur")
        .header("Stripe-Version", "2025-03-31.basil")
        .header("Idempotency-Key", "k");
    let response = send(request).await;
    assert_eq!(response.header("Stripe-Version"), Some("2025-03-31.basil"));
    assert_eq!(response.header("Idempotency-Key"), Some("k"));
    assert_eq!(
        response.header("Original-Request"),
        response.header("Request-Id")
    );
    assert_eq!(response.header("Idempotent-Replayed"), None);
}

#[tokio::test]
async fn unknown_paths_and_bodies_that_are_no_forms_are_refused() {
    let face = Face::start().await;
    for path in ["/charges", "/payment_intents/pi_1/other", "/refunds/re_1/x"] {
        let response = face.get(path).await;
        assert_eq!(response.error(), (404, "invalid_request_error", ""));
    }
    let json = face
        .post_request("/payment_intents", "{}")
        .header("Content-Type", "application/json");
    assert_eq!(send(json).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn without_an_account_the_face_is_off() {
    let sandbox = Sandbox::start().await;
    let url = sandbox.url("/stripe/v1/payment_intents");
    let response = sandbox
        .client
        .get(url)
        .bearer_auth(SECRET_KEY)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
}
