//! `GET /v1/events` and `GET /v1/events/{id}`

use oncharge_domain::{session::EventKind, webhook::SendError};
use oncharge_testkit::Outcome;
use serde_json::{Value, json};

use crate::support::{Checkout, ENDPOINT_URL, TestApp};

async fn page(app: &TestApp, query: &str) -> Value {
    let response = app.get(&format!("/v1/events{query}")).send().await;
    assert_eq!(response.status, 200, "{query}: {response:?}");
    response.json()
}

fn values_of(page: &Value, member: &str) -> Vec<Value> {
    let rows = page["data"].as_array().unwrap().iter();
    rows.map(|row| row[member].clone()).collect()
}

/// A captured session whose events are a second apart.
async fn captured(app: &TestApp) -> Checkout {
    let checkout = app.authorized().await;
    app.clock.advance(1);
    app.post(&checkout.path("/capture"), "").send().await;
    app.clock.advance(1);
    checkout
}

#[actix_web::test]
async fn events_are_listed_as_they_were_delivered() {
    let app = TestApp::start().await;
    let undelivered = captured(&app).await;
    app.set_endpoint(&app.pair, ENDPOINT_URL).await;
    let delivered = captured(&app).await;
    app.deliver().await;
    let all = page(&app, "").await;
    assert_eq!(all["next_cursor"], Value::Null);
    let newest_first = [
        &delivered.id,
        &delivered.id,
        &undelivered.id,
        &undelivered.id,
    ]
    .map(|id| json!(id));
    assert_eq!(values_of(&all, "session_id"), newest_first);
    assert_eq!(
        values_of(&all, "sequence"),
        [2, 1, 2, 1].map(|number| json!(number))
    );
    let posted = app.sender.bodies(ENDPOINT_URL).into_iter().rev();
    let posted: Vec<Value> = posted
        .map(|body| serde_json::from_str(&body).unwrap())
        .collect();
    assert_eq!(all["data"].as_array().unwrap()[..2], posted, "one shape");
}

#[actix_web::test]
async fn events_are_filtered_and_paginated() {
    let app = TestApp::start().await;
    let (one, other) = (captured(&app).await, captured(&app).await);
    let of_one = page(&app, &format!("?session_id={}", one.id)).await;
    assert_eq!(
        values_of(&of_one, "event"),
        ["payment.captured", "payment.authorized"].map(|name| json!(name))
    );
    let captures = page(&app, "?type=payment.captured").await;
    assert_eq!(
        values_of(&captures, "session_id"),
        [&other.id, &one.id].map(|id| json!(id))
    );
    let both = format!("?session_id={}&type=payment.captured", one.id);
    assert_eq!(values_of(&page(&app, &both).await, "sequence"), [json!(2)]);
    for nothing in ["?session_id=x", "?session_id=", "?type=refund.failed"] {
        assert_eq!(
            page(&app, nothing).await,
            json!({"data": [], "next_cursor": null}),
            "{nothing}"
        );
    }
    let all = values_of(&page(&app, "").await, "id");
    let first = page(&app, "?limit=3").await;
    assert_eq!(values_of(&first, "id"), all[..3]);
    captured(&app).await;
    let cursor = first["next_cursor"].as_str().unwrap();
    let rest = page(&app, &format!("?limit=3&cursor={cursor}")).await;
    assert_eq!(
        (values_of(&rest, "id"), &rest["next_cursor"]),
        (all[3..].to_vec(), &Value::Null),
        "the list changed when events were added"
    );
    let refunds = app
        .get(&format!("/v1/refunds?cursor={cursor}"))
        .send()
        .await;
    assert_eq!(
        refunds.fields(),
        ["cursor"],
        "a cursor is valid only for its list"
    );
}

#[actix_web::test]
async fn only_known_types_are_valid_filters() {
    let app = TestApp::start().await;
    for kind in EventKind::ALL {
        page(&app, &format!("?type={}", kind.name())).await;
    }
    for (query, field) in [
        ("?type=", "type"),
        ("?type=payment", "type"),
        ("?type=Payment.Captured", "type"),
        ("?type=endpoint.test", "type"),
        ("?type=payment.captured&type=payment.captured", "type"),
        ("?type=%ff", "type"),
        ("?limit=0", "limit"),
        ("?limit=101", "limit"),
        ("?cursor=x", "cursor"),
        ("?session_id=a&session_id=b", "session_id"),
    ] {
        let response = app.get(&format!("/v1/events{query}")).send().await;
        let refusal = (400, "invalid_request".to_owned());
        assert_eq!(response.refusal(), refusal, "{query}");
        assert_eq!(response.fields(), [field], "{query}");
    }
}

#[actix_web::test]
async fn an_event_has_all_its_delivery_attempts() {
    let app = TestApp::start().await;
    app.set_endpoint(&app.pair, ENDPOINT_URL).await;
    app.sender
        .reply(ENDPOINT_URL, Outcome::Error(SendError::CannotConnect));
    app.sender.reply(ENDPOINT_URL, Outcome::Status(503));
    app.authorized().await;
    for wait in [0, 60, 300] {
        app.clock.advance(wait);
        app.deliver().await;
    }
    let listed = page(&app, "").await["data"][0].clone();
    assert!(
        listed.get("attempts").is_none(),
        "attempts are in the list: {listed}"
    );
    let target = format!("/v1/events/{}", listed["id"].as_str().unwrap());
    let response = app.get(&target).at(app.now()).send().await;
    assert_eq!(response.status, 200, "{response:?}");
    let mut event = response.json();
    let attempts = event.as_object_mut().unwrap().remove("attempts").unwrap();
    assert_eq!(event, listed, "the event has other fields than in the list");
    insta::assert_json_snapshot!("attempts", attempts);
}

#[actix_web::test]
async fn an_event_without_endpoint_has_no_attempts() {
    let app = TestApp::start().await;
    app.authorized().await;
    app.set_endpoint(&app.pair, ENDPOINT_URL).await;
    app.deliver().await;
    let nobody = app.sender.sent().is_empty();
    assert!(nobody, "an event without an endpoint has attempts");
    let id = page(&app, "").await["data"][0]["id"].clone();
    let target = format!("/v1/events/{}", id.as_str().unwrap());
    let event = app.get(&target).send().await.json();
    assert_eq!(event["attempts"], json!([]));
}

#[actix_web::test]
async fn other_merchants_objects_are_not_found() {
    let app = TestApp::start().await;
    let checkout = app.authorized().await;
    let id = page(&app, "").await["data"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let other = app.another_merchant().await;
    let theirs = app.get("/v1/events").by(&other).send().await;
    assert_eq!(theirs.json(), json!({"data": [], "next_cursor": null}));
    let of_ours = app
        .get(&format!("/v1/events?session_id={}", checkout.id))
        .by(&other);
    assert_eq!(of_ours.send().await.json()["data"], json!([]));
    for request in [
        app.get(&format!("/v1/events/{id}")).by(&other),
        app.get("/v1/events/x"),
        app.get("/v1/events/%ff"),
        app.get(&format!("/v1/events/{}", id.to_uppercase())),
        app.get(&format!("/v1/events/{}", checkout.id)),
        app.get(&format!("/v1/events/evt_{}", "0".repeat(32))),
        app.get(&format!("/v1/events/{}", "x".repeat(5000))),
    ] {
        let target = request.target.clone();
        let response = request.send().await;
        assert_eq!(
            response.refusal(),
            (404, "not_found".to_owned()),
            "{target}"
        );
    }
}
