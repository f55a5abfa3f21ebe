//! Cancelling.

use oncharge_application::Error;
use oncharge_domain::{
    psp::RefusalReason,
    session::{InFlightKind, InProgress, StatusName},
};
use oncharge_testkit::{Call, Fault, Reply, psp::Finish};

use crate::support::{AuditedState, PspBehavior, World, audit, describe};

#[tokio::test(start_paused = true)]
async fn each_psp_result_has_its_response() {
    use StatusName::{Authorized, Cancelled};
    let refused = Reply::Refused(RefusalReason::Other("no".into()));
    let accepted = "202 accepted authorized";
    let in_flight = Some(InFlightKind::Cancel);
    for (psp, expected, again, status, pending) in [
        (
            PspBehavior::Replies(Reply::Done),
            "200 done cancelled",
            "200 done cancelled",
            Cancelled,
            None,
        ),
        (
            PspBehavior::Replies(Reply::Accepted),
            accepted,
            accepted,
            Authorized,
            in_flight,
        ),
        (
            PspBehavior::Fails(Fault::UnknownBefore),
            accepted,
            accepted,
            Authorized,
            in_flight,
        ),
        (
            PspBehavior::Fails(Fault::UnknownAfter),
            accepted,
            accepted,
            Authorized,
            in_flight,
        ),
        (
            PspBehavior::Fails(Fault::NotSent),
            "PspUnavailable",
            "200 done cancelled",
            Authorized,
            None,
        ),
        (
            PspBehavior::Replies(refused),
            "409 psp_rejected",
            "409 psp_rejected",
            Authorized,
            None,
        ),
    ] {
        let case = format!("{psp:?}");
        let world = World::new();
        let order = world.authorized().await;
        psp.plan(&world.psp, Call::Cancel);
        let response = world.cancel(&order, "k").await;
        assert_eq!(describe(&response), expected, "{case}");
        let session = world.session(&order).await;
        assert_eq!(session.status_name(), status, "{case}");
        assert_eq!(session.pending_operation(), pending, "{case}");
        let events: &[&str] = if status == Cancelled {
            &["authorized", "cancelled"]
        } else {
            &["authorized"]
        };
        assert_eq!(world.events(&order), events, "{case}");
        assert_eq!(describe(&world.cancel(&order, "k").await), again, "{case}");
        world.run_until_idle().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_accepted_cancel_is_completed() {
    let refused = Finish::Refused(RefusalReason::Other("no".into()));
    for (psp, finish, status, reserved, events) in [
        (
            PspBehavior::Replies(Reply::Accepted),
            Some(Finish::Done),
            StatusName::Cancelled,
            0,
            ["authorized", "cancelled"],
        ),
        (
            PspBehavior::Replies(Reply::Accepted),
            Some(refused),
            StatusName::Authorized,
            10_000,
            ["authorized", "cancel_failed"],
        ),
        (
            PspBehavior::Fails(Fault::UnknownBefore),
            None,
            StatusName::Cancelled,
            0,
            ["authorized", "cancelled"],
        ),
        (
            PspBehavior::Fails(Fault::UnknownAfter),
            None,
            StatusName::Cancelled,
            0,
            ["authorized", "cancelled"],
        ),
    ] {
        let case = format!("{psp:?} {finish:?}");
        let world = World::new();
        let order = world.authorized().await;
        psp.plan(&world.psp, Call::Cancel);
        world.cancel(&order, "k").await.unwrap();
        if let Some(finish) = finish {
            let cancel = world.operation(&order, "cancel").id;
            world.psp.finish(cancel, finish);
            world.notify(cancel).await.unwrap();
        }
        world.run_for(61).await;
        let expected = AuditedState {
            status,
            events: events.to_vec(),
            reserved,
            taken: 0,
        };
        assert_eq!(audit(&world, &order).await, expected, "{case}");
    }
}

#[tokio::test(start_paused = true)]
async fn only_an_authorized_session_can_be_cancelled() {
    let world = World::new();
    let (created, captured) = (world.open().await, world.captured().await);
    for (order, status) in [
        (&created, StatusName::Created),
        (&captured, StatusName::Captured),
    ] {
        let response = world.cancel(order, "k").await;
        let refused = matches!(response, Err(Error::InvalidState(found)) if found == status);
        assert!(refused, "{status:?}: {response:?}");
    }
    let waiting = world.open().await;
    world.psp.reply(Call::Authorize, Reply::Accepted);
    world.pay(&waiting, "tok_1").await.unwrap();
    let response = world.cancel(&waiting, "k").await;
    let refused = matches!(response, Err(Error::InProgress(InProgress::Attempt)));
    assert!(refused, "{response:?}");
}

#[tokio::test(start_paused = true)]
async fn an_authorization_lost_at_the_psp_ends_the_session() {
    for (reason, code) in [
        (RefusalReason::AuthorizationExpired, "authorization_expired"),
        (RefusalReason::Other("voided".into()), "voided_at_psp"),
    ] {
        let world = World::new();
        let order = world.authorized().await;
        let attempt = world.operation(&order, "authorize").id;
        world.psp.reverse(attempt, reason);
        world.notify(attempt).await.unwrap();
        world.notify(attempt).await.unwrap();
        assert_eq!(world.failure(&order).await, code);
        assert_eq!(
            audit(&world, &order).await.events,
            ["authorized", "cancelled"]
        );
        let response = world.capture(&order, "", None).await;
        assert!(
            matches!(response, Err(Error::InvalidState(_))),
            "{response:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_reversed_cancel_is_compensated() {
    let world = World::new();
    let order = world.authorized().await;
    world.cancel(&order, "").await.unwrap();
    let cancel = world.operation(&order, "cancel").id;
    world
        .psp
        .reverse(cancel, RefusalReason::Other("undone".into()));
    assert_eq!(world.psp.reserved(order.id), 10_000, "held again");
    world.notify(cancel).await.unwrap();
    world.notify(cancel).await.unwrap();
    world.run_workers().await;
    let expected = AuditedState {
        status: StatusName::Cancelled,
        events: vec!["authorized", "cancelled"],
        reserved: 0,
        taken: 0,
    };
    assert_eq!(audit(&world, &order).await, expected);
    assert_eq!(
        world.audit_actions(&order),
        ["compensation_started", "compensation_done"]
    );
}
