//! Paying.

use oncharge_application::Error;
use oncharge_domain::{
    psp::RefusalReason,
    session::{Next, RetryReason, StatusName},
};
use oncharge_testkit::{Call, Fault, Reply, psp::Finish};

use crate::support::{Books, Harm, Point, Psp, World, books};

const DECLINED: Reply = Reply::Refused(RefusalReason::CardDeclined);

/// One row of the table of answers: what the PSP does, what the shopper and the merchant see.
struct Row {
    psp: Psp,
    capture_delay: Option<u32>,
    status: StatusName,
    next: &'static str,
    events: &'static [&'static str],
    attempts: u32,
    failure: &'static str,
}

fn row(psp: Psp, status: StatusName, next: &'static str, events: &'static [&'static str]) -> Row {
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
    use Psp::{Fails, Says};
    use StatusName::{Authorized, Captured, Error, Pending, Refused};
    let refused = |reason, next, failure| Row {
        failure,
        ..row(Says(Reply::Refused(reason)), Refused, next, &["refused"])
    };
    vec![
        row(Says(Reply::Done), Authorized, "none", &["authorized"]),
        Row {
            capture_delay: Some(0),
            ..row(Says(Reply::Done), Captured, "none", &["captured"])
        },
        Row {
            capture_delay: Some(60),
            ..row(Says(Reply::Done), Authorized, "none", &["authorized"])
        },
        row(Says(Reply::ActionRequired), Pending, "challenge", &[]),
        row(Says(Reply::Accepted), Pending, "none", &[]),
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

fn name(next: &Next) -> &'static str {
    match next {
        Next::None => "none",
        Next::Challenge(_) => "challenge",
        Next::Retry { reason, .. } => reason.name(),
    }
}

#[tokio::test(start_paused = true)]
async fn the_shopper_is_answered_by_the_table() {
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
        let may_retry = matches!(state.next, Next::Retry { .. });
        let until = may_retry.then_some(session.expires_at);
        assert_eq!(session.retry_until(world.now()), until, "{case}");
        for stored in world.store.events_of(order.id) {
            assert_eq!(stored.event.retry_until, until, "{case}");
        }
        // The same token again, and the status call, say the same and start nothing.
        let calls = world.psp.calls();
        assert_eq!(world.pay(&order, "tok_1").await.unwrap(), state, "{case}");
        assert_eq!(world.look(&order).await, state, "{case}");
        assert_eq!(world.psp.calls(), calls, "{case}");
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_the_psp_did_not_say_is_found_out() {
    for (psp, finish, status, events) in [
        (
            Psp::Fails(Fault::UnknownBefore),
            None,
            StatusName::Authorized,
            &["authorized"][..],
        ),
        (
            Psp::Fails(Fault::UnknownAfter),
            None,
            StatusName::Authorized,
            &["authorized"],
        ),
        (
            Psp::Says(Reply::Accepted),
            Some(Finish::Done),
            StatusName::Authorized,
            &["authorized"],
        ),
        (
            Psp::Says(Reply::Accepted),
            Some(Finish::Refused(RefusalReason::ExpiredCard)),
            StatusName::Refused,
            &["refused"],
        ),
        (
            Psp::Says(Reply::ActionRequired),
            Some(Finish::Done),
            StatusName::Authorized,
            &["authorized"],
        ),
        (
            Psp::Says(Reply::ActionRequired),
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
        // No notification ever comes; a look-up after a minute at most finds out.
        world.pass(61).await;
        let reserved = if status == StatusName::Authorized {
            10_000
        } else {
            0
        };
        let expected = Books {
            status,
            events: events.to_vec(),
            reserved,
            taken: 0,
        };
        assert_eq!(books(&world, &order).await, expected, "{case}");
        assert_eq!(world.psp.payments(order.id).len(), 1, "{case}");
    }
}

#[tokio::test(start_paused = true)]
async fn another_token_is_refused_while_a_try_is_open_and_once_it_is_paid() {
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
async fn three_refused_tries_are_all_there_are() {
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
async fn tries_that_were_surely_not_sent_do_not_count() {
    let world = World::new();
    let order = world.open().await;
    for n in 0..10 {
        world.psp.fail(Call::Authorize, Fault::NotSent);
        let state = world.pay(&order, &format!("tok_{n}")).await.unwrap();
        let retry = Next::Retry {
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
        "nothing else arrived"
    );
}

#[tokio::test(start_paused = true)]
async fn a_refused_session_can_be_paid_until_it_expires() {
    let world = World::new();
    let order = world.open().await;
    world.psp.reply(Call::Authorize, DECLINED);
    world.pay(&order, "tok_1").await.unwrap();
    world.wait_past_expiry(&order, 0).await;
    let state = world.look(&order).await;
    assert_eq!(
        (state.status, state.next),
        (StatusName::Refused, Next::None)
    );
    let late = world.pay(&order, "tok_2").await;
    assert!(
        matches!(late, Err(Error::InvalidState(StatusName::Refused))),
        "{late:?}"
    );
    world.work().await;
    assert_eq!(
        world.events(&order),
        ["refused"],
        "a final refusal does not expire"
    );
}

#[tokio::test(start_paused = true)]
async fn a_text_that_is_no_token_and_a_foreign_pay_token_go_nowhere() {
    let world = World::new();
    let (order, foreign) = (world.open().await, world.open().await);
    let answer = world.pay(&order, "4242424242424242").await;
    let names_it = matches!(&answer, Err(Error::Field { field, .. }) if *field == "payment_method");
    assert!(names_it, "{answer:?}");
    assert!(!format!("{answer:?}").contains("4242"), "never echoed");
    let mut stolen = order.clone();
    stolen.pay_token = foreign.pay_token;
    let answer = world.pay(&stolen, "tok_1").await;
    assert!(matches!(answer, Err(Error::BadPayToken)), "{answer:?}");
    assert_eq!(world.psp.calls(), 0);
    assert_eq!(world.status(&order).await, StatusName::Created);
}

#[tokio::test(start_paused = true)]
async fn an_intent_that_was_not_written_is_never_sent() {
    for (harm, sent) in [
        (Harm::Before, false),
        (Harm::After, true),
        (Harm::Between, true),
    ] {
        let world = World::new();
        let order = world.open().await;
        world.fate.plan(Point::Commit(1), harm);
        let answer = world.pay(&order, "tok_1").await;
        assert_eq!(answer.is_ok(), sent, "{harm:?}: {answer:?}");
        assert_eq!(world.psp.calls(), u64::from(sent), "{harm:?}");
        // A repetition with the same token pays, once.
        world.pay(&order, "tok_1").await.unwrap();
        assert_eq!(books(&world, &order).await.reserved, 10_000, "{harm:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_outcome_that_could_not_be_written_is_left_to_recovery() {
    let world = World::new();
    let order = world.open().await;
    world.fate.plan(Point::Commit(2), Harm::Before);
    let state = world.pay(&order, "tok_1").await.unwrap();
    assert_eq!(
        (state.status, state.next),
        (StatusName::Pending, Next::None)
    );
    world.pass(30).await;
    let expected = Books {
        status: StatusName::Authorized,
        events: vec!["authorized"],
        reserved: 10_000,
        taken: 0,
    };
    assert_eq!(books(&world, &order).await, expected);
}
