//! Outgoing webhooks, as a merchant's server receives them: retried on schedule, signed in both
//! formats, redelivered on request.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Database, Dev, eventually, on_both, webhooks::Receiver};

on_both!(
    a_failed_delivery_is_retried_until_accepted,
    an_endpoint_that_always_fails
);

/// The fast clock's steps after the first three failures: 1 min, 5 min and 30 min at 1 s an hour.
const STEPS: [Duration; 3] = [
    Duration::from_micros(16_666),
    Duration::from_micros(83_333),
    Duration::from_millis(500),
];

async fn sandbox(database: Database, receiver: &Receiver) -> (Dev, Value) {
    let dev = Dev::start(database, &["--webhook-clock", "fast"]).await;
    let endpoint = dev.shop().set_endpoint(&receiver.url).await;
    (dev, endpoint)
}

async fn a_failed_delivery_is_retried_until_accepted(database: Database) {
    let receiver = Receiver::failing(3);
    let (dev, endpoint) = sandbox(database, &receiver).await;
    let shop = dev.shop();
    let id = shop.authorized().await;
    let deliveries = receiver.wait_for(4).await;
    for (step, pair) in STEPS.iter().zip(deliveries.windows(2)) {
        let waited = pair[1].at - pair[0].at;
        assert!(waited >= *step, "{waited:?} in place of {step:?}");
    }
    let event = shop.events(&id).await.swap_remove(0);
    let event = event["id"].as_str().unwrap();
    let outcomes = [500, 500, 500, 200].map(Value::from);
    let event = shop.wait_for_attempts(event, &outcomes).await;
    assert_eq!(event["event"], "payment.authorized");
    assert_eq!(event["attempts"][0]["response"], "as planned");

    let accepted = shop.redeliver(event["id"].as_str().unwrap()).await;
    assert_eq!(accepted.status, 202, "{accepted:?}");
    let deliveries = receiver.wait_for(5).await;
    let secret = dev.ready("api_secret");
    for delivery in &deliveries {
        assert_eq!(
            delivery.body, deliveries[0].body,
            "the same bytes at every attempt"
        );
        assert_eq!(delivery.header("webhook-id"), event["id"]);
        assert!(delivery.has_plain_signature(secret), "{delivery:?}");
        let secret = endpoint["signing_secret"].as_str().unwrap();
        assert!(delivery.has_standard_signature(secret), "{delivery:?}");
    }
    assert_eq!(deliveries[0].json()["session_id"], json!(id));
}

/// A failing endpoint affects neither payments nor the session's next event.
async fn an_endpoint_that_always_fails(database: Database) {
    let receiver = Receiver::failing(usize::MAX);
    let (dev, _) = sandbox(database, &receiver).await;
    let shop = dev.shop();
    let id = shop.captured().await;
    eventually(20, "both events were attempted", || async {
        let mut names = receiver.events();
        names.dedup();
        let has_both = names.starts_with(&["payment.authorized".to_owned()])
            && names.iter().any(|name| name == "payment.captured");
        has_both.then_some(()).ok_or_else(|| format!("{names:?}"))
    })
    .await;
    let first = receiver.deliveries();
    let sequence: Vec<_> = first
        .iter()
        .map(|delivery| delivery.json()["sequence"].clone())
        .collect();
    let second = sequence.iter().position(|number| *number == 2).unwrap();
    assert!(
        sequence[..second].contains(&json!(1)),
        "in order: {sequence:?}"
    );
    assert_eq!(shop.session(&id).await["status"], "captured");
    let events = shop.events(&id).await;
    assert_eq!(events.len(), 2, "{events:?}");
    assert!(
        events
            .iter()
            .all(|event| event["attempts"][0]["status"] == 500)
    );
}
