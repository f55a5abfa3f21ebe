//! `POST /v1/checkout/sessions/{id}/cancel`

use oncharge_domain::psp::RefusalReason;
use oncharge_testkit::{Call, Fault, Reply};
use serde_json::json;

use crate::support::TestApp;

#[actix_web::test]
async fn an_authorized_payment_is_cancelled_with_or_without_a_body() {
    let app = TestApp::start().await;
    for body in ["", "{}", r#"{"reason":"changed mind"}"#] {
        let checkout = app.authorized().await;
        let response = app.post(&checkout.path("/cancel"), body).send().await;
        assert_eq!(response.status, 200, "{body}: {response:?}");
        assert_eq!(
            response.json(),
            app.session(&checkout).await,
            "the response is the session"
        );
        assert_eq!(response.json()["status"], "cancelled");
        assert_eq!(app.psp.reserved(checkout.session_id()), 0);
    }
    let checkout = app.authorized().await;
    for body in ["[]", "x", "{}{}"] {
        let response = app.post(&checkout.path("/cancel"), body).send().await;
        assert_eq!(
            response.refusal(),
            (400, "invalid_request".to_owned()),
            "{body}"
        );
    }
    assert_eq!(app.session(&checkout).await["status"], "authorized");
}

#[actix_web::test]
async fn only_authorized_sessions_are_cancelled() {
    let app = TestApp::start().await;
    for checkout in [app.created().await, app.captured().await] {
        let response = app.post(&checkout.path("/cancel"), "").send().await;
        assert_eq!(response.refusal(), (409, "invalid_state".to_owned()));
    }
    let checkout = app.authorized().await;
    let other = app.another_merchant().await;
    let response = app
        .post(&checkout.path("/cancel"), "")
        .by(&other)
        .send()
        .await;
    assert_eq!(response.refusal(), (404, "not_found".to_owned()));
}

#[actix_web::test]
async fn the_operation_in_progress_is_named() {
    let app = TestApp::start().await;
    let checkout = app.authorized().await;
    app.psp.reply(Call::Capture, Reply::Accepted);
    app.post(&checkout.path("/capture"), "").send().await;
    for path in ["/cancel", "/capture"] {
        let response = app.post(&checkout.path(path), "").send().await;
        assert_eq!(response.refusal(), (409, "invalid_state".to_owned()));
        let message = response.json()["message"].clone();
        assert_eq!(message, "Not possible while a capture is in progress");
    }
}

#[actix_web::test]
async fn each_psp_result_has_its_response() {
    let app = TestApp::start().await;

    let accepted = app.authorized().await;
    app.psp.reply(Call::Cancel, Reply::Accepted);
    let response = app.post(&accepted.path("/cancel"), "").send().await;
    let json = response.json();
    assert_eq!(
        (response.status, &json["status"]),
        (202, &json!("authorized"))
    );
    assert_eq!(json["pending_operation"], "cancel");
    let second = app.post(&accepted.path("/capture"), "").send().await;
    assert_eq!(
        second.refusal(),
        (409, "invalid_state".to_owned()),
        "one at a time"
    );

    let unknown = app.authorized().await;
    app.psp.fail(Call::Cancel, Fault::UnknownBefore);
    let response = app.post(&unknown.path("/cancel"), "").send().await;
    assert_eq!(
        (response.status, &response.json()["pending_operation"]),
        (202, &json!("cancel"))
    );

    let not_sent = app.authorized().await;
    app.psp.fail(Call::Cancel, Fault::NotSent);
    let request = || {
        app.post(&not_sent.path("/cancel"), "")
            .set("Idempotency-Key", "k1")
    };
    assert_eq!(
        request().send().await.refusal(),
        (503, "psp_unavailable".to_owned())
    );
    assert_eq!(
        request().send().await.status,
        200,
        "the key was not released"
    );

    let refused = app.authorized().await;
    let no = RefusalReason::Other("not_today".to_owned());
    app.psp.reply(Call::Cancel, Reply::Refused(no));
    let request = || {
        app.post(&refused.path("/cancel"), "")
            .set("Idempotency-Key", "k2")
    };
    let first = request().send().await;
    assert_eq!(first.refusal(), (409, "psp_rejected".to_owned()));
    assert_eq!(
        first.json()["request_id"],
        first.header("x-request-id").unwrap()
    );
    let again = request().send().await;
    assert_eq!(again.body, first.body, "remembered");
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(app.session(&refused).await["status"], "authorized");
}
