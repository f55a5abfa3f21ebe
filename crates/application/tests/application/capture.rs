//! Capturing.

use oncharge_application::Error;
use oncharge_domain::{
    psp::RefusalReason,
    session::{InFlightKind, InProgress, StatusName},
};
use oncharge_testkit::{Call, Fault, Reply, psp::Finish};

use crate::support::{AuditedState, PspBehavior, World, audit, describe};

/// A case: the PSP's behavior, the response, and the response to an immediate repetition.
struct Row {
    psp: PspBehavior,
    response: &'static str,
    again: &'static str,
    status: StatusName,
    pending: Option<InFlightKind>,
    events: &'static [&'static str],
}

fn rows() -> [Row; 6] {
    use StatusName::{Authorized, Captured};
    let open = |psp| Row {
        psp,
        response: "202 accepted authorized",
        again: "202 accepted authorized",
        status: Authorized,
        pending: Some(InFlightKind::Capture),
        events: &["authorized"],
    };
    let refused = Reply::Refused(RefusalReason::Other("no".into()));
    [
        Row {
            psp: PspBehavior::Replies(Reply::Done),
            response: "200 done captured",
            again: "200 done captured",
            status: Captured,
            pending: None,
            events: &["authorized", "captured"],
        },
        open(PspBehavior::Replies(Reply::Accepted)),
        open(PspBehavior::Fails(Fault::UnknownBefore)),
        open(PspBehavior::Fails(Fault::UnknownAfter)),
        Row {
            psp: PspBehavior::Fails(Fault::NotSent),
            response: "PspUnavailable",
            again: "200 done captured",
            status: Authorized,
            pending: None,
            events: &["authorized"],
        },
        Row {
            psp: PspBehavior::Replies(refused),
            response: "409 psp_rejected",
            again: "409 psp_rejected",
            status: Authorized,
            pending: None,
            events: &["authorized"],
        },
    ]
}

#[tokio::test(start_paused = true)]
async fn each_psp_result_has_its_response() {
    for row in rows() {
        let case = format!("{:?}", row.psp);
        let world = World::new();
        let order = world.authorized().await;
        row.psp.plan(&world.psp, Call::Capture);
        let response = world.capture(&order, "k", None).await;
        assert_eq!(describe(&response), row.response, "{case}");
        let session = world.session(&order).await;
        assert_eq!(session.status_name(), row.status, "{case}");
        assert_eq!(session.pending_operation(), row.pending, "{case}");
        assert_eq!(world.events(&order), row.events, "{case}");
        let again = world.capture(&order, "k", None).await;
        assert_eq!(describe(&again), row.again, "{case}");
        if let (Ok(first), Ok(again)) = (response, again) {
            assert!(again.replayed, "{case}");
            assert_eq!(
                again.response, first.response,
                "the repeated response: {case}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn without_an_idempotency_key_the_responses_are_the_same() {
    for row in rows() {
        let case = format!("{:?}", row.psp);
        let world = World::new();
        let order = world.authorized().await;
        row.psp.plan(&world.psp, Call::Capture);
        let response = world.capture(&order, "", None).await;
        assert_eq!(describe(&response), row.response, "{case}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_accepted_capture_is_completed_and_keeps_its_first_response() {
    let refused = Finish::Refused(RefusalReason::Other("no".into()));
    for (psp, finish, status, events) in [
        (
            PspBehavior::Replies(Reply::Accepted),
            Some(Finish::Done),
            StatusName::Captured,
            ["authorized", "captured"],
        ),
        (
            PspBehavior::Replies(Reply::Accepted),
            Some(refused),
            StatusName::Authorized,
            ["authorized", "capture_failed"],
        ),
        (
            PspBehavior::Fails(Fault::UnknownBefore),
            None,
            StatusName::Captured,
            ["authorized", "captured"],
        ),
        (
            PspBehavior::Fails(Fault::UnknownAfter),
            None,
            StatusName::Captured,
            ["authorized", "captured"],
        ),
    ] {
        let case = format!("{psp:?} {finish:?}");
        let world = World::new();
        let order = world.authorized().await;
        psp.plan(&world.psp, Call::Capture);
        let first = world.capture(&order, "k", None).await.unwrap();
        let second = world.capture(&order, "other", None).await;
        assert!(
            matches!(second, Err(Error::InProgress(InProgress::Capture))),
            "{case}: {second:?}"
        );
        if let Some(finish) = finish {
            world
                .psp
                .finish(world.operation(&order, "capture").id, finish);
        }
        world.run_for(61).await;
        let audited = audit(&world, &order).await;
        assert_eq!(
            (audited.status, audited.events.as_slice()),
            (status, &events[..]),
            "{case}"
        );
        let again = world.capture(&order, "k", None).await.unwrap();
        assert_eq!(again.response, first.response, "{case}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_partial_capture_releases_the_rest() {
    let world = World::new();
    let order = world.authorized().await;
    world.capture(&order, "", Some(4_000)).await.unwrap();
    let session = world.session(&order).await;
    assert_eq!(session.amount_authorized().minor(), 10_000);
    assert_eq!(session.amount_captured().minor(), 4_000);
    let again = world.capture(&order, "", Some(1)).await;
    assert!(
        matches!(again, Err(Error::InvalidState(StatusName::Captured))),
        "{again:?}"
    );
    let expected = AuditedState {
        status: StatusName::Captured,
        events: vec!["authorized", "captured"],
        reserved: 0,
        taken: 4_000,
    };
    assert_eq!(audit(&world, &order).await, expected);
}

#[tokio::test(start_paused = true)]
async fn amounts_beyond_the_authorized_one_are_refused_and_nothing_is_sent() {
    let world = World::new();
    let order = world.authorized().await;
    let calls = world.psp.calls();
    for amount in [10_001, 0, -1, i64::MIN, i64::MAX] {
        let response = world.capture(&order, "k", Some(amount)).await;
        let is_it = matches!(response, Err(Error::CaptureExceedsAuthorized(_)));
        assert!(is_it, "{amount}: {response:?}");
    }
    assert_eq!(world.psp.calls(), calls);
    assert_eq!(world.count(&order, "capture"), 0);
    // The key was not reserved, so it can be used for the valid amount.
    let response = world.capture(&order, "k", Some(10_000)).await;
    assert_eq!(describe(&response), "200 done captured");
}

#[tokio::test(start_paused = true)]
async fn only_an_authorized_session_can_be_captured() {
    let world = World::new();
    let (created, captured) = (world.open().await, world.captured().await);
    let cancelled = world.authorized().await;
    world.cancel(&cancelled, "").await.unwrap();
    for (order, status) in [
        (&created, StatusName::Created),
        (&captured, StatusName::Captured),
        (&cancelled, StatusName::Cancelled),
    ] {
        let response = world.capture(order, "k", None).await;
        let refused = matches!(response, Err(Error::InvalidState(found)) if found == status);
        assert!(refused, "{status:?}: {response:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_refused_capture_another_may_be_tried() {
    let world = World::new();
    let order = world.authorized().await;
    let no = Reply::Refused(RefusalReason::Other("later".into()));
    world.psp.reply(Call::Capture, no);
    assert_eq!(
        describe(&world.capture(&order, "a", None).await),
        "409 psp_rejected"
    );
    assert_eq!(
        describe(&world.capture(&order, "b", None).await),
        "200 done captured"
    );
    assert_eq!(
        audit(&world, &order).await.events,
        ["authorized", "captured"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_reversed_capture_ends_the_session_in_error() {
    let world = World::new();
    let order = world.captured().await;
    world.psp.fail(Call::Refund, Fault::NotSent);
    world.refund(&order, "", 1_000).await.unwrap();
    let capture = world.operation(&order, "capture").id;
    world
        .psp
        .reverse(capture, RefusalReason::Other("returned".into()));
    world.notify(capture).await.unwrap();
    world.notify(capture).await.unwrap();
    assert_eq!(world.failure(&order).await, "capture_failed");
    let session = world.session(&order).await;
    assert_eq!(session.amount_captured().minor(), 0);
    assert_eq!(session.retry_until(world.now()), None);
    world.run_for(120).await;
    let expected = AuditedState {
        status: StatusName::Error,
        events: vec![
            "authorized",
            "captured",
            "refund.requested",
            "capture_failed",
            "refund.failed",
        ],
        reserved: 0,
        taken: 0,
    };
    assert_eq!(audit(&world, &order).await, expected);
    let refunded = world
        .psp
        .received_calls()
        .iter()
        .any(|(call, _)| *call == Call::Refund);
    assert!(!refunded, "a refund of a capture that failed was sent");
}
