//! A PSP result is not lost if another node commits between this node's reads of the session and of
//! the operation, so that the two are inconsistent.

use futures_util::future::join;
use oncharge_application::workers::psp_inbox;
use oncharge_domain::{
    id::OperationId,
    psp::RefusalReason,
    session::{FailureCode, StatusName},
};
use oncharge_testkit::{Call, Reply, psp::Finish};

use crate::support::{
    FaultPoint, Order, PlannedFault, World, audit, describe, let_other_tasks_run,
};

/// The PSP reports an operation as done and then as reversed. One node applies the second
/// notification; between its two reads, another node applies the first.
async fn reversed_between_two_reads(world: &World, operation: OperationId, reason: RefusalReason) {
    let other_node = world.restarted();
    world.psp.finish(operation, Finish::Done);
    let done = world.psp.notification_body(operation);
    world.psp.reverse(operation, reason);
    let reversed = world.psp.notification_body(operation);
    world.receive(&reversed).await.unwrap();
    world.fault_plan.session_read.suspend_next();
    let apply_done = async {
        world.fault_plan.session_read.suspended().await;
        other_node.deliver(&done).await.unwrap();
        world.fault_plan.session_read.resume();
    };
    let (applied, ()) = join(psp_inbox::run_once(&world.app), apply_done).await;
    applied.unwrap();
    world.run_workers().await;
}

fn lapsed() -> RefusalReason {
    RefusalReason::Other("failed_late".to_owned())
}

async fn accepted_capture(world: &World) -> (Order, OperationId) {
    let order = world.authorized().await;
    world.psp.reply(Call::Capture, Reply::Accepted);
    world.capture(&order, "k", None).await.unwrap();
    let capture = world.operation(&order, "capture").id;
    (order, capture)
}

#[tokio::test(start_paused = true)]
async fn a_capture_that_is_reversed_ends_as_failed() {
    let world = World::new();
    let (order, capture) = accepted_capture(&world).await;
    reversed_between_two_reads(&world, capture, lapsed()).await;
    assert_eq!(world.failure(&order).await, "capture_failed");
    assert_eq!(
        world.events(&order),
        ["authorized", "captured", "capture_failed"]
    );
}

#[tokio::test(start_paused = true)]
async fn an_authorization_that_lapses_ends_as_cancelled() {
    let world = World::new();
    let order = world.open().await;
    world.psp.reply(Call::Authorize, Reply::Accepted);
    world.pay(&order, "tok_1").await.unwrap();
    let attempt = world.operation(&order, "authorize").id;
    reversed_between_two_reads(&world, attempt, RefusalReason::AuthorizationExpired).await;
    assert_eq!(
        world.session(&order).await.failure(),
        Some(FailureCode::AuthorizationExpired)
    );
    assert_eq!(
        audit(&world, &order).await.events,
        ["authorized", "cancelled"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_cancel_that_is_reversed_is_compensated() {
    let world = World::new();
    let order = world.authorized().await;
    world.psp.reply(Call::Cancel, Reply::Accepted);
    world.cancel(&order, "k").await.unwrap();
    let cancel = world.operation(&order, "cancel").id;
    reversed_between_two_reads(&world, cancel, lapsed()).await;
    world.run_until_idle().await;
    assert_eq!(world.count(&order, "compensation"), 1);
    let audited = audit(&world, &order).await;
    assert_eq!(
        (audited.status, audited.reserved),
        (StatusName::Cancelled, 0)
    );
}

/// The PSP reports a refund as done, then as failed, and repeats the first report. One node applies
/// the repetition; between its read of the operation and its commit, another node applies the
/// failure.
#[tokio::test(start_paused = true)]
async fn a_repeated_success_of_a_failed_refund_is_no_contradiction() {
    let world = World::new();
    let order = world.captured().await;
    world.refund(&order, "", 500).await.unwrap();
    let refund = world.operation(&order, "refund").id;
    let done = world.psp.notification_body(refund);
    world.psp.reverse(refund, lapsed());
    let failed = world.psp.notification_body(refund);
    let other_node = world.restarted();
    world.receive(&done).await.unwrap();
    world.fault_plan.session_read.suspend_next();
    let apply_failure = async {
        world.fault_plan.session_read.suspended().await;
        other_node.deliver(&failed).await.unwrap();
        world.fault_plan.session_read.resume();
    };
    let (applied, ()) = join(psp_inbox::run_once(&world.app), apply_failure).await;
    applied.unwrap();
    let refund = world.operation(&order, "refund");
    assert_eq!(refund.failure, Some(lapsed()));
    assert_eq!(refund.contradiction, None);
    assert_eq!(
        world.events(&order),
        [
            "authorized",
            "captured",
            "refund.requested",
            "refund.succeeded",
            "refund.failed"
        ]
    );
}

/// Without an idempotency key there is no stored response to repeat.
#[tokio::test(start_paused = true)]
async fn a_capture_without_a_key_responds_with_the_current_session() {
    let world = World::new();
    let order = world.authorized().await;
    let other_node = world.restarted();
    world.psp.pause();
    let meanwhile = async {
        let_other_tasks_run().await;
        // The request's first commit is a conflict, so it reads again.
        world
            .fault_plan
            .plan(FaultPoint::Commit(1), PlannedFault::Between);
        world.fault_plan.session_read.suspend_next();
        world.psp.resume();
        world.fault_plan.session_read.suspended().await;
        let capture = world.operation(&order, "capture").id;
        other_node.notify(capture).await.unwrap();
        world.fault_plan.session_read.resume();
    };
    let (response, ()) = join(world.capture(&order, "", None), meanwhile).await;
    assert_eq!(describe(&response), "200 done captured");
}
