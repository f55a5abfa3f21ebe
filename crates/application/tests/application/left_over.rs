//! An endpoint that ends with more on the way than is ended at once.

use oncharge_application::{
    webhooks::endpoint,
    workers::{clean_up::CleanUp, runner, webhook_delivery},
};
use oncharge_domain::{
    session::EventKind,
    webhook::{DeliveryState, EndpointUrl},
};
use oncharge_ports::{CheckoutRepository, WebhookRepository, webhook_repository::ENDED_AT_ONCE};
use oncharge_testkit::{Outcome, build::ENDPOINT};

use crate::support::{Order, World};

const PORTION: usize = ENDED_AT_ONCE as usize;
const LEFT_OVER: usize = PORTION + 3;

/// A world with an order of which so many events are on their way, none of them tried.
async fn told(count: usize) -> (World, Order) {
    let world = World::new();
    let order = world.authorized().await;
    world.work().await;
    assert_eq!(world.shop.bodies(ENDPOINT).len(), 1);
    let session = world.session(&order).await;
    let mut unit = world.build.telling(&session, EventKind::PaymentError);
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

/// Sets the endpoint anew, at the usual URL.
async fn set_again(world: &World) {
    let merchant = world.merchant.id;
    let keys = world.store.signing_keys(merchant, world.now()).await;
    let url = EndpointUrl::parse(ENDPOINT, false).unwrap();
    let set = endpoint::set(&world.app, merchant, keys.unwrap()[0].id, url).await;
    assert_eq!(set.unwrap().endpoint.disabled, None);
}

#[tokio::test(start_paused = true)]
async fn a_removal_ends_a_portion_and_the_clean_up_ends_the_rest() {
    let (world, order) = told(PORTION + LEFT_OVER).await;
    endpoint::remove(&world.app, world.merchant.id)
        .await
        .unwrap();
    assert_eq!(pending(&world, &order), LEFT_OVER);
    assert_eq!(
        CleanUp::default().pass(&world.app).await.unwrap().count,
        PORTION
    );
    assert_eq!(pending(&world, &order), LEFT_OVER - PORTION);
    assert_eq!(
        CleanUp::default().pass(&world.app).await.unwrap().count,
        LEFT_OVER - PORTION
    );
    assert_eq!(CleanUp::default().pass(&world.app).await.unwrap().count, 0);
    assert_eq!(pending(&world, &order), 0);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_after_a_removal_and_all_ends_without_a_wait() {
    let (world, order) = told(PORTION + LEFT_OVER).await;
    let workers = runner::start(&world.app);
    // They have found nothing to clean up, and sleep.
    world.shop.hang(ENDPOINT);
    world.shop.begun(2).await;
    let sent = world.shop.bodies(ENDPOINT).len();
    endpoint::remove(&world.app, world.merchant.id)
        .await
        .unwrap();
    world.shop.let_go(ENDPOINT);
    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    assert_eq!(pending(&world, &order), 0);
    workers.stop().await;
    assert_eq!(world.shop.bodies(ENDPOINT).len(), sent);
}

#[tokio::test(start_paused = true)]
async fn the_worker_sends_nothing_that_is_left_over() {
    let (world, order) = told(PORTION + LEFT_OVER).await;
    endpoint::remove(&world.app, world.merchant.id)
        .await
        .unwrap();
    assert_eq!(webhook_delivery::run_once(&world.app).await.unwrap(), 1);
    assert_eq!(pending(&world, &order), LEFT_OVER - 1, "it is ended");
    assert_eq!(world.shop.bodies(ENDPOINT).len(), 1, "and not sent");
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_is_set_again_gets_nothing_of_what_was_left_over() {
    let (world, order) = told(PORTION + LEFT_OVER).await;
    endpoint::remove(&world.app, world.merchant.id)
        .await
        .unwrap();
    set_again(&world).await;
    assert_eq!(pending(&world, &order), 0);
    let later = world.authorized().await;
    world.settle().await;
    let bodies = world.shop.bodies(ENDPOINT);
    assert_eq!(bodies.len(), 2, "{bodies:?}");
    assert!(bodies[1].starts_with("payment.authorized"), "{bodies:?}");
    assert_eq!(
        world.store.deliveries_of(later.id)[0].state,
        DeliveryState::Delivered
    );
}

#[tokio::test(start_paused = true)]
async fn nor_does_one_that_was_gone() {
    let (world, order) = told(1 + PORTION + LEFT_OVER).await;
    world.shop.reply(ENDPOINT, Outcome::Status(410));
    assert_eq!(webhook_delivery::run_once(&world.app).await.unwrap(), 1);
    assert_eq!(pending(&world, &order), LEFT_OVER);
    set_again(&world).await;
    world.settle().await;
    assert_eq!(pending(&world, &order), 0);
    assert_eq!(world.shop.bodies(ENDPOINT).len(), 2);
}
