//! `POST /v1/webhook_endpoint/test`

use oncharge_domain::webhook::SendError;
use oncharge_testkit::Outcome;
use serde_json::{Value, json};

use crate::support::{ENDPOINT_URL, TestApp};

const TARGET: &str = "/v1/webhook_endpoint/test";

#[actix_web::test]
async fn a_test_returns_its_attempt() {
    let app = TestApp::start().await;
    let none = app.post(TARGET, "").send().await;
    assert_eq!(none.refusal(), (404, "not_found".to_owned()));
    app.set_endpoint(&app.pair, ENDPOINT_URL).await;
    let taken = app.post(TARGET, "{}").send().await;
    assert_eq!(taken.status, 200, "{taken:?}");
    insta::assert_json_snapshot!("attempt", taken.json());
    for (outcome, expected) in [
        (
            Outcome::Status(500),
            json!({"status": 500, "response": "status 500", "error": null}),
        ),
        (
            Outcome::Status(410),
            json!({"status": 410, "response": "status 410", "error": null}),
        ),
        (
            Outcome::Error(SendError::ForbiddenAddress),
            json!({"status": null, "response": null, "error": "forbidden_address"}),
        ),
        (
            Outcome::Error(SendError::Timeout),
            json!({"status": null, "response": null, "error": "timeout"}),
        ),
    ] {
        app.sender.reply(ENDPOINT_URL, outcome);
        let mut attempt = app.post(TARGET, "").send().await.json();
        let members = attempt.as_object_mut().unwrap();
        assert!(members.remove("at").is_some() && members.remove("latency_ms").is_some());
        assert_eq!(attempt, expected);
    }
}

#[actix_web::test]
async fn a_test_payload_has_the_members_of_an_event() {
    let app = TestApp::start().await;
    app.set_endpoint(&app.pair, ENDPOINT_URL).await;
    app.post(TARGET, "").send().await;
    let body: Value = serde_json::from_str(&app.sender.bodies(ENDPOINT_URL)[0]).unwrap();
    insta::assert_json_snapshot!("body", body, { ".id" => "[event]" });
    let events = app.get("/v1/events").send().await.json();
    assert_eq!(events["data"], json!([]), "a test is listed as an event");
    let id = body["id"].as_str().unwrap();
    let get = app.get(&format!("/v1/events/{id}")).send().await;
    assert_eq!(get.refusal(), (404, "not_found".to_owned()));
}

#[actix_web::test]
async fn a_repeated_test_is_sent_once() {
    let app = TestApp::start().await;
    app.set_endpoint(&app.pair, ENDPOINT_URL).await;
    let test = || app.post(TARGET, "").set("Idempotency-Key", "k1").send();
    let (first, again) = (test().await, test().await);
    assert_eq!((first.status, &again.body), (200, &first.body));
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(app.sender.sent().len(), 1);
    let other = app
        .post("/v1/api_keys/rotate", "")
        .set("Idempotency-Key", "k1");
    assert_eq!(
        other.send().await.refusal(),
        (422, "idempotency_key_reused".to_owned())
    );
    let bad = app
        .post(TARGET, "")
        .set("Idempotency-Key", "two words")
        .send()
        .await;
    assert_eq!(bad.refusal(), (400, "invalid_request".to_owned()));
    assert_eq!(bad.fields(), ["Idempotency-Key"]);
    let no_json = app.post(TARGET, "[]").send().await;
    assert_eq!(no_json.refusal(), (400, "invalid_request".to_owned()));
    assert_eq!(app.sender.sent().len(), 1);
}

#[actix_web::test]
async fn a_merchant_has_ten_tests_a_minute() {
    let app = TestApp::start().await;
    app.set_endpoint(&app.pair, ENDPOINT_URL).await;
    for _ in 0..10 {
        assert_eq!(app.post(TARGET, "").send().await.status, 200);
    }
    let refused = app.post(TARGET, "").send().await;
    assert_eq!(refused.refusal(), (429, "rate_limited".to_owned()));
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=7).contains(&wait), "{wait}");
    assert_eq!(app.sender.sent().len(), 10);
}
