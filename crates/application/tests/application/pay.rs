//! Paying.

use oncharge_application::Error;
use oncharge_domain::{
    psp::RefusalReason,
    session::{NextAction, RetryReason, StatusName},
};
use oncharge_testkit::{Call, Fault, Reply, psp::Finish};

use crate::support::{AuditedState, FaultPoint, PlannedFault, PspBehavior, World, audit};

const DECLINED: Reply = Reply::Refused(RefusalReason::CardDeclined);

/// A case: the PSP's behavior, and the results for the shopper and the merchant.
struct Row {
    psp: PspBehavior,
    capture_delay: Option<u32>,
    status: StatusName,
    next: &'static str,
    events: &'static [&'static str],
    attempts: u32,
    failure: &'static str,
}

fn row(
    psp: PspBehavior,
    status: StatusName,
    next: &'static str,
    events: &'static [&'static str],
) -> Row {
    Row {
        psp,
        capture_delay: None,
        status,
        next,
        events,
        attempts: 1,
        failure: "",
    }
}

fn rows() -> Vec<Row> {
    use PspBehavior::{Fails, Replies};
    use StatusName::{Authorized, Captured, Error, Pending, Refused};
    let refused = |reason, next, failure| Row {
        failure,
        ..row(Replies(Reply::Refused(reason)), Refused, next, &["refused"])
    };
    vec![
        row(Replies(Reply::Done), Authorized, "none", &["authorized"]),
        Row {
            capture_delay: Some(0),
            ..row(Replies(Reply::Done), Captured, "none", &["captured"])
        },
        Row {
            capture_delay: Some(60),
            ..row(Replies(Reply::Done), Authorized, "none", &["authorized"])
        },
        row(Replies(Reply::ActionRequired), Pending, "challenge", &[]),
        row(Replies(Reply::Accepted), Pending, "none", &[]),
        row(Fails(Fault::UnknownBefore), Pending, "none", &[]),
        row(Fails(Fault::UnknownAfter), Pending, "none", &[]),
        Row {
            attempts: 0,
            failure: "psp_error",
            ..row(Fails(Fault::NotSent), Error, "technical", &["error"])
        },
        refused(
            RefusalReason::CardDeclined,
            "card_declined",
            "card_declined",
        ),
        refused(
            RefusalReason::InsufficientFunds,
            "insufficient_funds",
            "insufficient_funds",
        ),
        refused(RefusalReason::ExpiredCard, "expired_card", "expired_card"),
        refused(
            RefusalReason::AuthenticationFailed,
            "authentication_failed",
            "authentication_failed",
        ),
        refused(
            RefusalReason::Other("do_not_honor".into()),
            "card_declined",
            "card_declined",
        ),
    ]
}

fn name(next: &NextAction) -> &'static str {
    match next {
        NextAction::None => "none",
        NextAction::Challenge(_) => "challenge",
        NextAction::Retry { reason, .. } => reason.name(),
    }
}

#[tokio::test(start_paused = true)]
async fn each_psp_result_has_its_shopper_state() {
    for row in rows() {
        let case = format!("{:?} {:?}", row.psp, row.capture_delay);
        let world = match row.capture_delay {
            Some(seconds) => World::capturing_after(seconds),
            None => World::new(),
        };
        let order = world.open().await;
        row.psp.plan(&world.psp, Call::Authorize);
        let state = world.pay(&order, "tok_1").await.unwrap();
        assert_eq!(
            (state.status, name(&state.next)),
            (row.status, row.next),
            "{case}"
        );
        assert_eq!(world.events(&order), row.events, "{case}");
        let session = world.session(&order).await;
        assert_eq!(session.counted_attempts(), row.attempts, "{case}");
        assert_eq!(world.failure(&order).await, row.failure, "{case}");
        let may_retry = matches!(state.next, NextAction::Retry { .. });
        let until = may_retry.then_some(session.expires_at);
        assert_eq!(session.retry_until(world.now()), until, "{case}");
        for stored in world.store.events_of(order.id) {
            assert_eq!(stored.event.retry_until, until, "{case}");
        }
        // The same token and the status call return the same state and start nothing.
        let calls = world.psp.calls();
        assert_eq!(world.pay(&order, "tok_1").await.unwrap(), state, "{case}");
        assert_eq!(world.shopper_state(&order).await, state, "{case}");
        assert_eq!(world.psp.calls(), calls, "{case}");
    }
}

#[tokio::test(start_paused = true)]
async fn unknown_outcomes_are_resolved() {
    for (psp, finish, status, events) in [
        (
            PspBehavior::Fails(Fault::UnknownBefore),
            None,
            StatusName::Authorized,
            &["authorized"][..],
        ),
        (
            PspBehavior::Fails(Fault::UnknownAfter),
            None,
            StatusName::Authorized,
            &["authorized"],
        ),
        (
            PspBehavior::Replies(Reply::Accepted),
            Some(Finish::Done),
            StatusName::Authorized,
            &["authorized"],
        ),
        (
            PspBehavior::Replies(Reply::Accepted),
            Some(Finish::Refused(RefusalReason::ExpiredCard)),
            StatusName::Refused,
            &["refused"],
        ),
        (
            PspBehavior::Replies(Reply::ActionRequired),
            Some(Finish::Done),
            StatusName::Authorized,
            &["authorized"],
        ),
        (
            PspBehavior::Replies(Reply::ActionRequired),
            Some(Finish::Refused(RefusalReason::AuthenticationFailed)),
            StatusName::Refused,
            &["refused"],
        ),
    ] {
        let case = format!("{psp:?} {finish:?}");
        let world = World::new();
        let order = world.open().await;
        psp.plan(&world.psp, Call::Authorize);
        world.pay(&order, "tok_1").await.unwrap();
        if let Some(finish) = finish {
            world
                .psp
                .finish(world.operation(&order, "authorize").id, finish);
        }
        // Without any notification, a look-up finds the result after at most a minute.
        world.run_for(61).await;
        let reserved = if status == StatusName::Authorized {
            10_000
        } else {
            0
        };
        let expected = AuditedState {
            status,
            events: events.to_vec(),
            reserved,
            taken: 0,
        };
        assert_eq!(audit(&world, &order).await, expected, "{case}");
        assert_eq!(world.psp.payments(order.id).len(), 1, "{case}");
    }
}

#[tokio::test(start_paused = true)]
async fn another_token_is_refused_while_an_attempt_is_open_or_after_payment() {
    for reply in [Reply::Accepted, Reply::ActionRequired, Reply::Done] {
        let world = World::new();
        let order = world.open().await;
        world.psp.reply(Call::Authorize, reply.clone());
        world.pay(&order, "tok_1").await.unwrap();
        let other = world.pay(&order, "tok_2").await;
        assert!(
            matches!(other, Err(Error::InvalidState(_) | Error::InProgress(_))),
            "{reply:?}: {other:?}"
        );
        assert_eq!(world.psp.payments(order.id).len(), 1, "{reply:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn three_refused_attempts_are_the_limit() {
    let world = World::new();
    let order = world.open().await;
    for (n, next) in [(1, "card_declined"), (2, "card_declined"), (3, "none")] {
        world.psp.reply(Call::Authorize, DECLINED);
        let state = world.pay(&order, &format!("tok_{n}")).await.unwrap();
        assert_eq!(
            (state.status, name(&state.next)),
            (StatusName::Refused, next)
        );
    }
    let fourth = world.pay(&order, "tok_4").await;
    assert!(
        matches!(fourth, Err(Error::InvalidState(StatusName::Refused))),
        "{fourth:?}"
    );
    assert_eq!(world.events(&order), ["refused", "refused", "refused"]);
    let until: Vec<bool> = world
        .store
        .events_of(order.id)
        .iter()
        .map(|stored| stored.event.retry_until.is_some())
        .collect();
    assert_eq!(until, [true, true, false]);
}

#[tokio::test(start_paused = true)]
async fn unsent_attempts_do_not_count() {
    let world = World::new();
    let order = world.open().await;
    for n in 0..10 {
        world.psp.fail(Call::Authorize, Fault::NotSent);
        let state = world.pay(&order, &format!("tok_{n}")).await.unwrap();
        let retry = NextAction::Retry {
            reason: RetryReason::Technical,
            last_try: false,
        };
        assert_eq!(state.next, retry, "try {n}");
    }
    let state = world.pay(&order, "tok_good").await.unwrap();
    assert_eq!(state.status, StatusName::Authorized);
    assert_eq!(world.session(&order).await.counted_attempts(), 1);
    assert_eq!(
        world.psp.payments(order.id).len(),
        1,
        "only the last attempt reached the PSP"
    );
}

#[tokio::test(start_paused = true)]
async fn a_refused_session_can_be_paid_until_it_expires() {
    let world = World::new();
    let order = world.open().await;
    world.psp.reply(Call::Authorize, DECLINED);
    world.pay(&order, "tok_1").await.unwrap();
    world.wait_past_expiry(&order, 0).await;
    let state = world.shopper_state(&order).await;
    assert_eq!(
        (state.status, state.next),
        (StatusName::Refused, NextAction::None)
    );
    let late = world.pay(&order, "tok_2").await;
    assert!(
        matches!(late, Err(Error::InvalidState(StatusName::Refused))),
        "{late:?}"
    );
    world.run_workers().await;
    assert_eq!(
        world.events(&order),
        ["refused"],
        "a final refusal does not expire"
    );
}

#[tokio::test(start_paused = true)]
async fn an_invalid_payment_method_and_a_foreign_pay_token_are_refused() {
    let world = World::new();
    let (order, foreign) = (world.open().await, world.open().await);
    let response = world.pay(&order, "4242424242424242").await;
    let names_it =
        matches!(&response, Err(Error::Field { field, .. }) if *field == "payment_method");
    assert!(names_it, "{response:?}");
    assert!(!format!("{response:?}").contains("4242"), "never echoed");
    let mut stolen = order.clone();
    stolen.pay_token = foreign.pay_token;
    let response = world.pay(&stolen, "tok_1").await;
    assert!(matches!(response, Err(Error::BadPayToken)), "{response:?}");
    assert_eq!(world.psp.calls(), 0);
    assert_eq!(world.status(&order).await, StatusName::Created);
}

#[tokio::test(start_paused = true)]
async fn an_uncommitted_intent_is_never_sent() {
    for (fault, sent) in [
        (PlannedFault::Before, false),
        (PlannedFault::After, true),
        (PlannedFault::Between, true),
    ] {
        let world = World::new();
        let order = world.open().await;
        world.fault_plan.plan(FaultPoint::Commit(1), fault);
        let response = world.pay(&order, "tok_1").await;
        assert_eq!(response.is_ok(), sent, "{fault:?}: {response:?}");
        assert_eq!(world.psp.calls(), u64::from(sent), "{fault:?}");
        // A repetition with the same token pays, once.
        world.pay(&order, "tok_1").await.unwrap();
        assert_eq!(audit(&world, &order).await.reserved, 10_000, "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_uncommitted_outcome_is_left_to_recovery() {
    let world = World::new();
    let order = world.open().await;
    world
        .fault_plan
        .plan(FaultPoint::Commit(2), PlannedFault::Before);
    let state = world.pay(&order, "tok_1").await.unwrap();
    assert_eq!(
        (state.status, state.next),
        (StatusName::Pending, NextAction::None)
    );
    world.run_for(30).await;
    let expected = AuditedState {
        status: StatusName::Authorized,
        events: vec!["authorized"],
        reserved: 10_000,
        taken: 0,
    };
    assert_eq!(audit(&world, &order).await, expected);
}
