//! Money that arrives for a session that does not wait for it goes back.

use oncharge_domain::{
    id::OperationId,
    operation::{CompensationBy, OperationKind},
    psp::{Instruction, RefusalReason},
    session::StatusName,
};
use oncharge_ports::{CheckoutRepository, Psp as _, psp::Call as Order_};
use oncharge_testkit::{Call, Fault, Reply, psp::Finish};

use crate::support::{Books, Order, Psp, World, basket, books};

/// An attempt that the PSP took in; its word comes more than fifteen minutes after the expiry,
/// and no worker has run since.
async fn late(world: &World) -> (Order, OperationId) {
    let order = world.open().await;
    world.psp.reply(Call::Authorize, Reply::Accepted);
    world.pay(&order, "tok_1").await.unwrap();
    let attempt = world.operation(&order, "authorize").id;
    world.wait_past_expiry(&order, 901).await;
    world.psp.finish(attempt, Finish::Done);
    world.notify(attempt).await.unwrap();
    (order, attempt)
}

fn gone() -> Books {
    Books {
        status: StatusName::Expired,
        events: vec!["expired"],
        reserved: 0,
        taken: 0,
    }
}

fn ways(world: &World, order: &Order) -> Vec<CompensationBy> {
    let operations = world.operations(order).into_iter();
    let ways = operations.filter_map(|operation| match operation.kind {
        OperationKind::Compensation { by, .. } => Some(by),
        _ => None,
    });
    ways.collect()
}

#[tokio::test(start_paused = true)]
async fn a_late_authorisation_is_voided_and_a_late_sale_refunded() {
    for (world, by, held) in [
        (World::new(), CompensationBy::Void, (10_000, 0)),
        (
            World::capturing_after(0),
            CompensationBy::Refund,
            (0, 10_000),
        ),
    ] {
        let (order, _) = late(&world).await;
        let now_held = (world.psp.reserved(order.id), world.psp.taken(order.id));
        assert_eq!(now_held, held, "{by:?}");
        assert_eq!(world.status(&order).await, StatusName::Expired, "{by:?}");
        world.work().await;
        assert_eq!(books(&world, &order).await, gone(), "{by:?}");
        assert_eq!(ways(&world, &order), [by]);
        let audited = world.audited(&order);
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
async fn it_goes_back_whatever_the_psp_does_at_first() {
    let odd = Psp::Says(Reply::Refused(RefusalReason::Other("try_later".into())));
    for psp in [
        Psp::Says(Reply::Accepted),
        Psp::Fails(Fault::NotSent),
        Psp::Fails(Fault::UnknownBefore),
        Psp::Fails(Fault::UnknownAfter),
        odd,
    ] {
        let world = World::new();
        psp.plan(&world.psp, Call::Cancel);
        let (order, _) = late(&world).await;
        world.work().await;
        if matches!(psp, Psp::Says(Reply::Accepted)) {
            let compensation = world.operation(&order, "compensation").id;
            world.psp.finish(compensation, Finish::Done);
        }
        world.pass(62).await;
        assert_eq!(books(&world, &order).await, gone(), "{psp:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_void_refused_because_the_money_is_captured_becomes_a_refund() {
    let world = World::new();
    let (order, _) = late(&world).await;
    // Somebody captured it at the PSP.
    let payment = world.psp.payments(order.id).remove(0).reference;
    let amount = basket().amount;
    let capture = world.psp.prepare(&Order_ {
        operation: world.build.id(),
        session: order.id,
        instruction: Instruction::Capture { payment, amount },
        payment_method: None,
    });
    world.psp.send(&capture.unwrap()).await.unwrap();
    assert_eq!(world.psp.taken(order.id), 10_000);
    world.work().await;
    assert_eq!(books(&world, &order).await, gone());
    let mut tried = ways(&world, &order);
    tried.sort_by_key(|by| *by == CompensationBy::Refund);
    assert_eq!(tried, [CompensationBy::Void, CompensationBy::Refund]);
}

#[tokio::test(start_paused = true)]
async fn where_nothing_is_held_any_more_it_counts_as_done() {
    let world = World::new();
    let nothing = Reply::Refused(RefusalReason::NothingHeld);
    world.psp.reply(Call::Cancel, nothing);
    let (order, attempt) = late(&world).await;
    world
        .psp
        .take_back(attempt, RefusalReason::AuthorizationExpired);
    world.work().await;
    assert_eq!(books(&world, &order).await, gone());
    assert_eq!(ways(&world, &order).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_word_told_again_starts_no_second_compensation() {
    let world = World::new();
    let (order, attempt) = late(&world).await;
    world.notify(attempt).await.unwrap();
    world.work().await;
    world.pass(60).await;
    assert_eq!(ways(&world, &order).len(), 1);
    assert_eq!(books(&world, &order).await, gone());
}

#[tokio::test(start_paused = true)]
async fn an_attempt_believed_lost_that_arrives_after_all_goes_back() {
    let world = World::new();
    let order = world.open().await;
    world.wait_past_expiry(&order, -1).await;
    world.psp.fail(Call::Authorize, Fault::UnknownBefore);
    world.pay(&order, "tok_1").await.unwrap();
    let attempt = world.operation(&order, "authorize").id;
    let bytes = world.store.request(attempt).await.unwrap().unwrap();
    world.pass(180).await;
    assert_eq!(books(&world, &order).await, gone());
    world.psp.send(&bytes).await.unwrap();
    assert_eq!(world.psp.reserved(order.id), 10_000);
    world.notify(attempt).await.unwrap();
    world.work().await;
    assert_eq!(books(&world, &order).await, gone());
    assert_eq!(ways(&world, &order), [CompensationBy::Void]);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_given_up_that_is_authorised_after_all_leaves_the_winner_alone() {
    let world = World::new();
    let order = world.open().await;
    world.psp.reply(Call::Authorize, Reply::ActionRequired);
    world.pay(&order, "tok_1").await.unwrap();
    let loser = world.operation(&order, "authorize");
    world.abandon(&order).await.unwrap();
    world.pay(&order, "tok_2").await.unwrap();
    // The PSP says so although it had confirmed the cancel; it holds nothing by then.
    let reference = loser.reference.unwrap();
    let body = format!(
        "ntf_x\n{}\n{}\n10000 EUR\n{2}\ndone\n{2}\n",
        loser.id,
        order.id,
        reference.as_str()
    );
    world.deliver(body.as_bytes()).await.unwrap();
    world.work().await;
    let expected = Books {
        status: StatusName::Authorized,
        events: vec!["refused", "authorized"],
        reserved: 10_000,
        taken: 0,
    };
    assert_eq!(books(&world, &order).await, expected);
    assert_eq!(ways(&world, &order), [CompensationBy::Void]);
}
