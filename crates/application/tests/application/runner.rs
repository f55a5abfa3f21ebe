//! The workers as the server runs them: started, notified, stopped.

use std::time::Duration;

use oncharge_application::workers::runner;
use oncharge_domain::session::StatusName;
use oncharge_testkit::{Call, Fault};

use crate::support::{World, audit};

#[tokio::test(start_paused = true)]
async fn workers_process_due_work() {
    let world = World::capturing_after(60);
    let order = world.open().await;
    world.psp.fail(Call::Authorize, Fault::UnknownBefore);
    let workers = runner::start(&world.app);
    world.pay(&order, "tok_1").await.unwrap();
    for _ in 0..200 {
        world.clock.advance(1);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(world.status(&order).await, StatusName::Captured);
    workers.stop().await;
    assert_eq!(audit(&world, &order).await.taken, 10_000);
}

#[tokio::test(start_paused = true)]
async fn workers_survive_an_unavailable_store() {
    use crate::support::{FaultPoint, PlannedFault};
    let world = World::new();
    let order = world.open().await;
    world.wait_past_expiry(&order, 0).await;
    world
        .fault_plan
        .plan(FaultPoint::Commit(1), PlannedFault::Before);
    let workers = runner::start(&world.app);
    for _ in 0..40 {
        world.clock.advance(1);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    workers.stop().await;
    assert_eq!(audit(&world, &order).await.events, ["expired"]);
}

#[tokio::test(start_paused = true)]
async fn stopping_finishes_items_in_progress_and_claims_no_more() {
    let world = World::new();
    let order = world.authorized().await;
    world.psp.fail(Call::Capture, Fault::UnknownAfter);
    world.capture(&order, "k", None).await.unwrap();
    world.clock.advance(2);
    world.psp.pause();
    let workers = runner::start(&world.app);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let stopping = workers.stop();
    let letting_go = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        world.psp.resume();
    };
    futures_util::future::join(stopping, letting_go).await;
    assert_eq!(audit(&world, &order).await.taken, 10_000);
    let other = world.open().await;
    world.wait_past_expiry(&other, 0).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let swept = world.session(&other).await.status_name();
    assert_eq!(swept, StatusName::Created, "a stopped worker has worked");
}

#[tokio::test(start_paused = true)]
async fn a_dropped_request_is_completed_before_shutdown() {
    let world = World::new();
    let order = world.authorized().await;
    world.psp.pause();
    tokio::select! {
        biased;
        response = world.capture(&order, "k", None) => panic!("answered: {response:?}"),
        () = async {
            while world.count(&order, "capture") == 0 {
                tokio::task::yield_now().await;
            }
        } => {}
    }
    // The client has disconnected; the work continues.
    world.psp.resume();
    world.app.drain().await;
    assert_eq!(audit(&world, &order).await.taken, 10_000);
    let response = world.capture(&order, "k", None).await.unwrap();
    assert!(response.replayed);
}
