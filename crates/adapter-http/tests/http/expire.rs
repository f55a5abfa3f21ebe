//! `POST /v1/checkout/sessions/{id}/expire`

use crate::support::TestApp;

#[actix_web::test]
async fn an_unpaid_session_is_expired() {
    let app = TestApp::start().await;
    let checkout = app.created().await;
    let response = app.post(&checkout.path("/expire"), "").send().await;
    assert_eq!(response.status, 200, "{response:?}");
    assert_eq!(response.json()["status"], "expired");
    let late = app.pay(&checkout, "tok_1").await;
    assert_eq!(late.refusal(), (409, "invalid_state".to_owned()));
}

#[actix_web::test]
async fn a_paid_session_is_not_expired() {
    let app = TestApp::start().await;
    let checkout = app.authorized().await;
    let response = app.post(&checkout.path("/expire"), "{}").send().await;
    assert_eq!(response.refusal(), (409, "invalid_state".to_owned()));
    let unknown = app.post("/v1/checkout/sessions/x/expire", "").send().await;
    assert_eq!(unknown.refusal(), (404, "not_found".to_owned()));
}
