//! `POST /v1/events/{id}/redeliver`

use oncharge_testkit::Outcome;
use serde_json::{Value, json};

use crate::support::{ENDPOINT_URL, TestApp};

/// The newest event's path.
async fn newest_event_path(app: &TestApp) -> String {
    let page = app.get("/v1/events").at(app.now()).send().await.json();
    format!("/v1/events/{}", page["data"][0]["id"].as_str().unwrap())
}

#[actix_web::test]
async fn an_event_is_redelivered_to_the_current_endpoint() {
    let app = TestApp::start().await;
    app.set_endpoint(&app.pair, ENDPOINT_URL).await;
    app.authorized().await;
    app.deliver().await;
    let path = newest_event_path(&app).await;
    let now = "https://now.example.com/hooks";
    app.set_endpoint(&app.pair, now).await;
    let response = app.post(&format!("{path}/redeliver"), "").send().await;
    assert_eq!(response.status, 202, "{response:?}");
    let mut event = app.get(&path).send().await.json();
    event.as_object_mut().unwrap().remove("attempts");
    assert_eq!(response.json(), event, "the response is the event");
    app.deliver().await;
    assert_eq!(app.sender.bodies(now), app.sender.bodies(ENDPOINT_URL));
    let attempts = app.get(&path).send().await.json()["attempts"].clone();
    assert_eq!(attempts.as_array().unwrap().len(), 2, "{attempts}");
}

#[actix_web::test]
async fn redelivery_restarts_the_retry_schedule() {
    let app = TestApp::start().await;
    app.set_endpoint(&app.pair, ENDPOINT_URL).await;
    app.sender.always(ENDPOINT_URL, Outcome::Status(500));
    app.authorized().await;
    for _ in 0..10 {
        app.deliver().await;
        app.clock.advance(12 * 3600);
    }
    app.deliver().await;
    assert_eq!(
        app.sender.sent().len(),
        10,
        "ten attempts until the delivery is dead"
    );
    app.set_endpoint(&app.pair, ENDPOINT_URL).await;
    let path = newest_event_path(&app).await;
    let redeliver = app.post(&format!("{path}/redeliver"), "").at(app.now());
    assert_eq!(redeliver.send().await.status, 202);
    app.deliver().await;
    app.clock.advance(60);
    app.sender.always(ENDPOINT_URL, Outcome::Status(200));
    app.deliver().await;
    assert_eq!(app.sender.sent().len(), 12);
}

#[actix_web::test]
async fn redelivery_requires_an_enabled_endpoint() {
    let app = TestApp::start().await;
    app.authorized().await;
    let target = format!("{}/redeliver", newest_event_path(&app).await);
    let refused = app.post(&target, "").send().await;
    assert_eq!(refused.refusal(), (409, "invalid_state".to_owned()));
    let message = refused.json()["message"].as_str().unwrap().to_owned();
    assert!(message.contains("webhook endpoint"), "{message}");
    app.set_endpoint(&app.pair, ENDPOINT_URL).await;
    assert_eq!(app.post(&target, "").send().await.status, 202);
    app.sender.reply(ENDPOINT_URL, Outcome::Status(410));
    app.deliver().await;
    let endpoint = app.get("/v1/webhook_endpoint").send().await.json();
    assert_eq!(
        endpoint["enabled"], false,
        "the endpoint is enabled after 410"
    );
    let refused = app.post(&target, "").send().await;
    assert_eq!(refused.refusal(), (409, "invalid_state".to_owned()));
    app.set_endpoint(&app.pair, ENDPOINT_URL).await;
    assert_eq!(app.post(&target, "").send().await.status, 202);
}

#[actix_web::test]
async fn a_repeated_request_is_executed_once() {
    let app = TestApp::start().await;
    app.set_endpoint(&app.pair, ENDPOINT_URL).await;
    app.authorized().await;
    app.deliver().await;
    let target = format!("{}/redeliver", newest_event_path(&app).await);
    let redeliver = || app.post(&target, "").set("Idempotency-Key", "k1").send();
    let first = redeliver().await;
    assert_eq!(first.status, 202, "{first:?}");
    app.deliver().await;
    let again = redeliver().await;
    assert_eq!((again.status, &again.body), (202, &first.body));
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    app.deliver().await;
    assert_eq!(app.sender.sent().len(), 2);
}

#[actix_web::test]
async fn other_merchants_objects_are_not_found() {
    let app = TestApp::start().await;
    let checkout = app.authorized().await;
    let path = newest_event_path(&app).await;
    let other = app.another_merchant().await;
    app.set_endpoint(&other, ENDPOINT_URL).await;
    let not_found = (404, "not_found".to_owned());
    for request in [
        app.post(&format!("{path}/redeliver"), "").by(&other),
        app.post(&format!("/v1/events/{}/redeliver", checkout.id), "")
            .by(&other),
        app.post("/v1/events/x/redeliver", "").by(&other),
    ] {
        let target = request.target.clone();
        assert_eq!(request.send().await.refusal(), not_found, "{target}");
    }
    app.deliver().await;
    assert!(app.sender.sent().is_empty());
    let no_json = app.post(&format!("{path}/redeliver"), "x").send().await;
    assert_eq!(no_json.refusal(), (400, "invalid_request".to_owned()));
    let unknown: Value = no_json.json();
    assert_eq!(unknown["details"], json!(null));
}
