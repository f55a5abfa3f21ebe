//! The complete schedule, accelerated: it takes a minute, so all its tests run concurrently on one
//! database (`deliveries` tests the first steps on both).

use std::time::Duration;

use serde_json::{Value, json};

use super::FAST;
use crate::support::{
    Database, Dev, Shop, eventually,
    webhooks::{Delivery, Receiver},
};

/// The delays after the first nine failures: 1 min, 5 min, 30 min, 2 h and five times 12 h, at one
/// second per hour.
const STEPS: [Duration; 9] = [
    Duration::from_micros(16_666),
    Duration::from_micros(83_333),
    Duration::from_millis(500),
    Duration::from_secs(2),
    Duration::from_secs(12),
    Duration::from_secs(12),
    Duration::from_secs(12),
    Duration::from_secs(12),
    Duration::from_secs(12),
];
/// Tolerance for late attempts on a machine that runs other tests concurrently.
const TOLERANCE: Duration = Duration::from_secs(4);
/// Time limit for the whole schedule, in seconds.
const TIMEOUT_SECONDS: u64 = 90;

#[tokio::test(flavor = "multi_thread")]
async fn ten_attempts_in_the_documented_steps() {
    let dev = Dev::start(Database::Sqlite, &FAST).await;
    let (shop, other) = (dev.shop(), dev.merchant("Other"));
    tokio::join!(
        accepted_on_the_last_attempt(&shop),
        exhausted_and_redelivered(&dev, &other)
    );
}

/// An endpoint that responds 500 nine times and then 200 receives its event.
async fn accepted_on_the_last_attempt(shop: &Shop) {
    let receiver = Receiver::failing(9);
    let event = create_event(shop, &receiver).await;
    assert_schedule(&receiver.wait_for_within(TIMEOUT_SECONDS, 10).await);
    let mut outcomes = vec![json!(500); 9];
    outcomes.push(json!(200));
    let event = shop.wait_for_attempts(&event, &outcomes).await;
    let attempts = event["attempts"].as_array().unwrap();
    for attempt in attempts {
        assert_eq!(attempt["response"], "as planned", "{attempt}");
        assert_eq!(attempt["error"], Value::Null, "{attempt}");
        assert!(attempt["latency_ms"].is_u64(), "{attempt}");
    }
    let times: Vec<_> = attempts
        .iter()
        .map(|attempt| attempt["at"].as_str().unwrap())
        .collect();
    assert!(times.is_sorted(), "not in order: {times:?}");
}

/// After ten failures the delivery is dead; the merchant then requests a redelivery.
async fn exhausted_and_redelivered(dev: &Dev, shop: &Shop) {
    let receiver = Receiver::failing(10);
    let event = create_event(shop, &receiver).await;
    assert_schedule(&receiver.wait_for_within(TIMEOUT_SECONDS, 10).await);
    let mut outcomes = vec![json!(500); 10];
    shop.wait_for_attempts(&event, &outcomes).await;
    let dead = "oncharge_webhook_attempts_total{outcome=\"dead\"} 1";
    wait_for_metric(dev, dead).await;
    wait_for_metric(dev, "oncharge_queue_depth{queue=\"deliveries\"} 0").await;

    let accepted = shop.redeliver(&event).await;
    assert_eq!(accepted.status, 202, "{accepted:?}");
    let deliveries = receiver.wait_for(11).await;
    assert_eq!(deliveries[10].header("webhook-id"), event);
    outcomes.push(json!(200));
    shop.wait_for_attempts(&event, &outcomes).await;
}

/// Creates a payment with an event for the receiver; returns the event's id.
async fn create_event(shop: &Shop, receiver: &Receiver) -> String {
    shop.set_endpoint(&receiver.url).await;
    let session = shop.authorized().await;
    let events = shop.events(&session).await;
    events[0]["id"].as_str().unwrap().to_owned()
}

/// Checks ten deliveries of one event: none before its due time, none much later.
fn assert_schedule(deliveries: &[Delivery]) {
    assert_eq!(deliveries.len(), 10, "more than ten attempts");
    for (number, (step, pair)) in STEPS.iter().zip(deliveries.windows(2)).enumerate() {
        let waited = pair[1].at - pair[0].at;
        let is_in_time = (*step..*step + TOLERANCE).contains(&waited);
        let failure = number + 1;
        assert!(
            is_in_time,
            "{waited:?} after failure {failure} instead of {step:?}"
        );
        assert_eq!(
            pair[1].body, pair[0].body,
            "the same bytes at every attempt"
        );
    }
}

async fn wait_for_metric(dev: &Dev, line: &str) {
    let url = format!("{}/metrics", dev.ready("ops_url"));
    let http = dev.shop().http;
    eventually(10, line, || async {
        let text = http.get(&url).send().await.unwrap().text().await.unwrap();
        text.contains(line).then_some(()).ok_or(text)
    })
    .await;
}
