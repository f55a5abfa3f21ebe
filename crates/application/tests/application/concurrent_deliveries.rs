//! Actions of a merchant during a delivery attempt: neither undoes the other.

use oncharge_application::{
    webhooks::{endpoint, redeliver},
    workers::webhook_delivery,
};
use oncharge_domain::{
    id::EventId,
    webhook::{DeliveryState, EndpointUrl, SendError},
};
use oncharge_testkit::{Outcome, build::ENDPOINT};

use crate::support::{Order, World};

fn first_event(world: &World, order: &Order) -> EventId {
    world.store.events_of(order.id)[0].id
}

fn state(world: &World, order: &Order) -> DeliveryState {
    world.store.deliveries_of(order.id)[0].state
}

/// Blocks an attempt, executes the action, and lets the attempt finish.
async fn during_an_attempt(world: &World, action: impl AsyncFnOnce()) {
    let begun = world.merchant_server.sent().len();
    world.merchant_server.block(ENDPOINT);
    let attempt = webhook_delivery::run_once(&world.app);
    let concurrently = async {
        world.merchant_server.wait_for_attempts(begun + 1).await;
        action().await;
        world.merchant_server.unblock(ENDPOINT);
    };
    let (claimed, ()) = tokio::join!(attempt, concurrently);
    assert_eq!(claimed.unwrap(), 1);
}

async fn redeliver_event(world: &World, event: EventId) {
    let again =
        redeliver::redeliver(&world.app, world.post("", "/x", ""), &event.to_string()).await;
    assert_eq!(again.unwrap().response.status, 202);
}

async fn replace_endpoint(world: &World, url: &str) {
    let key = endpoint::get(&world.app, world.merchant.id)
        .await
        .unwrap()
        .endpoint
        .key;
    let url = EndpointUrl::parse(url, false).unwrap();
    endpoint::set(&world.app, world.merchant.id, key, url)
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_redelivery_during_the_last_attempt_is_not_lost() {
    let world = World::new();
    world
        .merchant_server
        .always(ENDPOINT, Outcome::Error(SendError::Timeout));
    let order = world.authorized().await;
    let event = first_event(&world, &order);
    for _ in 0..9 {
        world.wait_until(world.store.delivery_due_at(event).unwrap());
        world.run_workers().await;
    }
    world.wait_until(world.store.delivery_due_at(event).unwrap());
    // The tenth attempt is in progress, and will fail, when the merchant requests a redelivery.
    during_an_attempt(&world, async || redeliver_event(&world, event).await).await;
    world.merchant_server.always(ENDPOINT, Outcome::Status(200));
    world.run_until_idle().await;
    assert_eq!(
        state(&world, &order),
        DeliveryState::Delivered,
        "the redelivery was accepted with 202, so it must be sent"
    );
    let attempts = world.store.attempts_of(event);
    assert_eq!(attempts.len(), 11, "the number of attempts");
}

#[tokio::test(start_paused = true)]
async fn a_redelivery_to_a_new_endpoint_is_not_ended_by_an_attempt_at_the_old_one() {
    let world = World::new();
    let order = world.authorized().await;
    let event = first_event(&world, &order);
    let new = "https://new.example.com/hook";
    during_an_attempt(&world, async || {
        replace_endpoint(&world, new).await;
        redeliver_event(&world, event).await;
    })
    .await;
    world.run_until_idle().await;
    assert_eq!(
        world.merchant_server.sent_to(new).len(),
        1,
        "the redelivery was accepted with 202, so it goes to the new endpoint"
    );
}

#[tokio::test(start_paused = true)]
async fn a_replaced_endpoint_is_not_disabled_for_earlier_failures() {
    let world = World::new();
    world
        .merchant_server
        .always(ENDPOINT, Outcome::Error(SendError::CannotConnect));
    world.authorized().await;
    world.run_for(4 * 86_400).await;
    world.authorized().await;
    world.run_workers().await;
    world.clock.advance(86_400 + 60);
    // This attempt began after five days of failures, and fails.
    during_an_attempt(&world, async || replace_endpoint(&world, ENDPOINT).await).await;
    let view = endpoint::get(&world.app, world.merchant.id).await.unwrap();
    assert_eq!(
        view.endpoint.disabled, None,
        "setting an endpoint enables it"
    );
}

#[tokio::test(start_paused = true)]
async fn an_attempt_is_kept_when_its_endpoint_is_removed() {
    let world = World::new();
    let order = world.authorized().await;
    let event = first_event(&world, &order);
    during_an_attempt(&world, async || {
        let removed = endpoint::remove(&world.app, world.merchant.id).await;
        removed.unwrap();
    })
    .await;
    let attempts = world.store.attempts_of(event);
    assert_eq!(attempts.len(), 1, "the number of attempts");
    assert_eq!(attempts[0].status, Some(200));
    assert_eq!(state(&world, &order), DeliveryState::Dead);
}
