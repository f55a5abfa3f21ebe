//! Payments that no session keeps are compensated.

use oncharge_domain::{
    id::OperationId,
    operation::{CompensationMethod, OperationKind},
    psp::{Instruction, RefusalReason},
    session::StatusName,
};
use oncharge_ports::{CheckoutRepository, Connector as _, Psp as _, psp::PspRequest as Order_};
use oncharge_testkit::{Call, Fault, Reply, psp::Finish};

use crate::support::{AuditedState, Order, PspBehavior, World, audit, default_checkout};

/// An attempt that the PSP accepted; its notification arrives more than fifteen minutes after the
/// expiry, and no worker has run since.
async fn late_payment(world: &World) -> (Order, OperationId) {
    let order = world.open().await;
    world.psp.reply(Call::Authorize, Reply::Accepted);
    world.pay(&order, "tok_1").await.unwrap();
    let attempt = world.operation(&order, "authorize").id;
    world.wait_past_expiry(&order, 901).await;
    world.psp.finish(attempt, Finish::Done);
    world.notify(attempt).await.unwrap();
    (order, attempt)
}

fn nothing_held() -> AuditedState {
    AuditedState {
        status: StatusName::Expired,
        events: vec!["expired"],
        reserved: 0,
        taken: 0,
    }
}

fn compensation_methods(world: &World, order: &Order) -> Vec<CompensationMethod> {
    let operations = world.operations(order).into_iter();
    let compensation_methods = operations.filter_map(|operation| match operation.kind {
        OperationKind::Compensation { by, .. } => Some(by),
        _ => None,
    });
    compensation_methods.collect()
}

#[tokio::test(start_paused = true)]
async fn a_late_authorization_is_voided_and_a_late_sale_refunded() {
    for (world, by, held) in [
        (World::new(), CompensationMethod::Void, (10_000, 0)),
        (
            World::capturing_after(0),
            CompensationMethod::Refund,
            (0, 10_000),
        ),
    ] {
        let (order, _) = late_payment(&world).await;
        let now_held = (world.psp.reserved(order.id), world.psp.taken(order.id));
        assert_eq!(now_held, held, "{by:?}");
        assert_eq!(world.status(&order).await, StatusName::Expired, "{by:?}");
        world.run_workers().await;
        assert_eq!(audit(&world, &order).await, nothing_held(), "{by:?}");
        assert_eq!(compensation_methods(&world, &order), [by]);
        let audited = world.audit_actions(&order);
        assert_eq!(
            audited,
            ["compensation_started", "compensation_done"],
            "{by:?}"
        );
        assert!(
            world.store.refunds_of(order.id).is_empty(),
            "no merchant's refund"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_payment_is_compensated_whatever_the_psp_does_first() {
    let odd = PspBehavior::Replies(Reply::Refused(RefusalReason::Other("try_later".into())));
    for psp in [
        PspBehavior::Replies(Reply::Accepted),
        PspBehavior::Fails(Fault::NotSent),
        PspBehavior::Fails(Fault::UnknownBefore),
        PspBehavior::Fails(Fault::UnknownAfter),
        odd,
    ] {
        let world = World::new();
        psp.plan(&world.psp, Call::Cancel);
        let (order, _) = late_payment(&world).await;
        world.run_workers().await;
        if matches!(psp, PspBehavior::Replies(Reply::Accepted)) {
            let compensation = world.operation(&order, "compensation").id;
            world.psp.finish(compensation, Finish::Done);
        }
        world.run_for(62).await;
        assert_eq!(audit(&world, &order).await, nothing_held(), "{psp:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_void_refused_because_the_money_is_captured_becomes_a_refund() {
    let world = World::new();
    let (order, _) = late_payment(&world).await;
    // Captured at the PSP by another party.
    let payment = world.psp.payments(order.id).remove(0).reference;
    let amount = default_checkout().amount;
    let capture = world.psp.prepare(&Order_ {
        operation: world.build.id(),
        session: order.id,
        instruction: Instruction::Capture { payment, amount },
        payment_method: None,
    });
    world.psp.send(&capture.unwrap()).await.unwrap();
    assert_eq!(world.psp.taken(order.id), 10_000);
    world.run_workers().await;
    assert_eq!(audit(&world, &order).await, nothing_held());
    let mut tried = compensation_methods(&world, &order);
    tried.sort_by_key(|by| *by == CompensationMethod::Refund);
    assert_eq!(
        tried,
        [CompensationMethod::Void, CompensationMethod::Refund]
    );
}

#[tokio::test(start_paused = true)]
async fn a_compensation_with_nothing_held_counts_as_done() {
    let world = World::new();
    let nothing = Reply::Refused(RefusalReason::NothingHeld);
    world.psp.reply(Call::Cancel, nothing);
    let (order, attempt) = late_payment(&world).await;
    world
        .psp
        .reverse(attempt, RefusalReason::AuthorizationExpired);
    world.run_workers().await;
    assert_eq!(audit(&world, &order).await, nothing_held());
    assert_eq!(compensation_methods(&world, &order).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_repeated_psp_result_starts_no_second_compensation() {
    let world = World::new();
    let (order, attempt) = late_payment(&world).await;
    world.notify(attempt).await.unwrap();
    world.run_workers().await;
    world.run_for(60).await;
    assert_eq!(compensation_methods(&world, &order).len(), 1);
    assert_eq!(audit(&world, &order).await, nothing_held());
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_was_considered_lost_is_compensated_when_it_arrives() {
    let world = World::new();
    let order = world.open().await;
    world.wait_past_expiry(&order, -1).await;
    world.psp.fail(Call::Authorize, Fault::UnknownBefore);
    world.pay(&order, "tok_1").await.unwrap();
    let attempt = world.operation(&order, "authorize").id;
    let bytes = world.store.request(attempt).await.unwrap().unwrap();
    world.run_for(180).await;
    assert_eq!(audit(&world, &order).await, nothing_held());
    world.psp.send(&bytes).await.unwrap();
    assert_eq!(world.psp.reserved(order.id), 10_000);
    world.notify(attempt).await.unwrap();
    world.run_workers().await;
    assert_eq!(audit(&world, &order).await, nothing_held());
    assert_eq!(
        compensation_methods(&world, &order),
        [CompensationMethod::Void]
    );
}

#[tokio::test(start_paused = true)]
async fn an_abandoned_attempt_that_is_authorized_does_not_affect_the_paid_one() {
    let world = World::new();
    let order = world.open().await;
    world.psp.reply(Call::Authorize, Reply::ActionRequired);
    world.pay(&order, "tok_1").await.unwrap();
    let loser = world.operation(&order, "authorize");
    world.abandon(&order).await.unwrap();
    world.pay(&order, "tok_2").await.unwrap();
    // The PSP reports this although it confirmed the cancel; nothing is held by then.
    let reference = loser.reference.unwrap();
    let body = format!(
        "ntf_x\n{}\n{}\n10000 EUR\n{2}\ndone\n{2}\n",
        loser.id,
        order.id,
        reference.as_str()
    );
    world.deliver(body.as_bytes()).await.unwrap();
    world.run_workers().await;
    let expected = AuditedState {
        status: StatusName::Authorized,
        events: vec!["refused", "authorized"],
        reserved: 10_000,
        taken: 0,
    };
    assert_eq!(audit(&world, &order).await, expected);
    assert_eq!(
        compensation_methods(&world, &order),
        [CompensationMethod::Void]
    );
}
