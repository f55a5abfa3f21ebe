//! Refunding.

use oncharge_application::Error;
use oncharge_domain::{psp::RefusalReason, refund::RefundStatus, session::StatusName};
use oncharge_testkit::{Call, Fault, Reply, psp::Finish};

use crate::support::{AuditedState, Order, PspBehavior, World, audit, describe};

const HOUR: i64 = 3600;

impl World {
    fn refund_status(&self, order: &Order) -> &'static str {
        self.store.refunds_of(order.id)[0].status.name()
    }
}

#[tokio::test(start_paused = true)]
async fn a_refund_request_is_acknowledged_whatever_the_psp_does() {
    let refused = Reply::Refused(RefusalReason::Other("no".into()));
    for (psp, response, has_reference, events) in [
        (
            PspBehavior::Replies(Reply::Done),
            "201 refund refund_succeeded",
            true,
            &["refund.requested", "refund.succeeded"][..],
        ),
        (
            PspBehavior::Replies(Reply::Accepted),
            "201 refund refund_requested",
            true,
            &["refund.requested"],
        ),
        (
            PspBehavior::Fails(Fault::UnknownBefore),
            "201 refund refund_requested",
            false,
            &["refund.requested"],
        ),
        (
            PspBehavior::Fails(Fault::UnknownAfter),
            "201 refund refund_requested",
            false,
            &["refund.requested"],
        ),
        (
            PspBehavior::Fails(Fault::NotSent),
            "201 refund refund_requested",
            false,
            &["refund.requested"],
        ),
        (
            PspBehavior::Replies(refused),
            "201 refund refund_failed",
            false,
            &["refund.requested", "refund.failed"],
        ),
    ] {
        let case = format!("{psp:?}");
        let world = World::new();
        let order = world.captured().await;
        psp.plan(&world.psp, Call::Refund);
        let first = world.refund(&order, "k", 1_500).await;
        assert_eq!(describe(&first), response, "{case}");
        let refunds = world.store.refunds_of(order.id);
        assert_eq!(refunds[0].psp_reference.is_some(), has_reference, "{case}");
        assert_eq!(world.events(&order)[2..], *events, "{case}");
        let again = world.refund(&order, "k", 1_500).await.unwrap();
        assert_eq!(again.response, first.unwrap().response, "{case}");
        assert!(again.replayed, "{case}");
        assert_eq!(world.store.refunds_of(order.id).len(), 1, "{case}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_open_refund_is_completed() {
    let refused = Finish::Refused(RefusalReason::Other("no".into()));
    for (psp, finish, expected, taken) in [
        (
            PspBehavior::Replies(Reply::Accepted),
            Some(Finish::Done),
            "refund_succeeded",
            8_500,
        ),
        (
            PspBehavior::Replies(Reply::Accepted),
            Some(refused),
            "refund_failed",
            10_000,
        ),
        (
            PspBehavior::Fails(Fault::UnknownBefore),
            None,
            "refund_succeeded",
            8_500,
        ),
        (
            PspBehavior::Fails(Fault::UnknownAfter),
            None,
            "refund_succeeded",
            8_500,
        ),
        (
            PspBehavior::Fails(Fault::NotSent),
            None,
            "refund_succeeded",
            8_500,
        ),
    ] {
        let case = format!("{psp:?} {finish:?}");
        let world = World::new();
        let order = world.captured().await;
        psp.plan(&world.psp, Call::Refund);
        world.refund(&order, "k", 1_500).await.unwrap();
        if let Some(finish) = finish {
            world
                .psp
                .finish(world.operation(&order, "refund").id, finish);
        }
        world.run_for(61).await;
        assert_eq!(world.refund_status(&order), expected, "{case}");
        let audited = audit(&world, &order).await;
        assert_eq!(audited.taken, taken, "{case}");
        let event = audited.events[3].replace("refund.", "refund_");
        assert_eq!(
            (event.as_str(), audited.events.len()),
            (expected, 4),
            "{case}"
        );
        let refundable = world.session(&order).await.amount_refundable();
        assert_eq!(refundable.minor(), taken, "{case}");
    }
}

#[tokio::test(start_paused = true)]
async fn open_refunds_count_and_failed_ones_do_not() {
    let world = World::new();
    let order = world.captured().await;
    world.psp.reply(Call::Refund, Reply::Accepted);
    world.refund(&order, "", 9_000).await.unwrap();
    let over = world.refund(&order, "k", 1_001).await;
    assert!(
        matches!(over, Err(Error::RefundExceedsCaptured(_))),
        "{over:?}"
    );
    let no = Finish::Refused(RefusalReason::Other("no".into()));
    let first = world.operation(&order, "refund").id;
    world.psp.finish(first, no);
    world.notify(first).await.unwrap();
    let response = world.refund(&order, "k", 10_000).await;
    assert_eq!(describe(&response), "201 refund refund_succeeded");
    let over = world.refund(&order, "", 1).await;
    assert!(
        matches!(over, Err(Error::RefundExceedsCaptured(_))),
        "{over:?}"
    );
    assert_eq!(audit(&world, &order).await.taken, 0);
}

#[tokio::test(start_paused = true)]
async fn only_a_captured_session_in_its_own_currency_can_be_refunded() {
    let world = World::new();
    let (created, authorized) = (world.open().await, world.authorized().await);
    for order in [&created, &authorized] {
        // The status is checked before the currency.
        let response = world.refund_in(order, "", 1, "USD").await;
        assert!(
            matches!(response, Err(Error::InvalidState(_))),
            "{response:?}"
        );
    }
    let captured = world.captured().await;
    let response = world.refund_in(&captured, "", 1, "USD").await;
    let names_it = matches!(&response, Err(Error::Field { field, .. }) if *field == "currency");
    assert!(names_it, "{response:?}");
    let response = world.refund(&captured, "", 0).await;
    assert!(
        matches!(response, Err(Error::RefundExceedsCaptured(_))),
        "{response:?}"
    );
    let mut nobodys = captured.clone();
    nobodys.id = world.build.id();
    let response = world.refund(&nobodys, "", 1).await;
    assert!(matches!(response, Err(Error::NotFound)), "{response:?}");
}

#[tokio::test(start_paused = true)]
async fn a_reversed_refund_restores_the_refundable_amount() {
    let world = World::new();
    let order = world.captured().await;
    world.refund(&order, "", 10_000).await.unwrap();
    let operation = world.operation(&order, "refund").id;
    world
        .psp
        .reverse(operation, RefusalReason::Other("closed_account".into()));
    world.notify(operation).await.unwrap();
    world.notify(operation).await.unwrap();
    let refund = world.store.refunds_of(order.id).remove(0);
    assert!(
        matches!(refund.status, RefundStatus::Failed(_)),
        "{refund:?}"
    );
    assert_eq!(
        world.session(&order).await.amount_refundable().minor(),
        10_000
    );
    let expected = AuditedState {
        status: StatusName::Captured,
        events: vec![
            "authorized",
            "captured",
            "refund.requested",
            "refund.succeeded",
            "refund.failed",
        ],
        reserved: 0,
        taken: 10_000,
    };
    assert_eq!(audit(&world, &order).await, expected);
}

#[tokio::test(start_paused = true)]
async fn an_unsent_refund_fails_after_72_hours() {
    let world = World::new();
    let order = world.captured().await;
    for _ in 0..2_000 {
        world.psp.fail(Call::Refund, Fault::NotSent);
    }
    world.refund(&order, "k", 1_500).await.unwrap();
    for _ in 0..288 {
        world.clock.advance(900);
        world.run_workers().await;
        assert_eq!(world.refund_status(&order), "refund_requested");
    }
    let refundable = world.session(&order).await.amount_refundable();
    assert_eq!(
        refundable.minor(),
        8_500,
        "an unsent refund counts until it fails"
    );
    world.clock.advance(HOUR);
    world.run_workers().await;
    assert_eq!(world.refund_status(&order), "refund_failed");
    let refund = world.store.refunds_of(order.id).remove(0);
    assert_eq!(
        refund.status,
        RefundStatus::Failed(RefusalReason::NeverSent)
    );
    let audited = audit(&world, &order).await;
    assert_eq!(audited.events[2..], ["refund.requested", "refund.failed"]);
    assert_eq!(audited.taken, 10_000);
}

#[tokio::test(start_paused = true)]
async fn an_unsent_refund_is_sent_when_the_psp_is_back() {
    let world = World::new();
    let order = world.captured().await;
    for _ in 0..5 {
        world.psp.fail(Call::Refund, Fault::NotSent);
    }
    world.refund(&order, "k", 1_500).await.unwrap();
    world.run_for(120).await;
    assert_eq!(world.refund_status(&order), "refund_succeeded");
    let calls = world.psp.received_calls();
    let sent = calls
        .iter()
        .filter(|(call, _)| *call == Call::Refund)
        .count();
    assert_eq!(sent, 1, "{calls:?}");
}

#[tokio::test(start_paused = true)]
async fn captures_and_refunds_require_a_key_if_the_merchant_demands_it() {
    let world = World::with(|merchant, _| {
        merchant.automatic_capture = false;
        merchant.require_idempotency_key = true;
    });
    let order = world.authorized().await;
    let response = world.capture(&order, "", None).await;
    assert!(
        matches!(response, Err(Error::IdempotencyKeyRequired)),
        "{response:?}"
    );
    world.capture(&order, "a", None).await.unwrap();
    let response = world.refund(&order, "", 1).await;
    assert!(
        matches!(response, Err(Error::IdempotencyKeyRequired)),
        "{response:?}"
    );
    assert_eq!(
        describe(&world.refund(&order, "b", 1).await),
        "201 refund refund_succeeded"
    );
    assert_eq!(audit(&world, &order).await.taken, 9_999);
}
