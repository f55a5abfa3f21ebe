//! Abandoning a challenge.

use oncharge_application::Error;
use oncharge_domain::{
    psp::RefusalReason,
    session::{NextAction, RetryReason, StatusName},
};
use oncharge_testkit::{Call, Fault, Reply, psp::Finish};

use crate::support::{AuditedState, Order, PspBehavior, World, audit};

async fn challenged() -> (World, Order) {
    let world = World::new();
    let order = world.open().await;
    world.psp.reply(Call::Authorize, Reply::ActionRequired);
    world.pay(&order, "tok_1").await.unwrap();
    (world, order)
}

#[tokio::test(start_paused = true)]
async fn another_card_can_be_used_once_the_psp_confirms_the_cancel() {
    let (world, order) = challenged().await;
    let state = world.abandon(&order).await.unwrap();
    assert_eq!(state.status, StatusName::Refused);
    let retry = NextAction::Retry {
        reason: RetryReason::AuthenticationFailed,
        last_try: false,
    };
    assert_eq!(state.next, retry);
    assert_eq!(world.session(&order).await.counted_attempts(), 0);
    assert_eq!(world.failure(&order).await, "authentication_abandoned");
    let state = world.pay(&order, "tok_2").await.unwrap();
    assert_eq!(state.status, StatusName::Authorized);
    let expected = AuditedState {
        status: StatusName::Authorized,
        events: vec!["refused", "authorized"],
        reserved: 10_000,
        taken: 0,
    };
    assert_eq!(audit(&world, &order).await, expected);
}

#[tokio::test(start_paused = true)]
async fn ten_challenges_can_be_opened_and_no_more() {
    let world = World::new();
    let order = world.open().await;
    let mut last = Vec::new();
    for number in 1..=10 {
        world.psp.reply(Call::Authorize, Reply::ActionRequired);
        let token = format!("tok_{number}");
        world.pay(&order, &token).await.unwrap();
        let state = world.abandon(&order).await.unwrap();
        assert_eq!(state.status, StatusName::Refused);
        last.push(match state.next {
            NextAction::Retry { last_try, .. } => Some(last_try),
            _ => None,
        });
    }
    assert_eq!(last[..8], [Some(false); 8]);
    assert_eq!(last[8..], [Some(true), None]);
    assert_eq!(world.session(&order).await.counted_attempts(), 0);
    let refused = world.pay(&order, "tok_11").await;
    assert!(
        matches!(refused, Err(Error::InvalidState(_))),
        "{refused:?}"
    );
    let events = audit(&world, &order).await.events;
    assert_eq!(events, ["refused"; 10]);
}

#[tokio::test(start_paused = true)]
async fn the_session_stays_pending_until_the_psp_confirms_the_cancel() {
    for psp in [
        PspBehavior::Replies(Reply::Accepted),
        PspBehavior::Fails(Fault::UnknownBefore),
        PspBehavior::Fails(Fault::UnknownAfter),
        PspBehavior::Fails(Fault::NotSent),
    ] {
        let (world, order) = challenged().await;
        psp.plan(&world.psp, Call::Cancel);
        let state = world.abandon(&order).await.unwrap();
        assert_eq!(
            (state.status, state.next),
            (StatusName::Pending, NextAction::None),
            "{psp:?}"
        );
        let other = world.pay(&order, "tok_2").await;
        assert!(
            matches!(other, Err(Error::InvalidState(_) | Error::InProgress(_))),
            "{psp:?}: {other:?}"
        );
        if matches!(psp, PspBehavior::Replies(_)) {
            let cancel = world.operation(&order, "cancel").id;
            world.psp.finish(cancel, Finish::Done);
        }
        world.run_for(61).await;
        assert_eq!(world.status(&order).await, StatusName::Refused, "{psp:?}");
        let state = world.pay(&order, "tok_2").await.unwrap();
        assert_eq!(state.status, StatusName::Authorized, "{psp:?}");
        assert_eq!(
            audit(&world, &order).await.events,
            ["refused", "authorized"],
            "{psp:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_concurrent_authorization_is_kept() {
    let (world, order) = challenged().await;
    // The PSP has authorized it and so refuses the cancel; its notification arrives later.
    let attempt = world.operation(&order, "authorize").id;
    world.psp.finish(attempt, Finish::Done);
    let reason = RefusalReason::Other("not_open".into());
    world.psp.reply(Call::Cancel, Reply::Refused(reason));
    world.abandon(&order).await.unwrap();
    world.run_for(61).await;
    let expected = AuditedState {
        status: StatusName::Authorized,
        events: vec!["authorized"],
        reserved: 10_000,
        taken: 0,
    };
    assert_eq!(audit(&world, &order).await, expected);
}

#[tokio::test(start_paused = true)]
async fn an_authorization_reported_during_the_cancel_is_kept_only_if_the_cancel_fails() {
    for (finish, status, reserved, events) in [
        (Finish::Done, StatusName::Refused, 0, ["refused"]),
        (
            Finish::Refused(RefusalReason::Other("not_open".into())),
            StatusName::Authorized,
            10_000,
            ["authorized"],
        ),
    ] {
        let (world, order) = challenged().await;
        world.psp.reply(Call::Cancel, Reply::Accepted);
        world.abandon(&order).await.unwrap();
        let attempt = world.operation(&order, "authorize").id;
        world.psp.finish(attempt, Finish::Done);
        world.notify(attempt).await.unwrap();
        assert_eq!(
            world.status(&order).await,
            StatusName::Pending,
            "{finish:?}"
        );
        let cancel = world.operation(&order, "cancel").id;
        world.psp.finish(cancel, finish.clone());
        world.notify(cancel).await.unwrap();
        let expected = AuditedState {
            status,
            events: events.to_vec(),
            reserved,
            taken: 0,
        };
        assert_eq!(audit(&world, &order).await, expected, "{finish:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_an_open_challenge_there_is_nothing_to_abandon() {
    let world = World::new();
    let (created, authorized) = (world.open().await, world.authorized().await);
    let waiting = world.open().await;
    world.psp.reply(Call::Authorize, Reply::Accepted);
    world.pay(&waiting, "tok_1").await.unwrap();
    let calls = world.psp.calls();
    for order in [&created, &authorized, &waiting] {
        let response = world.abandon(order).await;
        assert!(
            matches!(response, Err(Error::InvalidState(_) | Error::InProgress(_))),
            "{response:?}"
        );
    }
    assert_eq!(world.psp.calls(), calls);
    let mut foreign = created.clone();
    foreign.pay_token = authorized.pay_token.clone();
    let response = world.abandon(&foreign).await;
    assert!(matches!(response, Err(Error::BadPayToken)), "{response:?}");
}
