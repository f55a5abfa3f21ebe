//! `POST /checkout/{id}/abandon`

use oncharge_testkit::{Call, Reply};
use serde_json::json;

use crate::support::TestApp;

#[actix_web::test]
async fn an_open_challenge_is_given_up_and_another_card_can_be_used() {
    let app = TestApp::start().await;
    let checkout = app.created().await;
    app.psp.reply(Call::Authorize, Reply::ActionRequired);
    app.pay(&checkout, "tok_1").await;
    let answer = app.shopper("POST", &checkout, "/abandon", "").send().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(
        answer.json(),
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
async fn where_no_challenge_is_open_there_is_nothing_to_give_up() {
    let app = TestApp::start().await;
    let checkout = app.created().await;
    let answer = app
        .shopper("POST", &checkout, "/abandon", "{}")
        .send()
        .await;
    assert_eq!(answer.refusal(), (409, "invalid_state".to_owned()));
    let wrong = app
        .shopper("POST", &checkout, "/abandon", "{}")
        .set("Authorization", "Bearer x");
    assert_eq!(
        wrong.send().await.refusal(),
        (401, "invalid_token".to_owned())
    );
}
