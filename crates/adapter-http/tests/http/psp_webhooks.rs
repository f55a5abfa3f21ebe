//! `POST /webhooks/psp/{connector}/{account}`

use std::sync::atomic::Ordering;

use oncharge_ports::inbox::NotificationStatus;
use oncharge_testkit::{Call, Reply, ScriptedPsp};

use crate::support::{Checkout, Request, TestApp};

/// A session whose authorization was accepted and then executed by the PSP.
async fn accepted_payment(app: &TestApp) -> (Checkout, Vec<u8>) {
    let checkout = app.created().await;
    app.psp.reply(Call::Authorize, Reply::Accepted);
    let response = app.pay(&checkout, "tok_1").await;
    assert_eq!(response.json()["status"], "pending");
    let (_, operation) = app.psp.received_calls()[0];
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
async fn a_notification_is_applied_once() {
    let app = TestApp::start().await;
    let (checkout, body) = accepted_payment(&app).await;
    for _ in 0..2 {
        let response = notify(&app, "simulator/default", &body).send().await;
        assert_eq!((response.status, response.text()), (200, "[accepted]"));
        assert_eq!(app.store.notifications().len(), 1);
    }
    assert_eq!(
        app.session(&checkout).await["status"],
        "pending",
        "the response waited for the notification to be applied"
    );
    app.process_inbox().await;
    assert_eq!(app.session(&checkout).await["status"], "authorized");
    let again = notify(&app, "simulator/default", &body).send().await;
    assert_eq!((again.status, again.text()), (200, "[accepted]"));
    app.process_inbox().await;
    assert_eq!(app.store.events_of(checkout.session_id()).len(), 1);
}

#[actix_web::test]
async fn forged_notifications_are_refused() {
    let app = TestApp::start().await;
    let (checkout, body) = accepted_payment(&app).await;
    let unsigned = notify(&app, "simulator/default", &body)
        .without(ScriptedPsp::SIGNATURE_HEADER)
        .send()
        .await;
    assert_eq!(unsigned.refusal(), (401, "invalid_signature".to_owned()));
    for path in ["SIMULATOR/default", "simulator/nobody", "stripe/default"] {
        let unknown = notify(&app, path, &body).send().await;
        assert_eq!(unknown.refusal(), (404, "not_found".to_owned()), "{path}");
    }
    let large = vec![b'x'; 256 * 1024 + 1];
    let large = notify(&app, "simulator/default", &large).send().await;
    assert_eq!(large.refusal(), (413, "payload_too_large".to_owned()));
    let stored = app.store.notifications();
    let statuses: Vec<_> = stored.iter().map(|one| one.status).collect();
    assert_eq!(
        statuses,
        [NotificationStatus::Unverified],
        "a forged notification is stored as evidence"
    );
    app.process_inbox().await;
    assert_eq!(app.session(&checkout).await["status"], "pending");
}

#[actix_web::test]
async fn an_unsaved_notification_is_not_accepted() {
    let app = TestApp::start().await;
    let (checkout, body) = accepted_payment(&app).await;
    app.inbox_is_unavailable.store(true, Ordering::SeqCst);
    let response = notify(&app, "simulator/default", &body).send().await;
    assert_eq!(response.refusal(), (503, "busy".to_owned()));
    assert_eq!(response.header("retry-after"), Some("1"));
    assert_eq!(app.store.notifications(), []);
    app.inbox_is_unavailable.store(false, Ordering::SeqCst);
    let again = notify(&app, "simulator/default", &body).send().await;
    assert_eq!(again.status, 200);
    app.process_inbox().await;
    assert_eq!(app.session(&checkout).await["status"], "authorized");
}

#[actix_web::test]
async fn a_request_can_carry_several_notifications() {
    let app = TestApp::start().await;
    let (checkout, body) = accepted_payment(&app).await;
    let batch = ScriptedPsp::batch(&[app.psp.irrelevant_body(), body]);
    for _ in 0..2 {
        let response = notify(&app, "simulator/default", &batch).send().await;
        assert_eq!((response.status, response.text()), (200, "[accepted]"));
        assert_eq!(app.store.notifications().len(), 2);
    }
    app.process_inbox().await;
    assert_eq!(app.session(&checkout).await["status"], "authorized");
}

#[actix_web::test]
async fn chunked_bodies_are_accepted() {
    let app = TestApp::start().await;
    let (_, body) = accepted_payment(&app).await;
    let response = notify(&app, "simulator/default", &body)
        .send_chunked(7)
        .await;
    assert_eq!(response.status, 200, "{response:?}");
    assert_eq!(app.store.notifications()[0].new.body, body);
}
