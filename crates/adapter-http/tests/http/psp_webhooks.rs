//! `POST /webhooks/psp/{connector}/{account}`

use std::sync::atomic::Ordering;

use oncharge_ports::inbox::NotificationStatus;
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
        assert_eq!((answer.status, answer.text()), (200, "[accepted]"));
        assert_eq!(app.store.notifications().len(), 1);
    }
    assert_eq!(
        app.session(&checkout).await["status"],
        "pending",
        "the PSP does not wait for what it brings about"
    );
    app.read_inbox().await;
    assert_eq!(app.session(&checkout).await["status"], "authorized");
    let again = notify(&app, "simulator/default", &body).send().await;
    assert_eq!((again.status, again.text()), (200, "[accepted]"));
    app.read_inbox().await;
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
    for path in ["SIMULATOR/default", "simulator/nobody", "stripe/default"] {
        let unknown = notify(&app, path, &body).send().await;
        assert_eq!(unknown.refusal(), (404, "not_found".to_owned()), "{path}");
    }
    let large = vec![b'x'; 256 * 1024 + 1];
    let large = notify(&app, "simulator/default", &large).send().await;
    assert_eq!(large.refusal(), (413, "payload_too_large".to_owned()));
    let kept = app.store.notifications();
    let statuses: Vec<_> = kept.iter().map(|one| one.status).collect();
    assert_eq!(
        statuses,
        [NotificationStatus::Unverified],
        "kept as evidence"
    );
    app.read_inbox().await;
    assert_eq!(app.session(&checkout).await["status"], "pending");
}

#[actix_web::test]
async fn what_could_not_be_kept_is_not_accepted() {
    let app = TestApp::start().await;
    let (checkout, body) = waiting(&app).await;
    app.inbox_is_away.store(true, Ordering::SeqCst);
    let answer = notify(&app, "simulator/default", &body).send().await;
    assert_eq!(answer.refusal(), (503, "busy".to_owned()));
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(app.store.notifications(), []);
    app.inbox_is_away.store(false, Ordering::SeqCst);
    let again = notify(&app, "simulator/default", &body).send().await;
    assert_eq!(again.status, 200);
    app.read_inbox().await;
    assert_eq!(app.session(&checkout).await["status"], "authorized");
}

#[actix_web::test]
async fn one_call_may_bring_several() {
    let app = TestApp::start().await;
    let (checkout, body) = waiting(&app).await;
    let batch = ScriptedPsp::batch(&[app.psp.irrelevant_body(), body]);
    for _ in 0..2 {
        let answer = notify(&app, "simulator/default", &batch).send().await;
        assert_eq!((answer.status, answer.text()), (200, "[accepted]"));
        assert_eq!(app.store.notifications().len(), 2);
    }
    app.read_inbox().await;
    assert_eq!(app.session(&checkout).await["status"], "authorized");
}

#[actix_web::test]
async fn a_body_that_comes_in_pieces_is_read_whole() {
    let app = TestApp::start().await;
    let (_, body) = waiting(&app).await;
    let answer = notify(&app, "simulator/default", &body)
        .send_chunked(7)
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(app.store.notifications()[0].new.body, body);
}
