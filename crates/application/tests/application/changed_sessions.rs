//! Calls and notifications for a session that has changed in the meantime.

use oncharge_application::workers::{deadlines, recovery};
use oncharge_domain::{
    operation::{CompensationMethod, OperationKind, SendState},
    psp::RefusalReason,
    refund::RefundStatus,
    session::StatusName,
};
use oncharge_testkit::{Call, Fault, Reply, psp::Finish};

use crate::support::{World, audit, let_other_tasks_run};

#[tokio::test(start_paused = true)]
async fn an_attempt_that_expires_during_its_look_up_is_not_resent() {
    let world = World::new();
    let order = world.open().await;
    world.wait_past_expiry(&order, -30).await;
    world.psp.fail(Call::Authorize, Fault::UnknownBefore);
    world.pay(&order, "tok_1").await.unwrap();
    world.wait_past_expiry(&order, -1).await;
    world.psp.pause();
    let meanwhile = async {
        let_other_tasks_run().await;
        world.wait_past_expiry(&order, 1).await;
        deadlines::run_once(&world.app).await.unwrap();
        world.psp.resume();
    };
    let (recovered, ()) =
        futures_util::future::join(recovery::run_once(&world.app), meanwhile).await;
    assert_eq!(recovered.unwrap(), 1);
    let calls: Vec<Call> = world
        .psp
        .received_calls()
        .iter()
        .map(|(call, _)| *call)
        .collect();
    assert_eq!(calls, [Call::LookUp]);
    world.run_for(120).await;
    assert_eq!(audit(&world, &order).await.events, ["expired"]);
}

#[tokio::test(start_paused = true)]
async fn a_notification_for_an_ended_attempt_is_looked_up_and_compensated() {
    let world = World::new();
    let order = world.open().await;
    world.psp.reply(Call::Authorize, Reply::Accepted);
    world.pay(&order, "tok_1").await.unwrap();
    let attempt = world.operation(&order, "authorize");
    let nothing = Reply::Refused(RefusalReason::NothingHeld);
    world.psp.reply(Call::Cancel, nothing);
    world.wait_past_expiry(&order, 1).await;
    world.run_workers().await;
    assert_eq!(world.status(&order).await, StatusName::Expired);
    // The PSP authorizes it nevertheless; its notification contains no result.
    world.psp.finish(attempt.id, Finish::Done);
    assert_eq!(world.psp.reserved(order.id), 10_000);
    let reference = attempt.reference.unwrap();
    let notification = format!(
        "ntf_x\n{}\n{}\n10000 EUR\n{2}\naccepted\n{2}\n",
        attempt.id,
        order.id,
        reference.as_str()
    );
    world.deliver(notification.as_bytes()).await.unwrap();
    world.run_workers().await;
    let audited = audit(&world, &order).await;
    assert_eq!((audited.reserved, audited.events), (0, vec!["expired"]));
    let void = world.operation(&order, "compensation");
    assert!(
        matches!(void.kind, OperationKind::Compensation { of, by: CompensationMethod::Void, .. } if of == attempt.id),
        "{void:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_unsent_refund_fails_if_the_capture_was_reversed() {
    let world = World::new();
    let order = world.captured().await;
    let capture = world.operation(&order, "capture").id;
    world.psp.fail(Call::Refund, Fault::NotSent);
    world.psp.pause();
    let meanwhile = async {
        let_other_tasks_run().await;
        let other = RefusalReason::Other("failed_late".to_owned());
        world.psp.reverse(capture, other);
        world.notify(capture).await.unwrap();
        world.psp.resume();
    };
    let (response, ()) =
        futures_util::future::join(world.refund(&order, "k", 1_000), meanwhile).await;
    assert_eq!(response.unwrap().response.status, 201);
    assert_eq!(world.failure(&order).await, "capture_failed");
    let refund = world.store.refunds_of(order.id).remove(0);
    assert_eq!(
        refund.status,
        RefundStatus::Failed(RefusalReason::NothingHeld)
    );
    world.run_for(60).await;
    let arrived = world.psp.received_calls();
    assert!(
        arrived.iter().all(|(call, _)| *call != Call::Refund),
        "money of a failed capture was refunded"
    );
    assert_eq!(
        world.events(&order),
        [
            "authorized",
            "captured",
            "refund.requested",
            "capture_failed",
            "refund.failed"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn an_accepted_operation_is_looked_up_after_a_minute_and_then_with_backoff() {
    let world = World::new();
    let order = world.authorized().await;
    world.psp.reply(Call::Capture, Reply::Accepted);
    world.capture(&order, "k", None).await.unwrap();
    let capture = world.operation(&order, "capture");
    assert_eq!(capture.sending, SendState::Accepted);
    let look_ups = || {
        let arrived = world.psp.received_calls();
        arrived
            .iter()
            .filter(|(call, _)| *call == Call::LookUp)
            .count()
    };
    for (after, so_many) in [(59, 0), (60, 1), (62, 2), (66, 3)] {
        world.wait_until(capture.created_at.plus_seconds(after));
        world.run_workers().await;
        assert_eq!(look_ups(), so_many, "after {after} s");
    }
    // The notification is lost; the next look-up finds the result.
    world.psp.finish(capture.id, Finish::Done);
    world.run_for(9).await;
    assert_eq!(world.status(&order).await, StatusName::Captured);
}
