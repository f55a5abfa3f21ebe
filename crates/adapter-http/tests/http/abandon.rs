//! `POST /checkout/{id}/abandon`

use oncharge_testkit::{Call, Reply};
use serde_json::json;

use crate::support::TestApp;

#[actix_web::test]
async fn an_open_challenge_can_be_abandoned() {
    let app = TestApp::start().await;
    let checkout = app.created().await;
    app.psp.reply(Call::Authorize, Reply::ActionRequired);
    app.pay(&checkout, "tok_1").await;
    let response = app.shopper("POST", &checkout, "/abandon", "").send().await;
    assert_eq!(response.status, 200, "{response:?}");
    assert_eq!(
        response.json(),
        json!({
            "status": "refused",
            "next": {"type": "retry", "reason": "authentication_failed", "last_try": false},
        })
    );
    assert_eq!(
        app.session(&checkout).await["failure"]["code"],
        "authentication_abandoned"
    );
    assert_eq!(
        app.pay(&checkout, "tok_2").await.json()["status"],
        "authorized"
    );
}

#[actix_web::test]
async fn without_a_challenge_there_is_nothing_to_abandon() {
    let app = TestApp::start().await;
    let checkout = app.created().await;
    let response = app
        .shopper("POST", &checkout, "/abandon", "{}")
        .send()
        .await;
    assert_eq!(response.refusal(), (409, "invalid_state".to_owned()));
    let wrong = app
        .shopper("POST", &checkout, "/abandon", "{}")
        .set("Authorization", "Bearer x");
    assert_eq!(
        wrong.send().await.refusal(),
        (401, "invalid_token".to_owned())
    );
}
