//! Misbehaving endpoints, and their effect on their own and other merchants' deliveries.

use serde_json::{Value, json};

use super::FAST;
use crate::support::{
    Database, Dev, Shop, eventually, on_both,
    webhooks::{Receiver, Reply, as_get_response},
};

on_both!(
    a_410_disables_the_endpoint_until_it_is_set_again,
    a_redirect_is_not_followed,
    a_hanging_endpoint_times_out_without_delaying_others,
    events_of_one_session_arrive_in_order,
    events_without_an_endpoint_are_only_listed,
);

/// The id of a session's first event.
async fn first_event(shop: &Shop, session: &str) -> String {
    let events = shop.events(session).await;
    events[0]["id"].as_str().unwrap().to_owned()
}

async fn is_enabled(shop: &Shop) -> bool {
    let endpoint = shop.get("/v1/webhook_endpoint").await.expect(200);
    endpoint["enabled"].as_bool().unwrap()
}

async fn a_410_disables_the_endpoint_until_it_is_set_again(database: Database) {
    let dev = Dev::start(database, &FAST).await;
    let shop = dev.shop();
    let receiver = Receiver::replying(|nth| Reply::Status(if nth == 0 { 410 } else { 200 }));
    shop.set_endpoint(&receiver.url).await;
    let refused = first_event(&shop, &shop.authorized().await).await;
    shop.wait_for_attempts(&refused, &[json!(410)]).await;
    assert!(
        !is_enabled(&shop).await,
        "the endpoint is still enabled after 410"
    );

    let event_while_disabled = first_event(&shop, &shop.authorized().await).await;
    let response = shop.redeliver(&refused).await;
    assert_eq!(response.expect(409)["error"], "invalid_state");

    let endpoint = shop.set_endpoint(&receiver.url).await;
    assert_eq!(endpoint["enabled"], true);
    let afterwards = first_event(&shop, &shop.authorized().await).await;
    shop.wait_for_attempts(&afterwards, &[json!(200)]).await;
    assert_eq!(shop.redeliver(&refused).await.status, 202);
    shop.wait_for_attempts(&refused, &[json!(410), json!(200)])
        .await;
    // No event was sent while the endpoint was disabled.
    shop.wait_for_attempts(&event_while_disabled, &[]).await;
    assert_eq!(receiver.deliveries().len(), 3);
}

async fn a_redirect_is_not_followed(database: Database) {
    let dev = Dev::start(database, &FAST).await;
    let shop = dev.shop();
    let target = Receiver::start();
    let to = target.url.clone();
    let receiver = Receiver::replying(move |nth| match nth {
        0 => Reply::Redirect(to.clone()),
        _ => Reply::Status(200),
    });
    shop.set_endpoint(&receiver.url).await;
    let event = first_event(&shop, &shop.authorized().await).await;
    shop.wait_for_attempts(&event, &[json!(307), json!(200)])
        .await;
    assert_eq!(
        receiver.deliveries().len(),
        2,
        "a redirect counts as a failure"
    );
    assert_eq!(target.deliveries().len(), 0, "the redirect was followed");
}

async fn a_hanging_endpoint_times_out_without_delaying_others(database: Database) {
    let dev = Dev::start(database, &FAST).await;
    let (slow, quick) = (dev.shop(), dev.merchant("Quick"));
    let (hanging, receiver) = (Receiver::replying(|_| Reply::Held), Receiver::start());
    slow.set_endpoint(&hanging.url).await;
    quick.set_endpoint(&receiver.url).await;
    let delayed = first_event(&slow, &slow.authorized().await).await;
    hanging.wait_for(1).await;

    let accepted = first_event(&quick, &quick.authorized().await).await;
    quick.wait_for_attempts(&accepted, &[json!(200)]).await;
    let under_way = slow.event(&delayed).await;
    assert_eq!(
        under_way["attempts"],
        json!([]),
        "the quick endpoint waited for the hanging one"
    );

    let event = eventually(20, "the end of the first attempt", || async {
        let event = slow.event(&delayed).await;
        let has_ended = event["attempts"][0].is_object();
        has_ended.then_some(event.clone()).ok_or(event.to_string())
    })
    .await;
    let attempt = &event["attempts"][0];
    assert_eq!(attempt["error"], "timeout", "{attempt}");
    assert_eq!(
        (&attempt["status"], &attempt["response"]),
        (&Value::Null, &Value::Null)
    );
    let latency = attempt["latency_ms"].as_u64().unwrap();
    assert!((10_000..15_000).contains(&latency), "{latency} ms");
    hanging.open();
    slow.wait_for_attempts(&delayed, &[json!("timeout"), json!(200)])
        .await;
}

/// First attempts of a session's events are sequential: each begins after the one before has ended.
async fn events_of_one_session_arrive_in_order(database: Database) {
    let dev = Dev::start(database, &FAST).await;
    let shop = dev.shop();
    let receiver = Receiver::replying(|nth| match nth {
        0 => Reply::Held,
        1 => Reply::Status(500),
        _ => Reply::Status(200),
    });
    shop.set_endpoint(&receiver.url).await;
    let session = shop.captured().await;
    let refund = json!({
        "session_id": session, "amount": 4000, "currency": "EUR", "reference": "r",
    });
    shop.post("/v1/refunds", &refund).await.expect(201);
    let names = [
        "payment.authorized",
        "payment.captured",
        "refund.requested",
        "refund.succeeded",
    ];
    eventually(10, "all events", || async {
        let events = shop.events(&session).await;
        let is_so = events.iter().map(|event| &event["event"]).eq(names.iter());
        is_so.then_some(()).ok_or(format!("{events:?}"))
    })
    .await;
    receiver.wait_for(1).await;
    assert_eq!(
        receiver.events(),
        names[..1],
        "the second attempt began before the first had ended"
    );

    receiver.open();
    // The second event fails once and is retried without blocking the others.
    let mut sequence: Vec<_> = receiver
        .wait_for(5)
        .await
        .iter()
        .map(|delivery| delivery.json()["sequence"].as_u64().unwrap())
        .collect();
    let again = sequence.iter().rposition(|number| *number == 2).unwrap();
    assert!(again > 1, "the failed event was not retried: {sequence:?}");
    sequence.remove(again);
    assert_eq!(sequence, [1, 2, 3, 4]);
}

/// An endpoint survives a crash; events from before it was set are sent only on request.
async fn events_without_an_endpoint_are_only_listed(database: Database) {
    let mut dev = Dev::start(database, &FAST).await;
    let shop = dev.shop();
    let removed = shop.call("DELETE", "/v1/webhook_endpoint", "", None);
    assert_eq!(removed.await.status, 204);
    let undelivered = shop.captured().await;
    let first = first_event(&shop, &undelivered).await;
    let response = shop.redeliver(&first).await;
    assert_eq!(response.expect(409)["error"], "invalid_state");

    let receiver = Receiver::start();
    let set = shop.set_endpoint(&receiver.url).await;
    let before = first_event(&shop, &shop.authorized().await).await;
    shop.wait_for_attempts(&before, &[json!(200)]).await;
    dev.kill_9();
    dev.start_again();
    let shop = dev.shop();
    let found = shop.get("/v1/webhook_endpoint").await.expect(200);
    assert_eq!(found, as_get_response(&set));
    let after = first_event(&shop, &shop.authorized().await).await;
    shop.wait_for_attempts(&after, &[json!(200)]).await;

    let events = shop.events(&undelivered).await;
    let names: Vec<_> = events.iter().map(|event| &event["event"]).collect();
    assert_eq!(names, ["payment.authorized", "payment.captured"]);
    for event in &events {
        assert_eq!(event["attempts"], json!([]), "{event}");
    }
    let ids = |receiver: &Receiver| -> Vec<String> {
        let deliveries = receiver.deliveries();
        let ids = deliveries
            .iter()
            .map(|delivery| delivery.header("webhook-id").to_owned());
        ids.collect()
    };
    assert_eq!(ids(&receiver), [before.as_str(), &after]);
    assert_eq!(shop.redeliver(&first).await.status, 202);
    shop.wait_for_attempts(&first, &[json!(200)]).await;
    assert_eq!(ids(&receiver), [before, after, first]);
}
