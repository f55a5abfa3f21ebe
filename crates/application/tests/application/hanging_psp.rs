//! An account whose PSP hangs does not delay other accounts, in each of the workers that call PSPs.

use std::time::Duration;

use oncharge_application::workers::runner;
use oncharge_domain::session::StatusName;
use oncharge_testkit::{Call, Fault, Reply, psp::Finish};

use crate::support::{Order, World, audit};

/// Number of due items of the hanging account.
const HANGING_OPERATIONS: usize = 80;
/// Number of items of one account that a worker processes at once without competition.
const SHARED_CAPACITY: usize = 256;

/// Advances both clocks by a second: the process's timers and the store's.
async fn tick(world: &World) {
    world.clock.advance(1);
    tokio::time::sleep(Duration::from_secs(1)).await;
}

/// Waits until the order is captured while the other account hangs; at most this many seconds.
async fn captured_within(seconds: u32, world: &World, order: &Order, hanging: &World) {
    for _ in 0..seconds {
        tick(world).await;
        let held = hanging.psp.waiting();
        assert!(
            held <= SHARED_CAPACITY,
            "{held} items of the hanging account in progress"
        );
        if world.status(order).await == StatusName::Captured {
            return;
        }
    }
    panic!("the order waits for another account's PSP");
}

/// The PSP responds again: all orders are captured, and each operation was sent once.
async fn all_are_captured_once(world: &World, hanging: &World, orders: &[Order]) {
    hanging.psp.resume();
    for _ in 0..40 {
        tick(world).await;
    }
    for order in orders {
        let audited = audit(hanging, order).await;
        assert_eq!(
            (audited.status, audited.taken),
            (StatusName::Captured, 10_000)
        );
    }
    for call in [Call::Capture, Call::LookUp] {
        let arrived = hanging.psp.received_calls();
        let mut asked: Vec<_> = arrived.iter().filter(|(kind, _)| *kind == call).collect();
        let all = asked.len();
        asked.sort_by_key(|(_, operation)| *operation);
        asked.dedup();
        assert_eq!(asked.len(), all, "{call:?}: an operation was sent twice");
    }
}

/// Captures whose responses were lost: recovery looks them up.
async fn sessions_with_unknown_outcome(world: &World, count: usize) -> Vec<Order> {
    let mut orders = Vec::new();
    for _ in 0..count {
        let order = world.authorized().await;
        world.psp.fail(Call::Capture, Fault::UnknownAfter);
        world.capture(&order, "", None).await.unwrap();
        orders.push(order);
    }
    world.clock.advance(1);
    orders
}

#[tokio::test(start_paused = true)]
async fn operations_of_other_accounts_are_recovered() {
    let world = World::new();
    let hanging = world.at_another_psp();
    let orders = sessions_with_unknown_outcome(&hanging, SHARED_CAPACITY + 20).await;
    let order = sessions_with_unknown_outcome(&world, 1).await.remove(0);
    hanging.psp.pause();
    let workers = runner::start(&world.app);
    captured_within(3, &world, &order, &hanging).await;
    assert_eq!(
        hanging.psp.waiting(),
        SHARED_CAPACITY,
        "the number of calls in progress"
    );
    // They are in progress for longer than a lease.
    for _ in 0..20 {
        tick(&world).await;
        assert_eq!(hanging.psp.waiting(), SHARED_CAPACITY);
    }
    let later = sessions_with_unknown_outcome(&world, 1).await.remove(0);
    captured_within(3, &world, &later, &hanging).await;
    all_are_captured_once(&world, &hanging, &orders).await;
    workers.stop().await;
}

#[tokio::test(start_paused = true)]
async fn notifications_of_other_accounts_are_applied() {
    let world = World::new();
    let hanging = world.at_another_psp();
    let mut orders = Vec::new();
    for _ in 0..HANGING_OPERATIONS {
        let order = hanging.authorized().await;
        hanging.psp.reply(Call::Capture, Reply::Accepted);
        hanging.capture(&order, "", None).await.unwrap();
        let capture = hanging.operation(&order, "capture").id;
        // The notification contains no result, so the PSP is called.
        let body = hanging.psp.notification_body(capture);
        hanging.receive(&body).await.unwrap();
        hanging.psp.finish(capture, Finish::Done);
        orders.push(order);
    }
    world.clock.advance(1);
    let order = world.authorized().await;
    world.psp.reply(Call::Capture, Reply::Accepted);
    world.capture(&order, "", None).await.unwrap();
    let capture = world.operation(&order, "capture").id;
    world.psp.finish(capture, Finish::Done);
    let body = world.psp.notification_body(capture);
    world.receive(&body).await.unwrap();
    hanging.psp.pause();
    let workers = runner::start(&world.app);
    captured_within(3, &world, &order, &hanging).await;
    assert_eq!(
        hanging.psp.waiting(),
        HANGING_OPERATIONS,
        "without competition"
    );
    all_are_captured_once(&world, &hanging, &orders).await;
    workers.stop().await;
}

#[tokio::test(start_paused = true)]
async fn deadlines_of_other_accounts_are_processed() {
    let world = World::capturing_after(60);
    let hanging = world.at_another_psp();
    let mut orders = Vec::new();
    for _ in 0..HANGING_OPERATIONS {
        orders.push(hanging.authorized().await);
    }
    world.clock.advance(1);
    let order = world.authorized().await;
    world.clock.advance(60);
    hanging.psp.pause();
    let workers = runner::start(&world.app);
    captured_within(3, &world, &order, &hanging).await;
    assert_eq!(
        hanging.psp.waiting(),
        HANGING_OPERATIONS,
        "without competition"
    );
    all_are_captured_once(&world, &hanging, &orders).await;
    workers.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_for_items_in_progress_and_leaves_the_rest() {
    let world = World::new();
    let hanging = world.at_another_psp();
    let orders = sessions_with_unknown_outcome(&hanging, HANGING_OPERATIONS).await;
    hanging.psp.pause();
    let workers = runner::start(&world.app);
    for _ in 0..3 {
        tick(&world).await;
    }
    assert_eq!(hanging.psp.waiting(), HANGING_OPERATIONS);
    let stopping = workers.stop();
    tokio::pin!(stopping);
    for _ in 0..5 {
        tokio::select! {
            () = &mut stopping => panic!("the stop did not wait for items in progress"),
            () = tick(&world) => {}
        }
    }
    let late = sessions_with_unknown_outcome(&world, 1).await.remove(0);
    hanging.psp.resume();
    stopping.await;
    for order in &orders {
        let status = hanging.status(order).await;
        assert_eq!(
            status,
            StatusName::Captured,
            "an item in progress was not finished"
        );
    }
    let status = world.status(&late).await;
    assert_eq!(status, StatusName::Authorized, "another item was processed");
    let workers = runner::start(&world.app);
    all_are_captured_once(&world, &hanging, &orders).await;
    workers.stop().await;
}
