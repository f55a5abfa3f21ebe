//! `POST /webhooks/psp/{connector}/{account}`

use oncharge_testkit::{Call, Reply, ScriptedPsp};

use crate::support::{Checkout, Request, TestApp};

/// A session whose authorisation the PSP has taken in and, since, carried out.
async fn waiting(app: &TestApp) -> (Checkout, Vec<u8>) {
    let checkout = app.created().await;
    app.psp.reply(Call::Authorize, Reply::Accepted);
    let answer = app.pay(&checkout, "tok_1").await;
    assert_eq!(answer.json()["status"], "pending");
    let (_, operation) = app.psp.arrived()[0];
    app.psp
        .finish(operation, oncharge_testkit::psp::Finish::Done);
    let body = app.psp.notification_body(operation);
    (checkout, body)
}

fn notify<'a>(app: &'a TestApp, path: &str, body: &[u8]) -> Request<'a> {
    app.post(&format!("/webhooks/psp/{path}"), body)
        .unsigned()
        .set(ScriptedPsp::SIGNATURE_HEADER, ScriptedPsp::SIGNATURE)
}

#[actix_web::test]
async fn a_notification_moves_the_session_and_its_repetition_does_not() {
    let app = TestApp::start().await;
    let (checkout, body) = waiting(&app).await;
    for _ in 0..2 {
        let answer = notify(&app, "simulator/default", &body).send().await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(app.session(&checkout).await["status"], "authorized");
    }
    assert_eq!(app.store.events_of(checkout.typed()).len(), 1);
}

#[actix_web::test]
async fn what_is_not_the_psps_is_refused() {
    let app = TestApp::start().await;
    let (checkout, body) = waiting(&app).await;
    let unsigned = notify(&app, "simulator/default", &body)
        .without(ScriptedPsp::SIGNATURE_HEADER)
        .send()
        .await;
    assert_eq!(unsigned.refusal(), (401, "invalid_signature".to_owned()));
    let unknown = notify(&app, "SIMULATOR/default", &body).send().await;
    assert_eq!(unknown.refusal(), (404, "not_found".to_owned()));
    let other_account = notify(&app, "simulator/other", &body).send().await;
    assert_eq!(other_account.status, 200, "kept out, but not sent again");
    let large = vec![b'x'; 256 * 1024 + 1];
    let large = notify(&app, "simulator/default", &large).send().await;
    assert_eq!(large.refusal(), (413, "payload_too_large".to_owned()));
    assert_eq!(app.session(&checkout).await["status"], "pending");
}
