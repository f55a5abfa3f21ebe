//! What a reviewer found: races between an attempt under way and what its merchant does meanwhile,
//! stuck work that hides, and floods of notifications that lead nowhere.

use std::time::Duration;

use oncharge_application::{
    oversight,
    webhooks::{endpoint, redeliver},
    workers::{psp_inbox, webhook_delivery},
};
use oncharge_domain::{
    id::{EventId, OperationId},
    session::StatusName,
    webhook::{DeliveryState, EndpointUrl, SendError},
};
use oncharge_ports::{
    WorkQueue,
    work_queue::{StuckKind, WantedDeliveries},
};
use oncharge_testkit::{Call, Outcome, Reply, build::ENDPOINT, psp::Finish};

use crate::support::{Order, World};

fn first_event(world: &World, order: &Order) -> EventId {
    world.store.events_of(order.id)[0].id
}

/// Lets one attempt hang, does this meanwhile, and lets the attempt come to its end.
async fn during_an_attempt(world: &World, meanwhile: impl AsyncFnOnce()) {
    let begun = world.shop.sent().len();
    world.shop.hang(ENDPOINT);
    let attempt = webhook_delivery::run_once(&world.app);
    let beside = async {
        world.shop.begun(begun + 1).await;
        meanwhile().await;
        world.shop.let_go(ENDPOINT);
    };
    let (claimed, ()) = tokio::join!(attempt, beside);
    assert_eq!(claimed.unwrap(), 1);
}

async fn redelivered(world: &World, event: EventId) {
    let again =
        redeliver::redeliver(&world.app, world.post("", "/x", ""), &event.to_string()).await;
    assert_eq!(again.unwrap().answer.status, 202);
}

async fn set_anew(world: &World, url: &str) {
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
async fn a_redelivery_that_meets_the_last_attempt_is_not_lost() {
    let world = World::new();
    world
        .shop
        .always(ENDPOINT, Outcome::Error(SendError::Timeout));
    let order = world.authorized().await;
    let event = first_event(&world, &order);
    for _ in 0..9 {
        world.wait_until(world.store.delivery_due_at(event).unwrap());
        world.work().await;
    }
    world.wait_until(world.store.delivery_due_at(event).unwrap());
    // The tenth is under way, and will fail, when the merchant asks for another round.
    during_an_attempt(&world, async || redelivered(&world, event).await).await;
    world.shop.always(ENDPOINT, Outcome::Status(200));
    world.settle().await;
    let state = world.store.deliveries_of(order.id)[0].state;
    assert_eq!(
        state,
        DeliveryState::Delivered,
        "202 was answered: it is on its way"
    );
}

#[tokio::test(start_paused = true)]
async fn a_redelivery_to_a_new_endpoint_is_not_ended_by_an_attempt_at_the_old_one() {
    let world = World::new();
    let order = world.authorized().await;
    let event = first_event(&world, &order);
    let new = "https://new.example.com/hook";
    during_an_attempt(&world, async || {
        set_anew(&world, new).await;
        redelivered(&world, event).await;
    })
    .await;
    world.settle().await;
    assert_eq!(
        world.shop.sent_to(new).len(),
        1,
        "202 was answered: it goes to the present one"
    );
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_was_set_anew_is_not_disabled_for_failures_before() {
    let world = World::new();
    world
        .shop
        .always(ENDPOINT, Outcome::Error(SendError::CannotConnect));
    world.authorized().await;
    world.pass(4 * 86_400).await;
    world.authorized().await;
    world.work().await;
    world.clock.advance(86_400 + 60);
    // This attempt began when five days of failures were over, and fails.
    during_an_attempt(&world, async || set_anew(&world, ENDPOINT).await).await;
    let view = endpoint::get(&world.app, world.merchant.id).await.unwrap();
    assert_eq!(view.endpoint.disabled, None, "it is enabled by being set");
}

#[tokio::test(start_paused = true)]
async fn a_delivery_that_fails_at_every_try_is_listed_while_it_is_tried_too() {
    let world = World::new();
    world.authorized().await;
    let wanted = WantedDeliveries {
        limit: 1,
        each: 1,
        busy: Vec::new(),
    };
    // A fault of ours keeps it from being attempted: claimed, given up, claimed again when the
    // lease has run out, it is in somebody's hands nearly all the time.
    world.clock.advance(600);
    let lease = Duration::from_secs(15);
    let claimed = world
        .store
        .claim_deliveries(world.now(), &wanted, lease)
        .await;
    assert_eq!(claimed.unwrap().len(), 1);
    let stuck = oversight::stuck(&world.app, 10).await.unwrap();
    let kinds: Vec<StuckKind> = stuck.iter().map(|item| item.kind).collect();
    assert_eq!(kinds, [StuckKind::Delivery]);
}

/// More than many claims take.
const FLOOD: usize = 320;

#[tokio::test(start_paused = true)]
async fn a_flood_of_notifications_that_lead_nowhere_holds_up_no_other() {
    let world = World::new();
    let order = world.open().await;
    world.psp.reply(Call::Authorize, Reply::Accepted);
    world.pay(&order, "tok_1").await.unwrap();
    let attempt = world.operation(&order, "authorize").id;
    world.psp.finish(attempt, Finish::Done);
    let right = String::from_utf8(world.psp.notification_body(attempt)).unwrap();
    let (_, rest) = right.split_once('\n').unwrap();
    for number in 0..FLOOD {
        let unknown: OperationId = world.build.id();
        let told = rest.replace(&attempt.to_string(), &unknown.to_string());
        let junk = format!("ntf_junk{number}\n{told}");
        world.receive(junk.as_bytes()).await.unwrap();
    }
    // A quarter of an hour of it, at the pace of the poll.
    let mut looks = 0;
    for _ in 0..900 {
        world.clock.advance(1);
        looks += psp_inbox::run_once(&world.app).await.unwrap();
    }
    let each = looks / FLOOD;
    assert!(each <= 12, "each was looked at {each} times");
    world.receive(right.as_bytes()).await.unwrap();
    while psp_inbox::run_once(&world.app).await.unwrap() > 0 {}
    assert_eq!(world.status(&order).await, StatusName::Authorized);
}
