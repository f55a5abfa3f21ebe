//! Nodes whose clocks differ from the store's.

use std::time::Duration;

use oncharge_application::{
    store_clock,
    workers::{deadlines, recovery, runner, webhook_delivery},
};
use oncharge_domain::session::StatusName;
use oncharge_testkit::{Call, Fault};

use crate::support::{World, audit};

#[tokio::test(start_paused = true)]
async fn a_node_with_a_fast_clock_claims_nothing_early() {
    let world = World::capturing_after(60);
    let order = world.authorized().await;
    let (ahead, _) = world.on_a_node_ahead(9);
    world.run_workers().await;
    world.clock.advance(55);
    assert_eq!(deadlines::run_once(&ahead.app).await.unwrap(), 0);
    world.clock.advance(5);
    assert_eq!(deadlines::run_once(&ahead.app).await.unwrap(), 1);
    assert_eq!(world.status(&order).await, StatusName::Captured);
}

#[tokio::test(start_paused = true)]
async fn a_node_with_a_slow_clock_processes_a_deadline_at_the_first_claim() {
    let world = World::new();
    let order = world.open().await;
    let (behind, _) = world.on_a_node_ahead(-9);
    world.wait_past_expiry(&order, 0).await;
    assert_eq!(deadlines::run_once(&behind.app).await.unwrap(), 1);
    assert_eq!(world.status(&order).await, StatusName::Expired);
    assert_eq!(deadlines::run_once(&behind.app).await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn released_work_is_due_by_the_stores_clock() {
    for seconds in [-8, 8] {
        let world = World::new();
        let order = world.authorized().await;
        world.run_workers().await;
        let (skewed, _) = world.on_a_node_ahead(seconds);
        store_clock::measure(&skewed.app).await.unwrap();
        assert_eq!(skewed.app.now(), world.now());
        assert_eq!(skewed.app.clock_skew().whole_seconds(), seconds);
        world.psp.fail(Call::Capture, Fault::UnknownAfter);
        skewed.capture(&order, "", None).await.unwrap();
        assert_eq!(recovery::run_once(&world.app).await.unwrap(), 0, "its wait");
        world.clock.advance(2);
        assert_eq!(recovery::run_once(&world.app).await.unwrap(), 1, "is over");
        assert_eq!(audit(&world, &order).await.taken, 10_000);
        // A webhook of such a node does not wait for a future time either.
        assert_eq!(webhook_delivery::run_once(&world.app).await.unwrap(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn workers_of_a_node_with_excessive_clock_skew_pause() {
    let world = World::new();
    let order = world.open().await;
    world.wait_past_expiry(&order, 0).await;
    let (node, clock) = world.on_a_node_ahead(-11);
    store_clock::measure(&node.app).await.unwrap();
    assert!(node.app.is_clock_too_far_off());
    let workers = runner::start(&node.app);
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(
        world.store.commits(),
        1,
        "only the session's creation was committed"
    );
    clock.set(world.now());
    store_clock::measure(&node.app).await.unwrap();
    assert!(!node.app.is_clock_too_far_off());
    tokio::time::sleep(Duration::from_secs(1)).await;
    workers.stop().await;
    assert_eq!(world.status(&order).await, StatusName::Expired);
}
