//! `POST /v1/checkout/sessions/{id}/capture`

use serde_json::json;

use crate::support::TestApp;

#[actix_web::test]
async fn full_and_partial_amounts_are_captured() {
    let app = TestApp::start().await;
    for (body, captured) in [
        ("", 10_000),
        ("{}", 10_000),
        (r#"{"amount":null}"#, 10_000),
        (r#"{"amount":1}"#, 1),
    ] {
        let checkout = app.authorized().await;
        let response = app.post(&checkout.path("/capture"), body).send().await;
        assert_eq!(response.status, 200, "{body}: {response:?}");
        let session = response.json();
        assert_eq!(
            (&session["status"], &session["amount_captured"]),
            (&json!("captured"), &json!(captured))
        );
        assert_eq!(app.psp.taken(checkout.session_id()), captured);
        let again = app.post(&checkout.path("/capture"), body).send().await;
        assert_eq!(
            again.refusal(),
            (409, "invalid_state".to_owned()),
            "a session is captured only once"
        );
    }
}

#[actix_web::test]
async fn invalid_amounts_are_refused() {
    let app = TestApp::start().await;
    let checkout = app.authorized().await;
    let before = app.store.commits();
    for amount in [
        "0",
        "-1",
        "1.0",
        "\"1\"",
        "true",
        "[]",
        "100000000000",
        "99999999999999999999",
    ] {
        let body = format!("{{\"amount\":{amount}}}");
        let response = app.post(&checkout.path("/capture"), body).send().await;
        assert_eq!(
            response.refusal(),
            (422, "invalid_request".to_owned()),
            "{amount}"
        );
        assert_eq!(response.fields(), ["amount"]);
    }
    let response = app
        .post(&checkout.path("/capture"), r#"{"amount":10001}"#)
        .send()
        .await;
    assert_eq!(
        response.refusal(),
        (422, "capture_exceeds_authorized".to_owned())
    );
    assert_eq!(app.store.commits(), before);
    assert_eq!(app.session(&checkout).await["status"], "authorized");
}

#[actix_web::test]
async fn the_status_is_checked_before_the_amount() {
    let app = TestApp::start().await;
    let checkout = app.created().await;
    let response = app
        .post(&checkout.path("/capture"), r#"{"amount":10001}"#)
        .send()
        .await;
    assert_eq!(response.refusal(), (409, "invalid_state".to_owned()));
}
