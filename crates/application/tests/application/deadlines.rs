//! Deadlines: expiry, abandoned challenges, automatic captures.

use oncharge_domain::{
    psp::RefusalReason,
    session::{InFlightKind, NextAction, StatusName},
};
use oncharge_testkit::{Call, Fault, Reply, psp::Finish};

use crate::support::{
    AuditedState, FaultPoint, Order, PlannedFault, PspBehavior, World, audit, describe,
};

const EXPIRED: StatusName = StatusName::Expired;

fn no_funds(events: &[&'static str]) -> AuditedState {
    AuditedState {
        status: EXPIRED,
        events: events.to_vec(),
        reserved: 0,
        taken: 0,
    }
}

async fn paying(psp: &PspBehavior) -> (World, Order) {
    let world = World::new();
    let order = world.open().await;
    psp.plan(&world.psp, Call::Authorize);
    world.pay(&order, "tok_1").await.unwrap();
    (world, order)
}

#[tokio::test(start_paused = true)]
async fn an_unpaid_session_expires_at_its_expiry() {
    let world = World::new();
    let order = world.open().await;
    world.wait_past_expiry(&order, -1).await;
    world.run_workers().await;
    assert_eq!(
        world.session(&order).await.status_name(),
        StatusName::Created
    );
    world.clock.advance(1);
    world.run_workers().await;
    world.run_workers().await;
    assert_eq!(audit(&world, &order).await, no_funds(&["expired"]));
    assert_eq!(world.psp.calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_accepted_attempt_is_cancelled_at_expiry() {
    let (world, order) = paying(&PspBehavior::Replies(Reply::Accepted)).await;
    world.wait_past_expiry(&order, 0).await;
    world.run_workers().await;
    assert_eq!(audit(&world, &order).await, no_funds(&["expired"]));
    assert_eq!(world.count(&order, "cancel"), 1);
}

/// A challenge that was opened five minutes before the expiry.
async fn challenged_before_the_expiry() -> (World, Order) {
    let world = World::new();
    let order = world.open().await;
    world.wait_past_expiry(&order, -300).await;
    world.psp.reply(Call::Authorize, Reply::ActionRequired);
    world.pay(&order, "tok_1").await.unwrap();
    (world, order)
}

#[tokio::test(start_paused = true)]
async fn an_open_challenge_outlives_the_expiry_by_at_most_ten_minutes() {
    for cancel in [
        PspBehavior::Replies(Reply::Done),
        PspBehavior::Replies(Reply::Accepted),
        PspBehavior::Fails(Fault::NotSent),
        PspBehavior::Fails(Fault::UnknownBefore),
        PspBehavior::Fails(Fault::UnknownAfter),
    ] {
        let (world, order) = challenged_before_the_expiry().await;
        world.wait_past_expiry(&order, 299).await;
        world.run_workers().await;
        assert_eq!(world.count(&order, "cancel"), 0, "{cancel:?}");
        cancel.plan(&world.psp, Call::Cancel);
        world.clock.advance(1);
        world.run_workers().await;
        assert_eq!(world.count(&order, "cancel"), 1, "{cancel:?}");
        if matches!(cancel, PspBehavior::Replies(Reply::Accepted)) {
            let cancel = world.operation(&order, "cancel").id;
            world.psp.finish(cancel, Finish::Done);
        }
        world.run_for(62).await;
        assert_eq!(
            audit(&world, &order).await,
            no_funds(&["expired"]),
            "{cancel:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_challenge_that_is_finished_after_the_expiry_is_paid() {
    let (world, order) = challenged_before_the_expiry().await;
    world.wait_past_expiry(&order, 200).await;
    world.run_workers().await;
    let attempt = world.operation(&order, "authorize").id;
    world.psp.finish(attempt, Finish::Done);
    world.notify(attempt).await.unwrap();
    world.run_workers().await;
    let expected = AuditedState {
        status: StatusName::Authorized,
        events: vec!["authorized"],
        reserved: 10_000,
        taken: 0,
    };
    assert_eq!(audit(&world, &order).await, expected);
    assert_eq!(world.count(&order, "cancel"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_challenge_that_is_abandoned_after_the_expiry_expires() {
    let (world, order) = challenged_before_the_expiry().await;
    world.wait_past_expiry(&order, 200).await;
    let state = world.abandon(&order).await.unwrap();
    assert_eq!((state.status, state.next), (EXPIRED, NextAction::None));
    assert_eq!(audit(&world, &order).await, no_funds(&["expired"]));
}

#[tokio::test(start_paused = true)]
async fn an_unfinished_challenge_is_cancelled_after_ten_minutes() {
    let (world, order) = paying(&PspBehavior::Replies(Reply::ActionRequired)).await;
    world.clock.advance(599);
    world.run_workers().await;
    assert_eq!(world.status(&order).await, StatusName::Pending);
    world.clock.advance(1);
    world.run_workers().await;
    assert_eq!(world.status(&order).await, StatusName::Refused);
    assert_eq!(world.failure(&order).await, "authentication_abandoned");
    let state = world.pay(&order, "tok_2").await.unwrap();
    assert_eq!(state.status, StatusName::Authorized);
    assert_eq!(
        audit(&world, &order).await.events,
        ["refused", "authorized"]
    );
}

#[tokio::test(start_paused = true)]
async fn an_attempt_not_found_at_the_psp_fails_a_minute_after_it_was_last_sent() {
    let (world, order) = paying_just_before_expiry(Fault::UnknownBefore).await;
    let last_sent = world.operation(&order, "authorize").last_sent_at;
    world.wait_past_expiry(&order, 0).await;
    let mut step = 0;
    while world.now() < last_sent.plus_seconds(59) {
        world.clock.advance(1);
        world.run_workers().await;
        assert_eq!(
            world.status(&order).await,
            StatusName::Pending,
            "after {step} s"
        );
        step += 1;
    }
    world.run_for(32).await;
    assert_eq!(audit(&world, &order).await, no_funds(&["expired"]));
    let arrived = world.psp.received_calls();
    let sent = arrived.iter().any(|(call, _)| *call == Call::Authorize);
    assert!(
        !sent,
        "an authorization was sent after its session's expiry"
    );
}

/// A session whose shopper pays in the last second, with workers that run only afterwards.
async fn paying_just_before_expiry(fault: Fault) -> (World, Order) {
    let world = World::new();
    let order = world.open().await;
    world.wait_past_expiry(&order, -1).await;
    world.psp.fail(Call::Authorize, fault);
    world.pay(&order, "tok_1").await.unwrap();
    (world, order)
}

#[tokio::test(start_paused = true)]
async fn an_authorization_soon_after_expiry_is_kept_and_a_late_one_is_compensated() {
    for (late, expected) in [
        (
            900,
            AuditedState {
                status: StatusName::Authorized,
                events: vec!["authorized"],
                reserved: 10_000,
                taken: 0,
            },
        ),
        (901, no_funds(&["expired"])),
    ] {
        let (world, order) = paying_just_before_expiry(Fault::UnknownAfter).await;
        world.wait_past_expiry(&order, late).await;
        world.run_workers().await;
        assert_eq!(audit(&world, &order).await, expected, "{late} s");
        let went_back = world.count(&order, "compensation");
        assert_eq!(went_back, usize::from(late > 900), "{late} s");
    }
}

#[tokio::test(start_paused = true)]
async fn a_result_at_the_moment_of_expiry_is_applied() {
    let declined = PspBehavior::Replies(Reply::Refused(RefusalReason::CardDeclined));
    for (psp, status, events) in [
        (
            PspBehavior::Replies(Reply::Done),
            StatusName::Authorized,
            ["authorized"],
        ),
        (declined, EXPIRED, ["expired"]),
        (PspBehavior::Fails(Fault::NotSent), EXPIRED, ["expired"]),
    ] {
        let world = World::new();
        let order = world.open().await;
        world.wait_past_expiry(&order, -1).await;
        psp.plan(&world.psp, Call::Authorize);
        world.psp.pause();
        let paying = world.pay(&order, "tok_1");
        let meanwhile = async {
            while world.count(&order, "authorize") == 0 {
                tokio::task::yield_now().await;
            }
            world.clock.advance(2);
            world.run_workers().await;
            world.psp.resume();
        };
        futures_util::future::join(paying, meanwhile)
            .await
            .0
            .unwrap();
        let audited = audit(&world, &order).await;
        assert_eq!(
            (audited.status, audited.events.as_slice()),
            (status, &events[..]),
            "{psp:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn automatic_capture_happens_after_the_delay() {
    let world = World::capturing_after(60);
    let order = world.authorized().await;
    world.clock.advance(59);
    world.run_workers().await;
    assert_eq!(world.status(&order).await, StatusName::Authorized);
    world.clock.advance(1);
    world.run_workers().await;
    let expected = AuditedState {
        status: StatusName::Captured,
        events: vec!["authorized", "captured"],
        reserved: 0,
        taken: 10_000,
    };
    assert_eq!(audit(&world, &order).await, expected);
}

#[tokio::test(start_paused = true)]
async fn a_refused_automatic_capture_is_reported_and_not_retried() {
    let world = World::capturing_after(60);
    let order = world.authorized().await;
    let no = Reply::Refused(RefusalReason::Other("no".into()));
    world.psp.reply(Call::Capture, no);
    world.run_for(3 * 3600).await;
    assert_eq!(world.count(&order, "capture"), 1);
    assert_eq!(
        audit(&world, &order).await.events,
        ["authorized", "capture_failed"]
    );
    // The merchant may still capture it.
    assert_eq!(
        describe(&world.capture(&order, "", None).await),
        "200 done captured"
    );
    let events = audit(&world, &order).await.events;
    assert_eq!(events, ["authorized", "capture_failed", "captured"]);
}

#[tokio::test(start_paused = true)]
async fn an_unsent_automatic_capture_is_retried_with_backoff() {
    let world = World::capturing_after(60);
    let order = world.authorized().await;
    for _ in 0..7 {
        world.psp.fail(Call::Capture, Fault::NotSent);
    }
    world.clock.advance(60);
    let mut waits = Vec::new();
    let mut last = world.now();
    world.run_workers().await;
    while world.status(&order).await != StatusName::Captured {
        world.clock.advance(1);
        let before = world.psp.calls();
        world.run_workers().await;
        if world.psp.calls() > before {
            waits.push(world.now().since(last).whole_seconds());
            last = world.now();
        }
        assert!(waits.len() < 20, "{waits:?}");
    }
    let longest = [1, 2, 4, 8, 16, 30, 30];
    assert_eq!(waits.len(), longest.len(), "{waits:?}");
    for (wait, longest) in waits.iter().zip(longest) {
        let shortest = longest * 3 / 4;
        assert!(
            (shortest..=longest).contains(wait),
            "jitter shortens a delay by up to a quarter: {waits:?}"
        );
    }
    assert_eq!(world.count(&order, "capture"), 1);
    assert_eq!(
        audit(&world, &order).await.events,
        ["authorized", "captured"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_requested_cancel_disables_automatic_capture() {
    let refused = PspBehavior::Replies(Reply::Refused(RefusalReason::Other("no".into())));
    for psp in [refused, PspBehavior::Fails(Fault::NotSent)] {
        let world = World::capturing_after(60);
        let order = world.authorized().await;
        psp.plan(&world.psp, Call::Cancel);
        let _ = world.cancel(&order, "").await;
        world.run_for(3 * 3600).await;
        assert_eq!(
            world.status(&order).await,
            StatusName::Authorized,
            "{psp:?}"
        );
        assert_eq!(world.count(&order, "capture"), 0, "{psp:?}");
        assert_eq!(
            describe(&world.capture(&order, "", None).await),
            "200 done captured"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn automatic_capture_does_not_interfere_with_a_merchants_capture() {
    let world = World::capturing_after(60);
    let order = world.authorized().await;
    world.psp.reply(Call::Capture, Reply::Accepted);
    world.capture(&order, "", Some(4_000)).await.unwrap();
    world.run_for(90).await;
    let session = world.session(&order).await;
    assert_eq!(session.pending_operation(), Some(InFlightKind::Capture));
    let capture = world.operation(&order, "capture").id;
    world.psp.finish(capture, Finish::Done);
    world.notify(capture).await.unwrap();
    world.run_for(3600).await;
    assert_eq!(audit(&world, &order).await.taken, 4_000);
}

#[tokio::test(start_paused = true)]
async fn manual_sessions_are_never_captured_automatically() {
    let world = World::new();
    let order = world.authorized().await;
    world.run_for(4 * 3600).await;
    assert_eq!(audit(&world, &order).await.events, ["authorized"]);
}

#[tokio::test(start_paused = true)]
async fn a_failed_deadline_is_retried_when_its_lease_ends() {
    let world = World::new();
    let order = world.open().await;
    world.wait_past_expiry(&order, 0).await;
    world
        .fault_plan
        .plan(FaultPoint::Commit(1), PlannedFault::Before);
    world.run_workers().await;
    assert_eq!(
        world.session(&order).await.status_name(),
        StatusName::Created
    );
    world.run_for(16).await;
    assert_eq!(audit(&world, &order).await, no_funds(&["expired"]));
}
