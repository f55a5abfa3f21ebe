//! Equal and conflicting concurrent requests, in one process and in two.

use futures_util::future::{join, join_all};
use oncharge_application::Error;
use oncharge_domain::{
    psp::RefusalReason,
    session::{NextAction, StatusName},
};
use oncharge_testkit::{Call, Reply, psp::Finish};

use crate::support::{Order, World, audit, describe};

/// 20 refunds of 15.00 on 100.00: six fit.
async fn refund_race(nodes: &[&World], order: &Order) {
    let asking = (0..20).map(|n| {
        let world = nodes[n % nodes.len()];
        async move { world.refund(order, &format!("k{n}"), 1_500).await }
    });
    let responses = join_all(asking).await;
    let (mut ordered, mut refused) = (0, 0);
    for response in &responses {
        match response {
            Ok(_) => ordered += 1,
            Err(Error::RefundExceedsCaptured(_)) => refused += 1,
            Err(error) => panic!("{error:?}"),
        }
    }
    assert_eq!((ordered, refused), (6, 14));
    nodes[0].run_until_idle().await;
    let audited = audit(nodes[0], order).await;
    assert_eq!(audited.taken, 1_000);
    assert_eq!(audited.events.len(), 2 + 2 * 6);
}

#[tokio::test(start_paused = true)]
async fn concurrent_refunds_never_exceed_the_capture() {
    let world = World::new();
    let order = world.captured().await;
    refund_race(&[&world], &order).await;
}

#[tokio::test(start_paused = true)]
async fn concurrent_refunds_in_three_processes_never_exceed_the_capture() {
    let world = World::new();
    let order = world.captured().await;
    let (second, third) = (world.restarted(), world.restarted());
    refund_race(&[&world, &second, &third], &order).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_refunds_on_many_threads_never_exceed_the_capture() {
    let world = World::new();
    let order = world.captured().await;
    refund_race(&[&world], &order).await;
}

#[tokio::test(start_paused = true)]
async fn a_concurrent_capture_and_cancel_have_one_winner() {
    for two_processes in [false, true] {
        for capture_first in [false, true] {
            let world = World::new();
            let order = world.authorized().await;
            let elsewhere = world.restarted();
            let other = if two_processes { &elsewhere } else { &world };
            let (capture, cancel) = if capture_first {
                join(world.capture(&order, "a", None), other.cancel(&order, "b")).await
            } else {
                let cancelling = world.cancel(&order, "b");
                let (cancel, capture) = join(cancelling, other.capture(&order, "a", None)).await;
                (capture, cancel)
            };
            world.run_until_idle().await;
            let audited = audit(&world, &order).await;
            let (won, lost) = match audited.status {
                StatusName::Captured => (capture, cancel),
                _ => (cancel, capture),
            };
            assert!(won.is_ok(), "{}", describe(&won));
            assert!(
                matches!(lost, Err(Error::InvalidState(_) | Error::InProgress(_))),
                "{}",
                describe(&lost)
            );
            assert_eq!(audited.events.len(), 2, "{:?}", audited.events);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn concurrent_payments_with_many_cards_keep_one_authorization() {
    for nodes in [1, 2, 4] {
        let world = World::new();
        let order = world.open().await;
        let nodes: Vec<World> = (0..nodes).map(|_| world.restarted()).collect();
        let paying = (0..16).map(|n| {
            let (node, order) = (&nodes[n % nodes.len()], &order);
            async move { node.pay(order, &format!("tok_{n}")).await }
        });
        let responses = join_all(paying).await;
        let paid = responses.iter().filter(|response| response.is_ok()).count();
        assert_eq!(paid, 1, "{responses:?}");
        for response in &responses {
            assert!(
                matches!(
                    response,
                    Ok(_) | Err(Error::InvalidState(_) | Error::InProgress(_))
                ),
                "{response:?}"
            );
        }
        assert_eq!(world.psp.payments(order.id).len(), 1);
        assert_eq!(audit(&world, &order).await.reserved, 10_000);
    }
}

#[tokio::test(start_paused = true)]
async fn concurrent_payments_with_one_token_are_one_attempt() {
    for nodes in [1, 2, 4] {
        for reply in [Reply::Done, Reply::Refused(RefusalReason::CardDeclined)] {
            let world = World::new();
            let order = world.open().await;
            let nodes: Vec<World> = (0..nodes).map(|_| world.restarted()).collect();
            world.psp.reply(Call::Authorize, reply.clone());
            let paying = (0..16).map(|n| nodes[n % nodes.len()].pay(&order, "tok_1"));
            for response in join_all(paying).await {
                response.unwrap();
            }
            let case = format!("{reply:?} in {} processes", nodes.len());
            assert_eq!(world.count(&order, "authorize"), 1, "{case}");
            assert_eq!(world.events(&order).len(), 1, "{case}");
            assert_eq!(world.session(&order).await.counted_attempts(), 1, "{case}");
        }
    }
}

/// Delays a request's response until a notification of the same result was handled.
async fn notified_before_response<T>(
    world: &World,
    order: &Order,
    kind: &str,
    request: impl Future<Output = T>,
) -> T {
    world.fault_plan.hold_responses();
    let telling = async {
        let operation = loop {
            tokio::task::yield_now().await;
            let operations = world.operations(order);
            let mut of_kind = operations.iter().filter(|o| o.kind.name() == kind);
            if let Some(operation) = of_kind.next()
                && world.psp.current_response(operation.id).is_some()
            {
                break operation.id;
            }
        };
        world.notify(operation).await.unwrap();
        world.fault_plan.release_responses();
    };
    join(request, telling).await.0
}

#[tokio::test(start_paused = true)]
async fn a_notification_before_the_response_has_the_same_effect() {
    let world = World::new();
    let (paid, to_cancel) = (world.open().await, world.authorized().await);
    let (to_capture, to_refund) = (world.authorized().await, world.captured().await);
    let paying = world.pay(&paid, "tok_1");
    let state = notified_before_response(&world, &paid, "authorize", paying).await;
    assert_eq!(state.unwrap().status, StatusName::Authorized);
    let capturing = world.capture(&to_capture, "a", None);
    let response = notified_before_response(&world, &to_capture, "capture", capturing).await;
    assert_eq!(describe(&response), "200 done captured");
    let cancelling = world.cancel(&to_cancel, "b");
    let response = notified_before_response(&world, &to_cancel, "cancel", cancelling).await;
    assert_eq!(describe(&response), "200 done cancelled");
    let refunding = world.refund(&to_refund, "c", 10_000);
    let response = notified_before_response(&world, &to_refund, "refund", refunding).await;
    assert_eq!(describe(&response), "201 refund refund_succeeded");
    for (order, events) in [
        (&paid, &["authorized"][..]),
        (&to_capture, &["authorized", "captured"]),
        (&to_cancel, &["authorized", "cancelled"]),
    ] {
        assert_eq!(audit(&world, order).await.events, events);
    }
    let audited = audit(&world, &to_refund).await;
    assert_eq!((audited.events.len(), audited.taken), (4, 0));
    for response in [
        world.capture(&to_capture, "a", None).await,
        world.cancel(&to_cancel, "b").await,
        world.refund(&to_refund, "c", 10_000).await,
    ] {
        assert!(response.as_ref().unwrap().replayed, "{response:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_notified_before_the_response_counts_once() {
    let world = World::new();
    let no = Reply::Refused(RefusalReason::CardDeclined);
    for call in [Call::Authorize, Call::Capture] {
        world.psp.reply(call, no.clone());
    }
    let order = world.open().await;
    let paying = world.pay(&order, "tok_1");
    let state = notified_before_response(&world, &order, "authorize", paying).await;
    assert_eq!(state.unwrap().status, StatusName::Refused);
    assert_eq!(world.events(&order), ["refused"]);
    assert_eq!(world.session(&order).await.counted_attempts(), 1);
    let order = world.authorized().await;
    let capturing = world.capture(&order, "a", None);
    let response = notified_before_response(&world, &order, "capture", capturing).await;
    assert_eq!(describe(&response), "409 psp_rejected");
    let again = world.capture(&order, "a", None).await.unwrap();
    assert_eq!(again.response, response.unwrap().response);
}

#[tokio::test(start_paused = true)]
async fn a_concurrent_expiry_and_payment_have_one_winner() {
    for n in 0..2 {
        let world = World::new();
        let order = world.open().await;
        let withdrawing = world.expire(&order, "k");
        let (paid, withdrawn) = if n == 0 {
            join(world.pay(&order, "tok_1"), withdrawing).await
        } else {
            let (withdrawn, paid) = join(withdrawing, world.pay(&order, "tok_1")).await;
            (paid, withdrawn)
        };
        assert_ne!(paid.is_ok(), withdrawn.is_ok(), "{paid:?} {withdrawn:?}");
        let audited = audit(&world, &order).await;
        assert_eq!(audited.reserved > 0, paid.is_ok());
        assert_eq!(audited.events.len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_challenge_passed_while_it_is_abandoned_has_one_outcome() {
    for abandon_first in [true, false] {
        let world = World::new();
        let order = world.open().await;
        world.psp.reply(Call::Authorize, Reply::ActionRequired);
        let state = world.pay(&order, "tok_1").await.unwrap();
        assert!(matches!(state.next, NextAction::Challenge(_)));
        let attempt = world.operation(&order, "authorize").id;
        let passing = async {
            // If the PSP has already cancelled it, there is nothing to pass.
            if !matches!(
                world.psp.current_response(attempt),
                Some(oncharge_domain::psp::PspResponse::Refused(_))
            ) {
                world.psp.finish(attempt, Finish::Done);
            }
            world.notify(attempt).await.unwrap();
        };
        if abandon_first {
            let _ = join(world.abandon(&order), passing).await;
        } else {
            let _ = join(passing, world.abandon(&order)).await;
        }
        world.run_until_idle().await;
        let audited = audit(&world, &order).await;
        let kept = audited.status == StatusName::Authorized;
        assert_eq!(audited.reserved, if kept { 10_000 } else { 0 });
        assert_eq!(
            audited.events,
            [if kept { "authorized" } else { "refused" }]
        );
    }
}

#[tokio::test(start_paused = true)]
async fn two_workers_do_not_repeat_work() {
    let world = World::capturing_after(60);
    let mut orders = Vec::new();
    for _ in 0..40 {
        orders.push(world.authorized().await);
    }
    world.clock.advance(60);
    let elsewhere = world.restarted();
    for _ in 0..4 {
        join(world.run_workers(), elsewhere.run_workers()).await;
    }
    for order in &orders {
        let audited = audit(&world, order).await;
        assert_eq!(audited.events, ["authorized", "captured"]);
        assert_eq!(world.count(order, "capture"), 1);
    }
}
