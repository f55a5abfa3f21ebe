//! The attempts of a session, with the card wherever the PSP reports it.

use oncharge_domain::{
    card::Card,
    psp::RefusalReason,
    session::{Attempt, AttemptOutcome, FailureCode},
};
use oncharge_testkit::{Call, Fault, Reply, psp::Finish};

use crate::support::{Order, World};

fn card(last4: &str) -> Option<Card> {
    Card::new(Some("visa"), Some(last4))
}

async fn only_attempt(world: &World, order: &Order) -> Attempt {
    let [attempt] = world.session(order).await.attempts.try_into().unwrap();
    attempt
}

/// The attempt of the session's last event.
fn last_event_attempt(world: &World, order: &Order) -> Option<Attempt> {
    world.store.events_of(order.id).pop()?.event.attempt
}

#[tokio::test(start_paused = true)]
async fn the_response_brings_the_card() {
    let world = World::new();
    let order = world.open().await;
    world.psp.set_card(card("4242"));
    world.pay(&order, "tok_1").await.unwrap();
    let attempt = only_attempt(&world, &order).await;
    let operation = world.operation(&order, "authorize");
    assert_eq!(attempt.id, operation.id);
    assert_eq!(attempt.outcome, AttemptOutcome::Authorized);
    assert_eq!(attempt.card, card("4242"));
    assert_eq!(attempt.reference, operation.reference);
    assert_eq!(last_event_attempt(&world, &order), Some(attempt));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_brings_the_card_of_its_attempt_and_the_next_one_another() {
    let world = World::new();
    let order = world.open().await;
    let declined = Reply::Refused(RefusalReason::CardDeclined);
    world.psp.reply(Call::Authorize, declined);
    world.psp.set_card(card("0002"));
    world.pay(&order, "tok_1").await.unwrap();
    let refused = only_attempt(&world, &order).await;
    let outcome = AttemptOutcome::Refused(FailureCode::CardDeclined);
    assert_eq!((refused.outcome, &refused.card), (outcome, &card("0002")));
    assert_eq!(last_event_attempt(&world, &order).as_ref(), Some(&refused));
    world.psp.set_card(card("4242"));
    world.pay(&order, "tok_2").await.unwrap();
    let attempts = world.session(&order).await.attempts;
    assert_eq!((attempts.len(), &attempts[0]), (2, &refused));
    assert_eq!(attempts[1].card, card("4242"));
}

#[tokio::test(start_paused = true)]
async fn a_look_up_brings_the_card_that_a_lost_response_had() {
    let world = World::new();
    let order = world.open().await;
    world.psp.set_card(card("4242"));
    world.psp.fail(Call::Authorize, Fault::UnknownAfter);
    world.pay(&order, "tok_1").await.unwrap();
    let pending = only_attempt(&world, &order).await;
    assert_eq!(
        (pending.outcome, pending.card),
        (AttemptOutcome::Pending, None)
    );
    world.run_until_idle().await;
    let attempt = only_attempt(&world, &order).await;
    assert_eq!(attempt.outcome, AttemptOutcome::Authorized);
    assert_eq!(attempt.card, card("4242"));
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_challenge_brings_the_card() {
    for (finish, outcome) in [
        (Finish::Done, AttemptOutcome::Authorized),
        (
            Finish::Refused(RefusalReason::AuthenticationFailed),
            AttemptOutcome::Refused(FailureCode::AuthenticationFailed),
        ),
    ] {
        let world = World::new();
        let order = world.open().await;
        world.psp.reply(Call::Authorize, Reply::ActionRequired);
        world.pay(&order, "tok_1").await.unwrap();
        let attempt = only_attempt(&world, &order).await;
        assert_eq!(
            (attempt.outcome, attempt.card),
            (AttemptOutcome::Pending, None)
        );
        world.psp.set_card(card("3155"));
        world.psp.finish(attempt.id, finish);
        world.notify(attempt.id).await.unwrap();
        let attempt = only_attempt(&world, &order).await;
        assert_eq!((attempt.outcome, &attempt.card), (outcome, &card("3155")));
        assert_eq!(last_event_attempt(&world, &order), Some(attempt));
    }
}

#[tokio::test(start_paused = true)]
async fn an_abandoned_challenge_and_a_try_that_was_not_sent_stay_listed() {
    let world = World::new();
    let order = world.open().await;
    world.psp.reply(Call::Authorize, Reply::ActionRequired);
    world.pay(&order, "tok_1").await.unwrap();
    world.abandon(&order).await.unwrap();
    world.psp.fail(Call::Authorize, Fault::NotSent);
    world.pay(&order, "tok_2").await.unwrap();
    let session = world.session(&order).await;
    let outcomes = session.attempts.iter().map(|attempt| attempt.outcome);
    let expected = [
        AttemptOutcome::Refused(FailureCode::AuthenticationAbandoned),
        AttemptOutcome::Error(FailureCode::PspError),
    ];
    assert_eq!(outcomes.collect::<Vec<_>>(), expected);
    assert_eq!(session.counted_attempts(), 0);
}
