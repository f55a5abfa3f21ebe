//! `GET /checkout/{id}/status`

use oncharge_testkit::{Call, Reply};
use serde_json::json;

use crate::support::TestApp;

#[actix_web::test]
async fn a_reload_resumes_the_payment() {
    let app = TestApp::start().await;
    let checkout = app.created().await;
    let status = async || {
        app.shopper("GET", &checkout, "/status", "")
            .send()
            .await
            .json()
    };
    assert_eq!(
        status().await,
        json!({"status": "created", "next": {"type": "none"}})
    );
    app.psp.reply(Call::Authorize, Reply::ActionRequired);
    let paid = app.pay(&checkout, "tok_1").await.json();
    assert_eq!(
        status().await,
        paid,
        "a repeated request returns the challenge"
    );
}

#[actix_web::test]
async fn an_expired_session_is_visible_for_a_day() {
    let app = TestApp::start().await;
    let checkout = app.created().await;
    app.clock.advance(1800 + 24 * 3600);
    let response = app.shopper("GET", &checkout, "/status", "").send().await;
    assert_eq!(
        response.json(),
        json!({"status": "expired", "next": {"type": "none"}})
    );
    app.clock.advance(1);
    let response = app.shopper("GET", &checkout, "/status", "").send().await;
    assert_eq!(response.refusal(), (401, "invalid_token".to_owned()));
}
