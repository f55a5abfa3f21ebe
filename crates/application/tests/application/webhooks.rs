//! Delivery of events to the merchant: schedule, order, retries, and independence of other
//! merchants.

use std::{sync::Arc, time::Duration};

use oncharge_application::{
    Error, operator_queries,
    webhooks::{endpoint, events, redeliver},
    workers::runner,
};
use oncharge_domain::{
    audit::AuditAction,
    id::EventId,
    merchant::{ApiKey, ApiKeyHash},
    session::EventKind,
    signing::SigningKey,
    webhook::{DeliveryState, EndpointUrl, ScheduleSpeed, SendError, StandardHeaders},
};
use oncharge_ports::{
    MerchantRepository, WebhookRepository, WorkQueue,
    work_queue::{DeliveryClaimFilter, StuckKind},
};
use oncharge_testkit::{Outcome, build::ENDPOINT};

use crate::support::{FaultPoint, Order, PlannedFault, World, describe};

/// The ids of a session's events, in order.
fn ids(world: &World, order: &Order) -> Vec<EventId> {
    let events = world.store.events_of(order.id);
    events.iter().map(|stored| stored.id).collect()
}

/// The deliveries that arrived at the merchant's endpoint: event and number.
fn received_bodies(world: &World) -> Vec<String> {
    let name = |body: String| {
        let words: Vec<&str> = body.split(' ').collect();
        format!("{} {}", words[0], words.last().unwrap())
    };
    world
        .merchant_server
        .bodies(ENDPOINT)
        .into_iter()
        .map(name)
        .collect()
}

fn state(world: &World, order: &Order, number: usize) -> DeliveryState {
    world.store.deliveries_of(order.id)[number - 1].state
}

#[tokio::test(start_paused = true)]
async fn each_event_is_delivered_once_in_order_and_signed_both_ways() {
    let world = World::new();
    let order = world.captured().await;
    world.refund(&order, "", 1000).await.unwrap();
    world.run_until_idle().await;
    let expected = [
        "payment.authorized 1",
        "payment.captured 2",
        "refund.requested 3",
        "refund.succeeded 4",
    ];
    assert_eq!(received_bodies(&world), expected);
    let keys = world
        .store
        .signing_keys(world.merchant.id, world.now())
        .await
        .unwrap();
    let endpoint = world.store.endpoint_of(world.merchant.id).unwrap();
    let secret = endpoint.secrets.current;
    for webhook in world.merchant_server.sent_to(ENDPOINT) {
        let header = |name: &str| {
            let found = webhook.headers.iter().find(|(known, _)| *known == name);
            found.unwrap().1.as_str()
        };
        keys[0]
            .signing_key
            .verify_webhook(header("X-Oncharge-Signature"), &webhook.body)
            .unwrap();
        let standard = StandardHeaders {
            id: header("webhook-id"),
            timestamp: header("webhook-timestamp"),
            signature: header("webhook-signature"),
        };
        secret
            .verify(&standard, &webhook.body, world.now())
            .unwrap();
        assert!(
            String::from_utf8(webhook.body.clone())
                .unwrap()
                .contains(standard.id)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn failed_attempts_follow_the_retry_schedule() {
    let world = World::with(|merchant, settings| {
        merchant.automatic_capture = false;
        settings.webhook_clock = ScheduleSpeed::Fast;
    });
    for _ in 0..9 {
        world.merchant_server.reply(ENDPOINT, Outcome::Status(500));
    }
    let order = world.authorized().await;
    let event = ids(&world, &order)[0];
    let mut waits = Vec::new();
    for _ in 0..10 {
        world.run_workers().await;
        let Some(due) = world.store.delivery_due_at(event) else {
            break;
        };
        waits.push(due.since(world.now()).whole_milliseconds());
        world.clock.set(due);
    }
    assert_eq!(
        waits,
        [16, 83, 500, 2000, 12_000, 12_000, 12_000, 12_000, 12_000]
    );
    assert_eq!(state(&world, &order, 1), DeliveryState::Delivered);
    let (_, attempts) = events::get(&world.app, world.merchant.id, &event.to_string())
        .await
        .unwrap();
    let statuses: Vec<_> = attempts.iter().map(|attempt| attempt.status).collect();
    assert_eq!(statuses[..9], [Some(500); 9]);
    assert_eq!(statuses[9], Some(200));
}

/// A world whose endpoint has failed ten times.
async fn dead_delivery() -> (World, Order) {
    let world = World::new();
    world
        .merchant_server
        .always(ENDPOINT, Outcome::Error(SendError::Timeout));
    let order = world.authorized().await;
    world.run_for(4 * 86_400).await;
    (world, order)
}

#[tokio::test(start_paused = true)]
async fn a_delivery_is_dead_after_ten_failures_and_can_be_redelivered() {
    let (world, order) = dead_delivery().await;
    assert_eq!(state(&world, &order, 1), DeliveryState::Dead);
    assert_eq!(received_bodies(&world).len(), 10);
    let event = ids(&world, &order)[0].to_string();
    world.merchant_server.always(ENDPOINT, Outcome::Status(204));
    let again = |key| redeliver::redeliver(&world.app, world.post(key, "/redeliver", ""), &event);
    let response = again("once").await;
    assert_eq!(
        describe(&response),
        "202 redelivering evt_".to_owned() + &event[4..]
    );
    assert!(again("once").await.unwrap().replayed);
    world.run_workers().await;
    assert_eq!(state(&world, &order, 1), DeliveryState::Delivered);
    assert_eq!(received_bodies(&world).len(), 11);
    let nothing = redeliver::redeliver(&world.app, world.post("", "/x", ""), "evt_1").await;
    assert!(matches!(nothing, Err(Error::NotFound)));
    let other = world.of_another_merchant();
    let foreign = redeliver::redeliver(&other.app, other.post("", "/x", ""), &event).await;
    assert!(matches!(foreign, Err(Error::NotFound)));
    endpoint::remove(&world.app, world.merchant.id)
        .await
        .unwrap();
    let homeless = again("").await;
    assert!(matches!(homeless, Err(Error::NoEndpoint)), "{homeless:?}");
}

#[tokio::test(start_paused = true)]
async fn a_later_event_waits_for_the_first_attempt_and_not_for_its_success() {
    let world = World::new();
    world.merchant_server.reply(ENDPOINT, Outcome::Status(500));
    world.merchant_server.block(ENDPOINT);
    let order = world.captured().await;
    let workers = runner::start(&world.app);
    world.merchant_server.wait_for_attempts(1).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(
        received_bodies(&world),
        ["payment.authorized 1"],
        "the second event waits"
    );
    world.merchant_server.unblock(ENDPOINT);
    world.merchant_server.wait_for_attempts(2).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    workers.stop().await;
    assert_eq!(
        received_bodies(&world),
        ["payment.authorized 1", "payment.captured 2"]
    );
    assert_eq!(
        world.merchant_server.max_in_flight_to(ENDPOINT),
        1,
        "the attempts do not overlap"
    );
    assert_eq!(state(&world, &order, 1), DeliveryState::Pending);
    assert_eq!(state(&world, &order, 2), DeliveryState::Delivered);
    world.clock.advance(60);
    world.run_workers().await;
    assert_eq!(state(&world, &order, 1), DeliveryState::Delivered);
}

#[tokio::test(start_paused = true)]
async fn a_410_disables_the_endpoint_and_ends_its_deliveries() {
    let world = World::new();
    world.merchant_server.reply(ENDPOINT, Outcome::Status(500));
    world.merchant_server.reply(ENDPOINT, Outcome::Status(410));
    let order = world.captured().await;
    world.run_until_idle().await;
    assert_eq!(received_bodies(&world).len(), 2);
    for number in [1, 2] {
        assert_eq!(state(&world, &order, number), DeliveryState::Dead);
    }
    let audit = world.store.audit();
    let disabled = audit
        .iter()
        .find(|entry| entry.action.name() == "endpoint_disabled");
    assert_eq!(disabled.unwrap().merchant, Some(world.merchant.id));
    let view = endpoint::get(&world.app, world.merchant.id).await.unwrap();
    assert!(view.endpoint.disabled.is_some());
    let later = world.authorized().await;
    world.run_until_idle().await;
    assert_eq!(
        world.store.deliveries_of(later.id),
        [],
        "the events that are stored and not delivered"
    );
    assert_eq!(world.events(&later), ["authorized"]);
}

#[tokio::test(start_paused = true)]
async fn five_days_of_failures_disable_an_endpoint() {
    let world = World::new();
    world
        .merchant_server
        .always(ENDPOINT, Outcome::Error(SendError::CannotConnect));
    world.authorized().await;
    world.run_for(4 * 86_400).await;
    let is_disabled = async || {
        let view = endpoint::get(&world.app, world.merchant.id).await.unwrap();
        view.endpoint.disabled.is_some()
    };
    assert!(!is_disabled().await);
    world.authorized().await;
    world.run_workers().await;
    world.run_for(86_400 + 43_200).await;
    assert!(is_disabled().await);
    // Setting the endpoint enables it and clears its failures.
    let view = endpoint::get(&world.app, world.merchant.id).await.unwrap();
    let (key, url) = (view.endpoint.key, view.endpoint.url);
    endpoint::set(&world.app, world.merchant.id, key, url)
        .await
        .unwrap();
    assert!(!is_disabled().await);
}

#[tokio::test(start_paused = true)]
async fn a_success_resets_the_failure_period() {
    let world = World::new();
    for _ in 0..6 {
        world.merchant_server.always(ENDPOINT, Outcome::Status(503));
        world.authorized().await;
        world.run_for(2 * 86_400).await;
        world.merchant_server.always(ENDPOINT, Outcome::Status(200));
        world.run_for(86_400).await;
    }
    let view = endpoint::get(&world.app, world.merchant.id).await.unwrap();
    assert_eq!(
        (view.endpoint.disabled, view.endpoint.failing_since),
        (None, None)
    );
}

#[tokio::test(start_paused = true)]
async fn a_removed_endpoint_gets_no_more_webhooks() {
    let world = World::new();
    world.merchant_server.always(ENDPOINT, Outcome::Status(500));
    let order = world.authorized().await;
    world.run_workers().await;
    endpoint::remove(&world.app, world.merchant.id)
        .await
        .unwrap();
    world.run_for(86_400).await;
    assert_eq!(received_bodies(&world).len(), 1);
    assert_eq!(state(&world, &order, 1), DeliveryState::Dead);
}

#[tokio::test(start_paused = true)]
async fn an_event_is_delivered_to_the_endpoint_at_its_commit() {
    let world = World::new();
    let other = "https://new.example.com/hook";
    let order = world.authorized().await;
    let view = endpoint::get(&world.app, world.merchant.id).await.unwrap();
    let url = EndpointUrl::parse(other, false).unwrap();
    endpoint::set(&world.app, world.merchant.id, view.endpoint.key, url)
        .await
        .unwrap();
    world.capture(&order, "", None).await.unwrap();
    world.run_until_idle().await;
    assert_eq!(received_bodies(&world), ["payment.authorized 1"]);
    assert_eq!(world.merchant_server.sent_to(other).len(), 1);
    let event = ids(&world, &order)[0].to_string();
    redeliver::redeliver(&world.app, world.post("", "/x", ""), &event)
        .await
        .unwrap();
    world.run_until_idle().await;
    assert_eq!(
        world.merchant_server.sent_to(other).len(),
        2,
        "the URL of the redelivery"
    );
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_was_not_recorded_is_repeated() {
    for fault in [
        PlannedFault::Between,
        PlannedFault::After,
        PlannedFault::Before,
    ] {
        let world = World::new();
        let order = world.authorized().await;
        world.fault_plan.plan(FaultPoint::Write(1), fault);
        world.run_workers().await;
        world.run_for(60).await;
        assert_eq!(
            state(&world, &order, 1),
            DeliveryState::Delivered,
            "{fault:?}"
        );
        let times = received_bodies(&world).len();
        assert!((1..=2).contains(&times), "{fault:?}: {times}");
    }
}

/// A merchant whose only API key was revoked while an event waits to be delivered.
async fn without_api_key() -> (World, Order, ApiKey) {
    let world = World::new();
    let order = world.authorized().await;
    let audit = world.build.audit(AuditAction::KeyRevoked);
    let keys = world.store.signing_keys(world.merchant.id, world.now());
    let key = keys.await.unwrap().remove(0);
    let ended = world.store.end_key(key.id, world.now(), &audit).await;
    ended.unwrap();
    (world, order, key)
}

#[tokio::test(start_paused = true)]
async fn without_an_api_key_attempts_fail_until_the_delivery_is_dead() {
    let (world, order, _) = without_api_key().await;
    world.run_for(4 * 86_400).await;
    let attempts = world.store.attempts_of(ids(&world, &order)[0]);
    let errors: Vec<_> = attempts.iter().map(|attempt| attempt.error).collect();
    assert_eq!(errors, [Some(SendError::NoApiKey); 10]);
    assert_eq!(state(&world, &order, 1), DeliveryState::Dead);
    assert_eq!(received_bodies(&world).len(), 0, "nothing was sent");
    let endpoint = world.store.endpoint(world.merchant.id).await.unwrap();
    let endpoint = endpoint.unwrap();
    let state = (endpoint.failing_since, endpoint.disabled);
    assert_eq!(state, (None, None), "nothing is known about the endpoint");
}

#[tokio::test(start_paused = true)]
async fn a_new_api_key_signs_what_could_not_be_signed_before() {
    let (world, order, mut key) = without_api_key().await;
    world.run_for(30).await;
    let event = ids(&world, &order)[0];
    assert_eq!(world.store.attempts_of(event).len(), 1);
    (key.id, key.signing_key) = (world.build.id(), SigningKey::of_secret("another"));
    let hash = ApiKeyHash::of("another");
    let audit = world.build.audit(AuditAction::KeyCreated);
    world.store.add_key(&key, &hash, &audit).await.unwrap();
    world.restarted().run_for(120).await;
    assert_eq!(state(&world, &order, 1), DeliveryState::Delivered);
}

#[tokio::test(start_paused = true)]
async fn hanging_endpoints_do_not_delay_others() {
    let world = World::new();
    let quick: Vec<_> = (0..50)
        .map(|_| Arc::new(world.of_another_merchant()))
        .collect();
    world.merchant_server.block(ENDPOINT);
    // All merchants share one endpoint by default: the quick ones get their own.
    let mut urls = Vec::new();
    for (number, other) in quick.iter().enumerate() {
        let text = format!("https://shop{number}.example.com/");
        let view = endpoint::get(&other.app, other.merchant.id).await.unwrap();
        let url = EndpointUrl::parse(&text, false).unwrap();
        endpoint::set(&other.app, other.merchant.id, view.endpoint.key, url)
            .await
            .unwrap();
        urls.push(text);
    }
    for _ in 0..20 {
        world.authorized().await;
    }
    for other in &quick {
        other.authorized().await;
    }
    let workers = runner::start(&world.app);
    tokio::time::sleep(Duration::from_secs(2)).await;
    for url in &urls {
        assert_eq!(world.merchant_server.sent_to(url).len(), 1, "{url}");
    }
    assert!(
        world.merchant_server.in_flight(ENDPOINT) > 0,
        "the slow attempt is still in progress"
    );
    workers.stop().await;
}

#[tokio::test(start_paused = true)]
async fn events_are_listed_by_session_and_kind_page_by_page() {
    let world = World::new();
    let (one, two) = (world.captured().await, world.captured().await);
    let list = async |session: Option<&Order>, kind, limit, cursor| {
        let wanted = events::ListEvents {
            limit,
            cursor,
            session_id: session.map(Order::text),
            kind,
        };
        events::list(&world.app, world.merchant.id, wanted)
            .await
            .unwrap()
    };
    assert_eq!(list(None, None, 100, None).await.items.len(), 4);
    assert_eq!(list(Some(&one), None, 100, None).await.items.len(), 2);
    let captured = list(Some(&two), Some(EventKind::PaymentCaptured), 100, None).await;
    assert_eq!(captured.items[0].event.session, two.id);
    assert_eq!(captured.items.len(), 1);
    let first = list(None, None, 3, None).await;
    let rest = list(None, None, 3, first.next_cursor.clone()).await;
    assert_eq!((first.items.len(), rest.items.len()), (3, 1));
    assert_eq!(rest.next_cursor, None);
    let other = world.of_another_merchant();
    let event = ids(&world, &one)[0].to_string();
    let foreign = events::get(&other.app, other.merchant.id, &event).await;
    assert!(matches!(foreign, Err(Error::NotFound)));
}

#[tokio::test(start_paused = true)]
async fn a_failing_delivery_is_listed_as_stuck_while_it_is_retried() {
    let world = World::new();
    world.authorized().await;
    let wanted = DeliveryClaimFilter {
        limit: 1,
        per_merchant: 1,
        busy: Vec::new(),
    };
    // An internal fault prevents the attempt: the delivery is claimed, dropped and claimed again
    // after the lease has expired, so it is leased nearly all the time.
    world.clock.advance(600);
    let lease = Duration::from_secs(15);
    let claimed = world.store.claim_deliveries(&wanted, lease).await;
    assert_eq!(claimed.unwrap().len(), 1);
    let stuck = operator_queries::stuck(&world.app, 10).await.unwrap();
    let kinds: Vec<StuckKind> = stuck.iter().map(|item| item.kind).collect();
    assert_eq!(kinds, [StuckKind::Delivery]);
}
