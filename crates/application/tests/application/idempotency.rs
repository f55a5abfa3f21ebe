//! Idempotency keys: the first response is repeated, and there is one effect.

use futures_util::future::join_all;
use oncharge_application::Error;
use oncharge_domain::{
    idempotency::IDEMPOTENCY_RETENTION_SECONDS, operation::SendState, psp::RefusalReason,
};
use oncharge_testkit::{Call, Fault, Reply, build::eur, psp::Finish};

use crate::support::{FaultPoint, PlannedFault, World, audit, default_checkout, describe};

#[tokio::test(start_paused = true)]
async fn the_first_response_is_replayed_byte_for_byte() {
    let world = World::new();
    let first = world.create("k", default_checkout()).await.unwrap();
    world.clock.advance(100);
    let again = world
        .restarted()
        .create("k", default_checkout())
        .await
        .unwrap();
    assert!(again.replayed && !first.replayed);
    assert_eq!(again.response, first.response);
    assert_eq!(world.store.session_ids().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_key_belongs_to_one_request_of_one_merchant() {
    let world = World::new();
    let order = world.captured().await;
    world.refund(&order, "k", 100).await.unwrap();
    for response in [
        world.refund(&order, "k", 101).await,
        world.create("k", default_checkout()).await,
        world.capture(&order, "k", None).await,
        world.cancel(&order, "k").await,
        world.expire(&order, "k").await,
    ] {
        assert!(
            matches!(response, Err(Error::IdempotencyKeyReused)),
            "{response:?}"
        );
    }
    assert_eq!(world.store.refunds_of(order.id).len(), 1);
    // The same key of another merchant is another key.
    let other = world.of_another_merchant();
    let response = other.create("k", default_checkout()).await;
    assert_eq!(describe(&response), "201 created");
}

#[tokio::test(start_paused = true)]
async fn a_response_is_replayed_for_72_hours() {
    let world = World::new();
    let first = world.create("k", default_checkout()).await.unwrap();
    world.clock.advance(IDEMPOTENCY_RETENTION_SECONDS);
    let last = world.create("k", default_checkout()).await.unwrap();
    assert_eq!(last.response, first.response);
    world.clock.advance(1);
    let fresh = world.create("k", default_checkout()).await.unwrap();
    assert!(!fresh.replayed);
    assert_ne!(fresh.response, first.response);
    let again = world.create("k", default_checkout()).await.unwrap();
    assert_eq!(again.response, fresh.response, "the new response is stored");
    let mut other = default_checkout();
    other.amount = eur(1);
    let reused = world.create("k", other).await;
    assert!(
        matches!(reused, Err(Error::IdempotencyKeyReused)),
        "{reused:?}"
    );
}

/// The PSP has accepted a refund, and its outcome takes longer than keys are kept.
#[tokio::test(start_paused = true)]
async fn a_request_whose_operation_is_open_is_never_carried_out_again() {
    let world = World::new();
    let order = world.captured().await;
    world.psp.reply(Call::Refund, Reply::Accepted);
    let first = world.refund(&order, "k", 500).await.unwrap();
    world.clock.advance(IDEMPOTENCY_RETENTION_SECONDS + 1);
    let again = world.refund(&order, "k", 500).await.unwrap();
    assert!(again.replayed);
    assert_eq!(again.response, first.response);
    let other = world.refund(&order, "k", 600).await;
    assert!(
        matches!(other, Err(Error::IdempotencyKeyReused)),
        "{other:?}"
    );
    assert_eq!(world.count(&order, "refund"), 1);

    let refund = world.operation(&order, "refund").id;
    world.psp.finish(refund, Finish::Done);
    world.notify(refund).await.unwrap();
    let fresh = world.refund(&order, "k", 500).await.unwrap();
    assert!(!fresh.replayed);
    assert_eq!(world.count(&order, "refund"), 2);
}

#[tokio::test(start_paused = true)]
async fn a_repeated_request_in_progress_is_a_conflict() {
    let world = World::new();
    let (authorized, captured) = (world.authorized().await, world.captured().await);
    world.psp.pause();
    let first = async {
        let capture = world.capture(&authorized, "c", None);
        let refund = world.refund(&captured, "r", 100);
        futures_util::future::join(capture, refund).await
    };
    let meanwhile = async {
        while world.count(&authorized, "capture") + world.count(&captured, "refund") < 2 {
            tokio::task::yield_now().await;
        }
        let capture = world.capture(&authorized, "c", None).await;
        assert!(
            matches!(capture, Err(Error::IdempotencyConflict)),
            "{capture:?}"
        );
        let refund = world.refund(&captured, "r", 100).await;
        assert!(
            matches!(refund, Err(Error::IdempotencyConflict)),
            "{refund:?}"
        );
        let other = world.capture(&authorized, "c", Some(1)).await;
        assert!(
            matches!(other, Err(Error::IdempotencyKeyReused)),
            "{other:?}"
        );
        world.psp.resume();
    };
    let ((capture, refund), ()) = futures_util::future::join(first, meanwhile).await;
    let (capture, refund) = (capture.unwrap(), refund.unwrap());
    let again = world.capture(&authorized, "c", None).await.unwrap();
    assert_eq!(again.response, capture.response);
    let again = world.refund(&captured, "r", 100).await.unwrap();
    assert_eq!(again.response, refund.response);
}

#[tokio::test(start_paused = true)]
async fn sixteen_equal_creations_create_one_session() {
    let world = World::new();
    let responses = join_all((0..16).map(|_| world.create("k", default_checkout()))).await;
    let responses: Vec<_> = responses.into_iter().map(Result::unwrap).collect();
    assert_eq!(world.store.session_ids().len(), 1);
    assert!(
        responses
            .iter()
            .all(|reply| reply.response == responses[0].response)
    );
    let winners = responses.iter().filter(|reply| !reply.replayed).count();
    assert_eq!(winners, 1);
}

#[tokio::test(start_paused = true)]
async fn sixteen_equal_commands_have_one_effect_and_the_others_conflict() {
    // Each command takes the full amount, so the loser's own decision would be a refusal that does
    // not mention the key.
    let world = World::new();
    let (to_capture, to_cancel) = (world.authorized().await, world.authorized().await);
    let (to_refund, to_expire) = (world.captured().await, world.open().await);
    let round = || async {
        let captures = join_all((0..16).map(|_| world.capture(&to_capture, "a", None))).await;
        let cancels = join_all((0..16).map(|_| world.cancel(&to_cancel, "b"))).await;
        let refunds = join_all((0..16).map(|_| world.refund(&to_refund, "c", 10_000))).await;
        let expiries = join_all((0..16).map(|_| world.expire(&to_expire, "d"))).await;
        [captures, cancels, refunds, expiries]
    };
    for (responses, expected) in round().await.into_iter().zip([
        "200 done captured",
        "200 done cancelled",
        "201 refund refund_succeeded",
        "200 done expired",
    ]) {
        let fresh: Vec<_> = responses.iter().flatten().filter(|r| !r.replayed).collect();
        assert_eq!(fresh.len(), 1, "{responses:?}");
        for reply in &responses {
            let response = describe(reply);
            assert!(
                response == expected || response == "IdempotencyConflict",
                "{response}"
            );
        }
    }
    for responses in round().await {
        assert!(
            responses
                .iter()
                .all(|response| response.as_ref().unwrap().replayed)
        );
    }
    assert_eq!(audit(&world, &to_capture).await.taken, 10_000);
    assert_eq!(audit(&world, &to_cancel).await.reserved, 0);
    assert_eq!(audit(&world, &to_refund).await.taken, 0);
    assert_eq!(audit(&world, &to_expire).await.events, ["expired"]);
}

#[tokio::test(start_paused = true)]
async fn refunds_with_one_key_are_one_refund() {
    let world = World::new();
    let order = world.captured().await;
    for key in ["a", "a", "b", "b", "", ""] {
        world.refund(&order, key, 100).await.unwrap();
    }
    assert_eq!(world.store.refunds_of(order.id).len(), 4);
    assert_eq!(audit(&world, &order).await.taken, 9_600);
}

#[tokio::test(start_paused = true)]
async fn refusals_before_any_write_are_not_stored() {
    let world = World::new();
    let order = world.open().await;
    for response in [
        world.capture(&order, "k", None).await,
        world.refund(&order, "k", 1).await,
        world.cancel(&order, "k").await,
    ] {
        assert!(
            matches!(response, Err(Error::InvalidState(_))),
            "{response:?}"
        );
    }
    world.pay(&order, "tok_1").await.unwrap();
    assert_eq!(
        describe(&world.capture(&order, "k", None).await),
        "200 done captured"
    );
}

#[tokio::test(start_paused = true)]
async fn psp_rejected_is_stored_and_psp_unavailable_releases_the_key() {
    let world = World::new();
    let order = world.authorized().await;
    let no = Reply::Refused(RefusalReason::Other("no".into()));
    world.psp.reply(Call::Capture, no);
    let first = world.capture(&order, "k", None).await.unwrap();
    assert_eq!(first.response.status, 409);
    let again = world.capture(&order, "k", None).await.unwrap();
    assert_eq!(
        again.response, first.response,
        "the stored response has the id of the first request"
    );
    for _ in 0..3 {
        world.psp.fail(Call::Cancel, Fault::NotSent);
        let response = world.cancel(&order, "free").await;
        assert!(
            matches!(response, Err(Error::PspUnavailable)),
            "{response:?}"
        );
    }
    // A released key can be used for any request.
    assert_eq!(
        describe(&world.capture(&order, "free", None).await),
        "200 done captured"
    );
    assert_eq!(world.count(&order, "cancel"), 3);
    assert_eq!(audit(&world, &order).await.taken, 10_000);
}

#[tokio::test(start_paused = true)]
async fn recovery_stores_a_response_that_was_never_sent() {
    let no = Reply::Refused(RefusalReason::Other("no".into()));
    for (reply, expected) in [
        (Reply::Done, "200 done captured"),
        (no, "409 psp_rejected"),
        // The outcome may take days; that the PSP accepted the operation is a final response.
        (Reply::Accepted, "202 accepted authorized"),
    ] {
        for fault in [PlannedFault::Before, PlannedFault::CrashBefore] {
            let case = format!("{reply:?} {fault:?}");
            let world = World::new();
            let order = world.authorized().await;
            world.psp.reply(Call::Capture, reply.clone());
            // The intent is committed, the outcome is not.
            world.fault_plan.plan(FaultPoint::Commit(2), fault);
            tokio::select! {
                () = world.fault_plan.crashed() => {}
                first = world.capture(&order, "k", None) => {
                    assert_eq!(describe(&first), "202 accepted authorized", "{case}");
                }
            }
            let world = world.restarted();
            let open = world.capture(&order, "k", None).await;
            assert!(
                matches!(open, Err(Error::IdempotencyConflict)),
                "{case}: {open:?}"
            );
            world.run_for(30).await;
            let response = world.capture(&order, "k", None).await;
            assert_eq!(describe(&response), expected, "{case}");
            assert!(response.unwrap().replayed, "{case}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_response_is_stored_although_a_notification_came_first() {
    let world = World::new();
    let order = world.authorized().await;
    world.psp.reply(Call::Capture, Reply::Accepted);
    world.fault_plan.hold_responses();
    let asking = world.capture(&order, "k", None);
    let telling = async {
        let capture = loop {
            tokio::task::yield_now().await;
            let operations = world.operations(&order);
            let mut captures = operations.iter().filter(|o| o.kind.name() == "capture");
            if let Some(capture) = captures.next()
                && world.psp.current_response(capture.id).is_some()
            {
                break capture.id;
            }
        };
        // The notification reports the same result as the pending response, which then has no
        // effect.
        world.notify(capture).await.unwrap();
        world.fault_plan.release_responses();
    };
    let (first, ()) = futures_util::future::join(asking, telling).await;
    assert_eq!(describe(&first), "202 accepted authorized");
    let again = world.capture(&order, "k", None).await;
    assert_eq!(
        describe(&again),
        "202 accepted authorized",
        "the stored response"
    );
    assert_eq!(again.unwrap().response, first.unwrap().response);
}

#[tokio::test(start_paused = true)]
async fn a_response_is_stored_although_recovery_took_over() {
    let world = World::new();
    let order = world.authorized().await;
    for _ in 0..2 {
        world.psp.fail(Call::Capture, Fault::UnknownBefore);
    }
    world.fault_plan.hold_responses();
    let asking = world.capture(&order, "k", None);
    // The request takes so long that a worker sends it again; neither gets a response.
    let elsewhere = world.restarted();
    let recovering = async {
        while world.count(&order, "capture") == 0 {
            tokio::task::yield_now().await;
        }
        world.clock.advance(15);
        oncharge_application::workers::recovery::run_once(&elsewhere.app).await
    };
    let watching = async {
        while world.count(&order, "capture") == 0
            || world.operation(&order, "capture").sending != SendState::Unknown
        {
            tokio::task::yield_now().await;
        }
        world.fault_plan.release_responses();
    };
    let (first, recovered, ()) = futures_util::future::join3(asking, recovering, watching).await;
    assert_eq!(describe(&first), "202 accepted authorized");
    assert_eq!(recovered.unwrap(), 1);
    let again = world.capture(&order, "k", None).await;
    assert_eq!(describe(&again), "202 accepted authorized");
    world.run_for(60).await;
    assert_eq!(audit(&world, &order).await.taken, 10_000);
}
