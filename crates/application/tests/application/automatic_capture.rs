//! Automatic capture after a merchant's own capture or cancel, and while the PSP is unreachable.

use oncharge_domain::{
    operation::{OperationKind, OperationStatus},
    psp::RefusalReason,
    session::StatusName,
};
use oncharge_testkit::{Call, Fault, Reply};

use crate::support::{AuditedState, Order, World, audit, describe};

/// A session with automatic capture after a minute.
async fn authorized() -> (World, Order) {
    let world = World::capturing_after(60);
    let order = world.authorized().await;
    (world, order)
}

fn refused() -> Reply {
    Reply::Refused(RefusalReason::Other("no".into()))
}

#[tokio::test(start_paused = true)]
async fn after_an_unsent_capture_the_requested_amount_is_captured_automatically() {
    let (world, order) = authorized().await;
    world.psp.fail(Call::Capture, Fault::NotSent);
    let response = world.capture(&order, "k", Some(4_000)).await;
    assert_eq!(describe(&response), "PspUnavailable");
    world.run_for(120).await;
    let expected = AuditedState {
        status: StatusName::Captured,
        events: vec!["authorized", "captured"],
        reserved: 0,
        taken: 4_000,
    };
    assert_eq!(audit(&world, &order).await, expected);
}

#[tokio::test(start_paused = true)]
async fn after_a_refused_capture_nothing_is_captured_automatically() {
    let (world, order) = authorized().await;
    world.psp.reply(Call::Capture, refused());
    let response = world.capture(&order, "k", Some(4_000)).await;
    assert_eq!(describe(&response), "409 psp_rejected");
    world.run_for(3_600).await;
    let expected = AuditedState {
        status: StatusName::Authorized,
        events: vec!["authorized"],
        reserved: 10_000,
        taken: 0,
    };
    assert_eq!(audit(&world, &order).await, expected);
    let response = world.capture(&order, "later", Some(4_000)).await;
    assert_eq!(describe(&response), "200 done captured");
}

#[tokio::test(start_paused = true)]
async fn a_capture_or_cancel_refused_because_nothing_is_held_ends_the_session() {
    for (call, response) in [
        (Call::Capture, "409 psp_rejected"),
        (Call::Cancel, "200 done cancelled"),
    ] {
        let (world, order) = authorized().await;
        // Voided at the PSP, which has not sent a notification yet.
        let attempt = world.operation(&order, "authorize").id;
        world
            .psp
            .reverse(attempt, RefusalReason::Other("voided".into()));
        for time in ["first", "again"] {
            let given = match call {
                Call::Capture => world.capture(&order, "k", None).await,
                _ => world.cancel(&order, "k").await,
            };
            assert_eq!(describe(&given), response, "{call:?} {time}");
        }
        world.run_for(3_600).await;
        let expected = AuditedState {
            status: StatusName::Cancelled,
            events: vec!["authorized", "cancelled"],
            reserved: 0,
            taken: 0,
        };
        assert_eq!(audit(&world, &order).await, expected, "{call:?}");
        assert_eq!(world.failure(&order).await, "voided_at_psp", "{call:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_merchant_can_replace_an_automatic_capture_that_was_not_sent() {
    for (cancels, status, taken) in [
        (true, StatusName::Cancelled, 0),
        (false, StatusName::Captured, 4_000),
    ] {
        let (world, order) = authorized().await;
        world.psp.fail(Call::Capture, Fault::NotSent);
        world.clock.advance(60);
        oncharge_application::workers::deadlines::run_once(&world.app)
            .await
            .unwrap();
        let response = if cancels {
            world.cancel(&order, "k").await
        } else {
            world.capture(&order, "k", Some(4_000)).await
        };
        assert!(response.is_ok(), "{response:?}");
        world.run_for(600).await;
        let expected = AuditedState {
            status,
            events: world.events(&order),
            reserved: 0,
            taken,
        };
        assert_eq!(audit(&world, &order).await, expected);
        let mut automatic = world.operations(&order);
        automatic.retain(|o| o.kind == OperationKind::Capture { automatic: true });
        assert_eq!(automatic.len(), 1, "{automatic:?}");
        let automatic = &automatic[0];
        let failed = (OperationStatus::Failed, Some(RefusalReason::NeverSent));
        assert_eq!((automatic.status, automatic.failure.clone()), failed);
    }
}

/// One operation per session, however long the PSP is unreachable.
#[tokio::test(start_paused = true)]
async fn an_outage_creates_one_operation_per_capture() {
    let (world, order) = authorized().await;
    for _ in 0..2_000 {
        world.psp.fail(Call::Capture, Fault::NotSent);
    }
    world.run_for(3 * 3_600).await;
    assert_eq!(world.count(&order, "capture"), 1);
    world.psp.clear_faults();
    world.run_for(1_000).await;
    assert_eq!(world.status(&order).await, StatusName::Captured);
    assert_eq!(world.count(&order, "capture"), 1);
}

/// The number of written rows depends on the number of sessions, not on the length of the outage.
/// (The in-memory store copies its whole state for each commit, so there are few sessions.)
#[tokio::test(start_paused = true)]
async fn an_outage_writes_rows_in_proportion_to_the_sessions() {
    const SESSIONS: usize = 200;
    let world = World::capturing_after(60);
    let mut orders = Vec::new();
    for _ in 0..SESSIONS {
        orders.push(world.authorized().await);
    }
    world.psp.set_unreachable(true);
    let before = rows(&world, &orders).await;
    for hours in [1, 4] {
        world.run_for(hours * 3_600).await;
        // For each session: the intent's version and operation, and the version that records that
        // it was not sent.
        let written = rows(&world, &orders).await - before;
        assert_eq!(written, 3 * SESSIONS, "after {hours} more hours");
    }
    world.psp.set_unreachable(false);
    world.run_for(1_000).await;
    for order in &orders {
        assert_eq!(audit(&world, order).await.taken, 10_000);
        assert_eq!(world.count(order, "capture"), 1);
    }
}

/// The number of versions and operations of these sessions.
async fn rows(world: &World, orders: &[Order]) -> usize {
    let mut rows = 0;
    for order in orders {
        rows += usize::try_from(world.session(order).await.version).unwrap();
        rows += world.operations(order).len();
    }
    rows
}

#[tokio::test(start_paused = true)]
async fn while_a_circuit_breaker_is_open_its_operations_wait() {
    let world = World::new();
    let (order, refunded) = (world.authorized().await, world.captured().await);
    let other = world.at_another_psp();
    let others = other.captured().await;
    for (world, order) in [(&world, &refunded), (&other, &others)] {
        world.psp.fail(Call::Refund, Fault::NotSent);
        world.refund(order, "", 1_000).await.unwrap();
    }
    world
        .psp
        .set_unavailable(vec![world.merchant.account.clone()]);
    let calls = world.psp.calls();
    world.run_for(3_600).await;
    assert_eq!(world.psp.calls(), calls, "calls while the breaker is open");
    let taken = audit(&other, &others).await.taken;
    assert_eq!(taken, 9_000, "captured through the other account");
    // Merchants' requests are attempted anyway: the breaker refuses them itself.
    let response = world.capture(&order, "", None).await;
    assert_eq!(describe(&response), "200 done captured");
    world.psp.set_unavailable(Vec::new());
    world.run_for(30).await;
    assert_eq!(audit(&world, &refunded).await.taken, 9_000);
}

#[tokio::test(start_paused = true)]
async fn an_operation_that_failed_here_and_is_done_at_the_psp_is_recorded_once() {
    let world = World::new();
    let order = world.captured().await;
    world.psp.reply(Call::Refund, refused());
    world.refund(&order, "", 1_000).await.unwrap();
    let refund = world.operation(&order, "refund").id;
    world.psp.complete_refused(refund);
    for _ in 0..3 {
        world.notify(refund).await.unwrap();
    }
    assert_eq!(world.audit_actions(&order), ["unexpected_fact"]);
    assert_eq!(
        world.events(&order),
        [
            "authorized",
            "captured",
            "refund.requested",
            "refund.failed"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn the_event_of_a_partial_capture_carries_the_captured_amount() {
    let world = World::new();
    let order = world.authorized().await;
    world.capture(&order, "", Some(4_000)).await.unwrap();
    let amounts: Vec<i64> = world
        .store
        .events_of(order.id)
        .iter()
        .map(|stored| stored.event.amount.minor())
        .collect();
    assert_eq!(amounts, [10_000, 4_000]);
}
