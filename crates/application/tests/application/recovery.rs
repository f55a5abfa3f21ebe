//! Recovery: operations left in each state by a crash, a time-out or an unresponsive PSP.

use futures_util::future::join;
use oncharge_domain::{
    operation::{OperationStatus, SendState},
    psp::RefusalReason,
    session::StatusName,
};
use oncharge_testkit::{Call, Fault, Reply, psp::Finish};

use crate::support::{FaultPoint, Order, PlannedFault, World, audit, describe};

/// The state in which an operation was left.
#[derive(Clone, Copy, Debug)]
enum LeftOpen {
    /// Its intent was committed, and the process crashed before the call.
    Intended,
    /// It was sent, and the process crashed before the response.
    Sent,
    /// The request was lost.
    LostBefore,
    /// The response was lost.
    LostAfter,
    /// The PSP has accepted it and sends no notification.
    Accepted,
}

const ALL: [LeftOpen; 5] = [
    LeftOpen::Intended,
    LeftOpen::Sent,
    LeftOpen::LostBefore,
    LeftOpen::LostAfter,
    LeftOpen::Accepted,
];

/// Runs a request that leaves its operation in this state; a crashed process is dropped.
async fn leave_open(world: &World, left: LeftOpen, call: Call, request: impl Future<Output = ()>) {
    match left {
        LeftOpen::Intended => world
            .fault_plan
            .plan(FaultPoint::Call(1), PlannedFault::CrashBefore),
        LeftOpen::Sent => world
            .fault_plan
            .plan(FaultPoint::Call(1), PlannedFault::CrashAfter),
        LeftOpen::LostBefore => world.psp.fail(call, Fault::UnknownBefore),
        LeftOpen::LostAfter => world.psp.fail(call, Fault::UnknownAfter),
        LeftOpen::Accepted => world.psp.reply(call, Reply::Accepted),
    }
    tokio::select! {
        () = world.fault_plan.crashed() => {}
        () = request => {}
    }
}

fn finish_accepted(world: &World, order: &Order, left: LeftOpen, kind: &str) {
    if matches!(left, LeftOpen::Accepted) {
        world
            .psp
            .finish(world.operation(order, kind).id, Finish::Done);
    }
}

#[tokio::test(start_paused = true)]
async fn an_open_attempt_is_finished_once() {
    for left in ALL {
        let world = World::new();
        let order = world.open().await;
        leave_open(&world, left, Call::Authorize, async {
            world.pay(&order, "tok_1").await.unwrap();
        })
        .await;
        let world = world.restarted();
        finish_accepted(&world, &order, left, "authorize");
        world.run_for(61).await;
        let audited = audit(&world, &order).await;
        assert_eq!(
            (audited.status, audited.reserved),
            (StatusName::Authorized, 10_000),
            "{left:?}"
        );
        assert_eq!(audited.events, ["authorized"], "{left:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn open_captures_cancels_and_refunds_are_finished_once() {
    for left in ALL {
        let world = World::new();
        let (to_capture, to_cancel) = (world.authorized().await, world.authorized().await);
        let to_refund = world.captured().await;
        leave_open(&world, left, Call::Capture, async {
            world.capture(&to_capture, "a", None).await.unwrap();
        })
        .await;
        leave_open(&world, left, Call::Cancel, async {
            world.cancel(&to_cancel, "b").await.unwrap();
        })
        .await;
        leave_open(&world, left, Call::Refund, async {
            world.refund(&to_refund, "c", 1_000).await.unwrap();
        })
        .await;
        let world = world.restarted();
        finish_accepted(&world, &to_capture, left, "capture");
        finish_accepted(&world, &to_cancel, left, "cancel");
        finish_accepted(&world, &to_refund, left, "refund");
        world.run_for(61).await;
        let captured = audit(&world, &to_capture).await;
        assert_eq!(
            (captured.status, captured.taken),
            (StatusName::Captured, 10_000),
            "{left:?}"
        );
        let cancelled = audit(&world, &to_cancel).await;
        assert_eq!(cancelled.status, StatusName::Cancelled, "{left:?}");
        let refunded = audit(&world, &to_refund).await;
        assert_eq!(refunded.taken, 9_000, "{left:?}");
        // The merchant repeats each request without a response, and each key has its response.
        for response in [
            world.capture(&to_capture, "a", None).await,
            world.cancel(&to_cancel, "b").await,
            world.refund(&to_refund, "c", 1_000).await,
        ] {
            assert!(
                response.as_ref().unwrap().replayed,
                "{left:?}: {response:?}"
            );
        }
        assert_eq!(audit(&world, &to_refund).await.taken, 9_000, "{left:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn operations_in_progress_are_not_recovered_at_once() {
    let world = World::new();
    let order = world.open().await;
    leave_open(&world, LeftOpen::Intended, Call::Authorize, async {
        world.pay(&order, "tok_1").await.unwrap();
    })
    .await;
    let world = world.restarted();
    world.clock.advance(14);
    world.run_workers().await;
    assert_eq!(
        world.psp.calls(),
        0,
        "another process may be sending it now"
    );
    world.clock.advance(1);
    world.run_workers().await;
    assert_eq!(world.status(&order).await, StatusName::Authorized);
}

#[tokio::test(start_paused = true)]
async fn an_accepted_operation_is_looked_up_after_a_minute() {
    let world = World::new();
    let order = world.open().await;
    world.psp.reply(Call::Authorize, Reply::Accepted);
    world.pay(&order, "tok_1").await.unwrap();
    let calls = world.psp.calls();
    world.clock.advance(59);
    world.run_workers().await;
    assert_eq!(world.psp.calls(), calls);
    world.clock.advance(1);
    world.run_workers().await;
    assert_eq!(world.psp.calls(), calls + 1);
}

#[tokio::test(start_paused = true)]
async fn an_unresponsive_psp_is_retried_with_backoff_under_one_key() {
    let world = World::new();
    let order = world.open().await;
    world.psp.fail(Call::Authorize, Fault::UnknownBefore);
    for _ in 0..40 {
        world.psp.fail(Call::LookUp, Fault::UnknownBefore);
    }
    world.pay(&order, "tok_1").await.unwrap();
    let before = world.psp.calls();
    world.run_for(600).await;
    let tries = world.psp.calls() - before;
    assert!((20..=40).contains(&tries), "{tries} tries in ten minutes");
    assert_eq!(world.status(&order).await, StatusName::Pending);
    world.psp.clear_faults();
    world.run_for(31).await;
    let audited = audit(&world, &order).await;
    assert_eq!(audited.reserved, 10_000);
    assert_eq!(world.count(&order, "authorize"), 1);
}

#[tokio::test(start_paused = true)]
async fn not_sent_on_a_retry_does_not_prove_that_the_first_call_was_not_sent() {
    let world = World::new();
    let order = world.authorized().await;
    // The first call may have arrived; the repetition certainly did not.
    world.psp.fail(Call::Capture, Fault::UnknownBefore);
    world.psp.fail(Call::Capture, Fault::NotSent);
    world.capture(&order, "k", None).await.unwrap();
    world.clock.advance(1);
    world.run_workers().await;
    let capture = world.operation(&order, "capture");
    assert!(capture.is_open(), "{capture:?}");
    assert_eq!(capture.sending, SendState::Unknown);
    world.run_for(30).await;
    assert_eq!(audit(&world, &order).await.taken, 10_000);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_outcome_fails_only_on_a_psp_refusal() {
    let world = World::new();
    let order = world.authorized().await;
    world.psp.fail(Call::Capture, Fault::UnknownAfter);
    let no = Reply::Refused(RefusalReason::Other("no".into()));
    world.psp.reply(Call::Capture, no);
    world.capture(&order, "k", None).await.unwrap();
    world.run_for(5).await;
    let audited = audit(&world, &order).await;
    assert_eq!(
        audited.events,
        ["authorized", "capture_failed"],
        "the events after a 202 response"
    );
    assert_eq!(audited.reserved, 10_000);
}

#[tokio::test(start_paused = true)]
async fn after_the_key_lifetime_operations_are_only_looked_up() {
    let world = World::new();
    world
        .psp
        .set_key_lifetime(std::time::Duration::from_secs(3600));
    let order = world.authorized().await;
    for _ in 0..10_000 {
        world.psp.fail(Call::Capture, Fault::UnknownBefore);
    }
    world.capture(&order, "k", None).await.unwrap();
    world.clock.advance(3600);
    world.psp.clear_faults();
    world.run_for(7200).await;
    let arrived = world.psp.received_calls();
    let sent = arrived.iter().any(|(call, _)| *call == Call::Capture);
    assert!(
        !sent,
        "sent again under a key that the PSP may have deleted"
    );
    let looked_up = arrived
        .iter()
        .filter(|(call, _)| *call == Call::LookUp)
        .count();
    assert!(looked_up > 5, "{looked_up} look-ups");
    assert!(
        world.operation(&order, "capture").is_open(),
        "the operation is not listed as stuck"
    );
}

/// An operation that was never sent outlives the lifetime of keys; then its first request is lost.
#[tokio::test(start_paused = true)]
async fn a_keys_lifetime_begins_when_it_is_first_sent() {
    let world = World::capturing_after(60);
    let lifetime = std::time::Duration::from_secs(3600);
    world.psp.set_key_lifetime(lifetime);
    let order = world.authorized().await;
    world.psp.set_unreachable(true);
    world.run_for(7200).await;
    assert_eq!(
        world.operation(&order, "capture").sending,
        SendState::NotSent
    );
    world.psp.set_unreachable(false);
    world.psp.fail(Call::Capture, Fault::UnknownBefore);
    world.run_for(1800).await;
    assert_eq!(world.status(&order).await, StatusName::Captured);
}

/// A process is suspended between a commit and its call for so long that another process takes
/// over.
#[tokio::test(start_paused = true)]
async fn what_recovery_has_taken_over_is_not_sent_by_the_suspended_process() {
    let world = World::new();
    let order = world.captured().await;
    let other_node = world.restarted();
    world.fault_plan.commit.suspend_next();
    let take_over = async {
        world.fault_plan.commit.suspended().await;
        other_node.run_for(60).await;
        assert_eq!(
            world.operation(&order, "refund").status,
            OperationStatus::Succeeded
        );
        world.fault_plan.commit.resume();
    };
    let (response, ()) = join(world.refund(&order, "k", 500), take_over).await;
    assert_eq!(describe(&response), "201 refund refund_succeeded");
    let arrived = world.psp.received_calls();
    let sent = arrived.iter().filter(|(call, _)| *call == Call::Refund);
    assert_eq!(sent.count(), 1, "{arrived:?}");
}

#[tokio::test(start_paused = true)]
async fn a_failing_store_or_account_is_retried_with_backoff() {
    let world = World::new();
    let order = world.open().await;
    world.psp.fail(Call::Authorize, Fault::UnknownAfter);
    world.pay(&order, "tok_1").await.unwrap();
    // The outcome cannot be committed: the operation is due later, not immediately.
    world.clock.advance(1);
    world
        .fault_plan
        .plan(FaultPoint::Commit(1), PlannedFault::Before);
    world.run_workers().await;
    let calls = world.psp.calls();
    world.run_workers().await;
    assert_eq!(world.psp.calls(), calls, "no pause after a failure");
    let attempt = world.operation(&order, "authorize").id;
    let next = world.store.next_try_at(attempt).unwrap();
    assert!(next > world.now(), "due at {next:?}");
    world.run_for(5).await;
    assert_eq!(audit(&world, &order).await.reserved, 10_000);
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_renewed_during_a_slow_psp_call() {
    let world = World::new();
    let order = world.authorized().await;
    world.psp.fail(Call::Capture, Fault::UnknownAfter);
    world.capture(&order, "k", None).await.unwrap();
    world.clock.advance(1);
    world.psp.pause();
    let working = oncharge_application::workers::recovery::run_once(&world.app);
    let waiting = async {
        for _ in 0..40 {
            // Both clocks advance together: the process's timers and the store's leases.
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            world.clock.advance(1);
            let elsewhere = world.restarted();
            let taken = oncharge_application::workers::recovery::run_once(&elsewhere.app).await;
            assert_eq!(
                taken.unwrap(),
                0,
                "another worker claimed a leased operation"
            );
        }
        world.psp.resume();
    };
    let (worked, ()) = futures_util::future::join(working, waiting).await;
    assert_eq!(worked.unwrap(), 1);
    assert_eq!(
        audit(&world, &order).await.taken,
        10_000,
        "completed by the first worker"
    );
}
