//! An endpoint that ends with more pending deliveries than are ended at once.

use oncharge_application::{
    webhooks::endpoint,
    workers::{clean_up::CleanUp, runner, webhook_delivery},
};
use oncharge_domain::{
    session::EventKind,
    webhook::{DeliveryState, EndpointUrl},
};
use oncharge_ports::{
    CheckoutRepository, WebhookRepository, webhook_repository::MAX_ENDED_AT_ONCE,
};
use oncharge_testkit::{Outcome, build::ENDPOINT};

use crate::support::{Order, World};

const BATCH: usize = MAX_ENDED_AT_ONCE as usize;
const DELIVERIES: usize = BATCH + 3;

/// A world with an order and this many pending events, without attempts.
async fn order_with_events(count: usize) -> (World, Order) {
    let world = World::new();
    let order = world.authorized().await;
    world.run_workers().await;
    assert_eq!(world.merchant_server.bodies(ENDPOINT).len(), 1);
    let session = world.session(&order).await;
    let mut unit = world
        .build
        .unit_with_event(&session, EventKind::PaymentError);
    while unit.events.len() < count {
        let number = unit.session.next_sequence;
        let event = world.build.event(&session, number, EventKind::PaymentError);
        unit.session.next_sequence += 1;
        unit.events.push(event);
    }
    world.store.commit(unit).await.unwrap();
    world.wait_until(world.build.now());
    assert_eq!(pending(&world, &order), count);
    (world, order)
}

fn pending(world: &World, order: &Order) -> usize {
    let deliveries = world.store.deliveries_of(order.id);
    let states = deliveries.iter().map(|delivery| delivery.state);
    states
        .filter(|state| *state == DeliveryState::Pending)
        .count()
}

/// Sets the endpoint again, at the usual URL.
async fn replace_endpoint(world: &World) {
    let merchant = world.merchant.id;
    let keys = world.store.signing_keys(merchant, world.now()).await;
    let url = EndpointUrl::parse(ENDPOINT, false).unwrap();
    let set = endpoint::set(&world.app, merchant, keys.unwrap()[0].id, url).await;
    assert_eq!(set.unwrap().endpoint.disabled, None);
}

#[tokio::test(start_paused = true)]
async fn a_removal_ends_one_batch_and_the_clean_up_ends_the_rest() {
    let (world, order) = order_with_events(BATCH + DELIVERIES).await;
    endpoint::remove(&world.app, world.merchant.id)
        .await
        .unwrap();
    assert_eq!(pending(&world, &order), DELIVERIES);
    assert_eq!(
        CleanUp::default().pass(&world.app).await.unwrap().count,
        BATCH
    );
    assert_eq!(pending(&world, &order), DELIVERIES - BATCH);
    assert_eq!(
        CleanUp::default().pass(&world.app).await.unwrap().count,
        DELIVERIES - BATCH
    );
    assert_eq!(CleanUp::default().pass(&world.app).await.unwrap().count, 0);
    assert_eq!(pending(&world, &order), 0);
}

#[tokio::test(start_paused = true)]
async fn a_removal_ends_all_deliveries_without_sending_or_waiting() {
    let (world, order) = order_with_events(BATCH + DELIVERIES).await;
    let workers = runner::start(&world.app);
    // The workers have found nothing to do, and sleep.
    world.merchant_server.block(ENDPOINT);
    world.merchant_server.wait_for_attempts(2).await;
    let sent = world.merchant_server.bodies(ENDPOINT).len();
    endpoint::remove(&world.app, world.merchant.id)
        .await
        .unwrap();
    world.merchant_server.unblock(ENDPOINT);
    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    assert_eq!(pending(&world, &order), 0);
    workers.stop().await;
    assert_eq!(world.merchant_server.bodies(ENDPOINT).len(), sent);
}

#[tokio::test(start_paused = true)]
async fn the_worker_sends_no_orphaned_deliveries() {
    let (world, order) = order_with_events(BATCH + DELIVERIES).await;
    endpoint::remove(&world.app, world.merchant.id)
        .await
        .unwrap();
    assert_eq!(webhook_delivery::run_once(&world.app).await.unwrap(), 1);
    assert_eq!(
        pending(&world, &order),
        DELIVERIES - 1,
        "one delivery was ended"
    );
    assert_eq!(
        world.merchant_server.bodies(ENDPOINT).len(),
        1,
        "the ended delivery was not sent"
    );
}

#[tokio::test(start_paused = true)]
async fn a_replaced_endpoint_gets_no_orphaned_deliveries() {
    let (world, order) = order_with_events(BATCH + DELIVERIES).await;
    endpoint::remove(&world.app, world.merchant.id)
        .await
        .unwrap();
    replace_endpoint(&world).await;
    assert_eq!(pending(&world, &order), 0);
    let later = world.authorized().await;
    world.run_until_idle().await;
    let bodies = world.merchant_server.bodies(ENDPOINT);
    assert_eq!(bodies.len(), 2, "{bodies:?}");
    assert!(bodies[1].starts_with("payment.authorized"), "{bodies:?}");
    assert_eq!(
        world.store.deliveries_of(later.id)[0].state,
        DeliveryState::Delivered
    );
}

#[tokio::test(start_paused = true)]
async fn a_disabled_endpoint_gets_no_orphaned_deliveries() {
    let (world, order) = order_with_events(1 + BATCH + DELIVERIES).await;
    world.merchant_server.reply(ENDPOINT, Outcome::Status(410));
    assert_eq!(webhook_delivery::run_once(&world.app).await.unwrap(), 1);
    assert_eq!(pending(&world, &order), DELIVERIES);
    replace_endpoint(&world).await;
    world.run_until_idle().await;
    assert_eq!(pending(&world, &order), 0);
    assert_eq!(world.merchant_server.bodies(ENDPOINT).len(), 2);
}
